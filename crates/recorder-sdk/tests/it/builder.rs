//! What cannot be set up is refused before anything is opened.
#![expect(clippy::disallowed_methods, reason = "puts an older copy of a database of its own back")]

use recorder_sdk::prelude::*;
use recorder_sdk::{AppendError, GuardMode, OpenError, RecordError};

use crate::{builder, database, event, key};

fn refusal(builder: RecorderBuilder) -> OpenError {
    builder.build().err().unwrap()
}

#[test]
fn names_that_break_their_rule_are_refused_and_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let store = || StoreKind::CreateSqlite(path.clone());
    for name in ["", " ", "recorder\u{202e}", "a\nb", &"x".repeat(257)] {
        let builders = [
            RecorderBuilder::new(name).store(store()),
            builder(store(), 1).tenant(name),
            builder(store(), 1).log_name(name),
        ];
        for builder in builders {
            assert!(matches!(refusal(builder), OpenError::Identity(_)), "{name:?}");
        }
    }
    assert!(!path.exists());
}

#[test]
fn a_store_must_be_chosen() {
    assert!(matches!(refusal(RecorderBuilder::new("recorder:test")), OpenError::StoreMissing));
}

#[test]
fn signing_every_envelope_needs_a_signer() {
    let refused = refusal(builder(StoreKind::Memory, 1).sign_envelopes());
    assert!(matches!(refused, OpenError::SignerMissing));
}

#[test]
fn a_database_is_made_only_on_purpose_and_never_twice() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let refused = refusal(builder(StoreKind::Sqlite(path.clone()), 1));
    assert!(matches!(refused, OpenError::Store(_)), "{refused}");
    assert!(!path.exists());
    drop(builder(StoreKind::CreateSqlite(path.clone()), 1).build().unwrap());
    let refused = refusal(builder(StoreKind::CreateSqlite(path.clone()), 1));
    assert!(matches!(refused, OpenError::Store(_)), "{refused}");
    builder(StoreKind::Sqlite(path), 1).build().unwrap();
}

#[test]
fn another_signer_than_before_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let created = StoreKind::CreateSqlite(path.clone());
    let recorder = builder(created, 1).signer(key()).build().unwrap();
    recorder.record(event(1)).unwrap();
    recorder.seal().unwrap();
    drop(recorder);
    let other = SecretKey::from_seed(&[8; 32]).unwrap();
    let refused = refusal(builder(StoreKind::Sqlite(path.clone()), 2).signer(other));
    assert!(matches!(refused, OpenError::Engine(_)), "{refused}");
    let without = builder(StoreKind::Sqlite(path), 3).build().unwrap();
    let refused = without.record(event(2)).unwrap_err();
    assert!(matches!(refused, RecordError::Append(AppendError::SignerRequired)), "{refused}");
}

#[test]
fn an_older_copy_of_the_database_is_refused_beside_its_guard() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let guard = directory.path().canonicalize().unwrap().join("guard");
    let guarded = |store: StoreKind, seed: u64| {
        builder(store, seed).signer(key()).head_guard(&guard, GuardMode::Strict)
    };
    let recorder = guarded(StoreKind::CreateSqlite(path.clone()), 1).build().unwrap();
    recorder.record(event(0)).unwrap();
    drop(recorder);
    let old = std::fs::read(&path).unwrap();
    guarded(StoreKind::Sqlite(path.clone()), 2).build().unwrap().record(event(1)).unwrap();
    std::fs::write(&path, old).unwrap();
    for store in [StoreKind::Sqlite(path.clone()), StoreKind::Sqlite(path.clone())] {
        let refused = refusal(guarded(store, 3).adopt_head());
        assert!(refused.to_string().contains("rolled back"), "{refused}");
    }
    builder(StoreKind::Sqlite(path.clone()), 4).signer(key()).build().unwrap();
    std::fs::remove_dir_all(&guard).unwrap();
    let refused = refusal(guarded(StoreKind::Sqlite(path.clone()), 5));
    assert!(refused.to_string().contains("missing"), "{refused}");
    guarded(StoreKind::Sqlite(path), 6).adopt_head().build().unwrap();
}
