//! Requests under idempotency keys: recorded once, answered again, told from other requests.

use recorder::{AppendError, Claim, Receipt, Request, Retention, Submission};
use recorder_core::hash::RequestHash;
use recorder_core::idempotency::IdempotencyKey;
use recorder_store::fault::Fault;

use crate::harness::{BEGINNING, Backing, SECOND, Setup, World, moment, over_both_stores, tenant};

over_both_stores!(
    a_retry_is_answered_with_the_receipts_of_the_first,
    another_request_under_the_key_is_a_conflict,
    a_key_belongs_to_its_stream,
    retries_in_one_round_share_one_commit,
    a_retry_finds_what_landed_unconfirmed,
    what_was_lost_leaves_no_key_behind,
    known_envelopes_under_a_new_key_are_remembered_under_it,
    a_refused_request_leaves_no_key_behind,
    a_key_is_forgotten_after_its_time,
);

fn claim(key: &str, request: u8) -> Option<Claim> {
    Some(Claim {
        key: IdempotencyKey::new(key).unwrap(),
        request_hash: RequestHash::from_bytes([request; 32]),
        retention: Retention { seconds: 60, count_max: 100 },
    })
}

fn request(name: &str, claim: Option<Claim>, submissions: Vec<Submission>) -> Request {
    Request { tenant_id: tenant(name), submissions, claim }
}

fn record(world: &World, request: Request) -> Result<Vec<Receipt>, AppendError> {
    world.recorder().append_requests(vec![request]).remove(0)
}

/// The receipts as they are of the first time.
fn first(receipts: Vec<Receipt>) -> Vec<Receipt> {
    assert!(receipts.iter().all(|receipt| receipt.replayed));
    receipts.into_iter().map(|receipt| Receipt { replayed: false, ..receipt }).collect()
}

fn a_retry_is_answered_with_the_receipts_of_the_first(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    world.append_new(2);
    let receipts = record(&world, request("a", claim("k", 1), world.drafts(3))).unwrap();
    world.append_new(1);
    // The retry has ids of its own: what it would record is not looked at.
    let again = record(&world, request("a", claim("k", 1), world.drafts(3))).unwrap();
    assert_eq!(first(again), receipts);
    world.reopen();
    let again = record(&world, request("a", claim("k", 1), world.drafts(3))).unwrap();
    assert_eq!(first(again), receipts);
    assert_eq!(world.envelopes("a").len(), 2 + 3 + 1);
}

fn another_request_under_the_key_is_a_conflict(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let draft = world.draft();
    record(&world, request("a", claim("k", 1), vec![draft.clone().into()])).unwrap();
    for other in [vec![draft.payload("{}").into()], world.drafts(1)] {
        let refused = record(&world, request("a", claim("k", 2), other)).unwrap_err();
        assert!(matches!(refused, AppendError::IdempotencyConflict { .. }), "{refused}");
    }
    assert_eq!(world.envelopes("a").len(), 1);
}

fn a_key_belongs_to_its_stream(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    for name in ["a", "b"] {
        let receipts = record(&world, request(name, claim("k", 1), world.drafts(1))).unwrap();
        assert!(!receipts[0].replayed);
    }
}

fn retries_in_one_round_share_one_commit(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let mut requests: Vec<_> =
        (0..8).map(|_| request("a", claim("k", 1), world.drafts(2))).collect();
    requests.insert(3, request("a", claim("k", 2), world.drafts(1)));
    requests.push(request("a", claim("l", 1), world.drafts(1)));
    requests.push(request("a", None, world.drafts(1)));
    let mut answers = world.recorder().append_requests(requests);
    assert!(answers.drain(9..).all(|answer| answer.is_ok_and(|it| !it[0].replayed)));
    let other = answers.remove(3).unwrap_err();
    assert!(matches!(other, AppendError::IdempotencyConflict { .. }), "{other}");
    let mut answers = answers.into_iter().map(Result::unwrap);
    let receipts = answers.next().unwrap();
    assert!(receipts.iter().all(|receipt| !receipt.replayed));
    assert!(answers.all(|again| first(again) == receipts));
    assert_eq!(world.envelopes("a").len(), 2 + 1 + 1);
}

fn a_retry_finds_what_landed_unconfirmed(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    world.fail_next_commit(Fault::Landed);
    let failed = record(&world, request("a", claim("k", 1), world.drafts(2))).unwrap_err();
    assert!(matches!(failed, AppendError::OutcomeUnknown(_)), "{failed}");
    world.reopen();
    let again = record(&world, request("a", claim("k", 1), world.drafts(2))).unwrap();
    assert!(again.iter().all(|receipt| receipt.replayed));
    assert_eq!(world.envelopes("a").len(), 2);
}

fn what_was_lost_leaves_no_key_behind(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    world.fail_next_commit(Fault::Lost);
    record(&world, request("a", claim("k", 1), world.drafts(2))).unwrap_err();
    world.reopen();
    let receipts = record(&world, request("a", claim("k", 2), world.drafts(1))).unwrap();
    assert!(!receipts[0].replayed);
}

fn known_envelopes_under_a_new_key_are_remembered_under_it(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let (known, fresh) = (world.draft(), world.draft());
    let receipts = world.append("a", vec![known.clone().into()]).unwrap();
    let all = || vec![fresh.clone().into(), known.clone().into()];
    let mixed = record(&world, request("a", claim("mixed", 1), all())).unwrap();
    assert_eq!([mixed[0].replayed, mixed[1].replayed], [false, true]);
    let again = record(&world, request("a", claim("mixed", 1), world.drafts(1))).unwrap();
    let places = |receipts: &[Receipt]| receipts.iter().map(|it| it.position).collect::<Vec<_>>();
    assert_eq!(places(&again), places(&mixed));
    // Nothing is new: the key alone is kept.
    let replayed = record(&world, request("a", claim("known", 1), vec![known.into()])).unwrap();
    assert_eq!(first(replayed), receipts);
    let refused = record(&world, request("a", claim("known", 2), world.drafts(1))).unwrap_err();
    assert!(matches!(refused, AppendError::IdempotencyConflict { .. }), "{refused}");
    assert_eq!(world.envelopes("a").len(), 2);
}

fn a_refused_request_leaves_no_key_behind(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let known = world.draft();
    world.append("a", vec![known.clone().into()]).unwrap();
    let conflicting = vec![known.payload("{}").into()];
    let refused = record(&world, request("a", claim("k", 1), conflicting)).unwrap_err();
    assert!(matches!(refused, AppendError::EnvelopeConflict { .. }), "{refused}");
    assert!(!record(&world, request("a", claim("k", 2), world.drafts(1))).unwrap()[0].replayed);
}

fn a_key_is_forgotten_after_its_time(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    record(&world, request("a", claim("k", 1), world.drafts(1))).unwrap();
    world.clock.set(moment(BEGINNING + 59 * SECOND));
    let refused = record(&world, request("a", claim("k", 2), world.drafts(1))).unwrap_err();
    assert!(matches!(refused, AppendError::IdempotencyConflict { .. }), "{refused}");
    world.clock.set(moment(BEGINNING + 61 * SECOND));
    let receipts = record(&world, request("a", claim("k", 2), world.drafts(1))).unwrap();
    assert!(!receipts[0].replayed);
}
