"""What a user may ask of the reading of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """The settings that shape what a source reads; the names are those of ``export.mlflow``."""

    job_dirs: tuple[Path, ...] = ()
    copy_artifacts: bool = True
    copy_logs: bool = False
    only_required: bool = True
    exclude_patterns: tuple[str, ...] = ()
    log_config_params: bool = False
    log_config_params_max_depth: int = 10
    per_task: bool = False
    """One child run a task below one parent run a file."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """For tables: column name -> ``metric``, ``param``, ``tag``, ``step``, ``timestamp`` or ``skip``."""
    include_deleted: bool = False
    """For ``mlruns``: deleted runs and experiments too."""
    leave: tuple[Path, ...] = ()
    """Folders, with every link resolved, in which no results are looked for: they are exported to."""
    complete: Callable[[Mapping[str, object], str], ReadOptions] | None = None
    """Completes the options with what a result has stored of its own ``export.mlflow``."""

    def of(self, stored: Mapping[str, object], *, origin: str) -> ReadOptions:
        """Give the options for a result that stored settings of its own.

        Args:
            stored: its ``export.mlflow``.
            origin: what messages call the result.

        Raises:
            SettingsError: a stored value makes no sense.
        """
        return self.complete(stored, origin) if self.complete is not None and stored else self
