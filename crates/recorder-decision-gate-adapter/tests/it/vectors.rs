//! The mapping as data: `docs/spec/vectors/adapters/decision-gate.json` is what this adapter makes, byte for byte.

use std::path::Path;

use recorder_decision_gate_adapter::contract;
use recorder_envelope::adapter::{Event, Policy};
use serde_json::{Value, json};

use crate::pack::{Pack, document, mapped};

fn envelope(event: &Event) -> Value {
    let (fields, payload) = (&event.envelope.fields, &event.envelope.payload);
    let salt = String::from_utf8(payload.salt.to_hex().to_vec()).unwrap();
    json!({
        "envelope_id": fields.envelope_id,
        "event_type": fields.event_type,
        "actor_id": fields.actor_id,
        "environment_id": fields.environment_id,
        "claimed_time": fields.claimed_time.to_string(),
        "trace_id": fields.trace_id,
        "session_id": fields.session_id,
        "parent_ids": fields.parent_ids.as_slice(),
        "payload": payload.payload.as_str(),
        "payload_salt": salt,
        "content_hash": event.envelope.clone().prepare().content_hash().to_string(),
    })
}

fn case(name: &str, bytes: &[u8], policy: Policy) -> Value {
    let outcome = mapped(document(bytes), policy).unwrap();
    let problems: Vec<&str> = outcome.problems.named.iter().map(|anomaly| anomaly.code).collect();
    json!({
        "name": name,
        "policy": policy.name(),
        "document": String::from_utf8(bytes.to_vec()).unwrap(),
        "problems": problems,
        "accepted": outcome.accepted,
        "rejected": outcome.rejected,
        "envelopes": outcome.events.iter().map(envelope).collect::<Vec<_>>(),
    })
}

fn computed() -> String {
    let pack = Pack::sample();
    let mut damaged = pack.clone();
    damaged.artifacts.get_mut("packets").unwrap()[0]["payload"]["value"] = json!(1);
    damaged.transcript[1]["response"]["id"] = json!(77);
    let calls = json!([
        {"request": {"method": "tools/list"}, "response": {"result": {"tools": []}}},
        {"request": [], "response": "HTTP 413"},
        7,
    ]);
    let calls = serde_json::to_vec(&calls).unwrap();
    let cases = [
        case("a fixture with all that a runpack can hold", &pack.fixture(), Policy::StrictFail),
        case("the same, damaged", &damaged.fixture(), Policy::RecordAnomaly),
        case("a native transcript that names no run", &calls, Policy::RecordAnomaly),
    ];
    let cases: Vec<String> =
        cases.iter().map(|case| serde_json::to_string(case).unwrap()).collect();
    let about = "What the Decision Gate adapter makes of each document: tenant acme, recorder recorder-1, client client, \
                 salt key 11…, redaction key 22… (32 bytes each, as hex digits). Payloads are canonical text.";
    format!("{{\n\"about\": {},\n\"cases\": [\n{}\n]\n}}\n", json!(about), cases.join(",\n"))
}

#[test]
fn the_vectors_are_what_the_adapter_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/spec/vectors/adapters/decision-gate.json");
    let computed = computed();
    if std::env::var_os("RECORDER_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &computed).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == computed, "the vectors differ");
}

#[test]
fn the_contract_names_what_the_payloads_name() {
    let contract = contract();
    let outcome = mapped(document(&Pack::sample().fixture()), Policy::StrictFail).unwrap();
    for event in &outcome.events {
        let payload: Value = serde_json::from_str(event.envelope.payload.payload.as_str()).unwrap();
        let mapping = &payload["mapping"];
        for name in ["adapter_id", "mapping_version", "redaction_policy_version"] {
            assert_eq!(mapping[name], contract[name]);
        }
    }
    assert_eq!(contract["redaction"]["version"], "decision_gate_redaction_v1");
    assert!(contract["event_types"]["exchange"]["tools"].as_array().unwrap().len() == 18);
}

#[test]
fn the_examples_of_the_page_are_taken() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/adapters/decision-gate.md");
    let page = std::fs::read_to_string(page).unwrap();
    let examples: Vec<&str> = page.split("```json\n").skip(1).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let (example, _) = example.split_once("```").unwrap();
        let outcome = mapped(document(example.as_bytes()), Policy::StrictFail).unwrap();
        assert_eq!(outcome.accepted, 1);
    }
    let contract = contract();
    for event_type in contract["event_types"].as_object().unwrap().values() {
        if let Some(text) = event_type.as_str() {
            let stem = text.split('<').next().unwrap();
            assert!(page.contains(stem), "{stem}");
        }
    }
}
