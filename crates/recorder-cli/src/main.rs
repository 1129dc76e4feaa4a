//! The `recorder` command: what operators record with and auditors verify with.
//!
//! One answer on standard output, everything else on standard error, and an exit code that scripts can tell
//! apart. Deliberately absent: evidence rules, which the libraries below hold.

mod adapter_key;
mod arguments;
mod attack;
mod command;
mod context;
mod demo;
mod escape;
mod failure;
mod i18n;
mod kept_heads;
mod lines;
mod output;
mod passphrase;
mod progress;
mod report;
mod settings;
mod signer;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use serde::Serialize;

use arguments::{Arguments, Command, Global, refusal};
use context::Context;
use failure::{Exit, Failure};
use i18n::Locale;
use output::{Answer, Output, Page};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let json = wants_json(&arguments);
    let locale = if json { Locale::ENGLISH } else { wanted_locale(&arguments) };
    let exit = match Arguments::read(&arguments, locale) {
        Ok(parsed) => run(parsed),
        Err(error) => explain(&error, json, locale),
    };
    ExitCode::from(exit.code())
}

fn run(arguments: Arguments) -> Exit {
    let Global { json, quiet, locale, .. } = arguments.global;
    let output = Output::new(json, quiet, locale.unwrap_or_else(locale_of_environment));
    output.announce_locale();
    let context = Context::new(output, arguments.global);
    match dispatch(arguments.command, &context) {
        Ok(exit) => exit,
        Err(failure) => {
            context.output.failure(&failure);
            failure.class().exit
        }
    }
}

fn dispatch(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Demo(demo) => demo.run(context),
        Command::Attack(attack) => attack.run(context),
        Command::Init(init) => init.run(context),
        Command::Envelope(envelope) => envelope.run(context),
        Command::DecisionGate(decision_gate) => decision_gate.run(context),
        Command::Openclaw(openclaw) => openclaw.run(context),
        Command::Otel(otel) => otel.run(context),
        Command::Query(query) => query.run(context),
        Command::Segment(segment) => segment.run(context),
        Command::Checkpoint(checkpoint) => checkpoint.run(context),
        Command::Proof(proof) => proof.run(context),
        Command::Bundle(bundle) => bundle.run(context),
        Command::Doctor(doctor) => doctor.run(context),
        Command::Fsck(fsck) => fsck.run(context),
        Command::Signer(signer) => signer.run(context),
        Command::Config(config) => config.run(context),
        Command::Assurance(assurance) => assurance.run(context),
        Command::Contract(contract) => contract.run(context),
        Command::Glossary(glossary) => glossary.run(context),
        Command::Completions(completions) => completions.run(context),
        Command::Man(man) => man.run(context),
    }
}

/// Whether `--json` stands among the arguments before `--`; asked when they could not be parsed.
fn wants_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// The locale that the arguments before `--` or the environment name; asked when they could not be parsed.
fn wanted_locale(arguments: &[OsString]) -> Locale {
    let texts = arguments.iter().take_while(|argument| *argument != "--");
    let texts: Vec<&str> = texts.map(|argument| argument.to_str().unwrap_or_default()).collect();
    let joined = texts.iter().find_map(|text| text.strip_prefix("--locale="));
    let apart = || texts.windows(2).find(|pair| pair[0] == "--locale").map(|pair| pair[1]);
    joined.or_else(apart).and_then(Locale::by_tag).unwrap_or_else(locale_of_environment)
}

fn locale_of_environment() -> Locale {
    Locale::of_environment(|name| std::env::var(name).ok())
}

/// Answers what could not be parsed: a request for help or for the version, or wrong usage.
fn explain(error: &clap::Error, json: bool, locale: Locale) -> Exit {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let output = Output::new(json, false, locale);
    let text = refusal(error, locale);
    if !json {
        output.announce_locale();
        if asked || escape::is_clean(&text) && locale == Locale::ENGLISH {
            // Nobody is left to tell when printing fails.
            let _ = error.print();
        } else {
            // It may quote an argument that a terminal must not see as it is.
            output.complain(&text);
        }
        return if asked { Exit::Done } else { Exit::Usage };
    }
    if asked {
        let _ = output.answer(&Explanation { text: text.trim_end().to_owned() });
        return Exit::Done;
    }
    output.failure(&Failure::Usage(first_paragraph(&text)));
    Exit::Usage
}

#[derive(Serialize)]
struct Explanation {
    text: String,
}

impl Answer for Explanation {
    fn print(&self, page: &mut Page<'_>) -> std::io::Result<()> {
        page.block(&self.text)
    }
}

/// The parser's complaint without its usage lines.
fn first_paragraph(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
    lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
