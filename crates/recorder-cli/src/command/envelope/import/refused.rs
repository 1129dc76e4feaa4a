//! A line that is not recorded: the code, the place, what is wrong, and the envelope that says so.

use recorder::{Recorder, Submission};
use recorder_core::hash::{ContentHash, sha256};
use recorder_core::identity::{ActorId, EnvelopeId, EnvironmentId, EventType, StreamId};
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::draft::DraftError;
use recorder_envelope::envelope::{EnvelopeFields, ParentIds, SaltedPayload, UnsealedEnvelope};
use recorder_envelope::json::CanonicalPayload;

use crate::command::ingest::Anomaly;
use crate::failure::Failure;
use crate::lines::Line;

/// Why a line is not recorded.
#[derive(Debug)]
pub(super) struct Refused {
    code: String,
    line: u64,
    /// Within the line, from 0.
    byte: Option<usize>,
    detail: String,
    /// Of the whole line, so that one can be told from another; `None` for a line that was too long to keep.
    digest: Option<[u8; 32]>,
}

impl Refused {
    /// Refuses `line` for a reason that has no place within it.
    pub(super) fn line(line: &Line<'_>, code: &str, detail: String) -> Self {
        let digest = line.bytes.map(|bytes| sha256(&[bytes]));
        Self { code: code.to_owned(), line: line.number, byte: None, detail, digest }
    }

    /// Refuses a line that names an envelope which says something else.
    pub(super) fn conflict(line: &Line<'_>, id: EnvelopeId, other: &str) -> Self {
        Self::line(
            line,
            "envelope_conflict",
            format!("envelope {id} is {other} with other content"),
        )
    }

    /// Refuses a line that is no draft. Its payload begins at `payload_at`.
    pub(super) fn draft(line: &Line<'_>, error: &DraftError) -> Self {
        let (code, byte, detail) = match error {
            // Its own place counts from 1 and calls every line the first.
            DraftError::Form(form) => {
                let place = format!(" at line {} column {}", form.line(), form.column());
                let detail = error.to_string();
                let detail = detail.strip_suffix(&place).unwrap_or(&detail).to_owned();
                ("draft_form".to_owned(), form.column().checked_sub(1), detail)
            }
            DraftError::Payload(json) => (
                format!("payload_{}", json.kind.code()),
                Some(json.offset),
                format!("payload: {}", json.kind),
            ),
            DraftError::SchemaVersion { .. } => {
                ("schema_version".to_owned(), None, error.to_string())
            }
            DraftError::ParentIds(_) => ("parent_ids".to_owned(), None, error.to_string()),
            DraftError::AttachmentRefs(_) => {
                ("attachment_refs".to_owned(), None, error.to_string())
            }
        };
        Self { byte, ..Self::line(line, &code, detail) }
    }

    /// Refuses a line whose envelope the store did not take.
    pub(super) fn by_store(line: u64, digest: [u8; 32], code: &str, detail: String) -> Self {
        Self { code: code.to_owned(), line, byte: None, detail, digest: Some(digest) }
    }

    /// As answers name it.
    pub(super) fn anomaly(&self) -> Anomaly {
        let path = match self.byte {
            Some(byte) => format!("line {}, byte {byte}", self.line),
            None => format!("line {}", self.line),
        };
        Anomaly { code: self.code.clone(), path, detail: self.detail.clone() }
    }

    /// The id of its envelope: the same line of the same input is reported once, however often it is imported.
    pub(super) fn envelope_id(&self, stream: &StreamId) -> Result<EnvelopeId, Failure> {
        let digest = sha256(&[
            b"recorder import anomaly v1\n",
            stream.tenant_id.as_str().as_bytes(),
            b"\n",
            &self.line.to_be_bytes(),
            &self.digest.unwrap_or_default(),
        ]);
        let mut bytes = [0; 16];
        // A UUIDv7 of the year 1970: version and variant as RFC 9562 says, the rest from the digest.
        bytes[6..].copy_from_slice(&digest[..10]);
        bytes[6] = 0x70 | bytes[6] & 0x0f;
        bytes[8] = 0x80 | bytes[8] & 0x3f;
        EnvelopeId::from_bytes(bytes).map_err(Failure::Identity)
    }

    /// The envelope that says what was lost.
    pub(super) fn envelope(
        &self,
        recorder: &Recorder,
        stream: &StreamId,
    ) -> Result<Submission, Failure> {
        let actor_id = ActorId::new(stream.recorder_id.as_str()).map_err(Failure::Identity)?;
        let fields = EnvelopeFields {
            envelope_id: self.envelope_id(stream)?,
            event_type: EventType::new("system.import.anomaly").map_err(Failure::Identity)?,
            actor_id,
            environment_id: EnvironmentId::new("import").map_err(Failure::Identity)?,
            claimed_time: recorder.clock().now().into(),
            trace_id: None,
            session_id: None,
            parent_ids: ParentIds::default(),
            attachment_refs: AttachmentRefs::default(),
        };
        let payload = serde_json::json!({
            "byte": self.byte,
            "code": self.code,
            "detail": self.detail,
            "line": self.line,
            "line_sha256": self.digest.map(|digest| ContentHash::from_bytes(digest).to_string()),
        });
        let payload = SaltedPayload {
            payload: CanonicalPayload::parse(payload.to_string().as_bytes())
                .map_err(Failure::Payload)?,
            salt: recorder.ids().payload_salt().map_err(Failure::NoRandomness)?,
        };
        Ok(UnsealedEnvelope { fields, payload }.prepare().into())
    }
}
