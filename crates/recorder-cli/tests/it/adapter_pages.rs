//! The pages of the adapters: each command on them runs as it is written, on inputs of the kind that it names.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::otel::gzip;
use super::{Run, Sandbox, openclaw, set_mode};

const OTEL: &str = include_str!("../../../../docs/adapters/otel.md");
const DECISION_GATE: &str = include_str!("../../../../docs/adapters/decision-gate.md");
const OPENCLAW: &str = include_str!("../../../../docs/adapters/openclaw.md");

const OTEL_VECTORS: &str = include_str!("../../../../docs/spec/vectors/adapters/otel.json");
const DECISION_GATE_VECTORS: &str =
    include_str!("../../../../docs/spec/vectors/adapters/decision-gate.json");

/// The commands of a page: lines of shell, and what stands in back quotes.
fn commands(page: &str, adapter: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in page.lines() {
        let mut pieces = line.split('`').map(str::trim).collect::<Vec<_>>();
        pieces.retain(|piece| piece.contains(&format!("recorder {adapter} ")));
        found.extend(pieces.into_iter().map(str::to_owned));
    }
    found
}

/// Runs a line as a shell does, with the binary and the programs of the directory in its path.
fn shell(sandbox: &Sandbox, line: &str) -> Run {
    let binary = sandbox.path("bin/recorder");
    if !binary.exists() {
        std::fs::create_dir_all(sandbox.path("bin")).unwrap();
        symlink(assert_cmd::cargo::cargo_bin("recorder"), &binary).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
    let mut command = assert_cmd::Command::new("sh");
    command.env_clear().env("HOME", sandbox.path("home")).env("PATH", path);
    Run::of(command.current_dir(&sandbox.root).args(["-c", line]))
}

/// Each command of a page, in its order, in one directory; all must succeed and record something or find it there.
fn all_run(sandbox: &Sandbox, page: &str, adapter: &str, count: usize) {
    let commands = commands(page, adapter);
    assert_eq!(commands.len(), count, "{commands:?}");
    for line in commands {
        let run = shell(sandbox, &line);
        assert_eq!(run.code, 0, "{line}: {}", run.stderr);
        let counts = ["accepted", "replayed"].map(|word| number_of(&run.stdout, word));
        assert!(counts.into_iter().any(|count| count > 0), "{line}: {}", run.stdout);
    }
}

/// The number that stands behind a word; 0 where none does.
fn number_of(text: &str, word: &str) -> u64 {
    let words = text.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
    let words = words.collect::<Vec<_>>();
    let pair = words.windows(2).find(|pair| pair[0] == word);
    pair.and_then(|pair| pair[1].parse().ok()).unwrap_or(0)
}

fn case(vectors: &str, name: &str) -> Value {
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    cases.iter().find(|case| case["name"] == name).unwrap().clone()
}

#[test]
fn the_commands_of_the_page_on_opentelemetry_run() {
    let sandbox = Sandbox::unsigned();
    let (json, protobuf) =
        (case(OTEL_VECTORS, "shipped-trace"), case(OTEL_VECTORS, "shipped-trace-protobuf"));
    let protobuf = hex(protobuf["body_hex"].as_str().unwrap());
    sandbox.write("traces.json", json["body"].as_str().unwrap());
    sandbox.write("traces.bin.gz", gzip(&protobuf));
    all_run(&sandbox, OTEL, "otel", 2);
}

#[test]
fn the_commands_of_the_page_on_openclaw_run() {
    let sandbox = Sandbox::unsigned();
    sandbox.write("frames.jsonl", openclaw::text(&openclaw::stream(2)));
    let tap = sandbox.write("bin/tap", "#!/bin/sh\ncat frames.jsonl\n");
    set_mode(&tap, 0o755);
    all_run(&sandbox, OPENCLAW, "openclaw", 2);
}

#[test]
fn the_commands_of_the_page_on_decision_gate_run() {
    let case = case(DECISION_GATE_VECTORS, "a fixture with all that a runpack can hold");
    let document = case["document"].as_str().unwrap();
    let fixture: Value = serde_json::from_str(document).unwrap();
    // Each in a directory of its own: the same calls with other evidence beside them contradict each other.
    let lines = commands(DECISION_GATE, "decision-gate");
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in lines {
        let sandbox = Sandbox::unsigned();
        sandbox.write("fixture.json", document);
        sandbox.write("transcript.json", fixture["transcript"].to_string());
        let exchanges = fixture["transcript"].as_array().unwrap().iter();
        let exchanges = exchanges.map(|it| {
            serde_json::json!({"request": it["request"], "response": it["response"]}).to_string()
                + "\n"
        });
        sandbox.write("transcript.jsonl", exchanges.collect::<String>());
        unpack(&sandbox.path("DIR"), &fixture["runpack"]);
        let run = shell(&sandbox, &line);
        assert_eq!(run.code, 0, "{line}: {} {}", run.stdout, run.stderr);
        assert!(number_of(&run.stdout, "accepted") > 0, "{line}: {}", run.stdout);
    }
}

/// Writes a runpack as a directory.
fn unpack(directory: &Path, runpack: &Value) {
    let write = |path: PathBuf, file: &Value| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert_eq!(file["encoding"], "base64");
        std::fs::write(path, STANDARD.decode(file["content"].as_str().unwrap()).unwrap()).unwrap();
    };
    write(directory.join("manifest.json"), &runpack["manifest"]);
    for (name, file) in runpack["artifacts"].as_object().unwrap() {
        write(directory.join(name), file);
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
