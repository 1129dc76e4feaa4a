"""What the generated constants are made of."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ProblemFacts:
    """What is fixed about a problem code."""

    status: int
    retryable: bool
    title: str


@dataclass(frozen=True)
class Operation:
    """One operation of the interface: what it takes, gives and refuses."""

    name: str
    client_method: str | None
    """The method of the clients; none where exporters of OpenTelemetry are the client."""
    method: str
    path: str
    request_type: str | None
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    answers: Mapping[int, str | None]
    codes: frozenset[str]
    query: tuple[str, ...]
    requires_idempotency_key: bool
    requires_token: bool
