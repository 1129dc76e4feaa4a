//! `checkpoint`: what the log says of itself, signed; an auditor who keeps it can tell whether it was rewritten.

use std::io;

use clap::{Args, Subcommand};
use recorder_core::hash::TreeHash;
use recorder_envelope::checkpoint::SignedCheckpoint;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::say;
use crate::output::{Answer, Page};

/// Looks at checkpoints.
#[derive(Debug, Subcommand)]
pub(crate) enum Checkpoint {
    /// Print the newest checkpoint as the signed note that it is
    Show(Show),
}

/// Which checkpoint.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Sign a new one first if the newest does not cover everything
    #[arg(long)]
    sign: bool,
}

#[derive(Serialize)]
struct Shown {
    origin: String,
    tree_size: u64,
    root_hash: TreeHash,
    covers_all: bool,
    signature_count: usize,
    note: String,
}

impl Answer for Shown {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.block(&self.note)
    }
}

impl Checkpoint {
    /// Prints it; what it does not cover is said on standard error, so that the note can be kept as it is.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self::Show(show) = self;
        let settings = context.settings()?;
        if show.sign {
            context.recorder(&settings)?.checkpoint(&settings.stream.tenant_id)?;
        }
        let head = context.reader(&settings)?.head(&settings.stream)?;
        let head = head.ok_or_else(|| Failure::no_stream(&settings.stream))?;
        let stored = head.checkpoint.ok_or(Failure::NoCheckpoint)?;
        let note = SignedCheckpoint::parse(stored.note.as_bytes()).map_err(Failure::Checkpoint)?;
        let behind = head.next_position.saturating_sub(stored.tree_size);
        if behind > 0 {
            context.output.note(&say!(context.locale(), note.behind_checkpoint, count = behind));
        }
        context.output.answer(&Shown {
            origin: note.checkpoint().origin().to_owned(),
            tree_size: stored.tree_size,
            root_hash: stored.root_hash,
            covers_all: behind == 0,
            signature_count: note.signatures().len(),
            note: stored.note,
        })?;
        Ok(Exit::Done)
    }
}
