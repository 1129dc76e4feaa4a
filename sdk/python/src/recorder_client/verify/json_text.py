"""JSON text (format §3): a strict reader of what must be canonical and of what need not be, and the writer.

The reader goes from the first byte to the last and refuses at the first one that cannot stand there. Asked for
canonical text, it also refuses the first byte at which the text departs from it.

Deliberately absent: repair of any kind, and Python's own `json`, which takes more than RFC 8259.
"""

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

from recorder_client.verify.number import canonical_number

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"

# Where nothing smaller is stated: deeper than any object of the format, and shallow enough to read recursively.
DEPTH_MAX = 160
NODES_MAX = 1 << 40

_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SPACE = re.compile(r"[ \t\n\r]*")
_HEX4 = re.compile(r"[0-9A-Fa-f]{4}")
_SHORT = {'"': '"', "\\": "\\", "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}
_ESCAPED = {value: "\\" + name for name, value in _SHORT.items()} | {
    chr(code): f"\\u{code:04x}" for code in range(0x20) if chr(code) not in _SHORT.values()
}
_NEEDS_ESCAPE = re.compile(r'["\\\x00-\x1f]')
_LITERALS: dict[str, tuple[str, bool | None]] = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}


class RefusedError(Exception):
    """Bytes that are not JSON as the format takes it: why, and at which byte."""

    def __init__(self, code: str, offset: int) -> None:
        """The rule that is broken, and the offset in bytes."""
        super().__init__(f"byte {offset}: {code.replace('_', ' ')}")
        self.code = code
        self.offset = offset


class NotCanonicalError(RefusedError):
    """JSON whose spelling is not the canonical one."""

    def __init__(self, offset: int) -> None:
        """The first byte that canonical text has otherwise."""
        super().__init__("not_canonical", offset)


@dataclass(frozen=True)
class Limits:
    """How much is read."""

    input_bytes_max: int
    depth_max: int = DEPTH_MAX
    nodes_max: int = NODES_MAX


PAYLOAD_LIMITS = Limits(input_bytes_max=4 << 20, depth_max=64, nodes_max=100_000)


def decode(data: bytes, input_bytes_max: int) -> str:
    """The text of `data`, which is UTF-8 without a mark, and not longer than allowed."""
    if len(data) > input_bytes_max:
        raise RefusedError("too_large", input_bytes_max)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError("invalid_utf8", error.start) from None
    if text.startswith("\ufeff"):
        raise RefusedError("byte_order_mark", 0)
    return text


def parse(data: bytes, limits: Limits, *, canonical: bool) -> Value:
    """The one value that `data` holds."""
    reader = Reader(decode(data, limits.input_bytes_max), limits, canonical=canonical)
    value = reader.value()
    reader.end()
    return value


class Reader:
    """A place in a text, and what is read from there on."""

    def __init__(self, text: str, limits: Limits, *, canonical: bool) -> None:
        """At the beginning of `text`."""
        self.text = text
        self.at = 0
        self._canonical = canonical
        self._limits = limits
        self._depth = 0
        self._nodes = 0

    def refuse(self, code: str, at: int) -> RefusedError:
        """The error for the character at `at`, with its offset in bytes."""
        return RefusedError(code, len(self.text[:at].encode()))

    def deviate(self, at: int) -> None:
        """Notes that the text is spelled otherwise than canonical text from `at` on."""
        if self._canonical:
            raise NotCanonicalError(len(self.text[:at].encode()))

    def peek(self) -> str:
        """The next character, or an empty string at the end."""
        return self.text[self.at : self.at + 1]

    def space(self) -> None:
        """Skips white space, which canonical text has none of."""
        start = self.at
        if self.peek() in (" ", "\t", "\n", "\r"):
            found = _SPACE.match(self.text, start)
            self.at = found.end() if found else start
            self.deviate(start)

    def end(self) -> None:
        """Requires that nothing follows."""
        self.space()
        if self.at != len(self.text):
            raise self.refuse("trailing_bytes", self.at)

    def take(self, expected: str) -> None:
        """Requires the structural character `expected` after white space."""
        self.space()
        if not self.text.startswith(expected, self.at):
            raise self.refuse("unexpected_byte" if self.peek() else "unexpected_end", self.at)
        self.at += 1

    def value(self) -> Value:
        """The next value, whatever it is."""
        self.space()
        first = self.peek()
        self._count_node()
        if first == "{":
            return self._object()
        if first == "[":
            return self._array()
        if first == '"':
            return self.string()
        if first in _LITERALS:
            return self._literal(*_LITERALS[first])
        if first == "-" or (first.isascii() and first.isdigit()):
            return self._number()
        raise self.refuse("unexpected_byte" if first else "unexpected_end", self.at)

    def string(self) -> str:
        """The next value, which is a string or a name."""
        start = self.at
        self.take('"')
        pieces: list[str] = []
        while True:
            plain = _PLAIN.match(self.text, self.at)
            if plain is not None:
                pieces.append(plain.group())
                self.at = plain.end()
            stop = self.peek()
            if stop == '"':
                self.at += 1
                return pieces[0] if len(pieces) == 1 else "".join(pieces)
            if stop == "\\":
                pieces.append(self._escape())
            elif stop:
                raise self.refuse("control_character", self.at)
            else:
                raise self.refuse("unexpected_end", max(self.at, start))

    def _count_node(self) -> None:
        self._nodes += 1
        if self._nodes > self._limits.nodes_max:
            raise self.refuse("too_many_nodes", self.at)

    def _open(self) -> None:
        self._depth += 1
        if self._depth > self._limits.depth_max:
            raise self.refuse("too_deep", self.at)
        self.at += 1

    def _object(self) -> dict[str, Value]:
        self._open()
        members: dict[str, Value] = {}
        last: str | None = None
        self.space()
        while self.peek() != "}" or last is not None:
            if last is not None:
                self.space()
                if self.peek() == "}":
                    break
                self.take(",")
            self.space()
            name_at = self.at
            name = self.string()
            if name in members:
                self._repeated(name, last, name_at)
            if last is not None and utf16_key(name) < utf16_key(last):
                self.deviate(name_at)
            self.take(":")
            members[name] = self.value()
            last = name
        self.at += 1
        self._depth -= 1
        return members

    def _repeated(self, name: str, last: str | None, at: int) -> None:
        """A name that was there before; as canonical text it departs by its order first, if it is not the last one."""
        if last is not None and name != last:
            self.deviate(at)
        raise self.refuse("duplicate_member", at)

    def _array(self) -> list[Value]:
        self._open()
        items: list[Value] = []
        self.space()
        if self.peek() != "]":
            items.append(self.value())
            self.space()
            while self.peek() != "]":
                self.take(",")
                items.append(self.value())
                self.space()
        self.at += 1
        self._depth -= 1
        return items

    def _literal(self, word: str, value: bool | None) -> bool | None:  # noqa: FBT001
        for index, character in enumerate(word):
            if not self.text.startswith(character, self.at + index):
                at = self.at + index
                raise self.refuse("unexpected_byte" if at < len(self.text) else "unexpected_end", at)
        self.at += len(word)
        return value

    def _number(self) -> int | float:
        start = self.at
        found = _NUMBER.match(self.text, start)
        if found is None or self._continues(found):
            raise self.refuse("invalid_number", start)
        self.at = found.end()
        literal = found.group()
        double = float(literal)
        if not math.isfinite(double):
            raise self.refuse("number_not_finite", start)
        is_integer = found.group(1) is None and found.group(2) is None
        canonical = canonical_number(double)
        if is_integer and abs(double) >= 2**53 and literal != canonical:
            raise self.refuse("integer_not_representable", start)
        if literal != canonical:
            self.deviate(start)
        return int(literal) if is_integer else double

    def _continues(self, found: re.Match[str]) -> bool:
        """Whether a number goes on that had to end: after a leading zero, or with a fraction or exponent cut off."""
        following = self.text[found.end() : found.end() + 1]
        if following in ("e", "E"):
            return found.group(2) is None
        if found.group(1) or found.group(2):
            return False
        return following == "." or (following.isascii() and following.isdigit())

    def _escape(self) -> str:
        start = self.at
        kind = self.text[start + 1 : start + 2]
        if not kind:
            raise self.refuse("unexpected_end", start + 1)
        if kind in _SHORT or kind == "/":
            self.at += 2
            if kind == "/":
                self.deviate(start)
            return _SHORT.get(kind, "/")
        if kind != "u":
            raise self.refuse("invalid_escape", start)
        unit = self._unit(start)
        character = self._pair(unit, start) if 0xD800 <= unit < 0xE000 else chr(unit)
        if _ESCAPED.get(character) != self.text[start : self.at]:
            self.deviate(start)
        return character

    def _unit(self, start: int) -> int:
        found = _HEX4.match(self.text, self.at + 2)
        if found is None:
            raise self.refuse("invalid_escape", start)
        self.at = found.end()
        return int(found.group(), 16)

    def _pair(self, high: int, start: int) -> str:
        if high >= 0xDC00 or not self.text.startswith("\\u", self.at):
            raise self.refuse("lone_surrogate", start)
        low = self._unit(start)
        if not 0xDC00 <= low < 0xE000:
            raise self.refuse("lone_surrogate", start)
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


def utf16_key(name: str) -> bytes:
    """What names are sorted by: their UTF-16 code units."""
    return name.encode("utf-16-be")


def canonical_text(value: Value) -> str:
    """The canonical text of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return canonical_number(value)
    if isinstance(value, str):
        return '"' + _NEEDS_ESCAPE.sub(lambda found: _ESCAPED[found.group()], value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_text, value)) + "]"
    names = sorted(value, key=utf16_key)
    return "{" + ",".join(f"{canonical_text(name)}:{canonical_text(value[name])}" for name in names) + "}"
