//! What can be wrong with one record, and where in it.
//!
//! Every code is contract. A place is made of member names of OTLP and of indexes, never of anything that the input
//! brought: both end up in logs and in evidence.

use std::fmt;

use serde::Serialize;

macro_rules! fault_codes {
    ($($(#[$doc:meta])* $name:ident => $code:literal, $detail:literal;)*) => {
        /// Why a record, or a part that records share, is refused.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(into = "&'static str")]
        pub enum FaultCode {
            $($(#[$doc])* $name,)*
        }

        impl FaultCode {
            /// Every code, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What is wrong, for people.
            pub const fn detail(self) -> &'static str {
                match self {
                    $(Self::$name => $detail,)*
                }
            }
        }
    };
}

fault_codes! {
    /// A JSON value of another kind than the field has.
    WrongKind => "otel_wrong_kind", "a value of the wrong kind";
    /// The same member twice in one JSON object.
    MemberRepeated => "otel_member_repeated", "a member stands twice in one object";
    /// Half of a surrogate pair in a `\u` escape.
    LoneSurrogate => "otel_lone_surrogate", "a string holds half of a surrogate pair";
    /// A backslash followed by none of the escapes of JSON.
    StringEscape => "otel_string_escape", "a string holds an escape that JSON does not have";
    /// A raw control character, or bytes that are not UTF-8.
    StringCharacter => "otel_string_character", "a string holds a raw control character or bytes that are not UTF-8";
    /// An integer beyond the 64 or 32 bits of its field, or none at all.
    IntegerRange => "otel_integer_range", "an integer that its field cannot hold exactly";
    /// A double that is neither a number nor one of the three words.
    Double => "otel_double", "neither a double nor NaN, Infinity or -Infinity";
    /// Bytes that are not base64.
    Base64 => "otel_base64", "bytes that are not base64";
    /// A time that is no integer from 0 to 2^64 - 1.
    Time => "otel_time", "a time is not an integer of 64 bits without a sign";
    /// A span without a start.
    StartMissing => "otel_start_missing", "a span without a start time";
    /// A trace id of a span or link that is not 16 bytes, or is all zeros.
    TraceId => "otel_trace_id", "a trace id is not 32 hex digits, or all zeros";
    /// A span id of a span or link that is not 8 bytes, or is all zeros.
    SpanId => "otel_span_id", "a span id is not 16 hex digits, or all zeros";
    /// Two kinds of value in one `AnyValue`.
    ValueAmbiguous => "otel_value_ambiguous", "a value of two kinds at once";
    /// The same attribute key twice in one list.
    AttributeRepeated => "otel_attribute_repeated", "an attribute key stands twice in one list";
    /// More attributes in one list than allowed.
    TooManyAttributes => "otel_too_many_attributes", "too many attributes in one list";
    /// More events on one span than allowed.
    TooManyEvents => "otel_too_many_events", "too many events on one span";
    /// More links on one span than allowed.
    TooManyLinks => "otel_too_many_links", "too many links on one span";
    /// More items in one array than allowed.
    ArrayTooLong => "otel_array_too_long", "too many items in one array";
    /// Values nested deeper than allowed.
    TooDeep => "otel_too_deep", "values are nested too deeply";
    /// A record, or what a payload would hold of it, over its size.
    RecordTooLarge => "otel_record_too_large", "the record is too large";
    /// A protobuf record that cannot be decoded.
    Undecodable => "otel_undecodable", "the record is not the protobuf message that it should be";
    /// A log record whose trace id is wrong: the record stays, without a trace.
    LogTraceId => "otel_log_trace_id", "the trace id of a log record is wrong; the record belongs to no trace";
    /// A log record whose span id is wrong: the record stays, without a span.
    LogSpanId => "otel_log_span_id", "the span id of a log record is wrong; the record belongs to no span";
    /// A log record without any time: it stays, claimed to be of 1970.
    LogTimeMissing => "otel_log_time_missing", "a log record without any time; it is claimed to be of 1970";
    /// An agent or service that is no actor: the configured one stands in.
    Actor => "otel_actor", "the agent or service is no actor id; the configured actor stands in";
    /// An environment that is no environment: the configured one stands in.
    Environment => "otel_environment", "the environment is no environment id; the configured one stands in";
    /// A session that is no session: the record has none.
    Session => "otel_session", "the session is no session id; the record has none";
}

impl FaultCode {
    /// Whether the record is refused. Otherwise it is stored, and what is wrong is noted.
    pub const fn costs_record(self) -> bool {
        !matches!(
            self,
            Self::LogTraceId
                | Self::LogSpanId
                | Self::LogTimeMissing
                | Self::Actor
                | Self::Environment
                | Self::Session
        )
    }
}

impl From<FaultCode> for &'static str {
    fn from(code: FaultCode) -> Self {
        code.code()
    }
}

/// Why a record is refused, and where in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    pub(crate) code: FaultCode,
    /// From the record inwards, such as `attributes/3/value/intValue`; empty for the record itself.
    pub(crate) place: String,
}

impl Fault {
    /// Names what is wrong with the value at hand.
    pub(crate) const fn new(code: FaultCode) -> Self {
        Self { code, place: String::new() }
    }

    /// Says in which member that value is.
    #[cold]
    pub(crate) fn within(self, member: impl fmt::Display) -> Self {
        let place = match self.place.is_empty() {
            true => member.to_string(),
            false => format!("{member}/{}", self.place),
        };
        Self { code: self.code, place }
    }
}

impl From<FaultCode> for Fault {
    fn from(code: FaultCode) -> Self {
        Self::new(code)
    }
}

/// What leaves a record, or refuses the whole body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stop<W> {
    /// The record is wrong; the next one may be good.
    Record(Fault),
    /// The body is: nothing behind this place can be read.
    Body(W),
}

impl<W> Stop<W> {
    /// Says in which member the value at hand is.
    #[cold]
    pub(crate) fn within(self, member: impl fmt::Display) -> Self {
        match self {
            Self::Record(fault) => Self::Record(fault.within(member)),
            body @ Self::Body(_) => body,
        }
    }
}

impl<W> From<Fault> for Stop<W> {
    fn from(fault: Fault) -> Self {
        Self::Record(fault)
    }
}

impl<W> From<FaultCode> for Stop<W> {
    fn from(code: FaultCode) -> Self {
        Self::Record(Fault::new(code))
    }
}
