//! What the HTTP interface takes and gives: `recorder-sidecar-api`.

use recorder_sidecar_api::problem::Code;
use serde_json::{Value, json};

use super::{boolean, integer, list, object, of, or_null, text, words};
use crate::enumeration;

type Shape = (&'static str, Value);

pub(super) fn shapes() -> Vec<Shape> {
    let mut all = requests();
    all.extend(answers());
    all.extend(proofs());
    all.extend(otlp());
    all
}

/// What OTLP/HTTP has: members that are not listed are allowed there, and are not looked at.
fn otlp() -> Vec<Shape> {
    let groups = json!({ "type": ["array", "null"], "items": { "type": "object" } });
    let request = json!({
        "type": "object",
        "description": "The body of an export, or of both at once: ExportTraceServiceRequest and ExportLogsServiceRequest in OTLP/JSON.",
        "properties": { "resourceSpans": groups, "resourceLogs": groups },
    });
    let count = json!({ "type": "string", "pattern": "^[0-9]+$" });
    let partial = [
        ("errorMessage", text("The first of what is wrong.")),
        ("rejectedSpans", count.clone()),
        ("rejectedLogRecords", count),
    ];
    vec![
        ("otlp_request", request),
        (
            "ingest_answer",
            object(
                "One receipt for each record, in order.",
                &[
                    ("accepted", of("whole")),
                    ("replayed", of("whole")),
                    ("receipts", list(of("receipt"))),
                ],
                &[],
            ),
        ),
        ("partial_success", object("What was not recorded.", &[], &partial)),
        (
            "export_answer",
            object(
                "Empty where all was recorded.",
                &[],
                &[("partialSuccess", of("partial_success"))],
            ),
        ),
        (
            "rpc_status",
            object(
                "google.rpc.Status: nothing was recorded, and why.",
                &[
                    ("code", integer("google.rpc.Code.")),
                    ("message", text("A code of problems, and what is wrong.")),
                ],
                &[],
            ),
        ),
    ]
}

fn of_stream(more: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let stream = [("tenant_id", of("name")), ("recorder_id", of("name"))];
    stream.into_iter().chain(more.iter().cloned()).collect()
}

fn requests() -> Vec<Shape> {
    let record = of_stream(&[("envelope", of("draft"))]);
    let with_attachments =
        of_stream(&[("envelope", of("draft")), ("attachments", list(of("attachment_input")))]);
    let batch = of_stream(&[("envelopes", list(of("draft")))]);
    let query = [
        ("filter", of("filter")),
        ("limit", or_null(of("page_size"))),
        ("cursor", or_null(text("Where the page before ended."))),
    ];
    let attachment = [("content_type", of("content_type")), ("data_base64", of("base64"))];
    let size = |description: &str| or_null(integer(description));
    let inclusion = of_stream(&[("envelope_id", of("uuid_v7"))]);
    let consistency = of_stream(&[("old_size", of("size_in_log"))]);
    vec![
        ("attachment_input", object("An attachment as sent.", &attachment, &[])),
        ("page_size", integer("Entries on a page.")),
        ("size_in_log", integer("A size of the log.")),
        ("record_request", object("One envelope to be recorded.", &record, &[])),
        (
            "attachments_request",
            object("One envelope and what comes with it.", &with_attachments, &[]),
        ),
        ("batch_request", object("Envelopes to be recorded, all or none.", &batch, &[])),
        ("filter", filter()),
        (
            "filter_positions",
            filter_range("Positions from one, which is included, to one that is not.", of("whole")),
        ),
        (
            "filter_times",
            filter_range(
                "Times from one, which is included, to one that is not.",
                of("time_input"),
            ),
        ),
        ("query_request", object("What is asked for.", &of_stream(&[]), &query)),
        (
            "inclusion_request",
            object(
                "The envelope, and the size of the log to prove it in.",
                &inclusion,
                &[(
                    "tree_size",
                    size("Without it that of the newest checkpoint, or the log as it is."),
                )],
            ),
        ),
        (
            "consistency_request",
            object(
                "The two sizes of the log.",
                &consistency,
                &[(
                    "new_size",
                    size("Without it that of the newest checkpoint, or the log as it is."),
                )],
            ),
        ),
        (
            "build_request",
            object(
                "What to take; without a selector, everything.",
                &of_stream(&[]),
                &[("selector", or_null(of("selector")))],
            ),
        ),
    ]
}

fn filter_range(description: &str, end: Value) -> Value {
    object(description, &[], &[("from", or_null(end.clone())), ("to", or_null(end))])
}

fn filter() -> Value {
    let any_of = |name: &str| or_null(list(of(name)));
    let members = [
        ("event_types", any_of("event_type")),
        ("event_type_prefixes", any_of("event_type_prefix")),
        ("actor_ids", any_of("name")),
        ("environment_ids", any_of("name")),
        ("trace_ids", any_of("name")),
        ("session_ids", any_of("name")),
        ("segment_ids", any_of("uuid_v7")),
        ("envelope_ids", any_of("uuid_v7")),
        ("claimed_time", or_null(of("filter_times"))),
        ("recorded_at", or_null(of("filter_times"))),
        ("positions", or_null(of("filter_positions"))),
    ];
    object("Conditions, all of which must hold; of one list, any.", &[], &members)
}

fn answers() -> Vec<Shape> {
    let next = ("next_cursor", or_null(text("Continues; null when nothing follows.")));
    let probe = [("reasons", list(of("not_ready"))), ("durability", of("durability"))];
    vec![
        (
            "durability",
            words(
                "What a receipt promises: fsync survives a power cut, process the end of the process.",
                &enumeration::durabilities(),
            ),
        ),
        ("not_ready", words("Why the sidecar is not ready.", &enumeration::not_ready())),
        ("receipt", receipt()),
        (
            "batch_answer",
            object(
                "One receipt for each envelope, in order.",
                &[("receipts", list(of("receipt")))],
                &[],
            ),
        ),
        (
            "query_answer",
            object(
                "One page of envelopes.",
                &[("envelopes", list(of("envelope"))), next.clone()],
                &[],
            ),
        ),
        ("segment", segment()),
        (
            "segments_answer",
            object("One page of segments.", &[("segments", list(of("segment"))), next], &[]),
        ),
        (
            "checkpoint_answer",
            object(
                "A signed checkpoint.",
                &of_stream(&[
                    ("tree_size", of("whole")),
                    ("root_hash", of("hash")),
                    ("note", text("The note as signed (C2SP).")),
                ]),
                &[],
            ),
        ),
        (
            "probe_answer",
            object(
                "What a probe says.",
                &[("status", json!({ "enum": ["ok", "unavailable"] }))],
                &probe,
            ),
        ),
        ("problem_code", words("Why a request was refused.", &codes())),
        ("problem", problem()),
    ]
}

fn proofs() -> Vec<Shape> {
    vec![
        (
            "inclusion_answer",
            object(
                "That an envelope is in the log.",
                &[
                    ("envelope_id", of("uuid_v7")),
                    ("position", of("place")),
                    ("chain_hash", of("hash")),
                    ("tree_size", of("whole")),
                    ("root_hash", of("hash")),
                    ("path", list(of("hash"))),
                    ("checkpoint", or_null(text("The signed note over that size."))),
                ],
                &[],
            ),
        ),
        (
            "consistency_answer",
            object(
                "That the log at one size begins with the log at an earlier one.",
                &[
                    ("old_size", of("whole")),
                    ("old_root_hash", of("hash")),
                    ("new_size", of("whole")),
                    ("new_root_hash", of("hash")),
                    ("path", list(of("hash"))),
                    ("checkpoint", or_null(text("The signed note over the later size."))),
                ],
                &[],
            ),
        ),
    ]
}

fn codes() -> Vec<String> {
    Code::ALL.iter().map(|code| code.code().to_owned()).collect()
}

fn receipt() -> Value {
    let members = [
        ("envelope_id", of("uuid_v7")),
        ("segment_id", of("uuid_v7")),
        ("sequence", of("place")),
        ("position", of("place")),
        ("recorded_at", of("recorded_time")),
        ("payload_commitment", of("hash")),
        ("content_hash", of("hash")),
        ("chain_hash", of("hash")),
        ("durability", of("durability")),
    ];
    object("Proof of recording.", &members, &[])
}

fn segment() -> Value {
    let members = of_stream(&[
        ("segment_id", of("uuid_v7")),
        ("segment_index", of("place")),
        ("first_position", of("place")),
        ("envelope_count", of("place")),
        ("opened_at", of("recorded_time")),
        ("sealed_at", or_null(of("recorded_time"))),
        ("chain_head", or_null(of("hash"))),
        ("seal_hash", or_null(of("hash"))),
    ]);
    object("A segment and the stream that it is of.", &members, &[])
}

fn problem() -> Value {
    let members = [
        ("type", text("A URN that ends with the code.")),
        ("title", text("What the code means.")),
        ("status", integer("The HTTP status.")),
        ("code", of("problem_code")),
        ("detail", text("What is wrong with this request; never a payload or a secret.")),
        ("retryable", boolean("Whether the same request may succeed later.")),
        ("server_correlation_id", text("The service's name for the request.")),
    ];
    object("Why a request was refused (RFC 9457).", &members, &[])
}
