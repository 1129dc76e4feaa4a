//! Rows of `envelopes`, read back into sealed envelopes.
//!
//! Reading proves nothing about the evidence: a row that is well formed may still be forged, and only recomputing
//! its hashes tells. What is refused here is what no writer of this store could have written.

use std::collections::BTreeMap;

use recorder_core::hash::{ChainHash, ContentHash, KeyId, PayloadCommitment};
use recorder_core::identity::{ActorId, EnvelopeId, EnvironmentId, EventType, SegmentId};
use recorder_core::signature::{SIGNATURE_BYTES, Signature};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PayloadSalt, Place, SaltedPayload, SealedEnvelope,
};
use recorder_envelope::json::{CanonicalPayload, JsonLimits, from_strict};
use rusqlite::{Connection, Row};

use super::failure::Failure;
use super::row::{CheckedRow, INDEX_BITS, index_of};

/// Columns of an envelope in the table `stored`, in the order that `Decoder::envelope` reads them.
pub(super) const ENVELOPE_COLUMNS: &str = "stored.envelope_key, stored.stream_number, \
     stored.segment_key, stored.sequence, stored.recorded_at, stored.envelope_id, \
     stored.event_type, stored.actor_id, stored.environment_id, stored.claimed_seconds, \
     stored.claimed_nanoseconds, stored.trace_id, stored.session_id, stored.parent_ids, \
     stored.attachment_refs, stored.payload_salt, stored.payload_commitment, stored.content_hash, \
     stored.chain_hash, stored.signature, stored.payload";

/// Values that one reader keeps of each kind, so that a hostile file cannot grow its memory.
const REMEMBERED_MAX: usize = 4096;

/// Bytes of a stored signature: the key's name and the signature itself.
pub(super) const SIGNATURE_COLUMN_BYTES: usize = 32 + SIGNATURE_BYTES;

/// Where a segment begins, and its name.
#[derive(Clone, Copy)]
struct SegmentPlace {
    segment_id: SegmentId,
    first_position: u64,
}

/// Reads envelopes over one connection and remembers the texts and segments that they name: neither ever changes.
#[derive(Default)]
pub(super) struct Decoder {
    event_types: BTreeMap<i64, EventType>,
    actors: BTreeMap<i64, ActorId>,
    environments: BTreeMap<i64, EnvironmentId>,
    segments: BTreeMap<i64, SegmentPlace>,
}

/// The value of `number`, from `remembered` or read by `read`.
fn remember<T: Clone>(
    remembered: &mut BTreeMap<i64, T>,
    number: i64,
    read: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(known) = remembered.get(&number) {
        return Ok(known.clone());
    }
    if remembered.len() >= REMEMBERED_MAX {
        remembered.clear();
    }
    let value = read()?;
    remembered.insert(number, value.clone());
    Ok(value)
}

/// Reads the text with `number` as the identifier that `parse` makes of it.
fn text<T, E: std::fmt::Display>(
    connection: &Connection,
    number: i64,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT text_number, text FROM texts WHERE text_number = ?1")?;
    let mut rows = statement.query([number])?;
    let Some(row) = rows.next()? else {
        return Err(Failure::corrupt(format!("texts row {number}"), "missing"));
    };
    let row = CheckedRow::new(row, "texts")?;
    row.checked(1, parse(row.text(1)?))
}

fn segment_place(connection: &Connection, key: i64) -> Result<SegmentPlace, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT segment_key, segment_id, first_position FROM segments WHERE segment_key = ?1",
    )?;
    let mut rows = statement.query([key])?;
    let Some(row) = rows.next()? else {
        return Err(Failure::corrupt(format!("segments row {key}"), "missing"));
    };
    let row = CheckedRow::new(row, "segments")?;
    let segment_id = row.checked(1, SegmentId::from_bytes(row.blob(1)?))?;
    Ok(SegmentPlace { segment_id, first_position: row.count(2)? })
}

impl Decoder {
    /// Reads one row of `ENVELOPE_COLUMNS`.
    pub(super) fn envelope(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
    ) -> Result<SealedEnvelope, Failure> {
        let row = CheckedRow::new(row, "envelopes")?;
        let place = self.place(connection, &row)?;
        Ok(SealedEnvelope {
            fields: self.fields(connection, &row)?,
            payload: payload(&row)?,
            payload_commitment: PayloadCommitment::from_bytes(row.blob(16)?),
            content_hash: ContentHash::from_bytes(row.blob(17)?),
            place,
            chain_hash: ChainHash::from_bytes(row.blob(18)?),
            signature: row.optional_blob(19)?.map(signature),
        })
    }

    fn place(&mut self, connection: &Connection, row: &CheckedRow<'_>) -> Result<Place, Failure> {
        let (stream_number, segment_key) = (row.integer(1)?, row.integer(2)?);
        let segment =
            remember(&mut self.segments, segment_key, || segment_place(connection, segment_key))?;
        let (position, sequence) = (index_of(row.key()), row.count(3)?);
        if row.key() >> INDEX_BITS != stream_number || segment_key >> INDEX_BITS != stream_number {
            return Err(row.corrupt("the key, the stream and the segment disagree"));
        }
        if segment.first_position.checked_add(sequence) != Some(position) {
            return Err(row.corrupt("sequence is not the place in the segment"));
        }
        let recorded_at = row.recorded_at(4)?;
        Ok(Place { segment_id: segment.segment_id, sequence, position, recorded_at })
    }

    fn fields(
        &mut self,
        connection: &Connection,
        row: &CheckedRow<'_>,
    ) -> Result<EnvelopeFields, Failure> {
        let event_type = row.integer(6)?;
        let actor_id = row.integer(7)?;
        let environment_id = row.integer(8)?;
        Ok(EnvelopeFields {
            envelope_id: row.envelope_id(5)?,
            event_type: remember(&mut self.event_types, event_type, || {
                text(connection, event_type, str::parse)
            })?,
            actor_id: remember(&mut self.actors, actor_id, || {
                text(connection, actor_id, str::parse)
            })?,
            environment_id: remember(&mut self.environments, environment_id, || {
                text(connection, environment_id, str::parse)
            })?,
            claimed_time: claimed_time(row)?,
            trace_id: optional(row, 11)?,
            session_id: optional(row, 12)?,
            parent_ids: parent_ids(row)?,
            attachment_refs: attachment_refs(row)?,
        })
    }
}

fn optional<T>(row: &CheckedRow<'_>, column: usize) -> Result<Option<T>, Failure>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    match row.optional_text(column)? {
        None => Ok(None),
        Some(text) => row.checked(column, text.parse()).map(Some),
    }
}

fn claimed_time(row: &CheckedRow<'_>) -> Result<UtcTimestamp, Failure> {
    let nanoseconds = row.checked(10, u32::try_from(row.integer(10)?))?;
    row.checked(9, UtcTimestamp::new(row.integer(9)?, nanoseconds))
}

fn parent_ids(row: &CheckedRow<'_>) -> Result<ParentIds, Failure> {
    const COLUMN: usize = 13;
    let Some(bytes) = row.optional_bytes(COLUMN)? else { return Ok(ParentIds::default()) };
    let (ids, []) = bytes.as_chunks::<16>() else {
        return Err(row.corrupt("parent_ids is not made of ids"));
    };
    let ids: Result<Vec<_>, _> = ids.iter().map(|id| EnvelopeId::from_bytes(*id)).collect();
    row.checked(COLUMN, ParentIds::try_from(row.checked(COLUMN, ids)?))
}

fn attachment_refs(row: &CheckedRow<'_>) -> Result<AttachmentRefs, Failure> {
    const COLUMN: usize = 14;
    match row.optional_text(COLUMN)? {
        None => Ok(AttachmentRefs::default()),
        // 4,096 references of four nodes each and of some 400 bytes fit the limits of a payload.
        Some(text) => row.checked(COLUMN, from_strict(text.as_bytes(), &JsonLimits::PAYLOAD)),
    }
}

fn payload(row: &CheckedRow<'_>) -> Result<Option<SaltedPayload>, Failure> {
    match (row.optional_blob(15)?, row.optional_text(20)?) {
        (None, None) => Ok(None),
        (Some(salt), Some(text)) => {
            let payload = row.checked(20, CanonicalPayload::from_canonical(text))?;
            Ok(Some(SaltedPayload { payload, salt: PayloadSalt::from_bytes(salt) }))
        }
        _ => Err(row.corrupt("a payload without its salt, or a salt without its payload")),
    }
}

fn signature(bytes: [u8; SIGNATURE_COLUMN_BYTES]) -> Signature {
    let (mut key_id, mut value) = ([0; 32], [0; SIGNATURE_BYTES]);
    key_id.copy_from_slice(&bytes[..32]);
    value.copy_from_slice(&bytes[32..]);
    Signature::new(KeyId::from_bytes(key_id), value)
}
