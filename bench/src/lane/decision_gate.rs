//! Decision Gate to unsealed envelopes: every check of a fixture as large as one may be, its redaction and its mapping.
//!
//! The floor skims the same bytes twice, because artifacts are JSON in strings of JSON. The seconds and the
//! memory are those of one run in a process of its own.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use recorder_core::identity::ActorId;
use recorder_decision_gate_adapter::{DOCUMENT_BYTES_MAX, Input, Settings, map, redactor};
use recorder_envelope::adapter::{Policy, RedactionKey, SaltKey};
use serde::de::IgnoredAny;

use super::Session;
use crate::clock::Processor;
use crate::decision_gate::fixture;
use crate::machine::peak_memory_kib;
use crate::pairs::{Pairs, Repeat, compare};
use crate::report::{Gate, Row};
use crate::service;

/// Measures the lanes.
#[expect(clippy::disallowed_methods, reason = "writes below its own scratch directory")]
pub(crate) fn run(session: &Session) -> anyhow::Result<Vec<Row>> {
    let (bytes, records) = fixture(DOCUMENT_BYTES_MAX);
    let path = session.scratch.join("decision-gate.json");
    std::fs::write(&path, &bytes)?;
    let mut floor = Repeat(|| {
        for _ in 0..2 {
            black_box(serde_json::from_slice::<IgnoredAny>(&bytes)?);
        }
        Ok(())
    });
    let mut candidate = Repeat(|| {
        let accepted = accepted(&bytes)?;
        anyhow::ensure!(accepted == records, "{accepted} of {records} records are accepted");
        Ok(())
    });
    let pairs = Pairs { counted: if session.quick { 3 } else { 12 }, dropped: 1 };
    let measured = compare(pairs, Processor::Thread, &mut floor, &mut candidate)?;
    let (seconds, mebibytes) = alone(&path)?;
    let name = "Decision Gate fixture of 8 MiB mapped, floor: serde_json IgnoredAny, twice";
    Ok(vec![
        Row::compared(name, &measured, records as f64, None),
        Row::number(
            "Decision Gate fixture of 8 MiB, processor time of one run",
            "s",
            seconds,
            None,
            Some(Gate::AtMost(1.0)),
        ),
        Row::number(
            "peak memory, mapping a Decision Gate fixture of 8 MiB",
            "MiB",
            mebibytes,
            None,
            Some(Gate::AtMost(200.0)),
        ),
    ])
}

fn accepted(bytes: &[u8]) -> anyhow::Result<u64> {
    let stream = service::stream()?;
    let salt_key = SaltKey::from_hex(&[b'1'; 64]).context("a key of 64 digits")?;
    let redactor = redactor(RedactionKey::from_hex(&[b'2'; 64]))?;
    let settings = Settings {
        policy: Policy::StrictFail,
        stream: &stream,
        salt_key: &salt_key,
        redactor: &redactor,
        client: ActorId::new("client")?,
        others_may_call: false,
    };
    let outcome = map(Input { document: Some(bytes), runpack: None }, &settings)?;
    Ok(black_box(outcome).accepted)
}

/// Seconds and MiB of a child that maps the fixture once.
fn alone(path: &Path) -> anyhow::Result<(f64, f64)> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(["child", "decision-gate"]).arg(path).output()?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "mapping in a child: {errors}");
    let answer = String::from_utf8(output.stdout)?;
    let (seconds, kibibytes) = answer.trim().split_once(' ').context("two numbers")?;
    Ok((seconds.parse()?, kibibytes.parse::<f64>()? / 1024.0))
}

/// What the child does: maps, and prints the seconds and the most memory that it held, in KiB.
#[expect(clippy::disallowed_methods, reason = "reads what the lane wrote")]
pub(crate) fn child(path: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path)?;
    let (_, cost) = Processor::Thread.cost(|| accepted(&bytes))?;
    println!("{} {}", cost.processor.as_secs_f64(), peak_memory_kib()?);
    Ok(())
}
