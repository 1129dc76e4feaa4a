//! The one pass over the envelopes: which are selected, in which segments and runs, with which attachments.

use std::collections::{BTreeSet, VecDeque};
use std::ops::{ControlFlow, Range};

use recorder_core::hash::ChainHash;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::limits::{ARCHIVE_ENVELOPES_MAX, PART_ENVELOPES_MAX, SEGMENTS_MAX};
use recorder_envelope::attachment::AttachmentRef;
use recorder_envelope::bundle::{ManifestAttachment, ManifestSegment, layout};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_store::Store;

use super::part::{Part, PartWriter};
use super::{BuildError, BuildRequest, Compression, Spool};

/// Ids that were seen lately, so that nearly every parent is found without asking the store.
const RECENT_IDS_MAX: usize = 65_536;

/// What was selected of one segment.
pub(super) struct SelectedSegment {
    pub(super) segment_id: SegmentId,
    /// The position of its first envelope, selected or not.
    pub(super) first_position: u64,
    pub(super) included_count: u64,
    parts: Vec<Part>,
}

/// Everything that one pass over the stream tells.
pub(super) struct Selection {
    pub(super) envelope_count: u64,
    pub(super) segments: Vec<SelectedSegment>,
    /// Maximal runs of included positions.
    pub(super) runs: Vec<Range<u64>>,
    attachments: BTreeSet<AttachmentRef>,
    pub(super) omitted_parent_ids: Vec<EnvelopeId>,
}

impl Selection {
    /// Reads the stream below `tree_size` and writes the lines of what is selected to the spool.
    pub(super) fn read(
        store: &dyn Store,
        request: &BuildRequest<'_>,
        tree_size: u64,
        spool: &mut dyn Spool,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, BuildError> {
        let mut pass = Pass::new(request.compression, spool, progress);
        let mut failure = None;
        let filter = request.selector.widened();
        store.scan(&request.stream, &filter, 0..tree_size, &mut |envelope| {
            if !request.selector.selects(&envelope) {
                return ControlFlow::Continue(());
            }
            match pass.include(&envelope) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        match failure {
            Some(error) => Err(error),
            None => pass.finish(store, request, tree_size),
        }
    }

    /// The manifest's list: each hash with each type that an envelope gives it.
    pub(super) fn manifest_attachments(&self) -> Vec<ManifestAttachment> {
        let listed = |reference: &AttachmentRef| ManifestAttachment {
            content_hash: reference.content_hash,
            content_type: reference.content_type.clone(),
            size_bytes: reference.size_bytes,
            withheld: false,
        };
        self.attachments.iter().map(listed).collect()
    }

    /// Writes the bytes of every attachment to the spool, once each, by hash.
    pub(super) fn spool_attachments(
        &self,
        store: &dyn Store,
        compression: Compression,
        spool: &mut dyn Spool,
    ) -> Result<Vec<Part>, BuildError> {
        let hashes = self.attachments.iter().map(|reference| reference.content_hash);
        let mut parts = Vec::new();
        for content_hash in hashes.collect::<BTreeSet<_>>() {
            let bytes = store
                .attachment(&content_hash)?
                .ok_or(BuildError::AttachmentMissing { content_hash })?;
            let mut writer = PartWriter::start(layout::attachment(&content_hash), spool)?;
            writer.append(spool, |out| out.extend_from_slice(&bytes))?;
            parts.push(writer.finish(compression, spool)?);
        }
        Ok(parts)
    }

    /// The manifest's segments, and their parts in order.
    pub(super) fn into_segments(
        self,
        store: &dyn Store,
        stream: &StreamId,
        tree_size: u64,
    ) -> Result<(Vec<ManifestSegment>, Vec<Part>), BuildError> {
        let (mut listed, mut parts) = (Vec::new(), Vec::new());
        for (number, selected) in self.segments.into_iter().enumerate() {
            let segment_id = selected.segment_id;
            let record = store.segment(stream, segment_id)?.ok_or_else(|| {
                BuildError::corrupt(format!("segment {segment_id}"), "is not stored")
            })?;
            let end = record.genesis.first_position + record.envelope_count;
            // A segment that goes on beyond the checkpoint is shown as the checkpoint covers it: open.
            let seal = record.seal.filter(|_| end <= tree_size);
            let envelope_count = end.min(tree_size) - record.genesis.first_position;
            let chain_head = chain_hash_before(store, stream, end.min(tree_size))?;
            let genesis = record.genesis.to_canonical();
            listed.push(ManifestSegment {
                segment_id,
                genesis_hash: recorder_envelope::preimage::genesis_hash(&genesis),
                seal_hash: seal.as_ref().map(|signed| signed.seal.hash()),
                chain_head,
                envelope_count,
                included_count: selected.included_count,
                complete: envelope_count == selected.included_count,
            });
            parts.push(Part::in_memory(layout::genesis(number), genesis));
            if let Some(signed) = seal {
                parts.push(Part::in_memory(layout::seal(number), signed.to_canonical()));
            }
            parts.extend(selected.parts);
        }
        Ok((listed, parts))
    }
}

/// The chain hash of the last envelope before `position`.
pub(super) fn chain_hash_before(
    store: &dyn Store,
    stream: &StreamId,
    position: u64,
) -> Result<ChainHash, BuildError> {
    let last = position.saturating_sub(1);
    let found = store.chain_hashes(stream, last..position)?.first().copied();
    found.ok_or_else(|| BuildError::corrupt(format!("position {last}"), "is not stored"))
}

/// The state of the pass.
struct Pass<'a> {
    compression: Compression,
    spool: &'a mut dyn Spool,
    progress: &'a mut dyn FnMut(u64),
    envelope_count: u64,
    segments: Vec<SelectedSegment>,
    runs: Vec<Range<u64>>,
    attachments: BTreeSet<AttachmentRef>,
    parents: Parents,
    part: Option<(PartWriter, usize)>,
}

impl<'a> Pass<'a> {
    fn new(
        compression: Compression,
        spool: &'a mut dyn Spool,
        progress: &'a mut dyn FnMut(u64),
    ) -> Self {
        Self {
            compression,
            spool,
            progress,
            envelope_count: 0,
            segments: Vec::new(),
            runs: Vec::new(),
            attachments: BTreeSet::new(),
            parents: Parents::remembering(RECENT_IDS_MAX),
            part: None,
        }
    }

    fn include(&mut self, envelope: &SealedEnvelope) -> Result<(), BuildError> {
        self.enter_segment(envelope)?;
        self.extend_run(envelope.place.position);
        self.attachments.extend(envelope.fields.attachment_refs.as_slice().iter().cloned());
        self.parents.include(envelope);
        self.write_line(envelope)?;
        self.envelope_count += 1;
        if self.envelope_count > ARCHIVE_ENVELOPES_MAX {
            return Err(BuildError::TooMuch {
                what: "envelopes",
                count_max: ARCHIVE_ENVELOPES_MAX,
            });
        }
        (self.progress)(self.envelope_count);
        Ok(())
    }

    fn enter_segment(&mut self, envelope: &SealedEnvelope) -> Result<(), BuildError> {
        let segment_id = envelope.place.segment_id;
        if self.segments.last().is_some_and(|segment| segment.segment_id == segment_id) {
            return Ok(());
        }
        self.finish_part()?;
        if self.segments.len() == SEGMENTS_MAX {
            return Err(BuildError::TooMuch { what: "segments", count_max: SEGMENTS_MAX as u64 });
        }
        let place = &envelope.place;
        let first_position = place.position.checked_sub(place.sequence).ok_or_else(|| {
            BuildError::corrupt(format!("position {}", place.position), "lies before its segment")
        })?;
        self.segments.push(SelectedSegment {
            segment_id,
            first_position,
            included_count: 0,
            parts: Vec::new(),
        });
        Ok(())
    }

    fn extend_run(&mut self, position: u64) {
        match self.runs.last_mut() {
            Some(run) if run.end == position => run.end = position + 1,
            _ => self.runs.push(position..position + 1),
        }
    }

    fn write_line(&mut self, envelope: &SealedEnvelope) -> Result<(), BuildError> {
        if self.part.as_ref().is_some_and(|(_, lines)| *lines == PART_ENVELOPES_MAX) {
            self.finish_part()?;
        }
        let number = self.segments.len().saturating_sub(1);
        let Some(segment) = self.segments.last_mut() else { return Ok(()) };
        segment.included_count += 1;
        let (mut writer, lines) = match self.part.take() {
            Some(part) => part,
            None => {
                let name = layout::envelopes(number, segment.parts.len());
                (PartWriter::start(name, self.spool)?, 0)
            }
        };
        writer.append(self.spool, |out| {
            envelope.write_canonical(out);
            out.push(b'\n');
        })?;
        self.part = Some((writer, lines + 1));
        Ok(())
    }

    fn finish_part(&mut self) -> Result<(), BuildError> {
        if let (Some((writer, _)), Some(segment)) = (self.part.take(), self.segments.last_mut()) {
            segment.parts.push(writer.finish(self.compression, self.spool)?);
        }
        Ok(())
    }

    fn finish(
        mut self,
        store: &dyn Store,
        request: &BuildRequest<'_>,
        tree_size: u64,
    ) -> Result<Selection, BuildError> {
        self.finish_part()?;
        Ok(Selection {
            envelope_count: self.envelope_count,
            segments: self.segments,
            runs: self.runs,
            attachments: self.attachments,
            omitted_parent_ids: self.parents.omitted(store, request, tree_size)?,
        })
    }
}

/// Which parents are named, and which of those the bundle does not hold.
struct Parents {
    recent_max: usize,
    recent: BTreeSet<EnvelopeId>,
    by_arrival: VecDeque<EnvelopeId>,
    /// Named, and not seen among the recent ids or since.
    unseen: BTreeSet<EnvelopeId>,
}

impl Parents {
    /// Remembers the last `recent_max` ids that were included.
    fn remembering(recent_max: usize) -> Self {
        Self {
            recent_max,
            recent: BTreeSet::new(),
            by_arrival: VecDeque::new(),
            unseen: BTreeSet::new(),
        }
    }

    fn include(&mut self, envelope: &SealedEnvelope) {
        let id = envelope.fields.envelope_id;
        for parent in envelope.fields.parent_ids.as_slice() {
            if *parent != id && !self.recent.contains(parent) {
                self.unseen.insert(*parent);
            }
        }
        if !self.unseen.is_empty() {
            self.unseen.remove(&id);
        }
        self.recent.insert(id);
        self.by_arrival.push_back(id);
        if self.by_arrival.len() > self.recent_max
            && let Some(oldest) = self.by_arrival.pop_front()
        {
            self.recent.remove(&oldest);
        }
    }

    /// Asks the store about the parents that were not seen lately: they may have been included long before.
    fn omitted(
        self,
        store: &dyn Store,
        request: &BuildRequest<'_>,
        tree_size: u64,
    ) -> Result<Vec<EnvelopeId>, BuildError> {
        let mut omitted = Vec::new();
        for id in self.unseen {
            let stored = store.envelope(&request.stream, id)?;
            let included = stored.is_some_and(|envelope| {
                envelope.place.position < tree_size && request.selector.selects(&envelope)
            });
            if !included {
                omitted.push(id);
            }
        }
        Ok(omitted)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use recorder_core::time::{RecordedAt, UtcTimestamp};
    use recorder_envelope::attachment::AttachmentRefs;
    use recorder_envelope::envelope::{
        EnvelopeFields, ParentIds, PayloadSalt, SaltedPayload, UnsealedEnvelope,
    };
    use recorder_envelope::json::CanonicalPayload;
    use recorder_envelope::selector::Selector;
    use recorder_store::MemoryStore;

    use super::*;
    use crate::bundle::AnchorAt;
    use crate::clock::FixedClock;
    use crate::ids::{IdSource as _, SeededIds};
    use crate::{Recorder, RecorderConfig, Submission};

    fn id(number: u64) -> EnvelopeId {
        SeededIds::new(number).envelope_id(RecordedAt::from_nanoseconds(0).unwrap()).unwrap()
    }

    /// An envelope that names the ten before it, itself, a later one and a stranger.
    fn submission(number: u64) -> Submission {
        let parents = (number.saturating_sub(10)..=number).chain([number + 3, 1000 + number]);
        let fields = EnvelopeFields {
            envelope_id: id(number),
            event_type: "a".parse().unwrap(),
            actor_id: "a".parse().unwrap(),
            environment_id: "a".parse().unwrap(),
            claimed_time: UtcTimestamp::EPOCH,
            trace_id: None,
            session_id: None,
            parent_ids: ParentIds::sorted(parents.map(id).collect()).unwrap(),
            attachment_refs: AttachmentRefs::default(),
        };
        let payload = CanonicalPayload::parse(b"{}").unwrap();
        let payload = SaltedPayload { payload, salt: PayloadSalt::from_bytes([0; 16]) };
        UnsealedEnvelope { fields, payload }.prepare().into()
    }

    #[test]
    fn omitted_parents_do_not_depend_on_how_many_ids_are_remembered() {
        let clock = Arc::new(FixedClock::new(RecordedAt::from_nanoseconds(0).unwrap(), 1));
        let config = RecorderConfig::new("r".parse().unwrap());
        let ids = Arc::new(SeededIds::new(u64::MAX));
        let store = Arc::new(MemoryStore::new());
        let recorder = Recorder::open(Arc::clone(&store) as _, config, clock, ids, None).unwrap();
        let tenant = "t".parse().unwrap();
        recorder.append_batch(&tenant, (0..40).map(submission).collect()).unwrap();
        let request = BuildRequest {
            stream: recorder.stream_of(&tenant),
            selector: Selector::everything(),
            created_at: UtcTimestamp::EPOCH,
            anchor: AnchorAt::Newest,
            compression: Compression::Stored,
            signer: None,
        };
        let mut envelopes = Vec::new();
        store
            .scan(&request.stream, &request.selector.widened(), 0..40, &mut |envelope| {
                envelopes.push(envelope);
                ControlFlow::Continue(())
            })
            .unwrap();
        // Of what is named, only the strangers are left out, and the children of the last three.
        let mut expected = (1000..1040).chain(40..43).map(id).collect::<Vec<_>>();
        expected.sort();
        for recent_max in [0, 1, 5, 11, 1000] {
            let mut parents = Parents::remembering(recent_max);
            envelopes.iter().for_each(|envelope| parents.include(envelope));
            assert!(parents.recent.len() <= recent_max.max(1));
            assert_eq!(parents.omitted(&*store, &request, 40).unwrap(), expected, "{recent_max}");
        }
    }
}
