"""What IR means: vectorised evaluation of every op, over many samples at once.

Semantics are written once, in NumPy, and serve `kan-run`, table folding, the tests and the check of
every pass. An op of this dialect brings its own by implementing `Evaluable`; for ops of other
dialects (arith, hw, comb, seq) a function is registered with `semantics_of`. Packages of others do
either for theirs.

Values are arrays whose first axis runs over samples: float64 of shape (samples, *tensor shape) for
float tensors, int64 for quantised tensors, `!kan.int` values and signless integers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import arith, func
from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    TensorType,
)
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue
from xdsl.irdl import traits_def
from xdsl.traits import IsTerminator, Pure

from kan_dialect.constants import Array, DenseAttr, FloatArray, to_floats, to_numpy
from kan_dialect.counting import counted
from kan_dialect.errors import KanError
from kan_dialect.foreign import OURS, name_failure, package_of

CHUNK_ELEMENTS = 1 << 22
"""Evaluation is split over samples so that no value holds more elements than this."""

Semantics: TypeAlias = Callable[[Any, Sequence[Array]], Sequence[Array]]


class Evaluable(ABC):
    """Interface of an op that can evaluate itself."""

    @abstractmethod
    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        """The results for `operands`, for many samples at once.

        Parameters
        ----------
        operands : one array for each operand: (samples, *tensor shape), or (1, *tensor shape) of
            an operand that is the same for all samples.

        Returns
        -------
        A sequence of one array for each result, also where there is one result only: `(y,)`.
        Shapes as those of the operands; float64 for float tensors, integers otherwise.
        """


class Univariate(Evaluable):
    """Interface of an op that maps each input separately.

    Element `[..., i]` of the result depends on element `[..., i]` of each operand and on nothing
    else, where the last axis runs over the inputs of a layer: (in) -> (in), (in) -> (out, in), or
    (out, in) -> (out, in). Whatever implements this folds into tables, without being known.

    Such an op has no side effects: the interface brings the trait `Pure`, so that the op goes once
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

    `elementwise` says that the op is univariate in the sense of `Univariate`.
    """

    def register(function: _SemanticsT) -> _SemanticsT:
        for op in ops:
            _SEMANTICS[op] = function
            if elementwise:
                _ELEMENTWISE.add(op)
        return function

    return register


def is_univariate(op: Operation) -> bool:
    """Whether `op` maps each input separately, and so may be folded into tables."""
    return isinstance(op, Univariate) or type(op) in _ELEMENTWISE


def evaluate_op(op: Operation, operands: Sequence[Array]) -> Sequence[Array]:
    """The results of one op.

    Raises
    ------
    KanError : no meaning is known for the op, or, where it is of another package, its evaluation
        fails or gives another number, shape or kind of arrays than the op's results are.
    """
    function = None if isinstance(op, Evaluable) else _SEMANTICS.get(type(op))
    owner = function or type(op)
    try:
        # What float64 does not hold is infinite.
        with np.errstate(over="ignore"):
            if isinstance(op, Evaluable):
                results = op.evaluate(operands)
            elif function is not None:
                results = function(op, operands)
            else:
                raise KanError(
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
    """What an op of another package gave, floats as float64.

    Raises
    ------
    KanError : it is not an array for each of the op's results; says what was expected.
    """
    samples = max((operand.shape[0] for operand in operands), default=1)
    shapes = [("samples", *_shape(result)) for result in op.results]
    expected = ", ".join(_shape_text(shape) for shape in shapes)
    problem = _problem_of(results, [_shape(result) for result in op.results], samples)
    if problem is not None:
        raise KanError(
            f"'{op.name}': evaluate returned {problem} for {counted(samples, 'sample')}",
            remedy=f"expected is a sequence of {counted(len(shapes), 'array')}: {expected}",
        )
    return [
        array.astype(np.float64, copy=False) if _is_float(result) else array
        for result, array in zip(op.results, cast("Sequence[Array]", results), strict=True)
    ]


def _problem_of(results: object, shapes: Sequence[tuple[int, ...]], samples: int) -> str | None:
    """What is wrong with the results of an op; None if nothing."""
    if isinstance(results, np.ndarray):
        return f"an array of shape {cast('Array', results).shape} and no sequence of arrays"
    if not isinstance(results, Sequence):
        return f"{type(results).__name__} and no sequence of arrays"
    arrays = cast("Sequence[object]", results)
    if len(arrays) != len(shapes):
        return counted(len(arrays), "array")
    for index, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if not isinstance(array, np.ndarray):
            return f"{type(array).__name__} as result {index}"
        found = cast("Array", array)
        if found.dtype.kind not in "fiub":
            return f"an array of {found.dtype} as result {index}"
        if found.shape not in ((samples, *shape), (1, *shape)):
            return f"an array of shape {found.shape} as result {index}"
    return None


def _shape_text(shape: Sequence[object]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def evaluate_values(
    wanted: Sequence[SSAValue], known: dict[SSAValue, Array], *, ops: Iterable[Operation]
) -> list[Array]:
    """The values `wanted` after running those of `ops`, which are in order, that they need."""
    values = dict(known)
    needed = _needed(wanted, known)
    for op in ops:
        if op not in needed:
            continue
        results = evaluate_op(op, [values[operand] for operand in op.operands])
        values.update(zip(op.results, results, strict=True))
    samples = next(iter(known.values())).shape[0] if known else 1
    return [_broadcast_samples(values[value], samples) for value in wanted]


def _needed(wanted: Sequence[SSAValue], known: Mapping[SSAValue, Array]) -> set[Operation]:
    """The ops between the values `known` and the values `wanted`."""
    needed: set[Operation] = set()
    pending = [value for value in wanted if value not in known]
    while pending:
        owner = pending.pop().owner
        if isinstance(owner, Operation) and owner not in needed:
            needed.add(owner)
            pending.extend(operand for operand in owner.operands if operand not in known)
    return needed


def _broadcast_samples(array: Array, samples: int) -> Array:
    """Constants are evaluated with one sample; spread them."""
    if array.shape[0] == samples:
        return array
    return np.broadcast_to(array, (samples, *array.shape[1:]))


def find_function(module: ModuleOp, name: str | None = None) -> func.FuncOp:
    """The function called `name`, or the only one of the module.

    Raises
    ------
    KanError : there is no such function, or more than one to choose from.
    """
    functions = [op for op in module.ops if isinstance(op, func.FuncOp) and not op.is_declaration]
    if name is not None:
        functions = [op for op in functions if op.sym_name.data == name]
    if len(functions) != 1:
        what = f"a function @{name}" if name else "exactly one function"
        raise KanError(f"expected {what} in the module, found {len(functions)}")
    return functions[0]


def evaluate_function(
    function: func.FuncOp, inputs: Sequence[Array], *, codes: bool = False
) -> list[Array]:
    """The function's results for many samples.

    Parameters
    ----------
    inputs : one array for each argument: (samples, *shape).
    codes : at table level, take integer codes where a `kan.quantize` reads an argument, and give
        codes where a `kan.dequantize` feeds the results. At wire level, values are codes anyway.

    Raises
    ------
    KanError : wrong number or shape of inputs, or an op without meaning.
    """
    block = function.body.block
    terminator = block.last_op
    assert terminator is not None and terminator.has_trait(IsTerminator)
    outputs: Sequence[SSAValue] = terminator.operands
    sources: Sequence[SSAValue] = block.args
    if codes:
        sources, outputs = code_values(function)
    return evaluate_inside(function, inputs, outputs, sources=sources)


def evaluate_inside(
    function: func.FuncOp,
    inputs: Sequence[Array],
    wanted: Sequence[SSAValue],
    *,
    sources: Sequence[SSAValue] | None = None,
) -> list[Array]:
    """Any values inside a function, for many samples.

    Parameters
    ----------
    inputs : one array for each of `sources`: (samples, *shape).
    sources : the values that are given; the function's arguments where not said.

    Raises
    ------
    KanError : wrong number or shape of inputs, or an op without meaning.
    """
    block = function.body.block
    if sources is None:
        sources = block.args
    _check_inputs(function.sym_name.data, sources, inputs)
    body = [op for op in block.ops if not op.has_trait(IsTerminator)]
    samples = inputs[0].shape[0] if inputs else 1
    size = max((_elements(result) for op in body for result in op.results), default=1)
    chunk = max(1, CHUNK_ELEMENTS // size)
    parts: list[list[Array]] = []
    for start in range(0, max(samples, 1), chunk):
        known = {
            source: _as_value(array[start : start + chunk])
            for source, array in zip(sources, inputs, strict=True)
        }
        parts.append(evaluate_values(wanted, known, ops=body))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _as_value(array: Array) -> Array:
    kind = np.float64 if array.dtype.kind == "f" else np.int64
    return array.astype(kind, copy=False)


def _elements(value: SSAValue) -> int:
    return prod(_shape(value))


def _shape(value: SSAValue) -> tuple[int, ...]:
    """A tensor's shape; () of anything else."""
    value_type: Attribute = value.type
    if not isinstance(value_type, TensorType):
        return ()
    return cast("TensorType[Attribute]", value_type).get_shape()


def _check_inputs(name: str, sources: Sequence[SSAValue], inputs: Sequence[Array]) -> None:
    if len(sources) != len(inputs):
        raise KanError(f"@{name} takes {len(sources)} inputs, got {len(inputs)}")
    for index, (source, array) in enumerate(zip(sources, inputs, strict=True)):
        shape = _shape(source)
        if array.shape[1:] != tuple(shape):
            raise KanError(
                f"input {index} of @{name} has shape (samples, {', '.join(map(str, shape))}), "
                f"got {array.shape}"
            )


def code_values(function: func.FuncOp) -> tuple[Sequence[SSAValue], Sequence[SSAValue]]:
    """Where codes enter and leave a table-level function: next to its arguments and results.

    Affines between an argument and its quantiser are part of what the codes mean (`host_affine`).

    Raises
    ------
    KanError : an argument is not quantised.
    """
    from kan_dialect.table_ops import DequantizeOp

    block = function.body.block
    sources: list[SSAValue] = []
    for argument in block.args:
        codes = _codes_of_argument(argument)
        if codes is not None:
            sources.append(codes)
        elif isinstance(argument.type, TensorType) and _is_float(argument):
            raise KanError(
                f"the model has no codes yet: argument {argument.index} of "
                f"@{function.sym_name.data} is not read by one kan.quantize alone",
                remedy="quantise it first (kan-quantize, or kan-compile), or leave --codes out",
            )
        else:
            sources.append(argument)
    terminator = block.last_op
    assert terminator is not None
    results: list[SSAValue] = []
    for output in terminator.operands:
        owner = output.owner
        results.append(owner.operands[0] if isinstance(owner, DequantizeOp) else output)
    return sources, results


def _codes_of_argument(argument: SSAValue) -> SSAValue | None:
    """The codes of an argument that one `kan.quantize` alone reads, behind affines at most."""
    from kan_dialect.spline_ops import AffineOp
    from kan_dialect.table_ops import QuantizeOp

    value = argument
    while (use := value.get_unique_use()) is not None:
        op = use.operation
        if isinstance(op, QuantizeOp):
            return op.result
        if not isinstance(op, AffineOp):
            break
        value = op.result
    return None


def host_affine(codes: SSAValue) -> tuple[FloatArray, FloatArray] | None:
    """The affine that the host computes in front of a port's codes, where there is one.

    Real inputs x become the codes of `x * gain + offset`, in float64. A chain of several affines is
    taken together, which may round differently: codes can then differ where a value lies within
    that rounding of the middle between two codes, and nowhere else.

    Returns
    -------
    gain, offset : (in), float64.
    """
    from kan_dialect.spline_ops import AffineOp
    from kan_dialect.table_ops import QuantizeOp

    quantize = codes.owner
    if not isinstance(quantize, QuantizeOp) or not isinstance(quantize.input.owner, AffineOp):
        return None
    value: SSAValue = quantize.input
    gain, offset = np.ones(_shape(value)), np.zeros(_shape(value))
    while isinstance(value.owner, AffineOp):
        affine = value.owner
        offset = offset + gain * to_floats(affine.bias)
        gain = gain * to_floats(affine.scale)
        value = affine.input
    return gain, offset


def reads_argument(value: SSAValue) -> bool:
    """Whether the value is an argument, or affines of one: what an input quantiser may read."""
    from kan_dialect.spline_ops import AffineOp

    while isinstance(value.owner, AffineOp):
        value = value.owner.input
    return isinstance(value, BlockArgument)


def _is_float(value: SSAValue) -> bool:
    value_type: Attribute = value.type
    if isinstance(value_type, TensorType):
        value_type = cast("TensorType[Attribute]", value_type).get_element_type()
    return isinstance(value_type, AnyFloat)


@semantics_of(arith.AddfOp, elementwise=True)
def _addf(op: arith.AddfOp, operands: Sequence[Array]) -> Sequence[Array]:
    return (operands[0] + operands[1],)


@semantics_of(arith.SubfOp, elementwise=True)
def _subf(op: arith.SubfOp, operands: Sequence[Array]) -> Sequence[Array]:
    return (operands[0] - operands[1],)


@semantics_of(arith.MulfOp, elementwise=True)
def _mulf(op: arith.MulfOp, operands: Sequence[Array]) -> Sequence[Array]:
    return (operands[0] * operands[1],)


@semantics_of(arith.NegfOp, elementwise=True)
def _negf(op: arith.NegfOp, operands: Sequence[Array]) -> Sequence[Array]:
    return (-operands[0],)


@semantics_of(arith.ConstantOp, elementwise=True)
def _constant(op: arith.ConstantOp, operands: Sequence[Array]) -> Sequence[Array]:
    match op.value:
        case DenseIntOrFPElementsAttr():
            return (_as_value(to_numpy(cast(DenseAttr, op.value)))[np.newaxis],)
        case FloatAttr() | IntegerAttr():
            scalar: NDArray[Any] = np.array([op.value.value.data])
            return (_as_value(scalar),)
        case _:
            raise KanError(f"'arith.constant' of {op.value} cannot be evaluated")
