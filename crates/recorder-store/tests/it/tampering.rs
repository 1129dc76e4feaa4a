//! A file that somebody else has written to: each manipulation is refused at opening or named when it is met.

use std::ops::ControlFlow;
use std::path::Path;

use recorder_core::filter::EnvelopeFilter;
use recorder_store::{CommitError, Corruption, OpenError, ReadError, SqliteStore, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixture::{Act, Author, Spec, append, attachment, segment_id};
use crate::sqlite::{create, options, path, refusal};

/// A closed database: two sealed segments and an open one, with everything in them that a row can hold.
fn victim() -> (TempDir, Author) {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut author) = (create(directory.path()), Author::new("a"));
    let rich = Spec {
        trace: Some("trace"),
        session: Some("session"),
        attachments: vec![attachment("bytes")],
        ..Spec::default()
    };
    let rich = Act::Append(vec![rich; 4]);
    store.commit(author.commit(&[Act::Open, rich, Act::Seal, Act::Checkpoint])).unwrap();
    store.commit(author.commit(&[Act::Open, append(300), Act::Seal, Act::Checkpoint])).unwrap();
    store.commit(author.commit(&[Act::Open, append(3)])).unwrap();
    (directory, author)
}

/// A copy of the closed database in `original`.
fn copy(original: &TempDir) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(path(original.path()), path(directory.path())).unwrap();
    directory
}

/// Runs SQL on the file as somebody with the `sqlite3` shell would.
fn tamper(directory: &Path, sql: &str) {
    let connection = Connection::open(path(directory)).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(sql).unwrap();
}

/// Key of the row at `position` of the first stream.
fn key(position: u64) -> u64 {
    (1 << 40) + position
}

#[test]
fn a_changed_schema_is_refused_by_the_name_of_what_changed() {
    let relabel = "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, ' WHERE trace_id IS NOT NULL', '')
        WHERE name = 'envelopes_by_trace'";
    let cases = [
        (
            "CREATE TRIGGER swallow BEFORE INSERT ON envelopes BEGIN SELECT raise(IGNORE); END",
            "trigger swallow",
        ),
        (
            "ALTER TABLE envelopes RENAME TO hidden; CREATE VIEW envelopes AS
             SELECT * FROM hidden WHERE sequence <> 1",
            "table hidden",
        ),
        (relabel, "index envelopes_by_trace"),
        ("DROP INDEX segments_open", "index segments_open"),
        ("CREATE TABLE extra (a)", "table extra"),
        ("ALTER TABLE streams ADD COLUMN extra TEXT", "table streams"),
        ("ANALYZE", "table sqlite_stat1"),
        ("PRAGMA journal_mode = DELETE", "journal_mode delete"),
    ];
    let (original, _) = victim();
    for (sql, name) in cases {
        let directory = copy(&original);
        tamper(directory.path(), sql);
        for refused in [
            refusal(&path(directory.path())),
            SqliteStore::open_read_only(&path(directory.path()), &options()).err().unwrap(),
        ] {
            let OpenError::SchemaTampered { object } = refused else { panic!("{sql}: {refused}") };
            assert_eq!(object, name, "{sql}");
        }
    }
}

#[test]
fn another_version_or_another_program_is_refused() {
    let (directory, _) = victim();
    tamper(directory.path(), "PRAGMA user_version = 7");
    let refused = refusal(&path(directory.path()));
    assert!(matches!(refused, OpenError::OtherVersion { found: 7, expected: 2 }), "{refused}");
    tamper(directory.path(), "PRAGMA application_id = 7");
    assert!(matches!(refusal(&path(directory.path())), OpenError::NotOurs { .. }));
}

#[test]
fn a_schema_changed_under_an_open_store_stops_reads_and_writes() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut author) = (create(directory.path()), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(1)])).unwrap();
    tamper(
        directory.path(),
        "CREATE TRIGGER swallow BEFORE INSERT ON envelopes BEGIN SELECT raise(IGNORE); END",
    );
    assert!(matches!(store.commit(author.commit(&[append(1)])), Err(CommitError::Corrupt(_))));
    assert!(matches!(store.head(&author.stream), Err(ReadError::Corrupt(_))));
}

#[test]
fn a_row_changed_under_an_open_store_is_missed_by_the_next_commit() {
    for change in [
        format!("DELETE FROM envelopes WHERE envelope_key = {}", key(1)),
        "DELETE FROM checkpoints".to_owned(),
        "UPDATE streams SET segment_count = 2".to_owned(),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (store, mut author) = (create(directory.path()), Author::new("a"));
        store.commit(author.commit(&[Act::Open, append(1), Act::Checkpoint])).unwrap();
        // What the store wrote itself it need not read again; what somebody else wrote since, it must.
        store.commit(author.commit(&[append(1)])).unwrap();
        tamper(directory.path(), &change);
        let refused = store.commit(author.commit(&[append(1)]));
        assert!(matches!(refused, Err(CommitError::Corrupt(_))), "{change}: {refused:?}");
    }
}

/// What reading everything of the store says is wrong first.
fn first_corruption(store: &dyn Store, author: &Author) -> Option<Corruption> {
    let stream = &author.stream;
    let everything = EnvelopeFilter::default();
    let mut visit = |_| ControlFlow::Continue(());
    let outcome = store
        .streams()
        .and_then(|_| store.head(stream))
        .and_then(|_| store.segments(stream, 0..u64::MAX))
        .and_then(|_| store.scan(stream, &everything, 0..u64::MAX, &mut visit))
        .and_then(|()| store.attachment(&attachment("bytes").reference().content_hash))
        .and_then(|_| store.chain_hashes(stream, 0..author.envelopes.len() as u64))
        .and_then(|_| {
            store.tile(stream, recorder_envelope::merkle::TileCoordinates { level: 0, index: 0 })
        });
    match outcome {
        Ok(_) => None,
        Err(ReadError::Corrupt(corruption)) => Some(corruption),
        Err(error) => panic!("{error:?}"),
    }
}

/// What is set, in which table, and the row that must be named.
///
/// NULL and a wrong type get past the file's own checks only where those are absent, so hostile values keep to
/// what STRICT lets through.
type Edit = (String, &'static str);

fn envelope_edits() -> Vec<Edit> {
    let envelope = |set: &str| {
        (
            format!("envelopes SET {set} WHERE envelope_key = {}", key(1)),
            "envelopes row 1099511627777",
        )
    };
    vec![
        envelope("sequence = 7"),
        envelope("segment_key = segment_key + 1"),
        envelope("stream_number = 2"),
        envelope("recorded_at = -1"),
        envelope("envelope_id = zeroblob(16)"),
        envelope("claimed_nanoseconds = 1000000000"),
        envelope("claimed_nanoseconds = -1"),
        envelope("claimed_seconds = -1"),
        envelope("trace_id = ''"),
        envelope("session_id = 'a' || char(8238)"),
        envelope("parent_ids = zeroblob(15)"),
        envelope("parent_ids = zeroblob(16)"),
        envelope("attachment_refs = '[{}]'"),
        envelope("payload = '{\"b\":1,\"a\":2}'"),
        envelope("payload = '[]'"),
        envelope("payload = CAST(x'7b22ff22' AS TEXT)"),
        envelope("payload = NULL"),
        envelope("payload_salt = NULL"),
        (
            format!("envelopes SET segment_key = 5 WHERE envelope_key = {}", key(1)),
            "segments row 5",
        ),
        (
            format!("envelopes SET event_type = 999 WHERE envelope_key = {}", key(1)),
            "texts row 999",
        ),
    ]
}

fn other_edits() -> Vec<Edit> {
    vec![
        ("texts SET text = 'Not An Event Type' WHERE text = 'tool.call'".to_owned(), "texts row 1"),
        ("texts SET text = '' WHERE text = 'agent'".to_owned(), "texts row 2"),
        (
            "segments SET genesis = '{}' WHERE first_position = 0".to_owned(),
            "segments row 1099511627776",
        ),
        (
            "segments SET opened_at = 1 WHERE first_position = 0".to_owned(),
            "segments row 1099511627776",
        ),
        (
            "segments SET signed_seal = '{}' WHERE first_position = 0".to_owned(),
            "segments row 1099511627776",
        ),
        (
            "segments SET envelope_count = 3 WHERE first_position = 0".to_owned(),
            "segments row 1099511627776",
        ),
        ("streams SET next_position = 306".to_owned(), "streams row of a/recorder"),
        ("streams SET next_position = -1".to_owned(), "streams row 1"),
        ("streams SET chain_head = zeroblob(32)".to_owned(), "streams row of a/recorder"),
        ("streams SET last_recorded_at = 1".to_owned(), "streams row of a/recorder"),
        ("streams SET segment_count = 2".to_owned(), "streams row of a/recorder"),
        ("streams SET checkpoint_count = 1".to_owned(), "streams row of a/recorder"),
        ("streams SET tenant_id = ' '".to_owned(), "streams row 1"),
        ("attachments SET bytes = x'00', size_bytes = 1".to_owned(), "attachments row 1"),
        ("attachments SET size_bytes = 1".to_owned(), "attachments row 1"),
        (
            "checkpoints SET tree_size = -1 WHERE tree_size = 304".to_owned(),
            "checkpoints row 1099511627777",
        ),
    ]
}

#[test]
fn an_edited_row_is_named_where_it_is_read() {
    let (original, author) = victim();
    for (change, place) in envelope_edits().into_iter().chain(other_edits()) {
        let directory = copy(&original);
        tamper(directory.path(), &format!("UPDATE {change}"));
        let store = SqliteStore::open(&path(directory.path()), &options()).unwrap();
        let found = first_corruption(&store, &author);
        assert_eq!(found.as_ref().map(|c| c.place.as_str()), Some(place), "{change}: {found:?}");
    }
}

#[test]
fn a_deleted_row_is_missed_by_reads_and_by_the_check() {
    let deletions = [
        format!("envelopes WHERE envelope_key = {}", key(2)),
        format!("envelopes WHERE envelope_key = {}", key(306)),
        format!("segments WHERE segment_key = {}", key(0)),
        format!("segments WHERE segment_key = {}", key(2)),
        format!("checkpoints WHERE checkpoint_key = {}", key(1)),
        "tiles".to_owned(),
    ];
    let (original, author) = victim();
    for deletion in deletions {
        let directory = copy(&original);
        tamper(directory.path(), &format!("DELETE FROM {deletion}"));
        let store = SqliteStore::open(&path(directory.path()), &options()).unwrap();
        assert_ne!(first_corruption(&store, &author), None, "{deletion}");
        if deletion.starts_with("envelopes") {
            let mut visit = |_| ControlFlow::Continue(());
            let everything = EnvelopeFilter::default();
            let scanned = store.scan(&author.stream, &everything, 0..u64::MAX, &mut visit);
            assert!(matches!(scanned, Err(ReadError::Corrupt(_))), "{deletion}");
        }
        assert_ne!(store.check_medium().unwrap(), [], "{deletion}");
    }
}

#[test]
fn several_open_segments_are_corruption_and_never_a_choice() {
    let (directory, mut author) = victim();
    // The unique index is replaced by one that is not, and then relabelled, so that the schema looks right.
    tamper(
        directory.path(),
        "CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'segments_open';
         DROP INDEX segments_open;
         CREATE INDEX segments_open ON segments (stream_number) WHERE signed_seal IS NULL;
         UPDATE segments SET signed_seal = NULL WHERE first_position = 4;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = 'segments_open'",
    );
    let store = SqliteStore::open(&path(directory.path()), &options()).unwrap();
    let Err(ReadError::Corrupt(found)) = store.head(&author.stream) else { panic!() };
    assert_eq!(found.detail, "more than one segment is open");
    let refused = store.commit(author.commit(&[append(1)]));
    assert!(matches!(refused, Err(CommitError::Corrupt(_))));
    assert!(matches!(store.segment(&author.stream, segment_id(1)), Err(ReadError::Corrupt(_))));
    assert_ne!(store.check_medium().unwrap(), []);
}

#[test]
fn an_index_that_lies_is_found_by_the_check() {
    let (directory, author) = victim();
    tamper(
        directory.path(),
        "CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'envelopes_by_trace';
         DROP INDEX envelopes_by_trace;
         CREATE INDEX envelopes_by_trace ON envelopes (stream_number, session_id)
         WHERE trace_id IS NOT NULL AND sequence < 2;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = 'envelopes_by_trace'",
    );
    let store = SqliteStore::open(&path(directory.path()), &options()).unwrap();
    assert_ne!(store.check_medium().unwrap(), []);
    // It gives rows of another trace, which are refused, and hides others, which only the check can see.
    let session_as_trace = EnvelopeFilter {
        trace_ids: Some(["session".parse().unwrap()].into()),
        ..Default::default()
    };
    let mut visit = |_| ControlFlow::Continue(());
    let answer = store.scan(&author.stream, &session_as_trace, 0..u64::MAX, &mut visit);
    assert!(matches!(answer, Err(ReadError::Corrupt(_))));
}

#[test]
fn a_deleted_log_leaves_an_older_whole_stream_that_only_a_head_elsewhere_can_tell() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut author) = (create(directory.path()), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(2)])).unwrap();
    drop(store);
    let store = SqliteStore::open(&path(directory.path()), &options()).unwrap();
    store.commit(author.clone().commit(&[append(5)])).unwrap();
    let stolen = tempfile::tempdir().unwrap();
    std::fs::copy(path(directory.path()), path(stolen.path())).unwrap();
    let cut = SqliteStore::open(&path(stolen.path()), &options()).unwrap();
    assert_eq!(cut.head(&author.stream).unwrap().unwrap().expected(), author.expected());
    assert_eq!(cut.check_medium().unwrap(), []);
}
