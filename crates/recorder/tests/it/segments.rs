//! When segments open and seal, what they promise, checkpoints, and clocks that go back.

use std::num::NonZeroU64;

use recorder::{AppendError, AutoSeal, SealError};
use recorder_envelope::segment::{SealReason, SigningPromise};
use recorder_store::SegmentRecord;

use crate::harness::{BEGINNING, Backing, SECOND, Setup, World, moment, over_both_stores, tenant};

over_both_stores!(
    nothing_is_sealed_without_a_policy,
    a_batch_larger_than_the_count_fills_several_segments,
    a_count_that_was_lowered_seals_before_the_next_envelope,
    a_segment_that_was_open_too_long_is_sealed_at_the_next_write,
    a_segment_that_was_open_too_long_is_sealed_though_nobody_writes,
    whichever_comes_first_seals,
    an_explicit_open_and_seal_tell_their_state,
    an_empty_segment_is_never_sealed_and_is_used,
    time_never_goes_back_though_the_clock_does,
    a_promise_is_made_as_soon_as_there_is_a_signer_and_never_weakens,
    a_promise_to_sign_every_envelope_is_kept,
    there_is_one_checkpoint_a_size,
    what_stood_outside_every_checkpoint_for_the_interval_is_covered_by_the_next_commit,
    without_an_interval_or_a_key_no_commit_brings_a_checkpoint,
);

fn segments(world: &World) -> Vec<SegmentRecord> {
    world.store().segments(&world.stream("a"), 0..u64::MAX).unwrap()
}

fn counts(world: &World) -> Vec<(u64, Option<SealReason>)> {
    let reason = |it: &SegmentRecord| it.seal.as_ref().map(|signed| signed.seal.reason);
    segments(world).iter().map(|it| (it.envelope_count, reason(it))).collect()
}

fn nothing_is_sealed_without_a_policy(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    world.append_new(300);
    world.clock.set(moment(BEGINNING + 1_000_000 * SECOND));
    world.append_new(1);
    assert_eq!(counts(&world), [(301, None)]);
}

fn a_batch_larger_than_the_count_fills_several_segments(backing: Backing) {
    let setup = Setup::signed().auto_seal(AutoSeal::after_count(4).unwrap());
    let mut world = World::new(backing, setup);
    world.append_new(3);
    world.append_new(11);
    let count = Some(SealReason::Count);
    assert_eq!(counts(&world), [(4, count), (4, count), (4, count), (2, None)]);
    world.append_new(2);
    assert_eq!(counts(&world).last(), Some(&(4, count)), "sealed with its last envelope");
    world.reopen();
    world.append_new(1);
    assert_eq!(counts(&world).len(), 5);
}

fn a_count_that_was_lowered_seals_before_the_next_envelope(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    world.append_new(9);
    world.setup.config.auto_seal = AutoSeal::after_count(2).unwrap();
    world.reopen();
    world.append_new(1);
    assert_eq!(counts(&world), [(9, Some(SealReason::Count)), (1, None)]);
}

fn a_segment_that_was_open_too_long_is_sealed_at_the_next_write(backing: Backing) {
    let setup = Setup::signed().auto_seal(AutoSeal::after_duration(60).unwrap());
    let world = World::new(backing, setup);
    world.append_new(2);
    world.clock.set(moment(BEGINNING + 59 * SECOND));
    world.append_new(1);
    world.clock.set(moment(BEGINNING + 61 * SECOND));
    world.append_new(2);
    assert_eq!(counts(&world), [(3, Some(SealReason::Duration)), (2, None)]);
    world.clock.set(moment(BEGINNING - 1_000_000 * SECOND));
    world.append_new(1);
    assert_eq!(counts(&world).len(), 2, "a clock that went back makes nothing due");
}

fn a_segment_that_was_open_too_long_is_sealed_though_nobody_writes(backing: Backing) {
    let setup = Setup::signed().auto_seal(AutoSeal::after_duration(60).unwrap());
    let world = World::new(backing, setup);
    world.append_new(2);
    world.clock.set(moment(BEGINNING + 59 * SECOND));
    assert!(world.recorder().seal_due_segments().is_empty());
    let (count, since) = world.recorder().uncovered()[&tenant("a")];
    assert!(count == 2 && since < moment(BEGINNING + SECOND), "{count} since {since}");
    world.clock.set(moment(BEGINNING + 61 * SECOND));
    let sealed = world.recorder().seal_due_segments();
    assert_eq!(sealed.len(), 1);
    assert_eq!((&sealed[0].0, sealed[0].1.as_ref().unwrap().tree_size), (&tenant("a"), 2));
    assert_eq!(counts(&world), [(2, Some(SealReason::Duration))]);
    assert!(world.recorder().seal_due_segments().is_empty(), "nothing is open");
    assert!(world.recorder().uncovered().is_empty(), "a seal brings a checkpoint");
}

fn whichever_comes_first_seals(backing: Backing) {
    let setup = Setup::signed().auto_seal(AutoSeal::combined(3, 60).unwrap());
    let world = World::new(backing, setup);
    world.append_new(4);
    world.clock.set(moment(BEGINNING + 100 * SECOND));
    world.append_new(4);
    let (count, duration) = (Some(SealReason::Count), Some(SealReason::Duration));
    assert_eq!(counts(&world), [(3, count), (1, duration), (3, count), (1, None)]);
}

fn an_explicit_open_and_seal_tell_their_state(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let (recorder, a) = (world.recorder(), tenant("a"));
    let seal = || recorder.seal_segment(&a, SealReason::Manual);
    assert!(matches!(seal(), Err(SealError::NoneOpen)));
    assert!(matches!(recorder.checkpoint(&a), Err(SealError::NothingRecorded)));
    let opened = recorder.open_segment(&a).unwrap();
    let again = recorder.open_segment(&a).unwrap_err();
    assert!(matches!(again, SealError::AlreadyOpen { segment_id } if segment_id == opened));
    assert!(matches!(seal(), Err(SealError::Empty { segment_id }) if segment_id == opened));
    let receipts = world.append_new(2);
    assert_eq!(receipts[0].segment_id, opened);
    let sealed = seal().unwrap();
    assert_eq!((sealed.segment_id, sealed.envelope_count, sealed.tree_size), (opened, 2, 2));
    assert!(sealed.signed);
    assert_eq!(sealed.chain_head, receipts[1].chain_hash);
    assert!(matches!(seal(), Err(SealError::NoneOpen)));
}

fn an_empty_segment_is_never_sealed_and_is_used(backing: Backing) {
    let setup = Setup::signed().auto_seal(AutoSeal::after_duration(1).unwrap());
    let mut world = World::new(backing, setup);
    let opened = world.recorder().open_segment(&tenant("a")).unwrap();
    world.clock.set(moment(BEGINNING + 1000 * SECOND));
    world.reopen();
    let receipts = world.append_new(1);
    assert_eq!(receipts[0].segment_id, opened);
    // What a signer could now promise does not seal an empty segment either.
    let mut world = World::new(backing, Setup::unsigned());
    let opened = world.recorder().open_segment(&tenant("a")).unwrap();
    world.setup.signed = true;
    world.reopen();
    assert_eq!(world.append_new(1)[0].segment_id, opened);
}

fn time_never_goes_back_though_the_clock_does(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    let a = tenant("a");
    for round in 0..6 {
        // Each round is earlier than the one before: openings, envelopes and seals must not follow.
        world.clock.set(moment(BEGINNING - round * SECOND));
        match round % 3 {
            0 => drop(world.recorder().open_segment(&a).unwrap()),
            1 => drop(world.append_new(2)),
            _ => drop(world.recorder().seal_segment(&a, SealReason::Manual).unwrap()),
        }
        if round % 2 == 0 {
            world.reopen();
        }
    }
    let recorded = world.envelopes("a");
    assert!(recorded.iter().all(|it| it.place.recorded_at >= moment(BEGINNING)));
    world.clock.set(moment(BEGINNING + SECOND));
    assert!(world.append_new(1)[0].recorded_at >= moment(BEGINNING + SECOND));
}

fn a_promise_is_made_as_soon_as_there_is_a_signer_and_never_weakens(backing: Backing) {
    let mut world = World::new(backing, Setup::unsigned());
    world.append_new(2);
    world.setup.signed = true;
    world.reopen();
    world.append_new(1);
    assert_eq!(counts(&world), [(2, Some(SealReason::Manual)), (1, None)]);
    let promises = segments(&world).iter().map(|it| it.genesis.signing).collect::<Vec<_>>();
    assert_eq!(promises, [SigningPromise::None, SigningPromise::Checkpoints]);
    world.setup.signed = false;
    world.reopen();
    refuses_everything(&world);
    assert!(!world.recorder().is_latched(), "a refusal is no reason to stop");
    world.setup.signed = true;
    world.reopen();
    world.recorder().seal_segment(&tenant("a"), SealReason::Shutdown).unwrap();
    world.setup.signed = false;
    world.reopen();
    let refused = world.recorder().open_segment(&tenant("a")).unwrap_err();
    assert!(matches!(refused, SealError::Append(AppendError::SignerRequired)), "{refused}");
    world.setup.signed = true;
}

fn refuses_everything(world: &World) {
    let a = tenant("a");
    let refused = world.append("a", world.drafts(1)).unwrap_err();
    assert!(matches!(refused, AppendError::SignerRequired), "{refused}");
    let refused = world.recorder().seal_segment(&a, SealReason::Manual).unwrap_err();
    assert!(matches!(refused, SealError::Append(AppendError::SignerRequired)), "{refused}");
    let refused = world.recorder().checkpoint(&a).unwrap_err();
    assert!(matches!(refused, SealError::Append(AppendError::SignerRequired)), "{refused}");
}

fn a_promise_to_sign_every_envelope_is_kept(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    world.append_new(1);
    world.setup.config.sign_envelopes = true;
    world.reopen();
    world.append_new(2);
    assert_eq!(segments(&world)[1].genesis.signing, SigningPromise::Envelopes);
    let signed = world.envelopes("a").iter().map(|it| it.signature.is_some()).collect::<Vec<_>>();
    assert_eq!(signed, [false, true, true]);
    world.setup.config.sign_envelopes = false;
    world.reopen();
    refuses_everything(&world);
}

fn there_is_one_checkpoint_a_size(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    let a = tenant("a");
    world.append_new(3);
    let first = world.recorder().checkpoint(&a).unwrap();
    world.clock.set(moment(BEGINNING + SECOND));
    assert_eq!(world.recorder().checkpoint(&a).unwrap(), first);
    world.recorder().seal_segment(&a, SealReason::Manual).unwrap();
    world.reopen();
    assert_eq!(world.recorder().checkpoint(&a).unwrap(), first);
    assert_eq!(world.store().checkpoint(&world.stream("a"), 0).unwrap(), Some(first.clone()));
    world.append_new(1);
    let second = world.recorder().checkpoint(&a).unwrap();
    assert_eq!((first.tree_size, second.tree_size), (3, 4));
    world.append("u", world.drafts(1)).unwrap();
    world.setup.signed = false;
    let unsigned = World::new(backing, Setup::unsigned());
    unsigned.append_new(1);
    assert!(matches!(unsigned.recorder().checkpoint(&a), Err(SealError::NoSigner)));
    world.setup.signed = true;
}

/// Each write, by the second in which it comes, and the size of the newest checkpoint after it.
fn checkpoints_of(world: &mut World, writes: &[(i64, u64)]) {
    for (second, covered) in writes {
        world.clock.set(moment(BEGINNING + second * SECOND));
        world.append_new(2);
        let newest = world.store().head(&world.stream("a")).unwrap().unwrap().checkpoint;
        assert_eq!(newest.map_or(0, |it| it.tree_size), *covered, "at second {second}");
        // A recorder that was opened again goes by what is stored.
        world.reopen();
    }
}

fn what_stood_outside_every_checkpoint_for_the_interval_is_covered_by_the_next_commit(
    backing: Backing,
) {
    let mut setup = Setup::signed();
    setup.config.checkpoint_interval_ms = NonZeroU64::new(10_000);
    let mut world = World::new(backing, setup);
    // The interval runs from the first envelope outside, not from the last checkpoint.
    checkpoints_of(&mut world, &[(0, 0), (9, 0), (11, 6), (12, 6), (21, 6), (23, 12), (500, 12)]);
    world.clock.set(moment(BEGINNING));
    world.append_new(1);
    let newest = world.store().head(&world.stream("a")).unwrap().unwrap().checkpoint;
    assert_eq!(newest.unwrap().tree_size, 12, "a clock that went back makes nothing due");
}

fn without_an_interval_or_a_key_no_commit_brings_a_checkpoint(backing: Backing) {
    checkpoints_of(&mut World::new(backing, Setup::signed()), &[(0, 0), (1_000_000, 0)]);
    let mut setup = Setup::unsigned();
    setup.config.checkpoint_interval_ms = NonZeroU64::new(1);
    checkpoints_of(&mut World::new(backing, setup), &[(0, 0), (1_000_000, 0)]);
}
