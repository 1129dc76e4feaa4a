//! The Python package under `sdk/python`: formatting, types, tests of the client against a sidecar, and mutants that both
//! verifiers must judge alike.
//!
//! Deliberately absent: an environment that anything else is installed into. The package goes into a new one under the
//! target directory, as a user's would.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::step::{Outcome, Run, is_installed};

/// How many mutants are compared in every run, and in a full one.
const MUTANTS: (u32, u32) = (1_500, 12_000);

/// Runs everything of the package, or says why it was not run.
pub(crate) fn check(run: &mut Run, root: &Path, full: bool) {
    if !is_installed("python3") {
        run.step("python", || missing("python3 is not installed"));
        return;
    }
    let Some(target) = target_for(run, "python") else { return };
    let environment = target.join("python");
    let mut installed = false;
    run.step("python environment", || {
        let outcome = install(root, &environment);
        installed = outcome == Outcome::Passed;
        outcome
    });
    if installed {
        check_package(run, root, &target, &environment, full);
    }
}

fn check_package(run: &mut Run, root: &Path, target: &Path, environment: &Path, full: bool) {
    let tool = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(environment.join("bin").join(name));
        command.args(arguments).current_dir(root.join("sdk/python"));
        command
    };
    run.command("python format", &mut tool("ruff", &["format", "--check", "."]));
    run.command("python lints", &mut tool("ruff", &["check", "."]));
    run.command("python types", &mut tool("mypy", &[]));
    run.step("python in an empty environment", || {
        install_alone(root, &target.join("python-alone"))
    });
    let mut build = Command::new("cargo");
    build.arg("build");
    for package in ["recorder-cli", "recorder-sidecar", "recorder-verify"] {
        build.args(["--package", package]);
    }
    build.args(["--bin", "recorder", "--bin", "recorder-sidecar", "--example", "verify_many"]);
    run.command("programs for the python tests", build.current_dir(root));
    let count = if full { MUTANTS.1 } else { MUTANTS.0 };
    let mut tests = tool("python", &["-m", "pytest"]);
    tests.env("RECORDER_BIN", target.join("debug/recorder"));
    tests.env("RECORDER_SIDECAR_BIN", target.join("debug/recorder-sidecar"));
    tests.env("RECORDER_VERIFY_MANY", target.join("debug/examples/verify_many"));
    run.command("python tests", tests.env("RECORDER_MUTANTS", count.to_string()));
}

/// Installs the package as a user would, and loads the client, the verifier and its command with what that brought.
fn install_alone(root: &Path, environment: &Path) -> Outcome {
    let mut venv = Command::new("python3");
    if !succeeds(venv.args(["-m", "venv", "--clear"]).arg(environment)) {
        return missing("python3 makes no virtual environment");
    }
    let python = |arguments: &[&str]| {
        let mut command = Command::new(environment.join("bin/python"));
        command.args(arguments).current_dir(root);
        command
    };
    if !succeeds(&mut python(&["-m", "pip", "install", "--quiet", "./sdk/python"])) {
        return missing("pip could not install ./sdk/python");
    }
    let client = "import recorder_client; [getattr(recorder_client, n) for n in dir(recorder_client)]; \
                  recorder_client.RecorderClient().close()";
    let mut command = Command::new(environment.join("bin/recorder-verify-python"));
    match succeeds(&mut python(&["-c", client])) && succeeds(command.arg("--help")) {
        true => Outcome::Passed,
        false => Outcome::Failed("what pip installed does not work".to_owned()),
    }
}

/// Makes the environment, where there is none yet, and installs the package with what its tests need.
fn install(root: &Path, environment: &Path) -> Outcome {
    let python = environment.join("bin/python");
    if !succeeds(Command::new(&python).arg("--version")) {
        let mut venv = Command::new("python3");
        if !succeeds(venv.args(["-m", "venv", "--clear"]).arg(environment)) {
            return missing("python3 makes no virtual environment");
        }
    }
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "./sdk/python[dev]"]).current_dir(root);
    if succeeds(&mut pip) {
        Outcome::Passed
    } else {
        missing("pip could not install ./sdk/python[dev]")
    }
}

/// What a tool that is not there means: on a machine of one's own it is skipped by name, in CI it is a failure.
pub(crate) fn missing(why: &str) -> Outcome {
    match std::env::var("CI").as_deref() {
        Ok("true") => Outcome::Failed(why.to_owned()),
        _ => Outcome::Skipped(why.to_owned()),
    }
}

/// Runs a command to its end; true when it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// Where cargo puts what it builds.
///
/// # Errors
///
/// Fails when cargo does not say.
pub(crate) fn target_directory() -> anyhow::Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec();
    Ok(metadata.context("cargo tells no target directory")?.target_directory.into_std_path_buf())
}

/// As [`target_directory`]; where cargo does not say, the step `name` has failed.
pub(crate) fn target_for(run: &mut Run, name: &str) -> Option<PathBuf> {
    target_directory()
        .map_err(|error| run.step(name, || Outcome::Failed(format!("{error:#}"))))
        .ok()
}
