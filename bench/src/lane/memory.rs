//! How much memory verification holds, whatever the size of the archive.
//!
//! A child process for each case: the most that a process has ever held is never taken back.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::Session;
use crate::machine::peak_memory_kib;
use crate::report::{Gate, Row};
use crate::service::Signing;
use crate::verification;

/// Measures the lanes.
pub(crate) fn run(session: &Session) -> anyhow::Result<Vec<Row>> {
    let (small, large) = if session.quick { (10_000, 20_000) } else { (100_000, 1_000_000) };
    let small = peak_mib(&session.data.archive(Signing::Checkpoints, small)?)?;
    let large = peak_mib(&session.data.archive(Signing::Checkpoints, large)?)?;
    let most = Some(Gate::AtMost(16.0));
    Ok(vec![
        Row::number("peak memory, verifying the small archive", "MiB", small, None, most),
        Row::number("peak memory, verifying the large archive", "MiB", large, None, most),
        Row::number(
            "peak memory, the larger over the smaller",
            "ratio",
            large.max(small) / small.min(large),
            None,
            Some(Gate::AtMost(1.1)),
        ),
    ])
}

fn peak_mib(archive: &Path) -> anyhow::Result<f64> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(["child", "verify"]).arg(archive).output()?;
    let place = archive.display();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "verifying {place} in a child: {errors}");
    let kibibytes = String::from_utf8(output.stdout)?;
    Ok(kibibytes.trim().parse::<f64>()? / 1024.0)
}

/// What the child does: the task of another lane, or verifies and prints the most memory that it held, in KiB.
pub(crate) fn child(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let task = arguments.next().context("child needs a task")?;
    if task == "load" {
        return crate::load::child(arguments);
    }
    let path = arguments.next().context("child needs a file")?;
    let path = Path::new(&path);
    if task == "decision-gate" {
        return super::decision_gate::child(path);
    }
    anyhow::ensure!(task == "verify", "child knows no {task}");
    verification::run(path, Signing::Checkpoints, 1)?;
    println!("{}", peak_memory_kib()?);
    Ok(())
}
