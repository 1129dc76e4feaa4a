//! Real captures, whole and damaged, where the machine has them: `RECORDER_CAPTURES` names the directory.
//!
//! The captures are not part of this repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use recorder_decision_gate_adapter::Input;
use recorder_envelope::adapter::Policy;

use crate::pack::{codes, document, mapped, runpack};

/// The captures of this source; `None`, said aloud, where there are none.
fn captures() -> Option<PathBuf> {
    let root =
        std::env::var_os("RECORDER_CAPTURES").map(|root| Path::new(&root).join("decision-gate"));
    if root.is_none() {
        eprintln!("SKIPPED: RECORDER_CAPTURES names no directory of captures");
    }
    root
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// Every fixture below `root`, by its path from there.
fn fixtures(root: &Path, below: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fixtures(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name.ends_with(".json") && name.contains("fixture") {
                found.push(name);
            }
        }
    }
    found.sort();
}

#[test]
fn every_capture_gives_exactly_the_codes_that_are_expected_of_it() {
    let Some(root) = captures() else { return };
    let expected: BTreeMap<String, BTreeSet<String>> =
        serde_json::from_slice(&read(&root.join("expected-anomalies.json"))).unwrap();
    let mut names = Vec::new();
    fixtures(&root, &root, &mut names);
    assert!(names.len() >= expected.len());
    let mut wrong = Vec::new();
    for name in names {
        let bytes = read(&root.join(&name));
        let found: BTreeSet<String> =
            codes(document(&bytes)).into_iter().map(str::to_owned).collect();
        let expected = expected.get(&name).cloned().unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}: {found:?}, expected {expected:?}"));
        }
        if let Ok(outcome) = mapped(document(&bytes), Policy::RecordAnomaly) {
            let named: Vec<_> = outcome.problems.named.iter().map(|anomaly| anomaly.code).collect();
            let once: BTreeSet<_> = named.iter().collect();
            assert_eq!(named.len(), once.len(), "{name}: {named:?}");
            let events = outcome.accepted + outcome.problems.count();
            assert_eq!(outcome.events.len() as u64, events, "{name}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_transcript_in_lines_beside_its_runpack_is_as_good_as_a_fixture() {
    let Some(root) = captures() else { return };
    for run in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
        let lines = run.join("transcript.jsonl");
        if !lines.is_file() {
            continue;
        }
        let lines = read(&lines);
        let manifest = read(&run.join("runpack/manifest.json"));
        let artifacts = std::fs::read_dir(run.join("runpack/artifacts")).unwrap();
        let files = artifacts.map(|entry| {
            let entry = entry.unwrap();
            (format!("artifacts/{}", entry.file_name().to_str().unwrap()), read(&entry.path()))
        });
        let pack = runpack(Some(manifest), files.collect());
        let both = Input { document: Some(&lines), runpack: Some(pack.clone()) };
        assert_eq!(codes(both), BTreeSet::new(), "{}", run.display());
        let alone = Input { document: None, runpack: Some(pack) };
        assert_eq!(codes(alone), BTreeSet::new(), "{}", run.display());
    }
}
