//! What only the store in a file has: its opening, its lock, its queue, and a file that somebody else has touched.

use std::path::Path;

use recorder_store::{SqliteOptions, SqliteStore, Synchronous};

/// Options for tests: the disk's part is not tested here, and waiting for it is slow.
pub(crate) fn options() -> SqliteOptions {
    SqliteOptions { synchronous: Synchronous::Normal, ..SqliteOptions::default() }
}

/// A new store in `directory`.
pub(crate) fn create(directory: &Path) -> SqliteStore {
    SqliteStore::create(&directory.join("recorder.db"), &options()).unwrap()
}
