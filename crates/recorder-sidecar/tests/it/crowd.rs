//! More connections than there is room for, and ten thousand where there is: probes are answered, memory is bounded,
//! and afterwards everything is as before.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::client::Answer;
use crate::sidecar::{Place, Sidecar, body};

/// Connections of the crowd.
const CROWD: u64 = 10_000;

/// Bytes of memory that a connection may cost which has said something, beside what the process needs anyway.
const CONNECTION_BYTES_MAX: u64 = 48 << 10;

/// Bytes of memory that a process occupies.
fn resident_bytes(sidecar: &Sidecar) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes << 10
}

/// Lets this process have so many descriptors, if the system does.
fn raise_descriptors(wanted: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return true;
    }
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    limit.maximum.is_none_or(|maximum| maximum >= wanted)
        && setrlimit(Resource::Nofile, raised).is_ok()
}

fn probe(sidecar: &Sidecar) -> Answer {
    sidecar.client_with(None).get("/health")
}

/// Asks for a probe on a connection that is kept.
fn ask(stream: &mut TcpStream) -> bool {
    let mut first = [0; 12];
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let is_answered = stream.read_exact(&mut first).is_ok() && &first == b"HTTP/1.1 200";
    // The rest of a small answer comes with its beginning.
    is_answered && stream.read(&mut [0; 4096]).is_ok()
}

#[test]
fn ten_thousand_connections_are_served_and_cost_little() {
    // One for each here and one for each there; the sidecar inherits the limit.
    if !raise_descriptors(CROWD + 1000) {
        println!("SKIPPED: this system lets a process have fewer than {CROWD} descriptors");
        return;
    }
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    assert_eq!(client.record("/v1/envelopes", "before", &body("t", "a")).unwrap().status, 201);
    let before = resident_bytes(&sidecar);
    let mut crowd: Vec<TcpStream> = (0..CROWD)
        .map(|_| {
            let mut stream = sidecar.tcp();
            assert!(ask(&mut stream));
            stream
        })
        .collect();
    // While they are all there, others are served.
    assert_eq!(probe(&sidecar).status, 200);
    assert_eq!(client.record("/v1/envelopes", "while", &body("t", "b")).unwrap().status, 201);
    let grown = resident_bytes(&sidecar).saturating_sub(before);
    assert!(grown < CROWD * CONNECTION_BYTES_MAX, "{} bytes a connection", grown / CROWD);
    // Half of them hang in the middle of a request, and then they go away.
    for stream in &mut crowd[..5000] {
        stream.write_all(b"POST /v1/envelopes HTTP/1.1\r\nHost: a\r\nX: ").unwrap();
    }
    assert_eq!(client.record("/v1/envelopes", "half", &body("t", "c")).unwrap().status, 201);
    drop(crowd);
    assert_eq!(probe(&sidecar).status, 200);
    let after = client.record("/v1/envelopes", "after", &body("t", "d")).unwrap();
    assert_eq!((after.status, &after.json()["position"]), (201, &3.into()));
    drop(client);
    assert!(sidecar.stop().success());
}

#[test]
fn who_finds_no_place_is_told_so_and_probes_are_answered() {
    let place = Place::new();
    place.start("").stop();
    let config = place.configure("");
    // 384 descriptors are 192 connections and the spare ones.
    let sidecar = Sidecar::start_with("ulimit -n 384; exec \"$0\" \"$@\"", &config);
    let mut crowd: Vec<TcpStream> = (0..192).map(|_| sidecar.tcp()).collect();
    assert!(crowd.iter_mut().all(ask), "everybody who has a place is served");
    for _ in 0..100 {
        let answer = probe(&sidecar);
        assert_eq!((answer.status, answer.headers["connection"].as_str()), (200, "close"));
    }
    let mut client = sidecar.client();
    let refused = client.record("/v1/envelopes", "k", &body("t", "a")).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (429, "queue_full"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.headers["connection"], "close");
    assert!(client.is_closed());
    assert!(crowd.iter_mut().all(ask), "nobody who had a place lost it");
    drop(crowd);
    // A place comes free when its connection has ended, which the sidecar learns a moment later.
    let served = (0..1000).any(|_| {
        let mut client = sidecar.client();
        client
            .record("/v1/envelopes", "k", &body("t", "a"))
            .is_ok_and(|answer| answer.status / 100 == 2)
    });
    assert!(served);
}

#[test]
fn silent_connections_do_not_keep_a_sidecar_from_stopping() {
    let place = Place::new();
    let sidecar = place.start("");
    let silent: Vec<_> = (0..100).map(|_| sidecar.tcp()).collect();
    let mut idle: Vec<TcpStream> = (0..100).map(|_| sidecar.tcp()).collect();
    assert!(idle.iter_mut().all(ask));
    let mut working = sidecar.client();
    let headers = [
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "k"),
        ("Expect", "100-continue"),
    ];
    let request = working.rendered("POST", "/v1/envelopes", &headers, body("t", "a").as_bytes());
    let (head, rest) = request.split_at(request.len() - 10);
    working.send(head).unwrap();
    assert_eq!(working.head().unwrap().status, 100, "the sidecar is in the middle of it");
    sidecar.signal(Signal::TERM);
    sidecar.wait_for("stopping");
    // Whoever is in the middle of a request may end it, and is answered.
    working.send(rest).unwrap();
    assert_eq!(working.answer().unwrap().status, 201);
    assert!(working.is_closed());
    let stopped = sidecar.wait_for("stopped");
    assert!(stopped.is_object());
    assert!(sidecar.stop_after_signal().success());
    drop((silent, idle));
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let again = client.record("/v1/envelopes", "k", &body("t", "a")).unwrap();
    assert!(again.is_replay(), "{again:?}");
}
