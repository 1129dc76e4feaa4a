//! What goes into a store and comes out of it.

use std::sync::Arc;

use recorder_core::hash::{ChainHash, RequestHash, TreeHash};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::time::RecordedAt;
use recorder_envelope::attachment::Attachment;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::TileCoordinates;
use recorder_envelope::segment::{SegmentGenesis, SignedSeal};

/// What the writer believes the stream's end to be. A commit lands only where it is still true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExpectedHead {
    /// Envelopes in the stream.
    pub next_position: u64,
    /// The last chain hash; `None` in a stream without envelopes.
    pub chain_head: Option<ChainHash>,
    /// The open segment.
    pub open_segment: Option<SegmentId>,
}

/// One change of a stream. Steps land in order, all or none.
#[derive(Clone, Debug)]
pub enum Step {
    /// Opens a segment.
    Open(SegmentGenesis),
    /// Appends envelopes to the open segment. They are shared with the caller, who gets them back if the commit is refused.
    Append(Arc<Vec<SealedEnvelope>>),
    /// Seals the open segment.
    Seal(SignedSeal),
    /// Keeps a checkpoint: none smaller than the one before, and of one size only with one root.
    Checkpoint(StoredCheckpoint),
}

/// A full tile of the stream's Merkle log: 256 hashes, written once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tile {
    /// Its place.
    pub coordinates: TileCoordinates,
    /// Its hashes.
    pub hashes: Vec<TreeHash>,
}

/// A signed note over the log of a stream at one size.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredCheckpoint {
    /// The size of the log.
    pub tree_size: u64,
    /// The root at that size.
    pub root_hash: TreeHash,
    /// The whole note as signed, its cosignatures included.
    pub note: String,
}

/// A request that was answered, and where its envelopes stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClaimRecord {
    /// The key that the request came under.
    pub key: IdempotencyKey,
    /// What the request was.
    pub request_hash: RequestHash,
    /// When it was recorded.
    pub recorded_at: RecordedAt,
    /// The positions of its envelopes, in its own order; at most `BATCH_ENVELOPES_MAX`.
    pub positions: Vec<u64>,
}

/// What a commit remembers of the requests that it answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims {
    /// The requests. Their keys must be new, or older than `forget_before`.
    pub records: Vec<ClaimRecord>,
    /// Records from before this time may be forgotten, and count as if they were not there.
    pub forget_before: RecordedAt,
    /// Records of the stream that are kept; of more the oldest are forgotten.
    pub count_max: u64,
}

/// One transaction on one stream.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The stream; it is created by its first commit.
    pub stream: StreamId,
    /// Where the stream must stand.
    pub expected: ExpectedHead,
    /// What changes.
    pub steps: Vec<Step>,
    /// Attachment bytes that the appended envelopes refer to; bytes stored before are not stored twice.
    pub attachments: Vec<Attachment>,
    /// The tiles that become full, all of them, as `full_tiles_completed` lists them.
    pub tiles: Vec<Tile>,
    /// The requests that it answers. A commit may consist of nothing else.
    pub claims: Option<Claims>,
}

impl Commit {
    /// The envelopes that it appends, in order.
    pub fn envelopes(&self) -> impl Iterator<Item = &SealedEnvelope> {
        self.steps.iter().flat_map(|step| match step {
            Step::Append(envelopes) => envelopes.as_slice(),
            _ => &[],
        })
    }

    /// The requests that it answers.
    pub fn claim_records(&self) -> &[ClaimRecord] {
        self.claims.as_ref().map_or(&[], |claims| &claims.records)
    }
}

/// The open segment of a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenSegment {
    /// How it begins.
    pub genesis: SegmentGenesis,
    /// Envelopes that it holds.
    pub envelope_count: u64,
    /// The id of its first envelope, if there is one.
    pub first_envelope_id: Option<EnvelopeId>,
    /// The id of its last envelope, if there is one.
    pub last_envelope_id: Option<EnvelopeId>,
}

/// Where a stream stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamHead {
    /// Envelopes in the stream, which is the position of the next.
    pub next_position: u64,
    /// The last chain hash; `None` in a stream without envelopes.
    pub chain_head: Option<ChainHash>,
    /// When the last envelope was recorded.
    pub last_recorded_at: Option<RecordedAt>,
    /// Segments in the stream, open and sealed.
    pub segment_count: u64,
    /// The open segment.
    pub open_segment: Option<OpenSegment>,
    /// The last sealed segment.
    pub last_sealed: Option<SegmentRecord>,
    /// The newest checkpoint.
    pub checkpoint: Option<StoredCheckpoint>,
}

impl StreamHead {
    /// Where a stream stands that has never been written.
    pub const EMPTY: Self = Self {
        next_position: 0,
        chain_head: None,
        last_recorded_at: None,
        segment_count: 0,
        open_segment: None,
        last_sealed: None,
        checkpoint: None,
    };

    /// What a commit on this head must expect.
    pub fn expected(&self) -> ExpectedHead {
        ExpectedHead {
            next_position: self.next_position,
            chain_head: self.chain_head,
            open_segment: self.open_segment.as_ref().map(|open| open.genesis.segment_id),
        }
    }
}

/// A segment as stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SegmentRecord {
    /// How it begins.
    pub genesis: SegmentGenesis,
    /// Envelopes that it holds.
    pub envelope_count: u64,
    /// Its last chain hash; `None` while it is empty.
    pub chain_head: Option<ChainHash>,
    /// How it ended; `None` while it is open.
    pub seal: Option<SignedSeal>,
}
