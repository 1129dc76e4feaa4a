//! From the body to its records: resources, scopes, and each record on its own.
//!
//! A record that is wrong is skipped by its brackets, and its digest kept. What stands around the records must have the
//! shape of OTLP, or nobody could say how many records there are.

use super::cursor::{Cursor, Kind, Malformed};
use super::record::Records;
use super::value::Read;
use crate::assemble::{Assembler, Group, Rendered};
use crate::door::Door;
use crate::fault::{Fault, FaultCode, Stop};
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
    };
    walker.body(&mut Cursor::new(&text), door)
}

struct Walker<'w, 'a, 's> {
    records: Records<'s>,
    assembler: &'w mut Assembler<'a>,
    settings: &'s Settings,
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
                        Ok(())
                    })?;
                    if read.is_ok() {
                        labels = std::mem::take(&mut self.records.values.renderer.labels);
                    }
                    resource = read.map(|()| rendered).map_err(|fault| fault.within("resource"));
                }
                Some(b"schemaUrl") => {
                    members.once("schemaUrl")?;
                    schema_url = self.schema_url(cursor)?;
                }
                Some(name) if name == signal.scopes().as_bytes() => {
                    members.once(signal.scopes())?;
                    each(cursor, |cursor, scope| self.scope(cursor, &mut group, signal, scope))
                        .map_err(|refusal| refusal.within(signal.scopes()))?;
                }
                _ => {
                    notes.unknown_fields += 1;
                    cursor.skip()?;
                }
            }
        }
        let resource = resource.and_then(|rendered| {
            let rendered = if rendered.is_empty() { EMPTY_RESOURCE.to_vec() } else { rendered };
            schema_url.map(|schema_url| finish_resource(rendered, &schema_url))
        });
        self.assembler.end_group(group, self.bounded(resource), notes, &labels)
    }

    fn scope(
        &mut self,
        cursor: &mut Cursor<'_>,
        group: &mut Group,
        signal: Signal,
        index: usize,
    ) -> Result<(), Refusal> {
        open_object(cursor)?;
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
                    each(cursor, |cursor, index| self.record(cursor, group, signal, index))
                        .map_err(|refusal| refusal.within(signal.records()))?;
                }
                _ => {
                    notes.unknown_fields += 1;
                    cursor.skip()?;
                }
            }
        }
        if part.before.is_empty() {
            part = ScopePart::empty();
        }
        let rendered = match fault {
            Some(fault) => Err(fault),
            None => schema_url.map(|schema_url| part.finish(&schema_url)),
        };
        group.end_scope(index, self.bounded(rendered), notes);
        Ok(())
    }

    /// Reads one record. One that is wrong is skipped, and the next is read.
    fn record(
        &mut self,
        cursor: &mut Cursor<'_>,
        group: &mut Group,
        signal: Signal,
        index: usize,
    ) -> Result<(), Refusal> {
        self.assembler.count_record()?;
        let (start, arena_start) = (cursor.position(), group.arena.len());
        let read = match signal {
            Signal::Traces => self.records.span(cursor, &mut group.arena),
            Signal::Logs => self.records.log(cursor, &mut group.arena),
        };
        let too_large = cursor.position() - start > self.settings.bounds.record_bytes_max;
        let fault = match read {
            Ok(staged) if !too_large => {
                group.accept(index, staged);
                return Ok(());
            }
            Ok(_) => Fault::new(FaultCode::RecordTooLarge),
            Err(Stop::Record(fault)) => fault,
            // What the strict parser cannot read may still be skipped: the records behind it are good.
            Err(Stop::Body(malformed)) => return Err(malformed.into()),
        };
        group.arena.truncate(arena_start);
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

    fn bounded(&self, rendered: Rendered) -> Rendered {
        rendered.and_then(|rendered| {
            if rendered.len() > self.settings.bounds.record_bytes_max {
                return Err(Fault::new(FaultCode::RecordTooLarge));
            }
            Ok(rendered)
        })
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
