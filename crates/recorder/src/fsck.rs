//! The whole read: every stored envelope, segment, tile, checkpoint and attachment is re-derived.
//!
//! What is wrong with the data is a finding; an error means that the store could not be read. Signatures are
//! checked against the keys that are given, by name; the full verdict on authenticity is the bundle verifier's.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{AttachmentHash, ChainHash, KeyId};
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::limits::FINDINGS_MAX;
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::preimage;
use recorder_envelope::rotation::RotationKind;
use recorder_envelope::segment::{Predecessor, SigningPromise};
use recorder_envelope::signing::PublicKey;
use recorder_store::{
    Corruption, ReadError, SegmentRecord, Store, StoredCheckpoint, StreamHead, Tile,
};
use serde::Serialize;

use crate::log::LogEdge;
use crate::succession::{Succession, SuccessionError};

/// What was read, and everything that is wrong with it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FsckReport {
    /// Streams that were read.
    pub streams: u64,
    /// Segments that were re-derived.
    pub segments: u64,
    /// Envelopes that were re-derived.
    pub envelopes: u64,
    /// Envelopes whose payload is no longer there: what it said cannot be shown, only that it was committed to.
    pub payloads_erased: u64,
    /// Attachments that were re-hashed.
    pub attachments: u64,
    /// Signatures that were checked.
    pub signatures: u64,
    /// Signatures by a key that was in force there and that nothing shows any more: a lost one, of which the log holds
    /// only the name. What they sign is under the checkpoints of the keys that followed.
    pub signatures_unchecked: u64,
    /// The first thousand findings.
    pub findings: Vec<Finding>,
    /// All findings.
    pub finding_count: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// Where.
    pub place: String,
    /// What.
    pub detail: String,
}

impl FsckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.finding_count == 0
    }

    fn add(&mut self, place: impl Into<String>, detail: impl Into<String>) {
        self.finding_count += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { place: place.into(), detail: detail.into() });
        }
    }

    /// Notes a corruption that ended a read; what follows it is still read where it can be.
    fn add_corrupt<T>(&mut self, read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(ReadError::Corrupt(Corruption { place, detail })) => {
                self.add(place, detail);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads everything. `keys` are those whose signatures are checked; `progress` hears the envelopes read so far.
///
/// # Errors
///
/// `ReadError` when the store cannot answer at all.
pub fn fsck(
    store: &dyn Store,
    keys: &[PublicKey],
    progress: &mut dyn FnMut(u64),
) -> Result<FsckReport, ReadError> {
    let mut report = FsckReport::default();
    for fault in store.check_medium()? {
        report.add(fault.place, fault.detail);
    }
    let mut attachments = BTreeSet::new();
    for stream in store.streams()? {
        report.streams += 1;
        check_stream(store, &stream, keys, &mut attachments, &mut report, progress)?;
    }
    for (content_hash, size_bytes) in attachments {
        check_attachment(store, &content_hash, size_bytes, &mut report)?;
    }
    Ok(report)
}

fn check_attachment(
    store: &dyn Store,
    content_hash: &AttachmentHash,
    size_bytes: u64,
    report: &mut FsckReport,
) -> Result<(), ReadError> {
    report.attachments += 1;
    let read = store.attachment(content_hash);
    let place = format!("attachment {content_hash}");
    match report.add_corrupt(read)? {
        Some(Some(bytes)) if preimage::attachment_hash(&bytes) != *content_hash => {
            report.add(place, "its bytes have another hash");
        }
        Some(Some(bytes)) if bytes.len() as u64 != size_bytes => {
            report.add(place, "is referred to with another size");
        }
        Some(None) => report.add(place, "is referred to but not stored"),
        Some(Some(_)) | None => {}
    }
    Ok(())
}

fn check_stream(
    store: &dyn Store,
    stream: &StreamId,
    keys: &[PublicKey],
    attachments: &mut BTreeSet<(AttachmentHash, u64)>,
    report: &mut FsckReport,
    progress: &mut dyn FnMut(u64),
) -> Result<(), ReadError> {
    let head = store.head(stream);
    let Some(Some(head)) = report.add_corrupt(head)? else {
        report.add(stream.to_string(), "its head cannot be read");
        return Ok(());
    };
    let signers = Signers::read(store, stream, keys, report)?;
    let checkpoints = checkpoints(store, stream, &signers, report)?;
    if head.checkpoint.as_ref() != checkpoints.back() {
        report.add(stream.to_string(), "its head names another checkpoint than the newest");
    }
    let mut walk = Walk::new(store, stream, &signers, checkpoints, report);
    walk.segments(head.segment_count)?;
    let everything = EnvelopeFilter::default();
    let mut failure = None;
    let scanned = store.scan(stream, &everything, 0..u64::MAX, &mut |envelope| {
        let refs = envelope.fields.attachment_refs.as_slice();
        attachments.extend(refs.iter().map(|known| (known.content_hash, known.size_bytes)));
        match walk.envelope(&envelope) {
            Ok(()) => {
                progress(walk.report.envelopes);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    walk.finish(&head)?;
    report.add_corrupt(scanned)?;
    Ok(())
}

/// Reads every checkpoint of a stream, by size, and checks what can be checked without the log.
fn checkpoints(
    store: &dyn Store,
    stream: &StreamId,
    signers: &Signers,
    report: &mut FsckReport,
) -> Result<VecDeque<StoredCheckpoint>, ReadError> {
    let mut checkpoints = VecDeque::<StoredCheckpoint>::new();
    loop {
        let beyond = checkpoints.back().map_or(0, |last| last.tree_size.saturating_add(1));
        let read = store.checkpoint(stream, beyond);
        let Some(Some(stored)) = report.add_corrupt(read)? else { return Ok(checkpoints) };
        if stored.tree_size < beyond {
            report.add(stream.to_string(), "its checkpoints are not in order");
            return Ok(checkpoints);
        }
        check_note(stream, signers, &stored, report);
        checkpoints.push_back(stored);
    }
}

fn check_note(
    stream: &StreamId,
    signers: &Signers,
    stored: &StoredCheckpoint,
    report: &mut FsckReport,
) {
    let place = place_of_checkpoint(stream, stored);
    let Ok(note) = SignedCheckpoint::parse(stored.note.as_bytes()) else {
        report.add(place, "its note cannot be read");
        return;
    };
    let body = note.checkpoint();
    if (body.tree_size(), body.root()) != (stored.tree_size, stored.root_hash) {
        report.add(place.clone(), "its note says something else than its row");
    }
    signers.check_note(place, &note, report);
}

/// Whose signatures count in one stream: the given keys, and those that its rotations connect with them.
struct Signers {
    /// Empty where none was given: then no signature is looked at.
    keys: Vec<PublicKey>,
    succession: Succession,
}

impl Signers {
    fn read(
        store: &dyn Store,
        stream: &StreamId,
        keys: &[PublicKey],
        report: &mut FsckReport,
    ) -> Result<Self, ReadError> {
        let succession = match Succession::read(store, stream) {
            Ok(succession) => succession,
            Err(SuccessionError::Broken(broken)) => {
                let place = format!("{}, position {}", broken.stream, broken.position);
                report.add(place, format!("the key rotation is broken: {}", broken.fault));
                Succession::default()
            }
            Err(SuccessionError::Read(error)) => {
                report.add_corrupt::<()>(Err(error))?;
                Succession::default()
            }
        };
        let keys = match keys {
            [] => Vec::new(),
            given => succession.connected(given),
        };
        Ok(Self { keys, succession })
    }

    /// Counts a signature and names it where it does not hold, or is by a key that was not given or not in force there: whoever writes to the store can put one there
    /// that holds for a key of their own.
    fn check(
        &self,
        place: String,
        key_id: KeyId,
        in_force: bool,
        report: &mut FsckReport,
        holds: impl FnOnce(&PublicKey) -> bool,
    ) {
        if self.keys.is_empty() {
            return;
        }
        if !in_force {
            return report.add(place, "is signed by a key that was not in force there");
        }
        match self.keys.iter().find(|key| key.key_id() == key_id) {
            None if self.succession.is_hidden(&key_id) => report.signatures_unchecked += 1,
            None => {
                report.signatures += 1;
                report.add(place, "is signed by a key that was not given");
            }
            Some(key) => {
                report.signatures += 1;
                if !holds(key) {
                    report.add(place, "the signature is not valid");
                }
            }
        }
    }

    /// A note names its key by four bytes only: the key in force is looked for among those that are known.
    fn check_note(&self, place: String, note: &SignedCheckpoint, report: &mut FsckReport) {
        if self.keys.is_empty() {
            return;
        }
        let holder = self.succession.holder(note.checkpoint().tree_size().saturating_sub(1));
        let may_sign = |key: &&PublicKey| holder.is_none_or(|it| it.key_id == key.key_id());
        let hidden = holder.is_some_and(|holder| self.succession.is_hidden(&holder.key_id));
        let mut signers = self.keys.iter().filter(may_sign).peekable();
        if signers.peek().is_none() && hidden {
            report.signatures_unchecked += 1;
            return;
        }
        report.signatures += 1;
        if !signers.any(|key| note.verify_log_signature(key).is_ok()) {
            report.add(place, "is not signed by a given key that was in force there");
        }
    }
}

fn place_of_checkpoint(stream: &StreamId, checkpoint: &StoredCheckpoint) -> String {
    format!("{stream}, checkpoint at {}", checkpoint.tree_size)
}

/// One pass over a stream, segment by segment.
struct Walk<'a> {
    store: &'a dyn Store,
    stream: &'a StreamId,
    signers: &'a Signers,
    report: &'a mut FsckReport,
    records: Vec<SegmentRecord>,
    /// The segment that the next envelope lies in, by index; how many of its envelopes were read.
    segment: usize,
    sequence: u64,
    position: u64,
    previous: Option<ChainHash>,
    last_recorded_at: i64,
    first_id: Option<EnvelopeId>,
    last_id: Option<EnvelopeId>,
    edge: LogEdge,
    full: Vec<Tile>,
    /// Checkpoints that the walk has not come to yet.
    checkpoints: VecDeque<StoredCheckpoint>,
}

impl<'a> Walk<'a> {
    fn new(
        store: &'a dyn Store,
        stream: &'a StreamId,
        signers: &'a Signers,
        checkpoints: VecDeque<StoredCheckpoint>,
        report: &'a mut FsckReport,
    ) -> Self {
        Self {
            store,
            stream,
            signers,
            report,
            records: Vec::new(),
            segment: 0,
            sequence: 0,
            position: 0,
            previous: None,
            last_recorded_at: 0,
            first_id: None,
            last_id: None,
            edge: LogEdge::default(),
            full: Vec::new(),
            checkpoints,
        }
    }

    fn place_of_segment(&self, segment_id: SegmentId) -> String {
        format!("{}, segment {segment_id}", self.stream)
    }

    /// Reads the segments and checks how each follows the one before.
    fn segments(&mut self, count: u64) -> Result<(), ReadError> {
        let read = self.store.segments(self.stream, 0..u64::MAX);
        self.records = self.report.add_corrupt(read)?.unwrap_or_default();
        if self.records.len() as u64 != count {
            let detail = format!("{count} segments are counted, {} are there", self.records.len());
            self.report.add(self.stream.to_string(), detail);
        }
        let (mut predecessor, mut promise) = (None, SigningPromise::None);
        for (index, record) in self.records.clone().iter().enumerate() {
            self.report.segments += 1;
            let genesis = &record.genesis;
            let place = self.place_of_segment(genesis.segment_id);
            if genesis.segment_index != index as u64 || genesis.stream != *self.stream {
                self.report.add(place.clone(), "is not the segment that belongs here");
            }
            if genesis.predecessor != predecessor {
                self.report.add(place.clone(), "its genesis does not name the segment before it");
            }
            if genesis.signing < promise {
                self.report.add(place.clone(), "promises less than the segment before it");
            }
            promise = promise.max(genesis.signing);
            if record.seal.is_none() && index + 1 < self.records.len() {
                self.report.add(place, "is open, and another follows it");
            }
            predecessor = record.seal.as_ref().map(|signed| Predecessor {
                segment_id: genesis.segment_id,
                chain_head: signed.seal.chain_head,
                seal_hash: signed.seal.hash(),
            });
        }
        Ok(())
    }

    /// Re-derives one envelope.
    fn envelope(&mut self, envelope: &SealedEnvelope) -> Result<(), ReadError> {
        self.report.envelopes += 1;
        self.report.payloads_erased += u64::from(envelope.payload.is_none());
        self.enter_segment(envelope)?;
        let place = format!("{}, position {}", self.stream, envelope.place.position);
        if envelope.place.position != self.position {
            self.report.add(place.clone(), format!("position {} is missing", self.position));
        }
        if envelope.place.sequence != self.sequence {
            self.report.add(place.clone(), format!("sequence {} is missing", self.sequence));
        }
        if envelope.place.recorded_at.nanoseconds() < self.last_recorded_at {
            self.report.add(place.clone(), "was recorded before the one before it");
        }
        let commitment = envelope.recomputed_commitment();
        if commitment.is_some_and(|computed| computed != envelope.payload_commitment) {
            self.report.add(place.clone(), "the payload does not match its commitment");
        }
        if envelope.recomputed_content_hash() != envelope.content_hash {
            self.report.add(place.clone(), "the content does not match its hash");
        }
        let at = envelope.place.position;
        let is_rotation = RotationKind::of_event(envelope.fields.event_type.as_str()).is_some();
        if is_rotation && !self.signers.succession.holds(at) {
            self.report.add(place.clone(), "is a key rotation that this recorder did not make");
        }
        self.check_link(envelope, &place);
        self.check_signature(envelope, place);
        self.advance(envelope)
    }

    fn check_link(&mut self, envelope: &SealedEnvelope, place: &str) {
        let Some(previous) = self.previous else { return };
        let at = &envelope.place;
        let computed =
            preimage::chain_hash(&previous, at.sequence, at.recorded_at, &envelope.content_hash);
        if computed != envelope.chain_hash {
            self.report.add(place, "the chain hash does not follow from the one before");
        }
    }

    fn check_signature(&mut self, envelope: &SealedEnvelope, place: String) {
        let promised = self.records.get(self.segment).map(|record| record.genesis.signing);
        match &envelope.signature {
            None if promised == Some(SigningPromise::Envelopes) => {
                self.report.add(place, "a signature is promised and missing");
            }
            Some(signature) => {
                let key_id = signature.key_id();
                let holder = self.signers.succession.holder(envelope.place.position);
                let in_force = holder.is_none_or(|holder| holder.key_id == key_id);
                self.signers.check(place, key_id, in_force, self.report, |key| {
                    let (content, chain) = (&envelope.content_hash, &envelope.chain_hash);
                    key.verify_envelope(content, chain, signature).is_ok()
                });
            }
            None => {}
        }
    }

    /// Ends the segment before and starts the chain of this one.
    fn enter_segment(&mut self, envelope: &SealedEnvelope) -> Result<(), ReadError> {
        let current = self.records.get(self.segment).map(|record| record.genesis.segment_id);
        if self.sequence > 0 && current != Some(envelope.place.segment_id) {
            self.leave_segment()?;
            self.segment += 1;
            self.sequence = 0;
        }
        if self.sequence == 0 {
            self.first_id = Some(envelope.fields.envelope_id);
            self.previous = None;
            match self.records.get(self.segment) {
                Some(record) if record.genesis.segment_id == envelope.place.segment_id => {
                    self.previous = Some(preimage::chain_start(&record.genesis.hash()));
                    if record.genesis.first_position != envelope.place.position {
                        let place = self.place_of_segment(envelope.place.segment_id);
                        self.report.add(place, "does not begin at its first position");
                    }
                }
                _ => {
                    let place = self.place_of_segment(envelope.place.segment_id);
                    self.report
                        .add(place, "holds envelopes but is not the segment that belongs here");
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self, envelope: &SealedEnvelope) -> Result<(), ReadError> {
        self.previous = Some(envelope.chain_hash);
        self.last_id = Some(envelope.fields.envelope_id);
        self.last_recorded_at = envelope.place.recorded_at.nanoseconds();
        self.position = envelope.place.position + 1;
        self.sequence = envelope.place.sequence + 1;
        self.edge.push(&envelope.chain_hash, &mut self.full);
        for tile in std::mem::take(&mut self.full) {
            let read = self.store.tile(self.stream, tile.coordinates);
            let stored = self.report.add_corrupt(read)?;
            if stored.is_some_and(|hashes| hashes != tile.hashes) {
                let place = format!("{}, tile {:?}", self.stream, tile.coordinates);
                self.report.add(place, "does not hold the hashes of the log");
            }
        }
        self.pass_checkpoint();
        Ok(())
    }

    /// Compares the checkpoint at the size that was just reached with the log.
    fn pass_checkpoint(&mut self) {
        let reached = |next: &mut StoredCheckpoint| next.tree_size <= self.edge.size();
        let Some(checkpoint) = self.checkpoints.pop_front_if(reached) else { return };
        if checkpoint.tree_size != self.edge.size() || checkpoint.root_hash != self.edge.root() {
            let place = place_of_checkpoint(self.stream, &checkpoint);
            self.report.add(place, "has another root than the log");
        }
    }

    /// Compares the seal of the segment that was just read with what was read.
    fn leave_segment(&mut self) -> Result<(), ReadError> {
        let Some(record) = self.records.get(self.segment).cloned() else { return Ok(()) };
        let place = self.place_of_segment(record.genesis.segment_id);
        if record.envelope_count != self.sequence {
            let detail = format!(
                "{} envelopes are counted, {} are there",
                record.envelope_count, self.sequence
            );
            self.report.add(place.clone(), detail);
        }
        let Some(signed) = &record.seal else { return Ok(()) };
        let seal = &signed.seal;
        let holds = seal.segment_id == record.genesis.segment_id
            && seal.genesis_hash == record.genesis.hash()
            && seal.envelope_count == self.sequence
            && Some(seal.chain_head) == self.previous
            && Some(seal.first_envelope_id) == self.first_id
            && Some(seal.last_envelope_id) == self.last_id
            && seal.tree_size == self.edge.size()
            && seal.root_hash == self.edge.root();
        if !holds {
            self.report.add(place.clone(), "its seal does not describe what it holds");
        }
        match &signed.signature {
            None if record.genesis.signing > SigningPromise::None => {
                self.report.add(place, "a signed seal is promised and the signature is missing");
            }
            Some(signature) => {
                let place = format!("{place}, its seal");
                let key_id = signature.key_id();
                let in_force = self.signers.succession.may_seal(&key_id, seal.tree_size);
                self.signers.check(place, key_id, in_force, self.report, |key| {
                    key.verify_seal(&seal.hash(), signature).is_ok()
                });
            }
            None => {}
        }
        Ok(())
    }

    /// Ends the last segment and compares the head with what was read.
    fn finish(mut self, head: &StreamHead) -> Result<(), ReadError> {
        self.leave_segment()?;
        let read_count = if self.sequence == 0 { 0 } else { self.segment + 1 };
        for record in self.records.iter().skip(read_count) {
            if record.envelope_count > 0 || record.seal.is_some() {
                let place = format!("{}, segment {}", self.stream, record.genesis.segment_id);
                self.report.add(place, "holds no envelope, though it counts some or is sealed");
            }
        }
        for checkpoint in &self.checkpoints {
            let place = place_of_checkpoint(self.stream, checkpoint);
            let detail =
                format!("covers more than the {} envelopes that are stored", self.position);
            self.report.add(place, detail);
        }
        if self.position != head.next_position {
            let detail = format!(
                "{} envelopes are counted, {} are there",
                head.next_position, self.position
            );
            self.report.add(self.stream.to_string(), detail);
        } else if self.previous != head.chain_head {
            self.report.add(self.stream.to_string(), "the last envelope is not the chain's head");
        }
        Ok(())
    }
}
