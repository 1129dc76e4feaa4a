//! One sealed envelope as a canonical line, checked for schema and canonical form in a single pass.
//!
//! Lines are stored and exported in canonical form, so reading one never re-serialises: the members stand in
//! a fixed order, the slices between them are what was hashed. Nothing is allocated for a good line.
//!
//! Reading proves the form only. `computed_…` give what the hashes must be; comparing is the caller's.

use std::cmp::Ordering;

use recorder_core::hash::AttachmentHash;
use recorder_core::hash::{ChainHash, ContentHash, KeyId, PayloadCommitment, decode_hex};
use recorder_core::identity::{
    ActorId, ContentType, EnvelopeId, EnvironmentId, EventType, IdentityError, SegmentId,
    SessionId, TraceId,
};
use recorder_core::limits::{
    ATTACHMENT_BYTES_MAX, ATTACHMENT_REFS_MAX, LINE_BYTES_MAX, PARENT_IDS_MAX,
};
use recorder_core::signature::Signature;
use recorder_core::time::{RecordedAt, TimeError, UtcTimestamp};

use crate::attachment::{AttachmentRef, AttachmentRefs};
use crate::envelope::{
    EnvelopeFields, POSITION_MAX, ParentIds, PayloadSalt, Place, SaltedPayload, SealedEnvelope,
};
use crate::json::{
    CanonicalPayload, CanonicalReader, CanonicalString, JsonError, JsonErrorKind, JsonLimits,
};
use crate::preimage;

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineFault {
    /// Not canonical JSON, or not the members of an envelope in their order.
    #[error("{0}")]
    Json(JsonErrorKind),
    /// An identifier breaks its rule.
    #[error("{0}")]
    Identity(IdentityError),
    /// A time is not in its canonical form.
    #[error("{member}: {error}")]
    Time {
        /// The member that holds it.
        member: &'static str,
        /// The rule that it breaks.
        error: TimeError,
    },
    /// A digest, salt or signature is not lower-case hex of its length.
    #[error("{member}: not lower-case hex of its length")]
    Hex {
        /// The member that holds it.
        member: &'static str,
    },
    /// A list is longer than allowed, unsorted, or holds something twice.
    #[error("{member}: unsorted, repeated or too many")]
    List {
        /// The member that holds it.
        member: &'static str,
    },
    /// A number is larger than any envelope can have.
    #[error("{member}: out of range")]
    Range {
        /// The member that holds it.
        member: &'static str,
    },
    /// A payload without its salt, or a salt without its payload.
    #[error("payload and payload_salt must both be present or both be null")]
    PayloadWithoutSalt,
}

/// Where in the line, and what.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("byte {offset}: {fault}")]
pub struct LineError {
    /// Byte offset within the line.
    pub offset: usize,
    /// What is wrong there.
    pub fault: LineFault,
}

impl From<JsonError> for LineError {
    fn from(error: JsonError) -> Self {
        Self { offset: error.offset, fault: LineFault::Json(error.kind) }
    }
}

/// Members that the hashable view takes from the line as they stand, in its order.
///
/// Between the second and the third lies `content_hash`, after the third the payload, and so on: the view is
/// these slices with the line's other members left out.
#[derive(Clone, Copy, Debug)]
struct ViewSlices<'a> {
    actor_to_refs: &'a [u8],
    claimed_time: &'a [u8],
    envelope_to_parents: &'a [u8],
    payload_commitment: &'a [u8],
    session_id: &'a [u8],
    trace_id: &'a [u8],
}

/// `actor_id` and `attachment_refs`.
#[derive(Clone, Copy, Debug)]
struct ActorMembers<'a> {
    slice: &'a [u8],
    actor_id: CanonicalString<'a>,
    attachment_refs: &'a [u8],
    attachment_ref_count: usize,
}

/// `envelope_id`, `environment_id`, `event_type` and `parent_ids`.
#[derive(Clone, Copy, Debug)]
struct EventMembers<'a> {
    slice: &'a [u8],
    envelope_id: EnvelopeId,
    environment_id: CanonicalString<'a>,
    event_type: &'a str,
    parent_ids: &'a [u8],
    parent_id_count: usize,
}

/// A line that has the form of a sealed envelope. Its hashes are what it states, not what was computed.
#[derive(Clone, Copy, Debug)]
pub struct EnvelopeLine<'a> {
    view: ViewSlices<'a>,
    actor: ActorMembers<'a>,
    event: EventMembers<'a>,
    session_id: Option<CanonicalString<'a>>,
    trace_id: Option<CanonicalString<'a>>,
    payload: Option<(&'a [u8], PayloadSalt)>,
    /// When, as the producer claims.
    pub claimed_time: UtcTimestamp,
    /// The stated commitment to the payload.
    pub payload_commitment: PayloadCommitment,
    /// The stated hash of the hashable view.
    pub content_hash: ContentHash,
    /// The stated chain hash.
    pub chain_hash: ChainHash,
    /// The stated place.
    pub place: Place,
    /// The stated signature.
    pub signature: Option<Signature>,
}

/// Bounds of a whole line; the payload inside has its own.
const LINE: JsonLimits = JsonLimits { input_bytes_max: LINE_BYTES_MAX, ..JsonLimits::PAYLOAD };

impl<'a> EnvelopeLine<'a> {
    /// Reads one line, without its line end.
    ///
    /// # Errors
    ///
    /// `LineError` names the first byte that breaks the form, and the rule.
    pub fn parse(line: &'a [u8]) -> Result<Self, LineError> {
        Reader { json: CanonicalReader::new(line, &LINE)? }.envelope()
    }

    /// The envelope's name.
    pub fn envelope_id(&self) -> EnvelopeId {
        self.event.envelope_id
    }

    /// Who acted.
    pub fn actor_id(&self) -> CanonicalString<'a> {
        self.actor.actor_id
    }

    /// What happened.
    pub fn event_type(&self) -> &'a str {
        self.event.event_type
    }

    /// The canonical payload and its salt, unless withheld.
    pub fn payload(&self) -> Option<(&'a [u8], &PayloadSalt)> {
        self.payload.as_ref().map(|(bytes, salt)| (*bytes, salt))
    }

    /// The commitment that the payload gives; `None` when it is withheld.
    pub fn computed_commitment(&self) -> Option<PayloadCommitment> {
        let (bytes, salt) = self.payload()?;
        Some(preimage::payload_commitment(salt.as_bytes(), bytes))
    }

    /// The hash that the hashable view gives, with the stated commitment in it.
    pub fn computed_content_hash(&self) -> ContentHash {
        let view = &self.view;
        preimage::content_hash(&[
            view.actor_to_refs,
            b",",
            view.claimed_time,
            b",",
            view.envelope_to_parents,
            b",",
            view.payload_commitment,
            b",\"schema_version\":1,",
            view.session_id,
            b",",
            view.trace_id,
            b"}",
        ])
    }

    /// The chain hash that the stated content hash and place give after `previous`.
    pub fn computed_chain_hash(&self, previous: &ChainHash) -> ChainHash {
        let place = &self.place;
        preimage::chain_hash(previous, place.sequence, place.recorded_at, &self.content_hash)
    }

    /// The parents, in order.
    pub fn parent_ids(&self) -> impl Iterator<Item = EnvelopeId> + 'a {
        // The reader has parsed every one of them before.
        self.event.parent_ids.split(|byte| *byte == b',').filter_map(|item| {
            EnvelopeId::parse(item.strip_prefix(b"\"")?.strip_suffix(b"\"")?).ok()
        })
    }

    /// How many parents there are.
    pub fn parent_id_count(&self) -> usize {
        self.event.parent_id_count
    }

    /// How many attachment references there are.
    pub fn attachment_ref_count(&self) -> usize {
        self.actor.attachment_ref_count
    }

    /// The attachment references, in order.
    ///
    /// # Errors
    ///
    /// `LineError` if the slice no longer parses, which that of a line that was read does not do.
    pub fn attachment_refs(&self) -> Result<AttachmentRefs, LineError> {
        serde_json::from_slice(self.actor.attachment_refs).map_err(|_| LineError {
            offset: 0,
            fault: LineFault::List { member: "attachment_refs" },
        })
    }

    /// Copies the line into an owned envelope.
    ///
    /// # Errors
    ///
    /// `LineError` if a slice no longer parses, which a line that was read does not do.
    pub fn to_sealed(&self) -> Result<SealedEnvelope, LineError> {
        let identity = |error| LineError { offset: 0, fault: LineFault::Identity(error) };
        let optional =
            |text: Option<CanonicalString<'_>>| text.map(|text| text.unescaped().into_owned());
        let fields = EnvelopeFields {
            envelope_id: self.event.envelope_id,
            event_type: EventType::new(self.event.event_type).map_err(identity)?,
            actor_id: ActorId::new(self.actor.actor_id.unescaped().into_owned())
                .map_err(identity)?,
            environment_id: EnvironmentId::new(self.event.environment_id.unescaped().into_owned())
                .map_err(identity)?,
            claimed_time: self.claimed_time,
            trace_id: optional(self.trace_id).map(TraceId::new).transpose().map_err(identity)?,
            session_id: optional(self.session_id)
                .map(SessionId::new)
                .transpose()
                .map_err(identity)?,
            parent_ids: ParentIds::try_from(self.parent_ids().collect::<Vec<_>>()).map_err(
                |_| LineError { offset: 0, fault: LineFault::List { member: "parent_ids" } },
            )?,
            attachment_refs: self.attachment_refs()?,
        };
        let payload = match self.payload {
            Some((bytes, salt)) => {
                Some(SaltedPayload { payload: CanonicalPayload::from_canonical(bytes)?, salt })
            }
            None => None,
        };
        Ok(SealedEnvelope {
            fields,
            payload,
            payload_commitment: self.payload_commitment,
            content_hash: self.content_hash,
            place: self.place,
            chain_hash: self.chain_hash,
            signature: self.signature,
        })
    }
}

/// The cursor with the readers of the envelope's members.
struct Reader<'a> {
    json: CanonicalReader<'a>,
}

impl<'a> Reader<'a> {
    fn fault(offset: usize, fault: LineFault) -> LineError {
        LineError { offset, fault }
    }

    /// Reads all twenty members in their order.
    fn envelope(mut self) -> Result<EnvelopeLine<'a>, LineError> {
        let actor = self.actor()?;
        let chain_hash = ChainHash::from_bytes(self.hex(b",\"chain_hash\":", "chain_hash")?);
        let (claimed_time, claimed_time_slice) = self.claimed_time()?;
        let content_hash =
            ContentHash::from_bytes(self.hex(b",\"content_hash\":", "content_hash")?);
        let event = self.event()?;
        let payload = self.payload()?;
        let (payload_commitment, payload_commitment_slice) = self.payload_commitment()?;
        let payload = self.salted(payload)?;
        let place = self.place()?;
        let (session_id, session_id_slice) =
            self.optional_name(b"\"session_id\":", SessionId::check)?;
        let signature = self.signature()?;
        let (trace_id, trace_id_slice) = self.optional_name(b"\"trace_id\":", TraceId::check)?;
        self.json.expect(b"}")?;
        self.json.finish()?;
        let view = ViewSlices {
            actor_to_refs: actor.slice,
            claimed_time: claimed_time_slice,
            envelope_to_parents: event.slice,
            payload_commitment: payload_commitment_slice,
            session_id: session_id_slice,
            trace_id: trace_id_slice,
        };
        Ok(EnvelopeLine {
            view,
            actor,
            event,
            session_id,
            trace_id,
            payload,
            claimed_time,
            payload_commitment,
            content_hash,
            chain_hash,
            place,
            signature,
        })
    }

    /// Reads `actor_id` and `attachment_refs`.
    fn actor(&mut self) -> Result<ActorMembers<'a>, LineError> {
        let start = self.json.position();
        self.json.expect(b"{\"actor_id\":")?;
        let actor_id = self.name(ActorId::check)?;
        self.json.expect(b",\"attachment_refs\":")?;
        let (attachment_refs, attachment_ref_count) = self.attachment_refs()?;
        let slice = self.json.since(start);
        Ok(ActorMembers { slice, actor_id, attachment_refs, attachment_ref_count })
    }

    fn claimed_time(&mut self) -> Result<(UtcTimestamp, &'a [u8]), LineError> {
        self.json.expect(b",")?;
        let start = self.json.position();
        let time =
            self.time(b"\"claimed_time\":", "claimed_time", UtcTimestamp::parse_canonical)?;
        Ok((time, self.json.since(start)))
    }

    /// Reads `envelope_id` to `parent_ids`.
    fn event(&mut self) -> Result<EventMembers<'a>, LineError> {
        self.json.expect(b",")?;
        let start = self.json.position();
        let envelope_id = self.uuid(b"\"envelope_id\":", EnvelopeId::parse)?;
        self.json.expect(b",\"environment_id\":")?;
        let environment_id = self.name(EnvironmentId::check)?;
        self.json.expect(b",\"event_type\":")?;
        let event_type = self.name(EventType::check)?.as_raw();
        self.json.expect(b",\"parent_ids\":")?;
        let (parent_ids, parent_id_count) = self.parent_ids()?;
        let slice = self.json.since(start);
        Ok(EventMembers {
            slice,
            envelope_id,
            environment_id,
            event_type,
            parent_ids,
            parent_id_count,
        })
    }

    fn payload_commitment(&mut self) -> Result<(PayloadCommitment, &'a [u8]), LineError> {
        self.json.expect(b",")?;
        let start = self.json.position();
        let bytes = self.hex(b"\"payload_commitment\":", "payload_commitment")?;
        Ok((PayloadCommitment::from_bytes(bytes), self.json.since(start)))
    }

    /// Reads an identifier that may be null; returns its whole member too.
    fn optional_name(
        &mut self,
        literal: &'static [u8],
        check: fn(&str) -> Result<(), IdentityError>,
    ) -> Result<(Option<CanonicalString<'a>>, &'a [u8]), LineError> {
        self.json.expect(b",")?;
        let start = self.json.position();
        self.json.expect(literal)?;
        let text = if self.json.take(b"null") { None } else { Some(self.name(check)?) };
        Ok((text, self.json.since(start)))
    }

    /// Reads a string that keeps the rules of an identifier.
    fn name(
        &mut self,
        check: fn(&str) -> Result<(), IdentityError>,
    ) -> Result<CanonicalString<'a>, LineError> {
        let offset = self.json.position();
        let text = self.json.string()?;
        let checked = match text.plain() {
            Some(plain) => check(plain),
            None => check(&text.unescaped()),
        };
        checked.map_err(|error| Self::fault(offset, LineFault::Identity(error)))?;
        Ok(text)
    }

    /// Reads a digest or the like: `N` bytes as lower-case hex.
    fn hex<const N: usize>(
        &mut self,
        literal: &'static [u8],
        member: &'static str,
    ) -> Result<[u8; N], LineError> {
        self.json.expect(literal)?;
        let offset = self.json.position();
        let text = self.json.string()?;
        decode_hex(text.as_raw().as_bytes()).ok_or(Self::fault(offset, LineFault::Hex { member }))
    }

    fn uuid<T>(
        &mut self,
        literal: &'static [u8],
        parse: fn(&[u8]) -> Result<T, IdentityError>,
    ) -> Result<T, LineError> {
        self.json.expect(literal)?;
        let offset = self.json.position();
        let text = self.json.string()?;
        parse(text.as_raw().as_bytes())
            .map_err(|error| Self::fault(offset, LineFault::Identity(error)))
    }

    fn time<T>(
        &mut self,
        literal: &'static [u8],
        member: &'static str,
        parse: fn(&[u8]) -> Result<T, TimeError>,
    ) -> Result<T, LineError> {
        self.json.expect(literal)?;
        let offset = self.json.position();
        let text = self.json.string()?;
        parse(text.as_raw().as_bytes())
            .map_err(|error| Self::fault(offset, LineFault::Time { member, error }))
    }

    fn integer(
        &mut self,
        literal: &'static [u8],
        member: &'static str,
        value_max: u64,
    ) -> Result<u64, LineError> {
        self.json.expect(literal)?;
        let offset = self.json.position();
        let value = self.json.u64()?;
        if value > value_max {
            return Err(Self::fault(offset, LineFault::Range { member }));
        }
        Ok(value)
    }

    /// Reads the references; returns their slice, brackets included, and their number.
    fn attachment_refs(&mut self) -> Result<(&'a [u8], usize), LineError> {
        let start = self.json.position();
        self.json.expect(b"[")?;
        let mut previous: Option<AttachmentHash> = None;
        let mut count = 0;
        while !self.json.take(b"]") {
            if count > 0 {
                self.json.expect(b",")?;
            }
            let offset = self.json.position();
            let reference = self.attachment_ref()?;
            let ascends = previous.is_none_or(|before| before < reference.content_hash);
            count += 1;
            if !ascends || count > ATTACHMENT_REFS_MAX {
                return Err(Self::fault(offset, LineFault::List { member: "attachment_refs" }));
            }
            previous = Some(reference.content_hash);
        }
        Ok((self.json.since(start), count))
    }

    fn attachment_ref(&mut self) -> Result<AttachmentRef, LineError> {
        let content_hash =
            AttachmentHash::from_bytes(self.hex(b"{\"content_hash\":", "content_hash")?);
        self.json.expect(b",\"content_type\":")?;
        let offset = self.json.position();
        let content_type = ContentType::new(self.json.string()?.unescaped().into_owned())
            .map_err(|error| Self::fault(offset, LineFault::Identity(error)))?;
        let size_bytes = self.integer(b",\"size_bytes\":", "size_bytes", ATTACHMENT_BYTES_MAX)?;
        self.json.expect(b"}")?;
        Ok(AttachmentRef { content_hash, content_type, size_bytes })
    }

    /// Reads the parents; returns what stands between the brackets, and their number.
    fn parent_ids(&mut self) -> Result<(&'a [u8], usize), LineError> {
        self.json.expect(b"[")?;
        let start = self.json.position();
        let mut previous: Option<EnvelopeId> = None;
        let mut count = 0;
        loop {
            let inside = self.json.since(start);
            if self.json.take(b"]") {
                return Ok((inside, count));
            }
            let offset = self.json.position();
            let id = self.uuid(if count > 0 { b"," } else { b"" }, EnvelopeId::parse)?;
            let ascends = previous.is_none_or(|before| before.cmp(&id) == Ordering::Less);
            count += 1;
            if !ascends || count > PARENT_IDS_MAX {
                return Err(Self::fault(offset, LineFault::List { member: "parent_ids" }));
            }
            previous = Some(id);
        }
    }

    fn payload(&mut self) -> Result<Option<&'a [u8]>, LineError> {
        self.json.expect(b",\"payload\":")?;
        if self.json.take(b"null") {
            return Ok(None);
        }
        Ok(Some(self.json.object_within(&JsonLimits::PAYLOAD)?))
    }

    /// Reads the salt and joins it to the payload: both or neither.
    fn salted(
        &mut self,
        payload: Option<&'a [u8]>,
    ) -> Result<Option<(&'a [u8], PayloadSalt)>, LineError> {
        self.json.expect(b",\"payload_salt\":")?;
        let offset = self.json.position();
        let withheld = self.json.take(b"null");
        match payload {
            None if withheld => Ok(None),
            Some(bytes) if !withheld => {
                let salt = self.hex(b"", "payload_salt")?;
                Ok(Some((bytes, PayloadSalt::from_bytes(salt))))
            }
            _ => Err(Self::fault(offset, LineFault::PayloadWithoutSalt)),
        }
    }

    fn place(&mut self) -> Result<Place, LineError> {
        let position = self.integer(b",\"position\":", "position", POSITION_MAX)?;
        let recorded_at =
            self.time(b",\"recorded_at\":", "recorded_at", RecordedAt::parse_canonical)?;
        self.json.expect(b",\"schema_version\":1")?;
        let segment_id = self.uuid(b",\"segment_id\":", SegmentId::parse)?;
        let sequence = self.integer(b",\"sequence\":", "sequence", POSITION_MAX)?;
        Ok(Place { segment_id, sequence, position, recorded_at })
    }

    fn signature(&mut self) -> Result<Option<Signature>, LineError> {
        self.json.expect(b",\"signature\":")?;
        if self.json.take(b"null") {
            return Ok(None);
        }
        self.json.expect(b"{\"algorithm\":\"ed25519\"")?;
        let key_id = KeyId::from_bytes(self.hex(b",\"key_id\":", "key_id")?);
        let value = self.hex(b",\"value\":", "value")?;
        self.json.expect(b"}")?;
        Ok(Some(Signature::new(key_id, value)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attachment::Attachment;
    use crate::envelope::UnsealedEnvelope;
    use crate::json::{canonicalize, check_canonical};

    fn id(number: u64) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        (bytes[6], bytes[8]) = (0x70, 0x80);
        bytes[15] = number as u8;
        bytes
    }

    fn sealed(name: String, text: &str, parents: u8, refs: u8, signed: bool) -> SealedEnvelope {
        let attachments = (0..refs).map(|byte| {
            let kind = "text/plain; x=\"a\\\"b\"".parse().unwrap();
            Attachment::new(kind, vec![byte]).unwrap().reference().clone()
        });
        let mut payload = Vec::new();
        let document = serde_json::json!({ "b": text, "a": [1, 2.5, null, true] }).to_string();
        canonicalize(document.as_bytes(), &JsonLimits::PAYLOAD, &mut payload).unwrap();
        let fields = EnvelopeFields {
            envelope_id: EnvelopeId::from_bytes(id(9)).unwrap(),
            event_type: "tool.call".parse().unwrap(),
            actor_id: ActorId::new(name.clone()).unwrap(),
            environment_id: "prod".parse().unwrap(),
            claimed_time: UtcTimestamp::new(1_700_000_000, 5).unwrap(),
            trace_id: signed.then(|| "t\"1".parse().unwrap()),
            session_id: Some(SessionId::new(name).unwrap()),
            parent_ids: ParentIds::sorted(
                (0..parents).map(|n| EnvelopeId::from_bytes(id(n.into())).unwrap()).collect(),
            )
            .unwrap(),
            attachment_refs: AttachmentRefs::sorted(attachments.collect()).unwrap(),
        };
        let payload = SaltedPayload {
            payload: CanonicalPayload::from_canonical(payload).unwrap(),
            salt: PayloadSalt::from_bytes([7; 16]),
        };
        let place = Place {
            segment_id: SegmentId::from_bytes(id(3)).unwrap(),
            sequence: 12,
            position: 4711,
            recorded_at: RecordedAt::from_nanoseconds(1_800_000_000_000_000_001).unwrap(),
        };
        let previous = ChainHash::from_bytes([1; 32]);
        let mut sealed = UnsealedEnvelope { fields, payload }.prepare().seal(place, &previous);
        sealed.signature = signed.then(|| Signature::new(KeyId::from_bytes([4; 32]), [5; 64]));
        sealed
    }

    fn line_of(envelope: &SealedEnvelope) -> Vec<u8> {
        let mut line = Vec::new();
        envelope.write_canonical(&mut line);
        line
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical_and_reads_back(
            name in "[a-zA-Zé\"\\\\/東]{1,20}", text in "\\PC*", parents in 0_u8..5, refs in 0_u8..5, signed: bool,
        ) {
            let envelope = sealed(name, &text, parents, refs, signed);
            let line = line_of(&envelope);
            prop_assert_eq!(check_canonical(&line, &JsonLimits::PAYLOAD), Ok(()));
            let read = EnvelopeLine::parse(&line).unwrap();
            prop_assert_eq!(read.computed_content_hash(), envelope.content_hash);
            prop_assert_eq!(read.computed_commitment(), Some(envelope.payload_commitment));
            prop_assert_eq!(read.computed_chain_hash(&ChainHash::from_bytes([1; 32])), envelope.chain_hash);
            prop_assert_eq!(read.parent_ids().collect::<Vec<_>>(), envelope.fields.parent_ids.as_slice());
            prop_assert_eq!(read.to_sealed().unwrap(), envelope);
        }

        #[test]
        fn no_change_of_a_byte_keeps_both_form_and_hashes(place: prop::sample::Index, byte: u8) {
            let envelope = sealed("a".into(), "text", 2, 2, true);
            let mut line = line_of(&envelope);
            let place = place.index(line.len());
            prop_assume!(line[place] != byte);
            line[place] = byte;
            if let Ok(read) = EnvelopeLine::parse(&line) {
                let same = read.computed_content_hash() == envelope.content_hash
                    && read.content_hash == envelope.content_hash
                    && read.computed_commitment() == Some(envelope.payload_commitment)
                    && read.payload_commitment == envelope.payload_commitment
                    && read.place == envelope.place
                    && read.chain_hash == envelope.chain_hash
                    && read.signature == envelope.signature;
                prop_assert!(!same, "byte {place} changed unseen");
            }
        }
    }

    #[test]
    fn the_hashable_view_has_exactly_eleven_members() {
        let envelope = sealed("a".into(), "text", 0, 0, false);
        let mut view = Vec::new();
        envelope.fields.write_hashable_view(&envelope.payload_commitment, &mut view);
        check_canonical(&view, &JsonLimits::PAYLOAD).unwrap();
        let members: serde_json::Map<_, _> = serde_json::from_slice(&view).unwrap();
        assert_eq!(
            members.keys().map(String::as_str).collect::<Vec<_>>(),
            [
                "actor_id",
                "attachment_refs",
                "claimed_time",
                "envelope_id",
                "environment_id",
                "event_type",
                "parent_ids",
                "payload_commitment",
                "schema_version",
                "session_id",
                "trace_id",
            ]
        );
    }

    #[test]
    fn a_withheld_payload_leaves_every_other_proof() {
        let mut envelope = sealed("a".into(), "text", 0, 0, false);
        envelope.payload = None;
        let line = line_of(&envelope);
        let read = EnvelopeLine::parse(&line).unwrap();
        assert_eq!((read.payload(), read.computed_commitment()), (None, None));
        assert_eq!(read.computed_content_hash(), envelope.content_hash);
    }

    #[test]
    fn each_rule_of_the_form_is_named() {
        let line = String::from_utf8(line_of(&sealed("a".into(), "text", 2, 2, true))).unwrap();
        let fault = |from: &str, to: &str| {
            assert!(line.contains(from), "{from}");
            EnvelopeLine::parse(line.replacen(from, to, 1).as_bytes()).unwrap_err().fault
        };
        assert!(matches!(fault("{\"actor", "{ \"actor"), LineFault::Json(_)));
        assert!(matches!(fault(":\"a\"", ":\"\""), LineFault::Identity(_)));
        assert!(matches!(
            fault(",\"event_type\"", ",\"extra\":1,\"event_type\""),
            LineFault::Json(_)
        ));
        assert!(matches!(
            fault("\"schema_version\":1", "\"schema_version\":2"),
            LineFault::Json(_)
        ));
        assert!(matches!(
            fault("\"position\":4711", "\"position\":1099511627776"),
            LineFault::Range { .. }
        ));
        assert!(matches!(fault("000000005Z", "00000005Z"), LineFault::Time { .. }));
        let salt = "\"07070707070707070707070707070707\"";
        assert_eq!(fault(salt, "null"), LineFault::PayloadWithoutSalt);
        assert_eq!(fault(salt, "\"0707\""), LineFault::Hex { member: "payload_salt" });
        let parents = "\"00000000-0000-7000-8000-000000000000\",";
        assert_eq!(
            fault(parents, &format!("{parents}{parents}")),
            LineFault::List { member: "parent_ids" }
        );
    }
}
