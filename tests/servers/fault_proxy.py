"""A loopback proxy between an exporter and a real server, which counts requests and makes them fail.

It holds no whole body unless asked to record, keeps connections alive on both sides, and is threaded: one
thread a client connection. It stands in nobody's way: without a rule every byte passes unchanged.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO

import http_wire
from faults import Fault, Kind, Rule, Seen
from http_wire import Broken, Head
from typing_extensions import Self
from upstream import TALK_TIMEOUT, Upstream, drain

Hook = Callable[[Seen], None]


class FaultProxy:
    """The proxy; a context manager.

    Args:
        port: the server's port on 127.0.0.1.
        delay: seconds every request and every new connection waits, as if the server were that far away.
        sleep: waits for so many seconds.
        record: keep the bodies of requests and answers in ``seen``.
        before: called with each request before it goes to the server.
        after: called with each request when the server has answered and the client has not heard of it yet.
    """

    def __init__(
        self,
        port: int,
        *,
        delay: float = 0.0,
        sleep: Callable[[float], object] = time.sleep,
        record: bool = False,
        before: Hook | None = None,
        after: Hook | None = None,
    ) -> None:
        self.upstream_port = port
        self.delay = delay
        self._sleep = sleep
        self.record = record
        self.before = before
        self.after = after
        self.seen: list[Seen] = []
        self.rules: list[Rule] = []
        self._lock = threading.Lock()
        self._let_go = threading.Event()
        self._late: list[tuple[Head, bytes]] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection and wait for the threads."""
        self._let_go.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            opened = list(self._open)
        for connection in opened:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)

    def inject(self, fault: Fault, *, number: int | None = None, **where: str | int) -> None:
        """Let ``fault`` hit request ``number``, or the next that fits ``method``, ``path``, ``times``."""
        with self._lock:
            self.rules.append(Rule(fault=fault, number=number, **where))  # type: ignore[arg-type]

    def forget(self) -> None:
        """Forget all rules and requests: the next request has number 1. Stalled ones are let go."""
        with self._lock:
            self.rules.clear()
            self.seen = []
            self._let_go.set()
            self._let_go = threading.Event()

    @property
    def writes(self) -> list[Seen]:
        """The requests that asked for a change."""
        return [seen for seen in self.seen if seen.writes]

    def settle(self) -> None:
        """Wait until nothing more will come of any request so far, be its client alive or not."""
        deadline = time.monotonic() + TALK_TIMEOUT
        while not all(seen.over for seen in self.seen):
            if time.monotonic() > deadline:
                raise TimeoutError(f"still under way: {[seen.target for seen in self.seen if not seen.over]}")
            time.sleep(0.01)

    def _start(self, work: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads = [old for old in self._threads if old.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.settimeout(TALK_TIMEOUT)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        upstream = Upstream(self.upstream_port, hold=self._held, record=self.record)
        with self._held(client), client.makefile("rb") as requests, contextlib.closing(upstream):
            self._sleep(self.delay)
            with contextlib.suppress(OSError, Broken):
                while self._exchange(client, requests, upstream):
                    pass

    @contextlib.contextmanager
    def _held(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _exchange(self, client: socket.socket, requests: BinaryIO, upstream: Upstream) -> bool:
        """Carry one request and its answer; tell whether the connection lives on."""
        head = http_wire.read_head(requests)
        if head is None:
            return False
        seen = self._register(head)
        try:
            return self._carry(
                client, http_wire.body(requests, head, until_closed=False), upstream, head, seen
            )
        finally:
            seen.over = True

    def _carry(
        self, client: socket.socket, content: Iterator[bytes], upstream: Upstream, head: Head, seen: Seen
    ) -> bool:
        self._sleep(self.delay)
        if self.before:
            self.before(seen)
        if seen.writes:
            self._send_late_ones()
        fault = seen.fault
        if fault and fault.kind is Kind.LATE:
            with self._lock:
                self._late.append((head, b"".join(content)))
            client.sendall(fault.answer())
            return False
        if fault and not fault.after:
            drain(content, seen, keep=self.record)
            self._fail(client, fault, b"", b"")
            return False
        answer, stream = upstream.ask(head, content, seen)
        if self.after:
            self.after(seen)
        pieces = (
            iter(())
            if http_wire.has_no_body(seen.method, answer)
            else http_wire.body(stream, answer, until_closed=True)
        )
        if fault:
            whole = b"".join(pieces)
            self._fail(client, fault, answer.raw, http_wire.without_frames(whole, answer.headers))
            return False
        return self._pass_on(client, upstream, answer, pieces, seen) and not head.closes

    def _send_late_ones(self) -> None:
        """Bring the server what it was to get late, and wait for its answers, which nobody hears."""
        with self._lock:
            late, self._late = self._late, []
        for head, content in late:
            upstream = Upstream(self.upstream_port, hold=self._held, record=False)
            with contextlib.closing(upstream):
                answer, stream = upstream.ask(
                    head, iter([content]), Seen(0, head.start[0], head.start[1], head.headers)
                )
                for _ in http_wire.body(stream, answer, until_closed=True):
                    pass

    def _register(self, head: Head) -> Seen:
        with self._lock:
            seen = Seen(len(self.seen) + 1, head.start[0], head.start[1], head.headers)
            self.seen.append(seen)
            seen.fault = next((rule.fault for rule in self.rules if rule.hits(seen)), None)
        return seen

    def _pass_on(
        self,
        client: socket.socket,
        upstream: Upstream,
        answer: Head,
        pieces: Iterator[bytes],
        seen: Seen,
    ) -> bool:
        client.sendall(answer.raw)
        for piece in pieces:
            if self.record:
                seen.answer_wire += piece
            client.sendall(piece)
        framed = answer.chunked or answer.length is not None or http_wire.has_no_body(seen.method, answer)
        if answer.closes or not framed:
            upstream.close()
            return False
        return True

    def _fail(self, client: socket.socket, fault: Fault, head: bytes, content: bytes) -> None:
        if fault.kind is Kind.RESET:
            http_wire.reset(client)
        elif fault.kind is Kind.ANSWER:
            client.sendall(fault.answer())
        elif fault.kind is Kind.STALL:
            self._let_go.wait(TALK_TIMEOUT)
        else:
            half = content[: len(content) // 2]
            promised = max(len(content), 1) if fault.kind is Kind.CUT else len(half)
            status = head.partition(b"\r\n")[0]
            lines = b"\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            client.sendall(status + lines % promised + half)
