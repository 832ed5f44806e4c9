"""What the server holds after a run: exit codes tell too little, the launcher ends with 0 after failures."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from servers import MlflowServer

_COUNTS = """
WITH active AS (
    SELECT run_uuid, status FROM runs WHERE experiment_id = :experiment AND lifecycle_stage = 'active'
)
SELECT
    (SELECT count(*) FROM active WHERE status = 'FINISHED'),
    (SELECT count(*) FROM metrics WHERE run_uuid IN (SELECT run_uuid FROM active))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What an experiment has, or has to have at least.

    Args:
        runs: that are FINISHED.
        points: of metrics.
        files: artifacts of all its runs.
        size: of these, in bytes.
    """

    runs: int = 0
    points: int = 0
    files: int = 0
    size: int = 0


def require(server: MlflowServer, experiment: str, least: Holding, *, side: str) -> None:
    """Make sure that a side did its work.

    Raises:
        SystemExit: something is not on the server.
    """
    found = holding(server, experiment)
    for name in Holding.__slots__:
        if getattr(found, name) < getattr(least, name):
            raise SystemExit(f"{side} left {found} in {experiment}, where {least} should be")


def holding(server: MlflowServer, experiment: str) -> Holding:
    """Look into the server's own database and folder."""
    with closing(sqlite3.connect(f"file:{server.folder}/m.db?mode=ro", uri=True)) as base:
        row = base.execute("SELECT experiment_id FROM experiments WHERE name = ?", (experiment,)).fetchone()
        number = row[0] if row else -1
        counts = base.execute(_COUNTS, {"experiment": number}).fetchone()
    # What has no run, such as the file that curl sends, lies in a folder that is called as the experiment.
    files = [
        file for name in (str(number), experiment) for file in _files(server.folder / "artifacts" / name)
    ]
    size = sum(file.stat().st_size for file in files)
    return Holding(runs=counts[0], points=counts[1], files=len(files), size=size)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
