//! Bodies of requests and answers.
//!
//! Requests are read strictly: an object is an object, no member is unknown and none stands twice. Envelopes stay
//! text, since the evidence format's own reader judges them. Answers are written as they are declared here.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use recorder_core::filter::{EnvelopeFilter, EventTypeMatch, FilterError, Range};
use recorder_core::hash::{ChainHash, ContentHash, PayloadCommitment, SealHash, TreeHash};
use recorder_core::identity::{
    ActorId, ContentType, EnvelopeId, EnvironmentId, EventType, EventTypePrefix, RecorderId,
    SegmentId, SessionId, TenantId, TraceId,
};
use recorder_core::time::{RecordedAt, UtcTimestamp};
use recorder_envelope::json::from_objects;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// Envelopes in one request.
pub const BATCH_REQUEST_ENVELOPES_MAX: usize = 1000;

/// Members of a list that are read at all: more than any list may have, and far fewer than a body has room for.
const LIST_MEMBERS_MAX: usize = 8192;

/// Reads a list, and stops where it is longer than any may be: sixteen million zeroes are a body too.
fn short_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Members<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {LIST_MEMBERS_MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(member) = members.next_element()? {
                if list.len() == LIST_MEMBERS_MAX {
                    return Err(de::Error::invalid_length(list.len() + 1, &self));
                }
                list.push(member);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_seq(Members(PhantomData))
}

/// A body that is not of the expected form. Its text names the place; it may quote a name, never a payload.
#[derive(Debug, thiserror::Error)]
#[error("the body is not of the expected form: {0}")]
pub struct FormError(#[from] serde_json::Error);

/// Reads a body.
///
/// # Errors
///
/// `FormError` for whatever is not exactly a `T`.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, FormError> {
    Ok(from_objects(body)?)
}

/// `POST /v1/envelopes`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordRequest<'a> {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream, which must be the configured one.
    pub recorder_id: RecorderId,
    /// The envelope as sent.
    #[serde(borrow)]
    pub envelope: &'a RawValue,
}

/// An attachment as sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentInput<'a> {
    /// Its media type.
    pub content_type: ContentType,
    /// Its bytes in base64 (RFC 4648 §4, with padding).
    #[serde(borrow)]
    pub data_base64: std::borrow::Cow<'a, str>,
}

/// `POST /v1/envelopes/with-attachments`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentsRequest<'a> {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream.
    pub recorder_id: RecorderId,
    /// The envelope as sent; references that it lacks are added.
    #[serde(borrow)]
    pub envelope: &'a RawValue,
    /// What comes with it, at least one.
    #[serde(borrow, deserialize_with = "short_list")]
    pub attachments: Vec<AttachmentInput<'a>>,
}

/// `POST /v1/envelopes/batch`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest<'a> {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream.
    pub recorder_id: RecorderId,
    /// The envelopes as sent, 1 to 1,000.
    #[serde(borrow, deserialize_with = "short_list")]
    pub envelopes: Vec<&'a RawValue>,
}

/// Proof of recording.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Receipt {
    /// The envelope.
    pub envelope_id: EnvelopeId,
    /// Its segment.
    pub segment_id: SegmentId,
    /// From 0 within the segment.
    pub sequence: u64,
    /// From 0 within the stream.
    pub position: u64,
    /// When it was sealed.
    pub recorded_at: RecordedAt,
    /// The commitment to its payload.
    pub payload_commitment: PayloadCommitment,
    /// The hash of what it says.
    pub content_hash: ContentHash,
    /// The hash of that and of all that came before.
    pub chain_hash: ChainHash,
    /// `fsync`: it survives a power cut. `process`: it survives the end of the process.
    pub durability: &'static str,
}

/// The answer to a batch: one receipt for each envelope, in order.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct BatchAnswer {
    /// The receipts.
    pub receipts: Vec<Receipt>,
}

/// The answer to a body of OpenTelemetry that was recorded whole: one receipt for each record, in order.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct IngestAnswer {
    /// Records that were recorded now.
    pub accepted: u64,
    /// Records that were recorded before.
    pub replayed: u64,
    /// The receipts.
    pub receipts: Vec<Receipt>,
}

/// A range that includes `from` and excludes `to`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeInput<T> {
    /// The first.
    #[serde(default = "none")]
    pub from: Option<T>,
    /// The first that is not.
    #[serde(default = "none")]
    pub to: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

/// Conditions, all of which must hold; of one list, any.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterInput {
    event_types: Option<BTreeSet<EventType>>,
    event_type_prefixes: Option<BTreeSet<EventTypePrefix>>,
    actor_ids: Option<BTreeSet<ActorId>>,
    environment_ids: Option<BTreeSet<EnvironmentId>>,
    trace_ids: Option<BTreeSet<TraceId>>,
    session_ids: Option<BTreeSet<SessionId>>,
    segment_ids: Option<BTreeSet<SegmentId>>,
    envelope_ids: Option<BTreeSet<EnvelopeId>>,
    claimed_time: Option<RangeInput<UtcTimestamp>>,
    recorded_at: Option<RangeInput<UtcTimestamp>>,
    positions: Option<RangeInput<u64>>,
}

impl FilterInput {
    /// The filter that is meant.
    ///
    /// # Errors
    ///
    /// `FilterError` for a range that holds nothing.
    pub fn into_filter(self) -> Result<EnvelopeFilter, FilterError> {
        let event_types = match (self.event_types, self.event_type_prefixes) {
            (None, None) => None,
            (exact, prefixes) => {
                let exact = exact.into_iter().flatten().map(EventTypeMatch::Equals);
                Some(
                    exact
                        .chain(prefixes.into_iter().flatten().map(EventTypeMatch::Prefix))
                        .collect(),
                )
            }
        };
        Ok(EnvelopeFilter {
            event_types,
            actor_ids: self.actor_ids,
            environment_ids: self.environment_ids,
            trace_ids: self.trace_ids,
            session_ids: self.session_ids,
            segment_ids: self.segment_ids,
            envelope_ids: self.envelope_ids,
            claimed_time: self.claimed_time.map(range).transpose()?,
            recorded_at: self.recorded_at.map(range).transpose()?,
            positions: self.positions.map(range).transpose()?,
        })
    }
}

fn range<T: Ord + Copy>(input: RangeInput<T>) -> Result<Range<T>, FilterError> {
    Range::new(input.from, input.to)
}

/// `POST /v1/query/envelopes`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryRequest {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream.
    pub recorder_id: RecorderId,
    /// The conditions; without them, everything.
    #[serde(default)]
    pub filter: FilterInput,
    /// Envelopes on the page, 1 to 10,000.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// One page of envelopes, as canonical lines.
#[derive(Serialize)]
pub struct QueryAnswer {
    /// The envelopes.
    pub envelopes: Vec<Box<RawValue>>,
    /// Continues the query; `null` when nothing follows.
    pub next_cursor: Option<String>,
}

/// A segment and the stream that it is of.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Segment {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream.
    pub recorder_id: RecorderId,
    /// Its name.
    pub segment_id: SegmentId,
    /// From 0 within the stream.
    pub segment_index: u64,
    /// The position of its first envelope.
    pub first_position: u64,
    /// Envelopes that it holds.
    pub envelope_count: u64,
    /// When it was opened.
    pub opened_at: RecordedAt,
    /// When it was sealed; `null` while it is open.
    pub sealed_at: Option<RecordedAt>,
    /// Its last chain hash; `null` while it is empty.
    pub chain_head: Option<ChainHash>,
    /// The hash of its seal; `null` while it is open.
    pub seal_hash: Option<SealHash>,
}

/// One page of segments.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SegmentsAnswer {
    /// The segments, by tenant, then index.
    pub segments: Vec<Segment>,
    /// Continues the list; `null` when nothing follows.
    pub next_cursor: Option<String>,
}

/// A signed checkpoint.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CheckpointAnswer {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream.
    pub recorder_id: RecorderId,
    /// Envelopes that it covers.
    pub tree_size: u64,
    /// The root over them.
    pub root_hash: TreeHash,
    /// The note as signed (C2SP).
    pub note: String,
}

/// `POST /v1/proofs/inclusion`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InclusionRequest {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream.
    pub recorder_id: RecorderId,
    /// The envelope.
    pub envelope_id: EnvelopeId,
    /// The size of the log to prove it in; without it that of the newest checkpoint, or the log as it is.
    pub tree_size: Option<u64>,
}

/// That an envelope is in the log.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct InclusionAnswer {
    /// The envelope.
    pub envelope_id: EnvelopeId,
    /// Its leaf's index.
    pub position: u64,
    /// What its leaf is made of.
    pub chain_hash: ChainHash,
    /// The size of the log.
    pub tree_size: u64,
    /// The root at that size.
    pub root_hash: TreeHash,
    /// The hashes from the leaf's sibling to the root's child (RFC 6962 §2.1.1).
    pub path: Vec<TreeHash>,
    /// The signed note over that size; `null` where there is none.
    pub checkpoint: Option<String>,
}

/// `POST /v1/proofs/consistency`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyRequest {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream.
    pub recorder_id: RecorderId,
    /// The earlier size.
    pub old_size: u64,
    /// The later size; without it that of the newest checkpoint, or the log as it is.
    pub new_size: Option<u64>,
}

/// That the log at one size begins with the log at an earlier one.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ConsistencyAnswer {
    /// The earlier size.
    pub old_size: u64,
    /// The root at that size.
    pub old_root_hash: TreeHash,
    /// The later size.
    pub new_size: u64,
    /// The root at that size.
    pub new_root_hash: TreeHash,
    /// The hashes (RFC 6962 §2.1.2).
    pub path: Vec<TreeHash>,
    /// The signed note over the later size; `null` where there is none.
    pub checkpoint: Option<String>,
}

/// `POST /v1/bundles/build`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildRequest<'a> {
    /// The tenant half of the stream.
    pub tenant_id: TenantId,
    /// The recorder half of the stream.
    pub recorder_id: RecorderId,
    /// What to take, in the selector's own form; without it, everything.
    #[serde(borrow)]
    pub selector: Option<&'a RawValue>,
}

/// A reason why the sidecar is not ready.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotReady {
    /// The store does not answer.
    StorageUnavailable,
    /// The writer stopped.
    WriterLatched,
    /// Nobody signs and seals any more.
    SignerStopped,
    /// The control plane does not answer.
    EnterpriseUnavailable,
    /// No request can be admitted.
    RequestCapacityExhausted,
    /// The sidecar is shutting down.
    ShuttingDown,
}

/// What a probe answers.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ProbeAnswer {
    /// `ok` or `unavailable`.
    pub status: &'static str,
    /// Why not; empty when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<Vec<NotReady>>,
    /// What a receipt promises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durability: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_members_once_and_no_others() {
        let read = |body: &str| read::<RecordRequest<'_>>(body.as_bytes()).is_ok();
        assert!(read(r#"{"tenant_id":"t","recorder_id":"r","envelope":{"a":1}}"#));
        for refused in [
            r#"{"tenant_id":"t","recorder_id":"r"}"#,
            r#"{"tenant_id":"t","recorder_id":"r","envelope":{},"x":1}"#,
            r#"{"tenant_id":"t","tenant_id":"t","recorder_id":"r","envelope":{}}"#,
            r#"{"tenant_id":"t","recorder_id":"r","envelope":{},"envelope":{}}"#,
            r#"{"tenant_id":"t","\u0074enant_id":"u","recorder_id":"r","envelope":{}}"#,
            r#"["t","r",{}]"#,
            r#"{"tenant_id":"","recorder_id":"r","envelope":{}}"#,
            r#"{"tenant_id":"t","recorder_id":"r","envelope":{}} x"#,
            "\u{feff}{}",
            "",
        ] {
            assert!(!read(refused), "{refused}");
        }
    }

    #[test]
    fn a_filter_that_names_nothing_matches_everything_and_an_empty_list_nothing() {
        let filter = |body: &str| read::<FilterInput>(body.as_bytes()).unwrap().into_filter();
        assert_eq!(filter("{}").unwrap(), EnvelopeFilter::default());
        assert!(filter(r#"{"event_types":[]}"#).unwrap().matches_nothing());
        let both = filter(r#"{"event_types":["a.b"],"event_type_prefixes":["c."]}"#).unwrap();
        assert_eq!(both.event_types.unwrap().len(), 2);
        assert!(filter(r#"{"positions":{"from":5,"to":5}}"#).is_err());
        assert!(read::<FilterInput>(br#"{"actor":["a"]}"#).is_err());
        assert!(read::<FilterInput>(br#"{"positions":[1,2]}"#).is_err());
    }
}
