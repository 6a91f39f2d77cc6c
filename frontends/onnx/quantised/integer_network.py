"""Writes a quantised graph with the integers of the file.

A graph that is quantised throughout comes out at table level. Layers without integers are written
at spline level, between the quantisers of the file.

Every node sums edges whose values are integer multiples of a unit, at every code of their inputs.
The quantiser of a node is a function of this sum, known at each of its values. Functions are those
of the file's operators, evaluated in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.frontends.onnx.operators.dependence import CONSTANT, Source, Tensor
from kan_dialect.frontends.onnx.quantised.common_units import common_unit
from kan_dialect.frontends.onnx.quantised.sum_rounding import SumCodes
from kan_dialect.frontends.onnx.read.graph import Graph, Node, Unrecognised
from kan_dialect.frontends.onnx.read.quantizers import Quantizer
from kan_dialect.frontends.onnx.recognise.dataflow import Dataflow, QuantizedTensor
from kan_dialect.frontends.onnx.recognise.function_ops import FunctionWriter
from kan_dialect.frontends.onnx.recognise.layers import (
    ImportedNetwork,
    LayerBuilder,
    finished_network,
)
from kan_dialect.frontends.onnx.recognise.linear_terms import affine_in, expand
from kan_dialect.frontends.onnx.recognise.regions import Region, columns_of, region_of
from kan_dialect.frontends.table_network import sum_of_tables
from kan_dialect.ir.code_bounds import bounds_of
from kan_dialect.ir.constants import BoolArray, FloatArray, IntArray
from kan_dialect.ir.quant import MAX_STORAGE_BITS, UniformQuantizedType, storage_for
from kan_dialect.ir.types import bounds_constant, quantized_type
from kan_dialect.ops.layer import AffineOp, ConcatOp, MapOp
from kan_dialect.ops.table import HALF_EVEN, DequantizeOp, QuantizeOp, RequantizeOp, TablesOp

MAX_EVALUATIONS = 1 << 26
"""Most values of a layer's edges, and of its nodes' functions, at all codes and sums."""

MAX_TABLE_BITS = 16
"""Widest sums that a table reads."""

_BIAS_BITS = 8
"""Bits below a unit that a result's bias keeps, if it is not a multiple of the unit."""

_NEAR_INTEGER = 1e-4
"""Distance up to which a multiple of a unit counts as an integer."""

_FLOAT32 = 2.0**-20
"""The same, relative to the multiple, which is computed from float32 values."""

_LEAST_SCALE, _MAX_ZERO_POINT = 1e-30, 1 << 32
"""Scales and zero points that float64 holds with all codes."""

_ZERO = 1e-12
"""Steps of an edge below this share of the largest are rounding."""


def integer_network(graph: Graph) -> ImportedNetwork:
    """The network of a graph's integers, and of real functions where it has none.

    Raises
    ------
    Unrecognised : a quantiser has no place in the network; names the node.
    """
    with np.errstate(all="ignore"):  # Functions may overflow at sums that do not occur.
        dataflow = Dataflow(graph)
        output = dataflow.run()
        block = Block(arg_types=[TensorType(f32, [dataflow.input.size])])
        block.args[0].name_hint = "x"
        builder = _Builder(dataflow, block)
        result = builder.build(output)
    network = finished_network(graph, block, result, builder.layers, dataflow.widest)
    return replace(network, rounding=builder.rounding, real=builder.real)


@dataclass(frozen=True, eq=False)
class _Codes:
    """Codes of a quantiser: code q of element i stands for (q - zero_point[i]) * scale[i].

    The zero point need not be an integer, and the type of the codes may have another one.
    """

    ssa: SSAValue
    scale: FloatArray
    zero_point: FloatArray

    def at(self, codes: IntArray) -> FloatArray:
        """Values (entries, n) of codes (entries); of the nearest code that an element has."""
        return (codes[:, np.newaxis].clip(*bounds_of(self.ssa)) - self.zero_point) * self.scale


@dataclass(frozen=True, eq=False)
class _Parameters:
    """Scale and zero point of each element of a quantiser's result, (n), float64."""

    scale: FloatArray
    zero_point: FloatArray

    @property
    def stored_zero_point(self) -> IntArray:
        """The zero point as a type holds it; 0 where one is not an integer."""
        return (self.zero_point if self.is_whole else 0 * self.zero_point).astype(np.int64)

    def kept_zero_point(self, quantizer: Quantizer) -> IntArray:
        """The zero point of codes that are rounded before it is added; the rest is added before."""
        if not quantizer.is_shifted:
            return np.ceil(self.zero_point).astype(np.int64)
        commutes = {HALF_EVEN: 2, "floor": 1, "ceil": 1}.get(quantizer.rounding)
        whole = self.stored_zero_point
        return 0 * whole if commutes is None else whole - whole % commutes

    @property
    def is_whole(self) -> bool:
        """Whether a type can hold the zero points."""
        return np.array_equal(self.zero_point, np.rint(self.zero_point))

    def codes(self, values: FloatArray) -> IntArray:
        return np.rint(values / self.scale + self.zero_point).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Sum:
    """Nodes as integers: the value of node o is unit[o] * (sum of its tables) + bias[o].

    Attributes
    ----------
    inputs : codes that the tables read, (in).
    tables : (out, in, entries), int64.
    unit, bias : (out), float64.
    """

    inputs: SSAValue
    tables: IntArray
    unit: FloatArray
    bias: FloatArray

    def rows(self, chosen: IntArray) -> _Sum:
        """The sums of some nodes."""
        return _Sum(self.inputs, self.tables[chosen], self.unit[chosen], self.bias[chosen])

    @property
    def mask(self) -> BoolArray:
        return np.logical_or.reduce(self.tables, axis=-1)

    @property
    def ends(self) -> tuple[IntArray, IntArray]:
        """Least and greatest sum of each node, (out)."""
        return self.tables.min(axis=-1).sum(axis=-1), self.tables.max(axis=-1).sum(axis=-1)


class _Builder(LayerBuilder):
    """Writes quantisers and the layers between them into `block`.

    Attributes
    ----------
    rounding : largest rounding of a result's bias.
    real : the first refusal of a layer as integers.
    """

    def __init__(self, dataflow: Dataflow, block: Block) -> None:
        super().__init__(dataflow, block, 0)
        self._codes: dict[Tensor, _Codes] = {}
        self._sums: dict[Tensor, _Sum] = {}
        self.rounding = 0.0
        self.real: Unrecognised | None = None

    def build(self, output: Tensor) -> SSAValue:
        for quantized in self.dataflow.quantized:
            self._add_quantizer(quantized)
        known = self._codes.get(output)
        if known is not None and _is_stored(known):
            return self._add(DequantizeOp(known.ssa))
        return self._or_real(
            lambda: self._add(DequantizeOp(self._result(output))), lambda: self.functions(output)
        )

    def value(self, source: Source) -> SSAValue:
        """The real value of a source; that of the codes of a quantiser."""
        codes = self._codes.get(source.tensor)
        if codes is None or source in self._values:
            return super().value(source)
        value = self._add(DequantizeOp(codes.ssa))
        offset = (quantized_type(codes.ssa).zero_point_for(1) - codes.zero_point) * codes.scale
        if offset.any():
            value = self._add(AffineOp(value, np.ones(source.count), offset))
        self._values[source] = value
        return value

    def _or_real(self, integers: Callable[[], SSAValue], real: Callable[[], SSAValue]) -> SSAValue:
        """What `integers` writes, or, where it is refused, what `real` writes."""
        layers = self.layers
        try:
            return integers()
        except Unrecognised as error:
            self.real = self.real or error
            self.layers = layers
            return real()

    def _add(self, op: Operation) -> SSAValue:
        self.block.add_op(op)
        return op.results[0]

    # Quantisers

    def _add_quantizer(self, quantized: QuantizedTensor) -> None:
        tensor, parameters = quantized.tensor, self._parameters(quantized)
        region = region_of(tensor, self.probe)
        roots = [each for each in region.tensors if each is not tensor and each.is_root]
        if len(roots) != 1 or bool((quantized.variables == CONSTANT).any()):
            raise tensor.op.refuse("it quantises several layers at once")
        (root,) = roots
        assert root.source is not None
        columns = quantized.variables.ravel() - root.source.first

        def integers() -> SSAValue:
            if root is self.dataflow.input:
                return self._quantized_input(quantized, parameters)
            if root in self._codes:
                return self._mapped_codes(region, root, columns, parameters)
            return self._quantized_sum(quantized, region, root, columns, parameters)

        ssa = self._or_real(
            integers, lambda: self._quantized_function(quantized, root, columns, parameters)
        )
        self._codes[tensor] = _Codes(ssa, parameters.scale, parameters.zero_point)

    def _parameters(self, quantized: QuantizedTensor) -> _Parameters:
        found: list[FloatArray] = []
        for given in (quantized.quantizer.scale, quantized.quantizer.zero_point):
            value = given
            if isinstance(given, str):
                value = self.dataflow.value(given) if given else np.zeros(())
            if not isinstance(value, np.ndarray):
                raise quantized.tensor.op.refuse("its scale depends on the input")
            spread = np.broadcast_to(value.astype(np.float64), quantized.tensor.shape)
            found.append(spread.ravel())
        scale, zero_point = found
        if not bool(((scale > _LEAST_SCALE) & (scale < 1 / _LEAST_SCALE)).all()):
            raise quantized.tensor.op.refuse("its scale is not positive, or out of range")
        if not bool((np.abs(zero_point) < _MAX_ZERO_POINT).all()):
            raise quantized.tensor.op.refuse(f"its zero point is beyond {_MAX_ZERO_POINT}")
        return _Parameters(scale, zero_point)

    def _scaled(self, quantized: QuantizedTensor) -> Tensor | None:
        name = quantized.quantizer.scaled
        value = self.dataflow.value(name) if name else None
        return value if isinstance(value, Tensor) else None

    def _quantized_input(self, quantized: QuantizedTensor, parameters: _Parameters) -> SSAValue:
        """Codes of the input: the host computes them from x * gain + offset."""
        node, quantizer = quantized.tensor.op, quantized.quantizer
        x, scaled = self.dataflow.input, self._scaled(quantized)
        if quantizer.rounding != HALF_EVEN or quantizer.bounds is None or scaled is None:
            raise node.refuse("it quantises the input, and does not round half to even")
        line = affine_in(scaled, x)
        if line is None or not np.array_equal(line[0], np.arange(x.size)):
            raise node.refuse("it quantises a function of the input that is not affine")
        if any(isinstance(op, QuantizeOp) for op in self.block.ops):
            raise node.refuse("the input has several quantisers")
        _, gain, offset = line
        zero_point = parameters.stored_zero_point
        if quantizer.is_shifted:
            # Rounding half to even after an odd shift is not rounding before it.
            offset, zero_point = offset - (zero_point - zero_point % 2), zero_point - zero_point % 2
        gain, offset = gain * parameters.scale, offset * parameters.scale
        value: SSAValue = self.block.args[0]
        near = np.isclose(gain, 1.0, rtol=1e-6, atol=0.0)
        if not bool(near.all()) or offset.any():
            value = self._add(AffineOp(value, np.where(near, 1.0, gain), offset))
        element = _code_type(quantizer.bounds, parameters.scale, zero_point)
        return self._add(QuantizeOp(value, element))

    def _quantized_function(
        self,
        quantized: QuantizedTensor,
        root: Tensor,
        columns: IntArray,
        parameters: _Parameters,
    ) -> SSAValue:
        """Codes of a real function of a value that has no codes yet."""
        node, quantizer = quantized.tensor.op, quantized.quantizer
        operand = self.dataflow.value(quantizer.operand) if quantizer.operand else None
        if not isinstance(operand, Tensor) or quantizer.bounds is None:
            raise node.refuse("its codes are not the rounding of a value")
        if not np.array_equal(columns, np.arange(root.size)):
            raise node.refuse("it reorders the values that it quantises")
        assert root.source is not None
        writer = FunctionWriter(self.block, self.value(root.source), self.probe)
        value = writer.value(operand, columns)
        zero_point = parameters.kept_zero_point(quantizer)
        if quantizer.is_shifted:
            offset = (parameters.zero_point - zero_point) * parameters.scale
            value = writer.affine(value, np.ones(root.size), offset)
        low, high = quantizer.bounds
        code_of_zero, owner = int(zero_point[0]), value.owner
        is_relu = isinstance(owner, MapOp) and owner.function.data == "relu"
        if isinstance(owner, MapOp) and is_relu and bool((zero_point == code_of_zero).all()):
            # Codes that saturate at 0 need no ReLU.
            value, low = owner.input, min(max(low, code_of_zero), high - 1)
        if root is self.dataflow.input:
            # A quantiser of the argument itself would be that of a port.
            value = writer.map("identity", value)
        element = _code_type((low, high), parameters.scale, zero_point)
        return self._add(QuantizeOp(value, element, rounding=quantizer.rounding))

    def _mapped_codes(
        self, region: Region, root: Tensor, columns: IntArray, parameters: _Parameters
    ) -> SSAValue:
        """Codes of functions of other codes: a table for each element."""
        read = self._codes[root]
        first, last = quantized_type(read.ssa).bounds
        values = read.at(np.arange(first, last + 1))
        codes = parameters.codes(region.evaluate(root, values))
        if not np.array_equal(columns, np.arange(root.size)):
            raise region.top.op.refuse("it reorders codes and quantises them again")
        ends = codes.min(axis=0), codes.max(axis=0)
        element = _code_type(_reached(*ends), parameters.scale, parameters.stored_zero_point)
        bounds = bounds_constant(TensorType(element, columns.shape), *ends)
        return self._add(TablesOp(read.ssa, codes.T.copy(), element, bounds=bounds))

    def _quantized_sum(
        self,
        quantized: QuantizedTensor,
        region: Region,
        root: Tensor,
        columns: IntArray,
        parameters: _Parameters,
    ) -> SSAValue:
        """Codes of functions of node sums."""
        node = quantized.tensor.op
        whole = self._sum(root)
        known = self._codes_of_sums(quantized, region, root, whole, columns, parameters)
        sums = whole.rows(columns)
        ends = known.codes.min(axis=0), known.codes.max(axis=0)
        constant = ends[0] == ends[1]
        sums.tables[constant] = 0
        name = self.next_name()
        zero_point = parameters.stored_zero_point
        stored = ends[0] + zero_point, ends[1] + zero_point
        element = _code_type(_reached(*stored), parameters.scale, zero_point)
        bounds = bounds_constant(TensorType(element, columns.shape), *stored)
        division = known.division()
        if division is not None:
            unit = parameters.scale / np.exp2(division.shift)
            tables = sums.tables * division.factor[:, np.newaxis, np.newaxis]
            integers = self._summed(sums, tables, unit, division.bias, name, node)
            return self._add(RequantizeOp(integers, element, bounds=bounds, name=name))
        integers = self._summed(sums, sums.tables, sums.unit, None, name, node)
        storage = quantized_type(integers)
        affine = known.affine(sums.unit, parameters.scale)
        # Where codes are as fine as sums, tables go into the edges that read them.
        if affine is not None and storage.bits > element.bits:
            requantize = RequantizeOp(integers, element, bounds=bounds, name=name, affine=affine)
            return self._add(requantize)
        if storage.bits > MAX_TABLE_BITS:
            raise node.refuse(
                f"its codes are no rounded line, and its sums have {storage.bits} bits, more than "
                f"the {MAX_TABLE_BITS} of a table",
                "use fewer bits or inputs, or activations that are linear between their ends",
            )
        first, last = storage.bounds
        codes = np.arange(first, last + 1)[:, np.newaxis]
        places = (codes - known.sums[0]).clip(0, len(known.sums) - 1)
        tables = np.take_along_axis(known.codes, places, axis=0).T + zero_point[:, np.newaxis]
        return self._add(TablesOp(integers, tables, element, bounds=bounds))

    def _codes_of_sums(
        self,
        quantized: QuantizedTensor,
        region: Region,
        root: Tensor,
        sums: _Sum,
        columns: IntArray,
        parameters: _Parameters,
    ) -> SumCodes:
        """The codes, less their zero point, of the file's operators at every sum."""
        low, high = sums.ends
        entries = max(2, int((high - low).max()) + 1)
        self._require_few(entries * root.size, quantized.tensor.op)
        integers = np.minimum(low + np.arange(entries)[:, np.newaxis], high)
        points = integers * sums.unit + sums.bias
        codes = parameters.codes(region.evaluate(root, points)) - parameters.stored_zero_point
        top = self._scaled(quantized)
        scaled = None
        if top is not None:
            scaled = region_of(top, self.probe).evaluate(root, points)
            if quantized.quantizer.is_shifted:
                scaled = scaled - parameters.stored_zero_point
        return SumCodes(integers[:, columns], codes, scaled)

    # Sums

    def _sum(self, tensor: Tensor) -> _Sum:
        if tensor not in self._sums:
            self._sums[tensor] = self._make_sum(tensor)
        return self._sums[tensor]

    def _make_sum(self, tensor: Tensor) -> _Sum:
        node = tensor.op
        expansion = expand(tensor, lambda each, _: each is not tensor and each in self._codes)
        sources = self._quantised_sources(list(expansion.terms), node)
        values = [self._codes[source.tensor].ssa for source in sources]
        inputs = values[0] if len(values) == 1 else self._add(ConcatOp(values))
        first, last = quantized_type(inputs).bounds
        starts = np.cumsum([0, *(source.count for source in sources)])
        shape = tensor.size, int(starts[-1]), last - first + 1
        self._require_few(prod(shape), node)
        edges = np.zeros(shape)
        for operand, terms in expansion.terms.items():
            (source,) = self._quantised_sources([operand], node)
            read = self._codes[source.tensor]
            values = read.at(np.arange(first, last + 1))
            if operand is not source.tensor:
                values = region_of(operand, self.probe).evaluate(source.tensor, values)
            columns = columns_of(operand, source.tensor)[terms.elements]
            start = starts[sources.index(source)]
            added = terms.weights[:, np.newaxis] * values.T[terms.elements]
            np.add.at(edges, (terms.rows, start + columns), added)
        return _integers_of(inputs, edges, expansion.bias, node)

    def _quantised_sources(self, operands: list[Tensor], node: Node) -> list[Source]:
        """The quantisers on which operands of a sum depend, in order.

        Raises
        ------
        Unrecognised : they depend on a value that is not quantised.
        """
        found = np.unique(np.concatenate([each.variables.ravel() for each in operands]))
        sources = [self.dataflow.source_of(int(each)) for each in found]
        for source in sources:
            if source.tensor not in self._codes or CONSTANT in found:
                name = source.tensor.name
                raise node.refuse(f"it reads '{name}', which has no quantiser")
        return sorted(set(sources), key=lambda source: source.first)

    def _result(self, output: Tensor) -> SSAValue:
        """The sums that are the network's results; they share a unit where they can."""
        node = output.op
        sums = self._sum(output)
        shared = common_unit(sums.unit)
        if shared is not None and float(sums.unit.max()) / shared < 1 << _BIAS_BITS:
            factor = np.rint(sums.unit / shared).astype(np.int64)
            tables = sums.tables * factor[:, np.newaxis, np.newaxis]
            sums = _Sum(sums.inputs, tables, np.full(sums.unit.shape, shared), sums.bias)
        bias = sums.bias / sums.unit
        factor = next((each for each in (1, 2) if _are_integers(bias * each)), 1 << _BIAS_BITS)
        integers = np.rint(bias * factor).astype(np.int64)
        self.rounding = float(np.abs((bias * factor - integers) * sums.unit / factor).max())
        tables, unit = sums.tables * factor, sums.unit / factor
        return self._summed(sums, tables, unit, integers, self.next_name(), node)

    def _summed(
        self,
        sums: _Sum,
        tables: IntArray,
        unit: FloatArray,
        bias: IntArray | None,
        name: str,
        node: Node,
    ) -> SSAValue:
        ends = tables.min(axis=-1).sum(axis=-1), tables.max(axis=-1).sum(axis=-1)
        offset = np.zeros(1, dtype=np.int64) if bias is None else bias
        bits, _ = storage_for(int((ends[0] + offset).min()), int((ends[1] + offset).max()))
        if bits > MAX_STORAGE_BITS:
            raise node.refuse(f"its sums need {bits} bits, more than {MAX_STORAGE_BITS}")
        scale = float(unit[0]) if bool((unit == unit[0]).all()) else unit
        ops = sum_of_tables(sums.inputs, tables, sums.mask, scale=scale, bias=bias, name=name)
        return [self._add(op) for op in ops][-1]

    def _require_few(self, evaluations: int, node: Node) -> None:
        if evaluations > MAX_EVALUATIONS:
            raise node.refuse(
                f"its integers have {evaluations} values in all, more than {MAX_EVALUATIONS}",
                "use fewer bits or inputs",
            )


def _integers_of(inputs: SSAValue, edges: FloatArray, bias: FloatArray, node: Node) -> _Sum:
    """Edges (out, in, entries), float64, as integer multiples of a unit for each node.

    Raises
    ------
    Unrecognised : the edges of a node have no unit.
    """
    steps = np.abs(np.diff(edges, axis=-1))
    units: list[float] = []
    for index, row in enumerate(steps):
        if not row.any():
            units.append(np.inf)
            continue
        unit = common_unit(row[row > _ZERO * row.max()])
        if unit is None:
            raise node.refuse(
                f"the edges of its node {index} are not multiples of one step",
                "quantise the weights of a node with one scale, and the values that it reads with "
                "one scale or with ratios of small integers",
            )
        units.append(unit)
    unit = np.array(units)
    least = float(unit.min())
    unit[np.isinf(unit)] = least if np.isfinite(least) else 1.0  # Of constant nodes.
    multiples = edges / unit[:, np.newaxis, np.newaxis]
    base = multiples[..., 0]
    base = np.where(_are_near_integers(base), 0.0, base)
    tables = np.rint(multiples - base[..., np.newaxis]).astype(np.int64)
    return _Sum(inputs, tables, unit, bias + unit * base.sum(axis=-1))


def _are_near_integers(multiples: FloatArray) -> BoolArray:
    """Whether each multiple of a unit is an integer, but for rounding to float32."""
    away = np.abs(multiples - np.rint(multiples))
    return away <= _NEAR_INTEGER + _FLOAT32 * np.abs(multiples)


def _are_integers(multiples: FloatArray) -> bool:
    return bool(_are_near_integers(multiples).all())


def _code_type(
    bounds: tuple[int, int], scale: FloatArray, zero_point: IntArray
) -> UniformQuantizedType:
    """Codes of a quantiser: one scale and zero point if all elements share them."""
    bits, signed = storage_for(*bounds)
    shared = bool((scale == scale[0]).all() and (zero_point == zero_point[0]).all())
    if shared:
        scale, zero_point = scale[:1], zero_point[:1]
    axis = None if shared else 0
    return UniformQuantizedType(bits, signed, scale, zero_point, axis=axis, bounds=bounds)


def _reached(low: IntArray, high: IntArray) -> tuple[int, int]:
    """Ends of the codes of all elements, at least two."""
    least, greatest = int(low.min()), int(high.max())
    return least, max(greatest, least + 1)


def _is_stored(codes: _Codes) -> bool:
    """Whether the type of the codes has their zero points."""
    return bool((quantized_type(codes.ssa).zero_point_for(1) == codes.zero_point).all())
