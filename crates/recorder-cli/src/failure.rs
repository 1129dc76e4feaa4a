//! Every way a command can end, in one place: what went wrong, its code, its exit code, what to do.
//!
//! The matches here have no catch-all, so a new way to fail does not compile until it has all three. Broken
//! evidence is no failure: it is a verdict, and its command answers it.

pub(crate) mod words;

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::path::Path;

use recorder::bundle::BuildError;
use recorder::guard::{GuardError, HeadError};
use recorder::ids::NoRandomness;
use recorder::query::QueryError;
use recorder::{AppendError, RotateError, SealError};
use recorder_contract::ContractError;
use recorder_core::filter::FilterError;
use recorder_core::identity::{IdentityError, StreamId};
use recorder_envelope::attachment::AttachmentError;
use recorder_envelope::checkpoint::CheckpointError;
use recorder_envelope::envelope::ParentIdsError;
use recorder_envelope::json::JsonError;
use recorder_envelope::selector::SelectorError;
use recorder_envelope::trust_root::TrustRootError;
use recorder_fs::{FileError, TreeError};
use recorder_store::ReadError;
use recorder_verify::{Finding, VerifyError};

use crate::adapter_key::AdapterKeyError;
use crate::demo::DemoError;
use crate::i18n::texts::hint;
use crate::i18n::{Locale, Plain, say};
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
    /// A payload is no JSON object that evidence can hold.
    #[error("the payload is refused: {0}")]
    Payload(#[source] JsonError),
    /// A text is no identifier.
    #[error(transparent)]
    Identity(IdentityError),
    /// Parents break a rule.
    #[error(transparent)]
    Parents(ParentIdsError),
    /// Attachments break a rule.
    #[error(transparent)]
    Attachment(AttachmentError),
    /// A filter, a page size or a cursor breaks a rule.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A selector file is no selector.
    #[error(transparent)]
    Selector(SelectorError),
    /// A trust root file is no trust root.
    #[error("the trust root is refused")]
    TrustRoot(#[source] TrustRootError),
    /// A note is no checkpoint.
    #[error("the checkpoint is refused")]
    Checkpoint(#[source] CheckpointError),
    /// A head that an earlier verification kept is not what was kept.
    #[error("{path}: is no head that was kept here")]
    KeptHead {
        /// Its path.
        path: String,
    },
    /// The input of an import could not be read.
    #[error("the input could not be read")]
    Input(#[source] io::Error),
    /// Receipts could not be written; what they acknowledge is recorded all the same.
    #[error("receipts could not be written; what was recorded stays recorded")]
    Receipts(#[source] io::Error),
    /// A file was not opened.
    #[error("{path}")]
    Path {
        /// Its path.
        path: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The database was not opened.
    #[error("{path}")]
    Store {
        /// Its path.
        path: String,
        /// Why.
        source: recorder_store::OpenError,
    },
    /// The engine refused its settings.
    #[error(transparent)]
    Engine(recorder::config::ConfigError),
    /// The engine refused the stored streams.
    #[error(transparent)]
    Open(#[from] recorder::OpenError),
    /// Nothing was recorded.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// No segment was opened or sealed, or no checkpoint signed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No key was rotated, or not in every stream.
    #[error(transparent)]
    Rotate(#[from] RotateError),
    /// The database could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No bundle was built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A bundle could not be judged.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A bundle does not even say what it holds.
    #[error("the bundle is refused: {}: {}: {}", .0.place(), .0.code().meaning(), .0.detail())]
    BundleRefused(Finding),
    /// A word was asked for that the glossary does not have.
    #[error("nothing here is called {word}")]
    NoWord {
        /// The word.
        word: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// The database knows nothing of this stream.
    #[error("nothing is recorded of stream {stream}")]
    NoStream {
        /// The stream.
        stream: String,
    },
    /// What should be proven is not there, or does not hold.
    #[error("cannot prove it: {0}")]
    NotProvable(String),
    /// The stream has no checkpoint.
    #[error("the stream has no checkpoint")]
    NoCheckpoint,
    /// The system gives no randomness.
    #[error(transparent)]
    NoRandomness(NoRandomness),
    /// There is no key for adapters.
    #[error(transparent)]
    AdapterKey(#[from] AdapterKeyError),
    /// The demonstration ended early.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// Evidence could not be attacked.
    #[error("the evidence cannot be attacked: {0}")]
    Attack(String),
    /// Something is wrong with the evidence before anything was done to it.
    #[error("this evidence is not sound to begin with: {layer}: {detail}")]
    Unsound {
        /// Who says so.
        layer: String,
        /// What is wrong.
        detail: String,
    },
    /// No contract was made, read or written.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The answer could not be written.
    #[error("the answer could not be written")]
    Output(#[source] io::Error),
    /// The program contradicts itself.
    #[error("internal error: {0}")]
    Internal(String),
}

/// An error and its causes in one line, none of them twice.
fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if text.starts_with(&message) {
            message = text;
        } else if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}

/// What a failure means to scripts and to people.
pub(crate) struct Class {
    /// Stable; scripts may match on it.
    pub(crate) code: &'static str,
    /// How the run ends.
    pub(crate) exit: Exit,
    /// What to do.
    hint: Option<Hint>,
}

/// What to do, before it has words.
enum Hint {
    /// A text.
    Text(&'static Plain),
    /// The name that was probably meant.
    Nearest(String),
}

impl Class {
    fn new(code: &'static str, exit: Exit) -> Self {
        Self { code, exit, hint: None }
    }

    fn hint(self, hint: &'static Plain) -> Self {
        Self { hint: Some(Hint::Text(hint)), ..self }
    }

    fn nearest(self, name: &str) -> Self {
        Self { hint: Some(Hint::Nearest(name.to_owned())), ..self }
    }

    /// What to do, in words.
    pub(crate) fn advice(&self, locale: Locale) -> Option<Cow<'static, str>> {
        Some(match self.hint.as_ref()? {
            Hint::Text(text) => text.text(locale).into(),
            Hint::Nearest(name) => say!(locale, hint.did_you_mean, name = name).into(),
        })
    }
}

impl Failure {
    /// The failure and its causes in one line, none of them twice: as JSON has it in English, else in words of the locale.
    pub(crate) fn message(&self, locale: Locale) -> String {
        if locale == Locale::ENGLISH { chain(self) } else { words::message(self, locale) }
    }

    /// The code, the exit code and the hint.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Usage(_) => Class::new("usage", Exit::Usage).hint(&hint::lists_commands),
            Self::Settings(error) => settings(error),
            Self::File(error) => file(error),
            Self::Signer(error) => signer(error),
            Self::Exists { .. } => {
                Class::new("already_exists", Exit::Refused).hint(&hint::nothing_written)
            }
            Self::Directory { .. } | Self::Path { .. } => Class::new("io", Exit::CouldNotRun),
            Self::Payload(_) => Class::new("payload_invalid", Exit::Usage),
            Self::Identity(_) => Class::new("identity_invalid", Exit::Usage),
            Self::Parents(_) => Class::new("parents_invalid", Exit::Usage),
            Self::Attachment(_) => Class::new("attachment_invalid", Exit::Usage),
            Self::Filter(_) => Class::new("filter_invalid", Exit::Usage),
            Self::Selector(_) => Class::new("selector_invalid", Exit::Usage),
            Self::TrustRoot(_) => Class::new("trust_root_invalid", Exit::Usage),
            Self::Checkpoint(_) => Class::new("checkpoint_invalid", Exit::Usage),
            Self::KeptHead { .. } => {
                Class::new("kept_head_invalid", Exit::Refused).hint(&hint::kept_head)
            }
            Self::Engine(_) => Class::new("config_invalid", Exit::Usage),
            Self::Input(_) => Class::new("input_failed", Exit::CouldNotRun),
            Self::Receipts(_) => {
                Class::new("receipts_failed", Exit::CouldNotRun).hint(&hint::import_again)
            }
            Self::Store { source, .. } => store(source),
            Self::Open(error) => open(error),
            Self::Append(error) => append(error),
            Self::Seal(error) => seal(error),
            Self::Rotate(error) => rotate(error),
            Self::Read(error) => read(error),
            Self::Build(error) => build(error),
            Self::Verify(error) => verify(error),
            Self::BundleRefused(finding) => Class::new(finding.code().code(), Exit::Invalid),
            Self::NoStream { .. } => {
                Class::new("no_such_stream", Exit::Refused).hint(&hint::name_stream)
            }
            Self::NoWord { nearest: Some(near), .. } => {
                Class::new("word_unknown", Exit::Usage).nearest(near)
            }
            Self::NoWord { nearest: None, .. } => {
                Class::new("word_unknown", Exit::Usage).hint(&hint::lists_words)
            }
            Self::NotProvable(_) => Class::new("not_provable", Exit::Refused),
            Self::NoCheckpoint => {
                Class::new("no_checkpoint", Exit::Refused).hint(&hint::sign_checkpoint)
            }
            Self::NoRandomness(_) => Class::new("no_randomness", Exit::CouldNotRun),
            Self::AdapterKey(error) => adapter_key(error),
            Self::Demo(DemoError::File(error)) => file(error),
            Self::Demo(DemoError::Step { .. }) => Class::new("demo_failed", Exit::CouldNotRun),
            Self::Attack(_) => Class::new("not_attackable", Exit::Refused),
            Self::Unsound { .. } => {
                Class::new("evidence_unsound", Exit::Invalid).hint(&hint::say_all_wrong)
            }
            Self::Contract(error) => contract(error),
            Self::Output(_) => Class::new("output_failed", Exit::CouldNotRun),
            Self::Internal(_) => Class::new("internal", Exit::CouldNotRun),
        }
    }
}

impl Failure {
    /// Of a database that was not opened.
    pub(crate) fn store(path: &Path, source: recorder_store::OpenError) -> Self {
        Self::Store { path: path.display().to_string(), source }
    }

    /// Of a stream that was never written.
    pub(crate) fn no_stream(stream: &StreamId) -> Self {
        Self::NoStream { stream: stream.to_string() }
    }
}

impl From<recorder_verify::archive::ReadError> for Failure {
    fn from(error: recorder_verify::archive::ReadError) -> Self {
        match error {
            recorder_verify::archive::ReadError::Refused(finding) => Self::BundleRefused(finding),
            recorder_verify::archive::ReadError::Failed(error) => Self::Verify(error),
        }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Filter(error) => Self::Filter(error),
            QueryError::Read(error) => Self::Read(error),
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
            Class::new("config_unknown_key", Exit::Usage).nearest(near)
        }
        SettingsError::UnknownKey { nearest: None, .. } => {
            Class::new("config_unknown_key", Exit::Usage).hint(&hint::every_key)
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

fn contract(error: &ContractError) -> Class {
    match error {
        ContractError::NotOurs { .. } => {
            Class::new("contract_not_ours", Exit::Refused).hint(&hint::other_root)
        }
        ContractError::Breaks { .. } => {
            Class::new("contract_breaks", Exit::Refused).hint(&hint::record_breaks)
        }
        ContractError::BreaksMalformed { .. } => Class::new("breaks_invalid", Exit::Usage),
        ContractError::FactsMalformed { .. } => Class::new("contract_malformed", Exit::Refused),
        ContractError::Missing { .. } => {
            Class::new("contract_missing", Exit::Refused).hint(&hint::generate_contract)
        }
        ContractError::Tree(error) => tree(error),
        ContractError::MissingPointer { .. }
        | ContractError::MissingShape { .. }
        | ContractError::Unwritable { .. } => Class::new("internal", Exit::CouldNotRun),
    }
}

fn tree(error: &TreeError) -> Class {
    match error {
        TreeError::Link { .. } => Class::new("symlink_refused", Exit::Refused),
        TreeError::HardLinked { .. } => Class::new("hard_linked", Exit::Refused),
        TreeError::NotRegular { .. } => Class::new("not_regular", Exit::Refused),
        TreeError::NotUtf8 { .. } => Class::new("name_invalid", Exit::Refused),
        TreeError::TooMuch { .. } => Class::new("too_large", Exit::CouldNotRun),
        TreeError::File(error) => file(error),
    }
}

fn signer(error: &SignerError) -> Class {
    match error {
        SignerError::SeedRefused { .. } => {
            Class::new("dev_seed_refused", Exit::Refused).hint(&hint::unset_seed)
        }
        SignerError::SeedMalformed => Class::new("dev_seed_malformed", Exit::Usage),
        SignerError::NotConfigured => {
            Class::new("signer_not_configured", Exit::Refused).hint(&hint::make_key)
        }
        SignerError::PlaintextRefused { .. } => {
            Class::new("plaintext_key_refused", Exit::Refused).hint(&hint::encrypt_key)
        }
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
        PassphraseError::NoTerminal => {
            Class::new("passphrase_missing", Exit::CouldNotRun).hint(&hint::give_passphrase)
        }
        PassphraseError::Descriptor { .. } | PassphraseError::Prompt(_) => {
            Class::new("passphrase_unreadable", Exit::CouldNotRun)
        }
        PassphraseError::Mismatch | PassphraseError::Length => {
            Class::new("passphrase_invalid", Exit::CouldNotRun)
        }
    }
}

fn store(error: &recorder_store::OpenError) -> Class {
    use recorder_store::OpenError;
    match error {
        OpenError::NotFound { .. } => {
            Class::new("store_not_found", Exit::CouldNotRun).hint(&hint::init_makes)
        }
        OpenError::AlreadyExists { .. } => Class::new("already_exists", Exit::Refused),
        OpenError::InUse { .. } => {
            Class::new("store_in_use", Exit::Refused).hint(&hint::one_writer)
        }
        OpenError::NotOurs { .. } => Class::new("store_not_ours", Exit::Refused),
        OpenError::OtherVersion { .. } => Class::new("store_version", Exit::Refused),
        OpenError::SchemaTampered { .. } => {
            Class::new("store_tampered", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        OpenError::Corrupt(_) => {
            Class::new("store_corrupt", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        OpenError::Storage(_) => Class::new("storage_failed", Exit::CouldNotRun),
    }
}

fn open(error: &recorder::OpenError) -> Class {
    use recorder::OpenError;
    match error {
        OpenError::Corrupt(_) => {
            Class::new("store_corrupt", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        OpenError::SignerMismatch { .. } => {
            Class::new("signer_mismatch", Exit::Refused).hint(&hint::signed_so_far)
        }
        OpenError::SignerReplaced { .. } => {
            Class::new("signer_replaced", Exit::Refused).hint(&hint::rotated_key)
        }
        OpenError::RotationUnfinished { .. } => {
            Class::new("rotation_unfinished", Exit::Refused).hint(&hint::finish_rotation)
        }
        OpenError::RotationBroken(_) => {
            Class::new("rotation_broken", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        OpenError::OriginMismatch { .. } => {
            Class::new("origin_mismatch", Exit::Refused).hint(&hint::set_log_name)
        }
        OpenError::Head(error) => head(error),
        OpenError::Refused { source } => append(source),
        OpenError::Read(error) => read(error),
    }
}

/// What is not as the head guard has seen it. Nothing was written.
fn head(error: &HeadError) -> Class {
    match error {
        HeadError::RolledBack { .. } => {
            Class::new("head_rolled_back", Exit::Refused).hint(&hint::rolled_back)
        }
        HeadError::Forked { .. } => Class::new("head_forked", Exit::Refused).hint(&hint::forked),
        HeadError::Missing { .. } => {
            Class::new("head_guard_missing", Exit::Refused).hint(&hint::guard_missing)
        }
        HeadError::NotBySigner { .. } => {
            Class::new("head_guard_invalid", Exit::Refused).hint(&hint::guard_key)
        }
        HeadError::Guard(error) => guard(error),
    }
}

fn guard(error: &GuardError) -> Class {
    match error {
        GuardError::Moved { .. } => {
            Class::new("head_guard_moved", Exit::Refused).hint(&hint::guard_moved)
        }
        GuardError::Malformed { .. } => {
            Class::new("head_guard_invalid", Exit::Refused).hint(&hint::guard_keep)
        }
        GuardError::Storage(_) => {
            Class::new("head_guard_failed", Exit::CouldNotRun).hint(&hint::guard_directory)
        }
    }
}

fn read(error: &ReadError) -> Class {
    match error {
        ReadError::Corrupt(_) => {
            Class::new("store_corrupt", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        ReadError::Storage(_) | ReadError::Closed => {
            Class::new("storage_failed", Exit::CouldNotRun)
        }
    }
}

fn append(error: &AppendError) -> Class {
    match error {
        AppendError::EnvelopeConflict { .. } => {
            Class::new("envelope_conflict", Exit::Refused).hint(&hint::new_id)
        }
        AppendError::IdempotencyConflict { .. } => {
            Class::new("idempotency_conflict", Exit::Refused)
        }
        AppendError::RepeatedEnvelope { .. } => Class::new("envelope_repeated", Exit::Refused),
        AppendError::AttachmentMissing { .. } => Class::new("attachment_missing", Exit::Refused),
        AppendError::AttachmentUnreferenced { .. } => {
            Class::new("attachment_unreferenced", Exit::Refused)
        }
        AppendError::EventTypeReserved { .. } => {
            Class::new("event_type_reserved", Exit::Refused).hint(&hint::reserved)
        }
        AppendError::BatchTooLarge { .. } => Class::new("batch_too_large", Exit::Usage),
        AppendError::StreamFull => Class::new("stream_full", Exit::Refused),
        AppendError::SignerRequired => {
            Class::new("signer_required", Exit::Refused).hint(&hint::signing_key)
        }
        AppendError::QueueFull { .. } => Class::new("queue_full", Exit::CouldNotRun),
        AppendError::HeadMoved => {
            Class::new("head_moved", Exit::CouldNotRun).hint(&hint::run_again)
        }
        AppendError::OutcomeUnknown(_) => {
            Class::new("commit_outcome_unknown", Exit::CouldNotRun).hint(&hint::same_ids)
        }
        AppendError::Latched => Class::new("writer_latched", Exit::CouldNotRun),
        AppendError::Guard(error) | AppendError::Unguarded(error) => guard(error),
        AppendError::Corrupt(_) => {
            Class::new("store_corrupt", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        AppendError::Storage(_) => Class::new("storage_failed", Exit::CouldNotRun),
        AppendError::Read(error) => read(error),
        AppendError::NoRandomness(_) => Class::new("no_randomness", Exit::CouldNotRun),
        AppendError::Checkpoint(_) => {
            Class::new("checkpoint_refused", Exit::Refused).hint(&hint::shorten_names)
        }
    }
}

fn seal(error: &SealError) -> Class {
    match error {
        SealError::AlreadyOpen { .. } => Class::new("segment_already_open", Exit::Refused),
        SealError::NoneOpen => Class::new("no_segment_open", Exit::Refused),
        SealError::Empty { .. } => Class::new("segment_empty", Exit::Refused),
        SealError::NothingRecorded => Class::new("nothing_recorded", Exit::Refused),
        SealError::NoSigner => {
            Class::new("signer_not_configured", Exit::Refused).hint(&hint::make_key)
        }
        SealError::Append(error) => append(error),
    }
}

fn rotate(error: &RotateError) -> Class {
    match error {
        RotateError::NoSigner => {
            Class::new("signer_not_configured", Exit::Refused).hint(&hint::make_key)
        }
        RotateError::Terms(_) => Class::new("rotation_refused", Exit::Usage),
        RotateError::NotInForce { .. } => {
            Class::new("key_not_in_force", Exit::Refused).hint(&hint::key_in_force)
        }
        RotateError::KeyReturns { .. } => {
            Class::new("key_returns", Exit::Refused).hint(&hint::another_new_key)
        }
        RotateError::OldKeyUnknown { .. } => {
            Class::new("old_key_unknown", Exit::Refused).hint(&hint::old_public_key)
        }
        RotateError::NothingToSeal { .. } => {
            Class::new("nothing_to_seal", Exit::Refused).hint(&hint::another_recorder)
        }
        RotateError::Open(error) => open(error),
        RotateError::Refused { source, .. } => append(source).hint(&hint::rotate_again),
    }
}

fn build(error: &BuildError) -> Class {
    match error {
        BuildError::NoSuchStream { .. } => {
            Class::new("no_such_stream", Exit::Refused).hint(&hint::name_stream)
        }
        BuildError::NothingSelected => Class::new("nothing_selected", Exit::Refused),
        BuildError::BeyondLog { .. } => Class::new("beyond_log", Exit::Refused),
        BuildError::SignerRequired => {
            Class::new("signer_required", Exit::Refused).hint(&hint::signing_key)
        }
        BuildError::SignerReplaced { .. } => {
            Class::new("signer_replaced", Exit::Refused).hint(&hint::name_new_key)
        }
        BuildError::RotationBroken(_) => {
            Class::new("rotation_broken", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        BuildError::CheckpointRequired => {
            Class::new("no_checkpoint", Exit::Refused).hint(&hint::sign_checkpoint)
        }
        BuildError::TooMuch { .. } => Class::new("selection_too_large", Exit::Refused),
        BuildError::DocumentTooLarge { .. } => Class::new("document_too_large", Exit::Refused),
        BuildError::AttachmentMissing { .. } => {
            Class::new("store_corrupt", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        BuildError::Corrupt(_) => {
            Class::new("store_corrupt", Exit::Invalid).hint(&hint::keep_corrupt)
        }
        BuildError::Read(error) => read(error),
        BuildError::Io(_) => Class::new("io", Exit::CouldNotRun),
    }
}

fn adapter_key(error: &AdapterKeyError) -> Class {
    match error {
        AdapterKeyError::Missing { .. } => {
            Class::new("adapter_key_missing", Exit::Refused).hint(&hint::adapter_key_back)
        }
        AdapterKeyError::Malformed { .. } => {
            Class::new("adapter_key_invalid", Exit::Usage).hint(&hint::adapter_key_form)
        }
        AdapterKeyError::File(error) => file(error),
        AdapterKeyError::Random(_) => Class::new("no_randomness", Exit::CouldNotRun),
    }
}

fn verify(error: &VerifyError) -> Class {
    match error {
        VerifyError::Io(_) => Class::new("io", Exit::CouldNotRun),
        VerifyError::Limit { .. } => Class::new("limit_exceeded", Exit::CouldNotRun),
        VerifyError::Defect(_) => Class::new("internal", Exit::CouldNotRun),
    }
}

#[cfg(test)]
mod tests {
    use recorder_core::hash::KeyId;
    use recorder_envelope::checkpoint::SignedCheckpoint;
    use recorder_envelope::trust_root::TrustRoot;

    use super::*;

    fn file_errors() -> Vec<FileError> {
        let path = || "some/file".into();
        vec![
            FileError::NotFound { path: path() },
            FileError::TooLarge { path: path(), limit_bytes: 10, size_bytes: 11 },
            FileError::NotRegular { path: path() },
            FileError::SymlinkRefused { path: path() },
            FileError::HardLinked { path: path(), link_count: 2 },
            FileError::WrongOwner { path: path(), owner_uid: 1, process_uid: 2 },
            FileError::PermissionsTooOpen { path: path(), mode: 0o644 },
            FileError::AlreadyExists { path: path() },
            FileError::Io { path: path(), source: io::Error::other("broken") },
        ]
    }

    fn settings_errors() -> Vec<SettingsError> {
        use crate::settings::Origin;
        let value = |origin| SettingsError::Value { name: "store", origin, detail: "x".to_owned() };
        let (place, key) = (|| "recorder.toml:3".to_owned(), || "stroe".to_owned());
        let file = |line| Origin::File { path: "recorder.toml".into(), line };
        vec![
            SettingsError::UnknownFormat { path: "recorder.ini".into() },
            SettingsError::Syntax { place: place(), detail: "not TOML".to_owned() },
            SettingsError::UnknownKey { place: place(), key: key(), nearest: None },
            SettingsError::WrongKind {
                place: place(),
                key: key(),
                expected: "a table",
                found: "a string",
            },
            value(Origin::Flag("--store")),
            value(Origin::Environment("RECORDER_STORE".to_owned())),
            value(file(Some(3))),
            value(file(None)),
            value(Origin::Default),
        ]
    }

    fn signer_errors() -> Vec<SignerError> {
        use crate::settings::Profile;
        let passphrase = SignerError::Passphrase;
        let (path, profile) = (|| "key.pem".into(), Profile::Secure);
        let not_found = || FileError::NotFound { path: "key.pem".into() };
        let descriptor =
            PassphraseError::Descriptor { descriptor: 3, source: io::Error::other("x") };
        vec![
            SignerError::SeedRefused { profile },
            SignerError::SeedMalformed,
            SignerError::NotConfigured,
            SignerError::PlaintextRefused { path: path(), profile },
            SignerError::File(not_found()),
            passphrase(PassphraseError::File(not_found())),
            passphrase(descriptor),
            passphrase(PassphraseError::NoTerminal),
            passphrase(PassphraseError::Prompt(io::Error::other("x"))),
            passphrase(PassphraseError::Mismatch),
            passphrase(PassphraseError::Length),
        ]
    }

    fn adapter_key_errors() -> Vec<AdapterKeyError> {
        let path = || "adapter.key".into();
        vec![
            AdapterKeyError::Missing { path: path() },
            AdapterKeyError::Malformed { path: path() },
            AdapterKeyError::File(FileError::NotFound { path: path() }),
        ]
    }

    fn store_errors() -> Vec<recorder_store::OpenError> {
        use recorder_store::OpenError;
        let path = || "recorder.db".into();
        vec![
            OpenError::NotFound { path: path() },
            OpenError::AlreadyExists { path: path() },
            OpenError::InUse { path: path() },
            OpenError::NotOurs { detail: "text".to_owned() },
            OpenError::OtherVersion { found: 7, expected: 1 },
            OpenError::SchemaTampered { object: "trigger".to_owned() },
            OpenError::Corrupt(corruption()),
        ]
    }

    fn corruption() -> recorder_store::Corruption {
        recorder_store::Corruption { place: "stream a/b".to_owned(), detail: "broken".to_owned() }
    }

    fn head_errors() -> Vec<HeadError> {
        let stream = || "a/b".to_owned();
        let root = recorder_core::hash::TreeHash::from_bytes;
        let (guarded, stored) = (root([1; 32]), root([2; 32]));
        let malformed = GuardError::Malformed { place: "x".to_owned(), detail: "y".to_owned() };
        vec![
            HeadError::RolledBack { stream: stream(), what: "envelopes", guarded: 2, stored: 1 },
            HeadError::Forked { stream: stream(), tree_size: 2, guarded, stored },
            HeadError::Missing { stream: stream(), stored: 1 },
            HeadError::NotBySigner { stream: stream(), tree_size: 1 },
            HeadError::Guard(GuardError::Moved { origin: "log".to_owned() }),
            HeadError::Guard(malformed),
            HeadError::Guard(GuardError::Storage(std::sync::Arc::new(io::Error::other("full")))),
        ]
    }

    fn open_errors() -> Vec<recorder::OpenError> {
        use recorder::OpenError;
        let key_id = KeyId::from_bytes([4; 32]);
        let broken = recorder::succession::BrokenRotation {
            stream: "a/b".to_owned(),
            position: 3,
            fault: "x".to_owned(),
        };
        let (expected, found) = ("one/a/b".to_owned(), "two/a/b".to_owned());
        let mut errors = vec![
            OpenError::Corrupt(corruption()),
            OpenError::SignerMismatch { stream: "a/b".to_owned() },
            OpenError::SignerReplaced { stream: "a/b".to_owned(), key_id, position: 3 },
            OpenError::RotationUnfinished {
                key_id,
                rotated: "a/b".to_owned(),
                remaining: "a/c".to_owned(),
            },
            OpenError::OriginMismatch { expected, found },
            OpenError::RotationBroken(broken),
            OpenError::Refused { source: AppendError::StreamFull },
            OpenError::Read(ReadError::Closed),
        ];
        errors.extend(head_errors().into_iter().map(OpenError::Head));
        errors
    }

    fn append_errors() -> Vec<AppendError> {
        let id: recorder_core::identity::EnvelopeId =
            "019aa000-0000-7000-8000-000000000000".parse().unwrap();
        let content_hash = recorder_core::hash::AttachmentHash::from_bytes([3; 32]);
        let event_type = "system.segment.opened".parse().unwrap();
        let moved = || GuardError::Moved { origin: "log".to_owned() };
        vec![
            AppendError::EnvelopeConflict { index: 0, id },
            AppendError::RepeatedEnvelope { id },
            AppendError::AttachmentMissing { envelope_id: id, content_hash },
            AppendError::AttachmentUnreferenced { content_hash },
            AppendError::EventTypeReserved { index: 0, event_type },
            AppendError::BatchTooLarge { count: 2, count_max: 1 },
            AppendError::StreamFull,
            AppendError::SignerRequired,
            AppendError::QueueFull { capacity: 3 },
            AppendError::HeadMoved,
            AppendError::OutcomeUnknown(recorder_store::CommitError::Latched),
            AppendError::Latched,
            AppendError::Guard(moved()),
            AppendError::Unguarded(moved()),
            AppendError::Corrupt(corruption()),
            AppendError::Read(ReadError::Corrupt(corruption())),
        ]
    }

    fn seal_errors() -> Vec<SealError> {
        let segment_id: recorder_core::identity::SegmentId =
            "019aa000-0000-7000-8000-000000000000".parse().unwrap();
        vec![
            SealError::AlreadyOpen { segment_id },
            SealError::NoneOpen,
            SealError::Empty { segment_id },
            SealError::NothingRecorded,
            SealError::NoSigner,
        ]
    }

    fn build_errors() -> Vec<BuildError> {
        let content_hash = recorder_core::hash::AttachmentHash::from_bytes([3; 32]);
        vec![
            BuildError::NoSuchStream { stream: "a/b".to_owned() },
            BuildError::NothingSelected,
            BuildError::BeyondLog { tree_size: 3, size: 2 },
            BuildError::SignerRequired,
            BuildError::SignerReplaced { key_id: KeyId::from_bytes([4; 32]) },
            BuildError::CheckpointRequired,
            BuildError::TooMuch { what: "segments", count_max: 2 },
            BuildError::DocumentTooLarge { size_bytes_max: 2 },
            BuildError::AttachmentMissing { content_hash },
            BuildError::Corrupt(corruption()),
            BuildError::Io(io::Error::other("full")),
        ]
    }

    fn own_failures() -> Vec<Failure> {
        let text = || "x".to_owned();
        let broken = || io::Error::other("broken");
        vec![
            Failure::Exists { what: text() },
            Failure::Directory { path: text(), source: broken() },
            Failure::Filter(FilterError::EmptyRange),
            Failure::Filter(FilterError::UnboundedRange),
            Failure::Filter(FilterError::PageSize { size_max: 9 }),
            Failure::Filter(FilterError::MalformedCursor),
            Failure::Filter(FilterError::ForeignCursor),
            Failure::TrustRoot(TrustRoot::parse(b"{").unwrap_err()),
            Failure::Checkpoint(SignedCheckpoint::parse(b"x").unwrap_err()),
            Failure::KeptHead { path: text() },
            Failure::Input(broken()),
            Failure::Receipts(broken()),
            Failure::Read(ReadError::Closed),
            Failure::Verify(VerifyError::Io(broken())),
            Failure::Verify(VerifyError::Limit { what: "segments", found: 2, limit: 1 }),
            Failure::Verify(VerifyError::Defect("x")),
            Failure::NoStream { stream: text() },
            Failure::NoWord { word: text(), nearest: None },
            Failure::NotProvable(text()),
            Failure::NoCheckpoint,
            Failure::Attack(text()),
            Failure::Unsound { layer: text(), detail: text() },
            Failure::Output(broken()),
            Failure::Internal(text()),
        ]
    }

    fn failures() -> Vec<Failure> {
        let store = |source| Failure::Store { path: "recorder.db".to_owned(), source };
        let mut all = own_failures();
        all.extend(file_errors().into_iter().map(Failure::File));
        all.extend(settings_errors().into_iter().map(Failure::Settings));
        all.extend(signer_errors().into_iter().map(Failure::Signer));
        all.extend(adapter_key_errors().into_iter().map(Failure::AdapterKey));
        all.extend(store_errors().into_iter().map(store));
        all.extend(open_errors().into_iter().map(Failure::Open));
        all.extend(append_errors().into_iter().map(Failure::Append));
        all.extend(seal_errors().into_iter().map(Failure::Seal));
        all.extend(build_errors().into_iter().map(Failure::Build));
        all
    }

    #[test]
    fn the_english_of_the_catalog_is_what_failures_say_of_themselves() {
        for failure in failures() {
            let words = words::message(&failure, Locale::ENGLISH);
            assert_eq!(words, failure.message(Locale::ENGLISH), "{failure:?}");
        }
    }

    #[test]
    fn in_another_locale_a_failure_has_other_words() {
        let catalan = Locale::by_tag("ca").unwrap();
        for failure in failures() {
            // These say a path or a place and what the system or a parser said, and nothing else.
            let is_detail = matches!(
                failure,
                Failure::Directory { .. }
                    | Failure::File(FileError::Io { .. })
                    | Failure::Settings(SettingsError::Syntax { .. })
                    | Failure::Verify(VerifyError::Limit { .. })
            );
            let words = failure.message(catalan);
            assert!(is_detail || words != failure.message(Locale::ENGLISH), "{words}");
        }
    }
}
