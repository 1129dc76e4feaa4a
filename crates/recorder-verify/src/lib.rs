//! Offline verification of bundles: seven phases, five answers, one verdict. No store, no clock, no network.

pub mod finding;

pub use finding::{Finding, FindingCode, Findings, Phase, Place, Question, Severity};
