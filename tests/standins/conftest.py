"""Stand-ins for hosts that nobody can start, proven with the official client of each.

``--databricks-env`` names a Python with mlflow-skinny and databricks-sdk; without it nothing is proven.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from databricks_standin.logins import LOGINS
from databricks_standin.stores import STORES

EVERYTHING = "test_a_fault_anywhere_leaves_exactly_one_whole_run"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("stand-ins")
    group.addoption("--databricks-env", default="", metavar="PYTHON")
    group.addoption("--long", action="store_true", help="the whole sweep instead of a representative part")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Break exports of every login to every store; without --long each of them once."""
    if {"way", "store"} <= set(metafunc.fixturenames) and metafunc.function.__name__ == EVERYTHING:
        everything = list(itertools.product(LOGINS, STORES))
        once = list(zip(LOGINS, itertools.cycle(STORES), strict=False))
        metafunc.parametrize(("way", "store"), everything if metafunc.config.getoption("--long") else once)


@pytest.fixture
def long_run(pytestconfig: pytest.Config) -> bool:
    """Whether the whole sweep is asked for."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture
def sdk(pytestconfig: pytest.Config) -> Path:
    """A Python that has the official client of Databricks."""
    value: str = pytestconfig.getoption("--databricks-env")
    if not value:
        pytest.skip("--databricks-env was not given")
    return Path(value)
