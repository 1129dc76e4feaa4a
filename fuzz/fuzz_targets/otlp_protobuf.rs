//! Any bytes: OTLP/protobuf is mapped or refused, counts add up, and nothing panics.
#![no_main]

#[path = "../../crates/recorder-otel-adapter/tests/it/any_bytes.rs"]
mod any_bytes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| any_bytes::check_protobuf(input));
