//! `contract`: what crosses the boundaries of these programs, as files for clients; made, or compared with what is there.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use recorder_contract::{Break, Checked, DriftKind, Generated};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page, Tone};

/// Where the contract lies in a checkout.
pub(crate) const ROOT: &str = "docs/generated";

/// Publishes what clients may rely on, or checks what is published.
#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Make a directory hold the contract of this program, and nothing else
    Generate(Generate),
    /// Compare a directory with the contract of this program
    Check(Check),
}

/// Makes the files.
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// The directory; made where it is missing
    #[arg(long, value_name = "DIR", default_value = ROOT)]
    root: PathBuf,
    /// Give up the published facts that breaks.toml names with their reasons
    #[arg(long)]
    accept_breaks: bool,
}

/// Compares the files.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The directory
    #[arg(long, value_name = "DIR", default_value = ROOT)]
    root: PathBuf,
    /// An earlier contract, whose facts must still hold; may be repeated
    #[arg(long, value_name = "DIR")]
    against: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Made {
    root: PathBuf,
    #[serde(flatten)]
    generated: Generated,
}

impl Answer for Made {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        for path in &self.generated.written {
            page.line(&say!(locale, contract.written, path = path))?;
        }
        for path in &self.generated.removed {
            page.line(&say!(locale, contract.removed, path = path))?;
        }
        for broken in &self.generated.accepted {
            let words = say!(locale, contract.accepted, fact = broken.fact);
            page.pieces(&[(Tone::Warning, &words)])?;
        }
        let (count, root) = (self.generated.artifact_count, self.root.display());
        page.pieces(&[(Tone::Good, &say!(locale, contract.made, count = count, root = root))])
    }
}

#[derive(Serialize)]
struct Compared {
    root: PathBuf,
    holds: bool,
    #[serde(flatten)]
    checked: Checked,
}

impl Answer for Compared {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        for drift in &self.checked.drift {
            let path = &drift.path;
            page.line(&match drift.kind {
                DriftKind::Missing => say!(locale, contract.missing, path = path),
                DriftKind::Drifted => say!(locale, contract.drifted, path = path),
                DriftKind::Unexpected => say!(locale, contract.unexpected, path = path),
            })?;
        }
        for broken in &self.checked.breaks {
            page.pieces(&[(Tone::Bad, &broken_words(broken, locale))])?;
        }
        for fact in &self.checked.idle_records {
            page.pieces(&[(Tone::Bad, &say!(locale, contract.idle, fact = fact))])?;
        }
        let (count, root) = (self.checked.artifact_count, self.root.display());
        match self.holds {
            true => page
                .pieces(&[(Tone::Good, &say!(locale, contract.holds, count = count, root = root))]),
            false => page.pieces(&[(Tone::Bad, &say!(locale, contract.fails, root = root))]),
        }
    }
}

fn broken_words(broken: &Break, locale: Locale) -> String {
    let (fact, was) = (&broken.fact, &broken.was);
    match &broken.now {
        Some(now) => say!(locale, contract.changed, fact = fact, was = was, now = now),
        None => say!(locale, contract.vanished, fact = fact, was = was),
    }
}

impl Contract {
    /// Makes or compares.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Generate(Generate { root, accept_breaks }) => {
                let generated = recorder_contract::generate(&root, accept_breaks)?;
                context.output.answer(&Made { root, generated })?;
                Ok(Exit::Done)
            }
            Self::Check(Check { root, against }) => {
                let mut checked = recorder_contract::check(&root)?;
                for earlier in against {
                    checked.breaks.extend(recorder_contract::compare(&root, &earlier)?);
                }
                checked.breaks.sort();
                checked.breaks.dedup();
                let holds = checked.holds();
                context.output.answer(&Compared { root, holds, checked })?;
                Ok(if holds { Exit::Done } else { Exit::Refused })
            }
        }
    }
}
