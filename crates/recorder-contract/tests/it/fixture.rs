//! Artifacts, vectors and validators.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::{Value, json};

/// A path of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The text of a file of this repository.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

/// A file of vectors.
pub(crate) fn vectors(path: &str) -> Value {
    serde_json::from_str(&text(&format!("docs/spec/vectors/{path}"))).unwrap()
}

/// The cases of a file of vectors.
pub(crate) fn cases(path: &str) -> Vec<Value> {
    vectors(path)["cases"].as_array().unwrap().clone()
}

/// An artifact that this program has, as JSON.
pub(crate) fn artifact(path: &str) -> Value {
    static ARTIFACTS: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    let artifacts = ARTIFACTS.get_or_init(|| recorder_contract::artifacts().unwrap());
    serde_json::from_slice(&artifacts[path]).unwrap()
}

/// A validator of `schemas/<name>.json`.
pub(crate) fn schema(name: &str) -> Validator {
    validator(&artifact(&format!("schemas/{name}.json")))
}

/// A validator of one type of the interface.
pub(crate) fn type_of(name: &str) -> Validator {
    let types = artifact("sdk/types.json");
    validator(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/$defs/{name}"),
        "$defs": types["types"],
    }))
}

fn validator(schema: &Value) -> Validator {
    jsonschema::meta::validate(schema).unwrap();
    jsonschema::draft202012::new(schema).unwrap()
}

/// What a validator says of a text: whether it is JSON and of the shape.
pub(crate) fn takes(validator: &Validator, text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|value: Value| validator.is_valid(&value))
}
