//! `--json`: exactly one document on standard output, on every path.

use super::Sandbox;

#[test]
fn wrong_usage_is_a_document_too() {
    let sandbox = Sandbox::new();
    for arguments in [&["frobnicate"][..], &[], &["config", "show", "--nope"], &["completions"]] {
        let (code, answer) = sandbox.json(arguments);
        assert_eq!(code, 2, "{answer}");
        assert_eq!(answer["error"]["code"], "usage");
        assert_eq!(answer["error"]["exit_code"], 2);
        assert!(!answer["error"]["message"].as_str().unwrap().contains("Usage:"));
    }
}

#[test]
fn the_flag_may_stand_anywhere() {
    let sandbox = Sandbox::new();
    for arguments in [["--json", "frobnicate"], ["frobnicate", "--json"]] {
        let run = sandbox.run(&arguments);
        assert!(serde_json::from_str::<serde_json::Value>(&run.stdout).is_ok(), "{}", run.stdout);
    }
    let run = sandbox.run(&["config", "validate", "--json"]);
    assert_eq!(run.stdout, "{\"valid\":true,\"config_file\":null}\n");
}

#[test]
fn help_and_version_are_documents_too() {
    let sandbox = Sandbox::new();
    assert!(sandbox.json_ok(&["--help"])["text"].as_str().unwrap().contains("Usage:"));
    assert!(sandbox.json_ok(&["--version"])["text"].as_str().unwrap().starts_with("recorder "));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let sandbox = Sandbox::new();
    let binary = assert_cmd::cargo::cargo_bin("recorder");
    let mut child = std::process::Command::new(binary)
        .args(["completions", "bash"])
        .env_clear()
        .current_dir(&sandbox.root)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{:?}", output.status);
}
