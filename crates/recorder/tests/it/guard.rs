//! The head guard: no crash locks an honest operator out, and no database that was put back, cut or exchanged is
//! continued.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use recorder::guard::{GuardError, GuardedHead, HeadError, MemoryGuard};
use recorder::{
    AppendError, GuardMode, Guarding, HEAD_ADOPTED, HeadGuard as _, OpenError, SealError,
};
use recorder_envelope::segment::SealReason;
use recorder_store::fault::Fault;

use crate::harness::{Backing, Setup, World, over_both_stores, tenant};

over_both_stores!(
    an_honest_store_is_continued_in_every_mode,
    a_crash_before_the_first_commit_locks_nobody_out,
    a_crash_between_commit_and_guard_locks_nobody_out,
    a_crash_in_the_commit_locks_nobody_out,
    a_seal_that_the_guard_did_not_follow_is_not_lost,
    the_guard_is_advanced_before_every_receipt_in_strict_mode,
    without_strict_mode_the_guard_follows_checkpoints_and_seals,
    strict_mode_covers_what_a_looser_mode_recorded,
    a_shorter_store_is_refused_as_rolled_back,
    a_store_without_what_was_sealed_is_refused,
    a_store_without_its_checkpoint_is_refused,
    another_store_of_the_same_stream_is_refused_as_forked,
    a_store_from_which_the_stream_is_gone_is_refused,
    a_missing_guard_is_refused_until_it_is_adopted,
    an_adoption_that_crashed_is_not_taken_for_granted,
    adoption_forgives_nothing_but_absence,
    a_stream_that_never_recorded_needs_no_guard,
    heads_swapped_between_streams_are_refused,
    a_forged_head_is_refused,
    two_recorders_over_copies_do_not_both_go_on,
    a_stream_that_gets_a_signer_later_is_guarded_all_along,
);

const MODES: [GuardMode; 2] = [GuardMode::Checkpoints, GuardMode::Strict];

fn setups() -> [Setup; 2] {
    [Setup::signed(), Setup::unsigned()]
}

/// A world and its guard, in every mode, with a signer and without.
fn worlds(backing: Backing) -> impl Iterator<Item = (World, Arc<MemoryGuard>)> {
    let every = MODES.into_iter().flat_map(|mode| setups().map(|setup| (mode, setup)));
    every.map(move |(mode, setup)| guarded(backing, setup, mode))
}

fn guarded(backing: Backing, setup: Setup, mode: GuardMode) -> (World, Arc<MemoryGuard>) {
    let guard = Arc::new(MemoryGuard::new());
    let mut world = World::new(backing, setup);
    world.guarding = Some(guarding(&guard, mode));
    world.reopen();
    (world, guard)
}

fn guarding(guard: &Arc<MemoryGuard>, mode: GuardMode) -> Guarding {
    Guarding { guard: Arc::clone(guard) as _, mode, adopt_head: false }
}

fn adopting(world: &mut World, adopt_head: bool) {
    world.guarding.as_mut().unwrap().adopt_head = adopt_head;
}

/// The guarded size of tenant `a`; `None` where no head is guarded.
fn guarded_size(guard: &MemoryGuard) -> Option<u64> {
    guard.heads().unwrap().get("recorder.local/a/recorder:test").map(GuardedHead::tree_size)
}

fn seal(world: &World) {
    world.recorder().seal_segment(&tenant("a"), SealReason::Manual).unwrap();
}

/// Why the world does not open.
fn refused(world: &mut World) -> HeadError {
    match world.try_reopen() {
        Err(OpenError::Head(error)) => error,
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(()) => panic!("continued"),
    }
}

fn is_rolled_back(error: &HeadError, what: &str, guarded: u64, stored: u64) -> bool {
    let HeadError::RolledBack { what: of, guarded: seen, stored: held, .. } = error else {
        return false;
    };
    (*of, *seen, *held) == (what, guarded, stored)
}

fn an_honest_store_is_continued_in_every_mode(backing: Backing) {
    for (mut world, _) in worlds(backing) {
        world.recorder().open_segment(&tenant("a")).unwrap();
        world.reopen();
        for round in 0..3 {
            world.append_new(1 + round);
            world.append("b", world.drafts(2)).unwrap();
            world.reopen();
            seal(&world);
            world.reopen();
            world.append_new(2);
            if world.setup.signed {
                world.recorder().checkpoint(&tenant("a")).unwrap();
                world.recorder().checkpoint(&tenant("a")).unwrap();
            }
        }
        // Across the edge of a tile.
        world.append_new(250);
        world.reopen();
        world.append_new(1);
    }
}

fn a_crash_before_the_first_commit_locks_nobody_out(backing: Backing) {
    for fault in [Fault::Lost, Fault::Landed] {
        for (mut world, guard) in worlds(backing) {
            guard.testing_only_fail_next_advance(fault);
            let failed = world.append("a", world.drafts(2)).unwrap_err();
            assert!(matches!(failed, AppendError::Guard(GuardError::Storage(_))), "{failed}");
            assert_eq!(guarded_size(&guard), (fault == Fault::Landed).then_some(0));
            world.reopen();
            assert!(world.store().streams().unwrap().is_empty());
            world.append_new(2);
            world.reopen();
        }
    }
}

fn a_crash_between_commit_and_guard_locks_nobody_out(backing: Backing) {
    for fault in [Fault::Lost, Fault::Landed] {
        for setup in setups() {
            let (mut world, guard) = guarded(backing, setup, GuardMode::Strict);
            world.append_new(3);
            let batch = world.drafts(2);
            guard.testing_only_fail_next_advance(fault);
            let failed = world.append("a", batch.clone()).unwrap_err();
            assert!(matches!(failed, AppendError::Unguarded(_)), "{failed}");
            let latched = world.append("a", world.drafts(1)).unwrap_err();
            assert!(matches!(latched, AppendError::Latched), "{latched}");
            // The database is ahead of the guard, or equal.
            let landed = fault == Fault::Landed;
            assert_eq!(guarded_size(&guard), Some(if landed { 5 } else { 3 }));
            world.reopen();
            assert_eq!(guarded_size(&guard), Some(5));
            assert!(world.append("a", batch).unwrap().iter().all(|receipt| receipt.replayed));
            world.append_new(1);
        }
    }
}

fn a_crash_in_the_commit_locks_nobody_out(backing: Backing) {
    for fault in [Fault::Lost, Fault::Landed] {
        for (mut world, guard) in worlds(backing) {
            for round in 0..2 {
                let batch = world.drafts(2);
                world.fail_next_commit(fault);
                let failed = world.append("a", batch.clone()).unwrap_err();
                assert!(matches!(failed, AppendError::OutcomeUnknown(_)), "{failed}");
                world.reopen();
                world.append("a", batch).unwrap();
                seal(&world);
                assert_eq!(guarded_size(&guard), Some(2 * (round + 1)));
                world.reopen();
            }
        }
    }
}

fn a_seal_that_the_guard_did_not_follow_is_not_lost(backing: Backing) {
    for (mut world, guard) in worlds(backing) {
        world.append_new(3);
        guard.testing_only_fail_next_advance(Fault::Lost);
        let failed = world.recorder().seal_segment(&tenant("a"), SealReason::Manual).unwrap_err();
        assert!(matches!(failed, SealError::Append(AppendError::Unguarded(_))), "{failed}");
        world.reopen();
        let head = guard.heads().unwrap().into_values().next().unwrap();
        assert_eq!((head.tree_size(), head.sealed_segments()), (3, 1));
        assert_eq!(head.note().is_some(), world.setup.signed);
    }
}

fn the_guard_is_advanced_before_every_receipt_in_strict_mode(backing: Backing) {
    for setup in setups() {
        let (world, guard) = guarded(backing, setup, GuardMode::Strict);
        for size in 1..6 {
            world.append_new(1);
            assert_eq!(guarded_size(&guard), Some(size));
        }
        let head = world.store().head(&world.stream("a")).unwrap().unwrap();
        assert_eq!(head.checkpoint.is_some(), world.setup.signed);
    }
}

fn without_strict_mode_the_guard_follows_checkpoints_and_seals(backing: Backing) {
    for setup in setups() {
        let (mut world, guard) = guarded(backing, setup, GuardMode::Checkpoints);
        world.append_new(3);
        assert_eq!(guarded_size(&guard), Some(0));
        seal(&world);
        assert_eq!(guarded_size(&guard), Some(3));
        world.append_new(2);
        assert_eq!(guarded_size(&guard), Some(3));
        if world.setup.signed {
            world.recorder().checkpoint(&tenant("a")).unwrap();
            assert_eq!(guarded_size(&guard), Some(5));
        } else {
            world.reopen();
            assert_eq!(guarded_size(&guard), Some(5));
        }
    }
}

fn strict_mode_covers_what_a_looser_mode_recorded(backing: Backing) {
    for setup in setups() {
        let (mut world, guard) = guarded(backing, setup, GuardMode::Checkpoints);
        world.append_new(3);
        seal(&world);
        world.append_new(2);
        world.guarding = Some(guarding(&guard, GuardMode::Strict));
        world.reopen();
        assert_eq!(guarded_size(&guard), Some(5));
    }
}

/// Two worlds with the same three envelopes; the first then lives on as `then` says, and its guard passes to the
/// second, which is what its database was before.
fn put_back(backing: Backing, setup: Setup, then: impl Fn(&World)) -> World {
    let (longer, guard) = guarded(backing, setup.clone(), GuardMode::Strict);
    let (mut shorter, own) = guarded(backing, setup, GuardMode::Strict);
    longer.append_new(3);
    shorter.append_new(3);
    assert_eq!(guard.heads().unwrap(), own.heads().unwrap(), "the same history");
    then(&longer);
    shorter.guarding = Some(guarding(&guard, GuardMode::Strict));
    shorter
}

fn a_shorter_store_is_refused_as_rolled_back(backing: Backing) {
    for setup in setups() {
        let mut world = put_back(backing, setup, |longer| drop(longer.append_new(2)));
        let error = refused(&mut world);
        assert!(is_rolled_back(&error, "envelopes", 5, 3), "{error}");
        assert!(error.to_string().contains("rolled back: the guard has seen 5 envelopes"));
    }
}

fn a_store_without_what_was_sealed_is_refused(backing: Backing) {
    for setup in setups() {
        let mut world = put_back(backing, setup, seal);
        let error = refused(&mut world);
        assert!(is_rolled_back(&error, "sealed segments", 1, 0), "{error}");
    }
}

fn a_store_without_its_checkpoint_is_refused(backing: Backing) {
    let (mut world, guard) = guarded(backing, Setup::signed(), GuardMode::Checkpoints);
    let (twin, theirs) = guarded(backing, Setup::signed(), GuardMode::Checkpoints);
    for world in [&world, &twin] {
        world.append_new(3);
    }
    twin.recorder().checkpoint(&tenant("a")).unwrap();
    guard.testing_only_replace(theirs.heads().unwrap());
    let error = refused(&mut world);
    assert!(is_rolled_back(&error, "envelopes under a checkpoint", 3, 0), "{error}");
}

fn another_store_of_the_same_stream_is_refused_as_forked(backing: Backing) {
    for setup in setups() {
        let (other, guard) = guarded(backing, setup.clone(), GuardMode::Strict);
        other.append_new(3);
        let (mut world, _) = guarded(backing, setup, GuardMode::Strict);
        drop(world.draft());
        world.append_new(5);
        world.guarding = Some(guarding(&guard, GuardMode::Strict));
        let error = refused(&mut world);
        assert!(matches!(error, HeadError::Forked { tree_size: 3, .. }), "{error}");
    }
}

fn a_store_from_which_the_stream_is_gone_is_refused(backing: Backing) {
    for (world, guard) in worlds(backing) {
        world.append_new(3);
        seal(&world);
        let mut empty = World::new(backing, world.setup.clone());
        empty.guarding = Some(guarding(&guard, GuardMode::Strict));
        let error = refused(&mut empty);
        assert!(is_rolled_back(&error, "envelopes", 3, 0), "{error}");
    }
}

fn a_missing_guard_is_refused_until_it_is_adopted(backing: Backing) {
    for (mut world, guard) in worlds(backing) {
        world.append_new(3);
        world.append("b", world.drafts(1)).unwrap();
        guard.testing_only_replace(BTreeMap::new());
        let error = refused(&mut world);
        assert!(matches!(error, HeadError::Missing { stored: 3, .. }), "{error}");
        adopting(&mut world, true);
        world.reopen();
        adopting(&mut world, false);
        world.reopen();
        let last = world.envelopes("a").pop().unwrap();
        assert_eq!(last.fields.event_type.as_str(), HEAD_ADOPTED);
        let payload = last.payload.unwrap().payload;
        assert!(payload.as_str().contains(r#""reason":"guard_missing""#), "{}", payload.as_str());
        assert!(payload.as_str().ends_with(r#""tree_size":3}"#), "{}", payload.as_str());
        assert_eq!((world.envelopes("a").len(), world.envelopes("b").len()), (4, 2));
        assert_eq!(guarded_size(&guard), Some(4));
    }
}

fn an_adoption_that_crashed_is_not_taken_for_granted(backing: Backing) {
    for fault in [Fault::Lost, Fault::Landed] {
        for (mut world, guard) in worlds(backing) {
            world.append_new(3);
            guard.testing_only_replace(BTreeMap::new());
            adopting(&mut world, true);
            guard.testing_only_fail_next_advance(fault);
            assert!(matches!(world.try_reopen(), Err(OpenError::Refused { .. })));
            adopting(&mut world, false);
            if fault == Fault::Lost {
                assert!(matches!(refused(&mut world), HeadError::Missing { stored: 4, .. }));
                adopting(&mut world, true);
            }
            // Wherever a head is guarded, the log says that it was adopted.
            world.reopen();
            let envelopes = world.envelopes("a");
            assert_eq!(envelopes[3].fields.event_type.as_str(), HEAD_ADOPTED);
        }
    }
}

fn adoption_forgives_nothing_but_absence(backing: Backing) {
    for setup in setups() {
        let mut world = put_back(backing, setup, |longer| drop(longer.append_new(2)));
        adopting(&mut world, true);
        let error = refused(&mut world);
        assert!(matches!(error, HeadError::RolledBack { .. }), "{error}");
    }
}

fn a_stream_that_never_recorded_needs_no_guard(backing: Backing) {
    for (mut world, guard) in worlds(backing) {
        world.recorder().open_segment(&tenant("a")).unwrap();
        guard.testing_only_replace(BTreeMap::new());
        world.reopen();
        world.append_new(1);
        world.reopen();
    }
}

fn heads_swapped_between_streams_are_refused(backing: Backing) {
    let (mut world, guard) = guarded(backing, Setup::signed(), GuardMode::Strict);
    world.append_new(3);
    world.append("b", world.drafts(3)).unwrap();
    let heads = guard.heads().unwrap();
    let swapped = heads.keys().cloned().zip(heads.values().rev().cloned()).collect();
    guard.testing_only_replace(swapped);
    let error = refused(&mut world);
    assert!(matches!(error, HeadError::Guard(GuardError::Malformed { .. })), "{error}");
}

fn a_forged_head_is_refused(backing: Backing) {
    // Signed by another key.
    let (mut world, guard) = guarded(backing, Setup::signed(), GuardMode::Strict);
    world.append_new(3);
    let honest = guard.heads().unwrap();
    let forge = |from: &str, to: &dyn Fn(&str) -> String| {
        let forged = honest.iter().map(|(origin, head)| {
            let text = String::from_utf8(head.to_json().unwrap()).unwrap();
            let start = text.find(from).unwrap();
            let forged = format!("{}{}", &text[..start], to(&text[start..]));
            (origin.clone(), GuardedHead::parse(origin, forged.as_bytes()).unwrap())
        });
        guard.testing_only_replace(forged.collect());
    };
    let note = honest.values().next().unwrap().note().unwrap();
    let other = recorder_envelope::signing::SecretKey::from_seed(&[8; 32]).unwrap();
    let by_other = note.checkpoint().clone().sign(&other).unwrap().render();
    let (old, new) = (note.render().replace('\n', "\\n"), by_other.replace('\n', "\\n"));
    forge("\"note\"", &|rest| rest.replace(&old, &new));
    let error = refused(&mut world);
    assert!(matches!(error, HeadError::NotBySigner { tree_size: 3, .. }), "{error}");
    // Stripped of its signature, after a smaller checkpoint was signed.
    guard.testing_only_replace(honest.clone());
    world.reopen();
    world.append_new(2);
    let honest = guard.heads().unwrap();
    let stripped = honest.iter().map(|(origin, head)| {
        let text = String::from_utf8(head.to_json().unwrap()).unwrap();
        let note = head.note().unwrap().render().replace('\n', "\\n");
        let bare = text.replace(&format!("\"{note}\""), "null");
        (origin.clone(), GuardedHead::parse(origin, bare.as_bytes()).unwrap())
    });
    guard.testing_only_replace(stripped.collect());
    let error = refused(&mut world);
    assert!(matches!(error, HeadError::NotBySigner { tree_size: 5, .. }), "{error}");
}

fn two_recorders_over_copies_do_not_both_go_on(backing: Backing) {
    for setup in setups() {
        let mut copy = put_back(backing, setup, |_| ());
        copy.reopen();
        let mut original = put_back(backing, copy.setup.clone(), |_| ());
        original.guarding.clone_from(&copy.guarding);
        original.reopen();
        original.append_new(1);
        // A copy made before works on: what it records is not acknowledged.
        drop(copy.draft());
        let failed = copy.append("a", copy.drafts(1)).unwrap_err();
        let moved = matches!(failed, AppendError::Unguarded(GuardError::Moved { .. }));
        assert!(moved, "{failed}");
        let error = refused(&mut copy);
        assert!(matches!(error, HeadError::Forked { tree_size: 4, .. }), "{error}");
        original.reopen();
        original.append_new(1);
    }
}

fn a_stream_that_gets_a_signer_later_is_guarded_all_along(backing: Backing) {
    for mode in MODES {
        let (mut world, guard) = guarded(backing, Setup::unsigned(), mode);
        world.append_new(3);
        seal(&world);
        world.setup.signed = true;
        world.reopen();
        world.append_new(1);
        world.reopen();
        seal(&world);
        let head = guard.heads().unwrap().into_values().next().unwrap();
        assert_eq!((head.tree_size(), head.note().is_some()), (4, true));
        world.end_unchecked();
    }
}

/// Copies the database as it is on the disk, with what its WAL holds or without.
fn copy(from: &Path, to: &Path, with_wal: bool) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["recorder.db", "recorder.db-wal"] {
        let _ = std::fs::remove_file(to.join(name));
        if from.join(name).exists() && (with_wal || name == "recorder.db") {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
    let _ = std::fs::remove_file(to.join("recorder.db-shm"));
}

#[test]
fn an_old_copy_of_the_file_is_refused_and_the_newest_is_continued() {
    for setup in setups() {
        let (mut world, _) = guarded(Backing::Sqlite, setup, GuardMode::Strict);
        let directory = world.database().parent().unwrap().to_path_buf();
        world.append_new(3);
        copy(&directory, &directory.join("old"), true);
        world.append_new(2);
        copy(&directory, &directory.join("new"), true);
        let error =
            world.try_reopen_after(|directory| copy(&directory.join("old"), directory, true));
        let Err(OpenError::Head(error)) = error else { panic!("{error:?}") };
        assert!(is_rolled_back(&error, "envelopes", 5, 3), "{error}");
        world.try_reopen_after(|directory| copy(&directory.join("new"), directory, true)).unwrap();
        world.append_new(1);
    }
}

#[test]
fn a_deleted_wal_is_refused() {
    let (mut world, _) = guarded(Backing::Sqlite, Setup::signed(), GuardMode::Strict);
    let directory = world.database().parent().unwrap().to_path_buf();
    world.append_new(3);
    world.reopen();
    world.append_new(2);
    assert!(directory.join("recorder.db-wal").metadata().unwrap().len() > 0);
    copy(&directory, &directory.join("cut"), false);
    let error = world.try_reopen_after(|directory| copy(&directory.join("cut"), directory, true));
    let Err(OpenError::Head(error)) = error else { panic!("{error:?}") };
    assert!(is_rolled_back(&error, "envelopes", 5, 3), "{error}");
    world.end_unchecked();
}
