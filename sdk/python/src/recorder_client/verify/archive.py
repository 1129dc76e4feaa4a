"""The archive (format §13): a ZIP that only one writer could have made.

Every header is compared with the one that a writer makes of the same name, sizes, checksum and offset.

Deliberately absent: `zipfile`, which looks for an archive instead of requiring one, and repairs.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from recorder_client.verify.container import PIECE_BYTES, ContainerError, DamageError, Source
from recorder_client.verify.finding import in_part

_LOCAL, _CENTRAL, _END = 0x04034B50, 0x02014B50, 0x06054B50
_END64, _LOCATOR64 = 0x06064B50, 0x07064B50
_NONE16, _NONE32 = 0xFFFF, 0xFFFFFFFF
_DATE = 0x0021
_STORED, _DEFLATED = 0, 8
_ENCRYPTED = 1
_LOCAL_HEADER = struct.Struct("<IHHHHHIIIHH")
_CENTRAL_ENTRY = struct.Struct("<IHHHHHHIIIHHHHHII")
_END_RECORD = struct.Struct("<IHHHHIIH")
_END64_RECORD = struct.Struct("<IQHHIIQQQQ")
_LOCATOR = struct.Struct("<IIQI")
# A stream gives as many plain bytes as it may copy from, or all, within this many stored ones.
_BEGINNING_PLAIN_BYTES, _BEGINNING_STORED_BYTES = 32 << 10, 1 << 20
_NAME = re.compile(rb"[A-Za-z0-9._/-]{1,255}\Z")

SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class Member:
    """What the directory says of a member."""

    name: str
    method: int
    crc: int
    stored_bytes: int
    plain_bytes: int
    offset: int

    def _sizes(self) -> tuple[int, int, bytes]:
        """Both 32-bit sizes, and what of them stands in the ZIP64 field."""
        if max(self.stored_bytes, self.plain_bytes) < _NONE32:
            return self.stored_bytes, self.plain_bytes, b""
        return _NONE32, _NONE32, struct.pack("<QQ", self.plain_bytes, self.stored_bytes)

    def _common(self, extra: bytes) -> tuple[int, ...]:
        stored, plain, wide = self._sizes()
        needed = 45 if wide or self.offset >= _NONE32 else 20
        return needed, 0, self.method, 0, _DATE, self.crc, stored, plain, len(self.name), len(extra)

    def local_header(self) -> bytes:
        """The header, name and field that stand before the data."""
        extra = _field(self._sizes()[2])
        return _LOCAL_HEADER.pack(_LOCAL, *self._common(extra)) + self.name.encode() + extra

    def central_entry(self) -> bytes:
        """The entry of the directory."""
        wide = self.offset >= _NONE32
        extra = _field(self._sizes()[2] + (struct.pack("<Q", self.offset) if wide else b""))
        offset = _NONE32 if wide else self.offset
        entry = _CENTRAL_ENTRY.pack(_CENTRAL, 45, *self._common(extra), 0, 0, 0, 0, offset)
        return entry + self.name.encode() + extra

    def end(self) -> int:
        """Where the next member begins."""
        return self.offset + len(self.local_header()) + self.stored_bytes


def _field(values: bytes) -> bytes:
    """The ZIP64 field, where it has values."""
    return struct.pack("<HH", 1, len(values)) + values if values else b""


class Archive:
    """The members of an archive whose headers have all been checked."""

    form = "archive"

    def __init__(self, source: Source, size_bytes: int, ratio_max: int) -> None:
        """Reads end and directory; raises `ContainerError` at the first thing that no writer puts there."""
        self._source = source
        self._size_bytes = size_bytes
        self._ratio_max = ratio_max
        count, directory_at, directory_end = self._read_end()
        members = self._read_directory(count, directory_at, directory_end)
        self._sound: set[str] = set()
        self._members = {member.name: member for member in members}
        self._check_local_headers(members, directory_at)

    def names(self) -> list[str]:
        """The members' names, in their order."""
        return list(self._members)

    def size_bytes(self, name: str) -> int:
        """The size of a member's plain bytes."""
        return self._members[name].plain_bytes

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member's plain bytes; raises `DamageError` where its deflate stream or its checksum is wrong."""
        member, crc = self._members[name], 0
        pieces = self._stored(member) if member.method == _STORED else self._inflated_soundly(member)
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
            yield piece
        if crc != member.crc:
            raise DamageError("member_crc", f"{crc:08x} computed, {member.crc:08x} stated")

    def _stored(self, member: Member) -> Iterator[bytes]:
        at = member.offset + len(member.local_header())
        end = at + member.stored_bytes
        while at < end:
            piece = self._read(at, min(PIECE_BYTES, end - at))
            at += len(piece)
            yield piece

    def _inflated_soundly(self, member: Member) -> Iterator[bytes]:
        """The bytes of a stream that was found sound to its end: of any other there are none."""
        if member.name not in self._sound:
            for _ in self._inflated(member):
                pass
            self._sound.add(member.name)
        yield from self._inflated(member)

    def _inflated(self, member: Member) -> Iterator[bytes]:
        inflater, left, taken = zlib.decompressobj(-zlib.MAX_WBITS), member.plain_bytes, 0
        beginning = member.plain_bytes - min(member.plain_bytes, _BEGINNING_PLAIN_BYTES)
        try:
            for stored in self._stored(member):
                if inflater.eof:
                    raise DamageError("member_deflate", "bytes after the end of the stream")
                if taken == _BEGINNING_STORED_BYTES and left > beginning:
                    raise DamageError("member_deflate", "hardly anything in its first bytes")
                rest, taken = stored, taken + len(stored)
                while rest and not inflater.eof:
                    piece = inflater.decompress(rest, min(PIECE_BYTES, left + 1))
                    rest, left = inflater.unconsumed_tail, left - len(piece)
                    if left < 0:
                        raise DamageError("member_deflate", "more bytes than stated")
                    if piece:
                        yield piece
                if inflater.unused_data:
                    raise DamageError("member_deflate", "bytes after the end of the stream")
        except zlib.error as error:
            raise DamageError("member_deflate", str(error)) from None
        if not inflater.eof or left > 0:
            raise DamageError("member_deflate", "the stream ends early")

    def _read(self, at: int, size: int) -> bytes:
        self._source.seek(at)
        data = self._source.read(size)
        if len(data) != size:
            raise OSError("the file became shorter while it was read")
        return data

    def _read_end(self) -> tuple[int, int, int]:
        """Count of members, offset of the directory, and where it must end."""
        end_at = self._size_bytes - _END_RECORD.size
        record = self._read(end_at, _END_RECORD.size) if end_at >= 0 else b""
        if record[:4] != _END.to_bytes(4, "little"):
            raise ContainerError("archive_end_missing", "no end record at the end")
        _, _, _, _, count, size, at, _ = _END_RECORD.unpack(record)
        if count == _NONE16 or _NONE32 in (size, at):
            count, size, at = self._read_end64(end_at)
        if at + size >= 1 << 64:
            raise ContainerError("archive_end_invalid", "a directory beyond any file")
        expected = _end_records(count, size, at)
        directory_end = self._size_bytes - len(expected)
        if at + size != directory_end:
            raise ContainerError("archive_directory_invalid", "the directory does not reach to the end record")
        if self._read(directory_end, len(expected)) != expected:
            raise ContainerError("archive_end_invalid", "not an end that a writer of bundles makes")
        return count, at, directory_end

    def _read_end64(self, end_at: int) -> tuple[int, int, int]:
        """Count, size and offset of the directory, where they do not fit into the end record."""
        record_at = end_at - _LOCATOR.size - _END64_RECORD.size
        records = self._read(record_at, _END64_RECORD.size + _LOCATOR.size) if record_at >= 0 else b""
        signatures = records[:4], records[_END64_RECORD.size : _END64_RECORD.size + 4]
        if signatures != (_END64.to_bytes(4, "little"), _LOCATOR64.to_bytes(4, "little")):
            raise ContainerError("archive_end_invalid", "no ZIP64 end record before the end")
        *_, count, size, at = _END64_RECORD.unpack(records[: _END64_RECORD.size])
        return count, size, at

    def _read_directory(self, count: int, at: int, end: int) -> list[Member]:
        if count > at // (_LOCAL_HEADER.size + 1) or count * _CENTRAL_ENTRY.size > end - at:
            raise ContainerError("archive_directory_invalid", "more members than the file has room for")
        members: list[Member] = []
        for _ in range(count):
            member, at = self._read_entry(at, end)
            members.append(member)
        if at != end:
            raise ContainerError("archive_directory_invalid", "bytes after the last entry")
        seen: set[str] = set()
        for member in members:
            if member.name.lower() in seen:
                raise ContainerError("member_repeated", "a member before has this name", in_part(member.name))
            seen.add(member.name.lower())
        return members

    def _read_entry(self, at: int, end: int) -> tuple[Member, int]:
        if end - at < _CENTRAL_ENTRY.size:
            raise ContainerError("archive_directory_invalid", "an entry is cut off")
        fixed = _CENTRAL_ENTRY.unpack(self._read(at, _CENTRAL_ENTRY.size))
        signature, _, _, flags, method, _, _, crc, stored, plain, name_bytes, extra_bytes, *_, offset = fixed
        after = at + _CENTRAL_ENTRY.size + name_bytes + extra_bytes
        if signature != _CENTRAL or at + _CENTRAL_ENTRY.size + name_bytes > end:
            raise ContainerError("archive_directory_invalid", "not an entry")
        name, extra = self._read_name(at + _CENTRAL_ENTRY.size, name_bytes, min(after, end))
        if flags & _ENCRYPTED:
            raise ContainerError("member_encrypted", "encrypted", in_part(name))
        if flags:
            raise ContainerError("archive_directory_invalid", f"flags {flags:#06x}", in_part(name))
        if method not in (_STORED, _DEFLATED):
            raise ContainerError("member_method", f"method {method}", in_part(name))
        wide = extra[4:]
        if (stored, plain) == (_NONE32, _NONE32) and len(wide) >= 16:
            (plain, stored), wide = struct.unpack("<QQ", wide[:16]), wide[16:]
        if offset == _NONE32 and len(wide) >= 8:
            (offset,) = struct.unpack("<Q", wide[:8])
        member = Member(name, method, crc, stored, plain, offset)
        if member.central_entry() != self._read(at, min(after, end) - at):
            raise ContainerError("archive_directory_invalid", "not an entry that a writer makes", in_part(name))
        return member, after

    def _read_name(self, at: int, name_bytes: int, end: int) -> tuple[str, bytes]:
        data = self._read(at, end - at)
        name, extra = data[:name_bytes], data[name_bytes:]
        if not _NAME.match(name) or any(part in (b"", b".", b"..") for part in name.split(b"/")):
            raise ContainerError("member_name", f"not the name of a member: {name!r}")
        return name.decode(), extra

    def _check_sizes(self, member: Member) -> None:
        if member.method == _STORED and member.stored_bytes != member.plain_bytes:
            raise ContainerError("archive_directory_invalid", "stored, and of two sizes", in_part(member.name))
        if member.plain_bytes // self._ratio_max > member.stored_bytes:
            raise ContainerError("member_ratio", "inflates too far", in_part(member.name))

    def _check_local_headers(self, members: list[Member], directory_at: int) -> None:
        at = 0
        for member in members:
            if member.offset != at or member.end() > directory_at:
                detail = "does not begin where the one before ends, or does not end before the directory"
                raise ContainerError("archive_not_contiguous", detail, in_part(member.name))
            at = member.end()
            self._check_sizes(member)
        if at != directory_at:
            raise ContainerError("archive_not_contiguous", "the directory does not begin where the last member ends")
        for member in members:
            expected = member.local_header()
            found = self._read(member.offset, len(expected))
            if found[:4] != _LOCAL.to_bytes(4, "little"):
                raise ContainerError("archive_not_contiguous", "no local header", in_part(member.name))
            if found[6] & _ENCRYPTED:
                raise ContainerError("member_encrypted", "encrypted", in_part(member.name))
            if found != expected:
                raise ContainerError("archive_header_mismatch", "not what the directory asks for", in_part(member.name))


def _end_records(count: int, size: int, at: int) -> bytes:
    """All that stands after a directory."""
    wide = count >= _NONE16 or max(size, at) >= _NONE32
    counts = min(count, _NONE16)
    end = _END_RECORD.pack(_END, 0, 0, counts, counts, min(size, _NONE32), min(at, _NONE32), 0)
    if not wide:
        return end
    record = _END64_RECORD.pack(_END64, 44, 45, 45, 0, 0, count, count, size, at)
    return record + _LOCATOR.pack(_LOCATOR64, 0, at + size, 1) + end
