"""The manifest (format §13): what a bundle says that it holds.

Deliberately absent: belief. What it states is compared with what is there.
"""

import hashlib
from dataclasses import dataclass
from typing import cast

from recorder_client.verify import form
from recorder_client.verify.identifier import is_media_type, is_uuid7
from recorder_client.verify.json_text import Limits, RefusedError, Value, canonical_text, parse
from recorder_client.verify.selector import read_selector
from recorder_client.verify.time import canonical_time
from recorder_client.verify.trust_root import read_stream

_TYPE = "recorder.bundle/v1"
_MEMBERS = (
    "attachments",
    "bundle_id",
    "created_at",
    "envelope_count",
    "hash_algorithm",
    "omitted_parent_ids",
    "parts",
    "root_hash",
    "segments",
    "selector",
    "stream",
    "tree_size",
    "type",
)
SIZE_MAX = 2**64 - 1


class ManifestError(Exception):
    """The manifest cannot be taken at its word; `code` is the finding."""

    def __init__(self, code: str, detail: str) -> None:
        """The finding, and what is wrong."""
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class ListedAttachment:
    """Bytes that envelopes refer to, there or withheld."""

    content_hash: str
    content_type: str
    size_bytes: int
    is_withheld: bool


@dataclass(frozen=True)
class ListedPart:
    """A part, its bytes' hash and size."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class ListedSegment:
    """A segment that something is included of."""

    segment_id: str
    genesis_hash: bytes
    seal_hash: bytes | None
    chain_head: bytes
    envelope_count: int
    included_count: int
    is_complete: bool


@dataclass(frozen=True)
class Manifest:
    """What the verifier needs of a manifest, and its bytes."""

    text: bytes
    bundle_id: str
    stream: tuple[str, str]
    tree_size: int
    root: bytes
    envelope_count: int
    attachments: list[ListedAttachment]
    omitted_parent_ids: list[str]
    parts: list[ListedPart]
    segments: list[ListedSegment]


def read_manifest(data: bytes, bytes_max: int) -> Manifest:
    """The manifest that `data` is; raises `ManifestError` where it is none, or not as it must be."""
    try:
        value = parse(data, Limits(bytes_max), canonical=False)
        found = form.members(value, _MEMBERS)
        manifest = _read(found, data)
    except (RefusedError, form.FormError) as error:
        raise ManifestError("manifest_invalid", str(error)) from None
    if canonical_text(found).encode() != data:
        raise ManifestError("manifest_not_canonical", "the text is not the canonical one")
    if bundle_id_of(found) != manifest.bundle_id:
        raise ManifestError("bundle_id_mismatch", "bundle_id does not follow from the other members")
    return manifest


def bundle_id_of(members: dict[str, Value]) -> str:
    """The id of a bundle with a manifest of these members, whether or not `bundle_id` is among them."""
    others = {name: value for name, value in members.items() if name != "bundle_id"}
    digest = bytearray(hashlib.sha256(canonical_text(others).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x70
    digest[8] = digest[8] & 0x3F | 0x80
    digits = digest.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _read(found: dict[str, Value], data: bytes) -> Manifest:
    """Reads the members, and puts those in their canonical form that may be spelled in several ways."""
    form.constant(found["type"], _TYPE, "type")
    form.constant(found["hash_algorithm"], "sha256", "hash_algorithm")
    created_at = canonical_time(form.text(found["created_at"], bool, "created_at"))
    form.check(created_at is not None, "created_at: not a time")
    found["created_at"] = created_at
    found["selector"] = read_selector(found["selector"])
    return Manifest(
        text=data,
        bundle_id=form.text(found["bundle_id"], is_uuid7, "bundle_id"),
        stream=read_stream(found["stream"]),
        tree_size=form.integer(found["tree_size"], "tree_size", SIZE_MAX),
        root=form.hash_bytes(found["root_hash"], "root_hash"),
        envelope_count=form.integer(found["envelope_count"], "envelope_count", SIZE_MAX),
        attachments=form.items(found["attachments"], _read_attachment, "attachments"),
        omitted_parent_ids=form.items(
            found["omitted_parent_ids"], lambda item: form.text(item, is_uuid7, "omitted_parent_ids"), "ids"
        ),
        parts=form.items(found["parts"], _read_part, "parts"),
        segments=form.items(found["segments"], _read_segment, "segments"),
    )


def _read_attachment(value: Value) -> ListedAttachment:
    found = form.members(value, ("content_hash", "content_type", "size_bytes"), ("withheld",))
    withheld = found.get("withheld", False)
    form.check(isinstance(withheld, bool), "withheld: not a flag")
    if withheld is False:
        found.pop("withheld", None)
    return ListedAttachment(
        content_hash=form.hash_bytes(found["content_hash"], "content_hash").hex(),
        content_type=form.text(found["content_type"], is_media_type, "content_type"),
        size_bytes=form.integer(found["size_bytes"], "size_bytes", SIZE_MAX),
        is_withheld=bool(withheld),
    )


def _read_part(value: Value) -> ListedPart:
    found = form.members(value, ("name", "sha256", "size_bytes"))
    return ListedPart(
        name=form.text(found["name"], lambda _: True, "name"),
        sha256=form.hash_bytes(found["sha256"], "sha256").hex(),
        size_bytes=form.integer(found["size_bytes"], "size_bytes", SIZE_MAX),
    )


def _read_segment(value: Value) -> ListedSegment:
    names = ("chain_head", "complete", "envelope_count", "genesis_hash", "included_count", "seal_hash", "segment_id")
    found = form.members(value, names)
    form.check(isinstance(found["complete"], bool), "complete: not a flag")
    seal_hash = found["seal_hash"]
    return ListedSegment(
        segment_id=form.text(found["segment_id"], is_uuid7, "segment_id"),
        genesis_hash=form.hash_bytes(found["genesis_hash"], "genesis_hash"),
        seal_hash=None if seal_hash is None else form.hash_bytes(seal_hash, "seal_hash"),
        chain_head=form.hash_bytes(found["chain_head"], "chain_head"),
        envelope_count=form.integer(found["envelope_count"], "envelope_count", SIZE_MAX),
        included_count=form.integer(found["included_count"], "included_count", SIZE_MAX),
        is_complete=cast(bool, found["complete"]),
    )
