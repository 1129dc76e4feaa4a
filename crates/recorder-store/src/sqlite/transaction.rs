//! What one commit writes, between `BEGIN IMMEDIATE` and `COMMIT`.
//!
//! Uniqueness is the indexes' business: the happy path inserts and counts, and only a refusal looks ids up.

use std::collections::BTreeSet;

use recorder_core::hash::AttachmentHash;
use recorder_core::identity::{EnvelopeId, SegmentId, SessionId, StreamId, TraceId};
use recorder_core::signature::Signature;
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::{SealedEnvelope, write_attachment_refs};
use recorder_envelope::merkle::encode_tile;
use recorder_envelope::segment::{SegmentGenesis, SignedSeal};
use rusqlite::{CachedStatement, Connection, ErrorCode, params};

use super::claim;
use super::connection::check_cookie;
use super::envelope::SIGNATURE_COLUMN_BYTES;
use super::failure::Failure;
use super::head::{self, StreamRow};
use super::heads::Heads;
use super::row::{CheckedRow, STREAMS_MAX, key};
use crate::continuity::advance;
use crate::error::CommitError;
use crate::record::{Commit, ExpectedHead, Step, StoredCheckpoint, StreamHead, Tile};

/// Texts whose numbers the writer keeps in mind, one a slot: far more than a deployment has of actors and event types.
const TEXT_SLOTS: usize = 8192;

/// Why a transaction is rolled back.
pub(super) enum Abort {
    /// The caller's commit breaks a rule.
    Refused(CommitError),
    /// An envelope id is taken; which ones is looked up after the rollback.
    EnvelopeTaken,
    /// An idempotency key is taken; which ones is looked up after the rollback.
    KeyTaken,
    /// SQLite or the file failed.
    Failed(Failure),
}

impl<F: Into<Failure>> From<F> for Abort {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}

/// What the writer keeps in mind between transactions: heads, and the numbers of texts that are stored.
pub(super) struct Transaction {
    /// Each text in the slot that its hash names; where two share one, the later stays.
    texts: Vec<Option<(Box<str>, i64)>>,
    /// Slots whose texts only this transaction has stored.
    fresh: Vec<usize>,
    heads: Heads,
}

impl Default for Transaction {
    fn default() -> Self {
        Self { texts: vec![None; TEXT_SLOTS], fresh: Vec::new(), heads: Heads::default() }
    }
}

/// The slot of a text: FNV-1a, which costs a few nanoseconds for a name.
fn slot_of(text: &str) -> usize {
    let hash = text.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    (hash % TEXT_SLOTS as u64) as usize
}

impl Transaction {
    /// Writes everything of `commit`.
    pub(super) fn write(
        &mut self,
        connection: &Connection,
        schema_cookie: i64,
        commit: &Commit,
    ) -> Result<(), Abort> {
        check_cookie(connection, schema_cookie)?;
        let stored = self.heads.take(connection, &commit.stream)?;
        let (row, old) = match stored {
            Some((row, old)) => (Some(row), old),
            None => (None, StreamHead::EMPTY),
        };
        let (expected, segment_count) = (old.expected(), old.segment_count);
        let new = advance(old, commit).map_err(Abort::Refused)?;
        let row = match row {
            Some(row) => row,
            None => insert_stream(connection, &commit.stream)?,
        };
        // A key that is taken says more than an envelope that is there: it is looked at first.
        if let Some(claims) = &commit.claims {
            claim::keep(connection, row.number, claims)?;
        }
        keep_attachments(connection, commit)?;
        let checkpoints = self.write_steps(connection, &row, segment_count, commit)?;
        for tile in &commit.tiles {
            insert_tile(connection, row.number, tile)?;
        }
        let checkpoint_count = row.checkpoint_count + checkpoints;
        swap_head(connection, &row, &expected, &new, checkpoint_count)?;
        self.heads.expect(&commit.stream, row.advanced(&new, checkpoint_count), new);
        Ok(())
    }

    /// What the transaction stored is stored for good.
    pub(super) fn committed(&mut self) {
        self.heads.committed();
        self.fresh.clear();
    }

    /// What the transaction stored is gone.
    pub(super) fn rolled_back(&mut self) {
        self.heads.rolled_back();
        for slot in self.fresh.drain(..) {
            self.texts[slot] = None;
        }
    }

    /// Which envelope ids of `commit` its stream holds already, sorted.
    pub(super) fn taken(
        &self,
        connection: &Connection,
        commit: &Commit,
    ) -> Result<Vec<EnvelopeId>, Failure> {
        let Some(row) = head::stream_row(connection, &commit.stream)? else {
            return Ok(Vec::new());
        };
        let mut statement = connection.prepare_cached(
            "SELECT 1 FROM envelopes WHERE envelope_id = ?1 AND stream_number = ?2",
        )?;
        let mut ids = BTreeSet::new();
        for envelope in commit.envelopes() {
            let id = envelope.fields.envelope_id;
            if statement.exists((id.as_bytes(), row.number))? {
                ids.insert(id);
            }
        }
        Ok(ids.into_iter().collect())
    }

    /// Writes the steps in order after `segment_count` segments; returns how many checkpoints there were.
    fn write_steps(
        &mut self,
        connection: &Connection,
        row: &StreamRow,
        mut segment_count: u64,
        commit: &Commit,
    ) -> Result<u64, Abort> {
        let mut checkpoints = 0;
        for step in &commit.steps {
            match step {
                Step::Open(genesis) => {
                    insert_segment(connection, row.number, genesis)?;
                    segment_count += 1;
                }
                Step::Append(envelopes) => {
                    // Continuity has made sure that a segment is open, so that there is one.
                    let segment_key = key(row.number, segment_count.saturating_sub(1));
                    self.insert_envelopes(connection, row.number, segment_key, envelopes)?;
                }
                Step::Seal(seal) => {
                    let segment_key = key(row.number, segment_count.saturating_sub(1));
                    update_segment(connection, segment_key, seal)?;
                }
                Step::Checkpoint(checkpoint) => {
                    let checkpoint_key = key(row.number, row.checkpoint_count + checkpoints);
                    insert_checkpoint(connection, row.number, checkpoint_key, checkpoint)?;
                    checkpoints += 1;
                }
            }
        }
        Ok(checkpoints)
    }

    fn insert_envelopes(
        &mut self,
        connection: &Connection,
        stream_number: i64,
        segment_key: i64,
        envelopes: &[SealedEnvelope],
    ) -> Result<(), Abort> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO envelopes (envelope_key, stream_number, segment_key, sequence, recorded_at, \
             envelope_id, event_type, actor_id, environment_id, claimed_seconds, claimed_nanoseconds, \
             trace_id, session_id, parent_ids, attachment_refs, payload_salt, payload_commitment, \
             content_hash, chain_hash, signature, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, \
             ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
        )?;
        for envelope in envelopes {
            let fields = &envelope.fields;
            let texts = [
                self.text_number(connection, fields.event_type.as_str())?,
                self.text_number(connection, fields.actor_id.as_str())?,
                self.text_number(connection, fields.environment_id.as_str())?,
            ];
            insert_envelope(&mut statement, stream_number, segment_key, texts, envelope)?;
        }
        Ok(())
    }

    /// The number of a text, which is stored if it is new.
    fn text_number(&mut self, connection: &Connection, text: &str) -> Result<i64, Abort> {
        let slot = slot_of(text);
        if let Some((known, number)) = &self.texts[slot]
            && **known == *text
        {
            return Ok(*number);
        }
        let number = match stored_text(connection, text)? {
            Some(number) => number,
            None => {
                let mut insert =
                    connection.prepare_cached("INSERT INTO texts (text) VALUES (?1)")?;
                one(insert.execute([text])?, "texts")?;
                self.fresh.push(slot);
                connection.last_insert_rowid()
            }
        };
        self.texts[slot] = Some((text.into(), number));
        Ok(number)
    }
}

/// The number of a text, if it is stored: as its own row says it, whatever the index says.
fn stored_text(connection: &Connection, text: &str) -> Result<Option<i64>, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT stored.text_number, stored.text FROM texts AS found INDEXED BY texts_by_text \
         CROSS JOIN texts AS stored NOT INDEXED ON stored.text_number = found.text_number \
         WHERE found.text = ?1",
    )?;
    let mut rows = select.query([text])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let row = CheckedRow::new(row, "texts")?;
    if row.text(1)? != text {
        return Err(row.corrupt("found by an index that it does not belong to"));
    }
    Ok(Some(row.key()))
}

/// Refuses to go on unless exactly one row has changed: a trigger may have swallowed the write.
pub(super) fn one(changed: usize, table: &str) -> Result<(), Failure> {
    match changed {
        1 => Ok(()),
        _ => Err(Failure::corrupt(table, format!("a write changed {changed} rows instead of one"))),
    }
}

/// Whether a row with this unique value is there already.
pub(super) fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::ConstraintViolation
            && matches!(
                error.extended_code,
                rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
                    | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                    | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID
            )
    })
}

fn insert_stream(connection: &Connection, stream: &StreamId) -> Result<StreamRow, Abort> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO streams (stream_number, tenant_id, recorder_id, next_position, segment_count, \
         checkpoint_count) SELECT ifnull(max(stream_number), 0) + 1, ?1, ?2, 0, 0, 0 FROM streams",
    )?;
    one(insert.execute((stream.tenant_id.as_str(), stream.recorder_id.as_str()))?, "streams")?;
    let number = connection.last_insert_rowid();
    if !(1..=STREAMS_MAX).contains(&number) {
        return Err(Failure::corrupt("streams", "no stream number is left").into());
    }
    Ok(StreamRow {
        number,
        next_position: 0,
        chain_head: None,
        last_recorded_at: None,
        segment_count: 0,
        checkpoint_count: 0,
    })
}

/// Stores the attachments that are new and makes sure that every reference has its bytes.
fn keep_attachments(connection: &Connection, commit: &Commit) -> Result<(), Abort> {
    let mut kept = BTreeSet::new();
    for attachment in &commit.attachments {
        if kept.insert(attachment.reference().content_hash) {
            keep_attachment(connection, attachment)?;
        }
    }
    for envelope in commit.envelopes() {
        for reference in envelope.fields.attachment_refs.as_slice() {
            let content_hash = reference.content_hash;
            if !kept.contains(&content_hash) && !is_stored(connection, &content_hash)? {
                let envelope_id = envelope.fields.envelope_id;
                let missing = CommitError::AttachmentMissing { envelope_id, content_hash };
                return Err(Abort::Refused(missing));
            }
        }
    }
    Ok(())
}

fn is_stored(connection: &Connection, content_hash: &AttachmentHash) -> Result<bool, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM attachments WHERE content_hash = ?1")?;
    Ok(statement.exists([content_hash.as_bytes()])?)
}

fn keep_attachment(connection: &Connection, attachment: &Attachment) -> Result<(), Abort> {
    let content_hash = attachment.reference().content_hash;
    if is_stored(connection, &content_hash)? {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO attachments (content_hash, size_bytes, bytes) VALUES (?1, ?2, ?3)",
    )?;
    let size_bytes = attachment.bytes().len() as i64;
    one(insert.execute((content_hash.as_bytes(), size_bytes, attachment.bytes()))?, "attachments")?;
    Ok(())
}

fn insert_segment(
    connection: &Connection,
    stream_number: i64,
    genesis: &SegmentGenesis,
) -> Result<(), Abort> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO segments (segment_key, stream_number, segment_id, first_position, opened_at, \
         genesis) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let changed = insert.execute(params![
        key(stream_number, genesis.segment_index),
        stream_number,
        genesis.segment_id.as_bytes(),
        genesis.first_position as i64,
        genesis.opened_at.nanoseconds(),
        text_of(&genesis.to_canonical()),
    ]);
    let segment_id = genesis.segment_id;
    match changed {
        Ok(changed) => Ok(one(changed, "segments")?),
        Err(error) if is_taken(&error) && holds_segment(connection, stream_number, segment_id)? => {
            Err(Abort::Refused(CommitError::SegmentExists { segment_id }))
        }
        Err(error) => Err(error.into()),
    }
}

fn holds_segment(
    connection: &Connection,
    stream_number: i64,
    segment_id: SegmentId,
) -> Result<bool, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM segments WHERE segment_id = ?1 AND stream_number = ?2")?;
    Ok(statement.exists((segment_id.as_bytes(), stream_number))?)
}

/// Canonical JSON is always UTF-8; other bytes would fail to parse when they are read back.
fn text_of(canonical: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(canonical)
}

fn update_segment(
    connection: &Connection,
    segment_key: i64,
    signed: &SignedSeal,
) -> Result<(), Abort> {
    let mut update = connection.prepare_cached(
        "UPDATE segments SET envelope_count = ?2, sealed_at = ?3, signed_seal = ?4 \
         WHERE segment_key = ?1 AND signed_seal IS NULL",
    )?;
    let changed = update.execute(params![
        segment_key,
        signed.seal.envelope_count as i64,
        signed.seal.sealed_at.nanoseconds(),
        text_of(&signed.to_canonical()),
    ])?;
    Ok(one(changed, "segments")?)
}

fn insert_checkpoint(
    connection: &Connection,
    stream_number: i64,
    checkpoint_key: i64,
    checkpoint: &StoredCheckpoint,
) -> Result<(), Abort> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO checkpoints (checkpoint_key, stream_number, tree_size, root_hash, note) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let changed = insert.execute(params![
        checkpoint_key,
        stream_number,
        checkpoint.tree_size as i64,
        checkpoint.root_hash.as_bytes(),
        checkpoint.note,
    ])?;
    Ok(one(changed, "checkpoints")?)
}

fn insert_tile(connection: &Connection, stream_number: i64, tile: &Tile) -> Result<(), Abort> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO tiles (stream_number, level, tile_index, hashes) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let place = tile.coordinates;
    let hashes = encode_tile(&tile.hashes);
    let changed = insert.execute((stream_number, place.level, place.index as i64, hashes))?;
    Ok(one(changed, "tiles")?)
}

/// Moves the stream's row to its new end, if it is still where the transaction found it.
fn swap_head(
    connection: &Connection,
    row: &StreamRow,
    old: &ExpectedHead,
    new: &StreamHead,
    checkpoint_count: u64,
) -> Result<(), Abort> {
    let mut update = connection.prepare_cached(
        "UPDATE streams SET next_position = ?2, chain_head = ?3, last_recorded_at = ?4, \
         segment_count = ?5, checkpoint_count = ?6 \
         WHERE stream_number = ?1 AND next_position = ?7 AND chain_head IS ?8",
    )?;
    let changed = update.execute(params![
        row.number,
        new.next_position as i64,
        new.chain_head.as_ref().map(|hash| hash.as_bytes().as_slice()),
        new.last_recorded_at.map(|time| time.nanoseconds()),
        new.segment_count as i64,
        checkpoint_count as i64,
        old.next_position as i64,
        old.chain_head.as_ref().map(|hash| hash.as_bytes().as_slice()),
    ])?;
    Ok(one(changed, "streams")?)
}

fn insert_envelope(
    statement: &mut CachedStatement<'_>,
    stream_number: i64,
    segment_key: i64,
    [event_type, actor_id, environment_id]: [i64; 3],
    envelope: &SealedEnvelope,
) -> Result<(), Abort> {
    let (fields, place) = (&envelope.fields, &envelope.place);
    let payload = envelope.payload.as_ref();
    let inserted = statement.execute(params![
        key(stream_number, place.position),
        stream_number,
        segment_key,
        place.sequence as i64,
        place.recorded_at.nanoseconds(),
        fields.envelope_id.as_bytes().as_slice(),
        event_type,
        actor_id,
        environment_id,
        fields.claimed_time.seconds(),
        fields.claimed_time.nanoseconds(),
        fields.trace_id.as_ref().map(TraceId::as_str),
        fields.session_id.as_ref().map(SessionId::as_str),
        parent_ids(envelope),
        attachment_refs(&fields.attachment_refs),
        payload.map(|salted| salted.salt.as_bytes().as_slice()),
        envelope.payload_commitment.as_bytes().as_slice(),
        envelope.content_hash.as_bytes().as_slice(),
        envelope.chain_hash.as_bytes().as_slice(),
        envelope.signature.as_ref().map(signature_column),
        payload.map(|salted| salted.payload.as_str()),
    ]);
    match inserted {
        Ok(changed) => Ok(one(changed, "envelopes")?),
        Err(error) if is_taken(&error) => Err(Abort::EnvelopeTaken),
        Err(error) => Err(error.into()),
    }
}

/// The parents as their bytes, one after the other; NULL where there are none.
fn parent_ids(envelope: &SealedEnvelope) -> Option<Vec<u8>> {
    let ids = envelope.fields.parent_ids.as_slice();
    (!ids.is_empty()).then(|| ids.iter().flat_map(|id| *id.as_bytes()).collect())
}

/// The references as canonical JSON; NULL where there are none.
fn attachment_refs(refs: &AttachmentRefs) -> Option<String> {
    (!refs.as_slice().is_empty()).then(|| {
        let mut json = Vec::new();
        write_attachment_refs(&mut json, refs);
        text_of(&json).into_owned()
    })
}

/// The key's name, then the signature.
fn signature_column(signature: &Signature) -> [u8; SIGNATURE_COLUMN_BYTES] {
    let mut column = [0; SIGNATURE_COLUMN_BYTES];
    column[..32].copy_from_slice(signature.key_id().as_bytes());
    column[32..].copy_from_slice(signature.value());
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: &str =
        "CREATE TABLE texts (text_number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
        CREATE UNIQUE INDEX texts_by_text ON texts (text)";

    fn number(transaction: &mut Transaction, connection: &Connection, text: &str) -> i64 {
        transaction.text_number(connection, text).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn texts_that_share_a_slot_keep_their_own_numbers() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TEXTS).unwrap();
        let other = (0..).map(|n| format!("actor-{n}")).find(|text| slot_of(text) == slot_of("a"));
        let (mut transaction, other) = (Transaction::default(), other.unwrap());
        for _ in 0..2 {
            assert_eq!(number(&mut transaction, &connection, "a"), 1);
            assert_eq!(number(&mut transaction, &connection, &other), 2);
        }
    }

    #[test]
    fn a_text_that_was_rolled_back_is_stored_again() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TEXTS).unwrap();
        let mut transaction = Transaction::default();
        connection.execute_batch("BEGIN").unwrap();
        number(&mut transaction, &connection, "a");
        connection.execute_batch("ROLLBACK").unwrap();
        transaction.rolled_back();
        number(&mut transaction, &connection, "a");
        let stored: i64 =
            connection.query_row("SELECT count(*) FROM texts", [], |row| row.get(0)).unwrap();
        assert_eq!(stored, 1);
    }
}
