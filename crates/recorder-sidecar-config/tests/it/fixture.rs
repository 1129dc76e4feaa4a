//! A directory with everything that a configuration names.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use recorder_sidecar_config::{Config, ConfigProblems};

/// A directory that goes away with the test.
pub(crate) struct Place {
    _directory: tempfile::TempDir,
    pub(crate) root: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let place = Self { _directory: directory, root };
        place.secret("token", "secret-token\n");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn secret(&self, name: &str, text: &str) -> PathBuf {
        self.file(name, text, 0o600)
    }

    pub(crate) fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// The least that holds here, and `more`.
    pub(crate) fn parse(&self, more: &str) -> Result<Config, ConfigProblems> {
        parse(&format!("config_version = 1\nsigner.enabled = false\n{more}"), &self.root)
    }

    /// As `parse`, with the token that stands here.
    pub(crate) fn parse_with_token(&self, more: &str) -> Result<Config, ConfigProblems> {
        self.parse(&format!("security.token_path = \"token\"\n{more}"))
    }
}

pub(crate) fn parse(text: &str, directory: &Path) -> Result<Config, ConfigProblems> {
    Config::parse(text, directory)
}

/// The problems as lines, without the line numbers.
pub(crate) fn problems(result: Result<Config, ConfigProblems>) -> Vec<(String, String)> {
    let refused = result.expect_err("refused");
    refused
        .problems()
        .iter()
        .map(|problem| (problem.path.clone(), problem.detail.clone()))
        .collect()
}
