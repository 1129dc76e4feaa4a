//! The proof that one envelope is in the log: RFC 6962 inclusion, under a signed checkpoint.

use recorder_core::hash::TreeHash;
use recorder_envelope::checkpoint::{CheckpointError, SignedCheckpoint};
use recorder_envelope::merkle::{self, ProofError};
use recorder_envelope::note::NoteSignatureError;
use recorder_envelope::signing::PublicKey;

/// Why a proof proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFault {
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is not signed by the key.
    #[error(transparent)]
    Signature(#[from] NoteSignatureError),
    /// The checkpoint is of another size than the proof.
    #[error("the checkpoint is of another size than the proof")]
    Size,
    /// The path does not lead to the checkpoint's root.
    #[error(transparent)]
    Path(#[from] ProofError),
}

/// That the leaf stands at `index` of the log that the checkpoint signs.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct InclusionProof {
    /// The leaf: `SHA-256(0x00 ‖ chain_hash)`.
    pub leaf: TreeHash,
    /// Its position.
    pub index: u64,
    /// Envelopes in the log.
    pub tree_size: u64,
    /// Siblings from the leaf to the root (RFC 6962 §2.1.1).
    pub path: Vec<TreeHash>,
    /// The checkpoint: a C2SP signed note.
    pub checkpoint: String,
}

impl InclusionProof {
    /// Checks the proof with nothing but the log's public key.
    ///
    /// # Errors
    ///
    /// `ProofFault` names what does not hold.
    pub fn verify(&self, key: &PublicKey) -> Result<(), ProofFault> {
        let checkpoint = SignedCheckpoint::parse(self.checkpoint.as_bytes())?;
        checkpoint.verify_log_signature(key)?;
        let body = checkpoint.checkpoint();
        if body.tree_size() != self.tree_size {
            return Err(ProofFault::Size);
        }
        merkle::verify_inclusion(&self.leaf, self.index, self.tree_size, &self.path, &body.root())?;
        Ok(())
    }
}
