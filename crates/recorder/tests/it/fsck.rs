//! The whole read finds each single change of what is stored, wherever it is.

use std::sync::Arc;

use recorder::AutoSeal;
use recorder::fsck::{FsckReport, fsck};
use recorder_core::hash::{ChainHash, TreeHash};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::segment::{SealReason, SigningPromise};
use recorder_envelope::signing::SecretKey;
use recorder_store::{SegmentRecord, Store};

use crate::harness::{Backing, Setup, World, key, moment, over_both_stores, tenant};
use crate::tampered::{Tampered, Tampering};

over_both_stores!(
    an_honest_store_is_clean_and_counted,
    every_single_change_is_found,
    an_erased_payload_is_counted,
    signatures_by_another_key_are_named,
);

fn whole(store: &dyn Store) -> FsckReport {
    fsck(store, &[key().public_key()], &mut |_| ()).unwrap()
}

/// A key that did not sign the stream.
fn foreign_key() -> SecretKey {
    SecretKey::from_seed(&[8; 32]).unwrap()
}

fn world_with_history(backing: Backing) -> World {
    let setup = Setup::signed().auto_seal(AutoSeal::after_count(200).unwrap());
    let world = World::new(backing, setup);
    world.append_new(650);
    world.recorder().checkpoint(&tenant("a")).unwrap();
    world.append("a", vec![world.draft().attach("bytes").into()]).unwrap();
    world
}

fn an_honest_store_is_clean_and_counted(backing: Backing) {
    let world = world_with_history(backing);
    let mut heard = 0;
    let report = fsck(&*world.store(), &[key().public_key()], &mut |count| heard = count).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.streams, report.segments, report.envelopes), (1, 4, 651));
    assert_eq!((report.attachments, report.signatures, heard), (1, 3 + 4, 651));
}

fn at(position: u64, edit: fn(&mut SealedEnvelope)) -> impl Fn(&mut Tampered) {
    move |store| {
        store.envelope = Box::new(move |row| {
            if let Some(envelope) = row.as_mut().filter(|it| it.place.position == position) {
                edit(envelope);
            }
        });
    }
}

fn segment(index: u64, edit: fn(&mut SegmentRecord)) -> impl Fn(&mut Tampered) {
    move |store| {
        store.segment = Box::new(move |record| {
            if record.genesis.segment_index == index {
                edit(record);
            }
        });
    }
}

fn tamperings() -> Vec<Tampering> {
    let mut all = row_tamperings();
    all.extend(segment_tamperings());
    all.extend(log_tamperings());
    all
}

/// Changes of envelopes, and rows that are hidden or exchanged.
fn row_tamperings() -> Vec<Tampering> {
    vec![
        (
            "payload",
            Box::new(at(10, |it| {
                let forged = recorder_envelope::json::CanonicalPayload::parse(b"{}").unwrap();
                it.payload.as_mut().unwrap().payload = forged;
            })),
        ),
        ("actor", Box::new(at(10, |it| it.fields.actor_id = "x".parse().unwrap()))),
        (
            "actor and content hash",
            Box::new(at(10, |it| {
                it.fields.actor_id = "x".parse().unwrap();
                it.content_hash = it.recomputed_content_hash();
            })),
        ),
        ("chain hash", Box::new(at(300, |it| it.chain_hash = ChainHash::from_bytes([1; 32])))),
        ("time", Box::new(at(300, |it| it.place.recorded_at = moment(5)))),
        ("sequence", Box::new(at(300, |it| it.place.sequence += 1))),
        (
            "hidden row",
            Box::new(|store: &mut Tampered| {
                store.envelope =
                    Box::new(|row| *row = row.take().filter(|it| it.place.position != 123));
            }),
        ),
        (
            "hidden tail",
            Box::new(|store: &mut Tampered| {
                store.envelope =
                    Box::new(|row| *row = row.take().filter(|it| it.place.position < 600));
            }),
        ),
        (
            "two rows exchanged",
            Box::new(|store: &mut Tampered| {
                store.envelope = Box::new(|row| {
                    if let Some(it) =
                        row.as_mut().filter(|it| (40..42).contains(&it.place.position))
                    {
                        it.place.position = 81 - it.place.position;
                        it.place.sequence = 81 - it.place.sequence;
                    }
                });
            }),
        ),
    ]
}

/// Changes of geneses and seals.
fn segment_tamperings() -> Vec<Tampering> {
    vec![
        (
            "seal count",
            Box::new(segment(1, |it| it.seal.as_mut().unwrap().seal.envelope_count = 1)),
        ),
        (
            "seal reason",
            Box::new(segment(1, |it| {
                it.seal.as_mut().unwrap().seal.reason = SealReason::Manual;
            })),
        ),
        (
            "seal root",
            Box::new(segment(2, |it| {
                it.seal.as_mut().unwrap().seal.root_hash = TreeHash::from_bytes([1; 32]);
            })),
        ),
        ("seal signature", Box::new(segment(2, |it| it.seal.as_mut().unwrap().signature = None))),
        (
            "seal signed by another key",
            Box::new(segment(2, |it| {
                let signed = it.seal.as_mut().unwrap();
                signed.signature = Some(foreign_key().sign_seal(&signed.seal.hash()));
            })),
        ),
        (
            "envelope signed by another key",
            Box::new(at(3, |it| {
                it.signature = Some(foreign_key().sign_envelope(&it.content_hash, &it.chain_hash));
            })),
        ),
        ("seal removed", Box::new(segment(1, |it| it.seal = None))),
        ("segment count", Box::new(segment(1, |it| it.envelope_count += 1))),
        ("genesis promise", Box::new(segment(2, |it| it.genesis.signing = SigningPromise::None))),
        ("genesis predecessor", Box::new(segment(2, |it| it.genesis.predecessor = None))),
        ("genesis time", Box::new(segment(0, |it| it.genesis.opened_at = moment(5)))),
    ]
}

/// Changes of tiles, checkpoints, heads and attachments.
fn log_tamperings() -> Vec<Tampering> {
    vec![
        (
            "tile",
            Box::new(|store: &mut Tampered| {
                store.tile = Box::new(|tile| tile.swap(3, 4));
            }),
        ),
        (
            "an older checkpoint's root",
            Box::new(|store: &mut Tampered| {
                store.checkpoint = Box::new(|it| {
                    if it.tree_size == 200 {
                        it.root_hash = TreeHash::from_bytes([1; 32]);
                    }
                });
            }),
        ),
        (
            "checkpoint note",
            Box::new(|store: &mut Tampered| {
                store.checkpoint = Box::new(|it| it.note = it.note.replace("650", "649"));
            }),
        ),
        (
            "head position",
            Box::new(|store: &mut Tampered| {
                store.head = Box::new(|it| it.next_position -= 1);
            }),
        ),
        (
            "head chain hash",
            Box::new(|store: &mut Tampered| {
                store.head = Box::new(|it| it.chain_head = Some(ChainHash::from_bytes([1; 32])));
            }),
        ),
        (
            "head checkpoint",
            Box::new(|store: &mut Tampered| {
                store.head = Box::new(|it| it.checkpoint = None);
            }),
        ),
        (
            "attachment gone",
            Box::new(|store: &mut Tampered| {
                store.attachment = Box::new(|bytes| *bytes = None);
            }),
        ),
        (
            "attachment bytes",
            Box::new(|store: &mut Tampered| {
                store.attachment = Box::new(|bytes| bytes.as_mut().unwrap().push(0));
            }),
        ),
    ]
}

fn every_single_change_is_found(backing: Backing) {
    let world = world_with_history(backing);
    for (name, tamper) in tamperings() {
        let mut store = Tampered::new(world.store());
        tamper(&mut store);
        assert!(!whole(&store).is_clean(), "{name} is not found");
    }
    assert!(whole(&Tampered::new(world.store())).is_clean());
    assert!(whole(&*Arc::clone(&world.store())).is_clean());
}

fn an_erased_payload_is_counted(backing: Backing) {
    let world = world_with_history(backing);
    let mut store = Tampered::new(world.store());
    at(10, |it| it.payload = None)(&mut store);
    let report = whole(&store);
    assert_eq!((report.is_clean(), report.payloads_erased), (true, 1));
    assert_eq!(whole(&*world.store()).payloads_erased, 0);
}

fn signatures_by_another_key_are_named(backing: Backing) {
    let world = world_with_history(backing);
    let report = fsck(&*world.store(), &[foreign_key().public_key()], &mut |_| ()).unwrap();
    assert_eq!(report.finding_count, 4 + 3, "each checkpoint and seal: {:?}", report.findings);
    assert!(fsck(&*world.store(), &[], &mut |_| ()).unwrap().is_clean(), "no key, no judgement");
}
