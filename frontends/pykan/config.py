"""Reads the configuration of a pykan network: widths, grid, degree, functions of edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import IntArray
from kan_dialect.ops.spline import MAX_DEGREE
from kan_dialect.quoting import quoted

MAX_BYTES = 1 << 30
"""Limit in bytes of a layer's coefficients in float64."""

FUNCTIONS: Mapping[str, str] = {
    "x": "identity",
    "x^2": "square",
    "x^3": "cube",
    "x^4": "power4",
    "x^5": "power5",
    "1/x": "reciprocal",
    "1/x^2": "reciprocal_square",
    "1/x^3": "reciprocal_cube",
    "1/x^4": "reciprocal_power4",
    "1/x^5": "reciprocal_power5",
    "sqrt": "sqrt",
    "x^0.5": "sqrt",
    "x^1.5": "power3_2",
    "1/sqrt(x)": "reciprocal_sqrt",
    "1/x^0.5": "reciprocal_sqrt",
    "exp": "exp",
    "log": "log",
    "abs": "abs",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "tanh": "tanh",
    "sgn": "sign",
    "arcsin": "arcsin",
    "arccos": "arccos",
    "arctan": "arctan",
    "arctanh": "arctanh",
    "0": "zero",
    "gaussian": "gaussian",
}
"""Name in pykan's SYMBOLIC_LIB -> name in `symbolic.SYMBOLIC_FUNCTIONS`."""

BASES: Mapping[str, str | None] = {"silu": "silu", "identity": "identity", "zero": None}
"""Name of a base function in pykan -> name in the dialect, None for no base function."""


@dataclass(frozen=True)
class PykanConfig:
    """The structure of a network.

    Attributes
    ----------
    name : name of the configuration file, for messages.
    widths : number of inputs, then of nodes of each layer.
    degree, grid_size : of the splines.
    base : a key of `functions.FUNCTIONS`, or None.
    symbolic_names : for each layer pykan's names of the symbolic functions, [out][in]; None if the
        symbolic part is switched off.
    """

    name: str
    widths: tuple[int, ...]
    degree: int
    grid_size: int
    base: str | None
    symbolic_names: tuple[Sequence[Sequence[str]], ...] | None

    @property
    def layers(self) -> int:
        return len(self.widths) - 1

    def choice(self, layer: int, mask: IntArray) -> tuple[list[str], IntArray]:
        """Symbolic functions of a layer, and the index of each edge's function.

        Parameters
        ----------
        mask : (out, in), int64, 1 for symbolic edges.

        Returns
        -------
        Names in the dialect, and their index for each edge: (out, in), int64.

        Raises
        ------
        KanError : an edge has a function outside pykan's library.
        """
        assert self.symbolic_names is not None
        names: list[str] = []
        choice = np.zeros(mask.shape, dtype=np.int64)
        for o, i in np.argwhere(mask).tolist():
            theirs = self.symbolic_names[layer][o][i]
            ours = FUNCTIONS.get(theirs)
            if ours is None:
                raise KanError(
                    f"{self.name}: edge [{o}, {i}] of layer {layer} is the symbolic function "
                    f"{quoted(theirs)}, which is not in pykan's library",
                    remedy=f"known are {', '.join(FUNCTIONS)}; train the edge as a spline instead",
                )
            if ours not in names:
                names.append(ours)
            choice[o, i] = names.index(ours)
        return names, choice


def parse_config(name: str, entries: Mapping[str, object]) -> PykanConfig:
    """Parse the structure of a network.

    Parameters
    ----------
    name : name of the file, for messages.
    entries : as `MultKAN.saveckpt` writes them.

    Raises
    ------
    KanError : a key is missing or wrong, or the network has multiplication nodes.
    """
    widths = _widths(name, _get(name, entries, "width"))
    degree = _integer(name, entries, "k", 0, MAX_DEGREE)
    grid_size = _integer(name, entries, "grid", 1, 1 << 24)
    base = _get(name, entries, "base_fun_name")
    if not isinstance(base, str) or base not in BASES:
        raise KanError(
            f"{name}: base function {quoted(base)} is not known", remedy=f"use {', '.join(BASES)}"
        )
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        if inputs * outputs * (grid_size + 1 + 2 * degree) * 8 > MAX_BYTES:
            raise KanError(
                f"{name}: layer {layer} with {inputs} x {outputs} edges is too large",
                remedy="a layer's coefficients may take 1 GiB in float64",
            )
    symbolic = _symbolic_names(name, entries, widths)
    return PykanConfig(name, widths, degree, grid_size, BASES[base], symbolic)


def _get(name: str, entries: Mapping[str, object], key: str) -> object:
    if key not in entries:
        raise KanError(
            f"{name} has no key `{key}`", remedy="save the network again with pykan's saveckpt"
        )
    return entries[key]


def _integer(name: str, entries: Mapping[str, object], key: str, low: int, high: int) -> int:
    value = _get(name, entries, key)
    if not _is_integer(value, low, high):
        raise KanError(
            f"{name}: `{key}` is {quoted(value)}", remedy=f"it must lie in {low}..{high}"
        )
    return cast(int, value)


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _widths(name: str, value: object) -> tuple[int, ...]:
    """Widths of the layers. An entry is a number, or [adding nodes, multiplying nodes]."""
    remedy = "`width` lists the nodes of each layer: [2, 5, 1], or [[2, 0], [5, 0], [1, 0]]"
    if not isinstance(value, list) or len(cast("list[object]", value)) < 2:
        raise KanError(f"{name}: `width` is {quoted(cast(object, value))}", remedy=remedy)
    widths: list[int] = []
    for layer, entry in enumerate(cast("list[object]", value)):
        pair = cast("list[object]", entry) if isinstance(entry, list) else [entry, 0]
        if len(pair) != 2 or not all(_is_integer(number, 0, 1 << 24) for number in pair):
            shown = quoted(cast(object, entry))
            raise KanError(f"{name}: `width` has an entry {shown}", remedy=remedy)
        adding, multiplying = cast("list[int]", pair)
        if multiplying:
            raise KanError(
                f"{name}: layer {layer - 1} has {multiplying} multiplication node(s), which mix "
                "inputs",
                remedy="train with nodes that add only: width [n, 0]; a product is "
                "((x + y)^2 - (x - y)^2) / 4, which two layers of a KAN learn",
            )
        if not adding:
            raise KanError(f"{name}: `width` has a layer without nodes", remedy=remedy)
        widths.append(adding)
    return tuple(widths)


def _symbolic_names(
    name: str, entries: Mapping[str, object], widths: tuple[int, ...]
) -> tuple[Sequence[Sequence[str]], ...] | None:
    enabled = _get(name, entries, "symbolic_enabled")
    if not isinstance(enabled, bool):
        raise KanError(f"{name}: `symbolic_enabled` is {quoted(enabled)}, neither true nor false")
    if not enabled:
        return None
    layers: list[Sequence[Sequence[str]]] = []
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        key = f"symbolic.funs_name.{layer}"
        rows = _get(name, entries, key)
        if not _is_table(rows, outputs, inputs):
            raise KanError(f"{name}: `{key}` holds no {outputs} x {inputs} names of functions")
        layers.append(cast("list[list[str]]", rows))
    return tuple(layers)


def _is_table(rows: object, outputs: int, inputs: int) -> bool:
    if not isinstance(rows, list) or len(cast("list[object]", rows)) != outputs:
        return False
    for row in cast("list[object]", rows):
        if not isinstance(row, list) or len(cast("list[object]", row)) != inputs:
            return False
        if not all(isinstance(entry, str) for entry in cast("list[object]", row)):
            return False
    return True
