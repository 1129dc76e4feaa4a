"""Identifiers (format §2): names, event types, media types, UUIDs and hashes, compared as they are.

Deliberately absent: `unicodedata`. The lists below are the rule, whatever Unicode this Python knows.
"""

import re

NAME_MAX = 256
ADAPTER_NAME_MAX = 128

WHITE_SPACE = """
0009-000D 0020 0085 00A0 1680 2000-200A 2028-2029 202F
205F 3000
"""

FORBIDDEN = """
0000-001F 007F-009F 00AD 034F 0600-0605 061C 06DD 070F
0890-0891 08E2 115F-1160 17B4-17B5 180B-180F 200B-200F 2028-202E 2060-206F
3164 D800-F8FF FE00-FE0F FEFF FFA0 FFF0-FFFB 110BD 110CD
13430-1343F 1BCA0-1BCA3 1D173-1D17A E0000-E0FFF F0000-FFFFD 100000-10FFFD
"""


def _class(table: str) -> str:
    """A table of code points as the inside of a regular expression's character class."""
    ranges = (entry.partition("-") for entry in table.split())
    return "".join(f"\\U{int(first, 16):08x}-\\U{int(last or first, 16):08x}" for first, _, last in ranges)


_FORBIDDEN = re.compile(f"[{_class(FORBIDDEN)}]")
_SPACE_AT_AN_END = re.compile(f"\\A[{_class(WHITE_SPACE)}]|[{_class(WHITE_SPACE)}]\\Z")
_NOT_SPACE = re.compile(f"[^{_class(WHITE_SPACE)}]")
_KEY_NAME = re.compile(f"[^{_class(WHITE_SPACE)}+\\x00-\\x1f\\x7f-\\x9f]+\\Z")
_EVENT_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*\Z")
_EVENT_TYPE_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*\.?\Z")
_TOKEN = r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+"  # noqa: S105
_QUOTED = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"'
_MEDIA_TYPE = re.compile(f"{_TOKEN}/{_TOKEN}(?:[ \\t]*;[ \\t]*{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))*\\Z")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_HASH = re.compile(r"[0-9a-f]{64}\Z")


def is_name(text: str, characters_max: int = NAME_MAX) -> bool:
    """Whether `text` may be an id of an actor, an environment, a trace, a session, a tenant or a recorder."""
    return 0 < len(text) <= characters_max and not _SPACE_AT_AN_END.search(text) and not _FORBIDDEN.search(text)


def is_reason(text: str) -> bool:
    """Whether `text` may be the reason of a rotation (§10)."""
    return 0 < len(text) <= NAME_MAX and _NOT_SPACE.search(text) is not None and not _FORBIDDEN.search(text)


def is_key_name(text: str) -> bool:
    """Whether `text` may name a key in a signed note (§8)."""
    return _KEY_NAME.match(text) is not None


def is_event_type(text: str) -> bool:
    """Whether `text` may be an event type."""
    return len(text) <= 128 and _EVENT_TYPE.match(text) is not None


def is_event_type_prefix(text: str) -> bool:
    """Whether an event type may begin with `text`."""
    return len(text) <= 128 and _EVENT_TYPE_PREFIX.match(text) is not None


def is_media_type(text: str) -> bool:
    """Whether `text` may be the type of an attachment."""
    return len(text) <= 255 and _MEDIA_TYPE.match(text) is not None


def is_uuid7(text: str) -> bool:
    """Whether `text` may be the id of an envelope, a segment or a bundle."""
    return _UUID7.match(text) is not None


def is_hash(text: str) -> bool:
    """Whether `text` is 32 bytes in lower-case hex."""
    return _HASH.match(text) is not None
