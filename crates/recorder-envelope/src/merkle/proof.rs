//! Inclusion and consistency proofs: made as RFC 6962 §2.1.1–2 defines them, checked as RFC 9162
//! §2.1.3.2 and §2.1.4.2 say, with exactly the hashes that the sizes ask for.
//!
//! A proof ties a leaf or an old root to a root. Who vouches for that root is not decided here.

use recorder_core::hash::TreeHash;

use super::range::{fold_right, subtrees};
use super::{EMPTY_ROOT, TREE_SIZE_MAX, node_hash};

/// Gives the roots of complete perfect subtrees.
///
/// `node(level, index)` is the root over the leaves `index << level` to `(index + 1) << level`
/// (exclusive). It is asked only for subtrees that lie wholly within the size in question, and
/// answers from immutable data: two calls with the same arguments give the same hash.
pub trait HashReader {
    /// Why a hash could not be read.
    type Error;

    /// Reads the root of one complete perfect subtree.
    ///
    /// # Errors
    ///
    /// Where the hash is not at hand or could not be read.
    fn node(&self, level: u8, index: u64) -> Result<TreeHash, Self::Error>;
}

/// Why no proof was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReadProofError<E> {
    /// The leaf is not in a tree of that size.
    #[error("leaf {index} is not in a tree of {size}")]
    IndexOutOfRange {
        /// The leaf asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The old tree is larger than the new one.
    #[error("a tree of {new_size} cannot extend one of {old_size}")]
    SizesOutOfOrder {
        /// The size that should be the smaller.
        old_size: u64,
        /// The size that should be the larger.
        new_size: u64,
    },
    /// The size is beyond `TREE_SIZE_MAX`.
    #[error("a tree of {size} is larger than a log can be")]
    TooLarge {
        /// The size asked for.
        size: u64,
    },
    /// A hash could not be read.
    #[error("cannot read a tree hash")]
    Read(#[source] E),
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// The leaf is not in a tree of that size.
    #[error("leaf {index} is not in a tree of {size}")]
    IndexOutOfRange {
        /// The leaf claimed.
        index: u64,
        /// The size claimed.
        size: u64,
    },
    /// The old tree is larger than the new one.
    #[error("a tree of {new_size} cannot extend one of {old_size}")]
    SizesOutOfOrder {
        /// The size that should be the smaller.
        old_size: u64,
        /// The size that should be the larger.
        new_size: u64,
    },
    /// The size is beyond `TREE_SIZE_MAX`.
    #[error("a tree of {size} is larger than a log can be")]
    TooLarge {
        /// The size claimed.
        size: u64,
    },
    /// Hashes are left over.
    #[error("the path holds more hashes than the sizes ask for")]
    PathTooLong,
    /// Hashes are missing.
    #[error("the path holds fewer hashes than the sizes ask for")]
    PathTooShort,
    /// The path does not lead to the old root.
    #[error("the path does not lead to the old root")]
    OldRootMismatch,
    /// The path does not lead to the root (of the new tree).
    #[error("the path does not lead to the root")]
    RootMismatch,
}

/// The root of the first `size` leaves; `EMPTY_ROOT` for none.
///
/// # Errors
///
/// `TooLarge` beyond `TREE_SIZE_MAX`; `Read` where the reader fails.
pub fn root_at<R: HashReader>(reader: &R, size: u64) -> Result<TreeHash, ReadProofError<R::Error>> {
    check_readable_size(size)?;
    if size == 0 { Ok(EMPTY_ROOT) } else { range_root(reader, 0, size) }
}

/// The audit path of leaf `index` in the tree of the first `size` leaves, leaf to root (RFC 6962 §2.1.1).
///
/// # Errors
///
/// `IndexOutOfRange` where `index >= size`; `TooLarge` beyond `TREE_SIZE_MAX`; `Read` where the reader fails.
pub fn inclusion_proof<R: HashReader>(
    reader: &R,
    index: u64,
    size: u64,
) -> Result<Vec<TreeHash>, ReadProofError<R::Error>> {
    check_readable_size(size)?;
    if index >= size {
        return Err(ReadProofError::IndexOutOfRange { index, size });
    }
    let (mut begin, mut end) = (0, size);
    let mut path = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            path.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(reader, begin, middle)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `new_size` leaves extends that of `old_size` (RFC 6962 §2.1.2).
///
/// Empty where the sizes are equal, or the old tree was empty: every tree extends that one.
///
/// # Errors
///
/// `SizesOutOfOrder` where `old_size > new_size`; `TooLarge` beyond `TREE_SIZE_MAX`; `Read` where the reader fails.
pub fn consistency_proof<R: HashReader>(
    reader: &R,
    old_size: u64,
    new_size: u64,
) -> Result<Vec<TreeHash>, ReadProofError<R::Error>> {
    check_readable_size(new_size)?;
    if old_size > new_size {
        return Err(ReadProofError::SizesOutOfOrder { old_size, new_size });
    }
    let mut path = Vec::new();
    if old_size == 0 {
        return Ok(path);
    }
    let (mut begin, mut end) = (0, new_size);
    while end != old_size {
        let middle = begin + split(end - begin);
        if old_size <= middle {
            path.push(range_root(reader, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(reader, begin, middle)?);
            begin = middle;
        }
    }
    // The old tree as a whole is what the verifier brings along; any smaller part of it is not.
    if begin != 0 {
        path.push(range_root(reader, begin, end)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that the leaf with hash `leaf` is number `index` of the `size` leaves under `root`.
///
/// # Errors
///
/// `ProofError`, by what is wrong first: the numbers, the length of the path, the root.
pub fn verify_inclusion(
    leaf: &TreeHash,
    index: u64,
    size: u64,
    path: &[TreeHash],
    root: &TreeHash,
) -> Result<(), ProofError> {
    check_claimed_size(size)?;
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut climb = Climb { node: index, last: size - 1 };
    let mut hash = *leaf;
    for sibling in path {
        hash = match climb.step()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    climb.finish()?;
    if hash == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Checks that the log of `new_size` leaves under `new_root` extends that of `old_size` under `old_root`.
///
/// An old size of 0 holds for `EMPTY_ROOT` and an empty path only; equal sizes for equal roots and an
/// empty path only.
///
/// # Errors
///
/// `ProofError`, by what is wrong first: the numbers, the length of the path, the roots.
pub fn verify_consistency(
    old_size: u64,
    old_root: &TreeHash,
    new_size: u64,
    new_root: &TreeHash,
    path: &[TreeHash],
) -> Result<(), ProofError> {
    check_claimed_size(new_size)?;
    if old_size > new_size {
        return Err(ProofError::SizesOutOfOrder { old_size, new_size });
    }
    if old_size == 0 || old_size == new_size {
        return verify_trivial_consistency(old_size, old_root, new_size, new_root, path);
    }
    // A power of two is one perfect subtree of the new tree: its root is the old root itself.
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, path)
    } else {
        path.split_first().ok_or(ProofError::PathTooShort)?
    };
    let shift = (old_size - 1).trailing_ones();
    let mut climb = Climb { node: (old_size - 1) >> shift, last: (new_size - 1) >> shift };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        match climb.step()? {
            Side::Left => {
                old_hash = node_hash(sibling, &old_hash);
                new_hash = node_hash(sibling, &new_hash);
            }
            Side::Right => new_hash = node_hash(&new_hash, sibling),
        }
    }
    climb.finish()?;
    if old_hash != *old_root {
        return Err(ProofError::OldRootMismatch);
    }
    if new_hash == *new_root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

fn verify_trivial_consistency(
    old_size: u64,
    old_root: &TreeHash,
    new_size: u64,
    new_root: &TreeHash,
    path: &[TreeHash],
) -> Result<(), ProofError> {
    if !path.is_empty() {
        return Err(ProofError::PathTooLong);
    }
    if old_size == 0 && *old_root != EMPTY_ROOT {
        return Err(ProofError::OldRootMismatch);
    }
    if old_size == new_size && old_root != new_root {
        return Err(ProofError::RootMismatch);
    }
    Ok(())
}

/// On which side of the climbing node the next hash of the path stands.
enum Side {
    Left,
    Right,
}

/// The climb of RFC 9162 §2.1.3.2: a node and the last node of its level, both numbered from the left.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    // Levels on which the node has no sibling are skipped: there the tree has no node of its own.
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::PathTooLong);
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            while self.node & 1 == 0 && self.node != 0 {
                self.rise();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.rise();
        Ok(side)
    }

    const fn rise(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    const fn finish(&self) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::PathTooShort) }
    }
}

/// The largest power of two smaller than `count`, which is at least 2.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root of `begin` to `end`, where `begin` is aligned for a subtree of that many leaves.
fn range_root<R: HashReader>(
    reader: &R,
    begin: u64,
    end: u64,
) -> Result<TreeHash, ReadProofError<R::Error>> {
    let nodes: Vec<TreeHash> = subtrees(begin, end)
        .map(|subtree| reader.node(subtree.level, subtree.index).map_err(ReadProofError::Read))
        .collect::<Result<_, _>>()?;
    Ok(fold_right(&nodes).unwrap_or(EMPTY_ROOT))
}

const fn check_readable_size<E>(size: u64) -> Result<(), ReadProofError<E>> {
    if size > TREE_SIZE_MAX { Err(ReadProofError::TooLarge { size }) } else { Ok(()) }
}

const fn check_claimed_size(size: u64) -> Result<(), ProofError> {
    if size > TREE_SIZE_MAX { Err(ProofError::TooLarge { size }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::testing::{Leaves, leaves, naive_root, naive_split};

    const SIZE_MAX: u64 = 130;

    /// PATH of RFC 6962 §2.1.1, word for word.
    fn naive_path(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let split = naive_split(leaves.len());
        let (left, right) = leaves.split_at(split);
        let (mut path, sibling) = if index < split {
            (naive_path(index, left), naive_root(right))
        } else {
            (naive_path(index - split, right), naive_root(left))
        };
        path.push(sibling);
        path
    }

    /// SUBPROOF of RFC 6962 §2.1.2, word for word.
    fn naive_subproof(old_size: usize, leaves: &[TreeHash], known: bool) -> Vec<TreeHash> {
        if old_size == leaves.len() {
            return if known { Vec::new() } else { vec![naive_root(leaves)] };
        }
        let split = naive_split(leaves.len());
        let (left, right) = leaves.split_at(split);
        let (mut path, sibling) = if old_size <= split {
            (naive_subproof(old_size, left, known), naive_root(right))
        } else {
            (naive_subproof(old_size - split, right, false), naive_root(left))
        };
        path.push(sibling);
        path
    }

    fn flipped(hash: &TreeHash) -> TreeHash {
        let mut bytes = *hash.as_bytes();
        bytes[31] ^= 1;
        TreeHash::from_bytes(bytes)
    }

    /// Every way to damage a path that leaves it a list of hashes.
    fn damaged(path: &[TreeHash]) -> Vec<Vec<TreeHash>> {
        let mut all = Vec::new();
        for n in 0..path.len() {
            let mut changed = path.to_vec();
            changed[n] = flipped(&path[n]);
            all.push(changed);
            let mut missing = path.to_vec();
            missing.remove(n);
            all.push(missing);
        }
        for extra in [EMPTY_ROOT, *path.first().unwrap_or(&EMPTY_ROOT)] {
            all.push([path, &[extra]].concat());
            all.push([&[extra], path].concat());
        }
        if path.len() > 1 {
            let mut reversed = path.to_vec();
            reversed.reverse();
            all.push(reversed);
        }
        all
    }

    #[test]
    fn every_leaf_of_every_size_is_proven_and_only_there() {
        let reader = Leaves(leaves(SIZE_MAX));
        for size in 1..=SIZE_MAX {
            let tree = &reader.0[..size as usize];
            let root = naive_root(tree);
            for index in 0..size {
                let leaf = &tree[index as usize];
                let path = inclusion_proof(&reader, index, size).unwrap();
                assert_eq!(path, naive_path(index as usize, tree), "{index} of {size}");
                assert_eq!(verify_inclusion(leaf, index, size, &path, &root), Ok(()));
                for wrong in [index.wrapping_sub(1), index + 1, size, u64::MAX] {
                    assert!(verify_inclusion(leaf, wrong, size, &path, &root).is_err());
                }
                let wrong_leaf = verify_inclusion(&flipped(leaf), index, size, &path, &root);
                assert_eq!(wrong_leaf, Err(ProofError::RootMismatch));
                let wrong_root = verify_inclusion(leaf, index, size, &path, &flipped(&root));
                assert_eq!(wrong_root, Err(ProofError::RootMismatch));
            }
        }
    }

    #[test]
    fn every_size_is_proven_to_extend_every_smaller_one() {
        let reader = Leaves(leaves(SIZE_MAX));
        for new_size in 1..=SIZE_MAX {
            let tree = &reader.0[..new_size as usize];
            let new_root = naive_root(tree);
            for old_size in 1..=new_size {
                let old_root = naive_root(&tree[..old_size as usize]);
                let path = consistency_proof(&reader, old_size, new_size).unwrap();
                let expected = naive_subproof(old_size as usize, tree, true);
                assert_eq!(path, expected, "{old_size} to {new_size}");
                let verify = |old_root: &TreeHash, new_root: &TreeHash| {
                    verify_consistency(old_size, old_root, new_size, new_root, &path)
                };
                assert_eq!(verify(&old_root, &new_root), Ok(()));
                assert!(verify(&flipped(&old_root), &new_root).is_err());
                assert_eq!(verify(&old_root, &flipped(&new_root)), Err(ProofError::RootMismatch));
                assert!(old_size == new_size || verify(&new_root, &old_root).is_err());
            }
        }
    }

    #[test]
    fn a_damaged_inclusion_path_never_verifies() {
        let reader = Leaves(leaves(40));
        for size in [1, 2, 3, 7, 8, 33, 40] {
            let root = naive_root(&reader.0[..size as usize]);
            for index in 0..size {
                let leaf = &reader.0[index as usize];
                let path = inclusion_proof(&reader, index, size).unwrap();
                for wrong in damaged(&path).into_iter().filter(|wrong| *wrong != path) {
                    let error = verify_inclusion(leaf, index, size, &wrong, &root).unwrap_err();
                    let expected: &[ProofError] = match wrong.len().cmp(&path.len()) {
                        std::cmp::Ordering::Less => &[ProofError::PathTooShort],
                        std::cmp::Ordering::Equal => &[ProofError::RootMismatch],
                        std::cmp::Ordering::Greater => &[ProofError::PathTooLong],
                    };
                    assert!(expected.contains(&error), "{index} of {size}: {error}");
                }
            }
        }
    }

    #[test]
    fn a_damaged_consistency_path_never_verifies() {
        let reader = Leaves(leaves(40));
        for new_size in [2, 3, 7, 8, 33, 40] {
            let new_root = naive_root(&reader.0[..new_size as usize]);
            for old_size in 1..new_size {
                let old_root = naive_root(&reader.0[..old_size as usize]);
                let path = consistency_proof(&reader, old_size, new_size).unwrap();
                for wrong in damaged(&path).into_iter().filter(|wrong| *wrong != path) {
                    let result =
                        verify_consistency(old_size, &old_root, new_size, &new_root, &wrong);
                    assert!(result.is_err(), "{old_size} to {new_size}");
                }
            }
        }
    }

    #[test]
    fn a_log_that_rewrote_an_old_entry_is_not_consistent() {
        let honest = Leaves(leaves(20));
        let mut rewritten = leaves(20);
        rewritten[3] = flipped(&rewritten[3]);
        let forged = Leaves(rewritten);
        let old_root = root_at(&honest, 13).unwrap();
        let new_root = root_at(&forged, 20).unwrap();
        let path = consistency_proof(&forged, 13, 20).unwrap();
        assert_eq!(
            verify_consistency(13, &old_root, 20, &new_root, &path),
            Err(ProofError::OldRootMismatch)
        );
    }

    #[test]
    fn an_empty_log_is_extended_by_every_log_and_by_nothing_else() {
        let root = root_at(&Leaves(leaves(5)), 5).unwrap();
        let check = |old_root, path: &[TreeHash]| verify_consistency(0, old_root, 5, &root, path);
        assert_eq!(check(&EMPTY_ROOT, &[]), Ok(()));
        assert_eq!(check(&root, &[]), Err(ProofError::OldRootMismatch));
        assert_eq!(check(&EMPTY_ROOT, &[root]), Err(ProofError::PathTooLong));
        assert_eq!(verify_consistency(0, &EMPTY_ROOT, 0, &EMPTY_ROOT, &[]), Ok(()));
        assert!(verify_consistency(0, &EMPTY_ROOT, 0, &root, &[]).is_err());
        assert!(verify_consistency(0, &root, 0, &root, &[]).is_err());
    }

    #[test]
    fn equal_sizes_need_equal_roots_and_no_path() {
        let reader = Leaves(leaves(6));
        let root = root_at(&reader, 6).unwrap();
        assert_eq!(consistency_proof(&reader, 6, 6).unwrap(), []);
        assert_eq!(verify_consistency(6, &root, 6, &root, &[]), Ok(()));
        assert_eq!(
            verify_consistency(6, &flipped(&root), 6, &root, &[]),
            Err(ProofError::RootMismatch)
        );
        assert_eq!(verify_consistency(6, &root, 6, &root, &[root]), Err(ProofError::PathTooLong));
    }

    #[test]
    fn numbers_that_no_log_has_are_refused_before_any_hash_is_read() {
        let reader = Leaves(Vec::new());
        let beyond = TREE_SIZE_MAX + 1;
        assert_eq!(root_at(&reader, 0), Ok(EMPTY_ROOT));
        assert_eq!(root_at(&reader, beyond), Err(ReadProofError::TooLarge { size: beyond }));
        assert_eq!(
            inclusion_proof(&reader, 3, 3),
            Err(ReadProofError::IndexOutOfRange { index: 3, size: 3 })
        );
        assert_eq!(
            inclusion_proof(&reader, 0, 0),
            Err(ReadProofError::IndexOutOfRange { index: 0, size: 0 })
        );
        assert_eq!(
            consistency_proof(&reader, 4, 3),
            Err(ReadProofError::SizesOutOfOrder { old_size: 4, new_size: 3 })
        );
        let hash = EMPTY_ROOT;
        assert_eq!(
            verify_inclusion(&hash, 0, 0, &[], &hash),
            Err(ProofError::IndexOutOfRange { index: 0, size: 0 })
        );
        assert_eq!(
            verify_inclusion(&hash, 0, u64::MAX, &[], &hash),
            Err(ProofError::TooLarge { size: u64::MAX })
        );
        assert_eq!(
            verify_consistency(4, &hash, 3, &hash, &[]),
            Err(ProofError::SizesOutOfOrder { old_size: 4, new_size: 3 })
        );
        assert_eq!(
            verify_consistency(1, &hash, u64::MAX, &hash, &[]),
            Err(ProofError::TooLarge { size: u64::MAX })
        );
    }
}
