//! Phase 1: the manifest, and that the container holds exactly the parts that it names.
//!
//! Nothing but the manifest and its signature is read here. What it states about envelopes is compared with
//! what is found when the envelopes have been read.

use std::collections::BTreeMap;

use recorder_core::hash::{AttachmentHash, PartHash};
use recorder_envelope::bundle::layout::{self, PartKind};
use recorder_envelope::bundle::manifest::ManifestContent;
use recorder_envelope::bundle::{Manifest, ManifestError, ManifestPart};
use recorder_envelope::dsse::ManifestSignatures;
use recorder_envelope::preimage;

use super::Counts;
use crate::archive::ReadError;
use crate::container::{Container, Form};
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::limits::{VerifyError, VerifyLimits, within};

/// Room for signatures beside a manifest that is repeated in base64.
const SIGNATURES_BYTES_MAX: u64 = 32 << 10;

/// Which parts a bundle has, by their index in the manifest.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) checkpoint: Option<usize>,
    pub(crate) readme: Option<usize>,
    pub(crate) segments: Vec<SegmentParts>,
    pub(crate) proofs: Option<usize>,
    pub(crate) attachments: Vec<(AttachmentHash, usize)>,
}

/// The parts of one segment.
#[derive(Debug)]
pub(crate) struct SegmentParts {
    pub(crate) genesis: usize,
    pub(crate) seal: Option<usize>,
    pub(crate) envelopes: Vec<usize>,
}

/// What lies beside the manifest.
pub(crate) enum Beside {
    /// No signature.
    Absent,
    /// Something that is not a signature of this manifest, and was held against the bundle.
    Malformed,
    /// Signatures, none of which was verified yet.
    Signatures(ManifestSignatures),
}

/// A manifest whose parts, and nothing else, are in the container.
pub(crate) struct Admitted {
    pub(crate) manifest: Manifest,
    pub(crate) bytes: Vec<u8>,
    pub(crate) signatures: Beside,
    pub(crate) plan: Plan,
    /// For each part of the manifest, the member that holds it.
    members: Vec<usize>,
}

/// What the phase has checked. Only this file makes one.
#[derive(Debug)]
pub struct ManifestReport {
    counts: Counts,
    reached: bool,
}

impl ManifestReport {
    /// The report of a bundle whose manifest could not be taken at its word.
    pub(crate) fn refused() -> Self {
        Self { counts: Counts::new(), reached: false }
    }

    /// How many of each thing was checked.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether the phases after this one had anything to go by.
    pub fn reached(&self) -> bool {
        self.reached
    }
}

impl Admitted {
    pub(crate) fn content(&self) -> &ManifestContent {
        self.manifest.content()
    }

    pub(crate) fn part(&self, index: usize) -> &ManifestPart {
        &self.content().parts[index]
    }

    pub(crate) fn place(&self, part: usize) -> Place {
        Place::Part(self.part(part).name.clone())
    }

    pub(crate) fn member(&self, part: usize) -> usize {
        self.members[part]
    }

    /// Reads a small part and checks its hash. `None` where it is refused or larger than `bytes_max`.
    pub(crate) fn read_small(
        &self,
        container: &Container<'_>,
        part: usize,
        bytes_max: u64,
        too_large: FindingCode,
        findings: &mut Findings,
    ) -> Result<Option<Vec<u8>>, VerifyError> {
        let listed = self.part(part);
        if listed.size_bytes > bytes_max {
            findings.add(Finding::new(too_large, self.place(part), "larger than any"));
            return Ok(None);
        }
        match container.read(self.member(part)) {
            Ok(bytes) => {
                check_hash(listed, &preimage::part_hash(&bytes), findings);
                Ok(Some(bytes))
            }
            Err(ReadError::Refused(finding)) => {
                findings.add(finding);
                Ok(None)
            }
            Err(ReadError::Failed(error)) => Err(error),
        }
    }

    /// The report, once every part was read.
    pub(crate) fn report(&self) -> ManifestReport {
        let parts = &self.content().parts;
        let counts = Counts::from([
            ("parts", parts.len() as u64),
            ("part_bytes", parts.iter().fold(0, |sum, part| part.size_bytes.saturating_add(sum))),
            ("segments", self.content().segments.len() as u64),
        ]);
        ManifestReport { counts, reached: true }
    }
}

/// Compares the hash of a part's bytes with the stated one.
pub(crate) fn check_hash(listed: &ManifestPart, found: &PartHash, findings: &mut Findings) {
    if listed.sha256 != *found {
        let detail = format!("the bytes have hash {found}, the manifest states {}", listed.sha256);
        let place = Place::Part(listed.name.clone());
        findings.add(Finding::new(FindingCode::PartHashMismatch, place, detail));
    }
}

/// Reads the manifest and compares the container with it. `None` where nothing more can be said of the bundle.
pub(crate) fn admit(
    container: &Container<'_>,
    limits: &VerifyLimits,
    findings: &mut Findings,
) -> Result<Option<Admitted>, VerifyError> {
    let names: BTreeMap<&str, usize> =
        (0..container.len()).map(|member| (container.name(member), member)).collect();
    let Some(bytes) = read_manifest(container, &names, limits, findings)? else { return Ok(None) };
    let Some(manifest) = parse(&bytes, findings) else { return Ok(None) };
    check_limits(manifest.content(), container.form(), limits)?;
    let Some(members) = match_members(container, &names, manifest.content(), findings) else {
        return Ok(None);
    };
    let Some(plan) = plan(manifest.content(), findings) else { return Ok(None) };
    check_statements(manifest.content(), findings);
    let signatures = match names.get(layout::MANIFEST_DSSE) {
        None => Beside::Absent,
        Some(member) => read_signatures(container, *member, &bytes, findings)?
            .map_or(Beside::Malformed, Beside::Signatures),
    };
    Ok(Some(Admitted { manifest, bytes, signatures, plan, members }))
}

fn read_manifest(
    container: &Container<'_>,
    names: &BTreeMap<&str, usize>,
    limits: &VerifyLimits,
    findings: &mut Findings,
) -> Result<Option<Vec<u8>>, VerifyError> {
    let member = names.get(layout::MANIFEST).copied();
    let place = Place::Part(layout::MANIFEST.into());
    let Some(member) = member.filter(|member| container.form() == Form::Document || *member == 0)
    else {
        let detail = "the first member is not the manifest";
        findings.add(Finding::new(FindingCode::ManifestMissing, place, detail));
        return Ok(None);
    };
    within("manifest bytes", container.size_bytes(member), limits.manifest_bytes_max)?;
    match container.read(member) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Refused(finding)) => {
            findings.add(finding);
            Ok(None)
        }
        Err(ReadError::Failed(error)) => Err(error),
    }
}

fn parse(bytes: &[u8], findings: &mut Findings) -> Option<Manifest> {
    let error = match Manifest::from_canonical(bytes) {
        Ok(manifest) => return Some(manifest),
        Err(error) => error,
    };
    let code = match error {
        ManifestError::Form(_) => FindingCode::ManifestInvalid,
        ManifestError::NotCanonical => FindingCode::ManifestNotCanonical,
        ManifestError::BundleId => FindingCode::BundleIdMismatch,
    };
    let place = Place::Part(layout::MANIFEST.into());
    findings.add(Finding::new(code, place, error.to_string()));
    None
}

/// Compares what the manifest announces with what the verifier is willing to do.
fn check_limits(
    content: &ManifestContent,
    form: Form,
    limits: &VerifyLimits,
) -> Result<(), VerifyError> {
    within("segments", content.segments.len() as u64, limits.segments_max)?;
    for segment in &content.segments {
        within("envelopes a segment", segment.envelope_count, limits.segment_envelopes_max)?;
        within("envelopes a segment", segment.included_count, limits.segment_envelopes_max)?;
    }
    let envelopes_max = match form {
        Form::Archive => limits.archive_envelopes_max,
        Form::Document => limits.document_envelopes_max,
    };
    within("envelopes", content.envelope_count, envelopes_max)?;
    if form == Form::Document {
        let attachments = content.attachments.len() as u64;
        within("attachments", attachments, limits.document_attachments_max)?;
    }
    Ok(())
}

/// Requires that the members are the manifest, its signature if there is one, and the parts: names, sizes and, in
/// an archive, order. Gives the member of each part.
fn match_members(
    container: &Container<'_>,
    names: &BTreeMap<&str, usize>,
    content: &ManifestContent,
    findings: &mut Findings,
) -> Option<Vec<usize>> {
    let before = findings.count();
    let mut members = Vec::with_capacity(content.parts.len());
    let mut matched = vec![false; container.len()];
    for name in [layout::MANIFEST, layout::MANIFEST_DSSE] {
        if let Some(member) = names.get(name) {
            matched[*member] = true;
        }
    }
    let first = matched.iter().filter(|matched| **matched).count();
    for (index, part) in content.parts.iter().enumerate() {
        let mut find =
            |code, detail| findings.add(Finding::new(code, Place::Part(part.name.clone()), detail));
        let Some(member) = names.get(&*part.name).copied() else {
            find(FindingCode::MemberMissing, "the manifest names it".to_owned());
            continue;
        };
        if std::mem::replace(&mut matched[member], true) {
            find(FindingCode::PartList, "the manifest lists it twice, or itself".to_owned());
        }
        let found = container.size_bytes(member);
        if found != part.size_bytes {
            let detail = format!("{found} bytes, the manifest states {}", part.size_bytes);
            find(FindingCode::MemberSize, detail);
        }
        if container.form() == Form::Archive && member != first + index {
            find(FindingCode::MemberOrder, "it stands elsewhere than the manifest says".to_owned());
        }
        members.push(member);
    }
    let signature = names.get(layout::MANIFEST_DSSE);
    if container.form() == Form::Archive && signature.is_some_and(|member| *member != 1) {
        let place = Place::Part(layout::MANIFEST_DSSE.into());
        findings.add(Finding::new(FindingCode::MemberOrder, place, "it follows the manifest"));
    }
    for member in matched.iter().enumerate().filter(|(_, matched)| !**matched).map(|(at, _)| at) {
        let place = Place::Part(container.name(member).into());
        let detail = "the manifest does not name it";
        findings.add(Finding::new(FindingCode::MemberUnknown, place, detail));
    }
    (findings.count() == before).then_some(members)
}

fn plan(content: &ManifestContent, findings: &mut Findings) -> Option<Plan> {
    let mut plan = Plan::default();
    let mut last = None;
    for (index, part) in content.parts.iter().enumerate() {
        let kind = PartKind::of_name(&part.name);
        let key = kind.map(order);
        let fault = match (kind, key) {
            (Some(kind), Some(key)) if last < Some(key) => {
                last = Some(key);
                place_part(&mut plan, kind, index, content).err()
            }
            (None, _) => Some("no bundle has such a part"),
            _ => Some("parts are listed in another order, or twice"),
        };
        if let Some(detail) = fault {
            let place = Place::Entry { list: "parts", index: index as u64 };
            findings.add(Finding::new(FindingCode::PartList, place, detail));
            return None;
        }
    }
    let whole = plan.segments.len() == content.segments.len();
    if whole && !content.segments.is_empty() {
        return Some(plan);
    }
    let (code, detail) = if content.segments.is_empty() {
        (FindingCode::BundleEmpty, "the manifest lists no segment")
    } else {
        (FindingCode::PartList, "a segment has no parts")
    };
    findings.add(Finding::new(code, Place::Part(layout::MANIFEST.into()), detail));
    None
}

/// The order of parts in an archive.
fn order(kind: PartKind) -> (u8, usize, u8, usize, Option<AttachmentHash>) {
    match kind {
        PartKind::Checkpoint => (0, 0, 0, 0, None),
        PartKind::Readme => (1, 0, 0, 0, None),
        PartKind::Genesis(segment) => (2, segment, 0, 0, None),
        PartKind::Seal(segment) => (2, segment, 1, 0, None),
        PartKind::Envelopes(segment, part) => (2, segment, 2, part, None),
        PartKind::Proofs => (3, 0, 0, 0, None),
        PartKind::Attachment(hash) => (4, 0, 0, 0, Some(hash)),
    }
}

fn place_part(
    plan: &mut Plan,
    kind: PartKind,
    index: usize,
    content: &ManifestContent,
) -> Result<(), &'static str> {
    match kind {
        PartKind::Checkpoint => plan.checkpoint = Some(index),
        PartKind::Readme => plan.readme = Some(index),
        PartKind::Proofs => plan.proofs = Some(index),
        PartKind::Attachment(hash) => plan.attachments.push((hash, index)),
        PartKind::Genesis(segment) => {
            if segment != plan.segments.len() || segment >= content.segments.len() {
                return Err("a genesis of a segment that the manifest does not list there");
            }
            let envelopes = Vec::new();
            plan.segments.push(SegmentParts { genesis: index, seal: None, envelopes });
        }
        PartKind::Seal(segment) | PartKind::Envelopes(segment, _) => {
            let count = plan.segments.len();
            let current = plan.segments.last_mut().filter(|_| segment + 1 == count);
            let current = current.ok_or("a part of a segment without its genesis")?;
            match kind {
                PartKind::Envelopes(_, part) if part != current.envelopes.len() => {
                    return Err("a part of envelopes is left out");
                }
                PartKind::Envelopes(..) => current.envelopes.push(index),
                _ => current.seal = Some(index),
            }
        }
    }
    Ok(())
}

/// What the manifest says of itself must agree, before anything is read.
fn check_statements(content: &ManifestContent, findings: &mut Findings) {
    let mut find = |code, place, detail: String| findings.add(Finding::new(code, place, detail));
    let manifest = || Place::Part(layout::MANIFEST.into());
    for (index, segment) in content.segments.iter().enumerate() {
        if segment.included_count == 0 || segment.envelope_count == 0 {
            let detail = "the manifest states a segment without envelopes".to_owned();
            find(FindingCode::SegmentEmpty, Place::Segment(index as u64), detail);
        }
    }
    if content.envelope_count == 0 {
        find(FindingCode::BundleEmpty, manifest(), "the manifest states no envelopes".to_owned());
    }
    let omitted = &content.omitted_parent_ids;
    if !omitted.is_sorted_by(|one, next| one < next) {
        let detail = "omitted_parent_ids is not sorted, or holds an id twice".to_owned();
        find(FindingCode::OmittedParentsUnordered, manifest(), detail);
    }
}

fn read_signatures(
    container: &Container<'_>,
    member: usize,
    manifest: &[u8],
    findings: &mut Findings,
) -> Result<Option<ManifestSignatures>, VerifyError> {
    let place = Place::Part(layout::MANIFEST_DSSE.into());
    let code = FindingCode::ManifestSignatureMalformed;
    if container.size_bytes(member) > manifest.len() as u64 * 2 + SIGNATURES_BYTES_MAX {
        findings.add(Finding::new(code, place, "larger than any signature of this manifest"));
        return Ok(None);
    }
    let bytes = match container.read(member) {
        Ok(bytes) => bytes,
        Err(ReadError::Refused(finding)) => {
            findings.add(finding);
            return Ok(None);
        }
        Err(ReadError::Failed(error)) => return Err(error),
    };
    match ManifestSignatures::parse(&bytes, manifest) {
        // One spelling only: the signature is not in the manifest's list, so nothing else pins its bytes.
        Ok(signatures) if signatures.to_json(manifest).is_ok_and(|text| text == bytes) => {
            Ok(Some(signatures))
        }
        Ok(_) => {
            findings.add(Finding::new(code, place, "not in canonical form"));
            Ok(None)
        }
        Err(error) => {
            findings.add(Finding::new(code, place, error.to_string()));
            Ok(None)
        }
    }
}
