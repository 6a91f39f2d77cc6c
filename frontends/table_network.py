"""Builds table-level networks from arrays.

Example:

    network = TableNetwork("tiny", UniformQuantizedType(6, False, 0.05, 32), inputs=3)
    network.add_layer(tables, scale=0.1, saturate=(-128, 127))
    module = network.module()
"""

from __future__ import annotations

import numpy as np
from xdsl.dialects.builtin import ModuleOp, TensorType
from xdsl.ir import Block, Operation, SSAValue

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, BoolArray, FloatArray, IntArray
from kan_dialect.ir.functions import module_of
from kan_dialect.ir.quant import UniformQuantizedType, storage_for
from kan_dialect.ir.types import bounds_constant, quantized_type, tensor_shape
from kan_dialect.ops.layer import AffineOp, NodeSumOp
from kan_dialect.ops.table import DequantizeOp, QuantizeOp, RequantizeOp, TablesOp


class TableNetwork:
    """Builds a table-level function layer by layer: lookup, exact sum, saturation."""

    def __init__(
        self,
        name: str,
        input_type: UniformQuantizedType,
        inputs: int,
        affine: tuple[FloatArray, FloatArray] | None = None,
    ) -> None:
        """
        Parameters
        ----------
        name : name of the function, and of the RTL's top module.
        input_type : type of the input codes.
        inputs : number of inputs.
        affine : gain and offset of each input, (inputs) each, float64: the codes are those of
            x · gain + offset, which the host computes.
        """
        self.name = name
        self._block = Block(arg_types=[TensorType(input_type.expressed_type, (inputs,))])
        value: SSAValue = self._block.args[0]
        if affine is not None:
            value = self._add(AffineOp(value, *affine))
        self._codes = self._add(QuantizeOp(value, input_type))
        self._layers = 0

    def _add(self, op: Operation) -> SSAValue:
        self._block.add_op(op)
        return op.results[0]

    def add_layer(
        self,
        tables: IntArray,
        *,
        scale: float = 1.0,
        mask: Array | None = None,
        saturate: tuple[int, int] | None = None,
        shift: int = 0,
    ) -> TableNetwork:
        """Append a layer.

        Parameters
        ----------
        tables : (out, in, entries), int64. Entry k of an edge is its code for the k-th lowest code
            of its input.
        scale : real value of one unit of the sums.
        mask : (out, in), bool, edges that exist; all by default.
        saturate : smallest and largest code of the nodes; by default the nodes are the exact sums.
        shift : the sums are rounded to multiples of 2^shift, of which `saturate` counts.

        Raises
        ------
        KanError : the tables do not fit the layer before, or do not hold integers.
        """
        (inputs,) = tensor_shape(self._codes)
        low, high = quantized_type(self._codes).bounds
        if tables.ndim != 3 or tables.shape[1:] != (inputs, high - low + 1):
            raise KanError(
                f"layer {self._layers}: tables must have shape (out, {inputs}, {high - low + 1}), "
                f"got {tables.shape}"
            )
        if tables.dtype.kind not in "iu":
            raise KanError(
                f"layer {self._layers}: tables must hold integers, got {tables.dtype}",
                remedy="round them: np.rint(tables).astype(np.int64)",
            )
        if mask is None:
            mask = np.ones(tables.shape[:2], dtype=np.bool_)
        name = f"layer{self._layers}"
        for op in sum_of_tables(self._codes, tables, mask, scale=scale, name=name):
            self._codes = self._add(op)
        if saturate is not None:
            bits, signed = storage_for(*saturate)
            code_type = UniformQuantizedType(bits, signed, scale * 2.0**shift, bounds=saturate)
            self._codes = self._add(RequantizeOp(self._codes, code_type, name=name))
        self._layers += 1
        return self

    def module(self) -> ModuleOp:
        """The finished module; call it once."""
        result = self._add(DequantizeOp(self._codes))
        return module_of(self.name, self._block, result)


def sum_of_tables(
    codes: SSAValue,
    tables: IntArray,
    mask: BoolArray,
    *,
    scale: float | FloatArray,
    bias: IntArray | None = None,
    name: str,
) -> tuple[TablesOp, NodeSumOp]:
    """The ops of a layer: its tables, and the exact sums.

    Parameters
    ----------
    codes : tensor of codes, (in).
    tables : (out, in, entries), int64. Entry k of an edge is its code for the k-th lowest code of
        its input.
    mask : (out, in), edges that exist.
    scale : real value of one unit of the sums, of all or of each (out).
    bias : (out), int64, added to the sums.
    """
    tables = np.where(mask[..., np.newaxis], tables, 0).astype(np.int64)
    lower, upper = tables.min(axis=-1), tables.max(axis=-1)
    edge_type = _type_for(lower, upper, scale)
    bounds = bounds_constant(TensorType(edge_type, lower.shape), lower, upper)
    edges = TablesOp(codes, tables, edge_type, bounds=bounds, name=name)
    offset = np.zeros(len(tables), dtype=np.int64) if bias is None else bias
    low_sum, high_sum = lower.sum(axis=1) + offset, upper.sum(axis=1) + offset
    sum_type = TensorType(_type_for(low_sum, high_sum, scale), low_sum.shape)
    sums = NodeSumOp(
        edges,
        mask=mask,
        bias=offset,
        bounds=bounds_constant(sum_type, low_sum, high_sum),
        result_type=sum_type,
        name=name,
    )
    return edges, sums


def _type_for(lower: IntArray, upper: IntArray, scale: float | FloatArray) -> UniformQuantizedType:
    bits, signed = storage_for(min(int(lower.min()), 0), max(int(upper.max()), 0))
    axis = 0 if isinstance(scale, np.ndarray) else None
    return UniformQuantizedType(bits, signed, scale, axis=axis)
