//! Room for intermediate data larger than memory.
//!
//! Deliberately absent: a name. Nobody else can open the file, and it is gone when it is closed or
//! the process dies.

use std::fs::File;
use std::path::Path;

use crate::FileError;

/// Creates an unnamed temporary file in `directory`, or where the system keeps such files.
///
/// # Errors
///
/// [`FileError::NotFound`] or [`FileError::Io`], with the directory's path.
pub fn temp_spool(directory: Option<&Path>) -> Result<File, FileError> {
    let system = std::env::temp_dir();
    let directory = directory.unwrap_or(&system);
    tempfile::tempfile_in(directory).map_err(|e| FileError::from_io(directory, e))
}
