"""The environment as it was when settings were read, and what env blocks of a config add to it.

``read_environment`` is the only place that looks at the process; nothing here ever changes it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_rest_export.config.problems import Problems, shown
from mlflow_rest_export.yaml_values import written

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CAPITALS = re.compile(r"[A-Z_][A-Z0-9_]*")
_DOLLAR = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables and the home folder.

    Args:
        variables: name -> value; an empty value counts as unset where MLflow's own variables are read.
        home: None when nobody knows it.
        absent: name -> why it has no value although a config speaks of it.
    """

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    home: Path | None = None
    absent: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """Give a variable's value; None when it is unset or empty."""
        return self.variables.get(name) or None

    def not_set(self, name: str) -> str:
        """Say that a variable is not set, and why when that is known."""
        said = f"the environment variable {name} is not set"
        return f"{said} ({self.absent[name]})" if name in self.absent else said

    def with_home(self, path: str) -> str:
        """Put the home folder in the place of a leading ``~``."""
        if self.home is not None and (path == "~" or path.startswith("~/")):
            return str(self.home) + path[1:]
        return path

    def with_block(self, block: Mapping[object, object], *, place: str, problems: Problems) -> Environment:
        """Add what an env block of a config says; it is stronger than the process, as it is in the launcher.

        Values are ``host:VAR`` or ``runtime:VAR`` (another variable's value), ``lit:text``, or the older
        plain forms: the name of a variable, or text in which ``$VAR`` stands for a value (empty when unset,
        as in a shell).
        """
        variables, absent = dict(self.variables), dict(self.absent)
        for name, value in block.items():
            if value is None:
                continue
            if not isinstance(value, (str, bool, int, float)):
                problems.add(f"{place}.{shown(name)}", "must be text such as host:VAR or lit:value")
                continue
            source, text = self._meaning(value if isinstance(value, str) else written(value))
            if text is not None:
                variables[str(name)] = text
            elif not self.get(str(name)):
                # A cluster's export job gets the target variable itself, long after host:VAR was read.
                absent[str(name)] = f"{place} takes it from {source}, which is not set"
        return Environment(variables, self.home, absent)

    def _meaning(self, text: str) -> tuple[str, str | None]:
        """Give the variable that a value of an env block names ("" for none), and what it stands for."""
        prefix, colon, rest = text.partition(":")
        if colon and prefix in {"host", "runtime"}:
            return shown(rest), self.variables.get(rest)
        if colon and prefix == "lit":
            return "", rest
        if _CAPITALS.fullmatch(text) or (_NAME.fullmatch(text) and text in self.variables):
            return text, self.variables.get(text)
        return "", _DOLLAR.sub(lambda found: self.variables.get(found[1] or found[2], ""), text)


def read_environment() -> Environment:
    """Take a copy of the process's environment and find the home folder."""
    try:
        home = Path.home()
    except RuntimeError:
        home = None
    return Environment(dict(os.environ), home)
