//! From a name to a connection: resolved, judged, connected, in that order and to those addresses.
//!
//! What is connected to is what was judged: the name is not resolved again in between. Deliberately absent: proxies,
//! from the environment or from elsewhere.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use recorder_sidecar_config::address::may_be_asked;
use recorder_sidecar_config::config::is_loopback;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower_service::Service;

/// Names that are resolved at once. The system may take long over each, on a thread that nothing else can have then.
const RESOLUTIONS_MAX: usize = 4;

/// Connects to the control plane.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    resolutions: Arc<Semaphore>,
}

impl Reach {
    pub(super) fn new() -> Self {
        Self { resolutions: Arc::new(Semaphore::new(RESOLUTIONS_MAX)) }
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let is_plain = uri.scheme_str() != Some("https");
        let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let addresses = self.resolve(host, port).await?;
        judge(&addresses, is_plain)?;
        let stream = TcpStream::connect(&addresses[..]).await?;
        // Questions are written whole; waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        Ok(TokioIo::new(stream))
    }

    async fn resolve(&self, host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let permit = Arc::clone(&self.resolutions).acquire_owned().await;
        let permit = permit.map_err(io::Error::other)?;
        let resolved = tokio::task::spawn_blocking(move || {
            // Whoever asked may be gone before the system has answered; the place is taken until then.
            let _permit = permit;
            (host.as_str(), port).to_socket_addrs().map(Vec::from_iter)
        });
        resolved.await.map_err(io::Error::other)?
    }
}

/// Whether every address that a name leads to may be asked; without TLS, only this machine.
fn judge(addresses: &[SocketAddr], is_plain: bool) -> io::Result<()> {
    let refused = |address: &&SocketAddr| {
        !may_be_asked(address.ip()) || (is_plain && !is_loopback(address.ip()))
    };
    match addresses.iter().find(refused) {
        Some(address) => {
            let ip = address.ip();
            Err(io::Error::other(format!("{ip} is an address that is never asked")))
        }
        None => Ok(()),
    }
}

impl Service<Uri> for Reach {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(addresses: &[&str], is_plain: bool) -> bool {
        let addresses: Vec<_> =
            addresses.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 1)).collect();
        judge(&addresses, is_plain).is_ok()
    }

    #[test]
    fn one_address_that_is_never_asked_spoils_the_name() {
        assert!(judged(&["10.0.0.1", "2001:db8::1"], false));
        assert!(!judged(&["10.0.0.1", "169.254.169.254"], false));
        assert!(!judged(&["10.0.0.1", "::ffff:169.254.169.254"], false));
    }

    #[test]
    fn without_tls_a_name_leads_to_this_machine_or_nowhere() {
        assert!(judged(&["127.0.0.1", "::1"], true));
        assert!(!judged(&["127.0.0.1", "10.0.0.1"], true));
        assert!(!judged(&["192.0.2.1"], true));
    }

    #[tokio::test]
    async fn what_a_connection_is_made_to_is_judged_first() {
        // Nothing listens there; were it asked, the answer would be another.
        for uri in ["https://169.254.169.254/", "https://[::ffff:a9fe:a9fe]/", "https://0.0.0.0/"] {
            let refused = Reach::new().connect(uri.parse().unwrap()).await.unwrap_err();
            assert!(
                refused.to_string().ends_with("is an address that is never asked"),
                "{refused}"
            );
        }
    }

    #[tokio::test]
    async fn spellings_that_only_the_system_knows_are_judged_after_it_resolved_them() {
        for uri in ["https://2852039166/", "https://0xa9fea9fe/", "https://169.254.43518/"] {
            let refused = Reach::new().connect(uri.parse().unwrap()).await.unwrap_err().to_string();
            // A system that does not know the spelling has nothing to connect to.
            let is_unknown = !refused.contains("refused") && !refused.contains("timed out");
            assert!(refused.contains("169.254.169.254 is an address") || is_unknown, "{refused}");
        }
    }
}
