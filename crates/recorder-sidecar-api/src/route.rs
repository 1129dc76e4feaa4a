//! Every route, once: method, path, media types, what it asks of a request, and how it may refuse.
//!
//! A route that is not served does not stand here. The codes of a route are those of its own work; what every route
//! may answer follows from the other columns, in [`Operation::codes`].

use std::collections::BTreeSet;

use crate::media::Media;
use crate::problem::Code;

/// A method that some route takes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
}

impl Method {
    /// As it stands in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What a route asks of a request before it looks at it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Nothing, not even room: probes answer under overload.
    Probe,
    /// A token and room.
    Token,
}

/// What the table says of one route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, which holds no variable part.
    pub path: &'static str,
    /// What is asked first.
    pub access: Access,
    /// Whether it records, and so needs an idempotency key.
    pub is_mutating: bool,
    /// The media types that its body may have; none where it takes no body.
    pub takes: &'static [Media],
    /// The media types that it answers, the usual one first.
    pub gives: &'static [Media],
    /// The refusals of its own work.
    pub own_codes: &'static [Code],
    /// What it does, in one sentence.
    pub summary: &'static str,
}

macro_rules! routes {
    ($($variant:ident = $method:ident $path:literal $access:ident $mutating:literal $takes:expr, $gives:expr, $codes:expr, $summary:literal;)+) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Operation {
            $(#[doc = $summary] $variant,)+
        }

        impl Operation {
            /// Every operation, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What the table says of it.
            pub const fn route(self) -> Route {
                match self {
                    $(Self::$variant => Route {
                        method: Method::$method, path: $path, access: Access::$access, is_mutating: $mutating,
                        takes: $takes, gives: $gives, own_codes: $codes, summary: $summary,
                    },)+
                }
            }
        }
    };
}

const JSON: &[Media] = &[Media::Json];
const NONE: &[Media] = &[];
const BUNDLE: &[Media] = &[Media::Json, Media::Zip];
const OTLP: &[Media] = &[Media::Json, Media::Protobuf];

const RECORDING: &[Code] = &[
    Code::EnvelopeInvalid,
    Code::EnvelopeConflict,
    Code::AttachmentInvalid,
    Code::StreamMismatch,
    Code::TooManyStreams,
    Code::IdempotencyConflict,
    Code::StorageUnavailable,
    Code::WriterLatched,
    Code::CommitOutcomeUnknown,
];
const EXPORTING: &[Code] = &[
    Code::TooManyStreams,
    Code::StorageUnavailable,
    Code::WriterLatched,
    Code::CommitOutcomeUnknown,
    Code::NotFound,
];
const INGESTING: &[Code] = &[
    Code::EnvelopeInvalid,
    Code::EnvelopeConflict,
    Code::TooManyStreams,
    Code::IdempotencyConflict,
    Code::StorageUnavailable,
    Code::WriterLatched,
    Code::CommitOutcomeUnknown,
    Code::NotFound,
];
const FINDING: &[Code] = &[Code::StreamMismatch, Code::StorageUnavailable, Code::NotFound];
const QUERYING: &[Code] = &[Code::StreamMismatch, Code::StorageUnavailable, Code::FilterInvalid];
const BUILDING: &[Code] =
    &[Code::StreamMismatch, Code::StorageUnavailable, Code::NotFound, Code::SelectorInvalid];

routes! {
    Health = Get "/health" Probe false NONE, JSON, &[], "Says that the process answers.";
    Startup = Get "/startup" Probe false NONE, JSON, &[Code::StorageUnavailable], "Says whether the sidecar has started.";
    Ready = Get "/ready" Probe false NONE, JSON, &[], "Says whether the sidecar records, and every reason why not.";
    RecordEnvelope = Post "/v1/envelopes" Token true JSON, JSON, RECORDING, "Records one envelope.";
    RecordWithAttachments = Post "/v1/envelopes/with-attachments" Token true JSON, JSON, RECORDING, "Records one envelope and the attachments that it refers to.";
    RecordBatch = Post "/v1/envelopes/batch" Token true JSON, JSON, RECORDING, "Records up to 1000 envelopes of one stream, all or none.";
    QueryEnvelopes = Post "/v1/query/envelopes" Token false JSON, JSON, QUERYING, "Finds envelopes of one stream, a page at a time.";
    ListSegments = Get "/v1/segments" Token false NONE, JSON, QUERYING, "Lists segments, a page at a time.";
    ActiveSegments = Get "/v1/segments/active" Token false NONE, JSON, QUERYING, "Lists the open segments, a page at a time.";
    Checkpoint = Get "/v1/checkpoint" Token false NONE, JSON, FINDING, "Gives the newest signed checkpoint of a stream.";
    ProveInclusion = Post "/v1/proofs/inclusion" Token false JSON, JSON, FINDING, "Proves that an envelope is in the log.";
    ProveConsistency = Post "/v1/proofs/consistency" Token false JSON, JSON, FINDING, "Proves that a log only grew.";
    BuildBundle = Post "/v1/bundles/build" Token false JSON, BUNDLE, BUILDING, "Builds a bundle, as a document or an archive.";
    VerifyBundle = Post "/v1/bundles/verify" Token false BUNDLE, JSON, &[], "Verifies a bundle.";
    InspectBundle = Post "/v1/bundles/inspect" Token false BUNDLE, JSON, &[], "Says what a bundle claims, and verifies nothing.";
    IngestOtel = Post "/v1/ingest/otel" Token true JSON, JSON, INGESTING, "Records the spans and log records of one body in OTLP/JSON, all or none.";
    ExportTraces = Post "/v1/traces" Token true OTLP, OTLP, EXPORTING, "Records the spans of an OTLP/HTTP export.";
    ExportLogs = Post "/v1/logs" Token true OTLP, OTLP, EXPORTING, "Records the log records of an OTLP/HTTP export.";
    Config = Get "/v1/config" Token false NONE, JSON, &[], "Gives the settings in effect, without secrets.";
    Metrics = Get "/metrics" Token false NONE, &[Media::Metrics], &[Code::NotFound], "Gives the metrics, for Prometheus.";
    OpenApi = Get "/openapi.json" Token false NONE, JSON, &[], "Gives the description of this interface (OpenAPI 3.1).";
}

/// What every request may be answered, before it is known what it asks for.
const ALWAYS: &[Code] = &[
    Code::BadRequest,
    Code::ContentLengthInvalid,
    Code::HeaderTooLarge,
    Code::IdempotencyKeyInvalid,
    Code::InternalError,
    Code::NotAcceptable,
    Code::RequestTimeout,
];

/// What a request may be refused with before it has a route, in whatever form its route has answers: as a problem.
pub const FRAMING: &[Code] = &[
    Code::BadRequest,
    Code::ContentLengthInvalid,
    Code::HeaderTooLarge,
    Code::IdempotencyKeyInvalid,
    Code::RequestTimeout,
];

/// What a request may be answered where a control plane is asked.
const GOVERNED: &[Code] = &[
    Code::ControlPlaneDenied,
    Code::ControlPlaneUnavailable,
    Code::HookExportFailed,
    Code::IdentityInvalid,
];

impl Operation {
    /// Whether it speaks OTLP/HTTP: its answers are of the type of the request, its refusals are `google.rpc.Status`, its
    /// bodies may be compressed, and it tells a retry by what the body holds.
    pub const fn is_otlp(self) -> bool {
        matches!(self, Self::ExportTraces | Self::ExportLogs)
    }

    /// Whether requests must bear an idempotency key.
    pub const fn needs_key(self) -> bool {
        self.route().is_mutating && !self.is_otlp()
    }

    /// The status with which it answers a refusal. Exporters send again what was answered with 503 and throw away what
    /// was answered with 500, so that on OTLP whatever is not the request's fault is 503.
    pub const fn status_of(self, code: Code) -> u16 {
        match code.status() {
            429 | 500.. if self.is_otlp() => 503,
            status => status,
        }
    }

    /// Its name, for clients and for a control plane.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Startup => "startup",
            Self::Ready => "ready",
            Self::RecordEnvelope => "record_envelope",
            Self::RecordWithAttachments => "record_envelope_with_attachments",
            Self::RecordBatch => "record_batch",
            Self::QueryEnvelopes => "query_envelopes",
            Self::ListSegments => "list_segments",
            Self::ActiveSegments => "list_active_segments",
            Self::Checkpoint => "checkpoint",
            Self::ProveInclusion => "prove_inclusion",
            Self::ProveConsistency => "prove_consistency",
            Self::BuildBundle => "build_bundle",
            Self::VerifyBundle => "verify_bundle",
            Self::InspectBundle => "inspect_bundle",
            Self::Config => "config",
            Self::IngestOtel => "ingest_otel",
            Self::ExportTraces => "export_traces",
            Self::ExportLogs => "export_logs",
            Self::Metrics => "metrics",
            Self::OpenApi => "openapi",
        }
    }

    /// Whether a control plane, where there is one, is asked before it: everything below `/v1/`. What is not there says
    /// nothing of any tenant, and has to answer while the control plane does not.
    pub fn is_governed(self) -> bool {
        self.route().path.starts_with("/v1/")
    }

    /// Every refusal that it may answer, sorted.
    pub fn codes(self) -> BTreeSet<Code> {
        let route = self.route();
        let mut codes: BTreeSet<Code> = ALWAYS.iter().chain(route.own_codes).copied().collect();
        if route.access == Access::Token {
            codes.extend([Code::Unauthorized, Code::AuthMisconfigured, Code::QueueFull]);
        }
        if !route.takes.is_empty() {
            codes.extend([Code::UnsupportedMediaType, Code::PayloadTooLarge]);
        }
        if self.needs_key() {
            codes.insert(Code::IdempotencyKeyRequired);
        }
        if self.is_governed() {
            codes.extend(GOVERNED);
            if route.is_mutating {
                codes.extend([Code::WriterLeaseRequired, Code::StreamMismatch]);
            }
        }
        codes
    }

    /// What a request asks for.
    ///
    /// # Errors
    ///
    /// The methods that the path takes, none where there is no such path.
    pub fn find(method: &str, path: &str) -> Result<Self, Vec<Method>> {
        let mut methods = Vec::new();
        for operation in Self::ALL {
            let route = operation.route();
            if route.path == path {
                if route.method.name() == method {
                    return Ok(*operation);
                }
                methods.push(route.method);
            }
        }
        Err(methods)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_method_and_path_and_by_no_other() {
        for operation in Operation::ALL {
            let route = operation.route();
            assert_eq!(Operation::find(route.method.name(), route.path), Ok(*operation));
            assert!(
                Operation::find("DELETE", route.path)
                    .is_err_and(|methods| methods.contains(&route.method))
            );
        }
        for path in [
            "",
            "/",
            "/v1/envelopes/",
            "//v1/envelopes",
            "/V1/envelopes",
            "/v1/../v1/config",
            "/v1/envelopes%2Fbatch",
        ] {
            assert_eq!(Operation::find("POST", path), Err(Vec::new()), "{path}");
        }
    }

    #[test]
    fn whatever_needs_a_token_is_governed_but_for_what_operators_read() {
        for operation in Operation::ALL {
            let route = operation.route();
            let is_for_operators = ["/metrics", "/openapi.json"].contains(&route.path);
            let expected = route.access == Access::Token && !is_for_operators;
            assert_eq!(operation.is_governed(), expected, "{}", route.path);
            assert_eq!(operation.codes().contains(&Code::ControlPlaneDenied), expected);
        }
        let mut names: Vec<_> = Operation::ALL.iter().map(|operation| operation.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Operation::ALL.len());
    }

    #[test]
    fn only_probes_go_without_a_token_and_only_posts_take_bodies() {
        for operation in Operation::ALL {
            let route = operation.route();
            assert_eq!(
                route.access == Access::Probe,
                ["/health", "/startup", "/ready"].contains(&route.path)
            );
            assert_eq!(route.method == Method::Post, !route.takes.is_empty(), "{}", route.path);
            assert!(!route.is_mutating || route.method == Method::Post);
            assert!(!route.gives.is_empty() && !operation.codes().is_empty());
        }
    }

    #[test]
    fn what_an_exporter_shall_send_again_is_unavailable_and_nothing_else_is() {
        for code in Code::ALL {
            let status = Operation::ExportTraces.status_of(*code);
            assert_eq!(status == 503, code.status() >= 500 || code.status() == 429, "{code:?}");
            assert!([503, code.status()].contains(&status));
            assert_eq!(Operation::IngestOtel.status_of(*code), code.status());
        }
    }
}
