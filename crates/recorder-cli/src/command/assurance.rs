//! `assurance`: what a deployment asserts of itself in a pipeline, each assertion by name; any that does not hold fails it.
//!
//! What this build cannot check is said to be unchecked and never passed. Deliberately absent: repairing anything.

use std::io;

use clap::{Args, Subcommand};
use recorder_core::hash::KeyId;
use recorder_core::limits::TRUST_ROOT_BYTES_MAX;
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot};
use recorder_store::StreamHead;
use serde::Serialize;

use crate::command::fsck;
use crate::context::Context;
use crate::failure::{Exit, Failure};
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
    ) -> Self {
        let (holds, found) = result.unwrap_or_else(|failure| (false, failure.message()));
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
        for assertion in &self.assertions {
            let (tone, word) = match assertion.state {
                State::Holds => (Tone::Good, "holds        "),
                State::Fails => (Tone::Bad, "FAILS        "),
                State::NotChecked => (Tone::Warning, "not checked  "),
            };
            let name = format!("{:<20}", assertion.name);
            page.pieces(&[(tone, word), (Tone::Strong, &name), (Tone::Plain, &assertion.asserts)])?;
            page.pieces(&[(Tone::Faint, "             found: "), (Tone::Plain, &assertion.found)])?;
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
        let (depth, depth_min) = (settings.startup_verification_depth, self.depth_min);
        // This is the start itself: the key is opened, the writer's lock taken, the end of each stream re-derived.
        let started = context.recorder(settings);
        let started =
            started.map(|_| (true, format!("opened, {depth} envelopes at the end re-derived")));
        vec![
            Assertion::new(
                "verification_depth",
                format!("a start re-derives at least {depth_min} envelopes"),
                depth >= depth_min,
                format!("{depth} are configured"),
            ),
            Assertion::of(
                "store_opens",
                "the database opens for recording, and its end follows from its hashes",
                started,
            ),
            Assertion::new(
                "durability",
                "a receipt is given after the disk confirmed (sqlite_synchronous FULL)",
                settings.synchronous == Synchronous::Full,
                match settings.synchronous {
                    Synchronous::Full => "FULL",
                    Synchronous::Normal => "NORMAL",
                },
            ),
            Assertion::new(
                "auto_seal",
                "segments are sealed without anybody asking",
                settings.seal_mode != SealMode::None,
                match settings.seal_mode {
                    SealMode::None => "off",
                    SealMode::AfterCount | SealMode::AfterDuration | SealMode::Combined => "on",
                },
            ),
        ]
    }
}

fn read_trust_root(settings: &Settings) -> Result<TrustRoot, Failure> {
    let none = || Failure::Usage("no trust root is configured".to_owned());
    let path = settings.trust_root.as_ref().ok_or_else(none)?;
    let bytes = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)?;
    TrustRoot::parse(&bytes).map_err(Failure::TrustRoot)
}

fn read_head(context: &Context, settings: &Settings) -> Result<StreamHead, Failure> {
    let head = context.reader(settings)?.head(&settings.stream)?;
    head.ok_or_else(|| Failure::no_stream(&settings.stream))
}

fn trust_root_assertions(context: &Context, settings: &Settings) -> Vec<Assertion> {
    let root = read_trust_root(settings);
    let parses = match &root {
        Ok(root) => (true, format!("{} keys", root.keys().len())),
        Err(failure) => (false, failure.message()),
    };
    let root = root.ok();
    let signer = context.signer(settings).map(|signer| signer.map(|signer| signer.key.key_id()));
    vec![
        Assertion::new(
            "trust_root_parses",
            "the trust root is one, and holds no weak key",
            parses.0,
            parses.1,
        ),
        active_key(root.as_ref(), settings),
        Assertion::of(
            "signer_is_active",
            "the configured key is an active key of this stream",
            signer.map(|key_id| signer_is_active(root.as_ref(), settings, key_id)),
        ),
        Assertion::of(
            "no_compromised_key",
            "no compromised key signs",
            signs_uncompromised(context, root.as_ref(), settings),
        ),
    ]
}

fn active_key(root: Option<&TrustRoot>, settings: &Settings) -> Assertion {
    let active = |root: &TrustRoot| {
        let keys = root.keys_for(&settings.stream);
        keys.filter(|key| key.status() == KeyStatus::Active).count()
    };
    let count = root.map_or(0, active);
    Assertion::new(
        "active_key",
        format!("the trust root holds an active key of the stream {}", settings.stream),
        count > 0,
        format!("{count}"),
    )
}

fn signer_is_active(
    root: Option<&TrustRoot>,
    settings: &Settings,
    signer: Option<KeyId>,
) -> (bool, String) {
    let Some(key_id) = signer else { return (false, "no signing key is configured".to_owned()) };
    let Some(key) = root.and_then(|root| root.key(&key_id)) else {
        return (false, format!("{key_id} is not in the trust root"));
    };
    let active = key.status() == KeyStatus::Active && key.covers_stream(&settings.stream);
    let found = if active { "is" } else { "is not active there, or not of this stream" };
    (active, format!("{key_id} {found}"))
}

/// Neither the configured key nor the one that signed the newest checkpoint is a compromised one.
fn signs_uncompromised(
    context: &Context,
    root: Option<&TrustRoot>,
    settings: &Settings,
) -> Result<(bool, String), Failure> {
    let Some(root) = root else {
        return Ok((false, "there is no trust root to say so".to_owned()));
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
            return Ok((false, format!("the configured key {key_id} is compromised")));
        }
        if note.as_ref().is_some_and(|note| note.verify_log_signature(key.public_key()).is_ok()) {
            return Ok((false, format!("{key_id}, compromised, signed the newest checkpoint")));
        }
    }
    Ok((
        true,
        "neither the configured key nor the signer of the newest checkpoint is one".to_owned(),
    ))
}

impl Gates {
    fn assertions(&self, context: &Context, settings: &Settings) -> Vec<Assertion> {
        let clean = fsck::check(context, settings).map(|checked| {
            let count = checked.report.finding_count;
            (checked.clean, format!("{count} findings in {} envelopes", checked.report.envelopes))
        });
        let covered = read_head(context, settings).map(|head| self.covered(&head));
        let limit = self.behind_max;
        vec![
            Assertion::of("fsck_clean", "everything stored follows from its own hashes", clean),
            Assertion::of(
                "checkpoint_covers",
                format!("at most {limit} envelopes came after the newest checkpoint"),
                covered,
            ),
            Assertion {
                name: "contract",
                asserts: "the published contract is the one that this build has".to_owned(),
                state: State::NotChecked,
                found: "`contract check` is not part of this build".to_owned(),
            },
        ]
    }

    fn covered(&self, head: &StreamHead) -> (bool, String) {
        let Some(checkpoint) = &head.checkpoint else {
            return (false, "there is no checkpoint".to_owned());
        };
        let behind = head.next_position.saturating_sub(checkpoint.tree_size);
        (behind <= self.behind_max, format!("{behind} came after it"))
    }
}
