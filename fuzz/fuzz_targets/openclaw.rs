//! Any bytes: the OpenClaw adapter never panics, reports each line once and gives all or nothing under a strict policy.
#![no_main]

#[path = "../../crates/recorder-openclaw-adapter/tests/it/any_bytes.rs"]
mod any_bytes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| any_bytes::check_bytes(input));
