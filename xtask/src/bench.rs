//! `cargo xtask bench`: the benches, optimised.
//!
//! Deliberately absent: judging the numbers; the benches print ratios to floors of their own.

use std::process::Command;

/// Passed on to the benches.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What the benches are to do; `--help` lists it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and runs the benches.
///
/// # Errors
///
/// Fails when they do.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(["run", "--release", "--package", "recorder-bench", "--"])
        .args(&arguments.arguments)
        .current_dir(crate::root()?)
        .status()?;
    anyhow::ensure!(status.success(), "the benches failed");
    Ok(())
}
