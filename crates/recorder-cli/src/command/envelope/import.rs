//! `envelope import`: JSON Lines of drafts in bulk, one commit for many, in bounded memory.
//!
//! Whatever is acknowledged in the receipts file is durable. Importing the same input again counts what is
//! recorded and adds the rest. Under `record_anomaly` each refused line leaves an envelope of its own, under
//! an id that follows from the line, because loss is evidence too.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use recorder::{AppendError, Receipt, Recorder, Submission};
use recorder_core::hash::{ContentHash, sha256};
use recorder_core::identity::{ActorId, EnvelopeId, EnvironmentId, EventType, StreamId};
use recorder_core::limits::{BATCH_ENVELOPES_MAX, FINDINGS_MAX, LINE_BYTES_MAX};
use recorder_envelope::attachment::AttachmentRefs;
use recorder_envelope::draft::{Draft, DraftDefaults, DraftError};
use recorder_envelope::envelope::{
    EnvelopeFields, ParentIds, PreparedEnvelope, SaltedPayload, SealedEnvelope, UnsealedEnvelope,
};
use recorder_envelope::json::CanonicalPayload;
use serde::Serialize;

use super::record::repeated_time;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::lines::{Line, Lines};
use crate::output::{Answer, Page, Tone};
use crate::progress::Progress;

/// Bytes of drafts that wait for one commit.
const BATCH_BYTES_MAX: usize = 8 << 20;

/// Records in bulk.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// JSON Lines, one draft each; - reads standard input
    #[arg(value_name = "FILE|-")]
    input: PathBuf,
    /// What a line that is refused means
    #[arg(long, value_enum, default_value_t = Policy::StrictFail)]
    policy: Policy,
    /// Write each receipt to this new file, after its commit
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
    /// Envelopes in one commit, at most
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..=BATCH_ENVELOPES_MAX as i64))]
    batch: u16,
}

/// What a line that is refused means.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Policy {
    /// Record nothing of a file that holds one; of standard input, nothing after it
    #[value(name = "strict_fail")]
    StrictFail,
    /// Record the rest, and an envelope that says what was lost
    #[value(name = "record_anomaly")]
    RecordAnomaly,
}

/// One line that was refused.
#[derive(Clone, Debug, Serialize)]
struct Anomaly {
    code: String,
    path: String,
    detail: String,
}

/// What became of the input.
#[derive(Default, Serialize)]
struct Imported {
    accepted: u64,
    rejected: u64,
    replayed: u64,
    anomalies: Vec<Anomaly>,
    #[serde(skip_serializing_if = "is_zero")]
    anomalies_omitted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
}

#[derive(Serialize)]
struct Refusal {
    code: &'static str,
    message: String,
    exit_code: u8,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Answer for Imported {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.field("accepted", &self.accepted.to_string())?;
        page.field("replayed", &self.replayed.to_string())?;
        page.field("rejected", &self.rejected.to_string())?;
        for anomaly in &self.anomalies {
            let place = format!("{}: ", anomaly.path);
            let code = format!(" [{}]", anomaly.code);
            page.pieces(&[
                (Tone::Warning, &place),
                (Tone::Plain, &anomaly.detail),
                (Tone::Faint, &code),
            ])?;
        }
        if self.anomalies_omitted > 0 {
            page.line(&format!("and {} more", self.anomalies_omitted))?;
        }
        match &self.error {
            Some(error) => page.pieces(&[(Tone::Bad, "refused: "), (Tone::Plain, &error.message)]),
            None => Ok(()),
        }
    }
}

/// Why a line is not recorded: the code, the byte within the line, what is wrong.
#[derive(Debug)]
struct Refused {
    code: String,
    line: u64,
    byte: Option<usize>,
    detail: String,
    /// Of the whole line, so that an anomaly can be told from another; `None` for a line that was not kept.
    digest: Option<[u8; 32]>,
}

impl Refused {
    fn anomaly(&self) -> Anomaly {
        let path = match self.byte {
            Some(byte) => format!("line {}, byte {byte}", self.line),
            None => format!("line {}", self.line),
        };
        Anomaly { code: self.code.clone(), path, detail: self.detail.clone() }
    }
}

impl Imported {
    fn note(&mut self, refused: &Refused) {
        if self.anomalies.len() < FINDINGS_MAX {
            self.anomalies.push(refused.anomaly());
        } else {
            self.anomalies_omitted += 1;
        }
    }
}

impl Import {
    /// Imports and says what became of each line.
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = context.settings()?;
        let recorder = context.recorder(&settings)?;
        let receipts = self.receipts.as_deref().map(create_receipts).transpose()?;
        let mut importer = Importer {
            recorder: &recorder,
            stream: &settings.stream,
            policy: self.policy,
            batch_max: usize::from(self.batch),
            pending: Vec::new(),
            pending_bytes: 0,
            pending_ids: BTreeSet::new(),
            receipts,
            fresh_ids: 0,
            records: 0,
            imported: Imported::default(),
        };
        if self.input == Path::new("-") {
            let progress = Progress::bytes(&context.output, "importing", None);
            importer.import(io::stdin().lock(), &progress)?;
            importer.conclude(None);
        } else {
            importer.import_file(context, &self.input)?;
        }
        if importer.fresh_ids > 0 {
            context.output.note(&format!(
                "{} records had no envelope_id; importing them again would record them again",
                importer.fresh_ids
            ));
        }
        context.output.answer(&importer.imported)?;
        Ok(if importer.imported.error.is_some() { Exit::Refused } else { Exit::Done })
    }
}

/// A new file for receipts; appending would mix those of two runs.
fn create_receipts(path: &Path) -> Result<File, Failure> {
    File::options().write(true).create_new(true).open(path).map_err(|source| {
        let path = path.display().to_string();
        match source.kind() {
            io::ErrorKind::AlreadyExists => Failure::Exists { what: path },
            _ => Failure::Path { path, source },
        }
    })
}

/// What waits for the next commit.
#[derive(Clone)]
struct Pending {
    /// The line; `None` for the envelope of an anomaly.
    line: Option<(u64, [u8; 32])>,
    submission: Submission,
}

struct Importer<'a> {
    recorder: &'a Recorder,
    stream: &'a StreamId,
    policy: Policy,
    batch_max: usize,
    pending: Vec<Pending>,
    pending_bytes: usize,
    pending_ids: BTreeSet<EnvelopeId>,
    receipts: Option<File>,
    fresh_ids: u64,
    records: u64,
    imported: Imported,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flow {
    Continue,
    Stop,
}

impl Importer<'_> {
    fn import_file(&mut self, context: &Context, path: &Path) -> Result<(), Failure> {
        let mut file = recorder_fs::open_read(path)?;
        let failed = |source| Failure::Path { path: path.display().to_string(), source };
        let size_bytes = file.metadata().map_err(failed)?.len();
        let mut records = None;
        if self.policy == Policy::StrictFail {
            let progress = Progress::bytes(&context.output, "checking", Some(size_bytes));
            records = Some(self.check_all(BufReader::new(&file), &progress)?);
            file.rewind().map_err(failed)?;
        }
        if self.imported.anomalies.is_empty() {
            let progress = Progress::bytes(&context.output, "importing", Some(size_bytes));
            self.import(BufReader::new(&file), &progress)?;
        }
        self.conclude(records);
        Ok(())
    }

    /// Counts what was not recorded of the records of the input: those read, where nobody counted them before.
    fn conclude(&mut self, records: Option<u64>) {
        let imported = &mut self.imported;
        let recorded = imported.accepted + imported.replayed;
        imported.rejected = records.unwrap_or(self.records).saturating_sub(recorded);
        if self.policy == Policy::StrictFail && !imported.anomalies.is_empty() {
            let message = format!(
                "the input holds lines that are refused; {recorded} records are recorded, \
                 {} are not",
                imported.rejected
            );
            let exit_code = Exit::Refused.code();
            imported.error = Some(Refusal { code: "import_refused", message, exit_code });
        }
    }

    /// Checks every line without writing, and counts them.
    fn check_all(&mut self, input: impl BufRead, progress: &Progress) -> Result<u64, Failure> {
        let mut lines = Lines::new(input, LINE_BYTES_MAX);
        let mut count = 0;
        while let Some(line) = lines.next().map_err(Failure::Input)? {
            count += 1;
            let checked = match self.prepare(&line)? {
                Ok(prepared) => self.check_against_store(&line, &prepared)?,
                Err(refused) => Err(refused),
            };
            if let Err(refused) = checked {
                self.imported.note(&refused);
            }
            progress.set(lines.offset());
        }
        self.fresh_ids = 0;
        Ok(count)
    }

    /// Whether the store would take this line.
    fn check_against_store(
        &self,
        line: &Line<'_>,
        prepared: &PreparedEnvelope,
    ) -> Result<Result<(), Refused>, Failure> {
        let store = self.recorder.store();
        let fields = prepared.fields();
        if let Some(stored) = store.envelope(self.stream, fields.envelope_id)? {
            let refused = (!says_the_same(&stored, prepared)).then(|| conflict(line, fields));
            return Ok(refused.map_or(Ok(()), Err));
        }
        for reference in fields.attachment_refs.as_slice() {
            if store.attachment(&reference.content_hash)?.is_none() {
                let detail = format!("attachment {} is not stored", reference.content_hash);
                return Ok(Err(refusal(line, "attachment_missing", None, detail)));
            }
        }
        Ok(Ok(()))
    }

    fn import(&mut self, input: impl BufRead, progress: &Progress) -> Result<(), Failure> {
        let mut lines = Lines::new(input, LINE_BYTES_MAX);
        while let Some(line) = lines.next().map_err(Failure::Input)? {
            self.records += 1;
            let flow = match self.prepare(&line)? {
                Ok(prepared) => self.submit(&line, prepared)?,
                Err(refused) => {
                    // What was read before it is recorded before it, and before the end that it may be.
                    let before = self.flush()?;
                    if before == Flow::Stop { before } else { self.reject(&refused)? }
                }
            };
            progress.set(lines.offset());
            if flow == Flow::Stop {
                return Ok(());
            }
        }
        // A refusal by the store leaves the envelope of its anomaly to be recorded.
        while !self.pending.is_empty() && self.flush()? == Flow::Continue {}
        Ok(())
    }

    /// Makes an envelope of a line, or says why not.
    fn prepare(&mut self, line: &Line<'_>) -> Result<Result<PreparedEnvelope, Refused>, Failure> {
        let Some(bytes) = line.bytes else {
            let detail = format!("more than {LINE_BYTES_MAX} bytes");
            return Ok(Err(refusal(line, "line_too_long", None, detail)));
        };
        let draft = match Draft::parse(bytes) {
            Ok(draft) => draft,
            Err(error) => return Ok(Err(draft_refusal(line, &error, 0))),
        };
        let payload_at = draft.payload.get().as_ptr().addr() - bytes.as_ptr().addr();
        let (ids, now) = (self.recorder.ids(), self.recorder.clock().now());
        let envelope_id = match draft.envelope_id {
            Some(id) => id,
            None => {
                self.fresh_ids += 1;
                ids.envelope_id(now).map_err(Failure::NoRandomness)?
            }
        };
        let payload_salt = match draft.payload_salt {
            Some(salt) => salt,
            None => ids.payload_salt().map_err(Failure::NoRandomness)?,
        };
        let claimed_time = match (draft.claimed_time, draft.envelope_id) {
            (None, Some(id)) => repeated_time(self.recorder, self.stream, id)?,
            (Some(_), _) | (None, None) => None,
        };
        let completed = draft.complete(&mut DraftDefaults {
            envelope_id: &mut || envelope_id,
            payload_salt: &mut || payload_salt,
            claimed_time: &mut || claimed_time.unwrap_or_else(|| now.into()),
        });
        Ok(match completed {
            Ok(unsealed) => Ok(unsealed.prepare()),
            Err(error) => Err(draft_refusal(line, &error, payload_at)),
        })
    }

    /// Adds an envelope to the next commit, and commits when that is full.
    fn submit(&mut self, line: &Line<'_>, prepared: PreparedEnvelope) -> Result<Flow, Failure> {
        let id = prepared.fields().envelope_id;
        let digest = sha256(&[line.bytes.unwrap_or_default()]);
        let repeated = !self.pending_ids.insert(id);
        if repeated && self.flush()? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        self.pending_ids.insert(id);
        self.pending_bytes += line.bytes.map_or(0, <[u8]>::len);
        let line = Some((line.number, digest));
        self.pending.push(Pending { line, submission: prepared.into() });
        if self.pending.len() >= self.batch_max || self.pending_bytes >= BATCH_BYTES_MAX {
            return self.flush();
        }
        Ok(Flow::Continue)
    }

    /// Commits what waits. What the store refuses is taken out, and the rest is committed around it.
    fn flush(&mut self) -> Result<Flow, Failure> {
        self.pending_bytes = 0;
        self.pending_ids.clear();
        let mut work = vec![Work::Commit(std::mem::take(&mut self.pending))];
        while let Some(next) = work.pop() {
            match next {
                Work::Commit(batch) => self.commit(batch, &mut work)?,
                Work::Refuse(refused) => {
                    if self.reject(&refused)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
        }
        Ok(Flow::Continue)
    }

    /// Commits a batch, or leaves on `work` what must happen instead, the first of it last.
    fn commit(&mut self, mut batch: Vec<Pending>, work: &mut Vec<Work>) -> Result<(), Failure> {
        let submissions = batch.iter().map(|pending| pending.submission.clone()).collect();
        match self.recorder.append_batch(&self.stream.tenant_id, submissions) {
            Ok(receipts) => self.acknowledge(&batch, &receipts),
            Err(error) => {
                let Some((index, refused)) = refused_line(&batch, &error) else {
                    return Err(Failure::Append(error));
                };
                let mut after = batch.split_off(index);
                after.remove(0);
                work.extend([Work::Commit(after), Work::Refuse(refused), Work::Commit(batch)]);
                Ok(())
            }
        }
    }

    fn acknowledge(&mut self, batch: &[Pending], receipts: &[Receipt]) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for (_, receipt) in batch.iter().zip(receipts).filter(|(p, _)| p.line.is_some()) {
            match receipt.replayed {
                true => self.imported.replayed += 1,
                false => self.imported.accepted += 1,
            }
            serde_json::to_writer(&mut lines, receipt)
                .map_err(|error| Failure::Internal(error.to_string()))?;
            lines.push(b'\n');
        }
        match &mut self.receipts {
            Some(file) => file.write_all(&lines).map_err(Failure::Receipts),
            None => Ok(()),
        }
    }

    /// Notes a refused line: the end under `strict_fail`, an envelope of its own under `record_anomaly`.
    fn reject(&mut self, refused: &Refused) -> Result<Flow, Failure> {
        self.imported.note(refused);
        if self.policy == Policy::StrictFail {
            return Ok(Flow::Stop);
        }
        let envelope_id = anomaly_id(self.stream, refused)?;
        let is_known = self.pending_ids.contains(&envelope_id)
            || self.recorder.store().envelope(self.stream, envelope_id)?.is_some();
        if !is_known {
            let submission = self.anomaly_envelope(envelope_id, refused)?;
            self.pending_ids.insert(envelope_id);
            self.pending.push(Pending { line: None, submission });
        }
        Ok(Flow::Continue)
    }

    fn anomaly_envelope(
        &self,
        envelope_id: EnvelopeId,
        refused: &Refused,
    ) -> Result<Submission, Failure> {
        let internal = |error: &dyn std::fmt::Display| Failure::Internal(error.to_string());
        let payload = serde_json::json!({
            "byte": refused.byte,
            "code": refused.code,
            "detail": refused.detail,
            "line": refused.line,
            "line_sha256": refused.digest.map(|digest| ContentHash::from_bytes(digest).to_string()),
        });
        let unsealed = UnsealedEnvelope {
            fields: EnvelopeFields {
                envelope_id,
                event_type: EventType::new("system.import.anomaly").map_err(|e| internal(&e))?,
                actor_id: ActorId::new(self.stream.recorder_id.as_str())
                    .map_err(|e| internal(&e))?,
                environment_id: EnvironmentId::new("import").map_err(|e| internal(&e))?,
                claimed_time: self.recorder.clock().now().into(),
                trace_id: None,
                session_id: None,
                parent_ids: ParentIds::default(),
                attachment_refs: AttachmentRefs::default(),
            },
            payload: SaltedPayload {
                payload: CanonicalPayload::parse(payload.to_string().as_bytes())
                    .map_err(|e| internal(&e))?,
                salt: self.recorder.ids().payload_salt().map_err(Failure::NoRandomness)?,
            },
        };
        Ok(unsealed.prepare().into())
    }
}

/// What remains to be done of a batch.
enum Work {
    Commit(Vec<Pending>),
    Refuse(Refused),
}

/// The envelope of a batch that an error is about; `None` where it is about none of them.
fn refused_line(batch: &[Pending], error: &AppendError) -> Option<(usize, Refused)> {
    let (index, code) = match error {
        AppendError::EnvelopeConflict { index, .. } => (*index, "envelope_conflict"),
        AppendError::AttachmentMissing { envelope_id, .. } => {
            let is_it = |pending: &Pending| {
                pending.submission.prepared.fields().envelope_id == *envelope_id
            };
            (batch.iter().position(is_it)?, "attachment_missing")
        }
        AppendError::RepeatedEnvelope { .. }
        | AppendError::AttachmentUnreferenced { .. }
        | AppendError::BatchTooLarge { .. }
        | AppendError::StreamFull
        | AppendError::SignerRequired
        | AppendError::Checkpoint(_)
        | AppendError::QueueFull { .. }
        | AppendError::HeadMoved
        | AppendError::OutcomeUnknown(_)
        | AppendError::Latched
        | AppendError::Corrupt(_)
        | AppendError::Storage(_)
        | AppendError::Read(_)
        | AppendError::NoRandomness(_) => return None,
    };
    let (line, digest) = batch.get(index)?.line?;
    let refused = Refused {
        code: code.to_owned(),
        line,
        byte: None,
        detail: error.to_string(),
        digest: Some(digest),
    };
    Some((index, refused))
}

fn refusal(line: &Line<'_>, code: &str, byte: Option<usize>, detail: String) -> Refused {
    let digest = line.bytes.map(|bytes| sha256(&[bytes]));
    Refused { code: code.to_owned(), line: line.number, byte, detail, digest }
}

fn conflict(line: &Line<'_>, fields: &EnvelopeFields) -> Refused {
    let detail = format!("envelope {} is in the stream with other content", fields.envelope_id);
    refusal(line, "envelope_conflict", None, detail)
}

fn draft_refusal(line: &Line<'_>, error: &DraftError, payload_at: usize) -> Refused {
    let (code, byte) = match error {
        DraftError::Form(form) => ("draft_form".to_owned(), form.column().checked_sub(1)),
        DraftError::Payload(json) => {
            (format!("payload_{}", json.kind.code()), Some(payload_at + json.offset))
        }
        DraftError::SchemaVersion { .. } => ("schema_version".to_owned(), None),
        DraftError::ParentIds(_) => ("parent_ids".to_owned(), None),
        DraftError::AttachmentRefs(_) => ("attachment_refs".to_owned(), None),
    };
    let detail = match error {
        // Its own place counts from the payload's beginning, ours from the line's.
        DraftError::Payload(json) => format!("payload: {}", json.kind),
        DraftError::Form(_)
        | DraftError::SchemaVersion { .. }
        | DraftError::ParentIds(_)
        | DraftError::AttachmentRefs(_) => error.to_string(),
    };
    refusal(line, &code, byte, detail)
}

/// Whether a stored envelope says what a draft says; a salt that was made up here is no difference.
fn says_the_same(stored: &SealedEnvelope, prepared: &PreparedEnvelope) -> bool {
    let same_payload = |salted: &SaltedPayload| salted.payload == prepared.payload().payload;
    stored.content_hash == prepared.content_hash()
        || stored.fields == *prepared.fields() && stored.payload.as_ref().is_some_and(same_payload)
}

/// The id of a line's anomaly: the same line of the same input is reported once, however often it is imported.
fn anomaly_id(stream: &StreamId, refused: &Refused) -> Result<EnvelopeId, Failure> {
    let digest = sha256(&[
        b"recorder import anomaly v1\n",
        stream.tenant_id.as_str().as_bytes(),
        b"\n",
        &refused.line.to_be_bytes(),
        &refused.digest.unwrap_or_default(),
    ]);
    let mut bytes = [0; 16];
    // A UUIDv7 of the year 1970: version and variant as RFC 9562 says, the rest from the digest.
    bytes[6..].copy_from_slice(&digest[..10]);
    bytes[6] = 0x70 | bytes[6] & 0x0f;
    bytes[8] = 0x80 | bytes[8] & 0x3f;
    EnvelopeId::from_bytes(bytes).map_err(Failure::Identity)
}
