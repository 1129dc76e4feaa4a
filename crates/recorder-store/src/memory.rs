//! The model: a store that is correct because there is nothing in it to get wrong.
//!
//! It keeps everything in sorted maps behind one lock and survives nothing but a change of threads. There is no
//! index, no cache and no file.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{AttachmentHash, ChainHash, TreeHash};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::TileCoordinates;

use crate::continuity::advance;
use crate::error::{CommitError, Corruption, ReadError};
use crate::fault::{Fault, Injected};
use crate::matching::matches;
use crate::record::{
    ClaimRecord, Claims, Commit, SegmentRecord, Step, StoredCheckpoint, StreamHead,
};
use crate::store::Store;

/// A store in memory. `reopen` stands for closing and opening it again.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    streams: BTreeMap<StreamId, Stream>,
    attachments: BTreeMap<AttachmentHash, Vec<u8>>,
    latched: bool,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Stream {
    head: StreamHead,
    segments: Vec<SegmentRecord>,
    envelopes: Vec<SealedEnvelope>,
    positions: BTreeMap<EnvelopeId, usize>,
    tiles: BTreeMap<TileCoordinates, Vec<TreeHash>>,
    checkpoints: Vec<StoredCheckpoint>,
    /// In the order in which they came.
    claims: Vec<ClaimRecord>,
}

impl Stream {
    const EMPTY: Self = Self {
        head: StreamHead::EMPTY,
        segments: Vec::new(),
        envelopes: Vec::new(),
        positions: BTreeMap::new(),
        tiles: BTreeMap::new(),
        checkpoints: Vec::new(),
        claims: Vec::new(),
    };

    /// Refuses what is stored already, by the first step that would store it again.
    fn check_new(&self, commit: &Commit) -> Result<(), CommitError> {
        for step in &commit.steps {
            match step {
                Step::Open(genesis) => {
                    let segment_id = genesis.segment_id;
                    if self.segments.iter().any(|known| known.genesis.segment_id == segment_id) {
                        return Err(CommitError::SegmentExists { segment_id });
                    }
                }
                Step::Append(envelopes) => {
                    if envelopes.iter().any(|new| self.holds(new)) {
                        return Err(CommitError::EnvelopesExist { ids: self.known(commit) });
                    }
                }
                Step::Seal(_) | Step::Checkpoint(_) => {}
            }
        }
        Ok(())
    }

    /// Refuses keys that are remembered and not yet to be forgotten.
    fn check_keys(&self, commit: &Commit) -> Result<(), CommitError> {
        let Some(claims) = &commit.claims else { return Ok(()) };
        let is_taken = |key: &IdempotencyKey| {
            self.claims
                .iter()
                .any(|kept| kept.key == *key && kept.recorded_at >= claims.forget_before)
        };
        let mut keys: Vec<_> = claims.records.iter().map(|record| record.key.clone()).collect();
        keys.retain(is_taken);
        keys.sort_unstable();
        if keys.is_empty() { Ok(()) } else { Err(CommitError::KeysTaken { keys }) }
    }

    fn remember(&mut self, claims: Claims) {
        let is_replaced = |kept: &ClaimRecord| claims.records.iter().any(|new| new.key == kept.key);
        self.claims.retain(|kept| !is_replaced(kept));
        self.claims.extend(claims.records);
        let excess = self.claims.len().saturating_sub(claims.count_max as usize);
        self.claims.drain(..excess);
        self.claims.retain(|kept| kept.recorded_at >= claims.forget_before);
    }

    fn holds(&self, envelope: &SealedEnvelope) -> bool {
        self.positions.contains_key(&envelope.fields.envelope_id)
    }

    fn known(&self, commit: &Commit) -> Vec<EnvelopeId> {
        let known = commit.envelopes().filter(|envelope| self.holds(envelope));
        let mut ids: Vec<_> = known.map(|envelope| envelope.fields.envelope_id).collect();
        ids.sort_unstable();
        ids
    }

    fn apply(&mut self, commit: Commit, head: StreamHead) {
        for step in commit.steps {
            match step {
                Step::Open(genesis) => self.segments.push(SegmentRecord {
                    genesis,
                    envelope_count: 0,
                    chain_head: None,
                    seal: None,
                }),
                Step::Append(envelopes) => self.append(envelopes),
                Step::Seal(seal) => {
                    if let Some(segment) = self.segments.last_mut() {
                        segment.seal = Some(seal);
                    }
                }
                Step::Checkpoint(checkpoint) => self.checkpoints.push(checkpoint),
            }
        }
        if let Some(claims) = commit.claims {
            self.remember(claims);
        }
        self.tiles.extend(commit.tiles.into_iter().map(|tile| (tile.coordinates, tile.hashes)));
        self.head = head;
    }

    fn append(&mut self, envelopes: Arc<Vec<SealedEnvelope>>) {
        for envelope in Arc::unwrap_or_clone(envelopes) {
            if let Some(segment) = self.segments.last_mut() {
                segment.envelope_count += 1;
                segment.chain_head = Some(envelope.chain_hash);
            }
            self.positions.insert(envelope.fields.envelope_id, self.envelopes.len());
            self.envelopes.push(envelope);
        }
    }
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the store again, as a new process would.
    #[must_use]
    pub fn reopen(self) -> Self {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.latched = false;
        state.fault = None;
        Self { state: Mutex::new(state) }
    }

    /// Makes the next commit fail as `fault` says.
    #[doc(hidden)]
    pub fn testing_only_fail_next_commit(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    // A panic while the lock was held cannot have left half a commit: applying one cannot fail.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers from `stream`, or with `absent` where it has never been written.
    fn read<T>(&self, stream: &StreamId, absent: T, answer: impl FnOnce(&Stream) -> T) -> T {
        self.lock().streams.get(stream).map_or(absent, answer)
    }
}

fn missing(stream: &StreamId, what: String) -> ReadError {
    ReadError::Corrupt(Corruption { place: format!("{stream} {what}"), detail: "missing".into() })
}

impl State {
    fn check(&self, commit: &Commit) -> Result<StreamHead, CommitError> {
        let empty = Stream::EMPTY;
        let stream = self.streams.get(&commit.stream).unwrap_or(&empty);
        let head = advance(stream.head.clone(), commit)?;
        // A key that is taken says more than an envelope that is there: it is looked at first.
        stream.check_keys(commit)?;
        for envelope in commit.envelopes() {
            for reference in envelope.fields.attachment_refs.as_slice() {
                let content_hash = reference.content_hash;
                let comes_along =
                    commit.attachments.iter().any(|a| a.reference().content_hash == content_hash);
                if !comes_along && !self.attachments.contains_key(&content_hash) {
                    let envelope_id = envelope.fields.envelope_id;
                    return Err(CommitError::AttachmentMissing { envelope_id, content_hash });
                }
            }
        }
        stream.check_new(commit)?;
        Ok(head)
    }

    fn apply(&mut self, commit: Commit, head: StreamHead) {
        for attachment in &commit.attachments {
            let content_hash = attachment.reference().content_hash;
            self.attachments.entry(content_hash).or_insert_with(|| attachment.bytes().to_vec());
        }
        self.streams.entry(commit.stream.clone()).or_insert(Stream::EMPTY).apply(commit, head);
    }
}

impl Store for MemoryStore {
    fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let mut state = self.lock();
        if state.latched {
            return Err(CommitError::Latched);
        }
        let head = state.check(&commit)?;
        let fault = state.fault.take();
        if fault != Some(Fault::Lost) {
            state.apply(commit, head);
        }
        if fault.is_some() {
            state.latched = true;
            return Err(CommitError::OutcomeUnknown(Arc::new(Injected)));
        }
        Ok(())
    }

    fn durability(&self) -> &'static str {
        "process"
    }

    fn streams(&self) -> Result<Vec<StreamId>, ReadError> {
        Ok(self.lock().streams.keys().cloned().collect())
    }

    fn head(&self, stream: &StreamId) -> Result<Option<StreamHead>, ReadError> {
        Ok(self.read(stream, None, |stream| Some(stream.head.clone())))
    }

    fn segments(
        &self,
        stream: &StreamId,
        indexes: Range<u64>,
    ) -> Result<Vec<SegmentRecord>, ReadError> {
        Ok(self.read(stream, Vec::new(), |stream| {
            let segments = stream.segments.iter();
            segments.filter(|s| indexes.contains(&s.genesis.segment_index)).cloned().collect()
        }))
    }

    fn segment(
        &self,
        stream: &StreamId,
        segment_id: SegmentId,
    ) -> Result<Option<SegmentRecord>, ReadError> {
        Ok(self.read(stream, None, |stream| {
            stream.segments.iter().find(|s| s.genesis.segment_id == segment_id).cloned()
        }))
    }

    fn envelope(
        &self,
        stream: &StreamId,
        envelope_id: EnvelopeId,
    ) -> Result<Option<SealedEnvelope>, ReadError> {
        Ok(self.read(stream, None, |stream| {
            stream.positions.get(&envelope_id).map(|index| stream.envelopes[*index].clone())
        }))
    }

    fn scan(
        &self,
        stream: &StreamId,
        filter: &EnvelopeFilter,
        positions: Range<u64>,
        visit: &mut dyn FnMut(SealedEnvelope) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let found: Vec<SealedEnvelope> = self.read(stream, Vec::new(), |stream| {
            let inside = stream.envelopes.iter().filter(|e| positions.contains(&e.place.position));
            inside.filter(|envelope| matches(filter, envelope)).cloned().collect()
        });
        // The lock is free again: `visit` may use the store.
        let _ = found.into_iter().try_for_each(visit);
        Ok(())
    }

    fn chain_hashes(
        &self,
        stream: &StreamId,
        positions: Range<u64>,
    ) -> Result<Vec<ChainHash>, ReadError> {
        let held: Vec<ChainHash> = self.read(stream, Vec::new(), |stream| {
            let inside = stream.envelopes.iter().filter(|e| positions.contains(&e.place.position));
            inside.map(|envelope| envelope.chain_hash).collect()
        });
        if held.len() as u64 == positions.end.saturating_sub(positions.start) {
            Ok(held)
        } else {
            let absent = positions.start + held.len() as u64;
            Err(missing(stream, format!("position {absent}")))
        }
    }

    fn tile(&self, stream: &StreamId, tile: TileCoordinates) -> Result<Vec<TreeHash>, ReadError> {
        self.read(stream, None, |stream| stream.tiles.get(&tile).cloned())
            .ok_or_else(|| missing(stream, format!("tile {}/{}", tile.level, tile.index)))
    }

    fn attachment(&self, content_hash: &AttachmentHash) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.lock().attachments.get(content_hash).cloned())
    }

    fn checkpoint(
        &self,
        stream: &StreamId,
        tree_size_min: u64,
    ) -> Result<Option<StoredCheckpoint>, ReadError> {
        Ok(self.read(stream, None, |stream| {
            let kept = &stream.checkpoints;
            let size =
                kept.iter().map(|kept| kept.tree_size).find(|size| *size >= tree_size_min)?;
            kept.iter().rfind(|kept| kept.tree_size == size).cloned()
        }))
    }

    fn claim(
        &self,
        stream: &StreamId,
        key: &IdempotencyKey,
    ) -> Result<Option<ClaimRecord>, ReadError> {
        Ok(self.read(stream, None, |stream| {
            stream.claims.iter().find(|kept| kept.key == *key).cloned()
        }))
    }

    fn check_medium(&self) -> Result<Vec<Corruption>, ReadError> {
        Ok(Vec::new())
    }
}
