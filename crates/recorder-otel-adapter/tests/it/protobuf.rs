//! OTLP/protobuf: the same spans as JSON, and what is not such a message.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use recorder_envelope::adapter::{Outcome, Policy};
use recorder_otel_adapter::{Door, Encoding, Refusal};

use crate::support::{TRACE, adapter, codes, lenient, map, payload};

/// A body of the shipped trace as protobuf, by the public crate.
pub(crate) fn encoded(json: &str) -> Vec<u8> {
    serde_json::from_str::<ExportTraceServiceRequest>(json).unwrap().encode_to_vec()
}

fn spans(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn records(log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn span() -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "x".to_owned(),
        start_time_unix_nano: 5,
        end_time_unix_nano: 6,
        ..Span::default()
    }
}

fn with_value(value: Value) -> Span {
    let value = Some(AnyValue { value: Some(value) });
    let attributes = vec![KeyValue { key: "a".to_owned(), value, ..KeyValue::default() }];
    Span { attributes, ..span() }
}

fn mapped(body: &[u8]) -> Outcome {
    map(Policy::RecordAnomaly, Encoding::Protobuf, body).unwrap()
}

#[test]
fn a_span_is_the_same_evidence_as_protobuf_and_as_json() {
    for body in TRACE.lines() {
        assert_eq!(mapped(&encoded(body)).events, lenient(body).events);
    }
}

#[test]
fn every_kind_of_value_is_kept() {
    let array = ArrayValue {
        values: vec![AnyValue { value: Some(Value::IntValue(-1)) }, AnyValue { value: None }],
    };
    for (value, rendered) in [
        (Value::StringValue("é".to_owned()), r#"{"key":"a","type":"string","value":"é"}"#),
        (Value::IntValue(i64::MIN), r#"{"key":"a","type":"int","value":"-9223372036854775808"}"#),
        (Value::DoubleValue(f64::NAN), r#"{"key":"a","type":"double","value":"NaN"}"#),
        (
            Value::DoubleValue(f64::NEG_INFINITY),
            r#"{"key":"a","type":"double","value":"-Infinity"}"#,
        ),
        (Value::DoubleValue(-0.0), r#"{"key":"a","type":"double","value":0}"#),
        (Value::BytesValue(vec![0, 255]), r#"{"key":"a","type":"bytes","value":"AP8="}"#),
        (
            Value::ArrayValue(array),
            r#"{"key":"a","type":"array","value":[{"type":"int","value":"-1"},{"type":"empty","value":null}]}"#,
        ),
    ] {
        let outcome = mapped(&spans(vec![with_value(value)]));
        let text = outcome.events[0].envelope.payload.payload.as_str().to_owned();
        assert!(text.contains(rendered), "{text}");
    }
}

#[test]
fn one_wrong_record_costs_no_other() {
    let wrong = [
        Span { trace_id: vec![1; 15], ..span() },
        Span { span_id: vec![0; 8], ..span() },
        Span { start_time_unix_nano: 0, ..span() },
        Span { parent_span_id: vec![1], ..span() },
        Span { name: "x".repeat(300 << 10), ..span() },
    ];
    let expected = [
        "otel_trace_id",
        "otel_span_id",
        "otel_start_missing",
        "otel_span_id",
        "otel_record_too_large",
    ];
    let mut all = vec![span()];
    all.extend(wrong);
    all.push(Span { span_id: vec![3; 8], ..span() });
    let outcome = mapped(&spans(all));
    assert_eq!((outcome.accepted, outcome.rejected), (2, 5));
    assert_eq!(codes(&outcome), expected);
}

#[test]
fn a_name_that_is_not_utf_8_costs_its_record_alone() {
    let mut body = spans(vec![span(), Span { name: "??".to_owned(), ..span() }]);
    let place = body.windows(2).position(|pair| pair == b"??").unwrap();
    body[place] = 0xFF;
    let outcome = mapped(&body);
    assert_eq!((outcome.accepted, codes(&outcome)), (1, vec!["otel_undecodable"]));
}

#[test]
fn values_nested_beyond_what_prost_takes_cost_their_record_alone() {
    let nest = |depth| {
        (0..depth).fold(Value::BoolValue(true), |inner, _| {
            Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(inner) }] })
        })
    };
    for (depth, code) in [(17, "otel_too_deep"), (40, "otel_too_deep"), (200, "otel_undecodable")] {
        let outcome = mapped(&spans(vec![with_value(nest(depth)), span()]));
        assert_eq!((outcome.accepted, codes(&outcome)), (1, vec![code]), "{depth}");
    }
    assert_eq!(mapped(&spans(vec![with_value(nest(16))])).accepted, 1);
}

#[test]
fn a_body_of_another_signal_is_refused_at_its_door_and_told_apart_where_both_may_come() {
    let log =
        records(vec![LogRecord { time_unix_nano: 5, severity_number: 9, ..LogRecord::default() }]);
    let lenient = adapter(Policy::RecordAnomaly);
    let refused = |body: &[u8], door| lenient.map(body, Encoding::Protobuf, door);
    assert!(matches!(refused(&log, Door::Traces), Err(Refusal::Signal { found: "resourceLogs" })));
    assert!(matches!(
        refused(&spans(vec![span()]), Door::Logs),
        Err(Refusal::Signal { found: "resourceSpans" })
    ));
    let outcome = mapped(&log);
    assert_eq!(payload(&outcome.events[0])["log"]["severity_number"], 9);
    assert_eq!(refused(b"", Door::Traces).unwrap().received(), 0);
    assert!(matches!(refused(b"", Door::Ingest), Err(Refusal::NoSignal { .. })));
    // JSON, a field that is cut, a group, and a message without any resource.
    for (body, code) in [
        (&b"{\"resourceSpans\":[]}"[..], "otel_protobuf"),
        (&[0x0A, 0x7F], "otel_protobuf"),
        (&[0x0B], "otel_protobuf"),
        (&[0x10, 1], "otel_no_signal"),
    ] {
        assert_eq!(refused(body, Door::Ingest).unwrap_err().code(), code, "{body:?}");
    }
}
