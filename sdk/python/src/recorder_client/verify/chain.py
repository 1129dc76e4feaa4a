"""The chain within a segment and across the stream (format §6): sequences, times, links, gaps.

Deliberately absent: positions, which are the log's.
"""

from collections import deque
from dataclasses import dataclass

from recorder_client.verify.envelope import Envelope
from recorder_client.verify.finding import Findings, in_line, in_segment
from recorder_client.verify.layout import PROOFS
from recorder_client.verify.proof import GapAnchor
from recorder_client.verify.time import spelled


class Anchors:
    """The gap anchors of a bundle, taken in their order; one that the next gap leaves behind is not needed."""

    def __init__(self, segment_ids: list[str], findings: Findings) -> None:
        """None yet, of these segments."""
        self._segments = {segment_id: index for index, segment_id in enumerate(segment_ids)}
        self._findings = findings
        self._left: deque[tuple[int, tuple[int, int], bytes]] = deque()
        self.used = 0

    def add(self, line: int, anchor: GapAnchor) -> None:
        """An anchor on a line of proofs; one of a segment that is not in the bundle comes before every gap."""
        place = (self._segments.get(anchor.segment_id, -1), anchor.after_sequence)
        self._left.append((line, place, anchor.chain_hash))

    def take(self, segment: int, after_sequence: int) -> bytes | None:
        """The chain hash at the end of a gap; a finding where there is none."""
        while self._left and self._left[0][1] < (segment, after_sequence):
            self._leave()
        if self._left and self._left[0][1] == (segment, after_sequence):
            self.used += 1
            return self._left.popleft()[2]
        place = in_segment(segment, after_sequence)
        self._findings.add("gap_anchor_missing", place, "no gap anchor for what is left out up to here")
        return None

    def finish(self) -> None:
        """After the last gap."""
        while self._left:
            self._leave()

    def _leave(self) -> None:
        line, _, _ = self._left.popleft()
        self._findings.add("gap_anchor_unneeded", in_line(PROOFS, line), "no envelopes are left out there")


@dataclass
class Clock:
    """The last recorded time of the stream."""

    last: int | None = None


class Chain:
    """The chain of one segment, an envelope at a time."""

    def __init__(
        self, segment: int, genesis_hash: bytes | None, anchors: Anchors, clock: Clock, findings: Findings
    ) -> None:
        """At the genesis of a segment, given by its place in the bundle; without a genesis nothing is known yet."""
        self._segment = segment
        self._anchors = anchors
        self._clock = clock
        self._findings = findings
        self._previous = genesis_hash
        self._is_after_unreadable = False
        self.next_sequence = 0
        self.links = 0

    def lose(self) -> None:
        """Something could not be read: what follows it is not known to follow anything."""
        self._is_after_unreadable = True
        self._previous = None

    def add(self, envelope: Envelope) -> None:
        """The next envelope that could be read."""
        place = in_segment(self._segment, envelope.sequence)
        if self._clock.last is not None and envelope.recorded_at < self._clock.last:
            detail = f"{spelled(envelope.recorded_at)} after {spelled(self._clock.last)}"
            self._findings.add("recorded_at_decreases", place, detail)
        self._clock.last = envelope.recorded_at
        if self._is_after_unreadable:
            self.next_sequence = max(self.next_sequence, envelope.sequence)
        if envelope.sequence < self.next_sequence:
            self._findings.add("sequence_mismatch", place, f"{envelope.sequence} cannot follow here")
            self._previous = None
        elif envelope.sequence > self.next_sequence:
            self._previous = self._anchors.take(self._segment, envelope.sequence - 1)
        if self._previous is not None:
            self.links += 1
            if not envelope.follows(self._previous):
                self._findings.add("chain_hash_mismatch", place, "does not follow from the chain hash before")
        self._previous, self._is_after_unreadable = envelope.chain_hash, False
        self.next_sequence = envelope.sequence + 1

    def end(self, envelope_count: int, chain_head: bytes) -> None:
        """After the last line: what is left out at the end, and the head."""
        if self._previous is not None and self.next_sequence < envelope_count:
            self._previous = self._anchors.take(self._segment, envelope_count - 1)
        if self._previous is not None and self._previous != chain_head:
            place = in_segment(self._segment)
            self._findings.add("chain_head_mismatch", place, f"{self._previous.hex()} found, {chain_head.hex()} stated")
