//! `completions`: a script that teaches a shell this command line.

use std::io;

use clap::Args;
use clap_complete::Shell;
use serde::Serialize;

use crate::arguments::localised;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Page};

/// Prints a shell's completion script.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl Answer for Script {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.raw(self.script.as_bytes())
    }
}

impl Completions {
    /// Prints the script.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        let mut command = localised(context.locale());
        clap_complete::generate(self.shell, &mut command, "recorder", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        context.output.answer(&Script { shell: self.shell.to_string(), script })?;
        Ok(Exit::Done)
    }
}
