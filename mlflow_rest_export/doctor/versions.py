"""The versions that matter when something goes wrong."""

from __future__ import annotations

import importlib.metadata
import platform
import ssl

from mlflow_rest_export import __version__
from mlflow_rest_export.doctor.check import Check, Layer, ok

NEEDED = ("requests", "urllib3", "pydantic", "PyYAML", "tqdm")
OPTIONAL = ("botocore", "obstore", "azure-identity", "google-auth", "zstandard")


def versions() -> Check:
    """Name this tool, Python, the packages it needs, and those of its extras that are there."""
    found = [f"{name} {version}" for name in (*NEEDED, *OPTIONAL) if (version := _version(name))]
    python = f"Python {platform.python_version()} ({platform.system()} {platform.machine()})"
    own = [f"mlflow-rest-export {__version__}", python, ssl.OPENSSL_VERSION.rsplit("  ", 1)[0].strip()]
    return ok(Layer.VERSIONS, ", ".join([*own, *found]))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
