//! What a report and its transcript say beside the verdict: counts, keys, phases, and whether a demand is met.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use recorder_core::hash::sha256;
use recorder_envelope::segment::SigningPromise;
use recorder_envelope::trust_root::TrustRoot;
use recorder_verify::phase::signatures::KeyUse;
use recorder_verify::{
    Answers, Authenticity, Completeness, End, FindingCode, Integrity, Outcome, Phase, Progress,
    ReadAt, Report, Requirements, Time, Transcript, TranscriptInputs, VerifyError, VerifyLimits,
    VerifyOptions, verify,
};
use serde_json::{Value, json};

use crate::corpus::case::{GENESIS, partial, signed_envelopes, whole, with_attachments};
use crate::corpus::{trust_root, valid_cases};
use crate::forge::bundle::{Bundle, Selection};
use crate::forge::draft::{Draft, envelope_id};
use crate::forge::keys::Holder;
use crate::forge::log::Log;

fn judged(bundle: &[u8], root: Option<&str>) -> Report {
    let trust_root = root.map(|name| TrustRoot::parse(trust_root(name)).unwrap());
    let options = VerifyOptions { trust_root, ..VerifyOptions::default() };
    verify(&bundle, &options, &mut |_| {}).unwrap()
}

fn of(bundle: &Bundle) -> Report {
    judged(&bundle.members().archive(), Some("recorder"))
}

fn counts(report: &Report, phase: Phase) -> Vec<(String, u64)> {
    let phases = report.phases();
    let summary = phases.iter().find(|summary| summary.phase == phase).unwrap();
    summary.counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn named(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    let mut counts: Vec<_> =
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    counts.sort();
    counts
}

#[test]
fn each_phase_counts_what_it_has_checked() {
    let (part, all) = (of(&partial()), of(&whole(&signed_envelopes())));
    let attached = of(&whole(&with_attachments()));
    let chain = |links, anchors| named(&[("links", links), ("gap_anchors", anchors)]);
    assert_eq!(counts(&part, Phase::Chain), chain(3, 3));
    assert_eq!(counts(&all, Phase::Chain), chain(3, 0));
    let anchors = |runs, paths, roots| {
        let others = [("known_heads", 0), ("cosignatures", 0)];
        let own = [("runs", runs), ("inclusion_paths", paths), ("roots_recomputed", roots)];
        named(&[&own[..], &others].concat())
    };
    assert_eq!(counts(&part, Phase::Anchors), anchors(2, 3, 0));
    assert_eq!(counts(&all, Phase::Anchors), anchors(1, 0, 1));
    let sealed = named(&[("segments", 1), ("sealed", 1)]);
    assert_eq!(counts(&all, Phase::Segments), sealed);
    let signatures = named(&[("verified", 6), ("envelopes", 3), ("keys", 1)]);
    assert_eq!(counts(&all, Phase::Signatures), signatures);
    let attachments = named(&[("attachments", 2), ("withheld", 0), ("references", 3)]);
    assert_eq!(counts(&attached, Phase::Attachments), attachments);
    let open = whole(&Log::open(SigningPromise::Checkpoints, vec![Draft::range(0..2)]));
    assert_eq!(counts(&of(&open), Phase::Segments), named(&[("segments", 1), ("sealed", 0)]));
}

#[test]
fn keys_are_told_with_all_that_they_signed() {
    let report = of(&whole(&signed_envelopes()));
    let key_id = Holder::Recorder.key().key_id();
    let used: Vec<_> = report.keys().into_iter().map(|key| (key.key_id, key.on)).collect();
    let all = [KeyUse::Manifest, KeyUse::Checkpoint, KeyUse::Seal, KeyUse::Envelope];
    assert_eq!(used, all.map(|on| (key_id, on)));
}

#[test]
fn a_checkpoint_is_vouched_for_by_a_trusted_key_only() {
    let archive = whole(&signed_envelopes()).members().archive();
    assert!(judged(&archive, Some("recorder")).vouched_checkpoint().is_some());
    for root in [None, Some("other-recorder"), Some("recorder-compromised")] {
        let report = judged(&archive, root);
        assert_eq!(
            (report.vouched_checkpoint(), report.checkpoint_key()),
            (None, None),
            "{root:?}"
        );
    }
}

#[test]
fn a_key_goes_back_to_itself_where_the_trust_root_names_it_and_else_to_who_brought_it_in() {
    for (name, root, last, rooted) in [
        ("rotation-followed", "recorder", Holder::RecorderNext, Holder::Recorder),
        ("rotation-followed-twice", "recorder", Holder::RecorderLast, Holder::Recorder),
        ("rotated", "recorder-rotated", Holder::RecorderNext, Holder::RecorderNext),
        ("signed", "recorder", Holder::Recorder, Holder::Recorder),
    ] {
        let case = valid_cases().into_iter().find(|case| case.name == name).unwrap();
        let key = judged(&case.bytes, Some(root)).checkpoint_key().unwrap();
        let expected = (last.key().key_id(), rooted.key().key_id());
        assert_eq!((key.key.key_id(), key.rooted_in), expected, "{name}");
    }
}

/// A bundle with findings of several phases.
fn broken() -> Bundle {
    let mut bundle = partial();
    bundle.edit_json(GENESIS, |genesis| genesis["heartbeat_seconds"] = json!(60));
    bundle.manifest["root_hash"] = json!("0".repeat(64));
    bundle
}

#[test]
fn findings_are_counted_and_written_down_under_their_phases() {
    let archive = broken().members().archive();
    let report = judged(&archive, Some("recorder"));
    let phases: BTreeSet<_> = report.findings().iter().map(|finding| finding.phase()).collect();
    assert!(phases.len() > 2, "{phases:?}");
    let inputs = TranscriptInputs::new(&archive, None, &[], &VerifyLimits::default()).unwrap();
    let transcript = Transcript::new(&report, &inputs).unwrap();
    let written: Value = serde_json::from_slice(transcript.as_bytes()).unwrap();
    let written = written["phases"].as_array().unwrap();
    assert_eq!(written.len(), report.phases().len());
    for (summary, written) in report.phases().iter().zip(written) {
        let own: Vec<_> = report
            .findings()
            .iter()
            .filter(|finding| finding.phase() == summary.phase)
            .map(|finding| json!({ "code": finding.code(), "place": finding.place() }))
            .collect();
        assert_eq!(summary.finding_count, own.len() as u64);
        assert_eq!(written["finding_count"], own.len());
        assert_eq!(written["findings"], json!(own));
        assert!(summary.reached);
    }
}

#[test]
fn of_a_bundle_that_is_refused_only_the_first_phase_is_reached() {
    let report = judged(b"PK\x05\x06", None);
    let reached: Vec<_> = report.phases().iter().map(|summary| summary.reached).collect();
    assert_eq!(reached, [true, false, false, false, false, false, false]);
}

#[test]
fn a_transcript_names_the_bytes_that_went_in() {
    let bundle: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let inputs = TranscriptInputs::new(&bundle, None, &[], &VerifyLimits::default()).unwrap();
    let hex: String = sha256(&[&bundle]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(inputs.bundle_sha256(), hex);
}

const BEST: Answers = Answers {
    authenticity: Authenticity::Proven,
    completeness: Completeness::Complete,
    end: End::Proven,
    integrity: Integrity::Intact,
    time: Time::Bounded,
};

const NOTHING: Requirements = Requirements { authenticity: false, end: false, time: false };

#[test]
fn each_demand_is_met_by_its_own_answer_only() {
    let demands = [
        Requirements { authenticity: true, ..NOTHING },
        Requirements { end: true, ..NOTHING },
        Requirements { time: true, ..NOTHING },
    ];
    let lacking = [
        vec![Answers { authenticity: Authenticity::Unproven, ..BEST }],
        vec![Answers { end: End::Open, ..BEST }, Answers { end: End::Unproven, ..BEST }],
        vec![Answers { time: Time::Claimed, ..BEST }],
    ];
    for (index, demand) in demands.iter().enumerate() {
        assert_eq!(BEST.satisfy(demand), Outcome::Satisfied);
        for (other, answers) in lacking.iter().enumerate() {
            let met = if other == index { Outcome::Unproven } else { Outcome::Satisfied };
            assert!(
                answers.iter().all(|answers| answers.satisfy(demand) == met),
                "{index}, {other}"
            );
        }
    }
    assert_eq!(lacking[0][0].satisfy(&Requirements::default()), Outcome::Unproven);
    assert_eq!(lacking[1][0].satisfy(&Requirements::default()), Outcome::Satisfied);
}

#[test]
fn what_is_broken_meets_no_demand() {
    for broken in [
        Answers { integrity: Integrity::Broken, ..BEST },
        Answers { authenticity: Authenticity::Broken, ..BEST },
        Answers { completeness: Completeness::Broken, ..BEST },
    ] {
        for demand in [NOTHING, Requirements::default()] {
            assert_eq!(broken.satisfy(&demand), Outcome::Invalid);
        }
    }
}

#[test]
fn progress_reaches_its_end() {
    let archive = whole(&signed_envelopes()).members().archive();
    let mut seen = Vec::new();
    verify(&archive, &VerifyOptions::default(), &mut |progress| seen.push(progress)).unwrap();
    let Some(Progress { done_bytes, total_bytes }) = seen.last().copied() else { panic!("none") };
    assert!(done_bytes > 0);
    assert_eq!(done_bytes, total_bytes);
}

/// A file of which one reading fails.
struct Failing<'a> {
    bytes: &'a [u8],
    reads: AtomicU64,
    fails_at: u64,
}

impl ReadAt for Failing<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self.reads.fetch_add(1, Ordering::Relaxed) == self.fails_at {
            return Err(io::ErrorKind::Other.into());
        }
        self.bytes.read_at(offset, buffer)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.bytes.size_bytes()
    }
}

/// Envelopes that name so many parents that nothing is known of that they cannot all be held at once.
fn of_many_parents() -> Bundle {
    let parents = |number: u64| (100_000 + number * 64..100_064 + number * 64).collect::<Vec<_>>();
    let mut drafts: Vec<_> =
        (0..1_025).map(|number| Draft::new(number).after(&parents(number))).collect();
    // One of the last parents that were named does come.
    drafts.push(Draft::new(100_000 + 1_025 * 64 - 1));
    let log = Log::sealed(SigningPromise::None, vec![drafts]);
    let mut bundle = Bundle::of(&log, &Selection::everything());
    bundle.manifest["omitted_parent_ids"] = json!([envelope_id(1)]);
    bundle
}

#[test]
fn parents_that_cannot_be_held_at_once_are_looked_for_in_a_second_reading() {
    let archive = of_many_parents().members().archive();
    let source = Failing { bytes: &archive, reads: AtomicU64::new(0), fails_at: u64::MAX };
    let options = VerifyOptions { threads: 2, ..VerifyOptions::default() };
    let report = verify(&source, &options, &mut |_| {}).unwrap();
    let found = |code| report.finding_counts().get(&code).copied();
    assert_eq!(found(FindingCode::ParentUnlisted), Some(1_025 * 64 - 1));
    assert_eq!(found(FindingCode::OmittedParentPresent), Some(1));
    assert_eq!(found(FindingCode::OmittedParentUnnamed), Some(1));
    assert_eq!(found(FindingCode::EnvelopeRepeated), None);
    let limits = VerifyLimits { id_rounds_max: 0, ..VerifyLimits::default() };
    let options = VerifyOptions { limits, ..VerifyOptions::default() };
    let refused = verify(&archive, &options, &mut |_| {});
    assert!(matches!(refused, Err(VerifyError::Limit { what: "passes over envelope ids", .. })));
    // The last pieces that are read are those of the second reading, and of the text for people.
    let fails_at = source.reads.into_inner() - 5;
    let failing = Failing { bytes: &archive, reads: AtomicU64::new(0), fails_at };
    let failed = verify(&failing, &VerifyOptions::default(), &mut |_| {});
    assert!(matches!(failed, Err(VerifyError::Io(_))));
}
