//! The unsealed envelope as JSON, the way a producer sends it (evidence format §3).
//!
//! Unknown members are refused, and so are duplicates. What a producer may leave out is filled from
//! arguments, so that no clock and no randomness is read here.

use recorder_core::identity::{ActorId, EnvelopeId, EnvironmentId, EventType, SessionId, TraceId};
use recorder_core::time::UtcTimestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::attachment::{AttachmentError, AttachmentRef, AttachmentRefs};
use crate::envelope::{
    EnvelopeFields, ParentIds, ParentIdsError, PayloadSalt, SCHEMA_VERSION, SaltedPayload,
    UnsealedEnvelope,
};
use crate::json::{CanonicalPayload, JsonError};

/// Why a draft was refused.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// Not JSON, not an object, an unknown or repeated member, or a member of the wrong shape.
    #[error("envelope is not of the expected form: {0}")]
    Form(#[source] serde_json::Error),
    /// The payload breaks a rule of I-JSON or of the format.
    #[error("payload: {0}")]
    Payload(#[source] JsonError),
    /// The schema version is not 1.
    #[error("schema_version is {found}; this recorder takes {SCHEMA_VERSION}")]
    SchemaVersion {
        /// The version that the draft names.
        found: u64,
    },
    /// The parents break a rule.
    #[error("parent_ids: {0}")]
    ParentIds(#[source] ParentIdsError),
    /// The attachment references break a rule.
    #[error("attachment_refs: {0}")]
    AttachmentRefs(#[source] AttachmentError),
}

/// An unsealed envelope as sent: borrowed from the request's bytes, its payload not yet read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft<'a> {
    /// 1, or absent.
    pub schema_version: Option<u64>,
    /// The envelope's name; the recorder makes one when it is absent.
    pub envelope_id: Option<EnvelopeId>,
    /// What happened.
    pub event_type: EventType,
    /// Who acted.
    pub actor_id: ActorId,
    /// Where.
    pub environment_id: EnvironmentId,
    /// When; the recorder's own time when it is absent.
    pub claimed_time: Option<UtcTimestamp>,
    /// The trace.
    pub trace_id: Option<TraceId>,
    /// The session.
    pub session_id: Option<SessionId>,
    /// What it follows from, in any order.
    #[serde(default)]
    pub parent_ids: Vec<EnvelopeId>,
    /// The payload, a JSON object.
    #[serde(borrow)]
    pub payload: &'a RawValue,
    /// The payload's salt; random when it is absent.
    pub payload_salt: Option<PayloadSalt>,
    /// References to attachments that are stored already or come with the envelope, in any order.
    #[serde(default)]
    pub attachment_refs: Vec<AttachmentRef>,
}

/// What stands in for members that a draft leaves out.
pub struct DraftDefaults<'a> {
    /// Makes a fresh envelope id.
    pub envelope_id: &'a mut dyn FnMut() -> EnvelopeId,
    /// Makes a fresh salt.
    pub payload_salt: &'a mut dyn FnMut() -> PayloadSalt,
    /// Tells the time.
    pub claimed_time: &'a mut dyn FnMut() -> UtcTimestamp,
}

impl<'a> Draft<'a> {
    /// Reads one draft from the bytes of a JSON object.
    ///
    /// # Errors
    ///
    /// `Form` when the bytes are not such an object.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DraftError> {
        serde_json::from_slice(bytes).map_err(DraftError::Form)
    }

    /// Checks everything that the JSON shape could not say and fills what was left out.
    ///
    /// # Errors
    ///
    /// `DraftError` names the member that breaks a rule.
    pub fn complete(
        self,
        defaults: &mut DraftDefaults<'_>,
    ) -> Result<UnsealedEnvelope, DraftError> {
        let found = self.schema_version.unwrap_or(SCHEMA_VERSION);
        if found != SCHEMA_VERSION {
            return Err(DraftError::SchemaVersion { found });
        }
        let payload =
            CanonicalPayload::parse(self.payload.get().as_bytes()).map_err(DraftError::Payload)?;
        let salt = self.payload_salt.unwrap_or_else(&mut *defaults.payload_salt);
        let fields = EnvelopeFields {
            envelope_id: self.envelope_id.unwrap_or_else(&mut *defaults.envelope_id),
            event_type: self.event_type,
            actor_id: self.actor_id,
            environment_id: self.environment_id,
            claimed_time: self.claimed_time.unwrap_or_else(&mut *defaults.claimed_time),
            trace_id: self.trace_id,
            session_id: self.session_id,
            parent_ids: ParentIds::sorted(self.parent_ids).map_err(DraftError::ParentIds)?,
            attachment_refs: AttachmentRefs::sorted(self.attachment_refs)
                .map_err(DraftError::AttachmentRefs)?,
        };
        Ok(UnsealedEnvelope { fields, payload: SaltedPayload { payload, salt } })
    }
}
