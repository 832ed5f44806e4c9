"""Every line of the three ways of use on the launcher's documented page, as it stands there.

Only what cannot be the same is replaced: the import line, the program's name, and the addresses of servers.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from pages import ROOT, blocks, commands

import mlflow_rest_export
from mlflow_rest_export.cli import main

PAGE = ROOT / "fixtures" / "documented-page" / "mlflow-exporter.md"
ID = "8abcd123"
SERVER = re.compile(r"http://mlflow[a-z.]*:5000")


@pytest.fixture(autouse=True)
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which the launcher knows the invocation of the page; gives the folder for runs."""
    job = tmp_path / f"20261122_190618-{ID}" / "simple_evals.mmlu.0"
    source = ROOT / "fixtures" / "results" / "20261122_190618-4d4685867b13b968"
    shutil.copytree(source / job.name, job)
    for name in ("metadata.yaml", "run_config.yml"):  # the job's own stored settings are another's
        stored = job / "artifacts" / name
        stored.write_text(stored.read_text().replace("mlflow:", "wandb:"))
    results = job / "artifacts" / "results.yml"  # the page filters by metrics that its own job has
    document = yaml.safe_load(results.read_text())
    scores = {"accuracy": {"value": 0.5, "stats": {}}}
    document["results"]["tasks"]["page"] = {"metrics": {"page": {"scores": scores}}}
    results.write_text(yaml.safe_dump(document))
    row = {"invocation_id": ID, "job_id": f"{ID}.0", "executor": "local", "data": {"output_dir": str(job)}}
    database = tmp_path / ".nemo-evaluator" / "exec-db" / "exec.v1.jsonl"
    database.parent.mkdir(parents=True)
    database.write_text(json.dumps(row))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "mlruns"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mlruns"


def experiments(store: Path) -> set[str]:
    return {yaml.safe_load(meta.read_text())["name"] for meta in store.glob("*/meta.yaml")}


def tag(store: Path, name: str) -> set[str]:
    return {file.read_text() for file in store.glob(f"*/*/tags/{name}")}


def test_way_1_the_run_config_of_auto_export(launcher: Path, tmp_path: Path) -> None:
    (text,) = (block for block in blocks(PAGE, "yaml") if "auto_export" in block)
    config = tmp_path / "my_config.yaml"
    config.write_text(SERVER.sub(str(launcher), text))

    code = main(["export", f"{ID}.0", "--dest", "mlflow", "--config", str(config)])

    assert code == 0
    assert experiments(launcher) == {"llm-evaluation"}
    assert tag(launcher, "model_family") == {"llama"}
    assert {file.name for file in launcher.glob("*/*/metrics/*")} >= {"mmlu_score_macro", "mmlu_score_micro"}
    assert not list(launcher.glob("*/*/metrics/stem*"))
    (hardware,) = launcher.glob("*/*/params/hardware")
    assert hardware.read_text() == "A100"


def test_way_2_every_call_of_the_python_api(launcher: Path) -> None:
    (text,) = (block for block in blocks(PAGE, "python") if "export_results" in block)
    answers: list[dict[str, object]] = []

    def kept(*arguments: object, **named: object) -> None:
        answers.append(export(*arguments, **named))  # type: ignore[arg-type]

    export = mlflow_rest_export.export_results
    imported = "from nemo_evaluator_launcher.api.functional import export_results\n"
    assert text.count(imported) == 1
    calls = SERVER.sub(str(launcher), text.replace(imported, ""))

    exec(compile(calls, str(PAGE), "exec"), {"export_results": kept})  # noqa: S102  # that is the test

    assert [answer["success"] for answer in answers] == [True] * text.count("export_results(")
    assert experiments(launcher) == {
        "model-evaluation",
        "llm-benchmarks",
        "model-comparison",
        "nightly-evals",
    }
    assert tag(launcher, "benchmark") >= {"mmlu"}
    (without,) = (
        meta.parent for meta in launcher.glob("*/meta.yaml") if "model-comparison" in meta.read_text()
    )
    assert not [file for file in without.glob("*/artifacts/**/*") if file.is_file()]


def test_way_3_every_line_of_the_command_line(launcher: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = (block for block in blocks(PAGE, "shell") if "export" in block)
    lines = list(commands(SERVER.sub(str(launcher), text), "nemo-evaluator-launcher"))

    assert len(lines) == 3
    for words in lines:
        assert main(words) == 0, words
        assert capsys.readouterr().out.splitlines()[-1].startswith(f"file://{launcher}/")
    assert experiments(launcher) == {"nemo-evaluator-launcher", "my-exp"}
