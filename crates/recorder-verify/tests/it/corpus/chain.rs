//! The order of envelopes, their times, and the anchors that stand for those left out.

use recorder_core::hash::ChainHash;
use recorder_envelope::bundle::layout;
use recorder_envelope::segment::SigningPromise;
use recorder_verify::FindingCode as F;
use serde_json::{Value, json};

use super::case::{Case, LINES, partial, seven, signed, two_segments, whole};
use crate::forge::bundle::{Bundle, Members, Selection};
use crate::forge::draft::{Draft, segment_id};
use crate::forge::log::{Log, Recompute, moment};

/// Every manipulation of the chain.
pub(crate) fn cases() -> Vec<Case> {
    [orders(), cuts(), times(), numbers(), gaps()].into_iter().flatten().collect()
}

/// The lines of `signed`, changed; counts restated; signed by an insider.
fn relined(change: impl FnOnce(&mut Vec<Value>)) -> Bundle {
    let mut bundle = whole(&signed());
    bundle.edit_lines(LINES, change);
    bundle
}

/// States that the one segment holds and includes `count` envelopes.
fn recount(bundle: &mut Bundle, count: u64) {
    bundle.manifest["envelope_count"] = count.into();
    bundle.manifest["segments"][0]["included_count"] = count.into();
}

/// A log that an insider changed, with everything recomputed that `level` says.
fn rewritten(level: Recompute, change: impl FnOnce(&mut Log)) -> Members {
    Bundle::tampered(&signed(), &Selection::everything(), level, change)
}

fn drop_second(log: &mut Log) {
    log.segments[0].envelopes.remove(1);
    log.renumber();
}

fn drop_last(log: &mut Log) {
    log.segments[0].envelopes.pop();
}

fn orders() -> Vec<Case> {
    let mut repeated = relined(|lines| lines.insert(1, lines[1].clone()));
    recount(&mut repeated, 4);
    vec![
        Case::reject(
            "envelopes-reordered",
            F::SequenceMismatch,
            "Two lines exchanged places.",
            &relined(|lines| lines.swap(0, 1)).members(),
        ),
        Case::reject(
            "envelopes-reordered-renumbered",
            F::ChainHashMismatch,
            "Two envelopes exchanged places, sequences, positions and times.",
            &rewritten(Recompute::Content, |log| {
                log.segments[0].envelopes.swap(0, 1);
                log.renumber();
            }),
        ),
        Case::reject(
            "envelopes-reordered-rechained",
            F::CheckpointSignatureInvalid,
            "Two envelopes exchanged places; everything but the signatures was recomputed.",
            &rewritten(Recompute::Chain, |log| {
                log.segments[0].envelopes.swap(0, 1);
                log.renumber();
            }),
        ),
        Case::reject(
            "line-repeated",
            F::SequenceMismatch,
            "A line stands twice.",
            &repeated.members(),
        ),
        Case::reject(
            "envelope-inserted",
            F::ChainHashMismatch,
            "An envelope was inserted and everything after it renumbered.",
            &rewritten(Recompute::Content, |log| {
                let inserted = Log::sealed(SigningPromise::Checkpoints, vec![vec![Draft::new(9)]])
                    .envelope(0)
                    .clone();
                log.segments[0].envelopes.insert(1, inserted);
                log.renumber();
            }),
        ),
    ]
}

fn cuts() -> Vec<Case> {
    let mut middle = relined(|lines| {
        lines.remove(1);
    });
    recount(&mut middle, 2);
    let mut tail = relined(|lines| {
        lines.pop();
    });
    let tail_kept_manifest = tail.members();
    recount(&mut tail, 2);
    let mut cut_open = Log::open(SigningPromise::Checkpoints, vec![Draft::range(0..3)]);
    let known = cut_open.clone();
    drop_last(&mut cut_open);
    cut_open.finish();
    let mut partial_tail = tail.clone();
    partial_tail.manifest["segments"][0]["complete"] = false.into();
    vec![
        Case::reject(
            "middle-dropped",
            F::GapAnchorMissing,
            "An envelope was taken out of the middle; the counts were restated.",
            &middle.members(),
        ),
        Case::reject(
            "middle-dropped-rechained",
            F::CheckpointSignatureInvalid,
            "An envelope was taken out of the middle; everything but the signatures was recomputed.",
            &rewritten(Recompute::Chain, drop_second),
        ),
        Case::reject(
            "middle-dropped-by-insider",
            F::KnownHeadAhead,
            "An insider took an envelope out of the middle and recomputed and signed everything. A known head is longer.",
            &rewritten(Recompute::RealKey, drop_second),
        )
        .knowing(&signed()),
        Case::reject(
            "tail-cut",
            F::EnvelopeCountMismatch,
            "The last envelope was cut off; the manifest states only the shorter part.",
            &tail_kept_manifest,
        ),
        Case::reject(
            "tail-cut-recounted",
            F::CompleteFlagMismatch,
            "The last envelope was cut off; the counts were restated, the segment still calls itself complete.",
            &tail.members(),
        ),
        Case::reject(
            "tail-cut-called-partial",
            F::GapAnchorMissing,
            "The last envelope was cut off, and the segment calls itself a selection.",
            &partial_tail.members(),
        ),
        Case::reject(
            "tail-cut-and-resealed",
            F::SealSignatureInvalid,
            "The last envelope was cut off; a new seal ends the segment, with the old signatures.",
            &rewritten(Recompute::Chain, drop_last),
        ),
        Case::reject(
            "tail-cut-by-insider",
            F::KnownHeadAhead,
            "An insider cut the last envelope off and sealed and signed again. A known head is longer.",
            &rewritten(Recompute::RealKey, drop_last),
        )
        .knowing(&signed()),
        Case::reject(
            "open-tail-cut-by-insider",
            F::KnownHeadAhead,
            "An insider cut the tail of the open segment off. A known head is longer.",
            &whole(&cut_open).members(),
        )
        .knowing(&known),
    ]
}

fn times() -> Vec<Case> {
    let mut across = two_segments();
    across.segments[1].genesis.opened_at = moment(1);
    across.envelope(2).place.recorded_at = moment(0);
    across.finish();
    vec![
        Case::reject(
            "recorded-at-edited",
            F::ChainHashMismatch,
            "The recorded time of an envelope was moved within its neighbours'.",
            &rewritten(Recompute::Content, |log| log.envelope(1).place.recorded_at = moment(2)),
        ),
        Case::reject(
            "recorded-at-decreases",
            F::RecordedAtDecreases,
            "An insider recorded an envelope at a time before the one that precedes it.",
            &rewritten(Recompute::RealKey, |log| log.envelope(2).place.recorded_at = moment(0)),
        ),
        Case::reject(
            "recorded-at-decreases-across-segments",
            F::RecordedAtDecreases,
            "An insider began a segment at a time before the end of the one that precedes it.",
            &whole(&across).members(),
        ),
    ]
}

fn numbers() -> Vec<Case> {
    let mut head = whole(&signed());
    head.manifest["segments"][0]["chain_head"] = json!(ChainHash::from_bytes([0xee; 32]));
    vec![
        Case::reject(
            "sequence-begins-at-one",
            F::GapAnchorMissing,
            "An insider numbered a segment from 1.",
            &rewritten(Recompute::RealKey, |log| {
                for number in 0..3 {
                    log.envelope(number).place.sequence += 1;
                }
            }),
        ),
        Case::reject(
            "sequence-skips",
            F::GapAnchorMissing,
            "An insider left a sequence out.",
            &rewritten(Recompute::RealKey, |log| log.envelope(2).place.sequence = 3),
        ),
        Case::reject(
            "position-skips",
            F::PositionMismatch,
            "An insider left a position out within a segment.",
            &rewritten(Recompute::RealKey, |log| log.envelope(2).place.position = 3),
        ),
        Case::reject(
            "chain-hash-edited",
            F::ChainHashMismatch,
            "The stated chain hash of an envelope was replaced.",
            &rewritten(Recompute::Manifest, |log| {
                log.envelope(1).chain_hash = ChainHash::from_bytes([0xee; 32]);
            }),
        ),
        Case::reject(
            "manifest-chain-head-edited",
            F::ChainHeadMismatch,
            "The manifest states another chain head than the segment's.",
            &head.members(),
        ),
    ]
}

/// `partial` with its proofs changed, signed by an insider.
fn reproved(change: impl FnOnce(&mut Vec<Value>)) -> Members {
    let mut bundle = partial();
    bundle.edit_lines(layout::PROOFS, change);
    bundle.members()
}

fn gaps() -> Vec<Case> {
    let anchor = |after_sequence: u64| {
        json!({
            "kind": "gap",
            "segment_id": segment_id(0),
            "after_sequence": after_sequence,
            "chain_hash": seven().envelope(after_sequence as usize).chain_hash,
        })
    };
    let mut unneeded = whole(&signed());
    unneeded
        .parts
        .push(crate::forge::bundle::Part { name: layout::PROOFS.to_owned(), bytes: Vec::new() });
    unneeded.edit_lines(layout::PROOFS, |lines| lines.push(anchor(0)));
    vec![
        Case::reject(
            "gap-anchor-forged",
            F::ChainHashMismatch,
            "A gap anchor states another chain hash than that of the last omitted envelope.",
            &reproved(|lines| lines[1]["chain_hash"] = json!(ChainHash::from_bytes([0xee; 32]))),
        ),
        Case::reject(
            "gap-anchor-missing",
            F::GapAnchorMissing,
            "Envelopes between two that are included have no anchor.",
            &reproved(|lines| {
                lines.remove(1);
            }),
        ),
        Case::reject(
            "gap-anchor-missing-at-the-start",
            F::GapAnchorMissing,
            "The envelopes before the first that is included have no anchor.",
            &reproved(|lines| {
                lines.remove(0);
            }),
        ),
        Case::reject(
            "gap-anchor-missing-at-the-end",
            F::GapAnchorMissing,
            "The envelopes after the last that is included have no anchor.",
            &reproved(|lines| {
                lines.remove(2);
            }),
        ),
        Case::reject(
            "gap-anchor-unneeded",
            F::GapAnchorUnneeded,
            "An anchor stands at an envelope that is included.",
            &reproved(|lines| lines.insert(1, anchor(2))),
        ),
        Case::reject(
            "gap-anchor-repeated",
            F::GapAnchorUnneeded,
            "A gap has two anchors.",
            &reproved(|lines| lines.insert(1, lines[0].clone())),
        ),
        Case::reject(
            "gap-anchor-in-a-complete-segment",
            F::GapAnchorUnneeded,
            "A segment of which everything is included has an anchor.",
            &unneeded.members(),
        ),
        Case::reject(
            "gap-anchor-of-another-segment",
            F::GapAnchorMissing,
            "An anchor names a segment that the bundle does not hold.",
            &reproved(|lines| lines[1]["segment_id"] = json!(segment_id(9))),
        ),
        Case::reject(
            "gap-anchor-in-the-middle-of-the-gap",
            F::GapAnchorMissing,
            "An anchor stands before the last omitted envelope, so that the next one does not follow it.",
            &reproved(|lines| lines[0] = anchor(0)),
        ),
    ]
}
