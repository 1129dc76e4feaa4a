//! The ledger tells what the stream should have shown, and the other way round.

use serde_json::{Value, json};

use super::sample::{codes, ledger_line, lenient, only, payload, refusal, run_of, strict, types};

fn row(sequence: u64, action: &str, more: Value) -> Value {
    let mut row = json!({
        "sequence": sequence, "eventId": format!("event-{sequence}"), "occurredAt": 1_790_000_000_000_u64 + sequence,
        "action": action, "agentId": "main", "sessionKey": "agent:main:main", "runId": "run-1",
    });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

/// The rows of the sample's run: SHA-256 of `call_9` names its tool call.
fn rows() -> Vec<Value> {
    let call = json!({ "toolCallId": "sha256:0e60be9f7a1f1e6f0b12a5ec94e4d6f5b8f3ac9b1f8d9f3d4b2b2bb2b0a9f8e7", "toolName": "exec" });
    vec![
        row(1, "agent.run.started", json!({})),
        row(2, "tool.action.started", call.clone()),
        row(3, "tool.action.finished", call),
        row(4, "agent.run.finished", json!({})),
    ]
}

fn digest_of_the_sample() -> String {
    let outcome = strict(&run_of("c1", "run-1")).unwrap();
    only(&outcome, "openclaw.tool.started")["tool_call_digest"].as_str().unwrap().to_owned()
}

fn joined(rows: &[Value]) -> Vec<String> {
    [run_of("c1", "run-1"), rows.iter().cloned().map(ledger_line).collect()].concat()
}

fn fitting_rows() -> Vec<Value> {
    let mut rows = rows();
    for row in &mut rows[1..3] {
        row["toolCallId"] = json!(digest_of_the_sample());
    }
    rows
}

#[test]
fn the_digest_is_the_one_that_the_ledger_keeps() {
    // printf %s call_9 | sha256sum
    let digest = digest_of_the_sample();
    assert_eq!(digest.len(), "sha256:".len() + 64);
    let outcome = strict(&joined(&fitting_rows())).unwrap();
    let rows: Vec<&str> = types(&outcome).into_iter().filter(|it| it.contains("ledger")).collect();
    assert_eq!(
        rows,
        [
            "openclaw.ledger.agent.run.started",
            "openclaw.ledger.tool.action.started",
            "openclaw.ledger.tool.action.finished",
            "openclaw.ledger.agent.run.finished"
        ]
    );
}

#[test]
fn a_tool_call_that_only_one_of_them_has_is_named() {
    let codes_of = |rows: &[Value]| refusal(&joined(rows));
    assert_eq!(codes_of(&rows()), ["ledger_tool_unseen", "ledger_tool_missing"]);
    let fitting = fitting_rows();
    let without = [fitting[0].clone(), fitting[3].clone()];
    assert_eq!(codes_of(&without), ["ledger_tool_missing"]);
    // A ledger that does not have the end of the run may still be behind.
    assert!(strict(&joined(&fitting[..1])).is_ok());
    // A run that the stream does not show is no contradiction.
    let mut other = fitting.clone();
    other.iter_mut().for_each(|row| row["runId"] = json!("run-0"));
    assert!(strict(&joined(&other)).is_ok());
    let outcome = lenient(&joined(&without));
    assert_eq!(codes(&outcome), ["ledger_tool_missing"]);
    let detail = &only(&outcome, "openclaw.stream.ledger_mismatch")["detail"];
    assert_eq!(detail["tool_call_digest"], digest_of_the_sample());
}

#[test]
fn a_row_reads_the_same_in_both_spellings() {
    let camel = fitting_rows();
    let snake: Vec<Value> = camel
        .iter()
        .map(|row| {
            let members = row.as_object().unwrap().iter();
            members.map(|(name, value)| (snake_case(name), value.clone())).collect()
        })
        .collect();
    let (camel, snake) = (strict(&joined(&camel)).unwrap(), strict(&joined(&snake)).unwrap());
    assert_eq!(camel.events, snake.events);
    let row = payload(
        camel.events.iter().find(|it| super::sample::event_type(it).contains("ledger")).unwrap(),
    );
    assert!(row["detail"]["session_key_hmac"].is_string());
    assert!(!row.to_string().contains("agent:main:main"));
}

fn snake_case(name: &str) -> String {
    name.chars()
        .map(|it| {
            if it.is_ascii_uppercase() {
                format!("_{}", it.to_ascii_lowercase())
            } else {
                it.into()
            }
        })
        .collect()
}

#[test]
fn a_row_that_is_none_is_refused_by_name() {
    for (row, code) in [
        (json!({ "action": "agent.run.started", "occurredAt": 1 }), "ledger_row_invalid"),
        (json!({ "eventId": "e", "occurredAt": 1 }), "ledger_row_invalid"),
        (
            json!({ "eventId": "e", "event_id": "f", "action": "a", "occurredAt": 1 }),
            "ledger_row_invalid",
        ),
        (json!({ "eventId": "e", "action": "a" }), "time_out_of_range"),
        (
            json!({ "eventId": "e", "action": "a", "occurredAt": 253_402_300_800_000_u64 }),
            "time_out_of_range",
        ),
        (json!({ "eventId": "e", "action": "a", "occurredAt": -1 }), "time_out_of_range"),
        (json!({ "eventId": "e", "action": "A b", "occurredAt": 1 }), "identifier_invalid"),
        (json!(["a"]), "ledger_row_invalid"),
    ] {
        assert_eq!(refusal(&[ledger_line(row.clone())]), [code], "{row}");
    }
}
