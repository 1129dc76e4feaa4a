//! From records that were read to envelopes: names, ids, payloads, and the envelopes of what was lost.
//!
//! A resource ends with its schema, which comes last; so its records wait until it is complete. Resource and scope
//! are rendered once and copied into each payload.

use std::borrow::Cow;
use std::fmt;

use recorder_core::identity::{
    ActorId, EnvelopeId, EnvironmentId, IdentityError, SessionId, TraceId,
};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::adapter::{Anomaly, EnvelopeIds, Intake, Mapping, Policy, Salts};
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::envelope::{EnvelopeFields, ParentIds, SaltedPayload, UnsealedEnvelope};
use recorder_envelope::json::{CanonicalPayload, JsonLimits, ObjectWriter};

use crate::draft::{Draft, Frame};
use crate::fault::{Fault, FaultCode};
use crate::given::Given;
use crate::group::{Group, Rendered, Scope};
use crate::keys::{Label, hash};
use crate::names::Names;
use crate::note::{Note, Notes};
use crate::pages::{Pages, Written};
use crate::record::{Identity, Staged, TraceIdText, session_of};
use crate::refusal::Refusal;
use crate::render::Labels;
use crate::settings::Settings;
use crate::signal::Signal;

/// What the tags of requests begin with.
const REQUEST_LABEL: &str = "recorder otel request v1";

/// Actors that are kept to be named again.
const AGENTS_KEPT_MAX: usize = 32;

/// How often in a row another session may come.
const SESSION_PATIENCE: u8 = 8;

/// Makes envelopes of one input.
pub(crate) struct Assembler<'s> {
    settings: &'s Settings,
    names: &'s Names,
    /// The input, to which the ids of records without an id of their own are tied.
    body: &'s [u8],
    request: Option<[u8; 16]>,
    ids: EnvelopeIds,
    salts: Salts,
    /// How often each id was given in this input.
    given: Given,
    intake: Intake,
    records: u64,
    payload_bytes: usize,
    /// Bytes of the payloads that were made before their resource was complete.
    framed_bytes: usize,
    /// The time of the last record: that of what was lost behind it.
    last_time: UtcTimestamp,
    /// Agents that were named, where their hashes put them.
    agents: [Option<ActorId>; AGENTS_KEPT_MAX],
    last_session: Option<SessionId>,
    /// How often another session may still come before none is kept any more.
    session_patience: u8,
    /// `"mapping":{…}`, as it stands in each payload.
    mapping: String,
}

/// What all records of a scope share.
struct Shared<'g> {
    resource: Cow<'g, str>,
    scope: Cow<'g, str>,
    notes: Notes,
    /// What stands around a record of which nothing else is odd.
    frame: Frame,
    /// Whether that is the frame that its records were given.
    is_assumed: bool,
    actor_id: &'g ActorId,
    environment_id: &'g EnvironmentId,
    session: Option<&'g str>,
}

/// Names that the resource gives to all of its records.
struct OfResource {
    rendered: Vec<u8>,
    notes: Notes,
    actor_id: ActorId,
    environment_id: EnvironmentId,
    session: Option<Box<str>>,
}

impl<'s> Assembler<'s> {
    pub(crate) fn new(settings: &'s Settings, names: &'s Names, body: &'s [u8]) -> Self {
        let mapping = Mapping {
            adapter_id: names.adapter_id.clone(),
            mapping_version: crate::MAPPING_VERSION.into(),
            redaction_policy_version: settings.redactor.policy().version().into(),
        };
        let mut text = Vec::new();
        let mut object = ObjectWriter::new(&mut text);
        mapping.write(&mut object);
        object.finish();
        Self {
            settings,
            names,
            body,
            request: None,
            ids: EnvelopeIds::new(&names.adapter_id, crate::MAPPING_VERSION, &settings.stream),
            salts: settings.salt_key.begin(),
            given: Given::default(),
            intake: Intake::new(settings.policy),
            records: 0,
            payload_bytes: 0,
            framed_bytes: 0,
            last_time: UtcTimestamp::EPOCH,
            agents: [const { None }; AGENTS_KEPT_MAX],
            last_session: None,
            session_patience: SESSION_PATIENCE,
            // `{"mapping":{…}}` without its outer braces.
            mapping: String::from_utf8_lossy(text.get(1..text.len() - 1).unwrap_or_default())
                .into(),
        }
    }

    /// Counts one record before it is read.
    pub(crate) fn count_record(&mut self) -> Result<(), Refusal> {
        self.records += 1;
        let records_max = self.settings.bounds.records_max;
        if self.records > records_max {
            return Err(Refusal::TooManyRecords { records_max });
        }
        Ok(())
    }

    /// Ends the input.
    pub(crate) fn finish(self) -> Intake {
        self.intake
    }

    /// Makes the envelopes of a resource that is complete.
    pub(crate) fn end_group(
        &mut self,
        mut group: Group,
        resource: Rendered,
        notes: Notes,
        labels: &Labels,
    ) -> Result<(), Refusal> {
        if group.entries.is_empty() {
            return Ok(());
        }
        let of_resource = self.of_resource(&group, resource, notes, labels)?;
        let path = group.path();
        let accepted = group.entries.iter().filter(|entry| entry.read.is_ok()).count();
        self.intake.reserve(accepted);
        self.given.reserve(accepted);
        let Group { signal, index: resource, entries, scopes, pages, .. } = &mut group;
        pages.end();
        let mut at = None;
        let mut shared = None;
        // Entries are large, and stay where they are.
        for entry in entries {
            let Some(scope) = scopes.get(entry.scope) else { continue };
            if at != Some(entry.scope) {
                at = Some(entry.scope);
                let scope_path = format!("{path}/{}/{}", signal.scopes(), scope.index);
                shared = Some(self.shared(*signal, &of_resource, scope, &scope_path));
            }
            let Some(shared) = &shared else { continue };
            let place = Place {
                signal: *signal,
                resource: *resource,
                scope: scope.index,
                record: entry.index,
            };
            match &mut entry.read {
                Ok(draft) => self.accept(place, draft, pages, shared)?,
                Err(lost) => self.reject(place, &lost.fault, Some(&lost.marker)),
            }
        }
        Ok(())
    }

    fn of_resource(
        &mut self,
        group: &Group,
        resource: Rendered,
        mut notes: Notes,
        labels: &Labels,
    ) -> Result<OfResource, Refusal> {
        let rendered = match resource {
            Ok(rendered) => rendered,
            Err(fault) => {
                notes.add(Note::ResourceUnreadable);
                self.note(fault.code, format!("{}/{}", group.path(), fault.place));
                b"null".to_vec()
            }
        };
        let service = labels.find(Label::ServiceName).map(|name| {
            match labels.find(Label::ServiceNamespace) {
                Some(namespace) => format!("otel:service:{namespace}/{name}"),
                None => format!("otel:service:{name}"),
            }
        });
        let actor_id = match service.map(ActorId::new) {
            Some(Ok(actor_id)) => actor_id,
            Some(Err(_)) => {
                notes.add(Note::ActorInvalid);
                self.note(FaultCode::Actor, format!("{}/resource", group.path()));
                self.settings.actor_id.clone()
            }
            None => self.settings.actor_id.clone(),
        };
        let environment = [Label::EnvironmentName, Label::Environment]
            .into_iter()
            .find_map(|label| labels.find(label));
        let environment_id = match environment.map(EnvironmentId::new) {
            Some(Ok(environment_id)) => environment_id,
            Some(Err(_)) => {
                notes.add(Note::EnvironmentInvalid);
                self.note(FaultCode::Environment, format!("{}/resource", group.path()));
                self.settings.environment_id.clone()
            }
            None => self.settings.environment_id.clone(),
        };
        let session = session_of(labels).map(Box::from);
        Ok(OfResource { rendered, notes, actor_id, environment_id, session })
    }

    fn shared<'g>(
        &mut self,
        signal: Signal,
        resource: &'g OfResource,
        scope: &'g Scope,
        path: &str,
    ) -> Shared<'g> {
        let mut notes = resource.notes;
        notes.merge(scope.notes);
        let rendered = match &scope.rendered {
            Ok(rendered) => &rendered[..],
            Err(fault) => {
                notes.add(Note::ScopeUnreadable);
                self.note(fault.code, format!("{path}/{}", fault.place));
                b"null"
            }
        };
        // Writers write UTF-8.
        let (resource_text, scope_text) =
            (String::from_utf8_lossy(&resource.rendered), String::from_utf8_lossy(rendered));
        let frame = Frame::new(signal, &self.mapping, notes, &resource_text, &scope_text);
        Shared {
            resource: resource_text,
            scope: scope_text,
            notes,
            is_assumed: scope.assumed.as_ref() == Some(&frame),
            frame,
            actor_id: &resource.actor_id,
            environment_id: &resource.environment_id,
            session: resource.session.as_deref(),
        }
    }

    /// The frame of records of which nothing is odd, as far as their resource and their scope are known; none where one of
    /// them is wrong.
    pub(crate) fn frame(
        &self,
        signal: Signal,
        notes: Notes,
        resource: &Rendered,
        scope: &Rendered,
    ) -> Option<Frame> {
        let (resource, scope) = (resource.as_ref().ok()?, scope.as_ref().ok()?);
        let (resource, scope) = (String::from_utf8_lossy(resource), String::from_utf8_lossy(scope));
        Some(Frame::new(signal, &self.mapping, notes, &resource, &scope))
    }

    /// Takes a record of the group as rendered, and puts the frame around it if nothing is odd about it.
    pub(crate) fn draft(
        &mut self,
        staged: Staged,
        labels: &Labels,
        record: &[u8],
        group: &mut Group,
    ) -> Result<Draft, Fault> {
        // What was read is UTF-8, and so is what is written of it.
        let record = simdutf8::basic::from_utf8(record)
            .ok()
            .filter(|record| record.len() <= JsonLimits::PAYLOAD.input_bytes_max)
            .ok_or(Fault::new(FaultCode::RecordTooLarge))?;
        let frame = group.assumed.as_ref().filter(|frame| {
            let bytes = frame.payload_bytes(record.len());
            // What is over a bound is refused later, by name, and takes no memory until then.
            self.framed_bytes += bytes;
            staged.notes == Notes::default()
                && bytes <= self.payload_bytes_max()
                && self.framed_bytes <= self.settings.bounds.payload_bytes_total_max
        });
        let agent = labels.find(Label::Agent).map(|agent| self.agent(agent));
        let session = session_of(labels).map(|session| self.session(session));
        let written = group.pages.write(record, frame);
        Ok(Draft { staged, agent, session, written })
    }

    /// Bytes of the largest payload.
    fn payload_bytes_max(&self) -> usize {
        (2 * self.settings.bounds.record_bytes_max).min(JsonLimits::PAYLOAD.input_bytes_max)
    }

    fn accept(
        &mut self,
        place: Place,
        draft: &mut Draft,
        pages: &mut Pages,
        shared: &Shared<'_>,
    ) -> Result<(), Refusal> {
        let mut soft = soft_faults(draft.staged.notes);
        let mut notes = draft.staged.notes;
        notes.merge(shared.notes);
        let fields = self.fields(place, draft, shared, &mut notes, &mut soft);
        let Some(payload) = self.payload(place, &draft.written, pages, shared, notes) else {
            self.reject(place, &Fault::new(FaultCode::RecordTooLarge), None);
            return Ok(());
        };
        self.payload_bytes += payload.as_bytes().len();
        let bytes_max = self.settings.bounds.payload_bytes_total_max;
        if self.payload_bytes > bytes_max {
            return Err(Refusal::PayloadsTooLarge { bytes_max });
        }
        let salt = self.salts.salt(&fields.envelope_id);
        self.last_time = fields.claimed_time;
        let payload = SaltedPayload { payload, salt };
        self.intake.accept(UnsealedEnvelope { fields, payload });
        for code in soft {
            self.note(code, place);
        }
        Ok(())
    }

    fn fields(
        &mut self,
        place: Place,
        draft: &mut Draft,
        shared: &Shared<'_>,
        notes: &mut Notes,
        soft: &mut Vec<FaultCode>,
    ) -> EnvelopeFields {
        let envelope_id = self.envelope_id(place, &draft.staged);
        let actor_id = match draft.agent.take() {
            Some(Ok(actor_id)) => actor_id,
            Some(Err(_)) => {
                soft.push(FaultCode::Actor);
                notes.add(Note::ActorInvalid);
                self.settings.actor_id.clone()
            }
            None => shared.actor_id.clone(),
        };
        let session = match draft.session.take() {
            None => shared.session.map(|session| self.session(session)),
            named => named,
        };
        let staged = &draft.staged;
        let session_id = session.and_then(|session| {
            session
                .inspect_err(|_| {
                    soft.push(FaultCode::Session);
                    notes.add(Note::SessionInvalid);
                })
                .ok()
        });
        EnvelopeFields {
            envelope_id,
            event_type: self.names.event_type(staged.identity).clone(),
            actor_id,
            environment_id: shared.environment_id.clone(),
            claimed_time: staged.claimed_time,
            trace_id: staged.trace_id.as_ref().and_then(trace_id),
            session_id,
            parent_ids: ParentIds::default(),
            attachment_refs: AttachmentRefs::default(),
        }
    }

    /// The actor that an agent is: one of those at work, who are few.
    fn agent(&mut self, agent: &str) -> Result<ActorId, IdentityError> {
        const PREFIX: &str = "otel:agent:";
        let place = hash(agent.as_bytes()) as usize % AGENTS_KEPT_MAX;
        let is_it = |actor: &&ActorId| actor.as_str().strip_prefix(PREFIX) == Some(agent);
        if let Some(actor) = self.agents.get(place).and_then(Option::as_ref).filter(is_it) {
            return Ok(actor.clone());
        }
        let actor = ActorId::new([PREFIX, agent].concat())?;
        if let Some(kept) = self.agents.get_mut(place) {
            *kept = Some(actor.clone());
        }
        Ok(actor)
    }

    /// The session of this name, likely that of the record before, unless sessions take turns.
    fn session(&mut self, session: &str) -> Result<SessionId, IdentityError> {
        if let Some(last) = self.last_session.as_ref().filter(|it| it.as_str() == session) {
            self.session_patience = SESSION_PATIENCE;
            return Ok(last.clone());
        }
        let session = SessionId::new(session)?;
        if self.session_patience > 0 {
            self.session_patience -= 1;
            self.last_session = Some(session.clone());
        }
        Ok(session)
    }

    /// The id of a record: a span's own ids and times, so that one that is sent again is a replay; a log record's place in
    /// its request, for it has no id of its own.
    fn envelope_id(&mut self, place: Place, staged: &Staged) -> EnvelopeId {
        let time = staged.claimed_time;
        match (staged.identity, &staged.trace_id) {
            (Identity::Span { span_id, start, end }, Some(trace_id)) => {
                let mut derive = |occurrence| {
                    self.ids.derive(time, |key| {
                        key.raw("end", end.as_bytes())
                            .u64("occurrence", occurrence)
                            .raw("signal", b"\"span\"")
                            .raw("span_id", &span_id)
                            .raw("start", start.as_bytes())
                            .raw("trace_id", trace_id);
                    })
                };
                let first = derive(0);
                match self.given.count(first) {
                    0 => first,
                    before => derive(before),
                }
            }
            _ => {
                let request = self.request_tag();
                self.ids.derive(time, |key| {
                    let mut position = key.array("position");
                    for index in [place.resource, place.scope, place.record] {
                        position.u64(index as u64);
                    }
                    position.finish();
                    key.hex("request", &request).string("signal", "log");
                })
            }
        }
    }

    /// The keyed tag of the whole input, computed when the first record needs it.
    fn request_tag(&mut self) -> [u8; 16] {
        let (key, body) = (&self.settings.salt_key, self.body);
        *self.request.get_or_insert_with(|| key.tag(REQUEST_LABEL, &[body]))
    }

    /// The payload of a record; none where it is too large.
    fn payload(
        &self,
        place: Place,
        written: &Written,
        pages: &mut Pages,
        shared: &Shared<'_>,
        notes: Notes,
    ) -> Option<CanonicalPayload> {
        let made;
        let (frame, is_framed) = match notes == shared.notes {
            true => (&shared.frame, shared.is_assumed),
            false => {
                let Shared { resource, scope, .. } = shared;
                made = Frame::new(place.signal, &self.mapping, notes, resource, scope);
                (&made, false)
            }
        };
        let bytes = frame.payload_bytes(written.record().len());
        if bytes > self.payload_bytes_max() {
            return None;
        }
        let page = pages.page(written.page)?;
        if let Some(framed) = written.framed().filter(|_| is_framed) {
            return CanonicalPayload::written_among(page, framed).ok();
        }
        // Of exactly this size, or the payload would be copied once more to give back what is left over.
        let mut payload = String::with_capacity(bytes);
        frame.write(page.get(written.record())?, &mut payload);
        CanonicalPayload::written(payload).ok()
    }

    /// One record is refused: counted, and, under `record_anomaly`, evidence of its own.
    fn reject(&mut self, place: Place, fault: &Fault, marker: Option<&[u8]>) {
        let separator = if fault.place.is_empty() { "" } else { "/" };
        let path = format!("{place}{separator}{}", fault.place);
        let anomaly = Anomaly::new(fault.code.code(), path, fault.code.detail());
        self.intake.reject(anomaly.clone());
        self.push_anomaly(&anomaly, marker);
    }

    /// Something is wrong that costs no record.
    fn note(&mut self, code: FaultCode, path: impl fmt::Display) {
        let path = path.to_string();
        let anomaly = Anomaly::new(code.code(), path.trim_end_matches('/'), code.detail());
        self.intake.note(anomaly.clone());
        self.push_anomaly(&anomaly, None);
    }

    fn push_anomaly(&mut self, anomaly: &Anomaly, marker: Option<&[u8]>) {
        if self.settings.policy == Policy::StrictFail {
            return;
        }
        let request = self.request_tag();
        let envelope_id = self.ids.derive(self.last_time, |key| {
            key.string("code", anomaly.code)
                .string("path", &anomaly.path)
                .hex("request", &request)
                .string("signal", "anomaly");
        });
        let payload = self.anomaly_payload(anomaly, marker);
        self.payload_bytes += payload.as_bytes().len();
        let fields = EnvelopeFields {
            envelope_id,
            event_type: self.names.anomaly.clone(),
            actor_id: self.settings.actor_id.clone(),
            environment_id: self.settings.environment_id.clone(),
            claimed_time: self.last_time,
            trace_id: None,
            session_id: None,
            parent_ids: ParentIds::default(),
            attachment_refs: AttachmentRefs::default(),
        };
        let salt = self.salts.salt(&envelope_id);
        self.intake.push(UnsealedEnvelope { fields, payload: SaltedPayload { payload, salt } });
    }

    #[expect(clippy::expect_used, reason = "bounded texts, written in canonical order just before")]
    fn anomaly_payload(&self, anomaly: &Anomaly, marker: Option<&[u8]>) -> CanonicalPayload {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        let mut inner = object.object("anomaly");
        inner
            .string("code", anomaly.code)
            .string("detail", &anomaly.detail)
            .string("path", &anomaly.path);
        inner.finish();
        object.finish();
        out.pop();
        out.push(b',');
        out.extend_from_slice(self.mapping.as_bytes());
        out.extend_from_slice(b",\"record\":");
        out.extend_from_slice(marker.unwrap_or(b"null"));
        out.push(b'}');
        CanonicalPayload::from_canonical(out).expect("an anomaly is a canonical object")
    }
}

/// What is wrong with a record that is stored all the same, by what was noted while it was read.
fn soft_faults(notes: Notes) -> Vec<FaultCode> {
    if notes == Notes::default() {
        return Vec::new();
    }
    [
        (Note::TraceIdInvalid, FaultCode::LogTraceId),
        (Note::SpanIdInvalid, FaultCode::LogSpanId),
        (Note::TimeMissing, FaultCode::LogTimeMissing),
    ]
    .into_iter()
    .filter(|(note, _)| notes.has(*note))
    .map(|(_, code)| code)
    .collect()
}

fn trace_id(text: &TraceIdText) -> Option<TraceId> {
    // Hex digits keep every rule of a name.
    let digits = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    std::str::from_utf8(digits).ok().and_then(|digits| TraceId::new(digits).ok())
}

/// Where a record stood in its input.
#[derive(Clone, Copy, Debug)]
struct Place {
    signal: Signal,
    resource: usize,
    scope: usize,
    record: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signal, resource, scope, record } = self;
        let (resources, scopes, records) = (signal.resources(), signal.scopes(), signal.records());
        write!(f, "{resources}/{resource}/{scopes}/{scope}/{records}/{record}")
    }
}
