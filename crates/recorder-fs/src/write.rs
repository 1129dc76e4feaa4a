//! Writing whole files or nothing.
//!
//! The bytes go to a new file beside the target, reach the disk, and only then take the name; the
//! directory is synchronised before success is said. A crash at any line leaves the old file, or
//! none, and at worst a stray `.tmp…` beside it. Deliberately absent: writing into an existing file.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::FileError;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Everyone, as far as the process's umask lets them (mode 0644).
    Shared,
    /// The owner alone (mode 0600). The directory's path may not pass through a symbolic link.
    Owner,
}

/// What happens when the target's name is taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Overwrite {
    /// [`FileError::AlreadyExists`], and the file that is there is untouched.
    Refuse,
    /// The name passes to the new file in one step; a link is replaced, not followed.
    Replace,
}

/// Writes a new file that everyone may read. Never overwrites.
///
/// # Errors
///
/// [`FileError::AlreadyExists`], [`FileError::NotFound`] for a missing directory, or
/// [`FileError::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, bytes, Access::Shared)
}

/// Writes a new file that its owner alone may read (mode 0600). Never overwrites.
///
/// # Errors
///
/// As [`write_new`], and [`FileError::SymlinkRefused`] when [`crate::read_secret`] would refuse the
/// directory later. Where the system has no such permissions, always refused.
pub fn write_secret_new(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_with(path, bytes, Access::Owner)
}

/// Replaces a file by these bytes in one step, or writes it where there is none. A link is replaced, not followed.
///
/// # Errors
///
/// As [`write_new`], but for a name that is taken, and as [`write_secret_new`] under [`Access::Owner`].
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path, access)?;
    file.write_all(bytes).map_err(|e| FileError::from_io(path, e))?;
    file.commit(Overwrite::Replace)
}

fn write_with(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path, access)?;
    file.write_all(bytes).map_err(|e| FileError::from_io(path, e))?;
    file.commit(Overwrite::Refuse)
}

/// A file being written that has no name of its own until [`AtomicFile::commit`].
///
/// Dropped without commit, it is removed and the target is as it was.
#[derive(Debug)]
pub struct AtomicFile {
    file: NamedTempFile,
    target: PathBuf,
    directory: PathBuf,
}

impl AtomicFile {
    /// Starts a file that is to become `target`, in the same directory.
    ///
    /// # Errors
    ///
    /// [`FileError::NotFound`] when the directory is missing, [`FileError::SymlinkRefused`] for
    /// [`Access::Owner`] below a link, [`FileError::Io`] otherwise.
    pub fn create(target: &Path, access: Access) -> Result<Self, FileError> {
        let directory = directory_of(target)?;
        let file = match access {
            Access::Shared => create_shared(directory),
            Access::Owner => create_owned(directory)?,
        };
        let file = file.map_err(|e| FileError::from_io(directory, e))?;
        Ok(Self { file, target: target.to_path_buf(), directory: directory.to_path_buf() })
    }

    /// Makes the bytes durable and gives them their name.
    ///
    /// # Errors
    ///
    /// [`FileError::AlreadyExists`] under [`Overwrite::Refuse`]; [`FileError::Io`]. When only the
    /// last step fails, the synchronisation of the directory, the file has its name but may lose it
    /// in a power failure; the error then carries the directory's path.
    pub fn commit(self, overwrite: Overwrite) -> Result<(), FileError> {
        let Self { file, target, directory } = self;
        file.as_file().sync_all().map_err(|e| FileError::from_io(&target, e))?;
        let named = match overwrite {
            Overwrite::Refuse => file.persist_noclobber(&target),
            Overwrite::Replace => file.persist(&target),
        };
        named.map_err(|refused| FileError::from_io(&target, refused.error))?;
        sync_directory(&directory)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.as_file_mut().seek(position)
    }
}

/// The directory a file is to stand in; a path that names no file is refused.
pub(crate) fn directory_of(target: &Path) -> Result<&Path, FileError> {
    match (target.file_name(), target.parent()) {
        (Some(_), Some(parent)) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        (Some(_), Some(parent)) => Ok(parent),
        _ => Err(FileError::NotRegular { path: target.to_path_buf() }),
    }
}

#[cfg(unix)]
fn create_shared(directory: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;

    let readable = std::fs::Permissions::from_mode(0o644);
    tempfile::Builder::new().permissions(readable).tempfile_in(directory)
}

#[cfg(not(unix))]
fn create_shared(directory: &Path) -> io::Result<NamedTempFile> {
    NamedTempFile::new_in(directory)
}

/// The outer error is the refusal, the inner one the system's answer to the creation.
#[cfg(unix)]
fn create_owned(directory: &Path) -> Result<io::Result<NamedTempFile>, FileError> {
    crate::open::unix::check_directory_without_symlinks(directory)?;
    Ok(NamedTempFile::new_in(directory))
}

#[cfg(not(unix))]
fn create_owned(directory: &Path) -> Result<io::Result<NamedTempFile>, FileError> {
    Err(crate::secret::unsupported(directory))
}

/// Makes a new name durable: the file's own fsync does not cover the directory that lists it.
#[cfg(unix)]
pub(crate) fn sync_directory(directory: &Path) -> Result<(), FileError> {
    use rustix::fs::{Mode, OFlags};

    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty())
        .and_then(rustix::fs::fsync)
        .map_err(|errno| FileError::from_io(directory, errno.into()))
}

#[cfg(not(unix))]
pub(crate) fn sync_directory(_directory: &Path) -> Result<(), FileError> {
    Ok(())
}
