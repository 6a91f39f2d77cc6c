"""Finds the codes at the ends of a table-level function, and the affine that the host computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import TensorType
from xdsl.ir import BlockArgument, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, to_floats
from kan_dialect.ir.semantics import is_float, shape_of
from kan_dialect.ops.layer import AffineOp, reads_argument
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp


def code_values(function: func.FuncOp) -> tuple[Sequence[SSAValue], Sequence[SSAValue]]:
    """The codes next to the arguments and results of a table-level function.

    Affines between an argument and its quantiser belong to the meaning of the codes
    (`host_affine`).

    Raises
    ------
    KanError : an argument is not quantised.
    """

    block = function.body.block
    sources: list[SSAValue] = []
    for argument in block.args:
        codes = _codes_of_argument(argument)
        if codes is not None:
            sources.append(codes)
        elif isinstance(argument.type, TensorType) and is_float(argument):
            raise KanError(
                f"the model has no codes yet: argument {argument.index} of "
                f"@{function.sym_name.data} is not read by one kan.quantize alone",
                remedy="quantise it first (kan-quantize, or kan-compile), or leave --codes out",
            )
        else:
            sources.append(argument)
    terminator = block.last_op
    assert terminator is not None
    results: list[SSAValue] = []
    for output in terminator.operands:
        owner = output.owner
        results.append(owner.operands[0] if isinstance(owner, DequantizeOp) else output)
    return sources, results


def _codes_of_argument(argument: SSAValue) -> SSAValue | None:
    """The codes of an argument whose only reader is a `kan.quantize`, possibly behind affines."""

    value = argument
    while (use := value.get_unique_use()) is not None:
        op = use.operation
        if isinstance(op, QuantizeOp):
            return op.result
        if not isinstance(op, AffineOp):
            break
        value = op.result
    return None


def rounded_argument(op: RequantizeOp) -> int | None:
    """The index of the argument whose port codes an op rounds; None of other requantisations."""
    quantize = op.input.owner
    if not isinstance(quantize, QuantizeOp) or not reads_argument(quantize.input):
        return None
    value = quantize.input
    while isinstance(value.owner, AffineOp):
        value = value.owner.input
    assert isinstance(value, BlockArgument)
    return value.index


def rounded_codes(codes: SSAValue) -> SSAValue:
    """The codes that a network reads: those of its ports, or what the hardware rounds them to."""
    use = codes.get_unique_use()
    op = None if use is None else use.operation
    if isinstance(op, RequantizeOp) and rounded_argument(op) is not None:
        return op.result
    return codes


def host_affine(codes: SSAValue) -> tuple[FloatArray, FloatArray] | None:
    """The affine that the host computes in front of a port's codes; None without one.

    Real inputs x become the codes of `x * gain + offset`, in float64. Several affines are composed,
    which may round differently: a code can then differ for a value within that rounding of the
    middle between two codes.

    Returns
    -------
    gain, offset : (in), float64.
    """

    quantize = codes.owner
    if not isinstance(quantize, QuantizeOp) or not isinstance(quantize.input.owner, AffineOp):
        return None
    value: SSAValue = quantize.input
    gain, offset = np.ones(shape_of(value)), np.zeros(shape_of(value))
    while isinstance(value.owner, AffineOp):
        affine = value.owner
        offset = offset + gain * to_floats(affine.bias)
        gain = gain * to_floats(affine.scale)
        value = affine.input
    return gain, offset
