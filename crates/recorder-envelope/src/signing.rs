//! Ed25519 (RFC 8032) keys and the messages that Recorder signs (evidence format §6).
//!
//! Verification is strict everywhere: canonical encodings, `S` below the group order, no point of
//! small order. Each kind of message has its own prefix, so that no signature serves twice. Which
//! key may sign what, and where, is the trust root's; key files are `key_file`'s. No randomness here.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use recorder_core::hash::{ChainHash, ContentHash, KeyId, SealHash, decode_hex, sha256};
use recorder_core::signature::{SIGNATURE_BYTES, Signature};
use zeroize::Zeroizing;

/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// Bytes of the seed that a secret key is (RFC 8032 §5.1.5).
pub const SEED_BYTES: usize = 32;

// The spaces keep them apart from every checkpoint: an origin has none.
const ENVELOPE_PREFIX: &[u8] = b"recorder signature v1: envelope\n";
const SEAL_PREFIX: &[u8] = b"recorder signature v1: seal\n";
const ROTATION_PREFIX: &[u8] = b"recorder signature v1: rotation\n";

/// Why 32 bytes are not a public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PublicKeyError {
    /// The text is not 64 lower-case hex digits.
    #[error("a public key is 64 lower-case hex digits")]
    NotHex,
    /// No curve point has this encoding.
    #[error("the public key is not a point of the curve")]
    NotAPoint,
    /// The point has another, canonical encoding.
    #[error("the public key is not canonically encoded")]
    NotCanonical,
    /// The point has small order: signatures under it prove nothing.
    #[error("the public key is weak")]
    Weak,
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureError {
    /// It names another key than the one that it was checked with.
    #[error("signed by key {found}, expected {expected}")]
    OtherKey {
        /// The key that it was checked with.
        expected: KeyId,
        /// The key that it names.
        found: KeyId,
    },
    /// It is not this key's strict Ed25519 signature over the message.
    #[error("the signature does not hold")]
    Invalid,
}

/// The message that signs one envelope: the prefix, its content hash, its chain hash.
pub fn envelope_message(content_hash: &ContentHash, chain_hash: &ChainHash) -> Vec<u8> {
    [ENVELOPE_PREFIX, content_hash.as_bytes(), chain_hash.as_bytes()].concat()
}

/// The message that signs a segment's seal: the prefix, the seal hash.
pub fn seal_message(seal_hash: &SealHash) -> Vec<u8> {
    [SEAL_PREFIX, seal_hash.as_bytes()].concat()
}

/// The message by which an old and a new key vouch for a rotation: the prefix, then the canonical JSON
/// (RFC 8785) of the event's payload without its proofs.
pub fn rotation_message(canonical_members: &[u8]) -> Vec<u8> {
    [ROTATION_PREFIX, canonical_members].concat()
}

/// An Ed25519 public key: a canonically encoded point that is not of small order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads the 32 bytes of RFC 8032 §5.1.5.
    ///
    /// # Errors
    ///
    /// `NotAPoint`, `NotCanonical` or `Weak`: none of those may stand in a trust root or a key file.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_BYTES]) -> Result<Self, PublicKeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::NotAPoint)?;
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(PublicKeyError::NotCanonical);
        }
        if key.is_weak() {
            return Err(PublicKeyError::Weak);
        }
        Ok(Self(key))
    }

    /// Reads 64 lower-case hex digits.
    ///
    /// # Errors
    ///
    /// `NotHex`, or what `from_bytes` says.
    pub fn from_hex(text: &str) -> Result<Self, PublicKeyError> {
        Self::from_bytes(&decode_hex(text.as_bytes()).ok_or(PublicKeyError::NotHex)?)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        self.0.as_bytes()
    }

    /// The 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        faster_hex::hex_string(self.as_bytes())
    }

    /// The key's name: SHA-256 of its bytes (evidence format §2).
    pub fn key_id(&self) -> KeyId {
        KeyId::from_bytes(sha256(&[self.as_bytes()]))
    }

    /// Checks a bare signature over a message.
    ///
    /// # Errors
    ///
    /// `Invalid` unless it is the strict RFC 8032 signature of this key over these bytes.
    pub fn verify_strict(
        &self,
        message: &[u8],
        value: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), SignatureError> {
        self.0
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(value))
            .map_err(|_| SignatureError::Invalid)
    }

    /// Checks a signature that names its key.
    ///
    /// # Errors
    ///
    /// `OtherKey` where it names another one, `Invalid` where it does not hold.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let expected = self.key_id();
        if signature.key_id() != expected {
            return Err(SignatureError::OtherKey { expected, found: signature.key_id() });
        }
        self.verify_strict(message, signature.value())
    }

    /// Checks an envelope's own signature.
    ///
    /// # Errors
    ///
    /// As `verify`.
    pub fn verify_envelope(
        &self,
        content_hash: &ContentHash,
        chain_hash: &ChainHash,
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        self.verify(&envelope_message(content_hash, chain_hash), signature)
    }

    /// Checks a seal's signature.
    ///
    /// # Errors
    ///
    /// As `verify`.
    pub fn verify_seal(
        &self,
        seal_hash: &SealHash,
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        self.verify(&seal_message(seal_hash), signature)
    }
}

/// An Ed25519 secret key. Wiped when dropped, never printed.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Takes the 32 secret bytes of RFC 8032 §5.1.5.
    ///
    /// # Errors
    ///
    /// Where the public key that follows from them is refused.
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Result<Self, PublicKeyError> {
        let key = SigningKey::from_bytes(seed);
        PublicKey::from_bytes(key.verifying_key().as_bytes())?;
        Ok(Self(key))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The key's name, which is its public half's.
    pub fn key_id(&self) -> KeyId {
        self.public_key().key_id()
    }

    /// Signs bytes as they are. For the formats that bring their own domain: notes and DSSE.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }

    /// Signs one envelope.
    pub fn sign_envelope(&self, content_hash: &ContentHash, chain_hash: &ChainHash) -> Signature {
        self.sign_named(&envelope_message(content_hash, chain_hash))
    }

    /// Signs a segment's seal.
    pub fn sign_seal(&self, seal_hash: &SealHash) -> Signature {
        self.sign_named(&seal_message(seal_hash))
    }

    /// Vouches for a rotation, as the old key or the new one.
    pub fn sign_rotation(&self, canonical_members: &[u8]) -> Signature {
        self.sign_named(&rotation_message(canonical_members))
    }

    /// The secret bytes, for the key file alone.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; SEED_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    fn sign_named(&self, message: &[u8]) -> Signature {
        Signature::new(self.key_id(), self.sign(message))
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({})", self.key_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032 §7.1: seed, public key, message, signature.
    const RFC_8032: [(&str, &str, &str, &str); 3] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed(&[n; 32]).unwrap()
    }

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        decode_hex(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_published_signatures_come_out_and_verify() {
        for (seed, public_key, message, value) in RFC_8032 {
            let secret_key = SecretKey::from_seed(&bytes(seed)).unwrap();
            assert_eq!(secret_key.public_key().to_hex(), public_key);
            let message = match message.len() {
                0 => vec![],
                2 => bytes::<1>(message).to_vec(),
                _ => bytes::<2>(message).to_vec(),
            };
            assert_eq!(secret_key.sign(&message), bytes::<64>(value));
            let public_key = PublicKey::from_hex(public_key).unwrap();
            assert_eq!(public_key.verify_strict(&message, &bytes(value)), Ok(()));
        }
    }

    #[test]
    fn points_of_small_order_are_no_keys() {
        for text in [
            // The identity, order 2, order 4 (two of them), order 8 (two of them).
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ] {
            assert_eq!(PublicKey::from_hex(text).unwrap_err(), PublicKeyError::Weak, "{text}");
        }
    }

    #[test]
    fn other_encodings_of_a_point_are_no_keys() {
        for text in [
            // The identity with a sign bit, with y = p + 1, and y = p.
            "0100000000000000000000000000000000000000000000000000000000000080",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            // y = p + 3, a point of large order.
            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let error = PublicKey::from_hex(text).unwrap_err();
            assert_eq!(error, PublicKeyError::NotCanonical, "{text}");
        }
        let off_curve = "0200000000000000000000000000000000000000000000000000000000000000";
        assert_eq!(PublicKey::from_hex(off_curve).unwrap_err(), PublicKeyError::NotAPoint);
    }

    #[test]
    fn public_key_text_has_one_spelling() {
        let text = key(1).public_key().to_hex();
        assert_eq!(PublicKey::from_hex(&text).unwrap(), key(1).public_key());
        for wrong in [text.to_uppercase(), text[1..].to_owned(), format!("{text}00")] {
            assert_eq!(PublicKey::from_hex(&wrong).unwrap_err(), PublicKeyError::NotHex);
        }
    }

    #[test]
    fn a_signature_with_the_group_order_added_is_refused() {
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let value = key(1).sign(b"message");
        let mut malleated = value;
        let mut carry = 0_u16;
        for (byte, addend) in malleated[32..].iter_mut().zip(ORDER) {
            carry += u16::from(*byte) + u16::from(addend);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        let public_key = key(1).public_key();
        assert_eq!(public_key.verify_strict(b"message", &value), Ok(()));
        assert_ne!(malleated, value);
        let refused = public_key.verify_strict(b"message", &malleated);
        assert_eq!(refused, Err(SignatureError::Invalid));
    }

    #[test]
    fn every_flipped_bit_breaks_a_signature() {
        let public_key = key(1).public_key();
        let value = key(1).sign(b"message");
        for bit in 0..512 {
            let mut changed = value;
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused = public_key.verify_strict(b"message", &changed);
            assert_eq!(refused, Err(SignatureError::Invalid), "bit {bit}");
        }
        assert!(public_key.verify_strict(b"massage", &value).is_err());
        assert!(key(2).public_key().verify_strict(b"message", &value).is_err());
    }

    #[test]
    fn a_signature_serves_for_one_kind_of_message_only() {
        let seal_hash = SealHash::from_bytes([3; 32]);
        let (content_hash, chain_hash) =
            (ContentHash::from_bytes([3; 32]), ChainHash::from_bytes([3; 32]));
        let secret_key = key(1);
        let public_key = secret_key.public_key();
        let seal = secret_key.sign_seal(&seal_hash);
        let envelope = secret_key.sign_envelope(&content_hash, &chain_hash);
        assert_eq!(public_key.verify_seal(&seal_hash, &seal), Ok(()));
        assert_eq!(public_key.verify_envelope(&content_hash, &chain_hash, &envelope), Ok(()));
        assert!(public_key.verify_seal(&seal_hash, &envelope).is_err());
        assert!(public_key.verify_envelope(&content_hash, &chain_hash, &seal).is_err());
        let rotation = secret_key.sign_rotation(seal_hash.as_bytes());
        assert!(public_key.verify_seal(&seal_hash, &rotation).is_err());
    }

    #[test]
    fn the_two_hashes_of_an_envelope_do_not_change_places() {
        let secret_key = key(1);
        let signature = secret_key
            .sign_envelope(&ContentHash::from_bytes([1; 32]), &ChainHash::from_bytes([2; 32]));
        let swapped = secret_key.public_key().verify_envelope(
            &ContentHash::from_bytes([2; 32]),
            &ChainHash::from_bytes([1; 32]),
            &signature,
        );
        assert_eq!(swapped, Err(SignatureError::Invalid));
    }

    #[test]
    fn a_signature_that_names_another_key_is_refused_even_if_it_holds() {
        let seal_hash = SealHash::from_bytes([3; 32]);
        let signature = key(1).sign_seal(&seal_hash);
        let renamed = Signature::new(key(2).key_id(), *signature.value());
        assert_eq!(
            key(1).public_key().verify_seal(&seal_hash, &renamed),
            Err(SignatureError::OtherKey { expected: key(1).key_id(), found: key(2).key_id() })
        );
    }

    #[test]
    fn a_secret_key_is_not_printed() {
        let printed = format!("{:?}", key(0xab));
        assert_eq!(printed, format!("SecretKey({})", key(0xab).key_id()));
        assert!(!printed.contains("abababab"));
    }
}
