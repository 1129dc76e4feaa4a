//! What a failure says to people, in their language.
//!
//! The matches have no catch-all, so a new way to fail does not compile until it has words. What a library below says of
//! the machine, of a database or of a text that it refused stays as it says it, in English. Deliberately absent: JSON,
//! which always has the failure's own message; a test holds the English here against it.

use std::path::Path;

use recorder::bundle::BuildError;
use recorder::guard::{GuardError, HeadError};
use recorder::succession::BrokenRotation;
use recorder::{AppendError, RotateError, SealError};
use recorder_contract::ContractError;
use recorder_core::filter::FilterError;
use recorder_core::limits::PASSPHRASE_BYTES_MAX;
use recorder_fs::{FileError, TreeError};
use recorder_store::ReadError;
use recorder_verify::VerifyError;

use super::{Failure, chain};
use crate::adapter_key::AdapterKeyError;
use crate::demo::DemoError;
use crate::i18n::{Locale, say, texts};
use crate::passphrase::PassphraseError;
use crate::settings::{DEV_SEED_VARIABLE, Origin, SettingsError};
use crate::signer::SignerError;

/// The failure and its causes in one line.
pub(super) fn message(failure: &Failure, at: Locale) -> String {
    match failure {
        Failure::Usage(text) => text.clone(),
        Failure::Settings(error) => say!(at, failure.settings, cause = settings(error, at)),
        Failure::File(error) | Failure::Demo(DemoError::File(error)) => file(error, at),
        Failure::Signer(error) => signer(error, at),
        Failure::Exists { what } => say!(at, failure.exists, what = what),
        Failure::Directory { path, source } | Failure::Path { path, source } => {
            format!("{path}: {}", chain(source))
        }
        Failure::Payload(error) => say!(at, failure.payload, cause = chain(error)),
        Failure::Identity(error) => chain(error),
        Failure::Parents(error) => chain(error),
        Failure::Attachment(error) => chain(error),
        Failure::Filter(error) => filter(error, at),
        Failure::Selector(error) => chain(error),
        Failure::TrustRoot(error) => say!(at, failure.trust_root, cause = chain(error)),
        Failure::Checkpoint(error) => say!(at, failure.checkpoint, cause = chain(error)),
        Failure::KeptHead { path } => say!(at, failure.kept_head, path = path),
        Failure::Input(error) => say!(at, failure.input, cause = chain(error)),
        Failure::Receipts(error) => say!(at, failure.receipts, cause = chain(error)),
        Failure::Store { path, source } => store(path, source, at),
        Failure::Engine(error) => chain(error),
        Failure::Open(error) => open(error, at),
        Failure::Append(error) => append(error, at),
        Failure::Seal(error) => seal(error, at),
        Failure::Rotate(error) => rotate(error, at),
        Failure::Read(error) => read(error, at),
        Failure::Build(error) => build(error, at),
        Failure::Verify(error) => verify(error, at),
        Failure::NoStream { stream } => say!(at, failure.no_stream, stream = stream),
        Failure::NoWord { word, .. } => say!(at, failure.no_word, word = word),
        Failure::NotProvable(cause) => say!(at, failure.not_provable, cause = cause),
        Failure::NoCheckpoint => say!(at, failure.no_checkpoint).to_owned(),
        Failure::NoRandomness(_) => say!(at, failure.no_randomness).to_owned(),
        Failure::AdapterKey(error) => adapter_key(error, at),
        Failure::Demo(DemoError::Step { step, detail }) => format!("{step}: {detail}"),
        Failure::Attack(cause) => say!(at, failure.attack, cause = cause),
        Failure::Contract(error) => contract(error, at),
        Failure::Output(error) => say!(at, failure.output, cause = chain(error)),
        Failure::Internal(detail) => say!(at, failure.internal, detail = detail),
        Failure::Unsound { layer, detail } => {
            say!(at, failure.unsound, layer = layer, detail = detail)
        }
        Failure::BundleRefused(finding) => {
            let meaning = texts::FINDING.text(at, finding.code().code());
            let place = finding.place();
            let detail = finding.detail();
            say!(at, failure.bundle_refused, place = place, meaning = meaning, detail = detail)
        }
    }
}

fn contract(error: &ContractError, at: Locale) -> String {
    match error {
        ContractError::NotOurs { root } => say!(at, contract.not_ours, root = root.display()),
        ContractError::Breaks { breaks } => {
            let first = breaks.first().map(|broken| broken.fact.as_str()).unwrap_or_default();
            say!(at, contract.breaks, count = breaks.len(), first = first)
        }
        ContractError::FactsMalformed { path } => say!(at, contract.malformed, path = path),
        ContractError::Missing { root } => say!(at, contract.absent, root = root.display()),
        ContractError::Tree(error) => tree(error, at),
        ContractError::BreaksMalformed { .. }
        | ContractError::MissingPointer { .. }
        | ContractError::MissingShape { .. }
        | ContractError::Unwritable { .. } => chain(error),
    }
}

fn tree(error: &TreeError, at: Locale) -> String {
    match error {
        TreeError::Link { path } => say!(at, tree.link, path = path.display()),
        TreeError::HardLinked { path, link_count } => {
            say!(at, tree.hard_linked, path = path.display(), count = link_count)
        }
        TreeError::NotRegular { path } => say!(at, tree.not_regular, path = path.display()),
        TreeError::NotUtf8 { path } => say!(at, tree.not_utf8, path = path.display()),
        TreeError::TooMuch { path, what, limit } => {
            say!(at, tree.too_much, path = path.display(), limit = limit, what = what)
        }
        TreeError::File(error) => file(error, at),
    }
}

fn file(error: &FileError, at: Locale) -> String {
    let shown = |path: &Path| path.display().to_string();
    match error {
        FileError::NotFound { path } => say!(at, file.not_found, path = shown(path)),
        FileError::TooLarge { path, limit_bytes, size_bytes } => {
            say!(at, file.too_large, path = shown(path), limit = limit_bytes, size = size_bytes)
        }
        FileError::NotRegular { path } => say!(at, file.not_regular, path = shown(path)),
        FileError::SymlinkRefused { path } => say!(at, file.symlink, path = shown(path)),
        FileError::HardLinked { path, link_count } => {
            say!(at, file.hard_linked, path = shown(path), links = link_count)
        }
        FileError::WrongOwner { path, owner_uid, process_uid } => {
            say!(at, file.wrong_owner, path = shown(path), owner = owner_uid, user = process_uid)
        }
        FileError::PermissionsTooOpen { path, mode } => {
            say!(at, file.too_open, path = shown(path), mode = format!("{mode:04o}"))
        }
        FileError::AlreadyExists { path } => say!(at, file.exists, path = shown(path)),
        FileError::Io { path, source } => format!("{}: {}", shown(path), chain(source)),
    }
}

fn settings(error: &SettingsError, at: Locale) -> String {
    match error {
        SettingsError::File(error) => file(error, at),
        SettingsError::UnknownFormat { path } => say!(at, settings.format, path = path.display()),
        SettingsError::Syntax { place, detail } => format!("{place}: {detail}"),
        SettingsError::UnknownKey { place, key, .. } => {
            say!(at, settings.unknown_key, place = place, key = format!("{key:?}"))
        }
        SettingsError::WrongKind { place, key, expected, found } => {
            say!(
                at,
                settings.wrong_kind,
                place = place,
                key = key,
                expected = expected,
                found = found
            )
        }
        SettingsError::Value { name, origin: from, detail } => {
            say!(at, settings.value, name = name, origin = origin(from, at), detail = detail)
        }
    }
}

/// Where a value came from.
pub(crate) fn origin(origin: &Origin, at: Locale) -> String {
    match origin {
        Origin::Flag(name) => say!(at, settings.from_flag, name = name),
        Origin::Environment(name) => say!(at, settings.from_environment, name = name),
        Origin::File { path, line } => {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            say!(at, settings.from_file, path = format!("{}{line}", path.display()))
        }
        Origin::Default => say!(at, settings.from_default).to_owned(),
    }
}

fn signer(error: &SignerError, at: Locale) -> String {
    let seed = DEV_SEED_VARIABLE;
    match error {
        SignerError::SeedRefused { profile } => {
            say!(at, signer.seed_refused, variable = seed, profile = profile.name())
        }
        SignerError::SeedMalformed => say!(at, signer.seed_malformed, variable = seed),
        SignerError::NotConfigured => say!(at, signer.absent).to_owned(),
        SignerError::PlaintextRefused { path, profile } => {
            say!(at, signer.plaintext, path = path.display(), profile = profile.name())
        }
        SignerError::File(error) => say!(at, signer.file, cause = file(error, at)),
        SignerError::Passphrase(error) => passphrase(error, at),
        SignerError::KeyFile { path, source } => {
            say!(at, signer.not_opened, path = path.display(), cause = chain(source))
        }
        SignerError::Key(error) => say!(at, signer.key, cause = chain(error)),
        SignerError::Random(error) => say!(at, signer.random, cause = error),
    }
}

fn adapter_key(error: &AdapterKeyError, at: Locale) -> String {
    match error {
        AdapterKeyError::Missing { path } => {
            say!(at, failure.adapter_key_missing, path = path.display())
        }
        AdapterKeyError::Malformed { path } => {
            say!(at, failure.adapter_key_malformed, path = path.display())
        }
        AdapterKeyError::File(error) => file(error, at),
        AdapterKeyError::Random(error) => say!(at, signer.random, cause = error),
    }
}

fn passphrase(error: &PassphraseError, at: Locale) -> String {
    match error {
        PassphraseError::File(error) => say!(at, passphrase.file, cause = file(error, at)),
        PassphraseError::Descriptor { descriptor, source } => {
            say!(at, passphrase.descriptor, descriptor = descriptor, cause = chain(source))
        }
        PassphraseError::NoTerminal => say!(at, passphrase.no_terminal).to_owned(),
        PassphraseError::Prompt(error) => say!(at, passphrase.not_asked, cause = chain(error)),
        PassphraseError::Mismatch => say!(at, passphrase.mismatch).to_owned(),
        PassphraseError::Length => say!(at, passphrase.length, max = PASSPHRASE_BYTES_MAX),
    }
}

fn filter(error: &FilterError, at: Locale) -> String {
    match error {
        FilterError::EmptyRange => say!(at, filter.empty_range).to_owned(),
        FilterError::UnboundedRange => say!(at, filter.unbounded_range).to_owned(),
        FilterError::PageSize { size_max } => say!(at, filter.page_size, max = size_max),
        FilterError::MalformedCursor => say!(at, filter.malformed_cursor).to_owned(),
        FilterError::ForeignCursor => say!(at, filter.foreign_cursor).to_owned(),
    }
}

fn store(name: &str, error: &recorder_store::OpenError, at: Locale) -> String {
    use recorder_store::OpenError;
    let text = match error {
        OpenError::NotFound { path } => return say!(at, store.not_found, path = path.display()),
        OpenError::AlreadyExists { path } => return say!(at, store.exists, path = path.display()),
        OpenError::InUse { path } => return say!(at, store.in_use, path = path.display()),
        OpenError::NotOurs { detail } => say!(at, store.not_ours, detail = detail),
        OpenError::OtherVersion { found, expected } => {
            say!(at, store.version, found = found, expected = expected)
        }
        OpenError::SchemaTampered { object } => say!(at, store.schema, object = object),
        OpenError::Corrupt(error) => say!(at, store.database_corrupt, cause = chain(error)),
        OpenError::Storage(error) => say!(at, store.unopened, cause = chain(error)),
    };
    format!("{name}: {text}")
}

fn open(error: &recorder::OpenError, at: Locale) -> String {
    use recorder::OpenError;
    match error {
        OpenError::Corrupt(error) => say!(at, store.corrupt, cause = chain(error)),
        OpenError::SignerMismatch { stream } => say!(at, open.signer_mismatch, stream = stream),
        OpenError::SignerReplaced { stream, key_id, position } => {
            say!(at, open.signer_replaced, stream = stream, id = key_id, position = position)
        }
        OpenError::RotationUnfinished { key_id, rotated, remaining } => {
            say!(
                at,
                open.rotation_unfinished,
                id = key_id,
                rotated = rotated,
                remaining = remaining
            )
        }
        OpenError::RotationBroken(broken) => rotation(broken, at),
        OpenError::OriginMismatch { expected, found } => {
            say!(at, open.origin_mismatch, expected = expected, found = found)
        }
        OpenError::Head(error) => head(error, at),
        OpenError::Refused { source } => say!(at, open.refused, cause = append(source, at)),
        OpenError::Read(error) => say!(at, store.unread, cause = read(error, at)),
    }
}

fn rotation(broken: &BrokenRotation, at: Locale) -> String {
    let BrokenRotation { stream, position, fault } = broken;
    say!(at, open.rotation_broken, stream = stream, position = position, fault = fault)
}

/// What the head guard has seen otherwise.
pub(crate) fn head(error: &HeadError, at: Locale) -> String {
    match error {
        HeadError::RolledBack { stream, what, guarded, stored } => {
            say!(
                at,
                head.rolled_back,
                stream = stream,
                what = what,
                guarded = guarded,
                stored = stored
            )
        }
        HeadError::Forked { stream, tree_size: size, guarded, stored } => {
            say!(at, head.forked, stream = stream, size = size, guarded = guarded, stored = stored)
        }
        HeadError::Missing { stream, stored } => {
            say!(at, head.missing, stream = stream, stored = stored)
        }
        HeadError::NotBySigner { stream, tree_size } => {
            say!(at, head.not_by_signer, stream = stream, size = tree_size)
        }
        HeadError::Guard(error) => guard(error, at),
    }
}

fn guard(error: &GuardError, at: Locale) -> String {
    match error {
        GuardError::Moved { origin } => say!(at, guard.moved, origin = origin),
        GuardError::Malformed { place, detail } => {
            say!(at, guard.malformed, place = place, detail = detail)
        }
        GuardError::Storage(error) => say!(at, guard.failed, cause = chain(&**error)),
    }
}

fn read(error: &ReadError, at: Locale) -> String {
    match error {
        ReadError::Corrupt(error) => say!(at, store.corrupt, cause = chain(error)),
        ReadError::Storage(error) => say!(at, store.unread, cause = chain(error)),
        ReadError::Closed => say!(at, store.closed).to_owned(),
    }
}

fn append(error: &AppendError, at: Locale) -> String {
    match error {
        AppendError::EnvelopeConflict { id, .. } => say!(at, append.conflict, id = id),
        // No command sends keys; the words are the engine's own.
        AppendError::IdempotencyConflict { .. } => chain(error),
        AppendError::RepeatedEnvelope { id } => say!(at, append.repeated, id = id),
        AppendError::AttachmentMissing { envelope_id: id, content_hash } => {
            say!(at, append.attachment_missing, id = id, hash = content_hash)
        }
        AppendError::AttachmentUnreferenced { content_hash } => {
            say!(at, append.attachment_unreferenced, hash = content_hash)
        }
        AppendError::EventTypeReserved { event_type, .. } => {
            say!(at, append.reserved, event_type = event_type)
        }
        AppendError::BatchTooLarge { count, count_max } => {
            say!(at, append.too_large, count = count, max = count_max)
        }
        AppendError::StreamFull => say!(at, append.stream_full).to_owned(),
        AppendError::SignerRequired => say!(at, append.signer_required).to_owned(),
        AppendError::QueueFull { capacity } => say!(at, append.queue_full, capacity = capacity),
        AppendError::HeadMoved => say!(at, append.head_moved).to_owned(),
        AppendError::OutcomeUnknown(error) => {
            let text = say!(at, append.outcome_unknown);
            format!("{text}: {}", chain(error))
        }
        AppendError::Latched => say!(at, append.latched).to_owned(),
        AppendError::Guard(error) => say!(at, append.guard, cause = guard(error, at)),
        AppendError::Unguarded(error) => say!(at, append.unguarded, cause = guard(error, at)),
        AppendError::Corrupt(error) => say!(at, store.corrupt, cause = chain(error)),
        AppendError::Storage(error) => say!(at, store.unwritten, cause = chain(error)),
        AppendError::Read(error) => say!(at, store.unread, cause = read(error, at)),
        AppendError::NoRandomness(_) => say!(at, failure.no_randomness).to_owned(),
        AppendError::Checkpoint(error) => say!(at, append.checkpoint, cause = chain(error)),
    }
}

fn seal(error: &SealError, at: Locale) -> String {
    match error {
        SealError::AlreadyOpen { segment_id } => say!(at, seal.already_open, id = segment_id),
        SealError::NoneOpen => say!(at, seal.none_open).to_owned(),
        SealError::Empty { segment_id } => say!(at, seal.empty, id = segment_id),
        SealError::NothingRecorded => say!(at, seal.nothing_recorded).to_owned(),
        SealError::NoSigner => say!(at, seal.no_signer).to_owned(),
        SealError::Append(error) => append(error, at),
    }
}

fn rotate(error: &RotateError, at: Locale) -> String {
    match error {
        RotateError::NoSigner => say!(at, rotate.no_signer).to_owned(),
        RotateError::Terms(error) => chain(error),
        RotateError::NotInForce { stream, key_id } => {
            say!(at, rotate.not_in_force, stream = stream, id = key_id)
        }
        RotateError::KeyReturns { stream, key_id } => {
            say!(at, rotate.key_returns, stream = stream, id = key_id)
        }
        RotateError::OldKeyUnknown { stream } => {
            say!(at, rotate.old_key_unknown, stream = stream)
        }
        RotateError::NothingToSeal { stream } => {
            say!(at, rotate.nothing_to_seal, stream = stream)
        }
        RotateError::Open(error) => open(error, at),
        RotateError::Refused { stream, source } => {
            say!(at, rotate.refused, stream = stream, cause = append(source, at))
        }
    }
}

fn build(error: &BuildError, at: Locale) -> String {
    match error {
        BuildError::NoSuchStream { stream } => say!(at, build.no_stream, stream = stream),
        BuildError::NothingSelected => say!(at, build.nothing_selected).to_owned(),
        BuildError::BeyondLog { tree_size, size } => {
            say!(at, build.beyond, tree_size = tree_size, size = size)
        }
        BuildError::SignerRequired => say!(at, build.signer_required).to_owned(),
        BuildError::SignerReplaced { key_id } => say!(at, build.signer_replaced, id = key_id),
        BuildError::RotationBroken(broken) => rotation(broken, at),
        BuildError::CheckpointRequired => say!(at, build.checkpoint_required).to_owned(),
        BuildError::TooMuch { what, count_max } => {
            say!(at, build.too_much, what = what, max = count_max)
        }
        BuildError::DocumentTooLarge { size_bytes_max } => {
            say!(at, build.document_too_large, max = size_bytes_max)
        }
        BuildError::AttachmentMissing { content_hash } => {
            say!(at, build.attachment_missing, hash = content_hash)
        }
        BuildError::Corrupt(error) => say!(at, store.corrupt, cause = chain(error)),
        BuildError::Read(error) => read(error, at),
        BuildError::Io(error) => say!(at, build.unwritten, cause = chain(error)),
    }
}

fn verify(error: &VerifyError, at: Locale) -> String {
    match error {
        VerifyError::Io(error) => say!(at, verify.unreadable, cause = chain(error)),
        VerifyError::Limit { what, found, limit } => {
            say!(at, verify.limit, what = what, found = found, limit = limit)
        }
        VerifyError::Defect(detail) => say!(at, verify.defect, detail = detail),
    }
}
