from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from result_samples import HELM, document, one, paths, reason, values, written

from mlflow_rest_export.sources import helm
from mlflow_rest_export.sources.options import ReadOptions


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HELM, tmp_path / "run"))


def stat(name: str, mean: object = 0.5, count: int = 1, **where: object) -> dict[str, object]:
    return {"name": {"name": name, **where}, "count": count, "mean": mean, "stddev": 0.25}


def test_every_mean_of_the_genuine_run_arrives_under_a_name_of_its_own() -> None:
    stats = document(HELM / "stats.json")
    record = one(helm.read, HELM)

    means = [row["mean"] for row in stats if "mean" in row]
    got = values(record)
    assert len([name for name in got if "_stddev" not in name]) == len(means) == 158
    assert sum(value for name, value in got.items() if "_stddev" not in name) == pytest.approx(sum(means))
    assert not record.adjustments


def test_names_hold_split_and_perturbation() -> None:
    got = values(one(helm.read, HELM))

    assert got["simple_mcqa/num_instances/test"] == 2.0
    assert "simple_mcqa/exact_match/test" in got
    assert "simple_mcqa/exact_match/test-mild_mix-original" in got
    assert "simple_mcqa/exact_match/test-mild_mix-worst" in got
    assert "simple_mcqa/exact_match/test-robustness-worst" in got
    assert "simple_mcqa/exact_match_stddev/test" in got


def test_the_specification_becomes_params() -> None:
    record = one(helm.read, HELM)

    assert record.params["adapter_spec.num_train_trials"] == "2"
    assert record.params["adapter_spec.instructions"].endswith(" only.\n")
    assert "adapter_spec.global_prefix" not in record.params
    assert record.params["model_id"] == record.tags["model"] == "simple/model1"
    assert record.tags["groups"] == "simple_mcqa"
    assert record.run_name == "simple_mcqa-simple/model1"
    assert [data.name for data in record.datasets] == ["simple_mcqa"]


def test_all_files_of_the_run_are_uploaded() -> None:
    assert paths(one(helm.read, HELM)) == [
        "run_spec.json",
        "per_instance_stats.json",
        "scenario.json",
        "scenario_state.json",
        "stats.json",
    ]


def test_splits_sub_splits_and_settings_of_perturbations_keep_names_apart(run: Path) -> None:
    rows = [
        stat("em"),
        stat("em2", split="test"),
        stat("em2", split="valid", count=2),
        stat("em2", split="test", sub_split="toxic"),
        stat("em2", split="test", perturbation={"name": "typo", "prob": 0.05, "computed_on": "worst"}),
        stat("em2", split="test", perturbation={"name": "typo", "prob": 0.2, "computed_on": "worst"}),
        stat("em2", split="test", perturbation={}),
        stat("nothing", None, count=0),
    ]
    rows.pop(-2)
    written(run, "stats.json", rows)

    assert values(one(helm.read, run)) == {
        "simple_mcqa/em": 0.5,
        "simple_mcqa/em2/test": 0.5,
        "simple_mcqa/em2/valid": 0.5,
        "simple_mcqa/em2_stddev/valid": 0.25,
        "simple_mcqa/em2/test-toxic": 0.5,
        "simple_mcqa/em2/test-typo-prob=0.05-worst": 0.5,
        "simple_mcqa/em2/test-typo-prob=0.2-worst": 0.5,
    }


def test_a_run_copied_elsewhere_has_the_same_key(run: Path) -> None:
    assert one(helm.read, run).key == one(helm.read, HELM).key
    written(run, "stats.json", [stat("em")])
    assert one(helm.read, run).key != one(helm.read, HELM).key


def test_a_run_is_recognised_as_a_folder_and_by_its_files(run: Path, tmp_path: Path) -> None:
    assert helm.recognises(run)
    assert helm.recognises(run / "stats.json")
    assert helm.recognises(run / "run_spec.json")
    assert not helm.recognises(run / "scenario.json")
    assert not helm.recognises(tmp_path)
    assert one(helm.read, run / "stats.json").label == str(run)


def test_a_run_without_a_scenario_is_read(run: Path) -> None:
    (run / "scenario.json").unlink()
    without = document(run / "run_spec.json")
    del without["scenario_spec"]

    assert one(helm.read, run).datasets[0].source_type == "local"
    written(run, "run_spec.json", without)
    assert one(helm.read, run).datasets == ()


def test_missing_and_wrong_files_are_told(run: Path) -> None:
    written(run, "stats.json", [{"name": "em"}])
    (unreadable,) = helm.read(run, ReadOptions())
    assert getattr(unreadable, "reason", "").startswith(
        f"{run / 'stats.json'}: stats.0.name: it should be an object"
    )

    (run / "stats.json").unlink()
    assert reason(helm.read, run) == f"cannot read {run / 'stats.json'}: no such file or directory"
