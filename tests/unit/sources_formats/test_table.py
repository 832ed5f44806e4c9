from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from result_samples import TABLES, many, one, paths, reason, values, written

from mlflow_rest_export.records import Metric
from mlflow_rest_export.sources import table, table_points


def points(record: object) -> list[tuple[str, float, int]]:
    return [(point.key, point.value, point.step) for point in getattr(record, "metrics", ())]


def test_a_history_is_one_run_with_steps() -> None:
    record = one(table.read, TABLES / "history.csv")

    assert points(record) == [
        ("loss", 1.5, 0),
        ("accuracy", 0.1, 0),
        ("loss", 0.75, 10),
        ("accuracy", 0.62, 10),
        ("loss", 0.5, 20),
        ("accuracy", 0.71, 20),
    ]
    assert record.run_name == "history"
    assert paths(record) == ["history.csv"]


def test_a_leaderboard_is_one_run_a_row() -> None:
    small, large = many(table.read, TABLES / "leaderboard.csv")

    assert values(small) == {"accuracy": 0.5, "stderr": 0.01}
    assert values(large) == {"accuracy": 0.71, "stderr": 0.02}
    assert small.params == {"model": "demo/small", "benchmark": "mmlu", "model_id": "demo/small"}
    assert large.tags == {"model": "demo/large"}
    assert small.run_name == "leaderboard-demo/small-mmlu"
    assert small.lookup == large.lookup
    assert small.lookup.prefix
    assert small.key != large.key
    assert small.key.startswith(small.lookup.value)


def test_an_object_is_one_run_with_paths_as_names() -> None:
    record = one(table.read, TABLES / "flat.json")

    got = values(record)
    assert math.isnan(got.pop("gsm8k/accuracy"))
    assert got == {"seed": 42.0, "mmlu/accuracy": 0.3333333333333333, "mmlu/stderr": 0.01}
    assert record.params == {"model": "demo/small", "mmlu/complete": "true", "model_id": "demo/small"}


def test_yaml_is_read_as_json_is() -> None:
    record = one(table.read, TABLES / "flat.yaml")

    assert values(record) == {"mmlu/accuracy": 0.5, "mmlu/shots": 5.0}
    assert record.params["model"] == "demo/small"


def test_a_column_of_times_gives_the_times() -> None:
    record = one(table.read, TABLES / "runs.jsonl")

    assert list(record.metrics) == [
        Metric("accuracy", 0.5, 1767225600000, 0),
        Metric("accuracy", 0.6, 1767225900000, 1),
    ]
    assert (record.start_time, record.end_time) == (1767225600000, 1767225900000)


def test_the_map_says_which_column_is_what(tmp_path: Path) -> None:
    path = written(
        tmp_path, "a.csv", "epoch,when,run,fold,acc,note\n1,1767225600,x,7,0.5,a\n2,1767225601,x,7,0.6,b\n"
    )
    columns = {"epoch": "step", "when": "timestamp", "run": "tag", "fold": "param", "note": "skip"}

    record = one(table.read, path, columns=columns)

    assert list(record.metrics) == [
        Metric("acc", 0.5, 1767225600000, 1),
        Metric("acc", 0.6, 1767225601000, 2),
    ]
    assert record.params == {"fold": "7"}
    assert record.tags == {"run": "x"}


def test_texts_in_json_are_no_numbers_unless_the_map_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", {"acc": "0.5", "n": 3})

    assert one(table.read, path).params == {"acc": "0.5"}
    assert values(one(table.read, path, columns={"acc": "metric"})) == {"acc": 0.5, "n": 3.0}


@pytest.mark.parametrize("nothing", ["", "N/A", "null", "None", "-"])
def test_an_empty_cell_has_no_point(tmp_path: Path, nothing: str) -> None:
    path = written(tmp_path, "a.csv", f"acc,f1\n{nothing},1\n0.5,2\n")

    assert points(one(table.read, path)) == [("f1", 1.0, 0), ("acc", 0.5, 1), ("f1", 2.0, 1)]


def test_numbers_a_double_cannot_hold_are_noted_once(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "n\n9007199254740993\n9007199254740995\n9007199254740992\n")

    (note,) = one(table.read, path).adjustments
    assert (note.field, note.before, note.after) == ("metric n", "9007199254740993", "9007199254740992.0")


@pytest.mark.parametrize(
    ("written_as", "step"),
    [
        ("9007199254740993", 9007199254740993),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("5.0", 5),
        (" 7 ", 7),
    ],
)
def test_steps_are_exact(tmp_path: Path, written_as: str, step: int) -> None:
    assert points(one(table.read, written(tmp_path, "a.csv", f"step,a\n{written_as},1\n"))) == [
        ("a", 1, step)
    ]
    if written_as.strip("-").isdigit():
        assert points(one(table.read, written(tmp_path, "a.json", f'{{"step": {step}, "a": 1}}'))) == [
            ("a", 1, step)
        ]


def test_a_number_with_underscores_is_a_text(tmp_path: Path) -> None:
    assert "not a whole number" in reason(
        table.read, written(tmp_path, "a.csv", "step,a\n1_0,1\n"), columns={"step": "step"}
    )


def test_a_number_that_is_too_large_for_a_double_is_noted(tmp_path: Path) -> None:
    (note,) = one(table.read, written(tmp_path, "a.csv", "acc,x\n1e400,inf\n")).adjustments

    assert (note.field, note.before, note.after) == ("metric acc", "1e400", "inf")


def test_a_text_among_numbers_is_left_out_and_told(tmp_path: Path) -> None:
    rows = "".join(f"{step},0.{step},{step}\n" for step in range(5))
    record = one(table.read, written(tmp_path, "a.csv", f"step,acc,loss\n{rows}5,err,5\n"))

    assert [step for key, _, step in points(record) if key == "acc"] == [0, 1, 2, 3, 4]
    assert [step for key, _, step in points(record) if key == "loss"] == [0, 1, 2, 3, 4, 5]
    (note,) = record.adjustments
    assert (note.field, note.before, note.after) == ("column acc", "err", "")
    assert note.reason == "1 of 6 cells hold no number, the first in row 6; --map acc=param keeps them"


def test_a_column_of_texts_and_numbers_is_a_param_and_told(tmp_path: Path) -> None:
    records = many(table.read, written(tmp_path, "a.csv", "top_k,acc\n5,0.5\nall,0.6\n"))

    assert [record.params["top_k"] for record in records] == ["5", "all"]
    (note,) = records[0].adjustments
    assert note.reason == "1 of 2 cells hold no number, the first in row 2; so the column is a param"


def test_the_index_that_pandas_writes_is_left_out_unless_the_map_wants_it(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", ",acc\n0,0.5\n1,0.6\n")

    record = one(table.read, path)
    assert points(record) == [("acc", 0.5, 0), ("acc", 0.6, 1)]
    assert [note.field for note in record.adjustments] == ["column Unnamed: 0"]
    assert points(one(table.read, path, columns={"Unnamed: 0": "metric"}))[0] == ("Unnamed: 0", 0, 0)


def test_an_index_of_texts_names_the_runs(tmp_path: Path) -> None:
    first, _ = many(table.read, written(tmp_path, "a.csv", ",acc\nr1,0.5\nr2,0.6\n"))

    assert first.params == {"Unnamed: 0": "r1"}


def test_the_points_of_a_large_table_of_many_runs_are_all_there_and_the_file_is_read_no_more(
    tmp_path: Path,
) -> None:
    runs, steps, names = 100, 420, "abcdefgh"
    rows = (
        f"m{run},{step}" + f",{step / 7}" * len(names) + "\n" for step in range(steps) for run in range(runs)
    )
    path = written(tmp_path, "a.csv", f"model,step,{','.join(names)}\n" + "".join(rows))

    records = many(table.read, path)
    path.unlink()

    assert len(records) == runs
    assert runs * steps * len(names) * 26 > table_points.IN_MEMORY
    expected = [(name, step / 7, step) for step in range(steps) for name in names]
    for number in (0, 57, 99):
        assert points(records[number]) == expected
        assert points(records[number]) == expected  # again, from its beginning


def test_rows_that_share_their_texts_are_one_run(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "model,acc\na,1\nb,2\na,3\n")

    first, second = many(table.read, path)

    assert points(first) == [("acc", 1.0, 0), ("acc", 3.0, 1)]
    assert points(second) == [("acc", 2.0, 0)]


def test_the_key_is_that_of_the_bytes(tmp_path: Path) -> None:
    copy = written(tmp_path, "other name.csv", (TABLES / "history.csv").read_text())

    assert one(table.read, copy).key == one(table.read, TABLES / "history.csv").key


def test_secrets_in_a_table_are_masked(tmp_path: Path) -> None:
    secret = "q7" * 12
    path = written(tmp_path, "a.json", {"acc": 1, "api_key": secret})

    record = one(table.read, path)

    assert secret not in repr(record)
    assert record.params == {"api_key": "***"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "", "no column of numbers"),
        ("a.csv", "model\nx\n", "no column of numbers; say with --map"),
        ("a.csv", "a,a\n1,2\n", ':1: the column "a" stands twice'),
        ("a.csv", "a,b\n1\n", ":2: 1 cells stand below 2 columns"),
        ("a.csv", 'a\n"1\n', ":2: unexpected end of data"),
        ("a.csv", "step,a\n0.5,1\n", "row 1, column step is not a whole number"),
        ("a.csv", "step,a\ninf,1\n", "row 1, column step is not a whole number"),
        ("a.csv", "step,a\n9223372036854775808,1\n", "column step is beyond 64 bits, in which steps are"),
        ("a.csv", "step,a\n1,1\n,2\n", "row 2, column step is not a whole number"),
        ("a.csv", "timestamp,a\nsoon,1\n", "row 1, column timestamp is not a time"),
        ("a.csv", b"a\n\xff\n", ":2:1: the file is not UTF-8 text"),
        ("a.csv", "a\n" + "1" * (1 << 20) + "\n", ":2: the line is longer than 1 MiB"),
        ("a.csv", ",".join(f"c{n}" for n in range(10_001)), ":1: more than 10000 columns"),
        ("a.csv", "a\n" + '"\n",' * 2000, ":1001: one row spans more than 1000 lines"),
        ("a.csv", "a,b\n" + "".join(f"{n},{'x' * 100_000}{n}\n" for n in range(400)), "too much text"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', ":2: the file ends in the middle"),
        ("a.jsonl", '{"a": 1}\n\n[1]\n', ":3: a table's row is an object"),
        ("a.json", "[1]", ": row 1: a table's row is an object"),
        ("a.json", '{"a": {"b": 1}, "a/b": 2}', '"a/b" stands twice'),
        ("a.json", '{"a": 1' + "0" * 320 + "}", "row 1, column a is too large for a metric"),
        ("a.yaml", "a: [", "a.yaml:2:1:"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    assert said in reason(table.read, written(tmp_path, name, content))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"b": "param"}, "--map names a column that is not there: b"),
        ({"a": "colour"}, "--map makes a a colour; it can be metric, param"),
        ({"t": "metric"}, "row 1, column t is not a number"),
    ],
)
def test_a_map_that_does_not_fit_is_told(tmp_path: Path, columns: dict[str, str], said: str) -> None:
    path = written(tmp_path, "a.csv", "a,t\n1,x\n")

    assert said in reason(table.read, path, columns=columns)


def test_a_text_that_differs_in_every_row_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "id,a\n" + "".join(f"x{number},1\n" for number in range(1001)))

    assert "differ in more than 1000 rows" in reason(table.read, path)
    assert len(list(one(table.read, path, columns={"id": "skip"}).metrics)) == 1001


def test_too_many_columns_over_all_rows_are_told(tmp_path: Path) -> None:
    rows = [json.dumps({f"c{row}-{column}": 1 for column in range(6000)}) for row in range(2)]
    path = written(tmp_path, "a.jsonl", "\n".join(rows))

    assert "more than 10000 columns" in reason(table.read, path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "no such file" in reason(table.read, tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "a\n1\n", True),
        ("a.csv", "a\nx\n", False),
        ("a.csv", "", False),
        ("a.txt", "a\n1\n", False),
        ("a.json", "[", False),
        ("a.ndjson", '{"a": 1}', True),
        ("a.tsv", "a\tb\nx\t1\n", True),
    ],
)
def test_a_file_whose_first_row_has_a_number_may_be_a_table(
    tmp_path: Path, name: str, content: str, expected: bool
) -> None:
    assert table.recognises(written(tmp_path, name, content)) is expected
    assert not table.recognises(tmp_path)
