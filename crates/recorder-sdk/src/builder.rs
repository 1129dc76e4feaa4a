//! How a recorder is set up. Nothing is opened before everything that was said is valid.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;

use ::recorder::clock::{Clock, SystemClock};
use ::recorder::guard_files::FileGuard;
use ::recorder::ids::{IdSource, SystemIds};
use ::recorder::{AutoSeal, GuardMode, Guarding, RecorderConfig};
use recorder_envelope::signing::{PublicKey, SecretKey};
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};
use recorder_store::{MemoryStore, SqliteOptions, SqliteStore, Store};

use crate::error::{OpenError, TrustError};
use crate::recorder::Recorder;

/// Where evidence is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StoreKind {
    /// An existing database file. A missing one is refused: a lost database is never replaced by an empty one.
    Sqlite(PathBuf),
    /// A new database file. An existing one is refused.
    CreateSqlite(PathBuf),
    /// Memory, for tests and demonstrations: it is gone with the process.
    Memory,
}

/// Collects settings and opens a [`Recorder`].
///
/// ```
/// use recorder_sdk::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let recorder = RecorderBuilder::new("recorder:tests")
///     .store(StoreKind::Memory)
///     .tenant("acme")
///     .auto_seal(AutoSeal::combined(10_000, 3600)?)
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct RecorderBuilder {
    recorder_id: String,
    tenant: String,
    log_name: Option<String>,
    store: Option<StoreKind>,
    signer: Option<SecretKey>,
    trust_root: Option<TrustRoot>,
    auto_seal: AutoSeal,
    sign_envelopes: bool,
    startup_verification_depth: Option<u64>,
    checkpoint_interval_ms: Option<NonZeroU64>,
    head_guard: Option<(PathBuf, GuardMode)>,
    adopt_head: bool,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl RecorderBuilder {
    /// Begins with the recorder's id: tenant `default`, no store, no signer, the system's clock and randomness.
    pub fn new(recorder_id: impl Into<String>) -> Self {
        Self {
            recorder_id: recorder_id.into(),
            tenant: "default".to_owned(),
            log_name: None,
            store: None,
            signer: None,
            trust_root: None,
            auto_seal: AutoSeal::NONE,
            sign_envelopes: false,
            startup_verification_depth: None,
            checkpoint_interval_ms: None,
            head_guard: None,
            adopt_head: false,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
        }
    }

    /// Where evidence is kept; there is no default.
    #[must_use]
    pub fn store(mut self, store: StoreKind) -> Self {
        self.store = Some(store);
        self
    }

    /// Whose evidence it is: the other half of the stream's name.
    #[must_use]
    pub fn tenant(mut self, tenant_id: impl Into<String>) -> Self {
        self.tenant = tenant_id.into();
        self
    }

    /// The first part of the checkpoints' origins. It never changes in a log's life.
    #[must_use]
    pub fn log_name(mut self, log_name: impl Into<String>) -> Self {
        self.log_name = Some(log_name.into());
        self
    }

    /// Signs seals, checkpoints and bundles. From then on the stream promises signatures.
    #[must_use]
    pub fn signer(mut self, signer: SecretKey) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Whom `verify_bundle` believes.
    #[must_use]
    pub fn trust_root(mut self, trust_root: TrustRoot) -> Self {
        self.trust_root = Some(trust_root);
        self
    }

    /// When segments are sealed without being asked to.
    #[must_use]
    pub fn auto_seal(mut self, auto_seal: AutoSeal) -> Self {
        self.auto_seal = auto_seal;
        self
    }

    /// Signs every envelope too.
    #[must_use]
    pub fn sign_envelopes(mut self) -> Self {
        self.sign_envelopes = true;
        self
    }

    /// Envelopes at the end of the stream that are re-derived at start; by default 100.
    #[must_use]
    pub fn startup_verification_depth(mut self, envelope_count: u64) -> Self {
        self.startup_verification_depth = Some(envelope_count);
        self
    }

    /// Signs a checkpoint with the first commit after an envelope has stood outside every one for this long. Without it,
    /// and at 0, there is one with every seal and whenever `checkpoint` is called.
    #[must_use]
    pub fn checkpoint_interval_ms(mut self, milliseconds: u64) -> Self {
        self.checkpoint_interval_ms = NonZeroU64::new(milliseconds);
        self
    }

    /// Keeps the last head of each stream in files in `directory`, apart from the database, and opens no database
    /// that does not extend them: one that was put back, cut or exchanged is refused by name.
    ///
    /// The guard is worth its distance from the database: another disk, another owner. Without one, nothing but a
    /// newer checkpoint in other hands tells an older copy of the database from the newest.
    #[must_use]
    pub fn head_guard(mut self, directory: impl Into<PathBuf>, mode: GuardMode) -> Self {
        self.head_guard = Some((directory.into(), mode));
        self
    }

    /// Takes the streams as they are where the guard knows nothing of them, once, and records in each that it did.
    #[must_use]
    pub fn adopt_head(mut self) -> Self {
        self.adopt_head = true;
        self
    }

    /// Takes the time from `clock`: for tests and reproducible output.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes ids and salts from `ids`: for tests and reproducible output.
    #[must_use]
    pub fn ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// Checks everything, opens the store and checks the end of what it holds.
    ///
    /// # Errors
    ///
    /// `OpenError`; a new database is made only when nothing else was refused.
    pub fn build(self) -> Result<Recorder, OpenError> {
        let mut config = RecorderConfig::new(self.recorder_id.parse()?);
        let tenant_id = self.tenant.parse()?;
        if let Some(log_name) = self.log_name {
            config.log_name = log_name.parse()?;
        }
        if self.sign_envelopes && self.signer.is_none() {
            return Err(OpenError::SignerMissing);
        }
        config.auto_seal = self.auto_seal;
        config.sign_envelopes = self.sign_envelopes;
        config.checkpoint_interval_ms = self.checkpoint_interval_ms;
        if let Some(depth) = self.startup_verification_depth {
            config.startup_verification_depth = depth;
        }
        let store = open_store(&self.store.ok_or(OpenError::StoreMissing)?)?;
        let (clock, ids, signer) = (self.clock, self.ids, self.signer);
        let engine = match self.head_guard {
            None => ::recorder::Recorder::open(store, config, clock, ids, signer)?,
            Some((directory, mode)) => {
                let guard = Arc::new(FileGuard::new(directory));
                let guarding = Guarding { guard, mode, adopt_head: self.adopt_head };
                ::recorder::Recorder::open_guarded(store, config, clock, ids, signer, guarding)?
            }
        };
        Ok(Recorder::new(engine, tenant_id, self.trust_root))
    }
}

fn open_store(kind: &StoreKind) -> Result<Arc<dyn Store>, OpenError> {
    let options = SqliteOptions::default();
    Ok(match kind {
        StoreKind::Sqlite(path) => Arc::new(SqliteStore::open(path, &options)?),
        StoreKind::CreateSqlite(path) => Arc::new(SqliteStore::create(path, &options)?),
        StoreKind::Memory => Arc::new(MemoryStore::new()),
    })
}

/// A trust root that believes one key, for every stream and position.
///
/// # Errors
///
/// `TrustRootError` when the key cannot stand in one.
pub fn trust_only(key: PublicKey) -> Result<TrustRoot, TrustError> {
    let streams = TrustedStreams::All;
    let trusted = TrustedKey::new(key, streams, KeyStatus::Active)
        .map_err(|source| TrustError::Key { index: 0, source })?;
    TrustRoot::new(vec![trusted], None)
}
