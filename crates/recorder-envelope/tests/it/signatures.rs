//! The published vectors under `docs/spec/vectors/signatures`, computed apart from this crate.

mod edge_cases;

use recorder_core::hash::{ChainHash, ContentHash, KeyId, SealHash, decode_hex};
use recorder_core::signature::Signature;
use recorder_envelope::dsse::{
    MANIFEST_PAYLOAD_TYPE, ManifestSignatures, pre_authentication_encoding, verify_manifest,
};
use recorder_envelope::signing::{
    PublicKey, PublicKeyError, SecretKey, envelope_message, rotation_message, seal_message,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Messages {
    key: Key,
    cases: Vec<MessageCase>,
}

#[derive(Deserialize)]
struct Key {
    seed: String,
    public_key: String,
    key_id: KeyId,
}

#[derive(Deserialize)]
struct MessageCase {
    #[serde(flatten)]
    subject: Subject,
    message: String,
    signature: Signature,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Subject {
    Envelope { content_hash: ContentHash, chain_hash: ChainHash },
    Seal { seal_hash: SealHash },
    Rotation { members: String },
    Manifest { manifest: String, dsse: String },
}

#[derive(Deserialize)]
struct PublicKeys {
    cases: Vec<PublicKeyCase>,
}

#[derive(Deserialize)]
struct PublicKeyCase {
    public_key: String,
    result: KeyOutcome,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum KeyOutcome {
    Valid,
    NotHex,
    NotAPoint,
    NotCanonical,
    Weak,
}

fn message_of(subject: &Subject) -> Vec<u8> {
    match subject {
        Subject::Envelope { content_hash, chain_hash } => {
            envelope_message(content_hash, chain_hash)
        }
        Subject::Seal { seal_hash } => seal_message(seal_hash),
        Subject::Rotation { members } => rotation_message(members.as_bytes()),
        Subject::Manifest { manifest, .. } => {
            pre_authentication_encoding(MANIFEST_PAYLOAD_TYPE, manifest.as_bytes())
        }
    }
}

#[test]
fn each_kind_of_signature_is_the_published_one() {
    let Messages { key, cases } = serde_json::from_str(include_str!(
        "../../../../docs/spec/vectors/signatures/messages.json"
    ))
    .unwrap();
    let secret_key = SecretKey::from_seed(&decode_hex(key.seed.as_bytes()).unwrap()).unwrap();
    let public_key = secret_key.public_key();
    assert_eq!((public_key.to_hex(), public_key.key_id()), (key.public_key, key.key_id));
    assert_eq!(cases.len(), 4);
    for MessageCase { subject, message, signature } in cases {
        let bytes = message_of(&subject);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, message);
        assert_eq!(&secret_key.sign(&bytes), signature.value());
        assert_eq!(public_key.verify(&bytes, &signature), Ok(()));
        let Subject::Manifest { manifest, dsse } = subject else { continue };
        let manifest = manifest.as_bytes();
        let signatures = ManifestSignatures::parse(dsse.as_bytes(), manifest).unwrap();
        assert_eq!(signatures.signatures(), [signature]);
        assert_eq!(verify_manifest(manifest, &public_key, &signature), Ok(()));
        assert_eq!(signatures.to_json(manifest).unwrap(), dsse.as_bytes());
    }
}

#[test]
fn public_keys_are_taken_or_refused_as_published() {
    let vectors: PublicKeys = serde_json::from_str(include_str!(
        "../../../../docs/spec/vectors/signatures/public-keys.json"
    ))
    .unwrap();
    assert!(vectors.cases.len() >= 18);
    for case in vectors.cases {
        let outcome = match PublicKey::from_hex(&case.public_key) {
            Ok(_) => KeyOutcome::Valid,
            Err(PublicKeyError::NotHex) => KeyOutcome::NotHex,
            Err(PublicKeyError::NotAPoint) => KeyOutcome::NotAPoint,
            Err(PublicKeyError::NotCanonical) => KeyOutcome::NotCanonical,
            Err(PublicKeyError::Weak) => KeyOutcome::Weak,
        };
        assert_eq!(outcome, case.result, "{}", case.public_key);
    }
}
