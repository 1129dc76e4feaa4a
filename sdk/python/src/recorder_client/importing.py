"""Importing: many drafts, in batches that are bounded by count and bytes, with a result for each.

A batch is recorded whole or not at all. One that is refused for what is in it is halved until the draft at fault stands
alone; the others are recorded. Drafts are asked for only as fast as batches are acknowledged.

An import that is run again records nothing twice where its drafts have an `envelope_id`, a `claimed_time` and a
`payload_salt` of their own (see `derived_salt`).

Deliberately absent: going on after a failure that is not a draft's own. It is raised, and every draft before it has its
result.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from recorder_client.calls import Calls, RecordedBatch
from recorder_client.contract import ENVELOPES_PER_BATCH_MAX
from recorder_client.drafts import Prepared
from recorder_client.errors import InvalidRequestError, RecorderError, RequestRefusedError
from recorder_client.models import Draft, Receipt

_OF_ONE_DRAFT = frozenset({"attachment_invalid", "envelope_conflict", "envelope_invalid", "payload_too_large"})


@dataclass(frozen=True)
class ImportResult:
    """What became of one draft of an import: a receipt, or the reason why there is none."""

    index: int
    envelope_id: str | None
    receipt: Receipt | None
    error: RecorderError | None


@dataclass(frozen=True)
class BatchBounds:
    """How much is sent at once."""

    envelopes_max: int = 500
    bytes_max: int = 4 << 20

    def __post_init__(self) -> None:
        """Refuses what the contract does not take."""
        if not 1 <= self.envelopes_max <= ENVELOPES_PER_BATCH_MAX or self.bytes_max < 1:
            raise InvalidRequestError(f"a batch holds 1 to {ENVELOPES_PER_BATCH_MAX} envelopes and some bytes")


@dataclass(frozen=True)
class _Item:
    index: int
    prepared: Prepared


Sent: TypeAlias = "list[Prepared]"
Answered: TypeAlias = RecordedBatch | RecorderError
Delivery: TypeAlias = Generator[Sent, Answered, list[ImportResult]]


class Importer:
    """Gathers drafts into batches, and turns what is answered into results."""

    def __init__(self, calls: Calls, bounds: BatchBounds) -> None:
        """With nothing gathered."""
        self._calls = calls
        self._bounds = bounds
        self._items: list[_Item] = []
        self._size_bytes = 0
        self._count = 0
        self._refused: list[ImportResult] = []

    def add(self, draft: Draft) -> Iterator[Delivery]:
        """Takes a draft; gives what is to be delivered now."""
        index, self._count = self._count, self._count + 1
        try:
            prepared = self._calls.prepare(draft)
        except RecorderError as error:
            self._refused.append(ImportResult(index, draft.envelope_id, None, error))
            return
        size_bytes = len(prepared.text.encode()) + 1
        if self._items and self._size_bytes + size_bytes > self._bounds.bytes_max:
            yield self._delivery()
        self._items.append(_Item(index, prepared))
        self._size_bytes += size_bytes
        if len(self._items) >= self._bounds.envelopes_max:
            yield self._delivery()

    def rest(self) -> Iterator[Delivery]:
        """What is to be delivered at the end."""
        if self._items or self._refused:
            yield self._delivery()

    def _delivery(self) -> Delivery:
        items, self._items, self._size_bytes = self._items, [], 0
        refused, self._refused = self._refused, []
        return _in_order(items, refused)


def _in_order(items: list[_Item], refused: list[ImportResult]) -> Delivery:
    results = [*refused, *((yield from _deliver(items)) if items else [])]
    return sorted(results, key=lambda result: result.index)


def _deliver(items: list[_Item]) -> Delivery:
    answer = yield [item.prepared for item in items]
    if isinstance(answer, RecordedBatch):
        return [
            ImportResult(item.index, item.prepared.envelope_id, receipt, None)
            for item, receipt in zip(items, answer.receipts, strict=True)
        ]
    if not isinstance(answer, RequestRefusedError) or answer.code not in _OF_ONE_DRAFT:
        answer.add_note(f"the import stopped at draft {items[0].index}")
        raise answer
    if len(items) == 1:
        return [ImportResult(items[0].index, items[0].prepared.envelope_id, None, answer)]
    middle = len(items) // 2
    first = yield from _deliver(items[:middle])
    return first + (yield from _deliver(items[middle:]))
