//! The log at its most verbose: every request is found by its ids, no secret and no payload is in it, and no text of
//! somebody else's makes a line of its own.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::Instant;

use recorder_core::identity::is_forbidden;
use rustix::process::Signal;
use serde_json::Value;

use crate::client::{Client, PATIENCE};
use crate::sidecar::{Place, TOKEN, binary, body, envelope};
use crate::tls::issue;

/// A sidecar whose every word is kept.
struct Watched {
    place: Place,
    child: Child,
}

impl Watched {
    fn start(place: Place, more: &str) -> Self {
        let settings = format!(
            "logging.level = \"debug\"\ntransport.mode = \"both\"\ntransport.unix.path = \"socket\"\n{more}"
        );
        let config = place.configure(&settings);
        let file = |name: &str| Stdio::from(std::fs::File::create(place.path(name)).unwrap());
        let mut command = binary();
        command.arg("--config").arg(config).arg("--create");
        let child = command.stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap();
        let watched = Self { place, child };
        watched.wait_for("listening");
        watched
    }

    fn said(&self) -> String {
        ["stdout", "stderr"]
            .map(|name| std::fs::read_to_string(self.place.path(name)).unwrap())
            .concat()
    }

    fn wait_for(&self, event: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.said().contains(event) {
            assert!(Instant::now() < until, "no {event}: {}", self.said());
        }
    }

    fn client(&self, token: Option<&str>) -> Client {
        let stream = UnixStream::connect(self.place.path("socket")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client::new(stream, token)
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .unwrap();
    }

    /// Stops it; everything that it said.
    fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success());
        self.said()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // One that has ended needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands wherever somebody can write something.
const PLANTED: &str = "planted";

/// Requests of every kind, with something planted wherever there is room for it.
fn provoke(watched: &Watched) {
    let mut client = watched.client(Some(TOKEN));
    let planted_body = body("t", "planted-payload");
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "planted-key"),
        ("X-Custom", "planted-header"),
        ("Cookie", "planted=cookie"),
    ];
    for body in
        [planted_body.as_str(), "{\"planted\":", &planted_body.replace("tool.call", "Planted!")]
    {
        client.request("POST", "/v1/envelopes", &headers, body.as_bytes()).unwrap();
    }
    let other = body("t", "planted-other");
    assert_eq!(client.record("/v1/envelopes", "planted-key", &other).unwrap().status, 409);
    let attached = format!(
        r#"{{"tenant_id":"t","recorder_id":"sidecar:test","envelope":{},"attachments":[{{"content_type":"text/planted","data_base64":"planted!"}}]}}"#,
        envelope("planted")
    );
    client.record("/v1/envelopes/with-attachments", "planted-2", &attached).unwrap();
    for path in
        ["/v1/query/envelopes", "/v1/proofs/inclusion", "/v1/bundles/build", "/v1/bundles/verify"]
    {
        client.post(path, "{\"planted\": \"planted\"}");
    }
    client.post("/v1/bundles/inspect", "planted");
    for path in [
        "/planted",
        "/v1/segments?planted=planted",
        "/v1/checkpoint?tenant_id=planted",
        "/v1/segments?cursor=planted",
        "/health?planted",
    ] {
        client.get(path);
    }
    client.request("GET", "/v1/config", &[("Accept", "text/planted")], b"").unwrap();
    client
        .request("POST", "/v1/envelopes", &[("Content-Type", "text/planted")], b"planted")
        .unwrap();
    let json = [("Content-Type", "application/json"), ("Idempotency-Key", "planted-otel")];
    client.request("POST", "/v1/ingest/otel", &json, b"{\"resourceSpans\":\"planted\"}").unwrap();
    client.request("POST", "/v1/traces", &json, b"{\"resourceSpans\":\"planted\"}").unwrap();
    assert_eq!(watched.client(Some("planted-token")).get("/v1/config").status, 401);
    let mut broken = watched.client(None);
    broken.send(b"GET /planted HTTP/1.1\nHost: planted\nplanted\r\n\r\n").unwrap();
    broken.answer().unwrap();
}

fn watched(format: &str) -> Watched {
    let place = Place::new();
    let (_, certificate, key) = issue("localhost");
    std::fs::write(place.path("certificate.pem"), certificate).unwrap();
    place.secret("tls-key.pem", &key);
    std::fs::write(place.path("planted-key-body"), key.lines().nth(1).unwrap()).unwrap();
    Watched::start(
        place,
        &format!(
            "logging.format = \"{format}\"\ntransport.tcp.tls.cert_path = \"certificate.pem\"\ntransport.tcp.tls.key_path = \"tls-key.pem\"\n"
        ),
    )
}

/// Provokes everything, and gives what was said and what must not have been.
fn everything_said(format: &str) -> String {
    let watched = watched(format);
    provoke(&watched);
    // A token that is refused for what it holds, and a key that is none.
    watched.place.secret("token", "planted token with spaces");
    let key = std::fs::read_to_string(watched.place.path("planted-key-body")).unwrap();
    watched.place.secret("tls-key.pem", &format!("-----BEGIN PRIVATE KEY-----\n{key}planted\n"));
    watched.signal(Signal::HUP);
    watched.wait_for("reloaded");
    watched.wait_for("auth_failed");
    let said = watched.stop();
    for secret in [PLANTED, "Planted", TOKEN, &key, "IAcHBwcHBwcH"] {
        let found = said.lines().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret}");
    }
    for event in ["reload_failed", "request", "stopped"] {
        assert!(said.contains(event), "{event}: {said}");
    }
    said
}

#[test]
fn nothing_that_was_sent_and_no_secret_is_in_the_log_as_json() {
    let said = everything_said("json");
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let requests = lines.iter().filter(|line| line["event"] == "request").count();
    assert!(requests > 20, "{requests}");
    for line in &lines {
        assert!(line["time"].is_string() && line["level"].is_string(), "{line}");
        assert!(line["event"] != "request" || line["server_correlation_id"].is_string(), "{line}");
    }
}

#[test]
fn nothing_that_was_sent_and_no_secret_is_in_the_log_as_text() {
    let said = everything_said("text");
    for line in said.lines() {
        let level = line.split(' ').nth(1).unwrap();
        assert!(
            line.starts_with("20") && ["error", "warn", "info", "debug"].contains(&level),
            "{line}"
        );
    }
    assert!(said.lines().filter(|line| line.contains(" debug request route=")).count() > 20);
}

#[test]
fn a_request_is_found_in_the_log_by_its_own_name_and_by_its_senders() {
    let watched = watched("json");
    let mut client = watched.client(Some(TOKEN));
    let answer =
        client.request("GET", "/v1/config", &[("X-Correlation-Id", "mine-1")], b"").unwrap();
    let id = answer.headers["x-server-correlation-id"].clone();
    let said = watched.stop();
    let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found: Vec<Value> =
        lines.filter(|line| line["server_correlation_id"] == id.as_str()).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["correlation_id"], &found[0]["route"]),
        (&"mine-1".into(), &"/v1/config".into())
    );
}

#[test]
fn no_name_makes_a_line_of_its_own_or_turns_one_around() {
    for format in ["json", "text"] {
        let place = Place::new();
        let hostile = "to\nken\u{202e}\u{2028}\u{1b}[31m";
        place.secret(hostile, TOKEN);
        let written = r#""to\nken\u202e\u2028\u001b[31m""#;
        let settings = format!("logging.format = \"{format}\"\nsecurity.token_path = {written}\n");
        let watched = Watched::start(place, &settings);
        std::fs::remove_file(watched.place.path(hostile)).unwrap();
        watched.signal(Signal::HUP);
        watched.wait_for("reload_failed");
        let said = watched.stop();
        assert!(!said.chars().any(|it| it != '\n' && is_forbidden(it)), "{said:?}");
        let failed: Vec<&str> =
            said.lines().filter(|line| line.contains("reload_failed")).collect();
        assert_eq!(failed.len(), 1);
        assert!(
            failed[0].contains(r"\u202e") && said.lines().all(|it| it.contains("20")),
            "{said}"
        );
    }
}

#[test]
fn whoever_stops_reading_the_log_holds_nobody_up_and_is_told_how_many_lines_were_lost() {
    let place = Place::new();
    let config = place.configure("logging.level = \"debug\"\n");
    let mut command = binary();
    command.arg("--config").arg(config).arg("--create");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next()?.unwrap()).ok();
    let listening = std::iter::from_fn(&mut next).find(|line| line["event"] == "listening");
    let stream = TcpStream::connect(listening.unwrap()["tcp"].as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = Client::new(stream, Some(TOKEN));
    let mut answer = || assert_eq!(client.get("/health").status, 200);
    // More than the pipe and those who wait for it can hold.
    let many = 8000;
    (0..many).for_each(|_| answer());
    let reader = std::thread::spawn(move || {
        let lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        lines.collect::<Vec<_>>()
    });
    answer();
    drop(client);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let said = reader.join().unwrap();
    let (lost, whole): (Vec<_>, Vec<_>) =
        said.iter().partition(|line| line["event"] == "log_lines_lost");
    let lost = lost.iter().map(|line| line["count"].as_u64().unwrap()).sum::<u64>();
    assert!(lost > 0, "{} lines, none lost", whole.len());
    // Each request has a line, and the end of the process has two.
    assert_eq!(whole.len() as u64 + lost, many + 1 + 2);
}
