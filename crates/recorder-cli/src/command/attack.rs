//! `attack`: every known manipulation, done to copies of evidence, and who notices.
//!
//! The original is only read. What is not noticed although the evidence itself should show it makes the run fail.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::attack::target::{Paths, Target};
use crate::attack::{self, AttackReport, Needs, StoppedBy};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::{Locale, say, texts};
use crate::output::{Answer, Page, Tone};
use crate::progress::Progress;

/// Manipulates copies of evidence. Exits with 0 if everything was noticed that needs no witness, 3 otherwise.
#[derive(Args, Debug)]
pub(crate) struct Attack {
    /// A directory as `recorder demo --keep` leaves it, a database, or a bundle
    #[arg(required_unless_present = "list")]
    evidence: Option<PathBuf>,
    /// The keys that an auditor would believe
    #[arg(long, value_name = "FILE")]
    trust_root: Option<PathBuf>,
    /// List what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["evidence", "trust_root"])]
    list: bool,
}

#[derive(Serialize)]
struct Listed {
    attacks: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    story: &'static str,
    needs: Needs,
    stopped_by: StoppedBy,
    needs_witness: bool,
}

#[derive(Serialize)]
struct Attacked {
    evidence: String,
    signed: bool,
    performed: usize,
    caught: usize,
    slipped_through: usize,
    attacks: Vec<AttackReport>,
}

impl Attack {
    /// Lists the attacks, or performs them all.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Some(evidence) = self.evidence.as_deref().filter(|_| !self.list) else {
            context.output.answer(&Listed { attacks: attack::all().map(entry).collect() })?;
            return Ok(Exit::Done);
        };
        let mut paths = Paths::find(evidence)?;
        paths.trust_root = self.trust_root.clone().or(paths.trust_root);
        let key = context.signer(&context.settings_without_file()?)?.map(|signer| signer.key);
        let target = Target::load(&paths, key)?;
        let progress = Progress::count(&context.output, say!(context.locale(), attack.progress));
        let mut attacks = Vec::new();
        for attack in attack::all() {
            attacks.push(attack::perform(attack, &target)?);
            progress.set(attacks.len() as u64);
        }
        drop(progress);
        let count = |is: fn(&AttackReport) -> bool| attacks.iter().filter(|it| is(it)).count();
        let attacked = Attacked {
            evidence: evidence.display().to_string(),
            signed: target.signed(),
            performed: count(|it| it.performed),
            caught: count(|it| it.caught),
            slipped_through: count(AttackReport::slipped_through),
            attacks,
        };
        context.output.answer(&attacked)?;
        Ok(if attacked.slipped_through == 0 { Exit::Done } else { Exit::Invalid })
    }
}

/// One attack as listed: on signed evidence.
fn entry(attack: &attack::Attack) -> Entry {
    Entry {
        name: attack.name,
        story: attack.story,
        needs: attack.needs,
        stopped_by: attack.stopped_by,
        needs_witness: attack.stopped_by.needs_witness(true),
    }
}

impl Answer for Listed {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        for entry in &self.attacks {
            page.pieces(&[(Tone::Strong, entry.name)])?;
            let who = entry.needs.who(locale);
            let who = match entry.needs_witness {
                true => say!(locale, attack.and_witness, who = who),
                false => who.to_owned(),
            };
            let story = texts::ATTACK.text(locale, entry.name);
            page.pieces(&[
                (Tone::Plain, &format!("    {story}")),
                (Tone::Faint, &format!("  ({who})")),
            ])?;
        }
        page.line(&say!(locale, attack.count, count = self.attacks.len()))
    }
}

impl Answer for Attacked {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        for report in &self.attacks {
            page.pieces(&[
                (Tone::Strong, report.name()),
                (Tone::Plain, "  "),
                (Tone::Plain, texts::ATTACK.text(locale, report.name())),
            ])?;
            let (tone, outcome) = outcome(report, locale);
            page.pieces(&[(Tone::Plain, "    "), (tone, &outcome)])?;
        }
        page.line("")?;
        let (performed, all) = (self.performed, self.attacks.len());
        page.line(&say!(
            locale,
            attack.performed,
            performed = performed,
            count = all,
            evidence = self.evidence
        ))?;
        let outside = performed - self.caught - self.slipped_through;
        page.line(&say!(locale, attack.caught_inside, count = self.caught, outside = outside))?;
        match self.slipped_through {
            0 => page.pieces(&[(Tone::Good, say!(locale, attack.none_slipped))]),
            count => page.pieces(&[(Tone::Bad, &say!(locale, attack.slipped, count = count))]),
        }
    }
}

/// What became of one, in a line.
fn outcome(report: &AttackReport, locale: Locale) -> (Tone, String) {
    let by = |catch: &attack::judge::Catch| {
        let parts = [catch.layer, catch.phase, catch.code];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    if let Some(reason) = &report.not_performed_because {
        return (Tone::Faint, say!(locale, attack.not_performed, reason = reason));
    }
    if report.caught {
        return (Tone::Good, say!(locale, attack.caught, by = by(&report.catch)));
    }
    if !report.needs_witness {
        return (Tone::Bad, say!(locale, attack.not_caught).to_owned());
    }
    let asked = [report.head_guard.as_ref(), report.witness.as_ref()];
    let caught = asked.into_iter().flatten().filter(|answered| answered.caught);
    let both = |one: String, other: String| say!(locale, attack.by_both, one = one, other = other);
    match caught.map(|answered| by(&answered.catch)).reduce(both) {
        None => (Tone::Warning, say!(locale, attack.needs_witness).to_owned()),
        Some(by) => (Tone::Warning, say!(locale, attack.caught_by_witness, by = by)),
    }
}
