//! C2SP `tlog-tiles`: the tree stored as runs of 256 hashes, eight levels apart.
//!
//! Coordinates and the way back from tiles to single nodes. Partial tiles are never stored here:
//! what they would hold is read from the full tiles and the leaves to the right of the last one.

use recorder_core::hash::{DIGEST_BYTES, TreeHash};

use super::proof::HashReader;
use super::{TREE_SIZE_MAX, node_hash};

/// Levels of the tree that one tile spans.
pub const TILE_HEIGHT: u8 = 8;

/// Hashes in a full tile.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// Bytes of a full tile.
pub const TILE_BYTES: usize = TILE_WIDTH * DIGEST_BYTES;

/// A tile's place: hash `n` of it is the root over `256^level` leaves from `(index × 256 + n) × 256^level`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TileCoordinates {
    /// Tile level: 0 holds leaf hashes.
    pub level: u8,
    /// Place in that level, from the left.
    pub index: u64,
}

impl TileCoordinates {
    /// Whether the tile has all its 256 hashes in a tree of `size` leaves.
    pub fn is_full_at(self, size: u64) -> bool {
        self.index < full_tile_count(self.level, size)
    }
}

/// Where the hashes under one node lie: `count` of them, from `first`, in one tile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NodeLocation {
    /// The tile.
    pub tile: TileCoordinates,
    /// Offset of the first hash within the tile.
    pub first: usize,
    /// A power of two, 1 to 128: the node is the root of the perfect tree over these.
    pub count: usize,
}

impl NodeLocation {
    /// Finds the tile of the node at `level` (height above the leaves) and `index` (from the left).
    ///
    /// `None` for a node that no log within `TREE_SIZE_MAX` has.
    pub fn of(level: u8, index: u64) -> Option<Self> {
        if index >= TREE_SIZE_MAX.checked_shr(level.into())? {
            return None;
        }
        let height = level % TILE_HEIGHT;
        let offset = index << height;
        let width = TILE_WIDTH as u64;
        Some(Self {
            tile: TileCoordinates { level: level / TILE_HEIGHT, index: offset / width },
            first: usize::try_from(offset % width).ok()?,
            count: 1 << height,
        })
    }
}

/// The tiles that become full when a tree grows from `old_size` to `new_size`: by level, then left to right.
///
/// A tile can be computed when its turn comes: those below it come first.
pub fn full_tiles_completed(old_size: u64, new_size: u64) -> impl Iterator<Item = TileCoordinates> {
    (0..u8::MAX).take_while(move |level| full_tile_count(*level, new_size) > 0).flat_map(
        move |level| {
            (full_tile_count(level, old_size)..full_tile_count(level, new_size))
                .map(move |index| TileCoordinates { level, index })
        },
    )
}

fn full_tile_count(level: u8, size: u64) -> u64 {
    let shift = (u32::from(level) + 1) * u32::from(TILE_HEIGHT);
    size.checked_shr(shift).unwrap_or(0)
}

/// The bytes of a tile, as C2SP serves it.
pub fn encode_tile(hashes: &[TreeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Reads the bytes of a full tile; `None` unless they are exactly `TILE_BYTES`.
pub fn decode_tile(bytes: &[u8]) -> Option<Vec<TreeHash>> {
    let (hashes, rest) = bytes.as_chunks::<DIGEST_BYTES>();
    (hashes.len() == TILE_WIDTH && rest.is_empty())
        .then(|| hashes.iter().copied().map(TreeHash::from_bytes).collect())
}

/// Where full tiles and leaf hashes are stored.
///
/// Both answer from immutable data and are asked only for what lies within the size given to the `TileReader`.
pub trait TileSource {
    /// Why a read failed.
    type Error;

    /// Reads the 256 hashes of a full tile.
    ///
    /// # Errors
    ///
    /// Where the tile is absent or could not be read.
    fn full_tile(&self, tile: TileCoordinates) -> Result<Vec<TreeHash>, Self::Error>;

    /// Reads the leaf hashes `first` to `first + count` (exclusive), all to the right of the last full tile.
    ///
    /// # Errors
    ///
    /// Where a leaf is absent or could not be read.
    fn leaf_hashes(&self, first: u64, count: usize) -> Result<Vec<TreeHash>, Self::Error>;

    /// The hashes of a tile that is not yet full, where somebody remembers them; else none.
    ///
    /// They spare reading every full tile below.
    fn partial_tile(&self, _tile: TileCoordinates) -> &[TreeHash] {
        &[]
    }
}

/// Why a node could not be read from tiles.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TileReadError<E> {
    /// The node is not a complete subtree of this tree.
    #[error("node {index} of level {level} is not complete in a tree of {size}")]
    NotComplete {
        /// Height above the leaves.
        level: u8,
        /// Place from the left.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The source gave another number of hashes than asked for.
    #[error("{expected} hashes asked for, {found} given")]
    Width {
        /// What was asked for.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// The source failed.
    #[error("cannot read stored tree hashes")]
    Source(#[source] E),
}

/// Reads single nodes of a tree of `size` leaves from full tiles and the leaves after them.
#[derive(Clone, Copy, Debug)]
pub struct TileReader<S> {
    source: S,
    size: u64,
}

impl<S: TileSource> TileReader<S> {
    /// Reads from `source`, which holds every tile that is full at `size` and every leaf hash below it.
    pub const fn new(source: S, size: u64) -> Self {
        Self { source, size }
    }

    fn full_tile(&self, tile: TileCoordinates) -> Result<Vec<TreeHash>, TileReadError<S::Error>> {
        let hashes = self.source.full_tile(tile).map_err(TileReadError::Source)?;
        check_width(hashes, TILE_WIDTH)
    }

    fn leaf_hashes(
        &self,
        location: NodeLocation,
    ) -> Result<Vec<TreeHash>, TileReadError<S::Error>> {
        let first = location.tile.index * TILE_WIDTH as u64 + location.first as u64;
        let hashes =
            self.source.leaf_hashes(first, location.count).map_err(TileReadError::Source)?;
        check_width(hashes, location.count)
    }
}

impl<S: TileSource> HashReader for TileReader<S> {
    type Error = TileReadError<S::Error>;

    fn node(&self, level: u8, index: u64) -> Result<TreeHash, Self::Error> {
        let not_complete = TileReadError::NotComplete { level, index, size: self.size };
        let location = NodeLocation::of(level, index).ok_or(not_complete)?;
        if (index + 1) << level > self.size {
            return Err(TileReadError::NotComplete { level, index, size: self.size });
        }
        let under = location.first..location.first + location.count;
        if location.tile.is_full_at(self.size) {
            return Ok(perfect_root(&self.full_tile(location.tile)?[under]));
        }
        if let Some(hashes) = self.source.partial_tile(location.tile).get(under) {
            return Ok(perfect_root(hashes));
        }
        if location.tile.level == 0 {
            return Ok(perfect_root(&self.leaf_hashes(location)?));
        }
        // The tile is partial, but each hash in it is the root of a full tile one level down.
        if location.count == 1 {
            let below = TileCoordinates { level: location.tile.level - 1, index };
            return Ok(perfect_root(&self.full_tile(below)?));
        }
        Ok(node_hash(&self.node(level - 1, index * 2)?, &self.node(level - 1, index * 2 + 1)?))
    }
}

fn check_width<E>(
    hashes: Vec<TreeHash>,
    expected: usize,
) -> Result<Vec<TreeHash>, TileReadError<E>> {
    if hashes.len() == expected {
        return Ok(hashes);
    }
    Err(TileReadError::Width { expected, found: hashes.len() })
}

/// The root over `hashes`, of which there are a power of two.
fn perfect_root(hashes: &[TreeHash]) -> TreeHash {
    match hashes {
        [] => super::EMPTY_ROOT,
        [hash] => *hash,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&perfect_root(left), &perfect_root(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::merkle::testing::{Leaves, leaves, naive_root};
    use crate::merkle::{
        ReadProofError, consistency_proof, inclusion_proof, root_at, verify_consistency,
        verify_inclusion,
    };

    /// Full tiles and, as a store would, only the leaves after the last full one.
    struct Stored {
        tiles: BTreeMap<TileCoordinates, Vec<TreeHash>>,
        leaves: BTreeMap<u64, TreeHash>,
    }

    #[derive(Debug, PartialEq)]
    struct Absent;

    impl TileSource for Stored {
        type Error = Absent;

        fn full_tile(&self, tile: TileCoordinates) -> Result<Vec<TreeHash>, Absent> {
            self.tiles.get(&tile).cloned().ok_or(Absent)
        }

        fn leaf_hashes(&self, first: u64, count: usize) -> Result<Vec<TreeHash>, Absent> {
            (first..first + count as u64)
                .map(|n| self.leaves.get(&n).copied().ok_or(Absent))
                .collect()
        }
    }

    fn stored(all: &[TreeHash]) -> Stored {
        let size = all.len() as u64;
        let mut tiles: BTreeMap<TileCoordinates, Vec<TreeHash>> = BTreeMap::new();
        for tile in full_tiles_completed(0, size) {
            let first = tile.index * 256;
            let hashes = (first..first + 256).map(|n| match tile.level {
                0 => all[n as usize],
                level => perfect_root(&tiles[&TileCoordinates { level: level - 1, index: n }]),
            });
            let hashes = hashes.collect();
            tiles.insert(tile, hashes);
        }
        let leaves = (size / 256 * 256..size).map(|n| (n, all[n as usize])).collect();
        Stored { tiles, leaves }
    }

    #[test]
    fn the_counts_of_full_tiles_are_those_of_the_specification() {
        let tiles: Vec<_> = full_tiles_completed(0, 70_000).collect();
        assert_eq!(tiles.iter().filter(|tile| tile.level == 0).count(), 273);
        assert_eq!(tiles.iter().filter(|tile| tile.level == 1).count(), 1);
        assert_eq!(tiles.len(), 274);
        assert_eq!(full_tiles_completed(0, 255).count(), 0);
        assert_eq!(full_tiles_completed(256, 511).count(), 0);
        assert_eq!(full_tiles_completed(300, 100).count(), 0);
        assert_eq!(
            full_tiles_completed(65_535, 65_536).collect::<Vec<_>>(),
            [TileCoordinates { level: 0, index: 255 }, TileCoordinates { level: 1, index: 0 }]
        );
        assert!(full_tiles_completed(TREE_SIZE_MAX - 1, TREE_SIZE_MAX).count() == 7);
    }

    #[test]
    fn growing_in_steps_completes_each_tile_once() {
        let whole: Vec<_> = full_tiles_completed(0, 70_000).collect();
        let mut steps: Vec<_> =
            (0..70).flat_map(|n| full_tiles_completed(n * 1_000, (n + 1) * 1_000)).collect();
        steps.sort_unstable();
        assert_eq!(steps, whole);
    }

    #[test]
    fn a_node_lies_where_the_specification_says() {
        let location = |level, index| NodeLocation::of(level, index).unwrap();
        let at = |level, index, first, count| NodeLocation {
            tile: TileCoordinates { level, index },
            first,
            count,
        };
        assert_eq!(location(0, 0), at(0, 0, 0, 1));
        assert_eq!(location(0, 257), at(0, 1, 1, 1));
        assert_eq!(location(7, 3), at(0, 1, 128, 128));
        assert_eq!(location(8, 256), at(1, 1, 0, 1));
        assert_eq!(location(9, 5), at(1, 0, 10, 2));
        assert_eq!(NodeLocation::of(62, 0).map(|node| node.tile.level), Some(7));
        for (level, index) in [(62, 1), (63, 0), (64, 0), (255, 0), (0, TREE_SIZE_MAX)] {
            assert_eq!(NodeLocation::of(level, index), None, "{level} {index}");
        }
    }

    #[test]
    fn tiles_and_edge_leaves_give_every_node_of_the_tree() {
        for size in [1_u64, 2, 255, 256, 257, 511, 777, 1_024] {
            let all = leaves(size);
            let reader = TileReader::new(stored(&all), size);
            for level in 0..=10_u8 {
                for index in 0..(size >> level) {
                    let first = (index << level) as usize;
                    let expected = naive_root(&all[first..first + (1 << level)]);
                    assert_eq!(reader.node(level, index), Ok(expected), "{size} {level} {index}");
                }
                let beyond = size >> level;
                assert!(matches!(
                    reader.node(level, beyond),
                    Err(TileReadError::NotComplete { .. })
                ));
            }
        }
    }

    #[test]
    fn proofs_over_two_levels_of_tiles_hold() {
        let size = 66_000;
        let all = leaves(size);
        let reader = TileReader::new(stored(&all), size);
        let root = root_at(&reader, size).unwrap();
        assert_eq!(root, naive_root(&all));
        for index in [0, 255, 256, 65_535, 65_536, 65_999] {
            let path = inclusion_proof(&reader, index, size).unwrap();
            assert_eq!(verify_inclusion(&all[index as usize], index, size, &path, &root), Ok(()));
        }
        for old_size in [1, 256, 257, 65_535, 65_536, 65_800] {
            let old_root = root_at(&reader, old_size).unwrap();
            let path = consistency_proof(&reader, old_size, size).unwrap();
            assert_eq!(verify_consistency(old_size, &old_root, size, &root, &path), Ok(()));
        }
    }

    #[test]
    fn a_missing_or_short_tile_is_an_error_and_not_a_hash() {
        let all = leaves(300);
        let mut source = stored(&all);
        let tile = TileCoordinates { level: 0, index: 0 };
        source.tiles.get_mut(&tile).unwrap().pop();
        let reader = TileReader::new(source, 300);
        let width = TileReadError::Width { expected: 256, found: 255 };
        assert_eq!(root_at(&reader, 300), Err(ReadProofError::Read(width)));
        let mut source = reader.source;
        source.tiles.clear();
        let reader = TileReader::new(source, 300);
        assert_eq!(root_at(&reader, 300), Err(ReadProofError::Read(TileReadError::Source(Absent))));
    }

    #[test]
    fn tile_bytes_are_the_hashes_one_after_another() {
        let hashes = leaves(256);
        let bytes = encode_tile(&hashes);
        assert_eq!(bytes.len(), TILE_BYTES);
        assert_eq!(&bytes[32..64], hashes[1].as_bytes());
        assert_eq!(decode_tile(&bytes).unwrap(), hashes);
        assert_eq!(decode_tile(&bytes[32..]), None);
        assert_eq!(decode_tile(&[bytes.clone(), vec![0]].concat()), None);
        let reader = Leaves(hashes);
        assert_eq!(reader.node(8, 0).unwrap(), perfect_root(&reader.0));
    }
}
