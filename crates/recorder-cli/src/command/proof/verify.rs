//! `proof verify`: whether a proof holds, offline, by a key that the caller names.
//!
//! As with bundles, no configuration file is read. Cosignatures of witnesses are not checked here, and said not to be.

use std::fmt::Display;
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

use super::{CONSISTENCY, INCLUSION};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::i18n::{Locale, say};
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
        let locale = page.locale();
        match &self.fault {
            Some(fault) => {
                let word = say!(locale, verdict.invalid);
                page.pieces(&[(Tone::Bad, word), (Tone::Bad, ": "), (Tone::Plain, fault)])?;
                return page.line(say!(locale, proof.proves_nothing));
            }
            None => page.pieces(&[(Tone::Good, say!(locale, verdict.valid))])?,
        }
        page.field(&label::proof_of, super::kind(locale, self.kind))?;
        let mut field = |name, value: Option<String>| match value {
            Some(value) => page.field(name, &value),
            None => Ok(()),
        };
        field(&label::log, self.origin.clone())?;
        field(&label::log_size, self.tree_size.map(|size| size.to_string()))?;
        field(&label::signed_by, self.key_id.map(|key_id| key_id.to_string()))?;
        field(&label::position, self.position.map(|position| position.to_string()))?;
        field(&label::content_hash, self.content_hash.map(|hash| hash.to_string()))?;
        field(
            &label::recorded_at,
            self.recorded_at.map(|time| say!(locale, proof.by_own_clock, time = time)),
        )?;
        field(&label::extends_size, self.from_size.map(|size| size.to_string()))?;
        page.line("")?;
        page.line(self.meaning(locale))
    }
}

impl Verified {
    fn meaning(&self, locale: Locale) -> &'static str {
        match (self.kind, self.envelope_matched) {
            (INCLUSION, Some(true)) => say!(locale, proof.means_this_envelope),
            (INCLUSION, _) => say!(locale, proof.means_an_envelope),
            _ => say!(locale, proof.means_extension),
        }
    }

    fn refused(kind: &'static str, fault: String) -> Self {
        Self { kind, fault: Some(fault), ..Self::default() }
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
            true => self.inclusion(&bytes, &believed, context.locale())?,
            false => self.consistency(&bytes, &believed, context.locale())?,
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

    fn inclusion(
        &self,
        bytes: &[u8],
        believed: &Believed,
        locale: Locale,
    ) -> Result<Verified, Failure> {
        if self.known_head.is_some() {
            let text = say!(locale, proof.head_without_consistency);
            return Err(Failure::Usage(text.to_owned()));
        }
        let malformed = |error: &dyn Display| {
            Verified::refused(
                INCLUSION,
                say!(locale, proof.not_a_proof_of_inclusion, error = error),
            )
        };
        let proof = match InclusionProof::parse(bytes) {
            Ok(proof) => proof,
            Err(error) => return Ok(malformed(&error)),
        };
        let link = proof.extra().map(ChainLink::from_canonical);
        let Some(Ok(link)) = link else {
            return Ok(malformed(&say!(locale, proof.extra_line)));
        };
        let line = self.envelope.as_deref().map(read_line).transpose()?;
        let verified = Verified {
            position: Some(proof.index()),
            content_hash: Some(link.content_hash),
            recorded_at: Some(link.recorded_at),
            envelope_matched: line
                .as_ref()
                .map(|line| is_envelope(&link, proof.index(), line, locale).is_ok()),
            ..Verified::about(INCLUSION, proof.checkpoint())
        };
        let matches = line.map_or(Ok(()), |line| is_envelope(&link, proof.index(), &line, locale));
        let held = proof.verify(&link.leaf()).map_err(|error| error.to_string());
        let signed = self.signer(proof.checkpoint(), believed, locale);
        Ok(verified.concluded(signed.and_then(|key| held.and(matches).map(|()| key))))
    }

    fn consistency(
        &self,
        bytes: &[u8],
        believed: &Believed,
        locale: Locale,
    ) -> Result<Verified, Failure> {
        let proof = match ConsistencyProof::parse(bytes) {
            Ok(proof) => proof,
            Err(error) => {
                let fault = say!(locale, proof.not_a_proof_of_consistency, error = error);
                return Ok(Verified::refused(CONSISTENCY, fault));
            }
        };
        let Some(path) = &self.known_head else {
            return Err(Failure::Usage(say!(locale, proof.head_missing).to_owned()));
        };
        let bytes = recorder_fs::read_bounded(path, CHECKPOINT_BYTES_MAX)?;
        let known = SignedCheckpoint::parse(&bytes).map_err(Failure::Checkpoint)?;
        let verified = Verified {
            from_size: Some(proof.old_size()),
            ..Verified::about(CONSISTENCY, proof.checkpoint())
        };
        let held = extends(&proof, &known, locale);
        let signed = self.signer(proof.checkpoint(), believed, locale);
        Ok(verified.concluded(signed.and_then(|key| held.map(|()| key))))
    }

    /// The key whose signature on the checkpoint counts.
    fn signer(
        &self,
        checkpoint: &SignedCheckpoint,
        believed: &Believed,
        locale: Locale,
    ) -> Result<KeyId, String> {
        let body = checkpoint.checkpoint();
        if self.origin.as_deref().is_some_and(|origin| origin != body.origin()) {
            return Err(say!(locale, proof.of_log, origin = body.origin()));
        }
        let holds = |key: &PublicKey| checkpoint.verify_log_signature(key);
        match believed {
            Believed::Key(key) => match holds(key) {
                Ok(()) => Ok(key.key_id()),
                Err(error) => Err(say!(locale, proof.checkpoint_does_not_hold, error = error)),
            },
            Believed::Root(root) => {
                let may = |key: &&TrustedKey| may_sign(key, body.origin(), body.tree_size());
                let mut signers = root.keys().iter().filter(may);
                let signer = signers.find(|key| holds(key.public_key()).is_ok());
                let nobody = say!(locale, proof.signed_by_nobody);
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

/// The bytes of one line, with or without its line end.
fn read_line(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = recorder_fs::read_bounded(path, LINE_BYTES_MAX as u64 + 1)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(bytes)
}

fn is_envelope(link: &ChainLink, position: u64, line: &[u8], locale: Locale) -> Result<(), String> {
    let line = EnvelopeLine::parse(line)
        .map_err(|error| say!(locale, proof.line_refused, error = error))?;
    link.check(position, &line).map_err(|error| error.to_string())
}

fn extends(
    proof: &ConsistencyProof,
    known: &SignedCheckpoint,
    locale: Locale,
) -> Result<(), String> {
    let (new, old) = (proof.checkpoint().checkpoint(), known.checkpoint());
    if new.origin() != old.origin() {
        return Err(say!(locale, proof.known_of_other_log, origin = old.origin()));
    }
    if proof.old_size() != old.tree_size() {
        let (proven, known) = (proof.old_size(), old.tree_size());
        return Err(say!(locale, proof.known_of_other_size, proven = proven, known = known));
    }
    proof.verify(&old.root()).map_err(|error| error.to_string())
}
