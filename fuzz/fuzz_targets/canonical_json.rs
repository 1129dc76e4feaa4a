//! Any bytes: the canonical JSON readers agree with each other and never panic.
#![no_main]

#[path = "../../crates/recorder-envelope/tests/it/json/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check_bytes(input));
