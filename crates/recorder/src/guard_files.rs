//! The head guard in files: one for each log, in a directory apart from the database.
//!
//! A file is named by the SHA-256 of its log's origin, holds one guarded head as canonical JSON, and is replaced by
//! compare and swap. Deliberately absent: what a head means, which the engine knows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use recorder_core::hash::sha256;
use recorder_fs::{CasFile, FileError, Swap};

use crate::guard::{GUARDED_HEAD_BYTES_MAX, GuardError, GuardedHead, HeadGuard};

/// Logs of which heads are looked at in one directory.
const HEADS_MAX: usize = 10_000;

/// Heads in the files of one directory.
#[derive(Debug)]
pub struct FileGuard {
    directory: PathBuf,
}

impl FileGuard {
    /// The heads in `directory`, which is made with the first of them.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn file(&self, name: &str) -> CasFile {
        CasFile::new(self.directory.join(name), GUARDED_HEAD_BYTES_MAX)
    }

    fn read(&self, name: &str) -> Result<Option<GuardedHead>, GuardError> {
        let Some(bytes) = self.file(name).read().map_err(storage)? else { return Ok(None) };
        let place = self.directory.join(name).display().to_string();
        let head = GuardedHead::parse(&place, &bytes)?;
        match file_name(head.origin()) == name {
            true => Ok(Some(head)),
            false => {
                let detail = format!("is the head of {}, under another log's name", head.origin());
                Err(GuardError::Malformed { place, detail })
            }
        }
    }
}

impl HeadGuard for FileGuard {
    fn heads(&self) -> Result<BTreeMap<String, GuardedHead>, GuardError> {
        let names = recorder_fs::file_names(&self.directory, HEADS_MAX).map_err(storage)?;
        let mut heads = BTreeMap::new();
        for name in names {
            if let Some(head) = self.read(&name)? {
                heads.insert(head.origin().to_owned(), head);
            }
        }
        Ok(heads)
    }

    fn advance(&self, from: Option<&GuardedHead>, to: &GuardedHead) -> Result<(), GuardError> {
        recorder_fs::create_private_directory(&self.directory).map_err(storage)?;
        let from = from.map(GuardedHead::to_json).transpose()?;
        let file = self.file(&file_name(to.origin()));
        match file.swap(from.as_deref(), &to.to_json()?).map_err(storage)? {
            Swap::Done => Ok(()),
            Swap::Moved => Err(GuardError::Moved { origin: to.origin().to_owned() }),
        }
    }
}

fn storage(error: FileError) -> GuardError {
    GuardError::Storage(Arc::new(error))
}

/// An origin may be longer than a file name, and hold characters that no file name has.
fn file_name(origin: &str) -> String {
    let mut name: String =
        sha256(&[origin.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
    name.push_str(".json");
    name
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    const ORIGIN: &str = "recorder.local/default/recorder-cli";

    fn guard() -> (tempfile::TempDir, FileGuard) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("guard/heads");
        (directory, FileGuard::new(path))
    }

    fn head(size: u64) -> GuardedHead {
        let root = "09".repeat(32);
        let text = format!(
            r#"{{"note":null,"origin":"{ORIGIN}","root_hash":"{root}","sealed_segments":0,"tree_size":{size},"type":"recorder.guarded-head/v1"}}"#
        );
        GuardedHead::parse("test", text.as_bytes()).unwrap()
    }

    #[test]
    fn a_head_outlives_the_guard_that_wrote_it() {
        let (_directory, guard) = guard();
        assert!(guard.heads().unwrap().is_empty());
        guard.advance(None, &head(1)).unwrap();
        guard.advance(Some(&head(1)), &head(2)).unwrap();
        let again = FileGuard::new(guard.directory.clone());
        assert_eq!(again.heads().unwrap(), BTreeMap::from([(ORIGIN.to_owned(), head(2))]));
    }

    #[test]
    fn of_two_who_advance_from_one_head_the_second_is_refused() {
        let (_directory, guard) = guard();
        guard.advance(None, &head(1)).unwrap();
        for from in [None, Some(&head(3))] {
            let refused = guard.advance(from, &head(2)).unwrap_err();
            assert!(matches!(refused, GuardError::Moved { .. }), "{refused}");
        }
        assert_eq!(guard.heads().unwrap()[ORIGIN], head(1));
    }

    #[test]
    fn whatever_is_no_head_of_its_name_is_refused_and_not_skipped() {
        let (_directory, guard) = guard();
        guard.advance(None, &head(1)).unwrap();
        let other = guard.directory.join(file_name("recorder.local/default/other"));
        recorder_fs::write_secret_new(&other, &head(1).to_json().unwrap()).unwrap();
        let refused = guard.heads().unwrap_err();
        assert!(matches!(refused, GuardError::Malformed { .. }), "{refused}");
        std::fs::remove_file(&other).unwrap();
        recorder_fs::write_secret_new(&guard.directory.join("notes.txt"), b"{}").unwrap();
        let refused = guard.heads().unwrap_err();
        assert!(matches!(refused, GuardError::Malformed { .. }), "{refused}");
    }
}
