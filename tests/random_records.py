"""Random records at and around every limit, and what must be true of the run that one of them becomes."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from mlflow_rest_export import marks
from mlflow_rest_export.planning import fitting
from mlflow_rest_export.records import Adjustment, Artifact, Lookup, Metric, RunRecord

START = 1_795_374_396_315
LIMITS = (250, 256, 500, 5000, 6000, 8000)
"""Lengths at which some server or store draws a line."""
LENGTHS = st.sampled_from([1, *(limit + more for limit in LIMITS for more in (-1, 0, 1))])
KEY_LENGTHS = st.sampled_from([1, 249, 250, 251])
CHARACTERS = st.characters(codec="utf-8") | st.sampled_from("\0\n\r\t\ud800 :/#%'\"\\\u2028\U0001f642")
ODD_KEYS = [
    "../x",
    "",
    ".",
    "..",
    "/abs",
    "a//b",
    "a/",
    "a",
    "a/b",
    "pass@1",
    "a:b",
    "x y",
    "m|n",
    "é/日本",
    "\n",
]
ODD_PATHS = [
    "../up",
    "/abs",
    "",
    ".",
    "a//b",
    "a/./b",
    "a\\b",
    "a",
    "a/b",
    "h#h",
    "p%41",
    "q?m",
    "t\tt",
    "ü/🙂",
    "n\nl",
]
KEYS = (
    st.sampled_from(ODD_KEYS)
    | st.text(CHARACTERS, max_size=12)
    | st.builds(lambda part, length: (part * length)[:length], st.text("abü_", min_size=1), KEY_LENGTHS)
)
VALUES = st.text(CHARACTERS, max_size=20) | st.builds(
    lambda part, length: (part * length)[:length], st.text("abü 🙂", min_size=1, max_size=3), LENGTHS
)
PATHS = (
    st.sampled_from(ODD_PATHS)
    | st.text(CHARACTERS, max_size=12)
    | st.builds(
        lambda char, length: f"d/{char * length}",
        st.sampled_from("xü"),
        st.sampled_from([127, 128, 255, 256]),
    )
)
NUMBERS = st.floats() | st.sampled_from([0.1, 5e-324, 1.7976931348623157e308, 2.0**53 + 2])
CUT = fitting.CUT


@st.composite
def records(draw: st.DrawFn) -> RunRecord:
    """Draw a record that nobody has seen before."""
    name = uuid.uuid4().hex
    values = draw(st.dictionaries(KEYS, NUMBERS, max_size=6))
    points = [Metric(key, value, START) for key, value in values.items()]
    if draw(st.booleans()):
        points += [Metric("curve", float(step), START + step, step) for step in range(3)]
    files = draw(st.dictionaries(PATHS, st.binary(max_size=40), max_size=4))
    return RunRecord(
        key=name,
        label=name,
        lookup=Lookup("invocation_id", name),
        run_name=draw(VALUES),
        start_time=START,
        end_time=START + 1,
        metrics=points,
        params=draw(st.dictionaries(KEYS, VALUES, max_size=4)),
        tags={**draw(st.dictionaries(KEYS, VALUES, max_size=4)), "invocation_id": name},
        artifacts=tuple(Artifact(path, content) for path, content in files.items()),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What a store holds of a run, however it was read."""

    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: Mapping[str, list[Metric]]
    files: Mapping[str, bytes]


def violations(record: RunRecord, adjustments: tuple[Adjustment, ...], found: Found) -> list[str]:
    """Say where a run differs from its record without an adjustment that says so."""
    told = {change.field for change in adjustments}
    after = {change.after for change in adjustments}
    whole = json.loads(found.files.get(marks.FULL_VALUES, b"{}"))
    wrong = _texts("param", record.params, found.params, told, after, whole.get("params", {}))
    wrong += _texts("tag", record.tags, found.tags, told, after, whole.get("tags", {}))
    return wrong + _metrics(record, found, told, after) + _files(record, found, told, after)


def _ours(key: str) -> bool:
    return key.startswith(("mlflow_rest_export", "mlflow."))


def _texts(
    what: str,
    wanted: Mapping[str, str],
    stored: Mapping[str, str],
    told: set[str],
    after: set[str],
    whole: Mapping[str, str],
) -> list[str]:
    there = {key: value for key, value in stored.items() if not _ours(key)}
    wrong = [
        f"{what} {key!r} is {there.get(key)!r:.80}"
        for key, value in wanted.items()
        if f"{what} {key}" not in told and there.get(key) != value
    ]
    wrong += [f"{what} {key!r} came from nowhere" for key in there.keys() - wanted.keys() - after]
    wrong += [
        f"{what} {key!r} was cut and is nowhere whole"
        for key, value in there.items()
        if value.endswith(CUT) and not whole.get(key, "").startswith(value.removesuffix(CUT))
    ]
    lost = len(wanted) - len(there)
    return [*wrong, f"{lost} {what}s are lost"] if lost > 0 else wrong


def _metrics(record: RunRecord, found: Found, told: set[str], after: set[str]) -> list[str]:
    wanted: dict[str, list[Metric]] = {}
    for point in record.metrics:
        wanted.setdefault(point.key, []).append(point)
    wrong = [
        f"metric {key!r} is {found.points.get(key)}"
        for key, points in wanted.items()
        if f"metric {key}" not in told and sorted(found.points.get(key, []), key=_step) != points
    ]
    wrong += [f"metric {key!r} came from nowhere" for key in found.points.keys() - wanted.keys() - after]
    finite = sum(math.isfinite(points[0].value) for points in wanted.values())
    if len(found.points) != finite:
        wrong.append(f"{len(found.points)} metrics instead of {finite}")
    return wrong


def _files(record: RunRecord, found: Found, told: set[str], after: set[str]) -> list[str]:
    wanted = {one.path: one.content for one in record.artifacts}
    there = {path: content for path, content in found.files.items() if not _ours(path)}
    wrong = [
        f"file {path!r} is {there.get(path)!r}"
        for path, content in wanted.items()
        if f"artifact {path}" not in told and there.get(path) != content
    ]
    wrong += [f"file {path!r} came from nowhere" for path in there.keys() - wanted.keys() - after]
    if sorted(there.values()) != sorted(bytes(content) for content in wanted.values()):
        wrong.append("the contents of the files are not those of the record")
    return wrong


def _step(point: Metric) -> int:
    return point.step
