//! What is counted: exact after known traffic, of the form that Prometheus reads, and true where nothing is covered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use recorder_sidecar_api::metric::{Kind, Metric};
use serde_json::Value;

use crate::client::Client;
use crate::sidecar::{Place, body, envelope};

/// Samples by name and labels, as they are written.
fn samples(client: &mut Client) -> BTreeMap<String, f64> {
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

/// Three envelopes, a batch of five, a repetition, two refusals, two probes, and something that is not served.
fn traffic(client: &mut Client, other: &mut Client) {
    for key in ["a", "b", "c"] {
        assert_eq!(client.record("/v1/envelopes", key, &body("t", key)).unwrap().status, 201);
    }
    let envelopes = vec![envelope("a"); 5].join(",");
    let batch =
        format!(r#"{{"tenant_id":"t","recorder_id":"sidecar:test","envelopes":[{envelopes}]}}"#);
    assert_eq!(client.record("/v1/envelopes/batch", "d", &batch).unwrap().status, 201);
    assert_eq!(client.record("/v1/envelopes", "a", &body("t", "a")).unwrap().status, 200);
    assert_eq!(client.record("/v1/envelopes", "e", "{").unwrap().status, 400);
    assert_eq!(other.get("/v1/config").status, 401);
    assert_eq!((client.get("/health").status, client.get("/ready").status), (200, 200));
    assert_eq!(client.get("/nothing").status, 404);
}

#[test]
fn numbers_are_exact_after_known_traffic() {
    let place = Place::new();
    let sidecar = place.start("signer.checkpoint_interval_ms = 3600000\n");
    let mut client = sidecar.client();
    traffic(&mut client, &mut sidecar.client_with(None));
    let found = samples(&mut client);
    for (name, expected) in [
        ("recorder_requests_total{route=\"/v1/envelopes\",status=\"201\"}", 3),
        ("recorder_requests_total{route=\"/v1/envelopes\",status=\"200\"}", 1),
        ("recorder_requests_total{route=\"/v1/envelopes\",status=\"400\"}", 1),
        ("recorder_requests_total{route=\"/v1/envelopes/batch\",status=\"201\"}", 1),
        ("recorder_requests_total{route=\"/v1/config\",status=\"401\"}", 1),
        ("recorder_requests_total{route=\"none\",status=\"404\"}", 1),
        ("recorder_refusals_total{code=\"bad_request\"}", 1),
        ("recorder_refusals_total{code=\"unauthorized\"}", 1),
        ("recorder_refusals_total{code=\"not_found\"}", 1),
        ("recorder_refusals_total{code=\"queue_full\"}", 0),
        ("recorder_request_duration_seconds_count{class=\"record\"}", 6),
        ("recorder_request_duration_seconds_count{class=\"probe\"}", 2),
        ("recorder_request_duration_seconds_count{class=\"none\"}", 1),
        ("recorder_request_duration_seconds_count{class=\"bundle\"}", 0),
        ("recorder_requests_in_flight_max", 256),
        ("recorder_requests_waiting", 0),
        ("recorder_requests_waiting_max", 1024),
        ("recorder_writer_queue_requests", 0),
        ("recorder_writer_queue_capacity_requests", 4096),
        ("recorder_writer_latched", 0),
        ("recorder_envelopes_total", 8),
        ("recorder_batch_envelopes_bucket{le=\"1\"}", 4),
        ("recorder_batch_envelopes_bucket{le=\"4\"}", 4),
        ("recorder_batch_envelopes_bucket{le=\"8\"}", 5),
        ("recorder_batch_envelopes_sum", 9),
        ("recorder_batch_envelopes_count", 5),
        ("recorder_commit_duration_seconds_count", 5),
        ("recorder_uncovered_streams", 2),
        ("recorder_auth_failures_total{credential=\"missing\"}", 1),
        ("recorder_auth_failures_total{credential=\"invalid\"}", 0),
        ("recorder_audit_envelopes_total{event=\"system.sidecar.started\"}", 1),
        ("recorder_audit_errors_total", 0),
        ("recorder_durability_info{durability=\"fsync\"}", 1),
    ] {
        assert_eq!(found.get(name), Some(&f64::from(expected)), "{name}\n{found:#?}");
    }
    assert!(found["recorder_commit_duration_seconds_sum"] > 0.0);
    assert!(found["integrity_rpo_seconds"] > 0.0, "nothing is covered yet");
    let audited = |found: &BTreeMap<String, f64>| -> f64 {
        found
            .iter()
            .filter(|(name, _)| name.starts_with("recorder_audit_envelopes"))
            .map(|it| it.1)
            .sum()
    };
    // An envelope about the refused token may be recorded between two lines of one page.
    let lag = found["recorder_uncovered_envelopes"];
    assert!((8.0 + 1.0..=8.0 + audited(&samples(&mut client))).contains(&lag), "{lag}");
}

#[test]
fn what_a_checkpoint_covers_is_no_longer_at_risk() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    assert_eq!(client.record("/v1/envelopes", "a", &body("t", "a")).unwrap().status, 201);
    let until = Instant::now() + crate::client::PATIENCE;
    loop {
        let found = samples(&mut client);
        if found["recorder_uncovered_streams"] == 0.0
            && found["recorder_uncovered_envelopes"] == 0.0
        {
            assert_eq!(found["integrity_rpo_seconds"], 0.0);
            break;
        }
        assert!(Instant::now() < until, "{found:#?}");
    }
    assert_eq!(client.get("/v1/checkpoint?tenant_id=t").json()["tree_size"], 1);
}

#[test]
fn what_no_checkpoint_covers_is_as_old_as_it_is_and_not_as_the_process() {
    let place = Place::new();
    let slow = "signer.checkpoint_interval_ms = 3600000\n";
    let sidecar = place.start(slow);
    let mut client = sidecar.client();
    assert_eq!(client.record("/v1/envelopes", "a", &body("t", "a")).unwrap().status, 201);
    let recorded = Instant::now();
    drop(client);
    sidecar.kill();
    // A process that takes its time before the next one starts.
    while recorded.elapsed().as_millis() < 300 {
        assert!(place.configure(slow).exists());
    }
    let before = recorded.elapsed().as_secs_f64();
    let found = samples(&mut place.start(slow).client());
    assert!(
        found["integrity_rpo_seconds"] >= before,
        "{} after {before}",
        found["integrity_rpo_seconds"]
    );
    assert_eq!(found["recorder_uncovered_streams"], 2.0);
}

/// An empty directory for tests of this crate.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A Python with the parser that Prometheus publishes, if one can be had here.
fn python_with_parser() -> Option<PathBuf> {
    let environment = folder("prometheus-python");
    let python = environment.join("bin/python");
    let requirements = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prometheus/requirements.txt");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    let steps = [
        Command::new("python3").args(["-m", "venv"]).arg(&environment).output(),
        Command::new(&python).args(install).arg(requirements).output(),
    ];
    for step in steps {
        if !step.as_ref().is_ok_and(|output| output.status.success()) {
            println!("SKIPPED: no Python with prometheus-client can be had here: {step:?}");
            return None;
        }
    }
    Some(python)
}

#[test]
fn the_parser_of_prometheus_reads_every_metric_of_the_table_and_no_other() {
    let Some(python) = python_with_parser() else { return };
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    traffic(&mut client, &mut sidecar.client_with(None));
    let answer = client.get("/metrics");
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    std::fs::write(place.path("page.txt"), &answer.body).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/prometheus/parse.py");
    let output = Command::new(python).arg(script).arg(place.path("page.txt")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let families: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(families.len(), Metric::ALL.len());
    for (family, metric) in families.iter().zip(Metric::ALL) {
        // The parser names a counter without its ending.
        let name = metric.name().strip_suffix("_total").unwrap_or(metric.name());
        assert_eq!((&family["name"], &family["help"]), (&name.into(), &metric.help().into()));
        assert_eq!(family["type"], metric.kind().name());
        let samples = family["samples"].as_array().unwrap();
        assert!(!samples.is_empty(), "{name}");
        for sample in samples {
            let labels: Vec<&str> =
                sample["labels"].as_object().unwrap().keys().map(String::as_str).collect();
            let mut expected = metric.labels().to_vec();
            if metric.kind() == Kind::Histogram
                && sample["name"].as_str().unwrap().ends_with("_bucket")
            {
                expected.push("le");
            }
            expected.sort_unstable();
            assert_eq!(labels, expected, "{name}");
            assert!(sample["value"].as_f64().unwrap() >= 0.0, "{sample}");
        }
    }
}
