//! Schema 2 of the database file, and the check that a file holds it and nothing else.
//!
//! Every row's key says where it belongs: `stream_number × 2⁴⁰ + index`, so that a table is in stream order and
//! needs no second index for it. There are no triggers, views or generated columns, and no statistics tables: all of
//! them are ways to make a query mean something else.
//!
//! What each index of `envelopes` costs an append, in processor time on two busy cores at 512 rows of 1 KB a commit,
//! where a row without trace and session takes 7 µs; and the query that pays for it:
//!
//! - `envelopes_by_id`: within the noise, as long as ids are UUIDv7 and so come in order. Uniqueness for ever, so
//!   that no retry stores twice; `Store::envelope`.
//! - `envelopes_by_trace` and `envelopes_by_session`: 0.6 to 1.0 µs each, and only for rows that have one. The filters
//!   of the same names, which would otherwise read the whole stream.
//!
//! `claims` remembers requests by their idempotency keys, in the order in which they came, so that the oldest are
//! found at its beginning. It is no evidence: its rows are the only ones that are ever removed.
//!
//! The foreign keys cost nothing that could be measured.

use rusqlite::Connection;

use super::failure::Failure;

/// `PRAGMA application_id`: "RCRD".
pub(super) const APPLICATION_ID: i64 = 0x5243_5244;

/// `PRAGMA user_version`: the version of this schema.
pub(super) const SCHEMA_VERSION: i64 = 2;

/// Bytes of a page: with 4,096 many rows of 1 KB leave a page half empty.
pub(super) const PAGE_BYTES: i64 = 8192;

/// One row of `sqlite_schema`.
pub(super) struct Object {
    kind: &'static str,
    name: &'static str,
    table: &'static str,
    pub(super) sql: &'static str,
}

const fn table(name: &'static str, sql: &'static str) -> Object {
    Object { kind: "table", name, table: name, sql }
}

const fn index(name: &'static str, table: &'static str, sql: &'static str) -> Object {
    Object { kind: "index", name, table, sql }
}

/// Every object of the schema, in the order of their creation.
pub(super) const OBJECTS: [Object; 18] = [
    table(
        "streams",
        "CREATE TABLE streams (
  stream_number INTEGER PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  recorder_id TEXT NOT NULL,
  next_position INTEGER NOT NULL,
  chain_head BLOB CHECK (length(chain_head) = 32),
  last_recorded_at INTEGER,
  segment_count INTEGER NOT NULL,
  checkpoint_count INTEGER NOT NULL
) STRICT",
    ),
    index(
        "streams_by_name",
        "streams",
        "CREATE UNIQUE INDEX streams_by_name ON streams (tenant_id, recorder_id)",
    ),
    table(
        "segments",
        "CREATE TABLE segments (
  segment_key INTEGER PRIMARY KEY,
  stream_number INTEGER NOT NULL REFERENCES streams (stream_number),
  segment_id BLOB NOT NULL CHECK (length(segment_id) = 16),
  first_position INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  genesis TEXT NOT NULL,
  envelope_count INTEGER,
  sealed_at INTEGER,
  signed_seal TEXT
) STRICT",
    ),
    index(
        "segments_by_id",
        "segments",
        "CREATE UNIQUE INDEX segments_by_id ON segments (segment_id, stream_number)",
    ),
    index(
        "segments_open",
        "segments",
        "CREATE UNIQUE INDEX segments_open ON segments (stream_number) WHERE signed_seal IS NULL",
    ),
    table(
        "texts",
        "CREATE TABLE texts (
  text_number INTEGER PRIMARY KEY,
  text TEXT NOT NULL
) STRICT",
    ),
    index("texts_by_text", "texts", "CREATE UNIQUE INDEX texts_by_text ON texts (text)"),
    table(
        "envelopes",
        "CREATE TABLE envelopes (
  envelope_key INTEGER PRIMARY KEY,
  stream_number INTEGER NOT NULL REFERENCES streams (stream_number),
  segment_key INTEGER NOT NULL REFERENCES segments (segment_key),
  sequence INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  envelope_id BLOB NOT NULL CHECK (length(envelope_id) = 16),
  event_type INTEGER NOT NULL REFERENCES texts (text_number),
  actor_id INTEGER NOT NULL REFERENCES texts (text_number),
  environment_id INTEGER NOT NULL REFERENCES texts (text_number),
  claimed_seconds INTEGER NOT NULL,
  claimed_nanoseconds INTEGER NOT NULL,
  trace_id TEXT,
  session_id TEXT,
  parent_ids BLOB,
  attachment_refs TEXT,
  payload_salt BLOB CHECK (length(payload_salt) = 16),
  payload_commitment BLOB NOT NULL CHECK (length(payload_commitment) = 32),
  content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
  chain_hash BLOB NOT NULL CHECK (length(chain_hash) = 32),
  signature BLOB CHECK (length(signature) = 96),
  payload TEXT
) STRICT",
    ),
    index(
        "envelopes_by_id",
        "envelopes",
        "CREATE UNIQUE INDEX envelopes_by_id ON envelopes (envelope_id, stream_number)",
    ),
    index(
        "envelopes_by_trace",
        "envelopes",
        "CREATE INDEX envelopes_by_trace ON envelopes (stream_number, trace_id) \
         WHERE trace_id IS NOT NULL",
    ),
    index(
        "envelopes_by_session",
        "envelopes",
        "CREATE INDEX envelopes_by_session ON envelopes (stream_number, session_id) \
         WHERE session_id IS NOT NULL",
    ),
    table(
        "attachments",
        "CREATE TABLE attachments (
  attachment_number INTEGER PRIMARY KEY,
  content_hash BLOB NOT NULL CHECK (length(content_hash) = 32),
  size_bytes INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT",
    ),
    index(
        "attachments_by_hash",
        "attachments",
        "CREATE UNIQUE INDEX attachments_by_hash ON attachments (content_hash)",
    ),
    table(
        "tiles",
        "CREATE TABLE tiles (
  tile_number INTEGER PRIMARY KEY,
  stream_number INTEGER NOT NULL REFERENCES streams (stream_number),
  level INTEGER NOT NULL,
  tile_index INTEGER NOT NULL,
  hashes BLOB NOT NULL CHECK (length(hashes) = 8192)
) STRICT",
    ),
    index(
        "tiles_by_place",
        "tiles",
        "CREATE UNIQUE INDEX tiles_by_place ON tiles (stream_number, level, tile_index)",
    ),
    table(
        "checkpoints",
        "CREATE TABLE checkpoints (
  checkpoint_key INTEGER PRIMARY KEY,
  stream_number INTEGER NOT NULL REFERENCES streams (stream_number),
  tree_size INTEGER NOT NULL,
  root_hash BLOB NOT NULL CHECK (length(root_hash) = 32),
  note TEXT NOT NULL
) STRICT",
    ),
    table(
        "claims",
        "CREATE TABLE claims (
  claim_key INTEGER PRIMARY KEY,
  stream_number INTEGER NOT NULL REFERENCES streams (stream_number),
  idempotency_key TEXT NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 128),
  request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
  recorded_at INTEGER NOT NULL,
  positions BLOB NOT NULL
) STRICT",
    ),
    index(
        "claims_by_idempotency_key",
        "claims",
        "CREATE UNIQUE INDEX claims_by_idempotency_key ON claims (stream_number, idempotency_key)",
    ),
];

/// Names the first object of the file that is not the compiled one, or that is missing; `None` when all are right.
pub(super) fn first_difference(connection: &Connection) -> Result<Option<String>, Failure> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid")?;
    let mut rows = statement.query([])?;
    let mut seen = [false; OBJECTS.len()];
    while let Some(row) = rows.next()? {
        let text = |column: usize| -> Result<String, Failure> {
            let value = row.get_ref(column)?;
            Ok(value.as_str_or_null().ok().flatten().unwrap_or_default().to_owned())
        };
        let (kind, name, table, sql) = (text(0)?, text(1)?, text(2)?, text(3)?);
        let place = OBJECTS.iter().position(|object| {
            (object.kind, object.name, object.table, object.sql) == (&*kind, &*name, &*table, &*sql)
        });
        match place {
            Some(place) if !seen[place] => seen[place] = true,
            _ => return Ok(Some(format!("{kind} {name}"))),
        }
    }
    let missing = OBJECTS.iter().zip(seen).find(|(_, seen)| !seen);
    Ok(missing.map(|(object, _)| format!("{} {}", object.kind, object.name)))
}
