//! An adapter with fixed keys, bodies to give it, and what must hold of every outcome.

use recorder_core::identity::{ActorId, EnvironmentId, RecorderId, StreamId, TenantId};
use recorder_envelope::adapter::{Event, Outcome, Policy, RedactionKey, SaltKey};
use recorder_envelope::redaction::{Bounds as RedactionBounds, Redactor};
use recorder_otel_adapter::{
    Adapter, Bounds, Door, Encoding, LogBody, Refusal, Settings, redaction_policy,
};
use serde_json::Value;

/// The shipped trace: six bodies of an SDK, 56 spans.
pub(crate) const TRACE: &str = include_str!("../../../../examples/agent-trace/trace.otlp.jsonl");

/// A span that nothing is wrong with, with something after its last member.
pub(crate) fn span(more: &str) -> String {
    format!(
        r#"{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"x","kind":1,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"{more}}}"#
    )
}

/// A span with one attribute `a` of this value.
pub(crate) fn attribute(value: &str) -> String {
    span(&format!(r#","attributes":[{{"key":"a","value":{value}}}]"#))
}

/// A log record that nothing is wrong with, with something after its last member.
pub(crate) fn log(more: &str) -> String {
    format!(r#"{{"timeUnixNano":"1544712660000000000","severityNumber":9{more}}}"#)
}

/// A body of these spans.
pub(crate) fn traces(spans: &[String]) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","))
}

/// A body of these log records.
pub(crate) fn logs(records: &[String]) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","))
}

/// Settings with fixed keys.
pub(crate) fn settings(policy: Policy) -> Settings {
    let redaction_key = RedactionKey::from_hex(&[b'2'; 64]);
    let bounds = RedactionBounds::DEFAULT;
    Settings {
        stream: StreamId {
            tenant_id: TenantId::new("acme").unwrap(),
            recorder_id: RecorderId::new("test").unwrap(),
        },
        actor_id: ActorId::new("otel:unknown").unwrap(),
        environment_id: EnvironmentId::new("unspecified").unwrap(),
        salt_key: SaltKey::from_hex(&[b'1'; 64]).unwrap(),
        redactor: Redactor::new(redaction_policy().unwrap(), bounds, redaction_key),
        log_body: LogBody::default(),
        policy,
        bounds: Bounds::default(),
    }
}

/// An adapter with fixed keys.
pub(crate) fn adapter(policy: Policy) -> Adapter {
    Adapter::new(settings(policy)).unwrap()
}

/// Maps a body through the door for everything and checks what must hold of every outcome.
pub(crate) fn map(policy: Policy, encoding: Encoding, body: &[u8]) -> Result<Outcome, Refusal> {
    let outcome = adapter(policy).map(body, encoding, Door::Ingest)?;
    check(&outcome);
    Ok(outcome)
}

/// Maps JSON, storing what is good.
pub(crate) fn lenient(body: &str) -> Outcome {
    map(Policy::RecordAnomaly, Encoding::Json, body.as_bytes()).unwrap()
}

/// Maps JSON, all or nothing.
pub(crate) fn strict(body: &str) -> Result<Outcome, Refusal> {
    map(Policy::StrictFail, Encoding::Json, body.as_bytes())
}

/// Checks that counts and events agree, and that every id stands once.
pub(crate) fn check(outcome: &Outcome) {
    let anomalies = outcome.events.iter().filter(|event| is_anomaly(event)).count() as u64;
    assert_eq!(anomalies, outcome.problems.count());
    assert_eq!(outcome.events.len() as u64, outcome.accepted + anomalies);
    assert_eq!(outcome.received(), outcome.accepted + outcome.rejected);
    let mut ids =
        outcome.events.iter().map(|event| event.envelope.fields.envelope_id).collect::<Vec<_>>();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), outcome.events.len(), "an id was given twice");
}

/// Whether an envelope is about what was lost or is wrong.
pub(crate) fn is_anomaly(event: &Event) -> bool {
    event.envelope.fields.event_type.as_str() == "otel.anomaly"
}

/// The payload of an event.
pub(crate) fn payload(event: &Event) -> Value {
    serde_json::from_str(event.envelope.payload.payload.as_str()).unwrap()
}

/// The codes of what was wrong.
pub(crate) fn codes(outcome: &Outcome) -> Vec<&'static str> {
    outcome.problems.named.iter().map(|anomaly| anomaly.code).collect()
}
