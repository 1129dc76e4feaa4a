//! The settings that survived: values of their types, files read, relations checked.
//!
//! A [`Config`] comes from [`Config::load`] and [`Config::parse`] only, and what it holds nobody else can make, so that
//! no invalid setting reaches a listener. All problems are found in one go.

mod check;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use recorder_core::identity::{ActorId, EnvironmentId, LogName, RecorderId, TenantId};
use recorder_core::limits::CONFIG_BYTES_MAX;
use recorder_envelope::adapter::AdapterKeys;
use recorder_envelope::signing::SecretKey;

use crate::problem::{ConfigProblems, Problem};
use crate::secret::Token;
use crate::tls::{ClientTlsFiles, TlsFiles};
use crate::value::Values;

/// When segments are sealed unasked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AutoSeal {
    /// Only when they are full.
    None,
    /// After so many envelopes.
    AfterCount(u64),
    /// After so many seconds.
    AfterDuration(u64),
    /// Whichever comes first.
    Combined {
        /// Envelopes.
        count: u64,
        /// Seconds.
        duration_seconds: u64,
    },
}

/// The recorder.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecorderSettings {
    /// The recorder half of every stream.
    pub recorder_id: RecorderId,
    /// The first part of origins.
    pub log_name: LogName,
    /// Envelopes that are read back at start.
    pub startup_verification_depth: u64,
    /// When segments are sealed.
    pub auto_seal: AutoSeal,
}

/// The database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StorageSettings {
    /// Its file.
    pub path: PathBuf,
    /// The directory of the guarded heads.
    pub head_guard_path: PathBuf,
    /// Whether a commit waits for the disk.
    pub waits_for_disk: bool,
    /// Pages after which the log is folded.
    pub wal_autocheckpoint_pages: u32,
    /// How long a lock is awaited.
    pub busy_timeout_ms: u32,
}

/// A TCP listener.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TcpSettings {
    /// Where it listens.
    pub address: SocketAddr,
    /// What TLS reads; none for plain HTTP.
    pub tls: Option<TlsSettings>,
}

/// TLS on a TCP listener.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsSettings {
    /// The files, to be read again.
    pub files: TlsFiles,
    /// What they held.
    pub server: Arc<rustls::ServerConfig>,
}

/// A Unix socket.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnixSettings {
    /// Where it stands.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
}

/// A token that requests bear: those that come in, or those to the control plane.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenSettings {
    /// The file, to be read again.
    pub path: PathBuf,
    /// What it held.
    pub token: Token,
}

/// Bounds of requests.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LimitSettings {
    /// Bytes of a body.
    pub max_body_bytes: usize,
    /// Bytes of a head.
    pub max_header_bytes: usize,
    /// Requests that are worked on.
    pub max_in_flight: usize,
    /// Requests that wait for that.
    pub max_queued_requests: usize,
    /// How long they wait.
    pub request_timeout_ms: u64,
}

/// Bounds of the way to the writer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct IngestSettings {
    /// Requests that wait for the writer.
    pub queue_capacity: usize,
    /// Envelopes in one commit.
    pub batch_max_envelopes: usize,
    /// Body bytes in one commit.
    pub batch_max_bytes: usize,
    /// How long keys are remembered.
    pub idempotency_ttl_seconds: u64,
    /// How many keys are remembered for a stream.
    pub idempotency_max_entries_per_stream: u64,
    /// How many streams there may be.
    pub max_streams: usize,
}

/// The signer.
#[non_exhaustive]
pub struct SignerSettings {
    /// The key.
    pub key: SecretKey,
    /// Whether each envelope is signed.
    pub sign_envelopes: bool,
    /// How long envelopes wait for a checkpoint.
    pub checkpoint_interval_ms: u64,
}

/// What becomes of the bodies of log records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogBody {
    /// Their keyed digest stays.
    Digest,
    /// They stay without the secrets that are found in them.
    Redact,
    /// They stay as they came.
    Keep,
}

/// The OpenTelemetry doors.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OtelSettings {
    /// Whether the OTLP routes answer.
    pub otlp_alias: bool,
    /// What salts, ids and digests come from; none where no door is open.
    pub keys: Option<AdapterKeys>,
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// Who acted where nothing says so.
    pub actor_id: ActorId,
    /// Where it happened where nothing says so.
    pub environment_id: EnvironmentId,
    /// What becomes of the bodies of log records.
    pub log_body: LogBody,
}

/// The probes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProbeSettings {
    /// Whether readiness asks the control plane too.
    pub asks_enterprise: bool,
    /// Whether saturation makes unready.
    pub fails_on_saturation: bool,
    /// What is asked at the control plane.
    pub enterprise_health_path: String,
}

/// How the control plane is bound in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EnterpriseMode {
    /// One of the operator's own.
    Private,
    /// One that is offered as a service.
    ManagedCloud,
}

/// The control plane.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EnterpriseSettings {
    /// How it is bound in.
    pub mode: EnterpriseMode,
    /// Where it is: https, or http to loopback.
    pub url: String,
    /// The token that is shown to it.
    pub token: TokenSettings,
    /// Whose certificates it may have; none for plain HTTP.
    pub tls: Option<ControlPlaneTls>,
    /// Whether mutating requests must assert the writer lease.
    pub requires_writer_lease: bool,
}

/// TLS on the way to the control plane.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ControlPlaneTls {
    /// Whom to trust, to be read again.
    pub files: ClientTlsFiles,
    /// What that gave.
    pub client: Arc<rustls::ClientConfig>,
}

/// The least severe events that are logged.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum LogLevel {
    /// What stops the sidecar or a request through no fault of its sender.
    Error,
    /// What an operator should look at.
    Warn,
    /// What the sidecar does.
    Info,
    /// Every request.
    Debug,
}

/// The log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LoggingSettings {
    /// The least severe events.
    pub level: LogLevel,
    /// Whether lines are JSON.
    pub is_json: bool,
}

/// Settings that hold.
pub struct Config {
    recorder: RecorderSettings,
    storage: StorageSettings,
    tcp: Option<TcpSettings>,
    unix: Option<UnixSettings>,
    token: Option<TokenSettings>,
    limits: LimitSettings,
    ingest: IngestSettings,
    signer: Option<SignerSettings>,
    otel: OtelSettings,
    probes: ProbeSettings,
    enterprise: Option<EnterpriseSettings>,
    metrics_enabled: bool,
    logging: LoggingSettings,
    effective: serde_json::Value,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Config").field(&self.effective).finish()
    }
}

impl Config {
    /// Reads and checks the file at `path`, and every file that it names.
    ///
    /// # Errors
    ///
    /// `ConfigProblems`: everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigProblems> {
        let whole = |detail: String| {
            ConfigProblems(vec![Problem { path: "file".to_owned(), line: None, detail }])
        };
        let bytes = recorder_fs::read_bounded(path, CONFIG_BYTES_MAX)
            .map_err(|error| whole(error.to_string()))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| whole("is not UTF-8".to_owned()))?;
        Self::parse(text, path.parent().unwrap_or(Path::new("")))
    }

    /// Checks a file's text, whose relative paths begin at `directory`, and every file that it names.
    ///
    /// # Errors
    ///
    /// `ConfigProblems`: everything that is wrong.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, ConfigProblems> {
        check::check(Values::parse(text), directory)
    }

    /// The recorder.
    pub fn recorder(&self) -> &RecorderSettings {
        &self.recorder
    }

    /// The database.
    pub fn storage(&self) -> &StorageSettings {
        &self.storage
    }

    /// The TCP listener, if there is one.
    pub fn tcp(&self) -> Option<&TcpSettings> {
        self.tcp.as_ref()
    }

    /// The Unix socket, if there is one.
    pub fn unix(&self) -> Option<&UnixSettings> {
        self.unix.as_ref()
    }

    /// The token that requests must bear; none in mode open.
    pub fn token(&self) -> Option<&TokenSettings> {
        self.token.as_ref()
    }

    /// Bounds of requests.
    pub fn limits(&self) -> &LimitSettings {
        &self.limits
    }

    /// Bounds of the way to the writer.
    pub fn ingest(&self) -> &IngestSettings {
        &self.ingest
    }

    /// The signer, if there is one.
    pub fn signer(&self) -> Option<&SignerSettings> {
        self.signer.as_ref()
    }

    /// Hands the signer over: its key exists once.
    pub fn take_signer(&mut self) -> Option<SignerSettings> {
        self.signer.take()
    }

    /// The OpenTelemetry doors.
    pub fn otel(&self) -> &OtelSettings {
        &self.otel
    }

    /// The probes.
    pub fn probes(&self) -> &ProbeSettings {
        &self.probes
    }

    /// The control plane, if there is one.
    pub fn enterprise(&self) -> Option<&EnterpriseSettings> {
        self.enterprise.as_ref()
    }

    /// Whether metrics are served.
    pub fn metrics_enabled(&self) -> bool {
        self.metrics_enabled
    }

    /// The log.
    pub fn logging(&self) -> &LoggingSettings {
        &self.logging
    }

    /// The settings in effect as JSON, by table: what was set and what was not, paths of secrets and never secrets.
    pub fn effective(&self) -> &serde_json::Value {
        &self.effective
    }
}

/// Whether nobody but this machine reaches an address.
pub fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.to_ipv4_mapped().is_some_and(|mapped| mapped.is_loopback())
        }
    }
}
