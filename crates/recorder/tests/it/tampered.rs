//! A store whose answers a test changes on the way out, as if its file had been edited.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use recorder_core::filter::EnvelopeFilter;
use recorder_core::hash::{AttachmentHash, ChainHash, TreeHash};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle::TileCoordinates;
use recorder_store::fault::Fault;
use recorder_store::{
    ClaimRecord, Commit, CommitError, Corruption, ReadError, SegmentRecord, Store,
    StoredCheckpoint, StreamHead,
};

type Edit<T> = Box<dyn Fn(&mut T) + Send + Sync>;

/// One change, by name, that a test makes to what a store answers.
pub(crate) type Tampering = (&'static str, Box<dyn Fn(&mut Tampered)>);

/// Passes everything through the edits.
pub(crate) struct Tampered {
    inner: Arc<dyn Store>,
    pub(crate) head: Edit<StreamHead>,
    /// An edited row; `None` hides it.
    pub(crate) envelope: Edit<Option<SealedEnvelope>>,
    pub(crate) segment: Edit<SegmentRecord>,
    pub(crate) tile: Edit<Vec<TreeHash>>,
    pub(crate) checkpoint: Edit<StoredCheckpoint>,
    pub(crate) attachment: Edit<Option<Vec<u8>>>,
    /// Asked before each commit: how it fails, if it does.
    pub(crate) fault: Box<dyn Fn() -> Option<Fault> + Send + Sync>,
}

impl Tampered {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            head: Box::new(|_| ()),
            envelope: Box::new(|_| ()),
            segment: Box::new(|_| ()),
            tile: Box::new(|_| ()),
            checkpoint: Box::new(|_| ()),
            attachment: Box::new(|_| ()),
            fault: Box::new(|| None),
        }
    }

    fn edited<T>(edit: &Edit<T>, mut value: T) -> T {
        edit(&mut value);
        value
    }
}

impl Store for Tampered {
    fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let fault = (self.fault)();
        if fault != Some(Fault::Lost) {
            self.inner.commit(commit)?;
        }
        let unknown = || CommitError::OutcomeUnknown(Arc::new(std::io::Error::other("a test")));
        fault.map_or(Ok(()), |_| Err(unknown()))
    }

    fn durability(&self) -> &'static str {
        self.inner.durability()
    }

    fn streams(&self) -> Result<Vec<StreamId>, ReadError> {
        self.inner.streams()
    }

    fn head(&self, stream: &StreamId) -> Result<Option<StreamHead>, ReadError> {
        let head = self.inner.head(stream)?;
        Ok(head.map(|mut head| {
            head.checkpoint = head.checkpoint.map(|it| Self::edited(&self.checkpoint, it));
            head.last_sealed = head.last_sealed.map(|it| Self::edited(&self.segment, it));
            Self::edited(&self.head, head)
        }))
    }

    fn segments(
        &self,
        stream: &StreamId,
        indexes: Range<u64>,
    ) -> Result<Vec<SegmentRecord>, ReadError> {
        let segments = self.inner.segments(stream, indexes)?;
        Ok(segments.into_iter().map(|it| Self::edited(&self.segment, it)).collect())
    }

    fn segment(
        &self,
        stream: &StreamId,
        segment_id: SegmentId,
    ) -> Result<Option<SegmentRecord>, ReadError> {
        let segment = self.inner.segment(stream, segment_id)?;
        Ok(segment.map(|it| Self::edited(&self.segment, it)))
    }

    fn envelope(
        &self,
        stream: &StreamId,
        envelope_id: EnvelopeId,
    ) -> Result<Option<SealedEnvelope>, ReadError> {
        Ok(Self::edited(&self.envelope, self.inner.envelope(stream, envelope_id)?))
    }

    fn scan(
        &self,
        stream: &StreamId,
        filter: &EnvelopeFilter,
        positions: Range<u64>,
        visit: &mut dyn FnMut(SealedEnvelope) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.inner.scan(stream, filter, positions, &mut |envelope| match Self::edited(
            &self.envelope,
            Some(envelope),
        ) {
            Some(envelope) => visit(envelope),
            None => ControlFlow::Continue(()),
        })
    }

    fn chain_hashes(
        &self,
        stream: &StreamId,
        positions: Range<u64>,
    ) -> Result<Vec<ChainHash>, ReadError> {
        self.inner.chain_hashes(stream, positions)
    }

    fn tile(&self, stream: &StreamId, tile: TileCoordinates) -> Result<Vec<TreeHash>, ReadError> {
        Ok(Self::edited(&self.tile, self.inner.tile(stream, tile)?))
    }

    fn attachment(&self, content_hash: &AttachmentHash) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(Self::edited(&self.attachment, self.inner.attachment(content_hash)?))
    }

    fn checkpoint(
        &self,
        stream: &StreamId,
        tree_size_min: u64,
    ) -> Result<Option<StoredCheckpoint>, ReadError> {
        let found = self.inner.checkpoint(stream, tree_size_min)?;
        Ok(found.map(|it| Self::edited(&self.checkpoint, it)))
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
