"""What looking at one layer gave."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Layer(enum.Enum):
    """The layers, each resting on those before it."""

    VERSIONS = "versions"
    SETTINGS = "settings"
    FOLDER = "folder"
    PROXY = "proxy"
    NAME = "name"
    TCP = "tcp"
    TLS = "tls"
    SERVER = "server"
    CREDENTIALS = "credentials"
    CLOCK = "clock"
    FEATURES = "features"
    EXPERIMENT = "experiment"
    RUN = "run"
    ARTIFACTS = "artifacts"


class State(enum.Enum):
    """How a layer is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """What looking at one layer gave; ``said`` is a sentence that says what to do where it is not ok."""

    layer: Layer
    state: State
    said: str


def ok(layer: Layer, said: str) -> Check:
    """Say that a layer is as it should be."""
    return Check(layer, State.OK, said)


def warning(layer: Layer, said: str) -> Check:
    """Say that a layer works, but that somebody should know something."""
    return Check(layer, State.WARNING, said)


def failed(layer: Layer, error: Exception | str) -> Check:
    """Say that an export would fail here."""
    return Check(layer, State.FAILED, str(error))
