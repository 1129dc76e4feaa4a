//! `proof export`: from the database, under a checkpoint that is stored, whose signature stays as it was made.

use std::io;
use std::path::PathBuf;

use clap::Args;
use recorder_core::hash::ChainHash;
use recorder_core::identity::EnvelopeId;
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::{self, ReadProofError, TileReadError};
use recorder_envelope::preimage;
use recorder_envelope::tlog_proof::{ChainLink, ConsistencyProof, InclusionProof};
use recorder_store::{ReadError, Store, StoredCheckpoint};
use serde::Serialize;

use super::{CONSISTENCY, INCLUSION};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page};
use crate::settings::Settings;

/// Which proof.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct Export {
    /// The envelope to prove, by its id
    #[arg(long, value_name = "ID", group = "what")]
    envelope: Option<EnvelopeId>,
    /// The envelope to prove, by its position in the stream
    #[arg(long, value_name = "N", group = "what")]
    position: Option<u64>,
    /// Prove that the log still begins with its first N envelopes
    #[arg(long, value_name = "N", group = "what")]
    from_size: Option<u64>,
    /// Under the oldest checkpoint of at least this size [default: the newest checkpoint]
    #[arg(long, value_name = "N")]
    to_size: Option<u64>,
    /// Write the proof to this new file
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Serialize)]
struct Exported {
    kind: &'static str,
    origin: String,
    tree_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_size: Option<u64>,
    hash_count: usize,
    size_bytes: usize,
    #[serde(skip)]
    file: String,
}

impl Answer for Exported {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.field(&label::proof_of, super::kind(page.locale(), self.kind))?;
        page.field(&label::log, &self.origin)?;
        page.field(&label::checkpoint_size, &self.tree_size.to_string())?;
        page.field(&label::hashes, &self.hash_count.to_string())?;
        page.field(&label::file, &self.file)
    }
}

/// The database, and the checkpoint to prove under.
struct Log<'a> {
    store: &'a dyn Store,
    settings: &'a Settings,
    checkpoint: SignedCheckpoint,
    locale: Locale,
}

impl Export {
    /// Exports.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let store = context.reader(&settings)?;
        let stored = self.checkpoint(&*store, &settings)?;
        let checkpoint = SignedCheckpoint::parse(stored.note.as_bytes());
        let checkpoint = checkpoint.map_err(Failure::Checkpoint)?;
        let locale = context.locale();
        let log = Log { store: &*store, settings: &settings, checkpoint, locale };
        let (proof, mut exported) = match self.from_size {
            Some(from_size) => log.consistency(from_size)?,
            None => log.inclusion(self.position(&*store, &settings, locale)?)?,
        };
        recorder_fs::write_new(&self.output, proof.as_bytes())?;
        exported.size_bytes = proof.len();
        exported.file = self.output.display().to_string();
        context.output.answer(&exported)?;
        Ok(Exit::Done)
    }

    fn checkpoint(
        &self,
        store: &dyn Store,
        settings: &Settings,
    ) -> Result<StoredCheckpoint, Failure> {
        let head = store.head(&settings.stream)?;
        let head = head.ok_or_else(|| Failure::no_stream(&settings.stream))?;
        let stored = match self.to_size {
            Some(size) => store.checkpoint(&settings.stream, size)?,
            None => head.checkpoint,
        };
        stored.ok_or(Failure::NoCheckpoint)
    }

    fn position(
        &self,
        store: &dyn Store,
        settings: &Settings,
        locale: Locale,
    ) -> Result<u64, Failure> {
        match (self.position, self.envelope) {
            (Some(position), _) => Ok(position),
            (None, Some(id)) => match store.envelope(&settings.stream, id)? {
                Some(envelope) => Ok(envelope.place.position),
                None => Err(Failure::NotProvable(say!(locale, proof.no_envelope, id = id))),
            },
            (None, None) => Err(Failure::Internal("a proof of nothing".to_owned())),
        }
    }
}

impl Log<'_> {
    fn tree_size(&self) -> u64 {
        self.checkpoint.checkpoint().tree_size()
    }

    fn inclusion(&self, position: u64) -> Result<(String, Exported), Failure> {
        let size = self.tree_size();
        if position >= size {
            let text = say!(self.locale, proof.not_under, position = position, size = size);
            return Err(Failure::NotProvable(text));
        }
        let envelope = self.envelope(position)?;
        let link = ChainLink {
            content_hash: envelope.content_hash,
            previous: self.previous(&envelope)?,
            recorded_at: envelope.place.recorded_at,
            sequence: envelope.place.sequence,
        };
        let nodes = recorder::log::reader(self.store, &self.settings.stream, size);
        let path = merkle::inclusion_proof(&nodes, position, size).map_err(unreadable)?;
        let exported =
            Exported { position: Some(position), ..self.exported(INCLUSION, path.len()) };
        let extra = Some(link.to_canonical());
        let proof = InclusionProof::new(extra, position, path, self.checkpoint.clone());
        let proof = proof.map_err(|error| Failure::Internal(error.to_string()))?;
        // A proof that does not hold is never written: the database then contradicts its own checkpoint.
        proof.verify(&link.leaf()).map_err(|error| self.contradiction(&error))?;
        Ok((proof.render(), exported))
    }

    fn consistency(&self, from_size: u64) -> Result<(String, Exported), Failure> {
        let size = self.tree_size();
        if from_size > size {
            let text = say!(self.locale, proof.beyond, from = from_size, size = size);
            return Err(Failure::NotProvable(text));
        }
        let nodes = recorder::log::reader(self.store, &self.settings.stream, size);
        let path = merkle::consistency_proof(&nodes, from_size, size).map_err(unreadable)?;
        let old_root = merkle::root_at(&nodes, from_size).map_err(unreadable)?;
        let exported =
            Exported { from_size: Some(from_size), ..self.exported(CONSISTENCY, path.len()) };
        let proof = ConsistencyProof::new(from_size, path, self.checkpoint.clone());
        let proof = proof.map_err(|error| Failure::Internal(error.to_string()))?;
        proof.verify(&old_root).map_err(|error| self.contradiction(&error))?;
        Ok((proof.render(), exported))
    }

    fn envelope(&self, position: u64) -> Result<SealedEnvelope, Failure> {
        let mut found = None;
        let filter = recorder_core::filter::EnvelopeFilter::default();
        self.store.scan(
            &self.settings.stream,
            &filter,
            position..position + 1,
            &mut |envelope| {
                found = Some(envelope);
                std::ops::ControlFlow::Break(())
            },
        )?;
        let missing = || say!(self.locale, proof.nothing_at, position = position);
        found.ok_or_else(|| Failure::NotProvable(missing()))
    }

    fn previous(&self, envelope: &SealedEnvelope) -> Result<ChainHash, Failure> {
        let stream = &self.settings.stream;
        let place = &envelope.place;
        if place.sequence > 0 {
            let before = self.store.chain_hashes(stream, place.position - 1..place.position)?;
            let missing = || Failure::NotProvable(say!(self.locale, proof.no_link).to_owned());
            return before.first().copied().ok_or_else(missing);
        }
        let segment = self.store.segment(stream, place.segment_id)?;
        let missing = || Failure::NotProvable(say!(self.locale, proof.no_segment).to_owned());
        let segment = segment.ok_or_else(missing)?;
        Ok(preimage::chain_start(&segment.genesis.hash()))
    }

    fn contradiction(&self, error: &merkle::ProofError) -> Failure {
        Failure::NotProvable(say!(self.locale, proof.contradiction, error = error))
    }

    fn exported(&self, kind: &'static str, hash_count: usize) -> Exported {
        Exported {
            kind,
            origin: self.checkpoint.checkpoint().origin().to_owned(),
            tree_size: self.tree_size(),
            position: None,
            from_size: None,
            hash_count,
            size_bytes: 0,
            file: String::new(),
        }
    }
}

fn unreadable(error: ReadProofError<TileReadError<ReadError>>) -> Failure {
    match error {
        ReadProofError::Read(TileReadError::Source(error)) => Failure::Read(error),
        other => Failure::NotProvable(other.to_string()),
    }
}
