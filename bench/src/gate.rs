//! Reports against the baseline: `recorder-bench gate`.
//!
//! Nothing is measured here. What was measured with small sizes, without optimisation or in an invalid session is
//! not judged; a gate that has nothing to judge fails.
#![expect(
    clippy::disallowed_methods,
    reason = "reads the reports and the baseline of this checkout"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde::Deserialize;

use crate::baseline::Baseline;

/// Where the baseline stands.
const BASELINE: &str = "bench/baseline.toml";

/// Committed versions of it that are compared with their successors.
const VERSIONS_MAX: usize = 200;

/// What is read of a report.
#[derive(Deserialize)]
struct Report {
    lane: String,
    quick: bool,
    session_valid: bool,
    machine: Machine,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Machine {
    profile: String,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    /// Nothing where it could not be measured.
    judged: Option<f64>,
}

/// Judges the reports in `directory`; says whether all that was measured holds.
pub(crate) fn run(directory: &Path, is_complete: bool) -> anyhow::Result<bool> {
    let baseline = read_baseline()?;
    let mut measured = std::collections::BTreeMap::new();
    for path in reports(directory)? {
        let place = path.display();
        let report: Report =
            serde_json::from_slice(&std::fs::read(&path)?).with_context(|| format!("{place}"))?;
        if report.quick || !report.session_valid || report.machine.profile != "release" {
            println!("{}: not judged: small sizes, not optimised, or invalid", report.lane);
            continue;
        }
        for row in report.rows {
            measured.insert(row.name, row.judged);
        }
    }
    let (mut judged, mut holds) = (0, true);
    for ratio in baseline.iter() {
        let (lane, name, floor) = (&ratio.lane, &ratio.name, ratio.floor());
        let Some(Some(value)) = measured.get(name) else {
            println!("{lane:<14} {name:<62} not measured");
            holds &= !is_complete;
            continue;
        };
        judged += 1;
        let is_kept = ratio.holds(*value);
        let word = if is_kept { "holds" } else { "FAILS" };
        println!("{lane:<14} {name:<62} {value:>8.3}, floor {floor}: {word}");
        holds &= is_kept;
    }
    for name in measured.keys().filter(|name| baseline.iter().all(|ratio| ratio.name != **name)) {
        println!("{:<14} {name:<62} has no floor", "");
    }
    anyhow::ensure!(judged > 0, "nothing to judge in {}", directory.display());
    Ok(holds)
}

/// The baseline, after it was held against its committed versions.
fn read_baseline() -> anyhow::Result<Baseline> {
    let current = Baseline::parse(&std::fs::read_to_string(BASELINE)?)?;
    let commits =
        git(&["log", "--format=%H", "--max-count", &VERSIONS_MAX.to_string(), "--", BASELINE])?;
    let mut later = current.clone();
    for commit in commits.lines() {
        let earlier = Baseline::parse(&git(&["show", &format!("{commit}:{BASELINE}")])?)?;
        later.check_follows(&earlier).with_context(|| format!("after {commit}"))?;
        later = earlier;
    }
    Ok(current)
}

fn git(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").args(arguments).output()?;
    anyhow::ensure!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

fn reports(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(directory).with_context(|| format!("{}", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    Ok(paths)
}
