//! Phase 6: signatures, by keys that the auditor's trust root holds for the stream at that position.
//!
//! A stripped signature breaks authenticity wherever the genesis promises one, trust root or not: the promise is
//! under the chain. Keys come from the trust root, and from rotations that one of its keys in force vouches for; nothing
//! else in the evidence brings a key in.

use std::collections::BTreeSet;

use recorder_core::hash::KeyId;
use recorder_core::identity::StreamId;
use recorder_core::limits::CHECKPOINT_BYTES_MAX;
use recorder_envelope::bundle::layout;
use recorder_envelope::bundle::manifest::ManifestContent;
use recorder_envelope::checkpoint::{SignedCheckpoint, is_of_stream};
use recorder_envelope::dsse;
use recorder_envelope::line::EnvelopeLine;
use recorder_envelope::note::{ALGORITHM_ED25519, NoteSignature, key_hash};
use recorder_envelope::segment::SigningPromise;
use recorder_envelope::signing::{PublicKey, SignatureError};
use recorder_envelope::trust_root::{KeyStatus, TrustRoot, TrustedKey};

use super::Counts;
use super::manifest::{Admitted, Beside};
use super::segments::{Segment, Segments};
use crate::container::Container;
use crate::finding::{Finding, FindingCode, Findings, Place};
use crate::limits::VerifyError;
use crate::succession::Succession;

/// What a key was used for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// The manifest.
    Manifest,
    /// The checkpoint.
    Checkpoint,
    /// A seal.
    Seal,
    /// An envelope.
    Envelope,
}

/// Whom the auditor believes about one stream.
pub(crate) struct Trust<'a> {
    root: Option<&'a TrustRoot>,
    pub(crate) stream: &'a StreamId,
    /// What the rotations in the bundle add, and where they bound it.
    pub(crate) succession: Succession,
}

/// Why a signature does not vouch for what it is on.
enum Refusal {
    /// Nothing can be said of the key.
    Unknown,
    /// The key must not sign there.
    Key(FindingCode),
    /// The signature does not hold.
    Invalid,
}

impl<'a> Trust<'a> {
    pub(crate) fn new(root: Option<&'a TrustRoot>, stream: &'a StreamId) -> Self {
        Self { root, stream, succession: Succession::default() }
    }

    /// Checks a signature that names its key, made at a position of the log.
    fn check(
        &self,
        key_id: KeyId,
        position: u64,
        verify: impl FnOnce(&PublicKey) -> Result<(), SignatureError>,
    ) -> Result<(), Refusal> {
        let key = self.key(&key_id).ok_or(Refusal::Unknown)?;
        verify(key).map_err(|_| Refusal::Invalid)?;
        self.may_sign(&key_id, position)
    }

    /// A key by its name: the trust root's, or one that a trusted key brought in.
    fn key(&self, key_id: &KeyId) -> Option<&PublicKey> {
        let named = self.named(key_id).map(TrustedKey::public_key);
        let reign = self.succession.reign(key_id);
        named.or_else(|| reign.and_then(|reign| reign.brought_in.as_ref()))
    }

    fn named(&self, key_id: &KeyId) -> Option<&TrustedKey> {
        self.root.and_then(|root| root.key(key_id))
    }

    /// The key of this name, if it is trusted at this position.
    pub(crate) fn key_at(&self, key_id: &KeyId, position: u64) -> Option<&PublicKey> {
        self.key(key_id).filter(|_| self.may_sign(key_id, position).is_ok())
    }

    /// Whether the trust root says who may sign this stream. If it does, any other key is one too many.
    fn names_signers(&self) -> bool {
        self.root.is_some_and(|root| root.keys_for(self.stream).next().is_some())
    }

    /// What the trust root says of a key holds; a rotation narrows it at both ends.
    fn may_sign(&self, key_id: &KeyId, position: u64) -> Result<(), Refusal> {
        if let Some(key) = self.named(key_id) {
            if !key.covers_stream(self.stream) {
                return Err(Refusal::Key(FindingCode::KeyNotForStream));
            }
            if key.status() == KeyStatus::Compromised {
                return Err(Refusal::Key(FindingCode::KeyCompromised));
            }
            if !key.covers(position) {
                return Err(Refusal::Key(FindingCode::KeyNotForPosition));
            }
        }
        match self.succession.reign(key_id) {
            Some(reign) if !reign.covers(position) => {
                Err(Refusal::Key(FindingCode::KeyNotForPosition))
            }
            _ => Ok(()),
        }
    }
}

/// What envelope signatures of one part, or of all, amount to.
#[derive(Clone, Debug, Default)]
pub(crate) struct EnvelopeSignatures {
    /// Envelopes with a valid signature of their own by a trusted key.
    pub(crate) vouched: u64,
    /// Envelopes with any signature of their own.
    present: u64,
    used: BTreeSet<KeyId>,
}

impl EnvelopeSignatures {
    /// Looks at the signature of one envelope.
    pub(crate) fn check(
        &mut self,
        trust: &Trust<'_>,
        line: &EnvelopeLine<'_>,
        promise: SigningPromise,
        mut find: impl FnMut(FindingCode, String),
    ) {
        let Some(signature) = &line.signature else {
            if promise == SigningPromise::Envelopes {
                let detail = "the stream promises one on every envelope".to_owned();
                find(FindingCode::EnvelopeSignatureMissing, detail);
            }
            return;
        };
        self.present += 1;
        let key_id = signature.key_id();
        let verify =
            |key: &PublicKey| key.verify_envelope(&line.content_hash, &line.chain_hash, signature);
        match trust.check(key_id, line.place.position, verify) {
            Ok(()) => {
                self.vouched += 1;
                self.used.insert(key_id);
            }
            Err(Refusal::Unknown) if !trust.names_signers() => {}
            Err(Refusal::Unknown) => find(FindingCode::KeyUnknown, format!("key {key_id}")),
            Err(Refusal::Key(code)) => find(code, format!("key {key_id}")),
            Err(Refusal::Invalid) => {
                find(FindingCode::EnvelopeSignatureInvalid, format!("key {key_id}"));
            }
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.vouched += other.vouched;
        self.present += other.present;
        self.used.extend(other.used);
    }
}

/// What the phase has checked. Only this file makes one.
#[derive(Debug)]
pub struct SignaturesReport {
    counts: Counts,
    keys: BTreeSet<(KeyId, KeyUse)>,
    checkpoint: Option<SignedCheckpoint>,
    checkpoint_key: Option<VouchingKey>,
    manifest_vouched: bool,
    last_seal_vouched: bool,
    envelopes_vouched: u64,
}

/// A key whose signature counted, and the key of the trust root that it goes back to: itself where that names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VouchingKey {
    /// The key.
    pub key: PublicKey,
    /// The key of the trust root from which rotations led to it.
    pub rooted_in: KeyId,
}

impl SignaturesReport {
    pub(crate) fn unreached() -> Self {
        Self {
            counts: Counts::new(),
            keys: BTreeSet::new(),
            checkpoint: None,
            checkpoint_key: None,
            manifest_vouched: false,
            last_seal_vouched: false,
            envelopes_vouched: 0,
        }
    }

    /// How many of each thing was checked.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The trusted keys whose signatures held, and on what.
    pub fn keys(&self) -> &BTreeSet<(KeyId, KeyUse)> {
        &self.keys
    }

    /// The checkpoint, vouched for or not.
    pub fn checkpoint(&self) -> Option<&SignedCheckpoint> {
        self.checkpoint.as_ref()
    }

    /// Whether a trusted key signed the checkpoint.
    pub fn checkpoint_vouched(&self) -> bool {
        self.checkpoint_key.is_some()
    }

    /// The trusted key that signed the checkpoint.
    pub fn checkpoint_key(&self) -> Option<VouchingKey> {
        self.checkpoint_key
    }

    /// Whether a trusted key signed the manifest.
    pub fn manifest_vouched(&self) -> bool {
        self.manifest_vouched
    }

    /// Whether a trusted key signed the seal of the last segment.
    pub fn last_seal_vouched(&self) -> bool {
        self.last_seal_vouched
    }

    /// Envelopes that a trusted key signed one by one.
    pub fn envelopes_vouched(&self) -> u64 {
        self.envelopes_vouched
    }
}

/// Everything that is signed but envelopes.
struct Heads<'a> {
    trust: &'a Trust<'a>,
    findings: &'a mut Findings,
    keys: BTreeSet<(KeyId, KeyUse)>,
    verified: u64,
}

/// Checks the signatures on manifest, checkpoint and seals, adds those on envelopes, and ends the phase.
pub(crate) fn check(
    container: &Container<'_>,
    admitted: &Admitted,
    segments: &Segments,
    trust: &Trust<'_>,
    envelopes: EnvelopeSignatures,
    envelope_count: u64,
    findings: &mut Findings,
) -> Result<SignaturesReport, VerifyError> {
    let content = admitted.content();
    let checkpoint = read_checkpoint(container, admitted, findings)?;
    let promise = segments.promise();
    let mut heads = Heads { trust, findings, keys: BTreeSet::new(), verified: 0 };
    let manifest_vouched = heads.manifest(admitted, promise);
    let checkpoint_key = heads.checkpoint(checkpoint.as_ref(), admitted, promise);
    let last_seal_vouched = heads.seals(segments);
    let Heads { mut keys, verified, findings, .. } = heads;
    keys.extend(envelopes.used.iter().map(|key_id| (*key_id, KeyUse::Envelope)));
    let unvouched = envelope_count.saturating_sub(envelopes.vouched);
    let signed = !matches!(admitted.signatures, Beside::Absent)
        || admitted.plan.checkpoint.is_some()
        || segments.iter().any(Segment::is_signed)
        || envelopes.present > 0;
    check_trust(trust, content, signed, checkpoint_key.is_some(), unvouched, findings);
    let counts = Counts::from([
        ("verified", verified + envelopes.vouched),
        ("envelopes", envelopes.vouched),
        ("keys", keys.iter().map(|(key_id, _)| key_id).collect::<BTreeSet<_>>().len() as u64),
    ]);
    Ok(SignaturesReport {
        counts,
        keys,
        checkpoint,
        checkpoint_key,
        manifest_vouched,
        last_seal_vouched,
        envelopes_vouched: envelopes.vouched,
    })
}

/// Says, once, why nobody vouches.
fn check_trust(
    trust: &Trust<'_>,
    content: &ManifestContent,
    signed: bool,
    checkpoint_vouched: bool,
    unvouched: u64,
    findings: &mut Findings,
) {
    let mut warn = |code, detail: String| findings.add(Finding::new(code, Place::Bundle, detail));
    let Some(root) = trust.root else {
        return warn(FindingCode::TrustRootAbsent, "no signature was checked".to_owned());
    };
    if root.keys_for(&content.stream).next().is_none() {
        return warn(FindingCode::TrustRootSilent, format!("stream {}", content.stream));
    }
    if !signed {
        warn(FindingCode::StreamUnsigned, "no signature at all".to_owned());
    } else if !checkpoint_vouched && unvouched > 0 {
        warn(FindingCode::EnvelopeUnvouched, format!("{unvouched} envelopes"));
    }
}

fn read_checkpoint(
    container: &Container<'_>,
    admitted: &Admitted,
    findings: &mut Findings,
) -> Result<Option<SignedCheckpoint>, VerifyError> {
    let Some(part) = admitted.plan.checkpoint else { return Ok(None) };
    let code = FindingCode::CheckpointMalformed;
    let bytes = admitted.read_small(container, part, CHECKPOINT_BYTES_MAX, code, findings)?;
    let Some(bytes) = bytes else { return Ok(None) };
    let content = admitted.content();
    let place = || Place::Part(layout::CHECKPOINT.into());
    let signed = match SignedCheckpoint::parse(&bytes) {
        Ok(signed) => signed,
        Err(error) => {
            findings.add(Finding::new(code, place(), error.to_string()));
            return Ok(None);
        }
    };
    let stated = signed.checkpoint();
    if !is_of_stream(stated.origin(), &content.stream) {
        let code = FindingCode::CheckpointOrigin;
        findings.add(Finding::new(code, place(), format!("origin {}", stated.origin())));
    }
    if stated.tree_size() != content.tree_size || stated.root() != content.root_hash {
        let detail = "another tree size or root than the manifest's";
        findings.add(Finding::new(FindingCode::CheckpointMismatch, place(), detail));
    }
    Ok(Some(signed))
}

impl Heads<'_> {
    fn find(&mut self, code: FindingCode, place: Place, detail: impl Into<Box<str>>) {
        self.findings.add(Finding::new(code, place, detail));
    }

    /// Says what a refusal means. Where the trust root names no signer every key is unknown, which is said once.
    fn refuse(&mut self, refusal: &Refusal, invalid: FindingCode, place: Place, key_id: KeyId) {
        let detail = format!("key {key_id}");
        match refusal {
            Refusal::Unknown if !self.trust.names_signers() => {}
            Refusal::Unknown => self.find(FindingCode::KeyUnknown, place, detail),
            Refusal::Key(code) => self.find(*code, place, detail),
            Refusal::Invalid => self.find(invalid, place, detail),
        }
    }

    fn accept(&mut self, key_id: KeyId, on: KeyUse) {
        self.verified += 1;
        self.keys.insert((key_id, on));
    }

    fn manifest(&mut self, admitted: &Admitted, promise: SigningPromise) -> bool {
        let place = || Place::Part(layout::MANIFEST_DSSE.into());
        let signatures = match &admitted.signatures {
            Beside::Signatures(signatures) => signatures.signatures(),
            Beside::Malformed => return false,
            Beside::Absent => {
                if promise > SigningPromise::None {
                    let detail = "the stream promises signatures";
                    self.find(FindingCode::ManifestSignatureMissing, place(), detail);
                }
                return false;
            }
        };
        let position = admitted.content().tree_size.saturating_sub(1);
        let mut vouched = false;
        for signature in signatures {
            let key_id = signature.key_id();
            let verify = |key: &PublicKey| dsse::verify_manifest(&admitted.bytes, key, signature);
            match self.trust.check(key_id, position, verify) {
                Ok(()) => {
                    self.accept(key_id, KeyUse::Manifest);
                    vouched = true;
                }
                Err(refusal) => {
                    let code = FindingCode::ManifestSignatureInvalid;
                    self.refuse(&refusal, code, place(), key_id);
                }
            }
        }
        vouched
    }

    fn checkpoint(
        &mut self,
        signed: Option<&SignedCheckpoint>,
        admitted: &Admitted,
        promise: SigningPromise,
    ) -> Option<VouchingKey> {
        let place = || Place::Part(layout::CHECKPOINT.into());
        let Some(signed) = signed else {
            if promise > SigningPromise::None && admitted.plan.checkpoint.is_none() {
                let detail = "the stream promises signed checkpoints";
                self.find(FindingCode::CheckpointMissing, place(), detail);
            }
            return None;
        };
        let root = self.trust.root?;
        // A note names its key by four bytes and its origin: the key is looked for, not looked up.
        let line = signed.signatures().first();
        let by = |key: &&PublicKey| line.is_some_and(|line| is_by(line, key));
        let named = root.keys().iter().map(TrustedKey::public_key);
        let Some(key) = named.chain(self.trust.succession.brought_in()).find(by) else {
            if self.trust.names_signers() {
                self.find(FindingCode::KeyUnknown, place(), "the log's key");
            }
            return None;
        };
        let position = signed.checkpoint().tree_size().saturating_sub(1);
        let verify =
            |key: &PublicKey| signed.verify_log_signature(key).map_err(|_| SignatureError::Invalid);
        let key_id = key.key_id();
        match self.trust.check(key_id, position, verify) {
            Ok(()) => {
                let (key, named) = (*key, self.trust.named(&key_id).is_some());
                let reign = self.trust.succession.reign(&key_id).filter(|_| !named);
                let rooted_in = reign.and_then(|reign| reign.rooted_in).unwrap_or(key_id);
                self.accept(key_id, KeyUse::Checkpoint);
                Some(VouchingKey { key, rooted_in })
            }
            Err(refusal) => {
                let code = FindingCode::CheckpointSignatureInvalid;
                self.refuse(&refusal, code, place(), key_id);
                None
            }
        }
    }

    /// Whether the seal of the last segment is vouched for.
    fn seals(&mut self, segments: &Segments) -> bool {
        let mut last_vouched = false;
        for (index, segment) in segments.iter().enumerate() {
            last_vouched = false;
            let Some((signed, hash)) = &segment.seal else { continue };
            let place = Place::Segment(index as u64);
            let promise = segment.genesis.as_ref().map(|genesis| genesis.signing);
            let Some(signature) = &signed.signature else {
                if promise > Some(SigningPromise::None) {
                    let detail = "the stream promises signatures";
                    self.find(FindingCode::SealSignatureMissing, place, detail);
                }
                continue;
            };
            let (key_id, tree_size) = (signature.key_id(), signed.seal.tree_size);
            let position = self.trust.succession.seal_position(index, key_id, tree_size);
            let verify = |key: &PublicKey| key.verify_seal(hash, signature);
            match self.trust.check(key_id, position, verify) {
                Ok(()) => {
                    self.accept(key_id, KeyUse::Seal);
                    last_vouched = true;
                }
                Err(refusal) => {
                    let code = FindingCode::SealSignatureInvalid;
                    self.refuse(&refusal, code, place, key_id);
                }
            }
        }
        last_vouched
    }
}

fn is_by(line: &NoteSignature, key: &PublicKey) -> bool {
    key_hash(line.name(), ALGORITHM_ED25519, key.as_bytes()) == line.key_hash()
}
