//! Phase 2: attachment bytes have the hashes that name them, and nothing dangles.
//!
//! Every reference of an included envelope resolves to an entry of the manifest, every entry to bytes or to the
//! statement that they are withheld, and there is neither an entry nor a byte without a reference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use recorder_core::hash::AttachmentHash;
use recorder_core::identity::ContentType;
use recorder_envelope::attachment::AttachmentRef;
use recorder_envelope::bundle::ManifestAttachment;
use recorder_envelope::line::EnvelopeLine;

use super::Counts;
use super::manifest::{Admitted, check_hash};
use crate::archive::ReadError;
use crate::container::Container;
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::limits::{VerifyError, VerifyLimits};
use crate::lines;

/// The manifest's list, and which of its entries envelopes refer to.
pub(crate) struct Closure<'a> {
    list: &'a [ManifestAttachment],
    /// The first entry of each hash and type, in whatever order the list is.
    entries: BTreeMap<(AttachmentHash, &'a ContentType), usize>,
    /// Kept for the first entry only, where the list repeats one.
    referenced: Vec<AtomicBool>,
    references: AtomicU64,
}

/// What the phase has checked. Only this file makes one.
#[derive(Debug)]
pub struct AttachmentsReport {
    counts: Counts,
    withheld: u64,
}

impl AttachmentsReport {
    pub(crate) fn unreached() -> Self {
        Self { counts: Counts::new(), withheld: 0 }
    }

    /// How many of each thing was checked.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Attachments whose bytes were left out.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }
}

impl<'a> Closure<'a> {
    pub(crate) fn new(list: &'a [ManifestAttachment]) -> Self {
        let referenced = list.iter().map(|_| AtomicBool::new(false)).collect();
        let mut entries = BTreeMap::new();
        for (index, entry) in list.iter().enumerate() {
            entries.entry((entry.content_hash, &entry.content_type)).or_insert(index);
        }
        Self { list, entries, referenced, references: AtomicU64::new(0) }
    }

    /// Resolves the references of one envelope.
    pub(crate) fn resolve(
        &self,
        line: &EnvelopeLine<'_>,
        mut find: impl FnMut(FindingCode, String),
    ) {
        if line.attachment_ref_count() == 0 {
            return;
        }
        match line.attachment_refs() {
            Ok(references) => {
                let count = references.as_slice().len() as u64;
                self.references.fetch_add(count, Ordering::Relaxed);
                references.as_slice().iter().for_each(|one| self.resolve_one(one, &mut find));
            }
            Err(error) => find(FindingCode::AttachmentRefUnlisted, error.to_string()),
        }
    }

    fn resolve_one(&self, wanted: &AttachmentRef, find: &mut impl FnMut(FindingCode, String)) {
        match self.entries.get(&(wanted.content_hash, &wanted.content_type)).copied() {
            None => find(FindingCode::AttachmentRefUnlisted, wanted.content_hash.to_string()),
            Some(index) => {
                self.referenced[index].store(true, Ordering::Relaxed);
                if self.list[index].size_bytes != wanted.size_bytes {
                    let detail = format!("{}: another size than listed", wanted.content_hash);
                    find(FindingCode::AttachmentSizeMismatch, detail);
                }
            }
        }
    }

    /// Ends the phase.
    pub(crate) fn finish(self, findings: &mut Findings) -> AttachmentsReport {
        for (index, listed) in self.list.iter().enumerate() {
            let first = self.entries.get(&(listed.content_hash, &listed.content_type));
            if first.is_none_or(|first| !self.referenced[*first].load(Ordering::Relaxed)) {
                let detail = format!("{}: nothing refers to it", self.list[index].content_hash);
                let code = FindingCode::AttachmentUnreferenced;
                findings.add(Finding::new(code, entry(index), detail));
            }
        }
        let hashes = |withheld: bool| -> BTreeSet<AttachmentHash> {
            let entries = self.list.iter().filter(|entry| entry.withheld == withheld);
            entries.map(|entry| entry.content_hash).collect()
        };
        let withheld = hashes(true).len() as u64;
        let counts = Counts::from([
            ("attachments", hashes(false).len() as u64),
            ("withheld", withheld),
            ("references", self.references.load(Ordering::Relaxed)),
        ]);
        AttachmentsReport { counts, withheld }
    }
}

fn entry(index: usize) -> Place {
    Place::Entry { list: "attachments", index: index as u64 }
}

/// Checks the manifest's list by itself and against the parts.
pub(crate) fn check_list(admitted: &Admitted, limits: &VerifyLimits, findings: &mut Findings) {
    let list = &admitted.content().attachments;
    for (index, pair) in list.windows(2).enumerate() {
        if let [one, next] = pair {
            let sorted =
                (one.content_hash, &one.content_type) < (next.content_hash, &next.content_type);
            let same = one.content_hash == next.content_hash;
            let agree = one.size_bytes == next.size_bytes && one.withheld == next.withheld;
            if !sorted || (same && !agree) {
                let detail = "unsorted, repeated, or two entries of the same bytes disagree";
                let code = FindingCode::AttachmentListInvalid;
                findings.add(Finding::new(code, entry(index + 1), detail));
            }
        }
    }
    let parts: BTreeMap<_, _> = admitted.plan.attachments.iter().copied().collect();
    let mut expected = BTreeSet::new();
    for (index, attachment) in list.iter().enumerate() {
        let mut find = |code, detail: &str| findings.add(Finding::new(code, entry(index), detail));
        if attachment.size_bytes > limits.attachment_bytes_max {
            find(FindingCode::AttachmentListInvalid, "larger than any attachment may be");
        }
        if attachment.withheld {
            continue;
        }
        expected.insert(attachment.content_hash);
        match parts.get(&attachment.content_hash) {
            None => find(FindingCode::AttachmentBytesMissing, "its bytes are not in the bundle"),
            Some(part) if admitted.part(*part).size_bytes != attachment.size_bytes => {
                find(FindingCode::AttachmentSizeMismatch, "its bytes have another size");
            }
            Some(_) => {}
        }
    }
    for (hash, part) in parts.iter().filter(|(hash, _)| !expected.contains(hash)) {
        let detail = format!("the manifest does not list {hash} as present");
        let code = FindingCode::AttachmentBytesUnlisted;
        findings.add(Finding::new(code, admitted.place(*part), detail));
    }
}

/// Reads attachment bytes: they have the hash that the manifest states and the one that names them.
pub(crate) fn check_bytes(
    container: &Container<'_>,
    admitted: &Admitted,
    (hash, part): (AttachmentHash, usize),
    findings: &mut Findings,
) -> Result<(), VerifyError> {
    match lines::hash_of(container.reader(admitted.member(part))) {
        Ok(found) => {
            check_hash(admitted.part(part), &found, findings);
            if found.as_bytes() != hash.as_bytes() {
                let code = FindingCode::AttachmentHashMismatch;
                let detail = format!("the bytes have hash {found}");
                findings.add(Finding::new(code, admitted.place(part), detail));
            }
            Ok(())
        }
        Err(ReadError::Refused(finding)) => {
            findings.add(finding);
            Ok(())
        }
        Err(ReadError::Failed(error)) => Err(error),
    }
}
