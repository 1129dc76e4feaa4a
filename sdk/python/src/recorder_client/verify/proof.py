"""Lines of proofs (format §14): gap anchors and inclusion paths.

Deliberately absent: what they prove. The chain takes up the anchors, the log the paths.
"""

from dataclasses import dataclass

from recorder_client.verify import form
from recorder_client.verify.identifier import is_uuid7
from recorder_client.verify.json_text import Limits, RefusedError, Value, parse
from recorder_client.verify.limit import PROOF_LINE_BYTES_MAX

INTEGER_MAX = 2**64 - 1


@dataclass(frozen=True)
class GapAnchor:
    """The last envelope of a run that was left out."""

    segment_id: str
    after_sequence: int
    chain_hash: bytes


@dataclass(frozen=True)
class InclusionPath:
    """The siblings from an entry to the root."""

    position: int
    path: tuple[bytes, ...]


def read_proof_line(data: bytes) -> GapAnchor | InclusionPath:
    """The proof on a line; raises `FormError` where there is none."""
    try:
        value = parse(data, Limits(PROOF_LINE_BYTES_MAX), canonical=True)
    except RefusedError as error:
        raise form.FormError(str(error)) from None
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind == "gap":
        return _read_gap(value)
    form.check(kind == "inclusion", "kind: neither gap nor inclusion")
    return _read_inclusion(value)


def _read_gap(value: Value) -> GapAnchor:
    found = form.members(value, ("after_sequence", "chain_hash", "kind", "segment_id"))
    return GapAnchor(
        segment_id=form.text(found["segment_id"], is_uuid7, "segment_id"),
        after_sequence=form.integer(found["after_sequence"], "after_sequence", INTEGER_MAX),
        chain_hash=form.hash_bytes(found["chain_hash"], "chain_hash"),
    )


def _read_inclusion(value: Value) -> InclusionPath:
    found = form.members(value, ("kind", "path", "position"))
    path = form.items(found["path"], lambda item: form.hash_bytes(item, "path"), "path")
    return InclusionPath(form.integer(found["position"], "position", INTEGER_MAX), tuple(path))
