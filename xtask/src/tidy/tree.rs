//! The text files of the workspace, by their path in it.
//!
//! Deliberately absent: git. An unpacked archive is checked like a clone, and a new file before it
//! is added.
#![expect(clippy::disallowed_methods, reason = "reads the workspace's own files")]

use std::collections::BTreeMap;
use std::path::Path;

/// Every file's path, with `/` between components, and its text; `None` for what is not UTF-8.
pub(super) type Files = BTreeMap<String, Option<String>>;

/// Reads the workspace at `root`.
///
/// # Errors
///
/// Fails when a directory or file cannot be read.
pub(super) fn read(root: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    read_below(root, "", &mut files)?;
    Ok(files)
}

fn read_below(directory: &Path, prefix: &str, files: &mut Files) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && !is_made_by_tools(&path, &name) {
            read_below(&path, &format!("{prefix}{name}/"), files)?;
        } else if kind.is_file() && name != ".git" {
            files.insert(format!("{prefix}{name}"), String::from_utf8(std::fs::read(&path)?).ok());
        }
    }
    Ok(())
}

/// Cargo marks a target directory, wherever it is, with `CACHEDIR.TAG`, as do some Python tools.
fn is_made_by_tools(directory: &Path, name: &str) -> bool {
    let is_hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
    let is_known = ["target", "node_modules", "__pycache__", "artifacts", "corpus"].contains(&name);
    is_hidden || is_known || directory.join("CACHEDIR.TAG").exists()
}
