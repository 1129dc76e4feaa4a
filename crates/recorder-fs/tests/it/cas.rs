//! Compare and swap: one winner, old or new and never half, and only where nobody else can write.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use recorder_fs::{CasFile, FileError, Swap, create_private_directory, file_names};

use crate::directory;

const LIMIT: u64 = 1 << 20;

/// Names this test binary as one that swaps until it is killed.
const SWAPPER: &str = "RECORDER_FS_TEST_SWAPPER";

fn file(root: &Path) -> CasFile {
    CasFile::new(root.join("f"), LIMIT)
}

#[test]
fn a_file_is_replaced_only_by_who_knows_what_it_holds() {
    let (_dir, root) = directory();
    let file = file(&root);
    assert_eq!(file.read().unwrap(), None);
    assert_eq!(file.swap(Some(b"x"), b"1").unwrap(), Swap::Moved);
    assert_eq!(file.read().unwrap(), None);
    assert_eq!(file.swap(None, b"1").unwrap(), Swap::Done);
    for wrong in [None, Some(&b""[..]), Some(b"2"), Some(b"1 ")] {
        assert_eq!(file.swap(wrong, b"3").unwrap(), Swap::Moved);
    }
    assert_eq!(file.swap(Some(b"1"), b"").unwrap(), Swap::Done);
    // An empty file is not an absent one.
    assert_eq!(file.swap(None, b"3").unwrap(), Swap::Moved);
    assert_eq!(file.read().unwrap().unwrap(), b"");
    assert_eq!(file_names(&root, 1).unwrap(), ["f"]);
    let mode = root.join("f").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn of_many_concurrent_swappers_exactly_one_wins_each_round() {
    let (_dir, root) = directory();
    file(&root).swap(None, b"0").unwrap().then_must_be_done();
    for round in 1..20_u32 {
        let start = Barrier::new(8);
        let expected = file(&root).read().unwrap().unwrap();
        let winners: Vec<u32> = std::thread::scope(|scope| {
            let swappers: Vec<_> = (0..8_u32)
                .map(|swapper| {
                    let (start, expected, root) = (&start, &expected, &root);
                    scope.spawn(move || {
                        let mine = format!("{round} {swapper}");
                        start.wait();
                        let swap = file(root).swap(Some(expected), mine.as_bytes()).unwrap();
                        (swap == Swap::Done).then_some(swapper)
                    })
                })
                .collect();
            swappers.into_iter().filter_map(|swapper| swapper.join().unwrap()).collect()
        });
        assert_eq!(winners.len(), 1, "round {round}");
        let held = file(&root).read().unwrap().unwrap();
        assert_eq!(held, format!("{round} {}", winners[0]).as_bytes());
    }
}

trait Done {
    fn then_must_be_done(self);
}

impl Done for Swap {
    fn then_must_be_done(self) {
        assert_eq!(self, Swap::Done);
    }
}

/// A text that is whole only if all its bytes are one and the same.
fn text(number: u8) -> Vec<u8> {
    vec![number; 200_000]
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.len() == 200_000 && bytes.iter().all(|byte| *byte == bytes[0])
}

#[test]
fn a_reader_never_sees_half_a_swap() {
    let (_dir, root) = directory();
    file(&root).swap(None, &text(0)).unwrap().then_must_be_done();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..60 {
                let swap = file(&root).swap(Some(&text(number)), &text(number + 1)).unwrap();
                assert_eq!(swap, Swap::Done);
            }
            over.store(true, Ordering::SeqCst);
        });
        while !over.load(Ordering::SeqCst) {
            assert!(is_whole(&file(&root).read().unwrap().unwrap()));
        }
    });
    assert_eq!(file(&root).read().unwrap().unwrap()[0], 60);
}

/// Not a test of its own: the process that the next one kills. It swaps for ever where it is told to.
#[test]
fn a_swapper_that_is_told_to_never_stops() {
    let Some(root) = std::env::var_os(SWAPPER) else { return };
    let file = file(Path::new(&root));
    let mut held = file.read().unwrap();
    loop {
        let next = text(held.as_ref().map_or(0, |held| held[0].wrapping_add(1)));
        file.swap(held.as_deref(), &next).unwrap().then_must_be_done();
        held = Some(next);
    }
}

#[test]
fn a_killed_swapper_leaves_the_old_bytes_or_the_new_and_no_lock() {
    let (_dir, root) = directory();
    let mut random = 1_u32;
    for _ in 0..12 {
        let before = file(&root).read().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cas::a_swapper_that_is_told_to_never_stops"])
            .env(SWAPPER, &root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Killed a random moment after it has begun to swap.
        while file(&root).read().ok() == Some(before.clone()) {
            assert!(child.try_wait().unwrap().is_none(), "the swapper ended by itself");
        }
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        for _ in 0..random >> 10 {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let held = file(&root).read().unwrap().unwrap();
        assert!(is_whole(&held));
        let next = text(held[0].wrapping_add(1));
        file(&root).swap(Some(&held), &next).unwrap().then_must_be_done();
    }
}

#[test]
fn a_file_that_others_can_reach_is_neither_read_nor_replaced() {
    let (_dir, root) = directory();
    let file = file(&root);
    file.swap(None, b"1").unwrap().then_must_be_done();
    let set_mode = |name: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(root.join(name), permissions).unwrap();
    };
    set_mode("f", 0o620);
    let open = |error: FileError| matches!(error, FileError::PermissionsTooOpen { .. });
    assert!(open(file.read().unwrap_err()) && open(file.swap(Some(b"1"), b"2").unwrap_err()));
    set_mode("f", 0o600);
    set_mode(".lock", 0o666);
    assert!(open(file.swap(Some(b"1"), b"2").unwrap_err()));
    set_mode(".lock", 0o600);
    std::fs::rename(root.join("f"), root.join("real")).unwrap();
    symlink("real", root.join("f")).unwrap();
    let linked = |error: FileError| matches!(error, FileError::SymlinkRefused { .. });
    assert!(linked(file.read().unwrap_err()) && linked(file.swap(None, b"2").unwrap_err()));
    std::fs::remove_file(root.join(".lock")).unwrap();
    symlink("real", root.join(".lock")).unwrap();
    assert!(linked(file.swap(None, b"2").unwrap_err()));
    assert_eq!(std::fs::read(root.join("real")).unwrap(), b"1");
}

#[test]
fn too_many_bytes_are_refused_on_both_ways() {
    let (_dir, root) = directory();
    let small = CasFile::new(root.join("f"), 3);
    let large = |error: FileError| matches!(error, FileError::TooLarge { limit_bytes: 3, .. });
    assert!(large(small.swap(None, b"1234").unwrap_err()));
    assert_eq!(small.read().unwrap(), None);
    file(&root).swap(None, b"1234").unwrap().then_must_be_done();
    assert!(large(small.read().unwrap_err()));
}

#[test]
fn a_missing_directory_is_no_empty_file() {
    let (_dir, root) = directory();
    let file = CasFile::new(root.join("none/f"), LIMIT);
    assert_eq!(file.read().unwrap(), None);
    assert!(matches!(file.swap(None, b"1").unwrap_err(), FileError::NotFound { .. }));
}

#[test]
fn private_directories_are_made_down_to_the_last() {
    let (_dir, root) = directory();
    let path = root.join("a/b/c");
    create_private_directory(&path).unwrap();
    create_private_directory(&path).unwrap();
    for made in ["a", "a/b", "a/b/c"] {
        assert_eq!(root.join(made).metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    }
    std::fs::write(root.join("file"), b"").unwrap();
    assert!(create_private_directory(&root.join("file")).is_err());
    assert!(create_private_directory(&root.join("file/below")).is_err());
}

#[test]
fn names_are_sorted_and_bounded() {
    let (_dir, root) = directory();
    for name in ["b", "a", ".hidden"] {
        std::fs::write(root.join(name), b"").unwrap();
    }
    assert_eq!(file_names(&root, 2).unwrap(), ["a", "b"]);
    assert!(file_names(&root, 1).is_err());
    assert!(file_names(&root.join("none"), 1).unwrap().is_empty());
}
