"""Sums of table entries that samples select, with their gradients.

PyTorch's `embedding_bag` sorts its rows for each gradient of their entries, which takes most of a
training's time; counting them does not. Gradients of weights need no sorting: with few codes,
entries are weights of the samples that have a code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

GATHERED = 32
"""How many products of a matrix take the time of one entry that is gathered."""


class _SumOfEntries(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, entries: Tensor, slopes: Tensor, rows: Tensor, real: Tensor
    ) -> Tensor:
        context.save_for_backward(slopes, rows)
        context.count = len(entries)
        return functional.embedding_bag(rows, entries, mode="sum")

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, Tensor | None]:
        slopes, rows = context.saved_tensors
        count = context.count
        flat = rows.reshape(-1)
        columns: list[Tensor] = []
        for column in gradient.unbind(1):
            weights = column[:, None].expand(rows.shape).reshape(-1)
            columns.append(torch.bincount(flat, weights=weights, minlength=count))
        moved = None
        if context.needs_input_grad[3]:
            moved = (functional.embedding(rows, slopes) * gradient[:, None]).sum(-1)
        return torch.stack(columns, dim=1), None, None, moved


def sum_of_entries(entries: Tensor, slopes: Tensor, rows: Tensor, real: Tensor) -> Tensor:
    """The sum of the entries that each sample selects.

    Parameters
    ----------
    entries : (rows, nodes), float64.
    slopes : (rows, nodes), their derivatives by what selects them.
    rows : (samples, inputs), int64, indices of the selected entries.
    real : (samples, inputs), what selects them; it has no influence but a gradient.

    Returns
    -------
    (samples, nodes). The gradient of `entries` is exact, that of `real` by `slopes`.
    """
    return _SumOfEntries.apply(entries, slopes, rows, real)


class _Slopes(torch.autograd.Function):
    """Zeros, (samples, nodes), whose gradient by `real` is that of entries with such slopes."""

    @staticmethod
    def forward(context: Any, slopes: Tensor, index: Tensor, codes: Tensor, real: Tensor) -> Tensor:
        context.save_for_backward(slopes, index, codes)
        return real.new_zeros(len(real), len(slopes))

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[None, None, None, Tensor]:
        slopes, index, codes = context.saved_tensors
        first, *others = slopes.unbind(-1)
        matrix = gradient.new_zeros(len(slopes), codes.shape[1])
        moved = gradient @ matrix.scatter(1, index, first)
        for code, column in enumerate(others, start=1):
            # Slopes of one bit are the same for both codes.
            if not torch.equal(column, first):
                further = gradient @ matrix.scatter(1, index, column - first)
                moved += further * (codes == code)
        return None, None, None, moved


def sum_of_few_codes(
    values: Tensor, slopes: Tensor, index: Tensor, codes: Tensor, real: Tensor | None
) -> Tensor:
    """The sum of each node's entries for the codes of the inputs that it reads.

    Time and memory grow with the number of codes.

    Parameters
    ----------
    values : (nodes, edges, codes), float64.
    slopes : their derivatives by what has the codes.
    index : (nodes, edges), int64, the input of each edge; no node has two of one input.
    codes : (samples, inputs), int64.
    real : (samples, inputs), what has the codes; None where it needs no gradient.

    Returns
    -------
    (samples, nodes). The gradient of `values` is exact, that of `real` by `slopes`.
    """
    nodes, edges, count = values.shape
    samples, inputs = codes.shape
    sums = values[..., 0].sum(1)
    if count > 1:
        others = count - 1
        differences = (values[..., 1:] - values[..., :1]).reshape(nodes, -1)
        has_code = (codes.T[:, None] == torch.arange(1, count)[:, None]).double()
        has_code = has_code.reshape(-1, samples)
        rows = (index[..., None] * others + torch.arange(others)).reshape(nodes, -1)
        if edges < inputs <= GATHERED * edges:
            # Edges that do not exist have the weight 0.
            zeros = differences.new_zeros(nodes, inputs * others)
            differences = zeros.scatter(1, rows, differences)
        if GATHERED * edges < inputs:
            weighted = functional.embedding_bag(
                rows, has_code, per_sample_weights=differences, mode="sum"
            )
        else:
            weighted = differences @ has_code
        sums = weighted.T + sums
    else:
        sums = sums.expand(samples, nodes)
    return sums if real is None else sums + _Slopes.apply(slopes, index, codes, real)


def sum_of_edges(
    values: Tensor, slopes: Tensor, index: Tensor, codes: Tensor, real: Tensor | None
) -> Tensor:
    """As `sum_of_few_codes`; time and memory grow with samples times edges."""
    nodes, edges, count = values.shape
    inputs = index.reshape(-1)
    of_edge = codes.T.index_select(0, inputs)
    entries = values.reshape(-1, count).gather(1, of_edge)
    if real is not None:
        moved = real.T.index_select(0, inputs)
        slope = slopes.detach().reshape(-1, count).gather(1, of_edge)
        entries = entries + slope * (moved - moved.detach())
    return entries.reshape(nodes, edges, -1).sum(1).T
