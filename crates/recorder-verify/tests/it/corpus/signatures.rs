//! Signatures, keys, and promises of signatures.

use recorder_core::signature::{SIGNATURE_BYTES, Signature};
use recorder_envelope::bundle::layout;
use recorder_envelope::checkpoint::{Checkpoint, LOG_NAME_DEFAULT, origin};
use recorder_envelope::segment::SigningPromise;
use recorder_verify::FindingCode as F;
use serde_json::{Value, json};

use super::case::{Case, LINES, SEAL, replace, signed, signed_envelopes, whole};
use crate::forge::bundle::{ManifestSigner, Members, edit_json};
use crate::forge::draft::Draft;
use crate::forge::keys::Holder;
use crate::forge::log::Log;

/// Every manipulation of signatures.
pub(crate) fn cases() -> Vec<Case> {
    [stripped(), manifests(), checkpoints(), seals(), envelopes(), keys()]
        .into_iter()
        .flatten()
        .collect()
}

fn stripped() -> Vec<Case> {
    let mut manifest = whole(&signed());
    manifest.signer = ManifestSigner::Nobody;
    let mut checkpoint = whole(&signed());
    checkpoint.remove(layout::CHECKPOINT);
    let mut seal = whole(&signed());
    seal.edit_json(SEAL, |seal| seal["signature"] = Value::Null);
    let mut envelope = whole(&signed_envelopes());
    envelope.edit_lines(LINES, |lines| lines[1]["signature"] = Value::Null);
    let mut all = whole(&signed_envelopes());
    all.signer = ManifestSigner::Nobody;
    all.remove(layout::CHECKPOINT);
    all.edit_json(SEAL, |seal| seal["signature"] = Value::Null);
    all.edit_lines(LINES, |lines| {
        lines.iter_mut().for_each(|line| line["signature"] = Value::Null)
    });
    vec![
        Case::reject(
            "manifest-signature-stripped",
            F::ManifestSignatureMissing,
            "The manifest's signature was removed from a stream that promises signatures.",
            &manifest.members(),
        ),
        Case::reject(
            "checkpoint-stripped",
            F::CheckpointMissing,
            "The checkpoint was removed from a stream that promises one.",
            &checkpoint.members(),
        ),
        Case::reject(
            "seal-signature-stripped",
            F::SealSignatureMissing,
            "A seal's signature was removed from a stream that promises signatures.",
            &seal.members(),
        ),
        Case::reject(
            "envelope-signature-stripped",
            F::EnvelopeSignatureMissing,
            "An envelope's signature was removed from a stream that promises one on each.",
            &envelope.members(),
        ),
        Case::reject(
            "all-signatures-stripped",
            F::EnvelopeSignatureMissing,
            "Every signature was removed from a stream that promises them.",
            &all.members(),
        ),
        Case::reject(
            "all-signatures-stripped-without-trust-root",
            F::EnvelopeSignatureMissing,
            "Every signature was removed; even without a trust root the promise in the genesis tells.",
            &all.members(),
        )
        .trust(None),
    ]
}

/// `signed` with its DSSE envelope changed.
fn redsse(change: impl FnOnce(&mut Value)) -> Members {
    let mut members = whole(&signed()).members();
    edit_json(members.bytes_mut(layout::MANIFEST_DSSE), change);
    members
}

fn manifests() -> Vec<Case> {
    let flipped = redsse(|dsse| {
        let other =
            crate::forge::bundle::sign_manifest(b"{}", &ManifestSigner::Key(Holder::Recorder));
        let other: Value = serde_json::from_slice(&other.unwrap()).unwrap();
        dsse["signatures"] = other["signatures"].clone();
    });
    let mut attacker = whole(&signed());
    attacker.signer = ManifestSigner::Key(Holder::Attacker);
    let mut recounted = whole(&signed());
    recounted.signer = recounted.carried();
    recounted.manifest["selector"] = json!({ "positions": { "from": 0, "to": 3 } });
    vec![
        Case::reject(
            "manifest-signature-of-other-bytes",
            F::ManifestSignatureInvalid,
            "The manifest's signature was made over other bytes.",
            &flipped,
        ),
        Case::reject(
            "manifest-signature-of-another-type",
            F::ManifestSignatureMalformed,
            "The DSSE envelope names another payload type.",
            &redsse(|dsse| dsse["payloadType"] = "application/json".into()),
        ),
        Case::reject(
            "manifest-signature-of-another-payload",
            F::ManifestSignatureMalformed,
            "The DSSE envelope holds another manifest than the bundle.",
            &redsse(|dsse| dsse["payload"] = "e30=".into()),
        ),
        Case::reject(
            "manifest-signature-list-empty",
            F::ManifestSignatureMalformed,
            "The DSSE envelope holds no signature.",
            &redsse(|dsse| dsse["signatures"] = json!([])),
        ),
        Case::reject(
            "manifest-signature-with-unknown-member",
            F::ManifestSignatureMalformed,
            "The DSSE envelope holds a member that none has.",
            &redsse(|dsse| dsse["comment"] = "approved".into()),
        ),
        Case::reject(
            "manifest-signature-not-canonical",
            F::ManifestSignatureMalformed,
            "The DSSE envelope ends with a line feed.",
            &{
                let mut members = whole(&signed()).members();
                members.bytes_mut(layout::MANIFEST_DSSE).push(b'\n');
                members
            },
        ),
        Case::reject(
            "manifest-signed-by-unknown-key",
            F::KeyUnknown,
            "The manifest is signed by a key that the trust root does not hold.",
            &attacker.members(),
        ),
        Case::reject(
            "selector-edited",
            F::ManifestSignatureInvalid,
            "The selector was replaced and the bundle named anew; the old signature was kept.",
            &recounted.members(),
        ),
    ]
}

/// `signed` with another checkpoint, the manifest restated and signed.
fn with_checkpoint(checkpoint: String) -> Members {
    let mut bundle = whole(&signed());
    *bundle.bytes_mut(layout::CHECKPOINT) = checkpoint.into_bytes();
    bundle.members()
}

fn checkpoints() -> Vec<Case> {
    let log = signed();
    let text = log.checkpoint.clone().unwrap();
    let (body, lines) = text.split_once("\n\n").unwrap();
    let key = Holder::Recorder.key();
    let mut other = log.stream.clone();
    other.tenant_id = "another".parse().unwrap();
    let elsewhere =
        Checkpoint::new(origin(LOG_NAME_DEFAULT, &other), log.tree_size, log.root).unwrap();
    let two = Log::sealed(SigningPromise::Checkpoints, vec![Draft::range(0..2)]);
    let moved = log.clone().checkpoint.unwrap().replacen("\n3\n", "\n4\n", 1);
    vec![
        Case::reject(
            "checkpoint-signature-of-another-size",
            F::CheckpointSignatureInvalid,
            "The checkpoint's size was edited; its signature was kept.",
            &with_checkpoint(moved),
        ),
        Case::reject(
            "checkpoint-of-another-stream",
            F::CheckpointOrigin,
            "The checkpoint is of another tenant's log, signed by the same key.",
            &with_checkpoint(elsewhere.sign(&key).unwrap().render()),
        ),
        Case::reject(
            "checkpoint-of-another-size",
            F::CheckpointMismatch,
            "The checkpoint is a genuine one of the log when it was shorter.",
            &with_checkpoint(two.checkpoint.unwrap()),
        ),
        Case::reject(
            "checkpoint-by-unknown-key",
            F::KeyUnknown,
            "The checkpoint is signed by a key that the trust root does not hold.",
            &with_checkpoint(log.head().sign(&Holder::Attacker.key()).unwrap().render()),
        ),
        Case::reject(
            "checkpoint-with-extension",
            F::CheckpointMalformed,
            "The checkpoint has an extension line.",
            &with_checkpoint(format!("{body}\nextension\n\n{lines}")),
        ),
        Case::reject(
            "checkpoint-with-leading-zero",
            F::CheckpointMalformed,
            "The checkpoint's size has a leading zero.",
            &with_checkpoint(text.replacen("\n3\n", "\n03\n", 1)),
        ),
        Case::reject(
            "checkpoint-without-signature-line",
            F::CheckpointMalformed,
            "The checkpoint has no signature line.",
            &with_checkpoint(format!("{body}\n\n")),
        ),
        Case::reject(
            "checkpoint-with-bytes-after-it",
            F::CheckpointMalformed,
            "Text follows the checkpoint's last signature line.",
            &with_checkpoint(format!("{text}approved")),
        ),
    ]
}

/// The group order, little-endian: adding it to `S` gives another spelling of the same signature.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The signature with `S + L` for `S`.
fn malleated(signature: &Signature) -> Signature {
    let mut value: [u8; SIGNATURE_BYTES] = *signature.value();
    let mut carry = 0;
    for (byte, add) in value[32..].iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    Signature::new(signature.key_id(), value)
}

/// `signed` with another signature on its seal.
fn with_seal_signature(signature: Signature) -> Members {
    let mut bundle = whole(&signed());
    bundle.edit_json(SEAL, |seal| seal["signature"] = json!(signature));
    bundle.members()
}

fn seals() -> Vec<Case> {
    let log = signed();
    let seal = log.segments[0].seal.as_ref().unwrap();
    let genuine = seal.signature.unwrap();
    let envelope = &log.segments[0].envelopes[2];
    let key = Holder::Recorder.key();
    vec![
        Case::reject(
            "seal-signature-of-an-envelope",
            F::SealSignatureInvalid,
            "The signature of an envelope stands on the seal.",
            &with_seal_signature(key.sign_envelope(&envelope.content_hash, &envelope.chain_hash)),
        ),
        Case::reject(
            "seal-signature-malleated",
            F::SealSignatureInvalid,
            "The group order was added to the second half of a genuine signature.",
            &with_seal_signature(malleated(&genuine)),
        ),
        Case::reject(
            "seal-signed-by-unknown-key",
            F::KeyUnknown,
            "A seal is signed by a key that the trust root does not hold.",
            &with_seal_signature(Holder::Attacker.key().sign_seal(&seal.seal.hash())),
        ),
        Case::reject(
            "seal-signed-by-unknown-key-under-a-known-name",
            F::SealSignatureInvalid,
            "A seal is signed by the attacker's key and names the recorder's.",
            &with_seal_signature(Signature::new(
                key.key_id(),
                *Holder::Attacker.key().sign_seal(&seal.seal.hash()).value(),
            )),
        ),
    ]
}

/// `signed_envelopes` with its lines changed.
fn resigned(change: impl FnOnce(&mut Vec<Value>)) -> Members {
    let mut bundle = whole(&signed_envelopes());
    bundle.edit_lines(LINES, change);
    bundle.members()
}

fn envelopes() -> Vec<Case> {
    let mut truncated = whole(&signed_envelopes());
    let value = signed_envelopes().envelope(1).signature.unwrap().value_hex();
    replace(truncated.bytes_mut(LINES), &value, &value[..126]);
    let log = signed_envelopes();
    let envelope = &log.segments[0].envelopes[1];
    let stranger = Holder::Attacker.key();
    let strangers = stranger.sign_envelope(&envelope.content_hash, &envelope.chain_hash);
    vec![
        Case::reject(
            "envelope-signatures-exchanged",
            F::EnvelopeSignatureInvalid,
            "Two envelopes exchanged signatures.",
            &resigned(|lines| {
                let first = lines[0]["signature"].take();
                lines[0]["signature"] = lines[1]["signature"].take();
                lines[1]["signature"] = first;
            }),
        ),
        Case::reject(
            "envelope-signature-of-another-algorithm",
            F::LineMalformed,
            "A signature names an algorithm that does not exist here.",
            &resigned(|lines| lines[1]["signature"]["algorithm"] = "none".into()),
        ),
        Case::reject(
            "envelope-signature-truncated",
            F::LineMalformed,
            "A signature lacks its last byte.",
            &truncated.members(),
        ),
        Case::reject(
            "envelope-signed-by-a-stranger",
            F::KeyUnknown,
            "One envelope is signed by a key that the trust root does not name.",
            &resigned(|lines| lines[1]["signature"] = json!(strangers)),
        ),
    ]
}

fn keys() -> Vec<Case> {
    let all = whole(&signed_envelopes()).members();
    vec![
        Case::reject(
            "key-of-another-stream",
            F::KeyNotForStream,
            "The trust root holds the key for another stream.",
            &all,
        )
        .trust(Some("recorder-of-another-stream")),
        Case::reject(
            "key-before-its-first-position",
            F::KeyNotForPosition,
            "The trust root trusts the key from position 2 on.",
            &all,
        )
        .trust(Some("recorder-from-2")),
        Case::reject(
            "key-after-its-last-position",
            F::KeyNotForPosition,
            "The trust root trusts the key up to position 1.",
            &all,
        )
        .trust(Some("recorder-until-1")),
        Case::reject(
            "key-compromised",
            F::KeyCompromised,
            "The trust root says that the key is in other hands.",
            &all,
        )
        .trust(Some("recorder-compromised")),
    ]
}
