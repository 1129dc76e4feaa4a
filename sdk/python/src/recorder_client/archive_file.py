"""A file that an archive is streamed to: whole under its name, or not there.

Deliberately absent: replacing a file. A name that is taken is refused, since it may be another's evidence.
"""

import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recorder_client.answers import BreachError
from recorder_client.errors import InvalidRequestError

_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class SavedBundle:
    """A bundle's archive in a file. Nothing of it has been verified."""

    path: Path
    size_bytes: int
    sha256: str


class ArchiveFile:
    """Takes the pieces of an archive under a name of its own, and gives the file its name at the end."""

    def __init__(self, path: str | os.PathLike[str], bytes_max: int) -> None:
        """Nothing is opened before the first answer."""
        self.bytes_max = bytes_max
        self._path = Path(path)
        self._partial = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}.partial")
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._size_bytes = 0
        if os.path.lexists(self._path):
            raise InvalidRequestError(f"{self._path}: there is a file already")

    def begin(self) -> None:
        """Forgets what came before."""
        self.discard()
        descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._hash = hashlib.sha256()
        self._size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Takes the next piece."""
        if self._file is not None:
            self._file.write(chunk)
            self._hash.update(chunk)
            self._size_bytes += len(chunk)

    def finish(self) -> SavedBundle:
        """Writes everything down and gives the file its name; raises where it is no archive or the name is taken."""
        if self._file is None:
            raise BreachError("no archive came")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        with self._partial.open("rb") as source:
            if source.read(len(_MAGIC)) != _MAGIC:
                raise BreachError("the body is no archive")
        try:
            os.link(self._partial, self._path, follow_symlinks=False)
        except FileExistsError:
            raise InvalidRequestError(f"{self._path}: there is a file already") from None
        self.discard()
        return SavedBundle(self._path, self._size_bytes, self._hash.hexdigest())

    def discard(self) -> None:
        """Leaves nothing behind."""
        if self._file is not None:
            self._file.close()
            self._file = None
        with contextlib.suppress(FileNotFoundError):
            self._partial.unlink()
