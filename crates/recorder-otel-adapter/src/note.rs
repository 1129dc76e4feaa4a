//! What is odd about a record that is stored all the same: said in its payload.

use std::borrow::Cow;

/// One oddity.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Note {
    AttributeKeyEmpty,
    DoubleUnset,
    EndBeforeStart,
    NameEmpty,
    SeverityOutOfRange,
    TimeBeyond2262,
    TimeMissing,
    TimeObserved,
    SpanIdInvalid,
    TraceIdInvalid,
    ActorInvalid,
    EnvironmentInvalid,
    SessionInvalid,
    ResourceUnreadable,
    ScopeUnreadable,
}

impl Note {
    /// Every note, with its name and what it means.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 15] = [
        (Self::AttributeKeyEmpty, "attribute_key_empty", "an attribute has no key"),
        (
            Self::DoubleUnset,
            "double_unset",
            "a double without a value, as some SDKs write NaN and the infinities",
        ),
        (Self::EndBeforeStart, "end_before_start", "the span ends before it starts"),
        (Self::NameEmpty, "name_empty", "the span has no name"),
        (
            Self::SeverityOutOfRange,
            "severity_out_of_range",
            "the severity number is none of 0 to 24",
        ),
        (
            Self::TimeBeyond2262,
            "time_beyond_2262",
            "the claimed time is later than signed nanoseconds can count",
        ),
        (Self::TimeMissing, "time_missing", "the record has no time; it is claimed to be of 1970"),
        (Self::TimeObserved, "time_observed", "the claimed time is when the record was observed"),
        (
            Self::SpanIdInvalid,
            "span_id_invalid",
            "the span id of the log record was wrong and is left out",
        ),
        (
            Self::TraceIdInvalid,
            "trace_id_invalid",
            "the trace id of the log record was wrong and is left out",
        ),
        (
            Self::ActorInvalid,
            "actor_invalid",
            "the agent or service is no actor id; the configured actor stands in",
        ),
        (
            Self::EnvironmentInvalid,
            "environment_invalid",
            "the environment is no environment id; the configured one stands in",
        ),
        (Self::SessionInvalid, "session_invalid", "the session is no session id and is left out"),
        (Self::ResourceUnreadable, "resource_unreadable", "the resource is wrong and is left out"),
        (Self::ScopeUnreadable, "scope_unreadable", "the scope is wrong and is left out"),
    ];
}

/// The oddities of one record.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Notes {
    set: u32,
    /// Members that OTLP does not have.
    pub(crate) unknown_fields: u64,
}

impl Notes {
    pub(crate) fn add(&mut self, note: Note) {
        self.set |= 1 << note as u32;
    }

    pub(crate) fn has(&self, note: Note) -> bool {
        self.set & 1 << note as u32 != 0
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.set |= other.set;
        self.unknown_fields += other.unknown_fields;
    }

    /// The notes as an array of their names.
    pub(crate) fn render(&self) -> Cow<'static, str> {
        if self.set == 0 {
            return Cow::Borrowed("[]");
        }
        let noted = Note::ALL.iter().filter(|(note, ..)| self.has(*note));
        let names = noted.map(|(_, name, _)| format!("\"{name}\"")).collect::<Vec<_>>();
        Cow::Owned(format!("[{}]", names.join(",")))
    }
}
