//! `otel ingest-fixture`: bodies of exporters, as they were sent.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::Sandbox;

/// The first body of the shipped trace: twelve spans.
fn body() -> &'static str {
    include_str!("../../../../examples/agent-trace/trace.otlp.jsonl").lines().next().unwrap()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn ingest(sandbox: &Sandbox, more: &[&str]) -> (i32, Value) {
    sandbox.json(&[&["otel", "ingest-fixture"], more].concat())
}

/// `[accepted, rejected, replayed]` and the codes.
fn counts(answer: &Value) -> ([u64; 3], Vec<&str>) {
    let count = |name: &str| answer[name].as_u64().unwrap();
    let codes = answer["anomalies"].as_array().unwrap().iter();
    let codes = codes.map(|anomaly| anomaly["code"].as_str().unwrap()).collect();
    ([count("accepted"), count("rejected"), count("replayed")], codes)
}

#[test]
fn a_body_is_recorded_once_however_it_is_packed() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("traces.json", body());
    sandbox.write("traces.json.gz", gzip(body().as_bytes()));
    let (code, first) = ingest(&sandbox, &["traces.json"]);
    assert_eq!((code, counts(&first)), (0, ([12, 0, 0], vec![])));
    let (code, again) = ingest(&sandbox, &["traces.json.gz"]);
    assert_eq!((code, counts(&again)), (0, ([0, 0, 12], vec![])));
    let spans =
        ["query", "envelopes", "--event-type", "otel.span", "--session", "conv-refund-B-7731"];
    let found = sandbox.json_ok(&spans);
    assert!(!found["envelopes"].as_array().unwrap().is_empty());
    // What the agent was told is not in the evidence; that it was told something is.
    let text = found.to_string();
    assert!(text.contains("gen_ai.input.messages") && !text.contains("customer.example"), "{text}");
}

#[test]
fn a_wrong_span_refuses_its_body_or_leaves_an_envelope_of_its_own() {
    let sandbox = Sandbox::unsigned();
    let wrong = body().replacen(r#""kind":3"#, r#""kind":"client""#, 1);
    sandbox.write("wrong.json", &wrong);
    let (code, strict) = ingest(&sandbox, &["wrong.json"]);
    assert_eq!((code, counts(&strict)), (5, ([0, 12, 0], vec!["otel_wrong_kind"])));
    assert_eq!(strict["anomalies"][0]["path"], "resourceSpans/0/scopeSpans/0/spans/0/kind");
    let lenient = ["wrong.json", "--policy", "record_anomaly"];
    let (code, answer) = ingest(&sandbox, &lenient);
    assert_eq!((code, counts(&answer)), (0, ([11, 1, 0], vec!["otel_wrong_kind"])));
    let (_, again) = ingest(&sandbox, &lenient);
    assert_eq!(counts(&again).0, [0, 1, 11]);
    let anomalies = sandbox.json_ok(&["query", "envelopes", "--event-type", "otel.anomaly"]);
    assert_eq!(anomalies["envelopes"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_body_is_refused_by_name_and_nothing_is_recorded() {
    let sandbox = Sandbox::unsigned();
    let packed = gzip(body().as_bytes());
    for (bytes, code) in [
        (&b"{}"[..], "otel_no_signal"),
        (br#"{"resourceMetrics":[]}"#, "otel_signal"),
        (b"not a body", "otel_json"),
        (&packed[..packed.len() - 9], "otel_gzip"),
    ] {
        sandbox.write("body", bytes);
        let policy = ["body", "--policy", "record_anomaly"];
        let (exit, answer) = ingest(&sandbox, &policy);
        assert_eq!((exit, counts(&answer)), (5, ([0, 1, 0], vec![code])));
    }
    let recorded = sandbox.json_ok(&["query", "envelopes"]);
    assert!(recorded["envelopes"].as_array().unwrap().is_empty());
}
