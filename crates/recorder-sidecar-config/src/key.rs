//! Every setting, once: name, kind, default and purpose.
//!
//! Deliberately absent: how settings relate to each other, which `config` checks.

use recorder_core::limits::{BATCH_ENVELOPES_MAX, SEGMENT_ENVELOPES_MAX, STORE_QUEUE_MAX};

/// Header bytes that no setting raises: the whole head of a request is held while it is judged.
pub const HEADER_BYTES_CEILING: u64 = 64 << 10;

/// Body bytes that no setting raises: twice a bundle document.
pub const BODY_BYTES_CEILING: u64 = 64 << 20;

/// Streams that no setting raises: each has a guarded head, and a directory with more of them is not read.
pub const STREAMS_CEILING: u64 = 10_000;

/// What a setting may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Text; its shape is checked where it is used.
    Text,
    /// A path; a relative one is taken from the directory of the configuration file.
    Path,
    /// A whole number between two others, both included.
    Integer {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// What a setting is when nobody sets it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Preset {
    /// It must be set.
    Required {
        /// What the example shows.
        example: Literal,
    },
    /// It has no value.
    Absent {
        /// What the example shows, as a comment.
        example: Literal,
    },
    /// It has this value.
    Value(Literal),
}

/// A value as the table writes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Literal {
    /// Text, a path or a word.
    Text(&'static str),
    /// A whole number.
    Integer(u64),
    /// `true` or `false`.
    Boolean(bool),
}

/// What the table says of one setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Spec {
    /// The name in full, its tables before the dots.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is by default.
    pub preset: Preset,
    /// What it is for, in one or two sentences.
    pub purpose: &'static str,
}

macro_rules! keys {
    ($($variant:ident = $name:literal, $kind:expr, $preset:expr, $purpose:literal;)+) => {
        /// One setting.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Key {
            $(#[doc = $purpose] $variant,)+
        }

        impl Key {
            /// Every setting, in the order of the example.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What the table says of it.
            pub const fn spec(self) -> Spec {
                match self {
                    $(Self::$variant => Spec { name: $name, kind: $kind, preset: $preset, purpose: $purpose },)+
                }
            }
        }
    };
}

const fn text(value: &'static str) -> Preset {
    Preset::Value(Literal::Text(value))
}

const fn number(value: u64) -> Preset {
    Preset::Value(Literal::Integer(value))
}

const fn switch(value: bool) -> Preset {
    Preset::Value(Literal::Boolean(value))
}

const fn absent(example: &'static str) -> Preset {
    Preset::Absent { example: Literal::Text(example) }
}

const fn between(min: u64, max: u64) -> Kind {
    Kind::Integer { min, max }
}

/// A year, in seconds: beyond that a duration is a mistake.
const YEAR_SECONDS: u64 = 366 * 24 * 3600;

keys! {
    ConfigVersion = "config_version", between(1, 1), Preset::Required { example: Literal::Integer(1) },
        "The version of this file's form.";
    ApiMajorVersion = "api.major_version", between(1, 1), number(1),
        "The major version of the HTTP interface that clients expect.";
    RecorderId = "recorder.recorder_id", Kind::Text, text("sidecar:local"),
        "The recorder half of every stream. Requests that name another are refused. It never changes for a database.";
    LogName = "recorder.log_name", Kind::Text, text("recorder.local"),
        "The first part of the origin of checkpoints. It never changes for a database that holds checkpoints.";
    HashAlgorithm = "recorder.hash_algorithm", Kind::Choice(&["sha256"]), text("sha256"),
        "The hash of the evidence format.";
    SchemaVersion = "recorder.schema_version", between(1, 1), number(1),
        "The version of the envelope schema.";
    StartupVerificationDepth = "recorder.startup_verification_depth", between(0, 10_000), number(100),
        "Envelopes at the end of each stream that are read back and checked before the sidecar is ready.";
    AutoSealMode = "recorder.auto_seal.mode",
        Kind::Choice(&["none", "after_count", "after_duration", "combined"]), text("combined"),
        "When segments are sealed unasked. Whatever is chosen, a segment is sealed at 100000 envelopes.";
    AutoSealCount = "recorder.auto_seal.count", between(1, SEGMENT_ENVELOPES_MAX), number(10_000),
        "Envelopes after which a segment is sealed, for after_count and combined.";
    AutoSealDurationSeconds = "recorder.auto_seal.duration_seconds", between(1, YEAR_SECONDS), number(3600),
        "Seconds after which a segment is sealed, for after_duration and combined.";
    StoragePath = "storage.path", Kind::Path, text("/var/lib/recorder/recorder.db"),
        "The database. It is never created unless --create is given.";
    HeadGuardPath = "storage.head_guard_path", Kind::Path, text("/var/lib/recorder/guard/heads"),
        "The directory of the guarded heads: what notices that the database was put back or cut. Worth most where whoever writes the database cannot write.";
    SqliteSynchronous = "storage.sqlite_synchronous", Kind::Choice(&["FULL", "NORMAL"]), text("FULL"),
        "What a receipt promises. FULL: it survives a power cut. NORMAL: it survives the end of the process, and receipts and /ready say so.";
    SqliteWalAutocheckpointPages = "storage.sqlite_wal_autocheckpoint_pages", between(16, 500), number(500),
        "Pages of 8 KiB after which SQLite folds its log into the file: 500 for throughput, 125 for latency.";
    SqliteBusyTimeoutMs = "storage.sqlite_busy_timeout_ms", between(0, 60_000), number(5000),
        "How long a connection waits for another's lock, in milliseconds.";
    TransportMode = "transport.mode", Kind::Choice(&["tcp", "unix", "both"]), text("tcp"),
        "Which listeners are opened.";
    TcpHost = "transport.tcp.host", Kind::Text, text("127.0.0.1"),
        "The address to listen on: an IP address, or localhost.";
    TcpPort = "transport.tcp.port", between(0, 65_535), number(8787),
        "The port to listen on; 0 takes a free one, which the log names.";
    TlsCertPath = "transport.tcp.tls.cert_path", Kind::Path, absent("/etc/recorder/tls/server.pem"),
        "The server's certificate chain in PEM. With it, TCP speaks TLS 1.3 and nothing else. Re-read on SIGHUP.";
    TlsKeyPath = "transport.tcp.tls.key_path", Kind::Path, absent("/run/secrets/recorder-tls-key.pem"),
        "The private key of the certificate in PEM, readable by its owner only.";
    TlsClientCaPath = "transport.tcp.tls.client_ca_path", Kind::Path, absent("/etc/recorder/tls/clients.pem"),
        "Certificates of those who issue client certificates. With it, every TCP client must present one.";
    UnixPath = "transport.unix.path", Kind::Path, text("/run/recorder/recorder.sock"),
        "The socket. One that a dead sidecar left is replaced; any other file is not.";
    UnixMode = "transport.unix.mode", Kind::Text, text("0600"),
        "The permissions of the socket, as four octal digits.";
    SecurityMode = "security.mode", Kind::Choice(&["token", "open"]), text("token"),
        "Whether requests need a bearer token. open is for loopback and Unix sockets only.";
    TokenPath = "security.token_path", Kind::Path, text("/run/secrets/recorder-token"),
        "The file with the bearer token: one line, readable by its owner only, at most 4 KiB. Re-read on SIGHUP; the old token stays valid for a while.";
    RequireTokenForNonLoopback = "security.require_token_for_non_loopback", Kind::Boolean, switch(true),
        "Whether a listener beyond loopback needs mode token. false is accepted only where every client must present a certificate.";
    MaxBodyBytes = "limits.max_body_bytes", between(1024, BODY_BYTES_CEILING), number(33_554_432),
        "The largest body of a request, in bytes, inflated.";
    MaxHeaderBytes = "limits.max_header_bytes", between(1024, HEADER_BYTES_CEILING), number(16_384),
        "The largest head of a request: request line and headers, in bytes.";
    MaxInFlight = "limits.max_in_flight", between(1, 4096), number(256),
        "Requests that are worked on at once.";
    MaxQueuedRequests = "limits.max_queued_requests", between(0, 65_536), number(1024),
        "Requests that wait for one of those places; more are answered 429.";
    RequestTimeoutMs = "limits.request_timeout_ms", between(100, 600_000), number(4000),
        "How long a request may wait to be admitted. What was admitted to the writer is awaited.";
    QueueCapacity = "ingest.queue_capacity", between(1, STORE_QUEUE_MAX as u64), number(4096),
        "Requests that may wait for the writer; more are answered 429.";
    BatchMaxEnvelopes = "ingest.batch_max_envelopes", between(1, BATCH_ENVELOPES_MAX as u64), number(1024),
        "Envelopes that the writer commits at once.";
    BatchMaxBytes = "ingest.batch_max_bytes", between(65_536, 268_435_456), number(8_388_608),
        "Body bytes that the writer commits at once; a larger request is committed alone.";
    IdempotencyTtlSeconds = "ingest.idempotency_ttl_seconds", between(60, YEAR_SECONDS), number(86_400),
        "How long an idempotency key is remembered.";
    IdempotencyMaxEntriesPerStream = "ingest.idempotency_max_entries_per_stream", between(1, 100_000_000), number(1_000_000),
        "Idempotency keys that are remembered for a stream; the oldest go first.";
    MaxStreams = "ingest.max_streams", between(1, STREAMS_CEILING), number(STREAMS_CEILING),
        "Streams, that is tenants, that may be recorded here; requests for more are refused.";
    SignerEnabled = "signer.enabled", Kind::Boolean, switch(true),
        "Whether seals and checkpoints are signed. Unsigned evidence proves little.";
    SignerKeyPath = "signer.key_path", Kind::Path, text("/run/secrets/recorder-key.pem"),
        "The signing key: Ed25519 in PKCS#8 PEM, readable by its owner only.";
    SignerPassphrasePath = "signer.passphrase_path", Kind::Path, absent("/run/secrets/recorder-key-passphrase"),
        "The file with the key's passphrase. With it the key must be encrypted, without it the key must not be.";
    SignEnvelopes = "signer.sign_envelopes", Kind::Boolean, switch(false),
        "Whether every envelope is signed too. It costs a quarter of the throughput.";
    CheckpointIntervalMs = "signer.checkpoint_interval_ms", between(10, 3_600_000), number(1000),
        "How long recorded envelopes may wait for a signed checkpoint, in milliseconds.";
    OtlpAlias = "otel.otlp_alias", Kind::Boolean, switch(true),
        "Whether POST /v1/traces and /v1/logs take OTLP.";
    OtelKeyPath = "otel.key_path", Kind::Path, absent("/run/secrets/recorder-adapter-key"),
        "The key behind salts, ids and digests of OpenTelemetry: 64 hex digits, readable by its owner only. It never changes for a database. Without it no OpenTelemetry is taken.";
    OtelTenantId = "otel.tenant_id", Kind::Text, text("default"),
        "The tenant half of the stream that OpenTelemetry is recorded in.";
    OtelActorId = "otel.actor_id", Kind::Text, text("otel:unknown"),
        "Who acted where neither agent nor service say so.";
    OtelEnvironmentId = "otel.environment_id", Kind::Text, text("unspecified"),
        "Where it happened where the resource does not say so.";
    OtelLogBody = "otel.log_body", Kind::Choice(&["digest", "redact", "keep"]), text("digest"),
        "What becomes of the bodies of log records: their keyed digest, what is left without the secrets that are found, or all of it.";
    ReadinessMode = "probes.readiness_mode", Kind::Choice(&["storage_only", "storage_and_enterprise"]), text("storage_only"),
        "What /ready asks.";
    ReadyFailOnSaturation = "probes.ready_fail_on_admission_saturation", Kind::Boolean, switch(false),
        "Whether /ready answers 503 while no request can be admitted.";
    EnterpriseHealthPath = "probes.enterprise_health_path", Kind::Text, text("/health"),
        "The path below enterprise.control_plane_url that /ready asks, with storage_and_enterprise.";
    EnterpriseMode = "enterprise.mode", Kind::Choice(&["disabled", "private", "managed_cloud"]), text("disabled"),
        "Whether a control plane admits requests.";
    ControlPlaneUrl = "enterprise.control_plane_url", Kind::Text, absent("https://control.example"),
        "The control plane: https, or http to loopback; no credentials, query or fragment. A link-local, multicast or metadata address is refused, also where a name leads to one.";
    ControlPlaneTokenPath = "enterprise.control_plane_token_path", Kind::Path, absent("/run/secrets/control-plane-token"),
        "The file with the token for the control plane: one line, readable by its owner only, at most 4 KiB. Re-read on SIGHUP.";
    ControlPlaneCaPath = "enterprise.control_plane_ca_path", Kind::Path, absent("/etc/recorder/tls/control-plane-ca.pem"),
        "Certificates of those who issue the control plane's, in PEM, and nobody else's then; without it those that this machine trusts. Re-read on SIGHUP.";
    RequireWriterLease = "enterprise.require_writer_lease", Kind::Boolean, switch(false),
        "Whether requests that record must assert that their sender holds the writer lease, and the control plane must confirm it.";
    MetricsEnabled = "metrics.enabled", Kind::Boolean, switch(true),
        "Whether GET /metrics answers, in Prometheus text, with the same authentication as the interface.";
    LoggingLevel = "logging.level", Kind::Choice(&["error", "warn", "info", "debug"]), text("info"),
        "The least severe events that are logged.";
    LoggingFormat = "logging.format", Kind::Choice(&["json", "text"]), text("json"),
        "How log lines are written to standard error.";
}

impl Key {
    /// The name in full.
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The setting of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.name() == name)
    }

    /// The name's last part.
    pub fn leaf(self) -> &'static str {
        let name = self.name();
        name.rsplit_once('.').map_or(name, |(_, leaf)| leaf)
    }

    /// The table that it stands in; empty at the top.
    pub fn table(self) -> &'static str {
        self.name().rsplit_once('.').map_or("", |(table, _)| table)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn fits(kind: Kind, literal: Literal) -> bool {
        match (kind, literal) {
            (Kind::Text | Kind::Path, Literal::Text(_)) | (Kind::Boolean, Literal::Boolean(_)) => {
                true
            }
            (Kind::Integer { min, max }, Literal::Integer(value)) => (min..=max).contains(&value),
            (Kind::Choice(words), Literal::Text(word)) => words.contains(&word),
            _ => false,
        }
    }

    #[test]
    fn every_setting_has_one_name_a_purpose_and_a_value_of_its_kind() {
        let mut names = BTreeSet::new();
        for key in Key::ALL {
            let spec = key.spec();
            assert!(names.insert(spec.name), "{} stands twice", spec.name);
            assert!(spec.purpose.ends_with('.'), "{}", spec.name);
            let (Preset::Required { example: literal }
            | Preset::Absent { example: literal }
            | Preset::Value(literal)) = spec.preset;
            assert!(fits(spec.kind, literal), "{}: {literal:?}", spec.name);
            assert_eq!(Key::by_name(spec.name), Some(*key));
        }
    }

    #[test]
    fn no_setting_has_the_name_of_a_table() {
        let tables: BTreeSet<_> = Key::ALL.iter().map(|key| key.table()).collect();
        assert!(Key::ALL.iter().all(|key| !tables.contains(key.name())));
    }
}
