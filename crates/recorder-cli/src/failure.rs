//! Every way a command can end, in one place: what went wrong, its code, its exit code, what to do.
//!
//! The matches here have no catch-all, so a new way to fail does not compile until it has all three. Broken
//! evidence is no failure: it is a verdict, and its command answers it.

use std::borrow::Cow;
use std::error::Error as _;
use std::io;
use std::path::Path;

use recorder::bundle::BuildError;
use recorder::guard::{GuardError, HeadError};
use recorder::ids::NoRandomness;
use recorder::query::QueryError;
use recorder::{AppendError, SealError};
use recorder_core::filter::FilterError;
use recorder_core::identity::{IdentityError, StreamId};
use recorder_envelope::attachment::AttachmentError;
use recorder_envelope::checkpoint::CheckpointError;
use recorder_envelope::envelope::ParentIdsError;
use recorder_envelope::json::JsonError;
use recorder_envelope::selector::SelectorError;
use recorder_envelope::trust_root::TrustRootError;
use recorder_fs::FileError;
use recorder_store::ReadError;
use recorder_verify::{Finding, VerifyError};

use crate::demo::DemoError;
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
            Self::Directory { .. } | Self::Path { .. } => Class::new("io", Exit::CouldNotRun),
            Self::Payload(_) => Class::new("payload_invalid", Exit::Usage),
            Self::Identity(_) => Class::new("identity_invalid", Exit::Usage),
            Self::Parents(_) => Class::new("parents_invalid", Exit::Usage),
            Self::Attachment(_) => Class::new("attachment_invalid", Exit::Usage),
            Self::Filter(_) => Class::new("filter_invalid", Exit::Usage),
            Self::Selector(_) => Class::new("selector_invalid", Exit::Usage),
            Self::TrustRoot(_) => Class::new("trust_root_invalid", Exit::Usage),
            Self::Checkpoint(_) => Class::new("checkpoint_invalid", Exit::Usage),
            Self::KeptHead { .. } => Class::new("kept_head_invalid", Exit::Refused)
                .hint("look at what changed it; --no-keep-heads verifies without it"),
            Self::Engine(_) => Class::new("config_invalid", Exit::Usage),
            Self::Input(_) => Class::new("input_failed", Exit::CouldNotRun),
            Self::Receipts(_) => Class::new("receipts_failed", Exit::CouldNotRun)
                .hint("import again: what is recorded is counted, not repeated"),
            Self::Store { source, .. } => store(source),
            Self::Open(error) => open(error),
            Self::Append(error) => append(error),
            Self::Seal(error) => seal(error),
            Self::Read(error) => read(error),
            Self::Build(error) => build(error),
            Self::Verify(error) => verify(error),
            Self::BundleRefused(finding) => Class::new(finding.code().code(), Exit::Invalid),
            Self::NoStream { .. } => Class::new("no_such_stream", Exit::Refused)
                .hint("--tenant-id and --recorder-id name the stream"),
            Self::NotProvable(_) => Class::new("not_provable", Exit::Refused),
            Self::NoCheckpoint => Class::new("no_checkpoint", Exit::Refused)
                .hint("`recorder checkpoint show --sign` signs one; that needs a signing key"),
            Self::NoRandomness(_) => Class::new("no_randomness", Exit::CouldNotRun),
            Self::Demo(DemoError::File(error)) => file(error),
            Self::Demo(DemoError::Step { .. }) => Class::new("demo_failed", Exit::CouldNotRun),
            Self::Attack(_) => Class::new("not_attackable", Exit::Refused),
            Self::Unsound { .. } => Class::new("evidence_unsound", Exit::Invalid)
                .hint("`recorder fsck` and `recorder bundle verify` say all that is wrong"),
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

const CORRUPT_HINT: &str =
    "keep the file as it is; `recorder fsck` names everything that is wrong with it";

fn store(error: &recorder_store::OpenError) -> Class {
    use recorder_store::OpenError;
    match error {
        OpenError::NotFound { .. } => Class::new("store_not_found", Exit::CouldNotRun)
            .hint("`recorder init` makes a database; --store names another one"),
        OpenError::AlreadyExists { .. } => Class::new("already_exists", Exit::Refused),
        OpenError::InUse { .. } => Class::new("store_in_use", Exit::Refused)
            .hint("a database has one writer at a time; wait for it or stop it"),
        OpenError::NotOurs { .. } => Class::new("store_not_ours", Exit::Refused),
        OpenError::OtherVersion { .. } => Class::new("store_version", Exit::Refused),
        OpenError::SchemaTampered { .. } => {
            Class::new("store_tampered", Exit::Invalid).hint(CORRUPT_HINT)
        }
        OpenError::Corrupt(_) => Class::new("store_corrupt", Exit::Invalid).hint(CORRUPT_HINT),
        OpenError::Storage(_) => Class::new("storage_failed", Exit::CouldNotRun),
    }
}

fn open(error: &recorder::OpenError) -> Class {
    use recorder::OpenError;
    match error {
        OpenError::Corrupt(_) => Class::new("store_corrupt", Exit::Invalid).hint(CORRUPT_HINT),
        OpenError::SignerMismatch { .. } => Class::new("signer_mismatch", Exit::Refused).hint(
            "configure the key that signed so far; `recorder signer rotate` changes to another",
        ),
        OpenError::SignerReplaced { .. } => Class::new("signer_replaced", Exit::Refused).hint(
            "name the new key's file as signer.key_path; `recorder signer rotate --new-key` with that file does so",
        ),
        OpenError::RotationUnfinished { .. } => Class::new("rotation_unfinished", Exit::Refused)
            .hint("`recorder signer rotate --new-key` with the file of that key finishes it"),
        OpenError::RotationBroken(_) => {
            Class::new("rotation_broken", Exit::Invalid).hint(CORRUPT_HINT)
        }
        OpenError::OriginMismatch { .. } => Class::new("origin_mismatch", Exit::Refused)
            .hint("set log_name to the first part of the name that the checkpoints carry"),
        OpenError::Head(error) => head(error),
        OpenError::Refused { source } => append(source),
        OpenError::Read(error) => read(error),
    }
}

/// What is not as the head guard has seen it. Nothing was written.
fn head(error: &HeadError) -> Class {
    match error {
        HeadError::RolledBack { .. } => Class::new("head_rolled_back", Exit::Refused).hint(
            "put the newest copy of the database back, or go on under another recorder_id; a log is never continued below what it has signed",
        ),
        HeadError::Forked { .. } => Class::new("head_forked", Exit::Refused)
            .hint("this is another database than the one that was written to last; keep both"),
        HeadError::Missing { .. } => Class::new("head_guard_missing", Exit::Refused).hint(
            "put the head guard back where head_guard_path says; --adopt-head takes the stream as it is, and records that",
        ),
        HeadError::NotBySigner { .. } => Class::new("head_guard_invalid", Exit::Refused)
            .hint("configure the key that signed this stream so far, or put the head guard back"),
        HeadError::Guard(error) => guard(error),
    }
}

fn guard(error: &GuardError) -> Class {
    match error {
        GuardError::Moved { .. } => Class::new("head_guard_moved", Exit::Refused)
            .hint("another recorder writes to a copy of this stream; stop it"),
        GuardError::Malformed { .. } => Class::new("head_guard_invalid", Exit::Refused)
            .hint("keep the file as it is, and put back the one that was there"),
        GuardError::Storage(_) => Class::new("head_guard_failed", Exit::CouldNotRun)
            .hint("head_guard_path names a directory that only this user may write to"),
    }
}

fn read(error: &ReadError) -> Class {
    match error {
        ReadError::Corrupt(_) => Class::new("store_corrupt", Exit::Invalid).hint(CORRUPT_HINT),
        ReadError::Storage(_) | ReadError::Closed => {
            Class::new("storage_failed", Exit::CouldNotRun)
        }
    }
}

fn append(error: &AppendError) -> Class {
    match error {
        AppendError::EnvelopeConflict { .. } => Class::new("envelope_conflict", Exit::Refused)
            .hint("an id names one envelope for ever; record the other content under a new id"),
        AppendError::RepeatedEnvelope { .. } => Class::new("envelope_repeated", Exit::Refused),
        AppendError::AttachmentMissing { .. } => Class::new("attachment_missing", Exit::Refused),
        AppendError::AttachmentUnreferenced { .. } => {
            Class::new("attachment_unreferenced", Exit::Refused)
        }
        AppendError::EventTypeReserved { .. } => Class::new("event_type_reserved", Exit::Refused)
            .hint("verifiers take keys from such events; record what happened under another type"),
        AppendError::BatchTooLarge { .. } => Class::new("batch_too_large", Exit::Usage),
        AppendError::StreamFull => Class::new("stream_full", Exit::Refused),
        AppendError::SignerRequired => Class::new("signer_required", Exit::Refused)
            .hint("configure the key that signed this stream so far: signer.key_path or --key"),
        AppendError::QueueFull { .. } => Class::new("queue_full", Exit::CouldNotRun),
        AppendError::HeadMoved => Class::new("head_moved", Exit::CouldNotRun)
            .hint("something else wrote to the database; run the command again"),
        AppendError::OutcomeUnknown(_) => Class::new("commit_outcome_unknown", Exit::CouldNotRun)
            .hint("run the command again with the same ids: what landed is counted as replayed"),
        AppendError::Latched => Class::new("writer_latched", Exit::CouldNotRun),
        AppendError::Guard(error) | AppendError::Unguarded(error) => guard(error),
        AppendError::Corrupt(_) => Class::new("store_corrupt", Exit::Invalid).hint(CORRUPT_HINT),
        AppendError::Storage(_) => Class::new("storage_failed", Exit::CouldNotRun),
        AppendError::Read(error) => read(error),
        AppendError::NoRandomness(_) => Class::new("no_randomness", Exit::CouldNotRun),
        AppendError::Checkpoint(_) => Class::new("checkpoint_refused", Exit::Refused)
            .hint("shorten log_name, tenant_id or recorder_id"),
    }
}

fn seal(error: &SealError) -> Class {
    match error {
        SealError::AlreadyOpen { .. } => Class::new("segment_already_open", Exit::Refused),
        SealError::NoneOpen => Class::new("no_segment_open", Exit::Refused),
        SealError::Empty { .. } => Class::new("segment_empty", Exit::Refused),
        SealError::NothingRecorded => Class::new("nothing_recorded", Exit::Refused),
        SealError::NoSigner => Class::new("signer_not_configured", Exit::Refused)
            .hint("`recorder signer generate` makes a key; name it as signer.key_path or --key"),
        SealError::Append(error) => append(error),
    }
}

fn build(error: &BuildError) -> Class {
    match error {
        BuildError::NoSuchStream { .. } => Class::new("no_such_stream", Exit::Refused)
            .hint("--tenant-id and --recorder-id name the stream"),
        BuildError::NothingSelected => Class::new("nothing_selected", Exit::Refused),
        BuildError::BeyondLog { .. } => Class::new("beyond_log", Exit::Refused),
        BuildError::SignerRequired => Class::new("signer_required", Exit::Refused)
            .hint("configure the key that signed this stream so far: signer.key_path or --key"),
        BuildError::SignerReplaced { .. } => Class::new("signer_replaced", Exit::Refused)
            .hint("name the new key's file as signer.key_path"),
        BuildError::RotationBroken(_) => {
            Class::new("rotation_broken", Exit::Invalid).hint(CORRUPT_HINT)
        }
        BuildError::CheckpointRequired => Class::new("no_checkpoint", Exit::Refused)
            .hint("`recorder checkpoint show --sign` signs one; that needs a signing key"),
        BuildError::TooMuch { .. } => Class::new("selection_too_large", Exit::Refused),
        BuildError::DocumentTooLarge { .. } => Class::new("document_too_large", Exit::Refused),
        BuildError::AttachmentMissing { .. } => {
            Class::new("store_corrupt", Exit::Invalid).hint(CORRUPT_HINT)
        }
        BuildError::Corrupt(_) => Class::new("store_corrupt", Exit::Invalid).hint(CORRUPT_HINT),
        BuildError::Read(error) => read(error),
        BuildError::Io(_) => Class::new("io", Exit::CouldNotRun),
    }
}

fn verify(error: &VerifyError) -> Class {
    match error {
        VerifyError::Io(_) => Class::new("io", Exit::CouldNotRun),
        VerifyError::Limit { .. } => Class::new("limit_exceeded", Exit::CouldNotRun),
        VerifyError::Defect(_) => Class::new("internal", Exit::CouldNotRun),
    }
}
