//! What is recorded is found, proven and exported.

use recorder_core::hash::{ChainHash, TreeHash};
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::merkle;
use recorder_envelope::signing::SecretKey;
use recorder_verify::{Authenticity, VerifyOptions, verify};
use serde_json::Value;

use crate::client::Client;
use crate::sidecar::{Place, Sidecar, body, envelope};

const STREAM: &str = r#""tenant_id":"t","recorder_id":"sidecar:test""#;

/// A sidecar with 300 envelopes of one tenant and one of another, in segments of a hundred.
fn filled(place: &Place) -> (Sidecar, Client) {
    filled_by("recorder.auto_seal = { mode = \"after_count\", count = 100 }\n", place)
}

/// The same under settings of one's own.
fn filled_by(settings: &str, place: &Place) -> (Sidecar, Client) {
    let sidecar = place.start(settings);
    let mut client = sidecar.client();
    for batch in 0..3 {
        let envelopes: Vec<_> = (0..100).map(|n| envelope(&format!("{batch}-{n}"))).collect();
        let body = format!(r#"{{{STREAM},"envelopes":[{}]}}"#, envelopes.join(","));
        assert_eq!(
            client.record("/v1/envelopes/batch", &batch.to_string(), &body).unwrap().status,
            201
        );
    }
    assert_eq!(client.record("/v1/envelopes", "u", &body("u", "a")).unwrap().status, 201);
    (sidecar, client)
}

fn tree_hash(value: &Value) -> TreeHash {
    TreeHash::from_hex(value.as_str().unwrap()).unwrap()
}

fn path(answer: &Value) -> Vec<TreeHash> {
    answer["path"].as_array().unwrap().iter().map(tree_hash).collect()
}

/// Waits until the newest checkpoint of the tenant covers `size` envelopes.
fn covered(client: &mut Client, size: u64) -> Value {
    loop {
        let answer = client.get("/v1/checkpoint?tenant_id=t");
        if answer.status == 200 && answer.json()["tree_size"] == size {
            return answer.json();
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_query_finds_a_page_at_a_time() {
    let place = Place::new();
    let (_sidecar, mut client) = filled(&place);
    let mut texts = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let query = format!(
            r#"{{{STREAM},"filter":{{"trace_ids":["trace"]}},"limit":77,"cursor":{cursor}}}"#
        );
        let page = client.post("/v1/query/envelopes", &query).json();
        let envelopes = page["envelopes"].as_array().unwrap();
        texts.extend(envelopes.iter().map(|it| it["payload"]["text"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let expected: Vec<_> =
        (0..3).flat_map(|batch| (0..100).map(move |n| format!("{batch}-{n}"))).collect();
    assert_eq!(texts, expected);
    let nothing = client
        .post("/v1/query/envelopes", &format!(r#"{{{STREAM},"filter":{{"trace_ids":["x"]}}}}"#));
    assert_eq!(nothing.json(), serde_json::json!({ "envelopes": [], "next_cursor": null }));
    for (query, code) in [
        (r#""limit":0"#, "filter_invalid"),
        (r#""limit":10001"#, "filter_invalid"),
        (r#""cursor":"x""#, "filter_invalid"),
        (r#""filter":{"positions":{"from":2,"to":1}}"#, "filter_invalid"),
        (r#""filter":{"position":1}"#, "bad_request"),
    ] {
        assert_eq!(
            client.post("/v1/query/envelopes", &format!("{{{STREAM},{query}}}")).code(),
            code,
            "{query}"
        );
    }
}

#[test]
fn segments_are_listed_with_their_streams() {
    let place = Place::new();
    let (_sidecar, mut client) = filled(&place);
    let mut seen = Vec::new();
    let mut target = "/v1/segments?limit=2".to_owned();
    loop {
        let page = client.get(&target).json();
        for segment in page["segments"].as_array().unwrap() {
            seen.push((
                segment["tenant_id"].as_str().unwrap().to_owned(),
                segment["segment_index"].as_u64().unwrap(),
            ));
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => target = format!("/v1/segments?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let of = |tenant: &str, index| (tenant.to_owned(), index);
    assert_eq!(seen, [of("system", 0), of("t", 0), of("t", 1), of("t", 2), of("u", 0)]);
    let active = client.get("/v1/segments/active").json();
    let active: Vec<_> =
        active["segments"].as_array().unwrap().iter().map(|it| it["tenant_id"].clone()).collect();
    assert_eq!(active, ["system", "u"]);
    assert_eq!(client.get("/v1/segments?cursor=x").code(), "filter_invalid");
}

#[test]
fn checkpoints_are_signed_and_proofs_hold_under_them() {
    let place = Place::new();
    let (_sidecar, mut client) = filled(&place);
    let checkpoint = covered(&mut client, 300);
    let note = SignedCheckpoint::parse(checkpoint["note"].as_str().unwrap().as_bytes()).unwrap();
    note.verify_log_signature(&SecretKey::from_seed(&[7; 32]).unwrap().public_key()).unwrap();
    let root = tree_hash(&checkpoint["root_hash"]);
    assert_eq!((note.checkpoint().tree_size(), note.checkpoint().root()), (300, root));
    let found = client.post(
        "/v1/query/envelopes",
        &format!(r#"{{{STREAM},"filter":{{"positions":{{"from":123,"to":124}}}}}}"#),
    );
    let id = found.json()["envelopes"][0]["envelope_id"].clone();
    let proof =
        client.post("/v1/proofs/inclusion", &format!(r#"{{{STREAM},"envelope_id":{id}}}"#)).json();
    let leaf =
        merkle::leaf_hash(&ChainHash::from_hex(proof["chain_hash"].as_str().unwrap()).unwrap());
    merkle::verify_inclusion(&leaf, 123, 300, &path(&proof), &root).unwrap();
    assert_eq!(proof["checkpoint"], checkpoint["note"]);
    let proof =
        client.post("/v1/proofs/consistency", &format!(r#"{{{STREAM},"old_size":100}}"#)).json();
    let old = tree_hash(&proof["old_root_hash"]);
    merkle::verify_consistency(100, &old, 300, &root, &path(&proof)).unwrap();
    for (route, rest) in [
        ("inclusion", format!(r#""envelope_id":{id},"tree_size":100"#)),
        ("inclusion", format!(r#""envelope_id":{id},"tree_size":301"#)),
        ("inclusion", r#""envelope_id":"01936b2e-7c00-7abc-8def-000000000009""#.to_owned()),
        ("consistency", r#""old_size":301"#.to_owned()),
    ] {
        let refused = client.post(&format!("/v1/proofs/{route}"), &format!("{{{STREAM},{rest}}}"));
        assert_eq!(refused.code(), "not_found", "{rest}");
    }
    assert_eq!(client.get("/v1/checkpoint?tenant_id=nobody").code(), "not_found");
    assert_eq!(client.get("/v1/checkpoint").code(), "bad_request");
}

#[test]
fn a_bundle_holds_what_was_acknowledged_and_verifies_in_both_forms() {
    let place = Place::new();
    let (_sidecar, mut client) = filled_by("signer.checkpoint_interval_ms = 3600000\n", &place);
    let request = format!("{{{STREAM}}}");
    let json = [("Content-Type", "application/json")];
    for accept in ["application/json", "application/zip"] {
        let headers = [&json[..], &[("Accept", accept)]].concat();
        let built =
            client.request("POST", "/v1/bundles/build", &headers, request.as_bytes()).unwrap();
        assert_eq!(
            (built.status, built.headers["content-type"].as_str()),
            (200, accept),
            "{built:?}"
        );
        let report = verify(&built.body, &VerifyOptions::default(), &mut |_| ()).unwrap();
        assert_eq!(
            report.answers().authenticity,
            Authenticity::Unproven,
            "nobody was given to trust"
        );
        let media = [("Content-Type", accept)];
        let verified =
            client.request("POST", "/v1/bundles/verify", &media, &built.body).unwrap().json();
        assert_eq!(verified["verdict"], serde_json::to_value(report.verdict()).unwrap());
        assert_eq!(verified["answers"]["integrity"], "intact", "{verified}");
        let inspected =
            client.request("POST", "/v1/bundles/inspect", &media, &built.body).unwrap().json();
        assert_eq!(
            (&inspected["envelope_count"], &inspected["verified"]),
            (&300.into(), &false.into())
        );
        let mut tampered = built.body.clone();
        let place = tampered.windows(4).position(|four| four == b"1-50").unwrap();
        tampered[place] = b'2';
        let verified =
            client.request("POST", "/v1/bundles/verify", &media, &tampered).unwrap().json();
        assert_eq!(verified["verdict"], "invalid", "{accept}");
    }
    for (rest, code) in [
        (r#","selector":{"x":1}"#, "selector_invalid"),
        (r#","selector":{"trace":{"trace_id":"none"}}"#, "not_found"),
    ] {
        assert_eq!(
            client.post("/v1/bundles/build", &format!("{{{STREAM}{rest}}}")).code(),
            code,
            "{rest}"
        );
    }
    let garbage = client.request("POST", "/v1/bundles/inspect", &json, b"{}").unwrap();
    assert_eq!(garbage.code(), "bad_request");
}
