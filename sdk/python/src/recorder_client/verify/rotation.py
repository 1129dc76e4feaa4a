"""A rotation's payload (format §10): its form, and the two proofs in it.

Deliberately absent: whether it stands in its place, and what follows from it.
"""

from dataclasses import dataclass

from recorder_client.verify import ed25519, form
from recorder_client.verify.identifier import is_name, is_reason
from recorder_client.verify.json_text import PAYLOAD_LIMITS, RefusedError, canonical_text, parse
from recorder_client.verify.signature import Signature, key_id_of, read_signature, rotation_message

ROTATED = "system.adapter.key_rotated"
BREAK_GLASS = "system.adapter.key_rotated_break_glass"
EVENT_TYPES = (ROTATED, BREAK_GLASS)

_SIGNED = (
    "effective_position", "epoch", "new_key_id", "new_public_key", "old_key_id", "predecessor_seal_hash", "reason",
    "recorder_id", "tenant_id",
)  # fmt: skip


@dataclass(frozen=True)
class Rotation:
    """A change of keys, whose new key vouches for it."""

    is_break_glass: bool
    effective_position: int
    epoch: int
    new_key_id: str
    new_public_key: bytes
    old_key_id: str
    predecessor_seal_hash: bytes
    stream: tuple[str, str]
    proof_old: Signature | None
    members: bytes

    def is_vouched_by_old(self, public_key: bytes) -> bool:
        """Whether the old key, which this is, vouches too."""
        return self.proof_old is not None and self.proof_old.holds(public_key, rotation_message(self.members))


def read_rotation(event_type: str, payload: str) -> Rotation:
    """The rotation of an envelope; raises `FormError` where it has not its form or its new key does not vouch."""
    try:
        value = parse(payload.encode(), PAYLOAD_LIMITS, canonical=True)
    except RefusedError as error:
        raise form.FormError(str(error)) from None
    is_break_glass = event_type == BREAK_GLASS
    proofs = ("proof_new",) if is_break_glass else ("proof_new", "proof_old")
    found = form.members(value, (*_SIGNED, *proofs))
    new_public_key = form.hash_bytes(found["new_public_key"], "new_public_key")
    form.check(ed25519.is_strict_point(new_public_key), "new_public_key: not a key")
    new_key_id = form.hash_bytes(found["new_key_id"], "new_key_id").hex()
    old_key_id = form.hash_bytes(found["old_key_id"], "old_key_id").hex()
    form.check(new_key_id == key_id_of(new_public_key), "new_key_id: not that of the key")
    form.check(new_key_id != old_key_id, "old_key_id: the new one")
    form.text(found["reason"], is_reason, "reason")
    proof_new = read_signature(found["proof_new"])
    proof_old = None if is_break_glass else read_signature(found["proof_old"])
    members = canonical_text({name: found[name] for name in _SIGNED}).encode()
    form.check(proof_new.key_id == new_key_id, "proof_new: by another key")
    form.check(proof_old is None or proof_old.key_id == old_key_id, "proof_old: by another key")
    form.check(proof_new.holds(new_public_key, rotation_message(members)), "proof_new: does not hold")
    return Rotation(
        is_break_glass=is_break_glass,
        effective_position=form.integer(found["effective_position"], "effective_position", minimum=1),
        epoch=form.integer(found["epoch"], "epoch", minimum=1),
        new_key_id=new_key_id,
        new_public_key=new_public_key,
        old_key_id=old_key_id,
        predecessor_seal_hash=form.hash_bytes(found["predecessor_seal_hash"], "predecessor_seal_hash"),
        stream=(
            form.text(found["tenant_id"], is_name, "tenant_id"),
            form.text(found["recorder_id"], is_name, "recorder_id"),
        ),
        proof_old=proof_old,
        members=members,
    )
