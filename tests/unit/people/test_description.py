"""The table of scores below a run's description."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mlflow_rest_export.cli import main
from mlflow_rest_export.planning.description import ROWS, described

RESULTS = Path(__file__).parents[3] / "fixtures" / "results"


def test_scores_stand_with_their_standard_errors_and_other_statistics_have_no_rows() -> None:
    scores = {
        "mmlu_score_macro": 0.6904397233201581,
        "mmlu_score_micro": 0.701067615658363,
        "mmlu_score_micro_stddev": 0.45779014180458366,
        "mmlu_score_micro_stderr": 0.02735819372780433,
    }

    assert described("", scores, fits=lambda _: True) == (
        "| metric | value ± standard error |\n"
        "|---|---|\n"
        "| `mmlu_score_macro` | 0.69044 |\n"
        "| `mmlu_score_micro` | 0.701068 ± 0.0274 |"
    )


def test_without_any_error_none_is_spoken_of() -> None:
    assert described("", {"a": 1.0}, fits=lambda _: True) == "| metric | value |\n|---|---|\n| `a` | 1 |"


def test_the_users_own_text_stays_on_top_as_it_is() -> None:
    text = "# Llama\n\n* one\n* two"

    assert described(text, {"a": 1.0}, fits=lambda _: True).startswith(f"{text}\n\n| metric |")


def test_the_error_in_a_folder_belongs_to_its_main_metric() -> None:
    scores = {"arith/match/accuracy": 0.75, "arith/match/stderr": 0.25, "arith/f1/mean": 0.5}

    assert described("", scores, fits=lambda _: True).splitlines()[2:] == [
        "| `arith/match/accuracy` | 0.75 ± 0.25 |",
        "| `arith/f1/mean` | 0.5 |",
    ]


def test_what_only_looks_like_a_statistic_is_a_score() -> None:
    assert "`word_count`" in described("", {"word_count": 7.0}, fits=lambda _: True)


def test_rows_that_do_not_fit_are_counted() -> None:
    scores = {f"m{number:03}": float(number) for number in range(ROWS + 2)}

    assert described("", scores, fits=lambda _: True).endswith(
        f"| `m{ROWS - 1:03}` | {ROWS - 1} |\n\nand 2 more"
    )
    assert described("", scores, fits=lambda text: len(text) <= 70).endswith("| `m000` | 0 |\n\nand 51 more")
    assert described("text", scores, fits=lambda _: False) == "text"


def test_no_scores_no_table() -> None:
    assert described("text", {}, fits=lambda _: True) == "text"


@given(
    some.text(max_size=50),
    some.dictionaries(some.text("ab_/|stderr", min_size=1), some.floats(), max_size=60),
    some.integers(50, 3000),
)
def test_it_never_grows_beyond_the_limit_and_begins_with_the_text(
    text: str, scores: dict[str, float], longest: int
) -> None:
    whole = described(text, scores, fits=lambda text: len(text) <= longest)

    assert len(whole) <= longest
    assert whole.startswith(text)


@pytest.mark.parametrize("own", ["", "My own words"])
def test_an_exported_run_has_the_table(tmp_path: Path, own: str) -> None:
    override = ["-o", f"export.mlflow.description={own}"] if own else []
    main(["export", str(RESULTS), *override, "--tracking-uri", str(tmp_path / "mlruns"), "-q"])

    notes = [file.read_text() for file in tmp_path.glob("mlruns/*/*/tags/mlflow.note.content")]
    begin = own or "Llama 3.1 8B evaluation (stub endpoint)"
    assert len(notes) == 2
    assert all(note.startswith(f"{begin}\n\n| metric | value ± standard error |\n") for note in notes)


def test_a_run_that_comes_from_mlflow_keeps_its_own_description(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    main(["export", str(RESULTS), "--tracking-uri", str(first), "-q"])
    main(["export", str(first), "--tracking-uri", str(second), "-q"])

    def notes(folder: Path) -> list[str]:
        return sorted(file.read_text() for file in folder.glob("*/*/tags/mlflow.note.content"))

    assert notes(second) == notes(first)
