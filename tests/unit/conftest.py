"""Property tests on any machine: a busy one is slow, and a gate must not depend on luck."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "project",
    deadline=None,  # timing is for benchmarks
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,  # new examples are looked for at desks, not at the gate
)
settings.load_profile("project")
