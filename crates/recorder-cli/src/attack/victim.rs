//! A copy of a database in the hands of somebody who knows its layout and uses SQLite as it comes, unhardened.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::TreeHash;
use recorder_core::identity::StreamId;
use recorder_envelope::checkpoint::Checkpoint;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::merkle::{self, CompactRange, encode_tile};
use recorder_envelope::signing::SecretKey;
use recorder_fs::{Access, AtomicFile, Overwrite};
use recorder_store::{SqliteOptions, SqliteStore, Store as _};
use rusqlite::{Connection, ErrorCode, params};

use super::forgery::{ForgedSegment, ForgeryError};
use super::target::STORE_BYTES_MAX;

/// Hashes of a full tile.
const TILE_HASHES: usize = 256;

/// The copy.
pub(crate) struct Victim {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The stream that is attacked.
    pub(crate) stream: StreamId,
    /// Its number in the file.
    number: i64,
    /// Its envelopes.
    pub(crate) count: u64,
    /// A writer that stays while the copy is judged.
    pub(crate) other_writer: Option<SqliteStore>,
}

/// What happens to the checkpoints of a stream that is rewritten.
pub(crate) enum Notes<'a> {
    /// They stay.
    Kept,
    /// Those that cover more than so many events go.
    RemovedBeyond(u64),
    /// They are signed anew over the new log.
    Signed(&'a SecretKey),
}

fn failed(error: rusqlite::Error) -> ForgeryError {
    ForgeryError::new(error)
}

impl Victim {
    /// Takes the copy at `path`.
    pub(crate) fn new(path: PathBuf, stream: StreamId) -> Result<Self, ForgeryError> {
        let mut victim = Self { path, stream, number: 0, count: 0, other_writer: None };
        let row = victim.connect()?.query_row(
            "SELECT stream_number, next_position FROM streams WHERE tenant_id = ?1 AND recorder_id = ?2",
            (victim.stream.tenant_id.as_str(), victim.stream.recorder_id.as_str()),
            |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())),
        );
        (victim.number, victim.count) = row.map_err(failed)?;
        Ok(victim)
    }

    /// A connection without any of the store's precautions.
    pub(crate) fn connect(&self) -> Result<Connection, ForgeryError> {
        let connection = Connection::open(&self.path).map_err(failed)?;
        connection.execute_batch("PRAGMA foreign_keys = OFF").map_err(failed)?;
        Ok(connection)
    }

    /// The key of the row at `index` in its table.
    pub(crate) fn key(&self, index: u64) -> i64 {
        (self.number << 40) + index.cast_signed()
    }

    /// Runs SQL, with keys in place of `{first}`, `{middle}`, `{last}` and `{stream}`.
    pub(crate) fn sql(&self, text: &str) -> Result<(), ForgeryError> {
        let text = text
            .replace("{first}", &self.key(0).to_string())
            .replace("{middle}", &self.key(self.count / 2).to_string())
            .replace("{last}", &self.key(self.count.saturating_sub(1)).to_string())
            .replace("{stream}", &self.number.to_string());
        self.connect()?.execute_batch(&text).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => {
                ForgeryError::Absent("a constraint of the database is in the way")
            }
            _ => failed(error),
        })
    }

    /// Edits the file past SQLite.
    pub(crate) fn edit_file(
        &self,
        path: &Path,
        edit: impl FnOnce(&mut Vec<u8>) -> Result<(), ForgeryError>,
    ) -> Result<(), ForgeryError> {
        use std::io::Write as _;
        let mut bytes =
            recorder_fs::read_bounded(path, STORE_BYTES_MAX).map_err(ForgeryError::new)?;
        edit(&mut bytes)?;
        let mut file = AtomicFile::create(path, Access::Shared).map_err(ForgeryError::new)?;
        file.write_all(&bytes).map_err(ForgeryError::new)?;
        file.commit(Overwrite::Replace).map_err(ForgeryError::new)
    }

    /// The name of a file beside the database.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    }

    /// The whole stream.
    pub(crate) fn read(&self) -> Result<Vec<ForgedSegment>, ForgeryError> {
        let store = SqliteStore::open_read_only(&self.path, &SqliteOptions::default())
            .map_err(ForgeryError::new)?;
        let records = store.segments(&self.stream, 0..u64::MAX).map_err(ForgeryError::new)?;
        let mut segments: Vec<ForgedSegment> = records
            .into_iter()
            .map(|record| ForgedSegment {
                genesis: record.genesis,
                seal: record.seal,
                envelopes: Vec::new(),
            })
            .collect();
        let everything = EnvelopeFilter::default();
        let mut collect = |envelope: SealedEnvelope| {
            let segment_id = envelope.place.segment_id;
            let mut segments = segments.iter_mut();
            if let Some(segment) = segments.find(|it| it.genesis.segment_id == segment_id) {
                segment.envelopes.push(envelope);
            }
            ControlFlow::Continue(())
        };
        store
            .scan(&self.stream, &everything, 0..u64::MAX, &mut collect)
            .map_err(ForgeryError::new)?;
        Ok(segments)
    }

    /// Writes a whole stream back over the rows that are there, with everything that follows from it.
    pub(crate) fn write(
        &mut self,
        segments: &[ForgedSegment],
        notes: &Notes<'_>,
    ) -> Result<(), ForgeryError> {
        let mut connection = self.connect()?;
        let tx = connection.transaction().map_err(failed)?;
        for (index, segment) in segments.iter().enumerate() {
            self.write_segment(&tx, index as u64, segment).map_err(failed)?;
            for envelope in &segment.envelopes {
                self.write_envelope(&tx, envelope).map_err(failed)?;
            }
        }
        let envelopes = || segments.iter().flat_map(|segment| &segment.envelopes);
        let leaves: Vec<TreeHash> =
            envelopes().map(|envelope| merkle::leaf_hash(&envelope.chain_hash)).collect();
        self.count = leaves.len() as u64;
        self.write_tiles(&tx, &leaves)?;
        self.write_notes(&tx, &leaves, notes)?;
        if let Some(last) = envelopes().last() {
            tx.execute(
                "UPDATE streams SET next_position = ?2, chain_head = ?3, last_recorded_at = ?4 \
                 WHERE stream_number = ?1",
                params![
                    self.number,
                    self.count.cast_signed(),
                    last.chain_hash.as_bytes(),
                    last.place.recorded_at.nanoseconds()
                ],
            )
            .map_err(failed)?;
        }
        tx.commit().map_err(failed)
    }

    fn write_segment(
        &self,
        connection: &Connection,
        index: u64,
        segment: &ForgedSegment,
    ) -> rusqlite::Result<usize> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let seal = segment.seal.as_ref();
        connection.execute(
            "UPDATE segments SET genesis = ?2, first_position = ?3, opened_at = ?4, \
             envelope_count = ?5, sealed_at = ?6, signed_seal = ?7 WHERE segment_key = ?1",
            params![
                self.key(index),
                text(segment.genesis.to_canonical()),
                segment.genesis.first_position.cast_signed(),
                segment.genesis.opened_at.nanoseconds(),
                seal.map(|signed| signed.seal.envelope_count.cast_signed()),
                seal.map(|signed| signed.seal.sealed_at.nanoseconds()),
                seal.map(|signed| text(signed.to_canonical())),
            ],
        )
    }

    fn write_envelope(
        &self,
        connection: &Connection,
        envelope: &SealedEnvelope,
    ) -> rusqlite::Result<usize> {
        let payload = envelope.payload.as_ref();
        let signature = envelope
            .signature
            .map(|it| [it.key_id().as_bytes().as_slice(), it.value().as_slice()].concat());
        connection.execute(
            "UPDATE envelopes SET sequence = ?2, recorded_at = ?3, envelope_id = ?4, payload = ?5, \
             payload_commitment = ?6, content_hash = ?7, chain_hash = ?8, signature = ?9 \
             WHERE envelope_key = ?1",
            params![
                self.key(envelope.place.position),
                envelope.place.sequence.cast_signed(),
                envelope.place.recorded_at.nanoseconds(),
                envelope.fields.envelope_id.as_bytes(),
                payload.map(|salted| salted.payload.as_str()),
                envelope.payload_commitment.as_bytes(),
                envelope.content_hash.as_bytes(),
                envelope.chain_hash.as_bytes(),
                signature,
            ],
        )
    }

    fn write_tiles(
        &self,
        connection: &Connection,
        leaves: &[TreeHash],
    ) -> Result<(), ForgeryError> {
        connection
            .execute("DELETE FROM tiles WHERE stream_number = ?1", [self.number])
            .map_err(failed)?;
        let (mut level, mut nodes) = (0, leaves.to_vec());
        while nodes.len() >= TILE_HASHES {
            let mut above = Vec::new();
            for (index, hashes) in nodes.chunks_exact(TILE_HASHES).enumerate() {
                connection
                    .execute(
                        "INSERT INTO tiles (stream_number, level, tile_index, hashes) \
                         VALUES (?1, ?2, ?3, ?4)",
                        params![
                            self.number,
                            level,
                            (index as u64).cast_signed(),
                            encode_tile(hashes)
                        ],
                    )
                    .map_err(failed)?;
                above.push(root(hashes)?);
            }
            (level, nodes) = (level + 1, above);
        }
        Ok(())
    }

    fn write_notes(
        &self,
        connection: &Connection,
        leaves: &[TreeHash],
        notes: &Notes<'_>,
    ) -> Result<(), ForgeryError> {
        match notes {
            Notes::Kept => Ok(()),
            Notes::RemovedBeyond(size) => connection
                .execute_batch(&format!(
                    "DELETE FROM checkpoints WHERE stream_number = {number} AND tree_size > {size}; \
                     UPDATE streams SET checkpoint_count = (SELECT count(*) FROM checkpoints \
                     WHERE stream_number = {number}) WHERE stream_number = {number}",
                    number = self.number
                ))
                .map_err(failed),
            Notes::Signed(key) => self.sign_notes(connection, leaves, key),
        }
    }

    /// Signs every stored checkpoint again, over the new log at the same size or, where it became shorter, whole.
    fn sign_notes(
        &self,
        connection: &Connection,
        leaves: &[TreeHash],
        key: &SecretKey,
    ) -> Result<(), ForgeryError> {
        let mut statement = connection
            .prepare(
                "SELECT checkpoint_key, tree_size, note FROM checkpoints WHERE stream_number = ?1",
            )
            .map_err(failed)?;
        let rows = statement
            .query_map([self.number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<(i64, i64, String)>>>)
            .map_err(failed)?;
        for (row, size, note) in rows {
            let size = usize::try_from(size).map_err(ForgeryError::new)?.min(leaves.len());
            let root = root(leaves.get(..size).unwrap_or_default())?;
            let origin = note.lines().next().unwrap_or_default();
            let note = Checkpoint::new(origin, size as u64, root)
                .and_then(|checkpoint| checkpoint.sign(key))
                .map_err(ForgeryError::new)?;
            connection
                .execute(
                    "UPDATE checkpoints SET tree_size = ?2, root_hash = ?3, note = ?4 \
                     WHERE checkpoint_key = ?1",
                    params![row, (size as u64).cast_signed(), root.as_bytes(), note.render()],
                )
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Adds a checkpoint over all that is stored, as the recorder itself would before it exports.
    pub(crate) fn add_checkpoint(&self, key: &SecretKey, origin: &str) -> Result<(), ForgeryError> {
        let root = root_of(&self.read()?)?;
        let note = Checkpoint::new(origin, self.count, root)
            .and_then(|checkpoint| checkpoint.sign(key))
            .map_err(ForgeryError::new)?;
        let connection = self.connect()?;
        connection
            .execute(
                "INSERT INTO checkpoints SELECT ?1 + checkpoint_count, ?2, ?3, ?4, ?5 \
                 FROM streams WHERE stream_number = ?2",
                params![
                    self.key(0),
                    self.number,
                    self.count.cast_signed(),
                    root.as_bytes(),
                    note.render()
                ],
            )
            .map_err(failed)?;
        let sql =
            "UPDATE streams SET checkpoint_count = checkpoint_count + 1 WHERE stream_number = ?1";
        connection.execute(sql, [self.number]).map(drop).map_err(failed)
    }

    /// Takes one row out and moves those after it up.
    pub(crate) fn close_gap(&self, position: u64) -> Result<(), ForgeryError> {
        let (gap, end) = (self.key(position), (self.number + 1) << 40);
        let sql = format!(
            "BEGIN; DELETE FROM envelopes WHERE envelope_key = {gap};
             UPDATE envelopes SET envelope_key = 1 - envelope_key
             WHERE envelope_key > {gap} AND envelope_key < {end};
             UPDATE envelopes SET envelope_key = -envelope_key WHERE envelope_key < 0; COMMIT"
        );
        self.connect()?.execute_batch(&sql).map_err(failed)
    }

    /// Makes the file what it was when it held `position` envelopes.
    pub(crate) fn roll_back(&self, position: u64) -> Result<(), ForgeryError> {
        let (number, begin, end) = (self.number, self.key(0), (self.number + 1) << 40);
        let (cut, last) = (self.key(position), self.key(position.saturating_sub(1)));
        let sql = format!(
            "BEGIN; DELETE FROM envelopes WHERE envelope_key >= {cut} AND envelope_key < {end};
             DELETE FROM segments WHERE segment_key > {begin} AND segment_key < {end}
             AND first_position >= {position};
             UPDATE segments SET signed_seal = NULL, envelope_count = NULL, sealed_at = NULL
             WHERE stream_number = {number} AND first_position + envelope_count > {position};
             DELETE FROM checkpoints WHERE stream_number = {number} AND tree_size > {position};
             DELETE FROM tiles WHERE stream_number = {number}
             AND ((tile_index + 1) << (8 * level + 8)) > {position};
             UPDATE streams SET next_position = {position},
             chain_head = (SELECT chain_hash FROM envelopes WHERE envelope_key = {last}),
             last_recorded_at = (SELECT recorded_at FROM envelopes WHERE envelope_key = {last}),
             segment_count = (SELECT count(*) FROM segments WHERE stream_number = {number}),
             checkpoint_count = (SELECT count(*) FROM checkpoints WHERE stream_number = {number})
             WHERE stream_number = {number}; COMMIT"
        );
        self.connect()?.execute_batch(&sql).map_err(failed)
    }

    /// Makes the file what it is before its log is folded in: an older file, and the rest in the log beside it.
    pub(crate) fn unfold(&self, position: u64) -> Result<(), ForgeryError> {
        let honest = self.beside("-honest");
        std::fs::copy(&self.path, &honest).map_err(ForgeryError::new)?;
        self.roll_back(position)?;
        let connection = self.connect()?;
        connection.execute_batch("PRAGMA wal_autocheckpoint = 0").map_err(failed)?;
        connection.execute("ATTACH ?1 AS honest", [honest.to_string_lossy()]).map_err(failed)?;
        let tables =
            ["streams", "segments", "texts", "envelopes", "attachments", "tiles", "checkpoints"];
        let copies: String = tables
            .iter()
            .map(|table| {
                format!("DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM honest.{table};")
            })
            .collect();
        connection.execute_batch(&format!("BEGIN; {copies} COMMIT")).map_err(failed)?;
        // Copied while the connection is open: closing it would fold the log into the file.
        let moved = self.beside("-moved");
        std::fs::copy(&self.path, &moved).map_err(ForgeryError::new)?;
        std::fs::copy(self.beside("-wal"), self.beside("-kept")).map_err(ForgeryError::new)?;
        drop(connection);
        std::fs::rename(&moved, &self.path).map_err(ForgeryError::new)?;
        std::fs::rename(self.beside("-kept"), self.beside("-wal")).map_err(ForgeryError::new)
    }
}

fn root(leaves: &[TreeHash]) -> Result<TreeHash, ForgeryError> {
    let mut range = CompactRange::empty();
    range.extend(leaves.iter().copied());
    match leaves.is_empty() {
        true => Ok(merkle::EMPTY_ROOT),
        false => range.root().map_err(ForgeryError::new),
    }
}

/// The root over the chain hashes of a whole stream.
pub(crate) fn root_of(segments: &[ForgedSegment]) -> Result<TreeHash, ForgeryError> {
    let envelopes = segments.iter().flat_map(|segment| &segment.envelopes);
    let leaves: Vec<TreeHash> = envelopes.map(|it| merkle::leaf_hash(&it.chain_hash)).collect();
    root(&leaves)
}

/// Replaces an envelope's payload by one that says something else.
pub(crate) fn forge_payload(envelope: &mut SealedEnvelope) -> Result<(), ForgeryError> {
    let salted =
        envelope.payload.as_mut().ok_or(ForgeryError::Absent("the payload is withheld"))?;
    salted.payload = CanonicalPayload::from_canonical(br#"{"forged":true}"#.to_vec())
        .map_err(ForgeryError::new)?;
    Ok(())
}

/// As `forge_payload`, and recomputes what the envelope says of itself.
pub(crate) fn forge_content(envelope: &mut SealedEnvelope) -> Result<(), ForgeryError> {
    forge_payload(envelope)?;
    if let Some(commitment) = envelope.recomputed_commitment() {
        envelope.payload_commitment = commitment;
    }
    envelope.content_hash = envelope.recomputed_content_hash();
    Ok(())
}
