//! Reading somebody else's directory: all of it or nothing, and nothing outside.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use recorder_fs::{FileError, TreeError, TreeLimits, read_tree};

const LIMITS: TreeLimits = TreeLimits {
    files_max: 4,
    entries_max: 6,
    depth_max: 2,
    file_bytes_max: 10,
    total_bytes_max: 25,
};

fn tree() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("tree");
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    write(&root.join("one"), 10);
    write(&root.join("a/b/two"), 0);
    (directory, root)
}

fn write(path: &Path, bytes: usize) {
    std::fs::write(path, vec![b'x'; bytes]).unwrap();
}

fn refused(root: &Path) -> TreeError {
    read_tree(root, &LIMITS).unwrap_err()
}

#[test]
fn every_file_is_read_under_its_path() {
    let (_directory, root) = tree();
    let files = read_tree(&root, &LIMITS).unwrap();
    let names: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.len())).collect();
    assert_eq!(names, [("a/b/two", 0), ("one", 10)]);
}

#[test]
fn a_link_anywhere_refuses_the_tree() {
    let (_directory, root) = tree();
    symlink("one", root.join("a/link")).unwrap();
    assert!(matches!(refused(&root), TreeError::Link { path } if path.ends_with("a/link")));
    std::fs::remove_file(root.join("a/link")).unwrap();
    symlink("a", root.join("directory")).unwrap();
    assert!(matches!(refused(&root), TreeError::Link { path } if path.ends_with("directory")));
    std::fs::remove_file(root.join("directory")).unwrap();
    let link = root.with_file_name("link");
    symlink("tree", &link).unwrap();
    assert!(matches!(refused(&link), TreeError::Link { .. }));
    symlink("nowhere", root.join("dangling")).unwrap();
    assert!(matches!(refused(&root), TreeError::Link { .. }));
}

#[test]
fn what_is_no_plain_file_with_one_name_refuses_the_tree() {
    let (_directory, root) = tree();
    std::fs::hard_link(root.join("one"), root.join("again")).unwrap();
    assert!(matches!(refused(&root), TreeError::HardLinked { link_count: 2, .. }));
    std::fs::remove_file(root.join("again")).unwrap();
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), fifo, mode, 0).unwrap();
    assert!(matches!(refused(&root), TreeError::NotRegular { .. }));
    std::fs::remove_file(root.join("fifo")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    assert!(matches!(refused(&root), TreeError::NotRegular { .. }));
}

#[test]
fn a_file_or_nothing_is_no_tree() {
    let (_directory, root) = tree();
    assert!(matches!(refused(&root.join("one")), TreeError::NotRegular { .. }));
    assert!(matches!(refused(&root.join("none")), TreeError::File(FileError::NotFound { .. })));
}

#[test]
fn each_limit_is_held() {
    let what = |make: &dyn Fn(&Path)| {
        let (_directory, root) = tree();
        make(&root);
        match refused(&root) {
            TreeError::TooMuch { what, limit, .. } => (what, limit),
            other => panic!("{other}"),
        }
    };
    assert_eq!(what(&|root| write(&root.join("more"), 11)), ("bytes", 10));
    assert_eq!(
        what(&|root| {
            write(&root.join("p"), 10);
            write(&root.join("q"), 10);
        }),
        ("bytes in all", 25)
    );
    assert_eq!(
        what(&|root| ["p", "q", "r"].iter().for_each(|name| write(&root.join(name), 0))),
        ("files", 4)
    );
    assert_eq!(
        what(&|root| (0..9).for_each(|name| write(&root.join(name.to_string()), 0))),
        ("names", 6)
    );
    assert_eq!(what(&|root| std::fs::create_dir_all(root.join("a/b/c")).unwrap()), ("levels", 2));
}
