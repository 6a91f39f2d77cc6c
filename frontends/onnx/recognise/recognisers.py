"""Recognisers of edge functions that other packages publish for ONNX files.

They are tried where this package recognises no function, under the entry point group
`kan_dialect.onnx_recognisers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

from kan_dialect.extensions import load_entry
from kan_dialect.frontends.onnx.recognise.bases import Basis
from kan_dialect.ir.constants import FloatArray, IntArray

ENTRY_POINT_GROUP = "kan_dialect.onnx_recognisers"


@dataclass(frozen=True, eq=False)
class EdgeFunctions:
    """Functions of one input each, as a part of a file computes them.

    Attributes
    ----------
    inputs : number of inputs.
    columns : (functions), int64, the input of each.
    values : points (rows, inputs), float64 -> values (rows, functions), float64.
    """

    inputs: int
    columns: IntArray
    values: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Recogniser:
    """A recogniser of another package.

    Attributes
    ----------
    name : for messages.
    recognise : the basis whose functions these are, or None. The functions of an input come in the
        order of the basis.
    """

    name: str
    recognise: Callable[[EdgeFunctions], Basis | None]


@cache
def other_recognisers() -> tuple[Recogniser, ...]:
    """The recognisers of other packages, by the names of their entry points.

    Raises
    ------
    KanError : one cannot be loaded; names the package.
    """
    entries = {entry.value: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    ordered = sorted(entries.values(), key=lambda entry: entry.name)
    return tuple(load_entry(entry, Recogniser, "recogniser of ONNX layers") for entry in ordered)
