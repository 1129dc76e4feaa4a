//! The command line as written: what every command takes, and the list of commands.
//!
//! No default and no environment variable is looked at here: `settings` does, so that each value's origin is known.

mod help;
mod refusal;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, FromArgMatches as _, Parser, Subcommand};

use crate::command;
use crate::i18n::Locale;

use crate::settings::{Flags, Key};

pub(crate) use help::command as localised;
pub(crate) use refusal::refusal;

/// Keeps evidence of what happened, and proves it to those who were not there.
///
/// Exit codes: 0 done; 1 could not run; 2 wrong usage or configuration; 3 evidence is invalid;
/// 4 evidence is valid, but something that was required is not proven; 5 refused by policy or state.
///
/// `recorder glossary` explains the words that are used here.
#[derive(Debug, Parser)]
#[command(name = "recorder", version, disable_help_subcommand = false)]
pub(crate) struct Arguments {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Options for every command")]
pub(crate) struct Global {
    /// Answer with one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Leave out notes and progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Language of what people read; JSON is always in English [default: that of LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, global = true, value_name = "TAG", value_parser = locales())]
    pub(crate) locale: Option<Locale>,
    /// Configuration file, TOML or JSON
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The database
    #[arg(long, global = true, value_name = "FILE")]
    store: Option<OsString>,
    /// The tenant half of the stream
    #[arg(long, global = true, value_name = "ID")]
    tenant_id: Option<OsString>,
    /// The recorder half of the stream
    #[arg(long, global = true, value_name = "ID")]
    recorder_id: Option<OsString>,
    /// Where signing keys may come from: secure, standard or dev
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<OsString>,
    /// The signing key's file
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<OsString>,
    /// File with the key's passphrase
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "passphrase_fd")]
    pub(crate) passphrase_file: Option<OsString>,
    /// Take streams whose guarded head is missing as they are, and record that
    #[arg(long, global = true)]
    pub(crate) adopt_head: bool,
    /// Open descriptor with the key's passphrase
    #[arg(long, global = true, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
}

/// The locales by their tags.
fn locales() -> impl TypedValueParser<Value = Locale> {
    PossibleValuesParser::new(Locale::all().map(Locale::tag))
        .try_map(|tag| Locale::by_tag(&tag).ok_or("no such locale"))
}

impl Arguments {
    /// Reads the arguments; help that was asked for is in `locale`.
    ///
    /// # Errors
    ///
    /// The parser's, for what it refuses and for requests of help and version.
    pub(crate) fn read(arguments: &[OsString], locale: Locale) -> Result<Self, clap::Error> {
        let mut command = help::command(locale);
        let matches = command.try_get_matches_from_mut(arguments)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

impl Global {
    /// The flags that are settings.
    pub(crate) fn flags(&self) -> Flags {
        let given = [
            (Key::Store, "--store", &self.store),
            (Key::TenantId, "--tenant-id", &self.tenant_id),
            (Key::RecorderId, "--recorder-id", &self.recorder_id),
            (Key::Profile, "--profile", &self.profile),
            (Key::SignerKeyPath, "--key", &self.key),
            (Key::SignerPassphrasePath, "--passphrase-file", &self.passphrase_file),
        ];
        let set = |(key, flag, value): (Key, &'static str, &Option<OsString>)| {
            value.clone().map(|value| (key, (flag, value)))
        };
        given.into_iter().filter_map(set).collect()
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole story on real input: record, seal, bundle, verify, attack
    Demo(command::demo::Demo),
    /// Manipulate copies of evidence in every known way, and show who notices
    Attack(command::attack::Attack),
    /// Set up a directory: configuration, signing key, trust root, database
    Init(command::init::Init),
    /// Record envelopes
    #[command(subcommand)]
    Envelope(command::envelope::Envelope),
    /// Record what Decision Gate did, from a transcript and a runpack
    #[command(subcommand)]
    DecisionGate(command::decision_gate::DecisionGate),
    /// Record what an OpenClaw gateway did, from its stream and its ledger
    #[command(subcommand)]
    Openclaw(command::openclaw::Openclaw),
    /// Record OpenTelemetry traces and logs
    #[command(subcommand)]
    Otel(command::otel::Otel),
    /// Look at what is recorded
    #[command(subcommand)]
    Query(command::query::Query),
    /// Open, seal and list segments
    #[command(subcommand)]
    Segment(command::segment::Segment),
    /// Print signed checkpoints of the log
    #[command(subcommand)]
    Checkpoint(command::checkpoint::Checkpoint),
    /// Prove that an envelope is in the log, or that the log was only extended
    #[command(subcommand)]
    Proof(command::proof::Proof),
    /// Build, verify and look into bundles
    #[command(subcommand)]
    Bundle(command::bundle::Bundle),
    /// Make, look at and rotate signing keys
    #[command(subcommand)]
    Signer(command::signer::Signer),
    /// Look at the settings
    #[command(subcommand)]
    Config(command::config::Config),
    /// Check whether this recorder can do its work
    Doctor(command::doctor::Doctor),
    /// Re-derive everything that the database holds
    Fsck(command::fsck::Fsck),
    /// Assert what a deployment must be like, for pipelines
    #[command(subcommand)]
    Assurance(command::assurance::Assurance),
    /// Publish what clients may rely on, or check what is published
    #[command(subcommand)]
    Contract(command::contract::Contract),
    /// Explain the words, phases, answers and codes that are used here
    Glossary(command::glossary::Glossary),
    /// Print a shell's completion script
    Completions(command::completions::Completions),
    /// Print or write the manual pages
    Man(command::man::Man),
}
