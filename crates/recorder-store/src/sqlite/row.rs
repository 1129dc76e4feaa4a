//! One row, read as if an adversary had written it: every value passes through a checked type or is a `Corruption`
//! that names table and row.

use recorder_core::hash::{AttachmentHash, TreeHash};
use recorder_core::identity::{EnvelopeId, StreamId};
use recorder_core::time::RecordedAt;
use recorder_envelope::envelope::POSITION_MAX;
use recorder_envelope::segment::{SegmentGenesis, SignedSeal};
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::failure::Failure;
use crate::error::Corruption;
use crate::record::{SegmentRecord, StoredCheckpoint};

/// Bits of a key below the stream number.
pub(super) const INDEX_BITS: u32 = 40;

/// Streams that keys have room for.
pub(super) const STREAMS_MAX: i64 = 1 << 22;

/// The key of the row with `index` in the stream with `stream_number`.
pub(super) const fn key(stream_number: i64, index: u64) -> i64 {
    (stream_number << INDEX_BITS) + index as i64
}

/// The index within its stream of the row with `key`.
pub(super) const fn index_of(key: i64) -> u64 {
    (key & POSITION_MAX as i64) as u64
}

/// A row of `table`, whose first column is its key.
pub(super) struct CheckedRow<'a> {
    row: &'a Row<'a>,
    table: &'static str,
    key: i64,
}

impl<'a> CheckedRow<'a> {
    /// Takes a row whose first column is its key.
    pub(super) fn new(row: &'a Row<'a>, table: &'static str) -> Result<Self, Failure> {
        let key = match row.get_ref(0)? {
            ValueRef::Integer(key) => key,
            _ => return Err(Failure::corrupt(table, "a row without an integer key")),
        };
        Ok(Self { row, table, key })
    }

    /// The row's key.
    pub(super) fn key(&self) -> i64 {
        self.key
    }

    /// Names this row and what is wrong with it.
    pub(super) fn corrupt(&self, detail: impl Into<String>) -> Failure {
        Failure::corrupt(format!("{} row {}", self.table, self.key), detail)
    }

    /// An integer.
    pub(super) fn integer(&self, column: usize) -> Result<i64, Failure> {
        match self.row.get_ref(column)? {
            ValueRef::Integer(value) => Ok(value),
            _ => Err(self.wrong(column, "is no integer")),
        }
    }

    /// A count, a position or an index: 0 to 2⁴⁰.
    pub(super) fn count(&self, column: usize) -> Result<u64, Failure> {
        match u64::try_from(self.integer(column)?) {
            Ok(value) if value <= POSITION_MAX + 1 => Ok(value),
            _ => Err(self.wrong(column, "is out of range")),
        }
    }

    /// A count, or NULL.
    pub(super) fn optional_count(&self, column: usize) -> Result<Option<u64>, Failure> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            _ => self.count(column).map(Some),
        }
    }

    /// A time in nanoseconds.
    pub(super) fn recorded_at(&self, column: usize) -> Result<RecordedAt, Failure> {
        let nanoseconds = self.integer(column)?;
        RecordedAt::from_nanoseconds(nanoseconds)
            .map_err(|error| self.wrong(column, &error.to_string()))
    }

    /// A time in nanoseconds, or NULL.
    pub(super) fn optional_recorded_at(
        &self,
        column: usize,
    ) -> Result<Option<RecordedAt>, Failure> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            _ => self.recorded_at(column).map(Some),
        }
    }

    /// Text or NULL.
    pub(super) fn optional_text(&self, column: usize) -> Result<Option<&'a str>, Failure> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(self.wrong(column, "is not UTF-8")),
            },
            _ => Err(self.wrong(column, "is no text")),
        }
    }

    /// Text.
    pub(super) fn text(&self, column: usize) -> Result<&'a str, Failure> {
        self.optional_text(column)?.ok_or_else(|| self.wrong(column, "is no text"))
    }

    /// Bytes or NULL.
    pub(super) fn optional_bytes(&self, column: usize) -> Result<Option<&'a [u8]>, Failure> {
        match self.row.get_ref(column)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            _ => Err(self.wrong(column, "is no blob")),
        }
    }

    /// Exactly `N` bytes, or NULL.
    pub(super) fn optional_blob<const N: usize>(
        &self,
        column: usize,
    ) -> Result<Option<[u8; N]>, Failure> {
        match self.optional_bytes(column)?.map(<[u8; N]>::try_from) {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(_)) => Err(self.wrong(column, "has another length")),
        }
    }

    /// Bytes.
    pub(super) fn bytes(&self, column: usize) -> Result<&'a [u8], Failure> {
        self.optional_bytes(column)?.ok_or_else(|| self.wrong(column, "is no blob"))
    }

    /// Exactly `N` bytes.
    pub(super) fn blob<const N: usize>(&self, column: usize) -> Result<[u8; N], Failure> {
        self.optional_blob(column)?.ok_or_else(|| self.wrong(column, "is no blob"))
    }

    /// A value that its own type checks.
    pub(super) fn checked<T, E: std::fmt::Display>(
        &self,
        column: usize,
        value: Result<T, E>,
    ) -> Result<T, Failure> {
        value.map_err(|error| self.wrong(column, &error.to_string()))
    }

    /// An envelope id.
    pub(super) fn envelope_id(&self, column: usize) -> Result<EnvelopeId, Failure> {
        let bytes = self.blob(column)?;
        self.checked(column, EnvelopeId::from_bytes(bytes))
    }

    fn wrong(&self, column: usize, fault: &str) -> Failure {
        let name = self.row.as_ref().column_name(column).unwrap_or("column").to_owned();
        self.corrupt(format!("{name} {fault}"))
    }
}

/// Columns of a segment, in the order that `segment` reads them.
pub(super) const SEGMENT_COLUMNS: &str = "segment_key, segment_id, first_position, opened_at, genesis, envelope_count, sealed_at, signed_seal";

/// Reads a segment; one that is open gets its count and its head from the stream, not from here.
pub(super) fn segment(row: &Row<'_>, stream: &StreamId) -> Result<SegmentRecord, Failure> {
    let row = CheckedRow::new(row, "segments")?;
    let genesis = SegmentGenesis::from_canonical(row.text(4)?.as_bytes());
    let genesis = row.checked(4, genesis)?;
    let agrees = genesis.segment_id.as_bytes() == &row.blob::<16>(1)?
        && genesis.first_position == row.count(2)?
        && genesis.opened_at == row.recorded_at(3)?
        && genesis.segment_index == index_of(row.key())
        && genesis.stream == *stream;
    if !agrees {
        return Err(row.corrupt("the columns and the genesis disagree"));
    }
    let Some(text) = row.optional_text(7)? else {
        return Ok(SegmentRecord { genesis, envelope_count: 0, chain_head: None, seal: None });
    };
    let signed = row.checked(7, SignedSeal::from_canonical(text.as_bytes()))?;
    let seal = &signed.seal;
    let agrees = seal.segment_id == genesis.segment_id
        && seal.genesis_hash == genesis.hash()
        && seal.envelope_count == row.count(5)?
        && seal.sealed_at == row.recorded_at(6)?;
    if !agrees {
        return Err(row.corrupt("the columns and the seal disagree"));
    }
    let (envelope_count, chain_head) = (seal.envelope_count, Some(seal.chain_head));
    Ok(SegmentRecord { genesis, envelope_count, chain_head, seal: Some(signed) })
}

/// Columns of a checkpoint, in the order that `checkpoint` reads them.
pub(super) const CHECKPOINT_COLUMNS: &str = "checkpoint_key, tree_size, root_hash, note";

/// Reads a checkpoint.
pub(super) fn checkpoint(row: &Row<'_>) -> Result<StoredCheckpoint, Failure> {
    let row = CheckedRow::new(row, "checkpoints")?;
    Ok(StoredCheckpoint {
        tree_size: row.count(1)?,
        root_hash: TreeHash::from_bytes(row.blob(2)?),
        note: row.text(3)?.to_owned(),
    })
}

/// Columns of an attachment, in the order that `attachment` reads them.
pub(super) const ATTACHMENT_COLUMNS: &str = "attachment_number, content_hash, size_bytes, bytes";

/// Reads an attachment and checks that its bytes have its name.
pub(super) fn attachment(row: &Row<'_>) -> Result<Vec<u8>, Failure> {
    let row = CheckedRow::new(row, "attachments")?;
    let bytes = row.bytes(3)?;
    if i64::try_from(bytes.len()) != Ok(row.integer(2)?) {
        return Err(row.corrupt("size_bytes is not the number of bytes"));
    }
    let content_hash = AttachmentHash::from_bytes(row.blob(1)?);
    if recorder_envelope::preimage::attachment_hash(bytes) != content_hash {
        return Err(row.corrupt("the bytes do not have this hash"));
    }
    Ok(bytes.to_vec())
}

/// A row that should be there and is not.
pub(super) fn missing(stream: &StreamId, what: &str) -> Failure {
    Failure::Corrupt(Corruption { place: format!("{stream} {what}"), detail: "missing".to_owned() })
}
