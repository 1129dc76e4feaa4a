//! Selectors: which envelopes of a stream a bundle holds, as an algebra of conditions (evidence format §7).
//!
//! All ranges include `from` and exclude `to`. `{"all":[]}` selects everything, `{"any":[]}` nothing.

use std::collections::BTreeSet;

use recorder_core::filter::{EnvelopeFilter, EventTypeMatch, FilterError, Range};
use recorder_core::identity::{
    ActorId, EnvelopeId, EventType, EventTypePrefix, SegmentId, SessionId, TraceId,
};
use recorder_core::limits::{SELECTOR_BYTES_MAX, SELECTOR_DEPTH_MAX};
use recorder_core::time::UtcTimestamp;
use serde::{Deserialize, Serialize};

use crate::envelope::SealedEnvelope;
use crate::json::{self, JsonLimits};
use crate::wire;

/// Why a selector was refused.
#[derive(Debug, thiserror::Error)]
pub enum SelectorError {
    /// Not strict JSON, or not a selector.
    #[error("selector is not of the expected form: {0}")]
    Form(#[from] json::StrictError),
    /// A range that can hold nothing.
    #[error("selector: {0}")]
    Range(#[from] FilterError),
}

/// Which envelopes are meant.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Selector {
    /// All envelopes of one segment.
    Segment {
        /// The segment.
        segment_id: SegmentId,
    },
    /// All envelopes of these segments.
    Segments(BTreeSet<SegmentId>),
    /// Envelopes at these positions of the stream.
    Positions(RangeOf<u64>),
    /// These envelopes.
    Envelopes(BTreeSet<EnvelopeId>),
    /// Envelopes of one trace.
    Trace {
        /// The trace.
        trace_id: TraceId,
    },
    /// Envelopes of one session.
    Session {
        /// The session.
        session_id: SessionId,
    },
    /// Envelopes of one actor.
    Actor {
        /// The actor.
        actor_id: ActorId,
    },
    /// Envelopes of one event type, or of those that begin alike.
    EventType(EventTypeSelector),
    /// Envelopes that claim to have happened in this time.
    ClaimedTime(RangeOf<UtcTimestamp>),
    /// Envelopes that all of these select.
    All(Vec<Selector>),
    /// Envelopes that at least one of these selects.
    Any(Vec<Selector>),
    /// Envelopes that this one does not select.
    Not(Box<Selector>),
}

/// How an event type is compared.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EventTypeSelector {
    /// The whole event type.
    Equals(EventType),
    /// Its beginning.
    Prefix(EventTypePrefix),
}

/// A range as written: `{"from", "to"}`, at least one of them.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(
    try_from = "RangeObject<T>",
    into = "RangeObject<T>",
    bound(
        deserialize = "T: Ord + Copy + Deserialize<'de>",
        serialize = "T: Ord + Copy + Serialize"
    )
)]
pub struct RangeOf<T: Ord + Copy>(Range<T>);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
struct RangeObject<T> {
    #[serde(
        default = "none",
        deserialize_with = "wire::present",
        skip_serializing_if = "Option::is_none"
    )]
    from: Option<T>,
    #[serde(
        default = "none",
        deserialize_with = "wire::present",
        skip_serializing_if = "Option::is_none"
    )]
    to: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

impl<T: Ord + Copy> RangeOf<T> {
    /// Takes a range.
    pub fn new(range: Range<T>) -> Self {
        Self(range)
    }

    /// The range.
    pub fn range(&self) -> Range<T> {
        self.0
    }
}

impl<T: Ord + Copy> TryFrom<RangeObject<T>> for RangeOf<T> {
    type Error = FilterError;

    fn try_from(object: RangeObject<T>) -> Result<Self, FilterError> {
        Range::new(object.from, object.to).map(Self)
    }
}

impl<T: Ord + Copy> From<RangeOf<T>> for RangeObject<T> {
    fn from(range: RangeOf<T>) -> Self {
        Self { from: range.0.from(), to: range.0.to() }
    }
}

impl Selector {
    /// Selects every envelope of the stream.
    pub fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// Parses a selector of at most 1 MiB, nested at most 32 deep.
    ///
    /// # Errors
    ///
    /// `SelectorError` names what is wrong and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, SelectorError> {
        // Each level of the algebra takes two of JSON (object, array); leaves take three.
        let limits = JsonLimits {
            input_bytes_max: SELECTOR_BYTES_MAX as usize,
            depth_max: SELECTOR_DEPTH_MAX * 2 + 3,
            ..JsonLimits::PAYLOAD
        };
        Ok(json::from_strict(bytes, &limits)?)
    }

    /// Whether [`Selector::parse`] would take its canonical form.
    pub(crate) fn is_within_bounds(&self) -> bool {
        Self::parse(&wire::canonical(self)).is_ok()
    }

    /// Whether the selector means `envelope`.
    pub fn selects(&self, envelope: &SealedEnvelope) -> bool {
        let fields = &envelope.fields;
        match self {
            Self::Segment { segment_id } => *segment_id == envelope.place.segment_id,
            Self::Segments(ids) => ids.contains(&envelope.place.segment_id),
            Self::Positions(range) => range.0.contains(envelope.place.position),
            Self::Envelopes(ids) => ids.contains(&fields.envelope_id),
            Self::Trace { trace_id } => fields.trace_id.as_ref() == Some(trace_id),
            Self::Session { session_id } => fields.session_id.as_ref() == Some(session_id),
            Self::Actor { actor_id } => fields.actor_id == *actor_id,
            Self::EventType(EventTypeSelector::Equals(wanted)) => fields.event_type == *wanted,
            Self::EventType(EventTypeSelector::Prefix(prefix)) => {
                fields.event_type.as_str().starts_with(prefix.as_str())
            }
            Self::ClaimedTime(range) => range.0.contains(fields.claimed_time),
            Self::All(parts) => parts.iter().all(|part| part.selects(envelope)),
            Self::Any(parts) => parts.iter().any(|part| part.selects(envelope)),
            Self::Not(part) => !part.selects(envelope),
        }
    }

    /// A filter that matches at least all that the selector selects, so that a store reads less.
    pub fn widened(&self) -> EnvelopeFilter {
        let mut filter = EnvelopeFilter::default();
        match self {
            Self::Segment { segment_id } => filter.segment_ids = Some([*segment_id].into()),
            Self::Segments(ids) => filter.segment_ids = Some(ids.clone()),
            Self::Positions(range) => filter.positions = Some(range.0),
            Self::Envelopes(ids) => filter.envelope_ids = Some(ids.clone()),
            Self::Trace { trace_id } => filter.trace_ids = Some([trace_id.clone()].into()),
            Self::Session { session_id } => filter.session_ids = Some([session_id.clone()].into()),
            Self::Actor { actor_id } => filter.actor_ids = Some([actor_id.clone()].into()),
            Self::EventType(EventTypeSelector::Equals(wanted)) => {
                filter.event_types = Some([EventTypeMatch::Equals(wanted.clone())].into());
            }
            Self::EventType(EventTypeSelector::Prefix(prefix)) => {
                filter.event_types = Some([EventTypeMatch::Prefix(prefix.clone())].into());
            }
            Self::ClaimedTime(range) => filter.claimed_time = Some(range.0),
            // One conjunct alone is wide enough; the first that narrows anything is taken.
            Self::All(parts) => {
                let narrow =
                    |part: &Self| Some(part.widened()).filter(|f| *f != EnvelopeFilter::default());
                return parts.iter().find_map(narrow).unwrap_or_default();
            }
            Self::Any(_) | Self::Not(_) => {}
        }
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_algebra_is_read_and_written_alike() {
        let id = "01936b2e-7c00-7abc-8def-0123456789ab";
        let texts = [
            format!(r#"{{"segment":{{"segment_id":"{id}"}}}}"#),
            format!(r#"{{"segments":["{id}"]}}"#),
            r#"{"positions":{"from":0,"to":9}}"#.to_owned(),
            r#"{"positions":{"from":3}}"#.to_owned(),
            format!(r#"{{"envelopes":["{id}"]}}"#),
            r#"{"trace":{"trace_id":"t"}}"#.to_owned(),
            r#"{"session":{"session_id":"s"}}"#.to_owned(),
            r#"{"actor":{"actor_id":"a"}}"#.to_owned(),
            r#"{"event_type":{"equals":"a.b"}}"#.to_owned(),
            r#"{"event_type":{"prefix":"a."}}"#.to_owned(),
            r#"{"claimed_time":{"from":"2026-01-01T00:00:00.000000000Z","to":"2027-01-01T00:00:00.000000000Z"}}"#
                .to_owned(),
            r#"{"all":[{"any":[]},{"not":{"all":[]}}]}"#.to_owned(),
        ];
        for text in texts {
            let selector = Selector::parse(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(json::to_canonical(&selector).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn what_is_not_a_selector_is_refused() {
        for text in [
            "{}",
            r#"{"positions":{"from":9,"to":9}}"#,
            r#"{"positions":{}}"#,
            r#"{"positions":{"from":null,"to":5}}"#,
            r#"{"positions":{"from":5,"to":null}}"#,
            r#"{"claimed_time":{"from":null,"to":"2026-01-01T00:00:00Z"}}"#,
            r#"{"positions":{"from":1,"until":2}}"#,
            r#"{"trace":{"trace_id":""}}"#,
            r#"{"trace":{"trace_id":"a","x":1}}"#,
            r#"{"all":[],"any":[]}"#,
            r#"{"everything":[]}"#,
            r#"{"not":[]}"#,
            r#"{"event_type":{"equals":"A"}}"#,
            r#"[]"#,
        ] {
            assert!(Selector::parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{}{{\"all\":[]}}{}", "{\"not\":".repeat(100), "}".repeat(100));
        assert!(Selector::parse(deep.as_bytes()).is_err());
    }
}
