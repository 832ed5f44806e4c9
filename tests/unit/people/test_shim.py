from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlflow_rest_export import shim
from mlflow_rest_export.errors import SettingsError, StoreError

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "fixtures" / "auto-export"
RESULT = ROOT / "fixtures" / "results" / "20261122_190618-4d4685867b13b968" / "simple_evals.mmlu.0"
TASK = "simple_evals.mmlu.0"
EVALUATION = 'cp -r "{result}/artifacts/." "{artifacts}/"'


def program(place: Path, body: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/bash\n{body}\n")
    place.chmod(0o755)
    return place


def call(
    launcher: Path | str, *words: str, path: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{path}:/usr/bin:/bin" if path else "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        **variables,
    }
    return subprocess.run(
        [launcher, *words], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@dataclass
class Host:
    """A machine on which the launcher wrote its scripts and started them; containers are stand-ins."""

    at: Path
    kind: str

    @property
    def job(self) -> Path:
        (found,) = (self.at / self.kind).glob(f"*/{TASK}")
        return found

    @property
    def runs(self) -> list[Path]:
        return sorted(self.at.glob("mlruns/*/*/tags/job_id"))

    def copy_scripts(self) -> None:
        """Copy what the launcher wrote, with this folder in the place of its own."""
        replaced = {
            "/tmp/nel": str(self.at),  # noqa: S108  # stands in the scripts
            "http://mlflow:5000": str(self.at / "mlruns"),
            "/usr/local/bin": str(self.at / "container"),
        }
        for script in [*(SCRIPTS / self.kind).glob("*/*/*"), SCRIPTS / "exec.v1.jsonl"]:
            text = script.read_text()
            for old, new in replaced.items():
                text = text.replace(old, new)
            place = self.at / script.relative_to(SCRIPTS)
            if script.name == "exec.v1.jsonl":
                place = self.at / ".nemo-evaluator" / "exec-db" / script.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        (self.job / "logs").mkdir(exist_ok=True)
        (self.job / "artifacts").mkdir(exist_ok=True)

    def run(self, script: Path) -> subprocess.CompletedProcess[str]:
        path = f"{self.at / 'shim'}:{self.at / 'bin'}"
        return call("/bin/bash", str(script), path=path, HOME=str(self.at), SLURM_JOB_ID="1")


def test_the_script_of_the_local_executor_ends_in_an_exported_run(tmp_path: Path) -> None:
    host = Host(tmp_path, "local")
    host.copy_scripts()
    evaluation = EVALUATION.format(result=RESULT, artifacts=host.job / "artifacts")
    program(tmp_path / "bin" / "docker", f"case $1 in run) {evaluation} ;; esac")
    shim.install(tmp_path / "shim")

    ended = host.run(host.job / "run.sh")

    log = (host.job / "logs" / "stdout.log").read_text()
    assert ended.returncode == 0
    assert "Export to mlflow completed successfully" in log, log
    (run,) = host.runs
    assert run.read_text() == host.job.parent.name.split("-")[1] + ".0"


def test_the_scripts_of_the_slurm_executor_end_in_an_exported_run(tmp_path: Path) -> None:
    host = Host(tmp_path, "slurm")
    host.copy_scripts()
    evaluation = EVALUATION.format(result=RESULT, artifacts=host.job / "artifacts")
    inside = f'PATH="{tmp_path / "container"}:$PATH" bash -c "${{!#}}"'
    program(tmp_path / "bin" / "srun", f'case "$*" in *"run_eval"*) {evaluation} ;; *) {inside} ;; esac')
    program(
        tmp_path / "bin" / "sbatch",
        f'case "$1" in *export.sbatch) bash "$1" > "{tmp_path}/export.log" 2>&1 ;; esac; '
        "echo Submitted batch job 4243",
    )
    program(tmp_path / "bin" / "pip", 'echo "installed ${!#}"')
    program(tmp_path / "bin" / "mlflow-rest-export", f'exec "{sys.executable}" -m mlflow_rest_export "$@"')

    ended = host.run(host.job / "run.sub")

    log = (tmp_path / "export.log").read_text()
    assert ended.returncode == 0, ended.stderr
    assert "installed mlflow-rest-export" in log
    assert "Export to mlflow failed" not in log, log
    (run,) = host.runs
    assert run.read_text() == host.job.parent.name.split("-")[1] + ".0"


def test_the_local_script_says_that_the_export_failed_when_it_did(tmp_path: Path) -> None:
    host = Host(tmp_path, "local")
    host.copy_scripts()
    program(tmp_path / "bin" / "docker", "exit 0")  # the evaluation leaves no results
    shim.install(tmp_path / "shim")

    host.run(host.job / "run.sh")

    assert "Export to mlflow failed" in (host.job / "logs" / "stdout.log").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--config", "a.yaml"),
        ("export", "8abcd123", "--dest", "wandb"),
        ("export", "8abcd123"),
        ("ls", "runs", "--dest", "mlflow"),
        ("export", "8abcd123", "--dest=local", "a b", "*"),
        (),
    ],
)
def test_everything_else_reaches_the_real_launcher_unchanged(tmp_path: Path, words: tuple[str, ...]) -> None:
    place = shim.install(tmp_path / "shim")
    shutil.copytree(tmp_path / "shim", tmp_path / "another shim")
    program(tmp_path / "real" / shim.NAME, 'printf "<%s>" "$@"; exit 7')

    ended = call(place, *words, path=f"{tmp_path}/shim:{tmp_path}/another shim:{tmp_path}/real")

    assert ended.returncode == 7
    assert ended.stdout == "".join(f"<{word}>" for word in words or ("",))


@pytest.mark.parametrize("words", [("--dest", "mlflow"), ("--dest=mlflow",)])
def test_the_export_to_mlflow_is_answered_by_this_exporter(tmp_path: Path, words: tuple[str, ...]) -> None:
    place = shim.install(tmp_path)

    ended = call(place, "-v", "export", str(RESULT), *words, MLFLOW_TRACKING_URI=str(tmp_path / "mlruns"))

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.rstrip().splitlines()[-1].startswith(f"file://{tmp_path}/mlruns/")


def test_without_a_real_launcher_the_rest_is_refused_in_clear_words(tmp_path: Path) -> None:
    place = shim.install(tmp_path)

    ended = call(place, "run", path=str(tmp_path))

    assert ended.returncode == 2
    assert ended.stderr == (
        "nemo-evaluator-launcher: this is the shim of mlflow-rest-export, which answers 'export ... --dest "
        "mlflow' only; for everything else install nemo-evaluator-launcher: it is nowhere on the PATH\n"
    )


def test_a_folder_of_results_cannot_slip_in_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = shim.install(tmp_path / "bin")
    (tmp_path / "requests.py").write_text("raise SystemExit('imported from the current folder')")
    monkeypatch.chdir(tmp_path)

    ended = call(place, "export", str(RESULT), "--dest", "mlflow", MLFLOW_TRACKING_URI=str(tmp_path / "m"))

    assert ended.returncode == 0, ended.stderr


def test_a_shim_is_written_over_an_older_one_but_never_over_the_launcher(tmp_path: Path) -> None:
    assert shim.install(tmp_path).read_text() == shim.install(tmp_path).read_text()
    program(tmp_path / "real" / shim.NAME, "exit 0")

    with pytest.raises(SettingsError, match="is not a shim but the launcher itself: give another folder"):
        shim.install(tmp_path / "real")


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="a file stands where a folder is needed"):
        shim.install(tmp_path / "file")


def test_the_command_prints_where_the_shim_is(tmp_path: Path) -> None:
    ended = call(sys.executable, "-m", "mlflow_rest_export", "shim", str(tmp_path / "bin"))

    assert (ended.returncode, ended.stdout) == (0, f"{tmp_path / 'bin' / shim.NAME}\n")


def test_the_command_refuses_with_exit_2(tmp_path: Path) -> None:
    program(tmp_path / shim.NAME, "exit 0")

    ended = call(sys.executable, "-m", "mlflow_rest_export", "shim", str(tmp_path))

    assert ended.returncode == 2
    assert ended.stderr.startswith("mlflow-rest-export: ")
