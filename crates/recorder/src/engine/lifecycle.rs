//! Segments and checkpoints on request; recording opens and seals by itself as the policy says.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use recorder_core::identity::{SegmentId, TenantId};
use recorder_core::time::RecordedAt;
use recorder_envelope::segment::SealReason;
use recorder_store::{Step, StoredCheckpoint};

use super::{Recorder, Writer, refusal};
use crate::error::{AppendError, SealError};
use crate::receipt::SealReceipt;
use crate::stream::{Plan, StreamState};

impl Recorder {
    /// Opens a segment explicitly; recording opens one by itself when none is open.
    ///
    /// # Errors
    ///
    /// `AlreadyOpen`, or why nothing could be written.
    pub fn open_segment(&self, tenant_id: &TenantId) -> Result<SegmentId, SealError> {
        let mut writer = self.lock_writer();
        let mut state = self.state(&writer, &self.stream_of(tenant_id))?;
        if let Some(open) = &state.open {
            return Err(SealError::AlreadyOpen { segment_id: open.genesis.segment_id });
        }
        let expected = state.expected();
        let plan = self.plan(&mut state, |state, planner, plan| state.plan_open(planner, plan))?;
        let opened = state.expected().open_segment.ok_or(SealError::NoneOpen)?;
        self.commit_lifecycle(&mut writer, state, expected, plan)?;
        Ok(opened)
    }

    /// Seals the open segment; with a signer, signs the seal and a checkpoint over the whole log.
    ///
    /// # Errors
    ///
    /// `NoneOpen`, `Empty`, or why nothing could be written.
    pub fn seal_segment(
        &self,
        tenant_id: &TenantId,
        reason: SealReason,
    ) -> Result<SealReceipt, SealError> {
        let writer = self.lock_writer();
        let state = self.state(&writer, &self.stream_of(tenant_id))?;
        self.seal(writer, state, reason)
    }

    /// Seals every segment that has been open for as long as the policy allows. Recording does so by itself; this is
    /// for streams that nobody writes to. Each is answered with its tenant.
    pub fn seal_due_segments(&self) -> Vec<(TenantId, Result<SealReceipt, SealError>)> {
        let is_due = |state: &StreamState| state.is_open_too_long(&self.config, self.clock.now());
        let due = {
            let writer = self.lock_writer();
            let due = writer.streams.iter().filter(|(_, state)| is_due(state));
            due.map(|(tenant_id, _)| tenant_id.clone()).collect::<Vec<_>>()
        };
        let sealed = due.into_iter().filter_map(|tenant_id| {
            let writer = self.lock_writer();
            let outcome = match self.state(&writer, &self.stream_of(&tenant_id)) {
                // Somebody who recorded meanwhile has sealed it.
                Ok(state) if !is_due(&state) => return None,
                Ok(state) => self.seal(writer, state, SealReason::Duration),
                Err(error) => Err(error.into()),
            };
            Some((tenant_id, outcome))
        });
        sealed.collect()
    }

    /// For each stream with envelopes that no checkpoint covers: how many, and when the first was recorded.
    pub fn uncovered(&self) -> BTreeMap<TenantId, (u64, RecordedAt)> {
        let writer = self.lock_writer();
        let uncovered = writer.streams.iter().filter_map(|(tenant_id, state)| {
            let covered = state.checkpoint.as_ref().map_or(0, |newest| newest.tree_size);
            let count = state.next_position.saturating_sub(covered);
            let since = state.uncovered_since.filter(|_| count > 0)?;
            Some((tenant_id.clone(), (count, since)))
        });
        uncovered.collect()
    }

    /// The latest time that a stream of this recorder holds; no clock takes it back.
    pub fn last_moment(&self) -> Option<RecordedAt> {
        self.lock_writer().streams.values().filter_map(|state| state.last_moment).max()
    }

    fn seal(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        mut state: StreamState,
        reason: SealReason,
    ) -> Result<SealReceipt, SealError> {
        match &state.open {
            None => return Err(SealError::NoneOpen),
            Some(open) if open.envelope_count == 0 => {
                return Err(SealError::Empty { segment_id: open.genesis.segment_id });
            }
            Some(_) => {}
        }
        let expected = state.expected();
        let plan =
            self.plan(&mut state, |state, planner, plan| state.plan_seal(reason, planner, plan))?;
        let receipt = plan.steps.iter().find_map(seal_receipt).ok_or(SealError::NoneOpen)?;
        self.commit_lifecycle(&mut writer, state, expected, plan)?;
        Ok(receipt)
    }

    /// The newest checkpoint over all that is recorded; signs one if the newest does not cover it.
    ///
    /// # Errors
    ///
    /// `NothingRecorded`, `NoSigner`, or why nothing could be written.
    pub fn checkpoint(&self, tenant_id: &TenantId) -> Result<StoredCheckpoint, SealError> {
        let mut writer = self.lock_writer();
        let mut state = self.state(&writer, &self.stream_of(tenant_id))?;
        if state.next_position == 0 {
            return Err(SealError::NothingRecorded);
        }
        let expected = state.expected();
        let plan =
            self.plan(&mut state, |state, planner, plan| state.plan_checkpoint(planner, plan))?;
        if self.signer().is_none() {
            return Err(SealError::NoSigner);
        }
        let checkpoint = state.checkpoint.clone().ok_or(SealError::NoSigner)?;
        self.commit_lifecycle(&mut writer, state, expected, plan)?;
        Ok(checkpoint)
    }

    fn commit_lifecycle(
        &self,
        writer: &mut Writer,
        state: StreamState,
        expected: recorder_store::ExpectedHead,
        plan: Plan,
    ) -> Result<(), AppendError> {
        self.commit_plan(writer, state, expected, plan, Vec::new(), None)
            .map_err(|error| refusal(writer, error))
    }
}

fn seal_receipt(step: &Step) -> Option<SealReceipt> {
    let Step::Seal(signed) = step else { return None };
    let seal = &signed.seal;
    Some(SealReceipt {
        segment_id: seal.segment_id,
        envelope_count: seal.envelope_count,
        chain_head: seal.chain_head,
        seal_hash: seal.hash(),
        tree_size: seal.tree_size,
        root_hash: seal.root_hash,
        signed: signed.signature.is_some(),
    })
}
