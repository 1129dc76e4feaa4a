//! The facade: what it refuses, what it promises, and that it changes nothing of what the engine does.
#![cfg(test)]

mod builder;
mod bundles;
mod record;

use std::path::PathBuf;
use std::sync::Arc;

use recorder_sdk::prelude::*;
use recorder_sdk::{FixedClock, RecordedAt, SeededIds, trust_only};

/// 2026-11-22T00:00:00Z in nanoseconds.
const BEGINNING: i64 = 1_795_305_600_000_000_000;

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32]).unwrap()
}

/// A builder whose output repeats.
fn builder(store: StoreKind, seed: u64) -> RecorderBuilder {
    let start = RecordedAt::from_nanoseconds(BEGINNING).unwrap();
    RecorderBuilder::new("recorder:test")
        .store(store)
        .clock(Arc::new(FixedClock::new(start, 1)))
        .ids(Arc::new(SeededIds::new(seed)))
        .trust_root(trust_only(key().public_key()).unwrap())
}

fn database(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("recorder.db")
}

fn event(number: u64) -> Event {
    Event::new("tool.call", "agent:7", "test").payload(serde_json::json!({ "number": number }))
}
