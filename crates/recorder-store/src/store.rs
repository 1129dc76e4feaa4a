//! The contract that every store keeps; one conformance suite holds all of them to it.

use std::ops::{ControlFlow, Range};

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{AttachmentHash, ChainHash, TreeHash};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::TileCoordinates;

use crate::error::{CommitError, Corruption, ReadError};
use crate::record::{ClaimRecord, Commit, SegmentRecord, StoredCheckpoint, StreamHead};

/// Keeps the streams of one recorder.
///
/// **Durability.** `commit` returns only when the transaction would survive a power cut (unless the store was
/// opened with weaker settings, which `durability` then says). **Atomicity.** A commit lands whole or not at
/// all. **Continuity.** A commit lands only where the stream stands as `expected`; within it every envelope
/// follows the one before by position, sequence and chain hash. **Retry.** After `OutcomeUnknown` the
/// store writes nothing more until it is opened again; the caller then looks whether its envelopes are there.
/// **Concurrency.** All methods may be called from any thread. Reads never wait for a commit and see whole
/// commits only. **Immutability.** Nothing that was committed is ever changed or removed, but for
/// the memory of requests, which is no evidence: `Claims` says what may be forgotten.
pub trait Store: Send + Sync {
    /// Writes one transaction.
    ///
    /// # Errors
    ///
    /// `CommitError`; only `OutcomeUnknown` may have written something.
    fn commit(&self, commit: Commit) -> Result<(), CommitError>;

    /// How much a return of `commit` promises: `"fsync"` or `"process"`.
    fn durability(&self) -> &'static str;

    /// The streams, sorted by tenant, then recorder.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer.
    fn streams(&self) -> Result<Vec<StreamId>, ReadError>;

    /// Where `stream` stands; `None` when it has never been written.
    ///
    /// # Errors
    ///
    /// `ReadError`; more than one open segment is `Corrupt`, never a choice.
    fn head(&self, stream: &StreamId) -> Result<Option<StreamHead>, ReadError>;

    /// The segments of `stream` with an index in `indexes`, in order: by index, that is by creation.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer.
    fn segments(
        &self,
        stream: &StreamId,
        indexes: Range<u64>,
    ) -> Result<Vec<SegmentRecord>, ReadError>;

    /// One segment by its id.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer.
    fn segment(
        &self,
        stream: &StreamId,
        segment_id: SegmentId,
    ) -> Result<Option<SegmentRecord>, ReadError>;

    /// One envelope by its id.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer.
    fn envelope(
        &self,
        stream: &StreamId,
        envelope_id: EnvelopeId,
    ) -> Result<Option<SealedEnvelope>, ReadError>;

    /// Visits the envelopes that match `filter` at `positions`, by position, until `visit` breaks.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer.
    fn scan(
        &self,
        stream: &StreamId,
        filter: &EnvelopeFilter,
        positions: Range<u64>,
        visit: &mut dyn FnMut(SealedEnvelope) -> ControlFlow<()>,
    ) -> Result<(), ReadError>;

    /// The chain hashes at `positions`, all of which must be stored.
    ///
    /// # Errors
    ///
    /// `ReadError`; a position that is missing is `Corrupt`.
    fn chain_hashes(
        &self,
        stream: &StreamId,
        positions: Range<u64>,
    ) -> Result<Vec<ChainHash>, ReadError>;

    /// A full tile of the stream's Merkle log: 256 hashes.
    ///
    /// # Errors
    ///
    /// `ReadError`; a tile that is missing is `Corrupt`.
    fn tile(&self, stream: &StreamId, tile: TileCoordinates) -> Result<Vec<TreeHash>, ReadError>;

    /// The bytes of an attachment.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer.
    fn attachment(&self, content_hash: &AttachmentHash) -> Result<Option<Vec<u8>>, ReadError>;

    /// The oldest checkpoint of `stream` of at least `tree_size_min`, and of several of that size the newest. The
    /// newest of all stands in the head.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer.
    fn checkpoint(
        &self,
        stream: &StreamId,
        tree_size_min: u64,
    ) -> Result<Option<StoredCheckpoint>, ReadError>;

    /// The request of `stream` that is remembered under `key`, however old it is.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer.
    fn claim(
        &self,
        stream: &StreamId,
        key: &IdempotencyKey,
    ) -> Result<Option<ClaimRecord>, ReadError>;

    /// Reads the whole medium for faults below the evidence: pages, indexes, references, attachment hashes.
    ///
    /// # Errors
    ///
    /// `ReadError` when the store cannot answer; what is wrong with the data is in the list.
    fn check_medium(&self) -> Result<Vec<Corruption>, ReadError>;
}
