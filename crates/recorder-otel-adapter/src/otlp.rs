//! What OTLP/HTTP clients are answered: partial success, and `google.rpc.Status` where nothing is stored.
//!
//! Deliberately absent: HTTP. A server sends these bytes with this status and this content type, and success only after
//! the commit.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use recorder_envelope::adapter::Problems;
use recorder_envelope::json::ObjectWriter;

use crate::door::Encoding;
use crate::refusal::Refusal;
use crate::signal::Signal;

/// Problems that a message names: clients print it on one line of their log.
const NAMED_MAX: usize = 3;

/// An answer that is ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub http_status: u16,
    /// The content type: that of the request.
    pub content_type: &'static str,
    /// `Retry-After`, where the client shall try again. Clients give up after ten seconds in all.
    pub retry_after_seconds: Option<u32>,
    /// The body.
    pub body: Vec<u8>,
}

/// Answers a request whose good records are committed: empty where nothing is wrong.
pub fn success(signal: Signal, encoding: Encoding, rejected: u64, problems: &Problems) -> Answer {
    let message = message(problems);
    let is_whole = rejected == 0 && message.is_empty();
    let body = match (encoding, signal) {
        (Encoding::Json, _) if is_whole => b"{}".to_vec(),
        (Encoding::Json, _) => partial_json(signal, rejected, &message),
        (Encoding::Protobuf, Signal::Traces) => {
            let partial_success = (!is_whole).then(|| ExportTracePartialSuccess {
                rejected_spans: count(rejected),
                error_message: message,
            });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        }
        (Encoding::Protobuf, Signal::Logs) => {
            let partial_success = (!is_whole).then(|| ExportLogsPartialSuccess {
                rejected_log_records: count(rejected),
                error_message: message,
            });
            ExportLogsServiceResponse { partial_success }.encode_to_vec()
        }
    };
    let content_type = content_type(encoding);
    Answer { http_status: 200, content_type, retry_after_seconds: None, body }
}

/// Answers a request of which nothing is stored, and that must not be sent again as it is.
pub fn refused(encoding: Encoding, refusal: &Refusal) -> Answer {
    failed(encoding, refusal.http_status(), &format!("{refusal} [{}]", refusal.code()))
}

/// Answers a request that could not be stored for now; the client sends it again.
pub fn unavailable(encoding: Encoding, message: &str) -> Answer {
    failed(encoding, 503, message)
}

/// Answers a request of which nothing is stored with an HTTP status that says why. Only 503 makes clients come again.
pub fn failed(encoding: Encoding, http_status: u16, message: &str) -> Answer {
    Answer {
        http_status,
        content_type: content_type(encoding),
        retry_after_seconds: (http_status == 503).then_some(1),
        body: status(encoding, rpc_code(http_status), message),
    }
}

/// The google.rpc.Code that says about the same as an HTTP status.
const fn rpc_code(http_status: u16) -> i32 {
    match http_status {
        401 => 16,      // UNAUTHENTICATED
        403 => 7,       // PERMISSION_DENIED
        404 => 5,       // NOT_FOUND
        405 => 12,      // UNIMPLEMENTED
        409 => 10,      // ABORTED
        413 | 431 => 8, // RESOURCE_EXHAUSTED
        400..=499 => 3, // INVALID_ARGUMENT
        _ => 14,        // UNAVAILABLE
    }
}

const fn content_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "application/json",
        Encoding::Protobuf => "application/x-protobuf",
    }
}

fn count(rejected: u64) -> i64 {
    i64::try_from(rejected).unwrap_or(i64::MAX)
}

/// The first problems on one line; empty where there is none.
fn message(problems: &Problems) -> String {
    let named = problems.named.iter().take(NAMED_MAX).map(ToString::to_string);
    let mut text = named.collect::<Vec<_>>().join("; ");
    let more = problems.count().saturating_sub(NAMED_MAX as u64);
    if more > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, "; and {more} more");
    }
    text
}

fn partial_json(signal: Signal, rejected: u64, message: &str) -> Vec<u8> {
    let member = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Logs => "rejectedLogRecords",
    };
    let mut body = Vec::new();
    let mut object = ObjectWriter::new(&mut body);
    let mut partial = object.object("partialSuccess");
    // 64-bit integers are strings in proto3 JSON.
    partial.string("errorMessage", message).string(member, &rejected.to_string());
    partial.finish();
    object.finish();
    body
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

fn status(encoding: Encoding, code: i32, message: &str) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => Status { code, message: message.to_owned() }.encode_to_vec(),
        Encoding::Json => {
            let mut body = Vec::new();
            let mut object = ObjectWriter::new(&mut body);
            object.i64("code", code.into()).string("message", message);
            object.finish();
            body
        }
    }
}

#[cfg(test)]
mod tests {
    use recorder_envelope::adapter::Anomaly;

    use super::*;

    fn problems(count: usize) -> Problems {
        let anomaly = |index| Anomaly::new("otel_time", format!("spans/{index}"), "a time");
        Problems { named: (0..count).map(anomaly).collect(), more: 0 }
    }

    fn json(answer: &Answer) -> serde_json::Value {
        assert_eq!(answer.content_type, "application/json");
        serde_json::from_slice(&answer.body).unwrap()
    }

    #[test]
    fn full_success_is_empty_in_both_encodings() {
        let all = success(Signal::Traces, Encoding::Json, 0, &Problems::default());
        assert_eq!((all.http_status, &*all.body), (200, &b"{}"[..]));
        let all = success(Signal::Logs, Encoding::Protobuf, 0, &Problems::default());
        assert_eq!((all.content_type, all.body.len()), ("application/x-protobuf", 0));
    }

    #[test]
    fn partial_success_counts_what_was_rejected_and_names_the_first_problems() {
        let partial = success(Signal::Traces, Encoding::Json, 5, &problems(5));
        let partial = &json(&partial)["partialSuccess"];
        assert_eq!(partial["rejectedSpans"], "5");
        let message = "spans/0: a time (otel_time); spans/1: a time (otel_time); spans/2: a time (otel_time); and 2 more";
        assert_eq!(partial["errorMessage"], message);
        let logs = success(Signal::Logs, Encoding::Json, 1, &problems(1));
        assert_eq!(json(&logs)["partialSuccess"]["rejectedLogRecords"], "1");
        let binary = success(Signal::Logs, Encoding::Protobuf, 1, &problems(1));
        let read = ExportLogsServiceResponse::decode(&*binary.body).unwrap();
        assert_eq!(read.partial_success.unwrap().rejected_log_records, 1);
        // What was stored with a flaw is a warning: nothing rejected, and a message.
        let warning = success(Signal::Traces, Encoding::Protobuf, 0, &problems(1));
        let read = ExportTraceServiceResponse::decode(&*warning.body).unwrap().partial_success;
        assert_eq!(read.unwrap().rejected_spans, 0);
    }

    #[test]
    fn refusals_are_final_and_outages_are_not() {
        let refusal = Refusal::BodyTooLarge { bytes_max: 9 };
        let answer = refused(Encoding::Json, &refusal);
        assert_eq!((answer.http_status, answer.retry_after_seconds), (413, None));
        assert_eq!(json(&answer)["code"], 8);
        assert_eq!(
            json(&answer)["message"],
            "the body has more than 9 bytes [otel_body_too_large]"
        );
        let answer = refused(Encoding::Protobuf, &Refusal::Gzip);
        let status = Status::decode(&*answer.body).unwrap();
        assert_eq!((answer.http_status, status.code), (400, 3));
        let answer = unavailable(Encoding::Json, "the queue is full");
        assert_eq!((answer.http_status, answer.retry_after_seconds), (503, Some(1)));
        assert_eq!(json(&answer)["code"], 14);
    }
}
