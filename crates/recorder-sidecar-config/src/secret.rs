//! Secrets in files: read through recorder-fs, which follows no link and wants a private, regular, bounded file.
//!
//! Deliberately absent: secrets in the settings themselves, in the environment, or in any message.

use std::fmt;
use std::path::Path;

use recorder_core::limits::{PASSPHRASE_BYTES_MAX, SIGNER_KEY_BYTES_MAX};
use recorder_envelope::adapter::{ADAPTER_KEY_FILE_BYTES_MAX, AdapterKeys};
use recorder_envelope::key_file::{self, KeyFileError};
use recorder_envelope::signing::SecretKey;
use recorder_fs::FileError;
use zeroize::Zeroizing;

/// Bytes of a token file.
pub const TOKEN_BYTES_MAX: u64 = 4 << 10;

/// Why a secret was refused. No variant holds any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file was not read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no token.
    #[error(
        "the file does not hold one token: one line of letters, digits and -._~+/, with = at the end only (RFC 6750)"
    )]
    NoToken,
    /// A passphrase was given, and the key is not encrypted.
    #[error(
        "the key is not encrypted, but signer.passphrase_path is set; encrypt the key, or remove that setting"
    )]
    NotEncrypted,
    /// The key is encrypted, and no passphrase was given.
    #[error("the key is encrypted; set signer.passphrase_path")]
    PassphraseMissing,
    /// The file holds no key of adapters.
    #[error("the file does not hold a key of adapters: 64 lower-case hex digits on one line")]
    NoAdapterKey,
    /// The key file holds no key that can be used.
    #[error("{0}")]
    Key(#[source] KeyFileError),
}

/// A bearer token.
#[derive(Clone)]
pub struct Token(Zeroizing<Vec<u8>>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Reads the token that a file holds.
    ///
    /// # Errors
    ///
    /// `File` for a file that is not private, regular and small; `NoToken` for one that holds something else.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let bytes = recorder_fs::read_secret(path, TOKEN_BYTES_MAX)?;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, SecretError> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let body =
            line.iter().rposition(|byte| *byte != b'=').map_or(&[][..], |last| &line[..=last]);
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
        if body.is_empty() || !body.iter().all(is_token) {
            return Err(SecretError::NoToken);
        }
        Ok(Self(Zeroizing::new(line.to_vec())))
    }

    /// The token, to be compared in constant time or sent.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Reads the key of adapters.
///
/// # Errors
///
/// `File` for a file that is not private, regular and small; `NoAdapterKey` for one that holds something else.
pub fn read_adapter_keys(path: &Path) -> Result<AdapterKeys, SecretError> {
    let text = recorder_fs::read_secret(path, ADAPTER_KEY_FILE_BYTES_MAX)?;
    AdapterKeys::parse(&text).ok_or(SecretError::NoAdapterKey)
}

/// Reads the signing key: encrypted if and only if there is a passphrase file.
///
/// # Errors
///
/// `SecretError`, without a word of the secret.
pub fn read_signing_key(path: &Path, passphrase: Option<&Path>) -> Result<SecretKey, SecretError> {
    let file = recorder_fs::read_secret(path, SIGNER_KEY_BYTES_MAX)?;
    match (key_file::read_plaintext(&file), passphrase) {
        (Ok(key), None) => Ok(key),
        (Ok(_), Some(_)) => Err(SecretError::NotEncrypted),
        (Err(KeyFileError::Encrypted), None) => Err(SecretError::PassphraseMissing),
        (Err(KeyFileError::Encrypted), Some(passphrase)) => {
            // One line break more, and at most two, than the passphrase itself may have.
            let text = recorder_fs::read_secret(passphrase, PASSPHRASE_BYTES_MAX + 2)?;
            let line = text.strip_suffix(b"\n").unwrap_or(&text);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            key_file::read_encrypted(&file, line).map_err(SecretError::Key)
        }
        (Err(error), _) => Err(SecretError::Key(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_of_the_characters_of_rfc_6750() {
        for (file, token) in [("abc", "abc"), ("abc\n", "abc"), ("a-._~+/9==\r\n", "a-._~+/9==")] {
            assert_eq!(Token::parse(file.as_bytes()).unwrap().expose(), token.as_bytes());
        }
        for wrong in ["", "\n", "=", "a b", "a\nb", "a=b", "a\0", "é", " a"] {
            assert!(Token::parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_does_not_show_itself() {
        assert_eq!(format!("{:?}", Token::parse(b"geheim").unwrap()), "Token(…)");
    }
}
