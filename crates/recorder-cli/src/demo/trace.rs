//! The shipped trace: OTLP/JSON bodies as a real agent's exporter sent them, mapped to unsealed envelopes.
//!
//! The mapping keeps each span as it was sent, beside its resource and scope. It serves the demonstration; it
//! redacts nothing, since everything in the trace is made up.

use std::collections::BTreeMap;

use recorder_core::hash::sha256;
use recorder_core::identity::{ActorId, EnvelopeId, EnvironmentId, EventType, SessionId, TraceId};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PayloadSalt, SaltedPayload, UnsealedEnvelope,
};
use recorder_envelope::json::CanonicalPayload;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The bodies, one a line, exactly as received.
const BODIES: &str = include_str!("../../../../examples/agent-trace/trace.otlp.jsonl");

/// Files that the agent read and wrote; spans name them in `recorder.example.attachment`.
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
pub(crate) enum TraceError {
    /// A body is not of the expected form.
    #[error("the shipped trace cannot be read: {0}")]
    Form(#[from] serde_json::Error),
    /// A value breaks a rule of the evidence format.
    #[error("the shipped trace cannot be mapped: {0}")]
    Rule(String),
}

impl TraceError {
    fn rule(error: impl std::fmt::Display) -> Self {
        Self::Rule(error.to_string())
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: &'a RawValue,
    #[serde(borrow)]
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    scope: &'a RawValue,
    #[serde(borrow)]
    spans: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Attributes {
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    value: AnyValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue {
    string_value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    name: String,
    start_time_unix_nano: String,
    attributes: Vec<Attribute>,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    code: u64,
}

/// Status code 2 of OTLP.
const STATUS_ERROR: u64 = 2;

fn text<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.string_value.as_deref()
}

/// Maps the shipped bodies, one batch a body, in the order of arrival.
pub(crate) fn batches(
    salts: &mut dyn FnMut() -> PayloadSalt,
) -> Result<Vec<Vec<Event>>, TraceError> {
    let bodies =
        BODIES.lines().map(serde_json::from_str::<Body<'_>>).collect::<Result<Vec<_>, _>>()?;
    let ids = envelope_ids(&bodies)?;
    bodies.iter().map(|body| map_body(body, &ids, salts)).collect()
}

/// Names every span, so that children can name parents that arrive after them.
fn envelope_ids(bodies: &[Body<'_>]) -> Result<BTreeMap<String, EnvelopeId>, TraceError> {
    let mut ids = BTreeMap::new();
    for raw in bodies.iter().flat_map(|body| &body.resource_spans).flat_map(|r| &r.scope_spans) {
        for span in &raw.spans {
            let span: Span = serde_json::from_str(span.get())?;
            let id = envelope_id(&span)?;
            ids.insert(span.span_id, id);
        }
    }
    Ok(ids)
}

/// UUIDv7-shaped: the span's start in milliseconds, then a digest of trace and span id.
fn envelope_id(span: &Span) -> Result<EnvelopeId, TraceError> {
    let nanoseconds: u64 = span.start_time_unix_nano.parse().map_err(TraceError::rule)?;
    let digest =
        sha256(&[b"recorder/demo-id/v1\n", span.trace_id.as_bytes(), span.span_id.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[..6].copy_from_slice(&(nanoseconds / 1_000_000).to_be_bytes()[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    EnvelopeId::from_bytes(bytes).map_err(TraceError::rule)
}

fn map_body(
    body: &Body<'_>,
    ids: &BTreeMap<String, EnvelopeId>,
    salts: &mut dyn FnMut() -> PayloadSalt,
) -> Result<Vec<Event>, TraceError> {
    let mut events = Vec::new();
    for resource_spans in &body.resource_spans {
        let resource = resource_spans.resource;
        for scope_spans in &resource_spans.scope_spans {
            for span in &scope_spans.spans {
                events.push(map_span(resource, scope_spans.scope, span, ids, salts())?);
            }
        }
    }
    Ok(events)
}

fn map_span(
    resource: &RawValue,
    scope: &RawValue,
    raw: &RawValue,
    ids: &BTreeMap<String, EnvelopeId>,
    salt: PayloadSalt,
) -> Result<Event, TraceError> {
    let span: Span = serde_json::from_str(raw.get())?;
    let of_resource: Attributes = serde_json::from_str(resource.get())?;
    let attachments = attachments(&span)?;
    let refs = attachments.iter().map(|attachment| attachment.reference().clone()).collect();
    let parent = span.parent_span_id.as_ref().and_then(|id| ids.get(id)).copied();
    let session = text(&span.attributes, "gen_ai.conversation.id");
    let fields = EnvelopeFields {
        envelope_id: envelope_id(&span)?,
        event_type: EventType::new("otel.span").map_err(TraceError::rule)?,
        actor_id: actor(&span, &of_resource)?,
        environment_id: EnvironmentId::new(
            text(&of_resource.attributes, "deployment.environment.name").unwrap_or("unknown"),
        )
        .map_err(TraceError::rule)?,
        claimed_time: time(&span)?,
        trace_id: Some(TraceId::new(span.trace_id.as_str()).map_err(TraceError::rule)?),
        session_id: session.map(SessionId::new).transpose().map_err(TraceError::rule)?,
        parent_ids: ParentIds::sorted(parent.into_iter().collect()).map_err(TraceError::rule)?,
        attachment_refs: AttachmentRefs::sorted(refs).map_err(TraceError::rule)?,
    };
    let payload = format!(
        r#"{{"resource":{},"scope":{},"span":{}}}"#,
        resource.get(),
        scope.get(),
        raw.get()
    );
    let payload = CanonicalPayload::parse(payload.as_bytes()).map_err(TraceError::rule)?;
    Ok(Event {
        envelope: UnsealedEnvelope { fields, payload: SaltedPayload { payload, salt } },
        attachments,
        failed: span.status.code == STATUS_ERROR,
        name: span.name,
    })
}

/// The agent that acted; without one, the service.
fn actor(span: &Span, resource: &Attributes) -> Result<ActorId, TraceError> {
    let actor = match text(&span.attributes, "gen_ai.agent.id") {
        Some(agent) => format!("otel:agent:{agent}"),
        None => {
            let namespace = text(&resource.attributes, "service.namespace").unwrap_or("default");
            let name = text(&resource.attributes, "service.name").unwrap_or("unknown");
            format!("otel:service:{namespace}/{name}")
        }
    };
    ActorId::new(actor).map_err(TraceError::rule)
}

fn time(span: &Span) -> Result<UtcTimestamp, TraceError> {
    let nanoseconds: u64 = span.start_time_unix_nano.parse().map_err(TraceError::rule)?;
    let seconds = i64::try_from(nanoseconds / 1_000_000_000).map_err(TraceError::rule)?;
    UtcTimestamp::new(seconds, (nanoseconds % 1_000_000_000) as u32).map_err(TraceError::rule)
}

fn attachments(span: &Span) -> Result<Vec<Attachment>, TraceError> {
    let Some(wanted) = text(&span.attributes, "recorder.example.attachment") else {
        return Ok(Vec::new());
    };
    let (_, content_type, bytes) = FILES
        .into_iter()
        .find(|(name, _, _)| *name == wanted)
        .ok_or_else(|| TraceError::Rule(format!("no file {wanted}")))?;
    let content_type = content_type.parse().map_err(TraceError::rule)?;
    Ok(vec![Attachment::new(content_type, bytes.to_vec()).map_err(TraceError::rule)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_is_mapped_and_every_parent_is_known() {
        let mut salt = || PayloadSalt::from_bytes([1; 16]);
        let events = batches(&mut salt).unwrap().into_iter().flatten().collect::<Vec<_>>();
        let spans = BODIES.matches("\"spanId\"").count() - BODIES.matches("\"links\":[{").count();
        assert!(events.len() >= 50 && events.len() <= spans);
        let roots = events.iter().filter(|e| e.envelope.fields.parent_ids.as_slice().is_empty());
        assert_eq!(roots.count(), 2);
        assert!(events.iter().any(|event| !event.attachments.is_empty()));
        assert!(events.iter().any(|event| event.failed));
    }
}
