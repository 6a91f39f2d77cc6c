"""Tables that are equal up to a sign, a power of two and a constant: they share a shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kan_dialect.ir.constants import IntArray
from kan_dialect.ops.folded_shapes import MAX_SHIFT

MOST_SHAPES = 16
"""Most shapes that all inputs of a layer share, and that a folded layer chooses from."""


@dataclass(frozen=True)
class SharedShapes:
    """The tables of a layer as offsets + factors * shapes, exactly."""

    shapes: IntArray
    """(1, shapes, codes) of shapes that all inputs share, else (inputs, shapes, codes). The
    smallest entry of each is 0."""
    choices: IntArray
    """(nodes, inputs), the shape of each edge."""
    factors: IntArray
    """(nodes, inputs), a power of two with a sign; 0 of a constant edge."""
    offsets: IntArray
    """(nodes, inputs)."""


def shared_shapes(tables: IntArray) -> SharedShapes:
    """The shapes of a layer's tables: those of all inputs where they are few, else of each input.

    The step from the first entry to any other, over the largest power of two that divides all steps
    of an edge, and over the sign of the first step that is not 0, is the same for all edges of a
    shape.

    Parameters
    ----------
    tables : (nodes, inputs, codes), integers.
    """
    nodes, inputs, codes = tables.shape
    edges = tables.reshape(-1, codes).astype(np.int64)
    steps, factors = _steps(edges)
    smallest = steps.min(axis=1)
    steps -= smallest[:, np.newaxis]
    used = np.flatnonzero(factors)
    shapes, choices = np.zeros((1, 1, codes), dtype=np.int64), np.zeros_like(factors)
    if used.size:
        shapes, choices[used] = _numbered(steps[used], used % inputs, inputs)
    offsets = edges[:, 0] + factors * smallest
    by_edge = (each.reshape(nodes, inputs) for each in (choices, factors, offsets))
    return SharedShapes(shapes, *by_edge)


def shapes_of(tables: IntArray) -> IntArray:
    """The shapes of tables, (shapes, codes), each 0 at the first code; constant ones have none.

    Parameters
    ----------
    tables : (..., codes), integers.
    """
    steps, factors = _steps(tables.reshape(-1, tables.shape[-1]).astype(np.int64))
    return np.unique(steps[factors != 0], axis=0)


def _steps(edges: IntArray) -> tuple[IntArray, IntArray]:
    """Entries less the first one, over the factors, (edges, codes); and the factors, (edges)."""
    steps = edges - edges[:, :1]
    common = np.bitwise_or.reduce(steps, axis=1)
    powers = np.minimum(common & -common, 1 << MAX_SHIFT)
    first = (steps != 0).argmax(axis=1)
    factors = powers * np.sign(np.take_along_axis(steps, first[:, np.newaxis], axis=1)[:, 0])
    steps //= np.where(factors == 0, 1, factors)[:, np.newaxis]
    return steps, factors


def _numbered(rows: IntArray, places: IntArray, inputs: int) -> tuple[IntArray, IntArray]:
    """The different rows, (1 or inputs, shapes, codes), and the number of each row among them.

    Parameters
    ----------
    rows : (edges, codes), not negative.
    places : (edges), the input of each edge.
    """
    narrow = np.ascontiguousarray(rows.astype(np.min_scalar_type(int(rows.max()))))
    keys = narrow.view(np.dtype((np.void, narrow.itemsize * narrow.shape[1])))[:, 0]
    _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) <= MOST_SHAPES:
        return rows[first][np.newaxis], numbers
    pairs, numbers = np.unique(places * len(first) + numbers, return_inverse=True)
    owners = pairs // len(first)
    ranks = np.arange(len(pairs)) - np.searchsorted(owners, owners)
    shapes = np.zeros((inputs, int(ranks.max()) + 1, rows.shape[1]), dtype=np.int64)
    shapes[owners, ranks] = rows[first[pairs % len(first)]]
    return shapes, ranks[numbers]
