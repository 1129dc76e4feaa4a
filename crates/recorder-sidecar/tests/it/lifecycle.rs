//! Starting, stopping, reloading, and what a sidecar refuses to start with.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use rustix::process::Signal;

use crate::audit::wait_until;
use crate::sidecar::{Place, Sidecar, binary, body};

fn refused(place: &Place, more: &str, flags: &[&str]) -> String {
    let config = place.configure(more);
    let output: Output = binary().arg("--config").arg(config).args(flags).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn check_reads_the_settings_and_every_file_that_they_name() {
    let place = Place::new();
    let config = place.configure("");
    assert!(binary().arg("--config").arg(&config).arg("--check").status().unwrap().success());
    assert!(!place.path("recorder.db").exists());
    let said = refused(
        &place,
        "limits.max_in_flite = 1\nsigner.checkpoint_interval_ms = 1\n",
        &["--check"],
    );
    assert!(said.contains("did you mean limits.max_in_flight?"), "{said}");
    assert!(said.contains("signer.checkpoint_interval_ms"), "{said}");
    place.secret("token", "");
    assert!(refused(&place, "", &["--check"]).contains("security.token_path"));
}

#[test]
fn a_database_is_not_made_unless_that_is_asked_for() {
    let place = Place::new();
    let said = refused(&place, "", &[]);
    assert!(said.contains("recorder.db") && said.contains("does not exist"), "{said}");
    assert!(!place.path("recorder.db").exists());
    drop(place.start(""));
    assert!(Sidecar::start(&place.configure(""), &[]).stop().success());
}

#[test]
fn a_second_sidecar_and_another_key_are_refused() {
    let place = Place::new();
    let sidecar = place.start("");
    sidecar.client().record("/v1/envelopes", "k", &body("t", "a")).unwrap();
    assert!(refused(&place, "", &[]).contains("in use by another writer"));
    assert!(sidecar.stop().success());
    // The seed of thirty-two eights.
    place.secret(
        "key.pem",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI\n-----END PRIVATE KEY-----\n",
    );
    let said = refused(&place, "", &[]);
    assert!(said.contains("rotate"), "{said}");
}

#[test]
fn a_database_that_was_put_back_is_refused() {
    let place = Place::new();
    let sidecar = place.start("");
    sidecar.client().record("/v1/envelopes", "a", &body("t", "a")).unwrap();
    assert!(sidecar.stop().success());
    std::fs::copy(place.path("recorder.db"), place.path("copy.db")).unwrap();
    let sidecar = place.start("");
    sidecar.client().record("/v1/envelopes", "b", &body("t", "b")).unwrap();
    assert!(sidecar.stop().success());
    std::fs::copy(place.path("copy.db"), place.path("recorder.db")).unwrap();
    let said = refused(&place, "", &[]);
    assert!(said.contains("sidecar:test"), "{said}");
}

#[test]
fn stopping_seals_signs_and_leaves_nothing_behind() {
    let place = Place::new();
    let sidecar = place.start("transport.mode = \"both\"\ntransport.unix.path = \"socket\"\nsigner.checkpoint_interval_ms = 3600000\n");
    assert_eq!(place.path("socket").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut client = sidecar.unix_client();
    assert_eq!(client.record("/v1/envelopes", "k", &body("t", "a")).unwrap().status, 201);
    assert_eq!(client.get("/v1/checkpoint?tenant_id=t").code(), "not_found");
    assert!(sidecar.stop().success());
    assert!(!place.path("socket").exists());
    assert!(client.is_closed());
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let checkpoint = client.get("/v1/checkpoint?tenant_id=t").json();
    assert_eq!(checkpoint["tree_size"], 1);
    assert!(!client.get("/v1/segments").json()["segments"][0]["sealed_at"].is_null());
}

#[test]
fn only_a_dead_socket_is_replaced() {
    let place = Place::new();
    let unix = "transport.mode = \"unix\"\ntransport.unix.path = \"socket\"\n";
    std::fs::write(place.path("socket"), "a file").unwrap();
    assert!(refused(&place, unix, &["--create"]).contains("is no socket"));
    std::fs::remove_file(place.path("socket")).unwrap();
    let sidecar = place.start(unix);
    sidecar.kill();
    assert!(place.path("socket").exists());
    assert_eq!(place.start(unix).unix_client().get("/health").status, 200);
}

#[test]
fn a_new_token_is_read_on_hangup_and_the_old_one_stays_valid_for_a_while() {
    let place = Place::new();
    let sidecar = place.start("");
    place.secret("token", "next-token");
    sidecar.signal(Signal::HUP);
    sidecar.wait_for("reloaded");
    for token in ["secret-token", "next-token"] {
        assert_eq!(sidecar.client_with(Some(token)).get("/v1/config").status, 200);
    }
    std::fs::set_permissions(place.path("token"), std::fs::Permissions::from_mode(0o644)).unwrap();
    sidecar.signal(Signal::HUP);
    let failed = sidecar.wait_for("reload_failed");
    assert_eq!(failed["file"], "token");
    assert_eq!(sidecar.client_with(Some("next-token")).get("/v1/config").status, 200);
}

#[test]
fn the_health_check_asks_over_tcp_and_unix_sockets() {
    let place = Place::new();
    let sidecar = place.start("transport.mode = \"both\"\ntransport.unix.path = \"socket\"\n");
    let address = sidecar.address.clone().unwrap();
    let socket = place.path("socket");
    let ask = |arguments: &[&str]| {
        binary().arg("healthcheck").args(arguments).output().unwrap().status.success()
    };
    assert!(ask(&["--url", &format!("http://{address}/ready")]));
    assert!(ask(&["--unix-socket", socket.to_str().unwrap(), "--path", "/ready"]));
    assert!(!ask(&["--url", &format!("http://{address}/nothing")]));
    assert!(!ask(&["--url", "http://192.0.2.1/ready"]));
    assert!(sidecar.stop().success());
    assert!(!ask(&["--url", &format!("http://{address}/ready")]));
    assert!(!ask(&["--unix-socket", socket.to_str().unwrap()]));
}

/// Whether a process does something of its own when SIGHUP comes.
fn catches_reload(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.map(|digits| u64::from_str_radix(digits.trim(), 16).unwrap());
    caught.is_some_and(|caught| caught & 1 << (Signal::HUP.as_raw() - 1) != 0)
}

#[test]
fn a_reload_while_it_starts_does_not_end_it() {
    let place = Place::new();
    assert!(place.start("").stop().success());
    // Somebody else writes to its database, and it waits for that.
    let other = rusqlite::Connection::open(place.path("recorder.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let said = std::fs::File::create(place.path("stderr")).unwrap();
    let config = place.configure("storage.sqlite_busy_timeout_ms = 60000\n");
    let mut child = binary().arg("--config").arg(config).stderr(said).spawn().unwrap();
    wait_until("the signal's handler", || catches_reload(child.id()).then_some(()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::HUP).unwrap();
    let said = || std::fs::read_to_string(place.path("stderr")).unwrap();
    assert!(!said().contains("listening"), "{}", said());
    other.execute_batch("ROLLBACK").unwrap();
    wait_until("the reload", || said().contains("\"reloaded\"").then_some(()));
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}
