"""What may stand in an HTTP header. Pure."""

from __future__ import annotations

from mlflow_rest_export.errors import SettingsError

UNFIT = "holds characters that no HTTP header may carry"


def fit_for_header(value: str, *, what: str) -> str:
    """Give the value back when a header can carry it.

    Args:
        value: perhaps a secret, so never told.
        what: names it in the error.

    Raises:
        SettingsError: it holds a line break or another character that is not printable ASCII.
    """
    if not value.isascii() or not value.isprintable():
        raise SettingsError(f"{what} {UNFIT}")
    return value
