"""Stand-ins for hosts that nobody can start, proven with the official client of each.

``--databricks-env`` names a Python with mlflow-skinny and databricks-sdk; without it nothing is proven.
"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("stand-ins")
    group.addoption("--databricks-env", default="", metavar="PYTHON")
    group.addoption("--long", action="store_true", help="the whole sweep instead of a representative part")


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
