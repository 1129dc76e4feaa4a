//! The manifest: what a bundle says it holds. Everything in it is recomputed by a verifier, never believed.

use recorder_core::hash::{
    AttachmentHash, ChainHash, GenesisHash, PartHash, SealHash, TreeHash, sha256,
};
use recorder_core::identity::{BundleId, ContentType, EnvelopeId, SegmentId, StreamId};
use recorder_core::limits::MANIFEST_BYTES_MAX;
use recorder_core::time::UtcTimestamp;
use serde::{Deserialize, Serialize};

use crate::json::{self, JsonLimits};
use crate::selector::Selector;
use crate::wire::{self, HashAlgorithm};

/// Why bytes are not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not strict JSON, or not a manifest.
    #[error("{0}")]
    Form(#[from] json::StrictError),
    /// The bytes are not the canonical form of the object that they hold.
    #[error("not in canonical form")]
    NotCanonical,
    /// `bundle_id` is not the one that the other members give.
    #[error("bundle_id does not follow from the other members")]
    BundleId,
}

/// What a manifest holds besides its own id.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManifestContent {
    /// When the bundle was built.
    pub created_at: UtcTimestamp,
    /// The one stream that it is about.
    pub stream: StreamId,
    /// What was asked for.
    pub selector: Selector,
    /// The segments that included envelopes lie in, by position.
    pub segments: Vec<ManifestSegment>,
    /// Included envelopes.
    pub envelope_count: u64,
    /// Attachments that included envelopes refer to, sorted by hash, then type.
    pub attachments: Vec<ManifestAttachment>,
    /// The size of the Merkle log that the bundle is tied to.
    pub tree_size: u64,
    /// The root of the log at that size.
    pub root_hash: TreeHash,
    /// Parents that included envelopes name and the bundle does not hold, sorted.
    pub omitted_parent_ids: Vec<EnvelopeId>,
    /// Every part but the manifest and its signature, in the archive's order.
    pub parts: Vec<ManifestPart>,
}

/// A manifest with the id that follows from it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manifest {
    bundle_id: BundleId,
    content: ManifestContent,
}

/// One segment of the bundle.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSegment {
    /// The segment.
    pub segment_id: SegmentId,
    /// The hash of its genesis.
    pub genesis_hash: GenesisHash,
    /// The hash of its seal; null while it is open.
    #[serde(deserialize_with = "wire::required_option")]
    pub seal_hash: Option<SealHash>,
    /// Its last chain hash.
    pub chain_head: ChainHash,
    /// Envelopes that it holds.
    pub envelope_count: u64,
    /// Envelopes of it that the bundle holds.
    pub included_count: u64,
    /// Whether those are all.
    pub complete: bool,
}

/// One attachment that included envelopes refer to.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestAttachment {
    /// SHA-256 of the bytes.
    pub content_hash: AttachmentHash,
    /// What the bytes are, as the envelopes say.
    pub content_type: ContentType,
    /// How many bytes there are.
    pub size_bytes: u64,
    /// Whether the bytes were left out; written only when true.
    #[serde(default, skip_serializing_if = "is_false")]
    pub withheld: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// One part: a member of the archive, an entry of the document.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestPart {
    /// Its name.
    pub name: Box<str>,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: PartHash,
}

/// The object as written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ManifestObject {
    attachments: Vec<ManifestAttachment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle_id: Option<BundleId>,
    created_at: UtcTimestamp,
    envelope_count: u64,
    hash_algorithm: HashAlgorithm,
    omitted_parent_ids: Vec<EnvelopeId>,
    parts: Vec<ManifestPart>,
    root_hash: TreeHash,
    segments: Vec<ManifestSegment>,
    selector: Selector,
    stream: StreamId,
    tree_size: u64,
    #[serde(rename = "type")]
    kind: ManifestKind,
}

#[derive(Deserialize, Serialize)]
enum ManifestKind {
    #[serde(rename = "recorder.bundle/v1")]
    V1,
}

impl Manifest {
    /// Names `content` by its hash.
    pub fn new(content: ManifestContent) -> Self {
        let bundle_id = derive_bundle_id(&wire::canonical(&object(&content, None)));
        Self { bundle_id, content }
    }

    /// Parses canonical bytes.
    ///
    /// # Errors
    ///
    /// `ManifestError` when the bytes are not the canonical form of a manifest, or its id is not its own.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, ManifestError> {
        let limits = JsonLimits {
            input_bytes_max: MANIFEST_BYTES_MAX as usize,
            depth_max: JsonLimits::PAYLOAD.depth_max * 2,
            nodes_max: MANIFEST_BYTES_MAX as usize,
        };
        let read: ManifestObject = json::from_strict(bytes, &limits)?;
        let stated = read.bundle_id.ok_or_else(|| schema("bundle_id is missing"))?;
        if !read.selector.is_within_bounds() {
            return Err(schema("the selector is too large, or nested too deep"));
        }
        let content = ManifestContent {
            created_at: read.created_at,
            stream: read.stream,
            selector: read.selector,
            segments: read.segments,
            envelope_count: read.envelope_count,
            attachments: read.attachments,
            tree_size: read.tree_size,
            root_hash: read.root_hash,
            omitted_parent_ids: read.omitted_parent_ids,
            parts: read.parts,
        };
        if wire::canonical(&object(&content, Some(stated))) != bytes {
            return Err(ManifestError::NotCanonical);
        }
        let manifest = Self::new(content);
        if manifest.bundle_id != stated {
            return Err(ManifestError::BundleId);
        }
        Ok(manifest)
    }

    /// The JCS bytes.
    pub fn to_canonical(&self) -> Vec<u8> {
        wire::canonical(&object(&self.content, Some(self.bundle_id)))
    }

    /// The bundle's name.
    pub fn bundle_id(&self) -> BundleId {
        self.bundle_id
    }

    /// Everything else.
    pub fn content(&self) -> &ManifestContent {
        &self.content
    }

    /// Everything else, owned.
    pub fn into_content(self) -> ManifestContent {
        self.content
    }
}

fn object(content: &ManifestContent, bundle_id: Option<BundleId>) -> ManifestObject {
    let content = content.clone();
    ManifestObject {
        attachments: content.attachments,
        bundle_id,
        created_at: content.created_at,
        envelope_count: content.envelope_count,
        hash_algorithm: HashAlgorithm::Sha256,
        omitted_parent_ids: content.omitted_parent_ids,
        parts: content.parts,
        root_hash: content.root_hash,
        segments: content.segments,
        selector: content.selector,
        stream: content.stream,
        tree_size: content.tree_size,
        kind: ManifestKind::V1,
    }
}

fn schema(what: &str) -> ManifestError {
    ManifestError::Form(json::StrictError::Schema(serde::de::Error::custom(what)))
}

/// The first 16 bytes of `SHA-256(JCS(manifest without bundle_id))`, with the UUIDv7 bits set.
fn derive_bundle_id(canonical: &[u8]) -> BundleId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&sha256(&[canonical])[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    #[expect(clippy::expect_used, reason = "the version and variant bits were set just above")]
    BundleId::from_bytes(bytes).expect("a UUIDv7")
}
