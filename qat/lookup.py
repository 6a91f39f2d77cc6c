"""Sums of table entries that samples select, with their gradients.

PyTorch's `embedding_bag` sorts its rows for each gradient, which takes most of a training's time;
counting them does not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


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
