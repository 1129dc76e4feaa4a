//! The vectors under `docs/spec/vectors/selectors`: how selectors are written, and what they select.

use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::json;
use recorder_envelope::selector::Selector;
use serde_json::{Value, json};

use crate::samples::{chained, line_of};
use crate::vector_file;

/// Eight envelopes in which every condition of a selector tells some from others.
fn envelopes() -> Vec<SealedEnvelope> {
    let mut envelopes = chained(8);
    for (number, envelope) in envelopes.iter_mut().enumerate() {
        let fields = &mut envelope.fields;
        fields.claimed_time = format!("2026-11-22T00:00:0{number}Z").parse().unwrap();
        fields.trace_id = (number < 4).then(|| "t1".parse().unwrap());
        fields.session_id = (number % 3 == 0).then(|| "s1".parse().unwrap());
        if number > 5 {
            fields.actor_id = "human:ada".parse().unwrap();
            envelope.place.segment_id = "019a4f00-0000-7000-9000-000000000002".parse().unwrap();
        }
    }
    envelopes
}

const SELECTORS: [&str; 26] = [
    r#"{"all":[]}"#,
    r#"{"any":[]}"#,
    r#"{"not":{"all":[]}}"#,
    r#"{"positions":{"from":2,"to":5}}"#,
    r#"{"positions":{"from":6}}"#,
    r#"{"positions":{"to":1}}"#,
    r#"{"positions":{"from":0,"to":1099511627776}}"#,
    r#"{"segment":{"segment_id":"019a4f00-0000-7000-9000-000000000002"}}"#,
    r#"{"segments":["019a4f00-0000-7000-9000-000000000002","019a4f00-0000-7000-9000-000000000001"]}"#,
    r#"{"segments":[]}"#,
    r#"{"envelopes":["019a4f00-0000-7000-8000-000000000005","019a4f00-0000-7000-8000-000000000001","019a4f00-0000-7000-8000-000000000005"]}"#,
    r#"{"envelopes":[]}"#,
    r#"{"trace":{"trace_id":"t1"}}"#,
    r#"{"session":{"session_id":"s1"}}"#,
    r#"{"actor":{"actor_id":"human:ada"}}"#,
    r#"{"event_type":{"equals":"tool.call"}}"#,
    r#"{"event_type":{"equals":"tool"}}"#,
    r#"{"event_type":{"prefix":"tool."}}"#,
    r#"{"event_type":{"prefix":"tool.r"}}"#,
    r#"{"claimed_time":{"from":"2026-11-22T00:00:03Z","to":"2026-11-22T00:00:05.000000000Z"}}"#,
    r#"{"claimed_time":{"to":"2026-11-22T00:00:01+00:00"}}"#,
    r#"{"all":[{"trace":{"trace_id":"t1"}},{"session":{"session_id":"s1"}}]}"#,
    r#"{"any":[{"trace":{"trace_id":"t1"}},{"session":{"session_id":"s1"}}]}"#,
    r#"{"not":{"trace":{"trace_id":"t1"}}}"#,
    r#"{"all":[{"not":{"any":[{"positions":{"to":2}}]}},{"event_type":{"equals":"tool.result"}}]}"#,
    "{ \"positions\" : { \"to\" : 2 , \"from\" : 1 } }",
];

const REFUSED: [&str; 24] = [
    "",
    "[]",
    "{}",
    "null",
    r#"{"all":[],"any":[]}"#,
    r#"{"everything":[]}"#,
    r#"{"not":[]}"#,
    r#"{"all":{}}"#,
    r#"{"positions":{}}"#,
    r#"{"positions":{"from":9,"to":9}}"#,
    r#"{"positions":{"from":9,"to":8}}"#,
    r#"{"positions":{"from":-1}}"#,
    r#"{"positions":{"from":1.0}}"#,
    r#"{"positions":{"from":1,"until":2}}"#,
    r#"{"segment":"019a4f00-0000-7000-9000-000000000002"}"#,
    r#"{"segment":{"segment_id":"x"}}"#,
    r#"{"trace":{"trace_id":""}}"#,
    r#"{"trace":{"trace_id":"a","x":1}}"#,
    r#"{"event_type":{"equals":"A"}}"#,
    r#"{"event_type":{"prefix":""}}"#,
    r#"{"event_type":{"prefix":"a.."}}"#,
    r#"{"event_type":{"equals":"a","prefix":"a"}}"#,
    r#"{"claimed_time":{"from":"2026-11-22T00:00:00+01:00"}}"#,
    r#"{"all":[],"all":[]}"#,
];

#[test]
fn selectors_select_what_is_published() {
    let envelopes = envelopes();
    let mut cases: Vec<Value> = SELECTORS
        .iter()
        .map(|text| {
            let selector = Selector::parse(text.as_bytes()).unwrap();
            let selected = envelopes.iter().filter(|envelope| selector.selects(envelope));
            let positions: Vec<u64> = selected.map(|envelope| envelope.place.position).collect();
            let canonical = json::to_canonical(&selector).unwrap();
            json!({
                "selector": text, "canonical": String::from_utf8(canonical).unwrap(), "positions": positions,
            })
        })
        .collect();
    for text in REFUSED {
        assert!(Selector::parse(text.as_bytes()).is_err(), "{text}");
        cases.push(json!({ "selector": text, "canonical": null, "positions": null }));
    }
    vector_file::check(
        "vectors/selectors/selectors.json",
        "canonical is how a manifest holds the selector, or null where it is refused; positions are those that it selects of the lines in envelopes.json.",
        &cases,
    );
}

#[test]
fn the_envelopes_to_select_from_are_the_published_ones() {
    let lines: Vec<Value> =
        envelopes().iter().map(|envelope| Value::from(line_of(envelope))).collect();
    vector_file::check(
        "vectors/selectors/envelopes.json",
        "Lines to try selectors.json on. Their members are what is selected by; their hashes are not meant to hold.",
        &lines,
    );
}
