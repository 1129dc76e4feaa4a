"""Limits (format §17): how much a verifier looks at before it gives up, with no verdict.

Deliberately absent: limits of the format itself, which are findings and stand where they are checked.
"""

from dataclasses import asdict, dataclass


class LimitError(Exception):
    """The bundle asks for more than a limit allows."""

    def __init__(self, what: str, found: int, limit: int) -> None:
        """What there is too much of."""
        super().__init__(f"{what}: {found} is more than the limit of {limit}")


@dataclass(frozen=True)
class Limits:
    """The most of everything that a bundle decides."""

    archive_envelopes_max: int = 100_000_000
    attachment_bytes_max: int = 16 << 20
    document_attachments_max: int = 200_000
    document_bytes_max: int = 32 << 20
    document_envelopes_max: int = 200_000
    id_rounds_max: int = 64
    inflate_ratio_max: int = 200
    manifest_bytes_max: int = 64 << 20
    segment_envelopes_max: int = 100_000
    segments_max: int = 4096

    def as_object(self) -> dict[str, int]:
        """As a transcript's input."""
        return asdict(self)


LINES_IN_PART_MAX = 4096
LINE_BYTES_MAX = 8 << 20
PROOF_LINE_BYTES_MAX = 8 << 10
SMALL_PART_BYTES_MAX = 16 << 10
CHECKPOINT_BYTES_MAX = 64 << 10
TRUST_ROOT_BYTES_MAX = 1 << 20
SIGNATURES_BYTES_MAX = 32 << 10


def require(what: str, found: int, limit: int) -> None:
    """Gives up where there is more than `limit`."""
    if found > limit:
        raise LimitError(what, found, limit)
