"""What can go wrong with a request, sorted by whose fault it is.

`InvalidRequestError` is the caller's and was never sent. `RequestRefusedError` is the caller's, and the sidecar says
so. `ServiceUnavailableError` is the sidecar's. `TransportError` is the way's. `ContractViolationError` is that of
whatever answered: it may not be a sidecar at all.

Deliberately absent: payloads and tokens. None is in a message, and none in an attribute.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Circumstances:
    """What is known of a request that failed."""

    operation: str
    attempts: int = 1
    correlation_id: str | None = None
    server_correlation_id: str | None = None
    idempotency_key: str | None = None
    outcome_unknown: bool = False
    """Whether some attempt may have been carried out although nothing says so."""


class RecorderError(Exception):
    """Anything that this package raises about a request."""

    def __init__(self, message: str, circumstances: Circumstances | None = None) -> None:
        """What is wrong, and with which request."""
        super().__init__(message)
        self.circumstances = circumstances

    def __str__(self) -> str:
        """What is wrong, and what to look for in logs."""
        known = self.circumstances
        if known is None:
            return super().__str__()
        named = [f"operation {known.operation}", f"attempts {known.attempts}"]
        named += [f"server_correlation_id {known.server_correlation_id}"] if known.server_correlation_id else []
        named += ["the outcome is unknown"] if known.outcome_unknown else []
        return f"{super().__str__()} ({', '.join(named)})"


class InvalidRequestError(RecorderError):
    """The request cannot be sent as it is; nothing was."""


class TransportError(RecorderError):
    """No whole answer came: no connection, a time-out, a connection that ended."""


class ContractViolationError(RecorderError):
    """An answer that the contract does not allow; nothing in it is believed."""


class ProblemError(RecorderError):
    """The sidecar refused, by the rules of the contract (RFC 9457)."""

    def __init__(  # noqa: PLR0913 - the members of a problem
        self,
        *,
        code: str,
        status: int,
        title: str,
        detail: str,
        retryable: bool,
        retry_after_seconds: int | None,
        circumstances: Circumstances,
    ) -> None:
        """The members of the problem."""
        super().__init__(f"{code}: {detail}", circumstances)
        self.code = code
        self.status = status
        self.title = title
        self.detail = detail
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds


class RequestRefusedError(ProblemError):
    """The request is at fault: the same one is refused again."""


class ServiceUnavailableError(ProblemError):
    """The service is at fault or at its limits (429 and 5xx)."""


class UnrecordedOutcomeError(RecorderError):
    """What was done could not be recorded after it was done; its intent was recorded before."""
