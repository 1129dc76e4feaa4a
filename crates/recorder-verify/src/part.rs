//! One part of envelopes, checked on its own by one thread: everything but what depends on other parts.

use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::merkle::{CompactRange, leaf_hash};
use recorder_envelope::segment::SigningPromise;

use crate::archive::ReadError;
use crate::container::Container;
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::ids::{Arrival, Id};
use crate::limits::VerifyError;
use crate::lines::{Lines, Next};
use crate::phase::attachments::Closure;
use crate::phase::chain::Runs;
use crate::phase::content::{self, ContentTally};
use crate::phase::manifest::{Admitted, check_hash};
use crate::phase::segments::{Segment, Segments};
use crate::phase::signatures::{EnvelopeSignatures, Trust};
use recorder_core::limits::PART_ENVELOPES_MAX;

/// Which part: its place among all parts of envelopes, its segment, and its index in the manifest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartId {
    pub(crate) number: u32,
    pub(crate) segment: usize,
    pub(crate) part: usize,
}

/// The ids of one part, in order.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// Each envelope with the number of its parents.
    arrivals: Vec<(Arrival, u32)>,
    parents: Vec<Id>,
}

impl Ids {
    fn add(&mut self, line: &EnvelopeLine<'_>, at: (u32, u32)) {
        let id = content::id_of(&line.envelope_id());
        let before = self.parents.len();
        if line.parent_id_count() > 0 {
            self.parents.extend(line.parent_ids().map(|parent| content::id_of(&parent)));
        }
        let count = (self.parents.len() - before) as u32;
        self.arrivals.push((Arrival { id, at }, count));
    }

    /// Each envelope with its parents.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Arrival, &[Id])> {
        let mut rest = self.parents.as_slice();
        self.arrivals.iter().map(move |(arrival, count)| {
            let (parents, later) = rest.split_at(*count as usize);
            rest = later;
            (*arrival, parents)
        })
    }
}

/// The leaves of one part, as far as they follow one another.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    /// Neighbours, cut where a root is wanted.
    pub(crate) ranges: Vec<CompactRange>,
    /// Whether something came after them that does not follow, or could not be read.
    pub(crate) broken_off: bool,
}

/// What one part amounts to.
pub(crate) struct PartReport {
    pub(crate) id: PartId,
    pub(crate) findings: Findings,
    pub(crate) runs: Runs,
    pub(crate) leaves: Leaves,
    pub(crate) ids: Ids,
    pub(crate) tally: ContentTally,
    pub(crate) signatures: EnvelopeSignatures,
    pub(crate) failure: Option<VerifyError>,
}

/// What all parts are checked against.
pub(crate) struct PartContext<'a> {
    pub(crate) container: &'a Container<'a>,
    pub(crate) admitted: &'a Admitted,
    pub(crate) segments: &'a Segments,
    pub(crate) closure: &'a Closure<'a>,
    pub(crate) trust: &'a Trust<'a>,
    /// Sizes of the log at which ranges are cut.
    pub(crate) cuts: &'a [u64],
}

/// A part under way.
struct Checker<'a> {
    context: &'a PartContext<'a>,
    segment: &'a Segment,
    promise: SigningPromise,
    report: PartReport,
    line: u64,
}

impl PartContext<'_> {
    /// Checks one part.
    pub(crate) fn check(&self, id: PartId) -> PartReport {
        let segment = self.segments.get(id.segment);
        let promise = segment.genesis.as_ref().map(|genesis| genesis.signing);
        let report = PartReport {
            id,
            findings: Findings::default(),
            runs: Runs::default(),
            leaves: Leaves::default(),
            ids: Ids::default(),
            tally: ContentTally::default(),
            signatures: EnvelopeSignatures::default(),
            failure: None,
        };
        let promise = promise.unwrap_or(SigningPromise::None);
        let mut checker = Checker { context: self, segment, promise, report, line: 0 };
        match checker.read() {
            Ok(()) => {}
            Err(ReadError::Refused(finding)) => {
                checker.report.findings.add(finding);
                checker.report.runs.break_off();
            }
            Err(ReadError::Failed(error)) => checker.report.failure = Some(error),
        }
        checker.report
    }

    /// Reads only the ids of a part, as `check` does.
    pub(crate) fn read_ids(&self, id: PartId) -> (Ids, Option<VerifyError>) {
        let mut ids = Ids::default();
        let mut lines = Lines::new(self.container.reader(self.admitted.member(id.part)));
        let mut number = 0;
        loop {
            number += 1;
            match lines.next_line() {
                Ok(Next::Line(bytes) | Next::Unterminated(bytes)) => {
                    if let Ok(line) = EnvelopeLine::parse(bytes) {
                        ids.add(&line, (id.number, number));
                    }
                }
                Ok(Next::End | Next::TooLong) | Err(ReadError::Refused(_)) => return (ids, None),
                Err(ReadError::Failed(error)) => return (ids, Some(error)),
            }
        }
    }
}

impl Checker<'_> {
    fn read(&mut self) -> Result<(), ReadError> {
        let PartContext { container, admitted, .. } = self.context;
        let part = self.report.id.part;
        let mut lines = Lines::new(container.reader(admitted.member(part)));
        loop {
            self.line += 1;
            match lines.next_line()? {
                Next::End => break,
                Next::Line(bytes) => self.check_line(bytes),
                Next::Unterminated(bytes) => {
                    self.find(FindingCode::LineUnterminated, "no line end after the last line");
                    self.check_line(bytes);
                }
                Next::TooLong => {
                    self.find(FindingCode::LineTooLong, "the rest of the part was not read");
                    self.report.runs.break_off();
                    return Ok(());
                }
            }
        }
        let count = self.line - 1;
        if count == 0 || count > PART_ENVELOPES_MAX as u64 {
            let detail = format!("{count} lines");
            let finding = Finding::new(FindingCode::PartLineCount, admitted.place(part), detail);
            self.report.findings.add(finding);
        }
        check_hash(admitted.part(part), &lines.finish(), &mut self.report.findings);
        Ok(())
    }

    fn place(&self) -> Place {
        let part = self.context.admitted.part(self.report.id.part);
        Place::Line { part: part.name.clone(), line: self.line }
    }

    fn find(&mut self, code: FindingCode, detail: impl Into<Box<str>>) {
        let place = self.place();
        self.report.findings.add(Finding::new(code, place, detail));
    }

    fn check_line(&mut self, bytes: &[u8]) {
        match content::read_line(bytes, || self.place()) {
            Ok(line) => self.check_envelope(&line),
            Err(finding) => {
                self.report.findings.add(finding);
                self.report.tally.unreadable += 1;
                self.report.runs.break_off();
                self.report.leaves.broken_off = true;
            }
        }
    }

    fn check_envelope(&mut self, line: &EnvelopeLine<'_>) {
        let PartId { number, segment, part } = self.report.id;
        let context = self.context;
        let name = || context.admitted.part(part).name.clone();
        let number_of_line = self.line;
        let at_line = || Place::Line { part: name(), line: number_of_line };
        let in_chain =
            || Place::Envelope { segment: segment as u64, sequence: line.place.sequence };
        let PartReport { findings, runs, ids, tally, signatures, .. } = &mut self.report;
        let findings = std::cell::RefCell::new(findings);
        let add = |code, place, detail: String| {
            findings.borrow_mut().add(Finding::new(code, place, detail));
        };
        content::check_line(line, tally, |code, detail| add(code, at_line(), detail));
        context.closure.resolve(line, |code, detail| add(code, at_line(), detail));
        let stated = &context.admitted.content().segments[segment];
        let place = &line.place;
        self.segment.check_place(stated, place, |code, detail| add(code, in_chain(), detail));
        runs.add(line, |code, detail| add(code, in_chain(), detail));
        let in_segment = Place::Segment(segment as u64);
        self.segment.check_ends(line, |detail| {
            add(FindingCode::SealMismatch, in_segment.clone(), detail);
        });
        if let Some(why) = context.trust.succession.misplaced(segment, line) {
            add(FindingCode::RotationInvalid, at_line(), why.to_owned());
        }
        signatures.check(context.trust, line, self.promise, |code, detail| {
            add(code, at_line(), detail);
        });
        ids.add(line, (number, number_of_line.try_into().unwrap_or(u32::MAX)));
        self.add_leaf(line);
    }

    fn add_leaf(&mut self, line: &EnvelopeLine<'_>) {
        let Leaves { ranges, broken_off } = &mut self.report.leaves;
        let position = line.place.position;
        let current = ranges.last_mut();
        *broken_off |= current.as_ref().is_some_and(|range| range.end() != position);
        if *broken_off {
            return;
        }
        let leaf = leaf_hash(&line.chain_hash);
        match current {
            Some(range) if !self.context.cuts.contains(&range.end()) => range.push(leaf),
            _ => match CompactRange::starting_at(position) {
                Ok(mut range) => {
                    range.push(leaf);
                    ranges.push(range);
                }
                Err(_) => *broken_off = true,
            },
        }
    }
}
