"""A sidecar made of a list of answers, and surroundings in which no time passes unless somebody sleeps."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx2
from paths import ROOT

from recorder_client import AsyncRecorderClient, Draft, RecorderClient
from recorder_client.surroundings import Surroundings

EXAMPLES: dict[str, Any] = json.loads((ROOT / "docs/generated/sdk/test_vectors.json").read_text("utf-8"))
TYPES: dict[str, Any] = json.loads((ROOT / "docs/generated/sdk/types.json").read_text("utf-8"))
METHODS: dict[str, Any] = json.loads((ROOT / "docs/generated/sdk/methods.json").read_text("utf-8"))

# The draft of the examples, for which their receipts are.
EXAMPLE_REQUEST: dict[str, Any] = EXAMPLES["exchanges"]["record_envelope"]["request"]
RECEIPT: dict[str, Any] = EXAMPLES["exchanges"]["record_envelope"]["answers"]["201"]


def example_draft() -> Draft:
    return Draft(**EXAMPLE_REQUEST["envelope"])


Answer = Callable[[httpx2.Request], httpx2.Response]


def answer(status: int, body: Any, **headers: str) -> Answer:
    """What a faithful sidecar says; `headers` replace its own, and an empty one takes it away."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        given = {
            "content-type": "application/json" if status < 400 else "application/problem+json",
            "x-server-correlation-id": "server-1",
            "x-correlation-id": request.headers["x-correlation-id"],
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx2.Response(
            status, headers={name: value for name, value in given.items() if value}, stream=httpx2.ByteStream(data)
        )

    return respond


def problem(code: str, **headers: str) -> Answer:
    body = EXAMPLES["problems"][code] | {"server_correlation_id": "server-1"}
    after = {"retry_after": "1"} if body["retryable"] else {}
    return answer(body["status"], body, **(after | headers))


def failing(error: Exception) -> Answer:
    def respond(_request: httpx2.Request) -> httpx2.Response:
        raise error

    return respond


def recorded(**headers: str) -> Answer:
    return answer(201, RECEIPT, **headers)


def replayed() -> Answer:
    return answer(200, RECEIPT, idempotency_replayed="true")


@dataclass
class Stage:
    """The answers to come, the requests that came, and how long was slept."""

    answers: list[Answer]
    requests: list[httpx2.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 1000.0
    jitter: float = 1.0

    def respond(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        return self.answers.pop(0)(request)

    def surroundings(self) -> Surroundings:
        return Surroundings(
            monotonic=lambda: self.now,
            time_ns=lambda: 1_795_306_452_500_000_000,
            random_bytes=lambda count: bytes(range(count)),
            uniform=lambda low, high: low + (high - low) * self.jitter,
            sleep=self._sleep,
            sleep_async=self._sleep_async,
        )

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def _sleep_async(self, seconds: float) -> None:
        self._sleep(seconds)

    def client(self, **options: Any) -> RecorderClient:
        return RecorderClient(transport=httpx2.MockTransport(self.respond), **self._options(options))

    def async_client(self, **options: Any) -> AsyncRecorderClient:
        return AsyncRecorderClient(transport=httpx2.MockTransport(self.respond), **self._options(options))

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "token": "token",
            "tenant_id": EXAMPLE_REQUEST["tenant_id"],
            "recorder_id": EXAMPLE_REQUEST["recorder_id"],
            "surroundings": self.surroundings(),
        } | options


def stage(*answers: Answer | Iterable[Answer]) -> Stage:
    flat: list[Answer] = []
    for one in answers:
        flat.extend([one] if callable(one) else one)
    return Stage(flat)
