//! From records that were read to envelopes: names, ids, payloads, and the envelopes of what was lost.
//!
//! A resource ends with its schema, which comes last; so its records wait until it is complete. Resource and scope
//! are rendered once and copied into each payload.

use std::collections::BTreeMap;
use std::fmt;

use recorder_core::hash::encode_hex_into;
use recorder_core::identity::{
    ActorId, EnvelopeId, EnvironmentId, IdentityError, SessionId, TraceId,
};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::adapter::{Anomaly, EnvelopeIds, Intake, Mapping, Policy, Salts};
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::envelope::{EnvelopeFields, ParentIds, SaltedPayload, UnsealedEnvelope};
use recorder_envelope::json::{CanonicalPayload, ObjectWriter};

use crate::fault::{Fault, FaultCode};
use crate::keys::Label;
use crate::names::Names;
use crate::note::{Note, Notes};
use crate::record::{Identity, Staged, TraceIdBytes, session_of};
use crate::refusal::Refusal;
use crate::render::Labels;
use crate::settings::Settings;
use crate::signal::Signal;

/// What the tags of requests begin with.
const REQUEST_LABEL: &str = "recorder otel request v1";

/// A resource or scope: its canonical text, or why there is none.
pub(crate) type Rendered = Result<Vec<u8>, Fault>;

/// The records of one resource while they wait for it.
pub(crate) struct Group {
    signal: Signal,
    index: usize,
    /// The text of all records.
    pub(crate) arena: Vec<u8>,
    entries: Vec<Entry>,
    scopes: Vec<Scope>,
}

/// A scope that is complete.
struct Scope {
    index: usize,
    rendered: Rendered,
    notes: Notes,
}

/// One record that came in.
struct Entry {
    /// Index into the scopes of the group.
    scope: usize,
    index: usize,
    read: Result<Staged, Lost>,
}

/// A record that was refused.
pub(crate) struct Lost {
    fault: Fault,
    /// The marker of the record as it came.
    marker: Vec<u8>,
}

impl Group {
    /// Begins the resource at `index`.
    pub(crate) fn new(signal: Signal, index: usize) -> Self {
        Self { signal, index, arena: Vec::new(), entries: Vec::new(), scopes: Vec::new() }
    }

    /// Adds a record that was read from the scope at hand, which is the next to be ended.
    pub(crate) fn accept(&mut self, index: usize, staged: Staged) {
        self.entries.push(Entry { scope: self.scopes.len(), index, read: Ok(staged) });
    }

    /// Adds a record that was refused.
    pub(crate) fn reject(&mut self, index: usize, fault: Fault, marker: Vec<u8>) {
        let read = Err(Lost { fault, marker });
        self.entries.push(Entry { scope: self.scopes.len(), index, read });
    }

    /// Ends the scope at hand. One without records leaves nothing, however many there are.
    pub(crate) fn end_scope(&mut self, index: usize, rendered: Rendered, notes: Notes) {
        if self.entries.last().is_some_and(|last| last.scope == self.scopes.len()) {
            self.scopes.push(Scope { index, rendered, notes });
        }
    }

    fn path(&self) -> String {
        format!("{}/{}", self.signal.resources(), self.index)
    }
}

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
    given: BTreeMap<EnvelopeId, u64>,
    intake: Intake,
    records: u64,
    payload_bytes: usize,
    /// The time of the last record: that of what was lost behind it.
    last_time: UtcTimestamp,
    last_agent: Option<ActorId>,
    last_session: Option<SessionId>,
    /// `"mapping":{…}`, as it stands in each payload.
    mapping: String,
}

/// What all records of a scope share.
struct Shared<'g> {
    /// Resource and scope, as they stand behind the notes in each payload.
    behind: String,
    notes: Notes,
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
            given: BTreeMap::new(),
            intake: Intake::new(settings.policy),
            records: 0,
            payload_bytes: 0,
            last_time: UtcTimestamp::EPOCH,
            last_agent: None,
            last_session: None,
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
        group: Group,
        resource: Rendered,
        notes: Notes,
        labels: &Labels,
    ) -> Result<(), Refusal> {
        if group.entries.is_empty() {
            return Ok(());
        }
        let of_resource = self.of_resource(&group, resource, notes, labels)?;
        let path = group.path();
        self.intake.reserve(group.entries.iter().filter(|entry| entry.read.is_ok()).count());
        let mut at = None;
        let mut shared = None;
        for entry in group.entries {
            let Some(scope) = group.scopes.get(entry.scope) else { continue };
            if at != Some(entry.scope) {
                at = Some(entry.scope);
                let scope_path = format!("{path}/{}/{}", group.signal.scopes(), scope.index);
                shared = Some(self.shared(&of_resource, scope, &scope_path)?);
            }
            let Some(shared) = &shared else { continue };
            let place = Place {
                signal: group.signal,
                resource: group.index,
                scope: scope.index,
                record: entry.index,
            };
            match entry.read {
                Ok(staged) => self.accept(place, &group.arena, staged, shared)?,
                Err(lost) => self.reject(place, &lost.fault, Some(lost.marker)),
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
        resource: &'g OfResource,
        scope: &Scope,
        path: &str,
    ) -> Result<Shared<'g>, Refusal> {
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
        Ok(Shared {
            behind: format!(",\"resource\":{resource_text},\"scope\":{scope_text}"),
            notes,
            actor_id: &resource.actor_id,
            environment_id: &resource.environment_id,
            session: resource.session.as_deref(),
        })
    }

    fn accept(
        &mut self,
        place: Place,
        arena: &[u8],
        staged: Staged,
        shared: &Shared<'_>,
    ) -> Result<(), Refusal> {
        let body = arena.get(staged.body.clone()).unwrap_or_default();
        let mut soft = soft_faults(staged.notes);
        let mut notes = staged.notes;
        notes.merge(shared.notes);
        let fields = self.fields(place, arena, &staged, shared, &mut notes, &mut soft);
        let payload = self.payload(body, &staged, shared, notes);
        let Ok(payload) = payload else {
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
        arena: &[u8],
        staged: &Staged,
        shared: &Shared<'_>,
        notes: &mut Notes,
        soft: &mut Vec<FaultCode>,
    ) -> EnvelopeFields {
        let envelope_id = self.envelope_id(place, staged);
        let agent = named(arena, &staged.agent).map(|agent| self.agent(agent));
        let actor_id = match agent {
            Some(Ok(actor_id)) => actor_id,
            Some(Err(_)) => {
                soft.push(FaultCode::Actor);
                notes.add(Note::ActorInvalid);
                self.settings.actor_id.clone()
            }
            None => shared.actor_id.clone(),
        };
        let session = named(arena, &staged.session).or(shared.session).map(|it| self.session(it));
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

    /// The actor that an agent is: one of those at work is likely the last one.
    fn agent(&mut self, agent: &str) -> Result<ActorId, IdentityError> {
        const PREFIX: &str = "otel:agent:";
        let last = self.last_agent.as_ref();
        match last.filter(|it| it.as_str().strip_prefix(PREFIX) == Some(agent)) {
            Some(last) => Ok(last.clone()),
            None => {
                let actor = ActorId::new([PREFIX, agent].concat())?;
                self.last_agent = Some(actor.clone());
                Ok(actor)
            }
        }
    }

    /// The session of this name, likely that of the record before.
    fn session(&mut self, session: &str) -> Result<SessionId, IdentityError> {
        match self.last_session.as_ref().filter(|it| it.as_str() == session) {
            Some(last) => Ok(last.clone()),
            None => {
                let session = SessionId::new(session)?;
                self.last_session = Some(session.clone());
                Ok(session)
            }
        }
    }

    /// The id of a record: a span's own ids and times, so that one that is sent again is a replay; a log record's place in
    /// its request, for it has no id of its own.
    fn envelope_id(&mut self, place: Place, staged: &Staged) -> EnvelopeId {
        let time = staged.claimed_time;
        match (staged.identity, &staged.trace_id) {
            (Identity::Span { span_id, start, end }, Some(trace_id)) => {
                let mut derive = |occurrence| {
                    self.ids.derive(time, |key| {
                        key.string("end", itoa::Buffer::new().format(end))
                            .u64("occurrence", occurrence)
                            .string("signal", "span")
                            .hex("span_id", &span_id)
                            .string("start", itoa::Buffer::new().format(start))
                            .hex("trace_id", trace_id);
                    })
                };
                let first = derive(0);
                let occurrence = self.given.entry(first).or_default();
                *occurrence += 1;
                if *occurrence == 1 { first } else { derive(*occurrence - 1) }
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

    fn payload(
        &self,
        body: &[u8],
        staged: &Staged,
        shared: &Shared<'_>,
        notes: Notes,
    ) -> Result<CanonicalPayload, ()> {
        // What was read is UTF-8, and so is what is written of it.
        let body = simdutf8::basic::from_utf8(body).map_err(|_| ())?;
        let oddities = notes.render();
        let mut end = String::from("}");
        if notes.unknown_fields > 0 {
            end = format!(",\"unknown_field_count\":{}}}", notes.unknown_fields);
        }
        let (before, behind): (&[&str], &[&str]) = match staged.identity {
            Identity::Log { .. } => (&["{\"log\":", body, ","], &[]),
            Identity::Span { .. } => (&["{"], &[",\"span\":", body]),
        };
        let middle: &[&str] = &[&self.mapping, ",\"notes\":", &oddities, &shared.behind];
        let parts = [before, middle, behind, &[&end]];
        let length = parts.iter().flat_map(|part| part.iter()).map(|piece| piece.len()).sum();
        if length > 2 * self.settings.bounds.record_bytes_max {
            return Err(());
        }
        // Of exactly this size, or the payload would be copied once more to give back what is left over.
        let mut out = String::with_capacity(length);
        for piece in parts.iter().flat_map(|part| part.iter()) {
            out.push_str(piece);
        }
        CanonicalPayload::written(out).map_err(|_| ())
    }

    /// One record is refused: counted, and, under `record_anomaly`, evidence of its own.
    fn reject(&mut self, place: Place, fault: &Fault, marker: Option<Vec<u8>>) {
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

    fn push_anomaly(&mut self, anomaly: &Anomaly, marker: Option<Vec<u8>>) {
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
        let payload = self.anomaly_payload(anomaly, marker.as_deref());
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

/// A name that the arena holds.
fn named<'a>(arena: &'a [u8], place: &std::ops::Range<usize>) -> Option<&'a str> {
    let text = arena.get(place.clone()).and_then(|text| std::str::from_utf8(text).ok());
    text.filter(|text| !text.is_empty())
}

/// What is wrong with a record that is stored all the same, by what was noted while it was read.
fn soft_faults(notes: Notes) -> Vec<FaultCode> {
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

fn trace_id(bytes: &TraceIdBytes) -> Option<TraceId> {
    let mut text = [0; 32];
    encode_hex_into(bytes, &mut text);
    // Hex digits keep every rule of a name.
    std::str::from_utf8(&text).ok().and_then(|text| TraceId::new(text).ok())
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
