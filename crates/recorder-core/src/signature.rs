//! The `signature` object of the evidence format §6: which key, and its 64 bytes.
//!
//! Holding one says nothing about its validity; `recorder-envelope` signs and verifies.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hash::{KeyId, decode_hex, encode_hex_into};

/// Bytes of an Ed25519 signature (RFC 8032 §5.1.6).
pub const SIGNATURE_BYTES: usize = 64;

/// The only algorithm: `ed25519`.
pub const ALGORITHM: &str = "ed25519";

/// An Ed25519 signature and the key that it names, unverified.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Signature {
    key_id: KeyId,
    value: [u8; SIGNATURE_BYTES],
}

impl Signature {
    /// Joins a key's name and its signature bytes.
    pub const fn new(key_id: KeyId, value: [u8; SIGNATURE_BYTES]) -> Self {
        Self { key_id, value }
    }

    /// The key that the signature names.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The signature bytes, `R ‖ S`.
    pub const fn value(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.value
    }

    /// The signature bytes as 128 lower-case hex digits.
    pub fn value_hex(&self) -> [u8; SIGNATURE_BYTES * 2] {
        let mut text = [0; SIGNATURE_BYTES * 2];
        encode_hex_into(&self.value, &mut text);
        text
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature(by {})", self.key_id)
    }
}

/// The object as written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SignatureObject {
    algorithm: Box<str>,
    key_id: KeyId,
    value: Box<str>,
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = String::from_utf8_lossy(&self.value_hex()).into();
        SignatureObject { algorithm: ALGORITHM.into(), key_id: self.key_id, value }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = SignatureObject::deserialize(deserializer)?;
        if &*object.algorithm != ALGORITHM {
            return Err(de::Error::custom("algorithm: expected ed25519"));
        }
        let value = decode_hex(object.value.as_bytes())
            .ok_or_else(|| de::Error::custom("value: expected 128 lower-case hex digits"))?;
        Ok(Self::new(object.key_id, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_three_members_and_one_spelling() {
        let signature = Signature::new(KeyId::from_bytes([1; 32]), [0xab; 64]);
        let json = serde_json::to_string(&signature).unwrap();
        assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature);
        for wrong in [
            json.replace("ed25519", "rsa"),
            json.replace("ab", "AB"),
            json.replace("\"algorithm\"", "\"x\":1,\"algorithm\""),
            json.replacen("ab", "", 1),
        ] {
            assert!(serde_json::from_str::<Signature>(&wrong).is_err(), "{wrong}");
        }
    }
}
