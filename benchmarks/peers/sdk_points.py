"""MLflow's own way for many points: ``log_batch`` of 1,000 each. Usage: sdk_points.py URL EXPERIMENT FOLDER.

FOLDER is the ``metrics`` folder of a run in a file store.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric

url, experiment, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])


def points() -> Iterator[Metric]:
    """Read the points."""
    for path in sorted(folder.iterdir()):
        with path.open() as lines:
            for line in lines:
                time, value, step = line.split()
                yield Metric(path.name, float(value), int(time), int(step))


client = MlflowClient(url)
run = client.create_run(client.create_experiment(experiment))
source = points()
while batch := list(itertools.islice(source, 1000)):
    client.log_batch(run.info.run_id, metrics=batch)
client.set_terminated(run.info.run_id)
