"""A proxy to a port of this machine that gives every byte on half a round trip later; it knows no HTTP.

It ends the connections of both sides, so their kernels never wait for each other; ``long_link`` is the truth.
A process of its own, and as lean as can be: what it computes takes time from both sides on two cores.
Usage: delaying_proxy.py PORT ROUND_TRIP, the latter in seconds; prints the port it listens on.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque


class End(asyncio.Protocol):
    """One end of a connection; what arrives here leaves at the other end half a round trip later.

    Args:
        half: seconds that a byte is under way.
        opens: seconds that the connection takes to open.
    """

    def __init__(self, half: float, opens: float = 0.0) -> None:
        self.other: End | None = None
        self._half = half
        self._opens = opens
        self._from = 0.0
        self._transport: asyncio.Transport | None = None
        self._under_way: deque[bytes] = deque()
        """Empty bytes stand for the end."""
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to count the time that opening takes."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._from = asyncio.get_running_loop().time() + self._opens

    def data_received(self, data: bytes) -> None:
        """Send bytes on their way."""
        self._send(data)

    def eof_received(self) -> bool:
        """Send the end on its way; the other direction lives on."""
        self._send(b"")
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Send the end on its way."""
        del error
        self._closed = True
        self._send(b"")

    def put(self, data: bytes) -> None:
        """Give out what has arrived from the other end."""
        if self._transport is None or self._closed:
            return
        if data:
            self._transport.write(data)
        else:
            self._transport.close()

    def _send(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._under_way.append(data)
        loop.call_at(max(loop.time(), self._from) + self._half, self._arrive)

    def _arrive(self) -> None:
        data = self._under_way.popleft()
        if self.other is not None:
            self.other.put(data)


class Far(End):
    """The end at the client, which opens the other one."""

    def __init__(self, port: int, round_trip: float) -> None:
        super().__init__(round_trip / 2, opens=round_trip)
        self._port = port
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the connection to the server: long before the first byte arrives there."""
        super().connection_made(transport)
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        near = End(self._half)
        near.other, self.other = self, near
        await asyncio.get_running_loop().create_connection(lambda: near, "127.0.0.1", self._port)


async def main(port: int, round_trip: float) -> None:
    """Listen until the process is ended."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Far(port, round_trip), "127.0.0.1", 0, backlog=128)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
