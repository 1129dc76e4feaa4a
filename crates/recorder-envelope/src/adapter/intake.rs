//! What became of each record: events in order, anomalies, and counts that cannot disagree with them.
//!
//! Nothing is dropped without a count: each record is reported once, and how many came in is the sum of what
//! became of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::attachment::Attachment;
use crate::envelope::UnsealedEnvelope;

/// Problems that a refusal names one by one; the rest are counted.
const NAMED_MAX: usize = 64;

/// Characters of a problem's path and of its detail. Longer ones are cut: both end up in logs.
const TEXT_CHARS_MAX: usize = 256;

/// What happens to an input of which something is wrong.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Nothing of it is stored; the refusal names every problem.
    #[default]
    StrictFail,
    /// Good records are stored, and each problem as an envelope of its own: loss itself is evidence.
    RecordAnomaly,
}

/// The text is not the name of a policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a policy is strict_fail or record_anomaly")]
pub struct PolicyError;

impl Policy {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::StrictFail, Self::RecordAnomaly];

    /// The name in configuration and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StrictFail => "strict_fail",
            Self::RecordAnomaly => "record_anomaly",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::ALL.into_iter().find(|policy| policy.name() == text).ok_or(PolicyError)
    }
}

/// One thing that is wrong with an input.
///
/// Neither text may quote the input, but for names that went through a `Redaction`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Anomaly {
    /// The stable name of what is wrong, from the adapter's contract.
    pub code: &'static str,
    /// Where in the input, such as `resourceSpans/0/scopeSpans/1/spans/7`.
    pub path: Box<str>,
    /// What is wrong there, for people.
    pub detail: Box<str>,
}

impl Anomaly {
    /// Names what is wrong and where. Texts over 256 characters are cut.
    pub fn new(code: &'static str, path: impl fmt::Display, detail: impl fmt::Display) -> Self {
        Self { code, path: bounded(&path), detail: bounded(&detail) }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.path, self.detail, self.code)
    }
}

fn bounded(text: &impl fmt::Display) -> Box<str> {
    text.to_string().chars().take(TEXT_CHARS_MAX).collect()
}

/// The first problems of an input, and how many there are in all.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Problems {
    /// The first 64.
    pub named: Vec<Anomaly>,
    /// How many more there are.
    pub more: u64,
}

impl Problems {
    /// Adds one: among those that are named, or counted.
    pub fn push(&mut self, anomaly: Anomaly) {
        if self.named.len() < NAMED_MAX {
            self.named.push(anomaly);
        } else {
            self.more += 1;
        }
    }

    /// How many there are in all.
    pub fn count(&self) -> u64 {
        self.named.len() as u64 + self.more
    }
}

/// Nothing of the input may be stored.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} of the input; the first: {}", count_text(.problems), .problems.named.first().map_or_else(String::new, Anomaly::to_string))]
pub struct Refused {
    /// What is wrong.
    pub problems: Problems,
    /// Records that came in, up to where reading ended.
    pub received: u64,
}

fn count_text(problems: &Problems) -> String {
    match problems.count() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    }
}

/// One envelope to record, with the bytes that it refers to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The envelope.
    pub envelope: UnsealedEnvelope,
    /// The attachments behind its references.
    pub attachments: Vec<Attachment>,
}

impl From<UnsealedEnvelope> for Event {
    fn from(envelope: UnsealedEnvelope) -> Self {
        Self { envelope, attachments: Vec::new() }
    }
}

/// What an input came to, with nothing that forbids storing it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The envelopes to record, in order; those for anomalies stand where the anomalies were found.
    pub events: Vec<Event>,
    /// Records that gave at least one of them.
    pub accepted: u64,
    /// Records that were refused; each is among the problems.
    pub rejected: u64,
    /// Records that the contract leaves out, such as ticks: counted, not stored.
    pub skipped: u64,
    /// What was wrong; empty under `StrictFail`.
    pub problems: Problems,
}

impl Outcome {
    /// Records that came in.
    pub const fn received(&self) -> u64 {
        self.accepted + self.rejected + self.skipped
    }
}

/// Takes the report of each record of one input.
#[derive(Debug)]
pub struct Intake {
    policy: Policy,
    outcome: Outcome,
}

impl Intake {
    /// Begins one input.
    pub fn new(policy: Policy) -> Self {
        let outcome = Outcome {
            events: Vec::new(),
            accepted: 0,
            rejected: 0,
            skipped: 0,
            problems: Problems::default(),
        };
        Self { policy, outcome }
    }

    /// The policy.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// This many events come next.
    pub fn reserve(&mut self, events: usize) {
        self.outcome.events.reserve(events);
    }

    /// One record was mapped to `event`.
    #[inline]
    pub fn accept(&mut self, event: impl Into<Event>) {
        self.outcome.accepted += 1;
        self.push(event);
    }

    /// One more event of the record that was accepted last, or of the input as a whole.
    #[inline]
    pub fn push(&mut self, event: impl Into<Event>) {
        // Under a strict policy nothing after the first problem can be stored any more.
        if self.policy == Policy::RecordAnomaly || self.outcome.problems.count() == 0 {
            self.outcome.events.push(event.into());
        }
    }

    /// One record was refused. Its anomaly is evidence: push the event for it, or one for several, when the policy asks for that.
    pub fn reject(&mut self, anomaly: Anomaly) {
        self.outcome.rejected += 1;
        self.note(anomaly);
    }

    /// One record is of a kind that the contract leaves out.
    pub fn skip(&mut self) {
        self.outcome.skipped += 1;
    }

    /// Something is wrong that is no record's, such as a hole between two.
    pub fn note(&mut self, anomaly: Anomaly) {
        self.outcome.problems.push(anomaly);
        if self.policy == Policy::StrictFail {
            self.outcome.events = Vec::new();
        }
    }

    /// Gives away the events so far, for inputs that do not fit into memory. Under `StrictFail` there are none to give:
    /// whether they may be stored is known at the end.
    pub fn take_events(&mut self) -> Vec<Event> {
        match self.policy {
            Policy::StrictFail => Vec::new(),
            Policy::RecordAnomaly => std::mem::take(&mut self.outcome.events),
        }
    }

    /// Ends the input.
    ///
    /// # Errors
    ///
    /// `Refused` under `StrictFail` when anything was wrong.
    pub fn finish(self) -> Result<Outcome, Refused> {
        let received = self.outcome.received();
        if self.policy == Policy::StrictFail && self.outcome.problems.count() > 0 {
            return Err(Refused { problems: self.outcome.problems, received });
        }
        Ok(self.outcome)
    }
}
