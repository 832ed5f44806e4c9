"""HTTP/1.1 messages on a socket, read and passed on piece by piece. Knows nothing of faults."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

PIECE = 1 << 16
"""Bytes moved at once: a file of any size passes without being held."""


class Broken(Exception):
    """The other side closed or reset the connection in the middle of a message."""


@dataclass(slots=True)
class Head:
    """Start line and headers, the bytes as they came and the few fields a proxy needs."""

    start: list[str]
    raw: bytes
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case; of repeated headers the last."""

    @property
    def length(self) -> int | None:
        """Bytes of the body, None when the head does not say."""
        text = self.headers.get("content-length")
        return int(text) if text is not None else None

    @property
    def chunked(self) -> bool:
        return is_chunked(self.headers)

    @property
    def closes(self) -> bool:
        """Whether the sender will close the connection after this message."""
        return "close" in self.headers.get("connection", "").lower()


def read_head(stream: BinaryIO) -> Head | None:
    """Read one head; None when the other side closed instead of sending one."""
    lines: list[bytes] = []
    while True:
        line = stream.readline(1 << 16)
        if not line:
            if lines:
                raise Broken("closed inside a head")
            return None
        lines.append(line)
        if line in {b"\r\n", b"\n"}:
            break
    start = lines[0].decode("latin-1").strip().split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines[1:-1]:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return Head(start=start, raw=b"".join(lines), headers=headers)


def has_no_body(method: str, head: Head) -> bool:
    """Whether the answer ``head`` to ``method`` ends with its head (RFC 9112, 6.3)."""
    status = int(head.start[1])
    return method == "HEAD" or status in {204, 304} or status < 200


def body(stream: BinaryIO, head: Head, *, until_closed: bool) -> Iterator[bytes]:
    """Give the body's bytes as they stand on the wire, chunk frames included.

    Args:
        stream: where it comes from.
        head: the head that was read before.
        until_closed: what holds when the head names no length: True for answers, False for requests.
    """
    if head.chunked:
        yield from _chunks(stream)
    elif head.length is not None:
        yield from _exactly(stream, head.length)
    elif until_closed:
        while piece := stream.read(PIECE):
            yield piece


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Whether a body with these headers comes in chunk frames."""
    return "chunked" in headers.get("transfer-encoding", "").lower()


def without_frames(wire: bytes, headers: Mapping[str, str]) -> bytes:
    """Give the content of a body as ``body`` gave it: chunk frames taken off."""
    if not is_chunked(headers):
        return wire
    content = bytearray()
    rest = wire
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            break
        content += rest[:size]
        rest = rest[size + 2 :]
    return bytes(content)


def reset(connection: socket.socket) -> None:
    """Close so that the other side gets RST, as from a host that crashed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def _exactly(stream: BinaryIO, length: int) -> Iterator[bytes]:
    while length:
        piece = stream.read1(min(PIECE, length))  # type: ignore[attr-defined]
        if not piece:
            raise Broken("closed inside a body")
        length -= len(piece)
        yield piece


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        line = stream.readline(1 << 10)
        if not line.endswith(b"\n"):
            raise Broken("closed inside a chunk")
        yield line
        size = int(line.split(b";")[0], 16)
        yield from _exactly(stream, size)
        end = stream.readline(1 << 10)
        while size == 0 and end not in {b"\r\n", b"\n", b""}:  # trailers
            yield end
            end = stream.readline(1 << 10)
        yield end
        if size == 0:
            return
