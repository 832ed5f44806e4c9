"""What one place says about the settings, under their canonical names and with its origin."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from mlflow_rest_export.config.problems import Problems, shown, unknown
from mlflow_rest_export.config.settings import KEYS, MAPPINGS, SPELLINGS
from mlflow_rest_export.yaml_values import written

Where = tuple[str, ...]
"""A setting, or one entry of a setting that is a mapping."""

_BOOL: TypeAdapter[bool] = TypeAdapter(bool)


class Trust(enum.Enum):
    """Who said it, and so what may be made of it."""

    USER = "a person, now: placeholders are resolved"
    ENVIRONMENT = "the environment: final as it is"
    STORED = "a results folder: final as it is, and not everything is allowed"


@dataclass(frozen=True, slots=True)
class Said:
    """One value and where it came from."""

    value: object = field(repr=False)
    origin: str
    trust: Trust


class Layer:
    """The values of one place; None means that it says nothing about a setting.

    Args:
        problems: receives what is wrong.
        trust: who speaks.
    """

    def __init__(self, problems: Problems, trust: Trust = Trust.USER) -> None:
        self.said: dict[Where, Said] = {}
        self._problems = problems
        self._trust = trust
        self._spelt: dict[str, tuple[str, object]] = {}

    def say_all(self, values: Mapping[object, object], *, place: str) -> Layer:
        """Take every setting of a mapping; a key that is no setting is a problem.

        Args:
            values: setting -> value.
            place: what to write before a key in messages.
        """
        for key, value in values.items():
            if isinstance(key, str) and key in KEYS:
                self.say(key, value, origin=place + key)
            else:
                self._problems.add(place + shown(key), unknown(str(key), KEYS))
        return self

    def say(self, key: str, value: object, *, origin: str) -> None:
        """Take one setting; entries of mappings become places of their own."""
        if value is None:
            return
        setting = SPELLINGS.get(key, key)
        self._agree(key, setting, value, origin)
        if setting == "map" and not isinstance(value, Mapping):
            value = self._columns(value, origin)
        if setting not in MAPPINGS:
            self.said[(setting,)] = Said(value, origin, self._trust)
        elif not isinstance(value, Mapping):
            self._problems.add(origin, "must be a mapping of names to values")
        else:
            for name, inner in value.items():
                self.say_entry(setting, _name(name), inner, origin=f"{origin}.{shown(name)}")

    def say_entry(self, setting: str, name: str, value: object, *, origin: str) -> None:
        """Take one entry of a setting that is a mapping."""
        if value is not None:
            self.said[(setting, name)] = Said(value, origin, self._trust)

    def forget(self, where: Where) -> None:
        """Drop a setting with all its entries, or one entry."""
        self.said = {place: said for place, said in self.said.items() if not covers(where, place)}
        self._spelt.pop(where[0], None)

    def _agree(self, key: str, setting: str, value: object, origin: str) -> None:
        other, before = self._spelt.get(setting, (key, value))
        self._spelt[setting] = (key, value)
        if other != key and _truth(before) != _truth(value):
            self._problems.add(
                origin, f"{key} and {other} are equal names but have different values; keep one"
            )

    def _columns(self, value: object, origin: str) -> object:
        """Take ``COLUMN=KIND`` texts, as the command line gives them."""
        columns: dict[str, str] = {}
        for entry in value if isinstance(value, (list, tuple)) else [value]:
            name, equals, kind = str(entry).rpartition("=")
            if not equals:
                self._problems.add(origin, "must be COLUMN=KIND, with a kind such as metric, param or skip")
                return {}
            if columns.setdefault(name, kind) != kind:
                self._problems.add(origin, f"makes {shown(name)} a {columns[name]} and a {kind}; keep one")
        return columns


def covers(deleted: Where, where: Where) -> bool:
    """Say whether deleting one place takes the other away."""
    return where[: len(deleted)] == deleted


def _truth(value: object) -> object:
    try:
        return _BOOL.validate_python(value)
    except ValidationError:
        return value


def _name(name: object) -> str:
    return written(name) if isinstance(name, (bool, int, float)) else str(name)
