"""Secrets in data: samples, logs of requests, generations. Pure but for the search of a file.

Data is no config: a field ``token`` may hold a word, and a text may quote any address. So only what looks
like a credential is one: a value of a field whose name means a secret, of at least 8 characters without a
space and with a digit among them; the same behind ``Bearer``; and tokens that cannot be anything else.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlflow_rest_export.sources.secret_fields import MASK, is_pointer, means_secret

_COLON = re.compile(rb'"\s*:\s*\\*"')
"""Between the name of a field and its text, also in JSON that stands in a text of JSON."""
_LONGEST_NAME = 64
_CREDENTIAL = re.compile(
    rb"(?i)(?P<keep>(?:(?:bearer|basic|token)\s+)?)"
    rb"(?P<hide>(?![${<%*])(?=[^\s\"\\]*\d)(?:[^\s\"\\]|\\/){8,})"
)
_INLINE = (
    (
        (b"bearer",),
        re.compile(rb"(?i)(?P<keep>\bbearer\s+)(?P<hide>(?=[\w.~+/=-]*\d)[\w.~+/=-]{16,})"),
    ),
    (
        (b"nvapi-", b"hf_", b"sk-"),
        re.compile(
            rb"(?P<keep>\b(?:nvapi-|hf_|sk-(?:proj-|ant-|or-)?))(?P<hide>(?=[\w-]*\d)[A-Za-z0-9]{20}[\w-]*)"
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
    data, count = _without_fields(data)
    lower = data.lower()
    for hints, pattern in _INLINE:
        if any(hint in lower for hint in hints):
            data, found = _substituted(pattern, data)
            count += found
    return data, count


def _without_fields(data: bytes) -> tuple[bytes, int]:
    """Mask the values of fields whose name means a secret."""
    parts: list[bytes] = []
    at = 0
    for colon in _COLON.finditer(data):
        before = data[max(0, colon.start() - _LONGEST_NAME) : colon.start()].rstrip(b"\\")
        if not means_secret(before.rpartition(b'"')[2].decode("utf-8", "replace")):
            continue
        value = _CREDENTIAL.match(data, colon.end())
        if value and not is_pointer(value["hide"].decode("utf-8", "replace")):
            parts += [data[at : value.start("hide")], MASK.encode()]
            at = value.end()
    return b"".join([*parts, data[at:]]), len(parts) // 2


def _substituted(pattern: re.Pattern[bytes], data: bytes) -> tuple[bytes, int]:
    count = 0

    def hide(match: re.Match[bytes]) -> bytes:
        nonlocal count
        if is_pointer(match["hide"].decode("utf-8", "replace")):
            return match[0]
        count += 1
        return match["keep"] + MASK.encode()

    return pattern.sub(hide, data), count


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
