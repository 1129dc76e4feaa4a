//! Readers: a few connections that cannot write, each lent to one read at a time.
//!
//! Every read is one read transaction and ends before its caller goes on, so that no reader holds up the log.

use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::connection::check_cookie;
use super::envelope::Decoder;
use super::failure::Failure;

/// A connection with what it remembers.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) decoder: Decoder,
}

/// The readers that are free.
pub(super) struct Readers {
    free: Mutex<Vec<Reader>>,
    returned: Condvar,
    schema_cookie: i64,
}

impl Readers {
    /// Takes connections whose schema was checked under `schema_cookie`.
    pub(super) fn new(connections: Vec<Connection>, schema_cookie: i64) -> Self {
        let reader = |connection| Reader { connection, decoder: Decoder::default() };
        let free = Mutex::new(connections.into_iter().map(reader).collect());
        Self { free, returned: Condvar::new(), schema_cookie }
    }

    /// Runs `read` in a read transaction of its own: it sees whole commits, and the same ones throughout.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &mut Decoder) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut lent = Lent { readers: self, reader: Some(self.take()) };
        match &mut lent.reader {
            Some(reader) => snapshot(reader, self.schema_cookie, read),
            None => Err(Failure::corrupt("readers", "none")),
        }
    }

    fn take(&self) -> Reader {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(reader) = free.pop() {
                return reader;
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Gives its reader back however the read ends.
struct Lent<'a> {
    readers: &'a Readers,
    reader: Option<Reader>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers.free.lock().unwrap_or_else(PoisonError::into_inner).extend(self.reader.take());
        self.readers.returned.notify_one();
    }
}

fn snapshot<T>(
    reader: &mut Reader,
    schema_cookie: i64,
    read: impl FnOnce(&Connection, &mut Decoder) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = reader.connection.unchecked_transaction()?;
    check_cookie(&transaction, schema_cookie)?;
    // Dropping the transaction rolls back, which for a read is the end.
    read(&transaction, &mut reader.decoder)
}
