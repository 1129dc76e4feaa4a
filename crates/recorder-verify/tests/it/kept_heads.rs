//! Heads kept from earlier bundles: an older bundle is told from a forked log, and no bundle proves its own end.

use recorder_envelope::checkpoint::{self, Checkpoint, SignedCheckpoint};
use recorder_envelope::segment::SigningPromise;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot};
use recorder_verify::{End, FindingCode, Report, Verdict, VerifyOptions, verify};

use crate::forge::bundle::{Bundle, Selection};
use crate::forge::draft::{self, Draft};
use crate::forge::keys::{Holder, trust_root};
use crate::forge::log::Log;

/// A log of sealed segments, each of the drafts from one number to another.
fn log(segments: &[(u64, u64)]) -> Log {
    let drafts = segments.iter().map(|(from, to)| Draft::range(*from..*to)).collect();
    Log::sealed(SigningPromise::Checkpoints, drafts)
}

fn judged(log: &Log, selection: &Selection, kept: Option<SignedCheckpoint>) -> Report {
    let key = Holder::Recorder.trusted(&draft::stream(), KeyStatus::Active);
    let options = VerifyOptions {
        trust_root: Some(TrustRoot::parse(&trust_root(vec![key])).unwrap()),
        kept_heads: kept.into_iter().collect(),
        ..VerifyOptions::default()
    };
    let bytes = Bundle::of(log, selection).members().archive();
    verify(&bytes, &options, &mut |_| {}).unwrap()
}

fn head(log: &Log) -> SignedCheckpoint {
    let report = judged(log, &Selection::everything(), None);
    report.vouched_checkpoint().unwrap().clone()
}

fn codes(report: &Report) -> Vec<FindingCode> {
    report.finding_counts().keys().copied().collect()
}

#[test]
fn a_log_that_extends_the_kept_head_is_judged_as_without_it() {
    let (short, long) = (log(&[(0, 5)]), log(&[(0, 5), (5, 8)]));
    for kept in [head(&short), head(&long)] {
        let with = judged(&long, &Selection::everything(), Some(kept));
        let without = judged(&long, &Selection::everything(), None);
        assert_eq!(with.findings(), []);
        assert_eq!((with.answers(), with.phases()), (without.answers(), without.phases()));
        assert!(!with.heads_doubted());
    }
}

#[test]
fn an_older_bundle_is_valid_with_a_warning_and_its_end_is_unproven() {
    let kept = head(&log(&[(0, 5), (5, 8)]));
    let report = judged(&log(&[(0, 5)]), &Selection::everything(), Some(kept));
    assert_eq!(codes(&report), [FindingCode::KeptHeadAhead]);
    assert_eq!(report.verdict(), Verdict::ValidWithWarnings);
    assert_eq!(report.answers().end, End::Unproven);
    assert!(report.heads_doubted());
}

#[test]
fn a_forked_log_is_invalid() {
    let kept = head(&log(&[(0, 5)]));
    for other in [log(&[(1, 6)]), log(&[(1, 6), (6, 9)])] {
        let report = judged(&other, &Selection::everything(), Some(kept.clone()));
        assert_eq!(codes(&report), [FindingCode::KnownHeadMismatch]);
        assert_eq!(report.verdict(), Verdict::Invalid);
    }
}

#[test]
fn a_selection_that_cannot_be_compared_says_so() {
    let kept = head(&log(&[(0, 5)]));
    let long = log(&[(0, 5), (5, 8)]);
    let report = judged(&long, &Selection::positions(&[(5, 8)]), Some(kept));
    assert_eq!(codes(&report), [FindingCode::KnownHeadNotComparable]);
    assert!(report.heads_doubted());
}

#[test]
fn a_kept_head_proves_no_end() {
    // Position 4 is the last under the kept head, and no seal stands there.
    let open = Log::open(SigningPromise::Checkpoints, vec![Draft::range(0..5)]);
    let kept = head(&open);
    let report = judged(&open, &Selection::everything(), Some(kept));
    assert_eq!((codes(&report), report.answers().end), (vec![], End::Open));
}

#[test]
fn a_kept_head_of_another_stream_is_not_compared() {
    let mut other = log(&[(0, 9)]);
    other.stream.recorder_id = "recorder-2".parse().unwrap();
    other.finish();
    let kept = other.signed_checkpoint();
    let report = judged(&log(&[(0, 5)]), &Selection::everything(), Some(kept));
    assert_eq!(codes(&report), []);
    assert_eq!(report.verdict(), Verdict::Valid);
}

#[test]
fn a_kept_head_of_the_stream_under_another_name_is_of_another_log() {
    for name in ["another.example", "zebra.example"] {
        let kept = log(&[(0, 5)]);
        let origin = checkpoint::origin(name, &kept.stream);
        let head = Checkpoint::new(origin, kept.tree_size, kept.root).unwrap();
        let head = head.sign(&Holder::Recorder.key()).unwrap();
        let report = judged(&kept, &Selection::everything(), Some(head));
        assert_eq!(codes(&report), [FindingCode::KnownHeadOtherLog]);
        assert!(report.heads_doubted());
    }
}
