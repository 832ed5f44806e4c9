"""The physical limit for jobs: the requests of an export in a bare loop, with nothing checked or read.

Usage: bare_jobs.py URL EXPERIMENT FOLDER, FOLDER holding the jobs of one invocation.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

NAMES = ("results.yml", "eval_factory_metrics.json", "run_config.yml", "metadata.yaml")
API = "/api/2.0/mlflow"
WORKERS = 8

url, experiment, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
mine = threading.local()


def ask(method: str, path: str, body: bytes, kind: str = "application/json") -> bytes:
    """Send one request on this thread's connection."""
    if not hasattr(mine, "connection"):
        mine.connection = http.client.HTTPConnection(urlsplit(url).netloc)
    mine.connection.request(method, path, body, {"Content-Type": kind})
    answer = mine.connection.getresponse()
    said = bytes(answer.read())
    if answer.status != 200:
        raise SystemExit(f"{method} {path}: {answer.status} {said[:200]!r}")
    return said


def post(path: str, body: dict[str, object]) -> bytes:
    """POST JSON to the tracking API."""
    return ask("POST", f"{API}/{path}", json.dumps(body).encode())


def export(job: Path) -> None:
    """Send what one job needs."""
    tags = [{"key": f"tag{number}", "value": "x" * 20} for number in range(15)]
    body: dict[str, object] = {"experiment_id": experiment_id, "run_name": job.name, "tags": tags}
    run = json.loads(post("runs/create", {**body, "start_time": 1795374380000}))["run"]["info"]["run_id"]
    metrics = [{"key": f"m{n}", "value": n / 7, "timestamp": 1795374380000, "step": 0} for n in range(12)]
    params = [{"key": f"p{number}", "value": "x" * 20} for number in range(6)]
    post("runs/log-batch", {"run_id": run, "metrics": metrics, "params": params})
    dataset = {"name": job.name, "digest": "abcd1234", "source_type": "nemo-evaluator", "source": "{}"}
    post("runs/log-inputs", {"run_id": run, "datasets": [{"dataset": dataset}]})
    place = f"/api/2.0/mlflow-artifacts/artifacts/{experiment_id}/{run}/artifacts"
    files = {name: (job / "artifacts" / name).read_bytes() for name in NAMES}
    for name, data in {**files, "config.yaml": b"x" * 2000, "receipt.json": b"x" * 1500}.items():
        ask("PUT", f"{place}/{name}", data, "application/octet-stream")
    post("runs/update", {"run_id": run, "status": "FINISHED", "end_time": 1795374390000})


experiment_id = json.loads(post("experiments/create", {"name": experiment}))["experiment_id"]
with ThreadPoolExecutor(WORKERS) as pool:
    list(pool.map(export, sorted(folder.iterdir())))
