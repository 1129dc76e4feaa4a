//! The unsealed envelope as JSON, the way a producer sends it (evidence format §3).
//!
//! Unknown members are refused, and so are duplicates. What a producer may leave out is filled from
//! arguments, so that no clock and no randomness is read here.

mod spot;

use recorder_core::identity::{ActorId, EnvelopeId, EnvironmentId, EventType, SessionId, TraceId};
use recorder_core::time::UtcTimestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::attachment::{AttachmentError, AttachmentRef, AttachmentRefs};
use crate::envelope::{
    EnvelopeFields, ParentIds, ParentIdsError, PayloadSalt, SCHEMA_VERSION, SaltedPayload,
    UnsealedEnvelope,
};
use crate::json::{CanonicalPayload, Canonicalizer, JsonError, from_objects};

/// Why a draft was refused.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// Not JSON, not an object, an unknown or repeated member, or a member of the wrong shape.
    #[error("envelope is not of the expected form: {0}")]
    Form(#[source] serde_json::Error),
    /// The payload breaks a rule of I-JSON or of the format; the place is that in the draft.
    #[error("payload: {0}")]
    Payload(#[source] JsonError),
    /// The schema version is not 1.
    #[error("schema_version is {found}; this recorder takes {SCHEMA_VERSION}")]
    SchemaVersion {
        /// The version that the draft names.
        found: u64,
    },
    /// The parents break a rule.
    #[error("parent_ids: {0}")]
    ParentIds(#[source] ParentIdsError),
    /// The attachment references break a rule.
    #[error("attachment_refs: {0}")]
    AttachmentRefs(#[source] AttachmentError),
}

/// An unsealed envelope as sent, with whatever its producer left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    /// 1, or absent.
    pub schema_version: Option<u64>,
    /// The envelope's name; the recorder makes one when it is absent.
    pub envelope_id: Option<EnvelopeId>,
    /// What happened.
    pub event_type: EventType,
    /// Who acted.
    pub actor_id: ActorId,
    /// Where.
    pub environment_id: EnvironmentId,
    /// When; the recorder's own time when it is absent.
    pub claimed_time: Option<UtcTimestamp>,
    /// The trace.
    pub trace_id: Option<TraceId>,
    /// The session.
    pub session_id: Option<SessionId>,
    /// What it follows from, in any order.
    pub parent_ids: Vec<EnvelopeId>,
    /// The payload.
    pub payload: CanonicalPayload,
    /// The payload's salt; random when it is absent.
    pub payload_salt: Option<PayloadSalt>,
    /// References to attachments that are stored already or come with the envelope, in any order.
    pub attachment_refs: Vec<AttachmentRef>,
}

/// The object as sent: its payload is found but not yet read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftObject<'a> {
    schema_version: Option<u64>,
    envelope_id: Option<EnvelopeId>,
    event_type: EventType,
    actor_id: ActorId,
    environment_id: EnvironmentId,
    claimed_time: Option<UtcTimestamp>,
    trace_id: Option<TraceId>,
    session_id: Option<SessionId>,
    #[serde(default)]
    parent_ids: Vec<EnvelopeId>,
    #[serde(borrow)]
    payload: &'a RawValue,
    payload_salt: Option<PayloadSalt>,
    #[serde(default)]
    attachment_refs: Vec<AttachmentRef>,
}

/// What stands in for members that a draft leaves out.
pub struct DraftDefaults<'a> {
    /// Makes a fresh envelope id.
    pub envelope_id: &'a mut dyn FnMut() -> EnvelopeId,
    /// Makes a fresh salt.
    pub payload_salt: &'a mut dyn FnMut() -> PayloadSalt,
    /// Tells the time.
    pub claimed_time: &'a mut dyn FnMut() -> UtcTimestamp,
}

impl Draft {
    /// Reads one draft from the bytes of a JSON object.
    ///
    /// # Errors
    ///
    /// `Form` when the bytes are not such an object, `Payload` with the place in `bytes` when its payload is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, DraftError> {
        Self::parse_with(&mut Canonicalizer::new(), bytes)
    }

    /// As [`parse`](Self::parse), with the scratch memory of `canonicalizer`.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with(canonicalizer: &mut Canonicalizer, bytes: &[u8]) -> Result<Self, DraftError> {
        // The usual spelling is read in one pass. Whatever is unusual about a draft, wrong or not, is for the
        // parser that can say what it is.
        match spot::draft(canonicalizer, bytes) {
            Some(draft) => Ok(draft),
            None => Self::parse_any(canonicalizer, bytes),
        }
    }

    fn parse_any(canonicalizer: &mut Canonicalizer, bytes: &[u8]) -> Result<Self, DraftError> {
        let object: DraftObject<'_> = from_objects(bytes).map_err(DraftError::Form)?;
        let payload = object.payload.get().as_bytes();
        let start = payload.as_ptr().addr() - bytes.as_ptr().addr();
        let payload = CanonicalPayload::parse_with(canonicalizer, payload).map_err(|error| {
            DraftError::Payload(JsonError { offset: start + error.offset, ..error })
        })?;
        Ok(Self {
            schema_version: object.schema_version,
            envelope_id: object.envelope_id,
            event_type: object.event_type,
            actor_id: object.actor_id,
            environment_id: object.environment_id,
            claimed_time: object.claimed_time,
            trace_id: object.trace_id,
            session_id: object.session_id,
            parent_ids: object.parent_ids,
            payload,
            payload_salt: object.payload_salt,
            attachment_refs: object.attachment_refs,
        })
    }

    /// Checks everything that the JSON shape could not say and fills what was left out.
    ///
    /// # Errors
    ///
    /// `DraftError` names the member that breaks a rule.
    pub fn complete(
        self,
        defaults: &mut DraftDefaults<'_>,
    ) -> Result<UnsealedEnvelope, DraftError> {
        let found = self.schema_version.unwrap_or(SCHEMA_VERSION);
        if found != SCHEMA_VERSION {
            return Err(DraftError::SchemaVersion { found });
        }
        let salt = self.payload_salt.unwrap_or_else(&mut *defaults.payload_salt);
        let fields = EnvelopeFields {
            envelope_id: self.envelope_id.unwrap_or_else(&mut *defaults.envelope_id),
            event_type: self.event_type,
            actor_id: self.actor_id,
            environment_id: self.environment_id,
            claimed_time: self.claimed_time.unwrap_or_else(&mut *defaults.claimed_time),
            trace_id: self.trace_id,
            session_id: self.session_id,
            parent_ids: ParentIds::sorted(self.parent_ids).map_err(DraftError::ParentIds)?,
            attachment_refs: AttachmentRefs::sorted(self.attachment_refs)
                .map_err(DraftError::AttachmentRefs)?,
        };
        Ok(UnsealedEnvelope { fields, payload: SaltedPayload { payload: self.payload, salt } })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(
        name: &'static str,
        values: &'static [&'static str],
    ) -> BoxedStrategy<Option<String>> {
        let value = prop::sample::select(values);
        // Most drafts have most members; some lack one, few have one that is wrong.
        prop::option::weighted(0.9, value)
            .prop_map(move |value| value.map(|value| format!("\"{name}\":{value}")))
            .boxed()
    }

    fn members() -> impl Strategy<Value = Vec<String>> {
        let all = vec![
            member("schema_version", &["1", "1", "2", "null", "1.0", "\"1\""]),
            member("envelope_id", &["\"01936b2e-7c00-7abc-8def-0123456789ab\"", "null", "\"x\""]),
            member("event_type", &["\"tool.call\"", "\"tool.call\"", "\"Tool\"", "null"]),
            member(
                "actor_id",
                &["\"agent\"", "\"Zo\\u00eb\"", "\"Zoë\"", "\"a\\u0062\"", "\"\"", "\"a\\n\""],
            ),
            member("environment_id", &["\"prod\"", "7"]),
            member(
                "claimed_time",
                &["\"2026-11-22T00:00:00Z\"", "null", "\"2026-11-22T00:00:60Z\""],
            ),
            member("trace_id", &["\"t\"", "null", "\" t\""]),
            member("session_id", &["\"s\"", "null", "[]"]),
            member(
                "parent_ids",
                &["[]", "[ ]", "[\"01936b2e-7c00-7abc-8def-0123456789ab\"]", "[1]", "null", "[,]"],
            ),
            member(
                "payload",
                &[
                    "{}",
                    "{\"b\":1, \"a\":[2.50,{}]}",
                    "{\"a\":1,\"a\":2}",
                    "[]",
                    "{\"a\":1e400}",
                    "{\"\\ud800\":0}",
                ],
            ),
            member("payload_salt", &["\"00112233445566778899aabbccddeeff\"", "null", "\"00\""]),
            member("attachment_refs", &["[]", "[{}]", "null"]),
            member("unknown", &["1"]).prop_map(|it| it.filter(|text| text.len() > 99)).boxed(),
        ];
        all.prop_map(|members| members.into_iter().flatten().collect::<Vec<_>>()).prop_shuffle()
    }

    fn outcome(result: Result<Draft, DraftError>) -> Result<Draft, String> {
        result.map_err(|error| error.to_string())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_quick_reader_and_the_one_that_explains_agree(
            members in members(), space in "[ \n]{0,2}", twice in prop::bool::weighted(0.05), tail in "(|,|\\}|x)",
        ) {
            let mut members = members;
            if twice { members.extend(members.first().cloned()); }
            let body = members.join(&format!("{space},{space}"));
            let text = format!("{space}{{{space}{body}{space}}}{tail}");
            let quick = outcome(Draft::parse(text.as_bytes()));
            let explained = outcome(Draft::parse_any(&mut Canonicalizer::new(), text.as_bytes()));
            prop_assert_eq!(quick, explained);
        }

        #[test]
        fn any_changed_byte_leaves_them_agreeing(place: prop::sample::Index, byte: u8) {
            let mut text = br#"{"event_type":"a.b","actor_id":"a","environment_id":"e","payload":{"k":[1,"x"]},"parent_ids":[]}"#.to_vec();
            let place = place.index(text.len());
            text[place] = byte;
            let quick = outcome(Draft::parse(&text));
            prop_assert_eq!(quick, outcome(Draft::parse_any(&mut Canonicalizer::new(), &text)));
        }
    }

    #[test]
    fn usual_drafts_take_the_quick_way() {
        let text = br#" {"payload":{"b":1,"a":2},"event_type":"a.b","actor_id":"a","environment_id":"e",
            "envelope_id":"01936b2e-7c00-7abc-8def-0123456789ab","parent_ids":[],"trace_id":null} "#;
        let draft = spot::draft(&mut Canonicalizer::new(), text).unwrap();
        assert_eq!(draft.payload.as_str(), r#"{"a":2,"b":1}"#);
    }

    #[test]
    fn a_refused_payload_is_placed_in_the_whole_draft() {
        let text =
            br#"{"event_type":"a.b","actor_id":"a","environment_id":"e","payload":{"a":1,"a":2}}"#;
        let Err(DraftError::Payload(error)) = Draft::parse(text) else { panic!("accepted") };
        assert_eq!(&text[error.offset..error.offset + 6], br#""a":2}"#);
    }
}
