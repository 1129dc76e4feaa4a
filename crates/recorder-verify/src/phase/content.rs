//! Phase 3: each line is exactly its canonical form, and its hashes are those of its content.

use std::collections::BTreeMap;

use recorder_core::identity::EnvelopeId;
use recorder_core::limits::LINE_BYTES_MAX;
use recorder_envelope::json::{JsonLimits, canonicalize};
use recorder_envelope::line::{EnvelopeLine, LineError, LineFault};

use super::Counts;
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::ids::{Id, IdFault, IdFaultAt};

/// What was counted in one part, or in all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ContentTally {
    pub(crate) envelopes: u64,
    pub(crate) payloads_withheld: u64,
    pub(crate) unreadable: u64,
}

impl ContentTally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.envelopes += other.envelopes;
        self.payloads_withheld += other.payloads_withheld;
        self.unreadable += other.unreadable;
    }
}

/// What the phase has checked. Only this file makes one.
#[derive(Debug)]
pub struct ContentReport {
    counts: Counts,
    tally: ContentTally,
}

impl ContentReport {
    pub(crate) fn unreached() -> Self {
        Self { counts: Counts::new(), tally: ContentTally::default() }
    }

    /// How many of each thing was checked.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Envelopes that the bundle holds.
    pub fn envelope_count(&self) -> u64 {
        self.tally.envelopes
    }

    /// Envelopes whose payload was left out.
    pub fn payloads_withheld(&self) -> u64 {
        self.tally.payloads_withheld
    }
}

/// Reads a line's form, and says what is wrong with it.
pub(crate) fn read_line<'a>(
    bytes: &'a [u8],
    place: impl FnOnce() -> Place,
) -> Result<EnvelopeLine<'a>, Finding> {
    EnvelopeLine::parse(bytes).map_err(|error| {
        let code = match (spelling(bytes), &error.fault) {
            (Spelling::NotJson, _) => FindingCode::LineMalformed,
            (Spelling::Other, _) => FindingCode::LineNotCanonical,
            (Spelling::Canonical, LineFault::Identity(_)) => FindingCode::IdentifierInvalid,
            (Spelling::Canonical, _) => FindingCode::LineMalformed,
        };
        let LineError { offset, fault } = error;
        Finding::new(code, place(), format!("byte {offset}: {fault}"))
    })
}

/// What a line is as JSON, whatever it holds.
enum Spelling {
    NotJson,
    Other,
    Canonical,
}

/// Reads a line that is no envelope as JSON; a payload in it may be deeper and longer than any that is taken.
fn spelling(bytes: &[u8]) -> Spelling {
    let depth_max = JsonLimits::PAYLOAD.depth_max * 2;
    let limits =
        JsonLimits { input_bytes_max: LINE_BYTES_MAX, depth_max, nodes_max: LINE_BYTES_MAX };
    let mut canonical = Vec::new();
    match canonicalize(bytes, &limits, &mut canonical) {
        Err(_) => Spelling::NotJson,
        Ok(()) if canonical == bytes => Spelling::Canonical,
        Ok(()) => Spelling::Other,
    }
}

/// Recomputes the commitment and the content hash.
pub(crate) fn check_line(
    line: &EnvelopeLine<'_>,
    tally: &mut ContentTally,
    mut find: impl FnMut(FindingCode, String),
) {
    tally.envelopes += 1;
    match line.computed_commitment() {
        None => tally.payloads_withheld += 1,
        Some(computed) if computed != line.payload_commitment => {
            let detail = format!("{computed} computed, {} stated", line.payload_commitment);
            find(FindingCode::CommitmentMismatch, detail);
        }
        Some(_) => {}
    }
    let computed = line.computed_content_hash();
    if computed != line.content_hash {
        let detail = format!("{computed} computed, {} stated", line.content_hash);
        find(FindingCode::ContentHashMismatch, detail);
    }
}

/// Where the manifest lists an omitted parent first, and whether an envelope names it.
struct Omitted {
    index: u64,
    named: bool,
}

/// The parents that the manifest lists as omitted: each is named by an envelope and none is in the bundle.
pub(crate) struct OmittedParents {
    ids: BTreeMap<Id, Omitted>,
}

impl OmittedParents {
    pub(crate) fn new(listed: &[EnvelopeId]) -> Self {
        let mut ids = BTreeMap::new();
        for (id, index) in listed.iter().zip(0..) {
            ids.entry(id_of(id)).or_insert(Omitted { index, named: false });
        }
        Self { ids }
    }

    /// Whether the parent is listed. It then counts as named.
    pub(crate) fn name(&mut self, parent: Id) -> bool {
        match self.ids.get_mut(&parent) {
            Some(omitted) => {
                omitted.named = true;
                true
            }
            None => false,
        }
    }

    /// Whether an id that is in the bundle is listed.
    pub(crate) fn lists(&self, id: Id) -> bool {
        !self.ids.is_empty() && self.ids.contains_key(&id)
    }

    fn report(self, findings: &mut Findings) {
        let list = "omitted_parent_ids";
        for (id, Omitted { index, .. }) in self.ids.iter().filter(|(_, omitted)| !omitted.named) {
            let place = Place::Entry { list, index: *index };
            let detail = format!("no included envelope names {}", text_of(*id));
            findings.add(Finding::new(FindingCode::OmittedParentUnnamed, place, detail));
        }
    }
}

/// The id as a number; its order is that of its text.
pub(crate) fn id_of(id: &EnvelopeId) -> Id {
    Id::from_be_bytes(*id.as_bytes())
}

fn text_of(id: Id) -> String {
    EnvelopeId::from_bytes(id.to_be_bytes()).map_or_else(|_| String::new(), |id| id.to_string())
}

/// Tells what was found about ids. `place` gives the line that a part and a line number mean.
pub(crate) fn report_ids(
    faults: Vec<IdFaultAt>,
    place: impl Fn((u32, u32)) -> Place,
    findings: &mut Findings,
) {
    for (at, fault) in faults {
        let (code, detail) = match fault {
            IdFault::Repeated => {
                (FindingCode::EnvelopeRepeated, "an earlier envelope has its id".to_owned())
            }
            IdFault::ParentAbsent(parent) => {
                (FindingCode::ParentUnlisted, format!("parent {}", text_of(parent)))
            }
        };
        findings.add(Finding::new(code, place(at), detail));
    }
}

/// Ends the phase.
pub(crate) fn finish(
    tally: ContentTally,
    omitted: OmittedParents,
    findings: &mut Findings,
) -> ContentReport {
    let counts = Counts::from([
        ("envelopes", tally.envelopes),
        ("payloads_withheld", tally.payloads_withheld),
        ("omitted_parents", omitted.ids.len() as u64),
    ]);
    omitted.report(findings);
    ContentReport { counts, tally }
}
