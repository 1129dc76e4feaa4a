//! `healthcheck`: asks a probe of a running sidecar, for supervisors that have no HTTP client.
//!
//! Deliberately absent: redirects and any address but one of this machine. A supervisor stands beside the sidecar;
//! whoever listens on the network only can be asked by whoever supervises networks.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use recorder_sidecar_config::config::is_loopback;
use recorder_sidecar_config::tls::{ClientTlsFiles, load_client};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

/// How long the whole of it may take: a sidecar that drips its answer is not healthy.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of an answer that are read: its first line.
const LINE_BYTES_MAX: u64 = 256;

/// Where a probe is asked.
#[derive(Debug)]
pub(crate) enum Target {
    /// At `http://HOST:PORT/PATH` or `https://HOST:PORT/PATH`, where the host is a loopback address or localhost.
    Url {
        /// The URL.
        url: String,
        /// What https needs.
        tls: Option<ClientTlsFiles>,
    },
    /// Through a Unix socket.
    Unix {
        /// The socket.
        socket: PathBuf,
        /// The probe.
        path: String,
    },
}

/// Asks, and waits for at most three seconds.
///
/// # Errors
///
/// Why the answer was not 200, in words.
pub(crate) fn ask(target: Target) -> Result<(), String> {
    let (answer, answered) = sync_channel(1);
    let run = move || {
        let outcome = match target {
            Target::Url { url, tls } => ask_url(&url, tls.as_ref()),
            Target::Unix { socket, path } => {
                let stream = UnixStream::connect(&socket);
                stream
                    .map_err(|error| format!("{}: {error}", socket.display()))
                    .and_then(|stream| exchange(stream, "localhost", &path))
            }
        };
        // Nobody listens any more once it took too long.
        let _ = answer.send(outcome);
    };
    // Connecting and reading may block for as long as the other side likes; this process ends all the same.
    std::thread::Builder::new().spawn(run).map_err(|error| error.to_string())?;
    let seconds = TIMEOUT.as_secs();
    answered
        .recv_timeout(TIMEOUT)
        .unwrap_or_else(|_| Err(format!("no answer in {seconds} seconds")))
}

fn ask_url(url: &str, tls: Option<&ClientTlsFiles>) -> Result<(), String> {
    let (rest, tls) = match (url.strip_prefix("http://"), url.strip_prefix("https://"), tls) {
        (Some(rest), _, None) => (rest, None),
        (None, Some(rest), Some(tls)) => (rest, Some(tls)),
        (Some(_), _, Some(_)) => return Err("certificates are for https:// only".to_owned()),
        (None, Some(_), None) => return Err("https:// needs --ca-cert".to_owned()),
        (None, None, _) => return Err("the URL must begin with http:// or https://".to_owned()),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let default_port = if tls.is_some() { 443 } else { 80 };
    let (name, address) = address(authority, default_port)
        .ok_or("the URL must name a loopback address or localhost")?;
    let path = if path.is_empty() { "/health" } else { path };
    let stream =
        TcpStream::connect_timeout(&address, TIMEOUT).map_err(|error| error.to_string())?;
    let Some(tls) = tls else { return exchange(stream, authority, path) };
    let config = load_client(tls).map_err(|error| error.to_string())?;
    let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
    let connection = ClientConnection::new(config, name).map_err(|error| error.to_string())?;
    exchange(StreamOwned::new(connection, stream), authority, path)
}

/// The name that a certificate must bear, and the address that is meant.
fn address(authority: &str, default_port: u16) -> Option<(String, SocketAddr)> {
    let local = |port| {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Some(("localhost".to_owned(), address))
    };
    let found = match authority.strip_prefix("localhost") {
        Some("") => local(default_port),
        Some(port) => local(port.strip_prefix(':')?.parse().ok()?),
        None => {
            let address: SocketAddr = authority.parse().ok()?;
            Some((address.ip().to_string(), address))
        }
    };
    found.filter(|(_, address)| is_loopback(address.ip()))
}

fn exchange(mut stream: impl Read + Write, host: &str, path: &str) -> Result<(), String> {
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the path must begin with / and hold visible ASCII only".to_owned());
    }
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut line = Vec::new();
    let mut answer = BufReader::new(stream.take(LINE_BYTES_MAX));
    answer.read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    match line.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(()),
        // What listens there may be anything, and say anything.
        false => Err(format!("answered {}", line.trim_ascii_end().escape_ascii())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked() {
        for (allowed, port) in
            [("127.0.0.1:8787", 8787), ("[::1]:1", 1), ("localhost:9", 9), ("localhost", 80)]
        {
            assert_eq!(address(allowed, 80).unwrap().1.port(), port, "{allowed}");
        }
        for refused in [
            "192.0.2.1:80",
            "example.org:80",
            "localhost.example:80",
            "127.0.0.1",
            "169.254.169.254:80",
            "a@127.0.0.1:80",
        ] {
            assert!(address(refused, 80).is_none(), "{refused}");
        }
    }
}
