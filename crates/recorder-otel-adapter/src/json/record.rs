//! Spans, log records, resources and scopes as JSON, each by a parser that takes what proto3 JSON allows and no more.

use super::cursor::{Cursor, Kind};
use super::integer;
use super::order::{Behind, Members};
use super::value::{Read, Values, expect_object};
use crate::fault::FaultCode;
use crate::note::{Note, Notes};
use crate::record::{
    EventFields, LinkFields, LogFields, Pieces, SPAN_ID_BYTES, ScopePart, SpanFields, SpanIdBytes,
    Staged, TraceIdBytes, write_count,
};
use crate::render::{Fate, Level, Renderer, SHOW, STATUS_MESSAGE};

/// Names the members of a message, each by the variant that stands for it.
macro_rules! members {
    ($name:ident { $($variant:ident $bytes:literal $text:literal,)* }) => {
        #[derive(Clone, Copy)]
        enum $name {
            $($variant,)*
        }

        impl Members for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            #[inline]
            fn place(self) -> u8 {
                self as u8
            }

            #[inline(always)]
            fn take(self, cursor: &mut Cursor<'_>) -> bool {
                match self {
                    $(Self::$variant => cursor.take_text(concat!("\"", $text, "\":")),)*
                }
            }
        }

        impl $name {
            fn of(name: &[u8]) -> Option<Self> {
                match name {
                    $($bytes => Some(Self::$variant),)*
                    _ => None,
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Refuses a member that stands twice; `seen` has a bit for each.
            #[inline]
            fn once(self, seen: &mut u32) -> Result<(), FaultCode> {
                let bit = 1 << self as u32;
                if *seen & bit != 0 {
                    return Err(FaultCode::MemberRepeated);
                }
                *seen |= bit;
                Ok(())
            }
        }
    };
}

members!(SpanMember {
    TraceId b"traceId" "traceId",
    SpanId b"spanId" "spanId",
    TraceState b"traceState" "traceState",
    ParentSpanId b"parentSpanId" "parentSpanId",
    Flags b"flags" "flags",
    Name b"name" "name",
    Kind b"kind" "kind",
    Start b"startTimeUnixNano" "startTimeUnixNano",
    End b"endTimeUnixNano" "endTimeUnixNano",
    Attributes b"attributes" "attributes",
    DroppedAttributes b"droppedAttributesCount" "droppedAttributesCount",
    Events b"events" "events",
    DroppedEvents b"droppedEventsCount" "droppedEventsCount",
    Links b"links" "links",
    DroppedLinks b"droppedLinksCount" "droppedLinksCount",
    Status b"status" "status",
});

members!(StatusMember {
    Code b"code" "code",
    Message b"message" "message",
});

members!(EventMember {
    Time b"timeUnixNano" "timeUnixNano",
    Name b"name" "name",
    Attributes b"attributes" "attributes",
    DroppedAttributes b"droppedAttributesCount" "droppedAttributesCount",
});

members!(LinkMember {
    TraceId b"traceId" "traceId",
    SpanId b"spanId" "spanId",
    TraceState b"traceState" "traceState",
    Attributes b"attributes" "attributes",
    DroppedAttributes b"droppedAttributesCount" "droppedAttributesCount",
    Flags b"flags" "flags",
});

members!(LogMember {
    Time b"timeUnixNano" "timeUnixNano",
    ObservedTime b"observedTimeUnixNano" "observedTimeUnixNano",
    SeverityNumber b"severityNumber" "severityNumber",
    SeverityText b"severityText" "severityText",
    Body b"body" "body",
    Attributes b"attributes" "attributes",
    DroppedAttributes b"droppedAttributesCount" "droppedAttributesCount",
    Flags b"flags" "flags",
    TraceId b"traceId" "traceId",
    SpanId b"spanId" "spanId",
    EventName b"eventName" "eventName",
});

members!(ResourceMember {
    Attributes b"attributes" "attributes",
    DroppedAttributes b"droppedAttributesCount" "droppedAttributesCount",
});

members!(ScopeMember {
    Name b"name" "name",
    Version b"version" "version",
    Attributes b"attributes" "attributes",
    DroppedAttributes b"droppedAttributesCount" "droppedAttributesCount",
});

/// Goes through the members of an object: `$body` reads the value of each known one, the others are counted. `$order` is where
/// the order of this message's members is remembered.
macro_rules! for_members {
    ($values:ident.$order:ident, $cursor:ident, $members:ident, |$member:ident| $body:expr) => {
        expect_object($cursor)?;
        let (mut seen, mut first, mut behind) = (0, true, Behind::default());
        while !$cursor.take(b"}") {
            let expected = $values.orders.$order.take(behind, first, $cursor);
            let $member: $members = match expected {
                Some(member) => member,
                None => {
                    let Some(name) = $cursor.member(first)? else { break };
                    first = false;
                    let Some(member) = $members::of($values.name(name)?) else {
                        $values.unknown($cursor)?;
                        continue;
                    };
                    $values.orders.$order.learn(behind, member);
                    member
                }
            };
            (first, behind) = (false, Behind::of($member));
            $member.once(&mut seen)?;
            let read: Read<()> = $body;
            read.map_err(|stop| stop.within($member.text()))?;
        }
    };
}

/// Reads the records of one body.
pub(super) struct Records<'s> {
    pub(super) values: Values<'s>,
    /// What becomes of log bodies.
    pub(super) body_fate: Fate<'s>,
    pieces: Pieces,
}

impl<'s> Records<'s> {
    pub(super) fn new(renderer: Renderer<'s>, body_fate: Fate<'s>) -> Self {
        Self { values: Values::new(renderer), body_fate, pieces: Pieces::default() }
    }

    fn begin(&mut self) -> (&mut Values<'s>, &mut Pieces) {
        self.values.reset();
        self.pieces.clear();
        (&mut self.values, &mut self.pieces)
    }

    /// Reads a span and renders it.
    pub(super) fn span(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<Staged> {
        let (values, pieces) = self.begin();
        let fields = values.span(cursor, pieces, out)?;
        Ok(fields.stage(pieces, values.notes, out)?)
    }

    /// Reads a log record and renders it.
    pub(super) fn log(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<Staged> {
        let body_fate = self.body_fate;
        let (values, pieces) = self.begin();
        let fields = values.log(cursor, body_fate, pieces, out)?;
        Ok(fields.stage(pieces, values.notes, out)?)
    }

    /// Reads a resource and renders it but for its schema.
    pub(super) fn resource(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<Notes> {
        let (values, _) = self.begin();
        let mut dropped = 0;
        let empty = values.open_record(out);
        for_members!(values.resource, cursor, ResourceMember, |member| match member {
            ResourceMember::Attributes => values.attributes(cursor, Level::OWN, SHOW, out),
            ResourceMember::DroppedAttributes => values.u32(cursor, &mut dropped),
        });
        close_attributes(empty, out);
        write_count(dropped, out);
        Ok(values.notes)
    }

    /// Reads the address of a schema and renders it.
    pub(super) fn schema_url(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<()> {
        self.begin().0.text(cursor, out)
    }

    /// Reads a scope: what stands before and after its schema.
    pub(super) fn scope(&mut self, cursor: &mut Cursor<'_>, out: &mut ScopePart) -> Read<Notes> {
        let (values, _) = self.begin();
        let mut dropped = 0;
        let ScopePart { before, version } = out;
        let empty = values.open_record(before);
        let mut name = Vec::new();
        for_members!(values.scope, cursor, ScopeMember, |member| match member {
            ScopeMember::Name => values.text(cursor, &mut name),
            ScopeMember::Version => values.text(cursor, version),
            ScopeMember::Attributes => values.attributes(cursor, Level::PART, SHOW, before),
            ScopeMember::DroppedAttributes => values.u32(cursor, &mut dropped),
        });
        close_attributes(empty, before);
        write_count(dropped, before);
        out.write_name(&name);
        Ok(values.notes)
    }
}

/// Writes the empty list where no attributes came.
fn close_attributes(empty: usize, out: &mut Vec<u8>) {
    if out.len() == empty {
        out.extend_from_slice(b"[]");
    }
}

impl<'s> Values<'s> {
    /// Writes `{"attributes":` and gives where the list begins.
    fn open_record(&mut self, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"{\"attributes\":");
        out.len()
    }

    fn span(
        &mut self,
        cursor: &mut Cursor<'_>,
        pieces: &mut Pieces,
        out: &mut Vec<u8>,
    ) -> Read<SpanFields> {
        let mut span = SpanFields::default();
        let empty = self.open_record(out);
        for_members!(self.span, cursor, SpanMember, |member| match member {
            SpanMember::TraceId => self.id(cursor, FaultCode::TraceId, &mut span.trace_id),
            SpanMember::SpanId => self.id(cursor, FaultCode::SpanId, &mut span.span_id),
            SpanMember::TraceState => self.text(cursor, &mut pieces.trace_state),
            SpanMember::ParentSpanId => self.parent(cursor, &mut span.parent_span_id),
            SpanMember::Flags => self.u32(cursor, &mut span.flags),
            SpanMember::Name => self.text(cursor, &mut pieces.name),
            SpanMember::Kind => self.enumeration(cursor, &mut span.kind),
            SpanMember::Start => self.time(cursor, &mut span.start),
            SpanMember::End => self.time(cursor, &mut span.end),
            SpanMember::Attributes => self.attributes(cursor, Level::OWN, SHOW, out),
            SpanMember::DroppedAttributes => self.u32(cursor, &mut span.dropped_attributes),
            SpanMember::Events => self.events(cursor, &mut pieces.events),
            SpanMember::DroppedEvents => self.u32(cursor, &mut span.dropped_events),
            SpanMember::Links => self.links(cursor, &mut pieces.links),
            SpanMember::DroppedLinks => self.u32(cursor, &mut span.dropped_links),
            SpanMember::Status => self.status(cursor, &mut span.status, &mut pieces.message),
        });
        close_attributes(empty, out);
        Ok(span)
    }

    fn status(
        &mut self,
        cursor: &mut Cursor<'_>,
        code: &mut i32,
        message: &mut Vec<u8>,
    ) -> Read<()> {
        if self.is_unset(cursor)? {
            return Ok(());
        }
        for_members!(self.status, cursor, StatusMember, |member| match member {
            StatusMember::Code => self.enumeration(cursor, code),
            StatusMember::Message => self.status_message(cursor, message),
        });
        Ok(())
    }

    fn events(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<()> {
        let most = self.renderer.bounds.events_max;
        self.list(cursor, most, FaultCode::TooManyEvents, out, Self::event)
    }

    fn links(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<()> {
        let most = self.renderer.bounds.links_max;
        self.list(cursor, most, FaultCode::TooManyLinks, out, Self::link)
    }

    fn list(
        &mut self,
        cursor: &mut Cursor<'_>,
        most: usize,
        too_many: FaultCode,
        out: &mut Vec<u8>,
        read: impl Fn(&mut Self, &mut Cursor<'_>, &mut Vec<u8>) -> Read<()>,
    ) -> Read<()> {
        if self.is_unset(cursor)? {
            return Ok(());
        }
        expect_array(cursor)?;
        out.push(b'[');
        let mut index = 0;
        while cursor.item(index == 0)? {
            if index >= most {
                return Err(too_many.into());
            }
            if index > 0 {
                out.push(b',');
            }
            read(self, cursor, out).map_err(|stop| stop.within(index))?;
            index += 1;
        }
        out.push(b']');
        Ok(())
    }

    fn event(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<()> {
        let (mut event, mut name) = (EventFields::default(), Vec::new());
        let empty = self.open_record(out);
        for_members!(self.event, cursor, EventMember, |member| match member {
            EventMember::Time => self.time(cursor, &mut event.time),
            EventMember::Name => self.text(cursor, &mut name),
            EventMember::Attributes => self.attributes(cursor, Level::PART, SHOW, out),
            EventMember::DroppedAttributes => self.u32(cursor, &mut event.dropped_attributes),
        });
        close_attributes(empty, out);
        event.write(&name, out);
        Ok(())
    }

    fn link(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<()> {
        let (mut link, mut trace_state) = (LinkFields::default(), Vec::new());
        let empty = self.open_record(out);
        for_members!(self.link, cursor, LinkMember, |member| match member {
            LinkMember::TraceId => self.id(cursor, FaultCode::TraceId, &mut link.trace_id),
            LinkMember::SpanId => self.id(cursor, FaultCode::SpanId, &mut link.span_id),
            LinkMember::TraceState => self.text(cursor, &mut trace_state),
            LinkMember::Attributes => self.attributes(cursor, Level::PART, SHOW, out),
            LinkMember::DroppedAttributes => self.u32(cursor, &mut link.dropped_attributes),
            LinkMember::Flags => self.u32(cursor, &mut link.flags),
        });
        close_attributes(empty, out);
        Ok(link.write(&trace_state, out)?)
    }

    fn log(
        &mut self,
        cursor: &mut Cursor<'_>,
        body_fate: Fate<'s>,
        pieces: &mut Pieces,
        out: &mut Vec<u8>,
    ) -> Read<LogFields> {
        let mut log = LogFields::default();
        let empty = self.open_record(out);
        for_members!(self.log, cursor, LogMember, |member| match member {
            LogMember::Time => self.time(cursor, &mut log.time),
            LogMember::ObservedTime => self.time(cursor, &mut log.observed_time),
            LogMember::SeverityNumber => self.enumeration(cursor, &mut log.severity),
            LogMember::SeverityText => self.text(cursor, &mut pieces.severity_text),
            LogMember::Body => self.body(cursor, body_fate, &mut pieces.body),
            LogMember::Attributes => self.attributes(cursor, Level::OWN, SHOW, out),
            LogMember::DroppedAttributes => self.u32(cursor, &mut log.dropped_attributes),
            LogMember::Flags => self.u32(cursor, &mut log.flags),
            LogMember::TraceId => self.log_trace_id(cursor, &mut log.trace_id),
            LogMember::SpanId => self.log_span_id(cursor, &mut log.span_id),
            LogMember::EventName => self.text(cursor, &mut pieces.name),
        });
        close_attributes(empty, out);
        Ok(log)
    }

    fn body(&mut self, cursor: &mut Cursor<'_>, fate: Fate<'s>, out: &mut Vec<u8>) -> Read<()> {
        out.push(b'{');
        self.value(cursor, Level::PART, fate, out)?;
        out.push(b'}');
        Ok(())
    }

    /// Moves past `null`, which means that a field is unset; whether it stood here.
    fn is_unset(&mut self, cursor: &mut Cursor<'_>) -> Read<bool> {
        let unset = cursor.kind()? == Kind::Null;
        if unset {
            cursor.null()?;
        }
        Ok(unset)
    }

    /// Reads a text and renders it.
    fn text(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<()> {
        if self.is_unset(cursor)? {
            return Ok(());
        }
        let text = cursor.text(&mut self.scratch, self.bytes_max)?;
        self.renderer.text(text, out);
        Ok(())
    }

    fn status_message(&mut self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<()> {
        if self.is_unset(cursor)? {
            return Ok(());
        }
        let text = cursor.text(&mut self.scratch, self.bytes_max)?;
        self.renderer.named_text(STATUS_MESSAGE, text, out);
        Ok(())
    }

    /// Reads a time: digits, as a string or as a number.
    fn time(&mut self, cursor: &mut Cursor<'_>, out: &mut u64) -> Read<()> {
        // From the year 2001 to 2286.
        if let Some(time) = cursor.exactly(19, integer::digits_u64) {
            *out = time;
            return Ok(());
        }
        let digits = match cursor.kind()? {
            Kind::Null => return Ok(cursor.null()?),
            Kind::Number => cursor.number()?,
            Kind::String => cursor.text(&mut self.scratch, self.bytes_max)?,
            _ => return Err(FaultCode::WrongKind.into()),
        };
        *out = integer::digits_u64(digits.as_bytes()).ok_or(FaultCode::Time)?;
        Ok(())
    }

    fn u32(&mut self, cursor: &mut Cursor<'_>, out: &mut u32) -> Read<()> {
        if !self.is_unset(cursor)? {
            *out = u32::try_from(self.integer(cursor)?).map_err(|_| FaultCode::IntegerRange)?;
        }
        Ok(())
    }

    /// Reads an enumeration: an integer, never a name. Numbers that OTLP does not know are kept.
    fn enumeration(&mut self, cursor: &mut Cursor<'_>, out: &mut i32) -> Read<()> {
        match cursor.kind()? {
            Kind::Null => cursor.null()?,
            Kind::Number => {
                let value = self.integer(cursor)?;
                *out = i32::try_from(value).map_err(|_| FaultCode::IntegerRange)?;
            }
            _ => return Err(FaultCode::WrongKind.into()),
        }
        Ok(())
    }

    /// Reads hex digits of exactly these bytes; the empty string leaves `out` as it is.
    fn id<const N: usize>(
        &mut self,
        cursor: &mut Cursor<'_>,
        code: FaultCode,
        out: &mut [u8; N],
    ) -> Read<()> {
        if let Some(id) = cursor.exactly(2 * N, decode_id) {
            *out = id;
            return Ok(());
        }
        if self.is_unset(cursor)? {
            return Ok(());
        }
        let text = cursor.text(&mut self.scratch, self.bytes_max)?;
        *out = decode_id(text.as_bytes()).ok_or(code)?;
        Ok(())
    }

    /// Reads the parent's id. No id, or all zeros, is no parent.
    fn parent(&mut self, cursor: &mut Cursor<'_>, out: &mut Option<SpanIdBytes>) -> Read<()> {
        let mut id = SpanIdBytes::default();
        if let Some(parent) = cursor.exactly(2 * SPAN_ID_BYTES, decode_id) {
            id = parent;
        } else if self.is_unset(cursor)? {
            return Ok(());
        } else {
            let text = cursor.text(&mut self.scratch, self.bytes_max)?;
            if !text.is_empty() {
                id = decode_id(text.as_bytes()).ok_or(FaultCode::SpanId)?;
            }
        }
        *out = (id != SpanIdBytes::default()).then_some(id);
        Ok(())
    }

    fn log_trace_id(
        &mut self,
        cursor: &mut Cursor<'_>,
        out: &mut Option<TraceIdBytes>,
    ) -> Read<()> {
        self.optional_id(cursor, Note::TraceIdInvalid, out)
    }

    fn log_span_id(&mut self, cursor: &mut Cursor<'_>, out: &mut Option<SpanIdBytes>) -> Read<()> {
        self.optional_id(cursor, Note::SpanIdInvalid, out)
    }

    /// Reads an id that a log record need not have: one that is wrong is noted and left out.
    fn optional_id<const N: usize>(
        &mut self,
        cursor: &mut Cursor<'_>,
        note: Note,
        out: &mut Option<[u8; N]>,
    ) -> Read<()> {
        if self.is_unset(cursor)? {
            return Ok(());
        }
        let text = cursor.text(&mut self.scratch, self.bytes_max)?;
        *out = decode_id(text.as_bytes()).filter(|id| *id != [0; N]);
        if out.is_none() && !text.is_empty() {
            self.notes.add(note);
        }
        Ok(())
    }
}

fn expect_array(cursor: &mut Cursor<'_>) -> Read<()> {
    match cursor.kind()? {
        Kind::Array => {
            cursor.open();
            Ok(())
        }
        _ => Err(FaultCode::WrongKind.into()),
    }
}

/// The bytes of `2 × N` hex digits of either case.
fn decode_id<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let is_whole = digits.len() == 2 * N;
    (is_whole && faster_hex::hex_decode(digits, &mut bytes).is_ok()).then_some(bytes)
}
