//! The Merkle log of a stream: RFC 6962 §2.1 with SHA-256, where entry `position` is the 32-byte
//! chain hash of the envelope at that position (evidence format §5).
//!
//! Everything here is arithmetic over hashes that somebody else stores. There is no storage, no
//! signature and no notion of a current head: those are the store's and the checkpoint's.

mod proof;
mod range;
mod tile;

pub use proof::{
    HashReader, ProofError, ReadProofError, consistency_proof, inclusion_proof, root_at,
    verify_consistency, verify_inclusion,
};
pub use range::{CompactRange, RangeError, Subtree, subtrees};
use recorder_core::hash::{ChainHash, DIGEST_BYTES, TreeHash, sha256};
pub use tile::{
    NodeLocation, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, TileCoordinates, TileReadError, TileReader,
    TileSource, decode_tile, encode_tile, full_tiles_completed,
};

/// The most leaves that a log may have: 2⁶².
///
/// A position fits `i64`, which is what SQLite stores, and no sum of two sizes overflows.
pub const TREE_SIZE_MAX: u64 = 1 << 62;

/// The root of a log without entries: SHA-256 of the empty string (RFC 6962 §2.1).
pub const EMPTY_ROOT: TreeHash = TreeHash::from_bytes([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

const LEAF_PREFIX: &[u8] = &[0x00];
const NODE_PREFIX: u8 = 0x01;

/// Hashes one entry of the log: `SHA-256(0x00 ‖ chain_hash)`.
pub fn leaf_hash(chain_hash: &ChainHash) -> TreeHash {
    entry_hash(chain_hash.as_bytes())
}

/// Hashes two siblings into their parent: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    // In one piece: three short updates cost more than the copy.
    let mut preimage = [NODE_PREFIX; 1 + 2 * DIGEST_BYTES];
    preimage[1..=DIGEST_BYTES].copy_from_slice(left.as_bytes());
    preimage[1 + DIGEST_BYTES..].copy_from_slice(right.as_bytes());
    TreeHash::from_bytes(sha256(&[&preimage]))
}

// Entries of any length exist only in the published vectors; the log itself has 32-byte ones.
fn entry_hash(entry: &[u8]) -> TreeHash {
    TreeHash::from_bytes(sha256(&[LEAF_PREFIX, entry]))
}

#[cfg(test)]
pub(crate) mod testing {
    use std::convert::Infallible;

    use super::*;

    /// The leaf hashes of a made-up log.
    pub(crate) fn leaves(count: u64) -> Vec<TreeHash> {
        (0..count).map(|n| entry_hash(&n.to_be_bytes())).collect()
    }

    /// The definition of RFC 6962 §2.1, word for word.
    pub(crate) fn naive_root(leaves: &[TreeHash]) -> TreeHash {
        match leaves {
            [] => TreeHash::from_bytes(sha256(&[])),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(naive_split(leaves.len()));
                node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    /// The largest power of two smaller than `count`.
    pub(crate) fn naive_split(count: usize) -> usize {
        let mut split = 1;
        while split * 2 < count {
            split *= 2;
        }
        split
    }

    /// Reads nodes by recomputing them from all leaves.
    pub(crate) struct Leaves(pub(crate) Vec<TreeHash>);

    impl HashReader for Leaves {
        type Error = Infallible;

        fn node(&self, level: u8, index: u64) -> Result<TreeHash, Infallible> {
            let begin = usize::try_from(index << level).unwrap();
            Ok(naive_root(&self.0[begin..begin + (1 << level)]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_root_is_the_hash_of_nothing() {
        assert_eq!(EMPTY_ROOT.as_bytes(), &sha256(&[]));
    }

    #[test]
    fn a_leaf_and_a_node_over_the_same_bytes_differ() {
        let chain_hash = ChainHash::from_bytes([7; 32]);
        assert_eq!(leaf_hash(&chain_hash).as_bytes(), &sha256(&[&[0], &[7; 32]]));
        let child = TreeHash::from_bytes([7; 32]);
        assert_eq!(node_hash(&child, &child).as_bytes(), &sha256(&[&[1], &[7; 64]]));
        assert_ne!(entry_hash(&[7; 64]), node_hash(&child, &child));
    }

    #[test]
    fn the_published_eight_entry_log_has_its_published_roots() {
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut range = CompactRange::starting_at(0).unwrap();
        for (entry, root) in entries.iter().zip(roots) {
            range.push(entry_hash(entry));
            assert_eq!(range.root().unwrap().to_string(), root);
        }
    }
}
