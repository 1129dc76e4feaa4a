//! The one writer: a connection that one thread has at a time.
//!
//! Whoever commits writes on its own thread: there is nobody to hand the commit to and to be woken by. So many may
//! wait for it, and no more. After a commit of which it cannot say whether it landed it writes nothing more.
//! Deliberately absent: any wait for more work to come, which the engine collects in front of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use recorder_core::idempotency::IdempotencyKey;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::claim;
use super::failure::Failure;
use super::transaction::{Abort, Transaction};
use crate::error::{Cause, CommitError};
use crate::fault::{Fault, Injected};
use crate::record::Commit;

/// Something failed in a way that nobody foresaw, in the middle of a commit.
#[derive(Debug, thiserror::Error)]
#[error("the writer panicked")]
struct Panicked;

/// The door to the connection.
pub(super) struct Writer {
    inner: Mutex<Inner>,
    /// Callers who write or wait for it.
    callers: AtomicUsize,
    /// How many may wait.
    capacity: usize,
}

struct Inner {
    state: State,
    transaction: Transaction,
}

impl Writer {
    /// Takes the connection.
    pub(super) fn new(connection: Connection, schema_cookie: i64, capacity: usize) -> Self {
        let state = State { connection, schema_cookie, latched: false, fault: None };
        let inner = Mutex::new(Inner { state, transaction: Transaction::default() });
        // Without room to wait a second caller would be taken or not as it happened.
        Self { inner, callers: AtomicUsize::new(0), capacity: capacity.max(1) }
    }

    /// Writes a commit, after those who came before.
    pub(super) fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let place = Place::take(&self.callers, self.capacity.saturating_add(1));
        let Some(_place) = place else {
            return Err(CommitError::QueueFull { capacity: self.capacity });
        };
        let mut inner = self.lock();
        let Inner { state, transaction } = &mut *inner;
        if state.latched {
            return Err(CommitError::Latched);
        }
        // A panic is answered here: the next caller must find the writer latched, and not its lock poisoned.
        let written = catch_unwind(AssertUnwindSafe(|| state.commit(transaction, &commit)));
        written.unwrap_or_else(|_| Err(state.unknown(Arc::new(Panicked))))
    }

    /// Makes the next commit that reaches its end fail as `fault` says.
    pub(super) fn testing_only_fail_next_commit(&self, fault: Fault) {
        self.lock().state.fault = Some(fault);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| {
            let mut inner = poisoned.into_inner();
            inner.state.latched = true;
            inner
        })
    }
}

/// One caller's place.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(callers: &'a AtomicUsize, callers_max: usize) -> Option<Self> {
        let place = Self(callers);
        (callers.fetch_add(1, Ordering::AcqRel) < callers_max).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

struct State {
    connection: Connection,
    schema_cookie: i64,
    latched: bool,
    fault: Option<Fault>,
}

impl Drop for State {
    fn drop(&mut self) {
        if self.latched {
            // Closing the last connection would write the log into the file, after a write that failed.
            let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            let _ = self.connection.set_db_config(no_checkpoint, true);
        }
    }
}

impl State {
    fn commit(
        &mut self,
        transaction: &mut Transaction,
        commit: &Commit,
    ) -> Result<(), CommitError> {
        self.execute("BEGIN IMMEDIATE").map_err(|error| refused(error.into()))?;
        if let Err(abort) = transaction.write(&self.connection, self.schema_cookie, commit) {
            return Err(self.roll_back(transaction, abort, commit));
        }
        let fault = self.fault.take();
        if fault == Some(Fault::Lost) {
            return Err(self.unknown(Arc::new(Injected)));
        }
        // A crash on the next line leaves all of the commit or nothing of it, and the caller without an answer.
        if let Err(error) = self.execute("COMMIT") {
            return Err(self.unknown(Arc::new(error)));
        }
        transaction.committed();
        match fault {
            Some(_) => Err(self.unknown(Arc::new(Injected))),
            None => Ok(()),
        }
    }

    fn execute(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// Latches; nothing is known of the commit that was under way.
    fn unknown(&mut self, cause: Cause) -> CommitError {
        self.latched = true;
        if !self.connection.is_autocommit() {
            let _ = self.execute("ROLLBACK");
        }
        CommitError::OutcomeUnknown(cause)
    }

    fn roll_back(
        &mut self,
        transaction: &mut Transaction,
        abort: Abort,
        commit: &Commit,
    ) -> CommitError {
        transaction.rolled_back();
        // SQLite itself rolls back after some errors.
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            return self.unknown(Arc::new(error));
        }
        match abort {
            Abort::Refused(error) => error,
            Abort::Failed(Failure::Sql(error)) if is_io_error(&error) => {
                self.unknown(Arc::new(error))
            }
            Abort::Failed(failure) => refused(failure),
            Abort::EnvelopeTaken => match transaction.taken(&self.connection, commit) {
                Ok(ids) if ids.is_empty() => refused(Failure::corrupt(
                    format!("envelopes of {}", commit.stream),
                    "a position beyond the head is taken",
                )),
                Ok(ids) => CommitError::EnvelopesExist { ids },
                Err(failure) => refused(failure),
            },
            Abort::KeyTaken => match taken_keys(&self.connection, commit) {
                Ok(keys) if keys.is_empty() => refused(Failure::corrupt(
                    format!("claims of {}", commit.stream),
                    "a place beyond the last is taken",
                )),
                Ok(keys) => CommitError::KeysTaken { keys },
                Err(failure) => refused(failure),
            },
        }
    }
}

fn taken_keys(connection: &Connection, commit: &Commit) -> Result<Vec<IdempotencyKey>, Failure> {
    match &commit.claims {
        Some(claims) => claim::taken(connection, &commit.stream, claims),
        None => Ok(Vec::new()),
    }
}

/// A failed write of the log may have left bytes that only a new look at the file can judge.
fn is_io_error(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// Nothing was written.
fn refused(failure: Failure) -> CommitError {
    match failure {
        Failure::Sql(error) => CommitError::Storage(Arc::new(error)),
        Failure::Corrupt(corruption) => CommitError::Corrupt(corruption),
    }
}
