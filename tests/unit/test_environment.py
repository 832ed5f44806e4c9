from __future__ import annotations

import importlib.util


def test_the_projects_own_environment_has_no_mlflow() -> None:
    assert importlib.util.find_spec("mlflow") is None
