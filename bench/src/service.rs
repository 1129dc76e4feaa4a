//! From a client's bytes to the engine, the way that a service does it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use recorder::clock::{Clock, SystemClock};
use recorder::ids::{IdSource, SystemIds};
use recorder::{Recorder, RecorderConfig, Submission};
use recorder_core::identity::{RecorderId, StreamId, TenantId};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::draft::{Draft, DraftDefaults};
use recorder_envelope::envelope::PreparedEnvelope;
use recorder_envelope::json::Canonicalizer;
use recorder_envelope::signing::SecretKey;
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};
use recorder_store::{SqliteOptions, SqliteStore};

/// What evidence of a store is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signing {
    /// Nothing.
    None,
    /// Seals and checkpoints.
    Checkpoints,
    /// Every envelope too.
    Envelopes,
}

impl Signing {
    /// Its name in paths.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "unsigned",
            Self::Checkpoints => "checkpoints",
            Self::Envelopes => "envelopes",
        }
    }
}

/// Envelopes in one commit.
pub(crate) const BATCH: usize = 128;

/// The tenant of every stream here.
pub(crate) fn tenant() -> anyhow::Result<TenantId> {
    Ok(TenantId::new("bench")?)
}

/// The one stream of every store here.
pub(crate) fn stream() -> anyhow::Result<StreamId> {
    Ok(StreamId { tenant_id: tenant()?, recorder_id: RecorderId::new("recorder-bench")? })
}

/// The key that signs; it guards nothing.
pub(crate) fn signer() -> anyhow::Result<SecretKey> {
    Ok(SecretKey::from_seed(&[0x42; 32])?)
}

/// What an auditor of these stores believes.
pub(crate) fn trust_root() -> anyhow::Result<TrustRoot> {
    let key = TrustedKey::new(signer()?.public_key(), TrustedStreams::All, KeyStatus::Active)?;
    Ok(TrustRoot::new(vec![key], None)?)
}

/// Makes a store at `path` and opens the engine over it.
pub(crate) fn create(path: &Path, signing: Signing) -> anyhow::Result<Recorder> {
    let store = SqliteStore::create(path, &SqliteOptions::default())?;
    open_over(store, signing, Arc::new(SystemClock), Arc::new(SystemIds))
}

/// Opens the engine over `store`.
pub(crate) fn open_over(
    store: SqliteStore,
    signing: Signing,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
) -> anyhow::Result<Recorder> {
    let mut config = RecorderConfig::new(stream()?.recorder_id);
    config.sign_envelopes = signing == Signing::Envelopes;
    let signer = (signing != Signing::None).then(signer).transpose()?;
    Ok(Recorder::open(Arc::new(store), config, clock, ids, signer)?)
}

/// Reads, checks, canonicalises and hashes one request; clients send ids and times, services make salts.
pub(crate) fn prepare(body: &[u8], ids: &dyn IdSource) -> anyhow::Result<PreparedEnvelope> {
    prepare_with(&mut Canonicalizer::new(), body, ids)
}

fn prepare_with(
    canonicalizer: &mut Canonicalizer,
    body: &[u8],
    ids: &dyn IdSource,
) -> anyhow::Result<PreparedEnvelope> {
    let draft = Draft::parse_with(canonicalizer, body)?;
    let envelope_id = draft.envelope_id.context("a request without an id")?;
    let salt = ids.payload_salt()?;
    let unsealed = draft.complete(&mut DraftDefaults {
        envelope_id: &mut || envelope_id,
        payload_salt: &mut || salt,
        claimed_time: &mut || UtcTimestamp::EPOCH,
    })?;
    Ok(unsealed.prepare())
}

/// Prepares one batch of requests for the engine.
pub(crate) fn prepare_batch(
    bodies: &[Vec<u8>],
    ids: &dyn IdSource,
) -> anyhow::Result<Vec<Submission>> {
    let mut canonicalizer = Canonicalizer::new();
    let mut prepare = |body: &Vec<u8>| prepare_with(&mut canonicalizer, body, ids);
    bodies.iter().map(|body| Ok(Submission::from(prepare(body)?))).collect()
}
