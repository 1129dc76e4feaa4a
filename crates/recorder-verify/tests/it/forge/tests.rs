//! The forge against the evidence format: what it calls honest holds, what it recomputes follows.

use recorder_core::hash::ChainHash;
use recorder_envelope::bundle::{Manifest, layout};
use recorder_envelope::dsse::{ManifestSignatures, verify_manifest};
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::preimage;
use recorder_envelope::segment::SigningPromise;

use super::bundle::{Bundle, Selection};
use super::draft::Draft;
use super::keys::Holder;
use super::log::{Log, Recompute};

fn two_segments() -> Log {
    Log::sealed(SigningPromise::Envelopes, vec![Draft::range(0..3), Draft::range(3..5)])
}

/// Whether every envelope's stated hashes follow from its content and its place.
fn chains(log: &Log) -> bool {
    log.segments.iter().all(|segment| {
        let mut previous: ChainHash = preimage::chain_start(&segment.genesis.hash());
        segment.envelopes.iter().all(|envelope| {
            let mut line = Vec::new();
            envelope.write_canonical(&mut line);
            let read = EnvelopeLine::parse(&line).unwrap();
            let follows = read.computed_chain_hash(&previous) == read.chain_hash
                && read.computed_content_hash() == read.content_hash
                && read.computed_commitment() == Some(read.payload_commitment);
            previous = read.chain_hash;
            follows
        })
    })
}

#[test]
fn an_honest_log_chains_links_and_is_signed() {
    let log = two_segments();
    assert!(chains(&log));
    let key = Holder::Recorder.key().public_key();
    let [first, second] = log.segments.as_slice() else { panic!("two segments") };
    let (first_seal, predecessor) =
        (first.seal.as_ref().unwrap(), second.genesis.predecessor.as_ref().unwrap());
    assert_eq!(predecessor.seal_hash, first_seal.seal.hash());
    assert_eq!(predecessor.chain_head, first_seal.seal.chain_head);
    let signature = first_seal.signature.unwrap();
    assert_eq!(key.verify_seal(&first_seal.seal.hash(), &signature), Ok(()));
    assert_eq!(log.signed_checkpoint().verify_log_signature(&key), Ok(()));
    assert_eq!(second.seal.as_ref().unwrap().seal.root_hash, log.root);
}

#[test]
fn an_honest_manifest_is_canonical_named_and_signed() {
    let mut members = Bundle::of(&two_segments(), &Selection::everything()).members();
    let bytes = members.bytes_mut(layout::MANIFEST).clone();
    let manifest = Manifest::from_canonical(&bytes).unwrap();
    let dsse = members.bytes_mut(layout::MANIFEST_DSSE).clone();
    let signatures = ManifestSignatures::parse(&dsse, &bytes).unwrap();
    let key = Holder::Recorder.key().public_key();
    assert_eq!(verify_manifest(&bytes, &key, &signatures.signatures()[0]), Ok(()));
    assert_eq!(dsse, signatures.to_json(&bytes).unwrap());
    assert_eq!(manifest.content().envelope_count, 5);
}

#[test]
fn each_level_of_recomputation_mends_what_it_says() {
    let log = two_segments();
    let bundle_at = |level| {
        Bundle::tampered(&log, &Selection::everything(), level, |log| {
            log.envelope(1).fields.actor_id = "agent-8".parse().unwrap();
        })
    };
    let levels = [
        Recompute::Nothing,
        Recompute::Manifest,
        Recompute::Content,
        Recompute::Chain,
        Recompute::AttackerKey,
        Recompute::RealKey,
    ];
    let archives: Vec<_> = levels.map(|level| bundle_at(level).archive()).to_vec();
    for (index, archive) in archives.iter().enumerate() {
        assert!(!archives[..index].contains(archive), "{:?} does nothing", levels[index]);
    }
    let mut changed = log.clone();
    changed.envelope(1).fields.actor_id = "agent-8".parse().unwrap();
    assert!(!chains(&changed));
    changed.recompute(Recompute::Chain);
    assert!(chains(&changed));
}

#[test]
fn a_partial_selection_has_an_anchor_for_each_gap_and_a_path_for_each_end() {
    let log = Log::sealed(SigningPromise::None, vec![Draft::range(0..6), Draft::range(6..9)]);
    let bundle = Bundle::of(&log, &Selection::positions(&[(1, 3), (5, 8)]));
    let text = String::from_utf8(bundle.clone().bytes_mut(layout::PROOFS).clone()).unwrap();
    let count = |kind: &str| text.matches(&format!("\"kind\":\"{kind}\"")).count();
    // Before 1, between 2 and 5, after 7; runs 1 to 2 and 5 to 7, the second over both segments.
    assert_eq!((count("gap"), count("inclusion")), (3, 4));
}

#[test]
fn the_same_log_gives_the_same_bytes() {
    let build = || Bundle::of(&two_segments(), &Selection::everything()).members();
    assert_eq!(build().archive(), build().archive());
    assert_eq!(build().document(), build().document());
}
