"""Config files and Python mappings: where in them our settings and the env blocks stand.

Three shapes: a whole run config, an ``export_config.yml``, or the settings alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_rest_export.config.problems import Problems, shown
from mlflow_rest_export.errors import SettingsError, SourceError
from mlflow_rest_export.yaml_files import load_yaml

DESTINATION = "mlflow"
RUN_CONFIG = frozenset({"defaults", "execution", "deployment", "target", "evaluation", "env_vars"})
"""Top-level keys of a run config; one that has no ``export`` has no settings either."""


@dataclass(frozen=True, slots=True)
class Document:
    """One config, taken apart.

    Args:
        place: what to write before a key in messages, such as ``run.yaml: export.mlflow.``.
        values: the settings as they stand there.
        blocks: env blocks with their places, weakest first.
    """

    place: str = ""
    values: Mapping[object, object] = field(default_factory=dict, repr=False)
    blocks: tuple[tuple[str, Mapping[object, object]], ...] = field(default=(), repr=False)


def check_destination(dest: str) -> None:
    """Accept ``mlflow`` alone.

    Raises:
        SettingsError: another destination is asked for.
    """
    if dest != DESTINATION:
        raise SettingsError(f"--dest {shown(dest)}: {other_destination(dest)}")


def other_destination(dest: str) -> str:
    """Say what to do about a destination that is not ours."""
    name = shown(dest)
    return (
        f"only {DESTINATION} is a destination here; for others use the official launcher: "
        f"nemo-evaluator-launcher export --dest {name}"
    )


def read_config_file(path: Path, problems: Problems) -> Document:
    """Read a config file in any of the three shapes."""
    try:
        root = load_yaml(path, keep_written=True)
    except SourceError as error:
        problems.add("--config", str(error))
        return Document()
    if root is None:
        problems.add(f"--config {path}", "the file is empty")
        return Document()
    return document(root, name=str(path), problems=problems)


def document(root: object, *, name: str, problems: Problems) -> Document:
    """Take a config apart.

    Args:
        root: what the file or the caller gave.
        name: what messages call it.
        problems: receives what is wrong.
    """
    if not isinstance(root, Mapping):
        problems.add(name, f"a mapping of settings is needed, this is a {_kind(root)}")
        return Document()
    export = root.get("export")
    if not export and RUN_CONFIG.isdisjoint(root) and "export" not in root:
        return Document(f"{name}: ", root)
    blocks = _blocks(root, name, problems)
    if not export and not RUN_CONFIG.isdisjoint(root):
        return Document(f"{name}: ", {}, blocks)
    if not isinstance(export, Mapping) or DESTINATION not in export:
        problems.add(name, _no_destination(export))
        return Document(f"{name}: ", {}, blocks)
    values = export[DESTINATION]
    if values is not None and not isinstance(values, Mapping):
        problems.add(
            f"{name}: export.{DESTINATION}", f"must be a mapping of settings, this is a {_kind(values)}"
        )
        values = None
    return Document(f"{name}: export.{DESTINATION}.", values or {}, blocks)


def _no_destination(export: object) -> str:
    said = f"there is no {DESTINATION} under export"
    if not isinstance(export, Mapping):
        return said
    others = [shown(key) for key in export if key != "env_vars"]
    return f"{said}, only {', '.join(others)}" if others else said


def _blocks(
    root: Mapping[object, object], name: str, problems: Problems
) -> tuple[tuple[str, Mapping[object, object]], ...]:
    found = []
    for path in (("env_vars",), ("execution", "env_vars", "export"), ("export", "env_vars")):
        block: object = root
        for key in path:
            block = block.get(key) if isinstance(block, Mapping) else None
        place = f"{name}: {'.'.join(path)}"
        if isinstance(block, Mapping):
            found.append((place, block))
        elif block is not None:
            problems.add(place, f"must be a mapping of variables, this is a {_kind(block)}")
    return tuple(found)


def _kind(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "list"
    return "text" if isinstance(value, str) else "single value"
