from __future__ import annotations

import math
import tracemalloc
from pathlib import Path

from result_samples import LM_EVAL, copied, document, many, one, paths, reason, values, written

from mlflow_rest_export.records import RunStatus
from mlflow_rest_export.sources import lm_eval


def small(**members: object) -> dict[str, object]:
    return {"results": {"gsm8k": {"alias": "gsm8k", "acc,none": 0.5}}, "n-shot": {"gsm8k": 5}, **members}


def test_the_genuine_file_gives_every_number_unrounded() -> None:
    record = one(lm_eval.read, LM_EVAL)

    assert values(record) == {
        "math_perturbed_full/exact_match": 0.0,
        "math_perturbed_full/exact_match_stderr": 0.0,
        "math_perturbed_full/n_samples": 5000.0,
        "math_rephrased_full/exact_match": 0.0004,
        "math_rephrased_full/exact_match_stderr": 0.0002828144211304471,
        "math_rephrased_full/n_samples": 5000.0,
    }


def test_the_genuine_file_gives_settings_hashes_and_times() -> None:
    record = one(lm_eval.read, LM_EVAL)

    assert record.status is RunStatus.FINISHED
    assert record.start_time == 1768964383859
    assert record.end_time == 1768964383859 + 2677732
    assert (
        record.params["model_id"] == "RylanSchaeffer/mem_Qwen3-93M_minerva_math_rep_0_sbst_1.0000_epch_1_ot_1"
    )
    assert record.params["random_seed"] == "0"
    assert record.params["lm_eval_version"] == "0.4.9.2"
    assert record.params["math_perturbed_full.num_fewshot"] == "0"
    assert record.params["math_perturbed_full.higher_is_better.exact_match"] == "true"
    assert record.tags["model"] == record.params["model_id"]
    assert record.tags["harness"] == "lm-evaluation-harness"
    assert record.tags["git_hash"] == "1f84a09f"
    assert record.tags["math_perturbed_full.task_hash"].startswith("41e40c71")
    assert not record.adjustments


def test_the_genuine_file_names_its_datasets() -> None:
    record = one(lm_eval.read, LM_EVAL)

    assert [data.name for data in record.datasets] == [
        "stellaathena/math_perturbed_5000",
        "stellaathena/math_rephrased_full",
    ]
    assert all(data.context == "eval" and len(data.digest) <= 36 for data in record.datasets)


def test_the_file_and_the_samples_of_its_date_are_uploaded_and_no_others(tmp_path: Path) -> None:
    path = copied(LM_EVAL, tmp_path)
    written(tmp_path, "samples_gsm8k_2025-01-01T00-00-00.000000.jsonl", "{}")

    record = one(lm_eval.read, path)

    assert paths(record) == [
        "results_2026-01-21T03-44-18.458309.json",
        "samples_math_perturbed_full_2026-01-21T03-44-18.458309.jsonl",
    ]


def test_samples_are_found_beside_results_whose_name_the_user_gave(tmp_path: Path) -> None:
    path = written(tmp_path, "llama_2026-01-21T03-44-18.458309.json", document(LM_EVAL))
    written(tmp_path, "samples_gsm8k_2026-01-21T03-44-18.458309.jsonl", "{}")
    written(tmp_path, "samples_gsm8k_2025-01-01T00-00-00.000000.jsonl", "{}")

    assert paths(one(lm_eval.read, path)) == [path.name, "samples_gsm8k_2026-01-21T03-44-18.458309.jsonl"]


def test_samples_can_be_excluded_and_files_left_out_altogether(tmp_path: Path) -> None:
    path = copied(LM_EVAL, tmp_path)

    assert paths(one(lm_eval.read, path, exclude_patterns=("SAMPLES_*",))) == [path.name]
    assert paths(one(lm_eval.read, path, copy_artifacts=False)) == []


def test_a_file_has_the_same_key_wherever_it_lies(tmp_path: Path) -> None:
    copy = copied(LM_EVAL, tmp_path / "elsewhere")
    other = written(tmp_path, "results_x.json", document(LM_EVAL))

    assert one(lm_eval.read, copy).key == one(lm_eval.read, LM_EVAL).key
    assert one(lm_eval.read, other).key != one(lm_eval.read, LM_EVAL).key
    assert one(lm_eval.read, copy).key.startswith("lm-eval:")
    assert one(lm_eval.read, copy).lookup.value == one(lm_eval.read, copy).key


def test_tasks_become_children_when_asked() -> None:
    parent, *children = many(lm_eval.read, LM_EVAL, per_task=True)

    assert values(parent) == values(one(lm_eval.read, LM_EVAL))
    assert parent.key == one(lm_eval.read, LM_EVAL).key
    assert [child.tags["task_name"] for child in children] == ["math_perturbed_full", "math_rephrased_full"]
    assert all(child.parent_key == parent.key for child in children)
    assert all(child.key.startswith(f"{parent.key}/") and child.lookup.prefix for child in children)
    assert values(children[0]).keys() == {
        "math_perturbed_full/exact_match",
        "math_perturbed_full/exact_match_stderr",
        "math_perturbed_full/n_samples",
    }
    assert children[0].params["model_id"] == parent.params["model_id"]
    assert "math_rephrased_full.version" not in children[0].params
    assert [data.name for data in children[1].datasets] == ["stellaathena/math_rephrased_full"]


def test_filters_stand_behind_the_metric_and_none_is_left_out(tmp_path: Path) -> None:
    scores = {"exact_match,strict-match": 0.25, "exact_match_stderr,strict-match": 0.01, "acc,none": 0.5}
    path = written(tmp_path, "r.json", small(results={"gsm8k": scores}))

    assert values(one(lm_eval.read, path)) == {
        "gsm8k/exact_match/strict-match": 0.25,
        "gsm8k/exact_match_stderr/strict-match": 0.01,
        "gsm8k/acc": 0.5,
    }


def test_a_metric_with_and_without_filter_is_no_file_and_folder_at_once(tmp_path: Path) -> None:
    scores = {"acc,none": 0.5, "acc,strict": 0.25, "f1,a,b": 1, "f1,a": 2}
    path = written(tmp_path, "r.json", small(results={"gsm8k": scores}))

    assert values(one(lm_eval.read, path)) == {
        "gsm8k/acc": 0.5,
        "gsm8k/acc-strict": 0.25,
        "gsm8k/f1,a/b": 1,
        "gsm8k/f1/a": 2,
    }


def test_what_is_no_score_is_not_taken_for_one(tmp_path: Path) -> None:
    scores = {"acc,none": 0.5, "acc_stderr,none": "N/A", "alias": " - gsm8k", "name": "gsm8k", " ": " "}
    path = written(tmp_path, "r.json", small(results={"gsm8k": scores, "mmlu": {" ": " ", "alias": "mmlu"}}))

    record = one(lm_eval.read, path)

    assert values(record) == {"gsm8k/acc": 0.5}
    assert "gsm8k.alias" not in record.params


def test_groups_are_taken_once_though_they_stand_twice(tmp_path: Path) -> None:
    group = {"acc,none": 0.75, "acc_stderr,none": math.nan, "sample_count": {"acc,none": 40}}
    path = written(tmp_path, "r.json", small(groups={"mmlu": group}, results={"mmlu": group, "a": {}}))

    record = one(lm_eval.read, path)

    assert values(record).keys() == {"mmlu/acc", "mmlu/acc_stderr"}
    assert not record.adjustments


def test_the_number_of_samples_is_found_where_older_files_keep_it(tmp_path: Path) -> None:
    path = written(tmp_path, "r.json", small(results={"gsm8k": {"acc,none": 1, "sample_len": 7}}))

    assert values(one(lm_eval.read, path)) == {"gsm8k/acc": 1.0, "gsm8k/n_samples": 7.0}


def test_files_of_the_time_before_filters_are_read(tmp_path: Path) -> None:
    old = {
        "results": {"anli_r1": {"acc": 0.334, "acc_stderr": 0.0149}},
        "versions": {"anli_r1": 0},
        "config": {"model": "gpt2", "model_args": "pretrained=org/m,dtype=float"},
    }
    path = written(tmp_path, "old.json", old)

    record = one(lm_eval.read, path)

    assert lm_eval.recognises(path)
    assert values(record) == {"anli_r1/acc": 0.334, "anli_r1/acc_stderr": 0.0149}
    assert record.params["model_id"] == "org/m"
    assert record.run_name == "anli_r1-org/m"


def test_the_model_is_found_in_arguments_or_is_the_kind_of_model(tmp_path: Path) -> None:
    as_object = small(config={"model": "local", "model_args": {"model": "served"}})
    bare = small(config={"model": "dummy", "model_args": None})

    assert one(lm_eval.read, written(tmp_path, "a.json", as_object)).tags["model"] == "served"
    assert one(lm_eval.read, written(tmp_path, "b.json", bare)).tags["model"] == "dummy"
    assert "model" not in one(lm_eval.read, written(tmp_path, "c.json", small())).tags


def test_the_time_comes_from_the_name_when_the_file_has_none(tmp_path: Path) -> None:
    path = written(tmp_path, "results_2026-01-21T03-44-18.458309.json", small())

    assert one(lm_eval.read, path).start_time == 1768967058458


def test_a_secret_among_the_model_arguments_leaves_neither_as_param_nor_as_file(tmp_path: Path) -> None:
    secret = "q7" * 12
    config = {
        "model": "local",
        "model_args": {"base_url": "http://x", "api_key": secret},
        "api_key_name": "KEY",
    }
    path = written(tmp_path, "r.json", small(config=config))

    record = one(lm_eval.read, path)

    assert secret not in repr(record)
    (content,) = [artifact.content for artifact in record.artifacts]
    assert isinstance(content, bytes)
    assert content == path.read_bytes().replace(secret.encode(), b"***")
    assert {note.field for note in record.adjustments} == {"param model_args.api_key", "artifact r.json"}


def test_only_results_of_lm_eval_are_recognised(tmp_path: Path) -> None:
    assert lm_eval.recognises(LM_EVAL)
    assert not lm_eval.recognises(tmp_path)
    assert not lm_eval.recognises(written(tmp_path, "a.json", {"results": {}}))
    assert not lm_eval.recognises(written(tmp_path, "b.json", {"results": [], "configs": {}}))
    assert not lm_eval.recognises(next(LM_EVAL.parent.glob("samples_*")))


def test_very_many_mistakes_cost_no_more_than_one(tmp_path: Path) -> None:
    path = written(tmp_path, "r.json", {"results": dict.fromkeys(map(str, range(200_000)), 1), "configs": {}})

    tracemalloc.start()
    said = reason(lm_eval.read, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "results" in said
    assert peak < 100 << 20


def test_a_wrong_type_is_told_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "r.json", small(results={"gsm8k": 3}, versions=7))

    assert reason(lm_eval.read, path) == (f"{path}: results.gsm8k: it should be an object (and 1 more)")
