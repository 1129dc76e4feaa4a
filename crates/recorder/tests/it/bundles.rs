//! Bundles hold exactly what was selected, are the same bytes each time, and verify.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::LazyLock;

use proptest::prelude::*;
use recorder::AutoSeal;
use recorder::bundle::{
    AnchorAt, BuildError, BuildRequest, Built, Compression, write_archive, write_document,
};
use recorder_core::filter::Range;
use recorder_core::identity::{EnvelopeId, EventTypePrefix, StreamId};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::segment::SealReason;
use recorder_envelope::selector::{EventTypeSelector, RangeOf, Selector};
use recorder_envelope::signing::SecretKey;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};
use recorder_store::Store;
use recorder_verify::{
    Authenticity, Completeness, Integrity, Report, Verdict, VerifyOptions, verify,
};
use serde_json::Value;

use crate::harness::{
    BEGINNING, Backing, SECOND, Setup, World, key, key_of, moment, over_both_stores, tenant,
};

over_both_stores!(
    a_whole_signed_log_is_valid_and_complete,
    a_whole_unsigned_log_is_intact_and_says_so,
    a_log_whose_promise_cannot_be_kept_gives_no_bundle,
    a_bundle_holds_what_the_checkpoint_covers,
    a_bundle_at_an_older_checkpoint_stays_the_same_for_ever,
    a_selection_that_selects_nothing_is_refused,
    a_document_over_the_bound_is_refused,
    attachments_come_along_once,
    parents_that_are_left_out_are_named,
    every_selection_is_the_naive_one_and_verifies,
    a_missing_attachment_is_named,
);

static SIGNER: LazyLock<SecretKey> = LazyLock::new(key);

pub(crate) fn request(stream: &StreamId, selector: Selector) -> BuildRequest<'static> {
    BuildRequest {
        stream: stream.clone(),
        selector,
        created_at: moment(BEGINNING).into(),
        anchor: AnchorAt::Newest,
        compression: Compression::Stored,
        signer: Some(&SIGNER),
    }
}

pub(crate) fn archive(
    store: &dyn Store,
    request: &BuildRequest<'_>,
) -> Result<(Built, Vec<u8>), BuildError> {
    let mut out = Vec::new();
    let mut spool = Cursor::new(Vec::new());
    let built = write_archive(store, request, &mut spool, &mut out, &mut |_| ())?;
    assert_eq!(built.size_bytes, out.len() as u64);
    Ok((built, out))
}

fn document(store: &dyn Store, request: &BuildRequest<'_>) -> Result<(Built, Vec<u8>), BuildError> {
    let mut out = Vec::new();
    let mut spool = Cursor::new(Vec::new());
    let built = write_document(store, request, &mut spool, &mut out, &mut |_| ())?;
    assert_eq!(built.size_bytes, out.len() as u64);
    Ok((built, out))
}

/// What a verifier says who trusts the keys of these seeds, everywhere.
pub(crate) fn judged(bundle: &[u8], trusted: &[u8]) -> Report {
    let trust = |seed: &u8| {
        let key = key_of(*seed).public_key();
        TrustedKey::new(key, TrustedStreams::All, KeyStatus::Active).unwrap()
    };
    let keys = trusted.iter().map(trust).collect::<Vec<_>>();
    let trust_root = (!keys.is_empty()).then(|| TrustRoot::new(keys, None).unwrap());
    let options = VerifyOptions { trust_root, ..VerifyOptions::default() };
    verify(&bundle, &options, &mut |_| ()).unwrap()
}

/// Builds in every form, twice, and verifies each; returns the document.
fn check_all_forms(
    store: &dyn Store,
    mut request: BuildRequest<'_>,
    trusted: &[u8],
) -> (Value, Report) {
    let (built, document_bytes) = document(store, &request).unwrap();
    assert_eq!(document(store, &request).unwrap().1, document_bytes, "the same bytes each time");
    let report = judged(&document_bytes, trusted);
    for compression in [Compression::Stored, Compression::Deflate] {
        request.compression = compression;
        let (again, bytes) = archive(store, &request).unwrap();
        assert_eq!(again.bundle_id, built.bundle_id, "the form does not change the bundle");
        assert_eq!(archive(store, &request).unwrap().1, bytes, "the same bytes each time");
        let judged = judged(&bytes, trusted);
        assert_eq!(judged.findings(), report.findings());
        assert_eq!(judged.answers(), report.answers());
    }
    assert_eq!(report.answers().integrity, Integrity::Intact, "{:#?}", report.findings());
    (serde_json::from_slice(&document_bytes).unwrap(), report)
}

/// What the oracle asks of every stream that any test leaves behind.
pub(crate) fn check_whole(
    store: &dyn Store,
    stream: &StreamId,
    envelopes: &[SealedEnvelope],
    seeds: &[u8],
) {
    let signed = !seeds.is_empty();
    let head = store.head(stream).unwrap().unwrap();
    let covered = match &head.checkpoint {
        Some(checkpoint) => checkpoint.tree_size,
        None if signed => return,
        None => head.next_position,
    };
    let signer = seeds.last().map(|seed| key_of(*seed));
    let request =
        BuildRequest { signer: signer.as_ref(), ..request(stream, Selector::everything()) };
    if covered == 0 {
        assert!(matches!(archive(store, &request), Err(BuildError::NothingSelected)));
        return;
    }
    // Large logs have their own tests; here it is the many histories that count.
    if covered > 2000 {
        return;
    }
    let (document, report) = check_all_forms(store, request, seeds);
    let ids = envelopes[..covered as usize].iter().map(|it| it.fields.envelope_id);
    assert_eq!(ids_in(&document), ids.collect::<Vec<_>>());
    let answers = report.answers();
    assert_eq!(answers.completeness, Completeness::Complete, "{:#?}", report.findings());
    if signed {
        assert_eq!(answers.authenticity, Authenticity::Proven, "{:#?}", report.findings());
        assert_eq!(report.verdict(), Verdict::Valid, "{:#?}", report.findings());
    } else {
        assert_ne!(report.verdict(), Verdict::Invalid, "{:#?}", report.findings());
    }
}

fn lines(document: &Value, prefix: &str, within: &str) -> Vec<Value> {
    let parts = document["parts"].as_object().unwrap();
    let chosen = parts.iter().filter(|(name, _)| name.starts_with(prefix) && name.contains(within));
    chosen.flat_map(|(_, lines)| lines.as_array().unwrap().clone()).collect()
}

fn ids_in(document: &Value) -> Vec<EnvelopeId> {
    let lines = lines(document, "segments/", "envelopes-");
    lines.iter().map(|line| line["envelope_id"].as_str().unwrap().parse().unwrap()).collect()
}

fn a_whole_signed_log_is_valid_and_complete(backing: Backing) {
    let setup = Setup::signed().auto_seal(AutoSeal::after_count(100).unwrap());
    let world = World::new(backing, setup);
    world.append_new(350);
    world.recorder().checkpoint(&tenant("a")).unwrap();
    let request = request(&world.stream("a"), Selector::everything());
    let (_, report) = check_all_forms(&*world.store(), request, &[7]);
    assert_eq!(report.verdict(), Verdict::Valid);
    assert_eq!(report.answers().completeness, Completeness::Complete);
}

fn a_whole_unsigned_log_is_intact_and_says_so(backing: Backing) {
    let world = World::new(backing, Setup::unsigned());
    world.append_new(20);
    let mut request = request(&world.stream("a"), Selector::everything());
    request.signer = None;
    let (_, report) = check_all_forms(&*world.store(), request, &[]);
    assert_eq!(report.verdict(), Verdict::ValidWithWarnings);
    assert_eq!(report.answers().authenticity, Authenticity::Unproven);
}

fn a_log_whose_promise_cannot_be_kept_gives_no_bundle(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    world.append_new(3);
    let mut request = request(&world.stream("a"), Selector::everything());
    let refused = archive(&*world.store(), &request);
    assert!(matches!(refused, Err(BuildError::CheckpointRequired)));
    request.signer = None;
    let refused = archive(&*world.store(), &request);
    assert!(matches!(refused, Err(BuildError::SignerRequired)));
}

fn a_bundle_holds_what_the_checkpoint_covers(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    world.append_new(10);
    world.recorder().checkpoint(&tenant("a")).unwrap();
    world.append_new(5);
    let request = request(&world.stream("a"), Selector::everything());
    let (document, _) = check_all_forms(&*world.store(), request, &[7]);
    assert_eq!(ids_in(&document).len(), 10);
    assert_eq!(document["parts"]["manifest.json"]["tree_size"], 10);
}

fn a_bundle_at_an_older_checkpoint_stays_the_same_for_ever(backing: Backing) {
    let setup = Setup::signed().auto_seal(AutoSeal::after_count(10).unwrap());
    let mut world = World::new(backing, setup);
    world.append_new(25);
    let segments = world.store().segments(&world.stream("a"), 0..2).unwrap();
    let second = Selector::Segment { segment_id: segments[1].genesis.segment_id };
    let at = |tree_size| BuildRequest {
        anchor: AnchorAt::Oldest { tree_size },
        ..request(&world.recorder().stream_of(&tenant("a")), second.clone())
    };
    let request = at(20);
    let (built, bytes) = archive(&*world.store(), &request).unwrap();
    assert_eq!((built.tree_size, built.envelope_count, built.checkpointed), (20, 10, true));
    assert!(matches!(archive(&*world.store(), &at(26)), Err(BuildError::BeyondLog { .. })));
    world.append_new(60);
    world.reopen();
    assert_eq!(archive(&*world.store(), &request).unwrap().1, bytes);
    check_all_forms(&*world.store(), request, &[7]);
}

fn a_selection_that_selects_nothing_is_refused(backing: Backing) {
    let world = World::new(backing, Setup::unsigned());
    world.append_new(3);
    for selector in [Selector::Any(Vec::new()), Selector::Not(Box::new(Selector::everything()))] {
        let request = request(&world.stream("a"), selector);
        assert!(matches!(archive(&*world.store(), &request), Err(BuildError::NothingSelected)));
    }
    let request = request(&world.stream("nobody"), Selector::everything());
    assert!(matches!(archive(&*world.store(), &request), Err(BuildError::NoSuchStream { .. })));
}

fn a_document_over_the_bound_is_refused(backing: Backing) {
    let world = World::new(backing, Setup::unsigned());
    let large = format!(r#"{{"large":"{}"}}"#, "x".repeat(4_000_000));
    for _ in 0..9 {
        world.append("a", vec![world.draft().payload(&large).into()]).unwrap();
    }
    let request = request(&world.stream("a"), Selector::everything());
    let refused = document(&*world.store(), &request);
    assert!(matches!(refused, Err(BuildError::DocumentTooLarge { .. })));
    let (_, bytes) = archive(&*world.store(), &request).unwrap();
    assert_ne!(judged(&bytes, &[]).verdict(), Verdict::Invalid);
    world.end_unchecked();
}

fn attachments_come_along_once(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let batch = vec![
        world.draft().attach("one").into(),
        world.draft().attach("one").attach("two").into(),
        world.draft().into(),
    ];
    world.append("a", batch).unwrap();
    world.recorder().checkpoint(&tenant("a")).unwrap();
    let positions =
        |from, to| Selector::Positions(RangeOf::new(Range::new(Some(from), Some(to)).unwrap()));
    for (selector, count) in
        [(Selector::everything(), 2), (positions(0, 1), 1), (positions(2, 3), 0)]
    {
        let request = request(&world.stream("a"), selector);
        let (built, _) = archive(&*world.store(), &request).unwrap();
        assert_eq!(built.attachment_count, count);
        check_all_forms(&*world.store(), request, &[7]);
    }
}

fn a_missing_attachment_is_named(backing: Backing) {
    let world = World::new(backing, Setup::unsigned());
    world.append("a", vec![world.draft().attach("one").into()]).unwrap();
    let mut store = crate::tampered::Tampered::new(world.store());
    store.attachment = Box::new(|bytes| *bytes = None);
    let request = request(&world.stream("a"), Selector::everything());
    let refused = archive(&store, &request);
    assert!(matches!(refused, Err(BuildError::AttachmentMissing { .. })));
}

fn parents_that_are_left_out_are_named(backing: Backing) {
    let world = World::new(backing, Setup::unsigned());
    let first = world.append_new(4);
    let ids = first.iter().map(|it| it.envelope_id).collect::<Vec<_>>();
    let stranger = world.draft().fields.envelope_id;
    world.append("a", vec![world.draft().parents(&[ids[0], ids[3], stranger]).into()]).unwrap();
    let range = Range::new(Some(2), None).unwrap();
    let mut request = request(&world.stream("a"), Selector::Positions(RangeOf::new(range)));
    request.signer = None;
    let (document, _) = check_all_forms(&*world.store(), request, &[]);
    let mut omitted = vec![ids[0].to_string(), stranger.to_string()];
    omitted.sort();
    let named = document["parts"]["manifest.json"]["omitted_parent_ids"].clone();
    assert_eq!(named, Value::from(omitted));
}

fn selectors(envelopes: &[SealedEnvelope]) -> impl Strategy<Value = Selector> + use<> {
    let segments: BTreeSet<_> = envelopes.iter().map(|it| it.place.segment_id).collect();
    let segments = segments.into_iter().collect::<Vec<_>>();
    let ids = envelopes.iter().map(|it| it.fields.envelope_id).collect::<Vec<_>>();
    let count = segments.len();
    let named = |prefix: &'static str| (0_usize..6).prop_map(move |n| format!("{prefix}:{n}"));
    let range = (0_u64..90, 1_u64..60)
        .prop_map(|(from, length)| Range::new(Some(from), Some(from + length)).unwrap());
    let time = (-300_i64..10, 1_i64..200).prop_map(|(from, length)| {
        let at = |seconds: i64| Some(moment(BEGINNING + seconds * SECOND).into());
        Range::new(at(from), at(from + length)).unwrap()
    });
    let prefix = prop_oneof![Just("tool."), Just("agent"), Just("tool.c"), Just("none")];
    let leaf = prop_oneof![
        proptest::sample::select(segments.clone())
            .prop_map(|segment_id| Selector::Segment { segment_id }),
        proptest::sample::subsequence(segments, 0..=count)
            .prop_map(|ids| Selector::Segments(ids.into_iter().collect())),
        range.prop_map(|range| Selector::Positions(RangeOf::new(range))),
        proptest::sample::subsequence(ids, 0..9)
            .prop_map(|ids| Selector::Envelopes(ids.into_iter().collect())),
        named("trace").prop_map(|id| Selector::Trace { trace_id: id.parse().unwrap() }),
        named("session").prop_map(|id| Selector::Session { session_id: id.parse().unwrap() }),
        named("actor").prop_map(|id| Selector::Actor { actor_id: id.parse().unwrap() }),
        Just(EventTypeSelector::Equals("tool.call".parse().unwrap())).prop_map(Selector::EventType),
        prefix
            .prop_map(|text| EventTypeSelector::Prefix(EventTypePrefix::new(text).unwrap()))
            .prop_map(Selector::EventType),
        time.prop_map(|range| Selector::ClaimedTime(RangeOf::new(range))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Selector::All),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Selector::Any),
            inner.prop_map(|selector| Selector::Not(Box::new(selector))),
        ]
    })
}

/// The meaning of a selector as sets, spelled out once more.
fn naive(selector: &Selector, all: &[SealedEnvelope]) -> BTreeSet<u64> {
    let set = |holds: &dyn Fn(&SealedEnvelope) -> bool| {
        all.iter().filter(|it| holds(it)).map(|it| it.place.position).collect::<BTreeSet<_>>()
    };
    match selector {
        Selector::Segment { segment_id } => set(&|it| it.place.segment_id == *segment_id),
        Selector::Segments(ids) => set(&|it| ids.contains(&it.place.segment_id)),
        Selector::Positions(range) => set(&|it| range.range().contains(it.place.position)),
        Selector::Envelopes(ids) => set(&|it| ids.contains(&it.fields.envelope_id)),
        Selector::Trace { trace_id } => set(&|it| it.fields.trace_id.as_ref() == Some(trace_id)),
        Selector::Session { session_id } => {
            set(&|it| it.fields.session_id.as_ref() == Some(session_id))
        }
        Selector::Actor { actor_id } => set(&|it| it.fields.actor_id == *actor_id),
        Selector::EventType(EventTypeSelector::Equals(wanted)) => {
            set(&|it| it.fields.event_type == *wanted)
        }
        Selector::EventType(EventTypeSelector::Prefix(prefix)) => {
            set(&|it| it.fields.event_type.as_str().starts_with(prefix.as_str()))
        }
        Selector::ClaimedTime(range) => set(&|it| range.range().contains(it.fields.claimed_time)),
        Selector::All(parts) => {
            parts.iter().fold(set(&|_| true), |left, part| &left & &naive(part, all))
        }
        Selector::Any(parts) => {
            parts.iter().fold(BTreeSet::new(), |left, part| &left | &naive(part, all))
        }
        Selector::Not(part) => &set(&|_| true) - &naive(part, all),
    }
}

fn every_selection_is_the_naive_one_and_verifies(backing: Backing) {
    let setup = Setup::signed().auto_seal(AutoSeal::after_count(17).unwrap());
    let world = World::new(backing, setup);
    world.append_new(40);
    world.recorder().seal_segment(&tenant("a"), SealReason::Manual).unwrap();
    let known = world.envelopes("a").iter().map(|it| it.fields.envelope_id).collect::<Vec<_>>();
    let children = (0..40).map(|n| world.draft().parents(&[known[n], known[(n + 7) % 40]]).into());
    let children = children.collect::<Vec<_>>();
    world.append("a", children).unwrap();
    world.recorder().checkpoint(&tenant("a")).unwrap();
    // What the checkpoint does not cover is not selected.
    world.append_new(7);
    let (store, stream) = (world.store(), world.stream("a"));
    let covered = world.envelopes("a")[..80].to_vec();
    let mut runner = crate::harness::property(40);
    runner
        .run(&selectors(&covered), |selector| {
            let expected = naive(&selector, &covered);
            let request = request(&stream, selector);
            if expected.is_empty() {
                let nothing =
                    matches!(archive(&*store, &request), Err(BuildError::NothingSelected));
                prop_assert!(nothing);
                return Ok(());
            }
            let (document, report) = check_all_forms(&*store, request, &[7]);
            let lines = lines(&document, "segments/", "envelopes-");
            let found = lines.iter().map(|line| line["position"].as_u64().unwrap());
            prop_assert_eq!(
                found.collect::<Vec<_>>(),
                expected.iter().copied().collect::<Vec<_>>()
            );
            prop_assert_ne!(report.verdict(), Verdict::Invalid, "{:#?}", report.findings());
            let whole = expected.len() == covered.len();
            let completeness = if whole { Completeness::Complete } else { Completeness::Partial };
            prop_assert_eq!(report.answers().completeness, completeness);
            prop_assert_eq!(report.answers().authenticity, Authenticity::Proven);
            Ok(())
        })
        .unwrap();
}
