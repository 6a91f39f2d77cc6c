"""Tables as a high part that leaves out the last input bit, and a part gated by that bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from kan_dialect.ir.constants import IntArray
from kan_dialect.maths.truth_tables import by_size
from kan_dialect.search.table_split.limits import SearchLimits
from kan_dialect.search.table_split.parts import GatedPart

_BYTE = 255


class GatedDecomposition(NamedTuple):
    """A table as a high part without the gate's input bits, a gated part, and a constant."""

    high: IntArray
    part: GatedPart
    constant: int


def gated_decompositions(
    tables: Sequence[IntArray], limits: SearchLimits
) -> Iterator[tuple[int, GatedDecomposition]]:
    """Ways to tell neighbouring entries apart by the last input bit, with the table's number.

    The high part is the lesser neighbour; the class says which one is greater and by how much. Or
    the high part is one neighbour less a constant; the gate adds the constant, or the difference to
    the other neighbour.
    """
    for which, entries in by_size(tables):
        neighbours = entries.reshape(len(which), -1, 2).swapaxes(1, 2)
        rises = neighbours[:, 1] - neighbours[:, 0]
        lesser = neighbours.min(axis=1)
        distance = np.abs(rises)
        widths = np.frexp(distance.max(axis=1))[1].astype(np.int64)
        either = distance + ((rises < 0) << widths[:, np.newaxis])
        ends = zip(rises.min(axis=1).tolist(), rises.max(axis=1).tolist(), strict=True)
        for row, (index, bits, (least, most)) in enumerate(
            zip(which.tolist(), widths.tolist(), ends, strict=True)
        ):
            if bits > limits.gate_bits:
                continue
            if least >= 0 or most <= 0:
                part = GatedPart(0, distance[row], _one_way(bits, int(least >= 0)))
            else:
                part = GatedPart(0, either[row], _either_way(bits))
                bits += 1
            yield index, GatedDecomposition(lesser[row], part, 0)
            if entries.shape[1] >= limits.gate_variants:
                variants = _variants(neighbours[row], rises[row], bits, (least, most))
                yield from ((index, each) for each in variants)
                yield from ((index, each) for each in _by_shape(entries[row], limits))


@lru_cache(1 << 6)
def _one_way(bits: int, gate: int) -> IntArray:
    """Amounts: the class, of `bits` bits, for one value of the gate; 0 for the other."""
    amounts = np.zeros((2, 1 << bits), dtype=np.int64)
    amounts[gate] = np.arange(1 << bits)
    return amounts


@lru_cache(1 << 6)
def _either_way(bits: int) -> IntArray:
    """Amounts of `bits` bits; a further bit of the class says for which value of the gate."""
    return np.concatenate([_one_way(bits, 1), _one_way(bits, 0)], axis=1)


def _variants(
    neighbours: IntArray, rises: IntArray, bits: int, ends: tuple[int, int]
) -> Iterator[GatedDecomposition]:
    """Classes of fewer than `bits` bits, and high parts other than the lesser neighbour.

    Parameters
    ----------
    neighbours : (2, patterns), int64.
    rises : the second neighbours less the first ones; between `ends`.
    """
    count = len(set(rises.tolist()))
    if (count - 1).bit_length() < bits:
        different, classes = np.unique(rises, return_inverse=True)
        amounts = np.maximum([-different, different], 0)
        # Classes that do not occur are like the last one.
        missing = (1 << (count - 1).bit_length()) - count
        amounts = np.pad(amounts, ((0, 0), (0, missing)), mode="edge")
        yield GatedDecomposition(neighbours.min(axis=0), GatedPart(0, classes, amounts), 0)
    for gate, constant in enumerate((-ends[0], ends[1])):
        if constant <= 0:
            continue
        classes = (rises if gate == 0 else -rises) + constant
        codes = np.arange(1 << int(classes.max()).bit_length())
        amounts = np.stack([codes, codes])
        amounts[gate] = constant
        least = int(neighbours[gate].min())
        high = neighbours[gate] - least
        yield GatedDecomposition(high, GatedPart(0, classes, amounts), least - constant)


def _by_shape(table: IntArray, limits: SearchLimits) -> Iterator[GatedDecomposition]:
    """High parts that leave out two or three bits: the class is the shape of the entries that they
    tell apart.

    A bound set of inputs becomes a class, as by Ashenhurst and Curtis, after the least entry of
    each shape has gone to the high part.
    """
    for gate_bits in range(2, limits.shape_bits + 1):
        if len(table) <= 2 << gate_bits:
            return
        runs = table.reshape(-1, 1 << gate_bits)
        high = runs.min(axis=1)
        shapes = runs - high[:, np.newaxis]
        if shapes.max() > _BYTE:
            return
        keys = shapes.astype(np.uint8).view(f"<u{1 << gate_bits}").ravel()
        different, first, classes = np.unique(keys, return_index=True, return_inverse=True)
        class_bits = (len(different) - 1).bit_length()
        if gate_bits + class_bits > limits.shape_inputs:
            continue
        amounts = shapes[first].T
        missing = (1 << class_bits) - len(different)
        amounts = np.pad(amounts, ((0, 0), (0, missing)), mode="edge")
        yield GatedDecomposition(high, GatedPart(0, classes, amounts), 0)
