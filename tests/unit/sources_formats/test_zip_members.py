from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from result_samples import INSPECT_EVAL, written

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.sources import zip_members
from mlflow_rest_export.sources.zip_members import MAX_BYTES


def packed(folder: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return written(folder, "a.zip", buffer.getvalue())


def by_hand(folder: Path, data: bytes, *, method: int, size: int, crc: int, flags: int = 0) -> Path:
    """Write an archive of one member ``a`` that says what it is told to say."""
    local = (
        struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, flags, method, 0, 0, crc, len(data), size, 1, 0) + b"a"
    )
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, flags, method, 0, 0, crc, len(data), size, 1, 0, 0, 0, 0, 0, 0
    )
    body = local + data
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(entry) + 1, len(body), 0)
    return written(folder, "a.zip", body + entry + b"a" + end)


def read(path: Path, name: str = "a") -> bytes:
    return zip_members.unpack(path, name, zip_members.find(path, {name})[name])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_are_found_among_many_and_read(tmp_path: Path, method: int) -> None:
    members = {f"samples/{number}.json": b"{}" * number for number in range(500)}
    path = packed(tmp_path, {"first": b"1", **members, "header.json": b"x" * 5000}, method)

    assert zip_members.find(path, {"header.json", "missing"}).keys() == {"header.json"}
    assert read(path, "header.json") == b"x" * 5000
    assert zip_members.first_name(path) == "first"


@settings(deadline=None)
@given(data=st.binary(max_size=2000), frames=st.integers(1, 3))
def test_zstd_members_of_several_frames_are_read(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, frames: int
) -> None:
    folder = tmp_path_factory.mktemp("zstd")
    stored = zstandard.ZstdCompressor().compress(data) * frames
    path = by_hand(folder, stored, method=93, size=len(data) * frames, crc=zlib.crc32(data * frames))

    assert read(path) == data * frames


def test_of_equal_names_the_last_counts(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"old")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"new")

    assert read(written(tmp_path, "a.zip", buffer.getvalue())) == b"new"


def test_archives_with_64_bit_fields_are_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a", "w", force_zip64=True) as member:
            member.write(b"large")
        for number in range(66_000):
            archive.writestr(zipfile.ZipInfo(f"n{number}"), b"")

    assert read(written(tmp_path, "a.zip", buffer.getvalue())) == b"large"


def test_sizes_and_places_in_the_64_bit_field_are_read(tmp_path: Path) -> None:
    data = b"text"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 45, 0, 0, 0, 0, zlib.crc32(data), 4, 4, 1, 0) + b"a"
    extra = struct.pack("<HH", 7, 1) + b"?" + struct.pack("<HHQQQ", 1, 24, 4, 4, 0)
    full = 0xFFFFFFFF
    numbers = (45, 45, 0, 0, 0, 0, zlib.crc32(data), full, full, 1, len(extra), 0, 0, 0, 0, full)
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *numbers) + b"a" + extra
    body = local + data
    end64 = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(entry), len(body))
    place = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(body) + len(entry), 1)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, full, full, 0)

    assert read(written(tmp_path, "a.zip", body + entry + end64 + place + end)) == data


@pytest.mark.parametrize("method", [8, 93], ids=["deflate", "zstd"])
def test_a_bomb_is_refused_though_it_lies_about_its_size(tmp_path: Path, method: int) -> None:
    bomb = b"\0" * (MAX_BYTES + (1 << 20))
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = raw.compress(bomb) + raw.flush() if method == 8 else zstandard.ZstdCompressor().compress(bomb)
    path = by_hand(tmp_path, data, method=method, size=10, crc=zlib.crc32(bomb))

    with pytest.raises(SourceError, match="larger than 32 MiB"):
        read(path)


def test_a_zstd_window_that_takes_all_memory_is_refused(tmp_path: Path) -> None:
    frame = bytes.fromhex("28b52ffd") + b"\x00" + bytes([31 << 3]) + b"\x01\x00\x00"
    path = by_hand(tmp_path, frame, method=93, size=10, crc=0)

    with pytest.raises(SourceError, match="it is damaged"):
        read(path)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": 0, "size": MAX_BYTES + 1}, "larger than 32 MiB"),
        ({"method": 0, "size": 4, "crc": 1}, "checksum is wrong"),
        ({"method": 8, "size": 4}, "is damaged"),
        ({"method": 93, "size": 4}, "it is damaged"),
        ({"method": 14, "size": 4}, "packed by method 14"),
        ({"method": 0, "size": 4, "flags": 1}, "it is encrypted"),
    ],
)
def test_what_cannot_be_unpacked_is_told(tmp_path: Path, settings: dict[str, int], said: str) -> None:
    path = by_hand(tmp_path, b"text", **{"crc": zlib.crc32(b"text"), **settings})

    with pytest.raises(SourceError, match=said):
        read(path)


def test_a_place_beyond_the_end_is_told(tmp_path: Path) -> None:
    data = by_hand(tmp_path, b"text", method=0, size=4, crc=zlib.crc32(b"text")).read_bytes()
    at = data.rfind(b"PK\x01\x02")
    path = written(tmp_path, "b.zip", data[: at + 42] + struct.pack("<I", 10**6) + data[at + 46 :])

    with pytest.raises(SourceError, match="damaged or cut off"):
        read(path)


def test_a_wrong_local_header_is_told(tmp_path: Path) -> None:
    data = by_hand(tmp_path, b"text", method=0, size=4, crc=zlib.crc32(b"text")).read_bytes()
    path = written(tmp_path, "b.zip", b"XX" + data[2:])

    with pytest.raises(SourceError, match="checksum is wrong"):
        read(path)


def test_files_that_are_no_archive_are_none(tmp_path: Path) -> None:
    text = written(tmp_path, "a.txt", "PK but no archive, and long enough to hold a header")

    assert not zip_members.is_archive(text)
    assert not zip_members.is_archive(tmp_path)
    assert zip_members.first_name(text) == ""
    assert zip_members.first_name(tmp_path) == ""
    with pytest.raises(SourceError, match="damaged or cut off"):
        zip_members.find(text, {"a"})


@settings(deadline=None)
@given(cut=st.integers(0, 4094), place=st.integers(0, 4094), byte=st.integers(0, 255))
def test_a_damaged_archive_never_fails_otherwise(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, byte: int
) -> None:
    data = bytearray(INSPECT_EVAL.read_bytes())
    data[place] = byte
    path = written(tmp_path_factory.mktemp("zip"), "a.eval", bytes(data if cut % 2 else data[:cut]))

    with contextlib.suppress(SourceError, KeyError):
        read(path, "header.json")
