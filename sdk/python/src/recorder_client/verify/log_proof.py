"""Proofs outside bundles (format §14): that one envelope is in the log, or that the log only grew.

Deliberately absent: which key to believe. The caller gives it.
"""

import hashlib
from dataclasses import dataclass

from recorder_client.verify import form, merkle
from recorder_client.verify.checkpoint import SIZE_MAX, Checkpoint, read_checkpoint
from recorder_client.verify.json_text import Limits, RefusedError, decode, parse
from recorder_client.verify.limit import CHECKPOINT_BYTES_MAX
from recorder_client.verify.time import is_recorder_time, nanoseconds

_HEADER = "c2sp.org/tlog-proof@v1"
_LINK_TYPE = "recorder.chain-link/v1"
_BYTES_MAX = 2 * CHECKPOINT_BYTES_MAX
_HASHES_MAX = 63


class LinkError(Exception):
    """The proof does not hold the canonical object that the chain hash follows from."""


@dataclass(frozen=True)
class ChainLink:
    """The fields of a chain hash's preimage."""

    content_hash: bytes
    previous: bytes
    recorded_at: int
    sequence: int

    def chain_hash(self) -> bytes:
        """The chain hash that follows from them."""
        numbers = self.sequence.to_bytes(8, "big") + self.recorded_at.to_bytes(8, "big")
        return hashlib.sha256(b"\x02" + self.previous + numbers + self.content_hash).digest()


@dataclass(frozen=True)
class InclusionProof:
    """That an entry is in the log of a checkpoint."""

    link: ChainLink
    position: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    def holds(self) -> bool:
        """Whether the path leads from the link's leaf to the root; says nothing of the checkpoint's signature."""
        leaf = merkle.leaf(self.link.chain_hash())
        return merkle.root_from_path(leaf, self.position, self.checkpoint.tree_size, self.path) == self.checkpoint.root


@dataclass(frozen=True)
class ConsistencyProof:
    """That the log of a checkpoint begins with an earlier one."""

    old_size: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    def holds(self, old_root: bytes) -> bool:
        """Whether the path leads from the root of the auditor's own copy; says nothing of the signature."""
        later = self.checkpoint
        return merkle.is_extension(self.old_size, old_root, later.tree_size, later.root, self.path)


def read_inclusion_proof(data: bytes) -> InclusionProof:
    """The proof that `data` is; raises `FormError` where it is none, `LinkError` where it is about no envelope."""
    head, note = _split(data)
    form.check(len(head) > 1 and head[0] == _HEADER, "not a proof of this version")
    extra = head[1].removeprefix("extra ") if head[1].startswith("extra ") else None
    rest = head[1:] if extra is None else head[2:]
    decoded = b"" if extra is None else form.base64_bytes(extra)
    form.check(decoded is not None and extra != "", "extra: not base64")
    form.check(len(rest) > 0 and rest[0].startswith("index "), "no index")
    position = _number(rest[0].removeprefix("index "))
    path, checkpoint = _hashes(rest[1:]), read_checkpoint(note)
    return InclusionProof(_read_link(decoded or b""), position, path, checkpoint)


def read_consistency_proof(data: bytes) -> ConsistencyProof:
    """The proof that `data` is; raises `FormError` where it is none."""
    head, note = _split(data)
    form.check(head[0].startswith("old "), "no old size")
    return ConsistencyProof(_number(head[0].removeprefix("old ")), _hashes(head[1:]), read_checkpoint(note))


def _split(data: bytes) -> tuple[list[str], bytes]:
    """The lines before the first empty line, and the checkpoint after it."""
    try:
        head, blank, note = decode(data, _BYTES_MAX).partition("\n\n")
    except RefusedError as error:
        raise form.FormError(str(error)) from None
    form.check(bool(blank), "no checkpoint")
    return head.split("\n"), note.encode()


def _number(text: str) -> int:
    is_decimal = text.isascii() and text.isdigit() and len(text) <= 19 and (text == "0" or text[0] != "0")
    form.check(is_decimal and int(text) <= SIZE_MAX, "not a decimal number")
    return int(text)


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    form.check(len(lines) <= _HASHES_MAX, "more hashes than any log asks for")
    hashes = [form.base64_bytes(line) for line in lines]
    found = tuple(one for one in hashes if one is not None and len(one) == 32)
    form.check(len(found) == len(lines), "not a hash in base64")
    return found


def _read_link(data: bytes) -> ChainLink:
    try:
        value = parse(data, Limits(1 << 10), canonical=True)
        found = form.members(value, ("content_hash", "previous", "recorded_at", "sequence", "type"))
        form.constant(found["type"], _LINK_TYPE, "type")
        return ChainLink(
            content_hash=form.hash_bytes(found["content_hash"], "content_hash"),
            previous=form.hash_bytes(found["previous"], "previous"),
            recorded_at=nanoseconds(form.text(found["recorded_at"], is_recorder_time, "recorded_at")) or 0,
            sequence=form.integer(found["sequence"], "sequence"),
        )
    except (RefusedError, form.FormError) as error:
        raise LinkError(str(error)) from None
