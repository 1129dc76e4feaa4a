//! `assurance`: each assertion holds on a sound deployment, and each is seen to fail.

use serde_json::Value;

use super::{Sandbox, drafts};

const PASSPHRASE: [&str; 2] = ["--passphrase-file", "passphrase"];

/// A sound deployment: recorded, sealed, under a checkpoint.
fn deployed() -> Sandbox {
    let sandbox = Sandbox::initialised();
    sandbox.write("in.jsonl", drafts(0..5));
    sandbox.json_ok(&["envelope", "import", "in.jsonl"]);
    sandbox.json_ok(&["checkpoint", "show", "--sign"]);
    sandbox
}

fn assert(sandbox: &Sandbox, arguments: &[&str]) -> (i32, Value) {
    sandbox.json(&[&["assurance"], arguments, &PASSPHRASE[..]].concat())
}

/// The names of the assertions that are in a state.
fn in_state<'a>(answer: &'a Value, state: &str) -> Vec<&'a str> {
    let assertions = answer["assertions"].as_array().unwrap().iter();
    let named = assertions.filter(|assertion| assertion["state"] == state);
    named.map(|assertion| assertion["name"].as_str().unwrap()).collect()
}

/// Asserts that exactly these fail, with the exit code of a refusal.
fn assert_fails(sandbox: &Sandbox, arguments: &[&str], names: &[&str]) {
    let (code, answer) = assert(sandbox, arguments);
    assert_eq!(in_state(&answer, "fails"), names, "{answer}");
    assert_eq!((code, &answer["holds"]), (5, &false.into()));
}

fn trust_root_with(sandbox: &Sandbox, from: &str, to: &str) {
    let text = sandbox.read("trust-root.json");
    let changed = text.replace(from, to);
    assert_ne!(text, changed);
    sandbox.write("trust-root.json", changed);
}

#[test]
fn a_sound_deployment_holds_and_what_is_not_checked_is_not_passed() {
    let sandbox = deployed();
    for (what, count) in [("startup", 4), ("trust-root", 4), ("gates", 2)] {
        let (code, answer) = assert(&sandbox, &[what]);
        assert_eq!((code, in_state(&answer, "holds").len()), (0, count), "{answer}");
        let unchecked: &[&str] = if what == "gates" { &["contract"] } else { &[] };
        assert_eq!(in_state(&answer, "not_checked"), unchecked);
    }
    let people = sandbox.run(&[&["assurance", "gates"], &PASSPHRASE[..]].concat());
    assert!(people.stdout.contains("not checked  contract"), "{}", people.stdout);
}

#[test]
fn a_published_contract_that_is_not_that_of_the_build_fails_the_gates() {
    let sandbox = deployed();
    sandbox.json_ok(&["contract", "generate", "--root", "contract"]);
    let (code, answer) = assert(&sandbox, &["gates", "--contract", "contract"]);
    assert_eq!((code, in_state(&answer, "holds").len()), (0, 3), "{answer}");
    sandbox.write("contract/tooltips.json", "{}\n");
    assert_fails(&sandbox, &["gates", "--contract", "contract"], &["contract"]);
    assert_fails(&sandbox, &["gates", "--contract", "none"], &["contract"]);
    std::fs::create_dir(sandbox.path("docs")).unwrap();
    std::os::unix::fs::symlink(sandbox.path("none"), sandbox.path("docs/generated")).unwrap();
    assert_fails(&sandbox, &["gates"], &["contract"]);
}

#[test]
fn a_start_that_checks_too_little_or_promises_too_little_fails() {
    let sandbox = deployed();
    assert_fails(&sandbox, &["startup", "--depth-min", "101"], &["verification_depth"]);
    for (variable, value, name) in [
        ("RECORDER_SQLITE_SYNCHRONOUS", "NORMAL", "durability"),
        ("RECORDER_AUTO_SEAL_MODE", "none", "auto_seal"),
    ] {
        let arguments = [&["--json", "assurance", "startup"], &PASSPHRASE[..]].concat();
        let run = super::Run::of(sandbox.command(&arguments).env(variable, value));
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((run.code, in_state(&answer, "fails")), (5, vec![name]), "{answer}");
    }
    std::fs::remove_file(sandbox.path("recorder.db")).unwrap();
    assert_fails(&sandbox, &["startup"], &["store_opens"]);
}

#[test]
fn a_trust_root_without_the_active_key_fails() {
    let retired = deployed();
    trust_root_with(&retired, "\"active\"", "\"retired\"");
    assert_fails(&retired, &["trust-root"], &["active_key", "signer_is_active"]);

    let compromised = deployed();
    trust_root_with(&compromised, "\"active\"", "\"compromised\"");
    let all = ["active_key", "signer_is_active", "no_compromised_key"];
    assert_fails(&compromised, &["trust-root"], &all);

    let stranger = deployed();
    stranger.write("trust-root.json", Sandbox::initialised().read("trust-root.json"));
    assert_fails(&stranger, &["trust-root"], &["signer_is_active"]);

    let none = deployed();
    none.write("trust-root.json", "{}");
    let all = ["trust_root_parses", "active_key", "signer_is_active", "no_compromised_key"];
    assert_fails(&none, &["trust-root"], &all);
}

#[test]
fn what_no_checkpoint_covers_and_what_is_corrupt_fails_the_gates() {
    let sandbox = deployed();
    sandbox.write("more.jsonl", drafts(5..8));
    sandbox.json_ok(&["envelope", "import", "more.jsonl"]);
    assert_fails(&sandbox, &["gates"], &["checkpoint_covers"]);
    assert_eq!(assert(&sandbox, &["gates", "--behind-max", "3"]).0, 0);
    let path = sandbox.path("recorder.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let is_payload = |at: &usize| bytes[*at..].starts_with(b"{\"n\":3}");
    let places = (0..bytes.len()).filter(is_payload).collect::<Vec<_>>();
    assert!(!places.is_empty());
    places.into_iter().for_each(|place| bytes[place + 5] = b'9');
    std::fs::write(&path, bytes).unwrap();
    // Only the whole read finds it: everything opens, and is read.
    assert_fails(&sandbox, &["gates", "--behind-max", "3"], &["fsck_clean"]);
    std::fs::write(&path, b"not a database").unwrap();
    assert_fails(&sandbox, &["gates"], &["fsck_clean", "checkpoint_covers"]);
}
