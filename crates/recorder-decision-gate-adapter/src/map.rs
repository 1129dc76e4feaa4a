//! From what was read to envelopes: exchanges, then the records of the runpack, then its manifest, then what was wrong.

pub(crate) mod exchange;
mod names;
pub(crate) mod record;
pub(crate) mod wrong;

use std::collections::BTreeSet;

use recorder_core::identity::{EnvelopeId, EventType};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::adapter::{Anomaly, EnvelopeIds, Intake, Mapping};
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::envelope::{EnvelopeFields, ParentIds, SaltedPayload, UnsealedEnvelope};
use recorder_envelope::json::{CanonicalPayload, ObjectWriter};
use recorder_envelope::redaction::{BoundError, Redaction};

use crate::Settings;
use crate::evidence_form;
use crate::json::Node;
use crate::run::Run;
use crate::time::{ReadTime, SourceTime};

pub(crate) use names::Names;

/// What refuses one record.
pub(crate) const RECORD_INVALID: &str = "record_invalid";
pub(crate) const RECORD_TIME_INVALID: &str = "record_time_invalid";
pub(crate) const PAYLOAD_INVALID: &str = "payload_invalid";

/// Where a claimed time comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Basis {
    /// The record itself.
    Record,
    /// The record before it: it has none of its own, or one that no envelope can claim.
    Carried,
    /// Nothing: no time was known.
    Unknown,
}

impl Basis {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Carried => "carried",
            Self::Unknown => "unknown",
        }
    }
}

/// A time with where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimed {
    pub(crate) time: Option<SourceTime>,
    pub(crate) basis: Basis,
}

impl Claimed {
    /// The record's own time, else the one before it.
    pub(crate) fn of(own: Option<SourceTime>, before: Option<SourceTime>) -> Self {
        match (own, before) {
            (Some(own), _) => Self { time: Some(own), basis: Basis::Record },
            (None, Some(before)) => Self { time: Some(before), basis: Basis::Carried },
            (None, None) => Self { time: None, basis: Basis::Unknown },
        }
    }

    /// The time of a record that must have one.
    pub(crate) fn required(
        node: Option<&Node<'_>>,
        before: Option<SourceTime>,
    ) -> Result<Self, ()> {
        match node.map_or(ReadTime::Malformed, SourceTime::read) {
            ReadTime::Fit(time) => Ok(Self::of(Some(time), before)),
            ReadTime::OutOfRange => Ok(Self::of(None, before)),
            ReadTime::Malformed => Err(()),
        }
    }

    fn timestamp(&self) -> UtcTimestamp {
        self.time.map_or(UtcTimestamp::EPOCH, SourceTime::claimed)
    }

    /// Writes the member `time` of a payload.
    fn write(&self, payload: &mut ObjectWriter<'_>) {
        let mut object = payload.object("time");
        object.string("basis", self.basis.name());
        let kind = |time: SourceTime| if time.is_logical() { "logical" } else { "unix_millis" };
        object.string_or_null("kind", self.time.map(kind));
        object.finish();
    }
}

/// What all envelopes of one input are made with.
pub(crate) struct Mapper<'s> {
    pub(crate) settings: &'s Settings<'s>,
    pub(crate) mapping: Mapping,
    pub(crate) ids: EnvelopeIds,
    pub(crate) redaction: Redaction<'s>,
    pub(crate) intake: Intake,
    /// The run, and what stands for the document where it names none.
    pub(crate) run: Run,
    pub(crate) document: String,
    /// The last time that was known.
    pub(crate) last: Option<SourceTime>,
    /// The codes for which records were rejected.
    rejected: BTreeSet<&'static str>,
    /// How many were.
    rejected_count: u64,
    scratch: Vec<u8>,
}

/// What one envelope is made of, but for its payload.
pub(crate) struct Draft {
    pub(crate) event_type: String,
    pub(crate) names: Names,
    pub(crate) claimed: Claimed,
    pub(crate) parents: Vec<EnvelopeId>,
}

/// Why a record gives no envelope.
pub(crate) struct Rejected {
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

impl From<BoundError> for Rejected {
    fn from(error: BoundError) -> Self {
        Self { code: error.kind.code(), detail: error.to_string() }
    }
}

impl<'s> Mapper<'s> {
    pub(crate) fn new(
        settings: &'s Settings<'s>,
        mapping: Mapping,
        run: Run,
        document: Option<&[u8]>,
    ) -> Self {
        let ids = EnvelopeIds::new(&mapping.adapter_id, &mapping.mapping_version, settings.stream);
        let mut redaction = settings.redactor.begin();
        let text = document.map(String::from_utf8_lossy).unwrap_or_default();
        let pseudonym = redaction.pseudonym(&text);
        let document = pseudonym.map(|digest| names::hex(&digest)).unwrap_or_default();
        let intake = Intake::new(settings.policy);
        Self {
            settings,
            mapping,
            ids,
            redaction,
            intake,
            run,
            document,
            last: None,
            rejected: BTreeSet::new(),
            rejected_count: 0,
            scratch: Vec::new(),
        }
    }

    /// Writes a value without its secrets, as it stands at `place` of a record.
    pub(crate) fn redacted(
        &mut self,
        place: &[&str],
        node: &Node<'_>,
    ) -> Result<Vec<u8>, Rejected> {
        self.scratch.clear();
        evidence_form::write(node, &mut self.scratch);
        let mut out = Vec::with_capacity(self.scratch.len());
        self.redaction.json_at(place, &self.scratch, &mut out)?;
        Ok(out)
    }

    /// Writes the marker of a value that is removed whole.
    pub(crate) fn removed(&mut self, reason: &str, node: &Node<'_>) -> Result<Vec<u8>, Rejected> {
        self.scratch.clear();
        evidence_form::write(node, &mut self.scratch);
        let mut out = Vec::new();
        self.redaction.remove_json(reason, &self.scratch, &mut out)?;
        Ok(out)
    }

    /// The id of an envelope, by the members that `write_key` writes after the run.
    pub(crate) fn id(
        &mut self,
        claimed: Claimed,
        write_key: impl FnOnce(&mut ObjectWriter<'_>, &Run, &str),
    ) -> EnvelopeId {
        let (run, document) = (&self.run, self.document.as_str());
        self.ids.derive(claimed.timestamp(), |key| write_key(key, run, document))
    }

    /// Makes an envelope of a payload that was written already.
    pub(crate) fn envelope(
        &mut self,
        envelope_id: EnvelopeId,
        draft: Draft,
        payload: &[u8],
    ) -> Result<UnsealedEnvelope, Rejected> {
        let Draft { event_type, names, claimed, mut parents } = draft;
        parents.sort_unstable();
        parents.dedup();
        parents.truncate(recorder_core::limits::PARENT_IDS_MAX);
        let invalid = |detail: String| Rejected { code: PAYLOAD_INVALID, detail };
        let payload =
            CanonicalPayload::parse(payload).map_err(|error| invalid(error.to_string()))?;
        let event_type = EventType::new(event_type).map_err(|error| invalid(error.to_string()))?;
        let parent_ids = ParentIds::sorted(parents).map_err(|error| invalid(error.to_string()))?;
        let salt = self.settings.salt_key.salt(&envelope_id);
        self.last = claimed.time.or(self.last);
        Ok(UnsealedEnvelope {
            fields: EnvelopeFields {
                envelope_id,
                event_type,
                actor_id: names.actor_id,
                environment_id: names.environment_id,
                claimed_time: claimed.timestamp(),
                trace_id: names.trace_id,
                session_id: names.session_id,
                parent_ids,
                attachment_refs: AttachmentRefs::default(),
            },
            payload: SaltedPayload { payload, salt },
        })
    }

    /// Writes a payload: the mapping, the members of `before`, the time, the members of `after`, by their names in order.
    pub(crate) fn payload(
        &self,
        claimed: Claimed,
        before: impl FnOnce(&mut ObjectWriter<'_>),
        after: impl FnOnce(&mut ObjectWriter<'_>),
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let mut payload = ObjectWriter::new(&mut out);
        self.mapping.write(&mut payload);
        before(&mut payload);
        claimed.write(&mut payload);
        after(&mut payload);
        payload.finish();
        out
    }

    /// Reports what became of a record.
    pub(crate) fn conclude(
        &mut self,
        path: &str,
        text: &str,
        mapped: Result<UnsealedEnvelope, Rejected>,
    ) {
        match mapped {
            Ok(envelope) => self.intake.accept(envelope),
            Err(Rejected { code, detail }) => {
                self.reject(Anomaly::new(code, path, detail), text);
            }
        }
    }
}
