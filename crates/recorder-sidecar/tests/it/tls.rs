//! TLS 1.3 with and without client certificates, and certificates that change while it runs.

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, version};

use crate::client::Client;
use crate::sidecar::{Place, Sidecar, TOKEN, body};

/// An authority, and a certificate that it has given to `name`.
pub(crate) fn issue(name: &str) -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (authority_pem, certificate.pem(), key.serialize_pem())
}

fn connect(
    sidecar: &Sidecar,
    authority: &str,
    own: Option<(&str, &str)>,
    versions: &[&'static tokio_rustls::rustls::SupportedProtocolVersion],
) -> std::io::Result<Client> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder
                .with_client_auth_cert(
                    chain,
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap()
        }
    };
    let connection =
        ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, sidecar.tcp());
    stream.flush()?;
    // The server refuses a client's certificate after the client's side of the handshake is done.
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut first = [0; 12];
    stream.read_exact(&mut first)?;
    assert_eq!(&first, b"HTTP/1.1 200");
    let mut client = Client::new(Prefixed { prefix: first.to_vec(), stream }, Some(TOKEN));
    client.answer()?;
    Ok(client)
}

/// A stream of which the beginning has been read.
struct Prefixed<S> {
    prefix: Vec<u8>,
    stream: S,
}

impl<S: Read> Read for Prefixed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.prefix.is_empty() {
            return self.stream.read(buffer);
        }
        let count = self.prefix.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.prefix[..count]);
        self.prefix.drain(..count);
        Ok(count)
    }
}

impl<S: Write> Write for Prefixed<S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}

#[test]
fn tls_is_spoken_in_its_newest_version_and_certificates_are_read_again() {
    let place = Place::new();
    let (authority, certificate, key) = issue("localhost");
    place.secret("cert.pem", &certificate);
    place.secret("tls.pem", &key);
    let sidecar =
        place.start("transport.tcp.tls = { cert_path = \"cert.pem\", key_path = \"tls.pem\" }\n");
    let mut client = connect(&sidecar, &authority, None, &[&version::TLS13]).unwrap();
    assert_eq!(client.record("/v1/envelopes", "k", &body("t", "a")).unwrap().status, 201);
    assert!(sidecar.client().send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").is_ok());
    assert!(issue_and_connect_refused(&sidecar));
    let (authority, certificate, key) = issue("localhost");
    place.secret("cert.pem", &certificate);
    place.secret("tls.pem", &key);
    sidecar.signal(Signal::HUP);
    sidecar.wait_for("reloaded");
    assert!(connect(&sidecar, &authority, None, &[&version::TLS13]).is_ok());
    // Whoever is connected stays connected.
    assert_eq!(client.get("/health").status, 200);
}

/// An authority that did not sign the certificate trusts nobody.
fn issue_and_connect_refused(sidecar: &Sidecar) -> bool {
    let (stranger, _, _) = issue("localhost");
    connect(sidecar, &stranger, None, &[&version::TLS13]).is_err()
}

#[test]
fn where_certificates_are_asked_for_nobody_comes_in_without_one() {
    let place = Place::new();
    let (authority, certificate, key) = issue("localhost");
    let (clients, client_certificate, client_key) = issue("client");
    let (_, other_certificate, other_key) = issue("client");
    place.secret("cert.pem", &certificate);
    place.secret("tls.pem", &key);
    place.secret("clients.pem", &clients);
    let sidecar = place.start(
        "transport.tcp.tls = { cert_path = \"cert.pem\", key_path = \"tls.pem\", client_ca_path = \"clients.pem\" }\n",
    );
    let with = |own| connect(&sidecar, &authority, own, &[&version::TLS13]);
    assert!(with(Some((&client_certificate, &client_key))).is_ok());
    assert!(with(None).is_err());
    assert!(with(Some((&other_certificate, &other_key))).is_err());
}

#[test]
fn certificates_that_change_under_load_cost_nobody_a_connection() {
    let place = Place::new();
    let issued = [issue("localhost"), issue("localhost")];
    let put = |number: usize| {
        let (_, certificate, key) = &issued[number];
        place.secret("cert.pem", certificate);
        place.secret("tls.pem", key);
    };
    put(0);
    let sidecar =
        place.start("transport.tcp.tls = { cert_path = \"cert.pem\", key_path = \"tls.pem\" }\n");
    let is_done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loads: Vec<_> = (0..4)
            .map(|thread| {
                let (sidecar, is_done, issued) = (&sidecar, &is_done, &issued);
                scope.spawn(move || {
                    let mut served = 0;
                    while !is_done.load(std::sync::atomic::Ordering::Relaxed) || served == 0 {
                        // The one or the other certificate is shown, whichever was read last.
                        let connected = (0..100).find_map(|attempt| {
                            let (authority, _, _) = &issued[attempt % 2];
                            connect(sidecar, authority, None, &[&version::TLS13]).ok()
                        });
                        let key = format!("{thread}-{served}");
                        let mut client = connected.expect("one of the two is shown");
                        let answer = client.record("/v1/envelopes", &key, &body("t", &key));
                        assert_eq!(answer.unwrap().status, 201);
                        served += 1;
                    }
                })
            })
            .collect();
        for round in 1..=10 {
            put(round % 2);
            sidecar.signal(Signal::HUP);
            sidecar.wait_for("reloaded");
        }
        // Files that do not belong together change nothing.
        place.secret("tls.pem", &issued[1].2);
        sidecar.signal(Signal::HUP);
        assert_eq!(sidecar.wait_for("reload_failed")["file"], "tls");
        assert!(connect(&sidecar, &issued[0].0, None, &[&version::TLS13]).is_ok());
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        loads.into_iter().for_each(|load| load.join().unwrap());
    });
    assert!(sidecar.stop().success());
}
