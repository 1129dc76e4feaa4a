//! Key rotation: every stream of the recorder goes from one key to another, each in one commit.
//!
//! A crash falls before or after the commit of a stream, never into it. Between two streams it leaves a recorder that
//! nobody opens: a start names the rotation that is unfinished, and rotating again to the same key finishes it. The log
//! is the marker: streams that are under the new key are found there and left alone, so nothing is rotated twice.

use std::sync::{Arc, Mutex};

use recorder_core::hash::KeyId;
use recorder_core::identity::StreamId;
use recorder_core::time::RecordedAt;
use recorder_envelope::envelope::PreparedEnvelope;
use recorder_envelope::rotation::{self, RotationError, RotationKind, RotationTerms};
use recorder_envelope::segment::SigningPromise;
use recorder_envelope::signing::{PublicKey, SecretKey};
use recorder_store::{Commit, Store};
use serde::Serialize;

use super::{Failed, Recorder, refusal};
use crate::clock::Clock;
use crate::config::RecorderConfig;
use crate::error::{AppendError, OpenError, RotateError};
use crate::guard::{self, Guarding};
use crate::ids::{IdSource, NoRandomness};
use crate::startup::{self, Loaded, SignedBy};
use crate::stream::rotation::Turning;
use crate::stream::{Plan, Planner, StreamState};
use crate::succession::{Announcement, ROTATION_ANNOUNCED, ROTATION_TRACE};

/// The key that is to end.
pub enum OldKey {
    /// It is at hand and vouches for the new one.
    Held(SecretKey),
    /// It is lost or leaked, and vouches for nobody: a break-glass rotation. Where the log does not name it, it is
    /// the one of these that signed the last checkpoint.
    Lost(Vec<PublicKey>),
}

/// What is to be rotated.
pub struct RotationRequest {
    /// The key that is to end.
    pub old: OldKey,
    /// The key that is to begin.
    pub new: SecretKey,
    /// Why, for people: 1 to 256 visible characters. It stands in the log.
    pub reason: String,
}

/// One stream that was rotated.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Rotated {
    /// The stream.
    #[serde(serialize_with = "as_text")]
    pub stream: StreamId,
    /// 1 for its first rotation, then one more each.
    pub epoch: u64,
    /// The first position that the new key signs: the event's own.
    pub effective_position: u64,
    /// The key that ended.
    pub old_key_id: KeyId,
    /// The key that began.
    pub new_key_id: KeyId,
}

impl Rotated {
    fn by(terms: &RotationTerms) -> Self {
        Self {
            stream: terms.stream.clone(),
            epoch: terms.epoch,
            effective_position: terms.effective_position,
            old_key_id: terms.old_key_id,
            new_key_id: terms.new_key.key_id(),
        }
    }
}

fn as_text<S: serde::Serializer>(stream: &StreamId, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(stream)
}

/// What became of each stream of the recorder.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RotationReport {
    /// Rotated now.
    pub rotated: Vec<Rotated>,
    /// Rotated to the new key by an earlier try: nothing was done.
    pub rotated_before: Vec<Rotated>,
    /// No other key ever signed them: nothing was done.
    pub untouched: Vec<StreamId>,
}

/// Rotates every stream of the recorder to a new key and opens it under that key.
///
/// It may be repeated until it succeeds, with the same new key: what was rotated stays, and the rest follows.
///
/// # Errors
///
/// `RotateError`. Before `Refused` nothing was written; after it, streams before the one named are rotated.
pub fn rotate(
    store: Arc<dyn Store>,
    config: RecorderConfig,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    guarding: Option<Guarding>,
    request: RotationRequest,
) -> Result<(Recorder, RotationReport), RotateError> {
    rotation::check_reason(&request.reason)?;
    let bench = Recorder {
        store: Arc::clone(&store),
        config: config.clone(),
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        signer: None,
        guarding: guarding.clone(),
        queue: Mutex::default(),
        writer: Mutex::default(),
        edges: Mutex::default(),
    };
    let report = bench.rotate_streams(&request)?;
    drop(bench);
    let signer = Some(request.new);
    let recorder = match guarding {
        None => Recorder::open(store, config, clock, ids, signer)?,
        Some(guarding) => Recorder::open_guarded(store, config, clock, ids, signer, guarding)?,
    };
    Ok((recorder, report))
}

/// What is to become of a stream.
enum Fate {
    Rotates { old_key_id: KeyId },
    UnderNewKey,
    Untouched,
}

impl RotationRequest {
    fn held(&self) -> Option<&SecretKey> {
        match &self.old {
            OldKey::Held(key) => Some(key),
            OldKey::Lost(_) => None,
        }
    }

    /// Public keys that may have signed a stream.
    fn keys(&self) -> Vec<PublicKey> {
        let mut keys = vec![self.new.public_key()];
        match &self.old {
            OldKey::Held(key) => keys.push(key.public_key()),
            OldKey::Lost(candidates) => keys.extend(candidates),
        }
        keys
    }

    fn fate(&self, loaded: &Loaded) -> Result<Fate, RotateError> {
        let (state, new_key_id) = (&loaded.state, self.new.key_id());
        let stream = || state.stream.to_string();
        if loaded.signed_by == SignedBy::Key(new_key_id) {
            return Ok(Fate::UnderNewKey);
        }
        if loaded.succession.names(&new_key_id) {
            return Err(RotateError::KeyReturns { stream: stream(), key_id: new_key_id });
        }
        let nobody = loaded.signed_by == SignedBy::Nobody;
        if nobody && (state.next_position == 0 || self.held().is_none()) {
            return Ok(Fate::Untouched);
        }
        if let Some(old) = self.held() {
            let key_id = old.key_id();
            if !nobody && loaded.signed_by != SignedBy::Key(key_id) {
                return Err(RotateError::NotInForce { stream: stream(), key_id });
            }
            return match key_id == new_key_id {
                true => Err(RotateError::Terms(RotationError::SameKey)),
                false => Ok(Fate::Rotates { old_key_id: key_id }),
            };
        }
        let named = match loaded.signed_by {
            SignedBy::Key(key_id) => Some(key_id),
            SignedBy::Nobody | SignedBy::Another => {
                loaded.succession.in_force().map(|key| key.key_id()).or(loaded.last_key_id)
            }
        };
        let old_key_id = named.ok_or_else(|| RotateError::OldKeyUnknown { stream: stream() })?;
        match state.has_something_to_seal() || state.promise < SigningPromise::Envelopes {
            true => Ok(Fate::Rotates { old_key_id }),
            false => Err(RotateError::NothingToSeal { stream: stream() }),
        }
    }

    /// The old key's public half, where it is known.
    fn public_key(&self, key_id: &KeyId) -> Option<PublicKey> {
        self.keys().into_iter().find(|key| key.key_id() == *key_id)
    }
}

impl Recorder {
    /// Rotates every stream of this recorder from its signer to a new key. Nobody else may hold the recorder, which is
    /// opened again under the new key.
    ///
    /// # Errors
    ///
    /// As [`rotate`](fn@rotate), and `NoSigner`. After an error the recorder has to be opened again.
    pub fn rotate_signer(
        self,
        new: SecretKey,
        reason: impl Into<String>,
    ) -> Result<(Self, RotationReport), RotateError> {
        let Self { store, config, clock, ids, signer, guarding, .. } = self;
        let old = OldKey::Held(signer.ok_or(RotateError::NoSigner)?);
        let request = RotationRequest { old, new, reason: reason.into() };
        rotate(store, config, clock, ids, guarding, request)
    }

    /// Looks at every stream before the first is changed; then rotates those that need it.
    fn rotate_streams(&self, request: &RotationRequest) -> Result<RotationReport, RotateError> {
        let keys = request.keys();
        let mut all = Vec::new();
        for stream in self.store.streams().map_err(OpenError::from)? {
            if stream.recorder_id == self.config.recorder_id {
                all.push(startup::load(&*self.store, &stream, &self.config, &keys)?);
            }
        }
        self.compare_before_rotation(&keys)?;
        let mut fates = Vec::with_capacity(all.len());
        for loaded in &all {
            fates.push(request.fate(loaded)?);
        }
        let mut report = RotationReport::default();
        for (loaded, fate) in all.into_iter().zip(fates) {
            let stream = loaded.state.stream.clone();
            match fate {
                Fate::UnderNewKey => match loaded.succession.last() {
                    Some(terms) => report.rotated_before.push(Rotated::by(terms)),
                    None => report.untouched.push(stream),
                },
                Fate::Untouched => report.untouched.push(stream),
                Fate::Rotates { old_key_id } => {
                    let terms = self.rotate_stream(loaded, old_key_id, request)?;
                    report.rotated.push(Rotated::by(&terms));
                }
            }
        }
        Ok(report)
    }

    /// A database that was put back is not rotated: the guard is asked before anything is written.
    fn compare_before_rotation(&self, keys: &[PublicKey]) -> Result<(), OpenError> {
        let Some(guarding) = &self.guarding else { return Ok(()) };
        let (log_name, recorder_id) = (&self.config.log_name, &self.config.recorder_id);
        let compared =
            guard::compare_by(&*self.store, log_name, recorder_id, &*guarding.guard, keys)?;
        let missing = compared.missing.into_iter().filter(|_| !guarding.adopt_head);
        if let Some(problem) = compared.problems.into_iter().chain(missing).next() {
            return Err(OpenError::Head(problem));
        }
        self.lock_writer().guarded = compared.heads;
        Ok(())
    }

    fn rotate_stream(
        &self,
        loaded: Loaded,
        old_key_id: KeyId,
        request: &RotationRequest,
    ) -> Result<RotationTerms, RotateError> {
        let name = loaded.state.stream.to_string();
        let rotated = self.try_rotate_stream(loaded, old_key_id, request);
        rotated.map_err(|source| RotateError::Refused { stream: name, source })
    }

    fn try_rotate_stream(
        &self,
        loaded: Loaded,
        old_key_id: KeyId,
        request: &RotationRequest,
    ) -> Result<RotationTerms, AppendError> {
        let Loaded { mut state, succession, .. } = loaded;
        let expected = state.expected();
        let held = request.held();
        // Without the old key, what precedes the rotation can only be sealed, not signed.
        let announces = held.is_some() || !state.has_something_to_seal();
        let announcement = announces.then(|| self.announcement(old_key_id, request)).transpose()?;
        let event = |kind: RotationKind, payload| {
            self.own_event(kind.event_type(), Some(ROTATION_TRACE), payload)
        };
        let turning = Turning {
            old: held,
            old_key_id,
            new: &request.new,
            epoch: succession.epoch() + 1,
            reason: &request.reason,
            announcement,
            event: &event,
        };
        let now = self.clock.now();
        let unsigned = RecorderConfig { sign_envelopes: false, ..self.config.clone() };
        let before_config = if held.is_some() { &self.config } else { &unsigned };
        let mut segment_ids = [(); 2].map(|()| || self.ids.segment_id(now));
        let [first, second] = &mut segment_ids;
        let mut before = planner(before_config, now, first);
        let mut after = planner(&self.config, now, second);
        let mut plan = Plan::default();
        let terms = state.plan_rotation(turning, &mut before, &mut after, &mut plan)?;
        self.commit_rotation(state, expected, plan)?;
        Ok(terms)
    }

    fn announcement(
        &self,
        old_key_id: KeyId,
        request: &RotationRequest,
    ) -> Result<PreparedEnvelope, AppendError> {
        let announcement = Announcement {
            new_key_id: request.new.key_id(),
            old_key_id,
            old_public_key: request.public_key(&old_key_id).map(|key| key.to_hex()),
            reason: request.reason.clone(),
        };
        self.own_event(ROTATION_ANNOUNCED, None, announcement.to_payload())
    }

    /// Commits the rotation of one stream and guards it. A stream whose guard is missing is adopted when the recorder
    /// is opened under the new key, which records that.
    fn commit_rotation(
        &self,
        state: StreamState,
        expected: recorder_store::ExpectedHead,
        mut plan: Plan,
    ) -> Result<(), AppendError> {
        let mut writer = self.lock_writer();
        plan.tiles.sort_by_key(|tile| tile.coordinates);
        let commit = Commit {
            stream: state.stream.clone(),
            expected,
            steps: plan.steps,
            attachments: Vec::new(),
            tiles: plan.tiles,
            claims: None,
        };
        let committed = self.store.commit(commit);
        committed.map_err(|error| refusal(&mut writer, Failed::Commit(error)))?;
        if !self.is_guarded(&writer, &state) {
            return Ok(());
        }
        let guarded = self.advance_guard(&mut writer, &state);
        guarded.map_err(|error| refusal(&mut writer, Failed::Unguarded(error)))
    }
}

fn planner<'a>(
    config: &'a RecorderConfig,
    now: RecordedAt,
    segment_id: &'a mut dyn FnMut() -> Result<recorder_core::identity::SegmentId, NoRandomness>,
) -> Planner<'a> {
    Planner { config, signer: None, now, covers_every_commit: false, segment_id }
}
