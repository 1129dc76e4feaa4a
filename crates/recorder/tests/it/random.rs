//! Random histories of appends, seals, faults, clock jumps and reopenings all end in a store that the oracle accepts.

use proptest::prelude::*;
use recorder::{AppendError, AutoSeal, Submission};
use recorder_envelope::segment::SealReason;
use recorder_store::fault::Fault;

use crate::harness::{BEGINNING, Backing, SECOND, Setup, World, moment, over_both_stores, tenant};

over_both_stores!(random_histories_leave_a_sound_store,);

#[derive(Clone, Debug)]
enum Operation {
    Append { tenant: &'static str, count: usize },
    Repeat { count: usize },
    Open,
    Seal,
    Checkpoint,
    Fail(Fault),
    Clock { seconds: i64 },
    Reopen,
    Rotate,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let append = |tenant| (0_usize..40).prop_map(move |count| Operation::Append { tenant, count });
    let operation = prop_oneof![
        6 => append("a"),
        2 => append("b"),
        2 => (1_usize..6).prop_map(|count| Operation::Repeat { count }),
        1 => Just(Operation::Open),
        2 => Just(Operation::Seal),
        1 => Just(Operation::Checkpoint),
        1 => prop_oneof![Just(Fault::Lost), Just(Fault::Landed)].prop_map(Operation::Fail),
        1 => (-1000_i64..1000).prop_map(|seconds| Operation::Clock { seconds }),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Rotate),
    ];
    proptest::collection::vec(operation, 1..25)
}

fn setups() -> impl Strategy<Value = Setup> {
    let auto_seal = prop_oneof![
        Just(AutoSeal::NONE),
        (1_u64..50).prop_map(|count| AutoSeal::after_count(count).unwrap()),
        (1_u64..500).prop_map(|seconds| AutoSeal::after_duration(seconds).unwrap()),
        (1_u64..50, 1_u64..500).prop_map(|(n, s)| AutoSeal::combined(n, s).unwrap()),
    ];
    (auto_seal, any::<bool>(), any::<bool>()).prop_map(|(auto_seal, signed, sign_envelopes)| {
        let mut setup = Setup::signed().auto_seal(auto_seal);
        setup.signed = signed;
        setup.config.sign_envelopes = signed && sign_envelopes;
        setup
    })
}

/// Records until the writer confirms, opening it again where it stopped.
fn insist(world: &mut World, name: &str, batch: Vec<Submission>) {
    match world.append(name, batch.clone()) {
        Ok(receipts) => assert_eq!(receipts.len(), batch.len()),
        Err(AppendError::OutcomeUnknown(_) | AppendError::Latched) => {
            world.reopen();
            assert_eq!(world.append(name, batch.clone()).unwrap().len(), batch.len());
        }
        Err(other) => panic!("{other}"),
    }
}

fn perform(world: &mut World, operation: &Operation, sent: &mut Vec<Submission>) {
    let a = tenant("a");
    match operation {
        Operation::Append { tenant, count } => {
            let batch = world.drafts(*count);
            if *tenant == "a" {
                sent.extend(batch.iter().cloned());
            }
            insist(world, tenant, batch);
        }
        Operation::Repeat { count } => {
            let mut batch: Vec<_> = sent.iter().rev().step_by(3).take(*count).cloned().collect();
            let fresh = world.drafts(1);
            sent.extend(fresh.iter().cloned());
            batch.extend(fresh);
            insist(world, "a", batch);
        }
        // Whether these succeed depends on what came before; that they harm nothing does not.
        Operation::Open => drop(world.recorder().open_segment(&a)),
        Operation::Seal => drop(world.recorder().seal_segment(&a, SealReason::Manual)),
        Operation::Checkpoint => drop(world.recorder().checkpoint(&a)),
        Operation::Fail(fault) => world.fail_next_commit(*fault),
        Operation::Clock { seconds } => world.clock.set(moment(BEGINNING + seconds * SECOND)),
        Operation::Reopen => world.reopen(),
        Operation::Rotate => rotate(world),
    }
}

/// Rotates to the next key, again where the first try was not confirmed.
fn rotate(world: &mut World) {
    let next = world.seeds.last().unwrap() + 1;
    if world.setup.signed && world.rotate_to(next).is_err() {
        world.reopen_store(|_| ());
        world.rotate_to(next).unwrap();
    }
}

fn random_histories_leave_a_sound_store(backing: Backing) {
    let mut runner = crate::harness::property(16);
    runner
        .run(&(setups(), operations()), |(setup, operations)| {
            let mut world = World::new(backing, setup);
            let mut sent = Vec::new();
            for operation in &operations {
                perform(&mut world, operation, &mut sent);
            }
            let mut recorded = world.envelopes("a");
            recorded.retain(|it| !it.fields.event_type.as_str().starts_with("system."));
            assert_eq!(recorded.len(), sent.len(), "each envelope once");
            Ok(())
        })
        .unwrap();
}
