//! The way to the writer: handlers hand prepared requests over, one thread commits whatever waits.
//!
//! While one commit waits for the disk the next batch collects in the queue; no timer decides. A request that is in
//! the queue is committed or refused, whatever becomes of its sender. Deliberately absent: parsing and hashing, which
//! the handlers have done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use recorder::{AppendError, Receipt, Recorder, Request};
use recorder_core::identity::TenantId;
use recorder_sidecar_api::audit::TENANT;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::metrics::{BATCH_BOUNDS, Histogram, MICROS_BOUNDS};

/// Why a request was not recorded.
#[derive(Debug)]
pub(crate) enum IngestError {
    /// Too many requests wait.
    QueueFull,
    /// The stream is the sidecar's own.
    Reserved,
    /// The stream would be one too many.
    TooManyStreams,
    /// The database's file is not the one that was opened.
    DatabaseGone,
    /// The writer's thread is gone, and the request with it.
    Lost,
    /// The writer's thread was gone before the request came.
    Stopped,
    /// The engine refused or failed.
    Append(AppendError),
}

/// A request on its way.
struct Job {
    request: Request,
    bytes: usize,
    answer: oneshot::Sender<Result<Vec<Receipt>, IngestError>>,
}

/// What the writer's thread is bound by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) queue_capacity: usize,
    pub(crate) batch_envelopes_max: usize,
    pub(crate) batch_bytes_max: usize,
    pub(crate) streams_max: usize,
}

/// What others see of the writer's thread.
#[derive(Debug)]
pub(crate) struct Observed {
    /// Whether the writer stopped for good.
    pub(crate) latched: AtomicBool,
    /// Requests that wait.
    pub(crate) waiting: AtomicU64,
    /// Envelopes that were recorded for clients.
    pub(crate) envelopes: AtomicU64,
    /// How many were committed together.
    pub(crate) batch_envelopes: Histogram,
    /// Microseconds that commits took.
    pub(crate) commit_micros: Histogram,
    growth: Mutex<Growth>,
}

/// Streams that hold more than their newest checkpoint covers, and streams that may stand elsewhere than before.
#[derive(Debug, Default)]
struct Growth {
    uncovered: BTreeMap<TenantId, Uncovered>,
    /// Those of which a checkpoint is being signed.
    signing: BTreeMap<TenantId, Uncovered>,
    moved: BTreeSet<TenantId>,
}

/// What no checkpoint covers.
#[derive(Clone, Copy, Debug)]
struct Uncovered {
    since: Instant,
    envelopes: u64,
}

/// What no checkpoint covers, of all streams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    pub(crate) streams: usize,
    pub(crate) envelopes: u64,
    /// The age of the oldest envelope.
    pub(crate) oldest: Duration,
}

impl Default for Observed {
    fn default() -> Self {
        Self {
            latched: AtomicBool::default(),
            waiting: AtomicU64::default(),
            envelopes: AtomicU64::default(),
            batch_envelopes: Histogram::new(BATCH_BOUNDS),
            commit_micros: Histogram::new(MICROS_BOUNDS),
            growth: Mutex::default(),
        }
    }
}

impl Growth {
    fn add(&mut self, tenant_id: &TenantId, more: Uncovered) {
        match self.uncovered.get_mut(tenant_id) {
            Some(noted) => {
                noted.since = noted.since.min(more.since);
                noted.envelopes += more.envelopes;
            }
            None => drop(self.uncovered.insert(tenant_id.clone(), more)),
        }
    }
}

impl Observed {
    fn growth(&self) -> MutexGuard<'_, Growth> {
        self.growth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a stream grew, by envelopes that are uncovered since `since`.
    pub(crate) fn grew(&self, tenant_id: &TenantId, since: Instant, envelopes: u64) {
        let mut growth = self.growth();
        growth.add(tenant_id, Uncovered { since, envelopes });
        if !growth.moved.contains(tenant_id) {
            growth.moved.insert(tenant_id.clone());
        }
    }

    /// Notes that a stream stands elsewhere than before.
    pub(crate) fn moved(&self, tenant_id: TenantId) {
        self.growth().moved.insert(tenant_id);
    }

    /// Takes the streams that stand elsewhere than before.
    pub(crate) fn take_moved(&self) -> BTreeSet<TenantId> {
        std::mem::take(&mut self.growth().moved)
    }

    /// The streams that want a checkpoint, all of which are then to be `signed`.
    pub(crate) fn begin_signing(&self) -> Vec<TenantId> {
        let mut growth = self.growth();
        growth.signing = std::mem::take(&mut growth.uncovered);
        growth.signing.keys().cloned().collect()
    }

    /// Notes whether a checkpoint covers what a stream held when signing began.
    pub(crate) fn signed(&self, tenant_id: &TenantId, is_covered: bool) {
        let mut growth = self.growth();
        if let Some(was) = growth.signing.remove(tenant_id)
            && !is_covered
        {
            growth.add(tenant_id, was);
        }
    }

    /// What no checkpoint covers.
    pub(crate) fn lag(&self) -> Lag {
        let growth = self.growth();
        let twice = |tenant_id: &&TenantId| growth.signing.contains_key(*tenant_id);
        let both = growth.uncovered.keys().filter(twice).count();
        let all = || growth.uncovered.values().chain(growth.signing.values());
        Lag {
            streams: growth.uncovered.len() + growth.signing.len() - both,
            envelopes: all().map(|it| it.envelopes).sum(),
            oldest: all().map(|it| it.since).min().map_or(Duration::ZERO, |since| since.elapsed()),
        }
    }
}

/// The door to the writer's thread.
pub(crate) struct Ingest {
    queue: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    observed: Arc<Observed>,
}

impl Ingest {
    /// Starts the thread that writes to `recorder`, whose database stands at `database`, and answers in `runtime`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn start(
        recorder: Arc<Recorder>,
        database: Option<Database>,
        bounds: Bounds,
        tenants: BTreeSet<TenantId>,
        runtime: Handle,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(bounds.queue_capacity);
        let observed = Arc::new(Observed::default());
        let own = Arc::clone(&observed);
        let mut writer = Writer { recorder, database, bounds, tenants, observed: own, runtime };
        let thread = std::thread::Builder::new()
            .name("sidecar-writer".to_owned())
            .spawn(move || writer.run(&jobs))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)), observed })
    }

    /// What the thread is doing.
    pub(crate) fn observed(&self) -> &Arc<Observed> {
        &self.observed
    }

    /// Records a request and waits for its end. Dropping the future leaves the request on its way.
    ///
    /// # Errors
    ///
    /// `IngestError`.
    pub(crate) async fn record(
        &self,
        request: Request,
        bytes: usize,
    ) -> Result<Vec<Receipt>, IngestError> {
        if request.tenant_id.as_str() == TENANT {
            return Err(IngestError::Reserved);
        }
        let (answer, outcome) = oneshot::channel();
        let sent = match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => {
                // Counted before the writer can take it away again.
                self.observed.waiting.fetch_add(1, Ordering::Relaxed);
                queue.try_send(Job { request, bytes, answer })
            }
            None => return Err(IngestError::QueueFull),
        };
        if let Err(error) = sent {
            self.observed.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                TrySendError::Full(_) => IngestError::QueueFull,
                TrySendError::Disconnected(_) => IngestError::Stopped,
            });
        }
        outcome.await.unwrap_or(Err(IngestError::Lost))
    }

    /// Takes nothing more, and returns when everything that waits has been answered.
    pub(crate) fn drain(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic there has been reported, and whoever waited was answered.
            let _ = thread.join();
        }
    }
}

/// The database's files as they were when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct Database(Vec<(PathBuf, FileIdentity)>);

/// What SQLite keeps beside the file while it is open: commits are in the first before they are in the file, and by
/// the second everybody who has it open agrees.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// The device of a file, and its number there.
type FileIdentity = (u64, u64);

impl Database {
    /// Looks at the files of the database at `path`, which is open.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn at(path: &Path) -> std::io::Result<Self> {
        let companion = |suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let paths = std::iter::once(path.to_path_buf()).chain(COMPANIONS.map(companion));
        let files = paths.map(|path| Ok((path.clone(), identity(&path)?)));
        Ok(Self(files.collect::<std::io::Result<_>>()?))
    }

    /// Whether the files are still there. SQLite would go on writing to ones that have been removed.
    pub(crate) fn is_there(&self) -> bool {
        self.0.iter().all(|(path, opened)| identity(path).is_ok_and(|found| found == *opened))
    }
}

fn identity(path: &Path) -> std::io::Result<FileIdentity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

struct Writer {
    recorder: Arc<Recorder>,
    database: Option<Database>,
    bounds: Bounds,
    /// Streams that are recorded here.
    tenants: BTreeSet<TenantId>,
    observed: Arc<Observed>,
    /// Where those who wait are woken.
    runtime: Handle,
}

impl Writer {
    fn run(&mut self, jobs: &Receiver<Job>) {
        let mut next = None;
        while let Some(first) = next.take().or_else(|| jobs.recv().ok()) {
            let mut batch = vec![first];
            next = self.collect(&mut batch, jobs);
            self.observed.waiting.fetch_sub(batch.len() as u64, Ordering::Relaxed);
            self.commit(batch);
        }
    }

    /// Takes what waits, as far as it fits; the first that does not fit is returned.
    fn collect(&self, batch: &mut Vec<Job>, jobs: &Receiver<Job>) -> Option<Job> {
        let (mut envelopes, mut bytes) = (batch[0].request.submissions.len(), batch[0].bytes);
        while let Ok(job) = jobs.try_recv() {
            envelopes += job.request.submissions.len();
            bytes = bytes.saturating_add(job.bytes);
            if envelopes > self.bounds.batch_envelopes_max || bytes > self.bounds.batch_bytes_max {
                return Some(job);
            }
            batch.push(job);
        }
        None
    }

    fn commit(&mut self, batch: Vec<Job>) {
        if self.database.as_ref().is_some_and(|database| !database.is_there()) {
            batch.into_iter().for_each(|job| answer(job.answer, Err(IngestError::DatabaseGone)));
            return;
        }
        let (mut requests, mut answers) =
            (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        let mut fresh = BTreeSet::new();
        for Job { request, answer: sender, .. } in batch {
            if !self.tenants.contains(&request.tenant_id) && !fresh.contains(&request.tenant_id) {
                if self.tenants.len() + fresh.len() >= self.bounds.streams_max {
                    answer(sender, Err(IngestError::TooManyStreams));
                    continue;
                }
                fresh.insert(request.tenant_id.clone());
            }
            answers.push((sender, request.tenant_id.clone()));
            requests.push(request);
        }
        let began = Instant::now();
        let envelopes: usize = requests.iter().map(|request| request.submissions.len()).sum();
        let outcomes = self.recorder.append_requests(requests);
        self.observed.commit_micros.observe_since(began);
        self.observed.batch_envelopes.observe(envelopes as u64);
        let mut settled = Vec::with_capacity(answers.len());
        for ((sender, tenant_id), outcome) in answers.into_iter().zip(outcomes) {
            self.observe(&tenant_id, &outcome, began);
            settled.push((sender, outcome.map_err(IngestError::Append)));
        }
        // To wake many from outside the runtime takes this thread longer than to wake one that wakes the others.
        self.runtime.spawn(async move {
            settled.into_iter().for_each(|(sender, outcome)| answer(sender, outcome));
        });
    }

    fn observe(
        &mut self,
        tenant_id: &TenantId,
        outcome: &Result<Vec<Receipt>, AppendError>,
        began: Instant,
    ) {
        match outcome {
            Ok(receipts) => {
                let fresh = receipts.iter().filter(|receipt| !receipt.replayed).count();
                self.observed.envelopes.fetch_add(fresh as u64, Ordering::Relaxed);
                if fresh > 0 {
                    self.tenants.insert(tenant_id.clone());
                    self.observed.grew(tenant_id, began, fresh as u64);
                }
            }
            Err(error) if stops_the_writer(error) => {
                self.observed.latched.store(true, Ordering::Release);
            }
            Err(_) => {}
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody writes any more, and whoever asks must hear of it.
            self.observed.latched.store(true, Ordering::Release);
        }
    }
}

/// Whether nothing is written any more after this.
pub(crate) fn stops_the_writer(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::Latched
            | AppendError::HeadMoved
            | AppendError::OutcomeUnknown(_)
            | AppendError::Unguarded(_)
            | AppendError::Corrupt(_)
    )
}

fn answer(
    sender: oneshot::Sender<Result<Vec<Receipt>, IngestError>>,
    outcome: Result<Vec<Receipt>, IngestError>,
) {
    // A sender that has gone away asks again, under its idempotency key.
    let _ = sender.send(outcome);
}

#[cfg(test)]
pub(crate) mod tests {
    use recorder::clock::Clock;
    use recorder::ids::SeededIds;
    use recorder::{RecorderConfig, Submission};
    use recorder_core::time::RecordedAt;
    use recorder_envelope::draft::{Draft, DraftDefaults};
    use recorder_store::MemoryStore;

    use super::*;

    struct Broken;

    impl Clock for Broken {
        fn now(&self) -> RecordedAt {
            panic!("the clock is broken")
        }
    }

    pub(crate) fn request() -> Request {
        let draft = Draft::parse(
            br#"{"envelope_id":"01936b2e-7c00-7abc-8def-000000000001","claimed_time":"2026-11-22T00:00:00Z",
            "payload_salt":"00000000000000000000000000000000","event_type":"a","actor_id":"a",
            "environment_id":"a","payload":{}}"#,
        );
        let unsealed = draft.unwrap().complete(&mut DraftDefaults {
            envelope_id: &mut || unreachable!(),
            payload_salt: &mut || unreachable!(),
            claimed_time: &mut || unreachable!(),
        });
        let submissions = vec![Submission::from(unsealed.unwrap().prepare())];
        Request { tenant_id: "t".parse().unwrap(), submissions, claim: None }
    }

    #[tokio::test]
    async fn a_writer_that_panicked_is_latched_and_takes_nothing_more() {
        let config = RecorderConfig::new("sidecar:test".parse().unwrap());
        let (store, ids) = (Arc::new(MemoryStore::default()), Arc::new(SeededIds::new(1)));
        let recorder = Recorder::open(store, config, Arc::new(Broken), ids, None).unwrap();
        let bounds = Bounds {
            queue_capacity: 10,
            batch_envelopes_max: 10,
            batch_bytes_max: 1000,
            streams_max: 10,
        };
        let ingest =
            Ingest::start(Arc::new(recorder), None, bounds, BTreeSet::new(), Handle::current())
                .unwrap();
        assert!(!ingest.observed().latched.load(Ordering::Acquire));
        let answer = ingest.record(request(), 0).await;
        assert!(matches!(answer, Err(IngestError::Lost)), "{answer:?}");
        let thread = ingest.thread.lock().unwrap().take().unwrap();
        assert!(thread.join().is_err());
        assert!(ingest.observed().latched.load(Ordering::Acquire));
        let answer = ingest.record(request(), 0).await;
        assert!(matches!(answer, Err(IngestError::Stopped)), "{answer:?}");
    }
}
