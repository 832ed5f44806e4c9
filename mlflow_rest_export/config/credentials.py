"""From settings and the SDK's variables to the way to a server."""

from __future__ import annotations

import configparser
import math

from mlflow_rest_export.config.environment import Environment
from mlflow_rest_export.config.problems import Problems
from mlflow_rest_export.config.settings import Settings
from mlflow_rest_export.connection import Connection

CREDENTIALS = ".mlflow/credentials"
"""Below the home folder; an INI file with a section ``[mlflow]``."""
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def connection_of(settings: Settings, environment: Environment) -> Connection:
    """Bring together how to reach and convince a server.

    A token file or command of the settings is stronger than any credentials of the environment.

    Raises:
        SettingsError: a variable or the credentials file makes no sense.
    """
    problems = Problems()
    username = password = token = ""
    if settings.token_file is None and settings.token_command is None:
        from_file = _credentials_file(environment, problems)
        username = environment.get("MLFLOW_TRACKING_USERNAME") or from_file[0]
        password = environment.get("MLFLOW_TRACKING_PASSWORD") or from_file[1]
        token = (environment.get("MLFLOW_TRACKING_TOKEN") or "").strip()
    connection = Connection(
        username=username,
        password=password,
        token=token,
        token_file=str(settings.token_file or ""),
        token_command=settings.token_command or (),
        headers={name: value.get_secret_value() for name, value in settings.headers.items()},
        workspace=settings.workspace or "",
        auth=environment.get("MLFLOW_TRACKING_AUTH") or "",
        aws_sigv4=_truth("MLFLOW_TRACKING_AWS_SIGV4", environment, problems),
        insecure_tls=_truth("MLFLOW_TRACKING_INSECURE_TLS", environment, problems),
        server_cert_path=environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or "",
        client_cert_path=environment.get("MLFLOW_TRACKING_CLIENT_CERT_PATH") or "",
        request_timeout=_seconds("MLFLOW_HTTP_REQUEST_TIMEOUT", environment, problems),
        create_parents=settings.create_parents,
        environment=environment.variables,
        home=str(environment.home or ""),
    )
    problems.check()
    return connection


def _credentials_file(environment: Environment, problems: Problems) -> tuple[str, str]:
    """Read user name and password; ("", "") when there is no such file."""
    if environment.home is None:
        return "", ""
    path = environment.home / CREDENTIALS
    # Passwords may hold "%"; the SDK's own reader would take it for an interpolation and fail.
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return "", ""
    except OSError as error:
        problems.add(str(path), f"cannot be read: {(error.strerror or 'unknown error').lower()}")
        return "", ""
    except (UnicodeDecodeError, configparser.Error):
        # The parser's own words quote the line, and the line may be the password.
        problems.add(str(path), "is no INI file with a section [mlflow]")
        return "", ""
    if not parser.has_section("mlflow"):
        return "", ""
    section = parser["mlflow"]
    return section.get("mlflow_tracking_username", ""), section.get("mlflow_tracking_password", "")


def _truth(name: str, environment: Environment, problems: Problems) -> bool:
    text = (environment.get(name) or "false").strip().lower()
    if text not in _TRUE | _FALSE:
        problems.add(f"environment variable {name}", "must be true or false")
    return text in _TRUE


def _seconds(name: str, environment: Environment, problems: Problems) -> float | None:
    text = environment.get(name)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        problems.add(f"environment variable {name}", "must be a number of seconds above 0")
        return None
    return seconds
