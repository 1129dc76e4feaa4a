"""Attachments (format §15, second phase): bytes, the manifest's list and references must say the same.

Deliberately absent: what an attachment is. Its media type is a claim.
"""

import hashlib

from recorder_client.verify.container import DamageError
from recorder_client.verify.envelope import ATTACHMENT_BYTES_MAX, Reference
from recorder_client.verify.finding import Findings, Place, in_list, in_part
from recorder_client.verify.layout import ATTACHMENTS
from recorder_client.verify.manifest import ListedAttachment
from recorder_client.verify.parts import Parts


class Attachments:
    """What the manifest lists, and what of it was referred to."""

    def __init__(self, listed: list[ListedAttachment], findings: Findings) -> None:
        """Of a manifest, whose list is checked."""
        self._listed = listed
        self._findings = findings
        self._referred: set[tuple[str, str]] = set()
        self._by_key = {(entry.content_hash, entry.content_type): entry for entry in listed}
        self.references = 0
        self.present: set[str] = set()
        for index, entry in enumerate(listed):
            before = listed[index - 1] if index else None
            if entry.size_bytes > ATTACHMENT_BYTES_MAX:
                findings.add("attachment_list_invalid", in_list("attachments", index), "too large")
            if before is not None and not _follows(before, entry):
                findings.add("attachment_list_invalid", in_list("attachments", index), "unsorted or repeated")

    @property
    def listed(self) -> set[str]:
        """The hashes of bytes that must be there."""
        return {entry.content_hash for entry in self._listed if not entry.is_withheld}

    @property
    def withheld(self) -> set[str]:
        """The hashes of bytes that are left out."""
        return {entry.content_hash for entry in self._listed if entry.is_withheld}

    def refer(self, reference: Reference, place: Place) -> None:
        """A reference of an envelope that stands on a line."""
        self.references += 1
        key = (reference.content_hash, reference.content_type)
        entry = self._by_key.get(key)
        if entry is None:
            self._findings.add("attachment_ref_unlisted", place, reference.content_hash)
            return
        self._referred.add(key)
        if entry.size_bytes != reference.size_bytes:
            self._findings.add("attachment_size_mismatch", place, f"{reference.content_hash}: another size than listed")

    def read(self, names: list[str], parts: Parts) -> None:
        """Hashes the bytes that are there."""
        present = {entry.content_hash for entry in self._listed if not entry.is_withheld}
        for name in names:
            stated, hasher = name.removeprefix(ATTACHMENTS), hashlib.sha256()
            self.present.add(stated)
            if stated not in present:
                self._findings.add("attachment_bytes_unlisted", in_part(name), "not listed as present")
            try:
                for piece in parts.pieces(name):
                    hasher.update(piece)
            except DamageError:
                continue
            found = hasher.hexdigest()
            if found != stated:
                self._findings.add("attachment_hash_mismatch", in_part(name), f"the bytes have hash {found}")
        self._compare_sizes(parts)

    def _compare_sizes(self, parts: Parts) -> None:
        for index, entry in enumerate(self._listed):
            place = in_list("attachments", index)
            if entry.is_withheld:
                continue
            if entry.content_hash not in self.present:
                self._findings.add("attachment_bytes_missing", place, "its bytes are not in the bundle")
            elif parts.size_bytes(ATTACHMENTS + entry.content_hash) != entry.size_bytes:
                self._findings.add("attachment_size_mismatch", place, "its bytes have another size")

    def finish(self) -> None:
        """After all references."""
        for index, entry in enumerate(self._listed):
            if (entry.content_hash, entry.content_type) not in self._referred:
                self._findings.add("attachment_unreferenced", in_list("attachments", index), "nothing refers to it")


def _follows(before: ListedAttachment, entry: ListedAttachment) -> bool:
    """Whether an entry may stand after another one."""
    if before.content_hash != entry.content_hash:
        return before.content_hash < entry.content_hash
    agrees = before.size_bytes == entry.size_bytes and before.is_withheld == entry.is_withheld
    return agrees and before.content_type < entry.content_type
