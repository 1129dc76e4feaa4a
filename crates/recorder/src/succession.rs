//! Which keys a stream's log names, as its own rotations tell (evidence format §10).
//!
//! The log is the only memory of a rotation: seal, event and both checkpoints land in one commit, and what the event
//! says is signed. So there is no state beside the log that could contradict it, and nothing to repair after a crash.
//! Each rotation is found by its trace, which is indexed, so that a start does not read the stream.
//!
//! Deliberately absent: whom to believe. That is for whoever holds a key, or a trust root.

use std::ops::ControlFlow;

use recorder_core::filter::{EnvelopeFilter, EventTypeMatch};
use recorder_core::hash::KeyId;
use recorder_core::identity::{EventType, StreamId, TraceId};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::json::{JsonLimits, from_strict, to_canonical};
use recorder_envelope::rotation::{
    KEY_ROTATED, KEY_ROTATED_BREAK_GLASS, Rotation, RotationKind, RotationTerms,
};
use recorder_envelope::segment::SealReason;
use recorder_envelope::signing::PublicKey;
use recorder_store::{ReadError, Store};
use serde::{Deserialize, Serialize};

/// The trace that all rotations of all streams carry: it is how they are found.
pub const ROTATION_TRACE: &str = "system.adapter.key_rotation";

/// The last event under the old key: what is about to happen, and the old key's public half, which no rotation holds.
pub const ROTATION_ANNOUNCED: &str = "system.recorder.key_rotation_announced";

/// Why the keys of a stream could not be told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SuccessionError {
    /// A rotation does not hold, or does not stand in its place.
    #[error(transparent)]
    Broken(#[from] BrokenRotation),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A rotation that breaks a rule of evidence format §10.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{stream}: the key rotation at position {position} is broken: {fault}")]
pub struct BrokenRotation {
    /// The stream.
    pub stream: String,
    /// Where the event stands.
    pub position: u64,
    /// What is wrong.
    pub fault: String,
}

/// What an announcement says.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announcement {
    pub(crate) new_key_id: KeyId,
    pub(crate) old_key_id: KeyId,
    /// The old key's public half, where it is known: a break-glass rotation may not know it.
    pub(crate) old_public_key: Option<String>,
    pub(crate) reason: String,
}

const ANNOUNCEMENT_LIMITS: JsonLimits =
    JsonLimits { input_bytes_max: 4096, depth_max: 2, nodes_max: 16 };

impl Announcement {
    /// The payload of the event.
    #[expect(clippy::expect_used, reason = "three ids and a checked reason are JSON")]
    pub(crate) fn to_payload(&self) -> Vec<u8> {
        to_canonical(self).expect("JSON")
    }

    /// The key that an announcement shows, if it is the one of this id: the id is the key's own hash.
    fn shows(payload: &[u8], key_id: &KeyId) -> Option<PublicKey> {
        let said: Self = from_strict(payload, &ANNOUNCEMENT_LIMITS).ok()?;
        let key = PublicKey::from_hex(&said.old_public_key?).ok()?;
        (key.key_id() == *key_id).then_some(key)
    }
}

/// One rotation, sound and in its place.
#[derive(Clone, Debug)]
struct Turn {
    rotation: Rotation,
    /// The key that ended, where anything in the log shows it. Then its proof was verified.
    old_key: Option<PublicKey>,
}

impl Turn {
    fn terms(&self) -> &RotationTerms {
        self.rotation.terms()
    }
}

/// Who signs at a position.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holder {
    /// The key in force there.
    pub key_id: KeyId,
    /// Its public half, where the log shows it.
    pub key: Option<PublicKey>,
}

/// The rotations of one stream, in order.
#[derive(Clone, Debug, Default)]
pub struct Succession {
    turns: Vec<Turn>,
}

impl Succession {
    /// Reads and checks every rotation of `stream` that this engine made.
    ///
    /// # Errors
    ///
    /// `Broken` for the first that does not hold; `Read`.
    pub fn read(store: &dyn Store, stream: &StreamId) -> Result<Self, SuccessionError> {
        let mut events = Vec::new();
        store.scan(stream, &rotations()?, 0..u64::MAX, &mut |envelope| {
            events.push(envelope);
            ControlFlow::Continue(())
        })?;
        let mut succession = Self::default();
        for event in &events {
            let turn = succession.judge(store, stream, event)?.map_err(|fault| BrokenRotation {
                stream: stream.to_string(),
                position: event.place.position,
                fault,
            })?;
            succession.turns.push(turn);
        }
        Ok(succession)
    }

    /// Of the last rotation; 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.last().map_or(0, |terms| terms.epoch)
    }

    /// What the last rotation says.
    pub fn last(&self) -> Option<&RotationTerms> {
        self.turns.last().map(Turn::terms)
    }

    /// What every rotation says, in order.
    pub fn terms(&self) -> impl Iterator<Item = &RotationTerms> {
        self.turns.iter().map(Turn::terms)
    }

    /// The key that the last rotation brought in; `None` before the first, when the log names no key.
    pub fn in_force(&self) -> Option<PublicKey> {
        self.last().map(|terms| terms.new_key)
    }

    /// Whether a key is or was in force, as far as rotations name it.
    pub fn names(&self, key_id: &KeyId) -> bool {
        let of = |turn: &Turn| [turn.terms().old_key_id, turn.terms().new_key.key_id()];
        self.turns.iter().flat_map(of).any(|named| named == *key_id)
    }

    /// Who signs the envelope at `position`, and a seal or checkpoint of which it is the last; `None` without
    /// rotations.
    pub fn holder(&self, position: u64) -> Option<Holder> {
        let before = |turn: &&Turn| turn.terms().effective_position <= position;
        if let Some(turn) = self.turns.iter().rev().find(before) {
            let key = turn.terms().new_key;
            return Some(Holder { key_id: key.key_id(), key: Some(key) });
        }
        let first = self.turns.first()?;
        Some(Holder { key_id: first.terms().old_key_id, key: first.old_key })
    }

    /// Who signs a seal at `tree_size`: before a break-glass rotation the new key may, since nobody else can.
    pub fn may_seal(&self, key_id: &KeyId, tree_size: u64) -> bool {
        let holder = self.holder(tree_size.saturating_sub(1));
        holder.is_none_or(|holder| holder.key_id == *key_id)
            || self.turns.iter().any(|turn| {
                turn.rotation.kind() == RotationKind::BreakGlass
                    && turn.terms().effective_position == tree_size
                    && turn.terms().new_key.key_id() == *key_id
            })
    }

    /// The keys of the log that one of `given` leads to: forwards where an old key vouched, and backwards, since a new
    /// key names the one that it follows.
    pub fn connected(&self, given: &[PublicKey]) -> Vec<PublicKey> {
        let mut known = given.to_vec();
        let learn = |known: &mut Vec<PublicKey>, key: PublicKey| {
            if !known.contains(&key) {
                known.push(key);
            }
        };
        let has = |known: &[PublicKey], id: KeyId| known.iter().any(|key| key.key_id() == id);
        for turn in &self.turns {
            let old = known.iter().find(|key| key.key_id() == turn.terms().old_key_id).copied();
            if old.is_some_and(|old| turn.rotation.verify_old(&old).is_ok()) {
                learn(&mut known, turn.terms().new_key);
            }
        }
        for turn in self.turns.iter().rev() {
            if let Some(old) = turn.old_key.filter(|_| has(&known, turn.terms().new_key.key_id())) {
                learn(&mut known, old);
            }
        }
        known
    }

    /// Whether a key was in force that the log names and does not show.
    pub fn is_hidden(&self, key_id: &KeyId) -> bool {
        let hidden = |turn: &Turn| turn.old_key.is_none() && turn.terms().old_key_id == *key_id;
        self.turns.iter().any(hidden)
    }

    /// Whether an envelope is one of these rotations.
    pub fn holds(&self, position: u64) -> bool {
        self.turns.iter().any(|turn| turn.terms().effective_position == position)
    }

    /// Judges the next rotation; the inner error says what is wrong with it.
    fn judge(
        &self,
        store: &dyn Store,
        stream: &StreamId,
        event: &SealedEnvelope,
    ) -> Result<Result<Turn, String>, ReadError> {
        let rotation = match parse(event) {
            Ok(rotation) => rotation,
            Err(fault) => return Ok(Err(fault)),
        };
        if let Err(fault) = self.check_order(stream, event, rotation.terms()) {
            return Ok(Err(fault));
        }
        if let Err(fault) = check_place(store, stream, event, &rotation)? {
            return Ok(Err(fault));
        }
        let old_key = match self.turns.last() {
            Some(turn) => Some(turn.terms().new_key),
            None => announced(store, stream, rotation.terms())?,
        };
        Ok(match old_key {
            Some(old) if rotation.kind() == RotationKind::Planned => rotation
                .verify_old(&old)
                .map(|()| Turn { rotation, old_key })
                .map_err(|_| "the old key's proof does not hold".to_owned()),
            _ => Ok(Turn { rotation, old_key }),
        })
    }

    fn check_order(
        &self,
        stream: &StreamId,
        event: &SealedEnvelope,
        terms: &RotationTerms,
    ) -> Result<(), String> {
        if terms.stream != *stream {
            return Err(format!("it is a rotation of stream {}", terms.stream));
        }
        if terms.epoch != self.epoch() + 1 {
            return Err(format!("epoch {} after epoch {}", terms.epoch, self.epoch()));
        }
        if self.in_force().is_some_and(|key| key.key_id() != terms.old_key_id) {
            return Err(format!("key {} was not in force", terms.old_key_id));
        }
        let new_key_id = terms.new_key.key_id();
        if self.names(&new_key_id) {
            return Err(format!("key {new_key_id} was in force before"));
        }
        let (stated, found) = (terms.effective_position, event.place.position);
        match stated == found && event.place.sequence == 0 {
            true => Ok(()),
            false => Err(format!("it is effective at {stated} and stands at {found}")),
        }
    }
}

fn rotations() -> Result<EnvelopeFilter, ReadError> {
    let named = |text: &str| {
        EventType::new(text).map(EventTypeMatch::Equals).map_err(|error| internal(&error))
    };
    let trace = TraceId::new(ROTATION_TRACE).map_err(|error| internal(&error))?;
    Ok(EnvelopeFilter {
        event_types: Some([named(KEY_ROTATED)?, named(KEY_ROTATED_BREAK_GLASS)?].into()),
        trace_ids: Some([trace].into()),
        ..EnvelopeFilter::default()
    })
}

fn internal(error: &dyn std::fmt::Display) -> ReadError {
    let place = ROTATION_TRACE.to_owned();
    ReadError::Corrupt(recorder_store::Corruption { place, detail: error.to_string() })
}

/// Reads the event as what its own hashes cover.
fn parse(event: &SealedEnvelope) -> Result<Rotation, String> {
    let kind = RotationKind::of_event(event.fields.event_type.as_str());
    let kind = kind.ok_or_else(|| "it is another event".to_owned())?;
    let salted = event.payload.as_ref().ok_or_else(|| "its payload is gone".to_owned())?;
    if event.recomputed_commitment() != Some(event.payload_commitment)
        || event.recomputed_content_hash() != event.content_hash
    {
        return Err("its content does not match its hash".to_owned());
    }
    Rotation::parse(kind, salted.payload.as_bytes()).map_err(|error| error.to_string())
}

/// It begins a segment, and the seal before it is of this reason, by a key that may.
fn check_place(
    store: &dyn Store,
    stream: &StreamId,
    event: &SealedEnvelope,
    rotation: &Rotation,
) -> Result<Result<(), String>, ReadError> {
    let terms = rotation.terms();
    let fault = |text: &str| Ok(Err(text.to_owned()));
    let Some(segment) = store.segment(stream, event.place.segment_id)? else {
        return fault("its segment is not stored");
    };
    if segment.genesis.first_position != terms.effective_position {
        return fault("it does not begin its segment");
    }
    let Some(predecessor) = segment.genesis.predecessor else {
        return fault("no segment is before it");
    };
    let before = store.segment(stream, predecessor.segment_id)?;
    let Some(sealed) = before.and_then(|before| before.seal) else {
        return fault("the segment before it is not sealed");
    };
    let hash = sealed.seal.hash();
    if hash != terms.predecessor_seal_hash || hash != predecessor.seal_hash {
        return fault("it follows another seal than the one before it");
    }
    if sealed.seal.reason != SealReason::KeyRotation {
        return fault("the segment before it was sealed for another reason");
    }
    let by = sealed.signature.map(|signature| signature.key_id());
    let may_seal = by == Some(terms.old_key_id)
        || rotation.kind() == RotationKind::BreakGlass && by == Some(terms.new_key.key_id());
    match may_seal {
        true => Ok(Ok(())),
        false => fault("the seal before it is by neither of its keys"),
    }
}

/// The old key, if the envelope before the rotation announces it.
fn announced(
    store: &dyn Store,
    stream: &StreamId,
    terms: &RotationTerms,
) -> Result<Option<PublicKey>, ReadError> {
    let (first, mut found) = (terms.effective_position - 1, None);
    let everything = EnvelopeFilter::default();
    store.scan(stream, &everything, first..first + 1, &mut |envelope| {
        let is_announcement = envelope.fields.event_type.as_str() == ROTATION_ANNOUNCED;
        if let Some(salted) = envelope.payload.as_ref().filter(|_| is_announcement) {
            found = Announcement::shows(salted.payload.as_bytes(), &terms.old_key_id);
        }
        ControlFlow::Break(())
    })?;
    Ok(found)
}
