"""Stand-ins for hosts that nobody can start, proven with the official client of each.

``--databricks-env`` names a Python with mlflow-skinny and databricks-sdk; without it nothing is proven.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from counted import long_run, pytest_terminal_summary, tally
from databricks_standin.logins import LOGINS
from databricks_standin.stores import PLACES

EVERYTHING = "test_a_fault_anywhere_leaves_exactly_one_whole_run"


__all__ = ["long_run", "pytest_terminal_summary", "tally"]  # fixtures and a hook


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("stand-ins")
    group.addoption("--databricks-env", default="", metavar="PYTHON")
    group.addoption("--long", action="store_true", help="the whole sweep instead of a representative part")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Sweep with every login, each with another place for files; with --long requests break for each pair."""
    if {"way", "place", "tally"} <= set(metafunc.fixturenames):
        everything = metafunc.config.getoption("--long") and metafunc.function.__name__ == EVERYTHING
        pairs = itertools.product(LOGINS, PLACES) if everything else zip(LOGINS, itertools.cycle(PLACES))
        metafunc.parametrize(("way", "place"), list(pairs))


@pytest.fixture
def sdk(pytestconfig: pytest.Config) -> Path:
    """A Python that has the official client of Databricks."""
    value: str = pytestconfig.getoption("--databricks-env")
    if not value:
        pytest.skip("--databricks-env was not given")
    return Path(value)
