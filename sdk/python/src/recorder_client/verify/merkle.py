"""The Merkle log (format §7): leaves, roots of a growing log in little memory, and both kinds of paths.

Deliberately absent: making paths. A verifier is shown them.
"""

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256().digest()


def leaf(chain_hash: bytes) -> bytes:
    """The leaf of an entry."""
    return hashlib.sha256(b"\x00" + chain_hash).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The node over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Log:
    """The root of the entries so far; holds one hash for each bit of their number."""

    def __init__(self) -> None:
        """An empty log."""
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, chain_hash: bytes) -> None:
        """Adds the next entry."""
        hash_ = leaf(chain_hash)
        size = self.size
        while size & 1:
            hash_ = node(self._peaks.pop(), hash_)
            size >>= 1
        self._peaks.append(hash_)
        self.size += 1

    def root(self) -> bytes:
        """The root of the entries so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node(peak, root)
        return root


def root_from_path(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion path leads to (RFC 9162 §2.1.3.2); none where it has another length than it must."""
    if index < 0 or index >= size:
        return None
    position, last, root = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            root = node(sibling, root)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            root = node(root, sibling)
        position >>= 1
        last >>= 1
    return root if last == 0 else None


def is_extension(old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether a consistency path shows that the log of `size` begins with that of `old_size` (RFC 9162 §2.1.4.2)."""
    if old_size > size:
        return False
    if old_size == 0:
        return old_root == EMPTY_ROOT and not path
    if old_size == size:
        return old_root == root and not path
    hashes = list(path)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node(sibling, old), node(sibling, new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new = node(new, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == root
