//! `envelope import`: JSON Lines of drafts in bulk, one commit for many, in bounded memory.
//!
//! Whatever is acknowledged in the receipts file is durable. Importing the same input again counts what is
//! recorded and adds the rest. Under `record_anomaly` each refused line leaves an envelope of its own, under
//! an id that follows from the line, because loss is evidence too.

mod check;
mod prepare;
mod refused;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use recorder::{AppendError, Receipt, Recorder, Submission};
use recorder_core::hash::sha256;
use recorder_core::identity::{EnvelopeId, StreamId};
use recorder_core::limits::{BATCH_ENVELOPES_MAX, LINE_BYTES_MAX};
use recorder_core::time::UtcTimestamp;

use self::prepare::{Prepared, prepare};
use self::refused::Refused;
use super::record::repeated_time;
use crate::command::ingest::{Ingested, Refusal};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::{Locale, say};
use crate::lines::{Line, Lines};
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
            pending_times: BTreeMap::new(),
            receipts,
            fresh_ids: 0,
            records: 0,
            locale: context.locale(),
            imported: Ingested::default(),
        };
        if self.input == Path::new("-") {
            let progress =
                Progress::bytes(&context.output, say!(context.locale(), import.progress), None);
            let mut lines = Lines::new(io::stdin().lock(), LINE_BYTES_MAX);
            if importer.import(&mut lines, &progress)? == Flow::Stop {
                context.output.note(say!(context.locale(), import.line_refused));
                importer.records += lines.count_rest().map_err(Failure::Input)?;
            }
            importer.conclude(None);
        } else {
            importer.import_file(context, &self.input)?;
        }
        if importer.fresh_ids > 0 {
            let count = importer.fresh_ids;
            context.output.note(&say!(context.locale(), import.no_ids, count = count));
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

impl Pending {
    fn id(&self) -> EnvelopeId {
        self.submission.prepared.fields().envelope_id
    }
}

struct Importer<'a> {
    recorder: &'a Recorder,
    stream: &'a StreamId,
    policy: Policy,
    batch_max: usize,
    pending: Vec<Pending>,
    pending_bytes: usize,
    /// What waits, by id, and when it is claimed to have happened.
    pending_times: BTreeMap<EnvelopeId, UtcTimestamp>,
    receipts: Option<File>,
    fresh_ids: u64,
    records: u64,
    locale: Locale,
    imported: Ingested,
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
            let progress = Progress::bytes(
                &context.output,
                say!(self.locale, import.checking),
                Some(size_bytes),
            );
            let (recorder, stream) = (self.recorder, self.stream);
            let refuse = |refused: &Refused| self.imported.note(refused.anomaly());
            let input = BufReader::new(&file);
            records = Some(check::check_all(recorder, stream, input, &progress, refuse)?);
            file.rewind().map_err(failed)?;
        }
        if self.imported.anomalies.is_empty() {
            let progress = Progress::bytes(
                &context.output,
                say!(self.locale, import.progress),
                Some(size_bytes),
            );
            self.import(&mut Lines::new(BufReader::new(&file), LINE_BYTES_MAX), &progress)?;
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
            let rejected = imported.rejected;
            let message =
                say!(self.locale, import.holds_refused, recorded = recorded, rejected = rejected);
            let exit_code = Exit::Refused.code();
            imported.error = Some(Refusal { code: "import_refused", message, exit_code });
        }
    }

    fn import(
        &mut self,
        lines: &mut Lines<impl BufRead>,
        progress: &Progress,
    ) -> Result<Flow, Failure> {
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
                return Ok(flow);
            }
        }
        // A refusal by the store leaves the envelope of its anomaly to be recorded.
        while !self.pending.is_empty() && self.flush()? == Flow::Continue {}
        Ok(Flow::Continue)
    }

    /// Makes an envelope of a line, or says why not.
    fn prepare(&self, line: &Line<'_>) -> Result<Result<Prepared, Refused>, Failure> {
        prepare(line, self.recorder, &|id| match self.pending_times.get(&id) {
            Some(time) => Ok(Some(*time)),
            None => repeated_time(self.recorder, self.stream, id),
        })
    }

    /// Adds an envelope to the next commit, and commits when that is full.
    fn submit(&mut self, line: &Line<'_>, prepared: Prepared) -> Result<Flow, Failure> {
        let fields = prepared.envelope.fields();
        let (id, claimed_time) = (fields.envelope_id, fields.claimed_time);
        // One commit takes an id once; the repetition is answered by the next.
        if self.pending_times.contains_key(&id) && self.flush()? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        self.fresh_ids += u64::from(!prepared.has_id);
        self.pending_times.insert(id, claimed_time);
        let bytes = line.bytes.unwrap_or_default();
        self.pending_bytes += bytes.len();
        let line = Some((line.number, sha256(&[bytes])));
        self.pending.push(Pending { line, submission: prepared.envelope.into() });
        if self.pending.len() >= self.batch_max || self.pending_bytes >= BATCH_BYTES_MAX {
            return self.flush();
        }
        Ok(Flow::Continue)
    }

    /// Commits what waits. What the store refuses is taken out, and the rest is committed around it.
    fn flush(&mut self) -> Result<Flow, Failure> {
        self.pending_bytes = 0;
        self.pending_times.clear();
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
        self.imported.note(refused.anomaly());
        if self.policy == Policy::StrictFail {
            return Ok(Flow::Stop);
        }
        let envelope_id = refused.envelope_id(self.stream)?;
        let is_known = self.pending_times.contains_key(&envelope_id)
            || self.recorder.store().envelope(self.stream, envelope_id)?.is_some();
        if !is_known {
            let submission = refused.envelope(self.recorder, self.stream)?;
            let claimed_time = submission.prepared.fields().claimed_time;
            self.pending_times.insert(envelope_id, claimed_time);
            self.pending.push(Pending { line: None, submission });
        }
        Ok(Flow::Continue)
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
            let place = batch.iter().position(|pending| pending.id() == *envelope_id)?;
            (place, "attachment_missing")
        }
        AppendError::EventTypeReserved { index, .. } => (*index, "event_type_reserved"),
        AppendError::IdempotencyConflict { .. }
        | AppendError::RepeatedEnvelope { .. }
        | AppendError::AttachmentUnreferenced { .. }
        | AppendError::BatchTooLarge { .. }
        | AppendError::StreamFull
        | AppendError::SignerRequired
        | AppendError::QueueFull { .. }
        | AppendError::HeadMoved
        | AppendError::OutcomeUnknown(_)
        | AppendError::Latched
        | AppendError::Guard(_)
        | AppendError::Unguarded(_)
        | AppendError::Corrupt(_)
        | AppendError::Storage(_)
        | AppendError::Read(_)
        | AppendError::NoRandomness(_)
        | AppendError::Checkpoint(_) => return None,
    };
    let (line, digest) = batch.get(index)?.line?;
    Some((index, Refused::by_store(line, digest, code, error.to_string())))
}
