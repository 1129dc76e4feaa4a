//! What a recorder checks before it writes to a stream again: the head, the log's right edge, the last envelopes.
//!
//! The work is bounded by the verification depth and the width of a tile, whatever the stream's length. The
//! whole read is `fsck`.

use std::ops::ControlFlow;
use std::sync::Arc;

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{ChainHash, KeyId, TreeHash};
use recorder_core::identity::{EnvelopeId, StreamId};
use recorder_core::time::RecordedAt;
use recorder_envelope::checkpoint::{self, SignedCheckpoint};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle;
use recorder_envelope::preimage;
use recorder_envelope::segment::{Predecessor, SegmentGenesis, SegmentSeal, SigningPromise};
use recorder_envelope::signing::PublicKey;
use recorder_store::{OpenSegment, SegmentRecord, Store, StoredCheckpoint, StreamHead};

use crate::config::RecorderConfig;
use crate::error::OpenError;
use crate::log::{self, LogEdge};
use crate::stream::{OpenState, StreamState};
use crate::succession::Succession;

/// A stream as it was found.
pub(crate) struct Loaded {
    pub(crate) state: StreamState,
    pub(crate) succession: Succession,
    pub(crate) signed_by: SignedBy,
    /// The key that the newest seal or envelope with a signature names.
    pub(crate) last_key_id: Option<KeyId>,
}

/// Which of the keys at hand signed a stream last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SignedBy {
    /// Nobody signed anything yet.
    Nobody,
    /// This key, which is in force.
    Key(KeyId),
    /// Another key than those.
    Another,
}

/// Reads where `stream` stands and re-derives its last envelopes, as many as `config` says. Signatures are checked by
/// those of `keys` that are in force.
pub(crate) fn load(
    store: &dyn Store,
    stream: &StreamId,
    config: &RecorderConfig,
    keys: &[PublicKey],
) -> Result<Loaded, OpenError> {
    let Some(head) = store.head(stream)? else {
        return Ok(Loaded {
            state: StreamState::new(stream.clone()),
            succession: Succession::default(),
            signed_by: SignedBy::Nobody,
            last_key_id: None,
        });
    };
    let succession = Succession::read(store, stream)?;
    let depth = config.startup_verification_depth;
    let last_envelope_key = check_tail(store, stream, &head, depth, keys, &succession)?;
    let edge = LogEdge::rebuild(store, stream, head.next_position)?;
    let note = head.checkpoint.as_ref().map(|checkpoint| {
        check_checkpoint(store, stream, &edge, checkpoint)?;
        check_note(stream, checkpoint, config)
    });
    let seal = head.last_sealed.as_ref().and_then(|sealed| sealed.seal.as_ref()?.signature);
    let last_key_id = last_envelope_key.or(seal.map(|signature| signature.key_id()));
    let signed_by = signed_by(stream, &succession, note.transpose()?.as_ref(), last_key_id, keys)?;
    let state = state_of(store, stream, head, edge)?;
    Ok(Loaded { state, succession, signed_by, last_key_id })
}

/// Which of `keys` signed the stream last. After a rotation it is the key in force and no other.
fn signed_by(
    stream: &StreamId,
    succession: &Succession,
    note: Option<&SignedCheckpoint>,
    last_key_id: Option<KeyId>,
    keys: &[PublicKey],
) -> Result<SignedBy, OpenError> {
    let in_force = succession.in_force();
    if let Some(key) = in_force {
        // Event and checkpoint land together, so no stream with the one lacks the other.
        if note.is_none_or(|note| note.verify_log_signature(&key).is_err()) {
            let detail = format!("is not by key {}, which is in force", key.key_id());
            return Err(OpenError::corrupt(format!("{stream}, the last checkpoint"), detail));
        }
    }
    let by_name = |id: KeyId| match keys.iter().any(|key| key.key_id() == id) {
        true => SignedBy::Key(id),
        false => SignedBy::Another,
    };
    Ok(match (in_force, note, last_key_id) {
        (Some(key), _, _) => by_name(key.key_id()),
        (None, Some(note), _) => {
            let signed = |key: &&PublicKey| note.verify_log_signature(key).is_ok();
            let signer = keys.iter().find(signed);
            signer.map_or(SignedBy::Another, |key| SignedBy::Key(key.key_id()))
        }
        (None, None, Some(id)) => by_name(id),
        (None, None, None) => SignedBy::Nobody,
    })
}

/// Whether `signer` is in force in every stream; where it is not, what happened to it.
pub(crate) fn check_signer(loaded: &[Loaded], signer: &PublicKey) -> Result<(), OpenError> {
    let signer_id = signer.key_id();
    let fits = |it: &&Loaded| it.signed_by == SignedBy::Key(signer_id);
    let Some(other) = loaded.iter().find(|it| it.signed_by == SignedBy::Another) else {
        return Ok(());
    };
    let name = |it: &Loaded| it.state.stream.to_string();
    // Streams that the signer was brought in to, and those that it was rotated away from.
    let brought_in = |it: &&Loaded| it.succession.in_force().is_some_and(|key| key == *signer);
    if let Some(rotated) = loaded.iter().find(brought_in) {
        let (rotated, remaining) = (name(rotated), name(other));
        return Err(OpenError::RotationUnfinished { key_id: signer_id, rotated, remaining });
    }
    let ended = |it: &&Loaded| it.succession.last().is_some_and(|it| it.old_key_id == signer_id);
    let Some((replaced, terms)) =
        loaded.iter().find(ended).and_then(|it| Some((it, it.succession.last()?)))
    else {
        return Err(OpenError::SignerMismatch { stream: name(other) });
    };
    let key_id = terms.new_key.key_id();
    Err(match loaded.iter().find(fits) {
        Some(remaining) => OpenError::RotationUnfinished {
            key_id,
            rotated: name(replaced),
            remaining: name(remaining),
        },
        None => OpenError::SignerReplaced {
            stream: name(replaced),
            key_id,
            position: terms.effective_position,
        },
    })
}

fn state_of(
    store: &dyn Store,
    stream: &StreamId,
    head: StreamHead,
    edge: LogEdge,
) -> Result<StreamState, OpenError> {
    let predecessor = head.last_sealed.as_ref().map(predecessor).transpose()?;
    if let Some(seal) = seal_of(&head) {
        check_root(store, stream, &edge, seal)?;
    }
    if let Some(open) = &head.open_segment {
        check_open(store, stream, &head, open)?;
        check_predecessor(&open.genesis, predecessor.as_ref())?;
    }
    let covered = head.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.tree_size);
    let uncovered_since = match covered < head.next_position {
        true => Some(at_position(store, stream, covered)?.place.recorded_at),
        false => None,
    };
    Ok(StreamState {
        stream: stream.clone(),
        next_position: head.next_position,
        chain_head: head.chain_head,
        last_moment: last_moment(&head),
        segment_count: head.segment_count,
        promise: strongest_promise(&head),
        predecessor,
        edge: Arc::new(edge),
        open: head.open_segment.map(|open| OpenState {
            genesis: open.genesis,
            envelope_count: open.envelope_count,
            first_envelope_id: open.first_envelope_id,
            last_envelope_id: open.last_envelope_id,
        }),
        checkpoint: head.checkpoint,
        uncovered_since,
    })
}

/// The latest time in the stream: no clock takes it back.
fn last_moment(head: &StreamHead) -> Option<RecordedAt> {
    let opened = head.open_segment.as_ref().map(|open| open.genesis.opened_at);
    let sealed = seal_of(head).map(|seal| seal.sealed_at);
    head.last_recorded_at.max(opened).max(sealed)
}

fn seal_of(head: &StreamHead) -> Option<&SegmentSeal> {
    head.last_sealed.as_ref()?.seal.as_ref().map(|signed| &signed.seal)
}

/// A promise never weakens, so the newest segment holds the strongest.
fn strongest_promise(head: &StreamHead) -> SigningPromise {
    let sealed = head.last_sealed.as_ref().map(|sealed| sealed.genesis.signing);
    let open = head.open_segment.as_ref().map(|open| open.genesis.signing);
    sealed.max(open).unwrap_or(SigningPromise::None)
}

fn predecessor(sealed: &SegmentRecord) -> Result<Predecessor, OpenError> {
    let Some(seal) = &sealed.seal else {
        let place = format!("segment {}", sealed.genesis.segment_id);
        return Err(OpenError::corrupt(place, "is taken for sealed but has no seal"));
    };
    Ok(Predecessor {
        segment_id: sealed.genesis.segment_id,
        chain_head: seal.seal.chain_head,
        seal_hash: seal.seal.hash(),
    })
}

fn check_predecessor(
    genesis: &SegmentGenesis,
    expected: Option<&Predecessor>,
) -> Result<(), OpenError> {
    if genesis.predecessor.as_ref() == expected {
        return Ok(());
    }
    let place = format!("segment {}", genesis.segment_id);
    Err(OpenError::corrupt(place, "its genesis does not name the segment before it"))
}

/// The root of the log at `tree_size`: of the whole log as the edge has it, from the tiles otherwise.
fn root_at(
    store: &dyn Store,
    stream: &StreamId,
    edge: &LogEdge,
    tree_size: u64,
    place: &str,
) -> Result<TreeHash, OpenError> {
    if tree_size == edge.size() {
        return Ok(edge.root());
    }
    merkle::root_at(&log::reader(store, stream, edge.size()), tree_size)
        .map_err(|error| OpenError::corrupt(place, error.to_string()))
}

/// The last checkpoint must still be true of the log.
fn check_checkpoint(
    store: &dyn Store,
    stream: &StreamId,
    edge: &LogEdge,
    checkpoint: &StoredCheckpoint,
) -> Result<(), OpenError> {
    let place = format!("checkpoint of {stream} at {}", checkpoint.tree_size);
    if checkpoint.tree_size > edge.size() {
        let detail = format!("covers more than the {} envelopes that are stored", edge.size());
        return Err(OpenError::corrupt(place, detail));
    }
    let root = root_at(store, stream, edge, checkpoint.tree_size, &place)?;
    if root == checkpoint.root_hash {
        Ok(())
    } else {
        Err(OpenError::corrupt(place, "has another root than the log"))
    }
}

/// The note must say what its row says, under the name that this recorder gives the log.
fn check_note(
    stream: &StreamId,
    checkpoint: &StoredCheckpoint,
    config: &RecorderConfig,
) -> Result<SignedCheckpoint, OpenError> {
    let place = || format!("checkpoint of {stream} at {}", checkpoint.tree_size);
    let note = SignedCheckpoint::parse(checkpoint.note.as_bytes())
        .map_err(|error| OpenError::corrupt(place(), error.to_string()))?;
    let body = note.checkpoint();
    if (body.tree_size(), body.root()) != (checkpoint.tree_size, checkpoint.root_hash) {
        return Err(OpenError::corrupt(place(), "its note says something else"));
    }
    let expected = checkpoint::origin(config.log_name.as_str(), stream);
    if body.origin() != expected {
        return Err(OpenError::OriginMismatch { expected, found: body.origin().to_owned() });
    }
    Ok(note)
}

/// The last seal must still be true of the log: in a stream without signatures nothing else holds the tiles.
fn check_root(
    store: &dyn Store,
    stream: &StreamId,
    edge: &LogEdge,
    seal: &SegmentSeal,
) -> Result<(), OpenError> {
    let place = format!("{stream}, seal of segment {}", seal.segment_id);
    if seal.tree_size > edge.size() {
        return Err(OpenError::corrupt(place, "covers more than is stored"));
    }
    let root = root_at(store, stream, edge, seal.tree_size, &place)?;
    if root == seal.root_hash {
        Ok(())
    } else {
        Err(OpenError::corrupt(place, "has another root than the log"))
    }
}

/// The open segment must hold exactly what follows the last sealed one.
fn check_open(
    store: &dyn Store,
    stream: &StreamId,
    head: &StreamHead,
    open: &OpenSegment,
) -> Result<(), OpenError> {
    let place = format!("{stream}, segment {}", open.genesis.segment_id);
    let first_position = open.genesis.first_position;
    let sealed = seal_of(head).map_or(0, |seal| seal.tree_size);
    if first_position != sealed || first_position + open.envelope_count != head.next_position {
        return Err(OpenError::corrupt(place, "does not hold what follows the last seal"));
    }
    let ends = match open.envelope_count {
        0 => (None, None),
        _ => (
            Some(id_at(store, stream, first_position)?),
            Some(id_at(store, stream, head.next_position - 1)?),
        ),
    };
    if ends == (open.first_envelope_id, open.last_envelope_id) {
        Ok(())
    } else {
        Err(OpenError::corrupt(place, "begins or ends with another envelope"))
    }
}

fn id_at(store: &dyn Store, stream: &StreamId, position: u64) -> Result<EnvelopeId, OpenError> {
    Ok(at_position(store, stream, position)?.fields.envelope_id)
}

fn at_position(
    store: &dyn Store,
    stream: &StreamId,
    position: u64,
) -> Result<SealedEnvelope, OpenError> {
    let mut found = None;
    let everything = EnvelopeFilter::default();
    store.scan(stream, &everything, position..position + 1, &mut |envelope| {
        found = Some(envelope);
        ControlFlow::Break(())
    })?;
    found.ok_or_else(|| OpenError::corrupt(format!("{stream}, position {position}"), "is missing"))
}

/// Re-reads and re-derives the last `depth` envelopes, and ties them to the head. Gives the key that the last of
/// them names, if any.
fn check_tail(
    store: &dyn Store,
    stream: &StreamId,
    head: &StreamHead,
    depth: u64,
    keys: &[PublicKey],
    succession: &Succession,
) -> Result<Option<KeyId>, OpenError> {
    let first = head.next_position.saturating_sub(depth.max(1));
    let mut tail = Tail {
        store,
        stream,
        keys,
        succession,
        next: first,
        previous: None,
        recorded_at: None,
        last_key_id: None,
        genesis: None,
        fault: None,
    };
    if first > 0 {
        tail.previous = store.chain_hashes(stream, first - 1..first)?.first().copied();
    }
    let everything = EnvelopeFilter::default();
    store.scan(stream, &everything, first..head.next_position, &mut |envelope| {
        tail.visit(&envelope)
    })?;
    if let Some(fault) = tail.fault {
        return Err(fault);
    }
    if tail.next != head.next_position {
        let detail =
            format!("{} envelopes are counted, {} are there", head.next_position, tail.next);
        return Err(OpenError::corrupt(stream.to_string(), detail));
    }
    if head.next_position > 0 && tail.previous != head.chain_head {
        return Err(OpenError::corrupt(
            stream.to_string(),
            "the last envelope is not the chain's head",
        ));
    }
    if tail.recorded_at != head.last_recorded_at {
        return Err(OpenError::corrupt(
            stream.to_string(),
            "the last envelope was recorded at another time",
        ));
    }
    Ok(tail.last_key_id)
}

struct Tail<'a> {
    store: &'a dyn Store,
    stream: &'a StreamId,
    keys: &'a [PublicKey],
    succession: &'a Succession,
    next: u64,
    previous: Option<ChainHash>,
    recorded_at: Option<RecordedAt>,
    last_key_id: Option<KeyId>,
    /// How the segment begins that the last envelope lies in.
    genesis: Option<SegmentGenesis>,
    fault: Option<OpenError>,
}

impl Tail<'_> {
    fn visit(&mut self, envelope: &SealedEnvelope) -> ControlFlow<()> {
        match self.check(envelope) {
            Ok(()) => ControlFlow::Continue(()),
            Err(fault) => {
                self.fault = Some(fault);
                ControlFlow::Break(())
            }
        }
    }

    fn check(&mut self, envelope: &SealedEnvelope) -> Result<(), OpenError> {
        let at = &envelope.place;
        let corrupt = |detail: &str| {
            OpenError::corrupt(format!("{}, position {}", self.stream, at.position), detail)
        };
        let commitment = envelope.recomputed_commitment();
        if at.position != self.next {
            return Err(corrupt(&format!("position {} is missing", self.next)));
        }
        if commitment.is_some_and(|computed| computed != envelope.payload_commitment) {
            return Err(corrupt("the payload does not match its commitment"));
        }
        if envelope.recomputed_content_hash() != envelope.content_hash {
            return Err(corrupt("the content does not match its hash"));
        }
        if self.recorded_at.is_some_and(|last| at.recorded_at < last) {
            return Err(corrupt("was recorded before the one before it"));
        }
        let genesis = self.genesis_of(envelope)?;
        let previous = match (at.sequence, self.previous) {
            (0, _) => preimage::chain_start(&genesis.hash()),
            (_, Some(previous)) if genesis.first_position + at.sequence == at.position => previous,
            _ => return Err(corrupt("does not stand where its segment says")),
        };
        let computed =
            preimage::chain_hash(&previous, at.sequence, at.recorded_at, &envelope.content_hash);
        if computed != envelope.chain_hash {
            return Err(corrupt("the chain hash does not follow from the one before"));
        }
        if !self.is_signed_as_promised(envelope, genesis.signing) {
            return Err(corrupt("the signature that its segment promises is missing or not valid"));
        }
        self.genesis = Some(genesis);
        self.last_key_id = envelope.signature.as_ref().map(|signature| signature.key_id());
        self.previous = Some(computed);
        self.recorded_at = Some(at.recorded_at);
        self.next += 1;
        Ok(())
    }

    /// After a rotation the key in force signs and no other. Before, a signature by a key that is not at hand is left
    /// to `fsck` and the verifier.
    fn is_signed_as_promised(&self, envelope: &SealedEnvelope, promise: SigningPromise) -> bool {
        let Some(signature) = &envelope.signature else {
            return promise < SigningPromise::Envelopes;
        };
        let key_id = signature.key_id();
        let holder = self.succession.holder(envelope.place.position);
        if holder.is_some_and(|holder| holder.key_id != key_id) {
            return false;
        }
        let at_hand = self.keys.iter().find(|key| key.key_id() == key_id).copied();
        holder.and_then(|holder| holder.key).or(at_hand).is_none_or(|key| {
            key.verify_envelope(&envelope.content_hash, &envelope.chain_hash, signature).is_ok()
        })
    }

    /// How the envelope's segment begins.
    fn genesis_of(&self, envelope: &SealedEnvelope) -> Result<SegmentGenesis, OpenError> {
        let segment_id = envelope.place.segment_id;
        if let Some(genesis) = self.genesis.as_ref().filter(|it| it.segment_id == segment_id) {
            return Ok(genesis.clone());
        }
        let place = format!("segment {segment_id}");
        let stored = self.store.segment(self.stream, segment_id)?;
        let segment = stored.ok_or_else(|| {
            OpenError::corrupt(place, "is named by an envelope but is not stored")
        })?;
        Ok(segment.genesis)
    }
}
