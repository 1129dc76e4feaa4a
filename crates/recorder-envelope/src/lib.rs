//! The evidence format and nothing else: what is hashed, signed, sealed and exported, and how it is read.
//!
//! The format is described once, in `docs/spec/evidence-format.md`; each module names the section that it
//! implements. There is no store, no clock, no randomness and no file in this crate.

pub mod adapter;
pub mod attachment;
pub mod bundle;
pub mod checkpoint;
pub mod draft;
pub mod dsse;
pub mod envelope;
pub mod json;
pub mod key_file;
pub mod line;
pub mod merkle;
pub mod note;
pub mod preimage;
pub mod redaction;
pub mod rotation;
pub mod segment;
pub mod selector;
pub mod signing;
pub mod tlog_proof;
pub mod trust_root;
mod wire;

pub use wire::ObjectError;
