//! A record between its reader and its envelope: rendered, and inside the payload that it will most likely have.
//!
//! The schema of a resource comes behind its records, if there is one. So a record is framed with what is known when it is
//! read, and framed anew where that turned out not to be all.

use recorder_core::identity::{ActorId, IdentityError, SessionId};

use crate::note::Notes;
use crate::pages::Written;
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

    /// Bytes before the record in its payload.
    pub(crate) fn record_start(&self) -> usize {
        self.before.len()
    }

    /// Writes the payload of a record at the end of `out`.
    pub(crate) fn write(&self, record: &str, out: &mut String) {
        out.push_str(&self.before);
        out.push_str(record);
        out.push_str(&self.behind);
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
    /// Where it is.
    pub(crate) written: Written,
}
