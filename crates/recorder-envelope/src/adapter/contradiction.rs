//! A record that is refused because of what is recorded already: the envelope that says so.
//!
//! It shows neither content, only the hash of the one that was refused. The same contradiction is the same envelope,
//! however often it comes. Deliberately absent: finding contradictions, which needs a store.

use recorder_core::hash::ContentHash;
use recorder_core::identity::{
    ActorId, AdapterId, EnvelopeId, EnvironmentId, EventType, IdentityError, StreamId,
};
use recorder_core::time::UtcTimestamp;

use super::identifier::EnvelopeIds;
use super::key::SaltKey;
use crate::attachment::AttachmentRefs;
use crate::envelope::{EnvelopeFields, ParentIds, SaltedPayload, UnsealedEnvelope};
use crate::json::{CanonicalPayload, JsonError, ObjectWriter};

/// Names the ids of contradictions.
const ADAPTER_ID: &str = "recorder_ingest";
const MAPPING_VERSION: &str = "recorder_ingest_v1";

/// What the envelope of a contradiction is called.
const EVENT_TYPE: &str = "system.ingest.anomaly";

/// An event of an input that cannot be recorded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contradiction {
    /// Under its id something else is recorded.
    Recorded {
        /// The id of both.
        envelope_id: EnvelopeId,
        /// Of the one that was refused.
        content_hash: ContentHash,
    },
    /// Its event type is one that the recorder keeps for itself.
    Reserved {
        /// The id that it would have had.
        envelope_id: EnvelopeId,
    },
}

/// The envelope of a contradiction cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ContradictionError {
    /// The recorder has a name that no actor can have.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The payload is none.
    #[error(transparent)]
    Payload(#[from] JsonError),
}

impl Contradiction {
    /// The stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Recorded { .. } => "envelope_conflict",
            Self::Reserved { .. } => "event_type_reserved",
        }
    }

    /// What is wrong, for people.
    pub fn detail(&self) -> String {
        match self {
            Self::Recorded { envelope_id, .. } => {
                format!("envelope {envelope_id} is recorded with other content")
            }
            Self::Reserved { .. } => "its event type is reserved".to_owned(),
        }
    }

    /// The envelope that says so, for `stream`.
    ///
    /// # Errors
    ///
    /// `ContradictionError`.
    pub fn envelope(
        &self,
        stream: &StreamId,
        salt_key: &SaltKey,
    ) -> Result<UnsealedEnvelope, ContradictionError> {
        let (refused, hash) = match self {
            Self::Recorded { envelope_id, content_hash } => {
                (envelope_id, Some(content_hash.to_string()))
            }
            Self::Reserved { envelope_id } => (envelope_id, None),
        };
        let (refused, hash) = (refused.to_string(), hash.as_deref());
        let claimed_time = UtcTimestamp::EPOCH;
        let mut ids = EnvelopeIds::new(&AdapterId::new(ADAPTER_ID)?, MAPPING_VERSION, stream);
        let envelope_id = ids.derive(claimed_time, |key| {
            key.string("code", self.code()).string_or_null("content_hash", hash);
            key.string("envelope_id", &refused);
        });
        let mut payload = Vec::new();
        let mut object = ObjectWriter::new(&mut payload);
        object.string("code", self.code()).string_or_null("content_hash", hash);
        object.string("detail", &self.detail()).string("envelope_id", &refused);
        object.finish();
        let payload = CanonicalPayload::from_canonical(payload)?;
        let fields = EnvelopeFields {
            envelope_id,
            event_type: EventType::new(EVENT_TYPE)?,
            actor_id: ActorId::new(stream.recorder_id.as_str())?,
            environment_id: EnvironmentId::new("ingest")?,
            claimed_time,
            trace_id: None,
            session_id: None,
            parent_ids: ParentIds::default(),
            attachment_refs: AttachmentRefs::default(),
        };
        let salt = salt_key.salt(&envelope_id);
        Ok(UnsealedEnvelope { fields, payload: SaltedPayload { payload, salt } })
    }
}
