//! Attachments: bytes named by their SHA-256, and the references that envelopes hold (evidence format §3).

use std::sync::Arc;

use recorder_core::hash::AttachmentHash;
use recorder_core::identity::ContentType;
use recorder_core::limits::{ATTACHMENT_BYTES_MAX, ATTACHMENT_REFS_MAX};
use serde::{Deserialize, Serialize};

use crate::preimage;

/// Why attachments or references were refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AttachmentError {
    /// More bytes than one attachment may have.
    #[error("attachment has {size_bytes} bytes; at most {size_bytes_max} are allowed")]
    TooLarge {
        /// The bytes that it has.
        size_bytes: u64,
        /// The most that is allowed.
        size_bytes_max: u64,
    },
    /// More references than one envelope may hold.
    #[error("envelope refers to {count} attachments; at most {count_max} are allowed")]
    TooManyRefs {
        /// The references that it holds.
        count: usize,
        /// The most that is allowed.
        count_max: usize,
    },
    /// Two references to the same bytes.
    #[error("two references to the same attachment bytes")]
    DuplicateRef,
    /// References in another order than that of their hashes.
    #[error("references are not sorted by content_hash")]
    UnsortedRefs,
}

/// What an envelope says of one attachment.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentRef {
    /// SHA-256 of the bytes.
    pub content_hash: AttachmentHash,
    /// What the bytes are, as the producer claims.
    pub content_type: ContentType,
    /// How many bytes there are.
    pub size_bytes: u64,
}

/// References sorted by `content_hash`, without duplicates, at most 4,096.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Vec<AttachmentRef>", into = "Vec<AttachmentRef>")]
pub struct AttachmentRefs(Vec<AttachmentRef>);

impl AttachmentRefs {
    /// Sorts `refs` and takes them.
    ///
    /// # Errors
    ///
    /// `TooManyRefs`, or `DuplicateRef` when two name the same bytes.
    pub fn sorted(mut refs: Vec<AttachmentRef>) -> Result<Self, AttachmentError> {
        refs.sort();
        Self::try_from(refs)
    }

    /// The references in order.
    pub fn as_slice(&self) -> &[AttachmentRef] {
        &self.0
    }
}

impl TryFrom<Vec<AttachmentRef>> for AttachmentRefs {
    type Error = AttachmentError;

    fn try_from(refs: Vec<AttachmentRef>) -> Result<Self, AttachmentError> {
        if refs.len() > ATTACHMENT_REFS_MAX {
            return Err(AttachmentError::TooManyRefs {
                count: refs.len(),
                count_max: ATTACHMENT_REFS_MAX,
            });
        }
        for pair in refs.windows(2) {
            match pair[0].content_hash.cmp(&pair[1].content_hash) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(AttachmentError::DuplicateRef),
                std::cmp::Ordering::Greater => return Err(AttachmentError::UnsortedRefs),
            }
        }
        Ok(Self(refs))
    }
}

impl From<AttachmentRefs> for Vec<AttachmentRef> {
    fn from(refs: AttachmentRefs) -> Self {
        refs.0
    }
}

/// Attachment bytes with the reference that names them. Copies share the bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct Attachment {
    reference: AttachmentRef,
    bytes: Arc<Vec<u8>>,
}

impl Attachment {
    /// Takes bytes and names them by their hash.
    ///
    /// # Errors
    ///
    /// `TooLarge` beyond 16 MiB.
    pub fn new(content_type: ContentType, bytes: Vec<u8>) -> Result<Self, AttachmentError> {
        let size_bytes = bytes.len() as u64;
        if size_bytes > ATTACHMENT_BYTES_MAX {
            return Err(AttachmentError::TooLarge {
                size_bytes,
                size_bytes_max: ATTACHMENT_BYTES_MAX,
            });
        }
        let content_hash = preimage::attachment_hash(&bytes);
        let reference = AttachmentRef { content_hash, content_type, size_bytes };
        Ok(Self { reference, bytes: Arc::new(bytes) })
    }

    /// How envelopes refer to these bytes.
    pub fn reference(&self) -> &AttachmentRef {
        &self.reference
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Attachment").field(&self.reference).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(byte: u8) -> AttachmentRef {
        AttachmentRef {
            content_hash: AttachmentHash::from_bytes([byte; 32]),
            content_type: "text/plain".parse().unwrap(),
            size_bytes: 1,
        }
    }

    #[test]
    fn references_are_sorted_and_unique() {
        assert!(AttachmentRefs::sorted(vec![reference(2), reference(1)]).is_ok());
        let unsorted = AttachmentRefs::try_from(vec![reference(2), reference(1)]);
        assert_eq!(unsorted, Err(AttachmentError::UnsortedRefs));
        let twice = AttachmentRefs::sorted(vec![reference(1), reference(1)]);
        assert_eq!(twice, Err(AttachmentError::DuplicateRef));
    }

    #[test]
    fn too_many_references_are_refused() {
        let refs = vec![reference(1); ATTACHMENT_REFS_MAX + 1];
        assert!(matches!(AttachmentRefs::sorted(refs), Err(AttachmentError::TooManyRefs { .. })));
    }

    #[test]
    fn bytes_are_named_by_their_hash() {
        let attachment = Attachment::new("text/plain".parse().unwrap(), b"abc".to_vec()).unwrap();
        assert_eq!(
            attachment.reference().content_hash.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let large = vec![0; ATTACHMENT_BYTES_MAX as usize + 1];
        assert!(Attachment::new("text/plain".parse().unwrap(), large).is_err());
    }
}
