//! Listeners, connections, signals: from the first bind to the last answer.
//!
//! Everything has started before anything listens. On SIGTERM nothing new is accepted, every request that is being
//! worked on is answered, the writer's queue is drained, and only then does the process end. On SIGHUP the tokens and
//! the TLS files are read again; what cannot be read changes nothing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use recorder_sidecar_api::problem::Problem;
use recorder_sidecar_config::config::{LogLevel, UnixSettings};
use recorder_sidecar_config::secret::Token;
use recorder_sidecar_config::tls;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::audit::{FileOutcome, Peer, Reloads, Stopped};
use crate::control_plane::CALLS_MAX;
use crate::gate::{Gate, HEAD_TIMEOUT, Refusal};
use crate::handle::{Connection, handle};
use crate::metrics::NO_ROUTE;
use crate::service::Service;

/// Connections at once, if the system lets the process have as many.
const CONNECTIONS_MAX: u64 = 16_384;
/// Connections beyond those: on them probes are answered, and everybody else is told that every place is taken.
const SPARE_CONNECTIONS: u32 = 64;
/// Descriptors that are not connections: the database, its log, temporary files.
const OTHER_DESCRIPTORS: u64 = 128;
/// Descriptors for a control plane, where there is one: a connection for each question, and as many that are closing.
const CONTROL_PLANE_DESCRIPTORS: u64 = 2 * CALLS_MAX as u64;
/// How long one who found no place may take to ask for a probe.
const SPARE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long those who are connected have to finish when the sidecar stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
/// How long somebody who was refused may take to read it.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);
/// How long nothing is accepted after the system refused to.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The TLS settings in force; none for plain TCP.
type Tls = Option<Arc<RwLock<Arc<ServerConfig>>>>;

/// SIGHUP, from now on. Before anybody asks for it, it ends the process, which whoever reloads a service that is still
/// starting does not mean.
///
/// # Errors
///
/// What the system says.
pub(crate) fn reload_signal() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Listens, serves, and returns when everything has been answered. On `reload_signal` files are read again.
///
/// # Errors
///
/// What prevented listening, in words.
pub(crate) async fn run(service: Arc<Service>, reload_signal: Signal) -> Result<(), String> {
    let signals = Signals::new(reload_signal).map_err(|error| error.to_string())?;
    let room = Room::new(service.control_plane.is_some());
    let (drain, draining) = watch::channel(false);
    let tls: Tls = service
        .config
        .tcp()
        .and_then(|tcp| tcp.tls.as_ref())
        .map(|tls| Arc::new(RwLock::new(Arc::clone(&tls.server))));
    let tcp = match service.config.tcp() {
        Some(settings) => Some(bind_tcp(settings.address).await?),
        None => None,
    };
    let unix = match service.config.unix() {
        Some(settings) => Some(UnixSocket::bind(settings)?),
        None => None,
    };
    log_start(&service, tcp.as_ref(), unix.as_ref());
    let mut acceptors = Vec::new();
    let server = Server {
        service: Arc::clone(&service),
        room: Arc::clone(&room),
        draining,
        is_plain_tcp: false,
    };
    if let Some(listener) = tcp {
        let server = Server { is_plain_tcp: tls.is_none(), ..server.clone() };
        acceptors.push(tokio::spawn(server.accept_tcp(listener, tls.clone())));
    }
    if let Some(socket) = &unix {
        acceptors.push(tokio::spawn(server.clone().accept_unix(Arc::clone(&socket.listener))));
    }
    let signal = signals.wait(&service, &tls).await;
    service.log.write(LogLevel::Info, "stopping", &[]);
    service.draining.store(true, std::sync::atomic::Ordering::Release);
    acceptors.iter().for_each(tokio::task::JoinHandle::abort);
    drop(unix);
    // Whoever listens to this is told; nobody else is left.
    let _ = drain.send(true);
    let connections_cut = tokio::time::timeout(DRAIN_TIMEOUT, room.empty()).await.is_err();
    if connections_cut {
        service.log.write(LogLevel::Warn, "connections_cut", &[]);
    }
    let last = Arc::clone(&service);
    // What was handed to the writer is committed, whoever is still there to hear of it.
    let stopped = Stopped { signal, connections_cut };
    let finished = tokio::task::spawn_blocking(move || last.finish(stopped)).await;
    service.log.write(LogLevel::Info, "stopped", &[]);
    finished.map_err(|error| error.to_string())
}

fn log_start(service: &Service, tcp: Option<&TcpListener>, unix: Option<&UnixSocket>) {
    let address =
        tcp.and_then(|listener| listener.local_addr().ok()).map(|address| address.to_string());
    let path = unix.map(|socket| socket.path.display().to_string());
    let members = [
        ("tcp", address.into()),
        ("unix", path.into()),
        ("durability", service.recorder.store().durability().into()),
        ("otel", service.doors.is_some().into()),
    ];
    service.log.write(LogLevel::Info, "listening", &members);
}

async fn bind_tcp(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("{address}: {error}"))
}

/// A Unix socket that goes away with the sidecar.
struct UnixSocket {
    listener: Arc<UnixListener>,
    path: PathBuf,
}

impl UnixSocket {
    /// Listens at a path, where nothing may be but the socket of a sidecar that is gone.
    fn bind(settings: &UnixSettings) -> Result<Self, String> {
        let path = settings.path.clone();
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        remove_dead_socket(&path)?;
        // Nobody else may connect between its making and its permissions.
        let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
        let listener = UnixListener::bind(&path);
        rustix::process::umask(umask);
        let listener = Arc::new(listener.map_err(failed)?);
        let mode = rustix::fs::Mode::from_raw_mode(settings.mode);
        rustix::fs::chmod(&path, mode).map_err(|errno| failed(errno.into()))?;
        Ok(Self { listener, path })
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // One that is gone already is no loss.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn remove_dead_socket(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::FileTypeExt;
    let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(format!("{}: is there and is no socket", path.display()));
    }
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(format!("{}: another process listens there", path.display())),
        // Only this says that nobody has it any more; one that may not be asked, or is of another kind, is somebody's.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// How many connections there may be.
struct Room {
    places: Arc<Semaphore>,
    count: u32,
    spares: Arc<Semaphore>,
}

/// One of them.
struct Place {
    _permit: OwnedSemaphorePermit,
    is_spare: bool,
}

impl Room {
    fn new(is_governed: bool) -> Arc<Self> {
        let count = u32::try_from(connections_max(is_governed)).unwrap_or(u32::MAX);
        let places = |count: u32| Arc::new(Semaphore::new(count as usize));
        Arc::new(Self { places: places(count), count, spares: places(SPARE_CONNECTIONS) })
    }

    /// A place, or a spare one; none where even those are taken.
    fn enter(&self) -> Option<Place> {
        let enter = |places: &Arc<Semaphore>, is_spare| {
            let permit = Arc::clone(places).try_acquire_owned().ok()?;
            Some(Place { _permit: permit, is_spare })
        };
        enter(&self.places, false).or_else(|| enter(&self.spares, true))
    }

    /// Returns when nobody is connected.
    async fn empty(&self) {
        // The semaphores are never closed.
        let _ = self.places.acquire_many(self.count).await;
        let _ = self.spares.acquire_many(SPARE_CONNECTIONS).await;
    }
}

/// As many as the system allows, of which some are needed for files.
fn connections_max(is_governed: bool) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let governor = if is_governed { CONTROL_PLANE_DESCRIPTORS } else { 0 };
    let others = OTHER_DESCRIPTORS + governor + u64::from(SPARE_CONNECTIONS);
    let wanted = CONNECTIONS_MAX + others;
    let maximum = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let current = limit.current.unwrap_or(wanted);
    if current < maximum {
        let raised = Rlimit { current: Some(maximum), maximum: limit.maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            return maximum.saturating_sub(others).max(16);
        }
    }
    current.min(wanted).saturating_sub(others).max(16)
}

/// What a connection is served with.
#[derive(Clone)]
struct Server {
    service: Arc<Service>,
    room: Arc<Room>,
    draining: watch::Receiver<bool>,
    /// Whether its connections are TCP without TLS.
    is_plain_tcp: bool,
}

impl Server {
    async fn accept_tcp(self, listener: TcpListener, tls: Tls) {
        loop {
            let Ok((stream, address)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let peer = Peer::Tcp(address.ip());
            // One who finds no place at all is cut at once: to keep it waiting would cost a place.
            let Some(place) = self.room.enter() else { continue };
            // Answers are written whole; waiting for more to send would only delay them.
            let _ = stream.set_nodelay(true);
            let server = self.clone();
            match &tls {
                None => drop(tokio::spawn(server.serve(stream, place, peer))),
                Some(config) => {
                    let config = Arc::clone(&config.read().unwrap_or_else(PoisonError::into_inner));
                    tokio::spawn(async move {
                        let accepted = TlsAcceptor::from(config).accept(stream);
                        let wait_max =
                            if place.is_spare { SPARE_TIMEOUT } else { HANDSHAKE_TIMEOUT };
                        let accepted = tokio::time::timeout(wait_max, accepted).await;
                        if let Ok(Ok(stream)) = accepted {
                            server.serve(stream, place, peer).await;
                        }
                    });
                }
            }
        }
    }

    async fn accept_unix(self, listener: Arc<UnixListener>) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Some(place) = self.room.enter() else { continue };
            let peer = Peer::Unix(stream.peer_cred().ok().map(|it| it.uid()));
            tokio::spawn(self.clone().serve(stream, place, peer));
        }
    }

    /// Serves one connection to its end.
    async fn serve<S>(mut self, stream: S, place: Place, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let head_timeout = if place.is_spare { SPARE_TIMEOUT } else { HEAD_TIMEOUT };
        let gate = Gate::new(stream, self.service.config.limits().max_header_bytes, head_timeout);
        let service = Arc::clone(&self.service);
        let known = Connection {
            cut: gate.cut(),
            peer,
            is_spare: place.is_spare,
            is_reachable_by_browsers: self.is_plain_tcp && service.tokens.is_none(),
        };
        let answer = hyper::service::service_fn(move |request| {
            let answered: Pin<Box<dyn Future<Output = _> + Send>> =
                Box::pin(handle(Arc::clone(&service), known.clone(), request));
            answered
        });
        // The end of what the gate lets through is not the end of the connection: answers are still written.
        let mut connection =
            http1::Builder::new().half_close(true).serve_connection(TokioIo::new(gate), answer);
        let mut is_told = false;
        loop {
            tokio::select! {
                _ = std::future::poll_fn(|cx| connection.poll_without_shutdown(cx)) => break,
                // The channel closes only with the process.
                _ = self.draining.wait_for(|draining| *draining), if !is_told => {
                    is_told = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        }
        let (stream, refusal) = connection.into_parts().io.into_inner().into_parts();
        // Somebody who reads nothing is not waited for.
        let _ =
            tokio::time::timeout(FAREWELL_TIMEOUT, farewell(&self.service, stream, refusal)).await;
    }
}

/// Says why a connection ends, if it was refused, and ends it so that this can be read.
async fn farewell<S>(service: &Service, mut stream: S, refusal: Option<Refusal>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(refusal) = refusal {
        let id = service.correlation_id();
        let began = tokio::time::Instant::now();
        service.metrics.count(None, refusal.code.status(), Some(refusal.code), began);
        let members = [
            ("route", NO_ROUTE.into()),
            ("status", refusal.code.status().into()),
            ("code", refusal.code.code().into()),
            ("server_correlation_id", id.as_str().into()),
        ];
        service.log.write(LogLevel::Debug, "request", &members);
        let problem = Problem::new(refusal.code, refusal.detail, id.as_str()).to_json();
        let retry = if refusal.code.is_retryable() { "retry-after: 1\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {} Refused\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
             x-server-correlation-id: {id}\r\n{retry}cache-control: no-store\r\nconnection: close\r\n\r\n",
            refusal.code.status(),
            problem.len(),
        );
        if stream.write_all(&[head.as_bytes(), &problem].concat()).await.is_err() {
            return;
        }
    }
    if stream.shutdown().await.is_err() {
        return;
    }
    // Closing with bytes unread would take the answer back from whoever has not read it yet.
    let mut rest = [0; 4096];
    while matches!(stream.read(&mut rest).await, Ok(1..)) {}
}

/// What the process is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn new(reload: Signal) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload,
        })
    }

    /// Reads again what it is told to, until it is told to stop; by which signal is returned.
    async fn wait(mut self, service: &Service, tls: &Tls) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.reload.recv() => reload(service, tls),
            }
        }
    }
}

fn reload(service: &Service, tls: &Tls) {
    let failed = |what: &str, error: String| {
        let members = [("file", what.into()), ("error", error.into())];
        service.log.write(LogLevel::Error, "reload_failed", &members);
        FileOutcome::Failed
    };
    let (mut of_token, mut of_tls) = (FileOutcome::Absent, FileOutcome::Absent);
    let mut of_control_plane = FileOutcome::Absent;
    if let (Some(tokens), Some(settings)) = (&service.tokens, service.config.token()) {
        of_token = match Token::read(&settings.path) {
            Ok(token) if tokens.replace(&token) => FileOutcome::Replaced,
            Ok(_) => FileOutcome::Unchanged,
            Err(error) => failed("token", error.to_string()),
        };
    }
    if let (Some(plane), Some(settings)) = (&service.control_plane, service.config.enterprise()) {
        of_control_plane = match plane.reload(settings) {
            Ok(()) => FileOutcome::Replaced,
            Err(error) => failed("control_plane", error),
        };
    }
    let files = service.config.tcp().and_then(|tcp| tcp.tls.as_ref()).map(|tls| &tls.files);
    if let (Some(current), Some(files)) = (tls, files) {
        of_tls = match tls::load(files) {
            Ok(config) => {
                *current.write().unwrap_or_else(PoisonError::into_inner) = config;
                FileOutcome::Replaced
            }
            Err(error) => failed("tls", error.to_string()),
        };
    }
    service.audit.reloaded(Reloads::once(of_token, of_tls, of_control_plane));
    service.log.write(LogLevel::Info, "reloaded", &[]);
}
