//! The rules of every route: who may ask, in which words, and how much.

use crate::client::Client;
use crate::sidecar::{Place, TOKEN, body};

#[test]
fn without_the_token_nothing_but_probes_is_answered() {
    let place = Place::new();
    let sidecar = place.start("");
    for token in [None, Some("wrong"), Some(""), Some("secret-token2")] {
        let mut client = sidecar.client_with(token);
        let refused = client.get("/v1/config");
        assert_eq!((refused.status, refused.code().as_str()), (401, "unauthorized"), "{token:?}");
        assert!(refused.headers["www-authenticate"].starts_with("Bearer"));
        assert_eq!(
            client.record("/v1/envelopes", "k", &body("t", "a")).unwrap().code(),
            "unauthorized"
        );
        for probe in ["/health", "/startup", "/ready"] {
            assert_eq!(client.get(probe).status, 200);
        }
    }
}

#[test]
fn paths_and_methods_are_exact() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    for path in [
        "/",
        "/v1/envelopes/",
        "/v1//envelopes",
        "/V1/envelopes",
        "/v1/x/../envelopes",
        "/v1/%65nvelopes",
        "/v1/envelopes%2fbatch",
    ] {
        assert_eq!(client.post(path, "{}").code(), "not_found", "{path}");
    }
    for (method, path, allow) in [
        ("GET", "/v1/envelopes", "POST"),
        ("POST", "/health", "GET"),
        ("DELETE", "/v1/segments", "GET"),
    ] {
        let refused = client.request(method, path, &[], b"").unwrap();
        assert_eq!(
            (refused.code().as_str(), refused.headers["allow"].as_str()),
            ("method_not_allowed", allow)
        );
    }
    assert_eq!(client.get("/v1/segments?tenant=a").code(), "bad_request");
}

#[test]
fn who_says_who_they_are_in_a_wrong_form_is_refused_though_nobody_asks() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let mut ask = |path, header| client.request("GET", path, &[header], b"").unwrap();
    assert_eq!(ask("/v1/config", ("x-tenant-id", "acme")).status, 200);
    for header in [("x-tenant-id", ""), ("x-principal-id", "a b"), ("x-authn-method", "o/idc")] {
        let refused = ask("/v1/config", header);
        assert_eq!((refused.status, refused.code().as_str()), (400, "identity_invalid"));
        assert_eq!(ask("/health", header).status, 200, "probes look at nothing");
    }
}

#[test]
fn media_types_are_exact() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let mut send = |headers: &[(&str, &str)]| {
        let all = [&[("Idempotency-Key", "k")], headers].concat();
        client.request("POST", "/v1/envelopes", &all, body("t", "a").as_bytes()).unwrap()
    };
    let json = ("Content-Type", "application/json");
    for headers in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/json; charset=utf-16")],
        &[("Content-Type", "application/x-protobuf")],
        &[json, ("Content-Encoding", "gzip")],
    ] {
        let refused = send(headers);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (415, "unsupported_media_type"),
            "{headers:?}"
        );
    }
    for accept in ["text/html", "application/json;q=0", "application/xml, text/*", "json"] {
        assert_eq!(send(&[json, ("Accept", accept)]).code(), "not_acceptable", "{accept}");
    }
    assert_eq!(
        send(&[("Content-Type", "application/json; charset=UTF-8"), ("Accept", "application/*")])
            .status,
        201
    );
    assert_eq!(
        client.request("GET", "/v1/config", &[("Content-Length", "2")], b"{}").unwrap().code(),
        "bad_request"
    );
}

#[test]
fn mutating_requests_need_a_key_of_the_form() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    assert_eq!(client.post("/v1/envelopes", &body("t", "a")).code(), "idempotency_key_required");
    for key in ["\"a", "a b", "\"a\"b", &"k".repeat(129)] {
        assert_eq!(
            client.record("/v1/envelopes", key, &body("t", "a")).unwrap().code(),
            "idempotency_key_invalid",
            "{key}"
        );
    }
}

#[test]
fn every_answer_names_its_request() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let mut ask =
        |headers: &[(&str, &str)]| client.request("GET", "/health", headers, b"").unwrap();
    let (first, second) = (ask(&[]), ask(&[]));
    assert_ne!(first.headers["x-server-correlation-id"], second.headers["x-server-correlation-id"]);
    assert!(!first.headers.contains_key("x-correlation-id"));
    assert_eq!(ask(&[("X-Correlation-Id", "abc-1")]).headers["x-correlation-id"], "abc-1");
    assert_eq!(ask(&[("X-Request-Id", "abc-2")]).headers["x-request-id"], "abc-2");
    for refused in [
        &[("X-Correlation-Id", "a b")][..],
        &[("X-Correlation-Id", "")],
        &[("X-Request-Id", "a/b")],
        &[("X-Correlation-Id", "a"), ("X-Request-Id", "b")],
    ] {
        assert_eq!(ask(refused).code(), "bad_request", "{refused:?}");
    }
    let long = "a".repeat(129);
    assert_eq!(ask(&[("X-Correlation-Id", &long)]).code(), "bad_request");
}

#[test]
fn a_body_that_is_too_large_is_refused_by_its_claim_and_by_its_size() {
    let place = Place::new();
    let sidecar = place.start("limits.max_body_bytes = 2000\n");
    let mut client = sidecar.client();
    let large = body("t", &"a".repeat(2000));
    let refused = client.record("/v1/envelopes", "k", &large).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (413, "payload_too_large"));
    let mut client = sidecar.client();
    let mut chunked = format!(
        "POST /v1/envelopes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Idempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for piece in large.as_bytes().chunks(100) {
        chunked.push_str(&format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)));
    }
    // The sidecar may stop reading before everything was sent.
    let _ = client.send(chunked.as_bytes());
    assert_eq!(client.answer().unwrap().code(), "payload_too_large");
}

#[test]
fn a_chunked_body_is_taken() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let mut request = format!(
        "POST /v1/envelopes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Idempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for piece in body("t", "a").as_bytes().chunks(7) {
        request.push_str(&format!("{:X}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)));
    }
    client.send(format!("{request}0\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap().status, 201);
    assert_eq!(client.get("/health").status, 200, "the connection is where both sides think it is");
}

#[test]
fn settings_are_shown_without_secrets_and_counts_are_counted() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    client.record("/v1/envelopes", "k", &body("t", "a")).unwrap();
    let shown = client.get("/v1/config");
    assert_eq!(shown.json()["limits"]["max_in_flight"], 256);
    assert!(!String::from_utf8_lossy(&shown.body).contains(TOKEN));
    let metrics = client.request("GET", "/metrics", &[("Accept", "text/plain")], b"").unwrap();
    let text = String::from_utf8(metrics.body).unwrap();
    for line in [
        "recorder_envelopes_total 1",
        "recorder_requests_total{route=\"/v1/envelopes\",status=\"201\"} 1",
        "recorder_writer_latched 0",
        "# TYPE integrity_rpo_seconds gauge",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn where_every_place_is_taken_probes_are_answered_all_the_same() {
    let place = Place::new();
    // One place; a bundle of many envelopes takes it for a while.
    let sidecar = place.start("limits.max_in_flight = 1\nlimits.max_queued_requests = 0\nprobes.ready_fail_on_admission_saturation = true\n");
    let saturated = std::thread::scope(|scope| {
        let busy: Vec<_> = (0..16)
            .map(|n| {
                let mut client = sidecar.client();
                scope.spawn(move || {
                    let codes: Vec<u16> = (0..30)
                        .map(|m| {
                            client
                                .record("/v1/envelopes", &format!("{n}-{m}"), &body("t", "a"))
                                .unwrap()
                                .status
                        })
                        .collect();
                    codes
                })
            })
            .collect();
        for _ in 0..50 {
            let mut probe: Client = sidecar.client_with(None);
            assert_eq!(probe.get("/health").status, 200);
        }
        busy.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(saturated.contains(&429) && saturated.contains(&201), "{saturated:?}");
    assert!(saturated.iter().all(|status| [201, 429].contains(status)));
}
