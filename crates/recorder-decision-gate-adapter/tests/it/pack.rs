//! A small runpack with its transcript, consistent in every digest, and what the adapter makes of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use recorder_core::hash::{ContentHash, sha256};
use recorder_core::identity::{ActorId, RecorderId, StreamId, TenantId};
use recorder_decision_gate_adapter::{Input, Runpack, Settings, map, redactor};
use recorder_envelope::adapter::{Outcome, Policy, RedactionKey, Refused, SaltKey};
use serde_json::{Value, json};

/// Maps with keys and names that never change.
pub(crate) fn mapped(input: Input<'_>, policy: Policy) -> Result<Outcome, Refused> {
    mapped_with(input, policy, false)
}

/// Maps, perhaps beside other clients.
pub(crate) fn mapped_with(
    input: Input<'_>,
    policy: Policy,
    others_may_call: bool,
) -> Result<Outcome, Refused> {
    let stream = StreamId {
        tenant_id: TenantId::new("acme").unwrap(),
        recorder_id: RecorderId::new("recorder-1").unwrap(),
    };
    let salt_key = SaltKey::from_hex(&[b'1'; 64]).unwrap();
    let redactor = redactor(RedactionKey::from_hex(&[b'2'; 64])).unwrap();
    let settings = Settings {
        policy,
        stream: &stream,
        salt_key: &salt_key,
        redactor: &redactor,
        client: ActorId::new("client").unwrap(),
        others_may_call,
    };
    map(input, &settings)
}

/// The codes of a refusal; none where nothing is wrong.
pub(crate) fn codes(input: Input<'_>) -> BTreeSet<&'static str> {
    match mapped(input, Policy::StrictFail) {
        Ok(outcome) => {
            assert_eq!(outcome.problems.count(), 0);
            BTreeSet::new()
        }
        Err(refused) => refused.problems.named.iter().map(|anomaly| anomaly.code).collect(),
    }
}

/// A document alone.
pub(crate) fn document(bytes: &[u8]) -> Input<'_> {
    Input { document: Some(bytes), runpack: None }
}

/// Files as a runpack.
pub(crate) fn runpack(
    manifest: Option<Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
) -> Runpack<'static> {
    Runpack {
        manifest: manifest.map(Cow::Owned),
        files: files.into_iter().map(|(path, bytes)| (path, Cow::Owned(bytes))).collect(),
    }
}

/// SHA-256 in hex, as the source writes digests.
fn digest(bytes: &[u8]) -> Value {
    json!({"algorithm": "sha256", "value": ContentHash::from_bytes(sha256(&[bytes])).to_string()})
}

/// The digest of a value in the source's form. Names and numbers here are those that any canonical form agrees on.
fn digest_of(value: &Value) -> Value {
    digest(&serde_json::to_vec(value).unwrap())
}

fn time(value: u64) -> Value {
    json!({"kind": "unix_millis", "value": 1_767_225_600_000_u64 + value})
}

/// The artifacts that every runpack has, and the report.
const ARTIFACTS: [(&str, &str); 8] = [
    ("scenario_spec", "scenario_spec"),
    ("triggers", "trigger_log"),
    ("gate_evals", "gate_eval_log"),
    ("decisions", "decision_log"),
    ("packets", "packet_log"),
    ("submissions", "submission_log"),
    ("tool_calls", "tool_transcript"),
    ("verifier_report", "verifier_report"),
];

/// A run with its transcript and its runpack, whose digests follow from its records.
#[derive(Clone, Debug)]
pub(crate) struct Pack {
    /// Artifacts by their short name.
    pub(crate) artifacts: BTreeMap<&'static str, Value>,
    /// Bytes that stand in the place of an artifact, or beside them, by path.
    pub(crate) raw: BTreeMap<String, Vec<u8>>,
    pub(crate) manifest: Value,
    pub(crate) transcript: Vec<Value>,
}

impl Pack {
    /// Everything that a runpack can hold, once.
    pub(crate) fn sample() -> Self {
        let mut pack = Self {
            artifacts: artifacts(),
            raw: BTreeMap::new(),
            manifest: Value::Null,
            transcript: Vec::new(),
        };
        pack.manifest = pack.new_manifest();
        pack.transcript = transcript(&pack.artifacts);
        pack.add_export();
        pack
    }

    fn path(name: &str) -> String {
        format!("artifacts/{name}.json")
    }

    /// The files by path.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let artifacts = self.artifacts.iter();
        let mut files: BTreeMap<String, Vec<u8>> = artifacts
            .map(|(name, value)| (Self::path(name), serde_json::to_vec(value).unwrap()))
            .collect();
        files.extend(self.raw.clone());
        files
    }

    fn new_manifest(&self) -> Value {
        let files = self.files();
        let listed = || ARTIFACTS.iter().filter(|(name, _)| files.contains_key(&Self::path(name)));
        let hashes: Vec<Value> = listed()
            .map(|(name, _)| Self::path(name))
            .map(|path| json!({"path": path, "hash": digest(&files[&path])}))
            .collect();
        let index: Vec<Value> = listed()
            .map(|(name, kind)| (Self::path(name), kind))
            .map(|(path, kind)| {
                json!({
                    "artifact_id": path, "content_type": "application/json",
                    "hash": digest(&files[&path]), "kind": kind, "path": path, "required": true,
                })
            })
            .collect();
        let hashes = Value::from(hashes);
        json!({
            "artifacts": index, "generated_at": time(900), "hash_algorithm": "sha256",
            "integrity": {"file_hashes": hashes, "root_hash": digest_of(&hashes)},
            "manifest_version": "v1", "namespace_id": 3, "run_id": "run-1", "scenario_id": "scenario-1",
            "security": {"dev_permissive": false, "namespace_authority": "dg_registry"},
            "spec_hash": digest(&files[&Self::path("scenario_spec")]),
            "tenant_id": 2, "verifier_mode": "offline_strict",
        })
    }

    fn add_export(&mut self) {
        let arguments = json!({
            "generated_at": time(900), "include_verification": true, "namespace_id": 3,
            "run_id": "run-1", "scenario_id": "scenario-1", "tenant_id": 2, "output_dir": "/secret/place",
        });
        let report = self.artifacts["verifier_report"].clone();
        let answer = json!({"manifest": self.manifest, "report": report});
        push(&mut self.transcript, "runpack_export", &arguments, &answer);
        let arguments = json!({"manifest_path": "manifest.json", "runpack_dir": "/secret/place"});
        let answer = json!({"report": {"checked_files": 8, "errors": [], "status": "pass"}, "status": "pass"});
        push(&mut self.transcript, "runpack_verify", &arguments, &answer);
    }

    /// Makes the digests of the manifest those of the files again, as whoever damages a runpack with care does.
    pub(crate) fn rehash(&mut self) {
        self.manifest = self.new_manifest();
    }

    /// Makes the root digest follow from the list again.
    pub(crate) fn rehash_root(&mut self) {
        let root = digest_of(&self.manifest["integrity"]["file_hashes"]);
        self.manifest["integrity"]["root_hash"] = root;
    }

    /// Makes the export of the transcript answer the manifest as it is, as whoever damages both does.
    pub(crate) fn reexport(&mut self) {
        let manifest = self.manifest.clone();
        for exchange in &mut self.transcript {
            if exchange["request"]["params"]["name"] == "runpack_export" {
                exchange["response"]["result"]["content"][0]["json"]["manifest"] = manifest.clone();
            }
        }
    }

    /// Numbers the exchanges again.
    pub(crate) fn renumber(&mut self) {
        for (index, exchange) in self.transcript.iter_mut().enumerate() {
            exchange["sequence"] = json!(index + 1);
        }
    }

    /// As a fixture.
    pub(crate) fn fixture(&self) -> Vec<u8> {
        let manifest = serde_json::to_string(&self.manifest).unwrap();
        self.fixture_with(Some(manifest.into_bytes()))
    }

    /// As a fixture with these bytes for a manifest.
    pub(crate) fn fixture_with(&self, manifest: Option<Vec<u8>>) -> Vec<u8> {
        let file = |bytes: &[u8]| json!({"encoding": "base64", "content": base64::engine::general_purpose::STANDARD.encode(bytes)});
        let artifacts: BTreeMap<String, Value> =
            self.files().iter().map(|(path, bytes)| (path.clone(), file(bytes))).collect();
        let fixture = json!({
            "fixture_version": "v1",
            "source": {"product": "decision-gate", "product_version": "0.1.0", "transport": "http"},
            "transcript": self.transcript,
            "runpack": {"manifest": manifest.map(|bytes| file(&bytes)), "artifacts": artifacts},
        });
        serde_json::to_vec(&fixture).unwrap()
    }
}

fn artifacts() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("scenario_spec", scenario_spec()),
        ("triggers", triggers()),
        ("gate_evals", gate_evals()),
        ("decisions", decisions()),
        ("packets", packets()),
        ("submissions", submissions()),
        ("tool_calls", tool_calls()),
        ("verifier_report", json!({"checked_files": 7, "errors": [], "status": "pass"})),
    ])
}

fn scenario_spec() -> Value {
    let query = json!({"provider_id": "env", "check_id": "get", "params": {"key": "SECRET_NAME"}});
    let condition = json!({"condition_id": "a", "comparator": "equals", "policy_tags": [],
        "expected": "top-secret-value", "query": query});
    json!({"scenario_id": "scenario-1", "namespace_id": 3, "spec_version": "v1", "default_tenant_id": 2,
        "policies": [], "schemas": [], "stages": [], "conditions": [condition]})
}

fn bytes_payload() -> Value {
    json!({"kind": "bytes", "bytes": [0, 255, 7]})
}

fn triggers() -> Value {
    let event = |id: &str, kind: &str, source: &str, at: u64, payload: &Value| {
        json!({"trigger_id": id, "tenant_id": 2, "namespace_id": 3, "run_id": "run-1", "kind": kind,
            "time": time(at), "source_id": source, "payload": payload, "correlation_id": "corr-1"})
    };
    json!([
        {"seq": 1, "event": event("trigger-1", "agent_request_next", "agent-1", 100, &Value::Null)},
        {"seq": 2, "event": event("trigger-2", "tick", "system", 200, &bytes_payload())},
    ])
}

fn gate_evals() -> Value {
    let result = |value: Value, hash: Value| {
        json!({"value": value, "lane": "verified", "error": null, "evidence_hash": hash,
            "evidence_ref": {"uri": "dg+file://root/report.json"}, "signature": null,
            "evidence_anchor": {"anchor_type": "env", "anchor_value": "SECRET_NAME"},
            "content_type": "application/json"})
    };
    let text = json!("top-secret-value");
    let of_text = result(json!({"kind": "json", "value": text}), digest_of(&text));
    let of_bytes = result(json!({"kind": "bytes", "value": [1, 2, 3]}), digest(&[1, 2, 3]));
    let evidence = json!([
        {"condition_id": "a", "status": "True", "result": of_text},
        {"condition_id": "b", "status": "True", "result": of_bytes},
        {"condition_id": "c", "status": "Unknown", "result": result(Value::Null, Value::Null)},
    ]);
    json!([{"trigger_id": "trigger-1", "stage_id": "one", "evidence": evidence,
        "evaluation": {"gate_id": "gate-1", "status": "True", "trace": []}}])
}

fn decisions() -> Value {
    let decision = |seq: u64, trigger: &str, outcome: Value, at: u64| {
        json!({"decision_id": format!("decision-{seq}"), "seq": seq, "trigger_id": trigger,
            "stage_id": "one", "decided_at": time(at), "outcome": outcome, "correlation_id": null})
    };
    let advance =
        json!({"kind": "advance", "from_stage": "one", "to_stage": "two", "timeout": false});
    let complete = json!({"kind": "complete", "stage_id": "two"});
    json!([decision(1, "trigger-1", advance, 100), decision(2, "trigger-2", complete, 200)])
}

fn packets() -> Value {
    let value = json!({"password": "hunter2", "ssn": "123-45-6789"});
    let envelope = json!({
        "scenario_id": "scenario-1", "run_id": "run-1", "stage_id": "one", "packet_id": "packet-1",
        "schema_id": "schema-1", "content_type": "application/json", "content_hash": digest_of(&value),
        "visibility": {"labels": [], "policy_tags": []}, "expiry": null, "correlation_id": null,
        "issued_at": time(200)});
    let target = json!({"kind": "agent", "agent_id": "agent-1"});
    let receipt = json!({"dispatch_id": "mcp-packet-1", "target": target, "dispatcher": "mcp",
        "receipt_hash": digest_of(&envelope), "dispatched_at": time(200)});
    json!([{"envelope": envelope, "payload": {"kind": "json", "value": value}, "receipts": [receipt],
        "decision_id": "decision-2"}])
}

fn submissions() -> Value {
    let reference = digest(b"elsewhere");
    let external = json!({"kind": "external", "content_ref": {
        "uri": "https://files.example/a?sig=abc", "content_hash": reference, "encryption": null}});
    let submission = |id: &str, payload: &Value, hash: &Value, at: u64| {
        json!({"submission_id": id, "run_id": "run-1", "payload": payload, "content_type": "text/plain",
            "content_hash": hash, "submitted_at": time(at), "correlation_id": null})
    };
    json!([
        submission("submission-1", &bytes_payload(), &digest(&[0, 255, 7]), 50),
        submission("submission-2", &external, &reference, 60),
    ])
}

fn tool_calls() -> Value {
    let conflict =
        json!({"code": "submission_conflict", "message": "/secret/place", "details": null});
    let call = |n: u64, method: &str, request: &Value, response: &Value, error: &Value| {
        json!({"call_id": format!("call-{n}"), "method": method, "request_hash": digest_of(request),
            "response_hash": digest_of(response), "called_at": time(n * 100),
            "correlation_id": null, "error": error})
    };
    json!([
        call(1, "scenario.next", &next_request(), &next_answer(), &Value::Null),
        call(2, "scenario.submit", &submit_request(), &conflict, &conflict),
    ])
}

fn next_request() -> Value {
    json!({"run_id": "run-1", "tenant_id": 2, "namespace_id": 3, "trigger_id": "trigger-1",
        "agent_id": "agent-1", "time": time(100), "correlation_id": "corr-1"})
}

fn next_answer() -> Value {
    json!({"decision": {"decision_id": "decision-1"}, "packets": [], "status": "active"})
}

fn submit_request() -> Value {
    json!({"run_id": "run-1", "tenant_id": 2, "namespace_id": 3, "submission_id": "submission-1",
        "payload": {"kind": "json", "value": "hunter2"}, "content_type": "text/plain",
        "submitted_at": time(70), "correlation_id": null})
}

fn transcript(artifacts: &BTreeMap<&'static str, Value>) -> Vec<Value> {
    let mut transcript = Vec::new();
    let arguments = json!({"spec": artifacts["scenario_spec"]});
    push(&mut transcript, "scenario_define", &arguments, &json!({"scenario_id": "scenario-1"}));
    let run = json!({"tenant_id": 2, "namespace_id": 3, "run_id": "run-1", "scenario_id": "scenario-1",
        "dispatch_targets": [], "policy_tags": []});
    let arguments = json!({"scenario_id": "scenario-1", "run_config": run, "started_at": time(0),
        "issue_entry_packets": false});
    push(
        &mut transcript,
        "scenario_start",
        &arguments,
        &json!({"run_id": "run-1", "status": "active"}),
    );
    let mut answer = next_answer();
    answer["feedback"] =
        json!({"gate_records": [{"evidence": [{"result": {"value": "top-secret-value"}}]}]});
    let arguments = json!({"scenario_id": "scenario-1", "request": next_request()});
    push(&mut transcript, "scenario_next", &arguments, &answer);
    let mut request = submit_request();
    request.as_object_mut().unwrap().remove("correlation_id");
    let arguments = json!({"scenario_id": "scenario-1", "request": request});
    push(&mut transcript, "scenario_submit", &arguments, &Value::Null);
    let last = transcript.last_mut().unwrap();
    last["response"] = json!({"jsonrpc": "2.0", "id": 4,
        "error": {"code": -32009, "message": "/secret/place", "data": {"kind": "conflict"}}});
    transcript
}

/// Adds a call and its answer.
fn push(transcript: &mut Vec<Value>, tool: &str, arguments: &Value, answer: &Value) {
    let id = transcript.len() + 1;
    transcript.push(json!({
        "sequence": id, "method": "tools/call", "error": null,
        "request": {"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}},
        "response": {"jsonrpc": "2.0", "id": id,
            "result": {"content": [{"type": "json", "json": answer}]}},
    }));
}
