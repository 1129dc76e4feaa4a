//! The doors of OpenTelemetry: one that takes all of a body or nothing, and OTLP/HTTP, which takes what is good.
//!
//! What an exporter is answered with 200 it forgets, so that nothing is before its commit. It cannot name a retry: the key
//! of an export is derived from its inflated body, and whatever is not the request's fault is answered so that it comes again.
//! Deliberately absent: the mapping, which is the adapter's.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use recorder::{AppendError, Claim, Request, Submission};
use recorder_core::hash::{ContentHash, RequestHash, encode_hex_into, sha256};
use recorder_core::idempotency::IdempotencyKey;
use recorder_core::identity::{EnvelopeId, StreamId};
use recorder_core::limits::BATCH_ENVELOPES_MAX;
use recorder_envelope::adapter::{
    AdapterKeys, Anomaly, Contradiction, Event, Outcome, Policy, Problems, SaltKey,
};
use recorder_envelope::envelope::PreparedEnvelope;
use recorder_envelope::redaction::{Bounds as RedactionBounds, Redactor};
use recorder_otel_adapter::{
    ANOMALY_EVENT_TYPE, Adapter, Bounds, Coding, Door, Encoding, LogBody, Refusal as OtelRefusal,
    Settings, Signal, otlp, redaction_policy,
};
use recorder_sidecar_api::media::Media;
use recorder_sidecar_api::problem::Code;
use recorder_sidecar_api::route::Operation;
use recorder_sidecar_api::wire::IngestAnswer;
use recorder_sidecar_config::Config;
use recorder_sidecar_config::config::{self, OtelSettings};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::admission::Held;
use crate::answer::Answer;
use crate::handle::Asked;
use crate::ingest::IngestError;
use crate::recording;
use crate::refusal::Refusal;
use crate::service::Service;

/// Bodies from this size on, and those that are compressed, are mapped where they keep no other request waiting.
const LARGE_BODY_BYTES: usize = 64 << 10;

/// How often what is recorded is compared with a body before it is left to a later request.
const COMPARISONS_MAX: usize = 3;

/// Bytes that an envelope takes beside its payload, about.
const ENVELOPE_BYTES: usize = 512;

/// Bytes of payloads that a body may give, for each byte that it may have.
const PAYLOAD_FACTOR: usize = 4;

/// What the tags of exports begin with.
const EXPORT_LABEL: &str = "recorder sidecar export v1";

/// What is taken in, and how.
pub(crate) struct Doors {
    stream: StreamId,
    salt_key: SaltKey,
    strict: Adapter,
    /// None where the OTLP routes are off.
    alias: Option<Adapter>,
    /// Bodies that are inflated and mapped at once: more than there are cores would only need more memory.
    turns: Semaphore,
    turn_wait_max: Duration,
}

impl Doors {
    /// The doors that the settings open; none without a key.
    ///
    /// # Errors
    ///
    /// What prevents it, in words.
    pub(crate) fn open(config: &Config) -> Result<Option<Self>, String> {
        let settings = config.otel();
        let Some(keys) = &settings.keys else { return Ok(None) };
        let stream = StreamId {
            tenant_id: settings.tenant_id.clone(),
            recorder_id: config.recorder().recorder_id.clone(),
        };
        let body_bytes_max = config.limits().max_body_bytes;
        let adapter = |policy| adapter(settings, keys, &stream, policy, body_bytes_max);
        let strict = adapter(Policy::StrictFail)?;
        let alias = match settings.otlp_alias {
            true => Some(adapter(Policy::RecordAnomaly)?),
            false => None,
        };
        let cores = std::thread::available_parallelism().map_or(2, NonZero::get);
        Ok(Some(Self {
            salt_key: keys.salt.clone(),
            strict,
            alias,
            turns: Semaphore::new(cores),
            turn_wait_max: Duration::from_millis(config.limits().request_timeout_ms),
            stream,
        }))
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        match tokio::time::timeout(self.turn_wait_max, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => {
                Err(Refusal::new(Code::RequestTimeout, "too many large bodies are being read"))
            }
        }
    }
}

fn adapter(
    settings: &OtelSettings,
    keys: &AdapterKeys,
    stream: &StreamId,
    policy: Policy,
    body_bytes_max: usize,
) -> Result<Adapter, String> {
    let rules = redaction_policy().map_err(|error| error.to_string())?;
    let mut bounds = Bounds {
        body_bytes_max,
        payload_bytes_total_max: body_bytes_max.saturating_mul(PAYLOAD_FACTOR),
        ..Bounds::default()
    };
    if policy == Policy::StrictFail {
        // All or nothing is one commit.
        bounds.records_max = BATCH_ENVELOPES_MAX as u64;
    }
    let settings = Settings {
        stream: stream.clone(),
        actor_id: settings.actor_id.clone(),
        environment_id: settings.environment_id.clone(),
        salt_key: keys.salt.clone(),
        redactor: Redactor::new(rules, RedactionBounds::DEFAULT, Some(keys.redaction.clone())),
        log_body: match settings.log_body {
            config::LogBody::Digest => LogBody::Digest,
            config::LogBody::Redact => LogBody::Redact,
            config::LogBody::Keep => LogBody::Keep,
        },
        policy,
        bounds,
    };
    Adapter::new(settings).map_err(|error| error.to_string())
}

impl From<OtelRefusal> for Refusal {
    fn from(refusal: OtelRefusal) -> Self {
        let code = match (&refusal, refusal.http_status()) {
            (OtelRefusal::Records(_), _) => Code::EnvelopeInvalid,
            (_, 413) => Code::PayloadTooLarge,
            (_, 415) => Code::UnsupportedMediaType,
            _ => Code::BadRequest,
        };
        let mut detail = format!("{refusal} [{}]", refusal.code());
        if let OtelRefusal::Records(refused) = &refusal {
            let others = refused.problems.named.iter().skip(1);
            others.for_each(|anomaly| detail.push_str(&format!("; {anomaly}")));
            if refused.problems.more > 0 {
                detail.push_str(&format!("; and {} more", refused.problems.more));
            }
        }
        Self::new(code, detail)
    }
}

/// The refusal of a door that is closed.
pub(crate) fn check_open(service: &Service, operation: Operation) -> Result<(), Refusal> {
    let closed = |detail: &str| Err(Refusal::new(Code::NotFound, detail));
    match (operation, &service.doors) {
        (Operation::IngestOtel | Operation::ExportTraces | Operation::ExportLogs, None) => {
            closed("no OpenTelemetry is taken: otel.key_path is not set")
        }
        (Operation::ExportTraces | Operation::ExportLogs, Some(doors)) if doors.alias.is_none() => {
            closed("no OTLP is taken: otel.otlp_alias is false")
        }
        _ => Ok(()),
    }
}

/// Records a body.
pub(crate) async fn answer(
    service: &Arc<Service>,
    operation: Operation,
    asked: &Asked,
    body: Bytes,
    held: &mut Held<'_>,
) -> Result<Answer, Refusal> {
    asked.check_tenant(&service.config.otel().tenant_id)?;
    let (signal, door) = match operation {
        Operation::ExportTraces => (Signal::Traces, Door::Traces),
        Operation::ExportLogs => (Signal::Logs, Door::Logs),
        _ => return ingest(service, operation, asked, body, held).await,
    };
    let encoding = match asked.media {
        Some(Media::Protobuf) => Encoding::Protobuf,
        _ => Encoding::Json,
    };
    let body = inflate(service, asked.coding, body, held).await?;
    let mut sight = Sight::Body;
    for _ in 0..COMPARISONS_MAX {
        let export = export(service, &body, encoding, door, sight).await?;
        held.grow(export.bytes)?;
        match record(service, export).await {
            Ok(recorded) => {
                let Recorded { rejected, problems, is_replay } = recorded;
                let answer = otlp::success(signal, encoding, rejected, &problems);
                let answer = Answer::bytes(answer.http_status, answer.content_type, answer.body);
                return Ok(Answer { is_replay, ..answer });
            }
            // Something else is recorded under an id of the body: it is told apart, and an envelope says so.
            Err(IngestError::Append(AppendError::EnvelopeConflict { .. })) => sight = Sight::Store,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::new(Code::QueueFull, "the same spans are being recorded with other content"))
}

/// Takes the coding off a body.
async fn inflate(
    service: &Arc<Service>,
    coding: Coding,
    body: Bytes,
    held: &mut Held<'_>,
) -> Result<Bytes, Refusal> {
    if coding == Coding::Identity {
        return Ok(body);
    }
    let bytes_max = service.config.limits().max_body_bytes;
    let inflated = aside(service, true, move |_, _| {
        Ok(Bytes::from(coding.decode(&body, bytes_max)?.into_owned()))
    });
    let inflated = inflated.await?;
    held.grow(inflated.len())?;
    Ok(inflated)
}

/// Does what takes long where it keeps no other request waiting, and in turn.
async fn aside<T: Send + 'static>(
    service: &Arc<Service>,
    takes_long: bool,
    work: impl FnOnce(&Service, &Doors) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let closed = || Refusal::new(Code::NotFound, "no OpenTelemetry is taken");
    let doors = service.doors.as_ref().ok_or_else(closed)?;
    if !takes_long {
        return work(service, doors);
    }
    let _turn = doors.turn().await?;
    let shared = Arc::clone(service);
    let task = tokio::task::spawn_blocking(move || {
        work(&shared, shared.doors.as_ref().ok_or_else(closed)?)
    });
    task.await?
}

/// Records all of a body or nothing.
async fn ingest(
    service: &Arc<Service>,
    operation: Operation,
    asked: &Asked,
    body: Bytes,
    held: &mut Held<'_>,
) -> Result<Answer, Refusal> {
    let key = asked.key.clone().ok_or_else(|| {
        Refusal::new(Code::IdempotencyKeyRequired, "the path records and needs an idempotency key")
    })?;
    let size_bytes = body.len();
    let prepared = aside(service, size_bytes >= LARGE_BODY_BYTES, move |_, doors| {
        let request_hash = recording::request_hash(operation, &body);
        let outcome = doors.strict.map(&body, Encoding::Json, Door::Ingest)?;
        let events = outcome.events.into_iter();
        let submissions: Vec<_> =
            events.map(|Event { envelope, .. }| Submission::from(envelope.prepare())).collect();
        Ok((submissions, request_hash))
    });
    let (submissions, request_hash) = prepared.await?;
    held.grow(submissions.iter().map(bytes_of).sum())?;
    let claim = Claim { key, request_hash, retention: service.retention };
    let tenant_id = service.config.otel().tenant_id.clone();
    let request = Request { tenant_id, submissions, claim: Some(claim) };
    let receipts = service.ingest.record(request, size_bytes).await?;
    let replayed = receipts.iter().filter(|receipt| receipt.replayed).count();
    let accepted = receipts.len() - replayed;
    let is_replay = accepted == 0;
    let receipts = receipts.into_iter().map(recording::receipt).collect();
    let (accepted, replayed) = (accepted as u64, replayed as u64);
    let answer = IngestAnswer { accepted, replayed, receipts };
    Ok(Answer { is_replay, ..Answer::json(if is_replay { 200 } else { 201 }, &answer) })
}

/// What a body is compared with.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Sight {
    /// With itself.
    Body,
    /// With what is recorded too.
    Store,
}

/// An export on its way to the writer.
struct Export {
    tag: [u8; 16],
    pieces: Vec<Vec<Submission>>,
    /// Every record that was mapped: its place among the events, and the id that it has there unless it contradicts.
    records: Vec<(usize, Option<EnvelopeId>)>,
    /// Records that the adapter refused.
    rejected: u64,
    problems: Problems,
    bytes: usize,
}

async fn export(
    service: &Arc<Service>,
    body: &Bytes,
    encoding: Encoding,
    door: Door,
    sight: Sight,
) -> Result<Export, Refusal> {
    let takes_long = body.len() >= LARGE_BODY_BYTES || sight == Sight::Store;
    let body = body.clone();
    let mapped = aside(service, takes_long, move |service, doors| {
        let closed = || Refusal::new(Code::NotFound, "no OTLP is taken");
        let outcome = doors.alias.as_ref().ok_or_else(closed)?.map(&body, encoding, door)?;
        let path: &[u8] = if door == Door::Traces { b"traces" } else { b"logs" };
        let tag = doors.salt_key.tag(EXPORT_LABEL, &[path, b"\n", &body]);
        prepared(service, doors, outcome, tag, sight)
    });
    mapped.await
}

/// Prepares the envelopes of an outcome, and puts in the place of each that contradicts another what says so.
fn prepared(
    service: &Service,
    doors: &Doors,
    outcome: Outcome,
    tag: [u8; 16],
    sight: Sight,
) -> Result<Export, Refusal> {
    let Outcome { events, rejected, problems, .. } = outcome;
    let mut export =
        Export { tag, pieces: Vec::new(), records: Vec::new(), rejected, problems, bytes: 0 };
    let mut seen: BTreeMap<EnvelopeId, ContentHash> = BTreeMap::new();
    let mut piece = Vec::new();
    for (index, Event { envelope, .. }) in events.into_iter().enumerate() {
        // A piece holds the same events whatever was found out about them, so that its key always names the same.
        if index > 0 && index % BATCH_ENVELOPES_MAX == 0 {
            export.pieces.push(std::mem::take(&mut piece));
        }
        let id = envelope.fields.envelope_id;
        let is_record = envelope.fields.event_type.as_str() != ANOMALY_EVENT_TYPE;
        let envelope = envelope.prepare();
        let content_hash = envelope.content_hash();
        let first = match seen.get(&id) {
            None if sight == Sight::Store => stored(service, &doors.stream, id)?,
            first => first.copied(),
        };
        let contradicts = first.is_some_and(|first| first != content_hash);
        if is_record {
            export.records.push((index, (!contradicts).then_some(id)));
        }
        let envelope = match contradicts {
            true => contradiction(doors, id, content_hash)?,
            false => envelope,
        };
        // One commit takes an id once.
        if seen.insert(envelope.fields().envelope_id, envelope.content_hash()).is_none() {
            let submission = Submission::from(envelope);
            export.bytes += bytes_of(&submission);
            piece.push(submission);
        }
    }
    export.pieces.push(piece);
    Ok(export)
}

fn stored(
    service: &Service,
    stream: &StreamId,
    id: EnvelopeId,
) -> Result<Option<ContentHash>, Refusal> {
    let stored = service.recorder.store().envelope(stream, id)?;
    Ok(stored.map(|stored| stored.content_hash))
}

fn contradiction(
    doors: &Doors,
    envelope_id: EnvelopeId,
    content_hash: ContentHash,
) -> Result<PreparedEnvelope, Refusal> {
    let contradiction = Contradiction::Recorded { envelope_id, content_hash };
    let envelope = contradiction.envelope(&doors.stream, &doors.salt_key);
    let envelope =
        envelope.map_err(|error| Refusal::new(Code::InternalError, error.to_string()))?;
    Ok(envelope.prepare())
}

/// About how much memory an envelope takes while it waits.
fn bytes_of(submission: &Submission) -> usize {
    submission.prepared.payload().payload.as_bytes().len() + ENVELOPE_BYTES
}

/// What became of an export.
struct Recorded {
    rejected: u64,
    problems: Problems,
    is_replay: bool,
}

/// Records an export, each piece of it whole. What no receipt vouches for is rejected, now and whenever it comes again.
async fn record(service: &Service, export: Export) -> Result<Recorded, IngestError> {
    let Export { tag, pieces, records, mut rejected, mut problems, .. } = export;
    let mut vouched = BTreeSet::new();
    let mut is_replay = true;
    for (index, submissions) in pieces.into_iter().enumerate() {
        let claim = claim(service, tag, index);
        let bytes = submissions.iter().map(bytes_of).sum();
        let tenant_id = service.config.otel().tenant_id.clone();
        let request = Request { tenant_id, submissions, claim };
        let receipts = service.ingest.record(request, bytes).await?;
        is_replay &= !receipts.is_empty() && receipts.iter().all(|receipt| receipt.replayed);
        vouched.extend(receipts.iter().map(|receipt| receipt.envelope_id));
    }
    for (index, id) in records {
        if !id.is_some_and(|id| vouched.contains(&id)) {
            rejected += 1;
            let path = format_args!("event {}", index + 1);
            let detail = "something else is recorded under its id";
            problems.push(Anomaly::new("envelope_conflict", path, detail));
        }
    }
    Ok(Recorded { rejected, problems, is_replay })
}

/// Names a piece of an export by what the export holds, so that nobody without the key can take the name first.
fn claim(service: &Service, tag: [u8; 16], piece: usize) -> Option<Claim> {
    let mut name = [0; 32];
    encode_hex_into(&tag, &mut name);
    let name = std::str::from_utf8(&name).unwrap_or_default();
    let key = IdempotencyKey::new(format!("otlp:{name}:{piece}")).ok()?;
    let request_hash = RequestHash::from_bytes(sha256(&[b"recorder/request/v1\notlp\n", &tag]));
    Some(Claim { key, request_hash, retention: service.retention })
}
