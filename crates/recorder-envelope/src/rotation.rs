//! Key rotations: the event by which a stream's signing key changes, and who vouches for it (evidence format §10).
//!
//! What is signed names the stream, the position and the seal before it, so that a rotation holds at one place of one
//! history only. Reading one proves its form and the new key's consent; whether the old key was trusted there, in
//! force, and the event in its place, is the reader's to judge.

use recorder_core::hash::{KeyId, SealHash};
use recorder_core::identity::{RecorderId, StreamId, TenantId, is_forbidden};
use recorder_core::signature::Signature;
use serde::{Deserialize, Serialize};

use crate::envelope::POSITION_MAX;
use crate::json::JsonLimits;
use crate::signing::{PublicKey, PublicKeyError, SecretKey, SignatureError, rotation_message};
use crate::wire::{self, ObjectError};

/// Event type of a rotation that the old key vouches for.
pub const KEY_ROTATED: &str = "system.adapter.key_rotated";

/// Event type of a rotation without the old key, which is lost or leaked.
pub const KEY_ROTATED_BREAK_GLASS: &str = "system.adapter.key_rotated_break_glass";

/// Characters of the longest reason.
pub const REASON_CHARS_MAX: usize = 256;

/// Which of the two events a rotation is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RotationKind {
    /// The old key vouches.
    Planned,
    /// Only the new key does: it is trusted where the trust root names it.
    BreakGlass,
}

impl RotationKind {
    /// The kind that an event type stands for; `None` for every other event.
    pub fn of_event(event_type: &str) -> Option<Self> {
        match event_type {
            KEY_ROTATED => Some(Self::Planned),
            KEY_ROTATED_BREAK_GLASS => Some(Self::BreakGlass),
            _ => None,
        }
    }

    /// The event type.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Planned => KEY_ROTATED,
            Self::BreakGlass => KEY_ROTATED_BREAK_GLASS,
        }
    }
}

/// Why a payload is not a rotation.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Not the canonical form of the one object.
    #[error("not a rotation: {0}")]
    Form(#[from] ObjectError),
    /// The new public key is malformed or weak.
    #[error("the new key is refused")]
    NewKey(#[source] PublicKeyError),
    /// The new key id is not the SHA-256 of the new public key.
    #[error("the new key id is not that of the new public key")]
    NewKeyId,
    /// It rotates a key to itself.
    #[error("the old and the new key are the same")]
    SameKey,
    /// Epochs and positions begin at 1 here and end below 2^40.
    #[error("{member} is out of range")]
    Range {
        /// The member that holds it.
        member: &'static str,
    },
    /// The reason is empty, too long, or holds characters that cannot be seen.
    #[error("the reason is not 1 to 256 visible characters")]
    Reason,
    /// The event type asks for the old key's proof and there is none, or the other way round.
    #[error("the old key's proof does not fit the event type")]
    ProofOld,
    /// The new key's proof does not hold.
    #[error("the new key's proof does not hold")]
    ProofNew(#[source] SignatureError),
}

/// What a rotation says, and what both keys sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RotationTerms {
    /// The stream, which is no other.
    pub stream: StreamId,
    /// The position of the rotation's own envelope: the first that the new key vouches for.
    pub effective_position: u64,
    /// 1 for the first rotation of the stream, then one more each.
    pub epoch: u64,
    /// The hash of the seal just before.
    pub predecessor_seal_hash: SealHash,
    /// The key that ends.
    pub old_key_id: KeyId,
    /// The key that begins.
    pub new_key: PublicKey,
    /// Why, for people: 1 to 256 visible characters.
    pub reason: Box<str>,
}

/// A rotation that the new key consents to. The old key's proof, if it should have one, is there and unverified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rotation {
    terms: RotationTerms,
    proof_old: Option<Signature>,
    proof_new: Signature,
}

/// The payload as written; without its proofs, what is signed.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    effective_position: u64,
    epoch: u64,
    new_key_id: KeyId,
    new_public_key: Box<str>,
    old_key_id: KeyId,
    predecessor_seal_hash: SealHash,
    #[serde(default, deserialize_with = "wire::present", skip_serializing_if = "Option::is_none")]
    proof_new: Option<Signature>,
    #[serde(default, deserialize_with = "wire::present", skip_serializing_if = "Option::is_none")]
    proof_old: Option<Signature>,
    reason: Box<str>,
    recorder_id: RecorderId,
    tenant_id: TenantId,
}

impl RotationTerms {
    /// The canonical JSON that both keys sign, under the rotation prefix.
    pub fn to_canonical(&self) -> Vec<u8> {
        wire::canonical(&self.payload(None, None))
    }

    fn payload(&self, proof_old: Option<Signature>, proof_new: Option<Signature>) -> Payload {
        Payload {
            effective_position: self.effective_position,
            epoch: self.epoch,
            new_key_id: self.new_key.key_id(),
            new_public_key: self.new_key.to_hex().into(),
            old_key_id: self.old_key_id,
            predecessor_seal_hash: self.predecessor_seal_hash,
            proof_new,
            proof_old,
            reason: self.reason.clone(),
            recorder_id: self.stream.recorder_id.clone(),
            tenant_id: self.stream.tenant_id.clone(),
        }
    }

    fn check(&self) -> Result<(), RotationError> {
        if self.old_key_id == self.new_key.key_id() {
            return Err(RotationError::SameKey);
        }
        let in_range = |value: u64| (1..=POSITION_MAX).contains(&value);
        if !in_range(self.epoch) {
            return Err(RotationError::Range { member: "epoch" });
        }
        // A segment was sealed before it, and none is sealed empty.
        if !in_range(self.effective_position) {
            return Err(RotationError::Range { member: "effective_position" });
        }
        check_reason(&self.reason)
    }
}

/// Checks that a reason is 1 to 256 visible characters.
///
/// # Errors
///
/// `Reason` when it is not.
pub fn check_reason(reason: &str) -> Result<(), RotationError> {
    let blank = reason.trim().is_empty();
    if blank || reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(is_forbidden) {
        return Err(RotationError::Reason);
    }
    Ok(())
}

impl Rotation {
    /// Rotates from `old` to `new`, both of which vouch.
    ///
    /// # Errors
    ///
    /// `RotationError` where the terms are refused or name other keys than these.
    pub fn planned(
        terms: RotationTerms,
        old: &SecretKey,
        new: &SecretKey,
    ) -> Result<Self, RotationError> {
        if terms.old_key_id != old.key_id() {
            return Err(RotationError::ProofOld);
        }
        let proof_old = old.sign_rotation(&terms.to_canonical());
        Self::vouched(terms, Some(proof_old), new)
    }

    /// Rotates to `new` without the old key.
    ///
    /// # Errors
    ///
    /// As `planned`.
    pub fn break_glass(terms: RotationTerms, new: &SecretKey) -> Result<Self, RotationError> {
        Self::vouched(terms, None, new)
    }

    fn vouched(
        terms: RotationTerms,
        proof_old: Option<Signature>,
        new: &SecretKey,
    ) -> Result<Self, RotationError> {
        if terms.new_key != new.public_key() {
            return Err(RotationError::NewKeyId);
        }
        terms.check()?;
        let proof_new = new.sign_rotation(&terms.to_canonical());
        Ok(Self { terms, proof_old, proof_new })
    }

    /// Reads the canonical payload of an event of this kind and verifies the new key's proof.
    ///
    /// # Errors
    ///
    /// `RotationError`, by what is wrong first.
    pub fn parse(kind: RotationKind, canonical_payload: &[u8]) -> Result<Self, RotationError> {
        let payload: Payload = wire::from_canonical(canonical_payload, &JsonLimits::PAYLOAD)?;
        let new_key =
            PublicKey::from_hex(&payload.new_public_key).map_err(RotationError::NewKey)?;
        if new_key.key_id() != payload.new_key_id {
            return Err(RotationError::NewKeyId);
        }
        let terms = RotationTerms {
            stream: StreamId { tenant_id: payload.tenant_id, recorder_id: payload.recorder_id },
            effective_position: payload.effective_position,
            epoch: payload.epoch,
            predecessor_seal_hash: payload.predecessor_seal_hash,
            old_key_id: payload.old_key_id,
            new_key,
            reason: payload.reason,
        };
        terms.check()?;
        let proof_names_old = payload.proof_old.map(|proof| proof.key_id() == terms.old_key_id);
        if proof_names_old != (kind == RotationKind::Planned).then_some(true) {
            return Err(RotationError::ProofOld);
        }
        let proof_new =
            payload.proof_new.ok_or(RotationError::ProofNew(SignatureError::Invalid))?;
        terms
            .new_key
            .verify(&rotation_message(&terms.to_canonical()), &proof_new)
            .map_err(RotationError::ProofNew)?;
        Ok(Self { terms, proof_old: payload.proof_old, proof_new })
    }

    /// The payload of the event.
    pub fn to_canonical(&self) -> Vec<u8> {
        wire::canonical(&self.terms.payload(self.proof_old, Some(self.proof_new)))
    }

    /// Which event it is.
    pub fn kind(&self) -> RotationKind {
        match self.proof_old {
            Some(_) => RotationKind::Planned,
            None => RotationKind::BreakGlass,
        }
    }

    /// What it says.
    pub fn terms(&self) -> &RotationTerms {
        &self.terms
    }

    /// Verifies the old key's proof.
    ///
    /// # Errors
    ///
    /// `SignatureError` unless it is there and `old` made it.
    pub fn verify_old(&self, old: &PublicKey) -> Result<(), SignatureError> {
        let proof = self.proof_old.as_ref().ok_or(SignatureError::Invalid)?;
        old.verify(&rotation_message(&self.terms.to_canonical()), proof)
    }
}
