//! The copy of the workspace that controls are taken out of, and the tests that run there.
#![expect(clippy::disallowed_methods, reason = "copies the workspace's own files")]

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::list::Control;

/// What nextest answers when tests ran and some failed.
const TESTS_FAILED: i32 = 100;

/// What came of taking a control out.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Its tests pass with it and one at least fails without it.
    Seen,
    /// Its tests do not pass with it in place.
    RedBefore,
    /// Its tests pass without it.
    Unseen,
    /// Without it nothing could be built or run.
    Broken,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Seen => "RED without it, as it must be",
            Self::RedBefore => "its tests fail with it in place",
            Self::Unseen => "its tests stay GREEN without it",
            Self::Broken => "does not build without it",
        })
    }
}

/// A copy of the workspace, with a target directory of its own.
pub(super) struct WorkspaceCopy {
    tree: PathBuf,
    target: PathBuf,
}

impl WorkspaceCopy {
    /// Copies every file that git knows; files that did not change keep their time, so that little is built again.
    pub(super) fn make(root: &Path) -> anyhow::Result<Self> {
        let place = root.join("target/controls");
        let copy = Self { tree: place.join("tree"), target: place.join("build") };
        let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output()?;
        anyhow::ensure!(listed.status.success(), "git does not list the workspace's files");
        for path in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            let bytes = match std::fs::read(root.join(path)) {
                Ok(bytes) => bytes,
                // Listed, but deleted and not committed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).context(path.to_owned()),
            };
            copy.write(path, &bytes)?;
        }
        Ok(copy)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let to = self.tree.join(path);
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        if let Some(directory) = to.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(&to, bytes).with_context(|| to.display().to_string())
    }

    /// Runs the control's tests with it, takes it out, runs them again and puts it back.
    pub(super) fn take_out(&self, control: &Control) -> anyhow::Result<Verdict> {
        if self.test(control)? != Some(0) {
            return Ok(Verdict::RedBefore);
        }
        let whole = std::fs::read_to_string(self.tree.join(&control.file))?;
        let without = whole.replacen(&control.take, &control.put, 1);
        self.write(&control.file, without.as_bytes())?;
        let ended = self.test(control);
        self.write(&control.file, whole.as_bytes())?;
        Ok(match ended? {
            Some(0) => Verdict::Unseen,
            Some(TESTS_FAILED) => Verdict::Seen,
            _ => Verdict::Broken,
        })
    }

    fn test(&self, control: &Control) -> anyhow::Result<Option<i32>> {
        let is_named = |test: &String| format!("test(/(^|::){test}(::|$)/)");
        let filter = control.tests.iter().map(is_named).collect::<Vec<_>>().join(" | ");
        let mut command = Command::new("cargo");
        command.args([
            "nextest",
            "run",
            "--no-fail-fast",
            "--cargo-quiet",
            "--status-level",
            "fail",
        ]);
        command.args(["--failure-output", "never", "--package", &control.package, "-E", &filter]);
        command.env("CARGO_TARGET_DIR", &self.target).current_dir(&self.tree);
        Ok(command.status().context("cargo nextest does not run")?.code())
    }
}
