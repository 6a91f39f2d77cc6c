"""Sums of tables: parts that read the upper input bits, gated parts, and a constant."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kan_dialect.ir.constants import IntArray


class Part(NamedTuple):
    """A table of the input's upper bits.

    Parameters
    ----------
    skipped : number of lowest input bits that it does not read.
    unshifted : int64, for each pattern of the other bits: the entries less the offset.
    offset : added to all entries, which are then at least 0.
    """

    skipped: int
    unshifted: IntArray
    offset: int = 0

    @property
    def entries(self) -> IntArray:
        """Entries by pattern of the input bits that it reads, int64, at least 0."""
        return self.unshifted + self.offset

    def values(self, inputs: int) -> IntArray:
        """Its value for every pattern of `inputs` input bits, int64."""
        return np.repeat(self.entries, 1 << self.skipped)[: 1 << inputs]


class GatedPart(NamedTuple):
    """An amount that depends on a few gate bits and on a class of the bits above.

    Parameters
    ----------
    skipped : number of lowest input bits that it does not read; the next ones are the gate.
    classes : int64, for each pattern of the bits above the gate; at least 0.
    amounts : int64, (2^gate bits, classes), by gate and class; at least 0.
    """

    skipped: int
    classes: IntArray
    amounts: IntArray

    @property
    def gate_bits(self) -> int:
        """Input bits of the gate."""
        return (len(self.amounts) - 1).bit_length()

    def values(self, inputs: int) -> IntArray:
        """Its value for every pattern of `inputs` input bits, int64."""
        neighbours = self.amounts[:, self.classes].T
        return np.repeat(neighbours.ravel(), 1 << self.skipped)[: 1 << inputs]


class Split(NamedTuple):
    """A table as a sum of parts and a constant.

    Parameters
    ----------
    bit_luts : LUTs of the parts' bits, with adding each to a sum.
    constant : the table less the sum of its parts.
    adders : number of parts of several bits, which bring an adder each.
    carries : number of bits that may enter at an adder's carry input: parts that are 0 or 1, and
        lowest bits of other parts that cost less there.
    """

    bit_luts: float
    parts: tuple[Part | GatedPart, ...]
    constant: int
    adders: int
    carries: int
