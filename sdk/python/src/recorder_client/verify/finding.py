"""Findings (format §16): what is wrong, where, and how a report orders and counts it.

Deliberately absent: what a finding means for the five answers, which is `verdict`'s.
"""

import bisect
from dataclasses import dataclass, field
from typing import NamedTuple

from recorder_client.verify.code import CODES, PHASES, Code, Phase

# A report lists this many findings and counts the rest.
LISTED_MAX = 1000

_RANK = {name: rank for rank, name in enumerate(CODES)}
_PHASE_RANK = {phase: rank for rank, phase in enumerate(PHASES)}


class Place(NamedTuple):
    """Where a finding is; places sort as tuples: by kind, then names by bytes and numbers by value."""

    kind: int
    name: bytes = b""
    first: int = 0
    second: int = 0

    def __str__(self) -> str:
        """As a report spells it."""
        name = self.name.decode("utf-8", "replace")
        return (
            "bundle",
            name,
            f"{name}:{self.first}",
            f"manifest.json {name}[{self.first}]",
            f"segment {self.first}",
            f"segment {self.first}, sequence {self.second}",
            f"position {self.first}",
            f"known head {self.first}",
        )[self.kind]


BUNDLE = Place(0)


def in_part(name: str) -> Place:
    """A part, or a member of an archive."""
    return Place(1, name.encode())


def in_line(part: str, line: int) -> Place:
    """A line of a part, counted from 1."""
    return Place(2, part.encode(), line)


def in_list(name: str, index: int) -> Place:
    """An entry of a list in the manifest, counted from 0."""
    return Place(3, name.encode(), index)


def in_segment(segment: int, sequence: int | None = None) -> Place:
    """A segment by its place in the bundle, or an envelope of it by its sequence."""
    return Place(4, first=segment) if sequence is None else Place(5, first=segment, second=sequence)


def at_position(position: int) -> Place:
    """A position of the log."""
    return Place(6, first=position)


def at_known_head(index: int) -> Place:
    """A head that the auditor gave, counted from 0."""
    return Place(7, first=index)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that could not be proven."""

    code: Code
    place: Place
    detail: str

    def key(self) -> tuple[int, Place, int]:
        """What reports are ordered by."""
        return _PHASE_RANK[self.code.phase], self.place, _RANK[self.code.name]


@dataclass
class Findings:
    """The first findings in the order of a report, and how many there are of each code."""

    listed: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, place: Place, detail: str = "") -> None:
        """Notes one more."""
        self.counts[code] = self.counts.get(code, 0) + 1
        finding = Finding(CODES[code], place, detail)
        if len(self.listed) == LISTED_MAX:
            if finding.key() >= self.listed[-1].key():
                return
            self.listed.pop()
        bisect.insort_right(self.listed, finding, key=Finding.key)

    @property
    def total(self) -> int:
        """How many there are, listed or not."""
        return sum(self.counts.values())

    def total_in(self, phase: Phase) -> int:
        """How many there are in a phase, listed or not."""
        return sum(count for name, count in self.counts.items() if CODES[name].phase is phase)

    def bears_on(self, question: str, *, failures_only: bool) -> bool:
        """Whether any bears on a question."""
        return any(
            CODES[name].question == question and (CODES[name].is_failure or not failures_only) for name in self.counts
        )

    def has_warning(self) -> bool:
        """Whether any is a warning."""
        return any(not CODES[name].is_failure for name in self.counts)
