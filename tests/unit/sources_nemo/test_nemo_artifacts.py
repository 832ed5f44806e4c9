from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from launcher_folders import FOLDER, INVOCATION, MMLU, genuine, make_job, one, reason, split, texts

from mlflow_rest_export.records import RunRecord
from mlflow_rest_export.sources.nemo import launcher
from mlflow_rest_export.sources.options import ReadOptions

NAME = "20250101_000000-aaaaaaaa/t.0"
DEPTH = 1100
EVERYTHING = ReadOptions(only_required=False, copy_logs=True)


def exported(job: Path, **settings: Any) -> RunRecord:
    return one(launcher.read(job, ReadOptions(**settings)))


def notes(record: RunRecord) -> dict[str, str]:
    return {note.field.removeprefix("artifact "): note.reason for note in record.adjustments}


@pytest.mark.parametrize("only_required", [True, False])
@pytest.mark.parametrize("copy_artifacts", [True, False])
@pytest.mark.parametrize("copy_logs", [True, False])
def test_each_switch_decides_about_its_own_files(
    copy_artifacts: bool, copy_logs: bool, only_required: bool, tmp_path: Path
) -> None:
    output, _ = genuine(tmp_path)
    record = exported(
        output / FOLDER / MMLU,
        copy_artifacts=copy_artifacts,
        copy_logs=copy_logs,
        only_required=only_required,
    )
    required = {
        "config.yaml",
        *(
            f"simple_evals.mmlu/artifacts/{name}"
            for name in ("results.yml", "run_config.yml", "metadata.yaml")
        ),
        "simple_evals.mmlu/artifacts/eval_factory_metrics.json",
    }
    further = {
        f"simple_evals.mmlu/artifacts/{name}"
        for name in (
            "export_config.yml",
            "launcher_unresolved_config.yaml",
            "progress",
            "report.html",
            "report.json",
        )
    } | {f"simple_evals.mmlu/artifacts/{name}" for name in ("mmlu/mmlu.json", "run_times/runtime_0.json")}
    logs = {f"simple_evals.mmlu/logs/stage.{stage}" for stage in ("pre-start", "running", "exit")}
    logs.add("simple_evals.mmlu/logs/stdout.log")

    expected = (required | (set() if only_required else further)) if copy_artifacts else set()
    assert set(texts(record)) == expected | (logs if copy_logs else set())


def test_the_whole_tree_is_uploaded_but_for_what_is_excluded(tmp_path: Path) -> None:
    kept = ["a/b/c.txt", "empty", "x.json", "deep/logs/l.log", "t.lock.txt"]
    excluded = [
        "My_Cache/x",
        "a/lm_cache_rank0.db/y",
        "z.DB",
        "q.lock",
        "synthetic/x",
        "debug.json",
        "a/debug.json",
    ]
    excluded += [
        "evaluator_rollouts.jsonl",
        "preprocessed_datasets/d",
        "mine.tmp",
        "Big/x",
        ".secrets.env",
        ".env",
    ]
    files = {f"artifacts/{name}": b"" for name in [*kept, *excluded]}
    job = make_job(tmp_path / NAME, files)

    record = exported(job, only_required=False, exclude_patterns=("*.TMP", "big"))

    assert [artifact.path for artifact in record.artifacts] == [
        f"t/artifacts/{name}" for name in ("empty", "results.yml", "t.lock.txt", "x.json")
    ] + [f"t/artifacts/{name}" for name in ("a/b/c.txt", "deep/logs/l.log")]


def test_of_the_logs_the_files_on_top_are_uploaded_empty_ones_too(tmp_path: Path) -> None:
    files = {f"logs/{name}": b"" for name in ("stdout.log", "sub/x.log", ".secrets.env", "cache.log")}

    record = exported(make_job(tmp_path / NAME, files), copy_logs=True, copy_artifacts=False)

    assert [artifact.path for artifact in record.artifacts] == ["t/logs/cache.log", "t/logs/stdout.log"]


def test_missing_logs_cost_nothing_but_are_told(tmp_path: Path) -> None:
    record = exported(make_job(tmp_path / NAME), copy_logs=True)

    assert notes(record) == {"t/logs": "no such file or directory"}


def test_scripts_and_secret_files_of_the_job_are_never_uploaded(tmp_path: Path) -> None:
    output, _ = genuine(tmp_path)
    (output / FOLDER / MMLU / ".secrets.env").write_text("export JUDGE_API_KEY_3c19='canary'\n")

    (record,) = launcher.read(output / FOLDER / MMLU, EVERYTHING)

    assert isinstance(record, RunRecord)
    assert not [path for path in texts(record) if "run.sh" in path or "secret" in path]
    assert "canary" not in "".join(texts(record).values())


def test_a_config_yml_in_the_artifacts_takes_the_place_of_the_generated_one(tmp_path: Path) -> None:
    config = b"# written by slurm\nenv_vars: {HF_TOKEN: 'lit:canary'}\n"
    metadata = {"launcher_resolved_config": {"a": 1}}
    job = make_job(tmp_path / NAME, {"artifacts/config.yml": config, "artifacts/metadata.yaml": metadata})

    required, everything = exported(job), exported(job, only_required=False)

    assert texts(required)["config.yml"] == "# written by slurm\nenv_vars: {HF_TOKEN: 'lit:***'}\n"
    assert "config.yaml" not in texts(required)
    assert texts(everything)["t/artifacts/config.yml"] == texts(everything)["config.yml"]
    assert notes(required) == {"config.yml": "secrets are masked in the copy"}


def test_without_a_stored_run_config_none_is_generated(tmp_path: Path) -> None:
    assert list(texts(exported(make_job(tmp_path / NAME)))) == ["t/artifacts/results.yml"]


def test_the_generated_config_is_the_same_whatever_the_order_of_its_keys(tmp_path: Path) -> None:
    for name, config in (("a", "{b: [1, {z: null, 1: x}], a: é}"), ("b", "{a: é, b: [1, {1: x, z: null}]}")):
        make_job(tmp_path / name / NAME, {"artifacts/metadata.yaml": f"launcher_resolved_config: {config}"})
    one_text, other_text = (texts(exported(tmp_path / name / NAME))["config.yaml"] for name in "ab")

    assert yaml.safe_load(one_text) == yaml.safe_load(other_text) == {"a": "é", "b": [1, {1: "x", "z": None}]}


@pytest.mark.parametrize(
    "name",
    [
        "run_config.yml",
        "metadata.yaml",
        "export_config.yml",
        "launcher_unresolved_config.yaml",
        "sub/my_config.json",
    ],
)
def test_secrets_in_stored_configs_are_masked_in_place(name: str, tmp_path: Path) -> None:
    text = '{"note": "kept",   "judge": {"api_key": "canary", "api_key_name": "KEY_NAME"}}'
    record = exported(make_job(tmp_path / NAME, {f"artifacts/{name}": text}), only_required=False)

    assert texts(record)[f"t/artifacts/{name}"] == text.replace("canary", "***")
    assert notes(record)[f"t/artifacts/{name}"] == "secrets are masked in the copy"
    assert "canary" not in repr(record)


def test_credentials_in_data_are_masked_and_other_words_stay(tmp_path: Path) -> None:
    line = '{"headers": {"authorization": "Bearer q7q7q7q7q7"}, "token": "word"}\n'
    data = {f"artifacts/{name}": line for name in ("requests.jsonl", "sub/results_1.json", "log.txt")}

    record = exported(make_job(tmp_path / NAME, data), only_required=False)

    sent = {artifact.path.rpartition("/")[2]: artifact.content for artifact in record.artifacts}
    for name in ("requests.jsonl", "results_1.json"):
        assert sent[name] == line.replace("q7q7q7q7q7", "***").encode()
    assert isinstance(sent["log.txt"], Path)
    assert notes(record)["t/artifacts/requests.jsonl"] == "secrets are masked in the copy"


def test_secrets_in_the_results_file_and_in_the_command_are_masked(tmp_path: Path) -> None:
    results = (
        "command: run --api-key sk-canary12\nconfig: {params: {extra: {judge: {api_key: sk-canary12}}}}\n"
    )
    results += "results: {tasks: {t: {metrics: {m: {scores: {token: {value: 1}}}}}}}\n"
    record = exported(make_job(tmp_path / NAME, {"artifacts/results.yml": results}))

    assert texts(record)["results/artifacts/results.yml"] == results.replace("sk-canary12", "***", 1).replace(
        "sk-canary12", '"***"'
    )
    assert [metric.key for metric in record.metrics] == ["t_m_token"]


def test_secrets_in_params_are_masked(tmp_path: Path) -> None:
    metadata = {
        "launcher_command": "nel run -o env_vars.A=lit:canary -o x.api_key=canary",
        "launcher_resolved_config": {"env_vars": {"A": "lit:canary"}, "target": {"url": "http://u:canary@h"}},
    }
    record = exported(
        make_job(tmp_path / NAME, {"artifacts/metadata.yaml": metadata}), log_config_params=True
    )

    assert record.params["launcher_command"] == "nel run -o env_vars.A=lit:*** -o x.api_key=***"
    assert record.params["config.env_vars.A"] == "lit:***"
    assert record.params["config.target.url"] == "http://***@h"
    assert "canary" not in repr({**record.params, **texts(record)})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"api_key: [", "did not find expected node content"),
        (b"api_key: \xff", "not UTF-8 text"),
        (b"a: 1\na: 2", "stands twice"),
        (b"a: !!python/object:os.system {}", "a YAML tag that is not supported"),
    ],
)
def test_a_config_that_cannot_be_read_is_not_uploaded_unmasked(
    content: bytes, why: str, tmp_path: Path
) -> None:
    job = make_job(tmp_path / NAME, {"artifacts/run_config.yml": content, "artifacts/config.yml": content})
    record = exported(job)

    assert list(texts(record)) == ["t/artifacts/results.yml"]
    assert why in notes(record)["t/artifacts/run_config.yml"]
    assert why in notes(record)["config.yml"]


def test_links_that_leave_the_job_folder_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("canary")
    job = make_job(tmp_path / NAME, {"artifacts/a/real.txt": "x", "logs/l.log": "x"})
    (job / "artifacts" / "file").symlink_to(outside / "secret.txt")
    (job / "artifacts" / "folder").symlink_to(outside)
    (job / "artifacts" / "metadata.yaml").symlink_to(outside / "secret.txt")
    (job / "artifacts" / "inside").symlink_to("a/real.txt")
    (job / "artifacts" / "folder_inside").symlink_to("a")
    (job / "artifacts" / "dangling").symlink_to("nowhere")
    (job / "logs" / "out.log").symlink_to(outside / "secret.txt")

    record = one(launcher.read(job, EVERYTHING))
    leaves = f"it is a link that leaves {job}"

    assert set(texts(record)) == {
        *(f"t/artifacts/{name}" for name in ("results.yml", "inside", "a/real.txt")),
        "t/logs/l.log",
    }
    assert {path: why for path, why in notes(record).items() if path.startswith("t/")} == {
        "t/artifacts/file": leaves,
        "t/artifacts/folder": "it is a link to a folder",
        "t/artifacts/folder_inside": "it is a link to a folder",
        "t/artifacts/metadata.yaml": leaves,
        "t/artifacts/dangling": "no such file or directory",
        "t/logs/out.log": leaves,
    }
    assert "canary" not in "".join(texts(record).values())


def test_a_whole_folder_of_logs_that_leads_away_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "stage.exit").write_text("2026-11-22T19:06:32Z 1")
    job = make_job(tmp_path / NAME)
    (job / "logs").symlink_to(tmp_path / "outside")

    record = exported(job, copy_logs=True)

    assert notes(record) == {"t/logs": f"it is a link that leaves {job}"}
    assert record.status.name == "FINISHED"


@pytest.mark.parametrize("linked", ["artifacts", "artifacts/results.yml"])
def test_results_behind_a_link_that_leads_away_are_refused_with_advice(linked: str, tmp_path: Path) -> None:
    job = make_job(tmp_path / NAME, {"run.sh": "NEL_INVOCATION_ID=aaaaaaaa", "logs/stage.pre-start": ""})
    outside = (job / linked).rename(tmp_path / "outside")
    (job / linked).symlink_to(outside)

    assert reason(launcher.read(job, EVERYTHING)) == (
        f"job aaaaaaaa.0: {job / linked} is a link that leaves {job} and is not followed; "
        "give the path that it leads to"
    )


def test_a_job_folder_that_is_a_link_itself_is_followed(tmp_path: Path) -> None:
    job = make_job(tmp_path / NAME)
    (tmp_path / "link").symlink_to(job.parent)

    assert [artifact.path for artifact in exported(tmp_path / "link" / "t.0").artifacts] == [
        "t/artifacts/results.yml"
    ]


def test_pipes_and_other_special_files_are_left_out(tmp_path: Path) -> None:
    job = make_job(tmp_path / NAME)
    os.mkfifo(job / "artifacts" / "pipe")

    record = exported(job, only_required=False)

    assert notes(record) == {"t/artifacts/pipe": "it is not a file"}


def test_a_required_file_that_cannot_be_read_fails_the_job_by_its_name(tmp_path: Path) -> None:
    job = make_job(tmp_path / NAME)
    (job / "artifacts" / "eval_factory_metrics.json").mkdir()
    other = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "t.1")

    records, (failure,) = split(launcher.read(job.parent, ReadOptions()))

    assert [record.label for record in records] == ["aaaaaaaa.1"]
    assert (
        failure.reason == f"cannot read {job / 'artifacts' / 'eval_factory_metrics.json'}: it is not a file"
    )
    assert other.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_without_permission_a_required_file_fails_the_job_and_another_is_told(tmp_path: Path) -> None:
    job = make_job(tmp_path / NAME, {"artifacts/x": "x", "artifacts/omni-info.json": "{}"})
    (job / "artifacts" / "x").chmod(0)

    assert notes(exported(job, only_required=False)) == {"t/artifacts/x": "permission denied"}
    (job / "artifacts" / "omni-info.json").chmod(0)
    assert "omni-info.json: permission denied" in reason(launcher.read(job, ReadOptions()))


@pytest.fixture
def deep_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A job whose tree is deeper than recursion goes, which pytest could not remove either."""
    job = make_job(tmp_path / NAME)
    monkeypatch.chdir(job / "artifacts")
    for _ in range(DEPTH):
        Path("d").mkdir()
        os.chdir("d")
    Path("leaf").write_text("x")
    yield job
    Path("leaf").unlink()
    for _ in range(DEPTH):
        os.chdir("..")
        Path("d").rmdir()


def test_trees_deeper_than_recursion_goes_are_walked(deep_job: Path) -> None:
    record = exported(deep_job, only_required=False)

    assert max(path.count("/") for path in texts(record)) >= DEPTH


def test_the_base_folder_is_named_by_what_is_known(tmp_path: Path) -> None:
    harness = {"framework_name": "lm-eval", "config": {"type": "mmlu"}}
    whole = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "x.0", {"artifacts/run_config.yml": harness})
    guessed = make_job(tmp_path / "20250101_000000-aaaaaaaa" / "garak.garak.1")
    nothing = make_job(
        tmp_path / "20250101_000000-aaaaaaaa" / "x",
        {"artifacts/results.yml": "results: {groups: {g: {metrics: {m: {scores: {m: {value: 1}}}}}}}"},
    )

    assert {path.rsplit("/", 2)[0] for path in texts(exported(whole))} == {"lm-eval.mmlu"}
    assert [path.rsplit("/", 2)[0] for path in texts(exported(guessed))] == ["garak.t"]
    assert [path.rsplit("/", 2)[0] for path in texts(exported(nothing))] == ["results"]


def test_the_settings_stored_with_a_job_complete_those_of_the_user(tmp_path: Path) -> None:
    output, _ = genuine(tmp_path)
    asked: list[tuple[object, str]] = []

    def complete(stored: Any, origin: str) -> ReadOptions:
        asked.append((stored["log_logs"], origin))
        return ReadOptions(copy_logs=stored["log_logs"], copy_artifacts=False)

    record = exported(output / FOLDER / MMLU, complete=complete)

    assert asked == [(True, f"{INVOCATION}.0")]
    assert all("/logs/" in path for path in texts(record))
    assert record.stored["experiment_name"] == "llm-evaluation"
