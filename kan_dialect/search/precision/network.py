"""A table-level function that is a chain of layers, as arrays read from the IR and written back.

Codes are bit patterns: indices of tables, as in hardware. Codes of hidden nodes start from 0, which
also makes saturation cheap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import AnyFloat, ModuleOp, TensorType
from xdsl.ir import Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from kan_dialect.analysis.quantization_points import is_spline
from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values, rounded_codes
from kan_dialect.ir.attributes.module_attributes import fixed_output_codes
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray, to_integers
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.quant import MAX_STORAGE_BITS, UniformQuantizedType, storage_for
from kan_dialect.ir.rounding import round_shift
from kan_dialect.ir.types import bounds_constant, is_quantized, quantized_type
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp, TablesOp

MAX_INPUT_BITS = 10
"""Most bits of a code that a layer reads; the search evaluates every pattern."""


@dataclass
class TableLayer:
    """A layer: edges as tables, exact sums, and the codes of its nodes.

    Parameters
    ----------
    tables : (out, in, patterns), int64, in units of the node's sum; 0 where there is no edge.
    input_bits : (in), bits of each input's code; patterns beyond them are not read.
    bias : (out), int64, added to the sum.
    shift : (out), int64: a node's code is its sum divided by 2^shift, rounded half to even, ...
    zero : (out), int64: ... plus this, ...
    sizes : (out), int64: ... saturated to 0 .. size - 1. None of the last layer, whose results are
        its sums.
    scales : (out), float64: real value of one unit of a sum.
    """

    tables: IntArray
    input_bits: IntArray
    bias: IntArray
    shift: IntArray
    zero: IntArray
    sizes: IntArray | None
    scales: FloatArray

    def sums(self, codes: IntArray) -> IntArray:
        """Sums of the nodes (out, samples) for codes (in, samples)."""
        found = np.zeros((len(self.bias), codes.shape[1]), dtype=np.int64)
        found += self.bias[:, np.newaxis]
        for index, column in enumerate(codes):
            found += self.tables[:, index][:, column]
        return found

    def code_of(self, node: int, sums: IntArray) -> IntArray:
        """The codes that sums of one node become, of any shape."""
        assert self.sizes is not None
        shift = int(self.shift[node])
        value = sums if shift == 0 else np.rint(sums * 2.0**-shift).astype(np.int64)
        return np.clip(value + self.zero[node], 0, self.sizes[node] - 1)

    def codes(self, sums: IntArray) -> IntArray:
        """Codes of the nodes (out, samples) for their sums."""
        return np.stack([self.code_of(node, row) for node, row in enumerate(sums)])

    @property
    def kept(self) -> BoolArray:
        """Whether each edge is not constant, (out, in)."""
        counts: IntArray = np.left_shift(1, self.input_bits)[:, np.newaxis]
        read = np.arange(self.tables.shape[2], dtype=np.int64) < counts
        low = np.where(read, self.tables, self.tables[..., :1]).min(axis=2)
        high = np.where(read, self.tables, self.tables[..., :1]).max(axis=2)
        return low < high


@dataclass
class TableChain:
    """Layers that read the codes of the previous layer only."""

    layers: list[TableLayer]

    def copy(self) -> TableChain:
        return deepcopy(self)

    def outputs(self, codes: IntArray) -> IntArray:
        """Results (out, samples) for bit patterns of the input codes (in, samples)."""
        for layer in self.layers[:-1]:
            codes = layer.codes(layer.sums(codes))
        return self.layers[-1].sums(codes)

    @property
    def edges(self) -> int:
        """Number of edges that are not constant."""
        return sum(int(layer.kept.sum()) for layer in self.layers)

    @property
    def is_constant(self) -> bool:
        """Whether no path of edges leads from an input to a result."""
        live = np.ones(self.layers[0].tables.shape[1], dtype=np.bool_)
        for layer in self.layers:
            live = (layer.kept & live).any(axis=1)
        return not bool(live.any())


def table_functions(module: ModuleOp) -> Iterator[func.FuncOp]:
    """Functions at table level."""
    for op in functions_of(module):
        inner = op.body.block.ops
        if is_spline(op):
            continue
        if any(isinstance(each, TablesOp | QuantizeOp | NodeSumOp) for each in inner) and (
            any(is_quantized(argument) for argument in op.args)
            or any(isinstance(each, QuantizeOp) for each in inner)
        ):
            yield op


@dataclass(frozen=True)
class ResultCodes:
    """Codes of results that have formats: (out) each.

    Parameters
    ----------
    scale, zero : a code q stands for (q - zero) * scale.
    low, high : the least and the greatest code.
    """

    scale: FloatArray
    zero: IntArray
    low: IntArray
    high: IntArray

    def numbers(self, sums: IntArray, scales: FloatArray) -> FloatArray:
        """Real results (samples, out) of sums (out, samples) with scales (out)."""
        shifts = np.rint(np.log2(self.scale / scales)).astype(np.int64)
        codes = np.stack(
            [round_shift(row, int(shift)) for row, shift in zip(sums, shifts, strict=True)], axis=1
        )
        codes = np.clip(codes + self.zero, self.low, self.high)
        return (codes - self.zero) * self.scale


def read_chain(function: func.FuncOp) -> TableChain | None:
    """The layers of a table-level function; None if it is no chain, or reads too wide codes.

    Results are the sums before a saturation.
    """
    ops = _layer_ops(function)
    if ops is None:
        return None
    layers: list[TableLayer] = []
    for lookup, sums, requantize in ops:
        lower, upper = bounds_of(lookup.input)
        ends = list(zip(lower.tolist(), upper.tolist(), strict=True))
        # Codes of hidden nodes start from 0.
        patterns: list[IntArray] = [
            _patterns(0, high - low) if layers else _patterns(low, high) for low, high in ends
        ]
        bits = np.array([max(1, int(each.max()).bit_length()) for each in patterns])
        if int(bits.max()) > MAX_INPUT_BITS:
            return None
        base = quantized_type(lookup.input).bounds[0]
        given = to_integers(lookup.tables) * sums.mask_array[..., np.newaxis]
        tables = np.zeros((*given.shape[:2], 1 << int(bits.max())), dtype=np.int64)
        for index, pattern in enumerate(patterns):
            first = int(lower[index]) - base
            # Entries that no code reads repeat the last one: any would do.
            tables[:, index] = given[:, index, first + len(pattern) - 1, np.newaxis]
            tables[:, index, pattern] = given[:, index, first : first + len(pattern)]
        nodes = len(given)
        scales = np.broadcast_to(quantized_type(sums.result).scale_for(1), (nodes,)).copy()
        none = np.zeros(nodes, dtype=np.int64)
        if requantize is None or len(layers) == len(ops) - 1:
            shift, zero, sizes = none, none.copy(), None
        else:
            low, high = bounds_of(requantize.result)
            points = quantized_type(requantize.result).zero_point_for(1)
            shift, zero, sizes = requantize.shifts.copy(), points - low, high - low + 1
        bias = sums.bias_array.astype(np.int64)
        layers.append(TableLayer(tables, bits, bias.copy(), shift, zero, sizes, scales))
    return TableChain(layers)


def widest_code(function: func.FuncOp) -> int | None:
    """Bits of the widest code that a layer of a chain reads; None if the function is no chain."""
    ops = _layer_ops(function)
    if ops is None:
        return None
    return max(
        storage_for(low, high)[0]
        for lookup, _, _ in ops
        for low, high in zip(*(ends.tolist() for ends in bounds_of(lookup.input)), strict=True)
    )


def input_patterns(function: func.FuncOp, codes: IntArray) -> IntArray:
    """Bit patterns (in, samples) of input codes (samples, in) of a table-level function."""
    sources, _ = code_values(function)
    source = rounded_codes(sources[0])
    if isinstance(source.owner, RequantizeOp):
        (codes,) = source.owner.evaluate([codes])
    lower, upper = bounds_of(source)
    ends = zip(lower.tolist(), upper.tolist(), strict=True)
    widths = [storage_for(low, high)[0] for low, high in ends]
    return codes.T & (np.left_shift(1, widths)[:, np.newaxis] - 1)


def result_codes(function: func.FuncOp) -> ResultCodes | None:
    """The formats of a function's output ports; None if its results are sums.

    Raises
    ------
    KanError : sums have different scales.
    """
    ops = _layer_ops(function)
    if ops is None or fixed_output_codes(function) is None:
        return None
    _, sums, last = ops[-1]
    if last is None:
        return None
    if len(np.unique(quantized_type(sums.result).scales)) > 1:
        raise KanError(
            f"@{function.sym_name.data} has results of different scales, and precision is refined "
            "for one scale of all",
            remedy="give formats of outputs whose scales differ by powers of two",
        )
    element, (lower, upper) = quantized_type(last.result), bounds_of(last.result)
    return ResultCodes(
        np.broadcast_to(element.scale_for(1), lower.shape),
        np.broadcast_to(element.zero_point_for(1), lower.shape),
        lower,
        upper,
    )


def write_chain(function: func.FuncOp, chain: TableChain, *, saturate: bool = False) -> None:
    """Replace the layers of a function, from its input codes on.

    Parameters
    ----------
    saturate : saturate results as the function does, which needs the same scale; otherwise results
        are the sums, or rounded to the formats of their ports.

    Raises
    ------
    KanError : a sum needs more bits than a code can have.
    """
    ops = _layer_ops(function)
    assert ops is not None and len(ops) == len(chain.layers)
    codes = ops[0][0].input
    terminator = function.get_return_op()
    assert terminator is not None
    dequantize = terminator.operands[0].owner
    result = terminator.operands[0]
    place = InsertPoint.before(dequantize if isinstance(dequantize, DequantizeOp) else terminator)
    added: list[Operation] = []
    for (lookup, sums, _), layer in zip(ops, chain.layers, strict=True):
        written = _layer_of(codes, layer, lookup, sums, first=not added)
        added.extend(written)
        codes = written[-1].results[0]
    last = ops[-1][2]
    if last is not None and (saturate or fixed_output_codes(function) is not None):
        added.append(
            RequantizeOp(
                codes, quantized_type(last.result), bounds=last.bounds, name=last.given_name
            )
        )
        codes = added[-1].results[0]
    if isinstance(dequantize, DequantizeOp):
        added.append(DequantizeOp(codes))
        codes = added[-1].results[0]
    Rewriter.insert_op(added, place)
    result.replace_uses_with_if(codes, lambda use: use.operation is terminator)
    function.update_function_type()
    for op in reversed(list(function.body.block.ops)):
        if isinstance(op, TablesOp | NodeSumOp | RequantizeOp | DequantizeOp) and not any(
            value.uses for value in op.results
        ):
            Rewriter.erase_op(op)


def _layer_ops(
    function: func.FuncOp,
) -> list[tuple[TablesOp, NodeSumOp, RequantizeOp | None]] | None:
    """The ops of each layer, in order; None if they are no chain with one input and one result, or
    sums are rounded to other multiples than powers of two.
    """
    terminator = function.get_return_op()
    if len(function.args) != 1 or terminator is None or len(terminator.operands) != 1:
        return None
    sources, results = code_values(function)
    found: list[tuple[TablesOp, NodeSumOp, RequantizeOp | None]] = []
    value: SSAValue = results[0]
    source = rounded_codes(sources[0])
    while value is not source:
        requantize = value.owner if isinstance(value.owner, RequantizeOp) else None
        sums = value.owner if requantize is None else requantize.input.owner
        if not isinstance(sums, NodeSumOp) or not isinstance(sums.edges.owner, TablesOp):
            return None
        lookup = sums.edges.owner
        if requantize is None and found:
            # The next layer reads the sums: they are codes that never saturate.
            return None
        if requantize is not None and requantize.affine is not None:
            return None
        found.append((lookup, sums, requantize))
        value = lookup.input
    return found[::-1] or None


def _patterns(low: int, high: int) -> IntArray:
    """Bit patterns of the codes low..high, in order."""
    bits, _ = storage_for(low, high)
    codes: IntArray = np.arange(low, high + 1)
    return codes & ((1 << bits) - 1)


def _layer_of(
    codes: SSAValue, layer: TableLayer, lookup: TablesOp, sums: NodeSumOp, *, first: bool
) -> Sequence[Operation]:
    """The ops of a layer that reads `codes`, named like those that they replace."""
    lower, upper = bounds_of(codes) if first else (None, None)
    low, high = quantized_type(codes).bounds
    mask = layer.kept
    count = high - low + 1
    tables = np.zeros((*mask.shape, count), dtype=np.int64)
    bias = layer.bias.copy()
    for index, bits in enumerate(layer.input_bits.tolist()):
        if lower is not None and upper is not None:
            pattern = _patterns(int(lower[index]), int(upper[index]))
            start = int(lower[index]) - low
        else:
            pattern, start = _patterns(0, min(count, 1 << bits) - 1), 0
        kept = mask[:, index]
        bias += np.where(kept, 0, layer.tables[:, index, 0])
        tables[kept, index, start : start + len(pattern)] = layer.tables[kept, index][:, pattern]
    at_least, at_most = tables.min(axis=2), tables.max(axis=2)
    expressed = quantized_type(sums.result).expressed_type
    edge_type = _type_of(layer.scales, at_least, at_most, expressed, lookup)
    edges = TablesOp(
        codes,
        tables,
        edge_type,
        bounds=bounds_constant(TensorType(edge_type, mask.shape), at_least, at_most),
        name=lookup.given_name,
    )
    low_sum, high_sum = at_least.sum(axis=1) + bias, at_most.sum(axis=1) + bias
    sum_type = _type_of(layer.scales, low_sum, high_sum, expressed, lookup)
    whole = TensorType(sum_type, low_sum.shape)
    total = NodeSumOp(
        edges,
        mask=mask,
        bias=bias,
        bounds=bounds_constant(whole, low_sum, high_sum),
        result_type=whole,
        name=sums.given_name,
    )
    if layer.sizes is None:
        return [edges, total]
    largest = int(layer.sizes.max()) - 1
    code_type = UniformQuantizedType(
        storage_for(0, max(1, largest))[0],
        False,
        layer.scales * np.exp2(layer.shift),
        layer.zero,
        axis=0,
        bounds=(0, max(1, largest)),
        expressed=expressed,
    )
    bounds = bounds_constant(
        TensorType(code_type, layer.sizes.shape), np.zeros_like(layer.sizes), layer.sizes - 1
    )
    return [edges, total, RequantizeOp(total, code_type, bounds=bounds, name=sums.given_name)]


def _type_of(
    scales: FloatArray, lower: IntArray, upper: IntArray, expressed: AnyFloat, lookup: TablesOp
) -> UniformQuantizedType:
    """A type for codes lower .. upper and 0, with zero point 0."""
    bits, signed = storage_for(min(int(lower.min()), 0), max(int(upper.max()), 0))
    if bits > MAX_STORAGE_BITS:
        raise KanError(
            f"{lookup.given_name or 'a layer'}: its sums need {bits} bits, more than "
            f"{MAX_STORAGE_BITS}"
        )
    one = bool((scales == scales[0]).all())
    return UniformQuantizedType(
        bits,
        signed,
        float(scales[0]) if one else scales,
        axis=None if one else 0,
        expressed=expressed,
    )
