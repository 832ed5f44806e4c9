"""Runs, their values and how they are searched: MLflow's tracking API as a workspace serves it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from databricks_standin.folders import Folders
from databricks_standin.wire import Asked, Refusal, Said, said_json

KEY_LENGTH, PARAM_LENGTH, TAG_LENGTH = 250, 500, 5000
MOST = {"metrics": 1000, "params": 100, "tags": 100}
BODY = 1_000_000
_CONDITION = re.compile(r"tags\.`([^`]+)` (=|LIKE) ('([^']*)'|\"([^\"]*)\")$")


@dataclass(slots=True)
class Run:
    """One run; ``points`` holds every point of every metric."""

    info: dict[str, Any]
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    inputs: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        """Give the run as the API shows it."""
        latest = [max(points, key=lambda p: (p["step"], p["timestamp"])) for points in self.points.values()]
        return {
            "info": dict(self.info),
            "data": {"metrics": latest, "params": _pairs(self.params), "tags": _pairs(self.tags)},
        }


@dataclass(slots=True)
class Runs:
    """All runs.

    Args:
        half_batches: so many of the next batches are stored up to their params and answered with 500.
    """

    folders: Folders
    half_batches: int = 0
    runs: dict[str, Run] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Said | None:
        """Answer what belongs to runs and experiments."""
        call = asked.path.removeprefix("/api/2.0/mlflow/")
        reads: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "experiments/get-by-name": lambda q: {
                "experiment": self.folders.get_by_name(q["experiment_name"])
            },
            "experiments/get": lambda q: {"experiment": self.folders.get(q["experiment_id"])},
            "runs/get": lambda q: {"run": self._run(q["run_id"]).shown()},
            "metrics/get-history": self._history,
        }
        writes: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "experiments/create": lambda b: {"experiment_id": self.folders.create(b)["experiment_id"]},
            "experiments/restore": lambda b: self._experiment_stage(b, "active"),
            "experiments/delete": lambda b: self._experiment_stage(b, "deleted"),
            "runs/create": self._create,
            "runs/update": self._update,
            "runs/delete": lambda b: self._stage(b, "deleted"),
            "runs/restore": lambda b: self._stage(b, "active"),
            "runs/search": self._search,
            "experiments/search": self.folders.search,
            "runs/log-inputs": self._inputs,
            "logged-models/search": lambda _: {},
            "runs/log-parameter": lambda b: self._values(b["run_id"], {"params": [b]}),
            "runs/log-metric": lambda b: self._values(b["run_id"], {"metrics": [b]}),
            "runs/set-tag": lambda b: self._values(b["run_id"], {"tags": [b]}),
        }
        if asked.method == "GET" and call in reads:
            return said_json(reads[call](dict(asked.query)))
        if asked.method == "POST" and call in writes:
            return said_json(writes[call](asked.json))
        if asked.method == "POST" and call == "runs/log-batch":
            return said_json(self._batch(asked))
        return None

    def _run(self, run_id: str) -> Run:
        if run_id not in self.runs:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Run '{run_id}' not found.")
        return self.runs[run_id]

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        experiment = self.folders.get(body["experiment_id"])
        run_id = uuid.uuid4().hex
        place = f"{experiment['artifact_location']}/{run_id}/artifacts"
        tags = {tag["key"]: tag["value"] for tag in body.get("tags", [])}
        _check(tags, TAG_LENGTH, "Tag")
        info = {
            "run_id": run_id,
            "run_uuid": run_id,
            "run_name": body.get("run_name") or tags.get("mlflow.runName", ""),
            "experiment_id": experiment["experiment_id"],
            "user_id": body.get("user_id", ""),
            "status": "RUNNING",
            "start_time": body["start_time"],
            "artifact_uri": place,
            "lifecycle_stage": "active",
        }
        self.runs[run_id] = Run(info, {"mlflow.runName": info["run_name"], **tags})
        return {"run": self.runs[run_id].shown()}

    def _update(self, body: dict[str, Any]) -> dict[str, Any]:
        run = self._run(body["run_id"])
        run.info.update({name: body[name] for name in ("status", "end_time", "run_name") if name in body})
        return {"run_info": run.info}

    def _stage(self, body: dict[str, Any], stage: str) -> dict[str, Any]:
        self._run(body["run_id"]).info["lifecycle_stage"] = stage
        return {}

    def _experiment_stage(self, body: dict[str, Any], stage: str) -> dict[str, Any]:
        self.folders.get(body["experiment_id"])["lifecycle_stage"] = stage
        return {}

    def _search(self, body: dict[str, Any]) -> dict[str, Any]:
        if any(not re.fullmatch(r"\d{15,19}", each) for each in body["experiment_ids"]):
            raise Refusal(400, "INVALID_PARAMETER_VALUE", "Invalid experiment id")
        tests = [_condition(text) for text in body.get("filter", "").split(" AND ") if text]
        view = body.get("run_view_type", "ACTIVE_ONLY")
        found = [
            run.shown()
            for run in reversed(list(self.runs.values()))
            if run.info["experiment_id"] in body["experiment_ids"]
            and (view == "ALL" or (run.info["lifecycle_stage"] == "active") == (view == "ACTIVE_ONLY"))
            and all(test(run.tags) for test in tests)
        ]
        start, size = int(body.get("page_token") or 0), int(body.get("max_results", 1000))
        page: dict[str, Any] = {"runs": found[start : start + size]} if found else {}
        return {**page, "next_page_token": str(start + size)} if len(found) > start + size else page

    def _batch(self, asked: Asked) -> dict[str, Any]:
        if len(asked.body) > BODY:
            raise Refusal(400, "MAX_REQUEST_SIZE", f"Request of {len(asked.body)} bytes exceeds {BODY}")
        body = asked.json
        for kind, most in MOST.items():
            if len(body.get(kind, [])) > most:
                raise Refusal(400, "INVALID_PARAMETER_VALUE", f"at most {most} {kind} in one request")
        if sum(len(body.get(kind, [])) for kind in MOST) > 1000:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", "at most 1000 entries in one request")
        return self._values(body["run_id"], body)

    def _values(self, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
        run = self._run(run_id)
        params = {param["key"]: param.get("value", "") for param in body.get("params", [])}
        tags = {tag["key"]: tag.get("value", "") for tag in body.get("tags", [])}
        _check(params, PARAM_LENGTH, "Param")
        _check(tags, TAG_LENGTH, "Tag")
        for key, value in params.items():
            if run.params.get(key, value) != value:
                text = f"Changing param values is not allowed. Param with key='{key}' was already logged"
                raise Refusal(400, "INVALID_PARAMETER_VALUE", text)
        run.params.update(params)
        if self.half_batches:
            self.half_batches -= 1
            raise Refusal(500, "INTERNAL_ERROR", "the rest of the batch was not stored")
        for metric in body.get("metrics", []):
            _check({metric["key"]: ""}, 0, "Metric")
            point = {name: metric[name] for name in ("key", "value", "timestamp")}
            point["step"] = metric.get("step", 0)
            points = run.points.setdefault(metric["key"], [])
            if point not in points:
                points.append(point)
        run.tags.update(tags)
        return {}

    def _history(self, query: dict[str, Any]) -> dict[str, Any]:
        points = self._run(query["run_id"]).points.get(query["metric_key"], [])
        start, size = int(query.get("page_token") or 0), int(query.get("max_results") or 25_000)
        page: dict[str, Any] = {"metrics": points[start : start + size]}
        return {**page, "next_page_token": str(start + size)} if len(points) > start + size else page

    def _inputs(self, body: dict[str, Any]) -> dict[str, Any]:
        inputs = self._run(body["run_id"]).inputs
        inputs += [each for each in body.get("datasets", []) if each not in inputs]
        return {}


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _check(values: dict[str, str], longest: int, what: str) -> None:
    for key, value in values.items():
        if len(key.encode()) > KEY_LENGTH or not re.fullmatch(r"[/\w.\- ]+", key):
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Invalid {what.lower()} name: '{key}'.")
        if len(value.encode()) > longest:
            text = f"{what} value '{value[:250]}' had length {len(value.encode())}"
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"{text}, which exceeded length limit of {longest}")


def _condition(text: str) -> Callable[[dict[str, str]], bool]:
    found = _CONDITION.match(text)
    if not found:
        raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Invalid filter string: {text}")
    key, operator = found.group(1), found.group(2)
    wanted = found.group(4) if found.group(4) is not None else found.group(5)
    if operator == "=":
        return lambda tags: tags.get(key) == wanted
    pattern = re.compile(re.escape(wanted).replace("%", ".*").replace("_", "."), re.DOTALL)
    return lambda tags: key in tags and bool(pattern.fullmatch(tags[key]))
