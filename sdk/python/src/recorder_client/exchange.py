"""One attempt, as far as it is the same whether one waits or awaits: the request, the intake of the answer, failures.

Deliberately absent: decoding. Answers are asked for as they are, and one that is encoded all the same is refused, so
that a few bytes cannot become many.
"""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx2

from recorder_client.answers import CORRELATION_HEADER, Breach, Call, Reply, TransportFailure
from recorder_client.settings import Settings

USER_AGENT = "recorder-client"
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_PERMANENT = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


class _TooLargeError(Exception):
    """More than was asked for."""


def headers_of(call: Call[Any], settings: Settings) -> dict[str, str]:
    """The head of an attempt; raises `TokenError`."""
    headers = {
        "accept": call.accept.partition(";")[0],
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        CORRELATION_HEADER: call.correlation_id,
    }
    if call.content_type is not None:
        headers["content-type"] = call.content_type
    if call.idempotency_key is not None:
        headers["idempotency-key"] = call.idempotency_key
    token = settings.token.read() if call.operation.requires_token else None
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return headers


def timeout_of(settings: Settings, left_seconds: float) -> httpx2.Timeout:
    """How long each step of an attempt may take."""
    return httpx2.Timeout(min(settings.timeout_seconds, left_seconds))


class Intake:
    """Takes an answer piece by piece, within its bounds."""

    def __init__(self, call: Call[Any], response: httpx2.Response) -> None:
        """After the head has come."""
        self._response = response
        self._bytes_max = call.bytes_max(response.status_code)
        self._sink = call.sink if call.takes_to_sink(response.status_code) else None
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise _TooLargeError("the body has a Content-Encoding that was not asked for")
        if self._sink is not None:
            self._sink.begin()

    def take(self, chunk: bytes) -> None:
        """The next piece."""
        self._size_bytes += len(chunk)
        if self._size_bytes > self._bytes_max:
            raise _TooLargeError(f"the body has more than {self._bytes_max} bytes")
        if self._sink is None:
            self._pieces.append(chunk)
        else:
            self._sink.write(chunk)

    def reply(self) -> Reply:
        """The whole answer."""
        return Reply(self._response.status_code, self._response.headers, b"".join(self._pieces))


FAILURES = (httpx2.HTTPError, httpx2.StreamError, _TooLargeError, ssl.SSLError)


def failure_of(error: Exception) -> TransportFailure | Breach:
    """What an exception of an attempt means."""
    if isinstance(error, _TooLargeError):
        return Breach(str(error))
    permanent = isinstance(error, _PERMANENT) or any(map(_is_refusal, _causes(error)))
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    return TransportFailure(reason, retryable=not permanent, may_have_arrived=not isinstance(error, _NEVER_SENT))


def out_of_time() -> TransportFailure:
    """The deadline came before the end of an answer."""
    return TransportFailure("the deadline has passed", retryable=False, may_have_arrived=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    for _ in range(10):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__


def _is_refusal(error: BaseException) -> bool:
    """Whether one side does not trust the other, which another attempt does not change."""
    ended = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
    return isinstance(error, ssl.SSLError) and not isinstance(error, ended)
