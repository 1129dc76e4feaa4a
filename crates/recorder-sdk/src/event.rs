//! What happened, in the words of the program that saw it.
//!
//! Nothing is checked here: an event becomes an envelope, or is refused by name, when it is recorded.

use recorder_core::identity::EnvelopeId;
use recorder_core::time::{RecordedAt, UtcTimestamp};
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PayloadSalt, PreparedEnvelope, SaltedPayload, UnsealedEnvelope,
};
use recorder_envelope::json::CanonicalPayload;
use serde::Serialize;

use crate::error::EventError;

/// An event to record.
///
/// ```
/// use recorder_sdk::prelude::*;
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let recorder = RecorderBuilder::new("recorder:demo").store(StoreKind::Memory).build()?;
/// let asked = Event::new("tool.call", "agent:7", "staging").session("chat:1").payload(json!({"tool": "search"}));
/// let asked = recorder.record(asked)?;
/// let answered = Event::new("tool.result", "tool:search", "staging").session("chat:1").parent(asked.envelope_id);
/// recorder.record(answered.payload(json!({"hits": 3})))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Event {
    event_type: String,
    actor: String,
    environment: String,
    envelope_id: Option<EnvelopeId>,
    claimed_time: Option<UtcTimestamp>,
    trace: Option<String>,
    session: Option<String>,
    parents: Vec<EnvelopeId>,
    payload: Result<Vec<u8>, serde_json::Error>,
    attachments: Vec<Attachment>,
}

impl Event {
    /// An event of `event_type` (`tool.call`), done by `actor` in `environment`, with the empty payload `{}`.
    pub fn new(
        event_type: impl Into<String>,
        actor: impl Into<String>,
        environment: impl Into<String>,
    ) -> Self {
        Self {
            event_type: event_type.into(),
            actor: actor.into(),
            environment: environment.into(),
            envelope_id: None,
            claimed_time: None,
            trace: None,
            session: None,
            parents: Vec::new(),
            payload: Ok(b"{}".to_vec()),
            attachments: Vec::new(),
        }
    }

    /// What is to be kept of it: anything that serialises to a JSON object.
    #[must_use]
    pub fn payload(mut self, payload: impl Serialize) -> Self {
        self.payload = serde_json::to_vec(&payload);
        self
    }

    /// The trace that it belongs to.
    #[must_use]
    pub fn trace(mut self, trace_id: impl Into<String>) -> Self {
        self.trace = Some(trace_id.into());
        self
    }

    /// The session that it belongs to.
    #[must_use]
    pub fn session(mut self, session_id: impl Into<String>) -> Self {
        self.session = Some(session_id.into());
        self
    }

    /// An earlier envelope that it follows from; call it once for each.
    #[must_use]
    pub fn parent(mut self, envelope_id: EnvelopeId) -> Self {
        self.parents.push(envelope_id);
        self
    }

    /// Its name. Recording the same event under the same id twice records it once; without an id, each recording is
    /// an event of its own.
    #[must_use]
    pub fn id(mut self, envelope_id: EnvelopeId) -> Self {
        self.envelope_id = Some(envelope_id);
        self
    }

    /// When it happened; without it, the moment of recording.
    #[must_use]
    pub fn at(mut self, claimed_time: UtcTimestamp) -> Self {
        self.claimed_time = Some(claimed_time);
        self
    }

    /// Bytes that belong to it; call it once for each.
    #[must_use]
    pub fn attachment(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// The id that it was given, if any.
    pub(crate) fn given_id(&self) -> Option<EnvelopeId> {
        self.envelope_id
    }

    /// Checks everything and computes the hashes.
    pub(crate) fn prepare(
        self,
        envelope_id: EnvelopeId,
        salt: PayloadSalt,
        now: RecordedAt,
    ) -> Result<(PreparedEnvelope, Vec<Attachment>), EventError> {
        let refs = self.attachments.iter().map(|attachment| attachment.reference().clone());
        let fields = EnvelopeFields {
            envelope_id,
            event_type: self.event_type.parse()?,
            actor_id: self.actor.parse()?,
            environment_id: self.environment.parse()?,
            claimed_time: self.claimed_time.unwrap_or_else(|| now.into()),
            trace_id: self.trace.map(|trace| trace.parse()).transpose()?,
            session_id: self.session.map(|session| session.parse()).transpose()?,
            parent_ids: ParentIds::sorted(self.parents)?,
            attachment_refs: AttachmentRefs::sorted(refs.collect())?,
        };
        let payload = CanonicalPayload::parse(&self.payload.map_err(EventError::Serialize)?)?;
        let payload = SaltedPayload { payload, salt };
        Ok((UnsealedEnvelope { fields, payload }.prepare(), self.attachments))
    }
}
