//! `proof verify`: whether a proof holds, offline, by a key that the caller names.
//!
//! As with bundles, no configuration file is read. Cosignatures of witnesses are not checked here, and said not to be.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use recorder_core::hash::{ContentHash, KeyId, TreeHash};
use recorder_core::limits::{CHECKPOINT_BYTES_MAX, LINE_BYTES_MAX, TRUST_ROOT_BYTES_MAX};
use recorder_core::time::RecordedAt;
use recorder_envelope::checkpoint::{SignedCheckpoint, is_of_stream};
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::signing::PublicKey;
use recorder_envelope::tlog_proof::{
    ChainLink, ConsistencyProof, HEADER, InclusionProof, PROOF_BYTES_MAX,
};
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Page, Tone};

/// Checks a proof. Exits with 0 if it holds, 3 if it does not.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("whom").required(true))]
pub(crate) struct Verify {
    /// The proof
    file: PathBuf,
    /// The log's public key, 64 hex digits
    #[arg(long, value_name = "HEX", group = "whom")]
    checkpoint_key: Option<String>,
    /// The keys that you believe
    #[arg(long, value_name = "FILE", group = "whom")]
    trust_root: Option<PathBuf>,
    /// The name that the log must have, the first line of its checkpoints [default: any that the key signs for]
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// The envelope that must be the one that is proven: its line, as in a bundle
    #[arg(long, value_name = "FILE", conflicts_with = "known_head")]
    envelope: Option<PathBuf>,
    /// For a proof of consistency: the earlier checkpoint, which you hold from elsewhere
    #[arg(long, value_name = "FILE")]
    known_head: Option<PathBuf>,
}

/// What was proven, or why nothing was.
#[derive(Default, Serialize)]
struct Verified {
    valid: bool,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    origin: Option<String>,
    tree_size: Option<u64>,
    root_hash: Option<TreeHash>,
    key_id: Option<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<ContentHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_at: Option<RecordedAt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope_matched: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_size: Option<u64>,
}

impl Answer for Verified {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        match &self.fault {
            Some(fault) => {
                page.pieces(&[(Tone::Bad, "INVALID: "), (Tone::Plain, fault)])?;
                return page.line("Nothing is proven by this.");
            }
            None => page.pieces(&[(Tone::Good, "VALID")])?,
        }
        page.field("proof of", self.kind)?;
        let mut field = |name, value: Option<String>| match value {
            Some(value) => page.field(name, &value),
            None => Ok(()),
        };
        field("log", self.origin.clone())?;
        field("log size", self.tree_size.map(|size| size.to_string()))?;
        field("signed by", self.key_id.map(|key_id| key_id.to_string()))?;
        field("position", self.position.map(|position| position.to_string()))?;
        field("content hash", self.content_hash.map(|hash| hash.to_string()))?;
        field(
            "recorded at",
            self.recorded_at.map(|time| format!("{time}, by the recorder's clock")),
        )?;
        field("extends size", self.from_size.map(|size| size.to_string()))?;
        page.line("")?;
        page.line(self.meaning())
    }
}

impl Verified {
    fn meaning(&self) -> &'static str {
        match (self.kind, self.envelope_matched) {
            ("inclusion", Some(true)) => {
                "this very envelope is in the log at that position; not proven: the segment that it names, and what \
                 others have cosigned"
            }
            ("inclusion", _) => {
                "an envelope with that content hash is in the log; --envelope FILE shows which one it is"
            }
            _ => {
                "the log begins with the one whose checkpoint you hold: nothing of it was changed or removed"
            }
        }
    }

    fn about(kind: &'static str, checkpoint: &SignedCheckpoint) -> Self {
        let body = checkpoint.checkpoint();
        Self {
            kind,
            origin: Some(body.origin().to_owned()),
            tree_size: Some(body.tree_size()),
            root_hash: Some(body.root()),
            ..Self::default()
        }
    }

    fn concluded(self, result: Result<KeyId, String>) -> Self {
        match result {
            Ok(key_id) => Self { valid: true, key_id: Some(key_id), ..self },
            Err(fault) => Self { fault: Some(fault), ..self },
        }
    }
}

/// Whom the caller believes.
enum Believed {
    Key(PublicKey),
    Root(TrustRoot),
}

impl Verify {
    /// Checks.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let believed = self.believed()?;
        let bytes = recorder_fs::read_bounded(&self.file, PROOF_BYTES_MAX)?;
        let verified = match bytes.starts_with(HEADER.as_bytes()) {
            true => self.inclusion(&bytes, &believed)?,
            false => self.consistency(&bytes, &believed)?,
        };
        let exit = if verified.valid { Exit::Done } else { Exit::Invalid };
        context.output.answer(&verified)?;
        Ok(exit)
    }

    fn believed(&self) -> Result<Believed, Failure> {
        if let Some(path) = &self.trust_root {
            let bytes = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)?;
            return TrustRoot::parse(&bytes).map(Believed::Root).map_err(Failure::TrustRoot);
        }
        let hex = self.checkpoint_key.as_deref().unwrap_or_default();
        let key = PublicKey::from_hex(hex);
        let refused = |error| Failure::Usage(format!("--checkpoint-key: {error}"));
        key.map(Believed::Key).map_err(refused)
    }

    fn inclusion(&self, bytes: &[u8], believed: &Believed) -> Result<Verified, Failure> {
        if self.known_head.is_some() {
            let text =
                "--known-head belongs to a proof of consistency, and this is one of inclusion";
            return Err(Failure::Usage(text.to_owned()));
        }
        let kind = "inclusion";
        let proof = match InclusionProof::parse(bytes) {
            Ok(proof) => proof,
            Err(error) => return Ok(malformed(kind, &error)),
        };
        let link = proof.extra().map(ChainLink::from_canonical);
        let Some(Ok(link)) = link else {
            return Ok(malformed(
                kind,
                &"its extra line does not lead from an envelope to the log",
            ));
        };
        let line = self.envelope.as_deref().map(read_line).transpose()?;
        let verified = Verified {
            position: Some(proof.index()),
            content_hash: Some(link.content_hash),
            recorded_at: Some(link.recorded_at),
            envelope_matched: line
                .as_ref()
                .map(|line| is_envelope(&link, proof.index(), line).is_ok()),
            ..Verified::about(kind, proof.checkpoint())
        };
        let matches = line.map_or(Ok(()), |line| is_envelope(&link, proof.index(), &line));
        let held = proof.verify(&link.leaf()).map_err(|error| error.to_string());
        let signed = self.signer(proof.checkpoint(), believed);
        Ok(verified.concluded(signed.and_then(|key| held.and(matches).map(|()| key))))
    }

    fn consistency(&self, bytes: &[u8], believed: &Believed) -> Result<Verified, Failure> {
        let kind = "consistency";
        let proof = match ConsistencyProof::parse(bytes) {
            Ok(proof) => proof,
            Err(error) => return Ok(malformed(kind, &error)),
        };
        let Some(path) = &self.known_head else {
            let text =
                "--known-head names the earlier checkpoint, which must not come with the proof";
            return Err(Failure::Usage(text.to_owned()));
        };
        let bytes = recorder_fs::read_bounded(path, CHECKPOINT_BYTES_MAX)?;
        let known = SignedCheckpoint::parse(&bytes).map_err(Failure::Checkpoint)?;
        let verified = Verified {
            from_size: Some(proof.old_size()),
            ..Verified::about(kind, proof.checkpoint())
        };
        let held = extends(&proof, &known);
        let signed = self.signer(proof.checkpoint(), believed);
        Ok(verified.concluded(signed.and_then(|key| held.map(|()| key))))
    }

    /// The key whose signature on the checkpoint counts.
    fn signer(&self, checkpoint: &SignedCheckpoint, believed: &Believed) -> Result<KeyId, String> {
        let body = checkpoint.checkpoint();
        if self.origin.as_deref().is_some_and(|origin| origin != body.origin()) {
            return Err(format!("the checkpoint is of the log {}", body.origin()));
        }
        let holds = |key: &PublicKey| checkpoint.verify_log_signature(key);
        match believed {
            Believed::Key(key) => match holds(key) {
                Ok(()) => Ok(key.key_id()),
                Err(error) => Err(format!("the checkpoint: {error}")),
            },
            Believed::Root(root) => {
                let may = |key: &&TrustedKey| may_sign(key, body.origin(), body.tree_size());
                let mut signers = root.keys().iter().filter(may);
                let signer = signers.find(|key| holds(key.public_key()).is_ok());
                let nobody = "no key that the trust root holds for this log, at this size, signed the checkpoint";
                signer.map(TrustedKey::key_id).ok_or_else(|| nobody.to_owned())
            }
        }
    }
}

/// As for a bundle: a key that is trusted for the stream, at the last position under the checkpoint, in nobody else's hands.
fn may_sign(key: &TrustedKey, origin: &str, tree_size: u64) -> bool {
    let covers_stream = match key.streams() {
        TrustedStreams::All => true,
        TrustedStreams::Named(streams) => streams.iter().any(|stream| is_of_stream(origin, stream)),
    };
    covers_stream
        && key.status() != KeyStatus::Compromised
        && key.covers(tree_size.saturating_sub(1))
}

fn malformed(kind: &'static str, error: &dyn std::fmt::Display) -> Verified {
    Verified { kind, fault: Some(format!("not a proof of {kind}: {error}")), ..Verified::default() }
}

/// The bytes of one line, with or without its line end.
fn read_line(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = recorder_fs::read_bounded(path, LINE_BYTES_MAX as u64 + 1)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(bytes)
}

fn is_envelope(link: &ChainLink, position: u64, line: &[u8]) -> Result<(), String> {
    let line =
        EnvelopeLine::parse(line).map_err(|error| format!("the envelope's line: {error}"))?;
    link.check(position, &line).map_err(|error| error.to_string())
}

fn extends(proof: &ConsistencyProof, known: &SignedCheckpoint) -> Result<(), String> {
    let (new, old) = (proof.checkpoint().checkpoint(), known.checkpoint());
    if new.origin() != old.origin() {
        return Err(format!("the known checkpoint is of another log, {}", old.origin()));
    }
    if proof.old_size() != old.tree_size() {
        let (proven, known) = (proof.old_size(), old.tree_size());
        return Err(format!("the proof is from size {proven}, the known checkpoint is of {known}"));
    }
    proof.verify(&old.root()).map_err(|error| error.to_string())
}
