//! The end of one stream as the writer knows it: pure state that plans commits and never touches a store.
//!
//! A plan is made on a copy. The copy replaces the state only after the commit returned, so a failed commit
//! leaves no trace here.

use std::sync::Arc;

use recorder_core::hash::ChainHash;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::time::RecordedAt;
use recorder_envelope::checkpoint::{self, Checkpoint, CheckpointError, SignedCheckpoint};
use recorder_envelope::envelope::{POSITION_MAX, Place, PreparedEnvelope, SealedEnvelope};
use recorder_envelope::preimage;
use recorder_envelope::segment::{
    Predecessor, SealReason, SegmentGenesis, SegmentSeal, SignedSeal, SigningPromise,
};
use recorder_envelope::signing::SecretKey;
use recorder_store::{ExpectedHead, Step, StoredCheckpoint, Tile};

use crate::config::RecorderConfig;
use crate::error::AppendError;
use crate::log::LogEdge;

pub(crate) mod rotation;

/// What planning needs besides the state.
pub(crate) struct Planner<'a> {
    pub(crate) config: &'a RecorderConfig,
    pub(crate) signer: Option<&'a SecretKey>,
    pub(crate) now: RecordedAt,
    /// Whether each commit ends in a checkpoint.
    pub(crate) covers_every_commit: bool,
    /// A fresh id for each segment that the plan may open.
    pub(crate) segment_id: &'a mut dyn FnMut() -> Result<SegmentId, crate::ids::NoRandomness>,
}

impl Planner<'_> {
    /// What a segment that is opened now promises.
    pub(crate) fn promise(&self) -> SigningPromise {
        match self.signer {
            None => SigningPromise::None,
            Some(_) if self.config.sign_envelopes => SigningPromise::Envelopes,
            Some(_) => SigningPromise::Checkpoints,
        }
    }
}

/// The open segment.
#[derive(Clone, Debug)]
pub(crate) struct OpenState {
    pub(crate) genesis: SegmentGenesis,
    pub(crate) envelope_count: u64,
    pub(crate) first_envelope_id: Option<EnvelopeId>,
    pub(crate) last_envelope_id: Option<EnvelopeId>,
}

/// Steps and tiles of one commit.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) tiles: Vec<Tile>,
    /// Whether the head guard is to follow before anybody hears of the commit.
    pub(crate) advances_guard: bool,
}

impl Plan {
    /// The envelopes that it appends, shared.
    pub(crate) fn appended(&self) -> Vec<Arc<Vec<SealedEnvelope>>> {
        let appended = self.steps.iter().filter_map(|step| match step {
            Step::Append(envelopes) => Some(Arc::clone(envelopes)),
            Step::Open(_) | Step::Seal(_) | Step::Checkpoint(_) => None,
        });
        appended.collect()
    }
}

/// Where the stream stands, in memory.
#[derive(Clone, Debug)]
pub(crate) struct StreamState {
    pub(crate) stream: StreamId,
    pub(crate) next_position: u64,
    /// What the next link follows within the open segment, or the head of the last sealed one.
    pub(crate) chain_head: Option<ChainHash>,
    /// The latest time that an envelope, a genesis or a seal of the stream holds.
    pub(crate) last_moment: Option<RecordedAt>,
    pub(crate) segment_count: u64,
    pub(crate) open: Option<OpenState>,
    pub(crate) predecessor: Option<Predecessor>,
    /// The strongest promise so far.
    pub(crate) promise: SigningPromise,
    /// Shared with those who read the log; copied when a plan appends.
    pub(crate) edge: Arc<LogEdge>,
    pub(crate) checkpoint: Option<StoredCheckpoint>,
    /// When the first envelope was recorded that no checkpoint covers.
    pub(crate) uncovered_since: Option<RecordedAt>,
}

impl StreamState {
    /// A stream that was never written.
    pub(crate) fn new(stream: StreamId) -> Self {
        Self {
            stream,
            next_position: 0,
            chain_head: None,
            last_moment: None,
            segment_count: 0,
            open: None,
            predecessor: None,
            promise: SigningPromise::None,
            edge: Arc::default(),
            checkpoint: None,
            uncovered_since: None,
        }
    }

    /// What a commit must find in the store.
    pub(crate) fn expected(&self) -> ExpectedHead {
        ExpectedHead {
            next_position: self.next_position,
            chain_head: self.chain_head,
            open_segment: self.open.as_ref().map(|open| open.genesis.segment_id),
        }
    }

    /// Now, but never earlier than what the stream holds already.
    fn moment(&mut self, now: RecordedAt) -> RecordedAt {
        let moment = self.last_moment.map_or(now, |last| last.max(now));
        self.last_moment = Some(moment);
        moment
    }

    /// Opens a segment.
    pub(crate) fn plan_open(
        &mut self,
        planner: &mut Planner<'_>,
        plan: &mut Plan,
    ) -> Result<(), AppendError> {
        let promise = planner.promise();
        let genesis = SegmentGenesis {
            segment_id: (planner.segment_id)()?,
            stream: self.stream.clone(),
            segment_index: self.segment_count,
            first_position: self.next_position,
            opened_at: self.moment(planner.now),
            signing: promise,
            heartbeat_seconds: 0,
            predecessor: self.predecessor.clone(),
        };
        plan.steps.push(Step::Open(genesis.clone()));
        self.promise = promise;
        self.segment_count += 1;
        self.open = Some(OpenState {
            genesis,
            envelope_count: 0,
            first_envelope_id: None,
            last_envelope_id: None,
        });
        Ok(())
    }

    /// Appends `envelopes`, opening and sealing segments as the policy says.
    pub(crate) fn plan_append(
        &mut self,
        envelopes: Vec<PreparedEnvelope>,
        planner: &mut Planner<'_>,
        plan: &mut Plan,
    ) -> Result<(), AppendError> {
        if self.next_position + envelopes.len() as u64 > POSITION_MAX {
            return Err(AppendError::StreamFull);
        }
        let count_max = planner.config.auto_seal.count_max();
        let mut waiting = envelopes.into_iter();
        while waiting.len() > 0 {
            if let Some(reason) = self.due_seal(planner) {
                self.plan_seal(reason, planner, plan)?;
            }
            if self.open.is_none() {
                self.plan_open(planner, plan)?;
            }
            let held = self.open.as_ref().map_or(0, |open| open.envelope_count);
            let room = usize::try_from(count_max.saturating_sub(held)).unwrap_or(usize::MAX);
            let sealed = self.seal_envelopes(waiting.by_ref().take(room), planner, plan);
            plan.steps.push(Step::Append(Arc::new(sealed)));
        }
        // A segment that is full is sealed with its last envelope, not with the next.
        match &self.open {
            Some(open) if open.envelope_count >= count_max => {
                self.plan_seal(SealReason::Count, planner, plan)
            }
            _ if planner.covers_every_commit || self.is_checkpoint_due(planner) => {
                self.plan_checkpoint(planner, plan)
            }
            _ => Ok(()),
        }
    }

    /// Gives each envelope its place, its link and, where promised, its signature.
    fn seal_envelopes(
        &mut self,
        envelopes: impl Iterator<Item = PreparedEnvelope>,
        planner: &Planner<'_>,
        plan: &mut Plan,
    ) -> Vec<SealedEnvelope> {
        let recorded_at = self.moment(planner.now);
        let signer = planner.signer.filter(|_| planner.config.sign_envelopes);
        let mut sealed = Vec::with_capacity(envelopes.size_hint().0);
        let Some(open) = &mut self.open else { return sealed };
        let mut previous = match self.chain_head {
            Some(head) if open.envelope_count > 0 => head,
            _ => preimage::chain_start(&open.genesis.hash()),
        };
        let edge = Arc::make_mut(&mut self.edge);
        for envelope in envelopes {
            let place = Place {
                segment_id: open.genesis.segment_id,
                sequence: open.envelope_count,
                position: self.next_position,
                recorded_at,
            };
            let mut envelope = envelope.seal(place, &previous);
            envelope.signature =
                signer.map(|key| key.sign_envelope(&envelope.content_hash, &envelope.chain_hash));
            previous = envelope.chain_hash;
            let id = envelope.fields.envelope_id;
            open.first_envelope_id.get_or_insert(id);
            open.last_envelope_id = Some(id);
            open.envelope_count += 1;
            self.next_position += 1;
            edge.push(&previous, &mut plan.tiles);
            sealed.push(envelope);
        }
        if !sealed.is_empty() {
            self.chain_head = Some(previous);
            self.uncovered_since.get_or_insert(recorded_at);
        }
        sealed
    }

    /// Why the open segment takes no more: it is full, was open too long, or promises less than is now possible.
    fn due_seal(&self, planner: &Planner<'_>) -> Option<SealReason> {
        let open = self.open.as_ref().filter(|open| open.envelope_count > 0)?;
        if open.envelope_count >= planner.config.auto_seal.count_max() {
            Some(SealReason::Count)
        } else if self.is_open_too_long(planner.config, planner.now) {
            Some(SealReason::Duration)
        } else if open.genesis.signing < planner.promise() {
            Some(SealReason::Manual)
        } else {
            None
        }
    }

    /// Whether a segment that holds something has been open for as long as the policy allows.
    pub(crate) fn is_open_too_long(&self, config: &RecorderConfig, now: RecordedAt) -> bool {
        let Some(open) = self.open.as_ref().filter(|open| open.envelope_count > 0) else {
            return false;
        };
        let age = now.nanoseconds().saturating_sub(open.genesis.opened_at.nanoseconds());
        config.auto_seal.open_nanoseconds_max().is_some_and(|most| age >= most)
    }

    /// Whether an envelope has stood outside every checkpoint for as long as it may.
    fn is_checkpoint_due(&self, planner: &Planner<'_>) -> bool {
        let interval = planner.config.checkpoint_interval_nanoseconds();
        let due = |(since, interval): (RecordedAt, i64)| {
            planner.now.nanoseconds().saturating_sub(since.nanoseconds()) >= interval
        };
        self.uncovered_since.zip(interval).is_some_and(due)
    }

    /// Seals the open segment, which must hold something, and signs a checkpoint over it.
    pub(crate) fn plan_seal(
        &mut self,
        reason: SealReason,
        planner: &mut Planner<'_>,
        plan: &mut Plan,
    ) -> Result<(), AppendError> {
        match self.plan_close(reason, planner, plan) {
            true => self.plan_checkpoint(planner, plan),
            false => Ok(()),
        }
    }

    /// Seals the open segment without a checkpoint; says whether there was anything to seal.
    fn plan_close(&mut self, reason: SealReason, planner: &Planner<'_>, plan: &mut Plan) -> bool {
        let Some(open) = self.open.take() else { return false };
        let (Some(chain_head), Some(first_envelope_id), Some(last_envelope_id)) =
            (self.chain_head, open.first_envelope_id, open.last_envelope_id)
        else {
            self.open = Some(open);
            return false;
        };
        let seal = SegmentSeal {
            segment_id: open.genesis.segment_id,
            genesis_hash: open.genesis.hash(),
            envelope_count: open.envelope_count,
            chain_head,
            first_envelope_id,
            last_envelope_id,
            reason,
            sealed_at: self.moment(planner.now),
            tree_size: self.edge.size(),
            root_hash: self.edge.root(),
        };
        let seal_hash = seal.hash();
        self.predecessor = Some(Predecessor { segment_id: seal.segment_id, chain_head, seal_hash });
        let signature = planner.signer.map(|key| key.sign_seal(&seal_hash));
        plan.steps.push(Step::Seal(SignedSeal { seal, signature }));
        true
    }

    /// Has the head guarded, and signs a checkpoint over the whole log, unless the newest covers it already.
    pub(crate) fn plan_checkpoint(
        &mut self,
        planner: &Planner<'_>,
        plan: &mut Plan,
    ) -> Result<(), AppendError> {
        plan.advances_guard = true;
        self.uncovered_since = None;
        let Some(key) = planner.signer else { return Ok(()) };
        // Never two notes over one size, and none over an empty log.
        let newest = self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.tree_size);
        if self.edge.size() <= newest {
            return Ok(());
        }
        let signed = self.sign_checkpoint(planner.config, key)?;
        let stored = StoredCheckpoint {
            tree_size: signed.checkpoint().tree_size(),
            root_hash: signed.checkpoint().root(),
            note: signed.render(),
        };
        plan.steps.push(Step::Checkpoint(stored.clone()));
        self.checkpoint = Some(stored);
        Ok(())
    }

    fn sign_checkpoint(
        &self,
        config: &RecorderConfig,
        key: &SecretKey,
    ) -> Result<SignedCheckpoint, CheckpointError> {
        let origin = checkpoint::origin(config.log_name.as_str(), &self.stream);
        Checkpoint::new(origin, self.edge.size(), self.edge.root())?.sign(key)
    }
}
