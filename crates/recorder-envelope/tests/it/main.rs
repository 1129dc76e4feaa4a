//! The integration tests of recorder-envelope, one module a subject.
// Marked as tests throughout, so that helpers may unwrap as the tests themselves do.
#![cfg(test)]

mod adapters;
mod archive;
mod checkpoints;
mod envelopes;
mod format_page;
mod json;
mod manifests;
mod merkle;
mod proofs;
mod redaction;
mod rotations;
mod samples;
mod segments;
mod selectors;
mod signatures;
mod vector_file;
