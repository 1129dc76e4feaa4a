//! The operator's trust root after a rotation: the old key signs no more, the new one begins where the old one ended.
//!
//! Deliberately absent: saying of a key that it is compromised, which is for people to judge.

use std::collections::BTreeSet;
use std::path::Path;

use recorder::Rotated;
use recorder_core::identity::StreamId;
use recorder_core::limits::TRUST_ROOT_BYTES_MAX;
use recorder_envelope::signing::PublicKey;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};
use recorder_fs::Access;

use crate::failure::Failure;

/// Reads a trust root.
///
/// # Errors
///
/// `Failure` where it cannot be read or is none.
pub(super) fn read(path: &Path) -> Result<TrustRoot, Failure> {
    let bytes = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)?;
    TrustRoot::parse(&bytes).map_err(Failure::TrustRoot)
}

/// Replaces a trust root in one step.
///
/// # Errors
///
/// `Failure`; the old file or the new one is then there.
pub(super) fn replace(path: &Path, root: &TrustRoot) -> Result<(), Failure> {
    let mut bytes = to_json(root)?;
    bytes.push(b'\n');
    Ok(recorder_fs::replace(path, &bytes, Access::Shared)?)
}

/// A trust root as JSON.
///
/// # Errors
///
/// None that a trust root gives.
pub(super) fn to_json(root: &TrustRoot) -> Result<Vec<u8>, Failure> {
    root.to_json().map_err(|error| Failure::Internal(error.to_string()))
}

/// The root with the new key in it, and the old ones ended; `None` where it says so already.
///
/// Where an entry names one stream, its positions are bounded by the rotation of that stream.
///
/// # Errors
///
/// None that a rotation gives.
pub(super) fn succeeded(
    root: &TrustRoot,
    new: &PublicKey,
    rotated: &[Rotated],
) -> Result<Option<TrustRoot>, Failure> {
    if root.key(&new.key_id()).is_some() {
        return Ok(None);
    }
    let ends = |key: &TrustedKey| rotated.iter().any(|it| it.old_key_id == key.key_id());
    let (mut keys, mut added) = (Vec::new(), None);
    for key in root.keys() {
        if !ends(key) {
            keys.push(key.clone());
            continue;
        }
        keys.push(ended(key, rotated)?);
        added = added.or(Some(begun(*new, key.streams().clone(), rotated)?));
    }
    let added = match added {
        Some(added) => added,
        None => entry(new, rotated)?,
    };
    keys.push(added);
    let policy = root.witness_policy().map(str::to_owned);
    TrustRoot::new(keys, policy).map(Some).map_err(internal)
}

/// What a trust root that never held the old key is to hold.
///
/// # Errors
///
/// None that a rotation gives.
pub(super) fn entry(new: &PublicKey, rotated: &[Rotated]) -> Result<TrustedKey, Failure> {
    let streams: BTreeSet<StreamId> = rotated.iter().map(|it| it.stream.clone()).collect();
    begun(*new, TrustedStreams::Named(streams), rotated)
}

/// Where the rotation of the only stream of an entry takes effect.
fn turn(streams: &TrustedStreams, rotated: &[Rotated]) -> Option<u64> {
    let TrustedStreams::Named(named) = streams else { return None };
    let only = named.first().filter(|_| named.len() == 1)?;
    rotated.iter().find(|it| it.stream == *only).map(|it| it.effective_position)
}

fn ended(key: &TrustedKey, rotated: &[Rotated]) -> Result<TrustedKey, Failure> {
    let status = match key.status() {
        KeyStatus::Active => KeyStatus::Retired,
        other => other,
    };
    let (from, until) = key.positions();
    let last = turn(key.streams(), rotated).and_then(|position| position.checked_sub(1));
    let until = match (until, last) {
        (Some(until), Some(last)) => Some(until.min(last)),
        (until, last) => until.or(last),
    };
    let ended = TrustedKey::new(*key.public_key(), key.streams().clone(), status);
    ended.and_then(|key| key.within(from, until)).map_err(internal)
}

fn begun(
    key: PublicKey,
    streams: TrustedStreams,
    rotated: &[Rotated],
) -> Result<TrustedKey, Failure> {
    let from = turn(&streams, rotated);
    let begun = TrustedKey::new(key, streams, KeyStatus::Active);
    begun.and_then(|key| key.within(from, None)).map_err(internal)
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal(error.to_string())
}
