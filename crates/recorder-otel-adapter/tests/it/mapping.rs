//! Names, ids and duplicates: what an envelope says of a record, and that a retry is a replay.

use proptest::prelude::*;
use recorder_envelope::adapter::Policy;
use recorder_otel_adapter::Encoding;

use crate::support::{
    TRACE, check, codes, is_anomaly, lenient, log, logs, map, payload, span, strict, traces,
};

fn with_resource(attributes: &str, spans: &[String]) -> String {
    let resource = format!(r#"[{{"resource":{{"attributes":[{attributes}]}},"scopeSpans""#);
    traces(spans).replace(r#"[{"scopeSpans""#, &resource)
}

fn text(key: &str, value: &str) -> String {
    format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
}

#[test]
fn the_shipped_trace_is_stored_whole_under_both_policies() {
    let mut stored = 0;
    for body in TRACE.lines() {
        let outcome = strict(body).unwrap();
        stored += outcome.accepted;
        assert_eq!(lenient(body).events, outcome.events);
        for event in &outcome.events {
            let fields = &event.envelope.fields;
            assert_eq!(fields.environment_id.as_str(), "staging");
            assert!(fields.actor_id.as_str().starts_with("otel:"), "{}", fields.actor_id);
            assert_eq!(payload(event)["notes"], serde_json::json!([]));
        }
    }
    assert_eq!(stored, 56);
}

#[test]
fn the_same_body_gives_the_same_envelopes_and_another_spelling_the_same_spans() {
    let body = TRACE.lines().next().unwrap();
    let once = lenient(body);
    assert_eq!(once, lenient(body));
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    // Members sorted by name, and a line for each.
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(once, lenient(&pretty));
}

#[test]
fn actors_are_agents_before_services_before_what_is_configured() {
    let agent = span(&format!(r#","attributes":[{}]"#, text("gen_ai.agent.id", "a-7")));
    let service = [text("service.name", "desk"), text("service.namespace", "ops")].join(",");
    let actor = |body: &str| lenient(body).events[0].envelope.fields.actor_id.to_string();
    assert_eq!(actor(&with_resource(&service, std::slice::from_ref(&agent))), "otel:agent:a-7");
    assert_eq!(actor(&with_resource(&service, &[span("")])), "otel:service:ops/desk");
    assert_eq!(
        actor(&with_resource(&text("service.name", "desk"), &[span("")])),
        "otel:service:desk"
    );
    assert_eq!(actor(&traces(&[span("")])), "otel:unknown");
    assert_eq!(actor(&traces(&[agent])), "otel:agent:a-7");
}

#[test]
fn names_that_are_none_are_replaced_with_a_word_and_refused_under_strictness() {
    let attributes = [text("gen_ai.agent.id", "a\\u0007b"), text("session.id", &"s".repeat(300))];
    let record = span(&format!(r#","attributes":[{}]"#, attributes.join(",")));
    let body = with_resource(&text("deployment.environment", "x\\u202ey"), &[record]);
    let outcome = lenient(&body);
    assert_eq!((outcome.accepted, outcome.rejected), (1, 0));
    assert_eq!(codes(&outcome), ["otel_environment", "otel_actor", "otel_session"]);
    let stored = outcome.events.iter().find(|event| !is_anomaly(event)).unwrap();
    let fields = &stored.envelope.fields;
    assert_eq!(
        (fields.actor_id.as_str(), fields.environment_id.as_str()),
        ("otel:unknown", "unspecified")
    );
    assert_eq!(fields.session_id, None);
    assert!(strict(&body).is_err());
}

#[test]
fn sessions_are_conversations_before_sessions_and_records_before_resources() {
    let session = |attributes: &[String], resource: &str| {
        let record = span(&format!(r#","attributes":[{}]"#, attributes.join(",")));
        let outcome = lenient(&with_resource(resource, &[record]));
        outcome.events[0].envelope.fields.session_id.as_ref().map(ToString::to_string)
    };
    let (conversation, own, mcp) =
        (text("gen_ai.conversation.id", "c"), text("session.id", "s"), text("mcp.session.id", "m"));
    assert_eq!(session(&[mcp.clone(), own.clone(), conversation], "").as_deref(), Some("c"));
    assert_eq!(session(&[mcp.clone(), own], "").as_deref(), Some("s"));
    assert_eq!(session(&[mcp], &text("session.id", "r")).as_deref(), Some("m"));
    assert_eq!(session(&[], &text("session.id", "r")).as_deref(), Some("r"));
    assert_eq!(session(&[], ""), None);
}

#[test]
fn what_comes_after_the_records_that_it_is_about_is_part_of_them() {
    let late = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[SPAN],"schemaUrl":"s:2","scope":{"version":"1","name":"n"}}],"schemaUrl":"s:1","resource":{"attributes":[{"value":{"stringValue":"desk"},"key":"service.name"}]}}]}"#;
    let early = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"desk"}}]},"schemaUrl":"s:1","scopeSpans":[{"scope":{"name":"n","version":"1"},"schemaUrl":"s:2","spans":[SPAN]}]}]}"#;
    let late = lenient(&late.replace("SPAN", &span("")));
    assert_eq!(late, lenient(&early.replace("SPAN", &span(""))));
    let payload = payload(&late.events[0]);
    assert_eq!(payload["resource"]["schema_url"], "s:1");
    assert_eq!(payload["scope"]["schema_url"], "s:2");
    assert_eq!(payload["scope"]["version"], "1");
}

#[test]
fn a_span_has_one_id_wherever_it_is_sent_and_log_records_have_that_of_their_place() {
    let id = |body: &str, index: usize| lenient(body).events[index].envelope.fields.envelope_id;
    let other = span("").replace("c1b174", "c1b175");
    assert_eq!(id(&traces(&[span("")]), 0), id(&traces(&[other.clone(), span("")]), 1));
    // Its own ids, its start and its end tell a span from others; what it says does not.
    assert_eq!(id(&traces(&[span("")]), 0), id(&traces(&[span(r#","flags":1"#)]), 0));
    let ended = span("").replace("1544712661", "1544712662");
    assert_ne!(id(&traces(&[span("")]), 0), id(&traces(&[ended]), 0));
    let one = logs(&[log("")]);
    let two = logs(&[log(""), log("")]);
    assert_eq!(id(&one, 0), id(&one, 0));
    assert_ne!(id(&one, 0), id(&two, 0));
    assert_ne!(id(&two, 0), id(&two, 1));
}

#[test]
fn equal_records_of_one_body_stay_as_many_as_came() {
    let outcome = lenient(&traces(&[span(""), span(""), span(r#","flags":1"#)]));
    assert_eq!((outcome.accepted, outcome.events.len()), (3, 3));
    let outcome = lenient(&logs(&[log(""), log("")]));
    assert_eq!((outcome.accepted, outcome.events.len()), (2, 2));
}

#[test]
fn salts_and_ids_follow_from_the_keys() {
    let body = logs(&[log("")]);
    let mut other = crate::support::settings(Policy::RecordAnomaly);
    other.salt_key = recorder_envelope::adapter::SaltKey::from_hex(&[b'3'; 64]).unwrap();
    let other = recorder_otel_adapter::Adapter::new(other).unwrap();
    let door = recorder_otel_adapter::Door::Ingest;
    let other = other.map(body.as_bytes(), Encoding::Json, door).unwrap();
    let (mine, other) = (&lenient(&body).events[0].envelope, &other.events[0].envelope);
    assert_ne!(mine.fields.envelope_id, other.fields.envelope_id);
    assert_ne!(mine.payload.salt, other.payload.salt);
    assert_eq!(mine.payload.payload, other.payload.payload);
}

#[test]
fn accepted_and_rejected_are_what_came_in_for_every_mixture() {
    let (good, wrong) = (span(""), span("").replace("60c", "60"));
    for pattern in 0..64_u32 {
        let spans = (0..6).map(|bit| if pattern & 1 << bit == 0 { &good } else { &wrong });
        let body = traces(&spans.cloned().collect::<Vec<_>>());
        let outcome = map(Policy::RecordAnomaly, Encoding::Json, body.as_bytes()).unwrap();
        check(&outcome);
        assert_eq!(outcome.rejected, u64::from(pattern.count_ones()));
        assert_eq!(outcome.received(), 6);
        assert_eq!(strict(&body).is_ok(), pattern == 0);
    }
}

#[test]
fn a_value_that_is_odd_is_noted_in_each_record_that_has_it() {
    let odd = |key: &str| format!(r#"{{"key":"{key}","value":{{"doubleValue":null}}}}"#);
    let with = |list: &str| span(&format!(r#","attributes":[{list}]"#));
    // The second of the second record adds nothing to its notes; in the third record it stands alone, where the first one has
    // the same key.
    let even = r#"{"key":"b","value":{"doubleValue":1}}"#;
    let together = [with(even), with(&format!("{},{}", odd("a"), odd("b"))), with(&odd("b"))];
    let outcome = lenient(&traces(&together));
    let notes = outcome.events.iter().map(|event| payload(event)["notes"].clone());
    let odd = serde_json::json!(["double_unset"]);
    assert_eq!(notes.collect::<Vec<_>>(), [serde_json::json!([]), odd.clone(), odd]);
}

#[test]
fn what_means_something_to_others_is_read_in_each_record() {
    let list = [
        text("gen_ai.agent.id", "a"),
        text("session.id", "s"),
        text("name", "api_key"),
        text("value", "planted"),
    ];
    let record = span(&format!(r#","attributes":[{}]"#, list.join(",")));
    let outcome = lenient(&traces(&[record.clone(), record.clone(), record]));
    for event in &outcome.events {
        let fields = &event.envelope.fields;
        assert_eq!(fields.actor_id.as_str(), "otel:agent:a");
        assert_eq!(fields.session_id.as_ref().unwrap().as_str(), "s");
        assert!(!event.envelope.payload.payload.as_str().contains("planted"));
    }
    assert_eq!(outcome.events.len(), 3);
}

/// Attributes that come again and again, in spellings that do and do not repeat: good, secret, odd and wrong ones.
fn attributes() -> impl Strategy<Value = Vec<String>> {
    let key = prop::sample::select(vec![
        "a",
        "b",
        "long.key.of.some.name",
        "gen_ai.agent.id",
        "gen_ai.input.messages",
        "name",
        "value",
        "api_key",
        "",
    ]);
    let value = prop::sample::select(vec![
        r#"{"stringValue":"x"}"#,
        r#"{"stringValue":"y"}"#,
        r#"{ "stringValue" : "x" }"#,
        r#"{"stringValue":"token"}"#,
        r#"{"stringValue":"see ghp_planted0123456789abcdefghijklmn"}"#,
        r#"{"stringValue":"\ud800"}"#,
        r#"{"intValue":7}"#,
        r#"{"intValue":"7"}"#,
        r#"{"intValue":1e30}"#,
        r#"{"doubleValue":null}"#,
        r#"{"future":1,"boolValue":true}"#,
        r#"{"arrayValue":{"values":[{"stringValue":"--token"},{"stringValue":"x"}]}}"#,
        r#"{"kvlistValue":{"values":[{"key":"b","value":{"stringValue":"x"}},{"key":"api_key","value":{"stringValue":"x"}}]}}"#,
    ]);
    let one = (key, value, 0..4).prop_map(|(key, value, spelling)| match spelling {
        0 => format!(r#"{{"value":{value},"key":"{key}"}}"#),
        1 => format!(r#"{{ "key":"{key}","value":{value}}}"#),
        _ => format!(r#"{{"key":"{key}","value":{value}}}"#),
    });
    prop::collection::vec(one, 0..5)
}

proptest! {
    #[test]
    fn a_record_is_mapped_as_if_it_stood_alone(
        pool in prop::collection::vec(attributes(), 1..5), picks in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        // The same lists come again and again, for some of what they say is remembered.
        let records = picks.iter().enumerate().map(|(index, pick)| {
            let attributes = pick.get(&pool);
            let list = format!(r#","attributes":[{}]"#, attributes.join(","));
            span(&list).replace("eee19b7ec3c1b174", &format!("{:016x}", index + 1))
        }).collect::<Vec<_>>();
        let together = lenient(&traces(&records));
        let (mut stored, mut rejected) = (Vec::new(), Vec::new());
        for record in &records {
            let alone = lenient(&traces(std::slice::from_ref(record)));
            rejected.extend(codes(&alone));
            stored.extend(alone.events.into_iter().filter(|it| !is_anomaly(it)));
        }
        let events = together.events.iter().filter(|it| !is_anomaly(it)).cloned();
        prop_assert_eq!(events.collect::<Vec<_>>(), stored);
        prop_assert_eq!(codes(&together), rejected);
    }
}

#[test]
fn only_the_attributes_of_a_record_itself_name_anybody() {
    let agent = r#"[{"key":"gen_ai.agent.id","value":{"stringValue":"other"}},{"key":"session.id","value":{"stringValue":"s"}}]"#;
    let list = format!(r#"{{"kvlistValue":{{"values":{agent}}}}}"#);
    let inside = format!(
        r#"[{{"key":"a","value":{list}}},{{"key":"b","value":{{"arrayValue":{{"values":[{list}]}}}}}}]"#
    );
    let link = format!(
        r#"{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","attributes":{agent}}}"#
    );
    let spans = [
        span(&format!(r#","attributes":{inside}"#)),
        span(&format!(r#","events":[{{"name":"e","attributes":{agent}}}]"#)),
        span(&format!(r#","links":[{link}]"#)),
    ];
    let scope = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"attributes":{agent}}},"spans":[{}]}}]}}]}}"#,
        span("")
    );
    let resource = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":{inside}}},"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
        span("")
    );
    let log = logs(&[log(&format!(r#","body":{list}"#))]);
    // What a record before it said names nobody where the resource says nothing.
    let named = r#","attributes":[{"key":"service.name","value":{"stringValue":"other"}}]"#;
    let behind = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}],"resource":null}}]}}"#,
        span(named)
    );
    for body in spans.map(|span| traces(&[span])).into_iter().chain([scope, resource, log, behind])
    {
        let fields = &lenient(&body).events[0].envelope.fields;
        assert_eq!(fields.actor_id.as_str(), "otel:unknown", "{body}");
        assert_eq!(fields.session_id, None, "{body}");
    }
    let own = lenient(&traces(&[span(&format!(r#","attributes":{agent}"#))]));
    let fields = &own.events[0].envelope.fields;
    assert_eq!(fields.actor_id.as_str(), "otel:agent:other");
    assert_eq!(fields.session_id.as_ref().unwrap().as_str(), "s");
}
