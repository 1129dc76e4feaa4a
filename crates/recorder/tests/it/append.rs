//! Batches, replays, conflicts and attachments.

use recorder::{AppendError, Receipt, Submission};

use crate::harness::{Backing, Setup, World, attachment, over_both_stores, tenant};

over_both_stores!(
    a_batch_is_recorded_in_its_order,
    an_empty_batch_records_nothing,
    equal_content_is_a_replay_with_the_first_receipt,
    a_batch_of_old_and_new_keeps_its_order,
    other_content_under_a_known_id_is_a_conflict_that_names_its_place,
    an_id_twice_in_a_batch_is_refused,
    a_batch_over_the_bound_is_refused,
    attachments_come_once_and_serve_later_envelopes,
    an_attachment_that_nobody_brings_is_missing,
    an_attachment_that_nobody_refers_to_is_refused,
    events_that_verifiers_take_keys_from_are_refused,
    tenants_have_streams_of_their_own,
);

fn first(receipts: &[Receipt]) -> Vec<Receipt> {
    receipts.iter().map(|it| Receipt { replayed: false, ..it.clone() }).collect()
}

fn a_batch_is_recorded_in_its_order(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let drafts = world.drafts(5);
    let ids = drafts.iter().map(|it| it.prepared.fields().envelope_id).collect::<Vec<_>>();
    let receipts = world.append("a", drafts).unwrap();
    assert_eq!(receipts.iter().map(|it| it.envelope_id).collect::<Vec<_>>(), ids);
    assert_eq!(receipts.iter().map(|it| it.position).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(receipts.iter().all(|receipt| !receipt.replayed && receipt.durability == "process"));
}

fn an_empty_batch_records_nothing(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    assert_eq!(world.append("a", Vec::new()).unwrap(), []);
    assert_eq!(world.store().streams().unwrap(), []);
}

fn equal_content_is_a_replay_with_the_first_receipt(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    let draft = world.draft();
    let mut other_salt = draft.clone();
    other_salt.salt = [99; 16];
    let receipts = world.append("a", vec![draft.clone().into()]).unwrap();
    for again in [draft.clone(), other_salt.clone()] {
        let replay = world.append("a", vec![again.into()]).unwrap();
        assert!(replay[0].replayed);
        assert_eq!(first(&replay), receipts);
    }
    world.reopen();
    let replay = world.append("a", vec![other_salt.into()]).unwrap();
    assert_eq!(first(&replay), receipts);
    assert_eq!(world.envelopes("a").len(), 1);
}

fn a_batch_of_old_and_new_keeps_its_order(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let drafts = world.drafts(4);
    let old = world.append("a", vec![drafts[1].clone(), drafts[2].clone()]).unwrap();
    let receipts = world.append("a", drafts).unwrap();
    assert_eq!(
        receipts.iter().map(|it| (it.position, it.replayed)).collect::<Vec<_>>(),
        [(2, false), (0, true), (1, true), (3, false)]
    );
    assert_eq!(first(&receipts[1..3]), old);
}

fn other_content_under_a_known_id_is_a_conflict_that_names_its_place(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let draft = world.draft();
    let id = draft.fields.envelope_id;
    world.append("a", vec![draft.clone().into()]).unwrap();
    let mut other_actor = draft.clone();
    other_actor.fields.actor_id = "actor:other".parse().unwrap();
    for other in [draft.payload(r#"{"note":"another"}"#), other_actor] {
        let batch = vec![world.draft().into(), other.into(), world.draft().into()];
        let refused = world.append("a", batch).unwrap_err();
        assert!(
            matches!(refused, AppendError::EnvelopeConflict { index: 1, id: named } if named == id)
        );
    }
    assert_eq!(world.envelopes("a").len(), 1, "nothing of a refused batch is recorded");
    world.append_new(1);
}

fn an_id_twice_in_a_batch_is_refused(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let draft = Submission::from(world.draft());
    for _ in 0..2 {
        let batch = vec![draft.clone(), world.draft().into(), draft.clone()];
        let refused = world.append("a", batch).unwrap_err();
        assert!(matches!(refused, AppendError::RepeatedEnvelope { .. }), "{refused}");
        // The second time round, the id is in the stream as well.
        world.append("a", vec![draft.clone()]).unwrap();
    }
    assert_eq!(world.envelopes("a").len(), 1);
}

fn a_batch_over_the_bound_is_refused(backing: Backing) {
    let world = World::new(backing, Setup::unsigned());
    let refused = world.append("a", world.drafts(4097)).unwrap_err();
    assert!(matches!(refused, AppendError::BatchTooLarge { count: 4097, count_max: 4096 }));
}

fn attachments_come_once_and_serve_later_envelopes(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let batch = vec![
        world.draft().attach("one").into(),
        world.draft().attach("one").attach("two").into(),
        world.draft().attach("two").without_bytes().into(),
    ];
    world.append("a", batch).unwrap();
    let later = world.draft().attach("one").without_bytes();
    world.append("a", vec![later.into()]).unwrap();
    let again = world.draft().attach("two");
    world.append("a", vec![again.into()]).unwrap();
    for text in ["one", "two"] {
        let content_hash = attachment(text).reference().content_hash;
        let bytes = world.store().attachment(&content_hash).unwrap();
        assert_eq!(bytes.as_deref(), Some(text.as_bytes()));
    }
}

fn an_attachment_that_nobody_brings_is_missing(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let draft = world.draft().attach("gone").without_bytes();
    let batch = vec![world.draft().into(), draft.clone().into()];
    let refused = world.append("a", batch).unwrap_err();
    let id = draft.fields.envelope_id;
    assert!(
        matches!(refused, AppendError::AttachmentMissing { envelope_id, .. } if envelope_id == id)
    );
    world.append("a", vec![draft.attach("other").into()]).unwrap_err();
    world.append_new(1);
}

fn an_attachment_that_nobody_refers_to_is_refused(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let mut draft = world.draft();
    draft.attachments.push(attachment("stray"));
    let refused = world.append("a", vec![draft.into()]).unwrap_err();
    assert!(matches!(refused, AppendError::AttachmentUnreferenced { .. }), "{refused}");
}

fn events_that_verifiers_take_keys_from_are_refused(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    for reserved in ["system.adapter.key_rotated", "system.adapter.key_rotated_break_glass"] {
        let mut draft = world.draft();
        draft.fields.event_type = reserved.parse().unwrap();
        let batch = vec![world.draft().into(), draft.into()];
        let refused = world.append("a", batch).unwrap_err();
        assert!(
            matches!(&refused, AppendError::EventTypeReserved { index: 1, event_type }
                if event_type.as_str() == reserved),
            "{refused}"
        );
    }
    assert_eq!(world.store().streams().unwrap(), []);
    let mut near = world.draft();
    near.fields.event_type = "system.adapter.key_rotated.note".parse().unwrap();
    world.append("a", vec![near.into()]).unwrap();
}

fn tenants_have_streams_of_their_own(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    let same = Submission::from(world.draft());
    for name in ["a", "b", "a", "c"] {
        world.append(name, vec![same.clone()]).unwrap();
        world.append(name, world.drafts(2)).unwrap();
    }
    world.reopen();
    for (name, count) in [("a", 5), ("b", 3), ("c", 3)] {
        assert_eq!(world.envelopes(name).len(), count, "{name}");
        assert_eq!(world.recorder().checkpoint(&tenant(name)).unwrap().tree_size, count as u64);
    }
}

#[test]
fn a_log_beyond_the_first_tile_of_the_second_level_goes_on() {
    // 256² envelopes fill a tile of tiles in the middle of a batch: the order of tiles in one commit matters.
    let mut world = World::new(Backing::Memory, Setup::unsigned());
    for _ in 0..16 {
        world.recorder().append_batch(&tenant("a"), world.drafts(4090)).unwrap();
    }
    world.append_new(700);
    world.reopen();
    assert_eq!(world.append_new(1)[0].position, 16 * 4090 + 700);
    // Startup has read tiles and edge; the oracle would take longer than all other tests together.
    world.end_unchecked();
}
