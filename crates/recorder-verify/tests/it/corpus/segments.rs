//! Geneses, seals and how segments follow one another.

use recorder_core::hash::{ChainHash, GenesisHash, SealHash, TreeHash};
use recorder_envelope::bundle::layout;
use recorder_envelope::segment::{Predecessor, SegmentSeal, SigningPromise};
use recorder_verify::FindingCode as F;
use serde_json::{Value, json};

use super::case::{
    Case, GENESIS, GENESIS_1, LINES, LINES_1, SEAL, SEAL_1, signed, two_segments, whole,
};
use crate::forge::bundle::{Bundle, Members, Part, Selection};
use crate::forge::draft::{Draft, envelope_id, segment_id};
use crate::forge::keys::Holder;
use crate::forge::log::{Log, moment};

/// Every manipulation of segments.
pub(crate) fn cases() -> Vec<Case> {
    [geneses(), predecessors(), orders(), streams(), seals(), seal_parts(), empties()]
        .into_iter()
        .flatten()
        .collect()
}

/// A log of two segments whose second an insider changed; chain, seals, root and signatures follow, links do not.
fn insider(change: impl FnOnce(&mut Log)) -> Members {
    let mut log = two_segments();
    change(&mut log);
    for index in 0..log.segments.len() {
        log.rechain(index);
        log.reseal(index);
    }
    log.reroot();
    log.sign(&Holder::Recorder.key());
    whole(&log).members()
}

/// `signed` with one JSON part changed, and what the manifest says of it if asked to.
fn edited(part: &str, change: impl FnOnce(&mut Value)) -> Bundle {
    let mut bundle = whole(&signed());
    bundle.edit_json(part, change);
    bundle
}

fn geneses() -> Vec<Case> {
    let edit = |genesis: &mut Value| genesis["heartbeat_seconds"] = 60.into();
    let mut restated = edited(GENESIS, edit);
    let bytes = restated.bytes_mut(GENESIS).clone();
    restated.manifest["segments"][0]["genesis_hash"] =
        json!(recorder_envelope::preimage::genesis_hash(&bytes));
    let mut spaced = whole(&signed());
    spaced.bytes_mut(GENESIS).push(b'\n');
    let mut split = whole(&signed());
    split.edit_json(GENESIS, |genesis| {
        genesis["tenant_id"] = "acmer".into();
        genesis["recorder_id"] = "ecorder-1".into();
    });
    vec![
        Case::reject(
            "genesis-edited",
            F::GenesisHashMismatch,
            "A genesis promises a heartbeat that it did not promise.",
            &edited(GENESIS, edit).members(),
        ),
        Case::reject(
            "genesis-edited-manifest-restated",
            F::ChainHashMismatch,
            "A genesis was edited and its hash restated; the chain begins with the old one.",
            &restated.members(),
        ),
        Case::reject(
            "genesis-fields-shifted",
            F::GenesisHashMismatch,
            "A letter moved from the recorder's id to the tenant's.",
            &split.members(),
        ),
        Case::reject(
            "genesis-with-unknown-member",
            F::GenesisInvalid,
            "A genesis holds a member that no genesis has.",
            &edited(GENESIS, |genesis| genesis["note"] = "approved".into()).members(),
        ),
        Case::reject(
            "genesis-without-heartbeat",
            F::GenesisInvalid,
            "A genesis lacks a member.",
            &edited(GENESIS, |genesis| {
                genesis.as_object_mut().unwrap().remove("heartbeat_seconds");
            })
            .members(),
        ),
        Case::reject(
            "genesis-of-another-version",
            F::GenesisInvalid,
            "A genesis is of a version that does not exist.",
            &edited(GENESIS, |genesis| genesis["type"] = "recorder.segment-genesis/v2".into())
                .members(),
        ),
        Case::reject(
            "genesis-not-canonical",
            F::GenesisInvalid,
            "A genesis ends with a line feed.",
            &spaced.members(),
        ),
        Case::reject(
            "genesis-of-another-hash",
            F::GenesisInvalid,
            "A genesis names another hash algorithm.",
            &edited(GENESIS, |genesis| genesis["hash_algorithm"] = "sha1".into()).members(),
        ),
    ]
}

fn predecessors() -> Vec<Case> {
    let other = |change: fn(&mut Predecessor)| {
        insider(|log| change(log.segments[1].genesis.predecessor.as_mut().unwrap()))
    };
    vec![
        Case::reject(
            "second-genesis",
            F::PredecessorMissing,
            "The second segment of a stream names no predecessor: the stream begins twice.",
            &insider(|log| log.segments[1].genesis.predecessor = None),
        ),
        Case::reject(
            "predecessor-of-another-seal",
            F::PredecessorMismatch,
            "A segment names another seal than its predecessor's.",
            &other(|predecessor| predecessor.seal_hash = SealHash::from_bytes([0xee; 32])),
        ),
        Case::reject(
            "predecessor-of-another-head",
            F::PredecessorMismatch,
            "A segment names another chain head than its predecessor's.",
            &other(|predecessor| predecessor.chain_head = ChainHash::from_bytes([0xee; 32])),
        ),
        Case::reject(
            "predecessor-of-another-name",
            F::PredecessorMismatch,
            "A segment names another segment than the one before it.",
            &other(|predecessor| predecessor.segment_id = segment_id(9)),
        ),
        Case::reject(
            "first-segment-with-predecessor",
            F::PredecessorUnexpected,
            "The first segment of a stream names a predecessor.",
            &insider(|log| {
                let genesis = &mut log.segments[0].genesis;
                genesis.predecessor = Some(Predecessor {
                    segment_id: segment_id(9),
                    chain_head: ChainHash::from_bytes([0xee; 32]),
                    seal_hash: SealHash::from_bytes([0xee; 32]),
                });
                log.rechain(0);
                log.reseal(0);
                log.relink(1);
            }),
        ),
        Case::reject(
            "first-segment-not-at-position-zero",
            F::PredecessorUnexpected,
            "The first segment of a stream begins at position 1.",
            &insider(|log| {
                for segment in &mut log.segments {
                    segment.genesis.first_position += 1;
                    for envelope in &mut segment.envelopes {
                        envelope.place.position += 1;
                    }
                }
                log.rechain(0);
                log.reseal(0);
                log.relink(1);
            }),
        ),
    ]
}

/// A bundle of two segments whose parts and manifest entries exchanged places.
fn exchanged() -> Members {
    let mut bundle = whole(&two_segments());
    for (first, second) in [(GENESIS, GENESIS_1), (LINES, LINES_1), (SEAL, SEAL_1)] {
        let bytes = bundle.bytes_mut(first).clone();
        *bundle.bytes_mut(first) = std::mem::replace(bundle.bytes_mut(second), bytes);
    }
    bundle.manifest["segments"].as_array_mut().unwrap().swap(0, 1);
    bundle.members()
}

/// A bundle of two segments whose second is the first once more.
fn repeated() -> Members {
    let mut bundle = whole(&two_segments());
    for (first, second) in [(GENESIS, GENESIS_1), (LINES, LINES_1), (SEAL, SEAL_1)] {
        *bundle.bytes_mut(second) = bundle.bytes_mut(first).clone();
    }
    bundle.manifest["segments"][1] = bundle.manifest["segments"][0].clone();
    bundle.members()
}

fn three_segments() -> Log {
    let promise = SigningPromise::Checkpoints;
    Log::sealed(promise, vec![Draft::range(0..1), Draft::range(1..2), Draft::range(2..3)])
}

fn orders() -> Vec<Case> {
    let mut dropped = three_segments();
    dropped.segments.remove(1);
    let mut relinked = dropped.clone();
    relinked.finish();
    let mut renumbered = dropped.clone();
    renumbered.segments[1].genesis.segment_index = 1;
    renumbered.renumber();
    renumbered.finish();
    let mut recounted = three_segments();
    recounted.segments[2].genesis.segment_index = 1;
    recounted.rechain(2);
    recounted.reseal(2);
    recounted.reroot();
    recounted.sign(&Holder::Recorder.key());
    let mut skipped = three_segments();
    skipped.segments[2].genesis.predecessor = skipped.segments[1].genesis.predecessor.clone();
    skipped.rechain(2);
    skipped.reseal(2);
    skipped.reroot();
    skipped.sign(&Holder::Recorder.key());
    vec![
        Case::reject(
            "segments-exchanged",
            F::SegmentOrder,
            "Two segments exchanged places.",
            &exchanged(),
        ),
        Case::reject("segment-repeated", F::SegmentRepeated, "A segment stands twice.", &repeated()),
        Case::reject(
            "segment-dropped",
            F::InclusionMissing,
            "The middle segment was taken out; nothing ties the rest to the log.",
            &whole(&dropped).members(),
        ),
        Case::reject(
            "segment-dropped-relinked",
            F::TreeSizeMismatch,
            "An insider took the middle segment out and linked its neighbours; index and position still skip.",
            &whole(&relinked).members(),
        ),
        Case::reject(
            "segment-dropped-by-insider",
            F::KnownHeadAhead,
            "An insider took the middle segment out and recomputed and signed everything. A known head is longer.",
            &whole(&renumbered).members(),
        )
        .knowing(&three_segments()),
        Case::reject(
            "segment-named-by-the-one-after-the-next",
            F::PredecessorMismatch,
            "The third segment names the first as its predecessor; the second one is left out of the selection.",
            &Bundle::of(&skipped, &Selection::positions(&[(0, 1), (2, 3)])).members(),
        ),
        Case::reject(
            "segment-index-repeated",
            F::SegmentOrder,
            "The third segment calls itself the second; it begins where the second one ends.",
            &whole(&recounted).members(),
        ),
        Case::reject(
            "segment-index-skips",
            F::SegmentOrder,
            "The second segment calls itself the third.",
            &insider(|log| log.segments[1].genesis.segment_index = 2),
        ),
        Case::reject(
            "first-position-skips",
            F::SegmentOrder,
            "The second segment begins one position later than the first one ends.",
            &insider(|log| {
                let segment = &mut log.segments[1];
                segment.genesis.first_position += 1;
                for envelope in &mut segment.envelopes {
                    envelope.place.position += 1;
                }
            }),
        ),
        Case::reject(
            "envelope-of-another-segment",
            F::SegmentIdMismatch,
            "An envelope names another segment than the one that it stands in.",
            &insider(|log| log.envelope(1).place.segment_id = segment_id(9)),
        ),
        Case::reject(
            "signing-weakened",
            F::SigningWeakened,
            "The second segment promises no signatures, after the first one did.",
            &insider(|log| {
                log.segments[1].genesis.signing = SigningPromise::None;
            }),
        ),
    ]
}

fn streams() -> Vec<Case> {
    let mut stated = whole(&signed());
    stated.manifest["stream"]["tenant_id"] = "another".into();
    vec![
        Case::reject(
            "streams-mixed",
            F::StreamMixed,
            "The second segment belongs to another tenant.",
            &insider(|log| {
                log.segments[1].genesis.stream.tenant_id = "another".parse().unwrap();
            }),
        ),
        Case::reject(
            "recorders-mixed",
            F::StreamMixed,
            "The second segment was spliced in from another recorder that has the same key.",
            &insider(|log| {
                log.segments[1].genesis.stream.recorder_id = "recorder-2".parse().unwrap();
            }),
        ),
        Case::reject(
            "manifest-of-another-stream",
            F::StreamMixed,
            "The manifest names another tenant than the segments do.",
            &stated.members(),
        ),
    ]
}

/// `two_segments` with a lie in the first seal, linked, signed and rooted by an insider.
fn lying_seal(change: impl FnOnce(&mut SegmentSeal)) -> Members {
    with_lying_seal(change).members()
}

fn with_lying_seal(change: impl FnOnce(&mut SegmentSeal)) -> Bundle {
    let mut log = two_segments();
    change(&mut log.segments[0].seal.as_mut().unwrap().seal);
    log.relink(1);
    log.rechain(1);
    log.reseal(1);
    log.reroot();
    log.sign(&Holder::Recorder.key());
    whole(&log)
}

fn seals() -> Vec<Case> {
    let other = [0xee; 32];
    let mut count = with_lying_seal(|seal| seal.envelope_count += 1);
    count.manifest["segments"][0]["envelope_count"] = 2.into();
    vec![
        Case::reject(
            "seal-of-another-count",
            F::SealMismatch,
            "A seal states one envelope more than the segment holds.",
            &count.members(),
        ),
        Case::reject(
            "seal-of-another-head",
            F::SealMismatch,
            "A seal states another chain head than the segment's.",
            &lying_seal(|seal| seal.chain_head = ChainHash::from_bytes(other)),
        ),
        Case::reject(
            "seal-of-another-genesis",
            F::SealMismatch,
            "A seal states the hash of another genesis.",
            &lying_seal(|seal| seal.genesis_hash = GenesisHash::from_bytes(other)),
        ),
        Case::reject(
            "seal-of-another-segment",
            F::SealMismatch,
            "A seal names another segment.",
            &lying_seal(|seal| seal.segment_id = segment_id(9)),
        ),
        Case::reject(
            "seal-of-another-first-envelope",
            F::SealMismatch,
            "A seal names another first envelope.",
            &lying_seal(|seal| seal.first_envelope_id = envelope_id(9)),
        ),
        Case::reject(
            "seal-of-another-last-envelope",
            F::SealMismatch,
            "A seal names another last envelope.",
            &lying_seal(|seal| seal.last_envelope_id = envelope_id(9)),
        ),
        Case::reject(
            "seal-of-another-tree-size",
            F::SealTreeMismatch,
            "A seal states a larger log than there was.",
            &lying_seal(|seal| seal.tree_size += 1),
        ),
        Case::reject(
            "seal-of-another-root",
            F::SealTreeMismatch,
            "A seal states another root than the log had.",
            &lying_seal(|seal| seal.root_hash = TreeHash::from_bytes(other)),
        ),
        Case::reject(
            "sealed-before-it-was-opened",
            F::SegmentTimeOrder,
            "A seal is older than its segment's genesis.",
            &insider(|log| {
                log.segments[1].seal.as_mut().unwrap().seal.sealed_at = moment(0);
            }),
        ),
    ]
}

fn seal_parts() -> Vec<Case> {
    let mut removed = whole(&signed());
    removed.remove(SEAL);
    let mut concealed = removed.clone();
    concealed.manifest["segments"][0]["seal_hash"] = Value::Null;
    let mut unsealed = whole(&two_segments());
    unsealed.remove(SEAL);
    unsealed.manifest["segments"][0]["seal_hash"] = Value::Null;
    let mut unstated = whole(&signed());
    unstated.manifest["segments"][0]["seal_hash"] = Value::Null;
    let mut earlier = whole(&two_segments());
    earlier.manifest["segments"][0]["seal_hash"] = Value::Null;
    vec![
        Case::reject(
            "seal-removed",
            F::SealMissing,
            "The seal that the manifest states is not there.",
            &removed.members(),
        ),
        Case::reject(
            "seal-removed-and-concealed",
            F::ManifestSignatureInvalid,
            "The seal was removed, the manifest says that the segment is open; its old signature was kept.",
            &{
                let signer = whole(&signed()).carried();
                concealed.signer = signer;
                concealed.members()
            },
        ),
        Case::reject(
            "seal-of-an-earlier-segment-removed",
            F::SealMissing,
            "A segment that another one follows is called open.",
            &unsealed.members(),
        ),
        Case::reject(
            "seal-not-stated",
            F::SealHashMismatch,
            "A seal is there, and the manifest says that the segment is open.",
            &unstated.members(),
        ),
        Case::reject(
            "seal-of-an-earlier-segment-not-stated",
            F::SealHashMismatch,
            "The seal of a segment that another one follows is there, and the manifest says that it is open.",
            &earlier.members(),
        ),
        Case::reject(
            "seal-reason-edited",
            F::SealHashMismatch,
            "The reason of a seal was edited.",
            &edited(SEAL, |signed| signed["seal"]["reason"] = "shutdown".into()).members(),
        ),
        Case::reject(
            "seal-of-unknown-reason",
            F::SealInvalid,
            "A seal states a reason that does not exist.",
            &edited(SEAL, |signed| signed["seal"]["reason"] = "accident".into()).members(),
        ),
        Case::reject(
            "seal-with-unknown-member",
            F::SealInvalid,
            "A seal holds a member that no seal has.",
            &edited(SEAL, |signed| signed["seal"]["note"] = "approved".into()).members(),
        ),
        Case::reject(
            "seal-without-signature-member",
            F::SealInvalid,
            "A seal lacks its signature member, which is null and not absent.",
            &edited(SEAL, |signed| {
                signed.as_object_mut().unwrap().remove("signature");
            })
            .members(),
        ),
    ]
}

fn empties() -> Vec<Case> {
    let mut bundle = whole(&signed());
    bundle.parts.retain(|part| !part.name.starts_with("segments/"));
    bundle.manifest["segments"] = json!([]);
    bundle.manifest["envelope_count"] = 0.into();
    let mut segment = whole(&two_segments());
    segment.remove(LINES_1);
    segment.manifest["segments"][1]["included_count"] = 0.into();
    segment.manifest["segments"][1]["complete"] = false.into();
    segment.manifest["envelope_count"] = 2.into();
    let mut blank = two_segments();
    blank.segments[1].envelopes.clear();
    blank.finish();
    let mut claimed = whole(&blank);
    let genesis =
        Part { name: layout::genesis(1), bytes: blank.segments[1].genesis.to_canonical() };
    let seal = blank.segments[1].seal.as_ref().unwrap();
    claimed.manifest["segments"].as_array_mut().unwrap().push(json!({
        "segment_id": blank.segments[1].genesis.segment_id,
        "genesis_hash": blank.segments[1].genesis.hash(),
        "seal_hash": seal.seal.hash(),
        "chain_head": blank.segments[1].genesis.hash(),
        "envelope_count": 0,
        "included_count": 0,
        "complete": true,
    }));
    claimed.parts.push(genesis);
    claimed.parts.push(Part { name: layout::seal(1), bytes: seal.to_canonical() });
    vec![
        Case::reject(
            "bundle-empty",
            F::BundleEmpty,
            "A bundle without segments.",
            &bundle.members(),
        ),
        Case::reject(
            "segment-emptied",
            F::SegmentEmpty,
            "A bundle lists a segment and includes nothing of it.",
            &segment.members(),
        ),
        Case::reject(
            "segment-sealed-empty",
            F::SegmentEmpty,
            "An insider sealed a segment that never held an envelope.",
            &claimed.members(),
        ),
    ]
}
