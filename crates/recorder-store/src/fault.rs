//! Faults that tests put into a store, so that each write can fail in both ways in which writes fail.
//!
//! Nothing here is reached unless a test asks for it by a method named `testing_only_…`.

/// How the next commit fails. Both are reported as `OutcomeUnknown`, since the writer cannot tell them apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Nothing is written.
    Lost,
    /// Everything is written.
    Landed,
}

/// The cause of an injected `OutcomeUnknown`.
#[derive(Debug, thiserror::Error)]
#[error("a fault put in by a test")]
pub(crate) struct Injected;
