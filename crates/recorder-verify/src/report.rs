//! What a verification gives back.

use recorder_core::hash::KeyId;
use recorder_core::identity::{BundleId, StreamId};
use recorder_envelope::checkpoint::SignedCheckpoint;
use serde::Serialize;

use crate::container::Form;
use crate::finding::{Finding, Findings, Phase};
use crate::phase::Counts;
use crate::phase::signatures::{KeyUse, VouchingKey};
use crate::verdict::{Answers, Outcome, Phases, Requirements, Verdict};

/// What one phase has checked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PhaseSummary {
    /// How many of each thing.
    pub counts: Counts,
    /// How many findings it has.
    pub finding_count: u64,
    /// The phase.
    pub phase: Phase,
    /// Whether it had anything to go by.
    pub reached: bool,
}

/// A trusted key whose signature held.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct UsedKey {
    /// The key.
    pub key_id: KeyId,
    /// What it signed.
    pub on: KeyUse,
}

/// What a bundle calls itself. Believed only as far as the verdict goes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Subject {
    /// The bundle.
    pub bundle_id: BundleId,
    /// Envelopes that were read.
    pub envelope_count: u64,
    /// In which form it came.
    pub form: Form,
    /// The stream that it is about.
    pub stream: StreamId,
    /// The size of the log that it is tied to.
    pub tree_size: u64,
}

/// The result of a verification.
#[derive(Debug)]
pub struct Report {
    verdict: Verdict,
    answers: Answers,
    subject: Option<Subject>,
    phases: Phases,
    findings: Findings,
}

impl Report {
    pub(crate) fn conclude(phases: Phases, findings: Findings, subject: Option<Subject>) -> Self {
        let (verdict, answers) = Verdict::conclude(&phases, &findings);
        Self { verdict, answers, subject, phases, findings }
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The five answers.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// What the bundle calls itself; `None` where its manifest was refused.
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// The first thousand findings, in order of phase and place.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.kept()
    }

    /// How many findings there are, those beyond the first thousand included.
    pub fn finding_count(&self) -> u64 {
        self.findings.count()
    }

    /// Every finding code that occurred, and how often.
    pub fn finding_counts(&self) -> &std::collections::BTreeMap<crate::FindingCode, u64> {
        self.findings.counts()
    }

    /// What each phase has checked, in order.
    pub fn phases(&self) -> Vec<PhaseSummary> {
        let reached = self.phases.manifest.reached();
        let summary = |phase| PhaseSummary {
            counts: self.counts(phase).clone(),
            finding_count: self.findings.count_of(phase),
            phase,
            reached: reached || phase == Phase::Manifest,
        };
        Phase::ALL.into_iter().map(summary).collect()
    }

    /// The trusted keys whose signatures held.
    pub fn keys(&self) -> Vec<UsedKey> {
        let keys = self.phases.signatures.keys().iter();
        keys.map(|(key_id, on)| UsedKey { key_id: *key_id, on: *on }).collect()
    }

    /// The bundle's checkpoint, where a trusted key signed it.
    pub fn vouched_checkpoint(&self) -> Option<&SignedCheckpoint> {
        let signatures = &self.phases.signatures;
        signatures.checkpoint().filter(|_| signatures.checkpoint_vouched())
    }

    /// The trusted key that signed the checkpoint, and the trust root's key that it goes back to.
    pub fn checkpoint_key(&self) -> Option<VouchingKey> {
        self.phases.signatures.checkpoint_key()
    }

    /// Whether the log was not shown to be the one, or to extend the one, under each head that was given or kept.
    pub fn heads_doubted(&self) -> bool {
        use crate::FindingCode as Code;
        let doubts = [
            Code::KnownHeadMismatch,
            Code::KnownHeadAhead,
            Code::KeptHeadAhead,
            Code::KnownHeadNotComparable,
            Code::KnownHeadOtherLog,
        ];
        doubts.into_iter().any(|code| self.findings.has(code))
    }

    /// Whether what the caller demands is there.
    pub fn satisfies(&self, requirements: &Requirements) -> Outcome {
        self.answers.satisfy(requirements)
    }

    fn counts(&self, phase: Phase) -> &Counts {
        match phase {
            Phase::Manifest => self.phases.manifest.counts(),
            Phase::Attachments => self.phases.attachments.counts(),
            Phase::Content => self.phases.content.counts(),
            Phase::Chain => self.phases.chain.counts(),
            Phase::Segments => self.phases.segments.counts(),
            Phase::Signatures => self.phases.signatures.counts(),
            Phase::Anchors => self.phases.anchors.counts(),
        }
    }
}
