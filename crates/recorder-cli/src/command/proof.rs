//! `proof`: that one envelope is in the log, or that the log was only extended, as a small file for those who get no bundle.

mod export;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Makes and checks proofs.
#[derive(Debug, Subcommand)]
pub(crate) enum Proof {
    /// Write the proof of one envelope (.tlog-proof), or that a later checkpoint extends an earlier one
    Export(export::Export),
    /// Check a proof offline
    Verify(verify::Verify),
}

impl Proof {
    /// Exports or verifies.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Export(export) => export.run(context),
            Self::Verify(verify) => verify.run(context),
        }
    }
}
