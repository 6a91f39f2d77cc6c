"""Random networks of real functions, as descriptions that can be built and made smaller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import AnyFloat, ModuleOp, TensorType, f16, f32, f64
from xdsl.ir import Block, Operation, Region, SSAValue

from kan_dialect.ir.constants import Array, FloatArray, IntArray
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


@dataclass(frozen=True)
class Part:
    """Edges of one kind. A layer adds several of them."""

    kind: str
    function: str
    arrays: dict[str, tuple[str, Array]]
    """Parameters by name, each with its first axes: `o` nodes, `i` inputs."""
    degree: int = 0
    flags: tuple[bool, bool] = (False, False)
    functions: tuple[str, ...] = ()

    def kept(self, axis: str, keep: IntArray) -> Part:
        """The edges of some nodes or inputs."""
        arrays = {
            name: (axes, array.take(keep, axis=axes.index(axis)) if axis in axes else array)
            for name, (axes, array) in self.arrays.items()
        }
        return replace(self, arrays=arrays)

    def build(self, value: SSAValue, name: str) -> Operation:
        arrays = {key: array for key, (_, array) in self.arrays.items()}
        match self.kind:
            case "bspline":
                extend, closed = self.flags
                return BSplineOp(
                    value,
                    self.degree,
                    arrays["knots"],
                    arrays["coefficients"],
                    extend=extend,
                    closed=closed,
                    name=name,
                )
            case "base":
                return BaseOp(self.function, value, arrays["weights"], name=name)
            case "radial":
                return RadialOp(
                    self.function,
                    value,
                    arrays["centers"],
                    arrays["widths"],
                    arrays["coefficients"],
                    name=name,
                )
            case "chebyshev":
                return ChebyshevOp(value, arrays["coefficients"], name=name)
            case "symbolic":
                return SymbolicOp(
                    self.functions, value, arrays["choice"], arrays["affine"], name=name
                )
            case _:
                graph = _graph(self.function, arrays["weights"])
                return OnnxOp(value, graph, arrays["rest"], len(arrays["weights"]), name=name)


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
    parts: tuple[Part, ...]
    mask: Array
    bias: FloatArray
    edge_scale: FloatArray | None
    """(out, 1), of an affine on the edges."""
    affine: tuple[FloatArray, FloatArray] | None
    """(out), of an affine on the nodes."""
    map: str | None
    """A function of the nodes."""
    observed: bool

    def kept(self, axis: str, keep: IntArray) -> FloatLayer:
        """The layer with some of its nodes or inputs."""
        parts = tuple(part.kept(axis, keep) for part in self.parts)
        if axis == "i":
            return replace(self, parts=parts, mask=self.mask[:, keep])
        return replace(
            self,
            parts=parts,
            mask=self.mask[keep],
            bias=self.bias[keep],
            edge_scale=None if self.edge_scale is None else self.edge_scale[keep],
            affine=None if self.affine is None else (self.affine[0][keep], self.affine[1][keep]),
        )


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
            edges = add(layer.parts[0].build(value, name))
            for part in layer.parts[1:]:
                edges = add(arith.AddfOp(edges, add(part.build(value, name))))
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

    def smaller(self) -> Iterator[FloatNetwork]:
        """Networks without one part. Some may not be well-formed."""
        count = len(self.inputs)
        if len(self.results) > 1:
            yield from (replace(self, results=(result,)) for result in self.results)
        if len(self.layers) > 1:
            yield replace(self, layers=self.layers[:-1], results=(count + len(self.layers) - 2,))
            for index in range(len(self.layers)):
                yield self._only(index)
        for index, layer in enumerate(self.layers):
            if len(layer.parts) > 1:
                yield from (
                    self._with(index, replace(layer, parts=(part,))) for part in layer.parts
                )
            for change in ("edge_scale", "affine", "map"):
                if getattr(layer, change) is not None:
                    yield self._with(index, replace(layer, **{change: None}))
            if layer.bias.any():
                yield self._with(index, replace(layer, bias=np.zeros_like(layer.bias)))
            for part_index, part in enumerate(layer.parts):
                for key, (axes, array) in part.arrays.items():
                    rounded = np.round(array, 1)
                    if array.dtype.kind == "f" and not np.array_equal(rounded, array):
                        arrays = {**part.arrays, key: (axes, rounded)}
                        parts = list(layer.parts)
                        parts[part_index] = replace(part, arrays=arrays)
                        yield self._with(index, replace(layer, parts=tuple(parts)))
        if self.affine is not None:
            yield replace(self, affine=None)
        if self.place is not None:
            yield replace(self, place=None)
        for value in range(count + len(self.layers)):
            nodes = self._nodes(value)
            for keep in (range(nodes // 2), range(nodes // 2, nodes), range(nodes - 1)):
                if 0 < len(keep) < nodes:
                    yield self._keeping(value, np.array(keep, dtype=np.int64))

    def _only(self, index: int) -> FloatNetwork:
        """One layer, over an argument of its own."""
        layer = self.layers[index]
        inputs, results = (layer.mask.shape[1],), (1,)
        layer = replace(layer, sources=(0,))
        place = self.place if index == 0 and len(self.inputs) == 1 else None
        return replace(
            self, inputs=inputs, affine=None, layers=(layer,), results=results, place=place
        )

    def _with(self, index: int, layer: FloatLayer) -> FloatNetwork:
        return replace(self, layers=(*self.layers[:index], layer, *self.layers[index + 1 :]))

    def _nodes(self, value: int) -> int:
        if value < len(self.inputs):
            return self.inputs[value]
        return len(self.layers[value - len(self.inputs)].mask)

    def _keeping(self, value: int, keep: IntArray) -> FloatNetwork:
        inputs, layers, affine = list(self.inputs), list(self.layers), self.affine
        place = self.place
        if value < len(inputs):
            inputs[value] = len(keep)
            if value == 0 and affine is not None:
                affine = affine[0][keep], affine[1][keep]
            if value == 0 and place is not None:
                place = place[keep]
        else:
            layers[value - len(inputs)] = layers[value - len(inputs)].kept("o", keep)
        for index, layer in enumerate(layers):
            if value in layer.sources:
                columns: list[int] = []
                start = 0
                for source in layer.sources:
                    part = keep if source == value else np.arange(self._nodes(source))
                    columns.extend((start + part).tolist())
                    start += self._nodes(source)
                layers[index] = layer.kept("i", np.array(columns))
        return replace(self, inputs=tuple(inputs), affine=affine, layers=tuple(layers), place=place)


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
    part = Part("base", "identity", {"weights": ("oi", weights)})
    bias = first.bias - (weights * first.mask)[:, :count] @ place
    layer = replace(first, parts=(part,), bias=bias, edge_scale=None)
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

    def part(self, kind: str, inputs: int, nodes: int) -> Part:
        rng = self.rng
        size = float(rng.choice([1.0, 1.0, 0.01, 30.0]))

        def normal(*shape: int) -> FloatArray:
            values = rng.normal(size=shape) * size
            return values.astype(np.float32).astype(np.float64) if self.chance(0.5) else values

        per_input = (inputs,) if self.chance(0.5) else ()
        axes = "i" if per_input else ""
        match kind:
            case "bspline":
                degree = int(rng.integers(0, 5))
                extend = self.chance(0.5)
                points = int(rng.integers(2, 7)) + (0 if extend else degree * 2)
                knots = np.sort(rng.uniform(-3, 3, (*per_input, points)), axis=-1)
                if self.chance(0.5):
                    knots = np.broadcast_to(np.linspace(-2, 2, points), knots.shape).copy()
                count = points - 1 + degree if extend else points - 1 - degree
                return Part(
                    "bspline",
                    "",
                    {
                        "knots": (axes, knots),
                        "coefficients": ("oi", normal(nodes, inputs, count)),
                    },
                    degree,
                    (extend, self.chance(0.5)),
                )
            case "base":
                name = str(rng.choice(TOTAL if self.chance(0.9) else sorted(FUNCTIONS)))
                return Part("base", name, {"weights": ("oi", normal(nodes, inputs))})
            case "radial":
                count = int(rng.integers(1, 6))
                return Part(
                    "radial",
                    str(rng.choice(RADIAL_FUNCTIONS)),
                    {
                        "centers": (axes, rng.uniform(-2, 2, (*per_input, count))),
                        "widths": (axes, rng.uniform(0.05, 2, (*per_input, count))),
                        "coefficients": ("oi", normal(nodes, inputs, count)),
                    },
                )
            case "chebyshev":
                count = int(rng.integers(1, 7))
                return Part("chebyshev", "", {"coefficients": ("oi", normal(nodes, inputs, count))})
            case "symbolic":
                names = TOTAL if self.chance(0.9) else sorted(SYMBOLIC_FUNCTIONS)
                chosen = rng.choice(names, int(rng.integers(1, 4)), replace=False)
                return Part(
                    "symbolic",
                    "",
                    {
                        "choice": ("oi", rng.integers(0, len(chosen), (nodes, inputs))),
                        "affine": ("oi", rng.normal(size=(nodes, inputs, 4))),
                    },
                    functions=tuple(str(name) for name in chosen),
                )
            case _:
                return Part(
                    "onnx",
                    str(rng.choice(ONNX_FUNCTIONS)),
                    {
                        "weights": ("oi", normal(nodes, inputs)),
                        "rest": ("i", rng.normal(size=inputs)),
                    },
                )
