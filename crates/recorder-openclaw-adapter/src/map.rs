//! From what was read to envelopes: payloads, names, ids, salts.

use std::borrow::Cow;
use std::fmt;

use recorder_core::hash::{encode_hex_into, sha256};
use recorder_core::identity::{
    ActorId, AdapterId, EnvelopeId, EnvironmentId, EventType, SessionId, TraceId,
};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::adapter::{EnvelopeIds, Mapping};
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::envelope::{EnvelopeFields, ParentIds, SaltedPayload, UnsealedEnvelope};
use recorder_envelope::json::{CanonicalPayload, ObjectWriter, write_string};
use recorder_envelope::redaction::{BoundError, Redaction};

use crate::frame::{Frame, KEPT, Kind};
use crate::line::Source;
use crate::{ADAPTER_ID, MAPPING_VERSION, Settings};

/// The version of the payloads' shape.
pub(crate) const PAYLOAD_SCHEMA: &str = "recorder.openclaw/1";

/// Why a line gives no envelope.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl Rejected {
    pub(crate) fn new(code: &'static str, detail: impl fmt::Display) -> Self {
        Self { code, detail: detail.to_string() }
    }
}

impl From<BoundError> for Rejected {
    fn from(error: BoundError) -> Self {
        Self::new(error.kind.code(), error)
    }
}

/// What all envelopes of one input are made with.
#[derive(Debug)]
pub(crate) struct Mapper<'s> {
    settings: Settings<'s>,
    mapping: Mapping,
    ids: EnvelopeIds,
    pub(crate) redaction: Redaction<'s>,
}

/// What an envelope says, but for its payload and its id.
pub(crate) struct Draft<'d> {
    pub(crate) event_type: &'d str,
    pub(crate) actor: String,
    pub(crate) environment: &'d EnvironmentId,
    pub(crate) claimed_time: UtcTimestamp,
    pub(crate) trace: Option<&'d str>,
    pub(crate) session: Option<&'d str>,
    pub(crate) parent: Option<EnvelopeId>,
}

impl<'s> Mapper<'s> {
    #[expect(clippy::expect_used, reason = "a constant that is a name")]
    pub(crate) fn new(settings: &Settings<'s>) -> Self {
        let mapping = Mapping {
            adapter_id: AdapterId::new(ADAPTER_ID).expect("a name"),
            mapping_version: MAPPING_VERSION.into(),
            redaction_policy_version: settings.redactor.policy().version().into(),
        };
        let ids = EnvelopeIds::new(&mapping.adapter_id, MAPPING_VERSION, settings.stream);
        let redaction = settings.redactor.begin();
        Self { settings: *settings, mapping, ids, redaction }
    }

    /// Maps a frame that is kept; `parent` is the envelope of what it ends.
    pub(crate) fn frame(
        &mut self,
        source: &Source,
        received_at: UtcTimestamp,
        frame: &Frame<'_>,
        kind: &Kind,
        parent: Option<EnvelopeId>,
    ) -> Result<UnsealedEnvelope, Rejected> {
        let (claimed_time, time_source) = match frame.time(kind) {
            Some(Ok(time)) => (time, "gateway"),
            Some(Err(())) => {
                let detail = "the frame's time is no millisecond from 1970 to 9999";
                return Err(Rejected::new("time_out_of_range", detail));
            }
            None => (received_at, "received"),
        };
        let trace = self.name_of(frame, "runId");
        let session = self.name_of(frame, "sessionId");
        let payload = self.frame_payload(source, received_at, frame, time_source)?;
        let draft = Draft {
            event_type: kind.event_type,
            actor: self.actor(source, frame),
            environment: &source.gateway,
            claimed_time,
            trace: trace.as_deref(),
            session: session.as_deref(),
            parent,
        };
        let seq = frame.seq.unwrap_or(0);
        self.envelope(draft, &payload, |key| write_place(key, "frame", source, seq))
    }

    /// A name of the payload or of the request in it, without what is secret about it.
    fn name_of(&mut self, frame: &Frame<'_>, member: &str) -> Option<String> {
        let request = || frame.payload.object("request")?.text(member).map(Cow::into_owned);
        let text = frame.payload.text(member).map(Cow::into_owned).or_else(request)?;
        Some(self.redaction.label(&text).into_owned()).filter(|text| !text.is_empty())
    }

    /// Who acted, as the gateway says: nobody has checked it.
    fn actor(&mut self, source: &Source, frame: &Frame<'_>) -> String {
        if let Some(operator) = frame.payload.text("resolvedBy") {
            return format!("openclaw:operator:{}", self.redaction.label(&operator));
        }
        match self.name_of(frame, "agentId") {
            Some(agent) => format!("openclaw:agent:{agent}"),
            None => format!("openclaw:gateway:{}", source.gateway),
        }
    }

    fn frame_payload(
        &mut self,
        source: &Source,
        received_at: UtcTimestamp,
        frame: &Frame<'_>,
        time_source: &str,
    ) -> Result<Vec<u8>, Rejected> {
        let (content, dropped) = self.content(frame)?;
        let session_key = frame.payload.text("sessionKey").and_then(|key| self.pseudonym(&key));
        let call = frame.tool_call_id().map(|id| tool_call_digest(&id));
        let mut out = Vec::with_capacity(content.len() + 512);
        let mut payload = ObjectWriter::new(&mut out);
        write_connection(&mut payload, source, frame.seq);
        payload.raw("content", &content).u64("dropped_members", dropped);
        payload.string("event", &frame.event);
        self.mapping.write(&mut payload);
        payload.string("received_at", &received_at.to_string()).string("schema", PAYLOAD_SCHEMA);
        payload.string_or_null("session_key_hmac", session_key.as_deref());
        payload.string("time_source", time_source);
        payload.string_or_null("tool_call_digest", call.as_deref());
        payload.finish();
        Ok(out)
    }

    /// The members that are kept, without their secrets, and how many are not.
    fn content(&mut self, frame: &Frame<'_>) -> Result<(Vec<u8>, u64), Rejected> {
        let mut kept = Vec::new();
        let mut dropped = 0;
        for (name, value) in frame.payload.iter() {
            match KEPT.iter().find(|kept| **kept == name) {
                Some(name) => kept.push((*name, value.get())),
                None => dropped += 1,
            }
        }
        Ok((self.cleaned(&frame.event, &kept)?, dropped))
    }

    /// An object of these members, as it stands under `root` in the policy's paths, without its secrets.
    pub(crate) fn cleaned(
        &mut self,
        root: &str,
        members: &[(&str, &str)],
    ) -> Result<Vec<u8>, Rejected> {
        let mut text = vec![b'{'];
        for (name, json) in members {
            if text.len() > 1 {
                text.push(b',');
            }
            write_string(&mut text, name);
            text.push(b':');
            text.extend_from_slice(json.as_bytes());
        }
        text.push(b'}');
        let mut out = Vec::with_capacity(text.len());
        self.redaction.json_at(&[root], &text, &mut out)?;
        Ok(out)
    }

    /// Hex of the keyed digest of what is never kept; `None` without a key.
    pub(crate) fn pseudonym(&mut self, text: &str) -> Option<String> {
        self.redaction.pseudonym(text).map(|digest| hex(&digest))
    }

    /// Makes an envelope of a payload that is written already; the id is made of what `write_key` writes.
    pub(crate) fn envelope(
        &mut self,
        draft: Draft<'_>,
        payload: &[u8],
        write_key: impl FnOnce(&mut ObjectWriter<'_>),
    ) -> Result<UnsealedEnvelope, Rejected> {
        let name = |error| Rejected::new("identifier_invalid", error);
        let payload = CanonicalPayload::parse(payload)
            .map_err(|error| Rejected::new("payload_invalid", error))?;
        let fields = EnvelopeFields {
            envelope_id: self.ids.derive(draft.claimed_time, write_key),
            event_type: EventType::new(draft.event_type).map_err(name)?,
            actor_id: ActorId::new(draft.actor).map_err(name)?,
            environment_id: draft.environment.clone(),
            claimed_time: draft.claimed_time,
            trace_id: draft.trace.map(TraceId::new).transpose().map_err(name)?,
            session_id: draft.session.map(SessionId::new).transpose().map_err(name)?,
            parent_ids: ParentIds::sorted(draft.parent.into_iter().collect())
                .map_err(|error| Rejected::new("payload_invalid", error))?,
            attachment_refs: AttachmentRefs::default(),
        };
        let salt = self.settings.salt_key.salt(&fields.envelope_id);
        Ok(UnsealedEnvelope { fields, payload: SaltedPayload { payload, salt } })
    }

    /// Makes an envelope about an input: `write` writes the member `detail` of its payload.
    pub(crate) fn about(
        &mut self,
        draft: Draft<'_>,
        source: Option<(&Source, Option<u64>)>,
        write: impl Fn(&mut ObjectWriter<'_>),
        write_key: impl FnOnce(&mut ObjectWriter<'_>),
    ) -> Result<UnsealedEnvelope, Rejected> {
        let mut out = Vec::with_capacity(512);
        let mut payload = ObjectWriter::new(&mut out);
        if let Some((source, seq)) = source {
            write_connection(&mut payload, source, seq);
        }
        let mut detail = payload.object("detail");
        write(&mut detail);
        detail.finish();
        self.mapping.write(&mut payload);
        payload.string("schema", PAYLOAD_SCHEMA);
        payload.finish();
        self.envelope(draft, &out, write_key)
    }
}

fn write_connection(payload: &mut ObjectWriter<'_>, source: &Source, seq: Option<u64>) {
    let mut object = payload.object("connection");
    object.string("boot_id", &source.boot_id).string("conn_id", &source.conn_id);
    object.string("gateway", source.gateway.as_str());
    match seq {
        Some(seq) => object.u64("seq", seq),
        None => object.null("seq"),
    };
    object.finish();
}

/// Writes the key of an id: what it is, of which connection, at which number.
pub(crate) fn write_place(key: &mut ObjectWriter<'_>, kind: &str, source: &Source, seq: u64) {
    key.string("boot_id", &source.boot_id).string("conn_id", &source.conn_id);
    key.string("gateway", source.gateway.as_str()).string("kind", kind).u64("seq", seq);
}

/// What the ledger writes for a tool call's id.
pub(crate) fn tool_call_digest(id: &str) -> String {
    format!("sha256:{}", hex(&sha256(&[id.as_bytes()])))
}

pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    let mut text = [0; 64];
    encode_hex_into(bytes, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
