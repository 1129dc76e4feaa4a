//! A world with a clock that stands still, ids that repeat, one key, and either store; its end is the oracle.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use recorder::clock::{Clock as _, FixedClock};
use recorder::ids::{IdSource as _, SeededIds};
use recorder::{
    AppendError, AutoSeal, Guarding, OldKey, OpenError, Receipt, Recorder, RecorderConfig,
    RotateError, RotationReport, RotationRequest, Submission,
};
use recorder_core::identity::{EnvelopeId, StreamId, TenantId};
use recorder_core::time::RecordedAt;
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PayloadSalt, SaltedPayload, SealedEnvelope, UnsealedEnvelope,
};
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::signing::SecretKey;
use recorder_store::fault::Fault;
use recorder_store::{MemoryStore, SqliteOptions, SqliteStore, Store};

use crate::oracle;

/// 2026-11-22T00:00:00Z in nanoseconds.
pub(crate) const BEGINNING: i64 = 1_795_305_600_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

/// Which store is below.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backing {
    Memory,
    Sqlite,
}

/// Makes a test of each function, once for each store.
macro_rules! over_both_stores {
    ($($name:ident,)*) => {
        mod memory {
            $(#[test] fn $name() { super::$name(crate::harness::Backing::Memory); })*
        }
        mod sqlite {
            $(#[test] fn $name() { super::$name(crate::harness::Backing::Sqlite); })*
        }
    };
}
pub(crate) use over_both_stores;

enum Medium {
    Memory(Arc<MemoryStore>),
    Sqlite(Arc<SqliteStore>),
    Closed,
}

/// How a recorder is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) config: RecorderConfig,
    pub(crate) signed: bool,
}

impl Setup {
    pub(crate) fn signed() -> Self {
        Self { config: RecorderConfig::new("recorder:test".parse().unwrap()), signed: true }
    }

    pub(crate) fn unsigned() -> Self {
        Self { signed: false, ..Self::signed() }
    }

    pub(crate) fn auto_seal(mut self, auto_seal: AutoSeal) -> Self {
        self.config.auto_seal = auto_seal;
        self
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) ids: Arc<SeededIds>,
    pub(crate) setup: Setup,
    /// What guards the heads from the next opening on.
    pub(crate) guarding: Option<Guarding>,
    /// The seeds of the keys that signed so far; the last one's signs.
    pub(crate) seeds: Vec<u8>,
    medium: Medium,
    recorder: Option<Recorder>,
    directory: tempfile::TempDir,
    /// Whether the end of the world is the oracle's.
    checked: bool,
    /// Every receipt that was given, in the order of the giving.
    receipts: Mutex<Vec<(TenantId, Receipt)>>,
}

/// The seed of the key that every world begins with.
const FIRST_SEED: u8 = 7;

pub(crate) fn key() -> SecretKey {
    key_of(FIRST_SEED)
}

pub(crate) fn key_of(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32]).unwrap()
}

pub(crate) fn moment(nanoseconds: i64) -> RecordedAt {
    RecordedAt::from_nanoseconds(nanoseconds).unwrap()
}

pub(crate) fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

impl World {
    pub(crate) fn new(backing: Backing, setup: Setup) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let medium = match backing {
            Backing::Memory => Medium::Memory(Arc::new(MemoryStore::new())),
            Backing::Sqlite => {
                let path = directory.path().join("recorder.db");
                Medium::Sqlite(Arc::new(SqliteStore::create(&path, &options()).unwrap()))
            }
        };
        let mut world = Self {
            clock: Arc::new(FixedClock::new(moment(BEGINNING), 1)),
            ids: Arc::new(SeededIds::new(1)),
            setup,
            guarding: None,
            seeds: vec![FIRST_SEED],
            medium,
            recorder: None,
            directory,
            checked: true,
            receipts: Mutex::default(),
        };
        world.recorder = Some(world.open(world.store()).unwrap());
        world
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match &self.medium {
            Medium::Memory(store) => Arc::clone(store) as Arc<dyn Store>,
            Medium::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Medium::Closed => unreachable!("the store is closed only while it is reopened"),
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("recorder.db")
    }

    /// Opens another recorder with this world's settings over `store`.
    pub(crate) fn open(&self, store: Arc<dyn Store>) -> Result<Recorder, OpenError> {
        let signer = self.signer();
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        let config = self.setup.config.clone();
        match self.guarding.clone() {
            None => Recorder::open(store, config, clock, ids, signer),
            Some(guarding) => Recorder::open_guarded(store, config, clock, ids, signer, guarding),
        }
    }

    pub(crate) fn signer(&self) -> Option<SecretKey> {
        let seed = self.seeds.last().copied().unwrap();
        self.setup.signed.then(|| key_of(seed))
    }

    /// Rotates every stream to the key of `seed`. After a failure nothing is open.
    pub(crate) fn rotate(&mut self, old: OldKey, seed: u8) -> Result<RotationReport, RotateError> {
        let store = self.store();
        self.rotate_over(store, old, seed)
    }

    /// As `rotate`, over a store that may fail.
    pub(crate) fn rotate_over(
        &mut self,
        store: Arc<dyn Store>,
        old: OldKey,
        seed: u8,
    ) -> Result<RotationReport, RotateError> {
        self.recorder = None;
        let request = RotationRequest { old, new: key_of(seed), reason: "a test".to_owned() };
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        let (config, guarding) = (self.setup.config.clone(), self.guarding.clone());
        let rotated = recorder::rotate(store, config, clock, ids, guarding, request);
        let (recorder, report) = rotated?;
        self.recorder = Some(recorder);
        if self.seeds.last() != Some(&seed) {
            self.seeds.push(seed);
        }
        Ok(report)
    }

    /// Rotates with the key that signs now.
    pub(crate) fn rotate_to(&mut self, seed: u8) -> Result<RotationReport, RotateError> {
        let old = OldKey::Held(key_of(self.seeds.last().copied().unwrap()));
        self.rotate(old, seed)
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        self.recorder.as_ref().unwrap()
    }

    pub(crate) fn stream(&self, tenant_name: &str) -> StreamId {
        self.recorder().stream_of(&tenant(tenant_name))
    }

    pub(crate) fn fail_next_commit(&self, fault: Fault) {
        match &self.medium {
            Medium::Memory(store) => store.testing_only_fail_next_commit(fault),
            Medium::Sqlite(store) => store.testing_only_fail_next_commit(fault),
            Medium::Closed => unreachable!(),
        }
    }

    /// Closes recorder and store and opens both again with the present settings.
    pub(crate) fn reopen(&mut self) {
        self.try_reopen().unwrap();
    }

    pub(crate) fn try_reopen(&mut self) -> Result<(), OpenError> {
        self.try_reopen_after(|_| ())
    }

    /// As `try_reopen`; `meddle` is given the directory of the database while it is closed.
    pub(crate) fn try_reopen_after(&mut self, meddle: impl FnOnce(&Path)) -> Result<(), OpenError> {
        self.reopen_store(meddle);
        self.recorder = Some(self.open(self.store())?);
        Ok(())
    }

    /// Closes recorder and store, and opens the store alone.
    pub(crate) fn reopen_store(&mut self, meddle: impl FnOnce(&Path)) {
        self.recorder = None;
        self.medium = match std::mem::replace(&mut self.medium, Medium::Closed) {
            Medium::Memory(store) => {
                Medium::Memory(Arc::new(Arc::into_inner(store).unwrap().reopen()))
            }
            Medium::Sqlite(store) => {
                drop(Arc::into_inner(store).unwrap());
                meddle(self.directory.path());
                let store = SqliteStore::open(&self.database(), &options()).unwrap();
                Medium::Sqlite(Arc::new(store))
            }
            Medium::Closed => unreachable!(),
        };
    }

    /// Records for a tenant and keeps the receipts for the oracle.
    pub(crate) fn append(
        &self,
        tenant_name: &str,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Receipt>, AppendError> {
        let tenant = tenant(tenant_name);
        let receipts = self.recorder().append_batch(&tenant, submissions)?;
        let given = receipts.iter().map(|receipt| (tenant.clone(), receipt.clone()));
        self.receipts.lock().unwrap().extend(given);
        Ok(receipts)
    }

    /// Records `count` new envelopes for tenant `a` in one batch.
    pub(crate) fn append_new(&self, count: usize) -> Vec<Receipt> {
        self.append("a", self.drafts(count)).unwrap()
    }

    pub(crate) fn drafts(&self, count: usize) -> Vec<Submission> {
        (0..count).map(|_| self.draft().into()).collect()
    }

    /// A new envelope, like no other.
    pub(crate) fn draft(&self) -> Draft {
        let id = self.ids.envelope_id(self.clock.now()).unwrap();
        Draft::new(id)
    }

    /// Closes the recorder, so that another may write.
    pub(crate) fn end_writer(&mut self) {
        self.recorder = None;
    }

    /// Ends the world without the oracle, for what is too large for it.
    pub(crate) fn end_unchecked(mut self) {
        self.checked = false;
    }

    pub(crate) fn receipts(&self) -> Vec<(TenantId, Receipt)> {
        self.receipts.lock().unwrap().clone()
    }

    pub(crate) fn envelopes(&self, tenant_name: &str) -> Vec<SealedEnvelope> {
        oracle::envelopes(&*self.store(), &self.stream(tenant_name))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.checked && !std::thread::panicking() {
            self.recorder = None;
            let seeds = if self.setup.signed { self.seeds.as_slice() } else { &[] };
            oracle::check(&*self.store(), &self.receipts(), seeds);
        }
    }
}

fn options() -> SqliteOptions {
    // No test here cuts the power, and waiting for the disk would be most of their time.
    SqliteOptions { synchronous: recorder_store::Synchronous::Normal, ..SqliteOptions::default() }
}

/// Runs a property over the same `cases` each time.
pub(crate) fn property(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// What a test says of an event.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) fields: EnvelopeFields,
    pub(crate) payload: String,
    pub(crate) salt: [u8; 16],
    pub(crate) attachments: Vec<Attachment>,
}

impl Draft {
    pub(crate) fn new(envelope_id: EnvelopeId) -> Self {
        let number = envelope_id.as_bytes()[15];
        let name = |prefix: &str, modulus: u8| format!("{prefix}{}", number % modulus);
        let event_types = ["tool.call", "tool.result", "agent.message"];
        let fields = EnvelopeFields {
            envelope_id,
            event_type: event_types[usize::from(number % 3)].parse().unwrap(),
            actor_id: name("actor:", 4).parse().unwrap(),
            environment_id: name("env:", 2).parse().unwrap(),
            claimed_time: moment(BEGINNING - i64::from(number) * SECOND).into(),
            trace_id: (!number.is_multiple_of(5)).then(|| name("trace:", 5).parse().unwrap()),
            session_id: (!number.is_multiple_of(7)).then(|| name("session:", 7).parse().unwrap()),
            parent_ids: ParentIds::default(),
            attachment_refs: AttachmentRefs::default(),
        };
        let payload = format!(r#"{{"note":"number {number}","z":[1,2.5,null]}}"#);
        Self { fields, payload, salt: [number; 16], attachments: Vec::new() }
    }

    pub(crate) fn parents(mut self, ids: &[EnvelopeId]) -> Self {
        self.fields.parent_ids = ParentIds::sorted(ids.to_vec()).unwrap();
        self
    }

    pub(crate) fn payload(mut self, payload: &str) -> Self {
        self.payload = payload.to_owned();
        self
    }

    /// Refers to `text` as an attachment and brings it along.
    pub(crate) fn attach(mut self, text: &str) -> Self {
        let attachment = attachment(text);
        let mut refs = self.fields.attachment_refs.as_slice().to_vec();
        refs.push(attachment.reference().clone());
        self.fields.attachment_refs = AttachmentRefs::sorted(refs).unwrap();
        self.attachments.push(attachment);
        self
    }

    /// Leaves the bytes at home.
    pub(crate) fn without_bytes(mut self) -> Self {
        self.attachments.clear();
        self
    }
}

pub(crate) fn attachment(text: &str) -> Attachment {
    Attachment::new("text/plain".parse().unwrap(), text.as_bytes().to_vec()).unwrap()
}

impl From<Draft> for Submission {
    fn from(draft: Draft) -> Self {
        let payload = CanonicalPayload::parse(draft.payload.as_bytes()).unwrap();
        let payload = SaltedPayload { payload, salt: PayloadSalt::from_bytes(draft.salt) };
        let prepared = UnsealedEnvelope { fields: draft.fields, payload }.prepare();
        Self { prepared, attachments: draft.attachments }
    }
}
