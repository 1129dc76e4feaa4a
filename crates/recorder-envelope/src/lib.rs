//! The evidence format and nothing else: canonical JSON, hashes, envelopes, segments, the Merkle log, signing, bundles.

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
pub mod segment;
pub mod selector;
pub mod signing;
pub mod trust_root;
