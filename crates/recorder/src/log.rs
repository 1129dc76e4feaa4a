//! A stream's Merkle log: the growing right edge, and the stored tiles behind it.
//!
//! A tile is written once, when its 256 hashes are there; what is not yet full is kept in memory and rebuilt
//! from the last rows at start.

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
}

/// Reads nodes of the log of `stream` at `size`, for proofs and roots.
pub fn reader<'a>(
    store: &'a dyn Store,
    stream: &'a StreamId,
    size: u64,
) -> TileReader<StoredTiles<'a>> {
    TileReader::new(StoredTiles { store, stream }, size)
}

#[cfg(test)]
mod tests {
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
}
