"""Which inputs of a folded layer share a lane, so that memories have narrow words.

The word of a lane has as many bits for a node as the widest entry of the node's edges from the
lane's inputs. So inputs whose edges are pruned, or narrow, at the same nodes should share a lane.
"""

from __future__ import annotations

import numpy as np

from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ops.folded import lanes_and_turns

MOST_SWEEPS = 4
"""Times that each input looks for a better place."""


def lane_order(bits: IntArray, interval: int) -> IntArray:
    """The inputs in the order in which a folded layer reads them, (inputs).

    Lane l of n lanes reads places l, l + n, ... of the order. Two inputs of different lanes
    exchange places where the words of both lanes then have fewer bits in all: each input in turn
    takes the exchange that saves the most. The search starts from the order as it is, and from one
    in which inputs with equally many bits share a lane; the first one is taken if they end alike.

    Parameters
    ----------
    bits : of the entries of each edge, (inputs, nodes); 0 where it is constant or pruned.
    """
    count = len(bits)
    lanes, _ = lanes_and_turns(count, interval)
    given = np.arange(count)
    if lanes == 1:
        return given
    by_size = np.empty_like(given)
    by_size[np.argsort(given % lanes, kind="stable")] = np.argsort(bits.sum(axis=1), kind="stable")
    rows = bits.astype(np.float64)
    found = [_exchanged(rows, start, lanes) for start in (given, by_size)]
    return min(found, key=lambda each: each[1])[0]


def _exchanged(bits: FloatArray, start: IntArray, lanes: int) -> tuple[IntArray, float]:
    """An order that no exchange makes better, after few sweeps, and the bits of all words."""
    order, rows = start.copy(), bits[start]
    lane, ones = np.arange(len(rows)) % lanes, np.ones(rows.shape[1])
    # The widest entries of the other inputs of each place's lane, (places, nodes).
    others = np.empty_like(rows)
    for each in range(lanes):
        others[each::lanes] = _others(rows[each::lanes])
    words = np.maximum(rows[:lanes], others[:lanes]) @ ones
    for _ in range(MOST_SWEEPS):
        before = words.sum()
        for place, own in enumerate(lane):
            exchanged = np.maximum(rows, others[place]) @ ones
            exchanged += np.maximum(rows[place], others) @ ones
            saved = words[own] + words[lane] - exchanged
            saved[own::lanes] = 0.0
            other = int(saved.argmax())
            if saved[other] <= 0.0:
                continue
            for values in (rows, order):
                values[[place, other]] = values[[other, place]]
            for each in (own, lane[other]):
                others[each::lanes] = _others(rows[each::lanes])
                words[each] = np.maximum(rows[each], others[each]).sum()
        if words.sum() == before:
            break
    return order, float(words.sum())


def _others(rows: FloatArray) -> FloatArray:
    """The largest of all other rows in each column; 0 where there is no other row."""
    if len(rows) == 1:
        return np.zeros_like(rows)
    second, largest = np.partition(rows, -2, axis=0)[-2:]
    is_largest = np.arange(len(rows))[:, np.newaxis] == rows.argmax(axis=0)
    return largest - is_largest * (largest - second)
