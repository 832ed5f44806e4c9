"""A large file costs no more memory than a small one, whatever way it goes: measured in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from databricks_standin.contents import files_of
from databricks_standin.stores import PLACES
from databricks_standin.tokens import PAT
from databricks_standin.workspace import Workspace

MIB = 1 << 20
LARGE = 80 * MIB
"""More than a blob that goes in one piece."""
MOST = 8 * MIB
"""Bytes that may be held while it goes and comes back."""
MEASURE = """
import json, os, sys, tracemalloc
from pathlib import Path
from mlflow_rest_export.artifacts.databricks_parts import PartsUpload
from mlflow_rest_export.artifacts.routes_of import artifacts_of
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.content import FileContent
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.targets.choice import choose
from mlflow_rest_export.tracking.protocol import NewRun
from mlflow_rest_export.tracking.rest import RestTracking

way, file = sys.argv[1], Path(sys.argv[2])
conduct = Conduct.ordinary(timeout=60)
target = choose("databricks", Connection(environment=dict(os.environ)))
tracking = RestTracking(target, target.transport(conduct))
artifacts = artifacts_of(tracking)
experiment = tracking.create_experiment("/Shared/x").experiment_id
new = NewRun(experiment_id=experiment, run_name="r", start_time=1, tags={"mlflow_rest_export.owner": "me"})
run = tracking.create_run(new)

def there_and_back(content):
    if way == "parts":
        PartsUpload(tracking, Transport(conduct=conduct), run, "f", content).run()
    else:
        artifacts.upload(run, "f", content)
    return sum(len(piece) for piece in artifacts.read(run, "f"))

there_and_back(FileContent(file, 1000))
tracemalloc.start()
size = there_and_back(FileContent(file, file.stat().st_size))
print(json.dumps([size, tracemalloc.get_traced_memory()[1]]))
"""


@pytest.mark.parametrize("way", [*PLACES, "parts"])
def test_memory_does_not_grow_with_a_file(way: str, tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as stream:
        stream.truncate(LARGE)
    with Workspace(way if way in PLACES else PLACES[0]) as workspace:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, way, str(file)],
            env={"PATH": os.environ["PATH"], "DATABRICKS_HOST": workspace.url, "DATABRICKS_TOKEN": PAT},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        size, peak = json.loads(done.stdout)
        (run,) = workspace.runs.runs.values()
        assert (size, len(files_of(workspace, run)["f"])) == (LARGE, LARGE)

    assert peak < MOST, f"{peak / MIB:.1f} MiB"
