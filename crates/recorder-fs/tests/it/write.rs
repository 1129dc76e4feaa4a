//! New files: whole or absent, and nothing that was there is lost.

use std::io::{Seek, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Barrier;

use recorder_fs::{Access, AtomicFile, FileError, Overwrite, write_new};

use crate::directory;

fn names(root: &Path) -> usize {
    std::fs::read_dir(root).unwrap().count()
}

#[test]
fn a_new_file_holds_its_bytes_and_leaves_nothing_beside_it() {
    let (_dir, root) = directory();
    write_new(&root.join("f"), b"new").unwrap();
    assert_eq!(std::fs::read(root.join("f")).unwrap(), b"new");
    assert_eq!(names(&root), 1);
}

#[test]
fn an_existing_file_is_not_overwritten() {
    let (_dir, root) = directory();
    std::fs::write(root.join("f"), b"old").unwrap();
    let refused = write_new(&root.join("f"), b"new").unwrap_err();
    assert!(matches!(refused, FileError::AlreadyExists { .. }), "{refused:?}");
    assert_eq!(std::fs::read(root.join("f")).unwrap(), b"old");
    assert_eq!(names(&root), 1);
}

#[test]
fn a_dangling_link_is_not_written_through() {
    let (_dir, root) = directory();
    symlink("elsewhere", root.join("f")).unwrap();
    let refused = write_new(&root.join("f"), b"new").unwrap_err();
    assert!(matches!(refused, FileError::AlreadyExists { .. }), "{refused:?}");
    assert!(!root.join("elsewhere").exists());
}

#[test]
fn of_many_concurrent_writers_exactly_one_wins_whole() {
    let (_dir, root) = directory();
    let path = root.join("f");
    let start = Barrier::new(8);
    let won: Vec<u8> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u8)
            .map(|writer| {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    start.wait();
                    match write_new(path, &[writer; 4096]) {
                        Ok(()) => Some(writer),
                        Err(FileError::AlreadyExists { .. }) => None,
                        Err(other) => panic!("{other:?}"),
                    }
                })
            })
            .collect();
        writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(std::fs::read(&path).unwrap(), [won[0]; 4096]);
    assert_eq!(names(&root), 1);
}

#[test]
fn a_dropped_file_leaves_the_old_one_and_no_trace() {
    let (_dir, root) = directory();
    std::fs::write(root.join("f"), b"old").unwrap();
    let mut file = AtomicFile::create(&root.join("f"), Access::Shared).unwrap();
    file.write_all(b"half").unwrap();
    drop(file);
    assert_eq!(std::fs::read(root.join("f")).unwrap(), b"old");
    assert_eq!(names(&root), 1);
}

#[test]
fn replacing_takes_the_name_and_not_the_target_of_a_link() {
    let (_dir, root) = directory();
    std::fs::write(root.join("elsewhere"), b"old").unwrap();
    symlink("elsewhere", root.join("f")).unwrap();
    let mut file = AtomicFile::create(&root.join("f"), Access::Shared).unwrap();
    file.write_all(b"xew").unwrap();
    file.rewind().unwrap();
    file.write_all(b"n").unwrap();
    file.commit(Overwrite::Replace).unwrap();
    assert_eq!(std::fs::read(root.join("f")).unwrap(), b"new");
    assert_eq!(std::fs::read(root.join("elsewhere")).unwrap(), b"old");
    assert!(!root.join("f").is_symlink());
}

#[test]
fn a_directory_is_not_replaced() {
    let (_dir, root) = directory();
    std::fs::create_dir(root.join("f")).unwrap();
    let file = AtomicFile::create(&root.join("f"), Access::Shared).unwrap();
    let refused = file.commit(Overwrite::Replace).unwrap_err();
    assert!(matches!(refused, FileError::NotRegular { .. }), "{refused:?}");
    assert_eq!(names(&root), 1);
}

#[test]
fn a_missing_directory_and_a_path_without_a_name_are_refused() {
    let (_dir, root) = directory();
    let refused = write_new(&root.join("none/f"), b"new").unwrap_err();
    assert!(matches!(refused, FileError::NotFound { .. }), "{refused:?}");
    let refused = write_new(&root.join(".."), b"new").unwrap_err();
    assert!(matches!(refused, FileError::NotRegular { .. }), "{refused:?}");
}
