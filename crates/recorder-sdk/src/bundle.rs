//! Bundles as the facade hands them out.

use recorder_core::hash::SealHash;
use recorder_core::identity::{BundleId, SegmentId};
use recorder_core::time::RecordedAt;

/// A bundle in memory: the archive, ready to be written to a file or sent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Bundle {
    /// Its name: derived from its manifest, so that equal content has an equal name.
    pub bundle_id: BundleId,
    /// Envelopes in it.
    pub envelope_count: u64,
    /// The size of the log that it is tied to.
    pub tree_size: u64,
    /// The bytes of the archive.
    pub bytes: Vec<u8>,
}

/// A sealed segment, whose bundle can be fetched by the segment's id for ever, as the same bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SealedBundle {
    /// What `fetch_bundle` takes.
    pub segment_id: SegmentId,
    /// The segment's place among the stream's, from 0.
    pub segment_index: u64,
    /// Envelopes in it.
    pub envelope_count: u64,
    /// When it was sealed.
    pub sealed_at: RecordedAt,
    /// The hash of its seal.
    pub seal_hash: SealHash,
}
