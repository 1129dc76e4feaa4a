//! DSSE v1: the signature beside a bundle's manifest, over its exact bytes (evidence format §6).
//!
//! Narrower than DSSE on purpose: one payload type, standard base64 in its one spelling, key ids
//! that are ours, and a payload that must be the manifest at hand. So there is never a second
//! manifest to choose from, and nothing in the envelope is read that the signature does not cover.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recorder_core::hash::KeyId;
use recorder_core::signature::{SIGNATURE_BYTES, Signature};
use serde::{Deserialize, Serialize};

use crate::json::{JsonLimits, StrictError, ToCanonicalError, from_strict, to_canonical};
use crate::signing::{PublicKey, SecretKey, SignatureError};

/// The payload type of a manifest, which is part of what is signed.
pub const MANIFEST_PAYLOAD_TYPE: &str = "application/vnd.recorder.manifest+json";

/// Signatures in one envelope: as many as on a note.
pub const DSSE_SIGNATURES_MAX: usize = 16;

// Some 200 bytes a signature; the rest is room for other spellings of the same JSON.
const SIGNATURES_BYTES_MAX: usize = 16 << 10;

/// Why bytes are not the DSSE envelope of a manifest.
#[derive(Debug, thiserror::Error)]
pub enum DsseError {
    /// Not strict JSON of the one shape.
    #[error("not a DSSE envelope")]
    Json(#[source] StrictError),
    /// Another payload type.
    #[error("the payload type is not {MANIFEST_PAYLOAD_TYPE}")]
    PayloadType,
    /// The payload is not the manifest, or not in canonical base64.
    #[error("the payload is not the manifest")]
    PayloadMismatch,
    /// No signature, or more than `DSSE_SIGNATURES_MAX`.
    #[error("an envelope has 1 to {DSSE_SIGNATURES_MAX} signatures, found {found}")]
    SignatureCount {
        /// How many there are.
        found: usize,
    },
    /// A signature is not 64 bytes in canonical base64.
    #[error("signature {index} is not 64 bytes in base64")]
    Signature {
        /// Counted from 0.
        index: usize,
    },
    /// One key signs twice.
    #[error("key {key_id} signs twice")]
    DuplicateKey {
        /// The key.
        key_id: KeyId,
    },
}

/// The pre-authentication encoding: what a DSSE signature signs.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The signatures on one manifest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManifestSignatures(Vec<Signature>);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: KeyId,
    sig: String,
}

impl ManifestSignatures {
    /// Signs the manifest's bytes.
    pub fn sign(manifest: &[u8], key: &SecretKey) -> Self {
        let message = pre_authentication_encoding(MANIFEST_PAYLOAD_TYPE, manifest);
        Self(vec![Signature::new(key.key_id(), key.sign(&message))])
    }

    /// Reads the envelope that lies beside `manifest`. No signature is verified yet.
    ///
    /// # Errors
    ///
    /// `DsseError`, by what is wrong first.
    pub fn parse(envelope: &[u8], manifest: &[u8]) -> Result<Self, DsseError> {
        let payload = STANDARD.encode(manifest);
        let limits = JsonLimits {
            input_bytes_max: payload.len() + SIGNATURES_BYTES_MAX,
            depth_max: 3,
            nodes_max: 4 + 3 * (DSSE_SIGNATURES_MAX + 1),
        };
        let envelope: Envelope = from_strict(envelope, &limits).map_err(DsseError::Json)?;
        if envelope.payload_type != MANIFEST_PAYLOAD_TYPE {
            return Err(DsseError::PayloadType);
        }
        if envelope.payload != payload {
            return Err(DsseError::PayloadMismatch);
        }
        read_signatures(&envelope.signatures).map(Self)
    }

    /// The envelope as canonical JSON, for the same manifest that was signed or parsed with.
    ///
    /// # Errors
    ///
    /// Never, but for a defect of the encoder.
    pub fn to_json(&self, manifest: &[u8]) -> Result<Vec<u8>, ToCanonicalError> {
        let signatures = self.0.iter().map(|signature| EnvelopeSignature {
            keyid: signature.key_id(),
            sig: STANDARD.encode(signature.value()),
        });
        to_canonical(&Envelope {
            payload: STANDARD.encode(manifest),
            payload_type: MANIFEST_PAYLOAD_TYPE.to_owned(),
            signatures: signatures.collect(),
        })
    }

    /// The signatures, in their order. Each names its key.
    pub fn signatures(&self) -> &[Signature] {
        &self.0
    }
}

/// Checks one signature on a manifest's bytes.
///
/// # Errors
///
/// `OtherKey` where it names another key, `Invalid` where it does not hold.
pub fn verify_manifest(
    manifest: &[u8],
    key: &PublicKey,
    signature: &Signature,
) -> Result<(), SignatureError> {
    key.verify(&pre_authentication_encoding(MANIFEST_PAYLOAD_TYPE, manifest), signature)
}

fn read_signatures(raw: &[EnvelopeSignature]) -> Result<Vec<Signature>, DsseError> {
    if raw.is_empty() || raw.len() > DSSE_SIGNATURES_MAX {
        return Err(DsseError::SignatureCount { found: raw.len() });
    }
    let mut signatures: Vec<Signature> = Vec::with_capacity(raw.len());
    for (index, EnvelopeSignature { keyid, sig }) in raw.iter().enumerate() {
        if signatures.iter().any(|signature| signature.key_id() == *keyid) {
            return Err(DsseError::DuplicateKey { key_id: *keyid });
        }
        let value: [u8; SIGNATURE_BYTES] = STANDARD
            .decode(sig)
            .ok()
            .and_then(|value| value.try_into().ok())
            .ok_or(DsseError::Signature { index })?;
        signatures.push(Signature::new(*keyid, value));
    }
    Ok(signatures)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &[u8] = br#"{"type":"recorder.bundle/v1"}"#;

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed(&[n; 32]).unwrap()
    }

    fn signed() -> String {
        let signatures = ManifestSignatures::sign(MANIFEST, &key(1));
        String::from_utf8(signatures.to_json(MANIFEST).unwrap()).unwrap()
    }

    fn parse(text: &str) -> Result<ManifestSignatures, DsseError> {
        ManifestSignatures::parse(text.as_bytes(), MANIFEST)
    }

    #[test]
    fn the_encoding_is_the_published_one() {
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pre_authentication_encoding("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn a_signature_is_read_back_and_holds_for_its_manifest_alone() {
        let read = parse(&signed()).unwrap();
        let [signature] = read.signatures() else { panic!("one signature") };
        let public_key = key(1).public_key();
        assert_eq!(verify_manifest(MANIFEST, &public_key, signature), Ok(()));
        assert!(verify_manifest(b"{}", &public_key, signature).is_err());
        assert!(verify_manifest(MANIFEST, &key(2).public_key(), signature).is_err());
        assert!(public_key.verify(MANIFEST, signature).is_err());
        assert_eq!(read.to_json(MANIFEST).unwrap(), signed().into_bytes());
    }

    #[test]
    fn an_envelope_of_another_manifest_is_refused() {
        let error = ManifestSignatures::parse(signed().as_bytes(), b"{}").unwrap_err();
        assert!(matches!(error, DsseError::PayloadMismatch | DsseError::Json(_)));
        let error = ManifestSignatures::parse(signed().as_bytes(), &MANIFEST.to_ascii_uppercase());
        assert!(matches!(error, Err(DsseError::PayloadMismatch)));
    }

    #[test]
    fn malformed_envelopes_are_refused() {
        let good = signed();
        let value = &good[good.find(r#""sig":""#).unwrap() + 7..good.rfind("\"}]}").unwrap()];
        let entry = &good[good.find("[{").unwrap() + 1..good.rfind("]}").unwrap()];
        let json = |result| matches!(result, Err(DsseError::Json(_)));
        assert!(json(parse("")));
        assert!(json(parse(&format!("{good}x"))));
        assert!(json(parse(&good.replacen('{', r#"{"x":1,"#, 1))));
        assert!(json(parse(&good.replacen('{', r#"{"payload":"","#, 1))));
        assert!(json(parse(&good.replace("\"sig\"", "\"cert\":\"\",\"sig\""))));
        assert!(json(parse(&good.replace("payloadType", "payload_type"))));
        assert!(json(parse(&good.replace(&key(1).key_id().to_string(), ""))));
        assert!(json(parse(&good.replacen('{', &format!("{{{}", " ".repeat(17 << 10)), 1))));
        let other_type = parse(&good.replace("vnd.recorder.manifest", "vnd.recorder.other"));
        assert!(matches!(other_type, Err(DsseError::PayloadType)));
        let none = parse(&good.replace(entry, ""));
        assert!(matches!(none, Err(DsseError::SignatureCount { found: 0 })));
        let many = parse(&good.replace(entry, &[entry; 17].join(",")));
        assert!(matches!(many, Err(DsseError::SignatureCount { found: 17 })));
        let twice = parse(&good.replace(entry, &[entry; 2].join(",")));
        assert!(matches!(twice, Err(DsseError::DuplicateKey { .. })));
        for wrong in ["", "AAAA", value.trim_end_matches('='), &value.replace("==", "=")] {
            let refused = parse(&good.replace(value, wrong));
            assert!(matches!(refused, Err(DsseError::Signature { index: 0 })), "{wrong}");
        }
        let payload = STANDARD.encode(MANIFEST);
        let unpadded = parse(&good.replace(&payload, payload.trim_end_matches('=')));
        assert!(matches!(unpadded, Err(DsseError::PayloadMismatch)));
    }
}
