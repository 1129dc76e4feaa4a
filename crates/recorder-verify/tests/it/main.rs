//! The integration tests of recorder-verify, one module a subject.
// Marked as tests throughout, so that helpers may unwrap as the tests themselves do.
#![cfg(test)]

mod any_bytes;
mod archives;
mod contents;
mod corpus;
mod forge;
mod fuzz_corpus;
mod kept_heads;
mod limits;
mod mutations;
mod places;
mod reports;
mod verify_findings;
mod verify_smoke;
