//! The integration tests of recorder-otel-adapter, one module a subject.
// Marked as tests throughout, so that helpers may unwrap as the tests themselves do.
#![cfg(test)]

mod any_bytes;
mod captures;
mod cases;
mod contract;
mod encodings;
mod fuzz_corpus;
mod hostile;
mod mapping;
mod order;
mod page;
mod protobuf;
mod redaction;
mod sdk;
mod support;
mod tools;
mod vectors;
