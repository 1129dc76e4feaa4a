//! A Decision Gate fixture as large as one may be: one run whose agent is held again and again.
//!
//! Every digest follows from its records, as in a capture, so that the adapter has all of its work to do.

use std::collections::BTreeMap;

use recorder_core::hash::{ContentHash, sha256};
use serde_json::{Value, json};

/// Conditions of each evaluated gate.
const CONDITIONS: usize = 10;

fn digest(bytes: &[u8]) -> Value {
    json!({"algorithm": "sha256", "value": ContentHash::from_bytes(sha256(&[bytes])).to_string()})
}

fn digest_of(value: &Value) -> Value {
    digest(value.to_string().as_bytes())
}

fn time(index: usize) -> Value {
    json!({"kind": "unix_millis", "value": 1_767_225_600_000_u64 + index as u64 * 1000})
}

/// The records of one hold, and its exchange.
struct Hold {
    trigger: Value,
    gate_eval: Value,
    decision: Value,
    tool_call: Value,
    exchange: Value,
}

impl Hold {
    fn new(index: usize) -> Self {
        let (trigger_id, seq) = (format!("trigger-{index}"), index + 1);
        let request = json!({"run_id": "run-1", "tenant_id": 1, "namespace_id": 1, "trigger_id": trigger_id,
            "agent_id": "agent-1", "time": time(index), "correlation_id": null});
        let summary = json!({"status": "hold", "unmet_gates": ["quality"], "retry_hint": "await_evidence", "policy_tags": []});
        let decision = json!({"decision_id": format!("decision-{seq}"), "seq": seq, "trigger_id": trigger_id,
            "stage_id": "build", "decided_at": time(index), "outcome": {"kind": "hold", "summary": summary},
            "correlation_id": null});
        let answer = json!({"decision": decision, "packets": [], "status": "active"});
        let params =
            json!({"name": "scenario_next", "arguments": {"scenario_id": "s", "request": request}});
        let result = json!({"content": [{"type": "json", "json": answer}]});
        Self {
            trigger: json!({"seq": seq, "event": {"trigger_id": trigger_id, "tenant_id": 1, "namespace_id": 1,
                "run_id": "run-1", "kind": "agent_request_next", "time": time(index), "source_id": "agent-1",
                "payload": null, "correlation_id": null}}),
            gate_eval: gate_eval(index, &trigger_id),
            decision,
            tool_call: json!({"call_id": format!("call-{seq}"), "method": "scenario.next",
                "request_hash": digest_of(&request), "response_hash": digest_of(&answer),
                "called_at": time(index), "correlation_id": null, "error": null}),
            exchange: json!({"sequence": seq, "method": "tools/call", "error": null,
                "request": {"jsonrpc": "2.0", "id": seq, "method": "tools/call", "params": params},
                "response": {"jsonrpc": "2.0", "id": seq, "result": result}}),
        }
    }
}

fn gate_eval(index: usize, trigger_id: &str) -> Value {
    let evidence = (0..CONDITIONS).map(|condition| {
        let value = json!(index * CONDITIONS + condition);
        json!({"condition_id": format!("condition-{condition}"), "status": "False", "result": {
            "value": {"kind": "json", "value": value}, "lane": "verified", "error": null,
            "evidence_hash": digest_of(&value), "evidence_ref": {"uri": "dg+file://root/report.json"},
            "evidence_anchor": {"anchor_type": "file_path_rooted", "anchor_value": "report.json"},
            "signature": null, "content_type": "application/json"}})
    });
    json!({"trigger_id": trigger_id, "stage_id": "build", "evidence": evidence.collect::<Vec<_>>(),
        "evaluation": {"gate_id": "quality", "status": "False", "trace": []}})
}

/// A fixture of at most `bytes_max`, and how many records it holds.
pub(crate) fn fixture(bytes_max: usize) -> (Vec<u8>, u64) {
    let one = build(&[Hold::new(100_000)]).len();
    let two = build(&[Hold::new(100_000), Hold::new(100_001)]).len();
    let count = (bytes_max - one) / (two - one);
    let holds: Vec<Hold> = (0..count).map(Hold::new).collect();
    // Exchanges and four records for each hold, the export, and the manifest.
    (build(&holds), count as u64 * 5 + 2)
}

fn build(holds: &[Hold]) -> Vec<u8> {
    let log = |of: fn(&Hold) -> &Value| holds.iter().map(of).collect::<Vec<_>>();
    let artifacts = [
        ("scenario_spec", json!({"scenario_id": "s", "namespace_id": 1}), "scenario_spec"),
        ("triggers", json!(log(|hold| &hold.trigger)), "trigger_log"),
        ("gate_evals", json!(log(|hold| &hold.gate_eval)), "gate_eval_log"),
        ("decisions", json!(log(|hold| &hold.decision)), "decision_log"),
        ("packets", json!([]), "packet_log"),
        ("submissions", json!([]), "submission_log"),
        ("tool_calls", json!(log(|hold| &hold.tool_call)), "tool_transcript"),
    ];
    let artifacts = artifacts
        .map(|(name, value, kind)| (format!("artifacts/{name}.json"), value.to_string(), kind));
    let manifest = manifest(&artifacts);
    let mut transcript = log(|hold| &hold.exchange);
    let id = transcript.len() + 1;
    let arguments = json!({"scenario_id": "s", "tenant_id": 1, "namespace_id": 1, "run_id": "run-1",
        "generated_at": time(id), "include_verification": false});
    let result =
        json!({"content": [{"type": "json", "json": {"manifest": manifest, "report": null}}]});
    let export = json!({"sequence": id, "method": "tools/call", "error": null,
        "request": {"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "runpack_export", "arguments": arguments}},
        "response": {"jsonrpc": "2.0", "id": id, "result": result}});
    transcript.push(&export);
    let file = |text: &str| json!({"encoding": "utf-8", "content": text});
    let files: BTreeMap<_, _> =
        artifacts.iter().map(|(path, text, _)| (path.clone(), file(text))).collect();
    json!({"fixture_version": "v1", "source": {"product": "decision-gate"}, "transcript": transcript,
        "runpack": {"manifest": file(&manifest.to_string()), "artifacts": files}})
    .to_string()
    .into_bytes()
}

fn manifest(artifacts: &[(String, String, &str)]) -> Value {
    let digests =
        || artifacts.iter().map(|(path, text, kind)| (path, digest(text.as_bytes()), kind));
    let hashes = digests().map(|(path, hash, _)| json!({"path": path, "hash": hash}));
    let hashes = Value::from(hashes.collect::<Vec<_>>());
    let index = digests().map(|(path, hash, kind)| {
        json!({"artifact_id": path, "content_type": "application/json", "hash": hash, "kind": kind,
            "path": path, "required": true})
    });
    let spec_hash = artifacts.first().map(|(_, text, _)| digest(text.as_bytes()));
    json!({"artifacts": index.collect::<Vec<_>>(), "generated_at": time(0), "hash_algorithm": "sha256",
        "integrity": {"root_hash": digest_of(&hashes), "file_hashes": hashes},
        "manifest_version": "v1", "namespace_id": 1, "run_id": "run-1", "scenario_id": "s",
        "spec_hash": spec_hash, "tenant_id": 1, "verifier_mode": "offline_strict"})
}
