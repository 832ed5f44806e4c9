"""The launcher's execution database: one JSON line a job, the last one of a job counts.

Only places are kept in memory; a row is read when it is needed, for each carries a whole run config.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mlflow_rest_export.errors import SourceError, why
from mlflow_rest_export.sources.json_files import parse_json

_LINE = 16 << 20
"""Longest line read, in bytes; genuine ones have a few thousand."""
_NAMED = 5
"""Invocations that a message about an ambiguous id names."""

_log = logging.getLogger(__package__)


class _Ids(BaseModel):
    """The part of a row that is always needed."""

    model_config = ConfigDict(extra="ignore")

    invocation_id: str = Field(min_length=1)
    job_id: str = Field(min_length=1)
    executor: str = Field(min_length=1)


class JobData(BaseModel):
    """What the executor noted; which of these depends on the executor."""

    model_config = ConfigDict(extra="ignore")

    output_dir: str | None = None
    remote_rundir_path: str | None = None
    hostname: str | None = None
    username: str | None = None
    killed: Any = None
    status: Any = None


def _number(value: object) -> object:
    """Give a number, or nothing: a time that nobody can read costs no job."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class Row(_Ids):
    """One job as the launcher noted it."""

    timestamp: Annotated[int | float | None, BeforeValidator(_number)] = None
    """Seconds since 1970."""
    data: JobData | None = None
    config: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    invocation_id: str
    line: int
    offset: int


@dataclass(frozen=True, slots=True)
class ExecDb:
    """The rows of one database file, found by id."""

    path: Path
    places: dict[str, _Place] = field(default_factory=dict)
    problem: str = ""
    """Why nothing could be read, the end of a sentence."""

    def find(self, text: str) -> tuple[str, ...]:
        """Give the ids of the jobs that an id means, in index order; none when it is not in here.

        Args:
            text: an invocation id or a job id; the invocation's part may be any prefix, in any case.

        Raises:
            SourceError: the prefix fits several invocations.
        """
        head, dot, index = text.lower().partition(".")
        invocation = self._invocation(head)
        jobs = [job for job, place in self.places.items() if place.invocation_id == invocation]
        if dot:
            jobs = [job for job in jobs if job.lower() == f"{invocation}.{index}".lower()]
        elif not jobs:
            # Old launchers gave ids without a dot to jobs, too.
            jobs = [job for job in self.places if job.lower() == head]
        return tuple(sorted(jobs, key=index_order))

    def row(self, job_id: str) -> Row:
        """Read the row of a job that ``find`` gave.

        Raises:
            SourceError: the row is not as the launcher writes it, or the file changed meanwhile.
        """
        place = self.places[job_id]
        try:
            with self.path.open("rb") as file:
                file.seek(place.offset)
                row = Row.model_validate(parse_json(file.readline(_LINE), f"{self.path}:{place.line}"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise SourceError(
                f"cannot read {self.path}:{place.line}: {where}: {first['msg'].lower()}"
            ) from None
        except OSError as error:
            raise SourceError(f"cannot read {self.path}: {why(error)}") from None
        if row.job_id != job_id:
            raise SourceError(
                f"cannot read {self.path}:{place.line}: the file changed while it was being read"
            )
        return row

    def _invocation(self, prefix: str) -> str | None:
        known = {place.invocation_id for place in self.places.values()}
        fits = sorted(one for one in known if prefix and one.lower().startswith(prefix))
        exact = [one for one in fits if one.lower() == prefix]
        if len(fits) > 1 and len(exact) != 1:
            raise ambiguous(prefix, fits)
        found = exact or fits
        return found[0] if found else None


def ambiguous(prefix: str, fits: list[str]) -> SourceError:
    """Give the error for a prefix that fits several invocations."""
    more = f" and {len(fits) - _NAMED} more" if len(fits) > _NAMED else ""
    return SourceError(
        f"{prefix} fits {len(fits)} invocations ({', '.join(fits[:_NAMED])}{more}); give more of the id"
    )


def index_order(job_id: str) -> tuple[str, int, str]:
    """Give a sort key: by invocation, then by number."""
    head, _, index = job_id.partition(".")
    return head, int(index) if index.isascii() and index.isdigit() else -1, index


def open_exec_db(path: Path) -> ExecDb:
    """Look through a database; a missing one is an empty one, and lines that are no rows are left out."""
    places: dict[str, _Place] = {}
    try:
        if path.exists() and not path.is_file():
            return ExecDb(path, problem="it is not a file")
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LINE):
                number += 1
                offset = file.tell() - len(line)
                _note(places, line, path=path, number=number, offset=offset)
    except FileNotFoundError:
        return ExecDb(path, problem="it does not exist")
    except OSError as error:
        return ExecDb(path, problem=why(error))
    return ExecDb(path, places)


def _note(places: dict[str, _Place], line: bytes, *, path: Path, number: int, offset: int) -> None:
    if not line.strip():
        return
    try:
        ids = _Ids.model_validate_json(line)
    except ValidationError:
        _log.warning("%s:%d: not a row of the launcher, left out", path, number)
        return
    places.pop(ids.job_id, None)
    places[ids.job_id] = _Place(ids.invocation_id, number, offset)
