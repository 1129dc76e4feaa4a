//! A record between its reader and its envelope: rendered, and inside the payload that it will most likely have.
//!
//! The schema of a resource comes behind its records, if there is one. So a record is framed with what is known when it is
//! read, and framed anew where that turned out not to be all.

use std::ops::Range;

use recorder_core::identity::{ActorId, IdentityError, SessionId};

use crate::note::Notes;
use crate::record::Staged;
use crate::signal::Signal;

/// What stands around a record in its payload: mapping, notes, resource and scope.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    before: String,
    behind: String,
}

impl Frame {
    /// Takes canonical texts; `mapping` with its name.
    pub(crate) fn new(
        signal: Signal,
        mapping: &str,
        notes: Notes,
        resource: &str,
        scope: &str,
    ) -> Self {
        let oddities = notes.render();
        let middle =
            format!("{mapping},\"notes\":{oddities},\"resource\":{resource},\"scope\":{scope}");
        let end = match notes.unknown_fields {
            0 => "}".to_owned(),
            count => format!(",\"unknown_field_count\":{count}}}"),
        };
        match signal {
            Signal::Traces => Self { before: format!("{{{middle},\"span\":"), behind: end },
            Signal::Logs => {
                Self { before: "{\"log\":".to_owned(), behind: format!(",{middle}{end}") }
            }
        }
    }

    /// Bytes of a payload with a record of this many bytes.
    pub(crate) fn payload_bytes(&self, record_bytes: usize) -> usize {
        self.before.len() + record_bytes + self.behind.len()
    }

    /// The payload of a record.
    pub(crate) fn around(&self, record: &str) -> String {
        // Of exactly this size, or the payload would be copied once more to give back what is left over.
        let mut payload = String::with_capacity(self.payload_bytes(record.len()));
        payload.push_str(&self.before);
        payload.push_str(record);
        payload.push_str(&self.behind);
        payload
    }
}

/// A record that was read.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) staged: Staged,
    /// The agent that its attributes name.
    pub(crate) agent: Option<Result<ActorId, IdentityError>>,
    /// The session that they name.
    pub(crate) session: Option<Result<SessionId, IdentityError>>,
    text: String,
    /// Where in the text the record is.
    record: Range<usize>,
}

impl Draft {
    /// Takes a record as rendered, and its frame if it has one already.
    pub(crate) fn new(
        staged: Staged,
        agent: Option<Result<ActorId, IdentityError>>,
        session: Option<Result<SessionId, IdentityError>>,
        record: &str,
        frame: Option<&Frame>,
    ) -> Self {
        let (start, text) = match frame {
            Some(frame) => (frame.before.len(), frame.around(record)),
            None => (0, record.to_owned()),
        };
        Self { staged, agent, session, text, record: start..start + record.len() }
    }

    /// The payload that `frame` makes of the record; `is_framed` says that the record was given this very frame, if any.
    pub(crate) fn payload(&mut self, frame: &Frame, is_framed: bool) -> String {
        // Given away or given back: it is needed no more, and there may be many.
        let text = std::mem::take(&mut self.text);
        if is_framed && text.len() > self.record.len() {
            return text;
        }
        frame.around(text.get(self.record.clone()).unwrap_or_default())
    }

    /// Bytes of the record as rendered.
    pub(crate) fn record_bytes(&self) -> usize {
        self.record.len()
    }
}
