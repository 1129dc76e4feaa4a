"""Geneses and seals (format §6): their form and their hashes.

Deliberately absent: how segments follow one another, which is a phase of its own.
"""

import enum
import hashlib
from dataclasses import dataclass

from recorder_client.verify import form
from recorder_client.verify.identifier import is_name, is_uuid7
from recorder_client.verify.json_text import Limits, RefusedError, Value, canonical_text, parse
from recorder_client.verify.limit import SMALL_PART_BYTES_MAX
from recorder_client.verify.signature import Signature, read_optional_signature
from recorder_client.verify.time import is_recorder_time, nanoseconds

_REASONS = ("count", "duration", "manual", "key_rotation", "shutdown")


class Signing(enum.IntEnum):
    """What a genesis promises; more is larger."""

    NONE = 0
    CHECKPOINTS = 1
    ENVELOPES = 2


@dataclass(frozen=True)
class Predecessor:
    """What a genesis says of the segment before."""

    chain_head: bytes
    seal_hash: bytes
    segment_id: str


@dataclass(frozen=True)
class Genesis:
    """How a segment begins."""

    hash: bytes
    segment_id: str
    stream: tuple[str, str]
    segment_index: int
    first_position: int
    opened_at: int
    predecessor: Predecessor | None
    signing: Signing


@dataclass(frozen=True)
class Seal:
    """How a segment ends, and who signed that."""

    hash: bytes
    segment_id: str
    genesis_hash: bytes
    chain_head: bytes
    envelope_count: int
    first_envelope_id: str
    last_envelope_id: str
    reason: str
    root: bytes
    tree_size: int
    sealed_at: int
    signature: Signature | None


def read_genesis(data: bytes) -> Genesis:
    """The genesis that `data` is; raises `FormError` where it is none."""
    names = (
        "first_position", "hash_algorithm", "heartbeat_seconds", "opened_at", "predecessor", "recorder_id",
        "segment_id", "segment_index", "signing", "tenant_id", "type",
    )  # fmt: skip
    found = form.members(_canonical(data), names)
    form.constant(found["type"], "recorder.segment-genesis/v1", "type")
    form.constant(found["hash_algorithm"], "sha256", "hash_algorithm")
    form.integer(found["heartbeat_seconds"], "heartbeat_seconds")
    signing = form.text(found["signing"], ("none", "checkpoints", "envelopes").__contains__, "signing")
    predecessor = found["predecessor"]
    return Genesis(
        hash=hashlib.sha256(data).digest(),
        segment_id=form.text(found["segment_id"], is_uuid7, "segment_id"),
        stream=(
            form.text(found["tenant_id"], is_name, "tenant_id"),
            form.text(found["recorder_id"], is_name, "recorder_id"),
        ),
        segment_index=form.integer(found["segment_index"], "segment_index"),
        first_position=form.integer(found["first_position"], "first_position"),
        opened_at=_time(found["opened_at"], "opened_at"),
        predecessor=None if predecessor is None else _read_predecessor(predecessor),
        signing=Signing[signing.upper()],
    )


def read_seal(data: bytes) -> Seal:
    """The seal that `data`, the part of a bundle, holds; raises `FormError` where it is none."""
    found = form.members(_canonical(data), ("seal", "signature"))
    return _read_seal(found["seal"], read_optional_signature(found["signature"]))


def _read_seal(value: Value, signature: Signature | None) -> Seal:
    names = (
        "chain_head", "envelope_count", "first_envelope_id", "genesis_hash", "last_envelope_id", "reason", "root_hash",
        "sealed_at", "segment_id", "tree_size", "type",
    )  # fmt: skip
    found = form.members(value, names)
    form.constant(found["type"], "recorder.segment-seal/v1", "type")
    return Seal(
        hash=hashlib.sha256(canonical_text(found).encode()).digest(),
        segment_id=form.text(found["segment_id"], is_uuid7, "segment_id"),
        genesis_hash=form.hash_bytes(found["genesis_hash"], "genesis_hash"),
        chain_head=form.hash_bytes(found["chain_head"], "chain_head"),
        envelope_count=form.integer(found["envelope_count"], "envelope_count", minimum=1),
        first_envelope_id=form.text(found["first_envelope_id"], is_uuid7, "first_envelope_id"),
        last_envelope_id=form.text(found["last_envelope_id"], is_uuid7, "last_envelope_id"),
        reason=form.text(found["reason"], _REASONS.__contains__, "reason"),
        root=form.hash_bytes(found["root_hash"], "root_hash"),
        tree_size=form.integer(found["tree_size"], "tree_size"),
        sealed_at=_time(found["sealed_at"], "sealed_at"),
        signature=signature,
    )


def _read_predecessor(value: Value) -> Predecessor:
    found = form.members(value, ("chain_head", "seal_hash", "segment_id"))
    return Predecessor(
        chain_head=form.hash_bytes(found["chain_head"], "chain_head"),
        seal_hash=form.hash_bytes(found["seal_hash"], "seal_hash"),
        segment_id=form.text(found["segment_id"], is_uuid7, "segment_id"),
    )


def _canonical(data: bytes) -> Value:
    try:
        return parse(data, Limits(SMALL_PART_BYTES_MAX), canonical=True)
    except RefusedError as error:
        raise form.FormError(str(error)) from None


def _time(value: Value, what: str) -> int:
    return nanoseconds(form.text(value, is_recorder_time, what)) or 0
