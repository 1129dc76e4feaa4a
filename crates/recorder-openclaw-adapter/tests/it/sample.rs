//! A short stream as a tap writes it: one run with an approved tool call.

use recorder_core::identity::StreamId;
use recorder_envelope::adapter::{Event, Outcome, Policy, RedactionKey, Refused, SaltKey};
use recorder_envelope::redaction::Redactor;
use recorder_openclaw_adapter::{Settings, map, redactor};
use serde_json::{Value, json};

/// What settings borrow.
pub(crate) struct Setup {
    pub(crate) stream: StreamId,
    pub(crate) salt_key: SaltKey,
    pub(crate) redactor: Redactor,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            stream: StreamId {
                tenant_id: "default".parse().unwrap(),
                recorder_id: "recorder-cli".parse().unwrap(),
            },
            salt_key: SaltKey::from_hex(&[b'2'; 64]).unwrap(),
            redactor: redactor(RedactionKey::from_hex(&[b'1'; 64])).unwrap(),
        }
    }

    pub(crate) fn settings(&self, policy: Policy) -> Settings<'_> {
        Settings {
            policy,
            stream: &self.stream,
            salt_key: &self.salt_key,
            redactor: &self.redactor,
        }
    }
}

pub(crate) fn strict(lines: &[String]) -> Result<Outcome, Refused> {
    map(text(lines).as_bytes(), &Setup::new().settings(Policy::StrictFail))
}

pub(crate) fn lenient(lines: &[String]) -> Outcome {
    map(text(lines).as_bytes(), &Setup::new().settings(Policy::RecordAnomaly)).unwrap()
}

pub(crate) fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

pub(crate) fn types(outcome: &Outcome) -> Vec<&str> {
    outcome.events.iter().map(event_type).collect()
}

pub(crate) fn event_type(event: &Event) -> &str {
    event.envelope.fields.event_type.as_str()
}

pub(crate) fn payload(event: &Event) -> Value {
    serde_json::from_slice(event.envelope.payload.payload.as_bytes()).unwrap()
}

/// The payload of the only event of a type.
pub(crate) fn only(outcome: &Outcome, of: &str) -> Value {
    let mut found = outcome.events.iter().filter(|event| event_type(event) == of);
    let event = found.next().unwrap_or_else(|| panic!("no {of} in {:?}", types(outcome)));
    assert!(found.next().is_none(), "more than one {of}");
    payload(event)
}

/// The codes of what was wrong, in order.
pub(crate) fn codes(outcome: &Outcome) -> Vec<&'static str> {
    outcome.problems.named.iter().map(|anomaly| anomaly.code).collect()
}

pub(crate) fn refusal(lines: &[String]) -> Vec<&'static str> {
    strict(lines).unwrap_err().problems.named.iter().map(|anomaly| anomaly.code).collect()
}

pub(crate) fn line_of(connection: &str, seq: u64, event: &str, payload: Value) -> String {
    let frame = json!({ "type": "event", "event": event, "payload": payload, "seq": seq });
    json!({
        "schema": "recorder.openclaw-input/1", "gateway": "gateway-1", "boot_id": "boot-1",
        "conn_id": connection, "received_at": "2026-11-22T10:00:00Z", "frame": frame,
    })
    .to_string()
}

pub(crate) fn ledger_line(row: Value) -> String {
    json!({ "schema": "recorder.openclaw-input/1", "gateway": "gateway-1", "ledger": row })
        .to_string()
}

pub(crate) fn agent(run: &str, at: u64, stream: &str, data: Value) -> Value {
    json!({
        "runId": run, "sessionKey": "agent:main:main", "agentId": "main", "stream": stream, "data": data, "seq": 3,
        "ts": at, "isHeartbeat": false, "session": { "key": "agent:main:main" },
    })
}

/// Ten frames: a run, an approved tool call, and what is not kept.
pub(crate) fn run_of(connection: &str, run: &str) -> Vec<String> {
    let at = 1_790_000_000_000;
    let call = "call_9";
    let request = json!({ "command": "tar czf out.tgz data", "cwd": "/srv", "runId": run, "toolCallId": call, "agentId": "main" });
    let frames = [
        ("tick", json!({ "ts": at })),
        ("agent", agent(run, at, "lifecycle", json!({ "phase": "start", "startedAt": at }))),
        ("agent", agent(run, at + 1, "assistant", json!({ "text": "Do", "delta": "Do" }))),
        (
            "agent",
            agent(
                run,
                at + 2,
                "tool",
                json!({ "phase": "start", "name": "exec", "toolCallId": call, "args": { "command": "tar" } }),
            ),
        ),
        (
            "exec.approval.requested",
            json!({ "id": "approval-1", "approvalKind": "exec", "request": request, "createdAtMs": at + 3 }),
        ),
        (
            "exec.approval.resolved",
            json!({ "id": "approval-1", "decision": "allow-once", "resolvedBy": "operator-ui", "ts": at + 4, "request": request }),
        ),
        (
            "agent",
            agent(
                run,
                at + 5,
                "tool",
                json!({ "phase": "result", "name": "exec", "toolCallId": call, "isError": false, "result": { "content": "done" } }),
            ),
        ),
        (
            "session.message",
            json!({ "agentId": "main", "message": { "role": "assistant", "content": "Done.", "timestamp": at + 6 } }),
        ),
        ("agent", agent(run, at + 7, "lifecycle", json!({ "phase": "end", "endedAt": at + 7 }))),
        (
            "chat",
            json!({ "runId": run, "agentId": "main", "state": "final", "message": { "role": "assistant", "content": "Done.", "timestamp": at + 8 } }),
        ),
    ];
    let numbered = frames.into_iter().zip(1..);
    numbered.map(|((event, payload), seq)| line_of(connection, seq, event, payload)).collect()
}
