//! `envelope`: recording, one at a time or in bulk.

mod import;
mod record;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Records envelopes.
#[derive(Debug, Subcommand)]
pub(crate) enum Envelope {
    /// Record one envelope and print its receipt
    Record(record::Record),
    /// Record one envelope with at least one attachment
    RecordWithAttachments(record::RecordWithAttachments),
    /// Record JSON Lines of drafts in bulk; what is recorded already is not repeated
    Import(import::Import),
}

impl Envelope {
    /// Records.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Record(record) => record.run(context),
            Self::RecordWithAttachments(record) => record.run(context),
            Self::Import(import) => import.run(context),
        }
    }
}
