//! What a command runs with: its output, the environment, and settings that are resolved when first needed.

use crate::arguments::Global;
use crate::failure::Failure;
use crate::output::Output;
use crate::passphrase::PassphraseSource;
use crate::settings::{DEV_SEED_VARIABLE, Environment, Profile, Settings};
use crate::signer::{self, DEV_NOTICE, Signer};

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
            (None, None) => PassphraseSource::Prompt,
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

    /// Whether a seed from the environment signs.
    pub(crate) fn signer_is_seed(&self, settings: &Settings) -> bool {
        let has_seed = self.environment.value(DEV_SEED_VARIABLE).is_some();
        settings.profile == Profile::Dev && has_seed
    }

    fn announce(&self, settings: &Settings) {
        if self.signer_is_seed(settings) {
            self.output.set_notice(DEV_NOTICE);
        }
    }
}
