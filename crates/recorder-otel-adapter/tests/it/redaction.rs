//! Secrets, planted in every place of a record where a text may stand: none is found in what comes out.

use recorder_envelope::adapter::{Outcome, Policy};
use recorder_otel_adapter::{Adapter, Door, Encoding, LogBody};

use crate::protobuf::encoded;
use crate::support::{check, lenient, log, logs, map, payload, settings, span, strict, traces};

/// Secret by its shape, wherever it stands.
const SECRET: &str = "ghp_planted0123456789abcdefghijklmn";

/// Secret by the name that it stands under alone.
const CONTENT: &str = "planted content of a conversation";

fn check_absent(outcome: &Outcome, planted: &str) {
    for event in &outcome.events {
        let fields = format!("{:?}", event.envelope.fields);
        let payload = event.envelope.payload.payload.as_str();
        assert!(!payload.contains(planted), "{payload}");
        assert!(!fields.contains(planted), "{fields}");
    }
    assert!(!format!("{:?}", outcome.problems).contains(planted));
}

fn attributes(list: &str) -> String {
    format!(r#""attributes":[{list}]"#)
}

#[test]
fn a_secret_is_taken_out_of_every_place_of_a_span() {
    let text = format!(r#"{{"key":"note","value":{{"stringValue":"see {SECRET}"}}}}"#);
    let nested = format!(
        r#"{{"key":"n","value":{{"arrayValue":{{"values":[{{"kvlistValue":{{"values":[{text}]}}}}]}}}}}}"#
    );
    let in_json =
        format!(r#"{{"key":"j","value":{{"stringValue":"{{\"deep\":[\"{SECRET}\"]}}"}}}}"#);
    let key = format!(r#"{{"key":"{SECRET}","value":{{"intValue":1}}}}"#);
    let agent = format!(r#"{{"key":"gen_ai.agent.id","value":{{"stringValue":"{SECRET}"}}}}"#);
    for planted in [
        attributes(&text),
        attributes(&nested),
        attributes(&in_json),
        attributes(&key),
        attributes(&agent),
        format!(r#""traceState":"a={SECRET}""#),
        format!(r#""status":{{"code":2,"message":"failed with {SECRET}"}}"#),
        format!(r#""events":[{{"name":"e {SECRET}","attributes":[{text}]}}]"#),
        format!(
            r#""links":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"b={SECRET}","attributes":[{text}]}}]"#
        ),
    ] {
        let body = traces(&[span(&format!(",{planted}"))]);
        let outcome = strict(&body).unwrap();
        assert_eq!(outcome.accepted, 1, "{planted}");
        check_absent(&outcome, SECRET);
    }
    check_absent(&lenient(&traces(&[span("").replace("\"x\"", &format!("\"{SECRET}\""))])), SECRET);
}

#[test]
fn a_secret_is_taken_out_of_resource_scope_schema_and_of_records_that_are_rejected() {
    let resource = format!(
        r#"[{{"schemaUrl":"https://user:{SECRET}@host/","resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{SECRET}"}}}}]}},"scopeSpans":[{{"scope":{{"name":"{SECRET}","version":"{SECRET}"}},"#
    );
    let body = traces(&[span("")]).replace(r#"[{"scopeSpans":[{"#, &resource);
    let outcome = strict(&body).unwrap();
    check_absent(&outcome, SECRET);
    assert_eq!(outcome.events[0].envelope.fields.actor_id.as_str(), "otel:unknown");
    let wrong = span(&format!(r#","kind":"{SECRET}""#));
    let outcome = lenient(&traces(&[wrong]));
    assert_eq!(outcome.rejected, 1);
    check_absent(&outcome, SECRET);
}

#[test]
fn what_conversations_hold_is_taken_out_in_every_dialect() {
    for key in [
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.3.content",
        "input.value",
        "llm.input_messages.0.message.content",
        "traceloop.entity.output",
        "ai.prompt.messages",
        "ai.toolCall.args",
        "mlflow.spanInputs",
        "gcp.vertex.agent.llm_request",
        "prompt",
        "exception.message",
        "exception.stacktrace",
        "db.query.text",
        "url.full",
        "http.request.header.x-anything",
        "process.command_args",
        "enduser.id",
        "user.email",
        "GEN_AI.INPUT.MESSAGES",
    ] {
        for value in [
            format!(r#"{{"stringValue":"{CONTENT}"}}"#),
            format!(r#"{{"arrayValue":{{"values":[{{"stringValue":"{CONTENT}"}}]}}}}"#),
            format!(
                r#"{{"kvlistValue":{{"values":[{{"key":"{CONTENT}","value":{{"stringValue":"{CONTENT}"}}}}]}}}}"#
            ),
        ] {
            let record = span(&format!(r#","attributes":[{{"key":"{key}","value":{value}}}]"#));
            let outcome = strict(&traces(&[record])).unwrap();
            check_absent(&outcome, CONTENT);
            let marker =
                &payload(&outcome.events[0])["span"]["attributes"][0]["value"]["$redacted"];
            assert!(marker["hmac"].is_string() && marker["bytes"].is_u64(), "{key} {value}");
        }
    }
}

#[test]
fn names_that_only_sound_alike_and_counts_are_kept() {
    for (key, value) in [
        ("gen_ai.prompt.name", r#"{"stringValue":"kept"}"#),
        ("gen_ai.usage.input_tokens", r#"{"intValue":12}"#),
        ("gen_ai.request.max_tokens", r#"{"intValue":12}"#),
        ("server.address", r#"{"stringValue":"kept"}"#),
        ("gen_ai.conversation.id", r#"{"stringValue":"kept"}"#),
    ] {
        let record = span(&format!(r#","attributes":[{{"key":"{key}","value":{value}}}]"#));
        let text = strict(&traces(&[record])).unwrap();
        assert!(!text.events[0].envelope.payload.payload.as_str().contains("$redacted"), "{key}");
    }
}

fn with_log_body(log_body: LogBody) -> String {
    let mut settings = settings(Policy::StrictFail);
    settings.log_body = log_body;
    let body = logs(&[log(&format!(r#","body":{{"stringValue":"{CONTENT}: {SECRET}"}}"#))]);
    let adapter = Adapter::new(settings).unwrap();
    let outcome = adapter.map(body.as_bytes(), Encoding::Json, Door::Logs).unwrap();
    check(&outcome);
    payload(&outcome.events[0])["log"]["body"].to_string()
}

#[test]
fn log_bodies_are_digested_screened_or_kept_as_configured() {
    let digested = with_log_body(LogBody::Digest);
    assert!(digested.contains("log_body") && digested.contains("hmac"), "{digested}");
    assert!(!digested.contains("planted"));
    let screened = with_log_body(LogBody::Redact);
    assert!(!screened.contains(SECRET), "{screened}");
    assert!(with_log_body(LogBody::Keep).contains(SECRET));
}

#[test]
fn long_strings_are_cut_at_a_character_and_say_so() {
    let long = "é".repeat(5000);
    let record =
        span(&format!(r#","attributes":[{{"key":"a","value":{{"stringValue":"x{long}"}}}}]"#));
    let outcome = strict(&traces(&[record])).unwrap();
    let cut = &payload(&outcome.events[0])["span"]["attributes"][0]["value"]["$truncated"];
    assert_eq!(cut["bytes"], 10_001);
    assert_eq!(cut["kept"].as_str().unwrap().len(), 8191);
}

#[test]
fn no_input_can_pose_as_a_marker() {
    let record = span(
        r#","attributes":[{"key":"$redacted","value":{"stringValue":"{\"$redacted\":{\"bytes\":1}}"}}]"#,
    );
    let outcome = strict(&traces(&[record])).unwrap();
    let attribute = &payload(&outcome.events[0])["span"]["attributes"][0];
    // Keys and values of the input are strings; markers are objects.
    assert!(attribute["key"].is_string() && attribute["value"].is_string(), "{attribute}");
}

/// The only attribute of a span, which must be the same evidence as JSON and as protobuf.
fn only_attribute(value: &str) -> serde_json::Value {
    let body = traces(&[span(&format!(r#","attributes":[{{"key":"a","value":{value}}}]"#))]);
    let outcome = strict(&body).unwrap();
    let binary = map(Policy::StrictFail, Encoding::Protobuf, &encoded(&body)).unwrap();
    assert_eq!(outcome.events, binary.events, "{value}");
    payload(&outcome.events[0])["span"]["attributes"][0]["value"].clone()
}

fn text(text: &str) -> String {
    format!(r#"{{"stringValue":"{text}"}}"#)
}

#[test]
fn an_item_that_a_flag_or_a_header_announces_is_taken_out() {
    let items = |items: &[&str]| {
        let items = items.iter().map(|item| text(item)).collect::<Vec<_>>().join(",");
        only_attribute(&format!(r#"{{"arrayValue":{{"values":[{items}]}}}}"#))
    };
    let run = items(&["run", "--token", "planted", "--region", "north"]);
    assert_eq!(run[2]["value"]["$redacted"]["reason"], "name:*token*");
    assert_eq!((&run[1]["value"], &run[4]["value"]), (&"--token".into(), &"north".into()));
    assert_eq!(items(&["Cookie", "planted"])[1]["value"]["$redacted"]["reason"], "name:header");
    // A flag that is followed by a flag has no value, and nothing is nothing to hide.
    assert_eq!(items(&["--token", "--verbose", "x"])[2]["value"], "x");
    assert_eq!(items(&["--token", ""])[1]["value"], "");
    let crossed = only_attribute(&format!(
        r#"{{"arrayValue":{{"values":[{{"arrayValue":{{"values":[{}]}}}},{}]}}}}"#,
        text("--token"),
        text("kept")
    ));
    assert_eq!(crossed[1]["value"], "kept");
}

#[test]
fn the_value_of_a_pair_with_a_sensitive_name_is_taken_out_in_either_order() {
    let pair = |first: (&str, &str), second: (&str, &str)| {
        let one = |(key, value): (&str, &str)| format!(r#"{{"key":"{key}","value":{value}}}"#);
        let list = [one(first), one(second)].join(",");
        only_attribute(&format!(r#"{{"kvlistValue":{{"values":[{list}]}}}}"#))
    };
    let name = text("Authorization");
    let array = format!(r#"{{"arrayValue":{{"values":[{}]}}}}"#, text("planted"));
    for value in [text("planted"), array, r#"{"intValue":"77"}"#.to_owned()] {
        let marked = |shown: &serde_json::Value| {
            assert!(!shown.to_string().contains("planted"), "{shown}");
            shown["value"]["$redacted"].clone()
        };
        let after = marked(&pair(("name", &name), ("value", &value))[1]);
        let before = marked(&pair(("Value", &value), ("header", &name))[0]);
        assert_eq!(after, before, "{value}");
        assert_eq!(after["reason"], "name:*authorization*");
    }
    for kept in [r#"{"boolValue":true}"#, r#"{"stringValue":""}"#] {
        let list = pair(("name", &name), ("value", kept));
        assert!(!list.to_string().contains("$redacted"), "{list}");
    }
    let plain = pair(("name", &text("Accept")), ("value", &text("shown")));
    assert_eq!(plain[1]["value"], "shown");
}
