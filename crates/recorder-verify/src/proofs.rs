//! The lines of `proofs/000000.jsonl`, read as they are needed: gap anchors by segment, then paths by position.
//!
//! Two cursors read the part, so that neither kind of line is held: one for the anchors, one for the paths.

use std::collections::BTreeMap;

use recorder_core::hash::{ChainHash, TreeHash};
use recorder_core::identity::SegmentId;
use recorder_envelope::bundle::{ProofLine, layout};
use recorder_envelope::json::{self, JsonLimits};

use crate::archive::ReadError;
use crate::container::{Container, MemberReader};
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::limits::VerifyError;
use crate::lines::{Lines, Next};

/// Bytes of the longest line: 62 hashes in hex, and what is around them.
const LINE_BYTES_MAX: usize = 8 << 10;

/// Bounds of one line.
const LIMITS: JsonLimits =
    JsonLimits { input_bytes_max: LINE_BYTES_MAX, depth_max: 2, nodes_max: 128 };

fn place(line: u64) -> Place {
    Place::Line { part: layout::PROOFS.into(), line }
}

/// Lines of the part, and what is wrong with the first that cannot be read.
struct Cursor<'a> {
    lines: Option<Lines<'a>>,
    line: u64,
}

impl<'a> Cursor<'a> {
    fn new(reader: Option<MemberReader<'a>>) -> Self {
        Self { lines: reader.map(Lines::new), line: 0 }
    }

    /// The next line; `None` at the end. After a refusal there is nothing more.
    fn next(&mut self) -> Result<Option<(u64, ProofLine)>, ReadError> {
        let Some(lines) = &mut self.lines else { return Ok(None) };
        self.line += 1;
        let read = match lines.next_line()? {
            Next::End => return Ok(None),
            Next::Line(bytes) => read_line(bytes).ok_or("not the canonical form of a proof"),
            Next::Unterminated(_) | Next::TooLong => Err("no line end"),
        };
        match read {
            Ok(proof) => Ok(Some((self.line, proof))),
            Err(detail) => {
                let finding = Finding::new(FindingCode::ProofMalformed, place(self.line), detail);
                Err(ReadError::Refused(finding))
            }
        }
    }
}

fn read_line(bytes: &[u8]) -> Option<ProofLine> {
    let proof: ProofLine = json::from_strict(bytes, &LIMITS).ok()?;
    (proof.to_canonical() == bytes).then_some(proof)
}

/// The gap anchors.
pub(crate) struct Gaps<'a> {
    cursor: Cursor<'a>,
    segments: BTreeMap<SegmentId, u64>,
    next: Option<(u64, Gap)>,
    ended: bool,
}

#[derive(Clone, Copy)]
struct Gap {
    /// The segment's place in the bundle; `None` where the bundle has no such segment.
    segment: Option<u64>,
    after_sequence: u64,
    chain_hash: ChainHash,
}

impl<'a> Gaps<'a> {
    /// `segments` in the bundle's order.
    pub(crate) fn new(
        container: &'a Container<'_>,
        member: Option<usize>,
        segments: impl Iterator<Item = SegmentId>,
    ) -> Self {
        let segments = segments.zip(0..).collect();
        let cursor = Cursor::new(member.map(|member| container.reader(member)));
        Self { cursor, segments, next: None, ended: false }
    }

    /// The chain hash of the envelope after which the chain resumes; a finding where there is none.
    pub(crate) fn take(
        &mut self,
        segment: u64,
        after_sequence: u64,
        findings: &mut Findings,
    ) -> Result<Option<ChainHash>, VerifyError> {
        while let Some((line, gap)) = self.peek()? {
            match (gap.segment, gap.after_sequence).cmp(&(Some(segment), after_sequence)) {
                std::cmp::Ordering::Less => self.leave(line, findings),
                std::cmp::Ordering::Equal => {
                    self.next = None;
                    return Ok(Some(gap.chain_hash));
                }
                std::cmp::Ordering::Greater => break,
            }
        }
        let place = Place::Envelope { segment, sequence: after_sequence };
        let detail = "no gap anchor for the envelopes that are left out up to here";
        findings.add(Finding::new(FindingCode::GapAnchorMissing, place, detail));
        Ok(None)
    }

    /// Holds against the bundle whatever was not taken.
    pub(crate) fn finish(mut self, findings: &mut Findings) -> Result<(), VerifyError> {
        while let Some((line, _)) = self.peek()? {
            self.leave(line, findings);
        }
        Ok(())
    }

    fn leave(&mut self, line: u64, findings: &mut Findings) {
        self.next = None;
        let detail = "no envelopes are left out there";
        findings.add(Finding::new(FindingCode::GapAnchorUnneeded, place(line), detail));
    }

    /// The next anchor. What cannot be read is told by the other cursor, which reads the whole part.
    fn peek(&mut self) -> Result<Option<(u64, Gap)>, VerifyError> {
        if self.next.is_none() && !self.ended {
            self.next = match self.cursor.next() {
                Ok(Some((line, ProofLine::Gap { segment_id, after_sequence, chain_hash }))) => {
                    let segment = self.segments.get(&segment_id).copied();
                    Some((line, Gap { segment, after_sequence, chain_hash }))
                }
                Ok(_) | Err(ReadError::Refused(_)) => None,
                Err(ReadError::Failed(error)) => return Err(error),
            };
            self.ended = self.next.is_none();
        }
        Ok(self.next)
    }
}

/// The inclusion paths.
pub(crate) struct Paths<'a> {
    cursor: Cursor<'a>,
    next: Option<(u64, u64, Vec<TreeHash>)>,
    last_position: Option<u64>,
    ended: bool,
}

impl<'a> Paths<'a> {
    pub(crate) fn new(container: &'a Container<'_>, member: Option<usize>) -> Self {
        let cursor = Cursor::new(member.map(|member| container.reader(member)));
        Self { cursor, next: None, last_position: None, ended: false }
    }

    /// The path of the envelope at `position`; a finding where there is none.
    pub(crate) fn take(
        &mut self,
        position: u64,
        findings: &mut Findings,
    ) -> Result<Option<Vec<TreeHash>>, VerifyError> {
        loop {
            self.fill(findings)?;
            match self.next.take() {
                Some((line, found, _)) if found < position => leave(line, findings),
                Some((_, found, path)) if found == position => return Ok(Some(path)),
                later => {
                    self.next = later;
                    break;
                }
            }
        }
        let detail = "no inclusion path for this end of a run";
        let place = Place::Position(position);
        findings.add(Finding::new(FindingCode::InclusionMissing, place, detail));
        Ok(None)
    }

    /// Holds against the bundle whatever was not taken; the part's hash, where there is a part and it was read.
    pub(crate) fn finish(
        mut self,
        findings: &mut Findings,
    ) -> Result<Option<recorder_core::hash::PartHash>, VerifyError> {
        loop {
            self.fill(findings)?;
            match self.next.take() {
                Some((line, ..)) => leave(line, findings),
                None => break,
            }
        }
        Ok(self.cursor.lines.map(Lines::finish))
    }

    fn fill(&mut self, findings: &mut Findings) -> Result<(), VerifyError> {
        while self.next.is_none() && !self.ended {
            let refused = match self.cursor.next() {
                Ok(None) => None,
                Ok(Some((_, ProofLine::Gap { .. }))) if self.last_position.is_none() => continue,
                Ok(Some((line, ProofLine::Inclusion { position, path })))
                    if self.last_position < Some(position) =>
                {
                    self.last_position = Some(position);
                    self.next = Some((line, position, path));
                    return Ok(());
                }
                Ok(Some((line, _))) => {
                    let detail = "lines are out of order";
                    Some(Finding::new(FindingCode::ProofMalformed, place(line), detail))
                }
                Err(ReadError::Refused(finding)) => Some(finding),
                Err(ReadError::Failed(error)) => return Err(error),
            };
            self.ended = true;
            if let Some(finding) = refused {
                findings.add(finding);
                self.cursor.lines = None;
            }
        }
        Ok(())
    }
}

fn leave(line: u64, findings: &mut Findings) {
    let detail = "no run of included envelopes begins or ends there";
    findings.add(Finding::new(FindingCode::InclusionUnneeded, place(line), detail));
}
