"""What all other tests here rest on: servers of the versions they claim to be, no MLflow on our side."""

from __future__ import annotations

import importlib.util

import requests
from fault_proxy import FaultProxy
from mlflow_server import ADMIN, MlflowServer
from server_pool import Reader


def test_the_environment_of_the_tests_has_no_mlflow() -> None:
    assert importlib.util.find_spec("mlflow") is None


def test_the_server_is_the_version_that_was_asked_for(server: MlflowServer) -> None:
    answer = requests.get(f"{server.url}/version", timeout=10)

    assert answer.text == server.version if server.release >= (2,) else answer.status_code == 404


def test_an_unknown_experiment_is_told_from_one_that_is_there(
    server: MlflowServer, proxy: FaultProxy, experiment: str, sdk_reader: Reader
) -> None:
    assert sdk_reader(server, experiment) is None

    requests.post(
        f"{proxy.url}/api/2.0/mlflow/experiments/create", json={"name": experiment}, timeout=10
    ).raise_for_status()

    assert sdk_reader(server, experiment)["runs"] == []
    assert [seen.status for seen in proxy.writes] == [200]


def test_the_variants_answer_as_they_should(
    auth_server: MlflowServer, prefixed_server: MlflowServer, closed_server: MlflowServer
) -> None:
    listing = "/api/2.0/mlflow/experiments/search?max_results=1"
    artifact = "/api/2.0/mlflow-artifacts/artifacts/x"

    assert requests.get(auth_server.url + listing, timeout=10).status_code == 401
    assert requests.get(auth_server.url + listing, auth=ADMIN, timeout=10).status_code == 200
    assert requests.get(prefixed_server.url + listing, timeout=10).status_code == 200
    assert requests.put(closed_server.url + artifact, data=b"x", timeout=10).status_code == 503
