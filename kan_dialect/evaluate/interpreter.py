"""Evaluates functions of any level, vectorised over samples.

Users are `kan-run`, table folding, the tests, and the check of every pass. The registry gives the
meaning of each op (`ir/semantics.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.traits import IsTerminator

from kan_dialect.errors import KanError
from kan_dialect.evaluate.code_ports import code_values
from kan_dialect.ir.constants import Array
from kan_dialect.ir.functions import functions_of
from kan_dialect.ir.semantics import as_value, evaluate_op, shape_of

CHUNK_ELEMENTS = 1 << 22
"""Most elements of a value for the samples that are evaluated at once."""


def evaluate_values(
    wanted: Sequence[SSAValue], known: dict[SSAValue, Array], *, ops: Iterable[Operation]
) -> list[Array]:
    """Evaluate values.

    Parameters
    ----------
    known : values that are given, (samples, *shape) each.
    ops : in order; ops that no wanted value needs are skipped.

    Returns
    -------
    (samples, *shape) for each of `wanted`.
    """
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
    """The ops that lead from the values `known` to the values `wanted`."""
    needed: set[Operation] = set()
    pending = [value for value in wanted if value not in known]
    while pending:
        owner = pending.pop().owner
        if isinstance(owner, Operation) and owner not in needed:
            needed.add(owner)
            pending.extend(operand for operand in owner.operands if operand not in known)
    return needed


def _broadcast_samples(array: Array, samples: int) -> Array:
    """Spread a constant, which has one sample, over all samples."""
    if array.shape[0] == samples:
        return array
    return np.broadcast_to(array, (samples, *array.shape[1:]))


def find_function(module: ModuleOp, name: str | None = None) -> func.FuncOp:
    """The function called `name`, or the module's only function.

    Raises
    ------
    KanError : the function does not exist, is one of several, or has several blocks.
    """
    functions = functions_of(module)
    if name is not None:
        functions = [op for op in functions if op.sym_name.data == name]
    if len(functions) != 1:
        what = f"a function @{name}" if name else "exactly one function"
        raise KanError(f"expected {what} in the module, found {len(functions)}")
    return functions[0]


def evaluate_function(
    function: func.FuncOp, inputs: Sequence[Array], *, codes: bool = False
) -> list[Array]:
    """Evaluate a function for many samples.

    Parameters
    ----------
    inputs : (samples, *shape) for each argument.
    codes : at table level, take codes where a `kan.quantize` reads an argument, and return codes
        where a `kan.dequantize` feeds a result. At wire level all values are codes.

    Returns
    -------
    (samples, *shape) for each result.

    Raises
    ------
    KanError : wrong number or shape of inputs, or an op without semantics.
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
    """Evaluate values inside a function for many samples.

    Parameters
    ----------
    inputs : (samples, *shape) for each of `sources`.
    sources : the given values; by default the function's arguments.

    Returns
    -------
    (samples, *shape) for each of `wanted`.

    Raises
    ------
    KanError : wrong number or shape of inputs, or an op without semantics.
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
            source: as_value(array[start : start + chunk])
            for source, array in zip(sources, inputs, strict=True)
        }
        parts.append(evaluate_values(wanted, known, ops=body))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _elements(value: SSAValue) -> int:
    return prod(shape_of(value))


def _check_inputs(name: str, sources: Sequence[SSAValue], inputs: Sequence[Array]) -> None:
    if len(sources) != len(inputs):
        raise KanError(f"@{name} takes {len(sources)} inputs, got {len(inputs)}")
    for index, (source, array) in enumerate(zip(sources, inputs, strict=True)):
        shape = shape_of(source)
        if array.shape[1:] != tuple(shape):
            raise KanError(
                f"input {index} of @{name} has shape (samples, {', '.join(map(str, shape))}), "
                f"got {array.shape}"
            )
