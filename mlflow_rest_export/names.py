"""Names that every server takes: keys of metrics, params and tags, and paths of artifacts. Pure.

The rule for characters is that of nemo-evaluator-launcher 0.2.6, so that both tools name a metric alike; what
it lacks (paths, collisions) is added. Two names stay two names, whatever becomes of them.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterable

from mlflow_rest_export.limits import Limits

_ILLEGAL = re.compile(r"[^/\w.\- ]")
_ILLEGAL_BUT_COLON = re.compile(r"[^/\w.\- :]")
_ESCAPE = re.compile(r"%(?=[0-9a-fA-F]{2})")


def clean_text(text: str) -> str:
    """Take out what databases and JSON cannot carry: NUL (PostgreSQL answers 500) and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def clean_key(raw: str, limits: Limits, *, verbatim: bool) -> str:
    """Give the legal key for a raw name; the same for the same input, always.

    Args:
        raw: any text.
        limits: what the store accepts.
        verbatim: change nothing that the store takes; otherwise the launcher's rule is applied throughout.
    """
    illegal = _ILLEGAL_BUT_COLON if verbatim and limits.colon_in_keys else _ILLEGAL
    key = raw
    if not verbatim or illegal.search(key):
        key = illegal.sub("_", key.replace("pass@", "pass_at_").replace("@", "_at_"))
        key = re.sub("_{2,}", "_", key)
    if not verbatim:
        key = key.strip(" ")
    if not _is_plain_path(key):
        key = "/".join(part for part in key.split("/") if part not in {"", ".", ".."})
    key = _shorten(key, limits.key) or "key"
    if limits.keys_share_folders:  # keys are paths there, and file systems bound each part
        key = "/".join(_short_part(part, limits.path_part_bytes) for part in key.split("/"))
    return key


def clean_path(raw: str, limits: Limits) -> str:
    """Give the path under which an artifact can be stored and read back by every server of this kind."""
    parts = [_clean_part(part, limits) for part in raw.split("/") if part not in {"", ".", ".."}]
    return "/".join(parts) or "file"


def apart(
    raws: Iterable[str], clean: Callable[[str], str], *, share_folders: bool, longest: int | None = None
) -> dict[str, str]:
    """Map raw names to clean ones so that different names stay different.

    Where several raw names have one clean form, the one that *is* that form keeps it and the others end in
    a short hash of themselves, so that the outcome does not depend on their order.

    Args:
        raws: the names; repeated ones count once.
        clean: the rule for one name.
        share_folders: names are also paths, so that ``a`` and ``a/b`` exclude each other.
        longest: characters that a name may have.
    """
    names = dict.fromkeys(raws)
    forms = {raw: clean(raw) for raw in names}
    count: dict[str, int] = {}
    for form in forms.values():
        count[form] = count.get(form, 0) + 1
    result = {
        raw: form if count[form] == 1 or form == raw else _marked(form, raw, longest)
        for raw, form in forms.items()
    }
    if share_folders:
        folders = {parent for form in result.values() for parent in _parents(form)}
        result = {
            raw: _marked(form, raw, longest) if form in folders else form for raw, form in result.items()
        }
    return result


def _is_plain_path(key: str) -> bool:
    """Say whether the server's own test passes: a key must equal its normalised path and stay inside."""
    return posixpath.normpath(key) == key and key != "." and not key.startswith(("/", ".."))


def _shorten(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    return text[: length - 9].rstrip("/ ") + "-" + hashlib.sha256(text.encode()).hexdigest()[:8]


def _marked(form: str, raw: str, longest: int | None) -> str:
    mark = "-" + hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    keep = len(form) if longest is None else longest - len(mark)
    return form[:keep] + mark


def _parents(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _clean_part(part: str, limits: Limits) -> str:
    part = clean_text(part)
    part = "".join("_" if unicodedata.category(char) == "Cc" else char for char in part)
    if not limits.hash_in_paths:
        part = part.replace("#", "_")
    if limits.paths_decoded_twice:
        part = _ESCAPE.sub("_", part)
    part = part.replace("\\", "_")
    return _short_part(part, limits.path_part_bytes)


def _short_part(part: str, longest: int) -> str:
    """Cut one part of a path to so many bytes of UTF-8, keeping its ending."""
    data = part.encode()
    if len(data) <= longest:
        return part
    stem, dot, ending = part.rpartition(".")
    tail = "-" + hashlib.sha256(data).hexdigest()[:8] + (dot + ending if stem and len(ending) <= 16 else "")
    return data[: longest - len(tail.encode())].decode("utf-8", "ignore") + tail
