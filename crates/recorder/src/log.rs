//! A stream's Merkle log: the growing right edge, and the stored tiles behind it.
//!
//! A tile is written once, when its 256 hashes are there; what is not yet full is kept in memory and rebuilt
//! from the last rows at start.

use std::sync::Arc;

use recorder_core::hash::{ChainHash, TreeHash};
use recorder_core::identity::StreamId;
use recorder_envelope::merkle::{
    self, EMPTY_ROOT, TILE_HEIGHT, TILE_WIDTH, TileCoordinates, TileReader, TileSource,
};
use recorder_store::{ReadError, Store, Tile};

/// The right edge of a log: for each tile level, the hashes of the tile that is not yet full.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogEdge {
    size: u64,
    levels: Vec<Vec<TreeHash>>,
}

impl LogEdge {
    /// Leaves in the log.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of `tile` so far; none where it is full or lies beyond the log.
    fn partial_tile(&self, tile: TileCoordinates) -> &[TreeHash] {
        let level = usize::from(tile.level);
        let shift = (u32::from(tile.level) + 1) * u32::from(TILE_HEIGHT);
        let is_edge = self.size.checked_shr(shift).unwrap_or(0) == tile.index;
        self.levels.get(level).filter(|_| is_edge).map_or(&[], Vec::as_slice)
    }

    /// Rebuilds the edge of a log of `size` leaves from what is stored.
    ///
    /// # Errors
    ///
    /// `ReadError` when rows or tiles are missing.
    pub fn rebuild(store: &dyn Store, stream: &StreamId, size: u64) -> Result<Self, ReadError> {
        let width = TILE_WIDTH as u64;
        let leaves = store.chain_hashes(stream, size - size % width..size)?;
        let mut levels = vec![leaves.iter().map(merkle::leaf_hash).collect::<Vec<_>>()];
        let mut units = size >> TILE_HEIGHT;
        while units > 0 {
            let below = (levels.len() - 1) as u8;
            let roots = (units - units % width..units)
                .map(|index| {
                    Ok(perfect_root(&store.tile(stream, TileCoordinates { level: below, index })?))
                })
                .collect::<Result<Vec<_>, ReadError>>()?;
            levels.push(roots);
            units >>= TILE_HEIGHT;
        }
        Ok(Self { size, levels })
    }

    /// Appends the leaf of `chain_hash`; tiles that become full go to `full`.
    pub fn push(&mut self, chain_hash: &ChainHash, full: &mut Vec<Tile>) {
        self.size += 1;
        let mut hash = merkle::leaf_hash(chain_hash);
        let mut units = self.size;
        for level in 0_u8.. {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::with_capacity(TILE_WIDTH));
            }
            let edge = &mut self.levels[usize::from(level)];
            edge.push(hash);
            if edge.len() < TILE_WIDTH {
                return;
            }
            hash = perfect_root(edge);
            units >>= TILE_HEIGHT;
            let hashes = std::mem::replace(edge, Vec::with_capacity(TILE_WIDTH));
            full.push(Tile { coordinates: TileCoordinates { level, index: units - 1 }, hashes });
        }
    }

    /// The root of the log.
    pub fn root(&self) -> TreeHash {
        // Perfect subtrees from left to right are those of the highest level first; RFC 6962 folds them from the right.
        let peaks = self.levels.iter().rev().flat_map(|edge| peaks(edge)).collect::<Vec<_>>();
        let mut from_right = peaks.into_iter().rev();
        let Some(last) = from_right.next() else { return EMPTY_ROOT };
        from_right.fold(last, |right, left| merkle::node_hash(&left, &right))
    }
}

/// Roots of the largest perfect subtrees over `hashes`, from left to right.
fn peaks(mut hashes: &[TreeHash]) -> Vec<TreeHash> {
    let mut roots = Vec::new();
    while !hashes.is_empty() {
        let width = 1 << hashes.len().ilog2();
        let (perfect, rest) = hashes.split_at(width);
        roots.push(perfect_root(perfect));
        hashes = rest;
    }
    roots
}

/// The root over a power of two of hashes.
fn perfect_root(hashes: &[TreeHash]) -> TreeHash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row =
            row.chunks(2).map(|pair| merkle::node_hash(&pair[0], &pair[pair.len() - 1])).collect();
    }
    row.first().copied().unwrap_or(EMPTY_ROOT)
}

/// Reads a stream's tiles and leaves from a store.
pub struct StoredTiles<'a> {
    store: &'a dyn Store,
    stream: &'a StreamId,
    edge: Option<Arc<LogEdge>>,
}

impl TileSource for StoredTiles<'_> {
    type Error = ReadError;

    fn full_tile(&self, tile: TileCoordinates) -> Result<Vec<TreeHash>, ReadError> {
        self.store.tile(self.stream, tile)
    }

    fn leaf_hashes(&self, first: u64, count: usize) -> Result<Vec<TreeHash>, ReadError> {
        let chain_hashes = self.store.chain_hashes(self.stream, first..first + count as u64)?;
        Ok(chain_hashes.iter().map(merkle::leaf_hash).collect())
    }

    fn partial_tile(&self, tile: TileCoordinates) -> &[TreeHash] {
        self.edge.as_ref().map_or(&[], |edge| edge.partial_tile(tile))
    }
}

/// Reads nodes of the log of `stream` at `size`, for proofs and roots. The right edge is made anew from the tiles
/// below it; a recorder that remembers it answers sooner (`Recorder::log_reader`).
pub fn reader<'a>(
    store: &'a dyn Store,
    stream: &'a StreamId,
    size: u64,
) -> TileReader<StoredTiles<'a>> {
    TileReader::new(StoredTiles { store, stream, edge: None }, size)
}

/// Reads nodes of the log of `stream` that ends in `edge`.
pub(crate) fn reader_with_edge<'a>(
    store: &'a dyn Store,
    stream: &'a StreamId,
    edge: Arc<LogEdge>,
) -> TileReader<StoredTiles<'a>> {
    let size = edge.size();
    TileReader::new(StoredTiles { store, stream, edge: Some(edge) }, size)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use recorder_envelope::merkle::CompactRange;

    use super::*;

    #[test]
    fn the_edge_has_the_root_of_the_whole_log() {
        let (mut edge, mut range, mut full) =
            (LogEdge::default(), CompactRange::empty(), Vec::new());
        assert_eq!(edge.root(), EMPTY_ROOT);
        for number in 0..66_000_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            let chain_hash = ChainHash::from_bytes(bytes);
            edge.push(&chain_hash, &mut full);
            range.push(merkle::leaf_hash(&chain_hash));
            if number < 600 || number % 1021 == 0 || number > 65_530 && number < 65_540 {
                assert_eq!(edge.root(), range.root().unwrap(), "size {}", number + 1);
            }
        }
        let expected = merkle::full_tiles_completed(0, 66_000).collect::<Vec<_>>();
        let mut written = full.iter().map(|tile| tile.coordinates).collect::<Vec<_>>();
        written.sort();
        assert_eq!(written, expected);
        assert!(full.iter().all(|tile| tile.hashes.len() == TILE_WIDTH));
    }

    /// A log whose tiles are only counted as they are read: what an edge must spare.
    struct Counted {
        tiles: BTreeMap<TileCoordinates, Vec<TreeHash>>,
        leaves: Vec<TreeHash>,
        edge: LogEdge,
        read_count: Cell<usize>,
    }

    impl TileSource for &Counted {
        type Error = ();

        fn full_tile(&self, tile: TileCoordinates) -> Result<Vec<TreeHash>, ()> {
            self.read_count.update(|count| count + 1);
            self.tiles.get(&tile).cloned().ok_or(())
        }

        fn leaf_hashes(&self, first: u64, count: usize) -> Result<Vec<TreeHash>, ()> {
            self.read_count.update(|count| count + 1);
            self.leaves.get(first as usize..first as usize + count).map(<[_]>::to_vec).ok_or(())
        }

        fn partial_tile(&self, tile: TileCoordinates) -> &[TreeHash] {
            self.edge.partial_tile(tile)
        }
    }

    #[test]
    fn a_proof_beside_the_edge_is_the_same_and_reads_few_tiles() {
        let (mut edge, mut full, mut leaves) = (LogEdge::default(), Vec::new(), Vec::new());
        for number in 0..66_341_u32 {
            let chain_hash =
                ChainHash::from_bytes(recorder_core::hash::sha256(&[&number.to_be_bytes()]));
            edge.push(&chain_hash, &mut full);
            leaves.push(merkle::leaf_hash(&chain_hash));
        }
        let size = edge.size();
        let tiles = full.into_iter().map(|tile| (tile.coordinates, tile.hashes)).collect();
        let log = Counted { tiles, leaves, edge, read_count: Cell::default() };
        let bare = Counted {
            tiles: log.tiles.clone(),
            leaves: log.leaves.clone(),
            edge: LogEdge::default(),
            read_count: Cell::default(),
        };
        for (position, tree_size) in
            [(0, size), (65_535, size), (66_340, size), (66_000, 66_100), (70, 300), (12, 65_536)]
        {
            log.read_count.set(0);
            let reader = TileReader::new(&log, size);
            let path = merkle::inclusion_proof(&reader, position, tree_size).unwrap();
            assert!(log.read_count.get() < 20, "{} reads", log.read_count.get());
            let anew = TileReader::new(&bare, tree_size);
            assert_eq!(path, merkle::inclusion_proof(&anew, position, tree_size).unwrap());
            let root = merkle::root_at(&anew, tree_size).unwrap();
            let leaf = &log.leaves[position as usize];
            merkle::verify_inclusion(leaf, position, tree_size, &path, &root).unwrap();
        }
    }
}
