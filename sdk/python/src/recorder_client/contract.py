"""The contract's constants: operations, problem codes, enumerations, headers.

Made by `sdk/python/tools/generate.py` from `docs/generated/sdk`; a change goes there.
"""

from enum import StrEnum
from types import MappingProxyType

from recorder_client.contract_types import Operation, ProblemFacts

CONTRACT_VERSION = 1
API_MAJOR_VERSION = 1
ENVELOPES_PER_BATCH_MAX = 1000
PAGE_SIZE_MAX = 10000
ATTACHMENT_BYTES_MAX = 16777216
IDEMPOTENCY_KEY_HEADER = "idempotency-key"
IDEMPOTENCY_REPLAYED_HEADER = "idempotency-replayed"
FIRST_STATUS = 201
REPLAYED_STATUS = 200


class AnswerAuthenticity(StrEnum):
    """Every `answer_authenticity`."""

    PROVEN = "proven"
    UNPROVEN = "unproven"
    BROKEN = "broken"


class AnswerCompleteness(StrEnum):
    """Every `answer_completeness`."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    BROKEN = "broken"


class AnswerEnd(StrEnum):
    """Every `answer_end`."""

    PROVEN = "proven"
    OPEN = "open"
    UNPROVEN = "unproven"


class AnswerIntegrity(StrEnum):
    """Every `answer_integrity`."""

    INTACT = "intact"
    BROKEN = "broken"


class AnswerTime(StrEnum):
    """Every `answer_time`."""

    BOUNDED = "bounded"
    CLAIMED = "claimed"


class DenialReason(StrEnum):
    """Every `denial_reason`."""

    POLICY = "policy"
    QUOTA = "quota"


class Durability(StrEnum):
    """Every `durability`."""

    FSYNC = "fsync"
    PROCESS = "process"


class FindingCode(StrEnum):
    """Every `finding_code`."""

    CONTAINER_UNRECOGNISED = "container_unrecognised"
    ARCHIVE_END_MISSING = "archive_end_missing"
    ARCHIVE_END_INVALID = "archive_end_invalid"
    ARCHIVE_DIRECTORY_INVALID = "archive_directory_invalid"
    ARCHIVE_NOT_CONTIGUOUS = "archive_not_contiguous"
    ARCHIVE_HEADER_MISMATCH = "archive_header_mismatch"
    MEMBER_ENCRYPTED = "member_encrypted"
    MEMBER_METHOD = "member_method"
    MEMBER_NAME = "member_name"
    MEMBER_REPEATED = "member_repeated"
    MEMBER_UNKNOWN = "member_unknown"
    MEMBER_MISSING = "member_missing"
    MEMBER_ORDER = "member_order"
    MEMBER_SIZE = "member_size"
    MEMBER_RATIO = "member_ratio"
    MEMBER_DEFLATE = "member_deflate"
    MEMBER_CRC = "member_crc"
    DOCUMENT_INVALID = "document_invalid"
    MANIFEST_MISSING = "manifest_missing"
    MANIFEST_INVALID = "manifest_invalid"
    MANIFEST_NOT_CANONICAL = "manifest_not_canonical"
    BUNDLE_ID_MISMATCH = "bundle_id_mismatch"
    PART_LIST = "part_list"
    PART_HASH_MISMATCH = "part_hash_mismatch"
    MANIFEST_SIGNATURE_MALFORMED = "manifest_signature_malformed"
    BUNDLE_EMPTY = "bundle_empty"
    SEGMENT_EMPTY = "segment_empty"
    ENVELOPE_COUNT_MISMATCH = "envelope_count_mismatch"
    INCLUDED_COUNT_MISMATCH = "included_count_mismatch"
    COMPLETE_FLAG_MISMATCH = "complete_flag_mismatch"
    TREE_SIZE_MISMATCH = "tree_size_mismatch"
    ATTACHMENT_HASH_MISMATCH = "attachment_hash_mismatch"
    ATTACHMENT_SIZE_MISMATCH = "attachment_size_mismatch"
    ATTACHMENT_REF_UNLISTED = "attachment_ref_unlisted"
    ATTACHMENT_UNREFERENCED = "attachment_unreferenced"
    ATTACHMENT_BYTES_MISSING = "attachment_bytes_missing"
    ATTACHMENT_BYTES_UNLISTED = "attachment_bytes_unlisted"
    ATTACHMENT_LIST_INVALID = "attachment_list_invalid"
    LINE_MALFORMED = "line_malformed"
    LINE_NOT_CANONICAL = "line_not_canonical"
    IDENTIFIER_INVALID = "identifier_invalid"
    LINE_UNTERMINATED = "line_unterminated"
    LINE_TOO_LONG = "line_too_long"
    PART_LINE_COUNT = "part_line_count"
    COMMITMENT_MISMATCH = "commitment_mismatch"
    CONTENT_HASH_MISMATCH = "content_hash_mismatch"
    ENVELOPE_REPEATED = "envelope_repeated"
    PARENT_UNLISTED = "parent_unlisted"
    OMITTED_PARENT_PRESENT = "omitted_parent_present"
    OMITTED_PARENT_UNNAMED = "omitted_parent_unnamed"
    OMITTED_PARENTS_UNORDERED = "omitted_parents_unordered"
    CHAIN_HASH_MISMATCH = "chain_hash_mismatch"
    SEQUENCE_MISMATCH = "sequence_mismatch"
    RECORDED_AT_DECREASES = "recorded_at_decreases"
    GAP_ANCHOR_MISSING = "gap_anchor_missing"
    GAP_ANCHOR_UNNEEDED = "gap_anchor_unneeded"
    CHAIN_HEAD_MISMATCH = "chain_head_mismatch"
    GENESIS_INVALID = "genesis_invalid"
    GENESIS_HASH_MISMATCH = "genesis_hash_mismatch"
    SEAL_INVALID = "seal_invalid"
    SEAL_HASH_MISMATCH = "seal_hash_mismatch"
    SEAL_MISSING = "seal_missing"
    SEAL_MISMATCH = "seal_mismatch"
    SEAL_TREE_MISMATCH = "seal_tree_mismatch"
    SEGMENT_TIME_ORDER = "segment_time_order"
    SEGMENT_ID_MISMATCH = "segment_id_mismatch"
    SEGMENT_REPEATED = "segment_repeated"
    SEGMENT_ORDER = "segment_order"
    POSITION_MISMATCH = "position_mismatch"
    PREDECESSOR_MISMATCH = "predecessor_mismatch"
    PREDECESSOR_MISSING = "predecessor_missing"
    PREDECESSOR_UNEXPECTED = "predecessor_unexpected"
    STREAM_MIXED = "stream_mixed"
    SIGNING_WEAKENED = "signing_weakened"
    MANIFEST_SIGNATURE_MISSING = "manifest_signature_missing"
    CHECKPOINT_MISSING = "checkpoint_missing"
    SEAL_SIGNATURE_MISSING = "seal_signature_missing"
    ENVELOPE_SIGNATURE_MISSING = "envelope_signature_missing"
    MANIFEST_SIGNATURE_INVALID = "manifest_signature_invalid"
    CHECKPOINT_SIGNATURE_INVALID = "checkpoint_signature_invalid"
    SEAL_SIGNATURE_INVALID = "seal_signature_invalid"
    ENVELOPE_SIGNATURE_INVALID = "envelope_signature_invalid"
    KEY_UNKNOWN = "key_unknown"
    KEY_NOT_FOR_STREAM = "key_not_for_stream"
    KEY_NOT_FOR_POSITION = "key_not_for_position"
    KEY_COMPROMISED = "key_compromised"
    ROTATION_INVALID = "rotation_invalid"
    CHECKPOINT_MALFORMED = "checkpoint_malformed"
    CHECKPOINT_ORIGIN = "checkpoint_origin"
    CHECKPOINT_MISMATCH = "checkpoint_mismatch"
    TRUST_ROOT_ABSENT = "trust_root_absent"
    TRUST_ROOT_SILENT = "trust_root_silent"
    STREAM_UNSIGNED = "stream_unsigned"
    ENVELOPE_UNVOUCHED = "envelope_unvouched"
    ROOT_MISMATCH = "root_mismatch"
    PROOF_MALFORMED = "proof_malformed"
    INCLUSION_MISSING = "inclusion_missing"
    INCLUSION_UNNEEDED = "inclusion_unneeded"
    INCLUSION_INVALID = "inclusion_invalid"
    KNOWN_HEAD_MISMATCH = "known_head_mismatch"
    KNOWN_HEAD_AHEAD = "known_head_ahead"
    KEPT_HEAD_AHEAD = "kept_head_ahead"
    KNOWN_HEAD_NOT_COMPARABLE = "known_head_not_comparable"
    KNOWN_HEAD_OTHER_LOG = "known_head_other_log"
    WITNESS_POLICY_UNCHECKED = "witness_policy_unchecked"


class HookBoundary(StrEnum):
    """Every `hook_boundary`."""

    ADMISSION = "admission"
    RESULT = "result"


class HookOutcome(StrEnum):
    """Every `hook_outcome`."""

    ADMITTED = "admitted"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class KeyStatus(StrEnum):
    """Every `key_status`."""

    ACTIVE = "active"
    RETIRED = "retired"
    COMPROMISED = "compromised"


class NotReady(StrEnum):
    """Every `not_ready`."""

    STORAGE_UNAVAILABLE = "storage_unavailable"
    WRITER_LATCHED = "writer_latched"
    SIGNER_STOPPED = "signer_stopped"
    ENTERPRISE_UNAVAILABLE = "enterprise_unavailable"
    REQUEST_CAPACITY_EXHAUSTED = "request_capacity_exhausted"
    SHUTTING_DOWN = "shutting_down"


class Phase(StrEnum):
    """Every `phase`."""

    MANIFEST = "manifest"
    ATTACHMENTS = "attachments"
    CONTENT = "content"
    CHAIN = "chain"
    SEGMENTS = "segments"
    SIGNATURES = "signatures"
    ANCHORS = "anchors"


class ProbeStatus(StrEnum):
    """Every `probe_status`."""

    OK = "ok"
    UNAVAILABLE = "unavailable"


class ProblemCode(StrEnum):
    """Every `problem_code`."""

    ATTACHMENT_INVALID = "attachment_invalid"
    AUTH_MISCONFIGURED = "auth_misconfigured"
    BAD_REQUEST = "bad_request"
    COMMIT_OUTCOME_UNKNOWN = "commit_outcome_unknown"
    CONTENT_LENGTH_INVALID = "content_length_invalid"
    CONTROL_PLANE_DENIED = "control_plane_denied"
    CONTROL_PLANE_UNAVAILABLE = "control_plane_unavailable"
    ENVELOPE_CONFLICT = "envelope_conflict"
    ENVELOPE_INVALID = "envelope_invalid"
    FILTER_INVALID = "filter_invalid"
    HEADER_TOO_LARGE = "header_too_large"
    HOOK_EXPORT_FAILED = "hook_export_failed"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    IDEMPOTENCY_KEY_REQUIRED = "idempotency_key_required"
    IDENTITY_INVALID = "identity_invalid"
    INTERNAL_ERROR = "internal_error"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    NOT_FOUND = "not_found"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    QUEUE_FULL = "queue_full"
    REQUEST_TIMEOUT = "request_timeout"
    SELECTOR_INVALID = "selector_invalid"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    STREAM_MISMATCH = "stream_mismatch"
    TOO_MANY_STREAMS = "too_many_streams"
    UNAUTHORIZED = "unauthorized"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    WRITER_LATCHED = "writer_latched"
    WRITER_LEASE_REQUIRED = "writer_lease_required"


class SealReason(StrEnum):
    """Every `seal_reason`."""

    COUNT = "count"
    DURATION = "duration"
    MANUAL = "manual"
    KEY_ROTATION = "key_rotation"
    SHUTDOWN = "shutdown"


class Severity(StrEnum):
    """Every `severity`."""

    FAILURE = "failure"
    WARNING = "warning"


class SigningPromise(StrEnum):
    """Every `signing_promise`."""

    NONE = "none"
    CHECKPOINTS = "checkpoints"
    ENVELOPES = "envelopes"


class Verdict(StrEnum):
    """Every `verdict`."""

    VALID = "valid"
    VALID_WITH_WARNINGS = "valid_with_warnings"
    INVALID = "invalid"


class WriterLease(StrEnum):
    """Every `writer_lease`."""

    HELD = "held"
    NOT_HELD = "not_held"


PROBLEMS = MappingProxyType({
    ProblemCode.ATTACHMENT_INVALID: ProblemFacts(400, False, "An attachment is not what its envelope says."),
    ProblemCode.AUTH_MISCONFIGURED: ProblemFacts(500, False, "The service has no token to compare with."),
    ProblemCode.BAD_REQUEST: ProblemFacts(400, False, "The request is not of the expected form."),
    ProblemCode.COMMIT_OUTCOME_UNKNOWN: ProblemFacts(503, True, "The commit was not confirmed and may have landed."),
    ProblemCode.CONTENT_LENGTH_INVALID: ProblemFacts(400, False, "The length of the body is not stated once and clearly."),
    ProblemCode.CONTROL_PLANE_DENIED: ProblemFacts(403, False, "The control plane does not admit the request."),
    ProblemCode.CONTROL_PLANE_UNAVAILABLE: ProblemFacts(503, True, "The control plane gave no usable answer."),
    ProblemCode.ENVELOPE_CONFLICT: ProblemFacts(409, False, "An envelope with this id says something else."),
    ProblemCode.ENVELOPE_INVALID: ProblemFacts(400, False, "An envelope breaks a rule of the evidence format."),
    ProblemCode.FILTER_INVALID: ProblemFacts(400, False, "The filter or the cursor cannot be used."),
    ProblemCode.HEADER_TOO_LARGE: ProblemFacts(431, False, "The head of the request is too large."),
    ProblemCode.HOOK_EXPORT_FAILED: ProblemFacts(503, True, "The control plane was not told."),
    ProblemCode.IDEMPOTENCY_CONFLICT: ProblemFacts(409, False, "The idempotency key was used for another request."),
    ProblemCode.IDEMPOTENCY_KEY_INVALID: ProblemFacts(400, False, "The idempotency key is not of the expected form."),
    ProblemCode.IDEMPOTENCY_KEY_REQUIRED: ProblemFacts(400, False, "The request needs an idempotency key."),
    ProblemCode.IDENTITY_INVALID: ProblemFacts(400, False, "The identity headers are missing or not of the expected form."),
    ProblemCode.INTERNAL_ERROR: ProblemFacts(500, False, "The service failed."),
    ProblemCode.METHOD_NOT_ALLOWED: ProblemFacts(405, False, "The path does not take this method."),
    ProblemCode.NOT_ACCEPTABLE: ProblemFacts(406, False, "No media type that is accepted can be given."),
    ProblemCode.NOT_FOUND: ProblemFacts(404, False, "Nothing is there."),
    ProblemCode.PAYLOAD_TOO_LARGE: ProblemFacts(413, False, "The body is too large."),
    ProblemCode.QUEUE_FULL: ProblemFacts(429, True, "Too many requests wait."),
    ProblemCode.REQUEST_TIMEOUT: ProblemFacts(503, True, "The request took too long to arrive or to be admitted."),
    ProblemCode.SELECTOR_INVALID: ProblemFacts(400, False, "The selector cannot be used."),
    ProblemCode.STORAGE_UNAVAILABLE: ProblemFacts(503, True, "The store cannot be used now."),
    ProblemCode.STREAM_MISMATCH: ProblemFacts(409, False, "The request names a stream that is not recorded here."),
    ProblemCode.TOO_MANY_STREAMS: ProblemFacts(429, False, "No further stream is taken."),
    ProblemCode.UNAUTHORIZED: ProblemFacts(401, False, "The request bears no valid token."),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: ProblemFacts(415, False, "The body is of a media type that is not taken."),
    ProblemCode.WRITER_LATCHED: ProblemFacts(503, False, "The writer stopped after a failure; an operator must look."),
    ProblemCode.WRITER_LEASE_REQUIRED: ProblemFacts(409, False, "The request must assert the writer lease."),
})

OPERATIONS = MappingProxyType({
    "build_bundle": Operation(
        name="build_bundle",
        client_method="build_bundle",
        method="POST",
        path="/v1/bundles/build",
        request_type="build_request",
        takes=("application/json",),
        gives=("application/json", "application/zip",),
        answers=MappingProxyType({200: "bundle_document"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.NOT_FOUND, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.SELECTOR_INVALID, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "checkpoint": Operation(
        name="checkpoint",
        client_method="checkpoint",
        method="GET",
        path="/v1/checkpoint",
        request_type=None,
        takes=(),
        gives=("application/json",),
        answers=MappingProxyType({200: "checkpoint_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.NOT_FOUND, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.UNAUTHORIZED,)),
        query=("tenant_id", "recorder_id",),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "config": Operation(
        name="config",
        client_method="config",
        method="GET",
        path="/v1/config",
        request_type=None,
        takes=(),
        gives=("application/json",),
        answers=MappingProxyType({200: None}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.UNAUTHORIZED,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "export_logs": Operation(
        name="export_logs",
        client_method=None,
        method="POST",
        path="/v1/logs",
        request_type="otlp_request",
        takes=("application/json", "application/x-protobuf",),
        gives=("application/json", "application/x-protobuf",),
        answers=MappingProxyType({200: "export_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.COMMIT_OUTCOME_UNKNOWN, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.NOT_FOUND, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.TOO_MANY_STREAMS, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.WRITER_LATCHED, ProblemCode.WRITER_LEASE_REQUIRED,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "export_traces": Operation(
        name="export_traces",
        client_method=None,
        method="POST",
        path="/v1/traces",
        request_type="otlp_request",
        takes=("application/json", "application/x-protobuf",),
        gives=("application/json", "application/x-protobuf",),
        answers=MappingProxyType({200: "export_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.COMMIT_OUTCOME_UNKNOWN, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.NOT_FOUND, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.TOO_MANY_STREAMS, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.WRITER_LATCHED, ProblemCode.WRITER_LEASE_REQUIRED,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "health": Operation(
        name="health",
        client_method="health",
        method="GET",
        path="/health",
        request_type=None,
        takes=(),
        gives=("application/json",),
        answers=MappingProxyType({200: "probe_answer"}),
        codes=frozenset((ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.REQUEST_TIMEOUT,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=False,
    ),
    "ingest_otel": Operation(
        name="ingest_otel",
        client_method="ingest_otel",
        method="POST",
        path="/v1/ingest/otel",
        request_type="otlp_request",
        takes=("application/json",),
        gives=("application/json",),
        answers=MappingProxyType({200: "ingest_answer", 201: "ingest_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.COMMIT_OUTCOME_UNKNOWN, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.ENVELOPE_CONFLICT, ProblemCode.ENVELOPE_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_CONFLICT, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDEMPOTENCY_KEY_REQUIRED, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.NOT_FOUND, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.TOO_MANY_STREAMS, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.WRITER_LATCHED, ProblemCode.WRITER_LEASE_REQUIRED,)),
        query=(),
        requires_idempotency_key=True,
        requires_token=True,
    ),
    "inspect_bundle": Operation(
        name="inspect_bundle",
        client_method="inspect_bundle",
        method="POST",
        path="/v1/bundles/inspect",
        request_type="bundle_document",
        takes=("application/json", "application/zip",),
        gives=("application/json",),
        answers=MappingProxyType({200: "inspect_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "list_active_segments": Operation(
        name="list_active_segments",
        client_method="list_active_segments",
        method="GET",
        path="/v1/segments/active",
        request_type=None,
        takes=(),
        gives=("application/json",),
        answers=MappingProxyType({200: "segments_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.FILTER_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.UNAUTHORIZED,)),
        query=("tenant_id", "limit", "cursor",),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "list_segments": Operation(
        name="list_segments",
        client_method="list_segments",
        method="GET",
        path="/v1/segments",
        request_type=None,
        takes=(),
        gives=("application/json",),
        answers=MappingProxyType({200: "segments_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.FILTER_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.UNAUTHORIZED,)),
        query=("tenant_id", "limit", "cursor",),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "metrics": Operation(
        name="metrics",
        client_method="metrics",
        method="GET",
        path="/metrics",
        request_type=None,
        takes=(),
        gives=("text/plain; version=0.0.4; charset=utf-8",),
        answers=MappingProxyType({200: None}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.NOT_FOUND, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.UNAUTHORIZED,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "openapi": Operation(
        name="openapi",
        client_method="openapi",
        method="GET",
        path="/openapi.json",
        request_type=None,
        takes=(),
        gives=("application/json",),
        answers=MappingProxyType({200: None}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.UNAUTHORIZED,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "prove_consistency": Operation(
        name="prove_consistency",
        client_method="prove_consistency",
        method="POST",
        path="/v1/proofs/consistency",
        request_type="consistency_request",
        takes=("application/json",),
        gives=("application/json",),
        answers=MappingProxyType({200: "consistency_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.NOT_FOUND, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "prove_inclusion": Operation(
        name="prove_inclusion",
        client_method="prove_inclusion",
        method="POST",
        path="/v1/proofs/inclusion",
        request_type="inclusion_request",
        takes=("application/json",),
        gives=("application/json",),
        answers=MappingProxyType({200: "inclusion_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.NOT_FOUND, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "query_envelopes": Operation(
        name="query_envelopes",
        client_method="query",
        method="POST",
        path="/v1/query/envelopes",
        request_type="query_request",
        takes=("application/json",),
        gives=("application/json",),
        answers=MappingProxyType({200: "query_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.FILTER_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
    "ready": Operation(
        name="ready",
        client_method="ready",
        method="GET",
        path="/ready",
        request_type=None,
        takes=(),
        gives=("application/json",),
        answers=MappingProxyType({200: "probe_answer", 503: "probe_answer"}),
        codes=frozenset((ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.REQUEST_TIMEOUT,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=False,
    ),
    "record_batch": Operation(
        name="record_batch",
        client_method="record_batch",
        method="POST",
        path="/v1/envelopes/batch",
        request_type="batch_request",
        takes=("application/json",),
        gives=("application/json",),
        answers=MappingProxyType({200: "batch_answer", 201: "batch_answer"}),
        codes=frozenset((ProblemCode.ATTACHMENT_INVALID, ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.COMMIT_OUTCOME_UNKNOWN, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.ENVELOPE_CONFLICT, ProblemCode.ENVELOPE_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_CONFLICT, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDEMPOTENCY_KEY_REQUIRED, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.TOO_MANY_STREAMS, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.WRITER_LATCHED, ProblemCode.WRITER_LEASE_REQUIRED,)),
        query=(),
        requires_idempotency_key=True,
        requires_token=True,
    ),
    "record_envelope": Operation(
        name="record_envelope",
        client_method="record",
        method="POST",
        path="/v1/envelopes",
        request_type="record_request",
        takes=("application/json",),
        gives=("application/json",),
        answers=MappingProxyType({200: "receipt", 201: "receipt"}),
        codes=frozenset((ProblemCode.ATTACHMENT_INVALID, ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.COMMIT_OUTCOME_UNKNOWN, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.ENVELOPE_CONFLICT, ProblemCode.ENVELOPE_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_CONFLICT, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDEMPOTENCY_KEY_REQUIRED, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.TOO_MANY_STREAMS, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.WRITER_LATCHED, ProblemCode.WRITER_LEASE_REQUIRED,)),
        query=(),
        requires_idempotency_key=True,
        requires_token=True,
    ),
    "record_envelope_with_attachments": Operation(
        name="record_envelope_with_attachments",
        client_method="record_with_attachments",
        method="POST",
        path="/v1/envelopes/with-attachments",
        request_type="attachments_request",
        takes=("application/json",),
        gives=("application/json",),
        answers=MappingProxyType({200: "receipt", 201: "receipt"}),
        codes=frozenset((ProblemCode.ATTACHMENT_INVALID, ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.COMMIT_OUTCOME_UNKNOWN, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.ENVELOPE_CONFLICT, ProblemCode.ENVELOPE_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_CONFLICT, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDEMPOTENCY_KEY_REQUIRED, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE, ProblemCode.STREAM_MISMATCH, ProblemCode.TOO_MANY_STREAMS, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE, ProblemCode.WRITER_LATCHED, ProblemCode.WRITER_LEASE_REQUIRED,)),
        query=(),
        requires_idempotency_key=True,
        requires_token=True,
    ),
    "startup": Operation(
        name="startup",
        client_method="startup",
        method="GET",
        path="/startup",
        request_type=None,
        takes=(),
        gives=("application/json",),
        answers=MappingProxyType({200: "probe_answer"}),
        codes=frozenset((ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.HEADER_TOO_LARGE, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.REQUEST_TIMEOUT, ProblemCode.STORAGE_UNAVAILABLE,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=False,
    ),
    "verify_bundle": Operation(
        name="verify_bundle",
        client_method="verify_bundle",
        method="POST",
        path="/v1/bundles/verify",
        request_type="bundle_document",
        takes=("application/json", "application/zip",),
        gives=("application/json",),
        answers=MappingProxyType({200: "verify_answer"}),
        codes=frozenset((ProblemCode.AUTH_MISCONFIGURED, ProblemCode.BAD_REQUEST, ProblemCode.CONTENT_LENGTH_INVALID, ProblemCode.CONTROL_PLANE_DENIED, ProblemCode.CONTROL_PLANE_UNAVAILABLE, ProblemCode.HEADER_TOO_LARGE, ProblemCode.HOOK_EXPORT_FAILED, ProblemCode.IDEMPOTENCY_KEY_INVALID, ProblemCode.IDENTITY_INVALID, ProblemCode.INTERNAL_ERROR, ProblemCode.NOT_ACCEPTABLE, ProblemCode.PAYLOAD_TOO_LARGE, ProblemCode.QUEUE_FULL, ProblemCode.REQUEST_TIMEOUT, ProblemCode.UNAUTHORIZED, ProblemCode.UNSUPPORTED_MEDIA_TYPE,)),
        query=(),
        requires_idempotency_key=False,
        requires_token=True,
    ),
})
