//! Queries: a filter becomes ranges of positions and one SQL statement, whose values are bound, never spelled.
//!
//! Rows come in pages, each in a read transaction of its own that ends before the caller sees a row. What a page
//! holds is checked against the filter once more: an index that names rows which do not match is corrupt. Lists
//! travel as one JSON array, so that no list is too long for a statement.
//!
//! An index only ever says which rows to look at. SQLite would read a column from the index that found the row, so
//! that a forged index could change what a row says; joining the table to itself by key prevents it.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use recorder_core::filter::{EnvelopeFilter, EventTypeMatch};
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::time::{RecordedAt, UtcTimestamp};
use recorder_envelope::envelope::SealedEnvelope;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::envelope::{Decoder, ENVELOPE_COLUMNS};
use super::failure::Failure;
use super::head::{StreamRow, stream_row};
use super::reader::Readers;
use super::row::{CheckedRow, index_of, key, missing};
use crate::matching::matches;

/// Envelopes of a page: enough to pay for its transaction, few enough to hold.
const PAGE_ENVELOPES_MAX: usize = 512;

/// Bytes of payload after which a page ends early: payloads may have 4 MiB each.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Positions that one page may look through without an index, so that no read transaction grows with the stream.
const WINDOW_POSITIONS: u64 = 1 << 16;

/// The rows that the index of traces names.
const FOUND_BY_TRACE: &str = "envelopes AS found INDEXED BY envelopes_by_trace \
    CROSS JOIN envelopes AS stored NOT INDEXED ON stored.envelope_key = found.envelope_key";

/// The rows that the index of sessions names.
const FOUND_BY_SESSION: &str = "envelopes AS found INDEXED BY envelopes_by_session \
    CROSS JOIN envelopes AS stored NOT INDEXED ON stored.envelope_key = found.envelope_key";

/// A query on one stream: where rows may match, which do, and how they are found.
struct Query {
    sql: String,
    values: Vec<Value>,
    window_positions: u64,
    stream: StreamId,
    stream_number: i64,
    ranges: Vec<Range<u64>>,
}

/// Some matching envelopes, and where to go on.
struct Page {
    envelopes: Vec<SealedEnvelope>,
    next_position: u64,
}

/// Visits the envelopes of `stream` that match `filter` at `positions`, by position.
pub(super) fn scan(
    readers: &Readers,
    stream: &StreamId,
    filter: &EnvelopeFilter,
    positions: Range<u64>,
    visit: &mut dyn FnMut(SealedEnvelope) -> ControlFlow<()>,
) -> Result<(), Failure> {
    if filter.matches_nothing() {
        return Ok(());
    }
    let planned = readers.read(|connection, _| plan(connection, stream, filter, positions))?;
    let Some(query) = planned else { return Ok(()) };
    for range in &query.ranges {
        let mut from = range.start;
        while from < range.end {
            let page = readers.read(|connection, decoder| {
                query.page(connection, decoder, filter, from..range.end)
            })?;
            from = page.next_position;
            if page.envelopes.into_iter().try_for_each(&mut *visit).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The query; `None` when nothing can match.
fn plan(
    connection: &Connection,
    stream: &StreamId,
    filter: &EnvelopeFilter,
    positions: Range<u64>,
) -> Result<Option<Query>, Failure> {
    let Some(row) = stream_row(connection, stream)? else { return Ok(None) };
    let wanted = filter.positions;
    let first = wanted.and_then(|range| range.from()).unwrap_or(0).max(positions.start);
    let end = wanted.and_then(|range| range.to()).unwrap_or(u64::MAX);
    let end = end.min(positions.end).min(row.next_position);
    let mut ranges: Vec<_> = std::iter::once(first..end.max(first)).collect();
    if let Some(ids) = &filter.segment_ids {
        ranges = intersect(&ranges, &segment_ranges(connection, &row, ids)?);
    }
    if let Some(ids) = &filter.envelope_ids {
        ranges = intersect(&ranges, &envelope_ranges(connection, &row, ids)?);
    }
    Query::compile(connection, stream, row.number, filter, ranges)
}

/// What lies in both of two sorted lists of disjoint ranges.
fn intersect(left: &[Range<u64>], right: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut common = Vec::new();
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let range = a.start.max(b.start)..a.end.min(b.end);
        if !range.is_empty() {
            common.push(range);
        }
        if a.end < b.end {
            left.next()
        } else {
            right.next()
        };
    }
    common
}

/// Where the named segments lie; the open one reaches to the end of the stream.
fn segment_ranges(
    connection: &Connection,
    stream: &StreamRow,
    ids: &BTreeSet<SegmentId>,
) -> Result<Vec<Range<u64>>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT segment_key, first_position, envelope_count FROM segments \
         WHERE segment_id = ?1 AND stream_number = ?2",
    )?;
    let mut ranges = Vec::new();
    for id in ids {
        let mut rows = statement.query((id.as_bytes(), stream.number))?;
        let Some(row) = rows.next()? else { continue };
        let row = CheckedRow::new(row, "segments")?;
        let first = row.count(1)?;
        let end = match row.optional_count(2)? {
            Some(envelope_count) => first + envelope_count,
            None => stream.next_position,
        };
        ranges.push(first..end);
    }
    ranges.sort_by_key(|range| range.start);
    if ranges.windows(2).any(|pair| pair[0].end > pair[1].start) {
        return Err(Failure::corrupt("segments", "two of them overlap"));
    }
    Ok(ranges)
}

/// Where the named envelopes lie.
fn envelope_ranges(
    connection: &Connection,
    stream: &StreamRow,
    ids: &BTreeSet<EnvelopeId>,
) -> Result<Vec<Range<u64>>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT envelope_key FROM envelopes WHERE envelope_id = ?1 AND stream_number = ?2",
    )?;
    let mut positions = BTreeSet::new();
    for id in ids {
        let mut rows = statement.query((id.as_bytes(), stream.number))?;
        if let Some(row) = rows.next()? {
            positions.insert(index_of(CheckedRow::new(row, "envelopes")?.key()));
        }
    }
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for position in positions {
        match ranges.last_mut() {
            Some(last) if last.end == position => last.end += 1,
            _ => ranges.push(position..position + 1),
        }
    }
    Ok(ranges)
}

impl Query {
    /// Compiles `filter`; `None` when it names only texts that no envelope has.
    fn compile(
        connection: &Connection,
        stream: &StreamId,
        stream_number: i64,
        filter: &EnvelopeFilter,
        ranges: Vec<Range<u64>>,
    ) -> Result<Option<Self>, Failure> {
        let mut conditions = Conditions::default();
        let traces = filter.trace_ids.as_ref().map(|ids| texts(ids, |id| id.as_str()));
        let sessions = filter.session_ids.as_ref().map(|ids| texts(ids, |id| id.as_str()));
        let (source, window_positions) = match (traces, sessions) {
            (None, None) => ("envelopes AS stored NOT INDEXED", WINDOW_POSITIONS),
            (Some(traces), sessions) => {
                conditions.by_index(stream_number, "trace_id", &traces);
                if let Some(sessions) = sessions {
                    conditions.one_of_texts("stored.session_id", &sessions);
                }
                (FOUND_BY_TRACE, u64::MAX)
            }
            (None, Some(sessions)) => {
                conditions.by_index(stream_number, "session_id", &sessions);
                (FOUND_BY_SESSION, u64::MAX)
            }
        };
        for (column, numbers) in interned(connection, filter)? {
            if numbers.is_empty() {
                return Ok(None);
            }
            conditions.one_of_numbers(column, numbers);
        }
        conditions.times(filter);
        let Conditions { sql, values } = conditions;
        let key = if window_positions == u64::MAX { "found" } else { "stored" };
        let key = format!("{key}.envelope_key");
        let sql = format!(
            "SELECT {ENVELOPE_COLUMNS} FROM {source} WHERE {key} >= ? AND {key} < ?{sql} \
             ORDER BY {key} LIMIT {PAGE_ENVELOPES_MAX}"
        );
        let stream = stream.clone();
        Ok(Some(Self { sql, values, window_positions, stream, stream_number, ranges }))
    }

    /// Whether every row in the ranges matches, so that one which is not there is missing.
    fn is_gapless(&self) -> bool {
        self.values.is_empty()
    }

    /// Reads one page of what matches in `positions`.
    fn page(
        &self,
        connection: &Connection,
        decoder: &mut Decoder,
        filter: &EnvelopeFilter,
        positions: Range<u64>,
    ) -> Result<Page, Failure> {
        let end = positions.end.min(positions.start.saturating_add(self.window_positions));
        let keys = [positions.start, end].map(|position| key(self.stream_number, position));
        let values = keys.into_iter().map(Value::from).chain(self.values.iter().cloned());
        let mut statement = connection.prepare_cached(&self.sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut page = Page { envelopes: Vec::new(), next_position: end };
        let mut bytes = 0;
        let mut expected = positions.start;
        while let Some(row) = rows.next()? {
            let envelope = decoder.envelope(connection, row)?;
            if self.is_gapless() && envelope.place.position != expected {
                break;
            }
            expected += 1;
            if !matches(filter, &envelope) {
                let row = CheckedRow::new(row, "envelopes")?;
                return Err(row.corrupt("found by an index that it does not belong to"));
            }
            bytes += envelope.payload.as_ref().map_or(0, |salted| salted.payload.as_bytes().len());
            let next_position = envelope.place.position + 1;
            page.envelopes.push(envelope);
            if page.envelopes.len() == PAGE_ENVELOPES_MAX || bytes >= PAGE_BYTES_MAX {
                page.next_position = next_position;
                return Ok(page);
            }
        }
        if self.is_gapless() && expected < end {
            return Err(missing(&self.stream, &format!("position {expected}")));
        }
        Ok(page)
    }
}

/// The values of `ids` as text.
fn texts<T>(ids: &BTreeSet<T>, text: impl Fn(&T) -> &str) -> Vec<&str> {
    ids.iter().map(text).collect()
}

/// The columns of interned texts that `filter` asks about, with the numbers that may stand in them.
fn interned(
    connection: &Connection,
    filter: &EnvelopeFilter,
) -> Result<Vec<(&'static str, BTreeSet<i64>)>, Failure> {
    let mut columns = Vec::new();
    if let Some(types) = &filter.event_types {
        let mut numbers = BTreeSet::new();
        for wanted in types {
            match wanted {
                EventTypeMatch::Equals(text) => {
                    text_numbers(connection, text.as_str(), text.as_str(), &mut numbers)?;
                }
                // Every byte of an event type sorts before the brace.
                EventTypeMatch::Prefix(prefix) => {
                    let end = format!("{}{{", prefix.as_str());
                    text_numbers(connection, prefix.as_str(), &end, &mut numbers)?;
                }
            }
        }
        columns.push(("stored.event_type", numbers));
    }
    let actors = filter.actor_ids.as_ref().map(|ids| texts(ids, |id| id.as_str()));
    let environments = filter.environment_ids.as_ref().map(|ids| texts(ids, |id| id.as_str()));
    for (column, texts) in [("stored.actor_id", actors), ("stored.environment_id", environments)] {
        let Some(texts) = texts else { continue };
        let mut numbers = BTreeSet::new();
        for text in texts {
            text_numbers(connection, text, text, &mut numbers)?;
        }
        columns.push((column, numbers));
    }
    Ok(columns)
}

/// Adds the numbers of the stored texts from `first` to `last`.
fn text_numbers(
    connection: &Connection,
    first: &str,
    last: &str,
    numbers: &mut BTreeSet<i64>,
) -> Result<(), Failure> {
    let mut statement =
        connection.prepare_cached("SELECT text_number FROM texts WHERE text BETWEEN ?1 AND ?2")?;
    let mut rows = statement.query([first, last])?;
    while let Some(row) = rows.next()? {
        numbers.insert(CheckedRow::new(row, "texts")?.key());
    }
    Ok(())
}

/// Conditions that all must hold, with the values that they bind, in order.
#[derive(Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn all<const N: usize>(&mut self, condition: &str, values: [Value; N]) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    /// The condition that an index of `column` answers.
    fn by_index(&mut self, stream_number: i64, column: &str, texts: &[&str]) {
        self.all("found.stream_number = ?", [stream_number.into()]);
        self.all(&format!("found.{column} IS NOT NULL"), []);
        self.one_of_texts(&format!("found.{column}"), texts);
    }

    /// One value keeps the order of the index; several travel as one array, whatever their number.
    fn one_of_texts(&mut self, column: &str, texts: &[&str]) {
        match texts {
            [text] => self.all(&format!("{column} = ?"), [Value::Text((*text).to_owned())]),
            texts => self.one_of(column, serde_json::Value::from(texts)),
        }
    }

    fn one_of_numbers(&mut self, column: &str, numbers: BTreeSet<i64>) {
        let numbers: Vec<i64> = numbers.into_iter().collect();
        match numbers.as_slice() {
            [number] => self.all(&format!("{column} = ?"), [Value::Integer(*number)]),
            numbers => self.one_of(column, serde_json::Value::from(numbers)),
        }
    }

    fn one_of(&mut self, column: &str, array: serde_json::Value) {
        let condition = format!("{column} IN (SELECT value FROM json_each(?))");
        self.all(&condition, [Value::Text(array.to_string())]);
    }

    fn times(&mut self, filter: &EnvelopeFilter) {
        let claimed = filter.claimed_time;
        let column = "(stored.claimed_seconds, stored.claimed_nanoseconds)";
        if let Some(from) = claimed.and_then(|range| range.from()) {
            self.all(&format!("{column} >= (?, ?)"), moment(from));
        }
        if let Some(to) = claimed.and_then(|range| range.to()) {
            self.all(&format!("{column} < (?, ?)"), moment(to));
        }
        let recorded = filter.recorded_at;
        if let Some(from) = recorded.and_then(|range| range.from()) {
            self.all("stored.recorded_at >= ?", [nanoseconds(from)]);
        }
        if let Some(to) = recorded.and_then(|range| range.to()) {
            self.all("stored.recorded_at < ?", [nanoseconds(to)]);
        }
    }
}

fn moment(time: UtcTimestamp) -> [Value; 2] {
    [time.seconds().into(), i64::from(time.nanoseconds()).into()]
}

/// The time as the column holds it; what lies beyond the column's range is a number beyond every value in it.
fn nanoseconds(time: UtcTimestamp) -> Value {
    match RecordedAt::try_from(time) {
        Ok(time) => time.nanoseconds().into(),
        Err(_) => Value::Real(f64::INFINITY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema::OBJECTS;

    /// How SQLite goes about the query of `filter`, a step a line.
    fn steps(filter: &EnvelopeFilter) -> Vec<String> {
        let connection = Connection::open_in_memory().unwrap();
        for object in &OBJECTS {
            connection.execute_batch(object.sql).unwrap();
        }
        connection
            .execute_batch("INSERT INTO texts VALUES (1, 'tool.call'), (2, 'tool.result')")
            .unwrap();
        let stream =
            StreamId { tenant_id: "a".parse().unwrap(), recorder_id: "b".parse().unwrap() };
        let query = Query::compile(&connection, &stream, 1, filter, Vec::new()).unwrap().unwrap();
        let values = [0, 9].into_iter().map(Value::from).chain(query.values);
        let mut statement =
            connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        let rows = statement.query_map(params_from_iter(values), |row| row.get(3)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    const BY_KEY: &str = "SEARCH stored USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    const FROM_THE_TABLE: &str = "SEARCH stored USING INTEGER PRIMARY KEY (rowid=?)";

    #[test]
    fn without_a_trace_or_session_rows_are_read_in_their_order() {
        assert_eq!(steps(&EnvelopeFilter::default()), [BY_KEY]);
        let prefix =
            EventTypeMatch::Prefix(recorder_core::identity::EventTypePrefix::new("tool.").unwrap());
        let filter = EnvelopeFilter { event_types: Some([prefix].into()), ..Default::default() };
        let steps = steps(&filter);
        assert_eq!(steps[0], BY_KEY);
        assert!(!steps.concat().contains("TEMP B-TREE"), "{steps:?}");
    }

    #[test]
    fn a_trace_or_a_session_is_found_by_its_index_and_read_from_the_table() {
        let trace =
            EnvelopeFilter { trace_ids: Some(["t".parse().unwrap()].into()), ..Default::default() };
        let session = EnvelopeFilter {
            session_ids: Some(["s".parse().unwrap()].into()),
            ..Default::default()
        };
        for (filter, name) in [(trace, "trace"), (session, "session")] {
            let by_index = format!(
                "SEARCH found USING COVERING INDEX envelopes_by_{name} \
                 (stream_number=? AND {name}_id=? AND rowid>? AND rowid<?)"
            );
            assert_eq!(steps(&filter), [by_index.as_str(), FROM_THE_TABLE]);
        }
    }

    #[test]
    fn ranges_are_intersected() {
        let ranges = |pairs: &[(u64, u64)]| -> Vec<Range<u64>> {
            pairs.iter().map(|(start, end)| *start..*end).collect()
        };
        let left = ranges(&[(0, 5), (7, 9), (9, 20)]);
        let right = ranges(&[(3, 8), (12, 13), (19, 40)]);
        let common = ranges(&[(3, 5), (7, 8), (12, 13), (19, 20)]);
        assert_eq!(intersect(&left, &right), common);
        assert_eq!(intersect(&right, &left), common);
        assert_eq!(intersect(&left, &[]), []);
    }
}
