//! Key rotations: those that are followed, and what must not pass for one.

use recorder_core::hash::SealHash;
use recorder_core::signature::Signature;
use recorder_envelope::segment::{SealReason, SegmentGenesis, SigningPromise};
use recorder_verify::FindingCode as F;
use serde_json::{Value, json};

use super::case::{Case, whole};
use crate::forge::bundle::{Bundle, ManifestSigner, Members, Selection};
use crate::forge::draft::Draft;
use crate::forge::keys::Holder;
use crate::forge::log::Log;
use crate::forge::rotation::{Rotation, break_glass_event, event};

/// The rotation that most cases hold: at position 2, after a segment of two envelopes.
const FIRST: Rotation =
    Rotation { old: Holder::Recorder, new: Holder::RecorderNext, epoch: 1, effective_position: 2 };

/// The one after it, at position 3.
const SECOND: Rotation = Rotation {
    old: Holder::RecorderNext,
    new: Holder::RecorderLast,
    epoch: 2,
    effective_position: 3,
};

/// Somebody's segment of one envelope, which is a rotation.
struct Turn {
    signer: Holder,
    event: Box<dyn Fn(SealHash) -> Draft>,
}

impl Turn {
    fn new(signer: Holder, event: impl Fn(SealHash) -> Draft + 'static) -> Self {
        Self { signer, event: Box::new(event) }
    }

    /// By the rotation as it should be.
    fn honest(rotation: Rotation) -> Self {
        Self::new(rotation.new, move |before| {
            event(rotation.effective_position, rotation.payload(before))
        })
    }

    /// By the rotation with its members changed before both keys vouch for them.
    fn vouched(rotation: Rotation, change: impl Fn(&mut Value) + 'static) -> Self {
        Self::new(rotation.new, move |before| {
            let mut members = rotation.members(before);
            change(&mut members);
            event(rotation.effective_position, rotation.vouched(members))
        })
    }

    /// By the rotation with its payload changed after both keys vouched for it.
    fn edited(rotation: Rotation, change: impl Fn(&mut Value) + 'static) -> Self {
        Self::new(rotation.new, move |before| {
            let mut payload = rotation.payload(before);
            change(&mut payload);
            event(rotation.effective_position, payload)
        })
    }

    fn break_glass(rotation: Rotation) -> Self {
        Self::new(rotation.new, move |before| {
            break_glass_event(rotation.effective_position, rotation.break_glass_payload(before))
        })
    }
}

/// A log of two envelopes, and a segment for each turn, each signed by whose turn it is.
fn rotated(promise: SigningPromise, turns: Vec<Turn>) -> Log {
    let mut log = Log::new(promise);
    log.record(promise, Draft::range(0..2));
    let mut signers = vec![Holder::Recorder];
    for turn in turns {
        log.last_segment().seal.as_mut().unwrap().seal.reason = SealReason::KeyRotation;
        log.recompute_chain();
        let before = log.last_segment().seal.as_ref().unwrap().seal.hash();
        log.record(promise, vec![(turn.event)(before)]);
        signers.push(turn.signer);
    }
    sign(&mut log, &signers);
    log
}

/// Computes all hashes and signs each segment by its holder, all else by the last one.
fn sign(log: &mut Log, signers: &[Holder]) {
    log.recompute_chain();
    let last = *signers.last().unwrap();
    log.sign(&last.key());
    log.signer = Some(last);
    for (index, signer) in signers.iter().enumerate() {
        sign_segment(log, index, *signer);
    }
}

/// Changes the genesis of the second segment, and chains, seals and signs by the honest holders what follows.
fn relink(log: &mut Log, change: impl FnOnce(&mut SegmentGenesis)) {
    change(&mut log.segments[1].genesis);
    log.rechain(1);
    log.reseal(1);
    log.reroot();
    log.sign(&Holder::RecorderNext.key());
    sign_segment(log, 0, Holder::Recorder);
}

/// Signs one segment's seal and, where that is promised, its envelopes.
fn sign_segment(log: &mut Log, index: usize, signer: Holder) {
    let key = signer.key();
    let segment = &mut log.segments[index];
    if segment.genesis.signing == SigningPromise::Envelopes {
        for envelope in &mut segment.envelopes {
            let (content, chain) = (&envelope.content_hash, &envelope.chain_hash);
            envelope.signature = Some(key.sign_envelope(content, chain));
        }
    }
    let seal = segment.seal.as_mut().unwrap();
    seal.signature = Some(key.sign_seal(&seal.seal.hash()));
}

/// The bundle of a log with one turn, with signatures on seals and checkpoints.
fn one(turn: Turn) -> Members {
    whole(&rotated(SigningPromise::Checkpoints, vec![turn])).members()
}

/// The same with two turns.
fn two(first: Turn, second: Turn) -> Members {
    whole(&rotated(SigningPromise::Checkpoints, vec![first, second])).members()
}

/// A log with the honest rotation and an envelope after it, and a signature on each.
fn followed() -> Log {
    let promise = SigningPromise::Envelopes;
    let mut log = rotated(promise, vec![Turn::honest(FIRST)]);
    let position = log.positions();
    log.record(promise, vec![Draft::new(position)]);
    sign(&mut log, &[Holder::Recorder, Holder::RecorderNext, Holder::RecorderNext]);
    log
}

/// A log whose key was lost: the new one seals.
fn glass() -> Log {
    let mut log = rotated(SigningPromise::Checkpoints, vec![Turn::break_glass(FIRST)]);
    sign_segment(&mut log, 0, Holder::RecorderNext);
    log
}

/// A log of two segments before a break-glass rotation, all sealed by the new key.
fn glass_behind_a_segment() -> Log {
    let promise = SigningPromise::Checkpoints;
    let mut log = Log::new(promise);
    log.record(promise, Draft::range(0..2));
    log.record(promise, Draft::range(2..3));
    log.last_segment().seal.as_mut().unwrap().seal.reason = SealReason::KeyRotation;
    log.recompute_chain();
    let before = log.last_segment().seal.as_ref().unwrap().seal.hash();
    let late = Rotation { effective_position: 3, ..FIRST };
    log.record(promise, vec![break_glass_event(3, late.break_glass_payload(before))]);
    sign(&mut log, &[Holder::RecorderNext; 3]);
    log
}

/// A log with an envelope after its first rotation, in the same segment, and another rotation after that.
fn followed_within() -> Log {
    let promise = SigningPromise::Checkpoints;
    let mut log = rotated(promise, vec![Turn::honest(FIRST)]);
    log.segments.truncate(1);
    let before = log.last_segment().seal.as_ref().unwrap().seal.hash();
    log.record(promise, vec![event(2, FIRST.payload(before)), Draft::new(3)]);
    log.last_segment().seal.as_mut().unwrap().seal.reason = SealReason::KeyRotation;
    log.recompute_chain();
    let before = log.last_segment().seal.as_ref().unwrap().seal.hash();
    let second = Rotation { effective_position: 4, ..SECOND };
    log.record(promise, vec![event(4, second.payload(before))]);
    sign(&mut log, &[Holder::Recorder, Holder::RecorderNext, Holder::RecorderLast]);
    log
}

/// Bundles with rotations that must verify.
pub(crate) fn valid_cases() -> Vec<Case> {
    let of =
        |log: &Log, ranges: &[(u64, u64)]| Bundle::of(log, &Selection::positions(ranges)).members();
    vec![
        Case::valid(
            "rotated",
            "The signing key was rotated; the trust root names both keys.",
            &whole(&followed()).members(),
        )
        .trust(Some("recorder-rotated")),
        Case::valid(
            "rotation-followed",
            "The signing key was rotated; the trust root names the old key only.",
            &whole(&followed()).members(),
        ),
        Case::valid(
            "rotation-followed-twice",
            "The key that a rotation brought in was rotated again.",
            &two(Turn::honest(FIRST), Turn::honest(SECOND)),
        ),
        Case::valid(
            "rotation-without-the-segment-before",
            "The rotation is there, the segment before it is not; the old key's proof vouches.",
            &of(&followed(), &[(2, 4)]),
        ),
        Case::valid(
            "rotation-left-out",
            "The rotation is not in the bundle; the trust root names both keys.",
            &of(&followed(), &[(0, 2), (3, 4)]),
        )
        .trust(Some("recorder-rotated")),
        Case::valid(
            "rotation-seen-by-the-new-key-alone",
            "From the rotation on; the trust root names the new key only.",
            &of(&followed(), &[(2, 4)]),
        )
        .trust(Some("recorder-next")),
        Case::valid(
            "rotation-after-one-that-is-left-out",
            "Of two rotations the first is not in the bundle; the trust root names the key that it brought in.",
            &of(
                &rotated(SigningPromise::Checkpoints, vec![Turn::honest(FIRST), Turn::honest(SECOND)]),
                &[(0, 2), (3, 4)],
            ),
        )
        .trust(Some("recorder-rotated")),
        Case::valid(
            "rotation-after-one-that-is-withheld",
            "The payload of the first of two rotations is withheld; the trust root names the key that it brought in.",
            &Bundle::of(
                &rotated(
                    SigningPromise::Checkpoints,
                    vec![Turn::honest(FIRST), Turn::honest(SECOND)],
                ),
                &Selection::everything().without_payloads(&[2]),
            )
            .members(),
        )
        .trust(Some("recorder-rotated")),
        Case::valid(
            "rotation-after-one-of-whose-segment-the-rest-is-there",
            "The first of two rotations is left out, and the envelope after it is there.",
            &of(&followed_within(), &[(0, 2), (3, 5)]),
        )
        .trust(Some("recorder-rotated")),
        Case::valid(
            "rotation-break-glass-seen-alone",
            "From a break-glass rotation on; the trust root names the new key.",
            &of(&glass(), &[(2, 3)]),
        )
        .trust(Some("recorder-and-next")),
        Case::valid(
            "rotation-break-glass",
            "The old key was lost: the new one, which the trust root names, sealed.",
            &whole(&glass()).members(),
        )
        .trust(Some("recorder-and-next")),
        Case::valid(
            "rotation-break-glass-after-a-leak",
            "The old key leaked: it sealed a last time and vouches for nothing after that.",
            &one(Turn::break_glass(FIRST)),
        )
        .trust(Some("recorder-and-next")),
    ]
}

/// Every manipulation of rotations.
pub(crate) fn cases() -> Vec<Case> {
    [keys(), terms(), proofs(), places(), orders()].into_iter().flatten().collect()
}

/// Who signs what, where.
fn keys() -> Vec<Case> {
    let stolen = Rotation { new: Holder::Attacker, ..FIRST };
    let mut outdated = followed();
    sign_segment(&mut outdated, 2, Holder::Recorder);
    let mut early = followed();
    sign_segment(&mut early, 0, Holder::RecorderNext);
    early.segments[0].seal.clone_from(&followed().segments[0].seal);
    let mut checkpoint = followed();
    checkpoint.checkpoint = Some(followed().head().sign(&Holder::Recorder.key()).unwrap().render());
    let mut manifest = whole(&followed());
    manifest.signer = ManifestSigner::Key(Holder::Recorder);
    let unseen = Bundle::of(&followed(), &Selection::positions(&[(0, 2), (3, 4)]));
    let withheld = Bundle::of(&followed(), &Selection::everything().without_payloads(&[2]));
    let mut leaked = glass();
    sign_segment(&mut leaked, 1, Holder::Recorder);
    let third = Rotation {
        old: Holder::RecorderLast,
        new: Holder::OtherRecorder,
        epoch: 3,
        effective_position: 4,
    };
    let turns = [FIRST, SECOND, third].map(Turn::honest).into();
    let thrice = rotated(SigningPromise::Checkpoints, turns);
    vec![
        Case::reject(
            "new-key-seals-before-a-gap-and-a-break-glass-rotation",
            F::KeyNotForPosition,
            "The new key sealed, and between that seal and its break-glass rotation a segment is left out.",
            &Bundle::of(&glass_behind_a_segment(), &Selection::positions(&[(0, 2), (3, 4)])).members(),
        )
        .trust(Some("recorder-and-next")),
        Case::reject(
            "old-key-after-a-withheld-rotation",
            F::KeyNotForPosition,
            "The old key seals after a rotation of which the payload is withheld.",
            &Bundle::of(&outdated, &Selection::everything().without_payloads(&[2])).members(),
        ),
        Case::reject(
            "rotation-by-a-key-that-came-unseen",
            F::KeyUnknown,
            "Of three rotations the second is left out: nothing vouches for the key that the third one replaces.",
            &Bundle::of(&thrice, &Selection::positions(&[(0, 3), (4, 5)])).members(),
        ),
        Case::reject(
            "rotation-by-stolen-key",
            F::KeyCompromised,
            "A stolen key rotates to the attacker's; the trust root knows of the theft.",
            &one(Turn::honest(stolen)),
        )
        .trust(Some("recorder-compromised")),
        Case::reject(
            "rotation-break-glass-to-attacker",
            F::KeyUnknown,
            "A break-glass rotation brings in a key that the trust root does not name.",
            &one(Turn::break_glass(stolen)),
        ),
        Case::reject(
            "old-key-after-break-glass",
            F::KeyNotForPosition,
            "The old key seals after a break-glass rotation ended it.",
            &whole(&leaked).members(),
        )
        .trust(Some("recorder-and-next")),
        Case::reject(
            "old-key-after-rotation",
            F::KeyNotForPosition,
            "The old key, which the trust root does not bound, signs after it was rotated out.",
            &whole(&outdated).members(),
        ),
        Case::reject(
            "new-key-before-rotation",
            F::KeyNotForPosition,
            "The new key, which the trust root does not bound, signs what is before its rotation.",
            &whole(&early).members(),
        )
        .trust(Some("recorder-and-next")),
        Case::reject(
            "old-key-signs-checkpoint-after-rotation",
            F::KeyNotForPosition,
            "The old key signs a checkpoint over the rotation that ended it.",
            &whole(&checkpoint).members(),
        ),
        Case::reject(
            "old-key-signs-manifest-after-rotation",
            F::KeyNotForPosition,
            "The old key signs a manifest over the rotation that ended it.",
            &manifest.members(),
        ),
        Case::reject(
            "rotation-not-in-the-bundle",
            F::KeyUnknown,
            "The rotation is left out and the trust root names the old key only: nothing is guessed.",
            &unseen.members(),
        ),
        Case::reject(
            "rotation-payload-withheld",
            F::KeyUnknown,
            "The rotation's payload is withheld and the trust root names the old key only.",
            &withheld.members(),
        ),
    ]
}

/// What a rotation says.
fn terms() -> Vec<Case> {
    let reject =
        |name, description, turn| Case::reject(name, F::RotationInvalid, description, &one(turn));
    let vouched = |change: fn(&mut Value)| Turn::vouched(FIRST, change);
    vec![
        reject(
            "rotation-with-unknown-member",
            "A rotation holds a member that none has; both keys vouch for it.",
            vouched(|members| members["approved_by"] = "auditor".into()),
        ),
        reject(
            "rotation-without-reason",
            "A rotation lacks a member; both keys vouch for the others.",
            vouched(|members| {
                members.as_object_mut().unwrap().remove("reason");
            }),
        ),
        reject(
            "rotation-to-weak-key",
            "The new key is the neutral element, under which a signature proves nothing.",
            vouched(|members| members["new_public_key"] = format!("01{}", "0".repeat(62)).into()),
        ),
        reject(
            "rotation-with-another-key-id",
            "The new key id is not that of the new key.",
            vouched(|members| {
                members["new_key_id"] = json!(Holder::RecorderLast.key().key_id());
            }),
        ),
        reject(
            "rotation-backdated",
            "A rotation says that it was effective one envelope earlier.",
            vouched(|members| members["effective_position"] = 1.into()),
        ),
        reject(
            "rotation-postdated",
            "A rotation says that it becomes effective one envelope later.",
            vouched(|members| members["effective_position"] = 3.into()),
        ),
        reject(
            "rotation-of-another-stream",
            "A genuine rotation of another stream, whose key is trusted for all streams.",
            vouched(|members| members["tenant_id"] = "another".into()),
        )
        .trust(Some("recorder-everywhere")),
        reject(
            "rotation-of-another-history",
            "A genuine rotation of the same stream, after another segment than this one.",
            vouched(|members| members["predecessor_seal_hash"] = "5".repeat(64).into()),
        ),
        reject(
            "rotation-to-itself",
            "A key is rotated to itself.",
            Turn::honest(Rotation { new: Holder::Recorder, ..FIRST }),
        ),
    ]
}

/// Who vouches for a rotation.
fn proofs() -> Vec<Case> {
    let reject =
        |name, description, turn| Case::reject(name, F::RotationInvalid, description, &one(turn));
    let attacker = |holder: Holder, payload: &Value| {
        let value = Holder::Attacker.key().sign_rotation(payload.to_string().as_bytes());
        json!(Signature::new(holder.key().key_id(), *value.value()))
    };
    let by_attacker = Rotation { old: Holder::Attacker, new: Holder::Attacker, ..FIRST };
    let with_old_proof = Turn::new(FIRST.new, |before| break_glass_event(2, FIRST.payload(before)));
    vec![
        reject(
            "rotation-by-attacker",
            "The attacker's key, which was never in force, rotates to itself.",
            Turn::honest(Rotation { new: Holder::RecorderNext, ..by_attacker }),
        ),
        reject(
            "rotation-unsigned",
            "A rotation without any proof.",
            Turn::edited(FIRST, |payload| {
                payload.as_object_mut().unwrap().retain(|name, _| !name.starts_with("proof"));
            }),
        ),
        reject(
            "rotation-without-old-proof",
            "The old key does not vouch, and the rotation is not a break-glass one.",
            Turn::edited(FIRST, |payload| {
                payload.as_object_mut().unwrap().remove("proof_old");
            }),
        ),
        reject(
            "rotation-with-null-proof",
            "The old key's proof is null instead of absent.",
            Turn::edited(FIRST, |payload| payload["proof_old"] = Value::Null),
        ),
        reject(
            "rotation-with-forged-old-proof",
            "The attacker's signature stands under the old key's name.",
            Turn::edited(FIRST, move |payload| {
                payload["proof_old"] = attacker(Holder::Recorder, payload);
            }),
        ),
        reject(
            "rotation-with-forged-new-proof",
            "The attacker's signature stands under the new key's name.",
            Turn::edited(FIRST, move |payload| {
                payload["proof_new"] = attacker(Holder::RecorderNext, payload);
            }),
        ),
        reject(
            "rotation-edited",
            "The reason was edited after both keys vouched.",
            Turn::edited(FIRST, |payload| payload["reason"] = "unscheduled".into()),
        ),
        reject(
            "rotation-break-glass-with-old-proof",
            "A break-glass rotation bears the old key's proof.",
            with_old_proof,
        ),
    ]
}

/// Where a rotation stands.
fn places() -> Vec<Case> {
    let promise = SigningPromise::Checkpoints;
    let mut manual = rotated(promise, vec![Turn::honest(FIRST)]);
    // The payload names the seal that it follows, so the reason is changed before the rotation is made.
    manual.segments.truncate(1);
    manual.last_segment().seal.as_mut().unwrap().seal.reason = SealReason::Manual;
    manual.recompute_chain();
    let before = manual.last_segment().seal.as_ref().unwrap().seal.hash();
    manual.record(promise, vec![event(2, FIRST.payload(before))]);
    sign(&mut manual, &[Holder::Recorder, Holder::RecorderNext]);
    let mut second = rotated(promise, vec![]);
    second.last_segment().seal.as_mut().unwrap().seal.reason = SealReason::KeyRotation;
    second.recompute_chain();
    let before = second.last_segment().seal.as_ref().unwrap().seal.hash();
    let late = Rotation { effective_position: 3, ..FIRST };
    second.record(promise, vec![Draft::new(2), event(3, late.payload(before))]);
    sign(&mut second, &[Holder::Recorder, Holder::RecorderNext]);
    let mut behind = rotated(promise, vec![Turn::honest(FIRST)]);
    behind.segments.truncate(1);
    let again = Rotation { effective_position: 3, ..SECOND };
    let two = vec![event(2, FIRST.payload(before)), event(3, again.payload(before))];
    behind.record(promise, two);
    sign(&mut behind, &[Holder::Recorder, Holder::RecorderNext]);
    let first = Log::sealed(promise, vec![vec![event(0, FIRST.payload(before)), Draft::new(1)]]);
    let other = SealHash::from_bytes([0xee; 32]);
    let mut named_elsewhere = rotated(promise, vec![Turn::honest(FIRST)]);
    relink(&mut named_elsewhere, |genesis| genesis.predecessor.as_mut().unwrap().seal_hash = other);
    let elsewhere = Turn::vouched(FIRST, move |members| {
        members["predecessor_seal_hash"] = json!(other);
    });
    let mut both_elsewhere = rotated(promise, vec![elsewhere]);
    relink(&mut both_elsewhere, |genesis| genesis.predecessor.as_mut().unwrap().seal_hash = other);
    let mut displaced = rotated(promise, vec![Turn::honest(FIRST)]);
    relink(&mut displaced, |genesis| genesis.first_position += 1);
    let mut third_key = glass();
    sign_segment(&mut third_key, 0, Holder::RecorderLast);
    let mut sealed_by_new = rotated(promise, vec![Turn::honest(FIRST)]);
    sign_segment(&mut sealed_by_new, 0, Holder::RecorderNext);
    let reject = |name, description, log: &Log| {
        Case::reject(name, F::RotationInvalid, description, &whole(log).members())
    };
    vec![
        reject(
            "rotation-after-a-manual-seal",
            "The segment before the rotation was sealed for another reason.",
            &manual,
        ),
        reject("rotation-in-mid-segment", "The rotation is the second envelope.", &second),
        reject(
            "rotation-behind-a-rotation",
            "A segment begins with a rotation, and a second one follows at once.",
            &behind,
        ),
        reject("rotation-in-the-first-segment", "The rotation begins the stream.", &first),
        reject(
            "rotation-in-a-segment-that-names-another-seal",
            "The rotation names the seal before it, and its segment's genesis another one.",
            &named_elsewhere,
        ),
        reject(
            "rotation-after-another-seal-than-both-name",
            "The rotation and its segment's genesis name a seal that is not the one before them.",
            &both_elsewhere,
        ),
        reject(
            "rotation-in-a-segment-that-begins-later",
            "The genesis of the rotation's segment states a later first position.",
            &displaced,
        ),
        reject(
            "rotation-break-glass-after-a-seal-by-a-third-key",
            "The segment before a break-glass rotation is sealed by neither of its keys.",
            &third_key,
        ),
        reject(
            "rotation-after-a-seal-by-the-new-key",
            "The new key sealed the segment before its own rotation.",
            &sealed_by_new,
        )
        .trust(Some("recorder-and-next")),
    ]
}

/// What a rotation follows.
fn orders() -> Vec<Case> {
    let reject = |name, description, members: Members| {
        Case::reject(name, F::RotationInvalid, description, &members)
    };
    let outdated = Turn::honest(Rotation { old: Holder::Recorder, ..SECOND });
    let mut revived = rotated(SigningPromise::Checkpoints, vec![Turn::honest(FIRST), outdated]);
    sign_segment(&mut revived, 1, Holder::Recorder);
    let back = Rotation { new: Holder::Recorder, ..SECOND };
    let third = Rotation {
        old: Holder::RecorderLast,
        new: Holder::OtherRecorder,
        epoch: 1,
        effective_position: 4,
    };
    let turns = [FIRST, SECOND, third].map(Turn::honest).into();
    let falling = rotated(SigningPromise::Checkpoints, turns);
    vec![
        reject(
            "rotation-epoch-repeated-after-a-gap",
            "Of three rotations the second is left out, and the third says that it is the first.",
            Bundle::of(&falling, &Selection::positions(&[(0, 3), (4, 5)])).members(),
        ),
        reject(
            "rotation-epoch-skipped",
            "The first rotation says that it is the second.",
            one(Turn::honest(Rotation { epoch: 2, ..FIRST })),
        ),
        reject(
            "rotation-epoch-repeated",
            "The second rotation says that it is the first.",
            two(Turn::honest(FIRST), Turn::honest(Rotation { epoch: 1, ..SECOND })),
        ),
        reject(
            "rotation-by-outdated-key",
            "A key that was rotated out seals and rotates once more.",
            whole(&revived).members(),
        ),
        reject(
            "rotation-back",
            "The second rotation brings the first key back.",
            two(Turn::honest(FIRST), Turn::honest(back)),
        ),
    ]
}
