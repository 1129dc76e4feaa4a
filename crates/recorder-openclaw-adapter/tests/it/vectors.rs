//! The vectors under `docs/spec/vectors/adapters`: what each line comes to, with ids and salts.

use recorder_envelope::adapter::Policy;
use serde_json::{Value, json};

use super::sample::{Setup, run_of, text};

const PATH: &str = "../../docs/spec/vectors/adapters/openclaw.json";
const ABOUT: &str = "An input and the envelopes that it gives under record_anomaly, into the stream default/recorder-cli, with the redaction key 11 and the salt key 22 (32 times each). The fourth line is missing and the sixth is there twice.";

#[test]
fn the_sample_gives_the_envelopes_of_the_vectors() {
    let mut lines = run_of("c1", "run-1");
    lines.remove(3);
    lines.insert(6, lines[5].clone());
    let setup = Setup::new();
    let settings = setup.settings(Policy::RecordAnomaly);
    let outcome = recorder_openclaw_adapter::map(text(&lines).as_bytes(), &settings).unwrap();
    let envelopes = outcome.events.iter().map(|event| {
        let fields = &event.envelope.fields;
        json!({
            "envelope_id": fields.envelope_id, "event_type": fields.event_type, "actor_id": fields.actor_id,
            "environment_id": fields.environment_id, "claimed_time": fields.claimed_time, "trace_id": fields.trace_id,
            "session_id": fields.session_id, "parent_ids": fields.parent_ids,
            "payload": event.envelope.payload.payload.as_str(), "payload_salt": event.envelope.payload.salt,
        })
    });
    let input: Vec<Value> = lines.iter().map(|line| json!(line)).collect();
    let listed = |values: Vec<Value>| {
        values.iter().map(|value| format!("    {value}")).collect::<Vec<_>>().join(",\n")
    };
    let computed = format!(
        "{{\n  \"about\": {},\n  \"input\": [\n{}\n  ],\n  \"cases\": [\n{}\n  ]\n}}\n",
        json!(ABOUT),
        listed(input),
        listed(envelopes.collect()),
    );
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PATH);
    if std::env::var_os("RECORDER_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &computed).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), computed);
}
