"""Says in one sentence why a folder of runs could not be read or written, and what to try."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from mlflow_rest_export.errors import SourceError, StoreError

_ADVICE = {
    errno.ENOSPC: "free some space or choose another disk, then export again",
    errno.EDQUOT: "free some of your quota or choose another disk, then export again",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose a folder that this user may write",
    errno.EPERM: "choose a folder that this user may write",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away",
    errno.EEXIST: "a file stands where a folder is needed: move it away",
    errno.EISDIR: "a folder stands where a file is needed: move it away",
    errno.ENAMETOOLONG: "the name is too long for this file system",
}


def store_error(doing: str, error: Exception) -> StoreError:
    """Make the sentence: what was being done, where, what was said, what to try."""
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        advice = f"; {_ADVICE[error.errno]}" if error.errno in _ADVICE else ""
        return StoreError(f"{doing} failed: {(error.strerror or str(error)).lower()}{place}{advice}")
    if isinstance(error, UnicodeEncodeError):
        return StoreError(f"{doing} failed: a text that is not valid Unicode")
    return StoreError(f"{doing} failed: {error}")


@contextlib.contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn what goes wrong on disk into a ``StoreError``.

    Raises:
        StoreError: for what was an ``OSError``, an unreadable file or a text that cannot be written.
    """
    try:
        yield
    except (OSError, SourceError, ValueError) as error:
        raise store_error(doing, error) from error
