//! The key of adapters: a file of 64 hex digits that only its owner may read.
//!
//! Two keys come from it, by HMAC-SHA-256 over a label: that of salts and that of what was redacted. Whoever
//! has the file can redo a mapping and show what was removed; nobody else can guess it. The file is
//! made by `init`, else by the first adapter that is used; one that the settings name and that is gone is not
//! made anew, because under another key the same input would be other envelopes. Deliberately absent: rotation.

use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use recorder_core::hash::{decode_hex, encode_hex_into};
use recorder_envelope::adapter::{KEY_BYTES, RedactionKey, SaltKey};
use recorder_fs::FileError;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::settings::{Key, Origin, Settings};

/// Largest file: the digits and the end of their line.
const FILE_BYTES_MAX: u64 = KEY_BYTES as u64 * 2 + 1;

/// Labels under which the two keys are derived.
const SALT_LABEL: &[u8] = b"recorder/adapter-key/v1\nsalt\n";
const REDACTION_LABEL: &[u8] = b"recorder/adapter-key/v1\nredaction\n";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdapterKeyError {
    /// The settings name a file that is not there.
    #[error("{}: the adapters’ key is gone", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{}: is no adapters’ key", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The file was not read or not written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

/// What adapters need.
pub(crate) struct AdapterKeys {
    /// Derives salts.
    pub(crate) salt: SaltKey,
    /// Derives the digests of what was removed.
    pub(crate) redaction: RedactionKey,
}

/// The key that the settings name; `None` where they name none and none was made yet.
///
/// # Errors
///
/// `AdapterKeyError` for a file that is there and cannot be used, and for one that is named and is not there.
pub(crate) fn load(settings: &Settings) -> Result<Option<AdapterKeys>, AdapterKeyError> {
    let path = &settings.adapter_key_path;
    let text = match recorder_fs::read_secret(path, FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(FileError::NotFound { .. }) if is_default(settings) => return Ok(None),
        Err(FileError::NotFound { path }) => return Err(AdapterKeyError::Missing { path }),
        Err(error) => return Err(error.into()),
    };
    let digits = text.strip_suffix(b"\n").unwrap_or(&text);
    let key: Option<[u8; KEY_BYTES]> = decode_hex(digits);
    let key = key.map(Zeroizing::new);
    let malformed = || AdapterKeyError::Malformed { path: path.clone() };
    let key = key.ok_or_else(malformed)?;
    Ok(Some(derive(&key)))
}

/// The key that the settings name, made where none was named and none was made yet; whether it was made.
///
/// # Errors
///
/// As [`load`] and [`generate`].
pub(crate) fn load_or_generate(
    settings: &Settings,
) -> Result<(AdapterKeys, bool), AdapterKeyError> {
    if let Some(keys) = load(settings)? {
        return Ok((keys, false));
    }
    let path = &settings.adapter_key_path;
    generate(path)?;
    let keys = load(settings)?.ok_or_else(|| AdapterKeyError::Missing { path: path.clone() })?;
    Ok((keys, true))
}

/// Makes a key and writes it to a file that only its owner may read. Never overwrites.
///
/// # Errors
///
/// `AdapterKeyError` for whatever prevents it; then no file is left.
pub(crate) fn generate(path: &Path) -> Result<(), AdapterKeyError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut_slice()).map_err(AdapterKeyError::Random)?;
    let mut text = Zeroizing::new([b'\n'; KEY_BYTES * 2 + 1]);
    encode_hex_into(key.as_slice(), &mut text[..KEY_BYTES * 2]);
    Ok(recorder_fs::write_secret_new(path, text.as_slice())?)
}

fn is_default(settings: &Settings) -> bool {
    *settings.origin(Key::AdaptersKeyPath) == Origin::Default
}

fn derive(key: &[u8; KEY_BYTES]) -> AdapterKeys {
    AdapterKeys {
        salt: SaltKey::new(derived(key, SALT_LABEL)),
        redaction: RedactionKey::new(derived(key, REDACTION_LABEL)),
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
}
