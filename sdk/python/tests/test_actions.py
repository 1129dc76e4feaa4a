"""Intent before, outcome after, linked; closed when it cannot be recorded, unless the program says otherwise."""

import asyncio
import contextvars
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from scripted import Stage, failing
from sidecar import Sidecar

from recorder_client import (
    Draft,
    Filter,
    InvalidRequestError,
    RecorderClient,
    RecorderError,
    RequestRefusedError,
    RetryPolicy,
    TransportError,
    UnrecordedOutcomeError,
    UnrepresentableError,
)
from recorder_client.models import Envelope

WHO: dict[str, Any] = {"actor_id": "agent", "environment_id": "test"}
DOWN = failing(httpx2.ConnectError("nobody there"))


def down() -> RecorderClient:
    return Stage([DOWN] * 99).client(retry=RetryPolicy(attempts_max=1))


def envelopes(sidecar: Sidecar, tenant: str) -> list[Envelope]:
    with sidecar.client(tenant_id=tenant) as client:
        return list(client.each_envelope())


def test_an_outcome_names_its_intent_and_shares_its_trace(shared_sidecar: Sidecar) -> None:
    with shared_sidecar.client(tenant_id="actions-ok") as client:
        with client.action("tool.refund", payload={"order": 17}, session_id="s", **WHO) as action:
            assert len(list(client.each_envelope())) == 1, "the intent is recorded before the body runs"
            action.result(refund=4)
    intent, outcome = envelopes(shared_sidecar, "actions-ok")
    assert (intent.event_type, intent.payload) == ("tool.refund.intent", {"order": 17})
    assert outcome.event_type == "tool.refund.outcome"
    assert outcome.payload is not None
    assert outcome.payload.pop("duration_ms") >= 0
    assert outcome.payload == {"outcome": "ok", "result": {"refund": 4}}
    assert outcome.parent_ids == (intent.envelope_id,)
    assert intent.trace_id == outcome.trace_id != None  # noqa: E711
    assert intent.session_id == outcome.session_id == "s"


def test_an_error_is_recorded_by_its_type_and_goes_on(shared_sidecar: Sidecar) -> None:
    class DeclinedError(Exception):
        pass

    with shared_sidecar.client(tenant_id="actions-error") as client:
        with pytest.raises(DeclinedError), client.action("tool.refund", **WHO):
            raise DeclinedError("card 4111-1111")
        with pytest.raises(KeyboardInterrupt), client.action("tool.refund", **WHO):
            raise KeyboardInterrupt
    _, declined, _, stopped = envelopes(shared_sidecar, "actions-error")
    assert declined.payload is not None
    assert stopped.payload is not None
    assert declined.payload["outcome"] == stopped.payload["outcome"] == "error"
    assert declined.payload["error_type"].endswith("DeclinedError")
    assert stopped.payload["error_type"] == "KeyboardInterrupt"
    assert "4111" not in str(declined.payload)


def test_actions_inside_actions_name_the_outer_intent(shared_sidecar: Sidecar) -> None:
    with shared_sidecar.client(tenant_id="actions-nested") as client:
        with client.action("agent.turn", trace_id="trace-of-ours", **WHO) as outer:
            with client.action("tool.call", **WHO) as inner:
                pass
            with client.action("tool.call", tenant_id="actions-other", **WHO):
                pass
        with client.action("agent.turn", **WHO):
            pass
    first, second, *_, last = envelopes(shared_sidecar, "actions-nested")
    assert (first.envelope_id, second.envelope_id) == (outer.intent_id, inner.intent_id)
    assert second.parent_ids == (outer.intent_id,)
    assert second.trace_id == "trace-of-ours"
    assert last.trace_id != "trace-of-ours"
    elsewhere = envelopes(shared_sidecar, "actions-other")
    assert elsewhere[0].parent_ids == (), "another stream has other parents"


def test_without_a_record_of_the_intent_the_body_does_not_run() -> None:
    ran = False
    with pytest.raises(TransportError), down().action("tool.refund", **WHO):
        ran = True
    assert not ran


def test_without_a_record_of_the_outcome_there_is_an_error_that_names_the_bodys_own() -> None:
    for error in (None, ValueError("of the body")):
        scene = Stage([_faithful, DOWN])
        with pytest.raises(UnrecordedOutcomeError) as caught:
            with scene.client(retry=RetryPolicy(attempts_max=1)).action("tool.refund", **WHO):
                if error is not None:
                    raise error
        assert caught.value.__cause__ is error or isinstance(caught.value.__cause__, RecorderError)


def test_what_ends_a_program_goes_on_with_a_note() -> None:
    scene = Stage([_faithful, DOWN])
    with pytest.raises(SystemExit) as caught:
        with scene.client(retry=RetryPolicy(attempts_max=1)).action("tool.refund", **WHO):
            raise SystemExit(3)
    assert "the outcome was not recorded" in caught.value.__notes__[0]


def test_failing_open_runs_the_body_and_reports_every_failure() -> None:
    failures: list[RecorderError] = []
    ran = False
    with down().action("tool.refund", fail_open=failures.append, **WHO) as action:
        ran = True
        assert action.intent_id is None
    assert ran
    assert [type(one) for one in failures] == [TransportError, TransportError]
    with pytest.raises(ValueError, match="of the body"), down().action("t", fail_open=failures.append, **WHO):
        raise ValueError("of the body")


def test_what_cannot_be_represented_is_an_intent_that_cannot_be_recorded() -> None:
    failures: list[RecorderError] = []
    for members in ({"payload": {"a": float("nan")}}, {"trace_id": " "}):
        with pytest.raises(InvalidRequestError), down().action("tool.refund", **(WHO | members)):
            pytest.fail("the body ran")
    with down().action("tool.refund", payload={"a": b""}, fail_open=failures.append, **WHO):
        pass
    assert isinstance(failures[0], UnrepresentableError)
    scene = Stage([_faithful, _faithful])
    with pytest.raises(UnrepresentableError), scene.client().action("tool.refund", **WHO) as action:
        action.result(a=b"")


def _faithful(request: httpx2.Request) -> httpx2.Response:
    """A receipt for whatever was sent."""
    import json  # noqa: PLC0415

    from scripted import RECEIPT, answer  # noqa: PLC0415

    from recorder_client.drafts import prepare  # noqa: PLC0415
    from recorder_client.surroundings import REAL  # noqa: PLC0415

    sent = prepare(Draft(**json.loads(request.content)["envelope"]), REAL)
    receipt = RECEIPT | {name: getattr(sent, name) for name in ("envelope_id", "payload_commitment", "content_hash")}
    return answer(201, receipt)(request)


def test_a_decorated_function_records_what_was_chosen_of_its_arguments(shared_sidecar: Sidecar) -> None:
    with shared_sidecar.client(tenant_id="decorated") as client:

        @client.recorded("tool.refund", payload=lambda order, card: {"order": order}, **WHO)
        def refund(order: int, card: str) -> str:
            """Refunds."""
            return f"refunded {order}"

        assert refund(17, card="4111-1111") == "refunded 17"
        assert (refund.__name__, refund.__doc__) == ("refund", "Refunds.")
    intent, outcome = envelopes(shared_sidecar, "decorated")
    assert intent.payload == {"order": 17}
    assert "4111" not in str((intent, outcome))
    assert "refunded" not in str((intent, outcome))


def test_what_is_not_done_when_it_returns_cannot_be_decorated() -> None:
    client, other = Stage([]).client(), Stage([]).async_client()

    async def coroutine() -> None: ...

    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> Any:
        yield 1

    def function() -> None: ...

    for one in (coroutine, generator, async_generator):
        with pytest.raises(InvalidRequestError):
            client.recorded("a", **WHO)(one)
    for two in (generator, async_generator, function):
        with pytest.raises(InvalidRequestError):
            other.recorded("a", **WHO)(two)  # type: ignore[arg-type]


def test_awaiting_actions_keep_tasks_apart_and_record_cancellation(shared_sidecar: Sidecar) -> None:
    async def run() -> None:
        async with shared_sidecar.async_client(tenant_id="actions-async") as client:
            begun = asyncio.Event()

            @client.recorded("task.slow", payload=lambda name: {"name": name}, **WHO)
            async def slow(name: str) -> None:
                begun.set()
                await asyncio.Event().wait()

            @client.recorded("task.quick", payload=lambda name: {"name": name}, **WHO)
            async def quick(name: str) -> str:
                return name

            assert await asyncio.gather(*(quick(str(n)) for n in range(5))) == list("01234")
            task = asyncio.create_task(slow("s"))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            found = [one async for one in client.each_envelope(Filter(event_type_prefixes=["task.slow."]))]
            assert [(one.payload or {}).get("error_type") for one in found] == [
                None,
                "asyncio.exceptions.CancelledError",
            ]
            quick_ones = [one async for one in client.each_envelope(Filter(event_type_prefixes=["task.quick."]))]
            intents = {one.envelope_id: one for one in quick_ones if one.event_type.endswith("intent")}
            assert all(one.parent_ids == () for one in intents.values()), "tasks beside each other are not nested"
            for one in quick_ones:
                if one.envelope_id not in intents:
                    assert intents[one.parent_ids[0]].trace_id == one.trace_id

    asyncio.run(run())


def test_awaiting_actions_fail_closed_too() -> None:
    async def run() -> None:
        client = Stage([DOWN] * 9).async_client(retry=RetryPolicy(attempts_max=1))
        ran = False
        with pytest.raises(TransportError):
            async with client.action("tool.refund", **WHO):
                ran = True
        assert not ran
        failures: list[RecorderError] = []
        async with client.action("tool.refund", fail_open=failures.append, **WHO):
            ran = True
        assert ran
        assert len(failures) == 2
        opened = Stage([_faithful, DOWN]).async_client(retry=RetryPolicy(attempts_max=1))
        with pytest.raises(UnrecordedOutcomeError):
            async with opened.action("tool.refund", **WHO):
                pass

    asyncio.run(run())


def test_an_action_leaves_no_trace_in_its_context() -> None:
    def run() -> None:
        scene = Stage([_faithful] * 4)
        client = scene.client()
        for _ in range(2):
            with client.action("a", **WHO):
                pass
        bodies = [request.content for request in scene.requests]
        assert b'"parent_ids":[]' in bodies[0]
        assert b'"parent_ids":[]' in bodies[2]

    contextvars.copy_context().run(run)


def test_a_refusal_of_the_sidecar_keeps_the_body_from_running(shared_sidecar: Sidecar) -> None:
    with shared_sidecar.client(token="wrong") as client, pytest.raises(RequestRefusedError):
        with client.action("a", **WHO):
            pytest.fail("the body ran")
