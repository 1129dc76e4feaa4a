"""Objects of the format: exactly these members, each of its form.

Deliberately absent: anything that a form does not say by itself, such as hashes that must agree.
"""

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar

from recorder_client.verify.identifier import is_hash
from recorder_client.verify.json_text import Value

T = TypeVar("T")

POSITION_MAX = 2**40 - 1


class FormError(Exception):
    """An object that does not have its form."""


def check(holds: bool, what: str) -> None:  # noqa: FBT001
    """Requires what a form says."""
    if not holds:
        raise FormError(what)


def members(value: Value, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Value]:
    """An object with exactly these members; the optional ones may be absent."""
    if not isinstance(value, dict):
        raise FormError("not an object")
    for name in value:
        check(name in names or name in optional, f"{name}: unknown member")
    for name in names:
        check(name in value, f"{name}: missing")
    return value


def text(value: Value, is_allowed: Callable[[str], bool], what: str) -> str:
    """A string that keeps its rule."""
    if not isinstance(value, str) or not is_allowed(value):
        raise FormError(f"{what}: not allowed")
    return value


def hash_bytes(value: Value, what: str) -> bytes:
    """32 bytes in hex."""
    return bytes.fromhex(text(value, is_hash, what))


def integer(value: Value, what: str, maximum: int = POSITION_MAX, minimum: int = 0) -> int:
    """An integer in its range, spelled as one."""
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise FormError(f"{what}: not an integer in its range")
    return value


def constant(value: Value, expected: str | int, what: str) -> None:
    """The one value that is allowed."""
    check(type(value) is type(expected) and value == expected, f"{what}: not {expected}")


def items(value: Value, read: Callable[[Value], T], what: str) -> list[T]:
    """An array of what `read` reads."""
    if not isinstance(value, list):
        raise FormError(f"{what}: not an array")
    return [read(item) for item in value]


def base64_bytes(encoded: str) -> bytes | None:
    """RFC 4648 §4, padded, unused bits zero; none where it is spelled otherwise."""
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == encoded else None
