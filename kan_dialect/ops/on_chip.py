"""Trainable layers: B-spline edges on uniform grids whose coefficients are state.

One function is one training step: it takes inputs, targets and coefficients, and gives outputs and
the next coefficients; `kan.role` attributes name the roles. An input lies in one cell of its grid,
so only degree + 1 coefficients of an edge take part: these are gathered, multiplied with the basis,
and updated. Velocities, of training with momentum, are gathered and updated alike.
`kan_dialect.ops.grid` has the ops before: cell, local coordinate and basis. The ops here are
one subject, a layer's state and its gradients: they index the same active coefficients and round
sums of products alike.

Each op has two meanings. On tensors of floats it is the real-valued step. On tensors of
`!kan.fixed` it is the step of the hardware, integer for integer: sums of products are exact, and
each result is rounded half to even once and saturated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    TensorType,
    i1,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    result_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure

from kan_dialect.ir import verifier
from kan_dialect.ir.constants import (
    Array,
    FloatArray,
    IntArray,
    to_floats,
)
from kan_dialect.ir.fixed_point import fixed_type, rounded_to, saturated
from kan_dialect.ir.number_tensors import fixed_types, numbers, require_sum, sum_bits
from kan_dialect.ir.operation import KanOperation, Named
from kan_dialect.ir.semantics import Evaluable
from kan_dialect.ir.types import IntType, element_type, tensor_shape
from kan_dialect.ir.verifier import require, require_shape

FACTOR_BITS = 16
"""Factors of fixed-point linear combinations are multiples of 2^-16."""


@irdl_op_definition
class GatherOp(KanOperation, Named, Evaluable):
    """The coefficients that take part: active[o, i, j] = coefficients[o, i, cell_i + j].

    Example:

        %active = kan.gather %c at %cell : tensor<1x2x8x!kan.fixed<s16:10>>,
          tensor<2x!kan.int<0:4>> -> tensor<1x2x4x!kan.fixed<s16:10>>
    """

    name = "kan.gather"

    coefficients = operand_def(TensorType)
    cell = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$coefficients `at` $cell (`as` $name^)? attr-dict `:` type($coefficients) `,` type($cell) "
        "`->` type($result)"
    )

    def __init__(
        self,
        coefficients: SSAValue | Operation,
        cell: SSAValue | Operation,
        degree: int,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        coefficients : tensor<out x in x (cells + degree) x number>.
        cell : tensor<in x !kan.int<0:cells-1>>.
        """
        coefficients = SSAValue.get(coefficients)
        outputs, inputs, _ = tensor_shape(coefficients)
        element = element_type(coefficients)
        assert element is not None
        self.set_up(
            [coefficients, cell], [TensorType(element, (outputs, inputs, degree + 1))], name=name
        )

    def verify_(self) -> None:
        shape, element = numbers(self.coefficients, 3, "coefficients")
        result, result_element = numbers(self.result, 3, "result")
        degree = result[2] - 1
        require_shape(result[:2], shape[:2], "the first dimensions of the result")
        require(element == result_element, f"the result must hold {element}, as the coefficients")
        _verify_cells(self.cell, shape, degree)

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        coefficients, cell = operands
        samples = max(operand.shape[0] for operand in operands)
        coefficients = np.broadcast_to(coefficients, (samples, *coefficients.shape[1:]))
        index = _active_index(cell, coefficients.shape, tensor_shape(self.result)[2])
        return (np.take_along_axis(coefficients, index, axis=3),)


def _verify_cells(cell: SSAValue, coefficients: Sequence[int], degree: int) -> None:
    cells = coefficients[2] - degree
    require(cells >= 1, f"{coefficients[2]} coefficients are too few for degree {degree}")
    wanted = TensorType(IntType(0, cells - 1), (coefficients[1],))
    require(
        cell.type == wanted,
        f"{coefficients[2]} coefficients of degree {degree} have {cells} cells: cell must be of "
        f"type {wanted}, got {cell.type}",
    )


def _active_index(cell: IntArray, coefficients: Sequence[int], count: int) -> IntArray:
    """Indices (samples, out, in, count) of the coefficients of the cells (samples, in)."""
    index = cell[:, np.newaxis, :, np.newaxis] + np.arange(count)
    return np.broadcast_to(index, (*coefficients[:3], count))


@irdl_op_definition
class CombineOp(KanOperation, Named, Evaluable):
    """A linear combination of numbers that take part: result[o, i, j] = sum over k of f_k * x_k.

    Of fixed-point numbers the factors are multiples of 2^-16, the sum is exact, rounded half to
    even once and saturated. Weight decay and momentum are such combinations.

    Example:

        %carried = kan.combine %active, %active as "carried" factors dense<[0.9375, 0.5]> :
          tensor<2xf64> : tensor<1x2x4x!kan.fixed<s16:10>>, tensor<1x2x4x!kan.fixed<s16:10>>
          -> tensor<1x2x4x!kan.fixed<s17:10>>
    """

    name = "kan.combine"

    terms = var_operand_def(TensorType)
    factors = prop_def(DenseIntOrFPElementsAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$terms (`as` $name^)? `factors` custom<Constant>($factors) attr-dict `:` type($terms) "
        "`->` type($result)"
    )

    def __init__(
        self,
        terms: Sequence[SSAValue | Operation],
        factors: FloatArray,
        element: Attribute,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        terms : each tensor<out x in x (degree + 1) x number>.
        factors : (terms), float64.
        element : element type of the result.
        """
        self.set_up(
            terms,
            [TensorType(element, tensor_shape(SSAValue.get(terms[0])))],
            factors=factors,
            name=name,
        )

    @property
    def scaled_factors(self) -> IntArray:
        """Of fixed-point numbers: the factors times 2^16, (terms)."""
        return np.ldexp(to_floats(self.factors), FACTOR_BITS).astype(np.int64)

    def verify_(self) -> None:
        require(len(self.terms) >= 1, "a combination has at least one term")
        shape, _ = numbers(self.result, 3, "result")
        for term in self.terms:
            require_shape(numbers(term, 3, "term")[0], shape, "each term")
        factors = verifier.constant(self.factors, "factors", shape=(len(self.terms),))
        require(
            bool(((factors > 0) & (factors <= 1)).all()),
            "factors must be above 0 and at most 1",
        )
        if held := fixed_types(*self.terms, self.result):
            scaled = np.ldexp(factors, FACTOR_BITS)
            require(
                bool((scaled == np.rint(scaled)).all()),
                f"factors of fixed-point numbers must be multiples of 2^-{FACTOR_BITS}",
            )
            require(
                all(kind.fraction == held[-1].fraction for kind in held),
                "terms and result must have as many fraction bits",
            )
            widest = max(kind.bits for kind in held)
            require_sum(widest + FACTOR_BITS + len(held), "linear combinations")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        kind = fixed_type(self.result)
        factors: Array = to_floats(self.factors) if kind is None else self.scaled_factors
        samples = max(operand.shape[0] for operand in operands)
        total: Array = np.zeros((samples, *tensor_shape(self.result)), dtype=factors.dtype)
        for factor, operand in zip(factors, operands, strict=True):
            total = total + factor * operand
        return (total if kind is None else rounded_to(total, kind.fraction + FACTOR_BITS, kind),)


@irdl_op_definition
class MacOp(KanOperation, Named, Evaluable):
    """Multiplies active coefficients with a basis and adds up, rounded once.

    With a result of shape (out), the nodes of a layer: y[o] = sum over i, j of active[o, i, j] *
    basis[i, j]. With (out, in), one number an edge, summed over j only: slopes, where the basis is
    of derivatives.

    Example:

        %y = kan.mac %active, %basis as "node" : tensor<1x2x4x!kan.fixed<s16:10>>,
          tensor<2x4x!kan.fixed<u10:10>> -> tensor<1x!kan.fixed<s16:10>>
    """

    name = "kan.mac"

    active = operand_def(TensorType)
    basis = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$active `,` $basis (`as` $name^)? attr-dict `:` type($active) `,` type($basis) `->` "
        "type($result)"
    )

    def __init__(
        self,
        active: SSAValue | Operation,
        basis: SSAValue | Operation,
        element: Attribute,
        *,
        per_edge: bool = False,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        active : tensor<out x in x (degree + 1) x number>.
        basis : tensor<in x (degree + 1) x number>.
        element : element type of the result.
        """
        active = SSAValue.get(active)
        outputs, inputs, _ = tensor_shape(active)
        shape = (outputs, inputs) if per_edge else (outputs,)
        self.set_up([active, basis], [TensorType(element, shape)], name=name)

    @property
    def per_edge(self) -> bool:
        return len(tensor_shape(self.result)) == 2

    def verify_(self) -> None:
        active, _ = numbers(self.active, 3, "active coefficients")
        basis, _ = numbers(self.basis, 2, "basis")
        require_shape(basis, active[1:], "basis")
        rank = len(cast("TensorType[Any]", self.result.type).get_shape())
        require(rank in (1, 2), f"result must have shape {active[0]} or {active[0]}x{active[1]}")
        require_shape(numbers(self.result, rank, "result")[0], active[:rank], "result")
        if kinds := fixed_types(self.active, self.basis, self.result):
            left, right, result = kinds
            terms = active[2] if self.per_edge else active[1] * active[2]
            require_sum(sum_bits(left, right, terms, result), "sums of products")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        subscripts = "soij,sij->soi" if self.per_edge else "soij,sij->so"
        return (_contract(subscripts, operands, (self.active, self.basis, self.result)),)


def _contract(subscripts: str, operands: Sequence[Array], values: Sequence[SSAValue]) -> Array:
    """Sums of products, rounded to the type of the last value where they are fixed-point."""
    total: Array = np.einsum(subscripts, *operands)
    kinds = fixed_types(*values)
    if not kinds:
        return total
    left, right, result = kinds
    return rounded_to(total, left.fraction + right.fraction, result)


@irdl_op_definition
class ErrorOp(KanOperation, Named, Evaluable):
    """How outputs are to change: the negative gradient of the squared error, 2 (target - output).

    Of fixed-point numbers, the result has one fraction bit less than the output: its code is the
    difference of the codes, saturated.

    Example:

        %error = kan.error %t, %y : tensor<1x!kan.fixed<s16:10>>,
          tensor<1x!kan.fixed<s16:10>> -> tensor<1x!kan.fixed<s17:9>>
    """

    name = "kan.error"

    target = operand_def(TensorType)
    output = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$target `,` $output (`as` $name^)? attr-dict `:` type($target) `,` type($output) `->` "
        "type($result)"
    )

    def __init__(
        self,
        target: SSAValue | Operation,
        output: SSAValue | Operation,
        element: Attribute,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        target, output : tensor<out x number>, of one type.
        element : element type of the result, with one fraction bit less.
        """
        output = SSAValue.get(output)
        self.set_up([target, output], [TensorType(element, tensor_shape(output))], name=name)

    def verify_(self) -> None:
        shape, _ = numbers(self.output, 1, "output")
        require(self.output.type == self.target.type, "target and output must be of one type")
        require_shape(numbers(self.result, 1, "result")[0], shape, "result")
        if kinds := fixed_types(self.output, self.result):
            kind, result = kinds
            require(
                kind.fraction - 1 == result.fraction and result.is_signed,
                f"the result must be signed, with {kind.fraction - 1} fraction bits",
            )

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        difference = operands[0] - operands[1]
        kind = fixed_type(self.result)
        return (2.0 * difference if kind is None else saturated(difference, kind),)


@irdl_op_definition
class BackpropagateOp(KanOperation, Named, Evaluable):
    """How inputs of a layer are to change: result[i] = sum over o of error[o] * slopes[o, i].

    Example:

        %below = kan.backpropagate %error through %slopes : tensor<1x!kan.fixed<s17:9>>,
          tensor<1x2x!kan.fixed<s16:10>> -> tensor<2x!kan.fixed<s17:9>>
    """

    name = "kan.backpropagate"

    error = operand_def(TensorType)
    slopes = operand_def(TensorType)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$error `through` $slopes (`as` $name^)? attr-dict `:` type($error) `,` "
        "type($slopes) `->` type($result)"
    )

    def __init__(
        self,
        error: SSAValue | Operation,
        slopes: SSAValue | Operation,
        element: Attribute,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        error : tensor<out x number>; slopes : tensor<out x in x number>.
        element : element type of the result, (in).
        """
        slopes = SSAValue.get(slopes)
        self.set_up([error, slopes], [TensorType(element, tensor_shape(slopes)[1:])], name=name)

    def verify_(self) -> None:
        slopes, _ = numbers(self.slopes, 2, "slopes")
        require_shape(numbers(self.error, 1, "error")[0], slopes[:1], "error")
        require_shape(numbers(self.result, 1, "result")[0], slopes[1:], "result")
        if kinds := fixed_types(self.error, self.slopes, self.result):
            left, right, result = kinds
            require_sum(sum_bits(left, right, slopes[0], result), "sums of products")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        return (_contract("so,soi->si", operands, (self.error, self.slopes, self.result)),)


@irdl_op_definition
class UpdateOp(KanOperation, Named, Evaluable):
    """A step of gradient descent on the coefficients that took part, where `train` is 1.

    result[o, i, cell_i + j] = coefficients[o, i, cell_i + j] + error[o] * weights[i, j]

    With `origin`, the step begins there instead: origin[o, i, j] + error[o] * weights[i, j].
    `weights` are the basis times the learning rate. Of fixed-point numbers the right side is
    computed exactly, rounded half to even and saturated. All other coefficients stay.

    Example:

        %other = kan.update %c at %cell from %carried : tensor<1x2x4x!kan.fixed<s17:10>>
          error %error weights %weights if %train : tensor<1x2x8x!kan.fixed<s16:10>>,
          tensor<2x!kan.int<0:4>>, tensor<1x!kan.fixed<s17:9>>,
          tensor<2x4x!kan.fixed<u10:13>> -> tensor<1x2x8x!kan.fixed<s16:10>>
    """

    name = "kan.update"

    coefficients = operand_def(TensorType)
    cell = operand_def(TensorType)
    origin = opt_operand_def(TensorType)
    error = operand_def(TensorType)
    weights = operand_def(TensorType)
    train = operand_def(i1)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$coefficients `at` $cell (`from` $origin^ `:` type($origin))? `error` $error "
        "`weights` $weights `if` $train (`as` $name^)? attr-dict `:` type($coefficients) `,` "
        "type($cell) `,` type($error) `,` type($weights) `->` type($result)"
    )

    def __init__(
        self,
        coefficients: SSAValue | Operation,
        cell: SSAValue | Operation,
        error: SSAValue | Operation,
        weights: SSAValue | Operation,
        train: SSAValue,
        *,
        origin: SSAValue | Operation | None = None,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        coefficients : tensor<out x in x (cells + degree) x number>, as the result.
        cell : tensor<in x !kan.int>; error : tensor<out x number>.
        weights : tensor<in x (degree + 1) x number>; train : i1.
        origin : tensor<out x in x (degree + 1) x number>, with the coefficients' fraction bits.
        """
        coefficients = SSAValue.get(coefficients)
        self.set_up(
            [coefficients, cell, origin, error, weights, train], [coefficients.type], name=name
        )

    def verify_(self) -> None:
        shape, _ = numbers(self.coefficients, 3, "coefficients")
        require(
            self.result.type == self.coefficients.type,
            f"the result must be of the coefficients' type {self.coefficients.type}",
        )
        require_shape(numbers(self.error, 1, "error")[0], shape[:1], "error")
        weights, _ = numbers(self.weights, 2, "weights")
        require_shape(weights[:1], shape[1:2], "the first dimension of the weights")
        _verify_cells(self.cell, shape, weights[1] - 1)
        origin = self.coefficients if self.origin is None else self.origin
        if self.origin is not None:
            wanted = (*shape[:2], weights[1])
            require_shape(numbers(self.origin, 3, "origin")[0], wanted, "origin")
        if kinds := fixed_types(self.coefficients, origin, self.error, self.weights):
            kind, start, left, right = kinds
            require(
                start.fraction == kind.fraction,
                f"origin must have {kind.fraction} fraction bits, as the coefficients",
            )
            product = left.fraction + right.fraction
            aligned = start.bits + max(0, product - kind.fraction)
            bits = max(aligned, sum_bits(left, right, 1, kind)) + 1
            require_sum(bits, "updated coefficients")

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        coefficients, cell, *origin, error, weights, train = operands
        samples = max(operand.shape[0] for operand in operands)
        coefficients = np.broadcast_to(coefficients, (samples, *coefficients.shape[1:]))
        index = _active_index(cell, coefficients.shape, weights.shape[2])
        active = np.take_along_axis(coefficients, index, axis=3)
        step = error[:, :, np.newaxis, np.newaxis] * weights[:, np.newaxis]
        moved = self._moved(origin[0] if origin else active, step)
        kept = np.where(train[:, np.newaxis, np.newaxis, np.newaxis] != 0, moved, active)
        result = coefficients.copy()
        np.put_along_axis(result, index, kept, axis=3)
        return (result,)

    def _moved(self, start: Array, step: Array) -> Array:
        kinds = fixed_types(self.coefficients, self.error, self.weights)
        if not kinds:
            return start + step
        kind, left, right = kinds
        product = left.fraction + right.fraction
        common = max(product, kind.fraction)
        exact = (start << (common - kind.fraction)) + (step << (common - product))
        return rounded_to(exact, common, kind)


TRAINING_OPS: list[type[Operation]] = [
    GatherOp,
    CombineOp,
    MacOp,
    ErrorOp,
    BackpropagateOp,
    UpdateOp,
]
