//! `doctor`: whether this recorder can do its work, and what to do where it cannot. It changes nothing.

use std::io;
use std::path::Path;

use clap::Args;
use recorder_core::limits::{PASSPHRASE_BYTES_MAX, SIGNER_KEY_BYTES_MAX, TRUST_ROOT_BYTES_MAX};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::signing::PublicKey;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot};
use recorder_store::Store;
use serde::Serialize;

use crate::adapter_key;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::{check, check_state};
use crate::i18n::{Locale, Plain, say};
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

/// A check that is being made: what it is called, in which language.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    locale: Locale,
}

impl Subject {
    fn new(context: &Context, name: &'static Plain) -> Self {
        let locale = context.locale();
        Self { name: name.text(locale), locale }
    }

    fn ok(self, detail: impl Into<String>) -> Check {
        Check { name: self.name, state: State::Ok, detail: detail.into(), advice: None }
    }

    fn warn(self, detail: impl Into<String>, advice: impl Into<String>) -> Check {
        let advice = Some(advice.into());
        Check { name: self.name, state: State::Warn, detail: detail.into(), advice }
    }

    fn fail(self, failure: &Failure) -> Check {
        let advice = failure.class().advice(self.locale).map(|advice| advice.into_owned());
        Check { name: self.name, state: State::Fail, detail: failure.message(self.locale), advice }
    }
}

#[derive(Serialize)]
struct Examined {
    healthy: bool,
    checks: Vec<Check>,
}

impl Answer for Examined {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        let locale = page.locale();
        for check in &self.checks {
            let (tone, word) = match check.state {
                State::Ok => (Tone::Good, say!(locale, check_state.ok)),
                State::Warn => (Tone::Warning, say!(locale, check_state.warn)),
                State::Fail => (Tone::Bad, say!(locale, check_state.fail)),
            };
            let word = check_state::WIDTH.pad(locale, word, 2);
            let name = check::WIDTH.pad(locale, check.name, 2);
            page.pieces(&[(tone, &word), (Tone::Strong, &name), (Tone::Plain, &check.detail)])?;
            if let Some(advice) = &check.advice {
                let indent = " ".repeat(word.chars().count() + name.chars().count());
                let prefix = format!("{indent}{}: ", say!(locale, doctor.advice));
                page.pieces(&[(Tone::Faint, &prefix), (Tone::Plain, advice)])?;
            }
        }
        Ok(())
    }
}

impl Doctor {
    /// Checks everything, and goes on after a failure.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut checks = vec![check_clock(context), check_environment(context)];
        match context.settings() {
            Ok(settings) => checks.extend(check_settings(context, &settings)),
            Err(failure) => checks.push(Subject::new(context, &check::config).fail(&failure)),
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
        check_config(context, settings),
        check_passphrase(context, settings),
        key_check,
        check_trust_root(context, settings, key.as_ref()),
        store_check,
        check_adapter_key(context, settings),
    ];
    if let Some(store) = store {
        checks.push(check_stream(context, &*store, settings, key.as_ref()));
        checks.push(check_guard(context, settings, &*store, key.as_ref()));
        checks.push(check_durability(context, settings));
    }
    checks.push(check_disk(context, &settings.store));
    checks
}

fn check_clock(context: &Context) -> Check {
    let subject = Subject::new(context, &check::clock);
    let now = UtcTimestamp::from(context.now());
    match CLOCK_MIN.parse::<UtcTimestamp>() {
        Ok(earliest) if now < earliest => subject.warn(
            say!(subject.locale, doctor.clock_early, time = now),
            say!(subject.locale, doctor.clock_advice),
        ),
        Ok(_) | Err(_) => subject.ok(now.to_string()),
    }
}

fn check_environment(context: &Context) -> Check {
    let subject = Subject::new(context, &check::environment);
    let locale = subject.locale;
    let unknown = context.environment.unknown();
    let Some(first) = unknown.first() else {
        return subject.ok(say!(locale, doctor.environment_known));
    };
    let variables: Vec<String> = Key::ALL.iter().map(|key| key.variable()).collect();
    let advice = match nearest(first, variables.iter().map(String::as_str)) {
        Some(near) => say!(locale, hint.did_you_mean, name = near),
        None => say!(locale, doctor.environment_advice).to_owned(),
    };
    let names = unknown.join(", ");
    subject.warn(say!(locale, doctor.environment_unknown, names = names), advice)
}

fn check_config(context: &Context, settings: &Settings) -> Check {
    let subject = Subject::new(context, &check::config);
    match &settings.file {
        Some(path) => subject.ok(path.display().to_string()),
        None => subject
            .warn(say!(subject.locale, config.no_file), say!(subject.locale, doctor.config_advice)),
    }
}

fn check_passphrase(context: &Context, settings: &Settings) -> Check {
    let subject = Subject::new(context, &check::passphrase);
    let locale = subject.locale;
    match context.passphrase(settings) {
        PassphraseSource::File(path) => {
            match recorder_fs::read_secret(&path, PASSPHRASE_BYTES_MAX + 2) {
                Ok(_) => subject.ok(say!(locale, doctor.passphrase_file, path = path.display())),
                Err(error) => subject.fail(&error.into()),
            }
        }
        PassphraseSource::Descriptor(descriptor) => {
            subject.ok(say!(locale, doctor.passphrase_descriptor, descriptor = descriptor))
        }
        PassphraseSource::Prompt(_) => subject.ok(say!(locale, doctor.passphrase_asked)),
    }
}

/// The key is opened where its passphrase is at hand; nobody is asked for one.
fn check_key(context: &Context, settings: &Settings) -> (Check, Option<PublicKey>) {
    let subject = Subject::new(context, &check::key);
    let locale = subject.locale;
    if !context.has_signer(settings) {
        let (detail, advice) = (say!(locale, note.unsigned), say!(locale, doctor.key_advice));
        return (subject.warn(detail, advice), None);
    }
    let asks = matches!(context.passphrase(settings), PassphraseSource::Prompt(_));
    if let (true, false, Some(path)) = (asks, context.signer_is_seed(settings), &settings.key_path)
    {
        let check = match recorder_fs::read_secret(path, SIGNER_KEY_BYTES_MAX) {
            Ok(_) => subject.ok(say!(locale, doctor.key_unopened, path = path.display())),
            Err(error) => subject.fail(&error.into()),
        };
        return (check, None);
    }
    match context.signer(settings) {
        Ok(Some(signer)) => {
            let key = signer.key.public_key();
            (subject.ok(say!(locale, doctor.key_opens, id = key.key_id())), Some(key))
        }
        Ok(None) => (subject.ok(say!(locale, word.none)), None),
        Err(failure) => (subject.fail(&failure), None),
    }
}

fn check_trust_root(context: &Context, settings: &Settings, key: Option<&PublicKey>) -> Check {
    let subject = Subject::new(context, &check::trust_root);
    let locale = subject.locale;
    let Some(path) = &settings.trust_root else {
        let advice = say!(locale, doctor.trust_root_absent_advice);
        return subject.warn(say!(locale, doctor.trust_root_absent), advice);
    };
    let parsed = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)
        .map_err(Failure::from)
        .and_then(|bytes| TrustRoot::parse(&bytes).map_err(Failure::TrustRoot));
    let root = match parsed {
        Ok(root) => root,
        Err(failure) => return subject.fail(&failure),
    };
    let Some(key) = key else {
        let count = root.keys().len();
        return subject.ok(say!(locale, doctor.trust_root_uncompared, count = count));
    };
    match root.key(&key.key_id()) {
        Some(trusted) if !trusted.covers_stream(&settings.stream) => subject.warn(
            say!(locale, doctor.trust_root_other_stream),
            say!(locale, doctor.trust_root_other_stream_advice),
        ),
        Some(trusted) if trusted.status() != KeyStatus::Active => subject.warn(
            say!(locale, doctor.trust_root_inactive),
            say!(locale, doctor.trust_root_inactive_advice),
        ),
        Some(_) => subject.ok(say!(locale, doctor.trust_root_trusts)),
        None => subject.warn(
            say!(locale, doctor.trust_root_lacks),
            say!(locale, doctor.trust_root_lacks_advice),
        ),
    }
}

fn check_adapter_key(context: &Context, settings: &Settings) -> Check {
    let subject = Subject::new(context, &check::adapter_key);
    let (locale, path) = (subject.locale, settings.adapter_key_path.display());
    match adapter_key::load(settings) {
        Ok(Some(_)) => subject.ok(say!(locale, doctor.adapter_key_kept, path = path)),
        Ok(None) => subject.ok(say!(locale, doctor.adapter_key_absent, path = path)),
        Err(error) => subject.fail(&error.into()),
    }
}

type OpenStore = std::sync::Arc<dyn Store>;

fn check_store(context: &Context, settings: &Settings) -> (Check, Option<OpenStore>) {
    let subject = Subject::new(context, &check::store);
    let detail = || format!("{}, SQLite {}", settings.store.display(), rusqlite::version());
    match context.reader(settings) {
        Ok(store) => (subject.ok(detail()), Some(store)),
        Err(failure) => (subject.fail(&failure), None),
    }
}

fn check_stream(
    context: &Context,
    store: &dyn Store,
    settings: &Settings,
    key: Option<&PublicKey>,
) -> Check {
    let subject = Subject::new(context, &check::stream);
    let (locale, stream) = (subject.locale, &settings.stream);
    let head = match store.head(&settings.stream) {
        Ok(Some(head)) => head,
        Ok(None) => return subject.ok(say!(locale, doctor.stream_empty, stream = stream)),
        Err(error) => return subject.fail(&error.into()),
    };
    let detail = say!(locale, doctor.stream_envelopes, stream = stream, count = head.next_position);
    let Some((checkpoint, key)) = head.checkpoint.zip(key) else { return subject.ok(detail) };
    let note = recorder_envelope::checkpoint::SignedCheckpoint::parse(checkpoint.note.as_bytes());
    match note {
        Ok(note) if note.verify_log_signature(key).is_ok() => subject.ok(detail),
        Ok(_) => Check {
            state: State::Fail,
            ..subject.warn(
                say!(locale, doctor.stream_other_key),
                say!(locale, doctor.stream_other_key_advice),
            )
        },
        Err(error) => subject.fail(&Failure::Checkpoint(error)),
    }
}

/// The head guard is compared, and neither advanced nor adopted.
fn check_guard(
    context: &Context,
    settings: &Settings,
    store: &dyn Store,
    key: Option<&PublicKey>,
) -> Check {
    let subject = Subject::new(context, &check::head_guard);
    let locale = subject.locale;
    let compared = match context.compare_with_guard(settings, store, key) {
        Ok(Some(compared)) => compared,
        Ok(None) => {
            let advice = say!(locale, doctor.guard_off_advice);
            return subject.warn(say!(locale, doctor.guard_off), advice);
        }
        Err(failure) => return subject.fail(&failure),
    };
    let problem = compared.problems.into_iter().chain(compared.missing).next();
    if let Some(problem) = problem {
        return subject.fail(&Failure::Open(problem.into()));
    }
    let path = settings.head_guard_path.display();
    match is_on_one_device(&settings.head_guard_path, &settings.store) {
        true => subject.warn(
            say!(locale, doctor.guard_one_device, path = path),
            say!(locale, doctor.guard_one_device_advice),
        ),
        false => subject.ok(say!(locale, doctor.guard_extends, path = path)),
    }
}

/// Whether whoever puts an old disk back puts both back.
fn is_on_one_device(guard: &Path, store: &Path) -> bool {
    let device = |path: &Path| rustix::fs::stat(path).map(|found| found.st_dev);
    matches!((device(guard), device(store)), (Ok(one), Ok(other)) if one == other)
}

fn check_durability(context: &Context, settings: &Settings) -> Check {
    let subject = Subject::new(context, &check::durability);
    let locale = subject.locale;
    match settings.synchronous {
        Synchronous::Full => subject.ok(say!(locale, doctor.durable)),
        Synchronous::Normal => {
            subject.warn(say!(locale, doctor.not_durable), say!(locale, doctor.not_durable_advice))
        }
    }
}

fn check_disk(context: &Context, store: &Path) -> Check {
    let subject = Subject::new(context, &check::disk);
    let locale = subject.locale;
    let directory = store.parent().filter(|parent| !parent.as_os_str().is_empty());
    match rustix::fs::statvfs(directory.unwrap_or(Path::new("."))) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let detail = say!(locale, doctor.disk_free, size = free >> 20);
            match free < FREE_BYTES_MIN {
                true => subject.warn(detail, say!(locale, doctor.disk_full_advice)),
                false => subject.ok(detail),
            }
        }
        Err(error) => {
            let detail = say!(locale, doctor.disk_unmeasured, error = error);
            subject.warn(detail, say!(locale, doctor.disk_unmeasured_advice))
        }
    }
}
