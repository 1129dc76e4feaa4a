//! A small private file that is replaced only by whoever knows what it holds.
//!
//! Compare and swap, durable: of several processes that start from the same bytes at most one replaces them, and a
//! crash leaves the old bytes or the new ones. Deliberately absent: taking turns fairly, and any answer from a file
//! that others could have written to.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::write::directory_of;
use crate::{Access, AtomicFile, FileError, Overwrite};

/// The name of the lock that all swaps in one directory take. It holds nothing and stays where it is.
const LOCK_NAME: &str = ".lock";

/// How often a file is opened that loses its name each time. Each swap waits for the disk, so one more is rare.
const READ_TRIES: u32 = 100;

/// What became of a swap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Swap {
    /// The file holds the new bytes, and will after a power cut.
    Done,
    /// The file held other bytes than expected, and still does.
    Moved,
}

/// A file of a few bytes, for its owner alone.
#[derive(Clone, Debug)]
pub struct CasFile {
    path: PathBuf,
    limit_bytes: u64,
}

impl CasFile {
    /// The file at `path`, which need not be there, of at most `limit_bytes`.
    pub fn new(path: impl Into<PathBuf>, limit_bytes: u64) -> Self {
        Self { path: path.into(), limit_bytes }
    }

    /// What it holds; `None` where it is not there.
    ///
    /// # Errors
    ///
    /// As [`crate::read_secret`]: no link on the way, one name, our owner, nobody else's permission.
    pub fn read(&self) -> Result<Option<Vec<u8>>, FileError> {
        let mut tries = READ_TRIES;
        loop {
            tries -= 1;
            match crate::read_secret(&self.path, self.limit_bytes) {
                Ok(bytes) => return Ok(Some(bytes.to_vec())),
                Err(FileError::NotFound { .. }) => return Ok(None),
                // A swap took its name between our opening it and our looking at it.
                Err(FileError::HardLinked { link_count: 0, .. }) if tries > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Replaces `expected` (`None`: the file is not there) by `new`, in one step. Waits for other swaps to end.
    ///
    /// # Errors
    ///
    /// As [`CasFile::read`], for the lock beside the file too; [`FileError::TooLarge`] for too many bytes;
    /// [`FileError::NotFound`] for a missing directory. After [`FileError::Io`] the file may hold either.
    pub fn swap(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<Swap, FileError> {
        let size_bytes = new.len() as u64;
        if size_bytes > self.limit_bytes {
            let (path, limit_bytes) = (self.path.clone(), self.limit_bytes);
            return Err(FileError::TooLarge { path, limit_bytes, size_bytes });
        }
        // Released when it is dropped, or the process ends.
        let _lock = lock(&directory_of(&self.path)?.join(LOCK_NAME))?;
        if self.read()?.as_deref() != expected {
            return Ok(Swap::Moved);
        }
        let mut file = AtomicFile::create(&self.path, Access::Owner)?;
        file.write_all(new).map_err(|e| FileError::from_io(&self.path, e))?;
        file.commit(Overwrite::Replace)?;
        Ok(Swap::Done)
    }
}

/// Opens the lock file, making it where it is missing, and waits until it is ours.
#[cfg(unix)]
fn lock(path: &Path) -> Result<File, FileError> {
    let file = crate::open::unix::private_lock(path)?;
    file.lock().map_err(|e| FileError::from_io(path, e))?;
    Ok(file)
}

#[cfg(not(unix))]
fn lock(path: &Path) -> Result<File, FileError> {
    Err(crate::secret::unsupported(path))
}
