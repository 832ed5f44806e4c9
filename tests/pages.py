"""The code blocks of Markdown pages, for tests that run what is documented."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<kind>[a-z]+)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, *kinds: str) -> list[str]:
    """Give the code blocks of some kinds (``bash``, ``python``, ...)."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [block["text"] for block in found if block["kind"] in kinds]


def commands(text: str, program: str) -> Iterator[list[str]]:
    """Give every call of ``program`` in a text of shell commands, with continued lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||;| \| ", line.partition(" #")[0]):
            words = re.search(rf"(?:^|\s){re.escape(program)}\s+(.+)$", part.strip())
            if words and not part.lstrip().startswith("#"):
                yield shlex.split(words[1])
