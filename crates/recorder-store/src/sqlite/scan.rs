//! Queries: a filter becomes ranges of positions and one SQL statement, whose values are bound, never spelled.
//!
//! Rows come in pages, each in a read transaction of its own that ends before the caller sees a row. What a page
//! holds is checked against the filter once more: an index that names rows which do not match is corrupt. There is no
//! statement per filter value: lists travel as one JSON array.

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
use super::row::{CheckedRow, index_of, key};
use crate::matching::matches;

/// Envelopes of a page: enough to pay for its transaction, few enough to hold.
const PAGE_ENVELOPES_MAX: usize = 512;

/// Bytes of payload after which a page ends early: payloads may have 4 MiB each.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Positions that one page may look through without an index, so that no read transaction grows with the stream.
const WINDOW_POSITIONS: u64 = 1 << 16;

/// A query on one stream: where rows may match, which do, and how they are found.
struct Query {
    sql: String,
    values: Vec<Value>,
    window_positions: u64,
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
    Query::compile(connection, row.number, filter, ranges)
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
        stream_number: i64,
        filter: &EnvelopeFilter,
        ranges: Vec<Range<u64>>,
    ) -> Result<Option<Self>, Failure> {
        let mut conditions = Conditions::default();
        let (index, window_positions) = match (&filter.trace_ids, &filter.session_ids) {
            (Some(_), _) => ("INDEXED BY envelopes_by_trace", u64::MAX),
            (None, Some(_)) => ("INDEXED BY envelopes_by_session", u64::MAX),
            // The only other way is by key.
            (None, None) => ("NOT INDEXED", WINDOW_POSITIONS),
        };
        if window_positions == u64::MAX {
            conditions.all("stream_number = ?", [stream_number.into()]);
        }
        conditions.one_of_texts(
            "trace_id",
            filter.trace_ids.as_ref().map(|ids| texts(ids, |id| id.as_str())),
        );
        conditions.one_of_texts(
            "session_id",
            filter.session_ids.as_ref().map(|ids| texts(ids, |id| id.as_str())),
        );
        for (column, numbers) in interned(connection, filter)? {
            if numbers.is_empty() {
                return Ok(None);
            }
            conditions.one_of_numbers(column, numbers);
        }
        conditions.times(filter);
        let Conditions { sql, values } = conditions;
        let sql = format!(
            "SELECT {ENVELOPE_COLUMNS} FROM envelopes {index} \
             WHERE envelope_key >= ? AND envelope_key < ?{sql} \
             ORDER BY envelope_key LIMIT {PAGE_ENVELOPES_MAX}"
        );
        Ok(Some(Self { sql, values, window_positions, stream_number, ranges }))
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
        while let Some(row) = rows.next()? {
            let envelope = decoder.envelope(connection, row)?;
            if !matches(filter, &envelope) {
                let row = CheckedRow::new(row, "envelopes")?;
                return Err(row.corrupt("found by an index that it does not belong to"));
            }
            bytes += envelope.payload.as_ref().map_or(0, |salted| salted.payload.as_bytes().len());
            let next_position = envelope.place.position + 1;
            page.envelopes.push(envelope);
            if page.envelopes.len() == PAGE_ENVELOPES_MAX || bytes >= PAGE_BYTES_MAX {
                page.next_position = next_position;
                break;
            }
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
        columns.push(("event_type", numbers));
    }
    let actors = filter.actor_ids.as_ref().map(|ids| texts(ids, |id| id.as_str()));
    let environments = filter.environment_ids.as_ref().map(|ids| texts(ids, |id| id.as_str()));
    for (column, texts) in [("actor_id", actors), ("environment_id", environments)] {
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

    /// One value keeps the order of the index; several travel as one array, whatever their number.
    fn one_of_texts(&mut self, column: &str, texts: Option<Vec<&str>>) {
        let Some(texts) = texts else { return };
        self.all(&format!("{column} IS NOT NULL"), []);
        match texts.as_slice() {
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
        let column = "(claimed_seconds, claimed_nanoseconds)";
        if let Some(from) = claimed.and_then(|range| range.from()) {
            self.all(&format!("{column} >= (?, ?)"), moment(from));
        }
        if let Some(to) = claimed.and_then(|range| range.to()) {
            self.all(&format!("{column} < (?, ?)"), moment(to));
        }
        let recorded = filter.recorded_at;
        if let Some(from) = recorded.and_then(|range| range.from()) {
            self.all("recorded_at >= ?", [nanoseconds(from)]);
        }
        if let Some(to) = recorded.and_then(|range| range.to()) {
            self.all("recorded_at < ?", [nanoseconds(to)]);
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
