//! What must hold for any bytes at all; shared with the fuzz target `redaction`.

use recorder_envelope::json::{CanonicalPayload, JsonErrorKind, JsonLimits, canonicalize};
use recorder_envelope::redaction::{Bounds, RedactionPolicy, Redactor, Tally};
use serde_json::Value;

/// Small enough for short inputs to reach them.
const BOUNDS: Bounds = Bounds {
    record_bytes_max: 4096,
    string_bytes_max: 24,
    name_bytes_max: 16,
    depth_max: 5,
    items_max: 6,
    members_max: 5,
};

/// Checks one input, whatever it is: nothing panics, nothing is over a bound, and nothing changes without being counted.
pub(crate) fn check_bytes(input: &[u8]) {
    let redactor = Redactor::new(RedactionPolicy::base().unwrap(), BOUNDS, None);
    let mut pass = redactor.begin();
    let mut out = b"kept".to_vec();
    let result = pass.json(input, &mut out);
    assert!(out.starts_with(b"kept"));
    let out = out.split_off(4);
    match result {
        Ok(()) => check_output(input, &out, pass.tally()),
        Err(error) => {
            assert!(out.is_empty() && pass.tally() == Tally::default());
            assert!(error.offset <= input.len());
        }
    }
    let mut again = Vec::new();
    assert_eq!(redactor.begin().json(input, &mut again), result);
    assert_eq!(again, out);
    if let Ok(text) = std::str::from_utf8(input) {
        check_text(&redactor, text);
    }
}

fn check_output(input: &[u8], out: &[u8], tally: Tally) {
    let mut canonical = Vec::new();
    if let Err(error) = canonicalize(out, &JsonLimits::PAYLOAD, &mut canonical) {
        // The pass copies what only canonical form refuses.
        assert!(matches!(
            error.kind,
            JsonErrorKind::DuplicateMember
                | JsonErrorKind::NumberNotFinite
                | JsonErrorKind::IntegerNotRepresentable
        ));
        return;
    }
    check_bounds(&serde_json::from_slice(&canonical).unwrap(), 0);
    if tally == Tally::default() && !input.contains(&b'$') {
        let mut before = Vec::new();
        canonicalize(input, &JsonLimits::PAYLOAD, &mut before).unwrap();
        assert_eq!(canonical, before, "changed without being counted");
    }
}

/// A marker takes two levels more, and its own members are no record's.
fn check_bounds(value: &Value, depth: usize) {
    assert!(depth <= BOUNDS.depth_max + 2);
    match value {
        Value::String(text) => assert!(text.len() <= BOUNDS.string_bytes_max.max(64), "{text}"),
        Value::Array(items) => {
            assert!(items.len() <= BOUNDS.items_max);
            items.iter().for_each(|item| check_bounds(item, depth + 1));
        }
        Value::Object(members) => {
            assert!(members.len() <= BOUNDS.members_max);
            members.values().for_each(|member| check_bounds(member, depth + 1));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn check_text(redactor: &Redactor, text: &str) {
    let mut pass = redactor.begin();
    let mut out = b"{\"a\":".to_vec();
    pass.text(text, &mut out);
    out.push(b'}');
    let payload = CanonicalPayload::parse(&out).unwrap();
    let read: Value = serde_json::from_slice(payload.as_bytes()).unwrap();
    let cut = &read["a"]["$truncated"];
    if let Some(kept) = cut["kept"].as_str() {
        assert!(kept.len() <= BOUNDS.string_bytes_max);
        assert_eq!(cut["bytes"], text.len());
    }
    if pass.tally() == Tally::default() {
        assert_eq!(read["a"], text);
    }
    let label = pass.label(text);
    assert_eq!(redactor.begin().label(&label), label, "a label is its own label");
}
