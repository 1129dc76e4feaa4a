"""One line of a bundle (format §5): the envelope that it holds, read as the canonical text that it must be.

Deliberately absent: what lies before and after an envelope, which its chain and its segment say.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from recorder_client.verify import form
from recorder_client.verify.identifier import is_event_type, is_media_type, is_name, is_uuid7
from recorder_client.verify.json_text import (
    PAYLOAD_LIMITS,
    Limits,
    Reader,
    RefusedError,
    Value,
    canonical_text,
    decode,
    parse,
)
from recorder_client.verify.limit import LINE_BYTES_MAX
from recorder_client.verify.signature import Signature, envelope_message, read_optional_signature
from recorder_client.verify.time import is_recorder_time, is_time, nanoseconds

PARENTS_MAX = 64
REFERENCES_MAX = 4096
ATTACHMENT_BYTES_MAX = 16 << 20

_LINE_LIMITS = Limits(LINE_BYTES_MAX)


class LineError(Exception):
    """A line that is no envelope; `code` is the finding."""

    def __init__(self, code: str, detail: str) -> None:
        """The finding, and what is wrong."""
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Reference:
    """An attachment that an envelope refers to."""

    content_hash: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True)
class Envelope:
    """What an envelope states, and what was computed from its content."""

    envelope_id: str
    event_type: str
    segment_id: str
    sequence: int
    position: int
    recorded_at: int
    parent_ids: list[str]
    references: list[Reference]
    payload: str | None
    stated_commitment: bytes
    computed_commitment: bytes | None
    stated_content_hash: bytes
    computed_content_hash: bytes
    chain_hash: bytes
    signature: Signature | None

    def follows(self, previous: bytes) -> bool:
        """Whether the chain hash is that of this envelope after `previous`."""
        preimage = b"\x02" + previous + self.sequence.to_bytes(8, "big") + self.recorded_at.to_bytes(8, "big")
        return hashlib.sha256(preimage + self.stated_content_hash).digest() == self.chain_hash

    def signed_message(self) -> bytes:
        """What its signature signs."""
        return envelope_message(self.stated_content_hash, self.chain_hash)


def read_line(data: bytes) -> Envelope:
    """The envelope on a line, given without its line end."""
    try:
        return _Line(decode(data, LINE_BYTES_MAX), _LINE_LIMITS, canonical=True).envelope()
    except (RefusedError, form.FormError, LineError) as error:
        raise LineError(_code(data, error), str(error)) from None


def _code(data: bytes, error: Exception) -> str:
    """What a line that is no envelope is called: no JSON, JSON of another spelling, or what is wrong in it first."""
    try:
        is_canonical = canonical_text(parse(data, _LINE_LIMITS, canonical=False)).encode() == data
    except RefusedError:
        return "line_malformed"
    if not is_canonical:
        return "line_not_canonical"
    return error.code if isinstance(error, LineError) else "line_malformed"


class _Line(Reader):
    """Reads the twenty members in their order."""

    def envelope(self) -> Envelope:
        """The whole line."""
        names = iter(_MEMBERS)
        values: dict[str, Value] = {}
        spans: dict[str, str] = {}
        self.take("{")
        for name in names:
            if values:
                self.take(",")
            self._name(name)
            start = self.at
            values[name] = self._payload() if name == "payload" else self._member(name)
            spans[name] = self.text[start : self.at]
        self.take("}")
        self.end()
        return _envelope(values, spans)

    def _name(self, expected: str) -> None:
        self.space()
        start = self.at
        if self.string() != expected:
            raise self.refuse("unexpected_byte", start)
        self.take(":")

    def _member(self, name: str) -> Value:
        value = self.value()
        identifier = _IDENTIFIERS.get(name)
        if identifier is not None and not (value is None and name in _OPTIONAL):
            _identifier(value, identifier, name)
        else:
            _FORMS[name](value)
        return value

    def _payload(self) -> Value:
        """The payload, which is counted on its own."""
        inner = _Payload(self.text, PAYLOAD_LIMITS, canonical=True)
        inner.at = self.at
        value = inner.value()
        if len(self.text[self.at : inner.at].encode()) > PAYLOAD_LIMITS.input_bytes_max:
            raise self.refuse("too_large", self.at)
        self.at = inner.at
        form.check(value is None or isinstance(value, dict), "payload: not an object")
        return value


class _Payload(Reader):
    """Reads a payload with limits of its own."""


def _identifier(value: Value, is_allowed: Callable[[str], bool], name: str) -> None:
    form.check(isinstance(value, str), f"{name}: not a string")
    if isinstance(value, str) and not is_allowed(value):
        raise LineError("identifier_invalid", name)


def _read_reference(value: Value) -> Reference:
    found = form.members(value, ("content_hash", "content_type", "size_bytes"))
    content_hash = form.hash_bytes(found["content_hash"], "content_hash").hex()
    _identifier(found["content_type"], is_media_type, "content_type")
    return Reference(
        content_hash=content_hash,
        content_type=str(found["content_type"]),
        size_bytes=form.integer(found["size_bytes"], "size_bytes", ATTACHMENT_BYTES_MAX),
    )


def _read_references(value: Value) -> list[Reference]:
    references: list[Reference] = []

    def read(item: Value) -> None:
        references.append(_read_reference(item))
        _check_order([one.content_hash for one in references[-2:]], len(references), REFERENCES_MAX)

    form.items(value, read, "attachment_refs")
    return references


def _read_parents(value: Value) -> list[str]:
    parents: list[str] = []

    def read(item: Value) -> None:
        _identifier(item, is_uuid7, "parent_ids")
        parents.append(str(item))
        _check_order(parents[-2:], len(parents), PARENTS_MAX)

    form.items(value, read, "parent_ids")
    return parents


def _check_order(last: list[str], count: int, count_max: int) -> None:
    form.check(count <= count_max and (len(last) < 2 or last[0] < last[1]), "too many, or not ascending")


def _is_salt(text: str) -> bool:
    return len(text) == 32 and all(digit in "0123456789abcdef" for digit in text)


def _check_hash(name: str) -> Callable[[Value], object]:
    return lambda value: form.hash_bytes(value, name)


def _check_integer(name: str) -> Callable[[Value], object]:
    return lambda value: form.integer(value, name)


def _check_time(name: str, is_allowed: Callable[[str], bool]) -> Callable[[Value], object]:
    return lambda value: form.text(value, is_allowed, name)


_IDENTIFIERS: dict[str, Callable[[str], bool]] = {
    "actor_id": is_name,
    "envelope_id": is_uuid7,
    "environment_id": is_name,
    "event_type": is_event_type,
    "segment_id": is_uuid7,
    "session_id": is_name,
    "trace_id": is_name,
}
_OPTIONAL = ("session_id", "trace_id")
_FORMS: dict[str, Callable[[Value], object]] = {
    "attachment_refs": _read_references,
    "chain_hash": _check_hash("chain_hash"),
    "claimed_time": _check_time("claimed_time", is_time),
    "content_hash": _check_hash("content_hash"),
    "parent_ids": _read_parents,
    "payload_commitment": _check_hash("payload_commitment"),
    "payload_salt": lambda value: value is None or form.text(value, _is_salt, "payload_salt"),
    "position": _check_integer("position"),
    "recorded_at": _check_time("recorded_at", is_recorder_time),
    "schema_version": lambda value: form.constant(value, 1, "schema_version"),
    "sequence": _check_integer("sequence"),
    "session_id": lambda _: None,
    "signature": read_optional_signature,
    "trace_id": lambda _: None,
}
_MEMBERS = tuple(sorted({*_IDENTIFIERS, *_FORMS, "payload"}))
_HASHED = (
    "actor_id", "attachment_refs", "claimed_time", "envelope_id", "environment_id", "event_type", "parent_ids",
    "payload_commitment", "schema_version", "session_id", "trace_id",
)  # fmt: skip


def _envelope(values: dict[str, Value], spans: dict[str, str]) -> Envelope:
    """The envelope of members that have their form; the line is canonical, so their text is hashed as it stands."""
    salt, payload = values["payload_salt"], None if values["payload"] is None else spans["payload"]
    form.check((salt is None) == (payload is None), "payload_salt: null exactly where the payload is")
    commitment = None
    if payload is not None:
        commitment = hashlib.sha256(b"\x03" + bytes.fromhex(str(salt)) + payload.encode()).digest()
    view = "{" + ",".join(f'"{name}":{spans[name]}' for name in _HASHED) + "}"
    return Envelope(
        envelope_id=str(values["envelope_id"]),
        event_type=str(values["event_type"]),
        segment_id=str(values["segment_id"]),
        sequence=form.integer(values["sequence"], "sequence"),
        position=form.integer(values["position"], "position"),
        recorded_at=nanoseconds(str(values["recorded_at"])) or 0,
        parent_ids=_read_parents(values["parent_ids"]),
        references=_read_references(values["attachment_refs"]),
        payload=payload,
        stated_commitment=form.hash_bytes(values["payload_commitment"], "payload_commitment"),
        computed_commitment=commitment,
        stated_content_hash=form.hash_bytes(values["content_hash"], "content_hash"),
        computed_content_hash=hashlib.sha256(view.encode()).digest(),
        chain_hash=form.hash_bytes(values["chain_hash"], "chain_hash"),
        signature=read_optional_signature(values["signature"]),
    )
