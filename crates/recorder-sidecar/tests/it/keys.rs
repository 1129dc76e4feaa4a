//! Keys of retries under load: one commit for each, whoever asks, however often, and whatever dies in between.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::{Answer, Client};
use crate::sidecar::{Place, body};

const ENVELOPES: &str = "/v1/envelopes";

fn count(client: &mut Client) -> usize {
    let query = r#"{"tenant_id":"t","recorder_id":"sidecar:test","limit":10000}"#;
    client.post("/v1/query/envelopes", query).json()["envelopes"].as_array().unwrap().len()
}

#[test]
fn of_different_requests_under_one_key_at_once_one_is_recorded_and_the_others_conflict() {
    let place = Place::new();
    let sidecar = place.start("");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|number: u32| {
                let mut client = sidecar.client();
                // Half of them quote the key.
                let key = if number.is_multiple_of(2) { "k" } else { "\"k\"" };
                let body = body("t", &(number % 8).to_string());
                scope.spawn(move || client.record(ENVELOPES, key, &body).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let with = |status| answers.iter().filter(move |answer| answer.status == status);
    assert_eq!((with(201).count(), with(200).count(), with(409).count()), (1, 3, 28));
    let first = with(201).next().unwrap();
    assert!(with(200).all(|answer| answer.body == first.body && answer.is_replay()));
    assert!(with(409).all(|answer| answer.code() == "idempotency_conflict"));
    assert_eq!(count(&mut sidecar.client()), 1);
}

#[test]
fn of_the_keys_of_a_stream_the_last_are_remembered() {
    let place = Place::new();
    let settings = "ingest.queue_capacity = 4\ningest.idempotency_max_entries_per_stream = 4\n";
    let sidecar = place.start(settings);
    let mut client = sidecar.client();
    for key in 0..8 {
        let answer = client.record(ENVELOPES, &key.to_string(), &body("t", "a")).unwrap();
        assert_eq!(answer.status, 201);
    }
    // The memory of one stream is not that of another.
    assert_eq!(client.record(ENVELOPES, "7", &body("u", "a")).unwrap().status, 201);
    for key in 4..8 {
        let answer = client.record(ENVELOPES, &key.to_string(), &body("t", "a")).unwrap();
        assert!(answer.is_replay(), "{key}");
    }
    assert_eq!(client.record(ENVELOPES, "0", &body("t", "a")).unwrap().status, 201);
    assert_eq!(count(&mut client), 9);
}

#[test]
fn a_queue_that_is_full_refuses_for_a_while_and_loses_and_repeats_nothing() {
    let place = Place::new();
    let sidecar = place.start("ingest.queue_capacity = 1\ningest.batch_max_envelopes = 1\n");
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (mut client, refused) = (sidecar.client(), &refused);
            scope.spawn(move || {
                for number in 0..8 {
                    let key = format!("{thread}-{number}");
                    loop {
                        let answer = client.record(ENVELOPES, &key, &body("t", &key)).unwrap();
                        if answer.status == 201 {
                            break;
                        }
                        assert_eq!((answer.status, answer.code().as_str()), (429, "queue_full"));
                        assert_eq!(answer.headers["retry-after"], "1");
                        assert_eq!(answer.json()["retryable"], true);
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(refused.load(Ordering::Relaxed) > 0, "the queue was never full");
    let mut client = sidecar.client();
    assert_eq!(count(&mut client), 16 * 8);
    let metrics = client.request("GET", "/metrics", &[("Accept", "*/*")], b"").unwrap();
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.lines().any(|line| line == "recorder_writer_queue_requests 0"), "{metrics}");
}

#[test]
fn a_page_ends_before_it_is_larger_than_what_a_process_can_hold() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let text = "x".repeat(4_000_000);
    for key in 0..10 {
        assert_eq!(
            client.record(ENVELOPES, &key.to_string(), &body("t", &text)).unwrap().status,
            201
        );
    }
    let (mut sizes, mut cursor) = (Vec::new(), serde_json::Value::Null);
    loop {
        let query = format!(
            r#"{{"tenant_id":"t","recorder_id":"sidecar:test","limit":10000,"cursor":{cursor}}}"#
        );
        let page = client.post("/v1/query/envelopes", &query).json();
        sizes.push(page["envelopes"].as_array().unwrap().len());
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(sizes, [9, 1]);
}
