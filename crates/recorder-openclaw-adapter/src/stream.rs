//! An input under way: lines out of whatever pieces come, each reported once, and what the lines say of one another.

use std::collections::BTreeMap;

use recorder_core::hash::sha256;
use recorder_core::identity::EnvironmentId;
use recorder_core::time::UtcTimestamp;
use recorder_envelope::adapter::{Anomaly, Event, Intake, Outcome, Policy, Refused};
use recorder_envelope::json::ObjectWriter;

use crate::connection::{Connection, Number, OPEN_MAX};
use crate::frame::{Frame, Kind, Step, UNNUMBERED, What};
use crate::ledger::{JOINED_MAX, Join, Row};
use crate::line::{self, Line, Source};
use crate::map::{Draft, Mapper, Rejected, hex, write_place};
use crate::{BOUNDS, Settings};

/// Connections whose state is held. The one that was quiet longest makes room, as if the input had ended for it.
pub(crate) const CONNECTIONS_MAX: usize = 64;

/// Bytes that a strict pass holds until it knows that nothing is wrong.
pub(crate) const STRICT_BYTES_MAX: usize = 256 << 20;

/// Bytes that an envelope takes besides its payload, its names and places in lists: small payloads are held in no less.
const EVENT_BYTES: usize = 1 << 10;

/// Names of what is open that an envelope lists; the rest are counted.
const OPEN_LISTED_MAX: usize = 16;

/// Maps one input, piece by piece. The pieces make no difference to what comes out.
#[derive(Debug)]
pub struct Stream<'s> {
    mapper: Mapper<'s>,
    intake: Intake,
    /// The line that has not ended yet, as much of it as may be one.
    partial: Vec<u8>,
    /// Bytes of that line in all.
    partial_bytes: u64,
    lines: u64,
    connections: BTreeMap<Source, Connection>,
    join: Join,
    has_ledger: bool,
    held_bytes: usize,
    /// When the last line was received that said so.
    received_at: UtcTimestamp,
}

impl<'s> Stream<'s> {
    /// Begins an input.
    pub fn new(settings: &Settings<'s>) -> Self {
        Self {
            mapper: Mapper::new(settings),
            intake: Intake::new(settings.policy),
            partial: Vec::new(),
            partial_bytes: 0,
            lines: 0,
            connections: BTreeMap::new(),
            join: Join::default(),
            has_ledger: false,
            held_bytes: 0,
            received_at: UtcTimestamp::EPOCH,
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.hold(piece);
            self.end_line();
        }
        self.hold(last);
    }

    /// Gives away the envelopes so far; none under `StrictFail`, where it is not yet known whether they may be recorded.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.intake.take_events()
    }

    /// Ends the input, and with it every connection.
    ///
    /// # Errors
    ///
    /// `Refused` under [`Policy::StrictFail`] names what is wrong.
    pub fn finish(mut self) -> Result<Outcome, Refused> {
        if self.partial_bytes > 0 {
            self.end_line();
        }
        for (source, connection) in std::mem::take(&mut self.connections) {
            self.close(&source, &connection);
        }
        self.compare_ledger();
        self.intake.finish()
    }

    /// Adds to the line that has not ended; what is over the bound is counted and forgotten.
    fn hold(&mut self, piece: &[u8]) {
        let room = (BOUNDS.record_bytes_max + 1).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.partial_bytes += piece.len() as u64;
    }

    fn end_line(&mut self) {
        self.lines += 1;
        let bytes = std::mem::take(&mut self.partial_bytes);
        let mut line = std::mem::take(&mut self.partial);
        self.line(line.strip_suffix(b"\r").unwrap_or(&line), bytes);
        // The memory serves the next line, unless this one was unusually long.
        line.clear();
        line.shrink_to(64 << 10);
        self.partial = line;
    }

    fn line(&mut self, line: &[u8], bytes: u64) {
        if line.is_empty() {
            self.intake.skip();
            return;
        }
        let result = if line.len() > BOUNDS.record_bytes_max {
            Err(Rejected::new("record_too_large", format_args!("the line has {bytes} bytes")))
        } else {
            self.read_line(line)
        };
        if let Err(rejected) = result {
            self.reject_line(&rejected, line, bytes);
        }
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), Rejected> {
        match line::read(line)? {
            Line::Frame { source, received_at, frame } => {
                let names = [source.gateway.as_str(), &source.boot_id, &source.conn_id];
                names.into_iter().try_for_each(|name| self.check_name(name))?;
                self.frame(&source, received_at, frame)
            }
            Line::Ledger { gateway, row } => {
                self.check_name(gateway.as_str())?;
                self.ledger_row(&gateway, row)
            }
        }
    }

    /// Names of gateways and connections are recorded as they are, so none of them may be a secret.
    fn check_name(&self, name: &str) -> Result<(), Rejected> {
        match self.mapper.redaction.secret_in(name) {
            None => Ok(()),
            Some(_) => Err(Rejected::new("identifier_invalid", "a name holds a secret")),
        }
    }

    fn ledger_row(&mut self, gateway: &EnvironmentId, row: &str) -> Result<(), Rejected> {
        let row = Row::read(row)?;
        self.check_name(row.action())?;
        let envelope = row.map(&mut self.mapper, gateway)?;
        self.has_ledger = true;
        self.join.ledger_row(gateway, &row);
        self.accept(envelope.into());
        Ok(())
    }

    fn frame(
        &mut self,
        source: &Source,
        received_at: UtcTimestamp,
        text: &str,
    ) -> Result<(), Rejected> {
        let frame = Frame::read(text)?;
        self.received_at = received_at;
        let Some(seq) = frame.seq else {
            let name = frame.count_name();
            if !UNNUMBERED.contains(&&*name) {
                return Err(Rejected::new("seq_missing", "the frame has no seq"));
            }
            self.skip(source, received_at, &name);
            return Ok(());
        };
        let digest = sha256(&[text.as_bytes()]);
        let connection = self.connection(source, received_at);
        let number = connection.number(seq, digest);
        match number {
            Number::Expected => {
                if seq == 1 {
                    self.opened(source, seq);
                }
            }
            Number::LateStart => {
                self.opened(source, seq);
                self.number_anomaly(source, seq, number, &digest);
            }
            Number::Gap { .. } | Number::Disorder => {
                self.number_anomaly(source, seq, number, &digest);
            }
            Number::Repeat | Number::Equivocation { .. } => {
                self.again(source, seq, number, &digest);
                return Ok(());
            }
        }
        match frame.kind {
            None => self.skip(source, received_at, &frame.count_name()),
            Some(kind) => self.keep(source, received_at, &frame, kind)?,
        }
        Ok(())
    }

    /// The state of a connection; a new one makes room for itself.
    fn connection(&mut self, source: &Source, received_at: UtcTimestamp) -> &mut Connection {
        if !self.connections.contains_key(source) && self.connections.len() >= CONNECTIONS_MAX {
            let quiet = self.connections.iter().min_by_key(|(_, connection)| connection.line);
            if let Some(source) = quiet.map(|(source, _)| source.clone())
                && let Some(connection) = self.connections.remove(&source)
            {
                self.close(&source, &connection);
            }
        }
        let line = self.lines;
        let connection =
            self.connections.entry(source.clone()).or_insert_with(|| Connection::new(received_at));
        connection.line = line;
        connection.received_at = received_at;
        connection
    }

    fn skip(&mut self, source: &Source, received_at: UtcTimestamp, name: &str) {
        let name = self.mapper.redaction.label(name).into_owned();
        self.connection(source, received_at).skip(&name);
        self.intake.skip();
    }

    /// Maps a frame that is kept, and remembers what it begins or ends.
    fn keep(
        &mut self,
        source: &Source,
        received_at: UtcTimestamp,
        frame: &Frame<'_>,
        kind: &Kind,
    ) -> Result<(), Rejected> {
        let step = match kind.step {
            Step::None => None,
            Step::Begins(what) => Some((what, self.subject(frame, what)?)),
            Step::Ends(what) => Some((what, self.subject(frame, what)?)),
        };
        let parent = match (kind.step, &step) {
            (Step::Ends(_), Some((what, subject))) => {
                self.connection(source, received_at).end(*what, subject.clone())
            }
            _ => None,
        };
        let envelope = self.mapper.frame(source, received_at, frame, kind, parent)?;
        if let (Step::Begins(_), Some((what, subject))) = (kind.step, step) {
            let id = envelope.fields.envelope_id;
            let connection = self.connection(source, received_at);
            if !connection.begin(what, subject, id) && !connection.overflowed {
                connection.overflowed = true;
                let path = format!("line {}", self.lines);
                let detail =
                    format!("more than {OPEN_MAX} runs, tool calls and approvals are open");
                self.intake.note(Anomaly::new("too_many_open", path, detail));
            }
        }
        self.note_for_ledger(source, frame, kind);
        self.accept(envelope.into());
        Ok(())
    }

    fn subject(&self, frame: &Frame<'_>, what: What) -> Result<String, Rejected> {
        let missing = || {
            Rejected::new(
                "frame_invalid",
                format_args!("the frame does not name its {}", what.name()),
            )
        };
        frame.subject(what).ok_or_else(missing)
    }

    fn note_for_ledger(&mut self, source: &Source, frame: &Frame<'_>, kind: &Kind) {
        let Some(run_id) = frame.payload.text("runId") else { return };
        match kind.step {
            Step::Begins(What::Run) => self.join.stream_run(&source.gateway, &run_id, false),
            Step::Ends(What::Run) => self.join.stream_run(&source.gateway, &run_id, true),
            Step::Begins(What::Tool) | Step::Ends(What::Tool) => {
                if let Some(call_id) = frame.tool_call_id() {
                    self.join.stream_tool(&source.gateway, &run_id, &call_id);
                }
            }
            Step::None | Step::Begins(What::Approval) | Step::Ends(What::Approval) => {}
        }
    }

    fn accept(&mut self, event: Event) {
        self.count_held(&event);
        self.intake.accept(event);
    }

    /// Counts what a strict pass holds, and refuses the input where that is too much.
    fn count_held(&mut self, event: &Event) {
        if self.intake.policy() != Policy::StrictFail {
            return;
        }
        self.held_bytes += EVENT_BYTES + event.envelope.payload.payload.as_bytes().len();
        if self.held_bytes > STRICT_BYTES_MAX {
            self.held_bytes = 0;
            let path = format!("line {}", self.lines);
            let detail =
                "the input is larger than a strict pass holds; record_anomaly has no such bound";
            self.intake.note(Anomaly::new("input_too_large", path, detail));
        }
    }

    /// Reports a line that gives no envelope, and leaves its keyed digest.
    fn reject_line(&mut self, rejected: &Rejected, line: &[u8], bytes: u64) {
        let (number, code) = (self.lines, rejected.code);
        self.intake.reject(Anomaly::new(code, format_args!("line {number}"), &rejected.detail));
        let digest = self.mapper.pseudonym(&String::from_utf8_lossy(line));
        let Ok(environment) = EnvironmentId::new("openclaw") else { return };
        let draft = Draft {
            event_type: "openclaw.stream.line_rejected",
            actor: "openclaw:adapter".to_owned(),
            environment: &environment,
            claimed_time: self.received_at,
            trace: None,
            session: None,
            parent: None,
        };
        let write = |detail: &mut ObjectWriter<'_>| {
            detail.u64("bytes", bytes).string("code", code).u64("line", number);
            detail.string_or_null("line_hmac", digest.as_deref());
        };
        self.evidence(draft, None, write, |key| {
            key.u64("bytes", bytes).string("code", code).string("kind", "line_rejected");
            key.u64("line", number).string_or_null("line_hmac", digest.as_deref());
        });
    }

    /// Reports a frame whose number was there before.
    fn again(&mut self, source: &Source, seq: u64, number: Number, digest: &[u8; 32]) {
        let anomaly = self.anomaly(source, seq, number);
        self.intake.reject(anomaly);
        self.number_evidence(source, seq, number, digest);
    }

    /// Reports what a frame's number says of other frames.
    fn number_anomaly(&mut self, source: &Source, seq: u64, number: Number, digest: &[u8; 32]) {
        let anomaly = self.anomaly(source, seq, number);
        self.intake.note(anomaly);
        self.number_evidence(source, seq, number, digest);
    }

    fn anomaly(&self, source: &Source, seq: u64, number: Number) -> Anomaly {
        let conn_id = &source.conn_id;
        let detail = match number {
            Number::Expected => String::new(),
            Number::LateStart => format!("connection {conn_id} begins with frame {seq}, not 1"),
            Number::Gap { expected } => {
                let missing = seq - expected;
                format!(
                    "connection {conn_id} has frame {seq} where {expected} was due: {missing} missing"
                )
            }
            Number::Repeat => format!("connection {conn_id} has frame {seq} again"),
            Number::Equivocation { .. } => {
                format!("connection {conn_id} has frame {seq} again, with other content")
            }
            Number::Disorder => format!("connection {conn_id} has frame {seq} after a later one"),
        };
        Anomaly::new(name_of(number), format_args!("line {}", self.lines), detail)
    }

    fn number_evidence(&mut self, source: &Source, seq: u64, number: Number, digest: &[u8; 32]) {
        let mut keyed = |digest: &[u8; 32]| self.mapper.pseudonym(&hex(digest));
        let (first, this) = match number {
            Number::Equivocation { first } => (keyed(&first), keyed(digest)),
            _ => (None, keyed(digest)),
        };
        let expected = match number {
            Number::Gap { expected } => Some(expected),
            Number::LateStart => Some(1),
            _ => None,
        };
        let code = name_of(number);
        let event_type = format!("openclaw.stream.{}", code.trim_start_matches("stream_"));
        let received_at = self.received_at;
        let write = |detail: &mut ObjectWriter<'_>| {
            detail.string("code", code);
            if let Some(expected) = expected {
                detail.u64("expected", expected);
            }
            detail.string_or_null("first_frame_hmac", first.as_deref());
            detail.string_or_null("frame_hmac", this.as_deref());
            if let Some(expected) = expected {
                detail.u64("missing", seq - expected);
            }
            detail.u64("received", seq);
        };
        let draft = about_connection(&event_type, source, received_at);
        self.evidence(draft, Some((source, Some(seq))), write, |key| {
            write_place(key, code, source, seq);
        });
    }

    /// Says that a connection begins, and after which one of the same gateway.
    fn opened(&mut self, source: &Source, seq: u64) {
        let others = self
            .connections
            .iter()
            .filter(|(other, _)| other.gateway == source.gateway && *other != source);
        let previous = others.max_by_key(|(_, connection)| connection.line);
        let previous = previous.map(|(other, connection)| (other.clone(), connection.last));
        let write = |detail: &mut ObjectWriter<'_>| {
            detail.u64("first_seq", seq).bool("joined_late", seq != 1);
            match &previous {
                Some((other, last)) => {
                    let mut object = detail.object("previous");
                    object.string("boot_id", &other.boot_id).string("conn_id", &other.conn_id);
                    object.u64("last_seq", *last);
                    object.finish();
                }
                None => drop(detail.null("previous")),
            }
        };
        let draft = about_connection("openclaw.stream.opened", source, self.received_at);
        self.always(draft, Some((source, Some(seq))), write, |key| {
            write_place(key, "opened", source, seq);
        });
    }

    /// Says how far a connection went, what of it was not kept, and what it left open.
    fn close(&mut self, source: &Source, connection: &Connection) {
        if connection.frames == 0 {
            return;
        }
        let last = connection.last;
        let write = |detail: &mut ObjectWriter<'_>| {
            detail.u64("first_seq", connection.first).u64("frames", connection.frames);
            detail.u64("last_seq", last).u64("missing", connection.missing);
            let mut skipped = detail.array("skipped");
            for (name, count) in &connection.skipped {
                let mut item = skipped.object();
                item.u64("count", *count).string("event", name);
                item.finish();
            }
            skipped.finish();
        };
        let draft = about_connection("openclaw.stream.closed", source, connection.received_at);
        self.always(draft, Some((source, Some(last))), write, |key| {
            write_place(key, "closed", source, last);
        });
        if !connection.open.is_empty() {
            self.incomplete(source, connection);
        }
    }

    fn incomplete(&mut self, source: &Source, connection: &Connection) {
        let count = |what: What| connection.open.keys().filter(|(found, _)| *found == what).count();
        let counts = [What::Run, What::Tool, What::Approval].map(|what| (what, count(what) as u64));
        let detail: Vec<String> =
            counts.iter().map(|(what, count)| format!("{count} {}s", what.name())).collect();
        let conn_id = &source.conn_id;
        let text = format!("connection {conn_id} ends with these open: {}", detail.join(", "));
        let path = format!("{}/{}", source.gateway, conn_id);
        self.intake.note(Anomaly::new("stream_incomplete", path, text));
        let listed: Vec<(What, String, String)> = (connection.open.iter())
            .take(OPEN_LISTED_MAX)
            .map(|((what, subject), id)| {
                let subject = subject.replace('\n', " ");
                (*what, self.mapper.redaction.label(&subject).into_owned(), id.to_string())
            })
            .collect();
        let write = |detail: &mut ObjectWriter<'_>| {
            detail.u64("approvals", counts[2].1).string("code", "stream_incomplete");
            let mut open = detail.array("open");
            for (what, subject, id) in &listed {
                let mut item = open.object();
                item.string("began_with", id).string("id", subject).string("what", what.name());
                item.finish();
            }
            open.finish();
            detail.u64("runs", counts[0].1).u64("tools", counts[1].1);
        };
        let last = connection.last;
        let draft = about_connection("openclaw.stream.incomplete", source, connection.received_at);
        self.evidence(draft, Some((source, Some(last))), write, |key| {
            write_place(key, "incomplete", source, last);
        });
    }

    fn compare_ledger(&mut self) {
        let join = std::mem::take(&mut self.join);
        if !self.has_ledger {
            return;
        }
        for mismatch in join.mismatches() {
            let run_id = self.mapper.redaction.label(&mismatch.run_id).into_owned();
            let digest = mismatch.tool_call_digest.as_str();
            let digest = self.mapper.redaction.label(digest).into_owned();
            let code = mismatch.code;
            let text = match code {
                "ledger_tool_unseen" => "the ledger has a tool call that the stream does not show",
                _ => "the stream shows a tool call that the ledger does not have",
            };
            self.intake.note(Anomaly::new(code, format_args!("run {run_id} {digest}"), text));
            let write = |detail: &mut ObjectWriter<'_>| {
                detail.string("code", code).string("run_id", &run_id);
                detail.string("tool_call_digest", &digest);
            };
            let draft = Draft {
                event_type: "openclaw.stream.ledger_mismatch",
                actor: format!("openclaw:gateway:{}", mismatch.gateway),
                environment: &mismatch.gateway,
                claimed_time: self.received_at,
                trace: Some(&run_id),
                session: None,
                parent: None,
            };
            self.evidence(draft, None, write, |key| {
                key.string("code", code).string("gateway", mismatch.gateway.as_str());
                key.string("kind", "ledger_mismatch").string("run_id", &run_id);
                key.string("tool_call_digest", &digest);
            });
        }
        if join.overflowed {
            let detail = format!("only the first {JOINED_MAX} runs and tool calls were compared");
            self.intake.note(Anomaly::new("ledger_not_compared", "ledger", detail));
        }
    }

    /// Records what was wrong, when that is asked for.
    fn evidence(
        &mut self,
        draft: Draft<'_>,
        source: Option<(&Source, Option<u64>)>,
        write: impl Fn(&mut ObjectWriter<'_>),
        write_key: impl FnOnce(&mut ObjectWriter<'_>),
    ) {
        if self.intake.policy() == Policy::RecordAnomaly {
            self.always(draft, source, write, write_key);
        }
    }

    /// Records what is no record of the input itself.
    fn always(
        &mut self,
        draft: Draft<'_>,
        source: Option<(&Source, Option<u64>)>,
        write: impl Fn(&mut ObjectWriter<'_>),
        write_key: impl FnOnce(&mut ObjectWriter<'_>),
    ) {
        match self.mapper.about(draft, source, write, write_key) {
            Ok(envelope) => {
                let event = Event::from(envelope);
                self.count_held(&event);
                self.intake.push(event);
            }
            Err(Rejected { code, detail }) => {
                self.intake.note(Anomaly::new(code, format_args!("line {}", self.lines), detail));
            }
        }
    }
}

fn about_connection<'d>(event_type: &'d str, source: &'d Source, at: UtcTimestamp) -> Draft<'d> {
    Draft {
        event_type,
        actor: format!("openclaw:gateway:{}", source.gateway),
        environment: &source.gateway,
        claimed_time: at,
        trace: None,
        session: None,
        parent: None,
    }
}

const fn name_of(number: Number) -> &'static str {
    match number {
        Number::Expected => "stream_expected",
        Number::LateStart => "stream_late_start",
        Number::Gap { .. } => "stream_gap",
        Number::Repeat => "stream_repeat",
        Number::Equivocation { .. } => "stream_equivocation",
        Number::Disorder => "stream_disorder",
    }
}

#[cfg(test)]
mod tests {
    use recorder_core::identity::StreamId;
    use recorder_envelope::adapter::SaltKey;

    use super::*;

    fn with_stream(check: impl FnOnce(Stream<'_>)) {
        let stream = StreamId {
            tenant_id: "default".parse().unwrap(),
            recorder_id: "recorder-cli".parse().unwrap(),
        };
        let salt_key = SaltKey::from_hex(&[b'2'; 64]).unwrap();
        let redactor = crate::redactor(None).unwrap();
        check(Stream::new(&Settings {
            policy: Policy::StrictFail,
            stream: &stream,
            salt_key: &salt_key,
            redactor: &redactor,
        }));
    }

    #[test]
    fn a_line_that_does_not_end_is_held_no_further_than_a_line_may_go() {
        with_stream(|mut stream| {
            let megabyte = vec![b'x'; 1 << 20];
            (0..50).for_each(|_| stream.push(&megabyte));
            assert_eq!(stream.partial.len(), BOUNDS.record_bytes_max + 1);
            assert!(stream.partial.capacity() <= 4 * BOUNDS.record_bytes_max);
            stream.push(b"\n");
            assert!(stream.partial.capacity() <= 64 << 10);
        });
    }

    #[test]
    fn a_strict_pass_does_not_hold_more_than_its_bound() {
        with_stream(|mut stream| {
            stream.held_bytes = STRICT_BYTES_MAX;
            stream.push(br#"{"schema":"recorder.openclaw-input/1","gateway":"g","ledger":{"eventId":"e","action":"a","occurredAt":1}}"#);
            let refused = stream.finish().unwrap_err();
            assert_eq!(refused.problems.named[0].code, "input_too_large");
        });
    }

    #[test]
    fn a_strict_pass_counts_what_small_envelopes_and_connections_take() {
        let tick = |connection: u64| {
            let frame = r#"{"type":"event","event":"tick","payload":{},"seq":1}"#;
            format!(
                r#"{{"schema":"recorder.openclaw-input/1","gateway":"g","boot_id":"b","conn_id":"{connection}","received_at":"2026-11-22T10:00:00Z","frame":{frame}}}"#
            ) + "\n"
        };
        with_stream(|mut stream| {
            // Nothing of them is kept, but that there was a connection.
            (0..1_000).for_each(|connection| stream.push(tick(connection).as_bytes()));
            let opened_and_closed = 2 * 1_000 - CONNECTIONS_MAX;
            assert!(stream.held_bytes >= opened_and_closed * EVENT_BYTES, "{}", stream.held_bytes);
            stream.held_bytes = STRICT_BYTES_MAX;
            stream.push(tick(1_000).as_bytes());
            let refused = stream.finish().unwrap_err();
            assert_eq!(refused.problems.named[0].code, "input_too_large");
        });
    }
}
