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
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Why a request was not recorded.
#[derive(Debug)]
pub(crate) enum IngestError {
    /// Too many requests wait.
    QueueFull,
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
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// Whether the writer stopped for good.
    pub(crate) latched: AtomicBool,
    /// Requests that wait.
    pub(crate) waiting: AtomicU64,
    /// Commits so far.
    pub(crate) commits: AtomicU64,
    /// Envelopes that they recorded.
    pub(crate) envelopes: AtomicU64,
    /// Microseconds that they took.
    pub(crate) commit_micros: AtomicU64,
    /// Streams that hold more than their newest checkpoint covers, and since when.
    dirty: Mutex<BTreeMap<TenantId, Instant>>,
}

impl Observed {
    fn dirty(&self) -> MutexGuard<'_, BTreeMap<TenantId, Instant>> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the streams that want a checkpoint, and since when.
    pub(crate) fn take_dirty(&self) -> BTreeMap<TenantId, Instant> {
        std::mem::take(&mut *self.dirty())
    }

    /// How long the oldest envelope waits for a checkpoint.
    pub(crate) fn uncovered_for(&self) -> Duration {
        self.dirty().values().min().map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Notes that a stream has wanted a checkpoint since `since`, or since before that.
    pub(crate) fn add_dirty(&self, tenant_id: TenantId, since: Instant) {
        let mut dirty = self.dirty();
        let noted = dirty.entry(tenant_id).or_insert(since);
        *noted = since.min(*noted);
    }

    /// Streams that want a checkpoint.
    pub(crate) fn dirty_count(&self) -> usize {
        self.dirty().len()
    }
}

/// The door to the writer's thread.
pub(crate) struct Ingest {
    queue: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    observed: Arc<Observed>,
}

impl Ingest {
    /// Starts the thread that writes to `recorder`, whose database stands at `database`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn start(
        recorder: Arc<Recorder>,
        database: Option<Database>,
        bounds: Bounds,
        tenants: BTreeSet<TenantId>,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(bounds.queue_capacity);
        let observed = Arc::new(Observed::default());
        let mut writer =
            Writer { recorder, database, bounds, tenants, observed: Arc::clone(&observed) };
        let thread = std::thread::Builder::new()
            .name("recorder-sidecar-writer".to_owned())
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
        let outcomes = self.recorder.append_requests(requests);
        let micros = began.elapsed().as_micros() as u64;
        self.observed.commit_micros.fetch_add(micros, Ordering::Relaxed);
        self.observed.commits.fetch_add(1, Ordering::Relaxed);
        for ((sender, tenant_id), outcome) in answers.into_iter().zip(outcomes) {
            self.observe(&tenant_id, &outcome, began);
            answer(sender, outcome.map_err(IngestError::Append));
        }
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
                    self.observed.add_dirty(tenant_id.clone(), began);
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
