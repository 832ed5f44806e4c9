"""Options, and property tests on any machine: a busy one is slow, and a gate must not depend on luck."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "project",
    deadline=None,  # timing is for benchmarks
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,  # new examples are looked for at desks, not at the gate
)
settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the option that the other suites know, too."""
    parser.addoption("--long", action="store_true", help="full size instead of a representative part")
