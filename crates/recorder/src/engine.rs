//! The recorder: one write path, one writer.
//!
//! Callers prepare envelopes on their own threads. Whoever gets the writer commits everything that waits, so that
//! while one commit waits for the disk the next batch collects; no timer decides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use recorder_core::hash::AttachmentHash;
use recorder_core::identity::{EnvelopeId, StreamId, TenantId};
use recorder_core::limits::{BATCH_ENVELOPES_MAX, STORE_QUEUE_MAX};
use recorder_envelope::attachment::Attachment;
use recorder_envelope::envelope::{PreparedEnvelope, SealedEnvelope};
use recorder_envelope::segment::SealReason;
use recorder_envelope::signing::SecretKey;
use recorder_store::{Commit, CommitError, Step, Store, StoredCheckpoint};

use crate::clock::Clock;
use crate::config::RecorderConfig;
use crate::error::{AppendError, OpenError, SealError};
use crate::ids::IdSource;
use crate::receipt::{Receipt, SealReceipt};
use crate::startup;
use crate::stream::{Plan, PlanError, Planner, StreamState};

/// A prepared envelope and the attachments that come with it.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The envelope.
    pub prepared: PreparedEnvelope,
    /// Bytes of attachments that it refers to and that the store may not hold yet.
    pub attachments: Vec<Attachment>,
}

impl From<PreparedEnvelope> for Submission {
    fn from(prepared: PreparedEnvelope) -> Self {
        Self { prepared, attachments: Vec::new() }
    }
}

/// The engine over one store.
pub struct Recorder {
    store: Arc<dyn Store>,
    config: RecorderConfig,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    signer: Option<SecretKey>,
    queue: Mutex<Vec<Arc<Waiting>>>,
    writer: Mutex<Writer>,
}

/// One call of `append_batch` that waits for the writer.
struct Waiting {
    stream: StreamId,
    submissions: Mutex<Vec<Submission>>,
    answer: Mutex<Option<Result<Vec<Receipt>, AppendError>>>,
}

/// What only the writer holds.
#[derive(Default)]
struct Writer {
    streams: BTreeMap<TenantId, StreamState>,
    latched: bool,
}

/// A poisoned lock means that a thread panicked while it held it. The writer then latches; see `lock_writer`.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Opens the recorder over `store` and checks the end of each of its streams.
    ///
    /// # Errors
    ///
    /// `OpenError` when a stream does not follow from its own hashes, or the signer is another one than before.
    pub fn open(
        store: Arc<dyn Store>,
        config: RecorderConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        signer: Option<SecretKey>,
    ) -> Result<Self, OpenError> {
        let mut streams = BTreeMap::new();
        for stream in store.streams()? {
            if stream.recorder_id != config.recorder_id {
                continue;
            }
            let depth = config.startup_verification_depth;
            let state = startup::load(&*store, &stream, depth, signer.as_ref())?;
            streams.insert(stream.tenant_id, state);
        }
        let writer = Mutex::new(Writer { streams, latched: false });
        Ok(Self { store, config, clock, ids, signer, queue: Mutex::default(), writer })
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The settings.
    pub fn config(&self) -> &RecorderConfig {
        &self.config
    }

    /// The signer's secret key, if one is configured.
    pub fn signer(&self) -> Option<&SecretKey> {
        self.signer.as_ref()
    }

    /// The clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The source of ids.
    pub fn ids(&self) -> &dyn IdSource {
        &*self.ids
    }

    /// The stream of `tenant_id` at this recorder.
    pub fn stream_of(&self, tenant_id: &TenantId) -> StreamId {
        StreamId { tenant_id: tenant_id.clone(), recorder_id: self.config.recorder_id.clone() }
    }

    /// Records `submissions` in order, all or none: the only way in.
    ///
    /// An envelope whose id is in the stream with equal content is answered with its first receipt. Receipts are
    /// given only after the commit returned.
    ///
    /// # Errors
    ///
    /// `AppendError`; only `OutcomeUnknown` may have written something.
    pub fn append_batch(
        &self,
        tenant_id: &TenantId,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Receipt>, AppendError> {
        if submissions.is_empty() {
            return Ok(Vec::new());
        }
        check_batch(&submissions)?;
        let waiting = Arc::new(Waiting {
            stream: self.stream_of(tenant_id),
            submissions: Mutex::new(submissions),
            answer: Mutex::new(None),
        });
        self.enqueue(&waiting)?;
        let mut writer = self.lock_writer();
        // Whoever held the writer before may have committed this batch along with its own.
        if lock(&waiting.answer).is_none() {
            let round = std::mem::take(&mut *lock(&self.queue));
            self.commit_round(&mut writer, &round);
        }
        drop(writer);
        lock(&waiting.answer).take().unwrap_or(Err(AppendError::Latched))
    }

    fn enqueue(&self, waiting: &Arc<Waiting>) -> Result<(), AppendError> {
        let mut queue = lock(&self.queue);
        if queue.len() >= STORE_QUEUE_MAX {
            return Err(AppendError::QueueFull { capacity: STORE_QUEUE_MAX });
        }
        queue.push(Arc::clone(waiting));
        Ok(())
    }

    /// Takes the writer. If a thread panicked while it held it, nothing is written any more.
    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            let mut writer = poisoned.into_inner();
            writer.latched = true;
            writer
        })
    }

    /// Commits everything that waits: neighbours of one stream in one transaction.
    fn commit_round(&self, writer: &mut Writer, round: &[Arc<Waiting>]) {
        let mut rest = round;
        while let Some(first) = rest.first() {
            let mut count = 0;
            let mut envelopes = 0;
            for waiting in rest.iter().take_while(|waiting| waiting.stream == first.stream) {
                envelopes += lock(&waiting.submissions).len();
                if count > 0 && envelopes > BATCH_ENVELOPES_MAX {
                    break;
                }
                count += 1;
            }
            let (group, later) = rest.split_at(count);
            self.commit_group(writer, group);
            rest = later;
        }
    }

    /// Commits a group as one; where that is refused, each alone, so that one caller's fault is not another's.
    fn commit_group(&self, writer: &mut Writer, group: &[Arc<Waiting>]) {
        if let [_, _, ..] = group {
            let together =
                group.iter().flat_map(|waiting| lock(&waiting.submissions).clone()).collect();
            match self.commit_batch(writer, &group[0].stream, together) {
                Ok(receipts) => {
                    let mut receipts = receipts.into_iter();
                    for waiting in group {
                        let count = lock(&waiting.submissions).len();
                        *lock(&waiting.answer) = Some(Ok(receipts.by_ref().take(count).collect()));
                    }
                    return;
                }
                Err(error @ (AppendError::OutcomeUnknown(_) | AppendError::Latched)) => {
                    for waiting in group {
                        *lock(&waiting.answer) = Some(Err(error.clone()));
                    }
                    return;
                }
                Err(_) => {}
            }
        }
        for waiting in group {
            let submissions = std::mem::take(&mut *lock(&waiting.submissions));
            let answer = self.commit_batch(writer, &waiting.stream, submissions);
            *lock(&waiting.answer) = Some(answer);
        }
    }

    /// Commits one batch; ids that are in the stream already become replays.
    fn commit_batch(
        &self,
        writer: &mut Writer,
        stream: &StreamId,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Receipt>, AppendError> {
        let state = self.state(writer, stream);
        // The happy path keeps no copy: ids are looked up only after the store refused them.
        let known = match self.try_commit(writer, state, &submissions, &BTreeMap::new()) {
            Err(AppendFault::Known(ids)) => self.known_envelopes(stream, &submissions, &ids)?,
            Err(AppendFault::Error(error)) => return Err(error),
            Ok(receipts) => return Ok(receipts),
        };
        let state = self.state(writer, stream);
        match self.try_commit(writer, state, &submissions, &known) {
            Ok(receipts) => Ok(receipts),
            Err(AppendFault::Error(error)) => Err(error),
            // The ids were looked up under the writer's lock, so nobody else can have added one since.
            Err(AppendFault::Known(_)) => Err(latch(writer, AppendError::HeadMoved)),
        }
    }

    fn state(&self, writer: &Writer, stream: &StreamId) -> StreamState {
        let known = writer.streams.get(&stream.tenant_id);
        known.cloned().unwrap_or_else(|| StreamState::new(stream.clone()))
    }

    /// Plans and commits what `known` does not hold yet, and joins the receipts in order.
    fn try_commit(
        &self,
        writer: &mut Writer,
        mut state: StreamState,
        submissions: &[Submission],
        known: &BTreeMap<EnvelopeId, SealedEnvelope>,
    ) -> Result<Vec<Receipt>, AppendFault> {
        let is_new = |submission: &&Submission| {
            !known.contains_key(&submission.prepared.fields().envelope_id)
        };
        let fresh = submissions.iter().filter(is_new).map(|submission| submission.prepared.clone());
        let attachments = distinct_attachments(submissions.iter().filter(is_new));
        let expected = state.expected();
        let mut plan = Plan::default();
        let fresh = fresh.collect::<Vec<_>>();
        if !fresh.is_empty() {
            self.plan(|planner| state.plan_append(fresh, planner, &mut plan))?;
        }
        let durability = self.store.durability();
        let sealed = plan.steps.iter().filter_map(|step| match step {
            Step::Append(envelopes) => Some(envelopes),
            Step::Open(_) | Step::Seal(_) | Step::Checkpoint(_) => None,
        });
        let mut receipts = sealed
            .flatten()
            .map(|envelope| Receipt::new(envelope, durability, false))
            .collect::<Vec<_>>()
            .into_iter();
        self.commit_plan(writer, state, expected, plan, attachments)?;
        Ok(submissions
            .iter()
            .filter_map(|submission| match known.get(&submission.prepared.fields().envelope_id) {
                Some(stored) => Some(Receipt::new(stored, durability, true)),
                None => receipts.next(),
            })
            .collect())
    }

    fn plan(
        &self,
        make: impl FnOnce(&mut Planner<'_>) -> Result<(), PlanError>,
    ) -> Result<(), AppendError> {
        let now = self.clock.now();
        let mut segment_id = || self.ids.segment_id(now);
        let mut planner = Planner {
            config: &self.config,
            signer: self.signer.as_ref(),
            now,
            segment_id: &mut segment_id,
        };
        make(&mut planner).map_err(|error| match error {
            PlanError::StreamFull => AppendError::StreamFull,
            PlanError::SignerRequired => AppendError::SignerRequired,
            PlanError::NoRandomness(error) => AppendError::NoRandomness(error),
            PlanError::Checkpoint(error) => AppendError::Corrupt(recorder_store::Corruption {
                place: "checkpoint".to_owned(),
                detail: error.to_string(),
            }),
        })
    }

    /// Commits `plan`; only then does `state` become what the writer believes.
    fn commit_plan(
        &self,
        writer: &mut Writer,
        state: StreamState,
        expected: recorder_store::ExpectedHead,
        plan: Plan,
        attachments: Vec<Attachment>,
    ) -> Result<(), AppendFault> {
        if writer.latched {
            return Err(AppendError::Latched.into());
        }
        if plan.steps.is_empty() {
            return Ok(());
        }
        let commit = Commit {
            stream: state.stream.clone(),
            expected,
            steps: plan.steps,
            attachments,
            tiles: plan.tiles,
        };
        match self.store.commit(commit) {
            Ok(()) => {
                writer.streams.insert(state.stream.tenant_id.clone(), state);
                Ok(())
            }
            Err(CommitError::EnvelopesExist { ids }) => Err(AppendFault::Known(ids)),
            Err(error) => Err(refusal(writer, error).into()),
        }
    }

    /// The stored envelopes with these ids, if the batch says the same of each.
    fn known_envelopes(
        &self,
        stream: &StreamId,
        submissions: &[Submission],
        ids: &[EnvelopeId],
    ) -> Result<BTreeMap<EnvelopeId, SealedEnvelope>, AppendError> {
        let mut known = BTreeMap::new();
        for (index, submission) in submissions.iter().enumerate() {
            let id = submission.prepared.fields().envelope_id;
            if !ids.contains(&id) {
                continue;
            }
            let stored = self.store.envelope(stream, id)?.ok_or(AppendError::HeadMoved)?;
            if !same_content(&stored, &submission.prepared) {
                return Err(AppendError::EnvelopeConflict { index, id });
            }
            known.insert(id, stored);
        }
        Ok(known)
    }

    /// Opens a segment explicitly; recording opens one by itself when none is open.
    ///
    /// # Errors
    ///
    /// `AlreadyOpen`, or why nothing could be written.
    pub fn open_segment(
        &self,
        tenant_id: &TenantId,
    ) -> Result<recorder_core::identity::SegmentId, SealError> {
        let mut writer = self.lock_writer();
        let mut state = self.state(&writer, &self.stream_of(tenant_id));
        if let Some(open) = &state.open {
            return Err(SealError::AlreadyOpen { segment_id: open.genesis.segment_id });
        }
        let expected = state.expected();
        let mut plan = Plan::default();
        self.plan(|planner| state.plan_open(planner, &mut plan))?;
        let segment_id = match &state.open {
            Some(open) => open.genesis.segment_id,
            None => return Err(SealError::NoneOpen),
        };
        self.commit_plan(&mut writer, state, expected, plan, Vec::new())
            .map_err(AppendError::from)?;
        Ok(segment_id)
    }

    /// Seals the open segment; with a signer, signs the seal and a checkpoint over the whole log.
    ///
    /// # Errors
    ///
    /// `NoneOpen`, `Empty`, or why nothing could be written.
    pub fn seal_segment(
        &self,
        tenant_id: &TenantId,
        reason: SealReason,
    ) -> Result<SealReceipt, SealError> {
        let mut writer = self.lock_writer();
        let mut state = self.state(&writer, &self.stream_of(tenant_id));
        match &state.open {
            None => return Err(SealError::NoneOpen),
            Some(open) if open.envelope_count == 0 => {
                return Err(SealError::Empty { segment_id: open.genesis.segment_id });
            }
            Some(_) => {}
        }
        let expected = state.expected();
        let mut plan = Plan::default();
        self.plan(|planner| state.plan_seal(reason, planner, &mut plan))?;
        let receipt = plan.steps.iter().find_map(seal_receipt).ok_or(SealError::NoneOpen)?;
        self.commit_plan(&mut writer, state, expected, plan, Vec::new())
            .map_err(AppendError::from)?;
        Ok(receipt)
    }

    /// The newest checkpoint over all that is recorded; signs one if the newest does not cover it.
    ///
    /// # Errors
    ///
    /// `NothingRecorded`, `NoSigner`, or why nothing could be written.
    pub fn checkpoint(&self, tenant_id: &TenantId) -> Result<StoredCheckpoint, SealError> {
        let mut writer = self.lock_writer();
        let mut state = self.state(&writer, &self.stream_of(tenant_id));
        if state.next_position == 0 {
            return Err(SealError::NothingRecorded);
        }
        if self.signer.is_none() {
            return Err(SealError::NoSigner);
        }
        let expected = state.expected();
        let mut plan = Plan::default();
        self.plan(|planner| state.plan_checkpoint(planner, &mut plan))?;
        let checkpoint = state.checkpoint.clone().ok_or(SealError::NoSigner)?;
        self.commit_plan(&mut writer, state, expected, plan, Vec::new())
            .map_err(AppendError::from)?;
        Ok(checkpoint)
    }
}

/// What stops a commit: ids that must be looked up, or an error.
enum AppendFault {
    Known(Vec<EnvelopeId>),
    Error(AppendError),
}

impl From<AppendError> for AppendFault {
    fn from(error: AppendError) -> Self {
        Self::Error(error)
    }
}

impl From<AppendFault> for AppendError {
    fn from(fault: AppendFault) -> Self {
        match fault {
            AppendFault::Error(error) => error,
            AppendFault::Known(_) => Self::HeadMoved,
        }
    }
}

/// Nothing is written any more: what the writer believes is no longer what the store holds.
fn latch(writer: &mut Writer, error: AppendError) -> AppendError {
    writer.latched = true;
    error
}

/// What a store's refusal means to a caller; some stop the writer.
fn refusal(writer: &mut Writer, error: CommitError) -> AppendError {
    match error {
        CommitError::RepeatedEnvelope { id } => AppendError::RepeatedEnvelope { id },
        CommitError::AttachmentMissing { envelope_id, content_hash } => {
            AppendError::AttachmentMissing { envelope_id, content_hash }
        }
        CommitError::QueueFull { capacity } => AppendError::QueueFull { capacity },
        CommitError::Corrupt(corruption) => latch(writer, AppendError::Corrupt(corruption)),
        CommitError::Latched => latch(writer, AppendError::Latched),
        error @ CommitError::OutcomeUnknown(_) => latch(writer, AppendError::OutcomeUnknown(error)),
        error @ (CommitError::Storage(_) | CommitError::ReadOnly) => AppendError::Storage(error),
        CommitError::HeadMoved { .. }
        | CommitError::SegmentOpen { .. }
        | CommitError::SegmentNotOpen { .. }
        | CommitError::SegmentExists { .. }
        | CommitError::Discontinuity { .. }
        | CommitError::EnvelopesExist { .. } => latch(writer, AppendError::HeadMoved),
    }
}

/// Bounds and references of a batch, before it waits.
fn check_batch(submissions: &[Submission]) -> Result<(), AppendError> {
    if submissions.len() > BATCH_ENVELOPES_MAX {
        return Err(AppendError::BatchTooLarge {
            count: submissions.len(),
            count_max: BATCH_ENVELOPES_MAX,
        });
    }
    for submission in submissions {
        let refs = submission.prepared.fields().attachment_refs.as_slice();
        for attachment in &submission.attachments {
            if !refs.contains(attachment.reference()) {
                let content_hash = attachment.reference().content_hash;
                return Err(AppendError::AttachmentUnreferenced { content_hash });
            }
        }
    }
    Ok(())
}

/// Each attachment once, by its hash.
fn distinct_attachments<'a>(submissions: impl Iterator<Item = &'a Submission>) -> Vec<Attachment> {
    let mut distinct = BTreeMap::<AttachmentHash, Attachment>::new();
    for attachment in submissions.flat_map(|submission| &submission.attachments) {
        distinct.entry(attachment.reference().content_hash).or_insert_with(|| attachment.clone());
    }
    distinct.into_values().collect()
}

/// Whether both say the same. A salt that was made up on each try does not count as a difference.
fn same_content(stored: &SealedEnvelope, prepared: &PreparedEnvelope) -> bool {
    stored.content_hash == prepared.content_hash()
        || stored.fields == *prepared.fields()
            && stored
                .payload
                .as_ref()
                .is_some_and(|salted| salted.payload == prepared.payload().payload)
}

fn seal_receipt(step: &Step) -> Option<SealReceipt> {
    let Step::Seal(signed) = step else { return None };
    let seal = &signed.seal;
    Some(SealReceipt {
        segment_id: seal.segment_id,
        envelope_count: seal.envelope_count,
        chain_head: seal.chain_head,
        seal_hash: seal.hash(),
        tree_size: seal.tree_size,
        root_hash: seal.root_hash,
        signed: signed.signature.is_some(),
    })
}
