"""A folder in MLflow's file-store layout as the tracking URI. Finds the folder; never looks into a file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from mlflow_rest_export import mlruns_layout as layout
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.redaction import without_secrets

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HERE = frozenset({"", "localhost"})


def recognises(uri: str) -> bool:
    """Say whether the tracking URI is a path or a ``file:`` URI."""
    return uri.lower().startswith("file:") or _SCHEME.match(uri) is None


def path_of(uri: str) -> Path:
    """Give the absolute path that a path or a ``file:`` URI names; symbolic links stay.

    Raises:
        SettingsError: it names another machine, or nothing.
    """
    if not uri.lower().startswith("file:"):
        return _absolute(uri, uri)
    parts = urlsplit(uri)
    if parts.netloc.lower() not in _HERE:
        host = parts.netloc.rpartition("@")[2]  # what is before may be a password
        raise SettingsError(
            f"{without_secrets(uri)} names the machine {host!r}: a folder of this one is written "
            f"file:/path/to/mlruns or ./mlruns (perhaps ./{host}{parts.path})"
        )
    if parts.query or parts.fragment:
        raise SettingsError(f"{without_secrets(uri)}: in a file: URI write %3F for ? and %23 for #")
    return _absolute(os.fsdecode(unquote_to_bytes(parts.path)), uri)


def check_root(root: Path) -> None:
    """Make sure that runs written to a folder can be found by MLflow.

    Raises:
        SettingsError: they could not; the sentence says where they could.
    """
    if layout.ARTIFACTS in root.parts:
        raise SettingsError(
            f"MLflow finds no runs below a folder named {layout.ARTIFACTS!r}, and {root} is below one: "
            "choose a folder outside of it"
        )
    # What may not be looked at counts as missing here, and then the folder above it cannot be written.
    existing = next(path for path in (root, *root.parents) if os.path.exists(path))  # noqa: PTH110
    if not existing.is_dir():
        raise SettingsError(f"{existing} is a file: choose a folder for the runs, such as ./mlruns")
    effective = os.access in os.supports_effective_ids
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=effective):
        raise SettingsError(f"no permission to write to {existing}: choose another folder for the runs")
    if existing == root:
        _check_neighbours(root)


def _check_neighbours(root: Path) -> None:
    """Look for a folder that MLflow would take for an experiment, with an id that stops every listing."""
    try:
        with os.scandir(root) as entries:
            folders = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        raise SettingsError(f"cannot list {root}: {(error.strerror or '').lower()}") from None
    for name in folders:
        if name != layout.TRASH and not layout.is_experiment_id(name):
            raise SettingsError(
                f"MLflow takes every folder in {root} for an experiment and stops at {name!r}: choose a "
                f"folder of its own for the runs, such as {root / 'mlruns'}"
            )


def _absolute(path: str, uri: str) -> Path:
    if not path or "\0" in path:
        raise SettingsError(f"{uri!r} names no folder: give one such as ./mlruns")
    # MLflow does not look behind symbolic links, and it is in this form that it looks for ``artifacts``.
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow the links
