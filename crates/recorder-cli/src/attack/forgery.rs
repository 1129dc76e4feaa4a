//! A bundle taken apart and put together again, the way somebody would who wants to lie with it.
//!
//! An attacker knows the format and recomputes every hash that needs no key. What is left standing after that
//! is what the signatures are worth.

use std::collections::BTreeSet;

use recorder_core::hash::{AttachmentHash, ChainHash};
use recorder_envelope::bundle::archive::{ArchiveWriter, Member, Method};
use recorder_envelope::bundle::layout::{self, PartKind};
use recorder_envelope::bundle::manifest::ManifestContent;
use recorder_envelope::bundle::{Manifest, ManifestPart, ManifestSegment};
use recorder_envelope::checkpoint::{Checkpoint, SignedCheckpoint};
use recorder_envelope::dsse::ManifestSignatures;
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::merkle::{self, CompactRange};
use recorder_envelope::preimage;
use recorder_envelope::segment::{Predecessor, SegmentGenesis, SignedSeal};
use recorder_envelope::signing::SecretKey;
use recorder_verify::VerifyLimits;
use recorder_verify::archive::{Archive, ArchiveMember};

/// Why something was not forged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForgeryError {
    /// The evidence does not hold what the manipulation changes.
    #[error("there is nothing to do it to: {0}")]
    Absent(&'static str),
    /// A step of the forger failed.
    #[error("cannot be taken apart: {0}")]
    Failed(String),
}

impl ForgeryError {
    pub(crate) fn new(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The members of a ZIP, by name, as they are written.
pub(crate) type Members = Vec<(String, Vec<u8>)>;

/// One segment.
#[derive(Clone)]
pub(crate) struct ForgedSegment {
    pub(crate) genesis: SegmentGenesis,
    pub(crate) seal: Option<SignedSeal>,
    pub(crate) envelopes: Vec<SealedEnvelope>,
}

/// A whole bundle, open to changes.
#[derive(Clone)]
pub(crate) struct Forgery {
    pub(crate) manifest: ManifestContent,
    pub(crate) signature: Option<ManifestSignatures>,
    pub(crate) checkpoint: Option<SignedCheckpoint>,
    pub(crate) segments: Vec<ForgedSegment>,
    pub(crate) attachments: Vec<(AttachmentHash, Vec<u8>)>,
    readme: Vec<u8>,
}

impl Forgery {
    /// Takes the members of an archive apart.
    pub(crate) fn open(members: Members) -> Result<Self, ForgeryError> {
        let (mut manifest, mut dsse, mut checkpoint, mut readme) = (None, None, None, Vec::new());
        let mut segments: Vec<ForgedSegment> = Vec::new();
        let mut attachments = Vec::new();
        for (name, bytes) in members {
            if name == layout::MANIFEST {
                manifest = Some(bytes);
                continue;
            }
            if name == layout::MANIFEST_DSSE {
                dsse = Some(bytes);
                continue;
            }
            match PartKind::of_name(&name) {
                Some(PartKind::Checkpoint) => {
                    checkpoint = Some(SignedCheckpoint::parse(&bytes).map_err(ForgeryError::new)?);
                }
                Some(PartKind::Readme) => readme = bytes,
                Some(PartKind::Genesis(_)) => segments.push(ForgedSegment {
                    genesis: SegmentGenesis::from_canonical(&bytes).map_err(ForgeryError::new)?,
                    seal: None,
                    envelopes: Vec::new(),
                }),
                Some(PartKind::Seal(_)) => {
                    let seal = SignedSeal::from_canonical(&bytes).map_err(ForgeryError::new)?;
                    last(&mut segments)?.seal = Some(seal);
                }
                Some(PartKind::Envelopes(_, _)) => {
                    last(&mut segments)?.envelopes.extend(envelopes(&bytes)?);
                }
                Some(PartKind::Attachment(hash)) => attachments.push((hash, bytes)),
                Some(PartKind::Proofs) | None => {
                    return Err(ForgeryError::new(format!("unexpected {name}")));
                }
            }
        }
        let bytes = manifest.ok_or_else(|| ForgeryError::new("no manifest"))?;
        let signature = dsse
            .map(|dsse| ManifestSignatures::parse(&dsse, &bytes))
            .transpose()
            .map_err(ForgeryError::new)?;
        let manifest = Manifest::from_canonical(&bytes).map_err(ForgeryError::new)?.into_content();
        Ok(Self { manifest, signature, checkpoint, segments, attachments, readme })
    }

    /// Recomputes everything that needs no key: commitments, hashes, places, links, seals, counts and the root.
    pub(crate) fn rehash(&mut self) {
        let log = rehash(&mut self.segments);
        self.manifest.tree_size = log.end();
        self.manifest.root_hash = log.root().unwrap_or(merkle::EMPTY_ROOT);
    }

    /// Lists the attachments and the omitted parents of what is left.
    pub(crate) fn prune(&mut self) {
        let envelopes = || self.segments.iter().flat_map(|segment| &segment.envelopes);
        let attachments = envelopes()
            .flat_map(|envelope| envelope.fields.attachment_refs.as_slice())
            .map(|reference| reference.content_hash)
            .collect::<BTreeSet<_>>();
        let held = envelopes().map(|envelope| envelope.fields.envelope_id).collect::<BTreeSet<_>>();
        let named = envelopes()
            .flat_map(|envelope| envelope.fields.parent_ids.as_slice().iter().copied())
            .collect::<BTreeSet<_>>();
        self.manifest.omitted_parent_ids = named.difference(&held).copied().collect();
        self.attachments.retain(|(hash, _)| attachments.contains(hash));
        self.manifest.attachments.retain(|listed| attachments.contains(&listed.content_hash));
    }

    /// Signs everything that carries a signature with `key`.
    pub(crate) fn resign(&mut self, key: &SecretKey) -> Result<(), ForgeryError> {
        resign(&mut self.segments, key);
        if let Some(checkpoint) = &self.checkpoint {
            let origin = checkpoint.checkpoint().origin();
            let forged = Checkpoint::new(origin, self.manifest.tree_size, self.manifest.root_hash)
                .and_then(|checkpoint| checkpoint.sign(key))
                .map_err(ForgeryError::new)?;
            self.checkpoint = Some(forged);
        }
        self.resign_manifest(key);
        Ok(())
    }

    /// Signs the manifest alone, as it will be.
    pub(crate) fn resign_manifest(&mut self, key: &SecretKey) {
        let manifest = self.parts().0.to_canonical();
        self.signature = Some(ManifestSignatures::sign(&manifest, key));
    }

    /// Puts the bundle together with a manifest that fits it; the old signature stands beside the new manifest.
    pub(crate) fn archive(&self) -> Result<Vec<u8>, ForgeryError> {
        let (manifest, parts) = self.parts();
        let manifest = manifest.to_canonical();
        let dsse = self.signature.as_ref().map(|signature| signature.to_json(&manifest));
        let mut members = vec![(layout::MANIFEST.to_owned(), manifest)];
        if let Some(dsse) = dsse.transpose().map_err(ForgeryError::new)? {
            members.push((layout::MANIFEST_DSSE.to_owned(), dsse));
        }
        members.extend(parts);
        write(&members).map_err(ForgeryError::new)
    }

    /// The manifest that fits, and the parts that it lists.
    fn parts(&self) -> (Manifest, Vec<(String, Vec<u8>)>) {
        let mut parts = Vec::new();
        if let Some(checkpoint) = &self.checkpoint {
            parts.push((layout::CHECKPOINT.to_owned(), checkpoint.render().into_bytes()));
        }
        parts.push((layout::README.to_owned(), self.readme.clone()));
        for (number, segment) in self.segments.iter().enumerate() {
            parts.push((layout::genesis(number), segment.genesis.to_canonical()));
            if let Some(seal) = &segment.seal {
                parts.push((layout::seal(number), seal.to_canonical()));
            }
            parts.push((layout::envelopes(number, 0), lines(&segment.envelopes)));
        }
        for (hash, bytes) in &self.attachments {
            parts.push((layout::attachment(hash), bytes.clone()));
        }
        let listed = parts.iter().map(|(name, bytes)| ManifestPart {
            name: name.as_str().into(),
            size_bytes: bytes.len() as u64,
            sha256: preimage::part_hash(bytes),
        });
        let content = ManifestContent {
            envelope_count: self
                .segments
                .iter()
                .map(|segment| segment.envelopes.len() as u64)
                .sum(),
            segments: self.segments.iter().map(listed_segment).collect(),
            parts: listed.collect(),
            ..self.manifest.clone()
        };
        (Manifest::new(content), parts)
    }
}

/// The members of an archive.
pub(crate) fn members(bundle: &[u8]) -> Result<Members, ForgeryError> {
    let archive = Archive::open(&bundle, &VerifyLimits::default()).map_err(ForgeryError::new)?;
    let read = |member: &ArchiveMember| {
        let mut bytes = vec![0; usize::try_from(member.size_bytes()).map_err(ForgeryError::new)?];
        let (mut reader, mut filled) = (archive.reader(member), 0);
        while filled < bytes.len() {
            match reader.read(&mut bytes[filled..]).map_err(ForgeryError::new)? {
                0 => return Err(ForgeryError::new("a member is shorter than it says")),
                length => filled += length,
            }
        }
        Ok((member.name().to_owned(), bytes))
    };
    archive.members().iter().map(read).collect()
}

/// Recomputes a whole stream: commitments, hashes, places, links and seals. Gives its log.
pub(crate) fn rehash(segments: &mut [ForgedSegment]) -> CompactRange {
    let (mut position, mut predecessor, mut log) = (0, None, CompactRange::empty());
    for segment in segments {
        segment.genesis.first_position = position;
        segment.genesis.predecessor = predecessor;
        let mut previous = preimage::chain_start(&segment.genesis.hash());
        for (sequence, envelope) in segment.envelopes.iter_mut().enumerate() {
            envelope.place.sequence = sequence as u64;
            envelope.place.position = position;
            previous = rehash_envelope(envelope, &previous);
            log.push(merkle::leaf_hash(&previous));
            position += 1;
        }
        predecessor = reseal(segment, previous, &log);
    }
    log
}

/// Signs every seal, and every envelope that carries a signature, with `key`.
pub(crate) fn resign(segments: &mut [ForgedSegment], key: &SecretKey) {
    for segment in segments {
        for envelope in segment.envelopes.iter_mut().filter(|it| it.signature.is_some()) {
            let signature = key.sign_envelope(&envelope.content_hash, &envelope.chain_hash);
            envelope.signature = Some(signature);
        }
        // A signature is no part of the seal that the next genesis names, so nothing else changes.
        if let Some(seal) = &mut segment.seal {
            seal.signature = Some(key.sign_seal(&seal.seal.hash()));
        }
    }
}

fn last(segments: &mut [ForgedSegment]) -> Result<&mut ForgedSegment, ForgeryError> {
    segments.last_mut().ok_or_else(|| ForgeryError::new("a segment without genesis"))
}

fn envelopes(bytes: &[u8]) -> Result<Vec<SealedEnvelope>, ForgeryError> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            EnvelopeLine::parse(line).and_then(|line| line.to_sealed()).map_err(ForgeryError::new)
        })
        .collect()
}

fn lines(envelopes: &[SealedEnvelope]) -> Vec<u8> {
    let mut out = Vec::new();
    for envelope in envelopes {
        envelope.write_canonical(&mut out);
        out.push(b'\n');
    }
    out
}

fn rehash_envelope(envelope: &mut SealedEnvelope, previous: &ChainHash) -> ChainHash {
    if let Some(commitment) = envelope.recomputed_commitment() {
        envelope.payload_commitment = commitment;
    }
    envelope.content_hash = envelope.recomputed_content_hash();
    let place = &envelope.place;
    envelope.chain_hash =
        preimage::chain_hash(previous, place.sequence, place.recorded_at, &envelope.content_hash);
    envelope.chain_hash
}

/// Makes the seal fit its segment again; its old signature stays.
fn reseal(
    segment: &mut ForgedSegment,
    chain_head: ChainHash,
    log: &CompactRange,
) -> Option<Predecessor> {
    let seal = &mut segment.seal.as_mut()?.seal;
    seal.genesis_hash = segment.genesis.hash();
    seal.envelope_count = segment.envelopes.len() as u64;
    seal.chain_head = chain_head;
    seal.first_envelope_id = segment.envelopes.first()?.fields.envelope_id;
    seal.last_envelope_id = segment.envelopes.last()?.fields.envelope_id;
    seal.tree_size = log.end();
    seal.root_hash = log.root().unwrap_or(merkle::EMPTY_ROOT);
    Some(Predecessor { segment_id: seal.segment_id, chain_head, seal_hash: seal.hash() })
}

fn listed_segment(segment: &ForgedSegment) -> ManifestSegment {
    let count = segment.envelopes.len() as u64;
    let chain_start = preimage::chain_start(&segment.genesis.hash());
    ManifestSegment {
        segment_id: segment.genesis.segment_id,
        genesis_hash: segment.genesis.hash(),
        seal_hash: segment.seal.as_ref().map(|signed| signed.seal.hash()),
        chain_head: segment.envelopes.last().map_or(chain_start, |envelope| envelope.chain_hash),
        envelope_count: count,
        included_count: count,
        complete: true,
    }
}

/// The archive that holds exactly these.
pub(crate) fn write(members: &[(String, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut archive = ArchiveWriter::new(&mut out);
    for (name, bytes) in members {
        let size_bytes = bytes.len() as u64;
        let member = Member {
            name,
            method: Method::Stored,
            crc32: crc32fast::hash(bytes),
            size_bytes,
            stored_bytes: size_bytes,
        };
        archive.member(&member, &mut bytes.as_slice())?;
    }
    archive.finish()?;
    Ok(out)
}
