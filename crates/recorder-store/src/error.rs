//! Why a store did not do what it was asked, by whose fault it is.

use std::sync::Arc;

use recorder_core::hash::AttachmentHash;
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, SegmentId};

/// The cause below the store, such as an SQLite error; shared, since one failed commit answers many callers.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Stored data that contradicts itself or the store's rules: a finding about the file, not about the call.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{place}: {detail}")]
pub struct Corruption {
    /// Where: table and row, segment or position.
    pub place: String,
    /// What is wrong there.
    pub detail: String,
}

/// Why a commit gave no receipt.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// These envelope ids are in the stream already. Nothing was written.
    #[error("{} of the envelope ids are in the stream already", .ids.len())]
    EnvelopesExist {
        /// The ids, sorted.
        ids: Vec<EnvelopeId>,
    },
    /// These idempotency keys are remembered already. Nothing was written.
    #[error("{} of the idempotency keys are taken", .keys.len())]
    KeysTaken {
        /// The keys, sorted.
        keys: Vec<IdempotencyKey>,
    },
    /// The same envelope id stands twice in one commit. Nothing was written.
    #[error("envelope {id} stands twice in one commit")]
    RepeatedEnvelope {
        /// The id.
        id: EnvelopeId,
    },
    /// An envelope refers to bytes that are neither stored nor in the commit. Nothing was written.
    #[error("envelope {envelope_id} refers to attachment {content_hash}, which is not stored")]
    AttachmentMissing {
        /// The envelope.
        envelope_id: EnvelopeId,
        /// The attachment.
        content_hash: AttachmentHash,
    },
    /// Another writer moved the stream. Nothing was written.
    #[error("the stream moved on: expected {expected} envelopes, found {found}")]
    HeadMoved {
        /// Envelopes that the caller expected.
        expected: u64,
        /// Envelopes that the store holds.
        found: u64,
    },
    /// The commit opens a segment while one is open. Nothing was written.
    #[error("segment {segment_id} is open already")]
    SegmentOpen {
        /// The open segment.
        segment_id: SegmentId,
    },
    /// The commit appends to or seals a segment that is not the open one. Nothing was written.
    #[error("segment {segment_id} is not open")]
    SegmentNotOpen {
        /// The segment that was named.
        segment_id: SegmentId,
    },
    /// The segment id is taken. Nothing was written.
    #[error("segment {segment_id} exists already")]
    SegmentExists {
        /// The id.
        segment_id: SegmentId,
    },
    /// The commit does not continue the stream: wrong position, sequence, link, count or order of steps.
    /// Nothing was written.
    #[error("the commit does not continue the stream: {detail}")]
    Discontinuity {
        /// What does not follow.
        detail: String,
    },
    /// The store was opened for reading only. Nothing was written.
    #[error("the store is open for reading only")]
    ReadOnly,
    /// Too many operations wait for the writer. Nothing was written; try again later.
    #[error("the store's queue is full ({capacity} operations)")]
    QueueFull {
        /// How many may wait.
        capacity: usize,
    },
    /// An earlier commit failed; nothing is written until the store is opened again.
    #[error("the store stopped writing after a failed commit; open it again")]
    Latched,
    /// The commit was not confirmed and may have landed. Open the store again and look.
    #[error("the commit was not confirmed and may have landed")]
    OutcomeUnknown(#[source] Cause),
    /// Stored data contradicts itself. Nothing was written.
    #[error("the store is corrupt: {0}")]
    Corrupt(#[source] Corruption),
    /// The medium failed before the commit. Nothing was written.
    #[error("the store could not be written")]
    Storage(#[source] Cause),
}

/// Why a read gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Stored data contradicts itself.
    #[error("the store is corrupt: {0}")]
    Corrupt(#[from] Corruption),
    /// The medium failed.
    #[error("the store could not be read")]
    Storage(#[source] Cause),
    /// The writer's thread is gone.
    #[error("the store is closed")]
    Closed,
}
