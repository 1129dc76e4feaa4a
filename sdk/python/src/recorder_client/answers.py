"""Whether an answer is one that the contract allows, and what it says.

Status, media type, correlation, form, problem code and what a receipt is about: all are checked before anything of an
answer is given to the caller. What fails is a `Breach`, and nothing of it is believed.

Deliberately absent: leniency for whatever stands between client and sidecar. A proxy's page is no answer.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from httpx2 import Headers
from pydantic import ValidationError

from recorder_client.contract import (
    FIRST_STATUS,
    IDEMPOTENCY_REPLAYED_HEADER,
    PROBLEMS,
    REPLAYED_STATUS,
)
from recorder_client.contract_types import Operation
from recorder_client.json_value import NotJsonError, read
from recorder_client.model_base import Closed, first_fault
from recorder_client.models import Problem

T = TypeVar("T")
M = TypeVar("M", bound=Closed)

SERVER_CORRELATION_HEADER = "x-server-correlation-id"
CORRELATION_HEADER = "x-correlation-id"
JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
PROBLEM_BYTES_MAX = 64 << 10

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}\Z")
_SECONDS = re.compile(r"[0-9]{1,9}\Z")


class BreachError(Exception):
    """Raised where an answer is read and is not what the contract says."""


@dataclass(frozen=True)
class Breach:
    """An answer that is not believed."""

    reason: str
    server_correlation_id: str | None = None


@dataclass(frozen=True)
class TransportFailure:
    """No whole answer."""

    reason: str
    retryable: bool
    may_have_arrived: bool


@dataclass(frozen=True)
class Reply:
    """An answer as it came; `body` is empty where it went to a sink."""

    status: int
    headers: Headers
    body: bytes

    @property
    def server_correlation_id(self) -> str:
        """The service's name for the request."""
        return str(self.headers.get(SERVER_CORRELATION_HEADER, ""))


@dataclass(frozen=True)
class Refused:
    """A problem that the contract allows."""

    problem: Problem
    retry_after_seconds: int | None
    server_correlation_id: str


@dataclass(frozen=True)
class Done(Generic[T]):
    """What was asked for."""

    value: T


class Sink(Protocol):
    """Where a large answer goes, piece by piece."""

    bytes_max: int

    def begin(self) -> None:
        """Forgets what came before; an attempt begins."""

    def write(self, chunk: bytes) -> None:
        """Takes the next piece."""

    def discard(self) -> None:
        """Leaves nothing behind."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, the same in every attempt, and how its answer is read."""

    operation: Operation
    target: str
    accept: str
    read: Callable[[Reply], T]
    correlation_id: str
    answer_bytes_max: int
    body: bytes | None = field(default=None, repr=False)
    content_type: str | None = None
    idempotency_key: str | None = None
    sink: Sink | None = None

    def takes_to_sink(self, status: int) -> bool:
        """Whether the body of such an answer goes to the sink."""
        return self.sink is not None and status in self.operation.answers

    def bytes_max(self, status: int) -> int:
        """How much of the body of such an answer is read."""
        if status not in self.operation.answers:
            return PROBLEM_BYTES_MAX
        return self.sink.bytes_max if self.sink is not None else self.answer_bytes_max


Judged: TypeAlias = Done[T] | Refused | TransportFailure | Breach


def judge(call: Call[T], outcome: Reply | TransportFailure | Breach | None) -> "Judged[T]":
    """What came of an attempt."""
    if outcome is None:
        return Breach("nothing was sent")
    if not isinstance(outcome, Reply):
        return outcome
    server_id = outcome.headers.get(SERVER_CORRELATION_HEADER)
    try:
        _check_head(call, outcome)
        if outcome.status in call.operation.answers:
            _check_media(outcome, call.accept)
            return Done(call.read(outcome))
        return _refusal(call, outcome)
    except BreachError as breach:
        return Breach(f"status {outcome.status}: {breach}", server_id)


def _check_head(call: Call[T], reply: Reply) -> None:
    ids = reply.headers.get_list(SERVER_CORRELATION_HEADER)
    if len(ids) != 1 or not _TOKEN.match(ids[0]):
        raise BreachError(f"not one {SERVER_CORRELATION_HEADER}")
    echoed = reply.headers.get_list(CORRELATION_HEADER)
    is_owed = reply.status in call.operation.answers
    if echoed != [call.correlation_id] and (echoed or is_owed):
        raise BreachError(f"{CORRELATION_HEADER} is that of another request")


def _check_media(reply: Reply, expected: str) -> None:
    given = reply.headers.get_list("content-type")
    if given != [expected]:
        raise BreachError(f"the media type is not {expected}")


def _refusal(call: Call[T], reply: Reply) -> Refused:
    if not 400 <= reply.status < 600:
        raise BreachError(f"{call.operation.name} has no such status")
    _check_media(reply, PROBLEM_JSON)
    problem = model_of(Problem, reply)
    facts = PROBLEMS[problem.code]
    if problem.code not in call.operation.codes:
        raise BreachError(f"{call.operation.name} has no problem {problem.code}")
    stated = (problem.status, problem.retryable, problem.type)
    if stated != (facts.status, facts.retryable, f"urn:recorder:problem:{problem.code}"):
        raise BreachError(f"{problem.code} does not say what it says in the contract")
    if problem.status != reply.status:
        raise BreachError("the problem names another status")
    if problem.server_correlation_id != reply.headers[SERVER_CORRELATION_HEADER]:
        raise BreachError("the problem is that of another request")
    return Refused(problem, _retry_after(reply, is_owed=facts.retryable), problem.server_correlation_id)


def _retry_after(reply: Reply, *, is_owed: bool) -> int | None:
    values = reply.headers.get_list("retry-after")
    if not values and not is_owed:
        return None
    if len(values) != 1 or not _SECONDS.match(values[0]):
        raise BreachError("Retry-After is not one number of seconds")
    return int(values[0])


def model_of(kind: type[M], reply: Reply) -> M:
    """The body of an answer as what it must be."""
    try:
        return kind.model_validate(read(reply.body))
    except NotJsonError as error:
        raise BreachError(f"the body is not JSON: {error}") from None
    except ValidationError as error:
        raise BreachError(first_fault(error)) from None


def is_replay(reply: Reply) -> bool:
    """Whether an answer was given before; status and header must say the same."""
    said = reply.headers.get_list(IDEMPOTENCY_REPLAYED_HEADER)
    expected = {FIRST_STATUS: [], REPLAYED_STATUS: ["true"]}
    if said != expected[reply.status]:
        raise BreachError(f"{IDEMPOTENCY_REPLAYED_HEADER} and the status contradict each other")
    return bool(said)
