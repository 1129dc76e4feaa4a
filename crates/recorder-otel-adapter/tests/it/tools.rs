//! Where tests set up tools that a machine may not have, and how they say so. The sidecar's tests use it too.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An empty folder below the build's own.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs a step that may be impossible here; whether it was done.
pub(crate) fn prepared(step: &mut Command) -> bool {
    let done = step.output();
    let succeeded = done.as_ref().is_ok_and(|output| output.status.success());
    if !succeeded {
        let why = done.map_or_else(
            |error| error.to_string(),
            |output| {
                String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("").to_owned()
            },
        );
        println!("SKIPPED: {step:?} is not possible here: {why}");
    }
    succeeded
}
