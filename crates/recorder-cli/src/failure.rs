//! Every way a command can end, in one place: what went wrong, its code, its exit code, what to do.
//!
//! The matches here have no catch-all, so a new way to fail does not compile until it has all three. Broken
//! evidence is no failure: it is a verdict, and its command answers it.

use std::borrow::Cow;
use std::error::Error as _;
use std::io;

use recorder_fs::FileError;

use crate::passphrase::PassphraseError;
use crate::settings::SettingsError;
use crate::signer::SignerError;

/// How a run ended, as the caller's shell sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Input, output or the machine failed.
    CouldNotRun,
    /// The command line or the settings are wrong.
    Usage,
    /// Evidence is invalid.
    Invalid,
    /// Evidence is valid, and something that was required is not proven.
    Unproven,
    /// Policy or the present state forbids it.
    Refused,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::CouldNotRun => 1,
            Self::Usage => 2,
            Self::Invalid => 3,
            Self::Unproven => 4,
            Self::Refused => 5,
        }
    }
}

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments are wrong; the text is the parser's.
    #[error("{0}")]
    Usage(String),
    /// The settings are wrong.
    #[error("configuration")]
    Settings(#[source] SettingsError),
    /// A file was not read or not written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no signing key.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// Something that a command would create is there already.
    #[error("{what} exists already")]
    Exists {
        /// Its path.
        what: String,
    },
    /// A directory was not made.
    #[error("{path}")]
    Directory {
        /// Its path.
        path: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The answer could not be written.
    #[error("the answer could not be written")]
    Output(#[source] io::Error),
    /// The program contradicts itself.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What a failure means to scripts and to people.
pub(crate) struct Class {
    /// Stable; scripts may match on it.
    pub(crate) code: &'static str,
    /// How the run ends.
    pub(crate) exit: Exit,
    /// What to do.
    pub(crate) hint: Option<Cow<'static, str>>,
}

impl Class {
    fn new(code: &'static str, exit: Exit) -> Self {
        Self { code, exit, hint: None }
    }

    fn hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Failure {
    /// The failure and its causes in one line, none of them twice.
    pub(crate) fn message(&self) -> String {
        let mut message = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        message
    }

    /// The code, the exit code and the hint.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Usage(_) => {
                Class::new("usage", Exit::Usage).hint("`recorder help` lists the commands")
            }
            Self::Settings(error) => settings(error),
            Self::File(error) => file(error),
            Self::Signer(error) => signer(error),
            Self::Exists { .. } => Class::new("already_exists", Exit::Refused)
                .hint("nothing was written; choose another directory or move the file away"),
            Self::Directory { .. } => Class::new("io", Exit::CouldNotRun),
            Self::Output(_) => Class::new("output_failed", Exit::CouldNotRun),
            Self::Internal(_) => Class::new("internal", Exit::CouldNotRun),
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        match error {
            // Its own message says all there is to say of a file.
            SettingsError::File(error) => Self::File(error),
            error @ (SettingsError::UnknownFormat { .. }
            | SettingsError::Syntax { .. }
            | SettingsError::UnknownKey { .. }
            | SettingsError::WrongKind { .. }
            | SettingsError::Value { .. }) => Self::Settings(error),
        }
    }
}

fn settings(error: &SettingsError) -> Class {
    let class = Class::new("config_invalid", Exit::Usage);
    match error {
        SettingsError::File(error) => file(error),
        SettingsError::UnknownKey { nearest: Some(near), .. } => {
            Class::new("config_unknown_key", Exit::Usage).hint(format!("did you mean {near}?"))
        }
        SettingsError::UnknownKey { nearest: None, .. } => {
            Class::new("config_unknown_key", Exit::Usage)
                .hint("`recorder config show` lists every key")
        }
        SettingsError::UnknownFormat { .. }
        | SettingsError::Syntax { .. }
        | SettingsError::WrongKind { .. }
        | SettingsError::Value { .. } => class,
    }
}

fn file(error: &FileError) -> Class {
    match error {
        FileError::NotFound { .. } => Class::new("not_found", Exit::CouldNotRun),
        FileError::TooLarge { .. } => Class::new("too_large", Exit::CouldNotRun),
        FileError::NotRegular { .. } => Class::new("not_regular", Exit::CouldNotRun),
        FileError::SymlinkRefused { .. } => Class::new("symlink_refused", Exit::Refused),
        FileError::HardLinked { .. } => Class::new("hard_linked", Exit::Refused),
        FileError::WrongOwner { .. } => Class::new("wrong_owner", Exit::Refused),
        FileError::PermissionsTooOpen { .. } => Class::new("permissions_too_open", Exit::Refused),
        FileError::AlreadyExists { .. } => Class::new("already_exists", Exit::Refused),
        FileError::Io { .. } => Class::new("io", Exit::CouldNotRun),
    }
}

fn signer(error: &SignerError) -> Class {
    match error {
        SignerError::SeedRefused { .. } => Class::new("dev_seed_refused", Exit::Refused)
            .hint("unset the variable; `--profile dev` is for throw-away stores only"),
        SignerError::SeedMalformed => Class::new("dev_seed_malformed", Exit::Usage),
        SignerError::NotConfigured => Class::new("signer_not_configured", Exit::Refused)
            .hint("`recorder signer generate` makes a key; name it as signer.key_path or --key"),
        SignerError::PlaintextRefused { .. } => Class::new("plaintext_key_refused", Exit::Refused)
            .hint(
                "encrypt it: `openssl pkcs8 -topk8 -scrypt -in OLD -out NEW`, then chmod 600 NEW",
            ),
        SignerError::File(error) => file(error),
        SignerError::Passphrase(error) => passphrase(error),
        SignerError::KeyFile { .. } => Class::new("key_file_invalid", Exit::CouldNotRun),
        SignerError::Key(_) => Class::new("key_refused", Exit::Refused),
        SignerError::Random(_) => Class::new("no_randomness", Exit::CouldNotRun),
    }
}

fn passphrase(error: &PassphraseError) -> Class {
    match error {
        PassphraseError::File(error) => file(error),
        PassphraseError::NoTerminal => Class::new("passphrase_missing", Exit::CouldNotRun)
            .hint("give --passphrase-file FILE or --passphrase-fd N"),
        PassphraseError::Descriptor { .. } | PassphraseError::Prompt(_) => {
            Class::new("passphrase_unreadable", Exit::CouldNotRun)
        }
        PassphraseError::Mismatch | PassphraseError::Length => {
            Class::new("passphrase_invalid", Exit::CouldNotRun)
        }
    }
}
