//! OpenTelemetry as exporters send it: recorded once, answered after the commit, in words that exporters read.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::sidecar::{Place, Sidecar, TOKEN};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");

/// A span whose ids follow from `number`.
fn span(number: u64, name: &str) -> Value {
    json!({
        "traceId": format!("{:032x}", number + 1),
        "spanId": format!("{:016x}", number + 1),
        "name": name,
        "startTimeUnixNano": "1790000000000000000",
        "endTimeUnixNano": "1790000000250000000",
    })
}

fn traces(spans: &[Value]) -> String {
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] }).to_string()
}

/// A span of an integer that no 64 bits hold.
fn wrong_span(number: u64) -> Value {
    let mut span = span(number, "wrong");
    span["attributes"] = json!([{ "key": "n", "value": { "intValue": "99999999999999999999" } }]);
    span
}

fn protobuf(number: u64, name: &str) -> Vec<u8> {
    let span = Span {
        trace_id: u128::from(number + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: name.to_owned(),
        start_time_unix_nano: 1_790_000_000_000_000_000,
        end_time_unix_nano: 1_790_000_000_250_000_000,
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Exports a body, whose answer must be of the type of the request.
fn export(client: &mut Client, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let answer = client.request("POST", path, headers, body).unwrap();
    let sent = headers.iter().find(|(name, _)| *name == "Content-Type").unwrap().1;
    let expected = if sent == PROTOBUF.1 { PROTOBUF.1 } else { JSON.1 };
    assert_eq!(answer.headers["content-type"], expected, "{answer:?}");
    answer
}

/// Event types and names of what is recorded for a tenant, in order.
fn recorded(client: &mut Client, tenant: &str) -> Vec<(String, String)> {
    let query = json!({ "tenant_id": tenant, "recorder_id": "sidecar:test", "filter": {}, "limit": 10_000 });
    let page = client.post("/v1/query/envelopes", &query.to_string()).json();
    let envelopes = page["envelopes"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    envelopes
        .iter()
        .map(|envelope| (text(&envelope["event_type"]), text(&envelope["payload"]["span"]["name"])))
        .collect()
}

fn names(client: &mut Client) -> Vec<String> {
    recorded(client, "default").into_iter().map(|(_, name)| name).collect()
}

/// The code and the message of a `google.rpc.Status` in JSON.
fn status(answer: &Answer) -> (i64, String) {
    let status = answer.json();
    assert_eq!(status.as_object().unwrap().len(), 2, "{status}");
    (status["code"].as_i64().unwrap(), status["message"].as_str().unwrap().to_owned())
}

#[test]
fn an_export_is_recorded_once_however_often_and_however_packed_it_is_sent() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let body = traces(&[span(0, "a"), span(1, "b")]);
    let first = export(&mut client, "/v1/traces", &[JSON], body.as_bytes());
    assert_eq!((first.status, &*first.body, first.is_replay()), (200, &b"{}"[..], false));
    let again = export(&mut client, "/v1/traces", &[JSON], body.as_bytes());
    assert_eq!((again.status, &*again.body, again.is_replay()), (200, &b"{}"[..], true));
    let headers = [JSON, ("Content-Encoding", "gzip")];
    let packed = export(&mut client, "/v1/traces", &headers, &gzip(body.as_bytes()));
    assert_eq!((packed.status, packed.is_replay()), (200, true));
    // The same span in other words is the same span.
    let binary = export(&mut client, "/v1/traces", &[PROTOBUF], &protobuf(0, "a"));
    assert_eq!((binary.status, binary.body.len(), binary.is_replay()), (200, 0, true));
    let binary = export(&mut client, "/v1/traces", &[PROTOBUF], &protobuf(2, "c"));
    assert_eq!((binary.status, binary.is_replay()), (200, false));
    assert_eq!(names(&mut client), ["a", "b", "c"]);
}

#[test]
fn an_export_is_known_again_after_the_sidecar_was_killed() {
    let place = Place::new();
    let sidecar = place.start("");
    let body = traces(&[span(0, "a"), wrong_span(1)]);
    let first = export(&mut sidecar.client(), "/v1/traces", &[JSON], body.as_bytes());
    sidecar.kill();
    let sidecar = place.start("");
    let again = export(&mut sidecar.client(), "/v1/traces", &[JSON], body.as_bytes());
    assert_eq!((first.is_replay(), again.is_replay()), (false, true));
    assert_eq!(first.body, again.body);
    assert_eq!(recorded(&mut sidecar.client(), "default").len(), 2);
}

#[test]
fn a_record_that_is_wrong_costs_no_other_and_is_counted_and_recorded_as_lost() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let body = traces(&[span(0, "a"), wrong_span(1), span(2, "c")]);
    let answer = export(&mut client, "/v1/traces", &[JSON], body.as_bytes());
    let partial = answer.json()["partialSuccess"].clone();
    assert_eq!((answer.status, &partial["rejectedSpans"]), (200, &json!("1")));
    assert!(partial["errorMessage"].as_str().unwrap().contains("(otel_integer_range)"));
    let types: Vec<String> =
        recorded(&mut client, "default").into_iter().map(|(event_type, _)| event_type).collect();
    assert_eq!(types, ["otel.span", "otel.anomaly", "otel.span"]);
}

#[test]
fn a_span_that_says_something_else_than_before_is_rejected_and_leaves_a_trace() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    export(&mut client, "/v1/traces", &[JSON], traces(&[span(0, "a")]).as_bytes());
    let body = traces(&[span(0, "something else"), span(1, "b")]);
    let mut answers = Vec::new();
    for is_replay in [false, true] {
        let answer = export(&mut client, "/v1/traces", &[JSON], body.as_bytes());
        assert_eq!((answer.status, answer.is_replay()), (200, is_replay));
        let partial = &answer.json()["partialSuccess"];
        assert_eq!(partial["rejectedSpans"], "1");
        assert!(partial["errorMessage"].as_str().unwrap().contains("(envelope_conflict)"));
        answers.push(answer.body);
    }
    assert_eq!(answers[0], answers[1]);
    let types = recorded(&mut client, "default");
    let types: Vec<_> = types.iter().map(|(event_type, name)| (&**event_type, &**name)).collect();
    assert_eq!(types, [("otel.span", "a"), ("system.ingest.anomaly", ""), ("otel.span", "b")]);
}

#[test]
fn what_is_refused_is_said_as_exporters_read_it() {
    let place = Place::new();
    let sidecar = place.start("limits.max_body_bytes = 4096\n");
    let mut client = sidecar.client();
    let large = vec![b' '; 4097];
    let bomb = gzip(&vec![b' '; 1 << 20]);
    let gzipped = ("Content-Encoding", "gzip");
    for (path, headers, body, http_status, code, says) in [
        ("/v1/traces", &[JSON][..], &b"{"[..], 400, 3, "bad_request: "),
        ("/v1/traces", &[JSON], br#"{"resource_spans":[]}"#, 400, 3, "[otel_no_signal]"),
        ("/v1/traces", &[JSON], br#"{"resourceMetrics":[{}]}"#, 400, 3, "[otel_signal]"),
        ("/v1/traces", &[JSON, gzipped], b"no gzip", 400, 3, "[otel_gzip]"),
        ("/v1/logs", &[JSON], &large, 413, 8, "payload_too_large: "),
        ("/v1/traces", &[JSON, gzipped], &bomb, 413, 8, "[otel_body_too_large]"),
        ("/v1/logs", &[("Content-Type", "text/plain")], b"", 415, 3, "unsupported_media_type: "),
        ("/v1/logs", &[JSON, ("Content-Encoding", "br")], b"", 415, 3, "unsupported_media_type: "),
        (
            "/v1/logs",
            &[JSON, ("Accept", "application/x-protobuf")],
            b"{}",
            406,
            3,
            "not_acceptable: ",
        ),
    ] {
        let mut client = sidecar.client();
        let answer = export(&mut client, path, headers, body);
        let (found, message) = status(&answer);
        assert_eq!((answer.status, found), (http_status, code), "{path} {headers:?} {message}");
        assert!(message.contains(says), "{message}");
        assert!(!answer.headers.contains_key("retry-after"));
        assert!(answer.headers.contains_key("x-server-correlation-id"));
    }
    let stranger = export(&mut sidecar.client_with(None), "/v1/logs", &[PROTOBUF], b"");
    assert_eq!((stranger.status, stranger.body[..2].to_vec()), (401, vec![8, 16]));
    assert!(stranger.headers["www-authenticate"].starts_with("Bearer"));
    let got = client.get("/v1/traces");
    assert_eq!((got.status, got.headers["allow"].as_str(), status(&got).0), (405, "POST", 12));
    assert_eq!(recorded(&mut client, "default"), []);
}

#[test]
fn an_empty_export_succeeds_and_records_nothing() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    for (headers, body) in
        [(&[JSON][..], &b"{}"[..]), (&[JSON], br#"{"resourceSpans":[]}"#), (&[PROTOBUF], b"")]
    {
        let answer = export(&mut client, "/v1/traces", headers, body);
        assert_eq!((answer.status, answer.is_replay()), (200, false));
    }
    assert_eq!(recorded(&mut client, "default"), []);
}

#[test]
fn the_strict_door_takes_all_or_nothing_under_a_key() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let bad = traces(&[span(0, "a"), wrong_span(1)]);
    let refused = client.record("/v1/ingest/otel", "k", &bad).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (400, "envelope_invalid"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("(otel_integer_range)"));
    assert_eq!(recorded(&mut client, "default"), []);
    assert_eq!(client.post("/v1/ingest/otel", &bad).code(), "idempotency_key_required");
    let good = traces(&[span(0, "a"), span(1, "b")]);
    let first = client.record("/v1/ingest/otel", "k", &good).unwrap();
    assert_eq!((first.status, &first.json()["accepted"]), (201, &json!(2)));
    assert_eq!(first.json()["receipts"][1]["position"], 1);
    let again = client.record("/v1/ingest/otel", "k", &good).unwrap();
    assert_eq!(
        (again.status, &again.json()["replayed"], again.is_replay()),
        (200, &json!(2), true)
    );
    assert_eq!(again.json()["receipts"], first.json()["receipts"]);
    let other = client.record("/v1/ingest/otel", "k", &traces(&[span(5, "f")])).unwrap();
    assert_eq!(other.code(), "idempotency_conflict");
    let changed = traces(&[span(9, "new"), span(1, "changed")]);
    assert_eq!(
        client.record("/v1/ingest/otel", "k2", &changed).unwrap().code(),
        "envelope_conflict"
    );
    assert_eq!(names(&mut client), ["a", "b"]);
}

#[test]
fn doors_without_a_key_are_closed_and_so_are_the_ones_that_are_switched_off() {
    let place = Place::new();
    std::fs::write(place.path("key-is-elsewhere"), "").unwrap();
    let without = place.configure("");
    let text =
        std::fs::read_to_string(&without).unwrap().replace("otel.key_path", "# otel.key_path");
    std::fs::write(&without, text).unwrap();
    let sidecar = Sidecar::start(&without, &["--create"]);
    let mut client = sidecar.client();
    for path in ["/v1/traces", "/v1/logs"] {
        let closed = export(&mut client, path, &[JSON], b"{}");
        assert_eq!((closed.status, status(&closed).0), (404, 5));
        assert!(status(&closed).1.contains("otel.key_path"));
    }
    assert_eq!(client.record("/v1/ingest/otel", "k", "{}").unwrap().code(), "not_found");
    drop(sidecar);
    let sidecar = place.start("otel.otlp_alias = false\n");
    let mut client = Client::new(sidecar.tcp(), Some(TOKEN));
    assert_eq!(export(&mut client, "/v1/traces", &[JSON], b"{}").status, 404);
    let strict = client.record("/v1/ingest/otel", "k", &traces(&[span(0, "a")])).unwrap();
    assert_eq!(strict.status, 201);
}

#[test]
fn what_nobody_says_comes_from_the_settings() {
    let place = Place::new();
    let sidecar = place.start(
        "otel.tenant_id = \"telemetry\"\notel.actor_id = \"otel:fallback\"\notel.environment_id = \"ci\"\n",
    );
    let mut client = sidecar.client();
    export(&mut client, "/v1/traces", &[PROTOBUF], &protobuf(0, "a"));
    let query = json!({ "tenant_id": "telemetry", "recorder_id": "sidecar:test", "filter": {} });
    let page = client.post("/v1/query/envelopes", &query.to_string()).json();
    let envelope = &page["envelopes"][0];
    assert_eq!(
        (&envelope["actor_id"], &envelope["environment_id"]),
        (&json!("otel:fallback"), &json!("ci"))
    );
}

#[test]
fn a_partial_success_is_counted_in_protobuf_too() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let mut request = ExportTraceServiceRequest::decode(&*protobuf(0, "a")).unwrap();
    let mut wrong = request.resource_spans[0].scope_spans[0].spans[0].clone();
    wrong.trace_id = vec![1, 2, 3];
    request.resource_spans[0].scope_spans[0].spans.push(wrong);
    let answer = export(&mut client, "/v1/traces", &[PROTOBUF], &request.encode_to_vec());
    let read = ExportTraceServiceResponse::decode(&*answer.body).unwrap();
    assert_eq!(read.partial_success.unwrap().rejected_spans, 1);
}

/// A log record.
fn logs(body: &str) -> String {
    let record = json!({ "timeUnixNano": "1790000000000000000", "severityNumber": 9, "body": { "stringValue": body } });
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record] }] }] }).to_string()
}

#[test]
fn an_export_that_comes_again_under_other_settings_is_known_again() {
    let place = Place::new();
    let sidecar = place.start("");
    let body = logs("what was said");
    let first = export(&mut sidecar.client(), "/v1/logs", &[JSON], body.as_bytes());
    assert_eq!((first.status, &*first.body, first.is_replay()), (200, &b"{}"[..], false));
    assert!(sidecar.stop().success());
    let sidecar = place.start("otel.log_body = \"keep\"\n");
    let again = export(&mut sidecar.client(), "/v1/logs", &[JSON], body.as_bytes());
    assert_eq!((again.status, &*again.body, again.is_replay()), (200, &b"{}"[..], true));
    assert_eq!(recorded(&mut sidecar.client(), "default").len(), 1);
    // What is new is kept as the settings say now.
    export(&mut sidecar.client(), "/v1/logs", &[JSON], logs("what is said now").as_bytes());
    let query = json!({ "tenant_id": "default", "recorder_id": "sidecar:test", "filter": {} });
    let page = sidecar.client().post("/v1/query/envelopes", &query.to_string());
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("what is said now") && !page.contains("what was said"));
}

#[test]
fn what_is_not_the_fault_of_an_export_is_answered_so_that_it_comes_again() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    std::fs::rename(place.path("recorder.db"), place.path("away.db")).unwrap();
    let body = traces(&[span(0, "a")]);
    let answer = export(&mut client, "/v1/traces", &[JSON], body.as_bytes());
    let (code, message) = status(&answer);
    assert_eq!((answer.status, code, answer.headers["retry-after"].as_str()), (503, 14, "1"));
    assert!(message.starts_with("storage_unavailable: "), "{message}");
    let binary = export(&mut client, "/v1/traces", &[PROTOBUF], &protobuf(1, "b"));
    assert_eq!((binary.status, binary.headers["retry-after"].as_str()), (503, "1"));
    std::fs::rename(place.path("away.db"), place.path("recorder.db")).unwrap();
    let answer = export(&mut client, "/v1/traces", &[JSON], body.as_bytes());
    assert_eq!((answer.status, answer.is_replay()), (200, false));
    assert_eq!(names(&mut client), ["a"]);
}

#[test]
fn one_that_finds_no_room_is_told_to_come_again() {
    let place = Place::new();
    // Of nine bodies of nearly the largest size one is too many.
    let sidecar = place.start("limits.max_body_bytes = 1024\n");
    let (answers, first) = std::sync::mpsc::channel();
    for _ in 0..9 {
        let (mut client, answers) = (sidecar.client(), answers.clone());
        std::thread::spawn(move || {
            let bytes = client.rendered("POST", "/v1/logs", &[JSON], &[b' '; 1024]);
            client.send(&bytes[..bytes.len() - 1]).unwrap();
            // The others hear nothing any more.
            let _ = client.answer().map(|answer| answers.send(answer));
        });
    }
    let refused = first.recv().unwrap();
    assert_eq!((refused.status, refused.headers["retry-after"].as_str()), (503, "1"));
    assert!(status(&refused).1.starts_with("queue_full: "));
}

#[test]
fn an_export_of_more_records_than_one_commit_holds_is_recorded_whole_and_once() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let spans: Vec<Value> = (0..5000).map(|number| span(number, "a")).collect();
    let body = traces(&spans);
    let first = export(&mut client, "/v1/traces", &[JSON], body.as_bytes());
    assert_eq!((first.status, &*first.body, first.is_replay()), (200, &b"{}"[..], false));
    let again = export(&mut client, "/v1/traces", &[JSON], body.as_bytes());
    assert_eq!((again.status, &*again.body, again.is_replay()), (200, &b"{}"[..], true));
    assert_eq!(names(&mut client).len(), 5000);
    let strict = client.record("/v1/ingest/otel", "k", &body).unwrap();
    assert_eq!((strict.status, strict.code().as_str()), (413, "payload_too_large"));
}

/// The captures of this source; none, said aloud, where the machine has none.
fn captures() -> Option<std::path::PathBuf> {
    let root =
        std::env::var_os("RECORDER_CAPTURES").map(|root| std::path::Path::new(&root).join("otel"));
    if root.is_none() {
        println!("SKIPPED: RECORDER_CAPTURES names no directory of captures");
    }
    root
}

/// Sends a capture with the headers that it came with, but for those of its connection and its token, in two chunks.
fn replay(sidecar: &Sidecar, root: &std::path::Path, name: &str) -> Answer {
    let facts = std::fs::read(root.join(format!("{name}.headers.json"))).unwrap();
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    let body = std::fs::read(root.join(facts["body_file"].as_str().unwrap())).unwrap();
    let path = facts["path"].as_str().unwrap();
    let path = &path[path.find("/v1/").unwrap()..];
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nTransfer-Encoding: chunked\r\n"
    );
    let mut has_key = false;
    for header in facts["raw_headers"].as_array().unwrap() {
        let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        has_key |= name.eq_ignore_ascii_case("idempotency-key");
        let own = ["host", "authorization", "connection", "transfer-encoding", "content-length"];
        if !own.contains(&name.to_lowercase().as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if path == "/v1/ingest/otel" && !has_key {
        head.push_str("Idempotency-Key: a-capture\r\n");
    }
    let (one, other) = body.split_at(body.len() / 2);
    let mut bytes = format!("{head}\r\n").into_bytes();
    for chunk in [one, other, b""] {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    let mut client = sidecar.client();
    client.send(&bytes).unwrap();
    client.answer().unwrap()
}

#[test]
fn real_captures_are_recorded_whole_but_for_the_one_record_that_is_wrong() {
    let Some(root) = captures() else { return };
    let place = Place::new();
    let sidecar = place.start("");
    for (name, http_status, is_replay) in [
        ("js-001-main-traces", 200, false),
        ("js-002-main-logs", 200, false),
        ("js-003-multires-traces", 200, false),
        ("js-005-gzip-traces", 200, false),
        ("js-006-proto-traces", 200, false),
        ("js-018-drop-traces", 200, false),
        ("js-019-drop-traces", 200, true),
        ("js-021-envpath-traces", 201, false),
        ("py-001-main-traces", 200, false),
        ("py-002-main-logs", 200, false),
    ] {
        let answer = replay(&sidecar, &root, name);
        assert_eq!((answer.status, answer.is_replay()), (http_status, is_replay), "{name}");
        match name {
            "js-001-main-traces" => {
                assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "1");
            }
            "js-021-envpath-traces" => assert_eq!(answer.json()["replayed"], 0),
            _ if answer.headers["content-type"] == PROTOBUF.1 => assert_eq!(answer.body, b""),
            _ => assert_eq!(answer.body, b"{}", "{name}"),
        }
        let again = replay(&sidecar, &root, name);
        assert_eq!((again.status, again.is_replay()), (200, true), "{name}");
    }
    let types = recorded(&mut sidecar.client(), "default");
    let anomalies = types.iter().filter(|(event_type, _)| event_type == "otel.anomaly").count();
    assert_eq!(anomalies, 1);
}

#[test]
fn no_case_of_the_mapping_brings_a_door_out_of_its_words() {
    let Some(root) = captures() else { return };
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let lines = std::fs::read_to_string(root.join("otlp-json-cases.jsonl")).unwrap();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let path = if case["signal"] == "logs" { "/v1/logs" } else { "/v1/traces" };
        let body = case["body"].as_str().unwrap();
        let answer = export(&mut client, path, &[JSON], body.as_bytes());
        match answer.status {
            200 => assert!(answer.json().is_object(), "{case}"),
            400 => assert_eq!(status(&answer).0, 3, "{case}"),
            _ => panic!("{case}: {answer:?}"),
        }
        let again = export(&mut client, path, &[JSON], body.as_bytes());
        assert_eq!((answer.status, &answer.body), (again.status, &again.body), "{case}");
    }
}
