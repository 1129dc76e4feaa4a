//! From a line to an envelope that is ready to be recorded.

use recorder::Recorder;
use recorder_core::identity::EnvelopeId;
use recorder_core::limits::LINE_BYTES_MAX;
use recorder_core::time::UtcTimestamp;
use recorder_envelope::draft::{Draft, DraftDefaults};
use recorder_envelope::envelope::PreparedEnvelope;

use super::refused::Refused;
use crate::failure::Failure;
use crate::lines::Line;

/// A line's envelope, and what its producer left out.
pub(super) struct Prepared {
    /// The envelope.
    pub(super) envelope: PreparedEnvelope,
    /// Whether the line names it.
    pub(super) has_id: bool,
    /// Whether the line says when.
    pub(super) has_time: bool,
}

/// Makes an envelope of a line, or says why not. `first_time` tells when an envelope was claimed to have happened that
/// came before: a repetition that names no time means that one.
pub(super) fn prepare(
    line: &Line<'_>,
    recorder: &Recorder,
    first_time: &dyn Fn(EnvelopeId) -> Result<Option<UtcTimestamp>, Failure>,
) -> Result<Result<Prepared, Refused>, Failure> {
    let Some(bytes) = line.bytes else {
        let detail = format!("more than {LINE_BYTES_MAX} bytes");
        return Ok(Err(Refused::line(line, "line_too_long", detail)));
    };
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        let detail = "begins with a byte order mark; write UTF-8 without one".to_owned();
        return Ok(Err(Refused::line(line, "byte_order_mark", detail)));
    }
    let draft = match Draft::parse(bytes) {
        Ok(draft) => draft,
        Err(error) => return Ok(Err(Refused::draft(line, &error))),
    };
    let (has_id, has_time) = (draft.envelope_id.is_some(), draft.claimed_time.is_some());
    let (ids, now) = (recorder.ids(), recorder.clock().now());
    let envelope_id = match draft.envelope_id {
        Some(id) => id,
        None => ids.envelope_id(now).map_err(Failure::NoRandomness)?,
    };
    let payload_salt = match draft.payload_salt {
        Some(salt) => salt,
        None => ids.payload_salt().map_err(Failure::NoRandomness)?,
    };
    let claimed_time = match has_id && !has_time {
        true => first_time(envelope_id)?.unwrap_or_else(|| now.into()),
        false => now.into(),
    };
    let completed = draft.complete(&mut DraftDefaults {
        envelope_id: &mut || envelope_id,
        payload_salt: &mut || payload_salt,
        claimed_time: &mut || claimed_time,
    });
    Ok(match completed {
        Ok(unsealed) => Ok(Prepared { envelope: unsealed.prepare(), has_id, has_time }),
        Err(error) => Err(Refused::draft(line, &error)),
    })
}
