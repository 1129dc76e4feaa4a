//! One file per thing that is measured.

mod canonical;
mod decision_gate;
mod ingest;
pub(crate) mod memory;
mod otel;
mod store;
mod verify;

use std::path::PathBuf;

use crate::data::Data;
use crate::report::Row;

/// What every lane needs.
pub(crate) struct Session {
    /// Small sizes, to try things out.
    pub(crate) quick: bool,
    /// Databases that live as long as one lane.
    pub(crate) scratch: PathBuf,
    /// Stores and archives that outlive the run.
    pub(crate) data: Data,
}

/// A lane: measures, and gives its rows.
type Lane = fn(&Session) -> anyhow::Result<Vec<Row>>;

/// All lanes, in the order of the table.
pub(crate) const ALL: [(&str, Lane); 7] = [
    ("ingest", ingest::run),
    ("canonical", canonical::run),
    ("verify", verify::run),
    ("memory", memory::run),
    ("store", store::run),
    ("decision_gate", decision_gate::run),
    ("otel", otel::run),
];

/// Their names.
pub(crate) fn names() -> String {
    ALL.map(|(name, _)| name).join(", ")
}
