//! Inputs that were made to hurt: secrets stay out, odd times and names are taken or named, and any bytes are survived.

use std::path::Path;

use proptest::prelude::*;
use recorder_envelope::adapter::Policy;
use recorder_envelope::envelope::UnsealedEnvelope;
use serde_json::{Value, json};

use crate::pack::{Pack, codes, document, mapped};
use crate::properties::check_bytes;

/// What is planted where the source keeps what is sensitive.
const SECRETS: [&str; 8] = [
    "hunter2",
    "123-45-6789",
    "top-secret-value",
    "SECRET_NAME",
    "sig=abc",
    "dg+file",
    "/secret/place",
    "[0,255,7]",
];

fn everything(envelope: &UnsealedEnvelope) -> String {
    format!("{:?}{}", envelope.fields, envelope.payload.payload.as_str())
}

#[test]
fn nothing_that_is_sensitive_by_its_place_is_recorded() {
    let pack = Pack::sample();
    let fixture = pack.fixture();
    let raw = serde_json::to_string(&pack.transcript).unwrap()
        + &pack.files().values().map(|bytes| String::from_utf8_lossy(bytes)).collect::<String>();
    for secret in SECRETS {
        assert!(raw.contains(secret), "{secret} is not planted");
    }
    let outcome = mapped(document(&fixture), Policy::StrictFail).unwrap();
    for event in &outcome.events {
        let text = everything(&event.envelope);
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[test]
fn digests_of_single_contents_stay_out_with_the_contents() {
    let pack = Pack::sample();
    let submission = &pack.artifacts["submissions"][0]["content_hash"]["value"];
    let evidence =
        &pack.artifacts["gate_evals"][0]["evidence"][0]["result"]["evidence_hash"]["value"];
    let outcome = mapped(document(&pack.fixture()), Policy::StrictFail).unwrap();
    for event in &outcome.events {
        let text = everything(&event.envelope);
        for digest in [submission, evidence] {
            assert!(!text.contains(digest.as_str().unwrap()), "{text}");
        }
    }
}

#[test]
fn arguments_and_answers_of_a_tool_that_is_not_known_are_left_out_whole() {
    let exchange = json!([{
        "sequence": 1, "method": "tools/call", "error": "connect to https://u:p@host failed",
        "request": {"id": 1, "method": "tools/call", "params": {"name": "vault_read", "arguments": {"x": "hunter2"}}},
        "response": {"id": 1, "result": {"content": [{"type": "text", "text": "hunter2"}]}},
    }]);
    let bytes = serde_json::to_vec(&exchange).unwrap();
    let outcome = mapped(document(&bytes), Policy::StrictFail).unwrap();
    let text = everything(&outcome.events[0].envelope);
    assert!(!text.contains("hunter2") && !text.contains("u:p"), "{text}");
    assert!(text.contains("decision_gate.mcp.vault_read") && text.contains("unlisted_tool"));
}

fn with_time(pointer: &str, time: Value) -> Pack {
    let mut pack = Pack::sample();
    *pack.artifacts.get_mut("triggers").unwrap().pointer_mut(pointer).unwrap() = time;
    pack.rehash();
    pack.reexport();
    pack
}

#[test]
fn a_time_that_no_envelope_can_claim_is_kept_in_its_record_and_the_one_before_is_claimed() {
    for (kind, value) in [
        ("unix_millis", json!(-1)),
        ("unix_millis", json!(i64::MIN)),
        ("unix_millis", json!(i64::MAX)),
        ("logical", json!(u64::MAX)),
    ] {
        let pack = with_time("/1/event/time", json!({"kind": kind, "value": value}));
        let outcome = mapped(document(&pack.fixture()), Policy::StrictFail).unwrap();
        let triggers = outcome.events.iter().map(|event| &event.envelope);
        let trigger = triggers
            .filter(|envelope| envelope.fields.event_type.as_str().ends_with("trigger.received"))
            .nth(1)
            .unwrap();
        let text = trigger.payload.payload.as_str();
        assert!(text.contains(r#""basis":"carried""#), "{text}");
        assert!(text.contains(&value.to_string()), "{text}");
        assert_eq!(trigger.fields.claimed_time.to_string(), "2026-01-01T00:00:00.100000000Z");
    }
}

#[test]
fn what_is_no_time_is_refused_by_name() {
    for time in [
        Value::Null,
        json!("yesterday"),
        json!({"kind": "unix_millis", "value": 1.5}),
        json!({"kind": "unix_millis", "value": "1"}),
        json!({"kind": "stardate", "value": 1}),
        json!({"kind": "logical", "value": -1}),
        json!({"kind": "unix_millis", "value": 1e300}),
    ] {
        let pack = with_time("/1/event/time", time);
        assert!(codes(document(&pack.fixture())).contains("record_time_invalid"));
    }
}

#[test]
fn names_that_no_envelope_has_give_way_to_their_digest() {
    for (id, kept) in [("", false), ("a\u{0}b", false), ("\u{202e}x", false), ("ü/x", true)] {
        let mut pack = Pack::sample();
        let triggers = pack.artifacts.get_mut("triggers").unwrap();
        triggers[0]["event"]["source_id"] = json!(id);
        triggers[0]["event"]["correlation_id"] = json!("x".repeat(300));
        pack.rehash();
        pack.reexport();
        let outcome = mapped(document(&pack.fixture()), Policy::StrictFail).unwrap();
        let trigger = &outcome.events[pack.transcript.len()].envelope.fields;
        let is_digest = |text: &str| text.starts_with("sha256:") && text.len() == 71;
        assert_eq!(is_digest(trigger.actor_id.as_str()), !kept, "{id:?}");
        assert!(is_digest(trigger.session_id.as_ref().unwrap().as_str()));
    }
}

#[test]
fn a_record_over_the_bounds_is_rejected_by_name_and_the_rest_is_recorded() {
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    let long_name = "n".repeat(300);
    for (extra, code) in [
        (json!(vec!["x".repeat(8000); 40]), "record_too_large"),
        (json!(vec![0; 2000]), "too_many_items"),
        (deep, "too_deep"),
        (json!({long_name: 1}), "name_too_long"),
    ] {
        let mut pack = Pack::sample();
        pack.transcript[1]["request"]["params"]["arguments"]["more"] = extra;
        let fixture = pack.fixture();
        assert_eq!(codes(document(&fixture)), [code].into());
        let outcome = mapped(document(&fixture), Policy::RecordAnomaly).unwrap();
        assert_eq!((outcome.rejected, outcome.accepted), (1, 16));
    }
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let mut pack = Pack::sample();
    let arguments = &mut pack.transcript[1]["request"]["params"]["arguments"];
    arguments["more"] = json!("x".repeat(9000));
    let outcome = mapped(document(&pack.fixture()), Policy::StrictFail).unwrap();
    assert!(everything(&outcome.events[1].envelope).contains("$truncated"));
}

#[test]
fn many_records_that_are_none_are_counted_and_leave_a_bounded_number_of_envelopes() {
    let text = format!("[{}1]", "1,".repeat(9999));
    let outcome = mapped(document(text.as_bytes()), Policy::RecordAnomaly).unwrap();
    assert_eq!((outcome.rejected, outcome.events.len()), (10_000, 4097));
    let last = outcome.events.last().unwrap().envelope.payload.payload.as_str();
    assert!(last.contains(r#""code":"more_records_rejected","count":"5904""#), "{last}");
    let text = format!("[{}1]", "1,".repeat(1 << 16));
    assert_eq!(codes(document(text.as_bytes())), ["fixture_invalid"].into());
}

#[test]
fn an_artifact_outside_of_the_runpack_refuses_the_fixture() {
    for path in ["../x", "/etc/passwd", "a\\b", "a//b", "a/../b", "x\u{0}"] {
        let mut pack = Pack::sample();
        pack.raw.insert(path.to_owned(), vec![]);
        assert_eq!(codes(document(&pack.fixture())), ["path_unsafe"].into(), "{path:?}");
    }
}

#[test]
fn the_fuzz_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/decision_gate");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        check_bytes(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_edit_of_a_fixture_is_survived(
        at in any::<prop::sample::Index>(),
        length in 0_usize..40,
        bytes in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut fixture = Pack::sample().fixture();
        let at = at.index(fixture.len());
        let end = (at + length).min(fixture.len());
        fixture.splice(at..end, bytes);
        check_bytes(&fixture);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_bytes(&bytes);
    }
}
