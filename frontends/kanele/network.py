"""Builds the IR of a KANELÉ network: quantisers with real-valued edge functions between them."""

from __future__ import annotations

from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.frontends.kanele.checkpoint import Layer, Parameters
from kan_dialect.frontends.kanele.config import Architecture
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.quant import (
    MAX_STORAGE_BITS,
    UniformQuantizedType,
    default_bounds,
    storage_for,
)
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp


def input_type(shape: Architecture, scale: float) -> UniformQuantizedType:
    """Type of the input codes: unsigned, as the hardware sees them, with the zero point in the
    middle.
    """
    return UniformQuantizedType(shape.bits[0], False, scale, shape.input_zero_point)


def build_network(
    name: str, shape: Architecture, splines: tuple[int, str], parameters: Parameters
) -> ModuleOp:
    """Build a function at table level whose edges `kan-fold-tables` turns into tables.

    Parameters
    ----------
    splines : degree, and name of the base function.

    Raises
    ------
    KanError : the sums of a layer need more than `MAX_STORAGE_BITS` bits.
    """
    block = Block(arg_types=[TensorType(f32, (shape.widths[0],))])

    def add(op: Operation) -> SSAValue:
        block.add_op(op)
        return op.results[0]

    first = parameters.input
    normal = add(AffineOp(block.args[0], first.gain, first.offset))
    codes = add(QuantizeOp(normal, input_type(shape, first.scale)))
    for index, layer in enumerate(parameters.layers):
        layer_name = f"layer{index}"
        bits = shape.bits[index + 1]
        x = add(DequantizeOp(codes))
        spline = add(BSplineOp(x, splines[0], layer.knots, layer.coefficients, name=layer_name))
        base = add(BaseOp(splines[1], x, layer.base_weights))
        edges = add(arith.AddfOp(spline, base))
        node_type = UniformQuantizedType(bits, True, layer.scale)
        edge_codes = add(QuantizeOp(edges, node_type, mask=layer.mask))
        sums = add(
            NodeSumOp(
                edge_codes,
                mask=layer.mask,
                result_type=TensorType(_sum_type(layer, bits, layer_name), layer.mask.shape[:1]),
                name=layer_name,
            )
        )
        codes = add(RequantizeOp(sums, node_type, name=layer_name))
    result = add(DequantizeOp(codes))
    return module_of(name, block, result)


def _sum_type(layer: Layer, bits: int, name: str) -> UniformQuantizedType:
    """Smallest storage for the sum of all unpruned edges of a node."""
    low, high = default_bounds(bits, True)
    kept = max(1, int(layer.mask.sum(axis=1).max()))
    width, signed = storage_for(low * kept, high * kept)
    if width > MAX_STORAGE_BITS:
        raise KanError(
            f"{name}: sums of {kept} edges of {bits} bits need {width} bits, more than "
            f"{MAX_STORAGE_BITS}",
            remedy="use fewer bits or prune edges",
        )
    return UniformQuantizedType(width, signed, layer.scale)
