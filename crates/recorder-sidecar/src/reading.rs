//! Reading: queries, segments, checkpoints, proofs, settings and counts. All of it on threads that may wait for the disk.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use recorder::query;
use recorder_core::filter::{Cursor, PageSize};
use recorder_core::hash::TreeHash;
use recorder_core::identity::{RecorderId, StreamId, TenantId};
use recorder_core::limits::{PAGE_SIZE_DEFAULT, SELECTOR_BYTES_MAX};
use recorder_envelope::envelope::SealedEnvelope;
use recorder_envelope::merkle;
use recorder_sidecar_api::media::Media;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::Operation;
use recorder_sidecar_api::wire::{
    self, CheckpointAnswer, ConsistencyAnswer, ConsistencyRequest, InclusionAnswer,
    InclusionRequest, QueryAnswer, QueryRequest, Segment, SegmentsAnswer,
};
use recorder_store::{SegmentRecord, StreamHead};
use serde_json::value::RawValue;

use crate::answer::Answer;
use crate::handle::Asked;
use crate::recording::check_recorder;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::{metrics, parameters};

/// The published description of the interface.
const OPENAPI: &[u8] = include_bytes!("../../../docs/generated/apis/sidecar.openapi.json");

/// Answers from what is recorded.
pub(crate) async fn answer(
    service: &Arc<Service>,
    operation: Operation,
    asked: Asked,
    body: Bytes,
) -> Result<Answer, Refusal> {
    let service = Arc::clone(service);
    blocking(move || match operation {
        Operation::QueryEnvelopes => query(&service, &asked, &body),
        Operation::ListSegments => segments(&service, &asked, false),
        Operation::ActiveSegments => segments(&service, &asked, true),
        Operation::Checkpoint => checkpoint(&service, &asked),
        Operation::ProveInclusion => inclusion(&service, &asked, &body),
        Operation::ProveConsistency => consistency(&service, &asked, &body),
        Operation::OpenApi => Ok(Answer::bytes(200, Media::Json.content_type(), OPENAPI.to_vec())),
        Operation::Config => Ok(Answer::json(200, service.config.effective())),
        Operation::Metrics if service.config.metrics_enabled() => {
            let text = metrics::render(&service).into_bytes();
            Ok(Answer::bytes(200, Media::Metrics.content_type(), text))
        }
        _ => Err(Refusal::new(Code::NotFound, "there is no such path")),
    })
    .await
}

/// Runs what may wait for the disk where it keeps no other request waiting.
pub(crate) async fn blocking(
    work: impl FnOnce() -> Result<Answer, Refusal> + Send + 'static,
) -> Result<Answer, Refusal> {
    tokio::task::spawn_blocking(work).await?
}

/// The stream of a tenant at this recorder, if the sender may touch it.
pub(crate) fn stream(
    service: &Service,
    asked: &Asked,
    tenant_id: TenantId,
    recorder_id: &RecorderId,
) -> Result<StreamId, Refusal> {
    check_recorder(service, recorder_id)?;
    asked.check_tenant(&tenant_id)?;
    Ok(StreamId { tenant_id, recorder_id: recorder_id.clone() })
}

fn query(service: &Service, asked: &Asked, body: &[u8]) -> Result<Answer, Refusal> {
    if body.len() as u64 > SELECTOR_BYTES_MAX {
        let detail = format!("a query has at most {SELECTOR_BYTES_MAX} bytes");
        return Err(Refusal::new(Code::PayloadTooLarge, detail));
    }
    let request: QueryRequest = wire::read(body)?;
    let stream = stream(service, asked, request.tenant_id, &request.recorder_id)?;
    let invalid = |error: recorder_core::filter::FilterError| {
        Refusal::new(Code::FilterInvalid, error.to_string())
    };
    let size = PageSize::new(request.limit.unwrap_or(PAGE_SIZE_DEFAULT)).map_err(invalid)?;
    let filter = request.filter.into_filter().map_err(invalid)?;
    let cursor = request.cursor.as_deref().map(Cursor::parse).transpose().map_err(invalid)?;
    let page = query::page(&**service.recorder.store(), &stream, &filter, cursor.as_ref(), size)?;
    let envelopes = page.envelopes.iter().map(canonical).collect::<Result<_, _>>()?;
    let next_cursor = page.next_cursor.map(|cursor| cursor.to_string());
    Ok(Answer::json(200, &QueryAnswer { envelopes, next_cursor }))
}

/// An envelope as its canonical line, which is not rendered again.
fn canonical(envelope: &SealedEnvelope) -> Result<Box<RawValue>, Refusal> {
    let mut bytes = Vec::new();
    envelope.write_canonical(&mut bytes);
    let internal = |detail: String| Refusal::new(Code::InternalError, detail);
    let text = String::from_utf8(bytes).map_err(|error| internal(error.to_string()))?;
    RawValue::from_string(text).map_err(|error| internal(error.to_string()))
}

/// The streams of this recorder, by tenant; one of them where a tenant is named.
fn streams(service: &Service, tenant_id: Option<TenantId>) -> Result<Vec<StreamId>, Refusal> {
    let own = &service.config.recorder().recorder_id;
    let mut streams = service.recorder.store().streams()?;
    streams.retain(|stream| {
        stream.recorder_id == *own && tenant_id.as_ref().is_none_or(|it| *it == stream.tenant_id)
    });
    Ok(streams)
}

/// Where a list of segments goes on: at an index of a tenant's stream.
fn segment_cursor(text: &str) -> Option<(TenantId, u64)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (index, tenant_id) = text.split_once(' ')?;
    Some((TenantId::new(tenant_id).ok()?, index.parse().ok()?))
}

fn segments(service: &Service, asked: &Asked, only_open: bool) -> Result<Answer, Refusal> {
    let [tenant_id, cursor, limit] =
        parameters::read(asked.query.as_deref(), ["tenant_id", "cursor", "limit"])?;
    let tenant_id =
        tenant_id.map(|text| parameters::parse("tenant_id", text, TenantId::new)).transpose()?;
    tenant_id.iter().try_for_each(|tenant_id| asked.check_tenant(tenant_id))?;
    let tenant_id = tenant_id.or_else(|| asked.tenant_id.clone());
    let limit = limit.map(|text| parameters::number("limit", &text)).transpose()?;
    let size = PageSize::new(limit.unwrap_or(PAGE_SIZE_DEFAULT));
    let size = size.map_err(|error| Refusal::new(Code::FilterInvalid, error.to_string()))?.value();
    let from = match cursor {
        None => None,
        Some(text) => Some(segment_cursor(&text).ok_or_else(|| {
            Refusal::new(Code::FilterInvalid, "the cursor is not one that this route gave")
        })?),
    };
    let mut found = Vec::new();
    for stream in streams(service, tenant_id)? {
        let first = match &from {
            Some((tenant, _)) if stream.tenant_id < *tenant => continue,
            Some((tenant, index)) if stream.tenant_id == *tenant => *index,
            _ => 0,
        };
        // One more than the page, to know whether something follows.
        let wanted = (size + 1 - found.len()) as u64;
        found.extend(segments_of(service, &stream, first, wanted, only_open)?);
        if found.len() > size {
            break;
        }
    }
    let next_cursor = found.get(size).map(|next: &Segment| {
        URL_SAFE_NO_PAD.encode(format!("{} {}", next.segment_index, next.tenant_id.as_str()))
    });
    found.truncate(size);
    Ok(Answer::json(200, &SegmentsAnswer { segments: found, next_cursor }))
}

fn segments_of(
    service: &Service,
    stream: &StreamId,
    first: u64,
    count_max: u64,
    only_open: bool,
) -> Result<Vec<Segment>, Refusal> {
    let store = service.recorder.store();
    let first = match only_open {
        false => first,
        // Only the last segment can be open.
        true => match store.head(stream)? {
            Some(StreamHead { open_segment: Some(open), .. }) => open.genesis.segment_index,
            _ => return Ok(Vec::new()),
        },
    };
    let records = store.segments(stream, first..first.saturating_add(count_max))?;
    Ok(records.into_iter().map(segment).collect())
}

fn segment(record: SegmentRecord) -> Segment {
    let seal = record.seal.as_ref().map(|signed| &signed.seal);
    Segment {
        segment_id: record.genesis.segment_id,
        segment_index: record.genesis.segment_index,
        first_position: record.genesis.first_position,
        envelope_count: record.envelope_count,
        opened_at: record.genesis.opened_at,
        sealed_at: seal.map(|seal| seal.sealed_at),
        chain_head: record.chain_head,
        seal_hash: seal.map(|seal| seal.hash()),
        tenant_id: record.genesis.stream.tenant_id,
        recorder_id: record.genesis.stream.recorder_id,
    }
}

fn head(service: &Service, stream: &StreamId) -> Result<StreamHead, Refusal> {
    let head = service.recorder.store().head(stream)?;
    head.filter(|head| head.next_position > 0)
        .ok_or_else(|| Refusal::new(Code::NotFound, "nothing is recorded for this tenant"))
}

fn checkpoint(service: &Service, asked: &Asked) -> Result<Answer, Refusal> {
    let [tenant_id, recorder_id] =
        parameters::read(asked.query.as_deref(), ["tenant_id", "recorder_id"])?;
    let tenant_id =
        tenant_id.ok_or_else(|| Refusal::new(Code::BadRequest, "tenant_id is missing"))?;
    let tenant_id = parameters::parse("tenant_id", tenant_id, TenantId::new)?;
    let recorder_id = match recorder_id {
        Some(text) => parameters::parse("recorder_id", text, RecorderId::new)?,
        None => service.config.recorder().recorder_id.clone(),
    };
    let stream = stream(service, asked, tenant_id, &recorder_id)?;
    let head = head(service, &stream)?;
    let checkpoint = head.checkpoint;
    let checkpoint =
        checkpoint.ok_or_else(|| Refusal::new(Code::NotFound, "no checkpoint is signed yet"))?;
    let StreamId { tenant_id, recorder_id } = stream;
    let (tree_size, root_hash, note) =
        (checkpoint.tree_size, checkpoint.root_hash, checkpoint.note);
    Ok(Answer::json(200, &CheckpointAnswer { tenant_id, recorder_id, tree_size, root_hash, note }))
}

/// The size to prove in, and the signed note over exactly that size.
fn size_and_note(
    service: &Service,
    stream: &StreamId,
    asked: Option<u64>,
) -> Result<(u64, Option<String>), Refusal> {
    let head = head(service, stream)?;
    let newest = head.checkpoint.map(|newest| (newest.tree_size, newest.note));
    match (asked, newest) {
        (None, Some((size, note))) => Ok((size, Some(note))),
        (None, None) => Ok((head.next_position, None)),
        (Some(size), _) if size > head.next_position => {
            let detail = format!("the log holds {} envelopes", head.next_position);
            Err(Refusal::new(Code::NotFound, detail))
        }
        (Some(size), _) => {
            let kept = service.recorder.store().checkpoint(stream, size)?;
            let note = kept.filter(|kept| kept.tree_size == size).map(|kept| kept.note);
            Ok((size, note))
        }
    }
}

fn unprovable(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::StorageUnavailable, format!("the log contradicts itself: {error}"))
}

fn inclusion(service: &Service, asked: &Asked, body: &[u8]) -> Result<Answer, Refusal> {
    let request: InclusionRequest = wire::read(body)?;
    let stream = stream(service, asked, request.tenant_id, &request.recorder_id)?;
    let (tree_size, checkpoint) = size_and_note(service, &stream, request.tree_size)?;
    let envelope = service.recorder.store().envelope(&stream, request.envelope_id)?;
    let envelope = envelope.filter(|envelope| envelope.place.position < tree_size);
    let envelope = envelope.ok_or_else(|| {
        Refusal::new(Code::NotFound, format!("no such envelope is in the log of size {tree_size}"))
    })?;
    let position = envelope.place.position;
    let reader = service.recorder.log_reader(&stream);
    let path: Vec<TreeHash> =
        merkle::inclusion_proof(&reader, position, tree_size).map_err(unprovable)?;
    let root_hash = merkle::root_at(&reader, tree_size).map_err(unprovable)?;
    // A proof that does not hold is never given.
    let leaf = merkle::leaf_hash(&envelope.chain_hash);
    merkle::verify_inclusion(&leaf, position, tree_size, &path, &root_hash).map_err(unprovable)?;
    let (envelope_id, chain_hash) = (request.envelope_id, envelope.chain_hash);
    let answer = InclusionAnswer {
        envelope_id,
        position,
        chain_hash,
        tree_size,
        root_hash,
        path,
        checkpoint,
    };
    Ok(Answer::json(200, &answer))
}

fn consistency(service: &Service, asked: &Asked, body: &[u8]) -> Result<Answer, Refusal> {
    let request: ConsistencyRequest = wire::read(body)?;
    let stream = stream(service, asked, request.tenant_id, &request.recorder_id)?;
    let (new_size, checkpoint) = size_and_note(service, &stream, request.new_size)?;
    let old_size = request.old_size;
    if old_size > new_size {
        let detail = format!("old_size is beyond the size {new_size}");
        return Err(Refusal::new(Code::NotFound, detail));
    }
    let reader = service.recorder.log_reader(&stream);
    let path = merkle::consistency_proof(&reader, old_size, new_size).map_err(unprovable)?;
    let old_root_hash = merkle::root_at(&reader, old_size).map_err(unprovable)?;
    let new_root_hash = merkle::root_at(&reader, new_size).map_err(unprovable)?;
    let answer =
        ConsistencyAnswer { old_size, old_root_hash, new_size, new_root_hash, path, checkpoint };
    Ok(Answer::json(200, &answer))
}
