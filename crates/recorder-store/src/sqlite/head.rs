//! Where a stream stands, read in constant time and checked against the rows that it sums up.
//!
//! The stream's own row is what a commit compares and swaps; the last envelope, the last segments and the last
//! checkpoint must agree with it, and nothing may lie beyond them.

use recorder_core::hash::ChainHash;
use recorder_core::identity::{EnvelopeId, StreamId};
use recorder_core::time::RecordedAt;
use recorder_envelope::envelope::POSITION_MAX;
use rusqlite::Connection;

use super::failure::Failure;
use super::row::{
    CHECKPOINT_COLUMNS, CheckedRow, SEGMENT_COLUMNS, STREAMS_MAX, checkpoint, key, missing, segment,
};
use crate::record::{OpenSegment, SegmentRecord, StoredCheckpoint, StreamHead};

/// The row of a stream.
pub(super) struct StreamRow {
    /// Its number.
    pub(super) number: i64,
    /// Envelopes.
    pub(super) next_position: u64,
    /// The last chain hash.
    pub(super) chain_head: Option<ChainHash>,
    /// When the last envelope was recorded.
    pub(super) last_recorded_at: Option<RecordedAt>,
    /// Segments.
    pub(super) segment_count: u64,
    /// Checkpoints.
    pub(super) checkpoint_count: u64,
}

impl StreamRow {
    /// The row after a commit that took the stream to `head`.
    pub(super) fn advanced(self, head: &StreamHead, checkpoint_count: u64) -> Self {
        Self {
            number: self.number,
            next_position: head.next_position,
            chain_head: head.chain_head,
            last_recorded_at: head.last_recorded_at,
            segment_count: head.segment_count,
            checkpoint_count,
        }
    }

    fn first_key(&self) -> i64 {
        key(self.number, 0)
    }

    fn last_key(&self) -> i64 {
        key(self.number, POSITION_MAX)
    }

    /// The key of the last of `count` rows of this stream.
    fn key_of_last(&self, count: u64) -> Option<i64> {
        count.checked_sub(1).map(|index| key(self.number, index))
    }
}

/// Reads the row of `stream`; `None` when the stream has never been written.
pub(super) fn stream_row(
    connection: &Connection,
    stream: &StreamId,
) -> Result<Option<StreamRow>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT stored.stream_number, stored.next_position, stored.chain_head, \
         stored.last_recorded_at, stored.segment_count, stored.checkpoint_count, \
         stored.tenant_id, stored.recorder_id FROM streams AS found INDEXED BY streams_by_name \
         CROSS JOIN streams AS stored NOT INDEXED ON stored.stream_number = found.stream_number \
         WHERE found.tenant_id = ?1 AND found.recorder_id = ?2",
    )?;
    let mut rows = statement.query((stream.tenant_id.as_str(), stream.recorder_id.as_str()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let row = CheckedRow::new(row, "streams")?;
    if !(1..=STREAMS_MAX).contains(&row.key()) {
        return Err(row.corrupt("stream_number is out of range"));
    }
    if row.text(6)? != stream.tenant_id.as_str() || row.text(7)? != stream.recorder_id.as_str() {
        return Err(row.corrupt("found by an index that it does not belong to"));
    }
    Ok(Some(StreamRow {
        number: row.key(),
        next_position: row.count(1)?,
        chain_head: row.optional_blob(2)?.map(ChainHash::from_bytes),
        last_recorded_at: row.optional_recorded_at(3)?,
        segment_count: row.count(4)?,
        checkpoint_count: row.count(5)?,
    }))
}

/// Reads where `stream` stands, with its row.
pub(super) fn load(
    connection: &Connection,
    stream: &StreamId,
) -> Result<Option<(StreamRow, StreamHead)>, Failure> {
    let Some(row) = stream_row(connection, stream)? else { return Ok(None) };
    let last_envelope_id = last_envelope(connection, stream, &row)?;
    let (open_segment, last_sealed) = last_segments(connection, stream, &row, last_envelope_id)?;
    let head = StreamHead {
        next_position: row.next_position,
        chain_head: row.chain_head,
        last_recorded_at: row.last_recorded_at,
        segment_count: row.segment_count,
        open_segment,
        last_sealed,
        checkpoint: last_checkpoint(connection, stream, &row)?,
    };
    Ok(Some((row, head)))
}

fn disagreement(stream: &StreamId, detail: &str) -> Failure {
    Failure::corrupt(format!("streams row of {stream}"), detail)
}

/// The id of the last envelope, which must be the one that the stream's row sums up.
fn last_envelope(
    connection: &Connection,
    stream: &StreamId,
    head: &StreamRow,
) -> Result<Option<EnvelopeId>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT envelope_key, envelope_id, recorded_at, chain_hash FROM envelopes \
         WHERE envelope_key BETWEEN ?1 AND ?2 ORDER BY envelope_key DESC LIMIT 1",
    )?;
    let mut rows = statement.query((head.first_key(), head.last_key()))?;
    let Some(row) = rows.next()? else {
        let nothing =
            head.next_position == 0 && head.chain_head.is_none() && head.last_recorded_at.is_none();
        return if nothing {
            Ok(None)
        } else {
            Err(missing(stream, &format!("position {}", head.next_position.saturating_sub(1))))
        };
    };
    let row = CheckedRow::new(row, "envelopes")?;
    let agrees = head.key_of_last(head.next_position) == Some(row.key())
        && head.last_recorded_at == Some(row.recorded_at(2)?)
        && head.chain_head == Some(ChainHash::from_bytes(row.blob(3)?));
    if !agrees {
        return Err(disagreement(stream, "does not end with the last envelope"));
    }
    Ok(Some(row.envelope_id(1)?))
}

/// The open and the last sealed segment, which must be the last of all.
fn last_segments(
    connection: &Connection,
    stream: &StreamId,
    head: &StreamRow,
    last_envelope_id: Option<EnvelopeId>,
) -> Result<(Option<OpenSegment>, Option<SegmentRecord>), Failure> {
    check_one_open(connection, stream, head)?;
    let sql = format!(
        "SELECT {SEGMENT_COLUMNS} FROM segments WHERE segment_key BETWEEN ?1 AND ?2 \
         ORDER BY segment_key DESC LIMIT 2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((head.first_key(), head.last_key()))?;
    let mut last = match rows.next()? {
        Some(row) => Some(segment(row, stream)?),
        None => None,
    };
    let last_index = last.as_ref().map(|record| record.genesis.segment_index);
    if last_index != head.segment_count.checked_sub(1) {
        return Err(disagreement(stream, "does not end with the last segment"));
    }
    let open = last.take_if(|record| record.seal.is_none());
    if open.is_some() {
        last = match rows.next()? {
            Some(row) => Some(segment(row, stream)?),
            None => None,
        };
    }
    check_ends(stream, head, open.as_ref(), last.as_ref())?;
    let open = match open {
        Some(record) => Some(open_segment(connection, head, record, last_envelope_id)?),
        None => None,
    };
    Ok((open, last))
}

/// A range, since after an equal value in a unique index SQLite would not look for a second row.
const TWO_OPEN: &str = "SELECT segment_key FROM segments \
    WHERE stream_number BETWEEN ?1 AND ?1 AND signed_seal IS NULL LIMIT 2";

/// Whatever the unique index says, or if it is gone: one open segment is all there may be.
fn check_one_open(
    connection: &Connection,
    stream: &StreamId,
    head: &StreamRow,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(TWO_OPEN)?;
    let mut rows = statement.query([head.number])?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    if count > 1 {
        return Err(Failure::corrupt(
            format!("segments of {stream}"),
            "more than one segment is open",
        ));
    }
    Ok(())
}

/// The sealed segments end where the open one begins, or where the stream ends.
fn check_ends(
    stream: &StreamId,
    head: &StreamRow,
    open: Option<&SegmentRecord>,
    sealed: Option<&SegmentRecord>,
) -> Result<(), Failure> {
    let sealed_end = match sealed {
        Some(SegmentRecord { genesis, seal: Some(_), envelope_count, .. }) => {
            genesis.first_position.saturating_add(*envelope_count)
        }
        Some(_) => return Err(disagreement(stream, "holds an open segment before the last")),
        None => 0,
    };
    let expected_end = open.map_or(head.next_position, |open| open.genesis.first_position);
    if sealed_end != expected_end || expected_end > head.next_position {
        return Err(disagreement(stream, "does not end where its segments end"));
    }
    if open.is_none() && sealed.is_some_and(|sealed| sealed.chain_head != head.chain_head) {
        return Err(disagreement(stream, "does not end with the chain head of its last segment"));
    }
    Ok(())
}

fn open_segment(
    connection: &Connection,
    head: &StreamRow,
    record: SegmentRecord,
    last_envelope_id: Option<EnvelopeId>,
) -> Result<OpenSegment, Failure> {
    let first_position = record.genesis.first_position;
    let envelope_count = head.next_position - first_position;
    let first_envelope_id = if envelope_count == 0 {
        None
    } else {
        let mut statement = connection.prepare_cached(
            "SELECT envelope_key, envelope_id FROM envelopes WHERE envelope_key = ?1",
        )?;
        let mut rows = statement.query([key(head.number, first_position)])?;
        match rows.next()? {
            Some(row) => Some(CheckedRow::new(row, "envelopes")?.envelope_id(1)?),
            None => {
                return Err(missing(&record.genesis.stream, &format!("position {first_position}")));
            }
        }
    };
    let last_envelope_id = last_envelope_id.filter(|_| envelope_count > 0);
    Ok(OpenSegment { genesis: record.genesis, envelope_count, first_envelope_id, last_envelope_id })
}

/// The newest checkpoint of a stream.
pub(super) fn last_checkpoint(
    connection: &Connection,
    stream: &StreamId,
    head: &StreamRow,
) -> Result<Option<StoredCheckpoint>, Failure> {
    let sql = format!(
        "SELECT {CHECKPOINT_COLUMNS} FROM checkpoints WHERE checkpoint_key BETWEEN ?1 AND ?2 \
         ORDER BY checkpoint_key DESC LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((head.first_key(), head.last_key()))?;
    let Some(row) = rows.next()? else {
        return match head.checkpoint_count {
            0 => Ok(None),
            _ => Err(missing(stream, "checkpoint")),
        };
    };
    let found = CheckedRow::new(row, "checkpoints")?.key();
    if head.key_of_last(head.checkpoint_count) != Some(found) {
        return Err(disagreement(stream, "does not end with the last checkpoint"));
    }
    checkpoint(row).map(Some)
}

/// The oldest checkpoint of at least `tree_size_min`, and of several of that size the newest.
///
/// Sizes grow with the keys, so that a search by halves finds it; a file where they do not gives no wrong size.
pub(super) fn first_checkpoint(
    connection: &Connection,
    stream: &StreamId,
    head: &StreamRow,
    tree_size_min: u64,
) -> Result<Option<StoredCheckpoint>, Failure> {
    let beyond = |size: u64| -> Result<u64, Failure> {
        let (mut low, mut high) = (0, head.checkpoint_count);
        while low < high {
            let middle = low + (high - low) / 2;
            if checkpoint_at(connection, stream, head, middle)?.tree_size < size {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    };
    let first = beyond(tree_size_min)?;
    if first == head.checkpoint_count {
        return Ok(None);
    }
    let found = checkpoint_at(connection, stream, head, first)?;
    let newest = beyond(found.tree_size.saturating_add(1))?.saturating_sub(1);
    let newest = checkpoint_at(connection, stream, head, newest)?;
    if newest.tree_size != found.tree_size {
        return Err(disagreement(stream, "does not order its checkpoints by size"));
    }
    Ok(Some(newest))
}

fn checkpoint_at(
    connection: &Connection,
    stream: &StreamId,
    head: &StreamRow,
    index: u64,
) -> Result<StoredCheckpoint, Failure> {
    let sql = format!("SELECT {CHECKPOINT_COLUMNS} FROM checkpoints WHERE checkpoint_key = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([key(head.number, index)])?;
    match rows.next()? {
        Some(row) => checkpoint(row),
        None => Err(missing(stream, "checkpoint")),
    }
}

/// The names of all streams, sorted.
pub(super) fn streams(connection: &Connection) -> Result<Vec<StreamId>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT stream_number, tenant_id, recorder_id FROM streams")?;
    let mut rows = statement.query([])?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next()? {
        let row = CheckedRow::new(row, "streams")?;
        streams.push(StreamId {
            tenant_id: row.checked(1, row.text(1)?.parse())?,
            recorder_id: row.checked(2, row.text(2)?.parse())?,
        });
    }
    streams.sort();
    Ok(streams)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema::OBJECTS;

    #[test]
    fn open_segments_are_counted_over_their_index_whatever_it_is_called() {
        let connection = Connection::open_in_memory().unwrap();
        for object in &OBJECTS {
            connection.execute_batch(object.sql).unwrap();
        }
        let sql = format!("EXPLAIN QUERY PLAN {TWO_OPEN}");
        let step: String = connection.query_row(&sql, [1], |row| row.get(3)).unwrap();
        assert!(
            step.contains("INDEX segments_open (stream_number>? AND stream_number<?)"),
            "{step}"
        );
    }
}
