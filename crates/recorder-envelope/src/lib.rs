//! The evidence format and nothing else: canonical JSON, hashes, envelopes, segments, the Merkle log, signing, bundles.

pub mod checkpoint;
pub mod json;
pub mod key_file;
pub mod merkle;
pub mod note;
pub mod signing;
