//! What is committed is what this program has.

use std::collections::BTreeSet;

use recorder_contract::{artifacts, check};
use serde_json::Value;

use crate::fixture::{artifact, repository, text};

#[test]
fn the_committed_contract_is_the_one_of_this_build() {
    let checked = check(&repository("docs/generated")).unwrap();
    assert!(checked.holds(), "run `cargo run -p recorder-cli -- contract generate`: {checked:#?}");
}

#[test]
fn the_index_lists_every_other_file_with_its_hash() {
    let index: Value = serde_json::from_str(&text("docs/generated/index.json")).unwrap();
    let listed: BTreeSet<&String> = index["artifacts"].as_object().unwrap().keys().collect();
    let artifacts = artifacts().unwrap();
    let record = "breaks.toml".to_owned();
    assert_eq!(listed, artifacts.keys().chain([&record]).collect());
    for (path, entry) in index["artifacts"].as_object().unwrap() {
        let bytes = text(&format!("docs/generated/{path}"));
        let hash: String = recorder_core::hash::sha256(&[bytes.as_bytes()])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(entry["sha256"], hash.as_str(), "{path}");
        assert_eq!(entry["size_bytes"], bytes.len(), "{path}");
    }
}

#[test]
fn making_it_twice_gives_the_same_bytes() {
    assert_eq!(artifacts().unwrap(), artifacts().unwrap());
}

#[test]
fn every_artifact_that_is_promised_is_there() {
    let artifacts = artifacts().unwrap();
    for path in [
        "apis/sidecar.openapi.json",
        "apis/sidecar.errors.json",
        "apis/sidecar.enums.json",
        "apis/sidecar.examples.json",
        "apis/sidecar.compat.json",
        "config/sidecar.schema.json",
        "config/sidecar.compat.json",
        "config/sidecar.example.toml",
        "config/sidecar.md",
        "sdk/types.json",
        "sdk/methods.json",
        "sdk/test_vectors.json",
        "sdk/manifest.json",
        "contracts/integrations/otel.json",
        "contracts/integrations/decision-gate.json",
        "contracts/integrations/openclaw.json",
        "glossary.md",
        "tooltips.json",
        "schemas/envelope.json",
        "schemas/selector.json",
        "schemas/transcript.json",
    ] {
        assert!(artifacts.contains_key(path), "{path}");
    }
}

#[test]
fn the_example_configuration_is_of_the_published_schema() {
    let schema = jsonschema::draft202012::new(&artifact("config/sidecar.schema.json")).unwrap();
    let example: toml::Value =
        toml::from_str(&text("docs/generated/config/sidecar.example.toml")).unwrap();
    let example = serde_json::to_value(example).unwrap();
    let faults: Vec<String> = schema.iter_errors(&example).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
}
