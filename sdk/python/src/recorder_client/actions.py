"""Actions: an envelope for what is about to be done, and one for how it ended, which names the first as its parent.

An intent without an outcome is an action that nobody saw the end of. Actions inside actions name the outer intent as
their parent and share its trace.

Deliberately absent: what functions are called with, what they return and what exceptions say, unless the program
chooses it. Only the type of an exception is recorded.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeAlias, TypeVar

import anyio

from recorder_client.calls import Recorded
from recorder_client.drafts import repeatable
from recorder_client.errors import InvalidRequestError, RecorderError, UnrecordedOutcomeError
from recorder_client.json_value import snapshot
from recorder_client.model_base import asked
from recorder_client.models import Draft
from recorder_client.surroundings import Surroundings

P = ParamSpec("P")
T = TypeVar("T")

FailureReport: TypeAlias = Callable[[RecorderError], None]

_TRACE_BYTES = 16


@dataclass(frozen=True)
class _Link:
    """An action that is under way, for those inside it."""

    tenant_id: str | None
    trace_id: str
    session_id: str | None
    intent_id: str | None


_CURRENT: ContextVar[_Link | None] = ContextVar("recorder_client_action", default=None)


@dataclass(frozen=True)
class ActionPlan:
    """What is recorded of an action, and what happens where it cannot be."""

    event_type: str
    actor_id: str
    environment_id: str
    payload: Mapping[str, Any] | None
    trace_id: str | None
    session_id: str | None
    fail_open: FailureReport | None
    tenant_id: str | None


@dataclass
class _Course:
    """The arithmetic of one action: its drafts, in order."""

    plan: ActionPlan
    surroundings: Surroundings
    result: dict[str, Any] | None = None
    intent_id: str | None = None
    _link: _Link | None = None
    _token: Token[_Link | None] | None = None
    _began: float = field(default=0.0)

    def intent(self) -> Draft:
        """What is about to be done."""
        outer = _CURRENT.get()
        if outer is not None and outer.tenant_id != self.plan.tenant_id:
            outer = None
        trace_id = self.plan.trace_id or (
            outer.trace_id if outer else self.surroundings.random_bytes(_TRACE_BYTES).hex()
        )
        session_id = self.plan.session_id or (outer.session_id if outer else None)
        parents = (outer.intent_id,) if outer is not None and outer.intent_id is not None else ()
        self._link = _Link(self.plan.tenant_id, trace_id, session_id, None)
        self._began = self.surroundings.monotonic()
        payload = snapshot(dict(self.plan.payload or {}))
        return self._draft("intent", payload, parents)

    def enter(self, intent: Draft | None) -> None:
        """The body begins; without an intent where that could not be recorded."""
        if self._link is not None:
            self.intent_id = intent.envelope_id if intent is not None else None
            link = _Link(self._link.tenant_id, self._link.trace_id, self._link.session_id, self.intent_id)
            self._link = link
            self._token = _CURRENT.set(link)

    def leave(self) -> None:
        """The body has ended."""
        if self._token is not None:
            _CURRENT.reset(self._token)
            self._token = None

    def outcome(self, error: BaseException | None) -> Draft:
        """How it ended."""
        seconds = self.surroundings.monotonic() - self._began
        payload: dict[str, Any] = {"outcome": "ok" if error is None else "error", "duration_ms": int(seconds * 1000)}
        if error is not None:
            payload["error_type"] = _type_name(type(error))
        if self.result is not None:
            payload["result"] = self.result
        return self._draft("outcome", payload, (self.intent_id,) if self.intent_id is not None else ())

    def _draft(self, stage: str, payload: dict[str, Any], parents: tuple[str, ...]) -> Draft:
        link = self._link
        draft = asked(
            Draft,
            event_type=f"{self.plan.event_type}.{stage}",
            actor_id=self.plan.actor_id,
            environment_id=self.plan.environment_id,
            payload=payload,
            parent_ids=parents,
            trace_id=link.trace_id if link else None,
            session_id=link.session_id if link else None,
        )
        return repeatable(draft, self.surroundings)

    def intent_failed(self, failure: RecorderError) -> None:
        """Fails closed, unless told otherwise."""
        if self.plan.fail_open is None:
            raise failure
        self.plan.fail_open(failure)

    def outcome_failed(self, failure: RecorderError, error: BaseException | None) -> None:
        """Fails closed, unless told otherwise; what ends a task or a program goes on, with a note."""
        if self.plan.fail_open is not None:
            self.plan.fail_open(failure)
            return
        if error is not None and not isinstance(error, Exception):
            error.add_note(f"the outcome was not recorded: {failure}")
            return
        raise UnrecordedOutcomeError(f"the outcome was not recorded: {failure}", failure.circumstances) from (
            error or failure
        )


def _type_name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class _ActionBase:
    """What the body of an action sees."""

    def __init__(self, plan: ActionPlan, surroundings: Surroundings) -> None:
        """Of a plan."""
        self._course = _Course(plan, surroundings)

    @property
    def intent_id(self) -> str | None:
        """The envelope of the intent; none where it was not recorded."""
        return self._course.intent_id

    def result(self, **members: object) -> None:
        """Chooses what of the result is recorded with the outcome; raises `UnrepresentableError`."""
        self._course.result = snapshot(members, "result")


class Action(_ActionBase):
    """An action of the client that waits."""

    def __init__(self, plan: ActionPlan, record: Callable[[Draft], Recorded], surroundings: Surroundings) -> None:
        """Recorded by `record`."""
        super().__init__(plan, surroundings)
        self._record = record

    def __enter__(self) -> Self:
        """Records the intent."""
        intent: Draft | None = None
        try:
            intent = self._course.intent()
            self._record(intent)
        except RecorderError as failure:
            self._course.intent_failed(failure)
            intent = None
        self._course.enter(intent)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Records the outcome."""
        self._course.leave()
        try:
            self._record(self._course.outcome(error))
        except RecorderError as failure:
            self._course.outcome_failed(failure, error)


class AsyncAction(_ActionBase):
    """An action of the client that awaits. Its outcome is recorded even where its task is cancelled."""

    def __init__(
        self, plan: ActionPlan, record: Callable[[Draft], Awaitable[Recorded]], surroundings: Surroundings
    ) -> None:
        """Recorded by `record`."""
        super().__init__(plan, surroundings)
        self._record = record

    async def __aenter__(self) -> Self:
        """Records the intent."""
        intent: Draft | None = None
        try:
            intent = self._course.intent()
            await self._record(intent)
        except RecorderError as failure:
            self._course.intent_failed(failure)
            intent = None
        self._course.enter(intent)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Records the outcome."""
        self._course.leave()
        try:
            with anyio.CancelScope(shield=True):
                await self._record(self._course.outcome(error))
        except RecorderError as failure:
            self._course.outcome_failed(failure, error)


def decorated(
    begin: Callable[[Mapping[str, Any] | None], Action], choose: Callable[..., Mapping[str, Any]] | None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Makes an action of each call of a function that returns when it is done."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        if _is_later(function) or inspect.iscoroutinefunction(function):
            raise InvalidRequestError(f"{function!r} is not done when it returns")

        @functools.wraps(function)
        def call(*args: P.args, **named: P.kwargs) -> T:
            with begin(choose(*args, **named) if choose is not None else None):
                return function(*args, **named)

        return call

    return decorate


def decorated_async(
    begin: Callable[[Mapping[str, Any] | None], AsyncAction], choose: Callable[..., Mapping[str, Any]] | None
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Makes an action of each call of a coroutine function."""

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        if _is_later(function) or not inspect.iscoroutinefunction(function):
            raise InvalidRequestError(f"{function!r} is no coroutine function")

        @functools.wraps(function)
        async def call(*args: P.args, **named: P.kwargs) -> T:
            async with begin(choose(*args, **named) if choose is not None else None):
                return await function(*args, **named)

        return call

    return decorate


def _is_later(function: Callable[..., Any]) -> bool:
    """Whether a call only begins what is done later, piece by piece."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
