//! Whether a commit continues its stream: the one place where every store asks.
//!
//! Pure arithmetic over the head that a store read and the steps that a caller hands in. What needs a look at
//! stored rows, namely whether an id is taken or an attachment is there, is each store's own business.

use recorder_core::hash::ChainHash;
use recorder_core::identity::EnvelopeId;
use recorder_core::limits::BATCH_ENVELOPES_MAX;
use recorder_envelope::envelope::{POSITION_MAX, SealedEnvelope};
use recorder_envelope::merkle::{TILE_WIDTH, full_tiles_completed};
use recorder_envelope::preimage;
use recorder_envelope::segment::{
    Predecessor, SegmentGenesis, SegmentSeal, SignedSeal, SigningPromise,
};

use crate::error::CommitError;
use crate::record::{Commit, OpenSegment, SegmentRecord, Step, StoredCheckpoint, StreamHead};

/// Where the stream stands after `commit`, if `commit` follows from `head`.
///
/// # Errors
///
/// `HeadMoved` first of all; then the first step that does not follow; then `RepeatedEnvelope`.
pub(crate) fn advance(head: StreamHead, commit: &Commit) -> Result<StreamHead, CommitError> {
    check_expected(&head, commit)?;
    if commit.steps.is_empty() && commit.claim_records().is_empty() {
        return Err(discontinuity("it holds no step"));
    }
    let old_size = head.next_position;
    let mut next = head;
    let mut opened = Vec::new();
    for step in &commit.steps {
        match step {
            Step::Open(genesis) => {
                check_genesis(&next, commit, genesis)?;
                if opened.contains(&genesis.segment_id) {
                    return Err(CommitError::SegmentExists { segment_id: genesis.segment_id });
                }
                opened.push(genesis.segment_id);
                open(&mut next, genesis);
            }
            Step::Append(envelopes) => append(&mut next, envelopes)?,
            Step::Seal(seal) => close(&mut next, seal)?,
            Step::Checkpoint(checkpoint) => keep(&mut next, checkpoint)?,
        }
    }
    check_tiles(old_size, next.next_position, commit)?;
    check_repeated(commit)?;
    check_claims(next.next_position, commit)?;
    Ok(next)
}

fn discontinuity(detail: impl Into<String>) -> CommitError {
    CommitError::Discontinuity { detail: detail.into() }
}

fn check_expected(head: &StreamHead, commit: &Commit) -> Result<(), CommitError> {
    if commit.expected == head.expected() {
        return Ok(());
    }
    Err(CommitError::HeadMoved {
        expected: commit.expected.next_position,
        found: head.next_position,
    })
}

fn check_genesis(
    head: &StreamHead,
    commit: &Commit,
    genesis: &SegmentGenesis,
) -> Result<(), CommitError> {
    if let Some(open) = &head.open_segment {
        return Err(CommitError::SegmentOpen { segment_id: open.genesis.segment_id });
    }
    if genesis.stream != commit.stream {
        return Err(discontinuity("the genesis names another stream"));
    }
    if genesis.segment_index != head.segment_count || genesis.segment_index > POSITION_MAX {
        let (found, expected) = (genesis.segment_index, head.segment_count);
        return Err(discontinuity(format!("segment index {found} where {expected} follows")));
    }
    if genesis.first_position != head.next_position {
        let (found, expected) = (genesis.first_position, head.next_position);
        return Err(discontinuity(format!("first position {found} where {expected} follows")));
    }
    if genesis.predecessor != head.last_sealed.as_ref().and_then(predecessor) {
        return Err(discontinuity("the genesis does not name the last sealed segment"));
    }
    match &head.last_sealed {
        Some(last) if genesis.signing < last.genesis.signing => {
            Err(discontinuity("the genesis promises less about signatures than the one before"))
        }
        _ => Ok(()),
    }
}

/// How the genesis that follows `segment` must name it.
fn predecessor(segment: &SegmentRecord) -> Option<Predecessor> {
    let seal = &segment.seal.as_ref()?.seal;
    Some(Predecessor {
        segment_id: seal.segment_id,
        chain_head: seal.chain_head,
        seal_hash: seal.hash(),
    })
}

fn open(head: &mut StreamHead, genesis: &SegmentGenesis) {
    head.segment_count += 1;
    head.open_segment = Some(OpenSegment {
        genesis: genesis.clone(),
        envelope_count: 0,
        first_envelope_id: None,
        last_envelope_id: None,
    });
}

fn append(head: &mut StreamHead, envelopes: &[SealedEnvelope]) -> Result<(), CommitError> {
    let (Some(first), Some(last)) = (envelopes.first(), envelopes.last()) else { return Ok(()) };
    let Some(open) = &mut head.open_segment else {
        return Err(CommitError::SegmentNotOpen { segment_id: first.place.segment_id });
    };
    let mut link = match (open.envelope_count, head.chain_head) {
        (1.., Some(chain_head)) => chain_head,
        _ => preimage::chain_start(&open.genesis.hash()),
    };
    let mut recorded_at = head.last_recorded_at;
    for envelope in envelopes {
        check_place(&open.genesis, open.envelope_count, head.next_position, envelope)?;
        if recorded_at.is_some_and(|last| envelope.place.recorded_at < last) {
            return Err(at(envelope, "is recorded before the one that it follows"));
        }
        check_link(&link, envelope)?;
        link = envelope.chain_hash;
        recorded_at = Some(envelope.place.recorded_at);
        open.envelope_count += 1;
        head.next_position += 1;
    }
    open.first_envelope_id.get_or_insert(first.fields.envelope_id);
    open.last_envelope_id = Some(last.fields.envelope_id);
    head.chain_head = Some(link);
    head.last_recorded_at = recorded_at;
    Ok(())
}

fn at(envelope: &SealedEnvelope, fault: &str) -> CommitError {
    discontinuity(format!("the envelope at position {} {fault}", envelope.place.position))
}

fn check_place(
    genesis: &SegmentGenesis,
    sequence: u64,
    position: u64,
    envelope: &SealedEnvelope,
) -> Result<(), CommitError> {
    let place = &envelope.place;
    if place.segment_id != genesis.segment_id {
        return Err(CommitError::SegmentNotOpen { segment_id: place.segment_id });
    }
    if place.position != position {
        let found = place.position;
        return Err(discontinuity(format!("position {found} where {position} follows")));
    }
    if place.sequence != sequence {
        let found = place.sequence;
        return Err(discontinuity(format!("sequence {found} where {sequence} follows")));
    }
    if position > POSITION_MAX {
        return Err(at(envelope, "is beyond the last position that a stream can have"));
    }
    if genesis.signing == SigningPromise::Envelopes && envelope.signature.is_none() {
        return Err(at(envelope, "is not signed, as its genesis promises"));
    }
    Ok(())
}

fn check_link(previous: &ChainHash, envelope: &SealedEnvelope) -> Result<(), CommitError> {
    let place = &envelope.place;
    let expected =
        preimage::chain_hash(previous, place.sequence, place.recorded_at, &envelope.content_hash);
    if envelope.chain_hash == expected {
        Ok(())
    } else {
        Err(at(envelope, "does not link to the one before"))
    }
}

fn close(head: &mut StreamHead, signed: &SignedSeal) -> Result<(), CommitError> {
    let seal = &signed.seal;
    let Some(open) = &head.open_segment else {
        return Err(CommitError::SegmentNotOpen { segment_id: seal.segment_id });
    };
    if open.genesis.segment_id != seal.segment_id {
        return Err(CommitError::SegmentNotOpen { segment_id: seal.segment_id });
    }
    check_seal(head, open, seal)?;
    if open.genesis.signing > SigningPromise::None && signed.signature.is_none() {
        return Err(discontinuity("the seal is not signed, as its genesis promises"));
    }
    head.last_sealed = Some(SegmentRecord {
        genesis: open.genesis.clone(),
        envelope_count: open.envelope_count,
        chain_head: head.chain_head,
        seal: Some(signed.clone()),
    });
    head.open_segment = None;
    Ok(())
}

fn check_seal(
    head: &StreamHead,
    open: &OpenSegment,
    seal: &SegmentSeal,
) -> Result<(), CommitError> {
    let faults = [
        (open.envelope_count == 0, "the segment is empty"),
        (seal.genesis_hash != open.genesis.hash(), "the seal names another genesis"),
        (seal.envelope_count != open.envelope_count, "the seal counts other envelopes"),
        (Some(seal.chain_head) != head.chain_head, "the seal names another chain head"),
        (
            Some(seal.first_envelope_id) != open.first_envelope_id
                || Some(seal.last_envelope_id) != open.last_envelope_id,
            "the seal names another first or last envelope",
        ),
        (seal.tree_size != head.next_position, "the seal names another tree size"),
    ];
    match faults.into_iter().find(|(broken, _)| *broken) {
        Some((_, fault)) => Err(discontinuity(fault)),
        None => Ok(()),
    }
}

fn keep(head: &mut StreamHead, checkpoint: &StoredCheckpoint) -> Result<(), CommitError> {
    if checkpoint.tree_size > head.next_position {
        return Err(discontinuity("the checkpoint is larger than the log"));
    }
    if let Some(last) = &head.checkpoint {
        if checkpoint.tree_size < last.tree_size {
            return Err(discontinuity("the checkpoint is older than the one before"));
        }
        if checkpoint.tree_size == last.tree_size && checkpoint.root_hash != last.root_hash {
            return Err(discontinuity("two checkpoints of one size name two roots"));
        }
    }
    head.checkpoint = Some(checkpoint.clone());
    Ok(())
}

/// The tiles of a commit must be those that it makes full: a reader counts on finding each of them.
fn check_tiles(old_size: u64, new_size: u64, commit: &Commit) -> Result<(), CommitError> {
    let expected = full_tiles_completed(old_size, new_size);
    if !expected.eq(commit.tiles.iter().map(|tile| tile.coordinates)) {
        return Err(discontinuity("its tiles are not those that become full, in their order"));
    }
    if commit.tiles.iter().any(|tile| tile.hashes.len() != TILE_WIDTH) {
        return Err(discontinuity("a tile does not hold 256 hashes"));
    }
    Ok(())
}

/// A claim names envelopes that are there, and each key once.
fn check_claims(next_position: u64, commit: &Commit) -> Result<(), CommitError> {
    let records = commit.claim_records();
    for record in records {
        let count = record.positions.len();
        if !(1..=BATCH_ENVELOPES_MAX).contains(&count) {
            return Err(discontinuity(format!(
                "a request is to be remembered with {count} envelopes"
            )));
        }
        if record.positions.iter().any(|position| *position >= next_position) {
            return Err(discontinuity(
                "a request is to be remembered with an envelope that is not there",
            ));
        }
    }
    let mut keys: Vec<_> = records.iter().map(|record| &record.key).collect();
    keys.sort_unstable();
    match keys.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(discontinuity("an idempotency key stands twice")),
        false => Ok(()),
    }
}

fn check_repeated(commit: &Commit) -> Result<(), CommitError> {
    let mut ids: Vec<EnvelopeId> =
        commit.envelopes().map(|envelope| envelope.fields.envelope_id).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(CommitError::RepeatedEnvelope { id: pair[0] }),
        None => Ok(()),
    }
}
