//! What proto3 JSON allows and what it does not, case by case: what is stored, what is said of it, what is refused.

use recorder_otel_adapter::{Door, Encoding, Refusal};

use crate::support::{
    adapter, attribute, codes, lenient, log, logs, payload, span, strict, traces,
};
use recorder_envelope::adapter::Policy;

/// Checks that a record is stored under both policies, and gives its payload.
fn check_stored(body: &str, notes: &[&str]) -> serde_json::Value {
    let outcome = lenient(body);
    assert_eq!((outcome.accepted, outcome.rejected), (1, 0), "{body}");
    assert!(outcome.problems.named.is_empty(), "{body}: {:?}", outcome.problems);
    let payload = payload(&outcome.events[0]);
    assert_eq!(payload["notes"], serde_json::json!(notes), "{body}");
    assert_eq!(strict(body).unwrap().events, outcome.events);
    payload
}

/// Checks that the one record of a body is rejected with this code at this place, and that strictness stores nothing.
fn check_rejected(body: &str, code: &str, place: &str) {
    let outcome = lenient(body);
    assert_eq!((outcome.accepted, outcome.rejected), (0, 1), "{body}");
    assert_eq!(codes(&outcome), [code], "{body}");
    let path = &outcome.problems.named[0].path;
    assert!(path.ends_with(place), "{body}: {path}");
    let refused = strict(body).unwrap_err();
    let Refusal::Records(refused) = refused else { panic!("{body}: {refused}") };
    assert_eq!((refused.received, refused.problems.named[0].code), (1, code));
}

fn check_attribute(value: &str, kind: &str, rendered: &str, notes: &[&str]) {
    let payload = check_stored(&traces(&[attribute(value)]), notes);
    let attribute = &payload["span"]["attributes"][0];
    assert_eq!(attribute["type"], kind, "{value}");
    let expected: serde_json::Value = serde_json::from_str(rendered).unwrap();
    assert_eq!(attribute["value"], expected, "{value}");
}

#[test]
fn values_are_kept_exactly_in_every_spelling_that_proto3_json_allows() {
    for (value, kind, rendered) in [
        (r#"{"stringValue":"é\u00e9\ud83d\ude00"}"#, "string", r#""éé😀""#),
        (r#"{"stringValue":""}"#, "string", r#""""#),
        (r#"{"boolValue":false}"#, "bool", "false"),
        (r#"{"intValue":"5"}"#, "int", r#""5""#),
        (r#"{"intValue":5.0}"#, "int", r#""5""#),
        (r#"{"intValue":1e3}"#, "int", r#""1000""#),
        (r#"{"intValue":9007199254740993}"#, "int", r#""9007199254740993""#),
        (r#"{"intValue":"-9223372036854775808"}"#, "int", r#""-9223372036854775808""#),
        (r#"{"doubleValue":"NaN"}"#, "double", r#""NaN""#),
        (r#"{"doubleValue":"-Infinity"}"#, "double", r#""-Infinity""#),
        (r#"{"doubleValue":"1.5"}"#, "double", "1.5"),
        (r#"{"doubleValue":5e-324}"#, "double", "5e-324"),
        (r#"{"bytesValue":"AP-_"}"#, "bytes", r#""AP+/""#),
        (r#"{"bytesValue":"AA"}"#, "bytes", r#""AA==""#),
        (r#"{"arrayValue":{}}"#, "array", "[]"),
        (r#"{"kvlistValue":{"values":null}}"#, "kvlist", "[]"),
        (
            r#"{"arrayValue":{"values":[{"intValue":1},{},null,{"boolValue":true}]}}"#,
            "array",
            r#"[{"type":"int","value":"1"},{"type":"empty","value":null},{"type":"empty","value":null},{"type":"bool","value":true}]"#,
        ),
        (
            r#"{"kvlistValue":{"values":[{"value":{"stringValue":"v"},"key":"k"}]}}"#,
            "kvlist",
            r#"[{"key":"k","type":"string","value":"v"}]"#,
        ),
        ("{}", "empty", "null"),
        ("null", "empty", "null"),
        (r#"{"stringValue":null,"intValue":7}"#, "int", r#""7""#),
    ] {
        check_attribute(value, kind, rendered, &[]);
    }
    check_attribute(r#"{"doubleValue":null}"#, "empty", "null", &["double_unset"]);
}

#[test]
fn values_that_cannot_be_kept_exactly_cost_their_record() {
    for (value, code, place) in [
        (r#"{"intValue":1e+21}"#, "otel_integer_range", "attributes/0/value/intValue"),
        (r#"{"intValue":10000000000000000000}"#, "otel_integer_range", "value/intValue"),
        (r#"{"intValue":1.5}"#, "otel_integer_range", "value/intValue"),
        (r#"{"intValue":true}"#, "otel_wrong_kind", "value/intValue"),
        (r#"{"doubleValue":1e999}"#, "otel_double", "value/doubleValue"),
        (r#"{"doubleValue":"inf"}"#, "otel_double", "value/doubleValue"),
        (r#"{"doubleValue":"+1"}"#, "otel_double", "value/doubleValue"),
        (r#"{"doubleValue":{}}"#, "otel_wrong_kind", "value/doubleValue"),
        (r#"{"bytesValue":"A"}"#, "otel_base64", "value/bytesValue"),
        (r#"{"stringValue":"\ud800"}"#, "otel_lone_surrogate", "value/stringValue"),
        (r#"{"stringValue":"\q"}"#, "otel_string_escape", "value/stringValue"),
        ("{\"stringValue\":\"a\nb\"}", "otel_string_character", "value/stringValue"),
        (r#"{"stringValue":"a","stringValue":"b"}"#, "otel_member_repeated", "attributes/0/value"),
        (r#"{"stringValue":"a","intValue":1}"#, "otel_value_ambiguous", "attributes/0/value"),
        (r#""bare""#, "otel_wrong_kind", "attributes/0/value"),
    ] {
        check_rejected(&traces(&[attribute(value)]), code, place);
    }
}

#[test]
fn members_that_otlp_does_not_have_are_counted_and_not_stored() {
    for value in [r#"{"futureValue":[1,{"a":2}]}"#, r#"{"string_value":"a"}"#] {
        let payload = check_stored(&traces(&[attribute(value)]), &[]);
        assert_eq!(payload["unknown_field_count"], 1);
        assert_eq!(payload["span"]["attributes"][0]["type"], "empty");
    }
}

#[test]
fn attribute_lists_are_lists_of_different_keys() {
    let list = |list: &str| traces(&[span(&format!(r#","attributes":{list}"#))]);
    let twice =
        r#"[{"key":"a","value":{"stringValue":"x"}},{"key":"\u0061","value":{"stringValue":"y"}}]"#;
    check_rejected(&list(twice), "otel_attribute_repeated", "spans/0/attributes/1");
    check_rejected(&list(r#"{"a":1}"#), "otel_wrong_kind", "spans/0/attributes");
    check_rejected(&list("[5]"), "otel_wrong_kind", "attributes/0");
    check_rejected(&list(r#"[{"key":5}]"#), "otel_wrong_kind", "attributes/0/key");
    check_stored(&list(r#"[{"value":{"stringValue":"x"}}]"#), &["attribute_key_empty"]);
    check_stored(&list("null"), &[]);
    let many = |count: usize| {
        let one = |index| format!(r#"{{"key":"k{index}","value":{{"intValue":{index}}}}}"#);
        list(&format!("[{}]", (0..count).map(one).collect::<Vec<_>>().join(",")))
    };
    check_stored(&many(256), &[]);
    check_rejected(&many(257), "otel_too_many_attributes", "attributes/256");
}

#[test]
fn ids_of_spans_are_hex_of_their_length_and_not_zero() {
    let with = |trace: &str, id: &str| {
        traces(&[span("")
            .replace("5b8efff798038103d269b633813fc60c", trace)
            .replace("eee19b7ec3c1b174", id)])
    };
    let (trace, id) = ("5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174");
    let stored = check_stored(&with(trace, id), &[]);
    assert_eq!(stored["span"]["trace_id"], trace.to_lowercase());
    for wrong in [
        "",
        "5b8e",
        "0x8efff798038103d269b633813fc60c",
        "W47/95gDgQPSabYzgT/GDA==",
        &"0".repeat(32),
        &"é".repeat(16),
    ] {
        check_rejected(&with(wrong, id), "otel_trace_id", "spans/0/traceId");
    }
    for wrong in ["", "ee", "7uGbfsPBsXQ=", &"0".repeat(16), &"f".repeat(18)] {
        check_rejected(&with(trace, wrong), "otel_span_id", "spans/0/spanId");
    }
    for parent in ["null", r#""""#, r#""0000000000000000""#] {
        let stored = check_stored(&traces(&[span(&format!(r#","parentSpanId":{parent}"#))]), &[]);
        assert_eq!(stored["span"]["parent_span_id"], serde_json::Value::Null);
    }
    check_rejected(&traces(&[span(r#","parentSpanId":"zz""#)]), "otel_span_id", "parentSpanId");
    check_rejected(&traces(&[span(r#","links":[{}]"#)]), "otel_trace_id", "links/0/traceId");
}

#[test]
fn times_are_digits_from_1970_to_2554() {
    let at = |start: &str, end: &str| {
        traces(&[span("")
            .replace(r#""1544712660000000000""#, start)
            .replace(r#""1544712661000000000""#, end)])
    };
    check_stored(&at("\"1\"", "\"2\""), &[]);
    check_stored(&at("1544712660000000000", "\"2\""), &["end_before_start"]);
    let last = r#""18446744073709551615""#;
    let stored = lenient(&at(last, last));
    let fields = &stored.events[0].envelope.fields;
    assert_eq!(fields.claimed_time.to_string(), "2554-07-21T23:34:33.709551615Z");
    check_stored(&at(last, last), &["time_beyond_2262"]);
    for wrong in ["-1", "\" 1\"", "1.0", "1e3", "\"18446744073709551616\"", "\"0x1\"", "\"\""] {
        check_rejected(&at(wrong, "\"2\""), "otel_time", "spans/0/startTimeUnixNano");
    }
    check_rejected(&at("0", "\"2\""), "otel_start_missing", "spans/0/startTimeUnixNano");
    check_rejected(&at("{}", "\"2\""), "otel_wrong_kind", "spans/0/startTimeUnixNano");
}

#[test]
fn enumerations_are_integers_and_unknown_ones_are_kept() {
    let kind =
        |kind: &str| traces(&[span("").replace(r#""kind":1"#, &format!(r#""kind":{kind}"#))]);
    assert_eq!(check_stored(&kind("3.0"), &[])["span"]["kind_name"], "client");
    assert_eq!(check_stored(&kind("99"), &[])["span"]["kind_name"], "unknown");
    check_rejected(&kind(r#""SPAN_KIND_SERVER""#), "otel_wrong_kind", "spans/0/kind");
    check_rejected(&kind("4294967296"), "otel_integer_range", "spans/0/kind");
    check_stored(&traces(&[span(r#","status":null,"droppedAttributesCount":"3""#)]), &[]);
    check_rejected(&traces(&[span(r#","flags":-1"#)]), "otel_integer_range", "spans/0/flags");
    check_rejected(&traces(&[span(r#","kind":1"#)]), "otel_member_repeated", "spans/0");
    check_stored(&traces(&[span("").replace("\"name\":\"x\"", "\"name\":null")]), &["name_empty"]);
}

#[test]
fn severities_follow_the_number_alone() {
    for (number, name) in [
        (0, "unspecified"),
        (1, "trace"),
        (4, "trace"),
        (5, "debug"),
        (9, "info"),
        (12, "info"),
        (13, "warn"),
        (17, "error"),
        (21, "fatal"),
        (24, "fatal"),
    ] {
        let record = log("").replace(":9", &format!(":{number}"));
        let record = record.replace('}', r#","severityText":"FATAL"}"#);
        let outcome = lenient(&logs(&[record]));
        let event_type = outcome.events[0].envelope.fields.event_type.as_str();
        assert_eq!(event_type, format!("otel.log.{name}"));
    }
    for number in [-1, 25, 99] {
        let record = log("").replace(":9", &format!(":{number}"));
        let payload = check_stored(&logs(&[record]), &["severity_out_of_range"]);
        assert_eq!(payload["log"]["severity_number"], number);
    }
}

#[test]
fn log_records_need_neither_ids_nor_body_and_a_wrong_id_is_left_out_with_a_word() {
    check_stored(&logs(&[log(r#","traceId":"","spanId":"","body":{}"#)]), &[]);
    check_stored(&logs(&[log(r#","traceId":null,"eventName":"e""#)]), &[]);
    check_rejected(&logs(&[log(r#","body":"plain""#)]), "otel_wrong_kind", "logRecords/0/body");
    let wrong = logs(&[log(r#","traceId":"xyz","spanId":"0000000000000000""#)]);
    let outcome = lenient(&wrong);
    assert_eq!((outcome.accepted, outcome.rejected), (1, 0));
    assert_eq!(codes(&outcome), ["otel_log_trace_id", "otel_log_span_id"]);
    assert_eq!(outcome.events[0].envelope.fields.trace_id, None);
    assert_eq!(
        payload(&outcome.events[0])["notes"],
        serde_json::json!(["span_id_invalid", "trace_id_invalid"])
    );
    assert!(matches!(strict(&wrong), Err(Refusal::Records(_))));
}

#[test]
fn a_log_record_without_a_time_claims_when_it_was_observed_and_else_1970() {
    let observed = r#"{"observedTimeUnixNano":"1544712660000000001"}"#.to_owned();
    let stored = lenient(&logs(&[observed]));
    assert_eq!(payload(&stored.events[0])["notes"], serde_json::json!(["time_observed"]));
    let none = lenient(&logs(&["{}".to_owned()]));
    assert_eq!((none.accepted, codes(&none)), (1, vec!["otel_log_time_missing"]));
    assert_eq!(
        none.events[0].envelope.fields.claimed_time.to_string(),
        "1970-01-01T00:00:00.000000000Z"
    );
}

#[test]
fn one_wrong_record_costs_no_other() {
    let wrong = span("").replace("5b8efff798038103d269b633813fc60c", "zz");
    let outcome = lenient(&traces(&[span(""), wrong, span("").replace("c1b174", "c1b175")]));
    assert_eq!((outcome.accepted, outcome.rejected), (2, 1));
    assert_eq!(&*outcome.problems.named[0].path, "resourceSpans/0/scopeSpans/0/spans/1/traceId");
    let lost = payload(&outcome.events[1]);
    assert_eq!(lost["anomaly"]["code"], "otel_trace_id");
    assert_eq!(lost["record"]["$redacted"]["reason"], "rejected");
}

#[test]
fn a_wrong_resource_or_scope_is_left_out_and_costs_no_record() {
    let body = traces(&[span("")]).replace(
        r#"[{"scopeSpans":[{"#,
        r#"[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"\ud800"}}]},"scopeSpans":[{"scope":5,"#,
    );
    let outcome = lenient(&body);
    assert_eq!((outcome.accepted, outcome.rejected), (1, 0));
    assert_eq!(codes(&outcome), ["otel_lone_surrogate", "otel_wrong_kind"]);
    let paths = outcome.problems.named.iter().map(|it| &*it.path).collect::<Vec<_>>();
    assert_eq!(
        paths,
        [
            "resourceSpans/0/resource/attributes/0/value/stringValue",
            "resourceSpans/0/scopeSpans/0/scope"
        ]
    );
    let stored = outcome.events.iter().find(|event| !crate::support::is_anomaly(event)).unwrap();
    assert_eq!(
        payload(stored)["notes"],
        serde_json::json!(["resource_unreadable", "scope_unreadable"])
    );
    assert!(strict(&body).is_err());
}

#[test]
fn bytes_that_are_not_utf_8_cost_the_record_that_holds_them() {
    let body =
        traces(&[span(""), attribute(r#"{"stringValue":"??"}"#), span("").replace("174", "175")]);
    let mut bytes = body.into_bytes();
    let place = bytes.windows(2).position(|pair| pair == b"??").unwrap();
    bytes[place] = 0xFF;
    let outcome = crate::support::map(Policy::RecordAnomaly, Encoding::Json, &bytes).unwrap();
    assert_eq!((outcome.accepted, outcome.rejected), (2, 1));
    assert_eq!(codes(&outcome), ["otel_string_character"]);
}

fn refused(door: Door, body: &str) -> &'static str {
    let mapped = adapter(Policy::RecordAnomaly).map(body.as_bytes(), Encoding::Json, door);
    mapped.map_or_else(|refusal| refusal.code(), |_| "stored")
}

#[test]
fn a_body_that_says_nothing_known_is_refused_and_never_a_silent_success() {
    for body in [r#"{"resource_spans":[{"scope_spans":[]}]}"#, r#"{"other":1}"#] {
        for door in [Door::Ingest, Door::Traces, Door::Logs] {
            assert_eq!(refused(door, body), "otel_no_signal", "{body}");
        }
    }
    assert_eq!(refused(Door::Ingest, "{}"), "otel_no_signal");
    assert_eq!((refused(Door::Traces, "{}"), refused(Door::Logs, "{}")), ("stored", "stored"));
    assert_eq!(refused(Door::Ingest, r#"{"resourceMetrics":[]}"#), "otel_signal");
    assert_eq!(refused(Door::Traces, r#"{"resourceLogs":[]}"#), "otel_signal");
    assert_eq!(refused(Door::Logs, r#"{"resourceLogs":[],"resourceSpans":[]}"#), "otel_signal");
    assert_eq!(refused(Door::Ingest, r#"{"resourceLogs":[],"resourceSpans":null}"#), "stored");
}

#[test]
fn what_stands_around_records_must_have_its_shape() {
    for (body, code) in [
        ("", "otel_json"),
        ("[]", "otel_shape"),
        ("{\"resourceSpans\":[]} x", "otel_json"),
        (r#"{"resourceSpans":[}"#, "otel_json"),
        (r#"{"resourceSpans":{}}"#, "otel_shape"),
        (r#"{"resourceSpans":[null]}"#, "otel_shape"),
        (r#"{"resourceSpans":[{"scopeSpans":[{"spans":5}]}]}"#, "otel_shape"),
        (r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"a":tru}]}]}]}"#, "otel_json"),
        (r#"{"resourceSpans":[],"resourceSpans":[]}"#, "otel_shape"),
        ("\u{feff}{}", "otel_json"),
    ] {
        assert_eq!(refused(Door::Ingest, body), code, "{body}");
    }
    let null = lenient(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[null]}]}]}"#);
    assert_eq!((null.accepted, null.rejected), (0, 1));
}

#[test]
fn nul_is_a_character_where_it_is_escaped_and_nowhere_else() {
    check_attribute(r#"{"stringValue":"a\u0000b"}"#, "string", r#""a\u0000b""#, &[]);
    check_rejected(
        &traces(&[attribute("{\"stringValue\":\"a\0b\"}")]),
        "otel_string_character",
        "value/stringValue",
    );
    for body in ["\0{\"resourceSpans\":[]}", "{\"resourceSpans\":[]}\0", "{\0\"resourceSpans\":[]}"]
    {
        assert_eq!(refused(Door::Ingest, body), "otel_json", "{body:?}");
    }
}
