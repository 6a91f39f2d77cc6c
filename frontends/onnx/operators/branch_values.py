"""Gives the values at which an operator branches, clips, rounds or has a kink."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.frontends.onnx.operators.elementwise import COMPARISONS
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array

_KINKS = frozenset({"Abs", "Celu", "Elu", "LeakyRelu", "PRelu", "Relu", "Selu", "Sign"})
"""Operators with a kink or a jump at 0."""

_INTEGER_STEPS = np.arange(-3.0, 4.0)
_ROUNDING_STEPS = np.arange(-2.5, 3.0)
"""Values near 0 at which rounding operators jump; jumps farther away are not tried."""

DECISIONS = frozenset(
    {"Cast", "CastLike", "Ceil", "Floor", "Mod", "Round", "Shrink", "Sign", "ThresholdedRelu"}
    | {*COMPARISONS}
)
"""Operators with a discontinuous result."""

BRANCHES = frozenset(
    {"Cast", "CastLike", "Ceil", "Clip", "Floor", "Max", "Min", "Round", "ThresholdedRelu"}
    | {"HardSigmoid", "HardSwish", "Shrink", *_KINKS, *COMPARISONS}
)
"""Operators with branch values."""


def limits_of(
    node: Node, known: Sequence[Array | None], *, exact: bool
) -> list[tuple[int, Array | int]]:
    """Branch values of a node: pairs of an operand's index and what it is compared with.

    An operand is compared with a constant array, or with the operand of the second index.

    Parameters
    ----------
    known : constant operands; None for others.
    exact : whether the result is an integer or a truth value.
    """
    kind = node.op_type
    if kind in COMPARISONS or kind in ("Max", "Min"):
        pairs = [_pair(known, each) for each in range(1, len(known))]
        return [pair for pair in pairs if pair is not None]
    found: Sequence[float] = ()
    if kind == "Clip":
        return [(0, bound) for bound in known[1:3] if bound is not None]
    if kind in ("Ceil", "Floor") or (kind in ("Cast", "CastLike") and exact):
        found = _INTEGER_STEPS.tolist()
    elif kind == "Round":
        found = _ROUNDING_STEPS.tolist()
    elif kind == "ThresholdedRelu":
        found = [node.number("alpha", 1.0)]
    elif kind == "Shrink":
        limit = node.number("lambd", 0.5)
        found = [-limit, limit]
    elif kind == "HardSigmoid":
        alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
        found = [(end - beta) / alpha for end in (0.0, 1.0) if alpha]
    elif kind == "HardSwish":
        found = [-3.0, 3.0]
    elif kind in _KINKS:
        found = [0.0]
    return [(0, np.array(each)) for each in found]


def _pair(known: Sequence[Array | None], second: int) -> tuple[int, Array | int] | None:
    first, other = known[0], known[second]
    if other is not None:
        return None if first is not None else (0, other)
    return (0, second) if first is None else (second, first)
