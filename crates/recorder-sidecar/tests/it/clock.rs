//! A wall clock that jumps: what is recorded stays in order, keys are remembered, and a start in the past succeeds.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::client::Client;
use crate::sidecar::{Place, Sidecar, body};

const HOUR_SECONDS: i64 = 3600;

/// A library that moves the clock of a process, if there is a compiler to make it.
fn shim(place: &Place) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/clock.c");
    let library = place.path("clock.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
    let is_made = compiler.output().is_ok_and(|output| output.status.success());
    is_made.then_some(library)
}

/// A sidecar whose clock the test sets.
struct Moved {
    place: Place,
    library: PathBuf,
}

impl Moved {
    fn new() -> Option<Self> {
        let place = Place::new();
        let Some(library) = shim(&place) else {
            println!("SKIPPED: there is no C compiler to make a clock that jumps");
            return None;
        };
        let moved = Self { place, library };
        moved.set(0);
        Some(moved)
    }

    /// Sets the clock to so many seconds after what it is.
    fn set(&self, seconds: i64) {
        // Never a half-written offset.
        std::fs::write(self.place.path("next"), seconds.to_string()).unwrap();
        std::fs::rename(self.place.path("next"), self.place.path("offset")).unwrap();
    }

    fn start(&self, more: &str) -> Sidecar {
        let script = format!(
            "LD_PRELOAD={} CLOCK_OFFSET={} exec \"$0\" \"$@\" --create",
            self.library.display(),
            self.place.path("offset").display()
        );
        Sidecar::start_with(&script, &self.place.configure(more))
    }
}

fn record(client: &mut Client, key: &str) -> (u64, String) {
    let answer = client.record("/v1/envelopes", key, &body("t", key)).unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let receipt = answer.json();
    (receipt["position"].as_u64().unwrap(), receipt["recorded_at"].as_str().unwrap().to_owned())
}

fn is_replayed(client: &mut Client, key: &str) -> bool {
    client.record("/v1/envelopes", key, &body("t", key)).unwrap().is_replay()
}

#[test]
fn a_clock_that_jumps_back_takes_nothing_back() {
    let Some(moved) = Moved::new() else { return };
    let sidecar = moved.start("");
    let mut client = sidecar.client();
    let mut receipts = vec![record(&mut client, "now")];
    for (key, seconds) in
        [("tonight", 12 * HOUR_SECONDS), ("back", 0), ("last-year", -365 * 24 * HOUR_SECONDS)]
    {
        moved.set(seconds);
        receipts.push(record(&mut client, key));
        assert!(is_replayed(&mut client, "now"), "{key}");
    }
    assert_eq!(receipts[1].1, receipts[3].1, "{receipts:?}");
    assert!(receipts[0].1 < receipts[1].1, "the clock was moved: {receipts:?}");
    drop(client);
    sidecar.kill();
    // It starts in the past, and goes on where it was.
    let sidecar = moved.start("");
    let mut client = sidecar.client();
    assert_eq!(client.get("/ready").status, 200);
    receipts.push(record(&mut client, "after"));
    let positions: Vec<_> = receipts.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, [0, 1, 2, 3, 4]);
    assert!(receipts.is_sorted_by(|a, b| a.1 <= b.1), "{receipts:?}");
    for key in ["now", "tonight", "back", "last-year", "after"] {
        assert!(is_replayed(&mut client, key), "{key}");
    }
    let stream = r#"{"tenant_id":"t","recorder_id":"sidecar:test"}"#;
    let bundle = client.post("/v1/bundles/build", stream);
    let bundle = String::from_utf8(bundle.body).unwrap();
    assert_eq!(client.post("/v1/bundles/verify", &bundle).json()["answers"]["integrity"], "intact");
    drop(client);
    assert!(sidecar.stop().success());
}

#[test]
fn a_key_is_remembered_as_long_as_the_settings_say_and_no_longer() {
    let Some(moved) = Moved::new() else { return };
    let sidecar = moved.start("ingest.idempotency_ttl_seconds = 3600\n");
    let mut client = sidecar.client();
    record(&mut client, "a");
    moved.set(3000);
    assert!(is_replayed(&mut client, "a"));
    moved.set(4000);
    assert_eq!(record(&mut client, "a").0, 1, "it is a new request");
    assert!(is_replayed(&mut client, "a"));
    moved.set(0);
    assert!(is_replayed(&mut client, "a"));
}
