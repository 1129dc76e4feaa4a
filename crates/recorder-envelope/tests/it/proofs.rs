//! The vectors under `docs/spec/vectors/proofs`, and the sizes that proofs have.

use std::convert::Infallible;

use recorder_core::hash::{ChainHash, TreeHash};
use recorder_envelope::checkpoint::{Checkpoint, SignedCheckpoint, origin};
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::merkle::{
    CompactRange, HashReader, consistency_proof, inclusion_proof, leaf_hash, node_hash,
};
use recorder_envelope::preimage;
use recorder_envelope::tlog_proof::{
    ChainLink, ConsistencyProof, InclusionProof, OtherEnvelope, PROOF_BYTES_MAX,
};
use serde_json::{Value, json};

use crate::samples::{chained, genesis, key, line_of, stream};
use crate::vector_file;

/// All leaves of a log.
struct Leaves(Vec<TreeHash>);

impl HashReader for Leaves {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<TreeHash, Infallible> {
        let Some(below) = level.checked_sub(1) else { return Ok(self.0[index as usize]) };
        Ok(node_hash(&self.node(below, 2 * index)?, &self.node(below, 2 * index + 1)?))
    }
}

impl Leaves {
    fn of_log(count: u8) -> Self {
        Self(chained(count).iter().map(|envelope| leaf_hash(&envelope.chain_hash)).collect())
    }

    fn root(&self, size: u64) -> TreeHash {
        let mut range = CompactRange::empty();
        self.0[..size as usize].iter().for_each(|leaf| range.push(*leaf));
        range.root().unwrap()
    }

    fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let name = origin("recorder.local", &stream());
        Checkpoint::new(name, size, self.root(size)).unwrap().sign(&key()).unwrap()
    }
}

fn link(position: u8) -> ChainLink {
    let envelopes = chained(position + 1);
    let previous = match position {
        0 => preimage::chain_start(&genesis().hash()),
        _ => envelopes[usize::from(position) - 1].chain_hash,
    };
    let envelope = &envelopes[usize::from(position)];
    ChainLink {
        content_hash: envelope.content_hash,
        previous,
        recorded_at: envelope.place.recorded_at,
        sequence: envelope.place.sequence,
    }
}

fn inclusion(position: u8, size: u64) -> InclusionProof {
    let leaves = Leaves::of_log(size as u8);
    let path = inclusion_proof(&leaves, position.into(), size).unwrap();
    let extra = Some(link(position).to_canonical());
    InclusionProof::new(extra, position.into(), path, leaves.checkpoint(size)).unwrap()
}

fn consistency(old_size: u64, size: u64) -> ConsistencyProof {
    let leaves = Leaves::of_log(size as u8);
    let path = consistency_proof(&leaves, old_size, size).unwrap();
    ConsistencyProof::new(old_size, path, leaves.checkpoint(size)).unwrap()
}

/// What a verifier says of a proof of inclusion, the log's key given.
fn judge_inclusion(text: &str) -> &'static str {
    let Ok(proof) = InclusionProof::parse(text.as_bytes()) else { return "malformed" };
    assert_eq!(proof.render(), text);
    let Some(Ok(link)) = proof.extra().map(ChainLink::from_canonical) else { return "no_link" };
    if proof.checkpoint().verify_log_signature(&key().public_key()).is_err() {
        return "bad_signature";
    }
    if proof.verify(&link.leaf()).is_ok() { "valid" } else { "not_included" }
}

fn judge_consistency(text: &str, old_root: &TreeHash) -> &'static str {
    let Ok(proof) = ConsistencyProof::parse(text.as_bytes()) else { return "malformed" };
    assert_eq!(proof.render(), text);
    if proof.checkpoint().verify_log_signature(&key().public_key()).is_err() {
        return "bad_signature";
    }
    if proof.verify(old_root).is_ok() { "valid" } else { "not_consistent" }
}

/// Manipulations of the proof of envelope 5 of 7, and what comes of each.
fn bad_inclusions(good: &str) -> Vec<(&'static str, &'static str, String)> {
    let lines: Vec<&str> = good.split('\n').collect();
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines.join("\n")
    };
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat().join("\n");
    let swapped = [&lines[..3], &[lines[4], lines[3]], &lines[5..]].concat().join("\n");
    let other = inclusion(4, 7).render();
    vec![
        ("another position", "not_included", with(2, "index 4")),
        ("a position beyond the log", "not_included", with(2, "index 7")),
        ("a hash changed", "not_included", with(3, lines[4])),
        ("a hash left out", "not_included", without(4)),
        ("two hashes swapped", "not_included", swapped),
        (
            "the link of another envelope",
            "not_included",
            with(1, other.split('\n').nth(1).unwrap()),
        ),
        ("no link", "no_link", without(1)),
        ("a link that is none", "no_link", with(1, "extra e30=")),
        ("another size signed for", "bad_signature", good.replace("\n7\n", "\n8\n")),
        ("another version", "malformed", with(0, "c2sp.org/tlog-proof@v2")),
        ("a position with a leading zero", "malformed", with(2, "index 05")),
        ("a position with a sign", "malformed", with(2, "index +5")),
        ("an empty extra line", "malformed", with(1, "extra ")),
        ("a hash without padding", "malformed", with(3, lines[3].trim_end_matches('='))),
        ("a line after the hashes", "malformed", with(5, "more\n")),
        ("carriage returns", "malformed", good.replace('\n', "\r\n")),
        ("no checkpoint", "malformed", good.split("\n\n").next().unwrap().to_owned() + "\n\n"),
    ]
}

#[test]
fn inclusion_proofs_are_as_published() {
    let good = inclusion(5, 7).render();
    let mut cases: Vec<Value> = [(0, 1), (0, 2), (5, 7), (6, 7), (63, 64)]
        .into_iter()
        .map(|(position, size)| {
            let name = format!("envelope {position} of {size}");
            let proof = inclusion(position, size).render();
            assert_eq!(judge_inclusion(&proof), "valid", "{name}");
            json!({"name": name, "result": "valid", "proof": proof, "leaf": link(position).leaf()})
        })
        .collect();
    for (name, result, proof) in bad_inclusions(&good) {
        assert_eq!(judge_inclusion(&proof), result, "{name}");
        cases.push(json!({"name": name, "result": result, "proof": proof}));
    }
    let about = "C2SP tlog-proof v1 under the key with seed 01 (32 times). result: valid; malformed (not a proof); no_link \
                 (extra is not a canonical chain link); bad_signature; not_included (the path does not lead from the link's leaf to the root)";
    vector_file::check("vectors/proofs/inclusion.json", about, &cases);
}

#[test]
fn consistency_proofs_are_as_published() {
    let mut cases = Vec::new();
    let mut add = |name: String, old_size: u64, result: &str, proof: String| {
        let old_root = Leaves::of_log(9).root(old_size);
        assert_eq!(judge_consistency(&proof, &old_root), result, "{name}");
        cases.push(json!({"name": name, "result": result, "proof": proof, "old_root": old_root}));
    };
    for (old_size, size) in [(0, 9), (1, 9), (3, 7), (4, 9), (8, 9), (9, 9)] {
        let proof = consistency(old_size, size).render();
        add(format!("{old_size} to {size}"), old_size, "valid", proof);
    }
    let good = consistency(3, 7).render();
    add("the root of another size".into(), 4, "not_consistent", good.clone());
    add("another old size".into(), 3, "not_consistent", good.replace("old 3", "old 4"));
    add("an old size beyond the new".into(), 3, "not_consistent", good.replace("old 3", "old 8"));
    let shorter = good.split('\n').enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| line);
    let shorter = shorter.collect::<Vec<_>>().join("\n");
    add("a hash left out".into(), 3, "not_consistent", shorter);
    add("another size signed for".into(), 3, "bad_signature", good.replace("\n7\n", "\n8\n"));
    add("a leading zero".into(), 3, "malformed", good.replace("old 3", "old 03"));
    add("no old size".into(), 3, "malformed", good.replace("old 3\n", ""));
    let about = "The body of C2SP tlog-witness add-checkpoint, as a file: that the log begins with the one of the old size, whose root \
                 is old_root. Under the key with seed 01 (32 times)";
    vector_file::check("vectors/proofs/consistency.json", about, &cases);
}

#[test]
fn a_link_is_of_one_envelope_only() {
    let envelopes = chained(7);
    let lines: Vec<String> = envelopes.iter().map(line_of).collect();
    let check = |text: &str| link(5).check(5, &EnvelopeLine::parse(text.as_bytes()).unwrap());
    assert_eq!(check(&lines[5]), Ok(()));
    assert_eq!(check(&lines[4]), Err(OtherEnvelope::Content));
    assert_eq!(check(&lines[5].replace("\"n\":5", "\"n\":6")), Err(OtherEnvelope::Payload));
    let elsewhere = lines[5].replace("\"position\":5", "\"position\":6");
    assert_eq!(check(&elsewhere), Err(OtherEnvelope::Place));
    let whose = lines[5].replace("\"actor_id\":\"", "\"actor_id\":\"x");
    assert_eq!(check(&whose), Err(OtherEnvelope::Content));
}

#[test]
fn a_proof_in_a_log_of_a_million_has_less_than_a_kibibyte_of_hashes() {
    let leaf = |number: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        leaf_hash(&ChainHash::from_bytes(bytes))
    };
    // Every level at once, so that no node is computed twice.
    let mut levels = vec![(0..1 << 20).map(leaf).collect::<Vec<_>>()];
    while levels[levels.len() - 1].len() > 1 {
        let below = &levels[levels.len() - 1];
        let above = below.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        levels.push(above);
    }
    struct Levels(Vec<Vec<TreeHash>>);
    impl HashReader for Levels {
        type Error = Infallible;
        fn node(&self, level: u8, index: u64) -> Result<TreeHash, Infallible> {
            Ok(self.0[usize::from(level)][index as usize])
        }
    }
    let levels = Levels(levels);
    for position in [0, 7, 524_287, 999_999] {
        let path = inclusion_proof(&levels, position, 1_000_000).unwrap();
        assert!(path.len() * 32 < 1024, "{}", path.len());
    }
}

#[test]
fn what_is_larger_than_any_proof_is_not_read() {
    let bytes = vec![b'a'; PROOF_BYTES_MAX as usize + 1];
    assert!(InclusionProof::parse(&bytes).is_err() && ConsistencyProof::parse(&bytes).is_err());
    let hash = TreeHash::from_bytes([7; 32]);
    let checkpoint = Leaves::of_log(1).checkpoint(1);
    assert!(InclusionProof::new(None, 0, vec![hash; 127], checkpoint.clone()).is_err());
    assert!(InclusionProof::new(Some(vec![0; 1025]), 0, vec![], checkpoint).is_err());
}
