from __future__ import annotations

from pathlib import Path

from result_samples import BUNDLE, BUNDLES, copied, document, one, paths, reason, values, written

from mlflow_rest_export.records import Unreadable
from mlflow_rest_export.sources import detection, nemo_bundle
from mlflow_rest_export.sources.options import ReadOptions

GSM8K = next((BUNDLES / "gsm8k").glob("eval-*.json"))


def test_scores_have_their_intervals_beside_them() -> None:
    got = values(one(nemo_bundle.read, BUNDLE))

    assert got["mmlu/n_samples"] == 40.0
    assert got["mmlu/pass@1"] == 0.6
    assert got["mmlu/pass@1_ci_lower"] == 0.6
    assert got["mmlu/pass@2_bootstrap_ci_upper"] == 0.75
    assert got["mmlu/summary/std"] == 0.49298881801065664
    assert got["mmlu/categories/anatomy/mean_reward"] == 0.6667
    assert got["mmlu/categories/anatomy/n"] == 6.0
    assert got["mmlu/breakdowns/extracted/D/ci_upper"] == 0.9167
    assert got["mmlu/runtime/latency_percentiles_ms/p99"] == 1872.01
    assert got["mmlu/runtime/finish_reason_counts/stop"] == 80.0
    assert got["mmlu/failures/failure_rate"] == 0.0


def test_every_number_of_the_benchmark_becomes_a_metric() -> None:
    def numbers(value: object) -> int:
        if isinstance(value, dict):
            return sum(numbers(inner) for inner in value.values())
        if isinstance(value, list):
            return sum(numbers(inner) for inner in value)
        return int(isinstance(value, (int, float)) and not isinstance(value, bool))

    benchmark = document(BUNDLE)["benchmark"]
    del benchmark["repeats"]

    record = one(nemo_bundle.read, BUNDLE)
    assert len(values(record)) == numbers(benchmark)
    assert not record.adjustments


def test_settings_and_identity_are_params_and_tags() -> None:
    record = one(nemo_bundle.read, BUNDLE)

    assert record.params["model_id"] == record.tags["model"] == "meta/llama-3.1-8b-instruct"
    assert record.params["sdk_version"] == "0.3.0"
    assert record.params["shuffle.applied"] == "true"
    assert record.params["repeats"] == "2"
    assert record.tags["benchmark"] == record.tags["task_name"] == "mmlu"
    assert record.tags["nemo_run_id"] == "eval-20261122T192319Z-mmlu"
    assert record.tags["config_hash"].startswith("sha256:df18fd02")
    assert record.end_time == 1795375399495
    assert record.start_time == 1795375399495 - 1900


def test_the_logs_beside_the_bundle_are_uploaded() -> None:
    assert paths(one(nemo_bundle.read, GSM8K)) == [
        "eval-20261122T192320Z-gsm8k.json",
        "inference_log.jsonl",
        "model_traffic.jsonl",
        "results.jsonl",
        "runtime_stats.json",
        "trajectories.jsonl",
        "verified_log.jsonl",
    ]


def test_two_bundles_of_the_same_second_have_different_keys(tmp_path: Path) -> None:
    bundle = document(BUNDLE)
    bundle["benchmark"]["scores"]["pass@1"]["value"] = 0.61

    assert one(nemo_bundle.read, written(tmp_path, "e.json", bundle)).key != one(nemo_bundle.read, BUNDLE).key
    assert one(nemo_bundle.read, copied(BUNDLE, tmp_path)).key == one(nemo_bundle.read, BUNDLE).key


def test_runtime_statistics_may_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    bundle = document(BUNDLE)
    del bundle["benchmark"]["scores"]["runtime"]
    path = written(tmp_path, "eval-1.json", bundle)
    assert "mmlu/runtime/total_steps" not in values(one(nemo_bundle.read, path))

    written(tmp_path, "runtime_stats.json", {"total_steps": 80})
    assert values(one(nemo_bundle.read, path))["mmlu/runtime/total_steps"] == 80.0

    written(tmp_path, "runtime_stats.json", "{")
    assert values(one(nemo_bundle.read, path))["mmlu/pass@1"] == 0.6


def test_a_breakdown_by_every_answer_is_left_in_the_file_and_noted(tmp_path: Path) -> None:
    bundle = document(BUNDLE)
    rows = [{"group": str(number), "n": 1, "mean_reward": 1.0} for number in range(51)]
    bundle["benchmark"]["scores"]["breakdowns"] = {"extracted": rows, "odd": 3}

    record = one(nemo_bundle.read, written(tmp_path, "e.json", bundle))

    assert not any("/breakdowns/" in name for name in values(record))
    (note,) = record.adjustments
    assert note.field == "breakdown extracted"
    assert "uploaded file" in note.reason


def test_bundles_with_little_in_them_are_read(tmp_path: Path) -> None:
    bundle = {
        "run_id": "r",
        "config_hash": "h",
        "benchmark": {"name": "b", "scores": {"acc": 1, "note": "x"}},
    }
    record = one(nemo_bundle.read, written(tmp_path, "e.json", bundle))

    assert values(record) == {"b/acc": 1.0}
    assert record.params == {"b.note": "x"}
    assert record.start_time == record.end_time


def test_a_benchmark_that_failed_is_told_beside_its_siblings(tmp_path: Path) -> None:
    copied(BUNDLE, tmp_path / "mmlu")
    failed = {"gsm8k": {"error": "no such\nmodel"}, "aime": "gone"}
    path = written(tmp_path, "checkpoint.json", {"completed_benchmarks": {}, "failed_benchmarks": failed})

    found = list(detection.read([tmp_path], ReadOptions()))

    labels = [f"{tmp_path}/gsm8k", f"{tmp_path}/aime", str(tmp_path / "mmlu" / BUNDLE.name)]
    assert [record.label for record in found] == labels
    assert found[0] == Unreadable(
        f"{tmp_path}/gsm8k", f"{path}: benchmark gsm8k failed and left no result: no such model"
    )


def test_a_checkpoint_without_failures_is_passed_over(tmp_path: Path) -> None:
    assert not nemo_bundle.recognises(BUNDLES / "checkpoint.json")
    assert not nemo_bundle.recognises(written(tmp_path, "checkpoint.json", {"failed_benchmarks": []}))
    assert not nemo_bundle.recognises(written(tmp_path, "checkpoint.json", '{"failed_benchmarks": {"a"'))
    assert "it is missing" in reason(nemo_bundle.read, BUNDLES / "checkpoint.json")


def test_only_bundles_are_recognised(tmp_path: Path) -> None:
    assert nemo_bundle.recognises(BUNDLE)
    assert not nemo_bundle.recognises(BUNDLES)
    assert not nemo_bundle.recognises(BUNDLE.with_name("runtime_stats.json"))
    assert not nemo_bundle.recognises(written(tmp_path, "a.json", {"benchmark": {}}))


def test_settings_that_are_called_like_what_was_measured_do_not_replace_it(tmp_path: Path) -> None:
    bundle = document(BUNDLE)
    bundle["config"] |= {"repeats": 99, "n_results": "other"}

    record = one(nemo_bundle.read, written(tmp_path, "eval-1-a.json", bundle))

    assert record.params["repeats"] == str(bundle["benchmark"]["repeats"])
    assert record.params["repeats-2"] == "99"
    assert record.params["n_results-2"] == "other"
    assert {note.after for note in record.adjustments} == {"repeats-2", "n_results-2"}


def test_a_missing_member_is_told(tmp_path: Path) -> None:
    bundle = document(BUNDLE)
    del bundle["benchmark"]["scores"]
    path = written(tmp_path, "e.json", bundle)

    assert reason(nemo_bundle.read, path) == f"{path}: benchmark.scores: it is missing"
