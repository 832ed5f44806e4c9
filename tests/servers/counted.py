"""What all sweeps share: how long they are, where they go, and the count of their cases.

A conftest.py takes part by importing these names.
"""

from __future__ import annotations

import re
import uuid

import pytest
from server_pool import Tally

_TALLY = pytest.StashKey[Tally]()


def tally_of(config: pytest.Config) -> Tally:
    """Give the one tally of a session."""
    return config.stash.setdefault(_TALLY, Tally())


@pytest.fixture
def tally(pytestconfig: pytest.Config) -> Tally:
    """Counts the cases of the sweeps for the last lines of the session."""
    return tally_of(pytestconfig)


@pytest.fixture
def long_run(pytestconfig: pytest.Config) -> bool:
    """Whether the whole sweep is asked for."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    """The name of an experiment nobody else uses."""
    return f"{re.sub(r'[^A-Za-z0-9_.-]+', ' ', request.node.name)[:180]} {uuid.uuid4().hex[:12]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := tally_of(config).lines:
        terminalreporter.section("cases counted")
        terminalreporter.write("\n".join(lines) + "\n")
