//! Builds bundles: a selection of one stream, tied to its log, as an archive or a document (evidence format §7).
//!
//! One pass over the selected envelopes writes their lines to a spool; the manifest, which stands first and names
//! the hash of every part, is made after that. Memory does not grow with the envelopes. The same selection of the
//! same log gives the same bytes.

mod archive;
mod document;
mod error;
mod part;
mod proofs;
mod readme;
mod selection;

use std::io::{Read, Seek, Write};

use recorder_core::identity::{BundleId, StreamId};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::bundle::manifest::ManifestContent;
use recorder_envelope::bundle::{Manifest, layout};
use recorder_envelope::checkpoint::SignedCheckpoint;
use recorder_envelope::dsse::ManifestSignatures;
use recorder_envelope::merkle;
use recorder_envelope::segment::SigningPromise;
use recorder_envelope::selector::Selector;
use recorder_envelope::signing::SecretKey;
use recorder_store::{Store, StoredCheckpoint};

pub use archive::write_archive;
pub use document::write_document;
pub use error::BuildError;

use crate::log;
use crate::succession::Succession;
use part::Part;
use selection::Selection;

/// Intermediate storage for what is selected: an unnamed temporary file, or memory for small bundles.
pub trait Spool: Read + Write + Seek {}

impl<T: Read + Write + Seek> Spool for T {}

/// How parts are kept in an archive.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Compression {
    /// As they are: the same bytes for ever, and the fastest to verify.
    #[default]
    Stored,
    /// Deflated where that pays.
    Deflate,
}

/// Which size of the log a bundle is tied to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AnchorAt {
    /// The newest checkpoint, or, in a stream without checkpoints, the log as it is.
    #[default]
    Newest,
    /// The oldest checkpoint of at least this size that the signer may vouch for, so that the same request gives the
    /// same bytes until the key is rotated; in a stream without such a checkpoint, the log at this size.
    Oldest {
        /// Envelopes that the log must hold.
        tree_size: u64,
    },
}

/// What to build.
pub struct BuildRequest<'a> {
    /// The stream.
    pub stream: StreamId,
    /// Which of its envelopes.
    pub selector: Selector,
    /// When the bundle is built.
    pub created_at: UtcTimestamp,
    /// The log that the bundle is tied to.
    pub anchor: AnchorAt,
    /// How parts are kept in an archive.
    pub compression: Compression,
    /// Signs the manifest; a stream that promises signatures needs it.
    pub signer: Option<&'a SecretKey>,
}

/// What was built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Built {
    /// The bundle's name.
    pub bundle_id: BundleId,
    /// Included envelopes.
    pub envelope_count: u64,
    /// Segments that they lie in.
    pub segment_count: usize,
    /// Attachments with their bytes.
    pub attachment_count: usize,
    /// The size of the log that the bundle is tied to.
    pub tree_size: u64,
    /// Bytes written.
    pub size_bytes: u64,
    /// Whether a signed checkpoint covers every envelope.
    pub checkpointed: bool,
}

/// A bundle before it has a form: the manifest and its parts.
struct Assembled {
    manifest: Manifest,
    /// The manifest, its signature where there is one, then the parts that it lists: in the archive's order.
    members: Vec<Part>,
}

/// The log that a bundle is tied to.
struct Anchor {
    tree_size: u64,
    root_hash: recorder_core::hash::TreeHash,
    checkpoint: Option<SignedCheckpoint>,
}

/// The checkpoint that is asked for, or the log where there is none.
fn anchor(store: &dyn Store, request: &BuildRequest<'_>) -> Result<Anchor, BuildError> {
    let stream = &request.stream;
    let head = store
        .head(stream)?
        .ok_or_else(|| BuildError::NoSuchStream { stream: stream.to_string() })?;
    let newest = head.open_segment.as_ref().map(|open| open.genesis.signing);
    let sealed = head.last_sealed.as_ref().map(|sealed| sealed.genesis.signing);
    let promise = newest.or(sealed).unwrap_or(SigningPromise::None);
    if promise > SigningPromise::None && request.signer.is_none() {
        return Err(BuildError::SignerRequired);
    }
    let signs_from = signs_from(store, request)?;
    let (checkpoint, tree_size) = match request.anchor {
        AnchorAt::Newest => (head.checkpoint, head.next_position),
        AnchorAt::Oldest { tree_size } if tree_size > head.next_position => {
            return Err(BuildError::BeyondLog { tree_size, size: head.next_position });
        }
        AnchorAt::Oldest { tree_size } => {
            let tree_size = tree_size.max(signs_from);
            (store.checkpoint(stream, tree_size)?, tree_size)
        }
    };
    if let Some(checkpoint) = checkpoint {
        return signed_anchor(&checkpoint);
    }
    // Without its checkpoint such a stream is not merely unsigned but broken.
    if promise > SigningPromise::None {
        return Err(BuildError::CheckpointRequired);
    }
    let root_hash = merkle::root_at(&log::reader(store, stream, tree_size), tree_size)
        .map_err(|error| BuildError::corrupt("tiles", error.to_string()))?;
    Ok(Anchor { tree_size, root_hash, checkpoint: None })
}

/// The smallest log whose manifest the signer may sign: after a rotation, one that holds the rotation. What is asked
/// for of an older log is tied to that one, since the key that signed then is gone.
fn signs_from(store: &dyn Store, request: &BuildRequest<'_>) -> Result<u64, BuildError> {
    let Some(signer) = request.signer else { return Ok(0) };
    let succession = Succession::read(store, &request.stream)?;
    let Some(terms) = succession.last() else { return Ok(0) };
    match terms.new_key == signer.public_key() {
        true => Ok(terms.effective_position + 1),
        false => Err(BuildError::SignerReplaced { key_id: terms.new_key.key_id() }),
    }
}

fn signed_anchor(checkpoint: &StoredCheckpoint) -> Result<Anchor, BuildError> {
    let note = SignedCheckpoint::parse(checkpoint.note.as_bytes())
        .map_err(|error| BuildError::corrupt("checkpoints", error.to_string()))?;
    Ok(Anchor {
        tree_size: note.checkpoint().tree_size(),
        root_hash: note.checkpoint().root(),
        checkpoint: Some(note),
    })
}

/// Selects, spools and lists everything; only the form is left open.
fn assemble(
    store: &dyn Store,
    request: &BuildRequest<'_>,
    spool: &mut dyn Spool,
    progress: &mut dyn FnMut(u64),
) -> Result<Assembled, BuildError> {
    let anchor = anchor(store, request)?;
    let selection = Selection::read(store, request, anchor.tree_size, spool, progress)?;
    if selection.envelope_count == 0 {
        return Err(BuildError::NothingSelected);
    }
    let proofs = proofs::lines(store, &request.stream, anchor.tree_size, &selection)?;
    let attachments = selection.spool_attachments(store, request.compression, spool)?;
    let mut parts = Vec::new();
    if let Some(checkpoint) = &anchor.checkpoint {
        parts.push(Part::in_memory(layout::CHECKPOINT, checkpoint.render().into_bytes()));
    }
    parts.push(Part::in_memory(layout::README, readme::text(request, &selection).into_bytes()));
    let manifest_attachments = selection.manifest_attachments();
    let omitted_parent_ids = selection.omitted_parent_ids.clone();
    let envelope_count = selection.envelope_count;
    let (segments, segment_parts) =
        selection.into_segments(store, &request.stream, anchor.tree_size)?;
    parts.extend(segment_parts);
    if !proofs.is_empty() {
        parts.push(Part::in_memory(layout::PROOFS, proofs));
    }
    parts.extend(attachments);
    let manifest = Manifest::new(ManifestContent {
        created_at: request.created_at,
        stream: request.stream.clone(),
        selector: request.selector.clone(),
        segments,
        envelope_count,
        attachments: manifest_attachments,
        tree_size: anchor.tree_size,
        root_hash: anchor.root_hash,
        omitted_parent_ids,
        parts: parts.iter().map(Part::listed).collect(),
    });
    let bytes = manifest.to_canonical();
    let signature = request.signer.map(|key| sign(&bytes, key)).transpose()?;
    let mut members = vec![Part::in_memory(layout::MANIFEST, bytes)];
    members.extend(signature.map(|bytes| Part::in_memory(layout::MANIFEST_DSSE, bytes)));
    members.extend(parts);
    Ok(Assembled { manifest, members })
}

fn sign(manifest: &[u8], key: &SecretKey) -> Result<Vec<u8>, BuildError> {
    ManifestSignatures::sign(manifest, key)
        .to_json(manifest)
        .map_err(|error| BuildError::corrupt("manifest", error.to_string()))
}

impl Assembled {
    fn built(&self, size_bytes: u64) -> Built {
        let content = self.manifest.content();
        let has = |prefix: &str| {
            content.parts.iter().filter(|part| part.name.starts_with(prefix)).count()
        };
        Built {
            bundle_id: self.manifest.bundle_id(),
            envelope_count: content.envelope_count,
            segment_count: content.segments.len(),
            attachment_count: has("attachments/"),
            tree_size: content.tree_size,
            size_bytes,
            checkpointed: has(layout::CHECKPOINT) > 0,
        }
    }
}
