"""Drafts that say the same each time: with an id, a time and a salt of their own, fixed before anything is sent.

A draft without them would be another event in every attempt. `repeatable` fills in what is missing; a draft that has
all three is recorded once however often it is sent.

Deliberately absent: the time of recording, which is the recorder's to say.
"""

import datetime
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from recorder_client.errors import InvalidRequestError
from recorder_client.json_value import UnrepresentableError, text_of
from recorder_client.model_base import asked
from recorder_client.models import AttachmentRef, Draft, Receipt
from recorder_client.surroundings import REAL, Surroundings
from recorder_client.verify.json_text import PAYLOAD_LIMITS
from recorder_client.verify.time import canonical_time, spelled

SALT_KEY_BYTES = 32


def uuid7(time_ns: int, random_bytes: bytes) -> str:
    """A UUID of version 7 (RFC 9562 section 5.7) from a time and ten random bytes."""
    value = (time_ns // 1_000_000 & (1 << 48) - 1) << 80 | int.from_bytes(random_bytes[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def new_id(surroundings: Surroundings = REAL) -> str:
    """An id for an envelope, for a draft that others are to name as their parent."""
    return uuid7(surroundings.time_ns(), surroundings.random_bytes(10))


def derived_salt(key: bytes, envelope_id: str) -> str:
    """The salt of an import that is to be repeatable: HMAC-SHA-256 of the id under a secret key of 32 bytes.

    Adapters derive theirs in the same way. Without the key, nobody can test guesses of a withheld payload.
    """
    if len(key) != SALT_KEY_BYTES:
        raise InvalidRequestError(f"the salt key has {len(key)} bytes, not {SALT_KEY_BYTES}")
    return hmac.digest(key, bytes.fromhex(envelope_id.replace("-", "")), "sha256")[:16].hex()


def time_text(moment: datetime.datetime) -> str:
    """How a draft names a moment: UTC; raises `InvalidRequestError` for one without a time zone."""
    offset = moment.utcoffset()
    if offset is None:
        raise InvalidRequestError("a claimed time needs a time zone")
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def repeatable(draft: Draft, surroundings: Surroundings = REAL) -> Draft:
    """The same draft with an id, a claimed time and a salt, where it had none."""
    missing: dict[str, Any] = {}
    if draft.envelope_id is None:
        missing["envelope_id"] = new_id(surroundings)
    if draft.claimed_time is None:
        missing["claimed_time"] = spelled(surroundings.time_ns())
    if draft.payload_salt is None:
        missing["payload_salt"] = surroundings.random_bytes(16).hex()
    return draft.model_copy(update=missing) if missing else draft


@dataclass(frozen=True)
class Prepared:
    """A draft as it is sent, and what its receipt must say."""

    draft: Draft = field(repr=False)
    envelope_id: str
    text: str = field(repr=False)
    payload_commitment: str
    content_hash: str
    salt_may_differ: bool = False
    """Whether it may have been recorded before under a salt that is not known here."""

    def disagreement(self, receipt: Receipt, *, may_be_replay: bool) -> str | None:
        """The first member in which a receipt is not about this draft.

        A salt does not make another event: who sends an id of its own again without a salt is given the first receipt,
        which commits to the payload under the first salt. Only its id can be compared.
        """
        names = ("envelope_id", "payload_commitment", "content_hash")
        for name in names[:1] if may_be_replay and self.salt_may_differ else names:
            if getattr(receipt, name) != getattr(self, name):
                return name
        return None


def prepare(draft: Draft, surroundings: Surroundings, attached: Iterable[AttachmentRef] = ()) -> Prepared:
    """Makes a draft repeatable, writes it, and computes what the evidence format says of it (format section 5)."""
    # A payload may have been changed since it was checked.
    given = {name: value for name, value in repeatable(draft, surroundings) if value is not None}
    whole = asked(Draft, **given)
    payload = text_of(whole.payload)
    size_bytes = len(payload.encode())
    if size_bytes > PAYLOAD_LIMITS.input_bytes_max:
        raise UnrepresentableError("payload", f"{size_bytes} bytes; {PAYLOAD_LIMITS.input_bytes_max} are taken")
    commitment = hashlib.sha256(b"\x03" + bytes.fromhex(whole.payload_salt or "") + payload.encode()).hexdigest()
    view = _hashable_view(whole, commitment, attached)
    members = {name: text_of(value) for name, value in whole.as_json().items() if name != "payload"}
    members["payload"] = payload
    return Prepared(
        draft=whole,
        envelope_id=whole.envelope_id or "",
        text="{" + ",".join(f'"{name}":{members[name]}' for name in sorted(members)) + "}",
        payload_commitment=commitment,
        content_hash=hashlib.sha256(text_of(view).encode()).hexdigest(),
        salt_may_differ=draft.envelope_id is not None and draft.payload_salt is None,
    )


def _hashable_view(draft: Draft, commitment: str, attached: Iterable[AttachmentRef]) -> dict[str, Any]:
    references = {one.content_hash: one for one in (*(draft.attachment_refs or ()), *attached)}
    return {
        "actor_id": draft.actor_id,
        "attachment_refs": [references[name].as_json() for name in sorted(references)],
        "claimed_time": canonical_time(draft.claimed_time or ""),
        "envelope_id": draft.envelope_id,
        "environment_id": draft.environment_id,
        "event_type": draft.event_type,
        "parent_ids": sorted(draft.parent_ids or ()),
        "payload_commitment": commitment,
        "schema_version": 1,
        "session_id": draft.session_id,
        "trace_id": draft.trace_id,
    }
