//! A stream as its recorder holds it: segments, Merkle log, checkpoint. Everything may be changed; nothing follows
//! a change unless it is asked to.

use std::collections::BTreeMap;
use std::convert::Infallible;

use recorder_core::hash::{AttachmentHash, ChainHash, TreeHash};
use recorder_core::identity::StreamId;
use recorder_core::time::RecordedAt;
use recorder_envelope::attachment::Attachment;
use recorder_envelope::checkpoint::{self, Checkpoint, LOG_NAME_DEFAULT, SignedCheckpoint};
use recorder_envelope::envelope::{Place, SealedEnvelope};
use recorder_envelope::merkle::{self, CompactRange, HashReader};
use recorder_envelope::preimage;
use recorder_envelope::segment::{
    Predecessor, SealReason, SegmentGenesis, SegmentSeal, SignedSeal, SigningPromise,
};
use recorder_envelope::signing::SecretKey;

use super::draft::{self, BEGIN_SECONDS, Draft};
use super::keys::Holder;

/// What is recomputed after a change, each level with all before it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Recompute {
    /// Nothing: bytes on the disk were edited.
    Nothing,
    /// Part hashes and manifest.
    Manifest,
    /// Commitments and content hashes.
    Content,
    /// The chain, the seals, the root and the checkpoint's body. Old signatures are carried along.
    Chain,
    /// All signatures, with the attacker's own key.
    AttackerKey,
    /// All signatures, with the recorder's key: the insider.
    RealKey,
}

/// One segment of a log.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) genesis: SegmentGenesis,
    pub(crate) envelopes: Vec<SealedEnvelope>,
    pub(crate) seal: Option<SignedSeal>,
}

/// A stream.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) stream: StreamId,
    pub(crate) signer: Option<Holder>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) attachments: BTreeMap<AttachmentHash, Attachment>,
    pub(crate) tree_size: u64,
    pub(crate) root: TreeHash,
    pub(crate) checkpoint: Option<String>,
}

/// The moment `seconds` after the beginning.
pub(crate) fn moment(seconds: u64) -> RecordedAt {
    let seconds = BEGIN_SECONDS + i64::try_from(seconds).unwrap();
    RecordedAt::from_nanoseconds(seconds * 1_000_000_000).unwrap()
}

impl Log {
    /// A log without segments. The recorder signs as `promise` says.
    pub(crate) fn new(promise: SigningPromise) -> Self {
        Self {
            stream: draft::stream(),
            signer: (promise != SigningPromise::None).then_some(Holder::Recorder),
            segments: Vec::new(),
            attachments: BTreeMap::new(),
            tree_size: 0,
            root: merkle::EMPTY_ROOT,
            checkpoint: None,
        }
    }

    /// A log of one segment a list, each sealed, with all hashes and signatures.
    pub(crate) fn sealed(promise: SigningPromise, segments: Vec<Vec<Draft>>) -> Self {
        let mut log = Self::new(promise);
        for drafts in segments {
            log.record(promise, drafts);
        }
        log.finish();
        log
    }

    /// The same, with the last segment still open.
    pub(crate) fn open(promise: SigningPromise, segments: Vec<Vec<Draft>>) -> Self {
        let mut log = Self::sealed(promise, segments);
        log.last_segment().seal = None;
        log
    }

    /// Opens the next segment with this promise, records `drafts` in it and seals it. Hashes are yet to be made.
    pub(crate) fn record(&mut self, promise: SigningPromise, drafts: Vec<Draft>) {
        let index = self.segments.len() as u64;
        let first_position = self.positions();
        let genesis = SegmentGenesis {
            segment_id: draft::segment_id(index),
            stream: self.stream.clone(),
            segment_index: index,
            first_position,
            opened_at: moment(first_position),
            signing: promise,
            heartbeat_seconds: 0,
            predecessor: None,
        };
        let mut envelopes = Vec::new();
        for (sequence, draft) in drafts.into_iter().enumerate() {
            for attachment in &draft.attachments {
                self.attachments.insert(attachment.reference().content_hash, attachment.clone());
            }
            let position = first_position + sequence as u64;
            let place = Place {
                segment_id: genesis.segment_id,
                sequence: sequence as u64,
                position,
                recorded_at: moment(position),
            };
            envelopes.push(draft.unsealed().prepare().seal(place, &zero_chain()));
        }
        let seal = Some(SignedSeal { seal: blank_seal(&genesis, &envelopes), signature: None });
        self.segments.push(Segment { genesis, envelopes, seal });
    }

    /// Computes all hashes and signs with the log's own signer.
    pub(crate) fn finish(&mut self) {
        self.recompute_chain();
        if let Some(holder) = self.signer {
            self.sign(&holder.key());
        }
    }

    /// Recomputes what `level` asks for.
    pub(crate) fn recompute(&mut self, level: Recompute) {
        if level >= Recompute::Content {
            self.recompute_content();
        }
        if level >= Recompute::Chain {
            self.recompute_chain();
        }
        match level {
            Recompute::AttackerKey => self.sign(&Holder::Attacker.key()),
            Recompute::RealKey => self.sign(&self.signer.unwrap_or(Holder::Recorder).key()),
            _ => {}
        }
    }

    /// Recomputes commitments and content hashes.
    pub(crate) fn recompute_content(&mut self) {
        for envelope in self.segments.iter_mut().flat_map(|segment| &mut segment.envelopes) {
            if let Some(commitment) = envelope.recomputed_commitment() {
                envelope.payload_commitment = commitment;
            }
            envelope.content_hash = envelope.recomputed_content_hash();
        }
    }

    /// Links, chains and seals all segments again, then the root and the checkpoint's body.
    pub(crate) fn recompute_chain(&mut self) {
        for index in 0..self.segments.len() {
            self.relink(index);
            self.rechain(index);
            self.reseal(index);
        }
        self.reroot();
    }

    /// Makes a segment's genesis name the segment before it, if there is one.
    pub(crate) fn relink(&mut self, index: usize) {
        let predecessor = index.checked_sub(1).map(|before| {
            let before = &self.segments[before];
            Predecessor {
                segment_id: before.genesis.segment_id,
                chain_head: before.head(),
                seal_hash: before.seal.as_ref().unwrap().seal.hash(),
            }
        });
        self.segments[index].genesis.predecessor = predecessor;
    }

    /// Recomputes the chain hashes of a segment.
    pub(crate) fn rechain(&mut self, index: usize) {
        let segment = &mut self.segments[index];
        let mut previous = preimage::chain_start(&segment.genesis.hash());
        for envelope in &mut segment.envelopes {
            let place = &envelope.place;
            let hash = &envelope.content_hash;
            previous = preimage::chain_hash(&previous, place.sequence, place.recorded_at, hash);
            envelope.chain_hash = previous;
        }
    }

    /// Makes a segment's seal state what the segment holds.
    pub(crate) fn reseal(&mut self, index: usize) {
        let leaves: Vec<_> = self.segments[..=index].iter().flat_map(Segment::leaves).collect();
        let segment = &mut self.segments[index];
        let chain_head = segment.head();
        let blank = blank_seal(&segment.genesis, &segment.envelopes);
        let Some(signed) = &mut segment.seal else { return };
        let (reason, sealed_at) = (signed.seal.reason, signed.seal.sealed_at);
        signed.seal = SegmentSeal {
            reason,
            sealed_at,
            chain_head,
            tree_size: leaves.len() as u64,
            root_hash: Leaves(leaves).root(),
            ..blank
        };
    }

    /// Recomputes size and root of the log; the checkpoint states them, its signature lines stay.
    pub(crate) fn reroot(&mut self) {
        let leaves = self.leaves();
        self.tree_size = leaves.0.len() as u64;
        self.root = leaves.root();
        if let Some(checkpoint) = &self.checkpoint {
            let (_, lines) = checkpoint.rsplit_once("\n\n").unwrap();
            self.checkpoint = Some(format!("{}\n{lines}", self.head().render()));
        }
    }

    /// Signs the checkpoint, the seals and, where that is promised, the envelopes.
    pub(crate) fn sign(&mut self, key: &SecretKey) {
        for segment in &mut self.segments {
            if segment.genesis.signing == SigningPromise::Envelopes {
                for envelope in &mut segment.envelopes {
                    let (content, chain) = (&envelope.content_hash, &envelope.chain_hash);
                    envelope.signature = Some(key.sign_envelope(content, chain));
                }
            }
            if let Some(signed) = &mut segment.seal {
                signed.signature = Some(key.sign_seal(&signed.seal.hash()));
            }
        }
        self.checkpoint = Some(self.head().sign(key).unwrap().render());
    }

    /// What a checkpoint of the log says.
    pub(crate) fn head(&self) -> Checkpoint {
        let origin = checkpoint::origin(LOG_NAME_DEFAULT, &self.stream);
        Checkpoint::new(origin, self.tree_size, self.root).unwrap()
    }

    /// The checkpoint, read.
    pub(crate) fn signed_checkpoint(&self) -> SignedCheckpoint {
        SignedCheckpoint::parse(self.checkpoint.as_ref().unwrap().as_bytes()).unwrap()
    }

    /// The leaves of the Merkle log, as the envelopes' stated chain hashes give them.
    pub(crate) fn leaves(&self) -> Leaves {
        Leaves(self.segments.iter().flat_map(Segment::leaves).collect())
    }

    /// How many envelopes there are.
    pub(crate) fn positions(&self) -> u64 {
        self.segments.iter().map(|segment| segment.envelopes.len() as u64).sum()
    }

    /// Envelope `number`, counted over all segments.
    pub(crate) fn envelope(&mut self, number: usize) -> &mut SealedEnvelope {
        let envelopes = self.segments.iter_mut().flat_map(|segment| &mut segment.envelopes);
        envelopes.into_iter().nth(number).unwrap()
    }

    /// The last segment.
    pub(crate) fn last_segment(&mut self) -> &mut Segment {
        self.segments.last_mut().unwrap()
    }

    /// Gives all envelopes and geneses the positions, sequences and times that their order asks for.
    pub(crate) fn renumber(&mut self) {
        let mut position = 0;
        for segment in &mut self.segments {
            segment.genesis.first_position = position;
            for (sequence, envelope) in segment.envelopes.iter_mut().enumerate() {
                envelope.place.sequence = sequence as u64;
                envelope.place.position = position;
                envelope.place.recorded_at = moment(position);
                position += 1;
            }
        }
    }
}

impl Segment {
    /// The last chain hash.
    pub(crate) fn head(&self) -> ChainHash {
        self.envelopes.last().map_or_else(zero_chain, |envelope| envelope.chain_hash)
    }

    fn leaves(&self) -> impl Iterator<Item = TreeHash> {
        self.envelopes.iter().map(|envelope| merkle::leaf_hash(&envelope.chain_hash))
    }
}

/// Leaf hashes of a log, from position 0.
pub(crate) struct Leaves(pub(crate) Vec<TreeHash>);

impl Leaves {
    /// The root over all of them.
    pub(crate) fn root(&self) -> TreeHash {
        let mut range = CompactRange::empty();
        range.extend(self.0.iter().copied());
        range.root().unwrap()
    }

    /// The inclusion path of one of them in the tree of all.
    pub(crate) fn path(&self, position: u64) -> Vec<TreeHash> {
        merkle::inclusion_proof(self, position, self.0.len() as u64).unwrap()
    }
}

impl HashReader for Leaves {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<TreeHash, Infallible> {
        let begin = usize::try_from(index << level).unwrap();
        let mut range = CompactRange::starting_at(index << level).unwrap();
        range.extend(self.0[begin..begin + (1 << level)].iter().copied());
        Ok(range.nodes()[0])
    }
}

fn zero_chain() -> ChainHash {
    ChainHash::from_bytes([0; 32])
}

/// A seal that states what can be told without hashes.
fn blank_seal(genesis: &SegmentGenesis, envelopes: &[SealedEnvelope]) -> SegmentSeal {
    let id = |envelope: Option<&SealedEnvelope>| {
        envelope.map_or_else(|| draft::envelope_id(0), |envelope| envelope.fields.envelope_id)
    };
    SegmentSeal {
        segment_id: genesis.segment_id,
        genesis_hash: genesis.hash(),
        envelope_count: envelopes.len() as u64,
        chain_head: zero_chain(),
        first_envelope_id: id(envelopes.first()),
        last_envelope_id: id(envelopes.last()),
        reason: SealReason::Manual,
        sealed_at: envelopes.last().map_or(genesis.opened_at, |last| last.place.recorded_at),
        tree_size: 0,
        root_hash: merkle::EMPTY_ROOT,
    }
}
