"""What crosses the boundary, as strict and frozen models.

Made by `sdk/python/tools/generate.py` from `docs/generated/sdk`; a change goes there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from recorder_client.contract import (
    AnswerAuthenticity,
    AnswerCompleteness,
    AnswerEnd,
    AnswerIntegrity,
    AnswerTime,
    Durability,
    FindingCode,
    NotReady,
    Phase,
    ProbeStatus,
    ProblemCode,
    SealReason,
    Severity,
    SigningPromise,
    Verdict,
)
from recorder_client.model_base import (
    AsTuple,
    Closed,
    Exactly,
    JsonObject,
    NotNull,
    PatternObject,
    SentObject,
    Text,
    Word,
)

AttachmentSize = Annotated[int, Field(ge=0, le=16777216)]
Base64 = Annotated[str, Text(pattern="^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$")]
ContentType = Annotated[str, Text(pattern="^[A-Za-z0-9!#$%&'*+.^_`|~-]+/[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:[ \\t]*;[ \\t]*[A-Za-z0-9!#$%&'*+.^_`|~-]+=(?:[A-Za-z0-9!#$%&'*+.^_`|~-]+|\"(?:[ !#-\\[\\]-~]|\\\\[ -~])*\"))*$", length_max=255)]
EventType = Annotated[str, Text(pattern="^[a-z0-9][a-z0-9_-]*(?:\\.[a-z0-9][a-z0-9_-]*)*$", length_max=128)]
EventTypePrefix = Annotated[str, Text(pattern="^[a-z0-9][a-z0-9_-]*(?:\\.[a-z0-9][a-z0-9_-]*)*\\.?$", length_max=128)]
Form = Literal["archive", "document"]
Hash = Annotated[str, Text(pattern="^[0-9a-f]{64}$")]
HashAlgorithm = Annotated[Literal["sha256"], Exactly("sha256")]
Name = Annotated[str, Text(pattern="^[^\\u0000-\\u0020\\u007f-\\u00a0\\u00ad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890-\\u0891\\u08e2\\u115f-\\u1160\\u1680\\u17b4-\\u17b5\\u180b-\\u180f\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\u3164\\ue000-\\uf8ff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U000ffffd\U00100000-\U0010fffd](?:[^\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890-\\u0891\\u08e2\\u115f-\\u1160\\u17b4-\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ue000-\\uf8ff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U000ffffd\U00100000-\U0010fffd]*[^\\u0000-\\u0020\\u007f-\\u00a0\\u00ad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890-\\u0891\\u08e2\\u115f-\\u1160\\u1680\\u17b4-\\u17b5\\u180b-\\u180f\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\u3164\\ue000-\\uf8ff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U000ffffd\U00100000-\U0010fffd])?$", length_min=1, length_max=256)]
OtlpRequest = JsonObject
PageSize = Annotated[int, Field(ge=1, le=10000)]
PartName = str
Payload = JsonObject
Place = Annotated[int, Field(ge=0, le=1099511627775)]
RecordedTime = Annotated[str, Text(pattern="^(?:(?:19[7-9][0-9]|2[01][0-9]{2}|22[0-5][0-9]|226[01])-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))|2262-(?:0[13]-(?:0[1-9]|[12][0-9]|3[01])|02-(?:0[1-9]|1[0-9]|2[0-8])|04-(?:0[1-9]|1[01])))T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{9}Z$")]
Salt = Annotated[str, Text(pattern="^[0-9a-f]{32}$")]
SchemaVersion = Annotated[Literal[1], Exactly(1)]
SealCount = Annotated[int, Field(ge=1, le=1099511627775)]
SignatureValue = Annotated[str, Text(pattern="^[0-9a-f]{128}$")]
Size = Annotated[int, Field(ge=0)]
SizeInLog = Annotated[int, Field(ge=0)]
Time = Annotated[str, Text(pattern="^(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{9}Z$")]
TimeInput = Annotated[str, Text(pattern="^(?:19[7-9][0-9]|[2-9][0-9]{3})-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|\\+00:00)$")]
UuidV7 = Annotated[str, Text(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
Whole = Annotated[int, Field(ge=0)]

_BundleDocumentParts = PatternObject(
    required=("manifest.json",),
    types=lambda: (
        ("^manifest\\.dsse\\.json$", ManifestSignature),
        ("^manifest\\.json$", Manifest),
        ("^(checkpoint|README\\.txt)$", str),
        ("^attachments/sha256/[0-9a-f]{64}$", Base64),
        ("^proofs/000000\\.jsonl$", Annotated[Sequence[ProofLine], AsTuple(unique=False)]),
        ("^segments/[0-9]{6,}/envelopes-[0-9]{6,}\\.jsonl$", Annotated[Sequence[Envelope], AsTuple(unique=False)]),
        ("^segments/[0-9]{6,}/genesis\\.json$", Genesis),
        ("^segments/[0-9]{6,}/seal\\.json$", Seal),
    ),
)


class Answers(Closed):
    """The answers to the five questions."""

    authenticity: Annotated[AnswerAuthenticity, Word(AnswerAuthenticity)]
    completeness: Annotated[AnswerCompleteness, Word(AnswerCompleteness)]
    end: Annotated[AnswerEnd, Word(AnswerEnd)]
    integrity: Annotated[AnswerIntegrity, Word(AnswerIntegrity)]
    time: Annotated[AnswerTime, Word(AnswerTime)]


class AttachmentInput(Closed):
    """An attachment as sent."""

    content_type: ContentType
    data_base64: Base64


class AttachmentRef(Closed):
    """An attachment that an envelope refers to."""

    content_hash: Hash
    content_type: ContentType
    size_bytes: AttachmentSize


class AttachmentsRequest(Closed):
    """One envelope and what comes with it."""

    attachments: Annotated[Sequence[AttachmentInput], AsTuple(unique=False, count_min=1, count_max=4096)]
    envelope: Draft
    recorder_id: Name
    tenant_id: Name


class BatchAnswer(Closed):
    """One receipt for each envelope, in order."""

    receipts: Annotated[Sequence[Receipt], AsTuple(unique=False)]


class BatchRequest(Closed):
    """Envelopes to be recorded, all or none."""

    envelopes: Annotated[Sequence[Draft], AsTuple(unique=False, count_min=1, count_max=1000)]
    recorder_id: Name
    tenant_id: Name


class BuildRequest(Closed):
    """What to take; without a selector, everything."""

    recorder_id: Name
    selector: Selector | None = None
    tenant_id: Name


class BundleAttachment(Closed):
    """An attachment of a bundle."""

    content_hash: Hash
    content_type: ContentType
    size_bytes: Size
    withheld: Annotated[Annotated[Literal[True], Exactly(True)] | None, NotNull()] = None


class BundleDocument(Closed):
    """A bundle as one JSON document."""

    parts: Annotated[dict[str, Any], _BundleDocumentParts]
    type: Annotated[Literal["recorder.bundle-document/v1"], Exactly("recorder.bundle-document/v1")]


class BundlePart(Closed):
    """A part of a bundle."""

    name: PartName
    sha256: Hash
    size_bytes: Size


class BundleSegment(Closed):
    """A segment of which the bundle holds something."""

    chain_head: Hash
    complete: bool
    envelope_count: Whole
    genesis_hash: Hash
    included_count: Whole
    seal_hash: Hash | None
    segment_id: UuidV7


class CheckpointAnswer(Closed):
    """A signed checkpoint."""

    note: str
    recorder_id: Name
    root_hash: Hash
    tenant_id: Name
    tree_size: Whole


class ConsistencyAnswer(Closed):
    """That the log at one size begins with the log at an earlier one."""

    checkpoint: str | None
    new_root_hash: Hash
    new_size: Whole
    old_root_hash: Hash
    old_size: Whole
    path: Annotated[Sequence[Hash], AsTuple(unique=False)]


class ConsistencyRequest(Closed):
    """The two sizes of the log."""

    new_size: Annotated[int, Field(ge=0)] | None = None
    old_size: SizeInLog
    recorder_id: Name
    tenant_id: Name


class Draft(Closed):
    """One event as a producer hands it in. What is left out, the recorder fills in."""

    actor_id: Name
    attachment_refs: Annotated[AttachmentRefs | None, NotNull()] = None
    claimed_time: TimeInput | None = None
    envelope_id: UuidV7 | None = None
    environment_id: Name
    event_type: EventType
    parent_ids: Annotated[ParentIds | None, NotNull()] = None
    payload: SentObject
    payload_salt: Salt | None = None
    schema_version: SchemaVersion | None = None
    session_id: Name | None = None
    trace_id: Name | None = None


class Envelope(Closed):
    """One recorded event, as a line of evidence."""

    null_together = ("payload", "payload_salt",)

    actor_id: Name
    attachment_refs: AttachmentRefs
    chain_hash: Hash
    claimed_time: Time
    content_hash: Hash
    envelope_id: UuidV7
    environment_id: Name
    event_type: EventType
    parent_ids: ParentIds
    payload: Payload | None
    payload_commitment: Hash
    payload_salt: Salt | None
    position: Place
    recorded_at: RecordedTime
    schema_version: SchemaVersion
    segment_id: UuidV7
    sequence: Place
    session_id: Name | None
    signature: Signature | None
    trace_id: Name | None


class ExportAnswer(Closed):
    """Empty where all was recorded."""

    partialSuccess: Annotated[PartialSuccess | None, NotNull()] = None


class Filter(Closed):
    """Conditions, all of which must hold; of one list, any."""

    actor_ids: Annotated[Sequence[Name], AsTuple(unique=False)] | None = None
    claimed_time: FilterTimes | None = None
    envelope_ids: Annotated[Sequence[UuidV7], AsTuple(unique=False)] | None = None
    environment_ids: Annotated[Sequence[Name], AsTuple(unique=False)] | None = None
    event_type_prefixes: Annotated[Sequence[EventTypePrefix], AsTuple(unique=False)] | None = None
    event_types: Annotated[Sequence[EventType], AsTuple(unique=False)] | None = None
    positions: FilterPositions | None = None
    recorded_at: FilterTimes | None = None
    segment_ids: Annotated[Sequence[UuidV7], AsTuple(unique=False)] | None = None
    session_ids: Annotated[Sequence[Name], AsTuple(unique=False)] | None = None
    trace_ids: Annotated[Sequence[Name], AsTuple(unique=False)] | None = None


class FilterPositions(Closed):
    """Positions from one, which is included, to one that is not."""

    members_min = 1

    from_: Whole | None = Field(default=None, validation_alias="from")
    to: Whole | None = None


class FilterTimes(Closed):
    """Times from one, which is included, to one that is not."""

    members_min = 1

    from_: TimeInput | None = Field(default=None, validation_alias="from")
    to: TimeInput | None = None


class Finding(Closed):
    """Something that is wrong or unproven."""

    code: Annotated[FindingCode, Word(FindingCode)]
    detail: str
    phase: Annotated[Phase, Word(Phase)]
    place: str
    severity: Annotated[Severity, Word(Severity)]


class GapAnchor(Closed):
    """Where the chain resumes after envelopes that are left out."""

    after_sequence: Whole
    chain_hash: Hash
    kind: Annotated[Literal["gap"], Exactly("gap")]
    segment_id: UuidV7


class Genesis(Closed):
    """How a segment begins."""

    first_position: Place
    hash_algorithm: HashAlgorithm
    heartbeat_seconds: Place
    opened_at: RecordedTime
    predecessor: Predecessor | None
    recorder_id: Name
    segment_id: UuidV7
    segment_index: Place
    signing: Annotated[SigningPromise, Word(SigningPromise)]
    tenant_id: Name
    type: Annotated[Literal["recorder.segment-genesis/v1"], Exactly("recorder.segment-genesis/v1")]


class InclusionAnswer(Closed):
    """That an envelope is in the log."""

    chain_hash: Hash
    checkpoint: str | None
    envelope_id: UuidV7
    path: Annotated[Sequence[Hash], AsTuple(unique=False)]
    position: Place
    root_hash: Hash
    tree_size: Whole


class InclusionPath(Closed):
    """That an envelope is in the log."""

    kind: Annotated[Literal["inclusion"], Exactly("inclusion")]
    path: Annotated[Sequence[Hash], AsTuple(unique=False)]
    position: Whole


class InclusionRequest(Closed):
    """The envelope, and the size of the log to prove it in."""

    envelope_id: UuidV7
    recorder_id: Name
    tenant_id: Name
    tree_size: Annotated[int, Field(ge=0)] | None = None


class IngestAnswer(Closed):
    """One receipt for each record, in order."""

    accepted: Whole
    receipts: Annotated[Sequence[Receipt], AsTuple(unique=False)]
    replayed: Whole


class InspectAnswer(Closed):
    """What a bundle says of itself; nothing of it is verified."""

    attachment_count: Whole
    bundle_id: UuidV7
    created_at: Time
    envelope_count: Whole
    form: Literal["archive", "document"]
    has_checkpoint: bool
    has_signature: bool
    omitted_parent_count: Whole
    part_count: Whole
    root_hash: Hash
    segments: Annotated[Sequence[BundleSegment], AsTuple(unique=False)]
    selector: Selector
    stream: Stream
    tree_size: Whole
    verified: Annotated[Literal[False], Exactly(False)]
    withheld_count: Whole


class Manifest(Closed):
    """What a bundle holds."""

    attachments: Annotated[Sequence[BundleAttachment], AsTuple(unique=False)]
    bundle_id: UuidV7
    created_at: Time
    envelope_count: Whole
    hash_algorithm: HashAlgorithm
    omitted_parent_ids: Annotated[Sequence[UuidV7], AsTuple(unique=False)]
    parts: Annotated[Sequence[BundlePart], AsTuple(unique=False)]
    root_hash: Hash
    segments: Annotated[Sequence[BundleSegment], AsTuple(unique=False)]
    selector: Selector
    stream: Stream
    tree_size: Whole
    type: Annotated[Literal["recorder.bundle/v1"], Exactly("recorder.bundle/v1")]


class ManifestSignatureSignaturesItem(Closed):
    """A signature."""

    keyid: Hash
    sig: Base64


class ManifestSignature(Closed):
    """The signature of a manifest (DSSE)."""

    payload: Base64
    payloadType: Annotated[Literal["application/vnd.recorder.manifest+json"], Exactly("application/vnd.recorder.manifest+json")]
    signatures: Annotated[Sequence[ManifestSignatureSignaturesItem], AsTuple(unique=False, count_min=1, count_max=16)]


class PartialSuccess(Closed):
    """What was not recorded."""

    errorMessage: Annotated[str | None, NotNull()] = None
    rejectedLogRecords: Annotated[Annotated[str, Text(pattern="^[0-9]+$")] | None, NotNull()] = None
    rejectedSpans: Annotated[Annotated[str, Text(pattern="^[0-9]+$")] | None, NotNull()] = None


class PositionRange(Closed):
    """Positions from one, which is included, to one that is not."""

    members_min = 1

    from_: Annotated[Whole | None, NotNull()] = Field(default=None, validation_alias="from")
    to: Annotated[Whole | None, NotNull()] = None


class Predecessor(Closed):
    """The segment before, and how it ended."""

    chain_head: Hash
    seal_hash: Hash
    segment_id: UuidV7


class ProbeAnswer(Closed):
    """What a probe says."""

    durability: Annotated[Annotated[Durability, Word(Durability)] | None, NotNull()] = None
    reasons: Annotated[Annotated[Sequence[Annotated[NotReady, Word(NotReady)]], AsTuple(unique=False)] | None, NotNull()] = None
    status: Annotated[ProbeStatus, Word(ProbeStatus)]


class Problem(Closed):
    """Why a request was refused (RFC 9457)."""

    code: Annotated[ProblemCode, Word(ProblemCode)]
    detail: str
    retryable: bool
    server_correlation_id: str
    status: Annotated[int, Field(ge=400, le=599)]
    title: str
    type: Annotated[str, Text(pattern="^urn:recorder:problem:[a-z_]+$")]


class QueryAnswer(Closed):
    """One page of envelopes."""

    envelopes: Annotated[Sequence[Envelope], AsTuple(unique=False)]
    next_cursor: str | None


class QueryRequest(Closed):
    """What is asked for."""

    cursor: str | None = None
    filter: Annotated[Filter | None, NotNull()] = None
    limit: PageSize | None = None
    recorder_id: Name
    tenant_id: Name


class Receipt(Closed):
    """Proof of recording."""

    chain_hash: Hash
    content_hash: Hash
    durability: Annotated[Durability, Word(Durability)]
    envelope_id: UuidV7
    payload_commitment: Hash
    position: Place
    recorded_at: RecordedTime
    segment_id: UuidV7
    sequence: Place


class RecordRequest(Closed):
    """One envelope to be recorded."""

    envelope: Draft
    recorder_id: Name
    tenant_id: Name


class Seal(Closed):
    """A seal and the recorder's signature of it."""

    seal: SealObject
    signature: Signature | None


class SealObject(Closed):
    """How a segment ended."""

    chain_head: Hash
    envelope_count: SealCount
    first_envelope_id: UuidV7
    genesis_hash: Hash
    last_envelope_id: UuidV7
    reason: Annotated[SealReason, Word(SealReason)]
    root_hash: Hash
    sealed_at: RecordedTime
    segment_id: UuidV7
    tree_size: SealCount
    type: Annotated[Literal["recorder.segment-seal/v1"], Exactly("recorder.segment-seal/v1")]


class Segment(Closed):
    """A segment and the stream that it is of."""

    chain_head: Hash | None
    envelope_count: Place
    first_position: Place
    opened_at: RecordedTime
    recorder_id: Name
    seal_hash: Hash | None
    sealed_at: RecordedTime | None
    segment_id: UuidV7
    segment_index: Place
    tenant_id: Name


class SegmentsAnswer(Closed):
    """One page of segments."""

    next_cursor: str | None
    segments: Annotated[Sequence[Segment], AsTuple(unique=False)]


class SelectorSegmentSegment(Closed):
    """Of `SelectorSegmentSegment`."""

    segment_id: UuidV7


class SelectorSegment(Closed):
    """Of `SelectorSegment`."""

    segment: SelectorSegmentSegment


class SelectorSegments(Closed):
    """Of `SelectorSegments`."""

    segments: Annotated[Sequence[UuidV7], AsTuple(unique=False)]


class SelectorPositions(Closed):
    """Of `SelectorPositions`."""

    positions: PositionRange


class SelectorEnvelopes(Closed):
    """Of `SelectorEnvelopes`."""

    envelopes: Annotated[Sequence[UuidV7], AsTuple(unique=False)]


class SelectorTraceTrace(Closed):
    """Of `SelectorTraceTrace`."""

    trace_id: Name


class SelectorTrace(Closed):
    """Of `SelectorTrace`."""

    trace: SelectorTraceTrace


class SelectorSessionSession(Closed):
    """Of `SelectorSessionSession`."""

    session_id: Name


class SelectorSession(Closed):
    """Of `SelectorSession`."""

    session: SelectorSessionSession


class SelectorActorActor(Closed):
    """Of `SelectorActorActor`."""

    actor_id: Name


class SelectorActor(Closed):
    """Of `SelectorActor`."""

    actor: SelectorActorActor


class SelectorEventTypeEqualsEventType(Closed):
    """Of `SelectorEventTypeEqualsEventType`."""

    equals: EventType


class SelectorEventTypeEquals(Closed):
    """Of `SelectorEventTypeEquals`."""

    event_type: SelectorEventTypeEqualsEventType


class SelectorEventTypePrefixEventType(Closed):
    """Of `SelectorEventTypePrefixEventType`."""

    prefix: EventTypePrefix


class SelectorEventTypePrefix(Closed):
    """Of `SelectorEventTypePrefix`."""

    event_type: SelectorEventTypePrefixEventType


class SelectorClaimedTime(Closed):
    """Of `SelectorClaimedTime`."""

    claimed_time: TimeRange


class SelectorAll(Closed):
    """Of `SelectorAll`."""

    all: Annotated[Sequence[Selector], AsTuple(unique=False)]


class SelectorAny(Closed):
    """Of `SelectorAny`."""

    any: Annotated[Sequence[Selector], AsTuple(unique=False)]


class SelectorNot(Closed):
    """Of `SelectorNot`."""

    not_: Selector = Field(validation_alias="not")


class Signature(Closed):
    """A signature."""

    algorithm: Annotated[Literal["ed25519"], Exactly("ed25519")]
    key_id: Hash
    value: SignatureValue


class Stream(Closed):
    """A stream."""

    recorder_id: Name
    tenant_id: Name


class TimeRange(Closed):
    """Times from one, which is included, to one that is not."""

    members_min = 1

    from_: Annotated[TimeInput | None, NotNull()] = Field(default=None, validation_alias="from")
    to: Annotated[TimeInput | None, NotNull()] = None


class TranscriptSubject(Closed):
    """What was verified."""

    bundle_id: UuidV7
    envelope_count: Whole
    form: Literal["archive", "document"]
    stream: Stream
    tree_size: Whole


class VerifyAnswer(Closed):
    """What the verification of a bundle found."""

    answers: Answers
    finding_count: Whole
    findings: Annotated[Sequence[Finding], AsTuple(unique=False)]
    subject: TranscriptSubject | None
    trust_root_given: bool
    verdict: Annotated[Verdict, Word(Verdict)]


AttachmentRefs = Annotated[Sequence[AttachmentRef], AsTuple(unique=True, count_max=4096)]
ParentIds = Annotated[Sequence[UuidV7], AsTuple(unique=True, count_max=64)]
ProofLine = GapAnchor | InclusionPath
Selector = SelectorSegment | SelectorSegments | SelectorPositions | SelectorEnvelopes | SelectorTrace | SelectorSession | SelectorActor | SelectorEventTypeEquals | SelectorEventTypePrefix | SelectorClaimedTime | SelectorAll | SelectorAny | SelectorNot

for _model in (
    Answers,
    AttachmentInput,
    AttachmentRef,
    AttachmentsRequest,
    BatchAnswer,
    BatchRequest,
    BuildRequest,
    BundleAttachment,
    BundleDocument,
    BundlePart,
    BundleSegment,
    CheckpointAnswer,
    ConsistencyAnswer,
    ConsistencyRequest,
    Draft,
    Envelope,
    ExportAnswer,
    Filter,
    FilterPositions,
    FilterTimes,
    Finding,
    GapAnchor,
    Genesis,
    InclusionAnswer,
    InclusionPath,
    InclusionRequest,
    IngestAnswer,
    InspectAnswer,
    Manifest,
    ManifestSignature,
    ManifestSignatureSignaturesItem,
    PartialSuccess,
    PositionRange,
    Predecessor,
    ProbeAnswer,
    Problem,
    QueryAnswer,
    QueryRequest,
    Receipt,
    RecordRequest,
    Seal,
    SealObject,
    Segment,
    SegmentsAnswer,
    SelectorSegment,
    SelectorSegmentSegment,
    SelectorSegments,
    SelectorPositions,
    SelectorEnvelopes,
    SelectorTrace,
    SelectorTraceTrace,
    SelectorSession,
    SelectorSessionSession,
    SelectorActor,
    SelectorActorActor,
    SelectorEventTypeEquals,
    SelectorEventTypeEqualsEventType,
    SelectorEventTypePrefix,
    SelectorEventTypePrefixEventType,
    SelectorClaimedTime,
    SelectorAll,
    SelectorAny,
    SelectorNot,
    Signature,
    Stream,
    TimeRange,
    TranscriptSubject,
    VerifyAnswer,
):
    _model.model_rebuild()
