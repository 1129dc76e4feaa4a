//! What the adapter makes of runpacks and transcripts, whole and damaged.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read their data, and their helpers fail like tests"
)]

mod captures;
mod damage;
mod hostile;
mod pack;
mod properties;
mod vectors;
