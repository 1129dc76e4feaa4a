//! `cargo xtask test`: everything that must hold before a change lands.
//!
//! Deliberately absent: anything that a machine with nothing but Rust and a C compiler cannot run.
//! What a tool would add that is not installed is skipped by name, never silently.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Outcome, Run, is_installed};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Formatting and tests only: no clippy, documentation, dependency policy or Python.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Take longer: more mutants for both verifiers, and cargo-deny is installed when it is missing.
    #[arg(long)]
    full: bool,
}

/// Runs the steps in order, all of them even after a failure.
///
/// # Errors
///
/// Fails when any step did.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = crate::root()?;
    let captures = captures(&root);
    let cargo = |line: &str| {
        let mut command = Command::new("cargo");
        command.args(line.split(' ')).current_dir(&root);
        command.envs(captures.iter().map(|path| ("RECORDER_CAPTURES", path)));
        command
    };
    let mut run = Run::default();
    run.command("format", &mut cargo("fmt --all --check"));
    if !arguments.quick {
        run.command("clippy", &mut cargo("clippy --workspace --all-targets -- -D warnings"));
    }
    let tests = if is_installed("cargo-nextest") {
        "nextest run --workspace --no-fail-fast"
    } else {
        "test --workspace --all-targets --no-fail-fast"
    };
    run.command("tests", &mut cargo(tests));
    run.command("examples in documentation", &mut cargo("test --doc --workspace --no-fail-fast"));
    if !arguments.quick {
        let mut documentation = cargo("doc --no-deps --workspace");
        run.command("documentation", documentation.env("RUSTDOCFLAGS", "-D warnings"));
        check_dependencies(&mut run, cargo, arguments.full);
        crate::python::check(&mut run, &root, arguments.full);
        crate::contract::check(&mut run, &root);
        crate::quick_start::check(&mut run, &root);
        crate::conformance::check(&mut run, &root);
    }
    run.finish()
}

/// Real captures, where they lie beside the workspace and no other place is named: tests that read them skip without.
fn captures(root: &Path) -> Option<PathBuf> {
    let beside = root.parent()?.join("shared/data");
    let named = std::env::var_os("RECORDER_CAPTURES").is_some();
    (!named && beside.is_dir()).then_some(beside)
}

/// The policy of `deny.toml`, as far as it can be checked here.
fn check_dependencies(run: &mut Run, cargo: impl Fn(&str) -> Command, may_install: bool) {
    if !is_installed("cargo-deny") && may_install {
        run.command("install cargo-deny", &mut cargo("install cargo-deny --locked"));
    }
    if !is_installed("cargo-deny") {
        let why = "cargo-deny is not installed; `cargo xtask test --full` installs it";
        run.step("dependency policy", || Outcome::Skipped(why.to_owned()));
        return;
    }
    run.command("dependency policy", &mut cargo("deny check bans licenses sources"));
    if has_advisories() {
        run.command("advisories", &mut cargo("deny check --disable-fetch advisories"));
    } else {
        let why = "no advisory database; `cargo deny fetch` fetches it";
        run.step("advisories", || Outcome::Skipped(why.to_owned()));
    }
}

/// Whether cargo-deny has fetched its database, which needs a network that may not be there.
fn has_advisories() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(Into::into);
    let cargo_home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    cargo_home.is_some_and(|home| has_entries(&home.join("advisory-dbs")))
}

fn has_entries(directory: &Path) -> bool {
    let directories = std::fs::read_dir(directory).into_iter().flatten().flatten();
    directories.into_iter().any(|entry| entry.path().join(".git").exists())
}
