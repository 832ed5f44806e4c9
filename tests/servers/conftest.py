"""Real MLflow servers for the tests: one a session and kind, an experiment of its own for each test.

The interpreters that have MLflow are given by nox: ``--mlflow-env 3.17.2=/path/to/python``. A kind is a
version (sqlite, artifacts served) or a version with ``-files`` (file store); ``--servers`` chooses.
"""

from __future__ import annotations

import functools
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from counted import experiment, long_run, pytest_terminal_summary, tally
from fault_proxy import FaultProxy
from mlflow_server import MlflowServer, Variant
from server_pool import Pool, Reader, newest, read_back

MARKS = {
    "faults": "breaks requests one by one",
    "kill": "kills the exporter",
    "race": "several exporters at the same time",
    "minutes": "waits for a default that is long",
}


__all__ = ["experiment", "long_run", "pytest_terminal_summary", "tally"]  # fixtures and a hook


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mlflow servers")
    group.addoption("--mlflow-env", action="append", default=[], metavar="VERSION=PYTHON")
    group.addoption(
        "--servers", default="", metavar="KIND,...", help="default: every --mlflow-env, on sqlite"
    )
    group.addoption("--long", action="store_true", help="the whole sweep instead of a representative part")


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # no server outlives a session that is ended
    for name, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def environments(config: pytest.Config) -> dict[str, Path]:
    """Give the Python of each MLflow version that this run may use, oldest version first."""
    pairs = dict(text.split("=", 1) for text in config.getoption("--mlflow-env"))
    ordered = sorted(pairs, key=lambda version: [int(part) for part in version.split(".")])
    return {version: Path(pairs[version]).absolute() for version in ordered}


def kinds(config: pytest.Config) -> list[str]:
    """Give the kinds of server to test against; those whose version is not installed are left out."""
    installed = environments(config)
    wanted = config.getoption("--servers").split(",") if config.getoption("--servers") else list(installed)
    return [kind for kind in wanted if kind.removesuffix("-files") in installed]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", kinds(metafunc.config), indirect=True, scope="session")


@pytest.fixture(scope="session")
def pool(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    pool = Pool(environments(pytestconfig), tmp_path_factory.mktemp("servers"))
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, pool: Pool) -> MlflowServer:
    """A server of each chosen kind in turn."""
    kind: str = request.param
    return pool.get(kind.removesuffix("-files"), Variant(files=kind.endswith("-files")))


@pytest.fixture(scope="session")
def auth_server(pool: Pool) -> MlflowServer:
    """A server that wants the name and password ``ADMIN``."""
    return pool.get(newest(pool), Variant(auth=True))


@pytest.fixture(scope="session")
def prefixed_server(pool: Pool) -> MlflowServer:
    """A server behind a path prefix, which moves its API, too, since 3.x (2.22 moves its pages alone)."""
    return pool.get(newest(pool), Variant(static_prefix="/some/prefix"))


@pytest.fixture(scope="session")
def closed_server(pool: Pool) -> MlflowServer:
    """A server that keeps artifacts in a folder and does not serve them."""
    return pool.get(newest(pool), Variant(serve_artifacts=False))


@pytest.fixture
def proxy(server: MlflowServer) -> Iterator[FaultProxy]:
    """A proxy before ``server`` that counts what passes and can break it."""
    with FaultProxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def sdk_reader(tmp_path: Path) -> Reader:
    """Give ``read(server, experiment, hashes=True)``: what the official SDK of that server finds there."""
    return functools.partial(read_back, home=tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the servers' logs with a test that failed."""
    report = yield
    used = getattr(item, "funcargs", {}).values()
    if report.failed:
        for server in (value for value in used if isinstance(value, MlflowServer)):
            report.sections.append((f"log of MLflow {server.kind} at {server.url}", server.log_tail()))
    return report
