//! Why a file was refused: what, where, and what to do about it.
//!
//! Deliberately absent: file contents. A message may be logged, so it names paths and numbers only.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file was not read or not written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing has this name.
    #[error("{}: not found; check the path", path.display())]
    NotFound {
        /// The name that was asked for.
        path: PathBuf,
    },
    /// The file holds more than its reader accepts.
    #[error(
        "{}: {size_bytes} bytes or more, and at most {limit_bytes} are accepted here",
        path.display()
    )]
    TooLarge {
        /// The file that was refused.
        path: PathBuf,
        /// The largest accepted size, in bytes.
        limit_bytes: u64,
        /// The size the file claims, or what had been read of a file that outgrew its claim.
        size_bytes: u64,
    },
    /// A directory, FIFO, socket or device stands where a file is expected.
    #[error("{}: not a regular file; give the path of a plain file", path.display())]
    NotRegular {
        /// What was found instead.
        path: PathBuf,
    },
    /// A symbolic link stands in the path of a secret.
    #[error(
        "{}: the path of a secret may not pass through a symbolic link; give the real path \
         (`realpath` prints it)",
        path.display()
    )]
    SymlinkRefused {
        /// The path as given; the link may be any of its components.
        path: PathBuf,
    },
    /// A secret has another name somewhere, or has already been unlinked.
    #[error(
        "{}: a secret must have exactly one name, and this one has {link_count}; \
         remove the other hard links or copy the file",
        path.display()
    )]
    HardLinked {
        /// The name that was asked for.
        path: PathBuf,
        /// How many names the file has.
        link_count: u64,
    },
    /// A secret belongs to somebody else.
    #[error(
        "{}: owned by user {owner_uid}, and this process runs as user {process_uid}; \
         `chown {process_uid}` the file or run as its owner",
        path.display()
    )]
    WrongOwner {
        /// The secret that was refused.
        path: PathBuf,
        /// Who owns it.
        owner_uid: u32,
        /// The effective user of this process.
        process_uid: u32,
    },
    /// Group or others may touch a secret.
    #[error(
        "{}: mode {mode:04o} lets other users at a secret; run `chmod 600` on it and consider \
         the secret exposed",
        path.display()
    )]
    PermissionsTooOpen {
        /// The secret that was refused.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something already has the name that was to be created.
    #[error("{}: already exists and is not overwritten; choose another name or remove it", path.display())]
    AlreadyExists {
        /// The name that is taken.
        path: PathBuf,
    },
    /// The operating system refused or failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory concerned.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
}

impl FileError {
    /// Gives an operating system's answer its type.
    pub(crate) fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::AlreadyExists => Self::AlreadyExists { path },
            io::ErrorKind::IsADirectory => Self::NotRegular { path },
            _ => Self::Io { path, source },
        }
    }
}
