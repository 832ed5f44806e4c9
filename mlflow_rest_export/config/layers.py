"""The merge of everything that says something about the settings.

Strongest first: ``-o``, flag, Python mapping, config file, environment, the job's stored ``export.mlflow``,
default. Settings that are mappings are merged entry by entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mlflow_rest_export.config.credentials import connection_of
from mlflow_rest_export.config.documents import document, read_config_file
from mlflow_rest_export.config.environment import Environment
from mlflow_rest_export.config.layer import Layer, Said, Trust, Where, covers
from mlflow_rest_export.config.overrides import read_overrides
from mlflow_rest_export.config.placeholders import UnresolvedError, expand, has_placeholder, tracking_uri
from mlflow_rest_export.config.problems import Problems, reworded
from mlflow_rest_export.config.settings import MAPPINGS, PATHS, SPELLINGS, STORED, Settings
from mlflow_rest_export.connection import Connection

VARIABLES = {
    "tracking_uri": "MLFLOW_TRACKING_URI",
    "experiment_name": "MLFLOW_EXPERIMENT_NAME",
    "workspace": "MLFLOW_WORKSPACE",
}
"""Settings that have a variable of the MLflow SDK."""
_HUSHED = "what follows a dollar sign in it is no variable that is set; for a plain dollar sign write $$"
_STORED_URI = re.compile(r"https?://|databricks(://|$)|arn:|azureml://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layers:
    """The settings of a call, and what is needed to complete them for one job.

    Args:
        settings: everything but what jobs have stored.
        environment: the environment with what env blocks of the config added.
    """

    settings: Settings
    environment: Environment
    _said: tuple[Mapping[Where, Said], ...]
    _deleted: frozenset[Where]

    def with_stored(self, stored: Mapping[str, object], *, origin: str) -> Settings:
        """Give the settings of one job.

        Args:
            stored: the job's own ``export.mlflow``; keys that it may not decide and unknown ones do nothing.
            origin: what messages call it, such as the job's id.

        Raises:
            SettingsError: a stored value makes no sense.
        """
        problems = Problems()
        allowed: dict[object, object] = {
            key: value for key, value in stored.items() if SPELLINGS.get(key, key) in STORED
        }
        layer = Layer(problems, Trust.STORED)
        layer.say_all(allowed, place=f"the stored config of {origin}: export.mlflow.")
        kept = {w: said for w, said in layer.said.items() if not any(covers(d, w) for d in self._deleted)}
        return _settings((*self._said, kept), self.environment, problems)

    def leaves_address_to(self, stored: Mapping[str, object]) -> bool:
        """Say whether a stored config alone names the server; a variable that it names is the user's own."""
        uri = stored.get("tracking_uri")
        if self.settings.tracking_uri is not None or not isinstance(uri, str):
            return False
        return self.environment.get(uri.strip()) is None

    def connection(self) -> Connection:
        """Give the way to the server: the settings' part of it, then the environment's.

        Raises:
            SettingsError: a variable or the credentials file makes no sense.
        """
        return connection_of(self.settings, self.environment)


def resolve(
    *,
    environment: Environment,
    overrides: Iterable[str] = (),
    flags: Mapping[str, object] | None = None,
    config: Mapping[str, object] | None = None,
    config_file: Path | None = None,
) -> Layers:
    """Merge what was said in all places.

    Args:
        environment: the environment; nothing else of the process is looked at.
        overrides: ``-o`` strings.
        flags: setting -> value of its flag, None where it was not given.
        config: mapping given in Python, in any shape that a file may have.
        config_file: a run config, an ``export_config.yml`` or the settings alone.

    Raises:
        SettingsError: with every problem found.
    """
    problems = Problems()
    set_by_override, deleted = read_overrides(overrides, problems)
    flag_layer = Layer(problems)
    for key, value in (flags or {}).items():
        flag_layer.say(key, value, origin="--" + key.replace("_", "-"))
    weaker = [flag_layer]
    documents = []
    if config is not None:
        documents.append(document(config, name="config", problems=problems))
    if config_file is not None:
        documents.append(read_config_file(config_file, problems))
    for part in reversed(documents):
        for place, block in part.blocks:
            environment = environment.with_block(block, place=place, problems=problems)
    weaker += [Layer(problems).say_all(part.values, place=part.place) for part in documents]
    said = (
        set_by_override.said,
        *(
            {w: s for w, s in layer.said.items() if not any(covers(d, w) for d in deleted)}
            for layer in weaker
        ),
        _environment_layer(environment, problems).said,
    )
    return Layers(_settings(said, environment, problems), environment, said, deleted)


def _environment_layer(environment: Environment, problems: Problems) -> Layer:
    layer = Layer(problems, Trust.ENVIRONMENT)
    for setting, variable in VARIABLES.items():
        layer.say(setting, environment.get(variable), origin=f"environment variable {variable}")
    return layer


def _settings(
    layers: Iterable[Mapping[Where, Said]], environment: Environment, problems: Problems
) -> Settings:
    values: dict[str, object] = {}
    origins: dict[Where, str] = {}
    entries: dict[str, dict[str, object]] = {}
    for where, said in _strongest_first(layers):
        if where in origins:
            continue
        try:
            value = _final(where[0], said, environment)
        except UnresolvedError as error:
            hush = error.guessed and _may_be_secret(where[0], said.value)
            problems.add(said.origin, _HUSHED if hush else str(error))
            continue
        if value is None:
            continue
        origins[where] = said.origin
        if len(where) == 1:
            values[where[0]] = value
        else:
            entries.setdefault(where[0], {})[where[1]] = value
    return _checked({**values, **entries}, origins, problems)


def _strongest_first(layers: Iterable[Mapping[Where, Said]]) -> Iterator[tuple[Where, Said]]:
    for layer in layers:
        yield from layer.items()


def _final(setting: str, said: Said, environment: Environment) -> object:
    """Give a value with its names resolved; None for a blank one, which says nothing."""
    value = expand(said.value, environment) if said.trust is Trust.USER else said.value
    if setting == "tracking_uri":
        value = str(value) if isinstance(value, Path) else value
        if isinstance(value, str) and value.strip():
            value = _uri(value, said, environment)
    elif setting in PATHS:
        many = value if isinstance(value, (list, tuple)) else [value]
        homes = [environment.with_home(part) if isinstance(part, str) else part for part in many]
        value = homes if isinstance(value, (list, tuple)) else homes[0]
    blank = isinstance(value, str) and not value.strip() and setting not in MAPPINGS
    return None if blank else value


def _may_be_secret(setting: str, value: object) -> bool:
    return setting in {"headers", "token_command"} or (setting == "tracking_uri" and "@" in str(value))


def _uri(text: str, said: Said, environment: Environment) -> str:
    """Give the tracking URI; a results folder may name a server, never a place on this machine."""
    if said.trust is not Trust.STORED:
        return tracking_uri(text, environment)
    if has_placeholder(text):
        raise UnresolvedError("a stored placeholder is not resolved; pass --tracking-uri")
    uri = tracking_uri(text, environment)
    if not _STORED_URI.match(uri):
        raise UnresolvedError("a stored tracking URI must be that of a server; pass --tracking-uri")
    return uri


def _checked(values: dict[str, object], origins: Mapping[Where, str], problems: Problems) -> Settings:
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        for found in error.errors(include_url=False, include_context=False, include_input=False):
            loc = tuple(str(part) for part in found["loc"])
            place = origins.get(loc[:2]) or origins.get(loc[:1]) or "settings"
            problems.add(place, reworded(found))
        settings = Settings()
    problems.check()
    return settings
