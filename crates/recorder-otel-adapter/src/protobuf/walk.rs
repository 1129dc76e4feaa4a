//! From the body to its records: the request, its resources and its scopes are split, field by field.

use base64::Engine as _;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::record::Records;
use super::wire::{Broken, Content, Fields};
use crate::assemble::Assembler;
use crate::door::Door;
use crate::fault::{Fault, FaultCode};
use crate::group::{Group, Rendered};
use crate::note::Notes;
use crate::record::{ScopePart, TRACE_ID_BYTES, finish_resource};
use crate::refusal::Refusal;
use crate::render::{Labels, Renderer};
use crate::screen::REJECTED_REASON;
use crate::settings::{Settings, body_fate};
use crate::signal::Signal;

/// The resource of a `ResourceSpans`, the scope of a `ScopeSpans`, and the same of logs.
const SHARED: u64 = 1;

/// The list within a request, a resource or a scope; in a request it has the number 1.
const LIST: u64 = 2;

/// The address of a schema, in both.
const SCHEMA_URL: u64 = 3;

impl From<Broken> for Refusal {
    fn from(Broken: Broken) -> Self {
        Self::Protobuf
    }
}

/// Reads all records of `body` into `assembler`.
pub(crate) fn walk<'s>(
    body: &[u8],
    door: Door,
    settings: &'s Settings,
    renderer: Renderer<'s>,
    assembler: &mut Assembler<'_>,
) -> Result<(), Refusal> {
    if body.is_empty() {
        return match door.takes_nothing() {
            true => Ok(()),
            false => Err(Refusal::NoSignal { expected: door.expected() }),
        };
    }
    let signal = signal(body, door)?;
    let records = Records::new(renderer, body_fate(settings.log_body));
    Walker { records, assembler, settings, signal, record: Vec::new() }.body(body)
}

/// Tells spans from log records by the first record, for their messages have the same numbers around them.
fn signal(body: &[u8], door: Door) -> Result<Signal, Refusal> {
    let mut requests = Fields(body);
    let (mut found, mut has_resource) = (None, false);
    while let (None, Some(resource)) = (found, list_item(&mut requests, SHARED)?) {
        has_resource = true;
        let mut resource = Fields(resource);
        while let (None, Some(scope)) = (found, list_item(&mut resource, LIST)?) {
            let mut scope = Fields(scope);
            while let (None, Some(record)) = (found, list_item(&mut scope, LIST)?) {
                found = record_signal(record);
            }
        }
    }
    let usual = if door.takes(Signal::Traces) { Signal::Traces } else { Signal::Logs };
    match found {
        Some(signal) if door.takes(signal) => Ok(signal),
        Some(signal) => Err(Refusal::Signal { found: signal.resources() }),
        None if has_resource => Ok(usual),
        None => Err(Refusal::NoSignal { expected: door.expected() }),
    }
}

/// The next field of this number that holds bytes.
fn list_item<'a>(fields: &mut Fields<'a>, wanted: u64) -> Result<Option<&'a [u8]>, Broken> {
    while let Some(field) = fields.next()? {
        if let Content::Bytes(bytes) = field.content
            && field.number == wanted
        {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// What a record is, if it is one of both and not the other.
fn record_signal(record: &[u8]) -> Option<Signal> {
    let first = Fields(record).next().ok()??;
    match first.content {
        // The first field of a span is its trace id.
        Content::Bytes(id) if first.number == 1 && id.len() == TRACE_ID_BYTES => {
            Some(Signal::Traces)
        }
        _ if record.len() > FIRST_RECORD_BYTES_MAX => None,
        _ => match (Span::decode(record), LogRecord::decode(record)) {
            (Ok(_), Err(_)) => Some(Signal::Traces),
            (Err(_), Ok(_)) => Some(Signal::Logs),
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => None,
        },
    }
}

/// A larger record is not decoded just to see what it is.
const FIRST_RECORD_BYTES_MAX: usize = 256 << 10;

struct Walker<'w, 'a, 's> {
    records: Records<'s>,
    assembler: &'w mut Assembler<'a>,
    settings: &'s Settings,
    signal: Signal,
    /// The record at hand as rendered.
    record: Vec<u8>,
}

/// What a message around records holds beside the list. Repeated fields of one message are merged, as protobuf wants it.
struct Split<'a> {
    message: &'a [u8],
    shared_bytes: usize,
    schema_url: Option<&'a [u8]>,
    notes: Notes,
}

impl<'a> Split<'a> {
    fn of(message: &'a [u8]) -> Result<Self, Broken> {
        let notes = Notes::default();
        let mut split = Self { message, shared_bytes: 0, schema_url: None, notes };
        let mut fields = Fields(message);
        while let Some(field) = fields.next()? {
            match (field.number, field.content) {
                (SHARED, Content::Bytes(bytes)) => split.shared_bytes += bytes.len(),
                (LIST, Content::Bytes(_)) => {}
                (SCHEMA_URL, Content::Bytes(bytes)) => split.schema_url = Some(bytes),
                (SHARED | LIST | SCHEMA_URL, Content::Number) => return Err(Broken),
                _ => split.notes.unknown_fields += 1,
            }
        }
        Ok(split)
    }

    fn shared<M: Message + Default>(&self) -> Result<M, Fault> {
        let (mut message, mut fields) = (M::default(), Fields(self.message));
        let broken = || Fault::new(FaultCode::Undecodable);
        while let Some(part) = list_item(&mut fields, SHARED).map_err(|Broken| broken())? {
            message.merge(part).map_err(|_| broken())?;
        }
        Ok(message)
    }
}

impl Walker<'_, '_, '_> {
    fn body(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let (mut fields, mut index) = (Fields(body), 0);
        while let Some(resource) = list_item(&mut fields, SHARED)? {
            self.resource(resource, index)?;
            index += 1;
        }
        Ok(())
    }

    fn resource(&mut self, message: &[u8], index: usize) -> Result<(), Refusal> {
        let split = Split::of(message)?;
        let mut group = Group::new(self.signal, index);
        let (mut notes, mut labels) = (split.notes, Labels::default());
        let resource = self.bounded(split.shared_bytes).and_then(|()| {
            let mut rendered = Vec::new();
            notes.merge(self.records.resource(&split.shared::<Resource>()?, &mut rendered)?);
            labels = std::mem::take(&mut self.records.renderer.labels);
            Ok(rendered)
        });
        let resource = resource.map_err(|fault| fault.within("resource"));
        let resource = resource.and_then(|rendered| {
            Ok(finish_resource(rendered, &self.schema_url(split.schema_url)?))
        });
        let resource = self.rendered(resource);
        let (mut scopes, mut index) = (Fields(message), 0);
        while let Some(scope) = list_item(&mut scopes, LIST)? {
            self.scope(scope, &mut group, (&resource, notes), index)?;
            index += 1;
        }
        self.assembler.end_group(group, resource, notes, &labels)
    }

    fn scope(
        &mut self,
        message: &[u8],
        group: &mut Group,
        (resource, mut frame_notes): (&Rendered, Notes),
        index: usize,
    ) -> Result<(), Refusal> {
        let split = Split::of(message)?;
        let mut notes = split.notes;
        let part = self.bounded(split.shared_bytes).and_then(|()| {
            let mut part = ScopePart::default();
            let scope = split.shared::<InstrumentationScope>()?;
            notes.merge(self.records.scope(&scope, &mut part)?);
            Ok(part)
        });
        let part = part.map_err(|fault| fault.within("scope"));
        let rendered = part.and_then(|part| Ok(part.finish(&self.schema_url(split.schema_url)?)));
        let rendered = self.rendered(rendered);
        frame_notes.merge(notes);
        let frame = self.assembler.frame(self.signal, frame_notes, resource, &rendered);
        group.assumed = frame;
        let (mut records, mut record_index) = (Fields(message), 0);
        while let Some(record) = list_item(&mut records, LIST)? {
            self.record(record, group, record_index)?;
            record_index += 1;
        }
        group.end_scope(index, rendered, notes);
        Ok(())
    }

    /// Decodes and renders one record. One that is wrong costs no other.
    fn record(&mut self, bytes: &[u8], group: &mut Group, index: usize) -> Result<(), Refusal> {
        self.assembler.count_record()?;
        self.record.clear();
        let read = self.bounded(bytes.len()).and_then(|()| match self.signal {
            Signal::Traces => self.records.span(&decode(bytes)?, &mut self.record),
            Signal::Logs => self.records.log(&decode(bytes)?, &mut self.record),
        });
        let labels = &self.records.renderer.labels;
        let read =
            read.and_then(|staged| self.assembler.draft(staged, labels, &self.record, group));
        match read {
            Ok(draft) => group.accept(index, draft),
            Err(fault) => {
                let text = base64::engine::general_purpose::STANDARD.encode(bytes);
                let mut marker = Vec::new();
                self.records.renderer.screen.write_removed(REJECTED_REASON, &text, &mut marker);
                group.reject(index, fault, marker);
            }
        }
        Ok(())
    }

    fn schema_url(&mut self, bytes: Option<&[u8]>) -> Result<Vec<u8>, Fault> {
        let mut rendered = Vec::new();
        if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Fault::new(FaultCode::StringCharacter).within("schemaUrl"))?;
            self.records.renderer.text(text, &mut rendered);
        }
        Ok(rendered)
    }

    fn bounded(&self, bytes: usize) -> Result<(), Fault> {
        match bytes > self.settings.bounds.record_bytes_max {
            true => Err(Fault::new(FaultCode::RecordTooLarge)),
            false => Ok(()),
        }
    }

    fn rendered(&self, rendered: Rendered) -> Rendered {
        let rendered = rendered?;
        self.bounded(rendered.len())?;
        Ok(rendered)
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Fault> {
    M::decode(bytes).map_err(|_| Fault::new(FaultCode::Undecodable))
}
