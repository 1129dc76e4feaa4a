"""Signature objects and what they sign (format §9).

Deliberately absent: which key may sign where, which is `keyring`'s.
"""

import hashlib
from dataclasses import dataclass

from recorder_client.verify import ed25519, form
from recorder_client.verify.json_text import Value

_ENVELOPE = b"recorder signature v1: envelope\n"
_SEAL = b"recorder signature v1: seal\n"
_ROTATION = b"recorder signature v1: rotation\n"
_PAYLOAD_TYPE = "application/vnd.recorder.manifest+json"
SIGNATURES_MAX = 16


@dataclass(frozen=True)
class Signature:
    """64 bytes, and the key that they say they are by."""

    key_id: str
    value: bytes

    def holds(self, public_key: bytes, message: bytes) -> bool:
        """Whether it is a signature of `message` by `public_key`."""
        return ed25519.is_valid(public_key, self.value, message)


def key_id_of(public_key: bytes) -> str:
    """The id of a key."""
    return hashlib.sha256(public_key).hexdigest()


def read_signature(value: Value) -> Signature:
    """A signature object."""
    found = form.members(value, ("algorithm", "key_id", "value"))
    form.constant(found["algorithm"], "ed25519", "algorithm")
    hash_ = form.hash_bytes(found["key_id"], "key_id")
    return Signature(hash_.hex(), bytes.fromhex(form.text(found["value"], _is_signature, "value")))


def read_optional_signature(value: Value) -> Signature | None:
    """A signature object, or nothing where it is `null`."""
    return None if value is None else read_signature(value)


def envelope_message(content_hash: bytes, chain_hash: bytes) -> bytes:
    """What the signature of an envelope signs."""
    return _ENVELOPE + content_hash + chain_hash


def seal_message(seal_hash: bytes) -> bytes:
    """What the signature of a seal signs."""
    return _SEAL + seal_hash


def rotation_message(members: bytes) -> bytes:
    """What both proofs of a rotation sign."""
    return _ROTATION + members


def manifest_message(manifest: bytes) -> bytes:
    """The DSSE pre-authentication encoding of a manifest."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(manifest), manifest)


def read_dsse(value: Value, manifest: bytes) -> list[Signature]:
    """The signatures of a DSSE envelope that is about this manifest."""
    found = form.members(value, ("payload", "payloadType", "signatures"))
    form.constant(found["payloadType"], _PAYLOAD_TYPE, "payloadType")
    payload = form.base64_bytes(form.text(found["payload"], bool, "payload"))
    form.check(payload == manifest, "payload: not the manifest at hand")
    signatures = form.items(found["signatures"], _read_dsse_signature, "signatures")
    form.check(1 <= len(signatures) <= SIGNATURES_MAX, "signatures: none or too many")
    form.check(len({one.key_id for one in signatures}) == len(signatures), "signatures: a key twice")
    return signatures


def _read_dsse_signature(value: Value) -> Signature:
    found = form.members(value, ("keyid", "sig"))
    key_id = form.hash_bytes(found["keyid"], "keyid").hex()
    decoded = form.base64_bytes(form.text(found["sig"], bool, "sig"))
    if decoded is None or len(decoded) != 64:
        raise form.FormError("sig: not a signature in base64")
    return Signature(key_id, decoded)


def _is_signature(text: str) -> bool:
    return len(text) == 128 and all(digit in "0123456789abcdef" for digit in text)
