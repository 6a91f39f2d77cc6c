"""The target `formula`: a network at spline level as one line for each node.

Edges that are named functions are written out, with six digits. Other edges are calls, such as
`layer0_edge3_5(x5)`. `^` is a power. Other functions have the names of `kan.symbolic`.

Each name stands for one node or one function. Layers without a name are numbered. If several ops
make the edges of a layer, functions of the second op are called `layer0_1_edge3_5` and so on. In a
module with several functions, the name of each is printed above its formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count, product
from typing import IO, NamedTuple

import numpy as np
from xdsl.context import Context
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation, SSAValue
from xdsl.utils.target import Target

from kan_dialect.analysis.quantization_points import spline_functions
from kan_dialect.errors import KanError
from kan_dialect.ir.constants import FloatArray, to_floats, to_integers
from kan_dialect.ir.semantics import is_univariate
from kan_dialect.ir.types import tensor_shape
from kan_dialect.lowering.systemverilog.names import Names
from kan_dialect.ops.layer import AffineOp, ConcatOp, MapOp, NodeSumOp, ObserveOp
from kan_dialect.ops.spline import BaseOp
from kan_dialect.ops.symbolic import SymbolicOp

NOTATION = {
    "identity": "{}",
    "square": "({})^2",
    "cube": "({})^3",
    "power4": "({})^4",
    "power5": "({})^5",
    "power3_2": "({})^1.5",
    "reciprocal": "({})^-1",
    "reciprocal_square": "({})^-2",
    "reciprocal_cube": "({})^-3",
    "reciprocal_power4": "({})^-4",
    "reciprocal_power5": "({})^-5",
    "reciprocal_sqrt": "({})^-0.5",
    "gaussian": "exp(-({})^2)",
}
"""Notation of functions that are not written as a call, by name."""

NOTHING = 1e-12
"""Largest constant that is taken as a rounding error, and left out."""


@dataclass(frozen=True)
class FormulaTarget(Target):
    """Prints functions at spline level as formulas."""

    name = "formula"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        functions = list(spline_functions(module))
        if not functions:
            raise KanError(
                "there is no function of real values to print as formulas",
                remedy="print the model before kan-quantize",
            )
        for function in functions:
            lines = _Formulas(function).lines()
            if len(functions) > 1:
                lines.insert(0, f"# {function.sym_name.data}")
            output.write("".join(f"{line}\n" for line in lines))


class _Sum(NamedTuple):
    """A linear combination: terms of a factor and a text, and a constant."""

    terms: tuple[tuple[float, str], ...]
    constant: float

    def plus(self, other: _Sum) -> _Sum:
        return _Sum((*self.terms, *other.terms), self.constant + other.constant)

    def scaled(self, factor: float, bias: float = 0.0) -> _Sum:
        terms = tuple((factor * each, text) for each, text in self.terms) if factor else ()
        return _Sum(terms, factor * self.constant + bias)

    def __str__(self) -> str:
        parts = [
            text if each == 1.0 else f"-{text}" if each == -1.0 else f"{each:.6g}*{text}"
            for each, text in self.terms
        ]
        if abs(self.constant) > NOTHING or not parts:
            parts.append(f"{self.constant:.6g}")
        return parts[0] + "".join(
            f" - {part[1:]}" if part.startswith("-") else f" + {part}" for part in parts[1:]
        )


@dataclass
class _Formulas:
    """The formulas of one function, with a sum for each element of each value."""

    function: func.FuncOp
    names: Names = field(default_factory=Names)
    values: dict[SSAValue, Sequence[_Sum]] = field(default_factory=dict[SSAValue, Sequence[_Sum]])
    """The elements of vectors, and of edges (out, in) row by row."""
    layers: dict[NodeSumOp, str] = field(default_factory=dict[NodeSumOp, str])
    """The unique name of each layer, from which names of its nodes are made."""

    def __post_init__(self) -> None:
        sums = [op for op in self.function.body.block.ops if isinstance(op, NodeSumOp)]
        taken = Names()
        for op in sums:
            if op.given_name is not None:
                self.layers[op] = taken.take(op.given_name)
        free = (f"layer{index}" for index in count())
        for op in sums:
            if op not in self.layers:
                name = next(name for name in free if name not in taken.taken)
                self.layers[op] = taken.take(name)

    def lines(self) -> list[str]:
        inputs = 0
        for argument in self.function.args:
            count = tensor_shape(argument)[0]
            names = [self.names.take(f"x{inputs + index}") for index in range(count)]
            self.values[argument] = [_variable(name) for name in names]
            inputs += count
        lines: list[str] = []
        for op in self.function.body.block.ops:
            if isinstance(op, NodeSumOp):
                lines.extend(self.nodes(op))
            elif isinstance(op, func.ReturnOp):
                results = [each for value in op.operands for each in self.values[value]]
                lines.extend(f"y{index} = {each}" for index, each in enumerate(results))
            else:
                self.values[op.results[0]] = self.result(op)
        return lines

    def nodes(self, op: NodeSumOp) -> list[str]:
        """One line for each node. Later formulas refer to nodes by name."""
        shape = tensor_shape(op.edges)
        edges, kept = self.values[op.edges], op.mask_array
        names: list[str] = []
        lines: list[str] = []
        for node in range(shape[0]):
            whole = _Sum((), float(op.bias_array[node]))
            for edge, exists in zip(edges[node * shape[1] :], kept[node], strict=False):
                whole = whole.plus(edge) if exists else whole
            names.append(self.names.take(f"{self.layers[op]}_node{node}"))
            lines.append(f"{names[-1]} = {whole}")
        self.values[op.result] = [_variable(name) for name in names]
        return lines

    def result(self, op: Operation) -> Sequence[_Sum]:
        shape = tensor_shape(op.results[0])
        match op:
            case ObserveOp():
                return self.values[op.input]
            case ConcatOp():
                return [each for value in op.inputs for each in self.values[value]]
            case AffineOp():
                scale, bias = (
                    np.broadcast_to(to_floats(each), shape).ravel().tolist()
                    for each in (op.scale, op.bias)
                )
                inner = self.values[op.input]
                return [x.scaled(*each) for x, *each in zip(inner, scale, bias, strict=True)]
            case MapOp():
                return [_applied(op.function.data, x) for x in self.values[op.input]]
            case arith.AddfOp() if op.lhs.type == op.rhs.type:
                pairs = zip(self.values[op.lhs], self.values[op.rhs], strict=True)
                return [left.plus(right) for left, right in pairs]
            case BaseOp():
                parameters = np.zeros((*shape, 4))
                parameters[..., 0], parameters[..., 2] = 1.0, to_floats(op.weights)
                choice = np.zeros(shape, dtype=np.int64)
                return self.symbolic([op.function.data], op.input, choice.tolist(), parameters)
            case SymbolicOp():
                choice = to_integers(op.choice).tolist()
                return self.symbolic(op.function_names, op.input, choice, to_floats(op.affine))
            case _:
                return self.unknown(op, shape)

    def symbolic(
        self,
        functions: Sequence[str],
        source: SSAValue,
        choice: Sequence[Sequence[int]],
        affine: FloatArray,
    ) -> list[_Sum]:
        """The sum c * f(a * x + b) + d for each edge, given (a, b, c, d)."""
        found: list[_Sum] = []
        for row, parameters in zip(choice, affine.tolist(), strict=True):
            for x, index, (a, b, c, d) in zip(self.values[source], row, parameters, strict=True):
                inner = _applied(functions[index], x.scaled(a, b)) if c else _Sum((), 0.0)
                found.append(inner.scaled(c, d))
        return found

    def unknown(self, op: Operation, shape: Sequence[int]) -> list[_Sum]:
        """Edges without a formula, as calls on their inputs, or on the edges that they map."""
        if len(shape) != 2 or not is_univariate(op) or len(op.operands) != 1:
            raise KanError(
                f"'{op.name}' has no formula",
                remedy="print a network whose edges are functions of one value each",
            )
        name = op.properties.get("name")
        layer = name.data if isinstance(name, StringAttr) else self.layer_of(op)
        # Several ops may make a layer's edges, and their functions differ.
        prefix = self.names.take(layer)
        values = self.values[op.operands[0]]
        arguments = values if len(values) == shape[0] * shape[1] else [*values] * shape[0]
        places = product(range(shape[0]), range(shape[1]))
        return [
            _variable(f"{prefix}_edge{o}_{i}({x})")
            for (o, i), x in zip(places, arguments, strict=True)
        ]

    def layer_of(self, op: Operation) -> str:
        """The name of the layer whose nodes sum the results of an op."""
        pending = [op]
        for reader in pending:
            if isinstance(reader, NodeSumOp):
                return self.layers[reader]
            pending += [use.operation for result in reader.results for use in result.uses]
        return "layer"


def _variable(text: str) -> _Sum:
    return _Sum(((1.0, text),), 0.0)


def _applied(function: str, x: _Sum) -> _Sum:
    if function == "identity":
        return x
    notation, inner = NOTATION.get(function), str(x)
    if notation is None:
        return _variable(f"{function}({inner})")
    return _variable(
        (notation.replace("({})", "{}") if inner.isidentifier() else notation).format(inner)
    )
