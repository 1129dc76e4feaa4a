//! What a verified bundle holds, for people: a second, bounded reading of a bundle that was not found invalid.
//!
//! It is tied to the first reading: the manifest must have the bundle id that the report names, and each part that is
//! read again the hash that the manifest states. Payloads are passed over; nothing of an invalid bundle is read.

use std::io;

use recorder_core::identity::EnvelopeId;
use recorder_core::time::{RecordedAt, UtcTimestamp};
use recorder_envelope::bundle::manifest::ManifestContent;
use recorder_envelope::line::EnvelopeLine;

use crate::archive::ReadError;
use crate::container::Container;
use crate::finding::Findings;
use crate::limits::{VerifyError, VerifyLimits};
use crate::lines::{Lines, Next};
use crate::phase::manifest::{self, Admitted};
use crate::report::Report;
use crate::source::ReadAt;
use crate::verdict::Verdict;

/// One envelope without its payload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its place in the stream, from 0.
    pub position: u64,
    /// When it was recorded, by the recorder's clock.
    pub recorded_at: RecordedAt,
    /// When it happened, as its producer claims.
    pub claimed_time: UtcTimestamp,
    /// Its name.
    pub envelope_id: EnvelopeId,
    /// Who acted.
    pub actor_id: String,
    /// What happened.
    pub event_type: String,
    /// Whether the payload was left out.
    pub payload_withheld: bool,
    /// How many attachments it refers to.
    pub attachment_ref_count: usize,
    /// Whether it carries a signature of its own.
    pub has_signature: bool,
}

/// The manifest and the first events.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What the manifest states.
    pub manifest: ManifestContent,
    /// The first events, by position.
    pub events: Vec<Event>,
}

/// Reads a bundle again that `report` is about: its manifest, and its first `event_count_max` events.
///
/// `None` where the verdict is invalid: what an invalid bundle holds is not to be shown as evidence.
///
/// # Errors
///
/// `Failed` where the medium does not answer, or the bundle is not the one that was verified any more; `Refused` where
/// it changed so much that it cannot be read.
pub fn read_contents(
    bundle: &dyn ReadAt,
    limits: &VerifyLimits,
    report: &Report,
    event_count_max: usize,
) -> Result<Option<Contents>, ReadError> {
    let (Some(subject), false) = (report.subject(), report.verdict() == Verdict::Invalid) else {
        return Ok(None);
    };
    let container = Container::open(bundle, limits)?;
    let admitted = manifest::admit(&container, limits, &mut Findings::default())?;
    let admitted = admitted.ok_or_else(changed)?;
    if admitted.manifest.bundle_id() != subject.bundle_id {
        return Err(changed());
    }
    let mut events = Vec::new();
    let parts = admitted.plan.segments.iter().flat_map(|segment| &segment.envelopes);
    for part in parts {
        if events.len() >= event_count_max {
            break;
        }
        read_part(&container, &admitted, *part, event_count_max, &mut events)?;
    }
    Ok(Some(Contents { manifest: admitted.content().clone(), events }))
}

/// Reads a part to its end, so that its hash is known, and keeps what there is room for.
fn read_part(
    container: &Container<'_>,
    admitted: &Admitted,
    part: usize,
    event_count_max: usize,
    events: &mut Vec<Event>,
) -> Result<(), ReadError> {
    let mut lines = Lines::new(container.reader(admitted.member(part)));
    loop {
        match lines.next_line()? {
            Next::End => break,
            Next::Line(_) if events.len() >= event_count_max => {}
            Next::Line(bytes) => {
                events.push(Event::of(&EnvelopeLine::parse(bytes).map_err(|_| changed())?));
            }
            Next::Unterminated(_) | Next::TooLong => return Err(changed()),
        }
    }
    if lines.finish() == admitted.part(part).sha256 { Ok(()) } else { Err(changed()) }
}

fn changed() -> ReadError {
    let error = io::Error::new(io::ErrorKind::InvalidData, "it changed after it was verified");
    ReadError::Failed(VerifyError::Io(error))
}

impl Event {
    fn of(line: &EnvelopeLine<'_>) -> Self {
        Self {
            position: line.place.position,
            recorded_at: line.place.recorded_at,
            claimed_time: line.claimed_time,
            envelope_id: line.envelope_id(),
            actor_id: line.actor_id().unescaped().into_owned(),
            event_type: line.event_type().to_owned(),
            payload_withheld: line.payload().is_none(),
            attachment_ref_count: line.attachment_ref_count(),
            has_signature: line.signature.is_some(),
        }
    }
}
