//! The doors through which OpenTelemetry comes in, and which signals each takes.

use serde::Serialize;

use crate::signal::Signal;

/// Where a body came in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// `POST /v1/ingest/otel` and files: both signals, in one body if need be.
    Ingest,
    /// `POST /v1/traces` of OTLP/HTTP.
    Traces,
    /// `POST /v1/logs` of OTLP/HTTP.
    Logs,
}

impl Door {
    /// Whether records of this signal may come in here.
    pub const fn takes(self, signal: Signal) -> bool {
        match self {
            Self::Ingest => true,
            Self::Traces => matches!(signal, Signal::Traces),
            Self::Logs => matches!(signal, Signal::Logs),
        }
    }

    /// Whether an empty request is a success, as OTLP wants it.
    pub(crate) const fn takes_nothing(self) -> bool {
        !matches!(self, Self::Ingest)
    }

    /// The members that may stand at the top of a JSON body.
    pub(crate) const fn expected(self) -> &'static str {
        match self {
            Self::Ingest => "resourceSpans nor resourceLogs",
            Self::Traces => "resourceSpans nor anything else that it takes",
            Self::Logs => "resourceLogs nor anything else that it takes",
        }
    }
}

/// How a body is encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// `application/json`.
    Json,
    /// `application/x-protobuf`.
    Protobuf,
}

impl Encoding {
    /// Looks at a file. A request in protobuf begins with the tag of its only field, which is a line end, and which JSON takes
    /// for white space: it is one if it can be split into fields to its end.
    pub fn of_file(bytes: &[u8]) -> Self {
        let is_protobuf = bytes.first() == Some(&b'\n') && crate::protobuf::is_message(bytes);
        if is_protobuf { Self::Protobuf } else { Self::Json }
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    #[test]
    fn a_request_is_told_from_json_that_begins_with_a_line_end() {
        assert_eq!(Encoding::of_file(b"\n\x02\x12\x00"), Encoding::Protobuf);
        for json in [&b"{}"[..], b"\n{}", b"\n\n {\"resourceSpans\":[]}\n", b" {}", b"", b"\n"] {
            assert_eq!(Encoding::of_file(json), Encoding::Json);
        }
    }
}
