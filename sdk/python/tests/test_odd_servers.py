"""Whatever answers on the port: lies, floods, silence and half sentences become errors, in bounded time and memory."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from scripted import EXAMPLE_REQUEST, RECEIPT, example_draft
from wire import Script, Wire, header, serving

from recorder_client import (
    AsyncRecorderClient,
    ContractViolationError,
    RecorderClient,
    RecorderError,
    RetryPolicy,
    TransportError,
)

BODY = json.dumps(RECEIPT).encode()


def says(status: str, body: bytes = b"", *lines: str, length: int | None = None) -> Script:
    """A response with the headers that are owed, and these."""

    def script(connection: socket.socket, request: bytes) -> None:
        owed = [f"x-server-correlation-id: s\r\nx-correlation-id: {header(request, 'x-correlation-id')}"]
        owed += [f"content-length: {len(body) if length is None else length}"] if length != -1 else []
        head = "\r\n".join([f"HTTP/1.1 {status}", *owed, *lines, "connection: close"])
        connection.sendall(head.encode() + b"\r\n\r\n" + body)

    return script


def raw(data: bytes) -> Script:
    return lambda connection, _request: connection.sendall(data)


JSON = "content-type: application/json"
GOOD = says("201 Created", BODY, JSON)


def options(**more: Any) -> dict[str, Any]:
    policy = RetryPolicy(attempts_max=3, first_pause_seconds=0.0, pause_max_seconds=0.0, deadline_seconds=20.0)
    return {
        "tenant_id": EXAMPLE_REQUEST["tenant_id"],
        "recorder_id": EXAMPLE_REQUEST["recorder_id"],
        "retry": policy,
    } | more


def waiting(wire: Wire, **more: Any) -> Any:
    with RecorderClient(wire.url, **options(**more)) as client:
        return client.record(example_draft())


def awaiting(wire: Wire, **more: Any) -> Any:
    async def run() -> Any:
        async with AsyncRecorderClient(wire.url, **options(**more)) as client:
            return await client.record(example_draft())

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("record", [waiting, awaiting])
Record = Callable[..., Any]


@BOTH
def test_a_good_answer_after_bad_ones_is_believed(record: Record) -> None:
    with serving(raw(b""), raw(b"HTTP/1.1 201 Cre"), GOOD) as wire:
        assert record(wire).receipt.position == 0
    assert len(wire.requests) == 3
    assert len(set(wire.requests)) == 1


@BOTH
@pytest.mark.parametrize(
    "script",
    [
        raw(b""),
        raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        raw(b"HTTP/1.1 201 Created\r\n\x00bad: header\r\n\r\n"),
        says("201 Created", BODY[:-10], JSON, length=len(BODY)),
        says("201 Created", b"5\r\nabc", JSON, "transfer-encoding: chunked", length=-1),
        says("201 Created", b"zz\r\nabc", JSON, "transfer-encoding: chunked", length=-1),
        raw(b"HTTP/1.1 201 Created\r\nx: " + b"a" * 200_000 + b"\r\n\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n"),
        says("101 Switching Protocols", b"", "upgrade: websocket"),
    ],
)
def test_half_sentences_are_no_answers(record: Record, script: Script) -> None:
    with serving(script) as wire, pytest.raises(TransportError):
        record(wire)
    assert len(wire.requests) == 3


@BOTH
@pytest.mark.parametrize(
    "script",
    [
        says("201 Created", BODY, "content-type: text/html"),
        says("201 Created", BODY, JSON, JSON),
        says("201 Created", BODY, JSON, "content-encoding: gzip"),
        says("201 Created", BODY, JSON, "x-server-correlation-id: another"),
        says("302 Found", b"", "location: http://127.0.0.1:1/"),
        says("308 Permanent Redirect", b"", "location: /v1/envelopes/"),
        says("599 Odd", BODY, JSON),
    ],
)
def test_lies_are_violations_and_redirects_are_not_followed(record: Record, script: Script) -> None:
    with serving(script) as wire, pytest.raises(ContractViolationError):
        record(wire)
    assert len(wire.requests) == 1


@BOTH
def test_a_flood_is_cut_at_its_bound(record: Record) -> None:
    sent = 0

    def flood(connection: socket.socket, request: bytes) -> None:
        nonlocal sent
        says("201 Created", b"", JSON, length=1 << 40)(connection, request)
        while True:
            connection.sendall(b"x" * 65536)
            sent += 65536

    with serving(flood) as wire, pytest.raises(ContractViolationError, match="more than"):
        record(wire, answer_bytes_max=1 << 20)
    assert sent < 64 << 20


@BOTH
def test_silence_ends_at_the_time_out(record: Record) -> None:
    def silent(connection: socket.socket, _request: bytes) -> None:
        connection.recv(1)

    policy = RetryPolicy(attempts_max=2, first_pause_seconds=0.0, pause_max_seconds=0.0)
    with serving(silent) as wire, pytest.raises(TransportError):
        record(wire, timeout_seconds=0.2, retry=policy)


@BOTH
def test_a_body_that_trickles_ends_at_the_deadline(record: Record) -> None:
    def trickle(connection: socket.socket, request: bytes) -> None:
        says("201 Created", b"", JSON, length=1 << 20)(connection, request)
        connection.settimeout(0.05)
        for _ in range(200):
            connection.sendall(b" ")
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    policy = RetryPolicy(attempts_max=1, deadline_seconds=1.0)
    with serving(trickle) as wire, pytest.raises(TransportError, match="deadline"):
        record(wire, retry=policy)


@BOTH
def test_nobody_there_is_said_after_the_last_attempt(record: Record) -> None:
    with serving(GOOD) as wire:
        pass
    with pytest.raises(RecorderError) as caught:
        record(wire)
    assert caught.value.circumstances is not None
    assert not caught.value.circumstances.outcome_unknown


def test_an_archive_that_ends_early_or_is_none_leaves_no_file(tmp_path: Any) -> None:
    path = tmp_path / "bundle.zip"
    zip_type = "content-type: application/zip"
    for script in (
        says("200 OK", b"PK\x03\x04abc", zip_type, length=1000),
        says("200 OK", b"no archive", zip_type),
        says("200 OK", b"{}", JSON),
        says("200 OK", b"PK\x03\x04" + b"x" * 100_000, zip_type),
    ):
        with serving(script) as wire, RecorderClient(wire.url, **options()) as client, pytest.raises(RecorderError):
            client.save_bundle(path, bytes_max=50_000)
        assert list(tmp_path.iterdir()) == []


def test_an_archive_replaces_no_file(tmp_path: Any) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(b"another's evidence")
    with serving(says("200 OK", b"PK\x03\x04abc", "content-type: application/zip")) as wire:
        with RecorderClient(wire.url, **options()) as client, pytest.raises(RecorderError):
            client.save_bundle(path)
        assert wire.requests == []
        other = tmp_path / "other.zip"
        with RecorderClient(wire.url, **options()) as client:
            saved = client.save_bundle(other)
    assert path.read_bytes() == b"another's evidence"
    assert other.read_bytes() == b"PK\x03\x04abc"
    assert saved.size_bytes == 7
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bundle.zip", "other.zip"]
