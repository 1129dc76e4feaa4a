//! Spans, log records, resources and scopes as prost decodes them, rendered as those that came as JSON are.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};

use crate::fault::{Fault, FaultCode};
use crate::note::{Note, Notes};
use crate::record::{
    EventFields, LinkFields, LogFields, Pieces, ScopePart, SpanFields, Staged, write_count,
};
use crate::render::{Fate, Level, Renderer, SHOW, STATUS_MESSAGE};

/// What one step of rendering gives.
type Rendering<T> = Result<T, Fault>;

/// Renders the records of one body.
pub(super) struct Records<'s> {
    pub(super) renderer: Renderer<'s>,
    /// What becomes of log bodies.
    pub(super) body_fate: Fate<'s>,
    pieces: Pieces,
    notes: Notes,
}

impl<'s> Records<'s> {
    pub(super) fn new(renderer: Renderer<'s>, body_fate: Fate<'s>) -> Self {
        Self { renderer, body_fate, pieces: Pieces::default(), notes: Notes::default() }
    }

    fn begin(&mut self) {
        self.renderer.reset();
        self.pieces.clear();
        self.notes = Notes::default();
    }

    /// Renders a span.
    pub(super) fn span(&mut self, span: &Span, out: &mut Vec<u8>) -> Rendering<Staged> {
        self.begin();
        out.extend_from_slice(b"{\"attributes\":");
        self.attributes(&span.attributes, Level::OWN, SHOW, out)?;
        self.events(&span.events).map_err(|fault| fault.within("events"))?;
        self.links(&span.links).map_err(|fault| fault.within("links"))?;
        text(&mut self.renderer, &span.name, &mut self.pieces.name);
        text(&mut self.renderer, &span.trace_state, &mut self.pieces.trace_state);
        let status = span.status.clone().unwrap_or_default();
        if !status.message.is_empty() {
            self.renderer.named_text(STATUS_MESSAGE, &status.message, &mut self.pieces.message);
        }
        let fields = SpanFields {
            trace_id: required(&span.trace_id, FaultCode::TraceId, "traceId")?,
            span_id: required(&span.span_id, FaultCode::SpanId, "spanId")?,
            parent_span_id: match &*span.parent_span_id {
                [] => None,
                id => Some(required(id, FaultCode::SpanId, "parentSpanId")?)
                    .filter(|id| *id != [0; 8]),
            },
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            kind: span.kind,
            flags: span.flags,
            status: status.code,
            dropped_attributes: span.dropped_attributes_count,
            dropped_events: span.dropped_events_count,
            dropped_links: span.dropped_links_count,
        };
        fields.stage(&self.pieces, self.notes, out)
    }

    /// Renders a log record.
    pub(super) fn log(&mut self, log: &LogRecord, out: &mut Vec<u8>) -> Rendering<Staged> {
        self.begin();
        out.extend_from_slice(b"{\"attributes\":");
        self.attributes(&log.attributes, Level::OWN, SHOW, out)?;
        if let Some(body) = &log.body {
            let mut rendered = b"{".to_vec();
            self.value(body, Level::PART, self.body_fate, &mut rendered)
                .map_err(|it| it.within("body"))?;
            rendered.push(b'}');
            self.pieces.body = rendered;
        }
        text(&mut self.renderer, &log.severity_text, &mut self.pieces.severity_text);
        text(&mut self.renderer, &log.event_name, &mut self.pieces.name);
        let fields = LogFields {
            trace_id: optional(&log.trace_id, Note::TraceIdInvalid, &mut self.notes),
            span_id: optional(&log.span_id, Note::SpanIdInvalid, &mut self.notes),
            time: log.time_unix_nano,
            observed_time: log.observed_time_unix_nano,
            severity: log.severity_number,
            flags: log.flags,
            dropped_attributes: log.dropped_attributes_count,
        };
        fields.stage(&self.pieces, self.notes, out)
    }

    /// Renders a resource but for its schema.
    pub(super) fn resource(&mut self, resource: &Resource, out: &mut Vec<u8>) -> Rendering<Notes> {
        self.begin();
        out.extend_from_slice(b"{\"attributes\":");
        self.attributes(&resource.attributes, Level::OWN, SHOW, out)?;
        write_count(resource.dropped_attributes_count, out);
        Ok(self.notes)
    }

    /// Renders what stands before and after a scope's schema.
    pub(super) fn scope(
        &mut self,
        scope: &InstrumentationScope,
        out: &mut ScopePart,
    ) -> Rendering<Notes> {
        self.begin();
        out.before.extend_from_slice(b"{\"attributes\":");
        self.attributes(&scope.attributes, Level::PART, SHOW, &mut out.before)?;
        write_count(scope.dropped_attributes_count, &mut out.before);
        let mut name = Vec::new();
        text(&mut self.renderer, &scope.name, &mut name);
        text(&mut self.renderer, &scope.version, &mut out.version);
        out.write_name(&name);
        Ok(self.notes)
    }

    fn events(&mut self, events: &[Event]) -> Rendering<()> {
        if events.len() > self.renderer.bounds.events_max {
            return Err(FaultCode::TooManyEvents.into());
        }
        let mut out = std::mem::take(&mut self.pieces.events);
        for (index, event) in events.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"[" } else { b"," });
            self.event(event, &mut out).map_err(|fault| fault.within(index))?;
        }
        if !events.is_empty() {
            out.push(b']');
        }
        self.pieces.events = out;
        Ok(())
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Rendering<()> {
        out.extend_from_slice(b"{\"attributes\":");
        self.attributes(&event.attributes, Level::PART, SHOW, out)?;
        let mut name = Vec::new();
        text(&mut self.renderer, &event.name, &mut name);
        let fields = EventFields {
            time: event.time_unix_nano,
            dropped_attributes: event.dropped_attributes_count,
        };
        fields.write(&name, out);
        Ok(())
    }

    fn links(&mut self, links: &[Link]) -> Rendering<()> {
        if links.len() > self.renderer.bounds.links_max {
            return Err(FaultCode::TooManyLinks.into());
        }
        let mut out = std::mem::take(&mut self.pieces.links);
        for (index, link) in links.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"[" } else { b"," });
            self.link(link, &mut out).map_err(|fault| fault.within(index))?;
        }
        if !links.is_empty() {
            out.push(b']');
        }
        self.pieces.links = out;
        Ok(())
    }

    fn link(&mut self, link: &Link, out: &mut Vec<u8>) -> Rendering<()> {
        out.extend_from_slice(b"{\"attributes\":");
        self.attributes(&link.attributes, Level::PART, SHOW, out)?;
        let mut trace_state = Vec::new();
        text(&mut self.renderer, &link.trace_state, &mut trace_state);
        let fields = LinkFields {
            trace_id: required(&link.trace_id, FaultCode::TraceId, "traceId")?,
            span_id: required(&link.span_id, FaultCode::SpanId, "spanId")?,
            flags: link.flags,
            dropped_attributes: link.dropped_attributes_count,
        };
        fields.write(&trace_state, out)
    }

    fn attributes(
        &mut self,
        attributes: &[KeyValue],
        level: Level,
        outer: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Rendering<()> {
        let within = |fault: Fault, index: usize| match level.depth {
            0 => fault.within(index).within("attributes"),
            _ => fault.within(index),
        };
        let mut list = self.renderer.open_list(level, out);
        for (index, attribute) in attributes.iter().enumerate() {
            if attribute.key.is_empty() {
                self.notes.add(Note::AttributeKeyEmpty);
            }
            let (fate, _) = self
                .renderer
                .open_attribute(&mut list, &attribute.key, outer, out)
                .map_err(|fault| within(fault, index))?;
            let start = out.len();
            match &attribute.value {
                Some(value) => self
                    .value(value, level, fate, out)
                    .map_err(|fault| within(fault.within("value"), index))?,
                None => self.renderer.empty(out),
            }
            self.renderer.note_pair(&mut list, fate, index, start..out.len());
            out.push(b'}');
        }
        if let Some(again) = self.renderer.settle(&mut list, out)
            && let Some(value) = attributes.get(again.place).and_then(|it| it.value.as_ref())
        {
            let mut removed = Vec::new();
            self.value(value, level, again.fate, &mut removed)?;
            out.splice(again.rendered, removed);
        }
        self.renderer.close_list(&list, out);
        Ok(())
    }

    fn value(
        &mut self,
        value: &AnyValue,
        level: Level,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Rendering<()> {
        match &value.value {
            // Indexes into a table that only profiles have.
            None | Some(Value::StringValueStrindex(_)) => self.renderer.empty(out),
            Some(Value::StringValue(text)) => self.renderer.string(text, fate, out),
            Some(Value::BoolValue(value)) => self.renderer.boolean(*value, fate, out),
            Some(Value::IntValue(value)) => self.renderer.integer(*value, fate, out),
            Some(Value::DoubleValue(value)) => self.renderer.double(*value, fate, out),
            Some(Value::BytesValue(bytes)) => self.renderer.bytes(bytes, fate, out),
            Some(Value::ArrayValue(array)) => {
                self.check_depth(level)?;
                let (start, inner) = self.renderer.open_nested("array", fate, out);
                self.items(&array.values, level.deeper(), inner, out)
                    .map_err(|fault| fault.within("arrayValue/values"))?;
                self.renderer.close_nested(start, fate, out);
            }
            Some(Value::KvlistValue(list)) => {
                self.check_depth(level)?;
                let (start, inner) = self.renderer.open_nested("kvlist", fate, out);
                self.attributes(&list.values, level.deeper(), inner, out)
                    .map_err(|fault| fault.within("kvlistValue/values"))?;
                self.renderer.close_nested(start, fate, out);
            }
        }
        Ok(())
    }

    fn check_depth(&self, level: Level) -> Rendering<()> {
        if level.depth >= self.renderer.bounds.depth_max {
            return Err(FaultCode::TooDeep.into());
        }
        Ok(())
    }

    fn items(
        &mut self,
        items: &[AnyValue],
        level: Level,
        fate: Fate<'s>,
        out: &mut Vec<u8>,
    ) -> Rendering<()> {
        if items.len() > self.renderer.bounds.array_items_max {
            return Err(FaultCode::ArrayTooLong.into());
        }
        out.push(b'[');
        let mut announced = None;
        for (index, item) in items.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"{" } else { b",{" });
            let fate = fate.of_item(announced);
            self.value(item, level, fate, out).map_err(|fault| fault.within(index))?;
            announced = self.renderer.announced.take();
            out.push(b'}');
        }
        out.push(b']');
        Ok(())
    }
}

/// Renders a text, and nothing where there is none, as protobuf leaves it out.
fn text(renderer: &mut Renderer<'_>, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        renderer.text(text, out);
    }
}

/// The id that must be there.
fn required<const N: usize>(
    bytes: &[u8],
    code: FaultCode,
    member: &'static str,
) -> Rendering<[u8; N]> {
    bytes.try_into().map_err(|_| Fault::new(code).within(member))
}

/// The id that a log record need not have: one that is wrong is noted and left out.
fn optional<const N: usize>(bytes: &[u8], note: Note, notes: &mut Notes) -> Option<[u8; N]> {
    let id = bytes.try_into().ok().filter(|id| *id != [0; N]);
    if id.is_none() && !bytes.is_empty() {
        notes.add(note);
    }
    id
}
