//! JSON Schemas (2020-12) of evidence, one document each, with every definition that it needs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ContractError;
use crate::shape::Shapes;

/// The documents: the file's name, the shape that it is of, its title.
const DOCUMENTS: &[(&str, &str, &str)] = &[
    ("bundle-document", "bundle_document", "A bundle as one JSON document"),
    (
        "control-plane-admission",
        "admission_request",
        "What the sidecar asks a control plane before a request is worked on",
    ),
    ("control-plane-admission-answer", "admission_answer", "What a control plane answers to that"),
    ("control-plane-hook", "hook", "What the sidecar tells a control plane of a request"),
    ("control-plane-hook-answer", "hook_answer", "What a control plane answers to that"),
    ("draft", "draft", "An unsealed envelope, as producers hand it in"),
    ("envelope", "envelope", "A sealed envelope: one line of evidence"),
    ("genesis", "genesis", "How a segment begins"),
    ("guarded-head", "guarded_head", "The last head of a log, kept apart from the database"),
    ("manifest", "manifest", "What a bundle holds"),
    ("manifest-signature", "manifest_signature", "The signature of a manifest (DSSE)"),
    ("proof-line", "proof_line", "A line of a bundle's proofs"),
    ("rotation", "rotation", "The payload of a key rotation"),
    ("seal", "seal", "How a segment ended, and the signature of that"),
    ("selector", "selector", "Which envelopes of a stream are meant"),
    ("transcript", "transcript", "What a verification did"),
    ("trust-root", "trust_root", "Which keys an auditor believes"),
];

/// Every document by the name of its file.
///
/// # Errors
///
/// `MissingShape` for a reference to a definition that is not there.
pub(crate) fn documents(shapes: &Shapes) -> Result<BTreeMap<String, Value>, ContractError> {
    let documents = DOCUMENTS.iter().map(|(file, shape, title)| {
        let mut document = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": format!("urn:recorder:schema:{file}:1"),
            "title": title,
            "$ref": format!("#/$defs/{shape}"),
        });
        document["$defs"] = Value::Object(needed(shapes, &[shape])?);
        Ok((format!("schemas/{file}.json"), document))
    });
    documents.collect()
}

/// The definitions of those names, and of all that they refer to.
///
/// # Errors
///
/// `MissingShape`.
pub(crate) fn needed(shapes: &Shapes, names: &[&str]) -> Result<Map<String, Value>, ContractError> {
    let mut found = Map::new();
    let mut open: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = open.pop() {
        if found.contains_key(&name) {
            continue;
        }
        let shape = shapes.get(name.as_str());
        let shape = shape.ok_or_else(|| ContractError::MissingShape { name: name.clone() })?;
        references(shape, &mut open);
        found.insert(name, shape.clone());
    }
    Ok(found)
}

/// The names that a shape refers to.
fn references(shape: &Value, into: &mut Vec<String>) {
    match shape {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str);
            into.extend(name.and_then(|name| name.strip_prefix("#/$defs/")).map(str::to_owned));
            members.values().for_each(|member| references(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_to_nothing_fails() {
        let shapes = Shapes::from([("a", json!({ "items": { "$ref": "#/$defs/b" } }))]);
        let refused = needed(&shapes, &["a"]).unwrap_err();
        assert!(
            matches!(&refused, ContractError::MissingShape { name } if name == "b"),
            "{refused}"
        );
    }
}
