//! `proof`: that one envelope is in the log, or that the log was only extended, as a small file for those who get no bundle.

mod export;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::{Locale, say};

/// What JSON calls a proof that an envelope is in the log.
const INCLUSION: &str = "inclusion";

/// What JSON calls a proof that the log was only extended.
const CONSISTENCY: &str = "consistency";

/// Makes and checks proofs.
#[derive(Debug, Subcommand)]
pub(crate) enum Proof {
    /// Write the proof of one envelope (.tlog-proof), or that a later checkpoint extends an earlier one
    Export(export::Export),
    /// Check a proof offline
    Verify(verify::Verify),
}

/// What people call a kind of proof.
fn kind(locale: Locale, kind: &str) -> &'static str {
    match kind {
        INCLUSION => say!(locale, proof.inclusion),
        _ => say!(locale, proof.consistency),
    }
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
