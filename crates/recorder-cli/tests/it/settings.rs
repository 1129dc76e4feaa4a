//! Where settings come from, which one wins, and what is refused.

use super::{Run, Sandbox};

fn shown(sandbox: &Sandbox, key: &str, environment: &[(&str, &str)], flags: &[&str]) -> String {
    let arguments = [&["--json", "config", "show", "--origin"], flags].concat();
    let run = Run::of(sandbox.command(&arguments).envs(environment.iter().copied()));
    assert_eq!(run.code, 0, "{}", run.stdout);
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let value = answer["settings"][key].as_str().unwrap_or("-").to_owned();
    format!("{value} ({})", answer["origins"][key].as_str().unwrap())
}

#[test]
fn a_flag_wins_over_the_environment_over_a_file_over_the_default() {
    let sandbox = Sandbox::new();
    let tenant = |environment: &[(&str, &str)], flags: &[&str]| {
        shown(&sandbox, "tenant_id", environment, flags)
    };
    assert_eq!(tenant(&[], &[]), "default (default)");
    sandbox.write("home/.config/recorder/config.toml", "\ntenant_id = \"user\"\n");
    let user = sandbox.path("home/.config/recorder/config.toml").display().to_string();
    assert_eq!(tenant(&[], &[]), format!("user (file {user}:2)"));
    sandbox.write("xdg/recorder/config.toml", "tenant_id = \"xdg\"\n");
    let xdg = sandbox.path("xdg").display().to_string();
    let in_xdg = ("XDG_CONFIG_HOME", xdg.as_str());
    assert_eq!(tenant(&[in_xdg], &[]), format!("xdg (file {xdg}/recorder/config.toml:1)"));
    sandbox.write("recorder.toml", "tenant_id = \"here\"\n");
    assert_eq!(tenant(&[in_xdg], &[]), "here (file recorder.toml:1)");
    sandbox.write("named.json", "{\"tenant_id\": \"named\"}");
    assert_eq!(tenant(&[("RECORDER_CONFIG", "named.json")], &[]), "named (file named.json)");
    assert_eq!(tenant(&[], &["--config", "named.json"]), "named (file named.json)");
    let variable = ("RECORDER_TENANT_ID", "variable");
    assert_eq!(tenant(&[variable], &[]), "variable (environment RECORDER_TENANT_ID)");
    assert_eq!(tenant(&[variable], &["--tenant-id", "flag"]), "flag (flag --tenant-id)");
}

#[test]
fn files_are_never_merged() {
    let sandbox = Sandbox::new();
    sandbox.write("home/.config/recorder/config.toml", "recorder_id = \"user\"\n");
    sandbox.write("recorder.toml", "tenant_id = \"here\"\n");
    assert_eq!(shown(&sandbox, "recorder_id", &[], &[]), "recorder-cli (default)");
}

#[test]
fn paths_in_a_file_are_taken_from_its_directory() {
    let sandbox = Sandbox::new();
    sandbox.write("etc/recorder.toml", "store = \"data/x.db\"\n[signer]\nkey_path = \"/k.pem\"\n");
    let flags = ["--config", "etc/recorder.toml"];
    let store = shown(&sandbox, "store", &[], &flags);
    assert_eq!(store, "etc/data/x.db (file etc/recorder.toml:1)");
    let key = shown(&sandbox, "signer.key_path", &[], &flags);
    assert_eq!(key, "/k.pem (file etc/recorder.toml:3)");
}

/// Gives the code, the message and the hint that a file earns.
fn refused(name: &str, text: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.write(name, text);
    let (code, answer) = sandbox.json(&["config", "validate", "--config", name]);
    let error = &answer["error"];
    assert_eq!(error["exit_code"], code);
    let hint = error["hint"].as_str().unwrap_or("-");
    format!(
        "{code} {}: {} | {hint}",
        error["code"].as_str().unwrap(),
        error["message"].as_str().unwrap()
    )
}

#[test]
fn unknown_keys_are_refused_at_every_level_and_the_near_one_is_named() {
    let refusals = [
        refused("a.toml", "stroe = \"x\"\n"),
        refused("a.toml", "store = \"x\"\n\n[signer]\nkey_pth = \"x\"\n"),
        refused("a.toml", "[signr]\nkey_path = \"x\"\n"),
        refused("a.toml", "auto_seal = { mode = \"none\", cuont = 1 }\n"),
        refused("a.toml", "key_path = \"x\"\n"),
        refused("a.toml", "bicycle_shed = true\n"),
        refused("a.json", "{\"signer\":{\"sign_envelope\":true}}"),
        refused("a.json", "{\"store\":{\"path\":\"x\"}}"),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn values_of_the_wrong_kind_or_range_are_refused() {
    let refusals = [
        refused("a.toml", "store = 5\n"),
        refused("a.toml", "store = \"\"\n"),
        refused("a.toml", "signer = \"x\"\n"),
        refused("a.toml", "tenant_id = \" x\"\n"),
        refused("a.toml", "profile = \"secur\"\n"),
        refused("a.toml", "startup_verification_depth = -1\n"),
        refused("a.toml", "startup_verification_depth = \"5\"\n"),
        refused("a.toml", "auto_seal.count = 100001\n"),
        refused("a.toml", "auto_seal.count = 0\n"),
        refused("a.toml", "signer.sign_envelopes = \"true\"\n"),
        refused("a.toml", "store = 1979-05-27\n"),
        refused("a.toml", "store = \"x\"\nstore = \"y\"\n"),
        refused("a.toml", "store = \"x\n"),
        refused("a.json", "{\"store\":\"x\",\"store\":\"y\"}"),
        refused("a.json", "[]"),
        refused("a.json", "{\"store\":null}"),
        refused("a.yaml", "store: x"),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn flags_and_variables_are_held_to_the_same_rules() {
    let sandbox = Sandbox::new();
    let run = Run::of(
        sandbox.command(&["config", "validate"]).env("RECORDER_AUTO_SEAL_MODE", "after_cuont"),
    );
    assert_eq!(run.code, 2);
    insta::assert_snapshot!(run.stderr);
    let run = sandbox.run(&["config", "validate", "--tenant-id", ""]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    let empty = Run::of(sandbox.command(&["config", "validate"]).env("RECORDER_STORE", ""));
    assert_eq!(empty.code, 2);
}

#[test]
fn a_file_over_a_mebibyte_is_not_parsed() {
    let sandbox = Sandbox::new();
    let comment = "#".repeat((1 << 20) - 1) + "\n";
    sandbox.write("large.toml", &comment);
    assert_eq!(sandbox.run(&["config", "validate", "--config", "large.toml"]).code, 0);
    sandbox.write("large.toml", comment + "#");
    let (code, answer) = sandbox.json(&["config", "validate", "--config", "large.toml"]);
    assert_eq!((code, answer["error"]["code"].as_str().unwrap()), (1, "too_large"));
}

#[test]
fn a_file_that_is_named_must_be_there_and_be_a_file() {
    let sandbox = Sandbox::new();
    let (code, answer) = sandbox.json(&["config", "validate", "--config", "none.toml"]);
    assert_eq!((code, answer["error"]["code"].as_str().unwrap()), (1, "not_found"));
    std::fs::create_dir(sandbox.path("recorder.toml")).unwrap();
    let (code, answer) = sandbox.json(&["config", "validate"]);
    assert_eq!((code, answer["error"]["code"].as_str().unwrap()), (1, "not_regular"));
}

#[test]
fn settings_are_shown_as_a_file_would_hold_them() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["config", "show"]).stdout);
}
