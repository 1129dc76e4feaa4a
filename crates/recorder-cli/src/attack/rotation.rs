//! Key rotations that never took place, put into a bundle where the last segment begins.

use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::rotation::{Rotation, RotationTerms};
use recorder_envelope::segment::SealReason;
use recorder_envelope::signing::SecretKey;

use super::forgery::{Forgery, ForgeryError};

/// Makes the first event of the last segment a rotation to `new`, vouched for by `old` where it is there, and has
/// everything before and after it fit. `edit` changes what both keys sign.
pub(super) fn put(
    forgery: &mut Forgery,
    old: Option<&SecretKey>,
    new: &SecretKey,
    edit: fn(&mut RotationTerms),
) -> Result<(), ForgeryError> {
    seal_for_rotation(forgery)?;
    forgery.rehash();
    let mut terms = terms(forgery, new)?;
    edit(&mut terms);
    let rotation = match old {
        Some(old) => Rotation::planned(terms, old, new),
        None => Rotation::break_glass(terms, new),
    };
    let rotation = rotation.map_err(ForgeryError::new)?;
    let last = forgery.segments.last_mut().and_then(|segment| segment.envelopes.first_mut());
    let first = last.ok_or(ForgeryError::Absent("there is no event"))?;
    first.fields.event_type = rotation.kind().event_type().parse().map_err(ForgeryError::new)?;
    let salted = first.payload.as_mut().ok_or(ForgeryError::Absent("the payload is withheld"))?;
    salted.payload =
        CanonicalPayload::from_canonical(rotation.to_canonical()).map_err(ForgeryError::new)?;
    forgery.rehash();
    forgery.prune();
    Ok(())
}

/// The segment before the last says that it was sealed for a rotation.
fn seal_for_rotation(forgery: &mut Forgery) -> Result<(), ForgeryError> {
    let [.., before, _] = forgery.segments.as_mut_slice() else {
        return Err(ForgeryError::Absent("there is one segment only"));
    };
    let signed = before.seal.as_mut().ok_or(ForgeryError::Absent("no seal is there"))?;
    signed.seal.reason = SealReason::KeyRotation;
    Ok(())
}

/// What an honest rotation would say there.
fn terms(forgery: &Forgery, new: &SecretKey) -> Result<RotationTerms, ForgeryError> {
    let [.., before, after] = forgery.segments.as_slice() else {
        return Err(ForgeryError::Absent("there is one segment only"));
    };
    let signed = before.seal.as_ref().ok_or(ForgeryError::Absent("no seal is there"))?;
    let old = signed.signature.ok_or(ForgeryError::Absent("no seal is signed"))?;
    Ok(RotationTerms {
        stream: after.genesis.stream.clone(),
        effective_position: after.genesis.first_position,
        epoch: 1,
        predecessor_seal_hash: signed.seal.hash(),
        old_key_id: old.key_id(),
        new_key: new.public_key(),
        reason: "scheduled".into(),
    })
}
