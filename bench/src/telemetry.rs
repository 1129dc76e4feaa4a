//! Spans as agents' SDKs send them: made up from a seed, varied, the same as OTLP/JSON and as OTLP/protobuf.
//!
//! About 1,400 bytes a span in JSON, as captured from SDKs: half of the text is messages and tool calls.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

/// Spans in one body: what SDKs send at once by default.
pub(crate) const SPANS: u64 = 512;

const TOOLS: [&str; 6] =
    ["read_file", "search_tickets", "lookup_order", "send_email", "total_charges", "issue_refund"];

const MODELS: [&str; 3] = ["stand-in-1", "stand-in-1-mini", "planner-2"];

const WORDS: [&str; 24] = [
    "account", "adjusted", "balance", "booking", "café", "carrier", "claim", "clause", "customer",
    "delayed", "deposit", "exceeds", "freight", "harbour", "invoice", "ledger", "limit", "notice",
    "order", "overdue", "policy", "refund", "sailing", "voucher",
];

/// One body in both encodings.
pub(crate) struct Bodies {
    pub(crate) json: Vec<u8>,
    pub(crate) protobuf: Vec<u8>,
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.get(self.below(list.len() as u64) as usize).copied().unwrap_or_default()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    fn sentence(&mut self, words: u64) -> String {
        (0..words).map(|_| self.pick(&WORDS)).collect::<Vec<_>>().join(" ")
    }
}

/// Makes the body of `seed`.
pub(crate) fn bodies(seed: u64) -> Bodies {
    let mut numbers = Numbers(seed);
    let spans = (0..SPANS).map(|index| span(&mut numbers, index)).collect();
    let scope = InstrumentationScope {
        name: "refund-desk.agent".to_owned(),
        version: "1.0.0".to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
    let resource = Some(Resource { attributes: resource(), ..Resource::default() });
    let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }];
    let request = ExportTraceServiceRequest { resource_spans };
    Bodies { json: json(&request).into_bytes(), protobuf: request.encode_to_vec() }
}

fn resource() -> Vec<KeyValue> {
    vec![
        text("service.name", "refund-desk"),
        text("service.namespace", "northmere"),
        text("service.version", "1.4.0"),
        text("service.instance.id", "7872c6f4-ce5e-4e58-be68-72517bd9c211"),
        text("deployment.environment.name", "staging"),
        text("telemetry.sdk.language", "nodejs"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.version", "2.12.1"),
    ]
}

fn span(numbers: &mut Numbers, index: u64) -> Span {
    let start = 1_793_491_200_000_000_000 + index * 37_000_000;
    let is_tool = numbers.below(2) == 1;
    let mut attributes = vec![
        text("gen_ai.operation.name", if is_tool { "execute_tool" } else { "chat" }),
        text("gen_ai.provider.name", "northmere.stand_in"),
        text("gen_ai.conversation.id", &format!("conv-{:06}", numbers.below(900))),
        text("gen_ai.agent.id", &format!("agent-refund-{}", numbers.below(8))),
    ];
    let name = match is_tool {
        true => tool(numbers, &mut attributes),
        false => chat(numbers, &mut attributes),
    };
    Span {
        trace_id: numbers.bytes(16),
        span_id: numbers.bytes(8),
        parent_span_id: numbers.bytes(8),
        flags: 257,
        name,
        kind: if is_tool { 1 } else { 3 },
        start_time_unix_nano: start,
        end_time_unix_nano: start + numbers.below(900_000_000),
        attributes,
        status: Some(Status { code: 0, message: String::new() }),
        ..Span::default()
    }
}

fn tool(numbers: &mut Numbers, attributes: &mut Vec<KeyValue>) -> String {
    let tool = numbers.pick(&TOOLS);
    let arguments = format!(
        r#"{{"query":"{}","amount_cents":{}}}"#,
        numbers.sentence(6),
        numbers.below(900_000)
    );
    let result = format!(r#"{{"rows":{},"text":"{}"}}"#, numbers.below(9), numbers.sentence(40));
    attributes.extend([
        text("gen_ai.tool.name", tool),
        text("gen_ai.tool.type", "function"),
        text("gen_ai.tool.call.id", &format!("call-{:08x}", numbers.next() as u32)),
        text("gen_ai.tool.call.arguments", &arguments),
        text("gen_ai.tool.call.result", &result),
        text("code.function.name", "runTool"),
    ]);
    format!("execute_tool {tool}")
}

fn chat(numbers: &mut Numbers, attributes: &mut Vec<KeyValue>) -> String {
    let model = numbers.pick(&MODELS);
    let message = |role, content: String| {
        format!(r#"[{{"role":"{role}","parts":[{{"type":"text","content":"{content}"}}]}}]"#)
    };
    let reasons = ArrayValue { values: vec![any(Value::StringValue("tool_call".to_owned()))] };
    attributes.extend([
        text("gen_ai.request.model", model),
        attribute("gen_ai.request.temperature", Value::DoubleValue(0.2)),
        attribute("gen_ai.request.max_tokens", Value::IntValue(1024)),
        text("gen_ai.input.messages", &message("user", numbers.sentence(36))),
        text("gen_ai.response.id", &format!("resp-{:016x}", numbers.next())),
        text("gen_ai.response.model", model),
        attribute("gen_ai.response.finish_reasons", Value::ArrayValue(reasons)),
        attribute("gen_ai.usage.input_tokens", Value::IntValue(numbers.below(4000) as i64)),
        attribute("gen_ai.usage.output_tokens", Value::IntValue(numbers.below(900) as i64)),
        text("gen_ai.output.messages", &message("assistant", numbers.sentence(12))),
        text("server.address", "api.example.test"),
        attribute("server.port", Value::IntValue(443)),
    ]);
    format!("chat {model}")
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// The request in the spelling of the JavaScript SDK.
fn json(request: &ExportTraceServiceRequest) -> String {
    list(r#"{"resourceSpans":"#, &request.resource_spans, |it| {
        let attributes = it.resource.as_ref().map_or(&[][..], |it| &it.attributes);
        let scopes = list("", &it.scope_spans, |it| {
            let scope = it.scope.clone().unwrap_or_default();
            format!(
                r#"{{"scope":{{"name":"{}","version":"{}"}},"spans":{}}}"#,
                scope.name,
                scope.version,
                list("", &it.spans, json_span)
            )
        });
        format!(
            r#"{{"resource":{{"attributes":{},"droppedAttributesCount":0}},"scopeSpans":{scopes}}}"#,
            list("", attributes, json_attribute)
        )
    }) + "}"
}

fn list<T>(before: &str, items: &[T], write: impl Fn(&T) -> String) -> String {
    format!("{before}[{}]", items.iter().map(write).collect::<Vec<_>>().join(","))
}

fn json_span(span: &Span) -> String {
    format!(
        concat!(
            r#"{{"traceId":"{}","spanId":"{}","parentSpanId":"{}","name":"{}","kind":{},"#,
            r#""startTimeUnixNano":"{}","endTimeUnixNano":"{}","attributes":{},"droppedAttributesCount":0,"#,
            r#""events":[],"droppedEventsCount":0,"status":{{"code":0}},"links":[],"droppedLinksCount":0,"flags":{}}}"#
        ),
        hex(&span.trace_id),
        hex(&span.span_id),
        hex(&span.parent_span_id),
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        list("", &span.attributes, json_attribute),
        span.flags
    )
}

fn json_attribute(attribute: &KeyValue) -> String {
    let value = attribute.value.as_ref().map(json_value).unwrap_or_default();
    format!(r#"{{"key":"{}","value":{value}}}"#, attribute.key)
}

fn json_value(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => {
            format!(r#"{{"stringValue":{}}}"#, serde_json::Value::from(text.as_str()))
        }
        Some(Value::IntValue(value)) => format!(r#"{{"intValue":{value}}}"#),
        Some(Value::DoubleValue(value)) => format!(r#"{{"doubleValue":{value}}}"#),
        Some(Value::ArrayValue(array)) => {
            format!(r#"{{"arrayValue":{{"values":{}}}}}"#, list("", &array.values, json_value))
        }
        _ => "{}".to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_about_the_size_of_a_captured_one_and_seeds_differ() {
        let made = bodies(7);
        let each = made.json.len() / SPANS as usize;
        assert!((1200..=1800).contains(&each), "{each}");
        serde_json::from_slice::<serde_json::Value>(&made.json).unwrap();
        assert_ne!(made.json, bodies(8).json);
        assert_eq!(made.protobuf, bodies(7).protobuf);
    }
}
