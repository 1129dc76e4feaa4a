//! Reading ordinary inputs within a bound.
//!
//! Links are followed: an operator may keep payloads where they like. What is refused is what would
//! block, or would not fit. Deliberately absent: reading text; callers decide what the bytes are.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::{FileError, open};

/// Reads a regular file of at most `limit_bytes`.
///
/// A larger file is refused before anything is read, and one that grows meanwhile as soon as it
/// has outgrown the limit.
///
/// # Errors
///
/// [`FileError::NotFound`], [`FileError::NotRegular`], [`FileError::TooLarge`] or
/// [`FileError::Io`].
pub fn read_bounded(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
    let file = open::regular(path)?;
    let size_bytes = claimed_size(path, &file, limit_bytes)?;
    // The claim is only a hint, and no larger than the limit: a file that lies costs a growth.
    let mut bytes = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
    read_within(path, file, limit_bytes, &mut bytes)?;
    Ok(bytes)
}

/// Opens a regular file to be read by position, such as a bundle larger than memory.
///
/// # Errors
///
/// [`FileError::NotFound`], [`FileError::NotRegular`] or [`FileError::Io`].
pub fn open_read(path: &Path) -> Result<File, FileError> {
    open::regular(path)
}

/// Reads standard input to its end, at most `limit_bytes`.
///
/// # Errors
///
/// [`FileError::TooLarge`] or [`FileError::Io`]; their path is `standard input`.
pub fn read_stdin_bounded(limit_bytes: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    read_within(Path::new("standard input"), io::stdin().lock(), limit_bytes, &mut bytes)?;
    Ok(bytes)
}

/// The size of an open file, refused when over the limit.
pub(crate) fn claimed_size(path: &Path, file: &File, limit_bytes: u64) -> Result<u64, FileError> {
    let size_bytes = file.metadata().map_err(|e| FileError::from_io(path, e))?.len();
    if size_bytes > limit_bytes {
        return Err(FileError::TooLarge { path: path.to_path_buf(), limit_bytes, size_bytes });
    }
    Ok(size_bytes)
}

/// Appends what `reader` holds to `bytes`, one byte past the limit at most.
fn read_within(
    path: &Path,
    reader: impl Read,
    limit_bytes: u64,
    bytes: &mut Vec<u8>,
) -> Result<(), FileError> {
    let read = reader.take(limit_bytes.saturating_add(1)).read_to_end(bytes);
    let size_bytes = read.map_err(|e| FileError::from_io(path, e))? as u64;
    if size_bytes > limit_bytes {
        return Err(FileError::TooLarge { path: path.to_path_buf(), limit_bytes, size_bytes });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_never_ends_is_cut_one_byte_past_the_limit() {
        let mut bytes = Vec::new();
        let refused = read_within(Path::new("x"), io::repeat(7), 1000, &mut bytes).unwrap_err();
        assert!(
            matches!(refused, FileError::TooLarge { limit_bytes: 1000, size_bytes: 1001, .. }),
            "{refused:?}"
        );
        assert_eq!(bytes.len(), 1001);
    }

    #[test]
    fn a_source_of_exactly_the_limit_is_read() {
        let mut bytes = Vec::new();
        read_within(Path::new("x"), io::repeat(7).take(1000), 1000, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 1000);
    }
}
