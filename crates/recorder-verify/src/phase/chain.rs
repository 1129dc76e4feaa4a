//! Phase 4: sequence, recorded time and chain hashes, recomputed from genesis to head, through gap anchors.
//!
//! A part is checked on its own: links within it from the line before, and of its runs' first envelopes what is
//! needed to check them later. Stitched together in order, the runs are the chain.

use recorder_core::hash::{ChainHash, ContentHash};
use recorder_core::time::RecordedAt;
use recorder_envelope::bundle::manifest::ManifestSegment;
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::preimage;

use super::Counts;
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::proofs::Gaps;

/// What of an envelope its neighbours in the chain need to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) sequence: u64,
    pub(crate) position: u64,
    pub(crate) recorded_at: RecordedAt,
    pub(crate) content_hash: ContentHash,
    pub(crate) chain_hash: ChainHash,
}

impl Link {
    fn of(line: &EnvelopeLine<'_>) -> Self {
        Self {
            sequence: line.place.sequence,
            position: line.place.position,
            recorded_at: line.place.recorded_at,
            content_hash: line.content_hash,
            chain_hash: line.chain_hash,
        }
    }
}

/// Envelopes of one part, consecutive by sequence and by position, whose links to one another were checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) first: Link,
    pub(crate) last: Link,
    /// Whether lines that could not be read come before it.
    pub(crate) after_unreadable: bool,
}

/// The runs of one part.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    pub(crate) runs: Vec<Run>,
    unreadable: bool,
}

impl Runs {
    /// Adds the next envelope.
    pub(crate) fn add(
        &mut self,
        line: &EnvelopeLine<'_>,
        mut find: impl FnMut(FindingCode, String),
    ) {
        let link = Link::of(line);
        let after_unreadable = std::mem::take(&mut self.unreadable);
        if let Some(run) = self.runs.last_mut().filter(|_| !after_unreadable) {
            let last = run.last;
            if last.sequence.checked_add(1) == Some(link.sequence)
                && last.position.checked_add(1) == Some(link.position)
            {
                if link.recorded_at < last.recorded_at {
                    find(FindingCode::RecordedAtDecreases, went_back(&last, &link));
                }
                if line.computed_chain_hash(&last.chain_hash) != link.chain_hash {
                    find(FindingCode::ChainHashMismatch, MISMATCH.to_owned());
                }
                run.last = link;
                return;
            }
        }
        self.runs.push(Run { first: link, last: link, after_unreadable });
    }

    /// A line could not be read: what follows it is not known to follow anything.
    pub(crate) fn break_off(&mut self) {
        self.unreadable = true;
    }

    /// Whether the part ends with a line that could not be read.
    pub(crate) fn ends_unreadable(&self) -> bool {
        self.unreadable
    }
}

const MISMATCH: &str = "the chain hash does not follow from the one before";

fn went_back(last: &Link, link: &Link) -> String {
    format!("{} after {}", link.recorded_at, last.recorded_at)
}

/// What is known about the envelope before the next one.
#[derive(Clone, Copy, Debug)]
enum Before {
    /// This is what the next link follows.
    Known(ChainHash),
    /// Something could not be read there.
    Unknown,
}

/// The chain, stitched together run by run.
pub(crate) struct Chain {
    segment: u64,
    next_sequence: u64,
    before: Before,
    /// Whether a part ended with lines that could not be read.
    broken_off: bool,
    recorded_at: Option<RecordedAt>,
    links: u64,
    anchors: u64,
}

/// What the phase has checked. Only this file makes one.
#[derive(Debug)]
pub struct ChainReport {
    counts: Counts,
}

impl ChainReport {
    pub(crate) fn unreached() -> Self {
        Self { counts: Counts::new() }
    }

    /// How many of each thing was checked.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self {
            segment: 0,
            next_sequence: 0,
            before: Before::Unknown,
            broken_off: false,
            recorded_at: None,
            links: 0,
            anchors: 0,
        }
    }

    /// Begins a segment: its first link follows its genesis, as far as that is known.
    pub(crate) fn begin(&mut self, segment: u64, genesis: Option<&ChainHash>) {
        self.segment = segment;
        self.next_sequence = 0;
        self.broken_off = false;
        self.before = genesis.map_or(Before::Unknown, |hash| Before::Known(*hash));
    }

    /// Adds the next run.
    pub(crate) fn run(
        &mut self,
        run: &Run,
        gaps: &mut Gaps<'_>,
        findings: &mut Findings,
    ) -> Result<(), crate::limits::VerifyError> {
        let first = &run.first;
        if run.after_unreadable || std::mem::take(&mut self.broken_off) {
            self.before = Before::Unknown;
            self.next_sequence = self.next_sequence.max(first.sequence);
        }
        let place = || Place::Envelope { segment: self.segment, sequence: first.sequence };
        if first.sequence < self.next_sequence {
            let detail = format!("{} cannot follow here", first.sequence);
            findings.add(Finding::new(FindingCode::SequenceMismatch, place(), detail));
            self.before = Before::Unknown;
        } else if first.sequence > self.next_sequence {
            let anchor = gaps.take(self.segment, first.sequence - 1, findings)?;
            self.anchors += u64::from(anchor.is_some());
            self.before = anchor.map_or(Before::Unknown, Before::Known);
        }
        if let Some(recorded_at) = self.recorded_at.filter(|before| first.recorded_at < *before) {
            let detail = format!("{} after {recorded_at}", first.recorded_at);
            findings.add(Finding::new(FindingCode::RecordedAtDecreases, place(), detail));
        }
        if let Before::Known(before) = self.before {
            self.links += 1;
            let Link { sequence, recorded_at, content_hash, .. } = first;
            let computed = preimage::chain_hash(&before, *sequence, *recorded_at, content_hash);
            if computed != first.chain_hash {
                findings.add(Finding::new(FindingCode::ChainHashMismatch, place(), MISMATCH));
            }
        }
        self.links += run.last.sequence - first.sequence;
        self.before = Before::Known(run.last.chain_hash);
        self.next_sequence = run.last.sequence + 1;
        self.recorded_at = Some(run.last.recorded_at);
        Ok(())
    }

    /// The sequence that would come next.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Says that a part ended with lines that could not be read.
    pub(crate) fn break_off(&mut self) {
        self.before = Before::Unknown;
        self.broken_off = true;
    }

    /// Ends a segment: with its last envelope, or with the anchor of those that are left out after it.
    pub(crate) fn end(
        &mut self,
        stated: &ManifestSegment,
        gaps: &mut Gaps<'_>,
        findings: &mut Findings,
    ) -> Result<(), crate::limits::VerifyError> {
        let broken_off = matches!(self.before, Before::Unknown);
        if self.next_sequence < stated.envelope_count && !broken_off {
            let anchor = gaps.take(self.segment, stated.envelope_count - 1, findings)?;
            self.anchors += u64::from(anchor.is_some());
            self.before = anchor.map_or(Before::Unknown, Before::Known);
        }
        let place = Place::Segment(self.segment);
        match self.before {
            Before::Known(head) if head != stated.chain_head => {
                let detail = format!("{head} found, {} stated", stated.chain_head);
                findings.add(Finding::new(FindingCode::ChainHeadMismatch, place, detail));
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the phase.
    pub(crate) fn finish(self) -> ChainReport {
        let counts = Counts::from([("links", self.links), ("gap_anchors", self.anchors)]);
        ChainReport { counts }
    }
}
