//! What the sidecar records of itself, in the stream of the tenant `system`.
//!
//! Whoever notes something is never kept waiting: notes go through a bounded channel, and what finds no room in it is
//! counted. A thread of its own makes envelopes of them, through the one write path, at most one of each type a
//! window. Deliberately absent: checkpoints and seals of the stream itself, of which each envelope would make more.

mod heads;
mod journal;
mod refused;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use recorder_core::identity::TenantId;
use recorder_sidecar_api::audit::{Event, TENANT};
use tokio::time::Instant;

pub(crate) use journal::{Journal, Parts, Started, Stopped};

/// Notes that wait to be looked at.
const NOTES_MAX: usize = 1024;

/// How often the thread looks whether something is due.
const TICK: Duration = Duration::from_millis(500);

/// Who sent a request, as far as it costs nothing to know.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Peer {
    /// An address.
    Tcp(IpAddr),
    /// A user of this machine, where the system tells.
    Unix(Option<u32>),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{}", address.to_canonical()),
            Self::Unix(Some(user_id)) => write!(f, "unix:{user_id}"),
            Self::Unix(None) => f.write_str("unix"),
        }
    }
}

/// What a refused request bore.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Credential {
    /// A token that is not accepted.
    Invalid,
    /// None.
    Missing,
}

impl Credential {
    pub(crate) const ALL: [Self; 2] = [Self::Invalid, Self::Missing];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Missing => "missing",
        }
    }
}

/// A request without a valid token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AuthFailure {
    pub(crate) credential: Credential,
    pub(crate) peer: Peer,
    pub(crate) route: &'static str,
}

/// What became of a file that was to be read again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum FileOutcome {
    #[default]
    Absent,
    Unchanged,
    Replaced,
    Failed,
}

impl FileOutcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
            Self::Failed => "failed",
        }
    }
}

/// What SIGHUP did since the last envelope about it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reloads {
    pub(crate) count: u64,
    pub(crate) failures: u64,
    pub(crate) token: FileOutcome,
    pub(crate) tls: FileOutcome,
    pub(crate) control_plane: FileOutcome,
}

impl Reloads {
    /// One time, and what became of the files then.
    pub(crate) fn once(token: FileOutcome, tls: FileOutcome, control_plane: FileOutcome) -> Self {
        let files = [token, tls, control_plane];
        let failures = files.iter().filter(|outcome| **outcome == FileOutcome::Failed).count();
        Self { count: 1, failures: failures as u64, token, tls, control_plane }
    }

    /// These, and then `later`.
    pub(crate) fn and(self, later: Self) -> Self {
        match later.count {
            0 => self,
            count => Self {
                count: self.count + count,
                failures: self.failures + later.failures,
                ..later
            },
        }
    }
}

/// What is counted of the audit itself.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Requests without a valid token, by credential.
    failures: [AtomicU64; 2],
    /// Those of them that found no room to be noted.
    unnoted: [AtomicU64; 2],
    /// Those that some envelope counts.
    pub(crate) failures_recorded: AtomicU64,
    /// Those that some envelope counts without naming their senders.
    pub(crate) unattributed: AtomicU64,
    /// Envelopes by event.
    envelopes: [AtomicU64; Event::ALL.len()],
    /// Attempts to record that failed.
    pub(crate) errors: AtomicU64,
}

impl Counts {
    pub(crate) fn failures(&self, credential: Credential) -> u64 {
        self.failures[credential as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn unnoted(&self, credential: Credential) -> u64 {
        self.unnoted[credential as usize].load(Ordering::Relaxed)
    }

    /// Requests without a valid token that no envelope counts yet.
    pub(crate) fn unrecorded(&self) -> u64 {
        let recorded = self.failures_recorded.load(Ordering::Relaxed);
        let failures = Credential::ALL.map(|credential| self.failures(credential));
        failures.iter().sum::<u64>().saturating_sub(recorded)
    }

    pub(crate) fn envelopes(&self, event: Event) -> u64 {
        self.envelopes[event as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn add_envelope(&self, event: Event) {
        self.envelopes[event as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// What the thread is told.
enum Note {
    AuthFailure(AuthFailure),
    Look,
    Stop,
}

/// The door to the thread.
pub(crate) struct Audit {
    notes: SyncSender<Note>,
    reloads: Arc<Mutex<Reloads>>,
    counts: Arc<Counts>,
    thread: Mutex<Option<JoinHandle<Journal>>>,
}

impl Audit {
    /// Starts the thread that keeps `journal`, whose start is recorded.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn start(mut journal: Journal) -> std::io::Result<Self> {
        let (notes, noted) = sync_channel(NOTES_MAX);
        let reloads = Arc::new(Mutex::new(Reloads::default()));
        let (counts, shared) = (Arc::clone(journal.counts()), Arc::clone(&reloads));
        let run = move || {
            run(&mut journal, &noted, &shared);
            journal
        };
        let thread = std::thread::Builder::new().name("sidecar-audit".to_owned());
        let thread = Mutex::new(Some(thread.spawn(run)?));
        Ok(Self { notes, reloads, counts, thread })
    }

    /// What is counted.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Notes a request without a valid token. Waits for nothing.
    pub(crate) fn auth_failed(&self, failure: AuthFailure) {
        let index = failure.credential as usize;
        self.counts.failures[index].fetch_add(1, Ordering::Relaxed);
        if self.notes.try_send(Note::AuthFailure(failure)).is_err() {
            self.counts.unnoted[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that files were read again. A flood of other notes does not keep this one out.
    pub(crate) fn reloaded(&self, once: Reloads) {
        let mut reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        *reloads = reloads.and(once);
        // Where there is no room the thread is awake anyway.
        let _ = self.notes.try_send(Note::Look);
    }

    /// Stops the thread and hands over its journal, in which everything stands that was noted before; none where the
    /// thread has panicked.
    pub(crate) fn stop(&self) -> Option<Journal> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // It is gone if nobody takes this, and then there is nothing to stop.
        let _ = self.notes.send(Note::Stop);
        thread.join().ok()
    }
}

fn run(journal: &mut Journal, noted: &Receiver<Note>, reloads: &Mutex<Reloads>) {
    loop {
        let first = match noted.recv_timeout(TICK) {
            Ok(note) => Some(note),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut is_stopped = false;
        for note in first.into_iter().chain(noted.try_iter().take(NOTES_MAX)) {
            match note {
                Note::AuthFailure(failure) => journal.note(failure),
                Note::Look => {}
                Note::Stop => is_stopped = true,
            }
        }
        let taken = std::mem::take(&mut *reloads.lock().unwrap_or_else(PoisonError::into_inner));
        journal.reloaded(taken);
        if is_stopped {
            return;
        }
        journal.look(Instant::now());
    }
}

/// The tenant of these envelopes.
pub(crate) fn tenant_id() -> TenantId {
    #[expect(clippy::expect_used, reason = "a constant, which a test of its crate parses")]
    TenantId::new(TENANT).expect("a tenant id")
}
