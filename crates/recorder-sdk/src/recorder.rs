//! The facade: one stream of one store, and everything that is done with it.

use std::io::Cursor as MemorySpool;

use ::recorder::bundle::{AnchorAt, BuildRequest, Compression, write_archive};
use ::recorder::ids::NoRandomness;
use ::recorder::query::{self, Page};
use ::recorder::{
    AppendError, Receipt, RotateError, RotationReport, SealError, SealReceipt, Submission,
};
use recorder_core::filter::{Cursor, EnvelopeFilter, PageSize};
use recorder_core::identity::{EnvelopeId, SegmentId, StreamId, TenantId};
use recorder_envelope::attachment::Attachment;
use recorder_envelope::merkle;
use recorder_envelope::segment::SealReason;
use recorder_envelope::selector::Selector;
use recorder_envelope::signing::SecretKey;
use recorder_envelope::trust_root::TrustRoot;
use recorder_store::{Store, StoredCheckpoint};
use recorder_verify::{Report, VerifyOptions, verify};

use crate::bundle::{Bundle, SealedBundle};
use crate::error::{BundleError, ProveError, QueryError, RecordError};
use crate::event::Event;
use crate::proof::InclusionProof;

/// Bundles that one list may name: as many as a page of a query may hold.
pub const LIST_MAX: usize = 10_000;

/// Envelopes of one segment that are read into memory: twice what a segment may hold, whatever a file claims.
pub const MATERIALISED_MAX: u64 = 200_000;

/// An open recorder for one tenant. All methods may be called from any thread.
pub struct Recorder {
    engine: ::recorder::Recorder,
    tenant_id: TenantId,
    stream: StreamId,
    trust_root: Option<TrustRoot>,
}

impl Recorder {
    pub(crate) fn new(
        engine: ::recorder::Recorder,
        tenant_id: TenantId,
        trust_root: Option<TrustRoot>,
    ) -> Self {
        let stream = engine.stream_of(&tenant_id);
        Self { engine, tenant_id, stream, trust_root }
    }

    /// The stream that this recorder writes to.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The store below, for reading what the facade does not offer.
    pub fn store(&self) -> &dyn Store {
        &**self.engine.store()
    }

    /// A fresh envelope id, for an event that must not be recorded twice when its recording is repeated.
    ///
    /// # Errors
    ///
    /// `NoRandomness` when the system gives none.
    pub fn envelope_id(&self) -> Result<EnvelopeId, NoRandomness> {
        self.engine.ids().envelope_id(self.engine.clock().now())
    }

    /// Records one event; it is durable when this returns.
    ///
    /// # Errors
    ///
    /// `RecordError`; only `Unconfirmed` may have written something.
    pub fn record(&self, event: Event) -> Result<Receipt, RecordError> {
        let receipts = self.record_batch(vec![event])?;
        // One receipt for each event, or an error.
        receipts.into_iter().next().ok_or(RecordError::Append(AppendError::Latched))
    }

    /// Records one event with its attachments.
    ///
    /// # Errors
    ///
    /// As for `record`.
    pub fn record_with_attachments(
        &self,
        event: Event,
        attachments: Vec<Attachment>,
    ) -> Result<Receipt, RecordError> {
        self.record(attachments.into_iter().fold(event, Event::attachment))
    }

    /// Records events in order, all or none; at most 4,096.
    ///
    /// # Errors
    ///
    /// `RecordError` names the first event that breaks a rule.
    pub fn record_batch(&self, events: Vec<Event>) -> Result<Vec<Receipt>, RecordError> {
        let mut submissions = Vec::with_capacity(events.len());
        for (index, event) in events.into_iter().enumerate() {
            submissions.push(self.submission(index, event)?);
        }
        let id = |submission: &Submission| submission.prepared.fields().envelope_id;
        let envelope_ids = submissions.iter().map(id).collect();
        self.engine.append_batch(&self.tenant_id, submissions).map_err(|error| match error {
            source @ AppendError::OutcomeUnknown(_) => {
                RecordError::Unconfirmed { envelope_ids, source }
            }
            other => RecordError::Append(other),
        })
    }

    fn submission(&self, index: usize, event: Event) -> Result<Submission, RecordError> {
        let now = self.engine.clock().now();
        let ids = self.engine.ids();
        let fault = |error: NoRandomness| RecordError::Append(error.into());
        let id = event.given_id().map_or_else(|| ids.envelope_id(now), Ok).map_err(fault)?;
        let salt = ids.payload_salt().map_err(fault)?;
        let prepared = event.prepare(id, salt, now);
        let (prepared, attachments) =
            prepared.map_err(|source| RecordError::Event { index, source })?;
        Ok(Submission { prepared, attachments })
    }

    /// Seals the open segment, and with a signer signs a checkpoint over the whole log.
    ///
    /// # Errors
    ///
    /// `SealError`: nothing is open, or nothing is in it.
    pub fn seal(&self) -> Result<SealReceipt, SealError> {
        self.engine.seal_segment(&self.tenant_id, SealReason::Manual)
    }

    /// Rotates every stream of this recorder to a new key, and goes on under it. Afterwards the old key opens nothing,
    /// and who trusts it follows to the new one.
    ///
    /// ```
    /// # use recorder_sdk::prelude::*;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (old, new) = (SecretKey::from_seed(&[1; 32])?, SecretKey::from_seed(&[2; 32])?);
    /// let trust_root = recorder_sdk::trust_only(old.public_key())?;
    /// let recorder = RecorderBuilder::new("recorder:example")
    ///     .store(StoreKind::Memory)
    ///     .signer(old)
    ///     .trust_root(trust_root)
    ///     .build()?;
    /// let event = || Event::new("tool.call", "agent:7", "production");
    /// recorder.record(event())?;
    ///
    /// let (recorder, report) = recorder.rotate_signer(new, "the yearly one")?;
    /// assert_eq!(report.rotated[0].epoch, 1);
    ///
    /// recorder.record(event())?;
    /// recorder.checkpoint()?;
    /// let bundle = recorder.build_bundle(Selector::everything())?;
    /// let report = recorder.verify_bundle(&bundle.bytes)?;
    /// assert_eq!(report.verdict(), recorder_sdk::Verdict::Valid);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `RotateError`; the recorder then has to be built again, and rotated again to the same key where it says that a
    /// rotation is unfinished.
    pub fn rotate_signer(
        self,
        new: SecretKey,
        reason: &str,
    ) -> Result<(Self, RotationReport), RotateError> {
        let Self { engine, tenant_id, trust_root, .. } = self;
        let (engine, report) = engine.rotate_signer(new, reason)?;
        Ok((Self::new(engine, tenant_id, trust_root), report))
    }

    /// The checkpoint over all that is recorded, signed now where none covers it yet.
    ///
    /// # Errors
    ///
    /// `SealError`: nothing is recorded, or there is no signer.
    pub fn checkpoint(&self) -> Result<StoredCheckpoint, SealError> {
        self.engine.checkpoint(&self.tenant_id)
    }

    /// One page of the envelopes that match `filter`, in the order of the stream.
    ///
    /// ```
    /// use recorder_sdk::prelude::*;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let recorder = RecorderBuilder::new("recorder:demo").store(StoreKind::Memory).build()?;
    /// recorder.record(Event::new("tool.call", "agent:7", "staging").trace("trace:1"))?;
    /// let filter = EnvelopeFilter { trace_ids: Some(["trace:1".parse()?].into()), ..EnvelopeFilter::default() };
    /// let page = recorder.query(&filter, None, recorder_sdk::PageSize::default())?;
    /// assert_eq!(page.envelopes.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `QueryError`; a cursor of another stream or filter is refused.
    pub fn query(
        &self,
        filter: &EnvelopeFilter,
        cursor: Option<&Cursor>,
        size: PageSize,
    ) -> Result<Page, QueryError> {
        Ok(query::page(self.store(), &self.stream, filter, cursor, size)?)
    }

    /// Builds a bundle of what `selector` selects, in memory; with a signer, tied to a checkpoint over all that is
    /// recorded by now.
    ///
    /// # Errors
    ///
    /// `BundleError`; a selection of nothing is refused, since it would prove nothing.
    pub fn build_bundle(&self, selector: Selector) -> Result<Bundle, BundleError> {
        if self.engine.signer().is_some() {
            match self.checkpoint() {
                Ok(_) | Err(SealError::NothingRecorded) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.archive(BuildRequest {
            stream: self.stream.clone(),
            selector,
            created_at: self.engine.clock().now().into(),
            anchor: AnchorAt::Newest,
            compression: Compression::Deflate,
            signer: self.engine.signer(),
        })
    }

    fn archive(&self, request: BuildRequest<'_>) -> Result<Bundle, BundleError> {
        let (mut spool, mut bytes) = (MemorySpool::new(Vec::new()), Vec::new());
        let built = write_archive(self.store(), &request, &mut spool, &mut bytes, &mut |_| ())?;
        Ok(Bundle {
            bundle_id: built.bundle_id,
            envelope_count: built.envelope_count,
            tree_size: built.tree_size,
            bytes,
        })
    }

    /// Verifies a bundle, by anyone, of any stream, against this recorder's trust root.
    ///
    /// # Errors
    ///
    /// `BundleError` when it cannot be judged. Whatever is wrong with it is in the report.
    pub fn verify_bundle(&self, bundle: &[u8]) -> Result<Report, BundleError> {
        let options =
            VerifyOptions { trust_root: self.trust_root.clone(), ..VerifyOptions::default() };
        Ok(verify(&bundle, &options, &mut |_| ())?)
    }

    /// The sealed segments from `segment_index` on, at most `count_max` of them, in order.
    ///
    /// ```
    /// use recorder_sdk::prelude::*;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let recorder = RecorderBuilder::new("recorder:demo").store(StoreKind::Memory).build()?;
    /// recorder.record(Event::new("tool.call", "agent:7", "staging"))?;
    /// recorder.seal()?;
    /// let sealed = recorder.list_bundles(0, 100)?;
    /// let bundle = recorder.fetch_bundle(sealed[0].segment_id)?;
    /// recorder.record(Event::new("tool.call", "agent:7", "staging"))?;
    /// assert_eq!(recorder.fetch_bundle(sealed[0].segment_id)?, bundle);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `ListSize` for none or more than 10,000, or why the store could not be read.
    pub fn list_bundles(
        &self,
        segment_index: u64,
        count_max: usize,
    ) -> Result<Vec<SealedBundle>, BundleError> {
        if !(1..=LIST_MAX).contains(&count_max) {
            return Err(BundleError::ListSize { count_max: LIST_MAX });
        }
        let end = segment_index.saturating_add(count_max as u64);
        let records = self.store().segments(&self.stream, segment_index..end)?;
        let sealed = records.into_iter().filter_map(|record| {
            let seal = record.seal?.seal;
            Some(SealedBundle {
                segment_id: record.genesis.segment_id,
                segment_index: record.genesis.segment_index,
                envelope_count: record.envelope_count,
                sealed_at: seal.sealed_at,
                seal_hash: seal.hash(),
            })
        });
        Ok(sealed.collect())
    }

    /// The bundle of one sealed segment: the same bytes each time, whatever was recorded since.
    ///
    /// # Errors
    ///
    /// `NoSuchSegment`, `NotSealed`, `TooManyEnvelopes`, or why it could not be built.
    pub fn fetch_bundle(&self, segment_id: SegmentId) -> Result<Bundle, BundleError> {
        let record = self.store().segment(&self.stream, segment_id)?;
        let record = record.ok_or(BundleError::NoSuchSegment { segment_id })?;
        let seal = record.seal.ok_or(BundleError::NotSealed { segment_id })?.seal;
        if record.envelope_count > MATERIALISED_MAX {
            let (count, count_max) = (record.envelope_count, MATERIALISED_MAX);
            return Err(BundleError::TooManyEnvelopes { segment_id, count, count_max });
        }
        self.archive(BuildRequest {
            stream: self.stream.clone(),
            selector: Selector::Segment { segment_id },
            created_at: seal.sealed_at.into(),
            anchor: AnchorAt::Oldest { tree_size: seal.tree_size },
            compression: Compression::Stored,
            signer: self.engine.signer(),
        })
    }

    /// Proves that one envelope is in the log, under a signed checkpoint; signs one if none covers it yet.
    ///
    /// ```
    /// use recorder_sdk::prelude::*;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let signer = SecretKey::from_seed(&[42; 32])?;
    /// let key = signer.public_key();
    /// let recorder = RecorderBuilder::new("recorder:demo").store(StoreKind::Memory).signer(signer).build()?;
    /// let receipt = recorder.record(Event::new("tool.call", "agent:7", "staging"))?;
    /// let proof = recorder.prove(receipt.envelope_id)?;
    /// proof.verify(&key)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `ProveError`: no such envelope, no signer, or a log that contradicts itself.
    pub fn prove(&self, envelope_id: EnvelopeId) -> Result<InclusionProof, ProveError> {
        let envelope = self.store().envelope(&self.stream, envelope_id)?;
        let envelope = envelope.ok_or(ProveError::NoSuchEnvelope { envelope_id })?;
        let index = envelope.place.position;
        let checkpoint = match self.store().checkpoint(&self.stream, index + 1)? {
            Some(checkpoint) => checkpoint,
            None => self.checkpoint()?,
        };
        let (tree_size, leaf) = (checkpoint.tree_size, merkle::leaf_hash(&envelope.chain_hash));
        let reader = self.engine.log_reader(&self.stream);
        let corrupt = |detail: String| ProveError::Corrupt { detail };
        let path = merkle::inclusion_proof(&reader, index, tree_size)
            .map_err(|error| corrupt(error.to_string()))?;
        // A proof that does not hold is never handed out.
        merkle::verify_inclusion(&leaf, index, tree_size, &path, &checkpoint.root_hash)
            .map_err(|error| corrupt(error.to_string()))?;
        Ok(InclusionProof { leaf, index, tree_size, path, checkpoint: checkpoint.note })
    }
}
