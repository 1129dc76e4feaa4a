//! The honest evidence that copies are made of: a database, a bundle, the trusted keys, and perhaps the signing key.
//!
//! The original is opened for reading only. Its copy must be sound before anything is done to a copy of the copy.

use std::path::{Path, PathBuf};

use recorder::RecorderConfig;
use recorder::guard::{GuardError, GuardedHead, HeadGuard as _, MemoryGuard};
use recorder_core::hash::TreeHash;
use recorder_core::identity::{LogName, StreamId};
use recorder_core::limits::{SIGNER_KEY_BYTES_MAX, TRUST_ROOT_BYTES_MAX};
use recorder_envelope::checkpoint::{self, Checkpoint, LOG_NAME_DEFAULT, SignedCheckpoint};
use recorder_envelope::key_file;
use recorder_envelope::segment::SigningPromise;
use recorder_envelope::signing::{SEED_BYTES, SecretKey};
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};
use recorder_fs::FileError;
use recorder_store::{SqliteOptions, SqliteStore, Store as _, StreamHead};
use serde_json::json;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::forgery::{self, ForgedSegment, Forgery, ForgeryError};
use super::judge::{Catch, Exported, Exporter, Judge, guard_says};
use super::victim::{Victim, root_of};
use super::{AttackError, Deed, Hands, Noticed};
use crate::demo::{BUNDLE_NAME, KEY_NAME, PASSPHRASE_NAME, STORE_NAME, TRUST_ROOT_NAME};
use crate::failure::Failure;

/// Bytes of a database that is attacked: it is copied for every attack.
pub(crate) const STORE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a bundle that is attacked: it is held in memory several times.
pub(crate) const ARCHIVE_BYTES_MAX: u64 = 64 << 20;

/// Envelopes that are needed for there to be a first, a last, and several between.
const ENVELOPES_MIN: usize = 4;

/// Where evidence and keys are.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// The database.
    pub(crate) store: Option<PathBuf>,
    /// The bundle.
    pub(crate) bundle: Option<PathBuf>,
    /// The trusted keys.
    pub(crate) trust_root: Option<PathBuf>,
    /// The signing key and the file with its passphrase.
    pub(crate) key: Option<(PathBuf, Option<PathBuf>)>,
}

impl Paths {
    /// What a person points at: a directory as the demonstration leaves it, a database, or a bundle.
    ///
    /// # Errors
    ///
    /// `Failure` where there is nothing of that kind.
    pub(crate) fn find(path: &Path) -> Result<Self, Failure> {
        let there = |name: &str| Some(path.join(name)).filter(|path| path.is_file());
        if path.is_dir() {
            let paths = Self {
                store: there(STORE_NAME),
                bundle: there(BUNDLE_NAME),
                trust_root: there(TRUST_ROOT_NAME),
                key: there(KEY_NAME).map(|key| (key, there(PASSPHRASE_NAME))),
            };
            let empty = paths.store.is_none() && paths.bundle.is_none();
            return match empty {
                true => Err(Failure::File(FileError::NotFound { path: path.join(STORE_NAME) })),
                false => Ok(paths),
            };
        }
        let mut start = Vec::new();
        std::io::Read::read_to_end(
            &mut std::io::Read::take(recorder_fs::open_read(path)?, 16),
            &mut start,
        )
        .map_err(Failure::Input)?;
        match start.starts_with(b"SQLite format 3\0") {
            true => Ok(Self { store: Some(path.to_owned()), ..Self::default() }),
            false => Ok(Self { bundle: Some(path.to_owned()), ..Self::default() }),
        }
    }
}

/// A database's honest copy.
struct Database {
    directory: TempDir,
    stream: StreamId,
    config: RecorderConfig,
    bytes: Vec<u8>,
}

/// A bundle's honest copy.
struct Bundle {
    bytes: Vec<u8>,
    forgery: Forgery,
}

/// The honest evidence.
pub(crate) struct Target {
    database: Option<Database>,
    bundle: Option<Bundle>,
    key: Option<SecretKey>,
    own_key: SecretKey,
    signed: bool,
    judge: Judge,
    head_of_bundle: Option<SignedCheckpoint>,
    head_of_database: Option<SignedCheckpoint>,
    guard: Option<MemoryGuard>,
}

impl Target {
    /// Copies what is at `paths` and checks that it is sound; `key` is one that was named on the command line.
    ///
    /// # Errors
    ///
    /// `Failure` where something cannot be read, or is not sound to begin with.
    pub(crate) fn load(paths: &Paths, key: Option<SecretKey>) -> Result<Self, Failure> {
        let key = match (key, &paths.key) {
            (None, Some((path, passphrase))) => Some(read_key(path, passphrase.as_deref())?),
            (key, _) => key,
        };
        let own_key = own_key()?;
        let database =
            paths.store.as_deref().map(|path| Database::copy(path, key.as_ref())).transpose()?;
        let bytes = match (&paths.bundle, &database) {
            (Some(path), _) => Some(recorder_fs::read_bounded(path, ARCHIVE_BYTES_MAX)?),
            (None, Some(database)) => database.bundle(key.as_ref())?,
            (None, None) => None,
        };
        let bundle = bytes.map(Bundle::open).transpose()?;
        let segments = match (&bundle, &database) {
            (Some(bundle), _) => bundle.forgery.segments.clone(),
            (None, Some(database)) => database.victim()?.read().map_err(unusable)?,
            (None, None) => Vec::new(),
        };
        let stream = segments.first().map(|segment| segment.genesis.stream.clone());
        let trust_root = trust_root(paths.trust_root.as_deref(), key.as_ref(), stream.as_ref())?;
        let promised = segments.iter().any(|it| it.genesis.signing > SigningPromise::None);
        let signed = promised && trust_root.is_some();
        let judge = Judge { trust_root, honest: None, honest_is_complete: false };
        let mut target = Self {
            head_of_bundle: None,
            head_of_database: None,
            guard: None,
            database,
            bundle,
            key: key.filter(|_| promised),
            own_key,
            signed,
            judge,
        };
        target.check_size(&segments)?;
        target.keep_heads()?;
        target.check_soundness()?;
        Ok(target)
    }

    fn check_size(&self, segments: &[ForgedSegment]) -> Result<(), Failure> {
        let count: usize = segments.iter().map(|segment| segment.envelopes.len()).sum();
        match count < ENVELOPES_MIN {
            true => {
                Err(Failure::Attack(format!("it takes {ENVELOPES_MIN} envelopes, this is {count}")))
            }
            false => Ok(()),
        }
    }

    /// Notes the honest heads, as a witness would: signed by somebody else, so that only their content counts.
    fn keep_heads(&mut self) -> Result<(), Failure> {
        let mut origin = None;
        if let Some(Bundle { forgery, .. }) = &self.bundle {
            let manifest = &forgery.manifest;
            let named = forgery.checkpoint.as_ref().map(|it| it.checkpoint().origin().to_owned());
            let name =
                named.unwrap_or_else(|| checkpoint::origin(LOG_NAME_DEFAULT, &manifest.stream));
            let head = self.head(&name, manifest.tree_size, manifest.root_hash)?;
            (origin, self.head_of_bundle) = (Some(name), Some(head));
        }
        if let Some(database) = &self.database {
            let origin = origin.unwrap_or_else(|| {
                checkpoint::origin(database.config.log_name.as_str(), &database.stream)
            });
            let victim = database.victim()?;
            let segments = victim.read().map_err(unusable)?;
            let root = root_of(&segments).map_err(unusable)?;
            self.head_of_database = Some(self.head(&origin, victim.count, root)?);
            let sealed_count = segments.iter().filter(|segment| segment.seal.is_some()).count();
            self.guard = Some(database.guard(&victim, root, sealed_count)?);
        }
        Ok(())
    }

    fn head(&self, origin: &str, size: u64, root: TreeHash) -> Result<SignedCheckpoint, Failure> {
        Checkpoint::new(origin, size, root)
            .and_then(|checkpoint| checkpoint.sign(&self.own_key))
            .map_err(Failure::Checkpoint)
    }

    /// Refuses evidence in which something is wrong before anything is done to it.
    fn check_soundness(&mut self) -> Result<(), Failure> {
        if let Some(bundle) = &self.bundle {
            self.judge.compare_with(&bundle.bytes)?;
            let head = self.head_of_bundle.as_ref();
            if let Some(catch) = self.judge.bundle_beside_head(&bundle.bytes, head)? {
                return Err(unsound(&catch));
            }
        }
        if let Some(database) = &self.database {
            let exporter = self.exporter(database);
            let victim = database.victim()?;
            if let Some(catch) = self.judge.database(&victim.path, &database.config, &exporter)? {
                return Err(unsound(&catch));
            }
            if let Some(guard) = &self.guard
                && let Some(catch) = guard_says(&victim.path, &database.config, guard)
            {
                return Err(unsound(&catch));
            }
            if let Exported::Bundle(bundle) = exporter.export(&victim.path)
                && let Some(catch) =
                    self.judge.bundle_beside_head(&bundle, self.head_of_database.as_ref())?
            {
                return Err(unsound(&catch));
            }
        }
        Ok(())
    }

    fn exporter<'a>(&'a self, database: &'a Database) -> Exporter<'a> {
        database.exporter(self.key.as_ref())
    }

    /// Whether trusted keys vouch for it.
    pub(crate) fn signed(&self) -> bool {
        self.signed
    }

    /// The key that signed it, where it is here.
    pub(crate) fn key(&self) -> Option<&SecretKey> {
        self.key.as_ref()
    }

    /// The attacker's own key.
    pub(crate) fn own_key(&self) -> &SecretKey {
        &self.own_key
    }

    /// Does it to a copy of the bundle. Gives who noticed; whoever keeps something outside is asked only where
    /// the evidence shows nothing.
    ///
    /// # Errors
    ///
    /// `AttackError` where it was not done or not judged.
    pub(crate) fn attack_bundle(
        &self,
        deed: Deed,
        hands: &Hands<'_>,
        ask_outside: bool,
    ) -> Result<Noticed, AttackError> {
        let honest = self.bundle.as_ref().ok_or(ForgeryError::Absent("no bundle is here"))?;
        let forged = match deed {
            Deed::Bundle(change) => {
                let mut forgery = honest.forgery.clone();
                change(&mut forgery, hands)?;
                forgery.archive()?
            }
            Deed::Members(change) => {
                let mut members = forgery::members(&honest.bytes)?;
                change(&mut members)?;
                forgery::write(&members).map_err(ForgeryError::new)?
            }
            Deed::Archive(change) => {
                let mut bytes = honest.bytes.clone();
                change(&mut bytes)?;
                bytes
            }
            Deed::Sql(_) | Deed::Database(_) => {
                return Err(ForgeryError::Absent("no database is here").into());
            }
        };
        let alone = self.judge.bundle(&forged)?;
        let witness = if alone.is_none() && ask_outside {
            Some(self.judge.bundle_beside_head(&forged, self.head_of_bundle.as_ref())?)
        } else {
            None
        };
        Ok(Noticed { alone, witness, ..Noticed::default() })
    }

    /// Does it to a copy of the database; gives what `attack_bundle` gives.
    ///
    /// # Errors
    ///
    /// `AttackError` where it was not done or not judged.
    pub(crate) fn attack_database(
        &self,
        deed: Deed,
        hands: &Hands<'_>,
        ask_outside: bool,
    ) -> Result<Noticed, AttackError> {
        let database = self.database.as_ref().ok_or(ForgeryError::Absent("no database is here"))?;
        let mut victim = database.victim()?;
        match deed {
            Deed::Sql(text) => victim.sql(text)?,
            Deed::Database(change) => change(&mut victim, hands)?,
            Deed::Bundle(_) | Deed::Members(_) | Deed::Archive(_) => {
                return Err(ForgeryError::Absent("no bundle is here").into());
            }
        }
        let now =
            recorder_fs::read_bounded(&victim.path, STORE_BYTES_MAX).map_err(Failure::from)?;
        if now == database.bytes && victim.other_writer.is_none() {
            return Err(ForgeryError::Absent("nothing of that kind is stored").into());
        }
        let exporter = self.exporter(database);
        let alone = self.judge.database(&victim.path, &database.config, &exporter)?;
        if alone.is_some() || !ask_outside {
            return Ok(Noticed { alone, ..Noticed::default() });
        }
        let guard = self.guard.as_ref();
        let head_guard = guard.map(|guard| guard_says(&victim.path, &database.config, guard));
        let head = self.head_of_database.as_ref();
        let witness = match exporter.export(&victim.path) {
            Exported::Bundle(bundle) => Some(self.judge.bundle_beside_head(&bundle, head)?),
            Exported::Refused(catch) => Some(Some(catch)),
            // Without the key there is no bundle to hold beside the head.
            Exported::NotPossible => None,
            Exported::Failed(failure) => return Err(failure.into()),
        };
        Ok(Noticed { alone, head_guard, witness })
    }
}

/// Something is wrong with the evidence before anything was done to it.
fn unsound(catch: &Catch) -> Failure {
    let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
    Failure::Unsound { layer: part(catch.layer), detail: part(catch.detail.as_deref()) }
}

fn unusable(error: ForgeryError) -> Failure {
    Failure::Attack(error.to_string())
}

impl Database {
    /// Copies the file and the log beside it, folds the log in, and reads whose stream it is.
    ///
    /// With the key, a checkpoint over everything is signed in the copy, as before an export.
    fn copy(path: &Path, key: Option<&SecretKey>) -> Result<Self, Failure> {
        let directory = tempfile::tempdir().map_err(temporary)?;
        let copy = directory.path().join(STORE_NAME);
        recorder_fs::write_new(&copy, &recorder_fs::read_bounded(path, STORE_BYTES_MAX)?)?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        match recorder_fs::read_bounded(Path::new(&log), STORE_BYTES_MAX) {
            Ok(bytes) => {
                recorder_fs::write_new(
                    &directory.path().join(format!("{STORE_NAME}-wal")),
                    &bytes,
                )?;
            }
            Err(FileError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        // Opening and closing as the only writer folds the log in.
        let store = SqliteStore::open(&copy, &SqliteOptions::default())
            .map_err(|error| Failure::store(&copy, error))?;
        let streams = store.streams()?;
        let stream = streams.first().cloned();
        let stream =
            stream.ok_or_else(|| Failure::Attack("nothing is recorded in it".to_owned()))?;
        let head = store.head(&stream)?;
        drop(store);
        let newest = head.as_ref().and_then(|head| head.checkpoint.as_ref());
        let mut config = RecorderConfig::new(stream.recorder_id.clone());
        if let Some(Ok(log_name)) =
            newest.and_then(|it| it.note.split('/').next()).map(LogName::new)
        {
            config.log_name = log_name;
        }
        let signed = head.as_ref().is_some_and(is_signed);
        let covered = newest.map_or(0, |newest| newest.tree_size);
        let mut database = Self { directory, stream, config, bytes: Vec::new() };
        database.bytes = recorder_fs::read_bounded(&copy, STORE_BYTES_MAX)?;
        if let (Some(key), true) = (key, signed) {
            let victim = database.victim()?;
            if covered < victim.count {
                let origin =
                    checkpoint::origin(database.config.log_name.as_str(), &database.stream);
                victim.add_checkpoint(key, &origin).map_err(unusable)?;
                database.bytes = recorder_fs::read_bounded(&victim.path, STORE_BYTES_MAX)?;
            }
        }
        Ok(database)
    }

    /// A guard that has seen the last checkpoint or, in a stream that nobody signs, the last envelope.
    fn guard(
        &self,
        victim: &Victim,
        root: TreeHash,
        sealed_segments: usize,
    ) -> Result<MemoryGuard, Failure> {
        let store = SqliteStore::open_read_only(&victim.path, &SqliteOptions::default())
            .map_err(|error| Failure::store(&victim.path, error))?;
        let newest = store.head(&self.stream)?.and_then(|head| head.checkpoint);
        let tree_size = newest.as_ref().map_or(victim.count, |newest| newest.tree_size);
        let file = json!({
            "type": "recorder.guarded-head/v1",
            "origin": checkpoint::origin(self.config.log_name.as_str(), &self.stream),
            "tree_size": tree_size,
            "root_hash": newest.as_ref().map_or(root, |newest| newest.root_hash),
            "sealed_segments": sealed_segments,
            "note": newest.map(|newest| newest.note),
        });
        let refused = |error: GuardError| Failure::Internal(error.to_string());
        let head = GuardedHead::parse("the honest head", file.to_string().as_bytes());
        let (head, guard) = (head.map_err(refused)?, MemoryGuard::new());
        guard.advance(None, &head).map_err(refused)?;
        Ok(guard)
    }

    fn exporter<'a>(&'a self, key: Option<&'a SecretKey>) -> Exporter<'a> {
        Exporter { stream: &self.stream, log_name: &self.config.log_name, key }
    }

    /// A copy of the copy, in place of the last one.
    fn victim(&self) -> Result<Victim, Failure> {
        let directory = self.directory.path().join("victim");
        if directory.exists() {
            std::fs::remove_dir_all(&directory).map_err(temporary)?;
        }
        std::fs::create_dir(&directory).map_err(temporary)?;
        let path = directory.join(STORE_NAME);
        recorder_fs::write_new(&path, &self.bytes)?;
        Victim::new(path, self.stream.clone()).map_err(unusable)
    }

    /// A bundle of all of it; `None` where that takes a key that is not here.
    fn bundle(&self, key: Option<&SecretKey>) -> Result<Option<Vec<u8>>, Failure> {
        let victim = self.victim()?;
        match self.exporter(key).export(&victim.path) {
            Exported::Bundle(bundle) => Ok(Some(bundle)),
            Exported::Refused(_) | Exported::NotPossible => Ok(None),
            Exported::Failed(failure) => Err(failure),
        }
    }
}

/// Whether the newest segment promises signatures.
fn is_signed(head: &StreamHead) -> bool {
    let sealed = head.last_sealed.as_ref().map(|sealed| sealed.genesis.signing);
    let open = head.open_segment.as_ref().map(|open| open.genesis.signing);
    sealed.max(open) > Some(SigningPromise::None)
}

impl Bundle {
    fn open(bytes: Vec<u8>) -> Result<Self, Failure> {
        match forgery::members(&bytes).and_then(Forgery::open) {
            Ok(forgery) => Ok(Self { bytes, forgery }),
            Err(error) => {
                let anybody = Judge { trust_root: None, honest: None, honest_is_complete: false };
                Err(anybody
                    .bundle(&bytes)?
                    .map_or_else(|| unusable(error), |catch| unsound(&catch)))
            }
        }
    }
}

fn temporary(source: std::io::Error) -> Failure {
    Failure::Directory { path: "a temporary directory".to_owned(), source }
}

fn own_key() -> Result<SecretKey, Failure> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    getrandom::fill(seed.as_mut_slice()).map_err(crate::signer::SignerError::Random)?;
    SecretKey::from_seed(&seed).map_err(|error| crate::signer::SignerError::Key(error).into())
}

fn read_key(path: &Path, passphrase: Option<&Path>) -> Result<SecretKey, Failure> {
    use crate::signer::SignerError;
    let file = recorder_fs::read_secret(path, SIGNER_KEY_BYTES_MAX).map_err(SignerError::File)?;
    let read = match passphrase {
        Some(passphrase) => {
            let passphrase = crate::passphrase::PassphraseSource::File(passphrase.to_owned());
            key_file::read_encrypted(&file, &passphrase.read().map_err(SignerError::Passphrase)?)
        }
        None => key_file::read_plaintext(&file),
    };
    Ok(read.map_err(|source| SignerError::KeyFile { path: path.to_owned(), source })?)
}

/// The trusted keys: those of the file, or else the one that is here.
fn trust_root(
    path: Option<&Path>,
    key: Option<&SecretKey>,
    stream: Option<&StreamId>,
) -> Result<Option<TrustRoot>, Failure> {
    if let Some(path) = path {
        let bytes = recorder_fs::read_bounded(path, TRUST_ROOT_BYTES_MAX)?;
        return Ok(Some(TrustRoot::parse(&bytes).map_err(Failure::TrustRoot)?));
    }
    let (Some(key), Some(stream)) = (key, stream) else { return Ok(None) };
    let streams = TrustedStreams::Named([stream.clone()].into());
    let internal = |error: String| Failure::Internal(error);
    let key = TrustedKey::new(key.public_key(), streams, KeyStatus::Active)
        .map_err(|error| internal(error.to_string()))?;
    TrustRoot::new(vec![key], None).map(Some).map_err(|error| internal(error.to_string()))
}
