"""The client that waits."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ParamSpec, Self, TypeVar, Unpack, cast

import httpx2

from recorder_client.actions import Action, ActionPlan, FailureReport, decorated
from recorder_client.answers import Breach, Call, Reply, TransportFailure
from recorder_client.archive_file import ArchiveFile, SavedBundle
from recorder_client.base import ARCHIVE_BYTES_MAX, DEFAULT_URL, ClientBase, ClientOptions
from recorder_client.calls import Attachment, BuiltBundle, Ingested, Recorded, RecordedBatch, bytes_of
from recorder_client.errors import RecorderError
from recorder_client.exchange import FAILURES, Intake, failure_of, out_of_time
from recorder_client.importing import BatchBounds, Delivery, Importer, ImportResult
from recorder_client.models import (
    CheckpointAnswer,
    ConsistencyAnswer,
    Draft,
    Envelope,
    Filter,
    InclusionAnswer,
    InspectAnswer,
    ProbeAnswer,
    QueryAnswer,
    Segment,
    SegmentsAnswer,
    Selector,
    VerifyAnswer,
)
from recorder_client.retries import Pause
from recorder_client.settings import Name

T = TypeVar("T")
P = ParamSpec("P")

DEFAULT_BOUNDS = BatchBounds()


class RecorderClient(ClientBase):
    """Records to a sidecar and reads from it. It may be shared by threads.

    Every method raises a `RecorderError`: of `InvalidRequestError`, `RequestRefusedError`, `ServiceUnavailableError`,
    `TransportError` and `ContractViolationError` the one that says whose fault it is.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        transport: httpx2.BaseTransport | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        """Checks everything and connects to nothing; raises `InvalidRequestError`."""
        super().__init__(base_url, options)
        self._transport = transport or httpx2.HTTPTransport(
            verify=self._settings.ssl_context(),
            trust_env=False,
            limits=self._settings.limits(),
            uds=self._settings.socket_path(),
        )

    def __enter__(self) -> Self:
        """The client, which closes its connections at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes its connections."""
        self.close()

    def close(self) -> None:
        """Closes its connections."""
        self._transport.close()

    # Recording.

    def record(self, draft: Draft, *, tenant_id: str | None = None, idempotency_key: str | None = None) -> Recorded:
        """Records an envelope; returns when it is on the sidecar's disk."""
        return self._send(self._calls.record(draft, tenant_id=tenant_id, idempotency_key=idempotency_key))

    def record_with_attachments(
        self,
        draft: Draft,
        attachments: Iterable[Attachment],
        *,
        tenant_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Recorded:
        """Records an envelope and the files that it refers to; references are added to the draft."""
        return self._send(
            self._calls.record_with_attachments(
                draft, attachments, tenant_id=tenant_id, idempotency_key=idempotency_key
            )
        )

    def record_batch(
        self, drafts: Iterable[Draft], *, tenant_id: str | None = None, idempotency_key: str | None = None
    ) -> RecordedBatch:
        """Records up to 1,000 envelopes, all or none."""
        return self._send(self._calls.record_batch(drafts, tenant_id=tenant_id, idempotency_key=idempotency_key))

    def import_drafts(
        self, drafts: Iterable[Draft], *, bounds: BatchBounds = DEFAULT_BOUNDS, tenant_id: str | None = None
    ) -> Iterator[ImportResult]:
        """Records as many drafts as there are, in batches; gives a result for each, in order.

        Nothing is recorded before the first result is asked for. A failure that is not a draft's own is raised.
        """
        importer = Importer(self._calls, bounds)
        for draft in drafts:
            for delivery in importer.add(draft):
                yield from self._deliver(delivery, tenant_id)
        for delivery in importer.rest():
            yield from self._deliver(delivery, tenant_id)

    def _deliver(self, delivery: Delivery, tenant_id: str | None) -> list[ImportResult]:
        answer: RecordedBatch | RecorderError | None = None
        try:
            while True:
                prepared = next(delivery) if answer is None else delivery.send(answer)
                try:
                    answer = self._send(self._calls.record_prepared(prepared, tenant_id=tenant_id))
                except RecorderError as error:
                    answer = error
        except StopIteration as end:
            return cast("list[ImportResult]", end.value)

    def ingest_otel(self, document: bytes | Mapping[str, Any], *, idempotency_key: str | None = None) -> Ingested:
        """Records the spans and log records of a document in OTLP/JSON, all or none."""
        return self._send(self._calls.ingest_otel(document, idempotency_key=idempotency_key))

    # Intent and outcome.

    def action(
        self,
        event_type: str,
        *,
        actor_id: str,
        environment_id: str,
        payload: Mapping[str, Any] | None = None,
        trace_id: str | None = None,
        session_id: str | None = None,
        fail_open: FailureReport | None = None,
        tenant_id: str | None = None,
    ) -> Action:
        """A context that records what is about to be done, and afterwards how it ended.

        Fails closed: where the intent cannot be recorded, the body does not run. With `fail_open` the body runs all the
        same, and each failure is given to that function.
        """
        plan = ActionPlan(event_type, actor_id, environment_id, payload, trace_id, session_id, fail_open, tenant_id)
        return Action(plan, lambda draft: self.record(draft, tenant_id=tenant_id), self._surroundings)

    def recorded(
        self,
        event_type: str,
        *,
        actor_id: str,
        environment_id: str,
        payload: Callable[..., Mapping[str, Any]] | None = None,
        fail_open: FailureReport | None = None,
        tenant_id: str | None = None,
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Makes an `action` of each call of a function. `payload` chooses which arguments are recorded."""

        def begin(chosen: Mapping[str, Any] | None) -> Action:
            return self.action(
                event_type,
                actor_id=actor_id,
                environment_id=environment_id,
                payload=chosen,
                fail_open=fail_open,
                tenant_id=tenant_id,
            )

        return decorated(begin, payload)

    # Reading.

    def query(
        self,
        filter: Filter | None = None,  # noqa: A002 - the contract's word
        *,
        limit: int | None = None,
        cursor: str | None = None,
        tenant_id: str | None = None,
    ) -> QueryAnswer:
        """A page of envelopes."""
        return self._send(self._calls.query(filter, limit=limit, cursor=cursor, tenant_id=tenant_id))

    def each_envelope(
        self,
        filter: Filter | None = None,  # noqa: A002 - the contract's word
        *,
        page_size: int | None = None,
        tenant_id: str | None = None,
    ) -> Iterator[Envelope]:
        """All envelopes, page by page as they are asked for."""
        page = self.query(filter, limit=page_size, tenant_id=tenant_id)
        yield from page.envelopes
        while page.next_cursor is not None:
            page = self.query(filter, limit=page_size, cursor=page.next_cursor, tenant_id=tenant_id)
            yield from page.envelopes

    def list_segments(
        self, *, limit: int | None = None, cursor: str | None = None, tenant_id: str | None = None
    ) -> SegmentsAnswer:
        """A page of segments: of one tenant, or of every stream."""
        return self._send(self._calls.segments("list_segments", limit=limit, cursor=cursor, tenant_id=tenant_id))

    def list_active_segments(
        self, *, limit: int | None = None, cursor: str | None = None, tenant_id: str | None = None
    ) -> SegmentsAnswer:
        """A page of open segments: of one tenant, or of every stream."""
        return self._send(self._calls.segments("list_active_segments", limit=limit, cursor=cursor, tenant_id=tenant_id))

    def each_segment(self, *, page_size: int | None = None, tenant_id: str | None = None) -> Iterator[Segment]:
        """All segments, page by page as they are asked for."""
        page = self.list_segments(limit=page_size, tenant_id=tenant_id)
        yield from page.segments
        while page.next_cursor is not None:
            page = self.list_segments(limit=page_size, cursor=page.next_cursor, tenant_id=tenant_id)
            yield from page.segments

    def checkpoint(self, *, tenant_id: str | None = None) -> CheckpointAnswer:
        """The newest signed checkpoint: worth keeping where the sidecar's operator cannot reach it."""
        return self._send(self._calls.checkpoint(tenant_id=tenant_id))

    def prove_inclusion(
        self, envelope_id: str, *, tree_size: int | None = None, tenant_id: str | None = None
    ) -> InclusionAnswer:
        """That an envelope is in the log."""
        return self._send(self._calls.prove_inclusion(envelope_id, tree_size=tree_size, tenant_id=tenant_id))

    def prove_consistency(
        self, old_size: int, *, new_size: int | None = None, tenant_id: str | None = None
    ) -> ConsistencyAnswer:
        """That the log at one size begins with the log at an earlier one."""
        return self._send(self._calls.prove_consistency(old_size, new_size=new_size, tenant_id=tenant_id))

    # Bundles.

    def build_bundle(self, selector: Selector | None = None, *, tenant_id: str | None = None) -> BuiltBundle:
        """A bundle as a document; without a selector, of everything."""
        return self._send(self._calls.build_bundle(selector, tenant_id=tenant_id))

    def save_bundle(
        self,
        path: Name,
        selector: Selector | None = None,
        *,
        bytes_max: int = ARCHIVE_BYTES_MAX,
        tenant_id: str | None = None,
    ) -> SavedBundle:
        """A bundle as an archive, streamed to a new file. The file is there whole, or not at all."""
        file = ArchiveFile(path, bytes_max)
        try:
            return self._send(self._calls.build_archive(selector, tenant_id=tenant_id, sink=file, finish=file.finish))
        finally:
            file.discard()

    def verify_bundle(self, bundle: bytes | os.PathLike[str]) -> VerifyAnswer:
        """What the sidecar finds in a bundle. Whoever does not trust the sidecar uses `recorder_client.verify`."""
        return self._send(self._calls.verify_bundle(bytes_of(bundle)))

    def inspect_bundle(self, bundle: bytes | os.PathLike[str]) -> InspectAnswer:
        """What a bundle says of itself, of which nothing is verified."""
        return self._send(self._calls.inspect_bundle(bytes_of(bundle)))

    # The service itself.

    def health(self) -> ProbeAnswer:
        """That the process answers. Probes are tried once."""
        return self._send(self._calls.probe("health"))

    def startup(self) -> ProbeAnswer:
        """That it has started."""
        return self._send(self._calls.probe("startup"))

    def ready(self) -> ProbeAnswer:
        """Whether it records; where it does not, the answer has every reason."""
        return self._send(self._calls.probe("ready"))

    def config(self) -> dict[str, Any]:
        """The settings in effect, without secrets."""
        return self._send(self._calls.open_object("config"))

    def openapi(self) -> dict[str, Any]:
        """The description of the interface (OpenAPI 3.1)."""
        return self._send(self._calls.open_object("openapi"))

    def metrics(self) -> str:
        """Prometheus text."""
        return self._send(self._calls.text("metrics"))

    # Sending.

    def _send(self, call: Call[T]) -> T:
        steps = self._conversation(call)
        outcome: Reply | TransportFailure | Breach | None = None
        try:
            while True:
                step = steps.send(outcome)
                if isinstance(step, Pause):
                    self._surroundings.sleep(step.seconds)
                    outcome = None
                else:
                    outcome = self._exchange(call, step.left_seconds)
        except StopIteration as end:
            return cast("T", end.value)

    def _exchange(self, call: Call[T], left_seconds: float) -> Reply | TransportFailure | Breach:
        request = self._request(call, left_seconds)
        deadline = self._surroundings.monotonic() + left_seconds
        try:
            response = self._transport.handle_request(request)
            try:
                intake = Intake(call, response)
                for chunk in cast("httpx2.SyncByteStream", response.stream):
                    intake.take(chunk)
                    if self._surroundings.monotonic() > deadline:
                        return out_of_time()
                return intake.reply()
            finally:
                response.close()
        except FAILURES as error:
            return failure_of(error)
