//! The two secrets of adapters: one behind the salts of payloads, one behind the digests of what was removed.
//!
//! Both come from configuration or from the store's secret. Whoever holds them can redo a mapping and can test a guess
//! of what was removed; nobody else can.

use std::fmt;

use hmac::digest::FixedOutputReset as _;
use hmac::{HmacReset, KeyInit as _, Mac as _};
use recorder_core::hash::decode_hex;
use recorder_core::identity::EnvelopeId;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::envelope::PayloadSalt;
use crate::preimage::SALT_BYTES;

/// Bytes of a salt key and of a redaction key.
pub const KEY_BYTES: usize = 32;

/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// A key with which HMAC-SHA-256 (RFC 2104) is computed. The bytes are wiped when it is dropped.
#[derive(Clone)]
struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    fn from_hex(text: &[u8]) -> Option<Self> {
        decode_hex(text).map(Zeroizing::new).map(Self)
    }

    fn mac(&self) -> HmacReset<Sha256> {
        // A key of 32 bytes is shorter than a block, and stands in one padded with zeros.
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        block[..KEY_BYTES].copy_from_slice(&*self.0);
        HmacReset::new((&*block).into())
    }
}

/// Derives the salts of payloads, so that a replay has the salt of the first time.
#[derive(Clone)]
pub struct SaltKey(Key);

impl SaltKey {
    /// Takes 32 secret bytes.
    pub const fn new(key: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(Key(key))
    }

    /// Takes 64 lower-case hex digits; anything else is `None`.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        Key::from_hex(text).map(Self)
    }

    /// The first 16 bytes of HMAC-SHA-256 over `label`, a zero byte, and `parts` one after the other: tells contents apart
    /// within the key of an id, to nobody who does not hold this key. A label is longer than an id, so that no tag is a salt.
    pub fn tag(&self, label: &'static str, parts: &[&[u8]]) -> [u8; SALT_BYTES] {
        debug_assert!(label.len() > SALT_BYTES, "{label} is as short as an id");
        let mut mac = self.0.mac().chain_update(label).chain_update([0]);
        for part in parts {
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        let mut tag = [0; SALT_BYTES];
        tag.copy_from_slice(&digest[..SALT_BYTES]);
        tag
    }

    /// The first 16 bytes of HMAC-SHA-256 over the 16 bytes of the id.
    pub fn salt(&self, envelope_id: &EnvelopeId) -> PayloadSalt {
        self.begin().salt(envelope_id)
    }

    /// Starts a pass over one input: what every salt has in common is computed once.
    pub fn begin(&self) -> Salts {
        Salts(self.0.mac())
    }
}

/// The salts of one pass. As secret as the key.
pub struct Salts(HmacReset<Sha256>);

impl Salts {
    /// As [`SaltKey::salt`].
    pub fn salt(&mut self, envelope_id: &EnvelopeId) -> PayloadSalt {
        self.0.update(envelope_id.as_bytes());
        let digest = self.0.finalize_fixed_reset();
        let mut salt = [0; SALT_BYTES];
        salt.copy_from_slice(&digest[..SALT_BYTES]);
        PayloadSalt::from_bytes(salt)
    }
}

impl fmt::Debug for Salts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salts(..)")
    }
}

impl fmt::Debug for SaltKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaltKey(..)")
    }
}

/// Digests what was removed, so that its owner can show what it was and nobody else can guess it.
#[derive(Clone)]
pub struct RedactionKey(Key);

impl RedactionKey {
    /// Takes 32 secret bytes.
    pub const fn new(key: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(Key(key))
    }

    /// Takes 64 lower-case hex digits; anything else is `None`.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        Key::from_hex(text).map(Self)
    }

    /// HMAC-SHA-256 under this key, nothing taken in yet.
    pub(crate) fn mac(&self) -> HmacReset<Sha256> {
        self.0.mac()
    }
}

impl fmt::Debug for RedactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedactionKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_in_one_spelling_and_never_printed() {
        let text = [b'0'; 64];
        assert_eq!(format!("{:?}", SaltKey::from_hex(&text).unwrap()), "SaltKey(..)");
        assert_eq!(format!("{:?}", RedactionKey::from_hex(&text).unwrap()), "RedactionKey(..)");
        assert!(SaltKey::from_hex(&text[1..]).is_none());
        assert!(RedactionKey::from_hex(&[b'A'; 64]).is_none());
    }

    #[test]
    fn digests_are_those_of_hmac_sha_256() {
        // RFC 4231, test case 2 has a short key; padded with zeros it is the same key.
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        key[..4].copy_from_slice(b"Jefe");
        let mac = RedactionKey::new(key).mac().chain_update(b"what do ya want for nothing?");
        let digest: [u8; 32] = mac.finalize().into_bytes().into();
        let expected = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(Some(digest), decode_hex(expected));
    }
}
