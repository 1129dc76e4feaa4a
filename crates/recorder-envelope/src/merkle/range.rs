//! `CompactRange`: the few hashes that stand for any run of leaves, in O(log n) memory.
//!
//! A writer keeps one as its frontier; a parallel verifier computes one a part and stitches them.
//! It cannot produce proofs: the hashes below its nodes are gone.

use recorder_core::hash::TreeHash;

use super::{EMPTY_ROOT, TREE_SIZE_MAX, node_hash};

/// A range that starts anywhere rises through at most 62 sizes and falls through as many.
const NODES_MAX: usize = 128;

/// The position of a perfect subtree: it covers leaves `index << level` to `(index + 1) << level`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subtree {
    /// Height above the leaves.
    pub level: u8,
    /// Place among the subtrees of that height, from the left.
    pub index: u64,
}

/// The maximal aligned perfect subtrees that cover the leaves `begin` to `end` (exclusive), left to right.
///
/// Empty where `begin >= end`.
pub fn subtrees(begin: u64, end: u64) -> impl Iterator<Item = Subtree> {
    let mut next = begin;
    std::iter::from_fn(move || {
        let level = end.checked_sub(next)?.checked_ilog2()?.min(next.trailing_zeros());
        let subtree = Subtree { level: level.try_into().ok()?, index: next >> level };
        next += 1 << level;
        Some(subtree)
    })
}

/// Why a range cannot be made, joined or asked for a root.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// The ranges do not touch: joining them would skip or repeat leaves.
    #[error("the next range begins at leaf {found}, expected {expected}")]
    NotAdjacent {
        /// Where the left range ends.
        expected: u64,
        /// Where the right range begins.
        found: u64,
    },
    /// Only a range from leaf 0 has a root.
    #[error("a range that begins at leaf {begin} has no root")]
    NotFromStart {
        /// Where the range begins.
        begin: u64,
    },
    /// The bounds are out of order or beyond `TREE_SIZE_MAX`.
    #[error("leaves {begin} to {end} are not a range of a log")]
    Bounds {
        /// The first leaf.
        begin: u64,
        /// The leaf after the last.
        end: u64,
    },
    /// The stored hashes are more or fewer than the bounds ask for.
    #[error("{found} hashes given for a range of {expected}")]
    NodeCount {
        /// What the bounds ask for.
        expected: usize,
        /// What was given.
        found: usize,
    },
}

/// The roots of the maximal aligned perfect subtrees that cover the leaves `begin` to `end` (exclusive).
///
/// Holds its hashes in place, so that neither `push` nor `append` allocates.
#[derive(Clone)]
pub struct CompactRange {
    begin: u64,
    end: u64,
    node_count: usize,
    nodes: [TreeHash; NODES_MAX],
}

impl CompactRange {
    /// An empty range before leaf `begin`.
    ///
    /// # Errors
    ///
    /// `Bounds` where `begin` is beyond `TREE_SIZE_MAX`.
    pub const fn starting_at(begin: u64) -> Result<Self, RangeError> {
        if begin > TREE_SIZE_MAX {
            return Err(RangeError::Bounds { begin, end: begin });
        }
        Ok(Self { begin, end: begin, node_count: 0, nodes: [EMPTY_ROOT; NODES_MAX] })
    }

    /// The empty log.
    pub const fn empty() -> Self {
        Self { begin: 0, end: 0, node_count: 0, nodes: [EMPTY_ROOT; NODES_MAX] }
    }

    /// Restores a range from the hashes that `nodes` once gave.
    ///
    /// # Errors
    ///
    /// `Bounds` where the bounds are out of order or beyond `TREE_SIZE_MAX`; `NodeCount` where the
    /// hashes are not as many as the bounds ask for. Whether they are the right ones cannot be seen here.
    pub fn from_nodes(begin: u64, end: u64, nodes: &[TreeHash]) -> Result<Self, RangeError> {
        if begin > end || end > TREE_SIZE_MAX {
            return Err(RangeError::Bounds { begin, end });
        }
        let expected = subtrees(begin, end).count();
        if nodes.len() != expected {
            return Err(RangeError::NodeCount { expected, found: nodes.len() });
        }
        let mut range = Self::starting_at(begin)?;
        range.nodes[..expected].copy_from_slice(nodes);
        range.node_count = expected;
        range.end = end;
        Ok(range)
    }

    /// The first leaf covered.
    pub const fn begin(&self) -> u64 {
        self.begin
    }

    /// The leaf after the last one covered. For a range from 0, the size of the tree.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Whether no leaf is covered.
    pub const fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    /// The roots of the subtrees that `subtrees(begin, end)` names, in that order.
    pub fn nodes(&self) -> &[TreeHash] {
        &self.nodes[..self.node_count]
    }

    /// Adds the next leaf hash.
    pub fn push(&mut self, leaf: TreeHash) {
        self.push_subtree(0, leaf);
    }

    /// Adds leaf hashes in order.
    pub fn extend(&mut self, leaves: impl IntoIterator<Item = TreeHash>) {
        for leaf in leaves {
            self.push(leaf);
        }
    }

    /// Joins the range that begins where this one ends.
    ///
    /// # Errors
    ///
    /// `NotAdjacent` where it begins elsewhere; this range is then unchanged.
    pub fn append(&mut self, next: &Self) -> Result<(), RangeError> {
        if next.begin != self.end {
            return Err(RangeError::NotAdjacent { expected: self.end, found: next.begin });
        }
        for (subtree, node) in subtrees(next.begin, next.end).zip(next.nodes()) {
            self.push_subtree(subtree.level, *node);
        }
        Ok(())
    }

    /// The RFC 6962 root of the leaves from 0 to `end`; `EMPTY_ROOT` where there are none.
    ///
    /// # Errors
    ///
    /// `NotFromStart` for a range that begins after leaf 0.
    pub fn root(&self) -> Result<TreeHash, RangeError> {
        if self.begin != 0 {
            return Err(RangeError::NotFromStart { begin: self.begin });
        }
        Ok(fold_right(self.nodes()).unwrap_or(EMPTY_ROOT))
    }

    // `end` is a multiple of 2^level: leaves always are, and `append` goes through another range's
    // subtrees, which are aligned.
    fn push_subtree(&mut self, mut level: u8, mut node: TreeHash) {
        let mut index = self.end >> level;
        self.end += 1 << level;
        // A right child whose sibling lies wholly in the range has it as the last node.
        while index & 1 == 1 && (index - 1) << level >= self.begin && self.node_count > 0 {
            self.node_count -= 1;
            node = node_hash(&self.nodes[self.node_count], &node);
            index >>= 1;
            level += 1;
        }
        self.nodes[self.node_count] = node;
        self.node_count += 1;
    }
}

impl PartialEq for CompactRange {
    fn eq(&self, other: &Self) -> bool {
        self.begin == other.begin && self.end == other.end && self.nodes() == other.nodes()
    }
}

impl Eq for CompactRange {}

impl std::fmt::Debug for CompactRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompactRange")
            .field("begin", &self.begin)
            .field("end", &self.end)
            .field("nodes", &self.nodes())
            .finish()
    }
}

/// Hashes the subtrees of an aligned range into its root: the last two first, then leftwards.
pub(super) fn fold_right(nodes: &[TreeHash]) -> Option<TreeHash> {
    let (last, rest) = nodes.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::testing::{leaves, naive_root};

    fn range(all: &[TreeHash], begin: usize, end: usize) -> CompactRange {
        let mut range = CompactRange::starting_at(begin as u64).unwrap();
        range.extend(all[begin..end].iter().copied());
        range
    }

    #[test]
    fn the_root_is_the_definition_at_every_size() {
        let all = leaves(300);
        let mut range = CompactRange::empty();
        for size in 0..=all.len() {
            assert_eq!(range.root().unwrap(), naive_root(&all[..size]), "size {size}");
            assert_eq!(range.end(), size as u64);
            if let Some(leaf) = all.get(size) {
                range.push(*leaf);
            }
        }
    }

    #[test]
    fn the_root_agrees_with_an_independent_implementation() {
        let mut oracle =
            ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        let mut range = CompactRange::empty();
        for (n, leaf) in leaves(130).into_iter().enumerate() {
            oracle.push((n as u64).to_be_bytes().to_vec());
            range.push(leaf);
            assert_eq!(&range.root().unwrap().as_bytes()[..], &oracle.root().as_bytes()[..]);
        }
    }

    #[test]
    fn every_node_is_the_root_of_the_subtree_that_it_stands_for() {
        let all = leaves(70);
        for begin in 0..all.len() {
            for end in begin..=all.len() {
                let range = range(&all, begin, end);
                let expected: Vec<TreeHash> = subtrees(begin as u64, end as u64)
                    .map(|Subtree { level, index }| {
                        let first = usize::try_from(index << level).unwrap();
                        naive_root(&all[first..first + (1 << level)])
                    })
                    .collect();
                assert_eq!(range.nodes(), expected, "{begin}..{end}");
            }
        }
    }

    #[test]
    fn subtrees_cover_a_range_once_and_fit_the_array() {
        let widest = TREE_SIZE_MAX - 1;
        for (begin, end) in [(0, 0), (0, 1), (1, 2), (5, 5), (6, 5), (3, 77), (1, widest)] {
            let mut next = begin;
            let mut count = 0;
            for subtree in subtrees(begin, end) {
                assert_eq!(subtree.index << subtree.level, next);
                next += 1 << subtree.level;
                count += 1;
            }
            assert_eq!(next, begin.max(end));
            assert!(count <= NODES_MAX);
        }
    }

    #[test]
    fn ranges_that_do_not_touch_are_not_joined() {
        let all = leaves(20);
        let mut left = range(&all, 0, 7);
        let before = left.clone();
        for (begin, end) in [(6, 9), (8, 9), (0, 7)] {
            let error = left.append(&range(&all, begin, end)).unwrap_err();
            assert_eq!(error, RangeError::NotAdjacent { expected: 7, found: begin as u64 });
            assert_eq!(left, before);
        }
    }

    #[test]
    fn a_range_from_the_middle_has_no_root() {
        let error = range(&leaves(4), 2, 4).root().unwrap_err();
        assert_eq!(error, RangeError::NotFromStart { begin: 2 });
    }

    #[test]
    fn a_restored_range_goes_on_as_the_original() {
        let all = leaves(50);
        for (begin, end) in [(0, 0), (0, 37), (5, 41)] {
            let mut original = range(&all, begin, end);
            let (from, to) = (begin as u64, end as u64);
            let mut restored = CompactRange::from_nodes(from, to, original.nodes()).unwrap();
            original.extend(all[end..].iter().copied());
            restored.extend(all[end..].iter().copied());
            assert_eq!(original, restored);
        }
    }

    #[test]
    fn impossible_bounds_and_counts_are_refused() {
        let node = leaves(1)[0];
        assert!(CompactRange::starting_at(TREE_SIZE_MAX + 1).is_err());
        assert!(CompactRange::from_nodes(2, 1, &[]).is_err());
        assert!(CompactRange::from_nodes(0, TREE_SIZE_MAX + 1, &[node]).is_err());
        assert!(CompactRange::from_nodes(0, TREE_SIZE_MAX, &[node]).is_ok());
        assert_eq!(
            CompactRange::from_nodes(0, 3, &[node]).unwrap_err(),
            RangeError::NodeCount { expected: 2, found: 1 }
        );
        assert!(CompactRange::from_nodes(0, 3, &[node; 3]).is_err());
    }

    proptest! {
        #[test]
        fn joining_parts_in_any_grouping_gives_the_whole(
            begin in 0_usize..40, first in 0_usize..90, second in 0_usize..90, third in 0_usize..90,
        ) {
            let all = leaves(310);
            let (b, c, d) = (begin + first, begin + first + second, begin + first + second + third);
            let whole = range(&all, begin, d);

            let mut left_first = range(&all, begin, b);
            left_first.append(&range(&all, b, c)).unwrap();
            left_first.append(&range(&all, c, d)).unwrap();
            prop_assert_eq!(&left_first, &whole);

            let mut right = range(&all, b, c);
            right.append(&range(&all, c, d)).unwrap();
            let mut right_first = range(&all, begin, b);
            right_first.append(&right).unwrap();
            prop_assert_eq!(&right_first, &whole);
        }
    }
}
