//! A bundle of a log, built as the evidence format §7 says, and the members that its archive or document holds.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use recorder_core::hash::{AttachmentHash, TreeHash, sha256};
use recorder_core::identity::{BundleId, EnvelopeId};
use recorder_core::limits::PART_ENVELOPES_MAX;
use recorder_core::signature::Signature;
use recorder_core::time::UtcTimestamp;
use recorder_envelope::bundle::manifest::ManifestContent;
use recorder_envelope::bundle::{Manifest, ManifestAttachment, ManifestSegment, ProofLine, layout};
use recorder_envelope::dsse::{MANIFEST_PAYLOAD_TYPE, ManifestSignatures};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::json::to_canonical;
use recorder_envelope::preimage;
use recorder_envelope::selector::Selector;
use recorder_envelope::signing::SecretKey;
use serde_json::{Value, json};

use super::document;
use super::draft::BEGIN_SECONDS;
use super::keys::Holder;
use super::log::{Log, Recompute, Segment};
use super::zip::Zip;

/// What every forged bundle says to people.
const README: &str =
    "Evidence of one stream, with proofs. Verify it with: recorder bundle verify FILE\n";

/// What of a log is bundled.
#[derive(Clone)]
pub(crate) struct Selection {
    /// Which envelopes.
    pub(crate) selector: Selector,
    /// Positions whose payloads are left out.
    pub(crate) withheld_payloads: BTreeSet<u64>,
    /// Attachments whose bytes are left out.
    pub(crate) withheld_attachments: BTreeSet<AttachmentHash>,
}

impl Selection {
    /// The whole log.
    pub(crate) fn everything() -> Self {
        Self::of(json!({ "all": [] }))
    }

    /// What a selector selects.
    pub(crate) fn of(selector: Value) -> Self {
        Self {
            selector: Selector::parse(&to_canonical(&selector).unwrap()).unwrap(),
            withheld_payloads: BTreeSet::new(),
            withheld_attachments: BTreeSet::new(),
        }
    }

    /// The envelopes at these positions.
    pub(crate) fn positions(ranges: &[(u64, u64)]) -> Self {
        let range = |(from, to): &(u64, u64)| json!({ "positions": { "from": from, "to": to } });
        Self::of(json!({ "any": ranges.iter().map(range).collect::<Vec<_>>() }))
    }

    /// With the payloads at these positions left out.
    pub(crate) fn without_payloads(mut self, positions: &[u64]) -> Self {
        self.withheld_payloads.extend(positions);
        self
    }

    /// With the bytes of this attachment left out.
    pub(crate) fn without_attachment(mut self, hash: AttachmentHash) -> Self {
        self.withheld_attachments.insert(hash);
        self
    }
}

/// One part: its name and its bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// How the manifest is signed.
#[derive(Clone)]
pub(crate) enum ManifestSigner {
    /// Not at all.
    Nobody,
    /// By this key.
    Key(Holder),
    /// With a signature that was made over another manifest.
    Carried(Signature),
}

/// Parts, and the manifest's other members.
#[derive(Clone)]
pub(crate) struct Bundle {
    /// The manifest without `bundle_id` and `parts`, which follow.
    pub(crate) manifest: Value,
    /// All parts, in order.
    pub(crate) parts: Vec<Part>,
    /// Who signs the manifest.
    pub(crate) signer: ManifestSigner,
}

impl Bundle {
    /// What an honest engine that holds `log` exports.
    pub(crate) fn of(log: &Log, selection: &Selection) -> Self {
        let included: Vec<_> = log
            .segments
            .iter()
            .map(|segment| Included::of(segment, selection))
            .filter(|included| !included.envelopes.is_empty())
            .collect();
        let attachments = manifest_attachments(&included, selection);
        let parts = build_parts(log, &included, &attachments);
        let content = ManifestContent {
            created_at: UtcTimestamp::new(BEGIN_SECONDS + 86_400, 0).unwrap(),
            stream: log.stream.clone(),
            selector: selection.selector.clone(),
            segments: included.iter().map(Included::manifest_segment).collect(),
            envelope_count: included.iter().map(|one| one.envelopes.len() as u64).sum(),
            attachments,
            tree_size: log.tree_size,
            root_hash: log.root,
            omitted_parent_ids: omitted_parents(&included),
            parts: Vec::new(),
        };
        let mut manifest: Value =
            serde_json::from_slice(&Manifest::new(content).to_canonical()).unwrap();
        manifest.as_object_mut().unwrap().remove("bundle_id");
        let signer = log.signer.map_or(ManifestSigner::Nobody, ManifestSigner::Key);
        let bundle = Self { manifest, parts, signer };
        assert_eq!(bundle.typed_manifest().to_canonical(), bundle.manifest_bytes());
        bundle
    }

    /// The bundle of a log that somebody changed, with as much recomputed as `level` says.
    pub(crate) fn tampered(
        log: &Log,
        selection: &Selection,
        level: Recompute,
        change: impl FnOnce(&mut Log),
    ) -> Members {
        let honest = Self::of(log, selection);
        let mut changed = log.clone();
        change(&mut changed);
        changed.recompute(level);
        let mut bundle = Self::of(&changed, selection);
        match level {
            Recompute::Nothing => {
                let mut members = honest.members();
                for part in bundle.parts {
                    *members.bytes_mut(&part.name) = part.bytes;
                }
                return members;
            }
            Recompute::Manifest | Recompute::Content | Recompute::Chain => {
                bundle.signer = honest.carried();
            }
            Recompute::AttackerKey => bundle.signer = ManifestSigner::Key(Holder::Attacker),
            Recompute::RealKey => {}
        }
        bundle.members()
    }

    /// The signature of this manifest, for another one.
    pub(crate) fn carried(&self) -> ManifestSigner {
        match &self.signer {
            ManifestSigner::Key(holder) => {
                let signed = ManifestSignatures::sign(&self.manifest_bytes(), &holder.key());
                ManifestSigner::Carried(signed.signatures()[0])
            }
            other => other.clone(),
        }
    }

    /// The bytes of a part.
    pub(crate) fn bytes_mut(&mut self, name: &str) -> &mut Vec<u8> {
        let part = self.parts.iter_mut().find(|part| part.name == name);
        &mut part.unwrap_or_else(|| panic!("no part {name}")).bytes
    }

    /// Takes a part away.
    pub(crate) fn remove(&mut self, name: &str) {
        let before = self.parts.len();
        self.parts.retain(|part| part.name != name);
        assert_eq!(self.parts.len() + 1, before, "no part {name}");
    }

    /// Changes the JSON object that a part is.
    pub(crate) fn edit_json(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        edit_json(self.bytes_mut(name), change);
    }

    /// Changes the lines of a part.
    pub(crate) fn edit_lines(&mut self, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let bytes = self.bytes_mut(name);
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        change(&mut lines);
        for line in lines {
            bytes.extend(to_canonical(&line).unwrap());
            bytes.push(b'\n');
        }
    }

    /// The manifest as written: the parts restated, the id derived.
    pub(crate) fn manifest_bytes(&self) -> Vec<u8> {
        let mut manifest = self.manifest.clone();
        manifest["parts"] = self
            .parts
            .iter()
            .map(|part| {
                json!({
                    "name": part.name,
                    "size_bytes": part.bytes.len(),
                    "sha256": preimage::part_hash(&part.bytes),
                })
            })
            .collect();
        name_manifest(&mut manifest);
        to_canonical(&manifest).unwrap()
    }

    /// The members, in the archive's order.
    pub(crate) fn members(&self) -> Members {
        let manifest = self.manifest_bytes();
        let signature = sign_manifest(&manifest, &self.signer);
        let mut members = vec![Part { name: layout::MANIFEST.to_owned(), bytes: manifest }];
        if let Some(bytes) = signature {
            members.push(Part { name: layout::MANIFEST_DSSE.to_owned(), bytes });
        }
        members.extend(self.parts.iter().cloned());
        Members(members)
    }

    fn typed_manifest(&self) -> Manifest {
        Manifest::from_canonical(&self.manifest_bytes()).unwrap()
    }
}

/// The members of a bundle, manifest and signature among them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Members(pub(crate) Vec<Part>);

impl Members {
    /// The bytes of a member.
    pub(crate) fn bytes_mut(&mut self, name: &str) -> &mut Vec<u8> {
        let member = self.0.iter_mut().find(|member| member.name == name);
        &mut member.unwrap_or_else(|| panic!("no member {name}")).bytes
    }

    /// The place of a member.
    pub(crate) fn index(&self, name: &str) -> usize {
        self.0.iter().position(|member| member.name == name).unwrap()
    }

    /// Changes the manifest, derives its id again and signs it with `signer`.
    pub(crate) fn edit_manifest(
        &mut self,
        signer: &ManifestSigner,
        change: impl FnOnce(&mut Value),
    ) {
        let bytes = self.bytes_mut(layout::MANIFEST);
        edit_json(bytes, |manifest| {
            change(manifest);
            name_manifest(manifest);
        });
        let signature = sign_manifest(&bytes.clone(), signer);
        self.0.retain(|member| member.name != layout::MANIFEST_DSSE);
        if let Some(bytes) = signature {
            self.0.insert(1, Part { name: layout::MANIFEST_DSSE.to_owned(), bytes });
        }
    }

    /// The archive as its parts, to be changed further.
    pub(crate) fn zip(&self) -> Zip {
        Zip::of(self)
    }

    /// The archive.
    pub(crate) fn archive(&self) -> Vec<u8> {
        self.zip().bytes()
    }

    /// The document.
    pub(crate) fn document(&self) -> Vec<u8> {
        document::of(self)
    }
}

/// Changes a JSON object and writes it in canonical form.
pub(crate) fn edit_json(bytes: &mut Vec<u8>, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(bytes).unwrap();
    change(&mut value);
    *bytes = to_canonical(&value).unwrap();
}

/// Derives the id of a manifest from its other members, whatever they are.
pub(crate) fn name_manifest(manifest: &mut Value) {
    let object = manifest.as_object_mut().unwrap();
    object.remove("bundle_id");
    let mut id = [0; 16];
    id.copy_from_slice(&sha256(&[&to_canonical(object).unwrap()])[..16]);
    id[6] = (id[6] & 0x0f) | 0x70;
    id[8] = (id[8] & 0x3f) | 0x80;
    let id = BundleId::from_bytes(id).unwrap();
    object.insert("bundle_id".to_owned(), json!(id));
}

/// The DSSE envelope beside a manifest.
pub(crate) fn sign_manifest(manifest: &[u8], signer: &ManifestSigner) -> Option<Vec<u8>> {
    let signature = match signer {
        ManifestSigner::Nobody => return None,
        ManifestSigner::Key(holder) => signature_of(manifest, &holder.key()),
        ManifestSigner::Carried(signature) => *signature,
    };
    let envelope = json!({
        "payload": STANDARD.encode(manifest),
        "payloadType": MANIFEST_PAYLOAD_TYPE,
        "signatures": [{
            "keyid": signature.key_id(),
            "sig": STANDARD.encode(signature.value()),
        }],
    });
    Some(to_canonical(&envelope).unwrap())
}

fn signature_of(manifest: &[u8], key: &SecretKey) -> Signature {
    ManifestSignatures::sign(manifest, key).signatures()[0]
}

/// What a selection takes of one segment.
struct Included<'a> {
    segment: &'a Segment,
    envelopes: Vec<SealedEnvelope>,
}

impl<'a> Included<'a> {
    fn of(segment: &'a Segment, selection: &Selection) -> Self {
        let chosen =
            segment.envelopes.iter().filter(|envelope| selection.selector.selects(envelope));
        let mut envelopes: Vec<_> = chosen.cloned().collect();
        for envelope in &mut envelopes {
            if selection.withheld_payloads.contains(&envelope.place.position) {
                envelope.payload = None;
            }
        }
        Self { segment, envelopes }
    }

    fn complete(&self) -> bool {
        self.envelopes.len() == self.segment.envelopes.len()
    }

    fn manifest_segment(&self) -> ManifestSegment {
        let seal = self.segment.seal.as_ref().map(|signed| &signed.seal);
        let held = self.segment.envelopes.len() as u64;
        ManifestSegment {
            segment_id: self.segment.genesis.segment_id,
            genesis_hash: self.segment.genesis.hash(),
            seal_hash: seal.map(|seal| seal.hash()),
            chain_head: self.segment.head(),
            envelope_count: seal.map_or(held, |seal| seal.envelope_count),
            included_count: self.envelopes.len() as u64,
            complete: self.complete(),
        }
    }

    /// One anchor for each run of envelopes that were left out.
    fn gaps(&self) -> Vec<ProofLine> {
        let left_out = |envelope: &SealedEnvelope| {
            let sequence = envelope.place.sequence;
            self.envelopes.iter().all(|included| included.place.sequence != sequence)
        };
        let held = &self.segment.envelopes;
        let ends_run = |index: usize| {
            left_out(&held[index]) && held.get(index + 1).is_none_or(|next| !left_out(next))
        };
        let anchor = |index: usize| ProofLine::Gap {
            segment_id: self.segment.genesis.segment_id,
            after_sequence: held[index].place.sequence,
            chain_hash: held[index].chain_hash,
        };
        (0..held.len()).filter(|index| ends_run(*index)).map(anchor).collect()
    }
}

fn build_parts(
    log: &Log,
    included: &[Included<'_>],
    attachments: &[ManifestAttachment],
) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut add = |name: String, bytes: Vec<u8>| parts.push(Part { name, bytes });
    if let Some(checkpoint) = &log.checkpoint {
        add(layout::CHECKPOINT.to_owned(), checkpoint.clone().into_bytes());
    }
    add(layout::README.to_owned(), README.as_bytes().to_vec());
    for (number, one) in included.iter().enumerate() {
        add(layout::genesis(number), one.segment.genesis.to_canonical());
        if let Some(seal) = &one.segment.seal {
            add(layout::seal(number), seal.to_canonical());
        }
        for (part, envelopes) in one.envelopes.chunks(PART_ENVELOPES_MAX).enumerate() {
            add(layout::envelopes(number, part), lines(envelopes));
        }
    }
    let proofs = proof_lines(log, included);
    if !proofs.is_empty() {
        let line = |proof: &ProofLine| [proof.to_canonical(), b"\n".to_vec()].concat();
        add(layout::PROOFS.to_owned(), proofs.iter().flat_map(line).collect());
    }
    let present = attachments.iter().filter(|attachment| !attachment.withheld);
    for hash in present.map(|attachment| attachment.content_hash).collect::<BTreeSet<_>>() {
        add(layout::attachment(&hash), log.attachments[&hash].bytes().to_vec());
    }
    parts
}

/// Envelopes as a part holds them.
pub(crate) fn lines(envelopes: &[SealedEnvelope]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for envelope in envelopes {
        envelope.write_canonical(&mut bytes);
        bytes.push(b'\n');
    }
    bytes
}

/// Gap anchors by segment, then inclusion paths by position; none where the whole log is included.
fn proof_lines(log: &Log, included: &[Included<'_>]) -> Vec<ProofLine> {
    let positions: Vec<u64> = included
        .iter()
        .flat_map(|one| one.envelopes.iter().map(|envelope| envelope.place.position))
        .collect();
    if positions.len() as u64 >= log.positions() {
        return Vec::new();
    }
    let leaves = log.leaves();
    let path = |position: u64| -> Vec<TreeHash> { leaves.path(position) };
    let paths = run_ends(&positions)
        .into_iter()
        .map(|position| ProofLine::Inclusion { position, path: path(position) });
    included.iter().flat_map(Included::gaps).chain(paths).collect()
}

/// The first and the last position of each run.
fn run_ends(positions: &[u64]) -> BTreeSet<u64> {
    let held: BTreeSet<u64> = positions.iter().copied().collect();
    let ends = |position: &u64| {
        let starts = position.checked_sub(1).is_none_or(|before| !held.contains(&before));
        starts || !held.contains(&(position + 1))
    };
    held.iter().copied().filter(ends).collect()
}

fn manifest_attachments(
    included: &[Included<'_>],
    selection: &Selection,
) -> Vec<ManifestAttachment> {
    let envelopes = included.iter().flat_map(|one| &one.envelopes);
    let refs = envelopes.flat_map(|envelope| envelope.fields.attachment_refs.as_slice());
    let entries: BTreeSet<_> = refs
        .map(|reference| ManifestAttachment {
            content_hash: reference.content_hash,
            content_type: reference.content_type.clone(),
            size_bytes: reference.size_bytes,
            withheld: selection.withheld_attachments.contains(&reference.content_hash),
        })
        .collect();
    entries.into_iter().collect()
}

fn omitted_parents(included: &[Included<'_>]) -> Vec<EnvelopeId> {
    let envelopes = || included.iter().flat_map(|one| &one.envelopes);
    let held: BTreeSet<_> = envelopes().map(|envelope| envelope.fields.envelope_id).collect();
    let named: BTreeSet<_> =
        envelopes().flat_map(|envelope| envelope.fields.parent_ids.as_slice()).collect();
    named.into_iter().filter(|id| !held.contains(*id)).copied().collect()
}
