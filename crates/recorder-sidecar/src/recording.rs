//! Recording: what was sent becomes prepared envelopes here, on the handler's thread; the rest is the writer's.

use std::cell::RefCell;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use recorder::{Claim, Receipt, Request, Submission};
use recorder_core::hash::{RequestHash, sha256};
use recorder_core::identity::{RecorderId, TenantId};
use recorder_core::limits::ATTACHMENT_REFS_MAX;
use recorder_envelope::attachment::Attachment;
use recorder_envelope::draft::{Draft, DraftDefaults};
use recorder_envelope::json::Canonicalizer;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::Operation;
use recorder_sidecar_api::wire::{
    self, AttachmentInput, AttachmentsRequest, BATCH_REQUEST_ENVELOPES_MAX, BatchAnswer,
    BatchRequest, RecordRequest,
};

use crate::answer::Answer;
use crate::handle::Asked;
use crate::refusal::Refusal;
use crate::service::Service;

/// Bodies from this size on are prepared where they keep no other request waiting.
const LARGE_BODY_BYTES: usize = 64 << 10;

/// What a body asks to be recorded.
struct Prepared {
    tenant_id: TenantId,
    submissions: Vec<Submission>,
}

/// Records what a body holds.
pub(crate) async fn answer(
    service: &Arc<Service>,
    operation: Operation,
    asked: &Asked,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let size_bytes = body.len();
    let key = asked.key.clone().ok_or_else(|| {
        Refusal::new(Code::IdempotencyKeyRequired, "the path records and needs an idempotency key")
    })?;
    let (prepared, request_hash) = if size_bytes < LARGE_BODY_BYTES {
        prepare(service, operation, &body)?
    } else {
        let shared = Arc::clone(service);
        let task = tokio::task::spawn_blocking(move || prepare(&shared, operation, &body));
        task.await??
    };
    let claim = Claim { key, request_hash, retention: service.retention };
    let Prepared { tenant_id, submissions } = prepared;
    asked.check_tenant(&tenant_id)?;
    let request = Request { tenant_id, submissions, claim: Some(claim) };
    let receipts = service.ingest.record(request, size_bytes).await?;
    Ok(acknowledge(operation, receipts))
}

fn acknowledge(operation: Operation, receipts: Vec<Receipt>) -> Answer {
    let is_replay = receipts.iter().all(|receipt| receipt.replayed);
    let status = if is_replay { 200 } else { 201 };
    let mut receipts: Vec<_> = receipts.into_iter().map(receipt).collect();
    let answer = match (operation, receipts.len()) {
        (Operation::RecordBatch, _) => Answer::json(status, &BatchAnswer { receipts }),
        (_, 1) => Answer::json(status, &receipts.remove(0)),
        _ => Answer::json(status, &BatchAnswer { receipts }),
    };
    Answer { is_replay, ..answer }
}

/// A receipt as it is answered.
pub(crate) fn receipt(receipt: Receipt) -> wire::Receipt {
    wire::Receipt {
        envelope_id: receipt.envelope_id,
        segment_id: receipt.segment_id,
        sequence: receipt.sequence,
        position: receipt.position,
        recorded_at: receipt.recorded_at,
        payload_commitment: receipt.payload_commitment,
        content_hash: receipt.content_hash,
        chain_hash: receipt.chain_hash,
        durability: receipt.durability,
    }
}

/// What a retry is told from another request by: the path and the bytes of the body.
pub(crate) fn request_hash(operation: Operation, body: &[u8]) -> RequestHash {
    let path = operation.route().path.as_bytes();
    RequestHash::from_bytes(sha256(&[b"recorder/request/v1\n", path, b"\n", body]))
}

/// Reads and prepares a body.
fn prepare(
    service: &Service,
    operation: Operation,
    body: &[u8],
) -> Result<(Prepared, RequestHash), Refusal> {
    let hash = request_hash(operation, body);
    let prepared = match operation {
        Operation::RecordBatch => batch(service, body)?,
        Operation::RecordWithAttachments => with_attachments(service, body)?,
        _ => single(service, body)?,
    };
    Ok((prepared, hash))
}

fn single(service: &Service, body: &[u8]) -> Result<Prepared, Refusal> {
    let request: RecordRequest<'_> = wire::read(body)?;
    check_recorder(service, &request.recorder_id)?;
    let submission = submission(service, request.envelope.get(), Vec::new())?;
    Ok(Prepared { tenant_id: request.tenant_id, submissions: vec![submission] })
}

fn with_attachments(service: &Service, body: &[u8]) -> Result<Prepared, Refusal> {
    let request: AttachmentsRequest<'_> = wire::read(body)?;
    check_recorder(service, &request.recorder_id)?;
    let count = request.attachments.len();
    if !(1..=ATTACHMENT_REFS_MAX).contains(&count) {
        let detail = format!("there are {count} attachments; 1 to {ATTACHMENT_REFS_MAX} are taken");
        return Err(Refusal::new(Code::AttachmentInvalid, detail));
    }
    let attachments: Vec<_> =
        request.attachments.into_iter().map(attachment).collect::<Result<_, _>>()?;
    let submission = submission(service, request.envelope.get(), attachments)?;
    Ok(Prepared { tenant_id: request.tenant_id, submissions: vec![submission] })
}

fn batch(service: &Service, body: &[u8]) -> Result<Prepared, Refusal> {
    let request: BatchRequest<'_> = wire::read(body)?;
    check_recorder(service, &request.recorder_id)?;
    let count = request.envelopes.len();
    if !(1..=BATCH_REQUEST_ENVELOPES_MAX).contains(&count) {
        let detail =
            format!("there are {count} envelopes; 1 to {BATCH_REQUEST_ENVELOPES_MAX} are taken");
        return Err(Refusal::new(Code::EnvelopeInvalid, detail));
    }
    let envelopes = request.envelopes.iter().enumerate();
    let submissions = envelopes.map(|(index, envelope)| {
        submission(service, envelope.get(), Vec::new()).map_err(|refusal| {
            Refusal::new(refusal.code, format!("envelope {index}: {}", refusal.detail))
        })
    });
    let submissions = submissions.collect::<Result<_, _>>()?;
    Ok(Prepared { tenant_id: request.tenant_id, submissions })
}

/// Refuses a recorder that is not this one.
pub(crate) fn check_recorder(service: &Service, recorder_id: &RecorderId) -> Result<(), Refusal> {
    let own = &service.config.recorder().recorder_id;
    match recorder_id == own {
        true => Ok(()),
        false => Err(Refusal::new(Code::StreamMismatch, format!("this recorder is {own}"))),
    }
}

fn attachment(input: AttachmentInput<'_>) -> Result<Attachment, Refusal> {
    let invalid = |detail: String| Refusal::new(Code::AttachmentInvalid, detail);
    let bytes = STANDARD.decode(input.data_base64.as_bytes());
    let bytes = bytes.map_err(|_| invalid("data_base64 is not base64 with padding".to_owned()))?;
    Attachment::new(input.content_type, bytes).map_err(|error| invalid(error.to_string()))
}

thread_local! {
    /// Scratch memory of the canonicaliser, kept from one request to the next.
    static CANONICALIZER: RefCell<Canonicalizer> = const { RefCell::new(Canonicalizer::new()) };
}

fn submission(
    service: &Service,
    envelope: &str,
    attachments: Vec<Attachment>,
) -> Result<Submission, Refusal> {
    let draft = CANONICALIZER.with_borrow_mut(|it| Draft::parse_with(it, envelope.as_bytes()));
    let mut draft = draft?;
    for reference in attachments.iter().map(Attachment::reference) {
        if !draft.attachment_refs.contains(reference) {
            draft.attachment_refs.push(reference.clone());
        }
    }
    let now = service.recorder.clock().now();
    let failed =
        |error: recorder::ids::NoRandomness| Refusal::new(Code::InternalError, error.to_string());
    let ids = service.recorder.ids();
    let envelope_id = match draft.envelope_id {
        Some(id) => id,
        None => ids.envelope_id(now).map_err(failed)?,
    };
    let payload_salt = match draft.payload_salt.take() {
        Some(salt) => salt,
        None => ids.payload_salt().map_err(failed)?,
    };
    let unsealed = draft.complete(&mut DraftDefaults {
        envelope_id: &mut || envelope_id,
        payload_salt: &mut || payload_salt,
        claimed_time: &mut || now.into(),
    })?;
    Ok(Submission { prepared: unsealed.prepare(), attachments })
}
