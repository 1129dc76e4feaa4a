"""The fifth phase (format §15): geneses, seals, and that segments follow one another.

Deliberately absent: envelopes, but for the first and the last of a segment.
"""

from dataclasses import dataclass
from itertools import pairwise

from recorder_client.verify import form
from recorder_client.verify.container import DamageError
from recorder_client.verify.envelope import Envelope
from recorder_client.verify.finding import Findings, in_part, in_segment
from recorder_client.verify.layout import SegmentParts
from recorder_client.verify.limit import SMALL_PART_BYTES_MAX
from recorder_client.verify.manifest import ListedSegment, Manifest
from recorder_client.verify.parts import Parts, TooLargeError
from recorder_client.verify.segment import Genesis, Seal, read_genesis, read_seal
from recorder_client.verify.tree import Tree


@dataclass(frozen=True)
class Segment:
    """A segment of the bundle: what the manifest lists, and what its parts hold."""

    index: int
    listed: ListedSegment
    parts: SegmentParts
    genesis: Genesis | None
    seal: Seal | None

    def end(self) -> int | None:
        """The position after its last envelope below the tree size."""
        return None if self.genesis is None else self.genesis.first_position + self.listed.envelope_count


def read_segments(manifest: Manifest, layout: list[SegmentParts], parts: Parts, findings: Findings) -> list[Segment]:
    """Reads geneses and seals, and compares them with what the manifest states of them."""
    pairs = zip(manifest.segments, layout, strict=True)
    return [
        Segment(
            index,
            listed,
            names,
            _read_genesis(names, listed, parts, findings),
            _read_seal(index, names, listed, parts, findings),
        )
        for index, (listed, names) in enumerate(pairs)
    ]


def _read_genesis(names: SegmentParts, listed: ListedSegment, parts: Parts, findings: Findings) -> Genesis | None:
    place = in_part(names.genesis)
    try:
        genesis = read_genesis(parts.whole(names.genesis, SMALL_PART_BYTES_MAX))
    except DamageError:
        return None
    except (form.FormError, TooLargeError) as error:
        findings.add("genesis_invalid", place, str(error))
        return None
    if genesis.hash != listed.genesis_hash:
        findings.add("genesis_hash_mismatch", place, f"{genesis.hash.hex()} computed")
    if genesis.segment_id != listed.segment_id:
        findings.add("segment_id_mismatch", place, f"the genesis is of segment {genesis.segment_id}")
    return genesis


def _read_seal(index: int, names: SegmentParts, listed: ListedSegment, parts: Parts, findings: Findings) -> Seal | None:
    if names.seal is None:
        if listed.seal_hash is not None:
            findings.add("seal_missing", in_segment(index), "the manifest states a seal that is not there")
        return None
    place = in_part(names.seal)
    try:
        seal = read_seal(parts.whole(names.seal, SMALL_PART_BYTES_MAX))
    except DamageError:
        return None
    except (form.FormError, TooLargeError) as error:
        findings.add("seal_invalid", place, str(error))
        return None
    if seal.hash != listed.seal_hash:
        findings.add("seal_hash_mismatch", place, f"{seal.hash.hex()} computed")
    return seal


def compare_segments(manifest: Manifest, segments: list[Segment], findings: Findings) -> None:
    """Everything that geneses, seals and manifest say of one another."""
    seen: set[str] = set()
    for segment in segments:
        place, is_last = in_segment(segment.index), segment is segments[-1]
        if segment.listed.segment_id in seen:
            findings.add("segment_repeated", place, segment.listed.segment_id)
        seen.add(segment.listed.segment_id)
        if segment.listed.seal_hash is None and segment.parts.seal is None and not is_last:
            findings.add("seal_missing", place, "open, and not the last")
        if segment.genesis is not None:
            _compare_genesis(manifest, segment, segment.genesis, findings)
            _compare_extent(manifest, segment, is_last=is_last, findings=findings)
        if segment.seal is not None:
            _compare_seal(segment, segment.seal, findings)
    _compare_strangers(segments, seen, findings)
    for before, segment in pairwise(segments):
        if before.genesis is not None and segment.genesis is not None:
            _compare_neighbours(before, before.genesis, segment, segment.genesis, findings)


def _compare_extent(manifest: Manifest, segment: Segment, *, is_last: bool, findings: Findings) -> None:
    """The log reaches to the end of every segment, and exactly to that of an open one, which is the last."""
    end, is_open = segment.end(), segment.listed.seal_hash is None and is_last
    if end is not None and (end > manifest.tree_size or (is_open and end != manifest.tree_size)):
        detail = f"it ends at {end}, the log at {manifest.tree_size}"
        findings.add("tree_size_mismatch", in_segment(segment.index), detail)


def _compare_genesis(manifest: Manifest, segment: Segment, genesis: Genesis, findings: Findings) -> None:
    place = in_segment(segment.index)
    if genesis.stream != manifest.stream:
        findings.add("stream_mixed", place, "the genesis is of another stream")
    if genesis.segment_index == 0 and genesis.predecessor is not None:
        findings.add("predecessor_unexpected", place, "the first segment names a predecessor")
    elif genesis.segment_index == 0 and genesis.first_position > 0:
        findings.add("predecessor_unexpected", place, "the first segment does not begin at position 0")
    elif genesis.segment_index > 0 and genesis.predecessor is None:
        findings.add("predecessor_missing", place, "a second genesis")
    elif genesis.first_position < genesis.segment_index:
        findings.add("segment_order", place, "begins before the segments before it can end")


def _compare_strangers(segments: list[Segment], ids: set[str], findings: Findings) -> None:
    """A segment that does not directly follow the one before it in the bundle follows none of the bundle's."""
    before: Genesis | None = None
    for segment in segments:
        genesis = segment.genesis
        if genesis is not None and genesis.predecessor is not None:
            follows = before is not None and before.segment_index + 1 == genesis.segment_index
            if not follows and genesis.predecessor.segment_id in ids:
                findings.add("predecessor_mismatch", in_segment(segment.index), "a segment that has another index")
        before = genesis


def _compare_neighbours(
    before: Segment, before_genesis: Genesis, segment: Segment, genesis: Genesis, findings: Findings
) -> None:
    place = in_segment(segment.index)
    if genesis.signing < before_genesis.signing:
        findings.add("signing_weakened", place, "promises less than the segment before it")
    skipped = genesis.segment_index - before_genesis.segment_index - 1
    end = before_genesis.first_position + before.listed.envelope_count
    begins_right = genesis.first_position >= end + skipped if skipped > 0 else genesis.first_position == end
    if skipped < 0 or not begins_right:
        findings.add("segment_order", place, "does not begin where it must after the segment before it")
    named = genesis.predecessor
    stated = (before.listed.segment_id, before.listed.chain_head, before.listed.seal_hash)
    if skipped == 0 and named is not None and (named.segment_id, named.chain_head, named.seal_hash) != stated:
        findings.add("predecessor_mismatch", place, "not the segment before")


def _compare_seal(segment: Segment, seal: Seal, findings: Findings) -> None:
    place, listed = in_segment(segment.index), segment.listed
    stated = (
        ("segment", seal.segment_id, listed.segment_id),
        ("genesis", seal.genesis_hash, listed.genesis_hash),
        ("chain head", seal.chain_head, listed.chain_head),
        ("count", seal.envelope_count, listed.envelope_count),
    )
    for what, found, expected in stated:
        if found != expected:
            findings.add("seal_mismatch", place, f"another {what}")
    if segment.genesis is not None:
        if seal.tree_size != segment.genesis.first_position + seal.envelope_count:
            findings.add("seal_tree_mismatch", place, "another tree size")
        if seal.sealed_at < segment.genesis.opened_at:
            findings.add("segment_time_order", place, "sealed before it was opened")


def compare_end(segment: Segment, envelope: Envelope, findings: Findings) -> None:
    """An envelope that is the first or, by the seal's count, the last, with the one that the seal names."""
    seal = segment.seal
    if seal is None:
        return
    for what, is_it, stated in (
        ("first", envelope.sequence == 0, seal.first_envelope_id),
        ("last", envelope.sequence == seal.envelope_count - 1, seal.last_envelope_id),
    ):
        if is_it and envelope.envelope_id != stated:
            detail = f"its {what} envelope is {envelope.envelope_id}, stated {stated}"
            findings.add("seal_mismatch", in_segment(segment.index), detail)


def compare_root(segment: Segment, tree: Tree, findings: Findings) -> None:
    """At the end of a segment: the root that its seal states, where all leaves up to here are there."""
    found = tree.root_here()
    if segment.seal is None or found is None or found[0] != segment.seal.tree_size:
        return
    if found[1] != segment.seal.root:
        findings.add("seal_tree_mismatch", in_segment(segment.index), f"the root at {found[0]} is {found[1].hex()}")
