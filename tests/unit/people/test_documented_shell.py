"""Every documented shell line runs: whole blocks, in a real shell, with addresses and placeholders put in."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from documented_shell import RESULTS, Shell
from pages import ROOT, blocks

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ID = "4d4685867b13b968"
JOB = f"results/20261122_190618-{ID}/simple_evals.mmlu.0"
PLACES = {
    "/results": "results",
    "/lustre/project/nel-results": "results",
    "8abcd123": ID[:8],
    "JOB_ID": f"{ID}.0",
    "ARTIFACTS": f"{JOB}/artifacts",
    "OUTPUT_DIR": "results",
    "report.xml": "report.xml",
}
ELSEWHERE = {
    "nox && nox": ".ci/run: this is the suite itself",
    "venv ui": "tests/servers/test_readme.py: with the MLflow of a server environment",
    "--tracking-uri databricks": "tests/unit/databricks/test_databricks_page.py: before the stand-in",
    "arn:aws:sagemaker": "tests/clouds/test_documented_lines.py: before the stand-in",
    "az ml workspace show": "tests/clouds/test_documented_lines.py: before the stand-in",
}
"""What this file cannot run, by a part of the block, and who does."""
UNTOUCHED = {
    "docker build": "needs a daemon and images: tests/wheel/check_documents.py does what the Dockerfile says "
    "in a fresh environment and weighs what that adds",
    "kind: Pod": "needs a cluster: the manifest is read, and the command of its container is run",
    "kind: Job": "the same",
    "uses: actions/checkout@v4": "GitHub's own: the `run` lines of the workflow are run",
}
"""What no test runs as it stands, and what stands in for it."""

BLOCKS = [
    pytest.param(document, text, id=f"{document.stem}-{number}")
    for document in DOCUMENTS
    for number, text in enumerate(blocks(document, "bash", "shell", "sh"))
    if not any(part in text for part in ELSEWHERE)
]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    database = tmp_path / ".nemo-evaluator" / "exec-db" / "exec.v1.jsonl"
    database.parent.mkdir(parents=True)
    noted = (RESULTS / "exec.v1.jsonl").read_text()
    known = [line for line in noted.splitlines() if f"{ID}.2" not in line]  # the job that failed is elsewhere
    database.write_text("\n".join(known).replace("/data/nemo/nel-results", str(tmp_path / "results")))
    for config in (tmp_path / "results").rglob("export_config.yml"):  # it names the server of its time
        config.write_text(re.sub(r"http://127\.0\.0\.1:\d+", str(shell.store), config.read_text()))
    (tmp_path / ".mlflow-export.env").write_text("")
    shutil.copy(ROOT / "fixtures" / "formats" / "junit" / "pytest.xml", tmp_path / "report.xml")
    return shell


def tasks(text: str) -> list[dict[str, str]]:
    """Give the environments of some of the array tasks in which a script runs; one where there are none."""
    array = re.search(r"^#SBATCH --array=(\d+)-(\d+)", text, re.MULTILINE)
    if array is None:
        return [{}]
    first, last = int(array[1]), int(array[2])
    told = {"MIN": first, "MAX": last, "COUNT": last - first + 1, "STEP": 1}
    return [
        {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in {**told, "ID": number}.items()}
        for number in range(first, last + 1, 5)
    ]


@pytest.mark.parametrize(("document", "text"), BLOCKS)
def test_a_block_runs_as_it_stands(document: Path, text: str, shell: Shell) -> None:
    del document
    if "export ./mlruns" in text:  # the folder that another node has filled
        assert shell.run("mlflow-rest-export export results --tracking-uri ./mlruns").returncode == 0
    for variables in tasks(text):
        shell.variables = variables
        done = shell.run(shell.put_in(text, PLACES))
        assert done.returncode == 0, done.stderr
    if "mlflow-rest-export export" in text and "--shard" not in text:
        assert shell.runs() or shell.runs(shell.folder / "mlruns")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_a_line_inside_a_sentence_runs_too(document: Path, shell: Shell) -> None:
    lines = re.findall(r"`(mlflow-rest-export (?:export|doctor|watch|shim) [^`]+)`", document.read_text())
    shutil.copytree(RESULTS, shell.folder / "again")
    first = shell.run("mlflow-rest-export export again --tracking-uri ./mlruns")
    assert first.returncode == 0, first.stderr
    for line in lines:
        done = shell.run(shell.put_in(line, {**PLACES, "URI": "./mlruns"}))
        assert done.returncode == 0, (line, done.stderr)


def test_the_shim_of_the_recipe_answers_the_launchers_line(shell: Shell) -> None:
    (text,) = (block for block in blocks(ROOT / "docs" / "recipes.md", "bash") if "shim ./shim" in block)
    line = f"nemo-evaluator-launcher export {JOB} --dest mlflow"

    done = shell.run(f"{text}\n{line}")

    assert done.returncode == 0, done.stderr
    assert len(shell.runs()) == 1


def manifest(page: str, part: str) -> dict[str, Any]:
    (text,) = (block for block in blocks(ROOT / "docs" / page, "yaml") if part in block)
    read = yaml.safe_load(text)
    assert isinstance(read, dict)
    return read


def test_the_install_command_of_the_slurm_recipe(shell: Shell) -> None:
    config = manifest("recipes.md", "launcher_install_cmd")
    line = config["execution"]["auto_export"]["launcher_install_cmd"]

    done = shell.run(line.replace("/usr/local/bin", "shim"), by="sh")

    assert done.returncode == 0, done.stderr
    assert (shell.folder / "shim" / "nemo-evaluator-launcher").exists()
    assert shell.notes.read_text() == "pip install mlflow-rest-export\n"


def test_the_sidecar_exports_what_completes_and_ends_with_the_pod(shell: Shell) -> None:
    pod = manifest("recipes.md", "kind: Pod")
    (sidecar,) = pod["spec"]["initContainers"]
    words = [shell.put_in(word, PLACES) for word in sidecar["args"]]
    process = subprocess.Popen(
        [shell.bin / "mlflow-rest-export", *words],
        cwd=shell.folder,
        env=shell.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert [line.split()[0] for line in first] == ["exported", "exported"]
    assert len(shell.runs()) == 2


def test_the_steps_of_the_workflow_run(shell: Shell) -> None:
    workflow = manifest("recipes.md", "actions/checkout")
    steps = workflow["jobs"]["export"]["steps"]
    for step in steps:
        if "run" in step:
            assert set(step.get("env", {})) <= {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"}
            done = shell.run(step["run"])
            assert done.returncode == 0, done.stderr

    assert json.loads(done.stdout)["success"]
    assert len(shell.runs()) == 2


def test_the_indexed_job_runs(shell: Shell) -> None:
    job = manifest("scaling.md", "kind: Job")
    spec = job["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    (line,) = container["args"]
    for index in range(0, spec["completions"], 5):
        shell.variables = {"JOB_COMPLETION_INDEX": str(index)}
        done = shell.run(shell.put_in(line, PLACES), by=container["command"][0])
        assert done.returncode == 0, done.stderr

    assert container["command"][1:] == ["-c"]


def test_what_is_not_run_here_is_run_where_it_is_said() -> None:
    for part, where in ELSEWHERE.items():
        assert any(part in text for document in DOCUMENTS for text in blocks(document, "bash")), part
        place = where.partition(":")[0]
        assert (ROOT / place).is_file(), place


def test_every_kind_of_block_has_somebody_who_runs_it() -> None:
    """A new kind of block, or a new manifest, wants a test."""
    kinds = {
        kind
        for document in DOCUMENTS
        for kind in re.findall(r"^ *```([a-z]+)$", document.read_text(), re.MULTILINE)
    }
    manifests = [text for document in DOCUMENTS for text in blocks(document, "yaml")]
    known = ("launcher_install_cmd", "kind: Pod", "actions/checkout", "kind: Job")

    assert kinds <= {"bash", "python", "yaml", "text", "dockerfile", "json"}
    assert [text for text in manifests if not any(part in text for part in known)] == []


def test_what_is_run_nowhere_stands_in_the_documents() -> None:
    text = "".join(document.read_text() for document in DOCUMENTS)

    assert [part for part in UNTOUCHED if part not in text] == []
