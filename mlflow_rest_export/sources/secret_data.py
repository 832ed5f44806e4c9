"""Secrets in data: samples, logs of requests, generations. Pure but for the search of a file.

Data is no config: a field ``token`` may hold a word, and a text may quote any address. So only what looks
like a credential is one: a value of a field whose name means a secret, of at least 8 characters without a
space and with a digit among them; the same behind ``Bearer``; and tokens that cannot be anything else.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlflow_rest_export.sources.secret_fields import MASK, NAME_ENDS, NAME_PATTERN, is_pointer

_VALUE = rb"(?![${<%*])(?=[^\s\"\\]*\d)(?:[^\s\"\\]|\\/){8,}"
_ENDS = tuple(f"{word}{quote}".encode() for word in sorted(NAME_ENDS) for quote in ('"', '\\"'))
_STARTS = (b"nvapi-", b"hf_", b"sk-", b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"glpat-", b"dapi")
_SECRETS = (
    # a field, also of JSON that stands in a text of JSON
    (
        _ENDS,
        re.compile(
            rb'(?i)(?P<keep>"%b\\*"\s*:\s*\\*"(?:(?:bearer|basic|token)\s+)?)(?P<hide>%b)'
            % (NAME_PATTERN.encode(), _VALUE)
        ),
    ),
    ((b"bearer",), re.compile(rb"(?i)(?P<keep>\bbearer\s+)(?P<hide>(?=[\w.~+/=-]*\d)[\w.~+/=-]{16,})")),
    (
        _STARTS,
        re.compile(
            rb"(?P<keep>\b(?:nvapi-|hf_|sk-(?:proj-|ant-|or-)?|gh[pousr]_|glpat-|dapi))"
            rb"(?P<hide>(?=[\w-]*\d)[A-Za-z0-9]{20}[\w-]*)"
        ),
    ),
)
"""Texts of which one must be there, in lower case, and what to look for then: the first look is fast."""
_PIECE = 1 << 20
"""Bytes of a file searched at once."""
_OVERLAP = 8 << 10
"""Bytes of a piece that are searched again with the next: longer than any credential."""


def mask_data(data: bytes) -> tuple[bytes, int]:
    """Mask the secrets of UTF-8 text, every other byte as it was; give also how many there are."""
    count = 0

    def hide(match: re.Match[bytes]) -> bytes:
        nonlocal count
        if is_pointer(match["hide"].decode("utf-8", "replace")):
            return match[0]
        count += 1
        return match["keep"] + MASK.encode()

    lower = data.lower()
    for hints, pattern in _SECRETS:
        if any(hint in lower for hint in hints):
            data = pattern.sub(hide, data)
    return data, count


def holds_secret(path: Path) -> bool:
    """Say whether a file of any size holds a secret; costs little memory.

    Raises:
        OSError: it cannot be read.
    """
    tail = b""
    with path.open("rb") as file:
        while data := file.read(_PIECE):
            if mask_data(tail + data)[1]:
                return True
            tail = data[-_OVERLAP:]
    return False
