//! The rules of the mapping as data, for contracts and for those who redo it.

use recorder_envelope::adapter::Policy;
use serde_json::{Value, json};

use crate::document::{DOCUMENT_BYTES_MAX, INVALID, TOO_LARGE};
use crate::finding::Code;
use crate::map::exchange::TOOLS;
use crate::map::wrong::{MISMATCH, MORE_REJECTED, REJECTED};
use crate::map::{PAYLOAD_INVALID, RECORD_INVALID, RECORD_TIME_INVALID};
use crate::{ADAPTER_ID, BOUNDS, MAPPING_VERSION, REDACTION_POLICY};

/// The rules of this mapping: versions, event types, keys of ids, redaction, bounds, codes.
pub fn contract() -> Value {
    let policy: Value = serde_json::from_slice(REDACTION_POLICY).unwrap_or_default();
    json!({
        "adapter_id": ADAPTER_ID,
        "mapping_version": MAPPING_VERSION,
        "redaction_policy_version": policy.get("version"),
        "inputs": inputs(),
        "event_types": event_types(),
        "ids": ids(),
        "names": names(),
        "times": times(),
        "redaction": policy,
        "bounds": BOUNDS,
        "policies": Policy::ALL.map(Policy::name),
        "codes": codes(),
    })
}

fn inputs() -> Value {
    json!({
        "document_bytes_max": DOCUMENT_BYTES_MAX,
        "fixture_version": "v1",
        "forms": ["fixture", "list of exchanges", "report with a transcript", "JSON Lines of exchanges", "runpack"],
        "manifest_version": "v1",
        "records": "each exchange, each item of the six logs, and the manifest; an artifact or a document that cannot be read counts as one",
    })
}

fn event_types() -> Value {
    json!({
        "exchange": {
            "tools/call": "decision_gate.mcp.<tool>",
            "other": "decision_gate.rpc.<method, with . for />",
            "tools": TOOLS,
        },
        "trigger_log": "decision_gate.trigger.received",
        "gate_eval_log": "decision_gate.gate.evaluated",
        "decision_log": "decision_gate.decision.<advance|complete|fail|hold|start|other>",
        "packet_log": "decision_gate.packet.issued",
        "submission_log": "decision_gate.submission.recorded",
        "tool_transcript": "decision_gate.tool_call.recorded",
        "manifest": "decision_gate.runpack.exported",
        "finding": MISMATCH,
        "rejected record": REJECTED,
    })
}

fn ids() -> Value {
    json!({
        "form": "UUIDv7: 48 bits of the claimed time in milliseconds, the rest from SHA-256(\"recorder/id/v1\\n\" ‖ JCS({adapter_id, key, mapping_version, recorder_id, tenant_id}))",
        "keys": {
            "exchange": ["document", "kind", "method", "run", "sequence", "tool"],
            "record": ["id", "kind", "position", "run", "standing"],
            "manifest": ["codes", "kind", "level", "manifest", "not_recomputable", "run"],
            "finding or rejected record": ["code", "count", "detail", "digest", "document", "kind", "path", "run"],
        },
        "run": ["namespace_id", "run_id", "tenant_id"],
        "document": "the pseudonym of the whole document under the redaction key, where no run is named; else empty",
        "standing": ["consistent", "unverified"],
    })
}

fn names() -> Value {
    json!({
        "actor_id": "agent_id or source_id, else the configured client for exchanges, decision-gate for records, dg/tenant-<tenant> for submissions",
        "environment_id": "dg/tenant-<tenant>/ns-<namespace>",
        "trace_id": "run_id",
        "session_id": "correlation_id",
        "otherwise": "sha256:<hex> of an id that is no name of an envelope",
    })
}

fn times() -> Value {
    json!({
        "basis": ["record", "carried", "unknown"],
        "unix_millis": "milliseconds since 1970",
        "logical": "the count, as milliseconds since 1970",
        "out of range": "the time before it; the record keeps its own",
    })
}

fn codes() -> Value {
    let findings = Code::ALL
        .iter()
        .map(|code| json!({"code": code.name(), "meaning": code.meaning(), "about": "input"}));
    let own = [
        (TOO_LARGE, "the document is larger than the bound", "document"),
        (INVALID, "the document is no fixture and no transcript", "document"),
        (RECORD_INVALID, "an exchange cannot be read as one", "record"),
        (RECORD_TIME_INVALID, "a record has no time of the source", "record"),
        (PAYLOAD_INVALID, "a record cannot be held by evidence", "record"),
        (
            MORE_REJECTED,
            "records were rejected beyond the 4,096 that have an envelope each",
            "record",
        ),
        ("record_too_large", "a record is larger than the bound", "record"),
        ("too_deep", "a record nests deeper than the bound", "record"),
        ("too_many_items", "a list of a record is longer than the bound", "record"),
        ("too_many_members", "an object of a record has more members than the bound", "record"),
        ("name_too_long", "a member name of a record is longer than the bound", "record"),
    ];
    let own =
        own.map(|(code, meaning, about)| json!({"code": code, "meaning": meaning, "about": about}));
    findings.chain(own).collect()
}
