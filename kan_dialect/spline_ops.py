"""Spline level: real-valued tensors of one sample, edges (out, in), nodes that sum them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, cast

import numpy as np
from xdsl.dialects.builtin import (
    I64,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    StringAttr,
    TensorType,
    UnitAttr,
    f32,
    i64,
)
from xdsl.interfaces import HasFolderInterface
from xdsl.ir import Attribute, Operation, SSAValue
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
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern
from xdsl.traits import HasCanonicalizationPatternsTrait, Pure

from kan_dialect import functions, splines, verifying
from kan_dialect.attributes import element_type, is_quantized, tensor_shape
from kan_dialect.constants import (
    Array,
    Constant,
    DenseAttr,
    FloatArray,
    as_dense,
    dense,
    to_floats,
    to_integers,
)
from kan_dialect.limits import MAX_LAYER_EDGES
from kan_dialect.operation import KanOperation, optional_name
from kan_dialect.semantics import Evaluable, Univariate
from kan_dialect.verifying import require, require_shape

MAX_DEGREE = 100
"""Degrees beyond this are refused: the recursion's float64 loses all digits long before."""


class EdgeOp(KanOperation, Univariate, ABC):
    """An op that gives the edges of a layer: (in) -> (out, in)."""

    input = operand_def(TensorType)
    result = result_def(TensorType)

    @property
    def inputs(self) -> int:
        """Number of inputs of the layer."""
        return tensor_shape(self.input)[0]

    @property
    def outputs(self) -> int:
        """Number of nodes of the layer."""
        return tensor_shape(self.result)[0]

    def verify_(self) -> None:
        inputs = verifying.float_tensor(self.input, 1, "input")
        result = verifying.float_tensor(self.result, 2, "result")
        self.verify_edges(*verifying.edge_shapes(inputs, result))

    @abstractmethod
    def verify_edges(self, outputs: int, inputs: int) -> None:
        """Check the parameters of a layer of `inputs` inputs and `outputs` nodes."""

    @abstractmethod
    def edges(self, x: FloatArray) -> FloatArray:
        """Edge functions (samples, out, in) of inputs (samples, in), float64."""

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (self.edges(operands[0]),)


def edge_type(input: SSAValue | Operation, outputs: int, inputs: int) -> TensorType[Attribute]:
    """The type of edges: floats as their input's."""
    return TensorType(element_type(SSAValue.get(input)) or f32, (outputs, inputs))


def _per_input(array: Array, inputs: int, what: str) -> int:
    """The last extent of a parameter that is shared (K) or given per input (in, K)."""
    require(array.ndim in (1, 2), f"{what} must have shape K or {inputs}xK")
    if array.ndim == 2:
        require_shape(array.shape[:1], (inputs,), f"the first dimension of {what}")
    return array.shape[-1]


class ExpandKnots(RewritePattern):
    """A grid that the op extends becomes the knots themselves."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if not isinstance(op, BSplineOp) or op.extend is None:
            return
        op.knots = dense(op.knot_vector)
        op.extend = None
        rewriter.notify_op_modified(op)


class BSplineCanonicalization(HasCanonicalizationPatternsTrait):
    @classmethod
    def get_canonicalization_patterns(cls) -> tuple[RewritePattern, ...]:
        return (ExpandKnots(),)


@irdl_op_definition
class BSplineOp(EdgeOp):
    """Edges that are B-splines: phi[o, i](x) = sum_m coefficients[o, i, m] * B_m(x_i).

    `knots` are the knots of the basis, (in, K) or (K) for all inputs, non-decreasing, uniform or
    not; there are K - 1 - degree basis functions. With `extend` they are the grid only, and the op
    adds `degree` knots on each side at the grid's mean spacing. Cells are half-open and the basis
    is 0 outside the knots; with `closed` the last knot belongs to the last cell.
    """

    name = "kan.bspline"

    degree = prop_def(IntegerAttr[I64])
    knots = prop_def(DenseIntOrFPElementsAttr)
    coefficients = prop_def(DenseIntOrFPElementsAttr)
    extend = opt_prop_def(UnitAttr)
    closed = opt_prop_def(UnitAttr)
    value_name = opt_prop_def(StringAttr, prop_name="name")

    traits = traits_def(Pure(), BSplineCanonicalization())
    custom_directives = (Constant,)
    assembly_format = (
        "$input (`as` $name^)? `degree` $degree (`extend` $extend^)? (`closed` $closed^)? "
        "`knots` custom<Constant>($knots) `coefficients` custom<Constant>($coefficients) "
        "attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        degree: int,
        knots: DenseAttr | FloatArray,
        coefficients: DenseAttr | FloatArray,
        *,
        extend: bool = False,
        closed: bool = False,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        input : tensor<in x float>.
        knots : (in, K) or (K), float32 or float64.
        coefficients : (out, in, K - 1 - degree), or K - 1 + degree with `extend`.
        """
        knots = as_dense(knots)
        coefficients = as_dense(coefficients)
        outputs, inputs = coefficients.get_shape()[:2]
        super().__init__(
            operands=[input],
            result_types=[edge_type(input, outputs, inputs)],
            properties={
                "degree": IntegerAttr(degree, i64),
                "knots": knots,
                "coefficients": coefficients,
                "extend": UnitAttr() if extend else None,
                "closed": UnitAttr() if closed else None,
                "name": optional_name(name),
            },
        )

    @property
    def knot_vector(self) -> FloatArray:
        """The knots of the basis, (in, K) or (K), extended where the op asks for it."""
        knots = to_floats(self.knots)
        return splines.extend_grid(knots, self.degree.value.data) if self.extend else knots

    def verify_edges(self, outputs: int, inputs: int) -> None:
        degree = self.degree.value.data
        require(0 <= degree <= MAX_DEGREE, f"degree must lie in 0..{MAX_DEGREE}, got {degree}")
        knots = verifying.constant(self.knots, "knots")
        count = _per_input(knots, inputs, "knots")
        require(count >= 2, f"a grid needs at least 2 points, got {count}")
        require(bool((np.diff(knots, axis=-1) >= 0).all()), "knots must not decrease")
        functions_count = count - 1 + (degree if self.extend else -degree)
        require(
            functions_count >= 1,
            f"{count} knots are too few for degree {degree}: at least {degree + 2} are needed",
        )
        coefficients = verifying.constant(self.coefficients, "coefficients")
        require_shape(coefficients.shape, (outputs, inputs, functions_count), "coefficients")
        verifying.value_name(self.given_name)

    def edges(self, x: FloatArray) -> FloatArray:
        degree = self.degree.value.data
        basis = splines.bspline_basis(x, self.knot_vector, degree, closed=self.closed is not None)
        return splines.edge_values(basis, to_floats(self.coefficients))


@irdl_op_definition
class BaseOp(EdgeOp):
    """Edges that are one fixed function times a weight: phi[o, i](x) = weights[o, i] * f(x_i)."""

    name = "kan.base"

    function = prop_def(StringAttr)
    weights = prop_def(DenseIntOrFPElementsAttr)
    value_name = opt_prop_def(StringAttr, prop_name="name")

    traits = traits_def(Pure())
    custom_directives = (Constant,)
    assembly_format = (
        "$function $input (`as` $name^)? `weights` custom<Constant>($weights) "
        "attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        function: str,
        input: SSAValue | Operation,
        weights: DenseAttr | FloatArray,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        function : a key of `functions.FUNCTIONS`.
        weights : (out, in), float32 or float64.
        """
        weights = as_dense(weights)
        outputs, inputs = weights.get_shape()
        super().__init__(
            operands=[input],
            result_types=[edge_type(input, outputs, inputs)],
            properties={
                "function": StringAttr(function),
                "weights": weights,
                "name": optional_name(name),
            },
        )

    def verify_edges(self, outputs: int, inputs: int) -> None:
        _verify_function(self.function.data)
        weights = verifying.constant(self.weights, "weights")
        require_shape(weights.shape, (outputs, inputs), "weights")
        verifying.value_name(self.given_name)

    def edges(self, x: FloatArray) -> FloatArray:
        values = functions.apply(self.function.data, x)
        weights = to_floats(self.weights)
        with np.errstate(invalid="ignore"):
            # A weight of 0 means no function at all, also where the function is infinite.
            return np.where(weights == 0.0, 0.0, values[:, np.newaxis, :] * weights)


def _verify_function(name: str) -> None:
    require(
        name in functions.FUNCTIONS,
        f"unknown function {name!r}: known are {', '.join(functions.FUNCTIONS)}",
    )


@irdl_op_definition
class RadialOp(EdgeOp):
    """Edges from radial basis functions.

    phi[o, i](x) = sum_c coefficients[o, i, c] * R((x_i - center_c) / width_c)

    `centers` and `widths` are (in, C), or (C) for all inputs. FastKAN (Li, arXiv 2405.06721) is
    `gaussian` on equidistant centers.
    """

    name = "kan.radial"

    function = prop_def(StringAttr)
    centers = prop_def(DenseIntOrFPElementsAttr)
    widths = prop_def(DenseIntOrFPElementsAttr)
    coefficients = prop_def(DenseIntOrFPElementsAttr)
    value_name = opt_prop_def(StringAttr, prop_name="name")

    traits = traits_def(Pure())
    custom_directives = (Constant,)
    assembly_format = (
        "$function $input (`as` $name^)? `centers` custom<Constant>($centers) "
        "`widths` custom<Constant>($widths) `coefficients` custom<Constant>($coefficients) "
        "attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        function: str,
        input: SSAValue | Operation,
        centers: DenseAttr | FloatArray,
        widths: DenseAttr | FloatArray,
        coefficients: DenseAttr | FloatArray,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        function : one of `splines.RADIAL_FUNCTIONS`.
        centers, widths : (in, C) or (C); widths are positive.
        coefficients : (out, in, C).
        """
        coefficients = as_dense(coefficients)
        outputs, inputs = coefficients.get_shape()[:2]
        super().__init__(
            operands=[input],
            result_types=[edge_type(input, outputs, inputs)],
            properties={
                "function": StringAttr(function),
                "centers": as_dense(centers),
                "widths": as_dense(widths),
                "coefficients": coefficients,
                "name": optional_name(name),
            },
        )

    def verify_edges(self, outputs: int, inputs: int) -> None:
        kind = self.function.data
        require(
            kind in splines.RADIAL_FUNCTIONS,
            f"unknown radial function {kind!r}: known are {', '.join(splines.RADIAL_FUNCTIONS)}",
        )
        centers = verifying.constant(self.centers, "centers")
        count = _per_input(centers, inputs, "centers")
        require(count >= 1, "at least one center is needed")
        widths = verifying.constant(self.widths, "widths")
        require(
            _per_input(widths, inputs, "widths") == count,
            f"there must be as many widths as centers, got {widths.shape[-1]} and {count}",
        )
        require(bool((widths > 0).all()), "widths must be positive")
        coefficients = verifying.constant(self.coefficients, "coefficients")
        require_shape(coefficients.shape, (outputs, inputs, count), "coefficients")
        verifying.value_name(self.given_name)

    def edges(self, x: FloatArray) -> FloatArray:
        basis = splines.radial_basis(
            x, to_floats(self.centers), to_floats(self.widths), self.function.data
        )
        return splines.edge_values(basis, to_floats(self.coefficients))


@irdl_op_definition
class ChebyshevOp(EdgeOp):
    """Edges that are Chebyshev series: phi[o, i](x) = sum_k coefficients[o, i, k] * T_k(x_i).

    The degree is the number of coefficients less one. ChebyKAN (Sidharth, arXiv 2405.07200)
    feeds it tanh of its inputs, here a `kan.map tanh` before.
    """

    name = "kan.chebyshev"

    coefficients = prop_def(DenseIntOrFPElementsAttr)
    value_name = opt_prop_def(StringAttr, prop_name="name")

    traits = traits_def(Pure())
    custom_directives = (Constant,)
    assembly_format = (
        "$input (`as` $name^)? `coefficients` custom<Constant>($coefficients) "
        "attr-dict `:` type($input) `->` type($result)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        coefficients: DenseAttr | FloatArray,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        coefficients : (out, in, degree + 1).
        """
        coefficients = as_dense(coefficients)
        outputs, inputs = coefficients.get_shape()[:2]
        super().__init__(
            operands=[input],
            result_types=[edge_type(input, outputs, inputs)],
            properties={"coefficients": coefficients, "name": optional_name(name)},
        )

    def verify_edges(self, outputs: int, inputs: int) -> None:
        coefficients = verifying.constant(self.coefficients, "coefficients")
        require(coefficients.ndim == 3, "coefficients must have shape out x in x (degree + 1)")
        count = coefficients.shape[2]
        require(
            1 <= count <= MAX_DEGREE + 1, f"degree must lie in 0..{MAX_DEGREE}, got {count - 1}"
        )
        require_shape(coefficients.shape, (outputs, inputs, count), "coefficients")
        verifying.value_name(self.given_name)

    def edges(self, x: FloatArray) -> FloatArray:
        coefficients = to_floats(self.coefficients)
        return splines.edge_values(
            splines.chebyshev_basis(x, coefficients.shape[2] - 1), coefficients
        )


@irdl_op_definition
class MapOp(KanOperation, Univariate):
    """One fixed function of every element: y = f(x), any shape."""

    name = "kan.map"

    T: ClassVar = VarConstraint("T", base(TensorType))

    function = prop_def(StringAttr)
    input = operand_def(T)
    result = result_def(T)

    traits = traits_def(Pure())
    assembly_format = "$function $input attr-dict `:` type($result)"

    def __init__(self, function: str, input: SSAValue | Operation) -> None:
        super().__init__(
            operands=[input],
            result_types=[SSAValue.get(input).type],
            properties={"function": StringAttr(function)},
        )

    def verify_(self) -> None:
        verifying.float_tensor(self.input, None, "input")
        _verify_function(self.function.data)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (functions.apply(self.function.data, operands[0]),)


@irdl_op_definition
class AffineOp(KanOperation, Univariate, HasFolderInterface):
    """A scaling and a shift of every element: y = x * scale + bias.

    `scale` and `bias` broadcast over the input as in NumPy: for inputs (in) they are (in) or (1),
    for edges (out, in) they may be (out, 1). A batch norm in evaluation is an affine.
    """

    name = "kan.affine"

    T: ClassVar = VarConstraint("T", base(TensorType))

    input = operand_def(T)
    scale = prop_def(DenseIntOrFPElementsAttr)
    bias = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(T)

    traits = traits_def(Pure())
    custom_directives = (Constant,)
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
        super().__init__(
            operands=[input],
            result_types=[SSAValue.get(input).type],
            properties={"scale": as_dense(scale), "bias": as_dense(bias)},
        )

    def verify_(self) -> None:
        shape = verifying.float_tensor(self.input, None, "input")
        for what, attribute in (("scale", self.scale), ("bias", self.bias)):
            array = verifying.constant(cast(DenseAttr, attribute), what)
            try:
                fits = np.broadcast_shapes(array.shape, shape) == shape
            except ValueError:
                fits = False
            require(
                fits,
                f"{what} of shape {verifying.shape_text(array.shape)} does not broadcast over "
                f"{verifying.shape_text(shape)}",
            )

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        identity = (to_floats(self.scale) == 1.0).all() and (to_floats(self.bias) == 0.0).all()
        return (self.input,) if bool(identity) else None

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (operands[0] * to_floats(self.scale) + to_floats(self.bias),)


@irdl_op_definition
class NodeSumOp(KanOperation, Evaluable):
    """The nodes of a layer: y[o] = bias[o] + sum over the kept edges i of edges[o, i].

    On floats at spline level, on integers, exactly, at table level. `mask` (out, in) of 0 and 1
    says which edges exist; without it all do. A node without edges is its bias.

    At table level the edges' codes have zero point 0, edges of one node share a scale, which is
    also the sum's, and the sum's bounds must hold every sum that the edges' bounds allow.
    """

    name = "kan.node_sum"

    edges = operand_def(TensorType)
    mask = opt_prop_def(DenseIntOrFPElementsAttr)
    bias = opt_prop_def(DenseIntOrFPElementsAttr)
    bounds = opt_prop_def(DenseIntOrFPElementsAttr)
    value_name = opt_prop_def(StringAttr, prop_name="name")
    result = result_def(TensorType)

    traits = traits_def(Pure())
    custom_directives = (Constant,)
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
        if isinstance(mask, np.ndarray):
            mask = None if bool(mask.all()) else dense(mask.astype(np.int8))
        if isinstance(bias, np.ndarray):
            bias = dense(bias) if bool(bias.any()) else None
        if result_type is None:
            edge_type = cast(TensorType[Attribute], edges.type)
            result_type = TensorType(edge_type.get_element_type(), edge_type.get_shape()[:1])
        super().__init__(
            operands=[edges],
            result_types=[result_type],
            properties={
                "mask": mask,
                "bias": bias,
                "bounds": bounds,
                "name": optional_name(name),
            },
        )

    @property
    def mask_array(self) -> Array:
        """Which edges exist, (out, in), bool."""
        if self.mask is None:
            return np.ones(tensor_shape(self.edges), dtype=np.bool_)
        return to_integers(self.mask).astype(np.bool_)

    @property
    def bias_array(self) -> Array:
        """(out): int64 at table level, else float64."""
        if self.bias is None:
            kind = np.int64 if is_quantized(self.edges) else np.float64
            return np.zeros(tensor_shape(self.edges)[0], dtype=kind)
        return to_integers(self.bias) if is_quantized(self.edges) else to_floats(self.bias)

    def verify_(self) -> None:
        shape, element = verifying.tensor(self.edges, 2, "edges")
        result, result_element = verifying.tensor(self.result, 1, "result")
        require_shape(result, shape[:1], "result")
        require(
            shape[0] * shape[1] <= MAX_LAYER_EDGES,
            f"{shape[0]} x {shape[1]} edges are more than {MAX_LAYER_EDGES} in one layer",
        )
        if self.mask is not None:
            mask = verifying.constant(self.mask, "mask", floats=False)
            require_shape(mask.shape, shape, "mask")
            require(bool(np.isin(mask, (0, 1)).all()), "mask must hold only 0 and 1")
        quantized = is_quantized(self.edges)
        if self.bias is not None:
            bias = verifying.constant(self.bias, "bias", floats=not quantized)
            require_shape(bias.shape, shape[:1], "bias")
        verifying.value_name(self.given_name)
        if quantized:
            from kan_dialect.table_ops import verify_integer_sum

            verify_integer_sum(self)
            return
        require(
            element == result_element,
            f"edges of {element} must have sums of the same type, got {result_element}",
        )
        verifying.float_tensor(self.edges, 2, "edges")
        require(self.bounds is None, "only sums of codes have bounds")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        edges = operands[0]
        # A pruned edge takes no part, whatever its value: it may be infinite.
        kept = edges if self.mask is None else np.where(self.mask_array, edges, edges.dtype.type(0))
        return (kept.sum(axis=-1) + self.bias_array,)


@irdl_op_definition
class ConcatOp(KanOperation, Evaluable):
    """Inputs side by side: (a), (b), ... -> (a + b + ...). Dense and skip connections need it."""

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
        if result_type is None:
            element = cast(TensorType[Attribute], values[0].type).get_element_type()
            result_type = TensorType(element, (sum(tensor_shape(value)[0] for value in values),))
        super().__init__(operands=[values], result_types=[result_type])

    def verify_(self) -> None:
        require(len(self.inputs) >= 1, "at least one input is needed")
        total = 0
        for index, value in enumerate(self.inputs):
            shape, _ = verifying.tensor(value, 1, f"input {index}")
            total += shape[0]
        result, _ = verifying.tensor(self.result, 1, "result")
        require_shape(result, (total,), "result")
        if is_quantized(self.result):
            from kan_dialect.table_ops import verify_quantized_concat

            verify_quantized_concat(self)
            return
        elements = {
            cast(TensorType[Attribute], value.type).get_element_type()
            for value in (*self.inputs, self.result)
        }
        require(len(elements) == 1, "inputs and result must have one element type")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        samples = max(operand.shape[0] for operand in operands)
        spread = [np.broadcast_to(part, (samples, *part.shape[1:])) for part in operands]
        return (np.concatenate(spread, axis=-1),)


@irdl_op_definition
class ObserveOp(KanOperation, Evaluable, HasFolderInterface):
    """What calibration saw of a value; in value the identity.

    `range` (n, 2) holds the smallest and largest value of each element, `histogram` (n, bins) how
    many samples fell into each of `bins` equal cells between them. `windows` (windows, 5) holds
    what was seen of values that readers set apart: element, first and last value, samples, and
    where these were counted.
    """

    name = "kan.observe"

    T: ClassVar = VarConstraint("T", base(TensorType))

    input = operand_def(T)
    seen = prop_def(DenseIntOrFPElementsAttr, prop_name="range")
    histogram = prop_def(DenseIntOrFPElementsAttr)
    windows = opt_prop_def(DenseIntOrFPElementsAttr)
    result = result_def(T)

    custom_directives = (Constant,)
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
        super().__init__(
            operands=[input],
            result_types=[SSAValue.get(input).type],
            properties={
                "range": as_dense(seen),
                "histogram": as_dense(histogram),
                "windows": None if windows is None or not len(windows) else as_dense(windows),
            },
        )

    def verify_(self) -> None:
        shape = verifying.float_tensor(self.input, 1, "input")
        seen = verifying.constant(self.seen, "range")
        require_shape(seen.shape, (*shape, 2), "range")
        require(bool((seen[:, 0] <= seen[:, 1]).all()), "a range ends before it starts")
        histogram = verifying.constant(self.histogram, "histogram", floats=False)
        require(
            histogram.ndim == 2 and histogram.shape[0] == shape[0] and histogram.size > 0,
            f"histogram must have shape {shape[0]} x bins",
        )
        require(bool((histogram >= 0).all()), "histogram counts must not be negative")
        if self.windows is not None:
            windows = verifying.constant(self.windows, "windows")
            require(windows.ndim == 2 and windows.shape[1] == 5, "windows must be (windows, 5)")
            require(
                bool(np.isin(windows[:, 0], np.arange(shape[0])).all()),
                "windows name an element that is none",
            )

    def fold(self) -> Sequence[SSAValue | Attribute] | None:
        return None

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (operands[0],)


SPLINE_OPS: list[type[Operation]] = [
    BSplineOp,
    BaseOp,
    RadialOp,
    ChebyshevOp,
    MapOp,
    AffineOp,
    NodeSumOp,
    ConcatOp,
    ObserveOp,
]
