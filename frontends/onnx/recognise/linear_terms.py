"""Expands linear tensors into terms of the tensors where linearity or a caller stops.

A term is a row of the result, an element of a tensor, and a weight. Terms are sparse, so the work
is linear in the number of weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import Kind, LinearForm, Part, Tensor
from kan_dialect.ir.constants import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Terms:
    """Terms of some tensor: row rows[k] += weights[k] * element elements[k]."""

    rows: IntArray
    elements: IntArray
    weights: FloatArray


@dataclass(eq=False)
class Expansion:
    """A linear tensor in terms of other tensors.

    Attributes
    ----------
    bias : (rows), float64.
    terms : by tensor.
    """

    bias: FloatArray
    terms: dict[Tensor, Terms] = field(default_factory=dict[Tensor, Terms])


Stop = Callable[[Tensor, bool], bool]
"""(tensor, contracted) -> whether to stop; `contracted` if a contraction reads the tensor,
possibly through movements.
"""


def expand(tensor: Tensor, stop: Stop) -> Expansion:
    """Expand all elements of `tensor`, as rows.

    Parameters
    ----------
    stop : ends the expansion at a tensor; nonlinear tensors always end it.
    """
    every = np.arange(tensor.size, dtype=np.int64)
    result = Expansion(np.zeros(tensor.size))
    pending: dict[Tensor, list[Terms]] = {tensor: [Terms(every, every, np.ones(tensor.size))]}
    contracted: set[Tensor] = set()
    while pending:
        # The latest first: then all readers of a tensor are expanded before it.
        current = max(pending, key=lambda each: each.order)
        terms = _concatenate(pending.pop(current), current.size)
        if stop(current, current in contracted) or current.linear is None:
            result.terms[current] = terms
            continue
        form = current.linear()
        _add_offset(result.bias, form, terms)
        for part in form.parts:
            pending.setdefault(part.operand, []).append(_through(part, terms))
            if current.kind is Kind.CONTRACTION or (
                current.kind is Kind.MOVEMENT and current in contracted
            ):
                contracted.add(part.operand)
    return result


def affine_in(tensor: Tensor, operand: Tensor) -> tuple[IntArray, FloatArray, FloatArray] | None:
    """Each element of `tensor` as scale * (an element of `operand`) + offset.

    Returns
    -------
    Elements of the operand, scale and offset, for each element of `tensor`; None if it has another
    form.
    """
    expansion = expand(tensor, lambda each, _: each is operand or each.kind is Kind.CONTRACTION)
    if list(expansion.terms) != [operand]:
        return None
    terms = expansion.terms[operand]
    if not np.array_equal(np.sort(terms.rows), np.arange(tensor.size)):
        return None
    order = np.argsort(terms.rows)
    return terms.elements[order], terms.weights[order], expansion.bias


def ranges_of(keys: IntArray, wanted: IntArray) -> tuple[IntArray, IntArray]:
    """Positions of each of `wanted` among ascending `keys`, which may repeat.

    Returns
    -------
    positions : of all of `wanted`, in order.
    counts : number of positions for each of `wanted`.
    """
    starts = np.searchsorted(keys, wanted, side="left")
    counts = np.searchsorted(keys, wanted, side="right") - starts
    first = np.cumsum(counts) - counts
    places: IntArray = np.arange(counts.sum(), dtype=np.int64) + np.repeat(starts - first, counts)
    return places, counts


def _concatenate(parts: list[Terms], size: int) -> Terms:
    """Concatenate the terms of a tensor of `size` elements; equal rows and elements are merged."""
    if len(parts) == 1:
        return parts[0]
    keys = np.concatenate([part.rows * size + part.elements for part in parts])
    unique, places = np.unique(keys, return_inverse=True)
    weights = np.zeros(unique.size)
    np.add.at(weights, places, np.concatenate([part.weights for part in parts]))
    return Terms(unique // size, unique % size, weights)


def _add_offset(bias: FloatArray, form: LinearForm, terms: Terms) -> None:
    if form.offset is not None and form.offset.any():
        shares = terms.weights * form.offset[terms.elements]
        bias += np.bincount(terms.rows, shares, minlength=bias.size)


def _through(part: Part, terms: Terms) -> Terms:
    """Terms of a tensor as terms of one of its operands."""
    if part.rows is None:
        chosen, rows, weights = terms.elements, terms.rows, terms.weights
    else:
        chosen, counts = ranges_of(part.rows, terms.elements)
        rows, weights = np.repeat(terms.rows, counts), np.repeat(terms.weights, counts)
    if part.factors is not None:
        weights = weights * part.factors[chosen]
    return Terms(rows, part.columns[chosen], weights)
