"""Expands tensors that are linear in others, down to those that are not, or where a caller stops.

Sparse throughout: a term is a row of the result, an element of a tensor and a weight, so that the
work is linear in the number of weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kan_dialect.frontends.onnx.operators.dependence import Kind, LinearForm, Part, Tensor
from kan_dialect.ir.constants import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Terms:
    """weights[k] times element elements[k] of some tensor, added to row rows[k]."""

    rows: IntArray
    elements: IntArray
    weights: FloatArray


@dataclass(eq=False)
class Expansion:
    """What linear tensors come down to.

    Attributes
    ----------
    bias : (rows)
    terms : by tensor.
    """

    bias: FloatArray
    terms: dict[Tensor, Terms] = field(default_factory=dict[Tensor, Terms])


Stop = Callable[[Tensor, bool], bool]
"""Whether to stop at a tensor; the flag says that a contraction reads it, moves aside."""


def expand(tensor: Tensor, stop: Stop) -> Expansion:
    """All elements of `tensor`, as rows, in terms of tensors that `stop` or are not linear."""
    every = np.arange(tensor.size, dtype=np.int64)
    result = Expansion(np.zeros(tensor.size))
    pending: dict[Tensor, list[Terms]] = {tensor: [Terms(every, every, np.ones(tensor.size))]}
    contracted: set[Tensor] = set()
    while pending:
        # The latest first: all that reads a tensor has then been expanded.
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
                current.kind is Kind.MOVE and current in contracted
            ):
                contracted.add(part.operand)
    return result


def affine_in(tensor: Tensor, operand: Tensor) -> tuple[IntArray, FloatArray, FloatArray] | None:
    """How each element is scale * (one element of `operand`) + offset, if it is.

    Returns
    -------
    elements of the operand, scale and offset, one for each element of `tensor`; or None.
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
    """Where each of `wanted` stands among `keys`, which ascend and repeat.

    Returns
    -------
    the places, one after the other, and how many there are of each of `wanted`.
    """
    starts = np.searchsorted(keys, wanted, side="left")
    counts = np.searchsorted(keys, wanted, side="right") - starts
    first = np.cumsum(counts) - counts
    places: IntArray = np.arange(counts.sum(), dtype=np.int64) + np.repeat(starts - first, counts)
    return places, counts


def _concatenate(parts: list[Terms], size: int) -> Terms:
    """All terms of a tensor of `size` elements, those of one row and element as one."""
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
    """The terms of a tensor as terms of one of its operands."""
    if part.rows is None:
        chosen, rows, weights = terms.elements, terms.rows, terms.weights
    else:
        chosen, counts = ranges_of(part.rows, terms.elements)
        rows, weights = np.repeat(terms.rows, counts), np.repeat(terms.weights, counts)
    if part.factors is not None:
        weights = weights * part.factors[chosen]
    return Terms(rows, part.columns[chosen], weights)
