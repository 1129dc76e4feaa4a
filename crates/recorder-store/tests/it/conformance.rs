//! What every store promises, asked of each of them.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{AttachmentHash, ChainHash, GenesisHash, SealHash};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::StreamId;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::TileCoordinates;
use recorder_envelope::segment::{SegmentGenesis, SegmentSeal, SigningPromise};
use recorder_envelope::signing::SecretKey;
use recorder_store::{ClaimRecord, CommitError, MemoryStore, ReadError, Step, Store};

use crate::fixture::{
    Act, Author, Spec, append, attachment, claim, claims, envelope_id, segment_id, stream,
};

type Open<'a> = &'a dyn Fn() -> Box<dyn Store>;

macro_rules! suite {
    ($($behaviour:ident,)*) => {
        mod memory {
            $(#[test]
            fn $behaviour() {
                super::$behaviour(&|| Box::new(super::MemoryStore::new()));
            })*
        }

        mod sqlite {
            $(#[test]
            fn $behaviour() {
                let directory = tempfile::tempdir().unwrap();
                super::$behaviour(&|| Box::new(crate::sqlite::create(directory.path())));
            })*
        }
    };
}

suite! {
    a_stream_never_written_is_absent,
    what_was_committed_is_read_back,
    a_sealed_segment_stays_and_the_next_continues_it,
    a_commit_lands_whole_or_not_at_all,
    a_stale_head_is_refused,
    a_refused_batch_is_the_callers_alone_again,
    a_genesis_must_follow_from_the_stream,
    a_seal_must_sum_up_its_segment,
    promised_signatures_must_be_there,
    known_and_repeated_envelopes_are_named,
    one_tenant_cannot_take_the_ids_of_another,
    steps_that_do_not_follow_are_refused,
    attachments_are_stored_once_and_never_missing,
    tiles_come_with_the_commit_that_fills_them,
    the_oldest_checkpoint_that_is_large_enough_is_found,
    a_scan_is_in_order_and_stops_when_told,
    large_payloads_come_whole_and_in_order,
    readers_see_whole_commits_only,
    a_visitor_may_use_the_store,
    an_explicit_empty_list_matches_nothing,
    a_request_is_remembered_with_the_envelopes_that_answer_it,
    a_key_is_taken_until_it_may_be_forgotten,
    the_oldest_requests_are_forgotten_first,
    a_request_that_names_what_is_not_there_is_refused,
}

/// All envelopes of `stream` that match `filter`.
pub(crate) fn found(
    store: &dyn Store,
    stream: &StreamId,
    filter: &EnvelopeFilter,
) -> Vec<SealedEnvelope> {
    let mut found = Vec::new();
    let mut visit = |envelope| {
        found.push(envelope);
        ControlFlow::Continue(())
    };
    store.scan(stream, filter, 0..u64::MAX, &mut visit).unwrap();
    found
}

fn all(store: &dyn Store, stream: &StreamId) -> Vec<SealedEnvelope> {
    found(store, stream, &EnvelopeFilter::default())
}

fn a_stream_never_written_is_absent(open: Open<'_>) {
    let (store, name) = (open(), stream("nobody"));
    assert_eq!(store.streams().unwrap(), []);
    assert_eq!(store.head(&name).unwrap(), None);
    assert_eq!(store.segments(&name, 0..10).unwrap(), []);
    assert_eq!(store.segment(&name, segment_id(0)).unwrap(), None);
    assert_eq!(store.envelope(&name, envelope_id(0)).unwrap(), None);
    assert_eq!(all(&*store, &name), []);
    assert_eq!(store.chain_hashes(&name, 0..0).unwrap(), []);
    assert!(matches!(store.chain_hashes(&name, 0..1), Err(ReadError::Corrupt(_))));
    assert_eq!(store.checkpoint(&name, 0).unwrap(), None);
    assert_eq!(store.check_medium().unwrap(), []);
}

fn what_was_committed_is_read_back(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open])).unwrap();
    let empty = store.head(&author.stream).unwrap().unwrap();
    assert_eq!(empty.expected(), author.expected());
    assert_eq!(empty.open_segment.unwrap().envelope_count, 0);
    let rich = Spec {
        trace: Some("trace"),
        session: Some("séance"),
        claimed_seconds: 7,
        attachments: vec![attachment("x"), attachment("y")],
        payload: r#"{"text":"ünïcode \u0000 \" "}"#.to_owned(),
        ..Spec::default()
    };
    store.commit(author.commit(&[Act::Append(vec![rich, Spec::default()]), append(3)])).unwrap();
    assert_eq!(all(&*store, &author.stream), author.envelopes);
    let head = store.head(&author.stream).unwrap().unwrap();
    assert_eq!(head.expected(), author.expected());
    assert_eq!(head.last_recorded_at, Some(author.envelopes[4].place.recorded_at));
    let open_segment = head.open_segment.unwrap();
    assert_eq!(open_segment.envelope_count, 5);
    assert_eq!(open_segment.first_envelope_id, Some(envelope_id(0)));
    assert_eq!(open_segment.last_envelope_id, Some(envelope_id(4)));
    for envelope in &author.envelopes {
        let id = envelope.fields.envelope_id;
        assert_eq!(store.envelope(&author.stream, id).unwrap().as_ref(), Some(envelope));
    }
    let hashes: Vec<_> = author.envelopes[1..4].iter().map(|e| e.chain_hash).collect();
    assert_eq!(store.chain_hashes(&author.stream, 1..4).unwrap(), hashes);
    assert!(matches!(store.chain_hashes(&author.stream, 1..6), Err(ReadError::Corrupt(_))));
    assert_eq!(store.streams().unwrap(), [author.stream]);
    assert_eq!(store.check_medium().unwrap(), []);
}

fn a_sealed_segment_stays_and_the_next_continues_it(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(2), Act::Seal])).unwrap();
    let sealed = store.head(&author.stream).unwrap().unwrap();
    assert_eq!(sealed.open_segment, None);
    let first = sealed.last_sealed.clone().unwrap();
    assert_eq!(first.envelope_count, 2);
    store.commit(author.commit(&[Act::Open, append(1), Act::Seal, Act::Open])).unwrap();
    let head = store.head(&author.stream).unwrap().unwrap();
    assert_eq!((head.segment_count, head.next_position), (3, 3));
    let segments = store.segments(&author.stream, 0..10).unwrap();
    let indexes: Vec<_> = segments.iter().map(|segment| segment.genesis.segment_index).collect();
    assert_eq!(indexes, [0, 1, 2]);
    assert_eq!(segments[0], first);
    assert_eq!(segments[1], head.last_sealed.unwrap());
    assert_eq!((segments[2].envelope_count, segments[2].chain_head), (0, None));
    assert_eq!(store.segments(&author.stream, 1..2).unwrap(), [segments[1].clone()]);
    assert_eq!(store.segment(&author.stream, segment_id(1)).unwrap(), Some(segments[1].clone()));
    assert_eq!(store.segment(&author.stream, segment_id(9)).unwrap(), None);
}

fn a_commit_lands_whole_or_not_at_all(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(2)])).unwrap();
    let before = store.head(&author.stream).unwrap();
    let mut broken = author.clone().commit(&[append(2), Act::Seal]);
    let Step::Seal(seal) = &mut broken.steps[1] else { unreachable!() };
    seal.seal.envelope_count += 1;
    assert!(matches!(store.commit(broken), Err(CommitError::Discontinuity { .. })));
    // The second of two new envelopes is known: the first must not stay behind, nor the texts and bytes with it.
    let mut known = author.clone();
    let fresh = Spec { actor: "newcomer", attachments: vec![attachment("z")], ..Spec::default() };
    known.next_envelope = 1;
    let mut commit = known.commit(&[Act::Append(vec![fresh.clone(), Spec::default()])]);
    let bytes = attachment("z").reference().content_hash;
    assert!(matches!(store.commit(commit.clone()), Err(CommitError::EnvelopesExist { .. })));
    assert_eq!(store.head(&author.stream).unwrap(), before);
    assert_eq!(all(&*store, &author.stream), author.envelopes);
    assert_eq!(store.attachment(&bytes).unwrap(), None);
    commit = author.commit(&[Act::Append(vec![fresh])]);
    store.commit(commit).unwrap();
    assert_eq!(all(&*store, &author.stream), author.envelopes);
    assert_eq!(store.check_medium().unwrap(), []);
}

fn a_stale_head_is_refused(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    let mut rival = author.clone();
    store.commit(author.commit(&[Act::Open, append(1)])).unwrap();
    let refused = store.commit(rival.commit(&[Act::Open, append(1)])).unwrap_err();
    assert!(matches!(refused, CommitError::HeadMoved { expected: 0, found: 1 }), "{refused}");
    let mut forked = author.clone().commit(&[append(1)]);
    forked.expected.chain_head = Some(ChainHash::from_bytes([7; 32]));
    assert!(matches!(store.commit(forked), Err(CommitError::HeadMoved { .. })));
    let mut closed = author.clone().commit(&[append(1)]);
    closed.expected.open_segment = None;
    assert!(matches!(store.commit(closed), Err(CommitError::HeadMoved { .. })));
    store.commit(author.commit(&[append(1)])).unwrap();
}

fn a_refused_batch_is_the_callers_alone_again(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    for expected_error in [false, true] {
        let mut commit = author.clone().commit(&[Act::Open, append(3)]);
        if expected_error {
            commit.expected.next_position = 9;
        }
        let Step::Append(envelopes) = &commit.steps[1] else { unreachable!() };
        let mut envelopes = Arc::clone(envelopes);
        assert_eq!(store.commit(commit).is_err(), expected_error);
        assert!(Arc::get_mut(&mut envelopes).is_some());
    }
    author.commit(&[Act::Open, append(3)]);
    assert_eq!(all(&*store, &author.stream), author.envelopes);
}

/// Commits `acts` with their last step changed, which must be refused, and then unchanged.
fn check_discontinuities<T>(
    open: Open<'_>,
    acts: &[Act],
    part: impl Fn(&mut Step) -> &mut T,
    changes: &[fn(&mut T)],
) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(2), Act::Seal])).unwrap();
    let commit = author.commit(acts);
    for (case, change) in changes.iter().enumerate() {
        let mut changed = commit.clone();
        change(part(changed.steps.last_mut().unwrap()));
        let refused = store.commit(changed);
        assert!(
            matches!(refused, Err(CommitError::Discontinuity { .. })),
            "case {case}: {refused:?}"
        );
    }
    store.commit(commit).unwrap();
}

fn a_genesis_must_follow_from_the_stream(open: Open<'_>) {
    check_discontinuities::<SegmentGenesis>(
        open,
        &[Act::Open],
        |step| match step {
            Step::Open(genesis) => genesis,
            _ => unreachable!(),
        },
        &[
            |genesis| genesis.stream = stream("b"),
            |genesis| genesis.segment_index += 1,
            |genesis| genesis.segment_index = 0,
            |genesis| genesis.first_position += 1,
            |genesis| genesis.predecessor = None,
            |genesis| genesis.predecessor.as_mut().unwrap().segment_id = segment_id(7),
            |genesis| {
                genesis.predecessor.as_mut().unwrap().chain_head = ChainHash::from_bytes([7; 32]);
            },
            |genesis| {
                genesis.predecessor.as_mut().unwrap().seal_hash = SealHash::from_bytes([7; 32]);
            },
        ],
    );
}

fn a_seal_must_sum_up_its_segment(open: Open<'_>) {
    check_discontinuities::<SegmentSeal>(
        open,
        &[Act::Open, append(3), Act::Seal],
        |step| match step {
            Step::Seal(signed) => &mut signed.seal,
            _ => unreachable!(),
        },
        &[
            |seal| seal.genesis_hash = GenesisHash::from_bytes([7; 32]),
            |seal| seal.envelope_count -= 1,
            |seal| seal.chain_head = ChainHash::from_bytes([7; 32]),
            |seal| seal.first_envelope_id = envelope_id(0),
            |seal| seal.last_envelope_id = envelope_id(3),
            |seal| seal.tree_size = 3,
        ],
    );
}

fn promised_signatures_must_be_there(open: Open<'_>) {
    let store = open();
    let key = SecretKey::from_seed(&[7; 32]).unwrap();
    let mut author = Author::signing("a", SigningPromise::Envelopes, key);
    store.commit(author.commit(&[Act::Open])).unwrap();
    let commit = author.commit(&[append(2), Act::Seal]);
    let mut stripped = commit.clone();
    let Step::Append(envelopes) = &mut stripped.steps[0] else { unreachable!() };
    Arc::make_mut(envelopes)[1].signature = None;
    assert!(matches!(store.commit(stripped), Err(CommitError::Discontinuity { .. })));
    let mut stripped = commit.clone();
    let Step::Seal(seal) = &mut stripped.steps[1] else { unreachable!() };
    seal.signature = None;
    assert!(matches!(store.commit(stripped), Err(CommitError::Discontinuity { .. })));
    store.commit(commit).unwrap();
    assert_eq!(all(&*store, &author.stream), author.envelopes);
    let mut weaker = author.clone();
    weaker.signing = SigningPromise::Checkpoints;
    let refused = store.commit(weaker.commit(&[Act::Open]));
    assert!(matches!(refused, Err(CommitError::Discontinuity { .. })));
    store.commit(author.commit(&[Act::Open])).unwrap();
}

fn known_and_repeated_envelopes_are_named(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(3)])).unwrap();
    let mut again = author.clone();
    again.next_envelope = 1;
    let refused = store.commit(again.commit(&[append(3)])).unwrap_err();
    let CommitError::EnvelopesExist { ids } = refused else { panic!("{refused}") };
    assert_eq!(ids, [envelope_id(1), envelope_id(2)]);
    let mut twice = author.clone();
    let mut commit = twice.commit(&[append(1)]);
    twice.next_envelope -= 1;
    commit.steps.extend(twice.commit(&[append(1)]).steps);
    let refused = store.commit(commit).unwrap_err();
    let CommitError::RepeatedEnvelope { id } = refused else { panic!("{refused}") };
    assert_eq!(id, envelope_id(3));
    store.commit(author.commit(&[append(1)])).unwrap();
}

fn one_tenant_cannot_take_the_ids_of_another(open: Open<'_>) {
    let store = open();
    let (mut one, mut other) = (Author::new("b"), Author::new("a"));
    store.commit(one.commit(&[Act::Open, append(2)])).unwrap();
    store.commit(other.commit(&[Act::Open, append(2), Act::Seal])).unwrap();
    store.commit(one.commit(&[append(1)])).unwrap();
    assert_eq!(all(&*store, &one.stream), one.envelopes);
    assert_eq!(all(&*store, &other.stream), other.envelopes);
    assert_eq!(store.streams().unwrap(), [other.stream, one.stream]);
    assert_eq!(store.check_medium().unwrap(), []);
}

fn steps_that_do_not_follow_are_refused(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    let mut nothing = author.clone().commit(&[Act::Open]);
    nothing.steps.clear();
    assert!(matches!(store.commit(nothing), Err(CommitError::Discontinuity { .. })));
    assert_eq!(store.streams().unwrap(), []);
    store.commit(author.commit(&[Act::Open, append(1), Act::Seal, Act::Open])).unwrap();
    let mut reopened = author.clone();
    let refused = store.commit(reopened.commit(&[Act::Open])).unwrap_err();
    assert!(matches!(refused, CommitError::SegmentOpen { .. }), "{refused}");
    let mut late = author.clone();
    let mut commit = late.commit(&[append(1), Act::Seal]);
    commit.steps.push(Step::Append(vec![author.envelopes[0].clone()].into()));
    assert!(matches!(store.commit(commit), Err(CommitError::SegmentNotOpen { .. })));
    let mut unlinked = author.clone().commit(&[append(2)]);
    let Step::Append(envelopes) = &mut unlinked.steps[0] else { unreachable!() };
    Arc::make_mut(envelopes).swap(0, 1);
    assert!(matches!(store.commit(unlinked), Err(CommitError::Discontinuity { .. })));
    let mut known = author.clone();
    known.next_segment = 0;
    let refused = store.commit(known.commit(&[append(1), Act::Seal, Act::Open])).unwrap_err();
    assert!(matches!(refused, CommitError::SegmentExists { .. }), "{refused}");
    store.commit(author.commit(&[append(1)])).unwrap();
    assert_eq!(all(&*store, &author.stream), author.envelopes);
}

fn attachments_are_stored_once_and_never_missing(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    let with = Spec { attachments: vec![attachment("one")], ..Spec::default() };
    let hash = attachment("one").reference().content_hash;
    let mut without = author.clone().commit(&[Act::Open, Act::Append(vec![with.clone()])]);
    without.attachments.clear();
    let refused = store.commit(without).unwrap_err();
    let CommitError::AttachmentMissing { envelope_id: id, content_hash } = refused else {
        panic!("{refused}")
    };
    assert_eq!((id, content_hash), (envelope_id(0), hash));
    assert_eq!(store.attachment(&hash).unwrap(), None);
    let twice = Act::Append(vec![with.clone(), with.clone()]);
    store.commit(author.commit(&[Act::Open, twice])).unwrap();
    // Bytes that are stored need not come again, but may.
    let mut later = author.commit(&[Act::Append(vec![with.clone()])]);
    later.attachments.clear();
    store.commit(later).unwrap();
    store.commit(author.commit(&[Act::Append(vec![with])])).unwrap();
    assert_eq!(store.attachment(&hash).unwrap().as_deref(), Some(b"one".as_slice()));
    assert_eq!(store.attachment(&AttachmentHash::from_bytes([0; 32])).unwrap(), None);
    assert_eq!(store.check_medium().unwrap(), []);
}

fn tiles_come_with_the_commit_that_fills_them(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(255)])).unwrap();
    let first = TileCoordinates { level: 0, index: 0 };
    assert!(matches!(store.tile(&author.stream, first), Err(ReadError::Corrupt(_))));
    let mut without = author.clone().commit(&[append(1)]);
    without.tiles.clear();
    assert!(matches!(store.commit(without), Err(CommitError::Discontinuity { .. })));
    let mut narrow = author.clone().commit(&[append(1)]);
    narrow.tiles[0].hashes.pop();
    assert!(matches!(store.commit(narrow), Err(CommitError::Discontinuity { .. })));
    let commit = author.commit(&[append(300)]);
    let tiles = commit.tiles.clone();
    assert_eq!(tiles.len(), 2);
    store.commit(commit).unwrap();
    for tile in tiles {
        assert_eq!(store.tile(&author.stream, tile.coordinates).unwrap(), tile.hashes);
    }
    assert_eq!(store.check_medium().unwrap(), []);
}

fn the_oldest_checkpoint_that_is_large_enough_is_found(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(2), Act::Checkpoint])).unwrap();
    store.commit(author.commit(&[append(3)])).unwrap();
    let mut cosigned = author.commit(&[Act::Checkpoint]);
    store.commit(cosigned.clone()).unwrap();
    let Step::Checkpoint(checkpoint) = &mut cosigned.steps[0] else { unreachable!() };
    checkpoint.note.push_str("cosigned\n");
    let expected = checkpoint.clone();
    store.commit(cosigned.clone()).unwrap();
    for tree_size_min in 3..=5 {
        let found = store.checkpoint(&author.stream, tree_size_min).unwrap();
        assert_eq!(found, Some(expected.clone()), "at least {tree_size_min}");
    }
    for tree_size_min in 0..=2 {
        let found = store.checkpoint(&author.stream, tree_size_min).unwrap().unwrap();
        assert_eq!(found.tree_size, 2, "at least {tree_size_min}");
    }
    assert_eq!(store.checkpoint(&author.stream, 6).unwrap(), None);
    assert_eq!(store.head(&author.stream).unwrap().unwrap().checkpoint, Some(expected));
    for tree_size in [4, 6] {
        let mut wrong = cosigned.clone();
        let Step::Checkpoint(checkpoint) = &mut wrong.steps[0] else { unreachable!() };
        checkpoint.tree_size = tree_size;
        assert!(matches!(store.commit(wrong), Err(CommitError::Discontinuity { .. })));
    }
    let Step::Checkpoint(checkpoint) = &mut cosigned.steps[0] else { unreachable!() };
    checkpoint.root_hash = recorder_envelope::merkle::EMPTY_ROOT;
    assert!(matches!(store.commit(cosigned), Err(CommitError::Discontinuity { .. })));
}

fn a_scan_is_in_order_and_stops_when_told(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    // Two pages and a rest of the SQLite store.
    store.commit(author.commit(&[Act::Open, append(600), Act::Seal, Act::Open])).unwrap();
    store.commit(author.commit(&[append(500)])).unwrap();
    assert_eq!(all(&*store, &author.stream), author.envelopes);
    let mut seen = Vec::new();
    let everything = EnvelopeFilter::default();
    let mut visit = |envelope: SealedEnvelope| {
        seen.push(envelope.place.position);
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.scan(&author.stream, &everything, 511..1000, &mut visit).unwrap();
    assert_eq!(seen, [511, 512, 513]);
    let mut none = |_| panic!("nothing lies there");
    store.scan(&author.stream, &everything, 1100..2000, &mut none).unwrap();
    let backwards = std::ops::Range { start: 5, end: 2 };
    store.scan(&author.stream, &everything, backwards, &mut none).unwrap();
}

fn large_payloads_come_whole_and_in_order(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    // Three of these are more than one page of the SQLite store holds.
    let payload = format!(r#"{{"text":"{}"}}"#, "x".repeat(2 << 20));
    let large = Act::Append(vec![Spec { payload, ..Spec::default() }; 5]);
    store.commit(author.commit(&[Act::Open, append(1), large, append(1)])).unwrap();
    assert!(all(&*store, &author.stream) == author.envelopes);
}

fn readers_see_whole_commits_only(open: Open<'_>) {
    const BATCH: u64 = 7;
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open])).unwrap();
    let name = author.stream.clone();
    let (store, done) = (&*store, &AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..40 {
                store.commit(author.commit(&[append(BATCH as usize)])).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        let mut last = false;
        while !last {
            last = done.load(Ordering::Acquire);
            let head = store.head(&name).unwrap().unwrap();
            assert_eq!(head.next_position % BATCH, 0);
            assert_eq!(head.open_segment.unwrap().envelope_count, head.next_position);
            let scanned = all(store, &name).len() as u64;
            assert_eq!(scanned % BATCH, 0);
            assert!(scanned >= head.next_position);
        }
    });
    assert_eq!(all(store, &name).len() as u64, 40 * BATCH);
}

fn a_visitor_may_use_the_store(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(2)])).unwrap();
    let stream = author.stream.clone();
    let mut seen = 0;
    let mut visit = |envelope: SealedEnvelope| {
        seen += 1;
        let id = envelope.fields.envelope_id;
        assert_eq!(store.envelope(&stream, id).unwrap(), Some(envelope));
        store.commit(author.commit(&[append(1)])).unwrap();
        ControlFlow::Continue(())
    };
    store.scan(&stream, &EnvelopeFilter::default(), 0..u64::MAX, &mut visit).unwrap();
    // A scan ends where the stream ended when it began.
    assert_eq!(seen, 2);
    assert_eq!(all(&*store, &stream).len(), 4);
}

fn an_explicit_empty_list_matches_nothing(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    let spec = Spec { trace: Some("t"), session: Some("s"), ..Spec::default() };
    store.commit(author.commit(&[Act::Open, Act::Append(vec![spec])])).unwrap();
    let filters = [
        EnvelopeFilter { event_types: Some([].into()), ..Default::default() },
        EnvelopeFilter { actor_ids: Some([].into()), ..Default::default() },
        EnvelopeFilter { environment_ids: Some([].into()), ..Default::default() },
        EnvelopeFilter { trace_ids: Some([].into()), ..Default::default() },
        EnvelopeFilter { session_ids: Some([].into()), ..Default::default() },
        EnvelopeFilter { segment_ids: Some([].into()), ..Default::default() },
        EnvelopeFilter { envelope_ids: Some([].into()), ..Default::default() },
    ];
    for filter in filters {
        assert_eq!(found(&*store, &author.stream, &filter), [], "{filter:?}");
    }
}

fn remembered(store: &dyn Store, author: &Author, key: &str) -> Option<ClaimRecord> {
    store.claim(&author.stream, &IdempotencyKey::new(key).unwrap()).unwrap()
}

/// A stream with three envelopes, in a store of its own.
fn three_envelopes(open: Open<'_>) -> (Box<dyn Store>, Author) {
    let (store, mut author) = (open(), Author::new("a"));
    store.commit(author.commit(&[Act::Open, append(3)])).unwrap();
    (store, author)
}

fn a_request_is_remembered_with_the_envelopes_that_answer_it(open: Open<'_>) {
    let (store, mut author) = (open(), Author::new("a"));
    let mut commit = author.commit(&[Act::Open, append(3)]);
    let record = claim("k", 1, &[2, 0, 1]);
    commit.claims = Some(claims(vec![record.clone()], 0));
    store.commit(commit).unwrap();
    assert_eq!(remembered(&*store, &author, "k"), Some(record));
    assert_eq!(remembered(&*store, &author, "other"), None);
    assert_eq!(remembered(&*store, &Author::new("b"), "k"), None, "of another stream");
    assert!(store.check_medium().unwrap().is_empty());
}

fn a_key_is_taken_until_it_may_be_forgotten(open: Open<'_>) {
    let (store, mut author) = three_envelopes(open);
    store.commit(author.remember(vec![claim("k", 10, &[0]), claim("l", 10, &[1])], 0)).unwrap();
    let mut again = author.clone().commit(&[append(1)]);
    again.claims = Some(claims(vec![claim("m", 20, &[3]), claim("k", 20, &[3])], 10));
    let refused = store.commit(again.clone()).unwrap_err();
    let CommitError::KeysTaken { keys } = refused else { panic!("{refused}") };
    assert_eq!(keys, [IdempotencyKey::new("k").unwrap()]);
    assert_eq!(remembered(&*store, &author, "m"), None, "nothing of a refused commit is there");
    assert_eq!(all(&*store, &author.stream).len(), 3);
    // One second later the first use is too old to count.
    again.claims = Some(claims(vec![claim("k", 21, &[3])], 11));
    store.commit(again).unwrap();
    author.commit(&[append(1)]);
    assert_eq!(remembered(&*store, &author, "k"), Some(claim("k", 21, &[3])));
    assert_eq!(remembered(&*store, &author, "l"), None, "what is too old is forgotten on the way");
    assert!(store.check_medium().unwrap().is_empty());
}

fn the_oldest_requests_are_forgotten_first(open: Open<'_>) {
    let (store, author) = three_envelopes(open);
    for number in 0..10 {
        let record = claim(&format!("k{number}"), number, &[0]);
        store.commit(author.remember(vec![record], 0)).unwrap();
    }
    let kept: Vec<_> = (0..10)
        .filter(|number| remembered(&*store, &author, &format!("k{number}")).is_some())
        .collect();
    assert_eq!(kept, [6, 7, 8, 9]);
    assert!(store.check_medium().unwrap().is_empty());
}

fn a_request_that_names_what_is_not_there_is_refused(open: Open<'_>) {
    let (store, author) = three_envelopes(open);
    for records in [
        vec![claim("k", 1, &[3])],
        vec![claim("k", 1, &[])],
        vec![claim("k", 1, &[0]), claim("k", 1, &[1])],
        vec![],
    ] {
        let refused = store.commit(author.remember(records, 0)).unwrap_err();
        assert!(matches!(refused, CommitError::Discontinuity { .. }), "{refused}");
    }
    assert_eq!(remembered(&*store, &author, "k"), None);
}
