//! The `Store` contract, an in-memory model of it, and the SQLite store.
//!
//! A store keeps what the engine seals and gives it back. It checks continuity itself, inside the transaction,
//! whoever calls it; it never computes a hash for the engine, and never trusts a row that it reads.

mod continuity;
pub mod error;
#[doc(hidden)]
pub mod fault;
mod matching;
pub mod memory;
pub mod record;
pub mod sqlite;
pub mod store;

pub use error::{CommitError, Corruption, ReadError};
pub use memory::MemoryStore;
pub use record::{
    ClaimRecord, Claims, Commit, ExpectedHead, OpenSegment, SegmentRecord, Step, StoredCheckpoint,
    StreamHead, Tile,
};
pub use sqlite::{OpenError, SqliteOptions, SqliteStore, Synchronous};
pub use store::Store;
