//! What a deployment decides about the mapping.

use recorder_core::identity::{ActorId, EnvironmentId, StreamId};
use recorder_envelope::adapter::{Policy, SaltKey};
use recorder_envelope::redaction::{RedactionPolicy, RedactionPolicyError, Redactor};
use serde::{Deserialize, Serialize};

use crate::bounds::Bounds;
use crate::render::{Fate, SHOW};
use crate::screen::LOG_BODY_REASON;

/// What becomes of the bodies of log records: free text, in which anything may stand.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogBody {
    /// Removed; what is left is its size and, with a redaction key, its digest.
    #[default]
    Digest,
    /// Shown, as far as the redaction policy finds no secret in it.
    Redact,
    /// Shown as it came, secrets included: what is in evidence cannot be taken back.
    Keep,
}

/// What becomes of log bodies.
pub(crate) fn body_fate(log_body: LogBody) -> Fate<'static> {
    match log_body {
        LogBody::Digest => Fate::Remove(LOG_BODY_REASON),
        LogBody::Redact => SHOW,
        LogBody::Keep => Fate::Raw,
    }
}

/// The redaction policy of the mapping, as it is written.
pub const REDACTION_POLICY: &[u8] = include_bytes!("redaction.json");

/// The redaction policy of the mapping.
///
/// # Errors
///
/// None that a test has not excluded: the policy is part of the program.
pub fn redaction_policy() -> Result<RedactionPolicy, RedactionPolicyError> {
    RedactionPolicy::parse(REDACTION_POLICY)
}

/// What stays the same from input to input.
#[derive(Debug)]
pub struct Settings {
    /// The stream that the envelopes are for; ids differ between streams.
    pub stream: StreamId,
    /// Who acted where neither agent nor service say so.
    pub actor_id: ActorId,
    /// Where it happened where the resource does not say so.
    pub environment_id: EnvironmentId,
    /// Makes salts and ids that follow from the input and that only its holder can foretell.
    pub salt_key: SaltKey,
    /// What is secret, and the key of the digests of what was removed.
    pub redactor: Redactor,
    /// What becomes of log bodies.
    pub log_body: LogBody,
    /// What a wrong record means.
    pub policy: Policy,
    /// What is admitted.
    pub bounds: Bounds,
}
