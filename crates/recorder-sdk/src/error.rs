//! Why something was not done, one enum an operation, by whose fault it is.

use recorder_core::filter::FilterError;
use recorder_core::identity::{EnvelopeId, IdentityError, SegmentId};
use recorder_envelope::envelope::ParentIdsError;
use recorder_envelope::json::JsonError;
use recorder_envelope::trust_root::TrustRootError;
use recorder_store::ReadError;

/// Why no recorder was opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The recorder's id, the tenant or the log's name breaks its rule.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No store was chosen. Evidence is never kept in memory by default.
    #[error("no store was chosen; call store()")]
    StoreMissing,
    /// Every envelope is to be signed, and there is no signer.
    #[error("sign_envelopes needs a signer")]
    SignerMissing,
    /// The database could not be opened or made.
    #[error(transparent)]
    Store(#[from] recorder_store::OpenError),
    /// What is stored is not continued.
    #[error(transparent)]
    Engine(#[from] recorder::OpenError),
}

/// Why an event is no envelope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// An identifier breaks its rule.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The payload cannot be written as JSON.
    #[error("payload: {0}")]
    Serialize(#[source] serde_json::Error),
    /// The payload is no JSON object, or breaks a rule of I-JSON.
    #[error("payload: {0}")]
    Payload(#[from] JsonError),
    /// The parents break a rule.
    #[error(transparent)]
    Parents(#[from] ParentIdsError),
    /// The attachments break a rule.
    #[error(transparent)]
    Attachments(#[from] recorder_envelope::attachment::AttachmentError),
}

/// Why events were not recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// An event breaks a rule; nothing was written.
    #[error("event {index}: {source}")]
    Event {
        /// Its place in the batch.
        index: usize,
        /// The rule.
        #[source]
        source: EventError,
    },
    /// The commit was not confirmed and may have landed. Build the recorder again and record the same events under
    /// these ids: what landed is answered as replayed.
    #[error(
        "the commit was not confirmed and may have landed; build the recorder again and repeat under the same ids"
    )]
    Unconfirmed {
        /// The ids that the events were given, in order.
        envelope_ids: Vec<EnvelopeId>,
        /// What happened.
        #[source]
        source: recorder::AppendError,
    },
    /// The engine refused; nothing was written.
    #[error(transparent)]
    Append(recorder::AppendError),
}

/// Why no page was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The filter, the page or the cursor was refused.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The store could not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<recorder::query::QueryError> for QueryError {
    fn from(error: recorder::query::QueryError) -> Self {
        match error {
            recorder::query::QueryError::Filter(error) => Self::Filter(error),
            recorder::query::QueryError::Read(error) => Self::Read(error),
        }
    }
}

/// Why no bundle was built, listed or judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A list of no bundles, or of more than allowed.
    #[error("a list has 1 to {count_max} bundles")]
    ListSize {
        /// The most that is allowed.
        count_max: usize,
    },
    /// The stream has no such segment.
    #[error("the stream has no segment {segment_id}")]
    NoSuchSegment {
        /// The segment.
        segment_id: SegmentId,
    },
    /// The segment is still open.
    #[error("segment {segment_id} is open; its bundle exists once it is sealed")]
    NotSealed {
        /// The segment.
        segment_id: SegmentId,
    },
    /// More envelopes than are held in memory.
    #[error("segment {segment_id} has {count} envelopes; at most {count_max} are read into memory")]
    TooManyEnvelopes {
        /// The segment.
        segment_id: SegmentId,
        /// The envelopes that it has.
        count: u64,
        /// The most that is allowed.
        count_max: u64,
    },
    /// No checkpoint could be signed.
    #[error(transparent)]
    Checkpoint(#[from] recorder::SealError),
    /// The bundle could not be built.
    #[error(transparent)]
    Build(#[from] recorder::bundle::BuildError),
    /// The bundle could not be judged.
    #[error(transparent)]
    Verify(#[from] recorder_verify::VerifyError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The stream has no such envelope.
    #[error("the stream has no envelope {envelope_id}")]
    NoSuchEnvelope {
        /// The envelope.
        envelope_id: EnvelopeId,
    },
    /// No checkpoint covers the envelope and none could be signed.
    #[error(transparent)]
    Checkpoint(#[from] recorder::SealError),
    /// The stored log contradicts itself.
    #[error("the log is corrupt: {detail}")]
    Corrupt {
        /// What is wrong.
        detail: String,
    },
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a key makes no trust root.
pub(crate) type TrustError = TrustRootError;
