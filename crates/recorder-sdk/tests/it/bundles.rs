//! Bundles built, listed and fetched by id.

use recorder_sdk::prelude::*;
use recorder_sdk::{BundleError, LIST_MAX, Verdict};

use crate::{builder, database, event, key};

#[test]
fn the_paved_path_ends_in_a_valid_bundle() {
    for auto_seal in [AutoSeal::NONE, AutoSeal::after_count(4).unwrap()] {
        let recorder = builder(StoreKind::Memory, 1).signer(key()).auto_seal(auto_seal);
        let recorder = recorder.build().unwrap();
        recorder.record_batch((0..10).map(event).collect()).unwrap();
        let bundle = recorder.build_bundle(Selector::everything()).unwrap();
        assert_eq!((bundle.envelope_count, bundle.tree_size), (10, 10));
        let report = recorder.verify_bundle(&bundle.bytes).unwrap();
        assert_eq!(report.verdict(), Verdict::Valid, "{:?}", report.findings());
    }
}

#[test]
fn a_changed_bundle_is_a_finding_not_an_error() {
    let recorder = builder(StoreKind::Memory, 1).signer(key()).build().unwrap();
    recorder.record(event(1)).unwrap();
    let mut bundle = recorder.build_bundle(Selector::everything()).unwrap();
    let middle = bundle.bytes.len() / 2;
    bundle.bytes[middle] ^= 1;
    assert_eq!(recorder.verify_bundle(&bundle.bytes).unwrap().verdict(), Verdict::Invalid);
    assert_eq!(recorder.verify_bundle(b"no bundle").unwrap().verdict(), Verdict::Invalid);
}

#[test]
fn without_a_trust_root_nothing_is_valid() {
    let recorder = RecorderBuilder::new("recorder:test").store(StoreKind::Memory).signer(key());
    let recorder = recorder.build().unwrap();
    recorder.record(event(1)).unwrap();
    let bundle = recorder.build_bundle(Selector::everything()).unwrap();
    let verdict = recorder.verify_bundle(&bundle.bytes).unwrap().verdict();
    assert_eq!(verdict, Verdict::ValidWithWarnings);
}

#[test]
fn a_sealed_segment_has_one_bundle_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let by_fours = |store, seed| {
        let policy = AutoSeal::after_count(4).unwrap();
        builder(store, seed).signer(key()).auto_seal(policy).build().unwrap()
    };
    let recorder = by_fours(StoreKind::CreateSqlite(path.clone()), 1);
    let receipts = recorder.record_batch((0..10).map(event).collect()).unwrap();
    let listed = recorder.list_bundles(0, LIST_MAX).unwrap();
    assert_eq!(listed.iter().map(|it| it.envelope_count).collect::<Vec<_>>(), [4, 4]);
    let fetch = |it: &recorder_sdk::SealedBundle| recorder.fetch_bundle(it.segment_id).unwrap();
    let bundles = listed.iter().map(fetch).collect::<Vec<_>>();
    assert_eq!(bundles.iter().map(|it| it.tree_size).collect::<Vec<_>>(), [4, 8]);
    let open = receipts[9].segment_id;
    let refused = recorder.fetch_bundle(open).unwrap_err();
    assert!(matches!(refused, BundleError::NotSealed { segment_id } if segment_id == open));
    drop(recorder);
    let recorder = by_fours(StoreKind::Sqlite(path), 2);
    recorder.record_batch((10..25).map(event).collect()).unwrap();
    for (entry, bundle) in listed.iter().zip(bundles) {
        assert_eq!(recorder.fetch_bundle(entry.segment_id).unwrap(), bundle);
        let report = recorder.verify_bundle(&bundle.bytes).unwrap();
        assert_eq!(report.verdict(), Verdict::Valid, "{:?}", report.findings());
    }
    assert_eq!(recorder.list_bundles(0, LIST_MAX).unwrap()[..2], listed);
    assert_eq!(recorder.list_bundles(1, 1).unwrap(), listed[1..]);
    assert_eq!(recorder.list_bundles(u64::MAX, 1).unwrap(), []);
}

#[test]
fn lists_are_bounded_and_strangers_are_not_found() {
    let recorder = builder(StoreKind::Memory, 1).build().unwrap();
    for count_max in [0, LIST_MAX + 1] {
        let refused = recorder.list_bundles(0, count_max).unwrap_err();
        assert!(matches!(refused, BundleError::ListSize { .. }), "{refused}");
    }
    let stranger = "01936b2e-7c00-7abc-8def-0123456789ab".parse().unwrap();
    let refused = recorder.fetch_bundle(stranger).unwrap_err();
    assert!(matches!(refused, BundleError::NoSuchSegment { .. }), "{refused}");
    let refused = recorder.build_bundle(Selector::everything()).unwrap_err();
    assert!(matches!(refused, BundleError::Build(_)), "{refused}");
}
