"""The client that awaits: the same methods, for asyncio and trio."""

import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, ParamSpec, Self, TypeVar, Unpack, cast

import anyio
import anyio.to_thread
import httpx2

from recorder_client.actions import ActionPlan, AsyncAction, FailureReport, decorated_async
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


class AsyncRecorderClient(ClientBase):
    """Records to a sidecar and reads from it. It may be shared by tasks of one event loop.

    Every method raises a `RecorderError`: of `InvalidRequestError`, `RequestRefusedError`, `ServiceUnavailableError`,
    `TransportError` and `ContractViolationError` the one that says whose fault it is.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        """Checks everything and connects to nothing; raises `InvalidRequestError`."""
        super().__init__(base_url, options)
        self._transport = transport or httpx2.AsyncHTTPTransport(
            verify=self._settings.ssl_context(),
            trust_env=False,
            limits=self._settings.limits(),
            uds=self._settings.socket_path(),
        )

    async def __aenter__(self) -> Self:
        """The client, which closes its connections at the end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes its connections."""
        await self.close()

    async def close(self) -> None:
        """Closes its connections."""
        await self._transport.aclose()

    # Recording.

    async def record(
        self, draft: Draft, *, tenant_id: str | None = None, idempotency_key: str | None = None
    ) -> Recorded:
        """Records an envelope; returns when it is on the sidecar's disk."""
        return await self._send(self._calls.record(draft, tenant_id=tenant_id, idempotency_key=idempotency_key))

    async def record_with_attachments(
        self,
        draft: Draft,
        attachments: Iterable[Attachment],
        *,
        tenant_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Recorded:
        """Records an envelope and the files that it refers to; references are added to the draft."""
        return await self._send(
            self._calls.record_with_attachments(
                draft, attachments, tenant_id=tenant_id, idempotency_key=idempotency_key
            )
        )

    async def record_batch(
        self, drafts: Iterable[Draft], *, tenant_id: str | None = None, idempotency_key: str | None = None
    ) -> RecordedBatch:
        """Records up to 1,000 envelopes, all or none."""
        return await self._send(self._calls.record_batch(drafts, tenant_id=tenant_id, idempotency_key=idempotency_key))

    async def import_drafts(
        self,
        drafts: Iterable[Draft] | AsyncIterable[Draft],
        *,
        bounds: BatchBounds = DEFAULT_BOUNDS,
        tenant_id: str | None = None,
    ) -> AsyncIterator[ImportResult]:
        """Records as many drafts as there are, in batches; gives a result for each, in order.

        Nothing is recorded before the first result is asked for. A failure that is not a draft's own is raised.
        """
        importer = Importer(self._calls, bounds)
        async for draft in _each(drafts):
            for delivery in importer.add(draft):
                for result in await self._deliver(delivery, tenant_id):
                    yield result
        for delivery in importer.rest():
            for result in await self._deliver(delivery, tenant_id):
                yield result

    async def _deliver(self, delivery: Delivery, tenant_id: str | None) -> list[ImportResult]:
        answer: RecordedBatch | RecorderError | None = None
        try:
            while True:
                prepared = next(delivery) if answer is None else delivery.send(answer)
                try:
                    answer = await self._send(self._calls.record_prepared(prepared, tenant_id=tenant_id))
                except RecorderError as error:
                    answer = error
        except StopIteration as end:
            return cast("list[ImportResult]", end.value)

    async def ingest_otel(self, document: bytes | Mapping[str, Any], *, idempotency_key: str | None = None) -> Ingested:
        """Records the spans and log records of a document in OTLP/JSON, all or none."""
        return await self._send(self._calls.ingest_otel(document, idempotency_key=idempotency_key))

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
    ) -> AsyncAction:
        """A context that records what is about to be done, and afterwards how it ended.

        Fails closed: where the intent cannot be recorded, the body does not run. With `fail_open` the body runs all the
        same, and each failure is given to that function.
        """
        plan = ActionPlan(event_type, actor_id, environment_id, payload, trace_id, session_id, fail_open, tenant_id)
        return AsyncAction(plan, lambda draft: self.record(draft, tenant_id=tenant_id), self._surroundings)

    def recorded(
        self,
        event_type: str,
        *,
        actor_id: str,
        environment_id: str,
        payload: Callable[..., Mapping[str, Any]] | None = None,
        fail_open: FailureReport | None = None,
        tenant_id: str | None = None,
    ) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
        """Makes an `action` of each call of a coroutine function. `payload` chooses which arguments are recorded."""

        def begin(chosen: Mapping[str, Any] | None) -> AsyncAction:
            return self.action(
                event_type,
                actor_id=actor_id,
                environment_id=environment_id,
                payload=chosen,
                fail_open=fail_open,
                tenant_id=tenant_id,
            )

        return decorated_async(begin, payload)

    # Reading.

    async def query(
        self,
        filter: Filter | None = None,  # noqa: A002 - the contract's word
        *,
        limit: int | None = None,
        cursor: str | None = None,
        tenant_id: str | None = None,
    ) -> QueryAnswer:
        """A page of envelopes."""
        return await self._send(self._calls.query(filter, limit=limit, cursor=cursor, tenant_id=tenant_id))

    async def each_envelope(
        self,
        filter: Filter | None = None,  # noqa: A002 - the contract's word
        *,
        page_size: int | None = None,
        tenant_id: str | None = None,
    ) -> AsyncIterator[Envelope]:
        """All envelopes, page by page as they are asked for."""
        page = await self.query(filter, limit=page_size, tenant_id=tenant_id)
        for envelope in page.envelopes:
            yield envelope
        while page.next_cursor is not None:
            page = await self.query(filter, limit=page_size, cursor=page.next_cursor, tenant_id=tenant_id)
            for envelope in page.envelopes:
                yield envelope

    async def list_segments(
        self, *, limit: int | None = None, cursor: str | None = None, tenant_id: str | None = None
    ) -> SegmentsAnswer:
        """A page of segments: of one tenant, or of every stream."""
        return await self._send(self._calls.segments("list_segments", limit=limit, cursor=cursor, tenant_id=tenant_id))

    async def list_active_segments(
        self, *, limit: int | None = None, cursor: str | None = None, tenant_id: str | None = None
    ) -> SegmentsAnswer:
        """A page of open segments: of one tenant, or of every stream."""
        return await self._send(
            self._calls.segments("list_active_segments", limit=limit, cursor=cursor, tenant_id=tenant_id)
        )

    async def each_segment(
        self, *, page_size: int | None = None, tenant_id: str | None = None
    ) -> AsyncIterator[Segment]:
        """All segments, page by page as they are asked for."""
        page = await self.list_segments(limit=page_size, tenant_id=tenant_id)
        for segment in page.segments:
            yield segment
        while page.next_cursor is not None:
            page = await self.list_segments(limit=page_size, cursor=page.next_cursor, tenant_id=tenant_id)
            for segment in page.segments:
                yield segment

    async def checkpoint(self, *, tenant_id: str | None = None) -> CheckpointAnswer:
        """The newest signed checkpoint: worth keeping where the sidecar's operator cannot reach it."""
        return await self._send(self._calls.checkpoint(tenant_id=tenant_id))

    async def prove_inclusion(
        self, envelope_id: str, *, tree_size: int | None = None, tenant_id: str | None = None
    ) -> InclusionAnswer:
        """That an envelope is in the log."""
        return await self._send(self._calls.prove_inclusion(envelope_id, tree_size=tree_size, tenant_id=tenant_id))

    async def prove_consistency(
        self, old_size: int, *, new_size: int | None = None, tenant_id: str | None = None
    ) -> ConsistencyAnswer:
        """That the log at one size begins with the log at an earlier one."""
        return await self._send(self._calls.prove_consistency(old_size, new_size=new_size, tenant_id=tenant_id))

    # Bundles.

    async def build_bundle(self, selector: Selector | None = None, *, tenant_id: str | None = None) -> BuiltBundle:
        """A bundle as a document; without a selector, of everything."""
        return await self._send(self._calls.build_bundle(selector, tenant_id=tenant_id))

    async def save_bundle(
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
            return await self._send(
                self._calls.build_archive(selector, tenant_id=tenant_id, sink=file, finish=file.finish)
            )
        finally:
            file.discard()

    async def verify_bundle(self, bundle: bytes | os.PathLike[str]) -> VerifyAnswer:
        """What the sidecar finds in a bundle. Whoever does not trust the sidecar uses `recorder_client.verify`."""
        return await self._send(self._calls.verify_bundle(bytes_of(bundle)))

    async def inspect_bundle(self, bundle: bytes | os.PathLike[str]) -> InspectAnswer:
        """What a bundle says of itself, of which nothing is verified."""
        return await self._send(self._calls.inspect_bundle(bytes_of(bundle)))

    # The service itself.

    async def health(self) -> ProbeAnswer:
        """That the process answers. Probes are tried once."""
        return await self._send(self._calls.probe("health"))

    async def startup(self) -> ProbeAnswer:
        """That it has started."""
        return await self._send(self._calls.probe("startup"))

    async def ready(self) -> ProbeAnswer:
        """Whether it records; where it does not, the answer has every reason."""
        return await self._send(self._calls.probe("ready"))

    async def config(self) -> dict[str, Any]:
        """The settings in effect, without secrets."""
        return await self._send(self._calls.open_object("config"))

    async def openapi(self) -> dict[str, Any]:
        """The description of the interface (OpenAPI 3.1)."""
        return await self._send(self._calls.open_object("openapi"))

    async def metrics(self) -> str:
        """Prometheus text."""
        return await self._send(self._calls.text("metrics"))

    # Sending.

    async def _send(self, call: Call[T]) -> T:
        steps = self._conversation(call)
        outcome: Reply | TransportFailure | Breach | None = None
        try:
            while True:
                step = steps.send(outcome)
                if isinstance(step, Pause):
                    await self._surroundings.sleep_async(step.seconds)
                    outcome = None
                else:
                    outcome = await self._exchange(call, step.left_seconds)
        except StopIteration as end:
            return cast("T", end.value)

    async def _exchange(self, call: Call[T], left_seconds: float) -> Reply | TransportFailure | Breach:
        request = self._request(call, left_seconds)
        with anyio.move_on_after(left_seconds):
            try:
                response = await self._transport.handle_async_request(request)
                try:
                    return await self._intake(call, response)
                finally:
                    await response.aclose()
            except FAILURES as error:
                return failure_of(error)
        return out_of_time()

    async def _intake(self, call: Call[T], response: httpx2.Response) -> Reply:
        intake = Intake(call, response)
        async for chunk in cast("httpx2.AsyncByteStream", response.stream):
            if call.sink is None:
                intake.take(chunk)
            else:
                await anyio.to_thread.run_sync(intake.take, chunk)
        return intake.reply()


async def _each(drafts: Iterable[Draft] | AsyncIterable[Draft]) -> AsyncIterator[Draft]:
    if isinstance(drafts, AsyncIterable):
        async for draft in drafts:
            yield draft
    else:
        for draft in drafts:
            yield draft
