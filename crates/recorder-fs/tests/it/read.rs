//! Ordinary inputs: bounded, never blocking, links followed.

use std::io::{Read, Seek, SeekFrom};

use recorder_fs::{FileError, open_read, read_bounded, temp_spool};

use crate::directory;

#[test]
fn a_file_of_exactly_the_limit_is_read() {
    let (_dir, root) = directory();
    std::fs::write(root.join("f"), [7; 100]).unwrap();
    assert_eq!(read_bounded(&root.join("f"), 100).unwrap(), [7; 100]);
}

#[test]
fn a_file_over_the_limit_is_refused_with_its_size() {
    let (_dir, root) = directory();
    std::fs::write(root.join("f"), [7; 101]).unwrap();
    let refused = read_bounded(&root.join("f"), 100).unwrap_err();
    assert!(matches!(refused, FileError::TooLarge { limit_bytes: 100, size_bytes: 101, .. }));
}

/// A sparse file larger than memory: an attempt to read it first would not come back.
#[test]
fn an_oversize_file_is_refused_before_it_is_read() {
    let (_dir, root) = directory();
    let file = std::fs::File::create(root.join("f")).unwrap();
    file.set_len(1 << 42).unwrap();
    let refused = read_bounded(&root.join("f"), 100).unwrap_err();
    assert!(
        matches!(refused, FileError::TooLarge { size_bytes, .. } if size_bytes == 1 << 42),
        "{refused:?}"
    );
}

/// The kernel's own files claim to be empty and are not: the bound holds while reading, too.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_holds_more_than_it_claims_is_refused() {
    let refused = read_bounded("/proc/self/status".as_ref(), 16).unwrap_err();
    assert!(matches!(refused, FileError::TooLarge { size_bytes: 17, .. }), "{refused:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_fifo_is_refused_and_does_not_block() {
    let (_dir, root) = directory();
    let path = root.join("fifo");
    crate::make_fifo(&path);
    let opened = path.clone();
    let refused = crate::promptly(move || read_bounded(&path, 100).unwrap_err());
    assert!(matches!(refused, FileError::NotRegular { .. }), "{refused:?}");
    let refused = crate::promptly(move || open_read(&opened).unwrap_err());
    assert!(matches!(refused, FileError::NotRegular { .. }), "{refused:?}");
}

#[test]
fn directories_sockets_and_devices_are_refused() {
    let (_dir, root) = directory();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    for path in [root.clone(), root.join("socket"), "/dev/zero".into()] {
        let refused = read_bounded(&path, 100).unwrap_err();
        assert!(matches!(refused, FileError::NotRegular { .. }), "{refused:?}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let (_dir, root) = directory();
    let refused = read_bounded(&root.join("none"), 100).unwrap_err();
    assert!(matches!(refused, FileError::NotFound { .. }), "{refused:?}");
    assert!(refused.to_string().contains("none"), "{refused}");
}

#[test]
fn an_ordinary_input_may_be_a_link() {
    let (_dir, root) = directory();
    std::fs::write(root.join("f"), b"x").unwrap();
    std::os::unix::fs::symlink("f", root.join("link")).unwrap();
    assert_eq!(read_bounded(&root.join("link"), 100).unwrap(), b"x");
}

#[test]
fn an_opened_file_reads_by_position_and_blocks_again() {
    let (_dir, root) = directory();
    std::fs::write(root.join("f"), b"abc").unwrap();
    let mut file = open_read(&root.join("f")).unwrap();
    file.seek(SeekFrom::Start(1)).unwrap();
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"bc");
    let flags = rustix::fs::fcntl_getfl(&file).unwrap();
    assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
}

#[test]
fn a_spool_leaves_no_name_in_its_directory() {
    let (_dir, root) = directory();
    let mut spool = temp_spool(Some(&root)).unwrap();
    std::io::Write::write_all(&mut spool, b"abc").unwrap();
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0);
    spool.rewind().unwrap();
    let mut bytes = Vec::new();
    spool.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"abc");
}
