//! The recorder: one write path, one writer.
//!
//! Here are its parts and how it opens; [`append`] is the way in, [`lifecycle`] opens and seals segments. What
//! the writer believes changes only after a commit returned. There is no read path here: reads go to the store.

mod append;
mod lifecycle;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use recorder_core::identity::{StreamId, TenantId};
use recorder_envelope::attachment::Attachment;
use recorder_envelope::envelope::PreparedEnvelope;
use recorder_envelope::signing::SecretKey;
use recorder_store::{Commit, CommitError, ExpectedHead, Store};

use crate::clock::Clock;
use crate::config::RecorderConfig;
use crate::error::{AppendError, OpenError};
use crate::ids::IdSource;
use crate::startup;
use crate::stream::{Plan, Planner, StreamState};

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
    queue: Mutex<Vec<Arc<append::Waiting>>>,
    writer: Mutex<Writer>,
}

/// What only the writer holds.
struct Writer {
    streams: BTreeMap<TenantId, StreamState>,
    /// Set once what the writer believes may not be what the store holds; never cleared.
    latched: bool,
}

/// Takes a lock that guards nothing that a panic could leave half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// Opens the recorder over `store` and checks the end of each of its streams.
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
        let mut streams = BTreeMap::new();
        for stream in store.streams()? {
            if stream.recorder_id == config.recorder_id {
                let state = startup::load(&*store, &stream, &config, signer.as_ref())?;
                streams.insert(stream.tenant_id, state);
            }
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
            segment_id: &mut segment_id,
        };
        if planner.promise() < state.promise {
            return Err(AppendError::SignerRequired);
        }
        let mut plan = Plan::default();
        make(state, &mut planner, &mut plan)?;
        Ok(plan)
    }

    /// Commits `plan`; only then does `state` become what the writer believes.
    fn commit_plan(
        &self,
        writer: &mut Writer,
        state: StreamState,
        expected: ExpectedHead,
        mut plan: Plan,
        attachments: Vec<Attachment>,
    ) -> Result<(), CommitError> {
        if plan.steps.is_empty() {
            return Ok(());
        }
        // The log fills tiles as it grows; the store wants them by level.
        plan.tiles.sort_by_key(|tile| tile.coordinates);
        let commit = Commit {
            stream: state.stream.clone(),
            expected,
            steps: plan.steps,
            attachments,
            tiles: plan.tiles,
        };
        self.store.commit(commit)?;
        writer.streams.insert(state.stream.tenant_id.clone(), state);
        Ok(())
    }
}

/// What a store's refusal means to a caller. Whatever contradicts what the writer believes stops the writer.
fn refusal(writer: &mut Writer, error: CommitError) -> AppendError {
    let answer = match error {
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
