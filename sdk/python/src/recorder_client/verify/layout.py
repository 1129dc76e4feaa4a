"""Which parts a bundle has, by their names (format §13).

Deliberately absent: their bytes.
"""

import re
from dataclasses import dataclass, field

from recorder_client.verify.finding import Findings, in_list, in_part
from recorder_client.verify.manifest import Manifest

MANIFEST = "manifest.json"
SIGNATURE = "manifest.dsse.json"
CHECKPOINT = "checkpoint"
README = "README.txt"
PROOFS = "proofs/000000.jsonl"
ATTACHMENTS = "attachments/sha256/"

_ATTACHMENT = re.compile(re.escape(ATTACHMENTS) + r"[0-9a-f]{64}\Z")
_OF_SEGMENT = re.compile(r"segments/([0-9]{6,18})/(genesis\.json|seal\.json|envelopes-([0-9]{6,18})\.jsonl)\Z")


@dataclass
class SegmentParts:
    """The parts of one segment."""

    genesis: str
    seal: str | None = None
    envelopes: list[str] = field(default_factory=list)


@dataclass
class Layout:
    """The parts of a bundle by what they are."""

    signature: str | None = None
    checkpoint: str | None = None
    readme: str | None = None
    segments: list[SegmentParts] = field(default_factory=list)
    proofs: str | None = None
    attachments: list[str] = field(default_factory=list)


class _MisplacedError(Exception):
    """A part that cannot stand where it does."""


def read_layout(manifest: Manifest, *, is_signed: bool, findings: Findings) -> Layout | None:
    """The layout of the listed parts; none, and a finding, at the first that cannot stand where it does."""
    layout = Layout(signature=SIGNATURE if is_signed else None)
    last: tuple[int, int, int, int, str] | None = None
    for index, part in enumerate(manifest.parts):
        key = _order(part.name)
        try:
            if key is None or (last is not None and key <= last):
                raise _MisplacedError("no part, or listed in another order")
            _place(layout, part.name, key, len(manifest.segments))
        except _MisplacedError as error:
            findings.add("part_list", in_list("parts", index), str(error))
            return None
        last = key
    if not manifest.segments:
        findings.add("bundle_empty", in_part(MANIFEST), "the manifest lists no segment")
        return None
    if len(layout.segments) != len(manifest.segments):
        findings.add("part_list", in_part(MANIFEST), "a segment has no parts")
        return None
    return layout


def _order(name: str) -> tuple[int, int, int, int, str] | None:
    """What parts are ordered by; none for what is no part of a bundle."""
    single = {CHECKPOINT: 0, README: 1, PROOFS: 3}.get(name)
    if single is not None:
        return single, 0, 0, 0, ""
    if _ATTACHMENT.match(name):
        return 4, 0, 0, 0, name
    found = _OF_SEGMENT.match(name)
    if found is None:
        return None
    segment, part = int(found.group(1)), int(found.group(3) or "0")
    if f"{segment:06}" != found.group(1) or (found.group(3) and f"{part:06}" != found.group(3)):
        return None
    return 2, segment, ("genesis.json", "seal.json").index(found.group(2)) if not found.group(3) else 2, part, ""


def _place(layout: Layout, name: str, key: tuple[int, int, int, int, str], segment_count: int) -> None:
    kind, segment, what, part, _ = key
    if kind == 0:
        layout.checkpoint = name
    elif kind == 1:
        layout.readme = name
    elif kind == 3:
        layout.proofs = name
    elif kind == 4:
        layout.attachments.append(name)
    elif kind == 2 and what == 0:
        if segment != len(layout.segments) or segment >= segment_count:
            raise _MisplacedError("a genesis of a segment that the manifest does not list there")
        layout.segments.append(SegmentParts(genesis=name))
    elif kind == 2:
        if segment != len(layout.segments) - 1:
            raise _MisplacedError("a part of a segment without its genesis")
        _place_in_segment(layout.segments[-1], name, what, part)


def _place_in_segment(parts: SegmentParts, name: str, what: int, part: int) -> None:
    if what == 1:
        parts.seal = name
    elif part == len(parts.envelopes):
        parts.envelopes.append(name)
    else:
        raise _MisplacedError("a part of envelopes is left out")
