"""The choice of codes for the quantisation points of a function, which `kan-quantize` applies.

`GivenCodes` takes them from a file of the target `quantizers`. `CalibratedCodes` of
`kan_dialect.search.calibrated_codes` chooses them.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import TensorType
from xdsl.ir import BlockArgument, SSAValue

from kan_dialect.analysis.quantization_points import quantization_points, unobserved
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import BoolArray, DenseAttr, FloatArray
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import IntType, bounds_constant, float_type, tensor_shape
from kan_dialect.model.function_formats import FunctionFormats
from kan_dialect.model.number_formats import NumberFormat
from kan_dialect.model.quantizers import Argument, Codes, Layer, Quantizers, are_powers_of_two
from kan_dialect.model.quantizers_in_ir import quantizers_of
from kan_dialect.ops.layer import NodeSumOp
from kan_dialect.quantity import quantity

_LOG = logging.getLogger(__name__)


class PointCodes(NamedTuple):
    """Codes of a quantisation point."""

    element: UniformQuantizedType
    bounds: DenseAttr | None = None
    """Smallest and largest code, (n, 2), integers; None if every element uses the whole storage."""


class LayerCodes(NamedTuple):
    """Codes of a layer's nodes, and scales of its edges."""

    nodes: PointCodes
    edges: FloatArray
    """Scale of the edges of each node, float64: (out), or (1) for all nodes."""
    saturates: bool
    """True if sums are requantised to codes of the nodes; False if the sums are the codes."""


class CodeChoice(ABC):
    """Decides the codes of one function.

    `point` is the index of a value in `quantization_points(function)`. `only_result` is true if
    only the return op reads the value.
    """

    @abstractmethod
    def of_argument(self, value: BlockArgument) -> PointCodes:
        """Codes of an argument."""

    def of_port(self, value: BlockArgument) -> PointCodes | None:
        """Codes of an argument's ports, which hardware rounds to those of the argument.

        None if the ports carry the argument's codes themselves.
        """
        return None

    @abstractmethod
    def output_codes(self) -> list[IntType | None]:
        """The codes that each output port has, whichever occur; None of ports that are not fixed.

        To be asked before the function is quantised.
        """

    @abstractmethod
    def of_layer(
        self, op: NodeSumOp, values: FloatArray, point: int, *, only_result: bool
    ) -> LayerCodes:
        """Codes of a node sum.

        Parameters
        ----------
        values : values of the edges at every code of their inputs, (entries, out, in), float64.
        """

    @abstractmethod
    def of_value(
        self, value: SSAValue, values: FloatArray, point: int, *, only_result: bool
    ) -> PointCodes:
        """Codes of a result or concatenated value that is not a node sum.

        Parameters
        ----------
        values : the value at every code of its inputs, (entries, n), float64.
        """

    def host_affine(self, value: BlockArgument) -> tuple[FloatArray, FloatArray] | None:
        """Gain and offset, (n) each, that the host applies before it quantises; None without."""
        return None

    def hardware_affine(self, value: BlockArgument) -> tuple[FloatArray, FloatArray] | None:
        """Gain and offset, (n) each, with which hardware rounds a port's codes; None without.

        Without them, scales of port and argument have a ratio of a power of two.
        """
        return None

    def kept(self, op: NodeSumOp, point: int) -> BoolArray:
        """Mask (out, in) of the edges to quantise."""
        return op.mask_array


class GivenCodes(CodeChoice):
    """Codes from a file of the target `quantizers`."""

    def __init__(
        self, given: Quantizers, path: str, function: func.FuncOp, formats: FunctionFormats
    ) -> None:
        """
        Parameters
        ----------
        path : path of the file, for messages.
        formats : of ports, in place of those in the file.

        Raises
        ------
        KanError : the file describes another network, or its scales do not fit the formats.
        """
        self.file = given
        self.path = path
        self.function = function
        self.points = quantization_points(function)
        self.given = given
        self._require_alike(self.points)
        self._warn_of_missing_edges(self.points)
        self.given = with_formats(given, formats, self.points, path)

    def of_argument(self, value: BlockArgument) -> PointCodes:
        return _point_codes(self.given.arguments[value.index].codes, value)

    def of_port(self, value: BlockArgument) -> PointCodes | None:
        port = self.given.arguments[value.index].port
        return None if port is None else _point_codes(port, value)

    def output_codes(self) -> list[IntType | None]:
        terminator = self.function.get_return_op()
        assert terminator is not None
        found: list[IntType | None] = []
        for result in map(unobserved, terminator.operands):
            kinds: list[IntType | None] = [None] * tensor_shape(result)[0]
            if result in self.points[len(self.function.args) :]:
                layer = self._layer(self.points.index(result))
                if layer.fixed:
                    ends = zip(layer.nodes.low, layer.nodes.high, strict=True)
                    kinds = [IntType(low, high) for low, high in ends]
            found += kinds
        return found

    def host_affine(self, value: BlockArgument) -> tuple[FloatArray, FloatArray] | None:
        argument: Argument = self.given.arguments[value.index]
        if not argument.has_affine or argument.port is not None:
            return None
        return argument.gain, argument.offset

    def hardware_affine(self, value: BlockArgument) -> tuple[FloatArray, FloatArray] | None:
        argument: Argument = self.given.arguments[value.index]
        return (argument.gain, argument.offset) if argument.rescales else None

    def kept(self, op: NodeSumOp, point: int) -> BoolArray:
        edges = self._layer(point).edges
        return op.mask_array if edges is None else op.mask_array & edges.kept

    def of_layer(
        self, op: NodeSumOp, values: FloatArray, point: int, *, only_result: bool
    ) -> LayerCodes:
        layer = self._layer(point)
        assert layer.edges is not None
        if not layer.saturates and not only_result:
            raise KanError(
                f"{self.path}: sums of {layer.name} are results that do not saturate, but in "
                f"@{self.function.sym_name.data} other layers read them",
                remedy="give the quantisers of the same network",
            )
        if not layer.saturates and (layer.nodes.zero_point.any() or layer.shift.any()):
            raise KanError(
                f"{self.path}: {layer.name} has results that do not saturate, but a zero_point or "
                "shift other than 0",
                remedy="set both to 0: such results are sums in the scale of their edges",
            )
        nodes = _point_codes(layer.nodes, op.result)
        edges = np.broadcast_to(layer.edges.scale, nodes.element.scales.shape)
        return LayerCodes(nodes, edges, layer.saturates)

    def of_value(
        self, value: SSAValue, values: FloatArray, point: int, *, only_result: bool
    ) -> PointCodes:
        return _point_codes(self._layer(point).nodes, value)

    def require_unedited(self) -> None:
        """Require the file to describe the quantised function.

        Raises
        ------
        KanError : a field that follows from the network was edited. The message names one.
        """
        given = self.file
        if given.digest is None or given.digest == given.description_digest():
            return
        mine, its = quantizers_of(self.function).description(), given.description()
        edited = next((place for place in its if mine.get(place) != its[place]), "digest")
        raise KanError(
            f"{self.path}: {edited} was edited, but it describes the network",
            remedy="edit kept, low, high, scale, zero_point, gain and offset only",
        )

    def _layer(self, point: int) -> Layer:
        return self.given.layers[point - len(self.function.args)]

    def _require_alike(self, points: list[SSAValue]) -> None:
        """Require inputs and layers of the same number and shapes as those of the function."""
        given, arguments = self.given, len(self.function.args)
        found = f"{self.path} is of another network"
        if (len(given.arguments), len(given.layers)) != (arguments, len(points) - arguments):
            raise KanError(
                f"{found}: {len(given.arguments)} inputs and {len(given.layers)} layers, "
                f"@{self.function.sym_name.data} has {arguments} and {len(points) - arguments}"
            )
        described = [
            *(("input", (len(argument.codes),)) for argument in given.arguments),
            *((layer.name, _extents(layer)) for layer in given.layers),
        ]
        for (name, expected), value in zip(described, points, strict=True):
            sums = value.owner if isinstance(value.owner, NodeSumOp) else None
            shape = tensor_shape(value if sums is None else sums.edges)
            if shape != expected:
                raise KanError(
                    f"{found}: its {name} is {' x '.join(map(str, expected))}, that of "
                    f"@{self.function.sym_name.data} is {' x '.join(map(str, shape))}"
                )

    def _warn_of_missing_edges(self, points: list[SSAValue]) -> None:
        """Warn of edges that the file keeps but the network does not have. They stay pruned."""
        sums = [value.owner for value in points if isinstance(value.owner, NodeSumOp)]
        kept = [layer.edges.kept for layer in self.given.layers if layer.edges is not None]
        missing = sum(
            int((mask & ~op.mask_array).sum()) for mask, op in zip(kept, sums, strict=True)
        )
        if missing:
            _LOG.warning(
                "%s keeps %s that @%s does not have",
                self.path,
                quantity(missing, "edge"),
                self.function.sym_name.data,
            )


def with_formats(
    given: Quantizers, formats: FunctionFormats, points: Sequence[SSAValue], path: str
) -> Quantizers:
    """Quantisers with ports of number formats.

    Parameters
    ----------
    points : the function's `quantization_points`.
    path : path of the quantisers' file, for messages.

    Raises
    ------
    KanError : a scale of results is not a power of two times that of a format, or an input without
        a format has gain or offset.
    """
    arguments, layers = list(given.arguments), list(given.layers)
    start = 0
    for index, value in enumerate(points):
        if isinstance(value, BlockArgument):
            inputs, where = formats.of_argument(value), f"{path}: inputs[{index}]"
            if inputs is not None:
                arguments[index] = ports_with_formats(arguments[index], inputs, where, start)
            start += len(arguments[index].codes)
            continue
        outputs = formats.of_result(value)
        if outputs is not None:
            place = index - len(arguments)
            where = f"{path}: layers[{place}]"
            layers[place] = _with_format(layers[place], outputs, where)
    return replace(given, arguments=tuple(arguments), layers=tuple(layers))


def ports_with_formats(
    argument: Argument, formats: Sequence[NumberFormat | None], where: str, start: int
) -> Argument:
    """An argument whose ports have formats; ports without one carry its codes.

    Parameters
    ----------
    where : the argument in its file, for messages.
    start : number of the argument's first input port.

    Raises
    ------
    KanError : the host computes gain and offset of a port without a format.
    """
    codes = argument.codes
    scale = np.broadcast_to(codes.scale, len(codes))
    point = np.broadcast_to(codes.zero_point, len(codes))
    for n, each in enumerate(formats):
        if each is None and (argument.gain[n] != 1.0 or argument.offset[n] != 0.0):
            field = "gain" if argument.gain[n] != 1.0 else "offset"
            raise KanError(
                f"{where}.{field}[{n}] is {getattr(argument, field)[n]:g}, and x{start + n} has no "
                "format, while other inputs have one",
                remedy="give formats of all inputs: hardware then computes gain and offset",
            )
    rows = [
        (*each.codes, each.scale, each.zero_point)
        if each is not None
        else (int(codes.low[n]), int(codes.high[n]), float(scale[n]), int(point[n]))
        for n, each in enumerate(formats)
    ]
    port = _codes_of(rows)
    if all(each == formats[0] for each in formats):
        port = replace(port, scale=port.scale[0], zero_point=port.zero_point[0])  # for all inputs
    if port.equals(codes) and not argument.has_affine:
        return replace(argument, port=None)
    return replace(argument, port=port)


def _with_format(layer: Layer, formats: Sequence[NumberFormat], where: str) -> Layer:
    """A layer of results in formats."""
    nodes = _codes_of([(*each.codes, each.scale, each.zero_point) for each in formats])
    if layer.edges is not None:
        scale = np.broadcast_to(layer.edges.scale, len(nodes))
        _require_powers(nodes.scale / scale, formats, f"{where}.edges")
        layer = replace(layer, edges=replace(layer.edges, scale=scale))
    return replace(layer, nodes=nodes, saturates=True, fixed=True)


def _codes_of(rows: Sequence[tuple[int, int, float, int]]) -> Codes:
    low, high, scale, point = zip(*rows, strict=True)
    return Codes(
        np.array(low, dtype=np.int64),
        np.array(high, dtype=np.int64),
        np.array(scale, dtype=np.float64),
        np.array(point, dtype=np.int64),
    )


def _require_powers(ratios: FloatArray, formats: Sequence[NumberFormat | None], where: str) -> None:
    """Require ratios of scales that are powers of two.

    Raises
    ------
    KanError : names the first element with another ratio.
    """
    for index, ratio in enumerate(ratios.tolist()):
        if not are_powers_of_two(np.array(ratio)):
            raise KanError(
                f"{where}.scale[{index}] is {ratio:g} times the scale of the format "
                f"{formats[index]}, which is no power of two",
                remedy="edit the scale, or give a format that fits it",
            )


def _extents(layer: Layer) -> tuple[int, ...]:
    """Shape (out, in) of a layer; (n) of a layer without edges."""
    edges = layer.edges
    return (len(layer.nodes),) if edges is None else (len(layer.nodes), edges.kept.shape[1])


def _point_codes(codes: Codes, value: SSAValue) -> PointCodes:
    element = codes.element(float_type(value))
    bounds = bounds_constant(TensorType(element, (len(codes),)), codes.low, codes.high)
    return PointCodes(element, bounds)
