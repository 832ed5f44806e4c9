from __future__ import annotations

from pathlib import Path

import pytest
from result_samples import LIGHTEVAL, LIGHTEVAL_OLD, document, many, one, paths, reason, values, written

from mlflow_rest_export.sources import lighteval


def small(**members: object) -> dict[str, object]:
    return {"config_general": {"model_name": "m"}, "results": {"gsm8k|5": {"em": 0.5}}, **members}


@pytest.mark.parametrize("path", [LIGHTEVAL, LIGHTEVAL_OLD], ids=["task|shots", "suite|task|shots"])
def test_old_and_new_keys_give_the_same_names(path: Path) -> None:
    record = one(lighteval.read, path)

    assert values(record) == {
        "gsm8k/n_samples": 1.0,
        "gsm8k/em": 0.0,
        "gsm8k/em_stderr": 0.0,
        "gsm8k/maj@8": 0.0,
        "gsm8k/maj@8_stderr": 0.0,
        "all/em": 0.0,
        "all/em_stderr": 0.0,
        "all/maj@8": 0.0,
        "all/maj@8_stderr": 0.0,
    }
    assert record.params["gsm8k.num_fewshot"] == "0"
    assert record.params["gsm8k.n_samples_original"] == "1319"
    assert record.params["total_evaluation_time_secondes"] == "24.752787875011563"
    assert record.params["model_id"] == record.tags["model"] == "gpt2"
    assert record.tags["lighteval_sha"] == "203045a8431bc9b77245c9998e05fc54509ea07f"
    assert record.tags["model_sha"] == "607a30d783dfa663caf39e06633721c8d4cfcd7e"
    assert record.tags["gsm8k.hash_examples"] == "8517d5bf7e880086"
    assert record.tags["hash_examples"] == "5f383c395f01096e"
    assert [(data.name, data.digest) for data in record.datasets] == [("gsm8k/main", "8517d5bf7e880086")]
    assert not record.adjustments


def test_the_suite_is_a_param() -> None:
    assert one(lighteval.read, LIGHTEVAL_OLD).params["gsm8k.suite"] == "lighteval"
    assert "gsm8k.suite" not in one(lighteval.read, LIGHTEVAL).params


def test_the_time_comes_from_the_name_and_the_start_from_the_duration(tmp_path: Path) -> None:
    path = written(tmp_path, "results_2024-09-24T12-00-30.250000.json", document(LIGHTEVAL))

    record = one(lighteval.read, path)

    assert record.end_time == 1727179230250
    assert record.start_time == 1727179230250 - 24753


def test_names_are_as_short_as_they_stay_apart(tmp_path: Path) -> None:
    names = {
        "gsm8k|0": "gsm8k-0shot",
        "gsm8k|5": "gsm8k-5shot",
        "a|mmlu|5": "a-mmlu-5shot",
        "b|mmlu|5": "b-mmlu-5shot",
        "x|y:z|5|1": "y:z",
        "mmlu:_average|5": "mmlu:_average",
        "all": "all",
        "t": "t",
        "s|t": "s-t",
        "a|u|1|0": "a-u-1-0",
        "a|u|1|1": "a-u-1-1",
    }
    results = {key: {"em": number} for number, key in enumerate(names)}
    path = written(tmp_path, "r.json", small(results=results))

    expected = {f"{name}/em": number for number, name in enumerate(names.values())}
    assert values(one(lighteval.read, path)) == expected


def test_tasks_become_children_when_asked(tmp_path: Path) -> None:
    average = {"all": {"acc": 0.375}, "mmlu:_average|5": {"acc": 0.25}}
    results = {"gsm8k|0": {"em": 0.5}, "mmlu|5": {"acc": 0.25}, **average}
    path = written(tmp_path, "r.json", small(results=results))

    parent, *children = many(lighteval.read, path, per_task=True)

    assert values(parent) == {
        "gsm8k/em": 0.5,
        "mmlu/acc": 0.25,
        "all/acc": 0.375,
        "mmlu:_average/acc": 0.25,
    }
    assert [values(child) for child in children] == [{"gsm8k/em": 0.5}, {"mmlu/acc": 0.25}]
    assert children[0].run_name == "gsm8k-m"


def test_the_model_may_stand_in_the_models_config(tmp_path: Path) -> None:
    general = {"model_config": {"model_name": "org/m", "generation_parameters": {"seed": 1}}}
    record = one(lighteval.read, written(tmp_path, "r.json", small(config_general=general)))

    assert record.params["model_id"] == "org/m"
    assert record.params["model_config.generation_parameters.seed"] == "1"


@pytest.mark.parametrize("model", ["gpt2", "org/model"])
def test_the_details_of_this_run_are_uploaded(tmp_path: Path, model: str) -> None:
    name = "results_2024-09-24T12-00-30.250000.json"
    path = written(tmp_path / "results" / model, name, document(LIGHTEVAL))
    details = tmp_path / "details" / model
    written(details / "2024-09-24T12-00-30.250000", "details_gsm8k_2024.parquet", b"PAR1")
    written(details / "2023-01-01T00-00-00.000000", "details_gsm8k_2023.parquet", b"PAR1")

    assert paths(one(lighteval.read, path)) == [name, "details_gsm8k_2024.parquet"]


@pytest.mark.parametrize("here", ["results", "results/gpt2", "."])
def test_details_are_found_from_whatever_folder_the_results_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str
) -> None:
    path = written(tmp_path / "results" / "gpt2", "results_1.json", document(LIGHTEVAL))
    written(tmp_path / "details" / "gpt2" / "1", "details_gsm8k.parquet", b"PAR1")
    monkeypatch.chdir(tmp_path / here)

    named = path.relative_to(tmp_path / here)

    assert paths(one(lighteval.read, named)) == ["results_1.json", "details_gsm8k.parquet"]


def test_details_that_a_link_leads_away_to_are_not_uploaded(tmp_path: Path) -> None:
    path = written(tmp_path / "out" / "results" / "m", "results_1.json", document(LIGHTEVAL))
    written(tmp_path / "away", "details_secret.parquet", b"PAR1")
    (tmp_path / "out" / "details" / "m").mkdir(parents=True)
    (tmp_path / "out" / "details" / "m" / "1").symlink_to(tmp_path / "away")

    assert paths(one(lighteval.read, path)) == ["results_1.json"]


def test_the_settings_of_a_task_are_found_by_its_own_name_too(tmp_path: Path) -> None:
    tasks = {"odd key": {"name": "gsm8k", "effective_num_docs": 7, "hf_repo": "r", "evaluation_splits": "x"}}
    path = written(tmp_path, "r.json", small(config_tasks=tasks, summary_tasks={"gsm8k|5": {"hashes": 1}}))

    record = one(lighteval.read, path)

    assert values(record)["gsm8k/n_samples"] == 7
    assert [data.name for data in record.datasets] == ["r"]


def test_only_results_of_lighteval_are_recognised(tmp_path: Path) -> None:
    assert lighteval.recognises(LIGHTEVAL)
    assert lighteval.recognises(LIGHTEVAL_OLD)
    assert not lighteval.recognises(tmp_path)
    assert not lighteval.recognises(written(tmp_path, "a.json", {"results": {}}))


def test_a_wrong_type_is_told_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "r.json", small(config_general=[]))

    assert reason(lighteval.read, path) == f"{path}: config_general: it should be an object"
