//! `assurance`: what a deployment asserts of itself in a pipeline, each assertion by name; any that does not hold fails it.
//!
//! What this build cannot check is said to be unchecked and never passed. Deliberately absent: repairing anything.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use recorder_core::hash::KeyId;
use recorder_core::limits::TRUST_ROOT_BYTES_MAX;
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey};
use recorder_store::StreamHead;
use serde::Serialize;

use crate::command::contract;
use crate::command::fsck;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::assert_state;
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page, Tone};
use crate::settings::{SealMode, Settings, Synchronous};

/// Asserts. Exits with 0 if all of it holds, 5 otherwise.
#[derive(Debug, Subcommand)]
pub(crate) enum Assurance {
    /// That a start checks enough, and succeeds
    Startup(Startup),
    /// That auditors' trust root holds the key that signs, and no key that must not
    TrustRoot,
    /// That what is recorded is sound and under a checkpoint
    Gates(Gates),
}

/// What a start must be like.
#[derive(Args, Debug)]
pub(crate) struct Startup {
    /// Envelopes that a start must re-derive at the end of each stream
    #[arg(long, value_name = "N", default_value_t = 100)]
    depth_min: u64,
}

/// What must be under a checkpoint.
#[derive(Args, Debug)]
pub(crate) struct Gates {
    /// Envelopes that may have come after the newest checkpoint
    #[arg(long, value_name = "N", default_value_t = 0)]
    behind_max: u64,
    /// The published contract [default: docs/generated, where it is there]
    #[arg(long, value_name = "DIR")]
    contract: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Holds,
    Fails,
    NotChecked,
}

#[derive(Serialize)]
struct Assertion {
    name: &'static str,
    asserts: String,
    state: State,
    found: String,
}

impl Assertion {
    fn new(
        name: &'static str,
        asserts: impl Into<String>,
        holds: bool,
        found: impl Into<String>,
    ) -> Self {
        let state = if holds { State::Holds } else { State::Fails };
        Self { name, asserts: asserts.into(), state, found: found.into() }
    }

    /// Holds where `result` says so, with what was found; fails with the failure's message otherwise.
    fn of(
        name: &'static str,
        asserts: impl Into<String>,
        result: Result<(bool, String), Failure>,
        locale: Locale,
    ) -> Self {
        let (holds, found) = result.unwrap_or_else(|failure| (false, failure.message(locale)));
        Self::new(name, asserts, holds, found)
    }
}

#[derive(Serialize)]
struct Asserted {
    holds: bool,
    assertions: Vec<Assertion>,
}

impl Answer for Asserted {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        for assertion in &self.assertions {
            let (tone, word) = match assertion.state {
                State::Holds => (Tone::Good, say!(locale, assert_state.holds)),
                State::Fails => (Tone::Bad, say!(locale, assert_state.fails)),
                State::NotChecked => (Tone::Warning, say!(locale, assert_state.not_checked)),
            };
            let word = assert_state::WIDTH.pad(locale, word, 2);
            let name = format!("{:<20}", assertion.name);
            page.pieces(&[
                (tone, &word),
                (Tone::Strong, &name),
                (Tone::Plain, &assertion.asserts),
            ])?;
            let indent = " ".repeat(word.chars().count());
            let prefix = format!("{indent}{}: ", say!(locale, assurance.found));
            page.pieces(&[(Tone::Faint, &prefix), (Tone::Plain, &assertion.found)])?;
        }
        Ok(())
    }
}

impl Assurance {
    /// Looks at every assertion, also after one that fails.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let assertions = match self {
            Self::Startup(startup) => startup.assertions(context, &settings),
            Self::TrustRoot => trust_root_assertions(context, &settings),
            Self::Gates(gates) => gates.assertions(context, &settings),
        };
        let holds = assertions.iter().all(|assertion| assertion.state != State::Fails);
        context.output.answer(&Asserted { holds, assertions })?;
        Ok(if holds { Exit::Done } else { Exit::Refused })
    }
}

impl Startup {
    fn assertions(&self, context: &Context, settings: &Settings) -> Vec<Assertion> {
        let locale = context.locale();
        let (depth, depth_min) = (settings.startup_verification_depth, self.depth_min);
        // This is the start itself: the key is opened, the writer's lock taken, the end of each stream re-derived.
        let started = context.recorder(settings);
        let started = started.map(|_| (true, say!(locale, assurance.started, count = depth)));
        vec![
            Assertion::new(
                "verification_depth",
                say!(locale, assurance.depth_asserts, count = depth_min),
                depth >= depth_min,
                say!(locale, assurance.depth_found, count = depth),
            ),
            Assertion::of("store_opens", say!(locale, assurance.opens_asserts), started, locale),
            Assertion::new(
                "durability",
                say!(locale, assurance.durable_asserts),
                settings.synchronous == Synchronous::Full,
                match settings.synchronous {
                    Synchronous::Full => "FULL",
                    Synchronous::Normal => "NORMAL",
                },
            ),
            Assertion::new(
                "auto_seal",
                say!(locale, assurance.seals_asserts),
                settings.seal_mode != SealMode::None,
                match settings.seal_mode {
                    SealMode::None => say!(locale, assurance.off),
                    SealMode::AfterCount | SealMode::AfterDuration | SealMode::Combined => {
                        say!(locale, assurance.on)
                    }
                },
            ),
        ]
    }
}

fn read_trust_root(settings: &Settings, locale: Locale) -> Result<TrustRoot, Failure> {
    let none = || Failure::Usage(say!(locale, assurance.no_trust_root).to_owned());
    let path = settings.trust_root.as_ref().ok_or_else(none)?;
    let bytes = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)?;
    TrustRoot::parse(&bytes).map_err(Failure::TrustRoot)
}

fn read_head(context: &Context, settings: &Settings) -> Result<StreamHead, Failure> {
    let head = context.reader(settings)?.head(&settings.stream)?;
    head.ok_or_else(|| Failure::no_stream(&settings.stream))
}

fn trust_root_assertions(context: &Context, settings: &Settings) -> Vec<Assertion> {
    let locale = context.locale();
    let root = read_trust_root(settings, locale);
    let parses = match &root {
        Ok(root) => (true, say!(locale, assurance.keys, count = root.keys().len())),
        Err(failure) => (false, failure.message(locale)),
    };
    let root = root.ok();
    let next = next_position(context, settings);
    let signer = context.signer(settings).map(|signer| signer.map(|signer| signer.key.key_id()));
    vec![
        Assertion::new(
            "trust_root_parses",
            say!(locale, assurance.parses_asserts),
            parses.0,
            parses.1,
        ),
        active_key(root.as_ref(), settings, next, locale),
        Assertion::of(
            "signer_is_active",
            say!(locale, assurance.signer_asserts),
            signer.map(|key_id| {
                let may_sign = |key: &TrustedKey| may_sign(key, settings, next);
                signer_is_active(root.as_ref(), key_id, may_sign, locale)
            }),
            locale,
        ),
        Assertion::of(
            "no_compromised_key",
            say!(locale, assurance.uncompromised_asserts),
            signs_uncompromised(context, root.as_ref(), settings),
            locale,
        ),
    ]
}

/// The position that is signed next; `None` where the database does not tell.
fn next_position(context: &Context, settings: &Settings) -> Option<u64> {
    match read_head(context, settings) {
        Ok(head) => Some(head.next_position),
        Err(Failure::NoStream { .. }) => Some(0),
        Err(_) => None,
    }
}

/// Whether a key may sign what is recorded next.
fn may_sign(key: &TrustedKey, settings: &Settings, next: Option<u64>) -> bool {
    key.status() == KeyStatus::Active
        && key.covers_stream(&settings.stream)
        && next.is_some_and(|position| key.covers(position))
}

fn active_key(
    root: Option<&TrustRoot>,
    settings: &Settings,
    next: Option<u64>,
    locale: Locale,
) -> Assertion {
    let active =
        |root: &TrustRoot| root.keys().iter().filter(|key| may_sign(key, settings, next)).count();
    let count = root.map_or(0, active);
    Assertion::new(
        "active_key",
        say!(locale, assurance.active_asserts, stream = settings.stream),
        count > 0,
        format!("{count}"),
    )
}

fn signer_is_active(
    root: Option<&TrustRoot>,
    signer: Option<KeyId>,
    may_sign: impl Fn(&TrustedKey) -> bool,
    locale: Locale,
) -> (bool, String) {
    let Some(key_id) = signer else {
        return (false, say!(locale, assurance.signer_absent).to_owned());
    };
    let Some(key) = root.and_then(|root| root.key(&key_id)) else {
        return (false, say!(locale, assurance.signer_unknown, id = key_id));
    };
    match may_sign(key) {
        true => (true, say!(locale, assurance.signer_active, id = key_id)),
        false => (false, say!(locale, assurance.signer_inactive, id = key_id)),
    }
}

/// Neither the configured key nor the one that signed the newest checkpoint is a compromised one.
fn signs_uncompromised(
    context: &Context,
    root: Option<&TrustRoot>,
    settings: &Settings,
) -> Result<(bool, String), Failure> {
    let locale = context.locale();
    let Some(root) = root else {
        return Ok((false, say!(locale, assurance.no_root_to_say).to_owned()));
    };
    let signer = context.signer(settings)?.map(|signer| signer.key.key_id());
    let compromised = root.keys().iter().filter(|key| key.status() == KeyStatus::Compromised);
    let note = match read_head(context, settings) {
        Ok(head) => head.checkpoint,
        Err(Failure::NoStream { .. }) => None,
        Err(failure) => return Err(failure),
    };
    let note = note.map(|stored| SignedCheckpoint::parse(stored.note.as_bytes()));
    let note = note.transpose().map_err(Failure::Checkpoint)?;
    for key in compromised {
        let key_id = key.key_id();
        if signer == Some(key_id) {
            return Ok((false, say!(locale, assurance.signer_compromised, id = key_id)));
        }
        if note.as_ref().is_some_and(|note| note.verify_log_signature(key.public_key()).is_ok()) {
            return Ok((false, say!(locale, assurance.checkpoint_compromised, id = key_id)));
        }
    }
    Ok((true, say!(locale, assurance.uncompromised).to_owned()))
}

impl Gates {
    /// Not checked only where nobody named a contract and none lies where one would.
    fn contract(&self, locale: Locale) -> Assertion {
        let asserts = say!(locale, assurance.contract_asserts);
        let root = match &self.contract {
            Some(root) => root,
            None if Path::new(contract::ROOT).symlink_metadata().is_ok() => {
                Path::new(contract::ROOT)
            }
            None => {
                let found = say!(locale, assurance.contract_absent).to_owned();
                let (asserts, state) = (asserts.to_owned(), State::NotChecked);
                return Assertion { name: "contract", asserts, state, found };
            }
        };
        let checked = recorder_contract::check(root).map_err(Failure::from).map(|checked| {
            let count = checked.drift.len() + checked.breaks.len() + checked.idle_records.len();
            (checked.holds(), say!(locale, assurance.contract_found, count = count))
        });
        Assertion::of("contract", asserts, checked, locale)
    }

    fn assertions(&self, context: &Context, settings: &Settings) -> Vec<Assertion> {
        let locale = context.locale();
        let clean = fsck::check(context, settings).map(|checked| {
            let (count, envelopes) = (checked.report.finding_count, checked.report.envelopes);
            let found = say!(locale, assurance.clean_found, count = count, envelopes = envelopes);
            (checked.clean, found)
        });
        let covered = read_head(context, settings).map(|head| self.covered(&head, locale));
        let limit = self.behind_max;
        vec![
            Assertion::of("fsck_clean", say!(locale, assurance.clean_asserts), clean, locale),
            Assertion::of(
                "checkpoint_covers",
                say!(locale, assurance.covers_asserts, count = limit),
                covered,
                locale,
            ),
            self.contract(locale),
        ]
    }

    fn covered(&self, head: &StreamHead, locale: Locale) -> (bool, String) {
        let Some(checkpoint) = &head.checkpoint else {
            return (false, say!(locale, assurance.no_checkpoint).to_owned());
        };
        let behind = head.next_position.saturating_sub(checkpoint.tree_size);
        (behind <= self.behind_max, say!(locale, assurance.behind, count = behind))
    }
}
