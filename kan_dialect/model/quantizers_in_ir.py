"""Reads the quantisers of a network from its function at table level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import BlockArgument, SSAValue

from kan_dialect.analysis.quantization_points import is_spline
from kan_dialect.evaluate.code_ports import code_values, host_affine, rounded_argument
from kan_dialect.evaluate.edge_tables import find_chain
from kan_dialect.ir.attributes.module_attributes import fixed_output_codes
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.types import is_quantized, quantized_type, tensor_shape
from kan_dialect.model.quantizers import Argument, Codes, Edges, Grid, Layer, Quantizers
from kan_dialect.ops.layer import AffineOp, ConcatOp, NodeSumOp, reads_argument
from kan_dialect.ops.spline import BSplineOp
from kan_dialect.ops.table import QuantizeOp, RequantizeOp, TablesOp


def quantized_functions(module: ModuleOp) -> Iterator[func.FuncOp]:
    """The functions at table level that quantise an argument."""
    for op in functions_of(module):
        if is_spline(op):
            continue
        quantizers = [each for each in op.body.block.ops if isinstance(each, QuantizeOp)]
        if any(reads_argument(each.input) for each in quantizers):
            yield op


def quantizers_of(function: func.FuncOp) -> Quantizers:
    """The quantisers of a function at table level."""
    arguments: dict[int, Argument] = {}
    layers: list[Layer] = []
    place: dict[SSAValue, int] = {}
    reads: dict[SSAValue, tuple[str, ...]] = {}

    def add(value: SSAValue, layer: Layer) -> None:
        place[value] = len(layers)
        reads[value] = (layer.name,)
        layers.append(layer)

    for op in function.body.block.ops:
        match op:
            case QuantizeOp() if reads_argument(op.input):
                index = _argument_index(op.input)
                reads[op.result] = (f"input{index}",)
                arguments[index] = _argument(op, f"input{index}")
            case QuantizeOp() | TablesOp() if len(tensor_shape(op.result)) == 1:
                source, splines = _source(op)
                name = f"layer{len(layers)}"
                codes = _codes(op.result)
                add(op.result, Layer(name, reads.get(source, ()), codes, True, splines=splines))
            case NodeSumOp() if is_quantized(op.edges):
                source, splines = _source(op.edges.owner)
                name = op.given_name or f"layer{len(layers)}"
                nodes = _codes(op.result)
                edges = _edges(op)
                add(op.result, Layer(name, reads.get(source, ()), nodes, False, edges, splines))
            case RequantizeOp() if (argument := rounded_argument(op)) is not None:
                outer = arguments[argument]
                codes = _codes(op.result)
                gain, offset = op.affine or (outer.gain, outer.offset)
                arguments[argument] = replace(
                    outer, codes=codes, port=outer.codes, gain=gain, offset=offset
                )
                reads[op.result] = reads[op.input]
            case RequantizeOp() if op.input in place and layers[place[op.input]].saturates:
                # Results of a layer whose codes are rounded to those of their ports.
                name = f"layer{len(layers)}"
                add(op.result, Layer(name, reads[op.input], _codes(op.result), True))
            case RequantizeOp() if op.input in place:
                index = place[op.input]
                layers[index] = replace(layers[index], nodes=_codes(op.result), saturates=True)
                place[op.result] = index
                reads[op.result] = reads[op.input]
            case ConcatOp() if is_quantized(op.result):
                reads[op.result] = tuple(name for v in op.inputs for name in reads.get(v, ()))
            case _:
                pass
    for index in _fixed_layers(function, place):
        layers[index] = replace(layers[index], fixed=True)
    in_order = tuple(argument for _, argument in sorted(arguments.items()))
    return Quantizers(function.sym_name.data, in_order, tuple(layers))


def _fixed_layers(function: func.FuncOp, place: Mapping[SSAValue, int]) -> set[int]:
    """The layers whose results have ports of fixed codes, by their place."""
    fixed, found = fixed_output_codes(function), set[int]()
    if fixed is None:
        return found
    start = 0
    for value in code_values(function)[1]:
        if fixed[start] is not None and value in place:
            found.add(place[value])
        start += tensor_shape(value)[0]
    return found


def _codes(value: SSAValue) -> Codes:
    element = quantized_type(value)
    low, high = bounds_of(value)
    per_tensor = element.axis is None
    return Codes(
        low,
        high,
        element.scales[0] if per_tensor else element.scales,
        element.zero_points[0] if per_tensor else element.zero_points,
    )


def _argument_index(value: SSAValue) -> int:
    """The index of the argument that a value is an affine of."""
    while not isinstance(value, BlockArgument):
        assert isinstance(value.owner, AffineOp)
        value = value.owner.input
    return value.index


def _argument(op: QuantizeOp, name: str) -> Argument:
    codes = _codes(op.result)
    affine = host_affine(op.result)
    gain, offset = (np.ones(len(codes)), np.zeros(len(codes))) if affine is None else affine
    return Argument(codes, gain, offset, name)


def _source(op: object) -> tuple[SSAValue, tuple[Grid, ...]]:
    """The codes that edges read, and the grids of the B-splines of these edges."""
    assert isinstance(op, QuantizeOp | TablesOp)
    if isinstance(op, TablesOp):
        return op.input, ()
    chain = find_chain(op.input)
    if chain is None:
        return op.input, ()
    splines = [each for each in chain.ops if isinstance(each, BSplineOp)]
    return chain.source, tuple(Grid(s.degree.value.data, s.knot_vector) for s in splines)


def _edges(op: NodeSumOp) -> Edges:
    kept = op.mask_array
    low, high = bounds_of(op.edges)
    scales = quantized_type(op.edges)
    return Edges(
        scales.scales[0] if scales.axis is None else scales.scales,
        kept,
        np.where(kept, low, 0),
        np.where(kept, high, 0),
        op.bias_array,
    )
