"""A folder of runs is never exported into itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mlruns_stores import RECORDED, all_files

from mlflow_rest_export.cli import main
from mlflow_rest_export.tracking.files import FileTracking

SAMPLE = Path(__file__).parents[3] / "fixtures" / "results"


def test_a_folder_of_runs_is_not_exported_into_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "mlruns"
    assert main(["export", str(SAMPLE), "--tracking-uri", str(store), "-q"]) == 0
    capsys.readouterr()

    code = main(["export", str(store), "--tracking-uri", str(store)])

    assert code == 2
    assert "the folder that is exported to: choose another one" in capsys.readouterr().err


def test_a_spool_that_cannot_be_delivered_is_kept_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "mlruns"
    assert main(["export", str(SAMPLE), "--tracking-uri", str(store), "-q"]) == 0
    foreign = RECORDED / "3.17.2"
    shutil.copytree(foreign, store, dirs_exist_ok=True)
    before = all_files(store)
    nowhere = ("--tracking-uri", "http://127.0.0.1:1", "--timeout", "1")

    code = main(["export", str(store), *nowhere, "--spool", str(store), "--json"])

    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 3
    assert {run["outcome"] for run in told["runs"]} == {"spooled"}
    assert all_files(store) == before


@pytest.mark.parametrize(
    "said", [["--experiment-name", "mine"], ["-o", "export.mlflow.experiment_name=mine"]]
)
def test_an_experiment_that_is_asked_for_holds_for_runs_that_have_one(
    tmp_path: Path, said: list[str]
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    assert main(["export", str(SAMPLE), "--tracking-uri", str(source), "--experiment-name", "theirs"]) == 0

    assert main(["export", str(source), "--tracking-uri", str(target), *said]) == 0
    assert main(["export", str(source), "--tracking-uri", str(tmp_path / "as it was")]) == 0

    assert FileTracking(target).find_experiment("mine") is not None
    assert FileTracking(target).find_experiment("theirs") is None
    assert FileTracking(tmp_path / "as it was").find_experiment("theirs") is not None


def test_an_old_spool_is_passed_by_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, spool, target = tmp_path / "results", str(tmp_path / "spool"), str(tmp_path / "target")
    shutil.copytree(SAMPLE, results)
    assert main(["export", str(results), "--tracking-uri", spool, "-q"]) == 0
    for path in results.rglob("results.yml"):
        path.write_text(path.read_text() + "\n# scored again\n")
    assert main(["export", str(results), "--tracking-uri", target, "-q"]) == 0
    before = all_files(Path(target))
    capsys.readouterr()

    code = main(["export", spool, "--tracking-uri", target, "--json"])

    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert code == 0
    assert {run["outcome"] for run in told["runs"]} == {"skipped"}
    assert all("data" in {change["field"] for change in run["adjustments"]} for run in told["runs"])
    assert all_files(Path(target)) == before

    assert main(["export", spool, "--tracking-uri", target]) == 0
    assert "to replace it all the same, export the results themselves" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--tracking-uri", "--spool"])
def test_the_store_inside_the_folder_that_is_exported_is_no_result_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    results = tmp_path / "results"
    shutil.copytree(SAMPLE, results)
    store = results / "a" / "mlruns"
    shutil.copytree(RECORDED / "3.17.2", store)
    elsewhere = [] if option == "--tracking-uri" else ["--tracking-uri", str(tmp_path / "target")]
    command = ["export", str(results), *elsewhere, option, str(store), "--json"]

    outcomes = []
    for _ in range(2):
        assert main(command) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        outcomes.append({run["outcome"] for run in told["runs"]})

    assert outcomes == [{"exported"}, {"unchanged"}]
