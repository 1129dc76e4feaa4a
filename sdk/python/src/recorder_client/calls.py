"""Requests: one builder for each operation, which both clients share.

A `Call` has its bytes before the first attempt. Ids, times, salts and the idempotency key are in them, so that an
attempt differs from the one before in nothing.

Deliberately absent: sending.
"""

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from recorder_client.answers import JSON, BreachError, Call, Reply, Sink, is_replay, model_of
from recorder_client.contract import (
    ATTACHMENT_BYTES_MAX,
    ENVELOPES_PER_BATCH_MAX,
    OPERATIONS,
    PAGE_SIZE_MAX,
)
from recorder_client.drafts import Prepared, prepare
from recorder_client.errors import InvalidRequestError
from recorder_client.json_value import NotJsonError, read, snapshot, text_of
from recorder_client.model_base import Closed, asked
from recorder_client.models import (
    AttachmentInput,
    AttachmentRef,
    BatchAnswer,
    BuildRequest,
    BundleDocument,
    CheckpointAnswer,
    ConsistencyAnswer,
    ConsistencyRequest,
    Draft,
    Filter,
    InclusionAnswer,
    InclusionRequest,
    IngestAnswer,
    InspectAnswer,
    ProbeAnswer,
    QueryAnswer,
    QueryRequest,
    Receipt,
    SegmentsAnswer,
    Selector,
    Stream,
    VerifyAnswer,
)
from recorder_client.surroundings import Surroundings

ZIP = "application/zip"
BUNDLE_BYTES_MAX = 64 << 20

M = TypeVar("M", bound=Closed)
T = TypeVar("T")

_KEY = re.compile(r"[!-~]{1,128}\Z")
_CORRELATION = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}\Z")


@dataclass(frozen=True)
class Recorded:
    """What became of one draft."""

    receipt: Receipt
    replayed: bool
    """Whether it had been recorded before."""
    server_correlation_id: str


@dataclass(frozen=True)
class RecordedBatch:
    """What became of drafts that were recorded together."""

    receipts: tuple[Receipt, ...]
    replayed: bool
    """Whether all of them had been recorded before."""
    server_correlation_id: str


@dataclass(frozen=True)
class Ingested:
    """What became of the spans and log records of a document."""

    receipts: tuple[Receipt, ...]
    replayed_count: int
    """How many of them had been recorded before."""
    replayed: bool
    """Whether all of them had been."""
    server_correlation_id: str


@dataclass(frozen=True)
class BuiltBundle:
    """A bundle as a document. Nothing of it has been verified."""

    document: BundleDocument
    data: bytes
    """The document as it came: what is to be kept, handed on and verified."""


@dataclass(frozen=True)
class Attachment:
    """A file that comes with an envelope."""

    content_type: str
    data: bytes

    def reference(self) -> AttachmentRef:
        """What the envelope says of it."""
        digest = hashlib.sha256(self.data).hexdigest()
        return asked(AttachmentRef, content_hash=digest, content_type=self.content_type, size_bytes=len(self.data))


def bytes_of(bundle: bytes | os.PathLike[str]) -> bytes:
    """A bundle, or that of a file, which may be no larger than a sidecar can be told to take."""
    if isinstance(bundle, bytes):
        return bundle
    with Path(bundle).open("rb") as source:
        data = source.read(BUNDLE_BYTES_MAX + 1)
    if len(data) > BUNDLE_BYTES_MAX:
        raise InvalidRequestError(f"{os.fspath(bundle)}: larger than {BUNDLE_BYTES_MAX} bytes; verify it here")
    return data


class Calls:
    """Makes the requests of one client."""

    def __init__(self, *, tenant_id: str, recorder_id: str, answer_bytes_max: int, surroundings: Surroundings) -> None:
        """For one stream, unless a request names another tenant."""
        self._own = asked(Stream, tenant_id=tenant_id, recorder_id=recorder_id)
        self._answer_bytes_max = answer_bytes_max
        self._surroundings = surroundings

    # Recording.

    def prepare(self, draft: Draft, attached: Iterable[AttachmentRef] = ()) -> Prepared:
        """The draft as it will be sent."""
        return prepare(draft, self._surroundings, attached)

    def record(
        self, draft: Draft, *, tenant_id: str | None = None, idempotency_key: str | None = None
    ) -> Call[Recorded]:
        """One envelope."""
        prepared = self.prepare(draft)
        body = self._recording(tenant_id, envelope=prepared.text)
        return self._call("record_envelope", _recorded(prepared), body=body, idempotency_key=idempotency_key)

    def record_with_attachments(
        self,
        draft: Draft,
        attachments: Iterable[Attachment],
        *,
        tenant_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Recorded]:
        """One envelope, and the files that it refers to."""
        files = tuple(attachments)
        too_large = [one for one in files if len(one.data) > ATTACHMENT_BYTES_MAX]
        if too_large or not files:
            raise InvalidRequestError(f"1 or more attachments of at most {ATTACHMENT_BYTES_MAX} bytes are taken")
        prepared = self.prepare(draft, [one.reference() for one in files])
        inputs = [
            asked(
                AttachmentInput, content_type=one.content_type, data_base64=base64.b64encode(one.data).decode("ascii")
            ).as_json()
            for one in files
        ]
        body = self._recording(tenant_id, envelope=prepared.text, attachments=text_of(inputs))
        read_answer = _recorded(prepared)
        return self._call("record_envelope_with_attachments", read_answer, body=body, idempotency_key=idempotency_key)

    def record_batch(
        self, drafts: Iterable[Draft], *, tenant_id: str | None = None, idempotency_key: str | None = None
    ) -> Call[RecordedBatch]:
        """Several envelopes, all or none."""
        return self.record_prepared(
            [self.prepare(draft) for draft in drafts], tenant_id=tenant_id, idempotency_key=idempotency_key
        )

    def record_prepared(
        self, prepared: "list[Prepared]", *, tenant_id: str | None = None, idempotency_key: str | None = None
    ) -> Call[RecordedBatch]:
        """Several envelopes that have been prepared."""
        if not 1 <= len(prepared) <= ENVELOPES_PER_BATCH_MAX:
            raise InvalidRequestError(f"{len(prepared)} drafts; 1 to {ENVELOPES_PER_BATCH_MAX} are taken at once")
        envelopes = "[" + ",".join(one.text for one in prepared) + "]"
        body = self._recording(tenant_id, envelopes=envelopes)
        return self._call("record_batch", _recorded_batch(prepared), body=body, idempotency_key=idempotency_key)

    def ingest_otel(self, document: bytes | Mapping[str, Any], *, idempotency_key: str | None) -> Call[Ingested]:
        """OpenTelemetry, in OTLP/JSON."""
        body = document if isinstance(document, bytes) else _otlp(document)
        return self._call("ingest_otel", _ingested, body=body, idempotency_key=idempotency_key)

    # Reading.

    def query(
        self,
        filter: Filter | None,  # noqa: A002 - the contract's word
        *,
        limit: int | None,
        cursor: str | None,
        tenant_id: str | None,
    ) -> Call[QueryAnswer]:
        """A page of envelopes."""
        request = asked(QueryRequest, filter=filter or Filter(), limit=limit, cursor=cursor, **self._stream(tenant_id))

        def read_answer(reply: Reply) -> QueryAnswer:
            return _page(model_of(QueryAnswer, reply), "envelopes", limit, cursor)

        return self._call("query_envelopes", read_answer, body=_body(request))

    def segments(
        self, operation: str, *, limit: int | None, cursor: str | None, tenant_id: str | None
    ) -> Call[SegmentsAnswer]:
        """A page of segments, of one tenant or of all."""
        if limit is not None and not 1 <= limit <= PAGE_SIZE_MAX:
            raise InvalidRequestError(f"limit: {limit}; 1 to {PAGE_SIZE_MAX} are taken")

        def read_answer(reply: Reply) -> SegmentsAnswer:
            page = _page(model_of(SegmentsAnswer, reply), "segments", limit, cursor)
            if tenant_id is not None and any(one.tenant_id != tenant_id for one in page.segments):
                raise BreachError("a segment is that of another tenant")
            return page

        query = {"tenant_id": tenant_id, "limit": limit, "cursor": cursor}
        return self._call(operation, read_answer, query=query)

    def checkpoint(self, *, tenant_id: str | None) -> Call[CheckpointAnswer]:
        """The newest signed checkpoint."""
        stream = self._stream(tenant_id)

        def read_answer(reply: Reply) -> CheckpointAnswer:
            return _about(model_of(CheckpointAnswer, reply), stream)

        return self._call("checkpoint", read_answer, query=stream)

    def prove_inclusion(
        self, envelope_id: str, *, tree_size: int | None, tenant_id: str | None
    ) -> Call[InclusionAnswer]:
        """That an envelope is in the log."""
        stream = self._stream(tenant_id)
        request = asked(InclusionRequest, envelope_id=envelope_id, tree_size=tree_size, **stream)

        def read_answer(reply: Reply) -> InclusionAnswer:
            return _about(model_of(InclusionAnswer, reply), {"envelope_id": envelope_id, "tree_size": tree_size})

        return self._call("prove_inclusion", read_answer, body=_body(request))

    def prove_consistency(
        self, old_size: int, *, new_size: int | None, tenant_id: str | None
    ) -> Call[ConsistencyAnswer]:
        """That a later log begins with an earlier one."""
        stream = self._stream(tenant_id)
        request = asked(ConsistencyRequest, old_size=old_size, new_size=new_size, **stream)

        def read_answer(reply: Reply) -> ConsistencyAnswer:
            return _about(model_of(ConsistencyAnswer, reply), {"old_size": old_size, "new_size": new_size})

        return self._call("prove_consistency", read_answer, body=_body(request))

    # Bundles.

    def build_bundle(self, selector: Selector | None, *, tenant_id: str | None) -> Call[BuiltBundle]:
        """A bundle as a document."""
        stream = self._stream(tenant_id)

        def read_answer(reply: Reply) -> BuiltBundle:
            document = model_of(BundleDocument, reply)
            manifest = document.parts["manifest.json"]
            _about(manifest.stream, stream)
            return BuiltBundle(document, reply.body)

        request = asked(BuildRequest, selector=selector, **stream)
        return self._call("build_bundle", read_answer, body=_body(request))

    def build_archive(
        self, selector: Selector | None, *, tenant_id: str | None, sink: Sink, finish: Callable[[], T]
    ) -> Call[T]:
        """A bundle as an archive, which goes to a sink."""
        request = asked(BuildRequest, selector=selector, **self._stream(tenant_id))
        return self._call("build_bundle", lambda _: finish(), body=_body(request), accept=ZIP, sink=sink)

    def verify_bundle(self, bundle: bytes) -> Call[VerifyAnswer]:
        """What the sidecar finds in a bundle."""
        return self._bundle_call("verify_bundle", VerifyAnswer, bundle)

    def inspect_bundle(self, bundle: bytes) -> Call[InspectAnswer]:
        """What a bundle says of itself."""
        return self._bundle_call("inspect_bundle", InspectAnswer, bundle)

    def _bundle_call(self, operation: str, kind: type[M], bundle: bytes) -> Call[M]:
        content_type = ZIP if bundle.startswith(b"PK") else JSON
        return self._call(operation, lambda reply: model_of(kind, reply), body=bundle, content_type=content_type)

    # The service itself.

    def probe(self, operation: str) -> Call[ProbeAnswer]:
        """A probe."""

        def read_answer(reply: Reply) -> ProbeAnswer:
            answer = model_of(ProbeAnswer, reply)
            if (answer.status == "ok") != (reply.status == 200):
                raise BreachError("the status and the answer contradict each other")
            return answer

        return self._call(operation, read_answer)

    def open_object(self, operation: str) -> Call[dict[str, Any]]:
        """A JSON object that the contract leaves open."""
        return self._call(operation, _open_object)

    def text(self, operation: str) -> Call[str]:
        """Text."""
        return self._call(operation, _text)

    # What they share.

    def _stream(self, tenant_id: str | None) -> dict[str, Any]:
        own = self._own
        return (own if tenant_id is None else asked(Stream, tenant_id=tenant_id, recorder_id=own.recorder_id)).as_json()

    def _recording(self, tenant_id: str | None, **written: str) -> bytes:
        """A body that records, from members that are written already."""
        members = {name: text_of(value) for name, value in self._stream(tenant_id).items()} | written
        return ("{" + ",".join(f'"{name}":{members[name]}' for name in sorted(members)) + "}").encode()

    def _call(  # noqa: PLR0913 - what requests differ in
        self,
        operation: str,
        read_answer: Callable[[Reply], T],
        *,
        body: bytes | None = None,
        content_type: str = JSON,
        query: Mapping[str, Any] | None = None,
        accept: str | None = None,
        idempotency_key: str | None = None,
        sink: Sink | None = None,
    ) -> Call[T]:
        facts = OPERATIONS[operation]
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        return Call(
            operation=facts,
            target=facts.path + (f"?{urlencode(given, quote_via=quote)}" if given else ""),
            accept=accept or facts.gives[0],
            read=read_answer,
            correlation_id=self._surroundings.random_bytes(16).hex(),
            answer_bytes_max=self._answer_bytes_max,
            body=body,
            content_type=content_type if body is not None else None,
            idempotency_key=_key(body or b"", idempotency_key) if facts.requires_idempotency_key else None,
            sink=sink,
        )


def _key(body: bytes, given: str | None) -> str:
    """The caller's key, or one that the bytes themselves give: the same bytes are the same request."""
    if given is None:
        return "sha256-" + hashlib.sha256(body).hexdigest()
    if not _KEY.match(given) or given.startswith('"'):
        raise InvalidRequestError("an idempotency key is 1 to 128 visible ASCII characters, and not quoted")
    return given


def _body(request: Closed) -> bytes:
    return text_of(snapshot(request.as_json(), "request")).encode()


def _recorded(prepared: Prepared) -> Callable[[Reply], Recorded]:
    def read_answer(reply: Reply) -> Recorded:
        receipt, replayed = model_of(Receipt, reply), is_replay(reply)
        _check_receipt(prepared, receipt, may_be_replay=replayed)
        return Recorded(receipt, replayed, reply.server_correlation_id)

    return read_answer


def _recorded_batch(prepared: list[Prepared]) -> Callable[[Reply], RecordedBatch]:
    def read_answer(reply: Reply) -> RecordedBatch:
        receipts = model_of(BatchAnswer, reply).receipts
        if len(receipts) != len(prepared):
            raise BreachError(f"{len(receipts)} receipts for {len(prepared)} drafts")
        for one, receipt in zip(prepared, receipts, strict=True):
            # Some of a batch may have been recorded before although not all were.
            _check_receipt(one, receipt, may_be_replay=True)
        return RecordedBatch(tuple(receipts), is_replay(reply), reply.server_correlation_id)

    return read_answer


def _otlp(document: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"the document is not JSON: {type(error).__name__}") from None


def _ingested(reply: Reply) -> Ingested:
    answer = model_of(IngestAnswer, reply)
    if answer.accepted + answer.replayed != len(answer.receipts):
        raise BreachError("the counts and the receipts contradict each other")
    return Ingested(tuple(answer.receipts), answer.replayed, is_replay(reply), reply.server_correlation_id)


def _check_receipt(prepared: Prepared, receipt: Receipt, *, may_be_replay: bool) -> None:
    """A receipt is for what was sent: its id, its payload under its salt, and all that the content hash covers."""
    other = prepared.disagreement(receipt, may_be_replay=may_be_replay)
    if other is not None:
        raise BreachError(f"the receipt's {other} is not that of what was sent")


def _about(answer: M, asked_for: Mapping[str, Any]) -> M:
    """The answer, where it is about what was asked."""
    for name, value in asked_for.items():
        if value is not None and getattr(answer, name) != value:
            raise BreachError(f"{name} is not the one that was asked for")
    return answer


def _page(page: M, member: str, limit: int | None, cursor: str | None) -> M:
    if len(getattr(page, member)) > (limit or PAGE_SIZE_MAX):
        raise BreachError("the page is longer than was asked for")
    following = getattr(page, "next_cursor")  # noqa: B009 - of every page
    if following is not None and following == cursor:
        raise BreachError("the page continues where it began")
    return page


def _open_object(reply: Reply) -> dict[str, Any]:
    try:
        value = read(reply.body)
    except NotJsonError as error:
        raise BreachError(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BreachError("the body is no object")
    return value


def _text(reply: Reply) -> str:
    try:
        return reply.body.decode("utf-8")
    except UnicodeDecodeError:
        raise BreachError("the body is not UTF-8") from None
