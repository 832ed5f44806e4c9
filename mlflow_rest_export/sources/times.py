"""Times as evaluators write them, to milliseconds since 1970. Pure; what is no time becomes None."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone

_LATEST = 253_402_300_799_000
"""The last second of the year 9999, in milliseconds: the end of Python's and of the stores' calendars."""
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d)[:-](\d\d)(?:[:-](\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)()(Z)?", re.ASCII)
_MILLISECONDS_FROM = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would lie beyond the year 5100."""


def from_iso(text: object) -> int | None:
    """Read ``2026-11-22T19:23:20.156+00:00`` and its kin; a time that names no zone is taken as UTC.

    The ``:`` of the clock may be ``-``, as evaluators write it in file names.
    """
    match = (
        (_ISO.fullmatch(text.strip()) or _BASIC.fullmatch(text.strip())) if isinstance(text, str) else None
    )
    return None if match is None else _moment(match)


def in_name(name: str) -> int | None:
    """Find the time in a file name such as ``results_2026-01-21T03-44-18.458309.json``."""
    match = _ISO.search(name) or _BASIC.search(name)
    return None if match is None else _moment(match)


def from_seconds(value: object) -> int | None:
    """Read seconds since 1970, as a number or as text."""
    seconds = number(value)
    if seconds is None or not 0 < seconds * 1000 <= _LATEST:
        return None
    return round(seconds * 1000)


def from_any(value: object) -> int | None:
    """Read seconds or milliseconds since 1970, or an ISO time."""
    seconds = number(value)
    if seconds is None:
        return from_iso(value)
    return from_seconds(seconds / 1000 if abs(seconds) >= _MILLISECONDS_FROM else seconds)


def number(value: object) -> float | None:
    """Read a finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def after(start: int, seconds: object) -> int | None:
    """Give the time so many seconds later (earlier when negative); None when that is no time."""
    wait = number(seconds)
    if wait is None or not 0 <= start + wait * 1000 <= _LATEST:
        return None
    return start + round(wait * 1000)


def _moment(match: re.Match[str]) -> int | None:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    offset = timedelta()
    if zone not in {None, "Z"}:
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])) * (-1 if zone[0] == "-" else 1)
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=timezone.utc
        )
        moment = moment - offset
    except (ValueError, OverflowError):
        return None
    milliseconds = int((fraction or "0").ljust(3, "0")[:3])
    since = int(moment.timestamp()) * 1000 + milliseconds
    return since if 0 <= since <= _LATEST else None
