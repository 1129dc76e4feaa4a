//! The signing key, as far as the profile lets it come: encrypted file, plaintext file, seed.
//!
//! `secure` takes encrypted files only, `standard` plaintext ones too, `dev` also a seed from the environment, and
//! every output then says so. A seed that is set under another profile is refused, so that nobody believes
//! that it signs.

use std::path::{Path, PathBuf};

use recorder_core::hash::decode_hex;
use recorder_core::limits::SIGNER_KEY_BYTES_MAX;
use recorder_envelope::checkpoint;
use recorder_envelope::key_file::{self, IV_BYTES, KeyFileError, SALT_BYTES};
use recorder_envelope::note::{ALGORITHM_ED25519, key_hash};
use recorder_envelope::signing::{PublicKey, PublicKeyError, SEED_BYTES, SecretKey};
use recorder_fs::FileError;
use zeroize::Zeroizing;

use crate::passphrase::{PassphraseError, PassphraseSource};
use crate::settings::{DEV_SEED_VARIABLE, Environment, Profile, Settings};

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignerError {
    /// A seed is set and the profile does not allow it.
    #[error("{DEV_SEED_VARIABLE} is set, and profile {} does not sign with it", profile.name())]
    SeedRefused {
        /// The profile.
        profile: Profile,
    },
    /// The seed is not 64 hex digits.
    #[error("{DEV_SEED_VARIABLE} is not 64 lower-case hex digits")]
    SeedMalformed,
    /// No key file is configured.
    #[error("no signing key is configured")]
    NotConfigured,
    /// The profile does not allow keys in the clear.
    #[error("{}: the key is not encrypted, and profile {} takes encrypted keys only", path.display(), profile.name())]
    PlaintextRefused {
        /// The key file.
        path: PathBuf,
        /// The profile.
        profile: Profile,
    },
    /// The file was not read or not written.
    #[error("the key file was refused")]
    File(#[source] FileError),
    /// The passphrase is missing.
    #[error("{}", .0)]
    Passphrase(#[source] PassphraseError),
    /// The file holds no key that can be used.
    #[error("{}: not opened", path.display())]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: KeyFileError,
    },
    /// The key itself is refused.
    #[error("the key is refused")]
    Key(#[source] PublicKeyError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

/// A key and whether it came from the environment.
pub(crate) struct Signer {
    /// The key.
    pub(crate) key: SecretKey,
    /// Whether it is a throw-away seed.
    pub(crate) from_seed: bool,
}

/// The key that the settings name; `None` where they name none.
///
/// # Errors
///
/// `SignerError` for every key that is named and cannot be used.
pub(crate) fn load(
    settings: &Settings,
    environment: &Environment,
    passphrase: &PassphraseSource,
) -> Result<Option<Signer>, SignerError> {
    if let Some(key) = seed_key(settings.profile, environment)? {
        return Ok(Some(Signer { key, from_seed: true }));
    }
    let Some(path) = &settings.key_path else { return Ok(None) };
    let key = read_key_file(path, settings.profile, passphrase)?;
    Ok(Some(Signer { key, from_seed: false }))
}

/// The key whose seed the environment holds, where the profile allows that.
fn seed_key(profile: Profile, environment: &Environment) -> Result<Option<SecretKey>, SignerError> {
    let Some(seed) = environment.value(DEV_SEED_VARIABLE) else { return Ok(None) };
    if profile != Profile::Dev {
        return Err(SignerError::SeedRefused { profile });
    }
    let seed: Zeroizing<[u8; SEED_BYTES]> = decode_hex(seed.as_encoded_bytes())
        .map(Zeroizing::new)
        .ok_or(SignerError::SeedMalformed)?;
    SecretKey::from_seed(&seed).map(Some).map_err(SignerError::Key)
}

fn read_key_file(
    path: &Path,
    profile: Profile,
    passphrase: &PassphraseSource,
) -> Result<SecretKey, SignerError> {
    let file = recorder_fs::read_secret(path, SIGNER_KEY_BYTES_MAX).map_err(SignerError::File)?;
    let failed = |source| SignerError::KeyFile { path: path.to_path_buf(), source };
    match key_file::read_plaintext(&file) {
        Ok(key) if profile != Profile::Secure => Ok(key),
        Ok(_) => Err(SignerError::PlaintextRefused { path: path.to_path_buf(), profile }),
        Err(KeyFileError::Encrypted) => {
            let passphrase = passphrase.read().map_err(SignerError::Passphrase)?;
            key_file::read_encrypted(&file, &passphrase).map_err(failed)
        }
        Err(source) => Err(failed(source)),
    }
}

/// Makes a key and writes it, encrypted, to a file that only its owner may read. Never overwrites.
///
/// # Errors
///
/// `SignerError` for whatever prevents it; then no file is left.
pub(crate) fn generate_encrypted(path: &Path, passphrase: &[u8]) -> Result<PublicKey, SignerError> {
    make_encrypted(path, passphrase).map(|key| key.public_key())
}

fn make_encrypted(path: &Path, passphrase: &[u8]) -> Result<SecretKey, SignerError> {
    let (key, _) = random_key()?;
    let (mut salt, mut iv) = ([0; SALT_BYTES], [0; IV_BYTES]);
    getrandom::fill(&mut salt).map_err(SignerError::Random)?;
    getrandom::fill(&mut iv).map_err(SignerError::Random)?;
    let text = key_file::write_encrypted(&key, passphrase, &salt, &iv)
        .map_err(|source| SignerError::KeyFile { path: path.to_path_buf(), source })?;
    recorder_fs::write_secret_new(path, text.as_bytes()).map_err(SignerError::File)?;
    Ok(key)
}

/// Makes a key and writes it in the clear (PKCS#8 version 1, RFC 8410) to a file that only its owner may read.
///
/// # Errors
///
/// `SignerError` for whatever prevents it; then no file is left.
pub(crate) fn generate_plaintext(path: &Path) -> Result<PublicKey, SignerError> {
    make_plaintext(path).map(|key| key.public_key())
}

fn make_plaintext(path: &Path) -> Result<SecretKey, SignerError> {
    let (key, seed) = random_key()?;
    let text = plaintext_pem(&seed);
    recorder_fs::write_secret_new(path, text.as_bytes()).map_err(SignerError::File)?;
    Ok(key)
}

/// The key in a file; where there is none, a new one that is written there first.
///
/// # Errors
///
/// `SignerError` for a file that holds no key that can be used, and where none could be written.
pub(crate) fn read_or_generate(
    path: &Path,
    profile: Profile,
    plaintext: bool,
    passphrase: &PassphraseSource,
) -> Result<SecretKey, SignerError> {
    // What is at the end of a dangling link is neither read nor written.
    if path.symlink_metadata().is_ok() {
        return read_key_file(path, profile, passphrase);
    }
    match (plaintext, profile) {
        (true, Profile::Secure) => {
            Err(SignerError::PlaintextRefused { path: path.to_path_buf(), profile })
        }
        (true, Profile::Standard | Profile::Dev) => make_plaintext(path),
        (false, _) => {
            let passphrase = passphrase.read_new().map_err(SignerError::Passphrase)?;
            make_encrypted(path, &passphrase)
        }
    }
}

fn random_key() -> Result<(SecretKey, Zeroizing<[u8; SEED_BYTES]>), SignerError> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    getrandom::fill(seed.as_mut_slice()).map_err(SignerError::Random)?;
    let key = SecretKey::from_seed(&seed).map_err(SignerError::Key)?;
    Ok((key, seed))
}

fn plaintext_pem(seed: &[u8; SEED_BYTES]) -> Zeroizing<String> {
    use base64::Engine as _;
    // SEQUENCE { 0, SEQUENCE { 1.3.101.112 }, OCTET STRING { OCTET STRING of 32 bytes } }
    const HEADER: [u8; 16] =
        [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let mut der = Zeroizing::new([0; HEADER.len() + SEED_BYTES]);
    der[..HEADER.len()].copy_from_slice(&HEADER);
    der[HEADER.len()..].copy_from_slice(seed);
    let body = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der.as_slice()));
    let (begin, end) = ("-----BEGIN PRIVATE KEY-----\n", "\n-----END PRIVATE KEY-----\n");
    let mut text = Zeroizing::new(String::with_capacity(begin.len() + body.len() + end.len()));
    text.push_str(begin);
    text.push_str(&body);
    text.push_str(end);
    text
}

/// The key as C2SP tools take it: `origin+hash+base64(algorithm and key)`.
pub(crate) fn verifier_key(settings: &Settings, key: &PublicKey) -> String {
    use base64::Engine as _;
    let origin = checkpoint::origin(settings.log_name.as_str(), &settings.stream);
    let hash = u32::from_be_bytes(key_hash(&origin, ALGORITHM_ED25519, key.as_bytes()));
    let encoded = base64::engine::general_purpose::STANDARD
        .encode([&[ALGORITHM_ED25519], key.as_bytes().as_slice()].concat());
    format!("{origin}+{hash:08x}+{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plaintext_key_is_one_that_the_format_reads() {
        let read = key_file::read_plaintext(plaintext_pem(&[7; 32]).as_bytes()).unwrap();
        assert_eq!(read.key_id(), SecretKey::from_seed(&[7; 32]).unwrap().key_id());
    }
}
