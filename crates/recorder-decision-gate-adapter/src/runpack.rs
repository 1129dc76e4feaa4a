//! A runpack as bytes: its manifest and its files by path, from a directory or from a fixture.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The files of a runpack.
///
/// Whoever reads a directory does it without following links and takes regular files only; see the adapter's page.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Runpack<'a> {
    /// The manifest; `None` where there is none.
    pub manifest: Option<Cow<'a, [u8]>>,
    /// All other files by their path from the root of the runpack, with `/` between names.
    pub files: BTreeMap<String, Cow<'a, [u8]>>,
}

/// An artifact that every runpack has, or the report that some have.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    ScenarioSpec,
    Triggers,
    GateEvals,
    Decisions,
    Packets,
    Submissions,
    ToolCalls,
    VerifierReport,
}

impl Kind {
    /// All of them, in the order of a manifest.
    pub(crate) const ALL: [Self; 8] = [
        Self::ScenarioSpec,
        Self::Triggers,
        Self::GateEvals,
        Self::Decisions,
        Self::Packets,
        Self::Submissions,
        Self::ToolCalls,
        Self::VerifierReport,
    ];

    /// Those that hold a list of records.
    pub(crate) const LOGS: [Self; 6] = [
        Self::Triggers,
        Self::GateEvals,
        Self::Decisions,
        Self::Packets,
        Self::Submissions,
        Self::ToolCalls,
    ];

    /// Where it stands in a runpack.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::ScenarioSpec => "artifacts/scenario_spec.json",
            Self::Triggers => "artifacts/triggers.json",
            Self::GateEvals => "artifacts/gate_evals.json",
            Self::Decisions => "artifacts/decisions.json",
            Self::Packets => "artifacts/packets.json",
            Self::Submissions => "artifacts/submissions.json",
            Self::ToolCalls => "artifacts/tool_calls.json",
            Self::VerifierReport => "artifacts/verifier_report.json",
        }
    }

    /// What the manifest calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ScenarioSpec => "scenario_spec",
            Self::Triggers => "trigger_log",
            Self::GateEvals => "gate_eval_log",
            Self::Decisions => "decision_log",
            Self::Packets => "packet_log",
            Self::Submissions => "submission_log",
            Self::ToolCalls => "tool_transcript",
            Self::VerifierReport => "verifier_report",
        }
    }

    /// The artifact at this path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.path() == path)
    }
}
