//! The contract against the parsers that it describes, and its directory against hostile ones.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests read this repository's files, and their helpers fail like tests"
)]

mod committed;
mod control_plane;
mod fixture;
mod guarded;
mod interface;
mod publishing;
mod vectors;
mod wire;
