//! Secrets: one name, our owner, nobody else's permission, no link on the way.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use recorder_fs::{FileError, read_secret, write_secret_new};

use crate::directory;

fn secret_in(root: &Path) -> PathBuf {
    let path = root.join("key");
    write_secret_new(&path, b"secret").unwrap();
    path
}

#[test]
fn a_private_file_is_read() {
    let (_dir, root) = directory();
    assert_eq!(**read_secret(&secret_in(&root), 6).unwrap(), *b"secret");
}

#[test]
fn a_linked_secret_is_refused() {
    let (_dir, root) = directory();
    secret_in(&root);
    symlink("key", root.join("link")).unwrap();
    let refused = read_secret(&root.join("link"), 100).unwrap_err();
    assert!(matches!(refused, FileError::SymlinkRefused { .. }), "{refused:?}");
}

#[test]
fn a_secret_below_a_linked_directory_is_refused() {
    let (_dir, root) = directory();
    std::fs::create_dir(root.join("real")).unwrap();
    secret_in(&root.join("real"));
    symlink("real", root.join("link")).unwrap();
    let refused = read_secret(&root.join("link/key"), 100).unwrap_err();
    assert!(matches!(refused, FileError::SymlinkRefused { .. }), "{refused:?}");
}

#[test]
fn a_secret_with_a_second_name_is_refused() {
    let (_dir, root) = directory();
    let path = secret_in(&root);
    std::fs::hard_link(&path, root.join("other")).unwrap();
    let refused = read_secret(&path, 100).unwrap_err();
    assert!(matches!(refused, FileError::HardLinked { link_count: 2, .. }), "{refused:?}");
}

#[test]
fn a_secret_that_others_may_touch_is_refused_with_the_remedy() {
    let (_dir, root) = directory();
    let path = secret_in(&root);
    for mode in [0o604, 0o640, 0o620, 0o602, 0o610, 0o601, 0o644] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = read_secret(&path, 100).unwrap_err();
        assert!(
            matches!(refused, FileError::PermissionsTooOpen { mode: found, .. } if found == mode),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }
}

/// Root gives a file away; anybody else finds one that root owns.
#[test]
fn a_secret_of_another_user_is_refused() {
    let (_dir, root) = directory();
    let path = if rustix::process::geteuid().is_root() {
        let path = secret_in(&root);
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        path
    } else {
        Path::new("/etc/passwd").canonicalize().unwrap()
    };
    let refused = read_secret(&path, 1 << 20).unwrap_err();
    assert!(matches!(refused, FileError::WrongOwner { .. }), "{refused:?}");
}

#[test]
fn an_oversize_secret_is_refused() {
    let (_dir, root) = directory();
    let refused = read_secret(&secret_in(&root), 5).unwrap_err();
    assert!(matches!(refused, FileError::TooLarge { limit_bytes: 5, size_bytes: 6, .. }));
}

#[cfg(target_os = "linux")]
#[test]
fn a_fifo_in_place_of_a_secret_does_not_block() {
    let (_dir, root) = directory();
    let path = root.join("fifo");
    crate::make_fifo(&path);
    let refused = crate::promptly(move || read_secret(&path, 100).unwrap_err());
    assert!(matches!(refused, FileError::NotRegular { .. }), "{refused:?}");
}

#[test]
fn a_directory_in_place_of_a_secret_is_refused() {
    let (_dir, root) = directory();
    let refused = read_secret(&root, 100).unwrap_err();
    assert!(matches!(refused, FileError::NotRegular { .. }), "{refused:?}");
}

#[test]
fn a_missing_secret_is_named() {
    let (_dir, root) = directory();
    let refused = read_secret(&root.join("none"), 100).unwrap_err();
    assert!(matches!(refused, FileError::NotFound { .. }), "{refused:?}");
}

#[test]
fn a_new_secret_is_for_its_owner_alone() {
    let (_dir, root) = directory();
    assert_eq!(secret_in(&root).metadata().unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_secret_is_not_written_below_a_link() {
    let (_dir, root) = directory();
    std::fs::create_dir(root.join("real")).unwrap();
    symlink("real", root.join("link")).unwrap();
    let refused = write_secret_new(&root.join("link/key"), b"secret").unwrap_err();
    assert!(matches!(refused, FileError::SymlinkRefused { .. }), "{refused:?}");
    assert_eq!(std::fs::read_dir(root.join("real")).unwrap().count(), 0);
}
