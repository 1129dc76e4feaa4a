//! The two signals that are recorded, and what OTLP/JSON calls their parts.

use serde::Serialize;

/// What a body is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records and events.
    Logs,
}

impl Signal {
    /// The list of resources.
    pub(crate) const fn resources(self) -> &'static str {
        match self {
            Self::Traces => "resourceSpans",
            Self::Logs => "resourceLogs",
        }
    }

    /// The list of scopes of a resource.
    pub(crate) const fn scopes(self) -> &'static str {
        match self {
            Self::Traces => "scopeSpans",
            Self::Logs => "scopeLogs",
        }
    }

    /// The list of records of a scope.
    pub(crate) const fn records(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Logs => "logRecords",
        }
    }
}
