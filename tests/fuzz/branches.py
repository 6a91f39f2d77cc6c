"""Random ONNX graphs that compare, clip and round; their import must keep the branches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from fuzz.random_graphs import Writer
from kan_dialect.errors import KanError
from kan_dialect.evaluate.onnx_subgraph import open_runner, widened
from kan_dialect.frontends.frontend import ImportOptions
from kan_dialect.frontends.onnx.load import load_onnx
from kan_dialect.model.model import Model

Array: TypeAlias = NDArray[Any]

MARKS = (-999.0, -1.0, 0.0, 0.5, 1.0, 9.0, 99.0, 1e5, -0.3, 7.25)
"""Values that graphs compare with; others are drawn."""


@dataclass
class Drawing(Writer):
    """A graph while it is drawn.

    Attributes
    ----------
    tried : values of inputs near which something changes.
    hidden : whether sums of inputs are compared: there, rounding may decide.
    uneven : whether a value was computed that differs between a runtime's vectors and remainders.
    """

    tried: list[float] = field(default_factory=list[float])
    hidden: bool = False
    uneven: bool = False

    def pick(self, *choices: Callable[[str, int], str]) -> Callable[[str, int], str]:
        return choices[int(self.rng.integers(len(choices)))]

    def mark(self, size: int) -> Array:
        """A value to compare with: one for all elements, or one for each of them."""
        drawn = self.rng.random() < 0.3
        shape = (1, size) if self.rng.random() < 0.3 else ()
        value = self.rng.normal(size=shape) if drawn else self.rng.choice(MARKS, size=shape)
        value = np.asarray(value, dtype=np.float32)
        self.tried.extend(np.ravel(value).tolist())
        return value

    # Values that branches look at, and what is solved for.

    def looked_at(self, x: str, size: int) -> str:
        """The operand of a comparison: the value, or a function of it."""
        way = self.rng.integers(6)
        if way < 3:
            return x
        if way == 3:
            scale, shift = self.rng.choice([0.1, 2.0, -3.0, 0.7]), self.rng.choice([0.0, 1.0, -5.3])
            self.tried.extend(((np.array(self.tried or [0.0]) - shift) / scale).tolist())
            return self.op("Add", self.op("Mul", x, self.const(scale)), self.const(shift))
        if way == 4:
            center = self.mark(size)
            return self.op("Abs", self.op("Sub", x, self.const(center)))
        return self.op(str(self.rng.choice(["Tanh", "Atan", "Neg", "Sigmoid"])), x)

    def condition(self, x: str, size: int) -> str:
        way = self.rng.integers(8)
        operand = self.looked_at(x, size)
        kind = str(self.rng.choice(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"]))
        if way == 0:
            center, width = self.mark(size), np.float32(10 ** self.rng.uniform(-4, 0))
            self.tried.extend(np.ravel([center - width, center + width]).tolist())
            away = self.op("Abs", self.op("Sub", x, self.const(center)))
            return self.op("Less", away, self.const(width))
        if way == 1:
            other = self.op("Greater", x, self.const(self.mark(size)))
            first = self.op(kind, operand, self.const(self.mark(size)))
            return self.op(str(self.rng.choice(["And", "Or", "Xor"])), first, other)
        found = self.op("Equal" if way < 5 else kind, operand, self.const(self.mark(size)))
        return self.op("Not", found) if self.rng.random() < 0.2 else found

    # Elements by themselves.

    def where(self, x: str, size: int) -> str:
        condition = self.condition(x, size)
        value = self.const(self.rng.normal(size=(1, size)))
        smooth = self.op(str(self.rng.choice(["Identity", "Identity", "Tanh", "Sin"])), x)
        pair = (value, smooth) if self.rng.random() < 0.7 else (smooth, value)
        return self.op("Where", condition, *pair)

    def clip(self, x: str, size: int) -> str:
        low, high = sorted((float(self.rng.choice(MARKS)), float(self.rng.choice(MARKS))))
        self.tried.extend([low, high])
        return self.op("Clip", x, self.const(low), self.const(high + 0.5))

    def bound(self, x: str, size: int) -> str:
        return self.op(str(self.rng.choice(["Max", "Min"])), x, self.const(self.mark(size)))

    def stairs(self, x: str, size: int) -> str:
        fine = self.op("Mul", x, self.const(self.rng.choice([1.0, 2.0, 0.3, 3.0])))
        self.tried.extend(np.arange(-2.0, 2.5, 0.5).tolist())
        return self.op(str(self.rng.choice(["Floor", "Ceil", "Round", "Sign"])), fine)

    def kink(self, x: str, size: int) -> str:
        self.tried.extend([0.0, -3.0, 3.0, 2.5, -2.5])
        shifted = self.op("Sub", x, self.const(self.mark(size)))
        kinds = ["Relu", "Abs", "HardSigmoid", "LeakyRelu", "HardSwish", "Elu"]
        kind = str(self.rng.choice(kinds))
        # Of -3e-8, vectors compute exp(x) - 1 = 0, and remainders a number below 0.
        self.uneven |= kind == "Elu"
        return self.op(kind, shifted)

    def smooth(self, x: str, size: int) -> str:
        return self.op(str(self.rng.choice(["Tanh", "Sin", "Sigmoid", "Atan", "Softplus"])), x)

    def bump(self, x: str, size: int) -> str:
        away = self.op("Sub", x, self.const(self.rng.normal(size=(1, size))))
        return self.op("Exp", self.op("Neg", self.op("Mul", away, away)))

    def branch(self, x: str, size: int) -> str:
        return self.pick(self.where, self.where, self.clip, self.bound, self.stairs, self.kink)(
            x, size
        )

    def sums(self, x: str, size: int, width: int) -> str:
        """A layer of sums."""
        weights = self.rng.normal(size=(size, width))
        result = self.op("MatMul", x, self.const(weights))
        return self.op("Add", result, self.const(self.rng.normal(size=width)))


@dataclass(frozen=True)
class Case:
    """A graph, inputs to try it on, and whether each branch depends on one input."""

    model: onnx.ModelProto
    x: Array
    samples: Array | None
    exact: bool


def draw(rng: np.random.Generator) -> Case:
    """A random graph with branches before, in and behind its layers."""
    inputs, width = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    to = Drawing(rng)
    value, size = "x", inputs
    if rng.random() < 0.8:
        value = to.branch(value, size)
        if rng.random() < 0.3:
            to.hidden |= to.uneven
            value = to.branch(value, size)
    if rng.random() < 0.6:
        value = to.pick(to.smooth, to.bump)(value, size)
    value, size = to.sums(value, size, width), width
    marks = list(to.tried)
    if rng.random() < 0.5:
        if rng.random() < 0.4:
            value, to.hidden = to.branch(value, size), True
        value = to.pick(to.smooth, to.bump)(value, size)
        value, size = to.sums(value, size, 2), 2
    if rng.random() < 0.1:
        value, to.hidden = to.branch(value, size), True
    to.nodes[-1].output[0] = "y"
    graph = helper.make_graph(
        to.nodes,
        "branches",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", inputs])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", size])],
        to.tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    x = _inputs(rng, inputs, marks)
    samples = x[rng.integers(len(x), size=40)] if rng.random() < 0.3 else None
    return Case(model, x, samples, not to.hidden)


def _inputs(rng: np.random.Generator, inputs: int, marks: list[float]) -> Array:
    """Random rows, and rows in which one input is a mark or its neighbour."""
    near = np.unique(np.asarray(marks or [0.0], dtype=np.float32))
    tried = np.unique(
        np.concatenate([near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.inf)])
    ).astype(np.float32)
    # Below the smallest normal number, a runtime's vectors and remainders differ.
    tried = tried[(tried == 0) | (np.abs(tried) >= np.finfo(np.float32).tiny)]
    rows = rng.normal(size=(len(tried) * inputs, inputs)).astype(np.float32)
    for index in range(inputs):
        rows[index * len(tried) : (index + 1) * len(tried), index] = tried
    return np.concatenate([rows, rng.normal(scale=2.0, size=(64, inputs)).astype(np.float32)])


def check(case: Case, folder: Path) -> str:
    """Import a graph and compare it with ONNX Runtime.

    Returns
    -------
    Whether it was imported or refused.

    Raises
    ------
    AssertionError : the import computes something else.
    """
    path = folder / "branches.onnx"
    onnx.save(case.model, path)  # pyright: ignore[reportUnknownMemberType] (it has no types)
    samples = None if case.samples is None else case.samples.astype(np.float64)
    try:
        module = load_onnx(path, ImportOptions(samples=samples))
    except KanError:
        return "refused"
    expected = _run(case.model, case.x)
    actual = Model.of(module).run(case.x.astype(np.float64))
    scale = float(np.ptp(expected[-64:])) or 1.0
    allowed = 1e-4 * scale + 1e-5 * np.abs(expected).max(axis=1)
    wrong = np.abs(actual - expected).max(axis=1) > allowed
    if wrong.any():
        rows = np.flatnonzero(wrong)
        wide = _run(widened(case.model), case.x[rows].astype(np.float64))
        as_float64 = np.abs(actual[rows] - wide).max(axis=1) <= allowed[rows]
        if case.exact:
            # float32 decides here: float64 excuses only as much as rounding does nearby.
            off = np.abs(actual[rows] - expected[rows]).max(axis=1)
            as_float64 &= off <= 8 * rounding_nearby(case.model, case.x[rows])
        wrong[rows] &= ~as_float64
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        shown = [repr(float(each)) for each in case.x[row]]
        raise AssertionError(
            f"{int(wrong.sum())} of {len(wrong)} rows differ: x = {shown}, "
            f"{actual[row].tolist()} instead of {expected[row].tolist()}"
        )
    return "imported"


def rounding_nearby(model: onnx.ModelProto, x: Array) -> Array:
    """How far float32 is from float64 around each row, but not at it.

    The upper quartile of rows at relative distances of 1e-5 to 8e-5: a branch that the row itself
    takes, or that few of the neighbours take, does not change it.
    """
    away = np.array([-8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8]) * 1e-5
    near = (x[None] * (1 + away[:, None, None])).astype(np.float32).reshape(-1, x.shape[1])
    off = np.abs(_run(model, near) - _run(widened(model), near.astype(np.float64))).max(axis=1)
    return np.quantile(off.reshape(len(away), len(x)), 0.75, axis=0)


def _run(model: onnx.ModelProto, x: Array) -> Array:
    """Outputs (rows, out) of ONNX Runtime, or of the reference where that lacks a kernel."""
    with np.errstate(all="ignore"):
        (found,) = open_runner(model).run(["y"], {"x": x})
    return np.asarray(found, dtype=np.float64)
