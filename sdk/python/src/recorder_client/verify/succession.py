"""Rotations (format §10): which of them hold, and what follows for the keys.

Deliberately absent: guesses. What a bundle leaves out changes nothing but what may be required of the next rotation.
"""

from dataclasses import dataclass

from recorder_client.verify import form
from recorder_client.verify.envelope import Envelope
from recorder_client.verify.keyring import Keyring
from recorder_client.verify.rotation import EVENT_TYPES, Rotation, read_rotation
from recorder_client.verify.segment import Genesis, Seal


@dataclass(frozen=True)
class SegmentStart:
    """The beginning of a segment, and the one before it where that directly precedes it in the bundle."""

    genesis: Genesis | None
    first: Envelope | None
    is_first_of_stream: bool
    has_before: bool
    before_seal: Seal | None


@dataclass
class Succession:
    """What the rotations so far say."""

    keyring: Keyring
    _epoch: int = 0
    _key_id: str | None = None
    _is_gapless: bool = True

    def may_rotate(self, start: SegmentStart) -> bool:
        """Whether a rotation may begin the segment, as far as its seal before tells."""
        if start.has_before:
            return start.before_seal is None or start.before_seal.reason == "key_rotation"
        if start.is_first_of_stream:
            return False
        self._lose_track()
        return True

    def follow(self, start: SegmentStart) -> tuple[bool, Rotation | None]:
        """Whether the first line is a rotation that was judged, and the rotation where it is there.

        Raises `FormError` where it is there and does not hold; nothing follows from it then.
        """
        first = start.first
        if first is None or first.sequence != 0 or start.genesis is None:
            self._lose_track()
            return False, None
        if first.event_type not in EVENT_TYPES:
            return False, None
        if first.payload is None:
            self._end_without_payload(start, start.genesis.first_position)
            return True, None
        try:
            rotation = read_rotation(first.event_type, first.payload)
            self._check(rotation, start, start.genesis, first)
        except form.FormError:
            self._lose_track()
            raise
        self._apply(rotation)
        return True, rotation

    def _lose_track(self) -> None:
        """Something was left out, so that a rotation may have been missed."""
        self._is_gapless = False
        self._key_id = None

    def _end_without_payload(self, start: SegmentStart, position: int) -> None:
        """The key that sealed before ends, whichever begins."""
        self._lose_track()
        if start.before_seal is not None and start.before_seal.signature is not None:
            self.keyring.end(start.before_seal.signature.key_id, position)

    def _check(self, rotation: Rotation, start: SegmentStart, genesis: Genesis, first: Envelope) -> None:
        place = rotation.effective_position
        form.check(place == first.position == genesis.first_position, "effective_position: not here")
        form.check(rotation.stream == self.keyring.stream, "of another stream")
        named = genesis.predecessor.seal_hash if genesis.predecessor else None
        form.check(named == rotation.predecessor_seal_hash, "predecessor_seal_hash: another one")
        if start.has_before:
            self._check_seal(rotation, start.before_seal)
        form.check(self._key_id in (None, rotation.old_key_id), "old_key_id: not the one in force")
        form.check(not self.keyring.was_in_force(rotation.new_key_id), "new_key_id: was in force before")
        follows = rotation.epoch == self._epoch + 1 if self._is_gapless else rotation.epoch > self._epoch
        form.check(follows, "epoch: does not follow")
        self._check_old_proof(rotation)

    def _check_seal(self, rotation: Rotation, seal: Seal | None) -> None:
        """The seal before, which the bundle must hold, is by the key that ends, or by the other where that is lost."""
        if seal is None or seal.signature is None or seal.hash != rotation.predecessor_seal_hash:
            raise form.FormError("the seal before it is not there, not signed, or another one")
        signers = (rotation.old_key_id, rotation.new_key_id) if rotation.is_break_glass else (rotation.old_key_id,)
        form.check(seal.signature.key_id in signers, "another key sealed the segment before")

    def _check_old_proof(self, rotation: Rotation) -> None:
        if rotation.is_break_glass or not self.keyring.is_trusted(rotation.old_key_id, rotation.effective_position - 1):
            return
        public_key = self.keyring.public_key(rotation.old_key_id)
        form.check(public_key is not None and rotation.is_vouched_by_old(public_key), "proof_old: does not hold")

    def _apply(self, rotation: Rotation) -> None:
        keyring, position = self.keyring, rotation.effective_position
        if not rotation.is_break_glass and keyring.is_trusted(rotation.old_key_id, position - 1):
            keyring.bring_in(rotation.new_key_id, rotation.new_public_key)
        keyring.end(rotation.old_key_id, position)
        keyring.begin(rotation.new_key_id, position)
        self._epoch, self._key_id = rotation.epoch, rotation.new_key_id
