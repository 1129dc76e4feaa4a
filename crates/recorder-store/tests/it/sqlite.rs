//! What only the store in a file has: its opening, its lock, its queue, and its two ways to fail.

use std::fs::OpenOptions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use recorder_store::fault::Fault;
use recorder_store::{CommitError, OpenError, SqliteOptions, SqliteStore, Store, Synchronous};
use rusqlite::Connection;

use crate::fixture::{Act, Author, Spec, append};

/// Options for tests: the disk's part is not tested here, and waiting for it is slow.
pub(crate) fn options() -> SqliteOptions {
    SqliteOptions { synchronous: Synchronous::Normal, ..SqliteOptions::default() }
}

/// Where `create` puts the database.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("recorder.db")
}

/// A new store in `directory`.
pub(crate) fn create(directory: &Path) -> SqliteStore {
    SqliteStore::create(&path(directory), &options()).unwrap()
}

/// Why the file at `path` is not opened.
#[track_caller]
pub(crate) fn refusal(path: &Path) -> OpenError {
    match SqliteStore::open(path, &options()) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

#[test]
fn a_missing_database_is_never_created() {
    let directory = tempfile::tempdir().unwrap();
    for missing in [path(directory.path()), directory.path().join("nowhere/recorder.db")] {
        assert!(matches!(refusal(&missing), OpenError::NotFound { .. }));
        let read_only = SqliteStore::open_read_only(&missing, &options());
        assert!(matches!(read_only, Err(OpenError::NotFound { .. })));
    }
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}

#[test]
fn an_existing_file_or_log_is_never_taken_over() {
    for name in ["recorder.db", "recorder.db-wal", "recorder.db-shm", "recorder.db-journal"] {
        let directory = tempfile::tempdir().unwrap();
        let stray = directory.path().join(name);
        symlink("nowhere", &stray).unwrap();
        let refused = SqliteStore::create(&path(directory.path()), &options());
        let Err(OpenError::AlreadyExists { path }) = refused else { panic!("{name}") };
        assert_eq!(path.file_name(), stray.file_name());
    }
}

#[test]
fn only_the_owner_can_read_what_is_created() {
    let directory = tempfile::tempdir().unwrap();
    let store = create(directory.path());
    store.commit(Author::new("a").commit(&[Act::Open])).unwrap();
    let mut names = 0;
    for entry in directory.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.file_name());
        names += 1;
    }
    assert_eq!(names, 4, "database, log, shared memory and lock");
}

#[test]
fn files_that_are_no_database_of_ours_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    OpenOptions::new().write(true).create_new(true).open(file("empty")).unwrap();
    std::fs::copy("Cargo.toml", file("text")).unwrap();
    std::fs::create_dir(file("directory")).unwrap();
    symlink(file("text"), file("link")).unwrap();
    Connection::open(file("foreign")).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    for name in ["empty", "text", "directory", "link", "foreign"] {
        assert!(matches!(refusal(&file(name)), OpenError::NotOurs { .. }), "{name}");
        let read_only = SqliteStore::open_read_only(&file(name), &options());
        assert!(matches!(read_only, Err(OpenError::NotOurs { .. })), "{name}");
    }
}

#[test]
fn there_is_one_writer_and_any_number_of_readers() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, mut author) = (create(directory.path()), Author::new("a"));
    assert!(matches!(refusal(&path(directory.path())), OpenError::InUse { .. }));
    let readers =
        [0, 1].map(|_| SqliteStore::open_read_only(&path(directory.path()), &options()).unwrap());
    writer.commit(author.commit(&[Act::Open, append(2)])).unwrap();
    for reader in &readers {
        assert_eq!(reader.head(&author.stream).unwrap(), writer.head(&author.stream).unwrap());
        let refused = reader.commit(author.clone().commit(&[append(1)]));
        assert!(matches!(refused, Err(CommitError::ReadOnly)));
    }
    drop(writer);
    let writer = SqliteStore::open(&path(directory.path()), &options()).unwrap();
    writer.commit(author.commit(&[append(1)])).unwrap();
    assert_eq!(readers[0].head(&author.stream).unwrap().unwrap().next_position, 3);
}

#[test]
fn everything_is_there_after_it_was_closed() {
    let directory = tempfile::tempdir().unwrap();
    let mut author = Author::new("a");
    let mut expected = None;
    for _ in 0..3 {
        let store = match expected {
            None => create(directory.path()),
            Some(_) => SqliteStore::open(&path(directory.path()), &options()).unwrap(),
        };
        if let Some(expected) = &expected {
            assert_eq!(&store.head(&author.stream).unwrap(), expected);
        }
        store.commit(author.commit(&[Act::Open, append(300), Act::Seal, Act::Checkpoint])).unwrap();
        expected = Some(store.head(&author.stream).unwrap());
    }
}

#[test]
fn durability_is_said_as_it_is() {
    for (synchronous, word) in [(Synchronous::Full, "fsync"), (Synchronous::Normal, "process")] {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions { synchronous, ..SqliteOptions::default() };
        let store = SqliteStore::create(&path(directory.path()), &options).unwrap();
        assert_eq!(store.durability(), word);
    }
}

#[test]
fn every_write_may_be_lost_or_land_and_is_told_apart_after_opening_again() {
    let writes = [
        vec![Act::Open],
        vec![append(3)],
        vec![append(260), Act::Seal],
        vec![append(1), Act::Checkpoint],
        vec![append(2), Act::Seal, Act::Open, append(2)],
    ];
    for (case, acts) in writes.iter().enumerate() {
        for fault in [Fault::Lost, Fault::Landed] {
            let directory = tempfile::tempdir().unwrap();
            let (store, mut author) = (create(directory.path()), Author::new("a"));
            if case > 0 {
                store.commit(author.commit(&[Act::Open, append(1)])).unwrap();
            }
            let (before, untouched) = (store.head(&author.stream).unwrap(), author.clone());
            store.testing_only_fail_next_commit(fault);
            let failed = store.commit(author.commit(acts));
            assert!(matches!(failed, Err(CommitError::OutcomeUnknown(_))));
            let refused = store.commit(author.clone().commit(&[Act::Checkpoint]));
            assert!(matches!(refused, Err(CommitError::Latched)));
            drop(store);
            let store = SqliteStore::open(&path(directory.path()), &options()).unwrap();
            let after = store.head(&author.stream).unwrap();
            let mut author = match fault {
                Fault::Lost => {
                    assert_eq!(after, before);
                    untouched
                }
                Fault::Landed => author,
            };
            assert_eq!(
                after.map(|head| head.expected()).unwrap_or(before_all()),
                author.expected()
            );
            let next = if author.is_open() { append(1) } else { Act::Open };
            store.commit(author.commit(&[next])).unwrap();
            assert_eq!(store.check_medium().unwrap(), []);
        }
    }
}

fn before_all() -> recorder_store::ExpectedHead {
    recorder_store::StreamHead::EMPTY.expected()
}

#[test]
fn a_full_queue_refuses_and_loses_nothing() {
    const CALLERS: usize = 8;
    const CAPACITY: usize = 2;
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions { queue_capacity: CAPACITY, busy_timeout_ms: 60_000, ..options() };
    let store = SqliteStore::create(&path(directory.path()), &options).unwrap();
    let blocker = Connection::open(path(directory.path())).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (answers, received) = channel();
    let mut accepted = Vec::new();
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (answers, store) = (answers.clone(), &store);
            scope.spawn(move || {
                let mut author = Author::new(&format!("tenant-{caller}"));
                let outcome = store.commit(author.commit(&[Act::Open, append(5)]));
                answers.send((author, outcome)).unwrap();
            });
        }
        // One commit is in the writer's hands, two wait: the others are told before anything is written.
        for _ in 0..CALLERS - CAPACITY - 1 {
            let (_, outcome) = received.recv().unwrap();
            assert!(matches!(outcome, Err(CommitError::QueueFull { capacity: CAPACITY })));
        }
        assert_eq!(store.streams().unwrap(), []);
        blocker.execute_batch("ROLLBACK").unwrap();
        drop(answers);
        for (author, outcome) in &received {
            match outcome {
                Ok(()) => accepted.push(author),
                // The writer had not yet taken the first from the queue when this one came.
                Err(error) => assert!(matches!(error, CommitError::QueueFull { .. }), "{error}"),
            }
        }
    });
    assert!(accepted.len() >= CAPACITY);
    accepted.sort_by(|a, b| a.stream.cmp(&b.stream));
    let streams: Vec<_> = accepted.iter().map(|author| author.stream.clone()).collect();
    assert_eq!(store.streams().unwrap(), streams);
    for author in &mut accepted {
        let head = store.head(&author.stream).unwrap().unwrap();
        assert_eq!(head.expected(), author.expected());
        store.commit(author.commit(&[append(1)])).unwrap();
    }
    assert_eq!(store.check_medium().unwrap(), []);
}

#[test]
fn a_lock_that_does_not_go_away_is_a_failure_without_a_trace() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions { busy_timeout_ms: 1, ..options() };
    let store = SqliteStore::create(&path(directory.path()), &options).unwrap();
    let blocker = Connection::open(path(directory.path())).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut author = Author::new("a");
    let commit = author.commit(&[Act::Open, append(1)]);
    assert!(matches!(store.commit(commit.clone()), Err(CommitError::Storage(_))));
    blocker.execute_batch("ROLLBACK").unwrap();
    store.commit(commit).unwrap();
}

#[test]
fn a_row_costs_little_more_than_its_payload() {
    const ROWS: usize = 2048;
    let directory = tempfile::tempdir().unwrap();
    let (store, mut author) = (create(directory.path()), Author::new("a"));
    let payload = format!(r#"{{"text":"{}"}}"#, "x".repeat(1000));
    let spec = Spec {
        payload: payload.clone(),
        trace: Some("0af7651916cd43dd8448eb211c80319c"),
        session: Some("session-1"),
        ..Spec::default()
    };
    let rows = Act::Append(vec![spec; ROWS]);
    store.commit(author.commit(&[Act::Open, rows])).unwrap();
    drop(store);
    let file_bytes = path(directory.path()).metadata().unwrap().len();
    let payload_bytes = (ROWS * payload.len()) as u64;
    assert!(file_bytes * 10 <= payload_bytes * 16, "{file_bytes} for {payload_bytes}");
}
