"""The values at which an operator branches, clips, rounds or has a kink."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kan_dialect.frontends.onnx.operators.elementwise import COMPARISONS
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array

_KINKS = frozenset({"Abs", "Celu", "Elu", "LeakyRelu", "PRelu", "Relu", "Selu", "Sign"})
"""Operators that change at 0."""

_WHOLE = np.arange(-3.0, 4.0)
_HALVES = np.arange(-2.5, 3.0)
"""Of the values at which roundings jump, those that are tried."""

DECISIONS = frozenset(
    {"Cast", "CastLike", "Ceil", "Floor", "Mod", "Round", "Shrink", "Sign", "ThresholdedRelu"}
    | {*COMPARISONS}
)
"""Operators that jump."""

BRANCHES = frozenset(
    {"Cast", "CastLike", "Ceil", "Clip", "Floor", "Max", "Min", "Round", "ThresholdedRelu"}
    | {"HardSigmoid", "HardSwish", "Shrink", *_KINKS, *COMPARISONS}
)
"""Operators that have such values."""


def limits_of(
    node: Node, known: Sequence[Array | None], *, exact: bool
) -> list[tuple[int, Array | int]]:
    """Pairs of an operand and what it is compared with: constants, or another operand.

    Parameters
    ----------
    known : the operands that are constants; None for others.
    exact : whether the result is no float.
    """
    kind = node.op_type
    if kind in COMPARISONS or kind in ("Max", "Min"):
        pairs = [_pair(known, each) for each in range(1, len(known))]
        return [pair for pair in pairs if pair is not None]
    found: Sequence[float] = ()
    if kind == "Clip":
        return [(0, bound) for bound in known[1:3] if bound is not None]
    if kind in ("Ceil", "Floor") or (kind in ("Cast", "CastLike") and exact):
        found = _WHOLE.tolist()
    elif kind == "Round":
        found = _HALVES.tolist()
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
