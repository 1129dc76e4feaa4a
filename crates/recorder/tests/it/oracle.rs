//! Reads a store back and derives everything again, from the definitions and without the engine's own code.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use recorder::Receipt;
use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{TreeHash, sha256};
use recorder_core::identity::{StreamId, TenantId};
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::segment::SigningPromise;
use recorder_envelope::signing::PublicKey;
use recorder_store::{SegmentRecord, Store};
use serde_json::{Value, json};

use crate::bundles;
use crate::harness::key_of;

pub(crate) fn envelopes(store: &dyn Store, stream: &StreamId) -> Vec<SealedEnvelope> {
    let mut found = Vec::new();
    let everything = EnvelopeFilter::default();
    store
        .scan(stream, &everything, 0..u64::MAX, &mut |envelope| {
            found.push(envelope);
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

/// Everything that must be true of a store after whatever happened to it. `seeds` are those of the keys that signed,
/// in order; none in an unsigned world.
pub(crate) fn check(store: &dyn Store, receipts: &[(TenantId, Receipt)], seeds: &[u8]) {
    let keys = seeds.iter().map(|seed| key_of(*seed).public_key()).collect::<Vec<_>>();
    let report = recorder::fsck::fsck(store, &keys, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    let mut stored = BTreeMap::new();
    for stream in store.streams().unwrap() {
        let envelopes = envelopes(store, &stream);
        check_stream(store, &stream, &envelopes, &keys);
        bundles::check_whole(store, &stream, &envelopes, seeds);
        for envelope in envelopes {
            let key = (stream.tenant_id.clone(), envelope.fields.envelope_id);
            assert!(stored.insert(key, envelope).is_none(), "an id stands twice in {stream}");
        }
    }
    for (tenant, receipt) in receipts {
        let envelope = &stored[&(tenant.clone(), receipt.envelope_id)];
        assert_eq!(receipt.position, envelope.place.position);
        assert_eq!(receipt.sequence, envelope.place.sequence);
        assert_eq!(receipt.segment_id, envelope.place.segment_id);
        assert_eq!(receipt.recorded_at, envelope.place.recorded_at);
        assert_eq!(receipt.payload_commitment, envelope.payload_commitment);
        assert_eq!(receipt.content_hash, envelope.content_hash);
        assert_eq!(receipt.chain_hash, envelope.chain_hash);
    }
}

fn check_stream(
    store: &dyn Store,
    stream: &StreamId,
    envelopes: &[SealedEnvelope],
    keys: &[PublicKey],
) {
    let segments = store.segments(stream, 0..u64::MAX).unwrap();
    let leaves = envelopes.iter().map(|it| sha256(&[&[0], it.chain_hash.as_bytes()]));
    let leaves = leaves.collect::<Vec<_>>();
    let mut position = 0;
    let mut last_time = 0;
    let mut promise = SigningPromise::None;
    let mut predecessor = Value::Null;
    for (index, segment) in segments.iter().enumerate() {
        let genesis = &segment.genesis;
        assert_eq!(genesis.segment_index, index as u64);
        assert_eq!(genesis.first_position, position);
        assert!(genesis.signing >= promise, "a promise never weakens");
        promise = genesis.signing;
        assert!(genesis.opened_at.nanoseconds() >= last_time, "time never goes back");
        last_time = genesis.opened_at.nanoseconds();
        let genesis_hash = sha256(&[genesis_json(segment, &predecessor).to_string().as_bytes()]);
        let mut previous = genesis_hash;
        let end = position as usize + segment.envelope_count as usize;
        let held = &envelopes[position as usize..end];
        for (sequence, envelope) in held.iter().enumerate() {
            let place = &envelope.place;
            assert_eq!((place.position, place.sequence), (position, sequence as u64));
            assert_eq!(place.segment_id, genesis.segment_id);
            assert!(place.recorded_at.nanoseconds() >= last_time, "time never goes back");
            last_time = place.recorded_at.nanoseconds();
            previous = check_link(envelope, &previous);
            let is_signed = envelope.signature.is_some();
            assert!(is_signed || promise < SigningPromise::Envelopes, "promised and missing");
            position += 1;
        }
        match &segment.seal {
            None => assert_eq!(index + 1, segments.len(), "only the last segment is open"),
            Some(signed) => {
                assert!(!held.is_empty(), "an empty segment is never sealed");
                assert!(signed.seal.sealed_at.nanoseconds() >= last_time);
                last_time = signed.seal.sealed_at.nanoseconds();
                assert_eq!(*signed.seal.genesis_hash.as_bytes(), genesis_hash);
                assert_eq!(*signed.seal.chain_head.as_bytes(), previous);
                assert_eq!(signed.seal.envelope_count, held.len() as u64);
                assert_eq!(signed.seal.first_envelope_id, held[0].fields.envelope_id);
                assert_eq!(signed.seal.last_envelope_id, held[held.len() - 1].fields.envelope_id);
                assert_eq!(signed.seal.tree_size, position);
                let root = naive_root(&leaves[..position as usize]);
                assert_eq!(*signed.seal.root_hash.as_bytes(), root);
                assert!(signed.signature.is_some() || promise == SigningPromise::None);
                predecessor = json!({
                    "chain_head": signed.seal.chain_head.to_string(),
                    "seal_hash": signed.seal.hash().to_string(),
                    "segment_id": genesis.segment_id.to_string(),
                });
            }
        }
    }
    assert_eq!(position, envelopes.len() as u64, "no envelope stands outside its segments");
    check_head(store, stream, envelopes);
    check_checkpoints(store, stream, &leaves, keys);
}

fn check_head(store: &dyn Store, stream: &StreamId, envelopes: &[SealedEnvelope]) {
    let head = store.head(stream).unwrap().unwrap();
    assert_eq!(head.next_position, envelopes.len() as u64);
    assert_eq!(head.chain_head, envelopes.last().map(|last| last.chain_hash));
    assert_eq!(head.last_recorded_at, envelopes.last().map(|last| last.place.recorded_at));
}

/// Each size once, each root true, and no key comes back after another.
fn check_checkpoints(
    store: &dyn Store,
    stream: &StreamId,
    leaves: &[[u8; 32]],
    keys: &[PublicKey],
) {
    let (mut size, mut signer) = (0, 0);
    while let Some(stored) = store.checkpoint(stream, size + 1).unwrap() {
        assert!(stored.tree_size > size);
        size = stored.tree_size;
        let note = SignedCheckpoint::parse(stored.note.as_bytes()).unwrap();
        let by = keys.iter().position(|key| note.verify_log_signature(key).is_ok()).unwrap();
        assert!(by >= signer, "the checkpoint at {size} is by a key that was rotated away");
        signer = by;
        assert_eq!(note.checkpoint().tree_size(), size);
        let root = TreeHash::from_bytes(naive_root(&leaves[..size as usize]));
        assert_eq!((note.checkpoint().root(), stored.root_hash), (root, root));
    }
}

/// RFC 6962 §2.1, word for word.
fn naive_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let mut split = 1;
            while split * 2 < leaves.len() {
                split *= 2;
            }
            let (left, right) = leaves.split_at(split);
            sha256(&[&[1], &naive_root(left), &naive_root(right)])
        }
    }
}

fn genesis_json(segment: &SegmentRecord, predecessor: &Value) -> Value {
    let genesis = &segment.genesis;
    let signing = ["none", "checkpoints", "envelopes"][genesis.signing as usize];
    json!({
        "type": "recorder.segment-genesis/v1",
        "segment_id": genesis.segment_id.to_string(),
        "tenant_id": genesis.stream.tenant_id.as_str(),
        "recorder_id": genesis.stream.recorder_id.as_str(),
        "segment_index": genesis.segment_index,
        "first_position": genesis.first_position,
        "opened_at": String::from_utf8(genesis.opened_at.to_text().to_vec()).unwrap(),
        "hash_algorithm": "sha256",
        "signing": signing,
        "heartbeat_seconds": genesis.heartbeat_seconds,
        "predecessor": predecessor,
    })
}

/// Recomputes commitment, content hash and chain hash; serde_json's maps are sorted, as RFC 8785 wants ASCII names.
fn check_link(envelope: &SealedEnvelope, previous: &[u8; 32]) -> [u8; 32] {
    let salted = envelope.payload.as_ref().unwrap();
    let commitment = sha256(&[&[3], salted.salt.as_bytes(), salted.payload.as_bytes()]);
    assert_eq!(*envelope.payload_commitment.as_bytes(), commitment);
    let fields = &envelope.fields;
    let refs = fields.attachment_refs.as_slice().iter().map(|known| {
        json!({
            "content_hash": known.content_hash.to_string(),
            "content_type": known.content_type.as_str(),
            "size_bytes": known.size_bytes,
        })
    });
    let parents = fields.parent_ids.as_slice().iter().map(|id| Value::from(id.to_string()));
    let view = json!({
        "actor_id": fields.actor_id.as_str(),
        "attachment_refs": refs.collect::<Vec<_>>(),
        "claimed_time": String::from_utf8(fields.claimed_time.to_text().to_vec()).unwrap(),
        "environment_id": fields.environment_id.as_str(),
        "envelope_id": fields.envelope_id.to_string(),
        "event_type": fields.event_type.as_str(),
        "parent_ids": parents.collect::<Vec<_>>(),
        "payload_commitment": envelope.payload_commitment.to_string(),
        "schema_version": 1,
        "session_id": fields.session_id.as_ref().map(|id| id.as_str()),
        "trace_id": fields.trace_id.as_ref().map(|id| id.as_str()),
    });
    let content_hash = sha256(&[view.to_string().as_bytes()]);
    assert_eq!(*envelope.content_hash.as_bytes(), content_hash);
    let chain_hash = sha256(&[
        &[2],
        previous,
        &envelope.place.sequence.to_be_bytes(),
        &envelope.place.recorded_at.nanoseconds().to_be_bytes(),
        &content_hash,
    ]);
    assert_eq!(*envelope.chain_hash.as_bytes(), chain_hash);
    chain_hash
}
