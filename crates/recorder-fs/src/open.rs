//! Opening a path without blocking on it, and directories and secrets without following links.
//!
//! Deliberately absent: opening for writing, but for locks, which hold nothing; `write` creates new files only.

use std::fs::File;
use std::path::Path;

use crate::FileError;

/// Opens `path` for reading, following links, and refuses anything but a regular file.
///
/// # Errors
///
/// [`FileError::NotRegular`] for a directory, FIFO, socket or device; never blocks on one.
#[cfg(unix)]
pub(crate) fn regular(path: &Path) -> Result<File, FileError> {
    let fd = rustix::fs::open(path, unix::file_flags(), rustix::fs::Mode::empty())
        .map_err(|errno| unix::refusal(path, errno))?;
    unix::admit_regular(path, File::from(fd))
}

/// Opens `path` for reading, following links, and refuses anything but a regular file.
#[cfg(not(unix))]
pub(crate) fn regular(path: &Path) -> Result<File, FileError> {
    let file = File::options().read(true).open(path).map_err(|e| FileError::from_io(path, e))?;
    let metadata = file.metadata().map_err(|e| FileError::from_io(path, e))?;
    if !metadata.is_file() {
        return Err(FileError::NotRegular { path: path.to_path_buf() });
    }
    Ok(file)
}

/// The parts that need descriptors and their flags.
#[cfg(unix)]
pub(crate) mod unix {
    use std::ffi::OsStr;
    use std::fs::File;
    use std::os::fd::OwnedFd;
    use std::path::{Component, Path};

    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
    use rustix::io::Errno;

    use crate::FileError;

    /// `NONBLOCK` so that a FIFO without a writer answers, `NOCTTY` so that a terminal is not adopted.
    pub(crate) fn file_flags() -> OFlags {
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC
    }

    /// A descriptor to look names up in, nothing more where the system has such a kind.
    fn directory_flags() -> OFlags {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        #[cfg(target_os = "linux")]
        let flags = flags | OFlags::PATH;
        flags
    }

    /// Opens a regular file of which no component, the last included, is a symbolic link.
    pub(crate) fn regular_without_symlinks(path: &Path) -> Result<File, FileError> {
        let fd = open_without_symlinks(path, file_flags())?;
        admit_regular(path, File::from(fd))
    }

    /// Opens the lock file at `path`, and makes it where it is missing.
    pub(crate) fn private_lock(path: &Path) -> Result<File, FileError> {
        check_directory_without_symlinks(crate::write::directory_of(path)?)?;
        let flags = file_flags() | OFlags::CREATE | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| refusal_of_links(path, errno))?;
        let file = admit_regular(path, File::from(fd))?;
        let metadata = file.metadata().map_err(|e| FileError::from_io(path, e))?;
        crate::secret::check_private(path, &metadata)?;
        Ok(file)
    }

    /// Refuses a directory of which any component is a symbolic link.
    pub(crate) fn check_directory_without_symlinks(path: &Path) -> Result<(), FileError> {
        open_without_symlinks(path, directory_flags()).map(drop)
    }

    #[cfg(target_os = "linux")]
    fn open_without_symlinks(path: &Path, flags: OFlags) -> Result<OwnedFd, FileError> {
        use rustix::fs::ResolveFlags;
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve) {
            Ok(fd) => Ok(fd),
            // Old kernels answer NOSYS and some container filters PERM. The walk is as strict,
            // so a file that is really not permitted is refused there again.
            Err(Errno::NOSYS | Errno::PERM) => walk_without_symlinks(path, flags),
            Err(errno) => Err(refusal_of_links(path, errno)),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_without_symlinks(path: &Path, flags: OFlags) -> Result<OwnedFd, FileError> {
        walk_without_symlinks(path, flags)
    }

    /// Opens one component after the other, each relative to the descriptor before it.
    pub(super) fn walk_without_symlinks(path: &Path, flags: OFlags) -> Result<OwnedFd, FileError> {
        let start = if path.is_absolute() { "/" } else { "." };
        let names: Vec<&OsStr> = path
            .components()
            .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
            .map(Component::as_os_str)
            .collect();
        let Some((last, parents)) = names.split_last() else {
            return rustix::fs::open(start, flags, Mode::empty()).map_err(|e| refusal(path, e));
        };
        let mut directory = rustix::fs::open(start, directory_flags(), Mode::empty())
            .map_err(|errno| refusal(path, errno))?;
        for name in parents {
            directory = open_component(path, &directory, name, directory_flags())?;
        }
        open_component(path, &directory, last, flags)
    }

    fn open_component(
        path: &Path,
        directory: &OwnedFd,
        name: &OsStr,
        flags: OFlags,
    ) -> Result<OwnedFd, FileError> {
        rustix::fs::openat(directory, name, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(
            |errno| {
                // `DIRECTORY` with `NOFOLLOW` answers NOTDIR on a link, and the BSDs MLINK or FTYPE.
                let is_symlink = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
                    .is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_symlink());
                refusal_of_links(path, if is_symlink { Errno::LOOP } else { errno })
            },
        )
    }

    /// Checks the kind on the open descriptor, then lets reads block again.
    pub(super) fn admit_regular(path: &Path, file: File) -> Result<File, FileError> {
        let metadata = file.metadata().map_err(|e| FileError::from_io(path, e))?;
        if !metadata.is_file() {
            return Err(FileError::NotRegular { path: path.to_path_buf() });
        }
        rustix::fs::fcntl_getfl(&file)
            .and_then(|flags| rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK))
            .map_err(|errno| refusal(path, errno))?;
        Ok(file)
    }

    /// Gives an error number its type where links are refused: `LOOP` is what one answers.
    fn refusal_of_links(path: &Path, errno: Errno) -> FileError {
        match errno {
            Errno::LOOP => FileError::SymlinkRefused { path: path.to_path_buf() },
            _ => refusal(path, errno),
        }
    }

    /// Gives an error number its type. `NXIO` is what opening a socket answers.
    pub(super) fn refusal(path: &Path, errno: Errno) -> FileError {
        match errno {
            Errno::NXIO => FileError::NotRegular { path: path.to_path_buf() },
            _ => FileError::from_io(path, errno.into()),
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    //! The walk is reached only where `openat2` is missing, so it is tested here by itself.

    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::unix::{file_flags, walk_without_symlinks};
    use super::*;

    fn directory_with_file() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        crate::write_new(&root.join("real/file"), b"x").unwrap();
        (dir, root)
    }

    #[test]
    fn the_walk_opens_a_path_without_links() {
        let (_dir, root) = directory_with_file();
        walk_without_symlinks(&root.join("real/file"), file_flags()).unwrap();
        walk_without_symlinks(&root.join("real/../real/./file"), file_flags()).unwrap();
    }

    #[test]
    fn the_walk_refuses_a_linked_file() {
        let (_dir, root) = directory_with_file();
        symlink("file", root.join("real/link")).unwrap();
        let refused = walk_without_symlinks(&root.join("real/link"), file_flags()).unwrap_err();
        assert!(matches!(refused, FileError::SymlinkRefused { .. }), "{refused:?}");
    }

    #[test]
    fn the_walk_refuses_a_linked_parent() {
        let (_dir, root) = directory_with_file();
        symlink("real", root.join("link")).unwrap();
        let refused = walk_without_symlinks(&root.join("link/file"), file_flags()).unwrap_err();
        assert!(matches!(refused, FileError::SymlinkRefused { .. }), "{refused:?}");
    }

    #[test]
    fn the_walk_says_when_nothing_is_there() {
        let (_dir, root) = directory_with_file();
        let refused = walk_without_symlinks(&root.join("none/file"), file_flags()).unwrap_err();
        assert!(matches!(refused, FileError::NotFound { .. }), "{refused:?}");
    }
}
