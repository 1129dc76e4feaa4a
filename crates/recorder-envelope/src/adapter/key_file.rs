//! The file that the keys of adapters come from: 64 hex digits, from which each of the two is derived under a label of its own.
//!
//! Whoever has the file can redo a mapping and show what was removed; nobody else can guess it. Deliberately absent: opening
//! it, and rotation, because under another key the same input would be other envelopes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use recorder_core::hash::decode_hex;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key::{KEY_BYTES, RedactionKey, SaltKey};

/// Largest file: the digits and the end of their line.
pub const ADAPTER_KEY_FILE_BYTES_MAX: u64 = KEY_BYTES as u64 * 2 + 1;

const SALT_LABEL: &[u8] = b"recorder/adapter-key/v1\nsalt\n";
const REDACTION_LABEL: &[u8] = b"recorder/adapter-key/v1\nredaction\n";

/// What adapters need.
#[derive(Clone, Debug)]
pub struct AdapterKeys {
    /// Derives salts.
    pub salt: SaltKey,
    /// Derives the digests of what was removed.
    pub redaction: RedactionKey,
}

impl AdapterKeys {
    /// Takes the text of the file: 64 lower-case hex digits, perhaps with a line end; anything else is `None`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let key = decode_hex(text.strip_suffix(b"\n").unwrap_or(text)).map(Zeroizing::new)?;
        Some(Self {
            salt: SaltKey::new(derived(&key, SALT_LABEL)),
            redaction: RedactionKey::new(derived(&key, REDACTION_LABEL)),
        })
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn derived(key: &[u8; KEY_BYTES], label: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    Zeroizing::new(mac.chain_update(label).finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_keys_differ_from_each_other_and_from_the_file() {
        let (salt, redaction) = (derived(&[7; 32], SALT_LABEL), derived(&[7; 32], REDACTION_LABEL));
        assert_ne!(*salt, *redaction);
        assert_ne!(*salt, [7; 32]);
        assert_ne!(*salt, *derived(&[8; 32], SALT_LABEL));
    }

    #[test]
    fn a_file_holds_64_digits_and_perhaps_a_line_end() {
        let digits = "0123456789abcdef".repeat(4);
        for text in [digits.clone(), format!("{digits}\n")] {
            assert!(AdapterKeys::parse(text.as_bytes()).is_some());
        }
        for text in ["", "\n", &digits[1..], &format!("{digits}\n\n"), &digits.to_uppercase()] {
            assert!(AdapterKeys::parse(text.as_bytes()).is_none(), "{text:?}");
        }
    }
}
