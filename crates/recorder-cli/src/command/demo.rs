//! `demo`: the whole story in one command, on real input.

use std::path::PathBuf;

use clap::Args;

use crate::context::Context;
use crate::demo;
use crate::failure::{Exit, Failure};
use crate::i18n::{Locale, say};

/// Shows the whole story: record, seal, bundle, verify, then catch every lie.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Keep what is made in this directory, which must be new or empty
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

impl Demo {
    /// Runs it in a temporary directory, or in the one to keep.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let temporary = tempfile::tempdir().map_err(|source| Failure::Directory {
            path: say!(context.locale(), failure.temporary_directory).to_owned(),
            source,
        })?;
        let directory = match &self.keep {
            Some(directory) => {
                make_empty(directory, context.locale())?;
                directory.as_path()
            }
            None => temporary.path(),
        };
        context.output.note(say!(context.locale(), demo.takes_seconds));
        let mut story = demo::run(directory)?;
        if self.keep.is_none() {
            story.kept = None;
        }
        context.output.answer(&story)?;
        Ok(if story.succeeded() { Exit::Done } else { Exit::Invalid })
    }
}

/// Makes the directory, or takes it if there is nothing in it.
fn make_empty(directory: &std::path::Path, locale: Locale) -> Result<(), Failure> {
    let failed = |source| Failure::Directory { path: directory.display().to_string(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    if std::fs::read_dir(directory).map_err(failed)?.next().is_some() {
        let what = say!(locale, failure.something_in, path = directory.display());
        return Err(Failure::Exists { what });
    }
    Ok(())
}
