//! What a client library is made from: types, methods, test vectors, and a manifest that ties them together.

use recorder_core::idempotency::IdempotencyKey;
use recorder_sidecar_api::header::{idempotency_key, is_correlation_id};
use recorder_sidecar_api::media::{Media, accepted, of_request};
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::{Access, Operation};
use serde_json::{Map, Value, json};

use crate::api::{self, described, name};
use crate::artifact::{CONTRACT_VERSION, sha256};
use crate::breaks::Files;
use crate::shape::Shapes;
use crate::{ContractError, enumeration, example, schema};

/// Every type that a request or an answer is made of, and every enumeration.
///
/// # Errors
///
/// `MissingShape`.
pub(crate) fn types(shapes: &Shapes) -> Result<Value, ContractError> {
    let mut named = vec!["problem", "selector", "draft", "envelope"];
    for operation in Operation::ALL {
        let described = described(*operation);
        named.extend(described.request);
        named.extend(described.answers.iter().filter_map(|answer| answer.shape));
    }
    Ok(json!({ "types": schema::needed(shapes, &named)?, "enums": enumeration::all() }))
}

/// Every operation as a method: what it sends, takes, answers and refuses.
pub(crate) fn methods() -> Value {
    let methods: Map<String, Value> = Operation::ALL
        .iter()
        .map(|operation| (name(*operation).to_owned(), method(*operation)))
        .collect();
    let problems: Map<String, Value> = Code::ALL
        .iter()
        .map(|code| {
            let entry = json!({ "status": code.status(), "retryable": code.is_retryable(), "title": code.title() });
            (code.code().to_owned(), entry)
        })
        .collect();
    json!({ "methods": methods, "idempotency": api::idempotency(), "problems": problems })
}

fn method(operation: Operation) -> Value {
    let route = operation.route();
    let described = described(operation);
    let content_types =
        |all: &[Media]| all.iter().map(|media| media.content_type()).collect::<Vec<_>>();
    let answers: Map<String, Value> = described
        .answers
        .iter()
        .map(|answer| {
            (answer.status.to_string(), json!({ "type": answer.shape, "when": answer.when }))
        })
        .collect();
    let parameters: Vec<Value> = operation
        .parameters()
        .iter()
        .map(|parameter| json!({ "name": parameter.name, "required": parameter.is_required, "purpose": parameter.purpose }))
        .collect();
    json!({
        "client_method": client_method(operation),
        "summary": route.summary,
        "method": route.method.name(),
        "path": route.path,
        "requires_token": route.access == Access::Token,
        "requires_idempotency_key": operation.needs_key(),
        "query": parameters,
        "request_type": described.request,
        "takes": content_types(route.takes),
        "gives": content_types(route.gives),
        "answers": answers,
        "codes": operation.codes().iter().map(|code| code.code()).collect::<Vec<_>>(),
    })
}

/// What client libraries call an operation, in the words of the Rust library where that has the same; none where the
/// client is an exporter of OpenTelemetry.
const fn client_method(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::ExportTraces | Operation::ExportLogs => None,
        Operation::RecordEnvelope => Some("record"),
        Operation::RecordWithAttachments => Some("record_with_attachments"),
        Operation::QueryEnvelopes => Some("query"),
        other => Some(name(other)),
    }
}

/// Inputs with what must come out, computed by the readers of the server.
pub(crate) fn test_vectors() -> Value {
    let keys = ["a", "\"a\"", "~!", "", "\"\"", "\"a", "a b", "\u{e9}", r#""a\"b""#, r#""\a""#];
    let keys: Vec<Value> = keys
        .iter()
        .map(|value| {
            let key = idempotency_key(value).ok();
            json!({ "header": value, "key": key.as_ref().map(IdempotencyKey::as_str) })
        })
        .collect();
    let ids = ["0af7-651916_cd43.dd84", "", "a b", "a,b", "a/b", "\u{e9}"];
    let ids: Vec<Value> =
        ids.iter().map(|id| json!({ "header": id, "accepted": is_correlation_id(id) })).collect();
    let types = [
        "application/json",
        "application/json; charset=utf-8",
        "application/json; charset=latin-1",
        "application/problem+json",
        "text/json",
    ];
    let types: Vec<Value> = types
        .iter()
        .map(|text| json!({ "content_type": text, "accepted": of_request(text, &[Media::Json]).is_some() }))
        .collect();
    let accepts =
        ["", "*/*", "application/zip", "application/json;q=0, */*", "text/html", "*/json"];
    let accepts: Vec<Value> = accepts
        .iter()
        .map(|text| {
            let given = accepted(Some(text), &[Media::Json, Media::Zip]);
            json!({ "accept": text, "given": given.map(Media::content_type) })
        })
        .collect();
    let problems: Map<String, Value> =
        Code::ALL.iter().map(|code| (code.code().to_owned(), example::problem(*code))).collect();
    json!({
        "idempotency_keys": keys,
        "correlation_ids": ids,
        "content_types": types,
        "accept": accepts,
        "problems": problems,
        "exchanges": api::examples()["operations"],
    })
}

/// The hashes of what a client library is made from.
pub(crate) fn manifest(files: &Files) -> Value {
    let is_source = |path: &str| path.starts_with("sdk/") || path.starts_with("apis/");
    let hashes: Map<String, Value> = files
        .iter()
        .filter(|(path, _)| is_source(path))
        .map(|(path, bytes)| (path.clone(), sha256(bytes).into()))
        .collect();
    json!({ "contract_version": CONTRACT_VERSION, "api_major_version": 1, "sha256": hashes })
}
