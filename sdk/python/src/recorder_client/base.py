"""What both clients are made of, whether they wait or await: settings, requests, rules of repetition.

Deliberately absent: the network. `client` and `async_client` send, and decide nothing.
"""

import os
from collections.abc import Generator
from typing import TypedDict, TypeVar

import httpx2

from recorder_client.answers import Call
from recorder_client.calls import Calls
from recorder_client.errors import InvalidRequestError
from recorder_client.exchange import headers_of, timeout_of
from recorder_client.retries import ONCE, Outcome, RetryPolicy, Step, conversation
from recorder_client.settings import Name, Settings, Tls, Token
from recorder_client.surroundings import REAL, Surroundings

T = TypeVar("T")

DEFAULT_URL = "http://127.0.0.1:8787"
ANSWER_BYTES_MAX = 64 << 20
ARCHIVE_BYTES_MAX = 1 << 30
DEFAULT_RETRY = RetryPolicy()
DEFAULT_TLS = Tls()


class ClientOptions(TypedDict, total=False):
    """What a client can be told besides where the sidecar is."""

    unix_socket: Name | None
    """The sidecar's Unix socket, in place of the host and port of the URL."""
    token: str | None
    """The bearer token."""
    token_file: Name | None
    """The file that the bearer token is read from before each attempt, so that it can be replaced."""
    tls: Tls
    """Who vouches for the sidecar, and what this side shows."""
    tenant_id: str
    """The tenant half of the stream, where a method names no other. Without it `default`."""
    recorder_id: str
    """The recorder half: the sidecar's own. Without it `sidecar:local`."""
    timeout_seconds: float
    """How long one step of an attempt may take. Without it 10."""
    retry: RetryPolicy
    """How often a request is sent, and how long it may take in all."""
    answer_bytes_max: int
    """How large an answer may be. Without it 64 MiB."""
    connections_max: int
    """How many connections there are at most. Without it 64."""
    allow_plain_http: bool
    """Whether http may go to another machine."""
    surroundings: Surroundings
    """Clocks, randomness and sleep, for tests."""


class ClientBase:
    """Settings and rules of one client. It is for one process: a fork needs one of its own."""

    def __init__(self, base_url: str, options: ClientOptions) -> None:
        """Checks everything and connects to nothing; raises `InvalidRequestError`."""
        self._settings = Settings(
            base_url=base_url,
            unix_socket=options.get("unix_socket"),
            token=Token(options.get("token"), options.get("token_file")),
            tls=options.get("tls", DEFAULT_TLS),
            timeout_seconds=options.get("timeout_seconds", 10.0),
            connections_max=options.get("connections_max", 64),
            allow_plain_http=options.get("allow_plain_http", False),
        )
        self._retry = options.get("retry", DEFAULT_RETRY)
        self._surroundings = options.get("surroundings", REAL)
        self._url = httpx2.URL(base_url)
        self._process_id = os.getpid()
        self._calls = Calls(
            tenant_id=options.get("tenant_id", "default"),
            recorder_id=options.get("recorder_id", "sidecar:local"),
            answer_bytes_max=options.get("answer_bytes_max", ANSWER_BYTES_MAX),
            surroundings=self._surroundings,
        )

    def __repr__(self) -> str:
        """Where to; never the token."""
        where = self._settings.unix_socket or self._settings.base_url
        return f"{type(self).__name__}({where!r})"

    def _conversation(self, call: Call[T]) -> Generator[Step, Outcome | None, T]:
        if os.getpid() != self._process_id:
            raise InvalidRequestError("the client was made in another process; connections are not shared by a fork")
        is_probe = not call.operation.requires_token
        return conversation(call, ONCE if is_probe else self._retry, self._surroundings)

    def _request(self, call: Call[T], left_seconds: float) -> httpx2.Request:
        return httpx2.Request(
            call.operation.method,
            self._url.copy_with(raw_path=call.target.encode("ascii")),
            headers=headers_of(call, self._settings),
            content=call.body,
            extensions={"timeout": timeout_of(self._settings, left_seconds).as_dict()},
        )
