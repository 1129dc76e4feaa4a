//! The whole story on real input: keys, record, seal, checkpoint, bundle, verify, and then every lie is caught.
//!
//! Nothing here is staged: the trace was made by a real OpenTelemetry exporter, the store is the real store, and
//! what is said about an attack is what the verifier found in the bundle that the attack made.

mod attacks;
mod story;
mod trace;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use recorder::bundle::{AnchorAt, BuildRequest, Built, Compression, write_archive};
use recorder::clock::{Clock as _, SystemClock};
use recorder::ids::{IdSource as _, SystemIds};
use recorder::{AutoSeal, Receipt, Recorder, RecorderConfig, SealReceipt, Submission, fsck};
use recorder_core::identity::{RecorderId, StreamId, TenantId};
use recorder_envelope::adapter::{KEY_BYTES, RedactionKey, SaltKey};
use recorder_envelope::key_file;
use recorder_envelope::segment::SealReason;
use recorder_envelope::selector::Selector;
use recorder_envelope::signing::{PublicKey, SEED_BYTES, SecretKey};
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey, TrustedStreams};
use recorder_fs::{Access, AtomicFile, Overwrite};
use recorder_store::{SqliteOptions, SqliteStore, Store, StoredCheckpoint};
use recorder_verify::{Report, VerifyOptions};
use zeroize::Zeroizing;

use crate::attack::forgery::{self, Forgery};
use attacks::ATTACKS;
pub(crate) use story::{AttackOutcome, Moment, Story};

/// Envelopes a segment: small, so that the short trace shows how segments follow one another.
const SEGMENT_ENVELOPES: u64 = 20;

/// What the demonstration makes is far smaller.
const FILE_BYTES_MAX: u64 = 64 << 20;

pub(crate) const STORE_NAME: &str = "recorder.db";
pub(crate) const BUNDLE_NAME: &str = "refund-desk.recorder.zip";
pub(crate) const TRUST_ROOT_NAME: &str = "trust-root.json";
pub(crate) const KEY_NAME: &str = "signer-key.pem";
pub(crate) const PASSPHRASE_NAME: &str = "signer-passphrase";

/// The attack on the database: its name, and what is done.
const DATABASE_EDIT: (&str, &str) = ("database_edit", "change one byte in the database file");

/// Why the demonstration ended early. None of it is an answer about evidence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A file was not read or written.
    #[error(transparent)]
    File(#[from] recorder_fs::FileError),
    /// A step that always works did not.
    #[error("{step}: {detail}")]
    Step {
        /// Which.
        step: &'static str,
        /// Why.
        detail: String,
    },
}

/// Names the step that an error belongs to.
fn step<E: std::fmt::Display>(step: &'static str) -> impl Fn(E) -> DemoError {
    move |error| DemoError::Step { step, detail: error.to_string() }
}

/// Runs the demonstration in `directory`, which must be empty.
pub(crate) fn run(directory: &Path) -> Result<Story, DemoError> {
    let stream = StreamId {
        tenant_id: TenantId::new("northmere").map_err(step("names"))?,
        recorder_id: RecorderId::new("demo").map_err(step("names"))?,
    };
    let key = make_key(directory)?;
    let trust_root = write_trust_root(directory, &stream, &key.public_key())?;
    let recorded = record(directory, &stream, key)?;
    let (built, bundle) = build(directory, &stream, &recorded)?;
    let report = verify(&bundle, &trust_root)?;
    let mut attacks = attack_bundle(&bundle, &trust_root)?;
    let public_key = recorded.recorder.signer().map(SecretKey::public_key);
    let Recorded { recorder, moments, receipts, seals, checkpoint, .. } = recorded;
    // The store is closed before its file is attacked, so that nothing of it waits in the write-ahead log.
    drop(recorder);
    attacks.push(attack_store(directory, public_key)?);
    Ok(Story::new(story::Parts {
        directory: directory.to_owned(),
        stream,
        public_key,
        moments,
        receipts,
        seals,
        checkpoint,
        built,
        report,
        attacks,
    }))
}

/// Makes a key and writes it encrypted, its passphrase beside it: a demonstration has nobody to ask.
fn make_key(directory: &Path) -> Result<SecretKey, DemoError> {
    let (mut seed, mut random) = (Zeroizing::new([0; SEED_BYTES]), Zeroizing::new([0; 48]));
    SystemIds.fill(&mut *seed).map_err(step("keys"))?;
    SystemIds.fill(&mut *random).map_err(step("keys"))?;
    let key = SecretKey::from_seed(&seed).map_err(step("keys"))?;
    let mut passphrase = Zeroizing::new([0; 32]);
    recorder_core::hash::encode_hex_into(&random[..16], &mut *passphrase);
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    salt.copy_from_slice(&random[16..32]);
    iv.copy_from_slice(&random[32..]);
    let pem = key_file::write_encrypted(&key, &*passphrase, &salt, &iv).map_err(step("keys"))?;
    recorder_fs::write_secret_new(&directory.join(KEY_NAME), pem.as_bytes())?;
    recorder_fs::write_secret_new(&directory.join(PASSPHRASE_NAME), &*passphrase)?;
    // Read it back the way every later start does.
    key_file::read_encrypted(pem.as_bytes(), &*passphrase).map_err(step("keys"))
}

fn write_trust_root(
    directory: &Path,
    stream: &StreamId,
    public_key: &PublicKey,
) -> Result<TrustRoot, DemoError> {
    let streams = TrustedStreams::Named(BTreeSet::from([stream.clone()]));
    let key =
        TrustedKey::new(*public_key, streams, KeyStatus::Active).map_err(step("trust root"))?;
    let trust_root = TrustRoot::new(vec![key], None).map_err(step("trust root"))?;
    let bytes = trust_root.to_json().map_err(step("trust root"))?;
    recorder_fs::write_new(&directory.join(TRUST_ROOT_NAME), &bytes)?;
    Ok(trust_root)
}

/// What recording leaves.
struct Recorded {
    recorder: Recorder,
    moments: Vec<Moment>,
    receipts: Vec<Receipt>,
    seals: Vec<SealReceipt>,
    checkpoint: StoredCheckpoint,
}

/// Records the trace, a batch for each body that the exporter sent, and seals what is still open at its end.
fn record(directory: &Path, stream: &StreamId, key: SecretKey) -> Result<Recorded, DemoError> {
    let store = SqliteStore::create(&directory.join(STORE_NAME), &SqliteOptions::default())
        .map_err(step("store"))?;
    let config = RecorderConfig {
        auto_seal: AutoSeal::after_count(SEGMENT_ENVELOPES).map_err(step("settings"))?,
        ..RecorderConfig::new(stream.recorder_id.clone())
    };
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let recorder =
        Recorder::open(Arc::new(store), config, clock, ids, Some(key)).map_err(step("recorder"))?;
    let (mut moments, mut receipts) = (Vec::new(), Vec::new());
    let (salt_key, redaction_key) = (SaltKey::new(fresh_key()?), RedactionKey::new(fresh_key()?));
    for events in trace::batches(stream, salt_key, redaction_key).map_err(step("trace"))? {
        moments.extend(events.iter().map(Moment::of));
        let submissions = events.into_iter().map(|event| Submission {
            prepared: event.envelope.prepare(),
            attachments: event.attachments,
        });
        let batch = recorder.append_batch(&stream.tenant_id, submissions.collect());
        receipts.extend(batch.map_err(step("record"))?);
    }
    recorder.seal_segment(&stream.tenant_id, SealReason::Manual).map_err(step("seal"))?;
    let checkpoint = recorder.checkpoint(&stream.tenant_id).map_err(step("checkpoint"))?;
    let seals = story::seals(&**recorder.store(), stream).map_err(step("seal"))?;
    Ok(Recorded { recorder, moments, receipts, seals, checkpoint })
}

/// A key of the adapter. It is not kept: the demonstration shows that conversations are left out, not what they were.
fn fresh_key() -> Result<Zeroizing<[u8; KEY_BYTES]>, DemoError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    SystemIds.fill(&mut *key).map_err(step("keys"))?;
    Ok(key)
}

/// Builds the archive of the whole stream; returns it and its bytes.
fn build(
    directory: &Path,
    stream: &StreamId,
    recorded: &Recorded,
) -> Result<(Built, Vec<u8>), DemoError> {
    let request = BuildRequest {
        stream: stream.clone(),
        selector: Selector::everything(),
        created_at: SystemClock.now().into(),
        anchor: AnchorAt::Newest,
        compression: Compression::Stored,
        signer: recorded.recorder.signer(),
    };
    let mut spool = recorder_fs::temp_spool(Some(directory))?;
    let path = directory.join(BUNDLE_NAME);
    let mut file = AtomicFile::create(&path, Access::Shared)?;
    let store = &**recorded.recorder.store();
    let built = write_archive(store, &request, &mut spool, &mut file, &mut |_| {})
        .map_err(step("bundle"))?;
    file.commit(Overwrite::Refuse)?;
    Ok((built, recorder_fs::read_bounded(&path, FILE_BYTES_MAX)?))
}

/// Verifies a bundle with nothing but the trust root.
fn verify(bundle: &[u8], trust_root: &TrustRoot) -> Result<Report, DemoError> {
    let options =
        VerifyOptions { trust_root: Some(trust_root.clone()), ..VerifyOptions::default() };
    recorder_verify::verify(&bundle, &options, &mut |_| {}).map_err(step("verify"))
}

/// Performs every attack on a copy of the bundle and verifies what comes out.
fn attack_bundle(bundle: &[u8], trust_root: &TrustRoot) -> Result<Vec<AttackOutcome>, DemoError> {
    let honest = forgery::members(bundle).and_then(Forgery::open).map_err(step("attack"))?;
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    SystemIds.fill(&mut *seed).map_err(step("attack"))?;
    let key = SecretKey::from_seed(&seed).map_err(step("attack"))?;
    let perform = |attack: &attacks::Attack| {
        let mut forged = honest.clone();
        (attack.perform)(&mut forged, &key).map_err(step("attack"))?;
        let report = verify(&forged.archive().map_err(step("attack"))?, trust_root)?;
        Ok(AttackOutcome::of_report(attack.name, attack.story, &report))
    };
    ATTACKS.iter().map(perform).collect()
}

/// Changes one byte of a payload in a copy of the database file, past SQLite, and reads the copy.
fn attack_store(
    directory: &Path,
    public_key: Option<PublicKey>,
) -> Result<AttackOutcome, DemoError> {
    let original = directory.join(STORE_NAME);
    let mut bytes = recorder_fs::read_bounded(&original, FILE_BYTES_MAX)?;
    let place = find(&bytes, b"escalate");
    let place = place.ok_or_else(|| step("attack")("the payload is not in the database file"))?;
    bytes[place] ^= 0x01;
    let scratch = tempfile::tempdir().map_err(step("attack"))?;
    let copy = scratch.path().join(STORE_NAME);
    recorder_fs::write_new(&copy, &bytes)?;
    fsck_copy(&copy, public_key)
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

fn fsck_copy(copy: &Path, public_key: Option<PublicKey>) -> Result<AttackOutcome, DemoError> {
    let store =
        SqliteStore::open_read_only(copy, &SqliteOptions::default()).map_err(step("attack"))?;
    let keys = public_key.into_iter().collect::<Vec<_>>();
    let report = fsck::fsck(&store as &dyn Store, &keys, &mut |_| {}).map_err(step("attack"))?;
    let (name, story) = DATABASE_EDIT;
    Ok(AttackOutcome::of_fsck(name, story, &report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_has_the_story_of_every_attack_and_no_other() {
        let told = ATTACKS.iter().map(|attack| (attack.name, attack.story)).chain([DATABASE_EDIT]);
        let listed = crate::i18n::texts::ATTACK.english();
        let listed = listed.filter_map(|(name, story)| Some((name.strip_prefix("demo ")?, story)));
        assert_eq!(told.collect::<BTreeSet<_>>(), listed.collect::<BTreeSet<_>>());
    }
}
