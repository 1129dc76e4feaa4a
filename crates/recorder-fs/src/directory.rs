//! Private directories: making one, and the names in it.
//!
//! Deliberately absent: walking into what is found, and removing anything.

use std::io;
use std::path::Path;

use crate::FileError;

/// Makes a directory, and those above it that are missing, for their owner alone. One that is there stays as it is.
///
/// # Errors
///
/// [`FileError::Io`] or [`FileError::AlreadyExists`] for a name that something else has.
pub fn create_private_directory(path: &Path) -> Result<(), FileError> {
    if path.is_dir() || path.as_os_str().is_empty() {
        return Ok(());
    }
    let parent = crate::write::directory_of(path)?;
    if parent != Path::new(".") {
        create_private_directory(parent)?;
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => crate::write::sync_directory(parent),
        // Somebody else was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(FileError::from_io(path, error)),
    }
}

/// The names in a directory, sorted, but for those that begin with a dot; none where there is no directory.
///
/// # Errors
///
/// [`FileError::Io`]; also for more than `count_max` names, and for one that is not UTF-8.
pub fn file_names(directory: &Path, count_max: usize) -> Result<Vec<String>, FileError> {
    let failed = |error| FileError::from_io(directory, error);
    let refused = |detail: &str| failed(io::Error::new(io::ErrorKind::InvalidData, detail));
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let name = name.into_string().map_err(|_| refused("holds a name that is not UTF-8"))?;
        if name.starts_with('.') {
            continue;
        }
        if names.len() == count_max {
            return Err(refused("holds more files than are looked at here"));
        }
        names.push(name);
    }
    names.sort();
    Ok(names)
}
