//! Every SHA-256 preimage of the evidence format that is not a Merkle node (§1).
//!
//! The first byte says what it is, so that no preimage of one kind can be read as another. All fields but
//! the last have a fixed width, so that none can slide into its neighbour.

use recorder_core::hash::{
    AttachmentHash, ChainHash, ContentHash, GenesisHash, PartHash, PayloadCommitment, SealHash,
    sha256,
};
use recorder_core::time::RecordedAt;

/// First byte of a chain link's preimage.
const CHAIN_LINK: u8 = 0x02;

/// First byte of a payload commitment's preimage.
const PAYLOAD_COMMITMENT: u8 = 0x03;

/// Bytes of a payload's salt.
pub const SALT_BYTES: usize = 16;

/// `SHA-256(0x03 ‖ salt ‖ JCS(payload))`.
pub fn payload_commitment(salt: &[u8; SALT_BYTES], canonical_payload: &[u8]) -> PayloadCommitment {
    PayloadCommitment::from_bytes(sha256(&[&[PAYLOAD_COMMITMENT], salt, canonical_payload]))
}

/// `SHA-256(JCS(hashable view))`, the view given in contiguous pieces.
pub fn content_hash(canonical_view: &[&[u8]]) -> ContentHash {
    ContentHash::from_bytes(sha256(canonical_view))
}

/// `SHA-256(0x02 ‖ previous ‖ u64be(sequence) ‖ i64be(recorded_at) ‖ content_hash)`.
pub fn chain_hash(
    previous: &ChainHash,
    sequence: u64,
    recorded_at: RecordedAt,
    content_hash: &ContentHash,
) -> ChainHash {
    let mut preimage = [CHAIN_LINK; 81];
    preimage[1..33].copy_from_slice(previous.as_bytes());
    preimage[33..41].copy_from_slice(&sequence.to_be_bytes());
    preimage[41..49].copy_from_slice(&recorded_at.nanoseconds().to_be_bytes());
    preimage[49..].copy_from_slice(content_hash.as_bytes());
    ChainHash::from_bytes(sha256(&[&preimage]))
}

/// `SHA-256(JCS(genesis))`.
pub fn genesis_hash(canonical_genesis: &[u8]) -> GenesisHash {
    GenesisHash::from_bytes(sha256(&[canonical_genesis]))
}

/// What the first chain link of a segment follows: the genesis hash stands where a chain hash would.
pub fn chain_start(genesis_hash: &GenesisHash) -> ChainHash {
    ChainHash::from_bytes(*genesis_hash.as_bytes())
}

/// `SHA-256(JCS(seal))`.
pub fn seal_hash(canonical_seal: &[u8]) -> SealHash {
    SealHash::from_bytes(sha256(&[canonical_seal]))
}

/// SHA-256 of an attachment's bytes, bare.
pub fn attachment_hash(bytes: &[u8]) -> AttachmentHash {
    AttachmentHash::from_bytes(sha256(&[bytes]))
}

/// SHA-256 of a bundle part's bytes, bare.
pub fn part_hash(bytes: &[u8]) -> PartHash {
    PartHash::from_bytes(sha256(&[bytes]))
}
