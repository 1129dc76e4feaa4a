//! Five answers and one verdict, from the reports of all seven phases and the findings.

use serde::Serialize;

use crate::finding::{FindingCode, Findings, Question, Severity};
use crate::phase::anchors::AnchorsReport;
use crate::phase::attachments::AttachmentsReport;
use crate::phase::chain::ChainReport;
use crate::phase::content::ContentReport;
use crate::phase::manifest::ManifestReport;
use crate::phase::segments::SegmentsReport;
use crate::phase::signatures::SignaturesReport;

/// Is what is there as it was recorded?
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Everything that was checked agrees.
    Intact,
    /// Something does not.
    Broken,
}

impl Integrity {
    /// What this answer says, in sentences for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Intact => {
                "Every fingerprint (hash) in the file was computed again and agrees, from each event to the log as a whole. What is here fits together without a gap. Whose it is, is the next question."
            }
            Self::Broken => {
                "Something here was changed, does not fit the rest, or cannot be read. Rely on nothing in this file."
            }
        }
    }
}

/// Do trusted keys vouch for it?
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Authenticity {
    /// For the manifest and every envelope.
    Proven,
    /// There is no trust root, nothing is signed, or not all of it by keys that are trusted.
    Unproven,
    /// A signature does not hold, was stripped, or is by a key that must not sign there.
    Broken,
}

impl Authenticity {
    /// What this answer says, in sentences for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Proven => {
                "Keys that the given trust root names for this stream signed the file, and vouch for every event in it."
            }
            Self::Unproven => {
                "The keys in the given trust root do not vouch for all of it. Somebody else could have made this file."
            }
            Self::Broken => {
                "A signature does not hold, was removed, or is by a key that must not sign here."
            }
        }
    }
}

/// Is everything there?
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// Every envelope of the log from position 0 on, with all payloads and attachments.
    Complete,
    /// A selection, or something is withheld.
    Partial,
    /// Counts, flags or references disagree, or the bundle could not be looked through.
    Broken,
}

impl Completeness {
    /// What this answer says, in sentences for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Complete => {
                "Every event of the log up to its stated size is here, with every payload and attachment."
            }
            Self::Partial => {
                "A selection, or something is withheld. It says nothing about what is left out, but that it exists."
            }
            Self::Broken => "Counts or references disagree: something that should be here is not.",
        }
    }
}

/// Is nothing missing after the last envelope?
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// A trusted key sealed the segment there, or the auditor knows the head there.
    Proven,
    /// The last segment is open and the bundle reaches to the end of the log under the checkpoint.
    Open,
    /// Nothing says what comes after.
    Unproven,
}

impl End {
    /// What this answer says, in sentences for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Proven => {
                "A trusted signature closes the segment right after the last event, or a checkpoint that was given ends there."
            }
            Self::Open => {
                "Recording was still going on. What came after the last event is not in this file."
            }
            Self::Unproven => {
                "Nothing says what came after the last event. Later events may exist, and may have been left off."
            }
        }
    }
}

/// Does anybody else vouch for when?
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// Witnesses or timestamps bound it.
    Bounded,
    /// The recorder's clock says so.
    Claimed,
}

impl Time {
    /// What this answer says, in sentences for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Bounded => "Independent witnesses or timestamps bound when it was recorded.",
            Self::Claimed => {
                "Only the clock of the recorder says when. Nobody independent vouches for the times."
            }
        }
    }
}

/// The five answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Answers {
    /// Do trusted keys vouch for it?
    pub authenticity: Authenticity,
    /// Is everything there?
    pub completeness: Completeness,
    /// Is nothing missing after the last envelope?
    pub end: End,
    /// Is what is there as it was recorded?
    pub integrity: Integrity,
    /// Does anybody else vouch for when?
    pub time: Time,
}

/// The verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Intact, authentic, nothing broken and nothing to warn of.
    Valid,
    /// Intact and nothing broken; what is not proven is named.
    ValidWithWarnings,
    /// Something is broken.
    Invalid,
}

/// What the caller demands, beyond that nothing be broken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Requirements {
    /// That authenticity be proven.
    pub authenticity: bool,
    /// That the end be proven.
    pub end: bool,
    /// That time be bounded.
    pub time: bool,
}

impl Default for Requirements {
    fn default() -> Self {
        Self { authenticity: true, end: false, time: false }
    }
}

/// Whether what was demanded is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is.
    Satisfied,
    /// Nothing is broken, and something that was demanded is not proven.
    Unproven,
    /// Something is broken.
    Invalid,
}

impl Outcome {
    /// The exit code of `recorder bundle verify`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Satisfied => 0,
            Self::Unproven => 4,
            Self::Invalid => 3,
        }
    }
}

/// The reports of all phases. There is no verdict without every one of them.
#[derive(Debug)]
pub struct Phases {
    /// The container and the manifest.
    pub manifest: ManifestReport,
    /// Attachments and references.
    pub attachments: AttachmentsReport,
    /// Lines, commitments, content hashes, ids.
    pub content: ContentReport,
    /// The chain.
    pub chain: ChainReport,
    /// Geneses, seals, positions.
    pub segments: SegmentsReport,
    /// Signatures and keys.
    pub signatures: SignaturesReport,
    /// The Merkle log.
    pub anchors: AnchorsReport,
}

impl Phases {
    /// The reports of a bundle of which the manifest could not be taken at its word.
    pub(crate) fn refused() -> Self {
        Self {
            manifest: ManifestReport::refused(),
            attachments: AttachmentsReport::unreached(),
            content: ContentReport::unreached(),
            chain: ChainReport::unreached(),
            segments: SegmentsReport::unreached(),
            signatures: SignaturesReport::unreached(),
            anchors: AnchorsReport::unreached(),
        }
    }
}

impl Answers {
    /// Answers the five questions.
    pub(crate) fn of(phases: &Phases, findings: &Findings) -> Self {
        let integrity = integrity(phases, findings);
        let authenticity = authenticity(phases, findings, integrity);
        Self {
            authenticity,
            completeness: completeness(phases, findings),
            end: end(phases, findings, integrity),
            integrity,
            // Cosignatures and timestamps are not checked yet, so they bound nothing.
            time: Time::Claimed,
        }
    }

    fn is_broken(&self) -> bool {
        self.integrity == Integrity::Broken
            || self.authenticity == Authenticity::Broken
            || self.completeness == Completeness::Broken
    }

    /// Whether what the caller demands is there.
    pub fn satisfy(&self, requirements: &Requirements) -> Outcome {
        let missing = (requirements.authenticity && self.authenticity != Authenticity::Proven)
            || (requirements.end && self.end != End::Proven)
            || (requirements.time && self.time != Time::Bounded);
        if self.is_broken() {
            Outcome::Invalid
        } else if missing {
            Outcome::Unproven
        } else {
            Outcome::Satisfied
        }
    }
}

impl Verdict {
    /// Concludes from all phases; each report can be made in its own file only.
    pub(crate) fn conclude(phases: &Phases, findings: &Findings) -> (Self, Answers) {
        let answers = Answers::of(phases, findings);
        let warned = findings.counts().keys().any(|code| code.severity() == Severity::Warning);
        let verdict = if answers.is_broken() {
            Self::Invalid
        } else if warned || answers.authenticity != Authenticity::Proven {
            Self::ValidWithWarnings
        } else {
            Self::Valid
        };
        (verdict, answers)
    }
}

fn integrity(phases: &Phases, findings: &Findings) -> Integrity {
    let looked_through =
        phases.manifest.reached() && phases.content.envelope_count() > 0 && phases.anchors.tied();
    if looked_through && !findings.bears_on(Question::Integrity, Severity::Failure) {
        Integrity::Intact
    } else {
        Integrity::Broken
    }
}

/// Proven where a trusted key signed the manifest, and every envelope lies under a trusted checkpoint or has a
/// trusted signature of its own.
fn authenticity(phases: &Phases, findings: &Findings, integrity: Integrity) -> Authenticity {
    let signatures = &phases.signatures;
    let each = signatures.envelopes_vouched() == phases.content.envelope_count();
    let vouched = (signatures.checkpoint_vouched() && phases.anchors.tied()) || each;
    if findings.bears_on(Question::Authenticity, Severity::Failure) {
        Authenticity::Broken
    } else if vouched
        && signatures.manifest_vouched()
        && integrity == Integrity::Intact
        && !findings.bears_on(Question::Authenticity, Severity::Warning)
    {
        Authenticity::Proven
    } else {
        Authenticity::Unproven
    }
}

fn completeness(phases: &Phases, findings: &Findings) -> Completeness {
    let withheld = phases.content.payloads_withheld() > 0 || phases.attachments.withheld() > 0;
    if !phases.manifest.reached() || findings.bears_on(Question::Completeness, Severity::Failure) {
        Completeness::Broken
    } else if phases.anchors.whole() && !withheld {
        Completeness::Complete
    } else {
        Completeness::Partial
    }
}

fn end(phases: &Phases, findings: &Findings, integrity: Integrity) -> End {
    let cut = findings.has(FindingCode::KnownHeadAhead);
    if integrity == Integrity::Broken || cut {
        return End::Unproven;
    }
    let last = phases.anchors.last_position();
    let sealed_there = phases.segments.last_position().is_some_and(|end| Some(end) == last);
    let sealed = phases.segments.last_sealed() && phases.signatures.last_seal_vouched();
    let doubted = findings.bears_on(Question::End, Severity::Warning);
    if doubted {
        End::Unproven
    } else if phases.anchors.end_known() || (sealed && sealed_there) {
        End::Proven
    } else if !phases.segments.last_sealed()
        && sealed_there
        && phases.signatures.checkpoint_vouched()
    {
        End::Open
    } else {
        End::Unproven
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_looked_through_is_invalid_even_where_nothing_was_found() {
        let (verdict, answers) = Verdict::conclude(&Phases::refused(), &Findings::default());
        assert_eq!(verdict, Verdict::Invalid);
        assert_eq!(answers.integrity, Integrity::Broken);
        assert_eq!(answers.authenticity, Authenticity::Unproven);
        assert_eq!(answers.completeness, Completeness::Broken);
        assert_eq!(answers.end, End::Unproven);
    }
}
