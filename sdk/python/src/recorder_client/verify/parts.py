"""The bytes of listed parts: whole, or a line at a time, compared with what the manifest states.

Deliberately absent: what the bytes say.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from recorder_client.verify.container import Container, DamageError
from recorder_client.verify.finding import Findings, in_part


@dataclass(frozen=True)
class Line:
    """A line without its end; none where it is longer than it may be."""

    number: int
    data: bytes | None
    is_terminated: bool


class TooLargeError(Exception):
    """A part that is larger than any of its kind, and is not read."""


class Parts:
    """Reads parts, and notes the ones whose bytes are damaged or not the stated ones."""

    def __init__(self, container: Container, hashes: dict[str, str], findings: Findings) -> None:
        """Of a container whose members are those of the manifest."""
        self._container = container
        self._hashes = hashes
        self._findings = findings
        self._read: set[str] = set()

    def size_bytes(self, name: str) -> int:
        """The size of a part, which the manifest states too."""
        return self._container.size_bytes(name)

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a part; what is wrong with them is noted once, and `DamageError` raised where they end early."""
        is_first, hasher = name not in self._read, hashlib.sha256()
        self._read.add(name)
        try:
            for piece in self._container.pieces(name):
                hasher.update(piece)
                yield piece
        except DamageError as error:
            if is_first:
                self._findings.add(error.code, in_part(name), str(error))
            raise
        stated = self._hashes.get(name)
        if is_first and stated is not None and hasher.hexdigest() != stated:
            self._findings.add("part_hash_mismatch", in_part(name), f"{hasher.hexdigest()} computed, {stated} stated")

    def whole(self, name: str, bytes_max: int) -> bytes:
        """All bytes of a part; raises `TooLargeError` where there are more than allowed."""
        if self.size_bytes(name) > bytes_max:
            raise TooLargeError("larger than any")
        return b"".join(self.pieces(name))

    def lines(self, name: str, line_bytes_max: int) -> Iterator[Line]:
        """The lines of a part."""
        number, held = 0, _Held(line_bytes_max)
        for piece in self.pieces(name):
            *ended, rest = piece.split(b"\n")
            for chunk in ended:
                held.add(chunk)
                number += 1
                yield Line(number, held.take(), is_terminated=True)
            held.add(rest)
        if held.size:
            yield Line(number + 1, held.take(), is_terminated=False)

    def first_line(self, name: str, line_bytes_max: int) -> bytes | None:
        """The first line, to look ahead: nothing is noted, and the part is read again."""
        held = _Held(line_bytes_max)
        try:
            for piece in self._container.pieces(name):
                head, end, _ = piece.partition(b"\n")
                held.add(head)
                if end or held.size > line_bytes_max:
                    break
        except DamageError:
            pass
        return held.take()


class _Held:
    """The beginning of a line that has not ended yet, dropped once it is too long."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._pieces: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        """More of the line."""
        self.size += len(piece)
        if self.size > self._bytes_max:
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def take(self) -> bytes | None:
        """The line; the next one begins."""
        data = b"".join(self._pieces) if self.size <= self._bytes_max else None
        self._pieces.clear()
        self.size = 0
        return data
