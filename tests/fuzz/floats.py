"""Random networks of real functions, as descriptions that can be built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import AnyFloat, ModuleOp, TensorType, f16, f32, f64
from xdsl.ir import Block, Operation, Region, SSAValue

from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.maths.bsplines import RADIAL_FUNCTIONS
from kan_dialect.maths.functions import FUNCTIONS
from kan_dialect.ops.layer import AffineOp, ConcatOp, MapOp, NodeSumOp, ObserveOp
from kan_dialect.ops.onnx import OnnxOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, RadialOp
from kan_dialect.ops.symbolic import SYMBOLIC_FUNCTIONS, SymbolicOp

TOTAL = ("silu", "gelu", "gelu_tanh", "relu", "tanh", "sigmoid", "identity", "sin", "cos", "abs")
"""Functions that are finite everywhere."""
ONNX_FUNCTIONS = ("Atan", "Sin", "Tanh", "Sigmoid", "Abs", "Identity")
FAR_AWAY = 0.2
"""Of the networks, the share whose inputs have a large offset."""
TYPES: dict[str, AnyFloat] = {"f32": f32, "f64": f64, "f16": f16}


EdgeMaker: TypeAlias = Callable[[SSAValue, str], Operation]
"""Makes edges over a value, under a name. A layer adds several of them."""


def _graph(function: str, weights: FloatArray) -> bytes:
    """y = f(x) W^T, as an ONNX model."""
    nodes = [
        helper.make_node(function, ["x"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    outputs, inputs = weights.shape
    initializer = numpy_helper.from_array(weights.T.astype(np.float32), "w")
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, outputs])],
        [initializer],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


@dataclass(frozen=True)
class FloatLayer:
    """Edges over concatenated earlier values, their sums, and an optional affine."""

    sources: tuple[int, ...]
    parts: tuple[EdgeMaker, ...]
    mask: Array
    bias: FloatArray
    edge_scale: FloatArray | None
    """(out, 1), of an affine on the edges."""
    affine: tuple[FloatArray, FloatArray] | None
    """(out), of an affine on the nodes."""
    map: str | None
    """A function of the nodes."""
    observed: bool


@dataclass(frozen=True)
class FloatNetwork:
    """A spline-level function."""

    name: str
    inputs: tuple[int, ...]
    kind: str
    affine: tuple[FloatArray, FloatArray] | None
    """Of the first argument."""
    observed: bool
    layers: tuple[FloatLayer, ...]
    results: tuple[int, ...]
    seed: int
    place: FloatArray | None = None
    """(in), where the values of the first argument lie; near 0 where not said."""

    def module(self) -> ModuleOp:
        """The function in a module, verified."""
        block = Block(arg_types=[TensorType(TYPES[self.kind], (n,)) for n in self.inputs])
        rng = np.random.default_rng(self.seed)

        def add(op: Operation) -> SSAValue:
            block.add_op(op)
            return op.results[0]

        def observe(value: SSAValue, count: int, place: FloatArray | None = None) -> SSAValue:
            ends = np.sort(rng.uniform(-4, 4, (count, 2)), axis=1)
            if place is not None:
                ends += place[:, np.newaxis]
            histogram = rng.integers(0, 50, (count, 16)) + (np.arange(16) == 3)
            return add(ObserveOp(value, ends, histogram))

        values: list[SSAValue] = []
        for index, count in enumerate(self.inputs):
            value: SSAValue = block.args[index]
            place = self.place if index == 0 else None
            if index == 0 and self.affine is not None:
                value = add(AffineOp(observe(value, count, place), *self.affine))
            elif self.observed:
                value = observe(value, count, place)
            values.append(value)
        for index, layer in enumerate(self.layers):
            value = values[layer.sources[0]]
            if len(layer.sources) > 1:
                value = add(ConcatOp([values[source] for source in layer.sources]))
            name = f"layer{index}"
            edges = add(layer.parts[0](value, name))
            for part in layer.parts[1:]:
                edges = add(arith.AddfOp(edges, add(part(value, name))))
            if layer.edge_scale is not None:
                edges = add(AffineOp(edges, layer.edge_scale, np.zeros_like(layer.edge_scale)))
            value = add(NodeSumOp(edges, mask=layer.mask, bias=layer.bias, name=name))
            if layer.affine is not None:
                value = add(AffineOp(value, *layer.affine))
            if layer.observed:
                value = observe(value, len(layer.mask))
            if layer.map is not None:
                value = add(MapOp(layer.map, value))
            values.append(value)
        results = [values[result] for result in self.results]
        block.add_op(func.ReturnOp(*results))
        kinds = [argument.type for argument in block.args]
        function = func.FuncOp(self.name, (kinds, [v.type for v in results]), Region(block))
        module = ModuleOp([function])
        module.verify()
        return module


def far_away(network: FloatNetwork, rng: np.random.Generator) -> FloatNetwork:
    """The network on values of its first argument of up to 1e9, which it brings back to near 0.

    It does so by an affine in front of everything, or in the first layer's linear edges and biases.
    """
    count = network.inputs[0]
    size = float(rng.choice([1e2, 101325.0, 1e6, 1e9]))
    place = rng.uniform(-size, size, count)
    gain = rng.uniform(0.1, 3, count) * rng.choice([-1, 1], count)
    first = network.layers[0]
    if rng.random() < 0.5 or first.sources[0] != 0 or network.kind == "f16":
        return replace(network, place=place, affine=(gain, -gain * place), kind="f64")
    weights = rng.normal(size=first.mask.shape) * float(rng.choice([1.0, 1e-3]))

    def linear(value: SSAValue, name: str) -> Operation:
        return BaseOp("identity", value, weights, name=name)

    bias = first.bias - (weights * first.mask)[:, :count] @ place
    layer = replace(first, parts=(linear,), bias=bias, edge_scale=None)
    layers = (layer, *network.layers[1:])
    return replace(network, place=place, affine=None, layers=layers)


class FloatDrawing:
    """Draws networks of every kind of edge."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def network(self, name: str) -> FloatNetwork:
        rng = self.rng
        inputs = [1 + int(8 * rng.random() ** 2)]
        if self.chance(0.15):
            inputs.append(int(rng.integers(1, 4)))
        widths = list(inputs)
        layers: list[FloatLayer] = []
        for _ in range(int(rng.choice([1, 1, 2, 2, 3, 4]))):
            sources = [len(widths) - 1]
            if not layers and len(inputs) > 1:
                sources = [0, 1]
            while self.chance(0.15) and len(sources) < 3:
                sources.append(int(rng.integers(0, len(widths))))
            before = sum(widths[source] for source in sources)
            layer = self.layer(tuple(sources), before, 1 + int(5 * rng.random() ** 2))
            layers.append(layer)
            widths.append(len(layer.mask))
        affine = None
        if self.chance(0.3):
            affine = (
                rng.uniform(0.1, 3, inputs[0]) * rng.choice([-1, 1], inputs[0]),
                rng.normal(size=inputs[0]),
            )
        network = FloatNetwork(
            name,
            tuple(inputs),
            str(rng.choice(["f32", "f32", "f64", "f16"])),
            affine,
            True,
            tuple(layers),
            (len(widths) - 1,),
            int(rng.integers(0, 1 << 30)),
        )
        other = np.random.default_rng(network.seed)
        return far_away(network, other) if other.random() < FAR_AWAY else network

    def layer(self, sources: tuple[int, ...], inputs: int, nodes: int) -> FloatLayer:
        rng = self.rng
        kinds = ("bspline", "bspline", "base", "radial", "chebyshev", "symbolic", "onnx")
        count = int(rng.choice([1, 1, 2, 3]))
        parts = [self.part(str(rng.choice(kinds)), inputs, nodes) for _ in range(count)]
        affine = None
        if self.chance(0.3):
            affine = rng.normal(size=nodes), rng.normal(size=nodes)
            if self.chance(0.2):
                affine[0][0] = 0.0
        return FloatLayer(
            sources,
            tuple(parts),
            rng.random((nodes, inputs)) < rng.choice([1.0, 1.0, 0.7, 0.1]),
            rng.normal(size=nodes) * rng.choice([0, 1, 100]),
            rng.normal(size=(nodes, 1)) if self.chance(0.2) else None,
            affine,
            str(rng.choice(TOTAL)) if self.chance(0.15) else None,
            affine is None and self.chance(0.4),
        )

    def part(self, kind: str, inputs: int, nodes: int) -> EdgeMaker:
        rng = self.rng
        size = float(rng.choice([1.0, 1.0, 0.01, 30.0]))

        def normal(*shape: int) -> FloatArray:
            values = rng.normal(size=shape) * size
            return values.astype(np.float32).astype(np.float64) if self.chance(0.5) else values

        per_input = (inputs,) if self.chance(0.5) else ()
        match kind:
            case "bspline":
                return self._bspline(per_input, inputs, nodes, normal)
            case "base":
                function = str(rng.choice(TOTAL if self.chance(0.9) else sorted(FUNCTIONS)))
                weights = normal(nodes, inputs)
                return lambda value, name: BaseOp(function, value, weights, name=name)
            case "radial":
                count = int(rng.integers(1, 6))
                function = str(rng.choice(RADIAL_FUNCTIONS))
                centers = rng.uniform(-2, 2, (*per_input, count))
                widths = rng.uniform(0.05, 2, (*per_input, count))
                heights = normal(nodes, inputs, count)
                return lambda value, name: RadialOp(
                    function, value, centers, widths, heights, name=name
                )
            case "chebyshev":
                coefficients = normal(nodes, inputs, int(rng.integers(1, 7)))
                return lambda value, name: ChebyshevOp(value, coefficients, name=name)
            case "symbolic":
                names = TOTAL if self.chance(0.9) else sorted(SYMBOLIC_FUNCTIONS)
                chosen = rng.choice(names, int(rng.integers(1, 4)), replace=False).tolist()
                choice = rng.integers(0, len(chosen), (nodes, inputs))
                affine = rng.normal(size=(nodes, inputs, 4))
                return lambda value, name: SymbolicOp(chosen, value, choice, affine, name=name)
            case _:
                function = str(rng.choice(ONNX_FUNCTIONS))
                graph, rest = _graph(function, normal(nodes, inputs)), rng.normal(size=inputs)
                return lambda value, name: OnnxOp(value, graph, rest, nodes, name=name)

    def _bspline(
        self,
        per_input: tuple[int, ...],
        inputs: int,
        nodes: int,
        normal: Callable[..., FloatArray],
    ) -> EdgeMaker:
        degree, extend = int(self.rng.integers(0, 5)), self.chance(0.5)
        points = int(self.rng.integers(2, 7)) + (0 if extend else degree * 2)
        knots = np.sort(self.rng.uniform(-3, 3, (*per_input, points)), axis=-1)
        if self.chance(0.5):
            knots = np.broadcast_to(np.linspace(-2, 2, points), knots.shape).copy()
        count = points - 1 + degree if extend else points - 1 - degree
        coefficients, closed = normal(nodes, inputs, count), self.chance(0.5)
        return lambda value, name: BSplineOp(
            value, degree, knots, coefficients, extend=extend, closed=closed, name=name
        )
