"""How to reach and convince a server, as the user gave it. Plain data; secrets stay out of ``repr``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What ``MLFLOW_TRACKING_*``, ``~/.mlflow/credentials`` and the settings say about the way to a server.

    Args:
        username: with ``password``: basic authentication, which wins over a token as in the SDK.
        token_file: read again whenever it changes.
        token_command: program with its arguments; what it prints is the token.
        auth: ``MLFLOW_TRACKING_AUTH``: ``kubernetes`` or ``kubernetes-namespaced``, "" for none.
        aws_sigv4: ``MLFLOW_TRACKING_AWS_SIGV4``: sign for an AWS API gateway.
        environment: the variables when the settings were read, for hosts with names of their own.
        home: the home folder, for hosts with files of their own; "" for none.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    token_command: tuple[str, ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    workspace: str = ""
    auth: str = ""
    aws_sigv4: bool = False
    insecure_tls: bool = False
    server_cert_path: str = ""
    client_cert_path: str = ""
    request_timeout: float | None = None
    """Seconds to wait for one answer."""
    create_parents: bool = False
    """Create the folder of an experiment where a host keeps experiments in folders."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    home: str = ""
