//! The published vectors under `docs/spec/vectors/merkle`, computed apart from this crate.

use recorder_core::hash::{ChainHash, TreeHash, sha256};
use recorder_envelope::merkle::{
    CompactRange, NodeLocation, TileCoordinates, full_tiles_completed, leaf_hash, node_hash,
    verify_consistency, verify_inclusion,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Roots {
    leaves: Vec<Leaf>,
    nodes: Vec<Node>,
    roots: Vec<Root>,
}

#[derive(Deserialize)]
struct Leaf {
    position: u64,
    chain_hash: ChainHash,
    leaf_hash: TreeHash,
}

#[derive(Deserialize)]
struct Node {
    left: TreeHash,
    right: TreeHash,
    node: TreeHash,
}

#[derive(Deserialize)]
struct Root {
    tree_size: u64,
    root: TreeHash,
}

#[derive(Deserialize)]
struct Inclusion {
    cases: Vec<InclusionCase>,
}

#[derive(Deserialize)]
struct InclusionCase {
    name: String,
    valid: bool,
    chain_hash: ChainHash,
    index: u64,
    tree_size: u64,
    path: Vec<TreeHash>,
    root: TreeHash,
}

#[derive(Deserialize)]
struct Consistency {
    cases: Vec<ConsistencyCase>,
}

#[derive(Deserialize)]
struct ConsistencyCase {
    name: String,
    valid: bool,
    old_size: u64,
    old_root: TreeHash,
    new_size: u64,
    new_root: TreeHash,
    path: Vec<TreeHash>,
}

#[derive(Deserialize)]
struct Tiles {
    completed: Vec<CompletedCase>,
    nodes: Vec<NodeCase>,
}

#[derive(Deserialize)]
struct CompletedCase {
    old_size: u64,
    new_size: u64,
    tiles: Vec<(u8, u64)>,
}

#[derive(Deserialize)]
struct NodeCase {
    level: u8,
    index: u64,
    tile_level: u8,
    tile_index: u64,
    first: usize,
    count: usize,
}

fn chain_hash(position: u64) -> ChainHash {
    ChainHash::from_bytes(sha256(&[&position.to_be_bytes()]))
}

#[test]
fn leaves_nodes_and_roots_are_the_published_ones() {
    let vectors: Roots =
        serde_json::from_str(include_str!("../../../../docs/spec/vectors/merkle/roots.json"))
            .unwrap();
    for leaf in &vectors.leaves {
        assert_eq!(leaf.chain_hash, chain_hash(leaf.position));
        assert_eq!(leaf_hash(&leaf.chain_hash), leaf.leaf_hash);
    }
    for node in &vectors.nodes {
        assert_eq!(node_hash(&node.left, &node.right), node.node);
    }
    assert!(vectors.roots.len() >= 40);
    let mut range = CompactRange::empty();
    for case in &vectors.roots {
        range.extend((range.end()..case.tree_size).map(|n| leaf_hash(&chain_hash(n))));
        assert_eq!(range.root().unwrap(), case.root, "size {}", case.tree_size);
    }
}

#[test]
fn inclusion_proofs_hold_where_they_are_said_to_and_nowhere_else() {
    let vectors: Inclusion =
        serde_json::from_str(include_str!("../../../../docs/spec/vectors/merkle/inclusion.json"))
            .unwrap();
    assert!(vectors.cases.iter().filter(|case| !case.valid).count() >= 70);
    for case in &vectors.cases {
        let leaf = leaf_hash(&case.chain_hash);
        let result = verify_inclusion(&leaf, case.index, case.tree_size, &case.path, &case.root);
        assert_eq!(result.is_ok(), case.valid, "{}: {result:?}", case.name);
    }
}

#[test]
fn consistency_proofs_hold_where_they_are_said_to_and_nowhere_else() {
    let vectors: Consistency =
        serde_json::from_str(include_str!("../../../../docs/spec/vectors/merkle/consistency.json"))
            .unwrap();
    assert!(vectors.cases.iter().filter(|case| !case.valid).count() >= 70);
    for case in &vectors.cases {
        let (old, new) = (&case.old_root, &case.new_root);
        let result = verify_consistency(case.old_size, old, case.new_size, new, &case.path);
        let place = format!("{}, {} to {}", case.name, case.old_size, case.new_size);
        assert_eq!(result.is_ok(), case.valid, "{place}: {result:?}");
    }
}

#[test]
fn tiles_lie_where_they_are_said_to() {
    let vectors: Tiles =
        serde_json::from_str(include_str!("../../../../docs/spec/vectors/merkle/tiles.json"))
            .unwrap();
    assert!(!vectors.completed.is_empty() && !vectors.nodes.is_empty());
    for case in vectors.completed {
        let tiles = full_tiles_completed(case.old_size, case.new_size);
        let tiles: Vec<_> = tiles.map(|tile| (tile.level, tile.index)).collect();
        assert_eq!(tiles, case.tiles, "{} to {}", case.old_size, case.new_size);
    }
    for case in vectors.nodes {
        let tile = TileCoordinates { level: case.tile_level, index: case.tile_index };
        let expected = NodeLocation { tile, first: case.first, count: case.count };
        assert_eq!(NodeLocation::of(case.level, case.index), Some(expected));
    }
}
