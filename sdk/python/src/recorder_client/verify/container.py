"""What a bundle is read from: members with names and sizes, and their bytes a piece at a time.

Deliberately absent: seeking by names that a bundle chooses on a disk. Nothing is unpacked.
"""

from collections.abc import Iterator
from typing import Protocol

from recorder_client.verify.finding import BUNDLE, Place

PIECE_BYTES = 1 << 16


class ContainerError(Exception):
    """The container is not one that a writer of bundles makes; nothing in it is looked at."""

    def __init__(self, code: str, detail: str, place: Place = BUNDLE) -> None:
        """The finding."""
        super().__init__(detail)
        self.code = code
        self.place = place


class DamageError(Exception):
    """A member's bytes cannot be had, or are not those that its header promises."""

    def __init__(self, code: str, detail: str) -> None:
        """The finding, at the member."""
        super().__init__(detail)
        self.code = code


class Container(Protocol):
    """An archive or a document."""

    form: str

    def names(self) -> list[str]:
        """The members' names, in their order."""

    def size_bytes(self, name: str) -> int:
        """The size of a member's plain bytes."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member's plain bytes; raises `DamageError` where they end."""


class Source(Protocol):
    """A file, or bytes in memory."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Moves to an offset."""

    def read(self, size: int, /) -> bytes:
        """Reads from there."""


def read_whole(container: Container, name: str) -> bytes:
    """All bytes of a member, whose size the caller has bounded."""
    return b"".join(container.pieces(name))
