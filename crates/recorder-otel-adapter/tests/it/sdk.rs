//! OpenTelemetry's own SDKs, run here: what they send today is stored whole.
//!
//! Packages come from the registries that npm and pip are set up for, pinned. Where a tool or a registry is not there, the
//! test says so and ends.
#![expect(clippy::disallowed_methods, reason = "reads what the SDKs of a test wrote")]

use std::path::Path;
use std::process::Command;

use recorder_envelope::adapter::Policy;
use recorder_otel_adapter::{Coding, Encoding};

use crate::support::{map, strict};
use crate::tools::{folder, prepared};

fn run(step: &mut Command) {
    let output = step.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_the_javascript_sdk_sends_is_stored_whole() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/agent-trace");
    let copy = folder("otel-sdk-js");
    for file in [
        "agent.mjs",
        "ledger.mjs",
        "model.mjs",
        "telemetry.mjs",
        "tools.mjs",
        "package.json",
        "package-lock.json",
    ] {
        std::fs::copy(example.join(file), copy.join(file)).unwrap();
    }
    std::fs::create_dir(copy.join("attachments")).unwrap();
    for file in ["booking-charges.csv", "refund-policy.md"] {
        let file = Path::new("attachments").join(file);
        std::fs::copy(example.join(&file), copy.join(&file)).unwrap();
    }
    if !prepared(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&copy)) {
        return;
    }
    run(Command::new("node").arg("agent.mjs").current_dir(&copy));
    let bodies = std::fs::read_to_string(copy.join("trace.otlp.jsonl")).unwrap();
    let spans = bodies.lines().map(|body| strict(body).unwrap().accepted).sum::<u64>();
    assert_eq!(spans, 56);
}

#[test]
fn what_the_python_sdk_sends_is_stored_whole() {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    let (environment, bodies) = (folder("otel-sdk-python"), folder("otel-sdk-python-bodies"));
    let python = environment.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    if !prepared(Command::new("python3").args(["-m", "venv"]).arg(&environment))
        || !prepared(Command::new(&python).args(install).arg(sdk.join("requirements.txt")))
    {
        return;
    }
    run(Command::new(&python).arg(sdk.join("export.py")).arg(&bodies));
    let (mut spans, mut logs) = (0, 0);
    for entry in std::fs::read_dir(&bodies).unwrap() {
        let file = std::fs::read(entry.unwrap().path()).unwrap();
        let body = Coding::of_file(&file).decode(&file, 32 << 20).unwrap();
        let outcome = map(Policy::StrictFail, Encoding::of_file(&body), &body).unwrap();
        for event in &outcome.events {
            let fields = &event.envelope.fields;
            let is_span = fields.event_type.as_str() == "otel.span";
            (spans, logs) = (spans + u64::from(is_span), logs + u64::from(!is_span));
            assert_eq!(fields.environment_id.as_str(), "ci");
            assert!(!event.envelope.payload.payload.as_str().contains("planted content"));
        }
    }
    assert_eq!((spans, logs), (20, 5));
}
