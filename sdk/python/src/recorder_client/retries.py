"""When a request is sent again: exponential backoff with full jitter, `Retry-After`, and an end.

`conversation` decides and does nothing else: it asks for an attempt or a pause, and is told what came of it. The
clients send and sleep, one waiting and the other awaiting, so that there is one set of rules.

Deliberately absent: new keys and new bytes. Every attempt sends the same request.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from recorder_client.answers import Breach, Call, Refused, Reply, TransportFailure, judge
from recorder_client.errors import (
    Circumstances,
    ContractViolationError,
    InvalidRequestError,
    RecorderError,
    RequestRefusedError,
    ServiceUnavailableError,
    TransportError,
)
from recorder_client.surroundings import Surroundings

T = TypeVar("T")

_STATUS_TOO_MANY = 429
_STATUS_SERVER = 500
_UNKNOWN_OUTCOMES = frozenset({"commit_outcome_unknown", "internal_error"})


@dataclass(frozen=True)
class RetryPolicy:
    """How often, how long between, and how long in all."""

    attempts_max: int = 8
    first_pause_seconds: float = 0.1
    pause_max_seconds: float = 5.0
    retry_after_max_seconds: float = 30.0
    deadline_seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuses what would never try, or never end."""
        numbers = (self.first_pause_seconds, self.pause_max_seconds, self.retry_after_max_seconds)
        if self.attempts_max < 1 or not 0 < self.deadline_seconds < float("inf"):
            raise InvalidRequestError("a retry policy needs an attempt and a finite deadline above 0")
        if not all(0 <= number < float("inf") for number in numbers):
            raise InvalidRequestError("the pauses of a retry policy are finite and not negative")

    def pause_max_after(self, attempts: int) -> float:
        """The most that is waited after so many attempts, where the sidecar names nothing."""
        return min(self.pause_max_seconds, self.first_pause_seconds * 2.0 ** min(attempts - 1, 60))


ONCE = RetryPolicy(attempts_max=1)


@dataclass(frozen=True)
class Attempt:
    """To be sent now, and given up after so long."""

    left_seconds: float


@dataclass(frozen=True)
class Pause:
    """To be waited."""

    seconds: float


Step: TypeAlias = Attempt | Pause
Outcome: TypeAlias = Reply | TransportFailure | Breach


class _Failures:
    """What the attempts so far have come to."""

    def __init__(self, call: "Call[T]") -> None:
        self._call = call
        self._unknown = False
        self.attempts = 0

    def error(self, failure: Refused | TransportFailure | Breach) -> RecorderError:
        """The error of the last attempt, with what all of them leave open."""
        self._unknown |= _leaves_open(failure)
        is_open = self._unknown and self._call.operation.requires_idempotency_key
        known = Circumstances(
            operation=self._call.operation.name,
            attempts=self.attempts,
            correlation_id=self._call.correlation_id,
            server_correlation_id=None if isinstance(failure, TransportFailure) else failure.server_correlation_id,
            idempotency_key=self._call.idempotency_key,
            outcome_unknown=is_open,
        )
        if isinstance(failure, Refused):
            return _problem(failure, known)
        if isinstance(failure, Breach):
            return ContractViolationError(failure.reason, known)
        return TransportError(failure.reason, known)


def _leaves_open(failure: Refused | TransportFailure | Breach) -> bool:
    if isinstance(failure, Refused):
        return failure.problem.code in _UNKNOWN_OUTCOMES
    return isinstance(failure, Breach) or failure.may_have_arrived


def _problem(failure: Refused, known: Circumstances) -> RecorderError:
    problem = failure.problem
    is_theirs = problem.status == _STATUS_TOO_MANY or problem.status >= _STATUS_SERVER
    kind = ServiceUnavailableError if is_theirs else RequestRefusedError
    return kind(
        code=str(problem.code),
        status=problem.status,
        title=problem.title,
        detail=problem.detail,
        retryable=problem.retryable,
        retry_after_seconds=failure.retry_after_seconds,
        circumstances=known,
    )


def conversation(
    call: "Call[T]", policy: RetryPolicy, surroundings: Surroundings
) -> Generator[Step, Outcome | None, T]:
    """The attempts of one request; returns what it was answered, or raises."""
    deadline = surroundings.monotonic() + policy.deadline_seconds
    failures = _Failures(call)
    left = policy.deadline_seconds
    while True:
        failures.attempts += 1
        found = judge(call, (yield Attempt(left)))
        if not isinstance(found, Refused | TransportFailure | Breach):
            return found.value
        error = failures.error(found)
        pause = _pause(found, failures.attempts, policy, surroundings)
        left = deadline - surroundings.monotonic()
        if pause is None or failures.attempts >= policy.attempts_max or pause >= left:
            raise error
        yield Pause(pause)
        left = deadline - surroundings.monotonic()
        if left <= 0:
            raise error


def _pause(
    failure: Refused | TransportFailure | Breach, attempts: int, policy: RetryPolicy, surroundings: Surroundings
) -> float | None:
    """How long to wait before the next attempt; none where there is no point in one."""
    jitter = surroundings.uniform(0.0, policy.pause_max_after(attempts))
    if isinstance(failure, TransportFailure):
        return jitter if failure.retryable else None
    if isinstance(failure, Breach) or not failure.problem.retryable:
        return None
    return min(float(failure.retry_after_seconds or 0), policy.retry_after_max_seconds) + jitter
