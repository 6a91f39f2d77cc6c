"""Tables of a layer as multiples of few tables: ±2^s · R + d, with integers R and d.

Copies are fitted to the tables (`kan_dialect.search.fits.shape_fit`). Each shape is rounded in
units of its smallest copy, and then multiplied. So the tables have the form exactly, and large
copies are coarser than small ones. Constants go to the nodes' biases.
"""

from __future__ import annotations

import numpy as np

from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.search.fits.shape_fit import Functions, copies_up_to_factors

SHIFTS = 3
"""A copy is 1, 1/2, 1/4 or 1/8 of the largest one of its shape."""
FACTORS = (0.0, *(sign * 2.0**-shift for shift in range(SHIFTS + 1) for sign in (1.0, -1.0)))


def multiples_of_few(
    tables: IntArray, kept: BoolArray, weights: FloatArray, count: int
) -> tuple[IntArray, IntArray]:
    """Tables that are multiples of at most `count` tables, and what the nodes' biases gain.

    Parameters
    ----------
    tables : (out, in, codes), int64.
    kept : (out, in), whether an edge exists. Others are 0 in the result.
    weights : of the codes of each input, (in, codes), which add up to 1.

    Returns
    -------
    (out, in, codes) and (out), int64.
    """
    found, none = np.zeros_like(tables), np.zeros(len(tables), dtype=np.int64)
    if not kept.any():
        return found, none
    o, i = kept.nonzero()
    values = tables[o, i].astype(np.float64)
    each = Functions(np.arange(values.shape[1]), values, weights[i], np.ones(len(o)))
    of_nodes = np.bincount(o, each.variances, minlength=len(tables))
    functions = each._replace(importance=1.0 / np.maximum(of_nodes[o], 1e-30))
    copies = copies_up_to_factors(functions, count, FACTORS)
    factor = copies.affine[:, 2]
    for index, shape in enumerate(copies.shapes):
        mine = np.flatnonzero((copies.choice == index) & (factor != 0.0))
        if mine.size:
            smallest = np.abs(factor[mine]).min()
            times = np.rint(factor[mine] / smallest).astype(np.int64)
            # From the first code on, so that tables that have the form keep it.
            integers = np.rint((shape - shape[0]) * smallest).astype(np.int64)
            found[o[mine], i[mine]] = times[:, np.newaxis] * integers
    left = (weights[i] * (values - found[o, i])).sum(axis=1)
    gained = np.bincount(o, left, minlength=len(tables))
    return found, np.rint(gained).astype(np.int64)
