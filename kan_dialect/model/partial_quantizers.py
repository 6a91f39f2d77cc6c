"""Files of quantisers that fix some fields, and leave the others to `kan-quantize`.

Such a file has `"partial": true`. A field that is missing or null, or a null in a list, is what
`kan-quantize` chooses without the file. Scales of edges, scales of nodes and shifts follow from
each other: a file may give any of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeGuard

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.model.quantizer_json import parse_quantizers, read_json, to_json
from kan_dialect.model.quantizers import Quantizers

PARTIAL = "partial"
"""Field of the file that says that others may be missing."""

_REMEDY = "docs/reference/numerics.md has the fields"


def is_partial(path: str | Path) -> bool:
    """Whether a file of quantisers leaves fields to `kan-quantize`.

    Raises
    ------
    KanError : the file cannot be read, or `partial` is not true or false.
    """
    whole = read_json(path)
    found = whole.get(PARTIAL, False) if _is_object(whole) else False
    if not isinstance(found, bool):
        raise KanError(f"{path}: {PARTIAL} must be true or false", remedy=_REMEDY)
    return found


def completed(path: str | Path, chosen: Quantizers) -> Quantizers:
    """The quantisers of a partial file, with those that were chosen for the same network.

    Raises
    ------
    KanError : the file cannot be read, or has a field, an input or a layer that `chosen` lacks.
        The message names it.
    """
    given: object = read_json(path)
    whole: object = json.loads(to_json(chosen))
    assert _is_object(given) and _is_object(whole)
    whole.pop("digest")  # the description is that of `chosen`
    ours = {key: each for key, each in given.items() if key not in (PARTIAL, "digest")}
    merged = _Merge(str(path)).of(ours, whole, "")
    return parse_quantizers(merged, path)


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _fields(value: object) -> dict[str, object]:
    return value if _is_object(value) else {}


class _Merge:
    """Lays the fields of a file over those that were chosen."""

    def __init__(self, path: str) -> None:
        self._path = path

    def of(self, given: object, chosen: object, where: str) -> object:
        """The given value, completed by the chosen one.

        Raises
        ------
        KanError : a field or an element is not in the chosen value.
        """
        if given is None:
            return chosen
        if _is_object(given) and _is_object(chosen):
            return self._of_object(given, chosen, where)
        if _is_list(given):
            return self._of_list(given, chosen, where)
        return given

    def _of_object(
        self, given: dict[str, object], chosen: dict[str, object], where: str
    ) -> dict[str, object]:
        prefix = f"{where}." if where else ""
        known = {*chosen, *({"port"} if "gain" in chosen else ())}
        for key in given:
            if key not in known and not (key == "fixed" and "saturates" in chosen):
                raise KanError(f"{self._path}: {prefix}{key} is not a field", remedy=_REMEDY)
        merged = dict(chosen)
        for key, value in given.items():
            merged[key] = self.of(value, chosen.get(key), f"{prefix}{key}")
        if "bits" not in given and {"low", "high"} & set(given):
            merged.pop("bits", None)  # follows from low and high
        if "nodes" in merged and "edges" in merged:
            _fit_scales(given, merged)
        return merged

    def _of_list(self, given: list[object], chosen: object, where: str) -> object:
        if not _is_list(chosen) and None not in given:
            return given
        kept = chosen if _is_list(chosen) else [chosen] * len(given)  # one number for all
        if len(given) != len(kept):
            nested = any(isinstance(each, dict) for each in kept)
            if None not in given and not nested:
                return given
            raise KanError(
                f"{self._path}: {where} has {len(given)} entries, and the network {len(kept)}",
                remedy="give null for what is to be chosen",
            )
        pairs = zip(given, kept, strict=True)
        return [self.of(mine, its, f"{where}[{n}]") for n, (mine, its) in enumerate(pairs)]


def _fit_scales(given: dict[str, object], layer: dict[str, object]) -> None:
    """Fit the scales of a layer's edges and nodes to those that the file gives.

    Values that are no numbers stay, and are refused where they are read.
    """
    nodes, edges = dict(_fields(layer["nodes"])), dict(_fields(layer["edges"]))
    mine = {key for key in ("nodes", "edges") if "scale" in _fields(given.get(key))}
    try:
        steps = np.exp2(np.array(nodes["shift"], dtype=np.float64))
        if mine == {"nodes"}:
            edges["scale"] = (np.array(nodes["scale"], dtype=np.float64) / steps).tolist()
        elif mine == {"edges"} or (not mine and "shift" in _fields(given.get("nodes"))):
            nodes["scale"] = (np.array(edges["scale"], dtype=np.float64) * steps).tolist()
    except (ValueError, TypeError):
        return
    layer |= {"nodes": nodes, "edges": edges}
