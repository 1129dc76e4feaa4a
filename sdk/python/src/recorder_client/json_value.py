"""Values that JSON can carry as they are, and the text that carries them.

`snapshot` copies a value and refuses, by its path, whatever would arrive as something else or not at all: NaN, integers
that a double rounds, keys that are no strings, bytes, halves of surrogate pairs. Text is written canonically (RFC
8785), so that the same value has the same bytes in every attempt and the same hash on both sides.

Deliberately absent: defaults for types that JSON lacks. Whoever records decides how a date or an amount is written.
"""

import json
import math
import re
from typing import Any

from recorder_client.errors import InvalidRequestError
from recorder_client.verify.json_text import PAYLOAD_LIMITS, Value, canonical_text

INTEGER_MAX = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")
_PATH_CHARACTERS_MAX = 256


class UnrepresentableError(InvalidRequestError):
    """A value that JSON cannot carry as it is; `path` says where it stands."""

    def __init__(self, path: str, reason: str) -> None:
        """Where, and why; never the value."""
        shown = path if len(path) <= _PATH_CHARACTERS_MAX else path[:_PATH_CHARACTERS_MAX] + "…"
        super().__init__(f"{shown}: {reason}")
        self.path = shown
        self.reason = reason


class NotJsonError(Exception):
    """Text that is not the JSON which the contract speaks."""


class _Copier:
    """Copies a value, counting what the format bounds."""

    def __init__(self) -> None:
        self._nodes = 0

    def copy(self, value: Any, path: str, depth: int) -> Value:
        self._nodes += 1
        if self._nodes > PAYLOAD_LIMITS.nodes_max:
            raise UnrepresentableError(path, f"more than {PAYLOAD_LIMITS.nodes_max} values")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _text(value, path)
        if isinstance(value, int):
            return _integer(value, path)
        if isinstance(value, float):
            return _double(value, path)
        if isinstance(value, dict | list | tuple):
            if depth >= PAYLOAD_LIMITS.depth_max:
                raise UnrepresentableError(path, f"deeper than {PAYLOAD_LIMITS.depth_max}")
            return self._inside(value, path, depth + 1)
        raise UnrepresentableError(path, f"{type(value).__name__} is no JSON value")

    def _inside(self, value: "dict[Any, Any] | list[Any] | tuple[Any, ...]", path: str, depth: int) -> Value:
        if not isinstance(value, dict):
            return [self.copy(item, f"{path}[{index}]", depth) for index, item in enumerate(value)]
        members: dict[str, Value] = {}
        for name, item in value.items():
            if not isinstance(name, str):
                raise UnrepresentableError(path, f"a key is {type(name).__name__}, not a string")
            key = _text(name, f"{path}.<key>")
            members[key] = self.copy(item, f"{path}.{key}", depth)
        return members


def _text(value: str, path: str) -> str:
    if _SURROGATE.search(value):
        raise UnrepresentableError(path, "half of a surrogate pair")
    # What the text is, whatever a subtype would print.
    return str.__str__(value)


def _integer(value: int, path: str) -> int:
    if abs(value) > INTEGER_MAX:
        raise UnrepresentableError(path, "an integer beyond 2^53, which a reader may round; write it as a string")
    return int.__int__(value)


def _double(value: float, path: str) -> float:
    if not math.isfinite(value):
        raise UnrepresentableError(path, "not a finite number")
    return float.__float__(value)


def snapshot(value: Any, path: str = "payload") -> dict[str, Any]:
    """A copy of an object that JSON carries as it is; raises `UnrepresentableError`."""
    if not isinstance(value, dict):
        raise UnrepresentableError(path, f"{type(value).__name__} is no object")
    copied = _Copier().copy(value, path, 0)
    return copied if isinstance(copied, dict) else {}


def text_of(value: Any) -> str:
    """The canonical text of a value that was copied here."""
    return canonical_text(value)


def read(data: bytes) -> Any:
    """The one value of an answer; raises `NotJsonError` for what two readers could take for two things."""
    try:
        text = data.decode("utf-8")
        return json.loads(text, object_pairs_hook=_members, parse_constant=_constant, parse_int=_number)
    except (ValueError, OverflowError, RecursionError) as error:
        raise NotJsonError(type(error).__name__ if isinstance(error, RecursionError) else str(error)) from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJsonError("a member is repeated")
    return members


def _number(digits: str) -> int | float:
    """An integer; beyond 2^53 what the format takes its digits for, which is a double."""
    value = int(digits)
    return value if abs(value) <= INTEGER_MAX else float(value)


def _constant(name: str) -> Any:
    raise NotJsonError(f"{name} is no JSON")
