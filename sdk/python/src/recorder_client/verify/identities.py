"""Envelope ids and parents (format §15, content): none twice, and each parent here or listed as omitted.

Ids are looked at in rounds, each holding those of one share of all ids, so that memory stays bounded.

Deliberately absent: order among envelopes. A parent may come later.
"""

from itertools import pairwise

from recorder_client.verify.envelope import Envelope
from recorder_client.verify.finding import Findings, Place, in_list, in_part
from recorder_client.verify.layout import MANIFEST
from recorder_client.verify.limit import Limits, require

IDS_IN_ROUND_MAX = 2_000_000


def rounds_for(envelope_count: int, limits: Limits, ids_in_round_max: int = IDS_IN_ROUND_MAX) -> int:
    """How many rounds this many ids take."""
    rounds = max(1, -(-envelope_count // ids_in_round_max))
    require("rounds over all ids", rounds, limits.id_rounds_max)
    return rounds


class Identities:
    """One round: the ids and parents of one share."""

    def __init__(self, number: int, rounds: int, omitted: list[str], findings: Findings) -> None:
        """Round `number` of so many."""
        self._number, self._rounds = number, rounds
        self._findings = findings
        self._ids: set[bytes] = set()
        self._parents: dict[bytes, Place] = {}
        self._omitted: dict[bytes, int] = {}
        for index, key in enumerate(map(_key, omitted)):
            if self._is_mine(key):
                self._omitted.setdefault(key, index)
        if number == 0 and any(before >= after for before, after in pairwise(omitted)):
            findings.add("omitted_parents_unordered", in_part(MANIFEST), "not ascending, or one twice")

    def _is_mine(self, key: bytes) -> bool:
        return self._rounds == 1 or int.from_bytes(key[-2:], "big") % self._rounds == self._number

    def add(self, envelope: Envelope, place: Place) -> None:
        """An envelope that stands on a line."""
        key = _key(envelope.envelope_id)
        if self._is_mine(key):
            if key in self._ids:
                self._findings.add("envelope_repeated", place, "an earlier envelope has its id")
            if key in self._omitted:
                self._findings.add("omitted_parent_present", place, "listed as omitted")
            self._ids.add(key)
        for parent in map(_key, envelope.parent_ids):
            if self._is_mine(parent):
                self._parents.setdefault(parent, place)

    def finish(self) -> None:
        """Resolves the parents of this round."""
        for parent, place in self._parents.items():
            if parent not in self._ids and parent not in self._omitted:
                self._findings.add("parent_unlisted", place, "a parent is neither here nor listed as omitted")
        for key, index in self._omitted.items():
            if key not in self._parents:
                self._findings.add("omitted_parent_unnamed", in_list("omitted_parent_ids", index), "nobody's parent")


def _key(id_: str) -> bytes:
    return bytes.fromhex(id_.replace("-", ""))
