//! The engine over both stores: every test ends in one oracle that reads everything back and derives it again.
#![cfg(test)]

mod append;
mod bundles;
mod claims;
mod concurrency;
mod faults;
mod fsck;
mod guard;
mod harness;
mod oracle;
mod queries;
mod random;
mod rotation;
mod segments;
mod startup;
mod tampered;
