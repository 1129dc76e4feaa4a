//! What the recorder of a forged log was handed: envelopes before they were sealed, with numbers for names.

use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PayloadSalt, SaltedPayload, UnsealedEnvelope,
};
use recorder_envelope::json::{CanonicalPayload, to_canonical};
use serde_json::{Value, json};

/// The moment at which all forged logs begin: 2026-11-22T00:00:00Z, in seconds since 1970.
pub(crate) const BEGIN_SECONDS: i64 = 1_795_305_600;

/// A UUIDv7 that says what it names and which one.
fn id(kind: u8, number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&[0x01, 0x93, 0x6b, 0x2e, 0x7c, kind]);
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    bytes[12..].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
    bytes
}

/// The name of envelope `number`.
pub(crate) fn envelope_id(number: u64) -> EnvelopeId {
    EnvelopeId::from_bytes(id(0x0e, number)).unwrap()
}

/// The name of segment `number`.
pub(crate) fn segment_id(number: u64) -> SegmentId {
    SegmentId::from_bytes(id(0x05, number)).unwrap()
}

/// The stream of the forged logs.
pub(crate) fn stream() -> StreamId {
    StreamId { tenant_id: "acme".parse().unwrap(), recorder_id: "recorder-1".parse().unwrap() }
}

/// An attachment of plain text.
pub(crate) fn attachment(text: &str) -> Attachment {
    Attachment::new("text/plain".parse().unwrap(), text.as_bytes().to_vec()).unwrap()
}

/// One envelope before it is sealed.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) fields: EnvelopeFields,
    pub(crate) payload: Value,
    pub(crate) attachments: Vec<Attachment>,
    salt: u8,
}

impl Draft {
    /// Envelope `number`, an unremarkable tool call.
    pub(crate) fn new(number: u64) -> Self {
        let at = BEGIN_SECONDS + i64::try_from(number).unwrap();
        let fields = EnvelopeFields {
            envelope_id: envelope_id(number),
            event_type: "tool.call".parse().unwrap(),
            actor_id: "agent-7".parse().unwrap(),
            environment_id: "production".parse().unwrap(),
            claimed_time: UtcTimestamp::new(at, 0).unwrap(),
            trace_id: None,
            session_id: None,
            parent_ids: ParentIds::default(),
            attachment_refs: AttachmentRefs::default(),
        };
        let payload = json!({ "amount": 100 + number, "tool": "transfer" });
        Self { fields, payload, attachments: Vec::new(), salt: number as u8 }
    }

    /// The drafts of these numbers.
    pub(crate) fn range(numbers: std::ops::Range<u64>) -> Vec<Self> {
        numbers.map(Self::new).collect()
    }

    /// With this event type.
    pub(crate) fn event_type(mut self, event_type: &str) -> Self {
        self.fields.event_type = event_type.parse().unwrap();
        self
    }

    /// By this actor.
    pub(crate) fn actor(mut self, actor: &str) -> Self {
        self.fields.actor_id = actor.parse().unwrap();
        self
    }

    /// In this trace and session.
    pub(crate) fn within(mut self, trace: &str, session: &str) -> Self {
        self.fields.trace_id = Some(trace.parse().unwrap());
        self.fields.session_id = Some(session.parse().unwrap());
        self
    }

    /// With this payload.
    pub(crate) fn payload(mut self, payload: Value) -> Self {
        self.payload = payload;
        self
    }

    /// After the envelopes of these numbers.
    pub(crate) fn after(mut self, numbers: &[u64]) -> Self {
        let ids = numbers.iter().map(|number| envelope_id(*number)).collect();
        self.fields.parent_ids = ParentIds::sorted(ids).unwrap();
        self
    }

    /// With these attachments.
    pub(crate) fn attach(mut self, attachments: Vec<Attachment>) -> Self {
        let refs = attachments.iter().map(|attachment| attachment.reference().clone()).collect();
        self.fields.attachment_refs = AttachmentRefs::sorted(refs).unwrap();
        self.attachments = attachments;
        self
    }

    /// The envelope as the engine gets it.
    pub(crate) fn unsealed(self) -> UnsealedEnvelope {
        let payload = SaltedPayload {
            payload: canonical_payload(&self.payload),
            salt: PayloadSalt::from_bytes([self.salt; 16]),
        };
        UnsealedEnvelope { fields: self.fields, payload }
    }
}

/// A payload in its canonical form.
pub(crate) fn canonical_payload(payload: &Value) -> CanonicalPayload {
    CanonicalPayload::from_canonical(to_canonical(payload).unwrap()).unwrap()
}
