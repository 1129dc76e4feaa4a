//! Offline verification of bundles: seven phases, five answers, one verdict. No store, no clock, no network.

pub mod archive;
mod container;
mod document;
pub mod finding;
pub mod limits;
pub mod source;

pub use finding::{Finding, FindingCode, Findings, Phase, Place, Question, Severity};
pub use limits::{VerifyError, VerifyLimits};
pub use source::ReadAt;
