//! `glossary`: what the words, phases, answers, codes and settings mean, in the words of the pages and the report.
//!
//! Deliberately absent: meanings. They are in the tables of the crates below, and in the catalogs where they are translated;
//! what the sidecar says of its problems and settings is in English everywhere.

use std::io;

use clap::Args;
use recorder_contract::glossary;
use recorder_core::words::{Topic, WORDS};
use recorder_verify::{FindingCode, Phase};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::{Locale, say, texts};
use crate::output::{Answer, Page, Tone};
use crate::settings::nearest;
use crate::words;

/// Explains words.
#[derive(Args, Debug)]
pub(crate) struct Glossary {
    /// The words or codes to explain [default: all words]
    words: Vec<String>,
    /// List the codes of findings and problems and the settings of the sidecar too
    #[arg(long)]
    all: bool,
}

/// What is explained.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Word,
    Phase,
    Answer,
    Finding,
    Problem,
    Setting,
}

#[derive(Clone, Serialize)]
struct Entry {
    kind: Kind,
    /// As programs write it, in every language.
    name: &'static str,
    /// The question that an answer answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'static str>,
    meaning: String,
    /// As it is called in the language of the answer.
    #[serde(skip)]
    called: String,
    /// Under which heading it stands.
    #[serde(skip)]
    heading: &'static str,
}

#[derive(Serialize)]
struct Explained {
    entries: Vec<Entry>,
    #[serde(skip)]
    headed: bool,
    #[serde(skip)]
    more: bool,
}

impl Answer for Explained {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let width = self.entries.iter().map(|entry| entry.called.chars().count()).max();
        let width = width.unwrap_or_default();
        let mut heading = "";
        for entry in &self.entries {
            if self.headed && heading != entry.heading {
                if !heading.is_empty() {
                    page.line("")?;
                }
                heading = entry.heading;
                page.pieces(&[(Tone::Strong, heading)])?;
            }
            let indent = if self.headed { "  " } else { "" };
            let name = format!("{indent}{:<width$}  ", entry.called);
            page.pieces(&[(Tone::Strong, &name), (Tone::Plain, &entry.meaning)])?;
        }
        if self.more {
            page.line("")?;
            page.pieces(&[(Tone::Faint, say!(page.locale(), glossary.more))])?;
        }
        Ok(())
    }
}

impl Glossary {
    /// Explains the words that were asked for, or all.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let locale = context.locale();
        let mut entries = basics(locale);
        if self.all || !self.words.is_empty() {
            entries.extend(codes(locale));
        }
        let headed = self.words.is_empty();
        let more = headed && !self.all;
        if !headed {
            entries = asked_for(&self.words, &entries)?;
        }
        context.output.answer(&Explained { entries, headed, more })?;
        Ok(Exit::Done)
    }
}

/// What is asked for: all arguments as one name, or else each of them.
fn asked_for(asked: &[String], entries: &[Entry]) -> Result<Vec<Entry>, Failure> {
    let whole = named(&asked.join(" "), entries);
    if !whole.is_empty() {
        return Ok(whole);
    }
    let mut found = Vec::new();
    for word in asked {
        let these = named(word, entries);
        if these.is_empty() {
            return Err(unknown(word, entries));
        }
        found.extend(these);
    }
    Ok(found)
}

fn named(word: &str, entries: &[Entry]) -> Vec<Entry> {
    let word = plain(word);
    let is_named = |entry: &&Entry| plain(entry.name) == word || plain(&entry.called) == word;
    entries.iter().filter(is_named).cloned().collect()
}

fn unknown(word: &str, entries: &[Entry]) -> Failure {
    let names = entries.iter().flat_map(|entry| [entry.name, entry.called.as_str()]);
    let nearest = nearest(word, names).map(str::to_owned);
    Failure::NoWord { word: word.to_owned(), nearest }
}

/// A name without what people type in several ways.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', '-'], " ")
}

/// Words, phases and answers: what somebody meets who reads a verdict.
fn basics(at: Locale) -> Vec<Entry> {
    let mut entries = Vec::new();
    for topic in Topic::ALL {
        let of_topic = WORDS.iter().filter(|word| word.topic == topic);
        entries.extend(of_topic.map(|word| Entry {
            kind: Kind::Word,
            name: word.name,
            question: None,
            meaning: texts::WORD_MEANING.text(at, word.name).to_owned(),
            called: texts::WORD.text(at, word.name).to_owned(),
            heading: words::topic(topic, at),
        }));
    }
    entries.extend(Phase::ALL.map(|phase| {
        let (called, meaning) = words::phase(phase, at);
        Entry {
            kind: Kind::Phase,
            name: phase.name(),
            question: None,
            meaning: meaning.to_owned(),
            called: called.to_owned(),
            heading: say!(at, glossary.phases),
        }
    }));
    let answers = glossary::answers().into_iter().zip(words::all_answers(at));
    entries.extend(answers.map(|(known, said)| Entry {
        kind: Kind::Answer,
        name: known.answer,
        question: Some(known.question.name()),
        meaning: said.meaning,
        called: format!("{}: {}", words::question(said.of, at), said.value),
        heading: say!(at, glossary.answers),
    }));
    entries
}

/// Codes and settings: what somebody looks up who met one.
fn codes(at: Locale) -> Vec<Entry> {
    let finding = |code: &FindingCode| {
        (
            Kind::Finding,
            code.code(),
            texts::FINDING.text(at, code.code()),
            say!(at, glossary.findings),
        )
    };
    let problem = |(code, meaning)| (Kind::Problem, code, meaning, say!(at, glossary.problems));
    let setting = |(name, meaning)| (Kind::Setting, name, meaning, say!(at, glossary.settings));
    let all = FindingCode::ALL.iter().map(finding);
    let all = all.chain(glossary::problems().map(problem)).chain(glossary::settings().map(setting));
    all.map(|(kind, name, meaning, heading)| Entry {
        kind,
        name,
        question: None,
        meaning: meaning.to_owned(),
        called: name.to_owned(),
        heading,
    })
    .collect()
}
