//! Generating and checking: drift, strays, hostile directories, breaks.
#![cfg(unix)]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use recorder_contract::{ContractError, DriftKind, check, compare, generate};
use recorder_fs::TreeError;

struct Published {
    _above: tempfile::TempDir,
    root: PathBuf,
}

fn published() -> Published {
    let above = tempfile::tempdir().unwrap();
    let root = above.path().join("generated");
    let made = generate(&root, false).unwrap();
    assert!(made.removed.is_empty() && made.written.len() == made.artifact_count);
    Published { _above: above, root }
}

impl Published {
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn change(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{path}: {from}");
        std::fs::write(self.path(path), text.replace(from, to)).unwrap();
    }

    fn record(&self, fact: &str, was: &str) {
        let record = format!(
            "[[break]]\nartifact = \"apis/sidecar.compat.json\"\nfact = {fact:?}\nwas = {was:?}\nreason = \"decided in a test, with more than a word\"\n"
        );
        std::fs::write(self.path("breaks.toml"), record).unwrap();
    }
}

fn drift(root: &Path) -> Vec<(String, DriftKind)> {
    let checked = check(root).unwrap();
    assert_eq!(checked.holds(), checked.drift.is_empty());
    checked.drift.into_iter().map(|drift| (drift.path, drift.kind)).collect()
}

#[test]
fn what_was_made_holds_and_is_not_written_again() {
    let published = published();
    assert!(check(&published.root).unwrap().holds());
    let again = generate(&published.root, false).unwrap();
    assert!(again.written.is_empty() && again.removed.is_empty());
}

#[test]
fn a_missing_a_changed_and_an_unexpected_file_are_drift_and_are_put_right() {
    let published = published();
    std::fs::remove_file(published.path("glossary.md")).unwrap();
    published.change("sdk/methods.json", "POST", "PUT");
    std::fs::create_dir(published.path("extra")).unwrap();
    std::fs::write(published.path("extra/.hidden"), "x").unwrap();
    let expected = [
        ("extra/.hidden".to_owned(), DriftKind::Unexpected),
        ("glossary.md".to_owned(), DriftKind::Missing),
        ("sdk/methods.json".to_owned(), DriftKind::Drifted),
    ];
    assert_eq!(drift(&published.root), expected);
    let made = generate(&published.root, false).unwrap();
    assert_eq!(made.written, ["glossary.md", "sdk/methods.json"]);
    assert_eq!(made.removed, ["extra/.hidden"]);
    assert!(check(&published.root).unwrap().holds() && !published.path("extra").exists());
}

#[test]
fn an_index_that_says_something_else_is_drift() {
    let published = published();
    published.change("index.json", "\"sha256\": \"", "\"sha256\": \"0");
    assert_eq!(drift(&published.root), [("index.json".to_owned(), DriftKind::Drifted)]);
}

/// Both ways refuse the directory, for the reason that `is` knows, and nothing in it changes.
fn both_refuse(root: &Path, is: impl Fn(&TreeError) -> bool) {
    let refused =
        [generate(root, true).map(drop), check(root).map(drop), compare(root, root).map(drop)];
    for refused in refused {
        match refused.unwrap_err() {
            ContractError::Tree(error) => assert!(is(&error), "{error:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_root_that_is_a_link_is_refused() {
    let published = published();
    let link = published.root.with_file_name("link");
    symlink(&published.root, &link).unwrap();
    for root in [link.clone(), link.join(""), link.join(".")] {
        both_refuse(&root, |error| matches!(error, TreeError::Link { .. }));
    }
}

#[test]
fn a_link_below_the_root_is_refused_even_in_the_place_of_an_artifact() {
    let published = published();
    let outside = published.root.with_file_name("outside.md");
    std::fs::copy(published.path("glossary.md"), &outside).unwrap();
    std::fs::remove_file(published.path("glossary.md")).unwrap();
    symlink(&outside, published.path("glossary.md")).unwrap();
    both_refuse(&published.root, |error| matches!(error, TreeError::Link { .. }));
    let before = std::fs::read(&outside).unwrap();
    assert_eq!(before, std::fs::read(published.path("glossary.md")).unwrap());
}

#[test]
fn a_linked_directory_is_refused() {
    let published = published();
    let outside = published.root.with_file_name("schemas");
    std::fs::rename(published.path("schemas"), &outside).unwrap();
    symlink(&outside, published.path("schemas")).unwrap();
    both_refuse(&published.root, |error| matches!(error, TreeError::Link { .. }));
}

#[test]
fn a_file_with_a_second_name_is_refused() {
    let published = published();
    std::fs::hard_link(published.path("glossary.md"), published.root.with_file_name("second"))
        .unwrap();
    both_refuse(&published.root, |error| {
        matches!(error, TreeError::HardLinked { link_count: 2, .. })
    });
}

#[test]
fn what_is_no_file_is_refused() {
    let published = published();
    let _socket = std::os::unix::net::UnixListener::bind(published.path("socket")).unwrap();
    both_refuse(&published.root, |error| matches!(error, TreeError::NotRegular { .. }));
}

#[test]
fn a_directory_of_other_files_is_not_touched() {
    let above = tempfile::tempdir().unwrap();
    std::fs::write(above.path().join("thesis.txt"), "years of work").unwrap();
    for index in [None, Some("{}"), Some("not JSON")] {
        if let Some(index) = index {
            std::fs::write(above.path().join("index.json"), index).unwrap();
        }
        let refused = generate(above.path(), true).unwrap_err();
        assert!(matches!(refused, ContractError::NotOurs { .. }), "{refused}");
    }
    assert_eq!(std::fs::read_to_string(above.path().join("thesis.txt")).unwrap(), "years of work");
}

#[test]
fn where_nothing_is_there_is_nothing_to_check() {
    let above = tempfile::tempdir().unwrap();
    let refused = check(&above.path().join("none")).unwrap_err();
    assert!(matches!(refused, ContractError::Missing { .. }), "{refused}");
}

const COMPAT: &str = "apis/sidecar.compat.json";

#[test]
fn a_fact_that_was_published_cannot_go_unless_it_is_recorded_and_accepted() {
    // Each stands for something that this program does not have any more, or has otherwise.
    let cases = [
        (COMPAT, "\"queue_full\"", "\"queue_very_full\""),
        (COMPAT, "\"status\": 429", "\"status\": 420"),
        (COMPAT, "\"shutting_down\"", "\"closing\""),
        (COMPAT, "\"header\": \"idempotency-key\"", "\"header\": \"request-key\""),
        (COMPAT, "\"requires_idempotency_key\": true", "\"requires_idempotency_key\": false"),
        ("config/sidecar.compat.json", "\"signer.enabled\"", "\"signer.active\""),
        ("config/sidecar.compat.json", "\"default\": 8787", "\"default\": 8080"),
    ];
    for (path, from, to) in cases {
        let published = published();
        published.change(path, from, to);
        let before = std::fs::read(published.path(path)).unwrap();
        assert!(!check(&published.root).unwrap().breaks.is_empty(), "{to}");
        for accept in [false, true] {
            let refused = generate(&published.root, accept).unwrap_err();
            assert!(matches!(refused, ContractError::Breaks { .. }), "{to}: {refused}");
        }
        assert_eq!(std::fs::read(published.path(path)).unwrap(), before);
    }
}

#[test]
fn a_recorded_break_is_accepted_once_and_for_its_own_value() {
    let published = published();
    published.change(
        COMPAT,
        "\"too_many_streams\": {\n      \"retryable\": false,\n      \"status\": 429",
        "\"too_many_streams\": {\n      \"retryable\": false,\n      \"status\": 420",
    );
    published.record("/codes/too_many_streams/status", "419");
    assert!(matches!(generate(&published.root, true), Err(ContractError::Breaks { .. })));
    published.record("/codes/too_many_streams/status", "420");
    let refused = generate(&published.root, false).unwrap_err();
    assert!(matches!(refused, ContractError::Breaks { .. }), "{refused}");
    let made = generate(&published.root, true).unwrap();
    assert_eq!(made.accepted.len(), 1);
    assert!(check(&published.root).unwrap().holds());
}

#[test]
fn a_record_of_a_break_that_is_none_is_found() {
    let published = published();
    published.record("/codes/too_many_streams/status", "429");
    generate(&published.root, false).unwrap();
    let checked = check(&published.root).unwrap();
    assert_eq!(checked.idle_records, ["/codes/too_many_streams/status"]);
    assert!(!checked.holds());
}

#[test]
fn an_earlier_contract_is_held_against_this_one() {
    let (now, earlier) = (published(), published());
    assert!(compare(&now.root, &earlier.root).unwrap().is_empty());
    earlier.change(COMPAT, "\"shutting_down\"", "\"closing\"");
    let breaks = compare(&now.root, &earlier.root).unwrap();
    assert_eq!(breaks.len(), 1, "{breaks:?}");
    now.record(&breaks[0].fact, &breaks[0].was);
    assert!(compare(&now.root, &earlier.root).unwrap().is_empty());
}

#[test]
fn a_record_that_cannot_be_read_stops_both() {
    let published = published();
    std::fs::write(published.path("breaks.toml"), "[[break]]\nreason = 1\n").unwrap();
    assert!(matches!(generate(&published.root, true), Err(ContractError::BreaksMalformed { .. })));
    assert!(matches!(check(&published.root), Err(ContractError::BreaksMalformed { .. })));
}
