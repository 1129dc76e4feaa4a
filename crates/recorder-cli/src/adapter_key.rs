//! The key of adapters: a file of 64 hex digits that only its owner may read.
//!
//! The file is made by `init`, else by the first adapter that is used; one that the settings name and that is gone is not
//! made anew, because under another key the same input would be other envelopes. Deliberately absent: what the file means,
//! which is said where adapters get their keys.

use std::path::{Path, PathBuf};

use recorder_core::hash::encode_hex_into;
use recorder_envelope::adapter::{ADAPTER_KEY_FILE_BYTES_MAX, AdapterKeys, KEY_BYTES};
use recorder_fs::FileError;
use zeroize::Zeroizing;

use crate::settings::{Key, Origin, Settings};

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

/// The key that the settings name; `None` where they name none and none was made yet.
///
/// # Errors
///
/// `AdapterKeyError` for a file that is there and cannot be used, and for one that is named and is not there.
pub(crate) fn load(settings: &Settings) -> Result<Option<AdapterKeys>, AdapterKeyError> {
    let path = &settings.adapter_key_path;
    let text = match recorder_fs::read_secret(path, ADAPTER_KEY_FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(FileError::NotFound { .. }) if is_default(settings) => return Ok(None),
        Err(FileError::NotFound { path }) => return Err(AdapterKeyError::Missing { path }),
        Err(error) => return Err(error.into()),
    };
    let malformed = || AdapterKeyError::Malformed { path: path.clone() };
    AdapterKeys::parse(&text).ok_or_else(malformed).map(Some)
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

/// Makes a key, 64 random hex digits, and writes it to a file that only its owner may read. Never overwrites.
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
