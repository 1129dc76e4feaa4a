//! What a recorder checks before it writes to a stream again: the head, the log's right edge, the last envelopes.
//!
//! The work is bounded by the verification depth and the width of a tile, whatever the stream's length. The
//! whole read is `fsck`.

use std::ops::ControlFlow;
use std::sync::Arc;

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{ChainHash, TreeHash};
use recorder_core::identity::{EnvelopeId, StreamId};
use recorder_core::time::RecordedAt;
use recorder_envelope::checkpoint::{self, SignedCheckpoint};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle;
use recorder_envelope::preimage;
use recorder_envelope::segment::{Predecessor, SegmentGenesis, SegmentSeal, SigningPromise};
use recorder_envelope::signing::SecretKey;
use recorder_store::{OpenSegment, SegmentRecord, Store, StoredCheckpoint, StreamHead};

use crate::config::RecorderConfig;
use crate::error::OpenError;
use crate::log::{self, LogEdge};
use crate::stream::{OpenState, StreamState};

/// Reads where `stream` stands and re-derives its last envelopes, as many as `config` says.
pub(crate) fn load(
    store: &dyn Store,
    stream: &StreamId,
    config: &RecorderConfig,
    signer: Option<&SecretKey>,
) -> Result<StreamState, OpenError> {
    let Some(head) = store.head(stream)? else { return Ok(StreamState::new(stream.clone())) };
    check_tail(store, stream, &head, config.startup_verification_depth, signer)?;
    let edge = LogEdge::rebuild(store, stream, head.next_position)?;
    if let Some(checkpoint) = &head.checkpoint {
        check_checkpoint(store, stream, &edge, checkpoint)?;
        let note = check_note(stream, checkpoint, config)?;
        if let Some(signer) = signer {
            note.verify_log_signature(&signer.public_key())
                .map_err(|_| OpenError::SignerMismatch { stream: stream.to_string() })?;
        }
    }
    let predecessor = head.last_sealed.as_ref().map(predecessor).transpose()?;
    if let Some(seal) = seal_of(&head) {
        check_root(store, stream, &edge, seal)?;
    }
    if let Some(open) = &head.open_segment {
        check_open(store, stream, &head, open)?;
        check_predecessor(&open.genesis, predecessor.as_ref())?;
    }
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
    let mut found = None;
    let everything = EnvelopeFilter::default();
    store.scan(stream, &everything, position..position + 1, &mut |envelope| {
        found = Some(envelope.fields.envelope_id);
        ControlFlow::Break(())
    })?;
    found.ok_or_else(|| OpenError::corrupt(format!("{stream}, position {position}"), "is missing"))
}

/// Re-reads and re-derives the last `depth` envelopes, and ties them to the head.
fn check_tail(
    store: &dyn Store,
    stream: &StreamId,
    head: &StreamHead,
    depth: u64,
    signer: Option<&SecretKey>,
) -> Result<(), OpenError> {
    let first = head.next_position.saturating_sub(depth.max(1));
    let mut tail = Tail {
        store,
        stream,
        signer,
        next: first,
        previous: None,
        recorded_at: None,
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
    Ok(())
}

struct Tail<'a> {
    store: &'a dyn Store,
    stream: &'a StreamId,
    signer: Option<&'a SecretKey>,
    next: u64,
    previous: Option<ChainHash>,
    recorded_at: Option<RecordedAt>,
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
        self.previous = Some(computed);
        self.recorded_at = Some(at.recorded_at);
        self.next += 1;
        Ok(())
    }

    /// A signature by another key is left to `fsck` and the verifier: keys change, and only they know which held.
    fn is_signed_as_promised(&self, envelope: &SealedEnvelope, promise: SigningPromise) -> bool {
        let Some(signature) = &envelope.signature else {
            return promise < SigningPromise::Envelopes;
        };
        self.signer.map(SecretKey::public_key).is_none_or(|key| {
            key.key_id() != signature.key_id()
                || key
                    .verify_envelope(&envelope.content_hash, &envelope.chain_hash, signature)
                    .is_ok()
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
