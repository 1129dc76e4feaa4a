//! Whatever a span or a log record holds, it is the same evidence as JSON and as protobuf, as far as both can say it.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message;
use recorder_envelope::adapter::{Outcome, Policy};
use recorder_otel_adapter::Encoding;
use serde::Serialize;

use crate::support::{is_anomaly, map};

const NANOSECONDS: u64 = 1_790_000_000_000_000_000;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "", "x", "y", "token", "-1", "--token", "see ghp_planted0123456789abcdefghijklmn",
            r#"{"password":"x","rows":[1,2]}"#, "{\"name\":\"api_key\",\"value\":\"x\"}", "Bearer abcdefghijklmnopqrstuv",
            "https://a:b@c.example/", "\u{0}\u{1f}\"\\/\u{7f}", "café 😀 \u{2028}",
        ]).prop_map(str::to_owned),
        1 => ".{0,12}",
        1 => (0_usize..4).prop_map(|power| "é".repeat(10_usize.pow(power as u32))),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "a", "b", "name", "value", "key", "api_key", "gen_ai.input.messages", "gen_ai.agent.id", "session.id",
            "gen_ai.conversation.id", "gen_ai.usage.input_tokens", "http.request.header.authorization", "",
            "service.name", "deployment.environment.name",
        ]).prop_map(str::to_owned),
        1 => "[a-c.]{1,4}",
        1 => text(),
    ]
}

fn value() -> impl Strategy<Value = Option<AnyValue>> {
    let leaf = prop_oneof![
        5 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        2 => prop_oneof![any::<i64>(), -3_i64..1000].prop_map(Value::IntValue),
        // JSON has no word for the others in this encoder.
        1 => any::<f64>().prop_filter("finite", |it| it.is_finite()).prop_map(Value::DoubleValue),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::BytesValue),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        let item = inner.clone().prop_map(|value| AnyValue { value: Some(value) });
        let pair = (key(), prop::option::weighted(0.9, item.clone()))
            .prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
        prop_oneof![
            prop::collection::vec(item, 0..4)
                .prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            prop::collection::vec(pair, 0..4)
                .prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
    });
    prop::option::weighted(0.95, value).prop_map(|value| Some(AnyValue { value }))
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let attribute =
        (key(), value()).prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
    prop::collection::vec(attribute, 0..5)
}

fn trace_id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => prop::collection::vec(1_u8.., 16), 1 => prop::collection::vec(0_u8..2, 15..=17)]
}

fn span_id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => prop::collection::vec(1_u8.., 8), 1 => prop::collection::vec(0_u8..2, 7..=9)]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![6 => NANOSECONDS..NANOSECONDS + 1_000_000_000, 1 => Just(0), 1 => any::<u64>()]
}

pub(crate) fn span() -> impl Strategy<Value = Span> {
    let event =
        (time(), text(), attributes(), 0..3_u32).prop_map(|(time, name, attributes, dropped)| {
            Event { time_unix_nano: time, name, attributes, dropped_attributes_count: dropped }
        });
    let link = (trace_id(), span_id(), text(), attributes(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count: 0,
            flags,
        },
    );
    let status = (text(), -1..4_i32).prop_map(|(message, code)| Status { message, code });
    let parent = prop_oneof![Just(Vec::new()), span_id()];
    let ids = (trace_id(), span_id(), parent, time(), time());
    let lists = (
        attributes(),
        prop::collection::vec(event, 0..3),
        prop::collection::vec(link, 0..3),
        prop::option::of(status),
    );
    (ids, lists, text(), text(), -1..8_i32, any::<u32>()).prop_map(
        |(
            (trace_id, span_id, parent_span_id, start, end),
            lists,
            name,
            trace_state,
            kind,
            flags,
        )| {
            let (attributes, events, links, status) = lists;
            Span {
                trace_id,
                span_id,
                parent_span_id,
                start_time_unix_nano: start,
                end_time_unix_nano: end,
                attributes,
                events,
                links,
                status,
                name,
                trace_state,
                kind,
                flags,
                dropped_attributes_count: flags % 3,
                dropped_events_count: flags % 5,
                dropped_links_count: flags % 7,
            }
        },
    )
}

pub(crate) fn log() -> impl Strategy<Value = LogRecord> {
    let ids = (
        prop_oneof![Just(Vec::new()), trace_id()],
        prop_oneof![Just(Vec::new()), span_id()],
        time(),
        time(),
    );
    (ids, attributes(), value(), text(), text(), -1..30_i32, any::<u32>()).prop_map(
        |(
            (trace_id, span_id, time, observed),
            attributes,
            body,
            text,
            event_name,
            severity,
            flags,
        )| {
            LogRecord {
                trace_id,
                span_id,
                time_unix_nano: time,
                observed_time_unix_nano: observed,
                attributes,
                body,
                severity_text: text,
                event_name,
                severity_number: severity,
                flags,
                dropped_attributes_count: flags % 4,
            }
        },
    )
}

/// A resource, a scope, and the addresses of their schemas.
pub(crate) fn around()
-> impl Strategy<Value = (Option<Resource>, Option<InstrumentationScope>, String, String)> {
    let resource = (attributes(), 0..3_u32).prop_map(|(attributes, dropped)| Resource {
        attributes,
        dropped_attributes_count: dropped,
        ..Resource::default()
    });
    let scope = (text(), text(), attributes()).prop_map(|(name, version, attributes)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count: 0 }
    });
    (prop::option::of(resource), prop::option::of(scope), text(), text())
}

fn both(request: &(impl Message + Serialize)) -> (Outcome, Outcome) {
    // A member that the mapping does not have; protobuf leaves the empty list out.
    let json = serde_json::to_string(request).unwrap().replace(",\"entityRefs\":[]", "");
    let json = map(Policy::RecordAnomaly, Encoding::Json, json.as_bytes()).unwrap();
    let protobuf = request.encode_to_vec();
    (json, map(Policy::RecordAnomaly, Encoding::Protobuf, &protobuf).unwrap())
}

/// The fields of a log record that do not come from the bytes of its request, and its payload.
pub(crate) fn without_id(outcome: &Outcome) -> Vec<(String, String)> {
    let kept = outcome.events.iter().filter(|event| !is_anomaly(event));
    kept.map(|event| {
        let mut fields = event.envelope.fields.clone();
        fields.envelope_id = "01936b2e-7c00-7abc-8def-000000000001".parse().unwrap();
        (format!("{fields:?}"), event.envelope.payload.payload.as_str().to_owned())
    })
    .collect()
}

proptest! {
    #[test]
    fn spans_are_the_same_evidence_in_both_encodings(
        spans in prop::collection::vec(span(), 1..5), (resource, scope, resource_schema, scope_schema) in around(),
    ) {
        let scope_spans = vec![ScopeSpans { scope, spans, schema_url: scope_schema }];
        let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: resource_schema }];
        let (json, protobuf) = both(&ExportTraceServiceRequest { resource_spans });
        // Of two faults in one record each names the one that it meets first.
        prop_assert_eq!(json.rejected, protobuf.rejected);
        prop_assert_eq!(without_id(&json), without_id(&protobuf));
        let ids = |outcome: &Outcome| {
            let kept = outcome.events.iter().filter(|event| !is_anomaly(event));
            kept.map(|event| event.envelope.fields.envelope_id).collect::<Vec<_>>()
        };
        prop_assert_eq!(ids(&json), ids(&protobuf));
    }

    #[test]
    fn log_records_are_the_same_evidence_in_both_encodings(
        log_records in prop::collection::vec(log(), 1..5), (resource, scope, resource_schema, scope_schema) in around(),
    ) {
        let scope_logs = vec![ScopeLogs { scope, log_records, schema_url: scope_schema }];
        let resource_logs = vec![ResourceLogs { resource, scope_logs, schema_url: resource_schema }];
        let (json, protobuf) = both(&ExportLogsServiceRequest { resource_logs });
        // Of two faults in one record each names the one that it meets first.
        prop_assert_eq!(json.rejected, protobuf.rejected);
        prop_assert_eq!(without_id(&json), without_id(&protobuf));
    }

    #[test]
    fn a_record_is_the_same_evidence_whatever_came_before_it(
        spans in prop::collection::vec(span(), 2..6), (resource, scope, ..) in around(),
    ) {
        let body = |spans: Vec<Span>| {
            let (resource, scope) = (resource.clone(), scope.clone());
            let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
            let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
            ExportTraceServiceRequest { resource_spans }
        };
        let (json, protobuf) = both(&body(spans.clone()));
        let alone = spans.into_iter().map(|span| both(&body(vec![span])));
        let (of_json, of_protobuf): (Vec<_>, Vec<_>) =
            alone.map(|(json, protobuf)| (without_id(&json), without_id(&protobuf))).unzip();
        prop_assert_eq!(without_id(&json), of_json.concat());
        prop_assert_eq!(without_id(&protobuf), of_protobuf.concat());
    }
}
