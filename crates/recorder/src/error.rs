//! Why the engine did not do what it was asked, by whose fault it is.

use recorder_core::hash::{AttachmentHash, KeyId};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, EventType, SegmentId};
use recorder_envelope::checkpoint::CheckpointError;
use recorder_envelope::rotation::RotationError;
use recorder_store::{CommitError, Corruption, ReadError};

use crate::guard::{GuardError, HeadError};
use crate::ids::NoRandomness;
use crate::succession::{BrokenRotation, SuccessionError};

/// Why an append returned no receipts. Nothing was written unless it says so.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// An envelope with this id is in the stream, and says something else.
    #[error("envelope {id} is in the stream with other content")]
    EnvelopeConflict {
        /// Its place in the batch.
        index: usize,
        /// The id.
        id: EnvelopeId,
    },
    /// The idempotency key was used for another request, which is recorded.
    #[error("idempotency key {key} was used for another request")]
    IdempotencyConflict {
        /// The key.
        key: IdempotencyKey,
    },
    /// Two envelopes of the batch have this id.
    #[error("envelope {id} stands twice in the batch")]
    RepeatedEnvelope {
        /// The id.
        id: EnvelopeId,
    },
    /// An envelope refers to an attachment that is neither stored nor in the batch.
    #[error(
        "envelope {envelope_id} refers to attachment {content_hash}, which neither the store nor the batch holds"
    )]
    AttachmentMissing {
        /// The envelope.
        envelope_id: EnvelopeId,
        /// The attachment.
        content_hash: AttachmentHash,
    },
    /// An attachment came along that no envelope of its submission refers to.
    #[error("attachment {content_hash} came along, but its envelope does not refer to it")]
    AttachmentUnreferenced {
        /// The attachment.
        content_hash: AttachmentHash,
    },
    /// The event type is the recorder's own. A verifier acts on such an event, and calls one out of place a forgery.
    #[error("event type {event_type} is reserved for the recorder itself")]
    EventTypeReserved {
        /// Its place in the batch.
        index: usize,
        /// The event type.
        event_type: EventType,
    },
    /// More envelopes than one batch may hold.
    #[error("batch has {count} envelopes; at most {count_max} are allowed")]
    BatchTooLarge {
        /// The envelopes that it has.
        count: usize,
        /// The most that is allowed.
        count_max: usize,
    },
    /// The stream has no room for more positions.
    #[error("the stream is full")]
    StreamFull,
    /// The stream promises signatures that this recorder is not set up to make.
    #[error(
        "the stream promises signatures that this recorder does not make; open it with the signer, and with sign_envelopes where the stream promises that"
    )]
    SignerRequired,
    /// Too many callers wait. Try again later.
    #[error("too many operations wait ({capacity}); try again")]
    QueueFull {
        /// How many may wait.
        capacity: usize,
    },
    /// Another writer moved the stream. The recorder stops writing until it is opened again.
    #[error("another writer moved the stream; open the recorder again")]
    HeadMoved,
    /// The commit was not confirmed and may have landed. Open the recorder again and record the same ids: what
    /// landed is answered as replayed.
    #[error("the commit was not confirmed and may have landed; open the recorder again and repeat")]
    OutcomeUnknown(#[source] CommitError),
    /// An earlier commit was not confirmed, or the head was lost. Nothing is written until the recorder is opened again.
    #[error("the recorder stopped writing; open it again")]
    Latched,
    /// The head guard refused before anything was written.
    #[error("nothing was recorded: {0}")]
    Guard(#[source] GuardError),
    /// It is recorded, but the head guard did not follow, so there is no receipt. Open the recorder again and record
    /// the same ids: they are answered as replayed.
    #[error("recorded, but not acknowledged: {0}; open the recorder again and repeat")]
    Unguarded(#[source] GuardError),
    /// Stored data contradicts itself.
    #[error("the store is corrupt: {0}")]
    Corrupt(#[source] Corruption),
    /// The store failed.
    #[error("the store could not be written: {0}")]
    Storage(#[source] CommitError),
    /// The store could not be read.
    #[error("the store could not be read: {0}")]
    Read(#[source] ReadError),
    /// The system gives no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// No checkpoint can be made, since the stream's name gives no origin.
    #[error("the checkpoint cannot be signed: {0}")]
    Checkpoint(#[from] CheckpointError),
}

impl From<ReadError> for AppendError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt(corruption) => Self::Corrupt(corruption),
            other => Self::Read(other),
        }
    }
}

/// Why a segment was not opened or sealed, or a checkpoint not signed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SealError {
    /// A segment is open already.
    #[error("segment {segment_id} is open already; seal it first")]
    AlreadyOpen {
        /// The open segment.
        segment_id: SegmentId,
    },
    /// No segment is open.
    #[error("no segment is open")]
    NoneOpen,
    /// The open segment holds nothing, and an empty segment is never sealed.
    #[error("segment {segment_id} is empty; an empty segment is never sealed")]
    Empty {
        /// The open segment.
        segment_id: SegmentId,
    },
    /// There is nothing that a checkpoint could cover.
    #[error("the stream holds no envelopes")]
    NothingRecorded,
    /// There is no signer.
    #[error("no signer is configured")]
    NoSigner,
    /// The store refused or failed.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Why a recorder was not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// What is stored does not follow from its own hashes.
    #[error("the store is corrupt: {0}")]
    Corrupt(#[source] Corruption),
    /// The signer's key is not the one that signed this stream so far.
    #[error(
        "the signer's key is not the one that signed the last checkpoint of {stream}; a key is rotated, never replaced"
    )]
    SignerMismatch {
        /// The stream.
        stream: String,
    },
    /// The signer's key was rotated away.
    #[error(
        "the signer's key is not in force any more: {stream} was rotated to key {key_id} at position {position}"
    )]
    SignerReplaced {
        /// The stream.
        stream: String,
        /// The key in force.
        key_id: KeyId,
        /// Where it began.
        position: u64,
    },
    /// A rotation was interrupted between two streams. Rotating again to the same key finishes it.
    #[error(
        "the rotation to key {key_id} is unfinished: {rotated} is under it and {remaining} is not; rotate again to the same key"
    )]
    RotationUnfinished {
        /// The key that was being brought in.
        key_id: KeyId,
        /// A stream that it has reached.
        rotated: String,
        /// A stream that it has not.
        remaining: String,
    },
    /// A rotation in the log does not hold.
    #[error(transparent)]
    RotationBroken(#[from] BrokenRotation),
    /// The stream's checkpoints carry another origin than the configured log name gives.
    #[error(
        "the checkpoints of this log are named {found}, the configured log name gives {expected}; a log's name never changes"
    )]
    OriginMismatch {
        /// The origin that the configuration gives.
        expected: String,
        /// The origin of the last checkpoint.
        found: String,
    },
    /// The store is not the one that the head guard has seen.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// What opening has to write was refused.
    #[error("the recorder could not be opened: {source}")]
    Refused {
        /// Why.
        source: AppendError,
    },
    /// The store could not be read.
    #[error("the store could not be read: {0}")]
    Read(#[source] ReadError),
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt(corruption) => Self::Corrupt(corruption),
            other => Self::Read(other),
        }
    }
}

impl From<SuccessionError> for OpenError {
    fn from(error: SuccessionError) -> Self {
        match error {
            SuccessionError::Broken(broken) => Self::RotationBroken(broken),
            SuccessionError::Read(error) => error.into(),
        }
    }
}

impl OpenError {
    /// A corruption at `place`.
    pub(crate) fn corrupt(place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Corrupt(Corruption { place: place.into(), detail: detail.into() })
    }
}

/// Why a key was not rotated. Streams that were rotated before the error stay rotated: rotating again to the same key
/// goes on with the rest.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The recorder has no signer, so no key could end.
    #[error("no signer is configured; there is no key to rotate")]
    NoSigner,
    /// The terms are refused: the reason, or both keys are one.
    #[error(transparent)]
    Terms(#[from] RotationError),
    /// The key that is to end is not in force.
    #[error("{stream} is not under key {key_id}, which is to end")]
    NotInForce {
        /// The stream.
        stream: String,
        /// The key that was given as the old one.
        key_id: KeyId,
    },
    /// The new key was in force before, and no key comes back.
    #[error("key {key_id} was in force in {stream} before; a key never comes back")]
    KeyReturns {
        /// The stream.
        stream: String,
        /// The key.
        key_id: KeyId,
    },
    /// Without the old key nothing says which one it was.
    #[error("nothing in {stream} names the key that is to end; give its public half")]
    OldKeyUnknown {
        /// The stream.
        stream: String,
    },
    /// A rotation needs a segment to seal. This one would have to begin with an envelope that only the lost key may
    /// sign.
    #[error(
        "{stream} has no open segment to seal, and promises a signature on every envelope, which only the lost key could give"
    )]
    NothingToSeal {
        /// The stream.
        stream: String,
    },
    /// The store is not one to rotate in.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The rotation of a stream was refused.
    #[error("{stream} was not rotated: {source}")]
    Refused {
        /// The stream.
        stream: String,
        /// Why.
        source: AppendError,
    },
}

impl From<SuccessionError> for RotateError {
    fn from(error: SuccessionError) -> Self {
        Self::Open(error.into())
    }
}
