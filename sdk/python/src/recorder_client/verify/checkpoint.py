"""Checkpoints (format §8): a signed note about a log at one size, and the cosignatures on it.

Deliberately absent: policies of witnesses. Cosignatures are checked here, and counted by the verdict only.
"""

import hashlib
from dataclasses import dataclass

from recorder_client.verify import ed25519, form, merkle
from recorder_client.verify.identifier import is_key_name
from recorder_client.verify.json_text import RefusedError, decode
from recorder_client.verify.limit import CHECKPOINT_BYTES_MAX

SIZE_MAX = 2**62
LINES_MAX = 16
_LOG, _WITNESS = b"\x01", b"\x04"
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~@:-")


@dataclass(frozen=True)
class NoteLine:
    """A signature line: whose it is, by its own word, and the bytes after the key hash."""

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself at one size."""

    origin: str
    tree_size: int
    root: bytes
    body: bytes
    lines: tuple[NoteLine, ...]

    def is_of_stream(self, tenant_id: str, recorder_id: str) -> bool:
        """Whether the origin ends in this stream, under whatever log name."""
        log, _, stream = self.origin.partition("/")
        return bool(log) and stream == f"{encoded(tenant_id)}/{encoded(recorder_id)}"

    def is_by(self, public_key: bytes) -> bool:
        """Whether the log's line names this key."""
        return self.lines[0].key_hash == key_hash(self.origin, _LOG, public_key)

    def holds(self, public_key: bytes) -> bool:
        """Whether the log's line is a signature of the body by this key."""
        return ed25519.is_valid(public_key, self.lines[0].signature, self.body)


def key_hash(name: str, algorithm: bytes, public_key: bytes) -> bytes:
    """What a signature line begins with."""
    return hashlib.sha256(name.encode() + b"\n" + algorithm + public_key).digest()[:4]


def encoded(part: str) -> str:
    """A part of an origin, percent-encoded."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in part.encode())


def origin_of(log_name: str, tenant_id: str, recorder_id: str) -> str:
    """The origin of a stream's log."""
    return "/".join(map(encoded, (log_name, tenant_id, recorder_id)))


def read_checkpoint(data: bytes) -> Checkpoint:
    """The checkpoint that `data` is; raises `FormError` where it is none."""
    try:
        text = decode(data, CHECKPOINT_BYTES_MAX)
    except RefusedError as error:
        raise form.FormError(str(error)) from None
    form.check(not any(character < " " and character != "\n" for character in text), "a control character")
    body, blank, signatures = text.rpartition("\n\n")
    form.check(bool(blank) and signatures.endswith("\n"), "not a signed note")
    lines = tuple(_read_line(line) for line in signatures[:-1].split("\n"))
    form.check(1 <= len(lines) <= LINES_MAX, "no signature line, or too many")
    parts = body.split("\n")
    form.check(len(parts) == 3, "a checkpoint has three lines")
    origin, size, root = parts[0], _read_size(parts[1]), form.base64_bytes(parts[2])
    if root is None or len(root) != 32:
        raise form.FormError("the root is 32 bytes in base64")
    form.check(is_key_name(origin), "not an origin")
    form.check(size > 0 or root == merkle.EMPTY_ROOT, "an empty log has another root")
    form.check(lines[0].name == origin, "the first line is not the log's")
    form.check(all(line.name != origin for line in lines[1:]), "two lines by the log")
    return Checkpoint(origin, size, root, (body + "\n").encode(), lines)


def cosigned_at(checkpoint: Checkpoint, name: str, public_key: bytes) -> int | None:
    """When a witness cosigned first; none where it did not. Raises `FormError` where a line of its does not hold."""
    mine = key_hash(name, _WITNESS, public_key)
    lines = [line for line in checkpoint.lines[1:] if line.name == name and line.key_hash == mine]
    return min((_cosigned_at(checkpoint, line, public_key) for line in lines), default=None)


def _cosigned_at(checkpoint: Checkpoint, line: NoteLine, public_key: bytes) -> int:
    seconds = int.from_bytes(line.signature[:8], "big")
    message = b"cosignature/v1\ntime %d\n%s" % (seconds, checkpoint.body)
    form.check(len(line.signature) == 72 and seconds < 2**63, "not a cosignature")
    form.check(ed25519.is_valid(public_key, line.signature[8:], message), "a cosignature that does not hold")
    return seconds


def _read_line(line: str) -> NoteLine:
    form.check(line.startswith("\u2014 "), "a signature line begins with a dash")
    name, space, encoded_signature = line[2:].partition(" ")
    form.check(bool(space) and is_key_name(name), "not a key name")
    decoded = form.base64_bytes(encoded_signature)
    if decoded is None or len(decoded) < 5:
        raise form.FormError("not a signature in base64")
    return NoteLine(name, decoded[:4], decoded[4:])


def _read_size(text: str) -> int:
    form.check(text.isascii() and text.isdigit() and len(text) <= 19, "the size is a decimal number")
    form.check(text == "0" or text[0] != "0", "the size has a leading zero")
    form.check(int(text) <= SIZE_MAX, "no log is so large")
    return int(text)
