//! The floor of ingest: nothing but the insert of rows that are sealed already.
//!
//! The store's own file with the store's own statement, over a bare connection: no continuity checks, no head, no
//! tiles, no place among those who wait.

use std::collections::BTreeMap;
use std::path::Path;

use recorder::ids::{IdSource as _, SeededIds};
use recorder_core::hash::ChainHash;
use recorder_core::identity::{SegmentId, SessionId, TraceId};
use recorder_core::time::RecordedAt;
use recorder_envelope::envelope::{Place, SealedEnvelope};
use recorder_store::{SqliteOptions, SqliteStore};
use rusqlite::{Connection, OpenFlags, params};

use crate::corpus::{self, SEED, START_SECONDS};
use crate::pairs::Side;
use crate::service::{self, BATCH};

/// The store's statement, to the letter.
const INSERT: &str = "INSERT INTO envelopes (envelope_key, stream_number, segment_key, sequence, recorded_at, \
     envelope_id, event_type, actor_id, environment_id, claimed_seconds, claimed_nanoseconds, \
     trace_id, session_id, parent_ids, attachment_refs, payload_salt, payload_commitment, \
     content_hash, chain_hash, signature, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, \
     ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)";

/// The key of the only segment, and the base of every row's.
const SEGMENT_KEY: i64 = 1 << 40;

/// A row that needs nothing but to be inserted.
struct Row {
    envelope: SealedEnvelope,
    texts: [i64; 3],
    parent_ids: Option<Vec<u8>>,
}

/// Inserts block after block.
pub(crate) struct FloorDatabase {
    connection: Connection,
    ids: SeededIds,
    texts: BTreeMap<String, i64>,
    segment_id: SegmentId,
    previous: ChainHash,
    next_index: u64,
    block_rows: u64,
    rows: Vec<Row>,
}

impl FloorDatabase {
    /// Lets the store make the file at `path`, and takes it over.
    pub(crate) fn create(path: &Path, block_rows: u64) -> anyhow::Result<Self> {
        let options = SqliteOptions::default();
        drop(SqliteStore::create(path, &options)?);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = 1;
             PRAGMA cell_size_check = 1; PRAGMA temp_store = 2; PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = {};
             INSERT INTO streams VALUES (1, 'bench', 'recorder-bench', 0, NULL, NULL, 1, 0);
             INSERT INTO segments (segment_key, stream_number, segment_id, first_position, opened_at, genesis)
             VALUES ({SEGMENT_KEY}, 1, zeroblob(16), 0, 0, '{{}}');",
            options.wal_autocheckpoint_pages
        ))?;
        let ids = SeededIds::new(SEED);
        let start = RecordedAt::from_nanoseconds(START_SECONDS * 1_000_000_000)?;
        Ok(Self {
            connection,
            segment_id: ids.segment_id(start)?,
            ids,
            texts: BTreeMap::new(),
            previous: ChainHash::from_bytes([0; 32]),
            next_index: 0,
            block_rows,
            rows: Vec::new(),
        })
    }

    fn text_number(&mut self, text: &str) -> anyhow::Result<i64> {
        if let Some(number) = self.texts.get(text) {
            return Ok(*number);
        }
        self.connection.execute("INSERT INTO texts (text) VALUES (?1)", [text])?;
        let number = self.connection.last_insert_rowid();
        self.texts.insert(text.to_owned(), number);
        Ok(number)
    }

    fn seal(&mut self, index: u64) -> anyhow::Result<Row> {
        let prepared = service::prepare(&corpus::request(SEED, index).body, &self.ids)?;
        let nanoseconds = START_SECONDS * 1_000_000_000 + index as i64;
        let place = Place {
            segment_id: self.segment_id,
            sequence: index,
            position: index,
            recorded_at: RecordedAt::from_nanoseconds(nanoseconds)?,
        };
        let envelope = prepared.seal(place, &self.previous);
        self.previous = envelope.chain_hash;
        let texts = [
            self.text_number(envelope.fields.event_type.as_str())?,
            self.text_number(envelope.fields.actor_id.as_str())?,
            self.text_number(envelope.fields.environment_id.as_str())?,
        ];
        let parents = envelope.fields.parent_ids.as_slice();
        let parent_ids =
            (!parents.is_empty()).then(|| parents.iter().flat_map(|id| *id.as_bytes()).collect());
        Ok(Row { envelope, texts, parent_ids })
    }
}

impl Side for FloorDatabase {
    fn prepare(&mut self) -> anyhow::Result<()> {
        self.rows.clear();
        for index in self.next_index..self.next_index + self.block_rows {
            let row = self.seal(index)?;
            self.rows.push(row);
        }
        self.next_index += self.block_rows;
        Ok(())
    }

    fn block(&mut self) -> anyhow::Result<()> {
        for batch in self.rows.chunks(BATCH) {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            let mut statement = self.connection.prepare_cached(INSERT)?;
            for row in batch {
                insert(&mut statement, row)?;
            }
            drop(statement);
            self.connection.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }
}

fn insert(statement: &mut rusqlite::CachedStatement<'_>, row: &Row) -> anyhow::Result<()> {
    let Row { envelope, texts: [event_type, actor_id, environment_id], parent_ids } = row;
    let fields = &envelope.fields;
    let payload = envelope.payload.as_ref();
    statement.execute(params![
        SEGMENT_KEY + envelope.place.position as i64,
        1,
        SEGMENT_KEY,
        envelope.place.sequence as i64,
        envelope.place.recorded_at.nanoseconds(),
        fields.envelope_id.as_bytes().as_slice(),
        event_type,
        actor_id,
        environment_id,
        fields.claimed_time.seconds(),
        fields.claimed_time.nanoseconds(),
        fields.trace_id.as_ref().map(TraceId::as_str),
        fields.session_id.as_ref().map(SessionId::as_str),
        parent_ids,
        None::<&str>,
        payload.map(|salted| salted.salt.as_bytes().as_slice()),
        envelope.payload_commitment.as_bytes().as_slice(),
        envelope.content_hash.as_bytes().as_slice(),
        envelope.chain_hash.as_bytes().as_slice(),
        None::<&[u8]>,
        payload.map(|salted| salted.payload.as_str()),
    ])?;
    Ok(())
}
