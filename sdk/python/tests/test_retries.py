"""The same request again: after the right failures, with the same bytes and key, at the right times, to an end."""

import asyncio
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import Stage, answer, example_draft, failing, problem, recorded, replayed, stage

from recorder_client import (
    Draft,
    InvalidRequestError,
    RequestRefusedError,
    RetryPolicy,
    ServiceUnavailableError,
    TransportError,
)
from recorder_client.contract import OPERATIONS, PROBLEMS

CUT = failing(httpx2.ReadError("the connection ended"))
REFUSED = failing(httpx2.ConnectError("refused"))


def sent(scene: Stage) -> list[tuple[bytes, str, str]]:
    return [
        (request.content, request.headers["idempotency-key"], request.headers["x-correlation-id"])
        for request in scene.requests
    ]


def record(scene: Stage, kind: str, draft: Draft, **options: Any) -> Any:
    """Records with one of the two clients."""
    if kind == "waiting":
        return scene.client(**options).record(draft)

    async def run() -> Any:
        async with scene.async_client(**options) as client:
            return await client.record(draft)

    return asyncio.run(run())


@pytest.mark.parametrize("kind", ["waiting", "awaiting"])
def test_every_attempt_sends_the_same_bytes_under_the_same_key(kind: str) -> None:
    bare = Draft(event_type="tool.call", actor_id="agent:refunds", environment_id="production", payload={"n": 0})
    scene = stage(CUT, problem("queue_full"), problem("commit_outcome_unknown"), problem("envelope_invalid"))
    with pytest.raises(RequestRefusedError) as caught:
        record(scene, kind, bare)
    assert len(set(sent(scene))) == 1
    assert len(scene.requests) == 4
    body = scene.requests[0].content
    for name in (b'"envelope_id":"', b'"claimed_time":"', b'"payload_salt":"'):
        assert name in body
    known = caught.value.circumstances
    assert known is not None
    assert (known.attempts, known.outcome_unknown) == (4, True)


def test_two_requests_have_two_keys_and_the_same_bytes_have_one() -> None:
    scene = stage(recorded(), replayed())
    client = scene.client()
    assert not client.record(example_draft()).replayed
    assert client.record(example_draft()).replayed
    first, second = sent(scene)
    assert first[:2] == second[:2]
    scene = stage(CUT)
    with pytest.raises(TransportError):
        scene.client(retry=RetryPolicy(attempts_max=1)).record(example_draft().model_copy(update={"payload": {"n": 1}}))
    assert sent(scene)[0][1] != first[1]


@pytest.mark.parametrize("code", sorted(OPERATIONS["record_envelope"].codes))
def test_what_the_contract_calls_retryable_is_repeated_and_nothing_else(code: str) -> None:
    scene = stage(problem(code), recorded())
    if PROBLEMS[code].retryable:  # type: ignore[index]
        assert scene.client().record(example_draft()).receipt
        assert len(scene.requests) == 2
    else:
        with pytest.raises((RequestRefusedError, ServiceUnavailableError)):
            scene.client().record(example_draft())
        assert len(scene.requests) == 1


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ReadError,
        httpx2.ConnectError,
        httpx2.ReadTimeout,
        httpx2.ConnectTimeout,
        httpx2.RemoteProtocolError,
        httpx2.WriteError,
        httpx2.PoolTimeout,
    ],
)
def test_a_connection_that_fails_is_repeated(error: type[httpx2.TransportError]) -> None:
    scene = stage(failing(error("x")), recorded())
    assert scene.client().record(example_draft()).receipt


@pytest.mark.parametrize("kind", ["waiting", "awaiting"])
def test_retry_after_is_waited_for_and_bounded(kind: str) -> None:
    scene = stage(problem("queue_full", retry_after="7"), problem("queue_full", retry_after="999999999"), recorded())
    scene.jitter = 0.0
    assert record(scene, kind, example_draft(), retry=RetryPolicy(retry_after_max_seconds=20.0)).receipt
    assert scene.slept == [7.0, 20.0]


def test_pauses_double_up_to_their_bound() -> None:
    scene = stage([REFUSED] * 8)
    policy = RetryPolicy(attempts_max=8, first_pause_seconds=0.5, pause_max_seconds=4.0, deadline_seconds=1000.0)
    with pytest.raises(TransportError):
        scene.client(retry=policy).record(example_draft())
    assert scene.slept == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0]


@given(st.floats(0, 1), st.integers(1, 8))
def test_jitter_takes_all_of_the_pause(jitter: float, attempts: int) -> None:
    policy = RetryPolicy()
    scene = Stage([], jitter=jitter)
    longest = policy.pause_max_after(attempts)
    assert scene.surroundings().uniform(0.0, longest) == jitter * longest
    assert longest <= policy.pause_max_seconds


def test_no_pause_is_begun_that_ends_after_the_deadline() -> None:
    scene = stage([problem("storage_unavailable", retry_after="10")] * 9)
    scene.jitter = 0.0
    with pytest.raises(ServiceUnavailableError):
        scene.client(retry=RetryPolicy(deadline_seconds=25.0)).record(example_draft())
    assert scene.slept == [10.0, 10.0]
    assert len(scene.requests) == 3


def test_each_attempt_is_given_no_more_than_what_is_left() -> None:
    scene = stage([problem("storage_unavailable", retry_after="4")] * 9)
    scene.jitter = 0.0
    with pytest.raises(ServiceUnavailableError):
        scene.client(timeout_seconds=8.0, retry=RetryPolicy(deadline_seconds=10.0)).record(example_draft())
    assert [request.extensions["timeout"]["read"] for request in scene.requests] == [8.0, 6.0, 2.0]


def test_attempts_come_to_an_end() -> None:
    scene = stage([CUT] * 3)
    with pytest.raises(TransportError, match="attempts 3"):
        scene.client(retry=RetryPolicy(attempts_max=3)).record(example_draft())


def test_what_never_arrived_leaves_nothing_open_and_what_may_have_does() -> None:
    for failure, is_open in ((REFUSED, False), (CUT, True)):
        with pytest.raises(TransportError) as caught:
            stage([failure] * 2).client(retry=RetryPolicy(attempts_max=2)).record(example_draft())
        assert caught.value.circumstances is not None
        assert caught.value.circumstances.outcome_unknown == is_open
    with pytest.raises(TransportError) as caught:
        stage(CUT).client(retry=RetryPolicy(attempts_max=1)).checkpoint()
    assert caught.value.circumstances is not None
    assert not caught.value.circumstances.outcome_unknown


def test_probes_are_tried_once() -> None:
    scene = stage(REFUSED)
    with pytest.raises(TransportError):
        scene.client().health()
    assert len(scene.requests) == 1
    assert "authorization" not in scene.requests[0].headers


@pytest.mark.parametrize(
    "options",
    [
        {"attempts_max": 0},
        {"deadline_seconds": 0.0},
        {"deadline_seconds": float("inf")},
        {"deadline_seconds": float("nan")},
        {"first_pause_seconds": -1.0},
        {"pause_max_seconds": float("nan")},
    ],
)
def test_a_policy_that_never_tries_or_never_ends_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        RetryPolicy(**options)


@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 129, '"quoted"', "a\nb"])
def test_a_key_that_the_sidecar_would_read_otherwise_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequestError):
        stage().client().record(example_draft(), idempotency_key=key)


def test_a_key_of_ones_own_is_kept() -> None:
    scene = stage(CUT, recorded())
    scene.client().record(example_draft(), idempotency_key="order-17")
    assert [request.headers["idempotency-key"] for request in scene.requests] == ["order-17"] * 2


def test_what_a_probe_says_of_a_service_that_is_not_ready_is_an_answer() -> None:
    body = {"status": "unavailable", "reasons": ["storage_unavailable"], "durability": "fsync"}
    assert stage(answer(503, body, content_type="application/json")).client().ready().status == "unavailable"
