//! Replays the seed corpora of the fuzz targets, and mutations of the shipped trace.
#![expect(clippy::disallowed_methods, reason = "reads the repository's own corpus")]

use std::path::Path;

use proptest::prelude::*;

use crate::any_bytes::{check_json, check_protobuf};
use crate::protobuf::encoded;
use crate::support::TRACE;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        check(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 4, "{replayed}");
}

#[test]
fn the_json_corpus_holds() {
    replay("otlp_json", check_json);
}

#[test]
fn the_protobuf_corpus_holds() {
    replay("otlp_protobuf", check_protobuf);
}

/// A short body of the shipped trace.
fn seed() -> &'static str {
    TRACE.lines().min_by_key(|line| line.len()).unwrap()
}

fn mutated(
    mut body: Vec<u8>,
    changes: &[(prop::sample::Index, u8)],
    cut: Option<prop::sample::Index>,
) -> Vec<u8> {
    for (place, byte) in changes {
        let place = place.index(body.len());
        body[place] = *byte;
    }
    if let Some(cut) = cut {
        body.truncate(cut.index(body.len()));
    }
    body
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\0-e\x00\xff".to_vec())];
    prop::collection::vec((any::<prop::sample::Index>(), byte), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn mutated_json_is_mapped_or_refused(changes in changes(), cut in any::<Option<prop::sample::Index>>()) {
        check_json(&mutated(seed().as_bytes().to_vec(), &changes, cut));
    }

    #[test]
    fn mutated_protobuf_is_mapped_or_refused(changes in changes(), cut in any::<Option<prop::sample::Index>>()) {
        check_protobuf(&mutated(encoded(seed()), &changes, cut));
    }
}
