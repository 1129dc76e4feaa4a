//! A control plane for tests: honest unless it is told to misbehave, in every way that a network and a program can.
//!
//! `docs/control-plane.md` is what it speaks. It is told how to behave by `POST /test/behaviour`, says what it heard by
//! `GET /test/seen`, and lets go of whom it holds by `POST /test/release`. Deliberately absent: any policy; it allows.
#![expect(clippy::print_stdout, reason = "its address is its one output")]

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, version};

/// How long somebody who is held is held at most.
const HELD_MAX: Duration = Duration::from_secs(60);

/// What all connections share.
#[derive(Default)]
struct State {
    told: Mutex<Told>,
    released: Condvar,
    connections: AtomicU64,
}

#[derive(Default)]
struct Told {
    /// By moment: `admission`, `hook_admission`, `hook_result`, `health`.
    behaviour: BTreeMap<String, String>,
    seen: Vec<Value>,
    releases: u64,
}

impl State {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self) {
        let told = self.told();
        let before = told.releases;
        let is_held = |told: &mut Told| told.releases == before;
        drop(self.released.wait_timeout_while(told, HELD_MAX, is_held));
    }
}

/// One request as it came.
struct Request {
    method: String,
    path: String,
    authorization: Option<String>,
    body: Vec<u8>,
}

/// What a connection is good for after an answer.
enum Next {
    Request,
    Nothing,
}

fn main() -> ExitCode {
    match listen() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Listens at the first argument; with a certificate and a key after it, by TLS.
fn listen() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().map_or("127.0.0.1:0", String::as_str);
    let tls = match &arguments[..] {
        [_, certificate, key] => Some(Arc::new(tls(certificate, key)?)),
        _ => None,
    };
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    let state = Arc::new(State::default());
    for stream in listener.incoming() {
        let (stream, state, tls) = (stream?, Arc::clone(&state), tls.clone());
        stream.set_nodelay(true)?;
        std::thread::spawn(move || match tls {
            None => serve(stream, &state),
            Some(config) => {
                let connection = ServerConnection::new(config).map_err(io::Error::other)?;
                serve(StreamOwned::new(connection, stream), &state)
            }
        });
    }
    Ok(())
}

fn tls(certificate: &str, key: &str) -> io::Result<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
        .map_err(io::Error::other)
}

fn serve(stream: impl Read + Write, state: &State) -> io::Result<()> {
    let number = state.connections.fetch_add(1, Ordering::Relaxed);
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        match answer(stream.get_mut(), state, number, &request)? {
            Next::Request => {}
            Next::Nothing => return Ok(()),
        }
    }
    Ok(())
}

fn read(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut parts = line.split(' ').map(str::to_owned);
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (mut authorization, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some(Request { method, path, authorization, body }))
}

fn answer(
    stream: &mut impl Write,
    state: &State,
    connection: u64,
    request: &Request,
) -> io::Result<Next> {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/test/behaviour") => {
            state.told().behaviour = serde_json::from_slice(&request.body)?;
            return write(stream, 200, "{}").map(|()| Next::Request);
        }
        ("GET", "/test/seen") => {
            let seen = std::mem::take(&mut state.told().seen);
            return write(stream, 200, &Value::from(seen).to_string()).map(|()| Next::Request);
        }
        ("POST", "/test/release") => {
            state.told().releases += 1;
            state.released.notify_all();
            return write(stream, 200, "{}").map(|()| Next::Request);
        }
        _ => {}
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let seen = json!({
        "method": request.method,
        "path": request.path,
        "authorization": request.authorization,
        "connection": connection,
        "body": body,
    });
    state.told().seen.push(seen);
    let Some((moment, honest)) = honest(request, &body) else {
        return write(stream, 404, "{}").map(|()| Next::Request);
    };
    let behaviour = state.told().behaviour.get(moment).cloned().unwrap_or_default();
    behave(stream, state, &behaviour, &body, &honest)
}

/// Which moment a request is about, and what an honest control plane answers.
fn honest(request: &Request, body: &Value) -> Option<(&'static str, Value)> {
    let id = &body["server_correlation_id"];
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/base/v1/enterprise/sidecar/admission") => {
            let holds = body["asserts_writer_lease"] == true;
            let lease = if holds { "held" } else { "not_held" };
            let answer =
                json!({ "server_correlation_id": id, "decision": "allow", "writer_lease": lease });
            Some(("admission", answer))
        }
        ("POST", "/base/v1/enterprise/sidecar/hooks") => {
            let moment =
                if body["boundary"] == "result" { "hook_result" } else { "hook_admission" };
            let answer = json!({ "server_correlation_id": id, "boundary": body["boundary"] });
            Some((moment, answer))
        }
        ("GET", "/base/health") => Some(("health", json!({}))),
        _ => None,
    }
}

fn behave(
    stream: &mut impl Write,
    state: &State,
    behaviour: &str,
    body: &Value,
    honest: &Value,
) -> io::Result<Next> {
    let text = honest.to_string();
    if let Some(bytes) = last_words(behaviour, &text) {
        stream.write_all(bytes.as_bytes())?;
        return match behaviour {
            "die" => std::process::exit(3),
            "dripping" => {
                state.hold();
                Ok(Next::Nothing)
            }
            _ => Ok(Next::Nothing),
        };
    }
    match behaviour {
        "" => write(stream, 200, &text)?,
        "hold" => {
            state.hold();
            write(stream, 200, &text)?;
        }
        "hang" => {
            state.hold();
            return Ok(Next::Nothing);
        }
        "close" => return Ok(Next::Nothing),
        "endless" => {
            stream.write_all(with("content-type: application/json\r\n", "").as_bytes())?;
            loop {
                stream.write_all(&[b' '; 4096])?;
            }
        }
        "no_json" => write(stream, 200, "yes")?,
        status if status.starts_with("status_") => {
            let status = status.trim_start_matches("status_").parse().map_err(io::Error::other)?;
            write(stream, status, &text)?;
        }
        // What a test says, about the request that is asked about.
        given => {
            let id = body["server_correlation_id"].as_str().unwrap_or_default();
            write(stream, 200, &given.replace("$ID", id))?;
        }
    }
    Ok(Next::Request)
}

/// A status 200 with headers of one's own.
fn with(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}")
}

/// The bytes of answers after which a connection is good for nothing more.
fn last_words(behaviour: &str, text: &str) -> Option<String> {
    const JSON: &str = "content-type: application/json\r\n";
    let length = |length: usize| format!("content-length: {length}\r\n");
    let sized = |headers: &str| with(&format!("{headers}{}", length(text.len())), text);
    Some(match behaviour {
        "garbage" => "\u{0}\u{1}yes\r\n\r\nyes".to_owned(),
        "half" => with(&format!("{JSON}{}", length(text.len() + 1)), text),
        "half_head" => "HTTP/1.1 200 OK\r\ncontent-type: application/js".to_owned(),
        "die" | "dripping" => {
            with(&format!("{JSON}{}", length(text.len())), &text[..text.len() / 2])
        }
        "no_type" => sized(""),
        "html" => sized("content-type: text/html\r\n"),
        "two_types" => sized(&format!("{JSON}content-type: text/html\r\n")),
        "compressed" => sized(&format!("{JSON}content-encoding: gzip\r\n")),
        "redirect" => sized(&format!("{JSON}location: /elsewhere\r\n")).replacen("200", "302", 1),
        "huge" => {
            let padded = format!("{text}{}", " ".repeat(65 << 10));
            with(&format!("{JSON}{}", length(padded.len())), &padded)
        }
        "huge_head" => with(&format!("x-padding: {}\r\n", "a".repeat(1 << 20)), ""),
        _ => return None,
    })
}

fn write(stream: &mut impl Write, status: u16, body: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())
}
