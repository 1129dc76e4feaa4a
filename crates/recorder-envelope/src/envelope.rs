//! The envelope: unsealed from a producer, prepared on any thread, sealed by the one writer (evidence format §3).
//!
//! The payload is committed to, not contained: the hashable view holds only its commitment, so an envelope
//! whose payload was erased or withheld still proves its existence, its metadata and its place.

use std::fmt;

use recorder_core::hash::{ChainHash, ContentHash, PayloadCommitment, decode_hex, encode_hex_into};
use recorder_core::identity::{
    ActorId, EnvelopeId, EnvironmentId, EventType, SegmentId, SessionId, TraceId,
};
use recorder_core::limits::PARENT_IDS_MAX;
use recorder_core::signature::{ALGORITHM, Signature};
use recorder_core::time::{RecordedAt, UtcTimestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::attachment::AttachmentRefs;
use crate::json::{self, CanonicalPayload};
use crate::preimage::{self, SALT_BYTES};

/// The only version of the envelope's schema.
pub const SCHEMA_VERSION: u64 = 1;

/// Positions, sequences and counts stay below 2⁴⁰, where every JSON reader and the store's keys hold them exactly.
pub const POSITION_MAX: u64 = (1 << 40) - 1;

/// Why parents were refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParentIdsError {
    /// More parents than one envelope may name.
    #[error("envelope names {count} parents; at most {PARENT_IDS_MAX} are allowed")]
    TooMany {
        /// The parents that it names.
        count: usize,
    },
    /// The same parent twice.
    #[error("parent_ids holds the same id twice")]
    Duplicate,
    /// Parents in another order than that of their ids.
    #[error("parent_ids is not sorted")]
    Unsorted,
}

/// Parents, sorted, without duplicates, at most 64.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Vec<EnvelopeId>", into = "Vec<EnvelopeId>")]
pub struct ParentIds(Vec<EnvelopeId>);

impl ParentIds {
    /// Sorts `ids` and takes them.
    ///
    /// # Errors
    ///
    /// `TooMany`, or `Duplicate` when an id stands twice.
    pub fn sorted(mut ids: Vec<EnvelopeId>) -> Result<Self, ParentIdsError> {
        ids.sort_unstable();
        Self::try_from(ids)
    }

    /// The parents in order.
    pub fn as_slice(&self) -> &[EnvelopeId] {
        &self.0
    }
}

impl TryFrom<Vec<EnvelopeId>> for ParentIds {
    type Error = ParentIdsError;

    fn try_from(ids: Vec<EnvelopeId>) -> Result<Self, ParentIdsError> {
        if ids.len() > PARENT_IDS_MAX {
            return Err(ParentIdsError::TooMany { count: ids.len() });
        }
        for pair in ids.windows(2) {
            match pair[0].cmp(&pair[1]) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Err(ParentIdsError::Duplicate),
                std::cmp::Ordering::Greater => return Err(ParentIdsError::Unsorted),
            }
        }
        Ok(Self(ids))
    }
}

impl From<ParentIds> for Vec<EnvelopeId> {
    fn from(ids: ParentIds) -> Self {
        ids.0
    }
}

/// Sixteen bytes that keep a payload's commitment from being guessed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PayloadSalt([u8; SALT_BYTES]);

impl PayloadSalt {
    /// Takes the raw bytes.
    pub const fn from_bytes(bytes: [u8; SALT_BYTES]) -> Self {
        Self(bytes)
    }

    /// Parses 32 lower-case hex digits; anything else is `None`.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        decode_hex(text).map(Self)
    }

    /// The raw bytes.
    pub const fn as_bytes(&self) -> &[u8; SALT_BYTES] {
        &self.0
    }

    /// The 32 lower-case hex digits.
    pub fn to_hex(&self) -> [u8; SALT_BYTES * 2] {
        let mut text = [0; SALT_BYTES * 2];
        encode_hex_into(&self.0, &mut text);
        text
    }
}

// A salt guards what was withheld; it stays out of logs.
impl fmt::Debug for PayloadSalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayloadSalt(..)")
    }
}

impl Serialize for PayloadSalt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(&self.to_hex()))
    }
}

impl<'de> Deserialize<'de> for PayloadSalt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<str>::deserialize(deserializer)?;
        Self::from_hex(text.as_bytes())
            .ok_or_else(|| de::Error::custom("payload_salt: expected 32 lower-case hex digits"))
    }
}

/// A payload with the salt of its commitment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SaltedPayload {
    /// The canonical JSON object.
    pub payload: CanonicalPayload,
    /// The salt.
    pub salt: PayloadSalt,
}

impl SaltedPayload {
    /// `SHA-256(0x03 ‖ salt ‖ JCS(payload))`.
    pub fn commitment(&self) -> PayloadCommitment {
        preimage::payload_commitment(self.salt.as_bytes(), self.payload.as_bytes())
    }
}

/// What a producer says of an event, its payload apart. Every field holds only valid values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnvelopeFields {
    /// The envelope's name.
    pub envelope_id: EnvelopeId,
    /// What happened.
    pub event_type: EventType,
    /// Who acted.
    pub actor_id: ActorId,
    /// Where.
    pub environment_id: EnvironmentId,
    /// When, as the producer claims.
    pub claimed_time: UtcTimestamp,
    /// The trace, if any.
    pub trace_id: Option<TraceId>,
    /// The session, if any.
    pub session_id: Option<SessionId>,
    /// What it follows from.
    pub parent_ids: ParentIds,
    /// The attachments it refers to.
    pub attachment_refs: AttachmentRefs,
}

impl EnvelopeFields {
    /// Appends the JCS bytes of the hashable view: exactly eleven members.
    pub fn write_hashable_view(&self, commitment: &PayloadCommitment, out: &mut Vec<u8>) {
        self.write_actor_to_refs(out);
        out.extend_from_slice(b",\"claimed_time\":\"");
        out.extend_from_slice(&self.claimed_time.to_text());
        out.extend_from_slice(b"\",");
        self.write_envelope_to_parents(out);
        out.extend_from_slice(b",\"payload_commitment\":\"");
        out.extend_from_slice(&commitment.to_hex());
        out.extend_from_slice(b"\",\"schema_version\":1,\"session_id\":");
        write_optional_string(out, self.session_id.as_ref().map(SessionId::as_str));
        self.write_trace_and_end(out);
    }

    fn write_actor_to_refs(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"actor_id\":");
        json::write_string(out, self.actor_id.as_str());
        out.extend_from_slice(b",\"attachment_refs\":");
        write_attachment_refs(out, &self.attachment_refs);
    }

    fn write_envelope_to_parents(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"envelope_id\":\"");
        out.extend_from_slice(&self.envelope_id.to_text());
        out.extend_from_slice(b"\",\"environment_id\":");
        json::write_string(out, self.environment_id.as_str());
        // Event types hold no character that JSON escapes.
        out.extend_from_slice(b",\"event_type\":\"");
        out.extend_from_slice(self.event_type.as_str().as_bytes());
        out.extend_from_slice(b"\",\"parent_ids\":[");
        for (index, id) in self.parent_ids.as_slice().iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(&id.to_text());
            out.push(b'"');
        }
        out.push(b']');
    }

    fn write_trace_and_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"trace_id\":");
        write_optional_string(out, self.trace_id.as_ref().map(TraceId::as_str));
        out.push(b'}');
    }
}

/// Appends the canonical array of references.
pub fn write_attachment_refs(out: &mut Vec<u8>, refs: &AttachmentRefs) {
    out.push(b'[');
    for (index, reference) in refs.as_slice().iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        out.extend_from_slice(b"\"content_hash\":\"");
        out.extend_from_slice(&reference.content_hash.to_hex());
        out.extend_from_slice(b"\",\"content_type\":");
        json::write_string(out, reference.content_type.as_str());
        out.extend_from_slice(b",\"size_bytes\":");
        write_integer(out, reference.size_bytes);
        out.push(b'}');
    }
    out.push(b']');
}

fn write_optional_string(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => json::write_string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_integer(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// What a producer hands in: nothing of it has been hashed yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnsealedEnvelope {
    /// What the producer says.
    pub fields: EnvelopeFields,
    /// The payload and its salt.
    pub payload: SaltedPayload,
}

impl UnsealedEnvelope {
    /// Computes the commitment and the content hash: all work that needs no order.
    pub fn prepare(self) -> PreparedEnvelope {
        let payload_commitment = self.payload.commitment();
        let mut view = Vec::with_capacity(640);
        self.fields.write_hashable_view(&payload_commitment, &mut view);
        let content_hash = preimage::content_hash(&[&view]);
        PreparedEnvelope {
            fields: self.fields,
            payload: self.payload,
            payload_commitment,
            content_hash,
        }
    }
}

/// An envelope with its hashes, ready for the writer; only `UnsealedEnvelope::prepare` makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PreparedEnvelope {
    fields: EnvelopeFields,
    payload: SaltedPayload,
    payload_commitment: PayloadCommitment,
    content_hash: ContentHash,
}

impl PreparedEnvelope {
    /// What the producer says.
    pub fn fields(&self) -> &EnvelopeFields {
        &self.fields
    }

    /// The payload and its salt.
    pub fn payload(&self) -> &SaltedPayload {
        &self.payload
    }

    /// The hash of the hashable view.
    pub fn content_hash(&self) -> ContentHash {
        self.content_hash
    }

    /// The commitment to the payload.
    pub fn payload_commitment(&self) -> PayloadCommitment {
        self.payload_commitment
    }

    /// Seals the envelope at `place`, after `previous`.
    pub fn seal(self, place: Place, previous: &ChainHash) -> SealedEnvelope {
        let chain_hash =
            preimage::chain_hash(previous, place.sequence, place.recorded_at, &self.content_hash);
        SealedEnvelope {
            fields: self.fields,
            payload: Some(self.payload),
            payload_commitment: self.payload_commitment,
            content_hash: self.content_hash,
            place,
            chain_hash,
            signature: None,
        }
    }
}

/// Where and when an envelope stands in its stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The segment.
    pub segment_id: SegmentId,
    /// From 0 within the segment.
    pub sequence: u64,
    /// From 0 within the stream.
    pub position: u64,
    /// When the recorder sealed it.
    pub recorded_at: RecordedAt,
}

/// An envelope in its place in the chain, as stored and exported.
///
/// Holding one proves nothing: rows and lines are hostile until the verifier has recomputed their hashes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedEnvelope {
    /// What the producer says.
    pub fields: EnvelopeFields,
    /// The payload and its salt, or `None` when withheld or erased.
    pub payload: Option<SaltedPayload>,
    /// The commitment to the payload.
    pub payload_commitment: PayloadCommitment,
    /// The hash of the hashable view.
    pub content_hash: ContentHash,
    /// Where and when.
    pub place: Place,
    /// The link that this envelope makes.
    pub chain_hash: ChainHash,
    /// The envelope's own signature, where the stream promises one.
    pub signature: Option<Signature>,
}

impl SealedEnvelope {
    /// Recomputes commitment and content hash from what is held; `None` when the payload is withheld.
    pub fn recomputed_commitment(&self) -> Option<PayloadCommitment> {
        self.payload.as_ref().map(SaltedPayload::commitment)
    }

    /// Recomputes the content hash from the fields and the stated commitment.
    pub fn recomputed_content_hash(&self) -> ContentHash {
        let mut view = Vec::with_capacity(640);
        self.fields.write_hashable_view(&self.payload_commitment, &mut view);
        preimage::content_hash(&[&view])
    }

    /// Appends the canonical JSON object of the envelope, without a line end.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        self.fields.write_actor_to_refs(out);
        write_hex(out, b",\"chain_hash\":\"", &self.chain_hash.to_hex());
        write_hex(out, b"\",\"claimed_time\":\"", &self.fields.claimed_time.to_text());
        write_hex(out, b"\",\"content_hash\":\"", &self.content_hash.to_hex());
        out.extend_from_slice(b"\",");
        self.fields.write_envelope_to_parents(out);
        match &self.payload {
            Some(salted) => {
                out.extend_from_slice(b",\"payload\":");
                out.extend_from_slice(salted.payload.as_bytes());
            }
            None => out.extend_from_slice(b",\"payload\":null"),
        }
        write_hex(out, b",\"payload_commitment\":\"", &self.payload_commitment.to_hex());
        match &self.payload {
            Some(salted) => {
                write_hex(out, b"\",\"payload_salt\":\"", &salted.salt.to_hex());
                out.push(b'"');
            }
            None => out.extend_from_slice(b"\",\"payload_salt\":null"),
        }
        self.write_place(out);
        self.fields.write_trace_and_end(out);
    }

    fn write_place(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"position\":");
        write_integer(out, self.place.position);
        write_hex(out, b",\"recorded_at\":\"", &self.place.recorded_at.to_text());
        write_hex(
            out,
            b"\",\"schema_version\":1,\"segment_id\":\"",
            &self.place.segment_id.to_text(),
        );
        out.extend_from_slice(b"\",\"sequence\":");
        write_integer(out, self.place.sequence);
        out.extend_from_slice(b",\"session_id\":");
        write_optional_string(out, self.fields.session_id.as_ref().map(SessionId::as_str));
        out.extend_from_slice(b",\"signature\":");
        match &self.signature {
            Some(signature) => write_signature(out, signature),
            None => out.extend_from_slice(b"null"),
        }
    }
}

fn write_hex(out: &mut Vec<u8>, member: &[u8], text: &[u8]) {
    out.extend_from_slice(member);
    out.extend_from_slice(text);
}

/// Appends the canonical `signature` object.
pub fn write_signature(out: &mut Vec<u8>, signature: &Signature) {
    out.extend_from_slice(b"{\"algorithm\":\"");
    out.extend_from_slice(ALGORITHM.as_bytes());
    write_hex(out, b"\",\"key_id\":\"", &signature.key_id().to_hex());
    write_hex(out, b"\",\"value\":\"", &signature.value_hex());
    out.extend_from_slice(b"\"}");
}
