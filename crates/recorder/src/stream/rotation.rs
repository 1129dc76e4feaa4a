//! How a stream changes its key in one commit: the last seal and checkpoint by the old key, the event and the first
//! checkpoint by the new one (evidence format §10).

use recorder_core::hash::KeyId;
use recorder_envelope::envelope::{POSITION_MAX, PreparedEnvelope};
use recorder_envelope::rotation::{Rotation, RotationKind, RotationTerms};
use recorder_envelope::segment::SealReason;
use recorder_envelope::signing::SecretKey;
use recorder_store::{Corruption, Step};

use super::{Plan, Planner, StreamState};
use crate::error::AppendError;

/// Makes the rotation's envelope.
pub(crate) type MakeEvent<'a> =
    &'a dyn Fn(RotationKind, Vec<u8>) -> Result<PreparedEnvelope, AppendError>;

/// One rotation of one stream.
pub(crate) struct Turning<'a> {
    /// The key that ends, where it is at hand.
    pub(crate) old: Option<&'a SecretKey>,
    pub(crate) old_key_id: KeyId,
    pub(crate) new: &'a SecretKey,
    pub(crate) epoch: u64,
    pub(crate) reason: &'a str,
    /// The last envelope before, so that there is something to seal and the old key's public half is in the log.
    pub(crate) announcement: Option<PreparedEnvelope>,
    pub(crate) event: MakeEvent<'a>,
}

impl StreamState {
    /// Whether there is a segment that could be sealed.
    pub(crate) fn has_something_to_seal(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.envelope_count > 0)
    }

    /// Ends the old key with `before`, and begins the new one with `after`.
    ///
    /// Without the old key no checkpoint is signed at the seal: nobody could trust it there.
    pub(crate) fn plan_rotation<'k>(
        &mut self,
        turning: Turning<'k>,
        before: &mut Planner<'k>,
        after: &mut Planner<'k>,
        plan: &mut Plan,
    ) -> Result<RotationTerms, AppendError> {
        if self.next_position + 2 > POSITION_MAX {
            return Err(AppendError::StreamFull);
        }
        before.signer = Some(turning.old.unwrap_or(turning.new));
        after.signer = Some(turning.new);
        if let Some(announcement) = turning.announcement {
            if self.open.is_none() {
                self.plan_open(before, plan)?;
            }
            self.plan_one(announcement, before, plan);
        }
        if !self.plan_close(SealReason::KeyRotation, before, plan) {
            return Err(self.not_rotatable("there is nothing to seal"));
        }
        if turning.old.is_some() {
            self.plan_checkpoint(before, plan)?;
        }
        self.plan_open(after, plan)?;
        let Some(predecessor) = &self.predecessor else {
            return Err(self.not_rotatable("no segment is before it"));
        };
        let terms = RotationTerms {
            stream: self.stream.clone(),
            effective_position: self.next_position,
            epoch: turning.epoch,
            predecessor_seal_hash: predecessor.seal_hash,
            old_key_id: turning.old_key_id,
            new_key: turning.new.public_key(),
            reason: turning.reason.into(),
        };
        let rotation = match turning.old {
            Some(old) => Rotation::planned(terms.clone(), old, turning.new),
            None => Rotation::break_glass(terms.clone(), turning.new),
        };
        let rotation = rotation.map_err(|error| self.not_rotatable(&error.to_string()))?;
        let event = (turning.event)(rotation.kind(), rotation.to_canonical())?;
        self.plan_one(event, after, plan);
        self.plan_checkpoint(after, plan)?;
        Ok(terms)
    }

    /// What the caller has ruled out.
    fn not_rotatable(&self, detail: &str) -> AppendError {
        let place = format!("{}, key rotation", self.stream);
        AppendError::Corrupt(Corruption { place, detail: detail.to_owned() })
    }

    fn plan_one(&mut self, envelope: PreparedEnvelope, planner: &Planner<'_>, plan: &mut Plan) {
        let sealed = self.seal_envelopes(std::iter::once(envelope), planner, plan);
        plan.steps.push(Step::Append(std::sync::Arc::new(sealed)));
    }
}
