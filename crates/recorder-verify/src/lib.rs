//! Offline verification of bundles: seven phases, five answers, one verdict. No store, no clock, no network.

pub mod archive;
mod container;
mod contents;
mod document;
pub mod finding;
mod ids;
mod inspect;
pub mod limits;
mod lines;
mod part;
pub mod phase;
mod pool;
mod proofs;
pub mod report;
pub mod source;
mod succession;
mod transcript;
pub mod verdict;
mod verify;

pub use container::Form;
pub use contents::{Contents, Event, read_contents};
pub use finding::{Finding, FindingCode, Findings, Phase, Place, Question, Severity};
pub use inspect::{Inspection, inspect};
pub use limits::{VerifyError, VerifyLimits};
pub use phase::signatures::VouchingKey;
pub use report::{PhaseSummary, Report, Subject, UsedKey};
pub use source::ReadAt;
pub use transcript::{Transcript, TranscriptInputs};
pub use verdict::{
    Answers, Authenticity, Completeness, End, Integrity, Outcome, Requirements, Time, Verdict,
};
pub use verify::{Progress, VerifyOptions, verify};
