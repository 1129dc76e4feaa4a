//! One example of every request and answer: the story of the format page, as the interface tells it.

use recorder_otel_adapter::{Encoding, otlp};
use recorder_sidecar_api::problem::{Code, Problem};
use recorder_sidecar_api::route::Operation;
use recorder_verify::{VerifyLimits, VerifyOptions, inspect, verify};
use serde_json::{Value, json};

/// The first envelope of `docs/spec/evidence-format.md`, as its line.
const LINE: &str = r#"{"actor_id":"agent:refunds","attachment_refs":[],"chain_hash":"3e18f00998dfa6343cc0458cac3e5910e2747dd21cece811c5ef377bd05f4dd6","claimed_time":"2026-11-22T00:14:12.500000000Z","content_hash":"59f315afb8b69529bd7c7b71e815be3066942100eab01d01a38fe701f565387c","envelope_id":"019a4f00-0000-7000-8000-000000000000","environment_id":"production","event_type":"tool.call","parent_ids":[],"payload":{"n":0},"payload_commitment":"a47b0ee1ef9b560aa4f762163ac6cf968c88334c572df644358a1ed6b794a03c","payload_salt":"000102030405060708090a0b0c0d0e0f","position":0,"recorded_at":"2026-11-22T00:14:13.000000000Z","schema_version":1,"segment_id":"019a4f00-0000-7000-9000-000000000001","sequence":0,"session_id":null,"signature":null,"trace_id":null}"#;

/// The checkpoint over the three envelopes there.
const NOTE: &str = "recorder.local/default/recorder-cli\n3\nwm2qEGD0qPYbMGidiEzBJWJU2quvGESiSqk60pvzvPI=\n\n\u{2014} recorder.local/default/recorder-cli mLBjVKVRST3biCwCIdhmGrUDR9jLst9jZvqIw8rEtU8ML+oIwOGRyHVVnvPePSux0rq7shDN5BfvPhVxOV8/tnmj+AE=\n";

/// A bundle of the format's vectors, as a document.
const DOCUMENT: &[u8] =
    include_bytes!("../../../docs/spec/vectors/bundles/valid/document.recorder.json");

const ENVELOPE: &str = "019a4f00-0000-7000-8000-000000000000";
const SEGMENT: &str = "019a4f00-0000-7000-9000-000000000001";
const ROOT: &str = "c26daa1060f4a8f61b30689d884cc1256254daabaf1844a24aa93ad29bf3bcf2";
const LEAVES: [&str; 3] = [
    "196f35bba05cc1cf9030f084d846e12569fa2e7ab28ee5bb3fdc7973c64056d7",
    "b3613cc06890d3ae8db64d9863d0acf5b841c725431890d1c93b2cdd44c8a320",
    "938ffcf54e6804fd71bb89f2e564ed136d769c5a443593d48d8dd5e390b8e575",
];

/// The correlation id of every example.
pub(crate) const CORRELATION: &str = "01a2009a-7614-784d-9671-eba29940c5c1";

fn of_stream(more: Value) -> Value {
    let mut object = json!({ "tenant_id": "default", "recorder_id": "recorder-cli" });
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

fn draft() -> Value {
    json!({
        "envelope_id": ENVELOPE,
        "event_type": "tool.call",
        "actor_id": "agent:refunds",
        "environment_id": "production",
        "claimed_time": "2026-11-22T00:14:12.5Z",
        "payload": { "n": 0 },
        "payload_salt": "000102030405060708090a0b0c0d0e0f",
    })
}

fn receipt() -> Value {
    json!({
        "envelope_id": ENVELOPE,
        "segment_id": SEGMENT,
        "sequence": 0,
        "position": 0,
        "recorded_at": "2026-11-22T00:14:13.000000000Z",
        "payload_commitment": "a47b0ee1ef9b560aa4f762163ac6cf968c88334c572df644358a1ed6b794a03c",
        "content_hash": "59f315afb8b69529bd7c7b71e815be3066942100eab01d01a38fe701f565387c",
        "chain_hash": "3e18f00998dfa6343cc0458cac3e5910e2747dd21cece811c5ef377bd05f4dd6",
        "durability": "fsync",
    })
}

fn segment(is_open: bool) -> Value {
    let unless_open = |value: Value| if is_open { Value::Null } else { value };
    of_stream(json!({
        "segment_id": SEGMENT,
        "segment_index": 0,
        "first_position": 0,
        "envelope_count": 3,
        "opened_at": "2026-11-22T00:14:13.000000000Z",
        "sealed_at": unless_open(json!("2026-11-22T00:14:13.000000002Z")),
        "chain_head": "fe81639c24beb2c137cf930d93c7e633c43135702deaa13347886d68f4cb35e4",
        "seal_hash": unless_open(json!("0141691d785c7cf4f6a1003506d0327a33a3c60291aa03305e8f345c649b64f6")),
    }))
}

/// One span, as an exporter sends it.
fn traces() -> Value {
    let span = json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00f067aa0ba902b7",
        "name": "execute_tool issue_refund",
        "kind": 1,
        "startTimeUnixNano": "1790000000000000000",
        "endTimeUnixNano": "1790000000250000000",
    });
    json!({ "resourceSpans": [{ "resource": resource(), "scopeSpans": [{ "scope": { "name": "refund-desk" }, "spans": [span] }] }] })
}

/// One log record, as an exporter sends it.
fn logs() -> Value {
    let record = json!({
        "timeUnixNano": "1790000000000000000",
        "severityNumber": 9,
        "body": { "stringValue": "refund issued" },
    });
    json!({ "resourceLogs": [{ "resource": resource(), "scopeLogs": [{ "scope": { "name": "refund-desk" }, "logRecords": [record] }] }] })
}

fn resource() -> Value {
    json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "refund-desk" } }] })
}

/// The body of a request; none where it takes none.
pub(crate) fn request(operation: Operation) -> Option<Value> {
    let more = match operation {
        Operation::RecordEnvelope => json!({ "envelope": draft() }),
        Operation::RecordWithAttachments => json!({
            "envelope": draft(),
            "attachments": [{ "content_type": "text/plain", "data_base64": "aGVsbG8=" }],
        }),
        Operation::RecordBatch => json!({ "envelopes": [draft()] }),
        Operation::QueryEnvelopes => json!({
            "filter": { "event_types": ["tool.call"], "positions": { "from": 0, "to": 3 } },
            "limit": 100,
        }),
        Operation::ProveInclusion => json!({ "envelope_id": ENVELOPE, "tree_size": 3 }),
        Operation::ProveConsistency => json!({ "old_size": 2, "new_size": 3 }),
        Operation::BuildBundle => json!({ "selector": { "trace": { "trace_id": "t1" } } }),
        Operation::VerifyBundle | Operation::InspectBundle => {
            return serde_json::from_slice(DOCUMENT).ok();
        }
        Operation::IngestOtel | Operation::ExportTraces => return Some(traces()),
        Operation::ExportLogs => return Some(logs()),
        Operation::Health
        | Operation::Startup
        | Operation::Ready
        | Operation::ListSegments
        | Operation::ActiveSegments
        | Operation::Checkpoint
        | Operation::Config
        | Operation::Metrics
        | Operation::OpenApi => return None,
    };
    Some(of_stream(more))
}

/// The body of an answer; none where its members are not promised.
pub(crate) fn answer(operation: Operation, status: u16) -> Option<Value> {
    let unready = ["storage_unavailable", "request_capacity_exhausted"];
    Some(match operation {
        Operation::Health | Operation::Startup => json!({ "status": "ok" }),
        Operation::Ready if status == 503 => {
            json!({ "status": "unavailable", "reasons": unready, "durability": "fsync" })
        }
        Operation::Ready => json!({ "status": "ok", "reasons": [], "durability": "fsync" }),
        Operation::RecordEnvelope | Operation::RecordWithAttachments => receipt(),
        Operation::RecordBatch => json!({ "receipts": [receipt()] }),
        Operation::QueryEnvelopes => {
            json!({ "envelopes": [serde_json::from_str::<Value>(LINE).ok()?], "next_cursor": null })
        }
        Operation::ListSegments => json!({ "segments": [segment(false)], "next_cursor": null }),
        Operation::ActiveSegments => json!({ "segments": [segment(true)], "next_cursor": null }),
        Operation::Checkpoint => {
            of_stream(json!({ "tree_size": 3, "root_hash": ROOT, "note": NOTE }))
        }
        Operation::ProveInclusion => json!({
            "envelope_id": ENVELOPE,
            "position": 0,
            "chain_hash": "3e18f00998dfa6343cc0458cac3e5910e2747dd21cece811c5ef377bd05f4dd6",
            "tree_size": 3,
            "root_hash": ROOT,
            "path": [LEAVES[1], LEAVES[2]],
            "checkpoint": NOTE,
        }),
        Operation::ProveConsistency => json!({
            "old_size": 2,
            "old_root_hash": "7fbd75eb2095e585e33d5045b9b621fbe10fe71baacaab38432e1874dc522057",
            "new_size": 3,
            "new_root_hash": ROOT,
            "path": [LEAVES[2]],
            "checkpoint": NOTE,
        }),
        Operation::BuildBundle => serde_json::from_slice(DOCUMENT).ok()?,
        Operation::VerifyBundle => verified()?,
        Operation::InspectBundle => {
            let inspection = inspect(&DOCUMENT, &VerifyLimits::default()).ok()?;
            serde_json::to_value(inspection).ok()?
        }
        Operation::IngestOtel => {
            json!({ "accepted": 1, "replayed": 0, "receipts": [receipt()] })
        }
        Operation::ExportTraces => json!({}),
        Operation::ExportLogs => json!({
            "partialSuccess": {
                "errorMessage": "resourceLogs/0/scopeLogs/0/logRecords/1: an integer does not fit into 64 bits (otel_integer_range)",
                "rejectedLogRecords": "1",
            },
        }),
        Operation::Config | Operation::Metrics | Operation::OpenApi => return None,
    })
}

/// What verifying that bundle finds, with nobody to trust.
fn verified() -> Option<Value> {
    let report = verify(&DOCUMENT, &VerifyOptions::default(), &mut |_| ()).ok()?;
    Some(json!({
        "verdict": report.verdict(),
        "answers": report.answers(),
        "trust_root_given": false,
        "subject": report.subject(),
        "findings": report.findings(),
        "finding_count": report.finding_count(),
    }))
}

/// A refusal with this code, as exporters read it.
pub(crate) fn rpc_status(code: Code) -> Value {
    let status = Operation::ExportTraces.status_of(code);
    let message = format!("{}: what is wrong with this request", code.code());
    let answer = otlp::failed(Encoding::Json, status, &message);
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A refusal with this code.
pub(crate) fn problem(code: Code) -> Value {
    let problem = Problem::new(code, "what is wrong with this request", CORRELATION);
    serde_json::from_slice(&problem.to_json()).unwrap_or_default()
}
