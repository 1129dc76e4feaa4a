//! One line of the input: where a frame came from and the frame as it came, or a row of the audit ledger.

use std::borrow::Cow;

use recorder_core::identity::EnvironmentId;
use recorder_core::time::UtcTimestamp;

use crate::map::Rejected;
use crate::members::Members;

/// The version of the line format.
pub(crate) const SCHEMA: &str = "recorder.openclaw-input/1";

/// Characters of a gateway's label, a boot id and a connection id.
pub(crate) const LABEL_CHARS_MAX: usize = 128;

/// The members that a line may have.
pub(crate) const MEMBERS: [&str; 7] =
    ["schema", "gateway", "boot_id", "conn_id", "received_at", "frame", "ledger"];

/// A connection to a gateway: its frames are numbered from 1.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Source {
    pub(crate) gateway: EnvironmentId,
    pub(crate) boot_id: Box<str>,
    pub(crate) conn_id: Box<str>,
}

/// A line that was read; what it carries was not.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    Frame { source: Source, received_at: UtcTimestamp, frame: &'a str },
    Ledger { gateway: EnvironmentId, row: &'a str },
}

/// Reads a line without its end.
pub(crate) fn read(line: &[u8]) -> Result<Line<'_>, Rejected> {
    let invalid = |detail: &'static str| Rejected::new("line_invalid", detail);
    let text = std::str::from_utf8(line).map_err(|_| invalid("not UTF-8"))?;
    let members =
        Members::read(text).map_err(|_| invalid("not a JSON object with each member once"))?;
    if members.text("schema").as_deref() != Some(SCHEMA) {
        return Err(Rejected::new("schema_unsupported", "schema is not recorder.openclaw-input/1"));
    }
    if members.iter().any(|(name, _)| !MEMBERS.contains(&name)) {
        return Err(invalid("a member that the format does not have"));
    }
    let gateway = name(&members, "gateway")?;
    let gateway = EnvironmentId::new(&*gateway)
        .map_err(|_| Rejected::new("identifier_invalid", "gateway is no name"))?;
    match (members.json("frame"), members.json("ledger")) {
        (Some(frame), None) => {
            let (boot_id, conn_id) = (name(&members, "boot_id")?, name(&members, "conn_id")?);
            let source = Source { gateway, boot_id: (*boot_id).into(), conn_id: (*conn_id).into() };
            let received_at =
                members.text("received_at").ok_or(invalid("received_at is missing"))?;
            let received_at = UtcTimestamp::parse(&received_at)
                .map_err(|_| Rejected::new("time_out_of_range", "received_at is no time in UTC"))?;
            Ok(Line::Frame { source, received_at, frame })
        }
        (None, Some(row)) => Ok(Line::Ledger { gateway, row }),
        _ => Err(invalid("neither a frame nor a ledger row, or both")),
    }
}

/// A member that names something: short, and nothing that steers a terminal.
fn name<'a>(members: &Members<'a>, member: &'static str) -> Result<Cow<'a, str>, Rejected> {
    let invalid = || Rejected::new("identifier_invalid", format_args!("{member} is no name"));
    let text = members.text(member).ok_or_else(invalid)?;
    let fits = text.chars().nth(LABEL_CHARS_MAX).is_none() && EnvironmentId::check(&text).is_ok();
    if fits { Ok(text) } else { Err(invalid()) }
}
