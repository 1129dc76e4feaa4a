//! Values → settings: each section on its own, then what they owe each other.
//!
//! Every check takes note of its problem and goes on; only at the end is there a `Config` or a list.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use recorder_core::identity::{ActorId, EnvironmentId, LogName, RecorderId, TenantId};

use super::{
    AutoSeal, Config, ControlPlaneTls, EnterpriseMode, EnterpriseSettings, IngestSettings,
    LimitSettings, LogBody, LogLevel, LoggingSettings, OtelSettings, ProbeSettings,
    RecorderSettings, SignerSettings, StorageSettings, TcpSettings, TlsSettings, TokenSettings,
    UnixSettings, is_loopback,
};
use crate::address::may_be_asked;
use crate::key::Key;
use crate::problem::{ConfigProblems, Problem};
use crate::secret::{SecretError, Token, read_adapter_keys, read_signing_key};
use crate::tls::{self, ClientTlsFiles, TlsFile, TlsFiles};
use crate::value::{Value, Values};

/// Bytes of a socket's path: `sun_path`, less its ending zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The tenant under which the sidecar records what concerns itself.
const OWN_TENANT: &str = "system";

/// How a key of adapters is made.
const ADAPTER_KEY_HINT: &str = "; `openssl rand -hex 32` makes one";

/// Makes the settings, or lists why they do not hold.
pub(super) fn check(values: Values, directory: &Path) -> Result<Config, ConfigProblems> {
    let mut checker = Checker { values, directory: directory.to_path_buf() };
    if checker.values.problems.iter().any(|problem| problem.path == "file") {
        return Err(ConfigProblems(checker.values.problems));
    }
    let config = checker.config();
    let mut problems = checker.values.problems;
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => {
            let place =
                |problem: &Problem| Key::ALL.iter().position(|key| key.name() == problem.path);
            problems.sort_by_key(|problem| (place(problem).is_none(), place(problem)));
            Err(ConfigProblems(problems))
        }
    }
}

struct Checker {
    values: Values,
    directory: PathBuf,
}

impl Checker {
    /// Every section is looked at, whatever became of the one before.
    fn config(&mut self) -> Option<Config> {
        let recorder = self.recorder();
        let storage = self.storage();
        let (tcp, unix) = (self.tcp(), self.unix());
        let token = self.token();
        let ingest = self.ingest();
        let limits = self.limits(&ingest);
        let signer = self.signer();
        let otel = self.otel();
        let probes = self.probes();
        let enterprise = self.enterprise();
        self.exposure(tcp.as_ref(), unix.as_ref());
        Some(Config {
            recorder: recorder?,
            storage,
            tcp,
            unix,
            token,
            limits,
            ingest,
            signer,
            otel: otel?,
            probes,
            enterprise,
            metrics_enabled: self.values.boolean(Key::MetricsEnabled),
            logging: self.logging(),
            effective: self.effective(),
        })
    }

    fn path(&self, key: Key) -> PathBuf {
        self.directory.join(self.values.text(key))
    }

    fn optional_path(&self, key: Key) -> Option<PathBuf> {
        self.values.optional_text(key).map(|path| self.directory.join(path))
    }

    fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: Key,
        parse: impl Fn(String) -> Result<T, E>,
    ) -> Option<T> {
        match parse(self.values.text(key)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.values.problem(key, error.to_string());
                None
            }
        }
    }

    fn recorder(&mut self) -> Option<RecorderSettings> {
        // The recorder acts in its own events, so its name must be one that an actor can have.
        let _ = self.parsed(Key::RecorderId, ActorId::new);
        let recorder_id = self.parsed(Key::RecorderId, RecorderId::new);
        let log_name = self.parsed(Key::LogName, LogName::new);
        let count = self.values.integer(Key::AutoSealCount);
        let duration_seconds = self.values.integer(Key::AutoSealDurationSeconds);
        let mode = self.values.text(Key::AutoSealMode);
        let auto_seal = match mode.as_str() {
            "none" => AutoSeal::None,
            "after_count" => AutoSeal::AfterCount(count),
            "after_duration" => AutoSeal::AfterDuration(duration_seconds),
            _ => AutoSeal::Combined { count, duration_seconds },
        };
        let unused = match auto_seal {
            AutoSeal::None => &[Key::AutoSealCount, Key::AutoSealDurationSeconds][..],
            AutoSeal::AfterCount(_) => &[Key::AutoSealDurationSeconds],
            AutoSeal::AfterDuration(_) => &[Key::AutoSealCount],
            AutoSeal::Combined { .. } => &[],
        };
        for key in unused {
            if self.values.is_given(*key) {
                self.values.problem(
                    *key,
                    format!("has no effect with mode {mode}; remove it or change the mode"),
                );
            }
        }
        Some(RecorderSettings {
            recorder_id: recorder_id?,
            log_name: log_name?,
            startup_verification_depth: self.values.integer(Key::StartupVerificationDepth),
            auto_seal,
        })
    }

    fn storage(&mut self) -> StorageSettings {
        let (path, head_guard_path) = (self.path(Key::StoragePath), self.path(Key::HeadGuardPath));
        if head_guard_path.starts_with(&path) {
            self.values.problem(Key::HeadGuardPath, "must not be the database or lie below it");
        }
        StorageSettings {
            path,
            head_guard_path,
            waits_for_disk: self.values.text(Key::SqliteSynchronous) != "NORMAL",
            wal_autocheckpoint_pages: self.values.integer(Key::SqliteWalAutocheckpointPages) as u32,
            busy_timeout_ms: self.values.integer(Key::SqliteBusyTimeoutMs) as u32,
        }
    }

    fn tcp(&mut self) -> Option<TcpSettings> {
        let host = self.values.text(Key::TcpHost);
        let address = match host.as_str() {
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            host => host.parse().ok(),
        };
        if address.is_none() {
            self.values.problem(Key::TcpHost, "must be an IP address, or localhost");
        }
        let port = self.values.integer(Key::TcpPort) as u16;
        let is_used = self.values.text(Key::TransportMode) != "unix";
        let tls = if is_used { self.tls() } else { None };
        let address = SocketAddr::new(address?, port);
        is_used.then_some(TcpSettings { address, tls })
    }

    fn tls(&mut self) -> Option<TlsSettings> {
        let key_path = self.optional_path(Key::TlsKeyPath);
        let client_ca_path = self.optional_path(Key::TlsClientCaPath);
        let (cert_path, key_path) = match (self.optional_path(Key::TlsCertPath), key_path) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) if client_ca_path.is_none() => return None,
            (certificate, key) => {
                for (key, is_missing) in
                    [(Key::TlsCertPath, certificate.is_none()), (Key::TlsKeyPath, key.is_none())]
                {
                    if is_missing {
                        self.values
                            .problem(key, "is missing; TLS needs the certificate and its key");
                    }
                }
                return None;
            }
        };
        let files = TlsFiles { cert_path, key_path, client_ca_path };
        match tls::load(&files) {
            Ok(server) => Some(TlsSettings { files, server }),
            Err(error) => {
                let key = match error.file {
                    TlsFile::Certificate => Key::TlsCertPath,
                    TlsFile::Key => Key::TlsKeyPath,
                    TlsFile::ClientCa => Key::TlsClientCaPath,
                };
                self.values.problem(key, error.to_string());
                None
            }
        }
    }

    fn unix(&mut self) -> Option<UnixSettings> {
        let mode = self.values.text(Key::UnixMode);
        let octal = mode.len() == 4
            && mode.starts_with('0')
            && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = u32::from_str_radix(&mode, 8).ok().filter(|_| octal);
        match mode {
            None => self
                .values
                .problem(Key::UnixMode, "must be four octal digits, the first 0, such as \"0600\""),
            Some(mode) if mode & 0o600 != 0o600 => {
                self.values.problem(Key::UnixMode, "must let the owner read and write");
            }
            Some(_) => {}
        }
        if self.values.text(Key::TransportMode) == "tcp" {
            return None;
        }
        let path = self.path(Key::UnixPath);
        if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            let detail = format!(
                "is longer than {SOCKET_PATH_BYTES_MAX} bytes, the most a socket's path may have"
            );
            self.values.problem(Key::UnixPath, detail);
        }
        Some(UnixSettings { path, mode: mode? })
    }

    fn secret(&mut self, key: Key, error: SecretError, else_do: &str) {
        self.values.problem(key, format!("{error}{else_do}"));
    }

    fn token(&mut self) -> Option<TokenSettings> {
        if self.values.text(Key::SecurityMode) != "token" {
            return None;
        }
        let path = self.path(Key::TokenPath);
        match Token::read(&path) {
            Ok(token) => Some(TokenSettings { path, token }),
            Err(error) => {
                self.secret(Key::TokenPath, error, "");
                None
            }
        }
    }

    fn ingest(&mut self) -> IngestSettings {
        let number = |key| self.values.integer(key);
        let settings = IngestSettings {
            queue_capacity: number(Key::QueueCapacity) as usize,
            batch_max_envelopes: number(Key::BatchMaxEnvelopes) as usize,
            batch_max_bytes: number(Key::BatchMaxBytes) as usize,
            idempotency_ttl_seconds: number(Key::IdempotencyTtlSeconds),
            idempotency_max_entries_per_stream: number(Key::IdempotencyMaxEntriesPerStream),
            max_streams: number(Key::MaxStreams) as usize,
        };
        if settings.idempotency_max_entries_per_stream < settings.queue_capacity as u64 {
            let detail = "must be at least ingest.queue_capacity, or a key would be forgotten before its request is answered";
            self.values.problem(Key::IdempotencyMaxEntriesPerStream, detail);
        }
        settings
    }

    fn limits(&mut self, ingest: &IngestSettings) -> LimitSettings {
        let number = |key| self.values.integer(key);
        let settings = LimitSettings {
            max_body_bytes: number(Key::MaxBodyBytes) as usize,
            max_header_bytes: number(Key::MaxHeaderBytes) as usize,
            max_in_flight: number(Key::MaxInFlight) as usize,
            max_queued_requests: number(Key::MaxQueuedRequests) as usize,
            request_timeout_ms: number(Key::RequestTimeoutMs),
        };
        if ingest.idempotency_ttl_seconds.saturating_mul(1000)
            < settings.request_timeout_ms.saturating_mul(2)
        {
            let detail = "must be at least twice limits.request_timeout_ms, or a retry would be a new request";
            self.values.problem(Key::IdempotencyTtlSeconds, detail);
        }
        settings
    }

    fn signer(&mut self) -> Option<SignerSettings> {
        let sign_envelopes = self.values.boolean(Key::SignEnvelopes);
        if !self.values.boolean(Key::SignerEnabled) {
            if sign_envelopes {
                self.values.problem(Key::SignEnvelopes, "needs signer.enabled = true");
            }
            return None;
        }
        let passphrase = self.optional_path(Key::SignerPassphrasePath);
        match read_signing_key(&self.path(Key::SignerKeyPath), passphrase.as_deref()) {
            Ok(key) => Some(SignerSettings {
                key,
                sign_envelopes,
                checkpoint_interval_ms: self.values.integer(Key::CheckpointIntervalMs),
            }),
            Err(error) => {
                self.secret(Key::SignerKeyPath, error, "; `recorder signer generate` makes a key");
                None
            }
        }
    }

    fn otel(&mut self) -> Option<OtelSettings> {
        let log_body = match self.values.text(Key::OtelLogBody).as_str() {
            "keep" => LogBody::Keep,
            "redact" => LogBody::Redact,
            _ => LogBody::Digest,
        };
        let tenant_id = self.parsed(Key::OtelTenantId, TenantId::new);
        if tenant_id.as_ref().is_some_and(|tenant_id| tenant_id.as_str() == OWN_TENANT) {
            self.values.problem(Key::OtelTenantId, "is the sidecar's own stream; name another");
        }
        let actor_id = self.parsed(Key::OtelActorId, ActorId::new);
        let environment_id = self.parsed(Key::OtelEnvironmentId, EnvironmentId::new);
        let keys = self.optional_path(Key::OtelKeyPath).and_then(|path| {
            read_adapter_keys(&path)
                .map_err(|error| self.secret(Key::OtelKeyPath, error, ADAPTER_KEY_HINT))
                .ok()
        });
        Some(OtelSettings {
            otlp_alias: self.values.boolean(Key::OtlpAlias),
            keys,
            tenant_id: tenant_id?,
            actor_id: actor_id?,
            environment_id: environment_id?,
            log_body,
        })
    }

    fn probes(&mut self) -> ProbeSettings {
        let asks_enterprise = self.values.text(Key::ReadinessMode) == "storage_and_enterprise";
        if asks_enterprise && self.values.text(Key::EnterpriseMode) == "disabled" {
            let detail = "storage_and_enterprise needs a control plane; set enterprise.mode";
            self.values.problem(Key::ReadinessMode, detail);
        }
        let path = self.values.text(Key::EnterpriseHealthPath);
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        if !path.starts_with('/')
            || path.starts_with("//")
            || path.contains("/.")
            || !path.bytes().all(is_plain)
        {
            let detail =
                "must be an absolute path of letters, digits and -._~, such as \"/health\"";
            self.values.problem(Key::EnterpriseHealthPath, detail);
        }
        ProbeSettings {
            asks_enterprise,
            fails_on_saturation: self.values.boolean(Key::ReadyFailOnSaturation),
            enterprise_health_path: path,
        }
    }

    fn enterprise(&mut self) -> Option<EnterpriseSettings> {
        let mode = match self.values.text(Key::EnterpriseMode).as_str() {
            "private" => EnterpriseMode::Private,
            "managed_cloud" => EnterpriseMode::ManagedCloud,
            _ => {
                if self.values.boolean(Key::RequireWriterLease) {
                    self.values.problem(
                        Key::RequireWriterLease,
                        "needs a control plane; set enterprise.mode",
                    );
                }
                return None;
            }
        };
        if self.values.text(Key::SecurityMode) != "token" {
            self.values.problem(Key::SecurityMode, "a control plane needs mode token");
        }
        let url = self.values.optional_text(Key::ControlPlaneUrl);
        match &url {
            None => self.values.problem(Key::ControlPlaneUrl, "is missing; a control plane needs its address"),
            Some(url) if !is_allowed_url(url) => self.values.problem(
                Key::ControlPlaneUrl,
                "must be https://HOST[:PORT][/PATH], or http to a loopback address, without credentials, query or fragment, and no link-local, multicast or metadata address",
            ),
            Some(_) => {}
        }
        let tls = self.control_plane_tls(url.as_deref().unwrap_or_default());
        let token = match self.optional_path(Key::ControlPlaneTokenPath) {
            None => {
                self.values.problem(
                    Key::ControlPlaneTokenPath,
                    "is missing; a control plane needs a token",
                );
                None
            }
            Some(path) => Token::read(&path)
                .map_err(|error| self.secret(Key::ControlPlaneTokenPath, error, ""))
                .ok()
                .map(|token| TokenSettings { path, token }),
        };
        let requires_writer_lease = self.values.boolean(Key::RequireWriterLease);
        Some(EnterpriseSettings { mode, url: url?, token: token?, tls, requires_writer_lease })
    }

    fn control_plane_tls(&mut self, url: &str) -> Option<ControlPlaneTls> {
        let ca_path = self.optional_path(Key::ControlPlaneCaPath);
        if !url.starts_with("https://") {
            if ca_path.is_some() {
                let detail = "has no use without TLS; make enterprise.control_plane_url https";
                self.values.problem(Key::ControlPlaneCaPath, detail);
            }
            return None;
        }
        let files = ClientTlsFiles { ca_path, own: None };
        match tls::load_client(&files) {
            Ok(client) => Some(ControlPlaneTls { files, client }),
            Err(error) => {
                self.values.problem(Key::ControlPlaneCaPath, error.to_string());
                None
            }
        }
    }

    /// Who reaches the listeners, and what stops those who should not.
    fn exposure(&mut self, tcp: Option<&TcpSettings>, unix: Option<&UnixSettings>) {
        let is_open = self.values.text(Key::SecurityMode) == "open";
        let needs_token = self.values.boolean(Key::RequireTokenForNonLoopback);
        let asks_certificates = tcp
            .and_then(|tcp| tcp.tls.as_ref())
            .is_some_and(|tls| tls.files.client_ca_path.is_some());
        if !needs_token && !asks_certificates {
            let detail = "false needs transport.tcp.tls.client_ca_path, so that every client shows who it is";
            self.values.problem(Key::RequireTokenForNonLoopback, detail);
        }
        let is_exposed = tcp.is_some_and(|tcp| !is_loopback(tcp.address.ip()));
        if is_open && is_exposed && needs_token {
            let detail = "open is for loopback and Unix sockets only; set mode = \"token\" or listen on 127.0.0.1";
            self.values.problem(Key::SecurityMode, detail);
        }
        if is_open && unix.is_some_and(|unix| unix.mode & 0o006 != 0) {
            let detail = "lets every user of this machine in while security.mode is open; set mode = \"token\" there";
            self.values.problem(Key::UnixMode, detail);
        }
    }

    fn logging(&self) -> LoggingSettings {
        let level = match self.values.text(Key::LoggingLevel).as_str() {
            "error" => LogLevel::Error,
            "warn" => LogLevel::Warn,
            "debug" => LogLevel::Debug,
            _ => LogLevel::Info,
        };
        LoggingSettings { level, is_json: self.values.text(Key::LoggingFormat) == "json" }
    }

    fn effective(&self) -> serde_json::Value {
        let mut root = serde_json::Map::new();
        for key in Key::ALL {
            let value = match self.values.value(*key) {
                None => continue,
                Some(Value::Text(text)) => text.into(),
                Some(Value::Integer(value)) => value.into(),
                Some(Value::Boolean(value)) => value.into(),
            };
            insert(&mut root, key.name(), value);
        }
        root.into()
    }
}

fn insert(
    table: &mut serde_json::Map<String, serde_json::Value>,
    name: &str,
    value: serde_json::Value,
) {
    match name.split_once('.') {
        None => drop(table.insert(name.to_owned(), value)),
        Some((first, rest)) => {
            let inner = table.entry(first).or_insert_with(|| serde_json::Map::new().into());
            // No setting has the name of a table, so this is one.
            if let Some(inner) = inner.as_object_mut() {
                insert(inner, rest, value);
            }
        }
    }
}

/// `https` to anywhere or `http` to loopback: scheme, host, perhaps port and path, and nothing else.
fn is_allowed_url(url: &str) -> bool {
    let (rest, is_plain) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        _ => return false,
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => match port.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None => return false,
        },
        None => {
            authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)))
        }
    };
    let address = host.parse::<IpAddr>().ok();
    let is_name =
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    let is_host = !host.is_empty() && address.map_or(is_name, may_be_asked);
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_near = host == "localhost" || address.is_some_and(is_loopback);
    let is_path = path.bytes().all(allowed) && !path.contains("/.") && !path.contains("//");
    is_host && is_port && is_path && (!is_plain || is_near)
}

#[cfg(test)]
mod tests {
    use super::is_allowed_url;

    #[test]
    fn a_control_plane_is_reached_by_https_or_on_loopback() {
        for allowed in [
            "https://control.example",
            "https://control.example:8443/base",
            "https://[2001:db8::1]:443",
            "http://127.0.0.1:9000",
            "http://localhost",
            "http://[::1]:1/x",
        ] {
            assert!(is_allowed_url(allowed), "{allowed}");
        }
        for refused in [
            "",
            "https://",
            "http://control.example",
            "ftp://127.0.0.1",
            "https://user:secret@control.example",
            "https://control.example?x=1",
            "https://control.example#x",
            "https://control.example:0",
            "https://control.example:99999",
            "https://control.example/../x",
            "https://[::1",
            "https://a b",
            "http://127.0.0.1.evil.example",
            "https://169.254.169.254",
            "https://[fe80::1]",
            "https://[::ffff:169.254.169.254]/latest",
            "https://0.0.0.0",
        ] {
            assert!(!is_allowed_url(refused), "{refused}");
        }
    }
}
