"""Semantics of ops: evaluation with NumPy, for many samples at once.

`kan-run`, table folding, the tests and the check of every pass use the same semantics. An op of
this dialect implements `Evaluable`. For an op of another dialect (arith, hw, comb, seq), a function
is registered with `semantics_of`. Packages of others may do either.

A value is an array with samples along its first axis, (samples, *tensor shape): float64 for float
tensors, int64 for quantised tensors, `!kan.int` values and signless integers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import arith
from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    TensorType,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import traits_def
from xdsl.traits import Pure

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, DenseAttr, to_numpy
from kan_dialect.ir.types import IntType
from kan_dialect.other_packages import OURS, name_failure, package_of
from kan_dialect.quantity import quantity

Semantics: TypeAlias = Callable[[Any, Sequence[Array]], Sequence[Array]]


class Evaluable(ABC):
    """Interface of an op that can evaluate itself."""

    @abstractmethod
    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        """The results of the op, for many samples at once.

        Parameters
        ----------
        operands : one array for each operand: (samples, *tensor shape), or (1, *tensor shape) if
            the operand is the same for all samples.

        Returns
        -------
        A sequence of one array for each result; a single result is `(y,)`. The first axis is that
        of the operands. Float tensors are float64, all others integers.
        """


class Univariate(Evaluable):
    """Interface of an op that maps each input separately.

    The last axis runs over the inputs of a layer: (in) -> (in), (in) -> (out, in), or
    (out, in) -> (out, in). Element `[..., i]` of the result depends on element `[..., i]` of each
    operand and on nothing else. Passes fold every op with this interface into tables, without
    knowing its class.

    Such an op has no side effects. The interface adds the trait `Pure`, so the op is erased when
    nothing reads its result.
    """

    traits = traits_def(Pure())


_SEMANTICS: dict[type[Operation], Semantics] = {}
_ELEMENTWISE: set[type[Operation]] = set()

_SemanticsT = TypeVar("_SemanticsT", bound=Semantics)


def semantics_of(
    *ops: type[Operation], elementwise: bool = False
) -> Callable[[_SemanticsT], _SemanticsT]:
    """Register the decorated function `(op, operands) -> results` as the meaning of `ops`.

    Parameters
    ----------
    elementwise : the ops are univariate, as `Univariate` defines it.
    """

    def register(function: _SemanticsT) -> _SemanticsT:
        for op in ops:
            _SEMANTICS[op] = function
            if elementwise:
                _ELEMENTWISE.add(op)
        return function

    return register


class NoSemanticsError(KanError):
    """An op has no `evaluate` method, and no function is registered for it."""


def is_univariate(op: Operation) -> bool:
    """True if `op` maps each input separately, so that it may be folded into tables."""
    return isinstance(op, Univariate) or type(op) in _ELEMENTWISE


def evaluate_op(op: Operation, operands: Sequence[Array]) -> Sequence[Array]:
    """The results of one op.

    Raises
    ------
    NoSemanticsError : the op has no `evaluate` method, and no function is registered for it.
    KanError : an op of another package fails, or returns arrays of another number, shape or kind
        than its results, or numbers outside their ranges.
    """
    function = None if isinstance(op, Evaluable) else _SEMANTICS.get(type(op))
    owner = function or type(op)
    try:
        # Results beyond the range of float64 become infinite.
        with np.errstate(over="ignore"):
            if isinstance(op, Evaluable):
                results = op.evaluate(operands)
            elif function is not None:
                results = function(op, operands)
            else:
                raise NoSemanticsError(
                    f"'{op.name}' cannot be evaluated",
                    remedy="give the op an `evaluate` method or register one with `semantics_of`",
                )
    except Exception as error:
        name_failure(f"'{op.name}'", owner, error)
        raise
    if package_of(owner) != OURS:
        return _require_results(op, operands, results)
    return results


def _require_results(op: Operation, operands: Sequence[Array], results: object) -> Sequence[Array]:
    """The results that an op of another package returned: float64, and int64 at wire level.

    Raises
    ------
    KanError : there is not one array of the right shape and kind for each result of the op.
    """
    samples = max((operand.shape[0] for operand in operands), default=1)
    shapes = [("samples", *shape_of(result)) for result in op.results]
    expected = ", ".join(_shape_text(shape) for shape in shapes)
    problem = _problem_of(results, op.results, samples)
    if problem is not None:
        raise KanError(
            f"'{op.name}': evaluate returned {problem} for {quantity(samples, 'sample')}",
            remedy=f"return a sequence of {quantity(len(shapes), 'array')}: {expected}",
        )
    _require_ranges(op, cast("Sequence[Array]", results))
    return [
        _of_kind(result, array)
        for result, array in zip(op.results, cast("Sequence[Array]", results), strict=True)
    ]


def _of_kind(result: SSAValue, array: Array) -> Array:
    """Floats as float64, and integers of wires as int64: sums of bool or uint8 would wrap."""
    if is_float(result):
        return array.astype(np.float64, copy=False)
    return array.astype(np.int64, copy=False) if isinstance(result.type, IntType) else array


def _require_ranges(op: Operation, results: Sequence[Array]) -> None:
    """Refuse wire-level results outside the ranges of their types."""
    for index, (result, array) in enumerate(zip(op.results, results, strict=True)):
        kind = result.type
        if isinstance(kind, IntType) and array.size:
            outside = array[(array < kind.low) | (array > kind.high)]
            if outside.size:
                raise KanError(
                    f"'{op.name}': evaluate returned {outside[0]} as result {index}, whose type is "
                    f"!kan.int<{kind.low}:{kind.high}>",
                    remedy="correct evaluate, or the range that the op says for its result",
                )


def _problem_of(results: object, expected: Sequence[SSAValue], samples: int) -> str | None:
    """Description of returned results that do not fit an op; None if they fit."""
    if isinstance(results, np.ndarray):
        shape = cast("Array", results).shape
        return f"an array of shape {shape} instead of a sequence of arrays"
    if not isinstance(results, Sequence):
        return f"{type(results).__name__} instead of a sequence of arrays"
    arrays = cast("Sequence[object]", results)
    if len(arrays) != len(expected):
        return quantity(len(arrays), "array")
    for index, (array, result) in enumerate(zip(arrays, expected, strict=True)):
        if not isinstance(array, np.ndarray):
            return f"{type(array).__name__} as result {index}"
        found = cast("Array", array)
        if found.dtype.kind not in "fiub":
            return f"an array of {found.dtype} as result {index}"
        if isinstance(result.type, IntType) and found.dtype.kind == "f":
            return f"an array of {found.dtype} in place of integers as result {index}"
        shape = shape_of(result)
        if found.shape not in ((samples, *shape), (1, *shape)):
            return f"an array of shape {found.shape} as result {index}"
    return None


def _shape_text(shape: Sequence[object]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def as_value(array: Array) -> Array:
    kind = np.float64 if array.dtype.kind == "f" else np.int64
    return array.astype(kind, copy=False)


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor; () for a value of another type."""
    value_type: Attribute = value.type
    if not isinstance(value_type, TensorType):
        return ()
    return cast("TensorType[Attribute]", value_type).get_shape()


def is_float(value: SSAValue) -> bool:
    value_type: Attribute = value.type
    if isinstance(value_type, TensorType):
        value_type = cast("TensorType[Attribute]", value_type).get_element_type()
    return isinstance(value_type, AnyFloat)


_ARITHMETIC: dict[type[Operation], Callable[..., Array]] = {
    arith.AddfOp: np.add,
    arith.SubfOp: np.subtract,
    arith.MulfOp: np.multiply,
    arith.NegfOp: np.negative,
}


@semantics_of(*_ARITHMETIC, elementwise=True)
def _arithmetic(op: Operation, operands: Sequence[Array]) -> Sequence[Array]:
    return (_ARITHMETIC[type(op)](*operands),)


@semantics_of(arith.ConstantOp, elementwise=True)
def _constant(op: arith.ConstantOp, operands: Sequence[Array]) -> Sequence[Array]:
    match op.value:
        case DenseIntOrFPElementsAttr():
            return (as_value(to_numpy(cast(DenseAttr, op.value)))[np.newaxis],)
        case FloatAttr() | IntegerAttr():
            scalar: NDArray[Any] = np.array([op.value.value.data])
            return (as_value(scalar),)
        case _:
            raise KanError(f"'arith.constant' of {op.value} cannot be evaluated")
