"""JUnit XML, as pytest and most test runners write it: evaluations that are tests.

Only what the suites say of themselves is exported, and counts where they say nothing. Document type
declarations are refused, so no entity can grow.
"""

from __future__ import annotations

import contextlib
import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat
from xml.sax import saxutils

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.records import RunRecord, Unreadable
from mlflow_rest_export.sources import result_files, times
from mlflow_rest_export.sources.masking import Masked
from mlflow_rest_export.sources.options import ReadOptions
from mlflow_rest_export.sources.result import Result
from mlflow_rest_export.sources.run_values import RUN, RunValues
from mlflow_rest_export.sources.secret_fields import concealed

NAME = "junit"

_ROOTS = frozenset({"testsuites", "testsuite"})
_COUNTS = ("tests", "failures", "errors", "skipped")
_CASES = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""Element inside a test case -> what it counts for."""
MAX_SUITES = 10_000
MAX_PROPERTIES = 10_000
MAX_DEPTH = 100
MAX_TAG = 1 << 20
"""Longest tag, comment or the like, in bytes: the parser holds it whole."""
READ_SIZE = 1 << 16
"""Bytes read at once."""


@dataclass(slots=True)
class _Suite:
    """One test suite: what it says of itself, and what was counted in it."""

    attributes: dict[str, str]
    outermost: bool
    counted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    inner: list[_Suite] = field(default_factory=list)
    """The suites inside it."""
    properties: list[tuple[str, str]] = field(default_factory=list)

    def number(self, name: str) -> float | None:
        """Give a number that the suite tells; thousands may be parted by commas."""
        return times.number(self.attributes.get(name, "").replace(",", "").strip() or None)

    def count(self, name: str) -> float:
        """Give how many tests, failures, errors or skipped there are: as told, else as counted.

        The counts of suites that have some include those of the suites inside.
        """
        told = self.number(name)
        return self.counted[name] + sum(inner.count(name) for inner in self.inner) if told is None else told

    @property
    def name(self) -> str:
        """What the suite is called."""
        return self.attributes.get("name", "").strip() or "testsuite"


_PROPERTY = re.compile(r"""<(?:[\w.-]+:)?property\b(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*("[^"]*"|'[^']*')""")


def _mask(text: str) -> Masked:
    """Mask the values of properties that are secrets."""
    count = 0

    def hide(match: re.Match[str]) -> str:
        nonlocal count
        found = {part[1]: part for part in _ATTRIBUTE.finditer(match[0])}
        said = {name: html.unescape(part[2][1:-1]) for name, part in found.items()}
        shown = _shown(said)
        if "value" not in said or shown == said["value"]:
            return match[0]
        count += 1
        start, end = found["value"].span(2)
        return match[0][:start] + saxutils.quoteattr(shown) + match[0][end:]

    masked = _PROPERTY.sub(hide, text)
    if not count:
        raise SourceError("its secrets cannot be found in the text")
    return Masked(masked, count)


def _shown(attributes: Mapping[str, str]) -> str:
    """Give what may be shown of the value of a property."""
    return str(concealed((attributes.get("name", ""),), attributes.get("value", "")))


class _Halt(Exception):
    """Ends the parsing from inside a handler; the message says why."""


_BROKEN = (expat.ExpatError, _Halt, LookupError, ValueError)
"""What parsing ends with: the last two are Python's word on encodings it does not know or cannot use."""


@dataclass(slots=True)
class _Reader:
    """Takes elements in as they come."""

    suites: list[_Suite] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    open_suites: list[_Suite] = field(default_factory=list)
    outcome: str = ""
    """What the open test case counts for, once that is known."""
    properties: int = 0
    secret: bool = False
    """Whether a property holds one."""
    began: bool = False
    """Whether the outermost element was one of JUnit's."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take the start of an element in."""
        name = name.rpartition("}")[2]
        if not self.path and name not in _ROOTS:
            raise _Halt(f"its outermost element is {name[:80]}, not testsuites or testsuite")
        self.began = True
        parent = self.path[-1] if self.path else ""
        self.path.append(name)
        if len(self.path) > MAX_DEPTH:
            raise _Halt(f"its elements are nested deeper than {MAX_DEPTH}")
        if name == "testsuite":
            self._suite(attributes)
        elif name == "testcase" and self.open_suites:
            self.open_suites[-1].counted["tests"] += 1
            self.outcome = ""
        elif parent == "testcase" and name in _CASES and self.open_suites and not self.outcome:
            self.outcome = _CASES[name]
            self.open_suites[-1].counted[self.outcome] += 1
        elif name == "property" and (value := attributes.get("value")) is not None:
            self.secret = self.secret or _shown(attributes) != value
            if "testcase" not in self.path and self.open_suites:
                self.properties += 1
                if self.properties > MAX_PROPERTIES:
                    raise _Halt(f"it has more than {MAX_PROPERTIES} properties")
                self.open_suites[-1].properties.append((attributes.get("name", "property"), value))

    def end(self, name: str) -> None:
        """Take the end of an element in."""
        self.path.pop()
        if name.rpartition("}")[2] == "testsuite":
            self.open_suites.pop()

    def refuse(self, *_: object) -> None:
        """Refuse a document type declaration."""
        raise _Halt("it has a document type declaration, which results have not")

    def _suite(self, attributes: dict[str, str]) -> None:
        if len(self.suites) == MAX_SUITES:
            raise _Halt(f"it has more than {MAX_SUITES} suites")
        suite = _Suite(attributes, outermost=not self.open_suites)
        self.suites.append(suite)
        if self.open_suites:
            self.open_suites[-1].inner.append(suite)
        self.open_suites.append(suite)


def recognises(path: Path) -> bool:
    """Say whether a file is XML whose outermost element is that of JUnit."""
    if not path.is_file():
        return False
    reader = _Reader()
    with contextlib.suppress(OSError, *_BROKEN), path.open("rb") as file:
        _parser(reader).Parse(file.read(READ_SIZE), False)  # noqa: FBT003  # expat knows no keywords
    return reader.began


def read(path: Path, options: ReadOptions) -> Iterator[RunRecord | Unreadable]:
    """Give the run of a file, and its suites' when asked."""
    return result_files.records(path, options, _result)


def _result(path: Path, options: ReadOptions) -> Result:
    reader = _read(path)
    suites = reader.suites
    values = RunValues()
    starts: list[int] = []
    ends: list[int] = []
    names: Counter[str] = Counter()
    for suite in suites:
        names[suite.name] += 1
        again = names[suite.name] - 1
        _take(values, f"{suite.name}-{again + 1}" if again else suite.name, suite)
        start = times.from_iso(suite.attributes.get("timestamp"))
        if start is not None:
            starts.append(start)
            ends.append(times.after(start, suite.number("time") or 0) or start)
    if len(suites) > 1:
        for name in _COUNTS:
            values.score(RUN, name, sum(suite.count(name) for suite in suites if suite.outermost))
    written = result_files.changed(path)
    return Result(
        format=NAME,
        identity=result_files.identity(path),
        label=str(path),
        evaluator="junit",
        model="",
        start_time=min(starts, default=written),
        end_time=max(ends, default=written),
        values=values,
        artifacts=result_files.uploads(
            path, options, values.adjustments, mask=_mask if reader.secret else None
        ),
    )


def _take(values: RunValues, task: str, suite: _Suite) -> None:
    for name in _COUNTS:
        values.score(task, name, suite.count(name))
    values.score(task, "time", suite.number("time"))
    for name, value in suite.properties:
        values.setting(task, name, value)
    for name in ("hostname", "timestamp"):
        values.tag(f"{task}.{name}", suite.attributes.get(name))


def _read(path: Path) -> _Reader:
    reader = _Reader()
    parser = _parser(reader)
    try:
        with path.open("rb") as file:
            while data := file.read(READ_SIZE):
                parser.Parse(data, False)  # noqa: FBT003  # expat knows no keywords
                if file.tell() - parser.CurrentByteIndex > MAX_TAG:
                    raise SourceError(f"{path}: something in it is longer than {MAX_TAG >> 20} MiB")
        parser.Parse(b"", True)  # noqa: FBT003  # the same
    except expat.ExpatError as error:
        said = expat.ErrorString(error.code)
        raise SourceError(f"{path}:{error.lineno}:{error.offset + 1}: not XML, {said}") from None
    except _BROKEN as error:
        raise SourceError(f"{path}: {error}") from None
    if not reader.suites:
        raise SourceError(f"{path}: it has no test suite")
    return reader


def _parser(reader: _Reader) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.refuse
    return parser
