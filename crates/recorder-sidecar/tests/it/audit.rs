//! What the sidecar records of itself: each event once, bounded, without a secret, and verifiable like all else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use recorder::clock::FixedClock;
use recorder::guard_files::FileGuard;
use recorder::ids::SystemIds;
use recorder::{GuardMode, Guarding, Recorder, RecorderConfig};
use recorder_core::time::RecordedAt;
use recorder_envelope::signing::SecretKey;
use recorder_envelope::trust_root::TrustRoot;
use recorder_sidecar_api::audit::{ENTRIES_MAX, Event};
use recorder_store::{SqliteOptions, SqliteStore};
use recorder_verify::{Verdict, VerifyOptions, verify};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Client, PATIENCE};
use crate::sidecar::{Place, Sidecar, TOKEN, binary, body, envelope};

/// What is recorded of `event`: the payloads, which hold what the table says and nothing else.
pub(crate) fn payloads(client: &mut Client, event: Event) -> Vec<Value> {
    let query = json!({
        "tenant_id": "system",
        "recorder_id": "sidecar:test",
        "filter": { "event_types": [event.event_type()] },
    });
    let page = client.post("/v1/query/envelopes", &query.to_string()).json();
    let envelopes = page["envelopes"].as_array().unwrap_or_else(|| panic!("{page}"));
    let payload = |envelope: &Value| {
        let payload = envelope["payload"].clone();
        let members: Vec<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: Vec<&str> = event.members().iter().map(|(name, _)| *name).collect();
        assert_eq!(members, expected, "{event:?}");
        assert_eq!(envelope["actor_id"], "sidecar:test");
        payload
    };
    envelopes.iter().map(payload).collect()
}

/// The types of everything in the stream, in order.
fn types(client: &mut Client) -> Vec<String> {
    let query = r#"{"tenant_id":"system","recorder_id":"sidecar:test","limit":10000}"#;
    let page = client.post("/v1/query/envelopes", query).json();
    let envelopes = page["envelopes"].as_array().unwrap().iter();
    let short = |it: &Value| it["event_type"].as_str().unwrap().replace("system.sidecar.", "");
    envelopes.map(short).collect()
}

/// Asks until `found` finds something.
pub(crate) fn wait_until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = found() {
            return found;
        }
        std::thread::yield_now();
    }
    panic!("{what} never came");
}

fn sum(payloads: &[Value], member: &str) -> u64 {
    payloads.iter().map(|payload| payload[member].as_u64().unwrap()).sum()
}

#[test]
fn a_start_is_recorded_before_anybody_is_answered_and_a_stop_after() {
    let place = Place::new();
    let sidecar = place.start("");
    assert_eq!(types(&mut sidecar.client()), ["started"]);
    assert!(sidecar.stop().success());
    let sidecar = place.start("");
    let mut client = sidecar.client();
    assert_eq!(types(&mut client), ["started", "stopped", "started"]);
    let stopped = payloads(&mut client, Event::Stopped);
    assert_eq!(stopped, [json!({ "connections_cut": false, "signal": "SIGTERM" })]);
    let started = payloads(&mut client, Event::Started);
    assert_eq!(started[0], started[1], "nothing changed");
    let key = SecretKey::from_seed(&[7; 32]).unwrap().public_key();
    assert_eq!(started[0]["key_id"], key.key_id().to_string());
    assert_eq!(
        (&started[0]["durability"], &started[0]["adopt_head"]),
        (&"fsync".into(), &false.into())
    );
    assert!(sidecar.stop().success());
    // The last seal and checkpoint cover the last event.
    let sidecar = place.start("");
    let listed = sidecar.client().get("/v1/segments?tenant_id=system").json();
    let segments = listed["segments"].as_array().unwrap();
    assert!(segments.iter().take(2).all(|segment| !segment["seal_hash"].is_null()), "{listed}");
    assert_eq!(segments.len(), 3);
}

#[test]
fn a_sidecar_that_was_killed_has_no_stop() {
    let place = Place::new();
    place.start("").kill();
    assert_eq!(types(&mut place.start("").client()), ["started", "started"]);
}

#[test]
fn other_settings_and_another_key_than_the_time_before_are_recorded() {
    let place = Place::new();
    assert!(place.start("signer.enabled = false\n").stop().success());
    assert!(place.start("").stop().success());
    let sidecar = place.start("limits.max_in_flight = 5\n");
    let mut client = sidecar.client();
    let started = payloads(&mut client, Event::Started);
    let signers = payloads(&mut client, Event::SignerChanged);
    assert_eq!(signers, [json!({ "key_id": started[1]["key_id"], "key_id_before": null })]);
    let changed = payloads(&mut client, Event::ConfigChanged);
    let between = |a: usize, b: usize| json!({ "config_sha256": started[b]["config_sha256"], "config_sha256_before": started[a]["config_sha256"] });
    assert_eq!(changed, [between(0, 1), between(1, 2)]);
    // Whoever holds the settings can tell that they are the ones.
    let shown = client.get("/v1/config").json();
    let canonical = recorder_envelope::json::CanonicalPayload::parse(shown.to_string().as_bytes());
    let hash = recorder_core::hash::sha256(&[&canonical.unwrap().into_bytes()]);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(started[2]["config_sha256"], hash);
}

#[test]
fn the_first_wrong_token_is_recorded_at_once() {
    let place = Place::new();
    let sidecar = place.start("");
    assert_eq!(sidecar.client_with(Some("wrong")).get("/v1/config").status, 401);
    let mut client = sidecar.client();
    let found = wait_until("the envelope", || payloads(&mut client, Event::AuthFailed).pop());
    assert_eq!((&found["count"], &found["invalid"]), (&1.into(), &1.into()));
    assert_eq!(found["peers"], json!([{ "count": 1, "peer": "tcp:127.0.0.1" }]));
    assert_eq!(found["routes"], json!([{ "count": 1, "route": "/v1/config" }]));
}

#[test]
fn whoever_asks_over_the_socket_is_named_by_user() {
    let place = Place::new();
    let sidecar = place.start("transport.mode = \"unix\"\ntransport.unix.path = \"socket\"\n");
    let mut client = sidecar.unix_client();
    let stream = std::os::unix::net::UnixStream::connect(place.path("socket")).unwrap();
    assert_eq!(Client::new(stream, None).get("/v1/config").status, 401);
    let found = wait_until("the envelope", || payloads(&mut client, Event::AuthFailed).pop());
    let user = format!("unix:{}", rustix::process::getuid().as_raw());
    assert_eq!((&found["missing"], &found["peers"][0]["peer"]), (&1.into(), &user.into()));
}

/// Sends `count` requests with ever other wrong tokens, many at once.
fn guess(sidecar: &Sidecar, from: u64, count: u64) {
    let mut client = sidecar.client_with(None);
    for chunk in (from..from + count).collect::<Vec<_>>().chunks(50) {
        let requests = chunk.iter().map(|number| {
            format!("GET /v1/config HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer guessed-{number:05}\r\n\r\n")
        });
        client.send(requests.collect::<String>().as_bytes()).unwrap();
        for _ in chunk {
            assert_eq!(client.answer().unwrap().status, 401);
        }
    }
}

#[test]
fn ten_thousand_wrong_tokens_leave_a_handful_of_envelopes_that_count_them_all() {
    let place = Place::new();
    let sidecar = place.start("");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let sidecar = &sidecar;
            scope.spawn(move || guess(sidecar, thread * 1250, 1250));
        }
    });
    let counted = sidecar.client().request("GET", "/metrics", &[], b"").unwrap().body;
    let counted = String::from_utf8(counted).unwrap();
    assert!(counted.contains("recorder_auth_failures_total{credential=\"invalid\"} 10000\n"));
    assert!(sidecar.stop().success());
    let sidecar = place.start("");
    let recorded = payloads(&mut sidecar.client(), Event::AuthFailed);
    assert_eq!((sum(&recorded, "count"), sum(&recorded, "invalid")), (10_000, 10_000));
    assert!((1..=8).contains(&recorded.len()), "{} envelopes", recorded.len());
    for payload in &recorded {
        let named: u64 = sum(payload["peers"].as_array().unwrap(), "count");
        assert_eq!(payload["count"], named + payload["peers_other"].as_u64().unwrap());
    }
    drop(sidecar);
    no_token_is_in(&place);
}

/// Nothing of a token, right or wrong, nor its hash, is in any file of the database.
fn no_token_is_in(place: &Place) {
    let hash = |token: &str| recorder_core::hash::sha256(&[token.as_bytes()]);
    let hex =
        |token: &str| hash(token).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut needles = vec![b"guessed-".to_vec(), TOKEN.as_bytes().to_vec()];
    for token in [TOKEN, "guessed-00000", "guessed-09999"] {
        needles.extend([hash(token).to_vec(), hex(token).into_bytes()]);
    }
    for name in ["recorder.db", "recorder.db-wal"] {
        let bytes = std::fs::read(place.path(name)).unwrap_or_default();
        for needle in &needles {
            let found = memchr::memmem::find(&bytes, needle);
            assert_eq!(found, None, "{name}: {}", String::from_utf8_lossy(needle));
        }
    }
}

#[test]
fn files_that_are_read_again_are_recorded_whatever_came_of_it() {
    let place = Place::new();
    let sidecar = place.start("");
    place.secret("token", "next-token");
    sidecar.signal(Signal::HUP);
    sidecar.wait_for("reloaded");
    let mut client = sidecar.client();
    let first = wait_until("the envelope", || payloads(&mut client, Event::Reloaded).pop());
    let expected = json!({
        "control_plane": "absent", "count": 1, "failures": 0, "tls": "absent", "token": "replaced",
    });
    assert_eq!(first, expected);
    for outcome in ["unchanged", "failed"] {
        if outcome == "failed" {
            std::fs::remove_file(place.path("token")).unwrap();
        }
        sidecar.signal(Signal::HUP);
        sidecar.wait_for("reloaded");
    }
    drop(client);
    assert!(sidecar.stop().success());
    place.secret("token", TOKEN);
    let recorded = payloads(&mut place.start("").client(), Event::Reloaded);
    assert_eq!((sum(&recorded, "count"), sum(&recorded, "failures")), (3, 1));
    assert_eq!(recorded.last().unwrap()["token"], "failed");
}

/// Entries of all payloads by tenant, the last ones.
fn by_tenant(payloads: &[Value]) -> BTreeMap<String, Value> {
    let entries = payloads.iter().flat_map(|payload| payload["streams"].as_array().unwrap());
    entries.map(|it| (it["tenant_id"].as_str().unwrap().to_owned(), it.clone())).collect()
}

#[test]
fn the_newest_checkpoint_and_seal_of_every_stream_but_its_own_are_named() {
    let place = Place::new();
    let sidecar = place.start("recorder.auto_seal.count = 3\n");
    let mut client = sidecar.client();
    let tenants: Vec<String> = (0..ENTRIES_MAX + 7).map(|number| format!("t{number:03}")).collect();
    for (number, tenant) in tenants.iter().enumerate() {
        let envelopes = vec![envelope("a"); 1 + number % 5].join(",");
        let body = format!(
            r#"{{"tenant_id":"{tenant}","recorder_id":"sidecar:test","envelopes":[{envelopes}]}}"#
        );
        assert_eq!(client.record("/v1/envelopes/batch", tenant, &body).unwrap().status, 201);
    }
    drop(client);
    assert!(sidecar.stop().success());
    let sidecar = place.start("recorder.auto_seal.count = 3\n");
    let mut client = sidecar.client();
    let checkpoints = payloads(&mut client, Event::CheckpointsSigned);
    let seals = payloads(&mut client, Event::SegmentsSealed);
    for payload in checkpoints.iter().chain(&seals) {
        assert!(payload["streams"].as_array().unwrap().len() <= ENTRIES_MAX);
    }
    assert_eq!(checkpoints.last().unwrap()["streams_waiting"], 0);
    let (checkpoints, seals) = (by_tenant(&checkpoints), by_tenant(&seals));
    let named: Vec<_> = checkpoints.keys().cloned().collect();
    assert_eq!((&named, &seals.keys().cloned().collect()), (&tenants, &tenants));
    for tenant in &tenants {
        let newest = client.get(&format!("/v1/checkpoint?tenant_id={tenant}")).json();
        for member in ["tree_size", "root_hash"] {
            assert_eq!(checkpoints[tenant][member], newest[member], "{tenant}");
        }
        let listed = client.get(&format!("/v1/segments?tenant_id={tenant}")).json();
        let last = listed["segments"].as_array().unwrap().last().unwrap();
        for member in ["seal_hash", "segment_id", "segment_index", "envelope_count"] {
            assert_eq!(seals[tenant][member], last[member], "{tenant}");
        }
    }
    let events = types(&mut client);
    assert!(events.len() < 12, "{events:?}");
}

#[test]
fn a_checkpoint_of_its_own_stream_makes_no_envelope() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let mut covered = |tenant: &str, size: u64| {
        let target = format!("/v1/checkpoint?tenant_id={tenant}");
        wait_until("the checkpoint", || {
            (client.get(&target).json()["tree_size"] == size).then_some(())
        });
    };
    covered("system", 1);
    sidecar.client().record("/v1/envelopes", "k", &body("t", "a")).unwrap();
    covered("t", 1);
    assert!(sidecar.stop().success());
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let events = types(&mut client);
    assert_eq!(events, ["started", "checkpoints_signed", "segments_sealed", "stopped", "started"]);
    for event in [Event::CheckpointsSigned, Event::SegmentsSealed] {
        let named = by_tenant(&payloads(&mut client, event));
        assert_eq!(named.keys().collect::<Vec<_>>(), ["t"], "{event:?}");
    }
}

#[test]
fn nobody_records_into_the_stream_and_everybody_may_read_it() {
    let place = Place::new();
    let sidecar = place.start("ingest.max_streams = 1\n");
    let mut client = sidecar.client();
    let body = body("system", "a");
    let batch = format!(
        r#"{{"tenant_id":"system","recorder_id":"sidecar:test","envelopes":[{}]}}"#,
        envelope("a")
    );
    let attached = body.replacen(
        "}}}",
        r#"}},"attachments":[{"content_type":"text/plain","data_base64":"YQ=="}]}"#,
        1,
    );
    for (path, body) in [
        ("/v1/envelopes", &body),
        ("/v1/envelopes/batch", &batch),
        ("/v1/envelopes/with-attachments", &attached),
    ] {
        let refused = client.record(path, path, body).unwrap();
        assert_eq!((refused.status, refused.code().as_str()), (409, "stream_mismatch"), "{path}");
    }
    assert_eq!(types(&mut client), ["started"]);
    // Its own stream takes none of the places for streams.
    assert_eq!(
        client.record("/v1/envelopes", "t", &crate::sidecar::body("t", "a")).unwrap().status,
        201
    );
    let refused = client.record("/v1/envelopes", "u", &crate::sidecar::body("u", "a")).unwrap();
    assert_eq!(refused.code(), "too_many_streams");
}

#[test]
fn a_sidecar_that_cannot_record_its_start_does_not_start() {
    let place = Place::new();
    assert!(place.start("").stop().success());
    // What was promised to be signed is not recorded without a signer.
    let config = place.configure("signer.enabled = false\n");
    let log = std::fs::File::create(place.path("stderr")).unwrap();
    let mut child = binary().arg("--config").arg(config).stderr(log).spawn().unwrap();
    let said = wait_until("a word", || {
        let said = std::fs::read_to_string(place.path("stderr")).unwrap();
        said.ends_with('\n').then_some(said)
    });
    let killed = child.kill();
    let status = child.wait().unwrap();
    assert!(!status.success() && said.contains("the start is not recorded"), "{killed:?}: {said}");
    assert!(!said.contains("listening"), "{said}");
}

#[test]
fn a_bundle_of_the_stream_verifies_under_a_trust_root() {
    let place = Place::new();
    let sidecar = place.start("");
    guess(&sidecar, 0, 50);
    sidecar.client().record("/v1/envelopes", "k", &body("t", "a")).unwrap();
    assert!(sidecar.stop().success());
    let sidecar = place.start("");
    let request = r#"{"tenant_id":"system","recorder_id":"sidecar:test"}"#;
    let built = sidecar.client().post("/v1/bundles/build", request);
    assert_eq!(built.status, 200);
    let key = SecretKey::from_seed(&[7; 32]).unwrap().public_key();
    let trusted = json!({
        "keys": [{
            "key_id": key.key_id().to_string(),
            "public_key": key.to_hex(),
            "status": "active",
            "streams": [{ "recorder_id": "sidecar:test", "tenant_id": "system" }],
        }],
        "type": "recorder.trust-root/v1",
    });
    let trust_root = TrustRoot::parse(trusted.to_string().as_bytes()).unwrap();
    let options = VerifyOptions { trust_root: Some(trust_root), ..VerifyOptions::default() };
    let report = verify(&built.body.as_slice(), &options, &mut |_| ()).unwrap();
    assert_eq!(report.verdict(), Verdict::Valid, "{:?}", report.findings());
}

#[test]
fn what_cannot_be_recorded_is_counted_said_and_tried_again() {
    let place = Place::new();
    let sidecar = place.start("");
    std::fs::rename(place.path("recorder.db"), place.path("away.db")).unwrap();
    guess(&sidecar, 0, 50);
    let failed = sidecar.wait_for("audit_failed");
    assert!(failed["auth_failures_unrecorded"].as_u64().unwrap() > 0, "{failed}");
    let mut client = sidecar.client();
    let metrics = String::from_utf8(client.get("/metrics").body).unwrap();
    assert!(metrics.contains("\nrecorder_audit_unrecorded 50\n"), "{metrics}");
    std::fs::rename(place.path("away.db"), place.path("recorder.db")).unwrap();
    let recorded = wait_until("the envelope", || {
        let recorded = payloads(&mut client, Event::AuthFailed);
        (sum(&recorded, "count") == 50).then_some(recorded)
    });
    assert_eq!(recorded.len(), 1);
}

#[test]
fn a_clock_that_stands_before_what_is_recorded_is_recorded() {
    let place = Place::new();
    let key = SecretKey::from_seed(&[7; 32]).unwrap();
    let store = SqliteStore::create(&place.path("recorder.db"), &SqliteOptions::default()).unwrap();
    let config = RecorderConfig::new("sidecar:test".parse().unwrap());
    // 2200-01-01.
    let future = RecordedAt::from_nanoseconds(7_258_118_400_000_000_000).unwrap();
    let clock = Arc::new(FixedClock::new(future, 0));
    let guard = Arc::new(FileGuard::new(place.path("guard/heads")));
    let guarding = Guarding { guard, mode: GuardMode::Checkpoints, adopt_head: false };
    let ids = Arc::new(SystemIds);
    let recorder =
        Recorder::open_guarded(Arc::new(store), config, clock, ids, Some(key), guarding).unwrap();
    let event = recorder.own_event("test.event", None, b"{}".to_vec()).unwrap();
    let tenant = "t".parse().unwrap();
    recorder.append_batch(&tenant, vec![event.into()]).unwrap();
    recorder.checkpoint(&tenant).unwrap();
    drop(recorder);
    let sidecar = place.start("recorder.log_name = \"recorder.local\"\n");
    let found = payloads(&mut sidecar.client(), Event::ClockWentBack).pop().unwrap();
    assert_eq!((&found["found"], &found["count"]), (&"at_start".into(), &1.into()));
    let century = Duration::from_secs(100 * 365 * 24 * 3600).as_millis() as u64;
    assert!(found["behind_ms"].as_u64().unwrap() > century, "{found}");
    assert_eq!(types(&mut sidecar.client()), ["started", "clock_went_back"]);
}

#[test]
fn a_segment_that_nobody_writes_to_is_sealed_when_its_time_has_come() {
    let place = Place::new();
    let sidecar = place.start(
        "recorder.auto_seal.mode = \"after_duration\"\nrecorder.auto_seal.duration_seconds = 1\n",
    );
    let mut client = sidecar.client();
    assert_eq!(client.record("/v1/envelopes", "k", &body("t", "a")).unwrap().status, 201);
    let sealed = wait_until("the seal", || {
        let listed = client.get("/v1/segments?tenant_id=t").json();
        (!listed["segments"][0]["sealed_at"].is_null()).then_some(listed)
    });
    assert_eq!(sealed["segments"].as_array().unwrap().len(), 1);
    // A seal brings a checkpoint over what it ends.
    assert_eq!(client.get("/v1/checkpoint?tenant_id=t").json()["tree_size"], 1);
    drop(client);
    assert!(sidecar.stop().success());
    let seals = payloads(&mut place.start("").client(), Event::SegmentsSealed);
    assert_eq!(by_tenant(&seals)["t"]["reason"], "duration");
}
