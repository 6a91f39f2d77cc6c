"""Edge functions by their coefficients: B-splines, base functions, radial bases, Chebyshev series.

Each op maps a vector of inputs (in) to the edges of a layer (out, in), floats of one sample.
`kan.node_sum` of `kan_dialect.ops.layer` adds them up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from xdsl.dialects.builtin import (
    I64,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    StringAttr,
    TensorType,
    UnitAttr,
    f32,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern
from xdsl.traits import HasCanonicalizationPatternsTrait, Pure

from kan_dialect.ir import verifier
from kan_dialect.ir.constants import (
    Array,
    DenseAttr,
    FloatArray,
    as_dense,
    dense,
    to_floats,
)
from kan_dialect.ir.operation import KanOperation, Named
from kan_dialect.ir.semantics import Univariate
from kan_dialect.ir.types import element_type, tensor_shape
from kan_dialect.ir.verifier import require, require_shape
from kan_dialect.maths import bsplines, functions
from kan_dialect.ops.layer import verify_function

MAX_DEGREE = 100
"""Largest degree: with float64, the recursion loses all digits below it."""


class EdgeOp(KanOperation, Named, Univariate, ABC):
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
        inputs = verifier.float_tensor(self.input, 1, "input")
        result = verifier.float_tensor(self.result, 2, "result")
        self.verify_edges(*verifier.edge_shapes(inputs, result))

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
    """An extended grid becomes the knots themselves, without `extend`."""

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

    Example:

        %e = kan.bspline %x as "layer0" degree 2 extend closed knots dense<[-1.0, 0.0, 1.0]>
          : tensor<3xf32> coefficients dense<[[[1.0, 2.0, 3.0, 4.0]]]> : tensor<1x1x4xf32> :
          tensor<1xf64> -> tensor<1x1xf64>
    """

    name = "kan.bspline"

    degree = prop_def(IntegerAttr[I64])
    knots = prop_def(DenseIntOrFPElementsAttr)
    coefficients = prop_def(DenseIntOrFPElementsAttr)
    extend = opt_prop_def(UnitAttr)
    closed = opt_prop_def(UnitAttr)

    traits = traits_def(Pure(), BSplineCanonicalization())
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
        self.set_up(
            [input],
            [edge_type(input, outputs, inputs)],
            degree=degree,
            knots=knots,
            coefficients=coefficients,
            extend=extend,
            closed=closed,
            name=name,
        )

    @property
    def knot_vector(self) -> FloatArray:
        """The knots of the basis, (in, K) or (K), extended where the op asks for it."""
        knots = to_floats(self.knots)
        return bsplines.extend_grid(knots, self.degree.value.data) if self.extend else knots

    def verify_edges(self, outputs: int, inputs: int) -> None:
        degree = self.degree.value.data
        require(0 <= degree <= MAX_DEGREE, f"degree must lie in 0..{MAX_DEGREE}, got {degree}")
        knots = verifier.constant(self.knots, "knots")
        count = _per_input(knots, inputs, "knots")
        require(count >= 2, f"a grid needs at least 2 points, got {count}")
        require(bool((np.diff(knots, axis=-1) >= 0).all()), "knots must not decrease")
        functions_count = count - 1 + (degree if self.extend else -degree)
        require(
            functions_count >= 1,
            f"{count} knots are too few for degree {degree}: at least {degree + 2} are needed",
        )
        verifier.constant(
            self.coefficients, "coefficients", shape=(outputs, inputs, functions_count)
        )

    def edges(self, x: FloatArray) -> FloatArray:
        degree = self.degree.value.data
        basis = bsplines.bspline_basis(x, self.knot_vector, degree, closed=self.closed is not None)
        return bsplines.edge_values(basis, to_floats(self.coefficients))


@irdl_op_definition
class BaseOp(EdgeOp):
    """Edges that are one fixed function times a weight: phi[o, i](x) = weights[o, i] * f(x_i).

    Example:

        %e = kan.base "identity" %a weights dense<0.5> : tensor<3x3xf32> : tensor<3xf32> ->
          tensor<3x3xf32>
    """

    name = "kan.base"

    function = prop_def(StringAttr)
    weights = prop_def(DenseIntOrFPElementsAttr)

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
        self.set_up(
            [input],
            [edge_type(input, outputs, inputs)],
            function=function,
            weights=weights,
            name=name,
        )

    def verify_edges(self, outputs: int, inputs: int) -> None:
        verify_function(self.function.data)
        verifier.constant(self.weights, "weights", shape=(outputs, inputs))

    def edges(self, x: FloatArray) -> FloatArray:
        values = functions.apply(self.function.data, x)
        weights = to_floats(self.weights)
        with np.errstate(invalid="ignore"):
            # A weight of 0 means no function at all, also where the function is infinite.
            return np.where(weights == 0.0, 0.0, values[:, np.newaxis, :] * weights)


@irdl_op_definition
class RadialOp(EdgeOp):
    """Edges from radial basis functions.

    phi[o, i](x) = sum_c coefficients[o, i, c] * R((x_i - center_c) / width_c)

    `centers` and `widths` are (in, C), or (C) for all inputs. FastKAN (Li, arXiv 2405.06721) is
    `gaussian` on equidistant centers.

    Example:

        %radial = kan.radial "gaussian" %x as "layer0" centers dense<[-1.0, 1.0]> :
          tensor<2xf32> widths dense<[[0.5, 0.5], [2.0, 2.0]]> : tensor<2x2xf32>
          coefficients dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32> : tensor<2xf64>
          -> tensor<1x2xf64>
    """

    name = "kan.radial"

    function = prop_def(StringAttr)
    centers = prop_def(DenseIntOrFPElementsAttr)
    widths = prop_def(DenseIntOrFPElementsAttr)
    coefficients = prop_def(DenseIntOrFPElementsAttr)

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
        function : one of `bsplines.RADIAL_FUNCTIONS`.
        centers, widths : (in, C) or (C); widths are positive.
        coefficients : (out, in, C).
        """
        coefficients = as_dense(coefficients)
        outputs, inputs = coefficients.get_shape()[:2]
        self.set_up(
            [input],
            [edge_type(input, outputs, inputs)],
            function=function,
            centers=centers,
            widths=widths,
            coefficients=coefficients,
            name=name,
        )

    def verify_edges(self, outputs: int, inputs: int) -> None:
        kind = self.function.data
        require(
            kind in bsplines.RADIAL_FUNCTIONS,
            f"unknown radial function {kind!r}: known are {', '.join(bsplines.RADIAL_FUNCTIONS)}",
        )
        centers = verifier.constant(self.centers, "centers")
        count = _per_input(centers, inputs, "centers")
        require(count >= 1, "at least one center is needed")
        widths = verifier.constant(self.widths, "widths")
        require(
            _per_input(widths, inputs, "widths") == count,
            f"there must be as many widths as centers, got {widths.shape[-1]} and {count}",
        )
        require(bool((widths > 0).all()), "widths must be positive")
        verifier.constant(self.coefficients, "coefficients", shape=(outputs, inputs, count))

    def edges(self, x: FloatArray) -> FloatArray:
        basis = bsplines.radial_basis(
            x, to_floats(self.centers), to_floats(self.widths), self.function.data
        )
        return bsplines.edge_values(basis, to_floats(self.coefficients))


@irdl_op_definition
class ChebyshevOp(EdgeOp):
    """Edges that are Chebyshev series: phi[o, i](x) = sum_k coefficients[o, i, k] * T_k(x_i).

    The degree is the number of coefficients less one. ChebyKAN (Sidharth, arXiv 2405.07200)
    feeds it tanh of its inputs, here a `kan.map tanh` before.

    Example:

        %chebyshev = kan.chebyshev %x as "layer0" coefficients dense<[[[1.0, 2.0, 0.5],
          [3.0, 4.0, -0.5]]]> : tensor<1x2x3xf32> : tensor<2xf64> -> tensor<1x2xf64>
    """

    name = "kan.chebyshev"

    coefficients = prop_def(DenseIntOrFPElementsAttr)

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
        self.set_up(
            [input], [edge_type(input, outputs, inputs)], coefficients=coefficients, name=name
        )

    def verify_edges(self, outputs: int, inputs: int) -> None:
        coefficients = verifier.constant(self.coefficients, "coefficients")
        require(coefficients.ndim == 3, "coefficients must have shape out x in x (degree + 1)")
        count = coefficients.shape[2]
        require(
            1 <= count <= MAX_DEGREE + 1, f"degree must lie in 0..{MAX_DEGREE}, got {count - 1}"
        )
        require_shape(coefficients.shape, (outputs, inputs, count), "coefficients")

    def edges(self, x: FloatArray) -> FloatArray:
        coefficients = to_floats(self.coefficients)
        return bsplines.edge_values(
            bsplines.chebyshev_basis(x, coefficients.shape[2] - 1), coefficients
        )


SPLINE_OPS: list[type[Operation]] = [BSplineOp, BaseOp, RadialOp, ChebyshevOp]
