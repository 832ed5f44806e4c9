from __future__ import annotations

from pathlib import Path

from result_samples import EEE, SAMPLES, document, many, one, paths, reason, values, written

from mlflow_rest_export.sources import every_eval_ever


def scored(name: str = "IFEval", score: object = 0.4486, **members: object) -> dict[str, object]:
    return {"evaluation_name": name, "score_details": {"score": score}} | members


def small(*results: object, **members: object) -> dict[str, object]:
    return {
        "schema_version": "0.2.0",
        "evaluation_id": "lb/m/1770682486.623709",
        "retrieved_timestamp": "1770682486.623709",
        "model_info": {"id": "org/m", "name": "m"},
        "evaluation_results": list(results) or [scored()],
        **members,
    }


def test_the_genuine_file_gives_scores_settings_and_samples() -> None:
    record = one(every_eval_ever.read, EEE)

    assert values(record) == {
        "popularity/accuracy": 0.0,
        "popularity/accuracy_stderr": 0.0,
        "popularity/n_samples": 1.0,
    }
    assert record.start_time == record.end_time == 1729011193000
    assert record.params["popularity.accuracy.lower_is_better"] == "false"
    assert record.params["popularity.generation_args.eval_plan.config.temperature"] == "1.0"
    assert record.params["eval_library.name"] == record.tags["harness"] == "inspect"
    assert record.params["model_id"] == record.tags["model"] == "ollama/llama3.1"
    assert record.tags["evaluation_id"] == "popularity/ollama_llama3.1/1729011193.0"
    assert record.tags["detailed_results_checksum"].startswith("afc53af5")
    assert [data.name for data in record.datasets] == ["popularity"]
    assert paths(record) == [EEE.name, f"{EEE.stem}_samples.jsonl"]


def test_the_other_genuine_file_names_its_hub_dataset() -> None:
    (path,) = (SAMPLES / "every-eval-ever").glob("*.json")
    record = one(every_eval_ever.read, path)

    assert values(record)["math_rephrased_full/exact_match"] == 0.0004
    assert [data.name for data in record.datasets] == ["stellaathena/math_rephrased_full"]
    assert paths(record) == [path.name]


def test_files_of_schema_0_2_are_read(tmp_path: Path) -> None:
    results = [
        scored(
            "IFEval",
            source_data={"dataset_name": "IFEval", "source_type": "hf_dataset", "hf_repo": "g/IFEval"},
        ),
        scored(
            "GPQA", 0.2743, source_data={"dataset_name": "GPQA", "source_type": "url", "url": ["https://x/y"]}
        ),
        scored("Old", 1, source_data=["https://x/z"], metric_config={"max_score": 100}),
        scored("None", 1, source_data={"source_type": "other"}),
    ]
    record = one(every_eval_ever.read, written(tmp_path, "a.json", small(*results)))

    assert values(record) == {"IFEval/score": 0.4486, "GPQA/score": 0.2743, "Old/score": 1, "None/score": 1}
    assert [(data.name, data.source_type) for data in record.datasets] == [
        ("g/IFEval", "hugging_face"),
        ("GPQA", "http"),
        ("https://x/z", "http"),
    ]
    assert record.params["Old.score.max_score"] == "100"
    assert record.start_time == record.end_time == 1770682486624


def test_uncertainty_stands_beside_the_score(tmp_path: Path) -> None:
    details = {
        "score": 0.5,
        "uncertainty": {
            "standard_error": {"value": 0.01},
            "confidence_interval": {"lower": 0.4, "upper": 0.6, "confidence_level": 0.95},
            "standard_deviation": 0.3,
            "num_samples": 100,
        },
    }
    result = {"evaluation_name": "t", "metric_config": {"metric_id": "acc"}, "score_details": details}
    old = {"evaluation_name": "u", "score_details": {"score": 1, "uncertainty": {"standard_error": 0.5}}}
    record = one(every_eval_ever.read, written(tmp_path, "a.json", small(result, old)))

    assert values(record) == {
        "t/acc": 0.5,
        "t/acc_stderr": 0.01,
        "t/acc_stddev": 0.3,
        "t/acc_ci_lower": 0.4,
        "t/acc_ci_upper": 0.6,
        "t/n_samples": 100,
        "u/score": 1,
        "u/score_stderr": 0.5,
    }
    assert record.params["t.acc.confidence_level"] == "0.95"


def test_two_scores_of_one_name_both_arrive(tmp_path: Path) -> None:
    record = one(every_eval_ever.read, written(tmp_path, "a.json", small(scored(), scored(score=0.5))))

    assert values(record) == {"IFEval/score": 0.4486, "IFEval-2/score": 0.5}
    (note,) = record.adjustments
    assert (note.field, note.before, note.after) == ("evaluation IFEval", "score", "IFEval-2")


def test_results_that_differ_in_their_settings_alone_both_arrive_with_them(tmp_path: Path) -> None:
    settings = [{"generation_args": {"temperature": heat}} for heat in (0.1, 0.9)]
    results = [scored(score=0.5, generation_config=each) for each in settings]
    path = written(tmp_path, "a.json", small(*results))

    record = one(every_eval_ever.read, path)

    assert values(record) == {"IFEval/score": 0.5, "IFEval-2/score": 0.5}
    assert record.params["IFEval.generation_args.temperature"] == "0.1"
    assert record.params["IFEval-2.generation_args.temperature"] == "0.9"


def test_results_of_one_name_on_two_datasets_are_told_apart_by_them(tmp_path: Path) -> None:
    metric = [{"metric_config": {"metric_name": name}} for name in ("acc", "f1")]
    results = [
        scored("mmlu", 0.5, source_data={"dataset_name": name}, **each)
        for name in ("law", "math")
        for each in metric
    ]

    record = one(every_eval_ever.read, written(tmp_path, "a.json", small(*results)))

    assert values(record) == dict.fromkeys(
        ["mmlu-law/acc", "mmlu-law/f1", "mmlu-math/acc", "mmlu-math/f1"], 0.5
    )
    assert [data.name for data in record.datasets] == ["law", "math"]


def test_the_number_of_samples_stands_once_beside_several_metrics(tmp_path: Path) -> None:
    results = [
        scored(
            metric_config={"metric_name": name},
            score_details={"score": 1, "uncertainty": {"num_samples": count}},
        )
        for name, count in (("a", 9), ("b", 9), ("c", 8))
    ]

    record = one(every_eval_ever.read, written(tmp_path, "a.json", small(*results)))

    assert values(record)["IFEval/n_samples"] == 9
    assert values(record)["IFEval/n_samples-2"] == 8
    assert len(record.adjustments) == 1


def test_evaluations_become_children_and_times_span_them(tmp_path: Path) -> None:
    early = scored("a", evaluation_timestamp="2026-01-01T00:00:00Z")
    late = scored("b", evaluation_timestamp="1767225660")
    path = written(tmp_path, "a.json", small(early, late))

    parent, *children = many(every_eval_ever.read, path, per_task=True)

    assert (parent.start_time, parent.end_time) == (1767225600000, 1767225660000)
    assert [child.tags["task_name"] for child in children] == ["a", "b"]


def test_only_its_own_form_is_recognised(tmp_path: Path) -> None:
    assert every_eval_ever.recognises(EEE)
    assert not every_eval_ever.recognises(tmp_path)
    assert not every_eval_ever.recognises(written(tmp_path, "a.json", {"evaluation_results": []}))


def test_a_missing_member_is_told(tmp_path: Path) -> None:
    broken = document(EEE)
    del broken["evaluation_results"][0]["evaluation_name"]
    path = written(tmp_path, "a.json", broken)

    said = reason(every_eval_ever.read, path)

    assert said == f"{path}: evaluation_results.0.evaluation_name: it is missing"
