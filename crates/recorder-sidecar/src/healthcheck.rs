//! `healthcheck`: asks a probe of a running sidecar, for supervisors that have no HTTP client.
//!
//! Deliberately absent: TLS, redirects and any address but one of this machine. A supervisor stands beside the
//! sidecar; whoever listens on the network only can be asked by whoever supervises networks.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use recorder_sidecar_config::config::is_loopback;

/// How long connecting, writing and each reading may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Asks at `http://HOST:PORT/PATH`, where the host is a loopback address or localhost.
///
/// # Errors
///
/// Why the answer was not 200, in words.
pub(crate) fn tcp(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("http://").ok_or("the URL must begin with http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address = address(authority).ok_or("the URL must name a loopback address or localhost")?;
    let path = if path.is_empty() { "/health" } else { path };
    let stream =
        TcpStream::connect_timeout(&address, TIMEOUT).map_err(|error| error.to_string())?;
    let timed = stream.set_read_timeout(Some(TIMEOUT)).and(stream.set_write_timeout(Some(TIMEOUT)));
    timed.map_err(|error| error.to_string())?;
    ask(stream, authority, path)
}

/// Asks through a Unix socket.
///
/// # Errors
///
/// Why the answer was not 200, in words.
pub(crate) fn unix(socket: &Path, path: &str) -> Result<(), String> {
    let stream = UnixStream::connect(socket).map_err(|error| error.to_string())?;
    let timed = stream.set_read_timeout(Some(TIMEOUT)).and(stream.set_write_timeout(Some(TIMEOUT)));
    timed.map_err(|error| error.to_string())?;
    ask(stream, "localhost", path)
}

fn address(authority: &str) -> Option<SocketAddr> {
    let local =
        |port: &str| Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?));
    let address = match authority.strip_prefix("localhost") {
        Some("") => local("80"),
        Some(port) => local(port.strip_prefix(':')?),
        None => authority.parse().ok(),
    };
    address.filter(|address: &SocketAddr| is_loopback(address.ip()))
}

fn ask(mut stream: impl Read + Write, host: &str, path: &str) -> Result<(), String> {
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the path must begin with / and hold visible ASCII only".to_owned());
    }
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(|error| error.to_string())?;
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match line.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(format!("answered {}", line.escape_ascii())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked() {
        for allowed in ["127.0.0.1:8787", "[::1]:1", "localhost:9", "localhost"] {
            assert!(address(allowed).is_some(), "{allowed}");
        }
        for refused in [
            "192.0.2.1:80",
            "example.org:80",
            "localhost.example:80",
            "127.0.0.1",
            "169.254.169.254:80",
            "a@127.0.0.1:80",
        ] {
            assert!(address(refused).is_none(), "{refused}");
        }
    }
}
