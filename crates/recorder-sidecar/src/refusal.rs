//! Why a request is refused: the code of the contract, and what is said besides.
//!
//! One match maps each error of the engine to its code, so that a new one does not compile until it has one.

use recorder::AppendError;
use recorder::bundle::BuildError;
use recorder::query::QueryError;
use recorder_envelope::draft::DraftError;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::wire::FormError;
use recorder_store::ReadError;
use tokio::task::JoinError;

use crate::ingest::IngestError;

/// A refusal on its way to becoming an answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    /// For the sender. It never holds a payload or a secret.
    pub(crate) detail: String,
    /// The methods that the path takes, where that is what is wrong.
    pub(crate) allow: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), allow: None }
    }
}

impl From<JoinError> for Refusal {
    /// What a panic says may hold a payload; the log has its place.
    fn from(_: JoinError) -> Self {
        Self::new(Code::InternalError, "the work on this request ended early")
    }
}

impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        Self::new(Code::BadRequest, error.to_string())
    }
}

impl From<DraftError> for Refusal {
    fn from(error: DraftError) -> Self {
        Self::new(Code::EnvelopeInvalid, error.to_string())
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::new(Code::StorageUnavailable, error.to_string())
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Filter(error) => Self::new(Code::FilterInvalid, error.to_string()),
            QueryError::Read(error) => error.into(),
        }
    }
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::QueueFull => {
                Self::new(Code::QueueFull, "too many requests wait for the writer")
            }
            IngestError::Reserved => {
                Self::new(Code::StreamMismatch, "the tenant system is the sidecar's own")
            }
            IngestError::TooManyStreams => Self::new(
                Code::TooManyStreams,
                "ingest.max_streams streams are recorded here already",
            ),
            IngestError::DatabaseGone => {
                Self::new(Code::StorageUnavailable, "the database is not where it was")
            }
            IngestError::Stopped => Self::new(Code::WriterLatched, "the writer is gone"),
            IngestError::Lost => Self::new(Code::CommitOutcomeUnknown, "the writer is gone"),
            IngestError::Append(error) => Self::new(code_of(&error), error.to_string()),
        }
    }
}

fn code_of(error: &AppendError) -> Code {
    match error {
        AppendError::EnvelopeConflict { .. } => Code::EnvelopeConflict,
        AppendError::IdempotencyConflict { .. } => Code::IdempotencyConflict,
        AppendError::RepeatedEnvelope { .. }
        | AppendError::EventTypeReserved { .. }
        | AppendError::BatchTooLarge { .. } => Code::EnvelopeInvalid,
        AppendError::AttachmentMissing { .. } | AppendError::AttachmentUnreferenced { .. } => {
            Code::AttachmentInvalid
        }
        AppendError::QueueFull { .. } => Code::QueueFull,
        AppendError::OutcomeUnknown(_) | AppendError::Unguarded(_) => Code::CommitOutcomeUnknown,
        AppendError::HeadMoved | AppendError::Latched | AppendError::Corrupt(_) => {
            Code::WriterLatched
        }
        AppendError::Guard(_) | AppendError::Storage(_) | AppendError::Read(_) => {
            Code::StorageUnavailable
        }
        AppendError::StreamFull
        | AppendError::SignerRequired
        | AppendError::NoRandomness(_)
        | AppendError::Checkpoint(_) => Code::InternalError,
    }
}

impl From<BuildError> for Refusal {
    fn from(error: BuildError) -> Self {
        let code = match &error {
            BuildError::NoSuchStream { .. } | BuildError::NothingSelected => Code::NotFound,
            BuildError::BeyondLog { .. }
            | BuildError::TooMuch { .. }
            | BuildError::DocumentTooLarge { .. } => Code::SelectorInvalid,
            BuildError::Read(_) | BuildError::Corrupt(_) | BuildError::AttachmentMissing { .. } => {
                Code::StorageUnavailable
            }
            BuildError::SignerRequired
            | BuildError::SignerReplaced { .. }
            | BuildError::RotationBroken(_)
            | BuildError::CheckpointRequired
            | BuildError::Io(_) => Code::InternalError,
        };
        Self::new(code, error.to_string())
    }
}
