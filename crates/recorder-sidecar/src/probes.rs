//! Probes: whether the process lives, has started, records. They ask for no place and wait for no writer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use recorder_core::hash::AttachmentHash;
use recorder_sidecar_api::route::Operation;
use recorder_sidecar_api::wire::{NotReady, ProbeAnswer};

use crate::answer::Answer;
use crate::refusal::Refusal;
use crate::service::Service;

/// How long the store may take to answer a probe.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers a probe.
pub(crate) async fn answer(
    service: &Arc<Service>,
    operation: Operation,
) -> Result<Answer, Refusal> {
    if operation != Operation::Ready {
        // Nothing listens before everything has started.
        let alive = ProbeAnswer { status: "ok", reasons: None, durability: None };
        return Ok(Answer::json(200, &alive));
    }
    let reasons = reasons(service).await;
    let (status, word) = if reasons.is_empty() { (200, "ok") } else { (503, "unavailable") };
    let durability = Some(service.recorder.store().durability());
    Ok(Answer::json(status, &ProbeAnswer { status: word, reasons: Some(reasons), durability }))
}

/// Every reason why the sidecar does not record.
async fn reasons(service: &Arc<Service>) -> Vec<NotReady> {
    let mut reasons = Vec::new();
    if !service.database.is_there() || !store_answers(service).await {
        reasons.push(NotReady::StorageUnavailable);
    }
    if service.ingest.observed().latched.load(Ordering::Acquire) {
        reasons.push(NotReady::WriterLatched);
    }
    if service.checkpoints.has_failed() {
        reasons.push(NotReady::SignerStopped);
    }
    if service.config.probes().asks_enterprise
        && let Some(plane) = &service.control_plane
        && !plane.is_healthy().await
    {
        reasons.push(NotReady::EnterpriseUnavailable);
    }
    if service.config.probes().fails_on_saturation && service.admission.is_exhausted() {
        reasons.push(NotReady::RequestCapacityExhausted);
    }
    if service.is_draining() {
        reasons.push(NotReady::ShuttingDown);
    }
    reasons
}

async fn store_answers(service: &Arc<Service>) -> bool {
    let store = Arc::clone(service.recorder.store());
    // One look into one index, whatever the size of the database.
    let nothing = AttachmentHash::from_bytes([0; 32]);
    let asked = tokio::task::spawn_blocking(move || store.attachment(&nothing).is_ok());
    matches!(tokio::time::timeout(STORE_TIMEOUT, asked).await, Ok(Ok(true)))
}
