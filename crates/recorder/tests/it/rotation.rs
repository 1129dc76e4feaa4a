//! Key rotation: one commit a stream, finished after every crash, followed by verifiers, and refused where it is not
//! what both keys signed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use recorder::bundle::{AnchorAt, BuildError, BuildRequest};
use recorder::fsck::fsck;
use recorder::guard::{GuardedHead, HeadError, MemoryGuard};
use recorder::succession::ROTATION_ANNOUNCED;
use recorder::{
    AppendError, AutoSeal, GuardMode, Guarding, HeadGuard as _, OldKey, OpenError, RotateError,
};
use recorder_core::hash::{KeyId, SealHash};
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::rotation::{
    KEY_ROTATED, KEY_ROTATED_BREAK_GLASS, Rotation, RotationKind, RotationTerms,
};
use recorder_envelope::segment::SealReason;
use recorder_envelope::selector::Selector;
use recorder_store::Store;
use recorder_store::fault::Fault;
use recorder_verify::{FindingCode, Report, Verdict};

use crate::bundles::{archive, judged, request};
use crate::harness::{Backing, Setup, World, key_of, over_both_stores, tenant};
use crate::tampered::Tampered;

over_both_stores!(
    every_stream_ends_under_one_key_and_goes_on_under_the_next,
    verifiers_follow_from_the_old_key_alone,
    a_key_is_rotated_again_and_again,
    rotating_twice_to_one_key_rotates_once,
    a_key_that_was_in_force_never_comes_back,
    a_crash_at_any_commit_is_named_and_finished,
    a_crash_in_the_guard_is_finished,
    a_break_glass_rotation_needs_no_old_key_and_makes_nobody_trusted,
    a_lost_key_is_found_by_what_it_signed,
    a_lost_key_that_signed_every_envelope_leaves_nothing_to_seal,
    a_key_that_was_rotated_away_opens_nothing,
    an_envelope_that_the_old_key_signed_after_the_rotation_is_refused,
    a_key_that_is_not_in_force_rotates_nothing,
    a_database_from_before_the_rotation_is_named_by_the_guard,
    a_head_by_the_old_key_counts_below_the_rotation_only,
    a_missing_guard_is_adopted_by_name_after_a_rotation,
    a_rotation_that_is_not_what_was_signed_is_refused,
    a_rotation_that_other_hashes_cover_is_refused,
    a_rotation_behind_another_seal_is_refused,
    a_last_checkpoint_by_the_old_key_is_refused,
    the_whole_read_knows_which_key_was_in_force,
    bundles_of_an_older_log_are_tied_to_the_rotation,
    a_recorder_rotates_its_own_signer,
    a_forged_rotation_cannot_be_appended,
);

/// One stream of each kind: recording, just sealed, sealed with an empty segment open, opened and never written.
fn world_of_streams(backing: Backing, sign_envelopes: bool) -> World {
    let mut setup = Setup::signed();
    setup.config.sign_envelopes = sign_envelopes;
    let world = World::new(backing, setup);
    for name in ["a", "b", "c"] {
        world.append(name, world.drafts(3)).unwrap();
        world.recorder().seal_segment(&tenant(name), SealReason::Manual).unwrap();
    }
    world.append_new(2);
    world.recorder().open_segment(&tenant("c")).unwrap();
    world.recorder().open_segment(&tenant("d")).unwrap();
    world
}

fn id_of(seed: u8) -> KeyId {
    key_of(seed).key_id()
}

/// What a verifier says of all of tenant `a` who trusts the keys of these seeds.
fn judge(world: &World, name: &str, trusted: &[u8]) -> Report {
    let signer = world.signer();
    let stream = world.stream(name);
    let request =
        BuildRequest { signer: signer.as_ref(), ..request(&stream, Selector::everything()) };
    judged(&archive(&*world.store(), &request).unwrap().1, trusted)
}

fn has(report: &Report, code: FindingCode) -> bool {
    report.findings().iter().any(|finding| finding.code() == code)
}

fn rotations(world: &World, name: &str) -> Vec<SealedEnvelope> {
    let mut events = world.envelopes(name);
    events.retain(|it| RotationKind::of_event(it.fields.event_type.as_str()).is_some());
    events
}

fn terms_of(event: &SealedEnvelope) -> RotationTerms {
    let kind = RotationKind::of_event(event.fields.event_type.as_str()).unwrap();
    let payload = event.payload.as_ref().unwrap();
    Rotation::parse(kind, payload.payload.as_bytes()).unwrap().terms().clone()
}

fn every_stream_ends_under_one_key_and_goes_on_under_the_next(backing: Backing) {
    for sign_envelopes in [false, true] {
        let mut world = world_of_streams(backing, sign_envelopes);
        let report = world.rotate_to(8).unwrap();
        let of = |name: &str| report.rotated.iter().find(|it| it.stream == world.stream(name));
        assert_eq!(report.rotated.len(), 3);
        assert_eq!(report.untouched, [world.stream("d")]);
        // The announcement is the last that the old key vouches for.
        for (name, position) in [("a", 6), ("b", 4), ("c", 4)] {
            let rotated = of(name).unwrap();
            assert_eq!((rotated.epoch, rotated.effective_position), (1, position), "{name}");
            assert_eq!((rotated.old_key_id, rotated.new_key_id), (id_of(7), id_of(8)));
            check_turn(&world, name, position);
            world.append(name, world.drafts(2)).unwrap();
        }
        world.append("d", world.drafts(1)).unwrap();
        world.recorder().checkpoint(&tenant("d")).unwrap();
        world.reopen();
        for name in ["a", "b", "c"] {
            world.append(name, world.drafts(1)).unwrap();
            world.recorder().seal_segment(&tenant(name), SealReason::Manual).unwrap();
            assert_eq!(judge(&world, name, &[7]).verdict(), Verdict::Valid);
        }
    }
}

/// Seal, checkpoint, event, checkpoint: each by the key that it should be by.
fn check_turn(world: &World, name: &str, position: u64) {
    let (store, stream) = (world.store(), world.stream(name));
    let segments = store.segments(&stream, 0..u64::MAX).unwrap();
    let [.., sealed, open] = &segments[..] else { panic!("{segments:?}") };
    let seal = sealed.seal.as_ref().unwrap();
    assert_eq!(seal.seal.reason, SealReason::KeyRotation);
    assert_eq!(seal.signature.as_ref().unwrap().key_id(), id_of(7));
    assert_eq!((open.genesis.first_position, seal.seal.tree_size), (position, position));
    for (size, seed) in [(position, 7), (position + 1, 8)] {
        let stored = store.checkpoint(&stream, size).unwrap().unwrap();
        assert_eq!(stored.tree_size, size);
        let note = SignedCheckpoint::parse(stored.note.as_bytes()).unwrap();
        note.verify_log_signature(&key_of(seed).public_key()).unwrap();
    }
    let envelopes = world.envelopes(name);
    let [.., announcement, event] = &envelopes[..] else { panic!() };
    assert_eq!(announcement.fields.event_type.as_str(), ROTATION_ANNOUNCED);
    assert_eq!(event.fields.event_type.as_str(), KEY_ROTATED);
    assert_eq!((event.place.sequence, event.place.position), (0, position));
}

fn verifiers_follow_from_the_old_key_alone(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    let before = judge(&world, "b", &[7]);
    assert_eq!(before.verdict(), Verdict::Valid);
    world.rotate_to(8).unwrap();
    assert_eq!(judge(&world, "a", &[7]).verdict(), Verdict::Valid);
    assert_eq!(judge(&world, "a", &[7, 8]).verdict(), Verdict::Valid);
    // The new key alone says nothing of who sealed before it.
    let report = judge(&world, "a", &[8]);
    assert_eq!(report.verdict(), Verdict::Invalid);
    assert!(has(&report, FindingCode::KeyUnknown), "{:#?}", report.findings());
}

fn a_key_is_rotated_again_and_again(backing: Backing) {
    let mut world = world_of_streams(backing, true);
    for (epoch, seed) in [(1, 8), (2, 9), (3, 10)] {
        let report = world.rotate_to(seed).unwrap();
        let of_a = report.rotated.iter().find(|it| it.stream == world.stream("a")).unwrap();
        assert_eq!(of_a.epoch, epoch);
        world.append_new(1);
        world.append("d", world.drafts(1)).unwrap();
    }
    assert_eq!(rotations(&world, "a").len(), 3);
    // Born under the second key.
    assert_eq!(rotations(&world, "d").len(), 2);
    world.recorder().checkpoint(&tenant("a")).unwrap();
    assert_eq!(judge(&world, "a", &[7]).verdict(), Verdict::Valid);
}

fn rotating_twice_to_one_key_rotates_once(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    world.rotate_to(8).unwrap();
    let length = world.envelopes("a").len();
    for old in [OldKey::Held(key_of(7)), OldKey::Held(key_of(8)), OldKey::Lost(Vec::new())] {
        let report = world.rotate(old, 8).unwrap();
        assert!(report.rotated.is_empty());
        assert_eq!(report.rotated_before.len(), 3);
    }
    assert_eq!(world.envelopes("a").len(), length);
}

fn a_key_that_was_in_force_never_comes_back(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    world.rotate_to(8).unwrap();
    let refused = world.rotate_to(7).unwrap_err();
    assert!(matches!(refused, RotateError::KeyReturns { .. }), "{refused}");
    world.reopen();
}

/// Fails the `number`th commit from now on, and says how many there were.
fn failing(
    store: Arc<dyn Store>,
    number: usize,
    fault: Fault,
) -> (Arc<Tampered>, Arc<AtomicUsize>) {
    let mut failing = Tampered::new(store);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    failing.fault =
        Box::new(move || (counted.fetch_add(1, Ordering::SeqCst) == number).then_some(fault));
    (Arc::new(failing), count)
}

fn a_crash_at_any_commit_is_named_and_finished(backing: Backing) {
    for fault in [Fault::Lost, Fault::Landed] {
        for number in 0..3 {
            let mut world = world_of_streams(backing, number == 1);
            let (store, count) = failing(world.store(), number, fault);
            let refused = world.rotate_over(store, OldKey::Held(key_of(7)), 8).unwrap_err();
            let RotateError::Refused { source, .. } = &refused else { panic!("{refused}") };
            assert!(matches!(source, AppendError::OutcomeUnknown(_)), "{source}");
            assert_eq!(count.load(Ordering::SeqCst), number + 1, "nothing after the failure");
            world.reopen_store(|_| ());
            let rotated = number + usize::from(fault == Fault::Landed);
            check_names_unfinished(&mut world, rotated);
            let report = world.rotate_to(8).unwrap();
            assert_eq!(report.rotated.len(), 3 - rotated);
            assert_eq!(report.rotated_before.len(), rotated);
            for name in ["a", "b", "c"] {
                assert_eq!(rotations(&world, name).len(), 1, "{name}");
                assert_eq!(judge(&world, name, &[7]).verdict(), Verdict::Valid);
            }
            world.append_new(1);
        }
    }
}

/// What a start says under either key while `rotated` of three streams are under the new one.
fn check_names_unfinished(world: &mut World, rotated: usize) {
    for seed in [7, 8] {
        world.seeds.push(seed);
        let opened = world.open(world.store());
        world.seeds.pop();
        let ready = (seed == 7 && rotated == 0) || (seed == 8 && rotated == 3);
        match opened {
            Ok(_) => assert!(ready, "opened with {rotated} rotated"),
            Err(OpenError::RotationUnfinished { key_id, .. }) => {
                assert!((1..3).contains(&rotated), "{rotated}");
                assert_eq!(key_id, id_of(8));
            }
            Err(OpenError::SignerReplaced { key_id, .. }) => {
                assert_eq!((seed, rotated, key_id), (7, 3, id_of(8)));
            }
            Err(OpenError::SignerMismatch { .. }) => assert_eq!((seed, rotated), (8, 0)),
            Err(other) => panic!("{other}"),
        }
    }
}

fn guarded(world: &mut World, mode: GuardMode) -> Arc<MemoryGuard> {
    let guard = Arc::new(MemoryGuard::new());
    world.guarding = Some(Guarding { guard: Arc::clone(&guard) as _, mode, adopt_head: true });
    world.reopen();
    world.guarding.as_mut().unwrap().adopt_head = false;
    guard
}

fn a_crash_in_the_guard_is_finished(backing: Backing) {
    for mode in [GuardMode::Checkpoints, GuardMode::Strict] {
        for fault in [Fault::Lost, Fault::Landed] {
            let mut world = world_of_streams(backing, false);
            let guard = guarded(&mut world, mode);
            guard.testing_only_fail_next_advance(fault);
            let refused = world.rotate_to(8).unwrap_err();
            let RotateError::Refused { source, .. } = &refused else { panic!("{refused}") };
            assert!(matches!(source, AppendError::Unguarded(_)), "{source}");
            world.reopen_store(|_| ());
            check_names_unfinished(&mut world, 1);
            assert_eq!(world.rotate_to(8).unwrap().rotated.len(), 2);
            world.append_new(1);
            world.reopen();
        }
    }
}

fn a_break_glass_rotation_needs_no_old_key_and_makes_nobody_trusted(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    let report = world.rotate(OldKey::Lost(Vec::new()), 8).unwrap();
    // Where there was something to seal, nothing is added before the event.
    let positions = report.rotated.iter().map(|it| it.effective_position).collect::<Vec<_>>();
    assert_eq!(positions, [5, 4, 4]);
    assert_eq!(report.rotated[0].old_key_id, id_of(7));
    assert_eq!(rotations(&world, "a")[0].fields.event_type.as_str(), KEY_ROTATED_BREAK_GLASS);
    world.append_new(1);
    world.recorder().checkpoint(&tenant("a")).unwrap();
    for name in ["a", "b", "c"] {
        let report = judge(&world, name, &[7, 8]);
        assert_eq!(report.verdict(), Verdict::Valid, "{:#?}", report.findings());
        let report = judge(&world, name, &[7]);
        assert_eq!(report.verdict(), Verdict::Invalid);
        assert!(has(&report, FindingCode::KeyUnknown));
    }
    world.rotate_to(9).unwrap();
    assert_eq!(judge(&world, "a", &[7, 8]).verdict(), Verdict::Valid);
}

fn a_lost_key_is_found_by_what_it_signed(backing: Backing) {
    // Neither a rotation nor a seal names the key: only a checkpoint is by it.
    let mut world = World::new(backing, Setup::signed());
    world.append_new(2);
    world.recorder().checkpoint(&tenant("a")).unwrap();
    for candidates in [vec![], vec![key_of(9).public_key()]] {
        let refused = world.rotate(OldKey::Lost(candidates), 8).unwrap_err();
        assert!(matches!(refused, RotateError::OldKeyUnknown { .. }), "{refused}");
    }
    let candidates = vec![key_of(9).public_key(), key_of(7).public_key()];
    let report = world.rotate(OldKey::Lost(candidates), 8).unwrap();
    assert_eq!(report.rotated[0].old_key_id, id_of(7));
}

fn a_lost_key_that_signed_every_envelope_leaves_nothing_to_seal(backing: Backing) {
    let mut world = world_of_streams(backing, true);
    let length = world.envelopes("a").len();
    let refused = world.rotate(OldKey::Lost(Vec::new()), 8).unwrap_err();
    assert!(matches!(&refused, RotateError::NothingToSeal { stream } if stream.contains('b')));
    world.reopen();
    assert_eq!(world.envelopes("a").len(), length, "nothing was rotated before the refusal");
    // With an open segment in each stream there is something to seal.
    for name in ["b", "c"] {
        world.append(name, world.drafts(1)).unwrap();
    }
    assert_eq!(world.rotate(OldKey::Lost(Vec::new()), 8).unwrap().rotated.len(), 3);
    assert_eq!(judge(&world, "a", &[7, 8]).verdict(), Verdict::Valid);
}

fn a_key_that_was_rotated_away_opens_nothing(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    world.rotate_to(8).unwrap();
    world.seeds = vec![7];
    let refused = world.open(world.store()).err().unwrap();
    let OpenError::SignerReplaced { key_id, position, .. } = refused else { panic!("{refused}") };
    assert_eq!((key_id, position), (id_of(8), 6));
    world.seeds = vec![9];
    let refused = world.open(world.store()).err().unwrap();
    assert!(matches!(refused, OpenError::SignerMismatch { .. }), "{refused}");
    world.seeds = vec![7, 8];
}

fn an_envelope_that_the_old_key_signed_after_the_rotation_is_refused(backing: Backing) {
    let mut world = world_of_streams(backing, true);
    world.rotate_to(8).unwrap();
    world.append_new(2);
    for (position, seed, accepted) in [(7, 7, false), (7, 9, false), (7, 8, true), (3, 7, true)] {
        let mut store = Tampered::new(world.store());
        store.envelope = Box::new(move |row| {
            if let Some(row) = row.as_mut().filter(|row| row.place.position == position) {
                let key = key_of(seed);
                row.signature = Some(key.sign_envelope(&row.content_hash, &row.chain_hash));
            }
        });
        let opened = world.open(Arc::new(store));
        assert_eq!(opened.is_ok(), accepted, "{position} by {seed}");
    }
}

fn a_key_that_is_not_in_force_rotates_nothing(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    let refused = world.rotate(OldKey::Held(key_of(9)), 8).unwrap_err();
    assert!(matches!(refused, RotateError::NotInForce { .. }), "{refused}");
    let refused = world.rotate(OldKey::Held(key_of(7)), 8);
    refused.unwrap();
}

fn a_database_from_before_the_rotation_is_named_by_the_guard(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    let guard = guarded(&mut world, GuardMode::Checkpoints);
    // The same history, rotated: its guard has seen what this database does not hold.
    let mut ahead = world_of_streams(backing, false);
    let seen = guarded(&mut ahead, GuardMode::Checkpoints);
    ahead.rotate_to(8).unwrap();
    let before = guard.heads().unwrap();
    guard.testing_only_replace(seen.heads().unwrap());
    for seed in [7, 8] {
        world.seeds.push(seed);
        let refused = world.open(world.store()).err().unwrap();
        let rolled_back = matches!(refused, OpenError::Head(HeadError::RolledBack { .. }));
        assert!(rolled_back, "{seed}: {refused}");
        world.seeds.pop();
    }
    let refused = world.rotate_to(9).unwrap_err();
    let RotateError::Open(OpenError::Head(HeadError::RolledBack { .. })) = refused else {
        panic!("{refused}");
    };
    guard.testing_only_replace(before);
}

/// A head of tenant `a` at a size of its log, by the key of this seed.
fn head_at(world: &World, tree_size: u64, seed: u8) -> GuardedHead {
    use recorder_envelope::checkpoint::{Checkpoint, origin};
    let (store, stream) = (world.store(), world.stream("a"));
    let length = store.head(&stream).unwrap().unwrap().next_position;
    let root = recorder_envelope::merkle::root_at(
        &recorder::log::reader(&*store, &stream, length),
        tree_size,
    );
    let checkpoint = Checkpoint::new(origin("recorder.local", &stream), tree_size, root.unwrap());
    let note = checkpoint.unwrap().sign(&key_of(seed)).unwrap().render();
    let note = SignedCheckpoint::parse(note.as_bytes()).unwrap();
    let body = note.checkpoint();
    let json = serde_json::json!({
        "note": note.render(),
        "origin": body.origin(),
        "root_hash": body.root().to_string(),
        "sealed_segments": 0,
        "tree_size": tree_size,
        "type": "recorder.guarded-head/v1",
    });
    GuardedHead::parse("test", json.to_string().as_bytes()).unwrap()
}

fn a_head_by_the_old_key_counts_below_the_rotation_only(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    let guard = guarded(&mut world, GuardMode::Checkpoints);
    world.rotate_to(8).unwrap();
    world.append_new(1);
    world.recorder().checkpoint(&tenant("a")).unwrap();
    let heads = guard.heads().unwrap();
    // The event stands at 7, after an adoption and the announcement.
    assert_eq!(terms_of(&rotations(&world, "a")[0]).effective_position, 7);
    for (tree_size, seed, accepted) in
        [(3, 7, true), (7, 7, true), (8, 7, false), (9, 7, false), (7, 8, false), (8, 8, true)]
    {
        let head = head_at(&world, tree_size, seed);
        let mut heads: BTreeMap<_, _> = heads.clone();
        heads.insert(head.origin().to_owned(), head);
        guard.testing_only_replace(heads);
        let opened = world.open(world.store());
        let named = matches!(opened, Err(OpenError::Head(HeadError::NotBySigner { .. })));
        assert_eq!((opened.is_ok(), named), (accepted, !accepted), "{tree_size} by {seed}");
    }
    guard.testing_only_replace(heads);
}

fn a_missing_guard_is_adopted_by_name_after_a_rotation(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    let guard = guarded(&mut world, GuardMode::Checkpoints);
    guard.testing_only_replace(BTreeMap::new());
    let refused = world.rotate_to(8).unwrap_err();
    let RotateError::Open(OpenError::Head(HeadError::Missing { .. })) = refused else {
        panic!("{refused}");
    };
    world.guarding.as_mut().unwrap().adopt_head = true;
    world.rotate_to(8).unwrap();
    let adopted = |it: &SealedEnvelope| it.fields.event_type.as_str() == recorder::HEAD_ADOPTED;
    for name in ["a", "b", "c"] {
        let events = world.envelopes(name);
        assert!(events.last().is_some_and(adopted), "{name}");
    }
}

/// Puts another payload into the rotation of tenant `a`, with all hashes of the envelope itself made anew.
fn with_payload(world: &World, kind: RotationKind, payload: Vec<u8>) -> Tampered {
    let id = rotations(world, "a")[0].fields.envelope_id;
    let mut store = Tampered::new(world.store());
    store.envelope = Box::new(move |row| {
        let Some(row) = row.as_mut().filter(|row| row.fields.envelope_id == id) else { return };
        let payload = CanonicalPayload::from_canonical(payload.clone()).unwrap();
        row.payload.as_mut().unwrap().payload = payload;
        row.fields.event_type = kind.event_type().parse().unwrap();
        row.payload_commitment = row.recomputed_commitment().unwrap();
        row.content_hash = row.recomputed_content_hash();
    });
    store
}

fn a_rotation_that_is_not_what_was_signed_is_refused(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    world.rotate_to(8).unwrap();
    let event = rotations(&world, "a").remove(0);
    let terms = terms_of(&event);
    let (old, new) = (key_of(7), key_of(8));
    let planned = |terms: RotationTerms| Rotation::planned(terms, &old, &new).unwrap();
    let change = |change: &dyn Fn(&mut RotationTerms)| {
        let mut changed = terms.clone();
        change(&mut changed);
        planned(changed).to_canonical()
    };
    let honest = String::from_utf8(planned(terms.clone()).to_canonical()).unwrap();
    let proof = |name: &str| {
        let at = honest.find(&format!("\"{name}\"")).unwrap();
        honest[at..].find("\"value\":\"").unwrap() + at + 9
    };
    let flipped = |name: &str| {
        let (at, mut text) = (proof(name), honest.clone());
        let digit = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
        text.replace_range(at..=at, digit);
        text.into_bytes()
    };
    let of_b = rotations(&world, "b").remove(0).payload.unwrap().payload.as_bytes().to_vec();
    let cases: Vec<(&str, RotationKind, Vec<u8>, &str)> = vec![
        ("skipped epoch", RotationKind::Planned, change(&|it| it.epoch = 2), "epoch 2 after"),
        ("backdated", RotationKind::Planned, change(&|it| it.effective_position = 2), "effective"),
        (
            "another seal",
            RotationKind::Planned,
            change(&|it| it.predecessor_seal_hash = SealHash::from_bytes([1; 32])),
            "another seal",
        ),
        ("another stream", RotationKind::Planned, of_b, "rotation of stream b/"),
        ("old proof", RotationKind::Planned, flipped("proof_old"), "old key's proof"),
        ("new proof", RotationKind::Planned, flipped("proof_new"), "new key's proof"),
        ("unsigned", RotationKind::Planned, b"{}".to_vec(), "not a rotation"),
        ("other kind", RotationKind::BreakGlass, honest.clone().into_bytes(), "event type"),
    ];
    for (name, kind, payload, says) in cases {
        let refused = world.open(Arc::new(with_payload(&world, kind, payload))).err();
        match refused {
            Some(OpenError::RotationBroken(broken)) => {
                assert!(broken.to_string().contains(says), "{name}: {broken}");
                assert_eq!(broken.position, terms.effective_position);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut gone = Tampered::new(world.store());
    gone.envelope = Box::new(move |row| {
        if let Some(row) = row.as_mut().filter(|row| row.place == event.place) {
            row.payload = None;
        }
    });
    let refused = world.open(Arc::new(gone)).err();
    assert!(matches!(refused, Some(OpenError::RotationBroken(_))), "{refused:?}");
}

fn broken(world: &World, store: Tampered) -> String {
    match world.open(Arc::new(store)) {
        Err(OpenError::RotationBroken(broken)) => broken.fault,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("continued"),
    }
}

fn a_rotation_that_other_hashes_cover_is_refused(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    world.rotate_to(8).unwrap();
    // Both keys would say so, but it is not what was recorded; and it lies before what a start reads.
    world.append_new(3);
    world.setup.config.startup_verification_depth = 1;
    let event = rotations(&world, "a").remove(0);
    let terms = RotationTerms { reason: "another one".into(), ..terms_of(&event) };
    let payload = Rotation::planned(terms, &key_of(7), &key_of(8)).unwrap().to_canonical();
    let mut store = Tampered::new(world.store());
    store.envelope = Box::new(move |row| {
        if let Some(row) = row.as_mut().filter(|row| row.place == event.place) {
            let payload = CanonicalPayload::from_canonical(payload.clone()).unwrap();
            row.payload.as_mut().unwrap().payload = payload;
        }
    });
    assert!(broken(&world, store).contains("does not match its hash"));
}

fn a_rotation_behind_another_seal_is_refused(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    world.rotate_to(8).unwrap();
    let terms = terms_of(&rotations(&world, "a")[0]);
    let predecessor = terms.predecessor_seal_hash;
    let segments = world.store().segments(&world.stream("a"), 0..u64::MAX).unwrap();
    let mut seal = segments[1].seal.clone().unwrap().seal;
    assert_eq!(seal.hash(), predecessor);
    seal.reason = SealReason::Manual;
    let (hash, signature) = (seal.hash(), key_of(7).sign_seal(&seal.hash()));
    // All that names the seal names the other one.
    let terms = RotationTerms { predecessor_seal_hash: hash, ..terms };
    let payload = Rotation::planned(terms, &key_of(7), &key_of(8)).unwrap().to_canonical();
    let mut store = with_payload(&world, RotationKind::Planned, payload);
    store.segment = Box::new(move |segment| {
        if let Some(signed) = segment.seal.as_mut().filter(|it| it.seal.hash() == predecessor) {
            signed.seal.reason = SealReason::Manual;
            signed.signature = Some(signature);
        }
        if let Some(before) = &mut segment.genesis.predecessor
            && before.seal_hash == predecessor
        {
            before.seal_hash = hash;
        }
    });
    assert!(broken(&world, store).contains("for another reason"));
}

fn a_last_checkpoint_by_the_old_key_is_refused(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    world.rotate_to(8).unwrap();
    for seed in [7, 9, 8] {
        let mut store = Tampered::new(world.store());
        store.checkpoint = Box::new(move |stored| {
            let note = SignedCheckpoint::parse(stored.note.as_bytes()).unwrap();
            stored.note = note.checkpoint().clone().sign(&key_of(seed)).unwrap().render();
        });
        let opened = world.open(Arc::new(store));
        let corrupt = matches!(opened, Err(OpenError::Corrupt(_)));
        assert_eq!((opened.is_ok(), corrupt), (seed == 8, seed != 8), "{seed}");
    }
}

fn the_whole_read_knows_which_key_was_in_force(backing: Backing) {
    let mut world = world_of_streams(backing, true);
    world.rotate_to(8).unwrap();
    world.append_new(2);
    world.recorder().seal_segment(&tenant("a"), SealReason::Manual).unwrap();
    // Either key leads to the other.
    for seed in [7, 8] {
        let report = fsck(&*world.store(), &[key_of(seed).public_key()], &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        assert_eq!(report.signatures_unchecked, 0);
    }
    let mut store = Tampered::new(world.store());
    store.segment = Box::new(|segment| {
        if let Some(signed) = segment.seal.as_mut().filter(|it| it.seal.tree_size > 7) {
            signed.signature = Some(key_of(7).sign_seal(&signed.seal.hash()));
        }
    });
    let report = fsck(&store, &[key_of(8).public_key()], &mut |_| ()).unwrap();
    assert!(report.findings.iter().any(|it| it.detail.contains("not in force")));
    let payload = b"{}".to_vec();
    let store = with_payload(&world, RotationKind::Planned, payload);
    let report = fsck(&store, &[], &mut |_| ()).unwrap();
    assert!(report.findings.iter().any(|it| it.detail.contains("rotation is broken")));
    // After break glass nothing shows the first key, so its signatures are counted and not believed.
    let mut world = World::new(backing, Setup::signed());
    world.append_new(2);
    world.recorder().seal_segment(&tenant("a"), SealReason::Manual).unwrap();
    world.append_new(1);
    world.rotate(OldKey::Lost(Vec::new()), 8).unwrap();
    let report = fsck(&*world.store(), &[key_of(8).public_key()], &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!(report.signatures_unchecked, 2);
}

fn bundles_of_an_older_log_are_tied_to_the_rotation(backing: Backing) {
    let mut world = world_of_streams(backing, false);
    world.rotate_to(8).unwrap();
    world.append_new(3);
    world.recorder().checkpoint(&tenant("a")).unwrap();
    let (stream, store) = (world.stream("a"), world.store());
    let (old, new) = (key_of(7), key_of(8));
    let at = |tree_size, signer| BuildRequest {
        anchor: AnchorAt::Oldest { tree_size },
        signer: Some(signer),
        ..request(&stream, Selector::everything())
    };
    for (asked, tied) in [(1, 7), (7, 7), (8, 10)] {
        let (built, bytes) = archive(&*store, &at(asked, &new)).unwrap();
        assert_eq!(built.tree_size, tied, "asked for {asked}");
        assert_eq!(judged(&bytes, &[7]).verdict(), Verdict::Valid);
    }
    let refused = archive(&*store, &at(1, &old)).unwrap_err();
    assert!(matches!(refused, BuildError::SignerReplaced { .. }), "{refused}");
}

fn a_recorder_rotates_its_own_signer(backing: Backing) {
    let mut world =
        World::new(backing, Setup::signed().auto_seal(AutoSeal::after_count(1).unwrap()));
    world.append_new(3);
    let recorder = world.open(world.store()).unwrap();
    world.end_writer();
    let (recorder, report) = recorder.rotate_signer(key_of(8), "a test").unwrap();
    assert_eq!(report.rotated.len(), 1);
    recorder.append_batch(&tenant("a"), world.drafts(2)).unwrap();
    drop(recorder);
    world.seeds.push(8);
    world.reopen();
    let unsigned = World::new(backing, Setup::unsigned());
    let recorder = unsigned.open(unsigned.store()).unwrap();
    let refused = recorder.rotate_signer(key_of(8), "a test").err().unwrap();
    assert!(matches!(refused, RotateError::NoSigner), "{refused}");
    let refused = world.open(world.store()).unwrap().rotate_signer(key_of(9), " ").err().unwrap();
    assert!(matches!(refused, RotateError::Terms(_)), "{refused}");
    let refused = world.open(world.store()).unwrap().rotate_signer(key_of(8), "same").unwrap();
    assert!(refused.1.rotated.is_empty());
}

fn a_forged_rotation_cannot_be_appended(backing: Backing) {
    let world = world_of_streams(backing, false);
    for kind in [RotationKind::Planned, RotationKind::BreakGlass] {
        let mut draft = world.draft();
        draft.fields.event_type = kind.event_type().parse().unwrap();
        let refused = world.append("a", vec![draft.into()]).unwrap_err();
        assert!(matches!(refused, AppendError::EventTypeReserved { .. }), "{refused}");
    }
}
