//! The look at a whole file before any of it is recorded, so that one wrong line leaves nothing behind.

use std::collections::BTreeMap;
use std::io::BufRead;

use recorder::{Recorder, is_reserved_event_type};
use recorder_core::identity::{EnvelopeId, StreamId};
use recorder_core::limits::LINE_BYTES_MAX;
use recorder_core::time::UtcTimestamp;
use recorder_envelope::envelope::{
    PayloadSalt, PreparedEnvelope, SaltedPayload, SealedEnvelope, UnsealedEnvelope,
};

use super::prepare::{Prepared, prepare};
use super::refused::Refused;
use crate::command::envelope::record::repeated_time;
use crate::failure::Failure;
use crate::lines::{Line, Lines};
use crate::progress::Progress;

/// Ids of the file that are kept, some 40 MiB. Whether one beyond them contradicts another of the file is found when it
/// is recorded.
const IDS_MAX: usize = 500_000;

/// What a line of the file says under an id.
struct Said {
    /// Of everything but the salt and the time.
    content: [u8; 16],
    /// The time, where the line names one.
    claimed_time: Option<UtcTimestamp>,
}

impl Said {
    fn of(prepared: &Prepared) -> Self {
        let fields = prepared.envelope.fields();
        let claimed_time = prepared.has_time.then_some(fields.claimed_time);
        let mut fields = fields.clone();
        fields.claimed_time = UtcTimestamp::EPOCH;
        let payload = prepared.envelope.payload().payload.clone();
        let payload = SaltedPayload { payload, salt: PayloadSalt::from_bytes([0; 16]) };
        let hash = UnsealedEnvelope { fields, payload }.prepare().content_hash();
        let mut content = [0; 16];
        content.copy_from_slice(&hash.as_bytes()[..16]);
        Self { content, claimed_time }
    }

    /// Whether `later` would be answered as a repetition of this.
    fn is_repeated_by(&self, later: &Self) -> bool {
        let same_time = later.claimed_time.is_none() || later.claimed_time == self.claimed_time;
        self.content == later.content && same_time
    }
}

/// Checks every line of `input` without writing, hands on what is refused, and counts the lines.
pub(super) fn check_all(
    recorder: &Recorder,
    stream: &StreamId,
    input: impl BufRead,
    progress: &Progress,
    mut refuse: impl FnMut(&Refused),
) -> Result<u64, Failure> {
    let first_time = |id| repeated_time(recorder, stream, id);
    let mut lines = Lines::new(input, LINE_BYTES_MAX);
    let (mut count, mut said) = (0, BTreeMap::new());
    while let Some(line) = lines.next().map_err(Failure::Input)? {
        count += 1;
        let checked = match prepare(&line, recorder, &first_time)? {
            Ok(prepared) => match check_against_file(&line, &prepared, &mut said) {
                Ok(()) => check_against_store(recorder, stream, &line, &prepared.envelope)?,
                refused @ Err(_) => refused,
            },
            Err(refused) => Err(refused),
        };
        if let Err(refused) = checked {
            refuse(&refused);
        }
        progress.set(lines.offset());
    }
    Ok(count)
}

/// Whether the line says what the file said before under its id.
fn check_against_file(
    line: &Line<'_>,
    prepared: &Prepared,
    said: &mut BTreeMap<EnvelopeId, Said>,
) -> Result<(), Refused> {
    if !prepared.has_id {
        return Ok(());
    }
    let (id, says) = (prepared.envelope.fields().envelope_id, Said::of(prepared));
    match said.get(&id) {
        Some(first) if !first.is_repeated_by(&says) => {
            Err(Refused::conflict(line, id, "in the file before"))
        }
        Some(_) => Ok(()),
        None => {
            if said.len() < IDS_MAX {
                said.insert(id, says);
            }
            Ok(())
        }
    }
}

/// Whether the store would take the line.
fn check_against_store(
    recorder: &Recorder,
    stream: &StreamId,
    line: &Line<'_>,
    prepared: &PreparedEnvelope,
) -> Result<Result<(), Refused>, Failure> {
    let (store, fields) = (recorder.store(), prepared.fields());
    if is_reserved_event_type(&fields.event_type) {
        let detail = format!("event type {} is reserved", fields.event_type);
        return Ok(Err(Refused::line(line, "event_type_reserved", detail)));
    }
    if let Some(stored) = store.envelope(stream, fields.envelope_id)? {
        return Ok(match says_the_same(&stored, prepared) {
            true => Ok(()),
            false => Err(Refused::conflict(line, fields.envelope_id, "in the stream")),
        });
    }
    for reference in fields.attachment_refs.as_slice() {
        if store.attachment(&reference.content_hash)?.is_none() {
            let detail = format!("attachment {} is not stored", reference.content_hash);
            return Ok(Err(Refused::line(line, "attachment_missing", detail)));
        }
    }
    Ok(Ok(()))
}

/// Whether a stored envelope says what a draft says; a salt that was made up here is no difference.
fn says_the_same(stored: &SealedEnvelope, prepared: &PreparedEnvelope) -> bool {
    let same_payload = |salted: &SaltedPayload| salted.payload == prepared.payload().payload;
    stored.content_hash == prepared.content_hash()
        || stored.fields == *prepared.fields() && stored.payload.as_ref().is_some_and(same_payload)
}
