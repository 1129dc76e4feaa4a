//! A record between its format and its envelope: what both formats read, written in canonical order.
//!
//! JSON and protobuf fill the same fields, so that a span has one payload, and with it one id, whichever it came as.

use recorder_core::hash::encode_hex_into;
use recorder_core::time::UtcTimestamp;

use crate::fault::{Fault, FaultCode};
use crate::keys::Label;
use crate::note::{Note, Notes};
use crate::render::{Labels, write_integer, write_u64_string};

/// Bytes of a trace id.
pub(crate) const TRACE_ID_BYTES: usize = 16;

/// Bytes of a span id.
pub(crate) const SPAN_ID_BYTES: usize = 8;

/// The id of a trace.
pub(crate) type TraceIdBytes = [u8; TRACE_ID_BYTES];

/// The id of a span.
pub(crate) type SpanIdBytes = [u8; SPAN_ID_BYTES];

/// The id of a trace as JSON: hex digits in quotes.
pub(crate) type TraceIdText = [u8; 2 * TRACE_ID_BYTES + 2];

/// The id of a span as JSON.
pub(crate) type SpanIdText = [u8; 2 * SPAN_ID_BYTES + 2];

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// Digits of the longest unsigned integer of 64 bits.
const DECIMAL_DIGITS_MAX: usize = 20;

/// An integer as JSON spells one of 64 bits: decimal digits in quotes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Decimal {
    text: [u8; DECIMAL_DIGITS_MAX + 2],
    length: u8,
}

impl Decimal {
    fn new(value: u64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value).as_bytes();
        let mut text = [b'"'; DECIMAL_DIGITS_MAX + 2];
        if let Some(place) = text.get_mut(1..=digits.len()) {
            place.copy_from_slice(digits);
        }
        Self { text, length: digits.len() as u8 + 2 }
    }

    /// The text, quotes included.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Bytes as JSON: hex digits in quotes.
fn hex_text<const BYTES: usize, const TEXT: usize>(bytes: &[u8; BYTES]) -> [u8; TEXT] {
    let mut text = [b'"'; TEXT];
    if let Some(digits) = text.get_mut(1..=2 * BYTES) {
        encode_hex_into(bytes, digits);
    }
    text
}

/// A record that was read.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) claimed_time: UtcTimestamp,
    pub(crate) identity: Identity,
    pub(crate) trace_id: Option<TraceIdText>,
    pub(crate) notes: Notes,
}

/// What tells a record from others, beside its trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Identity {
    Span { span_id: SpanIdText, start: Decimal, end: Decimal },
    Log { severity: Severity },
}

/// The severity of a log record, by its number alone: texts contradict it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Severity {
    Unspecified,
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Severity {
    /// Every severity, in order, with the event type of its records.
    pub(crate) const ALL: [(Self, &'static str); 7] = [
        (Self::Unspecified, "otel.log.unspecified"),
        (Self::Trace, "otel.log.trace"),
        (Self::Debug, "otel.log.debug"),
        (Self::Info, "otel.log.info"),
        (Self::Warn, "otel.log.warn"),
        (Self::Error, "otel.log.error"),
        (Self::Fatal, "otel.log.fatal"),
    ];

    fn of(number: i32, notes: &mut Notes) -> Self {
        match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            0 => Self::Unspecified,
            _ => {
                notes.add(Note::SeverityOutOfRange);
                Self::Unspecified
            }
        }
    }
}

/// Rendered pieces of the record at hand, kept apart because they arrive in another order than they are written in.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) events: Vec<u8>,
    pub(crate) links: Vec<u8>,
    pub(crate) name: Vec<u8>,
    pub(crate) message: Vec<u8>,
    pub(crate) trace_state: Vec<u8>,
    /// The body of a log record.
    pub(crate) body: Vec<u8>,
    pub(crate) severity_text: Vec<u8>,
}

impl Pieces {
    /// Empties all of them.
    pub(crate) fn clear(&mut self) {
        let Self { events, links, name, message, trace_state, body, severity_text } = self;
        for piece in [events, links, name, message, trace_state, body, severity_text] {
            piece.clear();
        }
    }
}

/// The fields of a span that are no text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpanFields {
    pub(crate) trace_id: TraceIdBytes,
    pub(crate) span_id: SpanIdBytes,
    pub(crate) parent_span_id: Option<SpanIdBytes>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) kind: i32,
    pub(crate) flags: u32,
    pub(crate) status: i32,
    pub(crate) dropped_attributes: u32,
    pub(crate) dropped_events: u32,
    pub(crate) dropped_links: u32,
}

impl SpanFields {
    /// Checks what makes a span one, and notes what is odd.
    fn check(&self, notes: &mut Notes) -> Result<UtcTimestamp, Fault> {
        if self.trace_id == [0; TRACE_ID_BYTES] {
            return Err(Fault::new(FaultCode::TraceId).within("traceId"));
        }
        if self.span_id == [0; SPAN_ID_BYTES] {
            return Err(Fault::new(FaultCode::SpanId).within("spanId"));
        }
        if self.start == 0 {
            return Err(Fault::new(FaultCode::StartMissing).within("startTimeUnixNano"));
        }
        if self.end < self.start {
            notes.add(Note::EndBeforeStart);
        }
        claimed_time(self.start, notes)
    }

    /// Checks and ends a span of which `{"attributes":[…]` is written.
    pub(crate) fn stage(
        &self,
        pieces: &Pieces,
        mut notes: Notes,
        out: &mut Vec<u8>,
    ) -> Result<Staged, Fault> {
        let claimed_time = self.check(&mut notes)?;
        if matches!(&*pieces.name, b"" | b"\"\"") {
            notes.add(Note::NameEmpty);
        }
        let trace_id = hex_text(&self.trace_id);
        let span_id = hex_text(&self.span_id);
        let (start, end) = (Decimal::new(self.start), Decimal::new(self.end));
        self.write(pieces, (&trace_id, &span_id), (&start, &end), out);
        Ok(Staged {
            claimed_time,
            identity: Identity::Span { span_id, start, end },
            trace_id: Some(trace_id),
            notes,
        })
    }

    fn write(
        &self,
        pieces: &Pieces,
        (trace_id, span_id): (&TraceIdText, &SpanIdText),
        (start, end): (&Decimal, &Decimal),
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b",\"dropped_attributes_count\":");
        write_integer(self.dropped_attributes.into(), out);
        out.extend_from_slice(b",\"dropped_events_count\":");
        write_integer(self.dropped_events.into(), out);
        out.extend_from_slice(b",\"dropped_links_count\":");
        write_integer(self.dropped_links.into(), out);
        out.extend_from_slice(b",\"end_time_unix_nano\":");
        out.extend_from_slice(end.as_bytes());
        write_list(b",\"events\":", &pieces.events, out);
        out.extend_from_slice(b",\"flags\":");
        write_integer(self.flags.into(), out);
        out.extend_from_slice(b",\"kind\":");
        write_integer(self.kind.into(), out);
        out.extend_from_slice(b",\"kind_name\":\"");
        out.extend_from_slice(kind_name(self.kind).as_bytes());
        out.push(b'"');
        write_list(b",\"links\":", &pieces.links, out);
        write_text(b",\"name\":", &pieces.name, out);
        out.extend_from_slice(b",\"parent_span_id\":");
        write_hex_or_null(self.parent_span_id.as_ref().map(|id| &id[..]), out);
        out.extend_from_slice(b",\"span_id\":");
        out.extend_from_slice(span_id);
        out.extend_from_slice(b",\"start_time_unix_nano\":");
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(b",\"status\":{\"code\":");
        write_integer(self.status.into(), out);
        out.extend_from_slice(b",\"code_name\":\"");
        out.extend_from_slice(status_name(self.status).as_bytes());
        write_text(b"\",\"message\":", &pieces.message, out);
        out.extend_from_slice(b"},\"trace_id\":");
        out.extend_from_slice(trace_id);
        write_text(b",\"trace_state\":", &pieces.trace_state, out);
        out.push(b'}');
    }
}

/// The fields of a log record that are no text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogFields {
    pub(crate) trace_id: Option<TraceIdBytes>,
    pub(crate) span_id: Option<SpanIdBytes>,
    pub(crate) time: u64,
    pub(crate) observed_time: u64,
    pub(crate) severity: i32,
    pub(crate) flags: u32,
    pub(crate) dropped_attributes: u32,
}

impl LogFields {
    /// The time that the record claims, and its severity; notes what is odd.
    fn check(&self, notes: &mut Notes) -> Result<(UtcTimestamp, Severity), Fault> {
        let severity = Severity::of(self.severity, notes);
        let time = match (self.time, self.observed_time) {
            (0, 0) => {
                notes.add(Note::TimeMissing);
                return Ok((UtcTimestamp::EPOCH, severity));
            }
            (0, observed) => {
                notes.add(Note::TimeObserved);
                observed
            }
            (time, _) => time,
        };
        Ok((claimed_time(time, notes)?, severity))
    }

    /// Checks and ends a log record of which `{"attributes":[…]` is written.
    pub(crate) fn stage(
        &self,
        pieces: &Pieces,
        mut notes: Notes,
        out: &mut Vec<u8>,
    ) -> Result<Staged, Fault> {
        let (claimed_time, severity) = self.check(&mut notes)?;
        self.write(pieces, out);
        Ok(Staged {
            claimed_time,
            identity: Identity::Log { severity },
            trace_id: self.trace_id.as_ref().map(hex_text),
            notes,
        })
    }

    fn write(&self, pieces: &Pieces, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"body\":");
        match pieces.body.is_empty() {
            true => out.extend_from_slice(b"{\"type\":\"empty\",\"value\":null}"),
            false => out.extend_from_slice(&pieces.body),
        }
        out.extend_from_slice(b",\"dropped_attributes_count\":");
        write_integer(self.dropped_attributes.into(), out);
        write_text(b",\"event_name\":", &pieces.name, out);
        out.extend_from_slice(b",\"flags\":");
        write_integer(self.flags.into(), out);
        out.extend_from_slice(b",\"observed_time_unix_nano\":");
        write_u64_string(self.observed_time, out);
        out.extend_from_slice(b",\"severity_number\":");
        write_integer(self.severity.into(), out);
        write_text(b",\"severity_text\":", &pieces.severity_text, out);
        out.extend_from_slice(b",\"span_id\":");
        write_hex_or_null(self.span_id.as_ref().map(|id| &id[..]), out);
        out.extend_from_slice(b",\"time_unix_nano\":");
        write_u64_string(self.time, out);
        out.extend_from_slice(b",\"trace_id\":");
        write_hex_or_null(self.trace_id.as_ref().map(|id| &id[..]), out);
        out.push(b'}');
    }
}

/// One event of a span, its attributes apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventFields {
    pub(crate) time: u64,
    pub(crate) dropped_attributes: u32,
}

impl EventFields {
    /// Ends an event of which `{"attributes":[…]` is written.
    pub(crate) fn write(&self, name: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"dropped_attributes_count\":");
        write_integer(self.dropped_attributes.into(), out);
        write_text(b",\"name\":", name, out);
        out.extend_from_slice(b",\"time_unix_nano\":");
        write_u64_string(self.time, out);
        out.push(b'}');
    }
}

/// One link of a span, its attributes apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LinkFields {
    pub(crate) trace_id: TraceIdBytes,
    pub(crate) span_id: SpanIdBytes,
    pub(crate) flags: u32,
    pub(crate) dropped_attributes: u32,
}

impl LinkFields {
    /// Checks that it points somewhere, and ends a link of which `{"attributes":[…]` is written.
    pub(crate) fn write(&self, trace_state: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.trace_id == [0; TRACE_ID_BYTES] {
            return Err(Fault::new(FaultCode::TraceId).within("traceId"));
        }
        if self.span_id == [0; SPAN_ID_BYTES] {
            return Err(Fault::new(FaultCode::SpanId).within("spanId"));
        }
        out.extend_from_slice(b",\"dropped_attributes_count\":");
        write_integer(self.dropped_attributes.into(), out);
        out.extend_from_slice(b",\"flags\":");
        write_integer(self.flags.into(), out);
        out.extend_from_slice(b",\"span_id\":");
        write_hex(&self.span_id, out);
        out.extend_from_slice(b",\"trace_id\":");
        write_hex(&self.trace_id, out);
        write_text(b",\"trace_state\":", trace_state, out);
        out.push(b'}');
        Ok(())
    }
}

/// The session that attributes name: a conversation before a session before a connection.
pub(crate) fn session_of(labels: &Labels) -> Option<&str> {
    [Label::Conversation, Label::Session, Label::McpSession]
        .into_iter()
        .find_map(|label| labels.find(label))
}

fn claimed_time(nanoseconds: u64, notes: &mut Notes) -> Result<UtcTimestamp, Fault> {
    if i64::try_from(nanoseconds).is_err() {
        notes.add(Note::TimeBeyond2262);
    }
    // 64 bits of nanoseconds end in the year 2554, which every timestamp can hold.
    let seconds = i64::try_from(nanoseconds / NANOSECONDS_PER_SECOND).unwrap_or(i64::MAX);
    let rest = (nanoseconds % NANOSECONDS_PER_SECOND) as u32;
    UtcTimestamp::new(seconds, rest).map_err(|_| Fault::new(FaultCode::Time))
}

/// The name of a span kind (`SpanKind`).
pub(crate) const fn kind_name(kind: i32) -> &'static str {
    match kind {
        0 => "unspecified",
        1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unknown",
    }
}

/// The name of a status code (`Status.StatusCode`).
pub(crate) const fn status_name(code: i32) -> &'static str {
    match code {
        0 => "unset",
        1 => "ok",
        2 => "error",
        _ => "unknown",
    }
}

/// Writes a rendered text, or the empty string where there is none.
fn write_text(member: &[u8], rendered: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(member);
    out.extend_from_slice(if rendered.is_empty() { b"\"\"" } else { rendered });
}

/// Writes a rendered list, or the empty one where there is none.
fn write_list(member: &[u8], rendered: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(member);
    out.extend_from_slice(if rendered.is_empty() { b"[]" } else { rendered });
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    encode_hex_into(bytes, out.get_mut(start..).unwrap_or_default());
    out.push(b'"');
}

fn write_hex_or_null(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        Some(bytes) => write_hex(bytes, out),
        None => out.extend_from_slice(b"null"),
    }
}

/// Continues a resource or a scope of which `{"attributes":[…]` is written.
pub(crate) fn write_count(dropped_attributes: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"dropped_attributes_count\":");
    write_integer(dropped_attributes.into(), out);
}

/// A scope but for its schema, which stands between its name and its version and arrives after both.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScopePart {
    /// `{"attributes":[…],"dropped_attributes_count":N,"name":"…"`.
    pub(crate) before: Vec<u8>,
    /// The rendered version; empty where there is none.
    pub(crate) version: Vec<u8>,
}

impl ScopePart {
    /// A scope that nothing is said of.
    pub(crate) fn empty() -> Self {
        let mut part = Self { before: b"{\"attributes\":[]".to_vec(), version: Vec::new() };
        write_count(0, &mut part.before);
        part.write_name(&[]);
        part
    }

    /// Adds the name behind the count.
    pub(crate) fn write_name(&mut self, name: &[u8]) {
        write_text(b",\"name\":", name, &mut self.before);
    }

    /// The whole scope.
    pub(crate) fn finish(mut self, schema_url: &[u8]) -> Vec<u8> {
        write_text(b",\"schema_url\":", schema_url, &mut self.before);
        write_text(b",\"version\":", &self.version, &mut self.before);
        self.before.push(b'}');
        self.before
    }
}

/// A resource but for its schema, to be ended with it.
pub(crate) fn finish_resource(mut resource: Vec<u8>, schema_url: &[u8]) -> Vec<u8> {
    write_text(b",\"schema_url\":", schema_url, &mut resource);
    resource.push(b'}');
    resource
}
