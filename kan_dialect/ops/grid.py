"""Inputs of trainable layers on their grids: cell, local coordinate, and the basis functions there.

A B-spline of degree d on a uniform grid has d + 1 basis functions that are not zero in a cell. They
depend on the local coordinate only (de Boor, A Practical Guide to Splines, 1978, chapter IX), so
with fixed-point numbers the basis is one table. `kan_dialect.ops.on_chip` says how ops treat
floats and fixed-point numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from xdsl.dialects.builtin import (
    I64,
    DenseIntOrFPElementsAttr,
    IntegerAttr,
    TensorType,
    UnitAttr,
    i1,
)
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.traits import Pure

from kan_dialect.ir import verifier
from kan_dialect.ir.constants import (
    Array,
    DenseAttr,
    FloatArray,
    IntArray,
    dense,
    to_floats,
)
from kan_dialect.ir.fixed_point import FixedType, fixed_type
from kan_dialect.ir.number_tensors import fixed_types, numbers, require_sum
from kan_dialect.ir.operation import KanOperation, Named
from kan_dialect.ir.semantics import Evaluable
from kan_dialect.ir.types import IntType, tensor_shape
from kan_dialect.ir.verifier import require, require_shape
from kan_dialect.maths.uniform_bsplines import basis_table, cell_basis

MAX_TRAINABLE_DEGREE = 5
MAX_LOCAL_BITS = 12
MAX_CELLS = 1 << 16


def grid_codes(grid: FloatArray, kind: FixedType) -> IntArray:
    """The ends of grids as codes; they must be codes of the type, the last at most one beyond.

    Raises
    ------
    VerifyException : an end lies between two codes or outside the type.
    """
    scaled = np.ldexp(grid, kind.fraction)
    codes = np.rint(scaled)
    require(
        bool(
            (codes == scaled).all() and (codes >= kind.low).all() and (codes <= kind.high + 1).all()
        ),
        f"the grid must begin and end at multiples of {kind.step} within the input's range "
        f"{kind.low * kind.step} to {(kind.high + 1) * kind.step}",
    )
    return codes.astype(np.int64)


def position_factor(span: int, steps: int) -> tuple[int, int]:
    """(multiplier, shift) with which a distance in codes becomes one in local steps.

    `position = distance * multiplier >> shift`, in place of `distance * steps / span`. The shift is
    the smallest one with which the multiplier is exact or has two bits more than `steps`, so that
    no position is off by more than one local step.
    """
    shift = 0
    while True:
        exact = Fraction(steps << shift, span)
        multiplier = round(exact)
        if exact == multiplier or multiplier.bit_length() >= steps.bit_length() + 2:
            return multiplier, shift
        shift += 1


@irdl_op_definition
class LocateOp(KanOperation, Named, Evaluable):
    """The cell of its grid in which each input lies, and the local coordinate in it.

    `grid` holds the ends of the grid, (in, 2), or (2) for all inputs; between them are `cells`
    cells of one width. An input outside the grid counts as the nearest point of it, and `inside`
    is 0. Of fixed-point inputs the local coordinate has 2^T steps, T the bits of its type `uT:T`:

        position = (x - from) * multiplier >> shift      (see `position_factor`)

    saturated to the grid; its upper bits are the cell, its lower T bits the local coordinate.

    Example:

        %cell, %local, %inside = kan.locate %x as "layer0" grid dense<[-2.0, 2.0]> :
          tensor<2xf64> cells 5 : tensor<2x!kan.fixed<s16:10>> -> tensor<2x!kan.int<0:4>>,
          tensor<2x!kan.fixed<u6:6>>, tensor<2xi1>
    """

    name = "kan.locate"

    input = operand_def(TensorType)
    grid = prop_def(DenseIntOrFPElementsAttr)
    cells = prop_def(IntegerAttr[I64])
    cell = result_def(TensorType)
    local = result_def(TensorType)
    inside = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$input (`as` $name^)? `grid` custom<Constant>($grid) `cells` $cells attr-dict `:` "
        "type($input) `->` type($cell) `,` type($local) `,` type($inside)"
    )

    def __init__(
        self,
        input: SSAValue | Operation,
        grid: DenseAttr | FloatArray,
        cells: int,
        local: Attribute,
        *,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        input : tensor<in x number>.
        grid : (2) or (in, 2), float64: the first and the last grid point.
        local : the element type of the local coordinate: a float, or `!kan.fixed<uT:T>`.
        """
        input = SSAValue.get(input)
        shape = tensor_shape(input)
        self.set_up(
            [input],
            [
                TensorType(IntType(0, cells - 1), shape),
                TensorType(local, shape),
                TensorType(i1, shape),
            ],
            grid=grid,
            cells=cells,
            name=name,
        )

    @property
    def ends(self) -> FloatArray:
        """First and last grid point of each input: (in, 2)."""
        return np.broadcast_to(to_floats(self.grid), (*tensor_shape(self.input), 2))

    @property
    def local_bits(self) -> int:
        """T, of fixed-point inputs."""
        (kind,) = fixed_types(self.local)
        return kind.bits

    def verify_(self) -> None:
        shape, _ = numbers(self.input, 1, "input")
        cells = self.cells.value.data
        require(1 <= cells <= MAX_CELLS, f"cells must lie in 1..{MAX_CELLS}, got {cells}")
        grid = verifier.constant(self.grid, "grid")
        require(grid.shape in ((2,), (*shape, 2)), f"grid must have shape 2 or {shape[0]}x2")
        require(bool((grid[..., 0] < grid[..., 1]).all()), "a grid must end behind its beginning")
        for value, element, what in (
            (self.cell, IntType(0, cells - 1), "cell"),
            (self.inside, i1, "inside"),
        ):
            wanted = TensorType(element, shape)
            require(value.type == wanted, f"{what} must be of type {wanted}, got {value.type}")
        require_shape(numbers(self.local, 1, "local coordinate")[0], shape, "local coordinate")
        if kinds := fixed_types(self.input, self.local):
            self._verify_fixed(cells, *kinds)

    def _verify_fixed(self, cells: int, kind: FixedType, local: FixedType) -> None:
        require(
            not local.is_signed and local.fraction == local.bits <= MAX_LOCAL_BITS,
            f"the local coordinate must be !kan.fixed<uT:T> with T of at most {MAX_LOCAL_BITS}",
        )
        codes = grid_codes(self.ends, kind)
        spans = codes[:, 1] - codes[:, 0]
        require(
            bool((spans >= cells).all()),
            f"{cells} cells over {int(spans.min())} codes of the input: the grid is too fine for "
            f"{kind.fraction} fraction bits",
        )
        require_sum(kind.bits + 4 + (cells << local.bits).bit_length(), "positions in the grid")

    def positions(self) -> tuple[IntArray, IntArray, IntArray]:
        """Of fixed-point inputs: first grid point as a code, multiplier and shift, each (in)."""
        (kind,) = fixed_types(self.input)
        codes = grid_codes(self.ends, kind)
        steps = self.cells.value.data << self.local_bits
        factors = [position_factor(int(high - low), steps) for low, high in codes]
        multipliers, shifts = (
            np.array(column, dtype=np.int64) for column in zip(*factors, strict=True)
        )
        return codes[:, 0], multipliers, shifts

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        cells = self.cells.value.data
        if fixed_type(self.input) is None:
            low, high = self.ends[:, 0], self.ends[:, 1]
            position = (operands[0] - low) * (cells / (high - low))
            cell = np.clip(np.floor(position), 0, cells - 1)
            local = np.clip(position - cell, 0.0, 1.0)
            inside = (operands[0] >= low) & (operands[0] <= high)
            return cell.astype(np.int64), local, inside.astype(np.int64)
        bits = self.local_bits
        low, multiplier, shift = self.positions()
        position = ((operands[0] - low) * multiplier) >> shift
        held = np.clip(position, 0, (cells << bits) - 1)
        return held >> bits, held & ((1 << bits) - 1), (held == position).astype(np.int64)


@irdl_op_definition
class BasisOp(KanOperation, Named, Evaluable):
    """The degree + 1 basis functions that are not zero in a cell: basis[i, j] = scale * B_j(t_i).

    B_j belongs to coefficient `cell + j`. With `derivative`, B_j is its derivative by the local
    coordinate, so that a `scale` of 1 / cell width gives the derivative by the input; where
    `inside` is given and 0, derivatives are 0. With a learning rate as `scale`, these are the
    weights of an update. `scale` is one number, or one for each input. Of fixed-point numbers: a
    table of 2^T rows, see `uniform_bsplines.basis_table`.

    Example:

        %basis = kan.basis %local degree 3 scale dense<1.0> : tensor<f64> :
          tensor<2x!kan.fixed<u6:6>> -> tensor<2x4x!kan.fixed<u10:10>>
    """

    name = "kan.basis"

    local = operand_def(TensorType)
    inside = opt_operand_def(TensorType)
    degree = prop_def(IntegerAttr[I64])
    scale = prop_def(DenseIntOrFPElementsAttr)
    derivative = opt_prop_def(UnitAttr)
    result = result_def(TensorType)

    traits = traits_def(Pure())
    assembly_format = (
        "$local (`inside` $inside^ `:` type($inside))? (`as` $name^)? `degree` $degree "
        "(`derivative` $derivative^)? `scale` custom<Constant>($scale) attr-dict "
        "`:` type($local) `->` type($result)"
    )

    def __init__(
        self,
        local: SSAValue | Operation,
        degree: int,
        element: Attribute,
        *,
        scale: float | FloatArray = 1.0,
        inside: SSAValue | None = None,
        derivative: bool = False,
        name: str | None = None,
    ) -> None:
        """
        Parameters
        ----------
        local : tensor<in x number>, from 0 to 1.
        element : element type of the result, (in, degree + 1).
        scale : one number, or (in).
        inside : tensor<in x i1>.
        """
        local = SSAValue.get(local)
        self.set_up(
            [local, inside],
            [TensorType(element, (*tensor_shape(local), degree + 1))],
            degree=degree,
            scale=dense(np.asarray(scale, dtype=np.float64)),
            derivative=derivative,
            name=name,
        )

    @property
    def scales(self) -> FloatArray:
        """Factor of the basis of each input: (in), float64."""
        return np.broadcast_to(to_floats(self.scale), tensor_shape(self.local))

    @property
    def tables(self) -> IntArray:
        """Of fixed-point numbers: the codes (in, 2^T, degree + 1) for each local coordinate."""
        local, kind = fixed_types(self.local, self.result)
        degree, derivative = self.degree.value.data, self.derivative is not None
        return np.stack(
            [
                basis_table(local.bits, degree, scale, kind.fraction, derivative=derivative)
                for scale in self.scales.tolist()
            ]
        )

    def verify_(self) -> None:
        shape, _ = numbers(self.local, 1, "local coordinate")
        degree = self.degree.value.data
        require(
            1 <= degree <= MAX_TRAINABLE_DEGREE,
            f"degree must lie in 1..{MAX_TRAINABLE_DEGREE}, got {degree}",
        )
        require_shape(numbers(self.result, 2, "result")[0], (*shape, degree + 1), "result")
        scale = verifier.constant(self.scale, "scale")
        require(scale.shape in ((), shape), f"scale must be one number or {shape[0]}")
        if self.inside is not None:
            wanted = TensorType(i1, shape)
            require(self.inside.type == wanted, f"inside must be of type {wanted}")
        kinds = fixed_types(self.local, self.result)
        if not kinds:
            return
        local, kind = kinds
        require(
            local.bits <= MAX_LOCAL_BITS, f"more than {MAX_LOCAL_BITS} bits of local coordinate"
        )
        for factor in self.scales.tolist():
            # Basis functions are at most 1, and entries of tables are int64.
            require(
                abs(factor) * 2.0**kind.fraction < 2.0**62,
                f"{factor} times the basis exceeds numbers of {kind.bits} bits with "
                f"{kind.fraction} fraction bits",
            )
        for factor, table in zip(self.scales.tolist(), self.tables, strict=True):
            low, high = int(table.min()), int(table.max())
            require(
                low != 0 or high != 0,
                f"{factor} times the basis is 0 throughout with {kind.fraction} fraction bits: "
                "take more",
            )
            require(
                kind.low <= low and high <= kind.high,
                f"{factor} times the basis has codes {low}..{high}, which a number of "
                f"{kind.bits} bits does not hold",
            )

    def evaluate(self, operands: Sequence[Array]) -> Sequence[Array]:
        if fixed_type(self.local) is not None:
            basis: Array = self.tables[np.arange(operands[0].shape[1]), operands[0]]
        else:
            degree, derivative = self.degree.value.data, self.derivative is not None
            basis = cell_basis(operands[0], degree, derivative=derivative)
            basis = basis * self.scales[:, np.newaxis]
        if self.inside is not None:
            basis = basis * operands[1][..., np.newaxis]
        return (basis,)


GRID_OPS: list[type[Operation]] = [LocateOp, BasisOp]
