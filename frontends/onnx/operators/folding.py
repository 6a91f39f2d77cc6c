"""Folds constants: parameters, grids, shapes.

Folding uses the types of the file, as a runtime would. A grid that the graph builds in float32 has
exactly the values that the model was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from kan_dialect.frontends.onnx.operators.contraction import einsum_terms
from kan_dialect.frontends.onnx.operators.elementwise import ELEMENTWISE, apply_kernel
from kan_dialect.frontends.onnx.operators.movement import (
    MOVEMENTS,
    MovementOperands,
    split_movements,
)
from kan_dialect.frontends.onnx.operators.scatter import SCATTERS, scatter
from kan_dialect.frontends.onnx.read.file import Budget, dtype_of, element_type_name
from kan_dialect.frontends.onnx.read.graph import Node
from kan_dialect.ir.constants import Array

MAX_MULTIPLICATIONS = 1 << 30
"""Most multiplications of one constant matrix product."""

Folder = Callable[[Node, Sequence[Array | None], Budget], Array]


def fold(node: Node, operands: Sequence[Array | None], budget: Budget) -> list[Array]:
    """Results of a node with constant operands.

    Parameters
    ----------
    operands : None for an omitted optional operand.

    Raises
    ------
    Unrecognised : the operator or its operands are not supported.
    """
    if node.op_type in ELEMENTWISE:
        return [_fold_elementwise(node, operands, budget)]
    if node.op_type in MOVEMENTS:
        site = MovementOperands(node, _given(node, operands, 0).shape, None, operands[1:], budget)
        return [MOVEMENTS[node.op_type](site).arrange([_given(node, operands, 0)])]
    if node.op_type == "Split":
        array = _given(node, operands, 0)
        site = MovementOperands(node, array.shape, None, operands[1:], budget)
        return [move.arrange([array]) for move in split_movements(site, len(node.outputs))]
    if node.op_type in SCATTERS:
        budget.charge(_given(node, operands, 0).nbytes, node.label)
        return [scatter(node, operands)]
    folder = _FOLDERS.get(node.op_type)
    if folder is None:
        raise node.refuse(
            "the operator is not known for constants",
            "export the model with constant folding (do_constant_folding=True), or simplify the "
            "file with onnx-simplifier",
        )
    return [folder(node, operands, budget)]


def _given(node: Node, operands: Sequence[Array | None], index: int) -> Array:
    operand = operands[index] if index < len(operands) else None
    if operand is None:
        raise node.refuse(f"operand {index} is missing")
    return operand


def _all_given(node: Node, operands: Sequence[Array | None]) -> list[Array]:
    return [_given(node, operands, index) for index in range(len(operands))]


def clip_bounds(
    node: Node, dtype: np.dtype[np.generic], operands: Sequence[Array | None]
) -> list[Array]:
    """Lower and upper bound of a Clip; infinite or the type's limits if omitted."""
    if dtype.kind == "f":
        ends: tuple[float, float] = (-np.inf, np.inf)
    else:
        limits = np.iinfo(dtype.name)
        ends = (limits.min, limits.max)
    bounds = [*operands[1:3], None, None][:2]
    return [
        np.array(end, dtype=dtype) if bound is None else bound
        for bound, end in zip(bounds, ends, strict=True)
    ]


def _fold_elementwise(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    first = _given(node, operands, 0)
    if node.op_type == "Clip":
        operands = [first, *clip_bounds(node, first.dtype, operands)]
    arrays = _all_given(node, operands)
    budget.charge(8 * prod(np.broadcast_shapes(*(each.shape for each in arrays))), node.label)
    return apply_kernel(node, arrays)


def constant_value(node: Node) -> Array:
    """Value of a Constant node, from any of its attributes."""
    for kind, dtype in (("float", np.float32), ("int", np.int64)):
        for name in (f"value_{kind}", f"value_{kind}s"):
            if name in node.attributes:
                return np.array(node.attributes[name], dtype=dtype)
    value = node.array("value")
    if value is None:
        raise node.refuse("the constant has no numeric value")
    return value


def cast_dtype(node: Node) -> np.dtype[np.generic]:
    """Target type of a Cast.

    Raises
    ------
    Unrecognised : the type is not supported.
    """
    element_type = node.integer("to", 0)
    dtype = dtype_of(element_type)
    if dtype is None:
        raise node.refuse(
            f"casts to {element_type_name(element_type)} are not supported",
            "export the model in float32",
        )
    return dtype


def _cast(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    with np.errstate(all="ignore"):
        return _given(node, operands, 0).astype(cast_dtype(node))


def _cast_like(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    with np.errstate(all="ignore"):
        return _given(node, operands, 0).astype(_given(node, operands, 1).dtype)


def shape_slice(node: Node, shape: Sequence[int]) -> Array:
    """Result of a Shape node."""
    start, end = node.integer("start", 0), node.integer("end", len(shape))
    return np.array(list(shape)[start:end], dtype=np.int64)


def _constant_of_shape(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    shape = [int(extent) for extent in _given(node, operands, 0).reshape(-1)]
    if any(extent < 0 for extent in shape):
        raise node.refuse(f"{shape} is no shape")
    value = node.array("value")
    value = np.zeros(1, dtype=np.float32) if value is None else value
    budget.charge(prod(shape) * value.dtype.itemsize, node.label)
    return np.full(shape, value.reshape(-1)[0], dtype=value.dtype)


def _range(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    start, limit, delta = (_given(node, operands, index).reshape(-1)[0] for index in range(3))
    if delta == 0 or not all(np.isfinite(each) for each in (start, limit, delta)):
        raise node.refuse("a range without end")
    count = max(int(np.ceil((float(limit) - float(start)) / float(delta))), 0)
    budget.charge(8 * count, node.label)
    return (start + np.arange(count) * delta).astype(start.dtype)


def _concat(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    arrays = _all_given(node, operands)
    budget.charge(sum(array.nbytes for array in arrays), node.label)
    return np.concatenate(arrays, node.integer("axis", 0))


def _check_multiplications(node: Node, count: int) -> None:
    if count > MAX_MULTIPLICATIONS:
        raise node.refuse(f"a constant product of {count} multiplications")


def _matmul(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    a, b = _given(node, operands, 0), _given(node, operands, 1)
    if a.ndim == 0 or b.ndim == 0:
        raise node.refuse("a matrix product with a scalar")
    size = prod(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    size *= prod(a.shape[-2:-1]) * (b.shape[-1] if b.ndim > 1 else 1)
    _check_multiplications(node, size * a.shape[-1])
    budget.charge(size * a.dtype.itemsize, node.label)
    return np.asarray(np.matmul(a, b))


def _gemm(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    a, b = _given(node, operands, 0), _given(node, operands, 1)
    a = a.T if node.integer("transA", 0) else a
    b = b.T if node.integer("transB", 0) else b
    product = _matmul(node, [a, b], budget) * a.dtype.type(node.number("alpha", 1.0))
    c = operands[2] if len(operands) > 2 else None
    if c is None:
        return product
    return product + c * c.dtype.type(node.number("beta", 1.0))


def _einsum(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    arrays = _all_given(node, operands)
    terms, output = einsum_terms(node, [array.ndim for array in arrays])
    extents: dict[str, int] = {}
    for term, array in zip(terms, arrays, strict=True):
        for label, extent in zip(term, array.shape, strict=True):
            extents[label] = max(extents.get(label, 1), extent)
    _check_multiplications(node, prod(extents.values()))
    budget.charge(8 * prod(extents[label] for label in output), node.label)
    return np.asarray(np.einsum(f"{','.join(terms)}->{output}", *arrays))


def reduced_axes(node: Node, rank: int, axes: Array | None) -> tuple[int, ...]:
    """Axes of a reduction, not negative, ascending."""
    given = node.integers("axes") or ()
    if axes is not None:
        given = tuple(int(axis) for axis in axes.reshape(-1))
    if not given:
        return () if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    if any(not -rank <= axis < rank for axis in given):
        raise node.refuse(f"axes {list(given)} of a value of {rank} dimension(s)")
    return tuple(sorted({axis % rank for axis in given}))


def _reduce(function: Callable[..., Array]) -> Folder:
    def folder(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
        array = _given(node, operands, 0)
        axes = reduced_axes(node, array.ndim, operands[1] if len(operands) > 1 else None)
        if not axes:
            return array
        keep = bool(node.integer("keepdims", 1))
        return np.asarray(function(array, axis=axes, keepdims=keep)).astype(array.dtype)

    return folder


def _cumulative_sum(node: Node, operands: Sequence[Array | None], budget: Budget) -> Array:
    array, axis = _given(node, operands, 0), int(_given(node, operands, 1).reshape(-1)[0])
    if node.integer("reverse", 0) or node.integer("exclusive", 0):
        raise node.refuse("reverse and exclusive sums are not supported")
    return np.cumsum(array, axis, dtype=array.dtype)


_FOLDERS: dict[str, Folder] = {
    "Cast": _cast,
    "CastLike": _cast_like,
    "Concat": _concat,
    "Constant": lambda node, operands, budget: constant_value(node),
    "ConstantOfShape": _constant_of_shape,
    "CumSum": _cumulative_sum,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Range": _range,
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(np.mean),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Shape": lambda node, operands, budget: shape_slice(node, _given(node, operands, 0).shape),
    "Size": lambda node, operands, budget: np.array(_given(node, operands, 0).size, np.int64),
}
