//! Why no bundle was built.

use recorder_core::hash::{AttachmentHash, KeyId};
use recorder_store::{Corruption, ReadError};

use crate::succession::{BrokenRotation, SuccessionError};

/// Why no bundle was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The store holds nothing of this stream.
    #[error("the store has no stream {stream}")]
    NoSuchStream {
        /// The stream.
        stream: String,
    },
    /// The log is smaller than what the bundle is to be tied to.
    #[error("the log holds {size} envelopes, not {tree_size}")]
    BeyondLog {
        /// Envelopes that were asked for.
        tree_size: u64,
        /// Envelopes that there are.
        size: u64,
    },
    /// The stream promises signatures, and without one on its manifest the bundle would be broken.
    #[error("the stream promises signatures; build the bundle with the signer")]
    SignerRequired,
    /// The signer was rotated away: nobody would believe its manifest.
    #[error("the signer is not in force any more: the stream was rotated to key {key_id}")]
    SignerReplaced {
        /// The key in force.
        key_id: KeyId,
    },
    /// A rotation in the log does not hold.
    #[error(transparent)]
    RotationBroken(#[from] BrokenRotation),
    /// The stream promises checkpoints and none covers what is asked for.
    #[error("the stream promises checkpoints and none covers this; sign one first")]
    CheckpointRequired,
    /// No envelope matches; an empty bundle proves nothing.
    #[error("the selector selects no envelope")]
    NothingSelected,
    /// More than any verifier accepts.
    #[error("the selection has more than {count_max} {what}; select less")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The most that is allowed.
        count_max: u64,
    },
    /// A document would be larger than any reader accepts.
    #[error("the document would have more than {size_bytes_max} bytes; build an archive instead")]
    DocumentTooLarge {
        /// The most that is allowed.
        size_bytes_max: u64,
    },
    /// An attachment that an envelope refers to is not stored.
    #[error("attachment {content_hash} is not stored")]
    AttachmentMissing {
        /// The attachment.
        content_hash: AttachmentHash,
    },
    /// Stored data contradicts itself.
    #[error("the store is corrupt: {0}")]
    Corrupt(#[source] Corruption),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The spool or the output failed.
    #[error("the bundle could not be written: {0}")]
    Io(#[from] std::io::Error),
}

impl From<SuccessionError> for BuildError {
    fn from(error: SuccessionError) -> Self {
        match error {
            SuccessionError::Broken(broken) => Self::RotationBroken(broken),
            SuccessionError::Read(error) => Self::Read(error),
        }
    }
}

impl BuildError {
    pub(super) fn corrupt(place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Corrupt(Corruption { place: place.into(), detail: detail.into() })
    }
}
