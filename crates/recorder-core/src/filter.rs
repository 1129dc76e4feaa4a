//! What a query asks for: typed filters, page sizes, and cursors bound to their stream and filter.
//!
//! An absent condition matches everything; an explicit empty list matches nothing. All ranges include
//! `from` and exclude `to`. Order is always the position in the stream.

use std::collections::BTreeSet;
use std::fmt;

use crate::hash::{decode_hex, encode_hex_into, sha256};
use crate::identity::{
    ActorId, EnvelopeId, EnvironmentId, EventType, EventTypePrefix, SegmentId, SessionId, StreamId,
    TraceId,
};
use crate::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use crate::time::UtcTimestamp;

/// Why a filter, a page size or a cursor was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FilterError {
    /// A range whose end is not after its beginning.
    #[error("range is empty or reversed: 'from' must be before 'to'")]
    EmptyRange,
    /// A range without either end.
    #[error("range needs 'from', 'to' or both")]
    UnboundedRange,
    /// A page of no envelopes, or of more than allowed.
    #[error("page size must be 1 to {size_max}")]
    PageSize {
        /// The largest page.
        size_max: usize,
    },
    /// A text that is no cursor.
    #[error("cursor is malformed; use the one from the previous page as it is")]
    MalformedCursor,
    /// A cursor that was made for another stream or filter.
    #[error("cursor belongs to another stream or filter; repeat the query that returned it")]
    ForeignCursor,
}

/// Values from `from` (included) to `to` (excluded); an absent end is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range<T> {
    from: Option<T>,
    to: Option<T>,
}

impl<T: Ord + Copy> Range<T> {
    /// Takes a range that can hold something.
    ///
    /// # Errors
    ///
    /// `EmptyRange` when `from` is not before `to`; `UnboundedRange` when both are absent.
    pub fn new(from: Option<T>, to: Option<T>) -> Result<Self, FilterError> {
        match (from, to) {
            (None, None) => Err(FilterError::UnboundedRange),
            (Some(from), Some(to)) if from >= to => Err(FilterError::EmptyRange),
            _ => Ok(Self { from, to }),
        }
    }

    /// The first value inside, if bounded.
    pub fn from(&self) -> Option<T> {
        self.from
    }

    /// The first value beyond, if bounded.
    pub fn to(&self) -> Option<T> {
        self.to
    }

    /// Whether `value` lies inside.
    pub fn contains(&self, value: T) -> bool {
        self.from.is_none_or(|from| from <= value) && self.to.is_none_or(|to| value < to)
    }
}

/// One way an event type may match.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EventTypeMatch {
    /// The whole event type.
    Equals(EventType),
    /// The beginning of the event type.
    Prefix(EventTypePrefix),
}

impl EventTypeMatch {
    /// Whether `event_type` matches.
    pub fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Equals(wanted) => wanted.as_str() == event_type,
            Self::Prefix(prefix) => event_type.starts_with(prefix.as_str()),
        }
    }
}

/// Conditions on the envelopes of one stream; all of them must hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EnvelopeFilter {
    /// Event types, any of them.
    pub event_types: Option<BTreeSet<EventTypeMatch>>,
    /// Actors, any of them.
    pub actor_ids: Option<BTreeSet<ActorId>>,
    /// Environments, any of them.
    pub environment_ids: Option<BTreeSet<EnvironmentId>>,
    /// Traces, any of them.
    pub trace_ids: Option<BTreeSet<TraceId>>,
    /// Sessions, any of them.
    pub session_ids: Option<BTreeSet<SessionId>>,
    /// Segments, any of them.
    pub segment_ids: Option<BTreeSet<SegmentId>>,
    /// Envelopes, any of them.
    pub envelope_ids: Option<BTreeSet<EnvelopeId>>,
    /// When the producer says it happened.
    pub claimed_time: Option<Range<UtcTimestamp>>,
    /// When the recorder sealed it.
    pub recorded_at: Option<Range<UtcTimestamp>>,
    /// Where it stands in the stream.
    pub positions: Option<Range<u64>>,
}

impl EnvelopeFilter {
    /// Whether some list is explicitly empty, so that nothing can match.
    pub fn matches_nothing(&self) -> bool {
        fn empty<T>(list: &Option<BTreeSet<T>>) -> bool {
            list.as_ref().is_some_and(BTreeSet::is_empty)
        }
        empty(&self.event_types)
            || empty(&self.actor_ids)
            || empty(&self.environment_ids)
            || empty(&self.trace_ids)
            || empty(&self.session_ids)
            || empty(&self.segment_ids)
            || empty(&self.envelope_ids)
    }

    /// A digest of every condition, so that a cursor can name the filter that it continues.
    fn fingerprint(&self, stream: &StreamId) -> [u8; 16] {
        // Debug output of these types spells every value in full, in sorted order, with its field's name.
        let text = format!("recorder/cursor/v1 {stream:?} {self:?}");
        let mut short = [0; 16];
        short.copy_from_slice(&sha256(&[text.as_bytes()])[..16]);
        short
    }
}

/// How many envelopes a page may hold: 1 to 10,000, by default 1,000.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PageSize(usize);

impl PageSize {
    /// Takes a number of envelopes.
    ///
    /// # Errors
    ///
    /// `PageSize` for zero and for more than 10,000.
    pub fn new(size: usize) -> Result<Self, FilterError> {
        if (1..=PAGE_SIZE_MAX).contains(&size) {
            Ok(Self(size))
        } else {
            Err(FilterError::PageSize { size_max: PAGE_SIZE_MAX })
        }
    }

    /// The number of envelopes.
    pub fn value(self) -> usize {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(PAGE_SIZE_DEFAULT)
    }
}

/// Where the next page begins. Opaque text, only good for the stream and the filter that made it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor {
    fingerprint: [u8; 16],
    next_position: u64,
}

const CURSOR_BYTES: usize = 25;
const CURSOR_VERSION: u8 = 1;

impl Cursor {
    /// Makes the cursor that continues `filter` on `stream` at `next_position`.
    pub fn new(stream: &StreamId, filter: &EnvelopeFilter, next_position: u64) -> Self {
        Self { fingerprint: filter.fingerprint(stream), next_position }
    }

    /// Parses the text of a cursor.
    ///
    /// # Errors
    ///
    /// `MalformedCursor` for any other text.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let bytes: [u8; CURSOR_BYTES] =
            decode_hex(text.as_bytes()).ok_or(FilterError::MalformedCursor)?;
        let [CURSOR_VERSION, rest @ ..] = bytes else { return Err(FilterError::MalformedCursor) };
        let (mut fingerprint, mut position) = ([0; 16], [0; 8]);
        fingerprint.copy_from_slice(&rest[..16]);
        position.copy_from_slice(&rest[16..]);
        Ok(Self { fingerprint, next_position: u64::from_be_bytes(position) })
    }

    /// The position to continue at, if the cursor belongs to this stream and filter.
    ///
    /// # Errors
    ///
    /// `ForeignCursor` otherwise.
    pub fn resume(&self, stream: &StreamId, filter: &EnvelopeFilter) -> Result<u64, FilterError> {
        if self.fingerprint == filter.fingerprint(stream) {
            Ok(self.next_position)
        } else {
            Err(FilterError::ForeignCursor)
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [CURSOR_VERSION; CURSOR_BYTES];
        bytes[1..17].copy_from_slice(&self.fingerprint);
        bytes[17..].copy_from_slice(&self.next_position.to_be_bytes());
        let mut text = [0; CURSOR_BYTES * 2];
        encode_hex_into(&bytes, &mut text);
        f.pad(&String::from_utf8_lossy(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(recorder: &str) -> StreamId {
        StreamId { tenant_id: "default".parse().unwrap(), recorder_id: recorder.parse().unwrap() }
    }

    #[test]
    fn a_cursor_continues_only_its_own_query() {
        let filter =
            EnvelopeFilter { actor_ids: Some(["a".parse().unwrap()].into()), ..Default::default() };
        let cursor = Cursor::parse(&Cursor::new(&stream("r"), &filter, 42).to_string()).unwrap();
        assert_eq!(cursor.resume(&stream("r"), &filter), Ok(42));
        assert_eq!(cursor.resume(&stream("s"), &filter), Err(FilterError::ForeignCursor));
        let other =
            EnvelopeFilter { actor_ids: Some(["b".parse().unwrap()].into()), ..Default::default() };
        assert_eq!(cursor.resume(&stream("r"), &other), Err(FilterError::ForeignCursor));
        for text in ["", "00", &"0".repeat(50), &cursor.to_string().to_uppercase()] {
            assert_eq!(Cursor::parse(text), Err(FilterError::MalformedCursor), "{text}");
        }
    }

    #[test]
    fn ranges_include_their_beginning_and_exclude_their_end() {
        let range = Range::new(Some(3), Some(5)).unwrap();
        assert_eq!((2..6).filter(|n| range.contains(*n)).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(Range::new(Some(5), Some(5)), Err(FilterError::EmptyRange));
        assert_eq!(Range::<u64>::new(None, None), Err(FilterError::UnboundedRange));
    }

    #[test]
    fn only_an_explicit_empty_list_matches_nothing() {
        assert!(!EnvelopeFilter::default().matches_nothing());
        let none = EnvelopeFilter { trace_ids: Some(BTreeSet::new()), ..Default::default() };
        assert!(none.matches_nothing());
    }

    #[test]
    fn pages_are_bounded() {
        assert!(PageSize::new(0).is_err() && PageSize::new(10_001).is_err());
        assert_eq!(PageSize::new(10_000).unwrap().value(), 10_000);
    }
}
