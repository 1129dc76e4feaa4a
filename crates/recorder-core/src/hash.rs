//! SHA-256 digests, one type per role, so that a chain hash cannot stand where a content hash belongs.
//!
//! What is hashed into each of them is defined by `recorder-envelope`; this module only holds, parses,
//! prints and compares. Text is always 64 lower-case hex digits (evidence format §1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Bytes of a SHA-256 digest.
pub const DIGEST_BYTES: usize = 32;

/// Hex digits of a SHA-256 digest.
pub const DIGEST_HEX_CHARS: usize = 64;

/// Why a text is not a digest.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected 64 lower-case hex digits")]
pub struct InvalidDigest;

/// Writes `bytes` as lower-case hex into `out`, which must hold two characters a byte.
///
/// Panics never: a buffer of another size is left as it is.
pub fn encode_hex_into(bytes: &[u8], out: &mut [u8]) {
    // Both lengths are fixed by the callers' types; a mismatch leaves zero bytes that no reader accepts.
    let _ = faster_hex::hex_encode(bytes, out);
}

/// Reads exactly `N` bytes from `2 × N` lower-case hex digits; anything else is `None`.
pub fn decode_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N * 2
        || !faster_hex::hex_check_with_case(text, faster_hex::CheckCase::Lower)
        || faster_hex::hex_decode(text, &mut bytes).is_err()
    {
        return None;
    }
    Some(bytes)
}

/// SHA-256 over the concatenation of `parts`.
pub fn sha256(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name([u8; DIGEST_BYTES]);

        impl $name {
            /// Takes the raw digest bytes.
            pub const fn from_bytes(bytes: [u8; DIGEST_BYTES]) -> Self {
                Self(bytes)
            }

            /// The raw digest bytes.
            pub const fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
                &self.0
            }

            /// Parses 64 lower-case hex digits.
            ///
            /// # Errors
            ///
            /// `InvalidDigest` for any other text, upper-case digits included.
            pub fn from_hex(text: &str) -> Result<Self, InvalidDigest> {
                decode_hex(text.as_bytes()).map(Self).ok_or(InvalidDigest)
            }

            /// The 64 lower-case hex digits, as ASCII bytes.
            pub fn to_hex(&self) -> [u8; DIGEST_HEX_CHARS] {
                let mut out = [0; DIGEST_HEX_CHARS];
                encode_hex_into(&self.0, &mut out);
                out
            }
        }

        // Equality takes the same time wherever the digests differ.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(&other.0).into()
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        // Order serves sorted output only; no decision about trust is made by it.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.cmp(&other.0)
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&faster_hex::hex_string(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidDigest;

            fn from_str(text: &str) -> Result<Self, InvalidDigest> {
                Self::from_hex(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::from_hex(&text).map_err(de::Error::custom)
            }
        }
    };
}

digest!(
    /// SHA-256 of the hashable view of an envelope (evidence format §3).
    ContentHash
);
digest!(
    /// One link of a stream's chain (evidence format §4).
    ChainHash
);
digest!(
    /// Salted commitment to a payload (evidence format §3).
    PayloadCommitment
);
digest!(
    /// SHA-256 of a segment's genesis object (evidence format §4).
    GenesisHash
);
digest!(
    /// SHA-256 of a segment's seal object (evidence format §4).
    SealHash
);
digest!(
    /// SHA-256 of attachment bytes, bare: the name that `sha256sum` gives them (evidence format §1).
    AttachmentHash
);
digest!(
    /// A node of the Merkle log: a leaf hash, an inner node or a root (RFC 6962 §2.1).
    TreeHash
);
digest!(
    /// SHA-256 of a bundle part's bytes, as the manifest lists it (evidence format §7).
    PartHash
);
digest!(
    /// SHA-256 over a request, by which its retry is told from another request under the same idempotency key.
    RequestHash
);
digest!(
    /// SHA-256 of a public key's 32 raw bytes: the name of the key (evidence format §2).
    KeyId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_exactly_sixty_four_lower_case_digits() {
        let digits = "00ff".repeat(16);
        assert_eq!(ContentHash::from_hex(&digits).unwrap().to_string(), digits);
        for wrong in [
            digits.to_uppercase(),
            digits[1..].to_owned(),
            format!("{digits}0"),
            digits.replace('f', "g"),
            String::new(),
        ] {
            assert_eq!(ContentHash::from_hex(&wrong), Err(InvalidDigest), "{wrong}");
        }
    }

    #[test]
    fn serde_goes_through_the_same_door() {
        let hash = ChainHash::from_bytes([0xab; 32]);
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<ChainHash>(&json).unwrap(), hash);
        assert!(serde_json::from_str::<ChainHash>(&json.to_uppercase()).is_err());
    }

    #[test]
    fn sha256_concatenates_its_parts() {
        assert_eq!(sha256(&[b"ab", b"c"]), sha256(&[b"abc"]));
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(AttachmentHash::from_bytes(sha256(&[b"abc"])).to_string(), expected);
    }
}
