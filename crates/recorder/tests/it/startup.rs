//! What a recorder refuses to continue: every kind of end that does not follow from its own hashes.

use recorder::{AutoSeal, OpenError};
use recorder_core::hash::{ChainHash, ContentHash, TreeHash};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::segment::{SealReason, SigningPromise};

use crate::harness::{Backing, Setup, World, moment, over_both_stores, tenant};
use crate::tampered::{Tampered, Tampering};

over_both_stores!(
    an_honest_store_is_continued_at_every_size,
    a_tampered_end_is_refused,
    a_changed_tile_is_refused_though_nothing_is_signed,
    what_lies_before_the_depth_is_left_to_the_whole_read,
    another_signer_is_refused,
    another_log_name_is_refused,
    streams_of_another_recorder_are_left_alone,
);

fn an_honest_store_is_continued_at_every_size(backing: Backing) {
    for auto_seal in [AutoSeal::NONE, AutoSeal::after_count(5).unwrap()] {
        let mut world = World::new(backing, Setup::signed().auto_seal(auto_seal));
        for depth in [0, 1, 2, 100, u64::MAX] {
            world.setup.config.startup_verification_depth = depth;
            world.append_new(1);
            world.reopen();
            world.append_new(2);
            world.recorder().checkpoint(&tenant("a")).unwrap();
            world.reopen();
        }
        // Across the edge of a tile.
        world.append_new(240);
        world.reopen();
        world.append_new(2);
        world.reopen();
        world.append_new(1);
    }
}

/// 300 sealed envelopes with a checkpoint, and three in the open segment.
fn world_with_an_end(backing: Backing) -> World {
    let mut setup = Setup::signed();
    setup.config.sign_envelopes = true;
    let world = World::new(backing, setup);
    world.append_new(300);
    world.recorder().seal_segment(&tenant("a"), SealReason::Manual).unwrap();
    world.append_new(3);
    world
}

/// Edits the envelope at `position` wherever it is read.
fn row(position: u64, edit: fn(&mut SealedEnvelope)) -> impl Fn(&mut Tampered) {
    move |store| {
        store.envelope = Box::new(move |row| {
            if let Some(envelope) = row.as_mut().filter(|it| it.place.position == position) {
                edit(envelope);
            }
        });
    }
}

fn hide(position: u64) -> impl Fn(&mut Tampered) {
    move |store| {
        store.envelope =
            Box::new(move |row| *row = row.take().filter(|it| it.place.position != position));
    }
}

fn head(edit: fn(&mut recorder_store::StreamHead)) -> impl Fn(&mut Tampered) {
    move |store| store.head = Box::new(edit)
}

fn segment(edit: fn(&mut recorder_store::SegmentRecord)) -> impl Fn(&mut Tampered) {
    move |store| store.segment = Box::new(edit)
}

fn checkpoint(edit: fn(&mut recorder_store::StoredCheckpoint)) -> impl Fn(&mut Tampered) {
    move |store| store.checkpoint = Box::new(edit)
}

/// Every edit of the end, by name.
fn tamperings() -> Vec<Tampering> {
    let other_payload: fn(&mut SealedEnvelope) = |it| {
        let payload = CanonicalPayload::parse(br#"{"note":"forged"}"#).unwrap();
        it.payload.as_mut().unwrap().payload = payload;
    };
    let consistent_forgery: fn(&mut SealedEnvelope) = |it| {
        it.fields.actor_id = "actor:forged".parse().unwrap();
        it.content_hash = it.recomputed_content_hash();
    };
    vec![
        ("payload", Box::new(row(301, other_payload))),
        ("field", Box::new(row(301, |it| it.fields.trace_id = None))),
        ("field and content hash", Box::new(row(301, consistent_forgery))),
        (
            "content hash",
            Box::new(row(302, |it| it.content_hash = ContentHash::from_bytes([1; 32]))),
        ),
        ("chain hash", Box::new(row(302, |it| it.chain_hash = ChainHash::from_bytes([1; 32])))),
        ("time", Box::new(row(302, |it| it.place.recorded_at = moment(1)))),
        ("sequence", Box::new(row(301, |it| it.place.sequence = 7))),
        ("position", Box::new(row(301, |it| it.place.position = 302))),
        ("id of the first", Box::new(row(300, |it| it.fields.envelope_id = forged_id()))),
        ("stripped signature", Box::new(row(301, |it| it.signature = None))),
        ("last row hidden", Box::new(hide(302))),
        ("middle row hidden", Box::new(hide(301))),
        ("head position", Box::new(head(|it| it.next_position = 302))),
        ("head beyond the rows", Box::new(head(|it| it.next_position = 304))),
        ("head chain hash", Box::new(head(|it| it.chain_head = None))),
        ("head time", Box::new(head(|it| it.last_recorded_at = Some(moment(1))))),
        ("open segment forgotten", Box::new(head(|it| it.last_sealed = None))),
        (
            "open segment count",
            Box::new(head(|it| it.open_segment.as_mut().unwrap().envelope_count = 2)),
        ),
        (
            "open segment's first id",
            Box::new(head(|it| it.open_segment.as_mut().unwrap().first_envelope_id = None)),
        ),
        (
            "open segment's last id",
            Box::new(head(|it| {
                it.open_segment.as_mut().unwrap().last_envelope_id = Some(forged_id());
            })),
        ),
        ("genesis promise", Box::new(segment(|it| it.genesis.signing = SigningPromise::None))),
        ("genesis time", Box::new(segment(|it| it.genesis.opened_at = moment(1)))),
        (
            "seal root",
            Box::new(segment(|it| {
                if let Some(signed) = &mut it.seal {
                    signed.seal.root_hash = TreeHash::from_bytes([1; 32]);
                }
            })),
        ),
        (
            "tile",
            Box::new(|store: &mut Tampered| {
                store.tile = Box::new(|tile| tile[9] = TreeHash::from_bytes([1; 32]));
            }),
        ),
        (
            "checkpoint root",
            Box::new(checkpoint(|it| it.root_hash = TreeHash::from_bytes([1; 32]))),
        ),
        ("checkpoint size", Box::new(checkpoint(|it| it.tree_size = 299))),
        ("checkpoint beyond", Box::new(checkpoint(|it| it.tree_size = 1000))),
        ("checkpoint note", Box::new(checkpoint(|it| it.note = it.note.replace("300", "301")))),
        ("checkpoint garbage", Box::new(checkpoint(|it| it.note = "garbage".to_owned()))),
    ]
}

fn forged_id() -> recorder_core::identity::EnvelopeId {
    "01936b2e-7c00-7abc-8def-0123456789ab".parse().unwrap()
}

fn a_tampered_end_is_refused(backing: Backing) {
    let world = world_with_an_end(backing);
    for (name, tamper) in tamperings() {
        let mut store = Tampered::new(world.store());
        tamper(&mut store);
        match world.open(std::sync::Arc::new(store)) {
            Err(OpenError::Corrupt(_)) => {}
            Err(other) => panic!("{name}: refused for another reason: {other}"),
            Ok(_) => panic!("{name}: continued"),
        }
    }
    world.open(std::sync::Arc::new(Tampered::new(world.store()))).unwrap();
}

fn a_changed_tile_is_refused_though_nothing_is_signed(backing: Backing) {
    let world = World::new(backing, Setup::unsigned());
    world.append_new(300);
    world.recorder().seal_segment(&tenant("a"), SealReason::Manual).unwrap();
    let mut store = Tampered::new(world.store());
    store.tile = Box::new(|tile| tile[9] = TreeHash::from_bytes([1; 32]));
    let refused = world.open(std::sync::Arc::new(store)).err();
    assert!(matches!(refused, Some(OpenError::Corrupt(_))), "{refused:?}");
}

fn what_lies_before_the_depth_is_left_to_the_whole_read(backing: Backing) {
    let mut world = world_with_an_end(backing);
    for (depth, refused) in [(2, false), (3, true)] {
        world.setup.config.startup_verification_depth = depth;
        let mut store = Tampered::new(world.store());
        row(300, |it| it.fields.trace_id = Some("trace:forged".parse().unwrap()))(&mut store);
        assert_eq!(world.open(std::sync::Arc::new(store)).is_err(), refused, "depth {depth}");
    }
}

fn another_signer_is_refused(backing: Backing) {
    let world = world_with_an_end(backing);
    let signer = recorder_envelope::signing::SecretKey::from_seed(&[8; 32]).unwrap();
    let (clock, ids) = (world.clock.clone(), world.ids.clone());
    let config = world.setup.config.clone();
    let refused = recorder::Recorder::open(world.store(), config, clock, ids, Some(signer));
    assert!(matches!(refused.err(), Some(OpenError::SignerMismatch { .. })));
}

fn another_log_name_is_refused(backing: Backing) {
    let mut world = world_with_an_end(backing);
    world.setup.config.log_name = "another.log".parse().unwrap();
    let refused = world.open(world.store()).err().unwrap();
    let OpenError::OriginMismatch { expected, found } = refused else { panic!("{refused}") };
    assert_eq!(expected, "another.log/a/recorder:test");
    assert_eq!(found, "recorder.local/a/recorder:test");
}

fn streams_of_another_recorder_are_left_alone(backing: Backing) {
    let mut world = world_with_an_end(backing);
    world.setup.config.recorder_id = "recorder:second".parse().unwrap();
    world.reopen();
    assert_eq!(world.append_new(2)[0].position, 0);
    assert_eq!(world.store().streams().unwrap().len(), 2);
}
