//! `openclaw ingest-stream`: a gateway's frames from a file and from a pipe, whole and damaged.

use serde_json::{Value, json};

use super::{Run, Sandbox};

/// So many runs of two frames each, on one connection.
pub(super) fn stream(runs: u64) -> Vec<String> {
    (0..2 * runs)
        .map(|index| {
            let phase = if index % 2 == 0 { "start" } else { "end" };
            let payload = json!({ "runId": format!("run-{}", index / 2), "agentId": "main", "stream": "lifecycle",
                "data": { "phase": phase }, "ts": 1_790_000_000_000 + index });
            let frame = json!({ "type": "event", "event": "agent", "payload": payload, "seq": index + 1 });
            json!({ "schema": "recorder.openclaw-input/1", "gateway": "gateway-1", "boot_id": "b", "conn_id": "c",
                "received_at": "2026-11-22T10:00:00Z", "frame": frame })
            .to_string()
        })
        .collect()
}

pub(super) fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn ingest(sandbox: &Sandbox, more: &[&str]) -> (i32, Value) {
    sandbox.json(&[&["openclaw", "ingest-stream"], more].concat())
}

/// `[accepted, rejected, replayed, skipped]` and the codes.
fn counts(answer: &Value) -> ([u64; 4], Vec<&str>) {
    let count = |name: &str| answer[name].as_u64().unwrap_or(0);
    let codes = answer["anomalies"].as_array().unwrap().iter();
    let codes = codes.map(|anomaly| anomaly["code"].as_str().unwrap()).collect();
    ([count("accepted"), count("rejected"), count("replayed"), count("skipped")], codes)
}

fn recorded(sandbox: &Sandbox) -> Vec<String> {
    let answer = sandbox.json_ok(&["query", "envelopes"]);
    let envelopes = answer["envelopes"].as_array().unwrap().iter();
    envelopes.map(|envelope| envelope["event_type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_whole_stream_is_recorded_once_however_it_comes() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("frames.jsonl", text(&stream(2)));
    let (code, first) = ingest(&sandbox, &["frames.jsonl"]);
    assert_eq!((code, counts(&first)), (0, ([4, 0, 0, 0], vec![])));
    assert_eq!(
        recorded(&sandbox),
        [
            "openclaw.stream.opened",
            "openclaw.run.started",
            "openclaw.run.finished",
            "openclaw.run.started",
            "openclaw.run.finished",
            "openclaw.stream.closed"
        ]
    );
    for policy in ["strict_fail", "record_anomaly"] {
        let arguments = ["--json", "openclaw", "ingest-stream", "-", "--policy", policy];
        let piped = Run::of(sandbox.command(&arguments).write_stdin(text(&stream(2))));
        let again: Value = serde_json::from_str(&piped.stdout).unwrap();
        assert_eq!(counts(&again), ([0, 0, 4, 0], vec![]), "{policy}");
    }
    assert_eq!(recorded(&sandbox).len(), 6);
}

#[test]
fn a_stream_with_a_hole_is_refused_whole_or_recorded_with_its_hole() {
    let sandbox = Sandbox::unsigned();
    let mut lines = stream(3);
    lines.remove(3);
    sandbox.write("frames.jsonl", text(&lines));
    let (code, strict) = ingest(&sandbox, &["frames.jsonl"]);
    let codes = vec!["stream_gap", "stream_incomplete"];
    assert_eq!((code, counts(&strict)), (5, ([0, 5, 0, 0], codes.clone())));
    assert_eq!(strict["error"]["code"], "input_refused");
    assert!(recorded(&sandbox).is_empty());
    let lenient = ["frames.jsonl", "--policy", "record_anomaly"];
    let (code, answer) = ingest(&sandbox, &lenient);
    assert_eq!((code, counts(&answer)), (0, ([5, 0, 0, 0], codes.clone())));
    let types = recorded(&sandbox);
    assert_eq!(types[4], "openclaw.stream.gap");
    assert!(types.contains(&"openclaw.stream.incomplete".to_owned()), "{types:?}");
    let (_, again) = ingest(&sandbox, &lenient);
    assert_eq!(counts(&again), ([0, 0, 5, 0], codes));
    assert_eq!(recorded(&sandbox), types);
}

#[test]
fn lines_that_are_none_are_counted_and_leave_evidence() {
    let sandbox = Sandbox::unsigned();
    let mut lines = stream(700);
    lines.insert(3, "not a frame".to_owned());
    lines.insert(9, String::new());
    lines.push("x".repeat(3 << 20));
    sandbox.write("frames.jsonl", text(&lines));
    let (code, answer) = ingest(&sandbox, &["frames.jsonl", "--policy", "record_anomaly"]);
    let codes = vec!["line_invalid", "record_too_large"];
    assert_eq!((code, counts(&answer)), (0, ([1400, 2, 0, 1], codes)));
    let rejected = ["--event-type", "openclaw.stream.line_rejected"];
    let found = sandbox.json_ok(&[&["query", "envelopes"][..], &rejected].concat());
    assert_eq!(found["envelopes"].as_array().unwrap().len(), 2);
    // In the language of people, the same.
    let run =
        sandbox.run(&["openclaw", "ingest-stream", "frames.jsonl", "--policy", "record_anomaly"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("[record_too_large]"), "{}", run.stdout);
}

#[test]
fn what_contradicts_an_earlier_stream_is_named() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("frames.jsonl", text(&stream(1)));
    ingest(&sandbox, &["frames.jsonl"]);
    let other = text(&stream(1)).replace("\"agentId\":\"main\"", "\"agentId\":\"other\"");
    sandbox.write("other.jsonl", other);
    let (code, strict) = ingest(&sandbox, &["other.jsonl"]);
    let twice = vec!["envelope_conflict", "envelope_conflict"];
    assert_eq!((code, counts(&strict)), (5, ([0, 2, 0, 0], twice.clone())));
    let (code, answer) = ingest(&sandbox, &["other.jsonl", "--policy", "record_anomaly"]);
    assert_eq!((code, counts(&answer)), (0, ([0, 2, 0, 0], twice)));
}
