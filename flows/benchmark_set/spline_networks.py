"""Networks of the benchmark set at spline level: `kan-quantize` chooses their bits.

Each has seeded parameters, samples and labels. Labels are the network's own classes (of one output:
its values), so that accuracy says how often integers agree with floats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.files.atomic import packed
from kan_dialect.flows.benchmark_set.draws import UNIT, Draws
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.types import tensor_shape
from kan_dialect.model.model import Model
from kan_dialect.ops.layer import AffineOp, ConcatOp, MapOp, NodeSumOp
from kan_dialect.ops.spline import BaseOp, BSplineOp, ChebyshevOp, RadialOp
from kan_dialect.ops.symbolic import SymbolicOp

SAMPLES = 256
"""To calibrate with; as many again are the test set."""

REACH = 2.0
"""Inputs, and grids, lie in [-REACH, REACH]."""


class SplineNetwork:
    """A function at spline level, built op by op."""

    def __init__(self, name: str, inputs: int) -> None:
        self.name, self.inputs = name, inputs
        self.draws = Draws(name)
        self.block = Block(arg_types=[TensorType(f32, (inputs,))])
        self.value: SSAValue = self.block.args[0]
        self._layers = 0

    def add(self, op: Operation) -> SSAValue:
        """Append an op. Returns its result."""
        self.block.add_op(op)
        return op.results[0]

    @property
    def width(self) -> int:
        """Number of elements of the last value."""
        return tensor_shape(self.value)[0]

    @property
    def layer_name(self) -> str:
        return f"layer{self._layers}"

    def sum(self, *edges: SSAValue, mask: Array | None = None, bias: Array | None = None) -> None:
        """End a layer: its edges are the sums of `edges`, its nodes the sums of these."""
        total = edges[0]
        for other in edges[1:]:
            total = self.add(arith.AddfOp(total, other))
        node = NodeSumOp(total, mask=mask, bias=bias, name=self.layer_name)
        self.value = self.add(node)
        self._layers += 1

    def splines(
        self,
        nodes: int,
        *,
        degree: int = 3,
        cells: int = 6,
        coefficients: FloatArray | None = None,
    ) -> SSAValue:
        """Edges that are B-splines with random coefficients."""
        shape = (nodes, self.width, cells + degree)
        grid = np.arange(cells + 1, dtype=np.float64) * (2 * REACH / cells) - REACH
        if coefficients is None:
            coefficients = self.draws.bell(_share(self.width), shape)
        return self.add(
            BSplineOp(
                self.value, degree, _exact(grid), coefficients, extend=True, name=self.layer_name
            )
        )

    def base(self, function: str, nodes: int) -> SSAValue:
        """Edges that are weights times a function."""
        weights = self.draws.bell(_share(self.width), (nodes, self.width))
        return self.add(BaseOp(function, self.value, weights))

    def module(self) -> ModuleOp:
        """The finished function; call it once."""
        return module_of(self.name, self.block, self.value)


def _share(inputs: int) -> float:
    """A scale of edges that keeps sums of `inputs` of them in the reach of the next grid."""
    return 1.0 / max(1, round(inputs**0.5))


def _exact(values: FloatArray) -> FloatArray:
    """The nearest multiples of 1 / UNIT."""
    return np.rint(values * UNIT) / UNIT


def cubic(name: str) -> ModuleOp:
    network = SplineNetwork(name, 5)
    for nodes in (6, 4):
        network.sum(network.splines(nodes), network.base("silu", nodes))
    return network.module()


def radial(name: str) -> ModuleOp:
    network = SplineNetwork(name, 4)
    centers = np.arange(-4, 5, dtype=np.float64) / 2
    for nodes in (5, 3):
        coefficients = network.draws.bell(_share(network.width), (nodes, network.width, 9))
        widths = np.full(9, 0.5)
        edges = RadialOp("gaussian", network.value, centers, widths, coefficients)
        network.sum(network.add(edges), network.base("silu", nodes))
    return network.module()


def chebyshev(name: str) -> ModuleOp:
    network = SplineNetwork(name, 4)
    for nodes in (4, 2):
        network.value = network.add(MapOp("tanh", network.value))
        coefficients = network.draws.bell(0.5 * _share(network.width), (nodes, network.width, 5))
        network.sum(network.add(ChebyshevOp(network.value, coefficients, name=network.layer_name)))
    return network.module()


def symbolic(name: str) -> ModuleOp:
    functions = ("sin", "square", "tanh", "gaussian", "abs", "zero")
    network = SplineNetwork(name, 3)
    for nodes in (4, 2):
        shape = (nodes, network.width)
        choice = network.draws.integers(0, len(functions) - 1, shape)
        ends = ((0.5, 1.5), (-0.5, 0.5), (-0.75, 0.75), (-0.25, 0.25))
        affine = np.stack([network.draws.uniform(low, high, shape) for low, high in ends], axis=-1)
        edges = SymbolicOp(functions, network.value, choice, affine, name=network.layer_name)
        network.sum(network.add(edges))
    return network.module()


def pruned(name: str) -> ModuleOp:
    network = SplineNetwork(name, 12)
    for nodes in (10, 5):
        mask = network.draws.chance(0.25, (nodes, network.width))
        network.sum(network.splines(nodes), mask=mask)
    return network.module()


def constants(name: str) -> ModuleOp:
    network = SplineNetwork(name, 6)
    for nodes in (6, 3):
        shape = (nodes, network.width, 9)
        coefficients = network.draws.bell(_share(network.width), shape)
        flat = network.draws.chance(0.4, shape[:2])
        flat[:, 0] = False
        coefficients = np.where(flat[..., np.newaxis], coefficients[..., :1], coefficients)
        # The first node of each layer is its bias.
        mask = np.ones(shape[:2], dtype=np.bool_)
        mask[0] = False
        edges = network.splines(nodes, coefficients=coefficients)
        network.sum(edges, mask=mask, bias=network.draws.bell(0.5, (nodes,)))
    return network.module()


def deep(name: str) -> ModuleOp:
    network = SplineNetwork(name, 3)
    for nodes in (4, 4, 4, 4, 4, 4, 2):
        network.sum(network.splines(nodes, degree=2, cells=4))
    return network.module()


def wide(name: str) -> ModuleOp:
    network = SplineNetwork(name, 48)
    for nodes in (3, 1):
        network.sum(network.splines(nodes, degree=1, cells=8))
    return network.module()


def affines(name: str) -> ModuleOp:
    network = SplineNetwork(name, 4)
    draws, x = network.draws, network.value
    network.value = network.add(AffineOp(x, draws.uniform(0.5, 1.5, (4,)), draws.bell(0.25, (4,))))
    network.sum(network.splines(4), bias=draws.bell(0.5, (4,)))
    network.value = network.add(
        AffineOp(network.value, np.array([0.5, -1.0, 2.0, -0.25]), draws.bell(0.25, (4,)))
    )
    network.value = network.add(ConcatOp([network.value, x]))
    edges = network.base("silu", 3)
    scale, bias = draws.uniform(0.5, 1.0, (3, 1)), draws.bell(0.125, (3, 1))
    network.sum(network.add(AffineOp(edges, scale, bias)), network.splines(3, degree=1))
    return network.module()


def files(name: str, build: Callable[[str], ModuleOp]) -> Mapping[str, bytes]:
    """A network's IR and data, by file name."""
    module = build(name)
    model = Model.of(module)
    (kind,) = (argument.type for argument in model.op.body.block.args)
    assert isinstance(kind, TensorType)
    x = samples(name, kind.get_shape()[0])
    return {f"{name}.mlir": f"{module!s}\n".encode(), f"{name}.npz": labelled(x, model.run(x))}


def samples(name: str, inputs: int) -> FloatArray:
    """Seeded samples (2 * SAMPLES, inputs)."""
    return Draws(f"{name} data").uniform(-REACH, REACH, (2 * SAMPLES, inputs))


def labelled(x: FloatArray, outputs: FloatArray) -> bytes:
    """A data file: samples with a network's own classes, or values of one output, as labels."""
    labels: Array = _exact(outputs) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    return packed(
        {
            "x": x[:SAMPLES].astype(np.float32),
            "y": labels[:SAMPLES],
            "x_test": x[SAMPLES:].astype(np.float32),
            "y_test": labels[SAMPLES:],
        }
    )
