//! Databases that go away, change or cannot be written while a sidecar runs, and before it starts: nothing that was
//! acknowledged is lost, and nothing is acknowledged that would be.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use rusqlite::Connection;

use crate::client::Client;
use crate::sidecar::{Place, binary, body};

/// A user who may do nothing.
const NOBODY: u32 = 65_534;

fn record(client: &mut Client, key: &str) -> crate::client::Answer {
    client.record("/v1/envelopes", key, &body("t", key)).unwrap()
}

/// Nothing is recorded and nobody who asks is told otherwise, but what is recorded is still read.
pub(crate) fn assert_unavailable(client: &mut Client, key: &str) {
    let refused = record(client, key);
    assert_eq!((refused.status, refused.code().as_str()), (503, "storage_unavailable"));
    assert_eq!(refused.headers["retry-after"], "1");
    let ready = client.get("/ready");
    assert_eq!((ready.status, &ready.json()["reasons"][0]), (503, &"storage_unavailable".into()));
    assert_eq!(client.get("/health").status, 200);
}

#[test]
fn a_database_whose_log_is_removed_or_replaced_is_not_written_to_any_more() {
    for name in ["recorder.db-wal", "recorder.db-shm"] {
        for is_replaced in [false, true] {
            let place = Place::new();
            let sidecar = place.start("");
            let mut client = sidecar.client();
            assert_eq!(record(&mut client, "a").status, 201);
            if is_replaced {
                std::fs::copy(place.path(name), place.path("copy")).unwrap();
                std::fs::rename(place.path("copy"), place.path(name)).unwrap();
            } else {
                std::fs::remove_file(place.path(name)).unwrap();
            }
            assert_unavailable(&mut client, "b");
        }
    }
}

#[test]
fn a_database_that_is_replaced_is_not_taken_for_the_one_that_was_opened() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    assert_eq!(record(&mut client, "a").status, 201);
    std::fs::copy(place.path("recorder.db"), place.path("copy")).unwrap();
    std::fs::rename(place.path("copy"), place.path("recorder.db")).unwrap();
    assert_unavailable(&mut client, "b");
}

#[test]
fn a_directory_that_was_moved_away_and_is_put_back_is_written_to_again() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    let sidecar = place.start("storage.path = \"data/recorder.db\"\n");
    let mut client = sidecar.client();
    assert_eq!(record(&mut client, "a").status, 201);
    std::fs::rename(place.path("data"), place.path("elsewhere")).unwrap();
    assert_unavailable(&mut client, "b");
    std::fs::rename(place.path("elsewhere"), place.path("data")).unwrap();
    assert_eq!(client.get("/ready").status, 200);
    let later = record(&mut client, "b");
    assert_eq!((later.status, &later.json()["position"]), (201, &1.into()));
    assert!(record(&mut client, "a").is_replay());
}

#[test]
fn a_database_that_another_program_locks_is_awaited_and_then_refused_until_it_is_free() {
    let place = Place::new();
    let sidecar = place.start("storage.sqlite_busy_timeout_ms = 50\n");
    let mut client = sidecar.client();
    assert_eq!(record(&mut client, "a").status, 201);
    let other = Connection::open(place.path("recorder.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = record(&mut client, "b");
    assert_eq!((refused.status, refused.code().as_str()), (503, "storage_unavailable"));
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(client.get("/v1/segments").status, 200, "reading needs no lock");
    other.execute_batch("ROLLBACK").unwrap();
    // The checkpoint of the first envelope may have met the lock too; it is tried again.
    let later = record(&mut client, "b");
    assert_eq!((later.status, &later.json()["position"]), (201, &1.into()), "{later:?}");
    assert_eq!(client.get("/ready").status, 200);
}

#[test]
fn a_log_that_is_folded_by_another_program_costs_nothing() {
    let place = Place::new();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let other = Connection::open(place.path("recorder.db")).unwrap();
    for number in 0..20 {
        assert_eq!(record(&mut client, &number.to_string()).status, 201);
        let folded = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        folded.unwrap();
    }
    drop((client, other));
    sidecar.kill();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    for number in 0..20 {
        assert!(record(&mut client, &number.to_string()).is_replay());
    }
}

#[test]
fn a_database_that_cannot_be_written_is_refused_at_the_start() {
    let place = Place::new();
    let sidecar = place.start("");
    assert_eq!(record(&mut sidecar.client(), "a").status, 201);
    assert!(sidecar.stop().success());
    std::fs::create_dir(place.path("data")).unwrap();
    std::fs::rename(place.path("recorder.db"), place.path("data/recorder.db")).unwrap();
    let config = place.configure("storage.path = \"data/recorder.db\"\n");
    let is_root = rustix::process::geteuid().is_root();
    let give_to = |user| {
        for entry in walk(&place.root).iter().filter(|_| is_root) {
            chown(entry, Some(user), Some(user)).unwrap();
        }
    };
    give_to(NOBODY);
    let start = || {
        let command = match is_root {
            false => binary(),
            true => {
                // Permissions say nothing to root.
                let mut command = Command::new("setpriv");
                command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
                command.arg(binary().get_program());
                command
            }
        };
        // One that starts all the same ends with the test.
        let mut bounded = Command::new("timeout");
        bounded.arg("20").arg(command.get_program()).args(command.get_args());
        bounded.arg("--config").arg(&config).output()
    };
    let set = |name: &str, mode| {
        std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let companions = ["data/recorder.db-wal", "data/recorder.db-shm"].map(|name| place.path(name));
    // A log that cannot be written, or none and no room to make one.
    for (file, log, directory) in
        [(0o400, None, 0o700), (0o600, Some(0o400), 0o700), (0o600, None, 0o500)]
    {
        companions.iter().for_each(|companion| drop(std::fs::remove_file(companion)));
        set("data/recorder.db", file);
        if let Some(mode) = log {
            std::fs::write(&companions[0], "").unwrap();
            set("data/recorder.db-wal", mode);
            if is_root {
                chown(&companions[0], Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        set("data", directory);
        let Ok(output) = start() else {
            println!("SKIPPED: setpriv is not there, and root may write everywhere");
            return;
        };
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{file:o} {log:?} {directory:o}: {said}");
        assert!(said.contains("recorder.db"), "{said}");
    }
    set("data", 0o700);
    give_to(0);
    let sidecar = crate::sidecar::Sidecar::start(&config, &[]);
    assert!(record(&mut sidecar.client(), "a").is_replay());
}

/// Everything in a directory, and the directory.
fn walk(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![root.to_path_buf()];
    if root.symlink_metadata().unwrap().mode() & 0o170_000 == 0o040_000 {
        for entry in std::fs::read_dir(root).unwrap() {
            found.extend(walk(&entry.unwrap().path()));
        }
    }
    found
}

#[test]
fn a_log_that_becomes_read_only_stops_the_writer_and_costs_no_acknowledged_envelope() {
    let place = Place::new();
    let sidecar = place.start("signer.checkpoint_interval_ms = 3600000\n");
    let mut client = sidecar.client();
    let first = record(&mut client, "a");
    assert_eq!(first.status, 201);
    let attribute = |sign: &str| {
        let output = Command::new("chattr").arg(sign).arg(place.path("recorder.db-wal")).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !attribute("+i") {
        println!("SKIPPED: no file can be made immutable here");
        return;
    }
    let refused = record(&mut client, "b");
    let latched = record(&mut client, "c");
    let ready = client.get("/ready").json();
    let read =
        client.post("/v1/query/envelopes", r#"{"tenant_id":"t","recorder_id":"sidecar:test"}"#);
    attribute("-i");
    assert_eq!(refused.status, 503, "{refused:?}");
    let code = refused.code();
    assert!(["storage_unavailable", "commit_outcome_unknown"].contains(&code.as_str()), "{code}");
    assert_eq!(latched.status, 503);
    if code == "commit_outcome_unknown" {
        assert_eq!(latched.code(), "writer_latched");
        assert!(!latched.headers.contains_key("retry-after"), "an operator must look");
        assert_eq!(ready["reasons"], serde_json::json!(["writer_latched"]));
    }
    assert_eq!(read.json()["envelopes"].as_array().unwrap().len(), 1);
    drop(client);
    sidecar.kill();
    let sidecar = place.start("");
    let mut client = sidecar.client();
    let again = record(&mut client, "a");
    assert!(again.is_replay());
    assert_eq!(again.body, first.body);
    for key in ["b", "c"] {
        assert_eq!(record(&mut client, key).status / 100, 2);
        assert!(record(&mut client, key).is_replay());
    }
    let found =
        client.post("/v1/query/envelopes", r#"{"tenant_id":"t","recorder_id":"sidecar:test"}"#);
    assert_eq!(found.json()["envelopes"].as_array().unwrap().len(), 3);
}
