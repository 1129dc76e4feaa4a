//! What the commands of adapters share: from an adapter's outcome to commits, and the one answer.
//!
//! Everything is compared with the store before the first write, so that under `strict_fail` nothing is recorded of an
//! input that contradicts what is recorded. What is recorded already with equal content is a replay. Under
//! `record_anomaly` each contradiction leaves an envelope of its own. Deliberately absent: any
//! knowledge of a source.

use std::collections::BTreeMap;
use std::io;

use clap::ValueEnum;
use recorder::{AppendError, Recorder, Submission, is_reserved_event_type};
use recorder_core::hash::ContentHash;
use recorder_core::identity::{EnvelopeId, EventType, StreamId};
use recorder_core::limits::FINDINGS_MAX;
use recorder_envelope::adapter::{
    self, Contradiction, ContradictionError, Event, Outcome, Problems, Refused, SaltKey,
};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::i18n::texts::label;
use crate::i18n::{Locale, say};
use crate::output::{Answer, Page, Tone};
use crate::progress::Progress;

/// Envelopes of one commit.
const BATCH_ENVELOPES: usize = 512;

/// Bytes of payloads and attachments that one commit waits for.
const BATCH_BYTES: usize = 8 << 20;

/// What a record that is refused means.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Policy {
    /// Record nothing of an input that holds one
    #[value(name = "strict_fail")]
    StrictFail,
    /// Record the rest, and an envelope that says what was lost
    #[value(name = "record_anomaly")]
    RecordAnomaly,
}

impl From<Policy> for adapter::Policy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::StrictFail => Self::StrictFail,
            Policy::RecordAnomaly => Self::RecordAnomaly,
        }
    }
}

/// One thing that is wrong, as answers name it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Anomaly {
    /// The stable name of what is wrong.
    pub(crate) code: String,
    /// Where in the input.
    pub(crate) path: String,
    /// For people.
    pub(crate) detail: String,
}

impl From<adapter::Anomaly> for Anomaly {
    fn from(anomaly: adapter::Anomaly) -> Self {
        let adapter::Anomaly { code, path, detail } = anomaly;
        Self { code: code.to_owned(), path: path.into(), detail: detail.into() }
    }
}

/// What became of an input: `accepted`, `rejected`, `replayed` and `skipped` make up its records.
#[derive(Default, Serialize)]
pub(crate) struct Ingested {
    /// Recorded now.
    pub(crate) accepted: u64,
    /// Not recorded.
    pub(crate) rejected: u64,
    /// Recorded before.
    pub(crate) replayed: u64,
    /// Of a kind that the adapter's contract leaves out.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) skipped: u64,
    /// What was wrong, the first of it.
    pub(crate) anomalies: Vec<Anomaly>,
    /// What else was wrong.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) anomalies_omitted: u64,
    /// Why nothing, or not all, was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Refusal>,
    /// Events so far: places of contradictions are counted from the start of the input.
    #[serde(skip)]
    events: usize,
}

/// Why nothing, or not all, was recorded.
#[derive(Serialize)]
pub(crate) struct Refusal {
    /// Stable; scripts may match on it.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
    /// The exit code of the run.
    pub(crate) exit_code: u8,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Answer for Ingested {
    fn print(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.field(&label::accepted, &self.accepted.to_string())?;
        page.field(&label::replayed, &self.replayed.to_string())?;
        page.field(&label::rejected, &self.rejected.to_string())?;
        if self.skipped > 0 {
            page.field(&label::skipped, &self.skipped.to_string())?;
        }
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
            let more = say!(page.locale(), ingest.more, count = self.anomalies_omitted);
            page.line(&more)?;
        }
        match &self.error {
            Some(error) => {
                let refused = format!("{}: ", say!(page.locale(), ingest.refused));
                page.pieces(&[(Tone::Bad, &refused), (Tone::Plain, &error.message)])
            }
            None => Ok(()),
        }
    }
}

impl Ingested {
    /// Takes what an adapter found wrong.
    fn of_problems(problems: Problems) -> Self {
        let mut ingested = Self::default();
        ingested.end(0, 0, problems);
        ingested
    }

    /// Adds what an adapter says at the end of its input.
    pub(crate) fn end(&mut self, rejected: u64, skipped: u64, problems: Problems) {
        self.rejected += rejected;
        self.skipped += skipped;
        problems.named.into_iter().for_each(|anomaly| self.note(anomaly.into()));
        self.anomalies_omitted += problems.more;
    }

    /// Answers what became of the input, and ends the run.
    ///
    /// # Errors
    ///
    /// `Failure` where the answer cannot be written.
    pub(crate) fn answer(&self, context: &Context) -> Result<Exit, Failure> {
        context.output.answer(self)?;
        Ok(if self.error.is_some() { Exit::Refused } else { Exit::Done })
    }

    /// Adds what is wrong.
    pub(crate) fn note(&mut self, anomaly: Anomaly) {
        if self.anomalies.len() < FINDINGS_MAX {
            self.anomalies.push(anomaly);
        } else {
            self.anomalies_omitted += 1;
        }
    }

    fn refuse(&mut self, code: &'static str, received: u64, locale: Locale) {
        let message = say!(locale, ingest.nothing_recorded).to_owned();
        let exit_code = Exit::Refused.code();
        *self = Self {
            rejected: received,
            anomalies: std::mem::take(&mut self.anomalies),
            anomalies_omitted: self.anomalies_omitted,
            error: Some(Refusal { code, message, exit_code }),
            ..Self::default()
        };
    }
}

/// How an outcome is recorded.
pub(crate) struct Ingest<'a> {
    /// The only writer.
    pub(crate) recorder: &'a Recorder,
    /// Where the envelopes go.
    pub(crate) stream: &'a StreamId,
    /// Salts the envelopes of contradictions.
    pub(crate) salt_key: &'a SaltKey,
    /// What a record that contradicts what is recorded means.
    pub(crate) policy: Policy,
    /// Whether an event of this type stands for a record of the input, and not for what was wrong with one.
    pub(crate) is_record: fn(&EventType) -> bool,
}

impl Ingest<'_> {
    /// Records an outcome, answers what became of it, and ends the run.
    ///
    /// # Errors
    ///
    /// `Failure` where the store cannot be read or written.
    pub(crate) fn run(
        &self,
        context: &Context,
        outcome: Result<Outcome, Refused>,
    ) -> Result<Exit, Failure> {
        let ingested = self.record(context, outcome)?;
        ingested.answer(context)
    }

    fn record(
        &self,
        context: &Context,
        outcome: Result<Outcome, Refused>,
    ) -> Result<Ingested, Failure> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Refused { problems, received }) => {
                let mut ingested = Ingested::of_problems(problems);
                ingested.refuse("input_refused", received, context.locale());
                return Ok(ingested);
            }
        };
        let received = outcome.received();
        let mut ingested = Ingested::default();
        let compared = self.compare(outcome.events, 0)?;
        if !compared.contradictions.is_empty() && self.policy == Policy::StrictFail {
            ingested.end(outcome.rejected, outcome.skipped, outcome.problems);
            let contradictions = compared.contradictions.iter();
            contradictions.for_each(|contradiction| ingested.note(contradiction.anomaly()));
            ingested.refuse("input_refused", received, context.locale());
            return Ok(ingested);
        }
        let progress = Progress::count(&context.output, say!(context.locale(), ingest.progress));
        ingested.end(outcome.rejected, outcome.skipped, outcome.problems);
        self.append(compared, &mut ingested, |done| progress.set(done))?;
        Ok(ingested)
    }

    /// Records events of an input that goes on, whatever the policy: what contradicts the record leaves an envelope.
    ///
    /// # Errors
    ///
    /// `Failure` where the store cannot be read or written.
    pub(crate) fn part(&self, events: Vec<Event>, ingested: &mut Ingested) -> Result<(), Failure> {
        let count = events.len();
        let compared = self.compare(events, ingested.events)?;
        ingested.events += count;
        self.append(compared, ingested, |_| ())
    }

    /// Compares each event with the store and with those before it.
    fn compare(&self, events: Vec<Event>, first_index: usize) -> Result<Comparison, Failure> {
        let mut comparison = Comparison::default();
        let mut seen: BTreeMap<EnvelopeId, ContentHash> = BTreeMap::new();
        for (index, event) in (first_index..).zip(events) {
            let fields = &event.envelope.fields;
            let (id, is_record) = (fields.envelope_id, (self.is_record)(&fields.event_type));
            if is_reserved_event_type(&fields.event_type) {
                let why = Contradiction::Reserved { envelope_id: id };
                comparison.contradictions.push(Refuted { index, is_record, why });
                continue;
            }
            let Event { envelope, attachments } = event;
            let prepared = envelope.prepare();
            let content_hash = prepared.content_hash();
            let stored = self.recorder.store().envelope(self.stream, id)?;
            let first = seen.get(&id).copied().or(stored.map(|stored| stored.content_hash));
            match first {
                Some(first) if first != content_hash => {
                    let why = Contradiction::Recorded { envelope_id: id, content_hash };
                    comparison.contradictions.push(Refuted { index, is_record, why });
                }
                // One commit takes an id once.
                Some(_) if seen.contains_key(&id) => comparison.repeated += u64::from(is_record),
                Some(_) | None => {
                    seen.insert(id, content_hash);
                    let submission = Submission { prepared, attachments };
                    comparison.events.push(Compared { submission, is_record });
                }
            }
        }
        Ok(comparison)
    }

    /// Records what was compared, and what contradicts as an envelope of its own; `progress` hears how many are done.
    fn append(
        &self,
        compared: Comparison,
        ingested: &mut Ingested,
        progress: impl Fn(u64),
    ) -> Result<(), Failure> {
        let Comparison { mut events, repeated, contradictions } = compared;
        ingested.replayed += repeated;
        for contradiction in &contradictions {
            ingested.rejected += u64::from(contradiction.is_record);
            ingested.note(contradiction.anomaly());
            let submission = contradiction.event(self.stream, self.salt_key)?;
            events.push(Compared { submission, is_record: false });
        }
        let (mut batch, mut bytes, mut done) = (Vec::new(), 0, 0);
        for event in events {
            bytes += event.bytes();
            batch.push(event);
            if batch.len() == BATCH_ENVELOPES || bytes >= BATCH_BYTES {
                done += batch.len() as u64;
                self.commit(std::mem::take(&mut batch), ingested)?;
                bytes = 0;
                progress(done);
            }
        }
        self.commit(batch, ingested)
    }

    fn commit(&self, batch: Vec<Compared>, ingested: &mut Ingested) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        let are_records: Vec<bool> = batch.iter().map(|event| event.is_record).collect();
        let submissions = batch.into_iter().map(|compared| compared.submission);
        let receipts = self
            .recorder
            .append_batch(&self.stream.tenant_id, submissions.collect())
            .map_err(|error: AppendError| Failure::Append(error))?;
        for receipt in receipts.iter().zip(are_records).filter_map(|(r, is)| is.then_some(r)) {
            match receipt.replayed {
                true => ingested.replayed += 1,
                false => ingested.accepted += 1,
            }
        }
        Ok(())
    }
}

/// What comparing came to.
#[derive(Default)]
struct Comparison {
    events: Vec<Compared>,
    /// Records that stand in the input twice with equal content.
    repeated: u64,
    contradictions: Vec<Refuted>,
}

struct Compared {
    submission: Submission,
    is_record: bool,
}

impl Compared {
    fn bytes(&self) -> usize {
        let Submission { prepared, attachments } = &self.submission;
        let attachments = attachments.iter().map(|attachment| attachment.bytes().len());
        prepared.payload().payload.as_bytes().len() + attachments.sum::<usize>()
    }
}

/// An event that cannot be recorded.
struct Refuted {
    /// Among the events of the input, from 0.
    index: usize,
    is_record: bool,
    why: Contradiction,
}

impl Refuted {
    fn anomaly(&self) -> Anomaly {
        let path = format!("event {}", self.index + 1);
        Anomaly { code: self.why.code().to_owned(), path, detail: self.why.detail() }
    }

    /// The envelope that says so. The same contradiction is the same envelope, however often it comes.
    fn event(&self, stream: &StreamId, salt_key: &SaltKey) -> Result<Submission, Failure> {
        let envelope = self.why.envelope(stream, salt_key).map_err(|error| match error {
            ContradictionError::Identity(error) => Failure::Identity(error),
            ContradictionError::Payload(error) => Failure::Payload(error),
        })?;
        Ok(envelope.prepare().into())
    }
}
