"""JSON of users, whose objects have each key once."""

from __future__ import annotations

import json

from kan_dialect.quoting import quoted


def parse_json(text: str | bytes) -> object:
    """The value of a JSON text.

    Raises
    ------
    ValueError : it is not JSON, or an object has a key twice; Python's parser takes the last one.
    RecursionError : it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {quoted(key)} is given twice in an object")
        found[key] = value
    return found
