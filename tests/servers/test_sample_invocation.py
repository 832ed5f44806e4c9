"""The genuine sample invocation, exported by id and by path, against what the official exporter stored.

What may differ is named in one place, ``DIFFERS`` and the sets beside it; all else of the official export
must be there, as the official SDK reads it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from fault_proxy import FaultProxy
from launcher_folders import FOLDER, INVOCATION, LCR, MMLU, OFFICIAL, genuine
from mlflow_server import ADMIN, MlflowServer
from server_pool import Reader

PARAMS_THAT_DIFFER = {"results_dir", "config.env_vars.JUDGE_API_KEY"}  # another folder; masked
NOTE = "mlflow.note.content"
TAGS_THAT_DIFFER = {"mlflow.source.name", "mlflow.user", NOTE}  # the note: theirs, then a table of the scores
LEFT_OUT = "client_stdout.log"  # the sample lacks it: long
SIZES_THAT_DIFFER = {"config.yaml", "metadata.yaml", "stdout.log"}  # masked values, rewritten paths
JOBS = {
    "eval-4d4685867b13b968-mmlu": (MMLU, f"{INVOCATION}.0"),
    "eval-4d4685867b13b968-aa_lcr": (LCR, f"{INVOCATION}.1"),
}


@pytest.fixture
def sample(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The output folder with all three jobs, and the environment that knows the execution database."""
    output, database = genuine(tmp_path)
    return output, {"NEMO_EVALUATOR_EXEC_DB_FILE": str(database)}


def official() -> dict[str, dict[str, Any]]:
    """Give the official runs by name."""
    stored = json.loads((OFFICIAL / "official-0.2.6-export.json").read_text())
    return {run["info"]["run_name"]: run for run in stored["runs"]}


def differences(theirs: dict[str, Any], ours: dict[str, Any], *, by_path: bool) -> list[str]:
    """Say where a run of ours lacks what the official one has."""
    wrong = [] if ours["status"] == theirs["info"]["status"] else [f"status {ours['status']}"]
    loose = PARAMS_THAT_DIFFER | {"timestamp" if by_path else "config.execution.output_dir"}
    for kind, may_differ in (("params", loose), ("tags", TAGS_THAT_DIFFER)):
        wrong += [
            f"{kind} {key}: {ours[kind].get(key)!r} instead of {value!r}"
            for key, value in theirs[kind].items()
            if key not in ours[kind] or (key not in may_differ and ours[kind][key] != value)
        ]
    if not ours["tags"][NOTE].startswith(f"{theirs['tags'][NOTE]}\n\n| "):
        wrong.append(f"description: {ours['tags'][NOTE]}")
    for key, (value, step, _) in theirs["metrics"].items():
        points = [point[:2] for point in ours["metrics"].get(key, [])]
        if points != [[value, step]]:
            wrong.append(f"metric {key}: {points} instead of {value}")
    for path, size in theirs["artifacts"]:
        name = path.rpartition("/")[2]
        if name != LEFT_OUT and (
            path not in ours["artifacts"]
            or (name not in SIZES_THAT_DIFFER and ours["artifacts"][path]["size"] != size)
        ):
            wrong.append(f"file {path}: {ours['artifacts'].get(path)} instead of {size} bytes")
    return wrong


def check(found: Any, output: Path, *, by_path: bool) -> None:
    """Compare what the SDK found with the official export and with the files on disk."""
    runs = {run["run_name"]: run for run in found["runs"]}
    assert runs.keys() == official().keys() == JOBS.keys()
    assert len(found["runs"]) == len(runs)
    assert {
        name: differences(theirs, runs[name], by_path=by_path) for name, theirs in official().items()
    } == {name: [] for name in JOBS}
    for name, (folder, job_id) in JOBS.items():
        ours = runs[name]
        assert ours["tags"]["job_id"] == job_id
        assert ours["tags"]["model"] == ours["params"]["model_id"] == "meta/llama-3.1-8b-instruct"
        assert "dummy-judge-key" not in json.dumps(ours)
        base = folder.rpartition(".")[0]
        for path, file in ours["artifacts"].items():
            place = output / FOLDER / folder / path.removeprefix(f"{base}/")
            if place.is_file() and place.name not in SIZES_THAT_DIFFER:
                assert file["sha256"] == hashlib.sha256(place.read_bytes()).hexdigest(), path
        ours_alone = ours["artifacts"].keys() - {path for path, _ in official()[name]["artifacts"]}
        assert ours_alone == {"mlflow_rest_export/receipt.json"}


@pytest.mark.parametrize("way", ["id", "path"])
def test_the_sample_invocation_arrives_as_the_official_exporter_stores_it(
    server: MlflowServer,
    proxy: FaultProxy,
    experiment: str,
    sample: tuple[Path, dict[str, str]],
    tmp_path: Path,
    sdk_reader: Reader,
    way: str,
) -> None:
    output, environment = sample
    what: str | Path = INVOCATION[:6].upper() if way == "id" else output / FOLDER
    command = ("export", what, "--tracking-uri", proxy.url, "--experiment-name", experiment, "--json")

    said = run(*command, home=tmp_path, environment=environment)

    assert said.outcomes == {
        f"{INVOCATION}.0": "exported",
        f"{INVOCATION}.1": "exported",
        f"{INVOCATION}.2": "failed",
    }, said.err
    assert said.code == 1  # the third job really failed
    found = sdk_reader(server, experiment)
    check(found, output, by_path=way == "path")

    proxy.forget()
    again = run(*command, home=tmp_path, environment=environment)
    assert list(again.outcomes.values()) == ["unchanged", "unchanged", "failed"], again.err
    assert proxy.writes == []
    assert len(proxy.seen) == 3


def test_one_good_job_costs_what_the_design_says(
    server: MlflowServer,
    proxy: FaultProxy,
    experiment: str,
    sample: tuple[Path, dict[str, str]],
    tmp_path: Path,
) -> None:
    output, _ = sample
    said = run(
        "export",
        output / FOLDER / MMLU,
        *("--tracking-uri", proxy.url, "--experiment-name", experiment, "--log-logs", "false", "--json"),
        home=tmp_path,
    )

    assert said.code == 0, said.err
    files = said.json["runs"][0]["artifacts"]
    uploads = [seen for seen in proxy.seen if seen.method == "PUT"]
    assert files == 5
    assert len(uploads) == files + 1
    datasets = [seen for seen in proxy.seen if seen.path.endswith("/runs/log-inputs")]
    assert len(datasets) == (server.release >= (2, 4))
    assert len(proxy.seen) == 9 + len(datasets) + 4


def test_a_good_export_ends_in_the_address_of_the_run_and_a_clean_stdout(
    server: MlflowServer, experiment: str, sample: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    output, _ = sample
    said = run(
        *("export", output / FOLDER / LCR, "--tracking-uri", server.url, "--experiment-name", experiment),
        home=tmp_path,
    )

    assert said.code == 0, said.err
    assert said.out.splitlines()[-1].startswith(f"{server.url}/#/experiments/")
    assert "Traceback" not in said.err


def test_credentials_of_the_environment_are_used_and_never_shown(
    auth_server: MlflowServer, experiment: str, sample: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    output, _ = sample
    command = ("export", output / FOLDER / LCR, "--experiment-name", experiment, "-vv")
    where = {"MLFLOW_TRACKING_URI": auth_server.url, "MLFLOW_TRACKING_USERNAME": ADMIN[0]}

    good = run(*command, home=tmp_path, environment={**where, "MLFLOW_TRACKING_PASSWORD": ADMIN[1]})
    bad = run(*command, home=tmp_path, environment={**where, "MLFLOW_TRACKING_PASSWORD": "canary-wrong"})

    assert good.code == 0, good.err
    assert bad.code == 4, bad.err
    assert "canary" not in good.out + good.err + bad.out + bad.err
