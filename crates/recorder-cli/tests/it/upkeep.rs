//! `doctor` and `fsck`: what they look at, and that a damaged database is evidence of damage, not an accident.

use serde_json::Value;

use super::{Run, Sandbox, drafts, refusal, set_mode};

fn states(answer: &Value) -> Vec<String> {
    let checks = answer["checks"].as_array().unwrap().iter();
    checks
        .map(|c| format!("{} {}", c["name"].as_str().unwrap(), c["state"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_fresh_recorder_is_healthy() {
    let sandbox = Sandbox::initialised();
    let answer = sandbox.json_ok(&["doctor"]);
    assert_eq!(answer["healthy"], true);
    let states: Vec<String> =
        states(&answer).into_iter().filter(|state| !state.starts_with("disk")).collect();
    insta::assert_snapshot!(states.join("\n"));
}

#[test]
fn each_thing_that_is_wrong_is_named_with_what_to_do() {
    let sandbox = Sandbox::initialised();
    set_mode(&sandbox.path("recorder-key.pem"), 0o644);
    std::fs::remove_file(sandbox.path("recorder.db")).unwrap();
    let mut command = sandbox.command(&["--json", "doctor"]);
    let run = Run::of(command.env("RECORDER_TENNANT_ID", "x"));
    assert_eq!(run.code, 1);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    let states = states(&answer);
    for expected in ["environment warn", "key fail", "store fail"] {
        assert!(states.iter().any(|state| state == expected), "{states:?}");
    }
    let checks = answer["checks"].as_array().unwrap();
    let advice = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        check["advice"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(advice("environment"), "did you mean RECORDER_TENANT_ID?");
    assert!(advice("store").contains("recorder init"));
    assert!(!sandbox.path("recorder.db").exists(), "doctor makes nothing");
}

#[test]
fn a_key_that_auditors_do_not_trust_is_named() {
    let sandbox = Sandbox::initialised();
    sandbox.json_ok(&["signer", "generate", "--output", "other.pem"]);
    let answer = sandbox.json_ok(&["doctor", "--key", "other.pem"]);
    assert!(states(&answer).contains(&"trust root warn".to_owned()), "{answer}");
    sandbox.record("{}", &[]);
    sandbox.json_ok(&["checkpoint", "show", "--sign"]);
    let (code, answer) = sandbox.json(&["doctor", "--key", "other.pem"]);
    assert_eq!(code, 1);
    assert!(states(&answer).contains(&"stream fail".to_owned()), "{answer}");
}

#[test]
fn fsck_reads_everything_and_checks_signatures_of_trusted_keys() {
    let sandbox = Sandbox::initialised();
    sandbox.write("in.jsonl", drafts(0..300));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    sandbox.json_ok(&["segment", "seal"]);
    let answer = sandbox.json_ok(&["fsck"]);
    assert_eq!((answer["clean"].as_bool(), answer["envelopes"].as_u64()), (Some(true), Some(300)));
    assert!(answer["signatures"].as_u64().unwrap() >= 2, "{answer}");
    let run = sandbox.run(&["fsck", "--config", "none.toml"]);
    assert_eq!(run.code, 1);
}

#[test]
fn a_flipped_byte_is_found_and_ends_with_three() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("in.jsonl", drafts(0..300));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    let path = sandbox.path("recorder.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // A payload in the middle, not in the tail that every start looks at; every copy of it, since pages that were
    // split keep what they held.
    let places: Vec<usize> =
        (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"{\"n\":9}")).collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place + 5] = b'8';
    }
    std::fs::write(&path, bytes).unwrap();
    let (code, answer) = sandbox.json(&["fsck"]);
    assert_eq!((code, answer["clean"].as_bool()), (3, Some(false)), "{answer}");
    let run = sandbox.run(&["fsck"]);
    assert_eq!(run.code, 3);
    assert!(run.stdout.contains("corrupt: "), "{}", run.stdout);
}

#[test]
fn one_writer_at_a_time() {
    let sandbox = Sandbox::unsigned();
    let lock = std::fs::File::options().write(true).open(sandbox.path("recorder.db-lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(refusal(&sandbox.json(&["segment", "open"])), (5, "store_in_use"));
    // Reading waits for nobody.
    sandbox.json_ok(&["query", "envelopes"]);
}

#[test]
fn a_file_that_is_no_database_is_refused_with_its_path_and_left_alone() {
    let sandbox = Sandbox::new();
    for (content, expected) in
        [("", "an empty file"), ("no database at all", "not an SQLite database")]
    {
        let path = sandbox.write("other.db", content);
        for command in [&["fsck"][..], &["segment", "status"], &["segment", "open"]] {
            let run = sandbox.run(&[command, &["--store", "other.db"]].concat());
            assert_eq!(run.code, 5, "{}", run.stderr);
            let message = format!("other.db: not a recorder database: {expected}");
            assert!(run.stderr.contains(&message), "{}", run.stderr);
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), content);
    }
}
