//! The shipped trace: OTLP/JSON bodies as a real agent's exporter sent them, mapped by the adapter for OpenTelemetry.
//!
//! What the agent was told and what it answered is redacted, as it is for everybody. Files come along by an attribute of
//! this example alone, which names the one that a span read or wrote.

use recorder_core::identity::{ActorId, EnvironmentId, StreamId};
use recorder_envelope::adapter::{Policy, RedactionKey, SaltKey};
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::UnsealedEnvelope;
use recorder_envelope::redaction::{Bounds as RedactionBounds, Redactor};
use recorder_otel_adapter::{Adapter, Bounds, Door, Encoding, LogBody, Settings, redaction_policy};
use serde::Deserialize;

/// The bodies, one a line, exactly as received.
const BODIES: &str = include_str!("../../../../examples/agent-trace/trace.otlp.jsonl");

/// The attribute that names a file.
const FILE_ATTRIBUTE: &str = "recorder.example.attachment";

/// Files that the agent read and wrote.
const FILES: [(&str, &str, &[u8]); 3] = [
    (
        "booking-charges.csv",
        "text/csv",
        include_bytes!("../../../../examples/agent-trace/attachments/booking-charges.csv"),
    ),
    (
        "decision-letter.txt",
        "text/plain",
        include_bytes!("../../../../examples/agent-trace/attachments/decision-letter.txt"),
    ),
    (
        "refund-policy.md",
        "text/markdown",
        include_bytes!("../../../../examples/agent-trace/attachments/refund-policy.md"),
    ),
];

/// Why the shipped trace could not be mapped.
#[derive(Debug, thiserror::Error)]
#[error("the shipped trace cannot be mapped: {0}")]
pub(crate) struct TraceError(String);

impl TraceError {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// One span, ready to be recorded.
pub(crate) struct Event {
    /// The envelope.
    pub(crate) envelope: UnsealedEnvelope,
    /// The files that it used.
    pub(crate) attachments: Vec<Attachment>,
    /// The span's name.
    pub(crate) name: String,
    /// Whether the span ended in an error.
    pub(crate) failed: bool,
}

/// What the story needs of a payload.
#[derive(Deserialize)]
struct Payload {
    span: Span,
}

#[derive(Deserialize)]
struct Span {
    name: String,
    attributes: Vec<Attribute>,
    status: Status,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    value: serde_json::Value,
}

#[derive(Deserialize)]
struct Status {
    code: u64,
}

/// Status code 2 of OTLP.
const STATUS_ERROR: u64 = 2;

/// Maps the shipped bodies, one batch a body, in the order of arrival.
pub(crate) fn batches(
    stream: &StreamId,
    salt_key: SaltKey,
    redaction_key: RedactionKey,
) -> Result<Vec<Vec<Event>>, TraceError> {
    let policy = redaction_policy().map_err(TraceError::of)?;
    let adapter = Adapter::new(Settings {
        stream: stream.clone(),
        actor_id: ActorId::new("otel:unknown").map_err(TraceError::of)?,
        environment_id: EnvironmentId::new("unspecified").map_err(TraceError::of)?,
        salt_key,
        redactor: Redactor::new(policy, RedactionBounds::DEFAULT, Some(redaction_key)),
        log_body: LogBody::Digest,
        policy: Policy::StrictFail,
        bounds: Bounds::default(),
    })
    .map_err(TraceError::of)?;
    BODIES.lines().map(|body| batch(&adapter, body)).collect()
}

fn batch(adapter: &Adapter, body: &str) -> Result<Vec<Event>, TraceError> {
    let outcome =
        adapter.map(body.as_bytes(), Encoding::Json, Door::Traces).map_err(TraceError::of)?;
    outcome.events.into_iter().map(|event| with_file(event.envelope)).collect()
}

/// Adds the file that a span names, and what the story tells of it.
fn with_file(mut envelope: UnsealedEnvelope) -> Result<Event, TraceError> {
    let Payload { span } =
        serde_json::from_str(envelope.payload.payload.as_str()).map_err(TraceError::of)?;
    let named = span.attributes.iter().find(|attribute| attribute.key == FILE_ATTRIBUTE);
    let mut attachments = Vec::new();
    if let Some(name) = named.and_then(|attribute| attribute.value.as_str()) {
        let file = FILES.into_iter().find(|(known, ..)| *known == name);
        let (_, content_type, bytes) =
            file.ok_or_else(|| TraceError(format!("there is no file {name}")))?;
        let content_type = content_type.parse().map_err(TraceError::of)?;
        attachments.push(Attachment::new(content_type, bytes.to_vec()).map_err(TraceError::of)?);
    }
    let refs = attachments.iter().map(|attachment| attachment.reference().clone()).collect();
    envelope.fields.attachment_refs = AttachmentRefs::sorted(refs).map_err(TraceError::of)?;
    Ok(Event { envelope, attachments, name: span.name, failed: span.status.code == STATUS_ERROR })
}

#[cfg(test)]
mod tests {
    use recorder_core::identity::{RecorderId, TenantId};

    use super::*;

    #[test]
    fn every_span_is_mapped_and_nothing_that_was_said_is_shown() {
        let stream = StreamId {
            tenant_id: TenantId::new("t").unwrap(),
            recorder_id: RecorderId::new("r").unwrap(),
        };
        let (salt, redaction) =
            (SaltKey::from_hex(&[b'1'; 64]), RedactionKey::from_hex(&[b'2'; 64]));
        let batches = batches(&stream, salt.unwrap(), redaction.unwrap()).unwrap();
        let events = batches.into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(events.len(), 56);
        assert_eq!(events.iter().filter(|event| !event.attachments.is_empty()).count(), 6);
        assert!(events.iter().any(|event| event.failed));
        for said in ["customer.example", "1632 960117", "false system notice", "amount_cents"] {
            let shows = |event: &Event| event.envelope.payload.payload.as_str().contains(said);
            assert!(!events.iter().any(shows), "{said}");
        }
    }
}
