//! The published contract, beyond what tests of one program can see: the OpenAPI document as an independent validator
//! reads it, and every version that version control remembers.
//!
//! Deliberately absent: the comparison of `docs/generated` with this program, which is a test of `recorder-contract`.
#![expect(clippy::disallowed_methods, reason = "writes versions of our own files below target")]

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::python::{missing, succeeds, target_for};
use crate::step::{Outcome, Run, is_installed};

/// The validator, as the registry has it.
const VALIDATOR: &str = "openapi-spec-validator==0.9.0";

/// The published contract.
const ROOT: &str = "docs/generated";

/// The files whose facts may not vanish.
const COMPARED: [&str; 2] = ["apis/sidecar.compat.json", "config/sidecar.compat.json"];

/// Versions that are looked at.
const VERSIONS_MAX: usize = 20;

/// Validates the document and compares with earlier versions.
pub(crate) fn check(run: &mut Run, root: &Path) {
    let Some(target) = target_for(run, "contract") else { return };
    validate(run, root, &target.join("openapi"));
    let history = target.join("contract-history");
    let versions = match earlier_versions(root, &history) {
        Ok(versions) if versions.is_empty() => {
            let why = "version control remembers no earlier contract";
            run.step("contract history", || Outcome::Skipped(why.to_owned()));
            return;
        }
        Ok(versions) => versions,
        Err(error) => {
            run.step("contract history", || Outcome::Failed(format!("{error:#}")));
            return;
        }
    };
    let mut compare = Command::new("cargo");
    compare.args(["run", "--quiet", "--package", "recorder-cli", "--", "contract", "check"]);
    compare.args(["--root", ROOT]).current_dir(root);
    for version in versions {
        compare.arg("--against").arg(version);
    }
    run.command("contract history", &mut compare);
}

fn validate(run: &mut Run, root: &Path, environment: &Path) {
    let mut installed = false;
    run.step("openapi validator", || {
        let outcome = install(environment, &[VALIDATOR]);
        installed = outcome == Outcome::Passed;
        outcome
    });
    if installed {
        let mut validator = Command::new(environment.join("bin/python"));
        validator.args(["-m", "openapi_spec_validator", "--schema", "3.1"]);
        validator.arg(format!("{ROOT}/apis/sidecar.openapi.json")).current_dir(root);
        run.command("openapi document", &mut validator);
    }
}

/// Installs packages into a Python environment, which is made where there is none.
pub(crate) fn install(environment: &Path, packages: &[&str]) -> Outcome {
    if !is_installed("python3") {
        return missing("python3 is not installed");
    }
    let python = environment.join("bin/python");
    if !succeeds(Command::new(&python).arg("--version"))
        && !succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))
    {
        return missing("python3 makes no virtual environment");
    }
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    match succeeds(&mut pip) {
        true => Outcome::Passed,
        false => missing(&format!("pip could not install {}", packages.join(" "))),
    }
}

/// Writes what each commit that changed a compared file published into a directory of its own.
fn earlier_versions(root: &Path, history: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(root).output();
        output.ok().filter(|output| output.status.success()).map(|output| output.stdout)
    };
    let paths = COMPARED.map(|path| format!("{ROOT}/{path}"));
    let count = format!("-{VERSIONS_MAX}");
    let commits = git(&["log", &count, "--format=%H", "--", &paths[0], &paths[1]]);
    let commits = String::from_utf8(commits.unwrap_or_default())?;
    if history.exists() {
        std::fs::remove_dir_all(history)?;
    }
    let mut versions = Vec::new();
    for commit in commits.lines() {
        let version = history.join(commit);
        for (path, published) in COMPARED.iter().zip(&paths) {
            let Some(bytes) = git(&["show", &format!("{commit}:{published}")]) else { continue };
            let file = version.join(path);
            std::fs::create_dir_all(file.parent().context("a file has a directory")?)?;
            std::fs::write(file, bytes)?;
        }
        if version.exists() {
            versions.push(version);
        }
    }
    Ok(versions)
}
