//! The bundle: its manifest, the names of its parts, gap anchors and inclusion paths (evidence format §7).
//!
//! Bundles are built by the engine and read by the verifier; this module is what both agree on.

pub mod archive;
pub mod layout;
pub mod manifest;
pub mod proof;

pub use manifest::{Manifest, ManifestAttachment, ManifestError, ManifestPart, ManifestSegment};
pub use proof::ProofLine;
