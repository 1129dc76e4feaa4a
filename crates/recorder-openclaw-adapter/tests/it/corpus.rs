//! Replays the seed corpus of the fuzz target `openclaw`, so that it is never only the fuzzer's.

use std::path::Path;

use super::any_bytes::check_bytes;

#[test]
fn the_fuzz_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/openclaw");
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        check_bytes(&std::fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 10, "{replayed}");
}
