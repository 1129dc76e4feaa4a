//! The corpus of bundles under `docs/spec/vectors/bundles/`: what must verify and what must be rejected.
//!
//! The forge makes every file, so that the corpus can be read as code; the files are committed, so that verifiers in
//! other languages can read them. `RECORDER_WRITE_VECTORS=1 cargo test -p recorder-verify` writes them anew; what the
//! verifier says of each is then to be reviewed like code, and the finding that a case is about stands here.
#![expect(clippy::disallowed_methods, reason = "reads and writes the repository's own vectors")]

mod anchors;
pub(crate) mod case;
mod chain;
mod container;
mod content;
pub(crate) mod judge;
mod manifest;
mod rotations;
mod segments;
mod signatures;
mod trust_roots;
mod valid;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use case::{Case, Outcome};
use judge::{Judgement, judge};
use recorder_envelope::json::to_canonical;
use recorder_verify::FindingCode;
use serde_json::{Value, json};

/// All files of the corpus may have so many bytes.
const CORPUS_BYTES_MAX: usize = 3 << 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/bundles")
}

/// The bundles that must verify, with or without warnings.
pub(crate) fn valid_cases() -> Vec<Case> {
    valid::cases().into_iter().chain(rotations::valid_cases()).collect()
}

/// Every case with the folder that it belongs to.
fn cases() -> Vec<(&'static str, Case)> {
    let rejected = [
        content::cases(),
        chain::cases(),
        segments::cases(),
        signatures::cases(),
        rotations::cases(),
        anchors::cases(),
        manifest::cases(),
        container::cases(),
    ];
    let valid = valid_cases().into_iter().map(|case| ("valid", case));
    valid.chain(rejected.into_iter().flatten().map(|case| ("must-reject", case))).collect()
}

/// The trust root of a case, as its file.
pub(crate) fn trust_root(name: &str) -> &'static [u8] {
    static FILES: LazyLock<BTreeMap<&str, Vec<u8>>> =
        LazyLock::new(|| trust_roots::files().into_iter().collect());
    &FILES[name]
}

/// What the verifier says of a case.
fn judged(case: &Case, threads: usize) -> Judgement {
    let trust_root = case.trust_root.map(trust_root);
    judge(&case.bytes, trust_root, case.known_head.as_deref(), threads)
}

/// Every file of the corpus by its path, as the forge makes it; what is expected apart.
fn made(cases: &[(&'static str, Case)]) -> BTreeMap<String, Vec<u8>> {
    let trust_roots =
        trust_roots::files().into_iter().map(|(name, file)| (trust_root_path(name), file));
    let bundles = cases
        .iter()
        .map(|(folder, case)| (format!("{folder}/{}", case.file_name()), case.bytes.clone()));
    trust_roots.chain(bundles).collect()
}

fn trust_root_path(name: &str) -> String {
    format!("trust-roots/{name}.json")
}

fn expected_path(folder: &str, case: &Case) -> String {
    format!("{folder}/{}.expected.json", case.name)
}

/// What is expected of a case: the finding that is meant first, all others after it.
fn expected(case: &Case, judgement: &Judgement) -> Value {
    let meant = match case.outcome {
        Outcome::Invalid(code) => Some(code),
        _ => None,
    };
    let mut findings: Vec<_> = judgement.codes.iter().copied().collect();
    findings.sort_by_key(|code| Some(*code) != meant);
    let findings: Vec<_> = findings
        .into_iter()
        .map(|code| json!({ "code": code.code(), "phase": code.phase().name() }))
        .collect();
    json!({
        "answers": judgement.answers,
        "description": case.description,
        "findings": findings,
        "known_head": case.known_head,
        "limit": judgement.limit,
        "trust_root": case.trust_root.map(trust_root_path),
        "verdict": judgement.verdict,
    })
}

/// Why a judgement is not the outcome that the case is about, if it is not.
fn complaint(case: &Case, judgement: &Judgement) -> Option<String> {
    let verdict = judgement.verdict.as_deref();
    let found = |code| judgement.codes.contains(&code);
    let good = match case.outcome {
        Outcome::Valid => verdict == Some("valid") && judgement.codes.is_empty(),
        Outcome::Warned => verdict == Some("valid_with_warnings"),
        Outcome::Invalid(meant) => verdict == Some("invalid") && found(meant),
        Outcome::Limit(limit) => verdict.is_none() && judgement.limit == Some(limit),
    };
    (!good).then(|| format!("{}: meant {:?}, came {judgement:?}", case.name, case.outcome))
}

fn updating() -> bool {
    std::env::var_os("RECORDER_WRITE_VECTORS").is_some()
}

fn write(path: &str, bytes: &[u8]) {
    let path = folder().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn committed(path: &str) -> Vec<u8> {
    std::fs::read(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_committed_corpus_is_what_the_forge_makes() {
    let cases = cases();
    let mut paths = BTreeSet::new();
    for (path, bytes) in made(&cases) {
        if updating() {
            write(&path, &bytes);
        }
        assert!(committed(&path) == bytes, "{path} is not what the forge makes");
        paths.insert(path);
    }
    paths.extend(cases.iter().map(|(folder, case)| expected_path(folder, case)));
    let mut total = 0;
    for sub in ["valid", "must-reject", "trust-roots"] {
        for entry in std::fs::read_dir(folder().join(sub)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = format!("{sub}/{name}");
            if updating() && !paths.contains(&path) {
                std::fs::remove_file(folder().join(&path)).unwrap();
                continue;
            }
            assert!(paths.contains(&path), "{path} belongs to no case");
            total += committed(&path).len();
        }
    }
    assert!(total <= CORPUS_BYTES_MAX, "{total} bytes");
}

#[test]
fn every_name_is_used_once() {
    let cases = cases();
    let names: BTreeSet<_> = cases.iter().map(|(_, case)| case.name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.iter().filter(|(folder, _)| *folder == "valid").count() >= 12);
    assert!(cases.iter().filter(|(folder, _)| *folder == "must-reject").count() >= 75);
}

#[test]
fn every_bundle_gives_exactly_what_is_expected() {
    let mut complaints = Vec::new();
    for (folder, case) in cases() {
        let judgement = judged(&case, 1);
        complaints.extend(complaint(&case, &judgement));
        let path = expected_path(folder, &case);
        let mut text = to_canonical(&expected(&case, &judgement)).unwrap();
        text.push(b'\n');
        if updating() {
            write(&path, &text);
        }
        if committed(&path) != text {
            let text = String::from_utf8_lossy(&text);
            complaints.push(format!("{path} is not what came: {text}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_finding_comes_out_of_some_bundle() {
    let found: BTreeSet<_> = cases().iter().flat_map(|(_, case)| judged(case, 1).codes).collect();
    let missing: Vec<_> = FindingCode::ALL.iter().filter(|code| !found.contains(code)).collect();
    // A line of 8 MiB deflates to more than a file here may have, and no case comes with a head that was kept.
    assert_eq!(missing, [&FindingCode::LineTooLong, &FindingCode::KeptHeadAhead]);
}

#[test]
fn threads_and_repetition_change_no_byte_of_a_transcript() {
    for (_, case) in cases() {
        let first = judged(&case, 1);
        for threads in [1, 3] {
            assert_eq!(judged(&case, threads), first, "{} on {threads} threads", case.name);
        }
    }
}
