"""Exports made records in a process of its own, which can be killed; orders come as JSON lines.

An order: {"uri", "experiment", "folder", "names", "large", "connection", "die_at"}; its answer: the outcomes.
With ``die_at`` the process kills itself at that number of changes to files below the tracking folder.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from attempts import LARGE, Attempt, invocation

from mlflow_rest_export.connection import Connection

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.link", "os.truncate", "os.rmdir"}
"""Audit events that change files; "open" is one when it may write."""


def die_at(number: int, root: str) -> None:
    """Kill this process at its ``number``-th change below ``root``."""
    count = itertools.count(1)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        if not (writes or event in CHANGES) or not str(arguments[0]).startswith(root):
            return
        if next(count) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def obey(order: dict[str, Any]) -> list[dict[str, object]]:
    """Export what an order asks for."""
    records = invocation(Path(order["folder"]), *order["names"], large=order.get("large", LARGE))
    if order.get("die_at"):
        die_at(order["die_at"], str(Path(order["uri"]).resolve()))
    connection = Connection(**order.get("connection", {}))
    attempt = Attempt(uri=order["uri"], experiment=order["experiment"], connection=connection)
    results = attempt.export(*records)
    return [result.as_json() for result in results]


def main() -> None:
    """Obey orders until there are no more."""
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
