"""Tests as a user whom the modes of folders bind, which the administrator is not."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534


@contextlib.contextmanager
def bound_by_modes(folder: Path) -> Iterator[None]:
    """Be somebody else for a while if we are the administrator, who may go as far as ``folder``."""
    above = [(path, path.stat().st_mode) for path in folder.parents if _of_tests(path)]
    for path, before in above:
        path.chmod(before | 0o755)
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)
        for path, before in above:
            path.chmod(before)


def _of_tests(path: Path) -> bool:
    """Whether a folder is one that pytest made, however deep: each of its processes has one of its own."""
    return Path(tempfile.gettempdir()).resolve() in path.parents
