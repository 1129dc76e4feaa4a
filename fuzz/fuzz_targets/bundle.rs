//! Any bytes: the verifier never panics, never depends on threads, and finds something in whatever is not valid.
#![no_main]

#[path = "../../crates/recorder-verify/tests/it/any_bytes.rs"]
mod any_bytes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| any_bytes::check_bytes(input));
