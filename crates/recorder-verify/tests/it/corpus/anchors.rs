//! The Merkle log: roots, inclusion paths, heads that the auditor knows.

use recorder_core::hash::TreeHash;
use recorder_envelope::bundle::layout;
use recorder_envelope::segment::SigningPromise;
use recorder_verify::FindingCode as F;
use serde_json::{Value, json};

use super::case::{Case, partial, replace, seven, signed, unsigned, whole};
use crate::forge::bundle::{Bundle, Members, Part, Selection};
use crate::forge::draft::{Draft, canonical_payload};
use crate::forge::log::{Log, Recompute};

/// Every manipulation of anchors.
pub(crate) fn cases() -> Vec<Case> {
    [roots(), paths(), forms(), heads()].into_iter().flatten().collect()
}

fn roots() -> Vec<Case> {
    let root = json!(TreeHash::from_bytes([0xee; 32]));
    let mut unsigned_root = whole(&unsigned());
    unsigned_root.manifest["root_hash"] = root.clone();
    let mut signed_root = whole(&signed());
    signed_root.manifest["root_hash"] = root;
    let mut larger = whole(&signed());
    larger.manifest["tree_size"] = 4.into();
    let mut smaller = partial();
    smaller.manifest["tree_size"] = 3.into();
    vec![
        Case::reject(
            "open-segment-ends-before-its-log",
            F::TreeSizeMismatch,
            "An insider calls an open segment complete with its first three of five envelopes; the checkpoint is genuine.",
            &shortened().members(),
        ),
        Case::reject(
            "manifest-root-edited",
            F::CheckpointMismatch,
            "The manifest states another root than the checkpoint.",
            &signed_root.members(),
        ),
        Case::reject(
            "unsigned-manifest-root-edited",
            F::RootMismatch,
            "The manifest of an unsigned log states another root than the envelopes give.",
            &unsigned_root.members(),
        )
        .trust(None),
        Case::reject(
            "manifest-tree-size-edited",
            F::CheckpointMismatch,
            "The manifest states a larger log than the checkpoint.",
            &larger.members(),
        ),
        Case::reject(
            "manifest-tree-smaller-than-its-envelopes",
            F::TreeSizeMismatch,
            "The manifest states a log that ends before the included envelopes do.",
            &smaller.members(),
        ),
    ]
}

/// The first three of five envelopes of an open segment, of which the manifest says that there are no others.
fn shortened() -> Bundle {
    let mut log = Log::open(SigningPromise::Checkpoints, vec![Draft::range(0..5)]);
    let mut bundle = Bundle::of(&log, &Selection::positions(&[(0, 3)]));
    let segment = &mut bundle.manifest["segments"][0];
    segment["envelope_count"] = 3.into();
    segment["chain_head"] = json!(log.envelope(2).chain_hash);
    segment["complete"] = true.into();
    bundle.edit_lines(layout::PROOFS, |lines| lines.retain(|line| line["kind"] == "inclusion"));
    bundle
}

/// `partial` with its proofs changed, signed by an insider.
fn reproved(change: impl FnOnce(&mut Vec<Value>)) -> Members {
    let mut bundle = partial();
    bundle.edit_lines(layout::PROOFS, change);
    bundle.members()
}

/// The lines of `partial`'s proofs: gaps before 2, at 4 and at 6, then the paths of 2, 3 and 5.
const FIRST_PATH: usize = 3;

fn paths() -> Vec<Case> {
    let path_of = |position: u64| {
        json!({
            "kind": "inclusion",
            "position": position,
            "path": seven().leaves().path(position),
        })
    };
    let mut whole_log = whole(&signed());
    whole_log.parts.push(Part { name: layout::PROOFS.to_owned(), bytes: Vec::new() });
    let path = json!({
        "kind": "inclusion",
        "position": 0,
        "path": signed().leaves().path(0),
    });
    whole_log.edit_lines(layout::PROOFS, |lines| lines.push(path));
    let mut removed = partial();
    removed.remove(layout::PROOFS);
    vec![
        Case::reject(
            "inclusion-path-wrong",
            F::InclusionInvalid,
            "A hash of an inclusion path was replaced.",
            &reproved(|lines| {
                lines[FIRST_PATH]["path"][1] = json!(TreeHash::from_bytes([0xee; 32]));
            }),
        ),
        Case::reject(
            "inclusion-path-short",
            F::InclusionInvalid,
            "An inclusion path lacks its last hash.",
            &reproved(|lines| {
                lines[FIRST_PATH]["path"].as_array_mut().unwrap().pop();
            }),
        ),
        Case::reject(
            "inclusion-path-long",
            F::InclusionInvalid,
            "An inclusion path has a hash too many.",
            &reproved(|lines| {
                let path = lines[FIRST_PATH]["path"].as_array_mut().unwrap();
                path.push(json!(TreeHash::from_bytes([0xee; 32])));
            }),
        ),
        Case::reject(
            "inclusion-paths-exchanged",
            F::InclusionInvalid,
            "Two inclusion paths exchanged places.",
            &reproved(|lines| {
                let first = lines[FIRST_PATH]["path"].take();
                lines[FIRST_PATH]["path"] = lines[FIRST_PATH + 2]["path"].take();
                lines[FIRST_PATH + 2]["path"] = first;
            }),
        ),
        Case::reject(
            "inclusion-path-missing",
            F::InclusionMissing,
            "An end of a run has no inclusion path.",
            &reproved(|lines| {
                lines.remove(FIRST_PATH + 1);
            }),
        ),
        Case::reject(
            "inclusion-path-unneeded",
            F::InclusionUnneeded,
            "An inclusion path stands for a position that is not included.",
            &reproved(|lines| lines.insert(FIRST_PATH + 2, path_of(4))),
        ),
        Case::reject(
            "inclusion-path-beyond-the-log",
            F::InclusionUnneeded,
            "An inclusion path names a position that the log does not have.",
            &reproved(|lines| {
                let mut line = path_of(6);
                line["position"] = 7.into();
                lines.push(line);
            }),
        ),
        Case::reject(
            "inclusion-path-of-a-whole-log",
            F::InclusionUnneeded,
            "A bundle of the whole log has an inclusion path.",
            &whole_log.members(),
        ),
        Case::reject(
            "proofs-removed",
            F::InclusionMissing,
            "A selection comes without its proofs.",
            &removed.members(),
        ),
    ]
}

fn forms() -> Vec<Case> {
    let mut spaced = partial();
    replace(spaced.bytes_mut(layout::PROOFS), b"\"kind\":", b"\"kind\": ");
    let mut unterminated = partial();
    unterminated.bytes_mut(layout::PROOFS).pop();
    vec![
        Case::reject(
            "proofs-not-canonical",
            F::ProofMalformed,
            "A line of proofs holds a space.",
            &spaced.members(),
        ),
        Case::reject(
            "proofs-unterminated",
            F::ProofMalformed,
            "The last line of proofs has no line feed.",
            &unterminated.members(),
        ),
        Case::reject(
            "proofs-out-of-order",
            F::ProofMalformed,
            "Two inclusion paths stand in another order than their positions.",
            &reproved(|lines| lines.swap(FIRST_PATH, FIRST_PATH + 1)),
        ),
        Case::reject(
            "proofs-with-unknown-member",
            F::ProofMalformed,
            "A line of proofs holds a member that none has.",
            &reproved(|lines| lines[FIRST_PATH]["note"] = "approved".into()),
        ),
        Case::reject(
            "proofs-of-unknown-kind",
            F::ProofMalformed,
            "A line of proofs is of a kind that does not exist.",
            &reproved(|lines| lines[FIRST_PATH]["kind"] = "exclusion".into()),
        ),
        Case::reject(
            "gap-after-inclusion",
            F::ProofMalformed,
            "A gap anchor stands after an inclusion path.",
            &reproved(|lines| {
                let gap = lines.remove(2);
                lines.push(gap);
            }),
        ),
    ]
}

fn heads() -> Vec<Case> {
    let promise = SigningPromise::Checkpoints;
    let longer = Log::sealed(promise, vec![Draft::range(0..3), Draft::range(3..5)]);
    let mut forked = longer.clone();
    let payload = json!({ "amount": 0, "tool": "transfer" });
    forked.envelope(0).payload.as_mut().unwrap().payload = canonical_payload(&payload);
    forked.recompute(Recompute::RealKey);
    let part = Bundle::of(&longer, &Selection::positions(&[(0, 3)]));
    let five = Log::sealed(promise, vec![Draft::range(0..5)]);
    let mut other = Log::open(promise, vec![Draft::range(0..3)]);
    other.envelope(2).payload.as_mut().unwrap().payload = canonical_payload(&payload);
    other.recompute(Recompute::RealKey);
    vec![
        Case::reject(
            "fork-shown-within-a-part",
            F::KnownHeadMismatch,
            "The log forked: within its one segment it has another root than the head that the auditor knows.",
            &whole(&five).members(),
        )
        .knowing(&other),
        Case::reject(
            "old-copy-shown",
            F::KnownHeadAhead,
            "An old, genuine copy of the log is shown to an auditor who has seen a longer one.",
            &whole(&signed()).members(),
        )
        .knowing(&longer),
        Case::reject(
            "fork-shown",
            F::KnownHeadMismatch,
            "The log forked: at the size of the head that the auditor knows it has another root.",
            &whole(&forked).members(),
        )
        .knowing(&signed()),
        Case::reject(
            "selection-of-an-old-copy",
            F::KnownHeadAhead,
            "A selection from an old copy is shown to an auditor who has seen a longer log.",
            &part.members(),
        )
        .knowing(&seven_after(&longer)),
    ]
}

/// `log` with two more envelopes.
fn seven_after(log: &Log) -> Log {
    let mut log = log.clone();
    log.record(SigningPromise::Checkpoints, Draft::range(5..7));
    log.finish();
    log
}
