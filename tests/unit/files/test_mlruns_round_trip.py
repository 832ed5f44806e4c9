"""What our writer writes, our reader reads, whatever the names and values are."""

from __future__ import annotations

import posixpath
import string
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlruns_stores import all_files, records, store

from mlflow_rest_export import marks
from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.planning.names import clean_key
from mlflow_rest_export.records import Dataset, Metric, RunStatus
from mlflow_rest_export.tracking.files import LIMITS
from mlflow_rest_export.tracking.points import fingerprint
from mlflow_rest_export.tracking.protocol import NewRun

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NAMES = (
    st.text(st.sampled_from(string.ascii_lowercase + " ._-/é"), min_size=1, max_size=40)
    .map(lambda text: clean_key(text, LIMITS, verbatim=False))
    .filter(lambda key: posixpath.normpath(key) == key)
)
MILLIS = st.integers(0, 2**53)


def apart(names: Iterable[str]) -> list[str]:
    """Keep the names that are not folders of others."""
    names = sorted(set(names))
    return [name for name in names if not any(other.startswith(f"{name}/") for other in names)]


def keyed(values: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(NAMES, values, max_size=4).map(lambda d: {key: d[key] for key in apart(d)})


POINTS = st.lists(
    st.builds(
        Metric,
        key=NAMES,
        value=st.floats(),
        timestamp=st.integers(0, 2**63 - 1),
        step=st.integers(-(2**63), 2**63 - 1),
    ),
    max_size=10,
).map(lambda points: [p for p in points if p.key in apart(point.key for point in points)])
DATASETS = st.lists(
    st.builds(Dataset, name=TEXT, digest=TEXT, source_type=TEXT, source=TEXT, profile=TEXT, context=TEXT),
    max_size=2,
    unique_by=lambda data: data.name + data.digest,
)


def seen(points: Iterable[Metric]) -> set[tuple[str, int]]:
    return {(point.key, fingerprint(point)) for point in points}


@settings(max_examples=100, deadline=None)
@given(
    key=TEXT.filter(bool),
    name=TEXT.filter(lambda text: len(text) > 0),
    experiment=TEXT.filter(bool),
    times=st.tuples(MILLIS, MILLIS),
    status=st.sampled_from([RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED]),
    params=keyed(TEXT),
    tags=keyed(TEXT),
    points=POINTS,
    datasets=DATASETS,
    files=st.dictionaries(NAMES, st.binary(max_size=20), max_size=3),
)
def test_a_run_comes_back_as_it_was_written(
    *,
    tmp_path_factory: pytest.TempPathFactory,
    key: str,
    name: str,
    experiment: str,
    times: tuple[int, int],
    status: RunStatus,
    params: dict[str, str],
    tags: dict[str, str],
    points: list[Metric],
    datasets: list[Dataset],
    files: dict[str, bytes],
) -> None:
    tracking = store(tmp_path_factory.mktemp("t") / "mlruns")
    ours = {marks.KEY: key, marks.DIGEST: "d", marks.COMPLETE: "d", marks.OWNER: "o"}
    files = {path: files[path] for path in apart(files)}

    for _ in range(2):  # exporting twice changes nothing
        made = tracking.create_experiment(experiment)
        run = tracking.create_run(
            NewRun(
                experiment_id=made.experiment_id, run_name=name, start_time=times[0], tags={**tags, **ours}
            )
        )
        tracking.log_values(run.run_id, metrics=points, params=params)
        tracking.log_inputs(run.run_id, datasets)
        for path, data in files.items():
            FileArtifacts().upload(run, path, BytesContent(data))
        tracking.update_run(run.run_id, status=status, end_time=times[1], run_name=name)

    (record,) = records(tracking.root)
    assert (record.key, record.digest, record.experiment) == (key, "d", experiment)
    assert (record.run_name, record.status) == (name, status)
    assert (record.start_time, record.end_time) == times
    assert (record.params, record.tags) == (params, tags)
    assert seen(record.metrics) == seen(points)
    assert sum(1 for _ in record.metrics) == len(seen(points))
    assert sorted(record.datasets, key=repr) == sorted(datasets, key=repr)
    assert {file.path for file in record.artifacts} == set(files)
    stored = all_files(tracking.root / run.experiment_id / run.run_id / "artifacts")
    assert stored == files
    assert record.adjustments == ()
