//! The files of the contract, in memory, and the index over them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use recorder_sidecar_config::projection;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::ContractError;
use crate::breaks::Files;
use crate::{api, glossary, observation, openapi, overlay, schema, sdk, shape, text};

/// The version of the contract's own form: where which file is, and what the index says.
pub const CONTRACT_VERSION: u64 = 1;

/// The file that lists all others.
pub(crate) const INDEX: &str = "index.json";

/// Every artifact by its path, without the index.
///
/// # Errors
///
/// `MissingPointer` or `MissingShape` where the tables contradict each other.
pub fn artifacts() -> Result<BTreeMap<String, Vec<u8>>, ContractError> {
    let mut shapes = shape::shapes();
    overlay::lay_all(&mut shapes)?;
    let mut documents = schema::documents(&shapes)?;
    documents.extend(apis(&shapes)?);
    documents.extend(integrations()?);
    documents.insert("config/sidecar.schema.json".to_owned(), projection::schema());
    documents.insert("config/sidecar.compat.json".to_owned(), projection::compat());
    documents.insert("tooltips.json".to_owned(), glossary::tooltips());
    let mut files: Files =
        documents.iter().map(|(path, document)| (path.clone(), text::write(document))).collect();
    files.insert("config/sidecar.example.toml".to_owned(), projection::example().into_bytes());
    files.insert("config/sidecar.md".to_owned(), projection::markdown().into_bytes());
    files.insert("glossary.md".to_owned(), glossary::page().into_bytes());
    let manifest = sdk::manifest(&files);
    files.insert("sdk/manifest.json".to_owned(), text::write(&manifest));
    Ok(files)
}

fn apis(shapes: &shape::Shapes) -> Result<BTreeMap<String, Value>, ContractError> {
    let named = [
        ("apis/sidecar.openapi.json", openapi::document(shapes)?),
        ("apis/sidecar.errors.json", api::errors()),
        ("apis/sidecar.enums.json", api::enums()),
        ("apis/sidecar.examples.json", api::examples()),
        ("apis/sidecar.compat.json", api::compat()),
        ("apis/sidecar.metrics.json", observation::metrics()),
        ("apis/sidecar.events.json", observation::events()),
        ("sdk/types.json", sdk::types(shapes)?),
        ("sdk/methods.json", sdk::methods()),
        ("sdk/test_vectors.json", sdk::test_vectors()),
    ];
    Ok(named.into_iter().map(|(path, document)| (path.to_owned(), document)).collect())
}

/// The rules by which adapters map what comes in, as the adapters state them.
fn integrations() -> Result<BTreeMap<String, Value>, ContractError> {
    let otel = serde_json::to_value(recorder_otel_adapter::contract())
        .map_err(|error| ContractError::Unwritable { what: "otel", source: error })?;
    let all = [
        ("decision-gate", recorder_decision_gate_adapter::contract()),
        ("openclaw", recorder_openclaw_adapter::contract()),
        ("otel", otel),
    ];
    let file =
        |(name, rules): (&str, Value)| (format!("contracts/integrations/{name}.json"), rules);
    Ok(all.into_iter().map(file).collect())
}

/// The files and the index that lists them.
pub(crate) fn with_index(mut files: Files) -> Files {
    let listed: Map<String, Value> = files
        .iter()
        .map(|(path, bytes)| {
            (path.clone(), json!({ "sha256": sha256(bytes), "size_bytes": bytes.len() }))
        })
        .collect();
    let index = json!({ "contract_version": CONTRACT_VERSION, "artifacts": listed });
    files.insert(INDEX.to_owned(), text::write(&index));
    files
}

/// Whether these are the bytes of some contract's index.
pub(crate) fn is_index(bytes: &[u8]) -> bool {
    let index: Option<Value> = serde_json::from_slice(bytes).ok();
    index.is_some_and(|index| index["contract_version"].is_u64() && index["artifacts"].is_object())
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}
