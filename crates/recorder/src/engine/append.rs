//! The way in: whoever gets the writer commits everything that waits.
//!
//! While one commit waits for the disk the next batch collects; no timer decides. Envelopes are moved, never
//! copied: a commit shares them with the caller, who takes them back out of a commit that was refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::AttachmentHash;
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, EventType, StreamId, TenantId};
use recorder_core::limits::{BATCH_ENVELOPES_MAX, STORE_QUEUE_MAX};
use recorder_core::time::RecordedAt;
use recorder_envelope::attachment::Attachment;
use recorder_envelope::envelope::{PreparedEnvelope, SealedEnvelope, UnsealedEnvelope};
use recorder_envelope::rotation::RotationKind;
use recorder_store::{ClaimRecord, Claims, CommitError, Corruption};

use super::{Claim, Failed, Recorder, Request, Retention, Submission, Writer, lock, refusal};
use crate::error::AppendError;
use crate::receipt::Receipt;
use crate::stream::Plan;

/// One request that waits for the writer.
pub(super) struct Waiting {
    stream: StreamId,
    submissions: Mutex<Vec<Submission>>,
    claim: Option<Claim>,
    answer: Mutex<Option<Answer>>,
}

type Answer = Result<Vec<Receipt>, AppendError>;

/// What one commit is to do: the submissions of several requests, one after the other.
struct Batch {
    submissions: Vec<Submission>,
    /// How many of them each request has, and under which name.
    requests: Vec<(usize, Option<Claim>)>,
    /// For each submission where it stands already, if it does; empty while that was not asked.
    known: Vec<Option<u64>>,
}

/// A batch that was not recorded: whole again where the store refused it, empty where it could not be planned.
struct Refused {
    cause: Cause,
    submissions: Vec<Submission>,
}

/// What stopped a commit: envelopes or keys that are in the stream already, or an error.
enum Cause {
    Known(Vec<EnvelopeId>),
    Claimed(Vec<IdempotencyKey>),
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
    /// Records `submissions` in order, all or none.
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
        let tenant_id = tenant_id.clone();
        let answers = self.append_requests(vec![Request { tenant_id, submissions, claim: None }]);
        answers.into_iter().next().unwrap_or(Ok(Vec::new()))
    }

    /// Records several requests, each of them whole or not at all, in as few commits as there are streams: the only
    /// way in. The answers come in the order of the requests.
    ///
    /// A request whose claim is kept already is answered with the receipts of the first, all of them `replayed`; the
    /// claim is kept in the transaction of the envelopes, so that there is never one without the other.
    ///
    /// # Errors
    ///
    /// Each answer on its own, as `append_batch`; `IdempotencyConflict` where another request came under the key.
    pub fn append_requests(
        &self,
        requests: Vec<Request>,
    ) -> Vec<Result<Vec<Receipt>, AppendError>> {
        let entered: Vec<_> = requests.into_iter().map(|request| self.enter(request)).collect();
        if entered.iter().any(Result::is_ok) {
            let mut writer = self.lock_writer();
            // Whoever held the writer before may have committed these requests along with its own.
            let waits = |waiting: &Arc<Waiting>| lock(&waiting.answer).is_none();
            if entered.iter().flatten().any(waits) {
                let round = std::mem::take(&mut *lock(&self.queue));
                self.commit_round(&mut writer, round);
            }
        }
        let answer = |entered: Result<Arc<Waiting>, AppendError>| {
            let answer = lock(&entered?.answer).take();
            answer.unwrap_or_else(|| {
                let panicked = Arc::new(WriterPanicked);
                Err(AppendError::OutcomeUnknown(CommitError::OutcomeUnknown(panicked)))
            })
        };
        entered.into_iter().map(answer).collect()
    }

    /// Checks a request and lets it wait.
    fn enter(&self, request: Request) -> Result<Arc<Waiting>, AppendError> {
        let Request { tenant_id, submissions, claim } = request;
        check_batch(&submissions)?;
        let nothing: Option<Answer> = submissions.is_empty().then(|| Ok(Vec::new()));
        let waits = nothing.is_none();
        let stream = self.stream_of(&tenant_id);
        let (submissions, answer) = (Mutex::new(submissions), Mutex::new(nothing));
        let waiting = Arc::new(Waiting { stream, submissions, claim, answer });
        if waits {
            self.enqueue(&waiting)?;
        }
        Ok(waiting)
    }

    fn enqueue(&self, waiting: &Arc<Waiting>) -> Result<(), AppendError> {
        let mut queue = lock(&self.queue);
        if queue.len() >= STORE_QUEUE_MAX {
            return Err(AppendError::QueueFull { capacity: STORE_QUEUE_MAX });
        }
        queue.push(Arc::clone(waiting));
        Ok(())
    }

    /// Commits everything that waits, each stream's requests in the order of their arrival.
    fn commit_round(&self, writer: &mut Writer, mut round: Vec<Arc<Waiting>>) {
        round.sort_by(|a, b| a.stream.cmp(&b.stream));
        let mut rest = round.as_slice();
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_length(rest));
            self.commit_group(writer, group.to_vec());
            rest = later;
        }
    }

    /// Commits a group as one; where that is refused, each alone, so that one caller's fault is not another's.
    /// Requests whose keys are taken are answered from their records, and the rest is tried again.
    fn commit_group(&self, writer: &mut Writer, mut group: Vec<Arc<Waiting>>) {
        while !group.is_empty() {
            // Of two requests under one key the second is a retry of the first, which has to be there before it.
            let retries = retries(&mut group);
            let batch = collect(&group);
            let counts: Vec<usize> = batch.requests.iter().map(|(count, _)| *count).collect();
            match self.commit_batch(writer, &group[0].stream, batch) {
                Ok(receipts) => {
                    for (waiting, receipts) in group.iter().zip(split(receipts, &counts)) {
                        waiting.answer(Ok(receipts));
                    }
                    group = retries;
                }
                Err(Refused { cause: Cause::Claimed(keys), submissions })
                    if group.iter().any(|waiting| waiting.is_under(&keys)) =>
                {
                    hand_back(&group, &counts, submissions);
                    for claimed in take_claimed(&mut group, &keys) {
                        claimed.answer(self.claimed_answer(writer, &claimed));
                    }
                    group.extend(retries);
                }
                Err(Refused { cause, submissions }) => {
                    let error = error_of(writer, cause);
                    // A commit that could not be planned takes the batch with it: nobody can be tried alone.
                    let is_whole = submissions.len() == counts.iter().sum::<usize>();
                    if writer.latched || group.len() == 1 || !is_whole {
                        group.iter().for_each(|waiting| waiting.answer(Err(error.clone())));
                    } else {
                        hand_back(&group, &counts, submissions);
                        group.into_iter().for_each(|alone| self.commit_group(writer, vec![alone]));
                    }
                    group = retries;
                }
            }
        }
    }

    /// The receipts of the request that came first under the key of this one, if it was the same.
    fn claimed_answer(&self, writer: &mut Writer, waiting: &Waiting) -> Answer {
        let stream = &waiting.stream;
        let Some(claim) = &waiting.claim else { return Err(AppendError::HeadMoved) };
        let place = || format!("{stream}, idempotency key {}", claim.key);
        let Some(record) = self.store.claim(stream, &claim.key)? else {
            writer.latched = true;
            let detail = "is taken, but nothing is remembered under it".to_owned();
            return Err(AppendError::Corrupt(Corruption { place: place(), detail }));
        };
        if record.request_hash != claim.request_hash {
            return Err(AppendError::IdempotencyConflict { key: claim.key.clone() });
        }
        let mut receipts = Vec::with_capacity(record.positions.len());
        for run in record.positions.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
            let range = run[0]..run[0].saturating_add(run.len() as u64);
            self.store.scan(stream, &EnvelopeFilter::default(), range, &mut |envelope| {
                receipts.push(Receipt::new(&envelope, self.store.durability(), true));
                ControlFlow::Continue(())
            })?;
        }
        if receipts.len() != record.positions.len() {
            let detail = "names envelopes that are not there".to_owned();
            return Err(AppendError::Corrupt(Corruption { place: place(), detail }));
        }
        Ok(receipts)
    }

    /// Commits one batch; ids that are in the stream already become replays.
    fn commit_batch(
        &self,
        writer: &mut Writer,
        stream: &StreamId,
        batch: Batch,
    ) -> Result<Vec<Receipt>, Refused> {
        let Batch { submissions, requests, .. } = batch;
        // Ids are looked up only after the store refused them: nearly every batch is new.
        let batch = Batch { submissions, requests: requests.clone(), known: Vec::new() };
        let (ids, submissions) = match self.try_commit(writer, stream, batch) {
            Err(Refused { cause: Cause::Known(ids), submissions }) => (ids, submissions),
            answer => return answer,
        };
        let replays = match self.replays(stream, &submissions, &ids) {
            Ok(replays) => replays,
            Err(error) => return Err(Refused::new(error, submissions)),
        };
        let receipt_of = |submission: &Submission| replays.get(&id_of(submission)).cloned();
        let known: Vec<Option<Receipt>> = submissions.iter().map(receipt_of).collect();
        let is_known: Vec<bool> = known.iter().map(Option::is_some).collect();
        let (repeated, fresh): (Vec<_>, Vec<_>) = submissions
            .into_iter()
            .partition(|submission| replays.contains_key(&id_of(submission)));
        let positions =
            known.iter().map(|receipt| receipt.as_ref().map(|receipt| receipt.position));
        let batch = Batch { submissions: fresh, requests, known: positions.collect() };
        match self.try_commit(writer, stream, batch) {
            Ok(receipts) => {
                Ok(interleave(&is_known, known.into_iter().flatten().collect(), receipts))
            }
            Err(Refused { cause, submissions }) => {
                Err(Refused { cause, submissions: interleave(&is_known, repeated, submissions) })
            }
        }
    }

    /// Plans and commits the submissions of `batch`, none of which may be in the stream.
    fn try_commit(
        &self,
        writer: &mut Writer,
        stream: &StreamId,
        batch: Batch,
    ) -> Result<Vec<Receipt>, Refused> {
        let Batch { submissions, requests, known } = batch;
        let mut state = match self.state(writer, stream) {
            Ok(state) => state,
            Err(error) => return Err(Refused::new(error, submissions)),
        };
        if submissions.is_empty() && requests.iter().all(|(_, claim)| claim.is_none()) {
            return Ok(Vec::new());
        }
        let expected = state.expected();
        let attachments = distinct_attachments(&submissions);
        let mut sources = Vec::with_capacity(submissions.len());
        let prepared = submissions.into_iter().map(|Submission { prepared, attachments }| {
            sources.push(attachments);
            prepared
        });
        let prepared = prepared.collect::<Vec<PreparedEnvelope>>();
        let planned = match prepared.is_empty() {
            true => Ok(Plan::default()),
            false => self.plan(&mut state, |state, planner, plan| {
                state.plan_append(prepared, planner, plan)
            }),
        };
        let plan = planned.map_err(|error| Refused::new(error, Vec::new()))?;
        let appended = plan.appended();
        let fresh = appended.iter().flat_map(|envelopes| envelopes.iter());
        let fresh = fresh.map(|envelope| envelope.place.position);
        let moment = state.last_moment.unwrap_or_else(|| self.clock.now());
        let claims = claims(&requests, &known, fresh, moment.max(self.clock.now()));
        match self.commit_plan(writer, state, expected, plan, attachments, claims) {
            Ok(()) => Ok(self.receipts(&appended)),
            Err(Failed::Commit(CommitError::EnvelopesExist { ids })) => {
                let submissions = unsealed(appended, sources);
                Err(Refused { cause: Cause::Known(ids), submissions })
            }
            Err(Failed::Commit(CommitError::KeysTaken { keys })) => {
                let submissions = unsealed(appended, sources);
                Err(Refused { cause: Cause::Claimed(keys), submissions })
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

impl Waiting {
    /// Whether the request has one of these keys, which are sorted.
    fn is_under(&self, keys: &[IdempotencyKey]) -> bool {
        self.claim.as_ref().is_some_and(|claim| keys.binary_search(&claim.key).is_ok())
    }

    fn answer(&self, answer: Answer) {
        *lock(&self.answer) = Some(answer);
    }
}

/// Takes out of `group` every request under a key that an earlier one of it has.
fn retries(group: &mut Vec<Arc<Waiting>>) -> Vec<Arc<Waiting>> {
    let mut keys = BTreeSet::new();
    let (first, retries) = std::mem::take(group).into_iter().partition(|waiting| {
        waiting.claim.as_ref().is_none_or(|claim| keys.insert(claim.key.clone()))
    });
    *group = first;
    retries
}

/// Takes out of `group` the requests under `keys`, of which the store says that they are taken.
fn take_claimed(group: &mut Vec<Arc<Waiting>>, keys: &[IdempotencyKey]) -> Vec<Arc<Waiting>> {
    let (claimed, others) =
        std::mem::take(group).into_iter().partition(|waiting| waiting.is_under(keys));
    *group = others;
    claimed
}

/// Gives each request of a group its submissions again.
fn hand_back(group: &[Arc<Waiting>], counts: &[usize], submissions: Vec<Submission>) {
    for (waiting, submissions) in group.iter().zip(split(submissions, counts)) {
        *lock(&waiting.submissions) = submissions;
    }
}

/// Takes the submissions of a group.
fn collect(group: &[Arc<Waiting>]) -> Batch {
    let mut batch = Batch { submissions: Vec::new(), requests: Vec::new(), known: Vec::new() };
    for waiting in group {
        let mut submissions = lock(&waiting.submissions);
        batch.requests.push((submissions.len(), waiting.claim.clone()));
        batch.submissions.append(&mut submissions);
    }
    batch
}

/// What a commit is to remember: for each claim the positions of its envelopes, fresh and known.
fn claims(
    requests: &[(usize, Option<Claim>)],
    known: &[Option<u64>],
    mut fresh: impl Iterator<Item = u64>,
    recorded_at: RecordedAt,
) -> Option<Claims> {
    let mut records = Vec::new();
    let mut retention = None;
    let mut index = 0;
    for (count, claim) in requests {
        let places = (index..index + count).map(|place| known.get(place).copied().flatten());
        let positions: Vec<u64> =
            places.filter_map(|known| known.or_else(|| fresh.next())).collect();
        index += count;
        if let Some(Claim { key, request_hash, retention: kept }) = claim {
            retention = Some(*kept);
            let (key, request_hash) = (key.clone(), *request_hash);
            records.push(ClaimRecord { key, request_hash, recorded_at, positions });
        }
    }
    let Retention { seconds, count_max } = retention?;
    let nanoseconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    let before = recorded_at.nanoseconds().saturating_sub(nanoseconds).max(0);
    let forget_before = RecordedAt::from_nanoseconds(before).unwrap_or(recorded_at);
    Some(Claims { records, forget_before, count_max })
}

/// The ids were looked up while nobody else could write: one that is new all the same means another writer.
fn error_of(writer: &mut Writer, cause: Cause) -> AppendError {
    match cause {
        Cause::Error(error) => error,
        Cause::Known(ids) => refusal(writer, Failed::Commit(CommitError::EnvelopesExist { ids })),
        Cause::Claimed(keys) => refusal(writer, Failed::Commit(CommitError::KeysTaken { keys })),
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
