//! Requests that two readers could take for two things, on the wire: each is refused, and none is worked on.

use std::io::Write;

use crate::client::Client;
use crate::sidecar::{Place, TOKEN, body};

/// A head with `headers` after those that every request needs.
fn head(headers: &str) -> String {
    format!(
        "POST /v1/envelopes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         {headers}\r\n"
    )
}

#[test]
fn ambiguous_requests_are_refused_and_their_connections_closed() {
    let place = Place::new();
    let sidecar = place.start("");
    let body = body("t", "a");
    let length = body.len();
    let key = "Idempotency-Key: k\r\n";
    for (request, status, code) in [
        (
            head(&format!("{key}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n")),
            400,
            "content_length_invalid",
        ),
        (
            head(&format!("{key}Content-Length: {length}\r\nContent-Length: {length}\r\n")),
            400,
            "content_length_invalid",
        ),
        (head(&format!("{key}Content-Length: +{length}\r\n")), 400, "content_length_invalid"),
        (
            head(&format!("{key}Transfer-Encoding: chunked, chunked\r\n")),
            400,
            "content_length_invalid",
        ),
        (head(&format!("{key}{key}Content-Length: {length}\r\n")), 400, "idempotency_key_invalid"),
        (
            head(&format!("{key}Content-Length: {length}\r\nAuthorization: Bearer x\r\n")),
            400,
            "bad_request",
        ),
        (head(&format!("{key}Content-Length: {length}\r\nHost: b\r\n")), 400, "bad_request"),
        (
            head(&format!("{key}Content-Length: {length}\r\nContent-Type: text/plain\r\n")),
            400,
            "bad_request",
        ),
        (head(&format!("{key}Content-Length: {length}\r\nX: a\r\n b\r\n")), 400, "bad_request"),
        (head(&format!("{key}Content-Length : {length}\r\n")), 400, "bad_request"),
        (
            head(&format!("{key}Content-Length: {length}\r\n")).replace("\r\n", "\n"),
            400,
            "bad_request",
        ),
        (
            head(&format!("{key}Content-Length: {length}\r\n")).replace("Host: a\r\n", ""),
            400,
            "bad_request",
        ),
        (
            head(&format!("{key}Content-Length: {length}\r\n")).replace("HTTP/1.1", "HTTP/1.0"),
            400,
            "bad_request",
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400, "bad_request"),
        ("\x16\x03\x01\x00\x05hello\n".to_owned(), 400, "bad_request"),
        (head(&format!("X: {}\r\n", "a".repeat(20_000))), 431, "header_too_large"),
        (head(&"X: a\r\n".repeat(200)), 431, "header_too_large"),
    ] {
        let mut client = sidecar.client();
        client.send(format!("{request}{body}").as_bytes()).unwrap();
        let refused = client.answer().unwrap();
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{request:.300}");
        assert!(client.is_closed(), "{request:.300}");
    }
    let first = sidecar.client().record("/v1/envelopes", "k", &body).unwrap();
    assert_eq!(
        (first.status, &first.json()["position"]),
        (201, &0.into()),
        "nothing was worked on"
    );
}

#[test]
fn chunks_that_lie_end_the_request() {
    let place = Place::new();
    let sidecar = place.start("");
    for chunks in [
        "5;x=y\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "zz\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "0\r\nX: y\r\n\r\n",
    ] {
        let mut client = sidecar.client();
        let request = head("Idempotency-Key: k\r\nTransfer-Encoding: chunked\r\n");
        client.send(format!("{request}{chunks}").as_bytes()).unwrap();
        let refused = client.answer().unwrap();
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "content_length_invalid"),
            "{chunks:?}"
        );
        assert!(client.is_closed(), "one request has one answer");
    }
}

#[test]
fn an_answer_under_way_is_given_before_a_bad_request_behind_it_is_refused() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let good = client.rendered(
        "POST",
        "/v1/envelopes",
        &[("Content-Type", "application/json"), ("Idempotency-Key", "k")],
        body("t", "a").as_bytes(),
    );
    client.send(&[&good[..], b"GET / HTTP/1.1\nHost: a\n\n"].concat()).unwrap();
    assert_eq!(client.answer().unwrap().status, 201);
    assert_eq!(client.answer().unwrap().code(), "bad_request");
    assert!(client.is_closed());
}

#[test]
fn pipelined_requests_are_answered_in_order_however_they_are_cut() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut stream = sidecar.tcp();
    let client = Client::new(stream.try_clone().unwrap(), Some(TOKEN));
    let headers =
        |key: &'static str| [("Content-Type", "application/json"), ("Idempotency-Key", key)];
    let keys = ["a", "b", "c"];
    let all: Vec<u8> = keys
        .iter()
        .flat_map(|key| {
            client.rendered("POST", "/v1/envelopes", &headers(key), body("t", key).as_bytes())
        })
        .collect();
    for piece in all.chunks(13) {
        stream.write_all(piece).unwrap();
    }
    let mut client = client;
    for position in 0..3 {
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, &answer.json()["position"]), (201, &position.into()));
    }
}
