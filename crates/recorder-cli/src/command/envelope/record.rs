//! `envelope record`: one envelope from flags and a payload, answered with its receipt.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use clap::Args;
use recorder::{Receipt, Recorder, Submission};
use recorder_core::identity::{
    ActorId, ContentType, EnvelopeId, EnvironmentId, EventType, SessionId, StreamId, TraceId,
};
use recorder_core::limits::{ATTACHMENT_BYTES_MAX, PAYLOAD_BYTES_MAX};
use recorder_core::time::UtcTimestamp;
use recorder_envelope::attachment::{Attachment, AttachmentRefs};
use recorder_envelope::envelope::{EnvelopeFields, ParentIds, SaltedPayload, UnsealedEnvelope};
use recorder_envelope::json::CanonicalPayload;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::say;
use crate::i18n::texts::label;
use crate::output::{Answer, Page};

/// Stands for standard input where a file is expected.
const STDIN: &str = "-";

/// What an attachment is when its flag does not say.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// One envelope.
#[derive(Args, Debug)]
pub(crate) struct Record {
    /// What happened, such as tool.call
    #[arg(long, value_name = "TYPE")]
    event_type: EventType,
    /// Who acted
    #[arg(long, value_name = "ID")]
    actor: ActorId,
    /// Where
    #[arg(long, value_name = "ID")]
    environment: EnvironmentId,
    /// When, in UTC [default: now]
    #[arg(long, value_name = "TIME")]
    claimed_time: Option<UtcTimestamp>,
    /// The trace it belongs to
    #[arg(long, value_name = "ID")]
    trace: Option<TraceId>,
    /// The session it belongs to
    #[arg(long, value_name = "ID")]
    session: Option<SessionId>,
    /// An envelope it follows from; may be repeated
    #[arg(long, value_name = "ID")]
    parent: Vec<EnvelopeId>,
    /// The payload, a JSON object; - reads standard input
    #[arg(long, value_name = "FILE|-")]
    payload: PathBuf,
    /// Its id, a UUIDv7 [default: a fresh one]
    #[arg(long, value_name = "ID")]
    envelope_id: Option<EnvelopeId>,
    /// Attach a file, such as report.csv;text/csv; may be repeated
    #[arg(long, value_name = "PATH[;TYPE]")]
    attach: Vec<String>,
    /// Attach bytes given here, such as text/plain:aGk=; may be repeated
    #[arg(long, value_name = "TYPE:BASE64")]
    attach_inline: Vec<String>,
}

/// One envelope with at least one attachment.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("attachments").args(["attach", "attach_inline"]).required(true).multiple(true))]
pub(crate) struct RecordWithAttachments {
    /// The envelope.
    #[command(flatten)]
    record: Record,
}

impl Answer for Receipt {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.field(&label::envelope, &self.envelope_id.to_string())?;
        page.field(&label::segment, &self.segment_id.to_string())?;
        page.field(&label::sequence, &self.sequence.to_string())?;
        page.field(&label::position, &self.position.to_string())?;
        page.field(&label::recorded_at, &self.recorded_at.to_string())?;
        page.field(&label::payload_commitment, &self.payload_commitment.to_string())?;
        page.field(&label::content_hash, &self.content_hash.to_string())?;
        page.field(&label::chain_hash, &self.chain_hash.to_string())?;
        page.field(&label::durability, self.durability)?;
        if self.replayed {
            page.field(&label::replayed, say!(page.locale(), record.replayed))?;
        }
        Ok(())
    }
}

impl RecordWithAttachments {
    /// Records it.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        self.record.run(context)
    }
}

impl Record {
    /// Records it.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let payload =
            CanonicalPayload::parse(&read_payload(&self.payload)?).map_err(Failure::Payload)?;
        let attachments = self.attachments()?;
        let recorder = context.recorder(&settings)?;
        let submission = self.submission(&recorder, &settings.stream, payload, attachments)?;
        let receipts = recorder.append_batch(&settings.stream.tenant_id, vec![submission])?;
        let receipt = receipts
            .first()
            .ok_or_else(|| Failure::Internal("an append without a receipt".to_owned()))?;
        context.output.answer(receipt)?;
        Ok(Exit::Done)
    }

    fn submission(
        self,
        recorder: &Recorder,
        stream: &StreamId,
        payload: CanonicalPayload,
        attachments: Vec<Attachment>,
    ) -> Result<Submission, Failure> {
        let now = recorder.clock().now();
        let salt = recorder.ids().payload_salt().map_err(Failure::NoRandomness)?;
        let envelope_id = match self.envelope_id {
            Some(id) => id,
            None => recorder.ids().envelope_id(now).map_err(Failure::NoRandomness)?,
        };
        let claimed_time = match (self.claimed_time, self.envelope_id) {
            (Some(time), _) => time,
            (None, Some(id)) => repeated_time(recorder, stream, id)?.unwrap_or_else(|| now.into()),
            (None, None) => now.into(),
        };
        let refs = attachments.iter().map(|attachment| attachment.reference().clone()).collect();
        let fields = EnvelopeFields {
            envelope_id,
            event_type: self.event_type,
            actor_id: self.actor,
            environment_id: self.environment,
            claimed_time,
            trace_id: self.trace,
            session_id: self.session,
            parent_ids: ParentIds::sorted(self.parent).map_err(Failure::Parents)?,
            attachment_refs: AttachmentRefs::sorted(refs).map_err(Failure::Attachment)?,
        };
        let unsealed = UnsealedEnvelope { fields, payload: SaltedPayload { payload, salt } };
        Ok(Submission { prepared: unsealed.prepare(), attachments })
    }

    fn attachments(&self) -> Result<Vec<Attachment>, Failure> {
        let files = self.attach.iter().map(|given| attach_file(given));
        let inline = self.attach_inline.iter().map(|given| attach_inline(given));
        files.chain(inline).collect()
    }
}

/// The time of a recorded envelope: a repetition that names no time means the one that was recorded first.
pub(super) fn repeated_time(
    recorder: &Recorder,
    stream: &StreamId,
    id: EnvelopeId,
) -> Result<Option<UtcTimestamp>, Failure> {
    let stored = recorder.store().envelope(stream, id)?;
    Ok(stored.map(|stored| stored.fields.claimed_time))
}

fn read_payload(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(match path == Path::new(STDIN) {
        true => recorder_fs::read_stdin_bounded(PAYLOAD_BYTES_MAX)?,
        false => recorder_fs::read_bounded(path, PAYLOAD_BYTES_MAX)?,
    })
}

fn attach_file(given: &str) -> Result<Attachment, Failure> {
    let (path, content_type) = given.split_once(';').unwrap_or((given, UNKNOWN_TYPE));
    let content_type = ContentType::new(content_type.trim()).map_err(Failure::Identity)?;
    let bytes = recorder_fs::read_bounded(Path::new(path), ATTACHMENT_BYTES_MAX)?;
    Attachment::new(content_type, bytes).map_err(Failure::Attachment)
}

fn attach_inline(given: &str) -> Result<Attachment, Failure> {
    let wrong = |detail: &str| Failure::Usage(format!("--attach-inline: {detail}"));
    let (content_type, encoded) =
        given.rsplit_once(':').ok_or_else(|| wrong("expected TYPE:BASE64"))?;
    let content_type = ContentType::new(content_type).map_err(Failure::Identity)?;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .map_err(|error| wrong(&error.to_string()))?;
    Attachment::new(content_type, bytes).map_err(Failure::Attachment)
}
