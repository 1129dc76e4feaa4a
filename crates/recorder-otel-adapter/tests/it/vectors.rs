//! Vectors for other implementations: bodies, keys, and every envelope that comes out.
#![expect(clippy::disallowed_methods, reason = "reads and writes files of the repository")]

use std::path::Path;

use recorder_envelope::adapter::{Event, Policy};
use recorder_otel_adapter::{Encoding, contract};
use serde_json::{Value, json};

use crate::protobuf::encoded;
use crate::support::{TRACE, attribute, log, logs, map, payload, span, traces};

const ABOUT: &str = "Bodies of OTLP, given to the adapter under record_anomaly with the salt key 11..11 and the redaction key 22..22 (hex), tenant acme, recorder test, actor otel:unknown, environment unspecified, log bodies digested. body is the text of the body, or body_hex its bytes; envelopes are all that come out, in order, each payload as its value.";

fn envelope(event: &Event) -> Value {
    let fields = &event.envelope.fields;
    json!({
        "envelope_id": fields.envelope_id,
        "event_type": fields.event_type,
        "actor_id": fields.actor_id,
        "environment_id": fields.environment_id,
        "claimed_time": fields.claimed_time,
        "trace_id": fields.trace_id,
        "session_id": fields.session_id,
        "payload_salt": event.envelope.payload.salt,
        "payload": payload(event),
    })
}

fn case(name: &str, encoding: Encoding, body: &[u8]) -> Value {
    let outcome = map(Policy::RecordAnomaly, encoding, body).unwrap();
    let (member, text) = match encoding {
        Encoding::Json => ("body", String::from_utf8(body.to_vec()).unwrap()),
        Encoding::Protobuf => ("body_hex", body.iter().map(|byte| format!("{byte:02x}")).collect()),
    };
    json!({
        "name": name,
        "encoding": encoding,
        member: text,
        "accepted": outcome.accepted,
        "rejected": outcome.rejected,
        "anomalies": outcome.problems.named,
        "envelopes": outcome.events.iter().map(envelope).collect::<Vec<_>>(),
    })
}

fn check_file(name: &str, text: &str) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/vectors/adapters").join(name);
    if std::env::var_os("RECORDER_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == text, "{name} is not what is computed");
}

#[test]
fn the_vectors_are_what_is_computed() {
    let shortest = TRACE.lines().min_by_key(|line| line.len()).unwrap();
    let json = |name, body: String| case(name, Encoding::Json, body.as_bytes());
    let cases = [
        json("span", traces(&[span("")])),
        json("same-span-twice", traces(&[span(""), span("")])),
        json(
            "span-with-content",
            traces(&[span(
                r#","attributes":[{"key":"gen_ai.input.messages","value":{"stringValue":"hello"}},{"key":"n","value":{"doubleValue":"NaN"}}]"#,
            )]),
        ),
        json("rejected", traces(&[attribute(r#"{"intValue":1e+21}"#), span("")])),
        json("log", logs(&[log(r#","body":{"stringValue":"hello"},"severityText":"INFO""#)])),
        json("log-with-wrong-trace", logs(&[log(r#","traceId":"xyz""#)])),
        json("shipped-trace", shortest.to_owned()),
        case("shipped-trace-protobuf", Encoding::Protobuf, &encoded(shortest)),
    ];
    let lines = cases.map(|case| format!("    {case}")).join(",\n");
    let about = Value::from(ABOUT);
    check_file(
        "otel.json",
        &format!("{{\n  \"about\": {about},\n  \"cases\": [\n{lines}\n  ]\n}}\n"),
    );
}

#[test]
fn the_contract_is_the_one_on_file() {
    let text = serde_json::to_string_pretty(&contract()).unwrap();
    check_file("otel-contract.json", &format!("{text}\n"));
}
