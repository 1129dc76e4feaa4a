//! `query envelopes`: pages of what is recorded, by filter, in the order of the stream.

use std::collections::BTreeSet;
use std::io;

use clap::{Args, Subcommand};
use recorder::query;
use recorder_core::filter::{Cursor, EnvelopeFilter, EventTypeMatch, PageSize, Range};
use recorder_core::identity::{
    ActorId, EnvelopeId, EnvironmentId, EventType, EventTypePrefix, IdentityError, SegmentId,
    SessionId, TraceId,
};
use recorder_core::limits::PAGE_SIZE_DEFAULT;
use recorder_core::time::UtcTimestamp;
use recorder_envelope::envelope::SealedEnvelope;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::say;
use crate::output::{Answer, Page, Tone};

/// Looks at what is recorded.
#[derive(Debug, Subcommand)]
pub(crate) enum Query {
    /// Envelopes that match every condition, by position
    Envelopes(Box<Envelopes>),
}

/// Conditions; of one that is repeated, any may hold.
#[derive(Args, Debug)]
pub(crate) struct Envelopes {
    /// Event type
    #[arg(long, value_name = "TYPE")]
    event_type: Vec<EventType>,
    /// Beginning of an event type, such as tool.
    #[arg(long, value_name = "PREFIX", value_parser = parse_prefix)]
    event_type_prefix: Vec<EventTypePrefix>,
    /// Actor
    #[arg(long, value_name = "ID")]
    actor: Vec<ActorId>,
    /// Environment
    #[arg(long, value_name = "ID")]
    environment: Vec<EnvironmentId>,
    /// Trace
    #[arg(long, value_name = "ID")]
    trace: Vec<TraceId>,
    /// Session
    #[arg(long, value_name = "ID")]
    session: Vec<SessionId>,
    /// Segment
    #[arg(long, value_name = "ID")]
    segment: Vec<SegmentId>,
    /// Envelope
    #[arg(long, value_name = "ID")]
    envelope_id: Vec<EnvelopeId>,
    /// Claimed at or after this time
    #[arg(long, value_name = "TIME")]
    from: Option<UtcTimestamp>,
    /// Claimed before this time
    #[arg(long, value_name = "TIME")]
    to: Option<UtcTimestamp>,
    /// Recorded at or after this time
    #[arg(long, value_name = "TIME")]
    recorded_from: Option<UtcTimestamp>,
    /// Recorded before this time
    #[arg(long, value_name = "TIME")]
    recorded_to: Option<UtcTimestamp>,
    /// Positions, such as 10..20, 10.. or ..20; the end is not included
    #[arg(long, value_name = "A..B", value_parser = parse_positions)]
    positions: Option<Range<u64>>,
    /// Envelopes on one page, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = PAGE_SIZE_DEFAULT)]
    limit: usize,
    /// Where the page before this one ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Found {
    envelopes: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
    #[serde(skip)]
    rows: Vec<Vec<String>>,
}

impl Answer for Found {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        if self.rows.is_empty() {
            return page.line(say!(locale, query.nothing_matches));
        }
        let header = [
            say!(locale, column.position),
            say!(locale, column.recorded_at),
            say!(locale, column.event_type),
            say!(locale, column.actor),
            say!(locale, column.trace),
            say!(locale, column.envelope),
        ];
        page.table(&header, &self.rows)?;
        match &self.next_cursor {
            Some(cursor) => page.pieces(&[
                (Tone::Faint, say!(locale, query.more_follows)),
                (Tone::Faint, " "),
                (Tone::Plain, cursor),
            ]),
            None => Ok(()),
        }
    }
}

impl Query {
    /// Reads one page.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Envelopes(query) = self;
        let settings = context.settings()?;
        let size = PageSize::new(query.limit)?;
        let cursor = query.cursor.as_deref().map(Cursor::parse).transpose()?;
        let filter = query.filter()?;
        let store = context.reader(&settings)?;
        let page = query::page(&*store, &settings.stream, &filter, cursor.as_ref(), size)?;
        let found = Found {
            rows: page.envelopes.iter().map(row).collect(),
            envelopes: page.envelopes.iter().map(canonical).collect::<Result<_, _>>()?,
            next_cursor: page.next_cursor.map(|cursor| cursor.to_string()),
        };
        context.output.answer(&found)?;
        Ok(Exit::Done)
    }
}

impl Envelopes {
    fn filter(self) -> Result<EnvelopeFilter, Failure> {
        let exact = self.event_type.into_iter().map(EventTypeMatch::Equals);
        let prefixes = self.event_type_prefix.into_iter().map(EventTypeMatch::Prefix);
        Ok(EnvelopeFilter {
            event_types: any_of(exact.chain(prefixes)),
            actor_ids: any_of(self.actor),
            environment_ids: any_of(self.environment),
            trace_ids: any_of(self.trace),
            session_ids: any_of(self.session),
            segment_ids: any_of(self.segment),
            envelope_ids: any_of(self.envelope_id),
            claimed_time: range(self.from, self.to)?,
            recorded_at: range(self.recorded_from, self.recorded_to)?,
            positions: self.positions,
        })
    }
}

/// A condition that nobody gave matches everything.
fn any_of<T: Ord>(values: impl IntoIterator<Item = T>) -> Option<BTreeSet<T>> {
    Some(values.into_iter().collect::<BTreeSet<T>>()).filter(|values| !values.is_empty())
}

/// A range of which at least one end was given.
pub(crate) fn range(
    from: Option<UtcTimestamp>,
    to: Option<UtcTimestamp>,
) -> Result<Option<Range<UtcTimestamp>>, Failure> {
    match (from, to) {
        (None, None) => Ok(None),
        (from, to) => Ok(Some(Range::new(from, to)?)),
    }
}

/// Reads the beginning of an event type.
pub(crate) fn parse_prefix(text: &str) -> Result<EventTypePrefix, IdentityError> {
    EventTypePrefix::new(text)
}

/// Reads `A..B`, `A..` or `..B`.
pub(crate) fn parse_positions(text: &str) -> Result<Range<u64>, String> {
    let end = |text: &str| match text {
        "" => Ok(None),
        digits => digits.parse().map(Some).map_err(|_| format!("{digits:?} is no position")),
    };
    let (from, to) = text.split_once("..").ok_or("expected A..B, such as 10..20")?;
    Range::new(end(from)?, end(to)?).map_err(|error| error.to_string())
}

fn canonical(envelope: &SealedEnvelope) -> Result<Box<RawValue>, Failure> {
    let mut bytes = Vec::new();
    envelope.write_canonical(&mut bytes);
    String::from_utf8(bytes).map_err(|error| Failure::Internal(error.to_string())).and_then(
        |text| RawValue::from_string(text).map_err(|error| Failure::Internal(error.to_string())),
    )
}

fn row(envelope: &SealedEnvelope) -> Vec<String> {
    let fields = &envelope.fields;
    vec![
        envelope.place.position.to_string(),
        envelope.place.recorded_at.to_string(),
        fields.event_type.to_string(),
        fields.actor_id.to_string(),
        fields.trace_id.as_ref().map_or("-".to_owned(), ToString::to_string),
        fields.envelope_id.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_written_as_a_range() {
        let read = |text| parse_positions(text).map(|range| (range.from(), range.to()));
        assert_eq!(read("10..20"), Ok((Some(10), Some(20))));
        assert_eq!(read("10.."), Ok((Some(10), None)));
        assert_eq!(read("..20"), Ok((None, Some(20))));
        for wrong in ["", "..", "10", "20..10", "10..10", "a..b", "-1..2", "1..2..3"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
