//! How much work a verification may be asked for, and why one could not be carried out.
//!
//! Limits are the verifier's own: what a bundle states is compared with them before the work that it would cost.

use std::io;

use recorder_core::limits::{
    ARCHIVE_ENVELOPES_MAX, ATTACHMENT_BYTES_MAX, DOCUMENT_ATTACHMENTS_MAX, DOCUMENT_BYTES_MAX,
    DOCUMENT_ENVELOPES_MAX, INFLATE_RATIO_MAX, MANIFEST_BYTES_MAX, SEGMENT_ENVELOPES_MAX,
    SEGMENTS_MAX,
};
use serde::Serialize;

/// Extra passes over all envelope ids: each settles 131,072 doubts, which time-ordered streams do not raise.
pub const ID_ROUNDS_MAX: u64 = 64;

/// Bounds of one verification.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct VerifyLimits {
    /// Envelopes in an archive.
    pub archive_envelopes_max: u64,
    /// Bytes of one attachment.
    pub attachment_bytes_max: u64,
    /// Attachments in a document.
    pub document_attachments_max: u64,
    /// Bytes of a document, which is held in memory.
    pub document_bytes_max: u64,
    /// Envelopes in a document.
    pub document_envelopes_max: u64,
    /// Extra passes over all envelope ids.
    pub id_rounds_max: u64,
    /// Inflated bytes for each stored byte.
    pub inflate_ratio_max: u64,
    /// Bytes of the manifest, which is held in memory.
    pub manifest_bytes_max: u64,
    /// Envelopes in one segment.
    pub segment_envelopes_max: u64,
    /// Segments.
    pub segments_max: u64,
}

impl Default for VerifyLimits {
    fn default() -> Self {
        Self {
            archive_envelopes_max: ARCHIVE_ENVELOPES_MAX,
            attachment_bytes_max: ATTACHMENT_BYTES_MAX,
            document_attachments_max: DOCUMENT_ATTACHMENTS_MAX,
            document_bytes_max: DOCUMENT_BYTES_MAX,
            document_envelopes_max: DOCUMENT_ENVELOPES_MAX,
            id_rounds_max: ID_ROUNDS_MAX,
            inflate_ratio_max: INFLATE_RATIO_MAX,
            manifest_bytes_max: MANIFEST_BYTES_MAX,
            segment_envelopes_max: SEGMENT_ENVELOPES_MAX,
            segments_max: SEGMENTS_MAX as u64,
        }
    }
}

/// Why a bundle could not be judged. Whatever is wrong with the bundle itself is a finding.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The medium failed.
    #[error("cannot read the bundle")]
    Io(#[from] io::Error),
    /// The bundle asks for more work than the limits allow.
    #[error("{what}: {found} is more than the limit of {limit}")]
    Limit {
        /// The limit's name.
        what: &'static str,
        /// What the bundle asks for.
        found: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The checks contradict themselves: a defect of the verifier, which then says nothing.
    #[error("the verifier failed: {0}")]
    Defect(&'static str),
}

/// Refuses work beyond a limit.
pub(crate) fn within(what: &'static str, found: u64, limit: u64) -> Result<(), VerifyError> {
    if found > limit { Err(VerifyError::Limit { what, found, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use recorder_envelope::json::to_canonical;

    use super::*;

    #[test]
    fn the_format_page_has_the_limits_by_default() {
        let page = include_str!("../../../docs/spec/evidence-format.md");
        let limits = to_canonical(&VerifyLimits::default()).unwrap();
        let block = format!("```text\n{}\n```\n", String::from_utf8(limits).unwrap());
        assert!(page.contains(&block), "docs/spec/evidence-format.md §15 should have:\n{block}");
    }
}
