//! From the body to its records: resources, scopes, and each record on its own.
//!
//! A record that is wrong is skipped by its brackets, and its digest kept. What stands around the records must have the
//! shape of OTLP, or nobody could say how many records there are.

use super::cursor::{Cursor, Kind, Malformed};
use super::record::Records;
use super::value::Read;
use crate::assemble::Assembler;
use crate::door::Door;
use crate::fault::{Fault, FaultCode, Stop};
use crate::group::{Group, Rendered};
use crate::note::Notes;
use crate::record::{ScopePart, finish_resource};
use crate::refusal::Refusal;
use crate::render::{Labels, Renderer};
use crate::screen::REJECTED_REASON;
use crate::settings::{Settings, body_fate};
use crate::signal::Signal;

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Json { offset: malformed.offset }
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
    let text = super::as_text(body);
    let mut walker = Walker {
        records: Records::new(renderer, body_fate(settings.log_body)),
        assembler,
        settings,
        record: Vec::new(),
    };
    walker.body(&mut Cursor::new(&text), door)
}

struct Walker<'w, 'a, 's> {
    records: Records<'s>,
    assembler: &'w mut Assembler<'a>,
    settings: &'s Settings,
    /// The record at hand as rendered.
    record: Vec<u8>,
}

/// The members around records that may stand once.
#[derive(Default)]
struct Members {
    seen: [Option<&'static str>; 3],
}

impl Members {
    fn once(&mut self, member: &'static str) -> Result<(), Refusal> {
        if self.seen.contains(&Some(member)) {
            return Err(Refusal::Shape { path: member.to_owned() });
        }
        if let Some(place) = self.seen.iter_mut().find(|place| place.is_none()) {
            *place = Some(member);
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.seen == [None; 3]
    }
}

impl Walker<'_, '_, '_> {
    fn body(&mut self, cursor: &mut Cursor<'_>, door: Door) -> Result<(), Refusal> {
        if cursor.kind()? != Kind::Object {
            cursor.skip()?;
            return Err(Refusal::Shape { path: "body".to_owned() });
        }
        cursor.open();
        let (mut members, mut first, mut other) = (Members::default(), true, None);
        let mut is_empty = true;
        while let Some(name) = cursor.member(first)? {
            first = false;
            is_empty = false;
            match name.plain() {
                Some(b"resourceSpans") if door.takes(Signal::Traces) => {
                    members.once("resourceSpans")?;
                    self.resources(cursor, Signal::Traces)?;
                }
                Some(b"resourceLogs") if door.takes(Signal::Logs) => {
                    members.once("resourceLogs")?;
                    self.resources(cursor, Signal::Logs)?;
                }
                name => {
                    other = other.or(name.and_then(signal_name));
                    cursor.skip()?;
                }
            }
        }
        if !cursor.is_at_end() {
            return Err(Refusal::Json { offset: cursor.position() });
        }
        match other {
            // What the door does not take would be lost without a word.
            Some(found) => Err(Refusal::Signal { found }),
            None if !members.is_empty() || (is_empty && door.takes_nothing()) => Ok(()),
            None => Err(Refusal::NoSignal { expected: door.expected() }),
        }
    }

    fn resources(&mut self, cursor: &mut Cursor<'_>, signal: Signal) -> Result<(), Refusal> {
        each(cursor, |cursor, index| self.resource(cursor, signal, index))
            .map_err(|refusal| refusal.within(signal.resources()))
    }

    fn resource(
        &mut self,
        cursor: &mut Cursor<'_>,
        signal: Signal,
        index: usize,
    ) -> Result<(), Refusal> {
        open_object(cursor)?;
        let mut group = Group::new(signal, index);
        let (mut resource, mut schema_url) = (Ok(Vec::new()), Ok(Vec::new()));
        let (mut notes, mut labels) = (Notes::default(), Labels::default());
        let (mut members, mut first) = (Members::default(), true);
        while let Some(name) = cursor.member(first)? {
            first = false;
            match name.plain() {
                Some(b"resource") => {
                    members.once("resource")?;
                    let mut rendered = Vec::new();
                    let read = self.whole(cursor, |records, cursor| {
                        notes = records.resource(cursor, &mut rendered)?;
                        labels = std::mem::take(&mut records.values.renderer.labels);
                        Ok(())
                    })?;
                    resource = read.map(|()| rendered).map_err(|fault| fault.within("resource"));
                }
                Some(b"schemaUrl") => {
                    members.once("schemaUrl")?;
                    schema_url = self.schema_url(cursor)?;
                }
                Some(name) if name == signal.scopes().as_bytes() => {
                    members.once(signal.scopes())?;
                    let known = (&self.finished(&resource, &schema_url), notes);
                    each(cursor, |cursor, scope| self.scope(cursor, &mut group, known, scope))
                        .map_err(|refusal| refusal.within(signal.scopes()))?;
                }
                _ => {
                    notes.unknown_fields += 1;
                    cursor.skip()?;
                }
            }
        }
        let resource = self.finished(&resource, &schema_url);
        self.assembler.end_group(group, resource, notes, &labels)
    }

    /// A resource, as far as it came.
    fn finished(&self, resource: &Rendered, schema_url: &Rendered) -> Rendered {
        let rendered = match resource.as_ref().map_err(Clone::clone)? {
            rendered if rendered.is_empty() => EMPTY_RESOURCE.to_vec(),
            rendered => rendered.clone(),
        };
        let schema_url = schema_url.as_ref().map_err(Clone::clone)?;
        self.bounded(finish_resource(rendered, schema_url))
    }

    fn scope(
        &mut self,
        cursor: &mut Cursor<'_>,
        group: &mut Group,
        (resource, mut frame_notes): (&Rendered, Notes),
        index: usize,
    ) -> Result<(), Refusal> {
        open_object(cursor)?;
        let signal = group.signal;
        let (mut part, mut schema_url) = (ScopePart::default(), Ok(Vec::new()));
        let (mut notes, mut fault) = (Notes::default(), None);
        let (mut members, mut first) = (Members::default(), true);
        while let Some(name) = cursor.member(first)? {
            first = false;
            match name.plain() {
                Some(b"scope") => {
                    members.once("scope")?;
                    fault = self
                        .whole(cursor, |records, cursor| {
                            notes = records.scope(cursor, &mut part)?;
                            Ok(())
                        })?
                        .err()
                        .map(|fault| fault.within("scope"));
                }
                Some(b"schemaUrl") => {
                    members.once("schemaUrl")?;
                    schema_url = self.schema_url(cursor)?;
                }
                Some(name) if name == signal.records().as_bytes() => {
                    members.once(signal.records())?;
                    frame_notes.merge(notes);
                    let scope = self.finished_scope(&part, fault.as_ref(), &schema_url);
                    group.assumed = self.assembler.frame(signal, frame_notes, resource, &scope);
                    each(cursor, |cursor, index| self.record(cursor, group, index))
                        .map_err(|refusal| refusal.within(signal.records()))?;
                }
                _ => {
                    notes.unknown_fields += 1;
                    cursor.skip()?;
                }
            }
        }
        let rendered = self.finished_scope(&part, fault.as_ref(), &schema_url);
        group.end_scope(index, rendered, notes);
        Ok(())
    }

    /// A scope, as far as it came.
    fn finished_scope(
        &self,
        part: &ScopePart,
        fault: Option<&Fault>,
        schema_url: &Rendered,
    ) -> Rendered {
        if let Some(fault) = fault {
            return Err(fault.clone());
        }
        let part = if part.before.is_empty() { ScopePart::empty() } else { part.clone() };
        let schema_url = schema_url.as_ref().map_err(Clone::clone)?;
        self.bounded(part.finish(schema_url))
    }

    /// Reads one record. One that is wrong is skipped, and the next is read.
    fn record(
        &mut self,
        cursor: &mut Cursor<'_>,
        group: &mut Group,
        index: usize,
    ) -> Result<(), Refusal> {
        self.assembler.count_record()?;
        let start = cursor.position();
        self.record.clear();
        let read = match group.signal {
            Signal::Traces => self.records.span(cursor, &mut self.record),
            Signal::Logs => self.records.log(cursor, &mut self.record),
        };
        let too_large = cursor.position() - start > self.settings.bounds.record_bytes_max;
        let fault = match read {
            Ok(_) if too_large => Fault::new(FaultCode::RecordTooLarge),
            Ok(staged) => {
                let labels = &self.records.values.renderer.labels;
                match self.assembler.draft(staged, labels, &self.record, group) {
                    Ok(draft) => {
                        group.accept(index, draft);
                        return Ok(());
                    }
                    Err(fault) => fault,
                }
            }
            Err(Stop::Record(fault)) => fault,
            // What the strict parser cannot read may still be skipped: the records behind it are good.
            Err(Stop::Body(malformed)) => return Err(malformed.into()),
        };
        cursor.seek(start);
        cursor.skip()?;
        let mut marker = Vec::new();
        let screen = &mut self.records.values.renderer.screen;
        screen.write_removed(REJECTED_REASON, cursor.since(start).trim_start(), &mut marker);
        group.reject(index, fault, marker);
        Ok(())
    }

    /// Reads a part that records share. One that is wrong is skipped and costs none of them.
    fn whole(
        &mut self,
        cursor: &mut Cursor<'_>,
        read: impl FnOnce(&mut Records<'_>, &mut Cursor<'_>) -> Read<()>,
    ) -> Result<Result<(), Fault>, Refusal> {
        if cursor.kind()? == Kind::Null {
            cursor.null()?;
            return Ok(Ok(()));
        }
        let start = cursor.position();
        match read(&mut self.records, cursor) {
            Ok(()) => Ok(Ok(())),
            Err(Stop::Body(malformed)) => Err(malformed.into()),
            Err(Stop::Record(fault)) => {
                cursor.seek(start);
                cursor.skip()?;
                Ok(Err(fault))
            }
        }
    }

    fn schema_url(&mut self, cursor: &mut Cursor<'_>) -> Result<Rendered, Refusal> {
        let mut rendered = Vec::new();
        let read =
            self.whole(cursor, |records, cursor| records.schema_url(cursor, &mut rendered))?;
        Ok(read.map(|()| rendered).map_err(|fault| fault.within("schemaUrl")))
    }

    fn bounded(&self, rendered: Vec<u8>) -> Rendered {
        if rendered.len() > self.settings.bounds.record_bytes_max {
            return Err(Fault::new(FaultCode::RecordTooLarge));
        }
        Ok(rendered)
    }
}

/// A resource that nothing is said of.
const EMPTY_RESOURCE: &[u8] = b"{\"attributes\":[],\"dropped_attributes_count\":0";

fn signal_name(name: &[u8]) -> Option<&'static str> {
    match name {
        b"resourceSpans" => Some("resourceSpans"),
        b"resourceLogs" => Some("resourceLogs"),
        b"resourceMetrics" => Some("resourceMetrics"),
        b"resourceProfiles" => Some("resourceProfiles"),
        _ => None,
    }
}

/// Goes through the items of a list around records; `null` is the empty one.
fn each(
    cursor: &mut Cursor<'_>,
    mut read: impl FnMut(&mut Cursor<'_>, usize) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    match cursor.kind()? {
        Kind::Null => return Ok(cursor.null()?),
        Kind::Array => cursor.open(),
        _ => return Err(Refusal::Shape { path: String::new() }),
    }
    let mut index = 0;
    while cursor.item(index == 0)? {
        read(cursor, index).map_err(|refusal| refusal.within(index))?;
        index += 1;
    }
    Ok(())
}

fn open_object(cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
    if cursor.kind()? != Kind::Object {
        return Err(Refusal::Shape { path: String::new() });
    }
    cursor.open();
    Ok(())
}
