"""Log records become envelopes without anybody waiting, and what is lost is counted, reported and recorded."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from scripted import Stage, failing
from sidecar import PATIENCE_SECONDS, Sidecar
from test_actions import _faithful

from recorder_client import RecorderHandler, RetryPolicy
from recorder_client.models import Envelope

WHO: dict[str, Any] = {"actor_id": "app", "environment_id": "test"}
LOGGER = logging.getLogger("shop.refunds")


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.propagate = False
    yield
    LOGGER.handlers.clear()


def recorded(sidecar: Sidecar, tenant: str) -> list[Envelope]:
    with sidecar.client(tenant_id=tenant) as client:
        return list(client.each_envelope())


def test_chosen_attributes_are_recorded_and_nothing_else(shared_sidecar: Sidecar) -> None:
    with shared_sidecar.client(tenant_id="log") as client:
        handler = RecorderHandler(client, attributes=("levelname", "name", "order", "exc_type"), **WHO)
        LOGGER.addHandler(handler)
        LOGGER.info("refunding %s", "card 4111-1111", extra={"order": 17, "card": "4111-1111"})
        try:
            raise ValueError("4111-1111")
        except ValueError:
            LOGGER.exception("failed")
        handler.close()
        assert (handler.lost, handler.pending) == (0, 0)
    first, second = recorded(shared_sidecar, "log")
    assert first.payload == {"levelname": "INFO", "name": "shop.refunds", "order": 17}
    assert second.payload == {"levelname": "ERROR", "name": "shop.refunds", "exc_type": "ValueError"}
    assert first.event_type == "log.record"
    assert first.claimed_time <= second.claimed_time
    assert "4111" not in str((first, second))


def test_messages_and_tracebacks_are_recorded_where_they_are_chosen(shared_sidecar: Sidecar) -> None:
    with shared_sidecar.client(tenant_id="log-text") as client:
        handler = RecorderHandler(client, attributes=("message", "exc_text", "odd", "big", "nan", "long"), **WHO)
        LOGGER.addHandler(handler)
        odd = {"odd": {1, 2}, "big": 2**60, "nan": float("nan"), "long": "\ud800" + "x" * 9000}
        try:
            raise ValueError("of the body")
        except ValueError:
            LOGGER.exception("order %d", 17, extra=odd)
        handler.close()
    payload = recorded(shared_sidecar, "log-text")[0].payload
    assert payload is not None
    assert payload["message"] == "order 17"
    assert "ValueError: of the body" in payload["exc_text"]
    assert (payload["odd"], payload["big"], payload["nan"]) == ("{1, 2}", str(2**60), "nan")
    assert payload["long"].startswith("?xxx")
    assert len(payload["long"]) == 8193


def test_the_librarys_own_records_are_not_recorded_again(shared_sidecar: Sidecar) -> None:
    root = logging.getLogger()
    before = root.level
    with shared_sidecar.client(tenant_id="log-own") as client:
        handler = RecorderHandler(client, attributes=("name", "message"), **WHO)
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            logging.getLogger("elsewhere").info("one")
            handler.flush()
            client.health()
            handler.flush()
        finally:
            root.setLevel(before)
            root.removeHandler(handler)
            handler.close()
    names = [(one.payload or {})["name"] for one in recorded(shared_sidecar, "log-own")]
    assert [name for name in names if name != "asyncio"] == ["elsewhere"]


class Gate:
    """A sidecar that answers once it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.reached = threading.Event()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.reached.set()
        assert self.opened.wait(PATIENCE_SECONDS)
        return _faithful_batch(request)


def _faithful_batch(request: httpx2.Request) -> httpx2.Response:
    import json  # noqa: PLC0415

    from scripted import RECEIPT, answer  # noqa: PLC0415

    from recorder_client import Draft  # noqa: PLC0415
    from recorder_client.drafts import prepare  # noqa: PLC0415
    from recorder_client.surroundings import REAL  # noqa: PLC0415

    body = json.loads(request.content)
    if "envelope" in body:
        return _faithful(request)
    receipts = []
    for one in body["envelopes"]:
        sent = prepare(Draft(**one), REAL)
        members = ("envelope_id", "payload_commitment", "content_hash")
        receipts.append(RECEIPT | {name: getattr(sent, name) for name in members})
    return answer(201, {"receipts": receipts})(request)


def test_a_full_queue_keeps_nobody_waiting_and_what_it_drops_is_said() -> None:
    gate = Gate()
    scene = Stage([gate] + [_faithful_batch] * 99)
    told: list[tuple[int, str]] = []
    handler = RecorderHandler(
        scene.client(),
        attributes=("message",),
        capacity=3,
        batch_max=1,
        on_loss=lambda n, why: told.append((n, why)),
        **WHO,
    )
    LOGGER.addHandler(handler)
    LOGGER.info("under way")
    assert gate.reached.wait(PATIENCE_SECONDS)
    for number in range(10):
        LOGGER.info("record %d", number)
    assert handler.lost == 7
    assert handler.pending == 4
    assert told == [(1, "the queue is full")] * 7
    gate.opened.set()
    handler.close()
    bodies = b"".join(request.content for request in scene.requests)
    assert bodies.count(b'"event_type":"log.record"') == 4
    assert b'"event_type":"log.record.lost"' in bodies
    assert b'"payload":{"lost":7}' in bodies


def test_what_cannot_be_recorded_is_counted_and_recorded_as_a_number_later() -> None:
    down = failing(httpx2.ConnectError("nobody there"))
    told: list[tuple[int, str]] = []
    scene = Stage([down, *[_faithful_batch] * 9])
    client = scene.client(retry=RetryPolicy(attempts_max=1))
    handler = RecorderHandler(client, attributes=("message",), on_loss=lambda n, why: told.append((n, why)), **WHO)
    LOGGER.addHandler(handler)
    LOGGER.info("lost")
    handler.flush()
    assert (handler.lost, handler.pending) == (1, 0)
    assert [count for count, _ in told] == [1]
    LOGGER.info("kept")
    handler.close()
    assert b'"payload":{"lost":1}' in scene.requests[-1].content
    assert handler.lost == 1


def test_closing_does_not_wait_for_ever_and_says_what_was_left() -> None:
    gate = Gate()
    told: list[tuple[int, str]] = []
    handler = RecorderHandler(
        Stage([gate, *[_faithful_batch] * 9]).client(),
        attributes=("message",),
        batch_max=1,
        flush_timeout_seconds=0.05,
        on_loss=lambda n, why: told.append((n, why)),
        **WHO,
    )
    LOGGER.addHandler(handler)
    for number in range(3):
        LOGGER.info("record %d", number)
    assert gate.reached.wait(PATIENCE_SECONDS)
    handler.close()
    handler.close()
    assert handler.lost == 3
    assert len(told) == 1
    LOGGER.info("after the end")
    assert handler.lost == 4
    gate.opened.set()


def test_losses_are_on_standard_error_where_nobody_else_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    down = failing(httpx2.ConnectError("nobody there"))
    handler = RecorderHandler(
        Stage([down] * 9).client(retry=RetryPolicy(attempts_max=1)), attributes=("message",), **WHO
    )
    LOGGER.addHandler(handler)
    LOGGER.info("lost")
    handler.close()
    assert "1 log records were not recorded" in capsys.readouterr().err


def test_a_record_that_cannot_be_formatted_is_lost_and_said_and_logging_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = RecorderHandler(Stage([_faithful_batch] * 9).client(), attributes=("message",), **WHO)
    for argument in ("card 4111-1111", 1):
        handler.handle(LOGGER.makeRecord("shop", logging.INFO, "file", 1, "%d", (argument,), None))
    handler.close()
    assert handler.lost == 1
    said = capsys.readouterr().err
    assert "it cannot be represented" in said
    assert "4111" not in said


def test_every_record_of_many_is_recorded_in_order(shared_sidecar: Sidecar) -> None:
    with shared_sidecar.client(tenant_id="log-many") as client:
        handler = RecorderHandler(client, attributes=("message",), batch_max=7, **WHO)
        LOGGER.addHandler(handler)
        for number in range(100):
            LOGGER.info("record %d", number)
        handler.close()
        assert handler.lost == 0
    texts = [(one.payload or {})["message"] for one in recorded(shared_sidecar, "log-many")]
    assert texts == [f"record {number}" for number in range(100)]
