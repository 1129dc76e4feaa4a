//! `init` and `signer`: keys come only from where the profile lets them, and nothing is overwritten.

use super::{Run, Sandbox, mode, refusal, set_mode};

const SEED: &str = "0707070707070707070707070707070707070707070707070707070707070707";

#[test]
fn init_writes_what_a_recorder_needs_and_keeps_secrets_to_their_owner() {
    let sandbox = Sandbox::initialised();
    assert_eq!(mode(&sandbox.path("recorder-key.pem")), 0o600);
    assert!(sandbox.read("recorder-key.pem").starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    insta::assert_snapshot!(sandbox.without_root(&sandbox.read("recorder.toml")));
    let shown = sandbox.json_ok(&["signer", "show"]);
    let root: serde_json::Value = serde_json::from_str(&sandbox.read("trust-root.json")).unwrap();
    assert_eq!(root["keys"][0]["key_id"], shown["key_id"]);
    assert_eq!(root["keys"][0]["public_key"], shown["public_key"]);
    assert_eq!(root["keys"][0]["streams"][0]["recorder_id"], "recorder-cli");
    let line = shown["verifier_key"].as_str().unwrap();
    assert!(line.starts_with("recorder.local/default/recorder-cli+"), "{line}");
}

#[test]
fn init_refuses_to_overwrite_and_then_writes_nothing() {
    for name in [
        "recorder.toml",
        "recorder-key.pem",
        "trust-root.json",
        "recorder.db",
        "guard/heads",
        "adapter.key",
    ] {
        let sandbox = Sandbox::new();
        sandbox.write_secret("passphrase", "horse\n");
        sandbox.write(&format!("dir/{name}"), "mine");
        let run = sandbox.json(&["init", "dir", "--passphrase-file", "passphrase"]);
        assert_eq!(refusal(&run), (5, "already_exists"));
        assert_eq!(sandbox.read(&format!("dir/{name}")), "mine");
        assert_eq!(std::fs::read_dir(sandbox.path("dir")).unwrap().count(), 1);
    }
}

#[test]
fn without_a_passphrase_and_without_a_terminal_there_is_no_key() {
    let sandbox = Sandbox::new();
    let run = sandbox.json(&["init"]);
    assert_eq!(refusal(&run), (1, "passphrase_missing"));
    assert!(!sandbox.path("recorder-key.pem").exists());
    assert!(!sandbox.path("recorder.toml").exists());
}

#[test]
fn the_passphrase_may_come_from_a_descriptor() {
    let sandbox = Sandbox::initialised();
    let show = ["signer", "show", "--passphrase-fd", "0"];
    let right = Run::of(sandbox.command(&show).write_stdin("correct horse battery staple\n"));
    assert_eq!(right.code, 0, "{}", right.stderr);
    let wrong = Run::of(sandbox.command(&show).write_stdin("incorrect\n"));
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("the passphrase does not open the key file"), "{}", wrong.stderr);
}

#[test]
fn secrets_that_others_can_reach_are_refused() {
    let sandbox = Sandbox::initialised();
    let show = || sandbox.json(&["signer", "show"]);
    set_mode(&sandbox.path("recorder-key.pem"), 0o640);
    assert_eq!(refusal(&show()), (5, "permissions_too_open"));
    set_mode(&sandbox.path("recorder-key.pem"), 0o600);
    set_mode(&sandbox.path("passphrase"), 0o604);
    assert_eq!(refusal(&show()), (5, "permissions_too_open"));
    set_mode(&sandbox.path("passphrase"), 0o600);
    std::fs::rename(sandbox.path("passphrase"), sandbox.path("real")).unwrap();
    std::os::unix::fs::symlink("real", sandbox.path("passphrase")).unwrap();
    assert_eq!(refusal(&show()), (5, "symlink_refused"));
    std::fs::remove_file(sandbox.path("passphrase")).unwrap();
    std::fs::rename(sandbox.path("real"), sandbox.path("passphrase")).unwrap();
    std::fs::hard_link(sandbox.path("recorder-key.pem"), sandbox.path("copy")).unwrap();
    assert_eq!(refusal(&show()), (5, "hard_linked"));
    std::fs::remove_file(sandbox.path("copy")).unwrap();
    sandbox.write_secret("recorder-key.pem", "x".repeat((64 << 10) + 1));
    assert_eq!(refusal(&show()), (1, "too_large"));
}

#[test]
fn a_key_file_is_never_overwritten() {
    let sandbox = Sandbox::initialised();
    let before = sandbox.read("recorder-key.pem");
    assert_eq!(refusal(&sandbox.json(&["signer", "generate"])), (5, "already_exists"));
    assert_eq!(sandbox.read("recorder-key.pem"), before);
}

#[test]
fn a_key_in_the_clear_needs_profile_standard() {
    let sandbox = Sandbox::new();
    let generate = ["signer", "generate", "--plaintext", "--output", "k.pem"];
    assert_eq!(refusal(&sandbox.json(&generate)), (5, "plaintext_key_refused"));
    let made = sandbox.json_ok(&[&generate[..], &["--profile", "standard"]].concat());
    assert_eq!(mode(&sandbox.path("k.pem")), 0o600);
    let show = ["signer", "show", "--key", "k.pem"];
    assert_eq!(refusal(&sandbox.json(&show)), (5, "plaintext_key_refused"));
    let shown = sandbox.json_ok(&[&show[..], &["--profile", "standard"]].concat());
    assert_eq!(shown["key_id"], made["key_id"]);
}

#[test]
fn a_seed_signs_under_profile_dev_alone_and_every_output_says_so() {
    let sandbox = Sandbox::new();
    let run = |seed: &str, arguments: &[&str]| {
        Run::of(sandbox.command(arguments).env("RECORDER_DEV_SIGNER_SEED", seed))
    };
    let refused = run(SEED, &["signer", "show"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    let shown = run(SEED, &["--json", "signer", "show", "--profile", "dev"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert!(shown["notice"].as_str().unwrap().contains("proves nothing"), "{shown}");
    let people = run(SEED, &["signer", "show", "--profile", "dev"]);
    assert!(people.stderr.contains("proves nothing"), "{}", people.stderr);
    let malformed = run("07", &["signer", "show", "--profile", "dev"]);
    assert_eq!(malformed.code, 2, "{}", malformed.stderr);
    assert!(!malformed.stderr.contains("07 "), "{}", malformed.stderr);
}

#[test]
fn no_passphrase_is_taken_from_an_argument_or_the_environment() {
    let sandbox = Sandbox::initialised();
    assert_eq!(sandbox.run(&["signer", "show", "--passphrase", "x"]).code, 2);
    std::fs::remove_file(sandbox.path("passphrase")).unwrap();
    let mut command = sandbox.command(&["signer", "show"]);
    let run = Run::of(command.env("RECORDER_PASSPHRASE", "correct horse battery staple"));
    assert_eq!(run.code, 1, "{}", run.stdout);
}

#[test]
fn init_writes_what_a_sidecar_needs_and_keeps_secrets_to_their_owner() {
    let sandbox = Sandbox::new();
    let done = sandbox.json_ok(&["init", "--sidecar", "beside"]);
    for name in ["recorder-key.pem", "recorder-key-passphrase", "recorder-token", "adapter.key"] {
        assert_eq!(mode(&sandbox.path(&format!("beside/{name}"))), 0o600, "{name}");
    }
    assert_eq!(mode(&sandbox.path("beside")), 0o700);
    let secrets = ["recorder-key-passphrase", "recorder-token", "adapter.key"]
        .map(|name| sandbox.read(&format!("beside/{name}")));
    assert!(secrets.iter().all(|secret| secret.trim_end().len() == 64));
    assert!(secrets[0] != secrets[1] && secrets[1] != secrets[2] && secrets[0] != secrets[2]);
    let root: serde_json::Value =
        serde_json::from_str(&sandbox.read("beside/trust-root.json")).unwrap();
    assert_eq!(root["keys"][0]["key_id"], done["key_id"]);
    // What is recorded, and the stream in which the sidecar records itself.
    let stream = |tenant| serde_json::json!({"recorder_id": "sidecar:local", "tenant_id": tenant});
    assert_eq!(
        root["keys"][0]["streams"],
        serde_json::json!([stream("default"), stream("system")])
    );
    let config = sandbox.read("beside/sidecar.toml");
    assert!(secrets.iter().all(|secret| !config.contains(secret.trim_end())));
    insta::assert_snapshot!(config);
    let again = sandbox.json(&["init", "--sidecar", "beside"]);
    assert_eq!(refusal(&again), (5, "already_exists"));
}
