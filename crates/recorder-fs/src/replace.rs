//! A directory of our own made to hold certain files and no others.
//!
//! Every name is looked up relative to the directory before it and without following links, so that nothing outside is
//! written or removed, whatever is renamed meanwhile. A file is written beside its name and takes it in one step.
//! Deliberately absent: keeping what is there, replacing all files in one step (the caller names the one that comes
//! last), and waiting for the disk: what is made here can be made again.

use std::collections::BTreeMap;
use std::path::Path;

use crate::TreeError;

/// Makes `root` hold `files`, by their paths from there with `/` between names, and nothing of `strays`. The root, and
/// directories below it, are made where they are missing. The file `last` is written after all others.
///
/// # Errors
///
/// `TreeError` for a link or anything else that stands where a directory must, and for what the system refuses. What was
/// written before stays.
#[cfg(unix)]
pub fn replace_tree(
    root: &Path,
    files: &BTreeMap<String, Vec<u8>>,
    strays: &[String],
    last: &str,
) -> Result<(), TreeError> {
    let root = unix::Root::open(root)?;
    let (end, first): (Vec<_>, Vec<_>) = files.iter().partition(|(place, _)| *place == last);
    first.into_iter().try_for_each(|(place, bytes)| root.write(place, bytes))?;
    strays.iter().try_for_each(|place| root.remove(place))?;
    end.into_iter().try_for_each(|(place, bytes)| root.write(place, bytes))
}

/// Refuses: this system has no links to check.
///
/// # Errors
///
/// Always [`crate::FileError::Io`] of kind unsupported.
#[cfg(not(unix))]
pub fn replace_tree(
    root: &Path,
    _files: &BTreeMap<String, Vec<u8>>,
    _strays: &[String],
    _last: &str,
) -> Result<(), TreeError> {
    let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Err(crate::FileError::Io { path: root.to_path_buf(), source }.into())
}

/// The parts that need descriptors and their flags.
#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::Write as _;
    use std::os::fd::OwnedFd;
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, Mode, OFlags};
    use rustix::io::Errno;

    use crate::tree::unix::{open_root, refusal};
    use crate::{FileError, TreeError};

    /// What a file is called until its bytes are written.
    const UNFINISHED: &str = ".unfinished";

    pub(super) struct Root {
        path: PathBuf,
        directory: OwnedFd,
    }

    impl Root {
        pub(super) fn open(path: &Path) -> Result<Self, TreeError> {
            // Without the slash at its end, which would follow a link.
            let path: PathBuf = path.components().collect();
            match rustix::fs::mkdirat(CWD, &path, directory_mode()) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(FileError::from_io(&path, errno.into()).into()),
            }
            let directory = open_root(&path)?;
            Ok(Self { path, directory })
        }

        /// The directory of a file, made where it is missing, and the file's own name.
        fn directory<'p>(&self, place: &'p str) -> Result<(OwnedFd, &'p str), TreeError> {
            let mut names: Vec<&str> = place.split('/').collect();
            let last = names.pop().unwrap_or_default();
            let failed = |errno| refusal(&self.path.join(place), errno);
            let mut directory =
                self.directory.try_clone().map_err(|error| self.io(place, error))?;
            for name in names {
                match rustix::fs::mkdirat(&directory, name, directory_mode()) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(failed(errno)),
                }
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                directory =
                    rustix::fs::openat(&directory, name, flags, Mode::empty()).map_err(failed)?;
            }
            Ok((directory, last))
        }

        pub(super) fn write(&self, place: &str, bytes: &[u8]) -> Result<(), TreeError> {
            let (directory, name) = self.directory(place)?;
            let failed = |errno| refusal(&self.path.join(place), errno);
            // One that a run before left behind is nobody's.
            match rustix::fs::unlinkat(&directory, UNFINISHED, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno)),
            }
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o644);
            let file = rustix::fs::openat(&directory, UNFINISHED, flags, mode).map_err(failed)?;
            let mut file = File::from(file);
            file.write_all(bytes).map_err(|error| self.io(place, error))?;
            rustix::fs::renameat(&directory, UNFINISHED, &directory, name).map_err(failed)
        }

        /// Removes a file, and the directories above it that then hold nothing.
        pub(super) fn remove(&self, place: &str) -> Result<(), TreeError> {
            let mut place = place;
            let mut flags = AtFlags::empty();
            loop {
                let (directory, name) = self.directory(place)?;
                match rustix::fs::unlinkat(&directory, name, flags) {
                    Ok(()) => {}
                    Err(Errno::NOTEMPTY | Errno::EXIST) if flags == AtFlags::REMOVEDIR => {
                        return Ok(());
                    }
                    Err(errno) => return Err(refusal(&self.path.join(place), errno)),
                }
                let Some((above, _)) = place.rsplit_once('/') else { return Ok(()) };
                (place, flags) = (above, AtFlags::REMOVEDIR);
            }
        }

        fn io(&self, place: &str, error: std::io::Error) -> TreeError {
            FileError::from_io(&self.path.join(place), error).into()
        }
    }

    fn directory_mode() -> Mode {
        Mode::from_raw_mode(0o755)
    }
}

#[cfg(test)]
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "tests prepare and look at files directly")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        list.iter().map(|(place, text)| ((*place).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_tree_is_made_changed_and_rid_of_strays_with_their_directories() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("new");
        replace_tree(&root, &files(&[("a/b/c", "1"), ("z", "2"), ("old/x", "3")]), &[], "z")
            .unwrap();
        replace_tree(&root, &files(&[("a/b/c", "4"), ("z", "2")]), &["old/x".to_owned()], "z")
            .unwrap();
        assert_eq!(std::fs::read_to_string(root.join("a/b/c")).unwrap(), "4");
        assert!(!root.join("old").exists());
        let names: Vec<_> = std::fs::read_dir(root.join("a/b")).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn nothing_is_written_or_removed_through_a_link() {
        let above = tempfile::tempdir().unwrap();
        let outside = above.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "kept").unwrap();
        let root = above.path().join("root");
        symlink(&outside, &root).unwrap();
        let slashed = above.path().join("root/");
        for linked in [&root, &slashed] {
            let refused = replace_tree(linked, &files(&[("kept", "x")]), &[], "").unwrap_err();
            assert!(matches!(refused, TreeError::Link { .. }), "{refused}");
        }
        std::fs::remove_file(&root).unwrap();
        std::fs::create_dir(&root).unwrap();
        symlink(&outside, root.join("below")).unwrap();
        let written = replace_tree(&root, &files(&[("below/kept", "x")]), &[], "");
        let removed = replace_tree(&root, &files(&[]), &["below/kept".to_owned()], "");
        for refused in [written.unwrap_err(), removed.unwrap_err()] {
            assert!(
                matches!(refused, TreeError::Link { .. } | TreeError::NotRegular { .. }),
                "{refused}"
            );
        }
        assert_eq!(std::fs::read_to_string(outside.join("kept")).unwrap(), "kept");
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_and_not_followed() {
        let above = tempfile::tempdir().unwrap();
        let outside = above.path().join("outside");
        std::fs::write(&outside, "kept").unwrap();
        let root = above.path().join("root");
        std::fs::create_dir(&root).unwrap();
        symlink(&outside, root.join("file")).unwrap();
        replace_tree(&root, &files(&[("file", "x")]), &[], "").unwrap();
        assert_eq!(std::fs::read_to_string(&outside).unwrap(), "kept");
        assert_eq!(std::fs::read_to_string(root.join("file")).unwrap(), "x");
    }
}
