//! The lines of `proofs/000000.jsonl`: gap anchors, then inclusion paths.

use recorder_core::identity::StreamId;
use recorder_envelope::bundle::ProofLine;
use recorder_envelope::merkle;
use recorder_store::Store;

use super::BuildError;
use super::selection::{Selection, chain_hash_before};
use crate::log;

/// Makes the part's bytes; empty where the bundle holds the whole log.
pub(super) fn lines(
    store: &dyn Store,
    stream: &StreamId,
    tree_size: u64,
    selection: &Selection,
) -> Result<Vec<u8>, BuildError> {
    let mut out = Vec::new();
    if matches!(selection.runs.as_slice(), [run] if *run == (0..tree_size)) {
        return Ok(out);
    }
    for line in gaps(store, stream, tree_size, selection)? {
        append(&line, &mut out);
    }
    let reader = log::reader(store, stream, tree_size);
    for run in &selection.runs {
        let (first, last) = (run.start, run.end - 1);
        append(&inclusion(&reader, first, tree_size)?, &mut out);
        if last != first {
            append(&inclusion(&reader, last, tree_size)?, &mut out);
        }
    }
    Ok(out)
}

fn append(line: &ProofLine, out: &mut Vec<u8>) {
    out.extend_from_slice(&line.to_canonical());
    out.push(b'\n');
}

fn inclusion<R: merkle::HashReader>(
    reader: &R,
    position: u64,
    tree_size: u64,
) -> Result<ProofLine, BuildError>
where
    R::Error: std::fmt::Display + std::error::Error + 'static,
{
    let path = merkle::inclusion_proof(reader, position, tree_size).map_err(|error| {
        BuildError::corrupt(format!("tree above position {position}"), error.to_string())
    })?;
    Ok(ProofLine::Inclusion { position, path })
}

/// One anchor for each run of omitted envelopes within a segment that something is included of.
fn gaps(
    store: &dyn Store,
    stream: &StreamId,
    tree_size: u64,
    selection: &Selection,
) -> Result<Vec<ProofLine>, BuildError> {
    let mut lines = Vec::new();
    let mut runs = selection.runs.iter().peekable();
    for segment in &selection.segments {
        let segment_id = segment.segment_id;
        let record = store
            .segment(stream, segment_id)?
            .ok_or_else(|| BuildError::corrupt(format!("segment {segment_id}"), "is not stored"))?;
        let end = (segment.first_position + record.envelope_count).min(tree_size);
        let mut gap = |end_of_gap: u64| -> Result<(), BuildError> {
            let chain_hash = chain_hash_before(store, stream, end_of_gap)?;
            let after_sequence = end_of_gap - 1 - segment.first_position;
            lines.push(ProofLine::Gap { segment_id, after_sequence, chain_hash });
            Ok(())
        };
        let mut covered = segment.first_position;
        while let Some(run) = runs.peek().filter(|run| run.start < end) {
            if run.start > covered {
                gap(run.start)?;
            }
            covered = run.end.min(end);
            // A run that goes on into the next segment is looked at again there.
            if run.end > end {
                break;
            }
            runs.next();
        }
        if covered < end {
            gap(end)?;
        }
    }
    Ok(lines)
}
