"""The tables of the keys of `report.json`, from the descriptions in its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from generators.links import ROOT
from kan_dialect.cli.reference.markdown import table

SCHEMA = ROOT / "flows" / "report.schema.json"


def schema() -> dict[str, Any]:
    """The schema."""
    return json.loads(SCHEMA.read_text())


def reference(section: str) -> str:
    """The table of a section: its keys, those of one meaning in a row."""
    found: list[tuple[list[str], str]] = []
    for key, part in schema()["properties"].items():
        if part["section"] != section:
            continue
        for path, meaning in keys(part, key):
            if found and found[-1][1] == meaning:
                found[-1][0].append(path)
            else:
                found.append(([path], meaning))
    rows = [(", ".join(f"`{path}`" for path in paths), meaning) for paths, meaning in found]
    return table(("key", "meaning"), rows)


def keys(part: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """The keys of a part of the schema that hold no further ones, each with its meaning.

    `[]` stands for the elements of a list, `*` for any name.
    """
    if "items" in part:
        yield from keys(part["items"], f"{path}[]")
        return
    inner: dict[str, Any] = dict(part.get("properties", {}))
    if isinstance(part.get("additionalProperties"), dict):
        inner["*"] = part["additionalProperties"]
    for key, each in inner.items():
        yield from keys(each, f"{path}.{key}")
    if not inner:
        yield path, part["description"]
