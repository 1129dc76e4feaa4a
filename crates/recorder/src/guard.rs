//! The last head of each stream, kept outside the database, so that a database that was put back is noticed.
//!
//! A database that was restored from an older copy, or whose tail was cut, is consistent in itself: only something
//! that is not in it can tell. The guard is that something. It holds heads, no evidence, and it is worth as much as
//! its place is out of reach of whoever writes to the database.
//!
//! **What is written first.** A head goes to the guard only after the commit that made it returned, and before any
//! receipt of that commit is given:
//!
//! 1. A stream's first commit is preceded by a guarded head of size 0. A crash right after it leaves a guard that an
//!    absent stream extends. From then on a stream without a guarded head is one whose guard was taken away.
//! 2. The commit. A crash right after it leaves a database ahead of the guard: it extends the guard, so the recorder
//!    opens and brings the guard up to it. Nobody holds a receipt of what came after the guarded head (`Strict`), or
//!    after the last checkpoint (`Checkpoints`).
//! 3. The guard. A crash right after it leaves both equal; whoever repeats the call is answered with replays.
//!
//! The other order would leave a guard ahead of the database after a crash, which is what a rollback looks like: it
//! would lock an honest operator out, or have to be forgiven and let a rollback pass.
//!
//! Deliberately absent: a way to go on below a guarded head. The log has signed what came after it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use recorder_core::hash::TreeHash;
use recorder_core::identity::{LogName, RecorderId, StreamId, TenantId};
use recorder_envelope::checkpoint::{self, SignedCheckpoint};
use recorder_envelope::json::{JsonLimits, from_strict, to_canonical};
use recorder_envelope::merkle::{self, EMPTY_ROOT};
use recorder_envelope::signing::PublicKey;
use recorder_store::fault::Fault;
use recorder_store::{Store, StreamHead};
use serde::{Deserialize, Serialize};

use crate::error::OpenError;
use crate::log;
use crate::succession::{Holder, Succession};

/// Bytes of a guarded head's file: a note of the largest size, escaped, and room to spare.
pub const GUARDED_HEAD_BYTES_MAX: u64 = 1 << 20;

/// How often the guard is advanced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GuardMode {
    /// With every checkpoint and every seal. What was recorded after the last of them can be cut off unnoticed.
    Checkpoints,
    /// Before every receipt; with a signer, every commit signs a checkpoint.
    Strict,
}

/// A guard and how it is used.
#[derive(Clone)]
pub struct Guarding {
    /// The guard.
    pub guard: Arc<dyn HeadGuard>,
    /// When it is advanced.
    pub mode: GuardMode,
    /// Whether streams that have no guarded head, and should have, are taken as they are. Each then records that.
    pub adopt_head: bool,
}

/// Keeps one head for each log, by the origin of its checkpoints.
///
/// **Compare and swap.** `advance` replaces a head only where the present one is `from`, in one step: of several who
/// try at once, at most one succeeds. **Durability.** It returns only when the new head would survive a power cut.
/// **Atomicity.** A crash leaves the old head or the new one. **Apart.** The guard does not live in the database.
pub trait HeadGuard: Send + Sync {
    /// All guarded heads, by origin.
    ///
    /// # Errors
    ///
    /// `Malformed` for any head that cannot be read: one that is doubtful is not skipped. `Storage`.
    fn heads(&self) -> Result<BTreeMap<String, GuardedHead>, GuardError>;

    /// Replaces `from` (`None`: no head of that origin is there) by `to`.
    ///
    /// # Errors
    ///
    /// `Moved` where the present head is another; then nothing is written. After `Storage` either head may be there.
    fn advance(&self, from: Option<&GuardedHead>, to: &GuardedHead) -> Result<(), GuardError>;
}

/// Why a guard did not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GuardError {
    /// Somebody else advanced it: two recorders write to one stream.
    #[error("the head guard of {origin} was moved by another writer")]
    Moved {
        /// The log.
        origin: String,
    },
    /// What is there is no guarded head.
    #[error("the head guard cannot be read: {place}: {detail}")]
    Malformed {
        /// Where.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// The medium refused or failed.
    #[error("the head guard failed: {0}")]
    Storage(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

/// Why a database is not the one that the guard has seen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HeadError {
    /// The stream is shorter than it was.
    #[error(
        "{stream}: rolled back: the guard has seen {guarded} {what}, the database holds {stored}"
    )]
    RolledBack {
        /// The stream.
        stream: String,
        /// What was counted.
        what: &'static str,
        /// As many as the guard has seen.
        guarded: u64,
        /// As many as there are.
        stored: u64,
    },
    /// The stream is another one than it was.
    #[error(
        "{stream}: forked: at {tree_size} envelopes the guard has seen root {guarded}, the database has {stored}"
    )]
    Forked {
        /// The stream.
        stream: String,
        /// The guarded size.
        tree_size: u64,
        /// The root that was there.
        guarded: TreeHash,
        /// The root that is there.
        stored: TreeHash,
    },
    /// The stream holds envelopes, and the guard knows nothing of it.
    #[error("{stream}: the head guard is missing, and {stored} envelopes are recorded")]
    Missing {
        /// The stream.
        stream: String,
        /// Envelopes in the stream.
        stored: u64,
    },
    /// The guarded head carries no signature by the signer, and should.
    #[error("{stream}: the guarded head at {tree_size} is not signed by the signer's key")]
    NotBySigner {
        /// The stream.
        stream: String,
        /// The guarded size.
        tree_size: u64,
    },
    /// The guard did not answer.
    #[error(transparent)]
    Guard(#[from] GuardError),
}

/// A head as it is guarded: size and root, and the signed note where the log has a signer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GuardedHead {
    origin: String,
    tree_size: u64,
    root_hash: TreeHash,
    sealed_segments: u64,
    note: Option<SignedCheckpoint>,
}

/// The head as a file holds it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
    #[serde(rename = "type")]
    file_type: FileType,
    origin: String,
    tree_size: u64,
    root_hash: TreeHash,
    sealed_segments: u64,
    note: Option<String>,
}

#[derive(Deserialize, Serialize)]
enum FileType {
    #[serde(rename = "recorder.guarded-head/v1")]
    V1,
}

const FILE_LIMITS: JsonLimits =
    JsonLimits { input_bytes_max: GUARDED_HEAD_BYTES_MAX as usize, depth_max: 2, nodes_max: 16 };

impl GuardedHead {
    /// The head of a log that holds nothing yet.
    pub fn birth(origin: String) -> Self {
        Self { origin, tree_size: 0, root_hash: EMPTY_ROOT, sealed_segments: 0, note: None }
    }

    /// The head under `note`.
    pub(crate) fn signed(note: SignedCheckpoint, sealed_segments: u64) -> Self {
        let body = note.checkpoint();
        Self {
            origin: body.origin().to_owned(),
            tree_size: body.tree_size(),
            root_hash: body.root(),
            sealed_segments,
            note: Some(note),
        }
    }

    /// A head that nobody signed.
    pub(crate) fn unsigned(
        origin: String,
        tree_size: u64,
        root_hash: TreeHash,
        sealed_segments: u64,
    ) -> Self {
        Self { origin, tree_size, root_hash, sealed_segments, note: None }
    }

    /// Reads a head in its one canonical spelling. No signature is verified.
    ///
    /// # Errors
    ///
    /// `Malformed` at `place`.
    pub fn parse(place: &str, bytes: &[u8]) -> Result<Self, GuardError> {
        let malformed = |detail: String| GuardError::Malformed { place: place.to_owned(), detail };
        let file: HeadFile =
            from_strict(bytes, &FILE_LIMITS).map_err(|error| malformed(error.to_string()))?;
        let note = file.note.map(|note| SignedCheckpoint::parse(note.as_bytes()));
        let head = Self {
            origin: file.origin,
            tree_size: file.tree_size,
            root_hash: file.root_hash,
            sealed_segments: file.sealed_segments,
            note: note.transpose().map_err(|error| malformed(error.to_string()))?,
        };
        if !head.agrees_with_itself() {
            return Err(malformed("its members contradict each other".to_owned()));
        }
        match head.to_json()? == bytes {
            true => Ok(head),
            false => Err(malformed("is not in canonical form".to_owned())),
        }
    }

    /// The head as canonical JSON; equal heads give equal bytes.
    ///
    /// # Errors
    ///
    /// `Malformed` for a size beyond 2^53, which no log has.
    pub fn to_json(&self) -> Result<Vec<u8>, GuardError> {
        let file = HeadFile {
            file_type: FileType::V1,
            origin: self.origin.clone(),
            tree_size: self.tree_size,
            root_hash: self.root_hash,
            sealed_segments: self.sealed_segments,
            note: self.note.as_ref().map(SignedCheckpoint::render),
        };
        to_canonical(&file).map_err(|error| GuardError::Malformed {
            place: self.origin.clone(),
            detail: error.to_string(),
        })
    }

    /// The log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Leaves in the log.
    pub fn tree_size(&self) -> u64 {
        self.tree_size
    }

    /// The root over them.
    pub fn root_hash(&self) -> TreeHash {
        self.root_hash
    }

    /// Segments that were sealed by then.
    pub fn sealed_segments(&self) -> u64 {
        self.sealed_segments
    }

    /// The checkpoint, where the log has a signer.
    pub fn note(&self) -> Option<&SignedCheckpoint> {
        self.note.as_ref()
    }

    fn agrees_with_itself(&self) -> bool {
        let says_the_same = self.note.as_ref().is_none_or(|note| {
            let body = note.checkpoint();
            (body.origin(), body.tree_size(), body.root())
                == (self.origin.as_str(), self.tree_size, self.root_hash)
        });
        says_the_same && (self.tree_size > 0 || self.root_hash == EMPTY_ROOT)
    }
}

/// A guard in memory, for tests: it outlives a store that is put back, as a file would.
#[derive(Debug, Default)]
pub struct MemoryGuard {
    heads: Mutex<BTreeMap<String, GuardedHead>>,
    fault: Mutex<Option<Fault>>,
}

impl MemoryGuard {
    /// A guard that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the next `advance` fail as a crash or a full disk would.
    #[doc(hidden)]
    pub fn testing_only_fail_next_advance(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// Replaces everything that the guard has seen, as whoever reaches its file could.
    #[doc(hidden)]
    pub fn testing_only_replace(&self, heads: BTreeMap<String, GuardedHead>) {
        *self.heads.lock().unwrap_or_else(PoisonError::into_inner) = heads;
    }
}

/// The cause of an injected failure.
#[derive(Debug, thiserror::Error)]
#[error("a fault put in by a test")]
struct Injected;

impl HeadGuard for MemoryGuard {
    fn heads(&self) -> Result<BTreeMap<String, GuardedHead>, GuardError> {
        Ok(self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn advance(&self, from: Option<&GuardedHead>, to: &GuardedHead) -> Result<(), GuardError> {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        if fault == Some(Fault::Lost) {
            return Err(GuardError::Storage(Arc::new(Injected)));
        }
        if heads.get(to.origin()) != from {
            return Err(GuardError::Moved { origin: to.origin().to_owned() });
        }
        heads.insert(to.origin().to_owned(), to.clone());
        match fault {
            None => Ok(()),
            Some(_) => Err(GuardError::Storage(Arc::new(Injected))),
        }
    }
}

/// A recorder's streams beside what the guard has seen of them.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Everything because of which nothing may be written, but for missing heads.
    pub problems: Vec<HeadError>,
    /// Streams that hold envelopes and have no guarded head.
    pub missing: Vec<HeadError>,
    /// The guarded heads of this recorder, by origin.
    pub(crate) heads: BTreeMap<String, GuardedHead>,
    /// The tenants of `missing`.
    pub(crate) missing_tenants: Vec<TenantId>,
}

/// Compares every stream of `recorder_id` with the guard. It writes nothing.
///
/// The guard is read first: beside a recorder that is at work, the database may only be ahead.
///
/// # Errors
///
/// `OpenError` where the guard or the store does not answer, or a stream's tiles are not there.
pub fn compare(
    store: &dyn Store,
    log_name: &LogName,
    recorder_id: &RecorderId,
    guard: &dyn HeadGuard,
    signer: Option<&PublicKey>,
) -> Result<Comparison, OpenError> {
    compare_by(store, log_name, recorder_id, guard, signer.map_or(&[], std::slice::from_ref))
}

/// As `compare`: each of `keys` may have signed what no rotation gives to another key.
pub(crate) fn compare_by(
    store: &dyn Store,
    log_name: &LogName,
    recorder_id: &RecorderId,
    guard: &dyn HeadGuard,
    keys: &[PublicKey],
) -> Result<Comparison, OpenError> {
    let mut heads = guard.heads().map_err(HeadError::Guard)?;
    heads.retain(|origin, _| is_origin_of(origin, log_name, recorder_id));
    if let Some((origin, other)) = heads.iter().find(|(origin, head)| **origin != head.origin) {
        let detail = format!("holds the head of {}", other.origin);
        return Err(
            HeadError::Guard(GuardError::Malformed { place: origin.clone(), detail }).into()
        );
    }
    let mut comparison = Comparison::default();
    let mut unseen = heads.clone();
    for stream in store.streams()? {
        if stream.recorder_id != *recorder_id {
            continue;
        }
        let head = store.head(&stream)?.unwrap_or(StreamHead::EMPTY);
        match unseen.remove(&checkpoint::origin(log_name.as_str(), &stream)) {
            Some(guarded) => {
                comparison.problems.extend(check(store, &stream, &head, &guarded, keys)?)
            }
            None if head.next_position == 0 => {}
            None => {
                let stored = head.next_position;
                comparison.missing.push(HeadError::Missing { stream: stream.to_string(), stored });
                comparison.missing_tenants.push(stream.tenant_id);
            }
        }
    }
    // Streams that the guard has seen grow, and that are gone with everything in them.
    let gone = unseen.values().filter(|guarded| guarded.tree_size > 0);
    comparison.problems.extend(gone.map(|guarded| HeadError::RolledBack {
        stream: guarded.origin.clone(),
        what: "envelopes",
        guarded: guarded.tree_size,
        stored: 0,
    }));
    comparison.heads = heads;
    Ok(comparison)
}

/// Whether `origin` is that of a stream of this recorder under this log name. Its parts hold no slash.
fn is_origin_of(origin: &str, log_name: &LogName, recorder_id: &RecorderId) -> bool {
    let Ok(tenant_id) = TenantId::new("x") else { return false };
    let stream = StreamId { tenant_id, recorder_id: recorder_id.clone() };
    let like = checkpoint::origin(log_name.as_str(), &stream);
    let parts = |text: &str| {
        let mut parts = text.split('/').map(str::to_owned);
        (parts.next(), parts.next().is_some(), parts.next(), parts.next())
    };
    parts(origin) == parts(&like)
}

/// The stream must hold what the guard has seen, unchanged, and may hold more.
fn check(
    store: &dyn Store,
    stream: &StreamId,
    head: &StreamHead,
    guarded: &GuardedHead,
    keys: &[PublicKey],
) -> Result<Option<HeadError>, OpenError> {
    let tree_size = guarded.tree_size;
    let rolled_back = |what, guarded, stored| HeadError::RolledBack {
        stream: stream.to_string(),
        what,
        guarded,
        stored,
    };
    if head.next_position < tree_size {
        return Ok(Some(rolled_back("envelopes", tree_size, head.next_position)));
    }
    if !is_signed_as_it_should(store, stream, guarded, keys)? {
        return Ok(Some(HeadError::NotBySigner { stream: stream.to_string(), tree_size }));
    }
    let stored = match tree_size {
        0 => EMPTY_ROOT,
        _ => merkle::root_at(&log::reader(store, stream, head.next_position), tree_size)
            .map_err(|error| OpenError::corrupt(stream.to_string(), error.to_string()))?,
    };
    if stored != guarded.root_hash {
        let (stream, guarded) = (stream.to_string(), guarded.root_hash);
        return Ok(Some(HeadError::Forked { stream, tree_size, guarded, stored }));
    }
    let fewer = lost_beside_envelopes(head, guarded);
    Ok(fewer.map(|(what, guarded, stored)| rolled_back(what, guarded, stored)))
}

/// What else only grows: seals, and the reach of the signed checkpoints. Gives what, how many were seen, and are.
fn lost_beside_envelopes(
    head: &StreamHead,
    guarded: &GuardedHead,
) -> Option<(&'static str, u64, u64)> {
    let sealed = head.segment_count - u64::from(head.open_segment.is_some());
    let covered = head.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.tree_size);
    let covered_before = guarded.note.as_ref().map_or(0, |_| guarded.tree_size);
    let counts = [
        ("sealed segments", guarded.sealed_segments, sealed),
        ("envelopes under a checkpoint", covered_before, covered),
    ];
    counts.into_iter().find(|(_, guarded, stored)| stored < guarded)
}

/// A head is unsigned only if the log had no signer yet: no checkpoint of it is smaller. A signed one is by the key
/// that was in force at its size: by one that a rotation replaced below the rotation, and not above.
fn is_signed_as_it_should(
    store: &dyn Store,
    stream: &StreamId,
    guarded: &GuardedHead,
    keys: &[PublicKey],
) -> Result<bool, OpenError> {
    let Some(note) = &guarded.note else {
        let oldest = store.checkpoint(stream, 1)?;
        return Ok(guarded.tree_size == 0
            || oldest.is_none_or(|oldest| oldest.tree_size >= guarded.tree_size));
    };
    let signed = |key: &PublicKey| note.verify_log_signature(key).is_ok();
    let holder = Succession::read(store, stream)?.holder(guarded.tree_size.saturating_sub(1));
    Ok(match holder {
        None => keys.is_empty() || keys.iter().any(signed),
        Some(Holder { key: Some(key), .. }) => signed(&key),
        // A lost key that nothing shows. The head must still have the root of the log, which the key in force signed.
        Some(Holder { key: None, key_id }) => {
            keys.iter().find(|key| key.key_id() == key_id).is_none_or(signed)
        }
    })
}

#[cfg(test)]
mod tests {
    use recorder_envelope::checkpoint::Checkpoint;
    use recorder_envelope::signing::SecretKey;

    use super::*;

    const ORIGIN: &str = "recorder.local/a/b";

    fn signed() -> GuardedHead {
        let root = TreeHash::from_bytes([9; 32]);
        let key = SecretKey::from_seed(&[7; 32]).unwrap();
        GuardedHead::signed(Checkpoint::new(ORIGIN, 7, root).unwrap().sign(&key).unwrap(), 2)
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for head in [GuardedHead::birth(ORIGIN.to_owned()), signed()] {
            let bytes = head.to_json().unwrap();
            assert_eq!(GuardedHead::parse("x", &bytes).unwrap(), head);
        }
    }

    #[test]
    fn a_head_in_another_spelling_or_against_itself_is_refused() {
        let good = String::from_utf8(signed().to_json().unwrap()).unwrap();
        for (from, to) in [
            ("\"tree_size\":7", "\"tree_size\":8"),
            ("\"tree_size\":7", "\"tree_size\":7.0"),
            ("\"tree_size\":7", "\"tree_size\":7,\"x\":1"),
            ("\"tree_size\":7", "\"tree_size\":7,\"tree_size\":7"),
            ("\"origin\":\"recorder.local/a/b\"", "\"origin\":\"recorder.local/a/c\""),
            ("0909\"", "0908\""),
            ("guarded-head/v1", "guarded-head/v2"),
            ("{", "{ "),
            ("}", "}\n"),
        ] {
            let wrong = good.replacen(from, to, 1);
            assert_ne!(wrong, good, "{from}");
            let refused = GuardedHead::parse("x", wrong.as_bytes());
            assert!(matches!(refused, Err(GuardError::Malformed { .. })), "{wrong}");
        }
        let birth = GuardedHead::birth(ORIGIN.to_owned()).to_json().unwrap();
        let with_root = String::from_utf8(birth).unwrap().replace("e3b0", "e3b1");
        assert!(GuardedHead::parse("x", with_root.as_bytes()).is_err());
    }

    #[test]
    fn of_two_who_advance_from_one_head_the_second_is_refused() {
        let guard = MemoryGuard::new();
        let birth = GuardedHead::birth(ORIGIN.to_owned());
        guard.advance(None, &birth).unwrap();
        guard.advance(Some(&birth), &signed()).unwrap();
        for from in [None, Some(&birth)] {
            let refused = guard.advance(from, &signed()).unwrap_err();
            assert!(matches!(refused, GuardError::Moved { .. }), "{refused}");
        }
        assert_eq!(guard.heads().unwrap().into_values().collect::<Vec<_>>(), [signed()]);
    }

    #[test]
    fn only_streams_of_this_recorder_and_log_are_its_own() {
        let (log, recorder) = (LogName::new("l").unwrap(), RecorderId::new("r/1").unwrap());
        let is_own = |origin| is_origin_of(origin, &log, &recorder);
        assert!(is_own("l/any/r%2F1") && is_own("l/a%2Fb/r%2F1"));
        for other in ["l/any/r", "m/any/r%2F1", "l/r%2F1", "l/a/b/r%2F1", "l/a/r%2F1/x", ""] {
            assert!(!is_own(other), "{other}");
        }
    }
}
