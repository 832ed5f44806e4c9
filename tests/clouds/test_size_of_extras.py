"""What the extras for clouds add to the base install stays small."""

from __future__ import annotations

import re
from importlib.metadata import distribution

LIMIT = 60e6
"""Bytes, without bytecode."""


def _needed(*names: str) -> set[str]:
    """Give distributions with all that they need, in the environment of this test."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            lines = [line for line in distribution(name).requires or () if "extra ==" not in line]
            wanted = [line for line in lines if "python_version" not in line and "platform" not in line]
            waiting += [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in wanted]
    return found


def _bytes_of(name: str) -> int:
    files = [distribution(name).locate_file(file) for file in distribution(name).files or ()]
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.exists())  # type: ignore[attr-defined]  # paths


def test_keys_and_stores_of_all_clouds_add_less_than_60_mb() -> None:
    added = _needed("botocore", "obstore") - _needed("mlflow-rest-export")

    sizes = {name: _bytes_of(name) for name in added}

    assert {"botocore", "obstore"} <= sizes.keys()
    assert min(sizes.values()) > 0
    assert sum(sizes.values()) < LIMIT, sizes
