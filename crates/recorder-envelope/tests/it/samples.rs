//! Envelopes, geneses and seals that the vectors and the format page are made of.

use recorder_core::hash::{ChainHash, TreeHash};
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_core::time::RecordedAt;
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PayloadSalt, Place, PreparedEnvelope, SaltedPayload, SealedEnvelope,
    UnsealedEnvelope,
};
use recorder_envelope::json::CanonicalPayload;
use recorder_envelope::preimage;
use recorder_envelope::segment::{SealReason, SegmentGenesis, SegmentSeal, SigningPromise};
use recorder_envelope::signing::SecretKey;

/// 2026-11-22T00:14:13.000000000Z, in nanoseconds.
const RECORDED_AT: i64 = 1_795_306_453_000_000_000;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32]).unwrap()
}

pub(crate) fn envelope_id(number: u8) -> EnvelopeId {
    format!("019a4f00-0000-7000-8000-0000000000{number:02x}").parse().unwrap()
}

pub(crate) fn segment_id(number: u8) -> SegmentId {
    format!("019a4f00-0000-7000-9000-0000000000{number:02x}").parse().unwrap()
}

pub(crate) fn recorded_at(offset: i64) -> RecordedAt {
    RecordedAt::from_nanoseconds(RECORDED_AT + offset).unwrap()
}

pub(crate) fn stream() -> StreamId {
    StreamId { tenant_id: "default".parse().unwrap(), recorder_id: "recorder-cli".parse().unwrap() }
}

/// What the smallest sensible envelope says.
pub(crate) fn fields(number: u8) -> EnvelopeFields {
    EnvelopeFields {
        envelope_id: envelope_id(number),
        event_type: "tool.call".parse().unwrap(),
        actor_id: "agent:refunds".parse().unwrap(),
        environment_id: "production".parse().unwrap(),
        claimed_time: "2026-11-22T00:14:12.5Z".parse().unwrap(),
        trace_id: None,
        session_id: None,
        parent_ids: ParentIds::default(),
        attachment_refs: AttachmentRefs::default(),
    }
}

pub(crate) fn prepared(fields: EnvelopeFields, payload: &str) -> PreparedEnvelope {
    let salt = PayloadSalt::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    let payload = CanonicalPayload::parse(payload.as_bytes()).unwrap();
    UnsealedEnvelope { fields, payload: SaltedPayload { payload, salt } }.prepare()
}

pub(crate) fn place(sequence: u64) -> Place {
    Place {
        segment_id: segment_id(1),
        sequence,
        position: sequence,
        recorded_at: recorded_at(sequence.try_into().unwrap()),
    }
}

pub(crate) fn genesis() -> SegmentGenesis {
    SegmentGenesis {
        segment_id: segment_id(1),
        stream: stream(),
        segment_index: 0,
        first_position: 0,
        opened_at: recorded_at(0),
        signing: SigningPromise::Checkpoints,
        heartbeat_seconds: 0,
        predecessor: None,
    }
}

/// The first envelopes of a stream, chained from its genesis.
pub(crate) fn chained(count: u8) -> Vec<SealedEnvelope> {
    let mut previous = preimage::chain_start(&genesis().hash());
    (0..count)
        .map(|number| {
            let mut fields = fields(number);
            if number % 2 == 1 {
                fields.event_type = "tool.result".parse().unwrap();
                fields.parent_ids = ParentIds::sorted(vec![envelope_id(number - 1)]).unwrap();
            }
            let envelope = prepared(fields, &format!("{{\"n\":{number}}}"));
            let sealed = envelope.seal(place(number.into()), &previous);
            previous = sealed.chain_hash;
            sealed
        })
        .collect()
}

pub(crate) fn seal(envelopes: &[SealedEnvelope], root_hash: TreeHash) -> SegmentSeal {
    let (first, last) = (envelopes.first().unwrap(), envelopes.last().unwrap());
    SegmentSeal {
        segment_id: segment_id(1),
        genesis_hash: genesis().hash(),
        envelope_count: envelopes.len() as u64,
        chain_head: last.chain_hash,
        first_envelope_id: first.fields.envelope_id,
        last_envelope_id: last.fields.envelope_id,
        reason: SealReason::Manual,
        sealed_at: last.place.recorded_at,
        tree_size: envelopes.len() as u64,
        root_hash,
    }
}

pub(crate) fn attachment(content_type: &str, bytes: &[u8]) -> Attachment {
    Attachment::new(content_type.parse().unwrap(), bytes.to_vec()).unwrap()
}

pub(crate) fn line_of(envelope: &SealedEnvelope) -> String {
    let mut line = Vec::new();
    envelope.write_canonical(&mut line);
    String::from_utf8(line).unwrap()
}

pub(crate) fn view_of(envelope: &SealedEnvelope) -> String {
    let mut view = Vec::new();
    envelope.fields.write_hashable_view(&envelope.payload_commitment, &mut view);
    String::from_utf8(view).unwrap()
}

/// The 81 bytes of a chain link.
pub(crate) fn link_preimage(envelope: &SealedEnvelope, previous: &ChainHash) -> Vec<u8> {
    let mut preimage = vec![2];
    preimage.extend_from_slice(previous.as_bytes());
    preimage.extend_from_slice(&envelope.place.sequence.to_be_bytes());
    preimage.extend_from_slice(&envelope.place.recorded_at.nanoseconds().to_be_bytes());
    preimage.extend_from_slice(envelope.content_hash.as_bytes());
    preimage
}
