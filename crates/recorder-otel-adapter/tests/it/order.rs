//! In which order members come, and what is between them, changes nothing.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use proptest::prelude::*;
use recorder_envelope::adapter::Policy;
use recorder_otel_adapter::{Adapter, Bounds, Door, Encoding, Refusal};
use serde::Serialize;
use serde_json::Value;

use crate::encodings::{around, log, span, without_id};
use crate::support::{codes, lenient, payload, settings, span as plain_span};

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// The JSON of a value with its members in any order, and white space here and there.
fn write(value: &Value, numbers: &mut Numbers, out: &mut String) {
    const BLANKS: [&str; 8] = ["", "", "", "", "", " ", "\n", "\t "];
    let blank = |numbers: &mut Numbers, out: &mut String| {
        out.push_str(BLANKS[numbers.below(BLANKS.len())]);
    };
    match value {
        Value::Object(object) => {
            let mut members = object.iter().collect::<Vec<_>>();
            for last in (1..members.len()).rev() {
                members.swap(last, numbers.below(last + 1));
            }
            out.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                blank(numbers, out);
                out.push_str(&Value::from(name.as_str()).to_string());
                blank(numbers, out);
                out.push(':');
                blank(numbers, out);
                write(value, numbers, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                blank(numbers, out);
                write(item, numbers, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
    blank(numbers, out);
}

/// How many records were accepted, how many rejected, and the fields and payloads of what is kept.
type Kept = (u64, u64, Vec<(String, String)>);

/// What is kept of a request, as SDKs order it and in another order.
fn kept(request: &impl Serialize, seed: u64) -> [Kept; 2] {
    let usual = serde_json::to_string(request).unwrap().replace(",\"entityRefs\":[]", "");
    let mut other = String::new();
    write(&serde_json::from_str(&usual).unwrap(), &mut Numbers(seed), &mut other);
    [usual, other].map(|body| {
        let outcome = lenient(&body);
        (outcome.accepted, outcome.rejected, without_id(&outcome))
    })
}

proptest! {
    #[test]
    fn spans_are_the_same_evidence_in_any_order_of_members(
        spans in prop::collection::vec(span(), 1..5), (resource, scope, resource_schema, scope_schema) in around(),
        seed in any::<u64>(),
    ) {
        let scope_spans = vec![ScopeSpans { scope, spans, schema_url: scope_schema }];
        let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: resource_schema }];
        let [usual, other] = kept(&ExportTraceServiceRequest { resource_spans }, seed);
        prop_assert_eq!(usual, other);
    }

    #[test]
    fn log_records_are_the_same_evidence_in_any_order_of_members(
        log_records in prop::collection::vec(log(), 1..5), (resource, scope, resource_schema, scope_schema) in around(),
        seed in any::<u64>(),
    ) {
        let scope_logs = vec![ScopeLogs { scope, log_records, schema_url: scope_schema }];
        let resource_logs = vec![ResourceLogs { resource, scope_logs, schema_url: resource_schema }];
        let [usual, other] = kept(&ExportLogsServiceRequest { resource_logs }, seed);
        prop_assert_eq!(usual, other);
    }
}

/// A body with one span, whose resource and scope end with these members.
fn body(behind_scopes: &str, behind_spans: &str) -> String {
    let (before, span) = (
        r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":"s"},"#,
        plain_span(""),
    );
    format!(r#"{before}"spans":[{span}]{behind_spans}}}]{behind_scopes}}}]}}"#)
}

#[test]
fn what_comes_behind_the_records_is_in_their_payloads_too() {
    let usual = lenient(&body("", ""));
    assert_eq!(payload(&usual.events[0])["resource"]["schema_url"], "");
    for (body, place, expected) in [
        (body(r#","schemaUrl":"https://a""#, ""), "/resource/schema_url", Value::from("https://a")),
        (body("", r#","schemaUrl":"https://b""#), "/scope/schema_url", Value::from("https://b")),
        (body(r#","new":1"#, ""), "/unknown_field_count", Value::from(1)),
        (body(r#","new":1"#, r#","more":{"x":[]}"#), "/unknown_field_count", Value::from(2)),
        (body(r#","schemaUrl":7"#, ""), "/resource", Value::Null),
        (body("", r#","schemaUrl":7"#), "/scope", Value::Null),
    ] {
        let outcome = lenient(&body);
        assert_eq!(outcome.accepted, 1, "{body}");
        let event = outcome.events.iter().find(|event| payload(event).get("span").is_some());
        assert_eq!(payload(event.unwrap()).pointer(place), Some(&expected), "{body}");
    }
}

#[test]
fn payloads_are_bounded_as_they_are_and_not_as_they_were_begun() {
    let large = "x".repeat(2000);
    let resource = format!(
        r#""resource":{{"attributes":[{{"key":"a","value":{{"stringValue":"{large}"}}}}]}}"#
    );
    let spans = (0..4).map(|index| {
        plain_span("").replace("eee19b7ec3c1b174", &format!("eee19b7ec3c1b17{index}"))
    });
    let spans = spans.collect::<Vec<_>>().join(",");
    let body = |behind: &str| {
        format!(
            r#"{{"resourceSpans":[{{{resource},"scopeSpans":[{{"spans":[{spans}]}}]{behind}}}]}}"#
        )
    };
    let map = |body: &str, payload_bytes_total_max: usize| {
        let mut settings = settings(Policy::RecordAnomaly);
        settings.bounds = Bounds { payload_bytes_total_max, ..Bounds::default() };
        Adapter::new(settings).unwrap().map(body.as_bytes(), Encoding::Json, Door::Ingest)
    };
    // Enough for three payloads with their resource, and for all of them without it.
    let bytes_max = 9000;
    assert_eq!(map(&body(""), bytes_max).unwrap_err(), Refusal::PayloadsTooLarge { bytes_max });
    assert_eq!(map(&body(""), 2 * bytes_max).unwrap().accepted, 4);
    let without = map(&body(r#","schemaUrl":7"#), bytes_max).unwrap();
    assert_eq!((without.accepted, codes(&without)), (4, vec!["otel_wrong_kind"]));
}
