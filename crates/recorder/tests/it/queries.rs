//! Pages equal a filter over the whole read, and stay what they are while envelopes are added.

use std::collections::BTreeSet;

use proptest::prelude::*;
use recorder::query::{QueryError, page};
use recorder_core::filter::{Cursor, EnvelopeFilter, EventTypeMatch, FilterError, PageSize, Range};
use recorder_core::identity::{EnvelopeId, EventTypePrefix};
use recorder_envelope::envelope::SealedEnvelope;

use crate::harness::{BEGINNING, Backing, SECOND, Setup, World, moment, over_both_stores};

over_both_stores!(
    pages_follow_one_another_without_gap_or_repeat,
    a_page_stays_what_it_is_while_envelopes_are_added,
    a_cursor_serves_its_own_query_only,
    pages_equal_the_filter_over_the_whole_read,
);

fn ids(envelopes: &[SealedEnvelope]) -> Vec<EnvelopeId> {
    envelopes.iter().map(|it| it.fields.envelope_id).collect()
}

fn all_pages(world: &World, filter: &EnvelopeFilter, size: usize) -> Vec<EnvelopeId> {
    let (store, stream) = (world.store(), world.stream("a"));
    let size = PageSize::new(size).unwrap();
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = page(&*store, &stream, filter, cursor.as_ref(), size).unwrap();
        assert!(page.envelopes.len() <= size.value());
        assert!(page.next_cursor.is_none() || page.envelopes.len() == size.value());
        found.extend(ids(&page.envelopes));
        match page.next_cursor {
            // As a client would send it back.
            Some(next) => cursor = Some(Cursor::parse(&next.to_string()).unwrap()),
            None => return found,
        }
    }
}

fn pages_follow_one_another_without_gap_or_repeat(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    world.append_new(25);
    let everything = ids(&world.envelopes("a"));
    for size in [1, 4, 5, 24, 25, 26, 10_000] {
        assert_eq!(all_pages(&world, &EnvelopeFilter::default(), size), everything, "{size}");
    }
    let nothing = EnvelopeFilter { actor_ids: Some(BTreeSet::new()), ..EnvelopeFilter::default() };
    assert_eq!(all_pages(&world, &nothing, 5), []);
    assert!(PageSize::new(0).is_err() && PageSize::new(10_001).is_err());
}

fn a_page_stays_what_it_is_while_envelopes_are_added(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    world.append_new(10);
    let (store, stream) = (world.store(), world.stream("a"));
    let (filter, size) = (EnvelopeFilter::default(), PageSize::new(6).unwrap());
    let first = page(&*store, &stream, &filter, None, size).unwrap();
    world.append_new(10);
    let again = page(&*store, &stream, &filter, None, size).unwrap();
    assert_eq!((&first.envelopes, &first.next_cursor), (&again.envelopes, &again.next_cursor));
    let second = page(&*store, &stream, &filter, first.next_cursor.as_ref(), size).unwrap();
    assert_eq!(second.envelopes[0].place.position, 6);
    assert_eq!(second.envelopes.len(), 6);
}

fn a_cursor_serves_its_own_query_only(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    world.append_new(10);
    world.append("b", world.drafts(10)).unwrap();
    let (store, size) = (world.store(), PageSize::new(3).unwrap());
    let filter = EnvelopeFilter::default();
    let cursor = page(&*store, &world.stream("a"), &filter, None, size).unwrap().next_cursor;
    let other_stream = page(&*store, &world.stream("b"), &filter, cursor.as_ref(), size);
    let other = EnvelopeFilter { trace_ids: Some(BTreeSet::new()), ..filter };
    let other_filter = page(&*store, &world.stream("a"), &other, cursor.as_ref(), size);
    for refused in [other_stream, other_filter] {
        let foreign = matches!(refused, Err(QueryError::Filter(FilterError::ForeignCursor)));
        assert!(foreign, "{refused:?}");
    }
}

fn some<T: Clone + Ord + std::fmt::Debug + 'static>(
    values: Vec<T>,
) -> impl Strategy<Value = Option<BTreeSet<T>>> {
    let count = values.len();
    let set = proptest::sample::subsequence(values, 0..=count);
    proptest::option::weighted(0.3, set.prop_map(|it| it.into_iter().collect()))
}

/// `prefix:0` and so on, one more than the drafts of a world use.
fn names<T: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str, count: usize) -> Vec<T> {
    (0..count).map(|number| format!("{prefix}:{number}").parse().unwrap()).collect()
}

fn filters(envelopes: &[SealedEnvelope]) -> impl Strategy<Value = EnvelopeFilter> + use<> {
    let types = vec![
        EventTypeMatch::Equals("tool.call".parse().unwrap()),
        EventTypeMatch::Prefix(EventTypePrefix::new("tool.").unwrap()),
        EventTypeMatch::Prefix(EventTypePrefix::new("agent").unwrap()),
        EventTypeMatch::Equals("no.such".parse().unwrap()),
    ];
    let (actors, environments) = (names("actor", 5), names("env", 3));
    let (traces, sessions) = (names("trace", 5), names("session", 7));
    let segments: BTreeSet<_> = envelopes.iter().map(|it| it.place.segment_id).collect();
    let held = ids(envelopes);
    let time = (-300_i64..300, 1_i64..300).prop_map(|(from, length)| {
        let at = |seconds: i64| Some(moment(BEGINNING + seconds * SECOND).into());
        Range::new(at(from), at(from + length)).unwrap()
    });
    let positions = (0_u64..80, 1_u64..80)
        .prop_map(|(from, length)| Range::new(Some(from), Some(from + length)).unwrap());
    (
        (some(types), some(actors), some(environments), some(traces), some(sessions)),
        (some(segments.into_iter().collect()), some(held)),
        (proptest::option::weighted(0.2, time.clone()), proptest::option::weighted(0.1, time)),
        proptest::option::weighted(0.3, positions),
    )
        .prop_map(
            |(names, (segment_ids, envelope_ids), (claimed_time, recorded_at), positions)| {
                let (event_types, actor_ids, environment_ids, trace_ids, session_ids) = names;
                EnvelopeFilter {
                    event_types,
                    actor_ids,
                    environment_ids,
                    trace_ids,
                    session_ids,
                    segment_ids,
                    envelope_ids,
                    claimed_time,
                    recorded_at,
                    positions,
                }
            },
        )
}

/// The meaning of a filter, spelled out once more.
fn matches(filter: &EnvelopeFilter, it: &SealedEnvelope) -> bool {
    fn is_in<T: Ord>(set: &Option<BTreeSet<T>>, value: Option<&T>) -> bool {
        set.as_ref().is_none_or(|set| value.is_some_and(|value| set.contains(value)))
    }
    let event_type = it.fields.event_type.as_str();
    let types = filter.event_types.as_ref();
    types.is_none_or(|types| types.iter().any(|one| one.matches(event_type)))
        && is_in(&filter.actor_ids, Some(&it.fields.actor_id))
        && is_in(&filter.environment_ids, Some(&it.fields.environment_id))
        && is_in(&filter.trace_ids, it.fields.trace_id.as_ref())
        && is_in(&filter.session_ids, it.fields.session_id.as_ref())
        && is_in(&filter.segment_ids, Some(&it.place.segment_id))
        && is_in(&filter.envelope_ids, Some(&it.fields.envelope_id))
        && filter.claimed_time.is_none_or(|range| range.contains(it.fields.claimed_time))
        && filter.recorded_at.is_none_or(|range| range.contains(it.place.recorded_at.into()))
        && filter.positions.is_none_or(|range| range.contains(it.place.position))
}

fn pages_equal_the_filter_over_the_whole_read(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    for round in 0..4 {
        world.clock.set(moment(BEGINNING + round * 60 * SECOND));
        world.append_new(15);
        let a = crate::harness::tenant("a");
        let manual = recorder_envelope::segment::SealReason::Manual;
        world.recorder().seal_segment(&a, manual).unwrap();
    }
    let envelopes = world.envelopes("a");
    let mut runner = crate::harness::property(200);
    runner
        .run(&(filters(&envelopes), 1_usize..70), |(filter, size)| {
            let expected = envelopes.iter().filter(|it| matches(&filter, it)).cloned();
            prop_assert_eq!(all_pages(&world, &filter, size), ids(&expected.collect::<Vec<_>>()));
            Ok(())
        })
        .unwrap();
}
