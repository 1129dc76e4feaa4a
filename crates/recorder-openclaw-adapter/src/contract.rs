//! The rules of the mapping as data, for contracts and for those who redo it.

use recorder_envelope::adapter::Policy;
use serde_json::{Value, json};

use crate::connection::{COUNTED_NAMES_MAX, OPEN_MAX, REMEMBERED_MAX};
use crate::frame::{KEPT, KINDS, Step, UNNUMBERED};
use crate::ledger::{self, JOINED_MAX};
use crate::line::{LABEL_CHARS_MAX, MEMBERS, SCHEMA};
use crate::map::PAYLOAD_SCHEMA;
use crate::stream::{CONNECTIONS_MAX, STRICT_BYTES_MAX};
use crate::{ADAPTER_ID, BOUNDS, MAPPING_VERSION, REDACTION_POLICY};

/// What is wrong, by its stable name.
pub(crate) const CODES: &[(&str, &str)] = &[
    ("frame_invalid", "a frame that is no event, or does not name what it is about"),
    ("identifier_invalid", "a name that an envelope cannot carry"),
    ("input_too_large", "more than a strict pass holds"),
    ("ledger_not_compared", "more runs and tool calls than are compared"),
    ("ledger_row_invalid", "a ledger row without action or event id"),
    ("ledger_tool_missing", "a tool call that the ledger does not have, in a run whose end it has"),
    (
        "ledger_tool_unseen",
        "a tool call that the stream does not show, in a run that it shows whole",
    ),
    ("line_invalid", "a line that is not of the input format"),
    ("payload_invalid", "a payload that has no canonical form"),
    ("record_too_large", "a line over the bound"),
    ("schema_unsupported", "a line of another format"),
    ("seq_invalid", "a number that is no integer from 1 to 2^53"),
    ("seq_missing", "a frame without a number that should have one"),
    ("stream_disorder", "a frame after a later one"),
    ("stream_equivocation", "a number again, with other content"),
    ("stream_gap", "numbers are missing"),
    ("stream_incomplete", "a connection that ends with runs, tool calls or approvals open"),
    ("stream_late_start", "a connection that does not begin with 1"),
    ("stream_repeat", "a number again, with the same content"),
    ("time_out_of_range", "a time that no envelope can claim"),
    ("too_many_open", "more is open than is tracked"),
];

/// The rules of this mapping: versions, input, event types, keys of ids, redaction, bounds, codes.
pub fn contract() -> Value {
    let policy: Value = serde_json::from_slice(REDACTION_POLICY).unwrap_or_default();
    let codes: Vec<Value> =
        (CODES.iter()).map(|(code, meaning)| json!({ "code": code, "meaning": meaning })).collect();
    json!({
        "adapter_id": ADAPTER_ID,
        "mapping_version": MAPPING_VERSION,
        "redaction_policy_version": policy.get("version"),
        "input": {
            "schema": SCHEMA,
            "members": MEMBERS,
            "label_chars_max": LABEL_CHARS_MAX,
            "records": "each line; an empty one is skipped",
        },
        "payload": { "schema": PAYLOAD_SCHEMA, "frame_members": KEPT, "ledger_members": ledger::KEPT },
        "event_types": event_types(),
        "unnumbered": UNNUMBERED,
        "ids": {
            "frame": ["boot_id", "conn_id", "gateway", "kind", "seq"],
            "ledger": ["event_id", "gateway", "kind"],
            "line_rejected": ["bytes", "code", "kind", "line", "line_hmac"],
            "ledger_mismatch": ["code", "gateway", "kind", "run_id", "tool_call_digest"],
        },
        "redaction": policy,
        "bounds": BOUNDS,
        "state": {
            "connections_max": CONNECTIONS_MAX,
            "counted_names_max": COUNTED_NAMES_MAX,
            "joined_max": JOINED_MAX,
            "open_max": OPEN_MAX,
            "remembered_frames_max": REMEMBERED_MAX,
            "strict_bytes_max": STRICT_BYTES_MAX,
        },
        "policies": Policy::ALL.map(Policy::name),
        "codes": codes,
    })
}

fn event_types() -> Value {
    let frames: Vec<Value> = (KINDS.iter())
        .map(|kind| {
            let (begins, ends) = match kind.step {
                Step::None => (None, None),
                Step::Begins(what) => (Some(what.name()), None),
                Step::Ends(what) => (None, Some(what.name())),
            };
            json!({
                "event": kind.event, "sign": kind.sign, "event_type": kind.event_type, "time": kind.time,
                "begins": begins, "ends": ends,
            })
        })
        .collect();
    json!({
        "frames": frames,
        "ledger": "openclaw.ledger.<action>",
        "stream": [
            "closed", "disorder", "equivocation", "gap", "incomplete", "late_start", "ledger_mismatch", "line_rejected",
            "opened", "repeat",
        ],
    })
}
