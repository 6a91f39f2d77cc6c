"""JSON for readers: what fits into a line stands in a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

_WIDTH = 100


def json_text(value: object) -> str:
    """A value as JSON, indented by two; lists and objects that fit into a line are not broken.

    Raises
    ------
    TypeError : it holds something that JSON has no form of.
    """
    return "\n".join(_lines(value, 0, 0)) + "\n"


def _lines(value: object, indent: int, taken: int) -> Iterator[str]:
    """Lines of a value. The first one follows `taken` characters of its key."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or indent + taken + len(flat) < _WIDTH:
        yield flat
        return
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        parts = [(f"{json.dumps(key, ensure_ascii=False)}: ", each) for key, each in known.items()]
    else:
        parts = [("", each) for each in cast("list[Any]", value)]
    yield "{" if isinstance(value, dict) else "["
    for index, (key, each) in enumerate(parts):
        lines = list(_lines(each, indent + 2, len(key)))
        lines[-1] += "," * (index < len(parts) - 1)
        yield f"{inner}{key}{lines[0]}"
        yield from lines[1:]
    yield " " * indent + ("}" if isinstance(value, dict) else "]")
