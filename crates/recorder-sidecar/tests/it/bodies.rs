//! Bodies that cost little to send: each is refused, and costs little to refuse.

use crate::sidecar::{Place, Sidecar};

/// Bytes of a body.
const BODY_BYTES: usize = 8 << 20;

/// Bytes of memory that one body may cost, itself included.
const COST_BYTES_MAX: u64 = 5 * BODY_BYTES as u64;

/// The most memory that the process has occupied.
fn peak_bytes(sidecar: &Sidecar) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// A body of that size: `before`, `piece` as often as there is room, `after`.
fn filled(before: &str, piece: impl Fn(usize) -> String, after: &str) -> String {
    let mut body = before.to_owned();
    let mut number = 0;
    while body.len() + after.len() + 64 < BODY_BYTES {
        body.push_str(&piece(number));
        number += 1;
    }
    body.truncate(body.trim_end_matches(',').len());
    body + after
}

#[test]
fn a_body_of_many_small_things_costs_a_few_times_its_size() {
    let stream = r#""tenant_id":"t","recorder_id":"sidecar:test""#;
    let fields = r#""event_type":"a","actor_id":"a","environment_id":"a""#;
    for (route, body, code) in [
        (
            "/v1/envelopes/batch",
            filled(&format!("{{{stream},\"envelopes\":["), |_| "0,".to_owned(), "]}"),
            "bad_request",
        ),
        (
            "/v1/envelopes/with-attachments",
            filled(
                &format!("{{{stream},\"envelope\":{{}},\"attachments\":["),
                |_| r#"{"content_type":"a/b","data_base64":""},"#.to_owned(),
                "]}",
            ),
            "bad_request",
        ),
        (
            "/v1/envelopes",
            filled(
                &format!("{{{stream},\"envelope\":{{{fields},\"payload\":{{\"a\":["),
                |_| r#"{"":0},"#.to_owned(),
                "]}}}",
            ),
            "envelope_invalid",
        ),
        (
            "/v1/envelopes",
            filled(
                &format!("{{{stream},\"envelope\":{{{fields},\"payload\":{{\"a\":\""),
                |_| "\\u0001".to_owned(),
                "\"}}}",
            ),
            "envelope_invalid",
        ),
        (
            "/v1/query/envelopes",
            filled(
                &format!("{{{stream},\"filter\":{{\"actor_ids\":["),
                |number| format!("\"{number:x}\","),
                "]}}",
            ),
            "payload_too_large",
        ),
        (
            "/v1/bundles/build",
            filled(&format!("{{{stream},\"selector\":{{\"all\":["), |_| "{},".to_owned(), "]}}"),
            "selector_invalid",
        ),
    ] {
        let place = Place::new();
        let sidecar = place.start("");
        let mut client = sidecar.client();
        let before = peak_bytes(&sidecar);
        let refused = client.record(route, "k", &body).unwrap();
        assert_eq!(refused.code(), code, "{route}: {body:.100}");
        let cost = peak_bytes(&sidecar).saturating_sub(before);
        assert!(cost < COST_BYTES_MAX, "{route}: {body:.100}: {} MiB", cost >> 20);
        assert_eq!(sidecar.client().get("/health").status, 200);
    }
}
