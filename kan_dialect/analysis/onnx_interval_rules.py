"""Bounds of ONNX operators, one rule each: `rule(step, operands)` gives bounds of the results.

Operators that only move elements share a rule: the reference implementation of the `onnx` package
moves numbers of the elements, and the bounds follow these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import erf, pi, prod, sqrt
from typing import Any, TypeAlias, TypeVar

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from kan_dialect.analysis.enclosures import NoEnclosureError
from kan_dialect.analysis.onnx_bounds import (
    EXACT,
    FINE,
    FLOATS,
    Bounds,
    Noise,
    aligned,
    applied,
    below,
    chosen,
    compared,
    contracted,
    hull,
    jump,
    larger,
    minus,
    negative,
    noise_of,
    not_above,
    plus,
    product,
    rounded,
    same,
    smaller,
    stepped,
    summed,
    times,
    truth_bounds,
)
from kan_dialect.ir.constants import Array, FloatArray, IntArray
from kan_dialect.maths.functions import apply
from kan_dialect.maths.interval_functions import FUNCTIONS, Bounded, Range, turning
from kan_dialect.maths.interval_functions import widened as pushed_out

_MAX_PLACES = 1 << 10
"""Most places that a lookup may read for one element."""


@dataclass(eq=False)
class Step:
    """A node of a graph.

    Parameters
    ----------
    kinds : ONNX element types of inputs and outputs, by name.
    version : of the operator set.
    """

    node: onnx.NodeProto
    kinds: Mapping[str, int]
    version: int
    attributes: dict[str, Any] = field(init=False)
    places: list[tuple[IntArray, tuple[int, ...]]] | None = None
    """Where an operator that moves elements takes each of them from; 0 is a zero."""

    def __post_init__(self) -> None:
        self.attributes = {
            each.name: helper.get_attribute_value(each) for each in self.node.attribute
        }

    @property
    def kind(self) -> int:
        """Element type of the first result."""
        return self.kinds[self.node.output[0]]

    @property
    def noise(self) -> Noise:
        return noise_of(self.kind)

    def number(self, name: str, default: float) -> float:
        return float(self.attributes.get(name, default))

    def parameter(self, name: str, default: float) -> Bounds:
        """A number of an operator; runtimes keep defaults as float32 or as float64."""
        if name in self.attributes:
            return Bounds.exact(np.array(self.number(name, default)))
        ends = [np.full(1, default), np.full(1, default, dtype=np.float32).astype(np.float64)]
        return Bounds(Range(np.minimum(*ends), np.maximum(*ends)))

    def integer(self, name: str, default: int) -> int:
        return int(self.attributes.get(name, default))

    def none(self, why: str) -> NoEnclosureError:
        return NoEnclosureError(f"the ONNX operator {self.node.op_type} has no bounds {why}")

    def known(self, x: Bounds | None, what: str) -> IntArray:
        """An operand that must be a constant: integers.

        Raises
        ------
        NoEnclosureError : it is computed.
        """
        point = None if x is None else x.point
        if point is None:
            raise self.none(f"where {what} is computed")
        return point.astype(np.int64)


Operands: TypeAlias = Sequence[Bounds | None]
Results: TypeAlias = Bounds | list[Bounds]
Rule: TypeAlias = Callable[[Step, Any], Results]
_RULES: dict[str, Rule] = {}
_T = TypeVar("_T", bound=Rule)


def _rule(*names: str) -> Callable[[_T], _T]:
    def register(rule: _T) -> _T:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return register


# Arithmetic


@_rule("Add")
def _add(step: Step, operands: list[Bounds]) -> Bounds:
    one, other = operands
    return plus(one, other, step.noise)


@_rule("Sub")
def _sub(step: Step, operands: list[Bounds]) -> Bounds:
    one, other = operands
    return minus(one, other, step.noise)


@_rule("Mul")
def _mul(step: Step, operands: list[Bounds]) -> Bounds:
    if step.node.input[0] == step.node.input[1]:
        return _square(operands[0], step.noise)
    one, other = operands
    return times(one, other, step.noise)


def _square(x: Bounds, noise: Noise) -> Bounds:
    # Integers have no noise, functions always have.
    return times(x, x, noise) if noise is EXACT else applied(FUNCTIONS["square"], x, noise, 0.0)


@_rule("Div")
def _div(step: Step, operands: list[Bounds]) -> Bounds:
    one, other = operands
    if step.kind in FLOATS:
        return times(one, _reciprocal_of(other, step.noise), step.noise)
    divisor = other.point
    if divisor is None or (divisor <= 0).any():
        raise step.none("for integers over what is not a positive constant")
    divided = times(one, Bounds.exact(1.0 / divisor), FINE)

    # A quotient that is whole is at most some units of the last digit off.
    def truncated(each: Range) -> Range:
        slack = np.maximum(np.abs(each.low), np.abs(each.high)) * 2.0**-40
        return Range(np.trunc(each.low - slack), np.trunc(each.high + slack))

    value = truncated(divided.value)
    exact = (one.value.low == one.value.high) & (one.value.low % divisor == 0)
    whole = np.rint(one.value.low / divisor)
    value = Range(np.where(exact, whole, value.low), np.where(exact, whole, value.high))
    return Bounds(value) if one.constant else Bounds(value, jump(value), value)


def _reciprocal_of(x: Bounds, noise: Noise) -> Bounds:
    return applied(_reciprocal, x, noise)


def _reciprocal(x: Range) -> tuple[Range, Range]:
    """1 / x, of either sign, where x is not 0."""
    pole = (x.low <= 0.0) & (x.high >= 0.0)
    undefined = np.isnan(x.low) | np.isnan(x.high)
    with np.errstate(all="ignore"):
        value = rounded(1.0 / x.high, 1.0 / x.low, FINE)
        steep = pushed_out(*_ordered(-1.0 / x.low**2, -1.0 / x.high**2))
    low, high = (
        np.where(undefined, np.nan, np.where(pole, end, each))
        for end, each in ((-np.inf, value.low), (np.inf, value.high))
    )
    slope = Range(np.where(pole, -np.inf, steep.low), np.where(pole, 0.0, steep.high))
    return Range(low, high), slope


def _ordered(one: FloatArray, other: FloatArray) -> Range:
    return Range(np.minimum(one, other), np.maximum(one, other))


@_rule("Neg")
def _neg(step: Step, operands: list[Bounds]) -> Bounds:
    return negative(operands[0])


@_rule("Min")
def _min(step: Step, operands: list[Bounds]) -> Bounds:
    return reduce(smaller, operands)


@_rule("Max")
def _max(step: Step, operands: list[Bounds]) -> Bounds:
    return reduce(larger, operands)


@_rule("Sum")
def _sum(step: Step, operands: list[Bounds]) -> Bounds:
    return reduce(lambda a, b: plus(a, b, step.noise), operands)


@_rule("Mean")
def _mean(step: Step, operands: list[Bounds]) -> Bounds:
    share = Bounds.exact(np.array(1.0 / len(operands)))
    return times(_sum(step, operands), share, step.noise)


@_rule("Clip")
def _clip(step: Step, operands: Operands) -> Bounds:
    x, least, most = (*operands, None, None)[:3]
    assert x is not None
    x = x if least is None else larger(x, least)
    return x if most is None else smaller(x, most)


@_rule("Pow")
def _pow(step: Step, operands: list[Bounds]) -> Bounds:
    base, exponent = operands
    point = exponent.point
    if point is None:
        rising = applied(FUNCTIONS["log"], base, step.noise)
        power = times(exponent, rising, step.noise)
        return applied(FUNCTIONS["exp"], power, step.noise, 0.0)
    base, exponent = aligned(base, exponent)
    n = exponent.value.low

    def bounded(x: Range) -> tuple[Range, Range]:
        value = _powers(x, n)
        rise = _powers(x, n - 1.0)
        slope = product(Range(n, n), rise)
        flat = n == 0.0
        return value, Range(np.where(flat, 0.0, slope.low), np.where(flat, 0.0, slope.high))

    if step.kind in FLOATS:
        return applied(bounded, base, step.noise)
    return stepped(np.rint, applied(bounded, base, EXACT))


def _powers(x: Range, n: FloatArray) -> Range:
    """x^n, for constants n of any kind."""
    with np.errstate(all="ignore"):
        ends = np.power(x.low, n), np.power(x.high, n)
    low, high = _ordered(*ends)
    whole = n == np.rint(n)
    even = whole & (n % 2 == 0)
    inside = (x.low <= 0.0) & (x.high >= 0.0)
    low = np.where(inside & even & (n > 0), np.minimum(low, 0.0), low)
    low, high = pushed_out(low, high)
    low = np.where(even | ~whole, np.maximum(low, 0.0), low)
    pole = inside & (n < 0)
    low, high = np.where(pole & ~even, -np.inf, low), np.where(pole, np.inf, high)
    low = np.where(pole & even, 0.0, low)
    outside = ~whole & (x.low < 0.0)
    one = n == 0.0
    low, high = (np.where(outside, np.nan, np.where(one, 1.0, each)) for each in (low, high))
    return Range(low, high)


@_rule("Mod")
def _mod(step: Step, operands: list[Bounds]) -> Bounds:
    """The rest has the sign of the dividend with `fmod`, else of the divisor."""
    one, other = operands
    toward = step.integer("fmod", 0) == 1
    divisor = other.point
    if divisor is None or (divisor == 0).any():
        raise step.none("by what is not a constant other than 0")
    one, other = aligned(one, other)
    size = np.abs(other.value.low)

    def upward(x: Range) -> Range:
        """x - |d| floor(x / |d|), between 0 and |d|."""
        ends = x.low / size, x.high / size
        first, last = (np.floor(end) for end in ends)
        whole = first != last
        if step.kind in FLOATS:
            # A quotient that is nearly whole may lie on either side.
            for end in ends:
                whole = whole | (np.abs(end - np.rint(end)) <= np.abs(end) * 2.0**-46)
        inner = rounded(x.low - first * size, x.high - first * size, step.noise, x)
        return Range(
            np.where(whole, 0.0, np.maximum(inner.low, 0.0)),
            np.where(whole, size, np.minimum(inner.high, size)),
        )

    def downward(x: Range) -> Range:
        found = upward(Range(-x.high, -x.low))
        return Range(-found.high, -found.low)

    def rest(x: Range) -> Range:
        if not toward:
            falls = other.value.low < 0.0
            left, right = downward(x), upward(x)
            return Range(
                np.where(falls, left.low, right.low), np.where(falls, left.high, right.high)
            )
        left = downward(Range(np.minimum(x.low, 0.0), np.minimum(x.high, 0.0)))
        right = upward(Range(np.maximum(x.low, 0.0), np.maximum(x.high, 0.0)))
        return Range(
            np.where(x.low < 0.0, left.low, right.low),
            np.where(x.high > 0.0, right.high, left.high),
        )

    value = rest(one.value)
    if one.constant:
        return Bounds(value)
    anywhere = np.full_like(value.low, np.inf)
    return Bounds(value, Range(-anywhere, anywhere), rest(one.middles))


# Functions of one variable


def _simple(
    function: Callable[[FloatArray], FloatArray],
    turns: Sequence[float],
    derivative: Callable[[FloatArray], FloatArray],
    bends: Sequence[float],
) -> Bounded:
    return lambda x: (turning(x, function, turns), turning(x, derivative, bends))


def _softplus(x: Range) -> tuple[Range, Range]:
    return (
        turning(x, lambda y: np.logaddexp(0.0, y), ()),
        turning(x, lambda y: apply("sigmoid", y), ()),
    )


def _erf(x: Range) -> tuple[Range, Range]:
    def slope(y: FloatArray) -> FloatArray:
        return 2.0 / sqrt(pi) * np.exp(-(y**2))

    return turning(x, _erf_values, ()), turning(x, slope, (0.0,))


def _erf_values(x: FloatArray) -> FloatArray:
    distinct, places = np.unique(x, return_inverse=True)
    found = np.array([erf(each) for each in distinct.tolist()], dtype=np.float64)
    return found[places].reshape(x.shape)


_INF = np.inf
_SOFTSIGN = _simple(
    lambda x: x / (1.0 + np.abs(x)), (), lambda x: 1.0 / (1.0 + np.abs(x)) ** 2, (0.0,)
)

_FUNCTIONS: dict[str, tuple[Bounded, float, float]] = {
    "Tanh": (FUNCTIONS["tanh"], -1.0, 1.0),
    "Sigmoid": (FUNCTIONS["sigmoid"], 0.0, 1.0),
    "Exp": (FUNCTIONS["exp"], 0.0, _INF),
    "Log": (FUNCTIONS["log"], -_INF, _INF),
    "Sqrt": (FUNCTIONS["sqrt"], 0.0, _INF),
    "Reciprocal": (_reciprocal, -_INF, _INF),
    "Sin": (FUNCTIONS["sin"], -1.0, 1.0),
    "Cos": (FUNCTIONS["cos"], -1.0, 1.0),
    "Tan": (FUNCTIONS["tan"], -_INF, _INF),
    "Asin": (FUNCTIONS["arcsin"], -_INF, _INF),
    "Acos": (FUNCTIONS["arccos"], -_INF, _INF),
    "Atan": (FUNCTIONS["arctan"], -_INF, _INF),
    "Atanh": (FUNCTIONS["arctanh"], -_INF, _INF),
    "Sinh": (_simple(np.sinh, (), np.cosh, (0.0,)), -_INF, _INF),
    "Cosh": (_simple(np.cosh, (0.0,), np.sinh, ()), 1.0, _INF),
    "Asinh": (_simple(np.arcsinh, (), lambda x: 1.0 / np.sqrt(1.0 + x**2), (0.0,)), -_INF, _INF),
    "Acosh": (_simple(np.arccosh, (), lambda x: 1.0 / np.sqrt(x**2 - 1.0), ()), 0.0, _INF),
    "Softplus": (_softplus, 0.0, _INF),
    "Softsign": (_SOFTSIGN, -1.0, 1.0),
}
"""Bounds of value and slope, and what values lie between."""


@_rule(*_FUNCTIONS)
def _function(step: Step, operands: list[Bounds]) -> Bounds:
    function, least, most = _FUNCTIONS[step.node.op_type]
    return applied(function, operands[0], step.noise, least, most)


def _coarse(noise: Noise) -> Noise:
    """Of functions that runtimes compute in float32 even where their operands are float64."""
    return noise if noise is not FINE else Noise(2.0**-22, 2.0**-22, 2.0**-22, np.inf)


@_rule("Erf")
def _error_function(step: Step, operands: list[Bounds]) -> Bounds:
    return applied(_erf, operands[0], _coarse(step.noise), -1.0, 1.0)


@_rule("Abs", "Relu")
def _kinked(step: Step, operands: list[Bounds]) -> Bounds:
    def bounded(x: Range) -> tuple[Range, Range]:
        slope = FUNCTIONS[step.node.op_type.lower()](x)[1]
        if step.node.op_type == "Relu":
            return Range(np.maximum(x.low, 0.0), np.maximum(x.high, 0.0)), slope
        inside = (x.low <= 0.0) & (x.high >= 0.0)
        ends = _ordered(np.abs(x.low), np.abs(x.high))
        return Range(np.where(inside, 0.0, ends.low), ends.high), slope

    # Neither rounds.
    return applied(bounded, operands[0], EXACT)


_ZERO, _ONE = Bounds.exact(np.array(0.0)), Bounds.exact(np.array(1.0))
_EXPM1: Bounded = _simple(np.expm1, (), np.exp, ())


@_rule("LeakyRelu", "PRelu")
def _leaky(step: Step, operands: list[Bounds]) -> Bounds:
    x, *given = operands
    slope = given[0] if given else step.parameter("alpha", 0.01)
    fall = times(slope, smaller(x, _ZERO), step.noise)
    return plus(larger(x, _ZERO), fall, step.noise)


@_rule("Elu", "Selu", "Celu")
def _exponential_unit(step: Step, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    kind, noise = step.node.op_type, step.noise
    alpha = step.parameter("alpha", 1.67326319217681884765625 if kind == "Selu" else 1.0)
    negative_part = smaller(x, _ZERO)
    if kind == "Celu":
        negative_part = times(negative_part, _reciprocal_of(alpha, noise), noise)
    fall = times(alpha, applied(_EXPM1, negative_part, noise), noise)
    found = plus(larger(x, _ZERO), fall, noise)
    if kind != "Selu":
        return found
    return times(step.parameter("gamma", 1.05070102214813232421875), found, noise)


@_rule("HardSigmoid")
def _hard_sigmoid(step: Step, operands: list[Bounds]) -> Bounds:
    scaled = times(operands[0], step.parameter("alpha", 0.2), step.noise)
    moved = plus(scaled, step.parameter("beta", 0.5), step.noise)
    return smaller(larger(moved, _ZERO), _ONE)


@_rule("HardSwish")
def _hard_swish(step: Step, operands: list[Bounds]) -> Bounds:
    def value(x: FloatArray) -> FloatArray:
        return x * np.clip(x / 6.0 + 0.5, 0.0, 1.0)

    def bounded(x: Range) -> tuple[Range, Range]:
        within = Range(np.clip(x.low, -3.0, 3.0), np.clip(x.high, -3.0, 3.0))
        low, high = (2.0 * end / 6.0 + 0.5 for end in within)
        touches = (x.low <= 3.0) & (x.high >= -3.0)
        low, high = np.where(touches, low, np.inf), np.where(touches, high, -np.inf)
        low, high = (
            np.where(x.low <= -3.0, function(end, 0.0), end)
            for function, end in ((np.minimum, low), (np.maximum, high))
        )
        low, high = (
            np.where(x.high >= 3.0, function(end, 1.0), end)
            for function, end in ((np.minimum, low), (np.maximum, high))
        )
        return turning(x, value, (-1.5,)), pushed_out(low, high)

    return applied(bounded, operands[0], _coarse(step.noise))


@_rule("Gelu")
def _gelu(step: Step, operands: list[Bounds]) -> Bounds:
    way = step.attributes.get("approximate", b"none")
    name = "gelu_tanh" if way in (b"tanh", "tanh") else "gelu"
    return applied(FUNCTIONS[name], operands[0], _coarse(step.noise))


@_rule("Mish")
def _mish(step: Step, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    soft = applied(_softplus, x, step.noise, 0.0)
    return times(x, applied(FUNCTIONS["tanh"], soft, step.noise, -1.0, 1.0), step.noise)


@_rule("ThresholdedRelu")
def _thresholded(step: Step, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    return chosen(compared(step.parameter("alpha", 1.0), x, below), x, _ZERO)


@_rule("Shrink")
def _shrink(step: Step, operands: list[Bounds]) -> Bounds:
    (x,) = operands
    limit, bias, noise = step.parameter("lambd", 0.5), step.parameter("bias", 0.0), step.noise
    left, right = compared(x, negative(limit), below), compared(limit, x, below)
    inner = chosen(right, minus(x, bias, _coarse(noise)), _ZERO)
    return chosen(left, plus(x, bias, _coarse(noise)), inner)


# Decisions


_STAIRS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sign": np.sign,
}


@_rule(*_STAIRS)
def _stairs(step: Step, operands: list[Bounds]) -> Bounds:
    return stepped(_STAIRS[step.node.op_type], operands[0])


@_rule("Cast", "CastLike")
def _cast(step: Step, operands: list[Bounds]) -> Bounds:
    source, target = step.kinds[step.node.input[0]], step.kind
    x = operands[0]
    if target == onnx.TensorProto.BOOL and source != target:
        equal = compared(x, _ZERO, same)
        return _opposite(equal)
    if source not in FLOATS or source == target:
        return x
    if target not in FLOATS:
        return stepped(np.trunc, x)
    if noise_of(target).relative < noise_of(source).relative:
        return x
    narrow = helper.tensor_dtype_to_np_dtype(target)

    def both(each: Range) -> Range:
        """What is rounded, and what is not."""
        low, high = (end.astype(narrow).astype(np.float64) for end in each)
        return Range(np.minimum(each.low, low), np.maximum(each.high, high))

    with np.errstate(all="ignore"):
        value = both(x.value)
        return Bounds(value) if x.constant else Bounds(value, x.slope, both(x.middles))


def _opposite(x: Bounds) -> Bounds:
    return minus(_ONE, x, EXACT)


@_rule("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal")
def _comparison(step: Step, operands: list[Bounds]) -> Bounds:
    kind = step.node.op_type
    one, other = operands[::-1] if kind.startswith("Greater") else operands
    test = same if kind == "Equal" else not_above if kind.endswith("OrEqual") else below
    return compared(one, other, test)


@_rule("Not")
def _not(step: Step, operands: list[Bounds]) -> Bounds:
    return _opposite(operands[0])


@_rule("And")
def _and(step: Step, operands: list[Bounds]) -> Bounds:
    return smaller(*operands)


@_rule("Or")
def _or(step: Step, operands: list[Bounds]) -> Bounds:
    return larger(*operands)


@_rule("Xor")
def _xor(step: Step, operands: list[Bounds]) -> Bounds:
    one, other = operands
    return _opposite(compared(one, other, same))


@_rule("IsNaN", "IsInf")
def _is_no_number(step: Step, operands: list[Bounds]) -> Bounds:
    (x,) = operands

    def test(each: Range, _: Range) -> Range:
        usable = np.isfinite(each.low) & np.isfinite(each.high)
        return truth_bounds(np.zeros_like(usable), usable)

    return compared(x, _ZERO, test)


@_rule("Where")
def _where(step: Step, operands: list[Bounds]) -> Bounds:
    condition, one, other = operands
    return chosen(condition, one, other)


# Sums of products


@_rule("MatMul")
def _matmul(step: Step, operands: list[Bounds]) -> Bounds:
    one, other = operands
    return _matrix_product(one, other, step.noise)


def _matrix_product(one: Bounds, other: Bounds, noise: Noise) -> Bounds:
    first, last = len(one.shape) == 1, len(other.shape) == 1
    if first:
        one = one.moved(lambda x: x[:, np.newaxis, :])
    if last:
        other = other.moved(lambda x: x[:, :, np.newaxis])
    terms = one.shape[-1]
    one, other = aligned(one, other)

    def form(a: FloatArray, b: FloatArray) -> FloatArray:
        # Matrices that all rows share make one large product.
        if b.size == prod(b.shape[-2:]):
            found = a.reshape(-1, a.shape[-1]) @ b.reshape(b.shape[-2:])
            return found.reshape(*a.shape[:-1], b.shape[-1])
        return a @ b

    found = contracted(one, other, form, terms, noise)
    if first:
        found = found.moved(lambda x: x[..., 0, :])
    return found.moved(lambda x: x[..., 0]) if last else found


@_rule("Gemm")
def _gemm(step: Step, operands: Operands) -> Bounds:
    one, other, added = (*operands, None)[:3]
    assert one is not None and other is not None
    if step.integer("transA", 0):
        one = one.moved(lambda x: x.swapaxes(1, 2))
    if step.integer("transB", 0):
        other = other.moved(lambda x: x.swapaxes(1, 2))
    found = _matrix_product(one, other, step.noise)
    alpha, beta = step.number("alpha", 1.0), step.number("beta", 1.0)
    if alpha != 1.0:
        found = times(found, Bounds.exact(np.array(alpha)), step.noise)
    if added is None:
        return found
    if beta != 1.0:
        added = times(added, Bounds.exact(np.array(beta)), step.noise)
    return plus(found, added, step.noise)


@_rule("Einsum")
def _einsum(step: Step, operands: list[Bounds]) -> Bounds:
    equation = step.attributes["equation"]
    equation = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    if "." in equation:
        raise step.none("with an ellipsis")
    left, arrow, target = equation.partition("->")
    parts = left.split(",")
    if not arrow:
        target = "".join(sorted(each for each in set(left) - {","} if left.count(each) == 1))
    rows = next(each for each in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if each not in equation)
    sizes = {
        letter: extent
        for part, x in zip(parts, operands, strict=True)
        for letter, extent in zip(part, x.shape, strict=True)
    }
    found, part = operands[0], parts[0]
    if len(operands) == 1:
        return _einsum_of_one(found, part, target, rows, sizes, step.noise)
    for index in range(1, len(operands)):
        other, further = operands[index], parts[index]
        after = set(target).union(*parts[index + 1 :])
        kept = "".join(sorted((set(part) | set(further)) & after))
        result = target if index == len(operands) - 1 else kept
        terms = prod(sizes[each] for each in (set(part) | set(further)) - set(result))
        found = _einsum_of_two(found, other, (part, further, result), rows, terms, step.noise)
        part = result
    return found


def _einsum_of_one(
    x: Bounds, part: str, target: str, rows: str, sizes: Mapping[str, int], noise: Noise
) -> Bounds:
    terms = prod(sizes[each] for each in set(part) - set(target))
    return summed(x, lambda a: np.einsum(f"{rows}{part}->{rows}{target}", a), terms, noise)


def _einsum_of_two(
    one: Bounds, other: Bounds, names: tuple[str, str, str], rows: str, terms: int, noise: Noise
) -> Bounds:
    part, further, result = names

    def form(a: FloatArray, b: FloatArray) -> FloatArray:
        # What has one row is the same for all.
        a_rows, b_rows = ("" if len(each) == 1 else rows for each in (a, b))
        a, b = (each[0] if len(each) == 1 else each for each in (a, b))
        lead = a_rows or b_rows
        equation = f"{a_rows}{part},{b_rows}{further}->{lead}{result}"
        found: FloatArray = np.einsum(equation, a, b, optimize=True)
        return found if lead else found[np.newaxis]

    return contracted(one, other, form, terms, noise)


@_rule("Conv")
def _conv(step: Step, operands: Operands) -> Bounds:
    x, weights, bias = (*operands, None)[:3]
    assert x is not None and weights is not None
    sizes = weights.shape[2:]
    axes = len(sizes)
    strides = step.attributes.get("strides", [1] * axes)
    dilations = step.attributes.get("dilations", [1] * axes)
    pads = list(step.attributes.get("pads", [0] * (2 * axes)))
    if step.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise step.none("with padding of its own choice")
    groups = step.integer("group", 1)
    width = [(0, 0), (0, 0), (0, 0), *zip(pads[:axes], pads[axes:], strict=True)]
    outer = [
        (extent + sum(width[3 + axis]) - dilations[axis] * (sizes[axis] - 1) - 1) // strides[axis]
        + 1
        for axis, extent in enumerate(x.shape[2:])
    ]

    def form(a: FloatArray, w: FloatArray) -> FloatArray:
        a = np.pad(a, width)
        rows, batch, channels = a.shape[:3]
        a = a.reshape(rows, batch, groups, channels // groups, *a.shape[3:])
        kernels = w[0].reshape(groups, -1, *w.shape[2:])
        total = np.zeros((rows, batch, groups, kernels.shape[1], *outer))
        for place in np.ndindex(*sizes):
            window = tuple(
                slice(
                    offset * dilations[axis],
                    offset * dilations[axis] + strides[axis] * (outer[axis] - 1) + 1,
                    strides[axis],
                )
                for axis, offset in enumerate(place)
            )
            part = a[(slice(None),) * 4 + window]
            kernel = kernels[(slice(None),) * 3 + place]
            total += np.einsum("rbgc...,goc->rbgo...", part, kernel)
        return total.reshape(rows, batch, -1, *outer)

    if not weights.constant:
        raise step.none("with computed weights")
    terms = prod(sizes) * (x.shape[1] // groups)
    found = contracted(x, weights, form, terms, step.noise)
    if bias is None:
        return found
    return plus(found, bias.moved(lambda b: b.reshape(len(b), -1, *(1,) * axes)), step.noise)


@_rule("BatchNormalization")
def _batch_normalization(step: Step, operands: list[Bounds]) -> Bounds:
    x, *others = operands
    if step.integer("training_mode", 0):
        raise step.none("in training")
    rank = len(x.shape)

    def columns(each: Bounds) -> Bounds:
        return each.moved(lambda a: a.reshape(len(a), -1, *(1,) * (rank - 2)))

    scale, bias, mean, variance = map(columns, others)
    epsilon = step.parameter("epsilon", 1e-5)
    noise = step.noise
    deviation = applied(FUNCTIONS["sqrt"], plus(variance, epsilon, noise), noise, 0.0)
    gain = times(scale, _reciprocal_of(deviation, noise), noise)
    return plus(times(minus(x, mean, noise), gain, noise), bias, noise)


@_rule("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare", "ReduceL1")
@_rule("ReduceL2", "ReduceProd")
def _reduction(step: Step, operands: Operands) -> Bounds:
    x, given = (*operands, None)[:2]
    assert x is not None
    kind, noise = step.node.op_type.removeprefix("Reduce"), step.noise
    if given is not None:
        found = step.known(given, "the axes").reshape(-1).tolist()
    else:
        found = list(step.attributes.get("axes", []))
    if not found and step.integer("noop_with_empty_axes", 0):
        found = []
        axes: tuple[int, ...] = ()
    else:
        axes = tuple(axis % len(x.shape) + 1 for axis in found or range(len(x.shape)))
    keep = step.integer("keepdims", 1) == 1
    terms = prod(x.shape[axis - 1] for axis in axes)
    if kind == "L1":
        x = plus(larger(x, _ZERO), larger(negative(x), _ZERO), noise)
    if kind in ("SumSquare", "L2"):
        x = _square(x, noise)
    if kind in ("Max", "Min", "Prod"):
        return _folded(x, axes, keep, kind, noise)
    total = summed(x, lambda a: a.sum(axis=axes, keepdims=keep), terms, noise)
    if kind == "Mean":
        return times(total, Bounds.exact(np.array(1.0 / terms)), noise)
    if kind == "L2":
        total = larger(total, _ZERO)
        return applied(FUNCTIONS["sqrt"], total, noise, 0.0)
    return total


def _folded(x: Bounds, axes: tuple[int, ...], keep: bool, kind: str, noise: Noise) -> Bounds:
    """Element after element of the axes."""
    rest = [axis for axis in range(1, len(x.shape) + 1) if axis not in axes]
    extents = [x.shape[axis - 1] for axis in rest]
    flat = x.moved(lambda a: a.transpose(0, *rest, *axes).reshape(len(a), *extents, -1))
    parts = [flat.moved(lambda a, i=i: a[..., i]) for i in range(flat.shape[-1])]
    if kind == "Prod":
        found = reduce(lambda a, b: times(a, b, noise), parts)
    else:
        found = reduce(smaller if kind == "Min" else larger, parts)
    if not keep:
        return found
    shape = [1 if axis + 1 in axes else extent for axis, extent in enumerate(x.shape)]
    return found.moved(lambda a: a.reshape(len(a), *shape))


@_rule("CumSum")
def _running_sum(step: Step, operands: list[Bounds]) -> Bounds:
    x, given = operands
    axis = int(step.known(given, "the axis").reshape(())) % len(x.shape) + 1
    exclusive, reverse = (step.integer(name, 0) for name in ("exclusive", "reverse"))

    def form(a: FloatArray) -> FloatArray:
        a = np.flip(a, axis) if reverse else a
        total = a.cumsum(axis=axis)
        if exclusive:
            total = np.roll(total, 1, axis)
            total[(slice(None),) * axis + (0,)] = 0.0
        return np.flip(total, axis) if reverse else total

    return summed(x, form, x.shape[axis - 1], step.noise)


@_rule("Softmax", "LogSoftmax")
def _softmax(step: Step, operands: list[Bounds]) -> Bounds:
    """1 / sum_j exp(x_j - x_i), which every term makes smaller or larger on its own."""
    (x,) = operands
    if step.version < 13:
        raise step.none("before version 13")
    noise = step.noise
    axis = step.integer("axis", -1) % len(x.shape) + 1
    one = x.moved(lambda a: np.expand_dims(a, axis))
    other = x.moved(lambda a: np.expand_dims(a, axis + 1))
    terms = applied(FUNCTIONS["exp"], minus(one, other, noise), noise, 0.0)
    total = summed(terms, lambda a: a.sum(axis=axis + 1), x.shape[axis - 1], noise)
    if step.node.op_type == "LogSoftmax":
        return negative(applied(FUNCTIONS["log"], total, noise))
    return applied(_reciprocal, total, noise, 0.0, 1.0)


# Operators that move elements


_MOVING: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Expand"), (0,)),
    **dict.fromkeys(("Slice", "Split", "Tile", "Trilu", "DepthToSpace", "SpaceToDepth"), (0,)),
    "Pad": (0, 2),
    "ScatterElements": (0, 2),
    "ScatterND": (0, 2),
}
"""Which operands are data; others are constants that say where it goes."""


@_rule(*_MOVING)
def _moving(step: Step, operands: Operands) -> Results:
    data = _MOVING[step.node.op_type]
    if step.attributes.get("reduction", b"none") not in (b"none", "none"):
        raise step.none("with a reduction")
    if step.attributes.get("mode", b"constant") not in (b"constant", "constant", b"DCR", b"CRD"):
        raise step.none("in this mode")
    return _moved(step, operands, data)


@_rule("Concat")
def _concat(step: Step, operands: list[Bounds]) -> Results:
    return _moved(step, operands, tuple(range(len(operands))))


@_rule("Identity", "Dropout")
def _identity(step: Step, operands: Operands) -> Results:
    (x, *_) = operands
    assert x is not None
    if len(operands) > 2 and operands[2] is not None and step.known(operands[2], "the mode").any():
        raise step.none("in training")
    if len([name for name in step.node.output if name]) > 1:
        raise step.none("with a mask")
    return x


def _moved(step: Step, operands: Operands, data: tuple[int, ...]) -> Results:
    parts = [x for index, x in enumerate(operands) if index in data and x is not None]
    if step.places is None:
        step.places = _places(step, operands, data)
    if len(parts) == 1:
        (x,) = parts
        whole = np.arange(1, prod(x.shape) + 1)
        found: list[Bounds] = []
        for places, shape in step.places:
            same_order = np.array_equal(places, whole)
            found.append(
                x.moved(
                    (lambda a, s=shape: a.reshape(len(a), *s))
                    if same_order
                    else (lambda a, p=places, s=shape: _taken([a], p, s))
                )
            )
        return found
    if all(part.constant for part in parts):
        return [
            Bounds(Range(*(_taken([part.value[end] for part in parts], *each) for end in (0, 1))))
            for each in step.places
        ]
    rows = max(len(array) for part in parts for array in (part.value.low, part.slopes.low))

    def taken(select: Callable[[Bounds], Range], each: tuple[IntArray, tuple[int, ...]]) -> Range:
        full = [
            [np.broadcast_to(end, (rows, *part.shape)) for end in select(part)] for part in parts
        ]
        return Range(*(_taken([part[end] for part in full], *each) for end in (0, 1)))

    return [
        Bounds(
            taken(lambda part: part.value, each),
            taken(lambda part: part.slopes, each),
            taken(lambda part: part.middles, each),
        )
        for each in step.places
    ]


def _taken(parts: Sequence[FloatArray], places: IntArray, shape: tuple[int, ...]) -> FloatArray:
    rows = len(parts[0])
    flat = [each.reshape(rows, -1) for each in parts]
    if not places.all():
        flat = [np.zeros((rows, 1)), *flat]
        places = places + 1
    whole = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
    return whole[:, places - 1].reshape(rows, *shape)


def _places(
    step: Step, operands: Operands, data: tuple[int, ...]
) -> list[tuple[IntArray, tuple[int, ...]]]:
    """What an operator does with the numbers of the elements, counted from 1 on."""
    feed: dict[str, Array] = {}
    names = [f"i{index}" if name else "" for index, name in enumerate(step.node.input)]
    count = 1
    for index, (name, x) in enumerate(zip(names, operands, strict=False)):
        if x is None:
            continue
        if index in data:
            size = prod(x.shape)
            feed[name] = np.arange(count, count + size).reshape(x.shape)
            count += size
        else:
            feed[name] = step.known(x, "what says where elements go")
    found = run_alone(step, feed, names)
    return [(each.reshape(-1).astype(np.int64), each.shape) for each in found]


def run_alone(step: Step, feed: dict[str, Array], names: Sequence[str]) -> list[Array]:
    """What the reference implementation of a node gives for integers."""
    node = onnx.NodeProto()
    node.CopyFrom(step.node)
    node.input[:] = names
    node.output[:] = [f"o{index}" if name else "" for index, name in enumerate(step.node.output)]
    ends = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in feed.items()
    ]
    results = [helper.make_tensor_value_info(name, step.kind, None) for name in node.output if name]
    graph = helper.make_graph([node], "node", ends, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", step.version)])
    evaluator: Any = ReferenceEvaluator(model)  # Its types are incomplete.
    return [np.asarray(each) for each in evaluator.run(None, feed)]


# Lookups


@_rule("Gather", "GatherElements", "GatherND")
def _lookup(step: Step, operands: list[Bounds]) -> Results:
    data, index = operands
    if index.point is not None:
        return _moved(step, operands, (0,))
    if not data.constant:
        raise step.none("of computed values at computed places")
    kind = step.node.op_type
    if kind == "GatherND" and step.integer("batch_dims", 0):
        raise step.none("with batch dimensions at computed places")
    axis = step.integer("axis", 0) % len(data.shape)
    extents = np.array(data.shape[: index.shape[-1]] if kind == "GatherND" else data.shape[axis])

    def at(places: IntArray, table: FloatArray) -> FloatArray:
        """Elements of a table (*shape) at places (rows, *index)."""
        if kind == "GatherND":
            return table[tuple(np.moveaxis(places, -1, 0))]
        if kind == "Gather":
            found = np.take(table, places.reshape(-1), axis=axis)
            found = found.reshape(*table.shape[:axis], *places.shape, *table.shape[axis + 1 :])
            return np.moveaxis(found, axis, 0)
        order: list[IntArray] = [each[np.newaxis] for each in _indices(places.shape[1:])]
        order[axis] = places
        return table[tuple(order)]

    def read(places: Range) -> Range:
        bad = (places.low < -extents) | (places.high >= extents) | np.isnan(places.low)
        bad = bad | np.isnan(places.high)
        low, high = (
            np.where(bad, 0, np.clip(np.nan_to_num(end), -extents, extents - 1)).astype(np.int64)
            for end in places
        )
        found = Range(at(low % extents, data.value.low[0]), at(low % extents, data.value.high[0]))
        spans = (high - low).reshape(-1, high.shape[-1]).max(axis=0, initial=0)
        steps = (
            spans + 1 if kind == "GatherND" else np.array([int((high - low).max(initial=0)) + 1])
        )
        if prod(steps.tolist()) > _MAX_PLACES:
            raise step.none(f"over more than {_MAX_PLACES} places")
        for offset in list(np.ndindex(*steps.tolist()))[1:]:
            step_by = np.array(offset) if kind == "GatherND" else offset[0]
            place = np.minimum(low + step_by, high) % extents
            found = hull(found, Range(at(place, data.value.low[0]), at(place, data.value.high[0])))
        if bad.any():
            wrong = at(np.zeros_like(low), np.zeros(data.shape)) * 0.0
            marks: Array = np.asarray(bad.any(axis=-1)) if kind == "GatherND" else bad
            wrong = wrong + _spread(marks, wrong, axis, kind)
            found = Range(found.low + wrong, found.high + wrong)
        return found

    value = read(index.value)
    fixed = np.asarray(index.value.low == index.value.high)
    fixed = np.asarray(fixed.all(axis=-1)) if kind == "GatherND" else fixed
    zero = np.zeros_like(value.low)
    moves = _spread(np.asarray(~fixed), zero, axis, kind) != 0.0
    slope = Range(np.where(moves, -np.inf, 0.0), np.where(moves, np.inf, 0.0))
    return Bounds(value, slope, read(index.middles))


def _indices(shape: tuple[int, ...]) -> list[IntArray]:
    return list(np.indices(shape))


def _spread(marks: Array, like: FloatArray, axis: int, kind: str) -> FloatArray:
    """Not a number where places are marked, 0 elsewhere: shaped like what is read there."""
    values = np.where(marks, np.nan, 0.0)
    if kind == "Gather":
        behind = like.ndim - axis - values.ndim
        values = values.reshape(len(values), *(1,) * axis, *values.shape[1:], *(1,) * behind)
    elif kind == "GatherND":
        values = values.reshape(*values.shape, *(1,) * (like.ndim - values.ndim))
    return np.broadcast_to(values, like.shape)


@_rule("OneHot")
def _one_hot(step: Step, operands: list[Bounds]) -> Bounds:
    index, depth, ends = operands
    count = int(step.known(depth, "the depth").reshape(()))
    axis = step.integer("axis", -1) % (len(index.shape) + 1) + 1
    place = index.moved(lambda a: np.expand_dims(a, axis))
    numbers = np.arange(count, dtype=np.float64).reshape(-1, *(1,) * (len(index.shape) + 1 - axis))
    found = compared(place, Bounds.exact(numbers), same)
    wrapped = compared(place, Bounds.exact(numbers - count), same)
    off, on = (ends.moved(lambda a, i=i: a[:, i]) for i in (0, 1))
    return chosen(larger(found, wrapped), on, off)


# Values that do not depend on the input


@_rule("Shape", "Size")
def _shape(step: Step, operands: list[Bounds]) -> Bounds:
    shape = np.array(operands[0].shape, dtype=np.float64)
    if step.node.op_type == "Size":
        return Bounds.exact(np.array(float(shape.prod())))
    last = step.attributes.get("end")
    return Bounds.exact(shape[step.integer("start", 0) : last])


RULES: Mapping[str, Rule] = _RULES
"""Operators that have bounds."""

MADE = frozenset({"ConstantOfShape", "EyeLike", "Range"})
"""Operators that make constants of exact numbers."""
