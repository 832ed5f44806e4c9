"""Names that every server takes: keys of metrics, params and tags, and paths of artifacts. Pure.

The rule for characters is that of nemo-evaluator-launcher 0.2.6, so that both tools name a metric alike; what
it lacks (paths, collisions) is added. Two names stay two names, whatever becomes of them.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from mlflow_rest_export.limits import Limits

_ILLEGAL = re.compile(r"[^/\w.\- ]")
_ILLEGAL_BUT_COLON = re.compile(r"[^/\w.\- :]")
_LEADING_DOTS = re.compile(r"^\.\.+_?")
_ESCAPE = re.compile(r"%(?=[0-9a-fA-F]{2})")
_EMPTY_PARAMETER = re.compile(r"^((?:[^?]*/)?[^?/;]*);(?=\?|$)")
_EMPTY_QUERY = re.compile(r"^([^?]*)\?$")
"""Servers that decode a path take it apart as an address, too, and drop what is empty: parameter or query."""
_DRIVE = re.compile(r"(?:file|[^/]):", re.IGNORECASE)
"""With this a path leads to another place on the server, by its own opinion (any character makes a drive)."""
_HASH = 9
"""Characters by which what was cut is told apart: a hyphen and eight hex digits."""


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
    key = key if verbatim else key.strip(" ")
    while key and not _is_plain_path(key):
        key = "/".join(part for part in key.split("/") if part not in {"", ".", ".."})
        key = _LEADING_DOTS.sub("_", key if verbatim else key.strip(" "))
    return _short_key(key, limits) or "key"


def clean_path(raw: str, limits: Limits) -> str:
    """Give the path under which an artifact can be stored and read back by every server of this kind."""
    parts = [_clean_part(part, limits) for part in raw.split("/")]
    path = "/".join(part for part in parts if part not in {"", ".", ".."}) or "file"
    if limits.paths_decoded_twice:
        path = _EMPTY_QUERY.sub(r"\1_", _EMPTY_PARAMETER.sub(r"\1_", path))
    if _DRIVE.match(path):
        first, slash, rest = path.partition("/")
        path = first.replace(":", "_") + slash + rest
    return path


def apart(
    raws: Iterable[str],
    clean: Callable[[str], str],
    *,
    share_folders: bool,
    mark: Callable[[str, str], str],
    beside: Collection[str] = (),
) -> dict[str, str]:
    """Map raw names to clean ones so that different names stay different.

    Where several raw names have one clean form, the one that *is* that form keeps it and the others get a
    short hash of themselves, so that the outcome does not depend on their order.

    Args:
        raws: the names; repeated ones count once.
        clean: the rule for one name.
        share_folders: names are also paths, so that ``a`` and ``a/b`` exclude each other.
        mark: puts a hash into a name, as ``marked_key`` and ``marked_path`` do.
        beside: names that are there and stay: where names are paths, none may be a folder of another one.
    """
    fixed = frozenset(beside) if share_folders else frozenset()
    forms = {raw: clean(raw) for raw in dict.fromkeys(raws)}
    moved = {raw: _out_of(form, fixed) for raw, form in forms.items()}

    def marked(raw: str, digits: int) -> str:
        return mark(moved[raw], hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:digits])

    names = {raw: form if form == moved[raw] else marked(raw, 6) for raw, form in forms.items()}
    digits = 6
    while clashing := _clashing(names, fixed, share_folders=share_folders):
        names |= {raw: marked(raw, digits) for raw in clashing}
        digits += 1  # a name that looks like the mark of another is met with a longer one
    return names


def marked_key(key: str, digest: str, limits: Limits) -> str:
    """Put a hash at the end of a key."""
    tail = f"-{digest}"
    folder, slash, name = limits.cut(key, limits.key - len(tail)).rpartition("/")
    if limits.keys_share_folders:
        name = _cut(name, limits.path_part_bytes - len(tail))
    return folder + slash + name + tail


def marked_path(path: str, digest: str, limits: Limits) -> str:
    """Put a hash into the last part of a path, before its ending, by which a browser knows what it is."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + _with_tail(name, f"-{digest}", limits.path_part_bytes)


def _clashing(names: Mapping[str, str], fixed: frozenset[str], *, share_folders: bool) -> list[str]:
    """Give the raw names that cannot keep what they have now."""
    count = Counter(names.values())
    taken = {*names.values(), *fixed} if share_folders else set()
    folders = {parent for name in taken for parent in _parents(name)}
    return [raw for raw, name in names.items() if name in folders or (count[name] > 1 and name != raw)]


def _out_of(name: str, files: frozenset[str]) -> str:
    """Give a name that lies in no folder of the name of a file."""
    while (file := next((parent for parent in _parents(name) if parent in files), None)) is not None:
        name = f"{file}_{name[len(file) + 1 :]}"
    return name


def _is_plain_path(key: str) -> bool:
    """Say whether the server's own test passes: a key must equal its normalised path and stay inside."""
    return posixpath.normpath(key) == key and key != "." and not key.startswith(("/", ".."))


def _short_key(key: str, limits: Limits) -> str:
    """Cut a key to its length; where keys are paths, each of its parts to what a file system takes, too."""
    if not limits.keys_share_folders:
        return _shorten(key, limits)
    short = key
    for spared in (0, _HASH):  # cutting the whole puts a hash at its last part, which needs room
        room = limits.path_part_bytes - spared
        short = "/".join(_short_part(part, room) for part in key.split("/"))
        if limits.length_of(short) <= limits.key:
            return short
    return _shorten(short, limits)


def _shorten(key: str, limits: Limits) -> str:
    if limits.length_of(key) <= limits.key:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[: _HASH - 1]
    return f"{limits.cut(key, limits.key - _HASH).rstrip('/ ')}-{digest}"


def _parents(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _clean_part(part: str, limits: Limits) -> str:
    if not (part.isascii() and part.isprintable()):
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
    return _with_tail(part, f"-{hashlib.sha256(data).hexdigest()[: _HASH - 1]}", longest)


def _with_tail(name: str, tail: str, longest: int) -> str:
    """Put ``tail`` before a file's ending, and shorten what is before to ``longest`` bytes in all."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > 16:
        stem, dot, ending = name, "", ""
    tail += dot + ending
    return _cut(stem, longest - len(tail.encode())) + tail


def _cut(text: str, longest: int) -> str:
    return text.encode()[:longest].decode("utf-8", "ignore")
