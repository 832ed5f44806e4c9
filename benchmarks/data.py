"""The data that both sides export: launcher jobs after the genuine one of the fixtures, files, points."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path

from environments import PROJECT

RESULTS = PROJECT / "fixtures/results"
JOB = RESULTS / "20261122_190618-4d4685867b13b968/simple_evals.mmlu.0"
FILES = ("results.yml", "eval_factory_metrics.json", "run_config.yml", "metadata.yaml")
MAKER = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
"""Data of another version of this module is made anew."""
PER_INVOCATION = 200
"""Jobs of one invocation, unless asked otherwise."""
RESULT = PROJECT / "fixtures/formats/lm-eval/results_2026-01-21T03-44-18.458309.json"
METRICS = 10
"""Keys of the metric points."""


def make_jobs(root: Path, count: int, *, per_invocation: int = PER_INVOCATION) -> list[str]:
    """Make launcher jobs below ``root`` and the execution database of a home folder in it; give their ids.

    ``root`` serves both sides as ``HOME``. Nothing is made when it was made before.
    """
    invocations = [f"{count:08x}{part:08x}" for part in range(-(-count // per_invocation))]
    mark = root / "made-by"
    if mark.exists() and mark.read_text() == MAKER:
        return invocations
    shutil.rmtree(root, ignore_errors=True)
    database = root / ".nemo-evaluator/exec-db/exec.v1.jsonl"
    database.parent.mkdir(parents=True)
    first = json.loads((RESULTS / "exec.v1.jsonl").read_text().splitlines()[0])
    with database.open("w") as rows:
        for number in range(count):
            invocation = invocations[number // per_invocation]
            job_id = f"{invocation}.{number % per_invocation}"
            folder = root / f"results/20261122_190618-{invocation}"
            place = folder / f"simple_evals.mmlu.{number % per_invocation}"
            _make_job(place, number)
            told = {"invocation_id": invocation, "job_id": job_id, "config": None}
            row = {**first, **told, "data": {**first["data"], "output_dir": str(place)}}
            rows.write(json.dumps(row) + "\n")
    mark.write_text(MAKER)
    return invocations


def _make_job(place: Path, number: int) -> None:
    """Make one job; its scores differ from those of its siblings."""
    (place / "artifacts").mkdir(parents=True)
    (place / "logs").mkdir()
    for name in FILES:
        text = (JOB / "artifacts" / name).read_text()
        if name == "results.yml":
            text += f"# job {number}\n"
        (place / "artifacts" / name).write_text(text)
    shutil.copy(JOB / "logs/stage.running", place / "logs/stage.running")
    shutil.copy(JOB / "logs/stage.exit", place / "logs/stage.exit")


def make_results(root: Path, count: int) -> Path:
    """Make results of lm-eval, each in a folder of its own; nothing is made when it was made before."""
    mark = root / "made-by"
    if mark.exists() and mark.read_text() == MAKER:
        return root
    shutil.rmtree(root, ignore_errors=True)
    result = json.loads(RESULT.read_text())
    for number in range(count):
        folder = root / f"model-{number:05}"
        folder.mkdir(parents=True)
        (folder / RESULT.name).write_text(json.dumps({**result, "number": number}))
    mark.write_text(MAKER)
    return root


def make_file(path: Path, size: int) -> Path:
    """Make a file of ``size`` random bytes."""
    if not path.exists() or path.stat().st_size != size:
        path.parent.mkdir(parents=True, exist_ok=True)
        source = random.Random(size)  # noqa: S311  # data that no store can compress
        with path.open("wb") as file:
            left = size
            while left:
                left -= file.write(source.randbytes(min(left, 1 << 20)))
    return path


def make_job_with(root: Path, files: list[Path] | int) -> list[str]:
    """Make one job that has these files, or so many small ones, beside its own; give its id."""
    invocations = make_jobs(root, 1)
    more = root / f"results/20261122_190618-{invocations[0]}/simple_evals.mmlu.0/artifacts/more"
    if not more.exists():
        more.mkdir()
        if isinstance(files, int):
            for number in range(files):
                folder = more / f"{number // 500:02d}"
                folder.mkdir(exist_ok=True)
                (folder / f"sample-{number:05d}.json").write_text(
                    json.dumps({"id": number, "text": "x" * 900})
                )
        else:
            for file in files:
                (more / file.name).hardlink_to(file)
    return invocations


def make_points(root: Path, count: int, *, experiment: str) -> Path:
    """Make an ``mlruns`` folder with one run of ``count`` points over ``METRICS`` metrics, always anew."""
    store = root / "mlruns"
    run = "0123456789abcdef0123456789abcdef"
    folder = store / "1" / run
    shutil.rmtree(root, ignore_errors=True)
    for name in ("metrics", "params", "tags", "artifacts"):
        (folder / name).mkdir(parents=True)
    times = "creation_time: 1795374380000\nlast_update_time: 1795374380000\n"
    (store / "1/meta.yaml").write_text(
        f"artifact_location: {store}/1\nexperiment_id: '1'\nlifecycle_stage: active\n"
        f"name: {experiment}\n{times}"
    )
    (folder / "meta.yaml").write_text(
        f"artifact_uri: {folder}/artifacts\nend_time: 1795374390000\nentry_point_name: ''\n"
        "experiment_id: '1'\n"
        f"lifecycle_stage: active\nrun_id: {run}\nrun_name: points\nrun_uuid: {run}\nsource_name: ''\n"
        "source_type: 4\nsource_version: ''\n"
        "start_time: 1795374380000\nstatus: 3\ntags: []\nuser_id: bench\n"
    )
    (folder / "tags/mlflow.runName").write_text("points")
    for key in range(METRICS):
        with (folder / "metrics" / f"loss{key}").open("w") as file:
            for step in range(count // METRICS):
                file.write(f"{1795374380000 + step} {1 / (step + 1)!r} {step}\n")
    return store
