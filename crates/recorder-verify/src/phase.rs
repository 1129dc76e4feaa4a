//! The seven phases. Each has its own file and its own report, which nothing outside that file can make.
//!
//! One pass over the envelopes serves several phases: each of them looks at a line through its own function.

pub mod anchors;
pub mod attachments;
pub mod chain;
pub mod content;
pub mod manifest;
pub mod segments;
pub mod signatures;

use std::collections::BTreeMap;

/// How many of each thing a phase has checked, by a stable name.
pub type Counts = BTreeMap<&'static str, u64>;
