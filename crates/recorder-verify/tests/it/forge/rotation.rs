//! Key rotations as drafts (evidence format §6): an event of the log that both keys vouch for.

use recorder_envelope::json::to_canonical;
use serde_json::{Value, json};

use super::draft::Draft;
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
    /// The payload, vouched for by both keys.
    pub(crate) fn payload(self) -> Value {
        let mut payload = self.members();
        let message = to_canonical(&payload).unwrap();
        payload["proof_old"] = json!(self.old.key().sign_rotation(&message));
        payload["proof_new"] = json!(self.new.key().sign_rotation(&message));
        payload
    }

    /// The payload of a break-glass rotation: only the new key vouches.
    pub(crate) fn break_glass_payload(self) -> Value {
        let mut payload = self.members();
        let message = to_canonical(&payload).unwrap();
        payload["proof_new"] = json!(self.new.key().sign_rotation(&message));
        payload
    }

    /// The event that holds the payload.
    pub(crate) fn draft(self, number: u64) -> Draft {
        Draft::new(number).event_type("system.adapter.key_rotated").payload(self.payload())
    }

    fn members(self) -> Value {
        let (old, new) = (self.old.key(), self.new.key());
        json!({
            "effective_position": self.effective_position,
            "epoch": self.epoch,
            "new_key_id": new.key_id(),
            "new_public_key": new.public_key().to_hex(),
            "old_key_id": old.key_id(),
            "reason": "scheduled",
        })
    }
}
