//! The `recorder` binary as its callers meet it: exact output, exit codes, files on disk. Unix only, as its rules are.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests set up files and read them back, and their helpers fail like tests"
)]

mod adapter_pages;
mod assurance;
mod attack;
mod bundles;
mod contract;
mod corpus;
mod demo;
mod glossary;
mod guard;
mod import;
mod ingest;
mod json;
mod kept_heads;
mod kill;
mod locale;
mod openclaw;
mod otel;
mod proofs;
mod query;
mod recording;
mod report;
mod rotation;
mod settings;
mod setup;
mod upkeep;
mod usage;
mod verdicts;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A temporary directory in which the binary runs, with nothing of this process's environment.
struct Sandbox {
    _directory: tempfile::TempDir,
    root: PathBuf,
}

/// What one run gave.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Sandbox {
    /// An empty directory, by its real path: secrets refuse links.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        Self { _directory: directory, root }
    }

    /// A directory in which `init` has run.
    fn initialised() -> Self {
        let sandbox = Self::new();
        sandbox.write_secret("passphrase", "correct horse battery staple\n");
        let run = sandbox.run(&["init", "--passphrase-file", "passphrase"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        sandbox
    }

    /// A directory with a database that signs nothing: quick, where signatures do not matter.
    fn unsigned() -> Self {
        let sandbox = Self::new();
        let run = sandbox.run(&["init", "--no-signer"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        sandbox
    }

    /// Records one envelope and gives its receipt.
    fn record(&self, payload: &str, more: &[&str]) -> Value {
        self.write("payload.json", payload);
        let arguments = [
            "envelope",
            "record",
            "--event-type",
            "tool.call",
            "--actor",
            "agent-1",
            "--environment",
            "test",
            "--payload",
            "payload.json",
        ];
        self.json_ok(&[&arguments[..], more].concat())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        path
    }

    fn write_secret(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.write(name, text);
        set_mode(&path, 0o600);
        path
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A command with a clean environment, in this directory.
    fn command(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::cargo_bin("recorder").unwrap();
        command.env_clear().env("HOME", self.path("home")).current_dir(&self.root).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// Runs with `--json` and reads the one document on standard output.
    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let run = self.run(&[&["--json"], arguments].concat());
        (run.code, serde_json::from_str(&run.stdout).expect(&run.stdout))
    }

    /// As `json`, for a run that must succeed.
    fn json_ok(&self, arguments: &[&str]) -> Value {
        let (code, document) = self.json(arguments);
        assert_eq!(code, 0, "{arguments:?}: {document}");
        document
    }

    /// What `text` is with this directory's path taken out.
    fn without_root(&self, text: &str) -> String {
        text.replace(self.root.to_str().unwrap(), "[DIR]")
    }
}

impl Run {
    fn of(command: &mut assert_cmd::Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().expect("ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The id that belongs to a number.
fn envelope_id(number: u64) -> String {
    format!("019aa000-0000-7000-8000-{number:012x}")
}

/// A draft with an id and a salt, so that it is the same each time.
fn draft(number: u64) -> String {
    let id = envelope_id(number);
    format!(
        r#"{{"envelope_id":"{id}","event_type":"tool.call","actor_id":"agent-1","environment_id":"test","claimed_time":"2026-11-22T00:00:00Z","payload":{{"n":{number}}},"payload_salt":"{number:032x}"}}"#
    )
}

fn drafts(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| draft(number) + "\n").collect()
}

/// The code of an error answer, after its exit code.
fn refusal(run: &(i32, Value)) -> (i32, &str) {
    (run.0, run.1["error"]["code"].as_str().unwrap_or("-"))
}
