//! Segments: the genesis that a chain starts from and the seal that ends it (evidence format §4).

use recorder_core::hash::{ChainHash, GenesisHash, SealHash, TreeHash};
use recorder_core::identity::{EnvelopeId, RecorderId, SegmentId, StreamId, TenantId};
use recorder_core::signature::Signature;
use recorder_core::time::RecordedAt;
use serde::{Deserialize, Serialize};

use crate::envelope::POSITION_MAX;
use crate::json::JsonLimits;
use crate::preimage;
use crate::wire::{self, CanonicalTime, HashAlgorithm, ObjectError};

/// A number that no segment can have.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{member} is beyond 2^40 - 1, or 0 where there must be one")]
pub struct OutOfRange {
    /// The member that holds it.
    pub member: &'static str,
}

/// What a stream promises about signatures. It never weakens within a stream.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningPromise {
    /// Nothing is promised.
    None,
    /// Seals and checkpoints are signed.
    Checkpoints,
    /// Seals, checkpoints and every envelope are signed.
    Envelopes,
}

/// The segment before, and how it ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// The segment before.
    pub segment_id: SegmentId,
    /// Its last chain hash.
    pub chain_head: ChainHash,
    /// The hash of its seal.
    pub seal_hash: SealHash,
}

/// How a segment begins.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "GenesisObject", into = "GenesisObject")]
pub struct SegmentGenesis {
    /// The segment.
    pub segment_id: SegmentId,
    /// The stream that it belongs to.
    pub stream: StreamId,
    /// From 0 within the stream.
    pub segment_index: u64,
    /// The position of its first envelope.
    pub first_position: u64,
    /// When it was opened.
    pub opened_at: RecordedAt,
    /// What is promised about signatures.
    pub signing: SigningPromise,
    /// The longest silence that is promised, in seconds; 0 promises nothing.
    pub heartbeat_seconds: u64,
    /// The segment before; only the first segment of a stream has none.
    pub predecessor: Option<Predecessor>,
}

/// The object as hashed and exported.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GenesisObject {
    first_position: u64,
    hash_algorithm: HashAlgorithm,
    heartbeat_seconds: u64,
    opened_at: CanonicalTime,
    #[serde(deserialize_with = "wire::required_option")]
    predecessor: Option<Predecessor>,
    recorder_id: RecorderId,
    segment_id: SegmentId,
    segment_index: u64,
    signing: SigningPromise,
    tenant_id: TenantId,
    #[serde(rename = "type")]
    kind: GenesisKind,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
enum GenesisKind {
    #[serde(rename = "recorder.segment-genesis/v1")]
    V1,
}

impl TryFrom<GenesisObject> for SegmentGenesis {
    type Error = OutOfRange;

    fn try_from(object: GenesisObject) -> Result<Self, OutOfRange> {
        check_range("first_position", object.first_position)?;
        check_range("segment_index", object.segment_index)?;
        check_range("heartbeat_seconds", object.heartbeat_seconds)?;
        Ok(Self {
            segment_id: object.segment_id,
            stream: StreamId { tenant_id: object.tenant_id, recorder_id: object.recorder_id },
            segment_index: object.segment_index,
            first_position: object.first_position,
            opened_at: object.opened_at.0,
            signing: object.signing,
            heartbeat_seconds: object.heartbeat_seconds,
            predecessor: object.predecessor,
        })
    }
}

impl From<SegmentGenesis> for GenesisObject {
    fn from(genesis: SegmentGenesis) -> Self {
        Self {
            first_position: genesis.first_position,
            hash_algorithm: HashAlgorithm::Sha256,
            heartbeat_seconds: genesis.heartbeat_seconds,
            opened_at: CanonicalTime(genesis.opened_at),
            predecessor: genesis.predecessor,
            recorder_id: genesis.stream.recorder_id,
            segment_id: genesis.segment_id,
            segment_index: genesis.segment_index,
            signing: genesis.signing,
            tenant_id: genesis.stream.tenant_id,
            kind: GenesisKind::V1,
        }
    }
}

fn check_range(member: &'static str, value: u64) -> Result<(), OutOfRange> {
    if value > POSITION_MAX { Err(OutOfRange { member }) } else { Ok(()) }
}

impl SegmentGenesis {
    /// Parses canonical bytes.
    ///
    /// # Errors
    ///
    /// `ObjectError` when the bytes are not the canonical form of a genesis.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, ObjectError> {
        wire::from_canonical(bytes, &JsonLimits::PAYLOAD)
    }

    /// The JCS bytes.
    pub fn to_canonical(&self) -> Vec<u8> {
        wire::canonical(self)
    }

    /// `SHA-256(JCS(genesis))`.
    pub fn hash(&self) -> GenesisHash {
        preimage::genesis_hash(&self.to_canonical())
    }
}

/// Why a segment was sealed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SealReason {
    /// It held as many envelopes as the policy allows.
    Count,
    /// It was open as long as the policy allows.
    Duration,
    /// Somebody asked for it.
    Manual,
    /// The signing key changes.
    KeyRotation,
    /// The recorder stops.
    Shutdown,
}

/// How a segment ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "SealObject", into = "SealObject")]
pub struct SegmentSeal {
    /// The segment.
    pub segment_id: SegmentId,
    /// The hash of its genesis.
    pub genesis_hash: GenesisHash,
    /// How many envelopes it holds, at least one.
    pub envelope_count: u64,
    /// Its last chain hash.
    pub chain_head: ChainHash,
    /// Its first envelope.
    pub first_envelope_id: EnvelopeId,
    /// Its last envelope.
    pub last_envelope_id: EnvelopeId,
    /// Why it was sealed.
    pub reason: SealReason,
    /// When it was sealed.
    pub sealed_at: RecordedAt,
    /// The size of the stream's Merkle log, this segment included.
    pub tree_size: u64,
    /// The root of the log at that size.
    pub root_hash: TreeHash,
}

/// The object as hashed and exported.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SealObject {
    chain_head: ChainHash,
    envelope_count: u64,
    first_envelope_id: EnvelopeId,
    genesis_hash: GenesisHash,
    last_envelope_id: EnvelopeId,
    reason: SealReason,
    root_hash: TreeHash,
    sealed_at: CanonicalTime,
    segment_id: SegmentId,
    tree_size: u64,
    #[serde(rename = "type")]
    kind: SealKind,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
enum SealKind {
    #[serde(rename = "recorder.segment-seal/v1")]
    V1,
}

impl TryFrom<SealObject> for SegmentSeal {
    type Error = OutOfRange;

    fn try_from(object: SealObject) -> Result<Self, OutOfRange> {
        check_range("envelope_count", object.envelope_count)?;
        if object.envelope_count == 0 {
            return Err(OutOfRange { member: "envelope_count" });
        }
        check_range("tree_size", object.tree_size)?;
        Ok(Self {
            segment_id: object.segment_id,
            genesis_hash: object.genesis_hash,
            envelope_count: object.envelope_count,
            chain_head: object.chain_head,
            first_envelope_id: object.first_envelope_id,
            last_envelope_id: object.last_envelope_id,
            reason: object.reason,
            sealed_at: object.sealed_at.0,
            tree_size: object.tree_size,
            root_hash: object.root_hash,
        })
    }
}

impl From<SegmentSeal> for SealObject {
    fn from(seal: SegmentSeal) -> Self {
        Self {
            chain_head: seal.chain_head,
            envelope_count: seal.envelope_count,
            first_envelope_id: seal.first_envelope_id,
            genesis_hash: seal.genesis_hash,
            last_envelope_id: seal.last_envelope_id,
            reason: seal.reason,
            root_hash: seal.root_hash,
            sealed_at: CanonicalTime(seal.sealed_at),
            segment_id: seal.segment_id,
            tree_size: seal.tree_size,
            kind: SealKind::V1,
        }
    }
}

impl SegmentSeal {
    /// Parses canonical bytes.
    ///
    /// # Errors
    ///
    /// `ObjectError` when the bytes are not the canonical form of a seal.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, ObjectError> {
        wire::from_canonical(bytes, &JsonLimits::PAYLOAD)
    }

    /// The JCS bytes.
    pub fn to_canonical(&self) -> Vec<u8> {
        wire::canonical(self)
    }

    /// `SHA-256(JCS(seal))`.
    pub fn hash(&self) -> SealHash {
        preimage::seal_hash(&self.to_canonical())
    }
}

/// A seal with its signature: the bundle's `seal.json`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignedSeal {
    /// The seal.
    pub seal: SegmentSeal,
    /// The signature over its hash, where a signer is configured.
    #[serde(deserialize_with = "wire::required_option")]
    pub signature: Option<Signature>,
}

impl SignedSeal {
    /// Parses canonical bytes.
    ///
    /// # Errors
    ///
    /// `ObjectError` when the bytes are not the canonical form of a signed seal.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, ObjectError> {
        wire::from_canonical(bytes, &JsonLimits::PAYLOAD)
    }

    /// The JCS bytes.
    pub fn to_canonical(&self) -> Vec<u8> {
        wire::canonical(self)
    }
}
