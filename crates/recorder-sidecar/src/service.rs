//! What all requests share, and how it starts and stops.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use recorder::clock::SystemClock;
use recorder::guard_files::FileGuard;
use recorder::ids::SystemIds;
use recorder::{AutoSeal, GuardMode, Guarding, Recorder, RecorderConfig, Retention, SealError};
use recorder_core::identity::TenantId;
use recorder_envelope::segment::SealReason;
use recorder_sidecar_config::Config;
use recorder_sidecar_config::config::{self, LogLevel, SignerSettings};
use recorder_store::{ReadError, SqliteOptions, SqliteStore, Store, Synchronous};
use tokio::runtime::Handle;

use crate::admission::Admission;
use crate::audit::{self, Audit, Journal, Parts, Started, Stopped};
use crate::checkpoints::Checkpoints;
use crate::control_plane::ControlPlane;
use crate::ingest::{Bounds, Database, Ingest, Observed};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::otel::Doors;
use crate::tokens::Tokens;

/// Connections for reading: queries, bundles and probes beside each other.
const READERS: usize = 4;

/// How the sidecar was asked to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartOptions {
    /// Make the database if it is missing.
    pub(crate) create: bool,
    /// Take streams whose guarded heads are missing as they are.
    pub(crate) adopt_head: bool,
}

/// What all requests share.
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) database: Database,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) control_plane: Option<Arc<ControlPlane>>,
    pub(crate) admission: Admission,
    pub(crate) ingest: Ingest,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) audit: Audit,
    pub(crate) doors: Option<Doors>,
    pub(crate) retention: Retention,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) draining: AtomicBool,
    correlation_prefix: u64,
    correlation_count: AtomicU64,
}

impl Service {
    /// Opens the database, records the start, and starts the threads, which answer in `runtime`.
    ///
    /// # Errors
    ///
    /// What prevents it, in words.
    pub(crate) fn start(
        mut config: Config,
        options: StartOptions,
        runtime: &Handle,
    ) -> Result<Self, String> {
        let signer = config.take_signer();
        let doors = Doors::open(&config)?;
        let path = config.storage().path.clone();
        let store = open_store(&config, options.create)?;
        let database =
            Database::at(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let checkpoint_interval =
            signer.as_ref().map(|signer| Duration::from_millis(signer.checkpoint_interval_ms));
        let recorder = Arc::new(open_recorder(&config, store, signer, options.adopt_head)?);
        let tenants = clients(&recorder).map_err(|error| error.to_string())?;
        let ingest = start_ingest(&config, &recorder, &database, tenants.clone(), runtime)?;
        let log = Log::new(config.logging());
        let observed = Arc::clone(ingest.observed());
        note_uncovered(&recorder, &observed);
        let parts = Parts {
            recorder: Arc::clone(&recorder),
            database: Some(database.clone()),
            observed: Arc::clone(&observed),
            log,
        };
        let started =
            Started { adopt_head: options.adopt_head, settings: config.effective().clone() };
        let journal = Journal::open(parts, &started, tenants)?;
        let audit = Audit::start(journal).map_err(|error| error.to_string())?;
        let checkpoints =
            Checkpoints::start(Arc::clone(&recorder), observed, checkpoint_interval, log);
        let checkpoints = checkpoints.map_err(|error| error.to_string())?;
        let limits = *config.limits();
        let retention = Retention {
            seconds: config.ingest().idempotency_ttl_seconds,
            count_max: config.ingest().idempotency_max_entries_per_stream,
        };
        let mut prefix = [0; 8];
        getrandom::fill(&mut prefix).map_err(|error| error.to_string())?;
        Ok(Self {
            control_plane: ControlPlane::new(&config, log)?,
            tokens: config.token().map(|settings| Tokens::new(&settings.token)),
            admission: Admission::new(
                limits.max_in_flight,
                limits.max_queued_requests,
                Duration::from_millis(limits.request_timeout_ms),
                limits.max_body_bytes,
            ),
            config,
            recorder,
            database,
            ingest,
            checkpoints,
            doors,
            audit,
            retention,
            metrics: Metrics::new(),
            log,
            draining: AtomicBool::new(false),
            correlation_prefix: u64::from_be_bytes(prefix),
            correlation_count: AtomicU64::new(0),
        })
    }

    /// A name for a request: unguessable by process, counted within it.
    pub(crate) fn correlation_id(&self) -> String {
        let count = self.correlation_count.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{count:x}", self.correlation_prefix)
    }

    /// Whether nothing new is taken.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Answers everything that waits, seals by policy, signs a last checkpoint of each stream, and records that: the
    /// last of all is the stream that says so.
    pub(crate) fn finish(&self, stopped: Stopped) {
        self.ingest.drain();
        self.checkpoints.stop();
        let journal = self.audit.stop();
        let tenants = clients(&self.recorder).unwrap_or_default();
        tenants.iter().for_each(|tenant_id| self.close(tenant_id));
        if let Some(journal) = journal {
            journal.finish(stopped, tenants);
        }
        self.close(&audit::tenant_id());
    }

    /// Seals by policy and signs a last checkpoint.
    fn close(&self, tenant_id: &TenantId) {
        let sealed = match self.config.recorder().auto_seal {
            config::AutoSeal::None => Ok(()),
            _ => self.recorder.seal_segment(tenant_id, SealReason::Shutdown).map(drop),
        };
        let signed = match self.recorder.signer() {
            Some(_) => self.recorder.checkpoint(tenant_id).map(drop),
            None => Ok(()),
        };
        for outcome in [sealed, signed] {
            self.report_last(tenant_id, outcome);
        }
    }

    fn report_last(&self, tenant_id: &TenantId, outcome: Result<(), SealError>) {
        match outcome {
            Ok(())
            | Err(SealError::NoneOpen | SealError::Empty { .. } | SealError::NothingRecorded) => {}
            Err(error) => self.log.write(
                LogLevel::Error,
                "last_checkpoint_failed",
                &[("tenant_id", tenant_id.as_str().into()), ("error", error.to_string().into())],
            ),
        }
    }
}

/// The tenants of the streams that clients record into.
fn clients(recorder: &Recorder) -> Result<BTreeSet<TenantId>, ReadError> {
    let (own, recorder_id) = (audit::tenant_id(), &recorder.config().recorder_id);
    let streams = recorder.store().streams()?.into_iter();
    let streams = streams.filter(|it| it.recorder_id == *recorder_id && it.tenant_id != own);
    Ok(streams.map(|stream| stream.tenant_id).collect())
}

/// What was recorded before the last end may have no checkpoint yet, and is as old as it says.
fn note_uncovered(recorder: &Recorder, observed: &Observed) {
    let (now, wall) = (tokio::time::Instant::now(), recorder.clock().now());
    for (tenant_id, (envelopes, since)) in recorder.uncovered() {
        let age = wall.nanoseconds().saturating_sub(since.nanoseconds());
        let age = Duration::from_nanos(u64::try_from(age).unwrap_or(0));
        observed.grew(&tenant_id, now.checked_sub(age).unwrap_or(now), envelopes);
    }
}

fn start_ingest(
    config: &Config,
    recorder: &Arc<Recorder>,
    database: &Database,
    tenants: BTreeSet<TenantId>,
    runtime: &Handle,
) -> Result<Ingest, String> {
    let settings = config.ingest();
    let bounds = Bounds {
        queue_capacity: settings.queue_capacity,
        batch_envelopes_max: settings.batch_max_envelopes,
        batch_bytes_max: settings.batch_max_bytes,
        streams_max: settings.max_streams,
    };
    let (recorder, database) = (Arc::clone(recorder), Some(database.clone()));
    Ingest::start(recorder, database, bounds, tenants, runtime.clone())
        .map_err(|error| error.to_string())
}

fn open_store(config: &Config, create: bool) -> Result<Arc<dyn Store>, String> {
    let settings = config.storage();
    let options = SqliteOptions {
        synchronous: if settings.waits_for_disk { Synchronous::Full } else { Synchronous::Normal },
        wal_autocheckpoint_pages: settings.wal_autocheckpoint_pages,
        busy_timeout_ms: settings.busy_timeout_ms,
        reader_count: READERS,
        ..SqliteOptions::default()
    };
    let path = &settings.path;
    let store = match create && is_missing(path) {
        true => SqliteStore::create(path, &options),
        false => SqliteStore::open(path, &options),
    };
    let store = store.map_err(|error| format!("{}: {}", path.display(), chain(&error)))?;
    Ok(Arc::new(store))
}

fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

fn open_recorder(
    config: &Config,
    store: Arc<dyn Store>,
    signer: Option<SignerSettings>,
    adopt_head: bool,
) -> Result<Recorder, String> {
    let settings = config.recorder();
    let auto_seal = match settings.auto_seal {
        config::AutoSeal::None => Ok(AutoSeal::NONE),
        config::AutoSeal::AfterCount(count) => AutoSeal::after_count(count),
        config::AutoSeal::AfterDuration(seconds) => AutoSeal::after_duration(seconds),
        config::AutoSeal::Combined { count, duration_seconds } => {
            AutoSeal::combined(count, duration_seconds)
        }
    };
    let engine = RecorderConfig {
        recorder_id: settings.recorder_id.clone(),
        log_name: settings.log_name.clone(),
        auto_seal: auto_seal.map_err(|error| error.to_string())?,
        startup_verification_depth: settings.startup_verification_depth,
        sign_envelopes: signer.as_ref().is_some_and(|signer| signer.sign_envelopes),
        // The service has a clock of its own for these: a stream that nobody writes to is covered too.
        checkpoint_interval_ms: None,
    };
    let guard = Arc::new(FileGuard::new(config.storage().head_guard_path.clone()));
    let guarding = Guarding { guard, mode: GuardMode::Checkpoints, adopt_head };
    let key = signer.map(|signer| signer.key);
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    Recorder::open_guarded(store, engine, clock, ids, key, guarding).map_err(|error| chain(&error))
}

/// An error and its causes, each after a colon.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
