//! Builds bundles from fixed ids, times and keys, and tampers with them at any level.
//!
//! Three layers, each of which a test may change before the next is made of it: the [`log`] as its recorder holds it,
//! the [`bundle`] of parts with its manifest, the [`zip`] archive or the document. What is recomputed after a change is
//! the test's choice, as it is an attacker's. Nothing here verifies, and nothing here shares code with the verifier
//! but the evidence format itself.

pub(crate) mod bundle;
pub(crate) mod document;
pub(crate) mod draft;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod rotation;
mod tests;
pub(crate) mod zip;
