"""What servers impose: lengths, batch sizes, names. What *we* choose stands where it is used.

All numbers were measured on running servers (1.30.1, 2.9.2, 2.22.5, 3.17.2 on sqlite and PostgreSQL) or
bracketed by reading the releases around a change. Lengths are characters unless the name says bytes or
``lengths_in_bytes`` is set.
"""

from __future__ import annotations

from dataclasses import dataclass

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one tracking store accepts."""

    key: int = 250
    """Metric, param and tag keys: 250 on every version; PostgreSQL columns are as wide."""
    param_value: int = 250
    """250 up to 1.27, 500 up to 2.7, 6000 since 2.8 (longer: refused, or since 2.11 silently cut)."""
    tag_value: int = 5000
    """5000 up to 2.16, 8000 since 2.17."""
    lengths_in_bytes: bool = False
    """Whether keys and values of params and tags are counted in bytes of UTF-8: Databricks does so."""
    run_name: int = 250
    """No limit on sqlite; PostgreSQL answers 400 above 250."""
    experiment_name: int = 256
    """500 since 2.15, but the PostgreSQL column holds 256."""
    colon_in_keys: bool = False
    """``:`` is allowed in keys since 2.16."""
    hash_in_paths: bool = True
    """``#`` in an artifact path: 400 "Invalid path" since 2.x, fine on 1.x."""
    paths_decoded_twice: bool = True
    """An artifact named ``a%20b`` is stored as ``a b`` by 2.x and 3.x."""
    path_part_bytes: int = 255
    """One part of an artifact path: file systems stop at 255 bytes, servers answer 500."""
    names_come_back: bool = True
    """Whether a file of any name can be read through the server. Where its name is not Latin-1, 1.30 and 2.9
    answer 500 and 2.22 drops the connection; 3.5 answers 500 where it is not ASCII; 3.17 gives every file.
    Between 3.5 and 3.17 nobody looked."""
    keys_share_folders: bool = False
    """File stores keep keys as paths, so ``a`` and ``a/b`` cannot both exist."""
    keeps_nan: bool = False
    """SQL stores keep NaN, but up to 2.22 a re-sent NaN point is answered with 400."""
    keeps_infinity: bool = False
    """SQL stores turn infinities into +-1.797e308; file stores keep them."""
    batch_metrics: int = 1000
    """Metrics in one log-batch."""
    batch_metric_keys: int = 100
    """Distinct metric keys in one log-batch that may have to be sent again: servers older than 3.10 answer
    400 "UNIQUE constraint failed" above that (mlflow issue 19144)."""
    batch_params: int = 100
    batch_tags: int = 100
    batch_entries: int = 1000
    """Metrics, params and tags of one log-batch together."""
    batch_bytes: int = 1_000_000
    """The documented size of a request; open-source servers do not enforce it, hosts do."""
    dataset_inputs: bool = False
    """``runs/log-inputs`` exists since 2.4."""

    def length_of(self, text: str) -> int:
        """Count a key or a value as the store counts it."""
        return len(text.encode()) if self.lengths_in_bytes else len(text)

    def cut(self, text: str, longest: int) -> str:
        """Give the beginning of a key or a value, at most ``longest`` by ``length_of``; no half character."""
        return text.encode()[:longest].decode("utf-8", "ignore") if self.lengths_in_bytes else text[:longest]


STRICTEST = Limits(hash_in_paths=False, names_come_back=False, keys_share_folders=True, lengths_in_bytes=True)
"""What every known store accepts; used when the store cannot be asked (``--dry-run``, spool)."""


def for_server(version: Version | None) -> Limits:
    """Give the limits of an open-source server.

    Args:
        version: as told by ``GET /version``; None when it told none: up to 2.0 there is no such page.
    """
    if version is None:
        return Limits(hash_in_paths=False, names_come_back=False)
    return Limits(
        param_value=6000 if version >= (2, 8, 0) else 500 if version >= (1, 28, 0) else 250,
        tag_value=8000 if version >= (2, 17, 0) else 5000,
        colon_in_keys=version >= (2, 16, 0),
        hash_in_paths=version < (2, 0, 0),
        paths_decoded_twice=version >= (2, 0, 0),
        keeps_nan=version >= (3, 10, 0),
        batch_metric_keys=1000 if version >= (3, 10, 0) else 100,
        dataset_inputs=version >= (2, 4, 0),
        names_come_back=version >= (3, 17, 0),
    )


def parse_version(text: str) -> Version | None:
    """Read the first three numbers of a version such as ``2.22.5.dev0``; None for anything else."""
    numbers: list[int] = []
    for part in text.strip().split(".")[:3]:
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    if len(numbers) < 2:  # a web page or a bare number is no version
        return None
    return (numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 0)
