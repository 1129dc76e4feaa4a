"""The trust root (format §11): the auditor's own file of keys.

Deliberately absent: any use of a part of a file that is refused as a whole.
"""

from dataclasses import dataclass

from recorder_client.verify import ed25519, form
from recorder_client.verify.identifier import is_name
from recorder_client.verify.json_text import Limits, RefusedError, Value, parse
from recorder_client.verify.limit import TRUST_ROOT_BYTES_MAX
from recorder_client.verify.signature import key_id_of

_STATUSES = ("active", "retired", "compromised")
_TYPE = "recorder.trust-root/v1"


class TrustRootError(Exception):
    """The file is no trust root; nothing of it is used."""


@dataclass(frozen=True)
class TrustedKey:
    """What the auditor says of a key; no streams means all of them."""

    key_id: str
    public_key: bytes
    streams: frozenset[tuple[str, str]]
    is_compromised: bool
    first_position: int
    last_position: int | None

    def is_for(self, stream: tuple[str, str]) -> bool:
        """Whether the key is one of this stream, given as tenant and recorder."""
        return not self.streams or stream in self.streams

    def is_at(self, position: int) -> bool:
        """Whether the auditor lets the key sign there."""
        return self.first_position <= position and (self.last_position is None or position <= self.last_position)


@dataclass(frozen=True)
class TrustRoot:
    """The keys by their ids, and whether there is a policy about witnesses."""

    keys: dict[str, TrustedKey]
    has_witness_policy: bool

    def has_key_for(self, stream: tuple[str, str]) -> bool:
        """Whether any key is one of this stream."""
        return any(key.is_for(stream) for key in self.keys.values())


def read_trust_root(data: bytes) -> TrustRoot:
    """The trust root that `data` is."""
    try:
        value = parse(data, Limits(TRUST_ROOT_BYTES_MAX), canonical=False)
        return _read(value)
    except (RefusedError, form.FormError) as error:
        raise TrustRootError(str(error)) from None


def _read(value: Value) -> TrustRoot:
    found = form.members(value, ("keys", "type"), ("witness_policy",))
    form.constant(found["type"], _TYPE, "type")
    keys = form.items(found["keys"], _read_key, "keys")
    by_id = {key.key_id: key for key in keys}
    form.check(len(keys) > 0 and len(by_id) == len(keys), "keys: none, or one twice")
    policy = "witness_policy" in found
    form.check(not policy or isinstance(found["witness_policy"], str), "witness_policy: not a text")
    return TrustRoot(by_id, policy)


def _read_key(value: Value) -> TrustedKey:
    bounds = ("valid_from_position", "valid_until_position")
    found = form.members(value, ("key_id", "public_key", "status", "streams"), bounds)
    public_key = form.hash_bytes(found["public_key"], "public_key")
    form.check(ed25519.is_strict_point(public_key), "public_key: not a key")
    form.check(found["key_id"] == key_id_of(public_key), "key_id: not that of the key")
    status = form.text(found["status"], _STATUSES.__contains__, "status")
    streams = _read_streams(found["streams"])
    first, last = (form.integer(found[name], name, 2**53) if name in found else None for name in bounds)
    form.check((first is None and last is None) or len(streams) == 1, "positions without one stream")
    form.check(first is None or last is None or first <= last, "positions: the first is after the last")
    return TrustedKey(key_id_of(public_key), public_key, streams, status == "compromised", first or 0, last)


def _read_streams(value: Value) -> frozenset[tuple[str, str]]:
    if value == ["*"]:
        return frozenset()
    streams = form.items(value, read_stream, "streams")
    form.check(0 < len(streams) == len(set(streams)), "streams: none, or one twice")
    return frozenset(streams)


def read_stream(value: Value) -> tuple[str, str]:
    """A stream as tenant and recorder."""
    found = form.members(value, ("recorder_id", "tenant_id"))
    return form.text(found["tenant_id"], is_name, "tenant_id"), form.text(found["recorder_id"], is_name, "recorder_id")
