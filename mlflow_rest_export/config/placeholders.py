"""Names of variables in settings, replaced by their values.

``$VAR``, ``${VAR}``, ``${oc.env:VAR}`` and ``${oc.env:VAR,default}`` work in every text; ``$$`` is a plain
dollar sign. What a variable holds is never looked at again, so a password may hold a dollar sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlflow_rest_export.config.environment import Environment
from mlflow_rest_export.config.problems import shown
from mlflow_rest_export.yaml_values import MAX_DEPTH

_BEGIN = re.compile(r"\$(?:\$|\{|([A-Za-z_][A-Za-z0-9_]*))")
_BRACES = re.compile(r"[{}]")
_INSIDE = re.compile(r"\s*(oc\.env\s*:)?\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:,(.*))?", re.DOTALL)
_WORD = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_.]*)?")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+:[0-9]+(/.*)?")
_DEEPEST = 10
"""Defaults within defaults; more than two have never been seen."""


class UnresolvedError(ValueError):
    """A placeholder has no value; ``str()`` says which, without any value.

    Attributes:
        guessed: True when the name is only what follows a dollar sign: it may be part of a password.
    """

    def __init__(self, message: str, *, guessed: bool = False) -> None:
        super().__init__(message)
        self.guessed = guessed


def expand(value: object, environment: Environment, *, depth: int = 0) -> object:
    """Replace the placeholders of a text, or of every text in a list or mapping.

    Raises:
        UnresolvedError: a variable is not set, a placeholder is not one of the known forms, or the value
            is nested without end.
    """
    if depth > MAX_DEPTH:
        raise UnresolvedError(f"lists and mappings are nested deeper than {MAX_DEPTH}")
    if isinstance(value, str):
        return _expand(value, environment, depth=0)
    if isinstance(value, (list, tuple)):
        return [expand(part, environment, depth=depth + 1) for part in value]
    if isinstance(value, Mapping):
        return {name: expand(part, environment, depth=depth + 1) for name, part in value.items()}
    return value


def tracking_uri(text: str, environment: Environment) -> str:
    """Give the tracking URI that a text stands for: itself, or the value of the variable it names.

    Raises:
        UnresolvedError: it looks like the name of a variable and there is none, or like half an address.
    """
    uri = text.strip()
    if "://" not in uri:
        if uri in environment.variables:
            named, uri = uri, environment.variables[uri].strip()
            if not uri:
                raise UnresolvedError(f"the environment variable {named} is empty")
        elif _VARIABLE.fullmatch(uri):
            raise UnresolvedError(f"{environment.not_set(uri)}; for a folder of this name write ./{uri}")
        if _HOST_AND_PORT.fullmatch(uri):
            raise UnresolvedError("this is no address that MLflow knows; write http:// or https:// before it")
    if uri.lower().startswith(("http://", "https://")):
        return (
            uri.rstrip("/") if uri.partition("://")[2].strip("/") else uri
        )  # without a host it is no address
    return environment.with_home(uri)


def has_placeholder(text: str) -> bool:
    """Say whether a text still holds a placeholder in braces."""
    return "${" in text


def _expand(text: str, environment: Environment, *, depth: int) -> str:
    pieces = []
    at = 0
    while found := _BEGIN.search(text, at):
        pieces.append(text[at : found.start()])
        at = found.end()
        if found[0] == "$$":
            pieces.append("$")
        elif found[1]:
            pieces.append(_variable(found[1], environment, guessed=True))
        else:
            end = _closing(text, at)
            pieces.append(_braced(text[at:end], environment, depth=depth))
            at = end + 1
    return "".join([*pieces, text[at:]])


def _closing(text: str, start: int) -> int:
    """Find the ``}`` that belongs to a ``${`` ending at ``start``."""
    open_braces = 1
    for brace in _BRACES.finditer(text, start):
        open_braces += 1 if brace[0] == "{" else -1
        if not open_braces:
            return brace.start()
    raise UnresolvedError("a placeholder begins with ${ and has no }; for a plain dollar sign write $$")


def _braced(inside: str, environment: Environment, *, depth: int) -> str:
    found = _INSIDE.fullmatch(inside)
    if not found or (found[3] is not None and not found[1]):
        name = shown(_WORD.findall(inside)[0])
        raise UnresolvedError(
            f"the placeholder ${{{name}...}} is not known; there are $VAR, ${{VAR}}, ${{oc.env:VAR}} and "
            "${oc.env:VAR,default}, and $$ is a plain dollar sign"
        )
    if found[2] in environment.variables or found[3] is None:
        return _variable(found[2], environment)
    if depth >= _DEEPEST:
        raise UnresolvedError("placeholders stand too deep within each other")
    default = found[3].strip()
    if default == "null":
        return ""
    if len(default) > 1 and default[0] == default[-1] and default[0] in "'\"":
        default = default[1:-1]
    return _expand(default, environment, depth=depth + 1)


def _variable(name: str, environment: Environment, *, guessed: bool = False) -> str:
    if name not in environment.variables:
        raise UnresolvedError(
            f"{environment.not_set(name)}; for a plain dollar sign write $$", guessed=guessed
        )
    return environment.variables[name]
