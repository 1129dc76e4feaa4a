//! `bundle`: what an auditor receives: building it, looking into it, verifying it.

mod build;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Builds and verifies bundles.
#[derive(Debug, Subcommand)]
pub(crate) enum Bundle {
    /// Write a selection of the stream to a file that anyone can verify offline
    Build(Box<build::Build>),
}

impl Bundle {
    /// Builds, verifies or looks.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Build(build) => build.run(context),
        }
    }
}
