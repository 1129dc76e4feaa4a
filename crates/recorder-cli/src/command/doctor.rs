//! `doctor`: whether this recorder can do its work, and what to do where it cannot. It changes nothing.

use std::io;
use std::path::Path;

use clap::Args;
use recorder_core::limits::{PASSPHRASE_BYTES_MAX, SIGNER_KEY_BYTES_MAX, TRUST_ROOT_BYTES_MAX};
use recorder_core::time::{RecordedAt, UtcTimestamp};
use recorder_envelope::signing::PublicKey;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot};
use recorder_store::Store;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::{Answer, Page, Tone};
use crate::passphrase::PassphraseSource;
use crate::settings::{Key, Settings, Synchronous, nearest};

/// Free bytes below which a store should not be left: an attachment of the largest size, many times over.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// This program did not exist before: a clock that says so is wrong.
const CLOCK_MIN: &str = "2026-01-01T00:00:00Z";

/// Checks everything that recording needs.
#[derive(Args, Debug)]
pub(crate) struct Doctor {}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Ok, detail: detail.into(), advice: None }
    }

    fn warn(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, state: State::Warn, detail: detail.into(), advice: Some(advice.into()) }
    }

    fn fail(name: &'static str, failure: &Failure) -> Self {
        let advice = failure.class().hint.map(|hint| hint.into_owned());
        Self { name, state: State::Fail, detail: failure.message(), advice }
    }
}

#[derive(Serialize)]
struct Examined {
    healthy: bool,
    checks: Vec<Check>,
}

impl Answer for Examined {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        for check in &self.checks {
            let (tone, word) = match check.state {
                State::Ok => (Tone::Good, "ok    "),
                State::Warn => (Tone::Warning, "warn  "),
                State::Fail => (Tone::Bad, "fail  "),
            };
            let name = format!("{:<13}", check.name);
            page.pieces(&[(tone, word), (Tone::Strong, &name), (Tone::Plain, &check.detail)])?;
            if let Some(advice) = &check.advice {
                page.pieces(&[(Tone::Faint, "                   do: "), (Tone::Plain, advice)])?;
            }
        }
        Ok(())
    }
}

impl Doctor {
    /// Checks everything, and goes on after a failure.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut checks = vec![check_clock(context.now()), check_environment(context)];
        match context.settings() {
            Ok(settings) => checks.extend(check_settings(context, &settings)),
            Err(failure) => checks.push(Check::fail("config", &failure)),
        }
        let healthy = checks.iter().all(|check| check.state != State::Fail);
        context.output.answer(&Examined { healthy, checks })?;
        Ok(if healthy { Exit::Done } else { Exit::CouldNotRun })
    }
}

fn check_settings(context: &Context, settings: &Settings) -> Vec<Check> {
    let (key_check, key) = check_key(context, settings);
    let (store_check, store) = check_store(context, settings);
    let mut checks = vec![
        check_config(settings),
        check_passphrase(context, settings),
        key_check,
        check_trust_root(settings, key.as_ref()),
        store_check,
    ];
    if let Some(store) = store {
        checks.push(check_stream(&*store, settings, key.as_ref()));
        checks.push(check_guard(context, settings, &*store, key.as_ref()));
        checks.push(check_durability(settings));
    }
    checks.push(check_disk(&settings.store));
    checks
}

fn check_clock(now: RecordedAt) -> Check {
    let now = UtcTimestamp::from(now);
    match CLOCK_MIN.parse::<UtcTimestamp>() {
        Ok(earliest) if now < earliest => Check::warn(
            "clock",
            format!("{now} is before this program was written"),
            "set the clock, and keep it by NTP: recorded times never go back",
        ),
        Ok(_) | Err(_) => Check::ok("clock", now.to_string()),
    }
}

fn check_environment(context: &Context) -> Check {
    let unknown = context.environment.unknown();
    let Some(first) = unknown.first() else {
        return Check::ok("environment", "every RECORDER_ variable is known");
    };
    let variables: Vec<String> = Key::ALL.iter().map(|key| key.variable()).collect();
    let advice = match nearest(first, variables.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => "unset it, or leave it to the program that it is for".to_owned(),
    };
    Check::warn("environment", format!("not known here: {}", unknown.join(", ")), advice)
}

fn check_config(settings: &Settings) -> Check {
    match &settings.file {
        Some(path) => Check::ok("config", path.display().to_string()),
        None => Check::warn(
            "config",
            "no configuration file; flags, environment and defaults hold",
            "`recorder init` writes one",
        ),
    }
}

fn check_passphrase(context: &Context, settings: &Settings) -> Check {
    let name = "passphrase";
    match context.passphrase(settings) {
        PassphraseSource::File(path) => {
            match recorder_fs::read_secret(&path, PASSPHRASE_BYTES_MAX + 2) {
                Ok(_) => Check::ok(name, format!("{}, for its owner only", path.display())),
                Err(error) => Check::fail(name, &error.into()),
            }
        }
        PassphraseSource::Descriptor(descriptor) => {
            Check::ok(name, format!("from descriptor {descriptor}"))
        }
        PassphraseSource::Prompt => Check::ok(name, "asked at the terminal when it is needed"),
    }
}

/// The key is opened where its passphrase is at hand; nobody is asked for one.
fn check_key(context: &Context, settings: &Settings) -> (Check, Option<PublicKey>) {
    let name = "key";
    if !context.has_signer(settings) {
        let advice = "`recorder signer generate` makes a key; name it as signer.key_path";
        let detail = "no signing key is configured: what is recorded will stay unproven";
        return (Check::warn(name, detail, advice), None);
    }
    let asks = context.passphrase(settings) == PassphraseSource::Prompt;
    if let (true, false, Some(path)) = (asks, context.signer_is_seed(settings), &settings.key_path)
    {
        let check = match recorder_fs::read_secret(path, SIGNER_KEY_BYTES_MAX) {
            Ok(_) => Check::ok(name, format!("{}, not opened: it needs you", path.display())),
            Err(error) => Check::fail(name, &error.into()),
        };
        return (check, None);
    }
    match context.signer(settings) {
        Ok(Some(signer)) => {
            let key = signer.key.public_key();
            (Check::ok(name, format!("opens, {}", key.key_id())), Some(key))
        }
        Ok(None) => (Check::ok(name, "none"), None),
        Err(failure) => (Check::fail(name, &failure), None),
    }
}

fn check_trust_root(settings: &Settings, key: Option<&PublicKey>) -> Check {
    let name = "trust root";
    let Some(path) = &settings.trust_root else {
        let advice = "name the file that auditors were given as trust_root, for fsck";
        return Check::warn(name, "none is configured", advice);
    };
    let parsed = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)
        .map_err(Failure::from)
        .and_then(|bytes| TrustRoot::parse(&bytes).map_err(Failure::TrustRoot));
    let root = match parsed {
        Ok(root) => root,
        Err(failure) => return Check::fail(name, &failure),
    };
    let Some(key) = key else {
        return Check::ok(name, format!("{} keys; not compared with the key", root.keys().len()));
    };
    match root.key(&key.key_id()) {
        Some(trusted) if !trusted.covers_stream(&settings.stream) => Check::warn(
            name,
            "trusts the signing key, but not for this stream",
            "add the stream to the key's streams and give auditors the new file",
        ),
        Some(trusted) if trusted.status() != KeyStatus::Active => Check::warn(
            name,
            "says that the signing key is not in use any more",
            "sign with the key that is, or correct the trust root",
        ),
        Some(_) => Check::ok(name, "trusts the signing key for this stream"),
        None => Check::warn(
            name,
            "does not hold the signing key",
            "add the key, and give auditors the new file by another way than the bundles",
        ),
    }
}

type OpenStore = std::sync::Arc<dyn Store>;

fn check_store(context: &Context, settings: &Settings) -> (Check, Option<OpenStore>) {
    let detail = || format!("{}, SQLite {}", settings.store.display(), rusqlite::version());
    match context.reader(settings) {
        Ok(store) => (Check::ok("store", detail()), Some(store)),
        Err(failure) => (Check::fail("store", &failure), None),
    }
}

fn check_stream(store: &dyn Store, settings: &Settings, key: Option<&PublicKey>) -> Check {
    let name = "stream";
    let head = match store.head(&settings.stream) {
        Ok(Some(head)) => head,
        Ok(None) => return Check::ok(name, format!("{}, nothing recorded yet", settings.stream)),
        Err(error) => return Check::fail(name, &error.into()),
    };
    let detail = format!("{}, {} envelopes", settings.stream, head.next_position);
    let Some((checkpoint, key)) = head.checkpoint.zip(key) else { return Check::ok(name, detail) };
    let note = recorder_envelope::checkpoint::SignedCheckpoint::parse(checkpoint.note.as_bytes());
    match note {
        Ok(note) if note.verify_log_signature(key).is_ok() => Check::ok(name, detail),
        Ok(_) => Check {
            state: State::Fail,
            ..Check::warn(
                name,
                "the last checkpoint was signed by another key",
                "configure that key; a key is rotated, never replaced",
            )
        },
        Err(error) => Check::fail(name, &Failure::Checkpoint(error)),
    }
}

/// The head guard is compared, and neither advanced nor adopted.
fn check_guard(
    context: &Context,
    settings: &Settings,
    store: &dyn Store,
    key: Option<&PublicKey>,
) -> Check {
    let name = "head guard";
    let compared = match context.compare_with_guard(settings, store, key) {
        Ok(Some(compared)) => compared,
        Ok(None) => {
            let advice = "set head_guard to checkpoints or strict";
            return Check::warn(name, "off: an older copy of the database is not noticed", advice);
        }
        Err(failure) => return Check::fail(name, &failure),
    };
    let problem = compared.problems.into_iter().chain(compared.missing).next();
    if let Some(problem) = problem {
        return Check::fail(name, &Failure::Open(problem.into()));
    }
    let path = settings.head_guard_path.display();
    match is_on_one_device(&settings.head_guard_path, &settings.store) {
        true => Check::warn(
            name,
            format!("{path}, which the database extends; both lie on one device"),
            "move the guard to where whoever writes to the database cannot, and name it as head_guard_path",
        ),
        false => Check::ok(name, format!("{path}, which the database extends")),
    }
}

/// Whether whoever puts an old disk back puts both back.
fn is_on_one_device(guard: &Path, store: &Path) -> bool {
    let device = |path: &Path| rustix::fs::stat(path).map(|found| found.st_dev);
    matches!((device(guard), device(store)), (Ok(one), Ok(other)) if one == other)
}

fn check_durability(settings: &Settings) -> Check {
    match settings.synchronous {
        Synchronous::Full => Check::ok("durability", "receipts are given after the disk confirmed"),
        Synchronous::Normal => Check::warn(
            "durability",
            "sqlite_synchronous is NORMAL: a power cut may lose what has a receipt",
            "set it to FULL",
        ),
    }
}

fn check_disk(store: &Path) -> Check {
    let name = "disk";
    let directory = store.parent().filter(|parent| !parent.as_os_str().is_empty());
    match rustix::fs::statvfs(directory.unwrap_or(Path::new("."))) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let detail = format!("{} MiB free", free >> 20);
            match free < FREE_BYTES_MIN {
                true => Check::warn(name, detail, "make room: a full disk stops recording"),
                false => Check::ok(name, detail),
            }
        }
        Err(error) => {
            Check::warn(name, format!("not measured: {error}"), "look at it by other means")
        }
    }
}
