"""Whom the auditor believes where (format §9 to §11): the keys of the trust root, and what rotations say of keys.

Deliberately absent: deciding whether a rotation holds, which `succession` does.
"""

from dataclasses import dataclass, field

from recorder_client.verify.trust_root import TrustRoot


@dataclass
class _Reign:
    """Where rotations let a key sign: from a position on, and below another."""

    first: int = 0
    end: int | None = None

    def holds(self, position: int) -> bool:
        return self.first <= position and (self.end is None or position < self.end)


@dataclass
class Keyring:
    """What is known of keys for one stream."""

    stream: tuple[str, str]
    trust_root: TrustRoot | None
    _reigns: dict[str, _Reign] = field(default_factory=dict)
    _brought_in: dict[str, bytes] = field(default_factory=dict)

    def is_silent(self) -> bool:
        """Whether the trust root holds no key for the stream."""
        return self.trust_root is None or not self.trust_root.has_key_for(self.stream)

    def end(self, key_id: str, position: int) -> None:
        """The key signs below `position` only."""
        reign = self._reigns.setdefault(key_id, _Reign())
        reign.end = position if reign.end is None else min(reign.end, position)

    def begin(self, key_id: str, position: int) -> None:
        """The key signs from `position` on only."""
        self._reigns.setdefault(key_id, _Reign()).first = position

    def was_in_force(self, key_id: str) -> bool:
        """Whether a rotation before named this key."""
        return key_id in self._reigns

    def bring_in(self, key_id: str, public_key: bytes) -> None:
        """A trusted key vouched for this one."""
        self._brought_in[key_id] = public_key

    def public_key(self, key_id: str) -> bytes | None:
        """The key with this id, for whatever stream or position."""
        named = self.trust_root.keys.get(key_id) if self.trust_root else None
        return named.public_key if named else self._brought_in.get(key_id)

    def public_keys(self) -> dict[str, bytes]:
        """All keys by their ids."""
        named = {key.key_id: key.public_key for key in self.trust_root.keys.values()} if self.trust_root else {}
        return {**self._brought_in, **named}

    def objection(self, key_id: str, position: int) -> str | None:
        """The finding against a signature by this key at this position; none where it may sign there."""
        named = self.trust_root.keys.get(key_id) if self.trust_root else None
        if named is None and key_id not in self._brought_in:
            return "key_unknown"
        if named is not None and not named.is_for(self.stream):
            return "key_not_for_stream"
        if named is not None and named.is_compromised:
            return "key_compromised"
        reign = self._reigns.get(key_id)
        is_outside = named is not None and not named.is_at(position)
        if is_outside or (reign is not None and not reign.holds(position)):
            return "key_not_for_position"
        return None

    def is_trusted(self, key_id: str, position: int) -> bool:
        """Whether a signature by this key would vouch at this position."""
        return self.objection(key_id, position) is None
