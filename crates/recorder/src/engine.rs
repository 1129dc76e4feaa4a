//! The recorder: one write path, one writer.
//!
//! Here are its parts and how it opens; `append` is the way in, `lifecycle` opens and seals segments. What
//! the writer believes changes only after a commit returned. There is no read path here: reads go to the store.

mod append;
mod guarded;
mod lifecycle;
mod rotate;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use recorder_core::hash::RequestHash;
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{StreamId, TenantId};
use recorder_envelope::attachment::Attachment;
use recorder_envelope::envelope::PreparedEnvelope;
use recorder_envelope::merkle::TileReader;
use recorder_envelope::signing::SecretKey;
use recorder_store::{Claims, Commit, CommitError, ExpectedHead, Store};

use crate::clock::Clock;
use crate::config::RecorderConfig;
use crate::error::{AppendError, OpenError};
use crate::guard::{self, GuardError, GuardedHead, Guarding};
use crate::ids::IdSource;
use crate::log::{self, LogEdge, StoredTiles};
use crate::startup;
use crate::stream::{Plan, Planner, StreamState};

pub use append::is_reserved_event_type;
pub use guarded::HEAD_ADOPTED;
pub use rotate::{OldKey, Rotated, RotationReport, RotationRequest, rotate};

/// A prepared envelope and the attachments that come with it.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The envelope.
    pub prepared: PreparedEnvelope,
    /// Bytes of attachments that it refers to and that the store may not hold yet.
    pub attachments: Vec<Attachment>,
}

/// The name of a request and what it was, so that its retry is answered and not recorded again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The key that its sender gave it.
    pub key: IdempotencyKey,
    /// What it was: another request under the same key is a conflict.
    pub request_hash: RequestHash,
    /// How long and how often such claims are kept.
    pub retention: Retention,
}

/// What bounds the memory of requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// How long a claim counts.
    pub seconds: u64,
    /// Claims of one stream that are kept; of more the oldest are forgotten.
    pub count_max: u64,
}

/// Envelopes of one stream that are recorded together or not at all.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The envelopes, in order; at least one.
    pub submissions: Vec<Submission>,
    /// Under which name; kept in the transaction of the envelopes.
    pub claim: Option<Claim>,
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
    guarding: Option<Guarding>,
    queue: Mutex<Vec<Arc<append::Waiting>>>,
    writer: Mutex<Writer>,
    /// The right edge of each log as of its last commit, for readers: they never wait for the writer.
    edges: Mutex<BTreeMap<TenantId, Arc<LogEdge>>>,
}

/// What only the writer holds.
#[derive(Default)]
struct Writer {
    streams: BTreeMap<TenantId, StreamState>,
    /// What the guard was last seen to hold of this recorder, by origin.
    guarded: BTreeMap<String, GuardedHead>,
    /// Set once what the writer believes may not be what the store holds; never cleared.
    latched: bool,
}

/// Takes a lock that guards nothing that a panic could leave half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Opens the recorder over `store` without a head guard: an older copy of the store is continued unnoticed.
    ///
    /// # Errors
    ///
    /// `OpenError` when a stream does not follow from its own hashes, or the signer or the log's name is another
    /// one than before.
    pub fn open(
        store: Arc<dyn Store>,
        config: RecorderConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        signer: Option<SecretKey>,
    ) -> Result<Self, OpenError> {
        Self::load(store, config, clock, ids, signer, None)
    }

    /// Opens the recorder over `store`, which must extend what the guard has seen.
    ///
    /// # Errors
    ///
    /// As `open`; `Head` where the store was put back, cut or exchanged, or the guard was taken away; `Refused` where
    /// an adoption could not be recorded.
    pub fn open_guarded(
        store: Arc<dyn Store>,
        config: RecorderConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        signer: Option<SecretKey>,
        guarding: Guarding,
    ) -> Result<Self, OpenError> {
        Self::load(store, config, clock, ids, signer, Some(guarding))?.open_guard()
    }

    /// Loads and checks the end of each stream.
    fn load(
        store: Arc<dyn Store>,
        config: RecorderConfig,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        signer: Option<SecretKey>,
        guarding: Option<Guarding>,
    ) -> Result<Self, OpenError> {
        let key = signer.as_ref().map(SecretKey::public_key);
        let mut all = Vec::new();
        for stream in store.streams()? {
            if stream.recorder_id == config.recorder_id {
                all.push(startup::load(&*store, &stream, &config, key.as_slice())?);
            }
        }
        if let Some(Err(error)) = key.map(|key| startup::check_signer(&all, &key)) {
            // A database from before a rotation is under another key too: then it is the guard that names it.
            return Err(seen_by_guard(&*store, &config, guarding.as_ref())?.unwrap_or(error));
        }
        let states = all.into_iter().map(|loaded| loaded.state);
        let streams = states.map(|state| (state.stream.tenant_id.clone(), state));
        let streams = streams.collect::<BTreeMap<_, _>>();
        let edge =
            |(tenant, state): (&TenantId, &StreamState)| (tenant.clone(), state.edge.clone());
        let edges = Mutex::new(streams.iter().map(edge).collect());
        let writer = Mutex::new(Writer { streams, guarded: BTreeMap::new(), latched: false });
        let queue = Mutex::default();
        Ok(Self { store, config, clock, ids, signer, guarding, queue, writer, edges })
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

    /// Reads nodes of the log of `stream`, for proofs in any tree up to the size that it had at its last commit.
    pub fn log_reader<'a>(&'a self, stream: &'a StreamId) -> TileReader<StoredTiles<'a>> {
        let edge = lock(&self.edges).get(&stream.tenant_id).cloned().unwrap_or_default();
        log::reader_with_edge(&*self.store, stream, edge)
    }

    /// Whether the recorder stopped writing; it then has to be opened again.
    pub fn is_latched(&self) -> bool {
        self.lock_writer().latched
    }

    /// How many calls wait for the writer.
    #[doc(hidden)]
    pub fn testing_only_waiting_count(&self) -> usize {
        lock(&self.queue).len()
    }

    /// Takes the writer. If a thread panicked while it held it, nothing is written any more.
    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            let mut writer = poisoned.into_inner();
            writer.latched = true;
            writer
        })
    }

    /// A copy of where the stream stands, to plan on.
    fn state(&self, writer: &Writer, stream: &StreamId) -> Result<StreamState, AppendError> {
        if writer.latched {
            return Err(AppendError::Latched);
        }
        let known = writer.streams.get(&stream.tenant_id);
        Ok(known.cloned().unwrap_or_else(|| StreamState::new(stream.clone())))
    }

    /// Lets `make` plan on `state`, if this recorder can keep what the stream promises.
    fn plan(
        &self,
        state: &mut StreamState,
        make: impl FnOnce(&mut StreamState, &mut Planner<'_>, &mut Plan) -> Result<(), AppendError>,
    ) -> Result<Plan, AppendError> {
        let now = self.clock.now();
        let mut segment_id = || self.ids.segment_id(now);
        let mut planner = Planner {
            config: &self.config,
            signer: self.signer.as_ref(),
            now,
            covers_every_commit: self.is_strict(),
            segment_id: &mut segment_id,
        };
        if planner.promise() < state.promise {
            return Err(AppendError::SignerRequired);
        }
        let mut plan = Plan::default();
        make(state, &mut planner, &mut plan)?;
        Ok(plan)
    }

    /// Commits `plan` and guards it; only then does `state` become what the writer believes.
    fn commit_plan(
        &self,
        writer: &mut Writer,
        state: StreamState,
        expected: ExpectedHead,
        mut plan: Plan,
        attachments: Vec<Attachment>,
        claims: Option<Claims>,
    ) -> Result<(), Failed> {
        if plan.steps.is_empty() && claims.is_none() {
            return Ok(());
        }
        let is_first = expected.next_position == 0;
        self.guard_birth(writer, &state, is_first).map_err(Failed::Guard)?;
        let must_guard = self.must_guard(writer, &state, plan.advances_guard);
        // The log fills tiles as it grows; the store wants them by level.
        plan.tiles.sort_by_key(|tile| tile.coordinates);
        let commit = Commit {
            stream: state.stream.clone(),
            expected,
            steps: plan.steps,
            attachments,
            tiles: plan.tiles,
            claims,
        };
        self.store.commit(commit).map_err(Failed::Commit)?;
        if must_guard {
            self.advance_guard(writer, &state).map_err(Failed::Unguarded)?;
        }
        lock(&self.edges).insert(state.stream.tenant_id.clone(), Arc::clone(&state.edge));
        writer.streams.insert(state.stream.tenant_id.clone(), state);
        Ok(())
    }
}

/// What the guard has seen otherwise, whoever signed it.
fn seen_by_guard(
    store: &dyn Store,
    config: &RecorderConfig,
    guarding: Option<&Guarding>,
) -> Result<Option<OpenError>, OpenError> {
    let Some(guarding) = guarding else { return Ok(None) };
    let (log_name, recorder_id) = (&config.log_name, &config.recorder_id);
    let compared = guard::compare_by(store, log_name, recorder_id, &*guarding.guard, &[])?;
    Ok(compared.problems.into_iter().next().map(OpenError::Head))
}

/// Which of the three writes of a commit did not succeed.
enum Failed {
    /// The guard, before anything was written.
    Guard(GuardError),
    /// The store.
    Commit(CommitError),
    /// The guard, after the store.
    Unguarded(GuardError),
}

/// What a refusal means to a caller. Whatever contradicts what the writer believes stops the writer.
fn refusal(writer: &mut Writer, failed: Failed) -> AppendError {
    match failed {
        Failed::Commit(error) => store_refusal(writer, error),
        Failed::Guard(error) => {
            writer.latched |= matches!(error, GuardError::Moved { .. });
            AppendError::Guard(error)
        }
        Failed::Unguarded(error) => {
            writer.latched = true;
            AppendError::Unguarded(error)
        }
    }
}

fn store_refusal(writer: &mut Writer, error: CommitError) -> AppendError {
    let answer = match error {
        // Whoever sent the key is answered from its record; that it stands here means that there is none.
        CommitError::KeysTaken { .. } => AppendError::HeadMoved,
        CommitError::RepeatedEnvelope { id } => return AppendError::RepeatedEnvelope { id },
        CommitError::AttachmentMissing { envelope_id, content_hash } => {
            return AppendError::AttachmentMissing { envelope_id, content_hash };
        }
        CommitError::QueueFull { capacity } => return AppendError::QueueFull { capacity },
        error @ (CommitError::Storage(_) | CommitError::ReadOnly) => {
            return AppendError::Storage(error);
        }
        CommitError::Corrupt(corruption) => AppendError::Corrupt(corruption),
        CommitError::Latched => AppendError::Latched,
        error @ CommitError::OutcomeUnknown(_) => AppendError::OutcomeUnknown(error),
        CommitError::HeadMoved { .. }
        | CommitError::SegmentOpen { .. }
        | CommitError::SegmentNotOpen { .. }
        | CommitError::SegmentExists { .. }
        | CommitError::Discontinuity { .. }
        | CommitError::EnvelopesExist { .. } => AppendError::HeadMoved,
    };
    writer.latched = true;
    answer
}
