//! The stores against their contract: one suite for all of them, then what only a file on a disk can suffer.

mod conformance;
mod fixture;
mod sqlite;
