//! What was acknowledged is recorded, once.

use std::collections::BTreeSet;

use crate::client::Answer;
use crate::sidecar::{Place, body, envelope, named};

const ENVELOPES: &str = "/v1/envelopes";

fn positions(answer: &Answer) -> Vec<u64> {
    let answer = answer.json();
    let receipts = answer["receipts"].as_array().unwrap();
    receipts.iter().map(|receipt| receipt["position"].as_u64().unwrap()).collect()
}

#[test]
fn an_envelope_is_acknowledged_with_its_receipt() {
    let place = Place::new();
    let sidecar = place.start("");
    let answer = sidecar.client().record(ENVELOPES, "k", &body("t", "a")).unwrap();
    assert_eq!((answer.status, answer.is_replay()), (201, false), "{answer:?}");
    let receipt = answer.json();
    let members: BTreeSet<_> = receipt.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "envelope_id",
        "segment_id",
        "sequence",
        "position",
        "recorded_at",
        "payload_commitment",
        "content_hash",
        "chain_hash",
        "durability",
    ];
    assert_eq!(members, expected.into());
    assert_eq!((&receipt["position"], &receipt["durability"]), (&0.into(), &"fsync".into()));
}

#[test]
fn a_retry_gets_the_first_receipt_and_another_request_a_conflict() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let first = client.record(ENVELOPES, "k\"1", &body("t", "a")).unwrap();
    let check = |client: &mut crate::client::Client| {
        // The same key, bare and quoted.
        for key in ["k\"1", r#""k\"1""#] {
            let again = client.record(ENVELOPES, key, &body("t", "a")).unwrap();
            assert_eq!((again.status, again.is_replay()), (200, true), "{again:?}");
            assert_eq!(again.body, first.body);
            let other = client.record(ENVELOPES, key, &body("t", "b")).unwrap();
            assert_eq!((other.status, other.code().as_str()), (409, "idempotency_conflict"));
        }
        // The scope of a key is its stream, and its request has a path.
        let batch = format!(
            r#"{{"tenant_id":"t","recorder_id":"sidecar:test","envelopes":[{}]}}"#,
            envelope("a")
        );
        let other = client.record("/v1/envelopes/batch", "k\"1", &batch).unwrap();
        assert_eq!(other.code(), "idempotency_conflict");
    };
    check(&mut client);
    assert_eq!(client.record(ENVELOPES, "k\"1", &body("u", "a")).unwrap().status, 201);
    drop(client);
    assert!(sidecar.stop().success());
    let sidecar = place.start("");
    check(&mut sidecar.client());
}

#[test]
fn an_envelope_id_names_one_envelope_for_ever() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let request = |text: &str| {
        format!(r#"{{"tenant_id":"t","recorder_id":"sidecar:test","envelope":{}}}"#, named(1, text))
    };
    let first = client.record(ENVELOPES, "a", &request("a")).unwrap();
    assert_eq!(first.status, 201);
    let again = client.record(ENVELOPES, "b", &request("a")).unwrap();
    assert_eq!((again.status, again.is_replay()), (200, true));
    assert_eq!(again.body, first.body);
    let other = client.record(ENVELOPES, "c", &request("b")).unwrap();
    assert_eq!((other.status, other.code().as_str()), (409, "envelope_conflict"));
    // Under a key that was used, the key says it first.
    let other = client.record(ENVELOPES, "a", &request("b")).unwrap();
    assert_eq!(other.code(), "idempotency_conflict");
}

#[test]
fn a_batch_is_recorded_whole_or_not_at_all() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let mut batch = |key: &str, envelopes: &[String]| {
        let envelopes = envelopes.join(",");
        let body = format!(
            r#"{{"tenant_id":"t","recorder_id":"sidecar:test","envelopes":[{envelopes}]}}"#
        );
        client.record("/v1/envelopes/batch", key, &body).unwrap()
    };
    let thousand: Vec<_> = (0..1000).map(|n| envelope(&n.to_string())).collect();
    let answer = batch("k", &thousand);
    assert_eq!(answer.status, 201);
    assert_eq!(positions(&answer), (0..1000).collect::<Vec<_>>());
    let again = batch("k", &thousand);
    assert_eq!((again.status, again.is_replay(), &again.body), (200, true, &answer.body));
    for (envelopes, code) in [
        (vec![], "envelope_invalid"),
        ([&thousand[..], &[envelope("more")]].concat(), "envelope_invalid"),
        (vec![envelope("a"), r#"{"event_type":"Tool"}"#.to_owned()], "envelope_invalid"),
        (vec![named(1, "a"), named(1, "b")], "envelope_invalid"),
        (vec![envelope("a"), envelope("b").replace("\"payload\"", "\"attachment_refs\":[{\"content_hash\":\"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"content_type\":\"a/b\",\"size_bytes\":2}],\"payload\"")], "attachment_invalid"),
        (vec![envelope("a").replace("tool.call", "system.adapter.key_rotated")], "envelope_invalid"),
    ] {
        let refused = batch("other", &envelopes);
        assert_eq!(refused.code(), code, "{envelopes:?}");
    }
    assert_eq!(positions(&batch("next", &[envelope("a")])), [1000]);
}

#[test]
fn attachments_come_with_their_envelope() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let mut send = |key: &str, attachments: &str| {
        let body = format!(
            r#"{{"tenant_id":"t","recorder_id":"sidecar:test","envelope":{},"attachments":{attachments}}}"#,
            envelope("a")
        );
        client.record("/v1/envelopes/with-attachments", key, &body).unwrap()
    };
    let answer = send("k", r#"[{"content_type":"text/plain","data_base64":"YWJj"}]"#);
    assert_eq!(answer.status, 201, "{answer:?}");
    for refused in [
        "[]",
        r#"[{"content_type":"text/plain","data_base64":"YWJ"}]"#,
        r#"[{"content_type":"text/plain","data_base64":"YW Jj"}]"#,
    ] {
        assert_eq!(send("other", refused).code(), "attachment_invalid", "{refused}");
    }
    let query = r#"{"tenant_id":"t","recorder_id":"sidecar:test"}"#;
    let found = client.post("/v1/query/envelopes", query).json();
    let reference = &found["envelopes"][0]["attachment_refs"][0];
    // SHA-256 of "abc".
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((&reference["content_hash"], &reference["size_bytes"]), (&hash.into(), &3.into()));
}

#[test]
fn of_concurrent_requests_under_one_key_exactly_one_is_recorded() {
    let place = Place::new();
    let sidecar = place.start("");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|_| {
                let mut client = sidecar.client();
                scope.spawn(move || client.record(ENVELOPES, "k", &body("t", "a")).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.is_replay()).count(), 31);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    let next = sidecar.client().record(ENVELOPES, "other", &body("t", "b")).unwrap();
    assert_eq!(next.json()["position"], 1);
}

#[test]
fn no_more_streams_are_taken_than_the_settings_say() {
    let place = Place::new();
    let sidecar = place.start("ingest.max_streams = 2\n");
    let mut client = sidecar.client();
    for tenant in ["a", "b", "a"] {
        assert_eq!(
            client.record(ENVELOPES, &format!("{tenant}{}", 1), &body(tenant, "x")).unwrap().status
                / 100,
            2
        );
    }
    let refused = client.record(ENVELOPES, "k", &body("c", "x")).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_streams"));
}

#[test]
fn envelopes_that_break_a_rule_are_refused_and_nothing_of_them_is_kept() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    for (body, code) in [
        (body("t", "a").replace("sidecar:test", "sidecar:other"), "stream_mismatch"),
        (body("t", "a").replace("tool.call", "Tool.Call"), "envelope_invalid"),
        (body("t", "a").replace("{\"text\"", "{\"text\":1,\"text\""), "envelope_invalid"),
        (body("t", "a").replace("\"text\":\"a\"", "\"text\":1e999"), "envelope_invalid"),
        (body("t", "a").replace("\"a\"", "\"\\ud800\""), "envelope_invalid"),
        (body("t", "a").replace("\"actor_id\"", "\"actor\""), "envelope_invalid"),
        (body("t", "a").replace("\"tenant_id\"", "\"tenant\""), "bad_request"),
        (format!("{{\"tenant_id\":\"t\",{}", &body("t", "a")[1..]), "bad_request"),
        (format!("[{}]", body("t", "a")), "bad_request"),
        (format!("{} ", "[".repeat(100_000)), "bad_request"),
        (
            body("t", &"[".repeat(10))
                .replace("\"[[[[[[[[[[\"", &format!("{}1{}", "[".repeat(70), "]".repeat(70))),
            "envelope_invalid",
        ),
        (String::new(), "bad_request"),
    ] {
        let refused = client.record(ENVELOPES, "k", &body).unwrap();
        assert_eq!(refused.code(), code, "{body:.200}");
    }
    let invalid =
        [&body("t", "a").as_bytes()[..60], &[0xFF, 0xFE], &body("t", "a").as_bytes()[60..]]
            .concat();
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "k")];
    let refused = client.request("POST", ENVELOPES, &headers, &invalid).unwrap();
    assert_eq!(refused.status, 400);
    let first = client.record(ENVELOPES, "k", &body("t", "a")).unwrap();
    assert_eq!((first.status, &first.json()["position"]), (201, &0.into()));
}
