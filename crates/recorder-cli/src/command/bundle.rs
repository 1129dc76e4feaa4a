//! `bundle`: what an auditor receives: building it, looking into it, verifying it.

mod build;
mod inspect;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Builds and verifies bundles.
#[derive(Debug, Subcommand)]
pub(crate) enum Bundle {
    /// Write a selection of the stream to a file that anyone can verify offline
    Build(Box<build::Build>),
    /// Verify a bundle offline, and say what is proven and what is not
    Verify(verify::Verify),
    /// Say what a bundle says of itself, without verifying it
    Inspect(inspect::Inspect),
}

impl Bundle {
    /// Builds, verifies or looks.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Build(build) => build.run(context),
            Self::Verify(verify) => verify.run(context),
            Self::Inspect(inspect) => inspect.run(context),
        }
    }
}
