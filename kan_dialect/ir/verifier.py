"""Checks that several verifiers share. Each raises `VerifyException` with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from xdsl.dialects import func
from xdsl.dialects.builtin import AnyFloat, ModuleOp, TensorType
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir.constants import (
    Array,
    DenseAttr,
    has_supported_type,
    is_well_formed,
    to_numpy,
)
from kan_dialect.ir.operation import operands_of, ops_of
from kan_dialect.ir.quant import UniformQuantizedType
from kan_dialect.ir.types import is_quantized


def require(condition: bool, message: str) -> None:
    """Raise `VerifyException(message)` unless `condition`."""
    if not condition:
        raise VerifyException(message)


def shape_text(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def constant(
    attribute: DenseAttr, what: str, *, floats: bool = True, shape: Sequence[int] | None = None
) -> Array:
    """The array of a constant, checked to be well formed, finite, and of floats or integers.

    Parameters
    ----------
    what : name of the constant in messages.
    shape : the shape that it must have; None: any.
    """
    # Messages are built only on failure: printing a type is slow.
    element = attribute.get_element_type()
    if not has_supported_type(attribute):
        kinds = "f32 or f64" if floats else "i8, i16, i32 or i64"
        raise VerifyException(f"{what} must be {kinds}, got {element}")
    if not is_well_formed(attribute):
        raise VerifyException(f"{what} hold a wrong number of elements for their type")
    array = to_numpy(attribute)
    if array.dtype.kind != ("f" if floats else "i"):
        kinds = "floats" if floats else "integers"
        raise VerifyException(f"{what} must be {kinds}, got {element}")
    if floats:
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            place = bad[0].tolist()
            index = f"[{', '.join(map(str, place))}]" if place else ""
            raise VerifyException(
                f"{what}{index} is {float(array[tuple(place)])}: parameters must be finite"
            )
    if shape is not None:
        require_shape(array.shape, shape, what)
    return array


def require_shape(actual: Sequence[int], expected: Sequence[int], what: str) -> None:
    require(
        tuple(actual) == tuple(expected),
        f"{what} must have shape {shape_text(expected)}, got {shape_text(actual)}",
    )


def choice(attribute: DenseAttr, edges: tuple[int, int], count: int, what: str) -> None:
    """Require a function number of 0..count - 1 for each of the edges (out, in)."""
    chosen = constant(attribute, "choice", floats=False, shape=edges)
    require(
        bool(((chosen >= 0) & (chosen < count)).all()),
        f"choice must lie in 0..{count - 1}: there are {count} {what}(s)",
    )


def tensor(value: SSAValue, rank: int | None, what: str) -> tuple[tuple[int, ...], Attribute]:
    """Shape and element type of a tensor value; its extents must be known and at least 1."""
    require(isinstance(value.type, TensorType), f"{what} must be a tensor, got {value.type}")
    tensor_type = cast(TensorType[Any], value.type)
    shape = tensor_type.get_shape()
    if rank is not None:
        require(
            len(shape) == rank, f"{what} must have {rank} dimension(s), got {shape_text(shape)}"
        )
    require(
        all(extent >= 1 for extent in shape),
        f"{what} must have known extents of at least 1, got {tensor_type}",
    )
    return shape, tensor_type.get_element_type()


def float_tensor(value: SSAValue, rank: int | None, what: str) -> tuple[int, ...]:
    shape, element = tensor(value, rank, what)
    require(isinstance(element, AnyFloat), f"{what} must hold floats, got {element}")
    return shape


def quant_tensor(
    value: SSAValue, rank: int | None, what: str
) -> tuple[tuple[int, ...], UniformQuantizedType]:
    shape, element = tensor(value, rank, what)
    if not isinstance(element, UniformQuantizedType):
        raise VerifyException(f"{what} must hold !quant.uniform codes, got {element}")
    if element.axis is not None:
        require(
            element.axis < len(shape),
            f"{what}: quantised dimension {element.axis} of a tensor of {len(shape)} dimension(s)",
        )
        require(
            len(element.scales) == shape[element.axis],
            f"{what}: {len(element.scales)} scales for {shape[element.axis]} indices of dimension "
            f"{element.axis}",
        )
    return shape, element


def edge_shapes(input_shape: Sequence[int], result_shape: Sequence[int]) -> tuple[int, int]:
    """Shape (out, in) of the edges that an op computes from the inputs (in) of a layer."""
    require(
        result_shape[1] == input_shape[0],
        f"result must have one column for each of {input_shape[0]} inputs, got "
        f"{shape_text(result_shape)}",
    )
    return result_shape[0], result_shape[1]


def mask(attribute: DenseAttr | None, shape: Sequence[int]) -> None:
    """Require a mask, if given, to hold 0 or 1 for each element of `shape`."""
    if attribute is None:
        return
    values = constant(attribute, "mask", floats=False, shape=shape)
    require(bool(np.isin(values, (0, 1)).all()), "mask must hold only 0 and 1")


def per_element_bounds(
    bounds: DenseAttr | None, shape: Sequence[int], element: UniformQuantizedType
) -> None:
    """Require bounds (*shape, 2), if given, to lie within the storage, in ascending order."""
    if bounds is None:
        return
    array = constant(bounds, "bounds", floats=False, shape=(*shape, 2))
    low, high = element.bounds
    lower, upper = array[..., 0], array[..., 1]
    require(bool((lower <= upper).all()), "a lower bound lies above its upper bound")
    require(
        bool((lower >= low).all() and (upper <= high).all()),
        f"bounds leave the storage's range {low}:{high}",
    )


class ContextError(VerifyException):
    """What no verifier of a single op finds.

    Parameters
    ----------
    op : the one that is wrong.
    """

    def __init__(self, op: Operation, message: str) -> None:
        super().__init__(message)
        self.op = op


class OrderError(ContextError):
    """A value is read where it is not known yet, by the op of the error."""


def require_order(module: ModuleOp) -> None:
    """Require that ops of functions read values of earlier ops of the same function only.

    Raises
    ------
    OrderError : an op reads a later value, its own result, or a value of another function. The
        message names the op.
    """
    for function in module.ops:
        if any(operand.owner.parent is not function.parent for operand in function.operands):
            raise OrderError(
                function,
                f"'{function.name}' outside every function reads a value of a function",
            )
        if not isinstance(function, func.FuncOp):
            continue
        for block in function.body.blocks:
            # By identity: the hash of a block's argument is a function in Python.
            known = set(map(id, block.args))
            for op in ops_of(block):
                if not known.issuperset(map(id, operands_of(op))):
                    for operand in operands_of(op):
                        if id(operand) not in known and operand.owner.parent is block:
                            raise OrderError(
                                op,
                                f"@{function.sym_name.data}: '{op.name}' reads a value that is "
                                "computed after it, or from its own result",
                            )
                known.update(map(id, op.results))


def require_port_types(module: ModuleOp) -> None:
    """Require codes at arguments and results of functions to have the scales of their shape.

    Raises
    ------
    ContextError : they have others, or an extent is not known. The message names the function.
    """
    for function in module.ops:
        if isinstance(function, func.FuncOp) and not function.is_declaration:
            try:
                _port_types(function)
            except VerifyException as error:
                raise ContextError(function, f"@{function.sym_name.data}: {error}") from None


def _port_types(function: func.FuncOp) -> None:
    returned = function.get_return_op()
    results = () if returned is None else returned.operands
    for what, values in (("argument", function.args), ("result", results)):
        for index, value in enumerate(values):
            if is_quantized(value):
                quant_tensor(value, None, f"{what} {index}")
