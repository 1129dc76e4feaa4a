//! What a command runs with: its output, the environment, and settings that are resolved when first needed.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use recorder::clock::{Clock as _, SystemClock};
use recorder::guard::{self, Comparison};
use recorder::guard_files::FileGuard;
use recorder::ids::SystemIds;
use recorder::{
    AutoSeal, GuardMode, Guarding, Recorder, RecorderConfig, RotationReport, RotationRequest,
};
use recorder_core::time::RecordedAt;
use recorder_envelope::adapter::AdapterKeys;
use recorder_envelope::signing::PublicKey;
use recorder_store::{SqliteOptions, SqliteStore, Store};

use crate::adapter_key;
use crate::arguments::Global;
use crate::failure::Failure;
use crate::i18n::{Locale, say};
use crate::output::Output;
use crate::passphrase::PassphraseSource;
use crate::settings::{DEV_SEED_VARIABLE, Environment, HeadGuard, Profile, SealMode, Settings};
use crate::signer::{self, Signer};

/// What a command runs with.
pub(crate) struct Context {
    /// Where answers go.
    pub(crate) output: Output,
    /// What the process was started with.
    pub(crate) environment: Environment,
    global: Global,
}

impl Context {
    /// Of this process.
    pub(crate) fn new(output: Output, global: Global) -> Self {
        Self { output, environment: Environment::of_process(), global }
    }

    /// The language of what is said to people; English under `--json`.
    pub(crate) fn locale(&self) -> Locale {
        self.output.locale()
    }

    /// The settings, with the configuration file that is found first.
    ///
    /// # Errors
    ///
    /// `Failure` for the first setting that is wrong.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        let flags = self.global.flags();
        let config = self.global.config.as_deref();
        let settings = Settings::resolve(&flags, &self.environment, config)?;
        self.announce(&settings);
        Ok(settings)
    }

    /// The settings without any configuration file, for the command that writes one.
    ///
    /// # Errors
    ///
    /// `Failure` for the first setting that is wrong.
    pub(crate) fn settings_without_file(&self) -> Result<Settings, Failure> {
        let settings = Settings::without_file(&self.global.flags(), &self.environment)?;
        self.announce(&settings);
        Ok(settings)
    }

    /// Where the passphrase comes from: the descriptor, the file, or a person.
    pub(crate) fn passphrase(&self, settings: &Settings) -> PassphraseSource {
        match (self.global.passphrase_fd, &settings.passphrase_path) {
            (Some(descriptor), _) => PassphraseSource::Descriptor(descriptor),
            (None, Some(path)) => PassphraseSource::File(path.clone()),
            (None, None) => PassphraseSource::Prompt(self.locale()),
        }
    }

    /// The signing key that the settings name, if they name one.
    ///
    /// # Errors
    ///
    /// `Failure` for a key that is named and cannot be used.
    pub(crate) fn signer(&self, settings: &Settings) -> Result<Option<Signer>, Failure> {
        Ok(signer::load(settings, &self.environment, &self.passphrase(settings))?)
    }

    /// The keys of adapters; says so where they had to be made.
    ///
    /// # Errors
    ///
    /// `Failure` for a key that is named and cannot be used.
    pub(crate) fn adapter_keys(&self, settings: &Settings) -> Result<AdapterKeys, Failure> {
        let (keys, is_new) = adapter_key::load_or_generate(settings)?;
        if is_new {
            let path = settings.adapter_key_path.display();
            self.output.note(&say!(self.locale(), ingest.key_made, path = path));
        }
        Ok(keys)
    }

    /// The only writer of the configured database.
    ///
    /// # Errors
    ///
    /// `Failure` where the key, the database, the end of a stream or the head guard is not as it should be.
    pub(crate) fn recorder(&self, settings: &Settings) -> Result<Recorder, Failure> {
        let signer = self.signer(settings)?;
        if signer.is_none() {
            self.output.note(say!(self.locale(), note.unsigned));
        }
        let store = writable(settings)?;
        let config = recorder_config(settings)?;
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let key = signer.map(|signer| signer.key);
        Ok(match self.guarding_or_note(settings) {
            Some(guarding) => Recorder::open_guarded(store, config, clock, ids, key, guarding)?,
            None => Recorder::open(store, config, clock, ids, key)?,
        })
    }

    /// Rotates the key of every stream of the configured recorder. Nobody else may write meanwhile.
    ///
    /// # Errors
    ///
    /// `Failure`; rotating again to the same key goes on where it ended.
    pub(crate) fn rotate(
        &self,
        settings: &Settings,
        request: RotationRequest,
    ) -> Result<RotationReport, Failure> {
        let store = writable(settings)?;
        let config = recorder_config(settings)?;
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
        let guarding = self.guarding_or_note(settings);
        let (_, report) = recorder::rotate(store, config, clock, ids, guarding, request)?;
        Ok(report)
    }

    fn guarding_or_note(&self, settings: &Settings) -> Option<Guarding> {
        let guarding = self.guarding(settings);
        if guarding.is_none() {
            self.output.note(say!(self.locale(), note.unguarded));
        }
        guarding
    }

    fn guarding(&self, settings: &Settings) -> Option<Guarding> {
        let mode = match settings.head_guard {
            HeadGuard::Checkpoints => GuardMode::Checkpoints,
            HeadGuard::Strict => GuardMode::Strict,
            HeadGuard::Off => return None,
        };
        let guard = Arc::new(FileGuard::new(settings.head_guard_path.clone()));
        Some(Guarding { guard, mode, adopt_head: self.global.adopt_head })
    }

    /// The streams of `store` beside their guarded heads; `None` where nothing is guarded.
    ///
    /// # Errors
    ///
    /// `Failure` where either cannot be read.
    pub(crate) fn compare_with_guard(
        &self,
        settings: &Settings,
        store: &dyn Store,
        key: Option<&PublicKey>,
    ) -> Result<Option<Comparison>, Failure> {
        if settings.head_guard == HeadGuard::Off {
            return Ok(None);
        }
        let heads = FileGuard::new(settings.head_guard_path.clone());
        let recorder_id = &settings.stream.recorder_id;
        Ok(Some(guard::compare(store, &settings.log_name, recorder_id, &heads, key)?))
    }

    /// The configured database, for reading only, beside a writer or without one.
    ///
    /// # Errors
    ///
    /// `Failure` where there is none, or it is not one of ours.
    pub(crate) fn reader(&self, settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
        let store = SqliteStore::open_read_only(&settings.store, &options(settings))
            .map_err(|error| Failure::store(&settings.store, error))?;
        Ok(Arc::new(store))
    }

    /// Makes a new, empty database.
    ///
    /// # Errors
    ///
    /// `Failure` rather than touching what is there.
    pub(crate) fn create_store(&self, path: &Path, settings: &Settings) -> Result<(), Failure> {
        SqliteStore::create(path, &options(settings))
            .map(drop)
            .map_err(|error| Failure::store(path, error))
    }

    /// The present.
    pub(crate) fn now(&self) -> RecordedAt {
        SystemClock.now()
    }

    /// Whether the settings name a signing key, whatever it is worth.
    pub(crate) fn has_signer(&self, settings: &Settings) -> bool {
        settings.key_path.is_some() || self.signer_is_seed(settings)
    }

    /// Whether a seed from the environment signs.
    pub(crate) fn signer_is_seed(&self, settings: &Settings) -> bool {
        let has_seed = self.environment.value(DEV_SEED_VARIABLE).is_some();
        settings.profile == Profile::Dev && has_seed
    }

    fn announce(&self, settings: &Settings) {
        if self.signer_is_seed(settings) {
            self.output.set_notice(say!(self.locale(), note.dev_key));
        }
    }
}

fn writable(settings: &Settings) -> Result<Arc<SqliteStore>, Failure> {
    SqliteStore::open(&settings.store, &options(settings))
        .map(Arc::new)
        .map_err(|error| Failure::store(&settings.store, error))
}

fn options(settings: &Settings) -> SqliteOptions {
    SqliteOptions { synchronous: settings.synchronous, ..SqliteOptions::default() }
}

fn recorder_config(settings: &Settings) -> Result<RecorderConfig, Failure> {
    let (count, seconds) = (settings.seal_count, settings.seal_duration_seconds);
    let auto_seal = match settings.seal_mode {
        SealMode::None => Ok(AutoSeal::NONE),
        SealMode::AfterCount => AutoSeal::after_count(count),
        SealMode::AfterDuration => AutoSeal::after_duration(seconds),
        SealMode::Combined => AutoSeal::combined(count, seconds),
    };
    Ok(RecorderConfig {
        recorder_id: settings.stream.recorder_id.clone(),
        log_name: settings.log_name.clone(),
        auto_seal: auto_seal.map_err(Failure::Engine)?,
        startup_verification_depth: settings.startup_verification_depth,
        sign_envelopes: settings.sign_envelopes,
        checkpoint_interval_ms: NonZeroU64::new(settings.checkpoint_interval_ms),
    })
}
