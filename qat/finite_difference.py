"""The extended finite difference: slopes of a table of bits by the bits that it reads.

The slope by a bit is the difference of the entries where it is 1 and where it is 0, weighted by
alpha * beta^distance: the number of the other bits that differ from those that are read (Bacellar
et al., "Differentiable Weightless Neural Networks", arXiv 2410.11112, with the exponential weights
of torch-dwn 1.1.1, which computes them by CUDA alone). Needs PyTorch alone.
"""

from __future__ import annotations

from typing import Any

import torch


class FiniteDifference(torch.autograd.Function):
    """Entries of tables, and their slopes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        mapping: torch.Tensor,
        tables: torch.Tensor,
        alpha: torch.Tensor,
        beta: torch.Tensor,
    ) -> torch.Tensor:
        """Entries (samples, nodes), of the dtype of the tables.

        Parameters
        ----------
        x : (samples, width); a number above 0 is a 1.
        mapping : (nodes, n), integers: what each node reads, the lowest bit of the address first.
        tables : (nodes, 2^n).
        alpha, beta : scalars.
        """
        powers = 2 ** torch.arange(mapping.shape[1])
        addresses = ((x[:, mapping] > 0) * powers).sum(dim=2).T
        ctx.save_for_backward(addresses, mapping, tables, alpha, beta)
        ctx.width = x.shape[1]
        return tables.gather(1, addresses).T

    @staticmethod
    def backward(ctx: Any, slopes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Slopes of x (samples, width) and of tables, of slopes of entries (samples, nodes)."""
        addresses, mapping, tables, alpha, beta = ctx.saved_tensors
        of_tables = torch.zeros_like(tables).scatter_add_(1, addresses, slopes.T)
        of_x = None
        if ctx.needs_input_grad[0]:
            n = mapping.shape[1]
            # (nodes, addresses, n). A sample reads one address of each node.
            every = (tables @ weights(n, alpha, beta)).reshape(-1, 1 << n, n)
            read = every[torch.arange(len(tables)), addresses.T]
            shares = (read * slopes[:, :, None]).flatten(start_dim=1)
            of_x = slopes.new_zeros(len(slopes), ctx.width)
            of_x.index_add_(1, mapping.flatten(), shares)
        return of_x, None, of_tables, None, None


def weights(n: int, alpha: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """(2^n, 2^n * n): what an entry of a table counts in the slope by an input at an address."""
    addresses = torch.arange(1 << n)
    bits = (addresses[:, None] >> torch.arange(n)) & 1
    differ = bits[:, None].ne(bits).float()
    # Distance without the bit itself.
    distance = differ.sum(dim=2, keepdim=True) - differ
    signs = (2 * bits - 1)[:, None]
    return (signs * alpha * beta**distance).flatten(start_dim=1)
