//! The store in one SQLite file: one writer behind a bounded queue, and readers that never wait for it.
//!
//! The file is hostile. It is opened so that nothing in it can run, refused unless its schema is exactly ours, and
//! every row is read through checked types. What it cannot tell is that its end was cut off or that it was replaced
//! by an older copy of itself: that needs a head kept elsewhere, which is not the store's.

mod claim;
mod connection;
mod envelope;
mod failure;
mod head;
mod heads;
mod medium;
mod reader;
mod row;
mod scan;
mod schema;
mod transaction;
mod writer;

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{AttachmentHash, ChainHash, TreeHash};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::limits::STORE_QUEUE_MAX;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::{TileCoordinates, decode_tile};
use rusqlite::Connection;

use self::failure::Failure;
use self::reader::Readers;
use self::row::{ATTACHMENT_COLUMNS, CheckedRow, SEGMENT_COLUMNS, key, missing};
use self::writer::Writer;
use crate::error::{Cause, CommitError, Corruption, ReadError};
use crate::fault::Fault;
use crate::record::{ClaimRecord, Commit, SegmentRecord, StoredCheckpoint, StreamHead};
use crate::store::Store;

/// What a commit waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Synchronous {
    /// The disk: a commit that returned survives a power cut.
    Full,
    /// The operating system: a power cut may take commits that returned, and leaves an intact, shorter stream.
    Normal,
}

/// How the file is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SqliteOptions {
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// Pages of 8 KiB after which the log is folded into the file: fewer shorten the slowest commit, more than 500
    /// ruin it.
    pub wal_autocheckpoint_pages: u32,
    /// How long a connection waits for another's lock, in milliseconds.
    pub busy_timeout_ms: u32,
    /// Connections for reading.
    pub reader_count: usize,
    /// Commits that may wait for the writer.
    pub queue_capacity: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            wal_autocheckpoint_pages: 500,
            busy_timeout_ms: 5000,
            reader_count: 2,
            queue_capacity: STORE_QUEUE_MAX,
        }
    }
}

/// Why a database was not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file. A missing database is never created on the way.
    #[error("{} does not exist; create it on purpose, or correct the path", .path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// There is such a file already, or the log of one.
    #[error("{} exists already", .path.display())]
    AlreadyExists {
        /// The path.
        path: PathBuf,
    },
    /// Another process, or another store of this one, writes to it.
    #[error("{} is in use by another writer", .path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The file is no database of this program.
    #[error("not a recorder database: {detail}")]
    NotOurs {
        /// What it is instead.
        detail: String,
    },
    /// The file is of another version of the schema.
    #[error(
        "the database has schema version {found}, this program has {expected}; open it with the release that made \
         it, export a bundle, and record into a new database"
    )]
    OtherVersion {
        /// The version of the file.
        found: i64,
        /// The version of this program.
        expected: i64,
    },
    /// An object of the schema is not the one that this program made.
    #[error("the database's schema was changed: {object}")]
    SchemaTampered {
        /// The object: added, changed or missing.
        object: String,
    },
    /// The file contradicts itself.
    #[error("the database is corrupt: {0}")]
    Corrupt(#[source] Corruption),
    /// The medium failed.
    #[error("the database could not be opened")]
    Storage(#[source] Cause),
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sql(error) => Self::Storage(std::sync::Arc::new(error)),
            Failure::Corrupt(corruption) => Self::Corrupt(corruption),
        }
    }
}

/// A store in an SQLite file.
pub struct SqliteStore {
    // Readers close before the writer, so that the writer, last of all, folds the log into the file; the lock goes
    // when nothing is written any more.
    readers: Readers,
    writer: Option<Writer>,
    _lock: Option<File>,
    synchronous: Synchronous,
}

impl SqliteStore {
    /// Makes a new database at `path`, readable by its owner only, and opens it.
    ///
    /// # Errors
    ///
    /// `OpenError`; `AlreadyExists` rather than touching what is there.
    pub fn create(path: &Path, options: &SqliteOptions) -> Result<Self, OpenError> {
        let path = connection::resolve(path)?;
        let lock = connection::lock(&path)?;
        connection::create_file(&path, options)?;
        Self::open_locked(&path, options, lock)
    }

    /// Opens the database at `path` as its only writer.
    ///
    /// # Errors
    ///
    /// `OpenError`; `NotFound` rather than creating one.
    pub fn open(path: &Path, options: &SqliteOptions) -> Result<Self, OpenError> {
        let path = connection::resolve(path)?;
        if path.symlink_metadata().is_err() {
            return Err(OpenError::NotFound { path });
        }
        let lock = connection::lock(&path)?;
        Self::open_locked(&path, options, lock)
    }

    /// Opens the database at `path` for reading only, beside a writer or without one.
    ///
    /// # Errors
    ///
    /// `OpenError`; `NotFound` rather than creating one.
    pub fn open_read_only(path: &Path, options: &SqliteOptions) -> Result<Self, OpenError> {
        let path = connection::resolve(path)?;
        let readers = open_readers(&path, options)?;
        Ok(Self { readers, writer: None, _lock: None, synchronous: options.synchronous })
    }

    fn open_locked(path: &Path, options: &SqliteOptions, lock: File) -> Result<Self, OpenError> {
        let connection = connection::open_writer(path, options)?;
        let schema_cookie = connection::schema_cookie(&connection)?;
        let readers = open_readers(path, options)?;
        let writer = Writer::new(connection, schema_cookie, options.queue_capacity);
        let synchronous = options.synchronous;
        Ok(Self { readers, writer: Some(writer), _lock: Some(lock), synchronous })
    }

    /// Makes the next commit that reaches its end fail as `fault` says.
    #[doc(hidden)]
    pub fn testing_only_fail_next_commit(&self, fault: Fault) {
        if let Some(writer) = &self.writer {
            writer.testing_only_fail_next_commit(fault);
        }
    }
}

fn open_readers(path: &Path, options: &SqliteOptions) -> Result<Readers, OpenError> {
    let connections: Vec<Connection> = (0..options.reader_count.max(1))
        .map(|_| connection::open_reader(path, options))
        .collect::<Result<_, _>>()?;
    let cookies: Result<Vec<i64>, Failure> =
        connections.iter().map(connection::schema_cookie).collect();
    let cookies = cookies?;
    let first = cookies.first().copied().unwrap_or_default();
    if cookies.iter().any(|cookie| *cookie != first) {
        return Err(OpenError::SchemaTampered { object: "changed while opening".to_owned() });
    }
    Ok(Readers::new(connections, first))
}

impl Store for SqliteStore {
    fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        match &self.writer {
            Some(writer) => writer.commit(commit),
            None => Err(CommitError::ReadOnly),
        }
    }

    fn durability(&self) -> &'static str {
        match self.synchronous {
            Synchronous::Full => "fsync",
            Synchronous::Normal => "process",
        }
    }

    fn streams(&self) -> Result<Vec<StreamId>, ReadError> {
        Ok(self.readers.read(|connection, _| head::streams(connection))?)
    }

    fn head(&self, stream: &StreamId) -> Result<Option<StreamHead>, ReadError> {
        let loaded = self.readers.read(|connection, _| head::load(connection, stream))?;
        Ok(loaded.map(|(_, head)| head))
    }

    fn segments(
        &self,
        stream: &StreamId,
        indexes: Range<u64>,
    ) -> Result<Vec<SegmentRecord>, ReadError> {
        Ok(self.readers.read(|connection, _| segments(connection, stream, indexes))?)
    }

    fn segment(
        &self,
        stream: &StreamId,
        segment_id: SegmentId,
    ) -> Result<Option<SegmentRecord>, ReadError> {
        Ok(self.readers.read(|connection, _| segment(connection, stream, segment_id))?)
    }

    fn envelope(
        &self,
        stream: &StreamId,
        envelope_id: EnvelopeId,
    ) -> Result<Option<SealedEnvelope>, ReadError> {
        let filter =
            EnvelopeFilter { envelope_ids: Some([envelope_id].into()), ..Default::default() };
        let mut found = None;
        self.scan(stream, &filter, 0..u64::MAX, &mut |envelope| {
            found = Some(envelope);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    fn scan(
        &self,
        stream: &StreamId,
        filter: &EnvelopeFilter,
        positions: Range<u64>,
        visit: &mut dyn FnMut(SealedEnvelope) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        Ok(scan::scan(&self.readers, stream, filter, positions, visit)?)
    }

    fn chain_hashes(
        &self,
        stream: &StreamId,
        positions: Range<u64>,
    ) -> Result<Vec<ChainHash>, ReadError> {
        Ok(self.readers.read(|connection, _| chain_hashes(connection, stream, positions))?)
    }

    fn tile(&self, stream: &StreamId, tile: TileCoordinates) -> Result<Vec<TreeHash>, ReadError> {
        Ok(self.readers.read(|connection, _| read_tile(connection, stream, tile))?)
    }

    fn attachment(&self, content_hash: &AttachmentHash) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.readers.read(|connection, _| attachment(connection, content_hash))?)
    }

    fn checkpoint(
        &self,
        stream: &StreamId,
        tree_size_min: u64,
    ) -> Result<Option<StoredCheckpoint>, ReadError> {
        let found =
            self.readers.read(|connection, _| match head::stream_row(connection, stream)? {
                Some(row) => head::first_checkpoint(connection, stream, &row, tree_size_min),
                None => Ok(None),
            })?;
        Ok(found)
    }

    fn claim(
        &self,
        stream: &StreamId,
        key: &IdempotencyKey,
    ) -> Result<Option<ClaimRecord>, ReadError> {
        Ok(self.readers.read(|connection, _| claim::find(connection, stream, key))?)
    }

    fn check_medium(&self) -> Result<Vec<Corruption>, ReadError> {
        Ok(self.readers.read(|connection, _| medium::check(connection))?)
    }
}

/// The open segment's count and head are those of its stream.
fn complete(mut record: SegmentRecord, head: &head::StreamRow) -> Result<SegmentRecord, Failure> {
    if record.seal.is_none() {
        let index = record.genesis.segment_index;
        if index + 1 != head.segment_count {
            let place = format!("segments of {}, index {index}", record.genesis.stream);
            return Err(Failure::corrupt(place, "is open but not the last"));
        }
        record.envelope_count = head.next_position.saturating_sub(record.genesis.first_position);
        record.chain_head = head.chain_head.filter(|_| record.envelope_count > 0);
    }
    Ok(record)
}

fn segments(
    connection: &Connection,
    stream: &StreamId,
    indexes: Range<u64>,
) -> Result<Vec<SegmentRecord>, Failure> {
    let Some(head) = head::stream_row(connection, stream)? else { return Ok(Vec::new()) };
    let end = indexes.end.min(head.segment_count);
    let sql = format!(
        "SELECT {SEGMENT_COLUMNS} FROM segments WHERE segment_key >= ?1 AND segment_key < ?2 \
         ORDER BY segment_key"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let range = (key(head.number, indexes.start.min(end)), key(head.number, end));
    let mut rows = statement.query(range)?;
    let mut segments = Vec::new();
    while let Some(row) = rows.next()? {
        segments.push(complete(row::segment(row, stream)?, &head)?);
    }
    if segments.len() as u64 != end.saturating_sub(indexes.start) {
        return Err(missing(stream, "segment"));
    }
    Ok(segments)
}

fn segment(
    connection: &Connection,
    stream: &StreamId,
    segment_id: SegmentId,
) -> Result<Option<SegmentRecord>, Failure> {
    let Some(head) = head::stream_row(connection, stream)? else { return Ok(None) };
    let sql = format!(
        "SELECT {SEGMENT_COLUMNS} FROM segments WHERE segment_id = ?1 AND stream_number = ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((segment_id.as_bytes(), head.number))?;
    match rows.next()? {
        Some(row) => complete(row::segment(row, stream)?, &head).map(Some),
        None => Ok(None),
    }
}

fn chain_hashes(
    connection: &Connection,
    stream: &StreamId,
    positions: Range<u64>,
) -> Result<Vec<ChainHash>, Failure> {
    let next_position =
        head::stream_row(connection, stream)?.map(|row| (row.number, row.next_position));
    let (number, next_position) = next_position.unwrap_or_default();
    let mut hashes = Vec::new();
    let end = positions.end.min(next_position);
    let mut statement = connection.prepare_cached(
        "SELECT envelope_key, chain_hash FROM envelopes \
         WHERE envelope_key >= ?1 AND envelope_key < ?2 ORDER BY envelope_key",
    )?;
    let range = (key(number, positions.start.min(end)), key(number, end));
    let mut rows = statement.query(range)?;
    let mut expected = positions.start;
    while let Some(row) = rows.next()? {
        let row = CheckedRow::new(row, "envelopes")?;
        if row.key() != key(number, expected) {
            break;
        }
        hashes.push(ChainHash::from_bytes(row.blob(1)?));
        expected += 1;
    }
    if expected < positions.end {
        return Err(missing(stream, &format!("position {expected}")));
    }
    Ok(hashes)
}

fn read_tile(
    connection: &Connection,
    stream: &StreamId,
    tile: TileCoordinates,
) -> Result<Vec<TreeHash>, Failure> {
    let absent = || missing(stream, &format!("tile {}/{}", tile.level, tile.index));
    let head = head::stream_row(connection, stream)?.ok_or_else(absent)?;
    let index = i64::try_from(tile.index).map_err(|_| absent())?;
    let mut statement = connection.prepare_cached(
        "SELECT stored.tile_number, stored.hashes, stored.stream_number, stored.level, \
         stored.tile_index FROM tiles AS found INDEXED BY tiles_by_place \
         CROSS JOIN tiles AS stored NOT INDEXED ON stored.tile_number = found.tile_number \
         WHERE found.stream_number = ?1 AND found.level = ?2 AND found.tile_index = ?3",
    )?;
    let mut rows = statement.query((head.number, tile.level, index))?;
    let row = CheckedRow::new(rows.next()?.ok_or_else(absent)?, "tiles")?;
    let place = (row.integer(2)?, row.integer(3)?, row.integer(4)?);
    if place != (head.number, tile.level.into(), index) {
        return Err(row.corrupt("found by an index that it does not belong to"));
    }
    decode_tile(row.bytes(1)?).ok_or_else(|| row.corrupt("hashes has another length"))
}

fn attachment(
    connection: &Connection,
    content_hash: &AttachmentHash,
) -> Result<Option<Vec<u8>>, Failure> {
    let sql = format!("SELECT {ATTACHMENT_COLUMNS} FROM attachments WHERE content_hash = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([content_hash.as_bytes()])?;
    match rows.next()? {
        Some(row) => row::attachment(row).map(Some),
        None => Ok(None),
    }
}
