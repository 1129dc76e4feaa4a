//! Random histories on both stores: they must accept, refuse and answer alike, and queries must equal a filter over
//! everything that was written.

use proptest::prelude::*;
use recorder_core::filter::{EnvelopeFilter, EventTypeMatch, Range};
use recorder_core::identity::EventTypePrefix;
use recorder_core::time::UtcTimestamp;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_store::{Commit, MemoryStore, Store};

use crate::conformance::found;
use crate::fixture::{Act, Author, Spec, attachment, envelope_id, segment_id};

const TYPES: [&str; 4] = ["tool.call", "tool.call-2", "tool", "otel.span"];
const ACTORS: [&str; 3] = ["agent", "tool.call", "café"];
const ENVIRONMENTS: [&str; 2] = ["test", "production"];
const TRACES: [&str; 3] = ["t1", "t2", "t\"3"];
const SESSIONS: [&str; 2] = ["s1", "s2"];

/// How a commit is spoilt before it is sent.
#[derive(Clone, Copy, Debug)]
enum Spoiler {
    None,
    StaleHead,
    KnownIds,
    NoAttachments,
    NoTiles,
    Reversed,
}

#[derive(Clone, Debug)]
struct Operation {
    tenant: usize,
    acts: Vec<Act>,
    spoiler: Spoiler,
}

prop_compose! {
    fn spec()(
        event_type in prop::sample::select(TYPES.to_vec()),
        actor in prop::sample::select(ACTORS.to_vec()),
        environment in prop::sample::select(ENVIRONMENTS.to_vec()),
        trace in prop::option::of(prop::sample::select(TRACES.to_vec())),
        session in prop::option::of(prop::sample::select(SESSIONS.to_vec())),
        claimed_seconds in 0_i64..5,
        attached in prop::option::weighted(0.1, "[ab]"),
    ) -> Spec {
        let attachments = attached.iter().map(|text| attachment(text)).collect();
        let payload = format!(r#"{{"n":{claimed_seconds}}}"#);
        Spec { event_type, actor, environment, trace, session, claimed_seconds, attachments, payload }
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Open),
        1 => Just(Act::Seal),
        1 => Just(Act::Checkpoint),
        5 => prop::collection::vec(spec(), 0..12).prop_map(Act::Append),
        1 => (spec(), 200_usize..300).prop_map(|(spec, count)| Act::Append(vec![spec; count])),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let spoiler = prop_oneof![
        6 => Just(Spoiler::None),
        1 => Just(Spoiler::StaleHead),
        1 => Just(Spoiler::KnownIds),
        1 => Just(Spoiler::NoAttachments),
        1 => Just(Spoiler::NoTiles),
        1 => Just(Spoiler::Reversed),
    ];
    let acts = prop_oneof![
        3 => prop::collection::vec(act(), 1..5),
        1 => Just(vec![Act::Seal, Act::Open]),
    ];
    (0_usize..2, acts, spoiler).prop_map(|(tenant, acts, spoiler)| Operation {
        tenant,
        acts,
        spoiler,
    })
}

/// Any subset, the empty one and none at all included.
fn list<T: Clone + std::fmt::Debug + Ord + 'static>(
    values: Vec<T>,
) -> impl Strategy<Value = Option<std::collections::BTreeSet<T>>> {
    let count = values.len();
    let subset = prop::sample::subsequence(values, 0..=count)
        .prop_map(|values| values.into_iter().collect());
    prop::option::weighted(0.25, subset)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn range<T: Ord + Copy + std::fmt::Debug>(
    value: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Option<Range<T>>> {
    prop::option::weighted(
        0.2,
        (prop::option::of(value.clone()), prop::option::of(value))
            .prop_filter_map("an empty range", |(from, to)| Range::new(from, to).ok()),
    )
}

fn event_types() -> Vec<EventTypeMatch> {
    let prefix = |text: &str| EventTypeMatch::Prefix(EventTypePrefix::new(text).unwrap());
    let equals = TYPES.map(|text| EventTypeMatch::Equals(text.parse().unwrap()));
    [prefix("tool."), prefix("tool"), prefix("o"), prefix("x")].into_iter().chain(equals).collect()
}

fn moment() -> impl Strategy<Value = UtcTimestamp> + Clone {
    // Around the claimed seconds, around the recorded ones, and where nanoseconds no longer reach.
    let seconds = prop_oneof![0_i64..6, 1_795_305_600_i64..1_795_305_700, Just(9_300_000_000_i64),];
    (seconds, 499_u32..502).prop_map(|(seconds, n)| UtcTimestamp::new(seconds, n).unwrap())
}

prop_compose! {
    fn filter()(
        event_types in list(event_types()),
        actor_ids in list(parsed(&ACTORS)),
        environment_ids in list(parsed(&ENVIRONMENTS)),
        trace_ids in list(parsed(&TRACES)),
        session_ids in list(parsed(&SESSIONS)),
        segment_ids in list((0..5).map(segment_id).collect()),
        envelope_ids in list((0..40).map(envelope_id).collect()),
        claimed_time in range(moment()),
        recorded_at in range(moment()),
        positions in range(0_u64..60),
    ) -> EnvelopeFilter {
        EnvelopeFilter {
            event_types, actor_ids, environment_ids, trace_ids, session_ids, segment_ids,
            envelope_ids, claimed_time, recorded_at, positions,
        }
    }
}

/// The filter's meaning, condition by condition, as its documentation says it.
fn selects(filter: &EnvelopeFilter, envelope: &SealedEnvelope) -> bool {
    fn any<T>(list: &Option<std::collections::BTreeSet<T>>, holds: impl Fn(&T) -> bool) -> bool {
        list.as_ref().is_none_or(|values| values.iter().any(holds))
    }
    let (fields, place) = (&envelope.fields, &envelope.place);
    let within = |range: &Option<Range<UtcTimestamp>>, value: UtcTimestamp| {
        range.is_none_or(|range| {
            range.from().is_none_or(|from| value >= from) && range.to().is_none_or(|to| value < to)
        })
    };
    any(&filter.event_types, |wanted| match wanted {
        EventTypeMatch::Equals(text) => *text == fields.event_type,
        EventTypeMatch::Prefix(text) => fields.event_type.as_str().starts_with(text.as_str()),
    }) && any(&filter.actor_ids, |id| *id == fields.actor_id)
        && any(&filter.environment_ids, |id| *id == fields.environment_id)
        && any(&filter.trace_ids, |id| Some(id) == fields.trace_id.as_ref())
        && any(&filter.session_ids, |id| Some(id) == fields.session_id.as_ref())
        && any(&filter.segment_ids, |id| *id == place.segment_id)
        && any(&filter.envelope_ids, |id| *id == fields.envelope_id)
        && within(&filter.claimed_time, fields.claimed_time)
        && within(&filter.recorded_at, place.recorded_at.into())
        && filter.positions.is_none_or(|range| range.contains(place.position))
}

/// Whether the author can do `acts` at all; what it cannot write down cannot be sent.
fn writable(author: &Author, acts: &[Act]) -> bool {
    let (mut open, mut count) = (author.is_open(), author.open_count());
    acts.iter().all(|act| match act {
        Act::Open => {
            count = 0;
            !std::mem::replace(&mut open, true)
        }
        Act::Append(specs) => {
            count += specs.len() as u64;
            open
        }
        Act::Seal => std::mem::replace(&mut open, false) && count > 0,
        Act::Checkpoint => true,
    })
}

fn spoil(mut commit: Commit, spoiler: Spoiler) -> Commit {
    match spoiler {
        Spoiler::None | Spoiler::KnownIds => {}
        Spoiler::StaleHead => commit.expected.next_position += 1,
        Spoiler::NoAttachments => commit.attachments.clear(),
        Spoiler::NoTiles => commit.tiles.clear(),
        Spoiler::Reversed => commit.steps.reverse(),
    }
    commit
}

/// Sends an operation to both stores, which must answer alike; the author keeps it only if they took it.
fn apply(stores: [&dyn Store; 2], author: &mut Author, operation: &Operation) {
    if !writable(author, &operation.acts) {
        return;
    }
    let mut next = author.clone();
    if matches!(operation.spoiler, Spoiler::KnownIds) {
        next.next_envelope = next.next_envelope.saturating_sub(3);
    }
    let commit = spoil(next.commit(&operation.acts), operation.spoiler);
    let answers = stores.map(|store| format!("{:?}", store.commit(commit.clone())));
    assert_eq!(answers[0], answers[1]);
    if answers[0] == "Ok(())" {
        *author = next;
    }
}

/// Every read of both stores, spelled out.
fn answers(store: &dyn Store, author: &Author) -> String {
    let stream = &author.stream;
    let tiles: Vec<_> = (0..4)
        .map(|index| recorder_envelope::merkle::TileCoordinates { level: 0, index })
        .map(|tile| store.tile(stream, tile).ok())
        .collect();
    let size = author.envelopes.len() as u64;
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{tiles:?}",
        store.streams(),
        store.head(stream),
        store.segments(stream, 0..100),
        store.segments(stream, 1..2),
        (0..5).map(|n| store.segment(stream, segment_id(n))).collect::<Vec<_>>(),
        (0..40).map(|n| store.envelope(stream, envelope_id(n))).collect::<Vec<_>>(),
        store.chain_hashes(stream, 0..size),
        ["a", "b"].map(|text| store.attachment(&attachment(text).reference().content_hash)),
        [0, 1, size].map(|size| store.checkpoint(stream, size)),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_answer_alike(
        operations in prop::collection::vec(operation(), 1..24),
        filters in prop::collection::vec(filter(), 16),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let (memory, sqlite) = (MemoryStore::new(), crate::sqlite::create(directory.path()));
        let stores: [&dyn Store; 2] = [&memory, &sqlite];
        let mut authors = [Author::new("a"), Author::new("b")];
        for author in &mut authors {
            let opening = author.commit(&[Act::Open]);
            memory.commit(opening.clone()).unwrap();
            sqlite.commit(opening).unwrap();
        }
        for operation in &operations {
            apply(stores, &mut authors[operation.tenant], operation);
        }
        for author in &authors {
            prop_assert_eq!(answers(&memory, author), answers(&sqlite, author));
            for filter in &filters {
                let expected: Vec<_> =
                    author.envelopes.iter().filter(|e| selects(filter, e)).cloned().collect();
                for store in stores {
                    prop_assert_eq!(&found(store, &author.stream, filter), &expected);
                }
            }
        }
        prop_assert_eq!(sqlite.check_medium().unwrap(), []);
    }
}
