"""``-o`` strings: ``export.mlflow.key=value``, as Hydra has them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from mlflow_rest_export.config.documents import DESTINATION, RUN_CONFIG, other_destination
from mlflow_rest_export.config.layer import Layer, Where
from mlflow_rest_export.config.problems import Problems, shown, unknown
from mlflow_rest_export.config.settings import KEYS, LISTS, MAPPINGS, SPELLINGS
from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.yaml_files import parse_yaml

_PREFIX = f"export.{DESTINATION}."
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_KEY = re.compile(r"[\w.~+-]*")


def read_overrides(texts: Iterable[str], problems: Problems) -> tuple[Layer, frozenset[Where]]:
    """Read ``-o`` strings in their order; the last word on a setting counts.

    Returns:
        What they set, and what they take away from every weaker place but the environment: ``~key``, and
        ``key=null``.
    """
    layer = Layer(problems)
    deleted: set[Where] = set()
    for text in texts:
        body = text.strip().lstrip("+")
        delete = body.startswith("~")
        name, equals, raw = body.removeprefix("~").partition("=")
        origin = f"-o {shown(name if equals else _KEY.findall(name)[0])}"
        if not equals and not delete:
            problems.add(origin, f"there is no '='; write -o {_PREFIX}KEY=VALUE")
            continue
        where = _where(name.strip(), origin, problems)
        if where is None:
            continue
        value = None if delete else _value(where, raw.strip(), origin, problems)
        if value is None:
            deleted.add(where)
            layer.forget(where)
        elif len(where) == 1:
            layer.say(_spelling(name), value, origin=origin)
        else:
            layer.say_entry(where[0], where[1], value, origin=origin)
    return layer, frozenset(deleted)


def _where(name: str, origin: str, problems: Problems) -> Where | None:
    """Find the setting that an override names; what follows its first dot is the name of an entry."""
    if name.startswith("export.") and not name.startswith(_PREFIX):
        dest = name.split(".")[1]
        near = difflib.get_close_matches(dest, [DESTINATION], n=1)
        meant = dest if dest in KEYS else "KEY"
        known = near or dest in KEYS
        problems.add(origin, f"did you mean {_PREFIX}{meant}?" if known else other_destination(dest))
        return None
    if name.partition(".")[0] in RUN_CONFIG:
        problems.add(origin, f"of a run config only {_PREFIX}KEY can be set here")
        return None
    key, dot, entry = name.removeprefix(_PREFIX).partition(".")
    setting = SPELLINGS.get(key, key)
    if key not in KEYS:
        last = name.rpartition(".")[2]
        problems.add(origin, unknown(last if last in KEYS else key, KEYS))
        return None
    if not dot:
        return (setting,)
    if setting not in MAPPINGS or not entry:
        problems.add(origin, f"{key} has no such entry; it is set as a whole")
        return None
    return (setting, entry)


def _spelling(name: str) -> str:
    return name.strip().removeprefix(_PREFIX)


def _value(where: Where, raw: str, origin: str, problems: Problems) -> object:
    """Read the value of an override; None when it is null or unreadable.

    Quoted text, lists and mappings are YAML. All else stays as it was typed, for a description may hold
    ``: `` or `` #`` and a version may be ``3.10``; the setting's own kind decides what it means.
    """
    if raw in _NULLS:
        return None
    setting = where[0]
    structured = setting in LISTS or setting == "extra_metadata" or where in {(name,) for name in MAPPINGS}
    if raw[0] not in ("\"'[{" if structured else "\"'"):
        return raw
    try:
        value = parse_yaml(raw, origin, keep_written=True)
    except SourceError as error:
        if not structured:
            return raw
        problems.add(origin, f"the value is not YAML, {str(error).removeprefix(origin).lstrip(':')}")
        return None
    return value if structured or isinstance(value, str) else raw
