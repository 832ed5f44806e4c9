"""What a server holds of an experiment, read without our client: plain requests against the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import requests
from mlflow_server import MlflowServer

from mlflow_rest_export import marks
from mlflow_rest_export.records import Metric, RunRecord

PAGE = 25_000


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """The runs of one experiment.

    Args:
        server: read directly, past every proxy.
        experiment: its name.
    """

    server: MlflowServer
    experiment: str

    def runs(self, view: str = "ACTIVE_ONLY") -> list[dict[str, Any]]:
        """Give all runs as the API shows them; none when there is no such experiment."""
        found = self._call("GET", "experiments/get-by-name", params={"experiment_name": self.experiment})
        if "experiment" not in found:
            return []
        body = {
            "experiment_ids": [found["experiment"]["experiment_id"]],
            "run_view_type": view,
            "max_results": 1000,
        }
        runs: list[dict[str, Any]] = self._call("POST", "runs/search", json=body).get("runs", [])
        return runs

    def history(self, run_id: str, key: str) -> list[Metric]:
        """Give every stored point of a metric."""
        query = {"run_id": run_id, "run_uuid": run_id, "metric_key": key, "max_results": PAGE}
        found = self._call("GET", "metrics/get-history", params=query).get("metrics", [])
        return [
            Metric(key, float(point["value"]), int(point["timestamp"]), int(point.get("step", 0)))
            for point in found
        ]

    def files(self, run_id: str, folder: str = "") -> dict[str, int]:
        """Give every file with its size in bytes."""
        found: dict[str, int] = {}
        query = {"run_id": run_id, "run_uuid": run_id, **({"path": folder} if folder else {})}
        for entry in self._call("GET", "artifacts/list", params=query).get("files", []):
            if entry.get("is_dir"):
                found |= self.files(run_id, entry["path"])
            else:
                found[entry["path"]] = int(entry.get("file_size", 0))
        return found

    def content(self, run: dict[str, Any], path: str) -> bytes:
        """Download one file."""
        root = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:").strip("/")
        url = f"{self.server.url}/api/2.0/mlflow-artifacts/artifacts/{quote(root)}/{quote(path)}"
        answer = requests.get(url, timeout=60)
        answer.raise_for_status()
        return answer.content

    def on_disk(self, run: dict[str, Any], path: str) -> bytes:
        """Read one file where the server keeps it: before 3.12 it cannot send every name."""
        root = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:").strip("/")
        content: bytes = (self.server.folder / "artifacts" / root / path).read_bytes()
        return content

    def faults(self, record: RunRecord, *, before: RunRecord | None = None) -> list[str]:
        """Say everything in which the experiment differs from exactly one whole run of ``record``.

        Args:
            record: what was exported last.
            before: what had been exported into the same run; its points stay where the new ones differ.
        """
        runs = [run for run in self.runs() if tag_of(run, marks.KEY) == record.key]
        if len(runs) != 1:
            return [f"{len(runs)} runs instead of one: {[run['info']['status'] for run in runs]}"]
        (run,) = runs
        run_id = run["info"]["run_id"]
        wrong = [] if run["info"]["status"] == "FINISHED" else [f"status {run['info']['status']}"]
        params = {param["key"]: param["value"] for param in run["data"].get("params", [])}
        wrong += [f"param {key}" for key, value in record.params.items() if params.get(key) != value]
        wrong += [f"tag {key}" for key, value in record.tags.items() if tag_of(run, key) != value]
        wrong += self._wrong_metrics(run, record, before)
        return wrong + self._wrong_files(run, run_id, record)

    def faults_of_a_race(self, records: Sequence[RunRecord], answers: Sequence[Any]) -> list[str]:
        """Say in what the experiment differs from one whole run a record, and who told something else.

        Args:
            records: what every racer exported.
            answers: what each of them told of its runs, as JSON.
        """
        told = [run for answer in answers for run in answer]
        wrong = [f"{record.label}: {what}" for record in records for what in self.faults(record)]
        wrong += [str(run["error"]) for run in told if run["error"]]
        ids, runs = {run["run_id"] for run in told}, self.runs()
        if not len(ids) == len(runs) == len(records):
            wrong.append(f"{len(ids)} run ids told, {len(runs)} runs there")
        return wrong

    def _wrong_metrics(self, run: dict[str, Any], record: RunRecord, before: RunRecord | None) -> list[str]:
        wanted = _by_key(record)
        earlier = _by_key(before) if before else {}
        there = {metric["key"] for metric in run["data"].get("metrics", [])}
        keys = wanted.keys() | earlier.keys()
        wrong = [f"metrics {sorted(there ^ keys)}"] if there != keys else []
        for key in there & wanted.keys():
            points = self.history(run["info"]["run_id"], key)
            stale = [point for point in earlier.get(key, []) if point not in wanted[key]]
            fresh = [replace(point, timestamp=point.timestamp + bool(stale)) for point in wanted[key]]
            if sorted(points, key=_order) != sorted([*stale, *fresh], key=_order):
                wrong.append(f"metric {key}: {points} instead of {[*stale, *fresh]}")
        return wrong

    def _wrong_files(self, run: dict[str, Any], run_id: str, record: RunRecord) -> list[str]:
        contents = {
            artifact.path: artifact.content
            if isinstance(artifact.content, bytes)
            else artifact.content.read_bytes()
            for artifact in record.artifacts
        }
        there = self.files(run_id)
        wanted = contents.keys() | {marks.RECEIPT}
        if there.keys() != wanted:
            return [f"files {sorted(there.keys() ^ wanted)}"]
        return [f"file {path}" for path, content in contents.items() if self.content(run, path) != content]

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        url = f"{self.server.url}/api/2.0/mlflow/{path}"
        answer = requests.request(method, url, timeout=60, **arguments)
        body: dict[str, Any] = answer.json()
        if not answer.ok and body.get("error_code") != "RESOURCE_DOES_NOT_EXIST":
            answer.raise_for_status()
        return body


def _by_key(record: RunRecord) -> dict[str, list[Metric]]:
    points: dict[str, list[Metric]] = {}
    for point in record.metrics:
        points.setdefault(point.key, []).append(point)
    return points


def _order(point: Metric) -> tuple[int, int, float]:
    return point.step, point.timestamp, point.value


def tag_of(run: dict[str, Any], key: str) -> str | None:
    """Give the value of a tag; None when the run lacks it."""
    return next((tag["value"] for tag in run["data"].get("tags", []) if tag["key"] == key), None)
