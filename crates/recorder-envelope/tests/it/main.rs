//! The integration tests of recorder-envelope, one module a subject.
// Marked as tests throughout, so that helpers may unwrap as the tests themselves do.
#![cfg(test)]

mod archive;
mod checkpoints;
mod json;
mod merkle;
mod signatures;
mod vector_file;
