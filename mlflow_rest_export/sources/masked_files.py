"""Files as they may be uploaded: as they lie there, or with every secret masked in place."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from mlflow_rest_export.errors import SourceError
from mlflow_rest_export.sources.json_scan import scan
from mlflow_rest_export.sources.masking import Masked, mask_text
from mlflow_rest_export.sources.secret_data import holds_secret, mask_data
from mlflow_rest_export.sources.table_rows import UNNAMED
from mlflow_rest_export.sources.zip_members import is_archive

MAX_MASKED = 32 << 20
"""Largest file, in bytes, in which secrets are masked: the copy is held in memory."""

_DATA = frozenset({".json", ".jsonl", ".ndjson"})
"""Endings of the files of data that are searched for secrets."""

Mask = Callable[[str], Masked]
"""Masks the secrets of a text. It raises ``SourceError`` when it cannot."""


def masked_file(path: Path, mask: Mask) -> tuple[Path | bytes, int]:
    """Give what may be uploaded of a file, and how many secrets are masked in it.

    Returns:
        The path when there is no secret, else the bytes of the masked copy.

    Raises:
        SourceError: the file cannot be masked, so nobody knows what is secret in it.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_MASKED + 1)
    if data.startswith(b"PK\x03\x04"):
        raise SourceError("it is a ZIP archive")
    if len(data) > MAX_MASKED:
        raise SourceError(f"it is larger than {MAX_MASKED >> 20} MiB")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SourceError("it is not UTF-8 text") from None
    shown = mask(text)
    try:
        return (shown.text.encode(), shown.count) if shown.count else (path, 0)
    except UnicodeEncodeError:
        raise SourceError("a text in it holds half a character") from None


def config_mask(path: Path) -> Mask:
    """Give the mask for a config: JSON by the file's name, else YAML."""
    return lambda text: mask_text(text, name=str(path))


def data_mask_of(path: Path) -> Mask | None:
    """Give how a file of data is masked; None when it holds nothing that looks like a credential."""
    return data_mask if path.suffix.lower() in _DATA and shows_secret(path) else None


def shows_secret(path: Path) -> bool:
    """Say whether a file that is no archive holds what looks like a credential."""
    try:
        return not is_archive(path) and holds_secret(path)
    except OSError:
        return False  # it cannot be uploaded either, which is told where that fails


def data_mask(text: str) -> Masked:
    """Mask what looks like a credential; see ``secret_data``."""
    data, count = mask_data(text.encode("utf-8", "surrogatepass"))
    return Masked(data.decode("utf-8", "surrogatepass"), count)


def members_mask(leave: Collection[str]) -> Mask:
    """Give the mask for a result that is one JSON object.

    Args:
        leave: its members that are data; all others are masked as configs are.
    """

    def mask(text: str) -> Masked:
        data = text.encode()
        kept = [member for member in scan(io.BytesIO(data)) if member.key not in leave]
        raw = ",".join(f"{json.dumps(one.key)}:{data[one.start : one.end].decode()}" for one in kept)
        config = mask_text(f"{{{raw}}}", name=".json")
        shown, count, at = config.text.encode(), config.count, 0
        out = bytearray()
        for member, now in zip(kept, scan(io.BytesIO(shown)), strict=True):
            between, found = mask_data(data[at : member.start])
            out += between + shown[now.start : now.end]
            count, at = count + found, member.end
        rest, found = mask_data(data[at:])
        return Masked((out + rest).decode(), count + found)

    return mask


def lines_mask(text: str) -> Masked:
    """Mask JSON lines: each as a config of its own."""
    lines = [
        mask_text(line, name=".json") if line.strip() else Masked(line, 0)
        for line in text.removeprefix("\ufeff").split("\n")
    ]
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    return Masked(bom + "\n".join(line.text for line in lines), sum(line.count for line in lines))


def cells_mask(separator: str, conceal: Mapping[str, Callable[[str], str]]) -> Mask:
    """Give the mask for a table of separated cells that the strict CSV reader has read.

    Args:
        separator: what stands between two cells.
        conceal: column -> gives what may be shown of a cell; columns that are not named stay.
    """
    cell = re.compile(rf'("(?:[^"]|"")*"|[^{separator}\r\n]*)({separator}|\r\n|\n|\r|$)')

    def mask(text: str) -> Masked:
        names: list[str] = []
        at = int(text.startswith("\ufeff"))
        out = [text[:at]]
        column = count = 0
        in_head = True
        # At every place but the end a cell begins, if an empty one.
        while at < len(text) and (found := cell.match(text, at)):
            said, end = found.groups()
            value = said[1:-1].replace('""', '"') if said.startswith('"') else said
            if in_head:
                names.append(value or f"{UNNAMED}{column}")
            elif column < len(names) and names[column] in conceal:
                shown = conceal[names[column]](value)
                if shown != value:
                    count += 1
                    said = '"{}"'.format(shown.replace('"', '""')) if said.startswith('"') else shown
            out += [said, end]
            column, at = (column + 1, found.end()) if end == separator else (0, found.end())
            in_head = in_head and end == separator
        return Masked("".join(out), count)

    return mask
