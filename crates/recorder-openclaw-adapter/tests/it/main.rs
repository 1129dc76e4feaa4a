//! What the adapter makes of streams and ledgers, whole and damaged.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests read their data, and their helpers fail like tests"
)]

mod any_bytes;
mod capture;
mod contract;
mod corpus;
mod hostile;
mod ledger;
mod numbers;
mod page;
mod sample;
mod secrets;
mod vectors;
