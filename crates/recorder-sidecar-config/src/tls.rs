//! TLS 1.3, and nothing older: the certificate, its key, and who issues client certificates.
//!
//! The provider is ring; there is no system library. Deliberately absent: revocation lists, session tickets, and early
//! data, which would let a request be replayed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use recorder_fs::FileError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Bytes of a file with certificates: a long chain, or some hundred issuers.
const CERTIFICATE_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a private key: RSA with 16,384 bits.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Where the material for TLS lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub cert_path: PathBuf,
    /// Its private key.
    pub key_path: PathBuf,
    /// Issuers of client certificates; with them every client must present one.
    pub client_ca_path: Option<PathBuf>,
}

/// Which of the files is at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsFile {
    /// The chain.
    Certificate,
    /// The key.
    Key,
    /// The issuers.
    ClientCa,
}

/// Why a file for TLS was refused.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct TlsError {
    /// Which one.
    pub file: TlsFile,
    /// What is wrong with it. No secret is in it.
    pub detail: String,
}

impl TlsError {
    fn new(file: TlsFile, detail: impl Into<String>) -> Self {
        Self { file, detail: detail.into() }
    }
}

/// Reads the files and makes of them what a listener needs.
///
/// # Errors
///
/// `TlsError` names the file: not read, not PEM, empty, or a key that is not that of the certificate.
pub fn load(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(TlsFile::Certificate, &files.cert_path)?;
    let key = private_key(&files.key_path)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| TlsError::new(TlsFile::Key, error.to_string()))?;
    let builder = match &files.client_ca_path {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let refused = |detail: String| TlsError::new(TlsFile::ClientCa, detail);
            let roots = issuers(TlsFile::ClientCa, path)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(
                verifier.build().map_err(|error| refused(error.to_string()))?,
            )
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::new(TlsFile::Key, "is not the key of the certificate")
        }
        error => TlsError::new(TlsFile::Certificate, error.to_string()),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Where the material of a client lies: of the sidecar's own, which asks whether another one answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientTlsFiles {
    /// Who issued the server's certificate; without it whomever this machine trusts.
    pub ca_path: Option<PathBuf>,
    /// The chain to present and its private key, for servers that ask for one.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// Reads the files and makes of them what a client needs.
///
/// # Errors
///
/// `TlsError` as for a listener; its `ClientCa` is here who issued the server's certificate.
pub fn load_client(files: &ClientTlsFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match &files.ca_path {
        Some(path) => issuers(TlsFile::ClientCa, path)?,
        None => trusted_here()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| TlsError::new(TlsFile::Key, error.to_string()))?
        .with_root_certificates(roots);
    let config = match &files.own {
        None => builder.with_no_client_auth(),
        Some((cert_path, key_path)) => {
            let chain = certificates(TlsFile::Certificate, cert_path)?;
            builder
                .with_client_auth_cert(chain, private_key(key_path)?)
                .map_err(|error| TlsError::new(TlsFile::Key, error.to_string()))?
        }
    };
    Ok(Arc::new(config))
}

/// Those whom this machine trusts. Some may be of forms that are not read here; the others do.
fn trusted_here() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(TlsError::new(TlsFile::ClientCa, "is missing, and this machine trusts nobody")),
        false => Ok(roots),
    }
}

fn issuers(file: TlsFile, path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, path)? {
        roots.add(certificate).map_err(|error| TlsError::new(file, error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(file: TlsFile, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = recorder_fs::read_bounded(path, CERTIFICATE_BYTES_MAX)
        .map_err(|error| TlsError::new(file, error.to_string()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match read {
        Ok(found) if found.is_empty() => Err(TlsError::new(file, "holds no certificate in PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(TlsError::new(file, format!("is not PEM: {error}"))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let refused = |error: FileError| TlsError::new(TlsFile::Key, error.to_string());
    let bytes = recorder_fs::read_secret(path, KEY_BYTES_MAX).map_err(refused)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        TlsError::new(TlsFile::Key, format!("holds no private key in PEM: {error}"))
    })
}
