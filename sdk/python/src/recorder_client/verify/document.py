"""The document (format §13): the same parts as one canonical object.

Deliberately absent: streaming. A document is small, and is read whole.
"""

import re
from collections.abc import Iterator

from recorder_client.verify import form
from recorder_client.verify.container import ContainerError
from recorder_client.verify.finding import in_part
from recorder_client.verify.json_text import Limits, Reader, RefusedError, canonical_text, decode

# A payload is nested 64 deep in its envelope.
_VALUE_DEPTH_MAX = 66
_BEGINNING, _END = '{"parts":{', '},"type":"recorder.bundle-document/v1"}'
_NAME = re.compile(r"[\x20-\x7f]{0,255}\Z")


class Document:
    """The parts of a document, as the bytes that an archive would hold."""

    form = "document"

    def __init__(self, data: bytes, bytes_max: int) -> None:
        """Reads all parts; raises `ContainerError` at the first byte that no document has there."""
        try:
            limits = Limits(bytes_max, depth_max=_VALUE_DEPTH_MAX)
            self._parts = _Parts(decode(data, bytes_max), limits, canonical=True).parts()
        except RefusedError as error:
            raise ContainerError("document_invalid", str(error)) from None

    def names(self) -> list[str]:
        """The parts' names; an object has no order of its own."""
        return list(self._parts)

    def size_bytes(self, name: str) -> int:
        """The size of a part's bytes."""
        return len(self._parts[name])

    def pieces(self, name: str) -> Iterator[bytes]:
        """A part's bytes, at once."""
        yield self._parts[name]


class _Parts(Reader):
    """Reads the one object."""

    def parts(self) -> dict[str, bytes]:
        """The bytes of each part."""
        parts: dict[str, bytes] = {}
        self._expect(_BEGINNING)
        while not self.text.startswith(_END, self.at):
            if parts:
                self.take(",")
            name = self._name(next(reversed(parts), None))
            self.take(":")
            parts[name] = self._part(name)
        self.at += len(_END)
        self.end()
        return parts

    def _expect(self, text: str) -> None:
        if not self.text.startswith(text, self.at):
            raise self.refuse("unexpected_byte", self.at)
        self.at += len(text)

    def _name(self, last: str | None) -> str:
        name = self.string()
        if not _NAME.match(name) or '"' in name or "\\" in name:
            raise ContainerError("member_name", "a name is not plain ASCII, or too long")
        if name == last:
            raise ContainerError("member_repeated", "a name stands twice")
        if last is not None and name < last:
            raise ContainerError("document_invalid", "names are not in canonical order")
        return name

    def _part(self, name: str) -> bytes:
        """The bytes of a part whose value is of the kind that its name asks for."""
        if name.endswith(".jsonl"):
            return self._lines()
        if name.endswith(".json"):
            return canonical_text(self.value()).encode()
        text = self.string()
        if not name.startswith("attachments/"):
            return text.encode()
        decoded = form.base64_bytes(text)
        if decoded is None:
            raise ContainerError("document_invalid", "not padded base64", in_part(name))
        return decoded

    def _lines(self) -> bytes:
        lines: list[bytes] = []
        self.take("[")
        while self.peek() != "]":
            if lines:
                self.take(",")
            start = self.at
            self.value()
            lines.append(self.text[start : self.at].encode() + b"\n")
        self.at += 1
        return b"".join(lines)
