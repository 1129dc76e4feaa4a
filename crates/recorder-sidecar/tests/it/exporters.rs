//! OpenTelemetry's own exporters, run here and set up by environment variables alone: what they send is recorded once, also
//! when an answer is lost after the commit or when nothing can be recorded for a moment.
//!
//! Packages come from the registries that npm and pip are set up for, pinned. Where a tool or a registry is not there, the
//! test says so and ends.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::sidecar::{Place, Sidecar, TOKEN};
use crate::tools::{folder, prepared};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");

/// What stands between an exporter and the sidecar, and decides after each answer whether the exporter gets it.
struct Between {
    address: String,
    /// Every status that the sidecar answered.
    statuses: Arc<Mutex<Vec<u16>>>,
}

impl Between {
    fn new(sidecar: &Sidecar, passes: impl Fn(usize, u16) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let target = sidecar.address.clone().unwrap();
        let statuses = Arc::new(Mutex::new(Vec::new()));
        let (passes, told) = (Arc::new(passes), Arc::clone(&statuses));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let upstream = TcpStream::connect(&target).unwrap();
                let (mut from, mut to) =
                    (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || {
                    // Either side may be cut meanwhile.
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                let (passes, told) = (Arc::clone(&passes), Arc::clone(&told));
                std::thread::spawn(move || relay(upstream, client, &*passes, &told));
            }
        });
        Self { address, statuses }
    }
}

/// Hands answers on, each whole, until one is kept back: then the connection ends instead.
fn relay(
    mut upstream: TcpStream,
    mut client: TcpStream,
    passes: &dyn Fn(usize, u16) -> bool,
    told: &Mutex<Vec<u16>>,
) {
    while let Some((status, answer)) = answer(&mut upstream) {
        let number = {
            let mut told = told.lock().unwrap();
            told.push(status);
            told.len() - 1
        };
        if !passes(number, status) || client.write_all(&answer).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = upstream.shutdown(Shutdown::Both);
}

fn answer(upstream: &mut TcpStream) -> Option<(u16, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        upstream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes.clone()).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    upstream.read_exact(&mut body).ok()?;
    bytes.extend_from_slice(&body);
    Some((head.split(' ').nth(1).unwrap().parse().unwrap(), bytes))
}

/// One way to send: what the environment says beside the address and the token.
type Setup<'a> = &'a [(&'a str, &'a str)];

const JSON: Setup<'_> = &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
const JSON_GZIP: Setup<'_> =
    &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")];
const PROTOBUF: Setup<'_> = &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")];
const PROTOBUF_GZIP: Setup<'_> =
    &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")];

/// Runs an application that sends 20 spans in two exports and 5 log records in one, and learns that all were taken.
fn run(command: &mut Command, address: &str, setup: Setup<'_>) {
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
    command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{TOKEN}"));
    command.env("OTEL_SERVICE_NAME", "sdk-test").envs(setup.iter().copied());
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{setup:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// How many envelopes of each type are recorded. None of them may hold what stood in a conversation.
fn recorded(sidecar: &Sidecar) -> BTreeMap<String, usize> {
    let query = json!({ "tenant_id": "default", "recorder_id": "sidecar:test", "filter": {}, "limit": 10_000 });
    let page = sidecar.client().post("/v1/query/envelopes", &query.to_string());
    assert!(!String::from_utf8_lossy(&page.body).contains("planted content"));
    let mut counts = BTreeMap::new();
    for envelope in page.json()["envelopes"].as_array().unwrap() {
        *counts.entry(envelope["event_type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn assert_recorded(sidecar: &Sidecar, times: usize) {
    let all = [("otel.log.info".to_owned(), 5 * times), ("otel.span".to_owned(), 20 * times)];
    assert_eq!(recorded(sidecar), all.into());
}

/// What an application of one language meets.
fn meets_what_may_happen(application: &dyn Fn() -> Command, setups: &[Setup<'_>]) {
    let place = Place::new();
    let sidecar = place.start("");
    let address = sidecar.address.clone().unwrap();
    for (count, setup) in setups.iter().enumerate() {
        run(&mut application(), &address, setup);
        assert_recorded(&sidecar, count + 1);
    }
    loses_answers_after_the_commit(application, setups[0]);
    comes_while_nothing_can_be_recorded(application, setups[0]);
}

/// Each first answer to an export is lost after its commit; the exporter sends it again, and it is not recorded twice.
fn loses_answers_after_the_commit(application: &dyn Fn() -> Command, setup: Setup<'_>) {
    let place = Place::new();
    let sidecar = place.start("");
    let between = Between::new(&sidecar, |number, _| number % 2 == 1);
    run(&mut application(), &between.address, setup);
    assert_eq!(*between.statuses.lock().unwrap(), [200; 6]);
    assert_recorded(&sidecar, 1);
}

/// The database is away when the first export comes, and there again when its sender has heard so.
fn comes_while_nothing_can_be_recorded(application: &dyn Fn() -> Command, setup: Setup<'_>) {
    let place = Place::new();
    let sidecar = place.start("");
    let (here, away) = (place.path("recorder.db"), place.path("away.db"));
    std::fs::rename(&here, &away).unwrap();
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let between = Between::new(&sidecar, move |_, status| {
        if status == 503 && count.fetch_add(1, Ordering::SeqCst) == 0 {
            std::fs::rename(&away, &here).unwrap();
        }
        true
    });
    run(&mut application(), &between.address, setup);
    // Exports that were under way together all hear of it.
    let mut statuses = between.statuses.lock().unwrap().clone();
    statuses.sort_unstable();
    let taken = statuses.iter().filter(|status| **status == 200).count();
    assert!(taken == 3 && statuses.len() > 3, "{statuses:?}");
    assert!(statuses[3..].iter().all(|status| *status == 503), "{statuses:?}");
    assert_recorded(&sidecar, 1);
}

#[test]
fn what_the_javascript_sdk_exports_is_recorded_once_whatever_happens_on_the_way() {
    let copy = folder("sidecar-sdk-js");
    for file in ["export.mjs", "package.json", "package-lock.json"] {
        std::fs::copy(Path::new(SCRIPTS).join(file), copy.join(file)).unwrap();
    }
    if !prepared(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&copy)) {
        return;
    }
    let application = || {
        let mut command = Command::new("node");
        command.arg("export.mjs").current_dir(&copy);
        command
    };
    meets_what_may_happen(&application, &[JSON, JSON_GZIP, PROTOBUF, PROTOBUF_GZIP]);
}

#[test]
fn what_the_python_sdk_exports_is_recorded_once_whatever_happens_on_the_way() {
    let environment = folder("sidecar-sdk-python");
    let python = environment.join("bin/python");
    let scripts = Path::new(SCRIPTS);
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    if !prepared(Command::new("python3").args(["-m", "venv"]).arg(&environment))
        || !prepared(Command::new(&python).args(install).arg(scripts.join("requirements.txt")))
    {
        return;
    }
    let application = || {
        let mut command = Command::new(&python);
        command.arg(scripts.join("export.py"));
        command
    };
    meets_what_may_happen(&application, &[PROTOBUF, PROTOBUF_GZIP]);
}
