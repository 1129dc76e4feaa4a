//! The one writer: a thread with its own connection behind a bounded queue.
//!
//! It never waits for more work to come: while one commit waits for the disk, the next collects in front of the
//! queue. After a commit of which it cannot say whether it landed it writes nothing more.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use recorder_core::idempotency::IdempotencyKey;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

use super::claim;
use super::failure::Failure;
use super::transaction::{Abort, Transaction};
use crate::error::{Cause, CommitError};
use crate::fault::{Fault, Injected};
use crate::record::Commit;

struct Request {
    commit: Commit,
    answer: SyncSender<Result<(), CommitError>>,
}

/// The door to the writer's thread.
pub(super) struct Writer {
    queue: Option<SyncSender<Request>>,
    capacity: usize,
    thread: Option<JoinHandle<()>>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        schema_cookie: i64,
        capacity: usize,
    ) -> std::io::Result<Self> {
        // A queue without room would take nothing unless the writer happened to be waiting.
        let capacity = capacity.max(1);
        let (queue, requests) = sync_channel(capacity);
        let fault = Arc::new(Mutex::new(None));
        let state = State { connection, schema_cookie, latched: false, fault: Arc::clone(&fault) };
        let thread = Builder::new()
            .name("recorder-store-writer".to_owned())
            .spawn(move || state.run(&requests))?;
        Ok(Self { queue: Some(queue), capacity, thread: Some(thread), fault })
    }

    /// Hands a commit over and waits for its end.
    pub(super) fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let (answer, outcome) = sync_channel(1);
        let Some(queue) = &self.queue else { return Err(CommitError::Latched) };
        match queue.try_send(Request { commit, answer }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                return Err(CommitError::QueueFull { capacity: self.capacity });
            }
            Err(TrySendError::Disconnected(_)) => return Err(CommitError::Latched),
        }
        // A thread that died with the request in hand may have died after the commit.
        outcome.recv().unwrap_or_else(|error| Err(CommitError::OutcomeUnknown(Arc::new(error))))
    }

    /// Makes the next commit that reaches its end fail as `fault` says.
    pub(super) fn testing_only_fail_next_commit(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported there; here is nobody left to tell.
            let _ = thread.join();
        }
    }
}

struct State {
    connection: Connection,
    schema_cookie: i64,
    latched: bool,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl State {
    fn run(mut self, requests: &Receiver<Request>) {
        let mut transaction = Transaction::default();
        for Request { commit, answer } in requests {
            let outcome = if self.latched {
                Err(CommitError::Latched)
            } else {
                self.commit(&mut transaction, &commit)
            };
            // The caller's envelopes are the caller's alone again before the caller hears.
            drop(commit);
            // Whoever asked may have gone away; the commit stands all the same.
            let _ = answer.send(outcome);
        }
        if self.latched {
            // Closing the last connection would write the log into the file, after a write that failed.
            let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            let _ = self.connection.set_db_config(no_checkpoint, true);
        }
    }

    fn commit(
        &mut self,
        transaction: &mut Transaction,
        commit: &Commit,
    ) -> Result<(), CommitError> {
        self.execute("BEGIN IMMEDIATE").map_err(|error| refused(error.into()))?;
        if let Err(abort) = transaction.write(&self.connection, self.schema_cookie, commit) {
            return Err(self.roll_back(transaction, abort, commit));
        }
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
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
