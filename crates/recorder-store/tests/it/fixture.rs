//! Streams made for tests: valid commits, built without asking any store, with ids that are the same every time.

use std::sync::Arc;

use recorder_core::hash::{ChainHash, RequestHash, TreeHash};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::time::{RecordedAt, UtcTimestamp};
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PayloadSalt, Place, SaltedPayload, SealedEnvelope, UnsealedEnvelope,
};
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::merkle::{CompactRange, TileCoordinates, full_tiles_completed, leaf_hash};
use recorder_envelope::preimage;
use recorder_envelope::segment::{
    Predecessor, SealReason, SegmentGenesis, SegmentSeal, SignedSeal, SigningPromise,
};
use recorder_envelope::signing::SecretKey;
use recorder_store::{ClaimRecord, Claims, Commit, ExpectedHead, Step, StoredCheckpoint, Tile};

/// 2026-11-22T00:00:00Z in nanoseconds.
const BEGINNING: i64 = 1_795_305_600_000_000_000;

/// UUIDv7 bytes that sort by `number`.
fn uuid(kind: u8, number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&[0x01, 0x93, 0, 0, 0, kind]);
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    bytes[9..].copy_from_slice(&number.to_be_bytes()[1..]);
    bytes
}

/// The id of envelope `number`.
pub(crate) fn envelope_id(number: u64) -> EnvelopeId {
    EnvelopeId::from_bytes(uuid(1, number)).unwrap()
}

/// The id of segment `number`.
pub(crate) fn segment_id(number: u64) -> SegmentId {
    SegmentId::from_bytes(uuid(2, number)).unwrap()
}

/// The stream of `tenant`.
pub(crate) fn stream(tenant: &str) -> StreamId {
    StreamId { tenant_id: tenant.parse().unwrap(), recorder_id: "recorder".parse().unwrap() }
}

/// A request under `key`, `seconds` after the beginning, answered by the envelopes at `positions`.
pub(crate) fn claim(key: &str, seconds: i64, positions: &[u64]) -> ClaimRecord {
    ClaimRecord {
        key: IdempotencyKey::new(key).unwrap(),
        request_hash: RequestHash::from_bytes([7; 32]),
        recorded_at: moment(seconds),
        positions: positions.to_vec(),
    }
}

/// `seconds` after the beginning.
fn moment(seconds: i64) -> RecordedAt {
    RecordedAt::from_nanoseconds(BEGINNING + seconds * 1_000_000_000).unwrap()
}

/// Claims that keep up to four records that are not from before `forget_before` seconds.
pub(crate) fn claims(records: Vec<ClaimRecord>, forget_before: i64) -> Claims {
    Claims { records, forget_before: moment(forget_before), count_max: 4 }
}

/// What one envelope says, as far as tests care.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) event_type: &'static str,
    pub(crate) actor: &'static str,
    pub(crate) environment: &'static str,
    pub(crate) trace: Option<&'static str>,
    pub(crate) session: Option<&'static str>,
    pub(crate) claimed_seconds: i64,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) payload: String,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            event_type: "tool.call",
            actor: "agent",
            environment: "test",
            trace: None,
            session: None,
            claimed_seconds: 0,
            attachments: Vec::new(),
            payload: r#"{"a":1}"#.to_owned(),
        }
    }
}

/// One change that the author makes.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Open,
    Append(Vec<Spec>),
    Seal,
    Checkpoint,
}

/// Writes one stream and knows where it stands.
#[derive(Clone)]
pub(crate) struct Author {
    pub(crate) stream: StreamId,
    pub(crate) next_envelope: u64,
    pub(crate) next_segment: u64,
    pub(crate) envelopes: Vec<SealedEnvelope>,
    leaves: Vec<TreeHash>,
    open: Option<(SegmentGenesis, u64)>,
    segment_count: u64,
    last_seal: Option<SegmentSeal>,
    committed: ExpectedHead,
    pub(crate) signing: SigningPromise,
    key: Option<Arc<SecretKey>>,
}

impl Author {
    pub(crate) fn new(tenant: &str) -> Self {
        Self {
            stream: stream(tenant),
            next_envelope: 0,
            next_segment: 0,
            envelopes: Vec::new(),
            leaves: Vec::new(),
            open: None,
            segment_count: 0,
            last_seal: None,
            committed: ExpectedHead { next_position: 0, chain_head: None, open_segment: None },
            signing: SigningPromise::None,
            key: None,
        }
    }

    /// An author who promises signatures and gives them.
    pub(crate) fn signing(tenant: &str, signing: SigningPromise, key: SecretKey) -> Self {
        Self { signing, key: Some(Arc::new(key)), ..Self::new(tenant) }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(crate) fn open_count(&self) -> u64 {
        self.open.as_ref().map_or(0, |(_, count)| *count)
    }

    pub(crate) fn expected(&self) -> ExpectedHead {
        ExpectedHead {
            next_position: self.envelopes.len() as u64,
            chain_head: self.envelopes.last().map(|envelope| envelope.chain_hash),
            open_segment: self.open.as_ref().map(|(genesis, _)| genesis.segment_id),
        }
    }

    /// The commit that does `acts` after everything before.
    pub(crate) fn commit(&mut self, acts: &[Act]) -> Commit {
        let old_size = self.envelopes.len() as u64;
        let mut attachments = Vec::new();
        let mut steps = Vec::new();
        for act in acts {
            steps.push(match act {
                Act::Open => Step::Open(self.open()),
                Act::Append(specs) => {
                    attachments.extend(specs.iter().flat_map(|spec| spec.attachments.clone()));
                    Step::Append(Arc::new(specs.iter().map(|spec| self.append(spec)).collect()))
                }
                Act::Seal => Step::Seal(self.seal()),
                Act::Checkpoint => Step::Checkpoint(self.checkpoint()),
            });
        }
        let new_size = self.envelopes.len() as u64;
        let tiles = full_tiles_completed(old_size, new_size).map(|place| self.tile(place));
        let commit = Commit {
            stream: self.stream.clone(),
            expected: self.committed,
            steps,
            attachments,
            tiles: tiles.collect(),
            claims: None,
        };
        self.committed = self.expected();
        commit
    }

    /// The commit that remembers `records` and does nothing else.
    pub(crate) fn remember(&self, records: Vec<ClaimRecord>, forget_before: i64) -> Commit {
        Commit {
            stream: self.stream.clone(),
            expected: self.committed,
            steps: Vec::new(),
            attachments: Vec::new(),
            tiles: Vec::new(),
            claims: Some(claims(records, forget_before)),
        }
    }

    fn open(&mut self) -> SegmentGenesis {
        let genesis = SegmentGenesis {
            segment_id: segment_id(self.next_segment),
            stream: self.stream.clone(),
            segment_index: self.segment_count,
            first_position: self.envelopes.len() as u64,
            opened_at: self.now(),
            signing: self.signing,
            heartbeat_seconds: 0,
            predecessor: self.last_seal.as_ref().map(|seal| Predecessor {
                segment_id: seal.segment_id,
                chain_head: seal.chain_head,
                seal_hash: seal.hash(),
            }),
        };
        self.next_segment += 1;
        self.segment_count += 1;
        self.open = Some((genesis.clone(), 0));
        genesis
    }

    fn now(&self) -> RecordedAt {
        // Two neighbours in three share a moment: equal times are allowed, earlier ones are not.
        let moment = BEGINNING + (self.envelopes.len() as i64 / 3) * 1_000_000_000;
        RecordedAt::from_nanoseconds(moment).unwrap()
    }

    fn append(&mut self, spec: &Spec) -> SealedEnvelope {
        let recorded_at = self.now();
        let (genesis, count) = self.open.as_mut().unwrap();
        let previous: ChainHash = match self.envelopes.last() {
            Some(last) if *count > 0 => last.chain_hash,
            _ => preimage::chain_start(&genesis.hash()),
        };
        let place = Place {
            segment_id: genesis.segment_id,
            sequence: *count,
            position: self.envelopes.len() as u64,
            recorded_at,
        };
        *count += 1;
        let mut envelope = unsealed(spec, self.next_envelope).prepare().seal(place, &previous);
        envelope.signature = self
            .key
            .as_ref()
            .map(|key| key.sign_envelope(&envelope.content_hash, &envelope.chain_hash));
        self.next_envelope += 1;
        self.leaves.push(leaf_hash(&envelope.chain_hash));
        self.envelopes.push(envelope.clone());
        envelope
    }

    fn seal(&mut self) -> SignedSeal {
        let (genesis, envelope_count) = self.open.take().unwrap();
        let first = &self.envelopes[genesis.first_position as usize];
        let last = self.envelopes.last().unwrap();
        let seal = SegmentSeal {
            segment_id: genesis.segment_id,
            genesis_hash: genesis.hash(),
            envelope_count,
            chain_head: last.chain_hash,
            first_envelope_id: first.fields.envelope_id,
            last_envelope_id: last.fields.envelope_id,
            reason: SealReason::Manual,
            sealed_at: self.now(),
            tree_size: self.envelopes.len() as u64,
            root_hash: self.root(),
        };
        self.last_seal = Some(seal.clone());
        let signature = self.key.as_ref().map(|key| key.sign_seal(&seal.hash()));
        SignedSeal { seal, signature }
    }

    fn checkpoint(&self) -> StoredCheckpoint {
        let tree_size = self.envelopes.len() as u64;
        let note = format!("recorder.local/{}\n{tree_size}\n", self.stream);
        StoredCheckpoint { tree_size, root_hash: self.root(), note }
    }

    fn root(&self) -> TreeHash {
        root(&self.leaves)
    }

    fn tile(&self, coordinates: TileCoordinates) -> Tile {
        let width = 256_usize.pow(coordinates.level.into());
        let first = coordinates.index as usize * 256 * width;
        let leaves = &self.leaves[first..first + 256 * width];
        Tile { coordinates, hashes: leaves.chunks(width).map(root).collect() }
    }
}

fn root(leaves: &[TreeHash]) -> TreeHash {
    let mut range = CompactRange::starting_at(0).unwrap();
    range.extend(leaves.iter().copied());
    range.root().unwrap()
}

/// Envelope `number`, saying `spec`; every third names the one before as its parent.
pub(crate) fn unsealed(spec: &Spec, number: u64) -> UnsealedEnvelope {
    let parents = if number % 3 == 2 { vec![envelope_id(number - 1)] } else { Vec::new() };
    let refs = spec.attachments.iter().map(|attachment| attachment.reference().clone()).collect();
    UnsealedEnvelope {
        fields: EnvelopeFields {
            envelope_id: envelope_id(number),
            event_type: spec.event_type.parse().unwrap(),
            actor_id: spec.actor.parse().unwrap(),
            environment_id: spec.environment.parse().unwrap(),
            claimed_time: UtcTimestamp::new(spec.claimed_seconds, 500).unwrap(),
            trace_id: spec.trace.map(|trace| trace.parse().unwrap()),
            session_id: spec.session.map(|session| session.parse().unwrap()),
            parent_ids: ParentIds::sorted(parents).unwrap(),
            attachment_refs: AttachmentRefs::sorted(refs).unwrap(),
        },
        payload: SaltedPayload {
            payload: CanonicalPayload::parse(spec.payload.as_bytes()).unwrap(),
            salt: PayloadSalt::from_bytes([number as u8; 16]),
        },
    }
}

/// `count` envelopes that say the same.
pub(crate) fn append(count: usize) -> Act {
    Act::Append(vec![Spec::default(); count])
}

/// A text attachment.
pub(crate) fn attachment(text: &str) -> Attachment {
    Attachment::new("text/plain".parse().unwrap(), text.as_bytes().to_vec()).unwrap()
}
