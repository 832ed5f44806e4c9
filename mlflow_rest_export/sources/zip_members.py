"""Reads single members of a large ZIP archive; the others cost neither time nor memory.

Python's ``zipfile`` keeps the whole directory in memory (a log may have a million members) and knows zstd
only since 3.14, so the directory is walked here. Layout: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mlflow_rest_export.errors import SourceError

MAX_BYTES = 32 << 20
"""Largest member read, packed or unpacked, in bytes."""
MAX_WINDOW = 128 << 20
"""Most memory that a zstd member may ask for, in bytes; zstd's own bound for what needs no option."""

_LOCAL = struct.Struct("<4s22xHH")
"""Signature, lengths of name and extra field (4.3.7)."""
_ENTRY = struct.Struct("<4s4xHH4xIIIHHH8xI")
"""Signature, flags, method, CRC, packed, unpacked, lengths of name, extra and comment, offset (4.3.12)."""
_END = struct.Struct("<4s8xII2x")
"""Signature, size and offset of the directory (4.3.16)."""
_END64_PLACE = struct.Struct("<4s4xQ4x")
"""Signature, offset of the ZIP64 end (4.3.15)."""
_END64 = struct.Struct("<4s36xQQ")
"""Signature, size and offset of the directory (4.3.14)."""
_LONGEST_COMMENT = 65_535
_FULL = 0xFFFFFFFF
"""A 32-bit field that holds this has its value in the ZIP64 extra field (4.5.3)."""
_STORED, _DEFLATED, _ZSTD = 0, 8, 93


@dataclass(frozen=True, slots=True)
class Packed:
    """Where a member stands and how it is packed."""

    method: int
    crc: int
    packed: int
    """Bytes in the archive."""
    unpacked: int
    offset: int
    """Of the local header, from the start of the file."""
    encrypted: bool


def is_archive(path: Path) -> bool:
    """Say whether a file begins as a ZIP archive with members does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def find(path: Path, names: Collection[str]) -> dict[str, Packed]:
    """Find members by name; of equal names the last counts.

    Raises:
        SourceError: the archive is damaged.
        OSError: it cannot be read.
    """
    found: dict[str, Packed] = {}
    longest = max(map(len, names))
    with path.open("rb") as file:
        try:
            size, offset = _directory(file)
            file.seek(offset)
            end = offset + size
            while file.tell() < end:
                entry = _ENTRY.unpack(_exactly(file, _ENTRY.size))
                if entry[0] != b"PK\x01\x02":
                    break
                name, extra = _exactly(file, entry[6]), _exactly(file, entry[7])
                file.seek(entry[8], io.SEEK_CUR)
                if len(name) <= longest and (text := name.decode("utf-8", "replace")) in names:
                    found[text] = _packed(entry, extra)
        except (struct.error, EOFError):
            raise SourceError(f"{path}: the ZIP archive is damaged or cut off") from None
    return found


def first_name(path: Path) -> str:
    """Give the name of the first member, also of an archive that was cut off; "" when there is none."""
    try:
        with path.open("rb") as file:
            signature, length, _ = _LOCAL.unpack(_exactly(file, _LOCAL.size))
            return _exactly(file, length).decode("utf-8", "replace") if signature == b"PK\x03\x04" else ""
    except (OSError, EOFError):
        return ""


def unpack(path: Path, name: str, member: Packed) -> bytes:
    """Give the bytes of one member.

    Raises:
        SourceError: it is over a bound, damaged, encrypted, or packed with zstd and ``zstandard`` is missing.
        OSError: the archive cannot be read.
    """
    place = f"{name} in {path}"
    if member.encrypted:
        raise SourceError(f"cannot read {place}: it is encrypted")
    if max(member.packed, member.unpacked) > MAX_BYTES:
        raise SourceError(f"cannot read {place}: it is larger than {MAX_BYTES >> 20} MiB")
    try:
        with path.open("rb") as file:
            file.seek(member.offset)
            signature, name_length, extra_length = _LOCAL.unpack(_exactly(file, _LOCAL.size))
            file.seek(name_length + extra_length, io.SEEK_CUR)
            data = _exactly(file, member.packed)
    except (EOFError, OverflowError):
        raise SourceError(f"cannot read {place}: the ZIP archive is damaged or cut off") from None
    unpacked = _unpacked(data, member, place) if signature == b"PK\x03\x04" else b""
    if len(unpacked) > MAX_BYTES:
        raise SourceError(f"cannot read {place}: it is larger than {MAX_BYTES >> 20} MiB")
    if zlib.crc32(unpacked) != member.crc:
        raise SourceError(f"cannot read {place}: its checksum is wrong, the file is damaged")
    return unpacked


def _unpacked(data: bytes, member: Packed, place: str) -> bytes:
    """Unpack at most one byte more than is allowed, whatever the archive says of the size."""
    if member.method == _STORED:
        return data
    if member.method == _DEFLATED:
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, MAX_BYTES + 1)
        except zlib.error:
            raise SourceError(f"cannot read {place}: it is damaged") from None
    if member.method == _ZSTD:
        return _from_zstd(data, place)
    raise SourceError(f"cannot read {place}: it is packed by method {member.method}, which is not supported")


def _from_zstd(data: bytes, place: str) -> bytes:
    try:
        import zstandard  # noqa: PLC0415  # an extra: who has no such logs need not install it
    except ImportError:
        raise SourceError(
            f"cannot read {place}: it is packed with zstd; run: pip install 'mlflow-rest-export[inspect]'"
        ) from None
    opened = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    try:
        with opened.stream_reader(data, read_across_frames=True) as stream:
            pieces = bytearray()
            while len(pieces) <= MAX_BYTES and (piece := stream.read(1 << 20)):
                pieces += piece
            return bytes(pieces)
    except zstandard.ZstdError:
        raise SourceError(f"cannot read {place}: it is damaged") from None


def _directory(file: BinaryIO) -> tuple[int, int]:
    """Give size and offset of the directory of members."""
    length = file.seek(0, io.SEEK_END)
    start = max(0, length - _LONGEST_COMMENT - 22)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise EOFError
    _, size, offset = _END.unpack_from(tail, at)
    if _FULL in (size, offset) and at >= _END64_PLACE.size:
        signature, place = _END64_PLACE.unpack_from(tail, at - _END64_PLACE.size)
        if signature == b"PK\x06\x07" and place < length:
            file.seek(place)
            signature, size, offset = _END64.unpack(_exactly(file, _END64.size))
    if offset + size > length:
        raise EOFError
    return size, offset


def _packed(entry: tuple[int, ...], extra: bytes) -> Packed:
    _, flags, method, crc, packed, unpacked, _, _, _, offset = entry
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            large = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            unpacked, packed, offset = (
                next(large, value) if value == _FULL else value for value in (unpacked, packed, offset)
            )
        at += 4 + length
    return Packed(method, crc, packed, unpacked, offset, encrypted=bool(flags & 1))


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError
    return data
