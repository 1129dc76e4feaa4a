//! Heads that the writer keeps in mind, so that a commit does not read again what the last one wrote.
//!
//! They hold for as long as nobody else has committed to the file, which SQLite tells by `data_version`. Deliberately
//! absent: any say in what is written; the stream's row is compared and swapped all the same.

use std::collections::BTreeMap;

use recorder_core::identity::StreamId;
use rusqlite::Connection;

use super::failure::Failure;
use super::head::{self, StreamRow};
use crate::record::StreamHead;

/// Streams that are kept in mind; a store with more reads some heads again.
const STREAMS_KEPT_MAX: usize = 256;

/// Where a stream stands, with its row.
pub(super) type Known = (StreamRow, StreamHead);

/// What the writer knows of the streams that it wrote to last.
#[derive(Default)]
pub(super) struct Heads {
    known: BTreeMap<StreamId, Known>,
    /// What `data_version` was when they were true.
    data_version: Option<i64>,
    /// What becomes true when the transaction does.
    pending: Option<(StreamId, Known)>,
}

impl Heads {
    /// Where `stream` stands: as remembered, or as read. It is forgotten until the transaction is committed.
    pub(super) fn take(
        &mut self,
        connection: &Connection,
        stream: &StreamId,
    ) -> Result<Option<Known>, Failure> {
        let mut statement = connection.prepare_cached("PRAGMA data_version")?;
        let data_version = Some(statement.query_row([], |row| row.get(0))?);
        if self.data_version != data_version {
            self.known.clear();
            self.data_version = data_version;
        }
        match self.known.remove(stream) {
            Some(known) => Ok(Some(known)),
            None => head::load(connection, stream),
        }
    }

    /// Where the stream stands once the transaction is committed.
    pub(super) fn expect(&mut self, stream: &StreamId, row: StreamRow, head: StreamHead) {
        self.pending = Some((stream.clone(), (row, head)));
    }

    /// The transaction is committed.
    pub(super) fn committed(&mut self) {
        let Some((stream, known)) = self.pending.take() else { return };
        if self.known.len() >= STREAMS_KEPT_MAX {
            self.known.clear();
        }
        self.known.insert(stream, known);
    }

    /// The transaction is gone.
    pub(super) fn rolled_back(&mut self) {
        self.pending = None;
    }
}
