"""The settings as rows of a table, for ``docs/configuration.md``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlflow_rest_export.config.settings import SPELLINGS, Settings

_KINDS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "dict"}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting.

    Args:
        key: its name under ``export.mlflow``.
        equal_names: other names of the same setting.
        kind: such as ``str`` or ``list[str]``.
        default: as one would write it in YAML; "" for none.
        description: Markdown.
    """

    key: str
    equal_names: tuple[str, ...]
    kind: str
    default: str
    description: str


def setting_rows() -> Iterator[SettingRow]:
    """Give a row for each setting, in the order of the model."""
    for key, schema in Settings.model_json_schema()["properties"].items():
        default = schema.get("default")
        yield SettingRow(
            key=key,
            equal_names=tuple(other for other, name in SPELLINGS.items() if name == key),
            kind=_kind(schema),
            default=""
            if default in (None, [], {})
            else str(default).lower()
            if isinstance(default, bool)
            else str(default),
            description=schema["description"],
        )


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(_kind(part) for part in schema["anyOf"] if part.get("type") != "null")
        )
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        return f"list[{_kind(schema['items'])}]"
    return _KINDS[schema["type"]]
