//! What a bundle says that it holds. Nothing of it is verified but that the manifest has its form and the container
//! the parts that it names: whoever shows an inspection says so.

use recorder_core::hash::TreeHash;
use recorder_core::identity::{BundleId, StreamId};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::bundle::ManifestSegment;
use recorder_envelope::selector::Selector;
use serde::Serialize;

use crate::archive::ReadError;
use crate::container::{Container, Form};
use crate::finding::Findings;
use crate::limits::{VerifyError, VerifyLimits};
use crate::phase::manifest::{self, Beside};
use crate::source::ReadAt;

/// What a bundle says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Attachments that it lists, those apart that it lists as withheld.
    pub attachment_count: u64,
    /// Its name.
    pub bundle_id: BundleId,
    /// When it was built.
    pub created_at: UtcTimestamp,
    /// Envelopes that it lists.
    pub envelope_count: u64,
    /// In which form it comes.
    pub form: Form,
    /// Whether it has a checkpoint.
    pub has_checkpoint: bool,
    /// Whether its manifest carries a signature.
    pub has_signature: bool,
    /// Parents that it lists as left out.
    pub omitted_parent_count: u64,
    /// Parts that it lists.
    pub part_count: u64,
    /// The root of the log that it is tied to.
    pub root_hash: TreeHash,
    /// Its segments.
    pub segments: Vec<ManifestSegment>,
    /// What was asked for when it was built.
    pub selector: Selector,
    /// The stream that it is about.
    pub stream: StreamId,
    /// The size of the log that it is tied to.
    pub tree_size: u64,
    /// Always false.
    pub verified: bool,
    /// Attachments that it lists as withheld.
    pub withheld_count: u64,
}

/// Reads a bundle's manifest and compares the container with it.
///
/// # Errors
///
/// `Refused` with the first finding where nothing can be told, `Failed` where the medium or a limit says so.
pub fn inspect(bundle: &dyn ReadAt, limits: &VerifyLimits) -> Result<Inspection, ReadError> {
    let container = Container::open(bundle, limits)?;
    let mut findings = Findings::default();
    let Some(admitted) = manifest::admit(&container, limits, &mut findings)? else {
        let first = findings.kept().into_iter().next();
        let defect = ReadError::Failed(VerifyError::Defect("a refusal without a finding"));
        return Err(first.map_or(defect, ReadError::Refused));
    };
    let content = admitted.content();
    let withheld_count = content.attachments.iter().filter(|entry| entry.withheld).count() as u64;
    Ok(Inspection {
        attachment_count: content.attachments.len() as u64 - withheld_count,
        bundle_id: admitted.manifest.bundle_id(),
        created_at: content.created_at,
        envelope_count: content.envelope_count,
        form: container.form(),
        has_checkpoint: admitted.plan.checkpoint.is_some(),
        has_signature: matches!(admitted.signatures, Beside::Signatures(_)),
        omitted_parent_count: content.omitted_parent_ids.len() as u64,
        part_count: content.parts.len() as u64,
        root_hash: content.root_hash,
        segments: content.segments.clone(),
        selector: content.selector.clone(),
        stream: content.stream.clone(),
        tree_size: content.tree_size,
        verified: false,
        withheld_count,
    })
}
