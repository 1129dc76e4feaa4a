//! Key rotations as drafts (evidence format §6): an event of the log that both keys vouch for.

use recorder_core::hash::SealHash;
use recorder_envelope::json::to_canonical;
use serde_json::{Value, json};

use super::draft::{Draft, stream};
use super::keys::Holder;

/// What a rotation event says, before anybody vouches for it.
#[derive(Clone, Copy)]
pub(crate) struct Rotation {
    pub(crate) old: Holder,
    pub(crate) new: Holder,
    pub(crate) epoch: u64,
    pub(crate) effective_position: u64,
}

impl Rotation {
    /// The payload, vouched for by both keys, after a segment with this seal.
    pub(crate) fn payload(self, before: SealHash) -> Value {
        self.vouched(self.members(before))
    }

    /// The payload of a break-glass rotation: only the new key vouches.
    pub(crate) fn break_glass_payload(self, before: SealHash) -> Value {
        let mut payload = self.members(before);
        let message = to_canonical(&payload).unwrap();
        payload["proof_new"] = json!(self.new.key().sign_rotation(&message));
        payload
    }

    /// These members with the proofs of both keys.
    pub(crate) fn vouched(self, mut payload: Value) -> Value {
        let message = to_canonical(&payload).unwrap();
        payload["proof_old"] = json!(self.old.key().sign_rotation(&message));
        payload["proof_new"] = json!(self.new.key().sign_rotation(&message));
        payload
    }

    /// What both keys sign.
    pub(crate) fn members(self, before: SealHash) -> Value {
        let (old, new) = (self.old.key(), self.new.key());
        let stream = stream();
        json!({
            "effective_position": self.effective_position,
            "epoch": self.epoch,
            "new_key_id": new.key_id(),
            "new_public_key": new.public_key().to_hex(),
            "old_key_id": old.key_id(),
            "predecessor_seal_hash": before,
            "reason": "scheduled",
            "recorder_id": stream.recorder_id,
            "tenant_id": stream.tenant_id,
        })
    }
}

/// The event that holds a payload.
pub(crate) fn event(number: u64, payload: Value) -> Draft {
    Draft::new(number).event_type("system.adapter.key_rotated").payload(payload)
}

/// The break-glass event that holds a payload.
pub(crate) fn break_glass_event(number: u64, payload: Value) -> Draft {
    Draft::new(number).event_type("system.adapter.key_rotated_break_glass").payload(payload)
}
