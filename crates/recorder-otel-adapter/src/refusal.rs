//! Why nothing of an input is stored.
//!
//! Sorted by whose fault it is: the body's, that of records in it, or of its size. None of it is transient.

use recorder_envelope::adapter::{Anomaly, Problems, Refused};

/// Why nothing of an input is stored.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// More bytes than a body may have, as it came or inflated.
    #[error("the body has more than {bytes_max} bytes")]
    BodyTooLarge {
        /// The most that is allowed.
        bytes_max: usize,
    },
    /// More records than one input may hold.
    #[error("the input holds more than {records_max} records; send smaller batches")]
    TooManyRecords {
        /// The most that is allowed.
        records_max: u64,
    },
    /// Payloads that together are larger than one input may give.
    #[error("the records together need more than {bytes_max} bytes; send smaller batches")]
    PayloadsTooLarge {
        /// The most that is allowed.
        bytes_max: usize,
    },
    /// A content coding other than gzip or none.
    #[error("content coding is neither gzip nor identity")]
    ContentCoding,
    /// Not gzip, or gzip that ends early, contradicts its checksum or has something behind its end.
    #[error("the body is no whole gzip stream")]
    Gzip,
    /// Not JSON.
    #[error("the body stops being JSON at byte {offset}")]
    Json {
        /// The first byte that is wrong.
        offset: usize,
    },
    /// A part around the records is not what it should be.
    #[error("{path} is not what OTLP has there")]
    Shape {
        /// The part.
        path: String,
    },
    /// Not protobuf, or protobuf of another message.
    #[error("the body is not the protobuf message that this door takes")]
    Protobuf,
    /// No member that says what the body is about.
    #[error("the body holds neither {}; members are spelled in lowerCamelCase", .expected)]
    NoSignal {
        /// What could have stood there.
        expected: &'static str,
    },
    /// Metrics or profiles, which are not recorded, or a signal that has another door.
    #[error("the body holds {found}, which this door does not take")]
    Signal {
        /// What stands there.
        found: &'static str,
    },
    /// Records are wrong, and the policy is to store all or nothing.
    #[error(transparent)]
    Records(#[from] Refused),
}

impl Refusal {
    /// Every code, in the order of the contract.
    pub const CODES: [&'static str; 11] = [
        "otel_body_too_large",
        "otel_too_many_records",
        "otel_payloads_too_large",
        "otel_content_coding",
        "otel_gzip",
        "otel_json",
        "otel_shape",
        "otel_protobuf",
        "otel_no_signal",
        "otel_signal",
        "otel_records",
    ];

    /// The stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BodyTooLarge { .. } => "otel_body_too_large",
            Self::TooManyRecords { .. } => "otel_too_many_records",
            Self::PayloadsTooLarge { .. } => "otel_payloads_too_large",
            Self::ContentCoding => "otel_content_coding",
            Self::Gzip => "otel_gzip",
            Self::Json { .. } => "otel_json",
            Self::Shape { .. } => "otel_shape",
            Self::Protobuf => "otel_protobuf",
            Self::NoSignal { .. } => "otel_no_signal",
            Self::Signal { .. } => "otel_signal",
            Self::Records(_) => "otel_records",
        }
    }

    /// Says in which part the wrong one is.
    #[cold]
    pub(crate) fn within(self, part: impl std::fmt::Display) -> Self {
        match self {
            Self::Shape { path } if path.is_empty() => Self::Shape { path: part.to_string() },
            Self::Shape { path } => Self::Shape { path: format!("{part}/{path}") },
            other => other,
        }
    }

    /// The same in the words that all adapters share. A body that cannot be read counts as one record.
    pub fn into_refused(self) -> Refused {
        if let Self::Records(refused) = self {
            return refused;
        }
        let named = vec![Anomaly::new(self.code(), "body", &self)];
        Refused { problems: Problems { named, more: 0 }, received: 1 }
    }

    /// The HTTP status that a door answers with.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::BodyTooLarge { .. }
            | Self::TooManyRecords { .. }
            | Self::PayloadsTooLarge { .. } => 413,
            Self::ContentCoding => 415,
            Self::Gzip
            | Self::Json { .. }
            | Self::Shape { .. }
            | Self::Protobuf
            | Self::NoSignal { .. }
            | Self::Signal { .. }
            | Self::Records(_) => 400,
        }
    }
}
