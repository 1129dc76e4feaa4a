//! Every refusal, once: code, status, title, and whether the same request may succeed later (RFC 9457).
//!
//! Codes are contract: clients act on them, so one that is published keeps its meaning.

use serde::Serialize;

/// The media type of a refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What comes before the code in `type`.
pub const TYPE_PREFIX: &str = "urn:recorder:problem:";

macro_rules! codes {
    ($($variant:ident = $code:literal $status:literal $retryable:literal $title:literal;)+) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $(#[doc = $title] $variant,)+
        }

        impl Code {
            /// Every code, sorted.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as it is written.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// Whether the same request may succeed later.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)+ }
            }

            /// What it means, in few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

codes! {
    AttachmentInvalid = "attachment_invalid" 400 false "An attachment is not what its envelope says.";
    AuthMisconfigured = "auth_misconfigured" 500 false "The service has no token to compare with.";
    BadRequest = "bad_request" 400 false "The request is not of the expected form.";
    CommitOutcomeUnknown = "commit_outcome_unknown" 503 true "The commit was not confirmed and may have landed.";
    ContentLengthInvalid = "content_length_invalid" 400 false "The length of the body is not stated once and clearly.";
    ControlPlaneDenied = "control_plane_denied" 403 false "The control plane does not admit the request.";
    ControlPlaneUnavailable = "control_plane_unavailable" 503 true "The control plane gave no usable answer.";
    EnvelopeConflict = "envelope_conflict" 409 false "An envelope with this id says something else.";
    EnvelopeInvalid = "envelope_invalid" 400 false "An envelope breaks a rule of the evidence format.";
    FilterInvalid = "filter_invalid" 400 false "The filter or the cursor cannot be used.";
    HeaderTooLarge = "header_too_large" 431 false "The head of the request is too large.";
    HookExportFailed = "hook_export_failed" 503 true "The control plane was not told.";
    IdempotencyConflict = "idempotency_conflict" 409 false "The idempotency key was used for another request.";
    IdempotencyKeyInvalid = "idempotency_key_invalid" 400 false "The idempotency key is not of the expected form.";
    IdempotencyKeyRequired = "idempotency_key_required" 400 false "The request needs an idempotency key.";
    IdentityInvalid = "identity_invalid" 400 false "The identity headers are missing or not of the expected form.";
    InternalError = "internal_error" 500 false "The service failed.";
    MethodNotAllowed = "method_not_allowed" 405 false "The path does not take this method.";
    NotAcceptable = "not_acceptable" 406 false "No media type that is accepted can be given.";
    NotFound = "not_found" 404 false "Nothing is there.";
    PayloadTooLarge = "payload_too_large" 413 false "The body is too large.";
    QueueFull = "queue_full" 429 true "Too many requests wait.";
    RequestTimeout = "request_timeout" 503 true "The request took too long to arrive or to be admitted.";
    SelectorInvalid = "selector_invalid" 400 false "The selector cannot be used.";
    StorageUnavailable = "storage_unavailable" 503 true "The store cannot be used now.";
    StreamMismatch = "stream_mismatch" 409 false "The request names a stream that is not recorded here.";
    TooManyStreams = "too_many_streams" 429 false "No further stream is taken.";
    Unauthorized = "unauthorized" 401 false "The request bears no valid token.";
    UnsupportedMediaType = "unsupported_media_type" 415 false "The body is of a media type that is not taken.";
    WriterLatched = "writer_latched" 503 false "The writer stopped after a failure; an operator must look.";
    WriterLeaseRequired = "writer_lease_required" 409 false "The request must assert the writer lease.";
}

impl Code {
    /// The code that is written so.
    pub fn by_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.code() == code)
    }
}

/// A refusal as it is answered.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    problem_type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    retryable: bool,
    server_correlation_id: String,
    #[serde(skip)]
    kind: Code,
}

impl Problem {
    /// The refusal of one request; `detail` never holds a payload or a secret.
    pub fn new(
        code: Code,
        detail: impl Into<String>,
        server_correlation_id: impl Into<String>,
    ) -> Self {
        Self {
            problem_type: format!("{TYPE_PREFIX}{}", code.code()),
            title: code.title(),
            status: code.status(),
            code: code.code(),
            detail: detail.into(),
            retryable: code.is_retryable(),
            server_correlation_id: server_correlation_id.into(),
            kind: code,
        }
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.kind
    }

    /// As JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and integers are always serialised.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_distinct_and_their_statuses_are_errors() {
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert!(!code.is_retryable() || matches!(code.status(), 429 | 503), "{code:?}");
            assert_eq!(Code::by_code(code.code()), Some(*code));
        }
    }

    #[test]
    fn a_refusal_has_the_seven_members_of_the_contract() {
        let problem = Problem::new(Code::QueueFull, "wait", "abc");
        let text = String::from_utf8(problem.to_json()).unwrap();
        assert_eq!(
            text,
            r#"{"type":"urn:recorder:problem:queue_full","title":"Too many requests wait.","status":429,"code":"queue_full","detail":"wait","retryable":true,"server_correlation_id":"abc"}"#
        );
    }
}
