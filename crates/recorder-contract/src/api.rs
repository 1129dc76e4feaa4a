//! The HTTP interface as data: what each operation takes and answers, errors, enumerations, what clients rely on.
//!
//! Projected from the tables of `recorder-sidecar-api`; what those do not say, which answer has which shape, stands in
//! [`described`], which does not compile while an operation is missing.

use std::collections::BTreeSet;

use recorder_sidecar_api::header::{
    AUTHN_METHOD, CORRELATION_ID, IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, LEGACY_CORRELATION_ID,
    NAMESPACE, PRINCIPAL_ID, SERVER_CORRELATION_ID, TENANT_ID, WRITER_LEASE,
};
use recorder_sidecar_api::media::Media;
use recorder_sidecar_api::problem::{self, Code};
use recorder_sidecar_api::route::{Access, Operation};
use serde_json::{Map, Value, json};

use crate::{enumeration, example};

/// The form of an idempotency key, bare or as a quoted string.
pub(crate) const IDEMPOTENCY_KEY_PATTERN: &str = "^[!-~]{1,258}$";

/// The form of a correlation id.
pub(crate) const CORRELATION_ID_PATTERN: &str = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$";

/// Seconds after which a request that may succeed later is repeated.
pub(crate) const RETRY_AFTER_SECONDS: u64 = 1;

/// One way in which an operation succeeds, or says that something is not ready.
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The shape of the JSON; none where members are not promised.
    pub(crate) shape: Option<&'static str>,
    /// When it is given.
    pub(crate) when: &'static str,
}

/// What an operation takes and answers.
pub(crate) struct Described {
    /// The shape of a JSON body; none where it takes no body.
    pub(crate) request: Option<&'static str>,
    /// What it answers when it does not refuse.
    pub(crate) answers: Vec<Answer>,
}

/// The name of an operation, as clients have it.
pub(crate) const fn name(operation: Operation) -> &'static str {
    operation.name()
}

/// What an operation takes and answers.
pub(crate) fn described(operation: Operation) -> Described {
    let (request, shape, when) = match operation {
        Operation::Health => (None, Some("probe_answer"), "The process answers."),
        Operation::Startup => (None, Some("probe_answer"), "The sidecar has started."),
        Operation::Ready => (None, Some("probe_answer"), "The sidecar records."),
        Operation::RecordEnvelope => (Some("record_request"), Some("receipt"), "Recorded."),
        Operation::RecordWithAttachments => {
            (Some("attachments_request"), Some("receipt"), "Recorded.")
        }
        Operation::RecordBatch => (Some("batch_request"), Some("batch_answer"), "All recorded."),
        Operation::QueryEnvelopes => (Some("query_request"), Some("query_answer"), "A page."),
        Operation::ListSegments | Operation::ActiveSegments => {
            (None, Some("segments_answer"), "A page.")
        }
        Operation::Checkpoint => (None, Some("checkpoint_answer"), "The newest checkpoint."),
        Operation::ProveInclusion => {
            (Some("inclusion_request"), Some("inclusion_answer"), "The proof.")
        }
        Operation::ProveConsistency => {
            (Some("consistency_request"), Some("consistency_answer"), "The proof.")
        }
        Operation::BuildBundle => (Some("build_request"), Some("bundle_document"), "The bundle."),
        Operation::VerifyBundle => {
            (Some("bundle_document"), Some("verify_answer"), "What the verification found.")
        }
        Operation::InspectBundle => {
            (Some("bundle_document"), Some("inspect_answer"), "What the bundle claims.")
        }
        Operation::Config => (None, None, "The settings by table."),
        Operation::IngestOtel => (Some("otlp_request"), Some("ingest_answer"), "All recorded."),
        Operation::ExportTraces | Operation::ExportLogs => (
            Some("otlp_request"),
            Some("export_answer"),
            "Recorded, now or before; partialSuccess says what was not, or is not there.",
        ),
        Operation::Metrics => (None, None, "The metrics."),
        Operation::OpenApi => (None, None, "This document."),
    };
    let mut answers = vec![Answer { status: 200, shape, when }];
    if operation.needs_key() {
        answers.insert(0, Answer { status: 201, shape, when });
        if let Some(replayed) = answers.last_mut() {
            replayed.when = "Recorded before: the first answer, again.";
        }
    }
    if operation == Operation::Ready {
        answers.push(Answer {
            status: 503,
            shape,
            when: "The sidecar does not record; every reason.",
        });
    }
    Described { request, answers }
}

/// Every code: status, title, whether to retry, which operations answer it.
pub(crate) fn errors() -> Value {
    let codes: Map<String, Value> = Code::ALL
        .iter()
        .map(|code| {
            let answers = |operation: &&Operation| operation.codes().contains(code);
            let operations: Vec<&str> =
                Operation::ALL.iter().filter(answers).map(|operation| name(*operation)).collect();
            let entry = json!({
                "status": code.status(),
                "title": code.title(),
                "type": format!("{}{}", problem::TYPE_PREFIX, code.code()),
                "retryable": code.is_retryable(),
                "operations": operations,
            });
            (code.code().to_owned(), entry)
        })
        .collect();
    json!({ "media_type": problem::MEDIA_TYPE, "codes": codes })
}

/// Every enumeration.
pub(crate) fn enums() -> Value {
    json!({ "enums": enumeration::all() })
}

/// An example of every request and every answer.
pub(crate) fn examples() -> Value {
    let operations: Map<String, Value> = Operation::ALL
        .iter()
        .map(|operation| {
            let answers: Map<String, Value> = described(*operation)
                .answers
                .iter()
                .filter_map(|answer| {
                    let example = example::answer(*operation, answer.status)?;
                    Some((answer.status.to_string(), example))
                })
                .collect();
            let entry = json!({ "request": example::request(*operation), "answers": answers });
            (name(*operation).to_owned(), entry)
        })
        .collect();
    let problems: Map<String, Value> =
        Code::ALL.iter().map(|code| (code.code().to_owned(), example::problem(*code))).collect();
    json!({ "operations": operations, "problems": problems })
}

/// What clients rely on: a fact that vanishes or changes here is a break.
pub(crate) fn compat() -> Value {
    let codes: Map<String, Value> = Code::ALL
        .iter()
        .map(|code| {
            let entry = json!({ "status": code.status(), "retryable": code.is_retryable() });
            (code.code().to_owned(), entry)
        })
        .collect();
    let operations: Map<String, Value> = Operation::ALL
        .iter()
        .map(|operation| (name(*operation).to_owned(), promised(*operation)))
        .collect();
    json!({
        "api_major_version": 1,
        "codes": codes,
        "enums": enumeration::all(),
        "idempotency": idempotency(),
        "headers": {
            "correlation_id": [CORRELATION_ID, LEGACY_CORRELATION_ID],
            "correlation_id_pattern": CORRELATION_ID_PATTERN,
            "server_correlation_id": SERVER_CORRELATION_ID,
            "writer_lease": WRITER_LEASE,
            "identity": [TENANT_ID, PRINCIPAL_ID, AUTHN_METHOD, NAMESPACE],
        },
        "problem": { "media_type": problem::MEDIA_TYPE, "type_prefix": problem::TYPE_PREFIX },
        "operations": operations,
    })
}

fn promised(operation: Operation) -> Value {
    let route = operation.route();
    let described = described(operation);
    let essences = |all: &[Media]| all.iter().map(|media| media.essence()).collect::<Vec<_>>();
    let parameters: Map<String, Value> = operation
        .parameters()
        .iter()
        .map(|parameter| (parameter.name.to_owned(), json!({ "required": parameter.is_required })))
        .collect();
    json!({
        "method": route.method.name(),
        "path": route.path,
        "requires_token": route.access == Access::Token,
        "requires_idempotency_key": operation.needs_key(),
        "is_governed": operation.is_governed(),
        "takes": essences(route.takes),
        "gives": essences(route.gives),
        "statuses": described.answers.iter().map(|answer| answer.status).collect::<BTreeSet<_>>(),
        "codes": operation.codes().iter().map(|code| code.code()).collect::<Vec<_>>(),
        "request": described.request,
        "answer": described.answers.first().and_then(|answer| answer.shape),
        "parameters": parameters,
    })
}

/// How retries are named, and what names them.
pub(crate) fn idempotency() -> Value {
    let operations: Vec<&str> = Operation::ALL
        .iter()
        .filter(|operation| operation.needs_key())
        .map(|operation| name(*operation))
        .collect();
    json!({
        "header": IDEMPOTENCY_KEY,
        "replayed_header": IDEMPOTENCY_REPLAYED,
        "replayed_status": 200,
        "first_status": 201,
        "key_pattern": IDEMPOTENCY_KEY_PATTERN,
        "scope": "stream",
        "operations": operations,
        "codes": {
            "missing": Code::IdempotencyKeyRequired.code(),
            "malformed": Code::IdempotencyKeyInvalid.code(),
            "other_request": Code::IdempotencyConflict.code(),
        },
    })
}
