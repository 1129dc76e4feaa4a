"""Log records as envelopes: gathered in a bounded queue, recorded by a thread of the handler's own.

Whoever logs never waits for the network. What does not fit or cannot be recorded is counted, reported, and recorded as
a number as soon as something can be recorded again.

Deliberately absent: everything of a record that was not chosen. Messages and exceptions hold what nobody reviewed.
"""

import logging
import math
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from recorder_client.client import RecorderClient
from recorder_client.drafts import repeatable
from recorder_client.errors import InvalidRequestError
from recorder_client.json_value import INTEGER_MAX
from recorder_client.model_base import asked
from recorder_client.models import Draft
from recorder_client.verify.time import spelled

LossReport: TypeAlias = Callable[[int, str], None]

# What the handler itself does is logged there; recording it would be recorded again.
_OWN_LOGGERS = frozenset({"httpcore2", "httpx2", "recorder_client"})
_TEXT_CHARACTERS_MAX = 8192


def report_to_stderr(count: int, reason: str) -> None:
    """Says on standard error what was lost."""
    sys.stderr.write(f"recorder_client: {count} log records were not recorded: {reason}\n")


class RecorderHandler(logging.Handler):
    """Records chosen attributes of log records."""

    def __init__(  # noqa: PLR0913 - what a handler can be told
        self,
        client: RecorderClient,
        *,
        actor_id: str,
        environment_id: str,
        attributes: Iterable[str],
        event_type: str = "log.record",
        capacity: int = 10_000,
        batch_max: int = 200,
        flush_timeout_seconds: float = 10.0,
        on_loss: LossReport = report_to_stderr,
        level: int = logging.NOTSET,
    ) -> None:
        """Starts the thread.

        `attributes` are those of `logging.LogRecord` and of `extra`, besides `message` (the formatted text),
        `exc_type` and `exc_text`. What a record lacks is left out. `on_loss` is called with a number and a reason, from
        any thread.
        """
        super().__init__(level)
        if capacity < 1 or batch_max < 1:
            raise InvalidRequestError("a queue and a batch hold at least one record")
        self._client = client
        self._attributes = tuple(attributes)
        self._event_type = event_type
        self._identity = {"actor_id": actor_id, "environment_id": environment_id}
        self._capacity = capacity
        self._batch_max = batch_max
        self._flush_timeout_seconds = flush_timeout_seconds
        self._on_loss = on_loss
        self._queue: deque[Draft] = deque()
        self._under_way = 0
        self._lost = 0
        self._untold = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._draft({}, None)
        self._thread = threading.Thread(target=self._work, name="recorder-log-handler", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Records that were not recorded, ever."""
        with self._changed:
            return self._lost

    @property
    def pending(self) -> int:
        """Records that wait or are under way."""
        with self._changed:
            return len(self._queue) + self._under_way

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record, without waiting."""
        if record.name.partition(".")[0] in _OWN_LOGGERS or threading.current_thread() is self._thread:
            return
        try:
            draft = self._draft(self._payload(record), spelled(int(record.created * 1e9)))
        except Exception:
            # Not `handleError`, which would print what nobody chose.
            self._lose(1, "it cannot be represented")
            return
        with self._changed:
            is_taken = not self._is_closed and len(self._queue) < self._capacity
            if is_taken:
                self._queue.append(draft)
                self._changed.notify_all()
        if not is_taken:
            self._lose(1, "the handler is closed" if self._is_closed else "the queue is full")

    def flush(self) -> None:
        """Waits until what was taken is recorded or lost, as long as `flush_timeout_seconds`."""
        if threading.current_thread() is self._thread:
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._queue and not self._under_way, self._flush_timeout_seconds)

    def close(self) -> None:
        """Flushes, and ends the thread; what is still waiting is lost, and reported."""
        self.flush()
        with self._changed:
            is_first = not self._is_closed
            self._is_closed = True
            left = len(self._queue) + self._under_way
            self._queue.clear()
            self._changed.notify_all()
        if is_first and left:
            self._lose(left, "the handler was closed before they were recorded")
        super().close()

    def _payload(self, record: logging.LogRecord) -> dict[str, Any]:
        payload: dict[str, Any] = {}
        for name in self._attributes:
            value = self._attribute(record, name)
            if value is not None:
                payload[name] = _plain(value)
        return payload

    def _attribute(self, record: logging.LogRecord, name: str) -> Any:
        if name == "message":
            return record.getMessage()
        if name == "exc_type":
            kind = record.exc_info[0] if record.exc_info else None
            return None if kind is None else kind.__qualname__
        if name == "exc_text":
            return logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        return getattr(record, name, None)

    def _draft(self, payload: dict[str, Any], claimed_time: str | None, suffix: str = "") -> Draft:
        draft = asked(
            Draft,
            event_type=self._event_type + suffix,
            payload=payload,
            claimed_time=claimed_time,
            **self._identity,
        )
        return repeatable(draft)

    def _lose(self, count: int, reason: str) -> None:
        with self._changed:
            self._lost += count
            self._untold += count
        self._on_loss(count, reason)

    # The thread.

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._is_closed)
                if not self._queue:
                    return
                batch = [self._queue.popleft() for _ in range(min(self._batch_max, len(self._queue)))]
                self._under_way = len(batch)
            self._record(batch)
            with self._changed:
                self._under_way = 0
                self._changed.notify_all()

    def _record(self, batch: list[Draft]) -> None:
        done, refused = 0, 0
        reason = ""
        try:
            for result in self._client.import_drafts(batch):
                done += 1
                if result.error is not None:
                    refused, reason = refused + 1, str(result.error)
            if refused:
                self._lose(refused, reason)
                refused = 0
            self._tell()
        except Exception as error:
            with self._changed:
                is_counted = self._is_closed
            lost = len(batch) - done + refused
            if not is_counted and lost:
                self._lose(lost, str(error) or type(error).__name__)

    def _tell(self) -> None:
        """Records how many were lost, now that something can be recorded."""
        with self._changed:
            count = self._untold
        if count:
            self._client.record(self._draft({"lost": count}, None, ".lost"))
            with self._changed:
                self._untold -= count


def _plain(value: Any) -> Any:
    """A value as JSON carries it: scalars as they are, anything else as bounded text."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) and abs(value) <= INTEGER_MAX:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= _TEXT_CHARACTERS_MAX else text[:_TEXT_CHARACTERS_MAX] + "…"
