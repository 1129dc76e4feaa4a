//! The stores against their contract: one suite for all of them, then what only a file on a disk can suffer.
// Marked as tests throughout, so that helpers may unwrap as the tests themselves do.
#![cfg(test)]

mod conformance;
mod fixture;
mod model;
mod sqlite;
mod tampering;
