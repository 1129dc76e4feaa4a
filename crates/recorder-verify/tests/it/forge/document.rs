//! The document form of a bundle: all members in one canonical JSON object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recorder_envelope::json::to_canonical;
use serde_json::{Map, Value, json};

use super::bundle::{Members, Part};

/// The document that holds these members.
pub(crate) fn of(members: &Members) -> Vec<u8> {
    to_canonical(&value_of(members)).unwrap()
}

/// The same, before it is written.
pub(crate) fn value_of(members: &Members) -> Value {
    let parts: Map<_, _> =
        members.0.iter().map(|member| (member.name.clone(), part_value(member))).collect();
    json!({ "parts": parts, "type": "recorder.bundle-document/v1" })
}

fn part_value(part: &Part) -> Value {
    let Part { name, bytes } = part;
    if name.ends_with(".jsonl") {
        let text = std::str::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect()
    } else if name.ends_with(".json") {
        serde_json::from_slice(bytes).unwrap()
    } else if name.starts_with("attachments/") {
        STANDARD.encode(bytes).into()
    } else {
        String::from_utf8(bytes.clone()).unwrap().into()
    }
}
