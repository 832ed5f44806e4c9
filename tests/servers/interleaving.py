"""Lets several clients send their requests one at a time, in an order drawn by lot."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Sequence
from functools import partial

from fault_proxy import FaultProxy
from faults import Seen

GATHERING = 0.01
"""Seconds in which other clients may bring their next request before one is drawn."""


class Turns:
    """Holds every request until it is drawn; the next is drawn when the server has answered the last.

    Args:
        seed: makes the same draws for the same requests.
        first: clients whose requests come first, in this order; only then the others are drawn.
    """

    def __init__(self, seed: int, *, first: Sequence[int] = ()) -> None:
        self._lot = random.Random(seed)
        self._first = list(first)
        self._waiting: dict[int, threading.Event] = {}
        self._changed = threading.Condition()
        self._answered = threading.Event()
        self._over = False
        self.order: list[int] = []

    @contextlib.contextmanager
    def proxies(self, port: int, number: int) -> Iterator[list[FaultProxy]]:
        """Give a proxy for each client."""
        thread = threading.Thread(target=self._draw, daemon=True)
        with contextlib.ExitStack() as stack:
            clients = [
                stack.enter_context(FaultProxy(port, before=partial(self._before, client), after=self._after))
                for client in range(number)
            ]
            thread.start()
            try:
                yield clients
            finally:
                self._end()
                thread.join()

    def _before(self, client: int, seen: Seen) -> None:
        del seen
        turn = threading.Event()
        with self._changed:
            if self._over:
                return
            self._waiting[client] = turn
            self._changed.notify_all()
        turn.wait()

    def _after(self, seen: Seen) -> None:
        del seen
        self._answered.set()

    def _draw(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._somebody_can_go)
            threading.Event().wait(GATHERING)
            with self._changed:
                if self._over:
                    return
                client = self._first.pop(0) if self._first else self._lot.choice(sorted(self._waiting))
                turn = self._waiting.pop(client)
            self.order.append(client)
            self._answered.clear()
            turn.set()
            self._answered.wait(10)

    def _somebody_can_go(self) -> bool:
        return self._over or (self._first[0] in self._waiting if self._first else bool(self._waiting))

    def _end(self) -> None:
        with self._changed:
            self._over = True
            for turn in self._waiting.values():
                turn.set()
            self._changed.notify_all()
