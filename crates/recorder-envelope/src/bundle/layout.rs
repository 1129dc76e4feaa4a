//! Names of a bundle's parts.
//!
//! An archive holds, in this order: the manifest, its signature, the checkpoint, the README, then for each
//! segment its genesis, its seal and its envelopes, then the proofs, then attachments by hash. The manifest's
//! signature, the checkpoint, seals and proofs are there only where there is something to say; the README always is.

use recorder_core::hash::AttachmentHash;

/// The manifest: JCS.
pub const MANIFEST: &str = "manifest.json";

/// The DSSE signature of the manifest.
pub const MANIFEST_DSSE: &str = "manifest.dsse.json";

/// The signed note that covers every included envelope.
pub const CHECKPOINT: &str = "checkpoint";

/// What the bundle is and how to verify it, for a person.
pub const README: &str = "README.txt";

/// Gap anchors and inclusion paths.
pub const PROOFS: &str = "proofs/000000.jsonl";

/// Extension of bundle archives.
pub const ARCHIVE_EXTENSION: &str = "recorder.zip";

/// Media type of the bundle document.
pub const DOCUMENT_MEDIA_TYPE: &str = "application/vnd.recorder.bundle+json";

/// `segments/000000/genesis.json`.
pub fn genesis(segment: usize) -> String {
    format!("segments/{segment:06}/genesis.json")
}

/// `segments/000000/seal.json`.
pub fn seal(segment: usize) -> String {
    format!("segments/{segment:06}/seal.json")
}

/// `segments/000000/envelopes-000000.jsonl`.
pub fn envelopes(segment: usize, part: usize) -> String {
    format!("segments/{segment:06}/envelopes-{part:06}.jsonl")
}

/// `attachments/sha256/<hex>`.
pub fn attachment(content_hash: &AttachmentHash) -> String {
    format!("attachments/sha256/{content_hash}")
}

/// What a part is, told by its name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PartKind {
    /// `checkpoint`.
    Checkpoint,
    /// `README.txt`.
    Readme,
    /// The genesis of the segment with this number in the bundle.
    Genesis(usize),
    /// The seal of the segment with this number in the bundle.
    Seal(usize),
    /// Envelopes: the segment's number in the bundle, the part's number in the segment.
    Envelopes(usize, usize),
    /// Gap anchors and inclusion paths.
    Proofs,
    /// Attachment bytes.
    Attachment(AttachmentHash),
}

impl PartKind {
    /// Recognises the one spelling of each name; anything else is `None`.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            CHECKPOINT => return Some(Self::Checkpoint),
            README => return Some(Self::Readme),
            PROOFS => return Some(Self::Proofs),
            _ => {}
        }
        if let Some(hash) = name.strip_prefix("attachments/sha256/") {
            return AttachmentHash::from_hex(hash).ok().map(Self::Attachment);
        }
        let (segment, file) = name.strip_prefix("segments/")?.split_once('/')?;
        let segment = number(segment)?;
        match file {
            "genesis.json" => Some(Self::Genesis(segment)),
            "seal.json" => Some(Self::Seal(segment)),
            _ => {
                let part = file.strip_prefix("envelopes-")?.strip_suffix(".jsonl")?;
                Some(Self::Envelopes(segment, number(part)?))
            }
        }
    }
}

/// Reads a number as `{:06}` writes it.
fn number(text: &str) -> Option<usize> {
    let value: usize = text.parse().ok()?;
    (text.len() >= 6 && format!("{value:06}") == text).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_in_one_spelling() {
        let hash = AttachmentHash::from_bytes([1; 32]);
        let pairs = [
            (genesis(0), PartKind::Genesis(0)),
            (seal(12), PartKind::Seal(12)),
            (envelopes(1, 2_000_000), PartKind::Envelopes(1, 2_000_000)),
            (attachment(&hash), PartKind::Attachment(hash)),
            (PROOFS.to_owned(), PartKind::Proofs),
        ];
        for (name, kind) in pairs {
            assert_eq!(PartKind::of_name(&name), Some(kind), "{name}");
        }
        for name in [
            "",
            MANIFEST,
            "segments/0/genesis.json",
            "segments/+00001/genesis.json",
            "segments/0000001/genesis.json",
            "segments/000000/envelopes-1.jsonl",
            "segments/000000/../genesis.json",
            "Checkpoint",
            "attachments/sha256/AA",
            "/checkpoint",
        ] {
            assert_eq!(PartKind::of_name(name), None, "{name}");
        }
    }
}
