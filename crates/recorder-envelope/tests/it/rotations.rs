//! The published vectors of rotations, computed apart from this crate, and rotations that this crate makes.

use recorder_core::hash::SealHash;
use recorder_core::identity::StreamId;
use recorder_envelope::rotation::{Rotation, RotationError, RotationKind, RotationTerms};
use recorder_envelope::signing::SecretKey;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    event_type: String,
    payload: String,
    result: String,
    members: Option<String>,
}

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed(&[n; 32]).unwrap()
}

fn stream() -> StreamId {
    StreamId { tenant_id: "default".parse().unwrap(), recorder_id: "recorder-cli".parse().unwrap() }
}

fn terms(reason: &str) -> RotationTerms {
    RotationTerms {
        stream: stream(),
        effective_position: 3,
        epoch: 1,
        predecessor_seal_hash: SealHash::from_bytes([7; 32]),
        old_key_id: key(1).key_id(),
        new_key: key(2).public_key(),
        reason: reason.into(),
    }
}

fn rule(error: &RotationError) -> &'static str {
    match error {
        RotationError::Form(_) => "form",
        RotationError::NewKey(_) => "new_key",
        RotationError::NewKeyId => "new_key_id",
        RotationError::SameKey => "same_key",
        RotationError::Range { .. } => "range",
        RotationError::Reason => "reason",
        RotationError::ProofOld => "proof_old",
        RotationError::ProofNew(_) => "proof_new",
    }
}

#[test]
fn each_payload_is_read_as_published() {
    let Vectors { cases } = serde_json::from_str(include_str!(
        "../../../../docs/spec/vectors/signatures/rotations.json"
    ))
    .unwrap();
    for Case { event_type, payload, result, members } in cases {
        let kind = RotationKind::of_event(&event_type).unwrap();
        let read = Rotation::parse(kind, payload.as_bytes());
        let found = match &read {
            Err(error) => rule(error),
            Ok(rotation) if rotation.kind() == RotationKind::BreakGlass => "valid",
            Ok(rotation) if rotation.verify_old(&key(1).public_key()).is_ok() => "valid",
            Ok(_) => "old_key_refuses",
        };
        assert_eq!(found, result, "{payload}");
        let Ok(rotation) = read else { continue };
        assert_eq!(rotation.to_canonical(), payload.as_bytes());
        assert_eq!(rotation.kind(), kind);
        if let Some(members) = members {
            assert_eq!(rotation.terms().to_canonical(), members.as_bytes());
        }
    }
}

#[test]
fn what_is_made_is_read_back() {
    let planned = Rotation::planned(terms("scheduled"), &key(1), &key(2)).unwrap();
    let read = Rotation::parse(RotationKind::Planned, &planned.to_canonical()).unwrap();
    assert_eq!(read, planned);
    assert_eq!(read.verify_old(&key(1).public_key()), Ok(()));
    assert!(read.verify_old(&key(2).public_key()).is_err());
    let glass = Rotation::break_glass(terms("lost"), &key(2)).unwrap();
    let read = Rotation::parse(RotationKind::BreakGlass, &glass.to_canonical()).unwrap();
    assert_eq!(read, glass);
    assert!(read.verify_old(&key(1).public_key()).is_err());
}

#[test]
fn keys_that_the_terms_do_not_name_make_no_rotation() {
    let by_other = Rotation::planned(terms("scheduled"), &key(3), &key(2));
    assert!(matches!(by_other, Err(RotationError::ProofOld)));
    let to_other = Rotation::planned(terms("scheduled"), &key(1), &key(3));
    assert!(matches!(to_other, Err(RotationError::NewKeyId)));
    let blank = Rotation::break_glass(terms(" "), &key(2));
    assert!(matches!(blank, Err(RotationError::Reason)));
}

#[test]
fn only_two_event_types_are_rotations() {
    for kind in [RotationKind::Planned, RotationKind::BreakGlass] {
        assert_eq!(RotationKind::of_event(kind.event_type()), Some(kind));
    }
    for other in ["system.adapter.key_rotate", "system.adapter.key_rotated.x", "key_rotated", ""] {
        assert_eq!(RotationKind::of_event(other), None);
    }
}
