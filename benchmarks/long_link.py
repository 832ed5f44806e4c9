"""A line as long as half a round trip, which carries packets: a server of this machine at its far end.

Connections go from kernel to kernel, as they do between two machines: opening one takes a round trip, and a
server that sends head and body of an answer apart waits with the body until the head is acknowledged. A proxy
that ends the connections hides the latter.

A process of its own, on Linux, as root: it makes a network interface, which ends with it. Whatever is sent to
``FAR`` comes back half a round trip later as if ``FAR`` had sent it; what the server answers goes there, too.
Usage: long_link.py ROUND_TRIP, in seconds; prints ``FAR`` when it is ready.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import struct
import subprocess
import sys
import time
from collections import deque

NEAR, FAR = "10.213.0.1", "10.213.0.2"
SET_INTERFACE, TUN, WITHOUT_HEADER = 0x400454CA, 0x0001, 0x1000
"""From <linux/if_tun.h>."""
PACKET = 1 << 16
"""Bytes, more than any packet has."""


def interface() -> int:
    """Make an interface that has all addresses beside ``NEAR`` at its other end; gives that end as a file.

    Raises:
        SystemExit: it cannot be made; with the reason.
    """
    try:
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        wanted = struct.pack("16sH22x", b"far%d", TUN | WITHOUT_HEADER)
        name = fcntl.ioctl(end, SET_INTERFACE, wanted)[:16].rstrip(b"\0").decode()
        tool = shutil.which("ip") or "ip"
        subprocess.run([tool, "address", "add", f"{NEAR}/24", "dev", name], check=True)
        subprocess.run([tool, "link", "set", name, "up"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"a long link needs root, /dev/net/tun and the program ip: {error}") from None
    return end


def turned(packet: bytes) -> bytes:
    """Exchange sender and receiver; the checksums stay true, since their sums do."""
    return packet[:12] + packet[16:20] + packet[12:16] + packet[20:]


def carry(end: int, half: float) -> None:
    """Give every packet of IP back ``half`` seconds later, for ever."""
    under_way: deque[tuple[float, bytes]] = deque()
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        arrived, _, _ = select.select([end], [], [], wait)
        if arrived:
            packet = os.read(end, PACKET)
            if packet[0] >> 4 == 4:  # the kernel also asks for neighbours of the other IP
                under_way.append((time.monotonic() + half, turned(packet)))
        while under_way and under_way[0][0] <= time.monotonic():
            os.write(end, under_way.popleft()[1])


if __name__ == "__main__":
    opened = interface()
    print(FAR, flush=True)
    carry(opened, float(sys.argv[1]) / 2)
