"""Ops around the edges of a layer: maps and affines of values, node sums, concatenation, ranges.

At spline level they work on floats. `kan.node_sum` and `kan.concat` also work on codes, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    StringAttr,
    TensorType,
)
from xdsl.interfaces import HasFolderInterface
from xdsl.ir import Attribute, BlockArgument, Operation, SSAValue
from xdsl.irdl import (
    VarConstraint,
    base,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from kan_dialect.ir import verifier
from kan_dialect.ir.code_bounds import BoundedCodes, bounds_of
from kan_dialect.ir.constants import (
    Array,
    BoolArray,
    DenseAttr,
    FloatArray,
    IntArray,
    as_dense,
    dense,
    mask_constant,
    mask_values,
    to_floats,
    to_integers,
)
from kan_dialect.ir.operation import KanOperation, Named
from kan_dialect.ir.quant import UniformQuantizedType, storage_for
from kan_dialect.ir.semantics import Evaluable, Univariate
from kan_dialect.ir.types import (
    QuantTensor,
    element_bounds,
    is_quantized,
    quantized_type,
    tensor_shape,
)
from kan_dialect.ir.verifier import require, require_shape
from kan_dialect.limits import MAX_LAYER_EDGES
from kan_dialect.maths import functions


def verify_function(name: str) -> None:
    require(
        name in functions.FUNCTIONS,
        f"unknown function {name!r}: known are {', '.join(functions.FUNCTIONS)}",
    )


@irdl_op_definition
class MapOp(KanOperation, Univariate):
    """One fixed function of every element: y = f(x), any shape.

    Example:

        %y = kan.map "tanh" %x : tensor<2xf32>
    """

    name = "kan.map"

    T: ClassVar = VarConstraint("T", base(TensorType))

    function = prop_def(StringAttr)
    input = operand_def(T)
    result = result_def(T)

    assembly_format = "$function $input attr-dict `:` type($result)"

    def __init__(self, function: str, input: SSAValue | Operation) -> None:
        self.set_up([input], [SSAValue.get(input).type], function=function)

    def verify_(self) -> None:
        verifier.float_tensor(self.input, None, "input")
        verify_function(self.function.data)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (functions.apply(self.function.data, operands[0]),)


@irdl_op_definition
class AffineOp(KanOperation, Univariate, HasFolderInterface):
    """A scaling and a shift of every element: y = x * scale + bias.

    `scale` and `bias` broadcast over the input as in NumPy: for inputs (in) they are (in) or (1),
    for edges (out, in) they may be (out, 1). A batch norm in evaluation is an affine.

    Example:

        %y = kan.affine %x scale dense<1.0> : tensor<2xf32> bias dense<0.0> : tensor<f32> :
          tensor<2xf32>
    """

    name = "kan.affine"

    T: ClassVar = VarConstraint("T", base(TensorType))

    input = operand_def(T)
    scale = prop_def(DenseIntOrFPElementsAttr)
    bias = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(T)

    assembly_format = (
        "$input `scale` custom<Constant>($scale) `bias` custom<Constant>($bias) "
        "attr-dict `:` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        scale: DenseAttr | FloatArray,
        bias: DenseAttr | FloatArray,
    ) -> None:
        self.set_up([input], [SSAValue.get(input).type], scale=scale, bias=bias)

    def verify_(self) -> None:
        shape = verifier.float_tensor(self.input, None, "input")
        for what, attribute in (("scale", self.scale), ("bias", self.bias)):
            array = verifier.constant(cast(DenseAttr, attribute), what)
            try:
                fits = np.broadcast_shapes(array.shape, shape) == shape
            except ValueError:
                fits = False
            require(
                fits,
                f"{what} of shape {verifier.shape_text(array.shape)} does not broadcast over "
                f"{verifier.shape_text(shape)}",
            )

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        identity = (to_floats(self.scale) == 1.0).all() and (to_floats(self.bias) == 0.0).all()
        return (self.input,) if bool(identity) else None

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (operands[0] * to_floats(self.scale) + to_floats(self.bias),)


def reads_argument(value: SSAValue) -> bool:
    """True if the value is an argument, or affines of one: the operands of input quantisers."""
    while isinstance(value.owner, AffineOp):
        value = value.owner.input
    return isinstance(value, BlockArgument)


@irdl_op_definition
class NodeSumOp(KanOperation, Named, Evaluable, BoundedCodes):
    """The nodes of a layer: y[o] = bias[o] + sum over the kept edges i of edges[o, i].

    On floats at spline level, on integers, exactly, at table level. `mask` (out, in) of 0 and 1
    says which edges exist; without it all do. A node without edges is its bias.

    At table level the edges' codes have zero point 0, edges of one node share a scale, which is
    also the sum's, and the sum's bounds must hold every sum that the edges' bounds allow.

    Example:

        %all = kan.node_sum %e : tensor<2x3xf32> -> tensor<2xf32>
    """

    name = "kan.node_sum"

    edges = operand_def(TensorType)
    mask = opt_prop_def(DenseIntOrFPElementsAttr)
    bias = opt_prop_def(DenseIntOrFPElementsAttr)
    bounds = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$edges (`as` $name^)? (`mask` custom<Constant>($mask)^)? "
        "(`bias` custom<Constant>($bias)^)? "
        "(`bounds` custom<Constant>($bounds)^)? attr-dict `:` type($edges) `->` type($result)"
    )

    def __init__(
        self,
        edges: SSAValue | Operation,
        *,
        mask: DenseAttr | Array | None = None,
        bias: DenseAttr | Array | None = None,
        bounds: DenseAttr | None = None,
        result_type: TensorType[Attribute] | None = None,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        edges : tensor<out x in>, of floats or codes.
        mask : (out, in) of 0 and 1; all 1 is stored as no mask.
        bias : (out), floats at spline level, integers at table level; all 0 is stored as none.
        result_type : tensor<out>; of the edges' float type where not given.
        """
        edges = SSAValue.get(edges)
        if isinstance(bias, np.ndarray):
            bias = dense(bias) if bool(bias.any()) else None
        if result_type is None:
            edge_type = cast(TensorType[Attribute], edges.type)
            result_type = TensorType(edge_type.get_element_type(), edge_type.get_shape()[:1])
        self.set_up(
            [edges], [result_type], mask=mask_constant(mask), bias=bias, bounds=bounds, name=name
        )

    @property
    def mask_array(self) -> BoolArray:
        """Which edges exist, (out, in), bool."""
        return mask_values(self.mask, tensor_shape(self.edges))

    @property
    def bias_array(self) -> Array:
        """(out): int64 at table level, else float64."""
        if self.bias is None:
            kind = np.int64 if is_quantized(self.edges) else np.float64
            return np.zeros(tensor_shape(self.edges)[0], dtype=kind)
        return to_integers(self.bias) if is_quantized(self.edges) else to_floats(self.bias)

    def verify_(self) -> None:
        shape, element = verifier.tensor(self.edges, 2, "edges")
        result, result_element = verifier.tensor(self.result, 1, "result")
        require_shape(result, shape[:1], "result")
        verifier.mask(self.mask, shape)
        edges = shape[0] * shape[1] if self.mask is None else int(self.mask_array.sum())
        require(
            edges <= MAX_LAYER_EDGES,
            f"{edges} of {shape[0]} x {shape[1]} edges are more than {MAX_LAYER_EDGES} in one "
            "layer",
        )
        quantized = is_quantized(self.edges)
        if self.bias is not None:
            verifier.constant(self.bias, "bias", floats=not quantized, shape=shape[:1])
        if quantized:
            _verify_integer_sum(self)
            return
        require(
            element == result_element,
            f"edges of {element} must have sums of the same type, got {result_element}",
        )
        verifier.float_tensor(self.edges, 2, "edges")
        require(self.bounds is None, "only sums of codes have bounds")

    def code_bounds(self) -> tuple[IntArray, IntArray]:
        return element_bounds(cast(QuantTensor, self.result.type), self.bounds)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        edges = operands[0]
        # A pruned edge takes no part, whatever its value: it may be infinite.
        kept = edges if self.mask is None else np.where(self.mask_array, edges, edges.dtype.type(0))
        return (kept.sum(axis=-1) + self.bias_array,)


def _verify_integer_sum(op: NodeSumOp) -> None:
    """The rules of `kan.node_sum` on codes: scales agree, and no sum leaves its bounds."""
    shape, edges = verifier.quant_tensor(op.edges, 2, "edges")
    result, sums = verifier.quant_tensor(op.result, 1, "result")
    require(edges.axis in (None, 0), "edges must be quantised per tensor or per node (dimension 0)")
    require(
        not edges.zero_points.any() and not sums.zero_points.any(),
        "edges and sums must have zero point 0",
    )
    require(
        bool(
            np.array_equal(
                np.broadcast_to(edges.scale_for(1), result),
                np.broadcast_to(sums.scale_for(1), result),
            )
        ),
        "edges and their sum must have the same scale",
    )
    verifier.per_element_bounds(op.bounds, result, sums)
    lower, upper = bounds_of(op.edges)
    mask, bias = op.mask_array, op.bias_array
    # Larger biases could wrap around int64 below, and seem to lie within the bounds.
    require(bool(((bias >= -(1 << 50)) & (bias < 1 << 50)).all()), "a bias needs over 51 bits")
    low = np.where(mask, lower, 0).sum(axis=1) + bias
    high = np.where(mask, upper, 0).sum(axis=1) + bias
    declared_low, declared_high = bounds_of(op.result)
    bad = np.flatnonzero((low < declared_low) | (high > declared_high))
    if bad.size:
        node = int(bad[0])
        raise VerifyException(
            f"node {node} sums {int(mask[node].sum())} of {shape[1]} edges to "
            f"{int(low[node])}:{int(high[node])}, outside its bounds "
            f"{int(declared_low[node])}:{int(declared_high[node])}"
        )


@irdl_op_definition
class ConcatOp(KanOperation, Evaluable, BoundedCodes):
    """Concatenation of vectors: (a), (b), ... -> (a + b + ...), for dense and skip connections.

    Example:

        %both = kan.concat %all, %some, %all : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
          -> tensor<6xf32>
    """

    name = "kan.concat"

    inputs = var_operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = "$inputs attr-dict `:` type($inputs) `->` type($result)"

    def __init__(
        self,
        inputs: Sequence[SSAValue | Operation],
        result_type: TensorType[Attribute] | None = None,
    ) -> None:
        values = [SSAValue.get(value) for value in inputs]
        self.set_up(values, [result_type or _concatenated_type(values)])

    def verify_(self) -> None:
        require(len(self.inputs) >= 1, "at least one input is needed")
        total = 0
        for index, value in enumerate(self.inputs):
            shape, _ = verifier.tensor(value, 1, f"input {index}")
            total += shape[0]
        result, _ = verifier.tensor(self.result, 1, "result")
        require_shape(result, (total,), "result")
        if is_quantized(self.result):
            _verify_quantized_concat(self)
            return
        elements = {
            cast(TensorType[Attribute], value.type).get_element_type()
            for value in (*self.inputs, self.result)
        }
        require(len(elements) == 1, "inputs and result must have one element type")

    def code_bounds(self) -> tuple[IntArray, IntArray]:
        parts = [bounds_of(operand) for operand in self.inputs]
        return (
            np.concatenate([lower for lower, _ in parts]),
            np.concatenate([upper for _, upper in parts]),
        )

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        samples = max(operand.shape[0] for operand in operands)
        spread = [np.broadcast_to(part, (samples, *part.shape[1:])) for part in operands]
        return (np.concatenate(spread, axis=-1),)


def _concatenated_type(values: Sequence[SSAValue]) -> TensorType[Attribute]:
    """Type of concatenated vectors; codes keep their scales and zero points, in shared storage."""
    sizes = [tensor_shape(value)[0] for value in values]
    if not is_quantized(values[0]):
        element = cast(TensorType[Attribute], values[0].type).get_element_type()
        return TensorType(element, (sum(sizes),))
    elements = [quantized_type(value) for value in values]
    scales = np.concatenate(
        [np.broadcast_to(e.scale_for(1), size) for e, size in zip(elements, sizes, strict=True)]
    )
    points = np.concatenate(
        [
            np.broadcast_to(e.zero_point_for(1), size)
            for e, size in zip(elements, sizes, strict=True)
        ]
    )
    bits, signed = storage_for(
        min(element.bounds[0] for element in elements),
        max(element.bounds[1] for element in elements),
    )
    joined = UniformQuantizedType(
        bits, signed, scales, points, axis=0, expressed=elements[0].expressed_type
    )
    return TensorType(joined, scales.shape)


def _verify_quantized_concat(op: ConcatOp) -> None:
    """Concatenated codes must keep their scales and zero points."""
    _, result = verifier.quant_tensor(op.result, 1, "result")
    total = tensor_shape(op.result)
    scales = np.broadcast_to(result.scale_for(1), total)
    points = np.broadcast_to(result.zero_point_for(1), total)
    start = 0
    for index, value in enumerate(op.inputs):
        (count,), element = verifier.quant_tensor(value, 1, f"input {index}")
        part = slice(start, start + count)
        same = np.array_equal(np.broadcast_to(element.scale_for(1), (count,)), scales[part])
        same &= np.array_equal(np.broadcast_to(element.zero_point_for(1), (count,)), points[part])
        require(bool(same), f"input {index} differs from the result in scale or zero point")
        require(
            result.bounds[0] <= element.bounds[0] and element.bounds[1] <= result.bounds[1],
            f"input {index} has codes that the result's storage does not hold",
        )
        start += count


@irdl_op_definition
class ObserveOp(KanOperation, Evaluable, HasFolderInterface):
    """The identity, with the range and histogram of the value in calibration.

    `range` (n, 2) holds the smallest and largest value of each element, `histogram` (n, bins) how
    many samples fell into each of `bins` equal cells between them. `windows` (windows, 5) holds
    what was seen of values that readers set apart: element, first and last value, samples, and
    where these were counted.

    Example:

        %y = kan.observe %x range dense<[[-1.0, 1.0]]> : tensor<1x2xf32> histogram
          dense<[[1, 2]]> : tensor<1x2xi64> : tensor<1xf32>
    """

    name = "kan.observe"

    T: ClassVar = VarConstraint("T", base(TensorType))

    input = operand_def(T)
    seen = prop_def(DenseIntOrFPElementsAttr, prop_name="range")
    histogram = prop_def(DenseIntOrFPElementsAttr)
    windows = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(T)

    assembly_format = (
        "$input `range` custom<Constant>($range) `histogram` custom<Constant>($histogram) "
        "(`windows` custom<Constant>($windows)^)? attr-dict `:` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        seen: DenseAttr | FloatArray,
        histogram: DenseAttr | Array,
        windows: FloatArray | None = None,
    ) -> None:
        self.set_up(
            [input],
            [SSAValue.get(input).type],
            range=seen,
            histogram=histogram,
            windows=None if windows is None or not len(windows) else as_dense(windows),
        )

    def verify_(self) -> None:
        shape = verifier.float_tensor(self.input, 1, "input")
        seen = verifier.constant(self.seen, "range", shape=(*shape, 2))
        require(bool((seen[:, 0] <= seen[:, 1]).all()), "a range ends before it starts")
        histogram = verifier.constant(self.histogram, "histogram", floats=False)
        require(
            histogram.ndim == 2 and histogram.shape[0] == shape[0] and histogram.size > 0,
            f"histogram must have shape {shape[0]} x bins",
        )
        require(bool((histogram >= 0).all()), "histogram counts must not be negative")
        if self.windows is not None:
            windows = verifier.constant(self.windows, "windows")
            require(windows.ndim == 2 and windows.shape[1] == 5, "windows must be (windows, 5)")
            require(
                bool(np.isin(windows[:, 0], np.arange(shape[0])).all()),
                "windows name an element that does not exist",
            )

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        return None

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (operands[0],)


LAYER_OPS: list[type[Operation]] = [MapOp, AffineOp, NodeSumOp, ConcatOp, ObserveOp]
