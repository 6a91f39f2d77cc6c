"""Rounding whose precision is learned with the values.

The gradient of a rounded value by its precision is that of HGQ (Sun et al., arXiv 2405.00645,
section 3): with a bit more the error halves, so its derivative by the number of bits is
-ln 2 · error.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

LN2 = math.log(2.0)


class _RoundToStep(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, bits: Tensor) -> Tensor:
        steps = torch.exp2(bits.round())
        rounded = (values * steps).round() / steps
        context.save_for_backward(values - rounded)
        return rounded

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        (error,) = context.saved_tensors
        return gradient, gradient * error * LN2


def round_to_step(values: Tensor, bits: Tensor) -> Tensor:
    """`values` rounded half to even to multiples of 2^-bits.

    Gradients by `values` are those of the identity (straight through, Bengio et al., arXiv
    1308.3432). Those by `bits` are ln 2 · (values - rounded).

    Parameters
    ----------
    values : (...), float64.
    bits : of the same shape, float64; rounded to whole numbers.
    """
    return _RoundToStep.apply(values, bits)


def straight_through(exact: Tensor, smooth: Tensor) -> Tensor:
    """The values of `exact` with the gradient of `smooth`, of the same shape."""
    return smooth + (exact - smooth).detach()
