//! Every commit fails twice: lost, and landed but reported failed. Either way nothing is recorded twice.

use recorder::{AppendError, AutoSeal, SealError, Submission};
use recorder_envelope::segment::SealReason;
use recorder_store::fault::Fault;

use crate::harness::{Backing, Setup, World, over_both_stores, tenant};

over_both_stores!(
    an_append_that_was_lost_is_repeated,
    an_append_that_landed_unconfirmed_is_a_replay,
    a_seal_that_was_not_confirmed_is_looked_up,
    a_checkpoint_that_was_not_confirmed_is_no_second_root,
    another_writer_stops_this_one,
);

fn fails_and_repeats(backing: Backing, fault: Fault) {
    let setup = Setup::signed().auto_seal(AutoSeal::after_count(3).unwrap());
    let mut world = World::new(backing, setup);
    let batch: Vec<Submission> = vec![world.draft().attach("bytes").into(), world.draft().into()];
    for round in 0..4 {
        world.append_new(round);
        let batch = if round == 0 { batch.clone() } else { world.drafts(5) };
        world.fail_next_commit(fault);
        let failed = world.append("a", batch.clone()).unwrap_err();
        assert!(matches!(failed, AppendError::OutcomeUnknown(_)), "{failed}");
        let latched = world.append("a", world.drafts(1)).unwrap_err();
        assert!(matches!(latched, AppendError::Latched), "{latched}");
        let latched = world.append("b", world.drafts(1)).unwrap_err();
        assert!(matches!(latched, AppendError::Latched), "{latched}");
        assert!(world.recorder().is_latched());
        world.reopen();
        let receipts = world.append("a", batch.clone()).unwrap();
        let landed = fault == Fault::Landed;
        assert!(receipts.iter().all(|receipt| receipt.replayed == landed));
        assert!(world.append("a", batch).unwrap().iter().all(|receipt| receipt.replayed));
    }
    assert_eq!(world.envelopes("a").len(), 2 + 1 + 5 + 2 + 5 + 3 + 5);
}

fn an_append_that_was_lost_is_repeated(backing: Backing) {
    fails_and_repeats(backing, Fault::Lost);
}

fn an_append_that_landed_unconfirmed_is_a_replay(backing: Backing) {
    fails_and_repeats(backing, Fault::Landed);
}

fn a_seal_that_was_not_confirmed_is_looked_up(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    let a = tenant("a");
    for fault in [Fault::Lost, Fault::Landed] {
        world.append_new(2);
        world.fail_next_commit(fault);
        let failed = world.recorder().seal_segment(&a, SealReason::Manual).unwrap_err();
        assert!(matches!(failed, SealError::Append(AppendError::OutcomeUnknown(_))), "{failed}");
        world.reopen();
        let again = world.recorder().seal_segment(&a, SealReason::Manual);
        assert_eq!(again.is_ok(), fault == Fault::Lost);
    }
    world.fail_next_commit(Fault::Landed);
    world.recorder().open_segment(&a).unwrap_err();
    world.reopen();
    let open = world.recorder().open_segment(&a).unwrap_err();
    assert!(matches!(open, SealError::AlreadyOpen { .. }), "{open}");
}

fn a_checkpoint_that_was_not_confirmed_is_no_second_root(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    let a = tenant("a");
    for fault in [Fault::Lost, Fault::Landed] {
        world.append_new(2);
        world.fail_next_commit(fault);
        world.recorder().checkpoint(&a).unwrap_err();
        world.reopen();
        world.append_new(1);
        world.recorder().checkpoint(&a).unwrap();
    }
}

fn another_writer_stops_this_one(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    world.append_new(1);
    let other = world.open(world.store()).unwrap();
    world.append_new(1);
    let refused = other.append_batch(&tenant("a"), world.drafts(1)).unwrap_err();
    assert!(matches!(refused, AppendError::HeadMoved), "{refused}");
    assert!(other.is_latched());
    let refused = other.append_batch(&tenant("new"), world.drafts(1)).unwrap_err();
    assert!(matches!(refused, AppendError::Latched), "{refused}");
    drop(other);
    world.append_new(1);
    world.reopen();
    world.append_new(1);
}
