//! Processes that die, files that go away, clients that do not read or write: no acknowledged envelope is lost, and
//! none is there twice.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;
use crate::sidecar::{Place, Sidecar, TOKEN, body};
use crate::storage::assert_unavailable;

/// What clients were told: for each text the receipt.
type Told = Mutex<BTreeMap<String, Value>>;

/// Records under ever new keys until the sidecar is gone, each text until it is acknowledged.
fn load(sidecar: &Sidecar, next: &AtomicU64, told: &Told, unsure: &Mutex<Vec<String>>) {
    let Ok(mut client) = sidecar.try_client() else { return };
    loop {
        let pending = unsure.lock().unwrap().pop();
        let text = pending.unwrap_or_else(|| next.fetch_add(1, Ordering::Relaxed).to_string());
        match client.record("/v1/envelopes", &text, &body("t", &text)) {
            Ok(answer) if answer.status / 100 == 2 => {
                let previous = told.lock().unwrap().insert(text, answer.json());
                assert_eq!(previous, None);
            }
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{answer:?}");
                unsure.lock().unwrap().push(text);
            }
            Err(_) => return unsure.lock().unwrap().push(text),
        }
    }
}

/// Everything that is recorded: for each text its envelope. No text may be there twice.
fn recorded(client: &mut Client) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut cursor = Value::Null;
    loop {
        let query = format!(
            r#"{{"tenant_id":"t","recorder_id":"sidecar:test","limit":10000,"cursor":{cursor}}}"#
        );
        let page = client.post("/v1/query/envelopes", &query).json();
        for envelope in page["envelopes"].as_array().unwrap() {
            let text = envelope["payload"]["text"].as_str().unwrap().to_owned();
            assert_eq!(found.insert(text, envelope.clone()), None, "recorded twice");
        }
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            return found;
        }
    }
}

fn check(client: &mut Client, told: &Told) -> usize {
    let found = recorded(client);
    for (text, receipt) in told.lock().unwrap().iter() {
        let envelope =
            found.get(text).unwrap_or_else(|| panic!("{text} was acknowledged and is gone"));
        for member in [
            "envelope_id",
            "segment_id",
            "sequence",
            "position",
            "recorded_at",
            "content_hash",
            "chain_hash",
        ] {
            assert_eq!(envelope[member], receipt[member], "{text}: {member}");
        }
    }
    found.len()
}

#[test]
fn a_sidecar_that_is_killed_again_and_again_loses_nothing_that_it_acknowledged() {
    let place = Place::new();
    let (next, told, unsure) = (AtomicU64::new(0), Told::default(), Mutex::new(Vec::new()));
    for round in 0..30_u64 {
        let sidecar = place.start("");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| load(&sidecar, &next, &told, &unsure));
            }
            // Each round lives a little longer than the one before, from hardly at all.
            let goal = told.lock().unwrap().len() + (round as usize * 7) % 120;
            let until = Instant::now() + Duration::from_secs(20);
            while told.lock().unwrap().len() < goal && Instant::now() < until {
                std::thread::yield_now();
            }
            sidecar.signal(rustix::process::Signal::KILL);
        });
        drop(sidecar);
    }
    let sidecar = place.start("");
    let mut client = sidecar.client();
    check(&mut client, &told);
    // Whoever was left without an answer asks again, and then everything is there once.
    for text in unsure.lock().unwrap().drain(..) {
        let answer = client.record("/v1/envelopes", &text, &body("t", &text)).unwrap();
        assert_eq!(answer.status / 100, 2);
        told.lock().unwrap().insert(text, answer.json());
    }
    let count = check(&mut client, &told);
    assert_eq!(count, told.lock().unwrap().len());
    assert!(count > 500, "{count} envelopes are no load");
    // Whoever asks again under its key, whichever process took the first request, gets the receipt that it got.
    for (text, receipt) in told.lock().unwrap().iter() {
        let answer = client.record("/v1/envelopes", text, &body("t", text)).unwrap();
        assert!(answer.is_replay(), "{text}: {answer:?}");
        assert_eq!(&answer.json(), receipt, "{text}");
    }
    assert_eq!(recorded(&mut client).len(), count);
}

#[test]
fn a_sidecar_that_is_told_to_stop_answers_what_it_took_and_loses_nothing() {
    let place = Place::new();
    let (next, told, unsure) = (AtomicU64::new(0), Told::default(), Mutex::new(Vec::new()));
    for _ in 0..3 {
        let sidecar = place.start("");
        let goal = told.lock().unwrap().len() + 100;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| load(&sidecar, &next, &told, &unsure));
            }
            while told.lock().unwrap().len() < goal {
                std::thread::yield_now();
            }
            sidecar.signal(rustix::process::Signal::TERM);
        });
        assert!(sidecar.stop_after_signal().success());
    }
    let sidecar = place.start("");
    let count = check(&mut sidecar.client(), &told);
    let (told, unsure) = (told.lock().unwrap().len(), unsure.lock().unwrap().len());
    assert!((told..=told + unsure).contains(&count), "{told} told, {unsure} unsure, {count} there");
}

#[test]
fn a_database_that_is_removed_is_not_written_to_any_more() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    assert_eq!(client.record("/v1/envelopes", "a", &body("t", "a")).unwrap().status, 201);
    std::fs::remove_file(place.path("recorder.db")).unwrap();
    assert_unavailable(&mut client, "b");
}

#[test]
fn slow_and_silent_clients_cost_others_nothing() {
    let place = Place::new();
    let sidecar = place.start("limits.max_in_flight = 4\n");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let silent: Vec<_> = (0..200).map(|_| sidecar.tcp()).collect();
        let mut half: Vec<_> = (0..50).map(|_| sidecar.client()).collect();
        for client in &mut half {
            let request = client.rendered(
                "POST",
                "/v1/envelopes",
                &[("Content-Type", "application/json"), ("Idempotency-Key", "k")],
                body("t", "a").as_bytes(),
            );
            client.send(&request[..request.len() - 1]).unwrap();
        }
        let watcher = scope.spawn(|| {
            let mut client = sidecar.client();
            let mut slowest = Duration::ZERO;
            let mut count = 0;
            while !done.load(Ordering::Relaxed) || count < 100 {
                let began = Instant::now();
                let answer =
                    client.record("/v1/envelopes", &format!("w{count}"), &body("t", "w")).unwrap();
                assert_eq!(answer.status, 201);
                slowest = slowest.max(began.elapsed());
                count += 1;
            }
            slowest
        });
        // The first of the half-sent requests is cut after its grace.
        let cut = half[0].answer();
        done.store(true, Ordering::Relaxed);
        assert!(watcher.join().unwrap() < Duration::from_secs(5));
        let cut = cut.unwrap();
        assert_eq!((cut.status, cut.code().as_str()), (503, "request_timeout"));
        assert!(half[0].is_closed(), "one request has one answer");
        drop(silent);
    });
}

#[test]
fn a_head_that_never_ends_is_cut() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client_with(Some(TOKEN));
    client.send(b"GET /health HTTP/1.1\r\nHost: a\r\nX: ").unwrap();
    let began = Instant::now();
    let cut = client.answer().unwrap();
    assert_eq!((cut.status, cut.code().as_str()), (503, "request_timeout"));
    assert!((8..25).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[test]
fn a_disk_that_is_full_costs_no_acknowledged_envelope() {
    let place = Place::new();
    place.start("").stop();
    let config = place.configure("");
    // Files of this process end at 1 MiB, and the attempt to go on is an error, as on a full disk.
    let sidecar = Sidecar::start_with("trap '' XFSZ; ulimit -f 1024; exec \"$0\" \"$@\"", &config);
    let mut client = sidecar.client();
    let (told, padding) = (Told::default(), "x".repeat(20_000));
    let refused = (0..200).find_map(|number| {
        let text = format!("{number} {padding}");
        let answer =
            client.record("/v1/envelopes", &number.to_string(), &body("t", &text)).unwrap();
        if answer.status == 201 {
            told.lock().unwrap().insert(text, answer.json());
            return None;
        }
        Some(answer)
    });
    let refused = refused.expect("the disk is full at some time");
    assert_eq!(refused.status, 503, "{refused:?}");
    let code = refused.code();
    // The disk may be full for a checkpoint first; the next request then finds the writer stopped.
    let codes = ["storage_unavailable", "commit_outcome_unknown", "writer_latched"];
    assert!(codes.contains(&code.as_str()), "{code}");
    assert!(told.lock().unwrap().len() > 3);
    if code != "storage_unavailable" {
        let again = client.record("/v1/envelopes", "again", &body("t", "again")).unwrap();
        assert_eq!((again.status, again.code().as_str()), (503, "writer_latched"));
        let ready = client.get("/ready");
        assert!(ready.json()["reasons"].as_array().unwrap().contains(&"writer_latched".into()));
    }
    assert_eq!(client.get("/health").status, 200);
    drop(client);
    sidecar.kill();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    check(&mut client, &told);
    assert_eq!(client.record("/v1/envelopes", "later", &body("t", "later")).unwrap().status, 201);
}
