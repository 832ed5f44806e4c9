"""One part of a large backlog, the same part for everybody who computes it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.records import RunRecord, Unreadable

_SLURM = tuple(f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "MIN", "MAX", "STEP", "COUNT"))


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``number`` (from 1) of ``count``."""

    number: int
    count: int

    def of(
        self, results: Iterable[RunRecord | Unreadable], *, named: Collection[str]
    ) -> Iterator[RunRecord | Unreadable]:
        """Give the results of this part, and what was named but is not there: that every part has to tell.

        Args:
            results: all of them.
            named: ids and paths as the user gave them.
        """
        for result in results:
            if self.holds(result) or (isinstance(result, Unreadable) and result.label in named):
                yield result

    def holds(self, record: RunRecord | Unreadable) -> bool:
        """Say whether a result belongs to this part: each belongs to one, by its parent's key or its own.

        So what stands under one parent is exported together with it, and the parent by nobody else. Only what
        is nested deeper may be parted from its parent.
        """
        name = record.label if isinstance(record, Unreadable) else record.parent_key or record.key
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


def shard_of(text: str, environment: Mapping[str, str]) -> Shard:
    """Read ``I/N``, or ``slurm`` for what the array task of now is to do.

    Args:
        text: what ``--shard`` says. It is never implied: an ordinary export inside an array task would
            otherwise skip its own job.
        environment: variables, for ``slurm``.

    Raises:
        SettingsError: it is neither, or there is no array task.
    """
    if text == "slurm":
        return _of_slurm(environment)
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise SettingsError(f"--shard {text}: give I/N with I from 1 to N, or slurm inside an array task")
    return Shard(int(match[1]), int(match[2]))


def _of_slurm(environment: Mapping[str, str]) -> Shard:
    missing = [name for name in _SLURM if not environment.get(name, "").isdigit()]
    if missing:
        raise SettingsError(f"--shard slurm: this is no task of a Slurm array ({missing[0]} is not set)")
    task, first, last, step, count = (int(environment[name]) for name in _SLURM)
    step = max(step, 1)
    if (last - first) // step + 1 != count:  # told to every task alike, or a part would be left undone
        raise SettingsError(
            f"--shard slurm: the {count} tasks from {first} to {last} are an array with gaps, whose "
            "tasks cannot tell which part is theirs: give --shard I/N, with the N of the whole array"
        )
    if not first <= task <= last or (task - first) % step:
        raise SettingsError(f"--shard slurm: task {task} is outside of its array of {count} from {first}")
    return Shard((task - first) // step + 1, count)
