//! Reading keys, passphrases and tokens.
//!
//! A secret is read only where nobody else could have put it, renamed it or read it: no symbolic
//! link anywhere in its path, one name, our owner, no permission for anybody else. All is decided
//! on the open descriptor. Deliberately absent: a switch to turn any of it off; and where the system
//! has no such permissions, secrets in files are refused.

use std::path::Path;

use zeroize::Zeroizing;

use crate::FileError;

/// Reads a secret of at most `limit_bytes` into memory that is cleared when dropped.
///
/// The buffer is allocated whole at the start, so growing leaves no copy behind.
///
/// # Errors
///
/// [`FileError::SymlinkRefused`], [`FileError::NotRegular`], [`FileError::HardLinked`],
/// [`FileError::WrongOwner`], [`FileError::PermissionsTooOpen`], [`FileError::TooLarge`],
/// [`FileError::NotFound`] or [`FileError::Io`].
#[cfg(unix)]
pub fn read_secret(path: &Path, limit_bytes: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = crate::open::unix::regular_without_symlinks(path)?;
    let metadata = file.metadata().map_err(|e| FileError::from_io(path, e))?;
    check_private(path, &metadata)?;
    crate::read::claimed_size(path, &file, limit_bytes)?;
    read_whole(path, file, limit_bytes)
}

/// Refuses: this system has no permissions to check.
///
/// # Errors
///
/// Always [`FileError::Io`] of kind unsupported.
#[cfg(not(unix))]
pub fn read_secret(path: &Path, _limit_bytes: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    Err(unsupported(path))
}

/// The refusal of every operation on secrets where they cannot be protected.
#[cfg(not(unix))]
pub(crate) fn unsupported(path: &Path) -> FileError {
    let source = std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "secrets in files are supported on Unix only, where their protection can be checked",
    );
    FileError::Io { path: path.to_path_buf(), source }
}

/// Refuses a file that anybody else could read, write or have put there.
#[cfg(unix)]
pub(crate) fn check_private(path: &Path, metadata: &std::fs::Metadata) -> Result<(), FileError> {
    use std::os::unix::fs::MetadataExt;

    let path = path.to_path_buf();
    let process_uid = rustix::process::geteuid().as_raw();
    if metadata.nlink() != 1 {
        return Err(FileError::HardLinked { path, link_count: metadata.nlink() });
    }
    if metadata.uid() != process_uid {
        return Err(FileError::WrongOwner { path, owner_uid: metadata.uid(), process_uid });
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(FileError::PermissionsTooOpen { path, mode: metadata.mode() & 0o7777 });
    }
    Ok(())
}

#[cfg(unix)]
fn read_whole(
    path: &Path,
    mut file: std::fs::File,
    limit_bytes: u64,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    use std::io::{ErrorKind, Read};

    let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX - 1);
    let mut secret = Zeroizing::new(vec![0; limit + 1]);
    let mut length = 0;
    while length <= limit {
        match file.read(&mut secret[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(FileError::from_io(path, e)),
        }
    }
    if length > limit {
        let size_bytes = length as u64;
        return Err(FileError::TooLarge { path: path.to_path_buf(), limit_bytes, size_bytes });
    }
    secret.truncate(length);
    Ok(secret)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_outgrew_its_claim_is_refused() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &[7; 11]).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let refused = read_whole(Path::new("x"), file, 10).unwrap_err();
        assert!(
            matches!(refused, FileError::TooLarge { limit_bytes: 10, size_bytes: 11, .. }),
            "{refused:?}"
        );
    }
}
