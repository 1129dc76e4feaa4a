//! Any bytes: redaction never panics, keeps within its bounds and changes nothing without counting it.
#![no_main]

#[path = "../../crates/recorder-envelope/tests/it/redaction/any_bytes.rs"]
mod any_bytes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| any_bytes::check_bytes(input));
