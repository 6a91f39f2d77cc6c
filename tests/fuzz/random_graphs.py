"""Random ONNX graphs: Kolmogorov-Arnold networks in random writings, and such that are none.

Where a network was trained is known here, and not to the frontend: features have locations and
scales of their own, which first ops bring to about 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from kan_dialect.ir.constants import FloatArray

Array: TypeAlias = NDArray[Any]

REGIMES = ("unit", "shifted", "large", "tiny", "raw", "offset")
"""Where the inputs of a network lie."""


@dataclass
class Writer:
    """Writes a graph op by op; values are (batch, n) where nothing else is said."""

    rng: np.random.Generator
    dtype: Any = np.float32
    opset: int = 17
    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    tensors: list[onnx.TensorProto] = field(default_factory=list[onnx.TensorProto])
    widths: dict[str, int] = field(default_factory=dict[str, int])

    def const(self, value: object, dtype: Any = None) -> str:
        name = f"c{len(self.tensors)}"
        array = np.asarray(value, dtype=dtype or self.dtype)
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def ints(self, *values: int) -> str:
        return self.const(values, np.int64)

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def split(self, x: str, widths: Sequence[int]) -> list[str]:
        names = [f"v{len(self.nodes)}_{index}" for index in range(len(widths))]
        node = helper.make_node(
            "Split", [x, self.ints(*widths)], names, f"v{len(self.nodes)}", axis=1
        )
        self.nodes.append(node)
        return names

    def columns(self, x: str, n: int) -> list[str]:
        """Each column, (batch, 1), in one of several ways."""
        way = self.rng.integers(4)
        if way == 0:
            return self.split(x, [1] * n)
        if way == 1:
            return [self.op("Gather", x, self.ints(index), axis=1) for index in range(n)]
        if way == 2:
            return [
                self.op("Slice", x, self.ints(i), self.ints(i + 1), self.ints(1)) for i in range(n)
            ]
        found: list[str] = []
        for index in range(n):
            picked = self.op("Gather", x, self.const(index, np.int64), axis=1)
            found.append(self.op("Unsqueeze", picked, self.ints(-1)))
        return found

    def weights(self, *shape: int) -> str:
        values = self.rng.normal(size=shape)
        if self.rng.random() < 0.3:
            values = values * (self.rng.random(shape) < 0.7)
        return self.const(values)

    # Functions of one variable, useful between about -3 and 3.

    def function(self, x: str) -> str:
        choices: list[Callable[[str], str]] = [
            *(self._unary(kind) for kind in ("Atan", "Sin", "Tanh", "Softsign", "Erf", "Sigmoid")),
            *(self._unary(kind) for kind in ("Relu", "Softplus", "Elu", "Abs", "Cos", "Neg")),
            self._step,
            self._steps,
            self._clip,
            self._bump,
            self._narrow,
            self._log,
            self._sqrt,
            self._acos,
            self._reciprocal,
            self._pieces,
            self._modulo,
            self._cube,
            self._silu,
            self._table,
            self._identity,
            self._double_bump,
        ]
        return choices[self.rng.integers(len(choices))](x)

    def _unary(self, kind: str) -> Callable[[str], str]:
        return lambda x: self.op(kind, x)

    def _step(self, x: str) -> str:
        above = self.op("Greater", x, self.const(self.rng.uniform(-1, 1)))
        return self.op("Cast", above, to=helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype)))

    def _steps(self, x: str) -> str:
        fine = self.op("Mul", x, self.const(self.rng.uniform(0.5, 8)))
        return self.op(str(self.rng.choice(["Floor", "Round", "Ceil"])), fine)

    def _clip(self, x: str) -> str:
        return self.op("Clip", x, self.const(-1.0), self.const(self.rng.uniform(0.2, 2)))

    def _bump(self, x: str, width: float = 1.0) -> str:
        away = self.op("Sub", x, self.const(self.rng.uniform(-1, 1)))
        scaled = self.op("Mul", away, self.const(1 / width))
        squared = self.op("Mul", scaled, scaled)
        return self.op("Exp", self.op("Neg", squared))

    def _double_bump(self, x: str) -> str:
        return self.op("Mul", self._bump(x), self.op("Atan", x))

    def _narrow(self, x: str) -> str:
        return self._bump(x, float(10 ** self.rng.uniform(-3, -1)))

    def _log(self, x: str) -> str:
        return self.op("Log", self.op("Add", x, self.const(self.rng.uniform(3.5, 6))))

    def _sqrt(self, x: str) -> str:
        return self.op("Sqrt", self.op("Add", x, self.const(self.rng.uniform(3.5, 6))))

    def _acos(self, x: str) -> str:
        inside = self.op("Mul", x, self.const(0.25))
        if self.rng.random() < 0.5:
            inside = self.op("Clip", inside, self.const(-0.99), self.const(0.99))
        return self.op("Acos", inside)

    def _reciprocal(self, x: str) -> str:
        squared = self.op("Mul", x, x)
        return self.op("Reciprocal", self.op("Add", squared, self.const(self.rng.uniform(0.1, 1))))

    def _pieces(self, x: str) -> str:
        right = self.op("Greater", x, self.const(self.rng.uniform(-1, 1)))
        return self.op("Where", right, self.op("Sin", x), self.op("Mul", x, self.const(0.5)))

    def _modulo(self, x: str) -> str:
        return self.op("Mod", x, self.const(self.rng.uniform(0.3, 2)), fmod=1)

    def _cube(self, x: str) -> str:
        return self.op("Pow", x, self.const(float(self.rng.integers(2, 4))))

    def _silu(self, x: str) -> str:
        return self.op("Mul", x, self.op("Sigmoid", x))

    def _identity(self, x: str) -> str:
        return self.op("Identity", x)

    def _table(self, x: str) -> str:
        """A table, looked up."""
        size = int(self.rng.integers(3, 20))
        place = self.op("Mul", self.op("Add", x, self.const(3.0)), self.const(size / 6))
        whole = self.op("Clip", self.op("Floor", place), self.const(0.0), self.const(size - 1.0))
        index = self.op("Cast", whole, to=onnx.TensorProto.INT64)
        return self.op("Gather", self.weights(size), index, axis=0)

    # Layers

    def layer(self, x: str, n: int, m: int) -> str:
        ways: list[Callable[[str, int, int], str]] = [
            self._plain,
            self._plain,
            self._two_branches,
            self._basis,
            self._einsum,
            self._by_column,
            self._merged,
            self._from_the_left,
            self._one_hot,
            self._scattered,
            self._running,
            self._in_any_order,
        ]
        if n >= 2:
            ways.append(self._convolved)
        y = ways[self.rng.integers(len(ways))](x, n, m)
        after = self.rng.random()
        if after < 0.15:
            y = self.op("Add", y, self.weights(m))
        elif after < 0.25:
            y = self.batch_norm(y, self.rng.normal(size=m), np.ones(m))
        if self.rng.random() < 0.15:
            self.op("Mul", y, y)  # Nothing reads it.
        return y

    def batch_norm(self, x: str, mean: Array, scale: Array) -> str:
        one, zero = self.const(np.ones(len(mean))), self.const(np.zeros(len(mean)))
        variance = self.const(np.square(scale))
        return self.op("BatchNormalization", x, one, zero, self.const(mean), variance, epsilon=0.0)

    def _mixed(self, f: str, k: int, m: int) -> str:
        if self.rng.random() < 0.5:
            return self.op("MatMul", f, self.weights(k, m))
        return self.op("Gemm", f, self.weights(m, k), self.weights(m), transB=1)

    def _plain(self, x: str, n: int, m: int) -> str:
        return self._mixed(self.function(x), n, m)

    def _two_branches(self, x: str, n: int, m: int) -> str:
        return self.op("Add", self._plain(x, n, m), self._plain(x, n, m))

    def _in_any_order(self, x: str, n: int, m: int) -> str:
        f, g, h = self.function(x), self.function(x), self.function(x)
        return self.op("Sum", *(self._mixed(each, n, m) for each in (g, f, h)))

    def _bases(self, column: str, k: int) -> str:
        """(..., k) of a value (..., 1)."""
        away = self.op("Sub", column, self.const(np.sort(self.rng.uniform(-2, 2, k))))
        kind = self.rng.integers(3)
        if kind == 0:
            squared = self.op("Mul", away, away)
            return self.op("Exp", self.op("Mul", squared, self.const(-self.rng.uniform(0.5, 30))))
        if kind == 1:
            return self.op("Relu", self.op("Sub", self.const(1.0), self.op("Abs", away)))
        return self.op("Atan", away)

    def _basis(self, x: str, n: int, m: int) -> str:
        k = int(self.rng.integers(2, 8))
        bases = self._bases(self.op("Unsqueeze", x, self.ints(-1)), k)
        return self._mixed(self.op("Reshape", bases, self.ints(-1, n * k)), n * k, m)

    def _einsum(self, x: str, n: int, m: int) -> str:
        k = int(self.rng.integers(2, 8))
        bases = self._bases(self.op("Unsqueeze", x, self.ints(-1)), k)
        return self.op("Einsum", bases, self.weights(m, n, k), equation="bik,oik->bo")

    def _merged(self, x: str, n: int, m: int) -> str:
        """Features in the batch, as efficient writings have them."""
        k = int(self.rng.integers(2, 8))
        bases = self._bases(self.op("Reshape", x, self.ints(-1, 1)), k)
        if self.rng.random() < 0.5:
            bases = self.op("MatMul", bases, self.weights(k, k))
        return self._mixed(self.op("Reshape", bases, self.ints(-1, n * k)), n * k, m)

    def _by_column(self, x: str, n: int, m: int) -> str:
        columns = [self.function(column) for column in self.columns(x, n)]
        if self.rng.random() < 0.5:
            joined = columns[0] if n == 1 else self.op("Concat", *columns, axis=1)
            return self._mixed(joined, n, m)
        order = self.rng.permutation(n)
        spread = [self.op("Mul", columns[int(index)], self.weights(1, m)) for index in order]
        total = spread[0]
        for each in spread[1:]:
            total = self.op("Add", total, each)
        return total

    def _from_the_left(self, x: str, n: int, m: int) -> str:
        """The batch in the last axis."""
        turned = self.function(self.op("Transpose", x, perm=[1, 0]))
        return self.op("Transpose", self.op("MatMul", self.weights(m, n), turned), perm=[1, 0])

    def _one_hot(self, x: str, n: int, m: int) -> str:
        size = int(self.rng.integers(3, 9))
        place = self.op("Mul", self.op("Add", x, self.const(2.0)), self.const(size / 4))
        whole = self.op("Clip", self.op("Floor", place), self.const(0.0), self.const(size - 1.0))
        index = self.op("Cast", whole, to=onnx.TensorProto.INT64)
        hot = self.op("OneHot", index, self.const(size, np.int64), self.const([0.0, 1.0]))
        if self.rng.random() < 0.5:  # Linear in between.
            share = self.op("Unsqueeze", self.op("Sub", place, whole), self.ints(-1))
            hot = self.op("Mul", hot, share)
        return self._mixed(self.op("Reshape", hot, self.ints(-1, n * size)), n * size, m)

    def _scattered(self, x: str, n: int, m: int) -> str:
        f = self.function(x)
        zeros = self.op("Mul", self.op("Concat", f, f, axis=1), self.const(0.0))
        order = self.rng.permutation(2 * n)[:n]
        shape = self.op("Shape", f)
        index = self.op("Expand", self.const(order[np.newaxis], np.int64), shape)
        return self._mixed(self.op("ScatterElements", zeros, index, f, axis=1), 2 * n, m)

    def _running(self, x: str, n: int, m: int) -> str:
        return self.op("CumSum", self._plain(x, n, m), self.const(1, np.int64))

    def _convolved(self, x: str, n: int, m: int) -> str:
        f = self.op("Unsqueeze", self.function(x), self.ints(1))
        size = int(self.rng.integers(1, min(n, 3) + 1))
        h = self.op("Conv", f, self.weights(2, 1, size))
        return self._mixed(self.op("Flatten", h, axis=1), 2 * (n - size + 1), m)


@dataclass(frozen=True, eq=False)
class Network:
    """A graph, where it was trained, and what is known of it.

    Attributes
    ----------
    mixing : the names of the ops that mix values; empty for a Kolmogorov-Arnold network.
    active : inputs (rows, in) at which an interaction shows.
    """

    model: onnx.ModelProto
    location: FloatArray
    scale: FloatArray
    depth: int
    kind: str
    mixing: tuple[str, ...] = ()

    def points(self, rng: np.random.Generator, rows: int) -> FloatArray:
        size = (rows, len(self.location))
        spread = np.where(
            rng.random((rows, 1)) < 0.5, rng.uniform(-1, 1, size) * 1.5, rng.normal(size=size)
        )
        return self.location + self.scale * np.clip(spread, -3.0, 3.0)


def _where(regime: str, n: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Location and scale of each feature."""
    if regime == "unit":
        return np.zeros(n), np.ones(n)
    if regime == "shifted":
        return rng.uniform(-10, 100, n), 10 ** rng.uniform(-1, 1, n)
    if regime == "large":
        return np.zeros(n), 10 ** rng.uniform(2, 5, n)
    if regime == "tiny":
        return np.zeros(n), 10 ** rng.uniform(-5, -2, n)
    if regime == "raw":
        return 10 ** rng.uniform(0, 5, n), 10 ** rng.uniform(-1, 5, n)
    scale = 10 ** rng.uniform(-2, 2, n)
    return scale * 10 ** rng.uniform(1, 3, n), scale


def _normalised(writer: Writer, x: str, location: FloatArray, scale: FloatArray) -> str:
    way = writer.rng.integers(4)
    if way == 0:
        away = writer.op("Sub", x, writer.const(location))
        return writer.op("Div", away, writer.const(scale))
    if way == 1:
        scaled = writer.op("Mul", x, writer.const(1 / scale))
        return writer.op("Sub", scaled, writer.const(location / scale))
    if way == 2:
        return writer.batch_norm(x, location, scale)
    away = writer.op("Add", x, writer.const(-location))
    return writer.op("Mul", away, writer.const(1 / scale))


Mixing: TypeAlias = Callable[[Writer, str, int], tuple[str, Sequence[str]]]


def _pair(writer: Writer, x: str, n: int) -> tuple[str, str]:
    columns = writer.columns(x, n)
    first, second = writer.rng.choice(n, 2, replace=False)
    return columns[first], columns[second]


def _product(strength: float) -> Mixing:
    def mixing(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
        a, b = _pair(writer, x, n)
        product = writer.op("Mul", writer.op("Atan", a), writer.op("Atan", b))
        weak = writer.op("Mul", product, writer.const(strength))
        return writer.op("Add", x, weak), [product, weak]

    return mixing


def _gate(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    gate = writer.op("Sigmoid", writer.op("MatMul", x, writer.weights(n, n)))
    product = writer.op("Mul", x, gate)
    return product, [product]


def _extremum(kind: str) -> Mixing:
    def mixing(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
        a, b = _pair(writer, x, n)
        largest = writer.op(kind, a, b)
        return writer.op("Concat", x, largest, axis=1), [largest]

    return mixing


def _corner(inputs: int, threshold: float, strength: float) -> Mixing:
    """A product that is 0 unless several inputs are beyond a threshold."""

    def mixing(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
        columns = writer.columns(x, n)
        chosen = writer.rng.choice(n, min(inputs, n), replace=False)
        product = ""
        names: list[str] = []
        for index in chosen:
            sign = writer.const(float(writer.rng.choice([-1.0, 1.0])))
            beyond = writer.op("Mul", columns[int(index)], sign)
            factor = writer.op("Relu", writer.op("Sub", beyond, writer.const(threshold)))
            product = writer.op("Mul", product, factor) if product else factor
            names.append(product)
        weak = writer.op("Mul", product, writer.const(strength))
        return writer.op("Add", x, weak), [*names[1:], weak]

    return mixing


def _both(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    a, b = _pair(writer, x, n)
    t = writer.const(writer.rng.uniform(-1, 1))
    both = writer.op("And", writer.op("Greater", a, t), writer.op("Less", b, t))
    jump = writer.op("Where", both, writer.const(0.01), writer.const(0.0))
    return writer.op("Add", x, jump), [jump]


def _switch(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    a, b = _pair(writer, x, n)
    right = writer.op("Greater", a, writer.const(writer.rng.uniform(-2, 2)))
    chosen = writer.op("Where", right, writer.op("Sin", b), writer.op("Mul", b, writer.const(0.9)))
    return writer.op("Concat", x, chosen, axis=1), [chosen]


def _cancelling(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    a, b = _pair(writer, x, n)
    k = writer.const(writer.rng.uniform(1, 50))
    product = writer.op(
        "Mul", writer.op("Sin", writer.op("Mul", a, k)), writer.op("Cos", writer.op("Mul", b, k))
    )
    weak = writer.op("Mul", product, writer.const(0.03))
    return writer.op("Add", x, weak), [product, weak]


def _bumps(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    """A product of two bumps, at a place of its own."""
    a, b = _pair(writer, x, n)
    width = float(10 ** writer.rng.uniform(-1.5, 0))
    product = writer.op("Mul", writer._bump(a, width), writer._bump(b, width))
    return writer.op("Add", x, product), [product]


def _norm(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    squared = writer.op("Mul", x, x)
    axes = writer.ints(1)
    norm = writer.op(
        "Sqrt", writer.op("Add", writer.op("ReduceSum", squared, axes), writer.const(0.1))
    )
    divided = writer.op("Div", x, norm)
    return divided, [divided]


def _softmax(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    soft = writer.op("Softmax", x, axis=1)
    return soft, [soft]


def _layer_norm(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    if writer.opset >= 17:
        norm = writer.op("LayerNormalization", x, writer.const(np.ones(n)), axis=-1)
        return norm, [norm]
    return _norm(writer, x, n)


def _attention(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    column = writer.op("Unsqueeze", x, writer.ints(-1))
    turned = writer.op("Transpose", column, perm=[0, 2, 1])
    scores = writer.op("MatMul", column, turned)
    soft = writer.op("Softmax", scores, axis=-1)
    y = writer.op("Squeeze", writer.op("MatMul", soft, column), writer.ints(-1))
    return y, [scores, soft, y]


def _batch_mean(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    total = writer.op("ReduceSum", x, writer.ints(0))
    weak = writer.op("Mul", total, writer.const(0.01))
    y = writer.op("Sub", x, weak)
    return y, [total, weak, y]


def _batch_running(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    y = writer.op("CumSum", x, writer.const(0, np.int64))
    return y, [y]


def _batch_sorted(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    k = writer.op("Slice", writer.op("Shape", x), writer.ints(0), writer.ints(1))
    name = f"v{len(writer.nodes)}"
    writer.nodes.append(helper.make_node("TopK", [x, k], [name, name + "i"], name, axis=0))
    return name, [name]


def _powers(writer: Writer, x: str, n: int) -> tuple[str, Sequence[str]]:
    a, b = _pair(writer, x, n)
    base = writer.op("Add", writer.op("Abs", a), writer.const(0.5))
    power = writer.op("Pow", base, writer.op("Tanh", b))
    return writer.op("Concat", x, power, axis=1), [power]


MIXINGS: dict[str, Callable[[np.random.Generator], Mixing]] = {
    "product": lambda rng: _product(1.0),
    "weak 1e-3": lambda rng: _product(1e-3),
    "weak 1e-5": lambda rng: _product(1e-5),
    "weak 1e-7": lambda rng: _product(1e-7),
    "gate": lambda rng: _gate,
    "max": lambda rng: _extremum("Max"),
    "min": lambda rng: _extremum("Min"),
    "corner of 2": lambda rng: _corner(2, float(rng.uniform(0, 1.5)), 0.3),
    "corner of 3": lambda rng: _corner(3, float(rng.uniform(0, 1.3)), 0.3),
    "far corner of 2": lambda rng: _corner(2, float(10 ** rng.uniform(0.5, 4)), 1.0),
    "and": lambda rng: _both,
    "switch": lambda rng: _switch,
    "cancelling": lambda rng: _cancelling,
    "bumps": lambda rng: _bumps,
    "norm": lambda rng: _norm,
    "softmax": lambda rng: _softmax,
    "layer norm": lambda rng: _layer_norm,
    "attention": lambda rng: _attention,
    "batch mean": lambda rng: _batch_mean,
    "batch running": lambda rng: _batch_running,
    "batch sorted": lambda rng: _batch_sorted,
    "power": lambda rng: _powers,
}
"""What keeps a network from being a Kolmogorov-Arnold network."""


def make_network(seed: int, regime: str, mixing: str | None = None) -> Network:
    """A random network; of a kind of `MIXINGS`, where one is given."""
    rng = np.random.default_rng([seed, REGIMES.index(regime), len(mixing or "")])
    n = int(rng.integers(1 if mixing is None else 3, 6))
    half = regime == "unit" and mixing is None and rng.random() < 0.1
    dtype = np.float16 if half else np.float64 if rng.random() < 0.1 else np.float32
    writer = Writer(rng, dtype, int(rng.choice([13, 15, 17, 18, 20, 21])))
    location, scale = _where(regime, n, rng)
    location = location.astype(np.float32).astype(np.float64)
    scale = scale.astype(np.float32).astype(np.float64)
    batch: object = "b" if rng.random() < 0.85 else int(rng.choice([1, 4]))
    if mixing is not None and mixing.startswith("batch"):
        batch = "b" if rng.random() < 0.7 else 4
    shape, value = _ends(writer, n, batch)
    if regime != "unit":
        value = _normalised(writer, value, location, scale)
    depth = int(rng.integers(1, 4))
    at = int(rng.integers(0, depth)) if mixing is not None else -1
    names: tuple[str, ...] = ()
    width = n
    before: list[tuple[str, int]] = []
    for index in range(depth):
        if index == at:
            assert mixing is not None
            value, mixes = MIXINGS[mixing](rng)(writer, value, width)
            names = tuple(mixes)
            width = _width_after(writer, value, width)
        inputs, width_in = value, width
        if before and rng.random() < 0.2:  # A dense connection.
            other, other_width = before[int(rng.integers(len(before)))]
            inputs = writer.op("Concat", value, other, axis=1)
            width_in = width + other_width
        before.append((value, width))
        last = index == depth - 1
        wanted = int(rng.integers(1, 5)) if last else int(rng.integers(3 if mixing else 1, 6))
        following = writer.layer(inputs, width_in, wanted)
        if not last or rng.random() < 0.2:
            skips = [each for each in before if each[1] == wanted]
            if skips and rng.random() < 0.3:
                following = writer.op("Add", following, skips[-1][0])
        value, width = following, wanted
    graph = helper.make_graph(
        [*writer.nodes, helper.make_node("Identity", [value], ["y"], "out")],
        "g",
        [
            helper.make_tensor_value_info(
                "x", helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape
            )
        ],
        [
            helper.make_tensor_value_info(
                "y", helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), None
            )
        ],
        writer.tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", writer.opset)])
    model.ir_version = 9
    return Network(model, location, scale, depth, mixing or "kan", names)


def _width_after(writer: Writer, value: str, width: int) -> int:
    node = next(node for node in writer.nodes if value in node.output)
    return width + 1 if node.op_type == "Concat" else width


def _ends(writer: Writer, n: int, batch: object) -> tuple[list[Any], str]:
    """The input's shape, and the input as (batch, n)."""
    way = writer.rng.integers(8)
    if way == 0:
        return [batch, 1, n], writer.op("Flatten", "x", axis=1)
    if way == 1:
        return [batch, n, 1], writer.op("Squeeze", "x", writer.ints(2))
    if way == 2:
        return [batch, n, 1, 1], writer.op("Reshape", "x", writer.ints(-1, n))
    return [batch, n], "x"
