//! `cargo xtask bench`: the benches, optimised, and beside them the service that they put under load.
//!
//! Deliberately absent: judging the numbers, which `cargo xtask bench gate` leaves to the benches.

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
    let root = crate::root()?;
    let built = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--package",
            "recorder-bench",
            "--package",
            "recorder-sidecar",
        ])
        .current_dir(&root)
        .status()?;
    anyhow::ensure!(built.success(), "the benches cannot be built");
    let status = Command::new("cargo")
        .args(["run", "--release", "--package", "recorder-bench", "--"])
        .args(&arguments.arguments)
        .current_dir(root)
        .status()?;
    anyhow::ensure!(status.success(), "the benches failed");
    Ok(())
}
