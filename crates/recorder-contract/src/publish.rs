//! The directory of a contract: made to hold the artifacts and nothing else, or compared with them.
//!
//! Both ways begin with reading all of it, following no link: a link, a file with a second name or anything that is no
//! file refuses the whole directory.

use std::io;
use std::path::Path;

use recorder_fs::{FileError, TreeError, TreeLimits, read_tree, replace_tree};
use serde::Serialize;

use crate::ContractError;
use crate::artifact::{INDEX, artifacts, is_index, with_index};
use crate::breaks::{BREAKS, Break, EMPTY_RECORD, Files, broken, idle, recorded};

/// What a directory of a contract may hold: some hundred files of at most some hundred KiB.
const LIMITS: TreeLimits = TreeLimits {
    files_max: 1000,
    entries_max: 1000,
    depth_max: 4,
    file_bytes_max: 16 << 20,
    total_bytes_max: 64 << 20,
};

/// How a file differs from what this program has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// It is not there.
    Missing,
    /// It holds something else.
    Drifted,
    /// It is there, and no artifact.
    Unexpected,
}

/// A file that differs.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Drift {
    /// Its path in the directory.
    pub path: String,
    /// How it differs.
    pub kind: DriftKind,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Checked {
    /// Files that differ from what this program has.
    pub drift: Vec<Drift>,
    /// Published facts that do not hold any more, and that nobody recorded.
    pub breaks: Vec<Break>,
    /// Recorded breaks of facts that hold all the same.
    pub idle_records: Vec<String>,
    /// Files that were compared.
    pub artifact_count: usize,
}

impl Checked {
    /// Whether nothing was found.
    pub fn holds(&self) -> bool {
        self.drift.is_empty() && self.breaks.is_empty() && self.idle_records.is_empty()
    }
}

/// What was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Generated {
    /// Files that were written.
    pub written: Vec<String>,
    /// Files that were removed.
    pub removed: Vec<String>,
    /// Files that the directory holds now.
    pub artifact_count: usize,
    /// Breaks that were accepted.
    pub accepted: Vec<Break>,
}

/// Reads the directory; nothing where there is none.
fn read(root: &Path) -> Result<Option<Files>, ContractError> {
    match read_tree(root, &LIMITS) {
        Ok(files) => Ok(Some(files)),
        Err(TreeError::File(FileError::NotFound { .. })) => Ok(None),
        Err(TreeError::File(FileError::Io { source, .. }))
            if source.kind() == io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What the directory should hold: the artifacts, its own record of breaks, and the index over both.
fn expected(found: &Files) -> Result<Files, ContractError> {
    let mut files = artifacts()?;
    let record = found.get(BREAKS).cloned().unwrap_or_else(|| EMPTY_RECORD.as_bytes().to_vec());
    files.insert(BREAKS.to_owned(), record);
    Ok(with_index(files))
}

/// Makes `root` hold the contract and nothing else but its record of breaks.
///
/// # Errors
///
/// `Breaks` where a published fact would vanish or change, unless each stands in the record and `accept_breaks` is set;
/// `NotOurs` for a directory that holds files and no index; `Tree` for a link, a file with two names or whatever is no
/// file. Nothing is written then.
pub fn generate(root: &Path, accept_breaks: bool) -> Result<Generated, ContractError> {
    let found = read(root)?.unwrap_or_default();
    let is_ours = found.get(INDEX).is_some_and(|bytes| is_index(bytes));
    if !is_ours && found.keys().any(|path| path != BREAKS) {
        return Err(ContractError::NotOurs { root: root.to_path_buf() });
    }
    let expected = expected(&found)?;
    let record = recorded(&found)?;
    let breaks = broken(&found, &expected)?;
    let is_decided = |broken: &Break| record.iter().any(|entry| entry.covers(broken));
    if breaks.iter().any(|broken| !accept_breaks || !is_decided(broken)) {
        return Err(ContractError::Breaks { breaks });
    }
    let removed: Vec<String> =
        found.keys().filter(|path| !expected.contains_key(*path)).cloned().collect();
    let artifact_count = expected.len();
    let changed: Files =
        expected.into_iter().filter(|(path, bytes)| found.get(path) != Some(bytes)).collect();
    replace_tree(root, &changed, &removed, INDEX)?;
    let written = changed.into_keys().collect();
    Ok(Generated { written, removed, artifact_count, accepted: breaks })
}

/// Compares `root` with what this program has.
///
/// # Errors
///
/// `Missing` without a directory; `Tree` for a link, a file with two names or whatever is no file; `BreaksMalformed`.
pub fn check(root: &Path) -> Result<Checked, ContractError> {
    let found = read(root)?.ok_or_else(|| ContractError::Missing { root: root.to_path_buf() })?;
    let expected = expected(&found)?;
    let record = recorded(&found)?;
    let mut drift: Vec<Drift> = Vec::new();
    for (path, bytes) in &expected {
        let kind = match found.get(path) {
            None => DriftKind::Missing,
            Some(there) if there != bytes => DriftKind::Drifted,
            Some(_) => continue,
        };
        drift.push(Drift { path: path.clone(), kind });
    }
    let strays = found.keys().filter(|path| !expected.contains_key(*path));
    drift.extend(strays.map(|path| Drift { path: path.clone(), kind: DriftKind::Unexpected }));
    drift.sort();
    let mut breaks = broken(&found, &expected)?;
    breaks.retain(|broken| !record.iter().any(|entry| entry.covers(broken)));
    let idle_records = idle(&record, &expected)?;
    Ok(Checked { drift, breaks, idle_records, artifact_count: expected.len() })
}

/// The facts that an earlier contract in `earlier` published, that this program does not keep, and that the record of
/// breaks in `root` does not name.
///
/// # Errors
///
/// As [`check`], of either directory.
pub fn compare(root: &Path, earlier: &Path) -> Result<Vec<Break>, ContractError> {
    let missing = |root: &Path| ContractError::Missing { root: root.to_path_buf() };
    let found = read(root)?.ok_or_else(|| missing(root))?;
    let old = read(earlier)?.ok_or_else(|| missing(earlier))?;
    let record = recorded(&found)?;
    let mut breaks = broken(&old, &expected(&found)?)?;
    breaks.retain(|broken| !record.iter().any(|entry| entry.covers(broken)));
    Ok(breaks)
}
