//! `cargo xtask fuzz`: every target under `fuzz/`, each for the same time.
//!
//! Deliberately absent: corpora and crashes, which cargo-fuzz keeps where it always does.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::step::{Run, is_installed};

/// How long to fuzz.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Runs the targets one after the other.
///
/// # Errors
///
/// Fails without cargo-fuzz, without targets, or when any target found something.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = crate::root()?;
    anyhow::ensure!(
        is_installed("cargo-fuzz"),
        "cargo-fuzz is not installed; `cargo install cargo-fuzz --locked` installs it"
    );
    let targets = targets(&root.join("fuzz/fuzz_targets"))?;
    anyhow::ensure!(!targets.is_empty(), "there are no fuzz targets");
    let toolchain = toolchain();
    let mut run = Run::default();
    for target in &targets {
        let mut command = Command::new("cargo");
        command.args(toolchain).args([target.as_str(), "--"]).current_dir(&root);
        run.command(target, command.arg(format!("-max_total_time={}", arguments.seconds)));
    }
    run.finish()
}

/// The address sanitizer needs a nightly compiler; without one the targets run without it.
fn toolchain() -> &'static [&'static str] {
    let nightly = Command::new("cargo").args(["+nightly", "--version"]).output();
    if nightly.is_ok_and(|asked| asked.status.success()) {
        &["+nightly", "fuzz", "run"]
    } else {
        &["fuzz", "run", "--sanitizer", "none"]
    }
}

fn targets(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let entries = std::fs::read_dir(directory);
    for entry in entries.with_context(|| format!("no targets in {}", directory.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}
