"""The physical limit for many files: the same PUTs in a bare loop with eight connections.

Usage: bare_files.py URL EXPERIMENT FOLDER.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

url, experiment, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
mine = threading.local()


def ask(method: str, path: str, body: bytes) -> bytes:
    """Send one request on this thread's connection."""
    if not hasattr(mine, "connection"):
        mine.connection = http.client.HTTPConnection(urlsplit(url).netloc)
    mine.connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = mine.connection.getresponse()
    said = bytes(answer.read())
    if answer.status != 200:
        raise SystemExit(f"{method} {path}: {answer.status} {said[:200]!r}")
    return said


def put(path: Path) -> None:
    """Send one file."""
    ask("PUT", f"{place}/{path.relative_to(folder).as_posix()}", path.read_bytes())


name = json.dumps({"name": experiment}).encode()
experiment_id = json.loads(ask("POST", "/api/2.0/mlflow/experiments/create", name))["experiment_id"]
place = f"/api/2.0/mlflow-artifacts/artifacts/{experiment_id}/bare/artifacts"
with ThreadPoolExecutor(8) as pool:
    list(pool.map(put, [path for path in folder.rglob("*") if path.is_file()]))
