"""A database that has no time for the server: the export outlasts it, whatever the server calls it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from attempts import Attempt, record
from fault_proxy import FaultProxy
from faults import Seen
from mlflow_server import MlflowServer
from stored_runs import StoredRuns

OLDEST = "1.30.1"
"""The only one that calls it 400 BAD_REQUEST, after 5 s; the others say 503, after 20 s."""


def test_an_export_outlasts_a_database_that_is_locked(
    server: MlflowServer, experiment: str, tmp_path: Path, *, long_run: bool
) -> None:
    if server.version != OLDEST and not long_run:
        pytest.skip("these take 20 s to say so, in words that the faults have")
    refused: list[int] = []
    wanted = record(tmp_path)
    Attempt(uri=server.url, experiment=experiment).export(record(tmp_path, name="earlier"))

    with contextlib.closing(
        sqlite3.connect(server.folder / "m.db", isolation_level=None, check_same_thread=False)
    ) as database:
        database.execute("BEGIN IMMEDIATE")

        def let_go(seen: Seen) -> None:
            if seen.status in {400, 503} and not refused:
                refused.append(seen.status)
                database.execute("ROLLBACK")

        with FaultProxy(server.port, after=let_go) as proxy:
            attempt = Attempt(uri=proxy.url, experiment=experiment, answer_timeout=60, patience=60)
            (result,) = attempt.export(wanted)

    assert result.error is None
    assert refused == [400 if server.version == OLDEST else 503]
    assert StoredRuns(server, experiment).faults(wanted) == []
