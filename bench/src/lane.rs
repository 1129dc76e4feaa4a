//! One file per thing that is measured.

mod canonical;
mod decision_gate;
mod ingest;
pub(crate) mod memory;
mod otel;
pub(crate) mod saturation;
mod sidecar;
mod store;
mod verify;

use std::path::PathBuf;

use crate::data::Data;
use crate::report::Row;
use saturation::Capacity;

/// What every lane needs.
pub(crate) struct Session {
    /// Small sizes, to try things out.
    pub(crate) quick: bool,
    /// Databases that live as long as one lane.
    pub(crate) scratch: PathBuf,
    /// Stores and archives that outlive the run.
    pub(crate) data: Data,
}

/// What a lane found.
pub(crate) struct Found {
    /// The lines of its table.
    pub(crate) rows: Vec<Row>,
    /// What it can take, where that was the question.
    pub(crate) capacity: Option<Capacity>,
}

/// A lane: what it is called, what it does, and how it measures.
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    /// The work that its numbers are of.
    pub(crate) workload: &'static str,
    pub(crate) run: fn(&Session) -> anyhow::Result<Found>,
}

impl From<Vec<Row>> for Found {
    fn from(rows: Vec<Row>) -> Self {
        Self { rows, capacity: None }
    }
}

/// All lanes, in the order of the table.
pub(crate) const ALL: [Lane; 9] = [
    Lane {
        name: "ingest",
        workload: "one thread, corpus envelopes of about 1 KiB, 128 a commit, FULL",
        run: |session| Ok(ingest::run(session)?.into()),
    },
    Lane {
        name: "canonical",
        workload: "payloads of the corpus, canonicalised on one thread",
        run: |session| Ok(canonical::run(session)?.into()),
    },
    Lane {
        name: "verify",
        workload: "an archive of 200,000 corpus envelopes, verified whole",
        run: |session| Ok(verify::run(session)?.into()),
    },
    Lane {
        name: "memory",
        workload: "archives of 100,000 and 1,000,000 corpus envelopes, verified in a process of their own",
        run: |session| Ok(memory::run(session)?.into()),
    },
    Lane {
        name: "store",
        workload: "databases of 10,000 to 1,000,000 corpus envelopes: size, opening, bundles, proofs",
        run: |session| Ok(store::run(session)?.into()),
    },
    Lane {
        name: "decision_gate",
        workload: "a fixture of 8 MiB, mapped in a process of its own",
        run: |session| Ok(decision_gate::run(session)?.into()),
    },
    Lane {
        name: "otel",
        workload: "OTLP bodies of 512 spans, mapped and redacted on one thread",
        run: |session| Ok(otel::run(session)?.into()),
    },
    Lane {
        name: "sidecar",
        workload: "fixed loads from a second process: 64 connections of one envelope, 16 of batches of 100, FULL",
        run: |session| Ok(sidecar::run(session)?.into()),
    },
    Lane {
        name: "saturation",
        workload: "one envelope a request on 256 connections, at rates that rise until receipts come late, FULL",
        run: |session| {
            let (rows, capacity) = saturation::run(session)?;
            Ok(Found { rows, capacity: Some(capacity) })
        },
    },
];

/// Their names.
pub(crate) fn names() -> String {
    ALL.each_ref().map(|lane| lane.name).join(", ")
}
