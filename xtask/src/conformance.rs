//! The sidecar as schemathesis sees it: a real one is asked whatever its OpenAPI document allows and forbids.
//!
//! Deliberately absent: what a document cannot say, which the sidecar's own tests ask.

use std::path::Path;
use std::process::Command;

use crate::contract::install;
use crate::python::target_for;
use crate::step::{Outcome, Run};

/// The generator of requests, and what it draws with: another version asks other things.
const PACKAGES: [&str; 2] = ["schemathesis==4.32.5", "hypothesis==6.170.15"];

/// Starts a sidecar and asks it, or says why it was not asked.
pub(crate) fn check(run: &mut Run, root: &Path) {
    let Some(target) = target_for(run, "conformance") else { return };
    let environment = target.join("conformance/python");
    let mut installed = false;
    run.step("conformance environment", || {
        let outcome = install(&environment, &PACKAGES);
        installed = outcome == Outcome::Passed;
        outcome
    });
    if !installed {
        return;
    }
    let mut build = Command::new("cargo");
    build.args(["build", "--package", "recorder-sidecar"]).current_dir(root);
    run.command("the sidecar to ask", &mut build);
    let directory = target.join("conformance/run");
    // The first run finds none.
    let _ = std::fs::remove_dir_all(&directory);
    let mut ask = Command::new(environment.join("bin/python"));
    ask.arg("crates/recorder-sidecar/tests/conformance/run.py");
    ask.arg(target.join("debug/recorder-sidecar"));
    ask.arg("docs/generated/apis/sidecar.openapi.json").arg(&directory).current_dir(root);
    run.command("conformance", &mut ask);
}
