//! What a caller gets for an envelope or a seal that is durable.

use recorder_core::hash::{ChainHash, ContentHash, PayloadCommitment, SealHash, TreeHash};
use recorder_core::identity::{EnvelopeId, SegmentId};
use recorder_core::time::RecordedAt;
use recorder_envelope::envelope::SealedEnvelope;
use serde::Serialize;

/// Proof of recording: given only after the commit returned.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Receipt {
    /// The envelope.
    pub envelope_id: EnvelopeId,
    /// Its segment.
    pub segment_id: SegmentId,
    /// From 0 within the segment.
    pub sequence: u64,
    /// From 0 within the stream.
    pub position: u64,
    /// When it was sealed.
    pub recorded_at: RecordedAt,
    /// The commitment to its payload.
    pub payload_commitment: PayloadCommitment,
    /// The hash of what it says.
    pub content_hash: ContentHash,
    /// The hash of that and of all that came before.
    pub chain_hash: ChainHash,
    /// What the store promises: `fsync` survives a power cut, `process` only the end of the process.
    pub durability: &'static str,
    /// Whether the envelope was in the stream already, with equal content.
    pub replayed: bool,
}

impl Receipt {
    /// The receipt of `envelope`.
    pub(crate) fn new(envelope: &SealedEnvelope, durability: &'static str, replayed: bool) -> Self {
        Self {
            envelope_id: envelope.fields.envelope_id,
            segment_id: envelope.place.segment_id,
            sequence: envelope.place.sequence,
            position: envelope.place.position,
            recorded_at: envelope.place.recorded_at,
            payload_commitment: envelope.payload_commitment,
            content_hash: envelope.content_hash,
            chain_hash: envelope.chain_hash,
            durability,
            replayed,
        }
    }
}

/// Proof of sealing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SealReceipt {
    /// The segment.
    pub segment_id: SegmentId,
    /// Envelopes that it holds.
    pub envelope_count: u64,
    /// Its last chain hash.
    pub chain_head: ChainHash,
    /// The hash of its seal.
    pub seal_hash: SealHash,
    /// The size of the stream's Merkle log.
    pub tree_size: u64,
    /// The root at that size.
    pub root_hash: TreeHash,
    /// Whether the seal carries a signature.
    pub signed: bool,
}
