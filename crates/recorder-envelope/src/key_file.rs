//! Signing keys at rest: PKCS#8 (RFC 5208, RFC 5958, RFC 8410), encrypted with PBES2 (RFC 8018).
//!
//! Written in version 1, which every reader knows. Files come from people and disks that are not
//! trusted, so what they may cost to open is bounded before any of it is spent. Opening paths,
//! permissions and randomness belong to the callers.

use pkcs8::der::Decode as _;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf, ScryptParams};
use pkcs8::pkcs5::{EncryptionScheme, scrypt};
use pkcs8::{AlgorithmIdentifierRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef};
use pkcs8::{EncryptedPrivateKeyInfoOwned, SecretDocument};
use recorder_core::limits::{PASSPHRASE_BYTES_MAX, SIGNER_KEY_BYTES_MAX};
use zeroize::Zeroizing;

use crate::signing::{PublicKeyError, SEED_BYTES, SecretKey};

/// Bytes of the salt of a written key file.
pub const SALT_BYTES: usize = 16;

/// Bytes of the AES initialisation vector of a written key file.
pub const IV_BYTES: usize = 16;

/// Memory that scrypt may ask for when a file is read: 128 MiB, the most that OWASP recommends.
pub const SCRYPT_MEMORY_BYTES_MAX: u64 = 128 << 20;

/// Parallelisation (`p`) that scrypt may ask for when a file is read: passes one after another here.
pub const SCRYPT_PARALLELIZATION_MAX: u16 = 16;

/// Iterations that PBKDF2 may ask for when a file is read: some seconds of one core.
pub const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

// 16 MiB: OpenSSL opens nothing above 32 MiB unless told to. With so little memory, OWASP asks for
// five passes; each costs an attacker as much as us.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 5;

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const PLAINTEXT_LABEL: &str = "PRIVATE KEY";

/// The header of the inner OCTET STRING that RFC 8410 §7 puts around the 32 secret bytes.
const INNER_HEADER: [u8; 2] = [0x04, 0x20];

/// Why a key file was not written or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFileError {
    /// The passphrase is empty or over `PASSPHRASE_BYTES_MAX`.
    #[error("a passphrase has 1 to {PASSPHRASE_BYTES_MAX} bytes")]
    PassphraseLength,
    /// The passphrase does not open the file, or its ciphertext was damaged: the two look alike.
    #[error("the passphrase does not open the key file")]
    WrongPassphrase,
    /// The file is larger than `SIGNER_KEY_BYTES_MAX`.
    #[error("a key file has at most {SIGNER_KEY_BYTES_MAX} bytes")]
    TooLarge,
    /// The file holds a private key in the clear, where an encrypted one was asked for.
    #[error("the key file is not encrypted")]
    NotEncrypted,
    /// The file is encrypted, where a private key in the clear was asked for.
    #[error("the key file is encrypted")]
    Encrypted,
    /// The file is not the PEM text of a PKCS#8 key.
    #[error("the key file is not PKCS#8 in PEM")]
    Malformed,
    /// The encryption is none of scrypt or PBKDF2 (HMAC-SHA-256 or -512) with AES.
    #[error("the key file is encrypted in a way that is not accepted")]
    UnsupportedEncryption,
    /// Opening the file would cost more than the limits of this module.
    #[error("the key file asks for more memory or time than is accepted")]
    TooCostly,
    /// The key is of another algorithm.
    #[error("the key file does not hold an Ed25519 key")]
    NotEd25519,
    /// The public key in the file is not the secret key's.
    #[error("the public key in the key file belongs to another secret key")]
    PublicKeyMismatch,
    /// The key is refused.
    #[error("the key in the key file is refused")]
    Key(#[source] PublicKeyError),
}

/// Writes `key` as an encrypted PEM file: PKCS#8 version 1, scrypt, AES-256-CBC.
///
/// The salt and the initialisation vector must be random and used once; they are arguments so that
/// this stays a function of what it is given.
///
/// # Errors
///
/// `PassphraseLength`; `Malformed` never, but for a defect of the encoder.
pub fn write_encrypted(
    key: &SecretKey,
    passphrase: &[u8],
    salt: &[u8; SALT_BYTES],
    iv: &[u8; IV_BYTES],
) -> Result<Zeroizing<String>, KeyFileError> {
    check_passphrase(passphrase)?;
    let mut private_key = Zeroizing::new([0; INNER_HEADER.len() + SEED_BYTES]);
    private_key[..INNER_HEADER.len()].copy_from_slice(&INNER_HEADER);
    private_key[INNER_HEADER.len()..].copy_from_slice(key.seed().as_slice());
    encrypt(private_key.as_slice(), passphrase, salt, iv).map_err(|_| KeyFileError::Malformed)
}

/// Reads an encrypted PEM file.
///
/// # Errors
///
/// By whose fault: the passphrase's, the file's, the key's. `NotEncrypted` for a key in the clear.
pub fn read_encrypted(file: &[u8], passphrase: &[u8]) -> Result<SecretKey, KeyFileError> {
    check_passphrase(passphrase)?;
    let (label, document) = read_pem(file)?;
    match label.as_str() {
        ENCRYPTED_LABEL => {}
        PLAINTEXT_LABEL => return Err(KeyFileError::NotEncrypted),
        _ => return Err(KeyFileError::Malformed),
    }
    let info = EncryptedPrivateKeyInfoOwned::from_der(document.as_bytes())
        .map_err(|_| KeyFileError::Malformed)?;
    let parameters = match &info.encryption_algorithm {
        EncryptionScheme::Pbes2(parameters) => parameters,
        _ => return Err(KeyFileError::UnsupportedEncryption),
    };
    check_cost(&parameters.kdf)?;
    let mut buffer = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
    let plaintext = parameters
        .decrypt_in_place(passphrase, &mut buffer)
        .map_err(|error| decryption_error(&error))?;
    // One wrong passphrase in some 256 leaves well-formed padding around noise.
    let info = PrivateKeyInfoRef::from_der(plaintext).map_err(|_| KeyFileError::WrongPassphrase)?;
    secret_key(&info)
}

/// Reads a PEM file that holds the key in the clear. For deployments that say so; never the default.
///
/// # Errors
///
/// By whose fault: the file's, the key's. `Encrypted` for an encrypted one.
pub fn read_plaintext(file: &[u8]) -> Result<SecretKey, KeyFileError> {
    let (label, document) = read_pem(file)?;
    match label.as_str() {
        PLAINTEXT_LABEL => {}
        ENCRYPTED_LABEL => return Err(KeyFileError::Encrypted),
        _ => return Err(KeyFileError::Malformed),
    }
    let info =
        PrivateKeyInfoRef::from_der(document.as_bytes()).map_err(|_| KeyFileError::Malformed)?;
    secret_key(&info)
}

fn encrypt(
    private_key: &[u8],
    passphrase: &[u8],
    salt: &[u8; SALT_BYTES],
    iv: &[u8; IV_BYTES],
) -> Result<Zeroizing<String>, pkcs8::Error> {
    let algorithm = AlgorithmIdentifierRef { oid: ED25519, parameters: None };
    let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(private_key)?);
    let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
        .map_err(|_| pkcs8::Error::ParametersMalformed)?;
    let parameters = Parameters::generate_scrypt_aes256cbc(cost, salt, *iv)?;
    let document = info.encrypt_with_params(parameters, passphrase)?;
    Ok(document.to_pem(ENCRYPTED_LABEL, LineEnding::LF)?)
}

fn check_passphrase(passphrase: &[u8]) -> Result<(), KeyFileError> {
    if passphrase.is_empty() || passphrase.len() as u64 > PASSPHRASE_BYTES_MAX {
        return Err(KeyFileError::PassphraseLength);
    }
    Ok(())
}

fn read_pem(file: &[u8]) -> Result<(String, SecretDocument), KeyFileError> {
    if file.len() as u64 > SIGNER_KEY_BYTES_MAX {
        return Err(KeyFileError::TooLarge);
    }
    let text = std::str::from_utf8(file).map_err(|_| KeyFileError::Malformed)?;
    let (label, document) = SecretDocument::from_pem(text).map_err(|_| KeyFileError::Malformed)?;
    Ok((label.to_owned(), document))
}

fn check_cost(kdf: &Kdf) -> Result<(), KeyFileError> {
    match kdf {
        Kdf::Scrypt(parameters) => check_scrypt_cost(parameters),
        Kdf::Pbkdf2(parameters) => check_pbkdf2_cost(parameters),
        _ => Err(KeyFileError::UnsupportedEncryption),
    }
}

fn check_scrypt_cost(parameters: &ScryptParams) -> Result<(), KeyFileError> {
    let n = parameters.cost_parameter;
    // RFC 7914 §2: a power of two larger than 1. The library below takes the logarithm unasked.
    if n < 2 || !n.is_power_of_two() || parameters.block_size == 0 {
        return Err(KeyFileError::Malformed);
    }
    let memory_bytes = n.saturating_mul(128 * u64::from(parameters.block_size));
    if memory_bytes > SCRYPT_MEMORY_BYTES_MAX
        || parameters.parallelization > SCRYPT_PARALLELIZATION_MAX
    {
        return Err(KeyFileError::TooCostly);
    }
    Ok(())
}

fn check_pbkdf2_cost(parameters: &Pbkdf2Params) -> Result<(), KeyFileError> {
    if !matches!(parameters.prf, Pbkdf2Prf::HmacWithSha256 | Pbkdf2Prf::HmacWithSha512) {
        return Err(KeyFileError::UnsupportedEncryption);
    }
    if parameters.iteration_count > PBKDF2_ITERATIONS_MAX {
        return Err(KeyFileError::TooCostly);
    }
    Ok(())
}

const fn decryption_error(error: &pkcs8::pkcs5::Error) -> KeyFileError {
    match error {
        pkcs8::pkcs5::Error::DecryptFailed => KeyFileError::WrongPassphrase,
        pkcs8::pkcs5::Error::AlgorithmParametersInvalid { .. } => KeyFileError::Malformed,
        _ => KeyFileError::UnsupportedEncryption,
    }
}

fn secret_key(info: &PrivateKeyInfoRef<'_>) -> Result<SecretKey, KeyFileError> {
    if info.algorithm.oid != ED25519 || info.algorithm.parameters.is_some() {
        return Err(KeyFileError::NotEd25519);
    }
    let seed = info
        .private_key
        .as_bytes()
        .strip_prefix(&INNER_HEADER)
        .and_then(|seed| <&[u8; SEED_BYTES]>::try_from(seed).ok())
        .ok_or(KeyFileError::Malformed)?;
    let key = SecretKey::from_seed(seed).map_err(KeyFileError::Key)?;
    match info.public_key {
        Some(claimed) if claimed.as_bytes() != Some(key.public_key().as_bytes().as_slice()) => {
            Err(KeyFileError::PublicKeyMismatch)
        }
        _ => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use pkcs8::der::Encode as _;
    use pkcs8::der::asn1::BitStringRef;
    use pkcs8::pkcs5::pbes2::Salt;

    use super::*;

    const PASSPHRASE: &[u8] = b"correct horse battery staple";

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed(&[n; 32]).unwrap()
    }

    fn written() -> String {
        write_encrypted(&key(7), PASSPHRASE, &[1; 16], &[2; 16]).unwrap().to_string()
    }

    fn plaintext(public_key: Option<&[u8]>, oid: &str) -> Vec<u8> {
        let private_key = [&INNER_HEADER[..], &[7; 32]].concat();
        let info = PrivateKeyInfoRef {
            algorithm: AlgorithmIdentifierRef {
                oid: ObjectIdentifier::new_unwrap(oid),
                parameters: None,
            },
            private_key: OctetStringRef::new(&private_key).unwrap(),
            public_key: public_key.map(|key| BitStringRef::new(0, key).unwrap()),
        };
        let document = SecretDocument::try_from(info.to_der().unwrap()).unwrap();
        document.to_pem(PLAINTEXT_LABEL, LineEnding::LF).unwrap().as_bytes().to_vec()
    }

    /// A file as an attacker would craft it: well-formed, with parameters of their choice.
    fn crafted(kdf: Kdf) -> Vec<u8> {
        let (_, document) = read_pem(written().as_bytes()).unwrap();
        let mut info = EncryptedPrivateKeyInfoOwned::from_der(document.as_bytes()).unwrap();
        let EncryptionScheme::Pbes2(parameters) = &mut info.encryption_algorithm else {
            panic!("written with PBES2");
        };
        parameters.kdf = kdf;
        let document = SecretDocument::try_from(info.to_der().unwrap()).unwrap();
        document.to_pem(ENCRYPTED_LABEL, LineEnding::LF).unwrap().as_bytes().to_vec()
    }

    fn scrypt_kdf(cost_parameter: u64, block_size: u16, parallelization: u16) -> Kdf {
        let salt = Salt::new([1; 16]).unwrap();
        let key_length = None;
        ScryptParams { salt, cost_parameter, block_size, parallelization, key_length }.into()
    }

    fn pbkdf2_kdf(iteration_count: u32, prf: Pbkdf2Prf) -> Kdf {
        let salt = Salt::new([1; 16]).unwrap();
        Pbkdf2Params { salt, iteration_count, key_length: None, prf }.into()
    }

    fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        let spawned = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            eprintln!("openssl is not on PATH: interoperation with it was not tested");
            return None;
        };
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let diagnostics = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {diagnostics}");
        Some(output.stdout)
    }

    #[test]
    fn a_written_key_is_read_back_with_its_passphrase_alone() {
        let file = written();
        assert!(file.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        let read = read_encrypted(file.as_bytes(), PASSPHRASE).unwrap();
        assert_eq!(read.key_id(), key(7).key_id());
        for wrong in [&b"correct horse battery stapl"[..], b"x"] {
            let error = read_encrypted(file.as_bytes(), wrong).unwrap_err();
            assert_eq!(error, KeyFileError::WrongPassphrase);
        }
    }

    #[test]
    fn writing_is_a_function_of_its_arguments() {
        assert_eq!(written(), written());
        let other = write_encrypted(&key(7), PASSPHRASE, &[3; 16], &[2; 16]).unwrap();
        assert_ne!(*other, written());
    }

    #[test]
    fn passphrases_are_neither_empty_nor_endless() {
        for passphrase in [&b""[..], &[b'x'; 1025]] {
            let refused = KeyFileError::PassphraseLength;
            let written = write_encrypted(&key(7), passphrase, &[1; 16], &[2; 16]);
            assert_eq!(written.unwrap_err(), refused);
            assert_eq!(read_encrypted(b"", passphrase).unwrap_err(), refused);
        }
    }

    #[test]
    fn a_plaintext_key_is_read_only_where_it_was_asked_for() {
        let ours = key(7).public_key();
        for file in
            [plaintext(None, "1.3.101.112"), plaintext(Some(ours.as_bytes()), "1.3.101.112")]
        {
            assert_eq!(read_plaintext(&file).unwrap().key_id(), ours.key_id());
            let refused = read_encrypted(&file, PASSPHRASE).unwrap_err();
            assert_eq!(refused, KeyFileError::NotEncrypted);
        }
        let refused = read_plaintext(written().as_bytes()).unwrap_err();
        assert_eq!(refused, KeyFileError::Encrypted);
    }

    #[test]
    fn other_algorithms_and_other_public_keys_are_refused() {
        let x25519 = plaintext(None, "1.3.101.110");
        assert_eq!(read_plaintext(&x25519).unwrap_err(), KeyFileError::NotEd25519);
        let theirs = plaintext(Some(key(8).public_key().as_bytes()), "1.3.101.112");
        assert_eq!(read_plaintext(&theirs).unwrap_err(), KeyFileError::PublicKeyMismatch);
    }

    #[test]
    fn what_is_not_a_key_file_is_refused() {
        let file = written();
        let oversized = vec![b'\n'; 64 * 1024 + 1];
        for (wrong, error) in [
            (&b""[..], KeyFileError::Malformed),
            (b"\xff", KeyFileError::Malformed),
            (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", KeyFileError::Malformed),
            (file.replace("ENCRYPTED PRIVATE", "PUBLIC").as_bytes(), KeyFileError::Malformed),
            (file.replacen("\nM", "\nA", 1).as_bytes(), KeyFileError::Malformed),
            (&file.as_bytes()[..file.len() / 2], KeyFileError::Malformed),
            (&oversized, KeyFileError::TooLarge),
        ] {
            assert_eq!(read_encrypted(wrong, PASSPHRASE).unwrap_err(), error);
        }
    }

    #[test]
    fn a_hostile_file_cannot_ask_for_memory_or_time() {
        for (kdf, error) in [
            (scrypt_kdf(1 << 18, 8, 1), KeyFileError::TooCostly),
            (scrypt_kdf(1 << 63, u16::MAX, 1), KeyFileError::TooCostly),
            (scrypt_kdf(1 << 14, u16::MAX, 1), KeyFileError::TooCostly),
            (scrypt_kdf(1 << 14, 8, 17), KeyFileError::TooCostly),
            (scrypt_kdf(0, 8, 1), KeyFileError::Malformed),
            (scrypt_kdf(1, 8, 1), KeyFileError::Malformed),
            (scrypt_kdf(20_000, 8, 1), KeyFileError::Malformed),
            (scrypt_kdf(1 << 14, 0, 1), KeyFileError::Malformed),
            (scrypt_kdf(1 << 14, 8, 0), KeyFileError::Malformed),
            (pbkdf2_kdf(10_000_001, Pbkdf2Prf::HmacWithSha256), KeyFileError::TooCostly),
            (pbkdf2_kdf(1, Pbkdf2Prf::HmacWithSha1), KeyFileError::UnsupportedEncryption),
        ] {
            let file = crafted(kdf.clone());
            assert_eq!(read_encrypted(&file, PASSPHRASE).unwrap_err(), error, "{kdf:?}");
        }
    }

    #[test]
    fn openssl_reads_what_is_written_here() {
        let arguments = ["pkcs8", "-passin", "pass:correct horse battery staple"];
        let Some(file) = openssl(&arguments, written().as_bytes()) else { return };
        assert_eq!(read_plaintext(&file).unwrap().key_id(), key(7).key_id());
    }

    #[test]
    fn what_openssl_writes_is_read_here() {
        let Some(file) = openssl(&["genpkey", "-algorithm", "ed25519"], b"") else { return };
        let key_id = read_plaintext(&file).unwrap().key_id();
        for flags in [
            &["-v2", "aes-256-cbc"][..],
            &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
            &["-scrypt", "-v2", "aes-256-cbc"],
        ] {
            let passphrase = ["pkcs8", "-topk8", "-passout", "pass:correct horse battery staple"];
            let encrypted = openssl(&[&passphrase, flags].concat(), &file).unwrap();
            assert_eq!(read_encrypted(&encrypted, PASSPHRASE).unwrap().key_id(), key_id);
        }
    }
}
