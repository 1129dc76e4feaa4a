//! The way in: whoever gets the writer commits everything that waits.
//!
//! While one commit waits for the disk the next batch collects; no timer decides. Envelopes are moved, never
//! copied: a commit shares them with the caller, who takes them back out of a commit that was refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use recorder_core::hash::AttachmentHash;
use recorder_core::identity::{EnvelopeId, EventType, StreamId, TenantId};
use recorder_core::limits::{BATCH_ENVELOPES_MAX, STORE_QUEUE_MAX};
use recorder_envelope::attachment::Attachment;
use recorder_envelope::envelope::{PreparedEnvelope, SealedEnvelope, UnsealedEnvelope};
use recorder_envelope::rotation::RotationKind;
use recorder_store::{CommitError, Corruption};

use super::{Failed, Recorder, Submission, Writer, lock, refusal};
use crate::error::AppendError;
use crate::receipt::Receipt;

/// One call of `append_batch` that waits for the writer.
pub(super) struct Waiting {
    stream: StreamId,
    submissions: Mutex<Vec<Submission>>,
    answer: Mutex<Option<Answer>>,
}

type Answer = Result<Vec<Receipt>, AppendError>;

/// A batch that was not recorded: whole again where the store refused it, empty where it could not be planned.
struct Refused {
    cause: Cause,
    submissions: Vec<Submission>,
}

/// What stopped a commit: ids that are in the stream already, or an error.
enum Cause {
    Known(Vec<EnvelopeId>),
    Error(AppendError),
}

impl Refused {
    fn new(error: AppendError, submissions: Vec<Submission>) -> Self {
        Self { cause: Cause::Error(error), submissions }
    }
}

/// The thread that held the batch panicked. What became of the batch nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("the thread that wrote the batch panicked")]
struct WriterPanicked;

impl Recorder {
    /// Records `submissions` in order, all or none: the only way in.
    ///
    /// An envelope whose id is in the stream with equal content is answered with its first receipt; a salt that
    /// differs does not make the content differ. Receipts are given only after the commit returned.
    ///
    /// # Errors
    ///
    /// `AppendError`; only `OutcomeUnknown` may have written something, and only `Unguarded` has.
    pub fn append_batch(
        &self,
        tenant_id: &TenantId,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Receipt>, AppendError> {
        if submissions.is_empty() {
            return Ok(Vec::new());
        }
        check_batch(&submissions)?;
        let waiting = Arc::new(Waiting {
            stream: self.stream_of(tenant_id),
            submissions: Mutex::new(submissions),
            answer: Mutex::new(None),
        });
        self.enqueue(&waiting)?;
        let mut writer = self.lock_writer();
        // Whoever held the writer before may have committed this batch along with its own.
        if lock(&waiting.answer).is_none() {
            let round = std::mem::take(&mut *lock(&self.queue));
            self.commit_round(&mut writer, round);
        }
        drop(writer);
        let answer = lock(&waiting.answer).take();
        answer.unwrap_or_else(|| {
            Err(AppendError::OutcomeUnknown(CommitError::OutcomeUnknown(Arc::new(WriterPanicked))))
        })
    }

    fn enqueue(&self, waiting: &Arc<Waiting>) -> Result<(), AppendError> {
        let mut queue = lock(&self.queue);
        if queue.len() >= STORE_QUEUE_MAX {
            return Err(AppendError::QueueFull { capacity: STORE_QUEUE_MAX });
        }
        queue.push(Arc::clone(waiting));
        Ok(())
    }

    /// Commits everything that waits, each stream's batches in the order of their arrival.
    fn commit_round(&self, writer: &mut Writer, mut round: Vec<Arc<Waiting>>) {
        round.sort_by(|a, b| a.stream.cmp(&b.stream));
        let mut rest = round.as_slice();
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_length(rest));
            self.commit_group(writer, group);
            rest = later;
        }
    }

    /// Commits a group as one; where that is refused, each alone, so that one caller's fault is not another's.
    fn commit_group(&self, writer: &mut Writer, group: &[Arc<Waiting>]) {
        let mut counts = Vec::with_capacity(group.len());
        let mut together = Vec::new();
        for waiting in group {
            let mut submissions = lock(&waiting.submissions);
            counts.push(submissions.len());
            together.append(&mut submissions);
        }
        let stream = &group[0].stream;
        let answers: Vec<Answer> = match self.commit_batch(writer, stream, together) {
            Ok(receipts) => split(receipts, &counts).map(Ok).collect(),
            Err(Refused { cause, submissions }) => {
                let error = error_of(writer, cause);
                // A commit that could not be planned takes the batch with it: nobody can be tried alone.
                let whole = submissions.len() == counts.iter().sum::<usize>();
                if writer.latched || group.len() == 1 || !whole {
                    vec![Err(error); group.len()]
                } else {
                    split(submissions, &counts)
                        .map(|batch| self.commit_alone(writer, stream, batch))
                        .collect()
                }
            }
        };
        for (waiting, answer) in group.iter().zip(answers) {
            *lock(&waiting.answer) = Some(answer);
        }
    }

    fn commit_alone(
        &self,
        writer: &mut Writer,
        stream: &StreamId,
        submissions: Vec<Submission>,
    ) -> Answer {
        self.commit_batch(writer, stream, submissions)
            .map_err(|refused| error_of(writer, refused.cause))
    }

    /// Commits one batch; ids that are in the stream already become replays.
    fn commit_batch(
        &self,
        writer: &mut Writer,
        stream: &StreamId,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Receipt>, Refused> {
        // Ids are looked up only after the store refused them: nearly every batch is new.
        let (ids, submissions) = match self.try_commit(writer, stream, submissions) {
            Err(Refused { cause: Cause::Known(ids), submissions }) => (ids, submissions),
            answer => return answer,
        };
        let replays = match self.replays(stream, &submissions, &ids) {
            Ok(replays) => replays,
            Err(error) => return Err(Refused::new(error, submissions)),
        };
        let is_known = |submission: &Submission| replays.contains_key(&id_of(submission));
        let known = submissions.iter().map(is_known).collect::<Vec<_>>();
        let (repeated, fresh): (Vec<_>, Vec<_>) = submissions.into_iter().partition(is_known);
        if fresh.is_empty() {
            let receipts = repeated.iter().filter_map(|known| replays.get(&id_of(known)).cloned());
            return Ok(receipts.collect());
        }
        let first = repeated.iter().filter_map(|known| replays.get(&id_of(known)).cloned());
        let first = first.collect::<Vec<_>>();
        match self.try_commit(writer, stream, fresh) {
            Ok(receipts) => Ok(interleave(&known, first, receipts)),
            Err(Refused { cause, submissions }) => {
                Err(Refused { cause, submissions: interleave(&known, repeated, submissions) })
            }
        }
    }

    /// Plans and commits `submissions`, none of which may be in the stream.
    fn try_commit(
        &self,
        writer: &mut Writer,
        stream: &StreamId,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Receipt>, Refused> {
        let mut state = match self.state(writer, stream) {
            Ok(state) => state,
            Err(error) => return Err(Refused::new(error, submissions)),
        };
        let expected = state.expected();
        let attachments = distinct_attachments(&submissions);
        let mut sources = Vec::with_capacity(submissions.len());
        let prepared = submissions.into_iter().map(|Submission { prepared, attachments }| {
            sources.push(attachments);
            prepared
        });
        let prepared = prepared.collect::<Vec<PreparedEnvelope>>();
        let planned = self
            .plan(&mut state, |state, planner, plan| state.plan_append(prepared, planner, plan));
        let plan = planned.map_err(|error| Refused::new(error, Vec::new()))?;
        let appended = plan.appended();
        match self.commit_plan(writer, state, expected, plan, attachments) {
            Ok(()) => Ok(self.receipts(&appended)),
            Err(Failed::Commit(CommitError::EnvelopesExist { ids })) => {
                let submissions = unsealed(appended, sources);
                Err(Refused { cause: Cause::Known(ids), submissions })
            }
            Err(error) => Err(Refused::new(refusal(writer, error), unsealed(appended, sources))),
        }
    }

    fn receipts(&self, appended: &[Arc<Vec<SealedEnvelope>>]) -> Vec<Receipt> {
        let durability = self.store.durability();
        let envelopes = appended.iter().flat_map(|envelopes| envelopes.iter());
        envelopes.map(|envelope| Receipt::new(envelope, durability, false)).collect()
    }

    /// The first receipts of those of `ids` that stand in the batch, if the batch says the same of each.
    fn replays(
        &self,
        stream: &StreamId,
        submissions: &[Submission],
        ids: &[EnvelopeId],
    ) -> Result<BTreeMap<EnvelopeId, Receipt>, AppendError> {
        let mut replays = BTreeMap::new();
        for (index, submission) in submissions.iter().enumerate() {
            let id = id_of(submission);
            if ids.binary_search(&id).is_err() {
                continue;
            }
            let stored = self.store.envelope(stream, id)?.ok_or_else(|| {
                let detail = "is taken, but no envelope has it".to_owned();
                AppendError::Corrupt(Corruption { place: format!("{stream}, id {id}"), detail })
            })?;
            if !same_content(&stored, &submission.prepared) {
                return Err(AppendError::EnvelopeConflict { index, id });
            }
            replays.insert(id, Receipt::new(&stored, self.store.durability(), true));
        }
        Ok(replays)
    }
}

/// How many of those that wait, all of one stream, fit into one commit; at least one.
fn group_length(waiting: &[Arc<Waiting>]) -> usize {
    let mut envelopes = 0;
    let fits = waiting.iter().take_while(|next| {
        envelopes += lock(&next.submissions).len();
        next.stream == waiting[0].stream && envelopes <= BATCH_ENVELOPES_MAX
    });
    fits.count().max(1)
}

/// The ids were looked up while nobody else could write: one that is new all the same means another writer.
fn error_of(writer: &mut Writer, cause: Cause) -> AppendError {
    match cause {
        Cause::Error(error) => error,
        Cause::Known(ids) => refusal(writer, Failed::Commit(CommitError::EnvelopesExist { ids })),
    }
}

fn id_of(submission: &Submission) -> EnvelopeId {
    submission.prepared.fields().envelope_id
}

/// Cuts `items` into runs of the given lengths.
fn split<T>(items: Vec<T>, counts: &[usize]) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter();
    counts.iter().map(move |count| items.by_ref().take(*count).collect())
}

/// Joins what was parted: `known` says for each place which of the two it comes from.
fn interleave<T>(known: &[bool], repeated: Vec<T>, fresh: Vec<T>) -> Vec<T> {
    let (mut repeated, mut fresh) = (repeated.into_iter(), fresh.into_iter());
    known.iter().filter_map(|known| if *known { repeated.next() } else { fresh.next() }).collect()
}

/// Takes a refused batch apart again. Its hashes are made anew, so that nothing sealed is ever trusted.
fn unsealed(
    appended: Vec<Arc<Vec<SealedEnvelope>>>,
    sources: Vec<Vec<Attachment>>,
) -> Vec<Submission> {
    let envelopes = appended.into_iter().flat_map(Arc::unwrap_or_clone);
    let unsealed = envelopes.filter_map(|envelope| {
        let payload = envelope.payload?;
        Some(UnsealedEnvelope { fields: envelope.fields, payload }.prepare())
    });
    let joined = unsealed.zip(sources);
    joined.map(|(prepared, attachments)| Submission { prepared, attachments }).collect()
}

/// Bounds and references of a batch, before it waits.
fn check_batch(submissions: &[Submission]) -> Result<(), AppendError> {
    if submissions.len() > BATCH_ENVELOPES_MAX {
        return Err(AppendError::BatchTooLarge {
            count: submissions.len(),
            count_max: BATCH_ENVELOPES_MAX,
        });
    }
    for (index, submission) in submissions.iter().enumerate() {
        let event_type = &submission.prepared.fields().event_type;
        if is_reserved_event_type(event_type) {
            return Err(AppendError::EventTypeReserved { index, event_type: event_type.clone() });
        }
        let refs = submission.prepared.fields().attachment_refs.as_slice();
        for attachment in &submission.attachments {
            if !refs.contains(attachment.reference()) {
                let content_hash = attachment.reference().content_hash;
                return Err(AppendError::AttachmentUnreferenced { content_hash });
            }
        }
    }
    Ok(())
}

/// Whether only the recorder itself may record events of this type: verifiers take keys from them.
pub fn is_reserved_event_type(event_type: &EventType) -> bool {
    RotationKind::of_event(event_type.as_str()).is_some()
}

/// Each attachment once, by its hash.
fn distinct_attachments(submissions: &[Submission]) -> Vec<Attachment> {
    let mut distinct = BTreeMap::<AttachmentHash, Attachment>::new();
    for attachment in submissions.iter().flat_map(|submission| &submission.attachments) {
        distinct.entry(attachment.reference().content_hash).or_insert_with(|| attachment.clone());
    }
    distinct.into_values().collect()
}

/// Whether both say the same. A salt that was made up on each try does not count as a difference.
fn same_content(stored: &SealedEnvelope, prepared: &PreparedEnvelope) -> bool {
    stored.content_hash == prepared.content_hash()
        || stored.fields == *prepared.fields()
            && stored
                .payload
                .as_ref()
                .is_some_and(|salted| salted.payload == prepared.payload().payload)
}
