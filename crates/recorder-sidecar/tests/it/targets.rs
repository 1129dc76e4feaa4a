//! Odd request lines, headers and bodies on the wire: each has one answer, and it is the one that the contract states.

use crate::client::{Answer, Client};
use crate::sidecar::{Place, Sidecar, TOKEN, body};

/// Sends a head as it is, with the token, and reads the answer.
fn answer_to(sidecar: &Sidecar, request_line: &str, headers: &str) -> (Client, Answer) {
    let mut client = sidecar.client();
    let head =
        format!("{request_line}\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n{headers}\r\n");
    client.send(head.as_bytes()).unwrap();
    let answer = client.answer().unwrap_or_else(|error| panic!("{request_line:.200}: {error}"));
    (client, answer)
}

#[test]
fn every_byte_in_a_target_has_an_answer_of_the_contract() {
    let place = Place::new();
    let sidecar = place.start("");
    for byte in 0..=255_u8 {
        for (before, after) in [("/v1/", "config"), ("/v1/config?", "")] {
            let mut client = sidecar.client();
            let line = [b"GET ", before.as_bytes(), &[byte], after.as_bytes(), b" HTTP/1.1\r\n"];
            let rest = format!("Host: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
            client.send(&[&line.concat(), rest.as_bytes()].concat()).unwrap();
            let answer =
                client.answer().unwrap_or_else(|error| panic!("{byte:#x} in {before}: {error}"));
            let code = answer.code();
            let is_stated =
                matches!((answer.status, code.as_str()), (404, "not_found") | (400, "bad_request"));
            assert!(is_stated, "{byte:#x} in {before}: {answer:?}");
        }
    }
}

#[test]
fn a_path_has_one_spelling_and_its_query_one_form() {
    let place = Place::new();
    let sidecar = place.start("");
    let long = format!("/{}", "a".repeat(10_000));
    for (target, status, code) in [
        ("//v1/config", 404, "not_found"),
        ("/v1//config", 404, "not_found"),
        ("/./v1/config", 404, "not_found"),
        ("/v1/./config", 404, "not_found"),
        ("/v1/../v1/config", 404, "not_found"),
        ("/v1/%2e%2e/v1/config", 404, "not_found"),
        ("/v1%2Fconfig", 404, "not_found"),
        ("/v1/config/", 404, "not_found"),
        ("/v1/config;a=b", 404, "not_found"),
        ("/v1/config%00", 404, "not_found"),
        ("/V1/CONFIG", 404, "not_found"),
        (&long, 404, "not_found"),
        ("http://a/v1/config", 400, "bad_request"),
        ("https://other.example/v1/config", 400, "bad_request"),
        ("a:80", 400, "bad_request"),
        ("*", 400, "bad_request"),
        ("v1/config", 400, "bad_request"),
        ("?tenant_id=t", 400, "bad_request"),
        ("/v1/config#fragment", 400, "bad_request"),
        ("/v1/config%", 400, "bad_request"),
        ("/v1/config%zz", 400, "bad_request"),
        ("\\v1\\config", 400, "bad_request"),
        ("/v1/config?a=b", 400, "bad_request"),
        ("/health?verbose", 400, "bad_request"),
        ("/v1/segments?", 200, ""),
        ("/v1/segments?limit=1&limit=1", 400, "bad_request"),
        ("/v1/segments?limit=+1", 400, "bad_request"),
        ("/v1/segments?limit=01", 400, "bad_request"),
        ("/v1/segments?limit=", 400, "bad_request"),
        ("/v1/segments?limit", 400, "bad_request"),
        ("/v1/segments?LIMIT=1", 400, "bad_request"),
        ("/v1/segments?limit[]=1", 400, "bad_request"),
        ("/v1/segments?%6cimit=1", 400, "bad_request"),
        ("/v1/segments?limit=10001", 400, "filter_invalid"),
        ("/v1/segments?tenant_id=%ff", 400, "bad_request"),
        ("/v1/segments?tenant_id=%00", 400, "bad_request"),
        ("/v1/segments?cursor=%20", 400, "filter_invalid"),
        ("/v1/segments?cursor=MTg0NDY3NDQwNzM3MDk1NTE2MTUgdA", 200, ""),
    ] {
        let (_, answer) = answer_to(&sidecar, &format!("GET {target} HTTP/1.1"), "");
        assert_eq!(answer.status, status, "{target:.100}: {answer:?}");
        if status != 200 {
            assert_eq!(answer.code(), code, "{target:.100}");
        }
    }
    let (_, answer) =
        answer_to(&sidecar, "POST /v1/envelopes?tenant_id=other HTTP/1.1", "Content-Length: 0\r\n");
    assert_eq!(answer.code(), "bad_request", "a query that is not read is not ignored");
    let (_, answer) = answer_to(&sidecar, &format!("GET /{} HTTP/1.1", "a".repeat(20_000)), "");
    assert_eq!((answer.status, answer.code().as_str()), (431, "header_too_large"));
}

#[test]
fn methods_that_no_path_takes_are_refused_with_those_that_it_does() {
    let place = Place::new();
    let sidecar = place.start("");
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "A"] {
        for (path, allow) in [("/health", "GET"), ("/v1/envelopes", "POST"), ("/v1/config", "GET")]
        {
            let (mut client, answer) =
                answer_to(&sidecar, &format!("{method} {path} HTTP/1.1"), "");
            assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
            assert_eq!(answer.headers["allow"], allow, "{method} {path}");
            // What comes next on the connection is a request of its own.
            assert_eq!(client.get("/health").status, 200, "{method} {path}");
        }
    }
    let mut client = sidecar.client();
    client
        .send(b"HEAD /health HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let head = client.head().unwrap();
    assert_eq!((head.status, head.headers["allow"].as_str()), (405, "GET"));
    assert_eq!(client.answer().unwrap().status, 200, "an answer to HEAD has no body");
}

#[test]
fn headers_that_ask_for_another_protocol_change_nothing() {
    let place = Place::new();
    let sidecar = place.start("");
    for headers in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Connection: Host\r\n",
        "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: other\r\nX-Original-URL: /v1/config\r\nX-HTTP-Method-Override: DELETE\r\n",
        "Range: bytes=0-1\r\nIf-None-Match: *\r\nIf-Modified-Since: Sun, 22 Nov 2026 00:00:00 GMT\r\n",
        "Cookie: a=b\r\nOrigin: https://other.example\r\nTE: trailers\r\nTrailer: X\r\n",
    ] {
        let (mut client, answer) = answer_to(&sidecar, "GET /v1/config HTTP/1.1", headers);
        assert_eq!(answer.status, 200, "{headers}");
        assert!(
            !answer.headers.keys().any(|name| name.starts_with("access-control")),
            "{answer:?}"
        );
        assert_eq!(client.get("/health").status, 200, "{headers}");
    }
}

#[test]
fn a_sender_that_expects_to_be_told_to_continue_is_told_once() {
    let place = Place::new();
    let sidecar = place.start("");
    let body = body("t", "a");
    let head = |key: &str, length: usize| {
        format!(
            "POST /v1/envelopes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nIdempotency-Key: {key}\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mut client = sidecar.client();
    client.send(head("k", body.len()).as_bytes()).unwrap();
    assert_eq!(client.head().unwrap().status, 100);
    client.send(body.as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap().status, 201);
    // One whose head is refused is not asked for the body.
    let mut client = sidecar.client();
    client.send(head("\"", body.len()).as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap().code(), "idempotency_key_invalid");
    let mut client = sidecar.client();
    client.send(head("k", 1 << 30).as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap().code(), "payload_too_large");
}

#[test]
fn a_length_that_lies_is_never_taken_for_another_body() {
    let place = Place::new();
    let sidecar = place.start("");
    let whole = body("t", "a");
    let head = |length: usize| {
        format!(
            "POST /v1/envelopes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nIdempotency-Key: k\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    // Shorter than the body: what is left over is no request.
    let mut client = sidecar.client();
    client.send(format!("{}{whole}", head(whole.len() - 1)).as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap().code(), "bad_request");
    // Longer than the body, whose sender then goes away or waits.
    let stream = sidecar.tcp();
    let mut client = Client::new(stream.try_clone().unwrap(), None);
    client.send(format!("{}{whole}", head(whole.len() + 1)).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.answer().unwrap().code(), "bad_request");
    let first = sidecar.client().record("/v1/envelopes", "k", &whole).unwrap();
    assert_eq!((first.status, &first.json()["position"]), (201, &0.into()), "nothing was recorded");
}

#[test]
fn a_sender_that_closes_its_half_still_gets_its_answer() {
    let place = Place::new();
    let sidecar = place.start("");
    let stream = sidecar.tcp();
    let mut client = Client::new(stream.try_clone().unwrap(), Some(TOKEN));
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "k")];
    let request = client.rendered("POST", "/v1/envelopes", &headers, body("t", "a").as_bytes());
    client.send(&request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.answer().unwrap().status, 201);
    assert!(client.is_closed());
}

#[test]
fn where_no_token_is_asked_for_only_names_of_this_machine_are_answered() {
    let place = Place::new();
    let sidecar = place.start(
        "security.mode = \"open\"\ntransport.mode = \"both\"\ntransport.unix.path = \"socket\"\n",
    );
    let ask = |mut client: Client, host: &str| {
        let head = format!("GET /v1/config HTTP/1.1\r\nHost: {host}\r\n\r\n");
        client.send(head.as_bytes()).unwrap();
        client.answer().unwrap()
    };
    for host in ["localhost", "127.0.0.1:80", "[::1]:8787"] {
        assert_eq!(ask(sidecar.client(), host).status, 200, "{host}");
    }
    // A name that its owner points at this machine: the page that asks believes it talks to its own server.
    for host in ["rebound.example", "rebound.example:8787", "127.0.0.1.rebound.example"] {
        assert_eq!(ask(sidecar.client(), host).code(), "bad_request", "{host}");
    }
    assert_eq!(ask(sidecar.unix_client(), "sidecar").status, 200, "no page reaches the socket");
}
