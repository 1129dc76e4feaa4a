//! Every bundle of `docs/spec/vectors/bundles/` through the binary: verdict, answers, findings, exit code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Sandbox;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/spec/vectors/bundles")
        .canonicalize()
        .unwrap()
}

/// The bundles of a folder with what is expected of each.
fn cases(name: &str) -> Vec<(PathBuf, Value)> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder().join(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        let Some(stem) = file.strip_suffix(".expected.json") else { continue };
        let expected = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let forms =
            ["zip", "json"].map(|form| path.with_file_name(format!("{stem}.recorder.{form}")));
        let bundle = forms.into_iter().find(|form| form.exists());
        cases.push((bundle.expect(stem), expected));
    }
    cases
}

fn codes(findings: &Value) -> BTreeSet<(&str, &str)> {
    findings
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["phase"].as_str().unwrap(), finding["code"].as_str().unwrap()))
        .collect()
}

/// The exit code that the answers call for where integrity and authenticity are required.
fn exit_code(expected: &Value) -> i32 {
    match (expected["verdict"].as_str(), expected["answers"]["authenticity"].as_str()) {
        (None, _) => 1,
        (Some("invalid"), _) => 3,
        (Some(_), Some("proven")) => 0,
        (Some(_), _) => 4,
    }
}

fn check(sandbox: &Sandbox, bundle: &Path, expected: &Value) {
    let name = bundle.file_name().unwrap().to_str().unwrap();
    let mut arguments = vec!["bundle", "verify", "--no-keep-heads", bundle.to_str().unwrap()];
    let root = expected["trust_root"].as_str().map(|root| folder().join(root));
    arguments.extend(root.iter().flat_map(|root| ["--trust-root", root.to_str().unwrap()]));
    if let Some(head) = expected["known_head"].as_str() {
        sandbox.write("head", head);
        arguments.extend(["--known-head", "head"]);
    }
    let (code, answer) = sandbox.json(&arguments);
    assert_eq!(code, exit_code(expected), "{name}: {answer}");
    if expected["limit"].is_null() {
        assert_eq!(answer["verdict"], expected["verdict"], "{name}");
        assert_eq!(answer["answers"], expected["answers"], "{name}");
        assert_eq!(codes(&answer["findings"]), codes(&expected["findings"]), "{name}");
    } else {
        assert_eq!(answer["error"]["code"], "limit_exceeded", "{name}");
        let limit = expected["limit"].as_str().unwrap();
        assert!(answer["error"]["message"].as_str().unwrap().contains(limit), "{name}: {answer}");
    }
}

#[test]
fn every_manipulation_is_rejected_for_its_reason() {
    let (sandbox, cases) = (Sandbox::new(), cases("must-reject"));
    assert!(cases.len() >= 100, "{} cases", cases.len());
    for (bundle, expected) in cases {
        assert_ne!(exit_code(&expected), 0, "{}", bundle.display());
        check(&sandbox, &bundle, &expected);
    }
}

#[test]
fn every_honest_bundle_is_accepted_for_what_it_proves() {
    let (sandbox, cases) = (Sandbox::new(), cases("valid"));
    assert!(cases.len() >= 20, "{} cases", cases.len());
    for (bundle, expected) in cases {
        check(&sandbox, &bundle, &expected);
    }
}
