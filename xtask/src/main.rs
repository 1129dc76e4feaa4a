//! What people and CI run: one command a file, each a thin wrapper around the tools it names.
//!
//! Deliberately absent: anything the product needs at run time.

mod bench;
mod conformance;
mod contract;
mod controls;
mod fuzz;
mod python;
mod quick_start;
mod step;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

/// Checks, benches and fuzzers of the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", version)]
enum Command {
    /// Run everything that must hold before a change lands.
    Test(test::Arguments),
    /// Check the rules that no compiler checks: edges, sources, documents, features.
    Tidy,
    /// Build the benches optimised and run them with the given arguments.
    Bench(bench::Arguments),
    /// Take each control of the threat model out, one at a time, and see its tests fail.
    Controls(controls::Arguments),
    /// Run every fuzz target for a while.
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Test(arguments) => test::run(&arguments),
        Command::Tidy => tidy::run(),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Controls(arguments) => controls::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The directory of the workspace, as cargo says it at run time: a shared target directory may
/// hold an xtask that was built in another checkout.
fn root() -> anyhow::Result<PathBuf> {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set; run through `cargo xtask`")?;
    let root = PathBuf::from(xtask).parent().map(PathBuf::from);
    root.context("xtask stands in no workspace")
}
