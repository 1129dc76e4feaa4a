//! Overload as it is: every place taken by requests that cannot be committed, since somebody holds the database.

use std::time::Instant;

use serde_json::Value;

use crate::client::{Client, PATIENCE};
use crate::sidecar::{Place, Sidecar, body};

/// Somebody else who writes to the database, or could.
fn intruder(place: &Place) -> rusqlite::Connection {
    rusqlite::Connection::open(place.path("recorder.db")).unwrap()
}

/// Sends a request and does not wait for its answer.
fn send(sidecar: &Sidecar, key: &str) -> Client {
    let mut client = sidecar.client();
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
    let request = client.rendered("POST", "/v1/envelopes", &headers, body("t", key).as_bytes());
    client.send(&request).unwrap();
    client
}

/// Asks until the sidecar gives exactly these reasons.
fn wait_for_reasons(sidecar: &Sidecar, expected: &Value) {
    let until = Instant::now() + PATIENCE;
    loop {
        let ready = sidecar.client_with(None).get("/ready");
        assert_eq!(ready.status == 200, ready.json()["reasons"] == serde_json::json!([]));
        if ready.json()["reasons"] == *expected {
            return;
        }
        assert!(Instant::now() < until, "{ready:?}");
    }
}

fn metric(client: &mut Client, name: &str) -> String {
    let page = String::from_utf8(client.get("/metrics").body).unwrap();
    let line = page.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("{name}")).rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn probes_and_counts_are_answered_while_nothing_else_can_be() {
    let place = Place::new();
    let sidecar = place.start(
        "limits.max_in_flight = 2\nlimits.max_queued_requests = 0\nlimits.request_timeout_ms = 600000\n\
         storage.sqlite_busy_timeout_ms = 60000\nprobes.ready_fail_on_admission_saturation = true\n",
    );
    let mut watcher = sidecar.client();
    assert_eq!(metric(&mut watcher, "recorder_requests_in_flight"), "0");
    let lock = intruder(&place);
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut held = [send(&sidecar, "a"), send(&sidecar, "b")];
    wait_for_reasons(&sidecar, &serde_json::json!(["request_capacity_exhausted"]));
    for _ in 0..50 {
        let mut probe = sidecar.client_with(None);
        assert_eq!((probe.get("/health").status, probe.get("/startup").status), (200, 200));
    }
    let refused = sidecar.client().record("/v1/envelopes", "c", &body("t", "c")).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (429, "queue_full"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(metric(&mut watcher, "recorder_requests_in_flight"), "2");
    assert_eq!(metric(&mut watcher, "recorder_refusals_total{code=\"queue_full\"}"), "1");
    lock.execute_batch("ROLLBACK").unwrap();
    for client in &mut held {
        assert_eq!(client.answer().unwrap().status, 201, "who was admitted is recorded");
    }
    wait_for_reasons(&sidecar, &serde_json::json!([]));
}

#[test]
fn a_database_that_somebody_else_changed_stops_the_writer_and_every_probe_says_so() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    assert_eq!(client.record("/v1/envelopes", "a", &body("t", "a")).unwrap().status, 201);
    intruder(&place).execute_batch("CREATE TABLE intruder (a)").unwrap();
    let refused = client.record("/v1/envelopes", "b", &body("t", "b")).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (503, "writer_latched"));
    let reasons = client.get("/ready").json()["reasons"].clone();
    assert!(reasons.as_array().unwrap().contains(&"writer_latched".into()), "{reasons}");
    assert_eq!(client.get("/health").status, 200);
    assert_eq!(metric(&mut client, "recorder_writer_latched"), "1");
    // What can no longer be recorded is counted on, and said.
    assert_eq!(sidecar.client_with(Some("wrong")).get("/v1/config").status, 401);
    sidecar.wait_for("audit_failed");
    assert_eq!(metric(&mut client, "recorder_audit_unrecorded"), "1");
}
