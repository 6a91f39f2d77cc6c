"""Number types of a training step: fixed-point for hardware, float64 as reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import f64
from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException

from kan_dialect.errors import KanError
from kan_dialect.ir.constants import Array, FloatArray
from kan_dialect.ir.fixed_point import MAX_FIXED_BITS, FixedType, to_fixed
from kan_dialect.ir.quant import storage_for
from kan_dialect.maths.uniform_bsplines import basis_table
from kan_dialect.model.on_chip.trainable_layers import TrainableLayer
from kan_dialect.ops.grid import grid_codes
from kan_dialect.ops.on_chip import FACTOR_BITS


def scaled_factor(share: float) -> int:
    """The integer multiplier whose product with 2^-FACTOR_BITS is nearest to a share."""
    return round(math.ldexp(share, FACTOR_BITS))


@dataclass(frozen=True)
class TrainingNumbers:
    """Types of the values of a training step, as options of `kan-make-trainable` choose them.

    Parameters
    ----------
    integer_bits, fraction_bits : bits of inputs, nodes and coefficients.
    local_bits : bits of the local coordinate in a cell.
    real : all values are float64.
    """

    integer_bits: int
    fraction_bits: int
    local_bits: int
    real: bool

    @property
    def bits(self) -> int:
        """Bits of inputs, nodes and coefficients."""
        return self.integer_bits + self.fraction_bits

    @property
    def number(self) -> Attribute:
        """Type of inputs, nodes and coefficients."""
        return f64 if self.real else FixedType(self.bits, self.fraction_bits)

    @property
    def carried(self) -> Attribute:
        """Type of the sum of a coefficient and its velocity."""
        return f64 if self.real else FixedType(self.bits + 1, self.fraction_bits)

    @property
    def error(self) -> Attribute:
        """Type of errors, which are halved differences of two numbers."""
        return f64 if self.real else FixedType(self.bits + 1, self.fraction_bits - 1)

    @property
    def local(self) -> Attribute:
        """Type of local coordinates, 0 to 1."""
        local = self.local_bits
        return f64 if self.real else FixedType(local, local, signed=False)

    def factor(self, share: float) -> float:
        """The representable factor of a linear combination that is nearest to a share."""
        return share if self.real else math.ldexp(scaled_factor(share), -FACTOR_BITS)

    def grid(self, layer: TrainableLayer) -> FloatArray:
        """Ends (in, 2), float64, of a layer's grids, rounded to the nearest codes.

        Raises
        ------
        KanError : an end lies outside the range of numbers, or a cell is narrower than a code.
        """
        kind = self.number
        if not isinstance(kind, FixedType):
            return layer.grid
        grid = np.ldexp(np.rint(np.ldexp(layer.grid, kind.fraction)), -kind.fraction)
        try:
            codes = grid_codes(grid, kind)
        except VerifyException as error:
            bits = math.ceil(math.log2(max(float(np.abs(grid).max()), 0.5))) + 1
            raise KanError(
                f"{layer.name}: {error}",
                remedy=f"take more integer-bits (it needs {max(bits, 1)})",
            ) from None
        span = int((codes[:, 1] - codes[:, 0]).min())
        if span < layer.cells:
            raise KanError(
                f"{layer.name}: a grid of {layer.cells} cells over {span} codes is too fine",
                remedy="take more fraction-bits or fewer cells",
            )
        return grid

    def basis(
        self, layer: TrainableLayer, *, scale: float | FloatArray = 1.0, derivative: bool = False
    ) -> Attribute:
        """The narrowest type of a layer's basis times a scale.

        At a scale of 1, a basis has the fraction bits of numbers. A smaller scale gets more
        fraction bits, so that the number of significant bits stays the same.

        Parameters
        ----------
        scale : a number, or (in).

        Raises
        ------
        KanError : the basis needs more bits than fixed-point numbers have.
        """
        if self.real:
            return f64
        scales = np.atleast_1d(np.asarray(scale, dtype=np.float64))
        fraction = self.fraction_bits
        if not derivative:
            fraction -= math.floor(math.log2(float(scales.max())))
        tables = [
            basis_table(self.local_bits, layer.degree, value, fraction, derivative=derivative)
            for value in scales.tolist()
        ]
        low, high = min(int(t.min()) for t in tables), max(int(t.max()) for t in tables)
        bits, signed = storage_for(low, high)
        if bits > MAX_FIXED_BITS:
            raise KanError(
                f"{layer.name}: the basis needs {bits} bits, more than {MAX_FIXED_BITS}",
                remedy="take fewer fraction-bits, or a coarser grid",
            )
        return FixedType(bits, fraction, signed=signed)

    def initial(self, start: FloatArray, layer: str) -> Array:
        """Initial coefficients as codes, int64, or unchanged if numbers are real.

        Raises
        ------
        KanError : a coefficient does not fit the fixed-point numbers.
        """
        number = self.number
        if not isinstance(number, FixedType):
            return start
        codes = to_fixed(start, number)
        lost = np.abs(codes * number.step - start)
        if bool((lost > number.step / 2).any()):
            value = float(start.flat[int(lost.argmax())])
            needed = math.floor(math.log2(abs(value))) + 2
            raise KanError(
                f"{layer}: a coefficient of {value:g} does not fit fixed-point numbers of "
                f"{number.bits - number.fraction} integer bits",
                remedy=f"take integer-bits of at least {needed}, or scale the results down",
            )
        return codes

    def require_learning(self, name: str, layers: list[TrainableLayer], rate: float) -> None:
        """Refuse a learning rate at which even the largest error changes no coefficient.

        Parameters
        ----------
        name : name of the function, for the message.

        Raises
        ------
        KanError : the learning rate is that small.
        """
        if self.real:
            return
        largest = 2.0 ** (self.integer_bits + 1)
        for layer in layers:
            top = float(basis_table(self.local_bits, layer.degree, 1.0, 30).max()) / 2**30
            if rate * largest * top < 2.0 ** -(self.fraction_bits + 1):
                raise KanError(
                    f"@{name}: a learning rate of {rate:g} never changes a coefficient of "
                    f"{self.fraction_bits} fraction bits, not even with an error of {largest:g}",
                    remedy="take a higher rate or more fraction-bits",
                )
