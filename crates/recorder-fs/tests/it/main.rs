//! Each refusal of this crate, met with the file that provokes it. Unix only, as its rules are.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests set up the files that are then refused, and their helpers fail like tests"
)]

mod cas;
mod read;
mod secret;
mod tree;
mod write;

use std::path::PathBuf;

/// A temporary directory by its real path: some systems reach theirs through a link.
fn directory() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

#[cfg(target_os = "linux")]
fn make_fifo(path: &std::path::Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Runs `read` on a thread of its own, so that one that blocks fails the test and does not hang it.
#[cfg(target_os = "linux")]
fn promptly<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(read()));
    receiver.recv_timeout(std::time::Duration::from_secs(10)).unwrap()
}
