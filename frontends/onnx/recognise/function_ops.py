"""Writes functions of a layer's inputs as IR: `kan.affine`, `kan.map` and arithmetic.

Covers functions in front of a basis (a batch norm, a tanh, a clamp), and functions without a basis
that the elementwise ops of the dialect can compute (sin(w x + b), leaky ReLU, a product of two).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import numpy as np
from xdsl.dialects import arith
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.frontends.onnx.operators.dependence import Kind, LinearForm, Tensor
from kan_dialect.frontends.onnx.operators.elementwise import COMPARISONS
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.frontends.onnx.recognise.bases import narrow_float
from kan_dialect.frontends.onnx.recognise.basis_recognition import (
    branch_values,
    evaluate_elements,
    recognise_function,
)
from kan_dialect.frontends.onnx.recognise.regions import Probe, region_of
from kan_dialect.ir.constants import Array, DenseAttr, FloatArray, IntArray, to_floats
from kan_dialect.ops.layer import AffineOp, MapOp

MAX_DEPTH = 60
"""Longest chain of ops of an edge, without scalings."""

_CONTINUITY_TOLERANCE = 1e-6
"""Largest gap between two pieces where they meet, relative to their value."""

_REMEDY = "replace the function by one that the dialect has: silu, gelu, relu, tanh, sin, exp, ..."


class FunctionWriter:
    """Writes functions of the inputs of one layer.

    Attributes
    ----------
    block : receives the ops.
    inputs : the layer's inputs, tensor<in>; every source stands for them.
    """

    def __init__(self, block: Block, inputs: SSAValue, probe: Probe) -> None:
        self.block = block
        self.inputs = inputs
        self._probe = probe
        self._known: dict[tuple[Tensor, bytes], SSAValue] = {}

    def value(self, tensor: Tensor, elements: IntArray, depth: int = 0) -> SSAValue:
        """A value tensor<in> that holds element elements[i] of `tensor` for input i.

        Raises
        ------
        Unrecognised : no ops of the dialect compute it.
        """
        if tensor.is_root:
            return self.inputs
        if depth > MAX_DEPTH:
            raise tensor.op.refuse("the function of an edge is nested too deeply", _REMEDY)
        key = (tensor, elements.tobytes())
        if key not in self._known:
            self._known[key] = self._build(tensor, elements, depth + 1)
        return self._known[key]

    def add(self, op: Operation) -> SSAValue:
        """Add an op to the block; returns its result."""
        self.block.add_op(op)
        return op.results[0]

    def map(self, function: str, value: SSAValue) -> SSAValue:
        return self.add(MapOp(function, value))

    def affine(self, value: SSAValue, scale: FloatArray, bias: FloatArray) -> SSAValue:
        """value * scale + bias; consecutive affines become one op."""
        owner = value.owner
        if isinstance(owner, AffineOp):
            bias = bias + to_floats(cast(DenseAttr, owner.bias)) * scale
            scale = scale * to_floats(cast(DenseAttr, owner.scale))
            value = owner.input
        if bool((scale == 1.0).all()) and not bool(bias.any()):
            return value
        return self.add(AffineOp(value, _short(scale), _short(bias)))

    def scaled(self, value: SSAValue, scale: float, bias: float = 0.0) -> SSAValue:
        return self.affine(value, np.array([scale]), np.array([bias]))

    def plus(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.add(arith.AddfOp(a, b))

    def times(self, a: SSAValue, b: SSAValue) -> SSAValue:
        return self.add(arith.MulfOp(a, b))

    def _build(self, tensor: Tensor, elements: IntArray, depth: int) -> SSAValue:
        if tensor.kind is Kind.MOVEMENT:
            return self._moved(tensor, elements, depth)
        if tensor.kind is Kind.CONTRACTION:
            raise tensor.op.refuse("it adds up functions of one input within a function", _REMEDY)
        recognised = recognise_function(tensor, self._probe)
        if recognised is not None:
            name, bottleneck = recognised
            chosen = _matching(bottleneck, tensor.variables.ravel()[elements])
            value = self.value(bottleneck, chosen, depth)
            return value if name == "identity" else self.map(name, value)
        if tensor.kind is Kind.AFFINE:
            return self._affine(tensor, elements, depth)
        return self._function(tensor, elements, depth)

    def _moved(self, tensor: Tensor, elements: IntArray, depth: int) -> SSAValue:
        results: list[SSAValue] = []
        for part in _linear(tensor).parts:
            place = np.full(tensor.size, -1)
            place[slice(None) if part.rows is None else part.rows] = part.columns
            chosen = place[elements]
            if bool((chosen >= 0).any()):
                # Inputs without an element in this part get another input's element.
                chosen = np.where(chosen >= 0, chosen, chosen.max())
                results.append(self.value(part.operand, chosen, depth))
        if not results or any(result is not results[0] for result in results):
            raise tensor.op.refuse("it joins different functions of a layer's inputs", _REMEDY)
        return results[0]

    def _affine(self, tensor: Tensor, elements: IntArray, depth: int) -> SSAValue:
        form = _linear(tensor)
        ones, zeros = np.ones(elements.size), np.zeros(elements.size)
        total: SSAValue | None = None
        for part in form.parts:
            scale = ones if part.factors is None else part.factors[elements]
            term = self.value(part.operand, part.columns[elements], depth)
            term = self.affine(term, scale, zeros)
            total = term if total is None else self.plus(total, term)
        assert total is not None
        return self.affine(total, ones, zeros if form.offset is None else form.offset[elements])

    def _function(self, tensor: Tensor, elements: IntArray, depth: int) -> SSAValue:
        node = tensor.op
        if node.op_type in COMPARISONS:
            raise node.refuse(
                "the piecewise function is not recognised as B-splines",
                "write the basis as the Cox-de Boor recursion over the knots of each input",
            )
        pieced = self._pieced(tensor, elements, depth) if node.op_type == "Where" else None
        if pieced is not None:
            return pieced
        operands: list[SSAValue] = []
        constants: list[FloatArray] = []
        for argument in tensor.arguments:
            if isinstance(argument, Tensor):
                chosen = tensor.elements_of(argument)[elements]
                operands.append(self.value(argument, chosen, depth))
            else:
                spread = np.broadcast_to(argument, tensor.shape).ravel()
                constants.append(spread[elements].astype(np.float64))
        builder = _BUILDERS.get((node.op_type, len(operands), len(constants)))
        result = None if builder is None else builder(self, node, operands, constants)
        if result is None:
            raise node.refuse("the function of an edge has no counterpart in the dialect", _REMEDY)
        return result

    def _pieced(self, tensor: Tensor, elements: IntArray, depth: int) -> SSAValue | None:
        """A function with two pieces that meet at a threshold t, as in PyTorch's Softplus.

        upper(max(x, t)) + lower(min(x, t)) - upper(t). None if the pieces do not meet, or the
        condition has another form.
        """
        condition, first, second = tensor.arguments
        roots = [each for each in region_of(tensor, self._probe).tensors if each.is_root]
        if not isinstance(condition, Tensor) or len(roots) != 1:
            return None
        (root,) = roots
        chosen = tensor.elements_of(condition)[elements]
        split = _threshold(condition, root, chosen, self._probe)
        if split is None:
            return None
        limits, first_is_upper = split
        upper, lower = (first, second) if first_is_upper else (second, first)
        points = np.zeros((1, root.size))
        assert root.source is not None
        points[0, tensor.variables.ravel()[elements] - root.source.first] = limits
        meeting, other = (
            self._at(points, root, tensor, piece)[elements] for piece in (upper, lower)
        )
        gap = _CONTINUITY_TOLERANCE * self._probe.slack * np.maximum(1.0, np.abs(meeting))
        if not bool((np.abs(meeting - other) <= gap).all()):
            return None
        terms: list[SSAValue] = []
        for piece, clamp in ((upper, _at_least), (lower, _at_most)):
            if isinstance(piece, Tensor):
                # Each piece sees the layer's inputs clamped to its side.
                clamped = FunctionWriter(self.block, clamp(self, self.inputs, limits), self._probe)
                terms.append(clamped.value(piece, tensor.elements_of(piece)[elements], depth))
        if len(terms) < 2:
            return terms[0] if terms else None
        total = self.plus(*terms)
        return self.affine(total, np.ones(elements.size), -meeting)

    def _at(
        self, points: FloatArray, root: Tensor, tensor: Tensor, piece: Tensor | Array
    ) -> FloatArray:
        """Values of the elements of `tensor` on one of its pieces, at one point."""
        if not isinstance(piece, Tensor):
            return np.broadcast_to(piece.astype(np.float64), tensor.shape).ravel()
        values = region_of(piece, self._probe).evaluate(root, points)
        return values[0, tensor.elements_of(piece)]


Builder: TypeAlias = Callable[
    [FunctionWriter, Node, Sequence[SSAValue], Sequence[FloatArray]], SSAValue | None
]
"""(writer, node, operands, constants) -> result, or None if no ops compute it."""


def _named(function: str) -> Builder:
    return lambda to, node, operands, constants: to.map(function, operands[0])


def _power(
    to: FunctionWriter, node: Node, operands: Sequence[SSAValue], constants: Sequence[FloatArray]
) -> SSAValue | None:
    names = {-1.0: "reciprocal", 0.5: "sqrt", 2.0: "square", 3.0: "cube"}
    exponents = set(constants[0].tolist())
    exponent = exponents.pop()
    if exponents or not (exponent in names or exponent in range(1, 17)):
        return None
    if exponent in names:
        return to.map(names[exponent], operands[0])
    result = operands[0]
    for _ in range(int(exponent) - 1):
        result = to.times(result, operands[0])
    return result


def _rectified(to: FunctionWriter, x: SSAValue, shift: FloatArray) -> SSAValue:
    """relu(x - shift)"""
    return to.map("relu", to.affine(x, np.ones(shift.size), -shift))


def _at_least(to: FunctionWriter, x: SSAValue, bound: FloatArray) -> SSAValue:
    """max(x, bound) = relu(x - bound) + bound"""
    return to.affine(_rectified(to, x, bound), np.ones(bound.size), bound)


def _at_most(to: FunctionWriter, x: SSAValue, bound: FloatArray) -> SSAValue:
    """min(x, bound) = -max(-x, -bound)"""
    return to.scaled(_at_least(to, to.scaled(x, -1.0), -bound), -1.0)


def _clip(
    to: FunctionWriter, node: Node, operands: Sequence[SSAValue], constants: Sequence[FloatArray]
) -> SSAValue | None:
    lower, upper = constants
    result = operands[0]
    if bool(np.isfinite(lower).all()):
        result = _at_least(to, result, lower)
    elif not bool((lower == -np.inf).all()):
        return None
    if bool(np.isfinite(upper).all()):
        result = _at_most(to, result, upper)
    elif not bool((upper == np.inf).all()):
        return None
    return result


def _sloped(to: FunctionWriter, x: SSAValue, slope: FloatArray) -> SSAValue:
    """x where x > 0, else slope * x"""
    zeros = np.zeros(slope.size)
    return to.plus(to.affine(x, slope, zeros), to.affine(to.map("relu", x), 1.0 - slope, zeros))


def _hard_sigmoid(to: FunctionWriter, x: SSAValue, alpha: float, beta: float) -> SSAValue:
    bounds = (np.zeros(1), np.ones(1))
    return _at_most(to, _at_least(to, to.scaled(x, alpha, beta), bounds[0]), bounds[1])


def _softplus(to: FunctionWriter, x: SSAValue) -> SSAValue:
    """log(1 + exp(x)) = relu(x) + log(1 + exp(-|x|)), which does not overflow."""
    decay = to.map("exp", to.scaled(to.map("abs", x), -1.0))
    return to.plus(to.map("relu", x), to.map("log", to.scaled(decay, 1.0, 1.0)))


def _exponential_unit(to: FunctionWriter, x: SSAValue, alpha: float) -> SSAValue:
    """relu(x) + alpha * (exp(-relu(-x)) - 1)"""
    below = to.scaled(to.map("relu", to.scaled(x, -1.0)), -1.0)
    return to.plus(to.map("relu", x), to.scaled(to.map("exp", below), alpha, -alpha))


def _selu(to: FunctionWriter, node: Node, x: SSAValue) -> SSAValue:
    alpha = node.number("alpha", 1.67326319217681884765625)
    return to.scaled(
        _exponential_unit(to, x, alpha), node.number("gamma", 1.05070102214813232421875)
    )


def _celu(to: FunctionWriter, node: Node, x: SSAValue) -> SSAValue:
    """relu(x) + alpha * (exp(-relu(-x) / alpha) - 1)"""
    alpha = node.number("alpha", 1.0)
    return to.scaled(_exponential_unit(to, to.scaled(x, 1.0 / alpha), 1.0), alpha)


def _softsign(to: FunctionWriter, x: SSAValue) -> SSAValue:
    return to.times(x, to.map("reciprocal", to.scaled(to.map("abs", x), 1.0, 1.0)))


def _hyperbolic(to: FunctionWriter, x: SSAValue, sign: float) -> SSAValue:
    """(exp(x) + sign * exp(-x)) / 2"""
    falling = to.map("exp", to.scaled(x, -1.0))
    return to.plus(to.scaled(to.map("exp", x), 0.5), to.scaled(falling, 0.5 * sign))


_BUILDERS: dict[tuple[str, int, int], Builder] = {
    ("Abs", 1, 0): _named("abs"),
    ("Celu", 1, 0): lambda to, node, x, c: _celu(to, node, x[0]),
    ("Clip", 1, 2): _clip,
    ("Cos", 1, 0): _named("cos"),
    ("Cosh", 1, 0): lambda to, node, x, c: _hyperbolic(to, x[0], 1.0),
    ("Div", 2, 0): lambda to, node, x, c: to.times(x[0], to.map("reciprocal", x[1])),
    ("Div", 1, 1): lambda to, node, x, c: to.affine(
        to.map("reciprocal", x[0]), c[0], np.zeros(c[0].size)
    ),
    ("Elu", 1, 0): lambda to, node, x, c: _exponential_unit(to, x[0], node.number("alpha", 1.0)),
    ("Exp", 1, 0): _named("exp"),
    ("Gelu", 1, 0): lambda to, node, x, c: to.map(
        "gelu_tanh" if node.text("approximate", "none") == "tanh" else "gelu", x[0]
    ),
    ("HardSigmoid", 1, 0): lambda to, node, x, c: _hard_sigmoid(
        to, x[0], node.number("alpha", 0.2), node.number("beta", 0.5)
    ),
    ("HardSwish", 1, 0): lambda to, node, x, c: to.times(
        x[0], _hard_sigmoid(to, x[0], 1.0 / 6.0, 0.5)
    ),
    ("LeakyRelu", 1, 0): lambda to, node, x, c: _sloped(
        to, x[0], np.array([node.number("alpha", 0.01)])
    ),
    ("Log", 1, 0): _named("log"),
    ("Max", 1, 1): lambda to, node, x, c: _at_least(to, x[0], c[0]),
    ("Min", 1, 1): lambda to, node, x, c: _at_most(to, x[0], c[0]),
    ("Mish", 1, 0): lambda to, node, x, c: to.times(x[0], to.map("tanh", _softplus(to, x[0]))),
    ("Mul", 2, 0): lambda to, node, x, c: to.times(x[0], x[1]),
    ("PRelu", 1, 1): lambda to, node, x, c: _sloped(to, x[0], c[0]),
    ("Pow", 1, 1): _power,
    ("Reciprocal", 1, 0): _named("reciprocal"),
    ("Relu", 1, 0): _named("relu"),
    ("Selu", 1, 0): lambda to, node, x, c: _selu(to, node, x[0]),
    ("Sigmoid", 1, 0): _named("sigmoid"),
    ("Sin", 1, 0): _named("sin"),
    ("Sinh", 1, 0): lambda to, node, x, c: _hyperbolic(to, x[0], -1.0),
    ("Softplus", 1, 0): lambda to, node, x, c: _softplus(to, x[0]),
    ("Softsign", 1, 0): lambda to, node, x, c: _softsign(to, x[0]),
    ("Sqrt", 1, 0): _named("sqrt"),
    ("Tanh", 1, 0): _named("tanh"),
}
"""(operator, number of tensors, number of constants) -> builder."""


def _linear(tensor: Tensor) -> LinearForm:
    assert tensor.linear is not None
    return tensor.linear()


def _threshold(
    condition: Tensor, root: Tensor, elements: IntArray, probe: Probe
) -> tuple[FloatArray, bool] | None:
    """Thresholds of the elements of a comparison, as values of the root's elements.

    Returns
    -------
    The thresholds, and whether the condition holds above them; None if it has another form.
    """
    region = region_of(condition, probe)
    branches = list(branch_values(region, root, COMPARISONS))
    if condition.op.op_type not in COMPARISONS or len(branches) != 1 or not branches[0]:
        return None
    columns, limits = branches[0]
    away = np.maximum(1.0, np.abs(limits))
    points = np.stack([limits - away, limits + away], axis=1)
    steps = np.diff(evaluate_elements(region, root, columns, points))[elements, 0]
    if not steps[0] or bool((steps != steps[0]).any()):
        return None
    return limits[elements], bool(steps[0] > 0)


def _matching(bottleneck: Tensor, variables: IntArray) -> IntArray:
    """The elements of a bottleneck that are functions of `variables`."""
    own = bottleneck.variables.ravel()
    order = np.argsort(own)
    return order[np.searchsorted(own, variables, sorter=order)]


def _short(values: FloatArray) -> Array:
    """One value if all inputs share it."""
    shared = values.size > 1 and bool((values == values[0]).all())
    return narrow_float(values[:1] if shared else values)
