//! The mapping as data: what an auditor, a client or another implementation must know of it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::bounds::Bounds;
use crate::fault::FaultCode;
use crate::keys::Label;
use crate::names::{ANOMALY_EVENT_TYPE, SPAN_EVENT_TYPE};
use crate::note::Note;
use crate::record::{Severity, kind_name, status_name};
use crate::refusal::Refusal;
use crate::settings::REDACTION_POLICY;

/// The contract of the mapping. Serialises to one JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Contract(Value);

/// The contract.
pub fn contract() -> Contract {
    let policy: Value = serde_json::from_slice(REDACTION_POLICY).unwrap_or_default();
    Contract(json!({
        "adapter_id": crate::ADAPTER_ID,
        "mapping_version": crate::MAPPING_VERSION,
        "inputs": {
            "encodings": ["application/json", "application/x-protobuf"],
            "content_codings": ["identity", "gzip"],
            "signals": ["traces", "logs"],
        },
        "event_types": {
            "span": SPAN_EVENT_TYPE,
            "log": Severity::ALL.map(|(_, name)| name),
            "anomaly": ANOMALY_EVENT_TYPE,
        },
        "envelope": envelope(),
        "id_keys": id_keys(),
        "payload": payload(),
        "notes": Note::ALL.map(|(_, name, meaning)| json!({ "name": name, "meaning": meaning })),
        "bounds": Bounds::default(),
        "redaction_policy": policy,
        "anomalies": FaultCode::ALL.iter().map(|code| json!({
            "code": code.code(),
            "detail": code.detail(),
            "record": if code.costs_record() { "rejected" } else { "stored" },
        })).collect::<Vec<_>>(),
        "refusals": Refusal::CODES,
    }))
}

fn envelope() -> Value {
    let labels: Map<String, Value> =
        Label::ALL.iter().map(|(label, key)| (format!("{label:?}"), json!(key))).collect();
    json!({
        "labels": labels,
        "labels_of": "attributes of the record itself or of its resource, not of an event, a link, a scope, a body or inside a value",
        "actor_id": ["otel:agent:<Agent>", "otel:service:<ServiceNamespace>/<ServiceName>", "otel:service:<ServiceName>", "configured"],
        "environment_id": ["<EnvironmentName>", "<Environment>", "configured"],
        "session_id": ["<Conversation>", "<Session>", "<McpSession>", "the same of the resource"],
        "claimed_time": {
            "span": ["startTimeUnixNano"],
            "log": ["timeUnixNano", "observedTimeUnixNano", "1970-01-01T00:00:00Z"],
            "anomaly": ["that of the record stored before it", "1970-01-01T00:00:00Z"],
        },
        "trace_id": "32 lower-case hex digits",
        "parent_ids": "none: spans arrive in any order, and their ids follow from what they say",
    })
}

fn id_keys() -> Value {
    json!({
        "span": {
            "end": "endTimeUnixNano, decimal digits",
            "occurrence": "how often a span of the same ids and times stood before in the same body",
            "signal": "span",
            "span_id": "16 hex digits",
            "start": "startTimeUnixNano, decimal digits",
            "trace_id": "32 hex digits",
        },
        "log": {
            "position": "indexes of resource, scope and record",
            "request": "hex, first 16 bytes of HMAC-SHA-256(salt key, \"recorder otel request v1\" 0x00 inflated body)",
            "signal": "log",
        },
        "anomaly": {
            "code": "the code",
            "path": "the path",
            "request": "as above",
            "signal": "anomaly",
        },
    })
}

fn payload() -> Value {
    json!({
        "members": ["log", "mapping", "notes", "resource", "scope", "span", "unknown_field_count"],
        "attribute": ["key", "type", "value"],
        "value_types": {
            "string": "a string",
            "bool": "true or false",
            "int": "decimal digits in a string",
            "double": "a number, or one of NaN, Infinity, -Infinity in a string",
            "bytes": "base64 in a string",
            "array": "an array of {type, value}",
            "kvlist": "an array of {key, type, value}",
            "empty": "null",
        },
        "kind_names": (0..=5).map(kind_name).collect::<Vec<_>>(),
        "status_names": (0..=2).map(status_name).collect::<Vec<_>>(),
    })
}
