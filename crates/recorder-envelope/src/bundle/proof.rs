//! Lines of `proofs/000000.jsonl`: what ties an incomplete selection to the log.
//!
//! All gap anchors stand first, by position; then all inclusion paths, by position. There is a gap anchor for
//! each maximal run of omitted envelopes within a segment that the bundle holds something of, and an inclusion
//! path for the first and the last envelope of each maximal run of included positions (one path where they
//! are the same). A bundle that holds the whole log from position 0 has no such part.

use recorder_core::hash::{ChainHash, TreeHash};
use recorder_core::identity::SegmentId;
use serde::{Deserialize, Serialize};

use crate::wire;

/// One canonical JSON object a line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ProofLine {
    /// A run of omitted envelopes: the chain resumes after the last of them.
    Gap {
        /// The segment.
        segment_id: SegmentId,
        /// The sequence of the last omitted envelope.
        after_sequence: u64,
        /// The chain hash of the last omitted envelope.
        chain_hash: ChainHash,
    },
    /// The RFC 6962 inclusion path of one included envelope.
    Inclusion {
        /// Its position in the stream, which is its index in the log.
        position: u64,
        /// The sibling hashes, from leaf to root.
        path: Vec<TreeHash>,
    },
}

impl ProofLine {
    /// The JCS bytes, without a line end.
    pub fn to_canonical(&self) -> Vec<u8> {
        wire::canonical(self)
    }
}
