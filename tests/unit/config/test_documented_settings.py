"""The launcher's documented page: every row, every example, as it stands there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlflow_rest_export.config import Environment, Settings, resolve, setting_rows

FIXTURES = Path(__file__).parents[3] / "fixtures" / "config"
NOTHING = Environment()


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("tracking_uri", None),
        ("experiment_name", "nemo-evaluator-launcher"),
        ("run_name", None),
        ("description", None),
        ("tags", {}),
        ("extra_metadata", {}),
        ("skip_existing", False),
        ("log_metrics", ()),
        ("copy_artifacts", True),
        ("copy_logs", False),
        ("only_required", True),
        ("exclude_patterns", ()),
        ("log_config_params", False),
        ("log_config_params_max_depth", 10),
        ("job_dirs", ()),
        ("group_by", None),
        ("nan", "tag"),
        ("spool", None),
        ("workers", 8),
        ("timeout", None),
        ("verify", False),
        ("create_parents", False),
        ("restore_experiment", False),
        ("headers", {}),
        ("token_file", None),
        ("token_command", None),
        ("workspace", None),
        ("format", "auto"),
        ("map", {}),
        ("per_task", False),
        ("include_deleted", False),
    ],
)
def test_a_setting_that_nobody_gave_has_its_documented_default(key: str, default: object) -> None:
    assert getattr(resolve(environment=NOTHING).settings, key) == default


def test_the_documented_run_config_is_understood() -> None:
    settings = resolve(
        environment=Environment({"MLFLOW_TRACKING_URI": "http://elsewhere:5000"}),
        config_file=FIXTURES / "documented_run_config.yaml",
    ).settings

    assert settings.tracking_uri == "http://mlflow.example.com:5000"
    assert settings.experiment_name == "llm-evaluation"
    assert settings.description == "Llama 3.1 8B evaluation"
    assert settings.log_metrics == ("mmlu_score_macro", "mmlu_score_micro")
    assert settings.tags == {"model_family": "llama", "version": "3.1"}
    assert settings.extra_metadata == {"hardware": "A100", "batch_size": "32"}
    assert settings.copy_artifacts


def test_the_documented_placeholder_names_a_variable_of_the_host() -> None:
    text = (FIXTURES / "documented_run_config.yaml").read_text()
    layers = resolve(
        environment=Environment({"MLFLOW_TRACKING_URI": "http://host:1", "PATH": "/bin"}),
        config={"execution": {"env_vars": {"export": {"PATH": "/path/to/conda/env/bin:$PATH"}}}},
    )

    assert '"/path/to/conda/env/bin:$PATH"' in text
    assert layers.environment.variables["PATH"] == "/path/to/conda/env/bin:/bin"
    assert layers.settings.tracking_uri == "http://host:1"


@pytest.mark.parametrize("name", ["launcher_run_config.yaml", "launcher_export_config.yml"])
def test_what_the_launcher_writes_is_understood(name: str) -> None:
    settings = resolve(environment=NOTHING, config_file=FIXTURES / name).settings

    assert settings.tracking_uri == "http://127.0.0.1:18432"
    assert settings.experiment_name == "llm-evaluation"
    assert settings.copy_logs
    assert settings.log_config_params
    assert settings.tags["version"] == "3.1"
    assert settings.extra_metadata["batch_size"] == "32"


DOCUMENTED_PYTHON: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"tracking_uri": "http://mlflow:5000", "experiment_name": "model-evaluation"},
        {"tracking_uri": "http://mlflow:5000", "experiment_name": "model-evaluation"},
    ),
    (
        {
            "tracking_uri": "http://mlflow:5000",
            "experiment_name": "llm-benchmarks",
            "run_name": "llama-3.1-8b-mmlu",
            "description": "Evaluation of Llama 3.1 8B on MMLU",
            "tags": {"model_family": "llama", "model_version": "3.1", "benchmark": "mmlu"},
            "log_metrics": ["accuracy"],
            "extra_metadata": {"hardware": "A100-80GB", "batch_size": 32},
        },
        {
            "run_name": "llama-3.1-8b-mmlu",
            "tags": {"model_family": "llama", "model_version": "3.1", "benchmark": "mmlu"},
            "log_metrics": ("accuracy",),
            "extra_metadata": {"hardware": "A100-80GB", "batch_size": "32"},
        },
    ),
    (
        {"tracking_uri": "http://mlflow:5000", "experiment_name": "model-comparison", "log_artifacts": False},
        {"copy_artifacts": False},
    ),
    (
        {"tracking_uri": "http://mlflow:5000", "experiment_name": "nightly-evals", "skip_existing": True},
        {"skip_existing": True},
    ),
]


@pytest.mark.parametrize(("config", "expected"), DOCUMENTED_PYTHON)
@pytest.mark.parametrize("nested", [False, True])
def test_the_documented_python_calls_are_understood(
    config: dict[str, Any], expected: dict[str, Any], *, nested: bool
) -> None:
    given = {"export": {"mlflow": config}} if nested else config
    settings = resolve(environment=NOTHING, config=given).settings

    assert {key: getattr(settings, key) for key in expected} == expected


def test_the_documented_command_line_is_understood() -> None:
    settings = resolve(
        environment=NOTHING,
        overrides=[
            "export.mlflow.tracking_uri=http://mlflow:5000",
            "export.mlflow.experiment_name=my-exp",
        ],
        flags={"log_metrics": ["accuracy", "pass@1"], "tracking_uri": None},
    ).settings

    assert settings.tracking_uri == "http://mlflow:5000"
    assert settings.experiment_name == "my-exp"
    assert settings.log_metrics == ("accuracy", "pass@1")


def test_every_setting_is_described_for_the_documentation() -> None:
    rows = {row.key: row for row in setting_rows()}

    assert list(rows) == list(Settings.model_fields)
    assert all(row.description.endswith((".", ")")) and row.kind for row in rows.values())
    assert rows["copy_logs"].equal_names == ("log_logs",)
    assert (rows["workers"].kind, rows["workers"].default) == ("int", "8")
    assert (rows["log_metrics"].kind, rows["log_metrics"].default) == ("list[str]", "")
    assert (rows["only_required"].kind, rows["only_required"].default) == ("bool", "true")
    assert rows["nan"].kind == "`skip` or `tag` or `fail`"
    assert rows["group_by"].kind == "`invocation`"
