//! What a recorder checks before it writes to a stream again: the head, the log's right edge, the last envelopes.
//!
//! The work is bounded by the verification depth and the width of a tile, whatever the stream's length. The
//! whole read is `fsck`.

use std::ops::ControlFlow;

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::ChainHash;
use recorder_core::identity::StreamId;
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle;
use recorder_envelope::preimage;
use recorder_envelope::segment::{Predecessor, SegmentGenesis, SigningPromise};
use recorder_envelope::signing::SecretKey;
use recorder_store::{ReadError, SegmentRecord, Store, StoredCheckpoint, StreamHead};

use crate::error::OpenError;
use crate::log::{self, LogEdge};
use crate::stream::{OpenState, StreamState};

/// Reads where `stream` stands and re-derives its last `depth` envelopes.
pub(crate) fn load(
    store: &dyn Store,
    stream: &StreamId,
    depth: u64,
    signer: Option<&SecretKey>,
) -> Result<StreamState, OpenError> {
    let Some(head) = store.head(stream)? else { return Ok(StreamState::new(stream.clone())) };
    check_tail(store, stream, &head, depth)?;
    let edge = LogEdge::rebuild(store, stream, head.next_position)?;
    if let Some(checkpoint) = &head.checkpoint {
        check_checkpoint(store, stream, &head, checkpoint)?;
        check_signer(stream, checkpoint, signer)?;
    }
    let predecessor = head.last_sealed.as_ref().map(predecessor).transpose()?;
    if let Some(open) = &head.open_segment {
        check_predecessor(&open.genesis, predecessor.as_ref())?;
    }
    Ok(StreamState {
        stream: stream.clone(),
        next_position: head.next_position,
        chain_head: head.chain_head,
        last_recorded_at: head.last_recorded_at,
        segment_count: head.segment_count,
        promise: strongest_promise(&head),
        open: head.open_segment.map(|open| OpenState {
            genesis: open.genesis,
            envelope_count: open.envelope_count,
            first_envelope_id: open.first_envelope_id,
            last_envelope_id: open.last_envelope_id,
        }),
        predecessor,
        edge,
        checkpoint: head.checkpoint,
    })
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

/// The last checkpoint must still be true of the log.
fn check_checkpoint(
    store: &dyn Store,
    stream: &StreamId,
    head: &StreamHead,
    checkpoint: &StoredCheckpoint,
) -> Result<(), OpenError> {
    let place = format!("checkpoint of {stream} at {}", checkpoint.tree_size);
    if checkpoint.tree_size > head.next_position {
        let detail =
            format!("covers more than the {} envelopes that are stored", head.next_position);
        return Err(OpenError::corrupt(place, detail));
    }
    let root =
        merkle::root_at(&log::reader(store, stream, head.next_position), checkpoint.tree_size)
            .map_err(|error| OpenError::corrupt(place.clone(), error.to_string()))?;
    if root == checkpoint.root_hash {
        Ok(())
    } else {
        Err(OpenError::corrupt(place, "has another root than the log"))
    }
}

/// A recorder continues a stream only with the key that signed it so far.
fn check_signer(
    stream: &StreamId,
    checkpoint: &StoredCheckpoint,
    signer: Option<&SecretKey>,
) -> Result<(), OpenError> {
    let Some(signer) = signer else { return Ok(()) };
    let place = || format!("checkpoint of {stream} at {}", checkpoint.tree_size);
    let note = SignedCheckpoint::parse(checkpoint.note.as_bytes())
        .map_err(|error| OpenError::corrupt(place(), error.to_string()))?;
    let body = note.checkpoint();
    if (body.tree_size(), body.root()) != (checkpoint.tree_size, checkpoint.root_hash) {
        return Err(OpenError::corrupt(place(), "its note says something else"));
    }
    note.verify_log_signature(&signer.public_key())
        .map_err(|_| OpenError::SignerMismatch { stream: stream.to_string() })
}

/// Re-reads and re-derives the last `depth` envelopes, and ties them to the head.
fn check_tail(
    store: &dyn Store,
    stream: &StreamId,
    head: &StreamHead,
    depth: u64,
) -> Result<(), OpenError> {
    let first = head.next_position.saturating_sub(depth.max(1));
    let mut tail = Tail { store, stream, next: first, previous: None, fault: None };
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
    Ok(())
}

struct Tail<'a> {
    store: &'a dyn Store,
    stream: &'a StreamId,
    next: u64,
    previous: Option<ChainHash>,
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
        let place = || format!("{}, position {}", self.stream, envelope.place.position);
        if envelope.place.position != self.next {
            return Err(OpenError::corrupt(place(), format!("position {} is missing", self.next)));
        }
        let commitment = envelope.recomputed_commitment();
        if commitment.is_some_and(|computed| computed != envelope.payload_commitment) {
            return Err(OpenError::corrupt(place(), "the payload does not match its commitment"));
        }
        if envelope.recomputed_content_hash() != envelope.content_hash {
            return Err(OpenError::corrupt(place(), "the content does not match its hash"));
        }
        let previous = self.previous_of(envelope)?;
        let sealed = &envelope.place;
        let computed = preimage::chain_hash(
            &previous,
            sealed.sequence,
            sealed.recorded_at,
            &envelope.content_hash,
        );
        if computed != envelope.chain_hash {
            return Err(OpenError::corrupt(
                place(),
                "the chain hash does not follow from the one before",
            ));
        }
        self.previous = Some(computed);
        self.next += 1;
        Ok(())
    }

    /// What the link follows: the envelope before, or the genesis of its segment.
    fn previous_of(&self, envelope: &SealedEnvelope) -> Result<ChainHash, OpenError> {
        if let (Some(previous), true) = (self.previous, envelope.place.sequence > 0) {
            return Ok(previous);
        }
        let segment_id = envelope.place.segment_id;
        let segment = self.store.segment(self.stream, segment_id)?.ok_or_else(|| {
            OpenError::corrupt(
                format!("segment {segment_id}"),
                "is named by an envelope but is not stored",
            )
        })?;
        Ok(preimage::chain_start(&segment.genesis.hash()))
    }
}

/// Where `ReadError` stands for the whole: kept here so that the engine's files name one type.
impl From<ReadError> for crate::error::AppendError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt(corruption) => Self::Corrupt(corruption),
            other => Self::Read(other),
        }
    }
}
