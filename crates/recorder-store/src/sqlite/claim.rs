//! The memory of requests: written with the envelopes that answer them, forgotten from the oldest on.
//!
//! A commit forgets a few more than it adds, so that the table shrinks to its bounds and no commit pays for much.

use recorder_core::hash::RequestHash;
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::StreamId;
use recorder_core::limits::BATCH_ENVELOPES_MAX;
use rusqlite::{CachedStatement, Connection, Row, params};

use super::failure::Failure;
use super::head;
use super::row::{CheckedRow, key};
use super::transaction::{Abort, is_taken, one};
use crate::record::{ClaimRecord, Claims};

/// Columns of a claim, in the order that `claim` reads them.
pub(super) const CLAIM_COLUMNS: &str = "stored.claim_key, stored.stream_number, \
     stored.idempotency_key, stored.request_hash, stored.recorded_at, stored.positions";

/// Bytes of a run of positions: its first and its length.
const RUN_BYTES: usize = 12;

/// Records that a commit forgets beyond twice those that it adds.
const FORGOTTEN_MORE: usize = 8;

/// Writes the claims of a commit and forgets what may be forgotten.
pub(super) fn keep(
    connection: &Connection,
    stream_number: i64,
    claims: &Claims,
) -> Result<(), Abort> {
    let mut next = match last_key(connection, stream_number)? {
        Some(last) => last + 1,
        None => key(stream_number, 0),
    };
    let mut statement = connection.prepare_cached(
        "INSERT INTO claims (claim_key, stream_number, idempotency_key, request_hash, recorded_at, \
         positions) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for record in &claims.records {
        let inserted = insert(&mut statement, stream_number, next, record);
        match inserted {
            Err(error) if is_taken(&error) => {
                if !forget_stale(connection, stream_number, record, claims)? {
                    return Err(Abort::KeyTaken);
                }
                one(insert(&mut statement, stream_number, next, record)?, "claims")?;
            }
            inserted => one(inserted?, "claims")?,
        }
        next += 1;
    }
    Ok(forget_oldest(connection, stream_number, next, claims)?)
}

/// Which keys of `claims` are remembered and not yet to be forgotten, sorted.
pub(super) fn taken(
    connection: &Connection,
    stream: &StreamId,
    claims: &Claims,
) -> Result<Vec<IdempotencyKey>, Failure> {
    let mut keys = Vec::new();
    for record in &claims.records {
        let kept = find(connection, stream, &record.key)?;
        if kept.is_some_and(|kept| kept.recorded_at >= claims.forget_before) {
            keys.push(record.key.clone());
        }
    }
    keys.sort_unstable();
    Ok(keys)
}

/// The claim under `key`, as its own row says it, whatever the index says.
pub(super) fn find(
    connection: &Connection,
    stream: &StreamId,
    key: &IdempotencyKey,
) -> Result<Option<ClaimRecord>, Failure> {
    let Some(head) = head::stream_row(connection, stream)? else { return Ok(None) };
    let sql = format!(
        "SELECT {CLAIM_COLUMNS} FROM claims AS found INDEXED BY claims_by_idempotency_key \
         CROSS JOIN claims AS stored NOT INDEXED ON stored.claim_key = found.claim_key \
         WHERE found.stream_number = ?1 AND found.idempotency_key = ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((head.number, key.as_str()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let record = claim(row)?;
    let row = CheckedRow::new(row, "claims")?;
    if record.key != *key || row.integer(1)? != head.number {
        return Err(row.corrupt("found by an index that it does not belong to"));
    }
    if record.positions.iter().any(|position| *position >= head.next_position) {
        return Err(row.corrupt("positions names an envelope that is not there"));
    }
    Ok(Some(record))
}

/// Reads a claim.
pub(super) fn claim(row: &Row<'_>) -> Result<ClaimRecord, Failure> {
    let row = CheckedRow::new(row, "claims")?;
    Ok(ClaimRecord {
        key: row.checked(2, IdempotencyKey::new(row.text(2)?))?,
        request_hash: RequestHash::from_bytes(row.blob(3)?),
        recorded_at: row.recorded_at(4)?,
        positions: decode(row.bytes(5)?).ok_or_else(|| row.corrupt("positions cannot be read"))?,
    })
}

fn last_key(connection: &Connection, stream_number: i64) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT claim_key FROM claims NOT INDEXED WHERE claim_key >= ?1 AND claim_key < ?2 \
         ORDER BY claim_key DESC LIMIT 1",
    )?;
    let mut rows = statement.query((key(stream_number, 0), key(stream_number + 1, 0)))?;
    match rows.next()? {
        Some(row) => Ok(Some(CheckedRow::new(row, "claims")?.key())),
        None => Ok(None),
    }
}

fn insert(
    statement: &mut CachedStatement<'_>,
    stream_number: i64,
    claim_key: i64,
    record: &ClaimRecord,
) -> Result<usize, rusqlite::Error> {
    statement.execute(params![
        claim_key,
        stream_number,
        record.key.as_str(),
        record.request_hash.as_bytes(),
        record.recorded_at.nanoseconds(),
        encode(&record.positions),
    ])
}

/// Removes the record that has this key, if it is old enough; whether it was.
fn forget_stale(
    connection: &Connection,
    stream_number: i64,
    record: &ClaimRecord,
    claims: &Claims,
) -> Result<bool, Failure> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM claims WHERE stream_number = ?1 AND idempotency_key = ?2 AND recorded_at < ?3",
    )?;
    let before = claims.forget_before.nanoseconds();
    Ok(delete.execute((stream_number, record.key.as_str(), before))? == 1)
}

/// Removes the oldest records: those that are too old, and those that are too many.
fn forget_oldest(
    connection: &Connection,
    stream_number: i64,
    next: i64,
    claims: &Claims,
) -> Result<(), Failure> {
    let count_max = i64::try_from(claims.count_max).unwrap_or(i64::MAX);
    let bound = claims.records.len() * 2 + FORGOTTEN_MORE;
    let mut select = connection.prepare_cached(
        "SELECT claim_key, recorded_at FROM claims NOT INDEXED \
         WHERE claim_key >= ?1 AND claim_key < ?2 ORDER BY claim_key LIMIT ?3",
    )?;
    let mut rows = select.query((key(stream_number, 0), next, bound as i64))?;
    let mut last_forgotten = None;
    while let Some(row) = rows.next()? {
        let row = CheckedRow::new(row, "claims")?;
        let is_too_many = next.saturating_sub(row.key()) > count_max;
        if !is_too_many && row.recorded_at(1)? >= claims.forget_before {
            break;
        }
        last_forgotten = Some(row.key());
    }
    drop(rows);
    let Some(last) = last_forgotten else { return Ok(()) };
    let mut delete = connection
        .prepare_cached("DELETE FROM claims WHERE claim_key >= ?1 AND claim_key <= ?2")?;
    delete.execute((key(stream_number, 0), last))?;
    Ok(())
}

/// Positions as runs: the first of each as 8 bytes, its length as 4.
fn encode(positions: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RUN_BYTES);
    for run in positions.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        bytes.extend_from_slice(&run[0].to_be_bytes());
        bytes.extend_from_slice(&(run.len() as u32).to_be_bytes());
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Vec<u64>> {
    let (runs, rest) = bytes.as_chunks::<RUN_BYTES>();
    let mut positions = Vec::new();
    for run in runs {
        let (first, length) = run.split_at(8);
        let first = u64::from_be_bytes(first.try_into().ok()?);
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        if length == 0 || positions.len() + length > BATCH_ENVELOPES_MAX {
            return None;
        }
        positions.extend(first..first.checked_add(length as u64)?);
    }
    (rest.is_empty() && !positions.is_empty()).then_some(positions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn positions_are_read_back_in_their_order(
            runs in prop::collection::vec((0_u64..1 << 39, 1_usize..50), 1..20),
        ) {
            let positions: Vec<u64> =
                runs.iter().flat_map(|(first, length)| *first..*first + *length as u64).collect();
            prop_assert_eq!(decode(&encode(&positions)), Some(positions));
        }

        #[test]
        fn no_bytes_make_more_positions_than_a_batch_has(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(decode(&bytes).is_none_or(|read| (1..=BATCH_ENVELOPES_MAX).contains(&read.len())));
        }
    }
}
