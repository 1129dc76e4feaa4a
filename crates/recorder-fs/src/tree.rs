//! A directory of somebody else's, read whole within bounds.
//!
//! Every name is looked up relative to the directory before it and opened without following links, so that nothing outside
//! is read, whatever is renamed meanwhile. What is not a directory or a plain file with one name is refused, never
//! passed over: whoever reads a tree must know that it is all there is. Unix only, where this can be checked.
//! Deliberately absent: reading less than all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::FileError;

/// What a tree may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TreeLimits {
    /// Files in all.
    pub files_max: usize,
    /// Entries of all kinds in one directory.
    pub entries_max: usize,
    /// Directories below each other, the outermost not counted.
    pub depth_max: usize,
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// Bytes of all files.
    pub total_bytes_max: u64,
}

/// Why a tree was not read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A symbolic link: what it names lies outside, or is there twice.
    #[error("{}: a symbolic link; a tree is read without following any", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A file that has another name: somebody else may write to it.
    #[error("{}: a file with {link_count} names; copy it instead of linking it", path.display())]
    HardLinked {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        link_count: u64,
    },
    /// A device, FIFO or socket.
    #[error("{}: neither a directory nor a plain file", path.display())]
    NotRegular {
        /// What was found.
        path: PathBuf,
    },
    /// A name that no text is.
    #[error("{}: holds a name that is not UTF-8", path.display())]
    NotUtf8 {
        /// The directory.
        path: PathBuf,
    },
    /// More than the limits allow.
    #[error("{}: more than {limit} {what}", path.display())]
    TooMuch {
        /// Where it was too much.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The system refused or failed, or nothing is there.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Reads every file below `root`, by its path from there with `/` between names.
///
/// # Errors
///
/// `TreeError` for the first thing that is not a directory or a plain file, that is over a limit, or that cannot be read.
#[cfg(unix)]
pub fn read_tree(root: &Path, limits: &TreeLimits) -> Result<BTreeMap<String, Vec<u8>>, TreeError> {
    let mut walk =
        unix::Walk { limits, bytes_left: limits.total_bytes_max, files: BTreeMap::new() };
    walk.directory(root, &unix::open_root(root)?, "", 0)?;
    Ok(walk.files)
}

/// Refuses: this system has no links to check.
///
/// # Errors
///
/// Always [`FileError::Io`] of kind unsupported.
#[cfg(not(unix))]
pub fn read_tree(
    root: &Path,
    _limits: &TreeLimits,
) -> Result<BTreeMap<String, Vec<u8>>, TreeError> {
    let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Err(FileError::Io { path: root.to_path_buf(), source }.into())
}

/// The parts that need descriptors and their flags.
#[cfg(unix)]
pub(crate) mod unix {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};

    use rustix::fs::{CWD, Dir, Mode, OFlags};
    use rustix::io::Errno;

    use super::{TreeError, TreeLimits};
    use crate::FileError;
    use crate::open::unix::file_flags;

    pub(super) struct Walk<'l> {
        pub(super) limits: &'l TreeLimits,
        pub(super) bytes_left: u64,
        pub(super) files: BTreeMap<String, Vec<u8>>,
    }

    fn directory_flags() -> OFlags {
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
    }

    /// Opens the outermost directory; links above it are the caller's.
    pub(crate) fn open_root(root: &Path) -> Result<OwnedFd, TreeError> {
        // Without a slash at its end, which would follow a link.
        let root: PathBuf = root.components().collect();
        rustix::fs::openat(CWD, &root, directory_flags(), Mode::empty())
            .map_err(|errno| refusal(&root, errno))
    }

    /// What is refused where `path` is not what it must be.
    pub(crate) fn refusal(path: &Path, errno: Errno) -> TreeError {
        let path_buf = || path.to_path_buf();
        match errno {
            Errno::LOOP => TreeError::Link { path: path_buf() },
            Errno::NOTDIR if path.is_symlink() => TreeError::Link { path: path_buf() },
            Errno::NOTDIR | Errno::NXIO => TreeError::NotRegular { path: path_buf() },
            _ => FileError::from_io(path, errno.into()).into(),
        }
    }

    impl Walk<'_> {
        pub(super) fn directory(
            &mut self,
            path: &Path,
            directory: &OwnedFd,
            prefix: &str,
            depth: usize,
        ) -> Result<(), TreeError> {
            for name in self.names(path, directory)? {
                let below = path.join(&name);
                let opened = rustix::fs::openat(
                    directory.as_fd(),
                    name.as_str(),
                    file_flags() | OFlags::NOFOLLOW,
                    Mode::empty(),
                );
                let file = File::from(opened.map_err(|errno| refusal(&below, errno))?);
                let metadata =
                    file.metadata().map_err(|error| FileError::from_io(&below, error))?;
                let place = format!("{prefix}{name}");
                if metadata.is_dir() {
                    if depth == self.limits.depth_max {
                        return Err(self.too_much(&below, "levels", depth as u64));
                    }
                    self.directory(&below, &file.into(), &format!("{place}/"), depth + 1)?;
                } else if !metadata.is_file() {
                    return Err(TreeError::NotRegular { path: below });
                } else if metadata.nlink() != 1 {
                    return Err(TreeError::HardLinked {
                        path: below,
                        link_count: metadata.nlink(),
                    });
                } else {
                    let bytes = self.file(&below, file)?;
                    self.files.insert(place, bytes);
                }
            }
            Ok(())
        }

        fn too_much(&self, path: &Path, what: &'static str, limit: u64) -> TreeError {
            TreeError::TooMuch { path: path.to_path_buf(), what, limit }
        }

        /// The names in a directory, in order.
        fn names(&self, path: &Path, directory: &OwnedFd) -> Result<Vec<String>, TreeError> {
            let failed = |errno: Errno| TreeError::from(FileError::from_io(path, errno.into()));
            let mut names = Vec::new();
            for entry in Dir::read_from(directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                if names.len() == self.limits.entries_max {
                    return Err(self.too_much(path, "names", names.len() as u64));
                }
                let name = std::str::from_utf8(name)
                    .map_err(|_| TreeError::NotUtf8 { path: path.to_path_buf() })?;
                names.push(name.to_owned());
            }
            names.sort();
            Ok(names)
        }

        fn file(&mut self, path: &Path, file: File) -> Result<Vec<u8>, TreeError> {
            if self.files.len() == self.limits.files_max {
                return Err(self.too_much(path, "files", self.limits.files_max as u64));
            }
            let file_max = self.limits.file_bytes_max;
            let (limit, what) = match self.bytes_left < file_max {
                true => (self.bytes_left, "bytes in all"),
                false => (file_max, "bytes"),
            };
            let failed = |error| FileError::from_io(path, error);
            let claimed = file.metadata().map_err(failed)?.len();
            let mut bytes = Vec::new();
            if claimed <= limit {
                bytes.reserve(usize::try_from(claimed).unwrap_or(0));
                file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
            }
            if claimed.max(bytes.len() as u64) > limit {
                let limit = if limit == file_max { limit } else { self.limits.total_bytes_max };
                return Err(self.too_much(path, what, limit));
            }
            self.bytes_left -= bytes.len() as u64;
            Ok(bytes)
        }
    }
}
