//! Segments and checkpoints on request; recording opens and seals by itself as the policy says.

use recorder_core::identity::{SegmentId, TenantId};
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
        let mut writer = self.lock_writer();
        let mut state = self.state(&writer, &self.stream_of(tenant_id))?;
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
