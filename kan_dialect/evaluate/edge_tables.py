"""Tabulates chains of univariate ops between two quantisers, at every code of their input.

A chain starts at a tensor of codes. Each element of its result depends on one input only, so one
run over all codes, shared by all inputs, gives every table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.evaluate.interpreter import evaluate_values
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import FloatArray, IntArray
from kan_dialect.ir.semantics import is_univariate
from kan_dialect.ir.types import quantized_type, tensor_shape
from kan_dialect.limits import require_evaluable
from kan_dialect.ops.table import HALF_EVEN, DequantizeOp, QuantizeOp, quantize


@dataclass(frozen=True)
class Chain:
    """A chain of univariate ops, in order, from codes to a real value."""

    source: SSAValue
    """tensor<in x !quant.uniform>"""
    value: SSAValue
    """The result: (in) or (out, in)."""
    ops: tuple[Operation, ...]
    name: str = "an edge function"
    """Name for messages."""


def find_chain(value: SSAValue, layer: str = "an edge function") -> Chain | None:
    """Find the chain that computes a real value; None if an op on the way is not univariate.

    Parameters
    ----------
    layer : name for messages.

    Raises
    ------
    KanError : the value depends on two different tensors of codes.
    """
    sources: list[SSAValue] = []
    seen: set[Operation] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        owner = current.owner
        if isinstance(owner, Block):
            return None
        if owner in seen:
            continue
        seen.add(owner)
        if isinstance(owner, DequantizeOp):
            if owner.input not in sources:
                sources.append(owner.input)
            continue
        if not is_univariate(owner):
            return None
        pending.extend(owner.operands)
    if len(sources) > 1:
        raise KanError(
            f"{layer} depends on two different tensors of codes",
            remedy="put them side by side with kan.concat, or sum the layers' edges first",
        )
    if not sources:
        return None
    block = value.owner.parent if isinstance(value.owner, Operation) else None
    assert block is not None
    return Chain(sources[0], value, tuple(op for op in block.ops if op in seen), layer)


def has_real_edges(module: Operation) -> bool:
    """Whether a module or function computes edge functions in floats between quantisers."""
    return any(
        isinstance(op, QuantizeOp) and find_chain(op.input) is not None for op in module.walk()
    )


def evaluate_chain(chain: Chain) -> FloatArray:
    """Evaluate a chain at every code of its source.

    A code that the bounds of an input exclude gives the value of the nearest allowed code.

    Returns
    -------
    (entries, in) or (entries, out, in), float64; entry k belongs to the code `low + k`.

    Raises
    ------
    KanError : there are too many entries to compute.
    """
    low, high = quantized_type(chain.source).bounds
    lower, upper = bounds_of(chain.source)
    shape = tensor_shape(chain.value)
    require_evaluable(high - low + 1, math.prod(shape), chain.name)
    codes = np.arange(low, high + 1, dtype=np.int64)[:, np.newaxis]
    allowed = np.clip(codes, lower, upper)
    (values,) = evaluate_values([chain.value], {chain.source: allowed}, ops=chain.ops)
    return values


def require_no_nan(values: FloatArray, chain: Chain, layer: str) -> None:
    """Refuse a chain with NaN values.

    Raises
    ------
    KanError : names the edge, the code, and the real input of the first NaN.
    """
    bad = np.argwhere(np.isnan(values))
    if not bad.size:
        return
    entry, *edge = bad[0].tolist()
    raise KanError(
        f"{layer}: edge [{', '.join(map(str, edge))}] is not a number for "
        f"{place_of(chain, entry, edge[-1])}",
        remedy="its function is not defined there; calibrate with data inside its domain",
    )


def place_of(chain: Chain, entry: int, edge: int) -> str:
    """The code of a table entry, and the real value that it stands for, for messages."""
    element = quantized_type(chain.source)
    code = int(np.clip(entry + element.bounds[0], *(b[edge] for b in bounds_of(chain.source))))
    one = element.element([edge])
    x = (code - int(one.zero_points[0])) * float(one.scales[0])
    return f"code {code} (x = {x:g})"


def code_table(
    values: FloatArray,
    scale: FloatArray,
    zero_point: IntArray,
    lower: IntArray,
    upper: IntArray,
    rounding: str = HALF_EVEN,
) -> IntArray:
    """Quantise values (entries, ...), float64, to a table of codes (..., entries), int64.

    Parameters
    ----------
    scale, zero_point, lower, upper, rounding : quantiser of the codes; arrays broadcast against the
        values.
    """
    codes = quantize(values, scale, zero_point, lower, upper, rounding)
    return np.moveaxis(codes, 0, -1)
