//! C2SP `tlog-proof` v1: that one envelope is in a log, as a file that needs no store and no bundle; and the body of
//! C2SP `tlog-witness`, that a later checkpoint extends an earlier one.
//!
//! Nothing but hashes is disclosed. The `extra` line holds what leads from an envelope's content hash to the leaf; it is
//! authenticated only because the leaf that it gives must lie under the signed root. Whose signature counts is for the
//! caller, who knows whom to believe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recorder_core::hash::{ChainHash, ContentHash, DIGEST_BYTES, TreeHash};
use recorder_core::limits::CHECKPOINT_BYTES_MAX;
use recorder_core::time::RecordedAt;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::envelope::POSITION_MAX;
use crate::json::JsonLimits;
use crate::line::EnvelopeLine;
use crate::merkle::{self, ProofError, TREE_SIZE_MAX};
use crate::preimage;
use crate::wire::{self, CanonicalTime, ObjectError};

/// The first line of a proof of inclusion.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The extension of a file with a proof of inclusion.
pub const EXTENSION: &str = "tlog-proof";

/// Bytes of the longest proof: a checkpoint, 126 hashes and what leads to the leaf.
pub const PROOF_BYTES_MAX: u64 = CHECKPOINT_BYTES_MAX + (16 << 10);

/// Bytes of `extra`, decoded. What this project writes has a third of it.
pub const EXTRA_BYTES_MAX: usize = 1 << 10;

/// Hashes of the longest path: a proof of consistency in the largest tree.
const HASHES_MAX: usize = 2 * (TREE_SIZE_MAX.ilog2() as usize) + 2;

/// Why bytes are not a proof.
#[derive(Debug, thiserror::Error)]
pub enum TlogProofError {
    /// Larger than any.
    #[error("a proof has at most {PROOF_BYTES_MAX} bytes")]
    TooLarge,
    /// Not UTF-8, or not the lines of a proof in their order.
    #[error("not the lines of a proof in their order")]
    Shape,
    /// A number is not decimal without leading zeroes, or too large.
    #[error("a number is decimal without leading zeroes")]
    Number,
    /// A line that must be the base64 of a hash is not.
    #[error("a hash is 32 bytes in canonical base64")]
    Hash,
    /// More hashes than any log needs.
    #[error("a proof has at most {HASHES_MAX} hashes")]
    TooManyHashes,
    /// `extra` is not canonical base64 of 1 to `EXTRA_BYTES_MAX` bytes.
    #[error("extra data is 1 to {EXTRA_BYTES_MAX} bytes in canonical base64")]
    Extra,
    /// The checkpoint is malformed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// A proof of inclusion. Parsing it verifies nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InclusionProof {
    extra: Option<Vec<u8>>,
    index: u64,
    path: Vec<TreeHash>,
    checkpoint: SignedCheckpoint,
}

impl InclusionProof {
    /// Joins the parts of a proof.
    ///
    /// # Errors
    ///
    /// `Extra`, `Number` or `TooManyHashes` for parts that no proof has.
    pub fn new(
        extra: Option<Vec<u8>>,
        index: u64,
        path: Vec<TreeHash>,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self, TlogProofError> {
        if extra.as_ref().is_some_and(|extra| extra.is_empty() || extra.len() > EXTRA_BYTES_MAX) {
            return Err(TlogProofError::Extra);
        }
        if index > TREE_SIZE_MAX {
            return Err(TlogProofError::Number);
        }
        if path.len() > HASHES_MAX {
            return Err(TlogProofError::TooManyHashes);
        }
        Ok(Self { extra, index, path, checkpoint })
    }

    /// Reads a proof. `render` gives the same bytes back.
    ///
    /// # Errors
    ///
    /// `TlogProofError`, by what is wrong first.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        let (mut lines, checkpoint) = split(bytes)?;
        if lines.next() != Some(HEADER) {
            return Err(TlogProofError::Shape);
        }
        let mut line = lines.next().ok_or(TlogProofError::Shape)?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(encoded).map_err(|_| TlogProofError::Extra)?);
            line = lines.next().ok_or(TlogProofError::Shape)?;
        }
        let index = line.strip_prefix("index ").ok_or(TlogProofError::Shape)?;
        let index = parse_number(index)?;
        Self::new(extra, index, parse_hashes(lines)?, checkpoint)
    }

    /// The proof as it is stored and sent.
    pub fn render(&self) -> String {
        let extra = self.extra.as_ref().map(|extra| format!("extra {}\n", STANDARD.encode(extra)));
        format!(
            "{HEADER}\n{}index {}\n{}\n{}",
            extra.unwrap_or_default(),
            self.index,
            render_hashes(&self.path),
            self.checkpoint.render()
        )
    }

    /// The opaque data that leads to the leaf.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The position that is proven.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The hashes from the leaf's sibling to the root's child.
    pub fn path(&self) -> &[TreeHash] {
        &self.path
    }

    /// The checkpoint, of which no signature is verified yet.
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Checks that `leaf` stands at the index under the checkpoint's root. The checkpoint's signature is another matter.
    ///
    /// # Errors
    ///
    /// `ProofError`, by what is wrong first.
    pub fn verify(&self, leaf: &TreeHash) -> Result<(), ProofError> {
        let body = self.checkpoint.checkpoint();
        merkle::verify_inclusion(leaf, self.index, body.tree_size(), &self.path, &body.root())
    }
}

/// A proof that the log under a checkpoint extends one of an earlier size. Parsing it verifies nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConsistencyProof {
    old_size: u64,
    path: Vec<TreeHash>,
    checkpoint: SignedCheckpoint,
}

impl ConsistencyProof {
    /// Joins the parts of a proof.
    ///
    /// # Errors
    ///
    /// `Number` or `TooManyHashes` for parts that no proof has.
    pub fn new(
        old_size: u64,
        path: Vec<TreeHash>,
        checkpoint: SignedCheckpoint,
    ) -> Result<Self, TlogProofError> {
        if old_size > TREE_SIZE_MAX {
            return Err(TlogProofError::Number);
        }
        if path.len() > HASHES_MAX {
            return Err(TlogProofError::TooManyHashes);
        }
        Ok(Self { old_size, path, checkpoint })
    }

    /// Reads a proof. `render` gives the same bytes back.
    ///
    /// # Errors
    ///
    /// `TlogProofError`, by what is wrong first.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        let (mut lines, checkpoint) = split(bytes)?;
        let old_size = lines.next().and_then(|line| line.strip_prefix("old "));
        let old_size = parse_number(old_size.ok_or(TlogProofError::Shape)?)?;
        Self::new(old_size, parse_hashes(lines)?, checkpoint)
    }

    /// The proof as it is stored and sent to witnesses.
    pub fn render(&self) -> String {
        let hashes = render_hashes(&self.path);
        format!("old {}\n{hashes}\n{}", self.old_size, self.checkpoint.render())
    }

    /// The earlier size.
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The checkpoint of the later size, of which no signature is verified yet.
    pub const fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// Checks that the log under the checkpoint begins with the one of the earlier size, whose root is `old_root`.
    ///
    /// # Errors
    ///
    /// `ProofError`, by what is wrong first.
    pub fn verify(&self, old_root: &TreeHash) -> Result<(), ProofError> {
        let body = self.checkpoint.checkpoint();
        let (size, root) = (body.tree_size(), body.root());
        merkle::verify_consistency(self.old_size, old_root, size, &root, &self.path)
    }
}

/// The lines before the first empty one, and the checkpoint after it.
fn split(bytes: &[u8]) -> Result<(std::str::Split<'_, char>, SignedCheckpoint), TlogProofError> {
    if bytes.len() as u64 > PROOF_BYTES_MAX {
        return Err(TlogProofError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| TlogProofError::Shape)?;
    let (lines, checkpoint) = text.split_once("\n\n").ok_or(TlogProofError::Shape)?;
    Ok((lines.split('\n'), SignedCheckpoint::parse(checkpoint.as_bytes())?))
}

fn parse_number(text: &str) -> Result<u64, TlogProofError> {
    let number: u64 = text.parse().map_err(|_| TlogProofError::Number)?;
    if number.to_string() == text { Ok(number) } else { Err(TlogProofError::Number) }
}

fn parse_hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<TreeHash>, TlogProofError> {
    let hash = |line: &str| {
        let bytes = STANDARD.decode(line).map_err(|_| TlogProofError::Hash)?;
        let bytes = <[u8; DIGEST_BYTES]>::try_from(bytes).map_err(|_| TlogProofError::Hash)?;
        Ok(TreeHash::from_bytes(bytes))
    };
    lines.map(hash).collect()
}

fn render_hashes(hashes: &[TreeHash]) -> String {
    hashes.iter().map(|hash| STANDARD.encode(hash.as_bytes()) + "\n").collect()
}

/// What leads from an envelope's content hash to its leaf: the preimage of its chain hash.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "LinkObject", into = "LinkObject")]
pub struct ChainLink {
    /// The hash of the envelope's hashable view.
    pub content_hash: ContentHash,
    /// The chain hash before it, or the genesis hash.
    pub previous: ChainHash,
    /// When it was recorded.
    pub recorded_at: RecordedAt,
    /// Its number in its segment.
    pub sequence: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct LinkObject {
    content_hash: ContentHash,
    previous: ChainHash,
    recorded_at: CanonicalTime,
    sequence: u64,
    #[serde(rename = "type")]
    kind: LinkKind,
}

#[derive(Deserialize, Serialize)]
enum LinkKind {
    #[serde(rename = "recorder.chain-link/v1")]
    V1,
}

/// A sequence that no segment has.
#[derive(Debug, thiserror::Error)]
#[error("the sequence is larger than any")]
struct SequenceTooLarge;

impl TryFrom<LinkObject> for ChainLink {
    type Error = SequenceTooLarge;

    fn try_from(object: LinkObject) -> Result<Self, SequenceTooLarge> {
        if object.sequence > POSITION_MAX {
            return Err(SequenceTooLarge);
        }
        Ok(Self {
            content_hash: object.content_hash,
            previous: object.previous,
            recorded_at: object.recorded_at.0,
            sequence: object.sequence,
        })
    }
}

impl From<ChainLink> for LinkObject {
    fn from(link: ChainLink) -> Self {
        Self {
            content_hash: link.content_hash,
            previous: link.previous,
            recorded_at: CanonicalTime(link.recorded_at),
            sequence: link.sequence,
            kind: LinkKind::V1,
        }
    }
}

/// Why an envelope is not the one that a proof is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OtherEnvelope {
    /// Its payload is not the one that it commits to.
    #[error("the envelope's payload is not the one that it commits to")]
    Payload,
    /// Its content has another hash than the one proven.
    #[error("the envelope's content is not the one that is proven")]
    Content,
    /// It states another place or time of recording than the one proven.
    #[error(
        "the envelope states another place, time of recording or chain hash than the ones proven"
    )]
    Place,
}

impl ChainLink {
    /// Reads what stands in `extra`.
    ///
    /// # Errors
    ///
    /// `ObjectError` when the bytes are not the canonical form of a link.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, ObjectError> {
        wire::from_canonical(bytes, &JsonLimits::PAYLOAD)
    }

    /// What stands in `extra`.
    pub fn to_canonical(&self) -> Vec<u8> {
        wire::canonical(self)
    }

    /// The chain hash, which is the entry of the log.
    pub fn chain_hash(&self) -> ChainHash {
        let Self { content_hash, previous, recorded_at, sequence } = self;
        preimage::chain_hash(previous, *sequence, *recorded_at, content_hash)
    }

    /// The leaf of the log.
    pub fn leaf(&self) -> TreeHash {
        merkle::leaf_hash(&self.chain_hash())
    }

    /// Checks that `line` is the envelope at `position` that this link is about. Which segment it states is not covered,
    /// nor its signature.
    ///
    /// # Errors
    ///
    /// `OtherEnvelope`, by what is wrong first.
    pub fn check(&self, position: u64, line: &EnvelopeLine<'_>) -> Result<(), OtherEnvelope> {
        if line.computed_commitment().is_some_and(|found| found != line.payload_commitment) {
            return Err(OtherEnvelope::Payload);
        }
        let stated_otherwise = line.content_hash != self.content_hash;
        if stated_otherwise || line.computed_content_hash() != self.content_hash {
            return Err(OtherEnvelope::Content);
        }
        let place = &line.place;
        let stated = (place.position, place.sequence, place.recorded_at, line.chain_hash);
        if stated != (position, self.sequence, self.recorded_at, self.chain_hash()) {
            return Err(OtherEnvelope::Place);
        }
        Ok(())
    }
}
