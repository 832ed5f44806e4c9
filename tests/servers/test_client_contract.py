"""The client's contract on running servers: the same cases that are replayed from recordings."""

from __future__ import annotations

import pytest
from client_contract import CASES, client_of
from mlflow_server import MlflowServer


@pytest.mark.parametrize("case", CASES)
def test_the_client_keeps_its_contract(server: MlflowServer, experiment: str, case: str) -> None:
    CASES[case](client_of(server.url), experiment)
