//! Any bytes: the Decision Gate adapter never panics, answers the same twice, and counts every record.
#![no_main]

#[path = "../../crates/recorder-decision-gate-adapter/tests/it/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| properties::check_bytes(input));
