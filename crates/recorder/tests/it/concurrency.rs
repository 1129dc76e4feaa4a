//! Many threads, one writer: every receipt once, and fewer commits than calls.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use recorder::ids::{IdSource, NoRandomness};
use recorder::{AppendError, AutoSeal, Recorder, Submission};
use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{AttachmentHash, ChainHash, TreeHash};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::TileCoordinates;
use recorder_store::{
    ClaimRecord, Commit, CommitError, Corruption, ReadError, SegmentRecord, Store,
    StoredCheckpoint, StreamHead,
};

use crate::harness::{Backing, Draft, Setup, World, key, over_both_stores, tenant};

over_both_stores!(
    each_of_many_threads_gets_its_own_receipt,
    callers_that_waited_share_a_commit,
    one_callers_fault_is_not_anothers,
    callers_who_share_a_commit_share_its_failure,
    callers_whose_commit_cannot_be_planned_all_hear_why,
);

/// Counts commits, and keeps the first one waiting until the gate opens.
struct Gated {
    inner: Arc<dyn Store>,
    commits: AtomicUsize,
    /// The commit that lands and is reported as unconfirmed, counted from 1; 0 for none.
    unconfirmed: AtomicUsize,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gated {
    fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            commits: AtomicUsize::new(0),
            unconfirmed: AtomicUsize::new(0),
            open: Mutex::new(false),
            opened: Condvar::new(),
        })
    }

    fn open_gate(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Store for Gated {
    fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let number = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
        self.inner.commit(commit)?;
        if number == self.unconfirmed.load(Ordering::SeqCst) {
            return Err(CommitError::OutcomeUnknown(Arc::new(std::io::Error::other("cut"))));
        }
        Ok(())
    }

    fn durability(&self) -> &'static str {
        self.inner.durability()
    }

    fn streams(&self) -> Result<Vec<StreamId>, ReadError> {
        self.inner.streams()
    }

    fn head(&self, stream: &StreamId) -> Result<Option<StreamHead>, ReadError> {
        self.inner.head(stream)
    }

    fn segments(
        &self,
        stream: &StreamId,
        indexes: Range<u64>,
    ) -> Result<Vec<SegmentRecord>, ReadError> {
        self.inner.segments(stream, indexes)
    }

    fn segment(
        &self,
        stream: &StreamId,
        segment_id: SegmentId,
    ) -> Result<Option<SegmentRecord>, ReadError> {
        self.inner.segment(stream, segment_id)
    }

    fn envelope(
        &self,
        stream: &StreamId,
        envelope_id: EnvelopeId,
    ) -> Result<Option<SealedEnvelope>, ReadError> {
        self.inner.envelope(stream, envelope_id)
    }

    fn scan(
        &self,
        stream: &StreamId,
        filter: &EnvelopeFilter,
        positions: Range<u64>,
        visit: &mut dyn FnMut(SealedEnvelope) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.inner.scan(stream, filter, positions, visit)
    }

    fn chain_hashes(
        &self,
        stream: &StreamId,
        positions: Range<u64>,
    ) -> Result<Vec<ChainHash>, ReadError> {
        self.inner.chain_hashes(stream, positions)
    }

    fn tile(&self, stream: &StreamId, tile: TileCoordinates) -> Result<Vec<TreeHash>, ReadError> {
        self.inner.tile(stream, tile)
    }

    fn attachment(&self, content_hash: &AttachmentHash) -> Result<Option<Vec<u8>>, ReadError> {
        self.inner.attachment(content_hash)
    }

    fn checkpoint(
        &self,
        stream: &StreamId,
        tree_size_min: u64,
    ) -> Result<Option<StoredCheckpoint>, ReadError> {
        self.inner.checkpoint(stream, tree_size_min)
    }

    fn claim(
        &self,
        stream: &StreamId,
        key: &IdempotencyKey,
    ) -> Result<Option<ClaimRecord>, ReadError> {
        self.inner.claim(stream, key)
    }

    fn check_medium(&self) -> Result<Vec<Corruption>, ReadError> {
        self.inner.check_medium()
    }
}

fn each_of_many_threads_gets_its_own_receipt(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let positions = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let draft = Submission::from(world.draft());
                    let id = draft.prepared.fields().envelope_id;
                    let receipts = world.append("a", vec![draft]).unwrap();
                    assert_eq!(receipts.len(), 1);
                    assert_eq!(receipts[0].envelope_id, id);
                    positions.lock().unwrap().push(receipts[0].position);
                }
            });
        }
    });
    let mut positions = positions.into_inner().unwrap();
    positions.sort_unstable();
    assert_eq!(positions, (0..256).collect::<Vec<_>>());
}

/// Runs `batches` beside one that holds the writer until all of them wait; answers in their order.
fn together(
    world: &World,
    gated: &Arc<Gated>,
    batches: Vec<(&str, Vec<Submission>)>,
) -> Vec<Result<usize, AppendError>> {
    let recorder = world.open(Arc::clone(gated) as Arc<dyn Store>).unwrap();
    together_at(&recorder, world, gated, batches)
}

/// The same over a recorder of one's own.
fn together_at(
    recorder: &Recorder,
    world: &World,
    gated: &Arc<Gated>,
    batches: Vec<(&str, Vec<Submission>)>,
) -> Vec<Result<usize, AppendError>> {
    std::thread::scope(|scope| {
        let first = scope.spawn(|| recorder.append_batch(&tenant("a"), world.drafts(1)));
        while gated.commits() == 0 {
            std::thread::yield_now();
        }
        let count = batches.len();
        let others = batches.into_iter().map(|(name, batch)| {
            scope.spawn(move || recorder.append_batch(&tenant(name), batch).map(|it| it.len()))
        });
        let others = others.collect::<Vec<_>>();
        while recorder.testing_only_waiting_count() < count {
            std::thread::yield_now();
        }
        gated.open_gate();
        first.join().unwrap().unwrap();
        others.into_iter().map(|other| other.join().unwrap()).collect()
    })
}

fn callers_that_waited_share_a_commit(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let gated = Gated::new(world.store());
    let batches = (0..64).map(|n| (["a", "b"][n % 2], world.drafts(1))).collect();
    let answers = together(&world, &gated, batches);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(1))));
    assert_eq!(gated.commits(), 3, "one alone, then one for each stream");
}

fn one_callers_fault_is_not_anothers(backing: Backing) {
    let world = World::new(backing, Setup::signed());
    let known: Draft = world.draft();
    world.append("a", vec![known.clone().into()]).unwrap();
    let gated = Gated::new(world.store());
    let twice = Submission::from(world.draft());
    let batches = vec![
        ("a", world.drafts(2)),
        ("a", vec![known.clone().payload("{}").into()]),
        ("a", vec![known.into(), world.draft().into()]),
        ("a", vec![world.draft().attach("gone").without_bytes().into()]),
        ("a", vec![twice.clone()]),
        ("a", vec![twice]),
        ("a", vec![world.draft().attach("here").into()]),
    ];
    let answers = together(&world, &gated, batches);
    assert!(matches!(answers[0], Ok(2)), "{answers:?}");
    assert!(matches!(answers[1], Err(AppendError::EnvelopeConflict { index: 0, .. })));
    assert!(matches!(answers[2], Ok(2)), "{answers:?}");
    assert!(matches!(answers[3], Err(AppendError::AttachmentMissing { .. })), "{answers:?}");
    assert!(answers[4..].iter().all(|answer| matches!(answer, Ok(1))), "{answers:?}");
    assert_eq!(world.envelopes("a").len(), 1 + 1 + 2 + 1 + 1 + 1);
}

fn callers_who_share_a_commit_share_its_failure(backing: Backing) {
    let mut world = World::new(backing, Setup::signed());
    let gated = Gated::new(world.store());
    gated.unconfirmed.store(2, Ordering::SeqCst);
    let batches = (0..8).map(|_| ("a", world.drafts(1))).collect::<Vec<_>>();
    let copies = batches.iter().flat_map(|(_, batch)| batch.clone()).collect::<Vec<_>>();
    let answers = together(&world, &gated, batches);
    assert!(answers.iter().all(|it| matches!(it, Err(AppendError::OutcomeUnknown(_)))));
    assert_eq!(gated.commits(), 2, "what may have landed is not written again");
    drop(gated);
    world.reopen();
    assert!(world.append("a", copies).unwrap().iter().all(|receipt| receipt.replayed));
}

/// Gives as many bytes as the first segment's id takes, and then none.
struct Exhausted(AtomicUsize);

impl IdSource for Exhausted {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoRandomness> {
        if self.0.fetch_add(1, Ordering::SeqCst) > 0 {
            return Err(NoRandomness);
        }
        out.fill(7);
        Ok(())
    }
}

fn callers_whose_commit_cannot_be_planned_all_hear_why(backing: Backing) {
    let one_a_segment = AutoSeal::after_count(1).unwrap();
    let world = World::new(backing, Setup::signed().auto_seal(one_a_segment));
    let gated = Gated::new(world.store());
    let recorder = Recorder::open(
        Arc::clone(&gated) as Arc<dyn Store>,
        world.setup.config.clone(),
        Arc::clone(&world.clock) as _,
        Arc::new(Exhausted(AtomicUsize::new(0))),
        Some(key()),
    );
    let batches = (0..4).map(|_| ("a", world.drafts(2))).collect();
    let answers = together_at(&recorder.unwrap(), &world, &gated, batches);
    assert!(
        answers.iter().all(|it| matches!(it, Err(AppendError::NoRandomness(_)))),
        "{answers:?}"
    );
    assert_eq!(gated.commits(), 1);
}
